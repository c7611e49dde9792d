//! The GSM 7 bit default alphabet and its extension table (TS 23.038 §6.2.1), and the packing of septets (§6.1.2.1).
//!
//! Written for the other end of the wire only: an error here must not be able to hide the same error in the gateway.

/// The septet that announces a character of the extension table.
const ESCAPE: u8 = 0x1B;

/// The septets of `text`, or `None` if a character is in neither table.
pub fn encode(text: &str) -> Option<Vec<u8>> {
    let mut septets = Vec::with_capacity(text.len());
    for c in text.chars() {
        if let Some(code) = BASIC.iter().position(|&b| b == c && b != '\u{1b}') {
            septets.push(code as u8);
        } else {
            let &(code, _) = EXTENSION.iter().find(|(_, e)| *e == c)?;
            septets.extend([ESCAPE, code]);
        }
    }
    Some(septets)
}

/// The text of `septets`. An escape without a known extension shows the basic character (§6.2.1.1), a lone one a space.
pub fn decode(septets: &[u8]) -> String {
    let mut text = String::with_capacity(septets.len());
    let mut codes = septets.iter().map(|s| s & 0x7F);
    while let Some(code) = codes.next() {
        text.push(match code {
            ESCAPE => match codes.next() {
                Some(ESCAPE) | None => ' ',
                Some(code) => extension(code).unwrap_or(BASIC[usize::from(code)]),
            },
            code => BASIC[usize::from(code)],
        });
    }
    text
}

/// The extension table's character for `code`.
fn extension(code: u8) -> Option<char> {
    EXTENSION.iter().find(|(c, _)| *c == code).map(|(_, e)| *e)
}

/// Packs septets into octets, least significant bits first, after `fill` bits of zero (0 to 6).
pub fn pack(septets: &[u8], fill: usize) -> Vec<u8> {
    let mut octets = vec![0; (septets.len() * 7 + fill).div_ceil(8)];
    for (i, &septet) in septets.iter().enumerate() {
        let bit = i * 7 + fill;
        let value = u16::from(septet & 0x7F) << (bit % 8);
        octets[bit / 8] |= value as u8;
        if value > 0xFF {
            octets[bit / 8 + 1] |= (value >> 8) as u8;
        }
    }
    octets
}

/// Takes `count` septets out of `octets`, after `fill` bits. Fewer if the octets end before.
pub fn unpack(octets: &[u8], count: usize, fill: usize) -> Vec<u8> {
    let available = (octets.len() * 8).saturating_sub(fill) / 7;
    (0..count.min(available))
        .map(|i| {
            let bit = i * 7 + fill;
            let low = u16::from(octets[bit / 8]);
            let high = octets.get(bit / 8 + 1).copied().map_or(0, u16::from);
            (((high << 8 | low) >> (bit % 8)) & 0x7F) as u8
        })
        .collect()
}

#[rustfmt::skip]
const BASIC: [char; 128] = [
    '@', '£', '$', '¥', 'è', 'é', 'ù', 'ì', 'ò', 'Ç', '\n', 'Ø', 'ø', '\r', 'Å', 'å',
    'Δ', '_', 'Φ', 'Γ', 'Λ', 'Ω', 'Π', 'Ψ', 'Σ', 'Θ', 'Ξ', '\u{1b}', 'Æ', 'æ', 'ß', 'É',
    ' ', '!', '"', '#', '¤', '%', '&', '\'', '(', ')', '*', '+', ',', '-', '.', '/',
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ':', ';', '<', '=', '>', '?',
    '¡', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O',
    'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'Ä', 'Ö', 'Ñ', 'Ü', '§',
    '¿', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o',
    'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', 'ä', 'ö', 'ñ', 'ü', 'à',
];

const EXTENSION: [(u8, char); 10] = [
    (0x0A, '\u{c}'),
    (0x14, '^'),
    (0x28, '{'),
    (0x29, '}'),
    (0x2F, '\\'),
    (0x3C, '['),
    (0x3D, '~'),
    (0x3E, ']'),
    (0x40, '|'),
    (0x65, '€'),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn septets_pack_as_the_specification_draws_it() {
        // TS 23.038 §6.1.2.1.1: bit 0 of the second septet becomes bit 7 of the first octet, and so on.
        assert_eq!(pack(&[0x31], 0), [0x31]);
        assert_eq!(pack(&[0x31, 0x32], 0), [0x31, 0x19]);
        assert_eq!(pack(&encode("hellohello").unwrap(), 0), [0xE8, 0x32, 0x9B, 0xFD, 0x46, 0x97, 0xD9, 0xEC, 0x37]);
        assert_eq!(pack(&[0x41], 1), [0x82], "one fill bit");
    }

    #[test]
    fn what_is_packed_comes_out_again() {
        for fill in 0..7 {
            for len in 0..20u8 {
                let septets: Vec<u8> = (0..len).map(|i| i.wrapping_mul(37) & 0x7F).collect();
                assert_eq!(unpack(&pack(&septets, fill), septets.len(), fill), septets, "fill {fill}, {len} septets");
            }
        }
        assert!(unpack(&[], 5, 3).is_empty(), "cut short, not a panic");
    }

    #[test]
    fn every_character_of_both_tables_goes_there_and_back() {
        let all: String = BASIC.iter().filter(|c| **c != '\u{1b}').chain(EXTENSION.iter().map(|(_, c)| c)).collect();
        assert_eq!(decode(&encode(&all).unwrap()), all);
        assert_eq!(encode("ж"), None);
        assert_eq!(encode("\u{1b}"), None);
        assert_eq!(decode(&[0x41, ESCAPE]), "A ");
        assert_eq!(decode(&[ESCAPE, 0x41]), "A");
    }

    #[test]
    #[expect(clippy::print_stdout, reason = "a skipped test must be seen")]
    fn tables_agree_with_the_reference() {
        let Ok(reference) = std::env::var("OTPGATE_REFERENCE") else {
            println!("SKIPPED: OTPGATE_REFERENCE is not set");
            return;
        };
        for (file, lookup) in [
            ("locking-00-default.csv", &(|c: u8| Some(BASIC[usize::from(c)])) as &dyn Fn(u8) -> Option<char>),
            ("single-00-default.csv", &extension),
        ] {
            let text = std::fs::read_to_string(format!("{reference}/gsm7/{file}")).unwrap();
            let mut rows = 0;
            for row in text.lines().skip(1) {
                let mut fields = row.split(',');
                let code = u8::from_str_radix(fields.next().unwrap(), 16).unwrap();
                let unicode = fields.next().unwrap();
                let kind = fields.next().unwrap();
                let Some(point) = unicode.strip_prefix("U+") else {
                    assert_ne!(kind, "char", "{row}");
                    continue;
                };
                let expected = char::from_u32(u32::from_str_radix(point, 16).unwrap());
                if kind == "char" || kind == "control" {
                    assert_eq!(lookup(code), expected, "{file}: {row}");
                    rows += 1;
                }
            }
            assert!(rows >= 10, "{file} has only {rows} rows");
        }
    }
}
