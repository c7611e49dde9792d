//! The bring-up, step by step.

use super::*;

impl Session {
    pub(super) fn begin_bring_up(&mut self, now: Mono) {
        // Nothing is taken over, least of all whose SIM card it was: another may be in it by now.
        self.known = self.nothing_known();
        self.rebooted = false;
        self.forget_unlock();
        self.card.interrupted();
        self.service_code_is_lost();
        self.fetch_anew();
        self.go(Phase::BringUp { step: 0, way: 0, from: now, why: None, lost: 0 });
    }

    /// What is known of a modem that has not been asked: what the configuration says, and what was found out about SIM cards.
    pub(super) fn nothing_known(&self) -> Known {
        let mut known = Known::new(self.configured, self.cards.clone());
        known.centre_doubted = self.centre_doubted;
        known.bearers = self.bearers.settled();
        known
    }

    /// What is configured is not tried out.
    pub(super) fn new_pace(&self) -> Pace {
        let learns = self.quirks.learns && self.configured.prompt_delay.is_none();
        Pace::new(self.quirks.prompt_delay, learns)
    }

    pub(super) fn step_done(&mut self, now: Mono, reply: &Reply) {
        let Phase::BringUp { step, way, why, lost, .. } = self.phase else { return };
        let mut known = self.known.clone();
        let next = (STEPS[step].take)(&mut known, reply);
        if lost < LOST_ANSWERS && self.is_worth_asking_again(step, way, reply, &next) {
            self.phase = Phase::BringUp { step, way, from: now, why, lost: lost + 1 };
            return;
        }
        if known.sim_card.is_some() && known.card_query.is_none() {
            known.card_query = (STEPS[step].ask)(&self.known, way);
        }
        self.known = known;
        if STEPS[step].name == "IMEI" && !matches!(next, Next::Again(..)) {
            self.emit(Event::Named(self.known.imei.clone()));
        }
        let next_step = Phase::BringUp { step: step + 1, way: 0, from: now, why: None, lost: 0 };
        self.phase = match next {
            Next::Step => next_step,
            Next::Open if self.card_is_open(now) => next_step,
            Next::Open => return,
            Next::Unlock => return self.begin_unlock(now),
            Next::Gone(gone) => return self.card_is_gone(now, gone),
            Next::Another => Phase::BringUp { step, way: way + 1, from: now, why, lost },
            Next::Degraded(words) => {
                self.known.degraded.push(words);
                next_step
            }
            Next::Again(..) if !STEPS[step].required => next_step,
            Next::Again(pause, words) => {
                if why != Some(words) {
                    self.emit(Event::Changed);
                }
                Phase::BringUp { step, way: 0, from: now + pause, why: Some(words), lost: 0 }
            }
        };
    }

    /// A lost answer says nothing about the modem. What a step asks again by itself is left to it, and nothing is said
    /// twice that may have been taken the first time.
    fn is_worth_asking_again(&self, step: usize, way: usize, reply: &Reply, next: &Next) -> bool {
        let no_answer = matches!(reply.end, ReplyEnd::TimedOut | ReplyEnd::Interrupted);
        let repeatable = (STEPS[step].ask)(&self.known, way).is_some_and(|command| command.repeatable);
        no_answer && repeatable && !matches!(next, Next::Again(..))
    }

    pub(super) fn next_step(&mut self, now: Mono, mut step: usize, mut way: usize) {
        while let Some(next) = STEPS.get(step) {
            match (next.ask)(&self.known, way) {
                Some(command) => {
                    self.phase = match self.phase {
                        Phase::BringUp { from, why, lost, .. } => Phase::BringUp { step, way, from, why, lost },
                        other => other,
                    };
                    return self.ask(now, command, Asked::Step);
                }
                None => (step, way) = (step + 1, 0),
            }
        }
        self.bring_up_done(now);
    }

    fn bring_up_done(&mut self, now: Mono) {
        if self.quirks != self.known.quirks {
            self.quirks = self.known.quirks;
            self.lists_hang = false;
            self.pace = self.new_pace();
        }
        self.acknowledgements.prefer(self.quirks.acknowledgement);
        self.engine.set_config(config(self.quirks, &self.known));
        self.quiet_since = now;
        self.in_pdu_mode = now;
        self.go(Phase::Up);
        self.begin_sweep();
        if let Some(sim_card) = self.known.sim_card.clone() {
            self.emit(Event::Identified { imei: self.known.imei.clone(), sim_card });
        }
        for report in std::mem::take(&mut self.early) {
            self.emit(report);
        }
        if let Some(heard) = self.heard.take() {
            let result = self.part_result(heard);
            self.emit(Event::Heard(result));
        }
    }
}

/// Answers of one step of the bring-up that may be lost, however many ways of asking it has.
const LOST_ANSWERS: u8 = 2;
