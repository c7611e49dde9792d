//! SMS-DELIVER (TS 23.040 §9.2.2.1): what the SMSC hands to us.

use super::address::Address;
use super::dcs::{Dcs, Pid};
use super::reader::{Reader, Result};
use super::timestamp::Scts;
use super::user_data::UserData;
use super::{LOOP_PREVENTION, MTI_DELIVER, NO_MORE_MESSAGES, REPLY_PATH, STATUS_REPORT, UDHI};

/// A short message that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deliver {
    /// TP-MMS: more messages wait at the SMSC (the bit is 0 then).
    pub more_messages: bool,
    /// TP-LP: it was forwarded or spawned; don't answer automatically.
    pub loop_prevention: bool,
    /// TP-SRI: the sender gets a status report.
    pub status_report_indication: bool,
    /// TP-RP: an answer may go through the sender's SMSC.
    pub reply_path: bool,
    /// TP-OA.
    pub originator: Address,
    /// TP-PID.
    pub pid: Pid,
    /// TP-DCS.
    pub dcs: Dcs,
    /// TP-SCTS.
    pub scts: Scts,
    /// TP-UD, with its TP-UDL and TP-UDHI.
    pub user_data: UserData,
}

impl Deliver {
    /// The TPDU's octets. `dcs` must name the alphabet of the user data.
    pub fn encode(&self) -> Vec<u8> {
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        let mut tpdu = vec![
            MTI_DELIVER
                | flag(!self.more_messages, NO_MORE_MESSAGES)
                | flag(self.loop_prevention, LOOP_PREVENTION)
                | flag(self.status_report_indication, STATUS_REPORT)
                | flag(self.user_data.udh().is_some(), UDHI)
                | flag(self.reply_path, REPLY_PATH),
        ];
        self.originator.encode(&mut tpdu);
        tpdu.extend([self.pid.0, self.dcs.0]);
        tpdu.extend(self.scts.0);
        self.user_data.encode(&mut tpdu);
        tpdu
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        let first = reader.octet("first")?;
        let originator = Address::decode(reader).map_err(|error| error.within("oa"))?;
        let pid = Pid(reader.octet("pid")?);
        let dcs = Dcs(reader.octet("dcs")?);
        let scts = Scts::decode(reader, "scts")?;
        let user_data = UserData::decode(reader, dcs, first & UDHI != 0)?;
        reader.end("ud")?;
        Ok(Self {
            more_messages: first & NO_MORE_MESSAGES == 0,
            loop_prevention: first & LOOP_PREVENTION != 0,
            status_report_indication: first & STATUS_REPORT != 0,
            reply_path: first & REPLY_PATH != 0,
            originator,
            pid,
            dcs,
            scts,
            user_data,
        })
    }
}
