//! Webhooks: who is told of what, and each piece of news on its way to one of them.

use super::id::{ClientId, DeliveryId, WebhookId};
use super::secret::Secret;
use super::time::{Deadline, Now, Wall};
use std::time::Duration;

/// Somebody who wants to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// Whose messages and verifications it is told of. `None`: everybody's, and what happens to the box itself.
    pub client: Option<ClientId>,
    /// Where it is told. May hold a secret of the receiver's.
    pub url: Secret,
    /// What it wants to be told of: words, or groups of them as in `message.*`. Empty: everything that it may.
    pub events: Vec<String>,
    /// How it is told.
    pub form: Form,
    /// Whether it is told what a message that came in says.
    pub include_text: bool,
    /// What signs: base64 of random bytes.
    pub secret: Secret,
    /// What signed before, and signs as well for a while.
    pub older: Option<OldSecret>,
    /// When it was made.
    pub created: Wall,
    /// When its receiver said that it is gone, or otpgate was told to leave it alone.
    pub gone: Option<Wall>,
}

/// A signing secret that has been replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldSecret {
    /// The secret.
    pub secret: Secret,
    /// Until when it signs beside the new one.
    pub until: Deadline,
}

/// In whose words a webhook is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Our own.
    Native,
    /// MyOTP.App's: what became of the messages that carry codes.
    MyOtp,
}

/// A piece of news on its way to one webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its id, the same at each attempt: `webhook-id`.
    pub id: DeliveryId,
    /// Whom it is for.
    pub webhook: WebhookId,
    /// Its place in the order in which things happened.
    pub sequence: u64,
    /// What it is about: news of the same subject are told in order.
    pub subject: u128,
    /// What happened, in a word.
    pub event: String,
    /// When it happened.
    pub created: Wall,
    /// What is told; gone once it was.
    pub body: Option<Secret>,
    /// Where it stands.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: u32,
    /// How the last attempt ended.
    pub last: Option<Attempted>,
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// It is to be tried, but not before this.
    Waiting {
        /// When.
        due: Deadline,
    },
    /// The receiver has it.
    Delivered {
        /// Since when.
        at: Wall,
    },
    /// It is not tried any more unless somebody asks for it.
    Dead {
        /// Since when.
        at: Wall,
        /// Why.
        why: Dead,
    },
}

/// Why a delivery is not tried any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dead {
    /// It was tried as often as it may be.
    GaveUp,
    /// The receiver answered 410: nobody is there any more.
    Gone,
    /// Too many waited behind it.
    QueueFull,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempted {
    /// When.
    pub at: Wall,
    /// The status that was answered, if one was.
    pub status: Option<u16>,
    /// What went wrong, in words; nothing if nothing did. Cut off beyond [`MAX_WHY`] characters.
    pub why: Option<String>,
}

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An answer came.
    Answered {
        /// Its status.
        status: u16,
        /// When the receiver wants to be asked again, if it says.
        retry_after: Option<Duration>,
    },
    /// None came.
    Failed(String),
}

impl Webhook {
    /// Whether it wants to be told of this.
    pub fn wants(&self, event: &str) -> bool {
        let group = event.split('.').next().unwrap_or_default();
        self.events.is_empty()
            || self.events.iter().any(|word| word == event || word.strip_suffix(".*").is_some_and(|g| g == group))
    }

    /// Whether it may be told of this client's affairs.
    pub fn hears_of(&self, client: ClientId) -> bool {
        self.client.is_none_or(|own| own == client)
    }

    /// What signs now, the newest first.
    pub fn secrets(&self, now: &Now) -> Vec<Secret> {
        let older = self.older.iter().filter(|older| !older.until.passed(now)).map(|older| older.secret.clone());
        std::iter::once(self.secret.clone()).chain(older).collect()
    }

    /// Takes a new secret; the one until now signs beside it for so long.
    pub fn rotate(&mut self, secret: Secret, overlap: Duration, now: &Now) {
        let secret = std::mem::replace(&mut self.secret, secret);
        self.older = (!overlap.is_zero()).then(|| OldSecret { secret, until: now.after(overlap) });
    }
}

impl Form {
    /// Both.
    pub const ALL: [Form; 2] = [Self::Native, Self::MyOtp];

    /// The word that the API uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::MyOtp => "myotp",
        }
    }
}

impl Delivery {
    /// An attempt has ended. `pause`: how long to wait for the next, if there may be one.
    pub fn ended(&mut self, outcome: &Outcome, pause: Option<Duration>, now: &Now) {
        self.attempts = self.attempts.saturating_add(1);
        let at = now.wall;
        let why = outcome.why().map(|why| why.chars().take(MAX_WHY).collect());
        self.last = Some(Attempted { at, status: outcome.status(), why });
        self.state = match (outcome, pause) {
            _ if outcome.is_taken() => {
                self.body = None;
                DeliveryState::Delivered { at }
            }
            _ if outcome.is_gone() => DeliveryState::Dead { at, why: Dead::Gone },
            (_, Some(pause)) => DeliveryState::Waiting { due: now.after(pause) },
            (_, None) => DeliveryState::Dead { at, why: Dead::GaveUp },
        };
    }

    /// Tries a dead one anew, from the first attempt on. False: it is not dead, or there is nothing left to tell.
    pub fn replay(&mut self, now: &Now) -> bool {
        let can = matches!(self.state, DeliveryState::Dead { .. }) && self.body.is_some();
        if can {
            self.state = DeliveryState::Waiting { due: now.after(Duration::ZERO) };
            self.attempts = 0;
        }
        can
    }
}

impl DeliveryState {
    /// The word that the API shows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting { .. } => "waiting",
            Self::Delivered { .. } => "delivered",
            Self::Dead { .. } => "dead",
        }
    }
}

impl Dead {
    /// The word that the API shows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::GaveUp => "gave_up",
            Self::Gone => "gone",
            Self::QueueFull => "queue_full",
        }
    }
}

impl Outcome {
    /// Whether the receiver has it now.
    pub fn is_taken(&self) -> bool {
        self.status().is_some_and(|status| (200..300).contains(&status))
    }

    /// Whether the receiver says that there is nobody any more.
    pub fn is_gone(&self) -> bool {
        self.status() == Some(410)
    }

    /// When the receiver wants to be asked again, if it says.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Answered { retry_after, .. } => *retry_after,
            Self::Failed(_) => None,
        }
    }

    fn status(&self) -> Option<u16> {
        match self {
            Self::Answered { status, .. } => Some(*status),
            Self::Failed(_) => None,
        }
    }

    /// What went wrong, in words.
    pub fn why(&self) -> Option<String> {
        match self {
            _ if self.is_taken() => None,
            Self::Answered { status: status @ 300..=399, .. } => {
                Some(format!("answered {status}: redirects are not followed, give the address it leads to"))
            }
            Self::Answered { status, .. } => Some(format!("answered {status}")),
            Self::Failed(why) => Some(why.clone()),
        }
    }
}

/// Characters of what went wrong, at most.
pub const MAX_WHY: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::{BootId, BootTime, Mono};

    fn at(secs: u64) -> Now {
        let since_boot = Duration::from_secs(secs);
        Now { mono: Mono(since_boot), boot: BootTime { id: BootId(1), since_boot }, wall: Wall(1_000_000) + since_boot }
    }

    fn webhook() -> Webhook {
        Webhook {
            id: WebhookId(1),
            client: None,
            url: "https://example.org/".into(),
            events: Vec::new(),
            form: Form::Native,
            include_text: false,
            secret: "b25l".into(),
            older: None,
            created: Wall(0),
            gone: None,
        }
    }

    fn delivery() -> Delivery {
        Delivery {
            id: DeliveryId(1),
            webhook: WebhookId(1),
            sequence: 1,
            subject: 1,
            event: "message.delivered".into(),
            created: Wall(0),
            body: Some("{}".into()),
            state: DeliveryState::Waiting { due: at(0).after(Duration::ZERO) },
            attempts: 0,
            last: None,
        }
    }

    #[test]
    fn events_are_words_or_groups_of_them() {
        let wants = |events: &[&str], event: &str| {
            Webhook { events: events.iter().map(|e| (*e).to_owned()).collect(), ..webhook() }.wants(event)
        };
        let rows: [(&[&str], &str, bool); 7] = [
            (&[], "message.failed", true),
            (&["message.failed"], "message.failed", true),
            (&["message.failed"], "message.delivered", false),
            (&["message.*"], "message.delivered", true),
            (&["message.*"], "verification.created", false),
            (&["sim_card.*", "modem.quarantined"], "sim_card.barred", true),
            (&["sim_card.*", "modem.quarantined"], "modem.recovered", false),
        ];
        for (events, event, expected) in rows {
            assert_eq!(wants(events, event), expected, "{events:?} {event}");
        }
    }

    #[test]
    fn an_older_secret_signs_until_its_time_is_over() {
        let mut webhook = webhook();
        webhook.rotate("dHdv".into(), Duration::from_secs(60), &at(0));
        assert_eq!(webhook.secrets(&at(59)), ["dHdv".into(), "b25l".into()]);
        assert_eq!(webhook.secrets(&at(60)), ["dHdv".into()]);
        webhook.rotate("dGhyZWU=".into(), Duration::ZERO, &at(61));
        assert_eq!(webhook.secrets(&at(61)), ["dGhyZWU=".into()], "at once");
    }

    #[test]
    fn what_comes_of_an_attempt() {
        let answered = |status| Outcome::Answered { status, retry_after: None };
        let pause = Some(Duration::from_secs(5));
        let rows = [
            (answered(204), pause, "delivered"),
            (answered(299), None, "delivered"),
            (answered(302), pause, "waiting"),
            (answered(404), pause, "waiting"),
            (answered(410), pause, "dead"),
            (answered(500), None, "dead"),
            (Outcome::Failed("timed out".into()), pause, "waiting"),
            (Outcome::Failed("timed out".into()), None, "dead"),
        ];
        for (outcome, pause, expected) in rows {
            let mut delivery = delivery();
            delivery.ended(&outcome, pause, &at(1));
            assert_eq!((delivery.state.as_str(), delivery.attempts), (expected, 1), "{outcome:?}");
            assert_eq!(delivery.body.is_none(), expected == "delivered", "{outcome:?}");
            assert_eq!(delivery.last.unwrap().why.is_none(), expected == "delivered", "{outcome:?}");
        }
    }

    #[test]
    fn only_a_dead_one_is_tried_anew() {
        let mut delivery = delivery();
        assert!(!delivery.replay(&at(1)), "it waits");
        delivery.ended(&Outcome::Failed("x".into()), None, &at(1));
        assert!(delivery.replay(&at(2)));
        assert_eq!((delivery.state.as_str(), delivery.attempts), ("waiting", 0));
        delivery.ended(&Outcome::Answered { status: 200, retry_after: None }, None, &at(3));
        assert!(!delivery.replay(&at(4)), "it was delivered");
    }
}
