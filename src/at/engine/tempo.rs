//! How long this modem takes over an answer. Most answer within 30 ms; one that takes seconds is given more time, so that
//! its answers are not taken for lost ones, and are not asked for again while it still works on the first question.

use crate::domain::time::Mono;
use std::time::Duration;

#[derive(Debug, Default)]
pub(super) struct Tempo {
    /// Since when it works on what was said: answers come in turn, so each has had its time since the one before.
    since: Mono,
    takes: Duration,
}

impl Tempo {
    /// Something was said.
    pub(super) fn said(&mut self, now: Mono) {
        self.since = now;
    }

    /// It was answered. `usual`: such as is answered at once where it can be. What has become quicker is believed slowly.
    pub(super) fn answered(&mut self, now: Mono, usual: bool) {
        let took = now - std::mem::replace(&mut self.since, now);
        if usual {
            self.takes = took.min(LONGEST).max(self.takes - self.takes / 8);
        }
    }

    /// What was given up came after all, so long behind its question. Later than that it has gone astray on its way.
    pub(super) fn late(&mut self, took: Duration) {
        if took <= LONGEST {
            self.takes = self.takes.max(took);
        }
    }

    pub(super) fn since(&self) -> Mono {
        self.since
    }

    /// What it gets beyond the usual time.
    pub(super) fn allowance(&self) -> Duration {
        if self.takes < SLOW { Duration::ZERO } else { self.takes * 2 }
    }

    /// Whether an answer may still be on its way when nothing has come for a moment.
    pub(super) fn lags(&self, moment: Duration) -> bool {
        self.takes >= moment
    }
}

/// Up to this the usual times are enough.
const SLOW: Duration = Duration::from_secs(1);
/// What takes longer has been held up by something else.
const LONGEST: Duration = Duration::from_secs(10);
