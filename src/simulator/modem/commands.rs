//! The commands of V.250 and TS 27.007. Those of TS 27.005 are in `sms_commands`.

use super::line::{Command, Form};
use super::settings::{CELL, CharacterSet, REGISTRATIONS, Settings};
use super::{Failure, Flow, ModemOptions, VirtualModem};
use crate::domain::time::Mono;
use crate::simulator::faults::{Cure, Fault, Prefixes, UnknownAnswer, Unregistered};

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
        let text = written(command);
        let fits = |list: &Prefixes| list.0.iter().any(|prefix| text.starts_with(prefix.as_str()));
        match self.faults.refuse_command.strike_if(&mut self.dice, fits) {
            Some(_) => Err(Failure::Error),
            None => Ok(()),
        }
    }

    /// Whether nothing is said to a command, where that is the fault.
    pub(super) fn is_mute(&mut self, command: &Command) -> bool {
        if !self.faults.mute_command.is_set() {
            return false;
        }
        let text = written(command);
        let fits = |list: &Prefixes| list.0.iter().any(|prefix| text.starts_with(prefix.as_str()));
        self.faults.mute_command.strike_if(&mut self.dice, fits).is_some()
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
                    let (n, stat) = (self.settings.number(name), self.registration(name));
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

    /// What the three registrations say.
    pub(super) fn registrations(&mut self) -> [u8; 3] {
        REGISTRATIONS.map(|name| self.registration(name))
    }

    /// What a registration says.
    fn registration(&mut self, name: &str) -> u8 {
        let place = REGISTRATIONS.iter().position(|known| *known == name).unwrap_or(0);
        match self.faults.registration.strike(&mut self.dice) {
            Some(states) if self.radio.registered => states.0[place],
            _ => self.registration_status(),
        }
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
            ("I", 0..=9) => {
                let ModemOptions { manufacturer, model, .. } = &self.options;
                lines.extend([manufacturer.clone(), model.clone(), format!("Revision: {REVISION}")]);
            }
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
            ("+CGMI" | "+GMI", Form::Run) => say(self.options.manufacturer.clone()),
            ("+CGMM" | "+GMM", Form::Run) => say(self.options.model.clone()),
            ("+CGMR" | "+GMR", Form::Run) => say(REVISION.into()),
            ("+CGSN" | "+GSN", Form::Run) => {
                let other = self.faults.imei.strike(&mut self.dice);
                say(other.map_or_else(|| self.identity.imei.clone(), |other| other.0));
            }
            ("+CGSN", Form::Set(_)) => say(format!("+CGSN: \"{}\"", self.identity.imei)),
            ("+CIMI", Form::Run) => {
                self.card.refusal(false)?;
                say(self.identity.imsi.clone());
            }
            (name @ ("+CCID" | "+ICCID" | "+QCCID" | "^ICCID" | "+CICCID"), Form::Run | Form::Read) => {
                self.card.contact(false)?;
                if !self.card.is_open() && self.faults.iccid_locked.strike(&mut self.dice).is_some() {
                    return Err(Failure::Cme(11));
                }
                // Its answer bears the shorter name.
                let name = if name == "+CICCID" { "+ICCID" } else { name };
                say(format!("{name}: {}", self.identity.iccid));
            }
            ("+CNUM", Form::Run) => {
                self.card.refusal(false)?;
                say(format!("+CNUM: ,\"{}\",145", self.identity.number));
            }
            ("+CPIN", Form::Test) | ("+CFUN", Form::Run) => {}
            ("+CPIN", Form::Read) => say(format!("+CPIN: {}", self.card.word()?)),
            ("+CPIN", Form::Set(_)) => {
                self.enter_pin(now, first.unwrap_or_default())?;
            }
            ("+CPINR", Form::Run | Form::Set(_)) if self.faults.pin_tries_hidden.strike(&mut self.dice).is_none() => {
                say(format!("+CPINR: SIM PIN,{},3", self.card.tries));
            }
            ("+CRSM", Form::Set(_)) => {
                self.card.refusal(false)?;
                say(self.card.file(&self.options, &values)?);
            }
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
                let denied = self.faults.unregistered.set_to() == Some(Unregistered::ByHand);
                let mode = u8::from(self.settings.manual_operator || denied);
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

    fn set_functionality(&mut self, now: Mono, level: u8) {
        if level == 0 {
            self.card_off();
        }
        if level == 1 && !self.radio.is_on() {
            self.look_for_network(now);
        }
        self.radio.functionality = level;
        if level != 1 {
            self.is_done(Cure::Radio);
            self.leave_network();
        }
    }

    fn set_operator(&mut self, now: Mono, values: &[&str]) -> Result<(), Failure> {
        match values {
            ["0", ..] => {
                self.settings.manual_operator = false;
                if self.faults.unregistered.set_to() == Some(Unregistered::ByHand) {
                    self.faults.unregistered = Fault::default();
                }
            }
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

    /// `<stat>` of TS 27.007 §7.2.
    fn registration_status(&self) -> u8 {
        match self.faults.unregistered.set_to() {
            _ if self.radio.registered => 1,
            Some(Unregistered::Denied | Unregistered::ByHand) => 3,
            Some(_) => 2,
            None => 0,
        }
    }

    pub(super) fn leave_network(&mut self) {
        if std::mem::take(&mut self.radio.registered) {
            for line in self.settings.registration_urcs([self.registration_status(); 3]) {
                self.urc(line);
            }
        }
    }

    /// `26/11/23,01:35:26+00`
    fn clock(&self, now: Mono) -> String {
        let text = (self.options.epoch + now.0).to_string();
        let part = |range| text.get(range).unwrap_or("00").to_string();
        format!("{}/{}/{},{}+00", part(2..4), part(5..7), part(8..10), text.get(11..19).unwrap_or("00:00:00"))
    }
}

/// A command as it was typed, without AT and in capitals.
fn written(command: &Command) -> String {
    let tail = match &command.form {
        Form::Run => String::new(),
        Form::Read => "?".into(),
        Form::Test => "=?".into(),
        Form::Set(values) => format!("={values}"),
    };
    format!("{}{tail}", command.name).to_ascii_uppercase()
}

const REVISION: &str = concat!("otpgate ", env!("CARGO_PKG_VERSION"));
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
