//! Codes: derived when they are needed, stored nowhere, compared in constant time.

use crate::domain::id::VerificationId;
use crate::domain::secret::Secret;
use crate::domain::verification::CodeAlphabet;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// What a code is made to.
#[derive(Clone, Copy, Debug)]
pub struct Recipe<'a> {
    /// How many characters, 4 to 10.
    pub length: u8,
    /// What it is written in.
    pub alphabet: CodeAlphabet,
    /// The amount and the payee that it is good for, if it is bound to a payment.
    pub payment: Option<(&'a str, &'a str)>,
}

/// The code of a verification: `characters(HMAC-SHA256(key, version ‖ id ‖ generation ‖ nonce ‖ recipe ‖ counter))`. The
/// recipe of plain digits is empty.
///
/// Characters come from 64-bit words by rejection, so that each is equally likely; when a block is used up, the next
/// counter gives another. A code of digits and letters has a digit: phones look for one. One without is rejected whole.
pub fn derive(key: &[u8; 32], id: VerificationId, generation: u32, nonce: &[u8; 16], recipe: Recipe<'_>) -> Secret {
    let (length, symbols) = (usize::from(recipe.length), recipe.alphabet.symbols());
    // The largest multiple of their number that fits in a word: words from there on would favour the first ones.
    let reject_from = u64::MAX - u64::MAX % symbols.len() as u64;
    let mut code = String::with_capacity(length);
    for counter in 0u32.. {
        #[allow(clippy::expect_used, reason = "HMAC takes keys of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
        mac.update(&[if recipe.is_plain() { PLAIN } else { BOUND }]);
        mac.update(&id.0.to_be_bytes());
        mac.update(&generation.to_be_bytes());
        mac.update(nonce);
        recipe.feed(&mut mac);
        mac.update(&counter.to_be_bytes());
        for word in mac.finalize().into_bytes().as_chunks::<8>().0 {
            if code.len() == length {
                if code.bytes().any(|c| c.is_ascii_digit()) {
                    return Secret::new(code);
                }
                code.clear();
            }
            let word = u64::from_be_bytes(*word);
            if word < reject_from {
                code.push(char::from(symbols[(word % symbols.len() as u64) as usize]));
            }
        }
    }
    unreachable!("a 32-bit counter is not used up by ten characters")
}

impl Recipe<'_> {
    /// So many digits.
    pub fn digits(length: u8) -> Self {
        Self { length, alphabet: CodeAlphabet::Digits, payment: None }
    }

    fn is_plain(&self) -> bool {
        self.alphabet == CodeAlphabet::Digits && self.payment.is_none()
    }

    fn feed(&self, mac: &mut Hmac<Sha256>) {
        if self.is_plain() {
            return;
        }
        mac.update(self.alphabet.symbols());
        let (amount, payee) = self.payment.unwrap_or_default();
        for text in [amount, payee] {
            // With its length, so that what ends the one can't begin the other.
            mac.update(&(text.len() as u64).to_be_bytes());
            mac.update(text.as_bytes());
        }
    }
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

const PLAIN: u8 = 1;
const BOUND: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];
    const NONCE: [u8; 16] = [9; 16];

    #[test]
    fn everything_that_goes_in_changes_the_code() {
        let (id, ten) = (VerificationId(1), Recipe::digits(10));
        let base = derive(&KEY, id, 0, &NONCE, ten);
        assert_eq!(base, derive(&KEY, id, 0, &NONCE, ten), "the same again");
        assert_ne!(base, derive(&[8; 32], id, 0, &NONCE, ten), "key");
        assert_ne!(base, derive(&KEY, VerificationId(2), 0, &NONCE, ten), "id");
        assert_ne!(base, derive(&KEY, id, 1, &NONCE, ten), "generation");
        assert_ne!(base, derive(&KEY, id, 0, &[8; 16], ten), "nonce");
        let paying = |amount, payee| derive(&KEY, id, 0, &NONCE, Recipe { payment: Some((amount, payee)), ..ten });
        let paid = paying("10 EUR", "Acme");
        assert_eq!(paid, paying("10 EUR", "Acme"), "the same payment again");
        for (name, other) in [
            ("no payment", base),
            ("another amount", paying("11 EUR", "Acme")),
            ("another payee", paying("10 EUR", "Acne")),
            ("the same letters, cut elsewhere", paying("10 EURA", "cme")),
        ] {
            assert_ne!(paid, other, "{name}");
        }
    }

    /// A code that was sent before an update is right after it.
    #[test]
    fn a_plain_code_is_what_it_always_was() {
        let code = derive(&KEY, VerificationId(1), 0, &NONCE, Recipe::digits(10));
        assert_eq!(code.reveal(), "9910151158");
    }

    #[test]
    fn has_the_length_asked_for_and_only_digits() {
        for length in 4..=10 {
            let code = derive(&KEY, VerificationId(3), 0, &NONCE, Recipe::digits(length));
            assert_eq!(code.reveal().len(), usize::from(length));
            assert!(code.reveal().bytes().all(|b| b.is_ascii_digit()));
        }
    }

    #[test]
    fn letters_that_are_taken_for_others_are_in_no_code_and_a_digit_is_in_each() {
        let alphabet = CodeAlphabet::Unambiguous;
        for pair in [*b"0O", *b"1I", *b"1L", *b"IL", *b"2Z", *b"5S", *b"8B", *b"UV"] {
            assert!(pair.iter().filter(|c| alphabet.symbols().contains(c)).count() <= 1, "{pair:?}");
        }
        for n in 0..2_000 {
            let recipe = Recipe { alphabet, ..Recipe::digits(4) };
            let code = derive(&KEY, VerificationId(n), 0, &NONCE, recipe);
            assert_eq!(code.reveal().len(), 4);
            assert!(code.reveal().bytes().all(|c| alphabet.symbols().contains(&c)), "{}", code.reveal());
            assert!(code.reveal().bytes().any(|c| c.is_ascii_digit()), "{}", code.reveal());
        }
    }

    #[test]
    fn digits_are_spread_evenly() {
        let mut counts = [0u32; 10];
        for n in 0..2_000 {
            for digit in derive(&KEY, VerificationId(n), 0, &NONCE, Recipe::digits(10)).reveal().bytes() {
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
