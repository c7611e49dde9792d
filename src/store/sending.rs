//! Operations of the modems' side: claims, intents, outcomes, reports, and what time brings.

use super::engine::Engine;
use super::gate::Lease;
use super::index::{Awaited, UNMATCHED_LIFE};
use super::record::{Key, Record};
use super::{Body, Claim, Grant, Outcome, Report, StoreError};
use crate::dispatch::retry;
use crate::domain::equipment::{Imei, SimCard};
use crate::domain::id::{MessageId, VerificationId};
use crate::domain::message::{Event, IntentOf, Message, PartId, PartReport, PartResult, Refused, ReportVerdict, State};
use crate::domain::reason::Reason;
use crate::domain::secret::Secret;
use crate::domain::time::Now;
use crate::domain::verification::{CodeSource, Verification, VerificationEvent};
use crate::otp::challenge;

/// What a report speaks of.
enum Fits<T> {
    /// This.
    Part(T),
    /// A part whose report came already.
    Repeated,
    /// Nothing, or nothing for certain, yet.
    Nothing,
}

impl Engine {
    /// The next message for a SIM card, with its text whole. Passes over none: what can't go now is not in the queue.
    pub(super) fn next_claim(&mut self, modem: &Imei, sim_card: &SimCard, now: &Now) -> Option<Claim> {
        while self.index.has_work(sim_card, now.mono) {
            let (id, claimed) = self.index.claim(modem, sim_card, now.mono)?;
            let Some((message, text)) =
                self.message(id).ok().and_then(|m| Some((self.text_of(&m)?, m))).map(|(t, m)| (m, t))
            else {
                self.text_is_lost(id);
                continue;
            };
            let number = self.number_hash(&message.to);
            let concat_reference = match message.attempts.last() {
                Some(attempt) => attempt.concat_reference,
                None if message.parts == 1 => 0,
                None => self.index.next_reference(number, message.sequence as u8, now.mono),
            };
            let give_back = self.give_back.clone();
            let lease = Lease::new(id, move |id| give_back(id, claimed.token));
            return Some(Claim { message, text, concat_reference, gate: claimed.gate, lease });
        }
        None
    }

    /// A claim was dropped. If its intent is still open, the byte may have left or not: the gate knows.
    pub(super) fn given_back(&mut self, id: MessageId, token: u64, now: &Now) {
        let Some(claimed) = self.index.claimed(id).filter(|c| c.token == token).cloned() else { return };
        self.index.release(id);
        let Ok(mut message) = self.message(id) else { return };
        let event = match (&message.state, message.open_part()) {
            (State::Submitting, Some(part)) if claimed.gate.shut() => {
                let then = retry::after_refusal(&message, part, Reason::NotTransmitted, false, now);
                Event::NotSent { part, reason: Reason::NotTransmitted, then }
            }
            (State::Submitting, Some(part)) => {
                let resend = retry::resend_uncertain(&message, now);
                Event::Uncertain { part, reason: Reason::PortLost, resend }
            }
            (State::Submitting, None) => Event::Release,
            _ => {
                // Never begun: back into its queue as it was.
                let number = self.number_hash(&message.to);
                self.index.put_message(&message, number, now);
                return;
            }
        };
        if self.applied(&mut message, now, event) {
            self.put_message(message, now);
        }
    }

    /// Records an intent, if the message may still go.
    pub(super) fn begin(&mut self, id: MessageId, intent: IntentOf, now: &Now) -> Grant {
        if self.is_quarantined() {
            return Grant::Refused(Refused::OutOfStep);
        }
        let Ok(mut message) = self.message(id) else { return Grant::Refused(Refused::OutOfStep) };
        if self.verification_ended(&message) {
            if message.apply(now, Event::Cancel(Reason::VerificationEnded)).is_ok() {
                self.put_message(message, now);
            }
            return Grant::Refused(Refused::Final);
        }
        match message.apply(now, Event::Intent(intent)) {
            Ok(()) => {
                if let Some(claimed) = self.index.claimed(id) {
                    claimed.gate.reopen();
                }
                self.put_message(message, now);
                Grant::Granted
            }
            Err(why) => {
                let ended = match why {
                    Refused::Expired => Some(Reason::TtlPassed),
                    Refused::TooLate => Some(Reason::TooLate),
                    _ => None,
                };
                if let Some(reason) = ended
                    && message.apply(now, Event::Expire(reason)).is_ok()
                {
                    self.put_message(message, now);
                }
                Grant::Refused(why)
            }
        }
    }

    /// Records what became of a part.
    pub(super) fn settle(&mut self, outcome: Outcome, now: &Now) -> Result<(), StoreError> {
        let Outcome { message: id, part, sim_card, result } = outcome;
        self.refuse_writes()?;
        let mut message = self.message(id)?;
        if message.attempts.get(usize::from(part.attempt)).is_none_or(|a| a.sim_card != sim_card) {
            tracing::error!(message.id = %id, "An outcome names another SIM card than the attempt's; it is not believed");
            return Err(StoreError::Message(Refused::OutOfStep));
        }
        let event = match result {
            PartResult::Accepted(reference) => Event::Accepted { part, reference },
            PartResult::Uncertain(reason) => {
                Event::Uncertain { part, reason, resend: retry::resend_uncertain(&message, now) }
            }
            PartResult::NotSent(reason) => {
                // A part that is out binds the others to its SIM card.
                let bound = message.attempts.iter().any(|a| a.sim_card == sim_card && a.is_resumable(message.parts));
                let other = !bound && self.index.sim_cards.another_is_ready(&sim_card, &message.avoid);
                Event::NotSent { part, reason, then: retry::after_refusal(&message, part, reason, other, now) }
            }
        };
        let ours = message.state == State::Submitting;
        if !self.applied(&mut message, now, event) {
            return Err(StoreError::Message(Refused::OutOfStep));
        }
        // Late news of an earlier attempt ends no claim: another modem may have made the message ready by now, and a
        // cancel must find that one's gate.
        if ours && matches!(message.state, State::Queued { .. }) {
            self.index.release(id);
        }
        if message.ever_uncertain && matches!(result, PartResult::NotSent(_) | PartResult::Uncertain(_)) {
            tracing::info!(message.id = %id, status = message.status().as_str(), "Uncertain part recorded");
        }
        self.put_message(message, now);
        // A report may have come ahead of the result that tells its TP-MR.
        if !self.unmatched.is_empty() {
            for (until, report) in self.unmatched.take(&sim_card, now.mono) {
                if matches!(self.matched(&report, now), Fits::Nothing) {
                    self.unmatched.keep(report, until, now.mono);
                }
            }
        }
        Ok(())
    }

    /// Matches a report with a part, or keeps it for a while.
    pub(super) fn report(&mut self, report: Report, now: &Now) -> Option<MessageId> {
        self.refuse_writes().ok()?;
        match self.matched(&report, now) {
            Fits::Part(id) => Some(id),
            Fits::Repeated => None,
            Fits::Nothing => {
                tracing::info!(sim_card = %report.sim_card, "A status report fits no message yet");
                self.unmatched.keep(report, now.mono + UNMATCHED_LIFE, now.mono);
                None
            }
        }
    }

    fn matched(&mut self, report: &Report, now: &Now) -> Fits<MessageId> {
        match self.find_reported(report, now) {
            Fits::Part((mut message, part)) => {
                let id = message.id;
                let &Report { reference, status, verdict, .. } = report;
                let resend = retry::resend_reported(&message, verdict, now);
                let report = PartReport { status, verdict, at: now.wall };
                if self.applied(&mut message, now, Event::Reported { part, reference, report, resend }) {
                    self.put_message(*message, now);
                }
                Fits::Part(id)
            }
            // Not to be kept: some modems give every message the same TP-MR, and the next one would be taken for it.
            Fits::Repeated => Fits::Repeated,
            Fits::Nothing => Fits::Nothing,
        }
    }

    /// The part that a report speaks of: by SIM card, TP-MR and window, then the last digits of the recipient; newest
    /// unresolved first. Failing that, an uncertain part, if it is the only one that fits.
    fn find_reported(&mut self, report: &Report, now: &Now) -> Fits<(Box<Message>, PartId)> {
        let known = self.index.awaited(&report.sim_card, report.reference, now.mono);
        let fitting = self.fitting(known, report);
        if !fitting.is_empty() {
            let unresolved = |(m, p): &(Message, PartId)| {
                m.part(*p).is_some_and(|p| p.report.is_none_or(|r| r.verdict == ReportVerdict::StillTrying))
            };
            let newest = fitting.into_iter().filter(unresolved).max_by_key(|(m, p)| m.part(*p).map(|p| p.intended));
            return newest.map_or(Fits::Repeated, |(message, part)| Fits::Part((Box::new(message), part)));
        }
        let uncertain = self.index.unreferenced(&report.sim_card, now.mono);
        let mut fitting = self.fitting(uncertain, report);
        // With one open to the same number the report may be that one's, ahead of its result: then it waits for that.
        match fitting.pop() {
            Some((message, part)) if fitting.is_empty() && message.open_part() != Some(part) => {
                Fits::Part((Box::new(message), part))
            }
            _ => Fits::Nothing,
        }
    }

    fn fitting(&self, candidates: Vec<Awaited>, report: &Report) -> Vec<(Message, PartId)> {
        let mut found = Vec::new();
        for candidate in candidates {
            if let Ok(message) = self.message(candidate.message)
                && message.to.ends_like(report.recipient.reveal())
            {
                found.push((message, candidate.part));
            }
        }
        found
    }

    /// A message's timer has come.
    pub(super) fn message_due(&mut self, id: MessageId, now: &Now) {
        let Ok(mut message) = self.message(id) else {
            self.index.clear_timer(super::index::Timer::Message(id));
            return;
        };
        let event = match &message.state {
            State::Queued { .. } if message.deadline.passed(now) => Some(Event::Expire(Reason::TtlPassed)),
            State::Submitted { closes, .. } if closes.passed(now) => Some(Event::Close),
            State::Uncertain { closed: false, .. } if message.deadline.passed(now) => Some(Event::Close),
            _ => None,
        };
        match event {
            Some(event) => {
                if self.applied(&mut message, now, event) {
                    self.put_message(message, now);
                }
            }
            None => {
                // Ready now, or to be looked at later, or its text can go: the index works that out again.
                if !message.text_needed(now) {
                    self.delete(Key::Body(id));
                }
                let number = self.number_hash(&message.to);
                self.index.put_message(&message, number, now);
            }
        }
    }

    /// A verification's timer has come.
    pub(super) fn verification_due(&mut self, id: VerificationId, now: &Now) {
        let Ok(mut verification) = self.verification_record(id) else {
            self.index.clear_timer(super::index::Timer::Verification(id));
            return;
        };
        match verification.apply(now, VerificationEvent::Expire) {
            Ok(()) => self.put_verification(verification, now),
            Err(_) => {
                let number = self.number_hash(&verification.to);
                self.index.put_verification(&verification, number, now);
            }
        }
    }

    /// Ends a message whose text is missing: with its verification the code has ended, else the text is lost.
    pub(super) fn end_textless(&mut self, id: MessageId, now: &Now) {
        self.index.release(id);
        let Ok(mut message) = self.message(id) else { return };
        // A code is gone with its verification, and that is no loss.
        let event = match self.verification_ended(&message) {
            true => Event::Cancel(Reason::VerificationEnded),
            false => Event::Fail(Reason::TextLost),
        };
        if self.applied(&mut message, now, event) {
            self.put_message(message, now);
        }
    }

    /// Whether it carries the code of a verification that has ended. Only the last of its messages is called off with
    /// it; an earlier one may be in the queue again for a resend.
    fn verification_ended(&self, message: &Message) -> bool {
        message.verification.and_then(|id| self.verification_record(id).ok()).is_some_and(|v| v.is_final())
    }

    /// Calls off a message that has not left yet, if it can be.
    pub(super) fn call_off(&mut self, id: MessageId, reason: Reason, now: &Now) -> Result<Message, StoreError> {
        let mut message = self.message(id)?;
        if message.state == State::Submitting && !self.index.claimed(id).is_some_and(|c| c.gate.shut()) {
            return Err(StoreError::Message(Refused::OnAir));
        }
        message.apply(now, Event::Cancel(reason)).map_err(StoreError::Message)?;
        if let Some(claimed) = self.index.claimed(id) {
            claimed.gate.shut();
        }
        self.put_message(message.clone(), now);
        Ok(message)
    }

    /// The right code, as it stands now.
    pub(super) fn code_of(&self, verification: &Verification) -> Option<Secret> {
        match &verification.code {
            CodeSource::Derived { length, generation, nonce } => {
                let key = self.code_key(verification.id)?;
                Some(challenge::derive(key, verification.id, *generation, nonce, *length))
            }
            CodeSource::Supplied => match self.get(Key::SuppliedCode(verification.id)) {
                Ok(Some(Record::SuppliedCode(code))) => Some(code),
                _ => None,
            },
            CodeSource::Erased => None,
        }
    }

    fn text_of(&self, message: &Message) -> Option<Secret> {
        match (self.get(Key::Body(message.id)).ok()??, message.verification) {
            (Record::Body(Body::Text(text)), _) => Some(text),
            (Record::Body(Body::Code { before, after }), Some(id)) => {
                let code = self.code_of(&self.verification_record(id).ok()?)?;
                Some(Secret::new(format!("{}{}{}", before.reveal(), code.reveal(), after.reveal())))
            }
            _ => None,
        }
    }

    /// Applies an event; one that is not allowed is logged and keeps the state.
    fn applied(&mut self, message: &mut Message, now: &Now, event: Event) -> bool {
        match message.apply(now, event) {
            Ok(()) => true,
            Err(why) => {
                tracing::warn!(message.id = %message.id, status = message.status().as_str(), %why, "Out of step; nothing changed");
                false
            }
        }
    }
}
