//! What commands set, and the card and radio that they act on.

use super::{Failure, ModemOptions};
use crate::simulator::faults::{AnswerShape, CardLoss};
use std::collections::BTreeMap;

/// What a power cycle puts back to its default.
pub(super) struct Settings {
    pub(super) echo: bool,
    pub(super) verbose: bool,
    pub(super) quiet: bool,
    /// Commands with one small number: `+CMGF`, `+CREG` …
    numbers: BTreeMap<&'static str, u8>,
    /// `+CNMI`: mode, mt, bm, ds, bfr.
    pub(super) cnmi: [u8; 5],
    /// `+CPMS`: mem1, mem2, mem3.
    pub(super) memories: [&'static str; 3],
    pub(super) character_set: CharacterSet,
    /// `+CSMP`: fo, vp, pid, dcs.
    pub(super) text_parameters: [u8; 4],
    pub(super) manual_operator: bool,
}

/// `+CSCS` (TS 27.007 §5.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CharacterSet {
    Gsm,
    Ira,
    Ucs2,
}

impl CharacterSet {
    pub(super) const ALL: [(&'static str, Self); 3] = [("GSM", Self::Gsm), ("IRA", Self::Ira), ("UCS2", Self::Ucs2)];
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            echo: true,
            verbose: true,
            quiet: false,
            numbers: BTreeMap::new(),
            cnmi: [0; 5],
            memories: ["SM"; 3],
            character_set: CharacterSet::Gsm,
            // TS 27.005 §3.1: SMS-SUBMIT with a relative validity of 24 hours.
            text_parameters: [17, 167, 0, 0],
            manual_operator: false,
        }
    }
}

impl Settings {
    /// The number that a command of [`NUMBERS`] has.
    pub(super) fn number(&self, name: &str) -> u8 {
        self.numbers.get(name).copied().unwrap_or(0)
    }

    /// Sets such a number.
    pub(super) fn set_number(&mut self, name: &'static str, value: u8) {
        self.numbers.insert(name, value);
    }

    /// Information lines and final result, as V.250 §5.7 and the settings shape them.
    pub(super) fn render(&self, lines: &[String], result: Result<(), Failure>, shape: Option<AnswerShape>) -> Vec<u8> {
        let numeric = !self.verbose || shape == Some(AnswerShape::Numeric);
        let blank = if shape == Some(AnswerShape::BlankLines) { "\r\n\r\n" } else { "" };
        let mut answer = String::new();
        if !lines.is_empty() {
            let body = lines.join("\r\n");
            answer = format!("{blank}\r\n{body}\r\n");
        }
        let quiet = self.quiet || result == Err(Failure::Unsaid);
        let verbose_errors = self.number("+CMEE");
        let said = match result {
            Ok(()) => if numeric { "0" } else { "OK" }.into(),
            Err(Failure::Unsaid) => String::new(),
            Err(Failure::Cms(n)) => format!("+CMS ERROR: {n}"),
            Err(Failure::Cme(n)) if verbose_errors == 2 => format!("+CME ERROR: {}", cme_words(n)),
            Err(Failure::Cme(n)) if verbose_errors == 1 => format!("+CME ERROR: {n}"),
            Err(Failure::Error | Failure::Cme(_)) => if numeric { "4" } else { "ERROR" }.into(),
        };
        if !(quiet || (shape == Some(AnswerShape::NoOk) && result.is_ok() && !lines.is_empty())) {
            match numeric && said.len() == 1 {
                true => answer += &format!("{said}\r"),
                false => answer += &format!("{blank}\r\n{said}\r\n"),
            }
        }
        if shape == Some(AnswerShape::NoFirstLineEnd) {
            answer = answer.trim_start_matches("\r\n").into();
        }
        answer.into_bytes()
    }

    /// The lines that tell of registration, as far as they were asked for.
    pub(super) fn registration_urcs(&self, states: [u8; 3]) -> Vec<String> {
        let report = |(name, status): (&&str, u8)| match self.number(name) {
            0 => None,
            1 => Some(format!("{name}: {status}")),
            _ => Some(format!("{name}: {status},{CELL}")),
        };
        REGISTRATIONS.iter().zip(states).filter_map(report).collect()
    }
}

/// The card.
pub(super) struct Card {
    /// The SMSC's number, which stays on the card.
    pub(super) smsc: String,
    state: CardState,
    pub(super) tries: u8,
    /// It has lost contact, until this.
    pub(super) lost: Option<CardLoss>,
    pub(super) busy: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum CardState {
    Open,
    Pin,
    Puk,
}

impl Card {
    pub(super) fn new(options: &ModemOptions) -> Self {
        let state = if options.pin.is_some() { CardState::Pin } else { CardState::Open };
        Self { smsc: options.smsc.clone(), state, tries: 3, lost: None, busy: false }
    }

    /// As after power-up. A blocked card stays blocked.
    pub(super) fn lock(&mut self, options: &ModemOptions) {
        (self.lost, self.busy) = (None, false);
        if self.state != CardState::Puk && options.pin.is_some() {
            self.state = CardState::Pin;
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.state == CardState::Open && self.lost.is_none()
    }

    /// What `AT+CPIN?` says.
    pub(super) fn word(&self) -> Result<&'static str, Failure> {
        self.contact(false)?;
        Ok(self.state_word())
    }

    pub(super) fn state_word(&self) -> &'static str {
        match self.state {
            CardState::Open => "READY",
            CardState::Pin => "SIM PIN",
            CardState::Puk => "SIM PUK",
        }
    }

    /// `AT+CPIN=`: opens the card, or uses up a try.
    pub(super) fn enter(&mut self, options: &ModemOptions, pin: &str) -> Result<(), Failure> {
        self.contact(false)?;
        match self.state {
            // TS 27.007 §8.3: not allowed when no PIN is asked for.
            CardState::Open => return Err(Failure::Cme(3)),
            CardState::Puk => return Err(Failure::Cme(12)),
            CardState::Pin if options.pin.as_deref() == Some(pin) => {
                (self.state, self.tries) = (CardState::Open, 3);
                return Ok(());
            }
            CardState::Pin => {}
        }
        self.tries = self.tries.saturating_sub(1);
        if self.tries == 0 {
            self.state = CardState::Puk;
        }
        Err(Failure::Cme(16))
    }

    /// The error that a command gets while the card can't be spoken to.
    pub(super) fn contact(&self, sms: bool) -> Result<(), Failure> {
        match (self.lost, self.busy, sms) {
            (Some(_), _, false) => Err(Failure::Cme(10)),
            (Some(_), _, true) => Err(Failure::Cms(310)),
            (None, true, false) => Err(Failure::Cme(14)),
            (None, true, true) => Err(Failure::Cms(314)),
            (None, false, _) => Ok(()),
        }
    }

    /// The error that a command which needs the card gets.
    pub(super) fn refusal(&self, sms: bool) -> Result<(), Failure> {
        self.contact(sms)?;
        match (self.state, sms) {
            (CardState::Open, _) => Ok(()),
            (CardState::Pin, false) => Err(Failure::Cme(11)),
            (CardState::Pin, true) => Err(Failure::Cms(311)),
            (CardState::Puk, false) => Err(Failure::Cme(12)),
            (CardState::Puk, true) => Err(Failure::Cms(316)),
        }
    }
}

/// The radio.
pub(super) struct Radio {
    /// `+CFUN`: 0, 1 or 4.
    pub(super) functionality: u8,
    pub(super) registered: bool,
}

impl Default for Radio {
    fn default() -> Self {
        Self { functionality: 1, registered: false }
    }
}

impl Radio {
    pub(super) fn is_on(&self) -> bool {
        self.functionality == 1
    }
}

/// TS 27.007 §9.2.1.
fn cme_words(number: u16) -> String {
    let words = match number {
        3 => "operation not allowed",
        4 => "operation not supported",
        10 => "SIM not inserted",
        11 => "SIM PIN required",
        12 => "SIM PUK required",
        14 => "SIM busy",
        16 => "incorrect password",
        30 => "no network service",
        50 => "Incorrect parameters",
        100 => "unknown",
        _ => return number.to_string(),
    };
    words.into()
}

/// Location area, cell and access technology (LTE), as `+CREG: 2` shows them.
pub(super) const CELL: &str = "\"0001\",\"00000001\",7";
pub(super) const REGISTRATIONS: [&str; 3] = ["+CREG", "+CGREG", "+CEREG"];
