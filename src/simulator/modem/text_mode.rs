//! Text mode: what TS 27.005 §3.4 shows of a message in words, and what it makes of typed text.

use super::Failure;
use super::settings::{CharacterSet, Settings};
use super::storage::Stored;
use crate::simulator::alphabet;
use crate::simulator::pdu::{self, Address, Deliver, StatusReport, Submit};

impl Settings {
    /// A message in text mode (TS 27.005 §3.4.2, §3.4.3): the head line with its fields, then the text.
    pub(super) fn text_lines(&self, head: &str, stored: &Stored, details: bool, smsc: &str) -> Vec<String> {
        let set = self.character_set;
        let join = if head.ends_with(' ') { "" } else { "," };
        match stored.tpdu.first().map(|o| o & 3) {
            Some(0) => match Deliver::decode(&stored.tpdu) {
                Ok(d) => {
                    let from = set.write(&d.from.text());
                    let mut line = format!("{head}{join}\"{from}\",,\"{}\"", d.timestamp);
                    if details {
                        let (fo, pid, dcs, toa) = (d.first_octet, d.pid, d.dcs, d.from.toa);
                        let length = d.user_data.text.chars().count();
                        line += &format!(",{toa},{fo},{pid},{dcs},\"{smsc}\",145,{length}");
                    }
                    vec![line, set.write(&d.user_data.text)]
                }
                Err(_) => vec![head.into()],
            },
            Some(1) => match Submit::decode(&stored.tpdu) {
                Ok(s) => vec![format!("{head}{join}\"{}\",", set.write(&s.to.text())), set.write(&s.user_data.text)],
                Err(_) => vec![head.into()],
            },
            _ => match StatusReport::decode(&stored.tpdu) {
                Ok(r) => vec![format!(
                    "{head}{join}{},{},\"{}\",{},\"{}\",\"{}\",{}",
                    r.first_octet,
                    r.reference,
                    set.write(&r.to.text()),
                    r.to.toa,
                    r.timestamp,
                    r.discharged,
                    r.status
                )],
                Err(_) => vec![head.into()],
            },
        }
    }

    /// The TPDU of a text typed in text mode, with the parameters of AT+CSMP.
    pub(super) fn text_submit(&self, to: Option<&Address>, typed: &[u8]) -> Result<Vec<u8>, Failure> {
        let [first_octet, vp, pid, dcs] = self.text_parameters;
        // Of the validity formats only "none" and "relative" can be set here with one number.
        let validity: &[u8] = match first_octet >> 3 & 3 {
            0 => &[],
            2 => &[vp],
            _ => return Err(Failure::Cms(305)),
        };
        if first_octet & 0x43 != 0x01 {
            return Err(Failure::Cms(305));
        }
        let text = match dcs & 0x0C {
            // 8 bit data is typed as hexadecimal (TS 27.005 §3.1 <data>).
            0x04 => String::from_utf8_lossy(typed).into_owned(),
            0x08 if self.character_set != CharacterSet::Ucs2 => {
                CharacterSet::Ucs2.read(typed).ok_or(Failure::Cms(305))?
            }
            _ => self.character_set.read(typed).ok_or(Failure::Cms(305))?,
        };
        let nobody = Address { toa: 0x81, value: String::new() };
        let to = to.unwrap_or(&nobody);
        let max = if dcs & 0x0C == 0x08 { 70 } else { 160 };
        let tpdu = Submit::encode(first_octet, to, pid, dcs, validity, &text).ok_or(Failure::Cms(305))?;
        match text.chars().count() > max {
            true => Err(Failure::Cms(305)),
            false => Ok(tpdu),
        }
    }
}

impl CharacterSet {
    /// What was typed in this set.
    pub(super) fn read(self, typed: &[u8]) -> Option<String> {
        match self {
            Self::Gsm => Some(alphabet::decode(typed)),
            Self::Ira => Some(String::from_utf8_lossy(typed).into_owned()),
            Self::Ucs2 => {
                let octets = pdu::from_hex(typed)?;
                let units: Vec<u16> =
                    octets.chunks(2).map(|p| p.iter().fold(0, |n, &o| n << 8 | u16::from(o))).collect();
                String::from_utf16(&units).ok()
            }
        }
    }

    /// How a text is shown in this set. What the set lacks is a question mark; septets are shown as the host's ASCII.
    pub(super) fn write(self, text: &str) -> String {
        match self {
            Self::Gsm | Self::Ira => text.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect(),
            Self::Ucs2 => text.encode_utf16().map(|u| format!("{u:04X}")).collect(),
        }
    }
}
