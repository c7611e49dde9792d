//! The commands of TS 27.005, in PDU and text mode.

use super::line::{Command, Form};
use super::sending::{Edit, Purpose};
use super::settings::Settings;
use super::storage::{Status, Storage, Stored};
use super::{Failure, Flow, VirtualModem};
use crate::domain::time::Mono;
use crate::simulator::pdu::{self, Address};

impl VirtualModem {
    /// Runs a command of TS 27.005. `None` if it is not one.
    pub(super) fn run_sms(
        &mut self,
        now: Mono,
        command: &Command,
        lines: &mut Vec<String>,
    ) -> Option<Result<Flow, Failure>> {
        let values = command.values();
        let done = |result: Result<(), Failure>| Some(result.map(|()| Flow::Done));
        // With the card locked none of these works (TS 27.005 §3.2.5, 311), but for the settings of the modem itself.
        let needs_card = ["+CMGS", "+CMGW", "+CMSS", "+CMGL", "+CMGR", "+CMGD", "+CPMS", "+CSCA"];
        if needs_card.contains(&command.name.as_str())
            && command.form != Form::Test
            && let Err(failure) = self.card.refusal(true)
        {
            return Some(Err(failure));
        }
        match (command.name.as_str(), &command.form) {
            ("+CMGS" | "+CMGW" | "+CMSS" | "+CMGR", Form::Test) => done(Ok(())),
            ("+CMGS", Form::Set(_)) => Some(self.begin_message(&values, Purpose::Send).map(Flow::Edit)),
            ("+CMGW", Form::Set(_) | Form::Run) => Some(self.begin_write(&values).map(Flow::Edit)),
            ("+CMSS", Form::Set(_)) => Some(self.send_stored(&values)),
            ("+CMGR", Form::Set(_)) => done(self.read_message(&values, lines)),
            ("+CMGL", Form::Test) => {
                lines.push(match self.text_mode() {
                    true => "+CMGL: (\"REC UNREAD\",\"REC READ\",\"STO UNSENT\",\"STO SENT\",\"ALL\")".into(),
                    false => "+CMGL: (0-4)".into(),
                });
                done(Ok(()))
            }
            ("+CMGL", Form::Set(_) | Form::Run) => done(self.list_messages(&values, lines)),
            ("+CMGD", Form::Test) => {
                let used = self.storage.list(self.settings.memories[0]);
                let list: Vec<String> = used.iter().map(|(i, _)| i.to_string()).collect();
                lines.push(format!("+CMGD: ({}),(0-4)", list.join(",")));
                done(Ok(()))
            }
            ("+CMGD", Form::Set(_)) => done(self.delete_messages(&values)),
            ("+CPMS", _) => done(self.memories(command, &values, lines)),
            ("+CNMI", _) => done(self.routing(now, command, &values, lines)),
            ("+CSMS", _) => done(self.service(command, &values, lines)),
            ("+CSCA", _) => done(self.service_centre(command, &values, lines)),
            ("+CSMP", _) => done(self.text_parameters(command, &values, lines)),
            ("+CNMA", Form::Test) => {
                lines.push("+CNMA: (0-2)".into());
                done(Ok(()))
            }
            ("+CNMA", Form::Run | Form::Set(_)) => Some(self.acknowledge_command(now, &values)),
            ("+CSAS" | "+CRES", _) => done(Ok(())),
            ("+CSCB", Form::Read) => {
                lines.push("+CSCB: 0,\"\",\"\"".into());
                done(Ok(()))
            }
            ("+CSCB", Form::Test) => {
                lines.push("+CSCB: (0,1)".into());
                done(Ok(()))
            }
            ("+CSCB", Form::Set(_)) => done(Ok(())),
            _ => None,
        }
    }

    fn text_mode(&self) -> bool {
        self.settings.number("+CMGF") == 1
    }

    /// AT+CMGS and AT+CMGW up to the prompt.
    fn begin_message(&self, values: &[&str], purpose: Purpose) -> Result<Edit, Failure> {
        let first = values.first().copied().unwrap_or_default();
        let edit = Edit { purpose, length: None, to: None, typed: Vec::new(), lf_counts: false };
        if self.text_mode() {
            let number = self.settings.character_set.read(first.as_bytes()).ok_or(Failure::Cms(305))?;
            let mut to = Address::parse(&number);
            if let Some(toa) = values.get(1).filter(|t| !t.is_empty() && purpose == Purpose::Send) {
                to.toa = toa.parse().map_err(|_| Failure::Cms(305))?;
            }
            return match (number.is_empty(), purpose) {
                (true, Purpose::Send) => Err(Failure::Cms(305)),
                (true, _) => Ok(edit),
                (false, _) if to.toa & 0x70 == 0x50 || to.toa & 0x80 == 0 => Err(Failure::Cms(305)),
                (false, _) => Ok(Edit { to: Some(to), ..edit }),
            };
        }
        match first.parse() {
            // The shortest SMS-SUBMIT has 7 octets, the longest 164.
            Ok(length @ 7..=pdu::MAX_TPDU) => Ok(Edit { length: Some(length), ..edit }),
            _ => Err(Failure::Cms(304)),
        }
    }

    fn begin_write(&self, values: &[&str]) -> Result<Edit, Failure> {
        let status = match (values.get(1).filter(|_| !self.text_mode()), values.get(2).filter(|_| self.text_mode())) {
            (Some(number), _) => number.parse().ok().and_then(Status::from_number).ok_or(Failure::Cms(302))?,
            (_, Some(word)) => {
                (0..4).filter_map(Status::from_number).find(|s| s.word() == *word).ok_or(Failure::Cms(302))?
            }
            _ => Status::StoUnsent,
        };
        self.begin_message(values, Purpose::Write(status))
    }

    fn send_stored(&mut self, values: &[&str]) -> Result<Flow, Failure> {
        let (name, index) = (self.settings.memories[1], index(values)?);
        let stored = self.storage.get(name, index).ok_or(Failure::Cms(321))?;
        match stored.status {
            Status::StoSent | Status::StoUnsent => {
                Ok(Flow::Send { tpdu: stored.tpdu.clone(), stored: Some((name, index)) })
            }
            _ => Err(Failure::Cms(302)),
        }
    }

    fn read_message(&mut self, values: &[&str], lines: &mut Vec<String>) -> Result<(), Failure> {
        let (name, index) = (self.settings.memories[0], index(values)?);
        let stored = self.storage.get(name, index).ok_or(Failure::Cms(321))?.clone();
        lines.extend(match self.text_mode() {
            true => {
                let head = format!("+CMGR: \"{}\"", stored.status.word());
                self.settings.text_lines(&head, &stored, self.settings.number("+CSDH") == 1, &self.card.smsc)
            }
            false => self.pdu_lines(&format!("+CMGR: {}", stored.status as u8), &stored),
        });
        self.mark_read(name, index, stored.status);
        Ok(())
    }

    fn list_messages(&mut self, values: &[&str], lines: &mut Vec<String>) -> Result<(), Failure> {
        let name = self.settings.memories[0];
        let wanted = values.first().copied().unwrap_or_default();
        let wanted: Option<Status> = match self.text_mode() {
            true => match wanted {
                "ALL" => None,
                "" => Some(Status::RecUnread),
                word => {
                    Some((0..4).filter_map(Status::from_number).find(|s| s.word() == word).ok_or(Failure::Cms(302))?)
                }
            },
            false => match wanted {
                "4" => None,
                "" => Some(Status::RecUnread),
                n => Some(n.parse().ok().and_then(Status::from_number).ok_or(Failure::Cms(302))?),
            },
        };
        for (index, stored) in self.storage.list(name) {
            if wanted.is_some_and(|status| status != stored.status) {
                continue;
            }
            lines.extend(match self.text_mode() {
                true => {
                    let head = format!("+CMGL: {index},\"{}\"", stored.status.word());
                    self.settings.text_lines(&head, &stored, false, &self.card.smsc)
                }
                false => self.pdu_lines(&format!("+CMGL: {index},{}", stored.status as u8), &stored),
            });
            self.mark_read(name, index, stored.status);
        }
        Ok(())
    }

    fn mark_read(&mut self, name: &'static str, index: usize, status: Status) {
        if status == Status::RecUnread {
            self.storage.set_status(name, index, Status::RecRead);
        }
    }

    fn pdu_lines(&mut self, head: &str, stored: &Stored) -> Vec<String> {
        let smsc = pdu::smsc_field(&self.card.smsc);
        let mut hex = format!("{}{}", pdu::to_hex(&smsc), pdu::to_hex(&stored.tpdu));
        if self.faults.garbled_storage.strike(&mut self.dice).is_some() {
            let last = hex.len() - 1;
            hex.replace_range(last.., "?");
        }
        vec![format!("{head},,{}", stored.tpdu.len()), hex]
    }

    fn delete_messages(&mut self, values: &[&str]) -> Result<(), Failure> {
        let name = self.settings.memories[0];
        use Status::*;
        match values.get(1).copied().unwrap_or("0") {
            "0" | "" => {
                let index = index(values)?;
                if !self.storage.has_place(index) {
                    return Err(Failure::Cms(321));
                }
                // TS 27.005 §3.5.4 names no error for an empty place.
                self.storage.remove(name, index);
            }
            "1" => self.storage.clear(name, |s| s == RecRead),
            "2" => self.storage.clear(name, |s| matches!(s, RecRead | StoSent)),
            "3" => self.storage.clear(name, |s| matches!(s, RecRead | StoSent | StoUnsent)),
            "4" => self.storage.clear(name, |_| true),
            _ => return Err(Failure::Cms(302)),
        }
        self.made_room();
        Ok(())
    }

    fn memories(&mut self, command: &Command, values: &[&str], lines: &mut Vec<String>) -> Result<(), Failure> {
        let capacity = self.storage.capacity();
        let used = |name| self.storage.used(name);
        match command.form {
            Form::Test => lines.push("+CPMS: (\"ME\",\"SM\",\"SR\"),(\"ME\",\"SM\"),(\"ME\",\"SM\")".into()),
            Form::Read => {
                let each = self.settings.memories.map(|m| format!("\"{m}\",{},{capacity}", used(m)));
                lines.push(format!("+CPMS: {}", each.join(",")));
            }
            Form::Run => return Err(Failure::Cms(302)),
            Form::Set(_) => {
                let mut memories = self.settings.memories;
                for (i, value) in values.iter().enumerate().filter(|(_, v)| !v.is_empty()) {
                    let name = Storage::name(value).filter(|n| i == 0 || *n != "SR").ok_or(Failure::Cms(302))?;
                    *memories.get_mut(i).ok_or(Failure::Cms(302))? = name;
                }
                self.settings.memories = memories;
                let each = memories.map(|m| format!("{},{capacity}", used(m)));
                lines.push(format!("+CPMS: {}", each.join(",")));
            }
        }
        Ok(())
    }

    fn routing(
        &mut self,
        now: Mono,
        command: &Command,
        values: &[&str],
        lines: &mut Vec<String>,
    ) -> Result<(), Failure> {
        match command.form {
            Form::Test => {
                let ds = match self.lacks_reports(&[1, 2]) {
                    None => "0-2",
                    Some(1) => "0",
                    Some(_) => "0,1",
                };
                lines.push(format!("+CNMI: (0-2),(0-3),(0),({ds}),(0,1)"));
            }
            Form::Read => {
                let each = self.settings.cnmi.map(|n| n.to_string());
                lines.push(format!("+CNMI: {}", each.join(",")));
            }
            Form::Set(_) | Form::Run => {
                let mut cnmi = if values.is_empty() { [0; 5] } else { self.settings.cnmi };
                for (i, value) in values.iter().enumerate().filter(|(_, v)| !v.is_empty()) {
                    let highest = *[2, 3, 0, 2, 1].get(i).ok_or(Failure::Cms(302))?;
                    cnmi[i] = value.parse().ok().filter(|n| *n <= highest).ok_or(Failure::Cms(302))?;
                }
                if self.lacks_reports(&cnmi[3..4]).is_some() {
                    return Err(Failure::Cms(303));
                }
                self.settings.cnmi = cnmi;
                self.release_buffered(now, cnmi[4] == 1);
            }
        }
        Ok(())
    }

    /// The first of these values of `ds` that it does not take, where that is the fault.
    fn lacks_reports(&mut self, ds: &[u8]) -> Option<u8> {
        let with_acknowledgement = self.settings.needs_acknowledgement();
        let lacking = ds.iter().copied().find(|ds| *ds == 2 || *ds == 1 && !with_acknowledgement)?;
        self.faults.reports_acknowledged_only.strike(&mut self.dice).map(|_| lacking)
    }

    fn service(&mut self, command: &Command, values: &[&str], lines: &mut Vec<String>) -> Result<(), Failure> {
        match command.form {
            Form::Test => lines.push("+CSMS: (0,1)".into()),
            Form::Read => lines.push(format!("+CSMS: {},1,1,1", self.settings.number("+CSMS"))),
            Form::Run => return Err(Failure::Cms(302)),
            Form::Set(_) => {
                let service = match values {
                    ["0"] => 0,
                    ["1"] => 1,
                    _ => return Err(Failure::Cms(302)),
                };
                self.settings.set_number("+CSMS", service);
                lines.push("+CSMS: 1,1,1".into());
            }
        }
        Ok(())
    }

    fn service_centre(&mut self, command: &Command, values: &[&str], lines: &mut Vec<String>) -> Result<(), Failure> {
        match command.form {
            Form::Test => {}
            Form::Read => {
                let set = self.settings.character_set;
                let toa = if self.card.smsc.starts_with('+') { 145 } else { 129 };
                lines.push(format!("+CSCA: \"{}\",{toa}", set.write(&self.card.smsc)));
            }
            Form::Run => return Err(Failure::Cms(302)),
            Form::Set(_) => {
                let first = values.first().copied().unwrap_or_default();
                let number = self.settings.character_set.read(first.as_bytes()).ok_or(Failure::Cms(305))?;
                let international = values.get(1) == Some(&"145") && !number.is_empty() && !number.starts_with('+');
                let number = if international { format!("+{number}") } else { number };
                if !number.is_empty() && Address::parse(&number).toa == 0xD0 {
                    return Err(Failure::Cms(304));
                }
                self.card.smsc = number;
            }
        }
        Ok(())
    }

    fn text_parameters(&mut self, command: &Command, values: &[&str], lines: &mut Vec<String>) -> Result<(), Failure> {
        match command.form {
            Form::Test => {}
            Form::Read => {
                let each = self.settings.text_parameters.map(|n| n.to_string());
                lines.push(format!("+CSMP: {}", each.join(",")));
            }
            Form::Run => return Err(Failure::Cms(302)),
            Form::Set(_) => {
                let mut parameters = self.settings.text_parameters;
                for (i, value) in values.iter().enumerate().filter(|(_, v)| !v.is_empty()) {
                    let place = parameters.get_mut(i).ok_or(Failure::Cms(302))?;
                    *place = value.parse().map_err(|_| Failure::Cms(305))?;
                }
                self.settings.text_parameters = parameters;
            }
        }
        Ok(())
    }

    /// `AT+CNMA`, `AT+CNMA=0`, or `AT+CNMA=1|2[,length]`, the latter with a prompt in PDU mode.
    fn acknowledge_command(&mut self, now: Mono, values: &[&str]) -> Result<Flow, Failure> {
        match values {
            [] | ["0" | "1" | "2"] => self.acknowledge(now).map(|()| Flow::Done),
            ["1" | "2", length] if !self.text_mode() && self.is_acknowledgement_due() => {
                let length = length.parse().ok().filter(|n| *n <= pdu::MAX_TPDU).ok_or(Failure::Cms(304))?;
                if length == 0 {
                    return self.acknowledge(now).map(|()| Flow::Done);
                }
                let purpose = Purpose::Acknowledge;
                Ok(Flow::Edit(Edit { purpose, length: Some(length), to: None, typed: Vec::new(), lf_counts: false }))
            }
            ["1" | "2", _] => Err(Failure::Cms(340)),
            _ => Err(Failure::Cms(304)),
        }
    }
}

impl Settings {
    /// `<mem2>`, for AT+CMGW and AT+CMSS.
    pub(super) fn write_storage(&self) -> &'static str {
        self.memories[1]
    }

    /// `<mem3>`, for what comes in.
    pub(super) fn receive_storage(&self) -> &'static str {
        self.memories[2]
    }
}

/// The index that a command begins with.
fn index(values: &[&str]) -> Result<usize, Failure> {
    values.first().and_then(|v| v.parse().ok()).ok_or(Failure::Cms(321))
}
