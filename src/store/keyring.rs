//! The sub-keys that everything secret on disk hangs on. All come from one master key (HKDF-SHA256, RFC 5869), each by
//! a label of its own, so that what one key gives away says nothing about another.
//!
//! Nothing that holds a number, a code or a text is ever hashed without a key: there are so few of them that an unkeyed
//! hash of one *is* the one.

use crate::domain::msisdn::Msisdn;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The sub-keys of one master key. Cloning shares them; they are wiped when the last clone goes.
#[derive(Clone)]
pub struct Keyring(Arc<Keys>);

/// Which master key something was sealed or hashed with. Derived from the key, so that nobody has to keep a register;
/// it gives nothing away about it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MasterId(pub [u8; 4]);

/// The sealed bytes are not what this key sealed for this place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotOurs;

impl Keyring {
    /// Derives the sub-keys.
    pub fn new(master: &[u8; 32]) -> Self {
        let hkdf = Hkdf::<Sha256>::new(None, master);
        let mut id = [0; 4];
        expand(&hkdf, "key id", &mut id);
        Self(Arc::new(Keys {
            master: Zeroizing::new(*master),
            id: MasterId(id),
            code: sub_key(&hkdf, "code"),
            seal: sub_key(&hkdf, "seal"),
            look_up: sub_key(&hkdf, "look-up"),
            fingerprint: sub_key(&hkdf, "fingerprint"),
            audit: sub_key(&hkdf, "audit"),
            session: sub_key(&hkdf, "session"),
            tally: sub_key(&hkdf, "tally"),
            pin: sub_key(&hkdf, "pin"),
        }))
    }

    /// Which master key this is.
    pub fn id(&self) -> MasterId {
        self.0.id
    }

    /// The master key itself, for where it is kept.
    pub(super) fn master(&self) -> &[u8; 32] {
        &self.0.master
    }

    /// Seals with XChaCha20-Poly1305: nonce, ciphertext, tag. The nonce must be random; `aad` must be the same at
    /// [`Keyring::open`] and says where the bytes belong.
    pub fn seal(&self, nonce: [u8; NONCE], aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
        let mut sealed = nonce.to_vec();
        // The store takes 4 KiB. Were it to fail all the same, an empty record must not pass for a sealed one.
        let ciphertext = self.cipher().encrypt(&XNonce::from(nonce), Payload { msg: plaintext, aad });
        sealed.extend(ciphertext.expect("XChaCha20-Poly1305 seals up to 256 GiB"));
        sealed
    }

    /// Opens what [`Keyring::seal`] sealed.
    pub fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, NotOurs> {
        let (nonce, ciphertext) = sealed.split_first_chunk::<NONCE>().ok_or(NotOurs)?;
        let opened = self.cipher().decrypt(&XNonce::from(*nonce), Payload { msg: ciphertext, aad });
        opened.map(Zeroizing::new).map_err(|_| NotOurs)
    }

    /// What a number is looked up by.
    pub fn number_hash(&self, number: &Msisdn) -> [u8; 16] {
        keyed_hash(&self.0.look_up, &[number.reveal_digits().as_bytes()])
    }

    /// What the last eight digits of a number are compared by: a status report may have it in national form. `None`: there
    /// are fewer.
    pub fn tail_hash(&self, digits: &str) -> Option<[u8; 16]> {
        let tail = digits.get(digits.len().checked_sub(8)?..)?;
        Some(keyed_hash(&self.0.look_up, &[b"tail", tail.as_bytes()]))
    }

    /// What tells whether two requests are the same: a hash over the parts, each with its length, so that moving a byte
    /// from one part to the next gives another hash.
    pub fn fingerprint(&self, parts: &[&[u8]]) -> [u8; 16] {
        keyed_hash(&self.0.fingerprint, parts)
    }

    /// What codes are derived from.
    pub fn code_key(&self) -> &[u8; 32] {
        &self.0.code
    }

    /// What chains the audit log.
    pub fn audit_key(&self) -> &[u8; 32] {
        &self.0.audit
    }

    /// What signs the pages' sessions.
    pub fn session_key(&self) -> &[u8; 32] {
        &self.0.session
    }

    /// What vouches for the store's own counts.
    pub(super) fn tally_hash(&self, parts: &[&[u8]]) -> [u8; 16] {
        keyed_hash(&self.0.tally, parts)
    }

    /// Where the record of the PINs typed at a card lies.
    pub(super) fn pin_place(&self, holder: &[&[u8]]) -> [u8; 16] {
        keyed_hash(&self.0.pin, &[&[b"place".as_slice()], holder].concat())
    }

    /// What the PINs in that record are hashed with. It is kept in the record, sealed: a PIN can't be hashed anew when the
    /// master key changes, for it is not here then.
    pub(super) fn pin_key(&self, holder: &[&[u8]]) -> [u8; 32] {
        let half = |which: &[u8]| keyed_hash(&self.0.pin, &[&[which][..], holder].concat());
        let mut key = [0; 32];
        key[..16].copy_from_slice(&half(b"first half"));
        key[16..].copy_from_slice(&half(b"second half"));
        key
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.0.seal).into())
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyring({})", self.0.id)
    }
}

impl fmt::Display for MasterId {
    /// Eight hex digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl fmt::Debug for MasterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for NotOurs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the sealed bytes are damaged, out of place or sealed with another key")
    }
}

impl std::error::Error for NotOurs {}

struct Keys {
    master: SubKey,
    id: MasterId,
    code: SubKey,
    seal: SubKey,
    look_up: SubKey,
    fingerprint: SubKey,
    audit: SubKey,
    session: SubKey,
    tally: SubKey,
    pin: SubKey,
}

type SubKey = Zeroizing<[u8; 32]>;

fn sub_key(hkdf: &Hkdf<Sha256>, label: &str) -> SubKey {
    let mut key = Zeroizing::new([0; 32]);
    expand(hkdf, label, &mut *key);
    key
}

fn expand(hkdf: &Hkdf<Sha256>, label: &str, out: &mut [u8]) {
    let info = ["otpgate 1 ", label].concat();
    hkdf.expand(info.as_bytes(), out).expect("HKDF-SHA256 gives up to 8160 bytes");
}

/// What a PIN is known by, under a key from [`Keyring::pin_key`].
pub(super) fn pin_digest(key: &[u8; 32], pin: &str) -> [u8; 16] {
    keyed_hash(key, &[pin.as_bytes()])
}

fn keyed_hash(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 16] {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    let mut hash = [0; 16];
    hash.copy_from_slice(&mac.finalize().into_bytes()[..16]);
    hash
}

/// Bytes in a nonce of XChaCha20-Poly1305: so many that random ones never meet.
pub const NONCE: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_what_it_sealed_in_its_place_and_nothing_else() {
        let ring = Keyring::new(&[7; 32]);
        let sealed = ring.seal([1; NONCE], b"place", b"text");
        assert_eq!(ring.open(b"place", &sealed).unwrap().as_slice(), b"text");
        assert_eq!(ring.open(b"other", &sealed), Err(NotOurs), "another place");
        assert_eq!(Keyring::new(&[8; 32]).open(b"place", &sealed), Err(NotOurs), "another key");
        for bit in 0..sealed.len() * 8 {
            let mut damaged = sealed.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(ring.open(b"place", &damaged), Err(NotOurs), "bit {bit}");
        }
        for cut in 0..sealed.len() {
            assert_eq!(ring.open(b"place", &sealed[..cut]), Err(NotOurs), "cut to {cut}");
        }
    }

    #[test]
    fn every_purpose_has_its_own_key() {
        let ring = Keyring::new(&[7; 32]);
        let keys = [ring.code_key(), ring.audit_key(), ring.session_key(), &*ring.0.seal];
        for (i, a) in keys.iter().enumerate() {
            for b in &keys[i + 1..] {
                assert_ne!(a, b);
            }
        }
        let number = Msisdn::parse("+14155550100").unwrap();
        let digits: &[u8] = b"14155550100";
        assert_ne!(ring.number_hash(&number), ring.fingerprint(&[digits]));
        assert_ne!(ring.fingerprint(&[digits]), ring.tally_hash(&[digits]));
        assert_ne!(ring.number_hash(&number), Keyring::new(&[8; 32]).number_hash(&number));
    }

    #[test]
    fn a_byte_moved_to_the_next_part_changes_the_fingerprint() {
        let ring = Keyring::new(&[7; 32]);
        assert_ne!(ring.fingerprint(&[b"ab", b"c"]), ring.fingerprint(&[b"a", b"bc"]));
        assert_ne!(ring.fingerprint(&[b"ab"]), ring.fingerprint(&[b"ab", b""]));
        assert_eq!(ring.fingerprint(&[b"ab", b"c"]), ring.fingerprint(&[b"ab", b"c"]));
    }

    #[test]
    fn debug_shows_no_key() {
        let ring = Keyring::new(&[7; 32]);
        assert_eq!(format!("{ring:?}"), format!("Keyring({})", ring.id()));
    }
}
