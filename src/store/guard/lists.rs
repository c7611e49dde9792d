//! What admins have ordered: who is written to never, or always, and whether anything is sent at all.

use crate::domain::audit::AuditKind;
use crate::domain::event::{EventKind, NewEvent};
use crate::domain::guard::{List, Pattern};
use crate::domain::id::ListedId;
use crate::domain::msisdn::Msisdn;
use crate::domain::time::{Now, Wall};
use crate::store::audit::NewAudit;
use crate::store::engine::Engine;
use crate::store::record::{Key, Record};
use crate::store::{Page, StoreError};
use std::collections::BTreeMap;

/// What an admin has ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GuardOrder {
    /// An entry of a list.
    Listed(Listed),
    /// Nothing is sent any more.
    Stopped {
        /// Since when.
        since: Wall,
    },
}

/// An entry of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub id: ListedId,
    /// On which list.
    pub list: List,
    /// A number, or a prefix.
    pub pattern: Pattern,
    /// Since when.
    pub since: Wall,
}

/// Which entries.
#[derive(Clone, Copy, Debug)]
pub struct ListedQuery {
    /// Of which list.
    pub list: List,
    /// Older than this one: the last page's cursor.
    pub before: Option<ListedId>,
    /// At most so many, 1 to 200.
    pub limit: usize,
}

/// The orders in memory.
#[derive(Default)]
pub(in crate::store) struct Orders {
    /// Where each entry is on disk.
    listed: BTreeMap<(List, Pattern), (ListedId, [u8; 16])>,
    by_id: BTreeMap<(List, ListedId), Pattern>,
    stopped: Option<(Wall, [u8; 16])>,
}

impl Orders {
    /// Takes in what is on disk.
    pub(in crate::store) fn take(&mut self, key: [u8; 16], order: GuardOrder) {
        match order {
            GuardOrder::Listed(Listed { id, list, pattern, .. }) => {
                self.by_id.insert((list, id), pattern.clone());
                self.listed.insert((list, pattern), (id, key));
            }
            GuardOrder::Stopped { since } => self.stopped = Some((since, key)),
        }
    }

    /// Since when nothing is sent.
    pub(in crate::store) fn stopped(&self) -> Option<Wall> {
        self.stopped.map(|(since, _)| since)
    }

    /// Whether a number, or a prefix of it, is on a list.
    pub(super) fn has(&self, list: List, number: &Msisdn) -> bool {
        if self.listed.is_empty() {
            return false;
        }
        let digits = number.reveal_digits();
        let prefixes = (1..digits.len()).map(|end| Pattern::Prefix(digits[..end].to_owned()));
        let number = Pattern::Number(number.clone());
        prefixes.chain([number]).any(|pattern| self.listed.contains_key(&(list, pattern)))
    }

    pub(super) fn count(&self, list: List) -> usize {
        self.listed.keys().filter(|(of, _)| *of == list).count()
    }
}

impl Engine {
    /// Puts a number or prefix on a list. One that is there already stays there.
    pub(in crate::store) fn list(&mut self, list: List, pattern: Pattern, now: &Now) -> Result<Listed, StoreError> {
        self.refuse_writes()?;
        let place = (list, pattern);
        if let Some((_, key)) = self.guard.orders.listed.get(&place) {
            return match self.get(Key::GuardOrder(*key))? {
                Some(Record::GuardOrder(GuardOrder::Listed(listed))) => Ok(listed),
                _ => Err(StoreError::Damaged),
            };
        }
        let (list, pattern) = place;
        let revealed = pattern.reveal();
        let key = self.keyring().fingerprint(&[b"guard list", list.as_str().as_bytes(), revealed.as_bytes()]);
        let mut unique = [0; 10];
        unique.copy_from_slice(&key[..10]);
        let listed = Listed { id: ListedId::new(now.wall, unique), list, pattern, since: now.wall };
        self.guard.orders.take(key, GuardOrder::Listed(listed.clone()));
        self.put(Key::GuardOrder(key), Record::GuardOrder(GuardOrder::Listed(listed.clone())));
        self.audit_listed(AuditKind::ListAdded, list, &listed.pattern);
        Ok(listed)
    }

    /// Takes a number or prefix off a list.
    pub(in crate::store) fn unlist(&mut self, list: List, pattern: Pattern) -> Result<(), StoreError> {
        self.refuse_writes()?;
        let (id, key) = self.guard.orders.listed.remove(&(list, pattern.clone())).ok_or(StoreError::NotFound)?;
        self.audit_listed(AuditKind::ListRemoved, list, &pattern);
        self.guard.orders.by_id.remove(&(list, id));
        self.delete(Key::GuardOrder(key));
        Ok(())
    }

    /// A prefix is nobody's number, and is told as far as it is shown elsewhere.
    fn audit_listed(&mut self, kind: AuditKind, list: List, pattern: &Pattern) {
        let number = match pattern {
            Pattern::Number(number) => Some(number.clone()),
            Pattern::Prefix(_) => None,
        };
        self.audit(NewAudit { number, detail: Some(list.as_str().to_owned()), ..NewAudit::of(kind) });
    }

    /// A page of a list, newest first.
    pub(in crate::store) fn listed(&self, query: &ListedQuery) -> Page<Listed, ListedId> {
        let (first, last) = (ListedId(0), query.before.unwrap_or(ListedId(u128::MAX)));
        let orders = &self.guard.orders;
        let entries = orders.by_id.range((query.list, first)..(query.list, last)).rev();
        let entries = entries.filter_map(|((list, _), pattern)| {
            let (_, key) = orders.listed.get(&(*list, pattern.clone()))?;
            match self.get(Key::GuardOrder(*key)) {
                Ok(Some(Record::GuardOrder(GuardOrder::Listed(listed)))) => Some(listed),
                _ => None,
            }
        });
        Page::first_of(entries, query.limit, |listed| listed.id)
    }

    /// Stops all sending, or lets it go on. Says whether that changed anything.
    pub(in crate::store) fn stop_sending(&mut self, stop: bool, now: &Now) -> Result<bool, StoreError> {
        self.refuse_writes()?;
        let sentence = match (self.guard.orders.stopped, stop) {
            (None, true) => {
                let (since, key) = (now.wall, self.keyring().fingerprint(&[b"guard stopped"]));
                self.guard.orders.stopped = Some((since, key));
                self.put(Key::GuardOrder(key), Record::GuardOrder(GuardOrder::Stopped { since }));
                "An admin has stopped all sending; POST /v1/guard/start lets it go on"
            }
            (Some((_, key)), false) => {
                self.guard.orders.stopped = None;
                self.delete(Key::GuardOrder(key));
                "An admin lets sending go on"
            }
            _ => return Ok(false),
        };
        self.audit(NewAudit::of(if stop { AuditKind::SendingStopped } else { AuditKind::SendingStarted }));
        let (kind, sentence) = (EventKind::GuardAlarm, sentence.to_owned());
        self.note(NewEvent { kind, modem: None, sim_card: None, sentence, about: None }, now);
        Ok(true)
    }
}
