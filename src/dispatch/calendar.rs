//! Where a plan's day and month begin. Both are calendar ones, at midnight where the SIM card is at home: a day may have 23
//! or 25 hours.

use crate::domain::time::Wall;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::time::Duration;

/// From midnight to midnight: the day that holds this moment.
pub fn day(at: Wall, zone: &TimeZone) -> (Wall, Wall) {
    let day = || {
        let today = date(at, zone)?;
        Some((midnight(today, zone)?, midnight(today.tomorrow().ok()?, zone)?))
    };
    day().unwrap_or((at, at + LONGEST_DAY))
}

/// From one billing day to the next: the plan's month that holds this moment. A month that has no such day begins on its last.
pub fn month(at: Wall, zone: &TimeZone, billing_day: u8) -> (Wall, Wall) {
    let month = || {
        let today = date(at, zone)?;
        let this = billing(today.first_of_month(), billing_day)?;
        let (begin, end) = if today >= this {
            (this, billing(today.last_of_month().tomorrow().ok()?, billing_day)?)
        } else {
            (billing(today.first_of_month().yesterday().ok()?.first_of_month(), billing_day)?, this)
        };
        Some((midnight(begin, zone)?, midnight(end, zone)?))
    };
    month().unwrap_or((at, at + LONGEST_MONTH))
}

fn date(at: Wall, zone: &TimeZone) -> Option<Date> {
    Some(Timestamp::from_millisecond(at.0).ok()?.to_zoned(zone.clone()).date())
}

/// Midnight; where the clocks leave it out, the first moment behind it.
fn midnight(date: Date, zone: &TimeZone) -> Option<Wall> {
    Some(Wall(date.to_zoned(zone.clone()).ok()?.timestamp().as_millisecond()))
}

fn billing(first_of_month: Date, billing_day: u8) -> Option<Date> {
    let last = first_of_month.days_in_month();
    let day = i8::try_from(billing_day).unwrap_or(last).clamp(1, last);
    first_of_month.with().day(day).build().ok()
}

/// No day is longer: one on which the clocks are set back.
pub const LONGEST_DAY: Duration = Duration::from_secs(25 * 3600);
/// No month is longer, whichever day it begins on.
pub const LONGEST_MONTH: Duration = Duration::from_secs(32 * 24 * 3600);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Central European time by rule, so that the test needs no files of the machine.
    pub(crate) fn berlin() -> TimeZone {
        TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()
    }

    /// Cuba sets its clocks forward at midnight, which that day does not have.
    fn havana() -> TimeZone {
        TimeZone::posix("CST5CDT,M3.2.0/0,M11.1.0/1").unwrap()
    }

    fn at(text: &str) -> Wall {
        Wall::parse(text).unwrap()
    }

    #[test]
    fn a_day_goes_from_midnight_to_midnight_at_home() {
        for (name, moment, zone, begin, end) in [
            ("utc", "2026-05-05T12:00:00Z", TimeZone::UTC, "2026-05-05T00:00:00Z", "2026-05-06T00:00:00Z"),
            ("summer", "2026-07-01T22:30:00Z", berlin(), "2026-07-01T22:00:00Z", "2026-07-02T22:00:00Z"),
            ("the first moment", "2026-07-01T22:00:00Z", berlin(), "2026-07-01T22:00:00Z", "2026-07-02T22:00:00Z"),
            ("23 hours", "2026-03-29T12:00:00Z", berlin(), "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),
            ("25 hours", "2026-10-25T12:00:00Z", berlin(), "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
            ("no midnight", "2026-03-08T12:00:00Z", havana(), "2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z"),
            ("year's end", "2026-12-31T23:30:00Z", berlin(), "2026-12-31T23:00:00Z", "2027-01-01T23:00:00Z"),
        ] {
            assert_eq!(day(at(moment), &zone), (at(begin), at(end)), "{name}");
        }
    }

    #[test]
    fn a_month_goes_from_billing_day_to_billing_day() {
        for (billing_day, moment, begin, end) in [
            (1, "2026-02-14T00:00:00Z", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"),
            (15, "2026-02-14T00:00:00Z", "2026-01-15T00:00:00Z", "2026-02-15T00:00:00Z"),
            (15, "2026-02-15T00:00:00Z", "2026-02-15T00:00:00Z", "2026-03-15T00:00:00Z"),
            (31, "2026-02-27T00:00:00Z", "2026-01-31T00:00:00Z", "2026-02-28T00:00:00Z"),
            (31, "2026-02-28T00:00:00Z", "2026-02-28T00:00:00Z", "2026-03-31T00:00:00Z"),
            (31, "2028-02-29T10:00:00Z", "2028-02-29T00:00:00Z", "2028-03-31T00:00:00Z"),
            (31, "2026-04-30T00:00:00Z", "2026-04-30T00:00:00Z", "2026-05-31T00:00:00Z"),
            (29, "2026-03-01T00:00:00Z", "2026-02-28T00:00:00Z", "2026-03-29T00:00:00Z"),
            (31, "2026-01-01T00:00:00Z", "2025-12-31T00:00:00Z", "2026-01-31T00:00:00Z"),
            (1, "2026-12-31T23:59:59Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ] {
            let found = month(at(moment), &TimeZone::UTC, billing_day);
            assert_eq!(found, (at(begin), at(end)), "day {billing_day}, {moment}");
        }
    }

    proptest! {
        #[test]
        fn days_and_months_leave_no_gap(ms in 0..4_000_000_000_000_i64, billing_day in 1..=31_u8) {
            for zone in [TimeZone::UTC, berlin(), havana()] {
                let (begin, end) = day(Wall(ms), &zone);
                prop_assert!(begin <= Wall(ms) && Wall(ms) < end && end - begin <= LONGEST_DAY);
                prop_assert_eq!(day(end, &zone).0, end);
                let (begin, end) = month(Wall(ms), &zone, billing_day);
                prop_assert!(begin <= Wall(ms) && Wall(ms) < end && end - begin <= LONGEST_MONTH);
                prop_assert_eq!(month(end, &zone, billing_day).0, end);
                prop_assert_eq!(month(Wall(end.0 - 1), &zone, billing_day).0, begin);
            }
        }

        #[test]
        fn no_moment_is_without_a_day(ms in any::<i64>(), billing_day in any::<u8>()) {
            let (begin, end) = day(Wall(ms), &TimeZone::UTC);
            prop_assert!(begin <= Wall(ms) && Wall(ms) <= end);
            let (begin, end) = month(Wall(ms), &TimeZone::UTC, billing_day);
            prop_assert!(begin <= Wall(ms) && Wall(ms) <= end);
        }
    }
}
