//! SMS-SUBMIT (TS 23.040 §9.2.2.2): what we hand to the SMSC.

use super::address::Address;
use super::dcs::{Dcs, Pid};
use super::reader::{Reader, Result};
use super::user_data::UserData;
use super::validity::TpVp;
use super::{MTI_SUBMIT, MessageReference, Pdu, REPLY_PATH, UDHI};

/// A short message on its way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submit {
    /// TP-RD: the SMSC shall refuse a second one with the same TP-MR and destination.
    pub reject_duplicates: bool,
    /// TP-SRR: a status report is asked for.
    pub status_report_request: bool,
    /// TP-RP: the recipient may answer through our SMSC.
    pub reply_path: bool,
    /// TP-MR. Most modems write their own over it and tell it in `+CMGS`.
    pub message_reference: MessageReference,
    /// TP-DA.
    pub destination: Address,
    /// TP-PID.
    pub pid: Pid,
    /// TP-DCS. Its alphabet must be that of the user data.
    pub dcs: Dcs,
    /// TP-VP.
    pub validity: TpVp,
    /// TP-UD, with its TP-UDL and TP-UDHI.
    pub user_data: UserData,
}

impl Submit {
    /// A plain message: no class, no report, no validity period.
    pub fn new(destination: Address, user_data: UserData) -> Self {
        Self {
            reject_duplicates: false,
            status_report_request: false,
            reply_path: false,
            message_reference: MessageReference(0),
            destination,
            pid: Pid(0),
            dcs: Dcs::new(user_data.alphabet()),
            validity: TpVp::None,
            user_data,
        }
    }

    /// The TPDU's octets.
    pub fn encode(&self) -> Vec<u8> {
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        let mut tpdu = Vec::with_capacity(164);
        tpdu.push(
            MTI_SUBMIT
                | flag(self.reject_duplicates, REJECT_DUPLICATES)
                | self.validity.format()
                | flag(self.status_report_request, STATUS_REPORT_REQUEST)
                | flag(self.user_data.udh().is_some(), UDHI)
                | flag(self.reply_path, REPLY_PATH),
        );
        tpdu.push(self.message_reference.0);
        self.destination.encode(&mut tpdu);
        tpdu.extend([self.pid.0, self.dcs.0]);
        self.validity.encode(&mut tpdu);
        self.user_data.encode(&mut tpdu);
        tpdu
    }

    /// What the modem wants behind its prompt. `smsc` is `None` to use the SIM card's.
    pub fn to_pdu(&self, smsc: Option<&Address>) -> Pdu {
        Pdu::new(smsc, &self.encode())
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        let first = reader.octet("first")?;
        let message_reference = MessageReference(reader.octet("mr")?);
        let destination = Address::decode(reader).map_err(|error| error.within("da"))?;
        let pid = Pid(reader.octet("pid")?);
        let dcs = Dcs(reader.octet("dcs")?);
        let validity = TpVp::decode(first, reader)?;
        let user_data = UserData::decode(reader, dcs, first & UDHI != 0)?;
        reader.end("ud")?;
        Ok(Self {
            reject_duplicates: first & REJECT_DUPLICATES != 0,
            status_report_request: first & STATUS_REPORT_REQUEST != 0,
            reply_path: first & REPLY_PATH != 0,
            message_reference,
            destination,
            pid,
            dcs,
            validity,
            user_data,
        })
    }
}

const REJECT_DUPLICATES: u8 = 0x04;
const STATUS_REPORT_REQUEST: u8 = 0x20;
