//! Unsolicited result codes: what a modem says unasked, at any moment, also in the middle of an answer.

use super::line::Line;
use super::response::{self, Follows, PduHex, PinState, Registration, StoredAt};
use crate::domain::secret::Secret;

/// News from the modem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Urc {
    /// `+CMTI:` a message came and lies in a storage.
    MessageStored(StoredAt),
    /// `+CDSI:` a status report came and lies in a storage.
    ReportStored(StoredAt),
    /// `+CMT:` a message, directly.
    Message(PduHex),
    /// `+CDS:` a status report, directly.
    Report(PduHex),
    /// What came in the place of a `+CMT:` or `+CDS:` PDU and is none: cut, or no hexadecimal.
    Garbled {
        /// Whether it was announced as a status report.
        report: bool,
        /// What it is, as it came.
        raw: Secret,
    },
    /// A message or report in text mode: the modem has left PDU mode, as after an unseen reboot. It was not kept.
    TextMode,
    /// `+CREG:`, `+CGREG:` or `+CEREG:` unasked.
    Registration(Domain, Registration),
    /// `+CPIN:` unasked.
    Pin(PinState),
    /// The modem has just booted, and forgot its settings: `RDY`, `+CFUN: 1` unasked …
    Booted,
    /// A part of the modem is ready after its boot: `SMS Ready`, `PB DONE` …
    Ready,
    /// It goes off, or its supply voltage is out of range.
    PowerDown,
    /// The message storage is full: nothing more comes in.
    StorageFull,
    /// An incoming call.
    Ring,
    /// The end of a call, or of an attempt at one.
    CallEnded,
    /// `+CUSD:` an answer to a service code.
    Ussd(Line),
    /// Known as unsolicited, and of no use here: signal, mode, counters.
    Other(Line),
}

/// Whose registration it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Domain {
    /// Circuit switched: `+CREG:`.
    Circuit,
    /// Packet switched: `+CGREG:`.
    Packet,
    /// Evolved packet system: `+CEREG:`.
    Eps,
}

impl Domain {
    fn of(prefix: &str) -> Option<Self> {
        match prefix {
            "+CREG:" => Some(Self::Circuit),
            "+CGREG:" => Some(Self::Packet),
            "+CEREG:" => Some(Self::Eps),
            _ => None,
        }
    }
}

/// A line that is unsolicited, or the first half of two that are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// Complete.
    Whole(Urc),
    /// The PDU follows, of so many octets; `report` tells `+CDS:` from `+CMT:`.
    PduFollows {
        /// Whether it is a status report.
        report: bool,
        /// TPDU octets.
        octets: usize,
    },
    /// A text follows, which is not to be taken for anything else.
    TextFollows,
}

/// What `line` says if it can't be an answer, whatever command runs. With `answers`, the running command is one whose
/// answers bear this line's prefix; then only what never answers is news.
pub fn recognise(line: &Line, answers: bool) -> Option<News> {
    let text = line.as_str();
    let Some(prefix) = line.prefix() else { return bare(line).map(News::Whole) };
    let whole = |urc: Option<Urc>| Some(News::Whole(urc.unwrap_or_else(|| Urc::Other(line.clone()))));
    match prefix {
        "+CMTI:" => return whole(response::stored_at(text).map(Urc::MessageStored)),
        "+CDSI:" => return whole(response::stored_at(text).map(Urc::ReportStored)),
        "+CMT:" | "+CDS:" => {
            return Some(match response::follows(text) {
                Some(Follows::Pdu(octets)) => News::PduFollows { report: prefix == "+CDS:", octets },
                Some(Follows::Text) => News::TextFollows,
                _ => News::Whole(Urc::TextMode),
            });
        }
        "+CUSD:" => return whole(Some(Urc::Ussd(line.clone()))),
        "+CRING:" => return whole(Some(Urc::Ring)),
        "^SMMEMFULL:" | "+SMSFULL:" => return whole(Some(Urc::StorageFull)),
        _ => {}
    }
    if let Some(domain) = Domain::of(prefix) {
        let registration = response::registration(text);
        let asked = answers && registration.is_none_or(|r| r.mode.is_some());
        return if asked { None } else { whole(registration.map(|r| Urc::Registration(domain, r))) };
    }
    if answers {
        return None;
    }
    match prefix {
        "+CPIN:" => whole(response::pin_state(text).map(Urc::Pin)),
        // The card can't be spoken to, or is gone.
        "^SIMST:" if response::first_number(text) == Some(255) => whole(Some(Urc::Pin(PinState::NotReady))),
        "#QSS:" if response::first_number(text) == Some(0) => whole(Some(Urc::Pin(PinState::NotReady))),
        "+CFUN:" => whole((response::first_number(text) == Some(1)).then_some(Urc::Booted)),
        "*ATREADY:" | "*EMRDY:" => whole(Some(Urc::Booted)),
        "+QIND:" if matches!(plain(response::first_value(text)).as_str(), "smsdone" | "pbdone") => {
            whole(Some(Urc::Ready))
        }
        _ if OTHER.contains(&prefix) => whole(None),
        _ => None,
    }
}

fn bare(line: &Line) -> Option<Urc> {
    let text = plain(line.as_str());
    Some(match text.as_str() {
        "rdy" | "start" | "sysstart" | "modemstartup" => Urc::Booted,
        "smsready" | "callready" | "smsdone" | "pbdone" | "pbready" | "atready" => Urc::Ready,
        "normalpowerdown" | "powereddown" | "powerdown" => Urc::PowerDown,
        "smsfull" | "smmemfull" => Urc::StorageFull,
        "ring" => Urc::Ring,
        "nocarrier" | "busy" | "noanswer" | "nodialtone" => Urc::CallEnded,
        "sysloading" | "zend" | "oplupdating" | "pnnupdating" => Urc::Other(line.clone()),
        _ if ["undervoltage", "overvoltage"].iter().any(|word| text.starts_with(word)) => Urc::PowerDown,
        _ => return None,
    })
}

/// Lower case, letters and digits only.
fn plain(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

/// Prefixes that modems use unasked and that say nothing to us. Asked for, they answer.
const OTHER: &[&str] = &[
    "#QSS:",
    "*E2STKI:",
    "*PSNWID:",
    "*PSUTTZ:",
    "+C5GREG:",
    "+CBM:",
    "+CCWA:",
    "+CGEV:",
    "+CIEV:",
    "+CLIP:",
    "+CPSI:",
    "+CSSI:",
    "+CSSU:",
    "+CTZE:",
    "+CTZV:",
    "+PACSP0:",
    "+PBREADY:",
    "+QIND:",
    "+QIURC:",
    "+QUSIM:",
    "+STIN:",
    "+UUSIMSTAT:",
    "+WIND:",
    "+ZDONR:",
    "+ZPASR:",
    "+ZPSTM:",
    "+ZUSIMR:",
    "^BOOT:",
    "^CEND:",
    "^CONF:",
    "^CONN:",
    "^CSNR:",
    "^DSFLOWRPT:",
    "^EARST:",
    "^HCSQ:",
    "^HWNAT:",
    "^MODE:",
    "^NDISSTAT:",
    "^NWTIME:",
    "^ORIG:",
    "^RSSI:",
    "^RSSILVL:",
    "^SBC:",
    "^SIMST:",
    "^SRVST:",
    "^STIN:",
    "^SYSSTART:",
    "^THERM:",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_news_from_answers() {
        let other = |text: &str| Some(News::Whole(Urc::Other(Line::new(text.as_bytes()))));
        let whole = |urc| Some(News::Whole(urc));
        let at = |memory: &str, index| StoredAt { memory: memory.into(), index };
        let rows = [
            ("+CMTI: \"SM\",3", true, whole(Urc::MessageStored(at("SM", 3)))),
            ("+CDSI: \"SM\",0", true, whole(Urc::ReportStored(at("SM", 0)))),
            ("+CMT: ,28", false, Some(News::PduFollows { report: false, octets: 28 })),
            ("+CDS: ,25", false, Some(News::PduFollows { report: true, octets: 25 })),
            ("+CMT: \"+1\",,\"24/01/01,00:00:00+00\"", false, Some(News::TextFollows)),
            ("+CPIN: READY", false, whole(Urc::Pin(PinState::Ready))),
            ("+CPIN: READY", true, None),
            ("^SIMST:255", false, whole(Urc::Pin(PinState::NotReady))),
            ("^SIMST:1", false, other("^SIMST:1")),
            ("+CFUN: 1", false, whole(Urc::Booted)),
            ("+CFUN: 1", true, None),
            ("+CREG: 2,1", true, None),
            ("^RSSI:14", false, other("^RSSI:14")),
            ("^HCSQ:\"LTE\",50", true, None),
            ("RDY", true, whole(Urc::Booted)),
            ("SMS Ready", true, whole(Urc::Ready)),
            ("UNDER-VOLTAGE WARNNING", false, whole(Urc::PowerDown)),
            ("NO CARRIER", true, whole(Urc::CallEnded)),
            ("+CSQ: 17,99", false, None),
            ("MULTIBAND 900E 1800", false, None),
        ];
        for (text, answers, expected) in rows {
            assert_eq!(recognise(&Line::new(text.as_bytes()), answers), expected, "{text} {answers}");
        }
    }

    #[test]
    fn registration_is_news_or_answer_by_its_fields() {
        for (text, news) in
            [("+CREG: 1", true), ("+CREG: 1,\"8BE3\",\"2BAF\",7", true), ("+CREG: 2,1,8BE3,2BAF", false)]
        {
            let found = recognise(&Line::new(text.as_bytes()), true);
            assert_eq!(matches!(found, Some(News::Whole(Urc::Registration(Domain::Circuit, _)))), news, "{text}");
        }
    }
}
