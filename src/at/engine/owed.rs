//! Results that may still come of what was given up: each would look like the next message's own.

use super::FinalResult;
use crate::domain::time::Mono;
use std::collections::VecDeque;
use std::time::Duration;

/// Each result that is owed, the oldest first. A barrier that was passed pays none of them: some modems answer later
/// than that.
#[derive(Debug, Default)]
pub(super) struct Owed(VecDeque<Debt>);

#[derive(Debug)]
pub(super) struct Debt {
    until: Mono,
    /// When it was asked for, if nothing else was owed then.
    pub(super) asked: Option<Mono>,
    /// Of a probe: `AT` is answered with `OK` or not at all. A modem that is still booting never answers those it was
    /// asked, and its refusals soon after must count.
    ok_only: bool,
}

impl Owed {
    /// A command was given up without its result.
    pub(super) fn add(&mut self, now: Mono) {
        self.push(Debt { until: now + LATEST, asked: None, ok_only: false });
    }

    /// As [`Owed::add`], of a command that was said at `asked` and had its whole time.
    pub(super) fn add_timed_out(&mut self, now: Mono, asked: Mono) {
        let asked = (self.count(now) == 0).then_some(asked);
        self.push(Debt { until: now + LATEST, asked, ok_only: false });
    }

    /// A probe was given up without its `OK`.
    pub(super) fn add_ok(&mut self, now: Mono) {
        self.push(Debt { until: now + LATEST, asked: None, ok_only: true });
    }

    /// A result came that is no running command's. What it was owed for, if it was.
    pub(super) fn pay(&mut self, now: Mono, result: FinalResult) -> Option<Debt> {
        self.0.retain(|debt| now < debt.until);
        let paid = self.0.iter().position(|debt| result.is_ok() || !debt.ok_only)?;
        self.0.remove(paid)
    }

    fn push(&mut self, debt: Debt) {
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        self.0.push_back(debt);
    }

    /// How many may still come.
    pub(super) fn count(&self, now: Mono) -> u32 {
        self.0.iter().filter(|debt| now < debt.until).count() as u32
    }

    /// What was said behind the probes was answered: what has not come of them never will.
    pub(super) fn forget_probes(&mut self) {
        self.0.retain(|debt| !debt.ok_only);
    }

    /// Whether nothing is owed, for certain.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The modem has restarted: it owes nothing any more.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// Whether a result may be another command's as well as a message's. The network's own causes, 1 to 255, come of
/// messages only.
pub(super) fn may_be_anothers(result: FinalResult) -> bool {
    !matches!(result, FinalResult::Cms(Some(1..=255)))
}

/// How long a result is owed: as long as one is listened for.
const LATEST: Duration = Duration::from_secs(180);
/// More than can be given up in that time, unless nothing is ever answered.
const MOST: usize = 64;
