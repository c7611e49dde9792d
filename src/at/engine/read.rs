//! Reading one line: whose it is.
//!
//! The order matters. The second half of a two-line message first, for it may look like anything; then our own echo;
//! then results and news, which come at any moment; and what is left answers only with the right prefix or shape.

use super::super::command::Bare;
use super::super::response::{self, Follows};
use super::super::urc::{self, News, Urc};
use super::*;
use crate::domain::secret::Secret;

/// The line that a header announced.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SecondLine {
    None,
    /// A PDU of so many octets, for as many more lines as `patience`: news may come between.
    Pdu {
        octets: usize,
        of: PduOf,
        patience: u8,
    },
    /// A text, which must not be taken for anything. `answer`: of the running command, else of a text-mode message.
    Text {
        answer: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PduOf {
    Message,
    Report,
    Answer,
}

/// What a line means to what is in flight.
pub(super) enum Meaning {
    Final(FinalResult),
    Answer(Line),
    /// `+CMGS:` with its TP-MR.
    Reference(u8),
    /// The modem has restarted: whatever was asked of it is forgotten. It has been told as an event.
    Booted,
}

impl Engine {
    /// What still comes of the last command answers nothing.
    pub(super) fn forget_answer(&mut self) {
        self.echo.clear();
        let of_answer =
            matches!(self.second_line, SecondLine::Pdu { of: PduOf::Answer, .. } | SecondLine::Text { answer: true });
        if of_answer {
            self.second_line = SecondLine::None;
        }
    }

    /// What the line means to what is in flight. `None` if nothing: then it has been told as an event, or dropped.
    pub(super) fn read(&mut self, now: Mono, line: Line) -> Option<Meaning> {
        let line = match self.read_second_line(line) {
            Ok(found) => return found,
            Err(line) => line,
        };
        if self.is_echo(&line) {
            return None;
        }
        if is_command(line.as_str()) {
            // Before the start is over, it may be the echo of what a former life said.
            let starting = matches!(&self.state, State::Sync(sync) if sync.is_starting());
            self.emit(if starting { Event::Trace(line) } else { Event::ForeignEcho(line) });
            return None;
        }
        if let Some(result) = self.read_final(&line) {
            return Some(Meaning::Final(result));
        }
        let answers = line.prefix().is_some_and(|prefix| self.asked().is_some_and(|asked| asked.answers_with(prefix)));
        match urc::recognise(&line, answers) {
            Some(News::Whole(Urc::Booted)) if line.prefix() == Some("+CFUN:") && self.functionality.take(now) => {
                self.emit(Event::Trace(line));
                return None;
            }
            Some(News::Whole(urc)) => {
                // A late answer to `AT+CFUN?` looks like the news of a restart.
                let definite = self.owed.is_empty() || line.prefix() != Some("+CFUN:");
                let booted = urc == Urc::Booted && definite;
                if booted {
                    self.owed.clear();
                    self.functionality.settle();
                }
                self.emit(Event::Urc(urc));
                return booted.then_some(Meaning::Booted);
            }
            Some(News::PduFollows { report, octets }) => {
                let of = if report { PduOf::Report } else { PduOf::Message };
                self.second_line = SecondLine::Pdu { octets, of, patience: PATIENCE };
                return None;
            }
            Some(News::TextFollows) => {
                self.second_line = SecondLine::Text { answer: false };
                return None;
            }
            None => {}
        }
        if let Some(reference) = response::message_reference(line.as_str()) {
            return Some(Meaning::Reference(reference));
        }
        if answers {
            self.expect_second_line(&line);
            return Some(Meaning::Answer(line));
        }
        if self.asked().is_some_and(|asked| has_shape(asked.bare_shape(), &line)) {
            return Some(Meaning::Answer(line));
        }
        self.take_in_place_of_pdu(line)
    }

    /// A line that says nothing. Where a PDU is awaited it may be that, garbled.
    fn take_in_place_of_pdu(&mut self, line: Line) -> Option<Meaning> {
        let of = match self.second_line {
            // What has a prefix is news that nobody knows.
            SecondLine::Pdu { of, .. } if line.prefix().is_none() => Some(of),
            _ => None,
        };
        match of {
            Some(PduOf::Answer) => Some(Meaning::Answer(line)),
            Some(of) if is_mostly_hex(line.as_str()) => {
                self.second_line = SecondLine::None;
                let raw = Secret::new(line.as_str());
                self.emit(Event::Urc(Urc::Garbled { report: of == PduOf::Report, raw }));
                None
            }
            _ => {
                self.emit(Event::Trace(line));
                None
            }
        }
    }

    /// The command whose answer is awaited.
    fn asked(&self) -> Option<&Command> {
        match &self.state {
            State::Command(running) => Some(&running.command),
            State::Sync(sync) => sync.query(),
            _ => None,
        }
    }

    fn read_final(&self, line: &Line) -> Option<FinalResult> {
        match FinalResult::parse(line.as_str()) {
            // News of a call, unless a call command runs.
            Some(FinalResult::Call) => self.asked().is_some_and(Command::is_call).then_some(FinalResult::Call),
            None if self.takes_numbers() => FinalResult::parse_numeric(line.as_str()),
            result => result,
        }
    }

    /// Whether a bare `0` or `4` can only be a result, from a modem left in `ATV0`. Never so for a message.
    fn takes_numbers(&self) -> bool {
        match &self.state {
            State::Sync(sync) if sync.is_probing() => true,
            _ => self.asked().is_some_and(|asked| asked.bare_shape() == Bare::None),
        }
    }

    /// Our own words coming back: whole, in pieces with news between them, or twice.
    fn is_echo(&mut self, line: &Line) -> bool {
        let text = line.as_str();
        if let Some(rest) = self.echo.strip_prefix(text) {
            self.echo = rest.trim_start().to_owned();
            return true;
        }
        self.said.iter().any(|said| said == text)
    }

    /// If a header announced a second line: `Ok` if this is it, with what it means to the running command.
    fn read_second_line(&mut self, line: Line) -> Result<Option<Meaning>, Line> {
        match std::mem::replace(&mut self.second_line, SecondLine::None) {
            SecondLine::None => Err(line),
            SecondLine::Text { answer: true } => Ok(Some(Meaning::Answer(line))),
            SecondLine::Text { answer: false } => {
                self.emit(Event::Urc(Urc::TextMode));
                Ok(None)
            }
            SecondLine::Pdu { octets, of, patience } => match (PduHex::new(line.as_str(), octets), of) {
                (Some(_), PduOf::Answer) => Ok(Some(Meaning::Answer(line))),
                (Some(pdu), PduOf::Message) => {
                    self.emit(Event::Urc(Urc::Message(pdu)));
                    Ok(None)
                }
                (Some(pdu), PduOf::Report) => {
                    self.emit(Event::Urc(Urc::Report(pdu)));
                    Ok(None)
                }
                // It does not have the length that was announced.
                (None, PduOf::Answer) if looks_like_pdu(line.as_str()) => Ok(Some(Meaning::Answer(line))),
                (None, _) if looks_like_pdu(line.as_str()) => {
                    let raw = Secret::new(line.as_str());
                    self.emit(Event::Urc(Urc::Garbled { report: of == PduOf::Report, raw }));
                    Ok(None)
                }
                (None, _) => {
                    // Cut by a result or by other news: the PDU may still come behind them.
                    if patience > 1 {
                        self.second_line = SecondLine::Pdu { octets, of, patience: patience - 1 };
                    }
                    Err(line)
                }
            },
        }
    }

    fn expect_second_line(&mut self, header: &Line) {
        if self.asked().is_none_or(|asked| asked.bare_shape() != Bare::Pdu) {
            return;
        }
        self.second_line = match response::follows(header.as_str()) {
            Some(Follows::Pdu(octets)) => SecondLine::Pdu { octets, of: PduOf::Answer, patience: PATIENCE },
            Some(Follows::Text) => SecondLine::Text { answer: true },
            _ => SecondLine::None,
        };
    }
}

fn has_shape(shape: Bare, line: &Line) -> bool {
    let text = line.as_str().trim_matches('"');
    let all = |test: fn(&u8) -> bool| text.as_bytes().iter().all(test);
    match shape {
        Bare::None | Bare::Pdu => false,
        Bare::Digits(from, to) => (from..=to).contains(&text.len()) && all(u8::is_ascii_digit),
        Bare::Iccid => (18..=22).contains(&text.len()) && all(u8::is_ascii_hexdigit),
        Bare::Free => !text.starts_with(['+', '^', '*', '#', '%', '$']) && !looks_like_pdu(text),
    }
}

/// Long, and nothing but hex: a PDU that nobody announced, or announced otherwise.
fn looks_like_pdu(text: &str) -> bool {
    text.len() >= 24 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// So many of it are hexadecimal digits that it can be a PDU some of whose characters were garbled on their way.
fn is_mostly_hex(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_hexdigit).count();
    text.len() >= 16 && digits * 4 >= text.len() * 3
}

/// Whether a line reads like a command, and not like a maker's name that begins with the same two letters.
fn is_command(text: &str) -> bool {
    let Some(rest) = text.get(..2).filter(|at| at.eq_ignore_ascii_case("AT")).map(|_| &text.as_bytes()[2..]) else {
        return false;
    };
    match rest {
        [] | [b'+' | b'^' | b'*' | b'#' | b'%' | b'$', ..] => true,
        [b'&', letter, tail @ ..] => letter.is_ascii_alphabetic() && tail.iter().all(u8::is_ascii_digit),
        [b'D' | b'd', first, ..] => first.is_ascii_digit() || b"+*#".contains(first),
        [letter, tail @ ..] => b"EHIQVXZ".contains(&letter.to_ascii_uppercase()) && tail.iter().all(u8::is_ascii_digit),
    }
}

/// Lines that may come between a header and its PDU.
const PATIENCE: u8 = 4;
