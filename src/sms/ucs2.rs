//! UCS-2 (3GPP TS 23.038 §6.2.3): UTF-16 in practice, big-endian. Phones pair surrogates, and so do we.

/// The octets of UTF-16 code units, high octet first.
pub fn to_octets(units: &[u16]) -> Vec<u8> {
    units.iter().flat_map(|unit| unit.to_be_bytes()).collect()
}

/// The text. A surrogate without its partner becomes U+FFFD; a last octet without its partner is passed over.
pub fn decode(octets: &[u8]) -> String {
    let units = octets.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

/// Whether a code unit is the first half of a surrogate pair, so that no cut may follow it.
pub(super) fn opens_pair(unit: u16) -> bool {
    (0xD800..0xDC00).contains(&unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decodes() {
        let rows: [(&str, &[u8], &str); 5] = [
            ("empty", &[], ""),
            ("basic plane", &[0x00, 0x41, 0x20, 0xAC], "A€"),
            ("surrogate pair", &[0xD8, 0x3D, 0xDE, 0x00], "\u{1F600}"),
            ("lone surrogate", &[0xD8, 0x3D, 0x00, 0x41], "\u{FFFD}A"),
            ("odd octet", &[0x00, 0x41, 0x00], "A"),
        ];
        for (name, octets, text) in rows {
            assert_eq!(decode(octets), text, "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in any::<String>()) {
            let units: Vec<u16> = text.encode_utf16().collect();
            prop_assert_eq!(decode(&to_octets(&units)), text);
        }
    }
}
