//! Which modem and which SIM card is at which port, as all drivers of a box know it: no modem is taken for two, and no two for
//! one.
//!
//! A modem is its IMEI. Where two ports tell the same one, they are of one modem if they are of one USB device: the later of
//! them is spare. On different devices the IMEI is worth nothing (cheap modems are sold with the same one by the thousand), so
//! each is known by its place, as is a modem that tells none. That is decided anew whenever another one is named: whoever was
//! there first is not believed longer than the second.

use crate::domain::equipment::{Imei, SimCard};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

/// Shared by all drivers of a box.
#[derive(Clone, Debug, Default)]
pub struct Census(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    here: BTreeMap<usize, Entry>,
    /// Told by several devices.
    worthless: BTreeSet<Imei>,
}

#[derive(Debug)]
struct Entry {
    told: Option<Imei>,
    place: Place,
    sim_card: Option<SimCard>,
}

/// Where a port is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The port's name.
    pub port: String,
    /// Its device and its interface on the USB, by the way they are plugged in; `None` where there is no USB.
    pub usb: Option<(String, String)>,
}

impl Place {
    /// What stands in for the IMEI of a modem here.
    pub fn stand_in(&self) -> Imei {
        Imei::stand_in(self.usb.as_ref().map_or(&self.port, |(_, interface)| interface))
    }

    fn is_of_one_device_with(&self, other: &Self) -> bool {
        let device = |place: &Self| place.usb.as_ref().map(|(device, _)| device.clone());
        device(self).is_some() && device(self) == device(other)
    }
}

/// Who is at a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// The modem of this IMEI.
    Known(Imei),
    /// A modem that is known by its place; the doubt in words.
    Doubtful(Imei, &'static str),
    /// The modem of another port, which this is.
    Spare(String),
}

impl Who {
    /// What names the modem, unless the port is spare.
    pub fn key(&self) -> Option<&Imei> {
        match self {
            Self::Known(key) | Self::Doubtful(key, _) => Some(key),
            Self::Spare(_) => None,
        }
    }
}

impl Census {
    /// The modem of this slot has told its IMEI, or has none that is valid. A spare port is not counted in.
    pub fn named(&self, slot: usize, told: Option<Imei>, place: Place) -> Who {
        let mut state = self.lock();
        state.here.remove(&slot);
        let twins = state.here.values().filter(|other| told.is_some() && other.told == told);
        let (same, different): (Vec<_>, Vec<_>) = twins.partition(|other| other.place.is_of_one_device_with(&place));
        if let Some(first) = same.first() {
            return Who::Spare(first.place.port.clone());
        }
        if !different.is_empty() {
            state.worthless.extend(told.clone());
        }
        let entry = Entry { told, place, sim_card: None };
        let who = state.who(&entry);
        state.here.insert(slot, entry);
        who
    }

    /// Who is in this slot by now.
    pub fn who(&self, slot: usize) -> Option<Who> {
        let state = self.lock();
        state.here.get(&slot).map(|entry| state.who(entry))
    }

    /// This SIM card is in the modem of this slot. Gives the modems that tell the same one at the same time.
    pub fn has_card(&self, slot: usize, sim_card: &SimCard) -> Vec<Imei> {
        let mut state = self.lock();
        if let Some(entry) = state.here.get_mut(&slot) {
            entry.sim_card = Some(sim_card.clone());
        }
        let others =
            state.here.iter().filter(|(other, entry)| **other != slot && entry.sim_card.as_ref() == Some(sim_card));
        others.filter_map(|(_, entry)| state.who(entry).key().cloned()).collect()
    }

    /// Whether a modem is at this port.
    pub fn is_at(&self, port: &str) -> bool {
        self.lock().here.values().any(|entry| entry.place.port == port)
    }

    /// The modem of this slot is gone, or given up.
    pub fn has_left(&self, slot: usize) {
        self.lock().here.remove(&slot);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }
}

impl State {
    fn who(&self, entry: &Entry) -> Who {
        match &entry.told {
            Some(imei) if self.worthless.contains(imei) => Who::Doubtful(entry.place.stand_in(), TWICE),
            Some(imei) => Who::Known(imei.clone()),
            None => Who::Doubtful(entry.place.stand_in(), NONE),
        }
    }
}

const TWICE: &str =
    "Its IMEI is told by another modem as well, so it is known by its place instead: leave it plugged in where it is";
const NONE: &str = "It tells no valid IMEI, so it is known by its place instead: leave it plugged in where it is";

#[cfg(test)]
mod tests {
    use super::*;

    fn at(port: &str, device: &str, interface: &str) -> Place {
        Place { port: port.to_owned(), usb: Some((device.to_owned(), format!("{device}:{interface}"))) }
    }

    fn imei(n: u8) -> Option<Imei> {
        Some(Imei::new(format!("00101700000000{n}")))
    }

    #[test]
    fn l1_two_ports_of_one_device_are_one_modem_and_the_later_one_is_spare() {
        let census = Census::default();
        assert_eq!(census.named(0, imei(1), at("a", "1-1", "1.2")), Who::Known(imei(1).unwrap()));
        assert_eq!(census.named(1, imei(1), at("b", "1-1", "1.3")), Who::Spare("a".into()));
        assert_eq!(census.who(1), None);
        assert_eq!(census.who(0), Some(Who::Known(imei(1).unwrap())));
        census.has_left(0);
        assert!(!census.is_at("a"));
        assert_eq!(census.named(1, imei(1), at("b", "1-1", "1.3")), Who::Known(imei(1).unwrap()));
    }

    #[test]
    fn l1_the_same_imei_on_different_devices_is_neithers() {
        let census = Census::default();
        let (a, b) = (at("a", "1-1", "1.2"), at("b", "1-2", "1.2"));
        assert_eq!(census.named(0, imei(1), a.clone()), Who::Known(imei(1).unwrap()));
        assert_eq!(census.named(1, imei(1), b.clone()), Who::Doubtful(b.stand_in(), TWICE));
        assert_eq!(census.who(0), Some(Who::Doubtful(a.stand_in(), TWICE)));
        assert_ne!(a.stand_in(), b.stand_in());
        census.has_left(1);
        assert_eq!(census.who(0), Some(Who::Doubtful(a.stand_in(), TWICE)), "nor later");
    }

    #[test]
    fn l1_who_tells_none_is_known_by_its_place_whatever_its_port_is_called() {
        let census = Census::default();
        let who = census.named(0, None, at("a", "1-1", "1.2"));
        assert_eq!(census.named(0, None, at("z", "1-1", "1.2")), who);
        assert_ne!(census.named(1, None, at("b", "1-1", "1.3")), who, "never merged");
        let uart = |port: &str| Place { port: port.to_owned(), usb: None };
        assert_ne!(uart("/dev/ttyS0").stand_in(), uart("/dev/ttyS1").stand_in());
    }

    #[test]
    fn l12_a_card_that_two_modems_tell_is_noticed() {
        let census = Census::default();
        let card = SimCard::new("8901");
        for slot in 0..2 {
            census.named(slot, imei(slot as u8), at(&slot.to_string(), &slot.to_string(), "1.0"));
        }
        assert_eq!(census.has_card(0, &card), []);
        assert_eq!(census.has_card(0, &card), [], "not itself");
        assert_eq!(census.has_card(1, &card), [imei(0).unwrap()]);
        census.has_left(0);
        assert_eq!(census.has_card(1, &card), []);
    }
}
