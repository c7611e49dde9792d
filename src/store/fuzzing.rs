//! For fuzzers: any octets where the store expects its own.

use super::backend::SLOT;
use super::envelope::{seal, unseal};
use super::keyring::{Keyring, NONCE};
use super::masters::Masters;
use super::record::{Key, Record};
use super::tally::Tally;

/// Reads octets as a mark, as a sealed value and as an opened record. The first 17 are the record's key.
///
/// # Panics
///
/// If something opens that was not sealed, or is not the same when it is written and read again.
pub fn record(octets: &[u8]) {
    let keyring = Keyring::new(&[7; 32]);
    let masters = Masters::from(keyring.clone());
    if let Some(slot) = octets.first_chunk::<SLOT>() {
        assert!(Tally::from_slot(&masters, slot).is_none(), "a mark that nobody wrote");
    }
    let Some((key, value)) = octets.split_first_chunk::<17>() else { return };
    assert!(unseal(&masters, key, value).is_err(), "a value that nobody sealed");
    let sealed = seal(&keyring, [1; NONCE], key, 5, value);
    assert!(unseal(&masters, key, &sealed).is_ok_and(|plain| plain.as_slice() == value), "a value does not come back");
    damage(&masters, key, &sealed, octets.len());

    let Some(key) = Key::from_bytes(key) else { return };
    // No `assert_eq!`: it would show the record.
    assert!(Key::from_bytes(&key.to_bytes()) == Some(key), "a key does not come back");
    if let Some(record) = Record::decode(key, value) {
        assert!(Record::decode(key, &record.encode()) == Some(record), "a record does not come back");
    }
}

/// One bit, somewhere.
fn damage(masters: &Masters, key: &[u8], sealed: &[u8], bit: usize) {
    let mut damaged = sealed.to_vec();
    let bit = bit * 31 % (damaged.len() * 8);
    damaged[bit / 8] ^= 1 << (bit % 8);
    assert!(unseal(masters, key, &damaged).is_err(), "a damaged value opens");
}
