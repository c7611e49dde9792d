//! What an attempt came to.

use super::{Attempt, PartState, ReportState, ReportVerdict, State, Status};
use crate::domain::reason::Reason;

/// What an attempt came to, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Word {
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

    pub(super) fn nothing_sent(&self) -> bool {
        self.parts.iter().all(|p| matches!(p.state, PartState::NotSent(_)))
    }

    pub(super) fn word(&self, total: u8) -> Word {
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

    pub(super) fn state(&self, total: u8, closed: bool) -> Option<State> {
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
