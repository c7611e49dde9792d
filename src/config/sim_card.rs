//! `[[sim_card]]`, one for each card of which something has to be said, and `[sim_limits]`, which holds for all.

use crate::domain::amount::Amount;
use crate::domain::equipment::SimCard;
use crate::domain::mode::Mode;
use crate::domain::msisdn::Msisdn;
use jiff::tz::TimeZone;
use regex_lite::{Regex, RegexBuilder};
use std::path::PathBuf;
use std::time::Duration;

/// One `[[sim_card]]`: what no modem can tell of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimCardConfig {
    /// Which card: its ICCID, or its IMSI where a modem can't read that.
    pub iccid: SimCard,
    /// Its own number.
    pub number: Option<Msisdn>,
    /// Where its PIN is. The file is read when the card asks for it.
    pub pin_file: Option<PathBuf>,
    /// The number of its network's SMSC, for a card on which none is stored.
    pub smsc: Option<Msisdn>,
    /// The USSD code that asks for the balance.
    pub ussd: Option<String>,
    /// A regular expression whose first group is the balance.
    pub ussd_pattern: Option<String>,
    /// Below this balance it takes no more messages.
    pub low_balance: Option<Amount>,
    /// Whether it may send in a foreign network, at that network's price.
    pub allow_roaming: bool,
    /// Whether its plan's written terms allow automated messages.
    pub plan_allows_automated_sms: Option<bool>,
    /// Where its plan differs from what holds for all.
    pub limits: Limits,
}

impl SimCardConfig {
    /// A card of which nothing is said yet.
    pub fn new(iccid: SimCard) -> Self {
        Self {
            iccid,
            number: None,
            pin_file: None,
            smsc: None,
            ussd: None,
            ussd_pattern: None,
            low_balance: None,
            allow_roaming: false,
            plan_allows_automated_sms: None,
            limits: Limits::default(),
        }
    }
}

/// `[sim_limits]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimLimits {
    /// What a limit that is reached does. `None`: it holds messages back, but for virtual SIM cards, which bear anything.
    pub mode: Option<Mode>,
    /// For each card that has none of its own.
    pub limits: Limits,
}

impl SimLimits {
    /// What holds without a word from anyone. A virtual network blocks nobody.
    pub(super) fn defaults(simulated: bool) -> Self {
        let limits = Limits {
            spacing: Some(Duration::from_secs(6)),
            per_minute: Some(10),
            per_hour: Some(150),
            per_day: Some(500),
            per_day_when_new: Some(100),
            per_month: None,
            recipients_per_day: Some(200),
            billing_day: Some(1),
            time_zone: None,
        };
        Self { mode: simulated.then_some(Mode::Off), limits }
    }
}

/// What a SIM card may send, in parts. What is `None` is the default's, or without limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// From one part to the next message's first, on average.
    pub spacing: Option<Duration>,
    /// In any 60 seconds.
    pub per_minute: Option<u32>,
    /// In any 60 minutes.
    pub per_hour: Option<u32>,
    /// From midnight to midnight.
    pub per_day: Option<u32>,
    /// The same, in the first seven days of a card.
    pub per_day_when_new: Option<u32>,
    /// From one billing day to the next.
    pub per_month: Option<u32>,
    /// Different numbers, from midnight to midnight.
    pub recipients_per_day: Option<u32>,
    /// The day of the month on which the plan's month begins, 1 to 31. A month that has no such day begins on its last.
    pub billing_day: Option<u8>,
    /// Where midnight is meant. `None`: where the machine is.
    pub time_zone: Option<TimeZone>,
}

impl Limits {
    /// These, and the default's where these say nothing.
    pub fn over(&self, defaults: &Self) -> Self {
        Self {
            spacing: self.spacing.or(defaults.spacing),
            per_minute: self.per_minute.or(defaults.per_minute),
            per_hour: self.per_hour.or(defaults.per_hour),
            per_day: self.per_day.or(defaults.per_day),
            per_day_when_new: self.per_day_when_new.or(defaults.per_day_when_new),
            per_month: self.per_month.or(defaults.per_month),
            recipients_per_day: self.recipients_per_day.or(defaults.recipients_per_day),
            billing_day: self.billing_day.or(defaults.billing_day),
            time_zone: self.time_zone.clone().or_else(|| defaults.time_zone.clone()),
        }
    }
}

/// An ICCID as it is printed on the card, or an IMSI.
pub(super) fn card(text: &str) -> Result<SimCard, String> {
    let digits: String = text.chars().filter(|c| !c.is_ascii_whitespace() && *c != '-').collect();
    // Some cards' last digit is a filler, which no modem's answer bears once it is read.
    let digits = digits.trim_end_matches(['F', 'f']);
    if (14..=20).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) {
        Ok(SimCard::new(digits))
    } else {
        Err("must be the number of the card (ICCID), 18 to 20 digits, as otpgate shows it in GET /v1/modems".to_owned())
    }
}

/// A USSD code: what one would dial.
pub(super) fn ussd(text: &str) -> Option<String> {
    let dialled = |c: char| c.is_ascii_digit() || matches!(c, '*' | '#');
    ((2..=32).contains(&text.len()) && text.chars().all(dialled) && text.ends_with('#')).then(|| text.to_owned())
}

/// A pattern by which the balance is found in the network's answer.
pub fn balance_pattern(text: &str) -> Result<Regex, String> {
    let wrong = || {
        "must be a regular expression with one group, in brackets, that is the amount, as in \"balance ([0-9.]+)\""
            .to_owned()
    };
    if text.len() > LONGEST_PATTERN {
        return Err(format!("must have at most {LONGEST_PATTERN} characters"));
    }
    let pattern =
        RegexBuilder::new(text).size_limit(PATTERN_SIZE).build().map_err(|error| format!("{}: {error}", wrong()))?;
    if pattern.captures_len() < 2 { Err(wrong()) } else { Ok(pattern) }
}

const LONGEST_PATTERN: usize = 200;
/// Bytes of a compiled pattern: repetitions of repetitions are beyond it.
const PATTERN_SIZE: usize = 1 << 20;

/// A time zone by its name.
pub(super) fn time_zone(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name).map_err(|_| {
        "must be a time zone that this machine knows, as in \"Europe/Paris\" (a machine without any needs the package \
         tzdata)"
            .to_owned()
    })
}
