//! What is told of this modem: to the board, and to the store.

use super::*;

impl Driver {
    pub(super) fn identified(&mut self, imei: Option<Imei>, sim_card: SimCard) {
        let imei = imei.unwrap_or_else(|| Imei::stand_in(&self.setting.port));
        tracing::info!(modem.slot = self.setting.slot, modem.imei = %imei, %sim_card, "Modem identified");
        self.setting.board.update(self.setting.slot, |view| {
            view.imei = Some(imei.clone());
            view.sim_card = Some(sim_card.clone());
        });
        self.last_here = Some(imei.clone());
        self.identity = Some((imei, sim_card));
        self.show();
        std::mem::take(&mut self.early).into_iter().for_each(|report| self.take(report));
    }

    pub(super) fn show(&mut self) {
        let mut view = self.session.view();
        if let (true, Some((_, reason))) = (view.state.is_ready(), self.rest.until) {
            view.state = ModemState::Waiting;
            view.reason = Some(format!("it rests for some seconds: {reason}"));
        }
        let now = self.setting.clock.now().wall;
        let port = self.setting.port.clone();
        self.setting.board.update(self.setting.slot, |shown| {
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

    /// Tells the store whether this modem can send, when that has changed.
    pub(super) fn tell_readiness(&mut self) {
        let ready = self.identity.clone().filter(|_| self.can_send());
        if ready == self.told_ready {
            return;
        }
        // Called in this order, they arrive in this order.
        if let Some((modem, sim_card)) = self.told_ready.take() {
            tokio::spawn(self.setting.store.set_ready(modem, sim_card, false));
        }
        if let Some((modem, sim_card)) = ready.clone() {
            tokio::spawn(self.setting.store.set_ready(modem, sim_card, true));
        }
        self.told_ready = ready;
    }
}

impl Drop for Driver {
    /// Also when it panicked: what the store was told holds no longer.
    fn drop(&mut self) {
        if let (Some((modem, card)), Ok(runtime)) = (self.told_ready.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(self.setting.store.set_ready(modem, card, false));
        }
    }
}
