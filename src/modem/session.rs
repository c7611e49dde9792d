//! One modem's session, from an open port to messages on the air. Pure: the driver around it owns the port and the
//! clock. Here, and only here, AT commands and TPDUs meet.
//!
//! Call [`Session::handle_input`], then drain [`Session::poll_output`], then sleep until [`Session::next_timeout`].
//!
//! The ladder, from the mildest rung: the engine's own ESC, quiet and barrier after any time-out; bring-up anew after
//! two messages in a row that never left, or news of a reboot, which also ends the listening for a message on the air;
//! close and reopen when no barrier is passed or the modem does not answer at all.

mod acknowledge;

use super::bringup::{HEARTBEAT, Known, Next, STEPS};
use super::quirks::{Configured, Quirks};
use crate::at::response::{self, StoredAt};
use crate::at::urc::Domain;
use crate::at::{
    self, Command, Engine, Event as AtEvent, FinalResult, Input as AtInput, NotTransmitted, Output as AtOutput, PduHex,
    Reply, ReplyEnd, SubmitResult, Urc,
};
use crate::dispatch::retry::{FinalError, judge};
use crate::domain::equipment::{Imei, SimCard};
use crate::domain::message::{PartResult, ReportVerdict};
use crate::domain::reason::Reason;
use crate::domain::secret::Secret;
use crate::domain::time::Mono;
use crate::modem::board::ModemState;
use crate::sms::pdu::{self, Pdu, SmscField, Tpdu};
use acknowledge::Acknowledgements;
use std::collections::VecDeque;
use std::time::Duration;

/// Everything that can happen to a session.
#[derive(Debug)]
pub enum Input<'a> {
    /// The port is open. With `listen`, nothing is written for so long, or until a result is heard: a message from
    /// before a restart may still be on the air.
    Opened {
        /// How long to listen.
        listen: Option<Duration>,
    },
    /// The port is gone.
    Lost,
    /// The modem said this.
    Bytes(&'a [u8]),
    /// A deadline may have come.
    Timeout,
    /// Send this. Only after [`Session::is_free`].
    Submit(Job),
    /// Whether the intent is on disk.
    Intent {
        /// Which job.
        token: u64,
        /// Whether it is.
        granted: bool,
    },
    /// The PDU was not written: between grant and hand-over somebody called the message off, or its time ran out.
    Withheld {
        /// Which job.
        token: u64,
        /// Why.
        reason: Reason,
    },
}

/// One part to send.
#[derive(Clone, Debug)]
pub struct Job {
    /// Names it in every event about it.
    pub token: u64,
    /// The PDU.
    pub pdu: Pdu,
    /// No 0x1A at or after this.
    pub not_after: Mono,
    /// How long to wait for a result until it counts as uncertain, 20 to 120 s.
    pub send_deadline: Duration,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Write these bytes.
    Transmit(Bytes),
    /// Close the port and open it again after a pause; in words, why.
    Reopen(&'static str),
    /// Close the port and leave it alone for long: nothing sent over it can succeed until somebody does something; in
    /// words, what.
    Stop(&'static str),
    /// Something happened.
    Event(Event),
}

/// Bytes for the modem. `Debug` shows how many.
#[derive(Clone, PartialEq, Eq)]
pub struct Bytes {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// For which job they hand a PDU over, if they do: from the first of them written it may be on the air.
    pub hands_over: Option<u64>,
}

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{} bytes{}]", self.bytes.len(), if self.hands_over.is_some() { ", a PDU" } else { "" })
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The port belongs to this modem with this SIM card.
    Identified {
        /// The modem, if it tells who it is.
        imei: Option<Imei>,
        /// The SIM card.
        sim_card: SimCard,
    },
    /// What [`Session::view`] shows has changed.
    Changed,
    /// `AT+CMGS` went out for this job: make its intent durable.
    WantIntent {
        /// Which job.
        token: u64,
    },
    /// A job ended, or its end is unknown for now.
    Outcome {
        /// Which job.
        token: u64,
        /// How it ended.
        result: PartResult,
    },
    /// A job that was uncertain ended after all.
    Late {
        /// Which job.
        token: u64,
        /// How it ended.
        result: PartResult,
    },
    /// No result of the uncertain job came, and none is waited for any more.
    ListeningEnded,
    /// The result of a message from before the restart: heard while listening before the first ESC, or later, as long
    /// as it can be no own job's. Comes after [`Event::Identified`].
    Heard(PartResult),
    /// A status report.
    Report {
        /// TP-MR.
        reference: u8,
        /// The digits of TP-RA.
        recipient: Secret,
        /// TP-ST.
        status: u8,
        /// What TP-ST means.
        verdict: ReportVerdict,
    },
    /// A message came in. Its text is not kept.
    Inbound {
        /// The sender, masked.
        from: String,
        /// Characters in it.
        characters: usize,
    },
    /// Something worth a line in the log.
    Notice(&'static str),
}

/// What a session knows of its modem.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// What it is doing.
    pub state: ModemState,
    /// Why it can't send, in words.
    pub reason: Option<String>,
    /// `+CGMI`
    pub manufacturer: Option<String>,
    /// `+CGMM`
    pub model: Option<String>,
    /// `+CGMR`
    pub revision: Option<String>,
    /// `+COPS`
    pub operator: Option<String>,
    /// In words.
    pub registration: Option<&'static str>,
    /// From `+CSQ`.
    pub signal_dbm: Option<i16>,
    /// In words.
    pub degraded: Vec<&'static str>,
}

/// One modem's session. See the module's text.
#[derive(Debug)]
pub struct Session {
    engine: Engine,
    configured: Configured,
    quirks: Quirks,
    known: Known,
    phase: Phase,
    /// The job that the engine has, or listens for.
    job: Option<u64>,
    /// A former run's result, until it is known whose modem and SIM card it came from.
    heard: Option<SubmitResult>,
    /// An own job left and ended without its TP-MR: a `+CMGS:` that comes later may be that one's.
    astray: bool,
    /// What the modem said lies in a storage: reports to read and delete, messages to read.
    fetches: VecDeque<Fetch>,
    /// Reports that came before it was known whose they are: what a modem kept back comes as soon as CNMI is set.
    early: Vec<Event>,
    acknowledgements: Acknowledgements,
    /// When the last send ended.
    sent: Option<Mono>,
    asked: Option<Asked>,
    unsent_in_a_row: u8,
    /// Refusals in a row by which it sends no messages at all: 301 and 303.
    reserved_in_a_row: u8,
    withheld: Option<Reason>,
    rebooted: bool,
    quiet_since: Mono,
    next_heartbeat: usize,
    outputs: VecDeque<Output>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Closed,
    /// The engine looks for the modem.
    Synchronising,
    /// A step's nth way of asking; nothing before `from`.
    BringUp {
        step: usize,
        way: usize,
        from: Mono,
        why: Option<&'static str>,
        /// Answers that were lost in this step.
        lost: u8,
    },
    /// It can send, if it is registered.
    Up,
    /// The engine resynchronises, or listens for an uncertain job.
    Recovering,
}

#[derive(Clone, Debug)]
enum Fetch {
    Select(StoredAt, bool),
    Read(StoredAt, bool),
    Delete(StoredAt),
}

#[derive(Clone, Debug)]
enum Asked {
    Step,
    Heartbeat(usize),
    Fetch(Fetch),
    Acknowledgement,
    Routing,
}

impl Session {
    /// A session whose port is not open yet.
    pub fn new(configured: Configured) -> Self {
        let quirks = configured.over(None);
        Self {
            configured,
            engine: Engine::new(config(quirks, &Known::default())),
            quirks,
            known: Known::default(),
            phase: Phase::Closed,
            job: None,
            heard: None,
            astray: false,
            fetches: VecDeque::new(),
            early: Vec::new(),
            acknowledgements: Acknowledgements::default(),
            sent: None,
            asked: None,
            unsent_in_a_row: 0,
            reserved_in_a_row: 0,
            withheld: None,
            rebooted: false,
            quiet_since: Mono::default(),
            next_heartbeat: 0,
            outputs: VecDeque::new(),
        }
    }

    /// Takes what happened.
    pub fn handle_input(&mut self, now: Mono, input: Input<'_>) {
        match input {
            Input::Opened { listen } => {
                self.known = Known::default();
                self.fetches.clear();
                self.early.clear();
                self.acknowledgements.forget();
                self.asked = None;
                self.heard = None;
                self.rebooted = false;
                self.unsent_in_a_row = 0;
                self.engine.set_config(config(self.quirks, &self.known));
                self.go(Phase::Synchronising);
                self.engine.handle_input(now, AtInput::Start { listen_until: listen.map(|d| now + d) });
            }
            Input::Lost => {
                self.engine.handle_input(now, AtInput::Reset);
                self.go(Phase::Closed);
            }
            Input::Bytes(bytes) => self.engine.handle_input(now, AtInput::Bytes(bytes)),
            Input::Timeout => self.engine.handle_input(now, AtInput::Timeout),
            Input::Submit(job) => self.submit(now, job),
            Input::Intent { token, granted } => {
                self.engine.handle_input(now, AtInput::Release { token, granted });
            }
            Input::Withheld { token, reason } => {
                self.withheld = Some(reason);
                self.engine.handle_input(now, AtInput::Withheld { token });
            }
        }
        self.drain(now);
        if self.phase == Phase::Closed {
            self.job = None;
        }
        self.proceed(now);
    }

    /// What to do next; `None` when there is nothing before the next input.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Input::Timeout`] is due, if nothing else happens before.
    pub fn next_timeout(&self) -> Option<Mono> {
        let own = match self.phase {
            // Nothing can be said while the engine is busy, and it has its own time for that.
            _ if !self.engine.is_ready() => None,
            Phase::BringUp { from, .. } if self.asked.is_none() => Some(from),
            Phase::Up if self.asked.is_none() && self.job.is_none() => Some(self.quiet_since + self.heartbeat()),
            _ => None,
        };
        own.into_iter().chain(self.engine.next_timeout()).min()
    }

    /// Whether a job would be taken now.
    pub fn is_free(&self) -> bool {
        self.phase == Phase::Up
            && self.job.is_none()
            && self.asked.is_none()
            && self.fetches.is_empty()
            && self.acknowledgements.is_settled()
            && !self.rebooted
            && self.engine.is_ready()
            && self.known.registration().is_some()
    }

    /// Whether a job was handed over and neither a result nor the end of listening has come.
    pub fn is_on_air(&self) -> bool {
        self.engine.is_on_air()
    }

    /// Whether it is up and registered, busy or not.
    pub fn is_ready(&self) -> bool {
        self.phase == Phase::Up && self.known.registration().is_some()
    }

    /// Whether reports can come at all.
    pub fn gives_reports(&self) -> bool {
        self.known.routing.is_some_and(|[_, _, _, ds, _]| ds > 0)
    }

    /// What is known of the modem.
    pub fn view(&self) -> View {
        let registration = self.known.registration();
        let (state, reason) = match self.phase {
            Phase::Closed => (ModemState::Closed, None),
            Phase::Synchronising => (ModemState::Starting, None),
            Phase::BringUp { why: Some(why), .. } => (ModemState::Waiting, Some(why.to_owned())),
            Phase::BringUp { .. } => (ModemState::Starting, None),
            Phase::Recovering => (ModemState::Recovering, self.job.map(|_| LISTENING.to_owned())),
            Phase::Up if registration.is_none() => (ModemState::Waiting, Some(self.known.unregistered().to_owned())),
            Phase::Up if self.job.is_some() => (ModemState::Sending, None),
            Phase::Up => (ModemState::Ready, None),
        };
        View {
            state,
            reason,
            manufacturer: self.known.manufacturer.clone(),
            model: self.known.model.clone(),
            revision: self.known.revision.clone(),
            operator: self.known.operator.clone(),
            registration,
            signal_dbm: self.known.signal_dbm,
            degraded: self.known.degraded.clone(),
        }
    }

    fn submit(&mut self, now: Mono, job: Job) {
        let token = job.token;
        let pdu = PduHex::new(job.pdu.hex(), job.pdu.tpdu_len());
        let (true, Some(pdu)) = (self.is_free(), pdu) else {
            return self.emit(Event::Outcome { token, result: PartResult::NotSent(Reason::NotTransmitted) });
        };
        self.job = Some(token);
        self.withheld = None;
        let submit = at::Submit {
            token,
            pdu,
            length: job.pdu.tpdu_len(),
            prompt_deadline: PROMPT,
            prompt_delay: self.quirks.prompt_delay,
            not_after: job.not_after,
            send_deadline: job.send_deadline,
        };
        self.engine.handle_input(now, AtInput::Submit(submit));
        self.emit(Event::Changed);
    }

    fn drain(&mut self, now: Mono) {
        while let Some(output) = self.engine.poll_output() {
            match output {
                AtOutput::Transmit { bytes, irreversible } => {
                    let hands_over = self.job.filter(|_| irreversible);
                    self.outputs.push_back(Output::Transmit(Bytes { bytes, hands_over }));
                }
                AtOutput::Event(event) => self.take(now, event),
            }
        }
    }

    fn take(&mut self, now: Mono, event: AtEvent) {
        match event {
            AtEvent::Synchronised => self.begin_bring_up(now),
            AtEvent::Unresponsive => {
                self.reopen("it does not answer; check its power and cable, and that this is its AT port")
            }
            AtEvent::Desynchronised => self.reopen("its answers no longer fit the questions"),
            AtEvent::Heard(result) => self.heard = Some(result),
            AtEvent::Replied(reply) => self.replied(now, reply),
            AtEvent::WantRelease { token } => self.emit(Event::WantIntent { token }),
            AtEvent::Submitted { token, result } => self.submitted(now, token, result),
            AtEvent::Uncertain { token } => {
                let reason = if self.phase == Phase::Closed { Reason::PortLost } else { Reason::NoResult };
                self.astray |= reason == Reason::PortLost;
                self.emit(Event::Outcome { token, result: PartResult::Uncertain(reason) });
                if self.phase != Phase::Closed {
                    self.go(Phase::Recovering);
                }
            }
            AtEvent::LateResult { token, result } => {
                self.job = None;
                self.astray |= leaves_astray(result);
                let outcome = self.part_result(result);
                self.emit(Event::Late { token, result: outcome });
                if self.phase == Phase::Recovering {
                    self.go(Phase::Up);
                }
                self.count_reserved(result, outcome);
            }
            AtEvent::ListeningEnded { .. } => {
                self.job = None;
                self.astray = true;
                self.rebooted = true;
                self.emit(Event::ListeningEnded);
            }
            AtEvent::Resynchronised if self.phase == Phase::Recovering => self.go(Phase::Up),
            AtEvent::Resynchronised => {}
            AtEvent::OrphanResult { reference } => self.orphan(reference),
            AtEvent::ForeignEcho(_) => {
                self.emit(Event::Notice("Somebody else speaks on this port; stop ModemManager or whatever uses it"));
            }
            AtEvent::StrayPrompt => self.emit(Event::Notice("A prompt came outside its time; it was escaped")),
            AtEvent::Urc(urc) => self.news(now, urc),
            AtEvent::Noise { .. } | AtEvent::Trace(_) => {}
            AtEvent::Refused(_) => {
                // The engine was busy with something else after all: nothing has left.
                if let (Some(token), true) = (self.job, !self.engine.is_on_air()) {
                    self.job = None;
                    self.emit(Event::Outcome { token, result: PartResult::NotSent(Reason::NotTransmitted) });
                }
                self.asked = None;
            }
        }
    }

    /// A `+CMGS:` while no own job is on the air or listened for: a former run's, unless it may be that of an own job
    /// that went astray.
    fn orphan(&mut self, reference: u8) {
        let result = SubmitResult::Accepted { reference: Some(reference) };
        match self.phase {
            _ if self.astray || self.heard.is_some() => {
                self.emit(Event::Notice("A send result that belongs to no message was heard; it is credited to none"));
            }
            Phase::Up | Phase::Recovering => {
                let result = self.part_result(result);
                self.emit(Event::Heard(result));
            }
            _ => self.heard = Some(result),
        }
    }

    fn submitted(&mut self, now: Mono, token: u64, result: SubmitResult) {
        self.job = None;
        self.astray |= leaves_astray(result);
        self.quiet_since = now;
        self.sent = Some(now);
        let outcome = self.part_result(result);
        match result {
            SubmitResult::NotTransmitted(NotTransmitted::NoPrompt | NotTransmitted::Interrupted) => {
                self.unsent_in_a_row = self.unsent_in_a_row.saturating_add(1);
            }
            SubmitResult::RefusedBeforePdu(_) => self.unsent_in_a_row = self.unsent_in_a_row.saturating_add(1),
            // Also a refusal behind the PDU shows that the dialogue works.
            SubmitResult::Accepted { .. } | SubmitResult::Refused(_) => self.unsent_in_a_row = 0,
            SubmitResult::NotTransmitted(_) => {}
        }
        let set_up_again = matches!(outcome, PartResult::NotSent(Reason::Cms(301 | 303 | 304 | 305)));
        self.emit(Event::Outcome { token, result: outcome });
        self.count_reserved(result, outcome);
        if self.phase == Phase::Closed {
            return;
        }
        if self.unsent_in_a_row >= REOPEN_AFTER {
            self.reopen("several messages in a row never left it");
        } else if set_up_again || self.unsent_in_a_row >= SET_UP_AFTER {
            self.rebooted = true;
        }
        self.emit(Event::Changed);
    }

    /// Once, setting it up anew may help. Twice, and each message more would be refused as well.
    fn count_reserved(&mut self, result: SubmitResult, outcome: PartResult) {
        match (outcome, result) {
            (PartResult::NotSent(Reason::Cms(301 | 303)), _) => self.reserved_in_a_row += 1,
            (_, SubmitResult::Accepted { .. } | SubmitResult::Refused(_)) => self.reserved_in_a_row = 0,
            _ => {}
        }
        if self.reserved_in_a_row >= STOP_AFTER {
            self.reserved_in_a_row = 0;
            self.outputs.push_back(Output::Stop(NO_MESSAGES));
            self.go(Phase::Closed);
        }
    }

    fn part_result(&mut self, result: SubmitResult) -> PartResult {
        match result {
            SubmitResult::Accepted { reference } => PartResult::Accepted(reference),
            SubmitResult::Refused(result) => judge(true, final_error(result)),
            SubmitResult::RefusedBeforePdu(result) => judge(false, final_error(result)),
            SubmitResult::NotTransmitted(NotTransmitted::Expired) => PartResult::NotSent(Reason::TtlPassed),
            SubmitResult::NotTransmitted(_) => {
                PartResult::NotSent(self.withheld.take().unwrap_or(Reason::NotTransmitted))
            }
        }
    }

    fn news(&mut self, now: Mono, urc: Urc) {
        match urc {
            Urc::Report(pdu) => {
                self.owe_acknowledgement(now);
                self.report(&pdu);
            }
            Urc::ReportStored(at) => self.fetches.push_back(Fetch::Select(at, true)),
            Urc::MessageStored(at) => self.fetches.push_back(Fetch::Select(at, false)),
            Urc::Message(pdu) => {
                self.owe_acknowledgement(now);
                self.inbound(&pdu);
            }
            Urc::Registration(domain, registration) => {
                let slot = match domain {
                    Domain::Circuit => &mut self.known.circuit,
                    Domain::Packet => &mut self.known.packet,
                    Domain::Eps => &mut self.known.eps,
                };
                if *slot != Some(registration.status) {
                    *slot = Some(registration.status);
                    self.emit(Event::Changed);
                }
            }
            // Also in the middle of the bring-up: what was set so far is gone. Text mode is no news before it was left.
            Urc::Booted | Urc::TextMode
                if matches!(self.phase, Phase::Up | Phase::Recovering)
                    || urc == Urc::Booted && matches!(self.phase, Phase::BringUp { .. }) =>
            {
                self.rebooted = true;
                self.acknowledgements.forget();
                self.emit(Event::Notice("The modem has restarted by itself; it is set up again"));
            }
            Urc::PowerDown => self.emit(Event::Notice("The modem says that it goes off; check its power supply")),
            Urc::StorageFull => {
                self.emit(Event::Notice(
                    "The modem's message storage is full; nothing more comes in until it is emptied",
                ));
            }
            _ => {}
        }
        self.fetches.truncate(MAX_FETCHES);
    }

    /// Nothing is acknowledged in the middle of a send, and some modems hold back until its end what came during it: by
    /// then they may have tired of waiting.
    fn owe_acknowledgement(&mut self, now: Mono) {
        if self.known.acknowledges {
            let late = self.job.is_some() || self.sent.is_some_and(|sent| now < sent + HELD_BACK);
            self.acknowledgements.owe(late);
        }
    }

    fn report(&mut self, pdu: &PduHex) {
        let decoded = pdu::decode_hex(pdu.as_str(), SmscField::Auto);
        match decoded.map(|d| d.tpdu) {
            Ok(Tpdu::StatusReport(report)) => {
                let event = Event::Report {
                    reference: report.message_reference.0,
                    recipient: Secret::new(report.recipient.reveal_digits().unwrap_or_default()),
                    status: report.status.0,
                    verdict: verdict(report.status.verdict()),
                };
                match self.phase {
                    Phase::Up | Phase::Recovering => self.emit(event),
                    _ if self.early.len() < MAX_FETCHES => self.early.push(event),
                    _ => {}
                }
            }
            Ok(_) => self.emit(Event::Notice("A status report was announced, but another kind of PDU came")),
            Err(_) => self.emit(Event::Notice("A status report could not be read")),
        }
    }

    fn inbound(&mut self, pdu: &PduHex) {
        match pdu::decode_hex(pdu.as_str(), SmscField::Auto).map(|d| d.tpdu) {
            Ok(Tpdu::Deliver(deliver)) => self.emit(Event::Inbound {
                from: deliver.originator.to_string(),
                characters: deliver.user_data.text().map_or(0, |text| text.reveal().chars().count()),
            }),
            Ok(Tpdu::StatusReport(_)) => self.report(pdu),
            _ => self.emit(Event::Notice("A message came in that could not be read")),
        }
    }

    fn replied(&mut self, now: Mono, reply: Reply) {
        self.quiet_since = now;
        match self.asked.take() {
            Some(Asked::Step) => self.step_done(now, &reply),
            Some(Asked::Heartbeat(step)) => {
                let before = self.is_ready();
                // No answer says nothing about what was asked.
                if matches!(reply.end, ReplyEnd::Final(_)) {
                    let _ = (STEPS[step].take)(&mut self.known, &reply);
                }
                if before != self.is_ready() || reply.is_ok() {
                    self.emit(Event::Changed);
                }
            }
            Some(Asked::Fetch(fetch)) => self.fetched(fetch, &reply),
            Some(Asked::Acknowledgement) => self.acknowledgements.answered(&reply),
            // What it took before it takes no more: something has changed.
            Some(Asked::Routing) => self.rebooted |= matches!(reply.end, ReplyEnd::Final(_)) && !reply.is_ok(),
            None => {}
        }
    }

    fn fetched(&mut self, fetch: Fetch, reply: &Reply) {
        match fetch {
            Fetch::Select(at, report) => self.fetches.push_front(Fetch::Read(at, report)),
            Fetch::Read(at, report) => {
                let found = response::stored_messages(&reply.lines).into_iter().find_map(|m| m.pdu);
                match found {
                    Some(pdu) if report => {
                        self.report(&pdu);
                        // Only what really is a report: some modems announce one and name another message's place.
                        let decoded = pdu::decode_hex(pdu.as_str(), SmscField::Auto).map(|d| d.tpdu);
                        if matches!(decoded, Ok(Tpdu::StatusReport(_))) {
                            self.fetches.push_front(Fetch::Delete(at));
                        }
                    }
                    Some(pdu) => self.inbound(&pdu),
                    None => self.emit(Event::Notice("A message was announced, but is not where the modem said")),
                }
            }
            Fetch::Delete(_) => {}
        }
    }

    fn begin_bring_up(&mut self, now: Mono) {
        // Nothing is taken over, least of all whose SIM card it was: another may be in it by now.
        self.known = Known::default();
        self.rebooted = false;
        self.go(Phase::BringUp { step: 0, way: 0, from: now, why: None, lost: 0 });
    }

    fn step_done(&mut self, now: Mono, reply: &Reply) {
        let Phase::BringUp { step, way, why, lost, .. } = self.phase else { return };
        let mut known = self.known.clone();
        let next = (STEPS[step].take)(&mut known, reply);
        if lost < LOST_ANSWERS && self.is_worth_asking_again(step, way, reply, &next) {
            self.phase = Phase::BringUp { step, way, from: now, why, lost: lost + 1 };
            return;
        }
        self.known = known;
        let next_step = Phase::BringUp { step: step + 1, way: 0, from: now, why: None, lost: 0 };
        self.phase = match next {
            Next::Step => next_step,
            Next::Another => Phase::BringUp { step, way: way + 1, from: now, why, lost },
            Next::Degraded(words) => {
                self.known.degraded.push(words);
                next_step
            }
            Next::Again(pause, words) => {
                if why != Some(words) {
                    self.emit(Event::Changed);
                }
                Phase::BringUp { step, way: 0, from: now + pause, why: Some(words), lost: 0 }
            }
        };
    }

    /// A lost answer says nothing about the modem. What a step asks again by itself is left to it, and nothing is said
    /// twice that may have been taken the first time.
    fn is_worth_asking_again(&self, step: usize, way: usize, reply: &Reply, next: &Next) -> bool {
        let no_answer = matches!(reply.end, ReplyEnd::TimedOut | ReplyEnd::Interrupted);
        let repeatable = (STEPS[step].ask)(&self.known, way).is_some_and(|command| command.repeatable);
        no_answer && repeatable && !matches!(next, Next::Again(..))
    }

    /// Says the next thing there is to say, if nothing is in flight.
    fn proceed(&mut self, now: Mono) {
        if !self.may_speak() || self.acknowledge(now) {
            return;
        }
        match self.phase {
            Phase::BringUp { .. } | Phase::Up if self.rebooted => {
                self.begin_bring_up(now);
                self.next_step(now, 0, 0);
            }
            Phase::BringUp { from, .. } if from > now => {}
            Phase::BringUp { step, way, .. } => self.next_step(now, step, way),
            Phase::Up => self.be_idle(now),
            _ => {}
        }
        self.drain(now);
    }

    /// Acknowledges what is owed, before anything else. False if nothing is.
    fn acknowledge(&mut self, now: Mono) -> bool {
        let set_up = matches!(self.phase, Phase::BringUp { .. } | Phase::Up);
        let command = self.acknowledgements.next().filter(|_| set_up);
        command.map(|command| self.ask(now, command, Asked::Acknowledgement)).is_some()
    }

    fn be_idle(&mut self, now: Mono) {
        if let (true, Some(form)) = (self.acknowledgements.take_routing_due(), self.known.routing) {
            self.ask(now, Command::indications(form), Asked::Routing);
        } else if let Some(fetch) = self.fetches.pop_front() {
            self.fetch(now, fetch);
        } else if now >= self.quiet_since + self.heartbeat() {
            self.beat(now);
        }
    }

    /// Whether nothing is in flight.
    fn may_speak(&self) -> bool {
        self.asked.is_none() && self.job.is_none() && self.engine.is_ready()
    }

    fn next_step(&mut self, now: Mono, mut step: usize, mut way: usize) {
        while let Some(next) = STEPS.get(step) {
            match (next.ask)(&self.known, way) {
                Some(command) => {
                    self.phase = match self.phase {
                        Phase::BringUp { from, why, lost, .. } => Phase::BringUp { step, way, from, why, lost },
                        other => other,
                    };
                    return self.ask(now, command, Asked::Step);
                }
                None => (step, way) = (step + 1, 0),
            }
        }
        self.bring_up_done(now);
    }

    fn bring_up_done(&mut self, now: Mono) {
        self.quirks = self.configured.over(self.known.manufacturer.as_deref());
        self.engine.set_config(config(self.quirks, &self.known));
        self.quiet_since = now;
        self.go(Phase::Up);
        if let Some(sim_card) = self.known.sim_card.clone() {
            self.emit(Event::Identified { imei: self.known.imei.clone(), sim_card });
        }
        for report in std::mem::take(&mut self.early) {
            self.emit(report);
        }
        if let Some(heard) = self.heard.take() {
            let result = self.part_result(heard);
            self.emit(Event::Heard(result));
        }
    }

    fn fetch(&mut self, now: Mono, fetch: Fetch) {
        let command = match &fetch {
            Fetch::Select(at, _) => Command::use_storages(&[&at.memory]).unwrap_or_else(|_| Command::attention()),
            Fetch::Read(at, _) => Command::read_message(at.index),
            Fetch::Delete(at) => Command::delete_message(at.index),
        };
        self.ask(now, command, Asked::Fetch(fetch));
    }

    fn beat(&mut self, now: Mono) {
        let name = HEARTBEAT[self.next_heartbeat % HEARTBEAT.len()];
        self.next_heartbeat += 1;
        // An acknowledgement may have been missed, and then it gives no more reports.
        if self.known.acknowledges && self.next_heartbeat.is_multiple_of(HEARTBEAT.len()) {
            self.acknowledgements.doubt_routing();
        }
        if let Some((i, step)) = STEPS.iter().enumerate().find(|(_, step)| step.name == name)
            && let Some(command) = (step.ask)(&self.known, 0)
        {
            self.ask(now, command, Asked::Heartbeat(i));
        }
    }

    /// An unregistered modem is asked often, so that messages go as soon as it is registered.
    fn heartbeat(&self) -> Duration {
        if self.known.registration().is_some() { HEARTBEAT_EVERY } else { REGISTRATION_EVERY }
    }

    fn ask(&mut self, now: Mono, command: Command, asked: Asked) {
        self.asked = Some(asked);
        self.engine.handle_input(now, AtInput::Command(command));
        self.drain(now);
    }

    fn reopen(&mut self, why: &'static str) {
        self.outputs.push_back(Output::Reopen(why));
        self.go(Phase::Closed);
    }

    fn go(&mut self, phase: Phase) {
        self.phase = phase;
        self.emit(Event::Changed);
    }

    fn emit(&mut self, event: Event) {
        // One notice of change is as good as several in a row.
        if event == Event::Changed && self.outputs.back() == Some(&Output::Event(Event::Changed)) {
            return;
        }
        self.outputs.push_back(Output::Event(event));
    }
}

fn config(quirks: Quirks, known: &Known) -> at::Config {
    let mut config = at::Config { command_gap: quirks.command_gap, ..at::Config::default() };
    if known.barriers.len() >= 2 {
        config.barriers = known.barriers.clone();
    }
    config
}

/// Whether a `+CMGS:` may still come of it. Without TP-MR, or behind an error, what was taken for the result may have
/// been another's.
fn leaves_astray(result: SubmitResult) -> bool {
    matches!(result, SubmitResult::Accepted { reference: None } | SubmitResult::Refused(_))
}

fn final_error(result: FinalResult) -> FinalError {
    match result {
        FinalResult::Cms(Some(n)) => FinalError::Cms(n),
        FinalResult::Cme(Some(n)) => FinalError::Cme(n),
        _ => FinalError::Bare,
    }
}

fn verdict(verdict: pdu::ReportVerdict) -> ReportVerdict {
    match verdict {
        pdu::ReportVerdict::Delivered => ReportVerdict::Delivered,
        pdu::ReportVerdict::Unconfirmed => ReportVerdict::Unconfirmed,
        pdu::ReportVerdict::StillTrying => ReportVerdict::StillTrying,
        pdu::ReportVerdict::Replaced | pdu::ReportVerdict::PermanentFailure => ReportVerdict::Failed,
        pdu::ReportVerdict::GaveUp => ReportVerdict::GaveUp,
    }
}

/// How long the prompt may take.
const PROMPT: Duration = Duration::from_secs(10);
/// Messages in a row that never left, until the modem is set up anew, and until its port is reopened.
const SET_UP_AFTER: u8 = 2;
const REOPEN_AFTER: u8 = 4;
/// Refusals with 301 or 303 in a row, until the modem is stopped.
const STOP_AFTER: u8 = 2;
/// Answers of one step of the bring-up that may be lost, however many ways of asking it has.
const LOST_ANSWERS: u8 = 2;
/// How long a modem may be silent before it is asked something.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(60);
/// How often a modem without a network is asked whether it has one now.
const REGISTRATION_EVERY: Duration = Duration::from_secs(5);
/// What comes so soon after a send may have come during it.
const HELD_BACK: Duration = Duration::from_secs(1);
/// Announced messages kept in mind: as many as a large SIM card holds.
const MAX_FETCHES: usize = 255;
const NO_MESSAGES: &str = "it refuses every message (301 or 303): check that this is its AT port and that no other \
                           program uses it; if both are so, it can't send messages";
const LISTENING: &str = "a message's end is not known; it is listened for, up to 180 s";

#[cfg(test)]
mod tests {
    use super::*;

    /// A modem that answers `AT` and nothing else: each time-out served leaves something later to wait for.
    #[test]
    fn a_step_without_an_answer_is_waited_out() {
        let mut session = Session::new(Configured::default());
        let mut now = Mono::default();
        session.handle_input(now, Input::Opened { listen: None });
        let mut reopened = false;
        while !reopened {
            while let Some(output) = session.poll_output() {
                match output {
                    Output::Transmit(bytes) if bytes.bytes == b"AT\r" => {
                        session.handle_input(now, Input::Bytes(b"OK\r\n"));
                    }
                    Output::Reopen(_) => reopened = true,
                    _ => {}
                }
            }
            let Some(next) = session.next_timeout() else { break };
            assert!(next > now, "it would be woken without end in {:?}", session.phase);
            now = next;
            session.handle_input(now, Input::Timeout);
        }
        assert!(reopened, "a modem that answers no step is opened anew");
    }
}
