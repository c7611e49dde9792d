//! Looking a store over: what it holds, and whether that is what it should hold.

use super::backend::{Backend, BackendError};
use super::envelope::{Bad, master_of, sequence_of, unseal};
use super::keyring::MasterId;
use super::masters::Masters;
use super::record::{Key, Record};
use super::tally::{Tally, digest, slot_master};
use super::vault::StoreKind;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// What a store holds, looked at without touching it.
#[derive(Default)]
pub(super) struct Inspection {
    /// Its kind, if the record that says so is sound.
    pub(super) kind: Option<StoreKind>,
    /// The tally in the map.
    pub(super) said: Option<Tally>,
    /// The tally in the mark.
    pub(super) marked: Option<Tally>,
    /// What is there, counted anew.
    counted: Tally,
    /// Whether the map holds anything, and the mark.
    entries: usize,
    has_mark: bool,
    /// Records that this key opened, and the id of a key that others name.
    opened: usize,
    foreign: Option<MasterId>,
    /// Records that name another key than the current one, and slots of the mark that name the current one.
    pub(super) older: u64,
    pub(super) current_marks: usize,
    /// Sound records of each kind.
    pub(super) counts: BTreeMap<&'static str, usize>,
    /// Records that do not decode.
    pub(super) aside: Vec<Aside>,
}

/// Why a record that opens does not decode.
pub(super) const UNKNOWN: &str = "it holds something that this version does not know";

/// A record that does not decode, as it is.
pub(super) struct Aside {
    pub(super) key: Vec<u8>,
    pub(super) value: Vec<u8>,
    pub(super) reason: &'static str,
}

impl Inspection {
    /// Reads the whole store.
    pub(super) fn of<B: Backend>(
        backend: &B,
        masters: &Masters,
        each: &mut dyn FnMut(Key, Record),
    ) -> Result<Self, BackendError> {
        let mut found = Self::default();
        backend.scan(&mut |key, value| found.take_in(masters, key, value, each))?;
        let marks = backend.marks()?;
        found.has_mark = marks.iter().flatten().any(|slot| slot.iter().any(|b| *b != 0));
        let sound =
            marks.iter().flatten().filter_map(|slot| Some((slot_master(slot), Tally::from_slot(masters, slot)?)));
        let sound: Vec<(MasterId, Tally)> = sound.collect();
        found.current_marks = sound.iter().filter(|(id, _)| *id == masters.current().id()).count();
        found.marked = sound.iter().map(|(_, tally)| *tally).max_by_key(|tally| tally.sequence);
        Ok(found)
    }

    fn take_in(&mut self, masters: &Masters, key: &[u8], value: &[u8], each: &mut dyn FnMut(Key, Record)) {
        self.entries += 1;
        if key != TALLY {
            self.counted.add(digest(masters.that_sealed(value), key, sequence_of(value)));
            self.older += u64::from(master_of(value) != Some(masters.current().id()));
        }
        let plain = unseal(masters, key, value);
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
                self.kind = kind_of(&plain);
                return;
            }
            (Ok(plain), Some(key)) => match Record::decode(key, &plain) {
                Some(record) => Ok((key, record)),
                None => Err(UNKNOWN),
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
    pub(super) fn other_key(&self) -> Option<MasterId> {
        self.foreign.filter(|_| self.opened == 0)
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

/// What the identity record of a store of this kind holds.
pub(super) fn identity(kind: StoreKind) -> Zeroizing<Vec<u8>> {
    let word = match kind {
        StoreKind::Real => REAL,
        StoreKind::Simulated => SIMULATED,
    };
    Zeroizing::new([CHECK, &[word]].concat())
}

fn kind_of(identity: &[u8]) -> Option<StoreKind> {
    match identity.strip_prefix(CHECK)? {
        [REAL] => Some(StoreKind::Real),
        [SIMULATED] => Some(StoreKind::Simulated),
        _ => None,
    }
}

/// The key of the record that says who the store is. Written once, when it is made.
pub(super) const IDENTITY: &[u8] = &[0, 1];
/// The key of the record that says how far it has come. Written with every batch.
pub(super) const TALLY: &[u8] = &[0, 2];
/// If this opens, the master key is the right one.
const CHECK: &[u8] = b"otpgate store ";
const REAL: u8 = b'r';
const SIMULATED: u8 = b's';
