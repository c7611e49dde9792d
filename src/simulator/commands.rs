//! The commands of V.250 and TS 27.007, and the settings and card that all commands share. Those of TS 27.005 are in
//! `sms_commands`.

use super::faults::{AnswerShape, UnknownAnswer};
use super::modem::{Failure, Flow, ModemOptions, VirtualModem};
use crate::domain::time::Mono;
use std::collections::BTreeMap;

/// One command of a line, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Command {
    /// `+CMGS`, `&C`, `E`, `S3`: upper case.
    pub(super) name: String,
    pub(super) form: Form,
}

/// How a command is used (V.250 §5.4.3, §5.4.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `+NAME`, or a basic command without a number.
    Run,
    /// `+NAME?`
    Read,
    /// `+NAME=?`
    Test,
    /// `+NAME=…`, or the number of a basic command.
    Set(String),
}

impl Command {
    /// The values of `+NAME=1,,"x"`, without quotes.
    pub(super) fn values(&self) -> Vec<&str> {
        match &self.form {
            Form::Set(text) => fields(text),
            _ => Vec::new(),
        }
    }
}

/// Splits a command line after its `AT`.
pub(super) fn split(line: &str) -> Vec<Command> {
    let mut rest = line.trim_start_matches([' ', ';']);
    let mut list = Vec::new();
    while let Some(first) = rest.chars().next() {
        let (name, form, next) = if first.is_ascii_alphanumeric() || first == '&' {
            split_basic(rest)
        } else {
            let end = unquoted(rest, ';').unwrap_or(rest.len());
            let (name, form) = split_extended(&rest[..end]);
            (name, form, &rest[end..])
        };
        list.push(Command { name: name.to_ascii_uppercase(), form });
        rest = next.trim_start_matches([' ', ';']);
    }
    list
}

/// `+NAME`, then nothing, `?`, `=?` or `=…`.
fn split_extended(text: &str) -> (&str, Form) {
    let at = text.find(['=', '?']).unwrap_or(text.len());
    let form = match &text[at..] {
        "" => Form::Run,
        "=?" => Form::Test,
        tail => match tail.strip_prefix('=') {
            Some(values) => Form::Set(values.into()),
            None => Form::Read,
        },
    };
    (text[..at].trim(), form)
}

/// A letter (with `&` or, for `S`, a number before the value), then a number. Dialling takes the rest of the line.
fn split_basic(text: &str) -> (&str, Form, &str) {
    let digits = |from: usize| text[from..].find(|c: char| !c.is_ascii_digit()).map_or(text.len(), |n| from + n);
    let letter = if text.starts_with('&') { 1 } else { 0 };
    // A lone `&` before another script's letter is a command of its own, and an unknown one.
    let name = letter + text[letter..].chars().next().filter(char::is_ascii).map_or(0, |_| 1);
    if text[..name].eq_ignore_ascii_case("D") {
        return (&text[..1], Form::Set(text[1..].into()), "");
    }
    if text[..name].eq_ignore_ascii_case("S") {
        let end = digits(name);
        let (tail, form) = match text[end..].strip_prefix('=') {
            Some(value) if value.starts_with('?') => (end + 2, Form::Test),
            Some(_) => (digits(end + 1), Form::Set(text[end + 1..digits(end + 1)].into())),
            None if text[end..].starts_with('?') => (end + 1, Form::Read),
            None => (end, Form::Run),
        };
        return (&text[..end], form, &text[tail..]);
    }
    let end = digits(name);
    let form = if end == name { Form::Run } else { Form::Set(text[name..end].into()) };
    (&text[..name], form, &text[end..])
}

/// Where `wanted` first stands outside quotes.
fn unquoted(text: &str, wanted: char) -> Option<usize> {
    let mut quoted = false;
    text.char_indices()
        .find(|(_, c)| {
            quoted ^= *c == '"';
            !quoted && *c == wanted
        })
        .map(|(i, _)| i)
}

/// Fields between commas, trimmed, without their quotes.
fn fields(text: &str) -> Vec<&str> {
    let mut list = Vec::new();
    let mut rest = text;
    loop {
        let end = unquoted(rest, ',').unwrap_or(rest.len());
        list.push(rest[..end].trim().trim_matches('"'));
        match rest.get(end + 1..) {
            Some(next) => rest = next,
            None => return list,
        }
    }
}

/// What a power cycle puts back to its default.
pub(super) struct Settings {
    pub(super) echo: bool,
    verbose: bool,
    quiet: bool,
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
    pub(super) fn registration_urcs(&self, registered: bool) -> Vec<String> {
        let report = |name: &&str| match self.number(name) {
            0 => None,
            1 => Some(format!("{name}: {}", u8::from(registered))),
            _ => Some(format!("{name}: {},{CELL}", u8::from(registered))),
        };
        REGISTRATIONS.iter().filter_map(report).collect()
    }
}

/// The card.
pub(super) struct Card {
    /// The SMSC's number, which stays on the card.
    pub(super) smsc: String,
    state: CardState,
    tries: u8,
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
        Self { smsc: options.smsc.clone(), state, tries: 3 }
    }

    /// As after power-up. A blocked card stays blocked.
    pub(super) fn lock(&mut self, options: &ModemOptions) {
        if self.state != CardState::Puk && options.pin.is_some() {
            self.state = CardState::Pin;
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.state == CardState::Open
    }

    fn word(&self) -> &'static str {
        match self.state {
            CardState::Open => "READY",
            CardState::Pin => "SIM PIN",
            CardState::Puk => "SIM PUK",
        }
    }

    /// The error that a command which needs the card gets.
    pub(super) fn refusal(&self, sms: bool) -> Result<(), Failure> {
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
    functionality: u8,
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

impl VirtualModem {
    /// Runs one command. Its information lines are added to `lines`.
    pub(super) fn run(&mut self, now: Mono, command: &Command, lines: &mut Vec<String>) -> Result<Flow, Failure> {
        self.refused_by_fault(command)?;
        let done = |()| Flow::Done;
        if let Some(result) = self.run_sms(now, command, lines) {
            return result;
        }
        if let Some(&(name, range, allowed)) = NUMBERS.iter().find(|(name, ..)| *name == command.name) {
            return self.run_number(name, range, allowed, command, lines).map(done);
        }
        if !command.name.starts_with(['+', '^', '*', '#', '$', '%', '\\', '!']) {
            return self.run_basic(command, lines).map(done);
        }
        self.run_general(now, command, lines)
    }

    fn refused_by_fault(&mut self, command: &Command) -> Result<(), Failure> {
        if !self.faults.refuse_command.is_set() {
            return Ok(());
        }
        let tail = match &command.form {
            Form::Run => String::new(),
            Form::Read => "?".into(),
            Form::Test => "=?".into(),
            Form::Set(values) => format!("={values}"),
        };
        let text = format!("{}{tail}", command.name).to_ascii_uppercase();
        let fits = |list: &super::faults::Prefixes| list.0.iter().any(|prefix| text.starts_with(prefix.as_str()));
        match self.faults.refuse_command.strike_if(&mut self.dice, fits) {
            Some(_) => Err(Failure::Error),
            None => Ok(()),
        }
    }

    /// The answer to a command that does not exist.
    fn unknown(&mut self, lines: &mut Vec<String>) -> Result<Flow, Failure> {
        match self.faults.unknown_command.strike(&mut self.dice) {
            None => Err(Failure::Error),
            Some(UnknownAnswer::Cme100) => Err(Failure::Cme(100)),
            // Stands for a final result; no other follows.
            Some(UnknownAnswer::NotSupported) => {
                lines.push("COMMAND NOT SUPPORT".into());
                Err(Failure::Unsaid)
            }
            Some(UnknownAnswer::TooMany) => {
                lines.push("TOO MANY PARAMETERS".into());
                Err(Failure::Unsaid)
            }
        }
    }

    fn run_number(
        &mut self,
        name: &'static str,
        range: &str,
        allowed: &[u8],
        command: &Command,
        lines: &mut Vec<String>,
    ) -> Result<(), Failure> {
        match &command.form {
            Form::Test => lines.push(format!("{name}: ({range})")),
            Form::Read => lines.push(match name {
                // TS 27.007 §7.11: whether the network shows the number comes second.
                "+CLIP" => format!("{name}: {},1", self.settings.number(name)),
                _ if REGISTRATIONS.contains(&name) => {
                    let (n, stat) = (self.settings.number(name), u8::from(self.radio.registered));
                    match (n, stat) {
                        (2, 1) => format!("{name}: 2,1,{CELL}"),
                        _ => format!("{name}: {n},{stat}"),
                    }
                }
                _ => format!("{name}: {}", self.settings.number(name)),
            }),
            Form::Set(_) | Form::Run => {
                let value = match command.values().first() {
                    None | Some(&"") => 0,
                    Some(text) => text.parse().map_err(|_| Failure::Cme(50))?,
                };
                if !allowed.contains(&value) {
                    return Err(Failure::Cme(50));
                }
                self.settings.set_number(name, value);
            }
        }
        Ok(())
    }

    /// V.250 commands of one letter.
    fn run_basic(&mut self, command: &Command, lines: &mut Vec<String>) -> Result<(), Failure> {
        let value = match &command.form {
            Form::Run => 0,
            Form::Set(text) if command.name != "D" => text.parse::<u32>().map_err(|_| Failure::Error)?,
            _ => 0,
        };
        match (command.name.as_str(), value) {
            ("E", 0 | 1) => self.settings.echo = value == 1,
            ("V", 0 | 1) => self.settings.verbose = value == 1,
            ("Q", 0 | 1) => self.settings.quiet = value == 1,
            ("Z" | "&F", _) => self.settings = Settings::default(),
            ("I", 0..=9) => lines.extend([MANUFACTURER.into(), MODEL.into(), format!("Revision: {REVISION}")]),
            ("H", 0) | ("X", 0..=4) | ("&C" | "&D" | "&K" | "&S", 0..=3) | ("&W" | "L" | "M", _) => {}
            // No calls here: nobody answers, nobody is called.
            ("D" | "A", _) => return Err(Failure::Error),
            (name, _) if name.starts_with('S') && name.len() > 1 => {
                if command.form == Form::Read {
                    lines.push("000".into());
                }
            }
            _ => return Err(Failure::Error),
        }
        Ok(())
    }

    fn run_general(&mut self, now: Mono, command: &Command, lines: &mut Vec<String>) -> Result<Flow, Failure> {
        let values = command.values();
        let first = values.first().copied();
        let mut say = |text: String| lines.push(text);
        match (command.name.as_str(), &command.form) {
            ("+CGMI" | "+CGMM" | "+CGMR" | "+CGSN" | "+CIMI" | "+GMI" | "+GMM" | "+GMR" | "+GSN", Form::Test) => {}
            ("+CGMI" | "+GMI", Form::Run) => say(MANUFACTURER.into()),
            ("+CGMM" | "+GMM", Form::Run) => say(MODEL.into()),
            ("+CGMR" | "+GMR", Form::Run) => say(REVISION.into()),
            ("+CGSN" | "+GSN", Form::Run) => say(self.identity.imei.clone()),
            ("+CGSN", Form::Set(_)) => say(format!("+CGSN: \"{}\"", self.identity.imei)),
            ("+CIMI", Form::Run) => {
                self.card.refusal(false)?;
                say(self.identity.imsi.clone());
            }
            (name @ ("+CCID" | "+ICCID" | "+QCCID" | "^ICCID" | "+CICCID"), Form::Run | Form::Read) => {
                say(format!("{name}: {}", self.identity.iccid));
            }
            ("+CNUM", Form::Run) => {
                self.card.refusal(false)?;
                say(format!("+CNUM: ,\"{}\",145", self.identity.number));
            }
            ("+CPIN", Form::Test) | ("+CFUN", Form::Run) => {}
            ("+CPIN", Form::Read) => say(format!("+CPIN: {}", self.card.word())),
            ("+CPIN", Form::Set(_)) => self.enter_pin(now, first.unwrap_or_default())?,
            ("+CPINR", Form::Run | Form::Set(_)) => say(format!("+CPINR: SIM PIN,{},3", self.card.tries)),
            ("+CFUN", Form::Test) => say("+CFUN: (0,1,4),(0,1)".into()),
            ("+CFUN", Form::Read) => say(format!("+CFUN: {}", self.radio.functionality)),
            ("+CFUN", Form::Set(_)) => {
                let level = first.unwrap_or_default().parse().ok().filter(|n| matches!(n, 0 | 1 | 4));
                let level = level.ok_or(Failure::Cme(50))?;
                match values.get(1).copied() {
                    Some("1") if level == 1 => return Ok(Flow::Reboot),
                    None | Some("0") => self.set_functionality(now, level),
                    _ => return Err(Failure::Cme(50)),
                }
            }
            ("+CSQ", Form::Test) => say("+CSQ: (0-31,99),(0-7,99)".into()),
            ("+CSQ", Form::Run) => say(format!("+CSQ: {},99", if self.radio.registered { 23 } else { 99 })),
            ("+COPS", Form::Test) => {
                say("+COPS: (2,\"otpgate virtual\",\"otpgate\",\"00101\",7),,(0-4),(0-2)".into());
            }
            ("+COPS", Form::Read) => {
                let mode = u8::from(self.settings.manual_operator);
                let format = self.settings.number("+COPS");
                let name = ["otpgate virtual", "otpgate", "00101"][usize::from(format.min(2))];
                say(match self.radio.registered {
                    true => format!("+COPS: {mode},{format},\"{name}\",7"),
                    false => format!("+COPS: {mode}"),
                });
            }
            ("+COPS", Form::Set(_)) => self.set_operator(now, &values)?,
            ("+CSCS", Form::Test) => say("+CSCS: (\"GSM\",\"IRA\",\"UCS2\")".into()),
            ("+CSCS", Form::Read) => {
                let set = self.settings.character_set;
                let word = CharacterSet::ALL.iter().find(|(_, s)| *s == set).map_or("GSM", |(w, _)| w);
                say(format!("+CSCS: \"{word}\""));
            }
            ("+CSCS", Form::Set(_)) => {
                let found = CharacterSet::ALL.iter().find(|(word, _)| Some(*word) == first);
                self.settings.character_set = found.ok_or(Failure::Cme(50))?.1;
            }
            ("+GCAP", Form::Run) => say("+GCAP: +CGSM,+W".into()),
            ("+WS46", Form::Read) => say("12".into()),
            ("+CBC", Form::Run) => say("+CBC: 0,100".into()),
            ("+CPAS", Form::Run) => say("+CPAS: 0".into()),
            ("+CEER", Form::Run) => say("+CEER: 0".into()),
            ("+CHUP", _) => {}
            ("+CCLK", Form::Read) => say(format!("+CCLK: \"{}\"", self.clock(now))),
            ("+CCLK", Form::Set(_)) => {}
            ("+CUSD", Form::Test) => say("+CUSD: (0-2)".into()),
            ("+CUSD", Form::Read) => say(format!("+CUSD: {}", self.settings.number("+CUSD"))),
            ("+CUSD", Form::Set(_)) => self.ussd(now, &values)?,
            ("+CPMUTEMP", Form::Run) => say("+CPMUTEMP: 30".into()),
            ("+CLCK", Form::Set(_)) if values.get(1) == Some(&"2") => {
                say(format!("+CLCK: {}", u8::from(first == Some("SC") && self.options.pin.is_some())));
            }
            ("+CPBS", Form::Test) => say("+CPBS: (\"SM\")".into()),
            (_, Form::Test) if KNOWN.contains(&command.name.as_str()) => {}
            _ => return self.unknown(lines),
        }
        Ok(Flow::Done)
    }

    fn enter_pin(&mut self, now: Mono, pin: &str) -> Result<(), Failure> {
        match self.card.state {
            // TS 27.007 §8.3: not allowed when no PIN is asked for.
            CardState::Open => return Err(Failure::Cme(3)),
            CardState::Puk => return Err(Failure::Cme(12)),
            CardState::Pin if self.options.pin.as_deref() == Some(pin) => {
                self.card.state = CardState::Open;
                self.card.tries = 3;
                self.look_for_network(now);
                return Ok(());
            }
            CardState::Pin => {}
        }
        self.card.tries = self.card.tries.saturating_sub(1);
        if self.card.tries == 0 {
            self.card.state = CardState::Puk;
        }
        Err(Failure::Cme(16))
    }

    fn set_functionality(&mut self, now: Mono, level: u8) {
        if level == 1 && !self.radio.is_on() {
            self.look_for_network(now);
        }
        self.radio.functionality = level;
        if level != 1 {
            self.leave_network();
        }
    }

    fn set_operator(&mut self, now: Mono, values: &[&str]) -> Result<(), Failure> {
        match values {
            ["0", ..] => self.settings.manual_operator = false,
            ["1" | "4", _, "00101" | "otpgate" | "otpgate virtual", ..] => self.settings.manual_operator = true,
            ["1", ..] => return Err(Failure::Cme(30)),
            ["2", ..] => {
                self.leave_network();
                return Ok(());
            }
            ["3", format @ ("0" | "1" | "2")] => {
                self.settings.set_number("+COPS", format.as_bytes()[0] - b'0');
                return Ok(());
            }
            _ => return Err(Failure::Cme(50)),
        }
        if !self.radio.registered {
            self.look_for_network(now);
        }
        Ok(())
    }

    fn leave_network(&mut self) {
        if std::mem::take(&mut self.radio.registered) {
            for line in self.settings.registration_urcs(false) {
                self.urc(line);
            }
        }
    }

    /// A prepaid balance for every code.
    fn ussd(&mut self, now: Mono, values: &[&str]) -> Result<(), Failure> {
        match values.first() {
            Some(&"2") => {}
            Some(n @ (&"0" | &"1")) => {
                self.settings.set_number("+CUSD", n.as_bytes()[0] - b'0');
                if values.get(1).is_some_and(|code| !code.is_empty()) {
                    if !self.radio.registered {
                        return Err(Failure::Cme(30));
                    }
                    self.answer_ussd(now);
                }
            }
            _ => return Err(Failure::Cme(50)),
        }
        Ok(())
    }

    /// `26/11/23,01:35:26+00`
    fn clock(&self, now: Mono) -> String {
        let text = (self.options.epoch + now.0).to_string();
        let part = |range| text.get(range).unwrap_or("00").to_string();
        format!("{}/{}/{},{}+00", part(2..4), part(5..7), part(8..10), text.get(11..19).unwrap_or("00:00:00"))
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

/// The quirk row knows it by this name.
const MANUFACTURER: &str = "otpgate";
const MODEL: &str = "virtual";
const REVISION: &str = concat!("otpgate ", env!("CARGO_PKG_VERSION"));
/// Location area, cell and access technology (LTE), as `+CREG: 2` shows them.
const CELL: &str = "\"0001\",\"00000001\",7";
const REGISTRATIONS: [&str; 3] = ["+CREG", "+CGREG", "+CEREG"];
/// Commands whose state is one number: name, the range as shown, the values taken.
const NUMBERS: &[(&str, &str, &[u8])] = &[
    ("+CMEE", "0-2", &[0, 1, 2]),
    ("+CMGF", "0,1", &[0, 1]),
    ("+CSDH", "0,1", &[0, 1]),
    ("+CMMS", "0-2", &[0, 1, 2]),
    ("+CREG", "0-2", &[0, 1, 2]),
    ("+CGREG", "0-2", &[0, 1, 2]),
    ("+CEREG", "0-2", &[0, 1, 2]),
    ("+CLIP", "0,1", &[0, 1]),
    ("+CRC", "0,1", &[0, 1]),
    ("+CR", "0,1", &[0, 1]),
    ("+CTZU", "0,1", &[0, 1]),
    ("+CTZR", "0,1", &[0, 1]),
    ("+CGSMS", "0-3", &[0, 1, 2, 3]),
    ("+CGATT", "0,1", &[0, 1]),
];
/// Commands that answer `=?` with nothing but OK.
const KNOWN: &[&str] = &[
    "+CCID",
    "+ICCID",
    "+QCCID",
    "^ICCID",
    "+CICCID",
    "+CNUM",
    "+CPINR",
    "+GCAP",
    "+WS46",
    "+CBC",
    "+CPAS",
    "+CEER",
    "+CHUP",
    "+CCLK",
    "+CLCK",
    "+CPMUTEMP",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_split_into_commands() {
        let set = |t: &str| Form::Set(t.into());
        let rows: &[(&str, &[(&str, Form)])] = &[
            ("", &[]),
            ("E0", &[("E", set("0"))]),
            ("E0V1&D0&C", &[("E", set("0")), ("V", set("1")), ("&D", set("0")), ("&C", Form::Run)]),
            ("+cmgf=0;+CSQ;+CREG?", &[("+CMGF", set("0")), ("+CSQ", Form::Run), ("+CREG", Form::Read)]),
            ("E0+CMEE=1", &[("E", set("0")), ("+CMEE", set("1"))]),
            ("+CNMI=?", &[("+CNMI", Form::Test)]),
            ("+CUSD=1,\"*100;#\",15;H", &[("+CUSD", set("1,\"*100;#\",15")), ("H", Form::Run)]),
            ("S3=13S4?", &[("S3", set("13")), ("S4", Form::Read)]),
            ("D*99#;+CSQ", &[("D", set("*99#;+CSQ"))]),
            ("^SYSCFG?", &[("^SYSCFG", Form::Read)]),
            (" ; I", &[("I", Form::Run)]),
            ("&é", &[("&", Form::Run), ("É", Form::Run)]),
        ];
        for (line, expected) in rows {
            let got: Vec<(String, Form)> = split(line).into_iter().map(|c| (c.name.to_uppercase(), c.form)).collect();
            let expected: Vec<(String, Form)> = expected.iter().map(|(n, f)| (n.to_string(), f.clone())).collect();
            assert_eq!(got, expected, "{line}");
        }
    }

    #[test]
    fn values() {
        let command = &split("+CPMS=\"ME\", ,\"a,b\",")[0];
        assert_eq!(command.values(), ["ME", "", "a,b", ""]);
    }
}
