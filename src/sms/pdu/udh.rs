//! The user data header (TS 23.040 §9.2.3.24): information elements in order, known and unknown.

use super::reader::{Reader, Result};
use crate::sms::gsm7::Tables;
use std::fmt;

/// TP-User-Data-Header. Where an element is repeated, the last one counts (§9.2.3.24).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Udh {
    /// The elements as they came.
    pub elements: Vec<InformationElement>,
}

/// An information element: its identifier and its octets.
#[derive(Clone, PartialEq, Eq)]
pub struct InformationElement {
    /// Information element identifier.
    pub iei: u8,
    /// Its data, without identifier and length.
    pub data: Vec<u8>,
}

/// Which part of which concatenated message this is (§9.2.3.24.1, §9.2.3.24.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Concat {
    /// The same in all parts of one message.
    pub reference: u16,
    /// How many parts there are, from 1.
    pub total: u8,
    /// Which one this is, from 1 to `total`.
    pub part: u8,
    /// Width of the reference: 8 or 16. References of different width don't belong together.
    pub bits: u8,
}

/// Application port addressing (§9.2.3.24.3–4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// Destination port.
    pub destination: u16,
    /// Originator port.
    pub source: u16,
    /// Width of both: 8 or 16.
    pub bits: u8,
}

impl Udh {
    /// The concatenation, if there is one that makes sense: a part 0 or beyond the total is ignored (§9.2.3.24.1).
    pub fn concat(&self) -> Option<Concat> {
        let read = |element: &InformationElement| match (element.iei, element.data.as_slice()) {
            (CONCAT_8, &[reference, total, part]) => Some(Concat { reference: reference.into(), total, part, bits: 8 }),
            (CONCAT_16, &[high, low, total, part]) => {
                Some(Concat { reference: u16::from_be_bytes([high, low]), total, part, bits: 16 })
            }
            _ => None,
        };
        self.elements.iter().rev().filter_map(read).find(|concat| (1..=concat.total).contains(&concat.part))
    }

    /// The application ports, if the message is addressed to some.
    pub fn ports(&self) -> Option<Ports> {
        self.elements.iter().rev().find_map(|element| match (element.iei, element.data.as_slice()) {
            (PORTS_8, &[to, from]) => Some(Ports { destination: to.into(), source: from.into(), bits: 8 }),
            (PORTS_16, &[th, tl, fh, fl]) => Some(Ports {
                destination: u16::from_be_bytes([th, tl]),
                source: u16::from_be_bytes([fh, fl]),
                bits: 16,
            }),
            _ => None,
        })
    }

    /// The tables that a 7-bit text is written in (§9.2.3.24.15–16).
    pub fn tables(&self) -> Tables {
        let language = |iei| match self.elements.iter().rev().find(|element| element.iei == iei).map(|e| &e.data[..]) {
            Some(&[language]) => language,
            _ => 0,
        };
        Tables::new(language(LOCKING_SHIFT), language(SINGLE_SHIFT))
    }

    /// The header that a text in these tables needs, with the concatenation if there is one. `None` if it needs none.
    pub(in crate::sms) fn for_text(tables: Tables, concat: Option<[u8; 3]>) -> Option<Self> {
        let shift = |iei, language| (language != 0).then(|| InformationElement { iei, data: vec![language] });
        let elements: Vec<_> = concat
            .map(|data| InformationElement { iei: CONCAT_8, data: data.to_vec() })
            .into_iter()
            .chain(shift(SINGLE_SHIFT, tables.single()))
            .chain(shift(LOCKING_SHIFT, tables.locking()))
            .collect();
        (!elements.is_empty()).then_some(Self { elements })
    }

    /// Octets on the air, the length octet (UDHL) included.
    pub fn octets(&self) -> usize {
        1 + self.elements.iter().map(|element| 2 + element.data.len()).sum::<usize>()
    }

    /// Reads UDHL and the elements, which must fill the header exactly.
    pub(super) fn decode(user_data: &mut Reader<'_>) -> Result<Self> {
        let length = user_data.octet("udhl")?;
        let mut header = user_data.part(usize::from(length), "")?;
        let mut elements = Vec::new();
        while header.left() > 0 {
            let iei = header.octet("iei")?;
            let length = header.octet("iedl")?;
            elements.push(InformationElement { iei, data: header.take(length.into(), "ied")?.to_vec() });
        }
        Ok(Self { elements })
    }

    pub(super) fn encode(&self, user_data: &mut Vec<u8>) {
        user_data.push((self.octets() - 1) as u8);
        for element in &self.elements {
            user_data.extend([element.iei, element.data.len() as u8]);
            user_data.extend(&element.data);
        }
    }
}

impl fmt::Debug for InformationElement {
    /// Without the data: elements can hold texts and numbers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:02X}[{} octets]", self.iei, self.data.len())
    }
}

// Information element identifiers (§9.2.3.24). All of them are hexadecimal in the specification, 24 and 25 too.
const CONCAT_8: u8 = 0x00;
const PORTS_8: u8 = 0x04;
const PORTS_16: u8 = 0x05;
const CONCAT_16: u8 = 0x08;
const SINGLE_SHIFT: u8 = 0x24;
const LOCKING_SHIFT: u8 = 0x25;

#[cfg(test)]
mod tests {
    use super::*;

    fn udh(elements: &[(u8, &[u8])]) -> Udh {
        Udh {
            elements: elements
                .iter()
                .map(|(iei, data)| InformationElement { iei: *iei, data: data.to_vec() })
                .collect(),
        }
    }

    #[test]
    fn concatenation() {
        let eight = Some(Concat { reference: 0x2A, total: 3, part: 2, bits: 8 });
        let sixteen = Some(Concat { reference: 0x1234, total: 3, part: 2, bits: 16 });
        let rows: [(&str, Udh, Option<Concat>); 9] = [
            ("none", udh(&[]), None),
            ("8 bits", udh(&[(0x00, &[0x2A, 3, 2])]), eight),
            ("16 bits", udh(&[(0x08, &[0x12, 0x34, 3, 2])]), sixteen),
            ("behind an unknown element", udh(&[(0x70, &[1, 2, 3]), (0x00, &[0x2A, 3, 2])]), eight),
            ("the last one counts", udh(&[(0x08, &[0x12, 0x34, 3, 2]), (0x00, &[0x2A, 3, 2])]), eight),
            ("part 0", udh(&[(0x00, &[0x2A, 3, 0])]), None),
            ("part beyond the total", udh(&[(0x00, &[0x2A, 3, 4])]), None),
            ("no parts", udh(&[(0x00, &[0x2A, 0, 0])]), None),
            ("wrong length", udh(&[(0x00, &[0x2A, 3])]), None),
        ];
        for (name, udh, concat) in rows {
            assert_eq!(udh.concat(), concat, "{name}");
        }
    }

    #[test]
    fn ports() {
        let rows = [
            ("none", udh(&[(0x00, &[1, 2, 1])]), None),
            ("8 bits", udh(&[(0x04, &[0xF0, 0xF1])]), Some(Ports { destination: 240, source: 241, bits: 8 })),
            (
                "WAP push",
                udh(&[(0x05, &[0x0B, 0x84, 0x23, 0xF0])]),
                Some(Ports { destination: 2948, source: 9200, bits: 16 }),
            ),
        ];
        for (name, udh, ports) in rows {
            assert_eq!(udh.ports(), ports, "{name}");
        }
    }

    #[test]
    fn language_identifiers_are_hexadecimal() {
        assert_eq!(udh(&[(0x24, &[3]), (0x25, &[1])]).tables(), Tables::new(1, 3));
        assert_eq!(udh(&[(24, &[3]), (25, &[1])]).tables(), Tables::DEFAULT);
        assert_eq!(udh(&[(0x25, &[200])]).tables(), Tables::DEFAULT, "reserved");
        assert_eq!(udh(&[(0x25, &[])]).tables(), Tables::DEFAULT, "empty");
    }
}
