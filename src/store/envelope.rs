//! What is around each record on disk: a version byte, the id of the master key, the number of the batch that wrote it,
//! and then nonce, ciphertext and tag. The seal covers the record's key and all that stands before the nonce, so that a
//! value can be neither moved to another key nor passed off as newer than it is.

use super::keyring::{Keyring, MasterId, NONCE};
use super::masters::Masters;
use zeroize::Zeroizing;

/// A record as bytes, not sealed.
pub(super) type Plain = Zeroizing<Vec<u8>>;

/// Why a value can't be opened.
pub(super) enum Bad {
    Version,
    OtherKey(MasterId),
    Damaged,
}

impl Bad {
    /// The same, for people.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Version => "it is of a version that this program does not know",
            Self::OtherKey(_) => "it was sealed with another master key, or is damaged",
            Self::Damaged => "it is damaged",
        }
    }
}

/// The value that a batch writes under a key.
pub(super) fn seal(keyring: &Keyring, nonce: [u8; NONCE], key: &[u8], sequence: u64, plain: &[u8]) -> Vec<u8> {
    let mut value = vec![VERSION; HEADER];
    value[1..5].copy_from_slice(&keyring.id().0);
    value[5..].copy_from_slice(&sequence.to_be_bytes());
    let sealed = keyring.seal(nonce, &[key, &value].concat(), plain);
    value.extend(sealed);
    value
}

/// The inverse of [`seal`].
pub(super) fn unseal(masters: &Masters, key: &[u8], value: &[u8]) -> Result<Plain, Bad> {
    let (header, sealed) = value.split_first_chunk::<HEADER>().ok_or(Bad::Damaged)?;
    let [version, a, b, c, d, ..] = *header;
    let id = MasterId([a, b, c, d]);
    if version != VERSION {
        return Err(Bad::Version);
    }
    let keyring = masters.of(id).ok_or(Bad::OtherKey(id))?;
    keyring.open(&[key, header].concat(), sealed).map_err(|_| Bad::Damaged)
}

/// The batch that wrote a value, as its header says. Versions to come keep it in its place.
pub(super) fn sequence_of(value: &[u8]) -> u64 {
    value.get(5..HEADER).and_then(|b| b.try_into().ok()).map_or(0, u64::from_be_bytes)
}

/// The master key that sealed a value, as its header says. Versions to come keep it in its place.
pub(super) fn master_of(value: &[u8]) -> Option<MasterId> {
    value.get(1..5).and_then(|b| b.try_into().ok()).map(MasterId)
}

/// So many bytes a value has beyond its record's.
pub(super) const OVERHEAD: usize = HEADER + NONCE + 16;
/// Of the header and of the shapes in what it seals.
const VERSION: u8 = 1;
/// Version, master key, sequence.
const HEADER: usize = 13;
