//! Who did what: lines of a log that only grows, each chained to the one before.

use super::id::{ClientId, KeyId};
use super::time::Wall;
use std::net::IpAddr;

/// What kind of thing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AuditKind {
    /// A message with a code was taken in.
    CodeSent,
    /// A text was taken in.
    TextSent,
    /// The gateway wrote by itself: an answer to a word, or a SIM card's message to itself.
    OwnSent,
    /// A permission lifted a limit.
    LimitLifted,
    /// An API key was made.
    KeyCreated,
    /// An API key was revoked.
    KeyRevoked,
    /// Somebody came with a key that is none: the first of a minute from that address.
    LogInFailed,
    /// So often that the address was locked out for a while.
    LogInLocked,
    /// An admin put a number on the opt-out list.
    OptOutAdded,
    /// An admin took a number off it.
    OptOutRemoved,
    /// A new master key was asked for.
    MasterRotated,
    /// What holds for an API key was changed.
    KeyChanged,
    /// An API key was made in the place of another.
    KeyRotated,
    /// All sending was stopped.
    SendingStopped,
    /// Sending goes on.
    SendingStarted,
    /// What was counted of a number was forgotten.
    NumberUnlocked,
    /// A number or prefix was put on one of the guard's lists.
    ListAdded,
    /// A number or prefix was taken off one of them.
    ListRemoved,
    /// A modem in quarantine was to be tried at once.
    ModemResumed,
    /// A webhook was made.
    WebhookCreated,
    /// A webhook was ended.
    WebhookDeleted,
    /// A webhook was given another secret.
    WebhookRotated,
    /// A code was given back to its caller.
    CodeReturned,
}

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its place; the first is 1.
    pub sequence: u64,
    /// When.
    pub at: Wall,
    /// What was done.
    pub kind: AuditKind,
    /// With which API key.
    pub key: Option<KeyId>,
    /// On whose behalf.
    pub client: Option<ClientId>,
    /// From where.
    pub address: Option<IpAddr>,
    /// About which number: a keyed hash, the same for one number as long as the log lasts.
    pub number: Option<[u8; 16]>,
    /// The id of the record that it is about.
    pub about: Option<String>,
    /// More, in a word.
    pub detail: Option<String>,
    /// Over this line and the mark of the one before, with the log's own key.
    pub mark: [u8; 32],
}

impl AuditKind {
    /// All of them. New ones are appended.
    pub const ALL: [AuditKind; 23] = [
        Self::CodeSent,
        Self::TextSent,
        Self::OwnSent,
        Self::LimitLifted,
        Self::KeyCreated,
        Self::KeyRevoked,
        Self::LogInFailed,
        Self::LogInLocked,
        Self::OptOutAdded,
        Self::OptOutRemoved,
        Self::MasterRotated,
        Self::KeyChanged,
        Self::KeyRotated,
        Self::SendingStopped,
        Self::SendingStarted,
        Self::NumberUnlocked,
        Self::ListAdded,
        Self::ListRemoved,
        Self::ModemResumed,
        Self::WebhookCreated,
        Self::WebhookDeleted,
        Self::WebhookRotated,
        Self::CodeReturned,
    ];

    /// The word for programs, the same for ever.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CodeSent => "code.sent",
            Self::TextSent => "text.sent",
            Self::OwnSent => "own.sent",
            Self::LimitLifted => "limit.lifted",
            Self::KeyCreated => "key.created",
            Self::KeyRevoked => "key.revoked",
            Self::LogInFailed => "log_in.failed",
            Self::LogInLocked => "log_in.locked",
            Self::OptOutAdded => "opt_out.added",
            Self::OptOutRemoved => "opt_out.removed",
            Self::MasterRotated => "master.rotated",
            Self::KeyChanged => "key.changed",
            Self::KeyRotated => "key.rotated",
            Self::SendingStopped => "sending.stopped",
            Self::SendingStarted => "sending.started",
            Self::NumberUnlocked => "number.unlocked",
            Self::ListAdded => "list.added",
            Self::ListRemoved => "list.removed",
            Self::ModemResumed => "modem.resumed",
            Self::WebhookCreated => "webhook.created",
            Self::WebhookDeleted => "webhook.deleted",
            Self::WebhookRotated => "webhook.rotated",
            Self::CodeReturned => "code.returned",
        }
    }

    /// The inverse of [`AuditKind::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_read_back() {
        for kind in AuditKind::ALL {
            assert_eq!(AuditKind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(AuditKind::parse("code.read"), None);
    }
}
