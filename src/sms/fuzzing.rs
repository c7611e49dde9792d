//! For fuzzers: any octets as a PDU.

use super::inbound;
use super::pdu::{Deliver, SmscField, StatusReport, Submit, Tpdu, decode, decode_hex};

/// Decodes octets in every way there is. What decodes must not be changed by encoding it and decoding that.
///
/// # Panics
///
/// If the codec is wrong.
pub fn pdu_decode(octets: &[u8]) {
    for smsc in [SmscField::Present, SmscField::Absent, SmscField::Auto] {
        if let Ok(decoded) = decode(octets, smsc) {
            assert!(decoded.tpdu_len <= octets.len(), "a TPDU longer than what it was read from");
            read(&decoded.tpdu);
        }
    }
    let _ = decode_hex(&String::from_utf8_lossy(octets), SmscField::Auto);
    came_in(octets);
}

/// As a message that came in: alone, and as a part between others.
fn came_in(octets: &[u8]) {
    let hex: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    let part = inbound::read(&hex);
    let _ = (inbound::text(std::slice::from_ref(&part)), inbound::text(&[None, part.clone(), part, None]));
}

fn read(tpdu: &Tpdu) {
    let again = match tpdu {
        Tpdu::Submit(submit) => decode(&submit.encode(), SmscField::Absent),
        Tpdu::Deliver(deliver) => decode(&deliver.encode(), SmscField::Absent),
        // It comes from the SMSC only: there is nothing that encodes one.
        Tpdu::StatusReport(_) => return show(tpdu),
    };
    // `Debug` would put a text into a log.
    assert!(again.is_ok_and(|again| again.tpdu == *tpdu), "what was decoded does not survive encoding");
    show(tpdu);
}

/// Whatever a human is shown of it.
fn show(tpdu: &Tpdu) {
    match tpdu {
        Tpdu::Submit(Submit { destination, user_data, validity, .. }) => {
            let _ = (destination.reveal(), user_data.text(), validity);
        }
        Tpdu::Deliver(Deliver { originator, user_data, scts, .. }) => {
            let _ = (originator.reveal(), user_data.text(), scts.is_plausible(), scts.tz_quarters());
            let _ = user_data.udh().map(|udh| (udh.concat(), udh.ports(), udh.tables()));
        }
        Tpdu::StatusReport(StatusReport { recipient, .. }) => {
            let _ = recipient.reveal();
        }
    }
    let _ = format!("{tpdu:?}");
}
