//! What decisions need, in memory: rebuilt when the store is opened, and kept by the committer alone.
//!
//! Nothing here grows with the time that a message waits, and nothing on a message's way scans it.

use super::gate::Gate;
use super::sim_cards::{Avoided, SimCards};
use crate::dispatch::retry;
use crate::domain::equipment::{Imei, SimCard};
use crate::domain::id::{ClientId, InboundId, MessageId, VerificationId};
use crate::domain::message::{Message, Priority, RESULT_LIFE, State, Status};
use crate::domain::time::{Mono, Now, Wall};
use crate::domain::verification::Verification;
use std::collections::{BTreeMap, BTreeSet};

/// The keyed hash of a number.
pub(super) type NumberHash = [u8; 16];

/// The index.
#[derive(Default)]
pub(super) struct Index {
    messages: BTreeMap<MessageId, Entry>,
    /// In the order of acceptance. Ids sort by the wall clock, which may be set back.
    accepted: BTreeMap<u64, MessageId>,
    queues: BTreeMap<Route, BTreeSet<Turn>>,
    pub(super) sim_cards: SimCards,
    timers: Timers,
    pending: BTreeMap<PendingKey, VerificationId>,
    claimed: BTreeMap<MessageId, Claimed>,
    references: References,
    next_token: u64,
    queued: usize,
}

/// What is kept of each message: about a hundred bytes.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub client: ClientId,
    pub status: Status,
    pub created: Wall,
    pub number: NumberHash,
    sequence: u64,
    turn: Option<(Route, Turn)>,
}

/// Which SIM cards may take a message. Most may be taken by any; each set of messages with the same answer has one
/// ordered queue, so that what a SIM card may not take is never skipped over at a pull.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Route {
    only: Option<SimCard>,
    avoided: Avoided,
}

impl Route {
    fn admits(&self, sim_card: &SimCard, all: &SimCards, now: Mono) -> bool {
        match &self.only {
            Some(only) => only == sim_card,
            None => all.may_take(sim_card, &self.avoided, now),
        }
    }
}

/// A message's place in its queue: priority, then deadline, then order of acceptance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    priority: Priority,
    deadline: Wall,
    sequence: u64,
    id: MessageId,
}

/// A message that a modem has.
#[derive(Clone, Debug)]
pub(super) struct Claimed {
    pub modem: Imei,
    pub token: u64,
    pub gate: Gate,
}

/// One pending verification for each.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct PendingKey {
    client: ClientId,
    number: NumberHash,
    purpose: Option<String>,
}

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A message is to be looked at: it may be ready, expired, or past its report window.
    Message(MessageId),
    /// A verification expires.
    Verification(VerificationId),
    /// A message that came in waits for its other parts no longer.
    Inbound(InboundId),
    /// An idempotency record ends.
    Idempotency([u8; 16]),
}

impl Index {
    /// Takes in what a message has become.
    pub(super) fn put_message(&mut self, message: &Message, number: NumberHash, now: &Now) {
        let turn = self.turn_of(message, now);
        let entry = Entry {
            client: message.client,
            status: message.status(),
            created: message.created,
            number,
            sequence: message.sequence,
            turn: turn.clone(),
        };
        self.accepted.insert(message.sequence, message.id);
        let old = self.messages.insert(message.id, entry);
        if let Some(old) = &old {
            self.leave_queue(old);
            self.queued -= usize::from(old.status == Status::Queued);
        }
        self.queued += usize::from(message.status() == Status::Queued);
        if let Some((route, turn)) = turn {
            self.queues.entry(route).or_default().insert(turn);
        }
        if !matches!(message.state, State::Queued { .. } | State::Submitting) {
            self.claimed.remove(&message.id);
        }
        match message_timer(message, now) {
            Some(at) => self.timers.set(Timer::Message(message.id), at),
            None => self.timers.clear(Timer::Message(message.id)),
        }
    }

    /// Takes a message out of everything.
    pub(super) fn forget(&mut self, id: MessageId) {
        if let Some(entry) = self.messages.remove(&id) {
            self.leave_queue(&entry);
            self.queued -= usize::from(entry.status == Status::Queued);
            self.accepted.remove(&entry.sequence);
        }
        self.claimed.remove(&id);
        self.timers.clear(Timer::Message(id));
    }

    /// Takes in what a verification has become.
    pub(super) fn put_verification(&mut self, verification: &Verification, number: NumberHash, now: &Now) {
        let key = PendingKey { client: verification.client, number, purpose: verification.purpose.clone() };
        if !verification.is_final() {
            self.pending.insert(key, verification.id);
            self.timers.set(Timer::Verification(verification.id), verification.expires.mono(now));
        } else {
            self.timers.clear(Timer::Verification(verification.id));
            if self.pending.get(&key) == Some(&verification.id) {
                self.pending.remove(&key);
            }
        }
    }

    /// Sets or moves a timer.
    pub(super) fn set_timer(&mut self, timer: Timer, at: Mono) {
        self.timers.set(timer, at);
    }

    /// Clears a timer.
    pub(super) fn clear_timer(&mut self, timer: Timer) {
        self.timers.clear(timer);
    }

    /// Makes every timer due, to be worked out again: they stand in `mono`, and another clock has moved against it.
    pub(super) fn look_at_everything(&mut self, now: Mono) {
        let timers: Vec<Timer> = self.timers.at.keys().copied().collect();
        timers.into_iter().for_each(|timer| self.timers.set(timer, now));
    }

    /// Up to `limit` timers that are due. They stay set until something moves or clears them.
    pub(super) fn due(&self, now: Mono, limit: usize) -> Vec<Timer> {
        self.timers.order.iter().take_while(|(at, _)| *at <= now).take(limit).map(|(_, t)| *t).collect()
    }

    /// When the next timer is due, or a message may go to a SIM card that it avoided.
    pub(super) fn next_timer(&self, now: Mono) -> Option<Mono> {
        let waits = self.queues.keys().any(|route| !route.avoided.cards.is_empty());
        let served = waits.then(|| self.sim_cards.next_change(now)).flatten();
        self.timers.order.first().map(|(at, _)| *at).into_iter().chain(served).min()
    }

    /// The pending verification for the same client, number and purpose.
    pub(super) fn pending(
        &self,
        client: ClientId,
        number: NumberHash,
        purpose: Option<&str>,
    ) -> Option<VerificationId> {
        self.pending.get(&PendingKey { client, number, purpose: purpose.map(str::to_owned) }).copied()
    }

    /// The first message that this SIM card may take; it leaves the queue and counts as claimed.
    pub(super) fn claim(&mut self, modem: &Imei, sim_card: &SimCard, now: Mono) -> Option<(MessageId, Claimed)> {
        let routes = self.queues.iter().filter(|(route, _)| route.admits(sim_card, &self.sim_cards, now));
        let (route, turn) = routes.filter_map(|(r, turns)| Some((r, *turns.first()?))).min_by_key(|(_, t)| *t)?;
        let route = route.clone();
        self.remove_turn(&route, &turn);
        if let Some(entry) = self.messages.get_mut(&turn.id) {
            entry.turn = None;
        }
        self.next_token += 1;
        let claimed = Claimed { modem: modem.clone(), token: self.next_token, gate: Gate::default() };
        self.claimed.insert(turn.id, claimed.clone());
        Some((turn.id, claimed))
    }

    /// Who has a message, if somebody has it.
    pub(super) fn claimed(&self, id: MessageId) -> Option<&Claimed> {
        self.claimed.get(&id)
    }

    /// Whether a modem has a message already.
    pub(super) fn has_one(&self, modem: &Imei) -> bool {
        self.claimed.values().any(|c| c.modem == *modem)
    }

    /// Ends a claim. `put_message` then puts the message back into its queue, if it belongs there.
    pub(super) fn release(&mut self, id: MessageId) {
        self.claimed.remove(&id);
    }

    /// Whether some ready message could go to this SIM card.
    pub(super) fn has_work(&self, sim_card: &SimCard, now: Mono) -> bool {
        self.queues.iter().any(|(route, turns)| !turns.is_empty() && route.admits(sim_card, &self.sim_cards, now))
    }

    /// One message's entry.
    pub(super) fn entry(&self, id: MessageId) -> Option<&Entry> {
        self.messages.get(&id)
    }

    /// Messages accepted before `before`, newest first.
    pub(super) fn newest_first(&self, before: Option<MessageId>) -> impl Iterator<Item = (MessageId, &Entry)> {
        let end = before.map_or(u64::MAX, |id| self.messages.get(&id).map_or(0, |entry| entry.sequence));
        self.accepted.range(..end).rev().filter_map(|(_, id)| Some((*id, self.messages.get(id)?)))
    }

    /// Messages to a number that have not left, as far as can be seen here.
    pub(super) fn unsent_to(&self, number: NumberHash) -> Vec<MessageId> {
        let unsent = |entry: &Entry| matches!(entry.status, Status::Queued | Status::Submitting);
        self.messages.iter().filter(|(_, e)| e.number == number && unsent(e)).map(|(id, _)| *id).collect()
    }

    /// How many messages wait.
    pub(super) fn queued(&self) -> usize {
        self.queued
    }

    /// The next concatenation reference for a number: unlike the last ones given for hours.
    pub(super) fn next_reference(&mut self, number: NumberHash, seed: u8, now: Mono) -> u8 {
        self.references.next(number, seed, now)
    }

    fn turn_of(&self, message: &Message, now: &Now) -> Option<(Route, Turn)> {
        let State::Queued { not_before, only, .. } = &message.state else { return None };
        if not_before.is_some_and(|t| !t.passed(now)) || self.claimed.contains_key(&message.id) {
            return None;
        }
        let avoided = Avoided { cards: message.avoid.clone(), barred: retry::barred(message) };
        let route = Route { only: only.clone(), avoided };
        let turn = Turn {
            priority: message.priority,
            deadline: message.deadline.wall,
            sequence: message.sequence,
            id: message.id,
        };
        Some((route, turn))
    }

    fn leave_queue(&mut self, entry: &Entry) {
        if let Some((route, turn)) = &entry.turn {
            self.remove_turn(route, turn);
        }
    }

    fn remove_turn(&mut self, route: &Route, turn: &Turn) {
        if let Some(turns) = self.queues.get_mut(route) {
            turns.remove(turn);
            if turns.is_empty() {
                self.queues.remove(route);
            }
        }
    }
}

/// When a message is to be looked at again, if ever.
fn message_timer(message: &Message, now: &Now) -> Option<Mono> {
    let deadline = message.deadline.mono(now);
    match &message.state {
        State::Queued { not_before: Some(t), .. } if !t.passed(now) => Some(t.mono(now).min(deadline)),
        State::Queued { .. } => Some(deadline),
        State::Submitted { closes, report: crate::domain::message::ReportState::Awaited } => {
            // The text goes as soon as no resend can follow.
            let closes = closes.mono(now);
            Some(if message.text_needed(now) { closes.min(deadline) } else { closes })
        }
        // As long as its text is kept, to see whether that can go.
        State::Uncertain { closed: false, .. } if message.text_needed(now) => {
            Some(deadline.min(now.mono + RESULT_LIFE))
        }
        State::Uncertain { closed: false, .. } => Some(deadline),
        _ => None,
    }
}

/// The concatenation reference that each number was given last, for the latest few thousand numbers.
#[derive(Default)]
struct References {
    last: BTreeMap<NumberHash, (u8, Mono)>,
    order: BTreeSet<(Mono, NumberHash)>,
}

impl References {
    fn next(&mut self, number: NumberHash, seed: u8, now: Mono) -> u8 {
        let before = self.last.get(&number).copied();
        if let Some((_, at)) = before {
            self.order.remove(&(at, number));
        }
        let next = before.map_or(seed, |(last, _)| last.wrapping_add(1));
        self.last.insert(number, (next, now));
        self.order.insert((now, number));
        if self.order.len() > REFERENCES_KEPT
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.last.remove(&oldest);
        }
        next
    }
}

/// One timer for each thing, in order of time.
#[derive(Default)]
struct Timers {
    order: BTreeSet<(Mono, Timer)>,
    at: BTreeMap<Timer, Mono>,
}

impl Timers {
    fn set(&mut self, timer: Timer, at: Mono) {
        if let Some(old) = self.at.insert(timer, at) {
            self.order.remove(&(old, timer));
        }
        self.order.insert((at, timer));
    }

    fn clear(&mut self, timer: Timer) {
        if let Some(old) = self.at.remove(&timer) {
            self.order.remove(&(old, timer));
        }
    }
}

/// Numbers whose last concatenation reference is known: some hours of long messages.
const REFERENCES_KEPT: usize = 16384;
