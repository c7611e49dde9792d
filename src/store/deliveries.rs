//! What becomes of the messages that the network took, counted for each SIM card and kept: a card whose messages arrive no more
//! goes last, and somebody is told.

use super::engine::Engine;
use super::record::{Key, Record};
use crate::dispatch::delivery::{Change, Deliveries, FILTERED, Prefix};
use crate::domain::equipment::SimCard;
use crate::domain::event::{EventKind, NewEvent};
use crate::domain::message::{Message, PartId, ReportVerdict};
use crate::domain::time::Now;

/// What is kept of one SIM card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRecord {
    /// The card.
    pub sim_card: SimCard,
    /// What was reported of its messages.
    pub deliveries: Deliveries,
}

impl Engine {
    /// A report came for a part, the first that is final.
    pub(super) fn delivery_reported(&mut self, message: &Message, part: PartId, verdict: ReportVerdict, now: &Now) {
        let delivered = match verdict {
            ReportVerdict::Delivered => true,
            ReportVerdict::Failed | ReportVerdict::GaveUp => false,
            ReportVerdict::Unconfirmed | ReportVerdict::StillTrying => return,
        };
        // A message counts once, however long it is.
        if part.part == 0 {
            self.delivery_ended(message, usize::from(part.attempt), delivered, true, now);
        }
    }

    /// No report came for a message as long as one could.
    pub(super) fn delivery_unreported(&mut self, message: &Message, now: &Now) {
        let last = message.attempts.iter().rposition(|attempt| attempt.accepted() > 0);
        if let Some(last) = last
            && message.attempts[last].parts.first().is_some_and(|part| part.report.is_none())
        {
            self.delivery_ended(message, last, false, false, now);
        }
    }

    fn delivery_ended(&mut self, message: &Message, attempt: usize, delivered: bool, report: bool, now: &Now) {
        let Some(sim_card) = message.attempts.get(attempt).map(|attempt| attempt.sim_card.clone()) else { return };
        let number = self.number_hash(&message.to);
        let prefix = Prefix::of(&message.to);
        let Some(change) = self.index.sim_cards.delivered(&sim_card, number, prefix, delivered, report, now) else {
            return;
        };
        match change {
            Some(Change::Filtered) => {
                tracing::error!(%sim_card, "{FILTERED}");
                let (kind, sentence) = (EventKind::SimCardFiltered, format!("{FILTERED}."));
                let sim_card = Some(sim_card.clone());
                self.note(NewEvent { kind, modem: None, sim_card, sentence, about: None }, now);
            }
            Some(Change::Arrives) => {
                tracing::info!(%sim_card, "Messages that went over it are reported as delivered again");
            }
            None => {}
        }
        let hash = self.keyrings().next().map(|ring| ring.fingerprint(&[b"deliveries", sim_card.as_str().as_bytes()]));
        let Some(hash) = hash else { return };
        let (key, deliveries) = self.index.sim_cards.deliveries(&sim_card, hash, now);
        self.put(Key::Delivery(key), Record::Delivery(DeliveryRecord { sim_card, deliveries }));
    }
}
