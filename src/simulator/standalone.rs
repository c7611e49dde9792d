//! `otpgate simulate`: virtual modems on pseudo-terminals for any program, with a log of what the network accepted.

use super::Simulator;
use super::driver::{self, SimulatorHandle};
use super::faults::Faults;
use super::modem::ModemOptions;
use super::network::{Copy, NetworkOptions};
use serde_json::json;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

/// What to simulate.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many modems.
    pub modems: usize,
    /// The ports are at this path with 0, 1 … appended.
    pub link_prefix: PathBuf,
    /// What is built into each modem.
    pub modem: ModemOptions,
    /// How the network behaves; its epoch is the wall time now.
    pub network: NetworkOptions,
    /// What goes wrong from the start.
    pub faults: Faults,
    /// A JSON line per copy accepted is appended here. It holds texts and numbers: of virtual traffic.
    pub log: Option<PathBuf>,
    /// Decides when faults of a given probability strike.
    pub seed: u64,
}

/// Starts it. Needs a tokio runtime. [`SimulatorHandle::stop`] ends it and takes the links away.
pub fn run(options: Options) -> io::Result<SimulatorHandle> {
    let log = options.log.as_ref().map(|path| {
        let named = |e: io::Error| io::Error::new(e.kind(), format!("can't write the log {}: {e}", path.display()));
        File::options().create(true).append(true).open(path).map_err(named)
    });
    let log = log.transpose()?;
    let simulator = Simulator::new(options.modems, &options.modem, options.network, options.seed);
    let handle = driver::spawn_on_ptys(simulator, &options.link_prefix)?;
    handle.set_faults(None, &options.faults);
    if let Some(mut file) = log {
        let mut failed = false;
        handle.on_accepted(move |copy| {
            // One write per line: whoever reads along never sees half of one.
            if let (Err(error), false) = (file.write_all(log_line(copy).as_bytes()), failed) {
                failed = true;
                tracing::error!(%error, "The log of accepted messages is incomplete from here on");
            }
        });
    }
    Ok(handle)
}

/// One line of the log.
pub fn log_line(copy: &Copy) -> String {
    let line = json!({
        "time": copy.time.to_string(),
        "imei": copy.imei,
        "from": copy.from,
        "to": copy.to,
        "text": copy.text,
        "part": copy.part,
        "total": copy.total,
        "reference": copy.reference,
        "concat_reference": copy.concat_reference,
        "dcs": copy.dcs,
        "report": copy.report,
        "copy_hash": format!("{:016x}", copy.content),
    });
    format!("{line}\n")
}
