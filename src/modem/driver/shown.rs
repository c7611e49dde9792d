//! What is told of this modem: to the board, and to the store.

use super::*;
use crate::domain::event::{EventKind, NewEvent};

impl Driver {
    pub(super) fn identified(&mut self, imei: Option<Imei>, sim_card: SimCard) {
        let imei = self.name_of(imei);
        tracing::info!(modem.slot = self.setting.slot, modem.imei = %imei, %sim_card, "Modem identified");
        self.setting.board.update(self.setting.slot, |view| {
            view.imei = Some(imei.clone());
            view.sim_card = Some(sim_card.clone());
        });
        let swapped = self.last_card.replace(sim_card.clone()).is_some_and(|last| last != sim_card);
        self.note_card(&imei, &sim_card, swapped);
        self.watch_balance(&sim_card);
        self.recovery.know(self.session.view().model, self.session.boot());
        self.last_here = Some(imei.clone());
        self.notice_twin(&imei, &sim_card);
        self.identity = Some((imei, sim_card));
        self.take_lessons();
        self.show();
    }

    /// What hangs on the card follows its ICCID by itself. That it is another one is told, also if it was changed while
    /// otpgate did not run.
    fn note_card(&self, imei: &Imei, sim_card: &SimCard, swapped: bool) {
        let (store, slot) = (self.setting.store.clone(), self.setting.slot);
        let remembered = match self.setting.sim_cards.is_empty() {
            true => None,
            false => Some(store.card_is_open(imei.clone(), sim_card.clone())),
        };
        let event = NewEvent {
            kind: EventKind::SimCardSwapped,
            modem: Some(imei.clone()),
            sim_card: Some(sim_card.clone()),
            sentence: format!(
                "Another SIM card, {sim_card}, is in the modem; its own PIN, number and limits hold from now on"
            ),
            about: None,
        };
        tokio::spawn(async move {
            let before = match remembered {
                Some(answer) => answer.await.ok().flatten(),
                None => None,
            };
            if swapped || before.is_some() {
                tracing::warn!(modem.slot = slot, "{}", event.sentence);
                let _ = store.note(event).await;
            }
        });
    }

    pub(super) fn show(&mut self) {
        let mut view = self.session.view();
        if view.state == ModemState::Asking {
            view.reason = Some(self.balance.asks().to_owned());
        } else if view.reason.is_some() && self.told_reason != view.reason {
            tracing::warn!(modem.slot = self.setting.slot, reason = view.reason, "The modem can't send");
        }
        self.told_reason.clone_from(&view.reason);
        if let (true, Some((_, reason))) = (view.state.is_ready(), self.rest.until) {
            view.state = ModemState::Waiting;
            view.reason = Some(format!("it rests for some seconds: {reason}"));
        }
        if let (true, Some(words)) = (view.state.is_ready(), self.balance.words()) {
            (view.state, view.reason) = (ModemState::Waiting, Some(words));
        }
        self.recovery.operator(view.operator.clone());
        let now = self.setting.clock.now().wall;
        let port = self.setting.port.clone();
        let traits = self.traits();
        let card_traits = self.identity.as_ref().and_then(|(_, card)| self.setting.learned.sim_card(card));
        self.setting.board.update(self.setting.slot, |shown| {
            shown.traits = traits;
            shown.card_traits = card_traits;
            if shown.state != view.state {
                shown.since = now;
            }
            shown.port = port;
            shown.state = view.state;
            shown.reason = view.reason;
            shown.manufacturer = view.manufacturer;
            shown.model = view.model;
            shown.revision = view.revision;
            shown.operator = view.operator;
            shown.registration = view.registration.map(str::to_owned);
            shown.technology = view.technology;
            shown.doubtful = view.doubtful;
            shown.signal_dbm = view.signal_dbm;
            shown.quirks = view.quirks;
            shown.degraded = view.degraded.iter().map(|d| (*d).to_owned()).collect();
        });
        self.tell_readiness();
    }

    pub(super) fn show_closed(&self, why: String) {
        let now = self.setting.clock.now().wall;
        let port = self.setting.port.clone();
        self.setting.board.update(self.setting.slot, |view| {
            if view.state != ModemState::Closed {
                view.since = now;
            }
            view.port = port;
            view.state = ModemState::Closed;
            view.reason = Some(why);
        });
    }

    /// Tells the store whether this modem can send, and how well, when that has changed.
    pub(super) fn tell_readiness(&mut self) {
        let ready = self.identity.clone().filter(|_| self.can_send());
        let ready = ready.map(|(modem, sim_card)| (modem, sim_card, self.readiness()));
        if ready == self.told_ready {
            return;
        }
        let same = |a: &(Imei, SimCard, Readiness), b: &(Imei, SimCard, Readiness)| (&a.0, &a.1) == (&b.0, &b.1);
        let stays = self.told_ready.as_ref().zip(ready.as_ref()).is_some_and(|(told, ready)| same(told, ready));
        // Called in this order, they arrive in this order.
        if let Some((modem, sim_card, _)) = self.told_ready.take().filter(|_| !stays) {
            tokio::spawn(self.setting.store.set_ready(modem, sim_card, Readiness::no()));
        }
        if let Some((modem, sim_card, readiness)) = ready.clone() {
            tokio::spawn(self.setting.store.set_ready(modem, sim_card, readiness));
        }
        self.told_ready = ready;
    }

    fn readiness(&self) -> Readiness {
        let view = self.session.view();
        Readiness {
            ready: true,
            doubtful: self.session.is_doubtful(),
            operator: view.operator,
            weak_signal: view.signal_dbm.is_some_and(|dbm| dbm < WEAK_DBM),
            is_virtual: self.session.is_virtual(),
        }
    }
}

impl Drop for Driver {
    /// Also when it panicked: what the store was told holds no longer.
    fn drop(&mut self) {
        if let (Some((modem, card, _)), Ok(runtime)) = (self.told_ready.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(self.setting.store.set_ready(modem, card, Readiness::no()));
        }
    }
}

/// Below this a send often fails or takes long.
const WEAK_DBM: i16 = -105;
