//! A modem that takes its time: it works for a while on each command line, ESC and message before it answers, and what is
//! typed meanwhile waits, or is lost.

use super::sending::Edit;
use super::typing::MAX_TYPED;
use super::{Event, Mode, VirtualModem};
use crate::domain::time::Mono;

/// What it works on.
pub(super) enum Work {
    /// A command line, without its CR.
    Line(Vec<u8>),
    /// ESC at the prompt.
    Escape,
    /// A message, up to its 0x1A.
    Message(Edit),
}

impl VirtualModem {
    /// Does this, at once or after a while.
    pub(super) fn work_on(&mut self, now: Mono, work: Work) {
        let answers = !matches!(&work, Work::Line(line) if !is_command(line));
        let delay = if answers { self.faults.answer_delay.strike(&mut self.dice) } else { None };
        match delay.map(|delay| delay.draw(&mut self.dice)) {
            Some(delay) if !delay.is_zero() => {
                self.mode = Mode::Busy(work);
                self.timers.add(now + delay, Event::Worked);
            }
            _ => self.finish_work(now, work),
        }
    }

    /// The while is over.
    pub(super) fn has_worked(&mut self, now: Mono) {
        match std::mem::replace(&mut self.mode, Mode::Command(Vec::new())) {
            Mode::Busy(work) => {
                self.finish_work(now, work);
                self.settle(now);
            }
            mode => self.mode = mode,
        }
    }

    fn finish_work(&mut self, now: Mono, work: Work) {
        match work {
            Work::Line(line) => self.command_line(now, &line),
            Work::Escape => self.finish(now, Vec::new(), Ok(())),
            Work::Message(edit) => self.typed(now, edit),
        }
    }

    /// What is typed while it works.
    pub(super) fn typed_meanwhile(&mut self, byte: u8) {
        if matches!(self.mode, Mode::Busy(Work::Message(_)) | Mode::Sending(_)) {
            self.counts.bytes_while_sending += 1;
        }
        let lost = matches!(self.mode, Mode::Busy(_)) && self.faults.deaf_while_busy.is_set();
        if !lost && self.typeahead.len() < MAX_TYPED {
            self.typeahead.push(byte);
        }
    }
}

/// Whether a line holds a command at all: V.250 §5.2.1.
fn is_command(line: &[u8]) -> bool {
    line.windows(2).any(|w| w.eq_ignore_ascii_case(b"AT"))
}
