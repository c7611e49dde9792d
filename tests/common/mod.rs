//! What the tests of the whole daemon share: a [`House`] with a daemon in it, and the world around it, which lives on
//! when the daemon is stopped or crashes.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]
#![allow(clippy::disallowed_methods, reason = "tokio's instant follows the paused clock")]

pub(crate) mod wire;

use otpgate::app::{App, Storage, World};
use otpgate::config::{Config, Environment, Mode, Modem, SimCardConfig};
use otpgate::domain::country::Country;
use otpgate::domain::id::{ClientId, MessageId, VerificationId};
use otpgate::domain::message::{Message, OnUncertain, Priority, Status};
use otpgate::domain::msisdn::Msisdn;
use otpgate::domain::secret::Secret;
use otpgate::domain::time::Wall;
use otpgate::domain::verification::Origin;
use otpgate::ops::clock::{Clock, VirtualClock};
use otpgate::ops::random::SeededRandom;
use otpgate::simulator::Simulator;
use otpgate::simulator::driver::SimulatorHandle;
use otpgate::simulator::faults::Faults;
use otpgate::simulator::modem::ModemOptions;
use otpgate::simulator::network::{Copy, NetworkOptions};
use otpgate::store::memory_backend::{CrashMode, Disk};
use otpgate::store::{
    Access, Asked, Body, Check, NewCode, NewMessage, NewVerification, Store, StoreError, Verdict, VerificationView,
    Wait,
};
use otpgate::webhook::delivery::Transport;
use std::sync::{Arc, Mutex};
use std::time::Duration;
pub(crate) use wire::Wires;

/// A wall time to begin at: 2026-01-01T00:00:00Z.
pub(crate) const BEGIN: Wall = Wall(1_767_225_600_000);
pub(crate) const ME: Access = Access { client: ClientId(1), admin: false };

/// A daemon and the world around it.
pub(crate) struct House {
    app: Option<App>,
    pub(crate) clock: Arc<VirtualClock>,
    pub(crate) simulator: SimulatorHandle,
    pub(crate) disk: Disk,
    pub(crate) wires: Wires,
    /// How long a stop waits for what is on the air.
    pub(crate) drain: Duration,
    /// Configured from prompt to PDU, and between commands.
    pub(crate) pause: Option<Duration>,
    /// What the configuration says of SIM cards, from the next start on.
    pub(crate) sim_cards: Vec<SimCardConfig>,
    /// What else is set, from the next start on.
    pub(crate) configure: Box<dyn Fn(&mut Config)>,
    /// Where webhooks lead, from the next start on, if not into the network.
    pub(crate) receiver: Option<Arc<dyn Transport>>,
    accepted: Arc<Mutex<Vec<Copy>>>,
    ids: u64,
    starts: u64,
}

impl House {
    /// A new world with so many modems, where a message is 100 ms on the air.
    pub(crate) async fn start(modems: usize) -> Self {
        Self::start_with(modems, 7, NetworkOptions::default()).await
    }

    /// A new world with this network; all that is random in it comes from the seed.
    pub(crate) async fn start_with(modems: usize, seed: u64, network: NetworkOptions) -> Self {
        let mut house = Self::empty(modems, &ModemOptions::default(), seed, network);
        house.begin().await;
        house
    }

    /// A new world with one modem, of which nothing is configured.
    pub(crate) async fn start_as(modem: ModemOptions) -> Self {
        let mut house = Self { pause: None, ..Self::empty(1, &modem, 7, NetworkOptions::default()) };
        house.begin().await;
        house
    }

    /// A new world with so many modems, where this is set.
    pub(crate) async fn start_set(modems: usize, configure: impl Fn(&mut Config) + 'static) -> Self {
        let mut house = Self::empty(modems, &ModemOptions::default(), 7, NetworkOptions::default());
        house.configure = Box::new(configure);
        house.begin().await;
        house
    }

    /// A new world in which no daemon has begun yet.
    pub(crate) fn empty(modems: usize, options: &ModemOptions, seed: u64, network: NetworkOptions) -> Self {
        let network = NetworkOptions { epoch: BEGIN, inbox_capacity: 100_000, ..network };
        let simulator = Simulator::new(modems, options, network, seed);
        let simulator = otpgate::simulator::driver::spawn(simulator);
        let accepted: Arc<Mutex<Vec<Copy>>> = Arc::default();
        let sink = accepted.clone();
        simulator.on_accepted(move |copy| sink.lock().unwrap().push(copy.clone()));
        let clock = Arc::new(VirtualClock::new(BEGIN));
        Self {
            app: None,
            wires: Wires::new(simulator.clone(), clock.clone()),
            clock,
            simulator,
            disk: Disk::default(),
            drain: Duration::from_secs(8),
            pause: Some(Duration::ZERO),
            sim_cards: Vec::new(),
            configure: Box::new(|_| {}),
            receiver: None,
            accepted,
            ids: 0,
            starts: 0,
        }
    }

    /// Starts a daemon in this world.
    pub(crate) async fn begin(&mut self) {
        self.starts += 1;
        let mut config = Config::defaults(None, &Environment::default());
        config.listen.set_port(0);
        config.country = Some(Country::US);
        config.drain = self.drain;
        // Virtual SIM cards bear anything; the tests of limits say what theirs bear.
        config.sim_limits.mode = Some(Mode::Off);
        // Numbers are written to again and again here; the tests of the guard say what it is to heed.
        config.guard.mode = Mode::Off;
        config.sim_cards = self.sim_cards.clone();
        (self.configure)(&mut config);
        let modem =
            |i| Modem { port: format!("virtual:{i}").into(), prompt_delay: self.pause, command_gap: self.pause };
        config.modems = (0..self.simulator.modem_count()).map(modem).collect();
        let world = World {
            ports: Arc::new(self.wires.clone()),
            clock: self.clock.clone(),
            random: Arc::new(SeededRandom::new(self.starts)),
            storage: Storage::Memory(self.disk.clone(), [7; 32]),
            simulator: None,
            webhooks: self.receiver.clone(),
        };
        self.app = Some(App::start(config, world).await.unwrap());
    }

    /// The daemon ends in order. The world stays.
    pub(crate) async fn stop(&mut self) {
        self.app.take().unwrap().stop().await;
    }

    /// The daemon ends in order and begins again.
    pub(crate) async fn restart(&mut self) {
        self.stop().await;
        self.begin().await;
    }

    /// The daemon ends at once. What is durable at this moment is what the next one finds.
    pub(crate) async fn crash(&mut self) {
        let disk = self.disk.copy();
        self.app.take().unwrap().abort();
        self.disk = disk;
        // Its ports are closed when its tasks are gone.
        tokio::task::yield_now().await;
        self.begin().await;
    }

    /// The power fails during a commit: what was being written is there afterwards, or is not.
    pub(crate) async fn crash_in_commit(&mut self, mode: CrashMode) {
        self.app.take().unwrap().abort();
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        self.disk.crash(mode);
        self.begin().await;
    }

    pub(crate) fn app(&self) -> &App {
        self.app.as_ref().unwrap()
    }

    pub(crate) fn store(&self) -> Arc<dyn Store> {
        self.app().store()
    }

    /// Virtual time since the world began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.clock.now().mono.0
    }

    /// Ten bytes unlike any before.
    pub(crate) fn fresh(&mut self) -> [u8; 10] {
        self.ids += 1;
        let mut random = [0; 10];
        random[2..].copy_from_slice(&self.ids.to_be_bytes());
        random
    }

    /// Takes a plain message in, for an hour.
    pub(crate) async fn accept(&mut self, to: &str, text: &str) -> MessageId {
        let new = self.message(to, text);
        self.take_in(new).await
    }

    /// Takes a message in.
    pub(crate) async fn take_in(&self, new: NewMessage) -> MessageId {
        self.store().accept(new, None).await.unwrap().value.id
    }

    /// A plain message to be taken in.
    pub(crate) fn message(&mut self, to: &str, text: &str) -> NewMessage {
        let now = self.clock.now();
        NewMessage {
            id: MessageId::new(now.wall, self.fresh()),
            client: ME.client,
            to: Msisdn::parse(to).unwrap(),
            body: Body::Text(Secret::new(text)),
            parts: otpgate::sms::segment::segment(text, Default::default()).unwrap().len() as u8,
            priority: Priority::Normal,
            flash: false,
            send_at: None,
            deadline: now.after(Duration::from_secs(3600)),
            on_uncertain: OnUncertain::Leave,
            client_reference: None,
            asked: Asked::default(),
        }
    }

    /// A verification to be taken in: six digits after `before` and a space.
    pub(crate) fn code(&mut self, to: &str, before: &str, life: Duration) -> NewVerification {
        let now = self.clock.now();
        let mut nonce = [0; 16];
        nonce[..10].copy_from_slice(&self.fresh());
        NewVerification {
            id: VerificationId::new(now.wall, self.fresh()),
            purpose: None,
            brand: None,
            metadata: None,
            code: NewCode::Derived { length: 6, nonce },
            expires: now.after(life),
            origin: Origin::default(),
            supersedes: true,
            reveals: false,
            message: NewMessage {
                body: Body::code(format!("{before} "), ""),
                parts: 1,
                priority: Priority::Otp,
                deadline: now.after(life),
                on_uncertain: OnUncertain::ResendOnce,
                ..self.message(to, "")
            },
        }
    }

    /// Takes a verification in, for five minutes.
    pub(crate) async fn verify(&mut self, to: &str, before: &str) -> VerificationView {
        let new = self.code(to, before, Duration::from_secs(300));
        self.store().create_verification(new, None).await.unwrap().value
    }

    /// Checks a code.
    pub(crate) async fn check(&self, id: VerificationId, code: &str) -> Result<Verdict, StoreError> {
        let check = Check { code: Secret::new(code), to: None, purpose: None, amount: None, payee: None };
        self.store().check(ME, id, check, None).await
    }

    /// The message as it is now.
    pub(crate) async fn get(&self, id: MessageId) -> Message {
        self.store().message(ME, id, None).await.unwrap()
    }

    /// The message's state as it is now.
    pub(crate) async fn status(&self, id: MessageId) -> Status {
        self.get(id).await.status()
    }

    /// The message as soon as it is final, or as it is after so long.
    pub(crate) async fn settled(&self, id: MessageId, at_most: Duration) -> Message {
        self.when(id, at_most, Message::is_final).await
    }

    /// The message as soon as it is in this state. Fails if it is not within ten minutes.
    pub(crate) async fn reaches(&self, id: MessageId, status: Status) -> Message {
        let message = self.when(id, Duration::from_secs(600), |m| m.status() == status).await;
        assert_eq!(message.status(), status, "{message:?}");
        message
    }

    async fn when(&self, id: MessageId, at_most: Duration, enough: impl Fn(&Message) -> bool) -> Message {
        let until = self.elapsed() + at_most;
        let mut message = self.get(id).await;
        while !enough(&message) && self.elapsed() < until {
            let wait = Wait { after: Some(message.version), at_most: until - self.elapsed() };
            message = self.store().message(ME, id, Some(wait)).await.unwrap();
        }
        message
    }

    /// Waits until a modem can send, at most five minutes.
    pub(crate) async fn ready(&self, modem: usize) {
        for _ in 0..3000 {
            if self.app().board().modems().get(modem).is_some_and(|m| m.state.is_ready()) {
                return;
            }
            sleep_ms(100).await;
        }
        panic!("modem {modem} can't send: {:?}", self.app().board().modems());
    }

    /// Waits until a modem has so many messages on the air since the world began.
    pub(crate) async fn handed_over(&self, count: usize) {
        for _ in 0..600_000 {
            if self.wires.handed_over().len() >= count {
                return;
            }
            sleep_ms(1).await;
        }
        panic!("only {} were handed over", self.wires.handed_over().len());
    }

    /// Every copy that the network accepted, oldest first.
    pub(crate) fn all_copies(&self) -> Vec<Copy> {
        self.accepted.lock().unwrap().clone()
    }

    /// The texts of the copies that the network accepted for a number, oldest first.
    pub(crate) fn copies(&self, to: &str) -> Vec<String> {
        self.all_copies().into_iter().filter(|copy| copy.to == to).map(|copy| copy.text).collect()
    }

    /// The IMEIs of the modems that sent them.
    pub(crate) fn senders(&self, to: &str) -> Vec<String> {
        self.all_copies().into_iter().filter(|copy| copy.to == to).map(|copy| copy.imei).collect()
    }

    pub(crate) fn imei(&self, modem: usize) -> String {
        self.simulator.identity(modem).unwrap().imei
    }

    /// Sets what goes wrong with a modem from now on: the faults' words, and nothing else.
    pub(crate) fn faults(&self, modem: usize, flags: &[&str]) {
        let mut faults = Faults::default();
        flags.iter().for_each(|flag| faults.set_flag(flag).unwrap());
        self.simulator.set_faults(Some(modem), &faults);
    }
}

/// Lets virtual time pass.
pub(crate) async fn sleep_ms(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

/// Lets virtual time pass.
pub(crate) async fn sleep(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}
