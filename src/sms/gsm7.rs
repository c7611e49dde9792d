//! The GSM 7-bit alphabet: septets and their packing (3GPP TS 23.038 §6.1.2.1, §6.2.1).

use super::gsm7_tables::{LANGUAGES, LOCKING, SINGLE};

/// The code that says "the next septet is of the single shift table". Never a character, so never the second of a pair.
pub const ESCAPE: u8 = 0x1B;

/// Which two tables a text is written in: the locking shift table and, behind an escape, the single shift table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tables {
    locking: u8,
    single: u8,
}

impl Tables {
    /// The default alphabet and its extension: what every phone reads and no header announces.
    pub const DEFAULT: Self = Self { locking: 0, single: 0 };

    /// The tables of two National Language Identifiers (TS 23.038 §6.2.1.2.4). A reserved identifier (14 and above)
    /// means the default table, as a receiver must take it (TS 23.040 §9.2.3.24.15–16).
    pub fn new(locking: u8, single: u8) -> Self {
        let known = |id: u8| if usize::from(id) < LANGUAGES { id } else { 0 };
        Self { locking: known(locking), single: known(single) }
    }

    /// The locking shift table's National Language Identifier, 0 for the default alphabet.
    pub fn locking(self) -> u8 {
        self.locking
    }

    /// The single shift table's National Language Identifier, 0 for the default extension.
    pub fn single(self) -> u8 {
        self.single
    }

    /// The septets of a text, or `None` if a character is in neither table.
    pub fn encode(self, text: &str) -> Option<Vec<u8>> {
        let mut septets = Vec::with_capacity(text.len());
        for c in text.chars() {
            let point = u16::try_from(u32::from(c)).ok().filter(|point| *point != 0)?;
            if let Some(code) = place(LOCKING[usize::from(self.locking)], point) {
                septets.push(code);
            } else {
                septets.extend([ESCAPE, place(SINGLE[usize::from(self.single)], point)?]);
            }
        }
        Some(septets)
    }

    /// The text of septets. A reserved code is a space, and so is an escape followed by another or by nothing; a code
    /// that the single shift table lacks is read from the locking table (TS 23.038 §6.2.1.1).
    pub fn decode(self, septets: &[u8]) -> String {
        let mut rest = septets.iter().map(|septet| septet & 0x7F);
        let mut text = String::with_capacity(septets.len());
        while let Some(code) = rest.next() {
            text.push(if code == ESCAPE {
                rest.next().map_or(' ', |code| self.escaped(code))
            } else {
                self.base(code)
            });
        }
        text
    }

    fn base(self, code: u8) -> char {
        character(LOCKING[usize::from(self.locking)], code).unwrap_or(' ')
    }

    fn escaped(self, code: u8) -> char {
        character(SINGLE[usize::from(self.single)], code).unwrap_or_else(|| self.base(code))
    }

    /// Every pair worth trying for a text that the default tables can't hold: one language, in one table or in both.
    pub(super) fn national() -> impl Iterator<Item = Self> {
        (1..LANGUAGES as u8)
            .flat_map(|id| [(0, id), (id, 0), (id, id)])
            .map(|(locking, single)| Self { locking, single })
    }
}

/// Packs septets into octets, the first bits of the first octet left 0 as fill (TS 23.038 §6.1.2.1.1; the fill bits
/// bring text to a septet boundary after a header, TS 23.040 §9.2.3.24). `fill` is 0 to 6.
pub fn pack(septets: &[u8], fill: usize) -> Vec<u8> {
    let mut octets = vec![0; (fill + 7 * septets.len()).div_ceil(8)];
    for (i, septet) in septets.iter().enumerate() {
        let (octet, shift) = ((fill + 7 * i) / 8, (fill + 7 * i) % 8);
        let bits = u16::from(septet & 0x7F) << shift;
        octets[octet] |= bits as u8;
        if bits > 0xFF {
            octets[octet + 1] |= (bits >> 8) as u8;
        }
    }
    octets
}

/// The inverse of [`pack`]. Gives fewer than `count` septets if the octets hold fewer. The count must come from outside:
/// octets can't tell seven zero bits of padding from an `@`.
pub fn unpack(octets: &[u8], fill: usize, count: usize) -> Vec<u8> {
    let held = (8 * octets.len()).saturating_sub(fill) / 7;
    let septet = |i: usize| {
        let (octet, shift) = ((fill + 7 * i) / 8, (fill + 7 * i) % 8);
        let next = octets.get(octet + 1).copied().unwrap_or(0);
        (u16::from_le_bytes([octets[octet], next]) >> shift) as u8 & 0x7F
    };
    (0..count.min(held)).map(septet).collect()
}

fn place(table: &[u16; 128], point: u16) -> Option<u8> {
    table.iter().position(|held| *held == point).map(|code| code as u8)
}

fn character(table: &[u16; 128], code: u8) -> Option<char> {
    match table[usize::from(code & 0x7F)] {
        0 => None,
        point => char::from_u32(point.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn packs() {
        let rows: [(&str, &[u8], usize, &[u8]); 6] = [
            ("nothing", &[], 0, &[]),
            ("one septet", &[0x31], 0, &[0x31]),
            ("two septets share an octet", &[0x31, 0x32], 0, &[0x31, 0x19]),
            ("eight septets fill seven octets", &[0x7F; 8], 0, &[0xFF; 7]),
            ("seven septets leave seven bits", &[0x7F; 7], 0, &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01]),
            ("one fill bit after a header of six octets", &[0x41], 1, &[0x82]),
        ];
        for (name, septets, fill, octets) in rows {
            assert_eq!(pack(septets, fill), octets, "{name}");
            assert_eq!(unpack(octets, fill, septets.len()), septets, "{name}");
        }
    }

    #[test]
    fn padding_is_no_at_sign_when_the_count_is_known() {
        let octets = pack(&[0x41; 7], 0);
        assert_eq!(Tables::DEFAULT.decode(&unpack(&octets, 0, 7)), "AAAAAAA");
        assert_eq!(Tables::DEFAULT.decode(&unpack(&octets, 0, 8)), "AAAAAAA@");
    }

    #[test]
    fn decodes_what_has_no_character() {
        let urdu = Tables::new(13, 13);
        let rows: [(&str, Tables, &[u8], &str); 7] = [
            ("unassigned after an escape is the base table's", Tables::DEFAULT, &[0x1B, 0x41], "A"),
            ("two escapes", Tables::DEFAULT, &[0x1B, 0x1B, 0x41], " A"),
            ("an escape at the end", Tables::DEFAULT, &[0x41, 0x1B], "A "),
            ("CR2 is the base table's", Tables::DEFAULT, &[0x1B, 0x0D], "\r"),
            ("page break", Tables::DEFAULT, &[0x1B, 0x0A], "\u{C}"),
            ("reserved in Bengali", Tables::new(4, 0), &[0x0C], " "),
            ("digits of Urdu's single shift table", urdu, &[0x1B, 0x1C], "\u{6F0}"),
        ];
        for (name, tables, septets, text) in rows {
            assert_eq!(tables.decode(septets), text, "{name}");
        }
    }

    #[test]
    fn encodes_or_declines() {
        let rows: [(&str, Tables, &str, Option<&[u8]>); 6] = [
            ("base table", Tables::DEFAULT, "@£Ω", Some(&[0x00, 0x01, 0x15])),
            ("extension", Tables::DEFAULT, "€[", Some(&[0x1B, 0x65, 0x1B, 0x3C])),
            ("not in the alphabet", Tables::DEFAULT, "ç", None),
            ("never the escape code", Tables::DEFAULT, "\u{1B}", None),
            ("never an unassigned place", Tables::new(4, 4), "\0", None),
            ("the euro sign is a base character in Turkish", Tables::new(1, 0), "€", Some(&[0x04])),
        ];
        for (name, tables, text, septets) in rows {
            assert_eq!(tables.encode(text).as_deref(), septets, "{name}");
        }
    }

    proptest! {
        #[test]
        fn septets_come_back(septets in prop::collection::vec(0u8..128, 0..200), fill in 0usize..7) {
            prop_assert_eq!(unpack(&pack(&septets, fill), fill, septets.len()), septets);
        }

        #[test]
        fn a_text_that_encodes_decodes(text in "[@£$¥èA-Za-z0-9€^{}\\[~\\]|\\\\\n ]{0,80}") {
            let septets = Tables::DEFAULT.encode(&text).unwrap();
            prop_assert_eq!(Tables::DEFAULT.decode(&septets), text);
        }

        #[test]
        fn any_octets_any_tables_decode(
            octets in prop::collection::vec(any::<u8>(), 0..160), fill in 0usize..7, count in 0usize..300,
            locking: u8, single: u8,
        ) {
            let septets = unpack(&octets, fill, count);
            prop_assert!(septets.len() <= count);
            prop_assert!(Tables::new(locking, single).decode(&septets).chars().count() <= septets.len());
        }
    }
}
