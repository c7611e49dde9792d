//! Looking through the modem's storages for what nobody announced: after bring-up, when a storage is full, and now and then
//! where something is known to lie.
//!
//! The first time a storage is listed; on some modems that never ends (T6), and from then on its places are read one by one.
//! Afterwards they always are. No index is guessed: a listing tells its own, and places are tried from 0 to as many as the
//! storage says it has (R3).

use super::incoming::REPORTS;
use crate::at::response::{self, StoredAt, StoredMessage};
use crate::at::{Command, Reply, ReplyEnd};
use crate::domain::time::Mono;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// What is still to be looked through. See the module's text.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    steps: VecDeque<Step>,
    /// Storages may be listed: it is the first time since the port was opened.
    first: bool,
    /// Something is left behind: looked for again before long.
    doubt: bool,
    /// What stayed in each storage the last time, whatever it is.
    settled: BTreeMap<String, u16>,
    /// When to look again.
    next: Option<Mono>,
    /// When it was full last.
    hurried: Option<Mono>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// How full are those that are in use?
    State,
    /// Choose this one; how full is it?
    Choose(String),
    /// All that is in it at once.
    List {
        memory: String,
        /// Places it has.
        total: u16,
        /// Messages in it.
        used: u16,
    },
    /// One place after the other.
    Read {
        memory: String,
        /// The next place.
        index: u16,
        /// The last one.
        last: u16,
        /// Messages that were not found yet.
        left: u16,
    },
}

/// What is said next.
pub(super) enum Say {
    /// This.
    Ask(Command),
    /// First this storage is to be chosen: something else was since.
    Choose(String),
    /// Choose this storage: the answer tells how full it is.
    Measure(String),
    /// Nothing: a place is passed over.
    PassOver,
}

impl Sweep {
    /// The port is another one: all is to be looked through from the start.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// The modem was set up: what came before is looked for, in those of the storages that it can read.
    pub(super) fn begin(&mut self, readable: &[String]) {
        self.first = true;
        self.settled.clear();
        self.next = None;
        let known = SWEPT.iter().filter(|name| readable.iter().any(|memory| memory == *name));
        self.steps = known.map(|name| Step::Choose((*name).to_owned())).collect();
        if self.steps.is_empty() {
            self.steps.push_back(Step::State);
        }
    }

    /// The modem is being set up, and knows nothing of what was asked.
    pub(super) fn stop(&mut self) {
        self.steps.clear();
    }

    /// A storage is full, or nearly: its places are read at once. False if they were a moment ago: some modems say it
    /// again and again.
    pub(super) fn hurry(&mut self, now: Mono) -> bool {
        if self.hurried.is_some_and(|hurried| now < hurried + HURRY_EVERY) {
            self.doubt();
            return false;
        }
        self.hurried = Some(now);
        self.settled.clear();
        self.doubt();
        if self.steps.is_empty() {
            self.steps.push_back(Step::State);
        }
        true
    }

    /// Something stayed behind that should not have.
    pub(super) fn doubt(&mut self) {
        self.doubt = true;
        // Worked out anew.
        self.next = None;
    }

    /// Whether there is something to look through.
    pub(super) fn is_under_way(&self) -> bool {
        !self.steps.is_empty()
    }

    /// When to look again, if nothing else happens.
    pub(super) fn next_due(&self) -> Option<Mono> {
        self.next.filter(|_| self.steps.is_empty())
    }

    /// Looks again if it is time.
    pub(super) fn wake(&mut self, now: Mono) {
        if self.next_due().is_some_and(|at| at <= now) {
            self.next = None;
            self.steps.push_back(Step::State);
        }
    }

    /// What to say next. `chosen` is the storage that reads go to; `held` tells places that need no reading. Without
    /// `may_list` nothing is asked whose answer may take long.
    pub(super) fn next(
        &mut self,
        chosen: Option<&str>,
        held: impl Fn(&StoredAt) -> bool,
        may_list: bool,
    ) -> Option<Say> {
        let step = self.steps.front_mut()?;
        if let Step::List { memory, total, used } = step
            && !may_list
        {
            *step = Step::Read { memory: memory.clone(), index: 0, last: *total, left: *used };
        }
        Some(match step {
            Step::State => Say::Ask(Command::storage_state()),
            Step::Choose(memory) => Say::Measure(memory.clone()),
            Step::List { memory, .. } | Step::Read { memory, .. } if chosen != Some(memory) => {
                Say::Choose(memory.clone())
            }
            Step::List { .. } => Say::Ask(Command::list_messages(ALL)),
            Step::Read { memory, index, last, left } if *index > *last || *left == 0 => {
                // What the storage counts and no place gave may be given the next time.
                let (memory, left) = (memory.clone(), *left);
                self.will_go(&memory, usize::from(left));
                self.steps.pop_front();
                Say::PassOver
            }
            Step::Read { memory, index, left, .. } => {
                let at = StoredAt { memory: memory.clone(), index: *index };
                if held(&at) {
                    *index += 1;
                    *left -= 1;
                    self.will_go(&at.memory, 1);
                    return Some(Say::PassOver);
                }
                Say::Ask(Command::read_message(*index))
            }
        })
    }

    /// Takes an answer in. Gives what was found, with its place.
    pub(super) fn answered(
        &mut self,
        reply: &Reply,
        chosen: &mut Option<String>,
        all_three: &mut bool,
    ) -> Vec<(StoredAt, StoredMessage)> {
        let Some(step) = self.steps.pop_front() else { return Vec::new() };
        let lost = !matches!(reply.end, ReplyEnd::Final(_));
        match step {
            Step::State => {
                for storage in reply.first().map(response::storage_use).unwrap_or_default() {
                    let Some(memory) = storage.memory else { continue };
                    let is_new = self.settled.get(&memory).is_none_or(|stayed| storage.used > *stayed);
                    let known = self.steps.contains(&Step::Choose(memory.clone()));
                    self.doubt |= u32::from(storage.used) * 4 >= u32::from(storage.total) * 3;
                    if storage.used > 0 && is_new && !known {
                        self.steps.push_back(Step::Choose(memory));
                    }
                }
            }
            Step::Choose(memory) if reply.is_ok() => {
                *chosen = Some(memory.clone());
                let (used, total) = reply
                    .first()
                    .and_then(|line| response::storage_use(line).into_iter().next())
                    .map_or((MOST, MOST), |u| (u.used, u.total));
                self.settled.insert(memory.clone(), used);
                if used > 0 {
                    let total = total.min(MOST);
                    self.steps.push_front(match self.first {
                        true => Step::List { memory, total, used },
                        false => Step::Read { memory, index: 0, last: total, left: used },
                    });
                }
            }
            Step::Choose(memory) if !lost && !*all_three && memory != REPORTS => {
                *all_three = true;
                self.steps.push_front(Step::Choose(memory));
            }
            Step::Choose(_) => {
                *chosen = None;
                self.doubt |= lost;
            }
            Step::List { memory, total, used } if !reply.is_ok() => {
                self.steps.push_front(Step::Read { memory, index: 0, last: total, left: used });
            }
            Step::List { memory, .. } => {
                let found: Vec<_> = response::stored_messages(&reply.lines)
                    .into_iter()
                    .filter_map(|message| Some((StoredAt { memory: memory.clone(), index: message.index? }, message)))
                    .filter(|(_, message)| message.status <= RECEIVED)
                    .collect();
                self.will_go(&memory, found.len());
                return found;
            }
            // It hung on one place: the others can wait for the next time.
            Step::Read { .. } if lost => self.doubt = true,
            Step::Read { memory, index, last, left } => {
                let found = response::stored_messages(&reply.lines).into_iter().next();
                let left = left - u16::from(found.is_some());
                self.steps.push_front(Step::Read { memory: memory.clone(), index: index + 1, last, left });
                let found = found.filter(|message| message.status <= RECEIVED);
                self.will_go(&memory, found.iter().len());
                return found
                    .into_iter()
                    .map(|message| (StoredAt { memory: memory.clone(), index }, message))
                    .collect();
            }
        }
        Vec::new()
    }

    /// The storage that a step waits for can't be chosen.
    pub(super) fn give_up(&mut self, memory: &str) {
        let waits = |step: &Step| matches!(step, Step::Choose(m) | Step::List { memory: m, .. } | Step::Read { memory: m, .. } if m == memory);
        self.steps.retain(|step| !waits(step));
        self.doubt = true;
    }

    /// Once all is looked through: when to look again.
    pub(super) fn rest(&mut self, now: Mono) {
        if self.steps.is_empty() && self.next.is_none() {
            self.first = false;
            let again = if std::mem::take(&mut self.doubt) { LOOK_AGAIN } else { LOOK_SELDOM };
            self.next = Some(now + again);
        }
    }

    fn will_go(&mut self, memory: &str, count: usize) {
        if let Some(stays) = self.settled.get_mut(memory) {
            *stays = stays.saturating_sub(u16::try_from(count).unwrap_or(u16::MAX));
        }
    }
}

/// Storages that hold what came in. `MT` is two of them together.
const SWEPT: &[&str] = &["SM", "ME", "SR"];
/// `<stat>` of TS 27.005 §3.1: all messages.
const ALL: u8 = 4;
/// Up to here: received, unread or read; beyond: stored to be sent, and somebody's own.
pub(super) const RECEIVED: u8 = 1;
/// Places of a storage that are looked through, at most.
const MOST: u16 = 255;
/// Where something stayed behind, or room is short.
const LOOK_AGAIN: Duration = Duration::from_secs(300);
/// Storages are gone through at once for being full, at most so often.
const HURRY_EVERY: Duration = Duration::from_secs(60);
/// An announcement may have been lost.
const LOOK_SELDOM: Duration = Duration::from_secs(3600);
