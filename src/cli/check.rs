use super::client::{Client, Options, encoded};
use super::{Stop, console};
use serde_json::json;

/// Check a code that somebody typed in; exits with 1 when it is not right
///
/// Each check counts: after five wrong codes the verification ends, and a right code is right once.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Args {
    /// The verification's id, as `otpgate send` printed it
    id: String,
    /// The code; - reads it from standard input, where no list of processes shows it
    code: String,
    /// The number must be this one, too
    #[arg(long, value_name = "NUMBER")]
    to: Option<String>,
    /// The purpose must be this one, too
    #[arg(long, value_name = "WORD")]
    purpose: Option<String>,
    #[command(flatten)]
    options: Options,
}

pub(super) fn run(args: &Args) -> Result<(), Stop> {
    let mut code = args.code.clone();
    if code == "-" {
        code.clear();
        let read = std::io::stdin().read_line(&mut code);
        read.map_err(|e| Stop::Failed(format!("can't read the code from standard input: {e}")))?;
    }
    let mut body = json!({"code": code.trim()});
    if let Some(to) = &args.to {
        body["to"] = json!(to);
    }
    if let Some(purpose) = &args.purpose {
        body["purpose"] = json!(purpose);
    }
    let verdict = Client::new(&args.options)?.post(&format!("/v1/verifications/{}/check", encoded(&args.id)), &body)?;
    let valid = verdict["valid"] == json!(true);
    if args.options.json {
        console::json(&verdict)?;
    } else {
        let status = console::cell(&verdict, "status");
        console::line(match (valid, status.as_str()) {
            (true, _) => format!("{status}: the code is right"),
            (false, "pending") => {
                format!("{status}: wrong code, {} attempts left", console::cell(&verdict, "attempts_left"))
            }
            (false, _) => format!("{status}: no code will be right any more"),
        })?;
    }
    if valid { Ok(()) } else { Err(Stop::No) }
}

const EXAMPLES: &str = "\
Examples:
  otpgate check ver_0199a1b2c3d47e5f8a9b0c1d2e3f4a5b 123456
  otpgate check ver_0199a1b2c3d47e5f8a9b0c1d2e3f4a5b 123456 && echo welcome
  read -rs CODE; echo \"$CODE\" | otpgate check ver_0199a1b2c3d47e5f8a9b0c1d2e3f4a5b -";
