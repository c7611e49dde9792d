//! The canary: a message that a SIM card sends to its own number now and then. It shows that what the network takes arrives.
//! That it was taken, or reported as delivered, shows nothing: who filters messages says so as well.
//!
//! When one is due hangs on the wall clock alone, so that a restart neither adds one nor leaves one out; the SIM cards take
//! turns.

use super::retry;
use crate::domain::reason::Reason;
use crate::domain::time::{Mono, Now, Wall};
use std::time::Duration;

/// One SIM card's canary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canary {
    round: Round,
    next: Mono,
    flight: Option<Flight>,
    verdict: Option<Verdict>,
}

/// How the SIM cards take turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round {
    /// How often each has one.
    pub every: Duration,
    /// How long one may take to come back.
    pub within: Duration,
    /// This card's place among them, from 0.
    pub place: u32,
    /// How many there are.
    pub of: u32,
}

/// A canary that has not come back yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flight {
    /// It has not gone out, as far as is known.
    Waits,
    /// It may come back until then. `taken`: the network said that it took it.
    Out { until: Mono, taken: bool },
}

/// What the last canary came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It came back.
    Passed {
        /// When.
        at: Wall,
    },
    /// It did not.
    Failed {
        /// When that was clear.
        at: Wall,
        /// How.
        how: Failure,
    },
}

/// How a canary failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It went out, and did not come back in time.
    NotBack {
        /// Whether the network said that it took it.
        taken: bool,
    },
    /// It was not sent, or the network reports that it gave up.
    Refused(Reason),
}

/// What is to be done when its time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Nothing.
    Nothing,
    /// One is to be sent.
    Send,
    /// It has failed.
    Failed(Change),
}

/// What becomes of a canary on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Went {
    /// It waits for its turn, or a modem has it.
    Waits,
    /// It is out. `taken`: the network said that it took it; else it is uncertain.
    Out {
        /// Whether the network said that it took it.
        taken: bool,
    },
    /// It was not sent, or the network reports that it gave up.
    Refused(Reason),
    /// It found no room, or was called off: that shows nothing.
    Dropped,
}

/// What has changed for those who watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It fails, and did not before.
    Failed,
    /// It fails again.
    StillFails,
    /// It passes again.
    Recovered,
}

impl Canary {
    /// The first one is due at the card's next turn. `jitter`: random.
    pub fn new(round: Round, jitter: u8, now: &Now) -> Self {
        Self { next: round.next_turn(jitter, now), round, flight: None, verdict: None }
    }

    /// When it wants to be looked at.
    pub fn wakes(&self) -> Mono {
        match self.flight {
            Some(Flight::Out { until, .. }) => until.min(self.next),
            _ => self.next,
        }
    }

    /// When the next one is due.
    pub fn next(&self) -> Mono {
        self.next
    }

    /// What the last one came to, if one came to anything yet.
    pub fn verdict(&self) -> Option<Verdict> {
        self.verdict
    }

    /// Looks at the time. `able`: the SIM card can send; if it can't, something else tells why, and the canary waits.
    pub fn look(&mut self, able: bool, jitter: u8, now: &Now) -> Due {
        if let Some(Flight::Out { until, taken }) = self.flight
            && until <= now.mono
        {
            return Due::Failed(self.fail(Failure::NotBack { taken }, now));
        }
        if now.mono < self.next {
            return Due::Nothing;
        }
        if !able {
            self.next = now.mono + AGAIN;
            return Due::Nothing;
        }
        self.next = self.round.next_turn(jitter, now);
        // Two at once could not be told apart by what is watched.
        if self.flight.is_some() {
            return Due::Nothing;
        }
        self.flight = Some(Flight::Waits);
        Due::Send
    }

    /// Takes in what becomes of the one on its way.
    pub fn went(&mut self, went: Went, now: &Now) -> Option<Change> {
        match (went, self.flight?) {
            (Went::Waits, _) => self.flight = Some(Flight::Waits),
            (Went::Out { taken }, Flight::Waits) => {
                self.flight = Some(Flight::Out { until: now.mono + self.round.within, taken });
            }
            (Went::Out { taken }, Flight::Out { until, taken: before }) => {
                self.flight = Some(Flight::Out { until, taken: taken || before });
            }
            (Went::Refused(reason), _) => return Some(self.fail(Failure::Refused(reason), now)),
            (Went::Dropped, _) => self.flight = None,
        }
        None
    }

    /// The last one has come in, be it late.
    pub fn came_in(&mut self, now: &Now) -> Option<Change> {
        let failed = matches!(self.verdict, Some(Verdict::Failed { .. }));
        if self.flight.take().is_some() || failed {
            self.verdict = Some(Verdict::Passed { at: now.wall });
        }
        failed.then_some(Change::Recovered)
    }

    fn fail(&mut self, how: Failure, now: &Now) -> Change {
        self.flight = None;
        let before = self.verdict.replace(Verdict::Failed { at: now.wall, how });
        if matches!(before, Some(Verdict::Failed { .. })) { Change::StillFails } else { Change::Failed }
    }
}

impl Round {
    fn next_turn(&self, jitter: u8, now: &Now) -> Mono {
        let every = (self.every.as_millis() as u64).max(1);
        let step = every / u64::from(self.of.max(1));
        let turn = step * u64::from(self.place) % every;
        let phase = now.wall.0.rem_euclid(every as i64) as u64;
        let wait = (turn + every - phase - 1) % every + 1;
        let spread = (step / 2).min(SPREAD.as_millis() as u64);
        now.mono + Duration::from_millis(wait + spread * u64::from(jitter) / 256)
    }
}

impl Failure {
    /// What is wrong, and what to do about it.
    pub fn sentence(&self, within: Duration) -> String {
        match self {
            Self::NotBack { taken } => {
                let taken = if *taken { "though the network took it" } else { "and may not have gone out" };
                format!(
                    "A message that the SIM card sent to its own number did not come back within {} minutes, {taken}. If the \
                     number in its [[sim_card]] is right, its messages are filtered, or the network has SMS over IMS half \
                     off: let the modem register anew, send one to a phone by hand, then ask the operator",
                    within.as_secs() / 60
                )
            }
            Self::Refused(reason) => format!(
                "A message of the SIM card to its own number did not arrive: {}. If the number in its [[sim_card]] is right, \
                 ask the operator",
                retry::explain(*reason)
            ),
        }
    }
}

/// A canary's word: as many random bytes as it has characters.
pub fn word(random: [u8; WORD]) -> String {
    random.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect()
}

/// The text of the canary with this word.
pub fn text(word: &str) -> String {
    format!("{BEGINS}{word}")
}

/// The word of a text that is a canary's.
pub fn word_in(text: &str) -> Option<&str> {
    let word = text.trim().strip_prefix(BEGINS)?;
    (word.len() == WORD && word.bytes().all(|byte| LETTERS.contains(&byte))).then_some(word)
}

const BEGINS: &str = "otpgate canary ";
const WORD: usize = 6;
/// Without those that look alike.
const LETTERS: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
/// A SIM card that can't send when its turn comes is looked at again after so long.
const AGAIN: Duration = Duration::from_secs(300);
/// How far a canary strays from its turn: networks look for what comes by the clock.
const SPREAD: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::BootTime;

    const HOUR: u64 = 3600;

    fn at(seconds: u64) -> Now {
        Now {
            mono: Mono(Duration::from_secs(seconds)),
            boot: BootTime { id: Default::default(), since_boot: Duration::from_secs(seconds) },
            wall: Wall(seconds as i64 * 1000),
        }
    }

    fn round(place: u32, of: u32) -> Round {
        Round { every: Duration::from_secs(HOUR), within: Duration::from_secs(600), place, of }
    }

    /// One whose turn has come, with what happens to it after so many seconds.
    fn after(events: &[(u64, Step)]) -> (Canary, Vec<Option<Change>>) {
        let mut canary = Canary::new(round(0, 1), 0, &at(1));
        assert_eq!(canary.look(true, 0, &at(HOUR)), Due::Send);
        let mut changes = Vec::new();
        for (seconds, step) in events {
            let now = at(HOUR + seconds);
            match step {
                Step::Went(went) => changes.push(canary.went(*went, &now)),
                Step::CameIn => changes.push(canary.came_in(&now)),
                Step::Look(expected) => assert_eq!(canary.look(true, 0, &now), *expected, "after {seconds} s"),
            }
        }
        (canary, changes)
    }

    enum Step {
        Went(Went),
        CameIn,
        Look(Due),
    }
    use Step::{CameIn, Look, Went as It};
    const TAKEN: Went = Went::Out { taken: true };
    const IN_DOUBT: Went = Went::Out { taken: false };

    #[test]
    fn cards_take_turns_by_the_wall_clock() {
        for (place, of, jitter, from, due) in [
            (0, 1, 0, 1, HOUR),
            (0, 1, 0, HOUR, 2 * HOUR),
            (0, 1, 128, 1, HOUR + 300),
            (0, 4, 0, 1, HOUR),
            (1, 4, 0, 1, 900),
            (3, 4, 0, 1, 2700),
            (3, 4, 0, 2700, HOUR + 2700),
            (1, 4, 128, 1, 900 + 225),
        ] {
            assert_eq!(round(place, of).next_turn(jitter, &at(from)), at(due).mono, "{place} of {of} from {from}");
        }
    }

    #[test]
    fn b4_a_canary_passes_when_it_comes_back_and_by_nothing_else() {
        let out = |taken, s| Some(Flight::Out { until: at(HOUR + s).mono, taken });
        let passed = |s| Some(Verdict::Passed { at: at(HOUR + s).wall });
        let failed = |s, how| Some(Verdict::Failed { at: at(HOUR + s).wall, how });
        let (lost, in_doubt) = (Failure::NotBack { taken: true }, Failure::NotBack { taken: false });
        let no = Reason::Cms(50);
        type Row<'a> = (&'a str, &'a [(u64, Step)], Option<Flight>, Option<Verdict>, &'a [Option<Change>]);
        let rows: &[Row<'_>] = &[
            ("it waits", &[(5, It(Went::Waits)), (1800, Look(Due::Nothing))], Some(Flight::Waits), None, &[None]),
            ("it is out", &[(5, It(TAKEN)), (599, Look(Due::Nothing))], out(true, 605), None, &[None]),
            (
                "it is reported, which is no proof",
                &[(5, It(TAKEN)), (60, It(TAKEN)), (605, Look(Due::Failed(Change::Failed)))],
                None,
                failed(605, lost),
                &[None, None],
            ),
            ("it comes back", &[(5, It(TAKEN)), (604, CameIn)], None, passed(604), &[None, None]),
            ("it is back before its result", &[(5, CameIn), (6, It(TAKEN))], None, passed(5), &[None, None]),
            (
                "nobody knows whether it went, and it went",
                &[(5, It(IN_DOUBT)), (20, It(TAKEN))],
                out(true, 605),
                None,
                &[None, None],
            ),
            (
                "nobody knows whether it went",
                &[(5, It(IN_DOUBT)), (605, Look(Due::Failed(Change::Failed)))],
                None,
                failed(605, in_doubt),
                &[None],
            ),
            (
                "it is refused, tried again, and refused",
                &[(5, It(Went::Waits)), (35, It(Went::Refused(no)))],
                None,
                failed(35, Failure::Refused(no)),
                &[None, Some(Change::Failed)],
            ),
            ("it found no room", &[(600, It(Went::Dropped))], None, None, &[None]),
            (
                "it comes late",
                &[(5, It(TAKEN)), (605, Look(Due::Failed(Change::Failed))), (900, CameIn), (901, CameIn)],
                None,
                passed(900),
                &[None, Some(Change::Recovered), None],
            ),
            (
                "it fails again, and once more passes",
                &[
                    (5, It(TAKEN)),
                    (605, Look(Due::Failed(Change::Failed))),
                    (HOUR, Look(Due::Send)),
                    (HOUR + 5, It(TAKEN)),
                    (HOUR + 605, Look(Due::Failed(Change::StillFails))),
                    (2 * HOUR, Look(Due::Send)),
                    (2 * HOUR + 5, It(TAKEN)),
                    (2 * HOUR + 6, CameIn),
                ],
                None,
                passed(2 * HOUR + 6),
                &[None, None, None, Some(Change::Recovered)],
            ),
            (
                "its result comes after it is over",
                &[(5, It(Went::Dropped)), (9, It(Went::Refused(no)))],
                None,
                None,
                &[None, None],
            ),
        ];
        for (name, events, flight, verdict, changes) in rows {
            let (canary, told) = after(events);
            assert_eq!((canary.flight, canary.verdict), (*flight, *verdict), "{name}");
            assert_eq!(told, *changes, "{name}");
        }
    }

    #[test]
    fn a_card_that_can_not_send_has_its_turn_when_it_can() {
        let mut canary = Canary::new(round(0, 1), 0, &at(1));
        assert_eq!(canary.look(false, 0, &at(HOUR)), Due::Nothing);
        assert_eq!(canary.wakes(), at(HOUR + 300).mono);
        assert_eq!(canary.look(true, 0, &at(HOUR + 299)), Due::Nothing);
        assert_eq!(canary.look(true, 0, &at(HOUR + 300)), Due::Send);
        assert_eq!(canary.next(), at(2 * HOUR).mono);
    }

    #[test]
    fn a_word_is_found_again_and_no_other_text_is_one() {
        let word = word([0, 31, 32, 7, 255, 100]);
        assert_eq!(word_in(&text(&word)), Some(word.as_str()));
        assert_eq!(word_in(" otpgate canary 2Z29Z6\n"), Some("2Z29Z6"));
        for other in ["", "STOP", "otpgate canary ", "otpgate canary 2Z29Z", "otpgate canary 2Z29Z6 STOP", "2Z29Z6"] {
            assert_eq!(word_in(other), None, "{other:?}");
        }
        assert!(text(&word).len() <= 160);
    }

    #[test]
    fn failures_say_what_to_do() {
        let within = Duration::from_secs(600);
        for (how, words) in [
            (Failure::NotBack { taken: true }, "within 10 minutes, though the network took it"),
            (Failure::NotBack { taken: false }, "may not have gone out"),
            (Failure::Refused(Reason::Cms(50)), "ask the operator"),
        ] {
            let sentence = how.sentence(within);
            assert!(sentence.contains(words) && sentence.contains("[[sim_card]]"), "{sentence}");
            assert!(sentence.chars().count() < 450, "{sentence}");
        }
    }
}
