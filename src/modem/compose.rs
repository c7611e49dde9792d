//! From a message's part to the PDU that the modem gets.

use crate::domain::learned::Validity;
use crate::domain::message::Message;
use crate::sms::pdu::{Address, Dcs, Pdu, Submit, TpVp};
use crate::sms::segment::{NationalShift, segment};
use std::time::Duration;

/// How the parts of a message are to be made.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Shared by all parts of a message.
    pub concat_reference: u8,
    /// How the network wants its validity period.
    pub validity: Validity,
    /// Whether to ask for a status report.
    pub status_report: bool,
}

/// The SMS-SUBMIT of one part, counted from 0, with a validity period for the life that is left. `None` if the text
/// has no such part: then it is not the text that was accepted.
pub fn compose(message: &Message, text: &str, part: u8, life: Duration, style: Style) -> Option<Pdu> {
    let segments = segment(text, NationalShift::Off).ok()?;
    if segments.len() != usize::from(message.parts) {
        return None;
    }
    let user_data = segments.part_user_data(usize::from(part), style.concat_reference)?;
    let mut submit = Submit::new(Address::international(&message.to), user_data);
    if message.flash {
        submit.dcs = Dcs::class_0(segments.alphabet());
    }
    submit.status_report_request = style.status_report;
    submit.validity = validity(style.validity, life);
    Some(submit.to_pdu(None))
}

/// How long the network itself will go on trying: TP-VP, or the longest there is where none is given.
pub fn network_life(form: Validity, life: Duration) -> Duration {
    validity(form, life).duration().unwrap_or(LONGEST)
}

fn validity(form: Validity, life: Duration) -> TpVp {
    match form {
        Validity::Life => TpVp::relative(life),
        Validity::Hour => TpVp::relative(HOUR),
        Validity::None => TpVp::None,
    }
}

const HOUR: Duration = Duration::from_secs(3600);
/// Without a validity period the network takes its own; a report later than three days is of no use to anyone.
const LONGEST: Duration = Duration::from_secs(3 * 24 * 3600);
