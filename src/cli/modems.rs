use super::client::{Client, Options};
use super::{Stop, console};

/// Show the modems: what each is doing, and why it is not ready if it isn't
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    options: Options,
}

pub(super) fn run(args: &Args) -> Result<(), Stop> {
    let list = Client::new(&args.options)?.get("/v1/modems")?;
    if args.options.json {
        return console::json(&list);
    }
    let fields = ["port", "state", "model", "imei", "operator", "signal_dbm", "accepted", "reason"];
    let rows: Vec<[String; 8]> =
        console::items(&list).iter().map(|modem| fields.map(|field| console::cell(modem, field))).collect();
    if rows.is_empty() {
        return console::line("no modems");
    }
    console::table(["PORT", "STATE", "MODEL", "IMEI", "OPERATOR", "DBM", "SENT", "REASON"], &rows)
}
