//! The virtual modems' ports, with an ear on the line: what was handed over, when, on which port.

use otpgate::modem::port::{Port, Ports, Resetting};
use otpgate::ops::clock::{Clock, VirtualClock};
use otpgate::simulator::driver::SimulatorHandle;
use otpgate::sms::pdu::{self, SmscField, Tpdu};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

/// The ports. Clones are the same.
#[derive(Clone)]
pub(crate) struct Wires {
    simulator: SimulatorHandle,
    clock: Arc<VirtualClock>,
    heard: Arc<Mutex<Heard>>,
}

#[derive(Default)]
struct Heard {
    handed_over: Vec<HandOver>,
    panic_next: BTreeSet<usize>,
    usb: BTreeMap<usize, (String, String)>,
}

/// One PDU with its 0x1A, as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HandOver {
    /// Virtual time since the world began.
    pub(crate) at: Duration,
    /// Which port.
    pub(crate) modem: usize,
    /// `+` and digits.
    pub(crate) to: String,
    /// This part's text.
    pub(crate) text: String,
}

impl Wires {
    pub(crate) fn new(simulator: SimulatorHandle, clock: Arc<VirtualClock>) -> Self {
        Self { simulator, clock, heard: Arc::default() }
    }

    /// Everything that was handed over, oldest first.
    pub(crate) fn handed_over(&self) -> Vec<HandOver> {
        self.heard.lock().unwrap().handed_over.clone()
    }

    /// This modem's port is this interface of this USB device.
    pub(crate) fn plug_into(&self, modem: usize, device: &str, interface: &str) {
        self.heard.lock().unwrap().usb.insert(modem, (device.to_owned(), interface.to_owned()));
    }

    /// The next task that reads from this modem's port panics.
    pub(crate) fn panic_next(&self, modem: usize) {
        self.heard.lock().unwrap().panic_next.insert(modem);
    }
}

impl Ports for Wires {
    fn open(&self, name: &str) -> Pin<Box<dyn Future<Output = io::Result<Box<dyn Port>>> + Send>> {
        let modem = index(name);
        let wires = self.clone();
        let opened = self.simulator.open(modem).map(|stream| Box::new(Wire { stream, modem, wires }) as Box<dyn Port>);
        Box::pin(std::future::ready(opened))
    }

    fn is_there(&self, name: &str) -> bool {
        self.simulator.is_there(index(name))
    }

    fn usb(&self, name: &str) -> Option<(String, String)> {
        self.heard.lock().unwrap().usb.get(&index(name)).cloned()
    }

    fn generation(&self, name: &str) -> u64 {
        self.simulator.generation(index(name))
    }

    fn reset(&self, name: &str) -> Resetting {
        Box::pin(std::future::ready(self.simulator.usb_reset(index(name))))
    }
}

fn index(name: &str) -> usize {
    name.strip_prefix("virtual:").and_then(|n| n.parse().ok()).unwrap()
}

struct Wire {
    stream: DuplexStream,
    modem: usize,
    wires: Wires,
}

impl Wire {
    fn listen(&self, written: &[u8]) {
        let Some(pdu) = written.strip_suffix(&[0x1A]) else { return };
        let text = String::from_utf8(pdu.to_vec()).unwrap();
        let Tpdu::Submit(submit) = pdu::decode_hex(&text, SmscField::Auto).unwrap().tpdu else { return };
        self.wires.heard.lock().unwrap().handed_over.push(HandOver {
            at: self.wires.clock.now().mono.0,
            modem: self.modem,
            to: submit.destination.reveal(),
            text: submit.user_data.text().unwrap().reveal().to_owned(),
        });
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let panics = self.wires.heard.lock().unwrap().panic_next.remove(&self.modem);
        assert!(!panics, "this panic is part of a test");
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if let Poll::Ready(Ok(count)) = written {
            self.listen(&bytes[..count]);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
