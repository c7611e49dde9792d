//! A SIM card that loses contact while its modem runs, and one that is changed.

use super::*;
use crate::modem::bringup::Gone;

/// What was seen of the card in this modem.
#[derive(Debug, Default)]
pub(super) struct CardWatch {
    /// It was open once.
    seen: bool,
    /// Since when it does not answer.
    gone: Option<Mono>,
    /// It answers, and a send says that it failed: its power is cycled all the same.
    failed: bool,
    /// When its power was cycled, within the last hour.
    cycled: VecDeque<Mono>,
    cycling: Option<Half>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Half {
    Off,
    On,
}

impl CardWatch {
    /// The port is another one. A card that was open before is expected to be there still: a modem whose supply broke down
    /// may come back without it.
    pub(super) fn forget(&mut self) {
        *self = Self { cycled: std::mem::take(&mut self.cycled), seen: self.seen, ..Self::default() };
    }

    /// What was begun is over.
    pub(super) fn interrupted(&mut self) {
        self.cycling = None;
    }

    /// It is open.
    pub(super) fn open(&mut self) {
        (self.seen, self.gone, self.failed) = (true, None, false);
    }

    pub(super) fn is_cycling(&self) -> bool {
        self.cycling.is_some()
    }

    /// Whether its power may be cycled once more, and counts it.
    fn may_cycle(&mut self, now: Mono) -> bool {
        self.cycled.retain(|at| now < *at + HOUR);
        let may = self.cycled.len() < CYCLES_AN_HOUR;
        self.cycled.extend(may.then_some(now));
        may
    }
}

impl Session {
    /// The card does not answer.
    pub(super) fn card_is_gone(&mut self, now: Mono, gone: Gone) {
        self.unlock.powered_up();
        let since = *self.card.gone.get_or_insert(now);
        if !self.card.seen && gone == Gone::Absent {
            return self.stay_at_step(now + LOOK_AGAIN, NO_CARD);
        }
        if now < since + PATIENCE {
            return self.stay_at_step(now + LOOK_SOON, NO_CONTACT);
        }
        if self.card.may_cycle(now) {
            return self.cycle_card(now);
        }
        self.stay_at_step(now + LOOK_AGAIN, NO_CONTACT_FOR_LONG);
    }

    fn cycle_card(&mut self, now: Mono) {
        self.emit(Event::Notice("The SIM card has lost contact; its power is switched off and on"));
        self.stay_at_step(now, NO_CONTACT);
        self.card.cycling = Some(Half::Off);
        (self.card.gone, self.card.failed) = (None, false);
        self.unlock.powered_up();
    }

    /// A send was refused since the card failed, though it may look open. True if that is to be looked at.
    pub(super) fn card_failed(&mut self, now: Mono, outcome: PartResult) -> bool {
        let (PartResult::NotSent(reason) | PartResult::Uncertain(reason)) = outcome else { return false };
        match reason {
            Reason::Cms(313) | Reason::Cme(0 | 13) => {
                self.card.cycled.retain(|at| now < *at + HOUR);
                self.card.failed = self.card.cycled.len() < CYCLES_AN_HOUR;
                true
            }
            // The one that says that the card has lost its power, whoever's number it is.
            Reason::Cms(310..=312 | 315 | 316) | Reason::MakersCms(772, _) | Reason::Cme(10..=12 | 15) => true,
            _ => false,
        }
    }

    /// The card is open. False if its power is cycled all the same.
    pub(super) fn card_is_open(&mut self, now: Mono) -> bool {
        let failed = self.card.failed && self.card.may_cycle(now);
        self.card.open();
        // If it asks for its PIN again, it has lost its power: not every modem says that it has restarted.
        self.unlock.powered_up();
        if failed {
            self.cycle_card(now);
        }
        !failed
    }

    pub(super) fn go_on_cycling(&mut self, now: Mono) {
        let command = match self.card.cycling {
            Some(Half::Off) => Command::functionality_off(),
            Some(Half::On) => Command::functionality_on(),
            None => return,
        };
        self.ask(now, command, Asked::CardPower);
    }

    pub(super) fn card_power_replied(&mut self, now: Mono) {
        if self.card.cycling == Some(Half::Off) {
            self.card.cycling = Some(Half::On);
            return self.stay_at_step(now + OFF_FOR, NO_CONTACT);
        }
        self.card.cycling = None;
        self.begin_bring_up(now);
        self.stay_at_step(now + STARTS, NO_CONTACT);
    }

    /// Which card is in it: asked now and then, since one may be changed without a word from the modem.
    pub(super) fn ask_for_card(&mut self, now: Mono) -> bool {
        let query = self.known.card_query.clone();
        query.map(|command| self.ask(now, command, Asked::Card)).is_some()
    }

    pub(super) fn card_replied(&mut self, reply: &Reply) {
        let read = |line: &str| response::iccid(line).or_else(|| response::imsi(line));
        let card = reply.lines.iter().find_map(|line| read(line.as_str())).map(SimCard::new);
        match (card, reply.end) {
            (Some(card), _) if self.known.sim_card.as_ref() == Some(&card) => {}
            (Some(_), _) | (None, ReplyEnd::Final(FinalResult::Cme(Some(0 | 10..=13 | 15)))) => self.rebooted = true,
            _ => {}
        }
    }
}

const CYCLES_AN_HOUR: usize = 3;
const HOUR: Duration = Duration::from_secs(3600);
/// Modems that have just booted say for a while that there is no card.
const PATIENCE: Duration = Duration::from_secs(15);
const LOOK_SOON: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// Between off and on.
const OFF_FOR: Duration = Duration::from_secs(2);
/// From on to the first question.
const STARTS: Duration = Duration::from_secs(5);
pub(super) const NO_CARD: &str = "there is no SIM card in it; put one in";
const NO_CONTACT: &str = "the SIM card has lost contact; it is waited for, and its power switched off and on";
const NO_CONTACT_FOR_LONG: &str = "the SIM card has lost contact, and to switch its power off and on did not help (at most 3 times an \
                                   hour); take it out, wipe its contacts and put it in again";
