//! The guard's vocabulary: its rules, what is set about them, and how one says no.

use super::country::Country;
use super::mode::Mode;
use super::msisdn::Msisdn;
use super::number_kind::NumberKind;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

/// What may keep a code or a text from being taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// An admin has stopped all sending.
    Stop,
    /// The number, or a prefix of it, is on the block list.
    Blocked,
    /// The number belongs to no country that is served.
    Country,
    /// The number is of a kind that is not written to.
    NumberType,
    /// The number was sent too many codes.
    NumberSends,
    /// The number was sent a code a moment ago.
    ResendWait,
    /// One client was given too many wrong codes for the number.
    FailedChecks,
    /// All clients together were.
    FailedChecksEverywhere,
    /// Something that the caller counts by has asked too often: a device, an address, a session.
    CallerKeys,
    /// Too many different numbers that differ in the last four digits only.
    Prefix,
    /// Codes to such numbers hardly ever come back.
    Conversion,
    /// The API key has sent what it may.
    KeyLimits,
    /// The code would come too late to be of use.
    InTime,
    /// Too much waits already.
    Queue,
}

impl Rule {
    /// All of them. New ones are appended.
    pub const ALL: [Self; 14] = [
        Self::Stop,
        Self::Blocked,
        Self::Country,
        Self::NumberType,
        Self::NumberSends,
        Self::ResendWait,
        Self::FailedChecks,
        Self::FailedChecksEverywhere,
        Self::CallerKeys,
        Self::Prefix,
        Self::Conversion,
        Self::KeyLimits,
        Self::InTime,
        Self::Queue,
    ];

    /// The word: in the file, the header, the log and the counters.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Blocked => "blocked",
            Self::Country => "country",
            Self::NumberType => "number_type",
            Self::NumberSends => "number_sends",
            Self::ResendWait => "resend_wait",
            Self::FailedChecks => "failed_checks",
            Self::FailedChecksEverywhere => "failed_checks_everywhere",
            Self::CallerKeys => "caller_keys",
            Self::Prefix => "prefix",
            Self::Conversion => "conversion",
            Self::KeyLimits => "key_limits",
            Self::InTime => "in_time",
            Self::Queue => "queue",
        }
    }

    /// Whether it is what an admin has ordered. Then it holds whatever the mode of the others.
    pub fn is_order(self) -> bool {
        matches!(self, Self::Stop | Self::Blocked)
    }
}

/// How a rule says no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Which rule.
    pub rule: Rule,
    /// When it will say no longer no. `None`: nobody knows, or never.
    pub retry: Option<Duration>,
    /// Why, and which setting decides that. Names no number.
    pub sentence: String,
}

/// `[guard]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardRules {
    /// What a rule that says no does, where nothing else is said of it.
    pub mode: Mode,
    /// Where something else is.
    pub modes: BTreeMap<Rule, Mode>,
    /// The country that the gateway serves.
    pub home: Option<Country>,
    /// Whose numbers may be written to. Empty: those of `home`.
    pub countries: BTreeSet<Country>,
    /// Kinds of numbers that may be written to.
    pub number_types: BTreeSet<NumberKind>,
    /// Codes to one number in any ten minutes.
    pub per_number_ten_minutes: u32,
    /// Codes to one number in any 24 hours.
    pub per_number_day: u32,
    /// From the first code to a number to the second. It is twice that to the third, and four times from there on.
    pub resend_wait: Duration,
    /// Wrong codes for a client's number in any hour; after that there are waits.
    pub failed_checks: u32,
    /// Wrong codes for a number in any 24 hours.
    pub failed_checks_everywhere: u32,
    /// Codes for one of a caller's keys in any ten minutes.
    pub per_caller_key_ten_minutes: u32,
    /// Codes for one of a caller's keys in any hour.
    pub per_caller_key_hour: u32,
    /// Different numbers with the same prefix in any hour.
    pub per_prefix_hour: u32,
    /// Of a hundred codes so many must come back.
    pub conversion_percent: u32,
    /// After so many codes to a prefix that is asked.
    pub conversion_after: u32,
    /// What an API key may send that has no limits of its own.
    pub per_key: SendLimits,
    /// Messages that may wait.
    pub max_queued: u32,
}

/// How much may be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SendLimits {
    /// In any 60 seconds.
    pub per_minute: Option<u32>,
    /// In any 60 minutes.
    pub per_hour: Option<u32>,
    /// In any 24 hours.
    pub per_day: Option<u32>,
}

impl GuardRules {
    /// What this rule does if it says no.
    pub fn mode_of(&self, rule: Rule) -> Mode {
        let general = if rule.is_order() { Mode::Enforce } else { self.mode };
        self.modes.get(&rule).copied().unwrap_or(general)
    }

    /// Nothing is counted, and nothing refused but what an admin orders.
    pub fn off() -> Self {
        Self { mode: Mode::Off, ..Self::default() }
    }
}

impl Default for GuardRules {
    fn default() -> Self {
        Self {
            mode: Mode::Enforce,
            modes: BTreeMap::new(),
            home: None,
            countries: BTreeSet::new(),
            number_types: BTreeSet::from([NumberKind::Mobile, NumberKind::Unknown]),
            per_number_ten_minutes: 3,
            per_number_day: 5,
            resend_wait: Duration::from_secs(60),
            failed_checks: 10,
            failed_checks_everywhere: 100,
            per_caller_key_ten_minutes: 5,
            per_caller_key_hour: 20,
            per_prefix_hour: 10,
            conversion_percent: 20,
            conversion_after: 20,
            per_key: SendLimits::default(),
            max_queued: 10_000,
        }
    }
}

/// Which of the guard's lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum List {
    /// Numbers that nothing is sent to.
    Blocked,
    /// Numbers that codes are sent to however often, and wherever they belong.
    Safe,
}

impl List {
    /// The word: in paths, and in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Safe => "safe",
        }
    }
}

/// What stands on a list: one number, or all that begin alike.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pattern {
    /// One number.
    Number(Msisdn),
    /// All numbers that begin with these digits.
    Prefix(String),
}

impl Pattern {
    /// Reads a number, or a prefix with an asterisk behind it: `+44770*`. The error holds nothing of the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some(prefix) = text.trim().strip_suffix('*') else {
            return Msisdn::parse(text).map(Self::Number).map_err(|why| why.to_string());
        };
        let digits = prefix.strip_prefix('+').unwrap_or_default();
        let fits = (1..=14).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        if fits && !digits.starts_with('0') {
            return Ok(Self::Prefix(digits.to_owned()));
        }
        Err("a prefix is +, 1 to 14 digits of which the first is not 0, and *, as in +44770*".to_owned())
    }

    /// As [`Pattern::parse`] reads it. For the sealed record.
    pub fn reveal(&self) -> String {
        match self {
            Self::Number(number) => number.reveal_e164(),
            Self::Prefix(digits) => format!("+{digits}*"),
        }
    }
}

impl fmt::Display for Pattern {
    /// A number is masked; a prefix is nobody's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Prefix(digits) => write!(f, "+{digits}*"),
        }
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_number_or_a_prefix_with_an_asterisk() {
        let rows = [
            ("+14155550100", Some("+14155550100")),
            ("+1 (415) 555-0100", Some("+14155550100")),
            ("+44770*", Some("+44770*")),
            ("+1*", Some("+1*")),
            ("44770*", None),
            ("+0*", None),
            ("+*", None),
            ("*", None),
            ("+44 770*", None),
            ("+123456789012345*", None),
            ("+44770", None),
            ("", None),
        ];
        for (text, read) in rows {
            assert_eq!(Pattern::parse(text).ok().map(|pattern| pattern.reveal()).as_deref(), read, "{text}");
        }
        assert_eq!(Pattern::parse("+14155550123").unwrap().to_string(), "+14…23");
    }
}
