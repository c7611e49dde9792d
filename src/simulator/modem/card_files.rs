//! What the card holds, as AT+CRSM reads it (TS 27.007 §8.18): the parameters of short messages.

use super::settings::Card;
use super::{Failure, ModemOptions};
use crate::simulator::pdu;

impl Card {
    /// The line that answers AT+CRSM. A file that it has not is answered by the card itself: 6A82, file not found.
    pub(super) fn file(&self, options: &ModemOptions, values: &[&str]) -> Result<String, Failure> {
        let number = |i: usize| values.get(i).and_then(|text| text.parse::<u16>().ok());
        let command = number(0).ok_or(Failure::Cme(50))?;
        let record = parameters(&options.smsc);
        let length = record.len();
        Ok(match (command, number(1)) {
            // GET RESPONSE: size, file, conditions, length of a record.
            (192, Some(EF_SMSP)) => {
                format!("+CRSM: 144,0,\"0000{length:04X}6F42040000FFFF010201{length:02X}\"")
            }
            // READ RECORD. Another length than the record's is refused with the right one (6CXX).
            (178, Some(EF_SMSP)) => match (number(2), number(4)) {
                (Some(1), Some(asked)) if usize::from(asked) == length => {
                    format!("+CRSM: 144,0,\"{}\"", pdu::to_hex(&record))
                }
                (Some(1), _) => format!("+CRSM: 108,{length}"),
                _ => "+CRSM: 106,131".into(),
            },
            _ => "+CRSM: 106,130".into(),
        })
    }
}

/// A record of EF_SMSP (TS 31.102 §4.2.27): a name, what is there, no TP-DA, the service centre, and no more.
fn parameters(smsc: &str) -> Vec<u8> {
    let mut record = b"Network     ".to_vec();
    record.push(if smsc.is_empty() { 0xFF } else { 0xFD });
    record.extend([0xFF; 12]);
    let mut address = if smsc.is_empty() { Vec::new() } else { pdu::smsc_field(smsc) };
    address.resize(12, 0xFF);
    record.extend(address);
    record.extend([0xFF; 3]);
    record
}

const EF_SMSP: u16 = 0x6F42;
