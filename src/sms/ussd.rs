//! The text of a USSD string as a modem passes it on. The data coding scheme (TS 23.038 §5) says which alphabet it is in, and
//! modems were seen to give another; so what the characters look like counts as well.

use super::gsm7::{Tables, unpack};
use super::ucs2;

/// The text. What comes behind a NUL is left over from something else.
pub fn decode(given: &str, dcs: Option<u8>) -> String {
    let text = match octets(given) {
        Some(octets) if says_ucs2(dcs) || looks_like_ucs2(&octets) => ucs2::decode(&octets),
        Some(octets) if looks_like_text(&unpacked(&octets)) => unpacked(&octets),
        _ => given.to_owned(),
    };
    let text = text.split('\0').next().unwrap_or_default();
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    text.trim().to_owned()
}

/// A service code as packed septets in hexadecimal.
pub fn packed_hex(code: &str) -> Option<String> {
    Some(hex(&super::gsm7::pack(&Tables::DEFAULT.encode(code)?, 0)))
}

/// A service code as UCS-2 in hexadecimal.
pub fn ucs2_hex(code: &str) -> String {
    hex(&ucs2::to_octets(&code.encode_utf16().collect::<Vec<_>>()))
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02X}")).collect()
}

/// What stands there in hexadecimal, if it is so much that no plain text is it by chance.
fn octets(given: &str) -> Option<Vec<u8>> {
    if given.len() < SHORTEST || !given.len().is_multiple_of(2) || !given.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    (0..given.len()).step_by(2).map(|i| u8::from_str_radix(&given[i..i + 2], 16).ok()).collect()
}

fn unpacked(octets: &[u8]) -> String {
    let text = Tables::DEFAULT.decode(&unpack(octets, 0, usize::MAX));
    // Seven bits that are left over are filled with CR, or read as `@` (TS 23.038 §6.1.2.3.1).
    text.trim_end_matches(['\r', '@']).to_owned()
}

/// General data coding with UCS-2, or UCS-2 behind a language.
fn says_ucs2(dcs: Option<u8>) -> bool {
    dcs.is_some_and(|dcs| dcs == 0x11 || (dcs & 0xC0 == 0x40 && dcs & 0x0C == 0x08))
}

/// One script has few high octets; packed septets have any.
fn looks_like_ucs2(octets: &[u8]) -> bool {
    let (units, rest) = octets.as_chunks::<2>();
    let zero = units.iter().filter(|unit| unit[0] == 0).count();
    let mut high: Vec<u8> = units.iter().map(|unit| unit[0]).collect();
    high.sort_unstable();
    high.dedup();
    rest.is_empty() && (2 * zero >= units.len() || high.len() <= 2)
}

fn looks_like_text(text: &str) -> bool {
    let usual =
        text.chars().filter(|c| c.is_alphanumeric() || c.is_whitespace() || ".,:;!?*#/-+()%'\"".contains(*c)).count();
    !text.is_empty() && 10 * usual >= 8 * text.chars().count()
}

/// Hexadecimal digits, of an answer shorter than any that has an amount in it and more.
const SHORTEST: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l13_balances_in_every_alphabet() {
        let text = "Your balance is 10.00 USD.";
        let packed = packed_hex(text).unwrap();
        let ucs2 = ucs2_hex(text);
        let cyrillic = "\u{411}\u{430}\u{43b}\u{430}\u{43d}\u{441} 10,50 \u{440}";
        let rows = [
            (text.to_owned(), Some(15), text),
            (text.to_owned(), None, text),
            (packed.clone(), Some(15), text),
            (packed, None, text),
            (ucs2.clone(), Some(72), text),
            (ucs2.clone(), Some(15), text),
            (format!("{ucs2}0000FFFF60B16260EEEE"), Some(17), text),
            (ucs2_hex(cyrillic), Some(72), cyrillic),
            (ucs2_hex(cyrillic), Some(15), cyrillic),
            ("10.00".to_owned(), Some(15), "10.00"),
            ("1000".to_owned(), Some(15), "1000"),
            ("Added: 50".to_owned(), Some(0), "Added: 50"),
            (String::new(), Some(15), ""),
            ("00410".to_owned(), Some(72), "00410"),
        ];
        for (given, dcs, expected) in rows {
            assert_eq!(decode(&given, dcs), expected, "{given} {dcs:?}");
        }
    }

    #[test]
    fn codes_as_modems_want_them() {
        assert_eq!(packed_hex("*100#").as_deref(), Some("AA180C3602"));
        assert_eq!(ucs2_hex("*1#"), "002A00310023");
        assert_eq!(packed_hex("\u{411}"), None);
    }
}
