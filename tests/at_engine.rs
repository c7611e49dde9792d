//! The engine against hand-written bytes: the rows of the failure catalogue that concern one dialogue, each by its
//! name, in virtual time.

use otpgate::at::response::{Registration, StoredAt, stored_messages};
use otpgate::at::urc::Domain;
use otpgate::at::*;
use otpgate::domain::secret::Secret;
use otpgate::domain::time::Mono;
use std::time::Duration;

const PDU: &str = "0011000B914151550510F00000AA05E8329BFD06";
const LENGTH: usize = 19;
const REPORT: &str = "0006050A8141555501001111111111111111111111111100";
const REPORT_LENGTH: usize = 23;

/// One engine, and what it did since last asked.
struct Bench {
    engine: Engine,
    now: Mono,
    wire: Vec<Vec<u8>>,
    events: Vec<Event>,
    irreversible: Vec<Vec<u8>>,
}

impl Bench {
    /// An engine whose port is not open.
    fn closed() -> Self {
        let engine = Engine::new(Config::default());
        Self { engine, now: Mono::default(), wire: vec![], events: vec![], irreversible: vec![] }
    }

    /// A synchronised engine.
    fn new() -> Self {
        let mut bench = Self::closed();
        bench.input(Input::Start { listen_until: None });
        bench.pass(300);
        bench.hear("\r\nOK\r\n");
        bench.pass(100);
        bench.hear("\r\nOK\r\n");
        bench.pass(100);
        assert_eq!(bench.take_events(), [Event::Synchronised]);
        assert_eq!(bench.take_wire(), ["\x1b\r", "AT\r", "AT\r"]);
        bench
    }

    /// A message whose PDU has just left.
    fn on_air(token: u64) -> Self {
        let mut bench = Self::new();
        bench.put_on_air(token);
        bench
    }

    /// Hands a message over.
    fn put_on_air(&mut self, token: u64) {
        self.take_events();
        self.take_wire();
        self.submit(token);
        self.grant(token);
        self.hear("\r\n> ");
        assert_eq!(self.take_wire(), [format!("AT+CMGS={LENGTH}\r"), format!("{PDU}\x1a")]);
        assert_eq!(self.take_events(), [Event::WantRelease { token }]);
    }

    fn input(&mut self, input: Input<'_>) {
        self.engine.handle_input(self.now, input);
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Transmit { bytes, irreversible } => {
                    if irreversible {
                        self.irreversible.push(bytes.clone());
                    }
                    self.wire.push(bytes);
                }
                Output::Event(event) => self.events.push(event),
            }
        }
    }

    /// The modem says this.
    fn hear(&mut self, text: &str) {
        self.input(Input::Bytes(text.as_bytes()));
    }

    /// Time passes; deadlines are served when they come.
    fn pass(&mut self, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        while let Some(at) = self.engine.next_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.input(Input::Timeout);
        }
        self.now = end;
    }

    fn ask(&mut self, command: Command) {
        self.input(Input::Command(command));
    }

    /// A message with usual times.
    fn message(&self, token: u64) -> Submit {
        Submit {
            token,
            pdu: PduHex::new(PDU, LENGTH).unwrap(),
            length: LENGTH,
            prompt_deadline: Duration::from_secs(5),
            prompt_delay: Duration::ZERO,
            not_after: self.now + Duration::from_secs(300),
            send_deadline: Duration::from_secs(120),
        }
    }

    fn submit(&mut self, token: u64) {
        self.input(Input::Submit(self.message(token)));
    }

    fn grant(&mut self, token: u64) {
        self.input(Input::Release { token, granted: true });
    }

    fn take_wire(&mut self) -> Vec<String> {
        std::mem::take(&mut self.wire).into_iter().map(|bytes| String::from_utf8(bytes).unwrap()).collect()
    }

    fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// The engine has just escaped: what it does until it trusts the dialogue again.
    fn resynchronise(&mut self) {
        assert_eq!(self.take_wire(), ["\x1b\r"]);
        self.pass(299);
        assert!(self.wire.is_empty(), "quiet is awaited first");
        self.pass(1);
        let query = self.take_wire().join("");
        let name = query.trim_start_matches("AT").trim_end_matches("?\r");
        self.hear(&format!("\r\n{name}: 0\r\n\r\nOK\r\n"));
        assert_eq!(self.take_events(), [Event::Resynchronised]);
        assert!(self.engine.is_ready());
    }
}

fn reply(lines: &[&str], end: ReplyEnd) -> Event {
    Event::Replied(Reply { lines: lines.iter().map(|line| Line::new(line.as_bytes())).collect(), end })
}

fn ok(lines: &[&str]) -> Event {
    reply(lines, ReplyEnd::Final(FinalResult::Ok))
}

fn submitted(token: u64, result: SubmitResult) -> Event {
    Event::Submitted { token, result }
}

fn accepted(token: u64, reference: Option<u8>) -> Event {
    submitted(token, SubmitResult::Accepted { reference })
}

fn not_transmitted(token: u64, why: NotTransmitted) -> Event {
    submitted(token, SubmitResult::NotTransmitted(why))
}

fn trace(text: &str) -> Event {
    Event::Trace(Line::new(text.as_bytes()))
}

fn other(text: &str) -> Event {
    Event::Urc(Urc::Other(Line::new(text.as_bytes())))
}

fn report_stored() -> Event {
    Event::Urc(Urc::ReportStored(StoredAt { memory: "SM".into(), index: 3 }))
}

#[test]
fn news_before_an_answer_does_not_leak_into_the_reply() {
    let mut bench = Bench::new();
    bench.ask(Command::signal());
    bench.hear("\r\n+CDSI: \"SM\",3\r\n\r\n+CSQ: 17,99\r\n\r\nOK\r\n");
    assert_eq!(bench.take_events(), [report_stored(), ok(&["+CSQ: 17,99"])]);
}

#[test]
fn s1_every_shape_of_the_prompt() {
    let rows = [
        ("plain", "\r\n> "),
        ("line end instead of blank", "\r\n>\r\n"),
        ("no blank", "\r\n>"),
        ("glued to the echo", "AT+CMGS=19\r\r\n> "),
        ("glued without line feed", "AT+CMGS=19\r> "),
        ("two prompts", "\r\n> \r\n> "),
        ("behind news", "\r\n+CMTI: \"SM\",4\r\n\r\n> "),
        ("behind noise", "\r\n\0\u{7f}> "),
    ];
    for (name, prompt) in rows {
        let mut bench = Bench::new();
        bench.submit(1);
        bench.grant(1);
        bench.take_wire();
        bench.hear(prompt);
        assert_eq!(bench.take_wire(), [format!("{PDU}\x1a")], "{name}");
    }
}

#[test]
fn s1_a_sign_inside_other_text_is_no_prompt() {
    for text in [
        "\r\n+CUSD: 0,\"press > to go on\",15\r\n",
        "\r\nnoise > \r\n",
        "\r\n+CMT: \"+14155550100\",,\"24/01/01,00:00:00+00\"\r\n> OK\r\n",
    ] {
        let mut bench = Bench::new();
        bench.submit(1);
        bench.grant(1);
        bench.take_wire();
        bench.hear(text);
        assert!(bench.take_wire().is_empty(), "{text}");
        bench.hear("\r\n> ");
        assert_eq!(bench.take_wire(), [format!("{PDU}\x1a")], "{text}");
    }
}

#[test]
fn s2_a_result_instead_of_the_prompt_ends_it_at_once() {
    for (text, result) in [
        ("+CMS ERROR: 330", FinalResult::Cms(Some(330))),
        ("+CME ERROR: 14", FinalResult::Cme(Some(14))),
        ("ERROR", FinalResult::Error),
        ("COMMAND NOT SUPPORT", FinalResult::NotSupported),
    ] {
        let mut bench = Bench::new();
        bench.submit(1);
        bench.grant(1);
        bench.hear(&format!("\r\n{text}\r\n"));
        assert_eq!(bench.take_events()[1..], [submitted(1, SubmitResult::RefusedBeforePdu(result))], "{text}");
        assert_eq!(bench.take_wire(), ["AT+CMGS=19\r"], "{text}: nothing else is written");
        assert!(bench.engine.is_ready());
    }
}

#[test]
fn s2_a_result_behind_the_prompt_ends_it_too_and_the_editor_is_left() {
    let mut bench = Bench::new();
    bench.submit(1);
    bench.hear("\r\n> ");
    bench.hear("\r\n+CMS ERROR: 512\r\n");
    let result = SubmitResult::RefusedBeforePdu(FinalResult::Cms(Some(512)));
    assert_eq!(bench.take_events(), [Event::WantRelease { token: 1 }, submitted(1, result)]);
    bench.wire.remove(0);
    bench.resynchronise();
}

#[test]
fn s3_no_prompt() {
    let mut bench = Bench::new();
    bench.submit(1);
    bench.grant(1);
    for _ in 0..49 {
        bench.pass(100);
        bench.hear("\r\n^RSSI:14\r\n");
    }
    assert_eq!(bench.take_wire(), ["AT+CMGS=19\r"]);
    bench.take_events();
    bench.pass(100);
    assert_eq!(bench.take_events(), [not_transmitted(1, NotTransmitted::NoPrompt)], "5 s, whatever else was said");
    bench.resynchronise();
    assert!(bench.irreversible.is_empty());
}

#[test]
fn s4_a_late_prompt_is_escaped_at_once_and_no_command_is_written_into_it() {
    let mut bench = Bench::new();
    bench.hear("\r\n> ");
    assert_eq!(bench.take_events(), [Event::StrayPrompt]);
    bench.ask(Command::signal());
    assert_eq!(bench.take_events(), [Event::Refused(Refusal::Busy)]);
    bench.resynchronise();
}

#[test]
fn s4_a_prompt_during_a_command_means_that_it_was_swallowed() {
    let mut bench = Bench::new();
    bench.ask(Command::signal());
    bench.take_wire();
    bench.hear("\r\n> ");
    assert_eq!(bench.take_events(), [reply(&[], ReplyEnd::Interrupted), Event::StrayPrompt]);
    bench.resynchronise();
}

#[test]
fn s4_a_prompt_behind_the_escape_is_escaped_again() {
    let mut bench = Bench::new();
    bench.submit(1);
    bench.pass(5_000);
    bench.take_events();
    assert_eq!(bench.take_wire(), ["AT+CMGS=19\r", "\x1b\r"]);
    bench.pass(200);
    bench.hear("\r\n> ");
    bench.pass(300);
    bench.resynchronise();
}

#[test]
fn s4_a_modem_that_prompts_for_ever_is_given_up() {
    let mut bench = Bench::new();
    bench.hear("\r\n> ");
    for _ in 0..3 {
        bench.hear("\r\n> ");
        bench.pass(300);
    }
    assert_eq!(bench.take_events(), [Event::StrayPrompt, Event::Desynchronised]);
    assert_eq!(bench.take_wire(), ["\x1b\r"; 3]);
}

#[test]
fn s4_not_after_ctrl_z() {
    let mut bench = Bench::on_air(1);
    bench.hear("\r\n> ");
    assert!(bench.take_wire().is_empty());
    bench.hear("\r\n+CMGS: 4\r\n\r\nOK\r\n");
    assert_eq!(bench.take_events(), [accepted(1, Some(4))]);
}

#[test]
fn s5_silence_after_ctrl_z() {
    let mut bench = Bench::on_air(1);
    bench.pass(119_999);
    assert!(bench.take_events().is_empty());
    bench.pass(1);
    assert_eq!(bench.take_events(), [Event::Uncertain { token: 1 }]);
    bench.ask(Command::signal());
    bench.submit(2);
    bench.input(Input::Abort);
    assert_eq!(bench.take_events(), vec![Event::Refused(Refusal::OnAir); 3]);
    bench.pass(59_999);
    assert!(bench.take_wire().is_empty(), "not a byte in 180 s");
    bench.pass(1);
    assert_eq!(bench.take_events(), [Event::ListeningEnded { token: 1 }]);
    bench.resynchronise();
}

#[test]
fn s6_a_late_result_settles_the_message_it_belongs_to() {
    let mut bench = Bench::on_air(1);
    bench.pass(150_000);
    assert_eq!(bench.take_events(), [Event::Uncertain { token: 1 }]);
    bench.hear("\r\n+CMGS: 79\r\n\r\nOK\r\n");
    let result = SubmitResult::Accepted { reference: Some(79) };
    assert_eq!(bench.take_events(), [Event::LateResult { token: 1, result }]);
    assert!(bench.engine.is_ready());
}

#[test]
fn s6_late_cmgs_is_never_credited_to_another() {
    let mut bench = Bench::on_air(1);
    bench.pass(180_000);
    bench.take_events();
    bench.resynchronise();

    bench.submit(2);
    bench.grant(2);
    bench.hear("\r\n+CMGS: 79\r\n\r\nOK\r\n");
    assert_eq!(bench.take_events(), [Event::WantRelease { token: 2 }, Event::OrphanResult { reference: 79 }]);
    bench.hear("\r\n> ");
    bench.hear("\r\n+CMGS: 80\r\n\r\nOK\r\n");
    assert_eq!(bench.take_events(), [accepted(2, Some(80))]);
}

#[test]
fn s6_late_cmgs_in_the_middle_of_a_command_does_not_end_it() {
    let mut bench = Bench::new();
    bench.ask(Command::signal());
    bench.hear("\r\n+CMGS: 79\r\n\r\nOK\r\n\r\n+CSQ: 17,99\r\n\r\nOK\r\n");
    assert_eq!(bench.take_events(), [Event::OrphanResult { reference: 79 }, ok(&["+CSQ: 17,99"])]);
}

#[test]
fn s7_an_error_after_ctrl_z_is_reported_as_heard() {
    for (text, result) in [
        ("+CMS ERROR: 38", FinalResult::Cms(Some(38))),
        ("+CMS ERROR: Unknown error", FinalResult::Cms(Some(500))),
        ("+CME ERROR: 515", FinalResult::Cme(Some(515))),
        ("ERROR", FinalResult::Error),
    ] {
        let mut bench = Bench::on_air(1);
        bench.hear(&format!("\r\n{text}\r\n"));
        assert_eq!(bench.take_events(), [submitted(1, SubmitResult::Refused(result))], "{text}");
        assert!(bench.engine.is_ready() && bench.take_wire().is_empty(), "{text}");
    }
}

#[test]
fn s7_the_end_of_a_call_ends_no_message() {
    for text in ["NO CARRIER", "BUSY", "CONNECT 9600"] {
        let mut bench = Bench::on_air(1);
        bench.hear(&format!("\r\nRING\r\n\r\n{text}\r\n"));
        bench.hear("\r\n+CMGS: 5\r\n\r\nOK\r\n");
        assert_eq!(bench.take_events().last(), Some(&accepted(1, Some(5))), "{text}");
    }
}

#[test]
fn s8_a_reference_without_ok_is_accepted_after_its_grace() {
    let mut bench = Bench::on_air(1);
    bench.hear("\r\n+CMGS: 80\r\n");
    bench.pass(1_999);
    assert!(bench.take_events().is_empty());
    bench.pass(1);
    assert_eq!(bench.take_events(), [accepted(1, Some(80))]);
    bench.resynchronise();
}

/// It may be the late answer of another command, and the result still to come: nothing is written before that is clear.
#[test]
fn s8_an_ok_without_a_reference_counts_once_no_reference_has_followed() {
    let mut bench = Bench::on_air(1);
    bench.pass(1_000);
    bench.hear("\r\nOK\r\n");
    bench.pass(5_000);
    bench.hear("\r\nOK\r\n");
    bench.pass(4_999);
    assert!(bench.take_events().is_empty() && bench.take_wire().is_empty() && bench.engine.is_on_air());
    bench.pass(1);
    assert_eq!(bench.take_events(), [accepted(1, None)], "10 s behind the first");
    bench.resynchronise();
}

#[test]
fn s8_what_follows_an_ok_that_was_anothers_is_the_result() {
    for (text, result) in [
        ("+CMGS: 7\r\n\r\nOK", SubmitResult::Accepted { reference: Some(7) }),
        ("+CMS ERROR: 38", SubmitResult::Refused(FinalResult::Cms(Some(38)))),
    ] {
        let mut bench = Bench::on_air(1);
        bench.hear("\r\nOK\r\n");
        bench.pass(9_000);
        bench.hear(&format!("\r\n{text}\r\n"));
        assert_eq!(bench.take_events(), [submitted(1, result)], "{text}");
        assert!(bench.take_wire().is_empty() && bench.engine.is_ready(), "{text}");
    }
    let mut bench = Bench::on_air(1);
    bench.hear("\r\nOK\r\n\r\n+CMGS: 7\r\n");
    bench.pass(2_000);
    assert_eq!(bench.take_events(), [accepted(1, Some(7))], "the other way round");
}

#[test]
fn s8_a_modem_that_answers_ok_alone_is_waited_for_once() {
    let mut bench = Bench::on_air(1);
    bench.hear("\r\nOK\r\n");
    bench.pass(10_000);
    bench.take_events();
    bench.resynchronise();
    for token in [2, 3] {
        bench.put_on_air(token);
        bench.hear("\r\nOK\r\n");
        assert_eq!(bench.take_events(), [accepted(token, None)]);
        assert!(bench.engine.is_ready());
    }
    // One that gives references after all, here to nobody, or that may be another one.
    for change in ["\r\n+CMGS: 3\r\n\r\nOK\r\n", ""] {
        bench.hear(change);
        if change.is_empty() {
            bench.input(Input::Start { listen_until: None });
            bench.pass(300);
            for _ in 0..2 {
                bench.hear("\r\nOK\r\n");
                bench.pass(100);
            }
        }
        bench.put_on_air(4);
        bench.hear("\r\nOK\r\n");
        assert!(bench.take_events().is_empty() && bench.engine.is_on_air());
        bench.pass(10_000);
        assert_eq!(bench.take_events(), [accepted(4, None)]);
        bench.resynchronise();
    }
}

#[test]
fn s8_a_restart_or_a_lost_port_leaves_what_an_ok_alone_means_open() {
    let mut bench = Bench::on_air(1);
    bench.hear("\r\nOK\r\n");
    bench.hear("\r\nRDY\r\n");
    bench.pass(5_000);
    assert_eq!(bench.take_events()[1..], [Event::Uncertain { token: 1 }, Event::ListeningEnded { token: 1 }]);
    let mut bench = Bench::on_air(1);
    bench.hear("\r\nOK\r\n");
    bench.input(Input::Reset);
    assert_eq!(bench.take_events(), [Event::Uncertain { token: 1 }]);
}

#[test]
fn s8_fields_behind_the_reference_are_left() {
    let mut bench = Bench::on_air(1);
    bench.hear("\r\n+CMGS: 80,\"24/01/01,00:00:00+00\"\r\n\r\nOK\r\n");
    assert_eq!(bench.take_events(), [accepted(1, Some(80))]);
}

#[test]
fn s9_a_modem_left_in_its_editor_is_escaped_and_never_told_to_send() {
    let mut bench = Bench::closed();
    bench.input(Input::Start { listen_until: None });
    bench.pass(300);
    bench.hear("\r\n> ");
    bench.pass(300);
    bench.hear("AT\r\r\nOK\r\n");
    bench.pass(100);
    bench.hear("AT+CSCS?\r\r\n+CSCS: \"GSM\"\r\n\r\nOK\r\n");
    assert_eq!(bench.take_events(), [Event::Synchronised]);
    assert_eq!(bench.take_wire(), ["\x1b\r", "AT\r", "\x1b\r", "AT\r", "AT+CSCS?\r"]);
}

#[test]
fn s9_two_clean_oks_are_awaited() {
    let mut bench = Bench::closed();
    bench.input(Input::Start { listen_until: None });
    bench.pass(1_300);
    assert_eq!(bench.take_wire(), ["\x1b\r", "AT\r", "ATQ0\r"], "the first was not answered");
    bench.hear("\r\nOK\r\n\r\nOK\r\n");
    bench.pass(100);
    assert!(bench.take_events().is_empty(), "two at once are one too many");
    for _ in 0..2 {
        assert_eq!(bench.take_wire(), ["AT\r"]);
        bench.hear("\r\nOK\r\n");
        bench.pass(100);
    }
    assert_eq!(bench.take_events(), [Event::Synchronised]);
}

#[test]
fn s9_no_answer_at_all() {
    let mut bench = Bench::closed();
    bench.input(Input::Start { listen_until: None });
    bench.pass(60_000);
    assert_eq!(bench.take_events(), [Event::Unresponsive]);
    let probes = [["AT\r", "ATQ0\r"]; 5].concat();
    assert_eq!(bench.take_wire(), [vec!["\x1b\r"], probes].concat());
    bench.ask(Command::signal());
    assert_eq!(bench.take_events(), [Event::Refused(Refusal::NotStarted)]);
}

#[test]
fn s9_after_a_restart_the_port_is_listened_to_first() {
    let rows = [
        ("accepted", "\r\n+CMGS: 7\r\n\r\nOK\r\n", Some(SubmitResult::Accepted { reference: Some(7) })),
        ("half of it", "\r\n+CMGS: 7\r\n", Some(SubmitResult::Accepted { reference: Some(7) })),
        ("refused", "\r\n+CMS ERROR: 38\r\n", Some(SubmitResult::Refused(FinalResult::Cms(Some(38))))),
        ("OK alone", "\r\nOK\r\n", Some(SubmitResult::Accepted { reference: None })),
        ("another's OK", "\r\nOK\r\n\r\n+CMGS: 7\r\n\r\nOK\r\n", Some(SubmitResult::Accepted { reference: Some(7) })),
        ("a prompt", "\r\n> ", None),
        ("nothing", "", None),
    ];
    for (name, text, heard) in rows {
        let mut bench = Bench::closed();
        bench.input(Input::Start { listen_until: Some(Mono::from_millis(10_000)) });
        bench.pass(4_000);
        assert!(bench.take_wire().is_empty(), "{name}");
        bench.hear(text);
        bench.pass(6_000);
        assert_eq!(bench.take_events(), heard.map(Event::Heard).into_iter().collect::<Vec<_>>(), "{name}");
        assert_eq!(bench.take_wire()[0], "\x1b\r", "{name}");
    }
}

#[test]
fn s10_old_lines_answer_no_new_command() {
    let mut bench = Bench::new();
    bench.ask(Command::signal());
    bench.pass(5_000);
    assert_eq!(bench.take_events(), [reply(&[], ReplyEnd::TimedOut)]);
    assert_eq!(bench.take_wire(), ["AT+CSQ\r", "\x1b\r"]);
    bench.pass(200);
    bench.hear("\r\n+CSQ: 17,99\r\n\r\nOK\r\n");
    bench.pass(299);
    assert!(bench.take_wire().is_empty(), "it was not quiet yet");
    bench.pass(1);
    assert_eq!(bench.take_wire(), ["AT+CSCS?\r"]);
    bench.hear("\r\nOK\r\n\r\nERROR\r\n\r\n+CSCS: \"GSM\"\r\n\r\nOK\r\n");
    assert_eq!(bench.take_events(), [trace("+CSQ: 17,99"), Event::Resynchronised]);
    bench.ask(Command::message_format());
    bench.hear("\r\n+CMGF: 0\r\n\r\nOK\r\n");
    assert_eq!(bench.take_events(), [ok(&["+CMGF: 0"])]);
}

#[test]
fn s10_three_barriers_with_queries_that_no_late_answer_passes() {
    let mut bench = Bench::new();
    bench.ask(Command::character_set());
    bench.pass(30_000);
    assert_eq!(bench.take_events(), [reply(&[], ReplyEnd::TimedOut), Event::Desynchronised]);
    let expected = ["AT+CSCS?\r", "\x1b\r", "AT+CMGF?\r", "\x1b\r", "AT+CSMS?\r", "\x1b\r", "AT+CSCS?\r"];
    assert_eq!(bench.take_wire(), expected);
}

#[test]
fn s10_a_late_pdu_passes_no_barrier() {
    let mut bench = Bench::new();
    bench.ask(Command::read_message(1));
    bench.hear(&format!("\r\n+CMGR: 2,,{REPORT_LENGTH}\r\n"));
    bench.pass(10_300);
    bench.take_events();
    bench.hear(&format!("{REPORT}\r\n\r\nOK\r\n"));
    assert_eq!(bench.take_events(), [trace(REPORT)]);
    assert!(!bench.engine.is_ready());
}

#[test]
fn s10_a_refused_barrier_is_not_waited_for_long() {
    let mut bench = Bench::new();
    bench.hear("\r\n> ");
    bench.pass(300);
    bench.hear("\r\n+CME ERROR: 100\r\n");
    bench.take_wire();
    bench.pass(1_000);
    bench.take_events();
    bench.resynchronise();
}

/// A message on the air behind a command that was given up.
fn on_air_behind_a_lost_answer() -> Bench {
    let mut bench = Bench::new();
    bench.ask(Command::signal());
    bench.pass(5_000);
    bench.take_events();
    bench.wire.remove(0);
    bench.resynchronise();
    bench.put_on_air(1);
    bench
}

#[test]
fn s10_a_late_result_of_another_command_is_no_evidence_of_a_message() {
    let late = ["OK", "ERROR", "+CME ERROR: 14", "+CMS ERROR: 321", "+CMS ERROR: 500", "COMMAND NOT SUPPORT"];
    let own = [
        ("+CMGS: 7\r\n\r\nOK", SubmitResult::Accepted { reference: Some(7) }),
        ("+CMS ERROR: 38", SubmitResult::Refused(FinalResult::Cms(Some(38)))),
        ("+CMS ERROR: 304", SubmitResult::Refused(FinalResult::Cms(Some(304)))),
    ];
    for (late, (text, result)) in late.iter().flat_map(|late| own.iter().map(move |own| (late, own))) {
        let mut bench = on_air_behind_a_lost_answer();
        bench.hear(&format!("\r\n+CSQ: 17,99\r\n\r\n{late}\r\n"));
        assert_eq!(bench.take_events(), [trace("+CSQ: 17,99")], "{late}");
        assert!(bench.engine.is_on_air(), "{late}");
        bench.hear(&format!("\r\n{text}\r\n"));
        assert_eq!(bench.take_events(), [submitted(1, *result)], "{late} {text}");
    }
}

#[test]
fn s10_what_only_a_message_is_answered_with_is_its_own() {
    let mut bench = on_air_behind_a_lost_answer();
    bench.hear("\r\n+CMS ERROR: 255\r\n");
    assert_eq!(bench.take_events(), [submitted(1, SubmitResult::Refused(FinalResult::Cms(Some(255))))]);
    let mut bench = on_air_behind_a_lost_answer();
    bench.hear("\r\n+CMGS: 3\r\n\r\nERROR\r\n");
    assert_eq!(bench.take_events(), [accepted(1, Some(3))]);
}

#[test]
fn s10_only_what_is_owed_is_taken_for_it() {
    let mut bench = on_air_behind_a_lost_answer();
    bench.hear("\r\nOK\r\n\r\nOK\r\n");
    bench.pass(10_000);
    assert_eq!(bench.take_events(), [accepted(1, None)], "one was owed");

    let mut bench = on_air_behind_a_lost_answer();
    bench.hear("\r\n+CMGS: 1\r\n\r\nOK\r\n\r\nOK\r\n");
    bench.put_on_air(2);
    bench.take_events();
    bench.hear("\r\nOK\r\n");
    bench.pass(10_000);
    assert_eq!(bench.take_events(), [accepted(2, None)], "paid in between");
}

#[test]
fn s10_nothing_is_owed_for_ever() {
    for (waited, taken) in [(179_000, false), (180_000, true)] {
        let mut bench = Bench::new();
        bench.ask(Command::signal());
        bench.pass(5_000);
        bench.wire.remove(0);
        bench.take_events();
        bench.resynchronise();
        bench.pass(waited - 300);
        bench.put_on_air(1);
        bench.hear("\r\nOK\r\n");
        bench.pass(10_000);
        assert_eq!(bench.take_events() == [accepted(1, None)], taken, "{waited}");
    }
}

#[test]
fn s10_nothing_else_means_uncertain_at_its_deadline() {
    let mut bench = on_air_behind_a_lost_answer();
    bench.hear("\r\nOK\r\n");
    bench.pass(120_000);
    assert_eq!(bench.take_events(), [Event::Uncertain { token: 1 }]);
}

#[test]
fn s10_each_thing_given_up_is_owed() {
    type Act = fn(&mut Bench);
    let rows: [(&str, Act); 6] = [
        ("aborted", |bench| {
            bench.ask(Command::signal());
            bench.input(Input::Abort);
        }),
        ("swallowed", |bench| {
            bench.ask(Command::signal());
            bench.hear("\r\n> ");
        }),
        ("no prompt", |bench| {
            bench.submit(9);
            bench.pass(5_000);
        }),
        ("not released", |bench| {
            bench.submit(9);
            bench.input(Input::Release { token: 9, granted: false });
        }),
        ("no result", |bench| {
            bench.put_on_air(9);
            bench.pass(180_000);
        }),
        ("a barrier", |bench| {
            bench.hear("\r\n> ");
            bench.pass(5_300);
        }),
    ];
    for (name, act) in rows {
        let mut bench = Bench::new();
        act(&mut bench);
        bench.take_events();
        bench.wire = vec![b"\x1b\r".to_vec()];
        bench.resynchronise();
        bench.put_on_air(1);
        bench.hear("\r\nOK\r\n");
        assert!(bench.take_events().is_empty() && bench.engine.is_on_air(), "{name}");
        bench.hear("\r\nOK\r\n");
        bench.pass(10_000);
        assert_eq!(bench.take_events(), [accepted(1, None)], "{name}: and no more than one");
    }
}

#[test]
fn s10_a_barrier_that_was_refused_owes_nothing() {
    let mut bench = Bench::new();
    bench.hear("\r\n> ");
    bench.pass(300);
    bench.hear("\r\n+CME ERROR: 100\r\n");
    bench.pass(1_000);
    bench.take_events();
    bench.wire = vec![b"\x1b\r".to_vec()];
    bench.resynchronise();
    bench.put_on_air(1);
    bench.hear("\r\nOK\r\n");
    bench.pass(10_000);
    assert_eq!(bench.take_events(), [accepted(1, None)]);
}

#[test]
fn s10_probes_that_were_not_answered_are_owed_unless_it_restarted_behind_them() {
    for (boot, taken) in [("", false), ("\r\n+CFUN: 1\r\n", false), ("\r\nRDY\r\n", true)] {
        let mut bench = Bench::closed();
        bench.input(Input::Start { listen_until: None });
        bench.pass(2_300);
        bench.hear(boot);
        bench.hear("\r\nOK\r\n");
        bench.pass(100);
        // What may be a late answer to the first of them is told from its own by a line.
        let query = if taken { "AT\r" } else { "AT+CSCS?\r" };
        assert_eq!(bench.take_wire().last().unwrap(), query, "{boot}");
        bench.hear(if taken { "\r\nOK\r\n" } else { "\r\n+CSCS: \"GSM\"\r\n\r\nOK\r\n" });
        bench.pass(100);
        assert_eq!(bench.take_events().last(), Some(&Event::Synchronised));
        bench.put_on_air(1);
        bench.hear("\r\nOK\r\n");
        bench.pass(10_000);
        assert_eq!(bench.take_events() == [accepted(1, None)], taken, "{boot}");
    }
}

/// Once the dialogue has been found again.
fn an_honest_refusal_counts(mut bench: Bench) {
    bench.wire = vec![b"\x1b\r".to_vec()];
    bench.resynchronise();
    bench.put_on_air(2);
    bench.take_events();
    bench.hear("\r\n+CMS ERROR: 331\r\n");
    assert_eq!(bench.take_events(), [submitted(2, SubmitResult::Refused(FinalResult::Cms(Some(331))))]);
}

/// One lost answer took an honest refusal for its own, the end of that message's listening was owed in turn, and so on:
/// without a network every message became uncertain.
#[test]
fn s10_what_is_owed_takes_one_result_and_no_more() {
    let mut bench = on_air_behind_a_lost_answer();
    bench.hear("\r\n+CMS ERROR: 331\r\n");
    bench.pass(180_000);
    assert_eq!(bench.take_events(), [Event::Uncertain { token: 1 }, Event::ListeningEnded { token: 1 }]);
    an_honest_refusal_counts(bench);
}

/// It came while the prompt was awaited, and ended that: it is owed no longer.
#[test]
fn s10_what_ends_the_wait_for_a_prompt_is_paid() {
    let mut bench = Bench::new();
    bench.ask(Command::signal());
    bench.pass(5_000);
    bench.take_events();
    bench.wire = vec![b"\x1b\r".to_vec()];
    bench.resynchronise();
    bench.submit(1);
    bench.hear("\r\nOK\r\n");
    bench.take_events();
    an_honest_refusal_counts(bench);
}

/// In the pause between two commands: it may be in text mode now, and the PDU would go out as a text.
#[test]
fn t8_a_restart_before_the_command_holds_it_back() {
    let mut bench = Bench::new();
    bench.engine.set_config(Config { command_gap: Duration::from_millis(20), ..Config::default() });
    bench.ask(Command::signal());
    bench.hear("\r\n+CSQ: 1,99\r\n\r\nOK\r\n");
    bench.take_events();
    bench.take_wire();
    bench.submit(1);
    bench.hear("\r\nRDY\r\n");
    bench.pass(1_000);
    let ended = submitted(1, SubmitResult::NotTransmitted(NotTransmitted::Interrupted));
    assert_eq!(bench.take_events().last(), Some(&ended));
    assert_eq!(bench.take_wire(), [""; 0]);
}

/// A modem that takes 1.5 s over each answer, in turn, once it has been found.
fn slow() -> Bench {
    let mut bench = Bench::closed();
    bench.input(Input::Start { listen_until: None });
    bench.pass(1_800);
    bench.hear("\r\nOK\r\n");
    bench.pass(1_500);
    assert_eq!(bench.take_wire(), ["\x1b\r", "AT\r", "ATQ0\r", "AT+CSCS?\r"], "nothing else is asked meanwhile");
    bench.hear("\r\nOK\r\n");
    bench.pass(1_500);
    assert!(bench.take_events().is_empty(), "that was the other probe's");
    bench.hear("\r\n+CSCS: \"GSM\"\r\n\r\nOK\r\n");
    assert_eq!(bench.take_events(), [Event::Synchronised]);
    bench
}

#[test]
fn s10_answers_to_probes_that_come_late_are_told_from_those_to_commands() {
    let mut bench = slow();
    bench.ask(Command::signal());
    bench.hear("\r\n+CSQ: 17,99\r\n\r\nOK\r\n");
    assert_eq!(bench.take_events(), [ok(&["+CSQ: 17,99"])]);
}

#[test]
fn s10_a_modem_that_is_known_to_be_slow_gets_more_time() {
    let mut bench = slow();
    bench.ask(Command::signal());
    bench.pass(7_999);
    assert!(bench.take_events().is_empty());
    bench.pass(1);
    assert_eq!(bench.take_events(), [reply(&[], ReplyEnd::TimedOut)], "twice what it takes, beyond the usual 5 s");

    // And is asked less often when it is looked for the next time.
    let mut bench = slow();
    bench.take_wire();
    bench.input(Input::Start { listen_until: None });
    bench.pass(3_299);
    assert_eq!(bench.take_wire(), ["\x1b\r", "AT\r"]);
    bench.pass(60_000);
    assert_eq!(bench.take_events(), [Event::Unresponsive]);
    assert_eq!(bench.take_wire(), ["ATQ0\r", "AT\r"]);

    // What has become quick is treated so again, little by little.
    let mut bench = slow();
    for _ in 0..4 {
        bench.ask(Command::signal());
        bench.hear("\r\n+CSQ: 17,99\r\n\r\nOK\r\n");
    }
    bench.take_events();
    bench.ask(Command::signal());
    bench.pass(5_000);
    assert_eq!(bench.take_events(), [reply(&[], ReplyEnd::TimedOut)]);
}

#[test]
fn s10_a_slow_modem_that_refuses_the_query_is_found_by_that() {
    let mut bench = Bench::closed();
    bench.input(Input::Start { listen_until: None });
    bench.pass(1_800);
    bench.hear("\r\nOK\r\n");
    bench.pass(1_500);
    bench.hear("\r\nOK\r\n");
    bench.pass(1_500);
    bench.hear("\r\n+CMS ERROR: 311\r\n");
    bench.pass(1_000);
    assert_eq!(bench.take_events(), [Event::Synchronised]);
}

#[test]
fn t8_a_functionality_that_we_asked_for_is_no_restart() {
    let booted = [Event::Urc(Urc::Booted)];
    let mut bench = Bench::new();
    // The answer to something else is taken for the question's, and its own comes later.
    bench.ask(Command::functionality());
    bench.hear("\r\nOK\r\n");
    bench.take_events();
    bench.ask(Command::pin_state());
    bench.hear("\r\n+CFUN: 1\r\n\r\n+CPIN: READY\r\n\r\nOK\r\n");
    assert_eq!(bench.take_events(), [trace("+CFUN: 1"), ok(&["+CPIN: READY"])]);
    bench.hear("\r\n+CFUN: 1\r\n");
    assert_eq!(bench.take_events(), booted, "once");

    for text in ["\r\n+CFUN: 1\r\n\r\nOK\r\n", "\r\nOK\r\n\r\n+CFUN: 1\r\n"] {
        let mut bench = Bench::new();
        bench.ask(Command::functionality_on());
        bench.hear(text);
        assert!(!bench.take_events().contains(&booted[0]), "{text}");
        bench.hear("\r\n+CFUN: 1\r\n");
        assert_eq!(bench.take_events(), booted, "{text}");
    }
    // What has its answer is no excuse for what comes later, nor is an order to restart.
    for command in [Command::functionality(), Command::raw("AT+CFUN=1,1", Duration::from_secs(15)).unwrap()] {
        let mut bench = Bench::new();
        bench.ask(command.clone());
        bench.hear(if command == Command::functionality() { "\r\n+CFUN: 1\r\n\r\nOK\r\n" } else { "\r\nOK\r\n" });
        bench.take_events();
        bench.hear("\r\n+CFUN: 1\r\n");
        assert_eq!(bench.take_events(), booted, "{command:?}");
    }
}

/// A modem that is not up yet never answers the probes it slept through, and "no service" is what it says first.
#[test]
fn s10_a_probe_owes_an_ok_and_nothing_else() {
    let mut bench = Bench::closed();
    bench.input(Input::Start { listen_until: None });
    bench.pass(4_300);
    bench.hear("\r\nOK\r\n");
    bench.pass(100);
    bench.hear("\r\n+CSCS: \"GSM\"\r\n\r\nOK\r\n");
    bench.put_on_air(1);
    bench.take_events();
    bench.hear("\r\n+CMS ERROR: 331\r\n");
    assert_eq!(bench.take_events(), [submitted(1, SubmitResult::Refused(FinalResult::Cms(Some(331))))]);
}

#[test]
fn s13_cr_only_and_nothing_after_ctrl_z() {
    let mut bench = Bench::new();
    bench.submit(1);
    bench.grant(1);
    bench.hear("\r\n> ");
    bench.hear("\r\n+CMGS: 4\r\n\r\nOK\r\n");
    bench.ask(Command::signal());
    bench.pass(20_000);
    assert_eq!(bench.irreversible, [format!("{PDU}\x1a").into_bytes()]);
    assert!(bench.wire.len() > 5);
    for bytes in &bench.wire {
        let (last, rest) = bytes.split_last().unwrap();
        assert!([b'\r', 0x1a].contains(last), "{bytes:?}");
        assert!(!rest.iter().any(|b| [b'\r', b'\n', 0x1a].contains(b)), "{bytes:?}");
    }
}

#[test]
fn t1_news_inside_an_answer() {
    let mut bench = Bench::new();
    bench.ask(Command::signal());
    bench.hear("\r\n^RSSI:14\r\n\r\n+CSQ: 14,99\r\nsomething unheard of\r\n+XYZ: 1\r\n\r\nOK\r\n");
    let expected = [other("^RSSI:14"), trace("something unheard of"), trace("+XYZ: 1"), ok(&["+CSQ: 14,99"])];
    assert_eq!(bench.take_events(), expected);
}

#[test]
fn t1_registration_is_answer_or_news_by_its_fields() {
    let mut bench = Bench::new();
    bench.ask(Command::registration());
    bench.hear("\r\n+CREG: 3\r\n\r\n+CREG: 2,1,\"00A1\",\"0000B2C3\",7\r\n\r\nOK\r\n");
    let news = Registration { mode: None, status: 3, area: None, cell: None, technology: None };
    let news = Event::Urc(Urc::Registration(Domain::Circuit, news));
    assert_eq!(bench.take_events(), [news, ok(&["+CREG: 2,1,\"00A1\",\"0000B2C3\",7"])]);
}

#[test]
fn t1_a_bare_answer_has_its_declared_shape() {
    let rows = [
        (Command::imei(), "RDY\r\nhello\r\n490154203237518\r\nOK\r\n", "490154203237518"),
        (Command::imei(), "+CGSN: \"490154203237518\"\r\nOK\r\n", "+CGSN: \"490154203237518\""),
        (Command::model(), "SMS Ready\r\n^BOOT:1,0\r\n+ZEND\r\n+NEW: 1\r\nMODEL 9\r\nOK\r\n", "MODEL 9"),
        (Command::model(), "AT+CGMM\r\r\n MULTIBAND 900E 1800 \r\n\r\nOK\r\n", "MULTIBAND 900E 1800"),
        (Command::imsi(), "NO CARRIER\r\n310150123456789\r\nOK\r\n", "310150123456789"),
        (Command::iccid_variants()[0].clone(), "8914800000000000001F\r\nOK\r\n", "8914800000000000001F"),
    ];
    for (command, text, answer) in rows {
        let mut bench = Bench::new();
        bench.ask(command.clone());
        bench.hear(text);
        assert_eq!(bench.take_events().last(), Some(&ok(&[answer])), "{command:?}");
    }
}

#[test]
fn t2_news_keeps_no_command_alive() {
    let mut bench = Bench::new();
    bench.ask(Command::signal());
    for _ in 0..5 {
        bench.pass(999);
        bench.hear("\r\n^BOOT:12345,0,0,0,6\r\n");
    }
    let timed_out = reply(&[], ReplyEnd::TimedOut);
    assert!(!bench.take_events().contains(&timed_out));
    bench.pass(5);
    assert_eq!(bench.take_events(), [timed_out]);
}

#[test]
fn t3_two_line_news() {
    let pdu = PduHex::new(REPORT, REPORT_LENGTH).unwrap();
    let report = || Event::Urc(Urc::Report(pdu.clone()));
    let message = || Event::Urc(Urc::Message(pdu.clone()));
    let stored = || Event::Urc(Urc::MessageStored(StoredAt { memory: "SM".into(), index: 1 }));
    let garbled = |report, raw: &str| Event::Urc(Urc::Garbled { report, raw: Secret::new(raw) });
    let noisy = REPORT.replacen('0', "?", 3);
    let rows: Vec<(&str, String, Vec<Event>)> = vec![
        ("report", format!("+CDS: 23\r\n{REPORT}\r\n"), vec![report()]),
        ("report with a leading comma", format!("+CDS: ,23\r\n{REPORT}\r\n"), vec![report()]),
        ("message", format!("+CMT: ,23\r\n{REPORT}\r\n"), vec![message()]),
        ("message with a name", format!("+CMT: \"Bob\",23\r\n{REPORT}\r\n"), vec![message()]),
        ("one line, of the kind that looks alike", "+CMTI: \"SM\",1\r\n".into(), vec![stored()]),
        ("blank line between", format!("+CDS: 23\r\n\r\n{REPORT}\r\n"), vec![report()]),
        ("news between", format!("+CDS: 23\r\n+CMTI: \"SM\",1\r\n{REPORT}\r\n"), vec![stored(), report()]),
        ("another length", format!("+CDS: 24\r\n{REPORT}\r\n"), vec![garbled(true, REPORT)]),
        ("odd", format!("+CDS: 23\r\n{REPORT}0\r\n"), vec![garbled(true, &format!("{REPORT}0"))]),
        ("a length that is none", format!("+CMT: ,900\r\n{REPORT}\r\n"), vec![garbled(false, REPORT)]),
        ("no hexadecimal", format!("+CMT: ,23\r\n{noisy}\r\n"), vec![garbled(false, &noisy)]),
        ("noise between", format!("+CMT: ,23\r\n~~ no PDU ~~\r\n{REPORT}\r\n"), vec![trace("~~ no PDU ~~"), message()]),
        ("text mode, one line", "+CDS: 2,10,\"+1\",145,\"a\",\"b\",0\r\n".into(), vec![Event::Urc(Urc::TextMode)]),
    ];
    for (name, text, expected) in rows {
        let mut bench = Bench::new();
        bench.hear(&format!("\r\n{text}"));
        assert_eq!(bench.take_events(), expected, "{name}");
        bench.ask(Command::signal());
        bench.hear("\r\n+CSQ: 1,99\r\n\r\nOK\r\n");
        assert_eq!(bench.take_events(), [ok(&["+CSQ: 1,99"])], "{name}: what follows is not swallowed");
    }
}

#[test]
fn t3_a_report_cut_by_a_result_is_kept() {
    let mut bench = Bench::on_air(1);
    bench.hear("\r\n+CDS: 23\r\n+CMGS: 9\r\n\r\nOK\r\n");
    assert_eq!(bench.take_events(), [accepted(1, Some(9))]);
    bench.hear(&format!("{REPORT}\r\n"));
    assert_eq!(bench.take_events(), [Event::Urc(Urc::Report(PduHex::new(REPORT, REPORT_LENGTH).unwrap()))]);
}

#[test]
fn t3_a_text_that_reads_like_a_result_ends_nothing() {
    let mut bench = Bench::on_air(1);
    bench.hear("\r\n+CMT: \"+14155550100\",,\"24/01/01,00:00:00+00\"\r\n+CMS ERROR: 38\r\n");
    assert_eq!(bench.take_events(), [Event::Urc(Urc::TextMode)]);
    assert!(bench.engine.is_on_air());
}

#[test]
fn t3_a_message_is_read_with_the_length_announced() {
    let mut bench = Bench::new();
    bench.ask(Command::list_messages(4));
    bench.hear(&format!("\r\n+CMGL: 0,1,,23\r\n{REPORT}\r\n+CDSI: \"SM\",3\r\n+CMGL: 5,1,9\r\n{REPORT}\r\n"));
    bench.hear(&format!("+CMGL: 7,1,\"\",23\r\n{REPORT}\r\n\r\nOK\r\n"));
    let events = bench.take_events();
    assert_eq!(events[..1], [report_stored()]);
    let [Event::Replied(reply)] = &events[1..] else { panic!("{events:?}") };
    let found = stored_messages(&reply.lines).into_iter();
    let found: Vec<_> = found.map(|m| (m.index, m.pdu.is_some(), m.raw.is_some())).collect();
    assert_eq!(found, [(Some(0), true, false), (Some(5), false, true), (Some(7), true, false)]);
}

#[test]
fn r8_a_stored_message_that_is_no_pdu_is_given_as_it_is_and_ends_no_command_late() {
    for (head, raw) in
        [("+CMGR: 0,,23", "no hexadecimal"), ("+CMGR: 0,,900", REPORT), ("+CMGR: 1,,0", "FFFF"), ("+CMGR: 0", REPORT)]
    {
        let mut bench = Bench::new();
        bench.ask(Command::read_message(3));
        bench.hear(&format!("\r\n{head}\r\n{raw}\r\n\r\nOK\r\n"));
        let events = bench.take_events();
        let [Event::Replied(reply)] = &events[..] else { panic!("{head}: {events:?}") };
        let [found] = &stored_messages(&reply.lines)[..] else { panic!("{head}") };
        assert_eq!((&found.pdu, found.raw.as_ref().map(Secret::reveal)), (&None, Some(raw)), "{head}");
    }
    let mut bench = Bench::new();
    bench.ask(Command::read_message(3));
    bench.hear("\r\n+CMGR: 0,,0\r\n\r\nOK\r\n");
    let events = bench.take_events();
    let [Event::Replied(reply)] = &events[..] else { panic!("{events:?}") };
    assert!(reply.is_ok() && stored_messages(&reply.lines).is_empty(), "an empty place");
}

#[test]
fn t4_an_echo_is_ours_or_somebody_elses() {
    let mut bench = Bench::new();
    bench.ask(Command::registration());
    bench.hear("AT+CREG?\r\r\n+CREG: 0,1\r\n\r\nOK\r\n");
    assert_eq!(bench.take_events(), [ok(&["+CREG: 0,1"])]);

    bench.ask(Command::model());
    bench.hear("AT+CG\r\n^RSSI:3\r\nMM\r\nMODEL 9\r\n\r\nOK\r\n");
    assert_eq!(bench.take_events(), [other("^RSSI:3"), ok(&["MODEL 9"])], "split by news");

    bench.ask(Command::model());
    bench.hear("AT+CGMM\r\nAT+CGMM\r\nMODEL 9\r\n\r\nOK\r\n");
    assert_eq!(bench.take_events(), [ok(&["MODEL 9"])], "twice");

    bench.hear("AT+CGMI\r\r\nMAKER\r\n\r\nOK\r\n");
    assert_eq!(bench.take_events(), [Event::ForeignEcho(Line::new(b"AT+CGMI")), trace("MAKER")]);
}

#[test]
fn t4_the_echo_of_a_former_life_is_no_alarm() {
    let mut bench = Bench::closed();
    bench.input(Input::Start { listen_until: None });
    bench.hear("AT+CSQ\r\r\n+CSQ: 3,99\r\n\r\nOK\r\n");
    assert_eq!(bench.take_events(), [trace("AT+CSQ"), trace("+CSQ: 3,99")]);
}

#[test]
fn t4_the_echo_of_a_pdu_is_dropped() {
    let mut bench = Bench::on_air(1);
    bench.hear(&format!("{PDU}\x1a\r\n+CMGS: 4\r\n\r\nOK\r\n"));
    assert_eq!(bench.take_events(), [accepted(1, Some(4))]);
}

#[test]
fn t5_a_pin_state_without_ok() {
    let mut bench = Bench::new();
    bench.ask(Command::pin_state());
    bench.hear("\r\n+CPIN: READY\r\n");
    bench.pass(999);
    assert!(bench.take_events().is_empty());
    bench.pass(1);
    assert_eq!(bench.take_events(), [ok(&["+CPIN: READY"])]);
    assert!(bench.engine.is_ready());
}

#[test]
fn t5_results_of_every_shape_end_a_command() {
    for (text, result) in [
        ("COMMAND NOT SUPPORT", FinalResult::NotSupported),
        ("TOO MANY PARAMETERS", FinalResult::TooManyParameters),
        ("+CME ERROR: SIM busy", FinalResult::Cme(Some(14))),
        ("4", FinalResult::Error),
        ("0", FinalResult::Ok),
    ] {
        let mut bench = Bench::new();
        bench.ask(Command::signal());
        bench.hear(&format!("\r\n\r\n\r\n{text}\r"));
        assert_eq!(bench.take_events(), [reply(&[], ReplyEnd::Final(result))], "{text}");
    }
}

#[test]
fn t5_a_modem_left_with_numeric_results_is_found() {
    let mut bench = Bench::closed();
    bench.input(Input::Start { listen_until: None });
    bench.pass(300);
    bench.hear("0\r");
    bench.pass(100);
    bench.hear("0\r");
    bench.pass(100);
    assert_eq!(bench.take_events(), [Event::Synchronised]);
}

#[test]
fn t5_a_modem_that_was_told_not_to_answer_is_told_to() {
    let mut bench = Bench::closed();
    bench.input(Input::Start { listen_until: None });
    bench.pass(1_300);
    bench.hear("ATQ0\r\r\nOK\r\n");
    bench.pass(100);
    assert!(bench.take_events().is_empty(), "it may be the answer to AT, late");
    bench.hear("AT+CSCS?\r\r\n+CSCS: \"GSM\"\r\n\r\nOK\r\n");
    assert_eq!(bench.take_events(), [Event::Synchronised]);
    assert_eq!(bench.take_wire(), ["\x1b\r", "AT\r", "ATQ0\r", "AT+CSCS?\r"]);
}

#[test]
fn t5_a_bare_number_ends_no_message() {
    let mut bench = Bench::on_air(1);
    bench.hear("7\r\n4\r\n");
    assert_eq!(bench.take_events(), [trace("7"), trace("4")]);
    assert!(bench.engine.is_on_air());
}

#[test]
fn t5_a_second_result_does_not_end_the_next_command() {
    let mut bench = Bench::new();
    bench.ask(Command::acknowledge());
    bench.hear("\r\n+CMS ERROR: 340\r\n");
    bench.ask(Command::signal());
    bench.hear("\r\nERROR\r\n");
    bench.pass(100);
    bench.hear("\r\n+CSQ: 17,99\r\n\r\nOK\r\n");
    let refused = reply(&[], ReplyEnd::Final(FinalResult::Cms(Some(340))));
    assert_eq!(bench.take_events(), [refused, ok(&["+CSQ: 17,99"])]);
}

#[test]
fn t8_a_restart_forgets_the_message_on_the_air() {
    for boot in ["RDY", "+CFUN: 1", "^SYSSTART"] {
        let mut bench = Bench::on_air(1);
        bench.pass(2_000);
        bench.hear(&format!("\r\n{boot}\r\n"));
        bench.pass(3_000);
        bench.hear("\r\n+CFUN: 1\r\n\r\nSMS Ready\r\n");
        bench.pass(1_999);
        bench.take_events();
        assert!(bench.take_wire().is_empty() && bench.engine.is_on_air(), "{boot}: no line extends the 5 s");
        bench.pass(1);
        let over = [Event::Uncertain { token: 1 }, Event::ListeningEnded { token: 1 }];
        assert_eq!(bench.take_events(), over, "{boot}");
        bench.resynchronise();
    }
}

#[test]
fn t8_a_result_within_five_seconds_of_the_restart_counts() {
    for (text, result) in [
        ("\r\n+CMGS: 7\r\n\r\nOK\r\n", SubmitResult::Accepted { reference: Some(7) }),
        ("\r\n+CMGS: 7\r\n", SubmitResult::Accepted { reference: Some(7) }),
        ("\r\n+CMS ERROR: 38\r\n", SubmitResult::Refused(FinalResult::Cms(Some(38)))),
    ] {
        let mut bench = Bench::on_air(1);
        bench.hear("\r\nRDY\r\n");
        bench.pass(4_000);
        bench.take_events();
        bench.hear(text);
        bench.pass(2_000);
        assert_eq!(bench.take_events(), [submitted(1, result)], "{text}");
    }
}

#[test]
fn t8_a_part_that_is_ready_is_no_restart() {
    let mut bench = Bench::on_air(1);
    bench.hear("\r\nSMS Ready\r\n\r\nPB DONE\r\n\r\n+QIND: SMS DONE\r\n");
    bench.pass(119_999);
    assert!(bench.take_wire().is_empty() && bench.engine.is_on_air());
    bench.hear("\r\n+CMGS: 7\r\n\r\nOK\r\n");
    assert_eq!(bench.take_events().last(), Some(&accepted(1, Some(7))));
}

#[test]
fn t8_a_restart_while_listened_to_ends_the_listening() {
    let mut bench = Bench::on_air(1);
    bench.pass(130_000);
    assert_eq!(bench.take_events(), [Event::Uncertain { token: 1 }]);
    bench.hear("\r\nRDY\r\n");
    bench.pass(5_000);
    assert_eq!(bench.take_events()[1..], [Event::ListeningEnded { token: 1 }]);
    bench.resynchronise();
}

#[test]
fn t8_a_restart_before_the_pdu_leaves_it_unsent_at_once() {
    type Act = fn(&mut Bench);
    let rows: [(&str, Act); 3] = [
        ("before the prompt", |_| {}),
        ("released before the prompt", |bench| bench.grant(1)),
        ("behind the prompt", |bench| bench.hear("\r\n> ")),
    ];
    for (name, act) in rows {
        let mut bench = Bench::new();
        bench.submit(1);
        act(&mut bench);
        bench.take_events();
        bench.take_wire();
        bench.hear("\r\nRDY\r\n");
        assert_eq!(bench.take_events()[1..], [not_transmitted(1, NotTransmitted::Interrupted)], "{name}");
        bench.resynchronise();
        bench.grant(1);
        assert!(bench.irreversible.is_empty(), "{name}");
    }
}

#[test]
fn the_pdu_waits_for_prompt_and_release() {
    let mut bench = Bench::new();
    bench.submit(1);
    assert_eq!(bench.take_wire(), ["AT+CMGS=19\r"], "the command goes out at once");
    bench.hear("\r\n> ");
    bench.pass(4_999);
    bench.grant(2);
    assert!(bench.take_wire().is_empty(), "another message's release");
    bench.grant(1);
    assert_eq!(bench.take_wire(), [format!("{PDU}\x1a")]);
}

#[test]
fn the_pdu_waits_for_the_pause_after_the_prompt() {
    let mut bench = Bench::new();
    let message = Submit { prompt_delay: Duration::from_millis(50), ..bench.message(1) };
    bench.input(Input::Submit(message));
    bench.grant(1);
    bench.hear("\r\n> ");
    bench.take_wire();
    bench.pass(49);
    assert!(bench.take_wire().is_empty());
    bench.pass(1);
    assert_eq!(bench.take_wire(), [format!("{PDU}\x1a")]);
}

#[test]
fn what_keeps_the_pdu_back_is_named_and_the_editor_is_left() {
    const REFUSE: Input<'_> = Input::Release { token: 1, granted: false };
    type Act = fn(&mut Bench);
    let rows: [(&str, NotTransmitted, Act); 7] = [
        ("refused before the prompt", NotTransmitted::NotReleased, |bench| bench.input(REFUSE)),
        ("refused after it", NotTransmitted::NotReleased, |bench| {
            bench.hear("\r\n> ");
            bench.input(REFUSE);
        }),
        ("granted and withdrawn", NotTransmitted::NotReleased, |bench| {
            bench.grant(1);
            bench.input(REFUSE);
        }),
        ("not answered", NotTransmitted::ReleaseTooLate, |bench| {
            bench.hear("\r\n> ");
            bench.pass(5_000);
        }),
        ("aborted", NotTransmitted::Aborted, |bench| bench.input(Input::Abort)),
        ("expired before the prompt", NotTransmitted::Expired, |bench| {
            bench.grant(1);
            bench.pass(4_000);
            bench.hear("\r\n> ");
        }),
        ("expired before the release", NotTransmitted::Expired, |bench| {
            bench.hear("\r\n> ");
            bench.pass(4_000);
            bench.grant(1);
        }),
    ];
    for (name, why, act) in rows {
        let mut bench = Bench::new();
        let message = Submit { not_after: bench.now + Duration::from_secs(4), ..bench.message(1) };
        bench.input(Input::Submit(message));
        bench.take_events();
        bench.take_wire();
        act(&mut bench);
        assert_eq!(bench.take_events(), [not_transmitted(1, why)], "{name}");
        bench.resynchronise();
        assert!(bench.irreversible.is_empty(), "{name}");
    }
}

#[test]
fn a_late_release_releases_no_other_message() {
    let mut bench = Bench::new();
    bench.submit(1);
    bench.hear("\r\n+CMS ERROR: 330\r\n");
    bench.submit(2);
    bench.hear("\r\n> ");
    bench.grant(1);
    assert!(bench.irreversible.is_empty());
}

#[test]
fn a_second_command_is_refused_as_a_value() {
    let mut bench = Bench::new();
    bench.ask(Command::signal());
    bench.ask(Command::operator());
    assert_eq!(bench.take_events(), [Event::Refused(Refusal::Busy)]);
    bench.hear("\r\n+CSQ: 1,99\r\n\r\nOK\r\n");
    assert_eq!(bench.take_events(), [ok(&["+CSQ: 1,99"])]);
    assert_eq!(bench.take_wire(), ["AT+CSQ\r"]);
}

#[test]
fn a_pdu_of_another_length_is_not_announced() {
    let mut bench = Bench::new();
    let message = Submit { length: LENGTH + 1, ..bench.message(1) };
    bench.input(Input::Submit(message));
    assert_eq!(bench.take_events(), [Event::Refused(Refusal::WrongLength)]);
    assert!(bench.take_wire().is_empty());
}

#[test]
fn the_next_command_waits_for_the_gap_after_the_final_ok() {
    let mut bench = Bench::new();
    bench.engine.set_config(Config { command_gap: Duration::from_millis(20), ..Config::default() });
    bench.ask(Command::signal());
    bench.hear("\r\n+CSQ: 1,99\r\n\r\nOK\r\n");
    bench.take_wire();
    bench.submit(1);
    bench.pass(19);
    assert!(bench.take_wire().is_empty());
    bench.pass(1);
    assert_eq!(bench.take_wire(), ["AT+CMGS=19\r"]);
}

#[test]
fn a_lost_port_ends_what_was_open() {
    let mut bench = Bench::on_air(1);
    bench.input(Input::Reset);
    assert_eq!(bench.take_events(), [Event::Uncertain { token: 1 }]);

    let mut bench = Bench::new();
    bench.submit(1);
    bench.input(Input::Reset);
    assert_eq!(bench.take_events()[1..], [not_transmitted(1, NotTransmitted::PortLost)]);

    let mut bench = Bench::new();
    bench.ask(Command::signal());
    bench.hear("\r\n+CSQ: 1,9");
    bench.input(Input::Start { listen_until: None });
    bench.hear("9\r\nOK\r\n");
    assert_eq!(bench.take_events(), [reply(&[], ReplyEnd::PortLost), trace("9")], "half a line is not continued");
}

#[test]
fn debug_shows_no_pdu_no_text_and_no_number() {
    let mut bench = Bench::on_air(1);
    let mut shown = format!("{:?}", bench.engine);
    bench.hear(&format!(
        "{REPORT}\r\n+CDS: 23\r\n{REPORT}\r\n+CUSD: 0,\"code 123456\",15\r\nAT+CMGS=\"+14155550100\"\r\n"
    ));
    bench.hear("my code is 123456\r\nhalf a code is 123456");
    shown += &format!("{:?} {:?}", bench.events, bench.engine);
    for secret in [PDU, REPORT, "123456", "4155550100", "49, 50, 51"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}
