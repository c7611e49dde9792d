//! Dialogues of real devices, replayed: every answer is credited to the command that was asked, every final result is
//! found, and nothing else ends a command.

use otpgate::at::response::{storages_supported, stored_messages};
use otpgate::at::*;
use otpgate::domain::time::Mono;
use std::time::Duration;
use transcripts::{Said, Transcript, finals, reference, transcripts};

#[path = "common/transcripts.rs"]
mod transcripts;

#[test]
fn every_transcript_is_understood() {
    let Some(transcripts) = transcripts() else { return };
    assert!(transcripts.len() >= 25, "{} transcripts", transcripts.len());
    for transcript in transcripts {
        Replay::new(&transcript).run();
    }
}

#[test]
fn what_single_transcripts_tell() {
    let Some(transcripts) = transcripts() else { return };
    let replies = |name: &str| -> Vec<Reply> {
        let transcript = transcripts.iter().find(|t| t.name == name).unwrap_or_else(|| panic!("no transcript {name}"));
        Replay::new(transcript).run()
    };
    let first = |name: &str| replies(name)[0].first().unwrap_or_default().to_owned();

    let rows = [
        ("cinterion-cpms-unequal-groups", ["ME MT", "ME SM MT", "SM MT"]),
        ("cpms-missing-quote", ["ME SR", "ME SR", "ME"]),
        ("huawei-mu609-cpms-no-parens", ["ME", "MT", "SM"]),
        ("iwow-cpms-sm-only", ["SM", "SM", "SM"]),
        ("nokia-c6-cpms-empty-groups", ["", "", ""]),
    ];
    for (name, groups) in rows {
        assert_eq!(storages_supported(&first(name)).map(|group| group.join(" ")), groups, "{name}");
    }
    assert_eq!(first("wavecom-cgmm-crlf-mix"), "MULTIBAND  900E  1800");
    assert!(response::indications_supported(&first("huawei-e3531-cnmi-range")).is_some());
    let states: Vec<_> = replies("huawei-e160-creg-short-lac")
        .iter()
        .filter_map(|reply| response::registration(reply.first()?))
        .map(|found| (found.mode, found.status, found.area))
        .collect();
    assert_eq!(states, [(Some(2), 0, Some(0)), (Some(2), 1, Some(0x8BE3))]);

    let read = |name: &str| replies(name).iter().flat_map(|reply| stored_messages(&reply.lines)).collect::<Vec<_>>();
    for (name, count, whole) in [
        ("generic-cmgr-pdu", 1, 1),
        ("telit-he910-cmgr-quoted-alpha", 1, 1),
        ("generic-india-send-with-cds-report", 1, 1),
        ("pantech-cmgl-without-alpha-comma", 4, 0),
    ] {
        let found = read(name);
        let complete = found.iter().filter(|message| message.pdu.is_some()).count();
        assert_eq!((found.len(), complete), (count, whole), "{name}");
    }
}

#[test]
fn every_error_number_has_a_name() {
    let Some(folder) = reference() else { return };
    type Name = fn(u16) -> Option<&'static str>;
    let tables: [(&str, Name); 2] = [("cms-errors.csv", errors::cms_name), ("cme-errors.csv", errors::cme_name)];
    for (file, name) in tables {
        let text = std::fs::read_to_string(folder.join(file)).unwrap();
        let numbers: Vec<u16> = text.lines().skip(1).filter_map(|line| line.split(',').next()?.parse().ok()).collect();
        assert!(numbers.len() > 90, "{file}");
        assert!(numbers.iter().all(|n| name(*n).is_some()), "{file}");
    }
}

/// One transcript against one engine, which says what the host said and hears what the modem said.
struct Replay<'a> {
    transcript: &'a Transcript,
    engine: Engine,
    now: Mono,
    events: Vec<Event>,
    wire: Vec<u8>,
}

impl<'a> Replay<'a> {
    fn new(transcript: &'a Transcript) -> Self {
        let engine = Engine::new(Config::default());
        let mut replay = Self { transcript, engine, now: Mono::default(), events: vec![], wire: vec![] };
        replay.input(Input::Start { listen_until: None });
        for _ in 0..2 {
            replay.expire();
            replay.input(Input::Bytes(b"\r\nOK\r\n"));
        }
        replay.expire();
        replay.events.clear();
        replay
    }

    /// Replays all, checks each conclusion, and gives the replies.
    fn run(mut self) -> Vec<Reply> {
        let mut replies = Vec::new();
        let said = self.transcript.said.clone();
        let mut i = 0;
        while i < said.len() {
            let Said::Ours(ours) = &said[i] else {
                // Unasked: news, or the tail of a dialogue. Whatever it is, it ends and answers nothing.
                self.hear_next(&said, &mut i);
                self.none_concluded();
                continue;
            };
            i += 1;
            let text = String::from_utf8(ours.clone()).unwrap();
            if text.starts_with("AT+CMGS=") && text[8..].parse::<usize>().is_ok() {
                self.send(&text, &said, &mut i);
            } else if text.starts_with("AT") {
                let asks_text = text.starts_with("AT+CMGS=") || text.starts_with("AT+CMGW=");
                if asks_text {
                    // Text mode is never spoken: the rest is for the framer alone.
                    break;
                }
                replies.push(self.ask(&text, &said, &mut i));
            }
        }
        replies
    }

    fn ask(&mut self, text: &str, said: &[Said], i: &mut usize) -> Reply {
        let name = self.context(text);
        self.input(Input::Command(command(text)));
        let mut heard = Vec::new();
        let mut results = 0;
        while let Some(Said::Theirs(bytes)) = said.get(*i) {
            if results > 0 && finals(bytes) == 0 && !String::from_utf8_lossy(bytes).trim().is_empty() {
                break;
            }
            results += finals(bytes);
            heard.extend_from_slice(bytes);
            self.hear(bytes);
            *i += 1;
        }
        if results == 0 {
            // The excerpt ends before the result: nothing may have been concluded.
            assert!(!self.events.iter().any(|e| matches!(e, Event::Replied(_))), "{name}: {:?}", self.events);
            self.input(Input::Bytes(b"\r\nOK\r\n"));
        }
        let mut found: Vec<Reply> = self.events.drain(..).filter_map(replied).collect();
        assert_eq!(found.len(), 1, "{name}: one reply");
        let reply = found.remove(0);
        assert!(matches!(reply.end, ReplyEnd::Final(_)), "{name}: {:?}", reply.end);
        let own = text.trim_start_matches("AT").split(['=', '?', ';']).next().unwrap_or_default();
        for line in &reply.lines {
            let prefix = line.prefix().map(|p| p.trim_end_matches(':'));
            assert!(prefix.is_none_or(|p| p == own || text.contains(p)), "{name}: answered by {prefix:?}");
            assert_ne!(line.as_str(), text.trim(), "{name}: answered by its echo");
        }
        let foreign = self.events.iter().any(|e| matches!(e, Event::ForeignEcho(_)));
        assert!(!foreign, "{name}: its echo is nobody else's");
        // The engine waits a moment after some results.
        self.now = self.now + Duration::from_secs(3);
        self.input(Input::Timeout);
        self.events.clear();
        reply
    }

    fn send(&mut self, text: &str, said: &[Said], i: &mut usize) {
        let name = self.context(text);
        let prompt = self.theirs(said, i);
        let Some(Said::Ours(pdu)) = said.get(*i) else { panic!("{name}: no PDU") };
        *i += 1;
        assert!(matches!(said.get(*i), Some(Said::Ours(end)) if end == b"\x1a"), "{name}: no Ctrl-Z");
        *i += 1;
        let length = text[8..].trim().parse().unwrap();
        let pdu = PduHex::new(std::str::from_utf8(pdu).unwrap(), length)
            .unwrap_or_else(|| panic!("{name}: the PDU has another length"));
        let expected = [pdu.as_str().as_bytes(), b"\x1a"].concat();
        let submit = Submit {
            token: 1,
            pdu,
            length,
            prompt_deadline: Duration::from_secs(5),
            prompt_delay: Duration::ZERO,
            not_after: self.now + Duration::from_secs(300),
            send_deadline: Duration::from_secs(120),
        };
        self.input(Input::Submit(submit));
        self.input(Input::Release { token: 1, granted: true });
        self.wire.clear();
        self.hear(&prompt);
        assert_eq!(self.wire, expected, "{name}: the prompt was not seen");
        let result = self.theirs_until_final(said, i);
        self.hear(&result);
        let found = self.events.drain(..).find_map(|event| match event {
            Event::Submitted { result, .. } => Some(result),
            _ => None,
        });
        match response_reference(&result) {
            Some(reference) => {
                assert_eq!(found, Some(SubmitResult::Accepted { reference: Some(reference) }), "{name}");
            }
            None => assert_eq!(found, None, "{name}: the excerpt ends before the result"),
        }
    }

    fn theirs(&self, said: &[Said], i: &mut usize) -> Vec<u8> {
        let mut all = Vec::new();
        while let Some(Said::Theirs(bytes)) = said.get(*i) {
            all.extend_from_slice(bytes);
            *i += 1;
        }
        all
    }

    fn theirs_until_final(&self, said: &[Said], i: &mut usize) -> Vec<u8> {
        let mut all = Vec::new();
        while let Some(Said::Theirs(bytes)) = said.get(*i) {
            all.extend_from_slice(bytes);
            *i += 1;
            if finals(bytes) > 0 {
                break;
            }
        }
        all
    }

    fn hear_next(&mut self, said: &[Said], i: &mut usize) {
        if let Said::Theirs(bytes) = &said[*i] {
            let bytes = bytes.clone();
            self.hear(&bytes);
        }
        *i += 1;
    }

    fn none_concluded(&mut self) {
        let name = &self.transcript.name;
        for event in self.events.drain(..) {
            let news = matches!(event, Event::Urc(_) | Event::Trace(_));
            assert!(news, "{name}: unasked, and taken for {event:?}");
        }
    }

    fn hear(&mut self, bytes: &[u8]) {
        self.input(Input::Bytes(bytes));
    }

    fn expire(&mut self) {
        self.now = self.engine.next_timeout().unwrap();
        self.input(Input::Timeout);
    }

    fn input(&mut self, input: Input<'_>) {
        self.engine.handle_input(self.now, input);
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Transmit { bytes, .. } => self.wire.extend(bytes),
                Output::Event(event) => self.events.push(event),
            }
        }
    }

    fn context(&self, text: &str) -> String {
        format!("{} ({}) {}", self.transcript.name, if self.transcript.exact { "exact" } else { "lines" }, text.trim())
    }
}

fn replied(event: Event) -> Option<Reply> {
    match event {
        Event::Replied(reply) => Some(reply),
        _ => None,
    }
}

/// The command as the daemon would ask it, or else as it stands.
fn command(text: &str) -> Command {
    let text = text.trim();
    match text {
        "AT+CGMM" => Command::model(),
        _ if text.starts_with("AT+CMGR=") => Command::read_message(text[8..].parse().unwrap()),
        _ if text.starts_with("AT+CMGL=") => Command::list_messages(text[8..].parse().unwrap()),
        _ => Command::raw(text, Duration::from_secs(5)).unwrap(),
    }
}

fn response_reference(bytes: &[u8]) -> Option<u8> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    text.split("+CMGS: ").nth(1)?.split(['\r', '\n']).next()?.parse().ok()
}
