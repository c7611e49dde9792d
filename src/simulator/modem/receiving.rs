//! Messages and reports on their way in, and what the host acknowledges of them.

use super::settings::Settings;
use super::storage::{Status, Stored};
use super::{Event, Failure, MAX_HELD, VirtualModem};
use crate::domain::time::Mono;
use crate::simulator::pdu::{self, Deliver};
use std::time::Duration;

impl VirtualModem {
    /// A message or report came in. False if there is no room for it.
    pub(super) fn deliver(&mut self, now: Mono, tpdu: &[u8], early: bool) -> bool {
        let is_report = tpdu.first().is_some_and(|o| o & 0x03 == 0x02);
        let lines = match self.settings.route(is_report, tpdu) {
            Route::Direct => {
                let lines = self.settings.direct_urc(&self.card.smsc, tpdu, is_report);
                if self.settings.needs_acknowledgement() {
                    if self.unacknowledged.is_some() {
                        if self.to_acknowledge.len() >= MAX_HELD {
                            return false;
                        }
                        self.to_acknowledge.push_back(lines);
                        return true;
                    }
                    self.await_acknowledgement(now);
                }
                lines
            }
            Route::Store { announce } => {
                let name = if is_report { "SR" } else { self.settings.receive_storage() };
                let Some(index) = self.storage.put(name, Status::RecUnread, tpdu.to_vec()) else {
                    if self.faults.announce_full.strike(&mut self.dice).is_some() {
                        self.urc(format!("^SMMEMFULL: \"{name}\""));
                    }
                    return false;
                };
                match announce {
                    true => format!("{}: \"{name}\",{index}", if is_report { "+CDSI" } else { "+CMTI" }),
                    false => return true,
                }
            }
            Route::Drop => return true,
        };
        if is_report && self.faults.cut_urc.strike(&mut self.dice).is_some() {
            let cut = lines.len() - lines.len() / 3;
            self.say(format!("\r\n{}\r\nOK\r\n", &lines[..cut]).as_bytes());
        } else if self.settings.cnmi[0] == 0 {
            // TS 27.005 §3.4.1: mode 0 buffers, and drops the oldest when the buffer is full.
            if self.buffered.len() >= MAX_HELD {
                self.buffered.pop_front();
            }
            self.buffered.push_back(lines);
        } else if early {
            self.urc_at_once(&lines);
        } else {
            self.urc(lines);
        }
        true
    }

    /// AT+CNMI was set: what mode 0 kept is said after the answer, or forgotten (bfr=1).
    pub(super) fn release_buffered(&mut self, now: Mono, forget: bool) {
        if self.settings.cnmi[0] == 0 {
            return;
        }
        for line in std::mem::take(&mut self.buffered) {
            if !forget {
                self.timers.add(now, Event::Urc(line));
            }
        }
    }

    fn await_acknowledgement(&mut self, now: Mono) {
        self.acknowledgements += 1;
        self.unacknowledged = Some(self.acknowledgements);
        self.timers.add(now + ACKNOWLEDGE_WITHIN, Event::Unacknowledged(self.acknowledgements));
    }

    /// AT+CNMA.
    pub(super) fn acknowledge(&mut self, now: Mono) -> Result<(), Failure> {
        // TS 27.005 §3.4.4: +CMS ERROR: 340 if no acknowledgement is expected.
        self.unacknowledged.take().ok_or(Failure::Cms(340))?;
        if let Some(lines) = self.to_acknowledge.pop_front() {
            self.await_acknowledgement(now);
            // After this command's own result.
            self.timers.add(now, Event::Urc(lines));
        }
        Ok(())
    }

    /// Whether an acknowledgement is due.
    pub(super) fn is_acknowledgement_due(&self) -> bool {
        self.unacknowledged.is_some()
    }
}

/// Where a message that comes in goes (TS 27.005 §3.4.1).
enum Route {
    /// To the host: `+CMT`, `+CDS`.
    Direct,
    /// To a storage, with or without `+CMTI`, `+CDSI`.
    Store { announce: bool },
    /// Nowhere.
    Drop,
}

impl Settings {
    /// Where a message or report goes.
    fn route(&self, is_report: bool, tpdu: &[u8]) -> Route {
        let [_, mt, _, ds, _] = self.cnmi;
        if is_report {
            return match ds {
                1 => Route::Direct,
                2 => Route::Store { announce: true },
                _ => Route::Drop,
            };
        }
        // Class 2 goes to the card, whatever mt says; mt=3 passes on class 3 only (TS 27.005 table 3).
        let class = match Deliver::decode(tpdu).map(|d| d.dcs) {
            Ok(dcs) if dcs & 0xD0 == 0x10 || dcs >= 0xF0 => Some(dcs & 3),
            _ => None,
        };
        match (mt, class) {
            (0, _) => Route::Store { announce: false },
            (2 | 3, Some(3)) => Route::Direct,
            (1 | 3, _) | (_, Some(2)) => Route::Store { announce: true },
            _ => Route::Direct,
        }
    }

    /// Whether what is routed to the host needs AT+CNMA (phase 2+).
    pub(super) fn needs_acknowledgement(&self) -> bool {
        self.number("+CSMS") == 1
    }

    /// TS 27.005 §3.4.4: mt and ds become 0.
    pub(super) fn stop_routing(&mut self) {
        self.cnmi[1] = 0;
        self.cnmi[3] = 0;
    }

    /// `+CMT` or `+CDS`, without the line ends around it.
    fn direct_urc(&self, smsc: &str, tpdu: &[u8], is_report: bool) -> String {
        if self.number("+CMGF") == 1 {
            let stored = Stored { status: Status::RecUnread, tpdu: tpdu.to_vec() };
            let head = if is_report { "+CDS: " } else { "+CMT: " };
            return self.text_lines(head, &stored, self.number("+CSDH") == 1, smsc).join("\r\n");
        }
        let hex = format!("{}{}", pdu::to_hex(&pdu::smsc_field(smsc)), pdu::to_hex(tpdu));
        match is_report {
            true => format!("+CDS: {}\r\n{hex}", tpdu.len()),
            false => format!("+CMT: ,{}\r\n{hex}", tpdu.len()),
        }
    }
}

/// TS 27.005 §3.4.4 leaves it to the network's own timer (TR1N and TC1N of TS 24.011 come to 15 s).
const ACKNOWLEDGE_WITHIN: Duration = Duration::from_secs(15);
