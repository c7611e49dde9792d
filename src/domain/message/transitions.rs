//! How a message changes.

use super::attempt::Word;
use super::{
    Attempt, Event, IntentOf, Message, Part, PartId, PartReport, PartState, Refused, ReportState, ReportVerdict, State,
    Then, max_attempts,
};
use crate::domain::equipment::SimCard;
use crate::domain::reason::Reason;
use crate::domain::time::Now;
use std::time::Duration;

impl Message {
    /// The only place where a message changes. On an error nothing has changed.
    pub fn apply(&mut self, now: &Now, event: Event) -> Result<(), Refused> {
        match event {
            Event::Intent(intent) => self.intend(now, intent)?,
            Event::NotSent { part, reason, then } => self.not_sent(now, part, reason, then)?,
            Event::Accepted { part, reference } => self.accepted(now, part, reference)?,
            Event::Uncertain { part, reason, resend } => self.uncertain(now, part, reason, resend)?,
            Event::Reported { part, reference, report, resend } => self.reported(part, reference, report, resend)?,
            Event::Release => self.release()?,
            Event::Cancel(reason) => self.cancel(now, reason)?,
            // Neither version nor time tells that it happened.
            Event::Suppress => return self.cancel(now, Reason::Suppressed),
            Event::Expire(reason) => self.give_up(State::Expired(reason))?,
            Event::Fail(reason) => self.give_up(State::Failed(reason))?,
            Event::Close => self.close()?,
        }
        self.version += 1;
        self.updated = now.wall;
        Ok(())
    }

    fn part_mut(&mut self, id: PartId) -> Result<&mut Part, Refused> {
        let attempt = self.attempts.get_mut(usize::from(id.attempt)).ok_or(Refused::OutOfStep)?;
        attempt.parts.get_mut(usize::from(id.part)).ok_or(Refused::OutOfStep)
    }

    fn intend(&mut self, now: &Now, intent: IntentOf) -> Result<(), Refused> {
        match self.state {
            State::Queued { .. } => {}
            // The next part of an attempt under way.
            State::Submitting if self.open_part().is_none() => {}
            State::Submitting => return Err(Refused::OnAir),
            _ => return Err(Refused::Final),
        }
        if self.deadline.passed_by_any(now) {
            return Err(Refused::Expired);
        }
        if self.verification.is_some() && self.deadline.left(now) < intent.needs {
            return Err(Refused::TooLate);
        }
        let index = usize::from(intent.part.attempt);
        if intent.part != self.next_part(&intent.modem, &intent.sim_card) || index >= max_attempts(self.parts) {
            return Err(Refused::OutOfStep);
        }
        let part = Part {
            intended: now.wall,
            settled: None,
            refusals: 0,
            state: PartState::Intended,
            report_until: intent.report_until,
            report: None,
        };
        if index == self.attempts.len() {
            self.attempts.push(Attempt {
                modem: intent.modem,
                sim_card: intent.sim_card,
                started: now.wall,
                concat_reference: intent.concat_reference,
                parts: vec![part],
            });
        } else {
            let attempt = &mut self.attempts[index];
            let (same, unsent) = (attempt.sim_card == intent.sim_card, attempt.nothing_sent());
            if attempt.concat_reference != intent.concat_reference || !(same || unsent) {
                return Err(Refused::OutOfStep);
            }
            if !(same && attempt.modem == intent.modem) && unsent {
                (attempt.modem, attempt.sim_card, attempt.started) = (intent.modem, intent.sim_card, now.wall);
            }
            match attempt.parts.get_mut(usize::from(intent.part.part)) {
                Some(again) => *again = Part { refusals: again.refusals, ..part },
                None => attempt.parts.push(part),
            }
        }
        self.state = State::Submitting;
        Ok(())
    }

    fn not_sent(&mut self, now: &Now, id: PartId, reason: Reason, then: Then) -> Result<(), Refused> {
        let ended = self.is_final();
        let part = self.part_mut(id)?;
        match part.state {
            PartState::Intended | PartState::Uncertain(_) => {}
            _ => return Err(Refused::OutOfStep),
        }
        part.state = PartState::NotSent(reason);
        part.settled = Some(now.wall);
        if !matches!(then, Then::Wait { .. }) {
            part.refusals = part.refusals.saturating_add(1);
        }
        let last = usize::from(id.attempt) + 1 == self.attempts.len();
        if matches!(self.state, State::Queued { .. }) || !last && self.state == State::Submitting {
            // Late news of an attempt that something else has followed: the queue or the newer attempt decides.
            return Ok(());
        }
        let attempt = &self.attempts[usize::from(id.attempt)];
        let under_way = attempt.accepted() > 0;
        let sim_card = attempt.sim_card.clone();
        // What was called off, went out in or was followed by another attempt, or is reported as undelivered in part, is
        // not tried again.
        let stuck = under_way && !attempt.is_resumable(self.parts);
        let over = ended || stuck || !last || self.best_word() >= Word::Submitted;
        match then {
            Then::Retry { pause, other_sim_card } | Then::Wait { pause, other_sim_card }
                if !over && !self.deadline.passed(now) =>
            {
                if other_sim_card && !under_way {
                    self.avoid(&sim_card);
                }
                // A pause beyond its life would waste what is left of it: one more try, then its deadline ends it.
                let pause = pause.min(self.deadline.left(now).saturating_sub(LAST_TRY).max(pause.min(SHORTEST_PAUSE)));
                self.state = State::Queued {
                    not_before: (!pause.is_zero()).then(|| now.after(pause)),
                    only: (under_way || self.is_canary()).then_some(sim_card),
                    because: Some(reason),
                };
            }
            _ => {
                self.state = self.best().unwrap_or(match reason {
                    _ if self.partly_out() => State::Failed(Reason::Partial),
                    _ if !over && then != Then::GiveUp => State::Expired(Reason::TtlPassed),
                    Reason::TtlPassed | Reason::TooLate => State::Expired(reason),
                    Reason::CanceledByCaller | Reason::Superseded | Reason::VerificationEnded | Reason::Suppressed => {
                        State::Canceled(reason)
                    }
                    _ => State::Failed(reason),
                });
            }
        }
        Ok(())
    }

    fn accepted(&mut self, now: &Now, id: PartId, reference: Option<u8>) -> Result<(), Refused> {
        let part = self.part_mut(id)?;
        match part.state {
            PartState::Intended | PartState::Uncertain(_) => {}
            _ => return Err(Refused::OutOfStep),
        }
        part.state = PartState::Accepted(reference);
        part.settled = Some(now.wall);
        self.reassess();
        Ok(())
    }

    fn uncertain(&mut self, now: &Now, id: PartId, reason: Reason, resend: bool) -> Result<(), Refused> {
        let part = self.part_mut(id)?;
        if part.state != PartState::Intended {
            return Err(Refused::OutOfStep);
        }
        part.state = PartState::Uncertain(reason);
        part.settled = Some(now.wall);
        self.ever_uncertain = true;
        if resend && !self.resend_used {
            self.queue_resend(id, reason);
        } else {
            self.reassess();
        }
        Ok(())
    }

    fn reported(&mut self, id: PartId, reference: u8, report: PartReport, resend: bool) -> Result<(), Refused> {
        let ended = self.is_final();
        let part = self.part_mut(id)?;
        // Of several reports the first final one counts: what follows is a repetition, or an old one that was overtaken.
        if part.report.is_some_and(|r| r.verdict != ReportVerdict::StillTrying) {
            return Ok(());
        }
        match part.state {
            PartState::Accepted(Some(_)) => {}
            PartState::Accepted(None) | PartState::Uncertain(_) => part.state = PartState::Accepted(Some(reference)),
            PartState::Intended | PartState::NotSent(_) => return Err(Refused::OutOfStep),
        }
        part.report = Some(report);
        // Not once it is final: then its text is gone.
        let at_rest = matches!(self.state, State::Submitted { .. } | State::Uncertain { .. }) && !ended;
        let resend = resend && !self.resend_used;
        if resend && at_rest && report.verdict == ReportVerdict::GaveUp && self.best_word() < Word::Submitted {
            self.queue_resend(id, Reason::Report(report.status));
        } else {
            self.reassess();
        }
        // The network knows for certain that it can't be delivered: a resend that waits would fare no better.
        let last = usize::from(id.attempt) + 1 == self.attempts.len();
        if report.verdict == ReportVerdict::Failed && last && matches!(self.state, State::Queued { only: None, .. }) {
            self.state = self.best().unwrap_or(State::Undelivered(Reason::Report(report.status)));
        }
        Ok(())
    }

    fn cancel(&mut self, now: &Now, reason: Reason) -> Result<(), Refused> {
        match self.state {
            // What is suppressed can be called off as what it seems to be.
            State::Queued { .. } | State::Canceled(Reason::Suppressed) => {}
            // The caller holds the part's gate, so nothing has left.
            State::Submitting => match self.open_part() {
                Some(id) => {
                    let part = self.part_mut(id)?;
                    part.state = PartState::NotSent(reason);
                    part.settled = Some(now.wall);
                }
                None => return Err(Refused::OnAir),
            },
            State::Submitted { .. } | State::Uncertain { .. } | State::Delivered | State::Undelivered(_) => {
                return Err(Refused::OnAir);
            }
            State::Failed(_) | State::Expired(_) | State::Canceled(_) => return Err(Refused::Final),
        }
        self.state = self.end(State::Canceled(reason));
        Ok(())
    }

    fn release(&mut self) -> Result<(), Refused> {
        let resumable = self.attempts.last().filter(|a| a.is_resumable(self.parts)).map(|a| a.sim_card.clone());
        match (&self.state, resumable) {
            (State::Submitting, Some(sim_card)) if self.open_part().is_none() => {
                self.state = State::Queued { not_before: None, only: Some(sim_card), because: None };
                Ok(())
            }
            _ => Err(Refused::OutOfStep),
        }
    }

    fn give_up(&mut self, otherwise: State) -> Result<(), Refused> {
        match self.state {
            State::Queued { .. } | State::Canceled(Reason::Suppressed) => {}
            State::Submitting if self.open_part().is_none() => {}
            State::Submitting => return Err(Refused::OnAir),
            _ => return Err(Refused::Final),
        }
        self.state = self.end(otherwise);
        Ok(())
    }

    fn close(&mut self) -> Result<(), Refused> {
        match &mut self.state {
            State::Submitted { report: report @ ReportState::Awaited, .. } => *report = ReportState::None,
            State::Uncertain { closed: closed @ false, .. } => *closed = true,
            _ => return Err(Refused::Final),
        }
        Ok(())
    }

    fn queue_resend(&mut self, of: PartId, because: Reason) {
        let sim_card = self.attempts[usize::from(of.attempt)].sim_card.clone();
        self.avoid(&sim_card);
        self.resend_used = true;
        self.state = State::Queued { not_before: None, only: None, because: Some(because) };
    }

    fn avoid(&mut self, sim_card: &SimCard) {
        if !self.avoid.contains(sim_card) && self.avoid.len() < max_attempts(self.parts) {
            self.avoid.push(sim_card.clone());
        }
    }

    /// After news of a part: a message under way goes on, one whose missing part turned up is taken up where it stood, a
    /// queued resend is called off by success and a queued further part by failure; else it is the best that its attempts
    /// came to.
    fn reassess(&mut self) {
        let resumable = self.attempts.last().filter(|a| a.is_resumable(self.parts)).map(|a| a.sim_card.clone());
        let out = self.best_word() >= Word::Submitted;
        match (&self.state, resumable) {
            (State::Submitting, _) if self.open_part().is_some() => {}
            (State::Submitting, Some(_)) if !out => {}
            // It waits for its next part already, perhaps until a pause is over.
            (State::Queued { only: Some(_), .. }, Some(_)) if !out => {}
            (State::Queued { .. } | State::Uncertain { closed: false, .. }, Some(sim_card)) if !out => {
                let because = self.reason();
                self.state = State::Queued { not_before: None, only: Some(sim_card), because };
            }
            (State::Queued { only: None, .. }, None) if !out => {}
            _ => match self.best() {
                Some(state) => self.state = state,
                // Its uncertain part went out after all, too late for the others.
                None if matches!(self.state, State::Uncertain { .. }) => self.state = State::Failed(Reason::Partial),
                None => {}
            },
        }
    }

    /// How it ends if nothing more is sent: with what the attempts came to, else as `otherwise` says.
    fn end(&self, otherwise: State) -> State {
        match self.best() {
            Some(State::Uncertain { reason, .. }) => State::Uncertain { reason, closed: true },
            Some(state) => state,
            None if self.partly_out() => State::Failed(Reason::Partial),
            None => otherwise,
        }
    }

    fn partly_out(&self) -> bool {
        self.attempts.iter().any(|a| a.accepted() > 0)
    }

    /// The best that the attempts came to, if any came to more than nothing.
    fn best(&self) -> Option<State> {
        let (_, attempt) = self.ranked()?;
        // What is final stays so, whatever evidence comes: its text is gone.
        match attempt.state(self.parts, self.is_final())? {
            // As that of one that was out already may be.
            State::Uncertain { reason, .. } if matches!(self.state, State::Submitted { .. }) => {
                Some(State::Uncertain { reason, closed: true })
            }
            state => Some(state),
        }
    }

    fn best_word(&self) -> Word {
        self.ranked().map_or(Word::Nothing, |(word, _)| word)
    }

    fn ranked(&self) -> Option<(Word, &Attempt)> {
        self.attempts.iter().map(|a| (a.word(self.parts), a)).max_by_key(|(word, _)| *word)
    }
}

/// What is left of a life when a pause is cut short for a last try; and how short that makes no pause.
const LAST_TRY: Duration = Duration::from_secs(20);
const SHORTEST_PAUSE: Duration = Duration::from_secs(5);
