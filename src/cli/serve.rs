use super::{Stop, console, folder, supervise};
use crate::app::{ADMIN_KEY, App, StartError, World};
use crate::config::{Config, ConfigError, Environment, Flags, Loaded, Simulate, default_data_dir};
use crate::ops::telemetry::{self, Level};
use crate::store::data_dir::DataDirError;
use crate::store::vault::OpenError;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::signal::unix::{Signal as Listener, SignalKind, signal};

/// Run the gateway
///
/// Takes messages over HTTP, keeps them in the data folder, and sends them over the modems that are named, or over virtual
/// ones. SIGTERM, SIGHUP and Ctrl-C stop it after what is on the air has ended; until then it can be read and codes checked,
/// but nothing new is taken in (503). A second one stops it at once.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    settings: Settings,
    /// Start the gateway again when it ends by a fault, but not when it is set up wrongly; for where no systemd does that
    #[arg(long)]
    supervise: bool,
    /// How much to log [default: OTPGATE_LOG, else info]
    #[arg(long, value_name = "LEVEL")]
    log: Option<Level>,
    /// The process that started this one as its supervisor
    #[arg(long, hide = true, value_name = "PID")]
    supervised_by: Option<i32>,
}

/// The flags that become settings.
#[derive(Debug, clap::Args)]
pub(super) struct Settings {
    /// The configuration file; otpgate.sample.toml shows every setting
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where queue and keys are [default: $STATE_DIRECTORY, $XDG_STATE_HOME/otpgate or ~/.local/state/otpgate]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Where the API listens [default: 127.0.0.1:8480]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// A modem's serial port, best by its name in /dev/serial; any number of times
    #[arg(long, value_name = "PATH")]
    modem: Vec<PathBuf>,
    /// Virtual modems instead of real ones, on a virtual network with an inbox
    #[arg(long, value_name = "N", conflicts_with = "modem", value_parser = clap::value_parser!(u8).range(1..=64))]
    simulate: Option<u8>,
    /// What the virtual network takes for each message, as 2.5s or 300ms
    #[arg(long, value_name = "TIME", requires = "simulate", default_value = "100ms", value_parser = time)]
    air_time: Duration,
}

impl Settings {
    /// The configuration, from these flags, the environment and the file.
    pub(super) fn load(self) -> Result<Loaded, ConfigError> {
        // A relative path on the command line is meant from where it was typed.
        let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
        let flags = Flags {
            file: self.config,
            listen: self.listen,
            data_dir: self.data_dir.map(absolute),
            modems: self.modem.into_iter().map(absolute).collect(),
            simulate: self.simulate.map(|modems| Simulate { modems, air_time: self.air_time }),
        };
        Config::load(&flags, &Environment::of_process())
    }
}

pub(super) fn run(args: Args) -> Result<(), Stop> {
    let level = level(args.log)?;
    let supervise = args.supervise;
    let loaded = args.settings.load().map_err(|error| Stop::Usage(error.to_string()))?;
    loaded.config.check().map_err(|error| Stop::Usage(error.to_string()))?;
    telemetry::start_logging(level);
    telemetry::log_panics();
    telemetry::forbid_core_dumps();
    if supervise {
        return supervise::run();
    }
    if let Some(supervisor) = args.supervised_by {
        supervise::die_with(supervisor)?;
    }
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Stop::Failed(format!("can't start: {error}")))?;
    let done = runtime.block_on(serve(loaded.config));
    // After a second signal a commit may still be under way; it is not waited for.
    runtime.shutdown_background();
    done
}

/// Starts the daemon and attends to it until it ends by itself or by a signal.
async fn serve(config: Config) -> Result<(), Stop> {
    let mut signals = Signals::listen()?;
    let starting = start(config.clone());
    let mut app = tokio::select! {
        started = starting => started?,
        () = signals.next() => {
            tracing::info!("Stopped while starting; nothing was sent");
            return Ok(());
        }
    };
    // Nobody may be reading; the gateway runs all the same.
    let _ = announce(&config, app.addr(), app.admin_key().is_some());
    tokio::select! {
        why = app.ended() => return Err(Stop::Failed(why)),
        () = signals.next() => tracing::info!("Stopping; a second signal ends at once"),
    }
    tokio::select! {
        () = app.stop() => Ok(()),
        () = signals.next() => Err(Stop::Failed("ended at once; what was on the air is uncertain".to_owned())),
    }
}

/// Opening a store reads much and may wait for a disk: on a thread of its own, so that signals are heard meanwhile.
async fn start(config: Config) -> Result<App, Stop> {
    let runtime = tokio::runtime::Handle::current();
    let starting = tokio::task::spawn_blocking(move || {
        folder::check(&config, folder::Need::Make)?;
        runtime.block_on(async {
            let world = match config.simulate {
                Some(Simulate { modems, air_time }) => World::simulated(usize::from(modems), air_time),
                None => World::real(),
            };
            App::start(config, world).await.map_err(not_started)
        })
    });
    match starting.await {
        Ok(started) => started,
        Err(_) => Err(Stop::Failed("the start panicked; the log names the place to report".to_owned())),
    }
}

/// Whether a supervisor is to try again: not if somebody must change something first. A disk or an address may be there
/// at the next start.
fn not_started(error: StartError) -> Stop {
    let lasts = match &error {
        StartError::Config(_) | StartError::Store(DataDirError::Key(_)) => true,
        StartError::Store(DataDirError::Open { error, .. }) => !matches!(error, OpenError::Backend(_)),
        StartError::Listen(_, error) => error.kind() == ErrorKind::PermissionDenied,
        _ => false,
    };
    if lasts { Stop::Usage(error.to_string()) } else { Stop::Failed(error.to_string()) }
}

/// SIGTERM, SIGINT and SIGHUP: the end of a terminal or an SSH session is no reason to leave a message uncertain.
pub(super) struct Signals {
    terminate: Listener,
    interrupt: Listener,
    /// `None` under `nohup`, which asks that it be ignored.
    hang_up: Option<Listener>,
}

impl Signals {
    pub(super) fn listen() -> Result<Self, Stop> {
        let listen = |kind| signal(kind).map_err(|error| Stop::Failed(format!("can't listen for signals: {error}")));
        let hang_up = if hang_up_is_ignored() { None } else { Some(listen(SignalKind::hangup())?) };
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())?, hang_up })
    }

    pub(super) async fn next(&mut self) {
        let hang_up = async {
            match &mut self.hang_up {
                Some(hang_up) => hang_up.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = hang_up => {}
        }
    }
}

/// Whether this process was started with SIGHUP ignored.
fn hang_up_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // The lowest bit is signal 1.
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

/// Says where it listens, where the data is, how to begin. The key is shown to a person only, and once.
fn announce(config: &Config, address: SocketAddr, first_start: bool) -> Result<(), Stop> {
    let with = match (config.simulate, config.modems.len()) {
        (Some(simulate), _) => format!("{} virtual modem(s), nothing leaves this machine", simulate.modems),
        (None, modems) => format!("{modems} modem(s)"),
    };
    console::line(format!("otpgate {} listens on http://{address} with {with}", env!("CARGO_PKG_VERSION")))?;
    console::line(format!("data       {}", config.data_dir.display()))?;
    let file = config.data_dir.join(ADMIN_KEY);
    let shown = first_start && rustix::termios::isatty(std::io::stdout());
    match std::fs::read_to_string(&file) {
        Ok(key) if shown => {
            console::line(format!("admin key  {}  (shown once; it is in {})", key.trim(), file.display()))?;
        }
        Ok(_) => console::line(format!("admin key  in {}", file.display()))?,
        Err(_) => console::line("admin key  not here any more; \"otpgate keys reset-admin\" makes a new one")?,
    }
    if config.simulate.is_some() {
        let (program, flags) = own_call(config, address);
        console::line("\nTry it, in another terminal:")?;
        console::line(format!("  {program} send +14155550100{flags}"))?;
        console::line(format!("  {program} inbox --to +14155550100{flags}"))?;
        console::line(format!(
            "  {program} check ID CODE{flags}   (the id from the first line, the code from the second)"
        ))?;
    }
    Ok(())
}

/// How this very program is called from the folder in which it was started, with what it needs to find this gateway: to be
/// copied into a shell.
fn own_call(config: &Config, address: SocketAddr) -> (String, String) {
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("otpgate"));
    let here = std::env::current_dir().unwrap_or_default();
    // What the shell finds by that name: the first one.
    let installed = std::env::var_os("PATH").and_then(|path| {
        std::env::split_paths(&path).map(|dir| dir.join("otpgate")).find_map(|file| file.canonicalize().ok())
    });
    let program = match program.strip_prefix(&here) {
        _ if installed.as_ref() == Some(&program) => "otpgate".to_owned(),
        Ok(relative) => quoted(&called_as(relative)),
        Err(_) => quoted(&program.display().to_string()),
    };
    let mut flags = String::new();
    let reached = reached_at(address);
    if reached != SocketAddr::from(([127, 0, 0, 1], crate::config::DEFAULT_PORT)) {
        flags.push_str(&format!(" --url http://{reached}"));
    }
    let default = default_data_dir(config.simulate.is_some(), &Environment::of_process());
    // A client shows the key in a file to its own machine only, unless the folder is named.
    if config.data_dir != default || !reached.ip().is_loopback() {
        flags.push_str(&format!(" --data-dir {}", quoted(&config.data_dir.display().to_string())));
    }
    (program, flags)
}

/// A program in this folder or below it. Without a slash the shell would look for it in `PATH` only.
fn called_as(relative: &Path) -> String {
    match relative.components().count() {
        1 => format!("./{}", relative.display()),
        _ => relative.display().to_string(),
    }
}

/// From this machine, what listens on every address is reached by loopback.
fn reached_at(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn level(flag: Option<Level>) -> Result<Level, Stop> {
    let environment = Environment::of_process();
    match (flag, environment.get("OTPGATE_LOG")) {
        (Some(level), _) => Ok(level),
        (None, Some(word)) => <Level as clap::ValueEnum>::from_str(word, true)
            .map_err(|_| Stop::Usage("OTPGATE_LOG must be error, warn, info, debug or trace".to_owned())),
        (None, None) => Ok(Level::default()),
    }
}

/// Reads `2`, `2.5s` or `300ms`; a day at most.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 0.001),
        None => (text.strip_suffix('s').unwrap_or(text), 1.0),
    };
    let seconds = number.trim().parse::<f64>().map(|number| number * unit);
    match seconds {
        Ok(seconds) if (0.0..=86_400.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("a time is written as 2, 2.5s or 300ms".to_owned()),
    }
}

const EXAMPLES: &str = "\
Examples:
  otpgate serve --simulate 2
  otpgate serve --simulate 2 --air-time 3s --data-dir /tmp/try --listen 127.0.0.1:9000
  otpgate serve --config /etc/otpgate/otpgate.toml
  OTPGATE_COUNTRY=US otpgate serve --modem /dev/serial/by-id/usb-Example_Modem_0123456789-if02-port0";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_can_be_copied_into_a_shell() {
        for (word, expected) in [
            ("/tmp/try", "/tmp/try"),
            ("/tmp/a b", "'/tmp/a b'"),
            ("/tmp/it's", r"'/tmp/it'\''s'"),
            ("$HOME/x", "'$HOME/x'"),
            ("~/x", "'~/x'"),
            ("a=b/otpgate", "'a=b/otpgate'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(word), expected);
        }
        assert_eq!(called_as(Path::new("otpgate")), "./otpgate");
        assert_eq!(called_as(Path::new("target/release/otpgate")), "target/release/otpgate");
        for (listens, reached) in
            [("0.0.0.0:9000", "127.0.0.1:9000"), ("[::]:8480", "[::1]:8480"), ("192.0.2.1:8480", "192.0.2.1:8480")]
        {
            assert_eq!(reached_at(listens.parse().unwrap()).to_string(), reached);
        }
    }
}
