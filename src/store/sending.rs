//! Operations of the modems' side: claims, intents, outcomes, and what time brings.

use super::engine::{Claimer, Engine};
use super::gate::Lease;
use super::index::Pull;
use super::record::{Key, Record};
use super::{Body, Claim, Grant, Outcome, StoreError};
use crate::dispatch::quota::Kind;
use crate::dispatch::retry::{self, Others};
use crate::domain::equipment::SimCard;
use crate::domain::id::{MessageId, VerificationId};
use crate::domain::message::{Event, IntentOf, Message, PartId, PartResult, Refused, State};
use crate::domain::reason::Reason;
use crate::domain::secret::Secret;
use crate::domain::time::{Mono, Now};
use crate::domain::verification::{CodeSource, Verification, VerificationEvent};
use crate::otp::challenge::{self, Recipe};

impl Engine {
    /// The next message for a SIM card, with its text whole; else when there may be one. Passes over none: what can't go now is
    /// not in the queue.
    pub(super) fn next_claim(&mut self, claimer: &Claimer, now: &Now) -> Result<Claim, Option<Mono>> {
        loop {
            let (id, claimed) = match self.index.claim(&claimer.modem, &claimer.sim_card, claimer.urgent, now) {
                Pull::Claimed(id, claimed) => (id, claimed),
                Pull::Later(later) => return Err(later),
            };
            let Ok(message) = self.message(id) else {
                self.lose(id);
                continue;
            };
            let Some(text) = self.text_of(&message) else {
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
            return Ok(Claim { message, text, concat_reference, gate: claimed.gate, lease });
        }
    }

    /// A claim was dropped. If its intent is still open, the byte may have left or not: the gate knows.
    pub(super) fn given_back(&mut self, id: MessageId, token: u64, now: &Now) {
        let Some(claimed) = self.index.claimed(id).filter(|c| c.token == token).cloned() else { return };
        self.index.release(id);
        let Ok(mut message) = self.message(id) else { return };
        let event = match (&message.state, message.open_part()) {
            (State::Submitting, Some(part)) if claimed.gate.shut() => {
                let then = retry::after_refusal(&message, part, Reason::NotTransmitted, Others::default(), now);
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
        let result = match event {
            Event::Uncertain { part, reason, .. } => Some((part, PartResult::Uncertain(reason))),
            Event::NotSent { part, reason, .. } => Some((part, PartResult::NotSent(reason))),
            _ => None,
        };
        if self.applied(&mut message, now, event) {
            match result {
                Some((part, result @ PartResult::Uncertain(_))) => self.note_outcome(&message, part, result, now),
                Some((part, _)) => self.give_room_back(&message, part, now),
                None => {}
            }
            self.put_message(message, now);
        }
    }

    /// Records an intent, if the message may still go.
    pub(super) fn begin(&mut self, id: MessageId, intent: IntentOf, now: &Now) -> Grant {
        if self.is_quarantined() {
            return Grant::Refused(Refused::OutOfStep);
        }
        let Ok(mut message) = self.message(id) else { return Grant::Refused(Refused::OutOfStep) };
        if let Some(reason) = self.outlived(&message).or_else(|| self.unwanted(&message)) {
            if message.apply(now, calling_off(reason)).is_ok() {
                self.put_message(message, now);
            }
            return Grant::Refused(Refused::Final);
        }
        let (part, sim_card) = (intent.part, intent.sim_card.clone());
        match message.apply(now, Event::Intent(intent)) {
            Ok(()) => {
                if let Some(claimed) = self.index.claimed(id) {
                    claimed.gate.reopen();
                }
                // Durably: what is on record with the intent is counted again after a restart.
                let (number, jitter) = (self.number_hash(&message.to), self.jitter(id, part));
                self.index.sim_cards.charge(&sim_card, number, Kind::of(&message), jitter, now);
                self.index.begun(id);
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
                // A part that is out binds the others to its SIM card, and so does what is to show whether that card works.
                let bound = message.is_canary()
                    || message.attempts.iter().any(|a| a.sim_card == sim_card && a.is_resumable(message.parts));
                let number = self.number_hash(&message.to);
                let mut another = |but: &[SimCard]| self.index.another_may_take(&message, number, &sim_card, but, now);
                let others = match bound {
                    true => Others::default(),
                    false => Others { fresh: another(&message.avoid), able: another(&retry::barred(&message)) },
                };
                Event::NotSent { part, reason, then: retry::after_refusal(&message, part, reason, others, now) }
            }
        };
        let ours = message.state == State::Submitting;
        if !self.applied(&mut message, now, event) {
            return Err(StoreError::Message(Refused::OutOfStep));
        }
        if let (PartResult::Accepted(_), Some(begun)) = (result, message.part_begun(part)) {
            self.index.sim_cards.took(&sim_card, now.wall - begun, now);
        }
        self.note_outcome(&message, part, result, now);
        let number = self.number_hash(&message.to);
        match result {
            PartResult::Accepted(_) => self.unassigned.reached(&sim_card, number, now.mono),
            PartResult::NotSent(Reason::Cms(1)) => self.unassigned.refused(&sim_card, number, now.mono),
            _ => {}
        }
        if let PartResult::NotSent(_) = result {
            self.give_room_back(&message, part, now);
        }
        if let Some((change, sentence)) = self.index.sim_cards.settled(&sim_card, number, result, now) {
            self.sim_card_changed(&sim_card, change, sentence, now);
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
        self.match_kept_reports(&sim_card, now);
        Ok(())
    }

    /// A part that was counted with its intent has provably not been sent.
    fn give_room_back(&mut self, message: &Message, part: PartId, now: &Now) {
        let Some(attempt) = message.attempts.get(usize::from(part.attempt)) else { return };
        let number = self.number_hash(&message.to);
        self.index.sim_cards.give_back(&attempt.sim_card, number, now);
        self.index.unpark(&attempt.sim_card);
    }

    /// A message's timer has come.
    pub(super) fn message_due(&mut self, id: MessageId, now: &Now) {
        let Ok(mut message) = self.message(id) else { return self.lose(id) };
        let event = match &message.state {
            State::Queued { .. } if message.deadline.passed(now) => Some(Event::Expire(Reason::TtlPassed)),
            State::Canceled(Reason::Suppressed) if message.deadline.passed(now) => {
                Some(Event::Expire(Reason::Suppressed))
            }
            State::Submitted { closes, .. } if closes.passed(now) => Some(Event::Close),
            State::Uncertain { closed: false, .. } if message.deadline.passed(now) => Some(Event::Close),
            _ => None,
        };
        match event {
            Some(event) => {
                let unreported = event == Event::Close && matches!(message.state, State::Submitted { .. });
                if self.applied(&mut message, now, event) {
                    if unreported {
                        self.delivery_unreported(&message, now);
                    }
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
        let event = self.outlived(&message).map_or(Event::Fail(Reason::TextLost), Event::Cancel);
        if self.applied(&mut message, now, event) {
            self.put_message(message, now);
        }
    }

    /// Why its code need not go out any more: its verification has ended, or a newer message carries the code, or a fresh
    /// one. Only the last message of a verification is called off with it; an earlier one may be in the queue again for
    /// its resend.
    fn outlived(&self, message: &Message) -> Option<Reason> {
        let verification = self.verification_record(message.verification?).ok()?;
        match verification.is_final() {
            true => Some(Reason::VerificationEnded),
            false => (verification.message != message.id).then_some(Reason::Superseded),
        }
    }

    /// Calls off a message that has not left yet, if it can be.
    pub(super) fn call_off(&mut self, id: MessageId, reason: Reason, now: &Now) -> Result<Message, StoreError> {
        let mut message = self.message(id)?;
        if message.state == State::Submitting && !self.index.claimed(id).is_some_and(|c| c.gate.shut()) {
            return Err(StoreError::Message(Refused::OnAir));
        }
        let open = message.open_part();
        message.apply(now, calling_off(reason)).map_err(StoreError::Message)?;
        if let Some(part) = open {
            self.give_room_back(&message, part, now);
        }
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
                let wording = &verification.origin.wording;
                let recipe = Recipe { length: *length, alphabet: wording.alphabet, payment: wording.payment() };
                Some(challenge::derive(key, verification.id, *generation, nonce, recipe))
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
            (Record::Body(Body::Code(pieces)), Some(id)) => {
                let code = self.code_of(&self.verification_record(id).ok()?)?;
                let pieces: Vec<&str> = pieces.iter().map(Secret::reveal).collect();
                Some(Secret::new(pieces.join(code.reveal())))
            }
            _ => None,
        }
    }

    /// Applies an event; one that is not allowed is logged and keeps the state.
    pub(super) fn applied(&mut self, message: &mut Message, now: &Now, event: Event) -> bool {
        match message.apply(now, event) {
            Ok(()) => true,
            Err(why) => {
                tracing::warn!(message.id = %message.id, status = message.status().as_str(), %why, "Out of step; nothing changed");
                false
            }
        }
    }
}

/// What is concealed leaves no trace.
fn calling_off(reason: Reason) -> Event {
    if reason == Reason::Suppressed { Event::Suppress } else { Event::Cancel(reason) }
}
