//! The master keys that a store stands on: the one that seals and, after a rotation, older ones until nothing on disk
//! names them any more.

use super::envelope::master_of;
use super::keyring::{Keyring, MasterId};
use super::master_key::KeyError;
use crate::ops::random::{self, Random};
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The master keys, with the place where they are kept.
#[derive(Clone)]
pub struct Masters {
    current: Keyring,
    /// Newest first.
    older: Vec<Keyring>,
    keeper: Option<Arc<dyn KeyKeeper>>,
}

/// Where master keys are kept.
pub trait KeyKeeper: Send + Sync {
    /// Keeps these and no others, the current one first. All or nothing, and durable when it returns.
    fn keep(&self, keys: &[Keyring]) -> Result<(), KeyError>;
}

impl Masters {
    /// The current key and older ones. Without a keeper a rotation is forgotten with the process.
    pub fn new(current: Keyring, older: Vec<Keyring>, keeper: Option<Arc<dyn KeyKeeper>>) -> Self {
        Self { current, older, keeper }
    }

    /// The one that seals.
    pub fn current(&self) -> &Keyring {
        &self.current
    }

    /// Those that only open, newest first.
    pub fn older(&self) -> &[Keyring] {
        &self.older
    }

    /// All of them, the current one first.
    pub(super) fn all(&self) -> impl Iterator<Item = &Keyring> {
        std::iter::once(&self.current).chain(&self.older)
    }

    /// The one with this id.
    pub(super) fn of(&self, id: MasterId) -> Option<&Keyring> {
        self.all().find(|key| key.id() == id)
    }

    /// The one that a value was sealed and counted with. If its header names none of them it is damaged; then it was not
    /// re-sealed, and the oldest is the one.
    pub(super) fn that_sealed(&self, value: &[u8]) -> &Keyring {
        let named = master_of(value).and_then(|id| self.of(id));
        named.or(self.older.last()).unwrap_or(&self.current)
    }

    /// Makes a new current key, which is kept before anything is sealed with it.
    pub(super) fn rotate(&mut self, random: &dyn Random) -> Result<(), KeyError> {
        let master = Zeroizing::new(random::bytes(random));
        let mut keys = vec![Keyring::new(&master)];
        keys.extend(self.all().cloned());
        self.keep(&keys)?;
        self.current = keys.remove(0);
        self.older = keys;
        Ok(())
    }

    /// Forgets the older keys.
    pub(super) fn forget_older(&mut self) -> Result<(), KeyError> {
        self.keep(std::slice::from_ref(&self.current))?;
        self.older.clear();
        Ok(())
    }

    fn keep(&self, keys: &[Keyring]) -> Result<(), KeyError> {
        self.keeper.as_ref().map_or(Ok(()), |keeper| keeper.keep(keys))
    }
}

impl From<Keyring> for Masters {
    fn from(current: Keyring) -> Self {
        Self::new(current, Vec::new(), None)
    }
}

impl fmt::Debug for Masters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.all()).finish()
    }
}
