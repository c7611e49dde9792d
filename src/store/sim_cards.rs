//! Which SIM cards can send, and which could a moment ago.
//!
//! A message avoids the SIM cards that refused it, or left it uncertain, while another can send it. One that is gone for
//! a moment, as while its modem is set up anew or otpgate starts, still counts: to ask the same card again at once would
//! be to spend a message's last try on the card that has just refused it.

use crate::domain::equipment::{Imei, SimCard};
use crate::domain::time::Mono;
use std::collections::BTreeMap;
use std::time::Duration;

/// The SIM cards. See the module's text.
#[derive(Default)]
pub(super) struct SimCards {
    ready: BTreeMap<Imei, SimCard>,
    gone: BTreeMap<SimCard, Mono>,
}

impl SimCards {
    /// This modem can send over this SIM card now, or can't.
    pub(super) fn set_ready(&mut self, modem: Imei, sim_card: Option<SimCard>, now: Mono) {
        let before = match sim_card {
            Some(sim_card) => self.ready.insert(modem, sim_card),
            None => self.ready.remove(&modem),
        };
        if let Some(gone) = before {
            self.was_ready(gone, now);
        }
        let Self { ready, gone } = self;
        gone.retain(|card, at| now < *at + COMES_BACK && !ready.values().any(|r| r == card));
    }

    /// This SIM card could send until now, as far as anybody knows.
    pub(super) fn was_ready(&mut self, sim_card: SimCard, now: Mono) {
        self.gone.insert(sim_card, now);
    }

    /// Whether a SIM card that is neither this one nor among those can send now.
    pub(super) fn another_is_ready(&self, than: &SimCard, avoid: &[SimCard]) -> bool {
        self.ready.values().any(|other| other != than && !avoid.contains(other))
    }

    /// Whether this SIM card may take a message that avoids those.
    pub(super) fn may_take(&self, sim_card: &SimCard, avoid: &[SimCard], now: Mono) -> bool {
        let back = self.gone.iter().filter(|(_, at)| now < **at + COMES_BACK).map(|(card, _)| card);
        !avoid.contains(sim_card) || self.ready.values().chain(back).all(|other| avoid.contains(other))
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
        let (avoid, mut cards) = ([card(1)], SimCards::default());
        assert!(cards.may_take(&card(1), &avoid, at(0)), "there is no other");
        cards.set_ready(modem(1), Some(card(1)), at(0));
        assert!(cards.may_take(&card(1), &avoid, at(0)), "it is the only one");
        cards.set_ready(modem(2), Some(card(2)), at(0));
        assert!(!cards.may_take(&card(1), &avoid, at(0)));
        assert!(cards.may_take(&card(2), &avoid, at(0)) && cards.another_is_ready(&card(1), &[]));
        cards.set_ready(modem(2), None, at(10));
        assert!(!cards.another_is_ready(&card(1), &[]) && !cards.may_take(&card(1), &avoid, at(39)));
        assert_eq!(cards.next_change(at(10)), Some(at(40)));
        assert!(cards.may_take(&card(1), &avoid, at(40)));
        // Moved to another modem, whose news came first.
        cards.set_ready(modem(3), Some(card(2)), at(50));
        cards.set_ready(modem(2), None, at(50));
        assert!(!cards.may_take(&card(1), &avoid, at(100)) && cards.next_change(at(50)).is_none());
    }
}
