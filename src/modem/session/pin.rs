//! The PIN of the SIM card (27.007 §8.3): whether it may be typed is asked, with what the modem tells of the card; then it is
//! typed once, and no answer counts as a refusal until the card is open.

use super::*;
use crate::at::response::PinState;
use crate::domain::pin::PinOutcome;

/// What is to be done about a card that asks for its PIN.
#[derive(Clone, Debug)]
pub enum PinAnswer {
    /// This PIN may be typed, once; that it is typed is on disk.
    Type(Secret),
    /// None may be; in words, why, and what to do.
    Wait(String),
}

/// A card that asks for its PIN.
#[derive(Debug, Default)]
pub(super) struct Unlock {
    stage: Stage,
    token: u64,
    sim_card: Option<SimCard>,
    tries_left: Option<u8>,
    /// It took a PIN since it was powered up last.
    taken: bool,
    words: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Idle,
    /// Which card is it? The nth way of asking.
    Card(usize),
    /// How many tries are left? The nth way of asking.
    Tries(usize),
    /// May a PIN be typed?
    Permission,
    /// It is typed.
    Typed,
    /// What came of it, asked for the nth time. Whether an error was the answer.
    Looking { times: u8, refused: bool },
}

impl Unlock {
    /// Whether the answer of the one who knows the PIN is waited for.
    pub(super) fn waits(&self) -> bool {
        self.stage == Stage::Permission
    }

    pub(super) fn is_under_way(&self) -> bool {
        self.stage != Stage::Idle
    }

    /// What was begun is over; nothing is known of what became of it.
    pub(super) fn forget(&mut self) {
        self.stage = Stage::Idle;
        self.words = None;
    }

    /// The card has lost its power, or may have.
    pub(super) fn powered_up(&mut self) {
        self.taken = false;
    }

    /// Why no PIN is typed, in words.
    pub(super) fn words(&self) -> Option<String> {
        self.words.clone()
    }
}

impl Session {
    /// The card asks for its PIN.
    pub(super) fn begin_unlock(&mut self, now: Mono) {
        if self.unlock.taken {
            return self.stay_at_step(now + NOT_KEPT, PIN_NOT_KEPT);
        }
        self.stay_at_step(now, ASKS_FOR_PIN);
        self.unlock.stage = Stage::Card(0);
        (self.unlock.sim_card, self.unlock.tries_left) = (None, None);
    }

    /// Asks the next thing. Nothing is in flight.
    pub(super) fn go_on_unlocking(&mut self, now: Mono) {
        let command = match self.unlock.stage {
            Stage::Card(way) => Command::iccid_variants().into_iter().nth(way),
            Stage::Tries(way) => self.counters().into_iter().nth(way).map(|(command, _)| command),
            Stage::Looking { .. } => Some(Command::pin_state()),
            Stage::Idle | Stage::Permission | Stage::Typed => return,
        };
        match (command, self.unlock.stage) {
            (Some(command), _) => self.ask(now, command, Asked::Unlock),
            (None, Stage::Card(_)) => {
                self.unlock.stage = Stage::Tries(0);
                self.go_on_unlocking(now);
            }
            (None, _) => self.want_pin(),
        }
    }

    /// What to ask for the tries that are left, and which value of the answer they are where that is known: first what this
    /// model is known to answer.
    fn counters(&self) -> Vec<(Command, Option<usize>)> {
        let known = self.known.quirks.pin_counters.iter();
        let known = known.filter_map(|q| Some((Command::raw(q.text, COUNTER).ok()?, Some(q.field))));
        let mut all: Vec<_> = known.collect();
        for other in Command::pin_counters() {
            if all.iter().all(|(command, _)| !command.resembles(&other)) {
                all.push((other, None));
            }
        }
        all
    }

    fn want_pin(&mut self) {
        let Unlock { sim_card, tries_left, .. } = &self.unlock;
        let (sim_card, tries_left) = (sim_card.clone(), *tries_left);
        self.unlock.stage = Stage::Permission;
        self.unlock.token += 1;
        let (token, imei) = (self.unlock.token, self.known.imei.clone());
        self.emit(Event::WantPin { token, imei, sim_card, tries_left });
    }

    /// The answer to [`Event::WantPin`].
    pub(super) fn take_pin(&mut self, now: Mono, token: u64, answer: PinAnswer) {
        let current = self.unlock.waits() && self.unlock.token == token;
        let wanted = current && !self.rebooted && self.may_speak();
        match answer {
            PinAnswer::Type(pin) => match Command::enter_pin(pin.reveal()) {
                Ok(command) if wanted => {
                    self.unlock.stage = Stage::Typed;
                    self.ask(now, command, Asked::Unlock);
                }
                _ => {
                    self.emit(Event::PinEnded { token, outcome: PinOutcome::NotTyped });
                    // The engine may be finding back to its modem: then it is asked for once more.
                    self.step_again_if(current, now + if wanted { ASK_AGAIN } else { SETTLES });
                }
            },
            PinAnswer::Wait(words) => {
                if wanted && self.unlock.words.as_ref() != Some(&words) {
                    self.unlock.words = Some(words);
                    self.emit(Event::Changed);
                }
                self.step_again_if(current, now + ASK_AGAIN);
            }
        }
    }

    /// Whatever was begun about a PIN is over. One that is typed has no end that anybody saw.
    pub(super) fn forget_unlock(&mut self) {
        if matches!(self.unlock.stage, Stage::Typed | Stage::Looking { .. }) {
            self.emit(Event::PinUnseen { token: self.unlock.token });
        }
        self.unlock.forget();
    }

    pub(super) fn unlock_replied(&mut self, now: Mono, reply: &Reply) {
        match self.unlock.stage {
            Stage::Card(way) => {
                self.unlock.sim_card =
                    reply.lines.iter().find_map(|line| response::iccid(line.as_str())).map(SimCard::new);
                let known = self.unlock.sim_card.is_some();
                self.unlock.stage = if known { Stage::Tries(0) } else { Stage::Card(way + 1) };
            }
            Stage::Tries(way) => {
                let field = self.counters().get(way).and_then(|(_, field)| *field);
                let tries = |line: &str| {
                    let tries = response::pin_tries(line)?;
                    field.map_or(Some(tries), |n| u8::try_from(response::number_at(line, n)?).ok())
                };
                self.unlock.tries_left = reply.lines.iter().find_map(|line| tries(line.as_str()));
                match self.unlock.tries_left {
                    Some(_) => self.want_pin(),
                    None => self.unlock.stage = Stage::Tries(way + 1),
                }
            }
            Stage::Typed => match reply.end {
                // Incorrect password; or that was the last try.
                ReplyEnd::Final(FinalResult::Cme(Some(12 | 16))) => self.pin_ended(now, Some(PinOutcome::Refused)),
                ReplyEnd::PortLost => {}
                // Also OK says nothing before the card is open: there are modems that say it to any PIN.
                end => {
                    let refused = matches!(end, ReplyEnd::Final(result) if result != FinalResult::Ok);
                    self.unlock.stage = Stage::Looking { times: 0, refused };
                    self.stay_at_step(now + SETTLES, ASKS_FOR_PIN);
                }
            },
            Stage::Looking { times, refused } => match reply.first().and_then(response::pin_state) {
                Some(PinState::Ready | PinState::Second) => self.pin_ended(now, Some(PinOutcome::Accepted)),
                Some(PinState::Puk) => self.pin_ended(now, Some(PinOutcome::Refused)),
                // Behind an OK it may say so for a moment yet.
                Some(PinState::Pin) if refused || times >= SOON => {
                    self.pin_ended(now, refused.then_some(PinOutcome::Refused));
                }
                _ if times < LOOKS => {
                    self.unlock.stage = Stage::Looking { times: times + 1, refused };
                    self.stay_at_step(now + SETTLES, ASKS_FOR_PIN);
                }
                _ => self.pin_ended(now, None),
            },
            Stage::Idle | Stage::Permission => {}
        }
    }

    /// The PIN's end. `None`: nobody saw it, and nothing more is said of it.
    fn pin_ended(&mut self, now: Mono, outcome: Option<PinOutcome>) {
        self.unlock.forget();
        self.unlock.taken = outcome == Some(PinOutcome::Accepted);
        let token = self.unlock.token;
        self.emit(match outcome {
            Some(outcome) => Event::PinEnded { token, outcome },
            None => Event::PinUnseen { token },
        });
        self.stay_at_step(now + SETTLES, if self.unlock.taken { NOT_READY_YET } else { ASKS_FOR_PIN });
    }

    fn step_again_if(&mut self, wanted: bool, at: Mono) {
        if wanted {
            self.unlock.stage = Stage::Idle;
            self.stay_at_step(at, ASKS_FOR_PIN);
        }
    }

    /// Has the step that is under way asked again, not before `from`.
    pub(super) fn stay_at_step(&mut self, from: Mono, words: &'static str) {
        if let Phase::BringUp { step, why, .. } = self.phase {
            self.phase = Phase::BringUp { step, way: 0, from, why: Some(words), lost: 0 };
            if why != Some(words) {
                self.emit(Event::Changed);
            }
        }
    }
}

/// A card that has just taken its PIN may say for a moment yet that it wants one.
const NOT_KEPT: Duration = Duration::from_secs(5);
const COUNTER: Duration = Duration::from_secs(10);
/// While a person is needed, so often it is looked whether one was there.
const ASK_AGAIN: Duration = Duration::from_secs(30);
/// A card that has just taken its PIN is busy for a moment.
const SETTLES: Duration = Duration::from_secs(1);
/// How often it is asked what came of a PIN: cards were seen busy for 40 s behind it.
const LOOKS: u8 = 60;
const SOON: u8 = 5;
pub(super) const ASKS_FOR_PIN: &str = "the SIM card asks for its PIN";
const PIN_NOT_KEPT: &str = "the SIM card took its PIN and asks for it again; it is not typed twice. Take the card out and put it in \
                            again, or switch the PIN off in a phone";
