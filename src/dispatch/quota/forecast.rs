//! When a message can go that has others before it: by the limits alone, as if nothing took any time.

use super::{Account, Ask, At, Period, for_whom};
use crate::domain::time::Now;
use std::time::Duration;

/// What one SIM card sends by and by, if it sends whatever there is as soon as it may.
#[derive(Clone, Debug)]
pub struct Forecast {
    /// Nothing goes before this.
    from: At,
    /// How far messages are apart at least.
    apart: Duration,
    sliding: Vec<Sliding>,
    calendar: Vec<Calendar>,
}

#[derive(Clone, Debug)]
struct Sliding {
    length: Duration,
    limit: usize,
    /// When each part that counts goes, oldest first.
    sent: Vec<At>,
}

#[derive(Clone, Debug)]
struct Calendar {
    room: u32,
    limit: u32,
    ends: At,
    length: Duration,
}

impl Forecast {
    /// Of a card of which nothing is counted: anything goes from then on.
    pub fn free(from: At) -> Self {
        Self { from, apart: Duration::ZERO, sliding: Vec::new(), calendar: Vec::new() }
    }

    /// When a message of so many parts can go.
    fn goes(&self, parts: u32) -> At {
        let sliding = self.sliding.iter().map(|window| window.has_room(parts));
        let calendar = self.calendar.iter().map(|window| window.has_room(parts));
        sliding.chain(calendar).flatten().fold(self.from, At::max)
    }

    /// A part goes then.
    fn take(&mut self, at: At) {
        self.from = self.from.max(at).plus(self.apart);
        self.sliding.iter_mut().for_each(|window| window.sent.push(at));
        self.calendar.iter_mut().for_each(|window| window.take(at));
    }

    fn has_limits(&self) -> bool {
        !(self.apart.is_zero() && self.sliding.is_empty() && self.calendar.is_empty())
    }
}

impl Sliding {
    /// When there is room for so many parts, or half of it is free, if that is to be waited for.
    fn has_room(&self, parts: u32) -> Option<At> {
        let needs = (parts as usize).min(self.limit.div_ceil(2));
        let last = (self.sent.len() + needs).checked_sub(self.limit + 1)?;
        Some(self.sent.get(last)?.plus(self.length))
    }
}

impl Calendar {
    fn of(period: &Period, limit: u32, length: Duration) -> Self {
        Self { room: limit.saturating_sub(period.parts), limit, ends: period.ends, length }
    }

    fn has_room(&self, parts: u32) -> Option<At> {
        (self.room < parts).then_some(self.ends)
    }

    fn take(&mut self, at: At) {
        while at >= self.ends {
            (self.room, self.ends) = (self.limit, self.ends.plus(self.length));
        }
        self.room = self.room.saturating_sub(1);
    }
}

impl Account {
    /// What it sends from then on, for a message that asks like this.
    pub fn forecast(&mut self, ask: Ask, from: At, now: &Now) -> Forecast {
        self.roll(now);
        let sliding = self.sliding().into_iter().flatten().map(|slide| {
            let mut sent = Vec::new();
            for part in self.recent.range(self.first_since(slide.length, now)..) {
                if !slide.is_over(sent.len() as u32, part, ask.urgent) {
                    sent.push(part.at);
                }
            }
            let limit = slide.limit_for(ask.urgent, ask.parts > 1) as usize;
            Sliding { length: slide.length, limit, sent }
        });
        let sliding = sliding.collect();
        let day = self.per_day().map(|limit| Calendar::of(&self.day, for_whom(limit, ask.urgent), DAY));
        let month = self.limits.per_month;
        let month = month.map(|limit| Calendar::of(&self.month, for_whom(limit, ask.urgent), SHORTEST_MONTH));
        Forecast {
            from: from.max(self.spaced_from(ask.urgent)).max(At::now(now)),
            // As jitter may shorten it.
            apart: self.spacing() * 3 / 4,
            sliding,
            calendar: day.into_iter().chain(month).collect(),
        }
    }
}

/// Several SIM cards that send what stands before a message.
#[derive(Clone, Debug)]
pub struct Queue {
    /// Each with the time at which it can send a part more.
    cards: Vec<(At, Forecast)>,
    sent: u64,
}

impl Queue {
    /// These, before any of it has gone.
    pub fn new(cards: Vec<Forecast>) -> Self {
        Self { cards: cards.into_iter().map(|card| (card.goes(1), card)).collect(), sent: 0 }
    }

    /// How many parts it has sent.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// The earliest time at which a message of so many parts can go over one of these cards, by their places, with so many
    /// parts before it, no fewer than [`Self::sent`]. Beyond `until` nobody wants to know it exactly.
    pub fn goes(&mut self, before: u64, parts: u32, own: &[usize], until: At) -> Option<At> {
        while self.sent < before {
            let (at, next) = self.cards.iter_mut().min_by_key(|(at, _)| *at)?;
            if !next.has_limits() || *at > until {
                // All of it goes at once, or the message not at all.
                break;
            }
            next.take(*at);
            *at = next.goes(1);
            self.sent += 1;
        }
        own.iter().filter_map(|place| self.cards.get(*place)).map(|(_, card)| card.goes(parts)).min()
    }
}

const DAY: Duration = Duration::from_secs(24 * 3600);
const SHORTEST_MONTH: Duration = Duration::from_secs(28 * 24 * 3600);
