//! Results that may still come of what was given up: each would look like the next message's own.

use super::FinalResult;
use crate::domain::time::Mono;
use std::collections::VecDeque;
use std::time::Duration;

/// Until when each result that is owed may come, the oldest first. A barrier that was passed pays none of them: some
/// modems answer later than that.
#[derive(Debug, Default)]
pub(super) struct Owed(VecDeque<Mono>);

impl Owed {
    /// A command was given up without its result.
    pub(super) fn add(&mut self, now: Mono) {
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        self.0.push_back(now + LATEST);
    }

    /// A result came that is no running command's. Whether it was owed.
    pub(super) fn pay(&mut self, now: Mono) -> bool {
        self.0.retain(|until| now < *until);
        self.0.pop_front().is_some()
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
