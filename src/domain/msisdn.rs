//! Phone numbers in E.164 form.

use std::fmt;

/// A phone number in international form: 7 to 15 digits, the first not 0 (ITU-T E.164 §6.2).
///
/// Its `Display` and `Debug` are masked; [`Msisdn::reveal_digits`] is the one way to the digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Msisdn(String);

/// Why a text is no phone number. Holds no part of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MsisdnError {
    /// No leading `+` (or `00`): a national number can't be told from an international one.
    NotInternational,
    /// A character that is neither a digit nor one of the separators space, `-`, `.`, `(`, `)`.
    BadCharacter,
    /// Fewer than 7 or more than 15 digits.
    BadLength,
    /// No country calling code begins with 0.
    BadCountryCode,
}

impl fmt::Display for MsisdnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotInternational => {
                "a phone number must begin with + and the country calling code, as in +14155550100"
            }
            Self::BadCharacter => {
                "a phone number holds only digits after the +; separators may be spaces, hyphens, dots and brackets"
            }
            Self::BadLength => "a phone number has 7 to 15 digits after the + (E.164)",
            Self::BadCountryCode => "no country calling code begins with 0; leave out the national trunk prefix",
        })
    }
}

impl std::error::Error for MsisdnError {}

impl Msisdn {
    /// Reads `+14155550100`, `0014155550100` or `+1 (415) 555-0100`.
    pub fn parse(text: &str) -> Result<Self, MsisdnError> {
        let text = text.trim();
        let rest = text.strip_prefix('+').or_else(|| text.strip_prefix("00")).ok_or(MsisdnError::NotInternational)?;
        let mut digits = String::with_capacity(15);
        for c in rest.chars() {
            match c {
                '0'..='9' if digits.len() >= 15 => return Err(MsisdnError::BadLength),
                '0'..='9' => digits.push(c),
                ' ' | '-' | '.' | '(' | ')' => {}
                _ => return Err(MsisdnError::BadCharacter),
            }
        }
        match digits.as_bytes() {
            [b'0', ..] => Err(MsisdnError::BadCountryCode),
            d if d.len() < 7 => Err(MsisdnError::BadLength),
            _ => Ok(Self(digits)),
        }
    }

    /// The digits, without `+`. For the wire, the caller's own answer and the sealed record; never for a log.
    pub fn reveal_digits(&self) -> &str {
        &self.0
    }

    /// `+` and the digits. As [`Msisdn::reveal_digits`].
    pub fn reveal_e164(&self) -> String {
        format!("+{}", self.0)
    }

    /// Whether `digits` (as a status report's TP-RA has them, perhaps in national form) end as this number does:
    /// the last 8 digits, or all of them where there are fewer.
    pub fn ends_like(&self, digits: &str) -> bool {
        let n = digits.len().min(8);
        n >= 3 && digits.is_char_boundary(digits.len() - n) && self.0.ends_with(&digits[digits.len() - n..])
    }
}

impl fmt::Display for Msisdn {
    /// Masked: the first two digits and the last two.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let d = &self.0;
        write!(f, "+{}…{}", &d[..2], &d[d.len() - 2..])
    }
}

impl fmt::Debug for Msisdn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses() {
        use MsisdnError::*;
        let rows = [
            ("+14155550100", Ok("14155550100")),
            ("0014155550100", Ok("14155550100")),
            ("+1 (415) 555-01.00", Ok("14155550100")),
            ("  +14155550100 ", Ok("14155550100")),
            ("4155550100", Err(NotInternational)),
            ("+1415555010a", Err(BadCharacter)),
            ("+٤١٤١٥٥٥٥", Err(BadCharacter)),
            ("+123456", Err(BadLength)),
            ("+1234567890123456", Err(BadLength)),
            ("+0123456789", Err(BadCountryCode)),
            ("", Err(NotInternational)),
            ("+", Err(BadLength)),
        ];
        for (text, expected) in rows {
            assert_eq!(
                Msisdn::parse(text).as_ref().map(|m| m.reveal_digits()),
                expected.as_ref().map(|d| *d),
                "{text}"
            );
        }
    }

    #[test]
    fn display_and_debug_are_masked() {
        let n = Msisdn::parse("+14155550123").unwrap();
        assert_eq!(n.to_string(), "+14…23");
        assert_eq!(format!("{n:?}"), "+14…23");
    }

    #[test]
    fn national_forms_match_by_their_tail() {
        let n = Msisdn::parse("+447700900123").unwrap();
        assert!(n.ends_like("447700900123"));
        assert!(n.ends_like("07700900123"));
        assert!(!n.ends_like("07700900124"));
        assert!(!n.ends_like(""));
        assert!(!n.ends_like("23"));
    }
}
