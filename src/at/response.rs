//! Parsers for complete answer lines, tolerant of what modems were seen to say.
//!
//! Each takes a line with its prefix and gives `None` for what it can't read; a line that can't be read is never an
//! error, only no knowledge.

use super::line::Line;
use crate::domain::secret::Secret;
use nom::branch::alt;
use nom::bytes::complete::{take_till, take_while1};
use nom::character::complete::{char, one_of, space0, u8 as number_u8};
use nom::combinator::{all_consuming, opt, recognize};
use nom::multi::separated_list0;
use nom::sequence::{delimited, preceded, terminated};
use nom::{IResult, Parser};
use std::fmt;

/// `+CREG:` of `+CREG: 2,1`: sign, name and colon.
pub fn prefix(line: &str) -> Option<&str> {
    recognize((name, char(':'))).parse(line).ok().map(|(_, prefix): (&str, &str)| prefix)
}

/// `+CREG` of `+CREG?`, `+CREG=2` or `+CREG`.
pub fn command_name(text: &str) -> Option<&str> {
    name(text).ok().map(|(_, name)| name)
}

fn name(text: &str) -> IResult<&str, &str> {
    recognize((one_of("+^*#%$&!"), take_while1(|c: char| c.is_ascii_alphanumeric() || c == '_'))).parse(text)
}

fn body(line: &str) -> &str {
    prefix(line).map_or(line, |prefix| &line[prefix.len()..]).trim()
}

/// One value of a line.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Field<'a> {
    text: &'a str,
    quoted: bool,
}

impl Field<'_> {
    fn number<T: std::str::FromStr>(&self) -> Option<T> {
        self.text.parse().ok()
    }

    fn hex(&self) -> Option<u64> {
        u64::from_str_radix(self.text, 16).ok()
    }
}

/// The comma-separated values after the prefix; blanks around them and quotes dropped, an unbalanced quote borne.
fn fields(line: &str) -> Vec<Field<'_>> {
    let quoted = terminated(delimited(char('"'), take_till(|c| c == '"'), char('"')), space0);
    let quoted = terminated(quoted, nom::combinator::peek(alt((recognize(char(',')), nom::combinator::eof))))
        .map(|text| Field { text, quoted: true });
    let bare = take_till(|c| c == ',').map(|text: &str| Field { text: text.trim().trim_matches('"'), quoted: false });
    let list = separated_list0(char(','), preceded(space0, alt((quoted, bare))));
    let parsed: IResult<&str, Vec<Field<'_>>> = all_consuming(list).parse(body(line));
    parsed.map(|(_, fields)| fields).unwrap_or_default()
}

/// The first value, unquoted: `GSM` of `+CSCS: "GSM"`, `0` of `+CMGF: 0`, or a bare line as it stands.
pub fn first_value(line: &str) -> &str {
    fields(line).first().map_or("", |field| field.text)
}

/// The first value as a number: of `+CFUN: 1`, `+CMGF: 0`, `+CSMS: 0,1,1,1`.
pub fn first_number(line: &str) -> Option<u16> {
    first_value(line).parse().ok()
}

/// The value number `field` of a line, from 0, as a number: 3 of `+SPIC: 3,10,3,10`.
pub fn number_at(line: &str, field: usize) -> Option<u16> {
    fields(line).get(field)?.number()
}

/// A network registration as `+CREG:`, `+CGREG:` or `+CEREG:` tells it (27.007 §7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registration {
    /// `<n>`: which news are switched on. Only an answer has it.
    pub mode: Option<u8>,
    /// `<stat>`.
    pub status: u8,
    /// Location or tracking area code.
    pub area: Option<u32>,
    /// Cell id.
    pub cell: Option<u32>,
    /// `<AcT>`: 0 GSM, 2 UTRAN, 7 E-UTRAN …
    pub technology: Option<u8>,
}

/// Reads a registration line. An answer has one more leading field than news, and the count of fields tells them
/// apart; where both could have that many, the second field does: a state is a small number without quotes.
pub fn registration(line: &str) -> Option<Registration> {
    let fields = fields(line);
    let state = |f: &Field<'_>| (!f.quoted).then(|| f.number::<u8>()).flatten().filter(|n| *n <= 15);
    let small =
        |f: &Field<'_>| state(f).is_some() && (f.text.len() <= 2 || f.text == format!("{:03}", state(f).unwrap_or(0)));
    let answer = match fields.len() {
        0 | 1 | 3 => false,
        2 => true,
        _ => small(&fields[1]),
    };
    let mode = if answer { Some(fields[0].number()?) } else { None };
    let rest = &fields[usize::from(answer)..];
    let code = |i: usize| rest.get(i).and_then(Field::hex).and_then(|n| u32::try_from(n).ok());
    Some(Registration {
        mode,
        status: rest.first().and_then(state)?,
        area: code(1),
        cell: code(2),
        technology: rest.get(3).and_then(Field::number),
    })
}

/// Signal strength (27.007 §8.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signal {
    /// 0 to 31, in steps of 2 dB from -113 dBm; `None` if not known (99).
    pub rssi: Option<u8>,
    /// Channel bit error rate, 0 to 7; `None` if not known (99).
    pub ber: Option<u8>,
}

/// Reads `+CSQ: 17,99`.
pub fn signal(line: &str) -> Option<Signal> {
    let fields = fields(line);
    let known = |i: usize| fields.get(i).and_then(Field::number::<u8>);
    Some(Signal { rssi: Some(known(0)?).filter(|n| *n <= 31), ber: known(1).filter(|n| *n <= 7) })
}

/// The operator as `+COPS?` tells it (27.007 §7.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// 0 automatic, 1 manual, 2 deregistered …
    pub mode: u8,
    /// Its name or its numeric code; `None` while there is none.
    pub name: Option<String>,
    /// `<AcT>`.
    pub technology: Option<u8>,
}

/// Reads `+COPS: 0,0,"Operator",7`.
pub fn operator(line: &str) -> Option<Operator> {
    let fields = fields(line);
    let name = fields.get(2).map(|f| f.text.to_owned()).filter(|name| !name.is_empty());
    Some(Operator { mode: fields.first()?.number()?, name, technology: fields.get(3).and_then(Field::number) })
}

/// Groups of values, as `=?` lists them: `("ME","SM"),("ME")`, with or without parentheses, blanks and all quotes.
fn groups(line: &str) -> Vec<Vec<&str>> {
    let value = |c: char| c == ',' || c == ')';
    let inner = separated_list0(char(','), take_till(value));
    let group = delimited((space0, char('(')), inner, (opt(char(')')), space0));
    let lone = take_till(|c| c == ',').map(|text| vec![text]);
    let parsed: IResult<&str, Vec<Vec<&str>>> = separated_list0(char(','), alt((group, lone))).parse(body(line));
    let (_, mut groups) = parsed.unwrap_or_default();
    for group in &mut groups {
        group.iter_mut().for_each(|text| *text = text.trim_matches([' ', '"']));
        group.retain(|text| !text.is_empty());
    }
    groups
}

/// The storages that can be used for reading, for writing, and for what comes in: `+CPMS=?` (27.005 §3.2.2).
pub fn storages_supported(line: &str) -> [Vec<String>; 3] {
    let mut groups = groups(line).into_iter().map(|group| group.into_iter().map(str::to_owned).collect());
    std::array::from_fn(|_| groups.next().unwrap_or_default())
}

/// How full one storage is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageUse {
    /// Its name, if the line tells it (`+CPMS?` does, `+CPMS=` does not).
    pub memory: Option<String>,
    /// Messages in it.
    pub used: u16,
    /// Messages it can hold.
    pub total: u16,
}

/// Reads `+CPMS: 7,20,7,20,7,20` and `+CPMS: "SM",7,20,…`.
pub fn storage_use(line: &str) -> Vec<StorageUse> {
    let fields = fields(line);
    let mut found = Vec::new();
    let mut rest = &fields[..];
    while let [first, ..] = rest {
        let memory = (first.number::<u16>().is_none()).then(|| first.text.to_owned());
        let at = usize::from(memory.is_some());
        let pair = (rest.get(at).and_then(Field::number), rest.get(at + 1).and_then(Field::number));
        let (Some(used), Some(total)) = pair else { break };
        found.push(StorageUse { memory, used, total });
        rest = &rest[at + 2..];
    }
    found
}

/// The values that `AT+CNMI` takes for mode, mt, bm, ds and bfr: reads `+CNMI: (0-2),(0-3),(0,2),(0-2),(0,1)`.
pub fn indications_supported(line: &str) -> Option<[Vec<u8>; 5]> {
    let groups = groups(line);
    let values = |group: &Vec<&str>| group.iter().filter_map(|text| range(text)).flatten().collect::<Vec<u8>>();
    let mut found = groups.iter().map(values);
    let sets = std::array::from_fn(|_| found.next().unwrap_or_default());
    (!sets[0].is_empty()).then_some(sets)
}

fn range(text: &str) -> Option<std::ops::RangeInclusive<u8>> {
    let parser = (number_u8, opt(preceded((space0, char('-'), space0), number_u8)));
    let parsed: IResult<&str, (u8, Option<u8>)> = all_consuming(parser).parse(text.trim());
    parsed.ok().map(|(_, (from, to))| from..=to.unwrap_or(from))
}

/// Reads `+CNMI: 2,1,0,1,0`.
pub fn indications(line: &str) -> Option<[u8; 5]> {
    let fields = fields(line);
    let value = |i: usize| fields.get(i).and_then(Field::number);
    Some([value(0)?, value(1)?, value(2)?, value(3)?, value(4).unwrap_or(0)])
}

/// TP-MR from `+CMGS: 78`, whatever follows it (a time, an acknowledgement PDU).
pub fn message_reference(line: &str) -> Option<u8> {
    (prefix(line)? == "+CMGS:").then(|| fields(line).first()?.number()).flatten()
}

/// Where a message lies: `+CMTI:` and `+CDSI:` say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAt {
    /// `SM`, `ME`, `SR` …
    pub memory: String,
    /// Its index; some modems begin at 0.
    pub index: u16,
}

/// Reads `+CMTI: "SM",4`.
pub fn stored_at(line: &str) -> Option<StoredAt> {
    let fields = fields(line);
    Some(StoredAt { memory: fields.first()?.text.to_owned(), index: fields.get(1)?.number()? })
}

/// What follows a `+CMT:`, `+CDS:`, `+CMGR:` or `+CMGL:` line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follows {
    /// A PDU of so many TPDU octets; the service centre's field comes on top. 0: what is announced can be no length, so
    /// that no PDU fits it.
    Pdu(usize),
    /// A text: the modem has left PDU mode.
    Text,
    /// Nothing: a status report in text mode is one line.
    Nothing,
}

/// Reads the header of a two-line message: `+CMT: ,28`, `+CDS: 25`, `+CDS: ,25`, `+CMGR: 0,"",50`, `+CMGL: 17,3,35`.
pub fn follows(line: &str) -> Option<Follows> {
    let fields = fields(line);
    let length = |f: Option<&Field<'_>>| f.and_then(Field::number).filter(|n| (1..=MAX_TPDU).contains(n));
    // `<stat>` is a number in PDU mode, and a string in text mode (27.005 §3.1).
    let by_number = |at: usize| fields.get(at).is_some_and(|f| !f.quoted && f.number::<u8>().is_some());
    let pdu = match prefix(line)? {
        "+CMT:" | "+CDS:" if fields.len() <= 2 => {
            let last = fields.iter().rev().find(|f| !f.text.is_empty());
            last.filter(|f| !f.quoted && f.number::<u32>().is_some()).map(|f| length(Some(f)).unwrap_or(0))
        }
        "+CMGR:" if by_number(0) => Some(length(fields.get(1..).and_then(<[_]>::last)).unwrap_or(0)),
        "+CMGL:" if by_number(1) => Some(length(fields.get(2..).and_then(<[_]>::last)).unwrap_or(0)),
        "+CDS:" => return Some(Follows::Nothing),
        "+CMT:" | "+CMGR:" | "+CMGL:" => None,
        _ => return None,
    };
    Some(pdu.map_or(Follows::Text, Follows::Pdu))
}

/// A PDU in hexadecimal, service centre field first. Opaque here; `Debug` shows its length only.
#[derive(Clone, PartialEq, Eq)]
pub struct PduHex(String);

impl PduHex {
    /// Takes `hex` if it is the PDU that `octets` announces: that many, without the service centre's field, which
    /// tells its own length in its first octet (27.005 §3.1, `<length>`).
    pub fn new(hex: &str, octets: usize) -> Option<Self> {
        let digits = hex.len() <= 2 * (MAX_TPDU + 13) && hex.bytes().all(|b| b.is_ascii_hexdigit());
        let centre = usize::from_str_radix(hex.get(..2)?, 16).ok()?;
        (digits && hex.len() == 2 * (1 + centre + octets)).then(|| Self(hex.to_owned()))
    }

    /// The hex digits. Not for logs.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PduHex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[PDU of {} octets]", self.0.len() / 2)
    }
}

/// One message of an answer to `AT+CMGR` or `AT+CMGL`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredMessage {
    /// Its index, if the line tells it (`+CMGL:` does).
    pub index: Option<u16>,
    /// 0 received unread, 1 received read, 2 stored unsent, 3 stored sent.
    pub status: u8,
    /// The message; `None` if it was cut, is no hexadecimal, or does not have the announced length.
    pub pdu: Option<PduHex>,
    /// Without a PDU: what stood in its place, as it came. `None` if nothing did.
    pub raw: Option<Secret>,
}

/// Reads the messages of a reply; what stands behind a header and is no PDU is given as it is.
pub fn stored_messages(lines: &[Line]) -> Vec<StoredMessage> {
    let header = |(i, line): (usize, &Line)| {
        let line = line.as_str();
        let Follows::Pdu(octets) = follows(line)? else { return None };
        let fields = fields(line);
        let listed = prefix(line)? == "+CMGL:";
        let index = if listed { Some(fields.first()?.number()?) } else { None };
        let status = fields.get(usize::from(listed))?.number()?;
        let is_header = |line: &&Line| matches!(follows(line.as_str()), Some(Follows::Pdu(_) | Follows::Text));
        let behind: Vec<&str> = lines[i + 1..].iter().take_while(|line| !is_header(line)).map(Line::as_str).collect();
        let pdu = behind.iter().find_map(|hex| PduHex::new(hex, octets));
        let raw = behind.first().filter(|_| pdu.is_none()).map(|raw| Secret::new(*raw));
        // Some modems say so of a place in which nothing lies.
        let is_empty = octets == 0 && behind.is_empty();
        (!is_empty).then_some(StoredMessage { index, status, pdu, raw })
    };
    lines.iter().enumerate().filter_map(header).collect()
}

/// The service centre's address. `Debug` shows no digit.
#[derive(Clone, PartialEq, Eq)]
pub struct ServiceCentre {
    /// The number, with `+` where it is international.
    pub number: String,
    /// Type of address octet: 145 international, 129 unknown.
    pub toa: u8,
}

impl fmt::Debug for ServiceCentre {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} characters, type {}]", self.number.len(), self.toa)
    }
}

/// Reads `+CSCA: "+32475000000",145`. `None` if the address is empty.
pub fn service_centre(line: &str) -> Option<ServiceCentre> {
    let fields = fields(line);
    let number = fields.first()?.text.to_owned();
    let guess = if number.starts_with('+') { 145 } else { 129 };
    let toa = fields.get(1).and_then(Field::number).unwrap_or(guess);
    number.bytes().any(|b| b.is_ascii_digit()).then_some(ServiceCentre { number, toa })
}

/// A SIM card's answer, as `+CRSM:` hands it on (27.007 §8.18). `Debug` shows its length only: it may hold numbers.
#[derive(Clone, PartialEq, Eq)]
pub struct SimAnswer {
    /// First status octet; 0x90 and its kin are well.
    pub sw1: u8,
    /// Second status octet.
    pub sw2: u8,
    /// What it gave.
    pub data: Vec<u8>,
}

impl SimAnswer {
    /// Whether the SIM card did as asked (ETSI TS 102 221 §10.2.1.1; 51.011 §9.4.1 for 0x9F).
    pub fn is_well(&self) -> bool {
        matches!(self.sw1, 0x90 | 0x91 | 0x9F)
    }
}

impl fmt::Debug for SimAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{:02X}{:02X}, {} octets]", self.sw1, self.sw2, self.data.len())
    }
}

/// Reads `+CRSM: 144,0,"FF…"`, quoted or not. Octets that are no hexadecimal are none.
pub fn sim_answer(line: &str) -> Option<SimAnswer> {
    let fields = fields(line);
    let hex = fields.get(2).map_or("", |field| field.text);
    let digits = hex.len().is_multiple_of(2) && hex.bytes().all(|b| b.is_ascii_hexdigit());
    let octet = |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let data = if digits { hex.as_bytes().chunks(2).filter_map(octet).collect() } else { Vec::new() };
    Some(SimAnswer { sw1: fields.first()?.number()?, sw2: fields.get(1)?.number()?, data })
}

/// What the SIM card wants, as `+CPIN:` says it (27.007 §8.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinState {
    /// `READY`.
    Ready,
    /// `SIM PIN`.
    Pin,
    /// `SIM PUK`.
    Puk,
    /// `SIM PIN2` or `SIM PUK2`: messages can be sent.
    Second,
    /// `NOT READY`, or no card.
    NotReady,
    /// A lock of the device to a card: `PH-SIM PIN` …
    Locked,
    /// A lock of the device to a network or its kin: `PH-NET PIN`, `PH-SP PIN`, `PH-CORP PIN` …
    NetworkLocked,
}

/// Reads `+CPIN: READY`.
pub fn pin_state(line: &str) -> Option<PinState> {
    Some(match first_value(line).to_ascii_uppercase().as_str() {
        "READY" => PinState::Ready,
        "SIM PIN" => PinState::Pin,
        "SIM PUK" => PinState::Puk,
        "SIM PIN2" | "SIM PUK2" => PinState::Second,
        "NOT READY" | "NOT INSERTED" | "SIM REMOVED" | "SIM FAILURE" => PinState::NotReady,
        lock if ["PH-NET", "PH_NET", "PH-SP", "PH_SP", "PH-CORP"].iter().any(|p| lock.starts_with(p)) => {
            PinState::NetworkLocked
        }
        lock if lock.starts_with("PH-") || lock.starts_with("PH_") => PinState::Locked,
        _ => return None,
    })
}

/// What the network says to a service code: `+CUSD:` (27.007 §7.15). `Debug` shows no text.
#[derive(Clone, PartialEq, Eq)]
pub struct ServiceAnswer {
    /// 0 no more is wanted, 1 the network waits for an answer, 2 it ended the dialogue, 3 to 5 it failed.
    pub state: u8,
    /// The string as it stands there, in whatever alphabet.
    pub text: Option<String>,
    /// Its data coding scheme.
    pub dcs: Option<u8>,
    /// It has a quote that nothing ends: it goes on in the next line.
    pub goes_on: bool,
}

impl fmt::Debug for ServiceAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServiceAnswer({}, {} characters)", self.state, self.text.as_ref().map_or(0, String::len))
    }
}

/// Reads `+CUSD: 0,"…",15`, with or without the quotes, the number behind them and the text.
pub fn service_answer(line: &str) -> Option<ServiceAnswer> {
    let body = body(line);
    let (state, rest) = body.split_once(',').unwrap_or((body, ""));
    let state = state.trim().parse().ok()?;
    let rest = rest.trim();
    let (text, dcs, goes_on) = match rest.strip_prefix('"') {
        // The text may have quotes and commas in it, so the last quote ends it.
        Some(quoted) => match quoted.rsplit_once('"') {
            Some((text, behind)) => (text, behind.trim_start_matches([',', ' ']).parse().ok(), false),
            None => (quoted, None, true),
        },
        None => match rest.rsplit_once(',').map(|(text, behind)| (text, behind.trim().parse::<u8>())) {
            Some((text, Ok(dcs))) => (text, Some(dcs), false),
            _ => (rest, None, false),
        },
    };
    let text = (!text.is_empty()).then(|| text.trim().to_owned());
    Some(ServiceAnswer { state, text, dcs, goes_on })
}

/// How many tries are left for the PIN: of `+CPINR: SIM PIN,3,3`, `+QPINC: "SC",3,10`, `^CPIN: SIM PIN,3,10,3,10,3`, or a
/// list of which the PIN's is the first. A line about another code tells nothing.
pub fn pin_tries(line: &str) -> Option<u8> {
    let fields = fields(line);
    let first = fields.first()?;
    match first.number() {
        Some(tries) => Some(tries),
        None if matches!(first.text.to_ascii_uppercase().as_str(), "SIM PIN" | "SC" | "P1") => fields.get(1)?.number(),
        None => None,
    }
}

/// An equipment identity: 14 digits and a check digit (23.003 §6.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imei {
    /// All 15 digits, the last computed if the modem gave another or none.
    pub digits: String,
    /// Whether it can be an identity: the check digit given was right, and it is not all zeros.
    pub valid: bool,
}

/// Reads an IMEI or an IMEISV: a bare line of 14 to 17 digits, quoted or not, with or without a prefix.
pub fn imei(line: &str) -> Option<Imei> {
    let given = first_value(line);
    if !(14..=17).contains(&given.len()) || !given.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let digits = format!("{}{}", &given[..14], check_digit(&given[..14]));
    let valid = (given.len() != 15 || given == digits) && given.bytes().any(|b| b != b'0');
    Some(Imei { digits, valid })
}

/// Luhn's check digit for the digits before it.
fn check_digit(digits: &str) -> u32 {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(i, b)| {
            let n = u32::from(b - b'0') * if i % 2 == 0 { 2 } else { 1 };
            n / 10 + n % 10
        })
        .sum();
    (10 - sum % 10) % 10
}

/// Reads an ICCID: nibbles unswapped if it begins with 98, the padding F dropped. `None` unless 18 to 20 digits remain.
pub fn iccid(line: &str) -> Option<String> {
    let given = first_value(line).to_ascii_uppercase();
    if !given.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let straight = if given.starts_with("98") {
        given.as_bytes().chunks(2).flat_map(|pair| pair.iter().rev()).map(|b| char::from(*b)).collect()
    } else {
        given
    };
    let number = straight.trim_end_matches('F');
    (18..=20).contains(&number.len()).then(|| number.to_owned())
}

/// Reads an IMSI: 6 to 15 digits.
pub fn imsi(line: &str) -> Option<String> {
    let given = first_value(line);
    let digits = (6..=15).contains(&given.len()) && given.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| given.to_owned())
}

/// Longest TPDU: an SMS-SUBMIT or SMS-DELIVER with 140 octets of user data has at most 175 octets.
const MAX_TPDU: usize = 180;

#[cfg(test)]
mod tests {
    use super::*;

    fn reg(
        mode: Option<u8>,
        status: u8,
        area: Option<u32>,
        cell: Option<u32>,
        technology: Option<u8>,
    ) -> Option<Registration> {
        Some(Registration { mode, status, area, cell, technology })
    }

    #[test]
    fn registrations() {
        let rows = [
            ("+CREG: 1", reg(None, 1, None, None, None)),
            ("+CREG: 0,1", reg(Some(0), 1, None, None, None)),
            ("+CREG: 2,1,\"00A1\",\"0123ABCD\",7", reg(Some(2), 1, Some(0xA1), Some(0x0123_ABCD), Some(7))),
            ("+CREG: 2,1, FFFE, 323301, 7", reg(Some(2), 1, Some(0xFFFE), Some(0x32_3301), Some(7))),
            ("+CREG: 2,0,00,0", reg(Some(2), 0, Some(0), Some(0), None)),
            ("+CREG: 2,1,8BE3,2BAF", reg(Some(2), 1, Some(0x8BE3), Some(0x2BAF), None)),
            ("+CREG: 1,8BE3,2BAF", reg(None, 1, Some(0x8BE3), Some(0x2BAF), None)),
            ("+CREG: 1,\"8BE3\",\"2BAF\",2", reg(None, 1, Some(0x8BE3), Some(0x2BAF), Some(2))),
            ("+CREG:002,001,\"18d8\",\"ffff\"", reg(Some(2), 1, Some(0x18D8), Some(0xFFFF), None)),
            ("+CREG: 2,,", reg(None, 2, None, None, None)),
            ("+CEREG: 5,\"1A2B\",\"01A2B3C4\",7", reg(None, 5, Some(0x1A2B), Some(0x01A2_B3C4), Some(7))),
            ("+CREG: ", None),
            ("+CREG: x", None),
        ];
        for (line, expected) in rows {
            assert_eq!(registration(line), expected, "{line}");
        }
    }

    #[test]
    fn storages() {
        let list = |line: &str| storages_supported(line).map(|group| group.join(" "));
        let rows = [
            ("+CPMS: (\"ME\",\"MT\"),(\"ME\",\"SM\",\"MT\"),(\"SM\",\"MT\")", ["ME MT", "ME SM MT", "SM MT"]),
            ("+CPMS: (ME\", \"SR\"), (\"ME\", \"SR\"), (\"ME\")", ["ME SR", "ME SR", "ME"]),
            ("+CPMS: \"ME\",\"MT\",\"SM\"", ["ME", "MT", "SM"]),
            ("+CPMS: (),(),()", ["", "", ""]),
            ("+CPMS: (\"SM\" ,\"BM\"), (\"SM\")", ["SM BM", "SM", ""]),
            ("+CPMS: (\"SM\",\"ME", ["SM ME", "", ""]),
        ];
        for (line, expected) in rows {
            assert_eq!(list(line), expected, "{line}");
        }
        let used = |used, total| StorageUse { memory: None, used, total };
        assert_eq!(storage_use("+CPMS: 7,20,7,20,0,99"), [used(7, 20), used(7, 20), used(0, 99)]);
        assert_eq!(storage_use("+CPMS: 7,20,7"), [used(7, 20)]);
        let named = StorageUse { memory: Some("SM".into()), used: 1, total: 30 };
        assert_eq!(storage_use("+CPMS: \"SM\",1,30,\"SM\",1,30"), [named.clone(), named]);
        assert_eq!(storage_use("+CPMS:"), []);
    }

    #[test]
    fn indications_and_their_ranges() {
        let sets = indications_supported("+CNMI: (0-2),(0-3),(0,2),(0-2),(0,1)").unwrap();
        assert_eq!(sets, [vec![0, 1, 2], vec![0, 1, 2, 3], vec![0, 2], vec![0, 1, 2], vec![0, 1]]);
        let odd = indications_supported("+CNMI: (1, 2),( 0 - 1 ),0,(2)").unwrap();
        assert_eq!(odd, [vec![1, 2], vec![0, 1], vec![0], vec![2], vec![]]);
        assert_eq!(indications_supported("+CNMI: "), None);
        assert_eq!(indications("+CNMI: 2,1,0,1,0"), Some([2, 1, 0, 1, 0]));
        assert_eq!(indications("+CNMI: 2,1,0,1"), Some([2, 1, 0, 1, 0]));
        assert_eq!(indications("+CNMI: 2"), None);
    }

    #[test]
    fn message_references() {
        let rows = [
            ("+CMGS: 78", Some(78)),
            ("+CMGS:0", Some(0)),
            ("+CMGS: 78,\"24/01/01,00:00:00+00\"", Some(78)),
            ("+CMGS: 78,00010102", Some(78)),
            ("+CMGS: 256", None),
            ("+CMGS: -1", None),
            ("+CMGS:", None),
            ("+CMGW: 8", None),
        ];
        for (line, expected) in rows {
            assert_eq!(message_reference(line), expected, "{line}");
        }
    }

    #[test]
    fn what_follows_a_header() {
        use Follows::*;
        let rows = [
            ("+CMT: ,28", Some(Pdu(28))),
            ("+CMT: \"Bob\",28", Some(Pdu(28))),
            ("+CMT: 28", Some(Pdu(28))),
            ("+CMT: 28,", Some(Pdu(28))),
            ("+CDS: 25", Some(Pdu(25))),
            ("+CDS: ,25", Some(Pdu(25))),
            ("+CMT: \"+8615\",,\"13/03/18,17:07:21+32\",145", Some(Text)),
            ("+CDS: 2,10,\"+358501234567\",145,\"95/07/04,13:12:14+04\"", Some(Nothing)),
            ("+CMGR: 0,,29", Some(Pdu(29))),
            ("+CMGR: 0,\"\",50", Some(Pdu(50))),
            ("+CMGR: 3,29", Some(Pdu(29))),
            ("+CMGR: 0,,9999", Some(Pdu(0))),
            ("+CMGR: 0,,2x", Some(Pdu(0))),
            ("+CMGR: 0,,0", Some(Pdu(0))),
            ("+CMGR: 1", Some(Pdu(0))),
            ("+CMGL: 7,1,,", Some(Pdu(0))),
            ("+CMGR: \"REC READ\",\"+8529\",,\"07/02/18,00:05:10+32\"", Some(Text)),
            ("+CMGL: 17,3,35", Some(Pdu(35))),
            ("+CMGL: 0,1,\"a,b\",35", Some(Pdu(35))),
            ("+CMGL: 1,\"REC READ\",\"+85\",,\"07/02/18,00:05:10+32\"", Some(Text)),
            ("+CMTI: \"SM\",3", None),
            ("+CMT: ,9999", Some(Pdu(0))),
        ];
        for (line, expected) in rows {
            assert_eq!(follows(line), expected, "{line}");
        }
    }

    #[test]
    fn a_pdu_has_the_announced_length() {
        assert!(PduHex::new("0011223344", 4).is_some());
        assert!(PduHex::new("02AABB3344", 2).is_some());
        for (hex, octets) in [("0011223344", 3), ("00112233445", 4), ("001122334G", 4), ("", 0), ("é0", 1)] {
            assert_eq!(PduHex::new(hex, octets), None, "{hex}");
        }
    }

    #[test]
    fn r8_what_stands_behind_a_header_and_is_no_pdu_is_given_as_it_is() {
        let lines = [
            "+CMGL: 0,1,,2",
            "001122",
            "+CMGL: 3,0,2",
            "+CMGL: 4,0,\"\",2",
            "0011",
            "+CMGL: 5,0,,2",
            "001G22",
            "+CMGL: 6,0,,900",
            "001122",
            "+CMGL: 7,0,,2",
            "no hexadecimal",
            "003344",
            "+CMGL: 8,0,,0",
        ];
        let lines: Vec<_> = lines.iter().map(|l| Line::new(l.as_bytes())).collect();
        let found: Vec<_> = stored_messages(&lines)
            .into_iter()
            .map(|m| (m.index.unwrap(), m.status, m.pdu.is_some(), m.raw.map(|raw| raw.reveal().to_owned())))
            .collect();
        let raw = |text: &str| Some(text.to_owned());
        assert_eq!(
            found,
            [
                (0, 1, true, None),
                (3, 0, false, None),
                (4, 0, false, raw("0011")),
                (5, 0, false, raw("001G22")),
                (6, 0, false, raw("001122")),
                (7, 0, true, None),
            ]
        );
    }

    #[test]
    fn identities() {
        let valid = |digits: &str| Some(Imei { digits: digits.into(), valid: true });
        assert_eq!(imei("490154203237518"), valid("490154203237518"));
        assert_eq!(imei("+CGSN: \"490154203237518\""), valid("490154203237518"));
        assert_eq!(imei("4901542032375101"), valid("490154203237518"), "IMEISV");
        assert_eq!(imei("490154203237510").map(|i| i.valid), Some(false), "wrong check digit");
        assert_eq!(imei("000000000000000").map(|i| i.valid), Some(false));
        assert_eq!(imei("4901542032375"), None);

        assert_eq!(iccid("+CCID: \"8914800000000000001F\"").as_deref(), Some("8914800000000000001"));
        assert_eq!(iccid("98418000000000000010").as_deref(), Some("89140800000000000001"));
        assert_eq!(iccid("^ICCID: 984180000000000000F1").as_deref(), Some("8914080000000000001"));
        assert_eq!(iccid("ERROR"), None);
        assert_eq!(imsi("310150123456789").as_deref(), Some("310150123456789"));
        assert_eq!(imsi("+CIMI: 3101x"), None);
    }

    #[test]
    fn l10_tries_left_in_every_shape() {
        let rows = [
            ("+CPINR: SIM PIN,3,3", Some(3)),
            ("+CPINR: SIM PUK,10,10", None),
            ("+CPINR: SIM PIN2,3,3", None),
            ("+QPINC: \"SC\",2,10", Some(2)),
            ("+QPINC: \"P2\",3,10", None),
            ("^CPIN: SIM PIN,3,10,3,10,3", Some(3)),
            ("^CPIN: SIM PUK,9,9,0,10,3", None),
            ("+SPIC: 1,3,10,10", Some(1)),
            ("^SPIC: 3", Some(3)),
            ("#PCT: 2", Some(2)),
            ("+UPINCNT: 3,3,10,10", Some(3)),
            ("+CPINC: 0,3,10,10", Some(0)),
            ("+CPINR: SIM PIN", None),
            ("+CPINR: SIM PIN,x", None),
            ("+SPIC:", None),
        ];
        for (line, expected) in rows {
            assert_eq!(pin_tries(line), expected, "{line}");
        }
    }

    #[test]
    fn l13_answers_to_service_codes() {
        let rows = [
            ("+CUSD: 0,\"Balance 1.00, ok\",15", (0, Some("Balance 1.00, ok"), Some(15), false)),
            ("+CUSD: 2,\"00410042\",72", (2, Some("00410042"), Some(72), false)),
            ("+CUSD: 0, 49B41C", (0, Some("49B41C"), None, false)),
            ("+CUSD: 0,49B41C,15", (0, Some("49B41C"), Some(15), false)),
            ("+CUSD: 1,\"say \"yes\" or no\"", (1, Some("say \"yes\" or no"), None, false)),
            ("+CUSD: 0,\"first line", (0, Some("first line"), None, true)),
            ("+CUSD: 4", (4, None, None, false)),
            ("+CUSD: 2,\"\",15", (2, None, Some(15), false)),
        ];
        for (line, (state, text, dcs, goes_on)) in rows {
            let expected = ServiceAnswer { state, text: text.map(str::to_owned), dcs, goes_on };
            assert_eq!(service_answer(line), Some(expected), "{line}");
        }
        assert_eq!(service_answer("+CUSD: x"), None);
        assert_eq!(service_answer("+CUSD:"), None);
    }

    #[test]
    fn small_answers() {
        assert_eq!(signal("+CSQ: 17,99"), Some(Signal { rssi: Some(17), ber: None }));
        assert_eq!(signal("+CSQ: 99,99"), Some(Signal { rssi: None, ber: None }));
        assert_eq!(signal("+CSQ: "), None);
        let named = Operator { mode: 0, name: Some("Op, Inc".into()), technology: Some(7) };
        assert_eq!(operator("+COPS: 0,0,\"Op, Inc\",7"), Some(named));
        assert_eq!(operator("+COPS: 2"), Some(Operator { mode: 2, name: None, technology: None }));
        assert_eq!(first_value("+CSCS: \"GSM\""), "GSM");
        assert_eq!(first_number("+CMGF: 0"), Some(0));
        assert_eq!(stored_at("+CDSI: \"SR\",1"), Some(StoredAt { memory: "SR".into(), index: 1 }));
        assert_eq!(pin_state("+CPIN: READY"), Some(PinState::Ready));
        assert_eq!(pin_state("+CPIN:SIM PIN"), Some(PinState::Pin));
        assert_eq!(pin_state("+CPIN: PH-SIM PIN"), Some(PinState::Locked));
        assert_eq!(pin_state("+CPIN: PH-NET PIN"), Some(PinState::NetworkLocked));
        let centre = service_centre("+CSCA: \"+14155550100\",145").unwrap();
        assert_eq!((centre.number.as_str(), centre.toa), ("+14155550100", 145));
        assert_eq!(format!("{centre:?}"), "[12 characters, type 145]");
        assert_eq!(service_centre("+CSCA: \"\",129"), None);
        assert_eq!(number_at("+QPINC: \"SC\",3,10", 1), Some(3));
        assert_eq!(number_at("^CPIN: SIM PIN,3,10,3,10,3", 3), Some(3));
        assert_eq!(number_at("+SPIC:", 0), None);
        let answer = sim_answer("+CRSM: 144,0,\"01FF\"").unwrap();
        assert_eq!((answer.is_well(), answer.data.as_slice()), (true, &[0x01, 0xFF][..]));
        assert_eq!(format!("{answer:?}"), "[9000, 2 octets]");
        assert_eq!(sim_answer("+CRSM: 108,40").map(|a| (a.is_well(), a.sw2, a.data.len())), Some((false, 40, 0)));
        assert_eq!(sim_answer("+CRSM: 144,0,ABC").map(|a| a.data.len()), Some(0), "half an octet is none");
        assert_eq!(sim_answer("+CRSM: x"), None);
    }
}
