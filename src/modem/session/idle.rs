//! What is said while nothing is in flight, and what comes back.

use super::*;

impl Session {
    /// Says the next thing there is to say, if nothing is in flight.
    pub(super) fn proceed(&mut self, now: Mono) {
        if !self.may_speak() || self.acknowledge(now) {
            return;
        }
        match self.phase {
            Phase::BringUp { .. } | Phase::Up if self.rebooted => {
                self.begin_bring_up(now);
                self.next_step(now, 0, 0);
            }
            Phase::BringUp { from, .. } if from > now => {}
            Phase::BringUp { .. } if self.unlock.is_under_way() => self.go_on_unlocking(now),
            Phase::BringUp { .. } if self.card.is_cycling() => self.go_on_cycling(now),
            Phase::BringUp { step, way, .. } => {
                self.next_step(now, step, way);
                if self.phase == Phase::Up && self.may_speak() {
                    self.be_idle(now);
                }
            }
            Phase::Up => self.be_idle(now),
            _ => {}
        }
        self.drain(now);
    }

    /// Acknowledges what is owed, before anything else. False if nothing is.
    fn acknowledge(&mut self, now: Mono) -> bool {
        let set_up = matches!(self.phase, Phase::BringUp { .. } | Phase::Up);
        let command = self.acknowledgements.next().filter(|_| set_up);
        command.map(|command| self.ask(now, command, Asked::Acknowledgement)).is_some()
    }

    fn be_idle(&mut self, now: Mono) {
        if self.go_on_with_service_code(now) || self.select_network(now) {
            return;
        }
        if let (true, Some(form)) = (self.acknowledgements.take_routing_due(), self.known.routing) {
            self.ask(now, Command::indications(form), Asked::Routing);
        } else if let Some(command) = self.next_bearer() {
            self.ask(now, command, Asked::Bearer);
        } else if !self.receive(now) && now >= self.quiet_since + self.heartbeat() {
            self.beat(now);
        }
    }

    /// Whether nothing is in flight.
    pub(super) fn may_speak(&self) -> bool {
        self.asked.is_none() && self.job.is_none() && self.engine.is_ready()
    }

    fn beat(&mut self, now: Mono) {
        // Now and then it is asked for its card instead.
        self.beats = self.beats.wrapping_add(1);
        let due = self.beats.is_multiple_of(CARD_EVERY) && self.known.registration().is_some();
        if due && self.ask_for_card(now) {
            return;
        }
        // What this model can't be asked is left out.
        let turn = (0..HEARTBEAT.len()).find_map(|skipped| {
            let name = HEARTBEAT[(self.next_heartbeat + skipped) % HEARTBEAT.len()];
            let (i, step) = STEPS.iter().enumerate().find(|(_, step)| step.name == name)?;
            Some((skipped, i, (step.ask)(&self.known, 0)?))
        });
        let Some((skipped, step, command)) = turn else { return };
        self.next_heartbeat += 1 + skipped;
        // An acknowledgement may have been missed, and then it gives no more reports.
        if self.known.acknowledges && self.next_heartbeat.is_multiple_of(HEARTBEAT.len()) {
            self.acknowledgements.doubt_routing();
        }
        self.ask(now, command, Asked::Heartbeat(step));
    }

    /// An unregistered modem is asked often, so that messages go as soon as it is registered.
    pub(super) fn heartbeat(&self) -> Duration {
        if self.known.registration().is_some() { HEARTBEAT_EVERY } else { REGISTRATION_EVERY }
    }

    pub(super) fn ask(&mut self, now: Mono, command: Command, asked: Asked) {
        self.lists = command.name() == "AT+CMGL";
        self.asked = Some(asked);
        self.asked_at = now;
        self.engine.handle_input(now, AtInput::Command(command));
        self.drain(now);
    }

    pub(super) fn replied(&mut self, now: Mono, reply: Reply) {
        self.quiet_since = now;
        self.lists_hang |= self.lists && reply.end == ReplyEnd::TimedOut;
        if reply.end == ReplyEnd::TimedOut {
            self.is_silent();
        }
        match self.asked.take() {
            Some(Asked::Step) => self.step_done(now, &reply),
            Some(Asked::Format) => self.format_told(now, &reply),
            Some(Asked::Heartbeat(step)) => {
                let before = self.is_ready();
                // No answer says nothing about what was asked.
                if matches!(reply.end, ReplyEnd::Final(_)) {
                    let _ = (STEPS[step].take)(&mut self.known, &reply);
                }
                if before != self.is_ready() || reply.is_ok() {
                    self.emit(Event::Changed);
                }
            }
            Some(Asked::Choose(memory)) => self.chose(memory, &reply),
            Some(Asked::Fetch(fetch)) => self.fetched(fetch, &reply),
            Some(Asked::Sweep) => self.swept(&reply),
            Some(Asked::HangUp) => self.hung_up(&reply),
            Some(Asked::Bearer) => self.bearer_answered(&reply),
            Some(Asked::Acknowledgement) => self.acknowledgements.answered(&reply),
            // What it took before it takes no more: something has changed.
            Some(Asked::Routing) => self.rebooted |= matches!(reply.end, ReplyEnd::Final(_)) && !reply.is_ok(),
            Some(Asked::Unlock) => self.unlock_replied(now, &reply),
            Some(Asked::CardPower) => self.card_power_replied(now),
            Some(Asked::Card) => self.card_replied(&reply),
            // Whether it has found one, its registration says.
            Some(Asked::Selection) => {}
            Some(Asked::ServiceCode) => self.service_code_replied(now, &reply),
            None => {}
        }
    }
}

/// How long a modem may be silent before it is asked something.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(60);
/// One heartbeat of so many asks for the SIM card.
const CARD_EVERY: usize = 10;
/// How often a modem without a network is asked whether it has one now.
const REGISTRATION_EVERY: Duration = Duration::from_secs(5);
