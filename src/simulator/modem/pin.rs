//! The card's life: its PIN, its contacts, and one card for another (TS 27.007 §8.3, TS 31.101 §9).

use super::settings::Card;
use super::{Event, Failure, Identity, VirtualModem};
use crate::domain::time::Mono;

impl VirtualModem {
    /// `AT+CPIN=`
    pub(super) fn enter_pin(&mut self, now: Mono, pin: &str) -> Result<(), Failure> {
        self.counts.pins_typed += 1;
        let entered = self.card.enter(&self.options, pin);
        if entered.is_ok() {
            self.card_is_busy(now);
            self.look_for_network(now);
        }
        match self.faults.pin_answer_lost.strike(&mut self.dice) {
            Some(_) => Err(Failure::Unsaid),
            None => entered,
        }
    }

    pub(super) fn card_is_busy(&mut self, now: Mono) {
        if let Some(time) = self.faults.card_busy.strike(&mut self.dice) {
            self.card.busy = true;
            self.timers.add(now + time, Event::CardIsFree);
        }
    }

    pub(super) fn card_is_free(&mut self, now: Mono) {
        self.card.busy = false;
        self.look_for_network(now);
    }

    /// Loses the card's contact, if that is the fault.
    pub(super) fn lose_card(&mut self) {
        if let Some(until) = self.faults.card_lost.strike(&mut self.dice) {
            self.card.lost = Some(until);
            self.urc_at_once("+CPIN: NOT READY");
            self.leave_network();
        }
    }

    /// `AT+CFUN=0` takes the card's power: it forgets that it was opened.
    pub(super) fn card_off(&mut self) {
        if self.card.lost != Some(crate::simulator::faults::CardLoss::PowerCycle) {
            self.card.lock(&self.options);
        }
    }

    pub(super) fn other_card(&mut self, number: usize) {
        let Identity { iccid, imsi, .. } = Identity::numbered(number);
        (self.identity.iccid, self.identity.imsi) = (iccid, imsi);
        self.card = Card::new(&self.options);
    }
}
