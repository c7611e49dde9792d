//! One modem's session, from an open port to messages on the air. Pure: the driver around it owns the port and the
//! clock. Here, and only here, AT commands and TPDUs meet.
//!
//! Call [`Session::handle_input`], then drain [`Session::poll_output`], then sleep until [`Session::next_timeout`].
//!
//! What it does about a modem that stops: the engine's own ESC, quiet and barrier after any time-out; bring-up anew after
//! two messages in a row that never left, one without a result, or news of a reboot, which also ends the listening for a
//! message on the air. What that does not mend it gives up, with the trouble's name: the ladder is in [`super::recovery`].

mod acknowledge;
mod bearer;
mod card;
mod idle;
mod incoming;
mod pace;
mod pin;
mod selection;
mod sending;
mod setting_up;
mod sweep;
mod ussd;

use super::bringup::{FOR_A_PERSON, HEARTBEAT, Known, NOT_READY_YET, Next, PIN_NOT_TOLD, STEPS};
use super::quirks::{Configured, Quirks, Reset};
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
use crate::domain::learned::{ModelName, ModelTraits};
use crate::domain::message::{PartResult, ReportVerdict};
use crate::domain::pin::PinOutcome;
use crate::domain::reason::{Meaning, Reason};
use crate::domain::secret::Secret;
use crate::domain::time::Mono;
use crate::modem::board::ModemState;
use crate::modem::recovery::{Boot, Revival, Stage, Trouble};
use crate::sms::pdu::{self, Pdu, SmscField, Tpdu};
use acknowledge::Acknowledgements;
use bearer::Bearers;
use card::CardWatch;
use incoming::{Fetch, Incoming};
use pace::Pace;
pub use pin::PinAnswer;
use pin::Unlock;
use sending::GIVE_UP_AFTER;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use sweep::Sweep;
use ussd::ServiceCode;

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
    /// What came in is on disk here: the modem may do without it.
    Kept(Held),
    /// What came in could not be taken: the modem is to keep it, or to give it again.
    NotKept(Held),
    /// Whether a message is ready to be sent: what comes in must not starve it.
    MessageWaits(bool),
    /// Messages to several numbers in a row failed over a registration that is doubtful.
    Distrusted,
    /// Dial this service code. Only after [`Session::is_free`].
    ServiceCode(&'a str),
    /// Wait no longer for the network's answer to it: something is to be sent.
    EndServiceCode,
    /// The answer to [`Event::WantPin`].
    Pin {
        /// Which question.
        token: u64,
        /// What to do.
        answer: PinAnswer,
    },
    /// Before [`Input::Opened`]: this may bring the modem back. It is said behind the first ESC.
    Revive(Revival),
    /// Set the modem up anew, as soon as nothing is in flight.
    SetUp,
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
    /// Close the port: what is wrong is more than the session can mend.
    GiveUp(Trouble),
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
    /// It has told its IMEI, or has none that is valid. Nothing was said yet that another port of the same modem could feel.
    Named(Option<Imei>),
    /// The port belongs to this modem with this SIM card.
    Identified {
        /// The modem, if it tells who it is.
        imei: Option<Imei>,
        /// The SIM card.
        sim_card: SimCard,
    },
    /// The SIM card asks for its PIN: is there one for it, and may it be typed?
    WantPin {
        /// Which question.
        token: u64,
        /// The modem, if it tells who it is.
        imei: Option<Imei>,
        /// The SIM card, if it tells that before its PIN.
        sim_card: Option<SimCard>,
        /// How many tries are left, if the modem tells.
        tries_left: Option<u8>,
    },
    /// What the network said to a service code; `None`: nothing, or it can't be told.
    ServiceAnswered(Option<Secret>),
    /// What came of a PIN.
    PinEnded {
        /// Which question it answered.
        token: u64,
        /// What came of it.
        outcome: PinOutcome,
    },
    /// Nobody saw what came of a PIN, and nobody will.
    PinUnseen {
        /// Which question it answered.
        token: u64,
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
        /// How the modem holds it, until [`Input::Kept`] says that it need not.
        held: Option<Held>,
    },
    /// A message came in, or a part of one, or something that can't be read.
    Inbound {
        /// The sender, masked.
        from: String,
        /// Characters in it.
        characters: usize,
        /// Its octets in hexadecimal, the service centre's field first.
        pdu: Secret,
        /// How the modem holds it, until [`Input::Kept`] says that it need not.
        held: Option<Held>,
    },
    /// With this value of `AT+CGSMS` the SIM card's messages go, and with others they did not.
    GoesOver(u8),
    /// The modem said that it has restarted by itself.
    Booted,
    /// Somebody called, and was rejected.
    CallRejected,
    /// Something worth a line in the log.
    Notice(&'static str),
}

/// How a modem holds what came in until it is on disk here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// It lies in a storage, to be deleted there.
    Stored(StoredAt),
    /// It came directly then, to be acknowledged: else the network gives it again.
    Unacknowledged(Mono),
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
    /// It waits for what the modem says about its message format.
    unchecked: Option<Job>,
    /// A former run's result, until it is known whose modem and SIM card it came from.
    heard: Option<SubmitResult>,
    /// An own job left and ended without its TP-MR: a `+CMGS:` that comes later may be that one's.
    astray: bool,
    incoming: Incoming,
    /// Reports and messages that came before it was known whose they are: what a modem kept back comes as soon as CNMI is set.
    early: Vec<Event>,
    acknowledgements: Acknowledgements,
    bearers: Bearers,
    pace: Pace,
    /// A list of a storage was asked for and not answered.
    lists_hang: bool,
    /// The command that was asked last lists a storage.
    lists: bool,
    /// The network has refused a message as it does where the service centre's number is wrong.
    centre_doubted: bool,
    unlock: Unlock,
    card: CardWatch,
    service_code: ServiceCode,
    /// Since when it has no network.
    unregistered: Option<Mono>,
    /// It was told to choose one by itself, since then.
    selected: bool,
    /// When the last send ended.
    sent: Option<Mono>,
    asked: Option<Asked>,
    asked_at: Mono,
    unsent_in_a_row: u8,
    /// Refusals in a row by which it sends no messages at all: 301 and 303.
    reserved_in_a_row: u8,
    withheld: Option<Reason>,
    rebooted: bool,
    /// It left something unanswered, and was not found again yet.
    silent: bool,
    revival: Option<Revival>,
    quiet_since: Mono,
    /// When it was in PDU mode last, as far as is known.
    in_pdu_mode: Mono,
    next_heartbeat: usize,
    beats: usize,
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
    Format,
    Heartbeat(usize),
    /// A storage is to be chosen.
    Choose(String),
    Fetch(Fetch),
    Sweep,
    HangUp,
    Acknowledgement,
    Routing,
    Bearer,
    Unlock,
    CardPower,
    Card,
    ServiceCode,
    Selection,
}

impl Session {
    /// A session whose port is not open yet.
    pub fn new(configured: Configured) -> Self {
        let quirks = configured.over(None, None);
        let mut session = Self {
            configured,
            cards: Arc::default(),
            engine: Engine::new(config(quirks, &Known::default())),
            quirks,
            known: Known::default(),
            phase: Phase::Closed,
            job: None,
            unchecked: None,
            heard: None,
            astray: false,
            incoming: Incoming::default(),
            early: Vec::new(),
            acknowledgements: Acknowledgements::default(),
            bearers: Bearers::default(),
            pace: Pace::default(),
            lists_hang: false,
            lists: false,
            centre_doubted: false,
            unlock: Unlock::default(),
            card: CardWatch::default(),
            service_code: ServiceCode::default(),
            unregistered: None,
            selected: false,
            sent: None,
            asked: None,
            asked_at: Mono::default(),
            unsent_in_a_row: 0,
            reserved_in_a_row: 0,
            withheld: None,
            rebooted: false,
            silent: false,
            revival: None,
            quiet_since: Mono::default(),
            in_pdu_mode: Mono::default(),
            next_heartbeat: 0,
            beats: 0,
            outputs: VecDeque::new(),
        };
        session.pace = session.new_pace();
        session
    }

    /// With what is said about SIM cards.
    pub fn with_sim_cards(self, cards: Arc<[SimCardConfig]>) -> Self {
        Self { cards, ..self }
    }

    /// With the values of `AT+CGSMS` that SIM cards are known to need.
    pub fn with_bearers(self, bearers: BTreeMap<SimCard, u8>) -> Self {
        Self { bearers: Bearers::known(bearers), ..self }
    }

    /// What this modem was seen to do. `None` before it is set up, when it may have told half its name, and of one of which
    /// nothing is to be learned.
    pub fn traits(&self) -> Option<ModelTraits> {
        let is_set_up = matches!(self.phase, Phase::Up | Phase::Recovering);
        let name = self.model_name().filter(|_| self.quirks.learns && is_set_up)?;
        Some(ModelTraits {
            prompt_delay: self.pace.good(),
            prompt_delay_settled: self.pace.is_settled(),
            report_form: self.known.routing,
            acknowledged: self.known.acknowledges,
            lists_hang: self.lists_hang,
            ..ModelTraits::new(name)
        })
    }

    /// Takes over what its sisters were seen to do.
    pub fn teach(&mut self, traits: &ModelTraits) {
        if self.model_name().as_ref() == Some(&traits.name) {
            self.pace.teach(traits.prompt_delay, traits.prompt_delay_settled);
            self.lists_hang |= traits.lists_hang;
        }
    }

    /// Model and firmware, as far as it tells.
    pub fn model_name(&self) -> Option<ModelName> {
        let text = |known: &Option<String>| known.clone().unwrap_or_default();
        let Known { manufacturer, model, revision, .. } = &self.known;
        model.as_ref()?;
        Some(ModelName { manufacturer: text(manufacturer), model: text(model), revision: text(revision) })
    }

    /// Whether it is one of our own virtual modems.
    pub fn is_virtual(&self) -> bool {
        self.quirks.is_virtual
    }

    /// Whether a list of its storages is answered, as far as is known: some hang on it.
    pub fn bears_lists(&self) -> bool {
        !self.lists_hang && !self.quirks.cmgl_hangs
    }

    /// Takes what happened.
    pub fn handle_input(&mut self, now: Mono, input: Input<'_>) {
        match input {
            Input::Opened { listen } => {
                self.known = self.nothing_known();
                self.incoming.forget();
                self.early.clear();
                self.acknowledgements.forget(now);
                self.unlock.forget();
                self.unlock.powered_up();
                self.card.forget();
                self.service_code_is_lost();
                self.asked = None;
                self.heard = None;
                self.rebooted = false;
                // After what was done to it, the next one shows whether that has helped.
                self.unsent_in_a_row = self.unsent_in_a_row.min(GIVE_UP_AFTER - 1);
                self.engine.set_config(config(self.quirks, &self.known));
                self.go(Phase::Synchronising);
                self.engine.handle_input(now, AtInput::Start { listen_until: listen.map(|d| now + d) });
                let revival = self.revival.take().map(|revival| revive(revival, self.quirks.reset));
                let revival = revival.unwrap_or_default();
                self.engine.handle_input(now, AtInput::Revive(revival));
            }
            Input::Lost => {
                self.service_code_is_lost();
                self.engine.handle_input(now, AtInput::Reset);
                self.go(Phase::Closed);
            }
            Input::Bytes(bytes) => self.engine.handle_input(now, AtInput::Bytes(bytes)),
            Input::Timeout => self.engine.handle_input(now, AtInput::Timeout),
            Input::Submit(job) => self.submit(now, job),
            Input::Intent { token, granted } => {
                self.engine.handle_input(now, AtInput::Release { token, granted });
            }
            Input::Distrusted => self.distrust(),
            Input::Revive(revival) => self.revival = Some(revival),
            Input::SetUp => self.rebooted = true,
            Input::ServiceCode(code) => self.begin_service_code(now, code),
            Input::EndServiceCode => self.end_service_code(),
            Input::Pin { token, answer } => self.take_pin(now, token, answer),
            Input::Kept(held) => self.kept(now, held),
            Input::NotKept(held) => self.not_kept(&held),
            Input::MessageWaits(waits) => self.incoming.message_waits = waits,
            Input::Withheld { token, reason } => {
                self.withheld = Some(reason);
                self.engine.handle_input(now, AtInput::Withheld { token });
            }
        }
        self.acknowledgements.wake(now);
        self.drain(now);
        if self.phase == Phase::Closed {
            self.withdraw_unchecked();
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
            Phase::BringUp { .. } if self.unlock.waits() => None,
            Phase::BringUp { from, .. } if self.asked.is_none() => Some(from),
            Phase::Up if self.asked.is_none() && self.job.is_none() => {
                let heartbeat = self.quiet_since + self.heartbeat();
                let ends = [self.incoming.sweep.next_due(), self.acknowledgements.asked_until()];
                let idle = ends.into_iter().flatten().fold(heartbeat, Mono::min);
                Some(self.service_code.waits_until().unwrap_or(idle))
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
            && self.service_code.is_idle()
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

    /// Whether it is up and registered, busy or not.
    pub fn is_ready(&self) -> bool {
        self.phase == Phase::Up && self.known.registration().is_some()
    }

    /// What its ladder goes by. Before it has named itself, careful defaults.
    pub fn boot(&self) -> Boot {
        Boot { time: self.quirks.boot_time, changes_mode: self.quirks.reset_changes_mode }
    }

    /// How far it has come.
    pub fn stage(&self) -> Stage {
        match self.phase {
            Phase::Up | Phase::Recovering if self.known.registration().is_some() => Stage::Ready,
            Phase::Up if self.known.may_not_roam() => Stage::Starting,
            Phase::Up => Stage::Unregistered,
            // Of what a SIM card lacks all but this is a person's to mend, or the session's.
            Phase::BringUp { step, why: Some(why), .. }
                if STEPS[step].required
                    && !FOR_A_PERSON.contains(&why)
                    && (STEPS[step].name != "SIM card" || why == NOT_READY_YET) =>
            {
                Stage::Stuck
            }
            Phase::Closed | Phase::Synchronising | Phase::BringUp { .. } | Phase::Recovering => Stage::Starting,
        }
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
            Phase::BringUp { why: Some(why), .. } => match self.unlock.words().filter(|_| why == pin::ASKS_FOR_PIN) {
                Some(words) => (ModemState::SimPinRequired, Some(words)),
                None if why == PIN_NOT_TOLD => (ModemState::SimPinRequired, Some(why.to_owned())),
                None => (ModemState::Waiting, Some(why.to_owned())),
            },
            Phase::BringUp { .. } => (ModemState::Starting, None),
            Phase::Recovering => (ModemState::Recovering, self.job.map(|_| LISTENING.to_owned())),
            Phase::Up if self.silent => (ModemState::Recovering, Some(SILENT.to_owned())),
            Phase::Up if registration.is_none() => (ModemState::Waiting, Some(self.known.unregistered().to_owned())),
            Phase::Up if self.job.is_some() => (ModemState::Sending, None),
            Phase::Up if !self.service_code.is_idle() => (ModemState::Asking, None),
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
            AtEvent::Unresponsive => self.give_up(Trouble::Silent),
            AtEvent::Desynchronised => self.give_up(Trouble::Desynchronised),
            AtEvent::Heard(result) => self.heard = Some(result),
            AtEvent::Replied(reply) => self.replied(now, reply),
            AtEvent::WantRelease { token } => self.emit(Event::WantIntent { token }),
            AtEvent::Submitted { token, result } => self.submitted(now, token, result),
            AtEvent::Uncertain { token } => {
                if self.phase != Phase::Closed {
                    // One that got its PDU too soon answers it behind the next command, if at all.
                    self.pace.fault();
                }
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
            AtEvent::Resynchronised => {
                if std::mem::take(&mut self.silent) {
                    self.emit(Event::Changed);
                }
            }
            AtEvent::OrphanResult { reference } => self.orphan(reference),
            AtEvent::ForeignEcho(_) => {
                self.pace.fault();
                self.emit(Event::Notice("Somebody else speaks on this port; stop ModemManager or whatever uses it"));
            }
            AtEvent::StrayPrompt => self.emit(Event::Notice("A prompt came outside its time; it was escaped")),
            AtEvent::Urc(urc) => self.news(now, urc),
            AtEvent::Trace(line) => self.service_text_goes_on(line.as_str()),
            AtEvent::Noise { .. } => {}
            AtEvent::Refused(_) => {
                // The engine was busy with something else after all: nothing has left.
                self.withdraw_unchecked();
                if let (Some(token), true) = (self.job, !self.engine.is_on_air()) {
                    self.job = None;
                    self.emit(Event::Outcome { token, result: PartResult::NotSent(Reason::NotTransmitted) });
                }
                match self.asked.take() {
                    Some(Asked::ServiceCode) => self.service_code_is_lost(),
                    Some(Asked::Fetch(fetch)) => self.incoming.fetch_again(fetch),
                    _ => {}
                }
            }
        }
    }

    fn give_up(&mut self, trouble: Trouble) {
        self.outputs.push_back(Output::GiveUp(trouble));
        self.go(Phase::Closed);
    }

    fn go(&mut self, phase: Phase) {
        self.phase = phase;
        self.silent = false;
        self.emit(Event::Changed);
    }

    /// It has not answered: until it does it is not shown as one that can send.
    fn is_silent(&mut self) {
        self.silent = true;
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

/// What may bring a modem back that answers nothing, in its model's own words.
fn revive(revival: Revival, reset: Reset) -> Vec<Command> {
    let say = |texts: &[&str], repeatable| -> Vec<Command> {
        let mut commands: Vec<_> = texts.iter().filter_map(|text| Command::raw(text, REVIVAL).ok()).collect();
        commands.iter_mut().for_each(|command| command.repeatable = repeatable);
        commands
    };
    match revival {
        Revival::Radio => say(&[reset.radio_off, reset.radio_on], true),
        Revival::Restart => say(reset.restart, false),
    }
}

fn config(quirks: Quirks, known: &Known) -> at::Config {
    let mut config = at::Config { command_gap: quirks.command_gap, ..at::Config::default() };
    if known.barriers.len() >= 2 {
        config.barriers = known.barriers.clone();
    }
    config
}

/// How long a modem may take to switch its radio, or to agree to restart. One that answers nothing is not waited for as one
/// that does.
const REVIVAL: Duration = Duration::from_secs(15);
/// A storage that answers at all has answered by then.
const WORTH_WAITING: Duration = Duration::from_secs(2);
const SILENT: &str = "it did not answer what it was asked; it is waited for, and brought back if it does not";
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
                    Output::GiveUp(_) => reopened = true,
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
