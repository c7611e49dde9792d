//! The balance of a prepaid SIM card: asked once a day, and when sends are refused as they are without credit.

use super::*;
use crate::config::balance_pattern;
use crate::domain::amount::Amount;
use crate::domain::event::EventKind;

/// What is known of the balance, and when it is asked for.
#[derive(Default)]
pub(super) struct BalanceWatch {
    /// Whose.
    of: Option<SimCard>,
    due: Option<Mono>,
    asked: Option<Mono>,
    /// It is under the mark that the configuration sets: which is the balance, and which the mark.
    low: Option<(Amount, Amount)>,
}

impl BalanceWatch {
    /// Whether it is to be asked for before anything else is sent.
    pub(super) fn is_due(&self, now: Mono) -> bool {
        self.due.is_some_and(|due| due <= now)
    }

    pub(super) fn due(&self) -> Option<Mono> {
        self.due
    }

    pub(super) fn is_low(&self) -> bool {
        self.low.is_some()
    }

    /// Why nothing is sent, in words.
    pub(super) fn words(&self) -> Option<String> {
        let (balance, mark) = self.low?;
        Some(format!(
            "its balance, {balance}, is below low_balance ({mark}), so it takes no more messages; top the SIM card up: its balance is \
             asked for every hour, and at a restart"
        ))
    }
}

impl Driver {
    /// The card is known: if it is another one, nothing of the last one's balance holds.
    pub(super) fn watch_balance(&mut self, sim_card: &SimCard) {
        if self.balance.of.as_ref() == Some(sim_card) {
            return;
        }
        let due = self.card_config(sim_card).is_some_and(|card| card.ussd.is_some());
        let due = due.then(|| self.setting.clock.now().mono + FIRST);
        self.balance = BalanceWatch { of: Some(sim_card.clone()), due, ..BalanceWatch::default() };
        self.setting.board.update(self.setting.slot, |view| view.balance = None);
    }

    /// A refusal that a card without credit gets (row L13).
    pub(super) fn doubt_balance(&mut self, result: PartResult) {
        let now = self.setting.clock.now().mono;
        let doubtful = matches!(result, PartResult::NotSent(Reason::Cms(8 | 21 | 34 | 38 | 50)));
        if doubtful && self.balance.due.is_some() {
            let soonest = self.balance.asked.map_or(now, |asked| asked + HOUR);
            self.balance.due = self.balance.due.map(|due| due.min(soonest.max(now)));
        }
    }

    /// Asks for the balance, if that is due and the modem has nothing to do. True if it did.
    pub(super) fn ask_balance(&mut self) -> bool {
        let now = self.setting.clock.now().mono;
        let idle = self.session.is_free() && self.flight.is_none() && self.next.is_none() && self.stopping().is_none();
        if !idle || !self.balance.is_due(now) {
            return false;
        }
        let code = self.balance.of.as_ref().and_then(|card| self.card_config(card)).and_then(|card| card.ussd.clone());
        // Others may have what would come to it meanwhile.
        self.claiming = None;
        self.balance.due = Some(now + HOUR);
        self.balance.asked = Some(now);
        if let Some(code) = &code {
            self.session.handle_input(now, Input::ServiceCode(code));
        }
        code.is_some()
    }

    /// The network's answer, or none.
    pub(super) fn balance_told(&mut self, text: Option<Secret>) {
        let slot = self.setting.slot;
        let Some(sim_card) = self.balance.of.clone() else { return };
        let Some(card) = self.card_config(&sim_card).cloned() else { return };
        let found = text.as_ref().and_then(|text| amount_in(text.reveal(), card.ussd_pattern.as_deref()?));
        match (found, text.is_some()) {
            (None, false) => {
                tracing::warn!(modem.slot = slot, %sim_card, "The network did not tell the balance; it is asked again in an hour");
            }
            (None, true) => {
                tracing::warn!(modem.slot = slot, %sim_card, "No amount was found in the network's answer by ussd_pattern; dial the code in a phone and compare");
            }
            (Some(balance), _) => {
                self.setting.board.update(slot, |view| view.balance = Some(balance.to_string()));
                self.weigh(balance, &card);
                let again = if self.balance.is_low() { HOUR } else { DAY };
                self.balance.due = Some(self.setting.clock.now().mono + again);
            }
        }
        self.show();
    }

    fn weigh(&mut self, balance: Amount, card: &SimCardConfig) {
        let was_low = self.balance.is_low();
        self.balance.low = card.low_balance.filter(|mark| balance < *mark).map(|mark| (balance, mark));
        let (slot, sim_card) = (self.setting.slot, &card.iccid);
        match (was_low, self.balance.is_low()) {
            (false, true) => {
                let sentence = format!(
                    "The balance of SIM card {sim_card} is low; it takes no more messages until it is topped up"
                );
                tracing::error!(modem.slot = slot, "{sentence}");
                self.log_event(EventKind::SimCardLowBalance, sentence);
                self.next = None;
                self.claiming = None;
            }
            (true, false) => {
                tracing::info!(modem.slot = slot, %sim_card, "The SIM card's balance is no longer low; it sends again")
            }
            _ => {}
        }
    }

    /// What the configuration says of a card.
    pub(super) fn card_config(&self, sim_card: &SimCard) -> Option<&SimCardConfig> {
        self.setting.sim_cards.iter().find(|card| card.iccid == *sim_card)
    }
}

/// The amount that a pattern's first group finds.
fn amount_in(text: &str, pattern: &str) -> Option<Amount> {
    let pattern = balance_pattern(pattern).ok()?;
    Amount::parse(pattern.captures(text)?.get(1)?.as_str())
}

/// After a modem is known for the first time.
const FIRST: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l13_the_first_group_is_the_amount() {
        let rows = [
            ("Your balance is 10.00 USD, valid until 01/02", r"balance is ([0-9.,]+)", Some("10.00")),
            ("Solde: 1,50 EUR", r"Solde\s*:\s*(-?[0-9]+[.,][0-9]{2})", Some("1.50")),
            ("no amount", r"([0-9]+)", None),
            ("10.00", "([0-9", None),
        ];
        for (text, pattern, found) in rows {
            assert_eq!(amount_in(text, pattern).map(|a| a.to_string()).as_deref(), found, "{text}");
        }
    }
}
