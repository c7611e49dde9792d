//! SMS-DELIVERs as people read them: the parts of one message put together.

use super::gsm7::Tables;
use super::pdu::{self, Deliver, Payload, SmscField, Tpdu};
use super::ucs2;
use crate::domain::secret::Secret;

/// Reads a PDU as a message that came in. `None`: it is none, or can't be read.
pub fn read(hex: &str) -> Option<Deliver> {
    match pdu::decode_hex(hex, SmscField::Auto).ok()?.tpdu {
        Tpdu::Deliver(deliver) => Some(deliver),
        Tpdu::Submit(_) | Tpdu::StatusReport(_) => None,
    }
}

/// The text of parts that follow each other; `None` stands for parts that are missing. `None` if nothing of it is text.
///
/// A phone may cut between the two halves of a character, so that UCS-2 parts are joined before they are read.
pub fn text(parts: &[Option<Deliver>]) -> Option<Secret> {
    if parts.iter().flatten().all(|part| matches!(part.user_data.payload(), Payload::Octets(_))) {
        return None;
    }
    let mut text = zeroize::Zeroizing::new(String::new());
    let mut ucs2 = Vec::new();
    for part in parts {
        match part.as_ref().map(|part| part.user_data.payload()) {
            Some(Payload::Ucs2(octets)) => ucs2.extend_from_slice(octets),
            other => {
                text.push_str(&ucs2::decode(&std::mem::take(&mut ucs2)));
                match other {
                    Some(Payload::Gsm7(septets)) => {
                        let udh = part.as_ref().and_then(|part| part.user_data.udh());
                        text.push_str(&udh.map_or(Tables::DEFAULT, |udh| udh.tables()).decode(septets));
                    }
                    _ => text.push_str(GAP),
                }
            }
        }
    }
    text.push_str(&ucs2::decode(&ucs2));
    Some(Secret::new(text.as_str()))
}

/// What stands for something that is missing, or is no text.
const GAP: &str = "[…]";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sms::pdu::{Address, Alphabet, Dcs, InformationElement, Pdu, Pid, Scts, Udh, UserData};

    fn part(payload: Payload, number: u8) -> Deliver {
        let dcs = match payload {
            Payload::Gsm7(_) => Dcs::new(Alphabet::Gsm7),
            Payload::Ucs2(_) => Dcs::new(Alphabet::Ucs2),
            Payload::Octets(_) => Dcs::new(Alphabet::EightBit),
        };
        let udh = Udh { elements: vec![InformationElement { iei: 0, data: vec![9, 3, number] }] };
        let deliver = Deliver {
            more_messages: false,
            loop_prevention: false,
            status_report_indication: false,
            reply_path: false,
            originator: Address::alphanumeric("Bank").unwrap(),
            pid: Pid(0),
            dcs,
            scts: Scts::new(26, 1, 1, 0, 0, 0, 4),
            user_data: UserData::new(Some(udh), payload).unwrap(),
        };
        read(Pdu::new(None, &deliver.encode()).hex()).expect("it reads back")
    }

    #[test]
    fn parts_are_put_together() {
        let gsm = |text: &str, n| Some(part(Payload::Gsm7(Tables::DEFAULT.encode(text).unwrap()), n));
        let ucs = |octets: &[u8], n| Some(part(Payload::Ucs2(octets.to_vec()), n));
        let data = |n| Some(part(Payload::Octets(vec![1, 2]), n));
        let rows = [
            ("one alphabet", vec![gsm("eins ", 1), gsm("zwei {}", 2)], Some("eins zwei {}")),
            ("a hole", vec![gsm("eins", 1), None, gsm("drei", 3)], Some("eins[…]drei")),
            ("a character cut in two", vec![ucs(&[0xD8, 0x3D], 1), ucs(&[0xDE, 0x00], 2)], Some("\u{1F600}")),
            ("two alphabets", vec![ucs(&[0x20, 0xAC], 1), gsm("5", 2)], Some("€5")),
            ("data only", vec![data(1), data(2)], None),
            ("data and text", vec![gsm("a", 1), data(2)], Some("a[…]")),
        ];
        for (name, parts, text_of_it) in rows {
            assert_eq!(text(&parts).as_ref().map(Secret::reveal), text_of_it, "{name}");
        }
    }

    #[test]
    fn what_is_no_message_is_none() {
        for hex in ["", "zz", "00", "0001000B914151550521F3000002C834"] {
            assert!(read(hex).is_none(), "{hex}");
        }
    }
}
