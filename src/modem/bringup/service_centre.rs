//! The service centre's number: read, and where there is none set from the configuration or from the SIM card.

use super::{Known, Next, once};
use crate::at::response::{self, ServiceCentre};
use crate::at::{Command, Reply};

pub(super) fn take(known: &mut Known, reply: &Reply) -> Next {
    known.centre = reply.first().and_then(response::service_centre);
    Next::Step
}

/// The number that is to be set, if one is: the configured one where the modem has none, or another that the network has
/// refused; failing that the one on the SIM card.
fn wanted(known: &Known) -> Option<String> {
    let configured = known.card_settings().and_then(|card| card.smsc.as_ref()).map(|it| it.reveal_e164());
    match &known.centre {
        None => configured.or_else(|| known.centre_on_card.clone()),
        Some(centre) if known.centre_doubted => configured.filter(|it| !is_same(centre, it)),
        Some(_) => None,
    }
}

impl Known {
    /// Whether a service centre is configured for its SIM card, and the modem has another one.
    pub(in crate::modem) fn has_another_centre(&self) -> bool {
        let configured = self.card_settings().and_then(|card| card.smsc.as_ref());
        let both = self.centre.as_ref().zip(configured);
        both.is_some_and(|(centre, configured)| !is_same(centre, configured.reveal_digits()))
    }
}

fn looks_on_card(known: &Known) -> bool {
    known.centre.is_none() && wanted(known).is_none()
}

pub(super) fn ask_length(known: &Known, n: usize) -> Option<Command> {
    looks_on_card(known).then(|| once(n, || Command::record_length(EF_SMSP)))?
}

pub(super) fn take_length(known: &mut Known, reply: &Reply) -> Next {
    let answer = reply.first().and_then(response::sim_answer).filter(response::SimAnswer::is_well);
    known.record_length = answer.and_then(|answer| record_length(&answer.data));
    Next::Step
}

/// Behind a length that the card does not take, the one that it names.
pub(super) fn ask_parameters(known: &Known, n: usize) -> Option<Command> {
    let length = known.record_length.unwrap_or(SHORTEST);
    (looks_on_card(known) && n < 2).then(|| Command::read_record(EF_SMSP, 1, length))
}

pub(super) fn take_parameters(known: &mut Known, reply: &Reply) -> Next {
    match reply.first().and_then(response::sim_answer) {
        Some(answer) if answer.is_well() => known.centre_on_card = centre(&answer.data),
        // 31.101 §10.2.1.5: another length, and which.
        Some(answer) if matches!(answer.sw1, 0x67 | 0x6C) && known.record_length != Some(answer.sw2) => {
            known.record_length = Some(answer.sw2);
            return Next::Another;
        }
        _ => {}
    }
    Next::Step
}

pub(super) fn ask_set(known: &Known, n: usize) -> Option<Command> {
    let number = wanted(known)?;
    Command::set_service_centre(&number).filter(|_| n == 0)
}

pub(super) fn take_set(known: &mut Known, _: &Reply) -> Next {
    known.centre_written = true;
    Next::Step
}

pub(super) fn ask_verify(known: &Known, n: usize) -> Option<Command> {
    known.centre_written.then(|| once(n, Command::service_centre))?
}

pub(super) fn take_verify(known: &mut Known, reply: &Reply) -> Next {
    let number = wanted(known);
    known.centre = reply.first().and_then(response::service_centre);
    match (&known.centre, number) {
        (Some(centre), Some(number)) if is_same(centre, &number) => Next::Step,
        _ => Next::Degraded(REFUSED),
    }
}

pub(super) fn nothing_found(known: &Known) -> bool {
    known.centre.is_none() && !known.centre_written
}

/// With or without the plus: the type of address says that too.
fn is_same(centre: &ServiceCentre, number: &str) -> bool {
    centre.number.trim_start_matches('+') == number.trim_start_matches('+')
}

/// The length of a record from the answer to GET RESPONSE: from the file descriptor of a USIM (ETSI TS 102 221 §11.1.1.4.3),
/// or the fifteenth octet of a GSM SIM card (51.011 §9.2.1).
fn record_length(answer: &[u8]) -> Option<u8> {
    let length = match answer {
        [0x62, _, objects @ ..] => {
            let mut rest = objects;
            loop {
                let [tag, length, tail @ ..] = rest else { return None };
                let value = tail.get(..usize::from(*length))?;
                match (tag, value) {
                    (0x82, [_, _, 0, length, ..]) => break *length,
                    _ => rest = &tail[usize::from(*length)..],
                }
            }
        }
        _ => *answer.get(14)?,
    };
    (length >= SHORTEST).then_some(length)
}

/// The service centre's number in a record of EF_SMSP (31.102 §4.2.27): its last 28 octets are the indicators, TP-DA, and
/// then the service centre's address as in 24.011 §8.2.5.1.
fn centre(record: &[u8]) -> Option<String> {
    let parameters = &record[record.len().checked_sub(usize::from(SHORTEST))?..];
    let [length, toa, digits @ ..] = &parameters[13..25] else { return None };
    // Bit 2 of the indicators, cleared where the address is there; an unused record is all ones.
    if parameters[0] & 0x02 != 0 || !(2..=11).contains(length) {
        return None;
    }
    let halves = digits[..usize::from(length - 1)].iter().flat_map(|octet| [octet & 0x0F, octet >> 4]);
    let number: String = halves.take_while(|half| *half < 10).map(|half| char::from(b'0' + half)).collect();
    let plus = if toa & 0x70 == 0x10 { "+" } else { "" };
    (number.len() >= 3).then(|| format!("{plus}{number}"))
}

/// EF_SMSP: parameters of short messages (31.102 §4.2.27).
const EF_SMSP: u16 = 0x6F42;
/// A record without a name.
const SHORTEST: u8 = 28;
pub(super) const MISSING: &str = "no service centre number is set (AT+CSCA), and none was found on the SIM card: write \
                                  smsc = \"+…\" into its [[sim_card]], as its operator names it";
const REFUSED: &str =
    "it does not take a service centre number (AT+CSCA=); if sends fail with 330, set the number in a phone";

#[cfg(test)]
mod tests {
    use super::*;

    fn octets(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
    }

    #[test]
    fn the_number_in_the_record() {
        let address = "0791517155550000FFFFFFFF";
        assert_eq!(address.len(), 24);
        let record =
            |indicators: &str, address: &str| octets(&format!("{indicators}{}{address}0000AD", "FF".repeat(12)));
        assert_eq!(centre(&record("FD", address)).as_deref(), Some("+151755550000"));
        let named = [octets(&"41".repeat(14)), record("FD", address)].concat();
        assert_eq!(centre(&named).as_deref(), Some("+151755550000"), "a name stands before it");
        assert_eq!(centre(&record("FD", "0481214365FFFFFFFFFFFFFF")).as_deref(), Some("123456"), "a national one");
        assert_eq!(centre(&record("FF", address)), None, "said to be missing");
        assert_eq!(centre(&[0xFF; 40]), None, "an unused record");
        assert_eq!(centre(&record("FD", "0C91517155550000FFFFFFFF")), None, "longer than it can be");
        assert_eq!(centre(&[0; 27]), None);
    }

    #[test]
    fn the_length_of_a_record() {
        let usim = octets("621E8205422100280283026F42A5038001718A01058B036F0609800200508801");
        assert_eq!(record_length(&usim), Some(0x28));
        assert_eq!(record_length(&octets("000000506F42040000FFFF0102012A")), Some(0x2A));
        for none in ["", "62", "6203820542", "621E8405422100280283", "000000506F42040000FFFF01020105"] {
            assert_eq!(record_length(&octets(none)), None, "{none}");
        }
    }
}
