//! A message, its attempts and their parts; every change of state is in [`Message::apply`] (`message/transitions.rs`).
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

mod attempt;
mod transitions;

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
    /// Called off, and nobody but an admin is to see that: see [`Message::as_seen`].
    Suppress,
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
    /// Whether it is one that a SIM card sends to its own number: that card's alone, whatever becomes of it.
    pub fn is_canary(&self) -> bool {
        self.client == ClientId::GATEWAY && self.client_reference.as_deref() == Some(CANARY)
    }

    /// When this part was begun.
    pub fn part_begun(&self, part: PartId) -> Option<Wall> {
        Some(self.attempts.get(usize::from(part.attempt))?.parts.get(usize::from(part.part))?.intended)
    }

    /// Whether it was called off and that is concealed.
    pub fn is_suppressed(&self) -> bool {
        matches!(self.state, State::Canceled(Reason::Suppressed) | State::Expired(Reason::Suppressed))
    }

    /// As everybody sees it who is no admin: what is suppressed seems to wait, and then to expire.
    pub fn as_seen(mut self) -> Self {
        self.state = match self.state {
            State::Canceled(Reason::Suppressed) => {
                State::Queued { not_before: self.send_at, only: None, because: None }
            }
            State::Expired(Reason::Suppressed) => State::Expired(Reason::TtlPassed),
            state => state,
        };
        self
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
}

/// The name that the gateway gives its own messages by which a SIM card is to reach itself.
pub const CANARY: &str = "canary";

/// A result does not come later than this after it was given up for uncertain: ports are listened to for 180 s.
pub const RESULT_LIFE: Duration = Duration::from_secs(200);

/// Less life than this makes a resend pointless.
pub const RESEND_LIFE: Duration = Duration::from_secs(30);

/// No message is tried over more attempts than this, whatever happens: its record must stay bounded.
pub fn max_attempts(parts: u8) -> usize {
    (PARTS_ON_RECORD / usize::from(parts.max(1))).clamp(2, 16)
}

const PARTS_ON_RECORD: usize = 32;
