//! The virtual modem: bytes in, bytes out, as TS 27.005, TS 27.007 and V.250 have it.
//!
//! Works octet by octet, so that no chopping of the same bytes can make a difference. It is in one of three modes:
//! taking a command line, taking a message (edit mode, between the prompt and 0x1A), or waiting for the network. What
//! is typed while it waits is counted and taken up afterwards. Unsolicited lines wait until neither of the latter two
//! holds, unless a fault wants them early.

use super::commands::{self, Command};
use super::faults::{Dice, Fate, Faults, HalfResult, Hang, PortLoss, PromptShape, UrcPlace};
use super::network::{Downlink, Orders, Submission};
use super::pdu::{self, Address};
use super::sms_commands::Route;
use super::storage::{Status, Storage};
use super::timers::Timers;
use crate::domain::time::{Mono, Wall};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

pub(super) use super::faults::Failure;

/// Who a modem is, and whose card is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// 14 digits and the check digit.
    pub imei: String,
    /// 19 digits, the last a check digit.
    pub iccid: String,
    /// 15 digits, in the test network 001-01.
    pub imsi: String,
    /// The card's number, `+` and digits.
    pub number: String,
}

impl Identity {
    /// The identity of the virtual modem number `index`: everything in ranges that no real modem or subscriber has.
    pub fn numbered(index: usize) -> Self {
        Self {
            imei: with_check_digit(format!("001017000{:05}", index % 100_000)),
            iccid: with_check_digit(format!("8999901000{:08}", index % 100_000_000)),
            imsi: format!("00101{index:010}"),
            number: format!("+1555{:07}", (5_550_100 + index) % 10_000_000),
        }
    }
}

/// What is built into a virtual modem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModemOptions {
    /// PIN that the card asks for after power-up. `None`: it asks for none.
    pub pin: Option<String>,
    /// Places in each message storage, 1 to 255.
    pub capacity: usize,
    /// From a restart to the first sign of life.
    pub boot_time: Duration,
    /// The SMSC's number on the card. Empty: none is stored.
    pub smsc: String,
    /// The wall time at `Mono` zero, for `AT+CCLK?`.
    pub epoch: Wall,
}

impl Default for ModemOptions {
    fn default() -> Self {
        Self { pin: None, capacity: 20, boot_time: Duration::from_secs(2), smsc: "+15555550000".into(), epoch: Wall(0) }
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
    /// Somebody calls.
    Ring,
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

/// What tests count at the modem's side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Command lines that held this command, by name (`+CMGS`, `E`). At most 256 names.
    pub at_lines: BTreeMap<String, u64>,
    /// ESC characters received.
    pub escapes: u64,
    /// Bytes that came between 0x1A and the result.
    pub bytes_while_sending: u64,
    /// Prompts given.
    pub prompts: u64,
    /// 0x1A received in edit mode, whatever became of the message.
    pub submits: u64,
    /// SMS-SUBMITs handed to the network.
    pub submitted: u64,
}

/// How quickly the host goes on, in microseconds; the latest 65,536 of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turns {
    /// From the final result of a send to the next AT+CMGS.
    pub from_result: VecDeque<u32>,
    /// From the prompt to 0x1A.
    pub from_prompt: VecDeque<u32>,
    /// A result was said, but when it leaves is not known yet.
    result_told: bool,
    last_result: Option<Mono>,
    last_prompt: Option<Mono>,
}

impl Turns {
    fn note(list: &mut VecDeque<u32>, since: Option<Mono>, now: Mono) {
        let Some(since) = since else { return };
        if list.len() == 65_536 {
            list.pop_front();
        }
        list.push_back(u32::try_from((now - since).as_micros()).unwrap_or(u32::MAX));
    }
}

/// A modem and the card in it.
pub struct VirtualModem {
    pub(super) identity: Identity,
    pub(super) options: ModemOptions,
    pub(super) faults: Faults,
    pub(super) dice: Dice,
    pub(super) settings: commands::Settings,
    pub(super) storage: Storage,
    pub(super) card: commands::Card,
    pub(super) radio: commands::Radio,
    counts: Counts,
    turns: Turns,
    mode: Mode,
    /// Whether the port was opened and nothing has come since.
    fresh: bool,
    deaf: Option<Deaf>,
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
}

/// What a message is typed for.
#[derive(Clone, Debug)]
pub(super) struct Edit {
    pub(super) purpose: Purpose,
    /// PDU mode: the announced length. Text mode: none.
    pub(super) length: Option<usize>,
    /// Text mode: the recipient.
    pub(super) to: Option<Address>,
    pub(super) typed: Vec<u8>,
    pub(super) lf_counts: bool,
}

/// Which command a message is typed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// AT+CMGS.
    Send,
    /// AT+CMGW, with the status it is stored under.
    Write(Status),
    /// AT+CNMA=1 or 2 with a PDU.
    Acknowledge,
}

/// A send that waits for the network.
struct Sending {
    ticket: u64,
    command: &'static str,
    reference: u8,
    /// The place to be marked as sent (AT+CMSS).
    stored: Option<(&'static str, usize)>,
    aftermath: Aftermath,
}

/// How the result of a send is told.
enum Aftermath {
    Normal,
    Silence,
    Late(Duration),
    Failure(Failure),
    Half(HalfResult),
}

/// What ends its deafness.
enum Deaf {
    Reopening,
    PowerCycle,
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
    /// The modem has started.
    Booted,
    /// It hears again.
    Hears,
    /// It has found its network.
    Registered,
    /// The time for AT+CNMA is over.
    Unacknowledged(u64),
    PortBack,
}

/// What a command led to.
pub(super) enum Flow {
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
            card: commands::Card::new(&options),
            radio: commands::Radio::default(),
            storage: Storage::new(options.capacity.clamp(1, 255)),
            settings: commands::Settings::default(),
            faults: Faults::default(),
            dice: Dice::new(seed),
            counts: Counts::default(),
            turns: Turns::default(),
            mode: Mode::Command(Vec::new()),
            fresh: true,
            deaf: None,
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
        let ticking = self.faults.endless_urcs.is_set();
        self.faults = faults;
        if self.faults.endless_urcs.is_set() && !ticking {
            self.timers.add(now, Event::Endless);
        }
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
                if matches!(self.deaf, Some(Deaf::Reopening)) {
                    self.hears_again();
                }
            }
            Input::Bytes(bytes) if !self.port_gone => self.take(now, bytes),
            Input::Bytes(_) => {}
            Input::Network(downlink) => self.hear(now, downlink),
            Input::PowerCycle => self.reboot(now),
            Input::Ring => self.urc("RING".into()),
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
            Event::Booted => {
                self.deaf = None;
                for line in ["RDY", "+CFUN: 1", if self.card.is_open() { "+CPIN: READY" } else { "+CPIN: SIM PIN" }] {
                    self.urc_at_once(line);
                }
                self.look_for_network(now);
            }
            Event::Hears => self.hears_again(),
            Event::Registered => {
                if !self.radio.registered && self.radio.is_on() && self.card.is_open() {
                    self.radio.registered = true;
                    for line in self.settings.registration_urcs(true) {
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

    fn take(&mut self, now: Mono, bytes: &[u8]) {
        if std::mem::take(&mut self.fresh) && self.faults.start_in_edit.strike(&mut self.dice).is_some() {
            let typed = format!("00{}", pdu::to_hex(LEFT_OVER));
            self.mode = Mode::Edit(Edit {
                purpose: Purpose::Send,
                length: Some(LEFT_OVER.len()),
                to: None,
                typed: typed.into_bytes(),
                lf_counts: false,
            });
        }
        for &byte in bytes {
            if self.deaf.is_some() || self.port_gone {
                return;
            }
            if byte == ESC {
                self.counts.escapes += 1;
            }
            match &mut self.mode {
                Mode::Sending(_) => {
                    self.counts.bytes_while_sending += 1;
                    if self.typeahead.len() < MAX_TYPED {
                        self.typeahead.push(byte);
                    }
                }
                Mode::Command(_) => self.take_command_byte(now, byte),
                Mode::Edit(_) => self.take_edit_byte(now, byte),
            }
        }
    }

    fn take_command_byte(&mut self, now: Mono, byte: u8) {
        let Mode::Command(line) = &mut self.mode else { return };
        if self.settings.echo && byte != ESC {
            self.bytes.push(byte);
            if self.echo_split && line.len() == 3 {
                self.echo_split = false;
                self.bytes.extend(b"\r\n*EMRDY: 1\r\n");
            }
        }
        match byte {
            b'\r' => {
                let line = std::mem::take(line);
                self.command_line(now, &line);
            }
            BACKSPACE => {
                line.pop();
            }
            // V.250 §5.2.2: other control characters are ignored.
            0..0x20 => {}
            // One byte beyond the limit is kept, so that an overlong line is told from one that just fits.
            _ if line.len() <= MAX_LINE => line.push(byte),
            _ => {}
        }
    }

    fn take_edit_byte(&mut self, now: Mono, byte: u8) {
        let Mode::Edit(edit) = &mut self.mode else { return };
        match byte {
            SUBMIT => {
                let edit = edit.clone();
                self.mode = Mode::Command(Vec::new());
                self.counts.submits += 1;
                Turns::note(&mut self.turns.from_prompt, self.turns.last_prompt.take(), now);
                self.typed(now, edit);
                self.settle(now);
                return;
            }
            ESC => {
                self.mode = Mode::Command(Vec::new());
                self.turns.last_prompt = None;
                self.finish(now, Vec::new(), Ok(()));
                self.settle(now);
                return;
            }
            BACKSPACE => {
                edit.typed.pop();
            }
            b'\r' | b'\n' if edit.length.is_some() && !edit.lf_counts => {}
            // Text mode: a CR begins a new line, with a prompt of its own (TS 27.005 §3.5.1).
            b'\r' if edit.length.is_none() => {
                edit.typed.push(b'\n');
                if self.settings.echo {
                    self.bytes.push(b'\r');
                }
                self.say(PROMPT);
                return;
            }
            b'\n' if edit.length.is_none() => return,
            _ if edit.typed.len() <= MAX_TYPED => edit.typed.push(byte),
            _ => {}
        }
        if self.settings.echo {
            self.bytes.push(byte);
        }
    }

    /// A whole command line, without its CR.
    fn command_line(&mut self, now: Mono, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        // V.250 §5.2.1: what precedes "AT" is no part of the command; a line without it is none.
        let Some(start) = text.as_bytes().windows(2).position(|w| w.eq_ignore_ascii_case(b"AT")) else { return };
        if line.len() > MAX_LINE {
            return self.finish(now, Vec::new(), Err(Failure::Error));
        }
        let list = commands::split(&text[start + 2..]);
        for command in &list {
            self.count(command);
        }
        if let Some(hang) = self.faults.hang.strike(&mut self.dice) {
            return self.hang(now, hang);
        }
        if self.faults.reboot.strike(&mut self.dice).is_some() {
            return self.reboot(now);
        }
        let mut lines = Vec::new();
        for command in &list {
            match self.run(now, command, &mut lines) {
                Ok(Flow::Done) => {}
                Ok(Flow::Edit(edit)) => return self.begin_edit(now, edit, &text, lines),
                Ok(Flow::Send { tpdu, stored }) => {
                    self.say_lines(&lines);
                    return self.send(now, "+CMSS", tpdu, stored);
                }
                Ok(Flow::Reboot) => {
                    self.finish(now, lines, Ok(()));
                    return self.reboot(now);
                }
                Err(failure) => return self.finish(now, lines, Err(failure)),
            }
        }
        self.finish(now, lines, Ok(()));
        if self.faults.echo_drift.strike(&mut self.dice).is_some() {
            self.settings.echo = true;
        }
    }

    fn count(&mut self, command: &Command) {
        let known = self.counts.at_lines.len() < 256 && command.name.len() <= 16;
        match self.counts.at_lines.get_mut(&command.name) {
            Some(count) => *count += 1,
            None if known => {
                self.counts.at_lines.insert(command.name.clone(), 1);
            }
            None => {}
        }
    }

    fn begin_edit(&mut self, now: Mono, mut edit: Edit, line: &str, lines: Vec<String>) {
        if edit.purpose == Purpose::Send {
            Turns::note(&mut self.turns.from_result, self.turns.last_result.take(), now);
            let here = |loss: &PortLoss| matches!(loss, PortLoss::BeforePrompt | PortLoss::AfterPrompt);
            if let Some(loss) = self.faults.port_loss.strike_if(&mut self.dice, here) {
                if loss == PortLoss::AfterPrompt {
                    self.prompt(now, PROMPT);
                }
                return self.lose_port(now);
            }
        }
        if let Some(failure) = self.faults.refuse_before_prompt.strike(&mut self.dice) {
            return self.finish(now, lines, Err(failure));
        }
        self.say_lines(&lines);
        edit.lf_counts = self.faults.lf_sensitive.strike(&mut self.dice).is_some();
        match self.faults.prompt_never.strike(&mut self.dice) {
            Some(super::faults::Unprompted::Edit) => return self.mode = Mode::Edit(edit),
            Some(super::faults::Unprompted::Command) => return,
            None => {}
        }
        let shape = match self.faults.prompt_shape.strike(&mut self.dice) {
            None => PROMPT.to_vec(),
            Some(PromptShape::LineEnd) => b"\r\n>\r\n".to_vec(),
            Some(PromptShape::NoSpace) => b"\r\n>".to_vec(),
            Some(PromptShape::Echoed) => format!("{line}\r\r\n> ").into_bytes(),
            Some(PromptShape::Glued) => b"> ".to_vec(),
            Some(PromptShape::Twice) => [PROMPT, PROMPT].concat(),
        };
        if let Some(late) = self.faults.prompt_late.strike(&mut self.dice) {
            return self.timers.add(now + late, Event::Prompt(Box::new(edit), shape));
        }
        self.mode = Mode::Edit(edit);
        self.prompt(now, &shape);
    }

    fn prompt(&mut self, now: Mono, shape: &[u8]) {
        self.counts.prompts += 1;
        self.turns.last_prompt = Some(now);
        self.say(shape);
    }

    /// A message was typed to its end.
    fn typed(&mut self, now: Mono, mut edit: Edit) {
        if edit.purpose == Purpose::Acknowledge {
            let result = self.acknowledge(now);
            return self.finish(now, Vec::new(), result);
        }
        if let Some(lost) = self.faults.lost_bytes.strike(&mut self.dice) {
            let middle = edit.typed.len() / 2;
            let end = (middle + usize::from(lost)).min(edit.typed.len());
            edit.typed.drain(middle..end);
        }
        match self.typed_tpdu(&edit) {
            Err(failure) => self.finish(now, Vec::new(), Err(failure)),
            Ok(tpdu) => match edit.purpose {
                Purpose::Send => self.send(now, "+CMGS", tpdu, None),
                Purpose::Write(status) => match self.storage.put(self.settings.write_storage(), status, tpdu) {
                    Some(index) => self.finish(now, vec![format!("+CMGW: {index}")], Ok(())),
                    None => self.finish(now, Vec::new(), Err(Failure::Cms(322))),
                },
                Purpose::Acknowledge => {}
            },
        }
    }

    /// The TPDU of what was typed: checked against the announced length, or made from text.
    fn typed_tpdu(&self, edit: &Edit) -> Result<Vec<u8>, Failure> {
        let Some(length) = edit.length else {
            return self.settings.text_submit(edit.to.as_ref(), &edit.typed);
        };
        let octets = pdu::from_hex(&edit.typed).ok_or(Failure::Cms(304))?;
        let smsc = usize::from(*octets.first().ok_or(Failure::Cms(304))?);
        let tpdu = octets.get(smsc + 1..).filter(|t| t.len() == length).ok_or(Failure::Cms(304))?;
        if smsc == 0 && self.card.smsc.is_empty() && edit.purpose == Purpose::Send {
            return Err(Failure::Cms(330));
        }
        Ok(tpdu.to_vec())
    }

    /// Hands a TPDU to the network, under a TP-MR of the modem's own choice (TS 23.040 §9.2.3.6).
    fn send(&mut self, now: Mono, command: &'static str, mut tpdu: Vec<u8>, stored: Option<(&'static str, usize)>) {
        if !self.radio.registered {
            return self.finish(now, Vec::new(), Err(Failure::Cms(331)));
        }
        match tpdu.get_mut(..2) {
            // SMS-SUBMIT only: SMS-COMMAND goes by AT+CMGC.
            Some([first, reference]) if *first & 0x03 == 0x01 => *reference = self.reference,
            _ => return self.finish(now, Vec::new(), Err(Failure::Cms(304))),
        }
        let reference = self.reference;
        self.reference = self.reference.wrapping_add(1);
        self.ticket += 1;
        let mut orders = Orders {
            lost: false,
            refusal: self.faults.network_refusal.strike(&mut self.dice),
            report_early: self.faults.report_early.strike(&mut self.dice).is_some(),
            report_reference: self.faults.report_reference.strike(&mut self.dice),
            report_status: self.faults.report_status.strike(&mut self.dice),
            report_lost: self.faults.report_lost.strike(&mut self.dice).is_some(),
            halfway: self.faults.collision.strike(&mut self.dice),
        };
        let mut aftermath = Aftermath::Normal;
        if let Some(fate) = self.faults.silence.strike(&mut self.dice) {
            orders.lost = fate == Fate::Lost;
            aftermath = Aftermath::Silence;
        } else if let Some(after) = self.faults.error_after.strike(&mut self.dice) {
            orders.lost = after.fate == Fate::Lost;
            aftermath = Aftermath::Failure(after.failure);
        } else if let Some(half) = self.faults.half_result.strike(&mut self.dice) {
            aftermath = Aftermath::Half(half);
        } else if let Some(late) = self.faults.late_result.strike(&mut self.dice) {
            aftermath = Aftermath::Late(late);
        }
        let here = |loss: &PortLoss| matches!(loss, PortLoss::Submit | PortLoss::SubmitLost);
        let loss = self.faults.port_loss.strike_if(&mut self.dice, here);
        orders.lost |= loss == Some(PortLoss::SubmitLost);
        self.counts.submitted += 1;
        self.mode = Mode::Sending(Sending { ticket: self.ticket, command, reference, stored, aftermath });
        self.output.push_back(Output::Submit(Submission { ticket: self.ticket, tpdu, orders }));
        if loss.is_some() {
            self.lose_port(now);
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

    /// The network answered a submission: RP-ACK, or RP-ERROR with a cause.
    fn answered(&mut self, now: Mono, ticket: u64, cause: Option<u8>) {
        let Mode::Sending(sending) = &self.mode else { return };
        if sending.ticket != ticket {
            return;
        }
        let Mode::Sending(sending) = std::mem::replace(&mut self.mode, Mode::Command(Vec::new())) else { return };
        if let (None, Some((storage, index))) = (cause, sending.stored) {
            self.storage.set_status(storage, index, Status::StoSent);
        }
        let reference = format!("{}: {}", sending.command, sending.reference);
        match (sending.aftermath, cause) {
            (Aftermath::Silence, _) => {}
            (Aftermath::Failure(failure), _) => self.finish(now, Vec::new(), Err(failure)),
            (_, Some(cause)) => self.finish(now, Vec::new(), Err(Failure::Cms(u16::from(cause)))),
            (Aftermath::Half(HalfResult::Reference), None) => self.say_lines(&[reference]),
            (Aftermath::Half(HalfResult::Ok), None) => self.finish(now, Vec::new(), Ok(())),
            (Aftermath::Late(late), None) => {
                let result = self.settings.render(&[reference], Ok(()), None);
                self.timers.add(now + late, Event::Say(result));
            }
            (Aftermath::Normal, None) => self.finish(now, vec![reference], Ok(())),
        }
        self.turns.result_told = true;
        self.settle(now);
    }

    /// A message or report came in. False if there is no room for it.
    fn deliver(&mut self, now: Mono, tpdu: &[u8], early: bool) -> bool {
        let is_report = tpdu.first().is_some_and(|o| o & 0x03 == 0x02);
        let lines = match self.settings.route(is_report, tpdu) {
            Route::Direct => {
                let lines = self.settings.direct_urc(&self.card.smsc, tpdu, is_report);
                if self.settings.needs_acknowledgement() {
                    if self.unacknowledged.is_some() {
                        if self.to_acknowledge.len() >= MAX_HELD {
                            return false;
                        }
                        self.to_acknowledge.push_back(lines);
                        return true;
                    }
                    self.await_acknowledgement(now);
                }
                lines
            }
            Route::Store { announce } => {
                let name = if is_report { "SR" } else { self.settings.receive_storage() };
                let Some(index) = self.storage.put(name, Status::RecUnread, tpdu.to_vec()) else { return false };
                match announce {
                    true => format!("{}: \"{name}\",{index}", if is_report { "+CDSI" } else { "+CMTI" }),
                    false => return true,
                }
            }
            Route::Drop => return true,
        };
        if is_report && self.faults.cut_urc.strike(&mut self.dice).is_some() {
            let cut = lines.len() - lines.len() / 3;
            self.say(format!("\r\n{}\r\nOK\r\n", &lines[..cut]).as_bytes());
        } else if self.settings.cnmi[0] == 0 {
            // TS 27.005 §3.4.1: mode 0 buffers, and drops the oldest when the buffer is full.
            if self.buffered.len() >= MAX_HELD {
                self.buffered.pop_front();
            }
            self.buffered.push_back(lines);
        } else if early {
            self.urc_at_once(&lines);
        } else {
            self.urc(lines);
        }
        true
    }

    /// AT+CNMI was set: what mode 0 kept is said after the answer, or forgotten (bfr=1).
    pub(super) fn release_buffered(&mut self, now: Mono, forget: bool) {
        if self.settings.cnmi[0] == 0 {
            return;
        }
        for line in std::mem::take(&mut self.buffered) {
            if !forget {
                self.timers.add(now, Event::Urc(line));
            }
        }
    }

    /// The network's answer to a USSD code.
    pub(super) fn answer_ussd(&mut self, now: Mono) {
        let text = self.settings.character_set.write("Your balance is 10.00");
        self.timers.add(now + USSD_TIME, Event::Urc(format!("+CUSD: 0,\"{text}\",15")));
    }

    fn await_acknowledgement(&mut self, now: Mono) {
        self.acknowledgements += 1;
        self.unacknowledged = Some(self.acknowledgements);
        self.timers.add(now + ACKNOWLEDGE_WITHIN, Event::Unacknowledged(self.acknowledgements));
    }

    /// AT+CNMA.
    pub(super) fn acknowledge(&mut self, now: Mono) -> Result<(), Failure> {
        // TS 27.005 §3.4.4: +CMS ERROR: 340 if no acknowledgement is expected.
        self.unacknowledged.take().ok_or(Failure::Cms(340))?;
        if let Some(lines) = self.to_acknowledge.pop_front() {
            self.await_acknowledgement(now);
            // After this command's own result.
            self.timers.add(now, Event::Urc(lines));
        }
        Ok(())
    }

    /// Whether an acknowledgement is due.
    pub(super) fn is_acknowledgement_due(&self) -> bool {
        self.unacknowledged.is_some()
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
        if matches!(self.mode, Mode::Sending(_)) {
            return;
        }
        let typed = std::mem::take(&mut self.typeahead);
        while let Some(line) = self.held.pop_front() {
            self.say(&line);
        }
        self.take(now, &typed);
    }

    /// An unsolicited line: at once, or when the send that is under way is over.
    pub(super) fn urc(&mut self, line: String) {
        if self.deaf.is_some() {
            return;
        }
        if matches!(self.mode, Mode::Command(_)) {
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
            Hang::UntilReopened => Deaf::Reopening,
            Hang::UntilPowerCycle => Deaf::PowerCycle,
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

    /// Restarts: all settings at their defaults, deaf until the boot is over.
    fn reboot(&mut self, now: Mono) {
        self.settings = commands::Settings::default();
        self.card.lock(&self.options);
        self.radio = commands::Radio::default();
        self.mode = Mode::Command(Vec::new());
        self.typeahead.clear();
        self.held.clear();
        self.buffered.clear();
        self.to_acknowledge.clear();
        self.unacknowledged = None;
        self.turns.last_prompt = None;
        self.turns.last_result = None;
        self.deaf = Some(Deaf::Timer);
        self.timers.retain(|event| matches!(event, Event::Endless | Event::PortBack));
        self.timers.add(now + self.options.boot_time, Event::Booted);
    }

    /// Registers in a moment, if radio and card allow it.
    pub(super) fn look_for_network(&mut self, now: Mono) {
        self.timers.add(now + REGISTRATION_TIME, Event::Registered);
    }

    /// The host made room in a storage.
    pub(super) fn made_room(&mut self) {
        self.output.push_back(Output::Reachable);
    }

    fn lose_port(&mut self, now: Mono) {
        self.port_gone = true;
        if let Mode::Edit(_) = self.mode {
            self.mode = Mode::Command(Vec::new());
        }
        self.output.push_back(Output::PortLost);
        self.timers.add(now + PORT_BACK_AFTER, Event::PortBack);
    }
}

/// Appends the check digit of ISO/IEC 7812 (Luhn), as IMEI and ICCID have it.
fn with_check_digit(mut digits: String) -> String {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(i, b)| match (u32::from(b - b'0'), i % 2) {
            (d, 0) if d > 4 => d * 2 - 9,
            (d, 0) => d * 2,
            (d, _) => d,
        })
        .sum();
    digits.push(char::from(b'0' + ((10 - sum % 10) % 10) as u8));
    digits
}

const SUBMIT: u8 = 0x1A;
const ESC: u8 = 0x1B;
const BACKSPACE: u8 = 0x08;
/// CR LF, greater-than, space (TS 27.005 §3.5.1, §4.3).
const PROMPT: &[u8] = b"\r\n> ";
/// Octets of a command line.
const MAX_LINE: usize = 1024;
/// Octets of a typed message: a PDU has at most 2 × (12 + 164) digits, a text in UCS-2 640.
const MAX_TYPED: usize = 1024;
/// Unsolicited lines that are held back.
const MAX_HELD: usize = 100;
/// TS 27.005 §3.4.4 leaves it to the network's own timer (TR1N and TC1N of TS 24.011 come to 15 s).
const ACKNOWLEDGE_WITHIN: Duration = Duration::from_secs(15);
const USSD_TIME: Duration = Duration::from_secs(1);
const REGISTRATION_TIME: Duration = Duration::from_secs(1);
const PORT_BACK_AFTER: Duration = Duration::from_secs(2);
/// Endless lines come no faster than this.
const MIN_INTERVAL: Duration = Duration::from_millis(1);
/// What somebody had typed before (row S9): "left over" to +15550009999.
const LEFT_OVER: &[u8] = &[
    0x01, 0x00, 0x0B, 0x91, 0x51, 0x55, 0x00, 0x90, 0x99, 0xF9, 0x00, 0x00, 0x09, 0xEC, 0xB2, 0x99, 0x0E, 0x7A, 0xDB,
    0xCB, 0x72,
];
