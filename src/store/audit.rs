//! The audit log: who did what, each line chained to the one before and written in the same commit as what it tells.
//!
//! The chain's key comes from the master key of the day on which the log began, and lies sealed in the log's anchor, with
//! the mark of the last line that was forgotten: so the chain outlives new master keys and its own beginning.

use super::engine::Engine;
use super::record::{Key, Record};
use super::{Page, Permission, StoreError};
use crate::domain::audit::{AuditEntry, AuditKind};
use crate::domain::id::{ClientId, KeyId};
use crate::domain::msisdn::Msisdn;
use crate::domain::time::{Now, Wall};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::net::IpAddr;
use std::time::Duration;

/// Who is behind an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The API key, if there was a good one.
    pub key: Option<KeyId>,
    /// Whose it is.
    pub client: Option<ClientId>,
    /// From where.
    pub address: IpAddr,
    /// Which limits a permission of the key lifted.
    pub lifted: Vec<Permission>,
}

/// Which lines of the log.
#[derive(Clone, Debug, Default)]
pub struct AuditQuery {
    /// Of this kind.
    pub kind: Option<AuditKind>,
    /// About this number.
    pub number: Option<Msisdn>,
    /// At or after this.
    pub since: Option<Wall>,
    /// Before this.
    pub until: Option<Wall>,
    /// Older than this one: the last page's cursor.
    pub before: Option<u64>,
    /// At most so many, 1 to 200.
    pub limit: usize,
}

/// What a walk along the chain came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditWalk {
    /// The oldest line that is kept, and the newest. Nothing was written yet: 1 and 0.
    pub first: u64,
    /// The newest.
    pub last: u64,
    /// Lines that were looked at.
    pub checked: u64,
    /// Where to go on.
    pub next: Option<u64>,
    /// The first line that does not fit, and why.
    pub broken: Option<(u64, &'static str)>,
}

/// What the log begins with.
#[derive(Clone, PartialEq, Eq)]
pub struct AuditAnchor {
    /// The chain's key.
    pub key: [u8; 32],
    /// The oldest line that is kept.
    pub first: u64,
    /// The mark of the line before it.
    pub before: [u8; 32],
}

impl std::fmt::Debug for AuditAnchor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AuditAnchor {{ first: {} }}", self.first)
    }
}

/// The log in memory: its two ends.
pub(super) struct AuditLog {
    anchor: Option<AuditAnchor>,
    last: u64,
    mark: [u8; 32],
    /// When the oldest line was written, once it was looked at.
    oldest: Option<Wall>,
    keep: Duration,
}

impl Default for AuditLog {
    fn default() -> Self {
        Self { anchor: None, last: 0, mark: [0; 32], oldest: None, keep: Duration::from_secs(DEFAULT_DAYS * 86_400) }
    }
}

impl AuditLog {
    /// Takes in a line that is on disk.
    pub(super) fn take(&mut self, entry: &AuditEntry) {
        if entry.sequence > self.last {
            (self.last, self.mark) = (entry.sequence, entry.mark);
        }
    }

    /// Takes in the anchor.
    pub(super) fn take_anchor(&mut self, anchor: AuditAnchor) {
        if self.last < anchor.first {
            // Nothing behind it yet, or all of it was lost: `verify` tells the two apart.
            (self.last, self.mark) = (anchor.first - 1, anchor.before);
        }
        self.anchor = Some(anchor);
    }
}

/// A line to be written: in the commit of what it tells.
pub(super) struct NewAudit {
    pub(super) kind: AuditKind,
    /// Whose it is, where no caller is known.
    pub(super) client: Option<ClientId>,
    pub(super) number: Option<Msisdn>,
    pub(super) about: Option<String>,
    pub(super) detail: Option<String>,
}

impl NewAudit {
    pub(super) fn of(kind: AuditKind) -> Self {
        Self { kind, client: None, number: None, about: None, detail: None }
    }
}

impl Engine {
    /// Writes lines down: of operations that are done, and so are kept.
    pub(super) fn write_audits(&mut self, lines: Vec<(NewAudit, Option<Actor>)>, now: &Now) {
        for (new, actor) in lines {
            let Some(key) = self.audit_key() else { return };
            let (caller, client, address) =
                actor.map_or((None, None, None), |actor| (actor.key, actor.client, Some(actor.address)));
            let mut entry = AuditEntry {
                sequence: self.audit.last + 1,
                at: now.wall,
                kind: new.kind,
                key: caller,
                client: client.or(new.client),
                address,
                number: new.number.as_ref().map(|number| hash_of(&key, number)),
                about: new.about,
                detail: new.detail,
                mark: [0; 32],
            };
            entry.mark = mark_of(&key, &self.audit.mark, &entry);
            self.audit.take(&entry);
            self.put(Key::Audit(entry.sequence), Record::Audit(entry));
        }
    }

    /// The chain's key; the anchor is made with the first line.
    fn audit_key(&mut self) -> Option<[u8; 32]> {
        if let Some(anchor) = &self.audit.anchor {
            return Some(anchor.key);
        }
        let mut mac = mac(self.keyrings().next()?.audit_key());
        mac.update(b"chain");
        let anchor = AuditAnchor { key: mac.finalize().into_bytes().into(), first: 1, before: [0; 32] };
        let key = anchor.key;
        self.put(Key::AuditAnchor, Record::AuditAnchor(anchor.clone()));
        self.audit.take_anchor(anchor);
        Some(key)
    }

    /// How long lines are kept.
    pub(super) fn keep_audits(&mut self, keep: Duration) {
        self.audit.keep = keep;
    }

    /// Forgets some lines that are too old. The anchor remembers where the chain goes on.
    pub(super) fn prune_audits(&mut self, now: &Now) {
        let Some(mut anchor) = self.audit.anchor.clone() else { return };
        let began = anchor.first;
        while anchor.first < self.audit.last && anchor.first - began < PRUNED {
            if self.audit.oldest.is_some_and(|at| now.wall - at <= self.audit.keep) {
                break;
            }
            match self.get(Key::Audit(anchor.first)) {
                Ok(Some(Record::Audit(entry))) if now.wall - entry.at <= self.audit.keep => {
                    self.audit.oldest = Some(entry.at);
                    break;
                }
                Ok(Some(Record::Audit(entry))) => {
                    self.delete(Key::Audit(entry.sequence));
                    anchor = AuditAnchor { first: entry.sequence + 1, before: entry.mark, ..anchor };
                    self.audit.oldest = None;
                }
                // A break in the chain stays, to be seen.
                _ => break,
            }
        }
        if anchor.first != began {
            self.put(Key::AuditAnchor, Record::AuditAnchor(anchor.clone()));
            self.audit.anchor = Some(anchor);
        }
    }

    /// A page of the log, newest first.
    pub(super) fn audit_page(&self, query: &AuditQuery) -> Page<AuditEntry, u64> {
        let Some(anchor) = &self.audit.anchor else { return Page { items: Vec::new(), next: None } };
        let number = query.number.as_ref().map(|number| hash_of(&anchor.key, number));
        let end = query.before.unwrap_or(u64::MAX).min(self.audit.last + 1);
        let mut page = Page { items: Vec::new(), next: None };
        for (read, sequence) in (anchor.first..end).rev().enumerate() {
            let Ok(Some(Record::Audit(entry))) = self.get(Key::Audit(sequence)) else { continue };
            let fits = query.kind.is_none_or(|kind| kind == entry.kind)
                && number.is_none_or(|number| entry.number == Some(number))
                && query.since.is_none_or(|t| entry.at >= t)
                && query.until.is_none_or(|t| entry.at < t);
            if page.items.len() == query.limit || read == READ_AT_ONCE {
                // Sending waits behind this: the rest is another request's.
                page.next = Some(sequence + 1);
                break;
            }
            if fits {
                page.items.push(entry);
            }
        }
        page
    }

    /// Walks along the chain, from this line on and some way.
    pub(super) fn walk_audits(&self, from: u64) -> AuditWalk {
        let Some(anchor) = &self.audit.anchor else {
            return AuditWalk { first: 1, last: 0, checked: 0, next: None, broken: None };
        };
        let begin = from.max(anchor.first);
        let last = self.audit.last;
        let mut walk = AuditWalk { first: anchor.first, last, checked: 0, next: None, broken: None };
        let mut before = match self.get(Key::Audit(begin - 1)) {
            Ok(Some(Record::Audit(entry))) if begin > anchor.first => entry.mark,
            _ if begin > anchor.first => {
                return AuditWalk { broken: Some((begin - 1, MISSING)), ..walk };
            }
            _ => anchor.before,
        };
        for sequence in begin..=last {
            if walk.checked == READ_AT_ONCE as u64 {
                walk.next = Some(sequence);
                break;
            }
            walk.checked += 1;
            let Ok(Some(Record::Audit(entry))) = self.get(Key::Audit(sequence)) else {
                walk.broken = Some((sequence, MISSING));
                break;
            };
            if entry.mark != mark_of(&anchor.key, &before, &entry) {
                walk.broken = Some((sequence, ALTERED));
                break;
            }
            before = entry.mark;
        }
        walk
    }

    /// What was done that is no operation's own: a log-in that failed.
    pub(super) fn audited(&mut self, kind: AuditKind, about: Option<String>) -> Result<(), StoreError> {
        self.refuse_new()?;
        self.audit(NewAudit { about, ..NewAudit::of(kind) });
        Ok(())
    }
}

/// What a number is known by in the log.
fn hash_of(key: &[u8; 32], number: &Msisdn) -> [u8; 16] {
    let mut mac = mac(key);
    mac.update(b"number");
    mac.update(number.reveal_digits().as_bytes());
    let whole: [u8; 32] = mac.finalize().into_bytes().into();
    std::array::from_fn(|n| whole[n])
}

/// The mark of a line: over the one before, and the line as it is on disk.
fn mark_of(key: &[u8; 32], before: &[u8; 32], entry: &AuditEntry) -> [u8; 32] {
    let mut mac = mac(key);
    mac.update(b"line");
    mac.update(before);
    mac.update(&Record::Audit(AuditEntry { mark: [0; 32], ..entry.clone() }).encode());
    mac.finalize().into_bytes().into()
}

fn mac(key: &[u8; 32]) -> Hmac<Sha256> {
    Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length")
}

const MISSING: &str = "it is missing";
const ALTERED: &str = "it is not as it was written, or follows another line than it did";
/// Lines are kept for so many days.
const DEFAULT_DAYS: u64 = 400;
/// Lines that one batch forgets, and that one request reads.
const PRUNED: u64 = 16;
const READ_AT_ONCE: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_altered_gives_another_mark() {
        let line = AuditEntry {
            sequence: 2,
            at: Wall(1),
            kind: AuditKind::CodeSent,
            key: Some(KeyId(1)),
            client: Some(ClientId(1)),
            address: Some([192, 0, 2, 1].into()),
            number: Some([1; 16]),
            about: Some("ver_1".to_owned()),
            detail: None,
            mark: [0; 32],
        };
        let mark = mark_of(&[1; 32], &[1; 32], &line);
        assert_eq!(mark_of(&[1; 32], &[1; 32], &AuditEntry { mark, ..line.clone() }), mark, "its own is not in it");
        let altered = [
            AuditEntry { sequence: 3, ..line.clone() },
            AuditEntry { at: Wall(2), ..line.clone() },
            AuditEntry { kind: AuditKind::TextSent, ..line.clone() },
            AuditEntry { key: None, ..line.clone() },
            AuditEntry { client: Some(ClientId(2)), ..line.clone() },
            AuditEntry { address: None, ..line.clone() },
            AuditEntry { number: Some([2; 16]), ..line.clone() },
            AuditEntry { about: Some("ver_2".to_owned()), ..line.clone() },
            AuditEntry { detail: Some(String::new()), ..line.clone() },
        ];
        for other in &altered {
            assert_ne!(mark_of(&[1; 32], &[1; 32], other), mark, "{other:?}");
        }
        assert_ne!(mark_of(&[1; 32], &[2; 32], &line), mark, "after another line");
        assert_ne!(mark_of(&[2; 32], &[1; 32], &line), mark, "with another key");
    }
}
