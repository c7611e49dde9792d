use super::client::{Client, Options, encoded};
use super::store::Place;
use super::{Stop, console, folder};
use crate::app;
use crate::store::sled_backend::STORE;
use crate::store::vault::StoreKind;
use crate::store::{Permission, Scope};
use clap::builder::PossibleValuesParser;
use serde_json::json;
use std::time::Duration;

/// API keys: make, list, revoke
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make a key; it is shown once
    Create {
        /// A name for people, such as the application's
        name: String,
        /// What it may do; any number of times
        #[arg(long, required = true, value_name = "SCOPE", value_delimiter = ',',
              value_parser = PossibleValuesParser::new(Scope::ALL.map(Scope::as_str)))]
        scope: Vec<String>,
        /// Which limit it may pass; any number of times
        #[arg(long, value_name = "PERMISSION", value_delimiter = ',',
              value_parser = PossibleValuesParser::new(Permission::IN_USE.map(Permission::as_str)))]
        permission: Vec<String>,
        /// The client whose records it shares [default: a new one]
        #[arg(long, value_name = "ID")]
        client: Option<String>,
        /// When it ends by itself, as 2027-01-31T00:00:00Z
        #[arg(long, value_name = "TIME")]
        expires: Option<String>,
        #[command(flatten)]
        options: Options,
    },
    /// List the keys, without their secrets
    List {
        #[command(flatten)]
        options: Options,
    },
    /// Revoke a key at once
    Revoke {
        /// The key's id, as key_…
        id: String,
        #[command(flatten)]
        options: Options,
    },
    /// Make a new master key and seal all that is stored with it, while the gateway runs
    ///
    /// Waits until the records are sealed anew. Pending verifications and idempotency keys bear the older key until they end,
    /// a day at most; then it leaves master.key by itself. Backups of the data folder from before need the older key.
    RotateMaster {
        #[command(flatten)]
        options: Options,
    },
    /// Revoke all admin keys and write a new one into admin.key; the gateway must be stopped
    ResetAdmin {
        #[command(flatten)]
        place: Place,
    },
}

pub(super) fn run(args: &Args) -> Result<(), Stop> {
    match &args.command {
        Command::Create { name, scope, permission, client, expires, options } => {
            let mut body = json!({"name": name, "scopes": scope});
            if !permission.is_empty() {
                body["permissions"] = json!(permission);
            }
            if let Some(client) = client {
                body["client"] = json!(client);
            }
            if let Some(expires) = expires {
                body["expires_at"] = json!(expires);
            }
            let made = Client::new(options)?.post("/v1/keys", &body)?;
            if options.json {
                return console::json(&made);
            }
            console::line(format!("{}  {}", console::cell(&made, "id"), console::cell(&made, "scopes")))?;
            console::line(console::cell(&made, "key"))?;
            console::line("This is shown once. Put it where the application finds it, and nowhere else.")
        }
        Command::List { options } => {
            let list = Client::new(options)?.get("/v1/keys")?;
            if options.json {
                return console::json(&list);
            }
            let fields = ["id", "name", "scopes", "permissions", "client", "expires_at", "revoked_at"];
            let rows: Vec<[String; 7]> =
                console::items(&list).iter().map(|key| fields.map(|field| console::cell(key, field))).collect();
            console::table(["ID", "NAME", "SCOPES", "PERMISSIONS", "CLIENT", "EXPIRES", "REVOKED"], &rows)
        }
        Command::Revoke { id, options } => {
            let revoked = Client::new(options)?.delete(&format!("/v1/keys/{}", encoded(id)))?;
            if options.json {
                return console::json(&revoked);
            }
            console::line(format!("{id} is revoked"))
        }
        Command::RotateMaster { options } => rotate_master(options),
        Command::ResetAdmin { place } => reset_admin(place),
    }
}

fn rotate_master(options: &Options) -> Result<(), Stop> {
    let client = Client::new(options)?;
    let mut state = client.post(ROTATION, &json!({}))?;
    while state["resealing"] == true {
        if !options.json {
            console::line(format!("{} records to go", console::cell(&state, "records_left")))?;
        }
        std::thread::sleep(LOOK_AGAIN);
        state = client.get(ROTATION)?;
    }
    if options.json {
        return console::json(&state);
    }
    console::line(format!("the store is sealed with master key {}", console::cell(&state, "master_key")))?;
    match (state["older_master_keys"].as_array().is_none_or(Vec::is_empty), state["records_left"].as_u64()) {
        (true, _) => console::line("nothing uses an older one any more; it is gone"),
        (false, Some(0)) => console::line(
            "nothing uses an older one any more, but it could not be removed from its file; remove every line but the first",
        ),
        (false, _) => console::line(format!(
            "{} records (pending verifications, idempotency keys, damaged records) still need the older one; it goes by \
             itself when they have ended",
            console::cell(&state, "records_left")
        )),
    }
}

fn reset_admin(place: &Place) -> Result<(), Stop> {
    let config = place.load()?;
    folder::check(&config, folder::Need::Write)?;
    // A slip in the folder's name must not make a new store there.
    if !config.data_dir.join(STORE).is_dir() {
        return Err(Stop::Failed(format!(
            "there is no store in {}; name the gateway's with --data-dir",
            config.data_dir.display()
        )));
    }
    let kind = if place.simulated { StoreKind::Simulated } else { StoreKind::Real };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Stop::Failed(format!("can't start: {error}")))?;
    let file = runtime.block_on(app::reset_admin_key(&config, kind));
    let file = file.map_err(|error| Stop::Failed(error.to_string()))?;
    console::line(format!("all admin keys are revoked; the new one is in {}", file.display()))
}

const ROTATION: &str = "/v1/keys/rotate-master";
const LOOK_AGAIN: Duration = Duration::from_millis(500);
const EXAMPLES: &str = "\
Examples:
  otpgate keys create shop --scope verify,check
  otpgate keys create monitoring --scope read --expires 2027-01-31T00:00:00Z
  otpgate keys list
  otpgate keys revoke key_0199a1b2c3d47e5f8a9b0c1d2e3f4a5b
  otpgate keys rotate-master
  sudo otpgate keys reset-admin --data-dir /var/lib/otpgate

Scopes: verify (create, resend, cancel), check, send (free text), read, simulator (the inbox), admin (all, and keys).";
