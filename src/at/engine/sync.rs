//! Finding the modem after the port was opened, and finding back to it when the dialogue may have slipped.
//!
//! Two `OK` to two `AT`, each at once, are enough. Where one has left an `AT` unanswered, or is slow, an `OK` may be the
//! answer to any of them, and all that follows would run behind: a query whose line is unmistakable is put behind them.

use super::super::line::ESC;
use super::*;

/// Where the search stands.
#[derive(Debug)]
pub(super) enum Sync {
    /// Before the first byte: a message from before a restart may still be on the air.
    /// `bare`: an `OK` came, and no `+CMGS:` so far.
    Listening { until: Mono, reference: Option<u8>, bare: bool },
    /// ESC and CR went out: waiting until nothing more comes.
    Draining { quiet_at: Mono, by: Mono, prompted: bool, tries: u8, then: Then },
    /// A command went out that may bring the modem back.
    Reviving { deadline: Mono, answered: bool, enough: bool },
    /// `AT` went out, or `ATQ0`.
    Probing { deadline: Mono, tries: u8, clean: u8, heard: Heard, probe: Probe },
    /// The barrier's query went out. `starting`: behind probes that the modem was slow to answer, or did not.
    Barrier { deadline: Mono, query: Command, passed: bool, refused: bool, tries: u8, starting: bool },
}

/// What follows the quiet.
#[derive(Clone, Debug)]
pub(super) enum Then {
    Probe,
    /// A barrier that no late answer to `not` can be taken for.
    Barrier {
        not: Option<Command>,
    },
}

/// What is said to a modem that may be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Probe {
    /// `AT`, whose answers count.
    Attention,
    /// `ATQ0`: another program may have left it in `ATQ1`, in which it does all and answers nothing (V.250 §6.2.5).
    Speak,
}

/// What came back on a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Nothing,
    Ok,
    /// An error, or more than one result.
    Other,
}

impl Sync {
    pub(super) fn deadline(&self) -> Mono {
        match self {
            Self::Listening { until, .. } => *until,
            Self::Draining { quiet_at, by, .. } => *quiet_at.min(by),
            Self::Reviving { deadline, .. } | Self::Probing { deadline, .. } | Self::Barrier { deadline, .. } => {
                *deadline
            }
        }
    }

    pub(super) fn query(&self) -> Option<&Command> {
        match self {
            Self::Barrier { query, .. } => Some(query),
            _ => None,
        }
    }

    pub(super) fn is_starting(&self) -> bool {
        match self {
            Self::Listening { .. } | Self::Reviving { .. } | Self::Probing { .. } => true,
            Self::Draining { then, .. } => matches!(then, Then::Probe),
            Self::Barrier { starting, .. } => *starting,
        }
    }

    pub(super) fn is_probing(&self) -> bool {
        matches!(self, Self::Probing { .. })
    }

    /// A byte came: it is not quiet yet.
    pub(super) fn hear_byte(&mut self, now: Mono, quiet: Duration) {
        if let Self::Draining { quiet_at, .. } = self {
            *quiet_at = now + quiet;
        }
    }
}

impl Engine {
    pub(super) fn start(&mut self, now: Mono, listen_until: Option<Mono>) {
        match listen_until {
            Some(until) if until > now => {
                self.state = State::Sync(Sync::Listening { until, reference: None, bare: false });
            }
            _ => self.drain(now, 0, Then::Probe),
        }
    }

    /// The dialogue may have slipped while `not` ran.
    pub(super) fn resynchronise(&mut self, now: Mono, not: Option<Command>) {
        self.drain(now, 0, Then::Barrier { not });
    }

    /// Never Ctrl-Z: that would hand over whatever a former life left in the modem's editor.
    fn drain(&mut self, now: Mono, tries: u8, then: Then) {
        self.forget_answer();
        self.transmit(vec![ESC, b'\r']);
        let (quiet_at, by) = (now + self.config.quiet, now + LONGEST_DRAIN);
        self.state = State::Sync(Sync::Draining { quiet_at, by, prompted: false, tries, then });
    }

    pub(super) fn sync_timed_out(&mut self, now: Mono, sync: Sync) {
        match sync {
            Sync::Listening { reference, bare, .. } => {
                if bare || reference.is_some() {
                    self.emit(Event::Heard(SubmitResult::Accepted { reference }));
                }
                self.drain(now, 0, Then::Probe);
            }
            // Something asked for text meanwhile, and perhaps after our ESC.
            Sync::Draining { prompted: true, tries, then, .. } => self.try_again(now, tries, then),
            Sync::Draining { then: Then::Probe, .. } if !self.revival.is_empty() => self.revive(now),
            Sync::Draining { tries, then: Then::Probe, .. } => self.probe(now, tries, 0, Probe::Attention),
            Sync::Reviving { answered, .. } => {
                if !answered {
                    self.owed.add(now);
                }
                // Also a command that opened the editor of whatever this port is must not stay in it.
                self.drain(now, 0, Then::Probe);
            }
            Sync::Draining { tries, then: Then::Barrier { not }, .. } => self.barrier(now, tries, not),
            Sync::Probing { tries, heard: Heard::Ok, .. } if self.is_behind(now) => self.catch_up(now, tries),
            Sync::Probing { clean, heard: Heard::Ok, probe: Probe::Attention, .. } if clean + 1 >= CLEAN => {
                self.idle(now, FinalResult::Ok);
                self.emit(Event::Synchronised);
            }
            Sync::Probing { tries, clean, heard: Heard::Ok, probe, .. } => {
                let clean = if probe == Probe::Attention { clean + 1 } else { clean };
                self.probe(now, tries, clean, Probe::Attention);
            }
            Sync::Probing { tries, heard, .. } if tries + 1 >= self.most_probes() => {
                self.give_probe_up(now, heard);
                self.state = State::Closed;
                self.emit(Event::Unresponsive);
            }
            Sync::Probing { tries, heard: Heard::Nothing, probe: Probe::Attention, .. } => {
                self.give_probe_up(now, Heard::Nothing);
                self.probe(now, tries + 1, 0, Probe::Speak);
            }
            Sync::Probing { tries, heard, .. } => {
                self.give_probe_up(now, heard);
                self.probe(now, tries + 1, 0, Probe::Attention);
            }
            barrier @ Sync::Barrier { .. } => self.give_barrier_up(now, barrier),
        }
    }

    fn revive(&mut self, now: Mono) {
        let Some(command) = self.revival.pop_front() else { return };
        self.say(now, command.text());
        let (deadline, enough) = (now + command.deadline, !command.repeatable);
        self.state = State::Sync(Sync::Reviving { deadline, answered: false, enough });
    }

    fn try_again(&mut self, now: Mono, tries: u8, then: Then) {
        let (most, event) = match then {
            Then::Probe => (PROBES, Event::Unresponsive),
            Then::Barrier { .. } => (BARRIERS, Event::Desynchronised),
        };
        if tries + 1 >= most {
            self.state = State::Closed;
            self.emit(event);
        } else {
            self.drain(now, tries + 1, then);
        }
    }

    fn give_probe_up(&mut self, now: Mono, heard: Heard) {
        if heard == Heard::Nothing {
            self.owed.add_ok(now);
        }
    }

    fn give_barrier_up(&mut self, now: Mono, barrier: Sync) {
        let Sync::Barrier { query, refused, tries, starting, .. } = barrier else { return };
        if !refused {
            self.owed.add(now);
        }
        match (starting, refused) {
            (false, _) => self.try_again(now, tries, Then::Barrier { not: Some(query) }),
            // No probe is answered with an error, and what a former life had asked for came before their `OK`.
            (true, true) => {
                self.owed.forget_probes();
                self.idle(now, FinalResult::Error);
                self.emit(Event::Synchronised);
            }
            (true, false) => self.try_again(now, tries + PROBES / BARRIERS, Then::Probe),
        }
    }

    fn probe(&mut self, now: Mono, tries: u8, clean: u8, probe: Probe) {
        self.say(
            now,
            match probe {
                Probe::Attention => "AT",
                Probe::Speak => "ATQ0",
            },
        );
        let deadline = now + ONE_PROBE.max(self.tempo.allowance());
        self.state = State::Sync(Sync::Probing { deadline, tries, clean, heard: Heard::Nothing, probe });
    }

    /// A modem that is known to be slow is asked less often.
    fn most_probes(&self) -> u8 {
        if self.tempo.allowance().is_zero() { PROBES } else { BARRIERS }
    }

    /// Whether answers to what was said before may still come, so that an `OK` tells nothing.
    fn is_behind(&self, now: Mono) -> bool {
        self.owed.count(now) > 0 || self.tempo.lags(SETTLE)
    }

    /// Puts a query behind the probes. A modem answers in turn: with its line all that was owed before has come, or never
    /// will. For each of those it gets the time that one takes.
    fn catch_up(&mut self, now: Mono, tries: u8) {
        let query = self.choose_barrier(None);
        self.say(now, query.text());
        let time = (query.deadline * (self.owed.count(now) + 1)).min(LONGEST_CATCH_UP) + self.tempo.allowance();
        let deadline = now + time;
        self.state =
            State::Sync(Sync::Barrier { deadline, query, passed: false, refused: false, tries, starting: true });
    }

    fn barrier(&mut self, now: Mono, tries: u8, not: Option<Command>) {
        let query = self.choose_barrier(not.as_ref());
        self.say(now, query.text());
        let deadline = now + query.deadline + self.tempo.allowance();
        self.state =
            State::Sync(Sync::Barrier { deadline, query, passed: false, refused: false, tries, starting: false });
    }

    /// The next in turn whose line can't be mistaken for a late answer to `not`.
    fn choose_barrier(&mut self, not: Option<&Command>) -> Command {
        let all = &self.config.barriers;
        let turns = (0..all.len()).map(|i| (self.next_barrier + i) % all.len());
        let fits = |i: &usize| not.is_none_or(|not| !not.resembles(&all[*i]));
        let Some(i) = turns.clone().find(fits).or(turns.min()) else { return Command::character_set() };
        self.next_barrier = i + 1;
        all[i].clone()
    }

    pub(super) fn prompt_in_sync(&mut self, now: Mono, sync: Sync) {
        match sync {
            Sync::Draining { quiet_at, by, tries, then, .. } => {
                self.state = State::Sync(Sync::Draining { quiet_at, by, prompted: true, tries, then });
            }
            Sync::Probing { tries, heard, .. } => {
                self.give_probe_up(now, heard);
                self.try_again(now, tries, Then::Probe);
            }
            barrier @ Sync::Barrier { .. } => self.give_barrier_up(now, barrier),
            Sync::Reviving { .. } => self.drain(now, 0, Then::Probe),
            listening @ Sync::Listening { .. } => self.state = State::Sync(listening),
        }
    }

    pub(super) fn line_in_sync(&mut self, now: Mono, mut sync: Sync, meaning: Meaning) {
        if matches!((&sync, &meaning), (Sync::Probing { .. } | Sync::Barrier { .. }, Meaning::Final(_))) {
            self.tempo.answered(now, true);
        }
        match (&mut sync, meaning) {
            (Sync::Listening { until, reference, .. }, Meaning::Reference(heard)) => {
                *reference = Some(heard);
                *until = (*until).min(now + ORPHAN_OK);
            }
            // It may be the answer to something else, and the message still on the air.
            (Sync::Listening { reference: None, bare, .. }, Meaning::Final(FinalResult::Ok)) => *bare = true,
            (Sync::Listening { reference, .. }, Meaning::Final(result)) => {
                let reference = *reference;
                self.emit(Event::Heard(if reference.is_some() {
                    SubmitResult::Accepted { reference }
                } else {
                    SubmitResult::Refused(result)
                }));
                return self.drain(now, 0, Then::Probe);
            }
            (_, Meaning::Reference(reference)) => self.orphan(now, reference),
            (Sync::Reviving { deadline, answered, enough }, Meaning::Final(result)) => {
                *answered = true;
                if *enough && result.is_ok() {
                    self.revival.clear();
                }
                *deadline = (*deadline).min(now + REVIVED);
            }
            (Sync::Probing { deadline, heard, .. }, Meaning::Final(result)) => {
                // A second result would belong to a probe before: wait a moment for it.
                if *heard == Heard::Nothing {
                    *deadline = (*deadline).min(now + SETTLE);
                } else {
                    self.is_nobodys(now, result);
                }
                *heard = if *heard == Heard::Nothing && result.is_ok() { Heard::Ok } else { Heard::Other };
            }
            (Sync::Barrier { passed, .. }, Meaning::Answer(_)) => *passed = true,
            (Sync::Barrier { passed: true, starting, .. }, Meaning::Final(FinalResult::Ok))
                if !self.is_orphans(now, FinalResult::Ok) =>
            {
                let found = if *starting { Event::Synchronised } else { Event::Resynchronised };
                self.idle(now, FinalResult::Ok);
                return self.emit(found);
            }
            (Sync::Barrier { deadline, refused, .. }, Meaning::Final(result)) if !result.is_ok() => {
                // The query's own refusal, or an old one: soon it will be clear.
                *deadline = (*deadline).min(now + DOUBT);
                *refused |= !self.is_nobodys(now, result);
            }
            (_, Meaning::Final(result)) => {
                self.is_nobodys(now, result);
            }
            _ => {}
        }
        self.state = State::Sync(sync);
    }
}

/// A modem that never falls quiet is asked all the same.
const LONGEST_DRAIN: Duration = Duration::from_secs(5);
/// How long one probe may take, and how many there are: modules were seen silent for 3 s, some for 20 s, after a reset.
const ONE_PROBE: Duration = Duration::from_secs(1);
const PROBES: u8 = 10;
/// From the answer to a command that may bring the modem back to whatever is said next: radio and SIM card follow
/// their power slowly.
const REVIVED: Duration = Duration::from_secs(2);
/// How long a second result is waited for.
const SETTLE: Duration = Duration::from_millis(100);
/// Clean answers to `AT` in a row that make the modem synchronised.
const CLEAN: u8 = 2;
/// How long what is owed is waited for in all.
const LONGEST_CATCH_UP: Duration = Duration::from_secs(60);
/// Barriers that may fail.
const BARRIERS: u8 = 3;
/// How long a barrier goes on after an error that may not be its own.
const DOUBT: Duration = Duration::from_secs(1);
