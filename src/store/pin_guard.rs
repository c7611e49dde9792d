//! The PINs that were typed at each SIM card, on disk before they are typed.

use super::engine::Engine;
use super::keyring::pin_digest;
use super::record::{Key, Record};
use super::{PinEntry, StoreError};
use crate::domain::equipment::{Imei, SimCard};
use crate::domain::pin::{PinHistory, PinHolder, PinOutcome, PinRefused};
use std::fmt;

/// What is known of one card's PINs, or of those typed in one modem at a card that did not tell which it is.
#[derive(Clone, PartialEq, Eq)]
pub struct PinGuard {
    /// Whose.
    pub holder: PinHolder,
    /// What the PINs are hashed with.
    pub key: [u8; 32],
    /// The PINs.
    pub history: PinHistory,
    /// Of a modem: the card that was open in it last.
    pub last_card: Option<SimCard>,
}

impl fmt::Debug for PinGuard {
    /// Without the key, by which a few thousand tries would find the PIN.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PinGuard").field("holder", &self.holder).field("tried", &self.history.0.len()).finish()
    }
}

impl Engine {
    pub(super) fn enter_pin(&mut self, entry: &PinEntry) -> Result<Result<(), PinRefused>, StoreError> {
        self.refuse_writes()?;
        // Also what was typed at this modem's unknown cards counts: this one may have been among them.
        for holder in [PinHolder::SimCard(entry.sim_card.clone()), PinHolder::Modem(entry.modem.clone())] {
            let guard = self.pin_guard(&holder)?;
            let pin = pin_digest(&guard.key, entry.pin.reveal());
            if let Err(refused) = guard.history.may_type(pin, entry.tries_left) {
                return Ok(Err(refused));
            }
        }
        self.change_guards(entry, PinHistory::type_it)?;
        Ok(Ok(()))
    }

    pub(super) fn pin_ended(&mut self, entry: &PinEntry, outcome: PinOutcome) -> Result<(), StoreError> {
        self.refuse_writes()?;
        self.change_guards(entry, |history, pin| history.ended(pin, outcome))
    }

    pub(super) fn card_is_open(&mut self, modem: Imei, sim_card: SimCard) -> Result<Option<SimCard>, StoreError> {
        self.refuse_writes()?;
        let mut of_card = self.pin_guard(&PinHolder::SimCard(sim_card.clone()))?;
        if of_card.history.card_is_open() {
            self.put_pin_guard(of_card);
        }
        let mut of_modem = self.pin_guard(&PinHolder::Modem(modem))?;
        let settled = of_modem.history.card_is_open();
        let before = of_modem.last_card.replace(sim_card.clone());
        if settled || before.as_ref() != Some(&sim_card) {
            self.put_pin_guard(of_modem);
        }
        Ok(before.filter(|last| *last != sim_card))
    }

    /// What is on record, or a new record. A damaged one is an error: what it forbade is not known.
    pub(super) fn pin_guard(&self, holder: &PinHolder) -> Result<PinGuard, StoreError> {
        let place = self.pin_guards.get(holder).copied();
        let place = place.unwrap_or_else(|| self.keyring().pin_place(&named(holder)));
        match self.get(Key::PinGuard(place))? {
            Some(Record::PinGuard(guard)) if guard.holder == *holder => Ok(guard),
            Some(_) => Err(StoreError::Damaged),
            None => {
                let key = self.keyring().pin_key(&named(holder));
                let history = PinHistory::default();
                Ok(PinGuard { holder: holder.clone(), key, history, last_card: None })
            }
        }
    }

    fn put_pin_guard(&mut self, guard: PinGuard) {
        let place = self.keyring().pin_place(&named(&guard.holder));
        let place = *self.pin_guards.entry(guard.holder.clone()).or_insert(place);
        self.put(Key::PinGuard(place), Record::PinGuard(guard));
    }

    fn change_guards(
        &mut self,
        entry: &PinEntry,
        change: impl Fn(&mut PinHistory, [u8; 16]),
    ) -> Result<(), StoreError> {
        let modem = (!entry.card_read).then(|| PinHolder::Modem(entry.modem.clone()));
        for holder in [PinHolder::SimCard(entry.sim_card.clone())].into_iter().chain(modem) {
            let mut guard = self.pin_guard(&holder)?;
            let pin = pin_digest(&guard.key, entry.pin.reveal());
            change(&mut guard.history, pin);
            self.put_pin_guard(guard);
        }
        Ok(())
    }
}

fn named(holder: &PinHolder) -> [&[u8]; 2] {
    match holder {
        PinHolder::SimCard(card) => [b"SIM card", card.as_str().as_bytes()],
        PinHolder::Modem(imei) => [b"modem", imei.as_str().as_bytes()],
    }
}
