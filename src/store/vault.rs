//! Sealed, numbered, counted: what stands between the operations and a [`Backend`].
//!
//! At every opening each record is opened and decoded. One that does not decode is kept, set aside and counted, and the
//! rest goes on. But if the records as a whole are not those that the store's own tally says, in the map and in the mark,
//! then records were lost or came back, and sending from such a store could send twice: it is quarantined.

use super::backend::{Backend, BackendError, Change};
use super::envelope::{Plain, seal, sequence_of, unseal};
use super::inspection::{Aside, IDENTITY, Inspection, TALLY, identity};
use super::keyring::{Keyring, MasterId};
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
    keyring: Keyring,
    random: Arc<dyn Random>,
    tally: Tally,
    quarantined: Option<String>,
    failed: bool,
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
        keyring: Keyring,
        random: Arc<dyn Random>,
        kind: StoreKind,
        now: Wall,
        mut each: impl FnMut(Key, Record),
    ) -> Result<(Self, Opened), OpenError> {
        let found = Inspection::of(&backend, &keyring, &mut each)?;
        if let Some(store) = found.other_key(&keyring) {
            return Err(OpenError::WrongKey { store, given: keyring.id() });
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
        let mut vault = Self { backend, keyring, random, tally, quarantined, failed: false };
        if fresh {
            vault.found(kind, now)?;
        } else if opened.quarantined.is_none() && found.marked.map(|t| t.sequence) != Some(tally.sequence) {
            // The last batch came to disk but its mark did not. Unless that is made up for, the next mark goes where
            // the only sound one stands.
            vault.backend.commit(&[], &tally.slot(&vault.keyring))?;
        }
        Ok((vault, opened))
    }

    /// One record. `None`: there is none.
    pub fn get(&self, key: Key) -> Result<Option<Record>, VaultError> {
        let bytes = key.to_bytes();
        let Some(value) = self.backend.get(&bytes)? else { return Ok(None) };
        let plain = unseal(&self.keyring, &bytes, &value).map_err(|_| VaultError::Damaged)?;
        Record::decode(key, &plain).map(Some).ok_or(VaultError::Damaged)
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
            raw.push((key.to_bytes().to_vec(), record.map(|r| r.encode())));
        }
        self.write(now, raw)
    }

    /// Why it is quarantined, if it is.
    pub fn quarantined(&self) -> Option<&str> {
        self.quarantined.as_deref()
    }

    /// The sub-keys.
    pub fn keyring(&self) -> &Keyring {
        &self.keyring
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
        self.write(now, vec![(IDENTITY.to_vec(), Some(identity(kind)))]).map_err(|error| match error {
            VaultError::Backend(e) => OpenError::Backend(e),
            other => OpenError::Backend(BackendError::Io(other.to_string())),
        })
    }

    fn write(&mut self, now: Wall, records: Vec<(Vec<u8>, Option<Plain>)>) -> Result<(), VaultError> {
        let mut tally = Tally { sequence: self.tally.sequence + 1, wall: now, ..self.tally };
        let mut batch = Vec::with_capacity(records.len() + 1);
        for (key, record) in records {
            let old = self.backend.get(&key)?;
            if let Some(old) = &old {
                tally.remove(digest(&self.keyring, &key, sequence_of(old)));
            }
            match record {
                Some(plain) => {
                    tally.add(digest(&self.keyring, &key, tally.sequence));
                    let value = self.seal(&key, tally.sequence, &plain);
                    if value.len() > MAX_VALUE {
                        return Err(VaultError::TooLarge);
                    }
                    batch.push(Change::Put(key, value));
                }
                None if old.is_some() => batch.push(Change::Delete(key)),
                None => {}
            }
        }
        batch.push(Change::Put(TALLY.to_vec(), self.seal(TALLY, tally.sequence, &tally.to_bytes())));
        if let Err(error) = self.backend.commit(&batch, &tally.slot(&self.keyring)) {
            self.failed = true;
            return Err(error.into());
        }
        self.tally = tally;
        Ok(())
    }

    fn seal(&self, key: &[u8], sequence: u64, plain: &[u8]) -> Vec<u8> {
        seal(&self.keyring, random::bytes(&*self.random), key, sequence, plain)
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
        f.debug_struct("Vault").field("keyring", &self.keyring).field("tally", &self.tally).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
