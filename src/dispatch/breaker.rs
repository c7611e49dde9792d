//! A SIM card that the network refuses leaves service: barred, without credit, filtered. It is tried again after growing
//! pauses, with one message at a time, and a success brings it back.
//!
//! Never for what one number gave it: only failures on [`NUMBERS`] different numbers in a row, without a success between.

use super::retry::{self, Blame};
use super::unassigned::NumberHash;
use crate::domain::message::PartResult;
use crate::domain::reason::{Meaning, Reason};
use crate::domain::time::{Deadline, Now, Wall};
use std::time::Duration;

/// Whether one SIM card is in service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Breaker {
    /// Numbers it failed on since its last success, for a reason of its own.
    refused: Vec<NumberHash>,
    open: Option<Open>,
}

/// A SIM card that is out of service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// What the network said last.
    pub reason: Reason,
    /// Since when.
    pub since: Wall,
    /// How many trials have failed.
    pub trials: u8,
    /// When it is tried again.
    pub retry: Deadline,
}

/// Whether a message may go over a SIM card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Any.
    Open,
    /// One, to try it.
    Trial,
    /// None, before then.
    Until(Deadline),
}

/// What a result has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It has left service.
    Opened,
    /// A trial failed.
    Stays,
    /// It is back.
    Closed,
}

impl Breaker {
    /// As it was on record.
    pub fn restore(open: Option<Open>) -> Self {
        Self { open, ..Self::default() }
    }

    /// Why it is out of service, if it is.
    pub fn is_open(&self) -> Option<&Open> {
        self.open.as_ref()
    }

    /// Whether a message may go now.
    pub fn gate(&self, now: &Now) -> Gate {
        match &self.open {
            None => Gate::Open,
            Some(open) if open.retry.passed(now) => Gate::Trial,
            Some(open) => Gate::Until(open.retry),
        }
    }

    /// Takes in what became of a part. `doubtful`: its registration says that it may not be able to send at all; what fails
    /// then says nothing of the card.
    pub fn settled(&mut self, number: NumberHash, result: PartResult, doubtful: bool, now: &Now) -> Option<Change> {
        let (reason, blame) = match result {
            PartResult::Accepted(_) => {
                self.refused.clear();
                return self.open.take().map(|_| Change::Closed);
            }
            PartResult::NotSent(reason) => (reason, retry::blame(reason)),
            // It went out, perhaps.
            PartResult::Uncertain(_) => return None,
        };
        if doubtful || !matches!(blame, Blame::SimCard | Blame::PerhapsSimCard) {
            return None;
        }
        let enough = is_enough(&mut self.refused, number);
        match &mut self.open {
            // What was on its way when it left service is no trial.
            Some(open) if !open.retry.passed(now) => None,
            Some(open) => {
                open.trials = open.trials.saturating_add(1);
                open.reason = reason;
                open.retry = now.after(pause(reason, open.trials));
                Some(Change::Stays)
            }
            None if enough => {
                self.open = Some(Open { reason, since: now.wall, trials: 0, retry: now.after(pause(reason, 0)) });
                Some(Change::Opened)
            }
            None => None,
        }
    }
}

/// Adds a number; whether there are enough different ones.
fn is_enough(numbers: &mut Vec<NumberHash>, number: NumberHash) -> bool {
    if !numbers.contains(&number) && numbers.len() < NUMBERS {
        numbers.push(number);
    }
    numbers.len() >= NUMBERS
}

/// How long after so many failed trials the next one comes. Cause 38 is what an empty card gets, and everybody while the
/// network itself is out of order: that may be over in a minute.
fn pause(reason: Reason, trials: u8) -> Duration {
    let soon = usize::from(retry::blame(reason) == Blame::SimCard);
    PAUSES[(usize::from(trials) + soon).min(PAUSES.len() - 1)]
}

/// What is wrong with the card, and what to do about it.
pub fn in_words(reason: Reason) -> &'static str {
    match reason {
        Reason::Cms(8 | 10 | 11) | Reason::Cme(62) => {
            "the operator bars it from sending: unpaid, blocked as a sender of mass messages, or without outgoing SMS; ask the operator"
        }
        Reason::Cms(21) => {
            "the network rejects what it sends: filtered, without credit, or with the wrong SMSC; compare its SMSC, then ask the operator"
        }
        Reason::Cms(28 | 30) | Reason::MakersCms(770, Meaning::SimCard) | Reason::Cme(102..=104 | 108) => {
            "the network does not know it as a subscriber: not activated yet, or ended; ask the operator"
        }
        Reason::Cms(29 | 50 | 69 | 193) => {
            "its plan has no SMS, or none over this kind of network; ask the operator for a plan that has"
        }
        Reason::MakersCms(_, Meaning::SimCard) | Reason::Cme(105 | 106) => {
            "the network does not admit its modem: it is locked or not approved there; try the card in another modem, then ask the operator"
        }
        Reason::Cms(330) => "it has no SMSC; write the operator's as smsc into its [[sim_card]]",
        Reason::Cms(34 | 38) => {
            "it has no credit, as a rule, where the network itself is in order; look at its balance and top it up"
        }
        _ => "the network refuses what it sends; ask the operator",
    }
}

/// Failures on so many different numbers in a row are the SIM card's, not the numbers'.
pub const NUMBERS: usize = 3;
const PAUSES: [Duration; 4] =
    [Duration::from_secs(60), Duration::from_secs(600), Duration::from_secs(1800), Duration::from_secs(3600)];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::{BootTime, Mono};

    fn at(seconds: u64) -> Now {
        Now {
            mono: Mono(Duration::from_secs(seconds)),
            boot: BootTime { since_boot: Duration::from_secs(seconds), id: Default::default() },
            wall: Wall(seconds as i64 * 1000),
        }
    }

    fn refused(n: u16) -> PartResult {
        PartResult::NotSent(Reason::Cms(n))
    }

    #[test]
    fn it_opens_on_three_numbers_in_a_row_and_not_on_three_refusals_of_one() {
        for (name, numbers, code, opens) in [
            ("one number", [1, 1, 1, 1], 21, false),
            ("two numbers", [1, 2, 1, 2], 21, false),
            ("two numbers while the network is out of order, or without credit", [1, 2, 1, 2], 38, false),
            ("three", [1, 2, 2, 3], 21, true),
            ("three, without credit", [1, 2, 3, 3], 38, true),
            ("three numbers that are unassigned", [1, 2, 3, 4], 1, false),
            ("three while the network is busy", [1, 2, 3, 4], 42, false),
            ("three without a card", [1, 2, 3, 4], 310, false),
            ("three without a PIN", [1, 2, 3, 4], 311, false),
        ] {
            let mut breaker = Breaker::default();
            let changes = numbers.map(|n| breaker.settled([n; 16], refused(code), false, &at(0)));
            assert_eq!(changes.contains(&Some(Change::Opened)), opens, "{name}: {changes:?}");
            assert_eq!(breaker.gate(&at(0)) != Gate::Open, opens, "{name}");
        }
        let mut breaker = Breaker::default();
        let results = [refused(21), refused(21), PartResult::Accepted(None), refused(21), refused(21)];
        for (n, result) in (0..).zip(results) {
            assert_eq!(breaker.settled([n; 16], result, false, &at(0)), None, "a success between");
        }
    }

    #[test]
    fn trials_come_after_growing_pauses_and_a_success_closes_it() {
        for (code, pauses) in [(8, [600, 1800, 3600, 3600]), (38, [60, 600, 1800, 3600])] {
            let mut breaker = Breaker::default();
            let mut now = 0;
            for n in 1..=3 {
                breaker.settled([n; 16], refused(code), false, &at(now));
            }
            for pause in pauses {
                assert_eq!(breaker.settled([9; 16], refused(code), false, &at(now)), None, "one that was on its way");
                assert!(matches!(breaker.gate(&at(now + pause - 1)), Gate::Until(_)), "{code}");
                assert_eq!(breaker.gate(&at(now + pause)), Gate::Trial, "{code}");
                now += pause;
                assert_eq!(breaker.settled([9; 16], refused(1), false, &at(now)), None, "it says nothing of the card");
                assert_eq!(breaker.gate(&at(now)), Gate::Trial);
                assert_eq!(breaker.settled([9; 16], refused(code), false, &at(now)), Some(Change::Stays));
            }
            let restored = Breaker::restore(breaker.is_open().cloned());
            assert_eq!(restored.gate(&at(now)), breaker.gate(&at(now)));
            assert_eq!(breaker.settled([9; 16], PartResult::Accepted(None), false, &at(now)), Some(Change::Closed));
            assert_eq!(breaker.gate(&at(now)), Gate::Open);
        }
    }

    #[test]
    fn what_fails_over_a_doubtful_registration_is_not_the_cards_fault() {
        for (doubtful, gate) in [(true, Gate::Open), (false, Gate::Until(at(0).after(Duration::from_secs(600))))] {
            let mut breaker = Breaker::default();
            for n in 0..9 {
                breaker.settled([n; 16], refused(28), doubtful, &at(0));
            }
            assert_eq!(breaker.gate(&at(0)), gate);
        }
    }
}
