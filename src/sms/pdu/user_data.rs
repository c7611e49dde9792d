//! TP-UDL and TP-UD (TS 23.040 §9.2.3.16, §9.2.3.24): an optional header, then text or data.

use super::dcs::{Alphabet, Dcs};
use super::error::{DecodeError, DecodeErrorKind};
use super::reader::{Reader, Result};
use super::udh::Udh;
use crate::domain::secret::Secret;
use crate::sms::gsm7::{self, Tables};
use crate::sms::ucs2;
use std::fmt;

/// The user data of one TPDU. It always fits: header and payload are at most 140 octets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserData {
    udh: Option<Udh>,
    payload: Payload,
}

/// What follows the header. `Debug` shows the size only.
#[derive(Clone, PartialEq, Eq)]
pub enum Payload {
    /// Septets of the GSM 7-bit alphabet, unpacked.
    Gsm7(Vec<u8>),
    /// UCS-2 octets.
    Ucs2(Vec<u8>),
    /// 8-bit data, or compressed text as it came.
    Octets(Vec<u8>),
}

impl UserData {
    /// Joins a header and a payload. `None` if together they exceed 140 octets.
    pub fn new(udh: Option<Udh>, payload: Payload) -> Option<Self> {
        let user_data = Self { udh, payload };
        (user_data.octets() <= MAX_OCTETS).then_some(user_data)
    }

    /// The header, if TP-UDHI says that there is one.
    pub fn udh(&self) -> Option<&Udh> {
        self.udh.as_ref()
    }

    /// What follows the header.
    pub fn payload(&self) -> &Payload {
        &self.payload
    }

    /// The alphabet of the payload.
    pub fn alphabet(&self) -> Alphabet {
        match self.payload {
            Payload::Gsm7(_) => Alphabet::Gsm7,
            Payload::Ucs2(_) => Alphabet::Ucs2,
            Payload::Octets(_) => Alphabet::EightBit,
        }
    }

    /// The text, in the tables that the header names. `None` for 8-bit data and for compressed text.
    pub fn text(&self) -> Option<Secret> {
        match &self.payload {
            Payload::Gsm7(septets) => {
                Some(self.udh.as_ref().map_or(Tables::DEFAULT, Udh::tables).decode(septets).into())
            }
            Payload::Ucs2(octets) => Some(ucs2::decode(octets).into()),
            Payload::Octets(_) => None,
        }
    }

    /// TP-UDL: septets for a 7-bit text, the header rounded up to septets; else octets.
    pub fn udl(&self) -> u8 {
        let udl = match &self.payload {
            Payload::Gsm7(septets) => header_septets(self.header_octets()) + septets.len(),
            Payload::Ucs2(octets) | Payload::Octets(octets) => self.header_octets() + octets.len(),
        };
        udl as u8
    }

    /// Reads TP-UDL and TP-UD. Offsets and names are those inside `ud`.
    pub(super) fn decode(reader: &mut Reader<'_>, dcs: Dcs, udhi: bool) -> Result<Self> {
        let septets = dcs.alphabet() == Alphabet::Gsm7 && !dcs.is_compressed();
        let at = reader.offset();
        let udl = reader.octet("udl")?;
        let (most, octets) = if septets {
            (MAX_OCTETS * 8 / 7, (7 * usize::from(udl)).div_ceil(8))
        } else {
            (MAX_OCTETS, usize::from(udl))
        };
        let lies = || DecodeError::new("udl", at, DecodeErrorKind::BadLength(udl));
        if usize::from(udl) > most {
            return Err(lies());
        }
        let mut body = reader.part(octets, "ud")?;
        let udh = udhi.then(|| Udh::decode(&mut body).map_err(|error| error.within("udh").within("ud"))).transpose()?;
        let header = udh.as_ref().map_or(0, Udh::octets);
        let payload = body.take(body.left(), "ud")?;
        let payload = if septets {
            let count = usize::from(udl).checked_sub(header_septets(header)).ok_or_else(lies)?;
            Payload::Gsm7(gsm7::unpack(payload, fill_bits(header), count))
        } else if dcs.is_compressed() || dcs.alphabet() == Alphabet::EightBit {
            Payload::Octets(payload.to_vec())
        } else {
            Payload::Ucs2(payload.to_vec())
        };
        Ok(Self { udh, payload })
    }

    pub(super) fn encode(&self, tpdu: &mut Vec<u8>) {
        tpdu.push(self.udl());
        if let Some(udh) = &self.udh {
            udh.encode(tpdu);
        }
        match &self.payload {
            Payload::Gsm7(septets) => tpdu.extend(gsm7::pack(septets, fill_bits(self.header_octets()))),
            Payload::Ucs2(octets) | Payload::Octets(octets) => tpdu.extend(octets),
        }
    }

    fn octets(&self) -> usize {
        let header = self.header_octets();
        match &self.payload {
            Payload::Gsm7(septets) => (7 * (header_septets(header) + septets.len())).div_ceil(8),
            Payload::Ucs2(octets) | Payload::Octets(octets) => header + octets.len(),
        }
    }

    fn header_octets(&self) -> usize {
        self.udh.as_ref().map_or(0, Udh::octets)
    }
}

impl Default for Payload {
    fn default() -> Self {
        Self::Gsm7(Vec::new())
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gsm7(septets) => write!(f, "Gsm7[{} septets]", septets.len()),
            Self::Ucs2(octets) => write!(f, "Ucs2[{} octets]", octets.len()),
            Self::Octets(octets) => write!(f, "Octets[{}]", octets.len()),
        }
    }
}

/// Septets that are left for a text behind a header of so many octets (0: without header).
pub(in crate::sms) fn septets_behind(header: usize) -> usize {
    (MAX_OCTETS * 8 / 7).saturating_sub(header_septets(header))
}

/// UTF-16 code units that are left for a text behind a header of so many octets.
pub(in crate::sms) fn units_behind(header: usize) -> usize {
    MAX_OCTETS.saturating_sub(header) / 2
}

/// A header takes whole septets, the last one filled up with bits (§9.2.3.24).
fn header_septets(header: usize) -> usize {
    (8 * header).div_ceil(7)
}

fn fill_bits(header: usize) -> usize {
    7 * header_septets(header) - 8 * header
}

/// TP-UD has at most 140 octets (§9.2.3.24).
const MAX_OCTETS: usize = 140;
