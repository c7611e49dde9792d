//! The text that carries a code. It always fits one SMS: a code in two parts may arrive as half a code.

use std::fmt;
use std::time::Duration;

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
        if !text.chars().all(|c| c.is_alphanumeric() || " .&'-".contains(c)) {
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

/// A text with a gap where the code goes. The code comes first, so that a locked screen shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// What stands before the code.
    pub before: String,
    /// What stands after it.
    pub after: String,
}

impl Template {
    /// The text for a code that is valid for `life` from now.
    ///
    /// A brand beyond ASCII may need UCS-2, of which an SMS holds 70 units instead of 160 septets
    /// (TS 23.038 §6.2.3): such a text is shorter.
    pub fn new(brand: Option<&Brand>, life: Duration) -> Self {
        let life = Life(life);
        let after = match brand.map(Brand::as_str) {
            None => format!(" is your code. Valid for {life}. Don't share it."),
            Some(brand) if brand.is_ascii() => format!(" is your {brand} code. Valid for {life}. Don't share it."),
            Some(brand) => format!(" is your {brand} code ({life})."),
        };
        Self { before: String::new(), after }
    }
}

/// A time to live in words, never longer than it is.
struct Life(Duration);

impl fmt::Display for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs() {
            seconds if seconds < 120 && seconds != 60 => write!(f, "{seconds} s"),
            seconds => write!(f, "{} min", seconds / 60),
        }
    }
}

/// A dot with two or more letters or digits behind it is what phones underline.
fn looks_like_link(text: &str) -> bool {
    text.split('.').skip(1).any(|label| label.chars().take_while(|c| c.is_alphanumeric()).count() >= 2)
}

const MAX_BRAND: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sms::segment::{NationalShift, segment};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn whatever_the_brand_it_is_one_sms(
            brand in "[a-zA-Z0-9 .&'\\-éßÇΩЖ中ﬁ𐐀]{1,32}|\\PC{1,32}",
            seconds in 30u64..=3600,
            code in "[0-9A-Za-z]{10}",
        ) {
            let brand = Brand::parse(&brand);
            prop_assume!(brand.is_ok());
            let Template { before, after } = Template::new(brand.ok().as_ref(), Duration::from_secs(seconds));
            let parts = segment(&format!("{before}{code}{after}"), NationalShift::Off).map(|s| s.len());
            prop_assert_eq!(parts, Ok(1));
        }
    }

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

    #[test]
    fn texts() {
        let acme = Brand::parse("Acme").unwrap();
        let cafe = Brand::parse("Café").unwrap();
        let rows = [
            ("no brand", None, 300, " is your code. Valid for 5 min. Don't share it."),
            ("a brand", Some(&acme), 600, " is your Acme code. Valid for 10 min. Don't share it."),
            ("beyond ASCII", Some(&cafe), 300, " is your Café code (5 min)."),
            ("under a minute", None, 45, " is your code. Valid for 45 s. Don't share it."),
            ("one minute", None, 60, " is your code. Valid for 1 min. Don't share it."),
            ("a minute and a half", None, 90, " is your code. Valid for 90 s. Don't share it."),
            ("never more than it is", None, 299, " is your code. Valid for 4 min. Don't share it."),
        ];
        for (name, brand, seconds, after) in rows {
            let template = Template::new(brand, Duration::from_secs(seconds));
            assert_eq!((template.before.as_str(), template.after.as_str()), ("", after), "{name}");
        }
    }

    /// Counted by hand of TS 23.038: an SMS holds 160 septets or 70 UTF-16 units.
    #[test]
    fn the_longest_of_everything_fits_one_sms() {
        let code = 10;
        for (brand, room) in [("W".repeat(32), 160), ("Ж".repeat(32), 70), ("𐐀".repeat(16), 70)] {
            let brand = Brand::parse(&brand).unwrap();
            for seconds in [119, 3600] {
                let text = Template::new(Some(&brand), Duration::from_secs(seconds));
                let units = text.before.encode_utf16().count() + code + text.after.encode_utf16().count();
                assert!(units <= room, "{units} of {room}");
            }
        }
    }
}
