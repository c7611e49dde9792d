//! Codes: derived when they are needed, stored nowhere, compared in constant time.

use crate::domain::id::VerificationId;
use crate::domain::secret::Secret;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// The code of a verification: `digits(HMAC-SHA256(key, version ‖ id ‖ generation ‖ nonce ‖ counter))`.
///
/// Digits come from 64-bit words by rejection, so that each is equally likely; when a block is used up, the next
/// counter gives another. `length` is 4 to 10.
pub fn derive(key: &[u8; 32], id: VerificationId, generation: u32, nonce: &[u8; 16], length: u8) -> Secret {
    let mut code = String::with_capacity(usize::from(length));
    for counter in 0u32.. {
        #[allow(clippy::expect_used, reason = "HMAC takes keys of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
        mac.update(&[VERSION]);
        mac.update(&id.0.to_be_bytes());
        mac.update(&generation.to_be_bytes());
        mac.update(nonce);
        mac.update(&counter.to_be_bytes());
        for word in mac.finalize().into_bytes().as_chunks::<8>().0 {
            if code.len() == usize::from(length) {
                return Secret::new(code);
            }
            let word = u64::from_be_bytes(*word);
            if word < REJECT_FROM {
                code.push(char::from(b'0' + (word % 10) as u8));
            }
        }
    }
    unreachable!("a 32-bit counter is not used up by ten digits")
}

/// Whether the two are the same, in a time that depends on their lengths only.
pub fn matches(expected: &Secret, given: &Secret) -> bool {
    expected.reveal().as_bytes().ct_eq(given.reveal().as_bytes()).into()
}

/// What is told of a code that was sent to one who gave another that it can't be: never more than this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// How many characters it has.
    pub length: usize,
    /// Whether all of them are digits.
    pub digits: bool,
}

impl Form {
    /// The form of a code, in a time that depends on its length only.
    pub fn of(code: &Secret) -> Self {
        let code = code.reveal().as_bytes();
        Self { length: code.len(), digits: code.iter().fold(true, |all, octet| all & octet.is_ascii_digit()) }
    }

    /// Whether a code of that form may be one of this. Where letters are sent, digits alone may be meant as well.
    pub fn allows(&self, given: Form) -> bool {
        self.length == given.length && (given.digits || !self.digits)
    }
}

const VERSION: u8 = 1;
/// The largest multiple of ten that fits in a word: words from there on would favour the small digits.
const REJECT_FROM: u64 = u64::MAX - u64::MAX % 10;

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];
    const NONCE: [u8; 16] = [9; 16];

    #[test]
    fn everything_that_goes_in_changes_the_code() {
        let id = VerificationId(1);
        let base = derive(&KEY, id, 0, &NONCE, 10);
        assert_eq!(base, derive(&KEY, id, 0, &NONCE, 10), "the same again");
        assert_ne!(base, derive(&[8; 32], id, 0, &NONCE, 10), "key");
        assert_ne!(base, derive(&KEY, VerificationId(2), 0, &NONCE, 10), "id");
        assert_ne!(base, derive(&KEY, id, 1, &NONCE, 10), "generation");
        assert_ne!(base, derive(&KEY, id, 0, &[8; 16], 10), "nonce");
    }

    #[test]
    fn has_the_length_asked_for_and_only_digits() {
        for length in 4..=10 {
            let code = derive(&KEY, VerificationId(3), 0, &NONCE, length);
            assert_eq!(code.reveal().len(), usize::from(length));
            assert!(code.reveal().bytes().all(|b| b.is_ascii_digit()));
        }
    }

    #[test]
    fn digits_are_spread_evenly() {
        let mut counts = [0u32; 10];
        for n in 0..2_000 {
            for digit in derive(&KEY, VerificationId(n), 0, &NONCE, 10).reveal().bytes() {
                counts[usize::from(digit - b'0')] += 1;
            }
        }
        // 20,000 digits: 2,000 of each, with a standard deviation of 42. Six of those is never seen by chance.
        assert!(counts.iter().all(|&n| (1_745..=2_255).contains(&n)), "{counts:?}");
    }

    #[test]
    fn a_code_can_be_no_other_than_one_of_its_form() {
        let rows = [
            ("digits", "123456", "654321", true),
            ("too few", "123456", "12345", false),
            ("too many", "123456", "1234567", false),
            ("a letter for a digit", "123456", "12345a", false),
            ("letters", "aB3xY9", "zzzzzz", true),
            ("digits for letters", "aB3xY9", "123456", true),
            ("too few letters", "aB3xY9", "aB3xY", false),
        ];
        for (name, sent, given, possible) in rows {
            let [sent, given] = [sent, given].map(|code| Form::of(&Secret::new(code)));
            assert_eq!(sent.allows(given), possible, "{name}");
        }
    }

    #[test]
    fn compares_whole_codes() {
        let code = |text: &str| Secret::new(text);
        assert!(matches(&code("123456"), &code("123456")));
        for wrong in ["123457", "12345", "1234567", "", "023456"] {
            assert!(!matches(&code("123456"), &code(wrong)), "{wrong}");
        }
    }
}
