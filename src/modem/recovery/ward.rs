//! What the modems' ladders know of each other: who may go up now, whose network works, which rung helps which model.

use super::Rung;
use crate::domain::time::Mono;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Shared by all ladders of a box.
#[derive(Clone, Debug, Default)]
pub struct Ward(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// By hub: which modem resets there, and how long that may take.
    resetting: BTreeMap<String, (usize, Mono)>,
    /// Which modem has its radio off and on for the network's sake.
    cycling: Option<(usize, Mono)>,
    /// By operator and modem: when a message was taken last.
    accepted: BTreeMap<(String, usize), Mono>,
    tallies: BTreeMap<String, Tally>,
    /// Rungs behind which a device of this model stayed away for long, once: somebody may have pulled it out.
    suspected: BTreeSet<(String, Rung)>,
}

/// How often a model's rungs were tried, and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally(pub [Count; Rung::ALL.len()]);

/// One rung's part of a [`Tally`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// How often it was tried.
    pub tried: u32,
    /// How often the modem was well after it.
    pub worked: u32,
    /// How often it was not, and a higher rung helped: only then it was the rung's fault and not the modem's end.
    pub in_vain: u32,
    /// The device stayed away for long behind it, twice, as one that comes back as a storage first.
    pub changes_mode: bool,
}

impl Tally {
    /// From each rung's counts, the lowest first; what is missing counts as nothing.
    pub fn new(counts: &[Count]) -> Self {
        let mut tally = Self::default();
        tally.0.iter_mut().zip(counts).for_each(|(own, count)| *own = *count);
        tally
    }

    /// One rung's part.
    pub fn of(&self, rung: Rung) -> Count {
        self.0[rung as usize]
    }

    /// Whether this rung is not worth its time with this model (rows L3, L4).
    fn is_useless(&self, rung: Rung) -> bool {
        let count = self.of(rung);
        count.changes_mode || count.worked == 0 && count.in_vain >= VAIN
    }
}

impl Ward {
    /// What was counted in former runs.
    pub fn remember(&self, tallies: impl IntoIterator<Item = (String, Tally)>) {
        self.lock().tallies.extend(tallies);
    }

    /// What was counted of a model.
    pub fn tally(&self, model: &str) -> Tally {
        self.lock().tallies.get(model).cloned().unwrap_or_default()
    }

    pub(super) fn is_useless(&self, model: &str, rung: Rung) -> bool {
        self.lock().tallies.get(model).is_some_and(|tally| tally.is_useless(rung))
    }

    pub(super) fn count(&self, model: &str, rung: Rung, change: impl FnOnce(&mut Count)) {
        change(&mut self.lock().tallies.entry(model.to_owned()).or_default().0[rung as usize]);
    }

    /// A device stayed away for long behind this rung. Believed to be the rung's doing the second time.
    pub(super) fn stayed_away(&self, model: &str, rung: Rung) {
        if !self.lock().suspected.insert((model.to_owned(), rung)) {
            self.count(model, rung, |count| count.changes_mode = true);
        }
    }

    /// This rung has worked, and the device was not away for long.
    pub(super) fn came_back(&self, model: &str, rung: Rung) {
        self.lock().suspected.remove(&(model.to_owned(), rung));
        self.count(model, rung, |count| count.changes_mode = false);
    }

    /// From when on this modem may be reset: two at a time on one hub could take its power away from both, and who
    /// breaks down with a neighbour's reset must not look sick himself.
    pub(super) fn may_reset(&self, slot: usize, hub: &str, now: Mono) -> Mono {
        match self.lock().resetting.get(hub) {
            Some((other, until)) if *other != slot => now.max(*until),
            _ => now,
        }
    }

    pub(super) fn resets(&self, slot: usize, hub: &str, until: Mono) {
        self.lock().resetting.insert(hub.to_owned(), (slot, until));
    }

    /// From when on this modem may have its radio off and on since the network takes nothing: all at once would make a
    /// bad hour of the network's into our own.
    pub(super) fn may_cycle(&self, slot: usize, now: Mono) -> Mono {
        match self.lock().cycling {
            Some((other, until)) if other != slot => now.max(until),
            _ => now,
        }
    }

    pub(super) fn cycles(&self, slot: usize, until: Mono) {
        self.lock().cycling = Some((slot, until));
    }

    /// It is done with whatever others had to wait for.
    pub(super) fn is_done(&self, slot: usize) {
        let mut state = self.lock();
        state.resetting.retain(|_, (holder, _)| *holder != slot);
        state.cycling.take_if(|(holder, _)| *holder == slot);
    }

    pub(super) fn accepted(&self, slot: usize, operator: &str, now: Mono) {
        self.lock().accepted.insert((operator.to_owned(), slot), now);
    }

    /// Whether a message went out over another SIM card of this operator a short while ago: then it is not the network.
    pub(super) fn another_works(&self, slot: usize, operator: &str, now: Mono) -> bool {
        let state = self.lock();
        let mut of_operator = state.accepted.iter().filter(|((name, other), _)| name == operator && *other != slot);
        of_operator.any(|(_, at)| now - *at <= WORKS)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }
}

/// How often a rung must have been in vain, never having worked, until it is left out.
const VAIN: u32 = 2;
/// How old another SIM card's success may be.
const WORKS: Duration = Duration::from_secs(300);
