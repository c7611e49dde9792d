//! A message on its way out: from the prompt over 0x1A to the result.

use super::storage::Status;
use super::{Event, Failure, Mode, Output, PROMPT, Turns, VirtualModem};
use crate::domain::time::Mono;
use crate::simulator::faults::{Cure, Fate, HalfResult, PortLoss, PromptShape, Unprompted};
use crate::simulator::network::{Orders, Submission};
use crate::simulator::pdu::{self, Address};
use std::time::Duration;

/// What a message is typed for.
#[derive(Clone, Debug)]
pub(super) struct Edit {
    pub(super) purpose: Purpose,
    /// PDU mode: the announced length. Text mode: none.
    pub(super) length: Option<usize>,
    /// Text mode: the recipient.
    pub(super) to: Option<Address>,
    pub(super) typed: Vec<u8>,
    pub(super) lf_counts: bool,
}

impl Edit {
    /// What somebody left behind who typed a whole message and no 0x1A (row S9).
    pub(super) fn left_over() -> Self {
        let typed = format!("00{}", pdu::to_hex(LEFT_OVER)).into_bytes();
        Self { purpose: Purpose::Send, length: Some(LEFT_OVER.len()), to: None, typed, lf_counts: false }
    }
}

/// Which command a message is typed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// AT+CMGS.
    Send,
    /// AT+CMGW, with the status it is stored under.
    Write(Status),
    /// AT+CNMA=1 or 2 with a PDU.
    Acknowledge,
}

/// A send that waits for the network.
pub(super) struct Sending {
    pub(super) ticket: u64,
    command: &'static str,
    reference: u8,
    /// The place to be marked as sent (AT+CMSS).
    stored: Option<(&'static str, usize)>,
    aftermath: Aftermath,
}

/// How the result of a send is told.
pub(super) enum Aftermath {
    Normal,
    Silence,
    Late(Duration),
    Failure(Failure),
    Half(HalfResult),
}

impl VirtualModem {
    pub(super) fn begin_edit(&mut self, now: Mono, mut edit: Edit, line: &str, lines: Vec<String>) {
        if edit.purpose == Purpose::Send {
            Turns::note(&mut self.turns.from_result, self.turns.last_result.take(), now);
            let here = |loss: &PortLoss| matches!(loss, PortLoss::BeforePrompt | PortLoss::AfterPrompt);
            if let Some(loss) = self.faults.port_loss.strike_if(&mut self.dice, here) {
                if loss == PortLoss::AfterPrompt {
                    self.prompt(now, PROMPT);
                }
                return self.lose_port(now);
            }
        }
        if let Some(failure) = self.faults.refuse_before_prompt.strike(&mut self.dice) {
            return self.finish(now, lines, Err(failure));
        }
        self.say_lines(&lines);
        if let Some(cure) = self.faults.no_prompt.strike(&mut self.dice) {
            self.promptless = Some(cure);
        }
        if self.promptless.is_some() {
            return;
        }
        edit.lf_counts = self.faults.lf_sensitive.strike(&mut self.dice).is_some();
        match self.faults.prompt_never.strike(&mut self.dice) {
            Some(Unprompted::Edit) => return self.mode = Mode::Edit(edit),
            Some(Unprompted::Command) => return,
            None => {}
        }
        let shape = match self.faults.prompt_shape.strike(&mut self.dice) {
            None => PROMPT.to_vec(),
            Some(PromptShape::LineEnd) => b"\r\n>\r\n".to_vec(),
            Some(PromptShape::NoSpace) => b"\r\n>".to_vec(),
            Some(PromptShape::Echoed) => format!("{line}\r\r\n> ").into_bytes(),
            Some(PromptShape::Glued) => b"> ".to_vec(),
            Some(PromptShape::Twice) => [PROMPT, PROMPT].concat(),
        };
        if let Some(late) = self.faults.prompt_late.strike(&mut self.dice) {
            return self.timers.add(now + late, Event::Prompt(Box::new(edit), shape));
        }
        self.mode = Mode::Edit(edit);
        self.prompt(now, &shape);
    }

    pub(super) fn prompt(&mut self, now: Mono, shape: &[u8]) {
        self.counts.prompts += 1;
        self.turns.last_prompt = Some(now);
        self.say(shape);
    }

    /// A message was typed to its end.
    pub(super) fn typed(&mut self, now: Mono, mut edit: Edit) {
        if edit.purpose == Purpose::Acknowledge {
            let result = self.acknowledge(now);
            return self.finish(now, Vec::new(), result);
        }
        if let Some(lost) = self.faults.lost_bytes.strike(&mut self.dice) {
            let middle = edit.typed.len() / 2;
            let end = (middle + usize::from(lost)).min(edit.typed.len());
            edit.typed.drain(middle..end);
        }
        match self.typed_tpdu(&edit) {
            Err(failure) => self.finish(now, Vec::new(), Err(failure)),
            Ok(tpdu) => match edit.purpose {
                Purpose::Send => self.send(now, "+CMGS", tpdu, None),
                Purpose::Write(status) => match self.storage.put(self.settings.write_storage(), status, tpdu) {
                    Some(index) => self.finish(now, vec![format!("+CMGW: {index}")], Ok(())),
                    None => self.finish(now, Vec::new(), Err(Failure::Cms(322))),
                },
                Purpose::Acknowledge => {}
            },
        }
    }

    /// The TPDU of what was typed: checked against the announced length, or made from text.
    fn typed_tpdu(&self, edit: &Edit) -> Result<Vec<u8>, Failure> {
        let Some(length) = edit.length else {
            return self.settings.text_submit(edit.to.as_ref(), &edit.typed);
        };
        let octets = pdu::from_hex(&edit.typed).ok_or(Failure::Cms(304))?;
        let smsc = usize::from(*octets.first().ok_or(Failure::Cms(304))?);
        let tpdu = octets.get(smsc + 1..).filter(|t| t.len() == length).ok_or(Failure::Cms(304))?;
        if smsc == 0 && self.card.smsc.is_empty() && edit.purpose == Purpose::Send {
            return Err(Failure::Cms(330));
        }
        Ok(tpdu.to_vec())
    }

    /// Hands a TPDU to the network, under a TP-MR of the modem's own choice (TS 23.040 §9.2.3.6).
    pub(super) fn send(
        &mut self,
        now: Mono,
        command: &'static str,
        mut tpdu: Vec<u8>,
        stored: Option<(&'static str, usize)>,
    ) {
        if !self.radio.registered {
            return self.finish(now, Vec::new(), Err(Failure::Cms(331)));
        }
        let service = self.settings.number("+CGSMS");
        if self.faults.bearer.strike_if(&mut self.dice, |needed| *needed != service).is_some() {
            return self.finish(now, Vec::new(), Err(Failure::Cms(50)));
        }
        match tpdu.get_mut(..2) {
            // SMS-SUBMIT only: SMS-COMMAND goes by AT+CMGC.
            Some([first, reference]) if *first & 0x03 == 0x01 => *reference = self.reference,
            _ => return self.finish(now, Vec::new(), Err(Failure::Cms(304))),
        }
        let reference = self.reference;
        self.reference = self.reference.wrapping_add(1);
        self.ticket += 1;
        let mut orders = Orders {
            lost: false,
            refusal: self.faults.network_refusal.strike(&mut self.dice),
            report_early: self.faults.report_early.strike(&mut self.dice).is_some(),
            report_reference: self.faults.report_reference.strike(&mut self.dice),
            report_status: self.faults.report_status.strike(&mut self.dice),
            report_lost: self.faults.report_lost.strike(&mut self.dice).is_some(),
            filtered: self.faults.filtered.strike(&mut self.dice).is_some(),
            halfway: self.faults.collision.strike(&mut self.dice),
        };
        let mut aftermath = Aftermath::Normal;
        if let Some(fate) = self.faults.silence.strike(&mut self.dice) {
            orders.lost = fate == Fate::Lost;
            aftermath = Aftermath::Silence;
        } else if let Some(after) = self.faults.error_after.strike(&mut self.dice) {
            orders.lost = after.fate == Fate::Lost;
            aftermath = Aftermath::Failure(after.failure);
        } else if let Some(half) = self.faults.half_result.strike(&mut self.dice) {
            aftermath = Aftermath::Half(half);
        } else if let Some(late) = self.faults.late_result.strike(&mut self.dice) {
            aftermath = Aftermath::Late(late);
        }
        let here = |loss: &PortLoss| matches!(loss, PortLoss::Submit | PortLoss::SubmitLost | PortLoss::BrownOut);
        let loss = self.faults.port_loss.strike_if(&mut self.dice, here);
        if matches!(loss, Some(PortLoss::SubmitLost | PortLoss::BrownOut)) {
            // No +CMGS may come for it when the port is back.
            orders.lost = true;
            aftermath = Aftermath::Silence;
        }
        self.counts.submitted += 1;
        self.mode = Mode::Sending(Sending { ticket: self.ticket, command, reference, stored, aftermath });
        self.output.push_back(Output::Submit(Submission { ticket: self.ticket, tpdu, orders }));
        if loss.is_some() {
            self.lose_port(now);
        }
        if loss == Some(PortLoss::BrownOut) {
            self.reboot(now, Cure::Power);
        }
    }

    /// The network answered a submission: RP-ACK, or RP-ERROR with a cause.
    pub(super) fn answered(&mut self, now: Mono, ticket: u64, cause: Option<u8>) {
        let Mode::Sending(sending) = &self.mode else { return };
        if sending.ticket != ticket {
            return;
        }
        let Mode::Sending(sending) = std::mem::replace(&mut self.mode, Mode::Command(Vec::new())) else { return };
        if let (None, Some((storage, index))) = (cause, sending.stored) {
            self.storage.set_status(storage, index, Status::StoSent);
        }
        let reference = format!("{}: {}", sending.command, sending.reference);
        match (sending.aftermath, cause) {
            (Aftermath::Silence, _) => {}
            (Aftermath::Failure(failure), _) => self.finish(now, Vec::new(), Err(failure)),
            (_, Some(cause)) => self.finish(now, Vec::new(), Err(Failure::Cms(u16::from(cause)))),
            (Aftermath::Half(HalfResult::Reference), None) => self.say_lines(&[reference]),
            (Aftermath::Half(HalfResult::Ok), None) => self.finish(now, Vec::new(), Ok(())),
            (Aftermath::Late(late), None) => {
                let result = self.settings.render(&[reference], Ok(()), None);
                self.timers.add(now + late, Event::Say(result));
            }
            (Aftermath::Normal, None) => self.finish(now, vec![reference], Ok(())),
        }
        self.turns.result_told = true;
        self.settle(now);
    }

    fn lose_port(&mut self, now: Mono) {
        self.port_goes(now, PORT_BACK_AFTER);
    }

    /// The port goes away, and comes back after this time.
    pub(super) fn port_goes(&mut self, now: Mono, time: Duration) {
        self.port_gone = true;
        self.held.clear();
        if let Mode::Edit(_) = self.mode {
            self.mode = Mode::Command(Vec::new());
        }
        self.output.push_back(Output::PortLost);
        self.timers.retain(|event| !matches!(event, Event::PortBack));
        self.timers.add(now + time, Event::PortBack);
    }
}

const PORT_BACK_AFTER: Duration = Duration::from_secs(2);
/// "left over" to +15550009999.
const LEFT_OVER: &[u8] = &[
    0x01, 0x00, 0x0B, 0x91, 0x51, 0x55, 0x00, 0x90, 0x99, 0xF9, 0x00, 0x00, 0x09, 0xEC, 0xB2, 0x99, 0x0E, 0x7A, 0xDB,
    0xCB, 0x72,
];
