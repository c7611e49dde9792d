//! The canaries of the SIM cards: sent when they are due, watched, and found again when they come in. All of it in memory: a
//! restart forgets what the last ones came to, and one that was out then raises no alarm.

use super::engine::Engine;
use super::index::Timer;
use super::{Asked, Body, CanaryView, NewMessage, SimCardView};
use crate::dispatch::canary::{self, Canary, Change, Due, Round, Verdict, Went};
use crate::domain::equipment::{Imei, SimCard};
use crate::domain::event::{EventKind, NewEvent};
use crate::domain::id::{ClientId, MessageId};
use crate::domain::inbound::Inbound;
use crate::domain::message::{CANARY, Message, OnUncertain, Priority, State};
use crate::domain::msisdn::Msisdn;
use crate::domain::secret::Secret;
use crate::domain::time::Now;
use std::collections::BTreeMap;
use std::time::Duration;

/// The canaries. None, if they are off.
#[derive(Default)]
pub(super) struct Canaries {
    cards: Vec<Card>,
    within: Duration,
    sent: u64,
}

/// One SIM card's.
struct Card {
    sim_card: SimCard,
    number: Msisdn,
    canary: Canary,
    /// The last one, and its word.
    message: Option<MessageId>,
    word: String,
}

impl Engine {
    /// From now on each of these SIM cards has one this often.
    pub(super) fn set_canaries(&mut self, every: Duration, within: Duration, cards: Vec<(SimCard, Msisdn)>, now: &Now) {
        let of = cards.len() as u32;
        self.canaries = Canaries { within, ..Canaries::default() };
        for (place, (sim_card, number)) in (0..of).zip(cards) {
            let canary = Canary::new(Round { every, within, place, of }, self.random_of_canary()[0], now);
            self.index.set_timer(Timer::Canary(place), canary.wakes());
            self.canaries.cards.push(Card { sim_card, number, canary, message: None, word: String::new() });
        }
    }

    /// A canary's timer has come.
    pub(super) fn canary_due(&mut self, place: u32, now: &Now) {
        let random = self.random_of_canary();
        let can_store = self.refuse_new().is_ok() && !self.is_clock_held();
        let Some(card) = self.canaries.cards.get_mut(place as usize) else {
            return self.index.clear_timer(Timer::Canary(place));
        };
        let able = can_store && self.index.sim_cards.is_in_service(&card.sim_card);
        match card.canary.look(able, random[0], now) {
            Due::Nothing => {}
            Due::Send => self.send_canary(place, random, now),
            Due::Failed(change) => self.canary_changed(place, change, now),
        }
        self.wake_canary(place);
    }

    /// Something has become of a message that is a canary.
    pub(super) fn canary_went(&mut self, message: &Message, now: &Now) {
        let mut cards = self.canaries.cards.iter_mut();
        let Some(place) = cards.position(|card| card.message == Some(message.id)) else { return };
        let went = match message.state {
            State::Queued { .. } | State::Submitting => Went::Waits,
            State::Submitted { .. } | State::Delivered => Went::Out { taken: true },
            State::Uncertain { .. } => Went::Out { taken: false },
            // What no modem has even begun only found no room in time.
            State::Expired(_) if message.attempts.is_empty() => Went::Dropped,
            State::Undelivered(reason) | State::Failed(reason) | State::Expired(reason) => Went::Refused(reason),
            State::Canceled(_) => Went::Dropped,
        };
        let place = place as u32;
        if let Some(change) = self.canaries.cards[place as usize].canary.went(went, now) {
            self.canary_changed(place, change, now);
        }
        self.wake_canary(place);
    }

    /// Whether a message that came in is a SIM card's canary, be it one of before a restart; if it is the last one, it has
    /// passed.
    pub(super) fn takes_canary(&mut self, message: &Inbound, now: &Now) -> bool {
        let Some(place) = self.canaries.cards.iter().position(|card| card.sim_card == message.sim_card) else {
            return false;
        };
        let Some(text) = self.text_of_inbound(message) else { return false };
        let Some(word) = canary::word_in(text.reveal()) else { return false };
        let card = &mut self.canaries.cards[place];
        if word != card.word {
            // Nobody else has this number.
            return message.from.as_ref().is_some_and(|from| card.number.ends_like(from.reveal()));
        }
        if let Some(change) = card.canary.came_in(now) {
            self.canary_changed(place as u32, change, now);
        }
        self.wake_canary(place as u32);
        true
    }

    /// What is shown of each SIM card.
    pub(super) fn sim_card_views(&mut self, now: &Now) -> BTreeMap<SimCard, SimCardView> {
        let mut views = self.index.sim_cards.view(now);
        for card in &self.canaries.cards {
            if let Some(view) = views.get_mut(&card.sim_card) {
                let verdict = card.canary.verdict();
                let why = match verdict {
                    Some(Verdict::Failed { how, .. }) => Some(how.sentence(self.canaries.within)),
                    _ => None,
                };
                view.canary = Some(CanaryView { verdict, why, next: now.wall + (card.canary.next() - now.mono) });
            }
        }
        views
    }

    fn send_canary(&mut self, place: u32, random: [u8; 16], now: &Now) {
        let mut unique = [0; 10];
        unique.copy_from_slice(&random[6..]);
        let mut letters = [0; 6];
        letters.copy_from_slice(&random[..6]);
        let card = &mut self.canaries.cards[place as usize];
        card.word = canary::word(letters);
        let id = MessageId::new(now.wall, unique);
        card.message = Some(id);
        let sim_card = card.sim_card.clone();
        let message = NewMessage {
            id,
            client: ClientId::GATEWAY,
            to: card.number.clone(),
            body: Body::Text(Secret::new(canary::text(&card.word))),
            parts: 1,
            priority: Priority::Normal,
            flash: false,
            send_at: None,
            deadline: now.after(self.canaries.within),
            on_uncertain: OnUncertain::Leave,
            client_reference: Some(CANARY.to_owned()),
            asked: Asked::default(),
        };
        self.take_in_over(Some(sim_card), message, None, now);
    }

    fn canary_changed(&mut self, place: u32, change: Change, now: &Now) {
        let card = &self.canaries.cards[place as usize];
        let (sim_card, message) = (card.sim_card.clone(), card.message);
        let Some(Verdict::Failed { how, .. }) = card.canary.verdict() else {
            tracing::info!(%sim_card, "A message that the SIM card sent to its own number came back again");
            return;
        };
        let sentence = how.sentence(self.canaries.within);
        match change {
            Change::Failed => tracing::error!(%sim_card, "{sentence}"),
            _ => return tracing::warn!(%sim_card, "Again: {sentence}"),
        }
        let modem = message.and_then(|id| self.modem_of(id));
        let about = message.map(|id| id.0);
        self.note(NewEvent { kind: EventKind::CanaryFailed, modem, sim_card: Some(sim_card), sentence, about }, now);
    }

    /// The modem that tried to send a message last.
    fn modem_of(&self, id: MessageId) -> Option<Imei> {
        self.message(id).ok()?.attempts.last().map(|attempt| attempt.modem.clone())
    }

    fn wake_canary(&mut self, place: u32) {
        if let Some(card) = self.canaries.cards.get(place as usize) {
            self.index.set_timer(Timer::Canary(place), card.canary.wakes());
        }
    }

    /// Bytes that nobody can foresee, others each time.
    fn random_of_canary(&mut self) -> [u8; 16] {
        self.canaries.sent += 1;
        self.numbers.fingerprint(&[b"canary", &self.canaries.sent.to_be_bytes()])
    }
}
