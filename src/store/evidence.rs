//! What is learned of a message after its send: status reports, and results that nobody waits for any more.

use super::engine::Engine;
use super::expected::{Kept, PartOf};
use super::{LateResult, LeftOpen, Matched, Outcome, Report};
use crate::dispatch::retry;
use crate::domain::equipment::SimCard;
use crate::domain::id::MessageId;
use crate::domain::message::{Event, Message, PartId, PartReport, PartResult, PartState, RESULT_LIFE, ReportVerdict};
use crate::domain::reason::Reason;
use crate::domain::time::{Mono, Now};

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
    /// Matches a report with a part, or keeps it for a while.
    pub(super) fn report(&mut self, report: Report, now: &Now) -> Matched {
        if self.is_quarantined() {
            return Matched::Refused;
        }
        match self.matched(&report, now.mono, now) {
            Fits::Part(id) => Matched::Recorded(id),
            Fits::Repeated => Matched::Known,
            Fits::Nothing => {
                tracing::info!(sim_card = %report.sim_card, "A status report fits no message yet");
                self.unmatched.keep(Kept { report, came: now.mono });
                Matched::Kept
            }
        }
    }

    /// A report may have come ahead of the result that tells its TP-MR.
    pub(super) fn match_kept_reports(&mut self, sim_card: &SimCard, now: &Now) {
        for kept in self.unmatched.take(sim_card) {
            if matches!(self.matched(&kept.report, kept.came, now), Fits::Nothing) {
                self.unmatched.keep(kept);
            }
        }
    }

    fn matched(&mut self, report: &Report, came: Mono, now: &Now) -> Fits<MessageId> {
        match self.find_reported(report, came, now) {
            Fits::Part((mut message, part)) => {
                let id = message.id;
                let &Report { reference, status, verdict, .. } = report;
                let resend = retry::resend_reported(&message, verdict, now);
                let report = PartReport { status, verdict, at: now.wall };
                if self.applied(&mut message, now, Event::Reported { part, reference, report, resend }) {
                    self.delivery_reported(&message, part, verdict, now);
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
    fn find_reported(&self, report: &Report, came: Mono, now: &Now) -> Fits<(Box<Message>, PartId)> {
        let tail = self.tail_hash(report.recipient.reveal());
        let known = self.expected.referenced(report, tail, came, now.mono);
        let (open, closed): (Vec<_>, Vec<_>) = known.into_iter().partition(|(_, is_open)| *is_open);
        let parts = |known: Vec<(PartOf, bool)>| known.into_iter().map(|(part, _)| part).collect();
        let fitting = self.fitting(parts(open), report);
        let unresolved = |(m, p): &(Message, PartId)| {
            m.part(*p).is_some_and(|p| p.report.is_none_or(|r| r.verdict == ReportVerdict::StillTrying))
        };
        let is_known = !fitting.is_empty();
        let newest = fitting.into_iter().filter(unresolved).max_by_key(|(m, p)| m.part(*p).map(|p| p.intended));
        if let Some((message, part)) = newest {
            return Fits::Part((Box::new(message), part));
        }
        // A known part's, also if its window has closed: never an uncertain one's.
        if is_known || !self.fitting(parts(closed), report).is_empty() {
            return Fits::Repeated;
        }
        let mut fitting = self.fitting(self.expected.unreferenced(report, tail, came, now.mono), report);
        // With one open to the same number the report may be that one's, ahead of its result: then it waits for that.
        match fitting.pop() {
            Some((message, part)) if fitting.is_empty() && message.open_part() != Some(part) => {
                Fits::Part((Box::new(message), part))
            }
            _ => Fits::Nothing,
        }
    }

    fn fitting(&self, candidates: Vec<PartOf>, report: &Report) -> Vec<(Message, PartId)> {
        let read = |(id, part)| Some((self.message(id).ok()?, part));
        let is_its = |(message, _): &(Message, PartId)| message.to.ends_like(report.recipient.reveal());
        candidates.into_iter().filter_map(read).filter(is_its).collect()
    }

    /// A part's outcome is recorded: whether its result may still come.
    pub(super) fn note_outcome(&mut self, message: &Message, part: PartId, result: PartResult, now: &Now) {
        self.left_open.retain(|l| (l.message, l.part) != (message.id, part) && now.mono < l.until);
        if matches!(result, PartResult::Uncertain(reason) if leaves_open(reason)) {
            self.left_open.extend(left_open(message, part, now));
        }
    }

    /// A result that nobody waits for any more settles the part whose it is, if it can be but one's.
    pub(super) fn late_result(&mut self, late: LateResult, now: &Now) -> Option<MessageId> {
        self.refuse_writes().ok()?;
        let LateResult { modem, sim_card, result, waited_for } = late;
        let reference = if let PartResult::Accepted(reference) = result { reference } else { None };
        let here = |l: &&LeftOpen| l.modem == modem && l.sim_card == sim_card && now.mono < l.until;
        let may_be_its = |l: &LeftOpen| Some(((l.message, l.part), self.unsettled(l, reference)?));
        let candidates: Vec<_> = self.left_open.iter().filter(here).filter_map(may_be_its).collect();
        let [(whose, unsettled)] = candidates[..] else {
            tracing::warn!(%sim_card, "A send result was heard that belongs to no one message for certain; it is credited to none");
            return None;
        };
        let says_nothing = matches!(result, PartResult::Uncertain(_));
        if waited_for || !says_nothing {
            // Its result has come now, whatever it says.
            self.left_open.retain(|l| (l.message, l.part) != whose);
        }
        if says_nothing || !unsettled {
            return None;
        }
        let (message, part) = whose;
        tracing::info!(message.id = %message, "A late result settles an uncertain part");
        self.settle(Outcome { message, part, sim_card, result }, now).ok().map(|()| message)
    }

    /// Of a part whose result this may be: whether it is uncertain still. A report may have settled it meanwhile, and told
    /// its TP-MR: a result that bears another is not that part's.
    fn unsettled(&self, left: &LeftOpen, reference: Option<u8>) -> Option<bool> {
        match self.message(left.message).ok()?.part(left.part)?.state {
            PartState::Uncertain(_) => Some(true),
            PartState::Accepted(Some(known)) => reference.is_none_or(|heard| heard == known).then_some(false),
            _ => None,
        }
    }

    /// Sends whose result may still come, for the ports to listen for.
    pub(super) fn still_open(&mut self, now: &Now) -> Vec<LeftOpen> {
        self.left_open.retain(|l| now.mono < l.until);
        self.left_open.clone()
    }
}

/// Sends of a message whose result may still come, as its record tells: parts that are uncertain, and those of a message
/// that was, which a report has settled since.
pub(super) fn left_open_of(message: &Message, now: &Now) -> Vec<LeftOpen> {
    let mut found = Vec::new();
    for (a, attempt) in message.attempts.iter().enumerate() {
        for (p, part) in attempt.parts.iter().enumerate() {
            let may_be = match part.state {
                PartState::Uncertain(reason) => leaves_open(reason),
                PartState::Accepted(Some(_)) => message.ever_uncertain && part.report.is_some(),
                _ => false,
            };
            if may_be {
                found.extend(left_open(message, PartId { attempt: a as u8, part: p as u8 }, now));
            }
        }
    }
    found
}

/// The part, as one whose result may still come.
pub(super) fn left_open(message: &Message, part: PartId, now: &Now) -> Option<LeftOpen> {
    let attempt = message.attempts.get(usize::from(part.attempt))?;
    // Worked out once: a wall clock that is set right later changes nothing.
    let left = RESULT_LIFE.checked_sub(now.wall - message.part(part)?.intended)?;
    Some(LeftOpen {
        message: message.id,
        part,
        modem: attempt.modem.clone(),
        sim_card: attempt.sim_card.clone(),
        until: now.mono + left,
    })
}

/// Whether a part that is uncertain for this reason has had no answer at all yet. An error is one, though it leaves open
/// what became of the message.
fn leaves_open(reason: Reason) -> bool {
    matches!(reason, Reason::NoResult | Reason::PortLost | Reason::Restarted)
}
