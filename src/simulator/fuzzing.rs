//! For fuzzers: a virtual modem with any faults, on a virtual network, and a host that types anything.

use super::faults::Faults;
use super::modem::ModemOptions;
use super::network::NetworkOptions;
use super::{ModemInput, Output, Simulator};
use crate::domain::time::Mono;
use std::time::Duration;

/// Reads octets as a line of faults (`NAME=VALUE@WHEN`, with blanks between; what is none is left out) and then what a
/// host types. Octets from 0xF9 on, which no host types, say what happens between.
///
/// # Panics
///
/// If the modem says far more than it was asked for, or has a timer that does not pass.
pub fn virtual_modem(script: &[u8]) {
    let line = script.iter().position(|octet| *octet == b'\n').unwrap_or(script.len());
    let (flags, typed) = script.split_at(line);
    let mut faults = Faults::default();
    // Lines without end are what that fault is for; here they would only hide others.
    for flag in String::from_utf8_lossy(flags).split(' ').filter(|flag| !flag.contains("endless_urcs")) {
        let _ = faults.set_flag(flag);
    }
    let mut bench = Bench::new(&faults);
    for piece in typed.chunk_by(|a, b| *a < HAPPENS && *b < HAPPENS) {
        match piece {
            [0xF9] => bench.input(ModemInput::Opened),
            [0xFA] => bench.input(ModemInput::PowerCycle),
            [0xFB] => bench.input(ModemInput::Ring),
            [0xFC] => bench.pass(Duration::from_millis(100)),
            [0xFD..=0xFF] => bench.pass(Duration::from_secs(5)),
            piece => bench.input(ModemInput::Bytes(piece)),
        }
    }
    bench.pass(Duration::from_secs(60));
    // The longest answer is a full storage, listed.
    assert!(bench.said <= 10_000 * (typed.len() + 10), "it said {} bytes for {}", bench.said, typed.len());
}

struct Bench {
    simulator: Simulator,
    now: Mono,
    said: usize,
}

impl Bench {
    fn new(faults: &Faults) -> Self {
        let mut simulator = Simulator::new(1, &ModemOptions::default(), NetworkOptions::default(), 1);
        simulator.set_faults(Mono::from_millis(0), None, faults);
        Self { simulator, now: Mono::from_millis(0), said: 0 }
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        let mut steps = 0;
        while let Some(at) = self.simulator.next_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.simulator.handle_timeout(self.now);
            self.hear();
            steps += 1;
            assert!(steps < 10_000, "a timer that does not pass");
        }
        self.now = end;
    }

    fn input(&mut self, input: ModemInput<'_>) {
        self.simulator.handle_input(self.now, 0, input);
        self.hear();
    }

    fn hear(&mut self) {
        while let Some((_, output)) = self.simulator.poll_output() {
            if let Output::Bytes(bytes) = output {
                self.said += bytes.len();
            }
        }
    }
}

/// From here on octets are no typing.
const HAPPENS: u8 = 0xF9;
