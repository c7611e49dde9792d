//! USSD (TS 27.007 §7.15): a prepaid balance for every code.

use super::{Event, Failure, VirtualModem};
use crate::domain::time::Mono;
use crate::simulator::alphabet;
use crate::simulator::faults::UssdShape;
use crate::simulator::pdu::to_hex;
use std::time::Duration;

impl VirtualModem {
    /// `AT+CUSD=`
    pub(super) fn ussd(&mut self, now: Mono, values: &[&str]) -> Result<(), Failure> {
        match values.first() {
            Some(&"2") => {}
            Some(n @ (&"0" | &"1")) => {
                self.settings.set_number("+CUSD", n.as_bytes()[0] - b'0');
                if values.get(1).is_some_and(|code| !code.is_empty()) {
                    if !self.radio.registered {
                        return Err(Failure::Cme(30));
                    }
                    self.counts.service_codes += 1;
                    self.answer_ussd(now);
                }
            }
            _ => return Err(Failure::Cme(50)),
        }
        Ok(())
    }

    /// The network's answer.
    fn answer_ussd(&mut self, now: Mono) {
        let balance = self.faults.balance.strike(&mut self.dice).map_or_else(|| "10.00".to_owned(), |b| b.0);
        let text = format!("Your balance is {balance}");
        let ucs2 = || text.encode_utf16().map(|u| format!("{u:04X}")).collect::<String>();
        let line = match self.faults.ussd_shape.strike(&mut self.dice) {
            Some(UssdShape::Never) => return,
            Some(UssdShape::Refused) => "+CUSD: 2".to_owned(),
            Some(UssdShape::PackedHex) => {
                format!("+CUSD: 0, {}", to_hex(&alphabet::pack(&alphabet::encode(&text).unwrap_or_default(), 0)))
            }
            Some(UssdShape::Ucs2) => format!("+CUSD: 0,\"{}\",72", ucs2()),
            Some(UssdShape::Ucs2Mislabelled) => format!("+CUSD: 2,\"{}\",15", ucs2()),
            Some(UssdShape::Garbage) => format!("+CUSD: 2,\"{}0000FFFF60B16260EEEEFFFFFFFF\",17", ucs2()),
            Some(UssdShape::TwoLines) => format!("+CUSD: 1,\"Hello!\r\n{text}\",15"),
            None => format!("+CUSD: 0,\"{}\",15", self.settings.character_set.write(&text)),
        };
        self.timers.add(now + USSD_TIME, Event::Urc(line));
    }
}

const USSD_TIME: Duration = Duration::from_secs(1);
