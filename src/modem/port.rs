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
}

/// A port on its way to be open.
pub type Opening = Pin<Box<dyn Future<Output = io::Result<Box<dyn Port>>> + Send>>;
