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
    /// Reads RFC 3339, with any offset. `None` if it is not a time.
    pub fn parse(text: &str) -> Option<Wall> {
        text.parse::<jiff::Timestamp>().ok().map(|t| Wall(t.as_millisecond()))
    }
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
}
