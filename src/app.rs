//! The composition root: the whole daemon is a library call.
//!
//! [`App::start`] opens the store, starts a driver for each modem and the HTTP server; [`App::stop`] lets what is on the air
//! end, then ends the server and the store, and returns when the last handle of the store is gone.

use crate::config::{Config, ConfigError, Limits, Mode};
use crate::dispatch::router::Routes;
use crate::domain::guard::GuardRules;
use crate::domain::id::{ClientId, KeyId};
use crate::domain::inbound::InboundRules;
use crate::domain::secret::Secret;
use crate::domain::time::Mono;
use crate::http::{self, Api};
use crate::modem::board::Board;
use crate::modem::census::Census;
use crate::modem::driver::{self, Order, Setting};
use crate::modem::learned::Learned;
use crate::modem::port::{Port, Ports, Resetting};
use crate::modem::quirks::Configured;
use crate::modem::recovery::ward::{Tally, Ward};
use crate::modem::resume::Resume;
use crate::modem::serial::SerialPorts;
use crate::ops::clock::{Clock, SystemClock};
use crate::ops::files;
use crate::ops::random::{self, Random, SystemRandom};
use crate::simulator::Simulator;
use crate::simulator::driver::SimulatorHandle;
use crate::simulator::modem::ModemOptions;
use crate::simulator::network::NetworkOptions;
use crate::store::backend::Backend;
use crate::store::committer::{BoxStore, Ended, StartError as StoreStartError};
use crate::store::data_dir::{DataDir, DataDirError};
use crate::store::masters::Masters;
use crate::store::memory_backend::{Disk, MemoryBackend};
use crate::store::vault::StoreKind;
use crate::store::{ApiKey, KeySettings, Policy, Scope, Store, StoreError};
use crate::webhook::client::{Client, SystemResolver};
use crate::webhook::delivery::{self, Transport};
use crate::webhook::target::Rules;
use jiff::tz::TimeZone;
use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use zeroize::Zeroizing;

/// Everything outside the process, as the daemon meets it: another world makes a test.
pub struct World {
    /// Where ports come from.
    pub ports: Arc<dyn Ports>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where random numbers come from.
    pub random: Arc<dyn Random>,
    /// Where the store lies.
    pub storage: Storage,
    /// The virtual network, if the modems are virtual.
    pub simulator: Option<SimulatorHandle>,
    /// What webhooks are told through, if not through the network.
    pub webhooks: Option<Arc<dyn Transport>>,
}

/// Where the store lies.
pub enum Storage {
    /// In the configured data folder.
    DataDir,
    /// In memory, with this master key: for tests.
    Memory(Disk, [u8; 32]),
}

impl World {
    /// The machine as it is.
    pub fn real() -> Self {
        Self {
            ports: Arc::new(SerialPorts::default()),
            clock: Arc::new(SystemClock::new()),
            random: Arc::new(SystemRandom),
            storage: Storage::DataDir,
            simulator: None,
            webhooks: None,
        }
    }

    /// The machine as it is, but for so many virtual modems on a virtual network that takes `air_time` a message.
    pub fn simulated(modems: usize, air_time: Duration) -> Self {
        let real = Self::real();
        let epoch = real.clock.now().wall;
        let network = NetworkOptions { air_time, epoch, ..NetworkOptions::default() };
        let seed = u64::from_be_bytes(random::bytes(&*real.random));
        let simulator = Simulator::new(modems, &ModemOptions::default(), network, seed);
        real.with_simulator(crate::simulator::driver::spawn(simulator))
    }

    /// This world, with the virtual modems' ports.
    pub fn with_simulator(self, simulator: SimulatorHandle) -> Self {
        Self { ports: Arc::new(VirtualPorts(simulator.clone())), simulator: Some(simulator), ..self }
    }
}

/// The running daemon.
pub struct App {
    addr: SocketAddr,
    store: BoxStore,
    board: Board,
    admin_key: Option<Secret>,
    clock: Arc<dyn Clock>,
    orders: watch::Sender<Order>,
    draining: watch::Sender<bool>,
    stopping: watch::Sender<bool>,
    drivers: Vec<JoinHandle<()>>,
    /// By slot.
    resumes: Vec<Resume>,
    server: JoinHandle<()>,
    deliveries: JoinHandle<()>,
    committer: Ended,
    simulator: Option<SimulatorHandle>,
    drain: Duration,
}

impl App {
    /// Starts everything. Returns when requests are answered; the modems come up meanwhile.
    pub async fn start(config: Config, world: World) -> Result<Self, StartError> {
        config.check().map_err(StartError::Config)?;
        let World { ports, clock, random, storage, simulator, webhooks } = world;
        let kind = if simulator.is_some() { StoreKind::Simulated } else { StoreKind::Real };
        // First the address: with another gateway on it there is nothing to open.
        let listener = TcpListener::bind(config.listen).await;
        let listener = listener.map_err(|error| StartError::Listen(config.listen, error))?;
        let addr = listener.local_addr().map_err(|error| StartError::Listen(config.listen, error))?;

        let transport = match webhooks {
            Some(transport) => transport,
            None => {
                let ca_file = config.webhook.ca_file.as_deref();
                let client = Client::new(webhook_rules(&config, addr), Arc::new(SystemResolver), ca_file);
                Arc::new(client.map_err(StartError::Webhook)?)
            }
        };
        let (store, committer) = open_store(&config, &storage, kind, &random, &clock)?;
        let country = config.country.map(|country| country.as_str().to_owned());
        store.set_inbound_rules(InboundRules { country, ..config.inbound.clone() });
        store.set_guard_rules(GuardRules { home: config.country, ..config.guard.clone() });
        store.keep_audits(config.retention.audit);
        if let Some(every) = config.canary.every {
            store.set_canaries(every, config.canary.within, config.canaries());
        }
        let admin_key = match &storage {
            Storage::DataDir => ensure_admin_key(&store, &*random, &*clock, Some(&config.data_dir)).await?,
            Storage::Memory(..) => ensure_admin_key(&store, &*random, &*clock, None).await?,
        };

        let (board, ward, census) = (Board::default(), Ward::default(), Census::default());
        // A store that can't tell has lost nothing that could not be learned again.
        let learned = Learned::from_lessons(store.lessons().await.unwrap_or_default());
        let tallies = store.tallies().await.unwrap_or_default();
        ward.remember(tallies.into_iter().map(|kept| (kept.model, Tally::new(&kept.rungs))));
        let mut resumes = Vec::new();
        let sim_cards: Arc<[_]> = config.sim_cards.clone().into();
        let (orders, orders_in) = watch::channel(Order::Run);
        let mut drivers = Vec::new();
        for (slot, (port, configured)) in modems(&config, simulator.as_ref()).into_iter().enumerate() {
            board.update(slot, |view| view.port = port.clone());
            let setting = Setting {
                slot,
                port,
                configured,
                sim_cards: sim_cards.clone(),
                status_reports: config.status_reports,
                ports: ports.clone(),
                store: Arc::new(store.clone()),
                clock: clock.clone(),
                board: board.clone(),
                learned: learned.clone(),
                ward: ward.clone(),
                census: census.clone(),
                resume: Resume::default(),
            };
            resumes.push(setting.resume.clone());
            drivers.push(tokio::spawn(driver::drive(setting, orders_in.clone())));
        }

        let (draining, draining_in) = watch::channel(false);
        let (stopping, stopping_in) = watch::channel(false);
        let api = Api {
            store: Arc::new(store.clone()),
            clock: clock.clone(),
            random,
            board: board.clone(),
            resumes: resumes.clone(),
            simulator: simulator.clone(),
            draining: draining_in,
            stopping: stopping_in.clone(),
            settings: settings(&config, addr),
        };
        let server = tokio::spawn(http::serve(listener, http::router(api), stopping_in.clone()));
        let told = delivery::deliver(Arc::new(store.clone()), transport, clock.clone(), stopping_in);
        let deliveries = tokio::spawn(told);
        let drain = config.drain;
        Ok(Self {
            addr,
            store,
            board,
            admin_key,
            clock,
            orders,
            draining,
            stopping,
            drivers,
            resumes,
            server,
            deliveries,
            committer,
            simulator,
            drain,
        })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The admin key, if this start made it.
    pub fn admin_key(&self) -> Option<&Secret> {
        self.admin_key.as_ref()
    }

    /// The store, for tests.
    pub fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.store.clone())
    }

    /// What is known of the modems.
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// Has the modem of this slot tried now, if it is in quarantine.
    pub fn resume(&self, slot: usize) {
        if let Some(resume) = self.resumes.get(slot) {
            resume.give();
        }
    }

    /// Comes when the daemon can't go on by itself; says why.
    pub async fn ended(&mut self) -> String {
        tokio::select! {
            done = &mut self.committer => match done {
                Ok(Ok(())) => "the store was closed".to_owned(),
                Ok(Err(error)) => error.to_string(),
                Err(_) => "the store's task panicked".to_owned(),
            },
            _ = &mut self.server => "the HTTP server ended".to_owned(),
        }
    }

    /// Ends it at once and records nothing, as a crash does.
    pub fn abort(self) {
        for task in &self.drivers {
            task.abort();
        }
        self.server.abort();
        self.deliveries.abort();
        self.committer.abort();
    }

    /// Ends it: nothing new is taken in or begun, what is past 0x1A is awaited, the rest is recorded uncertain. Requests are
    /// answered until then: a code that has arrived can be checked.
    pub async fn stop(self) {
        let until = Mono(self.clock.now().mono.0 + self.drain);
        self.draining.send_replace(true);
        self.orders.send_replace(Order::Drain { until });
        let deadline = self.clock.instant(until + LAST_RECORDS);
        for driver in self.drivers {
            let stop_it = driver.abort_handle();
            if tokio::time::timeout_at(deadline, driver).await.is_err() {
                stop_it.abort();
            }
        }
        self.stopping.send_replace(true);
        let _ = self.server.await;
        let _ = self.deliveries.await;
        // What the drivers recorded last is ahead of this in the committer's lane.
        let _ = self.store.close().await;
        let _ = self.committer.await;
        if let Some(simulator) = self.simulator {
            simulator.stop().await;
        }
    }
}

/// Revokes every admin key and writes a new one, while no daemon has the store open.
pub async fn reset_admin_key(config: &Config, kind: StoreKind) -> Result<PathBuf, StartError> {
    let random: Arc<dyn Random> = Arc::new(SystemRandom);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let (store, committer) = open_store(config, &Storage::DataDir, kind, &random, &clock)?;
    let old = store.keys().await.map_err(StartError::AdminKey)?;
    make_admin_key(&store, &*random, &*clock, Some(&config.data_dir)).await?;
    for key in old.iter().filter(|k| k.scopes.contains(&Scope::Admin) && k.revoked.is_none()) {
        store.revoke_key(key.id).await.map_err(StartError::AdminKey)?;
    }
    store.close().await.map_err(StartError::AdminKey)?;
    let _ = committer.await;
    Ok(config.data_dir.join(ADMIN_KEY))
}

/// Why the daemon did not start, in words that say what to do.
#[derive(Debug)]
pub enum StartError {
    /// A setting is missing or wrong.
    Config(ConfigError),
    /// The address can't be listened on.
    Listen(SocketAddr, io::Error),
    /// The store can't be opened.
    Store(DataDirError),
    /// What webhooks need is not there.
    Webhook(String),
    /// What the last run left could not be taken over.
    Recover(StoreStartError),
    /// The admin key could not be made.
    AdminKey(StoreError),
    /// The admin key's file could not be written.
    AdminKeyFile(PathBuf, io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::Listen(addr, error) if error.kind() == io::ErrorKind::AddrInUse => {
                write!(
                    f,
                    "{addr} is taken; is otpgate running already? Stop it, or choose another address with --listen"
                )
            }
            Self::Listen(addr, error) => write!(f, "can't listen on {addr} ({error}); choose another with --listen"),
            Self::Webhook(why) => f.write_str(why),
            Self::Store(error) => error.fmt(f),
            Self::Recover(error) => error.fmt(f),
            Self::AdminKey(error) => write!(f, "the admin key could not be made: {error}"),
            Self::AdminKeyFile(path, error) => write!(f, "can't write {}: {error}", path.display()),
        }
    }
}

impl std::error::Error for StartError {}

fn open_store(
    config: &Config,
    storage: &Storage,
    kind: StoreKind,
    random: &Arc<dyn Random>,
    clock: &Arc<dyn Clock>,
) -> Result<(BoxStore, Ended), StartError> {
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let dir = DataDir::new(&config.data_dir, credentials.as_deref(), config.master_key_file.as_deref());
    let (backend, masters, warning): (Box<dyn Backend>, Masters, Option<String>) = match storage {
        Storage::DataDir => {
            let (backend, loaded) = dir.unlock(&**random).map_err(StartError::Store)?;
            (Box::new(backend), loaded.masters, loaded.warning)
        }
        Storage::Memory(disk, master) => (Box::new(MemoryBackend::on(disk)), disk.masters(master), None),
    };
    let opened = BoxStore::open_with(backend, masters, random.clone(), kind, clock.clone(), policy(config));
    let (store, committer, opened) = opened.map_err(|error| match error {
        StoreStartError::Open(error) => StartError::Store(dir.explain(error)),
        error => StartError::Recover(error),
    })?;
    for words in warning.iter().chain(&opened.alarms) {
        tracing::warn!("{words}");
    }
    if let Some(why) = &opened.quarantined {
        tracing::error!(%why, "The store is quarantined: nothing is taken in and nothing is sent");
    }
    if opened.set_aside > 0 {
        tracing::error!(
            records = opened.set_aside,
            "Damaged records were set aside; see set-aside.jsonl in the data folder"
        );
    }
    Ok((store, committer))
}

/// What SIM cards may send. Where no time zone is named, the machine's own holds.
fn policy(config: &Config) -> Policy {
    let limits = &config.sim_limits.limits;
    let here = Limits { time_zone: limits.time_zone.clone().or_else(|| Some(TimeZone::system())), ..limits.clone() };
    Policy {
        mode: config.sim_limits.mode.unwrap_or(Mode::Enforce),
        virtual_cards: config.sim_limits.mode.is_some(),
        own: config.sim_cards.iter().map(|card| (card.iccid.clone(), card.limits.over(&here))).collect(),
        limits: here,
        routes: Routes::new(config.routes.clone()),
    }
}

/// Makes an admin key if there is none. Gives it if it was made.
async fn ensure_admin_key(
    store: &BoxStore,
    random: &dyn Random,
    clock: &dyn Clock,
    data_dir: Option<&Path>,
) -> Result<Option<Secret>, StartError> {
    if store.health().quarantined.is_some() {
        return Ok(None);
    }
    let keys = store.keys().await.map_err(StartError::AdminKey)?;
    if keys.iter().any(|k| k.scopes.contains(&Scope::Admin) && k.revoked.is_none()) {
        return Ok(None);
    }
    make_admin_key(store, random, clock, data_dir).await.map(Some)
}

/// First the file, durably, then the record: a crash between them leaves a file that the next start overwrites, and never a key
/// that nobody has.
async fn make_admin_key(
    store: &BoxStore,
    random: &dyn Random,
    clock: &dyn Clock,
    data_dir: Option<&Path>,
) -> Result<Secret, StartError> {
    let secret = http::new_secret(random);
    if let Some(dir) = data_dir {
        let path = dir.join(ADMIN_KEY);
        let line = Zeroizing::new(format!("{}\n", secret.reveal()));
        files::write_secret(&path, line.as_bytes()).map_err(|error| StartError::AdminKeyFile(path, error))?;
    }
    let now = clock.now().wall;
    let key = ApiKey {
        id: KeyId::new(now, random::bytes(random)),
        client: ClientId::new(now, random::bytes(random)),
        name: "admin".to_owned(),
        secret_sha256: http::secret_sha256(secret.reveal()),
        scopes: BTreeSet::from([Scope::Admin]),
        permissions: BTreeSet::new(),
        created: now,
        expires: None,
        revoked: None,
        settings: KeySettings::default(),
    };
    store.create_key(key, None).await.map_err(StartError::AdminKey)?;
    Ok(secret)
}

fn modems(config: &Config, simulator: Option<&SimulatorHandle>) -> Vec<(String, Configured)> {
    match simulator {
        Some(simulator) => {
            let port = |i| (format!("{VIRTUAL}{i}"), Configured::default());
            (0..simulator.modem_count()).map(port).collect()
        }
        None => {
            let real = |m: &crate::config::Modem| {
                let configured = Configured { prompt_delay: m.prompt_delay, command_gap: m.command_gap };
                (m.port.display().to_string(), configured)
            };
            config.modems.iter().map(real).collect()
        }
    }
}

fn settings(config: &Config, addr: SocketAddr) -> http::Settings {
    http::Settings {
        listen: vec![config.listen, addr],
        allowed_hosts: config.http.allowed_hosts.clone(),
        trusted_proxies: config.http.trusted_proxies.clone(),
        min_code_length: config.codes.min_length,
        max_code_ttl: config.codes.max_ttl,
        max_parts: config.messages.max_parts,
        code_alphabet: config.codes.alphabet,
        templates: config.templates.clone(),
        own_numbers: config.canaries().into_iter().collect(),
        myotp: config.dialects.myotp,
        operator_email: config.dialects.operator_email.clone(),
        price_per_sms: config.dialects.price_per_sms,
        webhooks: webhook_rules(config, addr),
    }
}

/// Where webhooks may lead: nowhere that the configuration does not allow, and never here.
fn webhook_rules(config: &Config, addr: SocketAddr) -> Rules {
    Rules {
        allowed: config.webhook.allow_targets.clone(),
        own: vec![addr],
        own_names: config.http.allowed_hosts.clone(),
    }
}

/// The virtual modems' ports: `virtual:0`, `virtual:1` …
struct VirtualPorts(SimulatorHandle);

impl Ports for VirtualPorts {
    fn open(&self, name: &str) -> Pin<Box<dyn Future<Output = io::Result<Box<dyn Port>>> + Send>> {
        let opened = match virtual_index(name) {
            Some(index) => self.0.open(index).map(|port| Box::new(port) as Box<dyn Port>),
            None => Err(io::Error::new(io::ErrorKind::NotFound, "there is no such virtual modem")),
        };
        Box::pin(std::future::ready(opened))
    }

    fn is_there(&self, name: &str) -> bool {
        virtual_index(name).is_some_and(|index| self.0.is_there(index))
    }

    fn generation(&self, name: &str) -> u64 {
        virtual_index(name).map_or(0, |index| self.0.generation(index))
    }

    fn reset(&self, name: &str) -> Resetting {
        let index = virtual_index(name);
        let gone = || Err(io::Error::new(io::ErrorKind::NotFound, "there is no such virtual modem"));
        Box::pin(std::future::ready(index.map_or_else(gone, |index| self.0.usb_reset(index))))
    }
}

fn virtual_index(name: &str) -> Option<usize> {
    name.strip_prefix(VIRTUAL)?.parse().ok()
}

/// The admin key's file in the data folder.
pub const ADMIN_KEY: &str = "admin.key";
const VIRTUAL: &str = "virtual:";
/// After the last part on the air: time to record what came of it.
const LAST_RECORDS: Duration = Duration::from_secs(5);
