//! What follows from a refusal, an uncertain end or a report. Phase first, then the number's class.

use crate::at::errors;
use crate::domain::equipment::SimCard;
use crate::domain::message::{Message, Part, PartId, PartResult, PartState, ReportVerdict, Then, max_attempts};
use crate::domain::reason::{Meaning, Reason};
use crate::domain::time::Now;
use std::time::Duration;

/// How a send ended on the wire, when it ended with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinalError {
    /// `+CMS ERROR: n`
    Cms(u16),
    /// `+CME ERROR: n`
    Cme(u16),
    /// `ERROR`, or any other final result without a number.
    Bare,
}

impl From<FinalError> for Reason {
    fn from(error: FinalError) -> Self {
        match error {
            FinalError::Cms(n) => Self::Cms(n),
            FinalError::Cme(n) => Self::Cme(n),
            FinalError::Bare => Self::BareError,
        }
    }
}

/// What an error means for the part. Before 0x1A nothing has left, whatever the number. After it, the network's own
/// causes (1–255) and the modem's refusals (301–331) say that nothing was sent; anything else leaves it open.
pub fn judge(after_pdu: bool, error: FinalError) -> PartResult {
    match error {
        _ if !after_pdu => PartResult::NotSent(error.into()),
        FinalError::Cms(1..=255 | 301..=331) => PartResult::NotSent(error.into()),
        _ => PartResult::Uncertain(error.into()),
    }
}

/// What a refusal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// No SIM card could send it.
    Permanent,
    /// This SIM card can't; another may.
    SimCard,
    /// The network can't just now: so many tries in all, the pause doubling from this many seconds.
    Temporary { tries: u8, pause: u64 },
    /// Nothing is wrong with the message, but with the modem, its SIM card or its network just now: that modem rests, from
    /// so many seconds on, and the message is as good as untried.
    Wait { rest: u64 },
}

fn class(reason: Reason) -> Class {
    use Class::{Permanent, SimCard, Temporary, Wait};
    match reason {
        Reason::Cms(n) => match n {
            8 | 10 | 11 | 21 | 28 | 29 | 30 | 34 | 50 | 69 | 193 | 310..=312 | 315 | 316 | 330 => SimCard,
            81 | 98 => Temporary { tries: 2, pause: 5 },
            111 | 127 => Temporary { tries: 2, pause: 15 },
            17 | 38 | 41 | 42 | 47 | 192 | 194 | 255 => Temporary { tries: 6, pause: 15 },
            22 | 27 => Temporary { tries: 6, pause: 60 },
            // Once with one hour's validity, once with none: see [`Validity`](crate::domain::learned::Validity).
            198 | 199 => Temporary { tries: 3, pause: 0 },
            208..=213 | 320..=322 => Temporary { tries: 4, pause: 5 },
            // Bytes may have been lost on the way, or the modem has fallen back to text mode: once more after the
            // session has set it up again.
            304 | 305 => Temporary { tries: 2, pause: 1 },
            300..=303 | 313 | 314 | 317 | 318 | 331 => Wait { rest: 5 },
            256.. => Temporary { tries: 3, pause: 10 },
            _ => Permanent,
        },
        Reason::MakersCms(_, meaning) => match meaning {
            Meaning::Message => Permanent,
            // As 304: once more after the session has set it up again.
            Meaning::Garbled => Temporary { tries: 2, pause: 1 },
            Meaning::SimCard => SimCard,
            Meaning::Modem => Wait { rest: 5 },
            Meaning::Unclear => Temporary { tries: 3, pause: 10 },
        },
        Reason::Cme(n) => match n {
            // Barred, restricted to fixed numbers, or rejected by the network: its own causes are 100 and 24.008's.
            56 | 62 | 102..=106 | 108 => SimCard,
            24..=27 | 50 | 58 | 59 | 61 => Permanent,
            // Locked or absent; no network; busy.
            5..=7 | 10..=18 | 40..=48 | 30 | 32 | 53..=55 | 107 | 111..=115 | 118 | 256 | 513 | 515 => Wait { rest: 5 },
            _ => Temporary { tries: 4, pause: 5 },
        },
        Reason::BareError => Temporary { tries: 4, pause: 5 },
        Reason::NotTransmitted | Reason::PortLost | Reason::Restarted => Wait { rest: 0 },
        _ => Permanent,
    }
}

/// Whether the number is clear about the cause. An unclear one says nothing of whether the message was sent.
fn is_unclear(reason: Reason) -> bool {
    match reason {
        Reason::Cms(n) => matches!(n, 21 | 30 | 127 | 255 | 332 | 500 | 512..),
        Reason::MakersCms(_, meaning) => meaning == Meaning::Unclear,
        Reason::Cme(n) => matches!(n, 31 | 49 | 63 | 100),
        reason => reason == Reason::BareError,
    }
}

/// A modem's or network's answer in one word, for the API: what kind of trouble it is. `None`: it was no such answer.
pub fn class_word(reason: Reason) -> Option<&'static str> {
    let is_storage = matches!(reason, Reason::Cms(208 | 209 | 211 | 320..=322) | Reason::Cme(20..=23));
    let is_modem = matches!(reason, Reason::Cms(210 | 212 | 213 | 340) | Reason::Cme(0..=4 | 51 | 52 | 60 | 601));
    matches!(reason, Reason::Cms(_) | Reason::MakersCms(..) | Reason::Cme(_) | Reason::BareError).then(|| {
        match class(reason) {
            Class::SimCard => "sim_card",
            _ if is_storage => "storage",
            _ if is_modem => "modem",
            _ if is_unclear(reason) => "unclear",
            Class::Permanent => "permanent",
            Class::Temporary { .. } => "temporary",
            Class::Wait { .. } => "modem",
        }
    })
}

/// A modem's or network's answer in a sentence: its name, and what it means for the message.
pub fn explain(reason: Reason) -> String {
    let name = match reason {
        Reason::Cms(n) => errors::cms_name(n),
        // The one number that two makers are known by, and mean otherwise.
        Reason::MakersCms(517, Meaning::Modem) => Some("SIM not ready"),
        Reason::MakersCms(n, _) => errors::makers_cms_name(n),
        Reason::Cme(n) => errors::cme_name(n),
        _ => None,
    };
    let name = name.map_or_else(String::new, |name| format!(" ({name})"));
    let means = match class_word(reason) {
        Some("sim_card") => "; this SIM card can't send it, another may",
        Some("storage") => "; a storage is full or can't be read",
        Some("unclear") => "; the number does not tell the cause",
        Some("permanent") => "; no SIM card could send it as it is",
        Some("temporary") => "; it may pass",
        Some(_) => "; the modem, its SIM card or its network is not ready, and nothing is wrong with the message",
        None => "",
    };
    format!("{reason}{name}{means}")
}

/// Whose fault a refusal is, as far as its number tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// Not the network's nor the SIM card's: the message's, the modem's, or nobody's.
    Nobody,
    /// The network's, just now.
    Network,
    /// The SIM card's, or the network's: what an empty card gets as well.
    PerhapsSimCard,
    /// The SIM card's: it may not send.
    SimCard,
}

/// Whose fault a refusal is. An absent or locked card is another matter: its modem can't send, and says so.
pub fn blame(reason: Reason) -> Blame {
    match reason {
        Reason::Cms(310..=316) => Blame::Nobody,
        Reason::Cms(38) => Blame::PerhapsSimCard,
        Reason::Cms(331) | Reason::Cme(30 | 32 | 53..=55 | 107 | 111..=115 | 118) | Reason::NoResult => Blame::Network,
        // A storage, the validity period, or bytes that were lost.
        Reason::Cms(198 | 199 | 208..=213 | 304 | 305 | 320..=322) | Reason::Cme(20..=23) => Blame::Nobody,
        Reason::MakersCms(_, Meaning::Garbled) => Blame::Nobody,
        reason => match class(reason) {
            Class::SimCard => Blame::SimCard,
            Class::Temporary { .. } => Blame::Network,
            Class::Permanent | Class::Wait { .. } => Blame::Nobody,
        },
    }
}

/// Whether a refusal is the message's own fault.
pub fn is_the_messages(reason: Reason) -> bool {
    class(reason) == Class::Permanent
}

/// Whether a refusal is its modem's own trouble: that rests, or is brought back, and the message is as good as untried.
pub fn is_the_modems(reason: Reason) -> bool {
    matches!(class(reason), Class::Wait { .. })
}

/// Which SIM cards besides an attempt's could take its message now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Others {
    /// One that has not failed it.
    pub fresh: bool,
    /// One that has not refused it for a reason of its own.
    pub able: bool,
}

/// The SIM cards that refused a message for a reason of their own.
pub fn barred(message: &Message) -> Vec<SimCard> {
    let refused = |p: &Part| matches!(p.state, PartState::NotSent(reason) if class(reason) == Class::SimCard);
    let attempts = message.attempts.iter().filter(|a| a.parts.iter().any(refused));
    attempts.map(|a| a.sim_card.clone()).collect()
}

/// What to do about a part that was provably not sent.
pub fn after_refusal(message: &Message, part: PartId, reason: Reason, others: Others, now: &Now) -> Then {
    // Over all attempts: "once more" is once more, whichever modem takes it.
    let of_part = message.attempts.iter().filter_map(|a| a.parts.get(usize::from(part.part)));
    let refusals = of_part.fold(0u8, |sum, p| sum.saturating_add(p.refusals));
    let again = |pause: u64, doublings: u8| {
        let pause = pause.saturating_mul(1 << doublings.min(5)).min(LONGEST_PAUSE_SECONDS);
        Then::Retry { pause: Duration::from_secs(pause), other_sim_card: false }
    };
    let room = message.avoid.len() < max_attempts(message.parts);
    match class(reason) {
        Class::Permanent => Then::GiveUp,
        Class::SimCard if others.able && room => Then::Retry { pause: Duration::ZERO, other_sim_card: true },
        Class::SimCard if refusals == 0 => again(30, 0),
        Class::SimCard => Then::GiveUp,
        Class::Temporary { tries, pause } if refusals + 1 < tries => again(pause, refusals),
        Class::Temporary { .. } => Then::GiveUp,
        Class::Wait { rest } => Then::Wait {
            pause: if others.fresh || rest == 0 { Duration::ZERO } else { wait(message, now) },
            // Where each SIM card has failed it, all are as good again: one that never prompts must not keep it to itself.
            other_sim_card: others.fresh || !message.avoid.is_empty(),
        },
    }
}

/// How long a message waits that no modem would take: half as long again as it has been tried already. So one that is
/// refused wherever it comes does not keep the modems from the others behind it.
fn wait(message: &Message, now: &Now) -> Duration {
    let tried = message.attempts.first().map_or(Duration::ZERO, |first| now.wall - first.started);
    let longest = if message.verification.is_some() { LONGEST_WAIT_OF_A_CODE } else { LONGEST_WAIT };
    (tried / 2).clamp(SHORTEST_WAIT, longest)
}

/// How long a modem takes nothing after a refusal that is its own trouble; `in_a_row`: which such refusal it is, from 1.
/// It would refuse whatever came to it, faster than any other modem sends.
pub fn rest(reason: Reason, in_a_row: u32) -> Option<Duration> {
    match class(reason) {
        Class::Wait { rest: 0 } => None,
        Class::Wait { rest } => Some(Duration::from_secs(rest << in_a_row.saturating_sub(1).min(8)).min(LONGEST_REST)),
        _ => None,
    }
}

/// Whether the one identical resend goes out now that an attempt's end is unknown. A report that came already is
/// better evidence than a second copy.
pub fn resend_uncertain(message: &Message, now: &Now) -> bool {
    message.may_resend(now) && !message.has_report()
}

/// Whether the one identical resend goes out after this report.
pub fn resend_reported(message: &Message, verdict: ReportVerdict, now: &Now) -> bool {
    verdict == ReportVerdict::GaveUp && message.may_resend(now)
}

const LONGEST_PAUSE_SECONDS: u64 = 300;
const SHORTEST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(300);
const LONGEST_WAIT_OF_A_CODE: Duration = Duration::from_secs(10);
const LONGEST_REST: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_phase_decides_first() {
        use FinalError::{Bare, Cme, Cms};
        for error in [Cms(1), Cms(300), Cms(332), Cms(500), Cms(2051), Cme(14), Bare] {
            assert_eq!(judge(false, error), PartResult::NotSent(error.into()), "{error:?} before 0x1A");
        }
        for refused in [1, 21, 38, 127, 211, 255, 301, 304, 322, 330, 331] {
            assert_eq!(judge(true, Cms(refused)), PartResult::NotSent(Reason::Cms(refused)), "{refused} after 0x1A");
        }
        for open in
            [Cms(0), Cms(256), Cms(300), Cms(332), Cms(340), Cms(500), Cms(512), Cms(521), Cme(14), Cme(100), Bare]
        {
            assert_eq!(judge(true, open), PartResult::Uncertain(open.into()), "{open:?} after 0x1A");
        }
    }

    #[test]
    fn a_modem_in_trouble_rests_longer_each_time_and_no_other_does() {
        let seconds = |reason, n| rest(reason, n).map(|d| d.as_secs());
        let rests: Vec<_> = (1..8).map(|n| seconds(Reason::Cms(331), n)).collect();
        assert_eq!(rests, [5, 10, 20, 40, 60, 60, 60].map(Some));
        assert_eq!(seconds(Reason::Cme(14), u32::MAX), Some(60));
        for none in [Reason::NotTransmitted, Reason::Cms(38), Reason::Cms(21), Reason::Cms(1), Reason::BareError] {
            assert_eq!(rest(none, 1), None, "{none:?}");
        }
    }

    /// Some of them by name; `tests/error_classes.rs` reads the reference tables as a whole.
    #[test]
    fn classes() {
        let rows = [
            (Reason::Cms(1), Class::Permanent),
            (Reason::Cms(96), Class::Permanent),
            (Reason::Cms(145), Class::Permanent),
            (Reason::Cms(195), Class::Permanent),
            (Reason::Cms(196), Class::Permanent),
            (Reason::Cms(8), Class::SimCard),
            (Reason::Cms(21), Class::SimCard),
            (Reason::Cms(30), Class::SimCard),
            (Reason::Cms(330), Class::SimCard),
            (Reason::Cms(81), Class::Temporary { tries: 2, pause: 5 }),
            (Reason::Cms(98), Class::Temporary { tries: 2, pause: 5 }),
            (Reason::Cms(127), Class::Temporary { tries: 2, pause: 15 }),
            (Reason::Cms(42), Class::Temporary { tries: 6, pause: 15 }),
            (Reason::Cms(301), Class::Wait { rest: 5 }),
            (Reason::Cms(331), Class::Wait { rest: 5 }),
            (Reason::Cms(314), Class::Wait { rest: 5 }),
            (Reason::Cms(516), Class::Temporary { tries: 3, pause: 10 }),
            (Reason::MakersCms(516, Meaning::Message), Class::Permanent),
            (Reason::MakersCms(517, Meaning::Garbled), Class::Temporary { tries: 2, pause: 1 }),
            (Reason::MakersCms(770, Meaning::SimCard), Class::SimCard),
            (Reason::MakersCms(517, Meaning::Modem), Class::Wait { rest: 5 }),
            (Reason::Cme(14), Class::Wait { rest: 5 }),
            (Reason::NotTransmitted, Class::Wait { rest: 0 }),
        ];
        for (reason, expected) in rows {
            assert_eq!(class(reason), expected, "{reason:?}");
        }
    }

    #[test]
    fn whose_fault_it_is() {
        for (reason, expected) in [
            (Reason::Cms(21), Blame::SimCard),
            (Reason::Cms(193), Blame::SimCard),
            (Reason::Cme(62), Blame::SimCard),
            (Reason::MakersCms(770, Meaning::SimCard), Blame::SimCard),
            (Reason::MakersCms(517, Meaning::Garbled), Blame::Nobody),
            (Reason::MakersCms(535, Meaning::Modem), Blame::Nobody),
            (Reason::Cms(38), Blame::PerhapsSimCard),
            (Reason::Cms(41), Blame::Network),
            (Reason::Cms(331), Blame::Network),
            (Reason::NoResult, Blame::Network),
            (Reason::Cms(1), Blame::Nobody),
            (Reason::Cms(311), Blame::Nobody),
            (Reason::Cms(322), Blame::Nobody),
            (Reason::Cms(302), Blame::Nobody),
            (Reason::NotTransmitted, Blame::Nobody),
            (Reason::PortLost, Blame::Nobody),
        ] {
            assert_eq!(blame(reason), expected, "{reason:?}");
        }
    }

    #[test]
    fn an_answer_is_told_with_its_number_its_name_and_what_it_means() {
        for (reason, word, ends) in [
            (
                Reason::Cms(21),
                Some("sim_card"),
                "21 (short message transfer rejected); this SIM card can't send it, another may",
            ),
            (Reason::Cms(38), Some("temporary"), "38 (network out of order); it may pass"),
            (Reason::Cms(999), Some("unclear"), "999; the number does not tell the cause"),
            (
                Reason::MakersCms(516, Meaning::Message),
                Some("permanent"),
                "516 (invalid length); no SIM card could send it as it is",
            ),
            (
                Reason::MakersCms(517, Meaning::Garbled),
                Some("temporary"),
                "517 (invalid character in PDU); it may pass",
            ),
            (
                Reason::MakersCms(517, Meaning::Modem),
                Some("modem"),
                "517 (SIM not ready); the modem, its SIM card or its network is not ready, and nothing is wrong with the message",
            ),
            (
                Reason::MakersCms(770, Meaning::SimCard),
                Some("sim_card"),
                "(SIM invalid - network reject); this SIM card can't send it, another may",
            ),
            (Reason::MakersCms(515, Meaning::Unclear), Some("unclear"), "the number does not tell the cause"),
            (Reason::Cme(14), Some("modem"), "nothing is wrong with the message"),
            (Reason::BareError, Some("unclear"), "without a number; the number does not tell the cause"),
            (Reason::TtlPassed, None, "before a modem could send it"),
        ] {
            assert_eq!(class_word(reason), word, "{reason:?}");
            assert!(explain(reason).ends_with(ends), "{}", explain(reason));
        }
    }
}
