//! Which parts status reports may speak of, and the reports that spoke of none.
//!
//! A report names its message by TP-MR and recipient only. Candidates are found by SIM card, TP-MR and time, and told
//! apart by a keyed hash of the recipient's last digits, so that no record is read for a report of another's.

use super::Report;
use crate::domain::equipment::SimCard;
use crate::domain::id::MessageId;
use crate::domain::message::{Message, PartId, PartState};
use crate::domain::time::{Mono, Now};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// One part of one message.
pub(super) type PartOf = (MessageId, PartId);
/// The keyed hash of a number's last digits.
pub(super) type TailHash = [u8; 16];

/// Parts for which a report may come.
#[derive(Default)]
pub(super) struct Expected {
    /// Sent with a known TP-MR.
    referenced: BTreeMap<(SimCard, u8), Parts>,
    /// Sent, or perhaps sent, with none that is known.
    unreferenced: BTreeMap<SimCard, Parts>,
}

type Parts = BTreeMap<PartOf, Window>;

#[derive(Clone, Copy)]
struct Window {
    tail: Option<TailHash>,
    /// Since when: a report that came before is another's.
    from: Mono,
    until: Mono,
    /// A report that comes after the window is no other part's for that.
    known_until: Mono,
}

impl Expected {
    /// Takes in what a message has become. `tail`: the hash of its recipient's last digits.
    pub(super) fn put(&mut self, message: &Message, tail: Option<TailHash>, now: &Now) {
        for (a, attempt) in message.attempts.iter().enumerate() {
            for (p, part) in attempt.parts.iter().enumerate() {
                let this = (message.id, PartId { attempt: a as u8, part: p as u8 });
                let opened = self.unreferenced.get_mut(&attempt.sim_card).and_then(|parts| parts.remove(&this));
                let until = part.report_until.mono(now);
                let known_until = until + KNOWN;
                let long_closed = now.wall > part.report_until.wall + KNOWN;
                let parts = match part.state {
                    _ if long_closed => continue,
                    PartState::Accepted(Some(mr)) => self.referenced.entry((attempt.sim_card.clone(), mr)).or_default(),
                    PartState::Accepted(None) if part.report.is_some() => continue,
                    _ if part.report_until.passed(now) => continue,
                    // An open one too: its report may overtake its result.
                    PartState::Accepted(None) | PartState::Uncertain(_) | PartState::Intended => {
                        self.unreferenced.entry(attempt.sim_card.clone()).or_default()
                    }
                    PartState::NotSent(_) => continue,
                };
                let from = opened.or_else(|| parts.get(&this).copied()).map_or(now.mono, |window| window.from);
                parts.insert(this, Window { tail, from, until, known_until });
            }
        }
    }

    /// Parts that this SIM card sent with this TP-MR, and whether the window of each is open.
    pub(super) fn referenced(
        &self,
        report: &Report,
        tail: Option<TailHash>,
        came: Mono,
        now: Mono,
    ) -> Vec<(PartOf, bool)> {
        let parts = self.referenced.get(&(report.sim_card.clone(), report.reference));
        fitting(parts, tail, came).map(|(part, window)| (part, window.until > now)).collect()
    }

    /// Parts that this SIM card sends, or sent, perhaps, without a TP-MR that is known.
    pub(super) fn unreferenced(&self, report: &Report, tail: Option<TailHash>, came: Mono, now: Mono) -> Vec<PartOf> {
        let parts = self.unreferenced.get(&report.sim_card);
        fitting(parts, tail, came).filter(|(_, window)| window.until > now).map(|(part, _)| part).collect()
    }

    /// Forgets what is known of no more.
    pub(super) fn sweep(&mut self, now: Mono) {
        self.referenced.retain(|_, parts| keep(parts, |window| window.known_until > now));
        self.unreferenced.retain(|_, parts| keep(parts, |window| window.until > now));
    }
}

fn keep(parts: &mut Parts, wanted: impl Fn(&Window) -> bool) -> bool {
    parts.retain(|_, window| wanted(window));
    !parts.is_empty()
}

fn fitting(parts: Option<&Parts>, tail: Option<TailHash>, came: Mono) -> impl Iterator<Item = (PartOf, Window)> {
    // A number too short for a hash fits any, until its record is read.
    let same = move |window: &Window| window.tail.zip(tail).is_none_or(|(ours, theirs)| ours == theirs);
    let fits = move |window: &Window| window.from <= came && same(window);
    parts.into_iter().flatten().filter(move |(_, window)| fits(window)).map(|(part, window)| (*part, *window))
}

/// Reports that fit nothing yet: one may come before the `+CMGS` it belongs to.
#[derive(Default)]
pub(super) struct Unmatched {
    kept: VecDeque<Kept>,
    /// How many of each SIM card fit nothing so far, kept or given up.
    counts: BTreeMap<SimCard, u64>,
}

/// A report that is kept, and when it came.
pub(super) struct Kept {
    pub(super) report: Report,
    pub(super) came: Mono,
}

impl Unmatched {
    /// Keeps a report.
    pub(super) fn keep(&mut self, kept: Kept) {
        if self.kept.len() >= UNMATCHED_KEPT {
            self.forget_first();
        }
        *self.counts.entry(kept.report.sim_card.clone()).or_default() += 1;
        self.kept.push_back(kept);
    }

    /// Takes out the reports of this SIM card.
    pub(super) fn take(&mut self, sim_card: &SimCard) -> Vec<Kept> {
        if self.kept.iter().all(|kept| kept.report.sim_card != *sim_card) {
            return Vec::new();
        }
        let (taken, left) =
            std::mem::take(&mut self.kept).into_iter().partition::<Vec<_>, _>(|k| k.report.sim_card == *sim_card);
        self.kept = left.into();
        if let Some(count) = self.counts.get_mut(sim_card) {
            *count -= taken.len() as u64;
        }
        taken
    }

    /// Gives up reports that have been kept long enough.
    pub(super) fn sweep(&mut self, now: Mono) {
        while self.kept.front().is_some_and(|kept| kept.came + UNMATCHED_LIFE <= now) {
            self.forget_first();
        }
    }

    /// When the next one is given up.
    pub(super) fn next_due(&self) -> Option<Mono> {
        self.kept.front().map(|kept| kept.came + UNMATCHED_LIFE)
    }

    /// How many reports of each SIM card fit no message, so far.
    pub(super) fn counts(&self) -> &BTreeMap<SimCard, u64> {
        &self.counts
    }

    fn forget_first(&mut self) {
        if let Some(Kept { report, .. }) = self.kept.pop_front() {
            tracing::warn!(sim_card = %report.sim_card, tp_st = report.status, "A status report fits no message; another program may send over this SIM card");
        }
    }
}

const UNMATCHED_KEPT: usize = 1000;
/// How long a report that fits nothing is kept: as long as the result that would tell its TP-MR may take to come.
const UNMATCHED_LIFE: Duration = Duration::from_secs(300);
/// How long behind its window a part's TP-MR is known as its own: an SC that could not deliver for long may report late,
/// and twice.
const KNOWN: Duration = Duration::from_secs(24 * 3600);
