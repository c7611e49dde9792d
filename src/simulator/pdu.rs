//! TPDUs as the far end sees them (TS 23.040 §9.2): reads SMS-SUBMIT, writes SMS-DELIVER and SMS-STATUS-REPORT, and
//! reads those again where a modem must show them in text mode.
//!
//! National language tables are not known here: such text is shown with the default alphabet.

use super::alphabet;
use crate::domain::time::Wall;

/// What was wrong with a TPDU, and at which octet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PduError {
    /// The field that could not be read.
    pub field: &'static str,
    /// The octet at which it begins, counted from 0 in the TPDU.
    pub offset: usize,
}

/// A number with its type (§9.1.2.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Type-of-address octet, as on the wire: 0x91 international, 0x81 unknown, 0xD0 alphanumeric.
    pub toa: u8,
    /// Digits (with `*#abc`), or the text of an alphanumeric address.
    pub value: String,
}

impl Address {
    /// Reads `+4477…` as international, digits as unknown, all else as alphanumeric (cut to 11 characters).
    pub fn parse(text: &str) -> Self {
        let digits = text.strip_prefix('+').unwrap_or(text);
        let is_number = !digits.is_empty() && digits.chars().all(|c| DIGITS.contains(c) && c != 'F');
        match (is_number, text.starts_with('+')) {
            (true, true) => Self { toa: 0x91, value: digits.chars().take(20).collect() },
            (true, false) => Self { toa: 0x81, value: digits.chars().take(20).collect() },
            (false, _) => Self { toa: 0xD0, value: text.chars().take(11).collect() },
        }
    }

    /// The number as people write it: `+` before an international one.
    pub fn text(&self) -> String {
        let plus = if self.toa & 0x70 == 0x10 { "+" } else { "" };
        format!("{plus}{}", self.value)
    }

    /// Length (in semi-octets, as TP-OA, TP-DA and TP-RA have it), type, value.
    fn write(&self, out: &mut Vec<u8>) {
        if self.toa & 0x70 == 0x50 {
            let septets = alphabet::encode(&self.value).unwrap_or_default();
            let octets = alphabet::pack(&septets, 0);
            out.extend([(septets.len() * 7).div_ceil(4) as u8, self.toa]);
            out.extend(octets);
        } else {
            out.extend([self.value.len() as u8, self.toa]);
            out.extend(swapped(&self.value));
        }
    }
}

/// A concatenated message's reference, number of parts and this part's number (§9.2.3.24.1 and .8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Concat {
    /// 8 or 16 bit reference.
    pub reference: u16,
    /// How many parts there are, 1 to 255.
    pub total: u8,
    /// Which this is, 1 to `total`.
    pub part: u8,
}

/// TP-UD, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserData {
    /// The text; of 8 bit data, its octets in hexadecimal.
    pub text: String,
    /// The concatenation element, if the header has one.
    pub concat: Option<Concat>,
}

/// An SMS-SUBMIT (§9.2.2.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submit {
    /// The first octet: TP-RD, TP-VPF, TP-SRR, TP-UDHI, TP-RP.
    pub first_octet: u8,
    /// TP-MR.
    pub reference: u8,
    /// TP-DA.
    pub to: Address,
    /// TP-PID.
    pub pid: u8,
    /// TP-DCS.
    pub dcs: u8,
    /// TP-VP as on the wire: 0, 1 or 7 octets.
    pub validity: Vec<u8>,
    /// TP-UD.
    pub user_data: UserData,
}

impl Submit {
    /// Whether a status report is asked for (TP-SRR).
    pub fn wants_report(&self) -> bool {
        self.first_octet & 0x20 != 0
    }

    /// Reads a TPDU without the SMSC field.
    pub fn decode(tpdu: &[u8]) -> Result<Self, PduError> {
        let mut r = Reader { octets: tpdu, at: 0 };
        let first_octet = r.octet("first octet")?;
        if first_octet & 0x03 != 0x01 {
            return Err(PduError { field: "TP-MTI", offset: 0 });
        }
        let reference = r.octet("TP-MR")?;
        let to = r.address("TP-DA")?;
        let pid = r.octet("TP-PID")?;
        let dcs = r.octet("TP-DCS")?;
        let validity = r.take("TP-VP", [0, 7, 1, 7][usize::from(first_octet >> 3 & 3)])?.to_vec();
        let user_data = r.user_data(dcs, first_octet & 0x40 != 0)?;
        Ok(Self { first_octet, reference, to, pid, dcs, validity, user_data })
    }

    /// Writes one part with the given header octets. Used for what is typed in text mode.
    pub fn encode(first_octet: u8, to: &Address, pid: u8, dcs: u8, validity: &[u8], text: &str) -> Option<Vec<u8>> {
        let mut out = vec![first_octet, 0];
        to.write(&mut out);
        out.extend([pid, dcs]);
        out.extend(validity);
        write_user_data(&mut out, &Payload::of(text, dcs)?, &[]);
        (out.len() <= MAX_TPDU).then_some(out)
    }
}

/// An SMS-DELIVER (§9.2.2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deliver {
    /// The first octet.
    pub first_octet: u8,
    /// TP-OA.
    pub from: Address,
    /// TP-PID.
    pub pid: u8,
    /// TP-DCS.
    pub dcs: u8,
    /// TP-SCTS as text mode shows it: `26/11/23,01:35:26+00`.
    pub timestamp: String,
    /// TP-UD.
    pub user_data: UserData,
}

impl Deliver {
    /// Reads a TPDU without the SMSC field.
    pub fn decode(tpdu: &[u8]) -> Result<Self, PduError> {
        let mut r = Reader { octets: tpdu, at: 0 };
        let first_octet = r.octet("first octet")?;
        if first_octet & 0x03 != 0x00 {
            return Err(PduError { field: "TP-MTI", offset: 0 });
        }
        let from = r.address("TP-OA")?;
        let pid = r.octet("TP-PID")?;
        let dcs = r.octet("TP-DCS")?;
        let timestamp = r.timestamp("TP-SCTS")?;
        let user_data = r.user_data(dcs, first_octet & 0x40 != 0)?;
        Ok(Self { first_octet, from, pid, dcs, timestamp, user_data })
    }

    /// Writes `text` as one TPDU or, if it is long, as concatenated ones under `reference`. The default alphabet is
    /// used where it holds every character, UCS-2 otherwise. At most 255 parts; what is beyond is cut.
    pub fn encode(from: &str, text: &str, at: Wall, reference: u8) -> Vec<Vec<u8>> {
        let from = Address::parse(from);
        let payload = Payload::of(text, 0).unwrap_or_else(|| Payload::Ucs2(text.encode_utf16().collect()));
        let parts = payload.split();
        let total = parts.len().min(255);
        let write = |(i, part): (usize, &Payload)| {
            let header: &[u8] = &[5, 0x00, 3, reference, total as u8, i as u8 + 1];
            let header = if total > 1 { header } else { &[] };
            // TP-MMS set: no more messages are waiting.
            let mut out = vec![if total > 1 { 0x44 } else { 0x04 }];
            from.write(&mut out);
            out.extend([0x00, if matches!(part, Payload::Ucs2(_)) { 0x08 } else { 0x00 }]);
            out.extend(timestamp(at));
            write_user_data(&mut out, part, header);
            out
        };
        parts.iter().take(255).enumerate().map(write).collect()
    }

    /// Writes what becomes of a part that goes on to another subscriber: its user data as it is. `tpdu`: that of `submit`.
    pub fn forward(from: &str, submit: &Submit, tpdu: &[u8], at: Wall) -> Vec<u8> {
        // First octet, TP-MR, length and type of TP-DA; two digits to an octet; TP-PID, TP-DCS, TP-VP.
        let user_data = 4 + submit.to.value.len().div_ceil(2) + 2 + submit.validity.len();
        let mut out = vec![0x04 | (submit.first_octet & 0x40)];
        Address::parse(from).write(&mut out);
        out.extend([submit.pid, submit.dcs]);
        out.extend(timestamp(at));
        out.extend(tpdu.get(user_data..).unwrap_or_default());
        out
    }
}

/// An SMS-STATUS-REPORT (§9.2.2.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusReport {
    /// The first octet.
    pub first_octet: u8,
    /// TP-MR of the message reported on.
    pub reference: u8,
    /// TP-RA.
    pub to: Address,
    /// TP-SCTS as text mode shows it.
    pub timestamp: String,
    /// TP-DT as text mode shows it.
    pub discharged: String,
    /// TP-ST.
    pub status: u8,
}

impl StatusReport {
    /// Reads a TPDU without the SMSC field.
    pub fn decode(tpdu: &[u8]) -> Result<Self, PduError> {
        let mut r = Reader { octets: tpdu, at: 0 };
        let first_octet = r.octet("first octet")?;
        if first_octet & 0x03 != 0x02 {
            return Err(PduError { field: "TP-MTI", offset: 0 });
        }
        Ok(Self {
            first_octet,
            reference: r.octet("TP-MR")?,
            to: r.address("TP-RA")?,
            timestamp: r.timestamp("TP-SCTS")?,
            discharged: r.timestamp("TP-DT")?,
            status: r.octet("TP-ST")?,
        })
    }

    /// Writes the report on a message that was accepted and discharged at these times.
    pub fn encode(reference: u8, to: &Address, accepted: Wall, discharged: Wall, status: u8) -> Vec<u8> {
        let mut out = vec![0x06, reference];
        to.write(&mut out);
        out.extend(timestamp(accepted));
        out.extend(timestamp(discharged));
        out.push(status);
        out
    }
}

/// The SMSC field that stands before a TPDU in `AT+CMGS` and `+CMT` (TS 27.005 §3.1 `<pdu>`): length in octets, type,
/// number. A single 0 where there is none.
pub fn smsc_field(number: &str) -> Vec<u8> {
    let address = Address::parse(number);
    if number.is_empty() || address.toa == 0xD0 {
        return vec![0];
    }
    let digits = swapped(&address.value);
    let mut out = vec![digits.len() as u8 + 1, address.toa];
    out.extend(digits);
    out
}

/// Octets as hexadecimal, upper case.
pub fn to_hex(octets: &[u8]) -> String {
    use std::fmt::Write;
    octets.iter().fold(String::with_capacity(octets.len() * 2), |mut hex, octet| {
        let _ = write!(hex, "{octet:02X}");
        hex
    })
}

/// Hexadecimal, either case, as octets. `None` for an odd length or another character.
pub fn from_hex(hex: &[u8]) -> Option<Vec<u8>> {
    let digit = |b: u8| char::from(b).to_digit(16).map(|d| d as u8);
    let (pairs, odd) = hex.as_chunks::<2>();
    odd.is_empty().then(|| pairs.iter().map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect())?
}

/// What TP-DCS says of the text's alphabet (TS 23.038 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Alphabet {
    Gsm7,
    Octets,
    Ucs2,
}

impl Alphabet {
    fn of(dcs: u8) -> Self {
        match dcs >> 4 {
            // General data coding and automatic deletion. Compressed text is shown as octets.
            0..=7 if dcs & 0x20 != 0 => Self::Octets,
            0..=7 => match dcs >> 2 & 3 {
                1 => Self::Octets,
                2 => Self::Ucs2,
                _ => Self::Gsm7,
            },
            0xE => Self::Ucs2,
            0xF if dcs & 4 != 0 => Self::Octets,
            _ => Self::Gsm7,
        }
    }
}

/// Text on its way into TP-UD.
enum Payload {
    Gsm7(Vec<u8>),
    Octets(Vec<u8>),
    Ucs2(Vec<u16>),
}

impl Payload {
    /// `text` in the alphabet that `dcs` names. `None` if that alphabet lacks a character; 8 bit text is hexadecimal.
    fn of(text: &str, dcs: u8) -> Option<Self> {
        match Alphabet::of(dcs) {
            Alphabet::Gsm7 => alphabet::encode(text).map(Self::Gsm7),
            Alphabet::Octets => from_hex(text.as_bytes()).map(Self::Octets),
            Alphabet::Ucs2 => Some(Self::Ucs2(text.encode_utf16().collect())),
        }
    }

    /// One part if it fits, else parts with room for a 6 octet header. Escapes and surrogates are not torn apart.
    fn split(self) -> Vec<Self> {
        fn cut<T: Copy>(units: &[T], single: usize, each: usize, opens: impl Fn(T) -> bool) -> Vec<Vec<T>> {
            if units.len() <= single {
                return vec![units.to_vec()];
            }
            let (mut rest, mut parts) = (units, Vec::new());
            while !rest.is_empty() {
                let mut take = each.min(rest.len());
                if take < rest.len() && opens(rest[take - 1]) {
                    take -= 1;
                }
                parts.push(rest[..take].to_vec());
                rest = &rest[take..];
            }
            parts
        }
        match self {
            Self::Gsm7(s) => cut(&s, 160, 153, |u| u == 0x1B).into_iter().map(Self::Gsm7).collect(),
            Self::Octets(o) => cut(&o, 140, 134, |_| false).into_iter().map(Self::Octets).collect(),
            Self::Ucs2(u) => cut(&u, 70, 67, |u| (0xD800..0xDC00).contains(&u)).into_iter().map(Self::Ucs2).collect(),
        }
    }
}

/// TP-UDL and TP-UD (§9.2.3.16, §9.2.3.24). `header` begins with its own length, or is empty.
fn write_user_data(out: &mut Vec<u8>, payload: &Payload, header: &[u8]) {
    match payload {
        Payload::Gsm7(septets) => {
            let header_septets = (header.len() * 8).div_ceil(7);
            out.push((header_septets + septets.len()) as u8);
            out.extend(header);
            out.extend(alphabet::pack(septets, header_septets * 7 - header.len() * 8));
        }
        Payload::Octets(octets) => {
            out.push((header.len() + octets.len()) as u8);
            out.extend(header);
            out.extend(octets);
        }
        Payload::Ucs2(units) => {
            out.push((header.len() + units.len() * 2) as u8);
            out.extend(header);
            out.extend(units.iter().flat_map(|u| u.to_be_bytes()));
        }
    }
}

/// Digits as swapped semi-octets, filled up with 0xF.
fn swapped(digits: &str) -> Vec<u8> {
    let nibble = |c: u8| DIGITS.bytes().position(|d| d == c.to_ascii_lowercase()).unwrap_or(0xF) as u8;
    digits.as_bytes().chunks(2).map(|p| nibble(p[0]) | p.get(1).map_or(0xF, |&c| nibble(c)) << 4).collect()
}

/// TP-SCTS of a wall time, in UTC (§9.2.3.11): seven octets of swapped decimal digits.
fn timestamp(at: Wall) -> [u8; 7] {
    // RFC 3339 in UTC has the digits at fixed places: 2026-11-23T01:35:26.
    let text = at.to_string();
    let bytes = text.as_bytes();
    let mut out = [0; 7];
    for (octet, place) in out.iter_mut().zip([2, 5, 8, 11, 14, 17]) {
        let digit = |i: usize| bytes.get(i).filter(|b| b.is_ascii_digit()).map_or(0, |b| b - b'0');
        *octet = digit(place) | digit(place + 1) << 4;
    }
    out
}

/// Takes fields off a TPDU.
struct Reader<'a> {
    octets: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, field: &'static str, count: usize) -> Result<&'a [u8], PduError> {
        let taken = self.octets.get(self.at..self.at + count).ok_or(PduError { field, offset: self.at })?;
        self.at += count;
        Ok(taken)
    }

    fn octet(&mut self, field: &'static str) -> Result<u8, PduError> {
        self.take(field, 1).map(|o| o[0])
    }

    fn address(&mut self, field: &'static str) -> Result<Address, PduError> {
        let offset = self.at;
        let semi_octets = usize::from(self.octet(field)?);
        let toa = self.octet(field)?;
        // §9.1.2.5: at most 20 semi-octets; bit 7 of the type is always 1.
        if semi_octets > 20 || toa & 0x80 == 0 {
            return Err(PduError { field, offset });
        }
        let octets = self.take(field, semi_octets.div_ceil(2))?;
        let value = if toa & 0x70 == 0x50 {
            alphabet::decode(&alphabet::unpack(octets, semi_octets * 4 / 7, 0))
        } else {
            let nibbles = octets.iter().flat_map(|o| [o & 0xF, o >> 4]).take(semi_octets);
            nibbles.map(|n| DIGITS.as_bytes()[usize::from(n)] as char).filter(|c| *c != 'F').collect()
        };
        Ok(Address { toa, value })
    }

    fn timestamp(&mut self, field: &'static str) -> Result<String, PduError> {
        let octets = self.take(field, 7)?;
        let pair = |o: u8| format!("{:X}{:X}", o & 0xF, o >> 4);
        let zone = octets[6];
        let sign = if zone & 0x08 != 0 { '-' } else { '+' };
        let d: Vec<String> = octets.iter().map(|&o| pair(o)).collect();
        Ok(format!("{}/{}/{},{}:{}:{}{sign}{}", d[0], d[1], d[2], d[3], d[4], d[5], pair(zone & !0x08)))
    }

    fn user_data(&mut self, dcs: u8, has_header: bool) -> Result<UserData, PduError> {
        let length = usize::from(self.octet("TP-UDL")?);
        let offset = self.at;
        let alphabet = Alphabet::of(dcs);
        let septets = alphabet == Alphabet::Gsm7;
        let octets = self.take("TP-UD", if septets { (length * 7).div_ceil(8) } else { length })?;
        if octets.len() > 140 {
            return Err(PduError { field: "TP-UDL", offset: offset - 1 });
        }
        if self.at != self.octets.len() {
            return Err(PduError { field: "end of TPDU", offset: self.at });
        }
        let header = match has_header {
            true => {
                let end = usize::from(*octets.first().ok_or(PduError { field: "TP-UDHL", offset })?) + 1;
                octets.get(..end).ok_or(PduError { field: "TP-UDHL", offset })?
            }
            false => &[],
        };
        let body = &octets[header.len()..];
        let text = match alphabet {
            Alphabet::Gsm7 => {
                let header_septets = (header.len() * 8).div_ceil(7);
                let fill = header_septets * 7 - header.len() * 8;
                alphabet::decode(&alphabet::unpack(body, length.saturating_sub(header_septets), fill))
            }
            Alphabet::Octets => to_hex(body),
            Alphabet::Ucs2 => {
                let units: Vec<u16> = body.chunks_exact(2).map(|p| u16::from_be_bytes([p[0], p[1]])).collect();
                String::from_utf16_lossy(&units)
            }
        };
        Ok(UserData { text, concat: concat(header) })
    }
}

/// The concatenation element of a header. One that contradicts itself counts as none (§9.2.3.24.1).
fn concat(header: &[u8]) -> Option<Concat> {
    let mut rest = header.get(1..)?;
    while let [id, length, tail @ ..] = rest {
        let (data, next) = tail.split_at_checked(usize::from(*length))?;
        let found = match (id, data) {
            (0x00, &[r, total, part]) => Some(Concat { reference: u16::from(r), total, part }),
            (0x08, &[high, low, total, part]) => {
                Some(Concat { reference: u16::from_be_bytes([high, low]), total, part })
            }
            _ => None,
        };
        match found {
            Some(c) if c.part >= 1 && c.part <= c.total => return Some(c),
            _ => rest = next,
        }
    }
    None
}

/// A TPDU has at most 164 octets: 140 of user data and 24 of everything else (a SUBMIT with a 20 digit number).
pub const MAX_TPDU: usize = 164;

/// The semi-octets of a number (§9.1.2.3); 0xF is filling.
const DIGITS: &str = "0123456789*#abcF";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn submit(hex: &str) -> Result<Submit, PduError> {
        Submit::decode(&from_hex(hex.as_bytes()).unwrap())
    }

    #[test]
    fn submits_from_the_specification() {
        let rows = [
            // No TP-VP; +14155550100; "hellohello" in ten septets.
            ("01000B914151550501F000000AE8329BFD4697D9EC37", "+14155550100", "hellohello", None),
            // Report asked, relative TP-VP, unknown type of number, "A".
            ("31000481214300000B0141", "1234", "A", None),
            // Class 0, UCS-2, "Ж€".
            ("01000B914151550501F0001804041620AC", "+14155550100", "Ж€", None),
            // 8 bit data.
            ("01000B914151550501F0000403DEADBF", "+14155550100", "DEADBF", None),
            // Header 05 00 03 2A 02 01, one fill bit, "A": TP-UDL is 7 septets of header and 1 of text.
            (
                "41000B914151550501F00000080500032A020182",
                "+14155550100",
                "A",
                Some(Concat { reference: 42, total: 2, part: 1 }),
            ),
            // Header 06 08 04 01 02 03 02 fills 8 septets: no fill bits.
            (
                "41000B914151550501F00000090608040102030241",
                "+14155550100",
                "A",
                Some(Concat { reference: 0x0102, total: 3, part: 2 }),
            ),
            // Part 3 of 2 contradicts itself: no concatenation.
            ("41000B914151550501F00000080500032A020382", "+14155550100", "A", None),
        ];
        for (hex, to, text, concat) in rows {
            let submit = submit(hex).unwrap();
            assert_eq!(submit.to.text(), to, "{hex}");
            assert_eq!(submit.user_data, UserData { text: text.into(), concat }, "{hex}");
        }
    }

    #[test]
    fn errors_name_the_field_and_the_octet() {
        let rows = [
            ("", "first octet", 0),
            ("04", "TP-MTI", 0),
            ("01", "TP-MR", 1),
            ("01000B9141", "TP-DA", 4),
            ("0100FF91", "TP-DA", 2),
            ("010004812143", "TP-PID", 6),
            ("010004812143000001", "TP-UD", 9),
            ("010004812143000000FF", "end of TPDU", 9),
            ("01000481214300F5", "TP-UDL", 8),
            ("41000481214300F501", "TP-UD", 9),
            ("41000481214300F50105", "TP-UDHL", 9),
            ("41000481214300F500", "TP-UDHL", 9),
        ];
        for (hex, field, offset) in rows {
            assert_eq!(submit(hex), Err(PduError { field, offset }), "{hex}");
        }
    }

    #[test]
    fn deliver_goes_there_and_back() {
        let rows = [
            ("+14155550100", "hello", 1),
            ("otpgate", "Grüße [€]", 1),
            ("12345", "Привет", 1),
            ("+14155550100", &"x".repeat(160), 1),
            ("+14155550100", &"x".repeat(161), 2),
            ("+14155550100", &"€".repeat(80), 1),
            ("+14155550100", &"€".repeat(81), 2),
            ("+14155550100", &"😀".repeat(35), 1),
            ("+14155550100", &"😀".repeat(36), 2),
            ("+14155550100", "", 1),
        ];
        for (from, text, parts) in rows {
            let tpdus = Deliver::encode(from, text, Wall(1_795_397_726_000), 7);
            assert_eq!(tpdus.len(), parts, "{text}");
            let read: Vec<Deliver> = tpdus.iter().map(|t| Deliver::decode(t).unwrap()).collect();
            assert_eq!(read.iter().map(|d| d.user_data.text.as_str()).collect::<String>(), text);
            assert_eq!(read[0].from.text(), from);
            assert_eq!(read[0].timestamp, "26/11/23,01:35:26+00");
            if parts > 1 {
                let numbers: Vec<u8> = read.iter().map(|d| d.user_data.concat.unwrap().part).collect();
                assert_eq!(numbers, [1, 2]);
            }
        }
    }

    #[test]
    fn status_report_goes_there_and_back() {
        let to = Address::parse("+14155550100");
        let tpdu = StatusReport::encode(42, &to, Wall(1_795_397_726_000), Wall(1_795_397_730_000), 0x46);
        assert_eq!(to_hex(&tpdu), "062A0B914151550501F0621132105362006211321053030046");
        let report = StatusReport::decode(&tpdu).unwrap();
        assert_eq!((report.reference, report.to, report.status), (42, to, 0x46));
        assert_eq!(report.discharged, "26/11/23,01:35:30+00");
    }

    #[test]
    fn smsc_fields() {
        assert_eq!(smsc_field(""), [0]);
        assert_eq!(to_hex(&smsc_field("+12063130004")), "07912160130300F4");
    }

    #[test]
    #[expect(clippy::print_stdout, reason = "a skipped test must be seen")]
    fn submits_of_the_reference_corpus() {
        let Ok(reference) = std::env::var("OTPGATE_REFERENCE") else {
            println!("SKIPPED: OTPGATE_REFERENCE is not set");
            return;
        };
        let mut checked = 0;
        for file in ["pdu-corpus.jsonl", "pdu-vectors.jsonl"] {
            for line in std::fs::read_to_string(format!("{reference}/{file}")).unwrap().lines() {
                let row: serde_json::Value = serde_json::from_str(line).unwrap();
                let (fields, id) = (&row["fields"], &row["id"]);
                let national = row["tags"].as_array().unwrap().iter().any(|t| t.as_str().unwrap().contains("national"));
                if row["type"] != "SUBMIT" || national || fields["compressed"] == true {
                    continue;
                }
                let octets = from_hex(row["pdu"].as_str().unwrap().as_bytes()).unwrap();
                let start = if row["has_smsc"] == true { usize::from(octets[0]) + 1 } else { 0 };
                let submit = match Submit::decode(&octets[start..]) {
                    Ok(submit) => submit,
                    Err(e) => panic!("{id}: {e:?} {row}"),
                };
                let to = fields["da"]["digits"].as_str().or(fields["da"]["alpha"].as_str()).unwrap();
                assert_eq!(submit.to.value, to, "{id}");
                let text = fields["text"].as_str().or(fields["data_hex"].as_str()).unwrap();
                assert_eq!(submit.user_data.text, text, "{id}");
                assert_eq!(submit.user_data.concat.is_some(), fields["concat"].is_object(), "{id}");
                if let Some(concat) = submit.user_data.concat {
                    let read = (u64::from(concat.reference), u64::from(concat.total), u64::from(concat.part));
                    let field = |name: &str| fields["concat"][name].as_u64().unwrap();
                    assert_eq!(read, (field("ref"), field("total"), field("seq")), "{id}");
                }
                checked += 1;
            }
        }
        assert!(checked > 20, "only {checked} rows checked");
    }

    proptest! {
        #[test]
        fn no_octets_make_a_decoder_panic(tpdu in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = (Submit::decode(&tpdu), Deliver::decode(&tpdu), StatusReport::decode(&tpdu));
        }
    }
}
