//! What happened that somebody may want to hear of: lines of a log that programs read, and later of the webhook outbox.

use super::equipment::{Imei, SimCard};
use super::id::{EventId, InboundId, MessageId, WebhookId};
use super::time::Wall;

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventKind {
    /// A message came in, whole or not.
    InboundReceived,
    /// A number does not want to be written to any more.
    OptOutAdded,
    /// A number may be written to again.
    OptOutRemoved,
    /// Somebody asked for help by a keyword.
    HelpAsked,
    /// A modem that had stopped can send again.
    ModemRecovered,
    /// A modem is given up until somebody does something.
    ModemQuarantined,
    /// Another SIM card is in a modem.
    SimCardSwapped,
    /// A SIM card's balance is low.
    SimCardLowBalance,
    /// A SIM card sends nothing any more: barred, no credit, or filtered.
    SimCardBarred,
    /// A message that a SIM card sent to itself did not come back.
    CanaryFailed,
    /// A SIM card's messages are taken, and hardly one is reported as delivered any more.
    SimCardFiltered,
    /// A modem's IMEI is missing, or told by another modem as well.
    ModemDoubtful,
    /// Two modems tell the same SIM card at the same time.
    SimCardTwice,
    /// A webhook can't be told of anything: it fails again and again, is gone, or too much waits for it.
    WebhookFailing,
    /// The guard has seen what looks like an attack.
    GuardAlarm,
}

/// What happened, to be logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// What kind of thing.
    pub kind: EventKind,
    /// With which modem.
    pub modem: Option<Imei>,
    /// With which SIM card.
    pub sim_card: Option<SimCard>,
    /// In words, with what to do about it, if there is something to do. Holds no secret and no full number; what is beyond
    /// [`MAX_SENTENCE`] characters is cut off.
    pub sentence: String,
    /// The id of the record that it is about: of a message that came in, of one that was sent, or of a webhook.
    pub about: Option<u128>,
}

/// What happened, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedEvent {
    /// Its id.
    pub id: EventId,
    /// Its place in the log.
    pub sequence: u64,
    /// When it was logged.
    pub at: Wall,
    /// What happened.
    pub event: NewEvent,
}

impl EventKind {
    /// All of them. New ones are appended.
    pub const ALL: [EventKind; 15] = [
        Self::InboundReceived,
        Self::OptOutAdded,
        Self::OptOutRemoved,
        Self::HelpAsked,
        Self::ModemRecovered,
        Self::ModemQuarantined,
        Self::SimCardSwapped,
        Self::SimCardLowBalance,
        Self::SimCardBarred,
        Self::CanaryFailed,
        Self::SimCardFiltered,
        Self::ModemDoubtful,
        Self::SimCardTwice,
        Self::WebhookFailing,
        Self::GuardAlarm,
    ];

    /// The word for programs, the same for ever.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InboundReceived => "inbound.received",
            Self::OptOutAdded => "opt_out.added",
            Self::OptOutRemoved => "opt_out.removed",
            Self::HelpAsked => "help.asked",
            Self::ModemRecovered => "modem.recovered",
            Self::ModemQuarantined => "modem.quarantined",
            Self::SimCardSwapped => "sim_card.swapped",
            Self::SimCardLowBalance => "sim_card.low_balance",
            Self::SimCardBarred => "sim_card.barred",
            Self::CanaryFailed => "canary.failed",
            Self::SimCardFiltered => "sim_card.filtered",
            Self::ModemDoubtful => "modem.doubtful",
            Self::SimCardTwice => "sim_card.twice",
            Self::WebhookFailing => "webhook.failing",
            Self::GuardAlarm => "guard.alarm",
        }
    }

    /// The inverse of [`EventKind::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

impl LoggedEvent {
    /// The record that it is about, as the API names it.
    pub fn about(&self) -> Option<String> {
        let id = self.event.about?;
        Some(match self.event.kind {
            EventKind::InboundReceived | EventKind::OptOutAdded | EventKind::OptOutRemoved | EventKind::HelpAsked => {
                InboundId(id).to_string()
            }
            EventKind::WebhookFailing => WebhookId(id).to_string(),
            _ => MessageId(id).to_string(),
        })
    }
}

/// Characters in an event's sentence, at most: it fits a record with room to spare.
pub const MAX_SENTENCE: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_read_back() {
        for kind in EventKind::ALL {
            assert_eq!(EventKind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(EventKind::parse("modem.lost"), None);
    }
}
