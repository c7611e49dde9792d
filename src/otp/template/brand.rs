//! The name that a text shows.

use super::values::{is_word_character, looks_like_link};
use std::fmt;

/// A name that the text shows: 1 to 32 letters, digits, spaces and `.&'-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brand(String);

/// Why a text is no brand. Holds no part of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrandError {
    /// Empty, or more than 32 UTF-16 units, which is what an SMS counts.
    BadLength,
    /// A character that is no letter, digit, space or one of `.&'-`.
    BadCharacter,
    /// It begins or ends with a space.
    OuterSpace,
    /// It reads like a web address, which phones make a link of.
    LooksLikeLink,
}

impl Brand {
    /// Proves a brand.
    pub fn parse(text: &str) -> Result<Self, BrandError> {
        if text.is_empty() || text.encode_utf16().count() > MAX_BRAND {
            return Err(BrandError::BadLength);
        }
        if !text.chars().all(is_word_character) {
            return Err(BrandError::BadCharacter);
        }
        if text.trim() != text {
            return Err(BrandError::OuterSpace);
        }
        if looks_like_link(text) {
            return Err(BrandError::LooksLikeLink);
        }
        Ok(Self(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BrandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadLength => "a brand has 1 to 32 characters",
            Self::BadCharacter => "a brand holds only letters, digits, spaces and . & ' -",
            Self::OuterSpace => "a brand neither begins nor ends with a space",
            Self::LooksLikeLink => "a brand may not look like a web address; leave out what follows the dot",
        })
    }
}

impl std::error::Error for BrandError {}

/// The most UTF-16 units of a brand.
pub const MAX_BRAND: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brands() {
        use BrandError::*;
        let rows = [
            ("a plain name", "Acme", Ok(())),
            ("all the marks", "Fish & Chips - O'Neill St. 7", Ok(())),
            ("initials", "U.S. Bank", Ok(())),
            ("letters beyond ASCII", "Ärzte am Płatz", Ok(())),
            ("32 units", "abcdefghijklmnopqrstuvwxyz012345", Ok(())),
            ("33 units", "abcdefghijklmnopqrstuvwxyz0123456", Err(BadLength)),
            ("17 letters of two units each", "𐐀𐐀𐐀𐐀𐐀𐐀𐐀𐐀𐐀𐐀𐐀𐐀𐐀𐐀𐐀𐐀𐐀", Err(BadLength)),
            ("nothing", "", Err(BadLength)),
            ("a line break", "Acme\nShop", Err(BadCharacter)),
            ("an at sign", "a@b", Err(BadCharacter)),
            ("a number sign", "Acme #1", Err(BadCharacter)),
            ("an address with a scheme", "http://acme", Err(BadCharacter)),
            ("a domain", "acme.com", Err(LooksLikeLink)),
            ("a domain among words", "see acme.co now", Err(LooksLikeLink)),
            ("an outer space", " Acme", Err(OuterSpace)),
            ("only a space", " ", Err(OuterSpace)),
        ];
        for (name, text, expected) in rows {
            assert_eq!(Brand::parse(text).map(|_| ()), expected, "{name}");
        }
    }
}
