//! A session and a virtual modem on a virtual wire, with the driver's part played by hand.
//!
//! Time is a number: it goes on to whichever side wants to be woken next. What must hold in every scenario is checked
//! with each byte written, and once more when the wire is dropped.

use otpgate::config::SimCardConfig;
use otpgate::domain::equipment::SimCard;
use otpgate::domain::message::PartResult;
use otpgate::domain::msisdn::Msisdn;
use otpgate::domain::pin::{PinHistory, PinRefused};
use otpgate::domain::reason::Reason;
use otpgate::domain::secret::Secret;
use otpgate::domain::time::{Mono, Wall};
use otpgate::modem::quirks::Configured;
use otpgate::modem::recovery::Trouble;
use otpgate::modem::session::{Bytes, Event, Held, Input, Job, Output, PinAnswer, Session};
use otpgate::simulator::faults::Faults;
use otpgate::simulator::modem::{Counts, ModemOptions};
use otpgate::simulator::network::{Copy, NetworkOptions};
use otpgate::simulator::{self, ModemInput, Simulator};
use otpgate::sms::pdu::{Address, Pdu, Submit, TpVp};
use otpgate::sms::segment::segment;
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

/// What the store says to an intent, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Grant {
    After(Duration),
    Refused,
    Never,
}

/// A part that waits for the session to be free.
struct Waiting {
    token: u64,
    pdu: Pdu,
    life: Duration,
    send_deadline: Duration,
}

/// Who knows the PIN, and what was typed before. It lives on when the session does not.
#[derive(Default)]
pub(crate) struct PinDesk {
    pub(crate) pin: Option<&'static str>,
    /// How long it takes to answer.
    pub(crate) takes: Duration,
    pub(crate) history: PinHistory,
    /// Why it said no, each time.
    pub(crate) refused: Vec<PinRefused>,
    asked: VecDeque<(Mono, u64, Option<u8>)>,
    given: Vec<(u64, [u8; 16])>,
}

/// While it holds, nothing may be written.
struct Silence {
    until: Mono,
    heard: String,
    /// The modem said that it has restarted.
    forgotten: bool,
}

impl Silence {
    fn until(until: Mono) -> Self {
        Self { until, heard: String::new(), forgotten: false }
    }
}

pub(crate) struct Wire {
    pub(crate) now: Mono,
    pub(crate) session: Session,
    pub(crate) simulator: Simulator,
    /// How the next intents are answered.
    pub(crate) grant: Grant,
    /// Whether reports and messages that the modem keeps come to disk.
    pub(crate) keeps: bool,
    /// Those that have, and the session does not know yet.
    kept: Vec<Held>,
    pub(crate) pins: PinDesk,
    /// Why the next PDUs are not written, if they are not.
    pub(crate) withhold: Option<Reason>,
    /// What the modem says is changed on its way, each first text into its second.
    pub(crate) mishear: Vec<(&'static str, &'static str)>,
    /// As `mishear`, but each of them once, in this order.
    pub(crate) mishear_once: Vec<(&'static str, &'static str)>,
    /// What is heard besides, again and again.
    pub(crate) chatter: Option<(Duration, &'static str)>,
    /// The lengths of the pieces in which bytes arrive, over and over. Empty: whole.
    pub(crate) pieces: Vec<usize>,
    pub(crate) events: Vec<(Mono, Event)>,
    pub(crate) written: Vec<(Mono, String)>,
    pub(crate) reopened: Vec<(Mono, &'static str)>,
    /// When it was said to be of no use, and why.
    pub(crate) stopped: Vec<(Mono, &'static str)>,
    pub(crate) copies: Vec<Copy>,
    pub(crate) handed_over: Vec<(Mono, u64)>,
    open: bool,
    reopen_at: Option<Mono>,
    next_chatter: Mono,
    next_piece: usize,
    waiting: VecDeque<Waiting>,
    next_token: u64,
    told_waiting: bool,
    granting: Vec<(Mono, u64, bool)>,
    granted: BTreeSet<u64>,
    silence: Option<Silence>,
    /// It was told of a result that the modem had not given, in words or as a number.
    deceived: bool,
    stalled: u32,
}

impl Wire {
    /// A modem, and a session whose port is not open yet.
    pub(crate) fn new() -> Self {
        Self::with(ModemOptions::default(), Duration::from_millis(100), Configured::default())
    }

    pub(crate) fn with(modem: ModemOptions, air_time: Duration, configured: Configured) -> Self {
        let network = NetworkOptions { epoch: Wall(1_767_225_600_000), air_time, ..NetworkOptions::default() };
        Self {
            now: Mono::default(),
            session: Session::new(configured),
            simulator: Simulator::new(1, &modem, network, 7),
            grant: Grant::After(Duration::ZERO),
            keeps: true,
            kept: Vec::new(),
            pins: PinDesk::default(),
            withhold: None,
            mishear: Vec::new(),
            mishear_once: Vec::new(),
            chatter: None,
            pieces: Vec::new(),
            events: Vec::new(),
            written: Vec::new(),
            reopened: Vec::new(),
            stopped: Vec::new(),
            copies: Vec::new(),
            handed_over: Vec::new(),
            open: false,
            reopen_at: None,
            next_chatter: Mono::default(),
            next_piece: 0,
            waiting: VecDeque::new(),
            next_token: 0,
            told_waiting: false,
            granting: Vec::new(),
            granted: BTreeSet::new(),
            silence: None,
            deceived: false,
            stalled: 0,
        }
    }

    /// With what is said about the SIM card in the modem. Before the port is opened.
    pub(crate) fn card(mut self, say: impl FnOnce(&mut SimCardConfig)) -> Self {
        let iccid = SimCard::new(&self.simulator.modems()[0].identity().iccid);
        let mut card = SimCardConfig::new(iccid);
        say(&mut card);
        self.session = Session::new(Configured::default()).with_sim_cards([card].into());
        self
    }

    /// With another seed for what goes wrong.
    pub(crate) fn seeded(modem: ModemOptions, seed: u64) -> Self {
        let mut wire = Self::with(modem.clone(), Duration::from_millis(100), Configured::default());
        let network = NetworkOptions {
            epoch: Wall(1_767_225_600_000),
            air_time: Duration::from_millis(100),
            ..NetworkOptions::default()
        };
        wire.simulator = Simulator::new(1, &modem, network, seed);
        wire
    }

    /// A session that is up and free.
    pub(crate) fn up() -> Self {
        let mut wire = Self::new();
        wire.open(None);
        wire.until_free(SOON);
        // The pause after the last command is over too.
        wire.pass(ms(100));
        wire
    }

    /// As [`Wire::up`], and from then on these things go wrong.
    pub(crate) fn up_with(flags: &[&str]) -> Self {
        let mut wire = Self::up();
        wire.faults(flags);
        wire
    }

    /// Sets what goes wrong from now on.
    pub(crate) fn faults(&mut self, flags: &[&str]) {
        let mut faults = Faults::default();
        flags.iter().for_each(|flag| faults.set_flag(flag).unwrap());
        self.simulator.set_faults(self.now, None, &faults);
        self.settle();
    }

    pub(crate) fn open(&mut self, listen: Option<Duration>) {
        self.open = true;
        self.reopen_at = None;
        self.silence = listen.map(|listen| Silence::until(self.now + listen));
        self.simulator.handle_input(self.now, 0, ModemInput::Opened);
        self.session.handle_input(self.now, Input::Opened { listen });
        self.settle();
    }

    /// The process dies and is started again; the modem lives on.
    pub(crate) fn crash(&mut self, listen: Option<Duration>) {
        self.session = Session::new(Configured::default());
        self.pins.asked.clear();
        self.pins.given.clear();
        self.told_waiting = false;
        self.granting.clear();
        self.waiting.clear();
        self.open(listen);
    }

    /// Somebody else types at the modem, unheard by the session.
    pub(crate) fn behind_its_back(&mut self, text: &str) {
        self.simulator.handle_input(self.now, 0, ModemInput::Bytes(text.as_bytes()));
        while self.simulator.poll_output().is_some() {}
    }

    /// The port goes away, and comes back.
    pub(crate) fn unplug(&mut self) {
        self.close();
        self.drain_session();
        self.reopen_at = Some(self.now + REOPEN);
    }

    /// Has a service code dialled.
    pub(crate) fn dial(&mut self, code: &str) {
        self.session.handle_input(self.now, Input::ServiceCode(code));
        self.settle();
    }

    /// Has the service code under way ended.
    pub(crate) fn end_dial(&mut self) {
        self.session.handle_input(self.now, Input::EndServiceCode);
        self.settle();
    }

    /// Another SIM card is put in, without a word from the modem.
    pub(crate) fn other_card(&mut self, number: usize) {
        self.simulator.handle_input(self.now, 0, ModemInput::OtherCard(number));
        self.settle();
    }

    pub(crate) fn power_cycle(&mut self) {
        self.simulator.handle_input(self.now, 0, ModemInput::PowerCycle);
        self.settle();
    }

    /// The session hears something that the modem did not say.
    pub(crate) fn hear(&mut self, bytes: &[u8]) {
        let heard = String::from_utf8_lossy(bytes);
        self.deceived |= has_result(&heard) || heard.contains(['0', '4']);
        self.deliver(bytes);
        self.settle();
    }

    /// Has a message sent as soon as the session is free: one part, to a number of its own.
    pub(crate) fn send(&mut self, text: &str) -> u64 {
        self.send_within(text, Duration::from_secs(3600), Duration::from_secs(120))
    }

    pub(crate) fn send_within(&mut self, text: &str, life: Duration, send_deadline: Duration) -> u64 {
        self.send_pdu(pdu(text, 0), life, send_deadline)
    }

    pub(crate) fn send_pdu(&mut self, pdu: Pdu, life: Duration, send_deadline: Duration) -> u64 {
        self.next_token += 1;
        self.waiting.push_back(Waiting { token: self.next_token, pdu, life, send_deadline });
        self.settle();
        self.next_token
    }

    /// Sends, and waits for the outcome.
    pub(crate) fn sent(&mut self, text: &str) -> PartResult {
        let token = self.send(text);
        self.ended(token)
    }

    /// The outcome, waited for.
    pub(crate) fn ended(&mut self, token: u64) -> PartResult {
        self.until("an outcome", LONG, |wire| wire.outcome(token).is_some());
        self.outcome(token).unwrap().1
    }

    /// After whatever happened before, a message goes out as if nothing had.
    pub(crate) fn still_sends(&mut self) {
        let before = self.copies.len();
        let token = self.send("still");
        let result = self.ended(token);
        assert!(matches!(result, PartResult::Accepted(_)), "{result:?}");
        assert_eq!(self.copies.len(), before + 1);
        assert_eq!(self.copies[before].text, "still");
    }

    pub(crate) fn until_free(&mut self, at_most: Duration) {
        self.until("to be free", at_most, |wire| wire.session.is_free());
    }

    /// Time passes until this holds. That it never does is a failure.
    pub(crate) fn until(&mut self, what: &str, at_most: Duration, holds: impl Fn(&Self) -> bool) {
        let end = self.now + at_most;
        while !holds(self) {
            assert!(
                self.step(end),
                "still waiting for {what} after {at_most:?}: {:?} {:?}",
                self.session.view(),
                &self.written[self.written.len().saturating_sub(6)..]
            );
        }
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.step(end) {}
    }

    pub(crate) fn pass_secs(&mut self, seconds: u64) {
        self.pass(Duration::from_secs(seconds));
    }

    /// Time passes at once, as over a suspended machine: nobody was woken at his time.
    pub(crate) fn leap(&mut self, time: Duration) {
        self.now = self.now + time;
        self.wake();
    }

    pub(crate) fn outcome(&self, token: u64) -> Option<(Mono, PartResult)> {
        let mut all = self.events.iter().filter_map(|(at, event)| match event {
            Event::Outcome { token: t, result } if *t == token => Some((*at, *result)),
            _ => None,
        });
        let first = all.next();
        assert_eq!(all.next(), None, "a second outcome of {token}");
        first
    }

    pub(crate) fn late(&self, token: u64) -> Option<(Mono, PartResult)> {
        let mut all = self.events.iter().filter_map(|(at, event)| match event {
            Event::Late { token: t, result } if *t == token => Some((*at, *result)),
            _ => None,
        });
        let first = all.next();
        assert_eq!(all.next(), None, "a second late result of {token}");
        first
    }

    /// TP-MR and TP-ST of the reports so far.
    pub(crate) fn reports(&self) -> Vec<(u8, u8)> {
        let report = |(_, event): &(Mono, Event)| match event {
            Event::Report { reference, status, .. } => Some((*reference, *status)),
            _ => None,
        };
        self.events.iter().filter_map(report).collect()
    }

    /// The PDUs of what came in so far, each as often as it was told.
    pub(crate) fn inbound(&self) -> Vec<String> {
        let pdu = |(_, event): &(Mono, Event)| match event {
            Event::Inbound { pdu, .. } => Some(pdu.reveal().to_owned()),
            _ => None,
        };
        self.events.iter().filter_map(pdu).collect()
    }

    /// The texts of what came in so far, each as often as it was told.
    pub(crate) fn texts(&self) -> Vec<String> {
        let text = |pdu: &String| otpgate::sms::inbound::text(&[otpgate::sms::inbound::read(pdu)]);
        self.inbound().iter().filter_map(text).map(|text| text.reveal().to_owned()).collect()
    }

    pub(crate) fn notices(&self) -> Vec<&'static str> {
        let notice = |(_, event): &(Mono, Event)| match event {
            Event::Notice(words) => Some(*words),
            _ => None,
        };
        self.events.iter().filter_map(notice).collect()
    }

    /// When this was first written since `from`.
    pub(crate) fn wrote(&self, from: Mono, text: &str) -> Option<Mono> {
        self.written.iter().find(|(at, written)| *at >= from && written == text).map(|(at, _)| *at)
    }

    /// What was written since `from`.
    pub(crate) fn written_since(&self, from: Mono) -> Vec<&str> {
        self.written.iter().filter(|(at, _)| *at >= from).map(|(_, text)| text.as_str()).collect()
    }

    pub(crate) fn counts(&self) -> &Counts {
        self.simulator.modems()[0].counts()
    }

    /// Command lines with this command that the modem got.
    pub(crate) fn lines(&self, name: &str) -> u64 {
        self.counts().at_lines.get(name).copied().unwrap_or(0)
    }

    /// Goes on to the next thing that happens by `end`. False if there is none.
    fn step(&mut self, end: Mono) -> bool {
        self.settle();
        let session = if self.open { self.session.next_timeout() } else { None };
        let grant = self.granting.iter().map(|(at, ..)| *at).min();
        let chatter = self.chatter.map(|_| self.next_chatter);
        let pin = self.pins.asked.front().map(|(at, ..)| *at);
        let all = [session, self.simulator.next_timeout(), grant, pin, self.reopen_at, chatter];
        let next = all.into_iter().flatten().min();
        let Some(next) = next.filter(|at| *at <= end) else {
            self.now = end;
            return false;
        };
        self.stalled = if next > self.now { 0 } else { self.stalled + 1 };
        assert!(self.stalled < MOST_AT_ONCE, "time stands still: woken for {next:?} at {:?}", self.now);
        self.now = self.now.max(next);
        self.wake();
        true
    }

    fn wake(&mut self) {
        let now = self.now;
        self.simulator.handle_timeout(now);
        self.settle();
        if self.reopen_at.is_some_and(|at| at <= now) {
            self.open(None);
        }
        if let Some((interval, text)) = self.chatter.filter(|_| self.next_chatter <= now) {
            self.next_chatter = now + interval;
            self.deliver(text.as_bytes());
        }
        if self.open {
            self.session.handle_input(now, Input::Timeout);
        }
        self.settle();
    }

    /// Both sides say what they have to say at this moment.
    fn settle(&mut self) {
        for _ in 0..MOST_AT_ONCE {
            let waits = !self.waiting.is_empty();
            if std::mem::replace(&mut self.told_waiting, waits) != waits {
                self.session.handle_input(self.now, Input::MessageWaits(waits));
            }
            self.drain_session();
            if self.grant_due() || self.keep() || self.pin_due() {
                continue;
            }
            let moved = match self.simulator.poll_output() {
                Some((_, simulator::Output::Bytes(bytes))) => {
                    let misheard = self.misheard(&bytes);
                    self.deliver(&misheard);
                    true
                }
                Some((_, simulator::Output::Accepted(copy))) => {
                    self.copies.push(copy);
                    true
                }
                Some((_, simulator::Output::PortLost)) => {
                    self.close();
                    self.reopen_at = None;
                    true
                }
                Some((_, simulator::Output::PortBack)) => {
                    self.reopen_at = Some(self.now + REOPEN);
                    true
                }
                None => self.give_work(),
            };
            if !moved {
                return;
            }
        }
        panic!("the two never fall quiet at {:?}", self.now);
    }

    fn grant_due(&mut self) -> bool {
        let due = self.granting.iter().position(|(at, ..)| *at <= self.now);
        let Some((_, token, granted)) = due.map(|i| self.granting.remove(i)) else { return false };
        self.session.handle_input(self.now, Input::Intent { token, granted });
        true
    }

    fn give_work(&mut self) -> bool {
        if !(self.open && self.session.is_free()) {
            return false;
        }
        let Some(Waiting { token, pdu, life, send_deadline }) = self.waiting.pop_front() else { return false };
        let job = Job { token, pdu, not_after: self.now + life, send_deadline };
        self.session.handle_input(self.now, Input::Submit(job));
        true
    }

    fn drain_session(&mut self) {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Transmit(bytes) if self.open => self.transmit(&bytes),
                Output::Transmit(_) => {}
                Output::GiveUp(trouble @ Trouble::Unfit) => {
                    self.stopped.push((self.now, trouble.words()));
                    self.close();
                }
                Output::GiveUp(trouble) => {
                    self.reopened.push((self.now, trouble.words()));
                    self.close();
                    self.reopen_at = Some(self.now + REOPEN);
                }
                Output::Event(event) => self.note(event),
            }
        }
    }

    fn close(&mut self) {
        self.open = false;
        self.silence = None;
        self.session.handle_input(self.now, Input::Lost);
    }

    fn note(&mut self, event: Event) {
        if let Event::WantIntent { token } = event {
            match self.grant {
                Grant::After(delay) => self.granting.push((self.now + delay, token, true)),
                Grant::Refused => self.granting.push((self.now, token, false)),
                Grant::Never => {}
            }
            if matches!(self.grant, Grant::After(_)) {
                self.granted.insert(token);
            }
        }
        match &event {
            Event::WantPin { token, tries_left, .. } => {
                self.pins.asked.push_back((self.now + self.pins.takes, *token, *tries_left));
            }
            Event::PinEnded { token, outcome } => {
                let given = self.pins.given.iter().position(|(given, _)| given == token);
                let (_, pin) = self.pins.given.remove(given.expect("a PIN ended that nobody gave"));
                self.pins.history.ended(pin, *outcome);
            }
            _ => {}
        }
        if let Event::Report { held: Some(held), .. } | Event::Inbound { held: Some(held), .. } = &event {
            self.kept.push(held.clone());
        }
        self.events.push((self.now, event));
    }

    /// The question for the PIN is answered, as the store would.
    fn pin_due(&mut self) -> bool {
        if self.pins.asked.front().is_none_or(|(at, ..)| *at > self.now) {
            return false;
        }
        let Some((_, token, tries)) = self.pins.asked.pop_front() else { return false };
        let answer = match self.pins.pin {
            None => PinAnswer::Wait("there is no PIN for the SIM card".to_owned()),
            Some(pin) => {
                let mut digest = [0; 16];
                digest[..pin.len()].copy_from_slice(pin.as_bytes());
                match self.pins.history.may_type(digest, tries) {
                    Ok(()) => {
                        self.pins.history.type_it(digest);
                        self.pins.given.push((token, digest));
                        PinAnswer::Type(Secret::new(pin))
                    }
                    Err(refused) => {
                        self.pins.refused.push(refused);
                        PinAnswer::Wait(format!("the PIN may not be typed: {refused:?}"))
                    }
                }
            }
        };
        self.session.handle_input(self.now, Input::Pin { token, answer });
        true
    }

    /// What came to disk is told.
    fn keep(&mut self) -> bool {
        if !self.keeps {
            return false;
        }
        if self.kept.is_empty() {
            return false;
        }
        let held = self.kept.remove(0);
        self.session.handle_input(self.now, Input::Kept(held));
        true
    }

    /// What waits to come to disk can't be taken.
    pub(crate) fn not_kept(&mut self) {
        for held in std::mem::take(&mut self.kept) {
            self.session.handle_input(self.now, Input::NotKept(held));
        }
    }

    fn transmit(&mut self, bytes: &Bytes) {
        if let Some(token) = bytes.hands_over {
            assert!(self.granted.contains(&token), "a PDU without a granted intent");
            if let Some(reason) = self.withhold {
                return self.session.handle_input(self.now, Input::Withheld { token, reason });
            }
        }
        self.check_written(bytes);
        self.written.push((self.now, String::from_utf8(bytes.bytes.clone()).unwrap()));
        if let Some(token) = bytes.hands_over {
            assert!(self.handed_over.iter().all(|(_, t)| *t != token), "handed over twice");
            self.handed_over.push((self.now, token));
            self.silence = Some(Silence::until(self.now + LISTEN));
        }
        for piece in self.cut(&bytes.bytes) {
            self.simulator.handle_input(self.now, 0, ModemInput::Bytes(&piece));
        }
    }

    /// What must hold of every byte written, whatever happens.
    fn check_written(&mut self, bytes: &Bytes) {
        if let Some(silence) = &self.silence {
            assert!(self.now >= silence.until, "written while a message may be on the air, at {:?}", self.now);
            self.silence = None;
        }
        let (last, before) = bytes.bytes.split_last().expect("nothing is not written");
        if bytes.hands_over.is_some() {
            assert_eq!(*last, CTRL_Z);
            assert!(before.iter().all(u8::is_ascii_hexdigit), "something other than a PDU was handed over");
        } else {
            assert_eq!(*last, b'\r', "every command and every ESC ends with CR");
            assert!(!before.contains(&b'\r') && !before.contains(&b'\n') && !before.contains(&CTRL_Z));
            assert!(!before.contains(&ESC) || before == [ESC], "an ESC is followed by CR, and nothing else");
        }
    }

    fn deliver(&mut self, bytes: &[u8]) {
        if !self.open {
            return;
        }
        if let Some(silence) = &mut self.silence {
            silence.heard += &String::from_utf8_lossy(bytes);
            if has_result(&silence.heard) {
                self.silence = None;
            } else if BOOTS.iter().any(|boot| silence.heard.contains(boot)) && !silence.forgotten {
                silence.forgotten = true;
                silence.until = silence.until.min(self.now + secs(5));
            }
        }
        for piece in self.cut(bytes) {
            self.session.handle_input(self.now, Input::Bytes(&piece));
        }
    }

    fn misheard(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut said = String::from_utf8_lossy(bytes).into_owned();
        if self.mishear_once.first().is_some_and(|(from, _)| said.contains(from)) {
            let (from, to) = self.mishear_once.remove(0);
            said = said.replacen(from, to, 1);
        }
        self.mishear.iter().fold(said, |said, (from, to)| said.replace(from, to)).into_bytes()
    }

    fn cut(&mut self, mut bytes: &[u8]) -> Vec<Vec<u8>> {
        if self.pieces.is_empty() {
            return vec![bytes.to_vec()];
        }
        let mut all = Vec::new();
        while !bytes.is_empty() {
            let length = self.pieces[self.next_piece % self.pieces.len()].clamp(1, bytes.len());
            self.next_piece += 1;
            let (piece, rest) = bytes.split_at(length);
            all.push(piece.to_vec());
            bytes = rest;
        }
        all
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        assert!(self.copies.len() <= self.handed_over.len(), "more copies than PDUs handed over");
        assert!(self.deceived || self.counts().bytes_while_sending == 0, "bytes came between 0x1A and the result");
        let submits = self.handed_over.len() as u64;
        assert!(self.counts().submits <= submits, "the modem saw a Ctrl-Z that was no hand-over");
    }
}

fn has_result(heard: &str) -> bool {
    RESULTS.iter().any(|result| heard.contains(result))
}

/// A part of a text, with a report asked for.
pub(crate) fn pdu(text: &str, part: usize) -> Pdu {
    let to = Address::international(&Msisdn::parse("+14155550100").unwrap());
    let mut submit = Submit::new(to, segment(text, Default::default()).unwrap().part_user_data(part, 9).unwrap());
    submit.status_report_request = true;
    submit.validity = TpVp::relative(Duration::from_secs(3600));
    submit.to_pdu(None)
}

pub(crate) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(crate) fn secs(s: u64) -> Duration {
    Duration::from_secs(s)
}

/// Bring-up with a modem that is well.
pub(crate) const SOON: Duration = Duration::from_secs(10);
/// Longer than anything may take: 180 s of listening, resynchronising, and a bring-up or two.
pub(crate) const LONG: Duration = Duration::from_secs(600);
/// How long after 0x1A nothing may be written without a result.
pub(crate) const LISTEN: Duration = Duration::from_secs(180);
/// The driver's pause before it opens a port again.
const REOPEN: Duration = Duration::from_secs(1);
/// More than this at one moment, and something runs in a circle.
const MOST_AT_ONCE: u32 = 100;
const CTRL_Z: u8 = 0x1A;
const ESC: u8 = 0x1B;
/// What can end a send.
const RESULTS: &[&str] = &["OK", "ERROR", "+CMGS:", "NOT SUPPORT", "TOO MANY"];
/// What says that a modem has restarted.
const BOOTS: &[&str] = &["RDY", "+CFUN: 1"];
