//! Sealed, numbered, counted: what stands between the operations and a [`Backend`].
//!
//! At every opening each record is opened and decoded. One that does not decode is kept, set aside and counted, and the
//! rest goes on. But if the records as a whole are not those that the store's own tally says, in the map and in the mark,
//! then records were lost or came back, and sending from such a store could send twice: it is quarantined.

use super::Rotation;
use super::backend::{Backend, BackendError, Change};
use super::envelope::{Plain, master_of, seal, sequence_of, unseal};
use super::inspection::{Aside, IDENTITY, Inspection, TALLY, UNKNOWN, identity};
use super::keyring::{Keyring, MasterId};
use super::master_key::KeyError;
use super::masters::Masters;
use super::record::{Key, MAX_VALUE, Record};
use super::tally::{Tally, digest};
use crate::domain::time::Wall;
use crate::ops::random::{self, Random};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The records of one store.
pub struct Vault<B: Backend> {
    backend: B,
    masters: Masters,
    random: Arc<dyn Random>,
    tally: Tally,
    resealing: Resealing,
    quarantined: Option<String>,
    failed: bool,
}

/// How far the store has come in being sealed with the current master key.
#[derive(Clone, Debug, Default)]
struct Resealing {
    /// Records that name another key: a figure kept up record by record, as the tally is.
    left: u64,
    /// How far the records have been gone through. `None`: to the end. From then on no record that could be sealed anew
    /// bears an older key, since every write seals with the current one.
    behind: Option<Vec<u8>>,
    /// Slots of the mark that name the current key, of two.
    marks: usize,
}

/// What is to be written under a key.
struct Entry {
    plain: Plain,
    keeps_its_key: bool,
}

/// What opening a store found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// The store was made just now.
    pub fresh: bool,
    /// Why it is quarantined, if it is: a sentence that says what to do. Its commits are refused.
    pub quarantined: Option<String>,
    /// Records that did not decode. They are kept, and copied to the side file.
    pub set_aside: usize,
    /// The wall clock at the last commit. `None` if that can't be known, or the store is new.
    pub last_wall: Option<Wall>,
    /// What the operator should know, though all works: a sentence each.
    pub alarms: Vec<String>,
}

/// Whether a store's messages go to real phones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// Its messages go out over real modems.
    Real,
    /// Its messages go to the virtual network only.
    Simulated,
}

/// Why a store can't be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// The store is sound as far as can be seen, but was sealed with another master key.
    WrongKey {
        /// The one it was sealed with.
        store: MasterId,
        /// The one given.
        given: MasterId,
    },
    /// The store is of the other kind.
    WrongKind(StoreKind),
    /// The disk.
    Backend(BackendError),
}

/// Why a record can't be read, or a batch not written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VaultError {
    /// A record is larger than [`MAX_VALUE`]. Nothing was written.
    TooLarge,
    /// The record does not decode; it was set aside.
    Damaged,
    /// The store is quarantined. Nothing was written.
    Quarantined,
    /// The disk. Nobody knows what was written; the store must be opened anew, and every further commit is refused.
    Backend(BackendError),
    /// An earlier commit failed.
    Failed,
}

impl<B: Backend> Vault<B> {
    /// Opens a store, or makes one where there is nothing. `each` gets every sound record, in the order of the keys.
    pub fn open(
        mut backend: B,
        masters: impl Into<Masters>,
        random: Arc<dyn Random>,
        kind: StoreKind,
        now: Wall,
        mut each: impl FnMut(Key, Record),
    ) -> Result<(Self, Opened), OpenError> {
        let masters = masters.into();
        let found = Inspection::of(&backend, &masters, &mut each)?;
        if let Some(store) = found.other_key() {
            return Err(OpenError::WrongKey { store, given: masters.current().id() });
        }
        if let Some(other) = found.kind.filter(|k| *k != kind) {
            return Err(OpenError::WrongKind(other));
        }
        let fresh = found.is_empty();
        let quarantined = if fresh { None } else { found.quarantine() };
        if !found.aside.is_empty() {
            let lines: Vec<String> = found.aside.iter().map(Aside::line).collect();
            backend.keep_aside(&lines)?;
        }
        let opened = Opened {
            fresh,
            quarantined: quarantined.clone(),
            set_aside: found.aside.len(),
            last_wall: found.said.or(found.marked).map(|t| t.wall),
            alarms: backend.alarms(),
        };
        let tally = found.said.unwrap_or_default();
        // A rotation that did not come to its end goes on.
        let behind = (!masters.older().is_empty()).then(Vec::new);
        let resealing = Resealing { left: found.older, behind, marks: found.current_marks };
        let mut vault = Self { backend, masters, random, tally, resealing, quarantined, failed: false };
        if fresh {
            vault.found(kind, now)?;
        } else if opened.quarantined.is_none() && found.marked.map(|t| t.sequence) != Some(tally.sequence) {
            // The last batch came to disk but its mark did not. Unless that is made up for, the next mark goes where
            // the only sound one stands.
            vault.backend.commit(&[], &tally.slot(vault.masters.current()))?;
        }
        Ok((vault, opened))
    }

    /// One record. `None`: there is none.
    pub fn get(&self, key: Key) -> Result<Option<Record>, VaultError> {
        let bytes = key.to_bytes();
        let Some(value) = self.backend.get(&bytes)? else { return Ok(None) };
        let plain = unseal(&self.masters, &bytes, &value).map_err(|_| VaultError::Damaged)?;
        Record::decode(key, &plain).map(Some).ok_or(VaultError::Damaged)
    }

    /// Copies a record that does not decode to the side file; the record itself stays where it is. `false`: there is none.
    pub fn set_aside(&mut self, key: Key) -> Result<bool, VaultError> {
        let bytes = key.to_bytes();
        let Some(value) = self.backend.get(&bytes)? else { return Ok(false) };
        let reason = match unseal(&self.masters, &bytes, &value) {
            Ok(_) => UNKNOWN,
            Err(bad) => bad.reason(),
        };
        let aside = Aside { key: bytes.to_vec(), value, reason };
        self.backend.keep_aside(&[aside.line()])?;
        Ok(true)
    }

    /// Writes all changes or none; `None` erases a record. The last change of a key counts. Durable when it returns.
    pub fn commit(&mut self, now: Wall, changes: Vec<(Key, Option<Record>)>) -> Result<(), VaultError> {
        if self.quarantined.is_some() {
            return Err(VaultError::Quarantined);
        }
        if self.failed {
            return Err(VaultError::Failed);
        }
        let changes: BTreeMap<Key, Option<Record>> = changes.into_iter().collect();
        let mut raw = Vec::with_capacity(changes.len());
        for (key, record) in changes {
            debug_assert!(record.as_ref().is_none_or(|r| r.fits(key)), "a {} record under another key", key.kind());
            let entry = record.map(|r| Entry { keeps_its_key: r.keeps_its_key(), plain: r.encode() });
            raw.push((key.to_bytes().to_vec(), entry));
        }
        let behind = self.reseal_some(&mut raw)?;
        self.write(now, raw)?;
        self.resealing.behind = behind;
        Ok(())
    }

    /// Why it is quarantined, if it is.
    pub fn quarantined(&self) -> Option<&str> {
        self.quarantined.as_deref()
    }

    /// The master keys.
    pub fn masters(&self) -> &Masters {
        &self.masters
    }

    /// The sub-keys that a record hangs on: those it is sealed with or, if it is not on disk yet, those it will be.
    pub fn keyring_of(&self, key: Key) -> Result<&Keyring, VaultError> {
        let value = self.backend.get(&key.to_bytes())?;
        Ok(value.map_or(self.masters.current(), |value| self.masters.that_sealed(&value)))
    }

    /// How far the rotation of the master key is.
    pub fn rotation(&self) -> Rotation {
        Rotation {
            current: self.masters.current().id(),
            older: self.masters.older().iter().map(Keyring::id).collect(),
            resealing: self.is_resealing(),
            left: self.resealing.left,
        }
    }

    /// Makes a new master key, which seals from now on. Not between an operation and the commit of what it changed.
    pub fn rotate(&mut self) -> Result<(), KeyError> {
        self.masters.rotate(&*self.random)?;
        self.resealing = Resealing { left: self.tally.live, behind: Some(Vec::new()), marks: 0 };
        Ok(())
    }

    /// Whether the next commit, even of nothing, brings a rotation on.
    pub fn is_resealing(&self) -> bool {
        let Resealing { left, behind, marks } = &self.resealing;
        let more = behind.is_some() || (*left == 0 && *marks < 2);
        more && !self.masters.older().is_empty() && self.quarantined.is_none() && !self.failed
    }

    /// Whether there are older keys that nothing on disk names any more.
    pub fn has_unused_keys(&self) -> bool {
        let done = self.resealing.left == 0 && !self.is_resealing();
        done && !self.masters.older().is_empty() && self.quarantined.is_none() && !self.failed
    }

    /// Forgets the older keys.
    pub fn forget_unused_keys(&mut self) -> Result<(), KeyError> {
        if self.has_unused_keys() { self.masters.forget_older() } else { Ok(()) }
    }

    /// Batches so far.
    pub fn sequence(&self) -> u64 {
        self.tally.sequence
    }

    /// The disk below, for its free space and alarms.
    pub fn backend(&self) -> &B {
        &self.backend
    }

    /// The first batch: who the store is.
    fn found(&mut self, kind: StoreKind, now: Wall) -> Result<(), OpenError> {
        let entry = Entry { plain: identity(kind), keeps_its_key: false };
        self.write(now, vec![(IDENTITY.to_vec(), Some(entry))]).map_err(|error| match error {
            VaultError::Backend(e) => OpenError::Backend(e),
            other => OpenError::Backend(BackendError::Io(other.to_string())),
        })
    }

    /// Adds records that bear an older key to a batch, a bounded number of them, as they are. Gives how far it came.
    fn reseal_some(&self, batch: &mut Vec<(Vec<u8>, Option<Entry>)>) -> Result<Option<Vec<u8>>, VaultError> {
        let Some(behind) = self.resealing.behind.as_ref().filter(|_| self.is_resealing()) else {
            return Ok(self.resealing.behind.clone());
        };
        let (current, mut found, mut last, mut looked_at) = (self.masters.current().id(), Vec::new(), None, 0);
        self.backend.scan_after(behind, &mut |key, value| {
            looked_at += 1;
            last = Some(key.to_vec());
            if key != TALLY && master_of(value) != Some(current) {
                found.push((key.to_vec(), value.to_vec()));
            }
            looked_at < LOOKED_AT && found.len() < RESEALED
        })?;
        for (key, value) in found {
            // What does not open can't be sealed anew: it stays as it is, and its key with it.
            let Ok(plain) = unseal(&self.masters, &key, &value) else { continue };
            let record = Key::from_bytes(&key).and_then(|key| Record::decode(key, &plain));
            let keeps_its_key = record.is_some_and(|r| r.keeps_its_key());
            if !keeps_its_key && !batch.iter().any(|(changed, _)| *changed == key) {
                batch.push((key, Some(Entry { plain, keeps_its_key })));
            }
        }
        Ok(last)
    }

    fn write(&mut self, now: Wall, records: Vec<(Vec<u8>, Option<Entry>)>) -> Result<(), VaultError> {
        let mut left = self.resealing.left;
        let mut tally = Tally { sequence: self.tally.sequence + 1, wall: now, ..self.tally };
        let mut batch = Vec::with_capacity(records.len() + 1);
        for (key, record) in records {
            let old = self.backend.get(&key)?;
            let mut keyring = self.masters.current();
            if let Some(old) = &old {
                let sealed_it = self.masters.that_sealed(old);
                tally.remove(digest(sealed_it, &key, sequence_of(old)));
                left -= u64::from(master_of(old) != Some(keyring.id()));
                if record.as_ref().is_some_and(|entry| entry.keeps_its_key) {
                    keyring = sealed_it;
                }
            }
            match record {
                Some(Entry { plain, .. }) => {
                    tally.add(digest(keyring, &key, tally.sequence));
                    left += u64::from(keyring.id() != self.masters.current().id());
                    let value = self.seal(keyring, &key, tally.sequence, &plain);
                    if value.len() > MAX_VALUE {
                        return Err(VaultError::TooLarge);
                    }
                    batch.push(Change::Put(key, value));
                }
                None if old.is_some() => batch.push(Change::Delete(key)),
                None => {}
            }
        }
        let current = self.masters.current();
        batch.push(Change::Put(TALLY.to_vec(), self.seal(current, TALLY, tally.sequence, &tally.to_bytes())));
        if let Err(error) = self.backend.commit(&batch, &tally.slot(current)) {
            self.failed = true;
            return Err(error.into());
        }
        self.tally = tally;
        self.resealing.left = left;
        self.resealing.marks = (self.resealing.marks + 1).min(2);
        Ok(())
    }

    fn seal(&self, keyring: &Keyring, key: &[u8], sequence: u64, plain: &[u8]) -> Vec<u8> {
        seal(keyring, random::bytes(&*self.random), key, sequence, plain)
    }
}

impl From<BackendError> for OpenError {
    fn from(error: BackendError) -> Self {
        Self::Backend(error)
    }
}

impl From<BackendError> for VaultError {
    fn from(error: BackendError) -> Self {
        Self::Backend(error)
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongKey { store, given } => write!(
                f,
                "the store was sealed with master key {store}, but the key given is {given}; put the right key in its place"
            ),
            Self::WrongKind(StoreKind::Simulated) => f.write_str(
                "this store was made with --simulate; start with --simulate, or give another data directory",
            ),
            Self::WrongKind(StoreKind::Real) => f.write_str(
                "this store was made for real modems; start without --simulate, or give another data directory",
            ),
            Self::Backend(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for OpenError {}

impl fmt::Display for VaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => write!(f, "the record would be larger than {MAX_VALUE} bytes"),
            Self::Damaged => f.write_str("the record is damaged and was set aside"),
            Self::Quarantined => f.write_str("the store is quarantined"),
            Self::Backend(error) => error.fmt(f),
            Self::Failed => f.write_str("an earlier write failed; start otpgate again"),
        }
    }
}

impl std::error::Error for VaultError {}

impl<B: Backend> fmt::Debug for Vault<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("masters", &self.masters).field("tally", &self.tally).finish_non_exhaustive()
    }
}

/// Records that one commit seals anew, at most: no modem waits long for its own.
const RESEALED: usize = 64;
/// Records that are looked at for that, at most.
const LOOKED_AT: usize = 1024;

#[cfg(test)]
mod tests;
