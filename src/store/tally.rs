//! The store's count of itself. It is written with every batch, once inside the map and once beside it, as the mark: a
//! map that was rolled back, lost records or kept half a batch disagrees with one or the other.

use super::backend::{SLOT, Slot};
use super::keyring::{Keyring, MasterId};
use super::masters::Masters;
use crate::domain::time::Wall;

/// How far the store has come and what it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Batches so far.
    pub(super) sequence: u64,
    /// Records, without the tally's own.
    pub(super) live: u64,
    /// All records' [`digest`]s, XORed: it can be kept up record by record.
    pub(super) digest: u128,
    /// The wall clock at the last batch.
    pub(super) wall: Wall,
}

impl Tally {
    /// Counts a record in.
    pub(super) fn add(&mut self, digest: u128) {
        self.live += 1;
        self.digest ^= digest;
    }

    /// Counts a record out.
    pub(super) fn remove(&mut self, digest: u128) {
        self.live = self.live.wrapping_sub(1);
        self.digest ^= digest;
    }

    /// Whether the two hold the same records.
    pub(super) fn holds_the_same(&self, other: &Tally) -> bool {
        self.live == other.live && self.digest == other.digest
    }

    /// As it is written into the mark: the numbers and a keyed hash over them.
    pub(super) fn slot(&self, keyring: &Keyring) -> Slot {
        let mut bytes = [0; SLOT];
        bytes[0..4].copy_from_slice(MAGIC);
        bytes[4..8].copy_from_slice(&keyring.id().0);
        bytes[8..48].copy_from_slice(&self.to_bytes());
        let hash = keyring.tally_hash(&[b"mark", &bytes[..48]]);
        bytes[48..].copy_from_slice(&hash);
        Slot { place: (self.sequence % 2) as usize, bytes }
    }

    /// Reads a slot of the mark. `None`: it was never written, or not whole, or with another key.
    pub(super) fn from_slot(masters: &Masters, bytes: &[u8; SLOT]) -> Option<Self> {
        let (body, hash) = bytes.split_at(48);
        let keyring = masters.of(slot_master(bytes))?;
        (body.starts_with(MAGIC) && keyring.tally_hash(&[b"mark", body]) == hash).then_some(())?;
        Self::from_bytes(&body[8..])
    }

    /// The numbers alone, for the sealed record.
    pub(super) fn to_bytes(self) -> [u8; 40] {
        let mut bytes = [0; 40];
        bytes[0..8].copy_from_slice(&self.sequence.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.live.to_be_bytes());
        bytes[16..32].copy_from_slice(&self.digest.to_be_bytes());
        bytes[32..40].copy_from_slice(&self.wall.0.to_be_bytes());
        bytes
    }

    /// The inverse of [`Tally::to_bytes`].
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (sequence, rest) = bytes.split_first_chunk()?;
        let (live, rest) = rest.split_first_chunk()?;
        let (digest, rest) = rest.split_first_chunk()?;
        Some(Self {
            sequence: u64::from_be_bytes(*sequence),
            live: u64::from_be_bytes(*live),
            digest: u128::from_be_bytes(*digest),
            wall: Wall(i64::from_be_bytes(rest.try_into().ok()?)),
        })
    }
}

/// The master key that a slot names.
pub(super) fn slot_master(bytes: &[u8; SLOT]) -> MasterId {
    MasterId([bytes[4], bytes[5], bytes[6], bytes[7]])
}

/// What one record adds to [`Tally::digest`]: its key and the batch that wrote it.
pub(super) fn digest(keyring: &Keyring, key: &[u8], sequence: u64) -> u128 {
    u128::from_be_bytes(keyring.tally_hash(&[b"record", key, &sequence.to_be_bytes()]))
}

const MAGIC: &[u8; 4] = b"OGM1";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_reads_back_and_any_flipped_bit_makes_it_unreadable() {
        let ring = Keyring::new(&[7; 32]);
        let (masters, others) = (Masters::from(ring.clone()), Masters::from(Keyring::new(&[8; 32])));
        let tally = Tally { sequence: 41, live: 7, digest: 1 << 100, wall: Wall(-5) };
        let slot = tally.slot(&ring);
        assert_eq!(slot.place, 1);
        assert_eq!(Tally::from_slot(&masters, &slot.bytes), Some(tally));
        assert_eq!(Tally::from_slot(&others, &slot.bytes), None, "another key");
        assert_eq!(Tally::from_slot(&masters, &[0; SLOT]), None, "never written");
        for bit in 0..SLOT * 8 {
            let mut damaged = slot.bytes;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Tally::from_slot(&masters, &damaged), None, "bit {bit}");
        }
    }
}
