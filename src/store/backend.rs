//! What the vault needs of a disk: an ordered map of bytes, batches that are on disk whole before they are answered, and
//! a mark kept apart from the map, which says how far the map had come.

use std::fmt;
use std::io;

/// An ordered map of bytes with durable batches.
///
/// The order of a commit is: all changes in one atomic step, a sync, then the mark, a sync. After an error from
/// [`Backend::commit`] nobody knows what is on disk; it must be opened anew.
pub trait Backend: Send + 'static {
    /// One value.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, BackendError>;

    /// Shows every key and value, in the order of the keys.
    fn scan(&self, each: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), BackendError>;

    /// Shows keys behind this one and their values, in the order of the keys, until `each` says false.
    fn scan_after(&self, key: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), BackendError>;

    /// Writes the changes and then the mark; returns when both are durable. Without changes, only the mark.
    fn commit(&mut self, changes: &[Change], mark: &Slot) -> Result<(), BackendError>;

    /// Both slots of the mark, as they are. `None`: there is no such slot.
    fn marks(&self) -> Result<[Option<[u8; SLOT]>; 2], BackendError>;

    /// Keeps lines about damaged records in a file beside the map, each line once.
    fn keep_aside(&mut self, lines: &[String]) -> Result<(), BackendError>;

    /// Whether a commit only touches memory and may be made where it is asked for, without a thread of its own.
    fn is_inline(&self) -> bool;

    /// Whether so little of the disk is free that nothing new should be taken in.
    fn low_space(&self) -> bool;

    /// What the operator should know, though all works: a sentence each.
    fn alarms(&self) -> Vec<String>;
}

impl Backend for Box<dyn Backend> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, BackendError> {
        (**self).get(key)
    }

    fn scan(&self, each: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), BackendError> {
        (**self).scan(each)
    }

    fn scan_after(&self, key: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), BackendError> {
        (**self).scan_after(key, each)
    }

    fn commit(&mut self, changes: &[Change], mark: &Slot) -> Result<(), BackendError> {
        (**self).commit(changes, mark)
    }

    fn marks(&self) -> Result<[Option<[u8; SLOT]>; 2], BackendError> {
        (**self).marks()
    }

    fn keep_aside(&mut self, lines: &[String]) -> Result<(), BackendError> {
        (**self).keep_aside(lines)
    }

    fn is_inline(&self) -> bool {
        (**self).is_inline()
    }

    fn low_space(&self) -> bool {
        (**self).low_space()
    }

    fn alarms(&self) -> Vec<String> {
        (**self).alarms()
    }
}

/// One change of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// This key has this value from now on.
    Put(Vec<u8>, Vec<u8>),
    /// This key is gone.
    Delete(Vec<u8>),
}

/// The mark's bytes and which of the two places they go to. They alternate, so that a torn write leaves the other one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// 0 or 1.
    pub place: usize,
    /// What is written there.
    pub bytes: [u8; SLOT],
}

/// Bytes in a slot of the mark.
pub const SLOT: usize = 64;

/// Why the disk did not do as asked. Every one of them ends the store: a sync that failed once must not be tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackendError {
    /// No space is left, or the quota is used up.
    Full,
    /// Another process has the store open.
    Locked {
        /// Which, if it could be found out: its number and name.
        holder: Option<String>,
    },
    /// Reading, writing or syncing failed.
    Io(String),
    /// The files can't be understood.
    Damaged(String),
}

impl From<io::Error> for BackendError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::Io(error.to_string()),
        }
    }
}

impl fmt::Display for BackendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("the disk is full; free some space and start otpgate again"),
            Self::Locked { holder: Some(who) } => {
                write!(f, "the store is open in another process ({who}); stop that one first, or use its HTTP API")
            }
            Self::Locked { holder: None } => {
                f.write_str("the store is open in another process; stop that one first, or use its HTTP API")
            }
            Self::Io(why) => write!(f, "the disk failed ({why}); check it, then start otpgate again"),
            Self::Damaged(why) => write!(
                f,
                "the store's files can't be read ({why}); keep a copy of the data directory, then restore a sound one"
            ),
        }
    }
}

impl std::error::Error for BackendError {}
