//! What becomes of the messages that the network took from a SIM card, by its reports. A network that filters a card takes them
//! all the same: nothing arrives, or nothing is reported any more. So a card is measured by what was reported of it before,
//! and by what is reported of others: never by a number alone, and not where the network gives no reports at all.

use super::unassigned::NumberHash;
use crate::domain::msisdn::Msisdn;
use crate::domain::time::{Deadline, Now, Wall};
use std::collections::VecDeque;
use std::time::Duration;

/// What was reported of one SIM card's messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deliveries {
    /// Whether any report has ever come.
    pub reported: bool,
    /// Of all of them.
    pub all: Ratio,
    /// Of those to numbers that begin alike, for the prefixes that were used last.
    pub prefixes: Vec<(Prefix, Ratio)>,
    /// Since when its network seems to filter it, and when one message is to show whether it still does.
    pub filtered: Option<Filtered>,
}

/// How a number begins: its country, and its operator or area.
#[derive(Clone, PartialEq, Eq)]
pub struct Prefix(pub String);

/// A SIM card that seems to be filtered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filtered {
    /// Since when.
    pub since: Wall,
    /// When a message goes over it again, though others could take it.
    pub retry: Deadline,
}

/// How many messages were delivered: of the last ones, and of those before them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ratio {
    /// The last ones, the latest in the lowest bit: whether each was delivered.
    pub last: u32,
    /// How many those are.
    pub count: u8,
    /// How many of those before them were delivered.
    pub delivered_before: u32,
    /// How many those are.
    pub before: u32,
}

/// What has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It seems to be filtered.
    Filtered,
    /// Its messages arrive again.
    Arrives,
}

impl Prefix {
    /// A number's.
    pub fn of(number: &Msisdn) -> Self {
        let digits = number.reveal_digits();
        Self(digits[..digits.len().saturating_sub(OWN_DIGITS)].to_owned())
    }
}

impl std::fmt::Debug for Prefix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Prefix")
    }
}

impl Ratio {
    fn put(&mut self, delivered: bool) {
        if u32::from(self.count) == LAST {
            self.delivered_before += (self.last >> (LAST - 1)) & 1;
            self.before += 1;
            // What was long ago counts less and less.
            if self.before >= REMEMBERED {
                (self.before, self.delivered_before) = (self.before / 2, self.delivered_before / 2);
            }
        } else {
            self.count += 1;
        }
        self.last = ((self.last << 1) | u32::from(delivered)) & ((1 << LAST) - 1);
    }

    /// How many of the last ones were delivered.
    pub fn delivered(&self) -> u32 {
        self.last.count_ones()
    }

    /// Hardly any arrives now.
    fn is_low(&self) -> bool {
        u32::from(self.count) == LAST && self.delivered() * 5 < LAST
    }

    /// Most arrived before.
    fn was_well(&self) -> bool {
        self.before >= LAST && self.delivered_before * 5 >= self.before * 3
    }

    /// Most arrive now.
    fn is_well(&self) -> bool {
        u32::from(self.count) >= LAST / 2 && self.delivered() * 5 >= u32::from(self.count) * 3
    }

    /// Most of what followed arrives.
    fn arrives_again(&self) -> bool {
        self.delivered() >= ARRIVES && self.delivered() * 2 >= u32::from(self.count)
    }
}

impl Deliveries {
    /// Takes in what became of a message: whether it was delivered, or else reported as undelivered, or not reported at all
    /// (`report` is false). `others`: what is known of the other SIM cards.
    pub fn ended(
        &mut self,
        prefix: Prefix,
        delivered: bool,
        report: bool,
        others: &[&Deliveries],
        now: &Now,
    ) -> Option<Change> {
        self.reported |= report;
        self.all.put(delivered);
        // The prefix that was used last stands last.
        let known =
            self.prefixes.iter().position(|(other, _)| *other == prefix).map(|place| self.prefixes.remove(place));
        let (prefix, mut ratio) = known.unwrap_or((prefix, Ratio::default()));
        ratio.put(delivered);
        if self.prefixes.len() >= PREFIXES {
            self.prefixes.remove(0);
        }
        self.prefixes.push((prefix.clone(), ratio));
        if self.filtered.is_some() {
            let again = self.all.arrives_again();
            self.filtered.take_if(|_| again);
            return again.then_some(Change::Arrives);
        }
        let well_elsewhere = |of: &dyn Fn(&Deliveries) -> Option<Ratio>| {
            others.iter().any(|other| of(other).is_some_and(|ratio| ratio.is_well()))
        };
        let by_prefix = ratio.is_low() && (ratio.was_well() || well_elsewhere(&|other| other.of(&prefix)));
        let by_all = self.all.is_low() && (self.all.was_well() || well_elsewhere(&|other| Some(other.all)));
        if !self.reported || !(by_prefix || by_all) {
            return None;
        }
        self.filtered = Some(Filtered { since: now.wall, retry: now.after(RETRY) });
        // What follows shows whether it goes on.
        let ratios = self.prefixes.iter_mut().map(|(_, ratio)| ratio).chain([&mut self.all]);
        ratios.for_each(|ratio| (ratio.last, ratio.count) = (0, 0));
        Some(Change::Filtered)
    }

    fn of(&self, prefix: &Prefix) -> Option<Ratio> {
        self.prefixes.iter().find(|(other, _)| other == prefix).map(|(_, ratio)| *ratio)
    }

    /// Whether any other SIM card is to be preferred now.
    pub fn goes_last(&self, now: &Now) -> bool {
        self.filtered.is_some_and(|filtered| !filtered.retry.passed(now))
    }

    /// A message goes over it. If that was to try it, the next does so later.
    pub fn tried(&mut self, now: &Now) {
        if let Some(filtered) = self.filtered.as_mut().filter(|filtered| filtered.retry.passed(now)) {
            filtered.retry = now.after(RETRY);
        }
    }
}

/// The numbers whose messages were counted last: one phone that is switched off says nothing of a SIM card, however many
/// messages wait for it.
#[derive(Clone, Debug, Default)]
pub struct Counted(VecDeque<NumberHash>);

impl Counted {
    /// Whether a message to this number is to be counted.
    pub fn counts(&mut self, number: NumberHash, delivered: bool) -> bool {
        let counts = delivered || !self.0.contains(&number);
        if counts {
            self.0.push_back(number);
        }
        if self.0.len() > LAST as usize {
            self.0.pop_front();
        }
        counts
    }
}

/// What is wrong with a SIM card that seems to be filtered, and what to do about it.
pub const FILTERED: &str = "Hardly any of its last messages was reported as delivered, though before, or over other SIM cards, most \
     were: its network may filter what it sends; send less over it, and ask the operator. Other cards go first; one message \
     an hour tries it";

/// So many messages are looked at; with fewer nothing is judged.
pub const LAST: u32 = 20;
/// The digits at a number's end that are its own.
const OWN_DIGITS: usize = 6;
const REMEMBERED: u32 = 400;
const PREFIXES: usize = 32;
/// So many must arrive until it is believed to be in order again.
const ARRIVES: u32 = 3;
const RETRY: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::{BootTime, Mono};

    fn at(seconds: u64) -> Now {
        let since_boot = Duration::from_secs(seconds);
        Now {
            mono: Mono(since_boot),
            boot: BootTime { since_boot, id: Default::default() },
            wall: Wall(seconds as i64 * 1000),
        }
    }

    fn prefix(text: &str) -> Prefix {
        Prefix(text.to_owned())
    }

    /// So many messages, of which this share arrives; what the last of them changed.
    fn send(card: &mut Deliveries, to: &str, count: u32, percent: u32, others: &[&Deliveries]) -> Option<Change> {
        let one = |n: u32, card: &mut Deliveries| {
            let delivered = (n + 1) * percent / 100 > n * percent / 100;
            card.ended(prefix(to), delivered, delivered, others, &at(0))
        };
        (0..count).filter_map(|n| one(n, card)).last()
    }

    #[test]
    fn l14_a_card_is_measured_by_itself_and_by_others() {
        let mut well = Deliveries::default();
        assert_eq!(send(&mut well, "49151", 40, 90, &[]), None);
        for (name, before, now, others, expected) in [
            ("it was well before", Some(80), 5, vec![], Some(Change::Filtered)),
            ("others are well", None, 5, vec![&well], Some(Change::Filtered)),
            ("nobody is better", None, 5, vec![], None),
            ("it never was better", Some(40), 5, vec![], None),
            ("it is not that bad", Some(80), 25, vec![&well], None),
            ("there are no reports at all", None, 0, vec![&well], None),
        ] {
            let mut card = Deliveries::default();
            if let Some(percent) = before {
                assert_eq!(send(&mut card, "49151", 40, percent, &[]), None, "{name}");
            }
            assert_eq!(send(&mut card, "49151", 20, now, &others), expected, "{name}: {card:?}");
            assert_eq!(card.filtered.is_some(), expected.is_some(), "{name}");
        }
        let mut card = Deliveries::default();
        send(&mut card, "49151", 40, 90, &[]);
        assert_eq!(send(&mut card, "49151", 15, 0, &[]), None, "fewer than twenty say nothing");
    }

    #[test]
    fn l14_one_destination_that_filters_is_seen_beside_others_that_do_not() {
        let mut card = Deliveries::default();
        for _ in 0..40 {
            assert_eq!(card.ended(prefix("49151"), true, true, &[], &at(0)), None);
            assert_eq!(card.ended(prefix("33612"), true, true, &[], &at(0)), None);
        }
        let mut filtered = None;
        for n in 0..20 {
            assert_eq!(filtered, None, "{n}");
            assert_eq!(card.ended(prefix("49151"), true, true, &[], &at(0)), None);
            filtered = card.ended(prefix("33612"), false, false, &[], &at(0));
            if n >= 16 && filtered.is_some() {
                break;
            }
        }
        assert_eq!(filtered, Some(Change::Filtered));
    }

    #[test]
    fn l14_one_message_an_hour_tries_it_and_when_most_arrive_it_is_over() {
        let mut card = Deliveries::default();
        send(&mut card, "49151", 40, 100, &[]);
        assert_eq!(send(&mut card, "49151", 20, 0, &[]), Some(Change::Filtered));
        assert!(card.goes_last(&at(3599)) && !card.goes_last(&at(3600)));
        card.tried(&at(3599));
        assert!(!card.goes_last(&at(3600)), "it went over it since there was no other");
        card.tried(&at(3600));
        assert!(card.goes_last(&at(7199)) && !card.goes_last(&at(7200)));
        let mut arrives = |delivered| card.ended(prefix("49151"), delivered, true, &[], &at(0));
        // Three did not since it was clear.
        let became = [true, false, true, true, true].map(&mut arrives);
        assert_eq!(became, [None, None, None, None, Some(Change::Arrives)]);
        assert!(!card.goes_last(&at(0)));
    }

    #[test]
    fn a_phone_that_is_switched_off_counts_once() {
        let mut counted = Counted::default();
        assert!(counted.counts([1; 16], false) && !counted.counts([1; 16], false));
        assert!(counted.counts([1; 16], true), "but what arrives does");
        (2..30).for_each(|n| assert!(counted.counts([n; 16], false)));
        assert!(counted.counts([1; 16], false), "after many others");
    }

    #[test]
    fn only_so_many_prefixes_are_remembered_and_none_is_shown() {
        let mut card = Deliveries::default();
        for n in 0..100 {
            card.ended(prefix(&format!("49{n}")), true, true, &[], &at(0));
        }
        assert_eq!(card.prefixes.len(), PREFIXES);
        assert_eq!(card.prefixes.last().unwrap().0, prefix("4999"));
        assert!(!format!("{card:?}").contains("4999"));
        assert_eq!(Prefix::of(&Msisdn::parse("+4915112345678").unwrap()), prefix("4915112"));
    }
}
