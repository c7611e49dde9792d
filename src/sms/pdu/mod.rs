//! TPDUs (3GPP TS 23.040 §9.2.2), one struct per type, and the form in which a modem takes and gives them
//! (TS 27.005 §4: SMSC field and TPDU in hexadecimal).

mod address;
mod dcs;
mod deliver;
mod error;
mod reader;
mod status_report;
mod submit;
mod timestamp;
mod udh;
mod user_data;
mod validity;

pub use address::{Address, Ton, TypeOfAddress};
pub use dcs::{Alphabet, Dcs, Pid};
pub use deliver::Deliver;
pub use error::{DecodeError, DecodeErrorKind};
pub use status_report::{ReportVerdict, StatusReport, TpSt};
pub use submit::Submit;
pub use timestamp::Scts;
pub use udh::{Concat, InformationElement, Ports, Udh};
pub use user_data::{Payload, UserData};
pub(super) use user_data::{septets_behind, units_behind};
pub use validity::TpVp;

use reader::{Reader, Result};
use std::fmt;

/// A TPDU with what stood before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// The SMSC's address; `None` if the field was absent or empty.
    pub smsc: Option<Address>,
    /// Octets of the TPDU alone: the length in `AT+CMGS=`, `+CMT:` and `+CDS:`.
    pub tpdu_len: usize,
    /// The TPDU.
    pub tpdu: Tpdu,
}

/// A TPDU of one of the types that carry a message or tell of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tpdu {
    /// From us to the SMSC.
    Submit(Submit),
    /// From the SMSC to us.
    Deliver(Deliver),
    /// From the SMSC to us, about a message we sent.
    StatusReport(StatusReport),
}

/// Whether the SMSC field stands before the TPDU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmscField {
    /// It does, perhaps with length 0: what modems give and take.
    Present,
    /// It does not: a TPDU as the specification prints it.
    Absent,
    /// Whichever makes sense; see [`decode`].
    Auto,
}

/// TP-Message-Reference: the modem's count of messages, modulo 256 (§9.2.3.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageReference(pub u8);

/// SMSC field and TPDU in hexadecimal: what follows the prompt of `AT+CMGS=<tpdu_len>`. `Debug` shows the length only.
#[derive(Clone, PartialEq, Eq)]
pub struct Pdu {
    hex: String,
    tpdu_len: usize,
}

/// Decodes a PDU. TP-MTI tells the type: 00 SMS-DELIVER, 01 SMS-SUBMIT, 10 SMS-STATUS-REPORT; 11 is reserved and taken
/// as SMS-DELIVER (§9.2.3.1). The other three types of the same values never pass between a modem and us.
///
/// With [`SmscField::Auto`] both readings are tried. If both reach the end exactly, the one with the SMSC field wins,
/// which is what modems print, unless only the other has sound addresses and times. If neither does, the error is of the
/// reading that came further.
pub fn decode(octets: &[u8], smsc: SmscField) -> Result<Decoded> {
    match smsc {
        SmscField::Present => with_smsc(octets),
        SmscField::Absent => without_smsc(Reader::new(octets), None),
        SmscField::Auto => match (with_smsc(octets), without_smsc(Reader::new(octets), None)) {
            (Ok(with), Ok(without)) => Ok(if !with.is_sound() && without.is_sound() { without } else { with }),
            (Ok(decoded), Err(_)) | (Err(_), Ok(decoded)) => Ok(decoded),
            (Err(with), Err(without)) => Err(if without.offset > with.offset { without } else { with }),
        },
    }
}

/// As [`decode`], from hexadecimal digits in either case.
pub fn decode_hex(hex: &str, smsc: SmscField) -> Result<Decoded> {
    let digit = |c: u8| char::from(c).to_digit(16).map(|digit| digit as u8);
    let pair = |(i, pair): (usize, &[u8])| match pair {
        [high, low] => digit(*high).zip(digit(*low)).map(|(high, low)| high << 4 | low).ok_or(i),
        _ => Err(i),
    };
    let octets: std::result::Result<Vec<u8>, usize> = hex.as_bytes().chunks(2).enumerate().map(pair).collect();
    decode(&octets.map_err(|offset| DecodeError::new("hex", offset, DecodeErrorKind::NotHex))?, smsc)
}

fn with_smsc(octets: &[u8]) -> Result<Decoded> {
    let mut reader = Reader::new(octets);
    let smsc = Address::decode_smsc(&mut reader).map_err(|error| error.within("smsc"))?;
    without_smsc(reader, smsc)
}

fn without_smsc(mut reader: Reader<'_>, smsc: Option<Address>) -> Result<Decoded> {
    let tpdu_len = reader.left();
    let first = reader.clone().octet("first")?;
    let tpdu = match first & MTI {
        MTI_SUBMIT => Submit::decode(&mut reader).map(Tpdu::Submit),
        MTI_STATUS_REPORT => StatusReport::decode(&mut reader).map(Tpdu::StatusReport),
        _ => Deliver::decode(&mut reader).map(Tpdu::Deliver),
    }?;
    Ok(Decoded { smsc, tpdu_len, tpdu })
}

impl Decoded {
    /// Whether addresses have their extension bit and times could be shown by a clock. Only settles ties.
    fn is_sound(&self) -> bool {
        let sound = |address: &Address| address.type_of_address().0 & 0x80 != 0;
        let inside = match &self.tpdu {
            Tpdu::Submit(submit) => sound(&submit.destination),
            Tpdu::Deliver(deliver) => sound(&deliver.originator) && deliver.scts.is_plausible(),
            Tpdu::StatusReport(report) => sound(&report.recipient) && report.scts.is_plausible(),
        };
        inside && self.smsc.as_ref().is_none_or(sound)
    }
}

impl Pdu {
    /// Joins the SMSC field and a TPDU. `None` writes the empty field `00`: the SIM card's own SMSC.
    pub fn new(smsc: Option<&Address>, tpdu: &[u8]) -> Self {
        let mut octets = Vec::with_capacity(12 + tpdu.len());
        match smsc {
            Some(address) => address.encode_smsc(&mut octets),
            None => octets.push(0),
        }
        octets.extend(tpdu);
        Self { hex: octets.iter().map(|octet| format!("{octet:02X}")).collect(), tpdu_len: tpdu.len() }
    }

    /// Upper-case hexadecimal digits. For the wire, never for a log.
    pub fn hex(&self) -> &str {
        &self.hex
    }

    /// Octets without the SMSC field: the number in `AT+CMGS=`.
    pub fn tpdu_len(&self) -> usize {
        self.tpdu_len
    }
}

impl fmt::Debug for Pdu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pdu[{} octets]", self.tpdu_len)
    }
}

// The first octet (§9.2.2). TP-MMS is 0 when more messages wait.
const MTI: u8 = 0x03;
const MTI_DELIVER: u8 = 0x00;
const MTI_SUBMIT: u8 = 0x01;
const MTI_STATUS_REPORT: u8 = 0x02;
const NO_MORE_MESSAGES: u8 = 0x04;
const LOOP_PREVENTION: u8 = 0x08;
const STATUS_REPORT: u8 = 0x20;
const UDHI: u8 = 0x40;
const REPLY_PATH: u8 = 0x80;
