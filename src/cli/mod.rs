//! The command line: one file per subcommand.
//!
//! `serve` and `simulate` run for long; `check` of the configuration, `decode` and the like work alone; all others speak
//! to the daemon over HTTP, since the store belongs to one process.
//!
//! The process ends with 0 when all went well, 1 when it did not (or `check` says no), 2 when it was called or set up
//! wrongly: the same call will not do better, so that no supervisor is to try.

mod audit;
mod check;
mod client;
mod completions;
mod config;
mod console;
mod decode;
mod folder;
mod inbox;
mod keys;
mod man;
mod messages;
mod modems;
mod send;
mod serve;
mod simulate;
mod store;
mod supervise;
mod texts;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Every argument there is.
#[derive(Debug, Parser)]
#[command(name = "otpgate", version, about, long_about = LONG_ABOUT, after_long_help = FIRST_STEPS, max_term_width = 110)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Args),
    Simulate(simulate::Args),
    Send(send::Args),
    Check(check::Args),
    Messages(messages::Args),
    Modems(modems::Args),
    Inbox(inbox::Args),
    Keys(keys::Args),
    Audit(audit::Args),
    Config(config::Args),
    Decode(decode::Args),
    Store(store::Args),
    Texts(texts::Args),
    Completions(completions::Args),
    Man(man::Args),
}

/// Why a command ended without having done what it was asked.
#[derive(Debug)]
enum Stop {
    /// It was called or set up wrongly, and calling it again is of no use: 2.
    Usage(String),
    /// It failed: 1.
    Failed(String),
    /// The answer itself is no, and has been printed: 1.
    No,
    /// Nobody reads any more: 0, as `| head` expects.
    PipeClosed,
}

impl From<folder::Wrong> for Stop {
    fn from(wrong: folder::Wrong) -> Self {
        match wrong {
            folder::Wrong::Lasting(why) => Self::Usage(why),
            folder::Wrong::Passing(why) => Self::Failed(why),
        }
    }
}

/// Runs the command that the process's arguments name.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // `--help` and `--version` come this way, too; a closed pipe is no matter.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { USAGE } else { 0 });
        }
    };
    let done = match cli.command {
        Command::Serve(args) => serve::run(args),
        Command::Simulate(args) => simulate::run(args),
        Command::Send(args) => send::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Messages(args) => messages::run(&args),
        Command::Modems(args) => modems::run(&args),
        Command::Inbox(args) => inbox::run(&args),
        Command::Keys(args) => keys::run(&args),
        Command::Audit(args) => audit::run(&args),
        Command::Config(args) => config::run(args),
        Command::Decode(args) => decode::run(&args),
        Command::Store(args) => store::run(&args),
        Command::Texts(args) => texts::run(&args),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
    };
    match done {
        Ok(()) | Err(Stop::PipeClosed) => ExitCode::SUCCESS,
        Err(Stop::No) => ExitCode::FAILURE,
        Err(Stop::Failed(why)) => {
            console::complain(&why);
            ExitCode::FAILURE
        }
        Err(Stop::Usage(why)) => {
            console::complain(&why);
            ExitCode::from(USAGE)
        }
    }
}

const USAGE: u8 = 2;

const LONG_ABOUT: &str = "An SMS gateway for one-time passwords that runs on a box you own: it drives GSM/LTE modems, \
    sends codes as SMS, checks them, and offers a local HTTP API.";

const FIRST_STEPS: &str = "\
First steps, without a modem:
  otpgate serve --simulate 2               a working gateway with two virtual modems
  otpgate send +14155550100                in another terminal: send a code; prints its id
  otpgate inbox --to +14155550100          read what \"arrived\"
  otpgate check ver_… 123456               is the code right?

With a modem:
  otpgate serve --modem /dev/serial/by-id/… --config otpgate.toml

Every command has --help with examples. Client commands find the gateway at http://127.0.0.1:8480 (or --url, or \
OTPGATE_URL) and the key in OTPGATE_API_KEY, else in admin.key in the data folder.";
