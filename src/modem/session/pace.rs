//! How soon behind its prompt a modem bears the PDU. Some lose what comes at once and answer it in the next command, most
//! don't: the pause is halved after ten clean sends, down to none. What goes wrong then brings the last good one back.

use std::time::Duration;

/// The pause from the prompt to the PDU, and what is known of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    delay: Duration,
    /// With which ten sends in a row went well.
    good: Option<Duration>,
    /// A shorter one lost something.
    settled: bool,
    clean: u8,
    /// Neither configured nor of a modem of which nothing is learned.
    learns: bool,
}

impl Pace {
    /// Of a modem that is new here.
    pub(super) fn new(delay: Duration, learns: bool) -> Self {
        Self { delay, learns, ..Self::default() }
    }

    /// What was learned of its sisters, unless they were slower.
    pub(super) fn teach(&mut self, good: Option<Duration>, settled: bool) {
        if let Some(good) = good.filter(|good| self.learns && self.good.is_none() && *good <= self.delay) {
            *self = Self { delay: good, good: Some(good), settled, ..*self };
        }
    }

    pub(super) fn delay(self) -> Duration {
        self.delay
    }

    pub(super) fn good(self) -> Option<Duration> {
        self.good
    }

    pub(super) fn is_settled(self) -> bool {
        self.settled
    }

    /// A message went out as it should.
    pub(super) fn clean(&mut self) {
        if !self.learns || self.settled || self.delay.is_zero() && self.good == Some(Duration::ZERO) {
            return;
        }
        self.clean += 1;
        if self.clean >= CLEAN {
            self.clean = 0;
            self.good = Some(self.delay);
            let half = self.delay / 2;
            self.delay = if half < SHORTEST { Duration::ZERO } else { half };
        }
    }

    /// Something was lost.
    pub(super) fn fault(&mut self) {
        self.clean = 0;
        if let Some(good) = self.good.filter(|good| *good > self.delay) {
            self.delay = good;
            self.settled = true;
        }
    }
}

/// Clean sends in a row, until the half is tried.
const CLEAN: u8 = 10;
/// Anything shorter is as good as none.
const SHORTEST: Duration = Duration::from_millis(3);

#[cfg(test)]
mod tests {
    use super::*;

    fn after(pace: &mut Pace, clean: usize) -> u64 {
        (0..clean).for_each(|_| pace.clean());
        pace.delay().as_micros() as u64
    }

    #[test]
    fn s12_the_pause_is_halved_down_to_none() {
        let mut pace = Pace::new(Duration::from_millis(50), true);
        assert_eq!(after(&mut pace, 9), 50_000);
        let tens: Vec<u64> = (0..6).map(|n| after(&mut pace, if n == 0 { 1 } else { 10 })).collect();
        assert_eq!(tens, [25_000, 12_500, 6_250, 3_125, 0, 0]);
        assert_eq!(pace.good(), Some(Duration::ZERO));
    }

    #[test]
    fn s12_what_is_lost_brings_the_last_good_pause_back() {
        let mut pace = Pace::new(Duration::from_millis(50), true);
        pace.fault();
        assert_eq!(pace.delay(), Duration::from_millis(50), "there is none before the first");
        after(&mut pace, 25);
        pace.fault();
        assert_eq!((pace.delay(), pace.is_settled()), (Duration::from_millis(25), true));
        assert_eq!(after(&mut pace, 100), 25_000, "and it stays");
        let mut sister = Pace::new(Duration::from_millis(50), true);
        sister.teach(pace.good(), pace.is_settled());
        assert_eq!(after(&mut sister, 100), 25_000);
    }

    #[test]
    fn s12_a_configured_pause_stays_and_none_gets_slower() {
        let mut configured = Pace::new(Duration::from_millis(7), false);
        configured.teach(Some(Duration::ZERO), false);
        assert_eq!(after(&mut configured, 100), 7_000);
        let mut quick = Pace::new(Duration::ZERO, true);
        quick.teach(Some(Duration::from_millis(25)), true);
        assert_eq!(quick.delay(), Duration::ZERO);
    }
}
