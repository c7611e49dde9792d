use super::client::{Client, Options};
use super::{Stop, console};
use crate::ops::clock::{Clock, SystemClock};
use serde_json::{Map, Value, json};
use std::io::Read;
use std::time::Duration;

/// Send a code to a number, or a text of your own with --text
///
/// Starts a verification: otpgate makes up a code, sends it, and prints the verification's id for `otpgate check`. With
/// --text it sends a plain message instead.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Args {
    /// The recipient in international form, as +14155550100
    number: String,
    /// Send this text instead of a code; - reads it from standard input
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
    /// The name that the text with the code shows
    #[arg(long, value_name = "NAME", conflicts_with = "text")]
    brand: Option<String>,
    /// What the code is for; a newer code for the same number and purpose takes its place
    #[arg(long, value_name = "WORD", conflicts_with = "text")]
    purpose: Option<String>,
    /// The language of the text, as de or pt-BR [default: the one of the number's country]
    #[arg(long, value_name = "TAG", conflicts_with = "text")]
    locale: Option<String>,
    /// The template of the text, one of those in the gateway's configuration
    #[arg(long, value_name = "NAME", conflicts_with = "text")]
    template: Option<String>,
    /// Characters of the code [default: 6]
    #[arg(long, value_name = "COUNT", conflicts_with = "text", value_parser = clap::value_parser!(u8).range(4..=10))]
    code_length: Option<u8>,
    /// Seconds until it expires [default: 300 for a code, a day for a text]
    #[arg(long, value_name = "SECONDS")]
    ttl: Option<u32>,
    /// Your own name for the message
    #[arg(long, value_name = "NAME", requires = "text")]
    reference: Option<String>,
    /// Show the text at once and do not keep it on the telephone (class 0)
    #[arg(long, requires = "text")]
    flash: bool,
    /// Wait until it is known what became of it, at most so many seconds
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "60",
          value_parser = clap::value_parser!(u8).range(1..=60))]
    wait: Option<u8>,
    #[command(flatten)]
    options: Options,
}

pub(super) fn run(args: &Args) -> Result<(), Stop> {
    let client = Client::new(&args.options)?;
    let mut sent = match &args.text {
        Some(text) => client.post("/v1/messages", &message(args, text)?)?,
        None => client.post("/v1/verifications", &verification(args))?,
    };
    let message = match &args.text {
        Some(_) => sent["id"].as_str(),
        None => sent.pointer("/message/id").and_then(Value::as_str),
    };
    let message = message.map(str::to_owned);
    if !args.options.json {
        match args.text {
            Some(_) => console::line(format!("{}  {}", console::cell(&sent, "id"), console::cell(&sent, "status")))?,
            None => tell_verification(&sent)?,
        }
    }
    let (Some(seconds), Some(id)) = (args.wait, message) else {
        return if args.options.json { console::json(&sent) } else { Ok(()) };
    };
    let known = follow(&client, &id, Duration::from_secs(u64::from(seconds)))?;
    if args.options.json {
        // A verification's answer keeps its id; the message in it is the newer one.
        match args.text {
            Some(_) => console::json(&known)?,
            None => {
                sent["message"] = known.clone();
                console::json(&sent)?;
            }
        }
    } else {
        let reason = Some(console::cell(&known, "reason.text")).filter(|reason| reason != "-");
        console::line(format!(
            "{}  {}{}",
            console::clean(&id),
            console::cell(&known, "status"),
            reason.map_or_else(String::new, |r| format!(": {r}"))
        ))?;
    }
    match known["status"].as_str() {
        Some("delivered" | "submitted" | "submitting" | "queued") => Ok(()),
        _ => Err(Stop::No),
    }
}

/// The message as it is when nothing more will change, or when the time is up.
fn follow(client: &Client, id: &str, patience: Duration) -> Result<Value, Stop> {
    let clock = SystemClock::new();
    let until = clock.now().mono + patience;
    let mut known = client.get(&format!("/v1/messages/{id}"))?;
    loop {
        let left = until.0.saturating_sub(clock.now().mono.0).as_secs();
        if known["final"] == json!(true) || left == 0 {
            return Ok(known);
        }
        known = client.get(&format!("/v1/messages/{id}?wait={left}&after={}", known["version"]))?;
    }
}

fn verification(args: &Args) -> Value {
    let mut body = Map::new();
    let mut put = |field: &str, value: Option<Value>| value.map(|value| body.insert(field.to_owned(), value));
    put("to", Some(json!(args.number)));
    put("brand", args.brand.as_ref().map(|it| json!(it)));
    put("purpose", args.purpose.as_ref().map(|it| json!(it)));
    put("locale", args.locale.as_ref().map(|it| json!(it)));
    put("template", args.template.as_ref().map(|it| json!(it)));
    put("code_length", args.code_length.map(|it| json!(it)));
    put("ttl_seconds", args.ttl.map(|it| json!(it)));
    Value::Object(body)
}

fn message(args: &Args, text: &str) -> Result<Value, Stop> {
    let mut body = json!({"to": args.number, "text": text});
    if text == "-" {
        let mut input = String::new();
        let read = std::io::stdin().take(LARGEST_TEXT).read_to_string(&mut input);
        read.map_err(|e| Stop::Failed(format!("can't read the text from standard input: {e}")))?;
        body["text"] = json!(without_line_end(&input));
    }
    if let Some(ttl) = args.ttl {
        body["ttl_seconds"] = json!(ttl);
    }
    if let Some(reference) = &args.reference {
        body["client_reference"] = json!(reference);
    }
    if args.flash {
        body["flash"] = json!(true);
    }
    Ok(body)
}

/// The one line end that `echo`, or a file of another system, adds is not part of the message.
fn without_line_end(input: &str) -> &str {
    input.strip_suffix("\r\n").or(input.strip_suffix('\n')).unwrap_or(input)
}

fn tell_verification(sent: &Value) -> Result<(), Stop> {
    let [id, status, expires, left] =
        ["id", "status", "expires_at", "attempts_left"].map(|field| console::cell(sent, field));
    console::line(format!("{id}  {status}, expires at {expires}, {left} attempts left"))?;
    console::line(format!("when the code is typed in:  otpgate check {id} CODE"))
}

/// More than 255 parts of any alphabet; the gateway has the say.
const LARGEST_TEXT: u64 = 256 << 10;

const EXAMPLES: &str = "\
Examples:
  otpgate send +14155550100
  otpgate send +14155550100 --brand \"Acme Clinic\" --purpose login --ttl 120
  otpgate send +4915112345678 --locale en
  otpgate send +14155550100 --text \"The door is open.\" --wait
  uptime | otpgate send +14155550100 --text -";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_end_is_taken_off() {
        for (input, text) in [("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), ("a\r\n\r\n", "a\r\n"), ("a\r", "a\r")] {
            assert_eq!(without_line_end(input), text, "{input:?}");
        }
    }
}
