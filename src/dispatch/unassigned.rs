//! Numbers that the network calls unassigned (RP-cause 1, `+CMS ERROR: 1`): asked again, they would only be refused
//! again, and the caller is told at once.

use crate::domain::equipment::SimCard;
use crate::domain::time::Mono;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A number, as whoever asks knows it: by a hash.
pub type NumberHash = [u8; 16];

/// The numbers. In memory: what is forgotten costs one refusal.
#[derive(Default)]
pub struct Unassigned {
    until: BTreeMap<NumberHash, Mono>,
    order: BTreeSet<(Mono, NumberHash)>,
    /// The last two numbers that each SIM card reached.
    reached: BTreeMap<SimCard, [Option<(NumberHash, Mono)>; 2]>,
}

impl Unassigned {
    /// The network took a message for this number.
    pub fn reached(&mut self, sim_card: &SimCard, number: NumberHash, now: Mono) {
        self.forget(number);
        let [last, before] = self.reached.entry(sim_card.clone()).or_default();
        if last.is_some_and(|(other, _)| other != number) {
            *before = *last;
        }
        *last = Some((number, now));
    }

    /// The network called this number unassigned. Believed only if the same SIM card has just reached another: one that is
    /// barred or not provisioned is told the same of every number.
    pub fn refused(&mut self, sim_card: &SimCard, number: NumberHash, now: Mono) {
        let reached = self.reached.get(sim_card).into_iter().flatten().flatten();
        if !reached.into_iter().any(|(other, at)| *other != number && now - *at <= PROOF) {
            return;
        }
        self.forget(number);
        self.until.insert(number, now + BELIEVED);
        self.order.insert((now + BELIEVED, number));
        if self.order.len() > MOST
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.until.remove(&oldest);
        }
    }

    /// For how long this number still counts as unassigned, if it does.
    pub fn for_how_long(&self, number: NumberHash, now: Mono) -> Option<Duration> {
        self.until.get(&number).filter(|until| **until > now).map(|until| *until - now)
    }

    fn forget(&mut self, number: NumberHash) {
        if let Some(until) = self.until.remove(&number) {
            self.order.remove(&(until, number));
        }
    }
}

/// How long a message that was taken shows that the SIM card is in order.
const PROOF: Duration = Duration::from_secs(600);
/// How long the network is taken at its word: numbers are given out again, though not within the hour.
const BELIEVED: Duration = Duration::from_secs(2 * 3600);
const MOST: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_unassigned_only_if_the_sim_card_reaches_others() {
        let (one, two) = (SimCard::new("8901"), SimCard::new("8902"));
        let at = |s| Mono::default() + Duration::from_secs(s);
        let [wrong, good, other] = [[1; 16], [2; 16], [3; 16]];
        let mut numbers = Unassigned::default();
        numbers.refused(&one, wrong, at(0));
        assert_eq!(numbers.for_how_long(wrong, at(0)), None, "nothing shows that this SIM card can send");
        numbers.reached(&one, wrong, at(1));
        numbers.refused(&one, wrong, at(2));
        assert_eq!(numbers.for_how_long(wrong, at(2)), None, "it was reached itself just now");
        numbers.reached(&one, good, at(3));
        numbers.refused(&two, wrong, at(4));
        assert_eq!(numbers.for_how_long(wrong, at(4)), None, "another SIM card's success");
        numbers.refused(&one, wrong, at(604));
        assert_eq!(numbers.for_how_long(wrong, at(604)), None, "too long ago");
        numbers.refused(&one, wrong, at(603));
        assert_eq!(numbers.for_how_long(wrong, at(603)), Some(BELIEVED));
        assert_eq!(numbers.for_how_long(other, at(603)), None);
        assert_eq!(numbers.for_how_long(wrong, at(603) + BELIEVED), None, "it ends");
        numbers.reached(&two, wrong, at(700));
        assert_eq!(numbers.for_how_long(wrong, at(700)), None, "it was reached after all");
    }

    #[test]
    fn only_so_many_are_remembered() {
        let sim_card = SimCard::new("8901");
        let number = |n: usize| (n as u128).to_be_bytes();
        let mut numbers = Unassigned::default();
        numbers.reached(&sim_card, number(usize::MAX), Mono::default());
        for n in 0..=MOST {
            numbers.refused(&sim_card, number(n), Mono::default() + Duration::from_millis(n as u64));
        }
        let now = Mono::default() + Duration::from_secs(10);
        let known = (0..=MOST).filter(|n| numbers.for_how_long(number(*n), now).is_some()).count();
        assert_eq!((known, numbers.for_how_long(number(0), now)), (MOST, None));
    }
}
