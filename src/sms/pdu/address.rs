//! Addresses: TP-DA, TP-OA, TP-RA and the SMSC's (TS 23.040 §9.1.2.5, TS 24.011 §8.2.5).

use super::error::{DecodeError, DecodeErrorKind};
use super::reader::{Reader, Result};
use crate::domain::msisdn::Msisdn;
use crate::sms::gsm7::{self, Tables};
use std::fmt;

/// A telephone number or an alphanumeric sender name, with its type of address as it came.
///
/// `Debug` and `Display` are masked; [`Address::reveal`] and [`Address::reveal_digits`] are the ways in.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    toa: TypeOfAddress,
    value: Value,
}

#[derive(Clone, PartialEq, Eq)]
enum Value {
    Digits(String),
    /// Septets, since not every septet has a character that leads back to it.
    Alphanumeric(Vec<u8>),
}

/// The Type-of-Address octet, any value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypeOfAddress(pub u8);

/// Type of number: bits 6 to 4 of the type of address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ton {
    /// 0: the network may guess.
    Unknown,
    /// 1: begins with the country calling code.
    International,
    /// 2: without country calling code.
    National,
    /// 3: of the network's own administration.
    NetworkSpecific,
    /// 4: without area code.
    Subscriber,
    /// 5: letters, in the GSM 7-bit default alphabet.
    Alphanumeric,
    /// 6: a short code of the network.
    Abbreviated,
    /// 7: reserved.
    Reserved,
}

impl TypeOfAddress {
    /// International number, ISDN numbering plan.
    pub const INTERNATIONAL: Self = Self(0x91);
    /// Alphanumeric, no numbering plan.
    pub const ALPHANUMERIC: Self = Self(0xD0);

    /// Type of number.
    pub fn ton(self) -> Ton {
        match self.0 >> 4 & 7 {
            0 => Ton::Unknown,
            1 => Ton::International,
            2 => Ton::National,
            3 => Ton::NetworkSpecific,
            4 => Ton::Subscriber,
            5 => Ton::Alphanumeric,
            6 => Ton::Abbreviated,
            _ => Ton::Reserved,
        }
    }

    /// Numbering plan identification: bits 3 to 0. 1 is ISDN (E.164).
    pub fn npi(self) -> u8 {
        self.0 & 0xF
    }
}

impl Address {
    /// A number in international form.
    pub fn international(number: &Msisdn) -> Self {
        Self { toa: TypeOfAddress::INTERNATIONAL, value: Value::Digits(number.reveal_digits().to_owned()) }
    }

    /// A number of any type: at most 20 of the digits `0`–`9`, `*`, `#`, `a`, `b`, `c`. `None` for anything else.
    pub fn number(toa: TypeOfAddress, digits: &str) -> Option<Self> {
        let fits = digits.len() <= MAX_SEMI_OCTETS && digits.bytes().all(|d| DIGITS.contains(&d));
        (fits && toa.ton() != Ton::Alphanumeric).then(|| Self { toa, value: Value::Digits(digits.to_owned()) })
    }

    /// A sender's name: at most 11 septets of the default alphabet. `None` for anything else.
    pub fn alphanumeric(name: &str) -> Option<Self> {
        let septets = Tables::DEFAULT.encode(name).filter(|septets| septets.len() <= MAX_SEMI_OCTETS * 4 / 7)?;
        Some(Self { toa: TypeOfAddress::ALPHANUMERIC, value: Value::Alphanumeric(septets) })
    }

    /// The type of address as it came.
    pub fn type_of_address(&self) -> TypeOfAddress {
        self.toa
    }

    /// The digits without `+`, or `None` for a name. For matching and the wire, never for a log.
    pub fn reveal_digits(&self) -> Option<&str> {
        match &self.value {
            Value::Digits(digits) => Some(digits),
            Value::Alphanumeric(_) => None,
        }
    }

    /// The name or the digits, an international number with `+`. For the people concerned, never for a log.
    pub fn reveal(&self) -> String {
        match &self.value {
            Value::Alphanumeric(septets) => Tables::DEFAULT.decode(septets),
            Value::Digits(digits) if self.toa.ton() == Ton::International => format!("+{digits}"),
            Value::Digits(digits) => digits.clone(),
        }
    }

    /// The address of a TPDU: its length counts semi-octets, for a name as for a number.
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        let at = reader.offset();
        let length = reader.octet("length")?;
        if usize::from(length) > MAX_SEMI_OCTETS {
            return Err(DecodeError::new("length", at, DecodeErrorKind::BadLength(length)));
        }
        Self::value(reader, usize::from(length))
    }

    /// The SMSC's address: its length counts octets, the type of address among them; 0 means "the SIM card's own".
    pub(super) fn decode_smsc(reader: &mut Reader<'_>) -> Result<Option<Self>> {
        let at = reader.offset();
        match reader.octet("length")? {
            0 => Ok(None),
            length if usize::from(length) > 1 + MAX_SEMI_OCTETS / 2 => {
                Err(DecodeError::new("length", at, DecodeErrorKind::BadLength(length)))
            }
            length => Self::value(reader, 2 * (usize::from(length) - 1)).map(Some),
        }
    }

    fn value(reader: &mut Reader<'_>, semi_octets: usize) -> Result<Self> {
        let toa = TypeOfAddress(reader.octet("toa")?);
        let at = reader.offset();
        let octets = reader.take(semi_octets.div_ceil(2), "value")?;
        let value = match toa.ton() {
            Ton::Alphanumeric => Value::Alphanumeric(name(octets, semi_octets)),
            _ => Value::Digits(digits(octets, semi_octets, at)?),
        };
        Ok(Self { toa, value })
    }

    pub(super) fn encode(&self, tpdu: &mut Vec<u8>) {
        match &self.value {
            Value::Digits(digits) => {
                tpdu.extend([digits.len() as u8, self.toa.0]);
                tpdu.extend(semi_octets(digits));
            }
            Value::Alphanumeric(septets) => {
                tpdu.extend([(7 * septets.len()).div_ceil(4) as u8, self.toa.0]);
                tpdu.extend(gsm7::pack(septets, 0));
            }
        }
    }

    pub(super) fn encode_smsc(&self, field: &mut Vec<u8>) {
        let value = match &self.value {
            Value::Digits(digits) => semi_octets(digits),
            Value::Alphanumeric(septets) => gsm7::pack(septets, 0),
        };
        field.extend([1 + value.len() as u8, self.toa.0]);
        field.extend(value);
    }
}

impl fmt::Display for Address {
    /// Masked: the first two digits and the last two of a number long enough to hide the rest.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plus = if self.toa.ton() == Ton::International { "+" } else { "" };
        match &self.value {
            Value::Digits(d) if d.len() >= 7 => write!(f, "{plus}{}…{}", &d[..2], &d[d.len() - 2..]),
            Value::Digits(_) => write!(f, "{plus}…"),
            Value::Alphanumeric(_) => f.write_str("[name]"),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Semi-octets, low nibble first. Fillers at the end are passed over: some senders count the one that rounds up.
fn digits(octets: &[u8], semi_octets: usize, at: usize) -> Result<String> {
    let nibbles: Vec<u8> = octets.iter().flat_map(|octet| [octet & 0xF, octet >> 4]).take(semi_octets).collect();
    let length = nibbles.iter().rposition(|nibble| *nibble != FILLER).map_or(0, |last| last + 1);
    if let Some(i) = nibbles[..length].iter().position(|nibble| *nibble == FILLER) {
        return Err(DecodeError::new("value", at + i / 2, DecodeErrorKind::BadDigit));
    }
    Ok(nibbles[..length].iter().map(|nibble| char::from(DIGITS[usize::from(*nibble)])).collect())
}

/// Seven letters take 49 bits; a sender that rounds up to 56 seems to add an `@`. No name of eight ends so.
fn name(octets: &[u8], semi_octets: usize) -> Vec<u8> {
    let mut septets = gsm7::unpack(octets, 0, semi_octets * 4 / 7);
    if septets.len() == 8 && septets.last() == Some(&0) {
        septets.pop();
    }
    septets
}

fn semi_octets(digits: &str) -> Vec<u8> {
    let nibble = |digit: u8| DIGITS.iter().position(|d| *d == digit).unwrap_or(FILLER.into()) as u8;
    let pair = |pair: &[u8]| nibble(pair[0]) | pair.get(1).map_or(FILLER, |digit| nibble(*digit)) << 4;
    digits.as_bytes().chunks(2).map(pair).collect()
}

/// TS 23.040 §9.1.2.3: semi-octet values 0 to 14.
const DIGITS: &[u8; 15] = b"0123456789*#abc";
const FILLER: u8 = 0xF;

/// An address field has at most 12 octets (TS 23.040 §9.1.2.5), two of them length and type.
const MAX_SEMI_OCTETS: usize = 20;
