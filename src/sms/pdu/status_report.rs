//! SMS-STATUS-REPORT (TS 23.040 §9.2.2.3): what became of a message we sent.

use super::address::Address;
use super::dcs::{Dcs, Pid};
use super::reader::{Reader, Result};
use super::timestamp::Scts;
use super::user_data::UserData;
use super::{LOOP_PREVENTION, MessageReference, NO_MORE_MESSAGES, STATUS_REPORT, UDHI};

/// A report on one part of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusReport {
    /// TP-MMS: more messages wait at the SMSC (the bit is 0 then).
    pub more_messages: bool,
    /// TP-LP.
    pub loop_prevention: bool,
    /// TP-SRQ: it answers an SMS-COMMAND, not an SMS-SUBMIT.
    pub answers_command: bool,
    /// TP-MR of the message reported on.
    pub message_reference: MessageReference,
    /// TP-RA. May be in national form though the message went out in international form.
    pub recipient: Address,
    /// TP-SCTS: when the SMSC took the message in, by its own clock.
    pub scts: Scts,
    /// TP-DT: when it was delivered or last tried, by the SMSC's clock.
    pub discharge_time: Scts,
    /// TP-ST.
    pub status: TpSt,
    /// TP-PI as it came, if anything follows TP-ST: says which of the next three do.
    pub parameter_indicator: Option<u8>,
    /// TP-PID.
    pub pid: Option<Pid>,
    /// TP-DCS.
    pub dcs: Option<Dcs>,
    /// TP-UD.
    pub user_data: Option<UserData>,
}

impl StatusReport {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        let first = reader.octet("first")?;
        let message_reference = MessageReference(reader.octet("mr")?);
        let recipient = Address::decode(reader).map_err(|error| error.within("ra"))?;
        let scts = Scts::decode(reader, "scts")?;
        let discharge_time = Scts::decode(reader, "dt")?;
        let status = TpSt(reader.octet("st")?);
        let parameter_indicator = if reader.left() > 0 { Some(parameter_indicator(reader)?) } else { None };
        let has = |bit: u8| parameter_indicator.is_some_and(|pi| pi & bit != 0);
        let pid = if has(PI_PID) { Some(Pid(reader.octet("pid")?)) } else { None };
        let dcs = if has(PI_DCS) { Some(Dcs(reader.octet("dcs")?)) } else { None };
        let user_data = if has(PI_UDL) {
            Some(UserData::decode(reader, dcs.unwrap_or_default(), first & UDHI != 0)?)
        } else {
            None
        };
        if has(PI_RESERVED) {
            // Further fields follow that we don't know; §9.2.3.27 has them discarded.
            reader.discard_rest();
        }
        reader.end("tpdu")?;
        Ok(Self {
            more_messages: first & NO_MORE_MESSAGES == 0,
            loop_prevention: first & LOOP_PREVENTION != 0,
            answers_command: first & STATUS_REPORT != 0,
            message_reference,
            recipient,
            scts,
            discharge_time,
            status,
            parameter_indicator,
            pid,
            dcs,
            user_data,
        })
    }
}

/// TP-Status, any value (§9.2.3.15).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TpSt(pub u8);

/// What a TP-Status means for the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportVerdict {
    /// It arrived.
    Delivered,
    /// 0x01: it was passed on and nothing more will be heard.
    Unconfirmed,
    /// 0x02: another message took its place; this one did not arrive.
    Replaced,
    /// The SMSC goes on trying; another report follows.
    StillTrying,
    /// It can't be delivered, now or later.
    PermanentFailure,
    /// The SMSC stopped trying after a temporary error. Reserved values count here.
    GaveUp,
}

impl ReportVerdict {
    /// Whether no further report is to be expected.
    pub fn is_final(self) -> bool {
        self != Self::StillTrying
    }
}

impl TpSt {
    /// Whether the specification gives the value no meaning. Such a value counts as 0x63, service rejected.
    pub fn is_reserved(self) -> bool {
        matches!(self.0, 0x03..=0x0F | 0x26..=0x2F | 0x4A..=0x4F | 0x66..=0x6F | 0x80..)
    }

    /// What it means for the message.
    pub fn verdict(self) -> ReportVerdict {
        match self.0 {
            _ if self.is_reserved() => ReportVerdict::GaveUp,
            0x01 => ReportVerdict::Unconfirmed,
            0x02 => ReportVerdict::Replaced,
            0x00..=0x1F => ReportVerdict::Delivered,
            0x20..=0x3F => ReportVerdict::StillTrying,
            0x40..=0x5F => ReportVerdict::PermanentFailure,
            _ => ReportVerdict::GaveUp,
        }
    }

    /// In words, for people.
    pub fn name(self) -> &'static str {
        match self.0 {
            _ if self.is_reserved() => "a value without a meaning, which counts as rejected by the network",
            0x00 => "received by the phone",
            0x01 => "passed on, but the SMSC can't learn whether it arrived",
            0x02 => "replaced in the SMSC by another message",
            0x10..=0x1F => "completed, in the SMSC's own sense",
            0x20 => "the network is congested; the SMSC goes on trying",
            0x21 => "the phone is busy; the SMSC goes on trying",
            0x22 => "the phone does not respond; the SMSC goes on trying",
            0x23 => "the network rejected it for now; the SMSC goes on trying",
            0x24 => "the quality of service is not available; the SMSC goes on trying",
            0x25 => "an error in the phone; the SMSC goes on trying",
            0x30..=0x3F => "not delivered yet, for a reason of the SMSC's own; it goes on trying",
            0x40 => "a remote procedure failed",
            0x41 => "the destination can't take such messages",
            0x42 => "the phone rejected the connection",
            0x43 => "the number can't be reached",
            0x44 => "the quality of service is not available",
            0x45 => "the networks don't work together",
            0x46 => "the validity period ended before it could be delivered",
            0x47 => "deleted by its sender",
            0x48 => "deleted by the SMSC's administration",
            0x49 => "the SMSC does not know the message",
            0x50..=0x5F => "failed for good, for a reason of the SMSC's own",
            0x60 => "the network was congested; the SMSC stopped trying",
            0x61 => "the phone was busy; the SMSC stopped trying",
            0x62 => "the phone did not respond; the SMSC stopped trying",
            0x63 => "the network rejected it; the SMSC stopped trying",
            0x64 => "the quality of service was not available; the SMSC stopped trying",
            0x65 => "an error in the phone; the SMSC stopped trying",
            _ => "not delivered, for a reason of the SMSC's own; it stopped trying",
        }
    }
}

impl std::fmt::Debug for TpSt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TpSt(0x{:02X})", self.0)
    }
}

/// The first octet of TP-PI; further ones, announced by the extension bit, hold only reserved bits.
fn parameter_indicator(reader: &mut Reader<'_>) -> Result<u8> {
    let first = reader.octet("pi")?;
    let mut last = first;
    while last & PI_EXTENSION != 0 {
        last = reader.octet("pi")?;
    }
    Ok(first)
}

// TP-Parameter-Indicator (§9.2.3.27).
const PI_PID: u8 = 0x01;
const PI_DCS: u8 = 0x02;
const PI_UDL: u8 = 0x04;
const PI_RESERVED: u8 = 0xF8;
const PI_EXTENSION: u8 = 0x80;
