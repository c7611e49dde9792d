//! Message storages (TS 27.005 §2.2.2): `SM` on the card, `ME` in the modem, `SR` for status reports.

use std::collections::BTreeMap;

/// `<stat>` of TS 27.005 §3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// Received, not read.
    RecUnread,
    /// Received, read.
    RecRead,
    /// Stored, not sent.
    StoUnsent,
    /// Stored and sent.
    StoSent,
}

impl Status {
    /// From the number of PDU mode.
    pub(super) fn from_number(number: u8) -> Option<Self> {
        [Self::RecUnread, Self::RecRead, Self::StoUnsent, Self::StoSent].get(usize::from(number)).copied()
    }

    /// The word of text mode.
    pub(super) fn word(self) -> &'static str {
        ["REC UNREAD", "REC READ", "STO UNSENT", "STO SENT"][self as usize]
    }
}

/// A stored TPDU.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) status: Status,
    pub(super) tpdu: Vec<u8>,
}

/// All storages of a modem.
pub(super) struct Storage {
    capacity: usize,
    /// The lowest index.
    first: usize,
    places: BTreeMap<(&'static str, usize), Stored>,
}

impl Storage {
    pub(super) fn new(capacity: usize, first: usize) -> Self {
        Self { capacity, first, places: BTreeMap::new() }
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    /// The storage's own name, if there is one of this name.
    pub(super) fn name(text: &str) -> Option<&'static str> {
        NAMES.into_iter().find(|n| *n == text)
    }

    pub(super) fn used(&self, name: &'static str) -> usize {
        self.places.range((name, 0)..=(name, usize::MAX)).count()
    }

    /// Whether there is a place of this index.
    pub(super) fn has_place(&self, index: usize) -> bool {
        (self.first..self.first + self.capacity).contains(&index)
    }

    /// Puts it at the lowest free index. `None` if the storage is full.
    pub(super) fn put(&mut self, name: &'static str, status: Status, tpdu: Vec<u8>) -> Option<usize> {
        let index = (self.first..self.first + self.capacity).find(|&i| !self.places.contains_key(&(name, i)))?;
        self.places.insert((name, index), Stored { status, tpdu });
        Some(index)
    }

    pub(super) fn get(&self, name: &'static str, index: usize) -> Option<&Stored> {
        self.places.get(&(name, index))
    }

    pub(super) fn set_status(&mut self, name: &'static str, index: usize, status: Status) {
        if let Some(stored) = self.places.get_mut(&(name, index)) {
            stored.status = status;
        }
    }

    pub(super) fn remove(&mut self, name: &'static str, index: usize) -> bool {
        self.places.remove(&(name, index)).is_some()
    }

    /// Removes all of a storage that `unwanted` names.
    pub(super) fn clear(&mut self, name: &'static str, unwanted: impl Fn(Status) -> bool) {
        self.places.retain(|(n, _), stored| *n != name || !unwanted(stored.status));
    }

    /// What is in a storage, by index.
    pub(super) fn list(&self, name: &'static str) -> Vec<(usize, Stored)> {
        self.places.range((name, 0)..=(name, usize::MAX)).map(|((_, i), s)| (*i, s.clone())).collect()
    }
}

const NAMES: [&str; 3] = ["ME", "SM", "SR"];
