//! Which SIM card a message would rather go over: routes by number and operator, the card that reached the number last, and
//! how each card has fared.
//!
//! What is preferred only is given [`PATIENCE`]; then whoever is free takes the message. So the favourite that just died, or
//! that has a long queue, holds nothing up.

use super::retry;
use super::unassigned::NumberHash;
use crate::config::Route;
use crate::domain::equipment::SimCard;
use crate::domain::message::PartResult;
use crate::domain::msisdn::Msisdn;
use crate::domain::time::{Mono, Now, Wall};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The routes of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routes(Vec<Route>);

impl Routes {
    /// Takes them as they stand in the configuration.
    pub fn new(routes: Vec<Route>) -> Self {
        Self(routes)
    }

    /// The route of a number, by its place: that with the longest prefix, of equal ones the first.
    pub fn of(&self, number: &Msisdn) -> Option<u16> {
        let digits = number.reveal_digits();
        let fits = |route: &&Route| digits.starts_with(route.prefix.trim_start_matches('+'));
        let best = self.0.iter().filter(fits).map(|route| route.prefix.len()).max()?;
        let place = self.0.iter().position(|route| route.prefix.len() == best && fits(&route))?;
        u16::try_from(place).ok()
    }

    /// Whether nothing but this route's SIM cards may take its messages.
    pub fn is_strict(&self, route: u16) -> bool {
        self.0.get(usize::from(route)).is_some_and(|route| route.strict)
    }

    /// Whether a SIM card, registered with this operator, is one of this route's.
    pub fn names(&self, route: u16, sim_card: &SimCard, operator: Option<&str>) -> bool {
        let Some(route) = self.0.get(usize::from(route)) else { return true };
        let by_card = route.sim_cards.is_empty() || route.sim_cards.contains(sim_card);
        let same = |wanted: &String| operator.is_some_and(|name| plain(name) == plain(wanted));
        by_card && route.operator.as_ref().is_none_or(same)
    }
}

/// An operator's name, as modems spell it in various ways.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// How a SIM card has fared of late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// The last eight parts, the latest in the lowest bit: whether each failed.
    failures: u8,
    last: Mono,
}

impl Health {
    /// Takes in what became of a part, unless that was the message's own fault, or the modem's: one that takes no message
    /// must be given the next, or nobody would know that it is back.
    pub fn settled(&mut self, result: PartResult, now: Mono) {
        let failed = match result {
            PartResult::Accepted(_) => false,
            PartResult::NotSent(reason) if retry::is_the_messages(reason) || retry::is_the_modems(reason) => return,
            PartResult::NotSent(_) | PartResult::Uncertain(_) => true,
        };
        self.failures = (self.of_late(now) << 1) | u8::from(failed);
        self.last = now;
    }

    /// How badly: 0 is well, 4 is the worst. One failure is soon forgotten.
    pub fn trouble(&self, now: Mono) -> u8 {
        self.of_late(now).count_ones().div_ceil(2) as u8
    }

    fn of_late(&self, now: Mono) -> u8 {
        if now - self.last < REMEMBERED { self.failures } else { 0 }
    }
}

/// Which SIM card reached a number last, for the latest many thousand numbers. In memory: what the records tell is taken from
/// there at start.
#[derive(Clone, Debug, Default)]
pub struct Reached {
    by: BTreeMap<NumberHash, (SimCard, Wall)>,
    order: BTreeSet<(Wall, NumberHash)>,
}

impl Reached {
    /// The network took a message for this number from this SIM card then.
    pub fn put(&mut self, number: NumberHash, sim_card: &SimCard, at: Wall) {
        if let Some((_, before)) = self.by.get(&number) {
            if *before > at {
                return;
            }
            self.order.remove(&(*before, number));
        }
        self.by.insert(number, (sim_card.clone(), at));
        self.order.insert((at, number));
        if self.order.len() > NUMBERS_KEPT
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.by.remove(&oldest);
        }
    }

    /// The SIM card that reached this number last, and not too long ago.
    pub fn by(&self, number: NumberHash, now: &Now) -> Option<&SimCard> {
        self.by.get(&number).filter(|(_, at)| now.wall - *at < REACHED).map(|(sim_card, _)| sim_card)
    }
}

/// How long a message waits for a SIM card that is only preferred.
pub const PATIENCE: Duration = Duration::from_secs(5);
const REMEMBERED: Duration = Duration::from_secs(600);
const REACHED: Duration = Duration::from_secs(30 * 24 * 3600);
const NUMBERS_KEPT: usize = 32_768;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::reason::Reason;

    fn route(prefix: &str, cards: &[&str], operator: Option<&str>) -> Route {
        Route {
            prefix: prefix.to_owned(),
            sim_cards: cards.iter().map(|card| SimCard::new(*card)).collect(),
            operator: operator.map(str::to_owned),
            strict: false,
        }
    }

    #[test]
    fn the_longest_prefix_is_a_numbers_route() {
        let routes = Routes::new(vec![route("+49", &[], None), route("+4915", &[], None), route("+4915", &[], None)]);
        for (number, expected) in
            [("+4915112345678", Some(1)), ("+493012345678", Some(0)), ("+14155550100", None), ("+4415112345678", None)]
        {
            assert_eq!(routes.of(&Msisdn::parse(number).unwrap()), expected, "{number}");
        }
        assert_eq!(Routes::default().of(&Msisdn::parse("+4915112345678").unwrap()), None);
    }

    #[test]
    fn a_route_names_cards_operators_or_both() {
        let card = SimCard::new("8901");
        for (name, route, operator, expected) in [
            ("its card", route("+1", &["8901"], None), None, true),
            ("another card", route("+1", &["8902"], None), None, false),
            ("its operator, spelt otherwise", route("+1", &[], Some("T-Mobile")), Some("T Mobile"), true),
            ("another operator", route("+1", &[], Some("T-Mobile")), Some("Orange"), false),
            ("an operator that nobody knows", route("+1", &[], Some("T-Mobile")), None, false),
            ("its card abroad", route("+1", &["8901"], Some("Orange")), Some("T-Mobile"), false),
        ] {
            assert_eq!(Routes::new(vec![route]).names(0, &card, operator), expected, "{name}");
        }
    }

    #[test]
    fn trouble_passes() {
        let at = |s| Mono(Duration::from_secs(s));
        let mut health = Health::default();
        for (n, expected) in (0..).zip([1, 1, 2, 2, 3]) {
            health.settled(PartResult::Uncertain(Reason::NoResult), at(n));
            assert_eq!(health.trouble(at(n)), expected);
        }
        health.settled(PartResult::NotSent(Reason::Cms(1)), at(9));
        assert_eq!(health.trouble(at(9)), 3, "a wrong number says nothing of the card");
        health.settled(PartResult::NotSent(Reason::NotTransmitted), at(9));
        assert_eq!(health.trouble(at(9)), 3, "nor does a modem that took no message");
        for n in 10..18 {
            health.settled(PartResult::Accepted(None), at(n));
        }
        assert_eq!(health.trouble(at(18)), 0);
        health.settled(PartResult::NotSent(Reason::Cms(38)), at(19));
        assert_eq!((health.trouble(at(19)), health.trouble(at(619))), (1, 0), "it is forgotten");
    }

    #[test]
    fn the_latest_card_is_the_one_that_reached_a_number() {
        let (one, two) = (SimCard::new("8901"), SimCard::new("8902"));
        let now = |ms| Now {
            mono: Mono::default(),
            wall: Wall(ms),
            boot: crate::domain::time::BootTime { id: Default::default(), since_boot: Duration::ZERO },
        };
        let mut reached = Reached::default();
        reached.put([1; 16], &two, Wall(20));
        reached.put([1; 16], &one, Wall(10));
        assert_eq!(reached.by([1; 16], &now(30)), Some(&two), "records come in no order");
        reached.put([1; 16], &one, Wall(30));
        assert_eq!(reached.by([1; 16], &now(30)), Some(&one));
        assert_eq!(reached.by([1; 16], &now(30 + 30 * 24 * 3_600_000)), None, "that was long ago");
        for n in 0..NUMBERS_KEPT as u32 {
            let mut number = [2; 16];
            number[..4].copy_from_slice(&n.to_be_bytes());
            reached.put(number, &two, Wall(100));
        }
        assert_eq!((reached.by([1; 16], &now(100)), reached.by.len()), (None, NUMBERS_KEPT));
    }
}
