//! What decisions need, in memory: rebuilt when the store is opened, and kept by the committer alone.
//!
//! Nothing here grows with the time that a message waits, and nothing on a message's way scans it.

use super::Policy;
use super::gate::Gate;
use super::sim_cards::{Avoided, Held, SimCards};
use crate::dispatch::quota::{Ask, At};
use crate::dispatch::retry;
use crate::dispatch::router::PATIENCE;
use crate::domain::equipment::{Imei, SimCard};
use crate::domain::id::{ClientId, InboundId, MessageId, VerificationId};
use crate::domain::message::{Message, Priority, RESULT_LIFE, State, Status};
use crate::domain::msisdn::Msisdn;
use crate::domain::reason::Reason;
use crate::domain::time::{Mono, Now, Wall};
use crate::domain::verification::{Channel, Verification};
use crate::otp::guard::in_time::{self, Lane};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The keyed hash of a number.
pub(super) type NumberHash = [u8; 16];

/// The index.
#[derive(Default)]
pub(super) struct Index {
    messages: BTreeMap<MessageId, Entry>,
    /// In the order of acceptance. Ids sort by the wall clock, which may be set back.
    accepted: BTreeMap<u64, MessageId>,
    queues: BTreeMap<Route, BTreeSet<Turn>>,
    /// Until when messages are parked that a SIM card has no room for: its day or month ends then.
    parked: BTreeMap<SimCard, At>,
    pub(super) sim_cards: SimCards,
    timers: Timers,
    verifications: BTreeMap<VerificationId, VerificationEntry>,
    verifications_by_number: BTreeSet<(ClientId, NumberHash, VerificationId)>,
    pending: BTreeMap<PendingKey, VerificationId>,
    /// Pending ones that a text from the number approves.
    awaited: BTreeMap<NumberHash, BTreeSet<VerificationId>>,
    claimed: BTreeMap<MessageId, Claimed>,
    references: References,
    next_token: u64,
    queued: usize,
    /// Urgent ones that wait or are being sent.
    urgent: usize,
}

/// What is kept of each message: about a hundred bytes.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub client: ClientId,
    pub status: Status,
    pub created: Wall,
    pub number: NumberHash,
    /// Whether it was called off and that is concealed.
    pub suppressed: bool,
    urgent: bool,
    sequence: u64,
    /// Parts that are still to go.
    needs: u32,
    pub(super) turn: Option<(Route, Turn)>,
    /// Until when it waits for a SIM card that is only preferred. Once in its life.
    patience: Option<Mono>,
}

impl Entry {
    /// The status as it is shown.
    pub(super) fn seen_status(&self, admin: bool) -> Status {
        if self.suppressed && !admin { Status::Queued } else { self.status }
    }
}

/// Which SIM cards may take a message. Most may be taken by any; each set of messages with the same answer has one
/// ordered queue, so that what a SIM card may not take is never skipped over at a pull.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Route {
    only: Option<SimCard>,
    avoided: Avoided,
    /// The configured route that admits no others.
    strict: Option<u16>,
    first: First,
    /// Those that have no room for it until their day or month ends.
    pub(super) parked: BTreeSet<SimCard>,
}

/// Who is given a little time to take a message before others may.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum First {
    #[default]
    Anyone,
    /// The SIM card that reached its number last.
    Card(SimCard),
    /// Those of a configured route.
    Route(u16),
}

impl Route {
    /// Whether it leads over this SIM card, sooner or later.
    pub(super) fn leads_over(&self, sim_card: &SimCard, all: &SimCards) -> bool {
        self.only.as_ref().map_or_else(|| all.is_on(self.strict, sim_card), |only| only == sim_card)
    }

    fn admits(&self, sim_card: &SimCard, all: &mut SimCards, now: &Now) -> bool {
        if let Some(only) = &self.only {
            return only == sim_card && !self.parked.contains(sim_card);
        }
        let others_first = match &self.first {
            First::Anyone => false,
            First::Card(first) => first != sim_card && all.is_expected(first, now),
            First::Route(route) => !all.is_on(Some(*route), sim_card) && all.is_expected_on(*route, now),
        };
        !self.parked.contains(sim_card)
            && !others_first
            && all.may_take(sim_card, &self.avoided, self.strict, &self.parked, now)
    }
}

/// A message's place in its queue: priority, then deadline, then order of acceptance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Turn {
    priority: Priority,
    pub(super) deadline: Wall,
    sequence: u64,
    pub(super) id: MessageId,
    /// Parts that are still to go. Behind the id, it changes nothing about the order.
    pub(super) parts: u32,
}

/// A message that a modem has.
#[derive(Clone, Debug)]
pub(super) struct Claimed {
    pub modem: Imei,
    pub sim_card: SimCard,
    pub token: u64,
    pub gate: Gate,
    /// Parts that have not been begun.
    left: u32,
    /// Whether it is a plain message of several parts.
    long: bool,
}

/// What a pull came to.
pub(super) enum Pull {
    /// A message; it has left its queue.
    Claimed(MessageId, Claimed),
    /// None; there may be one then, without any news.
    Later(Option<Mono>),
}

/// One pending verification for each.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct PendingKey {
    client: ClientId,
    number: NumberHash,
    purpose: Option<String>,
}

/// What lists need of a verification.
#[derive(Clone, Copy, Debug)]
struct VerificationEntry {
    client: ClientId,
    created: Wall,
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
    /// A SIM card's canary is due, or overdue.
    Canary(u32),
}

impl Index {
    /// Nothing yet.
    pub(super) fn new(policy: Policy) -> Self {
        Self { sim_cards: SimCards::new(policy), ..Self::default() }
    }

    /// Takes in what a message has become.
    pub(super) fn put_message(&mut self, message: &Message, number: NumberHash, now: &Now) {
        let old = self.messages.remove(&message.id);
        if let Some(old) = &old {
            self.leave_queue(old);
            self.count_queued(old, false);
        }
        let mut patience = old.and_then(|entry| entry.patience);
        let turn = self.turn_of(message, number, &mut patience, now);
        let waits_for_another = turn.as_ref().is_some_and(|(route, _)| route.first != First::Anyone);
        let entry = Entry {
            client: message.client,
            status: message.status(),
            created: message.created,
            number,
            suppressed: message.state == State::Canceled(Reason::Suppressed),
            urgent: message.priority != Priority::Normal,
            sequence: message.sequence,
            needs: parts_to_go(message),
            turn: turn.clone(),
            patience,
        };
        self.accepted.insert(message.sequence, message.id);
        self.count_queued(&entry, true);
        self.messages.insert(message.id, entry);
        if let Some((route, turn)) = turn {
            self.queues.entry(route).or_default().insert(turn);
        }
        if !matches!(message.state, State::Queued { .. } | State::Submitting) {
            self.claimed.remove(&message.id);
        }
        let patience = patience.filter(|_| waits_for_another);
        match message_timer(message, now).into_iter().chain(patience).min() {
            Some(at) => self.timers.set(Timer::Message(message.id), at),
            None => self.timers.clear(Timer::Message(message.id)),
        }
    }

    /// Takes a message out of everything.
    pub(super) fn forget(&mut self, id: MessageId) {
        if let Some(entry) = self.messages.remove(&id) {
            self.leave_queue(&entry);
            self.count_queued(&entry, false);
            self.accepted.remove(&entry.sequence);
        }
        self.claimed.remove(&id);
        self.timers.clear(Timer::Message(id));
    }

    /// The client's verifications of a time, newest first.
    pub(super) fn verifications_of(
        &self,
        client: ClientId,
        since: Wall,
        until: Wall,
    ) -> impl Iterator<Item = VerificationId> {
        let all = self.verifications.iter().rev();
        all.filter(move |(_, v)| v.client == client && v.created >= since && v.created < until).map(|(id, _)| *id)
    }

    /// The client's verifications of a number, newest first.
    pub(super) fn verifications_to(
        &self,
        client: ClientId,
        number: NumberHash,
    ) -> impl Iterator<Item = VerificationId> {
        let [first, last] = [0, u128::MAX].map(|id| (client, number, VerificationId(id)));
        self.verifications_by_number.range(first..=last).rev().map(|(_, _, id)| *id)
    }

    /// Takes in what a verification has become.
    pub(super) fn put_verification(&mut self, verification: &Verification, number: NumberHash, now: &Now) {
        let entry = VerificationEntry { client: verification.client, created: verification.created };
        self.verifications.insert(verification.id, entry);
        self.verifications_by_number.insert((verification.client, number, verification.id));
        let key = PendingKey { client: verification.client, number, purpose: verification.purpose.clone() };
        if verification.origin.channel == Channel::Inbound {
            self.put_awaited(verification, number);
        }
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

    fn put_awaited(&mut self, verification: &Verification, number: NumberHash) {
        let of_number = self.awaited.entry(number).or_default();
        if verification.is_final() {
            of_number.remove(&verification.id);
        } else {
            of_number.insert(verification.id);
        }
        if of_number.is_empty() {
            self.awaited.remove(&number);
        }
    }

    /// The pending verifications that a text from this number may approve.
    pub(super) fn awaited(&self, number: NumberHash) -> Vec<VerificationId> {
        self.awaited.get(&number).into_iter().flatten().copied().collect()
    }

    /// Sets or moves a timer.
    pub(super) fn set_timer(&mut self, timer: Timer, at: Mono) {
        self.timers.set(timer, at);
    }

    /// Clears a timer.
    pub(super) fn clear_timer(&mut self, timer: Timer) {
        self.timers.clear(timer);
    }

    /// Another clock has moved against `mono`: every timer stands in that, and is made due, to be worked out again. So are the
    /// ends of days and months.
    pub(super) fn look_at_everything(&mut self, now: &Now) {
        let timers: Vec<Timer> = self.timers.at.keys().copied().collect();
        timers.into_iter().for_each(|timer| self.timers.set(timer, now.mono));
        self.sim_cards.clocks_moved(now);
        let parked: Vec<_> = self.parked.keys().cloned().collect();
        parked.iter().for_each(|sim_card| self.unpark(sim_card));
    }

    /// When a timer is due, if it is set.
    pub(super) fn timer(&self, timer: Timer) -> Option<Mono> {
        self.timers.at.get(&timer).copied()
    }

    /// The queues.
    pub(super) fn queues(&self) -> impl Iterator<Item = (&Route, &BTreeSet<Turn>)> {
        self.queues.iter()
    }

    /// Up to `limit` timers that are due. They stay set until something moves or clears them.
    pub(super) fn due(&self, now: Mono, limit: usize) -> Vec<Timer> {
        self.timers.order.iter().take_while(|(at, _)| *at <= now).take(limit).map(|(_, t)| *t).collect()
    }

    /// When the next timer is due, or a message may go to a SIM card that it avoided.
    pub(super) fn next_timer(&self, now: Mono) -> Option<Mono> {
        let waits = self.queues.keys().any(|route| !route.avoided.cards.is_empty())
            || !self.queues.is_empty() && self.sim_cards.some_go_last();
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

    /// The first message that this SIM card may take. What finds no room over it until its day or month ends is parked, and not
    /// looked at again before; what finds room sooner keeps the SIM card for itself. With `urgent`, no other than an urgent one.
    pub(super) fn claim(&mut self, modem: &Imei, sim_card: &SimCard, urgent: bool, now: &Now) -> Pull {
        if self.parked.get(sim_card).is_some_and(|until| until.left(now).is_zero()) {
            self.unpark(sim_card);
        }
        let least = Ask { parts: 1, urgent: true, ..self.promised(sim_card) };
        if let Some(held) = self.sim_cards.held(sim_card, least, now) {
            self.sim_cards.tell_full(sim_card, least, now);
            return Pull::Later(held.until());
        }
        // Queues that begin with what is not urgent hold nothing that is.
        let plain = self.sim_cards.held(sim_card, Ask { urgent: false, ..least }, now);
        let later = plain.and_then(Held::until);
        for _ in 0..PARKED_AT_ONCE {
            let Self { queues, sim_cards, .. } = self;
            let heads = queues.iter().filter_map(|(route, turns)| Some((route, *turns.first()?)));
            let open = heads.filter(|(route, turn)| {
                (plain.is_none() && !urgent || turn.is_urgent()) && route.admits(sim_card, sim_cards, now)
            });
            let Some((route, turn)) = open.min_by_key(|(_, turn)| *turn) else {
                let unparks = self.parked.get(sim_card).map(|until| until.mono(now));
                return Pull::Later(later.into_iter().chain(unparks).min());
            };
            let route = route.clone();
            match self.sim_cards.held(sim_card, self.ask(&turn, sim_card), now) {
                None => return self.take(modem, sim_card, &route, &turn),
                Some(held @ (Held::Until(_) | Held::Trial)) => return Pull::Later(held.until()),
                Some(Held::Full(_)) => self.park(&route, &turn, sim_card),
            }
        }
        Pull::Later(Some(now.mono))
    }

    fn take(&mut self, modem: &Imei, sim_card: &SimCard, route: &Route, turn: &Turn) -> Pull {
        self.remove_turn(route, turn);
        let left = self.messages.get_mut(&turn.id).map_or(1, |entry| {
            entry.turn = None;
            entry.needs
        });
        self.next_token += 1;
        let claimed = Claimed {
            modem: modem.clone(),
            sim_card: sim_card.clone(),
            token: self.next_token,
            gate: Gate::default(),
            left,
            long: turn.parts > 1 && !turn.is_urgent(),
        };
        self.claimed.insert(turn.id, claimed.clone());
        Pull::Claimed(turn.id, claimed)
    }

    /// Moves a message to the queue of those that this SIM card has no room for.
    fn park(&mut self, route: &Route, turn: &Turn, sim_card: &SimCard) {
        if let (false, Some(until)) = (self.parked.contains_key(sim_card), self.sim_cards.next_end(sim_card)) {
            self.parked.insert(sim_card.clone(), until);
        }
        self.remove_turn(route, turn);
        let mut parked = route.clone();
        parked.parked.insert(sim_card.clone());
        self.queues.entry(parked.clone()).or_default().insert(*turn);
        if let Some(entry) = self.messages.get_mut(&turn.id) {
            entry.turn = Some((parked, *turn));
        }
    }

    /// What this SIM card had no room for is looked at again.
    pub(super) fn unpark(&mut self, sim_card: &SimCard) {
        if self.parked.remove(sim_card).is_none() {
            return;
        }
        let routes: Vec<_> = self.queues.keys().filter(|route| route.parked.contains(sim_card)).cloned().collect();
        for route in routes {
            let turns = self.queues.remove(&route).unwrap_or_default();
            let mut free = route;
            free.parked.remove(sim_card);
            for turn in &turns {
                if let Some(entry) = self.messages.get_mut(&turn.id) {
                    entry.turn = Some((free.clone(), *turn));
                }
            }
            self.queues.entry(free).or_default().extend(turns);
        }
    }

    /// What a message asks of a SIM card.
    pub(super) fn ask(&self, turn: &Turn, sim_card: &SimCard) -> Ask {
        let (parts, number) = self.messages.get(&turn.id).map_or((1, None), |entry| (entry.needs, Some(entry.number)));
        Ask { parts, number, urgent: turn.is_urgent(), ..self.promised(sim_card) }
    }

    /// What modems have of a SIM card's room, and have not begun to use.
    pub(super) fn promised(&self, sim_card: &SimCard) -> Ask {
        let claims = || self.claimed.values().filter(|claimed| claimed.sim_card == *sim_card);
        Ask {
            promised: claims().map(|claimed| claimed.left).sum(),
            promised_long: claims().filter(|claimed| claimed.long).map(|claimed| claimed.left).sum(),
            promises: claims().count() as u32,
            ..Ask::default()
        }
    }

    /// A part of a claimed message has been begun: it is counted now.
    pub(super) fn begun(&mut self, id: MessageId) {
        if let Some(claimed) = self.claimed.get_mut(&id) {
            claimed.left = claimed.left.saturating_sub(1);
        }
    }

    /// Whether another SIM card could take a message soon, that is none of those.
    pub(super) fn another_may_take(
        &mut self,
        message: &Message,
        number: NumberHash,
        than: &SimCard,
        but: &[SimCard],
        now: &Now,
    ) -> bool {
        let ask = Ask {
            parts: u32::from(message.parts),
            number: Some(number),
            urgent: message.priority != Priority::Normal,
            ..Ask::default()
        };
        let (strict, _) = self.sim_cards.routes(&message.to);
        self.sim_cards.another_is_ready(than, but, strict, ask, now)
    }

    /// When a message that only seems to be queued would find room.
    pub(super) fn slot_as_if(&mut self, id: MessageId, now: &Now) -> Option<Wall> {
        let entry = self.messages.get(&id)?;
        let (number, urgent, parts) = (entry.number, entry.urgent, entry.needs);
        let mut soonest = None;
        for sim_card in self.sim_cards.ready() {
            let ask = Ask { parts, number: Some(number), urgent, ..self.promised(&sim_card) };
            let held = self.sim_cards.held(&sim_card, ask, now)?;
            soonest = soonest.into_iter().chain(held.until()).min();
        }
        soonest.map(|until| now.wall + (until - now.mono))
    }

    /// Whether every SIM card that can send is held back.
    pub(super) fn all_held(&mut self, now: &Now) -> bool {
        if !self.sim_cards.may_hold() {
            return false;
        }
        let ready = self.sim_cards.ready();
        let held = |sim_card: &SimCard| {
            let least = Ask { parts: 1, urgent: true, ..self.promised(sim_card) };
            self.sim_cards.held(sim_card, least, now).is_some()
        };
        !ready.is_empty() && ready.iter().all(held)
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

    fn count_queued(&mut self, entry: &Entry, comes: bool) {
        let queued = entry.status == Status::Queued;
        let urgent = entry.urgent && (queued || entry.status == Status::Submitting);
        for (count, by) in [(&mut self.queued, queued), (&mut self.urgent, urgent)] {
            *count = if comes { *count + usize::from(by) } else { *count - usize::from(by) };
        }
    }

    /// The SIM cards that could take a code for this number, and how many urgent messages wait or are being sent.
    pub(super) fn lanes(&mut self, to: &Msisdn, number: NumberHash, now: &Now) -> (Vec<Lane>, usize) {
        let (strict, _) = self.sim_cards.routes(to);
        let cards = self.sim_cards.ready().into_iter().filter(|card| self.sim_cards.is_on(strict, card));
        let cards: Vec<_> = cards.collect();
        let share = in_time::share(self.urgent, cards.len());
        let lane = |sim_card: &SimCard| {
            let own = self.promised(sim_card);
            let (promised, promises) = (own.promised + share, own.promises + share);
            let ask = Ask { parts: 1, number: Some(number), urgent: true, promised, promises, ..own };
            let free_in = match self.sim_cards.held(sim_card, ask, now) {
                // A card that is being tried may be found in order.
                None | Some(Held::Trial) => Some(Duration::ZERO),
                Some(held) => held.until().map(|until| until - now.mono),
            };
            Lane { free_in, pace: self.sim_cards.pace(sim_card) }
        };
        (cards.iter().map(lane).collect(), self.urgent)
    }

    /// How many messages wait.
    pub(super) fn queued(&self) -> usize {
        self.queued
    }

    /// The next concatenation reference for a number: unlike the last ones given for hours.
    pub(super) fn next_reference(&mut self, number: NumberHash, seed: u8, now: Mono) -> u8 {
        self.references.next(number, seed, now)
    }

    fn turn_of(
        &mut self,
        message: &Message,
        number: NumberHash,
        patience: &mut Option<Mono>,
        now: &Now,
    ) -> Option<(Route, Turn)> {
        let State::Queued { not_before, only, .. } = &message.state else { return None };
        if not_before.is_some_and(|t| !t.passed(now)) || self.claimed.contains_key(&message.id) {
            return None;
        }
        let turn = Turn {
            priority: message.priority,
            deadline: message.deadline.wall,
            sequence: message.sequence,
            id: message.id,
            parts: parts_to_go(message),
        };
        if only.is_some() {
            return Some((Route { only: only.clone(), ..Route::default() }, turn));
        }
        let (strict, preferred) = self.sim_cards.routes(&message.to);
        let mut route = Route {
            avoided: Avoided { cards: message.avoid.clone(), barred: retry::barred(message) },
            strict,
            ..Route::default()
        };
        if patience.is_none_or(|until| until > now.mono) {
            route.first = self.first_choice(number, &route, preferred, now);
        }
        if route.first != First::Anyone {
            patience.get_or_insert(now.mono + PATIENCE);
        }
        Some((route, turn))
    }

    /// Who is to take a message first. One that has work already is left alone, and one message at a time waits for it.
    fn first_choice(&mut self, number: NumberHash, route: &Route, preferred: Option<u16>, now: &Now) -> First {
        if let Some(preferred) = preferred {
            let expected = self.sim_cards.is_expected_on(preferred, now);
            return if expected { First::Route(preferred) } else { First::Anyone };
        }
        let Some(card) = self.sim_cards.favourite(number, route.strict, now) else { return First::Anyone };
        let busy = self.claimed.values().any(|claimed| claimed.sim_card == card);
        let first = First::Card(card.clone());
        let awaited = self.queues.keys().any(|other| other.first == first);
        if busy || awaited || route.avoided.cards.contains(&card) { First::Anyone } else { first }
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

impl Turn {
    /// Whether it may take what is kept for urgent ones.
    pub(super) fn is_urgent(&self) -> bool {
        self.priority != Priority::Normal
    }
}

/// Parts of a message that its next attempt has to send, or the rest of the one under way.
fn parts_to_go(message: &Message) -> u32 {
    let sent = message.attempts.last().filter(|a| a.is_resumable(message.parts)).map_or(0, |a| a.accepted());
    u32::from(message.parts).saturating_sub(sent as u32)
}

/// When a message is to be looked at again, if ever.
fn message_timer(message: &Message, now: &Now) -> Option<Mono> {
    let deadline = message.deadline.mono(now);
    match &message.state {
        State::Queued { not_before: Some(t), .. } if !t.passed(now) => Some(t.mono(now).min(deadline)),
        State::Queued { .. } | State::Canceled(Reason::Suppressed) => Some(deadline),
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

/// Messages that one pull parks at most: the next goes on.
const PARKED_AT_ONCE: usize = 256;
/// Numbers whose last concatenation reference is known: some hours of long messages.
const REFERENCES_KEPT: usize = 16384;
