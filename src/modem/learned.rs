//! What was found out about SIM cards while sending over them, whichever modem they were in.

use crate::dispatch::retry::Validity;
use crate::domain::equipment::SimCard;
use crate::domain::reason::Reason;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// What was learned, for all drivers. Of this process only: to learn it anew costs one refusal, of which nothing was sent.
#[derive(Clone, Debug, Default)]
pub struct Learned(Arc<Mutex<BTreeMap<SimCard, Validity>>>);

impl Learned {
    /// How the validity period is given to the network over this SIM card.
    pub fn validity(&self, sim_card: &SimCard) -> Validity {
        self.lock().get(sim_card).copied().unwrap_or_default()
    }

    /// Takes a refusal in: the network behind this SIM card may want the validity period otherwise.
    pub fn refused(&self, sim_card: &SimCard, reason: Reason) {
        let mut all = self.lock();
        let known = all.get(sim_card).copied().unwrap_or_default();
        let next = known.after(reason);
        if next != known {
            all.insert(sim_card.clone(), next);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<SimCard, Validity>> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sim_card_has_its_own_network() {
        let (one, other) = (SimCard::new("8901"), SimCard::new("8902"));
        let learned = Learned::default();
        learned.clone().refused(&one, Reason::Cms(38));
        assert_eq!(learned.validity(&one), Validity::Life);
        learned.clone().refused(&one, Reason::Cms(199));
        assert_eq!((learned.validity(&one), learned.validity(&other)), (Validity::Hour, Validity::Life));
        learned.refused(&one, Reason::Cms(198));
        assert_eq!(learned.validity(&one), Validity::None);
    }
}
