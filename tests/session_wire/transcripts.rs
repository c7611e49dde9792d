//! Dialogues of real devices, replayed through the session: a modem that says what the device said, `ERROR` to what the
//! device was not asked, and what every modem says that can send at all.

#[path = "../common/transcripts.rs"]
mod read;

use crate::wire::pdu;
use otpgate::domain::message::PartResult::{self, Accepted, NotSent, Uncertain};
use otpgate::domain::reason::Reason;
use otpgate::domain::time::Mono;
use otpgate::modem::quirks::Configured;
use otpgate::modem::session::{Event, Input, Job, Output, Session};
use read::{Said, Transcript, finals, transcripts};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// What is to be concluded.
struct Expected {
    outcome: PartResult,
    /// TP-MR and TP-ST.
    reports: &'static [(u8, u8)],
    inbound: usize,
    model: Option<&'static str>,
    signal_dbm: Option<i16>,
    /// Commands that must have been said, in this order, others between them.
    said: &'static [&'static str],
    /// Words that must be among what it lacks, and that must not.
    lacks: &'static [&'static str],
    has: &'static [&'static str],
}

/// Of a device that was asked nothing that matters here.
const PLAIN: Expected = Expected {
    outcome: NotSent(Reason::BareError),
    reports: &[],
    inbound: 0,
    model: None,
    signal_dbm: None,
    said: &["AT+CNMI=2,1,0,1,0"],
    lacks: &["AT+CNMI", "smsc = "],
    has: &["SGs"],
};

fn expected(name: &str) -> Option<Expected> {
    let sends = |outcome| Expected { outcome, ..PLAIN };
    Some(match name {
        "cinterion-cpms-unequal-groups" => Expected {
            said: &["AT+CPMS=\"MT\",\"MT\",\"MT\"", "AT+CPMS=\"ME\",\"SM\",\"SM\"", "AT+CPMS=\"MT\""],
            lacks: &["AT+CPMS"],
            ..PLAIN
        },
        "cpms-missing-quote" => Expected { said: &["AT+CPMS=\"ME\",\"ME\",\"ME\"", "AT+CPMS=\"ME\""], ..PLAIN },
        "huawei-mu609-cpms-no-parens" => Expected { said: &["AT+CPMS=\"ME\",\"MT\",\"SM\""], ..PLAIN },
        "iwow-cpms-sm-only" => Expected { said: &["AT+CPMS=\"SM\",\"SM\",\"SM\"", "AT+CPMS=\"SM\""], ..PLAIN },
        "nokia-c6-cpms-empty-groups" => Expected { lacks: &["no storage for messages"], ..PLAIN },
        "generic-india-send-with-cds-report" => {
            Expected { outcome: Accepted(Some(64)), reports: &[(64, 0)], inbound: 1, ..PLAIN }
        }
        // A report in text mode is none that can be matched: it says that the mode was lost.
        "maxon-mm6280-text-with-cds" => sends(Accepted(Some(10))),
        "neoway-wm620-text-and-pdu" => sends(Accepted(Some(119))),
        "telit-uc864-pdu-send" => sends(Accepted(Some(124))),
        // The excerpts end at the prompt, and at Ctrl-Z.
        "sim800-tinygsm-text-send" | "unknown-ro-send-27-octets" => sends(Uncertain(Reason::NoResult)),
        "huawei-e3531-cnmi-range" => Expected {
            said: &["AT+CNMI=2,1,0,1,0", "AT+CNMI=1,1,0,1,0", "AT+CNMI=2,1,0,2,0", "AT+CSMS=1", "AT+CNMI=2,1,0,0,0"],
            ..PLAIN
        },
        "huawei-k4510-smsc-and-pdu-mode" => Expected { lacks: &[], has: &["smsc = ", "SGs"], ..PLAIN },
        "quectel-ec25-csms1-cnma" => Expected { said: &["AT+CSMS=1", "AT+CNMI=2,1,0,1,0", "AT+CSMS=0"], ..PLAIN },
        "quectel-ec25-gammu-probe" | "wavecom-900e-1800-init" => Expected { has: &["error numbers"], ..PLAIN },
        "smstools-init-sequence" => Expected { signal_dbm: Some(-61), ..PLAIN },
        "telit-he910-cmgr-quoted-alpha" => Expected { inbound: 1, ..PLAIN },
        "wavecom-cgmm-crlf-mix" => Expected { model: Some("MULTIBAND  900E  1800"), ..PLAIN },
        "e160-ussd-packed-hex-unquoted"
        | "ericsson-mbm-echo-split-by-urc"
        | "generic-cmgr-pdu"
        | "generic-cmgr-text-detail"
        | "gl865-store-then-send-error"
        | "he910-ussd-garbage-tail"
        | "huawei-e160-creg-short-lac"
        | "huawei-e352-strace-boot"
        | "m35-ussd-ucs2-with-dcs-15"
        | "pantech-cmgl-without-alpha-comma" => PLAIN,
        _ => return None,
    })
}

#[test]
fn every_transcript_leads_to_the_right_conclusions() {
    let Some(transcripts) = transcripts() else { return };
    assert!(transcripts.len() >= 25, "{} transcripts", transcripts.len());
    for transcript in transcripts {
        let name = &transcript.name;
        let expected = expected(name).unwrap_or_else(|| panic!("{name}: say what is to be concluded from it"));
        let replay = Replay::of(&transcript);
        assert_eq!(replay.outcome(), Some(expected.outcome), "{name}");
        assert_eq!(replay.reports(), expected.reports, "{name}");
        assert_eq!(replay.inbound(), expected.inbound, "{name}");
        let view = replay.session.view();
        assert_eq!(view.model.as_deref(), expected.model, "{name}");
        assert_eq!(view.manufacturer, None, "{name}: none was asked for his name");
        assert_eq!(view.signal_dbm, expected.signal_dbm, "{name}");
        assert!(
            view.registration.is_some_and(|words| words == "registered at home"),
            "{name}: {:?}",
            view.registration
        );
        let mut written = replay.written.iter().map(String::as_str);
        for said in expected.said {
            assert!(written.any(|text| text == *said), "{name}: {said} in {:?}", replay.written);
        }
        let lacks = |words: &str| view.degraded.iter().any(|told| told.contains(words));
        assert!(expected.lacks.iter().all(|words| lacks(words)), "{name}: {:?}", view.degraded);
        assert!(!expected.has.iter().any(|words| lacks(words)), "{name}: {:?}", view.degraded);
        let told =
            |words| replay.events.iter().any(|event| matches!(event, Event::Notice(told) if told.contains(words)));
        assert!(!told("Somebody else"), "{name}: its echo is nobody else's");
        assert!(!told("credited to none"), "{name}");
        assert!(!replay.events.iter().any(|event| matches!(event, Event::Heard(_) | Event::Late { .. })), "{name}");
    }
}

/// The device's part: what it answers, and what it says unasked, before a message is sent and after.
#[derive(Default)]
struct Device {
    answers: BTreeMap<String, VecDeque<Vec<u8>>>,
    before: Vec<Vec<u8>>,
    after: Vec<Vec<u8>>,
    /// The command that was given for the message, its prompt, and the result.
    message: Option<(String, Vec<u8>, Vec<u8>)>,
}

impl Device {
    fn of(transcript: &Transcript) -> Self {
        let mut device = Self::default();
        let mut said = transcript.said.iter().peekable();
        let theirs = |said: &mut std::iter::Peekable<std::slice::Iter<'_, Said>>| {
            let mut chunks = Vec::new();
            while let Some(Said::Theirs(bytes)) = said.peek() {
                chunks.push(bytes.clone());
                said.next();
            }
            chunks
        };
        device.before = theirs(&mut said);
        while let Some(line) = said.next() {
            let Said::Ours(ours) = line else { continue };
            let text = String::from_utf8_lossy(ours).trim().to_owned();
            let heard = theirs(&mut said);
            if text.starts_with("AT+CMGS=") {
                device.message = Some((text, heard.concat(), Vec::new()));
                continue;
            }
            let end = heard.iter().position(|bytes| finals(bytes) > 0).map_or(heard.len(), |i| i + 1);
            let (answer, news) = heard.split_at(end);
            match &mut device.message {
                Some((_, _, result)) if ours == b"\x1a" => *result = answer.concat(),
                _ if text.starts_with("AT") => {
                    device.answers.entry(text).or_default().push_back(answer.concat());
                }
                _ => {}
            }
            let unasked = if device.message.is_some() { &mut device.after } else { &mut device.before };
            unasked.extend(news.iter().cloned());
        }
        // A message that was read is announced first.
        let read = device.answers.keys().find_map(|text| text.strip_prefix("AT+CMGR=")?.parse::<u16>().ok());
        if let Some(index) = read.filter(|_| device.before.is_empty()) {
            device.before.push(format!("\r\n+CMTI: \"SM\",{index}\r\n").into_bytes());
        }
        device
    }

    /// The last answer to a question that is asked again is repeated.
    fn answer(&mut self, text: &str) -> Vec<u8> {
        if let Some(answers) = self.answers.get_mut(text) {
            let next = answers.pop_front().unwrap_or_default();
            if answers.is_empty() {
                answers.push_back(next.clone());
            }
            return next;
        }
        if text.starts_with("AT+CMGS=")
            && let Some((command, prompt, _)) = &self.message
        {
            return String::from_utf8_lossy(prompt).replace(command.as_str(), text).into_bytes();
        }
        let known = BASICS.iter().find(|(command, _)| *command == text).map(|(_, answer)| *answer);
        known.unwrap_or("\r\nERROR\r\n").as_bytes().to_vec()
    }
}

struct Replay {
    session: Session,
    device: Device,
    now: Mono,
    events: Vec<Event>,
    written: Vec<String>,
}

impl Replay {
    /// Set up, told what comes unasked, given a message to send, and told what comes behind that.
    fn of(transcript: &Transcript) -> Self {
        let mut replay = Self {
            session: Session::new(Configured::default()),
            device: Device::of(transcript),
            now: Mono::default(),
            events: Vec::new(),
            written: Vec::new(),
        };
        replay.session.handle_input(replay.now, Input::Opened { listen: None });
        replay.until_free(&transcript.name);
        for bytes in std::mem::take(&mut replay.device.before) {
            replay.session.handle_input(replay.now, Input::Bytes(&bytes));
            replay.drain();
        }
        replay.pass(Duration::from_secs(60));
        replay.until_free(&transcript.name);
        let pdu = pdu("one", 0);
        let not_after = replay.now + Duration::from_secs(3600);
        let job = Job { token: 1, pdu, not_after, send_deadline: Duration::from_secs(120) };
        replay.session.handle_input(replay.now, Input::Submit(job));
        replay.drain();
        replay.pass(Duration::from_secs(130));
        for bytes in std::mem::take(&mut replay.device.after) {
            replay.session.handle_input(replay.now, Input::Bytes(&bytes));
            replay.drain();
        }
        replay.pass(Duration::from_secs(120));
        replay
    }

    fn until_free(&mut self, name: &str) {
        let end = self.now + Duration::from_secs(300);
        while !self.session.is_free() {
            assert!(self.step(end), "{name}: it never gets free: {:?}", self.session.view());
        }
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.step(end) {}
    }

    fn step(&mut self, end: Mono) -> bool {
        self.drain();
        let Some(next) = self.session.next_timeout().filter(|at| *at <= end) else {
            self.now = end;
            return false;
        };
        self.now = self.now.max(next);
        self.session.handle_input(self.now, Input::Timeout);
        self.drain();
        true
    }

    fn drain(&mut self) {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Transmit(bytes) if bytes.hands_over.is_some() => {
                    let result = self.device.message.as_ref().map(|(_, _, result)| result.clone()).unwrap_or_default();
                    self.session.handle_input(self.now, Input::Bytes(&result));
                }
                Output::Transmit(bytes) => {
                    let text = String::from_utf8(bytes.bytes).unwrap().trim().to_owned();
                    if text != "\x1b" {
                        let answer = self.device.answer(&text);
                        self.written.push(text);
                        self.session.handle_input(self.now, Input::Bytes(&answer));
                    }
                }
                Output::Event(Event::WantIntent { token }) => {
                    self.session.handle_input(self.now, Input::Intent { token, granted: true });
                }
                Output::Event(event) => self.events.push(event),
                Output::Reopen(why) | Output::Stop(why) => panic!("it is given up: {why}: {:?}", self.written),
            }
        }
    }

    fn outcome(&self) -> Option<PartResult> {
        self.events.iter().find_map(|event| match event {
            Event::Outcome { result, .. } => Some(*result),
            _ => None,
        })
    }

    fn reports(&self) -> Vec<(u8, u8)> {
        let report = |event: &Event| match event {
            Event::Report { reference, status, .. } => Some((*reference, *status)),
            _ => None,
        };
        self.events.iter().filter_map(report).collect()
    }

    fn inbound(&self) -> usize {
        self.events.iter().filter(|event| matches!(event, Event::Inbound { .. })).count()
    }
}

/// What a modem says that can send at all.
const BASICS: &[(&str, &str)] = &[
    ("AT", "\r\nOK\r\n"),
    ("AT+CPIN?", "\r\n+CPIN: READY\r\n\r\nOK\r\n"),
    ("AT+CIMI", "\r\n001010000000001\r\n\r\nOK\r\n"),
    ("AT+CMGF=0", "\r\nOK\r\n"),
    ("AT+CMGF?", "\r\n+CMGF: 0\r\n\r\nOK\r\n"),
    ("AT+CSMS?", "\r\n+CSMS: 0,1,1,1\r\n\r\nOK\r\n"),
    ("AT+CPMS=\"SM\"", "\r\n+CPMS: 1,20,1,20,1,20\r\n\r\nOK\r\n"),
    ("AT+CREG?", "\r\n+CREG: 0,1\r\n\r\nOK\r\n"),
];
