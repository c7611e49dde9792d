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
    /// From a PDU to its result.
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

    /// Whether `self` says anything that `known` does not. A send time wavers: a quarter more or less is no news.
    pub fn is_news_to(&self, known: Option<&Self>) -> bool {
        let Some(known) = known else { return *self != Self::new(self.name.clone()) };
        let near = match (self.send_time, known.send_time) {
            (Some(now), Some(before)) => now.abs_diff(before) * 4 <= before,
            (now, before) => now == before,
        };
        !near || Self { send_time: None, ..self.clone() } != Self { send_time: None, ..known.clone() }
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

    #[test]
    fn a_send_time_that_wavers_is_no_news() {
        let name = ModelName { manufacturer: "ACME".into(), model: "one".into(), revision: "1".into() };
        let empty = ModelTraits::new(name);
        let taking = |ms| ModelTraits { send_time: Some(Duration::from_millis(ms)), ..empty.clone() };
        assert!(!empty.is_news_to(None), "nothing is not worth keeping");
        assert!(taking(2000).is_news_to(None) && taking(2000).is_news_to(Some(&empty)));
        assert!(!taking(2400).is_news_to(Some(&taking(2000))));
        assert!(taking(2600).is_news_to(Some(&taking(2000))));
        let hangs = ModelTraits { lists_hang: true, ..taking(2000) };
        assert!(hangs.is_news_to(Some(&taking(2000))));
    }
}
