//! Whether a modem restarts by itself again and again (rows L2 to L5), or a hand has pulled it out and put it in.
//!
//! On the USB both look alike: the port vanishes, and is back in a moment. What counts as a restart of the modem's own:
//!
//! - It says so itself, and nobody has ordered it.
//! - The port vanished within 3 s of 0x1A: the radio takes most power then, so that is a supply which does not bear it.
//!
//! Three of those in ten minutes are a loop. Any other vanishing is taken for a hand's and counts for nothing, unless
//! the port keeps a rhythm: nine times in a row, equally far apart, and each time before the modem was registered, or just as it
//! was. Then the radio's first burst breaks it, without a message; no hand keeps time that well.

use crate::domain::time::Mono;
use std::collections::VecDeque;
use std::time::Duration;

/// What was seen of a modem's restarts.
#[derive(Debug, Default)]
pub(super) struct Restarts {
    /// Those that are its own for certain.
    own: VecDeque<Mono>,
    /// When its port vanished for another reason, and was back in a moment.
    vanished: VecDeque<Mono>,
    /// In which rhythm it came and went, if it did: no longer than this lies between two beats.
    rhythm: Option<Duration>,
}

impl Restarts {
    /// It has restarted by itself. True if that is a loop.
    pub(super) fn own(&mut self, now: Mono) -> bool {
        self.own.retain(|at| now - *at < WITHIN);
        self.own.push_back(now);
        let is_loop = self.own.len() >= LOOP;
        if is_loop {
            *self = Self::default();
        }
        is_loop
    }

    /// Its port vanished at that time and was back in a moment. `early`: before the modem was registered, or just as it was.
    /// True if that is a loop.
    pub(super) fn vanished(&mut self, at: Mono, early: bool) -> bool {
        if !early {
            self.vanished.clear();
        }
        self.vanished.push_back(at);
        if self.vanished.len() <= BEATS {
            return false;
        }
        let apart = self.vanished.iter().zip(self.vanished.iter().skip(1)).map(|(a, b)| *b - *a);
        let (shortest, longest) = apart.fold((Duration::MAX, Duration::ZERO), |(s, l), d| (s.min(d), l.max(d)));
        self.vanished.pop_front();
        let is_loop = longest <= SLOWEST && longest - shortest <= (longest / 5).max(UNEVEN);
        if is_loop {
            *self = Self { rhythm: Some(longest + longest / 2), ..Self::default() };
        }
        is_loop
    }

    /// It was away for long, or is well: what came before says nothing more.
    pub(super) fn keep_no_time(&mut self) {
        self.vanished.clear();
    }

    /// Whether a modem that came then and went now, or is there still, may be in its loop.
    pub(super) fn in_rhythm(&self, came: Mono, now: Mono) -> bool {
        self.rhythm.is_some_and(|rhythm| now - came <= rhythm)
    }

    /// Whether its port comes and goes in its loop.
    pub(super) fn has_rhythm(&self) -> bool {
        self.rhythm.is_some()
    }

    /// It is tried anew.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}

/// So many restarts of its own within so long are a loop.
const LOOP: usize = 3;
const WITHIN: Duration = Duration::from_secs(600);
/// So many times equally far apart are a rhythm.
const BEATS: usize = 8;
/// How unequal they may be, if that is more than a fifth.
const UNEVEN: Duration = Duration::from_secs(2);
/// The slowest rhythm that is one.
const SLOWEST: Duration = Duration::from_secs(120);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Mono {
        Mono(Duration::from_secs(seconds))
    }

    fn is_loop(times: &[u64], early: bool) -> bool {
        let mut restarts = Restarts::default();
        times.iter().any(|time| restarts.vanished(at(*time), early))
    }

    #[test]
    fn l2_a_port_that_keeps_a_rhythm_is_in_a_loop_and_a_hand_is_not() {
        let even = [100, 121, 141, 162, 182, 203, 224, 244, 265];
        assert!(is_loop(&even, true));
        assert!(!is_loop(&even[1..], true), "eight times may be a hand's");
        assert!(!is_loop(&[100, 103, 113, 115, 130, 131, 139, 155, 158, 170, 171], true));
        assert!(!is_loop(&even, false), "it was well in between");
        assert!(!is_loop(&even.map(|time| 10 * time), true), "that is slower than any boot");
    }

    #[test]
    fn l2_what_is_in_its_rhythm_is_known_by_it() {
        let mut restarts = Restarts::default();
        assert!(!restarts.in_rhythm(at(0), at(0)));
        assert!((0..9).any(|n| restarts.vanished(at(20 * n), true)));
        assert!(restarts.in_rhythm(at(200), at(220)));
        assert!(!restarts.in_rhythm(at(200), at(231)));
    }
}
