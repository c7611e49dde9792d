//! TP-DCS and TP-PID.

use std::fmt;

/// TP-Data-Coding-Scheme, any value (TS 23.038 §4).
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Dcs(pub u8);

/// TP-Protocol-Identifier, any value (TS 23.040 §9.2.3.9). 0 is an ordinary short message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Pid(pub u8);

/// What user data is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alphabet {
    /// The GSM 7-bit default alphabet, or a national table that the header announces.
    Gsm7,
    /// 8-bit data.
    EightBit,
    /// UCS-2.
    Ucs2,
}

impl Dcs {
    /// General coding without class, uncompressed.
    pub fn new(alphabet: Alphabet) -> Self {
        match alphabet {
            Alphabet::Gsm7 => Self(0x00),
            Alphabet::EightBit => Self(0x04),
            Alphabet::Ucs2 => Self(0x08),
        }
    }

    /// Class 0, "flash": shown at once and not stored.
    pub fn class_0(alphabet: Alphabet) -> Self {
        Self(Self::new(alphabet).0 | 0x10)
    }

    /// The alphabet. Reserved codings are the default alphabet (§4); coding group 1111 has a single bit for it.
    pub fn alphabet(self) -> Alphabet {
        match (self.0 >> 4, self.0 >> 2 & 3) {
            (0x0..=0x7, 1) => Alphabet::EightBit,
            (0x0..=0x7, 2) | (0xE, _) => Alphabet::Ucs2,
            (0xF, bits) if bits & 1 == 1 => Alphabet::EightBit,
            _ => Alphabet::Gsm7,
        }
    }

    /// The message class, 0 to 3, if there is one.
    pub fn class(self) -> Option<u8> {
        match self.0 >> 4 {
            group @ 0x0..=0x7 => (group & 1 == 1).then_some(self.0 & 3),
            0xF => Some(self.0 & 3),
            _ => None,
        }
    }

    /// Whether the user data is compressed (TS 23.042). We keep it as octets.
    pub fn is_compressed(self) -> bool {
        self.0 & 0xA0 == 0x20
    }
}

impl fmt::Debug for Dcs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dcs(0x{:02X})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Alphabet::*;
    use super::*;

    #[test]
    fn every_group_of_codings() {
        let rows = [
            ("general", 0x00, Gsm7, None, false),
            ("general, 8 bit", 0x04, EightBit, None, false),
            ("general, UCS-2", 0x08, Ucs2, None, false),
            ("general, reserved alphabet", 0x0C, Gsm7, None, false),
            ("class bits without a class", 0x01, Gsm7, None, false),
            ("flash", 0x10, Gsm7, Some(0), false),
            ("flash, UCS-2", 0x18, Ucs2, Some(0), false),
            ("class 1 in UCS-2", 0x19, Ucs2, Some(1), false),
            ("compressed", 0x20, Gsm7, None, true),
            ("compressed, class 2, UCS-2", 0x3A, Ucs2, Some(2), true),
            ("marked for deletion", 0x48, Ucs2, None, false),
            ("marked for deletion, compressed, class 3", 0x73, Gsm7, Some(3), true),
            ("reserved group", 0x88, Gsm7, None, false),
            ("reserved group", 0xB4, Gsm7, None, false),
            ("message waiting, discard", 0xC8, Gsm7, None, false),
            ("message waiting, store", 0xD9, Gsm7, None, false),
            ("message waiting, UCS-2", 0xE0, Ucs2, None, false),
            ("coding and class", 0xF1, Gsm7, Some(1), false),
            ("coding and class, 8 bit", 0xF5, EightBit, Some(1), false),
            ("bit 3 is reserved and says nothing", 0xFB, Gsm7, Some(3), false),
            ("all bits", 0xFF, EightBit, Some(3), false),
        ];
        for (name, octet, alphabet, class, compressed) in rows {
            let dcs = Dcs(octet);
            assert_eq!(
                (dcs.alphabet(), dcs.class(), dcs.is_compressed()),
                (alphabet, class, compressed),
                "{name} {dcs:?}"
            );
        }
    }

    #[test]
    fn what_we_write_is_what_we_read() {
        for alphabet in [Gsm7, EightBit, Ucs2] {
            assert_eq!((Dcs::new(alphabet).alphabet(), Dcs::new(alphabet).class()), (alphabet, None));
            assert_eq!((Dcs::class_0(alphabet).alphabet(), Dcs::class_0(alphabet).class()), (alphabet, Some(0)));
        }
    }
}
