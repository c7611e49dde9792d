//! What the host types, octet by octet: command lines, and messages after the prompt.

use super::line::{self, Command};
use super::sending::Edit;
use super::slowness::Work;
use super::{Deaf, Failure, Flow, Mode, PROMPT, Turns, VirtualModem};
use crate::domain::time::Mono;
use crate::simulator::faults::Cure;

impl VirtualModem {
    pub(super) fn take(&mut self, now: Mono, bytes: &[u8]) {
        if std::mem::take(&mut self.fresh) && self.faults.start_in_edit.strike(&mut self.dice).is_some() {
            self.mode = Mode::Edit(Edit::left_over());
        }
        for &byte in bytes {
            if self.port_gone {
                return;
            }
            if self.deaf.is_some() {
                self.take_unanswered(now, byte);
                continue;
            }
            if byte == ESC {
                self.counts.escapes += 1;
            }
            match &mut self.mode {
                Mode::Sending(_) | Mode::Busy(_) => self.typed_meanwhile(byte),
                Mode::Command(_) => self.take_command_byte(now, byte),
                Mode::Edit(_) => self.take_edit_byte(now, byte),
            }
        }
    }

    /// What may bring a modem back that answers nothing.
    fn take_unanswered(&mut self, now: Mono, byte: u8) {
        if !matches!(self.deaf, Some(Deaf::Cure(_))) {
            return;
        }
        match byte {
            ESC => {
                self.unanswered.clear();
                if self.is_done(Cure::Escape) {
                    self.mode = Mode::Command(Vec::new());
                }
            }
            b'\r' => {
                let line = std::mem::take(&mut self.unanswered);
                let text = String::from_utf8_lossy(&line).to_ascii_uppercase();
                let done = match text.as_str() {
                    "AT+CFUN=4" | "AT+CFUN=0" => self.is_done(Cure::Radio),
                    "AT+CFUN=1,1" if !self.faults.reset_ineffective.is_set() => self.is_done(Cure::Restart),
                    "AT+CFUN=1,1" => self.faults.reset_ineffective.strike(&mut self.dice).is_none(),
                    _ => false,
                };
                if done {
                    self.mode = Mode::Command(Vec::new());
                    self.command_line(now, &line);
                }
            }
            _ if self.unanswered.len() < MAX_LINE => self.unanswered.push(byte),
            _ => {}
        }
    }

    fn take_command_byte(&mut self, now: Mono, byte: u8) {
        let Mode::Command(line) = &mut self.mode else { return };
        if self.settings.echo && byte != ESC {
            self.bytes.push(byte);
            if self.echo_split && line.len() == 3 {
                self.echo_split = false;
                self.bytes.extend(b"\r\n^RSSI:14\r\n");
            }
        }
        match byte {
            b'\r' => {
                let line = std::mem::take(line);
                self.work_on(now, Work::Line(line));
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
                self.work_on(now, Work::Message(edit));
                self.settle(now);
                return;
            }
            ESC => {
                self.mode = Mode::Command(Vec::new());
                self.turns.last_prompt = None;
                self.work_on(now, Work::Escape);
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
    pub(super) fn command_line(&mut self, now: Mono, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        // V.250 §5.2.1: what precedes "AT" is no part of the command; a line without it is none.
        let Some(start) = text.as_bytes().windows(2).position(|w| w.eq_ignore_ascii_case(b"AT")) else { return };
        if line.len() > MAX_LINE {
            return self.finish(now, Vec::new(), Err(Failure::Error));
        }
        let list = line::split(&text[start + 2..]);
        for command in &list {
            self.count(command);
        }
        if let Some(hang) = self.faults.hang.strike(&mut self.dice) {
            return self.hang(now, hang);
        }
        if list.iter().any(|command| self.is_mute(command)) {
            return;
        }
        self.lose_card();
        if self.faults.reboot.strike(&mut self.dice).is_some() {
            return self.reboot(now, Cure::Restart);
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
                    if self.faults.reset_ineffective.strike(&mut self.dice).is_none() {
                        self.reboot(now, Cure::Restart);
                    }
                    return;
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
}

const SUBMIT: u8 = 0x1A;
const ESC: u8 = 0x1B;
const BACKSPACE: u8 = 0x08;
/// Octets of a command line.
const MAX_LINE: usize = 1024;
/// Octets of a typed message: a PDU has at most 2 × (12 + 164) digits, a text in UCS-2 640.
pub(super) const MAX_TYPED: usize = 1024;
