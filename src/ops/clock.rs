//! The one place that asks what time it is.

use crate::domain::time::{BootId, BootTime, Mono, Now, Wall};
use std::sync::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// Where the shells get the time they hand to the core.
pub trait Clock: Send + Sync + 'static {
    /// The time by all three clocks.
    fn now(&self) -> Now;
    /// The runtime's instant for a point of `mono`, to sleep until.
    fn instant(&self, mono: Mono) -> Instant;
    /// Whether the machine says that its wall clock is right: set by a network time service since boot.
    fn is_synchronised(&self) -> bool;
}

/// The machine's clocks.
#[derive(Debug)]
pub struct SystemClock {
    base: Instant,
    boot: BootId,
}

impl SystemClock {
    /// Reads the boot id once; where there is none, each start counts as a boot of its own, and only the wall clock
    /// is believed across it.
    #[allow(clippy::disallowed_methods, reason = "this is where the time comes from")]
    pub fn new() -> Self {
        let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let boot = uuid::Uuid::try_parse(text.trim()).map_or_else(|_| rand::random(), |id| id.as_u128());
        Self { base: Instant::now(), boot: BootId(boot) }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "this is where the time comes from")]
    fn now(&self) -> Now {
        let boot = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let wall = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
        Now {
            mono: Mono(self.base.elapsed()),
            boot: BootTime { id: self.boot, since_boot: Duration::new(boot.tv_sec as u64, boot.tv_nsec as u32) },
            wall: Wall(wall.tv_sec * 1000 + wall.tv_nsec / 1_000_000),
        }
    }

    fn instant(&self, mono: Mono) -> Instant {
        self.base + mono.0
    }

    fn is_synchronised(&self) -> bool {
        // systemd-timesyncd and chrony's wait unit both leave this mark.
        std::path::Path::new("/run/systemd/timesync/synchronized").exists()
    }
}

/// A clock for tests: the runtime's (paused) time from a fixed start, plus the jumps that a test makes.
#[derive(Debug)]
pub struct VirtualClock {
    base: Instant,
    state: Mutex<Shift>,
}

#[derive(Clone, Copy, Debug)]
struct Shift {
    boot: BootId,
    booted: Duration,
    wall: i64,
    synchronised: bool,
}

impl VirtualClock {
    /// Starts at this wall time, in the first boot.
    #[allow(clippy::disallowed_methods, reason = "tokio's instant follows the paused clock")]
    pub fn new(wall: Wall) -> Self {
        let shift = Shift { boot: BootId(1), booted: Duration::ZERO, wall: wall.0, synchronised: false };
        Self { base: Instant::now(), state: Mutex::new(shift) }
    }

    /// Moves the wall clock by so many milliseconds, and no other.
    pub fn jump_wall(&self, by_ms: i64) {
        self.shift(|s| s.wall += by_ms);
    }

    /// Another boot: the boot clock begins anew.
    pub fn reboot(&self) {
        let elapsed = self.base.elapsed();
        self.shift(|s| {
            s.boot = BootId(s.boot.0 + 1);
            s.booted = elapsed;
        });
    }

    /// What [`Clock::is_synchronised`] says from now on.
    pub fn set_synchronised(&self, yes: bool) {
        self.shift(|s| s.synchronised = yes);
    }

    fn shift(&self, change: impl FnOnce(&mut Shift)) {
        change(&mut self.state.lock().unwrap_or_else(|e| e.into_inner()));
    }

    fn read(&self) -> Shift {
        *self.state.lock().unwrap_or_else(|e| e.into_inner())
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Now {
        let elapsed = self.base.elapsed();
        let s = self.read();
        Now {
            mono: Mono(elapsed),
            boot: BootTime { id: s.boot, since_boot: elapsed.saturating_sub(s.booted) },
            wall: Wall(s.wall + elapsed.as_millis() as i64),
        }
    }

    fn instant(&self, mono: Mono) -> Instant {
        self.base + mono.0
    }

    fn is_synchronised(&self) -> bool {
        self.read().synchronised
    }
}
