//! A disk in memory, for tests and seeded runs, with the habits of a real one: what is not synced may be gone after a
//! crash, or there, or there in part.

use super::backend::{Backend, BackendError, Change, SLOT, Slot};
use super::keyring::Keyring;
use super::master_key::KeyError;
use super::masters::{KeyKeeper, Masters};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard};

/// A store in memory on a [`Disk`] that outlives it.
#[derive(Debug)]
pub struct MemoryBackend {
    disk: Disk,
    /// As the process sees it: the durable image and what it has written since.
    map: BTreeMap<Vec<u8>, Vec<u8>>,
    marks: [Option<[u8; SLOT]>; 2],
}

/// What survives a crash. Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub struct Disk(Arc<Mutex<Platter>>);

/// What a disk does to what was written but not synced when the power fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashMode {
    /// It is gone.
    Drop,
    /// It is there.
    Keep,
    /// The first so many single changes are there (a batch's changes in their order, then its mark).
    Split {
        /// How many.
        keep_first: usize,
    },
}

/// What is wrong with a disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// Changes are written, then the sync fails: nobody knows what will be there. The mark is not written.
    SyncFails,
    /// Nothing can be written.
    Full,
    /// Syncs are answered but not done. Several batches, with their marks, may be gone after a crash.
    Lies,
}

#[derive(Debug, Default)]
struct Platter {
    map: BTreeMap<Vec<u8>, Vec<u8>>,
    marks: [Option<[u8; SLOT]>; 2],
    unsynced: Vec<Write>,
    aside: Vec<String>,
    fault: Fault,
    low: bool,
    syncs: usize,
    keys: Vec<Keyring>,
    rotten: BTreeSet<Vec<u8>>,
}

#[derive(Clone, Debug)]
enum Write {
    Change(Change),
    Mark(Slot),
}

impl MemoryBackend {
    /// On a new, empty disk.
    pub fn new() -> Self {
        Self::on(&Disk::default())
    }

    /// As after a restart: sees what is durable on the disk, and nothing else.
    pub fn on(disk: &Disk) -> Self {
        let platter = disk.lock();
        Self { disk: disk.clone(), map: platter.map.clone(), marks: platter.marks }
    }

    /// Its disk.
    pub fn disk(&self) -> Disk {
        self.disk.clone()
    }
}

impl Default for MemoryBackend {
    fn default() -> Self {
        Self::new()
    }
}

impl Disk {
    /// The power fails: decides what becomes of what was not synced, and mends the disk. The old backend must not be
    /// used any more.
    pub fn crash(&self, mode: CrashMode) {
        let mut platter = self.lock();
        let keep = match mode {
            CrashMode::Drop => 0,
            CrashMode::Keep => usize::MAX,
            CrashMode::Split { keep_first } => keep_first,
        };
        let unsynced = std::mem::take(&mut platter.unsynced);
        for write in unsynced.into_iter().take(keep) {
            platter.write(write);
        }
        platter.fault = Fault::None;
    }

    /// From now on the disk is like this.
    pub fn set_fault(&self, fault: Fault) {
        self.lock().fault = fault;
    }

    /// Whether the disk calls itself nearly full.
    pub fn set_low_space(&self, low: bool) {
        self.lock().low = low;
    }

    /// How many single changes are written but not synced.
    pub fn unsynced(&self) -> usize {
        self.lock().unsynced.len()
    }

    /// The master keys that a rotation left on this disk; if there was none, `first` alone.
    pub fn masters(&self, first: &[u8; 32]) -> Masters {
        let mut keys = self.lock().keys.clone();
        if keys.is_empty() {
            keys.push(Keyring::new(first));
        }
        Masters::new(keys.remove(0), keys, Some(Arc::new(self.clone())))
    }

    /// How many batches were synced.
    pub fn syncs(&self) -> usize {
        self.lock().syncs
    }

    /// A disk of its own with the same durable image, as a backup would be.
    pub fn copy(&self) -> Disk {
        let platter = self.lock();
        let copy = Platter { map: platter.map.clone(), marks: platter.marks, ..Platter::default() };
        Disk(Arc::new(Mutex::new(copy)))
    }

    /// From now on what is read under this key has a bit flipped, also by a store that runs.
    pub fn rot(&self, key: &[u8]) {
        self.lock().rotten.insert(key.to_vec());
    }

    /// Damages the durable map by hand.
    pub fn edit(&self, change: impl FnOnce(&mut BTreeMap<Vec<u8>, Vec<u8>>)) {
        change(&mut self.lock().map);
    }

    /// The mark's slots.
    pub fn marks(&self) -> [Option<[u8; SLOT]>; 2] {
        self.lock().marks
    }

    /// Puts the mark's slots as they should be, missing or of another time.
    pub fn set_marks(&self, marks: [Option<[u8; SLOT]>; 2]) {
        self.lock().marks = marks;
    }

    /// The lines that were kept aside.
    pub fn aside(&self) -> Vec<String> {
        self.lock().aside.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Platter> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }
}

impl KeyKeeper for Disk {
    fn keep(&self, keys: &[Keyring]) -> Result<(), KeyError> {
        self.lock().keys = keys.to_vec();
        Ok(())
    }
}

impl Platter {
    fn write(&mut self, write: Write) {
        match write {
            Write::Change(change) => apply(&mut self.map, change),
            Write::Mark(slot) => self.marks[slot.place % 2] = Some(slot.bytes),
        }
    }

    fn sync(&mut self) {
        for write in std::mem::take(&mut self.unsynced) {
            self.write(write);
        }
        self.syncs += 1;
    }
}

impl Backend for MemoryBackend {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, BackendError> {
        let mut value = self.map.get(key).cloned();
        if let Some(last) = value.as_mut().and_then(|v| v.last_mut())
            && self.disk.lock().rotten.contains(key)
        {
            *last ^= 1;
        }
        Ok(value)
    }

    fn scan(&self, each: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), BackendError> {
        self.map.iter().for_each(|(key, value)| each(key, value));
        Ok(())
    }

    fn scan_after(&self, key: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), BackendError> {
        let behind = self.map.range::<[u8], _>((Bound::Excluded(key), Bound::Unbounded));
        // `all` ends at the first false.
        behind.into_iter().all(|(key, value)| each(key, value));
        Ok(())
    }

    fn commit(&mut self, changes: &[Change], mark: &Slot) -> Result<(), BackendError> {
        let mut platter = self.disk.lock();
        if platter.fault == Fault::Full {
            return Err(BackendError::Full);
        }
        for change in changes {
            apply(&mut self.map, change.clone());
            platter.unsynced.push(Write::Change(change.clone()));
        }
        if platter.fault == Fault::SyncFails {
            return Err(BackendError::Io("the sync failed".into()));
        }
        self.marks[mark.place % 2] = Some(mark.bytes);
        platter.unsynced.push(Write::Mark(mark.clone()));
        if platter.fault != Fault::Lies {
            platter.sync();
        }
        Ok(())
    }

    fn marks(&self) -> Result<[Option<[u8; SLOT]>; 2], BackendError> {
        Ok(self.marks)
    }

    fn keep_aside(&mut self, lines: &[String]) -> Result<(), BackendError> {
        let mut platter = self.disk.lock();
        for line in lines {
            if !platter.aside.contains(line) {
                platter.aside.push(line.clone());
            }
        }
        Ok(())
    }

    fn is_inline(&self) -> bool {
        true
    }

    fn low_space(&self) -> bool {
        self.disk.lock().low
    }

    fn alarms(&self) -> Vec<String> {
        Vec::new()
    }
}

fn apply(map: &mut BTreeMap<Vec<u8>, Vec<u8>>, change: Change) {
    match change {
        Change::Put(key, value) => {
            map.insert(key, value);
        }
        Change::Delete(key) => {
            map.remove(&key);
        }
    }
}
