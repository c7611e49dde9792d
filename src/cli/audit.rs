use super::client::{Client, Options, encoded};
use super::{Stop, console};
use serde_json::Value;

/// The audit log, who did what: verify it, export it
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Walk along the chain and say where it breaks; exits with 1 if it does
    Verify {
        #[command(flatten)]
        options: Options,
    },
    /// Print the log as lines of JSON, newest first
    Export {
        /// Only from this time on, as 2026-01-31T00:00:00Z
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
        /// Only before this time
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
        /// Only what is about this number
        #[arg(long, value_name = "NUMBER")]
        number: Option<String>,
        #[command(flatten)]
        options: Options,
    },
}

pub(super) fn run(args: &Args) -> Result<(), Stop> {
    match &args.command {
        Command::Verify { options } => verify(options),
        Command::Export { since, until, number, options } => {
            let filters = [("since", since), ("until", until), ("number", number)];
            let filters = filters.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?)));
            let filters: String = filters.map(|(name, value)| format!("&{name}={}", encoded(value))).collect();
            export(&Client::new(options)?, &filters)
        }
    }
}

fn verify(options: &Options) -> Result<(), Stop> {
    let client = Client::new(options)?;
    let (mut from, mut checked) = (1, 0);
    loop {
        let walk = client.get(&format!("/v1/audit/verify?from={from}"))?;
        checked += walk["checked"].as_u64().unwrap_or(0);
        if let Some(sequence) = walk["broken"]["sequence"].as_u64() {
            let text = console::cell(&walk["broken"], "text");
            console::line(format!("broken at line {sequence}: {text}"))?;
            return Err(Stop::No);
        }
        match walk["next"].as_u64() {
            // It goes on growing while it is looked at.
            Some(next) if next > from => from = next,
            _ => return console::line(format!("whole: {checked} lines, from {} to {}", walk["first"], walk["last"])),
        }
    }
}

fn export(client: &Client, filters: &str) -> Result<(), Stop> {
    let mut cursor = String::new();
    loop {
        let page = client.get(&format!("/v1/audit?limit=200{filters}{cursor}"))?;
        for item in console::items(&page) {
            console::line(item.to_string())?;
        }
        match &page["next_cursor"] {
            Value::String(next) => cursor = format!("&cursor={next}"),
            _ => return Ok(()),
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  otpgate audit verify
  otpgate audit export --since 2026-01-01T00:00:00Z > audit.jsonl
  otpgate audit export --number +14155550100";
