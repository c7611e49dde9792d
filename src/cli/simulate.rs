use super::serve::{Signals, time};
use super::{Stop, console};
use crate::http;
use crate::ops::clock::{Clock, SystemClock};
use crate::ops::telemetry::{self, Level};
use crate::simulator::faults::Faults;
use crate::simulator::modem::ModemOptions;
use crate::simulator::network::{NetworkOptions, NumberRule};
use crate::simulator::standalone;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Put virtual modems on pseudo-terminals, for this gateway or any other program
///
/// Each answers AT commands as a GSM modem does, on a virtual network that counts what it accepts. Nothing leaves this
/// machine. Ends at SIGTERM, SIGHUP or Ctrl-C.
#[derive(Debug, clap::Args)]
#[command(after_long_help = examples())]
pub(super) struct Args {
    /// How many modems
    #[arg(value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=64))]
    modems: u8,
    /// The ports are links at this path with 0, 1 … behind it; while one is in use there is a .lock beside it
    #[arg(long, value_name = "PREFIX", default_value = "/tmp/otpgate-modem")]
    link: PathBuf,
    /// What the network takes for each message, as 2.5s or 300ms
    #[arg(long, value_name = "TIME", default_value = "100ms", value_parser = time)]
    air_time: Duration,
    /// Something that goes wrong, as NAME=VALUE or NAME=VALUE@WHEN; any number of times
    #[arg(long, value_name = "FAULT")]
    fault: Vec<String>,
    /// A TOML or JSON file with faults, each a line NAME = "VALUE@WHEN"
    #[arg(long, value_name = "FILE")]
    faults: Option<PathBuf>,
    /// What happens to numbers that end so, as 0199=refuse:1, 0198=report:0x46 or 0197=no-report; any number of times
    #[arg(long, value_name = "RULE", value_parser = NumberRule::parse)]
    number: Vec<NumberRule>,
    /// The PIN that the SIM cards ask for: 4 to 8 digits
    #[arg(long, value_name = "PIN", value_parser = pin)]
    pin: Option<String>,
    /// Append a JSON line for each copy of a message that the network accepts
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// Serve /simulator/inbox, /simulator/counts and the like here, on a loopback address, to whoever asks
    #[arg(long, value_name = "ADDR", value_parser = loopback)]
    listen: Option<SocketAddr>,
    /// Decides when faults of a given probability strike
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub(super) fn run(args: Args) -> Result<(), Stop> {
    let faults = faults(&args)?;
    telemetry::start_logging(Level::Warn);
    telemetry::log_panics();
    let options = standalone::Options {
        modems: usize::from(args.modems),
        link_prefix: args.link.clone(),
        modem: ModemOptions { pin: args.pin, ..ModemOptions::default() },
        network: NetworkOptions {
            air_time: args.air_time,
            epoch: SystemClock::new().now().wall,
            rules: args.number,
            ..NetworkOptions::default()
        },
        faults,
        log: args.log,
        seed: args.seed,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Stop::Failed(format!("can't start: {error}")))?;
    runtime.block_on(async {
        let mut signals = Signals::listen()?;
        // First the address: if it is taken, nobody is to find modems that go again at once.
        let listener = match args.listen {
            Some(address) => Some(bind(address).await?),
            None => None,
        };
        let modems = standalone::run(options).map_err(|error| Stop::Failed(error.to_string()))?;
        for index in 0..modems.modem_count() {
            let number = modems.identity(index).map(|identity| identity.number).unwrap_or_default();
            console::line(format!("{}{index}  number {number}", args.link.display()))?;
        }
        let (stop, stopping) = watch::channel(false);
        let server = match listener {
            Some((address, listener)) => {
                console::line(format!("http://{address}/simulator/inbox"))?;
                // The same `/simulator` that a gateway with virtual modems has, but without keys: it stays on this machine.
                let settings = http::Settings { listen: vec![address], ..http::Settings::default() };
                let router = http::simulator_router(modems.clone(), stopping.clone(), settings);
                Some(tokio::spawn(http::serve(listener, router, stopping)))
            }
            None => None,
        };
        signals.next().await;
        stop.send_replace(true);
        if let Some(server) = server {
            let _ = server.await;
        }
        modems.stop().await;
        Ok(())
    })
}

async fn bind(address: SocketAddr) -> Result<(SocketAddr, TcpListener), Stop> {
    let failed = |error: std::io::Error| {
        Stop::Failed(match error.kind() {
            ErrorKind::AddrInUse => format!("{address} is taken; choose another address with --listen"),
            _ => format!("can't listen on {address} ({error}); choose another with --listen"),
        })
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    Ok((listener.local_addr().map_err(failed)?, listener))
}

/// As many digits as a SIM card takes (3GPP TS 31.101).
fn pin(text: &str) -> Result<String, String> {
    match (4..=8).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => Ok(text.to_owned()),
        false => Err("a PIN has 4 to 8 digits".to_owned()),
    }
}

fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text.parse().map_err(|_| "give an address and a port, as 127.0.0.1:8481".to_owned())?;
    match address.ip().is_loopback() {
        true => Ok(address),
        false => Err("it has no keys: give a loopback address, as 127.0.0.1:8481".to_owned()),
    }
}

fn faults(args: &Args) -> Result<Faults, Stop> {
    let mut faults = match &args.faults {
        Some(path) => {
            let text = std::fs::read_to_string(path);
            let text = text.map_err(|error| Stop::Usage(format!("can't read {}: {error}", path.display())))?;
            Faults::parse(&text).map_err(|error| Stop::Usage(format!("{}: {error}", path.display())))?
        }
        None => Faults::default(),
    };
    for flag in &args.fault {
        faults.set_flag(flag).map_err(|error| Stop::Usage(format!("--fault {flag}: {error}")))?;
    }
    Ok(faults)
}

/// The examples, then every fault from its own table.
fn examples() -> String {
    let mut text = String::from(
        "\
Examples:
  otpgate simulate 2 --link /tmp/modem
  gammu --config gammurc sendsms TEXT +14155550100 -text hello        (device = /tmp/modem0)
  otpgate simulate --fault silence=accepted@next:1 --log /tmp/accepted.jsonl
  otpgate simulate --number 0199=refuse:1 --listen 127.0.0.1:8481
  otpgate inbox --url http://127.0.0.1:8481

Faults (WHEN is always, next:COUNT or a probability such as 0.05):
",
    );
    for (name, row, expected, does) in Faults::catalogue() {
        text.push_str(&format!("  {name}  ({row})\n      {does}\n      Value: {expected}.\n"));
    }
    text
}
