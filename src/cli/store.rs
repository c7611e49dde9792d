use super::{Stop, console, folder};
use crate::config::{Config, Environment, Flags, Simulate};
use crate::ops::random::SystemRandom;
use crate::store::data_dir::DataDir;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The store on disk: verify it
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Read every record and say what is damaged; exits with 1 if anything is
    ///
    /// The gateway must be stopped. Nothing is changed: a copy is looked at.
    #[command(after_long_help = EXAMPLES)]
    Verify {
        #[command(flatten)]
        place: Place,
    },
}

/// Which data folder.
#[derive(Debug, clap::Args)]
pub(super) struct Place {
    /// The gateway's configuration file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The gateway's data folder
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The folder is that of `serve --simulate`
    #[arg(long)]
    pub(super) simulated: bool,
}

impl Place {
    /// The configuration that names it, found as `serve` finds it.
    pub(super) fn load(&self) -> Result<Config, Stop> {
        let simulate = Simulate { modems: 1, air_time: Duration::ZERO };
        let flags = Flags {
            file: self.config.clone(),
            data_dir: self.data_dir.as_deref().map(|path| std::path::absolute(path).unwrap_or(path.to_owned())),
            simulate: self.simulated.then_some(simulate),
            ..Flags::default()
        };
        let loaded = Config::load(&flags, &Environment::of_process());
        loaded.map(|loaded| loaded.config).map_err(|error| Stop::Usage(error.to_string()))
    }
}

pub(super) fn run(args: &Args) -> Result<(), Stop> {
    let Command::Verify { place } = &args.command;
    let config = place.load()?;
    folder::check(&config, folder::Need::Read)?;
    let environment = Environment::of_process();
    let credentials = environment.get("CREDENTIALS_DIRECTORY").map(Path::new);
    let folder = DataDir::new(&config.data_dir, credentials, config.master_key_file.as_deref());
    let report = folder.verify(&SystemRandom).map_err(|error| Stop::Failed(error.to_string()))?;
    console::line(format!("{}", config.data_dir.display()))?;
    for (kind, count) in &report.records {
        console::line(format!("  {count:>8}  {kind}"))?;
    }
    for (why, count) in &report.set_aside {
        console::line(format!("  {count:>8}  damaged: {why}"))?;
    }
    for alarm in report.alarms.iter().chain(&report.quarantine) {
        console::line(format!("  {alarm}"))?;
    }
    console::line(if report.is_sound() { "sound" } else { "not sound" })?;
    if report.is_sound() { Ok(()) } else { Err(Stop::No) }
}

const EXAMPLES: &str = "\
Examples:
  otpgate store verify --data-dir /var/lib/otpgate
  otpgate store verify --simulated";
