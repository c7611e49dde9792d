//! Time as an argument.
//!
//! Three clocks, because each answers another question. `mono` measures within the process. `boot` (CLOCK_BOOTTIME)
//! goes on while the box sleeps and can't be set. `wall` survives a reboot, but NTP or a hand may move it. A deadline on
//! disk therefore holds boot time and wall time: within the boot that wrote it the boot clock decides, after another
//! boot the wall clock must.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

/// The time, as a pure function gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// For deadlines inside the process.
    pub mono: Mono,
    /// For deadlines on disk, within this boot.
    pub boot: BootTime,
    /// For deadlines on disk after a reboot, and for people.
    pub wall: Wall,
}

impl Now {
    /// The deadline that lies `life` ahead.
    pub fn after(&self, life: Duration) -> Deadline {
        Deadline { wall: self.wall + life, boot: BootTime { since_boot: self.boot.since_boot + life, ..self.boot } }
    }

    /// The deadline at a wall time that somebody asked for. One in the past is the present.
    pub fn at_wall(&self, wall: Wall) -> Deadline {
        self.after(wall - self.wall)
    }
}

/// Monotonic time since the clock was made. Means nothing outside the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mono(pub Duration);

impl Mono {
    /// A point given in milliseconds since the clock was made.
    pub const fn from_millis(ms: u64) -> Self {
        Self(Duration::from_millis(ms))
    }
}

impl Add<Duration> for Mono {
    type Output = Mono;
    fn add(self, d: Duration) -> Mono {
        Mono(self.0.saturating_add(d))
    }
}

impl Sub for Mono {
    type Output = Duration;
    /// Never negative: a later right-hand side gives zero.
    fn sub(self, earlier: Mono) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// Which boot of which machine: Linux's `/proc/sys/kernel/random/boot_id`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct BootId(pub u128);

/// A point of CLOCK_BOOTTIME, with the boot it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootTime {
    /// The boot.
    pub id: BootId,
    /// Time since that boot, suspend included.
    pub since_boot: Duration,
}

/// Wall time: milliseconds since 1970-01-01T00:00:00Z. May jump either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wall(pub i64);

impl Add<Duration> for Wall {
    type Output = Wall;
    fn add(self, d: Duration) -> Wall {
        Wall(self.0.saturating_add(i64::try_from(d.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl Sub for Wall {
    type Output = Duration;
    /// Never negative: a later right-hand side gives zero.
    fn sub(self, earlier: Wall) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Display for Wall {
    /// RFC 3339 in UTC, with milliseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(t) => write!(f, "{t:.3}"),
            Err(_) => write!(f, "{} ms since 1970", self.0),
        }
    }
}

impl Wall {
    /// So much earlier.
    pub fn before(self, d: Duration) -> Wall {
        Wall(self.0.saturating_sub(i64::try_from(d.as_millis()).unwrap_or(i64::MAX)))
    }

    /// Reads RFC 3339, with any offset. `None` if it is not a time.
    pub fn parse(text: &str) -> Option<Wall> {
        // jiff takes more: blanks for the T, hours without minutes, the names of zones.
        let parsed = is_rfc3339(text).then(|| text.parse::<jiff::Timestamp>());
        parsed?.ok().map(|t| Wall(t.as_millisecond()))
    }
}

/// Whether it has the shape of RFC 3339's `date-time` (§5.6). The numbers are looked at by whoever reads them, but for an
/// offset's hours.
fn is_rfc3339(text: &str) -> bool {
    let has_shape = |text: &str, shape: &str| {
        text.len() == shape.len()
            && text.bytes().zip(shape.bytes()).all(|(byte, expected)| match expected {
                b'0' => byte.is_ascii_digit(),
                b'+' => byte == b'+' || byte == b'-',
                expected => byte.eq_ignore_ascii_case(&expected),
            })
    };
    let Some((date_time, rest)) = text.split_at_checked("0000-00-00T00:00:00".len()) else { return false };
    let offset = match rest.strip_prefix('.') {
        Some(fraction) => fraction.trim_start_matches(|c: char| c.is_ascii_digit()),
        None => rest,
    };
    // A point has digits behind it.
    let is_whole = !rest.starts_with('.') || rest.len() > offset.len() + 1;
    let is_offset = has_shape(offset, "Z") || has_shape(offset, "+00:00") && &offset[1..3] < "24";
    has_shape(date_time, "0000-00-00T00:00:00") && is_whole && is_offset
}

/// A deadline that outlives the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// As the wall clock stood when it was set.
    pub wall: Wall,
    /// As the boot clock stood when it was set.
    pub boot: BootTime,
}

impl Deadline {
    /// Whether it has come: by boot time within the same boot, by the wall clock after another.
    pub fn passed(&self, now: &Now) -> bool {
        self.left(now).is_zero()
    }

    /// What is left until it comes, by the clock that counts. Zero when it has come.
    pub fn left(&self, now: &Now) -> Duration {
        if self.boot.id == now.boot.id {
            self.boot.since_boot.saturating_sub(now.boot.since_boot)
        } else {
            self.wall - now.wall
        }
    }

    /// Whether *either* clock says that it has come. Asked just before 0x1A: sending a dead code is worse than
    /// expiring one that a moved clock only made look dead.
    pub fn passed_by_any(&self, now: &Now) -> bool {
        self.passed(now) || now.wall >= self.wall
    }

    /// The process-local instant at which it will come, if no clock is moved meanwhile.
    pub fn mono(&self, now: &Now) -> Mono {
        now.mono + self.left(now)
    }
}

/// A moment by the boot clock, in milliseconds since this boot; what was before it is negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct At(pub i64);

impl At {
    /// This moment.
    pub fn now(now: &Now) -> Self {
        Self(ms(now.boot.since_boot))
    }

    /// So long ago.
    pub fn ago(age: Duration, now: &Now) -> Self {
        Self(Self::now(now).0.saturating_sub(ms(age)))
    }

    /// The same moment by the process's own clock. One that is past is now.
    pub fn mono(self, now: &Now) -> Mono {
        now.mono + self.left(now)
    }

    /// The same moment by the wall clock as it stands.
    pub fn wall(self, now: &Now) -> Wall {
        Wall(now.wall.0.saturating_add(self.0.saturating_sub(Self::now(now).0)))
    }

    /// How long until it comes.
    pub fn left(self, now: &Now) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(Self::now(now).0)).unwrap_or(0))
    }

    /// How long ago that was. Nothing, if it is still to come.
    pub fn age(self, now: &Now) -> Duration {
        Duration::from_millis(u64::try_from(Self::now(now).0.saturating_sub(self.0)).unwrap_or(0))
    }

    /// So much later.
    pub fn plus(self, time: Duration) -> Self {
        Self(self.0.saturating_add(ms(time)))
    }

    /// Where a moment of the wall clock lies, as that stands now.
    pub fn of_wall(wall: Wall, now: &Now) -> Self {
        Self(Self::now(now).0.saturating_add(wall.0.saturating_sub(now.wall.0)))
    }
}

fn ms(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64, wall: i64, boot: u128) -> Now {
        Now {
            mono: Mono(Duration::from_secs(secs)),
            boot: BootTime { id: BootId(boot), since_boot: Duration::from_secs(secs) },
            wall: Wall(wall),
        }
    }

    #[test]
    fn within_one_boot_the_boot_clock_decides_whatever_the_wall_clock_does() {
        let deadline = at(100, 1_000_000, 1).after(Duration::from_secs(60));
        assert!(!deadline.passed(&at(159, 9_000_000, 1)), "the wall clock jumped ahead");
        assert!(deadline.passed(&at(160, 0, 1)), "the wall clock was set back");
    }

    #[test]
    fn after_another_boot_the_wall_clock_decides() {
        let deadline = at(100, 1_000_000, 1).after(Duration::from_secs(60));
        assert!(!deadline.passed(&at(9_999, 1_059_999, 2)));
        assert!(deadline.passed(&at(1, 1_060_000, 2)));
    }

    #[test]
    fn before_the_irreversible_byte_either_clock_can_say_no() {
        let deadline = at(100, 1_000_000, 1).after(Duration::from_secs(60));
        assert!(deadline.passed_by_any(&at(101, 1_060_000, 1)));
        assert!(deadline.passed_by_any(&at(160, 0, 1)));
        assert!(!deadline.passed_by_any(&at(101, 1_001_000, 1)));
    }

    #[test]
    fn wall_time_reads_what_it_prints() {
        let t = Wall(1_795_397_726_123);
        assert_eq!(t.to_string(), "2026-11-23T01:35:26.123Z");
        assert_eq!(Wall::parse(&t.to_string()), Some(t));
        assert_eq!(Wall::parse("2026-11-23T02:35:26.123+01:00"), Some(t));
        assert_eq!(Wall::parse("tomorrow"), None);
    }

    #[test]
    fn rfc_3339_and_nothing_else_is_a_time() {
        for text in [
            "2026-11-25T13:00:00Z",
            "2026-11-25t13:00:00z",
            "2026-11-25T13:00:00.5Z",
            "2026-11-25T18:30:00+05:30",
            "2026-11-25T13:00:00-00:00",
            "2026-11-25T13:00:00.123456789-08:00",
        ] {
            assert!(Wall::parse(text).is_some(), "{text}");
        }
        for text in [
            "",
            "2026-11-25",
            "2026-11-25T13:00:00",
            "2026-11-25 13:00-05",
            "2026-11-25 13:00:00Z",
            "2026-11-25T13:00Z",
            "2026-11-25T13:00:00-05",
            "2026-11-25T13:00:00+0530",
            "2026-11-25T13:00:00+24:00",
            "2026-11-25T13:00:00+05:60",
            "2026-11-25T13:00:00+05:30:00",
            "2026-11-25T13:00:00Z[UTC]",
            "2026-11-25T13:00:00+01:00[Europe/Berlin]",
            "2026-11-25T13:00:00,5Z",
            "2026-11-25T13:00:00.Z",
            "2026-11-25T24:00:00Z",
            "2026-02-30T13:00:00Z",
            "20261125T130000Z",
            "+002026-11-25T13:00:00Z",
            " 2026-11-25T13:00:00Z",
            "2026-11-25T13:00:0éZ",
        ] {
            assert_eq!(Wall::parse(text), None, "{text}");
        }
    }
}
