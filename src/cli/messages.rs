use super::client::{Client, Options, encoded};
use super::{Stop, console};
use serde_json::Value;

/// List messages, newest first, or show one with all its attempts
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Args {
    /// Show this message only, with its attempts
    id: Option<String>,
    /// Only messages in this state: queued, submitting, submitted, delivered, undelivered, failed, expired, canceled, uncertain
    #[arg(long, value_name = "STATE")]
    status: Option<String>,
    /// Only messages to this number
    #[arg(long, value_name = "NUMBER")]
    to: Option<String>,
    /// Only messages accepted at or after this time, as 2026-01-31T08:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only messages accepted before this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only messages with this client_reference
    #[arg(long, value_name = "NAME")]
    reference: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=200))]
    limit: u16,
    /// Go on where the last page ended
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
    #[command(flatten)]
    options: Options,
}

pub(super) fn run(args: &Args) -> Result<(), Stop> {
    let client = Client::new(&args.options)?;
    if let Some(id) = &args.id {
        let message = client.get(&format!("/v1/messages/{}", encoded(id)))?;
        return if args.options.json { console::json(&message) } else { show(&message) };
    }
    let mut path = format!("/v1/messages?limit={}", args.limit);
    for (name, value) in [
        ("status", &args.status),
        ("to", &args.to),
        ("since", &args.since),
        ("until", &args.until),
        ("client_reference", &args.reference),
        ("cursor", &args.cursor),
    ] {
        if let Some(value) = value {
            path.push_str(&format!("&{name}={}", encoded(value)));
        }
    }
    let page = client.get(&path)?;
    if args.options.json {
        return console::json(&page);
    }
    let rows: Vec<[String; 5]> = console::items(&page)
        .iter()
        .map(|message| ["id", "to", "status", "created_at", "reason.text"].map(|field| console::cell(message, field)))
        .collect();
    if rows.is_empty() {
        return console::line("no messages");
    }
    console::table(["ID", "TO", "STATUS", "ACCEPTED", "REASON"], &rows)?;
    match page["next_cursor"].as_str() {
        Some(cursor) => console::line(format!("more: --cursor {}", console::clean(cursor))),
        None => Ok(()),
    }
}

fn show(message: &Value) -> Result<(), Stop> {
    for field in ["id", "to", "status", "reason.text", "ever_uncertain", "created_at", "updated_at", "client_reference"]
    {
        let cell = console::cell(message, field);
        if cell != "-" {
            console::line(format!("{:<17}{cell}", field.trim_end_matches(".text")))?;
        }
    }
    let none = Vec::new();
    for (number, attempt) in message["attempts"].as_array().unwrap_or(&none).iter().enumerate() {
        let cell = |field| console::cell(attempt, field);
        console::line(format!(
            "attempt {}        {}  {}  modem {}, SIM card {}",
            number + 1,
            cell("started_at"),
            cell("status"),
            cell("modem"),
            cell("sim_card")
        ))?;
        for part in attempt["parts"].as_array().unwrap_or(&none) {
            let cell = |field| console::cell(part, field);
            let [part, result, reference, report] = ["part", "result", "tp_mr", "report.verdict"].map(cell);
            console::line(format!("  part {part}          {result}, TP-MR {reference}, report {report}"))?;
        }
    }
    Ok(())
}

const EXAMPLES: &str = "\
Examples:
  otpgate messages
  otpgate messages --status uncertain
  otpgate messages --to +14155550100 --limit 5 --json
  otpgate messages msg_0199a1b2c3d47e5f8a9b0c1d2e3f4a5b";
