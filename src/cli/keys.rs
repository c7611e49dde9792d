use super::client::{Client, Options, encoded};
use super::store::Place;
use super::{Stop, console, folder};
use crate::app;
use crate::store::sled_backend::STORE;
use crate::store::vault::StoreKind;
use crate::store::{Permission, Scope};
use clap::builder::PossibleValuesParser;
use serde_json::{Value, json};
use std::time::Duration;

/// API keys: make, change, rotate, list, revoke
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
              value_parser = PossibleValuesParser::new(Permission::ALL.map(Permission::as_str)))]
        permission: Vec<String>,
        /// The client whose records it shares [default: a new one]
        #[arg(long, value_name = "ID")]
        client: Option<String>,
        /// When it ends by itself, as 2027-01-31T00:00:00Z
        #[arg(long, value_name = "TIME")]
        expires: Option<String>,
        #[command(flatten)]
        settings: Settings,
        #[command(flatten)]
        options: Options,
    },
    /// Change what holds for a key, at once; what is not named stays
    Set {
        /// The key's id, as key_…
        id: String,
        /// Another name
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        settings: Settings,
        /// What to take away again; any number of times
        #[arg(long, value_name = "SETTING", value_delimiter = ',',
              value_parser = PossibleValuesParser::new(LISTS.into_iter().chain(SINGLES)))]
        clear: Vec<String>,
        #[command(flatten)]
        options: Options,
    },
    /// Make a key in a key's place; the older one stays good for a while
    Rotate {
        /// The key's id, as key_…
        id: String,
        /// Seconds until the older one ends [default: 86400]
        #[arg(long, value_name = "SECONDS")]
        overlap: Option<u64>,
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

/// What may hold for a key beside its scopes.
#[derive(Debug, clap::Args)]
struct Settings {
    /// An address or block that it may be used from, as 10.0.0.0/8; any number of times
    #[arg(long, value_name = "NETWORK", value_delimiter = ',')]
    network: Vec<String>,
    /// A country that it may send to, as DE; any number of times
    #[arg(long, value_name = "COUNTRY", value_delimiter = ',')]
    country: Vec<String>,
    /// Messages and verifications in any 60 seconds
    #[arg(long, value_name = "N")]
    per_minute: Option<u32>,
    /// Messages and verifications in any 60 minutes
    #[arg(long, value_name = "N")]
    per_hour: Option<u32>,
    /// Messages and verifications in any 24 hours
    #[arg(long, value_name = "N")]
    per_day: Option<u32>,
    /// Don't let its caller learn that a number is blocked or has opted out (true or false)
    #[arg(long, value_name = "BOOL")]
    conceal: Option<bool>,
    /// A template that it may use, the one that it uses unasked first; any number of times
    #[arg(long, value_name = "TEMPLATE", value_delimiter = ',')]
    template: Vec<String>,
    /// The name that its texts show
    #[arg(long)]
    brand: Option<String>,
    /// A web host that its codes may be bound to; any number of times
    #[arg(long, value_name = "HOST", value_delimiter = ',')]
    host: Vec<String>,
    /// The hash of an Android app that its texts may be addressed to; any number of times
    #[arg(long, value_name = "HASH", value_delimiter = ',')]
    app: Vec<String>,
}

impl Settings {
    fn put_into(&self, body: &mut Value) {
        for (name, list) in LISTS.iter().zip([&self.network, &self.country, &self.template, &self.host, &self.app]) {
            if !list.is_empty() {
                body[name] = json!(list);
            }
        }
        let limits = [self.per_minute, self.per_hour, self.per_day].map(|limit| limit.map(|n| json!(n)));
        for (name, value) in SINGLES.iter().zip(limits.into_iter().chain([self.brand.as_ref().map(|b| json!(b))])) {
            if let Some(value) = value {
                body[name] = value;
            }
        }
        if let Some(conceal) = self.conceal {
            body["conceal"] = json!(conceal);
        }
    }
}

/// Settings that an empty list takes away, and those that null does.
const LISTS: [&str; 5] = ["networks", "countries", "templates", "hosts", "apps"];
const SINGLES: [&str; 4] = ["per_minute", "per_hour", "per_day", "brand"];

pub(super) fn run(args: &Args) -> Result<(), Stop> {
    match &args.command {
        Command::Create { name, scope, permission, client, expires, settings, options } => {
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
            settings.put_into(&mut body);
            show_once(options, &Client::new(options)?.post("/v1/keys", &body)?)
        }
        Command::Set { id, name, settings, clear, options } => {
            let mut body = json!({});
            if let Some(name) = name {
                body["name"] = json!(name);
            }
            settings.put_into(&mut body);
            for setting in clear {
                body[setting] = if LISTS.contains(&setting.as_str()) { json!([]) } else { Value::Null };
            }
            let key = Client::new(options)?.patch(&format!("/v1/keys/{}", encoded(id)), &body)?;
            if options.json {
                return console::json(&key);
            }
            for setting in LISTS.iter().chain(&SINGLES).chain(&["conceal"]) {
                console::line(format!("{setting:<12} {}", console::cell(&key, setting)))?;
            }
            Ok(())
        }
        Command::Rotate { id, overlap, options } => {
            let body = overlap.map_or_else(|| json!({}), |seconds| json!({"overlap_seconds": seconds}));
            show_once(options, &Client::new(options)?.post(&format!("/v1/keys/{}/rotate", encoded(id)), &body)?)
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

fn show_once(options: &Options, made: &Value) -> Result<(), Stop> {
    if options.json {
        return console::json(made);
    }
    console::line(format!("{}  {}", console::cell(made, "id"), console::cell(made, "scopes")))?;
    console::line(console::cell(made, "key"))?;
    console::line("This is shown once. Put it where the application finds it, and nowhere else.")
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
  otpgate keys create web --scope verify,check --network 10.0.0.0/8 --country DE,AT --per-hour 200 --brand Acme
  otpgate keys set key_0199a1b2c3d47e5f8a9b0c1d2e3f4a5b --per-hour 500 --clear networks
  otpgate keys rotate key_0199a1b2c3d47e5f8a9b0c1d2e3f4a5b --overlap 3600
  otpgate keys list
  otpgate keys revoke key_0199a1b2c3d47e5f8a9b0c1d2e3f4a5b
  otpgate keys rotate-master
  sudo otpgate keys reset-admin --data-dir /var/lib/otpgate

Scopes: verify (create, resend, cancel), check, send (free text), read, inbound (what came in),
webhooks (those of its client), simulator (the inbox), admin (all, and keys),
myotp (MyOTP.App's calls, with the header X-API-Key, and nothing else).";
