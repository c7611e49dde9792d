//! What is kept of one subject, and what can be told from it.
//!
//! A [`Ledger`] is a few marks by the boot clock, which nobody can set: no wall clock that is moved frees anyone or locks
//! anyone up. Of a window that takes `n`, the last `n` marks tell all there is to know.

use crate::domain::guard::{GuardRules, SendLimits};
use crate::domain::time::{At, Now};
use std::time::Duration;

/// What a ledger is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Codes sent to a number.
    Sends,
    /// Wrong codes for a client's number.
    Failures,
    /// Wrong codes for a number, whoever's.
    FailuresEverywhere,
    /// Codes for one of a caller's keys.
    CallerKey,
    /// Numbers of a prefix.
    Prefix,
    /// What an API key has sent.
    ApiKey,
    /// How many of a prefix's codes came back.
    PrefixConversion,
    /// How many of a country's did.
    CountryConversion,
    /// A number whose owner has given the right code.
    Approved,
    /// An API key whose codes are checked here.
    Checks,
}

/// What is kept of one subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    /// What it is about.
    pub kind: Kind,
    /// What happened, oldest first.
    pub marks: Vec<Mark>,
    /// How many steps of a ladder were gone.
    pub level: u32,
    /// Since when it says no by itself, or when it last raised an alarm.
    pub since: Option<At>,
}

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// When, or when last.
    pub at: At,
    /// How often; of a prefix, to which number.
    pub n: u32,
    /// How many of those came to something.
    pub m: u32,
}

impl Ledger {
    /// An empty one.
    pub fn new(kind: Kind) -> Self {
        Self { kind, marks: Vec::new(), level: 0, since: None }
    }

    /// When it holds nothing any more.
    pub fn ends(&self) -> At {
        let hold = match self.kind {
            Kind::CallerKey | Kind::Prefix => HOUR,
            Kind::Sends | Kind::Failures | Kind::FailuresEverywhere | Kind::ApiKey => DAY,
            Kind::PrefixConversion | Kind::CountryConversion => DAY,
            Kind::Approved => APPROVED,
            Kind::Checks => CHECKS,
        };
        let last = self.marks.last().map(|mark| mark.at).into_iter().chain(self.since).max();
        last.map_or(At(i64::MIN), |at| at.plus(hold))
    }

    /// Notes that it happened, and keeps the last so many marks.
    fn mark(&mut self, n: u32, keep: u32, now: &Now) {
        self.marks.push(Mark { at: At::now(now), n, m: 0 });
        let beyond = self.marks.len().saturating_sub(keep as usize);
        self.marks.drain(..beyond);
    }

    fn last(&self) -> Option<At> {
        self.marks.last().map(|mark| mark.at)
    }

    /// How long until a window takes one more mark; `None` if it does now.
    fn full_for(&self, window: Duration, limit: u32, now: &Now) -> Option<Duration> {
        let first = self.marks.len().checked_sub(limit as usize)?;
        left(self.marks.get(first)?.at.plus(window), now)
    }

    // Codes sent to a number.

    /// How long until the number may be sent one more: by the limits, and by the ladder.
    pub fn sends_full_for(&self, rules: &GuardRules, now: &Now) -> Option<Duration> {
        let ten = self.full_for(TEN_MINUTES, rules.per_number_ten_minutes, now);
        ten.into_iter().chain(self.full_for(DAY, rules.per_number_day, now)).max()
    }

    /// How long until the next step of the ladder. After an hour without a code it begins anew.
    pub fn resend_waits_for(&self, rules: &GuardRules, now: &Now) -> Option<Duration> {
        let last = self.last().filter(|_| self.level > 0)?;
        left(last.plus(rules.resend_wait * (1 << (self.level - 1).min(2))), now)
    }

    /// A code is sent to it.
    pub fn sent(&mut self, rules: &GuardRules, now: &Now) {
        let quiet = self.last().is_none_or(|at| at.age(now) >= HOUR);
        self.level = if quiet { 1 } else { self.level.saturating_add(1) };
        self.mark(0, rules.per_number_ten_minutes.max(rules.per_number_day), now);
    }

    /// Its owner is there: the ladder begins anew.
    pub fn answered(&mut self) {
        self.level = 0;
    }

    // Wrong codes.

    /// For how long no code is compared.
    pub fn locked_for(&self, now: &Now) -> Option<Duration> {
        let last = self.last().filter(|_| self.level > 0)?;
        let wait = FIRST_LOCK * (1 << (self.level - 1).min(10));
        left(last.plus(wait.min(LONGEST_LOCK)), now)
    }

    /// A wrong code was given. When there have been too many in an hour, each one is a wait, longer each time.
    pub fn failed(&mut self, rules: &GuardRules, now: &Now) {
        if self.last().is_some_and(|at| at.age(now) >= DAY) {
            *self = Self::new(self.kind);
        }
        self.mark(0, rules.failed_checks, now);
        if self.level > 0 || self.full_for(HOUR, rules.failed_checks, now).is_some() {
            self.level = self.level.saturating_add(1);
        }
    }

    /// For how long nobody's code is compared.
    pub fn locked_everywhere_for(&self, rules: &GuardRules, now: &Now) -> Option<Duration> {
        self.full_for(DAY, rules.failed_checks_everywhere, now)
    }

    /// A wrong code was given to anybody. True if that is an alarm: once a day.
    pub fn failed_everywhere(&mut self, rules: &GuardRules, now: &Now) -> bool {
        self.mark(0, rules.failed_checks_everywhere, now);
        let told = self.since.is_some_and(|at| at.age(now) < DAY);
        let alarm = !told && self.locked_everywhere_for(rules, now).is_some();
        if alarm {
            self.since = Some(At::now(now));
        }
        alarm
    }

    // A caller's keys.

    /// How long until one more may be sent for it.
    pub fn caller_key_full_for(&self, rules: &GuardRules, now: &Now) -> Option<Duration> {
        let ten = self.full_for(TEN_MINUTES, rules.per_caller_key_ten_minutes, now);
        ten.into_iter().chain(self.full_for(HOUR, rules.per_caller_key_hour, now)).max()
    }

    /// One is sent for it.
    pub fn sent_for_caller_key(&mut self, rules: &GuardRules, now: &Now) {
        self.mark(0, rules.per_caller_key_ten_minutes.max(rules.per_caller_key_hour), now);
    }

    // A prefix.

    /// How long until it takes another number. Those of the last hour are taken at any time.
    pub fn prefix_full_for(&self, tail: u32, rules: &GuardRules, now: &Now) -> Option<Duration> {
        let known = |mark: &&Mark| mark.n == tail && mark.at.age(now) < HOUR;
        match self.marks.iter().find(known) {
            Some(_) => None,
            None => self.full_for(HOUR, rules.per_prefix_hour, now),
        }
    }

    /// Something is sent to this number of it.
    pub fn sent_to_prefix(&mut self, tail: u32, rules: &GuardRules, now: &Now) {
        self.marks.retain(|mark| mark.n != tail);
        self.mark(tail, rules.per_prefix_hour, now);
    }

    // An API key. Its limits may be large, so marks are drawn together: by the second, the minute, and 24 minutes.

    /// How long until it may send one more, and the limit that it has reached.
    pub fn api_key_full_for(&self, limits: &SendLimits, now: &Now) -> Option<(Duration, &'static str)> {
        let windows = [
            (MINUTE, limits.per_minute, "per_minute"),
            (HOUR, limits.per_hour, "per_hour"),
            (DAY, limits.per_day, "per_day"),
        ];
        let full = |(window, limit, word): (Duration, Option<u32>, _)| {
            let limit = limit?;
            let live = || self.marks.iter().filter(|mark| mark.at.age(now) < window);
            let mut used: u32 = live().map(|mark| mark.n).sum();
            for mark in live() {
                if used < limit {
                    return None;
                }
                used -= mark.n;
                if used < limit {
                    return Some((left(mark.at.plus(window), now)?, word));
                }
            }
            // None at all may be sent.
            (limit == 0).then_some((window, word))
        };
        windows.into_iter().filter_map(full).max()
    }

    /// It sends one.
    pub fn sent_by_api_key(&mut self, now: &Now) {
        self.marks.push(Mark { at: At::now(now), n: 1, m: 0 });
        self.draw_together(
            |age| match age {
                age if age < MINUTE => Duration::from_secs(1),
                age if age < HOUR => MINUTE,
                _ => Duration::from_secs(24 * 60),
            },
            now,
        );
        self.marks.retain(|mark| mark.at.age(now) < DAY);
    }

    // Codes that come back.

    /// For how long such numbers get no code.
    pub fn distrusted_for(&self, now: &Now) -> Option<Duration> {
        left(self.since?.plus(DISTRUST), now)
    }

    /// How a code that was sent ended. True if too few came back of late: from now on such numbers get none for a while.
    pub fn ended(&mut self, approved: bool, rules: &GuardRules, now: &Now) -> bool {
        if self.distrusted_for(now).is_some() {
            // It was sent before that, and is no news.
            return false;
        }
        self.marks.push(Mark { at: At::now(now), n: 1, m: u32::from(approved) });
        self.draw_together(|_| HOUR, now);
        self.marks.retain(|mark| mark.at.age(now) < DAY);
        let sum = |of: fn(&Mark) -> u32| self.marks.iter().map(|mark| u64::from(of(mark))).sum::<u64>();
        let (ended, approved) = (sum(|mark| mark.n), sum(|mark| mark.m));
        let few = approved * 100 < ended * u64::from(rules.conversion_percent);
        if ended < u64::from(rules.conversion_after) || !few {
            return false;
        }
        self.since = Some(At::now(now));
        self.marks.clear();
        true
    }

    // What is remembered.

    /// It happened just now: whatever was before is of no interest.
    pub fn remember(&mut self, now: &Now) {
        self.mark(0, 1, now);
    }

    /// Whether that is remembered still.
    pub fn is_remembered(&self, now: &Now) -> bool {
        left(self.ends(), now).is_some()
    }

    /// Makes one mark of neighbours that lie in the same stretch of time; how long that is depends on their age.
    fn draw_together(&mut self, width: impl Fn(Duration) -> Duration, now: &Now) {
        let mut drawn: Vec<Mark> = Vec::with_capacity(self.marks.len());
        for mark in std::mem::take(&mut self.marks) {
            let width = i64::try_from(width(mark.at.age(now)).as_millis()).unwrap_or(i64::MAX);
            match drawn.last_mut() {
                Some(last) if last.at.0.div_euclid(width) == mark.at.0.div_euclid(width) => {
                    let n = last.n.saturating_add(mark.n);
                    *last = Mark { at: mark.at, n, m: last.m.saturating_add(mark.m) };
                }
                _ => drawn.push(mark),
            }
        }
        self.marks = drawn;
    }
}

/// How long until that time, if it has not come.
fn left(until: At, now: &Now) -> Option<Duration> {
    Some(until.left(now)).filter(|left| !left.is_zero())
}

const MINUTE: Duration = Duration::from_secs(60);
const TEN_MINUTES: Duration = Duration::from_secs(600);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const FIRST_LOCK: Duration = Duration::from_secs(30);
const LONGEST_LOCK: Duration = HOUR;
/// A prefix whose codes do not come back gets none for so long.
const DISTRUST: Duration = Duration::from_secs(12 * 3600);
/// A number that was approved is trusted for so long.
const APPROVED: Duration = Duration::from_secs(90 * 24 * 3600);
/// A key whose codes were checked within this time is one that checks.
const CHECKS: Duration = Duration::from_secs(7 * 24 * 3600);

#[cfg(test)]
mod tests;
