//! One modem's session, from an open port to messages on the air. Pure: the driver around it owns the port and the
//! clock. Here, and only here, AT commands and TPDUs meet.
//!
//! Call [`Session::handle_input`], then drain [`Session::poll_output`], then sleep until [`Session::next_timeout`].
//!
//! The ladder, from the mildest rung: the engine's own ESC, quiet and barrier after any time-out; bring-up anew after
//! two messages in a row that never left, or news of a reboot, which also ends the listening for a message on the air;
//! close and reopen when no barrier is passed or the modem does not answer at all.

mod acknowledge;
mod bearer;
mod idle;
mod incoming;
mod sending;
mod setting_up;
mod sweep;

use super::bringup::{HEARTBEAT, Known, Next, STEPS};
use super::quirks::{Configured, Quirks};
use crate::at::response;
pub use crate::at::response::StoredAt;
use crate::at::urc::Domain;
use crate::at::{
    self, Command, Engine, Event as AtEvent, FinalResult, Input as AtInput, NotTransmitted, Output as AtOutput, PduHex,
    Reply, ReplyEnd, SubmitResult, Urc,
};
use crate::config::SimCardConfig;
use crate::dispatch::retry::{FinalError, judge};
use crate::domain::equipment::{Imei, SimCard};
use crate::domain::message::{PartResult, ReportVerdict};
use crate::domain::reason::Reason;
use crate::domain::secret::Secret;
use crate::domain::time::Mono;
use crate::modem::board::ModemState;
use crate::sms::pdu::{self, Pdu, SmscField, Tpdu};
use acknowledge::Acknowledgements;
use bearer::Bearers;
use incoming::{Fetch, Incoming};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use sweep::Sweep;

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
    /// What lies there is on disk here.
    Kept(StoredAt),
    /// What lies there could not be taken; it is to stay.
    NotKept(StoredAt),
    /// Whether a message is ready to be sent: what comes in must not starve it.
    MessageWaits(bool),
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
        /// Where the modem keeps it, until [`Input::Kept`] says that it need not.
        stored: Option<StoredAt>,
    },
    /// A message came in, or a part of one, or something that can't be read.
    Inbound {
        /// The sender, masked.
        from: String,
        /// Characters in it.
        characters: usize,
        /// Its octets in hexadecimal, the service centre's field first.
        pdu: Secret,
        /// Where the modem keeps it, until [`Input::Kept`] says that it need not.
        stored: Option<StoredAt>,
    },
    /// Somebody called, and was rejected.
    CallRejected,
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
    /// As [`Session::is_doubtful`].
    pub doubtful: bool,
    /// Radio access technology.
    pub technology: Option<&'static str>,
    /// From `+CSQ`.
    pub signal_dbm: Option<i16>,
    /// The row of quirks that holds for it.
    pub quirks: &'static str,
    /// In words.
    pub degraded: Vec<&'static str>,
}

/// One modem's session. See the module's text.
#[derive(Debug)]
pub struct Session {
    engine: Engine,
    configured: Configured,
    cards: Arc<[SimCardConfig]>,
    quirks: Quirks,
    known: Known,
    phase: Phase,
    /// The job that the engine has, or listens for.
    job: Option<u64>,
    /// A former run's result, until it is known whose modem and SIM card it came from.
    heard: Option<SubmitResult>,
    /// An own job left and ended without its TP-MR: a `+CMGS:` that comes later may be that one's.
    astray: bool,
    incoming: Incoming,
    /// Reports and messages that came before it was known whose they are: what a modem kept back comes as soon as CNMI is set.
    early: Vec<Event>,
    acknowledgements: Acknowledgements,
    bearers: Bearers,
    /// The network has refused a message as it does where the service centre's number is wrong.
    centre_doubted: bool,
    /// When the last send ended.
    sent: Option<Mono>,
    asked: Option<Asked>,
    asked_at: Mono,
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
enum Asked {
    Step,
    Heartbeat(usize),
    /// A storage is to be chosen.
    Choose(String),
    Fetch(Fetch),
    Sweep,
    HangUp,
    Acknowledgement,
    Routing,
    Bearer,
}

impl Session {
    /// A session whose port is not open yet.
    pub fn new(configured: Configured) -> Self {
        let quirks = configured.over(None, None);
        Self {
            configured,
            cards: Arc::default(),
            engine: Engine::new(config(quirks, &Known::default())),
            quirks,
            known: Known::default(),
            phase: Phase::Closed,
            job: None,
            heard: None,
            astray: false,
            incoming: Incoming::default(),
            early: Vec::new(),
            acknowledgements: Acknowledgements::default(),
            bearers: Bearers::default(),
            centre_doubted: false,
            sent: None,
            asked: None,
            asked_at: Mono::default(),
            unsent_in_a_row: 0,
            reserved_in_a_row: 0,
            withheld: None,
            rebooted: false,
            quiet_since: Mono::default(),
            next_heartbeat: 0,
            outputs: VecDeque::new(),
        }
    }

    /// With what is said about SIM cards.
    pub fn with_sim_cards(self, cards: Arc<[SimCardConfig]>) -> Self {
        Self { cards, ..self }
    }

    /// Takes what happened.
    pub fn handle_input(&mut self, now: Mono, input: Input<'_>) {
        match input {
            Input::Opened { listen } => {
                self.known = self.nothing_known();
                self.incoming.forget();
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
            Input::Kept(at) => self.kept(at),
            Input::NotKept(at) => self.not_kept(&at),
            Input::MessageWaits(waits) => self.incoming.message_waits = waits,
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
            Phase::Up if self.asked.is_none() && self.job.is_none() => {
                let heartbeat = self.quiet_since + self.heartbeat();
                Some(self.incoming.sweep.next_due().map_or(heartbeat, |look| look.min(heartbeat)))
            }
            _ => None,
        };
        own.into_iter().chain(self.engine.next_timeout()).min()
    }

    /// Whether a job would be taken now.
    pub fn is_free(&self) -> bool {
        self.phase == Phase::Up
            && self.job.is_none()
            && self.asked.is_none()
            && !self.incoming_first()
            && self.acknowledgements.is_settled()
            && self.next_bearer().is_none()
            && !self.rebooted
            && self.engine.is_ready()
            && self.known.registration().is_some()
    }

    /// Whether a job was handed over and neither a result nor the end of listening has come.
    pub fn is_on_air(&self) -> bool {
        self.engine.is_on_air()
    }

    /// While it is busy with what came in, pauses between two commands included: until when it is worth waiting for the end
    /// of that with a message.
    pub fn is_receiving_until(&self) -> Option<Mono> {
        let receiving = match self.asked {
            Some(Asked::Choose(_) | Asked::Fetch(_) | Asked::Sweep | Asked::HangUp) => true,
            None => self.job.is_none() && self.incoming.is_any(),
            Some(_) => false,
        };
        (receiving && self.is_ready() && !self.rebooted).then(|| self.asked_at + WORTH_WAITING)
    }

    /// Whether listing what is stored hung on this modem.
    pub fn listing_hangs(&self) -> bool {
        self.incoming.sweep.listing_hangs()
    }

    /// Whether it is up and registered, busy or not.
    pub fn is_ready(&self) -> bool {
        self.phase == Phase::Up && self.known.registration().is_some()
    }

    /// Whether it is ready, but registered in a way over which messages may not go: another is to be preferred.
    pub fn is_doubtful(&self) -> bool {
        self.is_ready() && self.known.is_doubtful()
    }

    /// Whether the network refuses its SIM card (state 3), and no part of it has taken it.
    pub fn is_denied(&self) -> bool {
        self.phase == Phase::Up && self.known.is_denied()
    }

    /// What is special about this model, once it has said its name.
    pub fn quirks(&self) -> &Quirks {
        &self.quirks
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
            technology: self.known.technology(),
            doubtful: self.is_doubtful(),
            signal_dbm: self.known.signal_dbm,
            quirks: self.quirks.name,
            degraded: if self.phase == Phase::Up { self.missing() } else { self.known.degraded.clone() },
        }
    }

    /// What it lacks, in words.
    fn missing(&self) -> Vec<&'static str> {
        let bearer = self.known.sim_card.as_ref().and_then(|card| self.bearers.advice(card));
        self.known.missing().into_iter().chain(bearer).collect()
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
                self.astray |= sending::leaves_astray(result);
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

/// A storage that answers at all has answered by then.
const WORTH_WAITING: Duration = Duration::from_secs(2);
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
