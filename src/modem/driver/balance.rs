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
    /// Since when it is due, nothing is on the air, and the modem has no time for it.
    held: Option<Mono>,
    /// The query under way was ended, since a message waited.
    cut_off: bool,
    /// How often in a row.
    cut_offs: u8,
    /// It is under the mark that the configuration sets: which is the balance, and which the mark.
    low: Option<(Amount, Amount)>,
}

/// What ends a query that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Yields {
    Nobody,
    Urgent,
    Anybody,
}

impl BalanceWatch {
    /// Whether it is to be asked for before anything else is sent.
    pub(super) fn is_due(&self, now: Mono) -> bool {
        self.due.is_some_and(|due| due <= now)
    }

    /// When it is due, or no longer worth holding messages up for, or the query under way is not.
    pub(super) fn next_change(&self, now: Mono) -> Option<Mono> {
        let held = [self.held, self.asked].into_iter().flatten().map(|since| since + HOLDS);
        held.chain(self.due).filter(|at| *at > now).min()
    }

    /// Which messages are worth more than the query under way. One has the time that networks mostly answer in; then any
    /// message ends it. An urgent one ends it at once, unless that has happened so often in a row that the balance would
    /// never be known.
    pub(super) fn yields(&self, now: Mono) -> Yields {
        match self.asked {
            _ if self.cut_off => Yields::Anybody,
            Some(asked) if now < asked + HOLDS && self.cut_offs < CUT_OFFS => Yields::Urgent,
            Some(asked) if now < asked + HOLDS => Yields::Nobody,
            _ => Yields::Anybody,
        }
    }

    /// What the modem does meanwhile, in words.
    pub(super) fn asks(&self) -> &'static str {
        match self.cut_off {
            true => "it stops asking the network for its SIM card's balance, to send a message",
            false => "it asks the network for its SIM card's balance; a message that waits ends that, a code at once",
        }
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
        let idle = self.session.is_free() && self.stopping().is_none();
        if !self.balance.is_due(now) || self.flight.is_some() || self.next.is_some() {
            self.balance.held = None;
            return false;
        }
        if !idle {
            // What comes in, or the modem itself, may keep it busy for long; messages are not held up for that.
            if now >= *self.balance.held.get_or_insert(now) + HOLDS {
                (self.balance.due, self.balance.held) = (Some(now + PUT_OFF), None);
            }
            return false;
        }
        self.balance.held = None;
        let code = self.balance.of.as_ref().and_then(|card| self.card_config(card)).and_then(|card| card.ussd.clone());
        // Others may have what would come to it meanwhile.
        self.claiming = None;
        self.balance.due = Some(now + HOUR);
        self.balance.asked = Some(now);
        self.balance.cut_off = false;
        if let Some(code) = &code {
            self.session.handle_input(now, Input::ServiceCode(code));
        }
        code.is_some()
    }

    /// Ends the query under way, if a message waits. True if it did.
    pub(super) fn cut_balance_short(&mut self) -> bool {
        if self.next.is_none() || self.balance.cut_off || !self.session.asks_network() {
            return false;
        }
        self.balance.cut_off = true;
        self.session.handle_input(self.setting.clock.now().mono, Input::EndServiceCode);
        true
    }

    /// The network's answer, or none.
    pub(super) fn balance_told(&mut self, text: Option<Secret>) {
        let slot = self.setting.slot;
        let Some(sim_card) = self.balance.of.clone() else { return };
        let Some(card) = self.card_config(&sim_card).cloned() else { return };
        let found = text.as_ref().and_then(|text| amount_in(text.reveal(), card.ussd_pattern.as_deref()?));
        self.balance.cut_offs =
            if self.balance.cut_off && text.is_none() { self.balance.cut_offs.saturating_add(1) } else { 0 };
        match (found, text.is_some()) {
            (None, false) if self.balance.cut_off => {
                tracing::info!(modem.slot = slot, %sim_card, "The balance is asked for later: a message waited");
                self.balance.due = Some(self.setting.clock.now().mono + CUT_OFF);
            }
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
/// For so long the query holds messages up: until it can be asked, and then until it is answered. Networks mostly answer
/// within some seconds.
const HOLDS: Duration = Duration::from_secs(10);
/// From a query that could not be asked to the next try.
const PUT_OFF: Duration = Duration::from_secs(300);
/// From a query that was ended for a message to the next one.
const CUT_OFF: Duration = Duration::from_secs(600);
/// Ended so often in a row, a query has its [`HOLDS`] also when a code waits.
const CUT_OFFS: u8 = 3;
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
