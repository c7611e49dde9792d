//! Whether messages can be sent, by what the three registrations say (27.007 §7.2, §10.1.20, §10.1.22).

use super::{Known, LONGEST_NAME, Next};
use crate::at::Reply;
use crate::at::response;

impl Known {
    /// Whether a message can be sent, and in words how: circuit switched (home, roaming, or for messages only) or over
    /// IMS; failing that packet or EPS registration, which is worth a try. `None` if no registration is usable, or it is
    /// that of a foreign network that the SIM card must not use.
    pub(in crate::modem) fn registration(&self) -> Option<&'static str> {
        if self.may_not_roam() || self.is_distrusted() {
            return None;
        }
        match self.circuit {
            Some(1 | 9) => Some("registered at home"),
            Some(5 | 10) => Some("registered, roaming"),
            Some(6) => Some("registered at home, for messages only"),
            Some(7) => Some("registered, roaming, for messages only"),
            _ if self.data_only() && self.ims == Some(true) => Some("registered with IMS"),
            _ if self.data_only() => Some("registered for data only; messages may fail"),
            _ => None,
        }
    }

    /// Whether it is registered in a way over which messages may or may not go.
    pub(in crate::modem) fn is_doubtful(&self) -> bool {
        self.registration().is_some() && self.data_only() && self.ims != Some(true)
    }

    /// Whether the network has refused the SIM card, and none has taken it.
    pub(in crate::modem) fn is_denied(&self) -> bool {
        self.circuit == Some(3) && !self.data_only()
    }

    /// Messages to several numbers failed over a doubtful registration: it counts for none until it changes.
    pub(in crate::modem) fn distrust(&mut self) {
        if self.is_doubtful() {
            self.distrusted = Some([self.circuit, self.packet, self.eps]);
        }
    }

    fn is_distrusted(&self) -> bool {
        self.distrusted == Some([self.circuit, self.packet, self.eps]) && self.ims != Some(true)
    }

    /// Only a packet or EPS registration is usable.
    fn data_only(&self) -> bool {
        !is_usable(self.circuit) && (is_usable(self.eps) || is_usable(self.packet))
    }

    /// Whether it is registered, and in a foreign network that its SIM card must not use: a person's matter.
    pub(in crate::modem) fn may_not_roam(&self) -> bool {
        self.is_roaming() && !self.may_roam()
    }

    fn is_roaming(&self) -> bool {
        let abroad = |state: Option<u8>| matches!(state, Some(5 | 7 | 10));
        match self.circuit {
            state if is_usable(state) => abroad(state),
            // Where one of the two is at home, so is the SIM card.
            _ => {
                let used = [self.eps, self.packet].into_iter().filter(|state| is_usable(*state));
                let mut used = used.peekable();
                used.peek().is_some() && used.all(abroad)
            }
        }
    }

    fn may_roam(&self) -> bool {
        self.card_settings().is_some_and(|card| card.allow_roaming)
    }

    /// Why it is not registered, in words.
    pub(in crate::modem) fn unregistered(&self) -> &'static str {
        match self.circuit {
            _ if self.is_roaming() => {
                "it is registered in a foreign network, and its SIM card is not to send there: write allow_roaming = \
                 true into its [[sim_card]] if its plan bears the price"
            }
            _ if self.is_distrusted() => {
                "it is registered for data only, and messages to several numbers failed: ask the operator for SMS over \
                 SGs or IMS with this device; it is tried again when its registration changes"
            }
            Some(2) => "it is looking for a network; check antenna and place",
            Some(3) => "the network refused the SIM card: blocked, unpaid, or not allowed to roam here",
            Some(8) => "the network allows emergency calls only",
            Some(11) => "it is attached for emergency services only",
            _ => "it is not registered with a network; check SIM card, antenna and place",
        }
    }

    /// What is to be done about a registration that is not what it should be, in words.
    pub(in crate::modem) fn advice(&self) -> Option<&'static str> {
        self.is_doubtful().then_some(DATA_ONLY)
    }

    /// Whether it is on LTE, or newer, and the circuit-switched side has not taken it: then messages need SGs or IMS.
    pub(in crate::modem) fn is_lte_only(&self) -> bool {
        self.technology.is_some_and(|it| it >= E_UTRAN) || self.data_only() && is_usable(self.eps)
    }

    /// The radio access technology in words (27.007 §7.3).
    pub(in crate::modem) fn technology(&self) -> Option<&'static str> {
        Some(match self.technology? {
            0 | 1 | 3 => "GSM",
            2 | 4..=6 => "UMTS",
            7..=9 => "LTE",
            _ => "5G",
        })
    }
}

fn is_usable(state: Option<u8>) -> bool {
    matches!(state, Some(1 | 5 | 6 | 7 | 9 | 10))
}

fn state(reply: &Reply) -> Option<u8> {
    reply.first().and_then(response::registration).map(|r| r.status)
}

pub(super) fn take_circuit(known: &mut Known, reply: &Reply) -> Next {
    known.circuit = state(reply);
    Next::Step
}

pub(super) fn take_packet(known: &mut Known, reply: &Reply) -> Next {
    known.packet = state(reply);
    Next::Step
}

pub(super) fn take_eps(known: &mut Known, reply: &Reply) -> Next {
    known.eps = state(reply);
    Next::Step
}

pub(super) fn take_ims(known: &mut Known, reply: &Reply) -> Next {
    if let (Some(query), Some(line)) = (known.quirks.ims, reply.first()) {
        known.ims = response::number_at(line, query.field).map(|n| n == 1);
    }
    Next::Step
}

pub(super) fn take_operator(known: &mut Known, reply: &Reply) -> Next {
    let operator = reply.first().and_then(response::operator);
    known.is_selected_by_hand = operator.as_ref().is_some_and(|o| o.mode == BY_HAND);
    known.technology = operator.as_ref().and_then(|o| o.technology);
    known.operator = operator.and_then(|o| o.name).map(|n| n.chars().take(LONGEST_NAME).collect());
    Next::Step
}

pub(super) fn take_signal(known: &mut Known, reply: &Reply) -> Next {
    let rssi = reply.first().and_then(response::signal).and_then(|s| s.rssi);
    known.signal_dbm = rssi.map(|n| -113 + 2 * i16::from(n));
    Next::Step
}

const E_UTRAN: u8 = 7;
/// `<mode>` of `AT+COPS` (27.007 §7.3).
const BY_HAND: u8 = 1;
const DATA_ONLY: &str = "it is registered for data only: over LTE messages need SGs or IMS, so ask the operator whether \
                         this device may send them, switch IMS on in the modem, or use it where there is 2G or 3G";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SimCardConfig;
    use crate::domain::equipment::SimCard;

    fn known(circuit: Option<u8>, packet: Option<u8>, eps: Option<u8>) -> Known {
        Known { circuit, packet, eps, ..Known::default() }
    }

    /// It may roam.
    fn free(known: Known) -> Known {
        let iccid = SimCard::new("8901");
        let card = SimCardConfig { allow_roaming: true, ..SimCardConfig::new(iccid.clone()) };
        Known { sim_card: Some(iccid), cards: [card].into(), ..known }
    }

    #[test]
    fn l6_circuit_switched_registration_counts_first() {
        let rows = [
            (known(Some(1), None, None), true, false),
            (known(Some(6), None, None), true, false),
            (known(Some(9), None, None), true, false),
            (known(Some(0), Some(1), None), true, true),
            (known(Some(3), None, Some(1)), true, true),
            (known(Some(1), Some(0), Some(0)), true, false),
            (Known { ims: Some(true), ..known(Some(0), None, Some(1)) }, true, false),
            (Known { ims: Some(false), ..known(Some(0), None, Some(1)) }, true, true),
            (known(Some(0), Some(0), Some(0)), false, false),
            (known(Some(2), None, None), false, false),
            (known(Some(3), None, None), false, false),
            (known(Some(4), None, None), false, false),
            (known(Some(8), None, None), false, false),
            (known(Some(11), None, Some(11)), false, false),
            (known(None, None, None), false, false),
        ];
        for (known, usable, doubtful) in rows {
            assert_eq!((known.registration().is_some(), known.is_doubtful()), (usable, doubtful), "{known:?}");
        }
        assert!(known(Some(3), Some(3), Some(0)).is_denied());
        assert!(!known(Some(3), None, Some(1)).is_denied());
    }

    #[test]
    fn l6_a_doubtful_registration_that_failed_counts_for_none_until_it_changes() {
        let mut data_only = known(Some(0), Some(0), Some(1));
        data_only.distrust();
        assert_eq!(data_only.registration(), None);
        assert!(data_only.unregistered().contains("several numbers"));
        data_only.packet = Some(1);
        assert!(data_only.registration().is_some());
        let mut home = known(Some(1), Some(0), Some(1));
        home.distrust();
        assert!(home.registration().is_some(), "there is nothing doubtful about it");
    }

    #[test]
    fn l15_a_foreign_network_only_where_the_card_may() {
        let abroad = [(Some(5), None, None), (Some(7), None, None), (Some(10), None, None), (Some(0), Some(5), None)];
        for (circuit, packet, eps) in abroad {
            let known = known(circuit, packet, eps);
            assert_eq!(known.registration(), None, "{known:?}");
            assert!(known.unregistered().contains("allow_roaming = true"), "{known:?}");
            assert!(free(known.clone()).registration().is_some(), "{known:?}");
        }
        let home = known(Some(1), Some(5), Some(5));
        assert!(home.registration().is_some(), "the circuit-switched side says where it is");
        let mixed = known(Some(0), Some(5), Some(1));
        assert!(mixed.registration().is_some() && mixed.is_doubtful(), "LTE at home, an old answer for packets");
    }
}
