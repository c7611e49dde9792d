//! What a driver needs of a port, whatever is behind it: a serial device, a pty, a virtual modem in the process.

use std::future::Future;
use std::io;
use std::pin::Pin;
use tokio::io::{AsyncRead, AsyncWrite};

/// An open port. Closed by dropping it.
pub trait Port: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Port for T {}

/// Opens ports by name.
pub trait Ports: Send + Sync + 'static {
    /// Opens one. An error says why, for the person at the box.
    fn open(&self, name: &str) -> Opening;

    /// Whether there is a device of this name. Asked where a port can't be opened, and for a sign that one was plugged in anew.
    fn is_there(&self, name: &str) -> bool {
        let _ = name;
        true
    }

    /// A number that is another one when its device was plugged in anew, however quickly; of a device that is there.
    fn generation(&self, name: &str) -> u64 {
        let _ = name;
        0
    }

    /// The device and the interface that it is on the USB, by the way they are plugged in. `None`: it is on none.
    fn usb(&self, name: &str) -> Option<(String, String)> {
        let _ = name;
        None
    }

    /// What its device shares its power with: of those with the same name one is reset at a time.
    fn hub(&self, name: &str) -> String {
        let _ = name;
        String::new()
    }

    /// Resets the USB device behind a port, which must be closed. An error says in words why that can't be.
    fn reset(&self, name: &str) -> Resetting {
        let _ = name;
        Box::pin(std::future::ready(Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "there is no USB device behind it",
        ))))
    }
}

/// A port on its way to be open.
pub type Opening = Pin<Box<dyn Future<Output = io::Result<Box<dyn Port>>> + Send>>;

/// A device on its way through a reset.
pub type Resetting = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;
