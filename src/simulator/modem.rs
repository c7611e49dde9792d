//! The virtual modem: bytes in, bytes out, as TS 27.005, TS 27.007 and V.250 have it.
//!
//! Works octet by octet, so that no chopping of the same bytes can make a difference. It is in one of three modes:
//! taking a command line, taking a message (edit mode, between the prompt and 0x1A), or waiting for the network. What
//! is typed while it waits is counted and taken up afterwards. Unsolicited lines wait until neither of the latter two
//! holds, unless a fault wants them early.

mod card_files;
mod commands;
mod counts;
mod identity;
mod line;
mod pin;
mod receiving;
mod sending;
mod settings;
mod slowness;
mod sms_commands;
mod storage;
mod text_mode;
mod typing;
mod ussd;

use super::faults::{Cure, Dice, Failure, Faults, Hang, Unregistered, UrcPlace};
use super::network::{Downlink, Submission};
use super::timers::Timers;
use crate::domain::time::{Mono, Wall};
use sending::{Edit, Sending};
use settings::{Card, Radio, Settings};
use slowness::Work;
use std::collections::VecDeque;
use std::time::Duration;
use storage::Storage;

pub use counts::{Counts, Turns};
pub use identity::Identity;

/// What is built into a virtual modem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModemOptions {
    /// What `AT+CGMI` says. The quirk row of a virtual modem knows it as `otpgate`; under another name it is that maker's.
    pub manufacturer: String,
    /// What `AT+CGMM` says.
    pub model: String,
    /// PIN that the card asks for after power-up. `None`: it asks for none.
    pub pin: Option<String>,
    /// Places in each message storage, 1 to 255.
    pub capacity: usize,
    /// The lowest index in a storage: 1, or 0 as in some.
    pub first_index: usize,
    /// From a restart to the first sign of life.
    pub boot_time: Duration,
    /// The SMSC's number on the card. Empty: none is stored.
    pub smsc: String,
    /// The wall time at `Mono` zero, for `AT+CCLK?`.
    pub epoch: Wall,
}

impl Default for ModemOptions {
    fn default() -> Self {
        let (manufacturer, model) = ("otpgate".into(), "virtual".into());
        Self {
            manufacturer,
            model,
            pin: None,
            capacity: 20,
            first_index: 1,
            boot_time: Duration::from_secs(2),
            smsc: "+15555550000".into(),
            epoch: Wall(0),
        }
    }
}

/// What a modem can be told. After each, drain [`VirtualModem::poll_output`].
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// The host opened the port.
    Opened,
    /// The host wrote these bytes.
    Bytes(&'a [u8]),
    /// Time passed: see [`VirtualModem::next_timeout`].
    Timeout,
    /// Something came over the air.
    Network(&'a Downlink),
    /// Power went off and on again: as after a boot, whatever state it was in.
    PowerCycle,
    /// Its USB device was reset.
    UsbReset,
    /// Somebody calls.
    Ring,
    /// Another SIM card is put in, the one with this number, and nothing is said of it.
    OtherCard(usize),
}

/// What a modem does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Bytes for the host.
    Bytes(Vec<u8>),
    /// A message for the network.
    Submit(Submission),
    /// A message from the network could not be taken (RP-ERROR 22, memory capacity exceeded; or out of reach): the
    /// network keeps it until [`Output::Reachable`].
    Undeliverable(Vec<u8>),
    /// Messages can be taken again (RP-SMMA, or after registration).
    Reachable,
    /// The port is gone: the host sees end of file or an error.
    PortLost,
    /// The port can be opened again.
    PortBack,
}

/// A modem and the card in it.
pub struct VirtualModem {
    identity: Identity,
    options: ModemOptions,
    faults: Faults,
    dice: Dice,
    settings: Settings,
    storage: Storage,
    card: Card,
    radio: Radio,
    counts: Counts,
    turns: Turns,
    mode: Mode,
    /// Whether the port was opened and nothing has come since.
    fresh: bool,
    deaf: Option<Deaf>,
    /// The command line that it hears while it answers none.
    unanswered: Vec<u8>,
    /// It prompts no more, until this is done to it.
    promptless: Option<Cure>,
    port_gone: bool,
    reference: u8,
    ticket: u64,
    /// Typed while a send was under way.
    typeahead: Vec<u8>,
    /// Unsolicited lines that wait for the end of a send.
    held: VecDeque<Vec<u8>>,
    /// Lines that wait for AT+CNMI to let them through (mode 0).
    buffered: VecDeque<String>,
    /// `+CMT` and `+CDS` that wait for an acknowledgement of the one before (CSMS=1).
    unacknowledged: Option<u64>,
    acknowledgements: u64,
    to_acknowledge: VecDeque<String>,
    /// The line that splits the next echo, when that is the fault.
    echo_split: bool,
    timers: Timers<Event>,
    bytes: Vec<u8>,
    output: VecDeque<Output>,
}

/// What the modem takes its input for.
enum Mode {
    /// A command line, so far.
    Command(Vec<u8>),
    /// A message.
    Edit(Edit),
    /// Nothing: the network has the word.
    Sending(Sending),
    /// Nothing: it takes its time over this.
    Busy(Work),
}

/// What ends its deafness.
enum Deaf {
    /// This, or more.
    Cure(Cure),
    /// Boot, or a hang with an end.
    Timer,
}

enum Event {
    /// These bytes are said, whatever the mode.
    Say(Vec<u8>),
    /// An unsolicited line.
    Urc(String),
    /// The prompt that was late.
    Prompt(Box<Edit>, Vec<u8>),
    /// One of the endless lines.
    Endless,
    /// One of the endless restarts.
    Looped,
    /// The modem has started.
    Booted,
    /// It hears again.
    Hears,
    /// It has taken its time.
    Worked,
    /// The card is not busy any more.
    CardIsFree,
    /// It has found its network.
    Registered,
    /// The time for AT+CNMA is over.
    Unacknowledged(u64),
    PortBack,
}

/// What a command led to.
enum Flow {
    /// It is done: go on with the next on the line.
    Done,
    /// A prompt is due.
    Edit(Edit),
    /// A stored message is to be sent.
    Send { tpdu: Vec<u8>, stored: Option<(&'static str, usize)> },
    /// The modem restarts after OK.
    Reboot,
}

impl VirtualModem {
    /// A modem that has been on for a while: registered, its settings at their defaults. `seed` is for its faults.
    pub fn new(identity: Identity, options: ModemOptions, seed: u64) -> Self {
        let mut modem = Self {
            card: Card::new(&options),
            radio: Radio::default(),
            storage: Storage::new(options.capacity.clamp(1, 255), options.first_index.min(1)),
            settings: Settings::default(),
            faults: Faults::default(),
            dice: Dice::new(seed),
            counts: Counts::default(),
            turns: Turns::default(),
            mode: Mode::Command(Vec::new()),
            fresh: true,
            deaf: None,
            unanswered: Vec::new(),
            promptless: None,
            port_gone: false,
            reference: 0,
            ticket: 0,
            typeahead: Vec::new(),
            held: VecDeque::new(),
            buffered: VecDeque::new(),
            unacknowledged: None,
            acknowledgements: 0,
            to_acknowledge: VecDeque::new(),
            echo_split: false,
            timers: Timers::default(),
            bytes: Vec::new(),
            output: VecDeque::new(),
            identity,
            options,
        };
        modem.radio.registered = modem.card.is_open();
        modem
    }

    /// Sets what it does wrong from now on.
    pub fn set_faults(&mut self, now: Mono, faults: Faults) {
        self.timers.retain(|event| !matches!(event, Event::Endless | Event::Looped));
        let before = std::mem::replace(&mut self.faults, faults).unregistered;
        if self.faults.endless_urcs.is_set() {
            self.timers.add(now, Event::Endless);
        }
        if let Some(interval) = self.faults.boot_loop.set_to() {
            self.timers.add(now + interval.max(self.options.boot_time), Event::Looped);
        }
        match (before.set_to(), self.faults.unregistered.set_to()) {
            (None, Some(Unregistered::Quiet)) => self.radio.registered = false,
            (None, Some(_)) => self.leave_network(),
            (Some(Unregistered::Quiet), None) if self.can_register() => {
                self.radio.registered = true;
                self.output.push_back(Output::Reachable);
            }
            (Some(_), None) => self.look_for_network(now),
            _ => {}
        }
    }

    fn can_register(&self) -> bool {
        !self.faults.unregistered.is_set() && !self.radio.registered && self.radio.is_on() && self.card.is_open()
    }

    /// Who it is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// What was counted.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// How quickly the host went on.
    pub fn turns(&self) -> &Turns {
        &self.turns
    }

    /// Whether the port is gone (row L1), so that it can't be opened.
    pub fn is_port_gone(&self) -> bool {
        self.port_gone
    }

    /// Forgets counts and turns.
    pub fn reset_counts(&mut self) {
        self.counts = Counts::default();
        self.turns = Turns::default();
    }

    /// Takes one input. Whatever was due by `now` happens first.
    pub fn handle_input(&mut self, now: Mono, input: Input<'_>) {
        while let Some((at, event)) = self.timers.pop(now) {
            self.happen(at, event);
        }
        match input {
            Input::Timeout => {}
            Input::Opened => {
                self.fresh = true;
                self.is_done(Cure::Reopen);
            }
            Input::Bytes(bytes) if !self.port_gone => self.take(now, bytes),
            Input::Bytes(_) => {}
            Input::Network(downlink) => self.hear(now, downlink),
            Input::PowerCycle => self.reboot(now, Cure::Power),
            Input::UsbReset => self.usb_reset(now),
            Input::Ring => self.urc("RING".into()),
            Input::OtherCard(number) => self.other_card(number),
        }
    }

    /// What was said so far leaves now. A result may have been due a little earlier, where timers are coarse: that must
    /// not be counted as the host's time.
    pub(super) fn leaves(&mut self, now: Mono) {
        if std::mem::take(&mut self.turns.result_told) {
            self.turns.last_result = Some(now);
        }
    }

    /// What it does next. To be drained after each input.
    pub fn poll_output(&mut self) -> Option<Output> {
        if self.bytes.is_empty() {
            return self.output.pop_front();
        }
        Some(Output::Bytes(std::mem::take(&mut self.bytes)))
    }

    /// When it wants an [`Input::Timeout`] at the latest.
    pub fn next_timeout(&self) -> Option<Mono> {
        self.timers.next()
    }

    fn happen(&mut self, now: Mono, event: Event) {
        match event {
            Event::Say(bytes) if self.deaf.is_none() => self.say(&bytes),
            Event::Say(_) => {}
            Event::Urc(line) => self.urc(line),
            // Another message may be under way by now; then this prompt is past its time.
            Event::Prompt(edit, shape) => {
                if matches!(self.mode, Mode::Command(_)) {
                    self.mode = Mode::Edit(*edit);
                    self.prompt(now, &shape);
                }
            }
            Event::Endless => {
                if let Some(interval) = self.faults.endless_urcs.strike(&mut self.dice) {
                    self.urc_at_once("^BOOT:20344721,0,0,0,75");
                    self.timers.add(now + interval.max(MIN_INTERVAL), Event::Endless);
                }
            }
            Event::Looped => {
                if let Some(interval) = self.faults.boot_loop.strike(&mut self.dice) {
                    self.reboot(now, Cure::Restart);
                    self.timers.add(now + interval.max(self.options.boot_time), Event::Looped);
                }
            }
            Event::Booted => {
                self.deaf = None;
                let card = format!("+CPIN: {}", self.card.state_word());
                for line in ["RDY", "+CFUN: 1", &card] {
                    self.urc_at_once(line);
                }
                self.card_is_busy(now);
                self.look_for_network(now);
            }
            Event::Hears => self.hears_again(),
            Event::Worked => self.has_worked(now),
            Event::CardIsFree => self.card_is_free(now),
            Event::Registered => {
                if self.can_register() {
                    self.radio.registered = true;
                    let states = self.registrations();
                    for line in self.settings.registration_urcs(states) {
                        self.urc(line);
                    }
                    self.urc("SMS Ready".into());
                    self.output.push_back(Output::Reachable);
                }
            }
            Event::Unacknowledged(which) => {
                if self.unacknowledged == Some(which) {
                    // TS 27.005 §3.4.4: without an acknowledgement in time, routing to the host is switched off.
                    self.unacknowledged = None;
                    self.to_acknowledge.clear();
                    self.settings.stop_routing();
                }
            }
            Event::PortBack => {
                self.port_gone = false;
                self.output.push_back(Output::PortBack);
            }
        }
    }

    fn hear(&mut self, now: Mono, downlink: &Downlink) {
        match downlink {
            Downlink::Answer { ticket, cause } => self.answered(now, *ticket, *cause),
            Downlink::Halfway(collision) => match collision {
                super::faults::Collision::Ring => self.urc_at_once("RING"),
                super::faults::Collision::Message => self.urc_at_once("+CMTI: \"SM\",4"),
            },
            Downlink::Deliver { tpdu, early } => {
                if self.deaf.is_some() || !self.radio.registered || !self.deliver(now, tpdu, *early) {
                    self.output.push_back(Output::Undeliverable(tpdu.clone()));
                }
            }
        }
    }

    /// Ends a command line: information lines and the final result.
    fn finish(&mut self, now: Mono, mut lines: Vec<String>, result: Result<(), Failure>) {
        match self.faults.urc_in_answer.strike(&mut self.dice) {
            Some(UrcPlace::Echo) if self.settings.echo => self.echo_split = true,
            Some(_) => lines.insert(0, "^RSSI:14".into()),
            None => {}
        }
        let shape = self.faults.answer_shape.strike(&mut self.dice);
        let answer = self.settings.render(&lines, result, shape);
        match self.faults.late_answer.strike(&mut self.dice) {
            Some(late) => self.timers.add(now + late, Event::Say(answer)),
            None => self.say(&answer),
        }
    }

    /// A send is over: what waited for that is said and taken up.
    fn settle(&mut self, now: Mono) {
        if matches!(self.mode, Mode::Sending(_) | Mode::Busy(_)) {
            return;
        }
        let typed = std::mem::take(&mut self.typeahead);
        while let Some(line) = self.held.pop_front() {
            self.say(&line);
        }
        self.take(now, &typed);
    }

    /// An unsolicited line: at once, or when the send that is under way is over.
    fn urc(&mut self, line: String) {
        if self.deaf.is_some() {
            return;
        }
        if matches!(self.mode, Mode::Command(_) | Mode::Busy(_)) {
            self.urc_at_once(&line);
        } else if self.held.len() < MAX_HELD {
            self.held.push_back(format!("\r\n{line}\r\n").into_bytes());
        }
    }

    fn urc_at_once(&mut self, line: &str) {
        if self.deaf.is_none() {
            self.say(format!("\r\n{line}\r\n").as_bytes());
        }
    }

    fn say_lines(&mut self, lines: &[String]) {
        if !lines.is_empty() {
            self.say(format!("\r\n{}\r\n", lines.join("\r\n")).as_bytes());
        }
    }

    fn say(&mut self, bytes: &[u8]) {
        if !self.port_gone {
            self.bytes.extend(bytes);
        }
    }

    fn hang(&mut self, now: Mono, hang: Hang) {
        self.deaf = Some(match hang {
            Hang::Until(cure) => Deaf::Cure(cure),
            Hang::For(time) => {
                self.timers.add(now + time, Event::Hears);
                Deaf::Timer
            }
        });
    }

    fn hears_again(&mut self) {
        self.deaf = None;
        self.output.push_back(Output::Reachable);
    }

    /// This was done to it: it may be what it waits for.
    fn is_done(&mut self, done: Cure) -> bool {
        self.promptless.take_if(|cure| cure.is_served_by(done));
        let served = matches!(self.deaf, Some(Deaf::Cure(cure)) if cure.is_served_by(done));
        if served {
            self.hears_again();
        }
        served
    }

    fn usb_reset(&mut self, now: Mono) {
        if self.faults.reset_ineffective.strike(&mut self.dice).is_none() {
            self.reboot(now, Cure::Usb);
            self.port_goes(now, USB_RESET_TIME);
        }
    }

    /// Restarts, by this cure: all settings at their defaults, deaf until the boot is over. What it takes more to cure
    /// stays as it is.
    fn reboot(&mut self, now: Mono, by: Cure) {
        self.is_done(by);
        if matches!(self.deaf, Some(Deaf::Cure(_))) {
            return;
        }
        self.settings = Settings::default();
        self.card.lock(&self.options);
        self.radio = Radio::default();
        self.mode = Mode::Command(Vec::new());
        self.typeahead.clear();
        self.held.clear();
        self.buffered.clear();
        self.to_acknowledge.clear();
        self.unacknowledged = None;
        self.turns.last_prompt = None;
        self.turns.last_result = None;
        self.deaf = Some(Deaf::Timer);
        self.timers.retain(|event| matches!(event, Event::Endless | Event::Looped | Event::PortBack));
        self.timers.add(now + self.options.boot_time, Event::Booted);
        if let Some(time) = self.faults.mode_switch.strike(&mut self.dice) {
            self.port_goes(now, time);
        }
    }

    /// Registers in a moment, if radio and card allow it.
    fn look_for_network(&mut self, now: Mono) {
        self.timers.add(now + REGISTRATION_TIME, Event::Registered);
    }

    /// The host made room in a storage.
    fn made_room(&mut self) {
        self.output.push_back(Output::Reachable);
    }
}

/// CR LF, greater-than, space (TS 27.005 §3.5.1, §4.3).
const PROMPT: &[u8] = b"\r\n> ";
/// Unsolicited lines that are held back.
const MAX_HELD: usize = 100;
/// How long the device is gone that was reset over USB.
const USB_RESET_TIME: Duration = Duration::from_secs(1);
const REGISTRATION_TIME: Duration = Duration::from_secs(1);
/// Endless lines come no faster than this.
const MIN_INTERVAL: Duration = Duration::from_millis(1);
