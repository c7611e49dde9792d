use super::serve::Settings;
use super::{Stop, console};
use crate::config::Origin;

/// The configuration: check it before a start
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Say what is wrong, or print every setting with its value and where that comes from
    ///
    /// Takes what `otpgate serve` takes, and looks at the environment as it does. Exits with 1 if `serve` would not start
    /// with it.
    #[command(after_long_help = EXAMPLES)]
    Check {
        #[command(flatten)]
        settings: Settings,
    },
}

pub(super) fn run(args: Args) -> Result<(), Stop> {
    let Command::Check { settings } = args.command;
    let loaded = settings.load().map_err(|error| Stop::Failed(error.to_string()))?;
    let rows: Vec<[String; 3]> = loaded
        .rows()
        .map(|(name, value, origin)| {
            [name.to_owned(), value, if *origin == Origin::Default { String::new() } else { origin.to_string() }]
        })
        .collect();
    console::table(["SETTING", "VALUE", "FROM"], &rows)?;
    for warning in &loaded.warnings {
        console::complain(&format!("warning: {warning}"));
    }
    loaded.config.check().map_err(|error| Stop::Failed(error.to_string()))
}

const EXAMPLES: &str = "\
Examples:
  otpgate config check --config /etc/otpgate/otpgate.toml
  OTPGATE_LISTEN=127.0.0.1:9000 otpgate config check --simulate 2";
