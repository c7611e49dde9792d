//! Row L9: messages that go over 2G and 3G and fail over LTE. Which service carries them, `AT+CGSMS` (27.007 §10.1.21) says;
//! each value is tried once for a SIM card, and the one over which a message went is kept for it.
//!
//! The radio's mode is never forced: an operator that carries no messages over LTE is told of in words instead.

use super::*;
use std::collections::BTreeMap;

/// What was tried, by SIM card.
#[derive(Debug, Default)]
pub(super) struct Bearers(BTreeMap<SimCard, Trial>);

#[derive(Debug, Default)]
struct Trial {
    stage: Stage,
    /// Values that are still to be tried, the next one last.
    left: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// The modem is to be asked what is set.
    #[default]
    Asking,
    /// The next value is to be set.
    Setting,
    /// It is set, and the next message will tell.
    Waiting(u8),
    /// A message went over it.
    Settled(u8),
    /// None helped.
    Spent,
}

impl Bearers {
    /// As it was found out before.
    pub(super) fn known(values: BTreeMap<SimCard, u8>) -> Self {
        let trial = |(card, value)| (card, Trial { stage: Stage::Settled(value), left: Vec::new() });
        Self(values.into_iter().map(trial).collect())
    }

    /// The values over which messages went, by SIM card.
    pub(super) fn settled(&self) -> BTreeMap<SimCard, u8> {
        let settled = |(card, trial): (&SimCard, &Trial)| match trial.stage {
            Stage::Settled(value) | Stage::Waiting(value) => Some((card.clone(), value)),
            _ => None,
        };
        self.0.iter().filter_map(settled).collect()
    }

    pub(super) fn advice(&self, card: &SimCard) -> Option<&'static str> {
        (self.0.get(card)?.stage == Stage::Spent).then_some(NOT_OVER_LTE)
    }

    /// Whether there is another value to be tried for it.
    fn is_trying(&self, card: &SimCard) -> bool {
        self.0.get(card).is_some_and(|trial| !matches!(trial.stage, Stage::Settled(_) | Stage::Spent))
    }

    /// A message failed as it does where LTE can't carry it.
    fn failed(&mut self, card: &SimCard) {
        let trial = self.0.entry(card.clone()).or_insert_with(|| Trial { left: LADDER.to_vec(), ..Trial::default() });
        if let Stage::Waiting(_) = trial.stage {
            trial.next();
        }
    }

    /// A message went. The value that has just been found out, if it was.
    fn sent(&mut self, card: &SimCard) -> Option<u8> {
        let trial = self.0.get_mut(card)?;
        let Stage::Waiting(value) = trial.stage else { return None };
        trial.stage = Stage::Settled(value);
        Some(value)
    }

    fn command(&self, card: &SimCard) -> Option<Command> {
        let trial = self.0.get(card)?;
        match trial.stage {
            Stage::Asking => Some(Command::bearer()),
            Stage::Setting => trial.left.last().map(|value| Command::use_bearer(*value)),
            _ => None,
        }
    }

    fn answered(&mut self, card: &SimCard, reply: &Reply) {
        let Some(trial) = self.0.get_mut(card) else { return };
        match (trial.stage, trial.left.last()) {
            (Stage::Asking, _) => {
                // What is set has just failed.
                let set = reply.first().and_then(response::first_number);
                trial.left.retain(|value| Some(u16::from(*value)) != set);
                trial.next();
            }
            (Stage::Setting, Some(value)) if reply.is_ok() => {
                trial.stage = Stage::Waiting(*value);
                trial.left.pop();
            }
            (Stage::Setting, _) => {
                trial.left.pop();
                trial.next();
            }
            _ => {}
        }
    }
}

impl Trial {
    fn next(&mut self) {
        self.stage = if self.left.is_empty() { Stage::Spent } else { Stage::Setting };
    }
}

impl Session {
    pub(super) fn judge_bearer(&mut self, outcome: PartResult) {
        let Some(card) = &self.known.sim_card else { return };
        match outcome {
            PartResult::Accepted(_) => {
                if let Some(bearer) = self.bearers.sent(card) {
                    self.emit(Event::GoesOver(bearer));
                }
            }
            PartResult::NotSent(Reason::Cms(38 | 41 | 50)) | PartResult::Uncertain(Reason::Cms(500))
                if self.known.is_lte_only() =>
            {
                self.bearers.failed(card);
            }
            _ => {}
        }
    }

    /// While another way is tried for its messages, it has not failed yet.
    pub(super) fn distrust(&mut self) {
        if self.known.sim_card.as_ref().is_none_or(|card| !self.bearers.is_trying(card)) {
            self.known.distrust();
            self.emit(Event::Changed);
        }
    }

    pub(super) fn next_bearer(&self) -> Option<Command> {
        self.bearers.command(self.known.sim_card.as_ref()?)
    }

    pub(super) fn bearer_answered(&mut self, reply: &Reply) {
        let Some(card) = &self.known.sim_card else { return };
        self.bearers.answered(card, reply);
        self.emit(Event::Changed);
    }
}

/// Circuit switched preferred, circuit switched, packet preferred, packet; the last first.
const LADDER: [u8; 4] = [0, 2, 1, 3];
const NOT_OVER_LTE: &str = "messages fail over LTE whichever way they take (AT+CGSMS): ask the operator for SMS over SGs or \
                            IMS with this device, switch IMS on or off in the modem, or use it where there is 2G or 3G";
