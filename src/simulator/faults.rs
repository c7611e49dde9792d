//! What a modem or network does wrong, on demand: each fault is a field, named for its row in the catalogue of failure
//! modes, with a value and an occasion.
//!
//! In words a fault is `NAME=VALUE`, `NAME=VALUE@next:3` or `NAME=VALUE@0.05`: always, the next three times, or at that
//! probability each time. The same words stand on the command line and, as strings, in a TOML or JSON file.

use std::fmt;
use std::time::Duration;

/// When a fault strikes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum When {
    /// Not at all.
    #[default]
    Never,
    /// Every time.
    Always,
    /// The next so many times.
    Next(u32),
    /// Each time with this probability, 0 to 1.
    Chance(f64),
}

/// One fault: what happens, and when.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault<T> {
    /// What happens. `None` only where it never does.
    value: Option<T>,
    when: When,
}

impl<T> Default for Fault<T> {
    fn default() -> Self {
        Self { value: None, when: When::Never }
    }
}

impl<T: Clone> Fault<T> {
    /// The fault `value`, on the occasion `when`.
    pub fn new(value: T, when: When) -> Self {
        Self { value: Some(value), when }
    }

    /// Every time.
    pub fn always(value: T) -> Self {
        Self::new(value, When::Always)
    }

    /// The next `count` times.
    pub fn next(count: u32, value: T) -> Self {
        Self::new(value, When::Next(count))
    }

    /// Whether it can still strike.
    pub fn is_set(&self) -> bool {
        self.value.is_some() && !matches!(self.when, When::Never | When::Next(0))
    }

    /// What happens, if it can still strike.
    pub fn set_to(&self) -> Option<T> {
        self.value.clone().filter(|_| self.is_set())
    }

    /// Asks whether it strikes now; uses up one of `Next`.
    pub fn strike(&mut self, dice: &mut Dice) -> Option<T> {
        let strikes = match &mut self.when {
            When::Never | When::Next(0) => false,
            When::Always => true,
            When::Next(left) => {
                *left -= 1;
                true
            }
            When::Chance(probability) => dice.roll() < *probability,
        };
        if strikes { self.value.clone() } else { None }
    }
}

impl<T: Clone> Fault<T> {
    /// As [`Fault::strike`], but only asked at all if its value fits the occasion.
    pub fn strike_if(&mut self, dice: &mut Dice, fits: impl FnOnce(&T) -> bool) -> Option<T> {
        if self.value.as_ref().is_some_and(fits) { self.strike(dice) } else { None }
    }
}

/// A small seeded generator (SplitMix64): the same seed gives the same faults.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number from 0 to below 1.
    pub fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// A fault that was asked for in words and is not one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultError {
    /// No fault has this name.
    UnknownName(String),
    /// The value does not fit.
    BadValue {
        /// The fault.
        name: &'static str,
        /// What was given.
        value: String,
        /// What could be given.
        expected: &'static str,
    },
    /// The part after `@` is no occasion.
    BadOccasion(String),
    /// The file or flag is not in the form that is read here.
    BadForm(String),
}

impl fmt::Display for FaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownName(name) => {
                let names: Vec<&str> = Faults::catalogue().iter().map(|(name, ..)| *name).collect();
                write!(f, "no fault is named \"{name}\"; known are {}", names.join(", "))
            }
            Self::BadValue { name, value, expected } => {
                write!(f, "fault {name} can't be \"{value}\"; it takes {expected}")
            }
            Self::BadOccasion(text) => {
                write!(f, "\"@{text}\" is no occasion; use @always, @next:COUNT or a probability such as @0.05")
            }
            Self::BadForm(why) => write!(f, "{why}; a fault is written NAME=VALUE or NAME=VALUE@WHEN"),
        }
    }
}

impl std::error::Error for FaultError {}

/// A value that a fault can have, as read from words.
trait FaultValue: Sized {
    /// What can be written, for messages.
    const EXPECTED: &'static str;
    /// Reads it.
    fn read(text: &str) -> Option<Self>;
}

macro_rules! faults {
    ($($(#[doc = $doc:literal])+ $row:literal $name:ident: $type:ty,)+) => {
        /// All that can be wrong with one modem and its network. `Default` is a well-behaved one.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct Faults {
            $($(#[doc = $doc])+ pub $name: Fault<$type>,)+
        }

        impl Faults {
            /// Every fault: name, row of the catalogue of failure modes, what its value may be, what it does.
            pub fn catalogue() -> &'static [(&'static str, &'static str, &'static str, &'static str)] {
                const ALL: &[(&str, &str, &str, &str)] =
                    &[$((stringify!($name), $row, <$type>::EXPECTED, concat!($($doc),+).trim_ascii())),+];
                ALL
            }

            /// Sets the fault `name` from words.
            fn set(&mut self, name: &str, value: &str, when: When) -> Result<(), FaultError> {
                match name {
                    $(stringify!($name) => match <$type>::read(value) {
                        Some(value) => self.$name = Fault::new(value, when),
                        None => return Err(FaultError::BadValue {
                            name: stringify!($name),
                            value: value.into(),
                            expected: <$type>::EXPECTED,
                        }),
                    },)+
                    _ => return Err(FaultError::UnknownName(name.into())),
                }
                Ok(())
            }
        }
    };
}

faults! {
    /// The prompt has another shape.
    "S1" prompt_shape: PromptShape,
    /// AT+CMGS is answered with an error instead of a prompt.
    "S2" refuse_before_prompt: Failure,
    /// The prompt never comes; the modem is in edit mode all the same, or has not noticed the command at all.
    "S3" prompt_never: Unprompted,
    /// The prompt comes this much later; until then other commands are answered.
    "S4" prompt_late: Duration,
    /// Nothing is said after 0x1A; the network has the message, or has not.
    "S5" silence: Fate,
    /// The result comes this much later than it should; meanwhile other commands are answered.
    "S6" late_result: Duration,
    /// This error comes after 0x1A; the network has the message, or has not.
    "S7" error_after: FailureAfter,
    /// The network refuses the message with this RP-cause (TS 24.011 table 8.4).
    "S7" network_refusal: u8,
    /// Only one half of the result: +CMGS without OK, or OK without +CMGS.
    "S8" half_result: HalfResult,
    /// The modem is in edit mode when the port is opened, with somebody's whole message typed in.
    "S9" start_in_edit: Yes,
    /// The answer to a command comes this much later, among the answers to later commands.
    "S10" late_answer: Duration,
    /// A ring or the announcement of a message between 0x1A and the result.
    "S11" collision: Collision,
    /// So many bytes are lost in the middle of the PDU.
    "S12" lost_bytes: u8,
    /// A line feed at the prompt becomes part of the PDU.
    "S13" lf_sensitive: Yes,
    /// An unsolicited line inside an answer, or inside the echo of a command.
    "T1" urc_in_answer: UrcPlace,
    /// An unsolicited line at this interval, for ever.
    "T2" endless_urcs: Duration,
    /// The second line of +CDS or +CMT is cut off by a final result.
    "T3" cut_urc: Yes,
    /// After a command the echo is on again.
    "T4" echo_drift: Yes,
    /// Answers have another shape.
    "T5" answer_shape: AnswerShape,
    /// An unknown command is answered like this instead of ERROR.
    "T5" unknown_command: UnknownAnswer,
    /// Commands that begin like this are refused with ERROR, as +CNMI=2,1,0,1 or +CSMS.
    "T7" refuse_command: Prefixes,
    /// Commands that begin like this are not answered at all, as +CMGL.
    "T6" mute_command: Prefixes,
    /// That a storage is full is announced, each time that a message finds no place.
    "R1" announce_full: Yes,
    /// What is read from a storage has a character in it that is no hexadecimal digit.
    "R8" garbled_storage: Yes,
    /// The modem restarts at this command, its settings gone.
    "T8" reboot: Yes,
    /// From this command on nothing is answered.
    "L5" hang: Hang,
    /// From this AT+CMGS on no prompt comes, while all else is answered, until this is done to the modem.
    "L5" no_prompt: Cure,
    /// The modem restarts by itself, again and again, at this interval.
    "L2" boot_loop: Duration,
    /// With each restart the port is gone for so long, as of a stick that comes back as a CD drive first.
    "L3" mode_switch: Duration,
    /// A reset (AT+CFUN=1,1, or over USB) does nothing.
    "L4" reset_ineffective: Yes,
    /// There is no network for it, as long as the fault is set.
    "L6" unregistered: Unregistered,
    /// AT+CGSN tells this IMEI, as another modem may do too.
    "L1" imei: Digits,
    /// The port goes away at this point of a send, and comes back 2 s later.
    "L1" port_loss: PortLoss,
    /// It is registered like this: what +CREG, +CGREG and +CEREG say, as in 3,0,1. Without circuit switching or EPS, not at
    /// all as far as sending goes.
    "L6" registration: Registrations,
    /// Messages go only with this AT+CGSMS; with any other the network's answer is 50 (facility not subscribed).
    "L9" bearer: u8,
    /// Reports are given only directly and with phase 2+ (AT+CSMS=1), under which each has to be acknowledged.
    "R5" reports_acknowledged_only: Yes,
    /// The answer to AT+CPIN= is never said; the card has taken or refused the PIN all the same.
    "L10" pin_answer_lost: Yes,
    /// How many tries are left for the PIN is not told.
    "L10" pin_tries_hidden: Yes,
    /// The card tells its ICCID only once it is open.
    "L10" iccid_locked: Yes,
    /// At this command the card loses contact.
    "L11" card_lost: CardLoss,
    /// After power-up, and after its PIN, the card is busy for so long (+CME ERROR: 14).
    "T9" card_busy: Duration,
    /// The answer to a USSD code has another shape, or never comes.
    "L13" ussd_shape: UssdShape,
    /// The balance that the answer to a USSD code tells.
    "L13" balance: Balance,
    /// The status report bears another TP-MR than the message.
    "R6" report_reference: u8,
    /// The status report comes before +CMGS.
    "R7" report_early: Yes,
    /// The status report says this TP-ST.
    "R6" report_status: u8,
    /// No status report comes.
    "L14" report_lost: Yes,
    /// The network takes the message and reports it as delivered, and nobody gets it.
    "L14" filtered: Yes,
    /// It takes so long over each command, ESC and message before it answers; what is typed meanwhile waits for its turn.
    "S10" answer_delay: Delay,
    /// What is typed while it takes its time (answer_delay) is lost.
    "S9" deaf_while_busy: Yes,
}

impl Faults {
    /// Sets one fault from a flag's text, `NAME=VALUE[@WHEN]`.
    pub fn set_flag(&mut self, flag: &str) -> Result<(), FaultError> {
        let (name, rest) =
            flag.split_once('=').ok_or_else(|| FaultError::BadForm(format!("\"{flag}\" has no \"=\"")))?;
        let (value, when) = match rest.rsplit_once('@') {
            Some((value, when)) => (value, read_when(when).ok_or_else(|| FaultError::BadOccasion(when.trim().into()))?),
            None => (rest, When::Always),
        };
        self.set(name.trim(), value.trim(), when)
    }

    /// Reads a file's text: TOML, or JSON if it begins with `{`. Each entry is a fault's name and `"VALUE[@WHEN]"`.
    pub fn parse(text: &str) -> Result<Self, FaultError> {
        let entries: std::collections::BTreeMap<String, serde_json::Value> = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|e| FaultError::BadForm(e.to_string()))?
        } else {
            toml::from_str(text).map_err(|e| FaultError::BadForm(e.message().to_string()))?
        };
        let mut faults = Self::default();
        for (name, value) in entries {
            let value = match value {
                serde_json::Value::String(text) => text,
                serde_json::Value::Bool(true) => "yes".into(),
                serde_json::Value::Number(number) => number.to_string(),
                _ => return Err(FaultError::BadForm(format!("the value of \"{name}\" is neither text nor number"))),
            };
            faults.set_flag(&format!("{name}={value}"))?;
        }
        Ok(faults)
    }
}

/// Reads `always`, `next:3` or a probability.
fn read_when(text: &str) -> Option<When> {
    let text = text.trim();
    if text == "always" {
        return Some(When::Always);
    }
    match text.strip_prefix("next") {
        Some("") => Some(When::Next(1)),
        Some(count) => count.trim_start_matches([':', ' ']).parse().ok().map(When::Next),
        None => text.parse().ok().filter(|p| (0.0..=1.0).contains(p)).map(When::Chance),
    }
}

/// A final result that says no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// `ERROR`.
    Error,
    /// `+CME ERROR: n` (TS 27.007 §9.2).
    Cme(u16),
    /// `+CMS ERROR: n` (TS 27.005 §3.2.5).
    Cms(u16),
    /// Words of the maker's own, already said.
    Unsaid,
}

impl FaultValue for Failure {
    const EXPECTED: &'static str = "error, cms:NUMBER or cme:NUMBER";
    fn read(text: &str) -> Option<Self> {
        match text.split_once(':') {
            None => (text == "error").then_some(Self::Error),
            Some(("cms", n)) => n.parse().ok().map(Self::Cms),
            Some(("cme", n)) => n.parse().ok().map(Self::Cme),
            Some(_) => None,
        }
    }
}

/// Whether the network has a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It accepted it.
    Accepted,
    /// It never saw it.
    Lost,
}

/// An error after 0x1A, and what became of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailureAfter {
    /// What the modem says.
    pub failure: Failure,
    /// What the network did.
    pub fate: Fate,
}

impl FaultValue for FailureAfter {
    const EXPECTED: &'static str =
        "error, cms:NUMBER or cme:NUMBER, then \",accepted\" or \",lost\", as in cms:500,accepted";
    fn read(text: &str) -> Option<Self> {
        let (failure, fate) = text.split_once(',').unwrap_or((text, "lost"));
        Some(Self { failure: Failure::read(failure.trim())?, fate: Fate::read(fate.trim())? })
    }
}

/// A fault that has no more to say than that it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Yes;

impl FaultValue for Yes {
    const EXPECTED: &'static str = "yes";
    fn read(text: &str) -> Option<Self> {
        matches!(text, "yes" | "true" | "").then_some(Self)
    }
}

impl FaultValue for Duration {
    const EXPECTED: &'static str = "a time as 12, 2.5 or 300ms";
    fn read(text: &str) -> Option<Self> {
        let (number, unit) = match text.strip_suffix("ms") {
            Some(number) => (number, 0.001),
            None => (text.strip_suffix('s').unwrap_or(text), 1.0),
        };
        let seconds: f64 = number.trim().parse().ok()?;
        // A day is longer than any test and keeps the sum with the time of day far from overflow.
        (0.0..=86_400.0).contains(&(seconds * unit)).then(|| Duration::from_secs_f64(seconds * unit))
    }
}

impl FaultValue for u8 {
    const EXPECTED: &'static str = "a number from 0 to 255 (0x46 is fine)";
    fn read(text: &str) -> Option<Self> {
        match text.strip_prefix("0x") {
            Some(hex) => u8::from_str_radix(hex, 16).ok(),
            None => text.parse().ok(),
        }
    }
}

/// A time, or one between two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delay {
    /// At least.
    pub least: Duration,
    /// At most.
    pub most: Duration,
}

impl Delay {
    /// One of those times. Where there is but one, nothing is drawn.
    pub fn draw(self, dice: &mut Dice) -> Duration {
        let span = self.most - self.least;
        if span.is_zero() { self.least } else { self.least + span.mul_f64(dice.roll()) }
    }
}

impl FaultValue for Delay {
    const EXPECTED: &'static str = "a time as 1.5 or 300ms, or two as 0..5";
    fn read(text: &str) -> Option<Self> {
        let (least, most) = text.split_once("..").unwrap_or((text, text));
        let delay = Self { least: Duration::read(least)?, most: Duration::read(most)? };
        (delay.least <= delay.most).then_some(delay)
    }
}
/// An IMEI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digits(pub String);

/// An amount of money, as it stands in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balance(pub String);

impl FaultValue for Digits {
    const EXPECTED: &'static str = "15 digits";
    fn read(text: &str) -> Option<Self> {
        (text.len() == 15 && text.bytes().all(|b| b.is_ascii_digit())).then(|| Self(text.to_owned()))
    }
}

impl FaultValue for Balance {
    const EXPECTED: &'static str = "an amount as 0.50";
    fn read(text: &str) -> Option<Self> {
        let fits = (1..=12).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit() || b"-.,".contains(&b));
        fits.then(|| Self(text.to_owned()))
    }
}

/// What the three registrations say (TS 27.007 §7.2, §10.1.20, §10.1.22).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registrations(pub [u8; 3]);

impl FaultValue for Registrations {
    const EXPECTED: &'static str = "three states from 0 to 11, as in 3,0,1";
    fn read(text: &str) -> Option<Self> {
        let states: Option<Vec<u8>> = text.split(',').map(|n| n.trim().parse().ok().filter(|n| *n <= 11)).collect();
        states?.try_into().ok().map(Self)
    }
}

/// Beginnings of commands, separated by `|`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefixes(pub Vec<String>);

impl FaultValue for Prefixes {
    const EXPECTED: &'static str = "the beginnings of commands without AT, separated by |, as in +CNMI=2,|+CSMS";
    fn read(text: &str) -> Option<Self> {
        let list: Vec<String> = text.split('|').map(|p| p.trim().to_ascii_uppercase()).collect();
        list.iter().all(|p| !p.is_empty()).then_some(Self(list))
    }
}

macro_rules! choices {
    ($($(#[$doc:meta])+ $type:ident { $($(#[$vdoc:meta])+ $variant:ident = $word:literal,)+ })+) => {$(
        $(#[$doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $type { $($(#[$vdoc])+ $variant,)+ }
        impl FaultValue for $type {
            const EXPECTED: &'static str = concat!("one of" $(, " ", $word)+);
            fn read(text: &str) -> Option<Self> {
                match text { $($word => Some(Self::$variant),)+ _ => None }
            }
        }
    )+};
}

impl FaultValue for Fate {
    const EXPECTED: &'static str = "accepted or lost";
    fn read(text: &str) -> Option<Self> {
        match text {
            "accepted" => Some(Self::Accepted),
            "lost" => Some(Self::Lost),
            _ => None,
        }
    }
}

impl FaultValue for Hang {
    const EXPECTED: &'static str = "escape, reopen, radio, restart, usb, power, never, or a time in seconds";
    fn read(text: &str) -> Option<Self> {
        Cure::read(text).map(Self::Until).or_else(|| Duration::read(text).map(Self::For))
    }
}

/// How long a modem that hangs does so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hang {
    /// Until this is done to it, or more.
    Until(Cure),
    /// For a time.
    For(Duration),
}

impl Cure {
    /// Whether `done` is enough.
    pub fn is_served_by(self, done: Cure) -> bool {
        self != Self::Never && self <= done
    }
}

choices! {
    /// What brings a modem back, from the mildest to the last. Each does what those before it do.
    Cure {
        /// ESC.
        Escape = "escape",
        /// The port is opened anew. On a pty nobody can see that: there it takes more.
        Reopen = "reopen",
        /// The radio is switched off (AT+CFUN=4 or 0), which it still takes, unanswered until then.
        Radio = "radio",
        /// A restart by command (AT+CFUN=1,1), which it still takes.
        Restart = "restart",
        /// A reset over USB.
        Usb = "usb",
        /// Its power is switched off and on, or it is pulled out and put in again.
        Power = "power",
        /// Nothing.
        Never = "never",
    }
    /// Why there is no network.
    Unregistered {
        /// The modem is looking for one.
        Searching = "searching",
        /// The network denies it: +CREG: 3.
        Denied = "denied",
        /// As `searching`, and neither loss nor return is told unasked.
        Quiet = "quiet",
        /// As `denied`, of the one that was chosen by hand (AT+COPS=1), until AT+COPS=0.
        ByHand = "by_hand",
    }
    /// A prompt that is not CR LF `>` space.
    PromptShape {
        /// CR LF `>` CR LF.
        LineEnd = "line_end",
        /// CR LF `>`.
        NoSpace = "no_space",
        /// The command's echo, CR LF `>` space, although the echo is off.
        Echoed = "echoed",
        /// `>` space right after the echo or whatever came before, without CR LF.
        Glued = "glued",
        /// CR LF `>` space, twice.
        Twice = "twice",
    }
    /// What a modem does that gives no prompt.
    Unprompted {
        /// It takes what comes as the PDU.
        Edit = "edit",
        /// It takes what comes as commands.
        Command = "command",
    }
    /// Which half of the result comes.
    HalfResult {
        /// `+CMGS: n` without `OK`.
        Reference = "reference",
        /// `OK` without `+CMGS: n`.
        Ok = "ok",
    }
    /// What comes in between 0x1A and the result.
    Collision {
        /// `RING`.
        Ring = "ring",
        /// `+CMTI: "SM",4`.
        Message = "cmti",
    }
    /// Where an unsolicited line comes.
    UrcPlace {
        /// Before the information lines.
        Inside = "inside",
        /// Within the echo of the next command, if the echo is on; else as `inside`.
        Echo = "echo",
    }
    /// The shape of an answer.
    AnswerShape {
        /// `OK` is missing after information lines.
        NoOk = "no_ok",
        /// Two more blank lines before each line.
        BlankLines = "blank_lines",
        /// The first CR LF is missing.
        NoFirstLineEnd = "no_first_line_end",
        /// Numbers for results, as after ATV0.
        Numeric = "numeric",
    }
    /// The answer to an unknown command.
    UnknownAnswer {
        /// `+CME ERROR: 100`.
        Cme100 = "cme100",
        /// `COMMAND NOT SUPPORT`.
        NotSupported = "not_support",
        /// `TOO MANY PARAMETERS`.
        TooMany = "too_many",
    }
    /// The shape of an answer to a USSD code.
    UssdShape {
        /// Packed septets in hexadecimal, without quotes and data coding scheme.
        PackedHex = "packed",
        /// UCS-2 in hexadecimal, and a data coding scheme that says so.
        Ucs2 = "ucs2",
        /// UCS-2 in hexadecimal, and one that says something else.
        Ucs2Mislabelled = "ucs2_as_gsm",
        /// UCS-2 in hexadecimal, with what was in memory behind it.
        Garbage = "garbage",
        /// Plain, over two lines.
        TwoLines = "two_lines",
        /// None.
        Never = "never",
        /// The network ends the dialogue.
        Refused = "refused",
    }
    /// What gives a card that has lost contact back.
    CardLoss {
        /// `AT+CFUN=0`.
        Cfun = "cfun",
        /// A power cycle.
        PowerCycle = "power",
    }
    /// At which point of a send the port goes away.
    PortLoss {
        /// Instead of the prompt.
        BeforePrompt = "prompt",
        /// After the prompt.
        AfterPrompt = "after_prompt",
        /// At 0x1A; the network gets the message.
        Submit = "submit",
        /// At 0x1A; the network does not get it.
        SubmitLost = "submit_lost",
        /// At 0x1A, for want of power: the network does not get it, and the modem boots.
        BrownOut = "brown_out",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags() {
        let mut f = Faults::default();
        for flag in [
            "prompt_shape=line_end",
            "refuse_before_prompt=cms:330@next:2",
            "silence=accepted@0.5",
            "late_result = 2.5 @ next",
            "error_after=cms:500,accepted",
            "hang=30",
            "no_prompt=restart@next",
            "report_status=0x46@always",
            "refuse_command=+cnmi=2,1|+CSMS",
            "registration=3,0,1",
            "lf_sensitive=yes",
            "answer_delay=0..2.5",
        ] {
            assert_eq!(f.set_flag(flag), Ok(()), "{flag}");
        }
        let delay = Delay { least: Duration::ZERO, most: Duration::from_millis(2500) };
        assert_eq!(f.answer_delay, Fault::always(delay));
        assert_eq!(f.prompt_shape, Fault::always(PromptShape::LineEnd));
        assert_eq!(f.refuse_before_prompt, Fault::next(2, Failure::Cms(330)));
        assert_eq!(f.silence, Fault::new(Fate::Accepted, When::Chance(0.5)));
        assert_eq!(f.late_result, Fault::next(1, Duration::from_millis(2500)));
        let failure = FailureAfter { failure: Failure::Cms(500), fate: Fate::Accepted };
        assert_eq!(f.error_after, Fault::always(failure));
        assert_eq!(f.hang, Fault::always(Hang::For(Duration::from_secs(30))));
        assert_eq!(f.no_prompt, Fault::next(1, Cure::Restart));
        assert_eq!(f.report_status, Fault::always(0x46));
        assert_eq!(f.refuse_command, Fault::always(Prefixes(vec!["+CNMI=2,1".into(), "+CSMS".into()])));
    }

    #[test]
    fn wrong_words_are_answered_with_the_right_ones() {
        let rows = [
            ("silense=lost", "known are prompt_shape, refuse_before_prompt"),
            ("registration=1,2", "three states"),
            ("silence=maybe", "fault silence can't be \"maybe\"; it takes accepted or lost"),
            ("silence=lost@sometimes", "\"@sometimes\" is no occasion"),
            ("silence=lost@1.5", "\"@1.5\" is no occasion"),
            ("silence", "has no \"=\""),
            ("prompt_shape=round", "one of line_end no_space"),
            ("late_result=-1", "a time as 12"),
            ("network_refusal=256", "a number from 0 to 255"),
            ("answer_delay=5..1", "two as 0..5"),
        ];
        for (flag, part) in rows {
            let message = Faults::default().set_flag(flag).unwrap_err().to_string();
            assert!(message.contains(part), "{flag}: {message}");
        }
    }

    #[test]
    fn files() {
        let mut expected = Faults::default();
        expected.set_flag("silence=lost@next:3").unwrap();
        expected.set_flag("late_result=12").unwrap();
        expected.set_flag("echo_drift=yes").unwrap();
        let toml = "silence = \"lost@next:3\"\nlate_result = 12\necho_drift = true\n";
        assert_eq!(Faults::parse(toml), Ok(expected.clone()));
        let json = r#"{"silence": "lost@next:3", "late_result": 12, "echo_drift": true}"#;
        assert_eq!(Faults::parse(json), Ok(expected));
        assert_eq!(Faults::parse(""), Ok(Faults::default()));
        for bad in ["silence =", "{\"silence\"", "silence = [1]", "[silence]\nx = 1", "nonsense = 1"] {
            assert!(Faults::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn occasions() {
        let mut dice = Dice::new(7);
        let mut count = |mut fault: Fault<Yes>| (0..1000).filter(|_| fault.strike(&mut dice).is_some()).count();
        assert_eq!(count(Fault::default()), 0);
        assert_eq!(count(Fault::always(Yes)), 1000);
        assert_eq!(count(Fault::next(3, Yes)), 3);
        assert_eq!(count(Fault::new(Yes, When::Chance(0.0))), 0);
        assert_eq!(count(Fault::new(Yes, When::Chance(1.0))), 1000);
        let third = count(Fault::new(Yes, When::Chance(0.3)));
        assert!((250..350).contains(&third), "{third}");
    }

    #[test]
    fn the_catalogue_has_each_fault_once_with_its_row() {
        let mut names: Vec<_> = Faults::catalogue().iter().map(|(name, ..)| *name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Faults::catalogue().len());
        for row in ["S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8", "S9", "S10", "S11", "S12", "S13"] {
            assert!(Faults::catalogue().iter().any(|(_, r, ..)| *r == row), "{row}");
        }
    }
}
