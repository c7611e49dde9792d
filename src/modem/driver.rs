//! The shell around one modem's session: the port, the clock, and the store on the other side.
//!
//! One task a modem, and nothing shared between two of them but the store. The driver pulls messages from the store
//! when its modem is free, and one ahead while the modem is on the air, so that between a result and the next
//! `AT+CMGS` nothing is waited for. The outcome of one message and the intent of the next go to the store together.

use super::board::{Board, ModemState};
use super::census::Census;
use super::compose::{self, Style, compose};
use super::learned::Learned;
use super::port::{Port, Ports};
use super::quirks::Configured;
use super::recovery::ward::{Tally, Ward};
use super::recovery::{self, Recovery, Revival, Stage, Standing, Trouble};
use super::resume::Resume;
use super::session::{Event, Held, Input, Job, Output, Session};
use crate::config::SimCardConfig;
use crate::dispatch::retry::{self, Blame};
use crate::domain::equipment::{Imei, SimCard};
use crate::domain::id::MessageId;
use crate::domain::message::{IntentOf, PartId, PartResult};
use crate::domain::msisdn::Msisdn;
use crate::domain::reason::Reason;
use crate::domain::secret::Secret;
use crate::domain::time::{Mono, Now};
use crate::ops::clock::Clock;
use crate::sms::pdu::Pdu;
use crate::store::{
    Answer, Claim, Grant, LateResult, LeftOpen, Matched, Outcome, PinEntry, Readiness, Report, Store, StoreError,
};
use recovering::Next;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};

mod balance;
mod claiming;
mod identity;
mod lessons;
mod pin;
mod receiving;
mod recovering;
mod sending;
mod shown;

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
    /// What is said about SIM cards.
    pub sim_cards: Arc<[SimCardConfig]>,
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
    /// What was learned about models and SIM cards.
    pub learned: Learned,
    /// Who is where.
    pub census: Census,
    /// What the modems' ladders know of each other.
    pub ward: Ward,
    /// A person says that a modem in quarantine is to be tried now.
    pub resume: Resume,
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
                tokio::time::sleep(START_ANEW).await;
            }
        }
    }
}

struct Driver {
    setting: Setting,
    orders: watch::Receiver<Order>,
    session: Session,
    identity: Option<(Imei, SimCard)>,
    /// What names the modem at this port, once it has told.
    name: Option<Imei>,
    /// The doubt about that, and the modem with the same SIM card, as the log was told.
    told_doubt: Option<(Imei, &'static str)>,
    told_twin: Option<(Imei, SimCard)>,
    /// This is another port of the modem at that one.
    spare: Option<String>,
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
    /// Which card was in it last.
    last_card: Option<SimCard>,
    /// Why it can't send, as the log was told.
    told_reason: Option<String>,
    rest: Rest,
    recovery: Recovery,
    /// Which device was at this port last: another, whenever one is plugged in.
    generation: u64,
    /// How far the session had come, when the ladder was told last.
    stage: Stage,
    /// What the board shows of the ladder.
    shown_recovery: Option<(Option<Standing>, Option<Tally>)>,
    /// Reports and messages on their way to the disk, and where the modem keeps them until then.
    keeping: JoinSet<receiving::Keeping>,
    /// Whether the session was told that a message is ready.
    told_waiting: bool,
    /// A PIN that is looked for.
    unlocking: JoinSet<pin::Unlocking>,
    /// The one that the session was given last, and for which question.
    pin: Option<(u64, PinEntry)>,
    balance: balance::BalanceWatch,
    /// What it claims while it asks for the balance.
    claims: Option<balance::Yields>,
    send_time: Duration,
    /// When `send_time` was measured last.
    measured: Mono,
    /// Numbers to which nothing could be sent over a doubtful registration.
    failed_to: Vec<Msisdn>,
    /// When what was learned was last looked at.
    learned: Mono,
    next_token: u64,
    /// What the store was told last: which modem can send, over which SIM card.
    told_ready: Option<(Imei, SimCard, Readiness)>,
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
    /// The session gave it up.
    Trouble(Trouble),
    /// The ladder wants it closed.
    Wanted,
    /// Its modem is served at another.
    Spare,
}

impl Driver {
    fn new(setting: Setting, orders: watch::Receiver<Order>) -> Self {
        Self {
            session: Session::new(setting.configured)
                .with_sim_cards(setting.sim_cards.clone())
                .with_bearers(setting.learned.bearers()),
            recovery: Recovery::new(setting.slot, setting.ports.hub(&setting.port), setting.ward.clone()),
            generation: 0,
            stage: Stage::Starting,
            shown_recovery: None,
            setting,
            orders,
            identity: None,
            name: None,
            told_doubt: None,
            told_twin: None,
            spare: None,
            flight: None,
            next: None,
            claiming: None,
            granting: None,
            outcome: None,
            listening: false,
            last_here: None,
            last_card: None,
            told_reason: None,
            rest: Rest::default(),
            keeping: JoinSet::new(),
            unlocking: JoinSet::new(),
            pin: None,
            balance: balance::BalanceWatch::default(),
            claims: None,
            told_waiting: false,
            send_time: Duration::ZERO,
            measured: Mono::default(),
            failed_to: Vec::new(),
            learned: Mono::default(),
            next_token: 0,
            told_ready: None,
        }
    }

    async fn run(mut self) {
        while self.stopping().is_none() {
            if self.spare.is_some() {
                if self.wait_spare().await.is_some() {
                    return;
                }
                continue;
            }
            match self.next_while_closed() {
                Next::Open(revival) => {
                    if self.open_and_serve(revival).await.is_some() {
                        return;
                    }
                }
                Next::Reset => self.reset_device().await,
                Next::Wait => {
                    if self.wait_closed().await.is_some() {
                        return;
                    }
                }
            }
        }
    }

    /// Serves an open port until it is lost or there is nothing more to do on it.
    async fn serve(&mut self, mut port: Box<dyn Port>, revival: Option<Revival>) -> Closed {
        let left_open = self.setting.store.left_open().await.unwrap_or_default();
        let now = self.setting.clock.now();
        let listen = self.listen_time(&left_open, now.mono);
        if let Some(revival) = revival {
            self.session.handle_input(now.mono, Input::Revive(revival));
        }
        self.session.handle_input(now.mono, Input::Opened { listen });
        self.stage = Stage::Starting;
        let closed = loop {
            if let Some(closed) = self.catch_up(&mut port).await {
                break closed;
            }
            if let Some(closed) = self.wait(&mut port).await {
                break closed;
            }
        };
        self.write_lessons();
        // Close first: a port that lingers makes the kernel give the modem another name when it comes back.
        drop(port);
        self.tell_recovery(match closed {
            Closed::Stopped | Closed::Wanted | Closed::Spare => recovery::Input::Closed,
            Closed::Lost(_) => recovery::Input::Lost,
            Closed::Trouble(trouble) => recovery::Input::Trouble { trouble, closed: true },
        });
        if matches!(closed, Closed::Stopped | Closed::Lost(_)) {
            self.setting.census.has_left(self.setting.slot);
        }
        self.session.handle_input(self.setting.clock.now().mono, Input::Lost);
        self.note_outputs();
        self.flush_outcome();
        self.withdraw_pin().await;
        self.flight = None;
        self.identity = None;
        self.keeping.detach_all();
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
        if let Some(closed) = self.climb() {
            return Some(closed);
        }
        self.end_rest();
        self.keep_name();
        self.keep_claiming();
        self.keep_lessons();
        if self.told_waiting != self.next.is_some()
            && let Some(closed) = self.drain(port).await
        {
            return Some(closed);
        }
        self.is_done().then_some(Closed::Stopped)
    }

    /// Waits for whatever comes first, and takes it in.
    async fn wait(&mut self, port: &mut Box<dyn Port>) -> Option<Closed> {
        let mut buffer = [0; 4096];
        let before = self.setting.clock.now();
        let wake = self.wake_at(&before);
        let resume = self.setting.resume.clone();
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
            Some(kept) = self.keeping.join_next() => {
                if let Ok(Some(kept)) = kept {
                    self.kept(kept);
                }
            },
            Some(Ok(found)) = self.unlocking.join_next() => self.pin_found(found),
            () = resume.given() => self.resume(),
            order = self.orders.changed() => if order.is_err() {
                return Some(Closed::Stopped);
            },
            () = sleep_until(self.setting.clock.instant(wake)) => {
                self.note_sleep(&before, wake);
                self.session.handle_input(self.setting.clock.now().mono, Input::Timeout);
            }
        }
        None
    }

    /// Does what the session wants done, and gives it work while it is free.
    async fn drain(&mut self, port: &mut Box<dyn Port>) -> Option<Closed> {
        loop {
            self.tell_waiting();
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
                            Err(_) => return Some(Closed::Trouble(Trouble::Stalled)),
                        }
                    }
                    Output::GiveUp(trouble) => return Some(Closed::Trouble(trouble)),
                    Output::Event(event) => self.take(event),
                }
                if self.spare.is_some() {
                    return Some(Closed::Spare);
                }
            }
            if !self.submit_next() && !self.ask_balance() && !self.cut_balance_short() {
                break;
            }
        }
        self.flush_outcome();
        None
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Changed => self.show(),
            Event::Named(imei) => self.named(imei),
            Event::WantPin { token, imei, sim_card, tries_left } => self.want_pin(token, imei, sim_card, tries_left),
            Event::ServiceAnswered(text) => self.balance_told(text),
            Event::PinEnded { token, outcome } => self.pin_ended(token, outcome),
            Event::PinUnseen { token } => drop(self.pin.take_if(|(of, _)| *of == token)),
            Event::Identified { imei, sim_card } => self.identified(imei, sim_card),
            Event::WantIntent { token } => self.want_intent(token),
            Event::Outcome { token, result } => self.ended(token, result),
            Event::Late { result, .. } => {
                self.listening = false;
                self.late_result(result, true);
            }
            Event::ListeningEnded => {
                self.listening = false;
                self.tell_recovery(recovery::Input::ListeningEnded);
            }
            Event::Booted => self.tell_recovery(recovery::Input::Booted),
            // A bare OK may belong to anything.
            Event::Heard(PartResult::Accepted(None)) => {}
            Event::Heard(result) => self.late_result(result, false),
            Event::Report { reference, recipient, status, verdict, held } => {
                if let Some((_, sim_card)) = self.identity.clone() {
                    self.keep_report(Report { sim_card, reference, recipient, status, verdict }, held);
                }
            }
            Event::Inbound { from, characters, pdu, held } => self.journal(from, characters, pdu, held),
            Event::CallRejected => self.rejected_call(),
            Event::GoesOver(bearer) => {
                if let Some((_, sim_card)) = &self.identity {
                    tracing::info!(
                        modem.slot = self.setting.slot,
                        bearer,
                        "Messages go with this AT+CGSMS; it is kept"
                    );
                    self.setting.learned.goes_over(sim_card, bearer);
                }
            }
            Event::Notice(words) => tracing::warn!(modem.slot = self.setting.slot, "{words}"),
        }
    }

    /// Whether it has been told to stop and nothing is on the air any more, or the time for that is over. A PIN whose answer
    /// nobody sees is lost: it is waited for, too.
    fn is_done(&self) -> bool {
        let under_way = self.flight.is_some() || self.listening || self.pin.is_some();
        self.stopping().is_some_and(|until| !under_way || self.setting.clock.now().mono >= until)
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
        let balance = self.balance.next_change(now.mono);
        // What it wants of the port it has said; it waits for that, not for a moment.
        let ladder = self.recovery.next_timeout().filter(|at| *at > now.mono);
        let receiving = self.session.is_receiving_until().filter(|until| *until > now.mono && self.next.is_some());
        [self.session.next_timeout(), self.stopping(), ahead, rested, balance, ladder, receiving]
            .into_iter()
            .flatten()
            .fold(idle, Mono::min)
    }

    /// How long to listen before the first ESC: a message may still be on the air from before a restart, a panic, or a
    /// loss of the port.
    fn listen_time(&self, left_open: &[LeftOpen], now: Mono) -> Option<Duration> {
        let here = |l: &&LeftOpen| self.last_here.as_ref().is_none_or(|imei| *imei == l.modem);
        let left = left_open.iter().filter(here).map(|l| l.until - now).max()?;
        (!left.is_zero()).then(|| left.min(LISTEN))
    }

    /// Takes what the session still has to say after the port was closed.
    fn note_outputs(&mut self) {
        while let Some(output) = self.session.poll_output() {
            if let Output::Event(event) = output {
                self.take(event);
            }
        }
    }
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

/// From a panic to the next try.
const START_ANEW: Duration = Duration::from_secs(1);
const WRITE: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_secs(60);
const LISTEN: Duration = Duration::from_secs(10);
