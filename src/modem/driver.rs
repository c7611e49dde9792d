//! The shell around one modem's session: the port, the clock, and the store on the other side.
//!
//! One task a modem, and nothing shared between two of them but the store. The driver pulls messages from the store
//! when its modem is free, and one ahead while the modem is on the air, so that between a result and the next
//! `AT+CMGS` nothing is waited for. The outcome of one message and the intent of the next go to the store together.

use super::board::{Board, ModemState};
use super::compose::{self, Style, compose};
use super::learned::Learned;
use super::port::{Port, Ports};
use super::quirks::Configured;
use super::session::{Event, Input, Job, Output, Session};
use crate::dispatch::retry;
use crate::domain::equipment::{Imei, SimCard};
use crate::domain::id::MessageId;
use crate::domain::message::{IntentOf, PartId, PartResult};
use crate::domain::reason::Reason;
use crate::domain::time::{Mono, Now, Wall};
use crate::ops::clock::Clock;
use crate::sms::pdu::Pdu;
use crate::store::{Answer, Claim, Grant, LateResult, LeftOpen, Outcome, Report, Store, StoreError};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};

/// Whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Send.
    Run,
    /// Begin nothing new; wait for what is on the air until then.
    Drain {
        /// When to stop waiting.
        until: Mono,
    },
}

/// What a driver is given.
#[derive(Clone)]
pub struct Setting {
    /// Its place on the board.
    pub slot: usize,
    /// The port's name.
    pub port: String,
    /// What is said about the modem.
    pub configured: Configured,
    /// Whether to ask for status reports.
    pub status_reports: bool,
    /// Where ports come from.
    pub ports: Arc<dyn Ports>,
    /// Where messages come from.
    pub store: Arc<dyn Store>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// What is shown.
    pub board: Board,
    /// What was learned about SIM cards.
    pub learned: Learned,
}

/// Drives one modem until told to stop. A panic inside is caught, the modem is set up anew, and what it had on the air
/// is uncertain.
pub async fn drive(setting: Setting, orders: watch::Receiver<Order>) {
    loop {
        let driver = Driver::new(setting.clone(), orders.clone());
        // A set, so that ending this task ends that one.
        let mut task = JoinSet::new();
        task.spawn(driver.run());
        match task.join_next().await {
            Some(Ok(())) | None => return,
            Some(Err(_)) => {
                tracing::error!(modem.slot = setting.slot, "A modem's task panicked; it is started anew");
                setting.board.update(setting.slot, |view| view.state = ModemState::Closed);
                tokio::time::sleep(REOPEN_FIRST).await;
            }
        }
    }
}

struct Driver {
    setting: Setting,
    orders: watch::Receiver<Order>,
    session: Session,
    identity: Option<(Imei, SimCard)>,
    /// The part that the session has.
    flight: Option<Flight>,
    /// The message after it, made ready.
    next: Option<Prepared>,
    claiming: Option<Answer<Claim>>,
    granting: Option<(u64, Answer<Option<Grant>>)>,
    /// An outcome that waits for the next intent, to go to the store with it.
    outcome: Option<Ended>,
    /// Whether the end of the last part is unknown, and the port is listened to.
    listening: bool,
    /// Who was at this port last: a hint, until it is known again.
    last_here: Option<Imei>,
    rest: Rest,
    /// How often it was stopped, since it sent a message last.
    stops: usize,
    /// Reports that came before it was known from which SIM card.
    early: Vec<Event>,
    send_time: Duration,
    /// When `send_time` was measured last.
    measured: Mono,
    next_token: u64,
    /// What the store was told last: which modem can send, over which SIM card.
    told_ready: Option<(Imei, SimCard)>,
}

/// A claimed message, ready to be handed over.
struct Prepared {
    claim: Claim,
    part: u8,
}

struct Flight {
    token: u64,
    claim: Claim,
    part: PartId,
    begun: bool,
    handed_over: Option<Mono>,
}

/// An outcome to be recorded. The claim is held until it is: given back before, the store would have to assume the
/// worst.
struct Ended {
    outcome: Outcome,
    _claim: Option<Claim>,
}

/// How long the modem takes nothing, since it refused what was no message's fault.
#[derive(Default)]
struct Rest {
    in_a_row: u32,
    until: Option<(Mono, Reason)>,
}

/// Why a port is closed.
enum Closed {
    Stopped,
    Lost(String),
    /// It would refuse every message: it is left alone for minutes.
    Unfit(&'static str),
}

impl Driver {
    fn new(setting: Setting, orders: watch::Receiver<Order>) -> Self {
        Self {
            session: Session::new(setting.configured),
            setting,
            orders,
            identity: None,
            flight: None,
            next: None,
            claiming: None,
            granting: None,
            outcome: None,
            listening: false,
            last_here: None,
            rest: Rest::default(),
            stops: 0,
            early: Vec::new(),
            send_time: Duration::ZERO,
            measured: Mono::default(),
            next_token: 0,
            told_ready: None,
        }
    }

    async fn run(mut self) {
        let mut pause = REOPEN_FIRST;
        loop {
            if self.stopping().is_some() {
                return;
            }
            match self.setting.ports.open(&self.setting.port).await {
                Ok(port) => {
                    let opened = self.setting.clock.now();
                    self.setting.board.update(self.setting.slot, |view| view.opened += 1);
                    let closed = self.serve(port).await;
                    match closed {
                        Closed::Stopped => return,
                        Closed::Lost(why) => {
                            tracing::warn!(modem.slot = self.setting.slot, port = %self.setting.port, %why, "Port closed; it will be opened again");
                            self.show_closed(why);
                        }
                        Closed::Unfit(why) => {
                            let stay = UNFIT[self.stops.min(UNFIT.len() - 1)];
                            self.stops += 1;
                            let minutes = stay.as_secs() / 60;
                            tracing::error!(modem.slot = self.setting.slot, port = %self.setting.port, minutes, why, "Modem stopped; it is tried again later");
                            self.show_closed(format!(
                                "{why}; it is tried again in {minutes} minutes, and at a restart"
                            ));
                            self.pause(stay).await;
                            continue;
                        }
                    }
                    if self.setting.clock.now().mono - opened.mono > STABLE {
                        pause = REOPEN_FIRST;
                    }
                }
                Err(error) => {
                    let why = error.to_string();
                    let known = self.setting.board.modems().get(self.setting.slot).and_then(|v| v.reason.clone());
                    if known.as_ref() != Some(&why) {
                        tracing::warn!(modem.slot = self.setting.slot, %error, "Port can't be opened; it is tried again");
                    }
                    self.show_closed(why);
                }
            }
            self.pause(pause).await;
            pause = (pause * 2).min(REOPEN_LAST);
        }
    }

    /// Waits, unless there is an order.
    async fn pause(&mut self, pause: Duration) {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = self.orders.changed() => {}
        }
    }

    /// Serves an open port until it is lost or there is nothing more to do on it.
    async fn serve(&mut self, mut port: Box<dyn Port>) -> Closed {
        let left_open = self.setting.store.left_open().await.unwrap_or_default();
        let now = self.setting.clock.now();
        let listen = self.listen_time(&left_open, now.wall);
        self.session.handle_input(now.mono, Input::Opened { listen });
        let closed = loop {
            if let Some(closed) = self.catch_up(&mut port).await {
                break closed;
            }
            if let Some(closed) = self.wait(&mut port).await {
                break closed;
            }
        };
        // Close first: a port that lingers makes the kernel give the modem another name when it comes back.
        drop(port);
        self.session.handle_input(self.setting.clock.now().mono, Input::Lost);
        self.note_outputs();
        self.flush_outcome();
        self.flight = None;
        self.identity = None;
        self.early.clear();
        self.next = None;
        self.claiming = None;
        self.listening = false;
        self.rest.until = None;
        self.tell_readiness();
        closed
    }

    /// Does all that can be done without waiting. `Some`: the port is lost, or there is nothing more to do on it.
    async fn catch_up(&mut self, port: &mut Box<dyn Port>) -> Option<Closed> {
        if let Some(closed) = self.drain(port).await {
            return Some(closed);
        }
        if self.stopping().is_some() {
            // What the order takes back is written before it is asked whether that was all.
            self.withdraw();
            if let Some(closed) = self.drain(port).await {
                return Some(closed);
            }
        }
        self.end_rest();
        self.keep_claiming();
        self.is_done().then_some(Closed::Stopped)
    }

    /// Waits for whatever comes first, and takes it in.
    async fn wait(&mut self, port: &mut Box<dyn Port>) -> Option<Closed> {
        let mut buffer = [0; 4096];
        let wake = self.wake_at(&self.setting.clock.now());
        tokio::select! {
            biased;
            granted = answer(&mut self.granting) => self.granted(granted),
            read = port.read(&mut buffer) => match read {
                Ok(0) => return Some(Closed::Lost("it went away".to_owned())),
                Ok(n) => {
                    let now = self.setting.clock.now();
                    self.session.handle_input(now.mono, Input::Bytes(&buffer[..n]));
                }
                Err(error) => return Some(Closed::Lost(format!("reading failed ({error})"))),
            },
            claimed = claim(&mut self.claiming) => match claimed {
                Ok(claim) => self.prepare(claim),
                // The store has ended: so will the process.
                Err(_) => return Some(Closed::Stopped),
            },
            order = self.orders.changed() => if order.is_err() {
                return Some(Closed::Stopped);
            },
            () = sleep_until(self.setting.clock.instant(wake)) => {
                self.session.handle_input(self.setting.clock.now().mono, Input::Timeout);
            }
        }
        None
    }

    /// Does what the session wants done, and gives it work while it is free.
    async fn drain(&mut self, port: &mut Box<dyn Port>) -> Option<Closed> {
        loop {
            while let Some(output) = self.session.poll_output() {
                match output {
                    Output::Transmit(bytes) => {
                        if let Some(token) = bytes.hands_over
                            && let Err(reason) = self.may_leave(token)
                        {
                            let now = self.setting.clock.now().mono;
                            self.session.handle_input(now, Input::Withheld { token, reason });
                            continue;
                        }
                        // Never in a select: a write that loses a race may have sent half a command.
                        match timeout(WRITE, port.write_all(&bytes.bytes)).await {
                            Ok(Ok(())) => {}
                            Ok(Err(error)) => return Some(Closed::Lost(format!("writing failed ({error})"))),
                            Err(_) => return Some(Closed::Lost("it takes no more bytes".to_owned())),
                        }
                    }
                    Output::Reopen(why) => return Some(Closed::Lost(why.to_owned())),
                    Output::Stop(why) => return Some(Closed::Unfit(why)),
                    Output::Event(event) => self.take(event),
                }
            }
            if !self.submit_next() {
                break;
            }
        }
        self.flush_outcome();
        None
    }

    /// The last question before the irreversible byte: not canceled, and its deadline has come by no clock.
    fn may_leave(&mut self, token: u64) -> Result<(), Reason> {
        let now = self.setting.clock.now();
        let Some(flight) = self.flight.as_mut().filter(|f| f.token == token) else {
            return Err(Reason::NotTransmitted);
        };
        if flight.claim.message.deadline.passed_by_any(&now) {
            return Err(Reason::TtlPassed);
        }
        if !flight.claim.gate.pass() {
            return Err(Reason::CanceledByCaller);
        }
        flight.handed_over = Some(now.mono);
        Ok(())
    }

    /// Gives the session its next part, if it is free and there is one.
    fn submit_next(&mut self) -> bool {
        if !self.session.is_free() || self.flight.is_some() || self.stopping().is_some() {
            return false;
        }
        let Some(Prepared { claim, part }) = self.next.take() else { return false };
        let Some((imei, sim_card)) = self.identity.clone() else { return false };
        let now = self.setting.clock.now();
        // The claimed copy is from before the attempt, so all its parts are given the same one.
        let id = PartId { part, ..claim.message.next_part(&imei, &sim_card) };
        let life = claim.message.deadline.left(&now);
        let Some(pdu) = self.compose(&claim, &sim_card, id.part, life) else {
            self.end_unsendable(claim, id, &now);
            return true;
        };
        self.next_token += 1;
        let token = self.next_token;
        let job = Job {
            token,
            pdu,
            not_after: claim.message.deadline.mono(&now),
            send_deadline: send_deadline(&claim, life),
        };
        tracing::debug!(message.id = %claim.message.id, part = id.part, attempt = id.attempt, "Handing a part to the modem");
        self.flight = Some(Flight { token, claim, part: id, begun: false, handed_over: None });
        self.session.handle_input(now.mono, Input::Submit(job));
        true
    }

    fn compose(&self, claim: &Claim, sim_card: &SimCard, part: u8, life: Duration) -> Option<Pdu> {
        let style = Style {
            concat_reference: claim.concat_reference,
            validity: self.setting.learned.validity(sim_card),
            status_report: self.setting.status_reports,
        };
        compose(&claim.message, claim.text.reveal(), part, life, style)
    }

    /// A message whose text does not make the parts that were accepted: recorded as such, so that it is not tried on
    /// and on.
    fn end_unsendable(&mut self, claim: Claim, part: PartId, now: &Now) {
        let Some(intent) = self.intent(&claim, part, now) else { return };
        let outcome = Outcome {
            message: claim.message.id,
            part,
            sim_card: intent.sim_card.clone(),
            result: PartResult::NotSent(Reason::TextLost),
        };
        let begin = self.setting.store.begin(claim.message.id, intent);
        let store = self.setting.store.clone();
        tokio::spawn(async move {
            if let Ok(Grant::Granted) = begin.await {
                let _ = store.settle(outcome, None).await;
            }
            drop(claim);
        });
    }

    fn intent(&self, claim: &Claim, part: PartId, now: &Now) -> Option<IntentOf> {
        let (modem, sim_card) = self.identity.clone()?;
        let validity = self.setting.learned.validity(&sim_card);
        let life = compose::network_life(validity, claim.message.deadline.left(now));
        Some(IntentOf {
            modem,
            sim_card,
            part,
            concat_reference: claim.concat_reference,
            report_until: now.after(life + REPORT_MARGIN),
            // A slow hour must not keep codes from ever being tried, and measured, again.
            needs: SEND_MARGIN + if now.mono - self.measured < MEASURED { self.send_time } else { Duration::ZERO },
        })
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Changed => self.show(),
            Event::Identified { imei, sim_card } => self.identified(imei, sim_card),
            Event::WantIntent { token } => self.want_intent(token),
            Event::Outcome { token, result } => self.ended(token, result),
            Event::Late { result, .. } => {
                self.listening = false;
                self.late_result(result);
            }
            Event::ListeningEnded => self.listening = false,
            // A bare OK may belong to anything.
            Event::Heard(PartResult::Accepted(None)) => {}
            Event::Heard(result) => self.late_result(result),
            Event::Report { .. } if self.identity.is_none() => {
                // Whose it is will be known when the SIM card is.
                if self.early.len() < EARLY_KEPT {
                    self.early.push(event);
                }
            }
            Event::Report { reference, recipient, status, verdict } => {
                if let Some((_, sim_card)) = self.identity.clone() {
                    let report = self.setting.store.report(Report { sim_card, reference, recipient, status, verdict });
                    tokio::spawn(async move {
                        if let Ok(Some(id)) = report.await {
                            tracing::info!(message.id = %id, tp_st = status, "Status report");
                        }
                    });
                }
            }
            Event::Inbound { from, characters } => {
                tracing::info!(modem.slot = self.setting.slot, %from, characters, "A message came in; it stays on the modem");
            }
            Event::Notice(words) => tracing::warn!(modem.slot = self.setting.slot, "{words}"),
        }
    }

    fn want_intent(&mut self, token: u64) {
        let now = self.setting.clock.now();
        let Some(flight) = self.flight.as_mut().filter(|f| f.token == token) else { return };
        flight.begun = true;
        let (id, part) = (flight.claim.message.id, flight.part);
        let Some(intent) = self.flight.as_ref().and_then(|f| self.intent(&f.claim, part, &now)) else { return };
        let store = &self.setting.store;
        let answer: Answer<Option<Grant>> = match self.outcome.take() {
            Some(Ended { outcome, _claim }) => {
                let settled = store.settle(outcome, Some((id, intent)));
                Box::pin(async move {
                    let grant = settled.await;
                    drop(_claim);
                    grant
                })
            }
            None => {
                let begin = store.begin(id, intent);
                Box::pin(async move { begin.await.map(Some) })
            }
        };
        self.granting = Some((token, answer));
    }

    fn granted(&mut self, (token, grant): (u64, Result<Option<Grant>, StoreError>)) {
        let granted = matches!(grant, Ok(Some(Grant::Granted)));
        if let Some(flight) = self.flight.as_mut().filter(|f| f.token == token) {
            flight.begun = granted;
            if !granted {
                tracing::info!(message.id = %flight.claim.message.id, ?grant, "Not sent: its intent was not granted");
            }
        }
        self.session.handle_input(self.setting.clock.now().mono, Input::Intent { token, granted });
    }

    /// A part's dialogue ended, or its end is unknown.
    fn ended(&mut self, token: u64, mut result: PartResult) {
        let Some(flight) = self.flight.take_if(|f| f.token == token) else { return };
        let (id, part) = (flight.claim.message.id, flight.part);
        if result == PartResult::Uncertain(Reason::PortLost) && self.stopping().is_some() {
            result = PartResult::Uncertain(Reason::Restarted);
        }
        self.count(&flight, result);
        self.tell(id, part, result);
        if let (PartResult::NotSent(reason), Some((_, sim_card))) = (result, &self.identity) {
            self.setting.learned.refused(sim_card, reason);
        }
        // An answer that leaves it open ends the dialogue: only after silence is the port listened to.
        if result == PartResult::Uncertain(Reason::NoResult) {
            self.listening = true;
            // Others may take what this modem had made ready.
            self.next = None;
            self.claiming = None;
        }
        self.rest_after(result);
        let Flight { claim, begun, .. } = flight;
        let claim = match result {
            // It goes on with its next part, before any other: parts of one message stay together.
            PartResult::Accepted(_) if part.part + 1 < claim.message.parts => {
                self.next = Some(Prepared { claim, part: part.part + 1 });
                None
            }
            _ => Some(claim),
        };
        // What was never recorded needs no outcome, and a cancel has recorded its own.
        if begun && result != PartResult::NotSent(Reason::CanceledByCaller) {
            self.flush_outcome();
            let Some(sim_card) = self.identity.as_ref().map(|(_, s)| s.clone()) else { return };
            self.outcome = Some(Ended { outcome: Outcome { message: id, part, sim_card, result }, _claim: claim });
        }
    }

    fn tell(&self, id: MessageId, part: PartId, result: PartResult) {
        let part = part.part;
        match result {
            PartResult::Accepted(reference) => {
                tracing::info!(message.id = %id, part, tp_mr = reference, "Submitted");
            }
            PartResult::NotSent(reason) => {
                tracing::warn!(message.id = %id, part, reason = reason.code(), number = reason.number(), "Not sent");
            }
            PartResult::Uncertain(reason) => {
                tracing::warn!(message.id = %id, part, reason = reason.code(), number = reason.number(), "Uncertain whether it was sent");
            }
        }
    }

    /// Sends the waiting outcome to the store on its own: no intent followed at once.
    fn flush_outcome(&mut self) {
        if let Some(ended) = self.outcome.take() {
            self.record(ended);
        }
    }

    fn record(&self, ended: Ended) {
        let recorded = self.setting.store.settle(ended.outcome.clone(), None);
        tokio::spawn(async move {
            if let Err(error) = recorded.await {
                tracing::error!(%error, "An outcome could not be recorded");
            }
            drop(ended);
        });
    }

    /// A result of a send that was given up for uncertain. Whose it is, the store decides.
    fn late_result(&mut self, result: PartResult) {
        // That it is uncertain is told first.
        self.flush_outcome();
        if let Some((modem, sim_card)) = self.identity.clone() {
            tokio::spawn(self.setting.store.late_result(LateResult { modem, sim_card, result }));
        }
    }

    /// Lets the modem rest after a refusal that is its own trouble: it would refuse the next message as fast.
    fn rest_after(&mut self, result: PartResult) {
        match result {
            PartResult::NotSent(reason) => {
                if let Some(pause) = retry::rest(reason, self.rest.in_a_row + 1) {
                    self.rest.in_a_row += 1;
                    self.rest.until = Some((self.setting.clock.now().mono + pause, reason));
                    self.next = None;
                    self.claiming = None;
                    self.show();
                }
            }
            PartResult::Accepted(_) => (self.rest.in_a_row, self.stops) = (0, 0),
            PartResult::Uncertain(_) => {}
        }
    }

    fn end_rest(&mut self) {
        let now = self.setting.clock.now().mono;
        if self.rest.until.take_if(|(until, _)| *until <= now).is_some() {
            self.show();
        }
    }

    /// Whether it can send, now or after the message on the air.
    fn can_send(&self) -> bool {
        self.session.is_ready() && self.rest.until.is_none()
    }

    fn identified(&mut self, imei: Option<Imei>, sim_card: SimCard) {
        // Without an IMEI the port's name has to do.
        let imei = imei.unwrap_or_else(|| Imei::new(self.setting.port.clone()));
        tracing::info!(modem.slot = self.setting.slot, modem.imei = %imei, %sim_card, "Modem identified");
        self.setting.board.update(self.setting.slot, |view| {
            view.imei = Some(imei.clone());
            view.sim_card = Some(sim_card.clone());
        });
        self.last_here = Some(imei.clone());
        self.identity = Some((imei, sim_card));
        self.show();
        std::mem::take(&mut self.early).into_iter().for_each(|report| self.take(report));
    }

    /// Keeps one message ahead: pulls when the modem is free, or while it is on the air; lets go when it can't send.
    fn keep_claiming(&mut self) {
        let wanted = self.stopping().is_none()
            && !self.listening
            && self.can_send()
            && (self.session.is_free() || self.session.is_on_air())
            && self.more_parts_done();
        let overdue = self.is_overdue(self.setting.clock.now().mono);
        match (&self.identity, wanted && !overdue) {
            (Some((imei, sim_card)), true) if self.claiming.is_none() && self.next.is_none() => {
                self.claiming = Some(self.setting.store.claim(imei.clone(), sim_card.clone()));
            }
            // Also while the engine finds back after a prompt that never came: that takes half a minute at worst.
            _ if overdue || !self.session.is_free() && self.flight.is_none() => {
                self.claiming = None;
                // No other may take what is left of a message: it waits here, as long as this modem can send it.
                let stays = |next: &Prepared| next.part > 0 && self.can_send();
                if !self.next.as_ref().is_some_and(stays) {
                    self.next = None;
                }
            }
            _ => {}
        }
    }

    /// Whether the message on the air takes longer than such a thing should: what was made ready behind it must not
    /// wait with it, when another modem could have it.
    fn is_overdue(&self, now: Mono) -> bool {
        self.ahead_until().is_some_and(|until| now >= until)
    }

    /// How long a message is kept ready behind the one on the air.
    fn ahead_until(&self) -> Option<Mono> {
        let handed_over = self.flight.as_ref()?.handed_over?;
        Some(handed_over + (self.send_time * 2).clamp(AHEAD_SHORTEST, AHEAD_LONGEST))
    }

    /// Whether the part in flight is its message's last: only then is another message made ready.
    fn more_parts_done(&self) -> bool {
        self.flight.as_ref().is_none_or(|f| f.part.part + 1 == f.claim.message.parts)
    }

    fn prepare(&mut self, claim: Claim) {
        let part = self.identity.as_ref().map_or(0, |(imei, sim_card)| claim.message.next_part(imei, sim_card).part);
        self.next = Some(Prepared { claim, part });
    }

    /// On the order to stop: takes back what has not left, and lets others have what was made ready.
    fn withdraw(&mut self) {
        self.next = None;
        self.claiming = None;
        if let Some(Flight { token, handed_over: None, .. }) = self.flight {
            let now = self.setting.clock.now().mono;
            self.session.handle_input(now, Input::Intent { token, granted: false });
        }
    }

    /// Whether it has been told to stop and nothing is on the air any more, or the time for that is over.
    fn is_done(&self) -> bool {
        let on_air = self.flight.is_some() || self.listening;
        self.stopping().is_some_and(|until| !on_air || self.setting.clock.now().mono >= until)
    }

    fn stopping(&self) -> Option<Mono> {
        match *self.orders.borrow() {
            Order::Run => None,
            Order::Drain { until } => Some(until),
        }
    }

    fn wake_at(&self, now: &Now) -> Mono {
        let idle = now.mono + LOOK_AGAIN;
        let ahead = self.ahead_until().filter(|until| *until > now.mono);
        let rested = self.rest.until.map(|(until, _)| until);
        [self.session.next_timeout(), self.stopping(), ahead, rested].into_iter().flatten().fold(idle, Mono::min)
    }

    /// How long to listen before the first ESC: a message may still be on the air from before a restart, a panic, or a
    /// loss of the port.
    fn listen_time(&self, left_open: &[LeftOpen], now: Wall) -> Option<Duration> {
        let here = |l: &&LeftOpen| self.last_here.as_ref().is_none_or(|imei| *imei == l.modem);
        let left = |l: &LeftOpen| RESULT_WITHIN.checked_sub(now - l.intended).filter(|left| !left.is_zero());
        left_open.iter().filter(here).filter_map(left).max().map(|left| left.min(LISTEN))
    }

    /// Takes what the session still has to say after the port was closed.
    fn note_outputs(&mut self) {
        while let Some(output) = self.session.poll_output() {
            if let Output::Event(event) = output {
                self.take(event);
            }
        }
    }

    fn count(&mut self, flight: &Flight, result: PartResult) {
        let now = self.setting.clock.now().mono;
        if let (PartResult::Accepted(_), Some(at)) = (result, flight.handed_over) {
            // Weighted, so that one slow send does not expire the codes behind it.
            self.measured = now;
            self.send_time = if self.send_time.is_zero() { now - at } else { (self.send_time * 3 + (now - at)) / 4 };
        }
        self.setting.board.update(self.setting.slot, |view| match result {
            PartResult::Accepted(_) => view.accepted += 1,
            PartResult::NotSent(_) => view.refused += 1,
            PartResult::Uncertain(_) => view.uncertain += 1,
        });
    }

    fn show(&mut self) {
        let mut view = self.session.view();
        if let (true, Some((_, reason))) = (view.state.is_ready(), self.rest.until) {
            view.state = ModemState::Waiting;
            view.reason = Some(format!("it rests for some seconds: {reason}"));
        }
        let now = self.setting.clock.now().wall;
        let port = self.setting.port.clone();
        self.setting.board.update(self.setting.slot, |shown| {
            if shown.state != view.state {
                shown.since = now;
            }
            shown.port = port;
            shown.state = view.state;
            shown.reason = view.reason;
            shown.manufacturer = view.manufacturer;
            shown.model = view.model;
            shown.revision = view.revision;
            shown.operator = view.operator;
            shown.registration = view.registration.map(str::to_owned);
            shown.signal_dbm = view.signal_dbm;
            shown.degraded = view.degraded.iter().map(|d| (*d).to_owned()).collect();
        });
        self.tell_readiness();
    }

    fn show_closed(&self, why: String) {
        let now = self.setting.clock.now().wall;
        let port = self.setting.port.clone();
        self.setting.board.update(self.setting.slot, |view| {
            if view.state != ModemState::Closed {
                view.since = now;
            }
            view.port = port;
            view.state = ModemState::Closed;
            view.reason = Some(why);
        });
    }

    /// Tells the store whether this modem can send, when that has changed.
    fn tell_readiness(&mut self) {
        let ready = self.identity.clone().filter(|_| self.can_send());
        if ready == self.told_ready {
            return;
        }
        // Called in this order, they arrive in this order.
        if let Some((modem, _)) = self.told_ready.take() {
            tokio::spawn(self.setting.store.set_ready(modem, None));
        }
        if let Some((modem, sim_card)) = ready.clone() {
            tokio::spawn(self.setting.store.set_ready(modem, Some(sim_card)));
        }
        self.told_ready = ready;
    }
}

impl Drop for Driver {
    /// Also when it panicked: what the store was told holds no longer.
    fn drop(&mut self) {
        if let (Some((modem, _)), Ok(runtime)) = (self.told_ready.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(self.setting.store.set_ready(modem, None));
        }
    }
}

/// How long to wait for a result: a code is of no use once half its life was spent waiting for the first try.
fn send_deadline(claim: &Claim, life: Duration) -> Duration {
    if claim.message.verification.is_some() { (life / 2).clamp(SEND_SHORTEST, SEND_LONGEST) } else { SEND_LONGEST }
}

async fn answer(granting: &mut Option<(u64, Answer<Option<Grant>>)>) -> (u64, Result<Option<Grant>, StoreError>) {
    match granting {
        Some((token, answer)) => {
            let token = *token;
            let grant = answer.await;
            *granting = None;
            (token, grant)
        }
        None => std::future::pending().await,
    }
}

async fn claim(claiming: &mut Option<Answer<Claim>>) -> Result<Claim, StoreError> {
    match claiming {
        Some(answer) => {
            let claimed = answer.await;
            *claiming = None;
            claimed
        }
        None => std::future::pending().await,
    }
}

const REOPEN_FIRST: Duration = Duration::from_secs(1);
const REOPEN_LAST: Duration = Duration::from_secs(30);
/// How long a modem that would refuse every message is left alone: the first time, the second, and from then on.
const UNFIT: [Duration; 3] = [Duration::from_secs(600), Duration::from_secs(1800), Duration::from_secs(3600)];
/// A port that stayed open for so long starts with the short pause again.
const STABLE: Duration = Duration::from_secs(60);
const WRITE: Duration = Duration::from_secs(10);
/// How long a message waits behind one on the air before others may take it: twice what a send takes, within these.
const AHEAD_SHORTEST: Duration = Duration::from_secs(2);
const AHEAD_LONGEST: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// A result may come so long after 0x1A.
const RESULT_WITHIN: Duration = Duration::from_secs(180);
const EARLY_KEPT: usize = 100;
const LISTEN: Duration = Duration::from_secs(10);
/// After the network's own deadline a report may take a while to come.
const REPORT_MARGIN: Duration = Duration::from_secs(600);
/// A measured send time holds for so long.
const MEASURED: Duration = Duration::from_secs(600);
const SEND_MARGIN: Duration = Duration::from_secs(10);
const SEND_SHORTEST: Duration = Duration::from_secs(20);
const SEND_LONGEST: Duration = Duration::from_secs(120);
