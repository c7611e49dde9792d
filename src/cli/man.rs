use super::{Cli, Stop, console};
use clap::CommandFactory;
use std::path::PathBuf;

/// Print the manual page, or write the pages of all commands into a folder
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Args {
    /// Write one page for each command here
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<(), Stop> {
    let failed = |e: std::io::Error| Stop::Failed(format!("can't write the manual pages: {e}"));
    match &args.dir {
        Some(dir) => clap_mangen::generate_to(Cli::command(), dir).map_err(failed),
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut page).map_err(failed)?;
            console::write_out(&page)
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  otpgate man | man -l -
  otpgate man --dir /usr/local/share/man/man1";
