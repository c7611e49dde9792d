use super::client::{Client, Options, encoded};
use super::{Stop, console};

/// Read the virtual network's inbox: what "arrived", newest first (with --simulate)
///
/// Works with `otpgate serve --simulate`, and with `otpgate simulate --listen` through --url.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Args {
    /// Only what arrived at this number
    #[arg(long, value_name = "NUMBER")]
    to: Option<String>,
    /// If there is nothing yet, wait for it, at most so many seconds
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "30",
          value_parser = clap::value_parser!(u8).range(1..=60))]
    wait: Option<u8>,
    #[command(flatten)]
    options: Options,
}

pub(super) fn run(args: &Args) -> Result<(), Stop> {
    let mut query = Vec::new();
    query.extend(args.to.as_ref().map(|to| format!("to={}", encoded(to))));
    query.extend(args.wait.map(|seconds| format!("wait={seconds}")));
    let list = Client::with_key_if_any(&args.options)?.get(&format!("/simulator/inbox?{}", query.join("&")))?;
    if args.options.json {
        return console::json(&list);
    }
    let rows: Vec<[String; 4]> = console::items(&list)
        .iter()
        .map(|message| ["time", "from", "to", "text"].map(|field| console::cell(message, field)))
        .collect();
    if rows.is_empty() {
        return console::line("nothing has arrived");
    }
    console::table(["TIME", "FROM", "TO", "TEXT"], &rows)
}

const EXAMPLES: &str = "\
Examples:
  otpgate inbox
  otpgate inbox --to +14155550100 --wait
  otpgate inbox --json | jq -r '.items[0].text'";
