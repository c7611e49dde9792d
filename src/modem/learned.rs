//! What was found out while sending, for all drivers: about models, whichever modem it is, and about SIM cards,
//! whichever modem they are in. The store keeps it for the next start.

use crate::domain::equipment::SimCard;
use crate::domain::learned::{Lesson, ModelName, ModelTraits, SimCardTraits, Validity};
use crate::domain::reason::Reason;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// What was learned. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Learned(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    models: BTreeMap<ModelName, ModelTraits>,
    sim_cards: BTreeMap<SimCard, SimCardTraits>,
    /// SIM cards of which something is known that is not kept yet.
    unkept: Vec<SimCard>,
}

impl Learned {
    /// As it was kept.
    pub fn from_lessons(lessons: Vec<Lesson>) -> Self {
        let mut known = Known::default();
        for lesson in lessons {
            match lesson {
                Lesson::Model(traits) => drop(known.models.insert(traits.name.clone(), traits)),
                Lesson::SimCard(traits) => drop(known.sim_cards.insert(traits.sim_card.clone(), traits)),
            }
        }
        Self(Arc::new(Mutex::new(known)))
    }

    /// How the validity period is given to the network over this SIM card.
    pub fn validity(&self, sim_card: &SimCard) -> Validity {
        self.sim_card(sim_card).map(|traits| traits.validity).unwrap_or_default()
    }

    /// Takes a refusal in: the network behind this SIM card may want the validity period otherwise.
    pub fn refused(&self, sim_card: &SimCard, reason: Reason) {
        let traits = self.sim_card(sim_card).unwrap_or_else(|| SimCardTraits::new(sim_card.clone()));
        let validity = traits.validity.after(reason);
        self.note_sim_card(SimCardTraits { validity, ..traits });
    }

    /// The values of `AT+CGSMS` with which messages go, by SIM card.
    pub fn bearers(&self) -> BTreeMap<SimCard, u8> {
        let known = self.lock();
        known.sim_cards.values().filter_map(|it| Some((it.sim_card.clone(), it.bearer?))).collect()
    }

    /// Takes in with which value of `AT+CGSMS` the messages of a SIM card go.
    pub fn goes_over(&self, sim_card: &SimCard, bearer: u8) {
        let traits = self.sim_card(sim_card).unwrap_or_else(|| SimCardTraits::new(sim_card.clone()));
        self.note_sim_card(SimCardTraits { bearer: Some(bearer), ..traits });
    }

    /// What is known of a SIM card.
    pub fn sim_card(&self, sim_card: &SimCard) -> Option<SimCardTraits> {
        self.lock().sim_cards.get(sim_card).cloned()
    }

    /// What is known of a model.
    pub fn model(&self, name: &ModelName) -> Option<ModelTraits> {
        self.lock().models.get(name).cloned()
    }

    /// Takes in what a modem was seen to do, and gives what is worth keeping on disk: of it, and of SIM cards.
    pub fn take(&self, traits: Option<ModelTraits>) -> Vec<Lesson> {
        let mut known = self.lock();
        let mut lessons = Vec::new();
        if let Some(seen) = traits {
            let before = known.models.get(&seen.name).cloned().unwrap_or_else(|| ModelTraits::new(seen.name.clone()));
            let traits = before.with(&seen);
            if traits != before {
                known.models.insert(traits.name.clone(), traits.clone());
                lessons.push(Lesson::Model(traits));
            }
        }
        for sim_card in std::mem::take(&mut known.unkept) {
            lessons.extend(known.sim_cards.get(&sim_card).cloned().map(Lesson::SimCard));
        }
        lessons
    }

    fn note_sim_card(&self, traits: SimCardTraits) {
        let mut known = self.lock();
        let before = known.sim_cards.get(&traits.sim_card).cloned();
        if traits != before.unwrap_or_else(|| SimCardTraits::new(traits.sim_card.clone())) {
            if !known.unkept.contains(&traits.sim_card) {
                known.unkept.push(traits.sim_card.clone());
            }
            known.sim_cards.insert(traits.sim_card.clone(), traits);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn each_sim_card_has_its_own_network() {
        let (one, other) = (SimCard::new("8901"), SimCard::new("8902"));
        let learned = Learned::default();
        learned.clone().refused(&one, Reason::Cms(38));
        assert_eq!((learned.validity(&one), learned.take(None)), (Validity::Life, vec![]));
        learned.clone().refused(&one, Reason::Cms(199));
        assert_eq!((learned.validity(&one), learned.validity(&other)), (Validity::Hour, Validity::Life));
        learned.refused(&one, Reason::Cms(198));
        assert_eq!(learned.validity(&one), Validity::None);
        learned.goes_over(&one, 1);
        let lessons = learned.take(None);
        assert_eq!(
            lessons,
            [Lesson::SimCard(SimCardTraits { sim_card: one.clone(), validity: Validity::None, bearer: Some(1) })]
        );
        assert!(learned.take(None).is_empty(), "what is kept is kept once");
        let again = Learned::from_lessons(lessons);
        assert_eq!((again.validity(&one), again.bearers()), (Validity::None, BTreeMap::from([(one, 1)])));
    }

    #[test]
    fn what_one_modem_was_seen_to_do_its_sisters_do() {
        let name =
            |revision: &str| ModelName { manufacturer: "ACME".into(), model: "one".into(), revision: revision.into() };
        let learned = Learned::default();
        let traits = ModelTraits { prompt_delay: Some(Duration::from_millis(12)), ..ModelTraits::new(name("1")) };
        assert_eq!(learned.take(Some(traits.clone())), [Lesson::Model(traits.clone())]);
        assert!(learned.take(Some(traits.clone())).is_empty());
        assert_eq!(learned.model(&name("1")), Some(traits));
        assert_eq!(learned.model(&name("2")), None, "another firmware may do otherwise");
    }

    #[test]
    fn two_modems_of_one_model_do_not_unlearn_what_the_other_knows() {
        let name = ModelName { manufacturer: "ACME".into(), model: "one".into(), revision: "1".into() };
        let idle = ModelTraits { lists_hang: true, ..ModelTraits::new(name.clone()) };
        let busy = ModelTraits {
            prompt_delay: Some(Duration::from_millis(12)),
            prompt_delay_settled: true,
            send_time: Some(Duration::from_secs(2)),
            ..ModelTraits::new(name.clone())
        };
        let both = ModelTraits { lists_hang: true, ..busy.clone() };
        let learned = Learned::default();
        assert_eq!(learned.take(Some(idle.clone())), [Lesson::Model(idle.clone())]);
        assert_eq!(learned.take(Some(busy.clone())), [Lesson::Model(both.clone())]);
        for _ in 0..3 {
            assert!(learned.take(Some(idle.clone())).is_empty() && learned.take(Some(busy.clone())).is_empty());
        }
        assert_eq!(learned.model(&name), Some(both));
    }
}
