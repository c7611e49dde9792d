//! Typed commands: the text, what an answer to it looks like, and how long it may take.

use super::response;
use std::fmt;
use std::time::Duration;

/// One AT command. `Debug` shows its name only: parameters may hold a PIN or a number.
#[derive(Clone, PartialEq, Eq)]
pub struct Command {
    text: String,
    prefixes: Vec<String>,
    bare: Bare,
    /// How long it may run from its last byte. Absolute: no line extends it.
    pub deadline: Duration,
    /// Whether asking twice does no more than asking once.
    pub repeatable: bool,
    /// If the answer's line came and `OK` does not follow: after how long it counts as done all the same.
    pub grace: Option<Duration>,
}

/// The shape of an answer line that bears no prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bare {
    /// Every answer bears the prefix.
    None,
    /// So many decimal digits, perhaps quoted.
    Digits(usize, usize),
    /// 18 to 22 digits, perhaps with a padding F, perhaps quoted.
    Iccid,
    /// Any text that does not look like a prefixed line.
    Free,
    /// After each prefixed line the PDU whose length that line announces.
    Pdu,
}

/// Why a text can't be a command line: it does not begin with `AT`, is too long, or holds a control character, which
/// would end it early or hand over a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidCommand;

impl fmt::Display for InvalidCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a command begins with AT and is one line of at most 512 printable ASCII characters")
    }
}

impl std::error::Error for InvalidCommand {}

impl Command {
    /// Any other command. Its answers bear the prefix that the text shows (`AT+QCSQ` → `+QCSQ:`), if it shows one; it
    /// is not repeatable.
    pub fn raw(text: &str, deadline: Duration) -> Result<Self, InvalidCommand> {
        let printable = text.bytes().all(|b| (b' '..=b'~').contains(&b));
        let begins = text.get(..2).is_some_and(|at| at.eq_ignore_ascii_case("AT"));
        if !printable || !begins || text.len() > MAX_COMMAND {
            return Err(InvalidCommand);
        }
        let name = |part: &str| response::command_name(part).map(|name| format!("{name}:"));
        let prefixes = text[2..].split(';').filter_map(name).collect();
        Ok(Self { prefixes, deadline, repeatable: false, ..Self::set(text) })
    }

    /// A command that is answered by a final result alone.
    fn set(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { text, prefixes: Vec::new(), bare: Bare::None, deadline: USUAL, repeatable: true, grace: None }
    }

    /// A command that is answered by lines with `prefix`.
    fn query(text: impl Into<String>, prefix: &str) -> Self {
        Self { prefixes: vec![prefix.to_owned()], ..Self::set(text) }
    }

    fn bare(self, bare: Bare) -> Self {
        Self { bare, ..self }
    }

    fn within(self, seconds: u64) -> Self {
        Self { deadline: Duration::from_secs(seconds), ..self }
    }

    fn once(self) -> Self {
        Self { repeatable: false, ..self }
    }

    /// The command line, without its CR. May hold a PIN: not for logs.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What may be shown of it: `AT+CPIN` of `AT+CPIN="1234"`.
    pub fn name(&self) -> &str {
        self.text.split(['=', '?', ';', '"']).next().unwrap_or_default()
    }

    /// The shape of its bare answer lines.
    pub fn bare_shape(&self) -> Bare {
        self.bare
    }

    /// Whether `prefix`, colon included, is one that its answers bear.
    pub fn answers_with(&self, prefix: &str) -> bool {
        self.prefixes.iter().any(|own| own.eq_ignore_ascii_case(prefix))
    }

    /// Whether both are answered by lines with the same prefix, so that one's late answer looks like the other's.
    pub fn resembles(&self, other: &Command) -> bool {
        self.prefixes.iter().any(|own| other.answers_with(own))
    }

    /// Whether it is one that every modem can answer at once: nothing has to be switched, found or read for it.
    pub fn is_usual(&self) -> bool {
        self.deadline <= USUAL
    }

    /// Whether it is a call command, which `NO CARRIER` and its kin may end.
    pub fn is_call(&self) -> bool {
        let text = self.text.to_ascii_uppercase();
        ["ATD", "ATA", "ATO", "ATH", "AT+CHUP"].iter().any(|call| text.starts_with(call))
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Setting the dialect.
impl Command {
    /// `AT`: are you there?
    pub fn attention() -> Self {
        Self::set("AT").within(1)
    }

    /// `ATE0`: no echo.
    pub fn echo_off() -> Self {
        Self::set("ATE0")
    }

    /// `ATV1`: results as words.
    pub fn verbose() -> Self {
        Self::set("ATV1")
    }

    /// `ATQ0`: do answer.
    pub fn results_on() -> Self {
        Self::set("ATQ0")
    }

    /// `AT+CMEE=1`: errors as numbers.
    pub fn numeric_errors() -> Self {
        Self::set("AT+CMEE=1")
    }
}

/// Who are you?
impl Command {
    /// `AT+CGMI`: the manufacturer.
    pub fn manufacturer() -> Self {
        Self::query("AT+CGMI", "+CGMI:").bare(Bare::Free)
    }

    /// `AT+CGMM`: the model.
    pub fn model() -> Self {
        Self::query("AT+CGMM", "+CGMM:").bare(Bare::Free)
    }

    /// `AT+CGMR`: the firmware.
    pub fn revision() -> Self {
        Self::query("AT+CGMR", "+CGMR:").bare(Bare::Free)
    }

    /// `ATI`: all of these, in no fixed form.
    pub fn identification() -> Self {
        Self::query("ATI", "+GCAP:").bare(Bare::Free)
    }

    /// `AT+CGSN`: the IMEI.
    pub fn imei() -> Self {
        Self::query("AT+CGSN", "+CGSN:").bare(Bare::Digits(15, 17))
    }

    /// `AT+CIMI`: the IMSI.
    pub fn imsi() -> Self {
        Self::query("AT+CIMI", "+CIMI:").bare(Bare::Digits(6, 15)).within(10)
    }

    /// The ways to ask for the ICCID, in the order to try them.
    pub fn iccid_variants() -> Vec<Self> {
        let ways = [
            ("AT+CCID", "+CCID:"),
            ("AT+ICCID", "+ICCID:"),
            ("AT^ICCID?", "^ICCID:"),
            ("AT+QCCID", "+QCCID:"),
            ("AT+CICCID", "+ICCID:"),
            ("AT#CCID", "#CCID:"),
            ("AT^SCID", "^SCID:"),
            ("AT+CCID?", "+CCID:"),
        ];
        ways.map(|(text, prefix)| Self::query(text, prefix).bare(Bare::Iccid).within(10)).to_vec()
    }
}

/// Radio, SIM card and network.
impl Command {
    /// `AT+CFUN?`
    pub fn functionality() -> Self {
        Self::query("AT+CFUN?", "+CFUN:").within(10)
    }

    /// `AT+CFUN=1`: radio on. May take a minute.
    pub fn functionality_on() -> Self {
        Self::set("AT+CFUN=1").within(60)
    }

    /// `AT+CFUN=0`: radio and SIM card off.
    pub fn functionality_off() -> Self {
        Self::set("AT+CFUN=0").within(30)
    }

    /// `AT+CPIN?` Some modems never say the `OK` after it.
    pub fn pin_state() -> Self {
        Self { grace: Some(Duration::from_secs(1)), ..Self::query("AT+CPIN?", "+CPIN:").within(10) }
    }

    /// `AT+CPIN="…"`. Never repeatable: each costs a try.
    pub fn enter_pin(pin: &str) -> Result<Self, InvalidCommand> {
        if !(4..=8).contains(&pin.len()) || !pin.bytes().all(|b| b.is_ascii_digit()) {
            return Err(InvalidCommand);
        }
        Ok(Self::set(format!("AT+CPIN=\"{pin}\"")).within(20).once())
    }

    /// `AT+CRSM=192,…`: GET RESPONSE for an elementary file of records, which tells their length (27.007 §8.18).
    pub fn record_length(file: u16) -> Self {
        Self::query(format!("AT+CRSM=192,{file},0,0,15"), "+CRSM:").within(10)
    }

    /// `AT+CRSM=178,…`: READ RECORD, of so many octets.
    pub fn read_record(file: u16, record: u8, length: u8) -> Self {
        Self::query(format!("AT+CRSM=178,{file},{record},4,{length}"), "+CRSM:").within(10)
    }

    /// The ways to ask how many tries are left for the PIN, in the order to try them.
    pub fn pin_counters() -> Vec<Self> {
        let ways = [
            ("AT+CPINR", "+CPINR:"),
            ("AT+QPINC?", "+QPINC:"),
            ("AT^CPIN?", "^CPIN:"),
            ("AT+SPIC", "+SPIC:"),
            ("AT^SPIC", "^SPIC:"),
            ("AT#PCT", "#PCT:"),
            ("AT+UPINCNT", "+UPINCNT:"),
            ("AT+CPINC?", "+CPINC:"),
        ];
        ways.map(|(text, prefix)| Self::query(text, prefix).within(10)).to_vec()
    }

    /// `AT+CREG?`
    pub fn registration() -> Self {
        Self::query("AT+CREG?", "+CREG:")
    }

    /// `AT+CGREG?`
    pub fn packet_registration() -> Self {
        Self::query("AT+CGREG?", "+CGREG:")
    }

    /// `AT+CEREG?`
    pub fn eps_registration() -> Self {
        Self::query("AT+CEREG?", "+CEREG:")
    }

    /// `AT+CREG=n`: news of registration, with the cell if `n` is 2.
    pub fn registration_news(n: u8) -> Self {
        Self::set(format!("AT+CREG={n}"))
    }

    /// `AT+CGREG=n`
    pub fn packet_registration_news(n: u8) -> Self {
        Self::set(format!("AT+CGREG={n}"))
    }

    /// `AT+CEREG=n`
    pub fn eps_registration_news(n: u8) -> Self {
        Self::set(format!("AT+CEREG={n}"))
    }

    /// `AT+CSQ`: signal strength.
    pub fn signal() -> Self {
        Self::query("AT+CSQ", "+CSQ:")
    }

    /// `AT+COPS?`: the operator.
    pub fn operator() -> Self {
        Self::query("AT+COPS?", "+COPS:").within(20)
    }

    /// `AT+COPS=0`: the modem chooses its network by itself. It answers when it has found one, or none.
    pub fn automatic_selection() -> Self {
        Self::set("AT+COPS=0").within(180)
    }

    /// `AT+CUSD=1,"…",15`: a service code, as it stands or in hexadecimal. The network's answer is news that comes later.
    pub fn service_code(code: &str) -> Result<Self, InvalidCommand> {
        let fits = |b: u8| b.is_ascii_hexdigit() || matches!(b, b'*' | b'#');
        if !(1..=200).contains(&code.len()) || !code.bytes().all(fits) {
            return Err(InvalidCommand);
        }
        Ok(Self::set(format!("AT+CUSD=1,\"{code}\",15")).within(30).once())
    }

    /// `AT+CUSD=2`: ends a dialogue of service codes.
    pub fn end_service_code() -> Self {
        Self::set("AT+CUSD=2").within(10)
    }

    /// `AT+CSCS="…"`: a character set by its name (27.007 §5.5).
    pub fn use_character_set(name: &'static str) -> Self {
        Self::set(format!("AT+CSCS=\"{name}\""))
    }

    /// `AT+CSCS?`: the character set.
    pub fn character_set() -> Self {
        Self::query("AT+CSCS?", "+CSCS:")
    }
}

/// Messages.
impl Command {
    /// `AT+CMGF=0`: PDU mode.
    pub fn pdu_mode() -> Self {
        Self::set("AT+CMGF=0")
    }

    /// `AT+CMGF?`
    pub fn message_format() -> Self {
        Self::query("AT+CMGF?", "+CMGF:")
    }

    /// `AT+CSMS=0`: no acknowledgement by us; `AT+CSMS=1`: phase 2+, all that comes directly is acknowledged. Answered
    /// with `+CSMS: <mt>,<mo>,<bm>`.
    pub fn message_service(service: u8) -> Self {
        Self::query(format!("AT+CSMS={service}"), "+CSMS:")
    }

    /// `AT+CSMS?`
    pub fn message_service_state() -> Self {
        Self::query("AT+CSMS?", "+CSMS:")
    }

    /// `AT+CPMS=?`
    pub fn storages_supported() -> Self {
        Self::query("AT+CPMS=?", "+CPMS:").within(10)
    }

    /// `AT+CPMS?`
    pub fn storage_state() -> Self {
        Self::query("AT+CPMS?", "+CPMS:").within(10)
    }

    /// `AT+CPMS="SM","SM","SM"`: one to three storages, of two letters each.
    pub fn use_storages(storages: &[&str]) -> Result<Self, InvalidCommand> {
        let named = |s: &&str| (1..=4).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_alphanumeric());
        if !(1..=3).contains(&storages.len()) || !storages.iter().all(named) {
            return Err(InvalidCommand);
        }
        Ok(Self::query(format!("AT+CPMS=\"{}\"", storages.join("\",\"")), "+CPMS:").within(10))
    }

    /// `AT+CNMI=?`
    pub fn indications_supported() -> Self {
        Self::query("AT+CNMI=?", "+CNMI:")
    }

    /// `AT+CNMI?`
    pub fn indications_state() -> Self {
        Self::query("AT+CNMI?", "+CNMI:")
    }

    /// `AT+CNMI=<mode>,<mt>,<bm>,<ds>,<bfr>`
    pub fn indications([mode, mt, bm, ds, bfr]: [u8; 5]) -> Self {
        Self::set(format!("AT+CNMI={mode},{mt},{bm},{ds},{bfr}"))
    }

    /// `AT+CNMA`: a report or message came safely (only with `AT+CSMS=1`).
    pub fn acknowledge() -> Self {
        Self::set("AT+CNMA").once()
    }

    /// `AT+CNMA=0`: the same, for modems that want the number.
    pub fn acknowledge_numbered() -> Self {
        Self::set("AT+CNMA=0").once()
    }

    /// `AT+CSCA?`: the service centre's address.
    pub fn service_centre() -> Self {
        Self::query("AT+CSCA?", "+CSCA:").within(10)
    }

    /// `AT+CSCA="+…",145`: the service centre's address, international with `+` and unknown without (27.005 §3.3.1).
    pub fn set_service_centre(number: &str) -> Option<Self> {
        let digits = number.strip_prefix('+').unwrap_or(number);
        let fits = (3..=20).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        let toa = if number.starts_with('+') { 145 } else { 129 };
        fits.then(|| Self::set(format!("AT+CSCA=\"{number}\",{toa}")).within(10))
    }

    /// `AT+CGSMS?`: over which service messages go (27.007 §10.1.21).
    pub fn bearer() -> Self {
        Self::query("AT+CGSMS?", "+CGSMS:")
    }

    /// `AT+CGSMS=<service>`: 0 packet, 1 circuit switched, 2 packet preferred, 3 circuit switched preferred.
    pub fn use_bearer(service: u8) -> Self {
        Self::set(format!("AT+CGSMS={service}")).within(10)
    }

    /// `AT+CMGL=<stat>`: list messages of a state (4: all). Some modems hang on it: only at start.
    pub fn list_messages(stat: u8) -> Self {
        Self::query(format!("AT+CMGL={stat}"), "+CMGL:").bare(Bare::Pdu).within(30)
    }

    /// `AT+CMGR=<index>`: read one message.
    pub fn read_message(index: u16) -> Self {
        Self::query(format!("AT+CMGR={index}"), "+CMGR:").bare(Bare::Pdu).within(10)
    }

    /// `AT+CHUP`: hang up, or reject (27.007 §6.5).
    pub fn hang_up() -> Self {
        Self::set("AT+CHUP").once()
    }

    /// `ATH`: the same, for modems that know no `AT+CHUP`.
    pub fn hang_up_all() -> Self {
        Self::set("ATH").once()
    }

    /// `AT+CMGD=<index>`: delete one message. Not repeatable: by then another may lie there.
    pub fn delete_message(index: u16) -> Self {
        Self::set(format!("AT+CMGD={index}")).within(10).once()
    }
}

/// What an ordinary command may take. Sticks answer within 30 ms; this is for one that is busy on the air.
const USUAL: Duration = Duration::from_secs(5);
/// Longest command line sent: modems take at least 400 characters, and ours stay under 100.
const MAX_COMMAND: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_takes_its_prefixes_from_the_text() {
        let rows: &[(&str, &[&str])] = &[
            ("AT", &[]),
            ("ATI", &[]),
            ("AT+QCSQ", &["+QCSQ:"]),
            ("AT^HCSQ?", &["^HCSQ:"]),
            ("at+cscs=?", &["+CSCS:"]),
            ("ATE0;+CPMS=\"ME\";+CSCS?;", &["+CPMS:", "+CSCS:"]),
            ("AT*EMRDY?", &["*EMRDY:"]),
        ];
        for (text, prefixes) in rows {
            let command = Command::raw(text, USUAL).unwrap();
            assert_eq!(command.prefixes.len(), prefixes.len(), "{text}");
            assert!(prefixes.iter().all(|p| command.answers_with(p)), "{text}");
        }
    }

    #[test]
    fn nothing_that_would_end_a_line_or_hand_over_a_message_becomes_a_command() {
        for text in
            ["", "A", "+CSQ", "AT\r", "AT\n", "AT+CMGS=1\x1a", "AT\x1b", "ATé", &format!("AT{}", "x".repeat(600))]
        {
            assert_eq!(Command::raw(text, USUAL), Err(InvalidCommand), "{text:?}");
        }
        for pin in ["", "123", "123456789", "12a4", "1234\r", "12\"4"] {
            assert_eq!(Command::enter_pin(pin), Err(InvalidCommand));
        }
        assert_eq!(Command::use_storages(&["SM\"\r"]), Err(InvalidCommand));
        assert_eq!(Command::use_storages(&[]), Err(InvalidCommand));
    }

    #[test]
    fn a_service_centre_is_a_number() {
        let text = |number| Command::set_service_centre(number).map(|command| command.text().to_owned());
        assert_eq!(text("+15550100").as_deref(), Some("AT+CSCA=\"+15550100\",145"));
        assert_eq!(text("0550100").as_deref(), Some("AT+CSCA=\"0550100\",129"));
        for none in ["", "+", "12", "+1\"\r", "123456789012345678901"] {
            assert_eq!(text(none), None, "{none:?}");
        }
    }

    #[test]
    fn debug_shows_no_parameter() {
        assert_eq!(format!("{:?}", Command::enter_pin("1234").unwrap()), "AT+CPIN");
    }

    #[test]
    fn storages_are_quoted() {
        assert_eq!(Command::use_storages(&["SM", "ME"]).unwrap().text(), "AT+CPMS=\"SM\",\"ME\"");
    }
}
