//! A message, its attempts and their parts; every change of state is in [`Message::apply`].
//!
//! A message holds attempts, an attempt holds parts, and each part its intent, result and report. What the caller sees
//! is the best over the attempts: delivered, then submitted, then uncertain, then the last failure.
//!
//! Rules that the transitions keep:
//!
//! - An intent is recorded before the byte that can't be taken back, and is closed by an outcome.
//! - A part that was accepted is never sent again within its attempt.
//! - An uncertain part stays uncertain until evidence settles it: a late result, a report. That it once was uncertain
//!   stays on record in `ever_uncertain`.
//! - Evidence is taken in every state, also in final ones; it can only make things clearer.
//! - A transition that is not allowed is an error and changes nothing.

use super::equipment::{Imei, SimCard};
use super::id::{ClientId, MessageId, VerificationId};
use super::msisdn::Msisdn;
use super::reason::Reason;
use super::time::{Deadline, Now, Wall};
use std::fmt;
use std::time::Duration;

/// One text to one number, and what became of it. The text itself is kept apart, since it is erased first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// Whose it is.
    pub client: ClientId,
    /// Order of acceptance; breaks ties between equal deadlines.
    pub sequence: u64,
    /// The recipient.
    pub to: Msisdn,
    /// The verification whose code it carries, if it carries one.
    pub verification: Option<VerificationId>,
    /// OTPs go before all else.
    pub priority: Priority,
    /// Class 0: shown at once, not stored (TS 23.038 §4).
    pub flash: bool,
    /// How many parts its text has.
    pub parts: u8,
    /// What to do when an attempt's end can't be known.
    pub on_uncertain: OnUncertain,
    /// The caller's own name for it.
    pub client_reference: Option<String>,
    /// When it was accepted.
    pub created: Wall,
    /// When it last changed.
    pub updated: Wall,
    /// Not to be sent before this, if the caller said so.
    pub send_at: Option<Deadline>,
    /// No 0x1A at or after this.
    pub deadline: Deadline,
    /// Where it stands.
    pub state: State,
    /// Every attempt, oldest first.
    pub attempts: Vec<Attempt>,
    /// SIM cards that refused it for a reason of their own, or left it uncertain: any other that is ready goes first.
    pub avoid: Vec<SimCard>,
    /// Whether any part was ever uncertain, also if it has been settled since.
    pub ever_uncertain: bool,
    /// Whether the one automatic identical resend has been spent.
    pub resend_used: bool,
    /// Goes up with each change.
    pub version: u32,
}

/// Who goes first. Lower goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// A code somebody is waiting for.
    Otp,
    /// A plain message that the caller marked urgent.
    High,
    /// Any other.
    Normal,
}

/// What to do when an attempt's end can't be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnUncertain {
    /// Send the identical message once more: a doubled code is harmless, a missing one is not.
    ResendOnce,
    /// Leave it uncertain until evidence settles it.
    Leave,
}

/// Where a message stands. The variants carry what only that state has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Waits for a modem.
    Queued {
        /// Not before this: a send_at or a retry's pause.
        not_before: Option<Deadline>,
        /// Only this SIM card may take it: parts of it are out already.
        only: Option<SimCard>,
        /// Why it is in the queue again, if it is.
        because: Option<Reason>,
    },
    /// A modem has it; an intent is open.
    Submitting,
    /// The network accepted all parts.
    Submitted {
        /// When no report is expected any more: TP-VP + 10 minutes.
        closes: Deadline,
        /// What is known of the report.
        report: ReportState,
    },
    /// It may or may not have gone out.
    Uncertain {
        /// Why.
        reason: Reason,
        /// Nothing more will be done about it, though late evidence is still taken.
        closed: bool,
    },
    /// The network reports that the recipient's phone has all parts.
    Delivered,
    /// The network reports that it gave up.
    Undelivered(Reason),
    /// It was not sent, or not whole, and will not be.
    Failed(Reason),
    /// Its life ended before it was sent.
    Expired(Reason),
    /// It was called off before it was sent.
    Canceled(Reason),
}

/// What is known of a submitted message's status report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportState {
    /// It may still come.
    Awaited,
    /// The window closed without one.
    None,
    /// The SC forwarded the message and can't confirm delivery (TP-ST 0x01).
    Unconfirmed,
}

/// A message's state in one word, as the API has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the words are those of the State variants")]
pub enum Status {
    Queued,
    Submitting,
    Submitted,
    Delivered,
    Undelivered,
    Failed,
    Expired,
    Canceled,
    Uncertain,
}

impl Status {
    /// All of them, in the order of a message's life.
    pub const ALL: [Status; 9] = [
        Self::Queued,
        Self::Submitting,
        Self::Submitted,
        Self::Delivered,
        Self::Undelivered,
        Self::Failed,
        Self::Expired,
        Self::Canceled,
        Self::Uncertain,
    ];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Submitting => "submitting",
            Self::Submitted => "submitted",
            Self::Delivered => "delivered",
            Self::Undelivered => "undelivered",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Canceled => "canceled",
            Self::Uncertain => "uncertain",
        }
    }

    /// The inverse of [`Status::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == word)
    }
}

/// One try to send a message whole, over one SIM card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The modem.
    pub modem: Imei,
    /// The SIM card in it.
    pub sim_card: SimCard,
    /// When its first intent was recorded.
    pub started: Wall,
    /// The concatenation reference that its parts share (TS 23.040 §9.2.3.24.1).
    pub concat_reference: u8,
    /// Parts begun so far, in order.
    pub parts: Vec<Part>,
}

/// One SMS-SUBMIT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// When its (latest) intent was recorded.
    pub intended: Wall,
    /// When its result was recorded.
    pub settled: Option<Wall>,
    /// How often it was refused within this attempt for a reason that counts.
    pub refusals: u8,
    /// Where it stands.
    pub state: PartState,
    /// Until when a report may be matched with it: TP-VP + 10 minutes.
    pub report_until: Deadline,
    /// The last report, if one came.
    pub report: Option<PartReport>,
}

/// Where a part stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartState {
    /// The intent is on record, the outcome is not.
    Intended,
    /// Provably not sent.
    NotSent(Reason),
    /// The network took it. TP-MR, if the modem told it.
    Accepted(Option<u8>),
    /// It may or may not have gone out.
    Uncertain(Reason),
}

/// Three-valued: accepted, refused, uncertain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartResult {
    /// Provably not sent, for this reason; what to do follows from it.
    NotSent(Reason),
    /// The network took it; TP-MR, if the modem told it.
    Accepted(Option<u8>),
    /// It may or may not have gone out.
    Uncertain(Reason),
}

/// A status report's say on one part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartReport {
    /// TP-ST as received.
    pub status: u8,
    /// What it means.
    pub verdict: ReportVerdict,
    /// When it came, by our own clock.
    pub at: Wall,
}

/// What a TP-ST means for a part (TS 23.040 §9.2.3.15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportVerdict {
    /// The recipient has it.
    Delivered,
    /// Forwarded; the SC can't confirm delivery. Final.
    Unconfirmed,
    /// The SC goes on trying: nothing changes.
    StillTrying,
    /// The SC gave up for a reason that a resend won't mend.
    Failed,
    /// The SC gave up after a temporary error: the one report after which a resend may help.
    GaveUp,
}

/// What happens to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A modem is about to send a part.
    Intent(IntentOf),
    /// A part was provably not sent.
    NotSent {
        /// Which part of which attempt.
        part: PartId,
        /// Why.
        reason: Reason,
        /// What to do about it.
        then: Then,
    },
    /// The network took a part.
    Accepted {
        /// Which part of which attempt.
        part: PartId,
        /// TP-MR, if the modem told it.
        reference: Option<u8>,
    },
    /// Nobody knows whether a part went out.
    Uncertain {
        /// Which part of which attempt.
        part: PartId,
        /// Why not.
        reason: Reason,
        /// Whether to spend the one resend on it.
        resend: bool,
    },
    /// A status report was matched with a part.
    Reported {
        /// Which part of which attempt.
        part: PartId,
        /// TP-MR of the report; settles an uncertain part.
        reference: u8,
        /// The report.
        report: PartReport,
        /// Whether to spend the one resend, where the verdict permits one.
        resend: bool,
    },
    /// The modem that had it let go of it between two parts.
    Release,
    /// Somebody called it off.
    Cancel(Reason),
    /// Its deadline came.
    Expire(Reason),
    /// It can't be sent at all.
    Fail(Reason),
    /// The report window closed.
    Close,
}

/// An intent to send one part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntentOf {
    /// The modem.
    pub modem: Imei,
    /// The SIM card in it.
    pub sim_card: SimCard,
    /// Which part of which attempt. The attempt is a new one if its number is that of the attempts so far.
    pub part: PartId,
    /// The concatenation reference of the attempt.
    pub concat_reference: u8,
    /// Until when a report may be matched: TP-VP + 10 minutes.
    pub report_until: Deadline,
    /// How long a send over this SIM card takes, with a margin: a code with less life left is not sent.
    pub needs: Duration,
}

/// A part by its attempt's number and its own, both from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartId {
    /// Index into [`Message::attempts`].
    pub attempt: u8,
    /// Index into [`Attempt::parts`].
    pub part: u8,
}

/// What to do about a part that was provably not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Try again, after this pause. Counts as one of its tries.
    Retry {
        /// How long to wait.
        pause: Duration,
        /// Rather over another SIM card than this one (only while no part of the attempt is out).
        other_sim_card: bool,
    },
    /// The same, but it counts for nothing: the modem's trouble was not the message's.
    Wait {
        /// How long to wait.
        pause: Duration,
        /// As in `Retry`.
        other_sim_card: bool,
    },
    /// Give up.
    GiveUp,
}

/// Why an event can't happen to a message as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// A modem has it, or had it.
    OnAir,
    /// It has ended.
    Final,
    /// Its deadline has come, by one of the clocks.
    Expired,
    /// It carries a code, and too little of its life is left.
    TooLate,
    /// The attempt or part named does not exist, or is not in the state the event needs.
    OutOfStep,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OnAir => "a modem has it or had it",
            Self::Final => "it has ended",
            Self::Expired => "its deadline has come",
            Self::TooLate => "too little of its life is left",
            Self::OutOfStep => "the part named is not in the state this needs",
        })
    }
}

impl std::error::Error for Refused {}

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
            Event::Expire(reason) => self.give_up(State::Expired(reason))?,
            Event::Fail(reason) => self.give_up(State::Failed(reason))?,
            Event::Close => self.close()?,
        }
        self.version += 1;
        self.updated = now.wall;
        Ok(())
    }

    /// The state in one word.
    pub fn status(&self) -> Status {
        match self.state {
            State::Queued { .. } => Status::Queued,
            State::Submitting => Status::Submitting,
            State::Submitted { .. } => Status::Submitted,
            State::Uncertain { .. } => Status::Uncertain,
            State::Delivered => Status::Delivered,
            State::Undelivered(_) => Status::Undelivered,
            State::Failed(_) => Status::Failed,
            State::Expired(_) => Status::Expired,
            State::Canceled(_) => Status::Canceled,
        }
    }

    /// Why it is in its state, where there is something to say.
    pub fn reason(&self) -> Option<Reason> {
        match self.state {
            State::Queued { because, .. } => because,
            State::Submitting | State::Submitted { .. } | State::Delivered => None,
            State::Uncertain { reason, .. } => Some(reason),
            State::Undelivered(r) | State::Failed(r) | State::Expired(r) | State::Canceled(r) => Some(r),
        }
    }

    /// Whether nothing more is expected to happen. Late evidence may still come.
    pub fn is_final(&self) -> bool {
        match self.state {
            State::Queued { .. } | State::Submitting => false,
            State::Submitted { report, .. } => report != ReportState::Awaited,
            State::Uncertain { closed, .. } => closed,
            _ => true,
        }
    }

    /// Whether its text may still be needed for a 0x1A.
    pub fn text_needed(&self, now: &Now) -> bool {
        match self.state {
            State::Queued { .. } | State::Submitting => true,
            State::Submitted { report: ReportState::Awaited, .. } => self.may_resend(now),
            // A report may permit the resend; and while its result may still come, a late "accepted" for part 1 of 3
            // lets parts 2 and 3 go out after all, a late refusal the part itself.
            State::Uncertain { closed: false, .. } => self.may_resend(now) || self.result_may_come(now),
            _ => false,
        }
    }

    /// Whether the one automatic identical resend is unspent and of use: at least [`RESEND_LIFE`] is left, and there is
    /// room for another attempt.
    pub fn may_resend(&self, now: &Now) -> bool {
        self.on_uncertain == OnUncertain::ResendOnce
            && !self.resend_used
            && self.attempts.len() < max_attempts(self.parts)
            && self.deadline.left(now) >= RESEND_LIFE
    }

    /// Whether the modem that has it may still tell how it went.
    fn result_may_come(&self, now: &Now) -> bool {
        let settled = self.attempts.iter().flat_map(|a| &a.parts).filter_map(|p| p.settled).max();
        settled.is_some_and(|at| now.wall < at + RESULT_LIFE)
    }

    /// Whether any part has had a report that says where it went.
    pub fn has_report(&self) -> bool {
        self.attempts.iter().flat_map(|a| &a.parts).any(|p| p.report.is_some())
    }

    /// The part that an open intent is for, if one is open.
    pub fn open_part(&self) -> Option<PartId> {
        let (a, attempt) = self.attempts.iter().enumerate().next_back()?;
        let p = attempt.parts.iter().position(|p| p.state == PartState::Intended)?;
        Some(PartId { attempt: a as u8, part: p as u8 })
    }

    /// Which part is to be sent next, were this modem with this SIM card to take the message now. An attempt of
    /// which nothing went out is taken up again by the same equipment, so that a busy modem does not grow the record; by
    /// any other once the record is full but for the one resend, so that two busy modems don't use it up between them.
    pub fn next_part(&self, modem: &Imei, sim_card: &SimCard) -> PartId {
        let last = self.attempts.len().wrapping_sub(1) as u8;
        let full = self.attempts.len() + 1 >= max_attempts(self.parts);
        match self.attempts.last() {
            Some(a) if a.is_resumable(self.parts) => PartId { attempt: last, part: a.accepted() as u8 },
            Some(a) if a.nothing_sent() && (full || a.sim_card == *sim_card && a.modem == *modem) => {
                PartId { attempt: last, part: 0 }
            }
            _ => PartId { attempt: self.attempts.len() as u8, part: 0 },
        }
    }

    /// The part named, if there is one.
    pub fn part(&self, id: PartId) -> Option<&Part> {
        self.attempts.get(usize::from(id.attempt))?.parts.get(usize::from(id.part))
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
                    only: under_way.then_some(sim_card),
                    because: Some(reason),
                };
            }
            _ => {
                self.state = self.best().unwrap_or(match reason {
                    _ if self.partly_out() => State::Failed(Reason::Partial),
                    _ if !over && then != Then::GiveUp => State::Expired(Reason::TtlPassed),
                    Reason::TtlPassed | Reason::TooLate => State::Expired(reason),
                    Reason::CanceledByCaller | Reason::Superseded | Reason::VerificationEnded => {
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
            State::Queued { .. } => {}
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
            State::Queued { .. } => {}
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

/// What an attempt came to, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Word {
    Nothing,
    Undelivered,
    Uncertain,
    Submitted,
    Delivered,
}

impl Attempt {
    /// How many parts the network took.
    pub fn accepted(&self) -> usize {
        self.parts.iter().filter(|p| matches!(p.state, PartState::Accepted(_))).count()
    }

    /// Where this attempt alone stands, of a message with so many parts.
    pub fn status(&self, total: u8) -> Status {
        match self.word(total) {
            Word::Delivered => Status::Delivered,
            Word::Submitted => Status::Submitted,
            Word::Uncertain => Status::Uncertain,
            Word::Undelivered => Status::Undelivered,
            Word::Nothing if self.parts.iter().any(|p| matches!(p.state, PartState::NotSent(_))) => Status::Failed,
            Word::Nothing => Status::Submitting,
        }
    }

    /// Whether it can go on with a further part: all begun parts are out but for a last one that was refused.
    pub fn is_resumable(&self, total: u8) -> bool {
        let accepted = self.accepted();
        accepted > 0
            && accepted < usize::from(total)
            && self.word(total) == Word::Nothing
            && self.parts[..accepted].iter().all(|p| matches!(p.state, PartState::Accepted(_)))
    }

    fn nothing_sent(&self) -> bool {
        self.parts.iter().all(|p| matches!(p.state, PartState::NotSent(_)))
    }

    fn word(&self, total: u8) -> Word {
        let verdict = |v: ReportVerdict| self.parts.iter().filter(move |p| p.report.is_some_and(|r| r.verdict == v));
        if verdict(ReportVerdict::Failed).chain(verdict(ReportVerdict::GaveUp)).next().is_some() {
            Word::Undelivered
        } else if self.parts.iter().any(|p| matches!(p.state, PartState::Uncertain(_))) {
            Word::Uncertain
        } else if self.accepted() < usize::from(total) {
            Word::Nothing
        } else if verdict(ReportVerdict::Delivered).count() == usize::from(total) {
            Word::Delivered
        } else {
            Word::Submitted
        }
    }

    fn state(&self, total: u8, closed: bool) -> Option<State> {
        let reports = || self.parts.iter().filter_map(|p| p.report);
        Some(match self.word(total) {
            Word::Nothing => return None,
            Word::Delivered => State::Delivered,
            Word::Undelivered => {
                let bad = reports().find(|r| matches!(r.verdict, ReportVerdict::Failed | ReportVerdict::GaveUp))?;
                State::Undelivered(Reason::Report(bad.status))
            }
            Word::Uncertain => {
                let reason = self.parts.iter().find_map(|p| match p.state {
                    PartState::Uncertain(reason) => Some(reason),
                    _ => None,
                })?;
                State::Uncertain { reason, closed }
            }
            Word::Submitted => {
                let settled = |v| matches!(v, ReportVerdict::Delivered | ReportVerdict::Unconfirmed);
                let all_in = reports().filter(|r| settled(r.verdict)).count() == usize::from(total);
                State::Submitted {
                    closes: self.parts.iter().map(|p| p.report_until).max_by_key(|d| d.wall)?,
                    report: match (all_in, closed) {
                        (true, _) => ReportState::Unconfirmed,
                        (false, true) => ReportState::None,
                        (false, false) => ReportState::Awaited,
                    },
                }
            }
        })
    }
}

/// A result does not come later than this after it was given up for uncertain: ports are listened to for 180 s.
pub const RESULT_LIFE: Duration = Duration::from_secs(200);

/// What is left of a life when a pause is cut short for a last try; and how short that makes no pause.
const LAST_TRY: Duration = Duration::from_secs(20);
const SHORTEST_PAUSE: Duration = Duration::from_secs(5);

/// Less life than this makes a resend pointless.
pub const RESEND_LIFE: Duration = Duration::from_secs(30);

/// No message is tried over more attempts than this, whatever happens: its record must stay bounded.
pub fn max_attempts(parts: u8) -> usize {
    (PARTS_ON_RECORD / usize::from(parts.max(1))).clamp(2, 16)
}

const PARTS_ON_RECORD: usize = 32;
