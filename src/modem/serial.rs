//! Serial ports. The only file of the daemon that names tokio-serial.

use super::port::{Port, Ports, Resetting};
use super::usb::UsbDevice;
use std::collections::BTreeMap;
use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use tokio_serial::{DataBits, FlowControl, Parity, SerialPortBuilderExt, StopBits};

/// The machine's serial devices, by path.
///
/// A port is taken for ourselves alone (flock and TIOCEXCL). Nothing here flushes: `flush` on a serial stream is a
/// blocking `tcdrain`, and on a stalled modem that freezes a worker thread.
#[derive(Debug, Default)]
pub struct SerialPorts {
    /// By port: the USB device that served it last. One that serves two is reset for neither.
    devices: Arc<Mutex<BTreeMap<String, PathBuf>>>,
}

impl SerialPorts {
    fn device(&self, path: &str) -> Option<UsbDevice> {
        let device = UsbDevice::of_port(Path::new(SYSFS), Path::new(path))?;
        let mut devices = self.devices.lock().unwrap_or_else(|e| e.into_inner());
        devices.insert(path.to_owned(), device.folder.clone());
        Some(device)
    }

    /// The device behind a port, if it may be reset, or why not.
    fn to_reset(&self, path: &str) -> io::Result<UsbDevice> {
        let refused = |why: &str| io::Error::new(io::ErrorKind::Unsupported, why);
        let device =
            self.device(path).ok_or_else(|| refused("there is no USB device behind it that could be reset"))?;
        if let Some(why) = device.why_not_reset() {
            return Err(refused(why));
        }
        let devices = self.devices.lock().unwrap_or_else(|e| e.into_inner());
        match devices.iter().any(|(other, folder)| other != path && *folder == device.folder) {
            true => Err(refused("its USB device serves another modem as well, which a reset would stop")),
            false => Ok(device),
        }
    }
}

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

    fn is_there(&self, path: &str) -> bool {
        Path::new(path).exists()
    }

    fn generation(&self, path: &str) -> u64 {
        let mut hasher = DefaultHasher::new();
        // The kernel gives each device a new number on its bus, and each node a new inode.
        UsbDevice::of_port(Path::new(SYSFS), Path::new(path)).map(|device| device.number()).hash(&mut hasher);
        std::fs::metadata(path).ok().map(|node| (node.ino(), node.rdev())).hash(&mut hasher);
        hasher.finish()
    }

    fn usb(&self, path: &str) -> Option<(String, String)> {
        let device = UsbDevice::of_port(Path::new(SYSFS), Path::new(path))?;
        Some((device.path(), device.interface))
    }

    fn hub(&self, path: &str) -> String {
        self.device(path).map_or_else(|| path.to_owned(), |device| device.hub())
    }

    fn reset(&self, path: &str) -> Resetting {
        let device = self.to_reset(path);
        Box::pin(async move {
            let device = device?;
            let reset = tokio::task::spawn_blocking(move || device.reset()).await;
            reset.map_err(|_| io::Error::other("the USB reset panicked"))?
        })
    }
}

fn explain(path: &str, error: tokio_serial::Error) -> io::Error {
    // What is locked is said to be no device at all.
    let locked = error.to_string().contains("exclusive lock");
    let error = io::Error::from(error);
    let advice = match error.kind() {
        _ if locked => "another program has locked it; stop that one",
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

const SYSFS: &str = "/sys";
/// USB modems ignore it; UARTs mostly sense it.
const BAUD: u32 = 115_200;
