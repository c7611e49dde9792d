//! Serial ports. The only file of the daemon that names tokio-serial.

use super::port::{Port, Ports};
use std::future::Future;
use std::io;
use std::pin::Pin;
use tokio_serial::{DataBits, FlowControl, Parity, SerialPortBuilderExt, StopBits};

/// The machine's serial devices, by path.
///
/// A port is taken for ourselves alone (flock and TIOCEXCL). Nothing here flushes: `flush` on a serial stream is a
/// blocking `tcdrain`, and on a stalled modem that freezes a worker thread.
#[derive(Debug, Default)]
pub struct SerialPorts;

impl Ports for SerialPorts {
    fn open(&self, path: &str) -> Pin<Box<dyn Future<Output = io::Result<Box<dyn Port>>> + Send>> {
        let builder = tokio_serial::new(path, BAUD)
            .data_bits(DataBits::Eight)
            .parity(Parity::None)
            .stop_bits(StopBits::One)
            .flow_control(FlowControl::None);
        let path = path.to_owned();
        Box::pin(async move {
            // Opening may block for seconds on a device that has just been plugged in.
            let open = move || {
                let port = builder.open_native_async().map_err(|error| explain(&path, error))?;
                Ok(Box::new(port) as Box<dyn Port>)
            };
            let runtime = tokio::runtime::Handle::current();
            let opened = tokio::task::spawn_blocking(move || {
                let _inside = runtime.enter();
                open()
            });
            opened.await.map_err(|_| io::Error::other("opening the port panicked"))?
        })
    }
}

fn explain(path: &str, error: tokio_serial::Error) -> io::Error {
    let error = io::Error::from(error);
    let advice = match error.kind() {
        io::ErrorKind::NotFound => "it is not there; is the modem plugged in?",
        io::ErrorKind::PermissionDenied => "no permission; add the user to the group dialout, or install the udev rule",
        _ if error.raw_os_error() == Some(rustix::io::Errno::BUSY.raw_os_error()) => {
            "another program has it; stop that one"
        }
        _ if error.raw_os_error() == Some(rustix::io::Errno::WOULDBLOCK.raw_os_error()) => {
            "another program has locked it; stop that one"
        }
        _ => "see what the system says",
    };
    io::Error::new(error.kind(), format!("{path}: {advice} ({error})"))
}

/// USB modems ignore it; UARTs mostly sense it.
const BAUD: u32 = 115_200;
