//! Who is at this port: a modem, one of two with the same IMEI, or the other port of a modem that is served already.

use super::*;
use crate::domain::event::EventKind;
use crate::modem::census::{Place, Who};

impl Driver {
    /// Where the port is.
    pub(super) fn place(&self) -> Place {
        let port = &self.setting.port;
        Place { port: port.clone(), usb: self.setting.ports.usb(port) }
    }

    /// The modem has told its IMEI, or has none.
    pub(super) fn named(&mut self, told: Option<Imei>) {
        let who = self.setting.census.named(self.setting.slot, told, self.place());
        self.name = who.key().cloned();
        match who {
            Who::Known(_) => self.told_doubt = None,
            Who::Doubtful(name, why) => self.doubt_name(name, why),
            Who::Spare(of) => self.spare = Some(of),
        }
    }

    /// What names the modem; where it has not told yet, what it has just said.
    pub(super) fn name_of(&self, told: Option<Imei>) -> Imei {
        self.name.clone().or(told).unwrap_or_else(|| self.place().stand_in())
    }

    /// Another modem may have told the same IMEI since. What is on the air ends under the name that it began with.
    pub(super) fn keep_name(&mut self) {
        let under_way = self.flight.is_some() || self.listening || self.outcome.is_some() || self.pin.is_some();
        if under_way || self.identity.is_none() {
            return;
        }
        let Some(Who::Doubtful(name, why)) = self.setting.census.who(self.setting.slot) else { return };
        if self.name.as_ref() == Some(&name) {
            return;
        }
        self.name = Some(name.clone());
        (self.next, self.claiming) = (None, None);
        if let Some((imei, _)) = &mut self.identity {
            *imei = name.clone();
        }
        self.last_here = Some(name.clone());
        self.setting.board.update(self.setting.slot, |view| view.imei = Some(name.clone()));
        self.doubt_name(name, why);
        self.tell_readiness();
    }

    fn doubt_name(&mut self, name: Imei, why: &'static str) {
        if self.told_doubt.as_ref() == Some(&(name.clone(), why)) {
            return;
        }
        self.told_doubt = Some((name.clone(), why));
        self.last_here = Some(name);
        tracing::error!(modem.slot = self.setting.slot, port = %self.setting.port, "{why}");
        self.log_event(EventKind::ModemDoubtful, why.to_owned());
    }

    /// A SIM card is in one modem at a time. What is sent over it is counted by the card all the same.
    pub(super) fn notice_twin(&mut self, modem: &Imei, sim_card: &SimCard) {
        let others = self.setting.census.has_card(self.setting.slot, sim_card);
        let Some(other) = others.into_iter().next() else { return self.told_twin = None };
        if self.told_twin.as_ref() == Some(&(other.clone(), sim_card.clone())) {
            return;
        }
        let sentence = format!(
            "Modem {modem} and modem {other} both tell SIM card {sim_card}: its limits hold for both together; are they two ports of one \
             modem, or is the card a copy?"
        );
        tracing::error!(modem.slot = self.setting.slot, "{sentence}");
        self.told_twin = Some((other, sim_card.clone()));
        let event = crate::domain::event::NewEvent {
            kind: EventKind::SimCardTwice,
            modem: Some(modem.clone()),
            sim_card: Some(sim_card.clone()),
            sentence,
            about: None,
        };
        tokio::spawn(self.setting.store.note(event));
    }

    /// Waits, with the port closed, until its modem is served no more at the other one. `Some`: nobody is there to give orders.
    pub(super) async fn wait_spare(&mut self) -> Option<Closed> {
        let Some(of) = self.spare.clone().filter(|of| self.setting.census.is_at(of)) else {
            self.spare = None;
            return None;
        };
        self.show_closed(format!("it is another port of the modem at {of}, which is used there"));
        let resume = self.setting.resume.clone();
        let wake = self.setting.clock.now().mono + LOOK_AT_OTHER;
        tokio::select! {
            biased;
            order = self.orders.changed() => order.is_err().then_some(Closed::Stopped),
            () = resume.given() => {
                self.resume();
                None
            }
            () = sleep_until(self.setting.clock.instant(wake)) => None,
        }
    }
}

/// How often it is looked whether a modem is still served at its other port.
const LOOK_AT_OTHER: Duration = Duration::from_secs(5);
