//! What is to happen later, in order of time and then of asking.

use crate::domain::time::Mono;
use std::collections::BTreeMap;

/// Events waiting for their time.
#[derive(Debug)]
pub(super) struct Timers<T> {
    waiting: BTreeMap<(Mono, u64), T>,
    asked: u64,
}

impl<T> Default for Timers<T> {
    fn default() -> Self {
        Self { waiting: BTreeMap::new(), asked: 0 }
    }
}

impl<T> Timers<T> {
    /// Lets `event` happen at `at`.
    pub(super) fn add(&mut self, at: Mono, event: T) {
        self.asked += 1;
        self.waiting.insert((at, self.asked), event);
    }

    /// The first event that is due by `now`, and when it was due.
    pub(super) fn pop(&mut self, now: Mono) -> Option<(Mono, T)> {
        let first = self.waiting.first_entry()?;
        (first.key().0 <= now).then(|| {
            let ((at, _), event) = first.remove_entry();
            (at, event)
        })
    }

    /// When the first event is due.
    pub(super) fn next(&self) -> Option<Mono> {
        self.waiting.first_key_value().map(|((at, _), _)| *at)
    }

    /// Forgets the events that `keep` does not want.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        self.waiting.retain(|_, event| keep(event));
    }
}
