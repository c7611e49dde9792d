//! `otpgate.toml`, the environment and the flags → [`Config`].
//!
//! Every setting is one row of a table: its name, how it is read, how it is shown. Flags win over the environment
//! (`OTPGATE_` and the name in capitals), the environment over the file, the file over the defaults. What is not in the
//! table is refused, with the nearest name that is.

mod canary;
#[doc(hidden)]
pub mod fuzzing;
mod guard;
mod retention;
mod route;
mod settings;
mod sim_card;
mod source;
mod texts;

pub use crate::domain::mode::Mode;
pub use canary::Canary;
pub use retention::Retention;
pub use route::Route;
pub use sim_card::{Limits, SimCardConfig, SimLimits, balance_pattern};

use crate::domain::amount::Amount;
use crate::domain::country::Country;
use crate::domain::equipment::SimCard;
use crate::domain::guard::GuardRules;
use crate::domain::inbound::InboundRules;
use crate::domain::msisdn::Msisdn;
use crate::domain::network::Network;
use crate::domain::verification::CodeAlphabet;
use crate::otp::template::Book;
use source::Entry;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Everything that can be set. [`Config::defaults`] has the values that hold without a word from anyone;
/// `otpgate.sample.toml` gives the reason for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where the HTTP API listens.
    pub listen: SocketAddr,
    /// Where the store, the master key and `admin.key` are.
    pub data_dir: PathBuf,
    /// The country whose numbers this gateway serves. `None` until somebody says; [`Config::check`] wants it.
    pub country: Option<Country>,
    /// Where the master key is, if not in the data folder.
    pub master_key_file: Option<PathBuf>,
    /// How long a stop waits for what is past 0x1A.
    pub drain: Duration,
    /// Whether a status report is asked for with every part.
    pub status_reports: bool,
    /// The HTTP side.
    pub http: Http,
    /// Limits on codes, for every entrance.
    pub codes: Codes,
    /// Limits on texts.
    pub messages: Messages,
    /// Which other services' APIs are spoken as well.
    pub dialects: Dialects,
    /// What is done with what comes in.
    pub inbound: InboundRules,
    /// What texts are made from.
    pub templates: Book,
    /// Where webhooks may lead.
    pub webhook: Webhooks,
    /// How long what is on record is kept.
    pub retention: Retention,
    /// The real modems. Empty with `simulate`.
    pub modems: Vec<Modem>,
    /// What is known of SIM cards that no modem can tell.
    pub sim_cards: Vec<SimCardConfig>,
    /// What a SIM card's plan and network bear.
    pub sim_limits: SimLimits,
    /// What SIM cards send to themselves.
    pub canary: Canary,
    /// Which SIM cards numbers that begin alike go over.
    pub routes: Vec<Route>,
    /// What keeps codes and texts from being taken in.
    pub guard: GuardRules,
    /// Virtual modems instead of real ones.
    pub simulate: Option<Simulate>,
}

/// `[http]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Http {
    /// Names in `Host` that are answered besides loopback names and the listen address.
    pub allowed_hosts: Vec<String>,
    /// Proxies whose word on the client's address is believed.
    pub trusted_proxies: Vec<Network>,
    /// Whether keys and codes may cross a network unencrypted.
    pub plain_http: bool,
}

/// `[codes]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Codes {
    /// Digits, 4 to 10.
    pub min_length: u8,
    /// The longest life a code may be given.
    pub max_ttl: Duration,
    /// What codes are written in if a request does not say.
    pub alphabet: CodeAlphabet,
}

/// Other services' APIs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialects {
    /// MyOTP.App's.
    pub myotp: bool,
    /// Whom to write to about this gateway: what it answers at `/me`.
    pub operator_email: String,
    /// What a message costs, as it is told there.
    pub price_per_sms: Amount,
}

/// `[messages]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Messages {
    /// The most parts a text may have, 1 to 10: so much fits a record.
    pub max_parts: u8,
}

/// `[webhook]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Webhooks {
    /// Blocks of addresses that webhooks may lead to though they are not public.
    pub allow_targets: Vec<Network>,
    /// Certificates that are trusted beside the machine's own.
    pub ca_file: Option<PathBuf>,
}

/// One `[[modem]]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Modem {
    /// The serial port's device file.
    pub port: PathBuf,
    /// Pause between the prompt and the PDU; `None` leaves it to what is known of the model.
    pub prompt_delay: Option<Duration>,
    /// Pause between a final result and the next command; `None` leaves it to what is known of the model.
    pub command_gap: Option<Duration>,
}

/// `--simulate` and its companions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Simulate {
    /// How many virtual modems.
    pub modems: u8,
    /// What the virtual network takes for each message.
    pub air_time: Duration,
}

/// What the command line says. It wins over the environment and the file.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--config`.
    pub file: Option<PathBuf>,
    /// `--listen`.
    pub listen: Option<SocketAddr>,
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
    /// `--modem`, any number; they take the place of the file's list, but keep its delays for the same port.
    pub modems: Vec<PathBuf>,
    /// `--simulate` and `--air-time`.
    pub simulate: Option<Simulate>,
}

/// A configuration, and where each value comes from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What does no harm to the start but should be known.
    pub warnings: Vec<String>,
    origins: Vec<(&'static str, Origin)>,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said anything.
    Default,
    /// This line of this file.
    File(PathBuf, usize),
    /// This variable of the environment.
    Environment(String),
    /// This flag.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path, line) => write!(f, "{} line {line}", path.display()),
            Self::Environment(name) => f.write_str(name),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

/// All that is wrong with a configuration, one sentence each, with its place. Holds no secret: none is ever inline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(pub Vec<String>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// The defaults: with real modems, or with virtual ones.
    pub fn defaults(simulate: Option<Simulate>, environment: &Environment) -> Self {
        Self {
            // Loopback: nobody else can reach it until somebody decides so.
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), DEFAULT_PORT),
            data_dir: default_data_dir(simulate.is_some(), environment),
            // A wrong guess here would be a wrong allow-list; virtual modems reach nobody, so any country will do.
            country: simulate.map(|_| Country::US),
            master_key_file: None,
            // A network may take a minute; the virtual one takes what `--air-time` says, and a developer is waiting.
            drain: Duration::from_secs(if simulate.is_some() { 8 } else { 60 }),
            // Without reports nobody knows what arrived.
            status_reports: true,
            http: Http::default(),
            // Five tries at six digits: one in 200,000. Ten minutes is what people need, and not a guesser.
            codes: Codes { min_length: 6, max_ttl: Duration::from_secs(600), alphabet: CodeAlphabet::Digits },
            // 1,500 characters; past that somebody sends a document by mistake, and pays for each part.
            messages: Messages { max_parts: 10 },
            dialects: Dialects {
                myotp: true,
                operator_email: "box@localhost".to_owned(),
                price_per_sms: Amount::default(),
            },
            inbound: InboundRules::default(),
            templates: Book::default(),
            webhook: Webhooks::default(),
            retention: Retention::default(),
            modems: Vec::new(),
            sim_cards: Vec::new(),
            sim_limits: SimLimits::defaults(simulate.is_some()),
            canary: Canary::default(),
            routes: Vec::new(),
            // With virtual modems nobody is harmed, and a developer who asks again and again is no attacker.
            guard: GuardRules {
                mode: if simulate.is_some() { Mode::Shadow } else { Mode::Enforce },
                ..GuardRules::default()
            },
            simulate,
        }
    }

    /// Reads file and environment, puts the flags on top. Tells everything that is wrong at once.
    pub fn load(flags: &Flags, environment: &Environment) -> Result<Loaded, ConfigError> {
        let Some(path) = &flags.file else { return Self::from_sources(flags, environment, None) };
        let unreadable = |e| ConfigError(vec![format!("can't read {}: {e}", path.display())]);
        let mut file = File::open(path).map_err(unreadable)?;
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(unreadable)?;
        let mut loaded = Self::from_sources(flags, environment, Some((path, &text)))?;
        if !is_credential(path, environment) && others_may_read(&file).map_err(unreadable)? {
            loaded.warnings.push(format!("others may read {0}; close it with: chmod 600 {0}", path.display()));
        }
        Ok(loaded)
    }

    fn from_sources(
        flags: &Flags,
        environment: &Environment,
        file: Option<(&Path, &str)>,
    ) -> Result<Loaded, ConfigError> {
        let mut errors = Vec::new();
        let mut loaded = Loaded {
            config: Self::defaults(flags.simulate, environment),
            warnings: Vec::new(),
            origins: settings::names().map(|name| (name, Origin::Default)).collect(),
        };
        let mut entries = Vec::new();
        if let Some((path, text)) = file {
            entries.extend(source::from_toml(path, text, &mut errors));
        }
        entries.extend(source::from_environment(environment, &mut errors));
        for Entry { name, value, origin } in entries {
            match settings::set(&mut loaded.config, &name, &value) {
                Ok(Some(name)) => loaded.remember(name, origin),
                Ok(None) => {}
                Err(why) => errors.push(format!("{origin}: {why}")),
            }
        }
        loaded.put_flags_on_top(flags);
        if errors.is_empty() { Ok(loaded) } else { Err(ConfigError(errors)) }
    }

    /// What `serve` can't start with, in sentences that say which line to write.
    pub fn check(&self) -> Result<(), ConfigError> {
        let mut errors = Vec::new();
        if self.country.is_none() {
            errors.push(
                "the country is not set; write the line country = \"US\" (your ISO 3166 code) into otpgate.toml, or set \
                 OTPGATE_COUNTRY"
                    .to_owned(),
            );
        }
        if self.modems.is_empty() && self.simulate.is_none() {
            errors.push(
                "no modem is named; give --modem /dev/serial/by-id/…, write [[modem]] with its port into otpgate.toml, \
                 or try it without a modem: otpgate serve --simulate 2"
                    .to_owned(),
            );
        }
        if !self.listen.ip().is_loopback() && !self.http.plain_http {
            errors.push(format!(
                "listen = \"{}\" can be reached by other machines, and there is no TLS: keys and codes would cross the \
                 network in the clear; listen on 127.0.0.1 behind a proxy that has TLS, or write plain_http = true under \
                 [http] if the network is yours alone",
                self.listen
            ));
        }
        for route in self.routes.iter().filter(|route| route.sim_cards.is_empty() && route.operator.is_none()) {
            let prefix = &route.prefix;
            errors.push(format!("[[route]] {prefix} leads nowhere; name its sim_cards, or an operator"));
        }
        errors.extend(self.templates.faults());
        if errors.is_empty() { Ok(()) } else { Err(ConfigError(errors)) }
    }

    /// The SIM cards that send to themselves, with their numbers.
    pub fn canaries(&self) -> Vec<(SimCard, Msisdn)> {
        let own = |card: &SimCardConfig| Some((card.iccid.clone(), card.number.clone()?));
        self.sim_cards.iter().filter_map(own).collect()
    }
}

impl Loaded {
    /// Every setting's name, value as it would stand in the file, and origin.
    pub fn rows(&self) -> impl Iterator<Item = (&'static str, String, &Origin)> {
        self.origins.iter().map(|(name, origin)| (*name, settings::show(&self.config, name), origin))
    }

    fn remember(&mut self, name: &'static str, origin: Origin) {
        for row in self.origins.iter_mut().filter(|row| row.0 == name) {
            row.1 = origin.clone();
        }
    }

    fn put_flags_on_top(&mut self, flags: &Flags) {
        if let Some(listen) = flags.listen {
            self.config.listen = listen;
            self.remember("listen", Origin::Flag("--listen"));
        }
        if let Some(data_dir) = &flags.data_dir {
            self.config.data_dir = data_dir.clone();
            self.remember("data_dir", Origin::Flag("--data-dir"));
        }
        if flags.simulate.is_some() && !self.config.modems.is_empty() {
            self.warnings.push("--simulate: the [[modem]] entries of the file are left alone".to_owned());
            self.config.modems.clear();
        }
        if !flags.modems.is_empty() {
            let known = std::mem::take(&mut self.config.modems);
            self.config.modems = flags.modems.iter().map(|port| modem_at(port, &known)).collect();
            self.remember("modem", Origin::Flag("--modem"));
        }
        self.warn();
    }

    fn warn(&mut self) {
        let config = &self.config;
        if !config.listen.ip().is_loopback() && config.http.plain_http {
            self.warnings
                .push(format!("plain_http: keys and codes cross the network in the clear to {}", config.listen));
        }
        let automated = |card: &SimCardConfig| card.plan_allows_automated_sms.is_some();
        if !config.modems.is_empty() && (config.sim_cards.is_empty() || !config.sim_cards.iter().all(automated)) {
            self.warnings.push(
                "many plans forbid automated messages, and networks block SIM cards for them; when you have asked your \
                 operator, write plan_allows_automated_sms into the card's [[sim_card]]"
                    .to_owned(),
            );
        }
        if config.canary.every.is_some() && config.canaries().is_empty() {
            self.warnings.push(
                "[canary]: no SIM card sends itself anything, for none has a number; write the card's own number into its \
                 [[sim_card]]"
                    .to_owned(),
            );
        }
        if config.country == Country::parse("GB").ok() && config.modems.len() >= 4 {
            self.warnings.push(
                "in the United Kingdom a law on devices with several SIM cards (\"SIM farms\") may concern you; see hardware.md"
                    .to_owned(),
            );
        }
        for modem in config.modems.iter().filter(|m| m.port.starts_with("/dev") && is_counted(&m.port)) {
            self.warnings.push(format!(
                "{} may be another modem after the next plug or boot; name it by /dev/serial/by-id/… or by-path/…",
                modem.port.display()
            ));
        }
    }
}

/// The variables of the environment that otpgate looks at, taken once, so that a test can make its own.
#[derive(Clone, Default)]
pub struct Environment(Vec<(String, String)>);

impl fmt::Debug for Environment {
    /// The names only: a value may be a key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Environment {
    /// The process's own. A variable that is not UTF-8 is not one of ours, unless its name is.
    pub fn of_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())))
            .collect()
    }

    fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// One variable's value, if it is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, value)| n == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(variables: T) -> Self {
        let mut variables: Vec<_> = variables.into_iter().collect();
        variables.sort();
        Self(variables)
    }
}

/// Where the data is if nobody says: `$STATE_DIRECTORY` (systemd's), else `$XDG_STATE_HOME/otpgate`, else
/// `~/.local/state/otpgate`; with virtual modems a folder of its own beside it. Never the working directory, where it
/// would be lost or committed.
pub fn default_data_dir(simulated: bool, environment: &Environment) -> PathBuf {
    let name = if simulated { "otpgate-simulated" } else { "otpgate" };
    if let Some(state) = environment.get("STATE_DIRECTORY").and_then(|list| list.split(':').next()) {
        let state = PathBuf::from(state);
        return if simulated { state.join("simulated") } else { state };
    }
    match (environment.get("XDG_STATE_HOME"), environment.get("HOME")) {
        // The XDG specification has relative paths ignored.
        (Some(state), _) if state.starts_with('/') => Path::new(state).join(name),
        (_, Some(home)) => Path::new(home).join(".local/state").join(name),
        (_, None) => Path::new("/var/lib").join(name),
    }
}

/// systemd alone decides who may read a credential; its mode says nothing.
fn is_credential(path: &Path, environment: &Environment) -> bool {
    environment.get("CREDENTIALS_DIRECTORY").is_some_and(|dir| path.starts_with(dir))
}

/// Whether anybody but its owner may do anything with a file. A pipe is no place where somebody else looks.
fn others_may_read(file: &File) -> io::Result<bool> {
    let found = file.metadata()?;
    Ok(found.is_file() && found.permissions().mode() & 0o077 != 0)
}

fn modem_at(port: &Path, known: &[Modem]) -> Modem {
    let found = known.iter().find(|modem| modem.port == port);
    found.cloned().unwrap_or_else(|| Modem { port: port.to_owned(), ..Modem::default() })
}

/// Whether the name is one that the kernel counts up in the order of plugging.
fn is_counted(port: &Path) -> bool {
    let name = port.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.starts_with("ttyUSB") || name.starts_with("ttyACM")
}

/// The port that `listen` has by default, and where client commands look for the gateway.
pub const DEFAULT_PORT: u16 = 8480;

#[cfg(test)]
mod tests;
