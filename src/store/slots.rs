//! When messages that wait can go: by the limits of the SIM cards that may take them, and by what stands before them in the
//! same queues. An estimate that errs on the early side: nothing takes any time in it, no card refuses anything, and nobody
//! who comes later goes first.

use super::index::{Index, Route, Timer, Turn};
use super::sim_cards::Held;
use crate::dispatch::quota::{Ask, At, Queue};
use crate::domain::equipment::SimCard;
use crate::domain::id::MessageId;
use crate::domain::message::Status;
use crate::domain::time::{Now, Wall};
use std::collections::{BTreeMap, BTreeSet};

/// A queue, as far as it is of interest here.
struct Line {
    /// The SIM cards whose room its messages take.
    cards: BTreeSet<SimCard>,
    /// Parts before each of the messages that are asked for, in their order.
    before: Vec<u64>,
}

/// Messages for which the same is reckoned.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Alike {
    cards: BTreeSet<SimCard>,
    urgent: bool,
    long: bool,
}

impl Index {
    /// The earliest time at which each of these can go, of those that are held back. Each queue is walked once, however many
    /// are asked for.
    pub(super) fn next_slots(&mut self, ids: &[MessageId], now: &Now) -> BTreeMap<MessageId, Wall> {
        let mut slots = BTreeMap::new();
        let mut waiting = Vec::new();
        for id in ids {
            if self.entry(*id).is_some_and(|entry| entry.suppressed) {
                slots.extend(self.slot_as_if(*id, now).map(|at| (*id, at)));
                continue;
            }
            let Some(entry) = self.entry(*id).filter(|entry| entry.status == Status::Queued) else { continue };
            match entry.turn.clone() {
                Some((route, turn)) => waiting.push((turn, route)),
                None if self.claimed(*id).is_some() => {}
                // Not before a time: its caller's, or that of the next try.
                None => {
                    let wakes = self.timer(Timer::Message(*id)).filter(|at| *at > now.mono);
                    slots.extend(wakes.map(|at| (*id, now.wall + (at - now.mono))));
                }
            }
        }
        if waiting.is_empty() || !self.sim_cards.may_hold() {
            return slots;
        }
        waiting.sort_by_key(|(turn, _)| *turn);
        let ready = self.sim_cards.ready();
        let lines = self.lines(&waiting, &ready);
        let mut queues = BTreeMap::new();
        for (place, (turn, route)) in waiting.iter().enumerate() {
            let own: BTreeSet<_> =
                ready.iter().filter(|card| route.leads_over(card, &self.sim_cards)).cloned().collect();
            slots.extend(self.slot(turn, &own, place, &lines, &mut queues, now).map(|at| (turn.id, at)));
        }
        slots
    }

    /// The queues whose messages may stand in somebody's way, with what stands before each that is asked for.
    fn lines(&self, waiting: &[(Turn, Route)], ready: &BTreeSet<SimCard>) -> Vec<Line> {
        let mut lines = Vec::new();
        for (route, turns) in self.queues() {
            // What a card has no room for before its day ends takes none from others.
            let takes = |card: &&SimCard| route.leads_over(card, &self.sim_cards) && !route.parked.contains(*card);
            let cards: BTreeSet<_> = ready.iter().filter(takes).cloned().collect();
            if cards.is_empty() {
                continue;
            }
            let (mut before, mut sum, mut turns) = (Vec::with_capacity(waiting.len()), 0, turns.iter().peekable());
            for (turn, _) in waiting {
                while let Some(other) = turns.next_if(|other| *other < turn) {
                    sum += u64::from(other.parts);
                }
                before.push(sum);
            }
            lines.push(Line { cards, before });
        }
        lines
    }

    fn slot(
        &mut self,
        turn: &Turn,
        own: &BTreeSet<SimCard>,
        place: usize,
        lines: &[Line],
        queues: &mut BTreeMap<Alike, Queue>,
        now: &Now,
    ) -> Option<Wall> {
        // Messages before it that another card could take take less room from its own.
        let (mut cards, mut before) = (own.clone(), 0);
        for line in lines.iter().filter(|line| line.before[place] > 0 && !line.cards.is_disjoint(own)) {
            cards.extend(line.cards.iter().cloned());
            before += line.before[place];
        }
        let (mut soonest, mut on_trial) = (None, false);
        for sim_card in own {
            let ask = self.ask(turn, sim_card);
            let until = match self.sim_cards.held(sim_card, ask, now) {
                Some(Held::Trial) => {
                    on_trial = true;
                    None
                }
                // One before it is the trial.
                None if before > 0 && self.sim_cards.is_to_be_tried(sim_card, now) => {
                    on_trial = true;
                    None
                }
                None => Some(now.mono),
                Some(held) => held.until(),
            };
            soonest = soonest.into_iter().chain(until).min();
        }
        // As soon as the trial shows that the card is in order.
        if on_trial && soonest.is_none_or(|at| at > now.mono) {
            return Some(now.wall);
        }
        if own.is_empty() {
            return None;
        }
        // It is larger than a window itself: never.
        let Some(soonest) = soonest else { return Some(turn.deadline) };
        for card in &cards {
            let Ask { promised, promised_long, .. } = self.promised(card);
            // Codes are not held up by a long plain message, nor by what is still to go of it.
            before += u64::from(if turn.is_urgent() { promised.saturating_sub(promised_long) } else { promised });
        }
        let own: Vec<_> = cards.iter().enumerate().filter(|(_, card)| own.contains(card)).map(|(n, _)| n).collect();
        let ask = Ask { parts: turn.parts, urgent: turn.is_urgent(), ..Ask::default() };
        let mut forecast = || cards.iter().map(|card| self.sim_cards.forecast(card, ask, now)).collect();
        // Those that are alike go on where the one before them stood.
        let alike = Alike { cards: cards.clone(), urgent: ask.urgent, long: ask.parts > 1 };
        let queue = match queues.remove(&alike).filter(|queue| queue.sent() <= before) {
            Some(queue) => queue,
            None => Queue::new(forecast()),
        };
        let queue = queues.entry(alike).or_insert(queue);
        let until = At::now(now).plus(turn.deadline - now.wall);
        let at = queue.goes(before, turn.parts, &own, until)?.mono(now).max(soonest);
        (at > now.mono).then(|| now.wall + (at - now.mono))
    }
}
