//! The virtual modem and network, dialog by dialog, on virtual time.

use otpgate::domain::time::{Mono, Wall};
use otpgate::simulator::faults::Faults;
use otpgate::simulator::modem::ModemOptions;
use otpgate::simulator::network::{Copy, NetworkOptions, NumberRule};
use otpgate::simulator::{ModemInput, Output, Simulator};
use proptest::prelude::*;
use std::time::Duration;

/// One modem, its clock, what it said since last asked, and what the network accepted.
struct Bench {
    simulator: Simulator,
    now: Mono,
    said: Vec<u8>,
    copies: Vec<Copy>,
    port: Vec<&'static str>,
}

impl Bench {
    fn new() -> Self {
        Self::with(ModemOptions::default(), |_| {})
    }

    fn with(modem: ModemOptions, network: impl FnOnce(&mut NetworkOptions)) -> Self {
        let mut options = NetworkOptions { epoch: Wall(1_795_397_726_000), ..NetworkOptions::default() };
        network(&mut options);
        let simulator = Simulator::new(1, &modem, options, 7);
        Self { simulator, now: Mono::default(), said: Vec::new(), copies: Vec::new(), port: Vec::new() }
    }

    fn faults(flags: &[&str]) -> Self {
        let mut bench = Self::new();
        bench.set_faults(flags);
        bench
    }

    fn set_faults(&mut self, flags: &[&str]) {
        let mut faults = Faults::default();
        flags.iter().for_each(|flag| faults.set_flag(flag).unwrap());
        self.simulator.set_faults(self.now, None, &faults);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some((_, output)) = self.simulator.poll_output() {
            match output {
                Output::Bytes(bytes) => self.said.extend(bytes),
                Output::Accepted(copy) => self.copies.push(copy),
                Output::PortLost => self.port.push("lost"),
                Output::PortBack => self.port.push("back"),
            }
        }
    }

    fn types(&mut self, bytes: &[u8]) {
        self.simulator.handle_input(self.now, 0, ModemInput::Bytes(bytes));
        self.drain();
    }

    fn wait(&mut self, millis: u64) {
        let until = self.now + Duration::from_millis(millis);
        while let Some(next) = self.simulator.next_timeout().filter(|next| *next <= until) {
            self.now = next;
            self.simulator.handle_timeout(next);
            self.drain();
        }
        self.now = until;
    }

    fn said(&mut self) -> String {
        String::from_utf8(std::mem::take(&mut self.said)).unwrap()
    }

    /// Types, waits 10 s, gives what was said.
    fn asks(&mut self, text: &str) -> String {
        self.types(text.as_bytes());
        self.wait(10_000);
        self.said()
    }

    /// Echo off, and what a gateway sets.
    fn set_up(&mut self) {
        self.asks("ATE0\r");
        assert_eq!(self.asks("AT+CMGF=0;+CNMI=2,1,0,1,0\r"), OK);
    }
}

const OK: &str = "\r\nOK\r\n";
/// "hellohello" to +14155550100 with a report asked for: 21 octets, without an SMSC.
const SUBMIT: &str = "0021000B914151550501F000000AE8329BFD4697D9EC37";
const LENGTH: usize = 22;

#[test]
fn a_message_goes_out_and_is_reported_on() {
    let mut b = Bench::new();
    b.set_up();
    b.types(format!("AT+CMGS={LENGTH}\r").as_bytes());
    assert_eq!(b.said(), "\r\n> ");
    b.types(format!("{SUBMIT}\x1A").as_bytes());
    assert_eq!(b.said(), "", "nothing before the air time is over");
    b.wait(99);
    assert_eq!(b.said(), "");
    b.wait(1);
    assert_eq!(b.said(), "\r\n+CMGS: 0\r\n\r\nOK\r\n");
    b.wait(200);
    // 01:35:46 is the epoch and the 20 s of the set-up.
    let report = "07915155550500F006000B914151550501F0621132105364006211321053640000";
    assert_eq!(b.said(), format!("\r\n+CDS: 25\r\n{report}\r\n"));
    let copy = &b.copies[0];
    assert_eq!((copy.to.as_str(), copy.text.as_str()), ("+14155550100", "hellohello"));
    assert_eq!((copy.part, copy.total, copy.reference, copy.report), (1, 1, 0, true));
}
