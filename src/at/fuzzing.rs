//! For fuzzers: an engine, what the gateway asks of it, and what a modem says, in any order.

use super::{Command, Config, Engine, Event, Input, Output, PduHex, Submit};
use crate::domain::time::Mono;
use std::time::Duration;

/// Reads octets as a script: each step is one octet that says what happens and what belongs to it.
///
/// # Panics
///
/// If the engine writes while a message is on the air, hands a message over that nobody released, keeps more than it
/// may, or has a deadline that does not pass.
pub fn at_engine(script: &[u8]) {
    let mut bench =
        Bench { engine: Engine::new(Config::default()), now: Mono::from_millis(0), token: 0, released: false };
    let mut script = Script(script);
    // Every other script begins with a modem that answers.
    if script.octet().is_some_and(|first| first & 1 == 1) {
        bench.synchronise();
    }
    while let Some(step) = script.octet() {
        bench.step(step, &mut script);
    }
    // Left alone, it must come to rest.
    bench.pass(Duration::from_secs(3600));
    assert!(bench.engine.next_timeout().is_none(), "an hour later it still waits for something");
}

struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    fn octet(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn octets(&mut self, count: usize) -> &'a [u8] {
        let (octets, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        octets
    }
}

struct Bench {
    engine: Engine,
    now: Mono,
    /// The last message asked for, and whether its PDU may leave.
    token: u64,
    released: bool,
}

impl Bench {
    fn synchronise(&mut self) {
        self.input(Input::Start { listen_until: None });
        for _ in 0..2 {
            self.pass(Duration::from_millis(300));
            self.input(Input::Bytes(b"\r\nOK\r\n"));
        }
        self.pass(Duration::from_millis(300));
    }

    fn step(&mut self, step: u8, script: &mut Script<'_>) {
        let argument = script.octet().unwrap_or_default();
        match step % 16 {
            0 => self.input(Input::Start { listen_until: None }),
            1 => self.input(Input::Start { listen_until: Some(self.now + Duration::from_millis(u64::from(argument))) }),
            2 => self.input(Input::Reset),
            3 => self.input(Input::Abort),
            4 | 5 => self.input(Input::Command(command(argument))),
            6 | 7 => self.submit(argument),
            8 => {
                // Now and then for a message that is not the one.
                let token = if argument == 0 { self.token + 1 } else { self.token };
                self.released |= token == self.token;
                self.input(Input::Release { token, granted: true });
            }
            9 => self.input(Input::Release { token: self.token, granted: false }),
            10 => self.input(Input::Withheld { token: self.token }),
            11 => self.input(Input::Bytes(script.octets(usize::from(argument)))),
            12 => self.pass(Duration::from_millis(u64::from(argument).pow(2) * 4)),
            // As much as no modem says.
            13 => (0..40).for_each(|_| self.input(Input::Bytes(&[b'x'; 600]))),
            _ => self.input(Input::Bytes(WORDS[usize::from(argument) % WORDS.len()])),
        }
    }

    fn submit(&mut self, argument: u8) {
        let (was_ready, octets) = (self.engine.is_ready(), PDU.len() / 2 - 1);
        let Some(pdu) = PduHex::new(PDU, octets) else { return };
        if was_ready {
            self.token += 1;
            self.released = false;
        }
        self.input(Input::Submit(Submit {
            token: self.token,
            pdu,
            length: octets + usize::from(argument == 0),
            prompt_deadline: Duration::from_secs(5),
            prompt_delay: Duration::from_millis(u64::from(argument % 2) * 50),
            not_after: self.now + Duration::from_secs(u64::from(argument)),
            send_deadline: Duration::from_secs(30 + u64::from(argument % 90)),
        }));
    }

    /// Lets time pass; deadlines are served when they come.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.engine.next_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.input(Input::Timeout);
            assert!(self.engine.next_timeout().is_none_or(|next| next > at), "a deadline that does not pass");
        }
        self.now = end;
    }

    fn input(&mut self, input: Input<'_>) {
        let on_air = self.engine.is_on_air();
        self.engine.handle_input(self.now, input);
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Transmit { irreversible, .. } => {
                    assert!(!(on_air && self.engine.is_on_air()), "it wrote while a message was on the air");
                    if irreversible {
                        assert!(std::mem::take(&mut self.released), "a PDU left that was not released, or left twice");
                    }
                }
                Output::Event(Event::Replied(reply)) => {
                    let bytes: usize = reply.lines.iter().map(|line| line.as_str().len()).sum();
                    assert!(bytes <= 128 * 1024, "a reply of {bytes} bytes");
                }
                Output::Event(_) => {}
            }
        }
    }
}

fn command(which: u8) -> Command {
    let commands = [
        Command::attention,
        Command::signal,
        Command::registration,
        Command::identification,
        Command::imei,
        Command::pin_state,
        Command::functionality_on,
        Command::storage_state,
    ];
    match which {
        200.. => Command::list_messages(4),
        which => commands[usize::from(which) % commands.len()](),
    }
}

/// SMS-SUBMIT behind an empty SMSC field.
const PDU: &str = "0011000B914151550510F00000AA05E8329BFD06";
/// What modems say.
const WORDS: &[&[u8]] = &[
    b"\r\nOK\r\n",
    b"\r\n> ",
    b"\r\n+CMGS: 7\r\n",
    b"\r\n+CMGS: 7\r\n\r\nOK\r\n",
    b"\r\nERROR\r\n",
    b"\r\n+CMS ERROR: 38\r\n",
    b"\r\n+CMS ERROR: 340\r\n",
    b"\r\n+CME ERROR: 10\r\n",
    b"\r\n+CSCS: \"GSM\"\r\n",
    b"\r\n+CMGF: 0\r\n",
    b"\r\n+CSMS: 0,1,1,1\r\n",
    b"\r\n+CSQ: 17,99\r\n",
    b"\r\n+CREG: 0,1\r\n",
    b"\r\n+CDS: 23\r\n",
    b"0006050A8141555501001111111111111111111111111100\r\n",
    b"\r\n+CMTI: \"SM\",3\r\n",
    b"AT+CMGS=19\r",
    b"AT\r",
    b"\r\nNO CARRIER\r\n",
    b"\r\nRDY\r\n",
    b"490154203237518\r\n",
    b">",
    b"\r",
    b"\n",
    b"\x1a\x1b\0\xff",
];
