//! A code as a person typed it, or a program supplied it.

use crate::domain::secret::Secret;

/// Reads what somebody typed: spaces and hyphens are dropped, the digits of other scripts become ASCII. `None` if what
/// is left can be no code at all: 3 to 10 ASCII letters and digits.
pub fn typed(text: &str) -> Option<Secret> {
    // Four times the longest code is a lot of spaces; more is no attempt at typing one.
    if text.chars().count() > 4 * LONGEST {
        return None;
    }
    let code: String = text.chars().filter(|c| !is_separator(*c)).map(fold).collect();
    supplied(&code)
}

/// Reads a code as a program supplies it: 3 to 10 ASCII letters and digits, and nothing else.
pub fn supplied(text: &str) -> Option<Secret> {
    let fits = (SHORTEST..=LONGEST).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
    fits.then(|| Secret::new(text))
}

fn is_separator(c: char) -> bool {
    c.is_whitespace() || c == '-' || ('\u{2010}'..='\u{2015}').contains(&c) || c == '\u{2212}'
}

fn fold(c: char) -> char {
    let value = ZEROS.iter().find_map(|zero| u32::from(c).checked_sub(*zero).filter(|digit| *digit < 10));
    value.and_then(|digit| char::from_digit(digit, 10)).unwrap_or(c)
}

const SHORTEST: usize = 3;
const LONGEST: usize = 10;

/// The zeros of the scripts with decimal digits (Unicode general category Nd) that keyboards produce.
const ZEROS: [u32; 37] = [
    0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66, 0x0DE6, 0x0E50,
    0x0ED0, 0x0F20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40, 0x1C50,
    0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10, 0x1E950,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_type() {
        let rows = [
            ("as it is", "123456", Some("123456")),
            ("in groups", " 123 456 ", Some("123456")),
            ("with hyphens", "123-45\u{2011}6", Some("123456")),
            ("with a no-break space", "123\u{a0}456", Some("123456")),
            ("Arabic-Indic", "١٢٣٤٥٦", Some("123456")),
            ("Persian", "۱۲۳۴۵۶", Some("123456")),
            ("Devanagari", "१२३४५६", Some("123456")),
            ("full width", "１２３４５６", Some("123456")),
            ("letters keep their case", "aB3-xY9", Some("aB3xY9")),
            ("too short", "12", None),
            ("too long", "12345678901", None),
            ("nothing but spaces", "      ", None),
            ("empty", "", None),
            ("another sign", "12345!", None),
            ("another script's letters", "абвгд", None),
            ("an endless gap", "1                                                   23456", None),
        ];
        for (name, text, expected) in rows {
            assert_eq!(typed(text).as_ref().map(Secret::reveal), expected, "{name}");
        }
    }

    #[test]
    fn what_programs_supply_is_taken_as_it_is_or_not_at_all() {
        for (text, expected) in [("1234", true), ("ABCDEFGH10", true), ("12 34", false), ("१२३४", false), ("12", false)]
        {
            assert_eq!(supplied(text).is_some(), expected, "{text}");
        }
    }
}
