//! What a SIM card may send, counted in parts: in any minute and hour, from midnight to midnight, from one billing day to the
//! next; to how many different numbers a day; and how far apart.
//!
//! An [`Account`] runs by the boot clock, which nobody can set: [`At`]. Where the calendar's windows end is asked of the wall
//! clock when they begin. One that is set later moves that end, and neither empties a window nor keeps one full for ever.

use super::calendar::{self, LONGEST_DAY, LONGEST_MONTH};
use super::unassigned::NumberHash;
use crate::config::Limits;
use crate::domain::message::{Message, Priority};
pub use crate::domain::time::At;
use crate::domain::time::{Now, Wall};
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

mod forecast;
pub use forecast::{Forecast, Queue};

/// What holds a message back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Window {
    /// The last message was too short a time ago.
    Spacing,
    /// The parts of the last 60 seconds.
    Minute,
    /// The parts of the last 60 minutes.
    Hour,
    /// Today's parts.
    Day,
    /// The parts since the billing day.
    Month,
    /// Today's different numbers.
    Recipients,
}

impl Window {
    /// The word that the API and the log use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Spacing => "spacing",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
            Self::Recipients => "recipients_per_day",
        }
    }

    /// Whether it slides: then there is room for a message as soon as so many parts have left it, and it is worth waiting.
    /// The others stay full until they end.
    pub fn slides(self) -> bool {
        matches!(self, Self::Spacing | Self::Minute | Self::Hour)
    }
}

/// Why there is no room, and when there will be. `None`: it is larger than the window itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// When there will be room, if nothing else is sent meanwhile.
    pub until: Option<At>,
    /// What is full.
    pub by: Window,
}

/// What kind of message a part belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A code, or marked as urgent.
    Urgent,
    /// Neither, and of one part.
    Plain,
    /// Neither, and of several parts, which go out all at once.
    Long,
}

impl Kind {
    /// The kind of a message.
    pub fn of(message: &Message) -> Self {
        match (message.priority, message.parts) {
            (Priority::Otp | Priority::High, _) => Self::Urgent,
            (Priority::Normal, 0 | 1) => Self::Plain,
            (Priority::Normal, _) => Self::Long,
        }
    }
}

/// A part that was sent within the last hour.
#[derive(Clone, Copy, Debug)]
struct Sent {
    at: At,
    number: NumberHash,
    kind: Kind,
}

/// A message that asks for room.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ask {
    /// Its parts that are still to go.
    pub parts: u32,
    /// Its number. `None`: any that has had a message today.
    pub number: Option<NumberHash>,
    /// Whether it may take the reserve.
    pub urgent: bool,
    /// Parts of messages that a modem has already, and may begin any moment.
    pub promised: u32,
    /// Those of them that are long plain messages'.
    pub promised_long: u32,
    /// How many messages those are.
    pub promises: u32,
}

/// How full a window is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used {
    /// Which.
    pub window: Window,
    /// Parts in it, or numbers.
    pub used: u32,
    /// How many it takes.
    pub limit: Option<u32>,
}

/// What one SIM card has sent.
#[derive(Clone, Debug)]
pub struct Account {
    limits: Limits,
    /// The last hour's parts, oldest first.
    recent: VecDeque<Sent>,
    day: Period,
    month: Period,
    /// Today's numbers, and how many parts each has had.
    numbers: BTreeMap<NumberHash, u32>,
    free_from: At,
    /// The same for what is urgent.
    urgent_from: At,
    /// Whether the card is new: then less is allowed.
    is_new: bool,
}

/// A window that ends at a time of the calendar.
#[derive(Clone, Copy, Debug)]
struct Period {
    begun: At,
    ends: At,
    parts: u32,
}

impl Period {
    fn new((begin, end): (Wall, Wall), now: &Now) -> Self {
        Self { begun: At::of_wall(begin, now), ends: At::of_wall(end, now), parts: 0 }
    }

    /// Begins the next one, if this one has ended.
    fn roll(&mut self, next: impl FnOnce() -> (Wall, Wall), now: &Now) -> bool {
        let over = At::now(now) >= self.ends;
        if over {
            let next = Self::new(next(), now);
            // A clock that was set forward must not begin it before the last one ended.
            *self = Self { begun: next.begun.max(self.ends), ..next };
        }
        over
    }

    /// The wall clock was set: it ends when that says so, but after the longest time such a window takes.
    fn re_end(&mut self, (_, end): (Wall, Wall), longest: Duration, now: &Now) {
        self.ends = At::of_wall(end, now).min(self.begun.plus(longest)).max(At::now(now));
    }

    fn take(&mut self, at: At) {
        self.parts += u32::from(at >= self.begun);
    }

    fn give_back(&mut self, at: At) {
        if at >= self.begun {
            self.parts = self.parts.saturating_sub(1);
        }
    }
}

impl Account {
    /// A card that has sent nothing yet.
    pub fn new(limits: Limits, now: &Now) -> Self {
        let day = Period::new(calendar::day(now.wall, &zone(&limits)), now);
        let month = Period::new(calendar::month(now.wall, &zone(&limits), billing_day(&limits)), now);
        let (recent, numbers) = (VecDeque::new(), BTreeMap::new());
        let from = At::now(now);
        Self { limits, recent, day, month, numbers, free_from: from, urgent_from: from, is_new: false }
    }

    /// Says whether it counts as new.
    pub fn set_new(&mut self, is_new: bool) {
        self.is_new = is_new;
    }

    /// Counts a part that is on record from then.
    pub fn restore(&mut self, at: At, number: NumberHash, kind: Kind, now: &Now) {
        let at = at.min(At::now(now));
        if at > At::ago(HOUR, now) {
            let place = self.recent.partition_point(|other| other.at <= at);
            self.recent.insert(place, Sent { at, number, kind });
            self.free_from = self.free_from.max(at.plus(self.spacing()));
            self.urgent_from = self.free_from;
        }
        self.day.take(at);
        self.month.take(at);
        if at >= self.day.begun {
            *self.numbers.entry(number).or_default() += 1;
        }
    }

    /// Counts a part that is about to be sent. The next message may follow after the spacing, more or less: `jitter` is
    /// random, since even beats are what networks look for. Parts of one message follow each other at once, and what they
    /// would have waited the next one waits; but behind a plain one no code waits longer than behind a single part.
    pub fn charge(&mut self, number: NumberHash, kind: Kind, jitter: u8, now: &Now) {
        self.roll(now);
        let at = At::now(now);
        self.recent.push_back(Sent { at, number, kind });
        self.day.take(at);
        self.month.take(at);
        *self.numbers.entry(number).or_default() += 1;
        let spacing = self.spacing() * (768 + u32::from(jitter) * 2) / 1024;
        self.free_from = self.free_from.max(at).plus(spacing);
        self.urgent_from = match kind {
            Kind::Urgent => self.urgent_from.max(at).plus(spacing),
            Kind::Plain | Kind::Long => self.urgent_from.max(at.plus(spacing)),
        };
    }

    /// Takes back what was counted for a part that provably was not sent. The spacing stays: it was tried.
    pub fn give_back(&mut self, number: NumberHash, now: &Now) {
        self.roll(now);
        let Some(place) = self.recent.iter().rposition(|other| other.number == number) else { return };
        let Some(Sent { at, .. }) = self.recent.remove(place) else { return };
        self.day.give_back(at);
        self.month.give_back(at);
        if at >= self.day.begun
            && let Some(parts) = self.numbers.get_mut(&number)
        {
            *parts -= 1;
            if *parts == 0 {
                self.numbers.remove(&number);
            }
        }
    }

    /// Whether a message may go now; if not, the window that keeps it longest.
    pub fn ask(&mut self, ask: Ask, now: &Now) -> Result<(), Hold> {
        self.roll(now);
        let from = self.spaced_from(ask.urgent);
        let spacing = (from > At::now(now)).then_some((Window::Spacing, Some(from)));
        let sliding = self.sliding().map(|slide| {
            let slide = slide?;
            Some((slide.window, self.slides_free(slide, ask, now)?))
        });
        let of_calendar = [
            (Window::Day, self.day.parts, self.per_day(), self.day.ends, ask.parts, ask.promised),
            (Window::Month, self.month.parts, self.limits.per_month, self.month.ends, ask.parts, ask.promised),
            (
                Window::Recipients,
                self.numbers.len() as u32,
                self.limits.recipients_per_day,
                self.day.ends,
                u32::from(ask.number.is_some_and(|number| !self.numbers.contains_key(&number))),
                ask.promises,
            ),
        ];
        let of_calendar = of_calendar.map(|(window, used, limit, ends, needs, promised)| {
            let limit = for_whom(limit?, ask.urgent);
            match used + promised + needs <= limit || needs == 0 {
                true => None,
                false => Some((window, (needs <= limit).then_some(ends))),
            }
        });
        let held = [spacing].into_iter().chain(sliding).chain(of_calendar).flatten();
        match held.max_by_key(|(_, until)| (until.is_none(), *until)) {
            Some((by, until)) => Err(Hold { until, by }),
            None => Ok(()),
        }
    }

    /// When the day's window or the month's ends: what had no room in it may have some then.
    pub fn next_end(&self) -> At {
        self.day.ends.min(self.month.ends)
    }

    /// Begins the windows that have ended.
    fn roll(&mut self, now: &Now) {
        let hour_ago = At::ago(HOUR, now);
        while self.recent.front().is_some_and(|sent| sent.at <= hour_ago) {
            self.recent.pop_front();
        }
        let limits = &self.limits;
        if self.day.roll(|| calendar::day(now.wall, &zone(limits)), now) {
            self.numbers.clear();
        }
        self.month.roll(|| calendar::month(now.wall, &zone(limits), billing_day(limits)), now);
    }

    /// The wall clock has been set.
    pub fn clock_set(&mut self, now: &Now) {
        self.day.re_end(calendar::day(now.wall, &zone(&self.limits)), LONGEST_DAY, now);
        self.month.re_end(
            calendar::month(now.wall, &zone(&self.limits), billing_day(&self.limits)),
            LONGEST_MONTH,
            now,
        );
    }

    /// How full each window is.
    pub fn used(&mut self, now: &Now) -> [Used; 5] {
        self.roll(now);
        let used = |window, used: usize, limit| Used { window, used: used as u32, limit };
        [
            used(Window::Minute, self.since(MINUTE, now), self.limits.per_minute),
            used(Window::Hour, self.since(HOUR, now), self.limits.per_hour),
            used(Window::Day, self.day.parts as usize, self.per_day()),
            used(Window::Month, self.month.parts as usize, self.limits.per_month),
            used(Window::Recipients, self.numbers.len(), self.limits.recipients_per_day),
        ]
    }

    /// When enough parts have left a window that slides.
    fn slides_free(&self, slide: Slide, ask: Ask, now: &Now) -> Option<Option<At>> {
        if for_whom(slide.limit, ask.urgent) == 0 {
            return Some(None);
        }
        let first = self.first_since(slide.length, now);
        let count = self.recent.len() - first;
        let has_room = |gone: usize| slide.has_room(self.recent.range(first + gone..), ask);
        if slide.is_roomy(count, ask) || has_room(0) {
            return None;
        }
        // With each part that leaves there is no less room.
        let (mut too_few, mut enough) = (0, count);
        while too_few + 1 < enough {
            let middle = (too_few + enough) / 2;
            if has_room(middle) { enough = middle } else { too_few = middle }
        }
        // What is promised only has no time yet; it will have left by then, or be asked for again.
        let from = enough.checked_sub(1).and_then(|last| self.recent.get(first + last));
        Some(Some(from.map_or_else(|| At::now(now), |sent| sent.at).plus(slide.length)))
    }

    fn since(&self, length: Duration, now: &Now) -> usize {
        self.recent.len() - self.first_since(length, now)
    }

    fn first_since(&self, length: Duration, now: &Now) -> usize {
        self.recent.partition_point(|sent| sent.at <= At::ago(length, now))
    }

    fn sliding(&self) -> [Option<Slide>; 2] {
        let Limits { per_minute, per_hour, .. } = self.limits;
        [
            // In a minute a long message is felt most: a third is kept for the codes behind it.
            per_minute.map(|limit| Slide { window: Window::Minute, length: MINUTE, limit, share: limit - limit / 3 }),
            per_hour.map(|limit| Slide { window: Window::Hour, length: HOUR, limit, share: for_whom(limit, false) }),
        ]
    }

    fn spaced_from(&self, urgent: bool) -> At {
        if urgent { self.urgent_from } else { self.free_from }
    }

    fn spacing(&self) -> Duration {
        self.limits.spacing.unwrap_or_default()
    }

    fn per_day(&self) -> Option<u32> {
        let when_new = self.limits.per_day_when_new.filter(|_| self.is_new);
        self.limits.per_day.into_iter().chain(when_new).min()
    }
}

/// A window that slides.
///
/// The parts of a message are not sent apart. So none waits until more than half of what it may take is free: where others go
/// out steadily, that is never. One that is longer runs over, and those behind it wait for that; but no code does. Long plain
/// messages have a share of the window. What they take beyond it is not held against codes, and while they are in it, other
/// plain ones keep to the share, too.
#[derive(Clone, Copy)]
struct Slide {
    window: Window,
    length: Duration,
    limit: u32,
    share: u32,
}

impl Slide {
    /// Whether there is room, with these parts in it.
    fn has_room<'a>(&self, sent: impl Iterator<Item = &'a Sent>, ask: Ask) -> bool {
        let (mut used, mut shared) = (0, ask.parts > 1);
        for sent in sent {
            shared |= sent.kind == Kind::Long;
            used += u32::from(!self.is_over(used, sent, ask.urgent));
        }
        let mut promised = ask.promised;
        if ask.urgent {
            // As they will count once they are sent.
            promised -= ask.promised_long.min(promised);
            promised += ask.promised_long.min(self.share.saturating_sub(used));
        }
        let limit = self.limit_for(ask.urgent, shared);
        used + promised + ask.parts.min(limit.div_ceil(2)) <= limit
    }

    /// Whether there is room, whatever the parts in it are.
    fn is_roomy(&self, sent: usize, ask: Ask) -> bool {
        sent as u32 + ask.promised + ask.parts.min(self.limit.div_ceil(2)) <= self.share
    }

    /// Whether a part behind so many others counts for nothing: it is a long message's, beyond its share.
    fn is_over(&self, used: u32, sent: &Sent, urgent: bool) -> bool {
        urgent && sent.kind == Kind::Long && used >= self.share
    }

    fn limit_for(&self, urgent: bool, shared: bool) -> u32 {
        if !urgent && shared { self.share } else { for_whom(self.limit, urgent) }
    }
}

/// What of a limit is for whom: a tenth is kept for codes and what else is urgent.
fn for_whom(limit: u32, urgent: bool) -> u32 {
    if urgent { limit } else { limit - limit / 10 }
}

fn zone(limits: &Limits) -> TimeZone {
    limits.time_zone.clone().unwrap_or(TimeZone::UTC)
}

fn billing_day(limits: &Limits) -> u8 {
    limits.billing_day.unwrap_or(1)
}

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
/// A SIM card counts as new for so long.
pub const NEW: Duration = Duration::from_secs(7 * 24 * 3600);

#[cfg(test)]
mod tests;
