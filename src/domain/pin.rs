//! Which PINs were typed at a SIM card, and whether one may be typed at it.
//!
//! Three wrong ones block the card (TS 31.101 §9.5), and only its owner has the PUK. So a PIN that it refused, or whose answer
//! was never seen, is not typed at it again, however often otpgate or the modem restarts.

use super::equipment::{Imei, SimCard};

/// Whose tries are remembered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PinHolder {
    /// A SIM card.
    SimCard(SimCard),
    /// Whatever card is in this modem, which does not tell its ICCID before the PIN.
    Modem(Imei),
}

/// A keyed hash of a PIN.
pub type PinDigest = [u8; 16];

/// A PIN that was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriedPin {
    /// Which.
    pub pin: PinDigest,
    /// What came of it.
    pub end: PinEnd,
}

/// What came of a PIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinEnd {
    /// It was typed, or was going to be, and no answer was seen.
    Unseen {
        /// The card had accepted it before.
        accepted_before: bool,
    },
    /// The card refused it.
    Refused,
    /// The card accepted it.
    Accepted,
}

/// What the one who typed a PIN says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinOutcome {
    /// The card accepted it.
    Accepted,
    /// The card refused it.
    Refused,
    /// It was not typed after all: not one byte of it left.
    NotTyped,
}

/// Why a PIN may not be typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinRefused {
    /// The card refused it before.
    RefusedBefore,
    /// It was typed before, and no answer was seen.
    AnswerNeverSeen,
    /// So many tries are left, and the last is for its owner.
    TooFewTries(u8),
    /// The modem does not tell how many tries are left, and a PIN was refused.
    TriesUnknown,
    /// Too many different PINs were tried at it.
    TooMany,
}

/// The PINs that were typed at one card, the latest last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PinHistory(pub Vec<TriedPin>);

impl PinHistory {
    /// Whether this PIN may be typed, with so many tries left, as far as the modem tells.
    pub fn may_type(&self, pin: PinDigest, tries_left: Option<u8>) -> Result<(), PinRefused> {
        match (self.end_of(pin), tries_left) {
            (Some(PinEnd::Refused), _) => return Err(PinRefused::RefusedBefore),
            // Had the card refused it this time, a try would be missing.
            (Some(PinEnd::Unseen { accepted_before: true }), Some(ALL_TRIES..)) => return Ok(()),
            (Some(PinEnd::Unseen { .. }), _) => return Err(PinRefused::AnswerNeverSeen),
            _ => {}
        }
        let unsettled = self.0.last().is_some_and(|last| last.end != PinEnd::Accepted);
        match tries_left {
            Some(left) if left < FEWEST_TRIES => Err(PinRefused::TooFewTries(left)),
            None if unsettled => Err(PinRefused::TriesUnknown),
            _ if self.0.len() >= MOST_TRIED && self.end_of(pin).is_none() => Err(PinRefused::TooMany),
            _ => Ok(()),
        }
    }

    /// It is about to be typed. To be on disk before that.
    pub fn type_it(&mut self, pin: PinDigest) {
        let before = self.take(pin);
        let accepted_before = matches!(before, Some(PinEnd::Accepted | PinEnd::Unseen { accepted_before: true }));
        self.0.push(TriedPin { pin, end: PinEnd::Unseen { accepted_before } });
    }

    /// What came of it.
    pub fn ended(&mut self, pin: PinDigest, outcome: PinOutcome) {
        let before = self.take(pin);
        let end = match (outcome, before) {
            (PinOutcome::Accepted, _) => Some(PinEnd::Accepted),
            (PinOutcome::Refused, _) => Some(PinEnd::Refused),
            (PinOutcome::NotTyped, Some(PinEnd::Unseen { accepted_before: true })) => Some(PinEnd::Accepted),
            (PinOutcome::NotTyped, Some(PinEnd::Unseen { accepted_before: false })) => None,
            (PinOutcome::NotTyped, before) => before,
        };
        self.0.extend(end.map(|end| TriedPin { pin, end }));
    }

    /// The card is open. Of a PIN that it had accepted before, that is as good as the answer that was not seen; any other
    /// may not be what opened it. True if that changes anything.
    pub fn card_is_open(&mut self) -> bool {
        match self.0.last_mut() {
            Some(last) if last.end == (PinEnd::Unseen { accepted_before: true }) => {
                last.end = PinEnd::Accepted;
                true
            }
            _ => false,
        }
    }

    fn end_of(&self, pin: PinDigest) -> Option<PinEnd> {
        self.0.iter().find(|tried| tried.pin == pin).map(|tried| tried.end)
    }

    fn take(&mut self, pin: PinDigest) -> Option<PinEnd> {
        let at = self.0.iter().position(|tried| tried.pin == pin)?;
        Some(self.0.remove(at).end)
    }
}

/// The last try is its owner's.
const FEWEST_TRIES: u8 = 2;
/// What a card gives that has refused none since it accepted one.
const ALL_TRIES: u8 = 3;
/// Each costs a try that only a right one gives back, so that nobody comes so far by chance.
const MOST_TRIED: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const RIGHT: PinDigest = [1; 16];
    const WRONG: PinDigest = [2; 16];

    fn after(steps: &[(PinDigest, Option<PinOutcome>)]) -> PinHistory {
        let mut history = PinHistory::default();
        for (pin, outcome) in steps {
            history.type_it(*pin);
            if let Some(outcome) = outcome {
                history.ended(*pin, *outcome);
            }
        }
        history
    }

    #[test]
    fn l10_what_was_refused_or_left_unanswered_is_never_typed_again() {
        use PinOutcome::{Accepted, NotTyped, Refused};
        use PinRefused::{AnswerNeverSeen, RefusedBefore, TooFewTries, TriesUnknown};
        let rows = [
            (&[][..], RIGHT, Some(3), Ok(())),
            (&[], RIGHT, Some(2), Ok(())),
            (&[], RIGHT, Some(1), Err(TooFewTries(1))),
            (&[], RIGHT, Some(0), Err(TooFewTries(0))),
            (&[], RIGHT, None, Ok(())),
            (&[(WRONG, Some(Refused))], WRONG, Some(3), Err(RefusedBefore)),
            (&[(WRONG, Some(Refused))], RIGHT, Some(2), Ok(())),
            (&[(WRONG, Some(Refused))], RIGHT, None, Err(TriesUnknown)),
            (&[(WRONG, Some(Refused)), (RIGHT, Some(Accepted))], RIGHT, None, Ok(())),
            (&[(WRONG, Some(Refused)), (RIGHT, Some(Accepted))], WRONG, Some(3), Err(RefusedBefore)),
            (&[(WRONG, None)], WRONG, Some(3), Err(AnswerNeverSeen)),
            (&[(WRONG, None)], RIGHT, Some(2), Ok(())),
            (&[(WRONG, None)], RIGHT, None, Err(TriesUnknown)),
            (&[(RIGHT, Some(Accepted))], RIGHT, Some(3), Ok(())),
            (&[(RIGHT, Some(Accepted))], RIGHT, None, Ok(())),
            (&[(RIGHT, Some(Accepted)), (RIGHT, None)], RIGHT, Some(3), Ok(())),
            (&[(RIGHT, Some(Accepted)), (RIGHT, None)], RIGHT, Some(2), Err(AnswerNeverSeen)),
            (&[(RIGHT, Some(Accepted)), (RIGHT, None)], RIGHT, None, Err(AnswerNeverSeen)),
            (&[(RIGHT, Some(Accepted)), (RIGHT, Some(Refused))], RIGHT, Some(3), Err(RefusedBefore)),
            (&[(RIGHT, Some(NotTyped))], RIGHT, Some(3), Ok(())),
        ];
        for (steps, pin, tries, expected) in rows {
            assert_eq!(after(steps).may_type(pin, tries), expected, "{steps:?} {pin:?} {tries:?}");
        }
    }

    #[test]
    fn an_open_card_speaks_for_a_pin_that_it_took_before_and_for_no_other() {
        let mut known = after(&[(RIGHT, Some(PinOutcome::Accepted)), (RIGHT, None)]);
        assert!(known.card_is_open() && known.may_type(RIGHT, None).is_ok());
        let mut new = after(&[(RIGHT, None)]);
        assert!(!new.card_is_open());
        assert_eq!(new.may_type(RIGHT, Some(3)), Err(PinRefused::AnswerNeverSeen));
    }

    #[test]
    fn a_history_has_an_end() {
        let mut history = PinHistory::default();
        for n in 0..MOST_TRIED as u8 {
            history.type_it([n; 16]);
            history.ended([n; 16], PinOutcome::Refused);
        }
        assert_eq!(history.may_type([200; 16], Some(3)), Err(PinRefused::TooMany));
    }
}
