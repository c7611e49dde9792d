//! Sealed, numbered, counted: what stands between the operations and a [`Backend`].
//!
//! A value on disk is a version byte, the id of the master key, the number of the batch that wrote it, a nonce, and the
//! ciphertext with its tag. The seal covers the record's key and all that stands before the nonce, so that a value can be
//! neither moved to another key nor passed off as newer than it is.
//!
//! At every opening each record is opened and decoded. One that does not decode is kept, set aside and counted, and the
//! rest goes on. But if the records as a whole are not those that the [`Tally`](super::tally) says, in the map and in the
//! mark, then records were lost or came back, and sending from such a store could send twice: it is quarantined.

use super::backend::{Backend, BackendError, Change};
use super::keyring::{Keyring, MasterId, NONCE};
use super::record::{Key, MAX_VALUE, Record};
use super::tally::{Tally, digest};
use crate::domain::time::Wall;
use crate::ops::random::{self, Random};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

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
            last_wall: found.said.map(|t| t.wall).max(found.marked.map(|t| t.wall)),
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
        let word = match kind {
            StoreKind::Real => REAL,
            StoreKind::Simulated => SIMULATED,
        };
        let identity = Zeroizing::new([CHECK, &[word]].concat());
        self.write(now, vec![(IDENTITY.to_vec(), Some(identity))]).map_err(|error| match error {
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
        let header = header(self.keyring.id(), sequence);
        let nonce = random::bytes::<NONCE>(&*self.random);
        let mut value = header.to_vec();
        value.extend(self.keyring.seal(nonce, &[key, &header].concat(), plain));
        value
    }
}

/// What a store holds, looked at without touching it.
#[derive(Default)]
pub(super) struct Inspection {
    /// Its kind, if the record that says so is sound.
    pub(super) kind: Option<StoreKind>,
    /// The tally in the map.
    said: Option<Tally>,
    /// The tally in the mark.
    marked: Option<Tally>,
    /// What is there, counted anew.
    counted: Tally,
    /// Whether the map holds anything, and the mark.
    entries: usize,
    has_mark: bool,
    /// Records that this key opened, and the id of a key that others name.
    opened: usize,
    foreign: Option<MasterId>,
    /// Sound records of each kind.
    pub(super) counts: BTreeMap<&'static str, usize>,
    /// Records that do not decode.
    pub(super) aside: Vec<Aside>,
}

/// A record that does not decode, as it is.
pub(super) struct Aside {
    key: Vec<u8>,
    value: Vec<u8>,
    pub(super) reason: &'static str,
}

impl Inspection {
    /// Reads the whole store.
    pub(super) fn of<B: Backend>(
        backend: &B,
        keyring: &Keyring,
        each: &mut dyn FnMut(Key, Record),
    ) -> Result<Self, BackendError> {
        let mut found = Self::default();
        backend.scan(&mut |key, value| found.take_in(keyring, key, value, each))?;
        let marks = backend.marks()?;
        found.has_mark = marks.iter().flatten().any(|slot| slot.iter().any(|b| *b != 0));
        let sound = marks.iter().flatten().filter_map(|slot| Tally::from_slot(keyring, slot));
        found.marked = sound.max_by_key(|tally| tally.sequence);
        Ok(found)
    }

    fn take_in(&mut self, keyring: &Keyring, key: &[u8], value: &[u8], each: &mut dyn FnMut(Key, Record)) {
        self.entries += 1;
        if key != TALLY {
            self.counted.add(digest(keyring, key, sequence_of(value)));
        }
        let plain = unseal(keyring, key, value);
        match &plain {
            Ok(_) => self.opened += 1,
            Err(Bad::OtherKey(id)) => self.foreign = Some(*id),
            Err(_) => {}
        }
        let sound = match (plain, Key::from_bytes(key)) {
            (Ok(plain), _) if key == TALLY => {
                // The number in the header is sealed with the rest; here it stands twice.
                self.said = Tally::from_bytes(&plain).filter(|t| t.sequence == sequence_of(value));
                return;
            }
            (Ok(plain), _) if key == IDENTITY => {
                self.kind = match plain.strip_prefix(CHECK) {
                    Some([REAL]) => Some(StoreKind::Real),
                    Some([SIMULATED]) => Some(StoreKind::Simulated),
                    _ => None,
                };
                return;
            }
            (Ok(plain), Some(key)) => match Record::decode(key, &plain) {
                Some(record) => Ok((key, record)),
                None => Err("it holds something that this version does not know"),
            },
            (Ok(_), None) => Err("it is of a kind that this version does not know"),
            (Err(bad), _) => Err(bad.reason()),
        };
        match sound {
            Ok((key, record)) => {
                *self.counts.entry(key.kind()).or_default() += 1;
                each(key, record);
            }
            Err(reason) => self.aside.push(Aside { key: key.to_vec(), value: value.to_vec(), reason }),
        }
    }

    /// Whether there is nothing, and there never was anything.
    pub(super) fn is_empty(&self) -> bool {
        self.entries == 0 && !self.has_mark
    }

    /// The id of the key that sealed it, if it was another one: nothing at all opens, and it names another one.
    pub(super) fn other_key(&self, keyring: &Keyring) -> Option<MasterId> {
        self.foreign.filter(|id| self.opened == 0 && *id != keyring.id())
    }

    /// Why nothing may be sent from this store, if nothing may.
    pub(super) fn quarantine(&self) -> Option<String> {
        let what = match (self.said, self.marked) {
            _ if self.entries == 0 => "it is empty, but its mark says that it held records".to_owned(),
            (None, _) => "its own count of its records is missing or damaged".to_owned(),
            // The batch that made the store came to disk, its mark did not. It held no record yet.
            (Some(said), None) if said.sequence == 1 && !self.has_mark && said.holds_the_same(&self.counted) => {
                return None;
            }
            (Some(_), None) => "its mark is missing or damaged".to_owned(),
            (Some(said), Some(_)) if said.live != self.counted.live => {
                format!("it holds {} records where it should hold {}", self.counted.live, said.live)
            }
            (Some(said), Some(_)) if !said.holds_the_same(&self.counted) => {
                "some of its records are older or newer than they should be".to_owned()
            }
            (Some(said), Some(mark)) if said.sequence < mark.sequence => {
                format!("it is {} batches older than its mark", mark.sequence - said.sequence)
            }
            (Some(said), Some(mark)) if said.sequence > mark.sequence + 1 => {
                format!("it is {} batches newer than its mark", said.sequence - mark.sequence)
            }
            (Some(said), Some(mark)) if said.sequence == mark.sequence && said != mark => {
                "it and its mark are of the same age but differ".to_owned()
            }
            _ if self.kind.is_none() => {
                "the record that says what kind of store it is, is missing or damaged".to_owned()
            }
            _ => return None,
        };
        Some(format!(
            "the store is not as it was left: {what}. Nothing is taken in and nothing is sent, since messages could go \
             out twice. Stop otpgate, keep a copy of the data directory, and restore a sound one"
        ))
    }
}

impl Aside {
    /// A line of JSON for the side file. The value is as sealed as it was.
    pub(super) fn line(&self) -> String {
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        serde_json::json!({ "key": hex(&self.key), "value": hex(&self.value), "reason": self.reason }).to_string()
    }
}

/// A record as bytes, not sealed.
type Plain = Zeroizing<Vec<u8>>;

/// Why a value can't be opened.
enum Bad {
    Version,
    OtherKey(MasterId),
    Damaged,
}

impl Bad {
    fn reason(&self) -> &'static str {
        match self {
            Self::Version => "it is of a version that this program does not know",
            Self::OtherKey(_) => "it was sealed with another master key, or is damaged",
            Self::Damaged => "it is damaged",
        }
    }
}

fn unseal(keyring: &Keyring, key: &[u8], value: &[u8]) -> Result<Plain, Bad> {
    let (header, sealed) = value.split_first_chunk::<HEADER>().ok_or(Bad::Damaged)?;
    let [version, a, b, c, d, ..] = *header;
    if version != VERSION {
        return Err(Bad::Version);
    }
    if MasterId([a, b, c, d]) != keyring.id() {
        return Err(Bad::OtherKey(MasterId([a, b, c, d])));
    }
    keyring.open(&[key, header].concat(), sealed).map_err(|_| Bad::Damaged)
}

fn header(id: MasterId, sequence: u64) -> [u8; HEADER] {
    let mut header = [VERSION; HEADER];
    header[1..5].copy_from_slice(&id.0);
    header[5..].copy_from_slice(&sequence.to_be_bytes());
    header
}

/// The batch that wrote a value, as its header says. Versions to come keep it in its place.
fn sequence_of(value: &[u8]) -> u64 {
    value.get(5..HEADER).and_then(|b| b.try_into().ok()).map_or(0, u64::from_be_bytes)
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

/// Of the header and what it seals. A new one is needed when a shape changes other than by growing at its end.
const VERSION: u8 = 1;
/// Version, master key, sequence.
const HEADER: usize = 13;
/// Who the store is. Written once, when it is made.
const IDENTITY: &[u8] = &[0, 1];
/// How far it has come. Written with every batch.
const TALLY: &[u8] = &[0, 2];
/// If this opens, the master key is the right one.
const CHECK: &[u8] = b"otpgate store ";
const REAL: u8 = b'r';
const SIMULATED: u8 = b's';

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::VerificationId;
    use crate::domain::secret::Secret;
    use crate::ops::random::SeededRandom;
    use crate::store::memory_backend::{CrashMode, Disk, Fault, MemoryBackend};

    type Records = BTreeMap<Key, Record>;

    fn open(disk: &Disk) -> Result<(Vault<MemoryBackend>, Opened, Records), OpenError> {
        open_with(disk, 7, StoreKind::Real)
    }

    fn open_with(disk: &Disk, key: u8, kind: StoreKind) -> Result<(Vault<MemoryBackend>, Opened, Records), OpenError> {
        let mut records = Records::new();
        let random = Arc::new(SeededRandom::new(1));
        let ring = Keyring::new(&[key; 32]);
        let (vault, opened) = Vault::open(MemoryBackend::on(disk), ring, random, kind, Wall(1_000), |k, r| {
            records.insert(k, r);
        })?;
        Ok((vault, opened, records))
    }

    fn put(n: u128, text: &str) -> (Key, Option<Record>) {
        (Key::SuppliedCode(VerificationId(n)), Some(Record::SuppliedCode(Secret::new(text))))
    }

    fn key(n: u128) -> Key {
        Key::SuppliedCode(VerificationId(n))
    }

    fn erase(n: u128) -> (Key, Option<Record>) {
        (key(n), None)
    }

    fn records<const N: usize>(of: [(Key, Option<Record>); N]) -> Records {
        of.into_iter().filter_map(|(k, r)| Some((k, r?))).collect()
    }

    /// A disk with codes 1 to 3 on it.
    fn disk() -> Disk {
        let disk = Disk::default();
        let (mut vault, ..) = open(&disk).unwrap();
        vault.commit(Wall(2_000), vec![put(1, "111111"), put(2, "222222")]).unwrap();
        vault.commit(Wall(3_000), vec![put(3, "333333")]).unwrap();
        disk
    }

    #[test]
    fn reads_back_what_it_wrote() {
        let disk = Disk::default();
        let (mut vault, opened, _) = open(&disk).unwrap();
        assert!(opened.fresh);
        vault.commit(Wall(2_000), vec![put(1, "111111"), put(2, "222222")]).unwrap();
        vault.commit(Wall(3_000), vec![put(1, "999999"), put(1, "333333"), erase(2), erase(7)]).unwrap();
        let (vault, opened, found) = open(&disk).unwrap();
        assert_eq!(opened, Opened { last_wall: Some(Wall(3_000)), ..Opened::default() });
        assert_eq!(found, records([put(1, "333333")]), "the last change of a key counts");
        assert_eq!(vault.get(key(1)), Ok(put(1, "333333").1));
        assert_eq!(vault.get(key(2)), Ok(None));
    }

    #[test]
    fn nothing_legible_is_on_the_disk() {
        let disk = disk();
        disk.edit(|map| {
            for bytes in map.values() {
                assert!(!bytes.windows(6).any(|w| [b"111111", b"222222", b"333333"].contains(&w.try_into().unwrap())));
            }
        });
    }

    #[test]
    fn a_batch_that_a_crash_drops_keeps_or_splits_is_whole_or_noticed() {
        let before = records([put(1, "111111"), put(2, "222222"), put(3, "333333")]);
        let after = records([put(1, "000000"), put(3, "333333"), put(4, "444444")]);
        let crash = |mode| {
            let disk = disk();
            let (mut vault, ..) = open(&disk).unwrap();
            disk.set_fault(Fault::SyncFails);
            let batch = vec![put(1, "000000"), erase(2), put(4, "444444")];
            assert!(matches!(vault.commit(Wall(4_000), batch), Err(VaultError::Backend(_))));
            assert_eq!(vault.commit(Wall(5_000), vec![]), Err(VaultError::Failed), "a sync that failed is not retried");
            assert_eq!(disk.unsynced(), 4, "three changes and the tally, but no mark");
            disk.crash(mode);
            open(&disk).unwrap()
        };
        for (mode, expected) in [(CrashMode::Drop, before), (CrashMode::Keep, after)] {
            let (mut vault, opened, found) = crash(mode);
            assert_eq!((opened.quarantined, found), (None, expected), "{mode:?}");
            vault.commit(Wall(6_000), vec![put(5, "555555")]).unwrap();
        }
        for keep_first in 1..4 {
            let (mut vault, opened, _) = crash(CrashMode::Split { keep_first });
            assert!(opened.quarantined.is_some(), "the first {keep_first}");
            assert_eq!(vault.commit(Wall(6_000), vec![]), Err(VaultError::Quarantined));
        }
    }

    #[test]
    fn of_several_batches_on_a_disk_that_lies_each_is_whole_or_the_crash_is_noticed() {
        let mut whole = 0;
        for keep_first in 0..=9 {
            let disk = disk();
            let (mut vault, ..) = open(&disk).unwrap();
            disk.set_fault(Fault::Lies);
            let mut states = vec![records([put(1, "111111"), put(2, "222222"), put(3, "333333")])];
            for n in 4..7 {
                vault.commit(Wall(4_000), vec![put(n, "444444")]).unwrap();
                let mut state = states[states.len() - 1].clone();
                state.extend(records([put(n, "444444")]));
                states.push(state);
            }
            assert_eq!(disk.unsynced(), 9, "a record, the tally and the mark, three times");
            disk.crash(CrashMode::Split { keep_first });
            let (mut vault, opened, found) = open(&disk).unwrap();
            if opened.quarantined.is_some() {
                assert_eq!(keep_first % 3, 1, "only a record without its tally is torn");
                continue;
            }
            assert_eq!(found, states[(keep_first + 1) / 3]);
            vault.commit(Wall(5_000), vec![put(8, "888888")]).unwrap();
            assert_eq!(open(&disk).unwrap().1.quarantined, None);
            whole += 1;
        }
        assert_eq!(whole, 7);
    }

    #[test]
    fn a_crash_while_the_store_is_made_leaves_none_or_a_sound_one() {
        for (mode, fresh) in [(CrashMode::Drop, true), (CrashMode::Keep, false)] {
            let disk = Disk::default();
            disk.set_fault(Fault::SyncFails);
            assert!(matches!(open(&disk), Err(OpenError::Backend(_))));
            disk.crash(mode);
            let (mut vault, opened, _) = open(&disk).unwrap();
            assert_eq!((opened.fresh, opened.quarantined), (fresh, None), "{mode:?}");
            vault.commit(Wall(2_000), vec![put(1, "111111")]).unwrap();
            assert_eq!(open(&disk).unwrap().1.quarantined, None, "{mode:?}");
        }
    }

    #[test]
    fn the_mark_missing_older_and_newer() {
        let disk = Disk::default();
        let (mut vault, ..) = open(&disk).unwrap();
        let (mut disks, mut marks) = (Vec::new(), Vec::new());
        for n in 0..4 {
            vault.commit(Wall(2_000), vec![put(n, "111111")]).unwrap();
            disks.push(disk.copy());
            marks.push(disk.marks());
        }
        let rows = [
            ("equal", 3, marks[3], true),
            ("one batch older", 3, marks[2], true),
            ("two batches older", 3, marks[1], false),
            ("one batch newer", 2, marks[3], false),
            ("two batches newer", 1, marks[3], false),
            ("missing", 3, [None; 2], false),
            ("zeroed", 3, [Some([0; 64]); 2], false),
            ("the older slot missing", 3, [None, marks[3][1]], true),
            ("the newest slot missing", 3, [marks[3][0], None], true),
        ];
        for (name, batch, mark, sound) in rows {
            let disk = disks[batch].copy();
            disk.set_marks(mark);
            let (mut vault, opened, _) = open(&disk).unwrap();
            assert_eq!(opened.quarantined.is_none(), sound, "{name}: {:?}", opened.quarantined);
            if sound {
                assert_ne!(disk.marks(), [None; 2]);
                // The slot written last may be torn at any time: the other one must do.
                vault.commit(Wall(3_000), vec![put(9, "999999")]).unwrap();
                let mut torn = disk.marks();
                torn[(vault.sequence() % 2) as usize] = Some([7; 64]);
                disk.set_marks(torn);
                assert_eq!(open(&disk).unwrap().1.quarantined, None, "{name}, then torn");
            }
        }
    }

    #[test]
    fn any_flipped_bit_of_a_record_is_noticed_and_the_rest_goes_on() {
        let bytes = key(2).to_bytes();
        let sound = disk();
        let (vault, ..) = open(&sound).unwrap();
        let size = vault.backend().get(&bytes).unwrap().unwrap().len();
        for bit in 0..size * 8 {
            let disk = sound.copy();
            disk.edit(|map| map.get_mut(bytes.as_slice()).unwrap()[bit / 8] ^= 1 << (bit % 8));
            let (mut vault, opened, found) = open(&disk).unwrap();
            assert_eq!(opened.set_aside, 1, "bit {bit}");
            assert_eq!(found, records([put(1, "111111"), put(3, "333333")]));
            assert_eq!(vault.get(key(2)), Err(VaultError::Damaged));
            assert_eq!(disk.aside().len(), 1);
            // Bits 40 to 103 are the number of the batch that wrote it.
            assert_eq!(opened.quarantined.is_some(), (40..104).contains(&bit), "bit {bit}");
            if opened.quarantined.is_none() {
                vault.commit(Wall(4_000), vec![put(1, "000000")]).unwrap();
                let (_, again, _) = open(&disk).unwrap();
                assert_eq!((again.set_aside, disk.aside().len()), (1, 1), "it stays, and is copied once");
            }
        }
    }

    #[test]
    fn records_that_are_lost_come_back_or_change_places_quarantine_the_store() {
        type Edit = fn(&mut BTreeMap<Vec<u8>, Vec<u8>>);
        fn raw(n: u128) -> Vec<u8> {
            key(n).to_bytes().to_vec()
        }
        let rows: [(&str, Edit); 6] = [
            ("lost", |map| drop(map.remove(&raw(1)))),
            ("doubled under another key", |map| drop(map.insert(raw(9), map[&raw(1)].clone()))),
            ("changed places", |map| {
                let (a, b) = (map[&raw(1)].clone(), map[&raw(3)].clone());
                map.extend([(raw(1), b), (raw(3), a)]);
            }),
            ("without its tally", |map| drop(map.remove(TALLY))),
            ("without its identity", |map| drop(map.remove(IDENTITY))),
            ("without anything", BTreeMap::clear),
        ];
        for (name, edit) in rows {
            let disk = disk();
            disk.edit(edit);
            let (mut vault, opened, _) = open(&disk).unwrap();
            assert!(opened.quarantined.is_some(), "{name}");
            assert_eq!(vault.commit(Wall(4_000), vec![]), Err(VaultError::Quarantined), "{name}");
        }
        let disk = disk();
        let old = disk.copy();
        let (mut vault, ..) = open(&disk).unwrap();
        vault.commit(Wall(4_000), vec![put(1, "000000")]).unwrap();
        let mut value = Vec::new();
        old.edit(|map| value = map[&raw(1)].clone());
        disk.edit(|map| drop(map.insert(raw(1), value)));
        let (_, opened, _) = open(&disk).unwrap();
        assert!(opened.quarantined.unwrap().contains("older or newer"), "one record as it was before");
    }

    #[test]
    fn what_a_newer_program_wrote_is_kept_and_reported() {
        let disk = disk();
        let (mut vault, ..) = open(&disk).unwrap();
        let unknown = Zeroizing::new(b"something new".to_vec());
        let code = Key::Idempotency([1; 16]).to_bytes().to_vec();
        vault.write(Wall(4_000), vec![(vec![99, 1], Some(unknown.clone())), (code, Some(unknown))]).unwrap();
        disk.edit(|map| map.get_mut(key(3).to_bytes().as_slice()).unwrap()[0] = 2);
        let (mut vault, opened, found) = open(&disk).unwrap();
        assert_eq!((opened.set_aside, opened.quarantined), (3, None));
        assert_eq!(found, records([put(1, "111111"), put(2, "222222")]));
        let aside = disk.aside().join("\n");
        assert!(aside.contains("of a kind") && aside.contains("of a version") && aside.contains("holds something"));
        vault.commit(Wall(5_000), vec![put(1, "000000")]).unwrap();
        assert_eq!(open(&disk).unwrap().1.set_aside, 3);
    }

    #[test]
    fn another_key_or_another_kind_of_store_is_refused_without_harm() {
        let disk = disk();
        let (ours, theirs) = (Keyring::new(&[7; 32]).id(), Keyring::new(&[8; 32]).id());
        let error = open_with(&disk, 8, StoreKind::Real).unwrap_err();
        assert_eq!(error, OpenError::WrongKey { store: ours, given: theirs });
        let error = open_with(&disk, 7, StoreKind::Simulated).unwrap_err();
        assert_eq!(error, OpenError::WrongKind(StoreKind::Real));
        assert!(error.to_string().contains("--simulate"));
        assert!(disk.aside().is_empty());
        assert_eq!(open(&disk).unwrap().1.quarantined, None);
    }

    #[test]
    fn a_record_that_is_too_large_is_refused_and_nothing_of_its_batch_written() {
        let disk = disk();
        let (mut vault, ..) = open(&disk).unwrap();
        // Header, nonce, tag, and two bytes that give the length.
        let most = MAX_VALUE - HEADER - NONCE - 16 - 2;
        let batch = vec![put(1, "000000"), put(4, &"4".repeat(most + 1))];
        assert_eq!(vault.commit(Wall(4_000), batch), Err(VaultError::TooLarge));
        assert_eq!(vault.get(key(1)), Ok(put(1, "111111").1));
        vault.commit(Wall(5_000), vec![put(4, &"4".repeat(most))]).unwrap();
        assert_eq!(open(&disk).unwrap().1.quarantined, None);
    }

    #[test]
    fn a_full_disk_ends_the_vault_and_loses_nothing() {
        let disk = disk();
        let (mut vault, ..) = open(&disk).unwrap();
        disk.set_fault(Fault::Full);
        let full = Err(VaultError::Backend(BackendError::Full));
        assert_eq!(vault.commit(Wall(4_000), vec![put(4, "444444")]), full);
        disk.set_fault(Fault::None);
        assert_eq!(vault.commit(Wall(4_000), vec![put(4, "444444")]), Err(VaultError::Failed));
        let (mut vault, opened, found) = open(&disk).unwrap();
        assert_eq!((opened.quarantined, found.len()), (None, 3));
        vault.commit(Wall(5_000), vec![put(4, "444444")]).unwrap();
    }
}
