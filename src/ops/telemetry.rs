//! Logs: to the terminal, or to the journal when systemd has connected one. What a panic says. Core dumps off.
//!
//! No log holds a code, a text, a key, a full number or a PDU: nothing that is logged can show one, since their types
//! print masked.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Level {
    /// What somebody must act on.
    Error,
    /// And what somebody should know.
    Warn,
    /// And what happens to messages and modems, a line each.
    #[default]
    Info,
    /// And how it came about.
    Debug,
    /// And each step of each dialogue, without what is said in it.
    Trace,
}

/// Begins to log, by the journal's own protocol if standard error is connected to it, else in lines to standard error.
/// Has no effect the second time.
pub fn start_logging(level: Level) {
    // Libraries tell at most of trouble: what they would say beyond that is not ours to vouch for.
    let filter = || Targets::new().with_default(LevelFilter::WARN).with_target("otpgate", level.filter());
    let journal = is_journal().then(tracing_journald::layer).and_then(Result::ok);
    let terminal = journal.is_none().then(|| {
        let colours = rustix::termios::isatty(std::io::stderr());
        let layer = tracing_subscriber::fmt::layer().compact().with_target(false).with_ansi(colours);
        // It would tell of a standard error that can't be written to on that very stream, and panic.
        layer.log_internal_errors(false).with_writer(std::io::stderr)
    });
    let layers = journal.map(|layer| layer.with_filter(filter()));
    let lines = terminal.map(|layer| layer.with_filter(filter()));
    let _ = tracing_subscriber::registry().with(layers).with(lines).try_init();
}

/// Has panics logged by their place. The message is left out when it was put together at run time, since a number or a
/// text could be in it.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        // A literal is the only payload that is known to hold no data.
        let message = panic.payload().downcast_ref::<&'static str>().copied().unwrap_or("(message withheld)");
        tracing::error!(place, message, "panic; please report this place");
    }));
}

/// Turns core dumps off: they would hold the keys.
pub fn forbid_core_dumps() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    if let Err(error) = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }) {
        tracing::warn!(%error, "core dumps can't be turned off");
    }
}

/// Whether standard error is the very stream that systemd announced: the variable alone is inherited by programs whose
/// output goes elsewhere.
fn is_journal() -> bool {
    let announced = std::env::var("JOURNAL_STREAM").unwrap_or_default();
    rustix::fs::fstat(std::io::stderr()).is_ok_and(|stat| announced == format!("{}:{}", stat.st_dev, stat.st_ino))
}

impl Level {
    fn filter(self) -> LevelFilter {
        match self {
            Self::Error => LevelFilter::ERROR,
            Self::Warn => LevelFilter::WARN,
            Self::Info => LevelFilter::INFO,
            Self::Debug => LevelFilter::DEBUG,
            Self::Trace => LevelFilter::TRACE,
        }
    }
}
