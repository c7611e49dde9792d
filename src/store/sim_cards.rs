//! Which SIM cards can send, and which could a moment ago.
//!
//! A message goes first over SIM cards that have not failed it, then over those that left it uncertain or had trouble of
//! their own, and last over those that refused it for good: a worse one takes it only when no better one is expected. One
//! that is gone for a moment, as while its modem is set up anew or otpgate starts, still counts: to ask a card again at
//! once that has just refused would be to spend a message's last try.

use crate::domain::equipment::{Imei, SimCard};
use crate::domain::time::Mono;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The SIM cards. See the module's text.
#[derive(Default)]
pub(super) struct SimCards {
    /// With the modem: two sticks may bear the same IMEI, and a card may be moved.
    ready: BTreeSet<(Imei, SimCard)>,
    gone: BTreeMap<SimCard, Mono>,
}

/// Which SIM cards a message rather does not go over.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Avoided {
    /// All of them.
    pub(super) cards: Vec<SimCard>,
    /// Those of them that refused it for a reason of their own.
    pub(super) barred: Vec<SimCard>,
}

impl Avoided {
    fn rank(&self, sim_card: &SimCard) -> u8 {
        u8::from(self.cards.contains(sim_card)) + u8::from(self.barred.contains(sim_card))
    }
}

impl SimCards {
    /// This modem can send over this SIM card now, or can't.
    pub(super) fn set_ready(&mut self, modem: Imei, sim_card: SimCard, ready: bool, now: Mono) {
        if ready {
            self.ready.insert((modem, sim_card));
        } else if self.ready.remove(&(modem, sim_card.clone())) {
            self.was_ready(sim_card, now);
        }
        let Self { ready, gone } = self;
        gone.retain(|card, at| now < *at + COMES_BACK && !ready.iter().any(|(_, r)| r == card));
    }

    /// This SIM card could send until now, as far as anybody knows.
    pub(super) fn was_ready(&mut self, sim_card: SimCard, now: Mono) {
        self.gone.insert(sim_card, now);
    }

    /// Whether a SIM card that is neither this one nor among those can send now.
    pub(super) fn another_is_ready(&self, than: &SimCard, but: &[SimCard]) -> bool {
        self.ready.iter().any(|(_, other)| other != than && !but.contains(other))
    }

    /// Whether this SIM card may take a message: no better one is expected.
    pub(super) fn may_take(&self, sim_card: &SimCard, avoided: &Avoided, now: Mono) -> bool {
        let back = self.gone.iter().filter(|(_, at)| now < **at + COMES_BACK).map(|(card, _)| card);
        let rank = avoided.rank(sim_card);
        rank == 0 || self.ready.iter().map(|(_, card)| card).chain(back).all(|other| rank <= avoided.rank(other))
    }

    /// When a SIM card that is gone counts no longer.
    pub(super) fn next_change(&self, now: Mono) -> Option<Mono> {
        self.gone.values().map(|at| *at + COMES_BACK).filter(|at| now < *at).min()
    }
}

/// A modem that is set up anew is back by then, as a rule; a code can wait no longer for a better SIM card.
const COMES_BACK: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_avoided_serves_when_no_other_is_expected_back() {
        let card = |n: u8| SimCard::new(format!("card {n}"));
        let modem = |n: u8| Imei::new(format!("imei {n}"));
        let at = |s| Mono::default() + Duration::from_secs(s);
        let avoid = Avoided { cards: vec![card(1)], ..Avoided::default() };
        let mut cards = SimCards::default();
        assert!(cards.may_take(&card(1), &avoid, at(0)), "there is no other");
        cards.set_ready(modem(1), card(1), true, at(0));
        assert!(cards.may_take(&card(1), &avoid, at(0)), "it is the only one");
        cards.set_ready(modem(2), card(2), true, at(0));
        assert!(!cards.may_take(&card(1), &avoid, at(0)));
        assert!(cards.may_take(&card(2), &avoid, at(0)) && cards.another_is_ready(&card(1), &[]));
        cards.set_ready(modem(2), card(2), false, at(10));
        assert!(!cards.another_is_ready(&card(1), &[]) && !cards.may_take(&card(1), &avoid, at(39)));
        assert_eq!(cards.next_change(at(10)), Some(at(40)));
        assert!(cards.may_take(&card(1), &avoid, at(40)));
        // Moved to another modem, whose news came first; and two sticks with one IMEI.
        cards.set_ready(modem(2), card(2), true, at(50));
        cards.set_ready(modem(1), card(2), true, at(50));
        cards.set_ready(modem(2), card(2), false, at(50));
        assert!(!cards.may_take(&card(1), &avoid, at(100)) && cards.next_change(at(50)).is_none());
        // Of two that failed it, the one that only had trouble.
        let both = Avoided { cards: vec![card(1), card(2)], barred: vec![card(2)] };
        assert!(cards.may_take(&card(1), &both, at(100)) && !cards.may_take(&card(2), &both, at(100)));
    }
}
