//! What was found out while sending: about models, and about SIM cards.

use super::equipment::SimCard;
use super::reason::Reason;
use std::time::Duration;

/// A model and its firmware, as it names itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ModelName {
    /// `+CGMI`.
    pub manufacturer: String,
    /// `+CGMM`.
    pub model: String,
    /// `+CGMR`.
    pub revision: String,
}

/// What modems of one model and firmware were seen to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelTraits {
    /// Which.
    pub name: ModelName,
    /// The shortest pause from prompt to PDU with which all went well.
    pub prompt_delay: Option<Duration>,
    /// A shorter one was tried, and something was lost.
    pub prompt_delay_settled: bool,
    /// The form of CNMI that it took: mode, mt, bm, ds, bfr.
    pub report_form: Option<[u8; 5]>,
    /// Whether it wants acknowledged what comes directly.
    pub acknowledged: bool,
    /// From a PDU to its result, where the network was quick.
    pub send_time: Option<Duration>,
    /// It did not answer when its storage was listed.
    pub lists_hang: bool,
}

/// What was seen of a SIM card and the network behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimCardTraits {
    /// Which.
    pub sim_card: SimCard,
    /// How its network wants the validity period.
    pub validity: Validity,
    /// The value of `AT+CGSMS` with which its messages go.
    pub bearer: Option<u8>,
}

/// How the validity period is given to the network. Some take no relative one (198), or none of that length (199).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Validity {
    /// The life that is left.
    #[default]
    Life,
    /// One hour.
    Hour,
    /// None: the network's own default.
    None,
}

impl Validity {
    /// The next simpler form, after a refusal that names the validity period.
    pub fn after(self, reason: Reason) -> Self {
        match (reason, self) {
            (Reason::Cms(198 | 199), Self::Life) => Self::Hour,
            (Reason::Cms(198 | 199), _) => Self::None,
            _ => self,
        }
    }

    /// The word that the API shows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Life => "life_left",
            Self::Hour => "one_hour",
            Self::None => "none",
        }
    }
}

/// What was found out, about one of either.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lesson {
    /// About a model.
    Model(ModelTraits),
    /// About a SIM card.
    SimCard(SimCardTraits),
}

impl Lesson {
    /// Whether both are about the same, so that the later one takes the earlier one's place.
    pub fn is_about_the_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Model(one), Self::Model(two)) => one.name == two.name,
            (Self::SimCard(one), Self::SimCard(two)) => one.sim_card == two.sim_card,
            _ => false,
        }
    }
}

impl ModelTraits {
    /// Nothing yet.
    pub fn new(name: ModelName) -> Self {
        Self {
            name,
            prompt_delay: None,
            prompt_delay_settled: false,
            report_form: None,
            acknowledged: false,
            send_time: None,
            lists_hang: false,
        }
    }

    /// What is known, with what one more modem was seen to do. That can only add to it: two modems of which each knows
    /// another half come to the same, whoever speaks last, and then to nothing new.
    pub fn with(&self, seen: &Self) -> Self {
        let (prompt_delay, prompt_delay_settled) = self.pause_with(seen);
        Self {
            name: self.name.clone(),
            prompt_delay,
            prompt_delay_settled,
            report_form: self.report_form.or(seen.report_form),
            acknowledged: self.acknowledged || seen.acknowledged,
            // It wavers: a fifth less is no news, and more is the network's doing.
            send_time: match (self.send_time, seen.send_time) {
                (Some(known), Some(seen)) if seen * 5 >= known * 4 => Some(known),
                (known, seen) => seen.or(known),
            },
            lists_hang: self.lists_hang || seen.lists_hang,
        }
    }

    /// Where one lost something, the longer pause holds for all; until then, the shortest that went well.
    fn pause_with(&self, seen: &Self) -> (Option<Duration>, bool) {
        let (Some(known), Some(new)) = (self.prompt_delay, seen.prompt_delay) else {
            let other = if self.prompt_delay.is_some() { self } else { seen };
            return (other.prompt_delay, other.prompt_delay_settled);
        };
        let pause = match (self.prompt_delay_settled, seen.prompt_delay_settled) {
            (true, true) => known.max(new),
            (true, false) => known,
            (false, true) => new,
            (false, false) => known.min(new),
        };
        (Some(pause), self.prompt_delay_settled || seen.prompt_delay_settled)
    }
}

impl SimCardTraits {
    /// Nothing yet.
    pub fn new(sim_card: SimCard) -> Self {
        Self { sim_card, validity: Validity::default(), bearer: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validity_gets_simpler_only_when_it_is_named() {
        let mut v = Validity::Life;
        v = v.after(Reason::Cms(38));
        assert_eq!(v, Validity::Life);
        v = v.after(Reason::Cms(199));
        assert_eq!(v, Validity::Hour);
        v = v.after(Reason::Cms(198));
        assert_eq!(v, Validity::None);
        assert_eq!(v.after(Reason::Cms(198)), Validity::None);
    }

    fn empty() -> ModelTraits {
        ModelTraits::new(ModelName { manufacturer: "ACME".into(), model: "one".into(), revision: "1".into() })
    }

    #[test]
    fn a_send_time_that_wavers_is_no_news() {
        let taking = |ms| ModelTraits { send_time: Some(Duration::from_millis(ms)), ..empty() };
        let known = empty().with(&taking(2000));
        assert_eq!(known, taking(2000));
        for (seen, kept) in [(1700, 2000), (2400, 2000), (9000, 2000), (1500, 1500)] {
            assert_eq!(known.with(&taking(seen)), taking(kept), "{seen}");
        }
        assert_eq!(known.with(&empty()), known);
    }

    #[test]
    fn whichever_modem_speaks_last_the_same_is_known() {
        let pause = |ms, settled| ModelTraits {
            prompt_delay: Some(Duration::from_millis(ms)),
            prompt_delay_settled: settled,
            ..empty()
        };
        for (one, other, both) in [
            (empty(), pause(12, true), pause(12, true)),
            (pause(12, false), pause(6, false), pause(6, false)),
            (pause(12, true), pause(6, false), pause(12, true)),
            (pause(6, true), pause(12, true), pause(12, true)),
        ] {
            assert_eq!((one.with(&other), other.with(&one)), (both.clone(), both));
        }
        let one = ModelTraits { lists_hang: true, report_form: Some([2, 1, 0, 1, 0]), ..empty() };
        let other = ModelTraits { acknowledged: true, ..pause(6, false) };
        let both = one.with(&other);
        assert_eq!(both, other.with(&one));
        assert_eq!((both.with(&one), both.with(&other)), (both.clone(), both));
    }
}
