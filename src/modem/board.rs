//! What is known of each modem, for `GET /v1/modems`, readiness and the log. Written by the drivers, read by anyone.

use crate::domain::equipment::{Imei, SimCard};
use crate::domain::learned::{ModelTraits, SimCardTraits};
use crate::domain::time::Wall;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// What is known of one modem.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModemView {
    /// Its IMEI, once read.
    pub imei: Option<Imei>,
    /// The ICCID of its SIM card, once read.
    pub sim_card: Option<SimCard>,
    /// What stands in for its IMEI where that is not known.
    pub stand_in: Option<Imei>,
    /// Where it is plugged in, as configured: a hint for the person at the box, no identity.
    pub port: String,
    /// `+CGMI`.
    pub manufacturer: Option<String>,
    /// `+CGMM`.
    pub model: Option<String>,
    /// `+CGMR`.
    pub revision: Option<String>,
    /// What it is doing.
    pub state: ModemState,
    /// Why it is not ready, or what to do about it; in words.
    pub reason: Option<String>,
    /// Features that it does not have, in words; sending goes on without them.
    pub degraded: Vec<String>,
    /// `+COPS`: the network's name.
    pub operator: Option<String>,
    /// Registration in words, from `+CREG`, `+CGREG` and `+CEREG`.
    pub registration: Option<String>,
    /// Radio access technology, from `+COPS`.
    pub technology: Option<&'static str>,
    /// Registered in a way over which messages may not go: another modem is to be preferred.
    pub doubtful: bool,
    /// The name of the row of quirks that holds for it.
    pub quirks: &'static str,
    /// Signal in dBm, from `+CSQ`.
    pub signal_dbm: Option<i16>,
    /// What it was seen to do, if that is remembered of its model.
    pub traits: Option<ModelTraits>,
    /// What was seen of its SIM card.
    pub card_traits: Option<SimCardTraits>,
    /// The SIM card's balance, as the network told it last.
    pub balance: Option<String>,
    /// Parts that the network took since otpgate started.
    pub accepted: u64,
    /// Parts that were refused since otpgate started.
    pub refused: u64,
    /// Parts whose end was not known since otpgate started, settled or not.
    pub uncertain: u64,
    /// Messages, or parts of them, that came in since otpgate started.
    pub received: u64,
    /// Calls that were rejected since otpgate started.
    pub calls_rejected: u64,
    /// How often the port was opened since otpgate started.
    pub opened: u64,
    /// When the state last changed.
    pub since: Wall,
    /// Where it stands on the ladder, if it is being brought back.
    pub recovery: Option<RecoveryView>,
    /// Of each rung that was ever tried with this model: its word, how often it was tried, how often the modem was well
    /// after it.
    pub rungs: Vec<(&'static str, u32, u32)>,
}

impl ModemView {
    /// What names it: its IMEI, or what stands in for it as long as that is not known.
    pub fn id(&self) -> Imei {
        self.imei.clone().or_else(|| self.stand_in.clone()).unwrap_or_else(|| Imei::stand_in(&self.port))
    }
}

/// Where a modem stands on the ladder that brings it back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveryView {
    /// The rung: `set_up`, `reopen`, `radio`, `restart`, `usb_reset`, `quarantine`.
    pub rung: &'static str,
    /// Since when.
    pub since: Wall,
    /// When something is done next, if that is known.
    pub next_at: Option<Wall>,
    /// Rungs taken in this climb.
    pub attempts: u32,
    /// What is wrong, and the remedy.
    pub reason: String,
}

/// What a modem is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ModemState {
    /// Its port is not open.
    #[default]
    Closed,
    /// It is being made ready.
    Starting,
    /// It can send.
    Ready,
    /// A message is on the air.
    Sending,
    /// It asks the network for something. A message that waits ends that.
    Asking,
    /// It answers, but can't send now: no network, no SIM card.
    Waiting,
    /// Its SIM card asks for its PIN, and there is none that may be typed: a person's to mend.
    SimPinRequired,
    /// It is being brought back.
    Recovering,
    /// Nothing brought it back; it is left alone, and tried again now and then.
    Quarantined,
}

impl ModemState {
    /// The word that the API shows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Sending => "sending",
            Self::Asking => "asking",
            Self::Waiting => "waiting",
            Self::SimPinRequired => "sim_pin_required",
            Self::Recovering => "recovering",
            Self::Quarantined => "quarantined",
        }
    }

    /// Whether it can send, now or after what it does.
    pub fn is_ready(self) -> bool {
        matches!(self, Self::Ready | Self::Sending | Self::Asking)
    }
}

/// All modems, by their slot in the configuration.
#[derive(Clone, Debug, Default)]
pub struct Board(Arc<Mutex<BTreeMap<usize, ModemView>>>);

impl Board {
    /// Changes what is known of one modem.
    pub fn update(&self, slot: usize, change: impl FnOnce(&mut ModemView)) {
        change(self.lock().entry(slot).or_default());
    }

    /// All of them, in the order of the configuration.
    pub fn modems(&self) -> Vec<ModemView> {
        self.lock().values().cloned().collect()
    }

    /// The modem in this slot.
    pub fn modem(&self, slot: usize) -> Option<ModemView> {
        self.lock().get(&slot).cloned()
    }

    /// In which slot the modem with this [`ModemView::id`] is.
    pub fn slot_of(&self, id: &str) -> Option<usize> {
        self.lock().iter().find(|(_, view)| view.id().as_str() == id).map(|(slot, _)| *slot)
    }

    /// Whether any modem can send.
    pub fn any_ready(&self) -> bool {
        self.lock().values().any(|m| m.state.is_ready())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<usize, ModemView>> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }
}
