//! Why something ended as it did: a stable code for programs and a sentence for people.

use std::fmt;

/// Why a message, attempt or part is in its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The modem or the network answered `+CMS ERROR` (TS 27.005 §3.2.5). Whether it was sent all the same, the phase and
    /// the number tell.
    Cms(u16),
    /// The same with a number of its maker's own, 512 and above, which this maker is known to mean so. It was not sent.
    MakersCms(u16, Meaning),
    /// The modem refused it with `+CME ERROR` (TS 27.007 §9.2).
    Cme(u16),
    /// The modem answered a bare `ERROR`.
    BareError,
    /// Nothing had left when the send was broken off: no prompt, no grant, or a lost port.
    NotTransmitted,
    /// No final result came within the send deadline after 0x1A.
    NoResult,
    /// The port went away with the message on the air.
    PortLost,
    /// otpgate ended or was killed with the message on the air.
    Restarted,
    /// Some parts were sent, the rest could not be.
    Partial,
    /// A status report said so: its TP-ST (TS 23.040 §9.2.3.15).
    Report(u8),
    /// Its time to live ran out before it could be sent.
    TtlPassed,
    /// Too little of its life was left to be of use to the recipient.
    TooLate,
    /// The caller canceled it.
    CanceledByCaller,
    /// A newer code for the same number and purpose took its place.
    Superseded,
    /// The verification it belonged to ended first.
    VerificationEnded,
    /// Its recipient does not want to be written to.
    OptedOut,
    /// Its recipient is on the block list.
    Blocked,
    /// One of these two, and its caller is not to learn that.
    Suppressed,
    /// The text is gone from the store, so it can't be sent: a damaged or missing record.
    TextLost,
}

/// What a maker means by a number of its own. Another maker may use the same one for something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Something is wrong with the message as it is.
    Message,
    /// The PDU came through damaged.
    Garbled,
    /// The network does not let this SIM card send.
    SimCard,
    /// The modem, its SIM card or its network is not ready.
    Modem,
    /// It was refused; the number does not tell why.
    Unclear,
}

impl Meaning {
    /// All of them. New ones are appended.
    pub const ALL: [Self; 5] = [Self::Message, Self::Garbled, Self::SimCard, Self::Modem, Self::Unclear];

    /// The word in records.
    fn record_code(self) -> &'static str {
        match self {
            Self::Message => "makers_cms_error_message",
            Self::Garbled => "makers_cms_error_garbled",
            Self::SimCard => "makers_cms_error_sim_card",
            Self::Modem => "makers_cms_error_modem",
            Self::Unclear => "makers_cms_error_unclear",
        }
    }
}

impl Reason {
    /// A stable code, the same for ever.
    pub fn code(self) -> &'static str {
        match self {
            Self::Cms(_) | Self::MakersCms(..) => "cms_error",
            Self::Cme(_) => "cme_error",
            Self::BareError => "modem_error",
            Self::NotTransmitted => "not_transmitted",
            Self::NoResult => "no_result",
            Self::PortLost => "port_lost",
            Self::Restarted => "restarted",
            Self::Partial => "partial",
            Self::Report(_) => "status_report",
            Self::TtlPassed => "ttl_passed",
            Self::TooLate => "too_late",
            Self::CanceledByCaller => "canceled_by_caller",
            Self::Superseded => "superseded",
            Self::VerificationEnded => "verification_ended",
            Self::OptedOut => "opted_out",
            Self::Blocked => "blocked",
            Self::Suppressed => "suppressed",
            Self::TextLost => "text_lost",
        }
    }

    /// The number that goes with the code: an error number or a TP-ST.
    pub fn number(self) -> Option<u16> {
        match self {
            Self::Cms(n) | Self::MakersCms(n, _) | Self::Cme(n) => Some(n),
            Self::Report(n) => Some(u16::from(n)),
            _ => None,
        }
    }

    /// The code in records, which tell more than callers are told by it.
    pub fn record_code(self) -> &'static str {
        match self {
            Self::MakersCms(_, meaning) => meaning.record_code(),
            reason => reason.code(),
        }
    }

    /// The inverse of [`Reason::record_code`] and [`Reason::number`].
    pub fn from_code(code: &str, number: Option<u16>) -> Option<Self> {
        let plain = [
            Self::BareError,
            Self::NotTransmitted,
            Self::NoResult,
            Self::PortLost,
            Self::Restarted,
            Self::Partial,
            Self::TtlPassed,
            Self::TooLate,
            Self::CanceledByCaller,
            Self::Superseded,
            Self::VerificationEnded,
            Self::OptedOut,
            Self::Blocked,
            Self::Suppressed,
            Self::TextLost,
        ];
        match (code, number) {
            ("cms_error", Some(n)) => Some(Self::Cms(n)),
            ("cme_error", Some(n)) => Some(Self::Cme(n)),
            ("status_report", Some(n)) => u8::try_from(n).ok().map(Self::Report),
            (_, Some(n)) if code.starts_with("makers_") => {
                let meaning = Meaning::ALL.into_iter().find(|meaning| meaning.record_code() == code)?;
                Some(Self::MakersCms(n, meaning))
            }
            _ => plain.into_iter().find(|r| r.code() == code),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cms(n) | Self::MakersCms(n, _) => write!(f, "the modem or the network answered +CMS ERROR: {n}"),
            Self::Cme(n) => write!(f, "the modem answered +CME ERROR: {n}"),
            Self::BareError => f.write_str("the modem answered ERROR without a number"),
            Self::NotTransmitted => f.write_str("the send was broken off before anything left the modem"),
            Self::NoResult => f.write_str("the modem gave no result in time; the message may or may not have gone out"),
            Self::PortLost => {
                f.write_str("the modem's port was lost during the send; the message may or may not have gone out")
            }
            Self::Restarted => f.write_str("otpgate stopped during the send; the message may or may not have gone out"),
            Self::Partial => f.write_str("some parts were sent, the rest could not be"),
            Self::Report(st) => write!(f, "the network's status report says so (TP-ST 0x{st:02X})"),
            Self::TtlPassed => f.write_str("its time to live ran out before a modem could send it"),
            Self::TooLate => f.write_str("too little of its life was left to be of use when its turn came"),
            Self::CanceledByCaller => f.write_str("canceled by the caller"),
            Self::Superseded => f.write_str("a newer code for the same number and purpose took its place"),
            Self::VerificationEnded => f.write_str("its verification ended before it was sent"),
            Self::OptedOut => f.write_str("its recipient does not want to be written to (opt-out list)"),
            Self::Blocked => f.write_str("its recipient is on the block list"),
            Self::Suppressed => {
                f.write_str("its recipient is blocked or has opted out, and the caller's API key conceals that")
            }
            Self::TextLost => f.write_str("its text is missing from the store; nothing was sent"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_read_back() {
        let all = [
            Reason::Cms(332),
            Reason::MakersCms(516, Meaning::Message),
            Reason::MakersCms(517, Meaning::Garbled),
            Reason::MakersCms(770, Meaning::SimCard),
            Reason::MakersCms(517, Meaning::Modem),
            Reason::MakersCms(515, Meaning::Unclear),
            Reason::Cme(14),
            Reason::BareError,
            Reason::NotTransmitted,
            Reason::NoResult,
            Reason::PortLost,
            Reason::Restarted,
            Reason::Partial,
            Reason::Report(0x46),
            Reason::TtlPassed,
            Reason::TooLate,
            Reason::CanceledByCaller,
            Reason::Superseded,
            Reason::VerificationEnded,
            Reason::OptedOut,
            Reason::Blocked,
            Reason::Suppressed,
            Reason::TextLost,
        ];
        for reason in all {
            assert_eq!(Reason::from_code(reason.record_code(), reason.number()), Some(reason));
        }
        assert_eq!(Reason::MakersCms(516, Meaning::Message).code(), "cms_error", "callers need not tell makers apart");
        assert_eq!(Reason::from_code("cms_error", None), None);
        assert_eq!(Reason::from_code("gone_fishing", None), None);
    }
}
