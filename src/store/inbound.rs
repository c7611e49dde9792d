//! The journal of what comes in: on disk before the modem's copy goes, and put together from its parts.
//!
//! Each PDU is a record of its own, known by SIM card and octets: found again, as after a crash between journal and
//! deletion, it is recognised and not taken for another; so is what the network repeats because nobody acknowledged it. Two
//! messages that are the same to the last octet, the SMSC's time stamp with its second included, count as one, wherever they
//! lay.

use super::engine::Engine;
use super::index::Timer;
use super::keyring::Keyring;
use super::record::{Key, Record};
use super::{InboundQuery, InboundView, Journaled, NewInbound, Page, StoreError};
use crate::domain::equipment::SimCard;
use crate::domain::event::{EventKind, NewEvent};
use crate::domain::id::InboundId;
use crate::domain::inbound::{
    Concatenation, Inbound, InboundPart, InboundState, Keyword, MOST_PARTS, PARTS_WITHIN, masked,
};
use crate::domain::msisdn::Msisdn;
use crate::domain::secret::Secret;
use crate::domain::time::{Now, Wall};
use crate::numbers::{self, Region};
use crate::sms::inbound as sms;
use crate::sms::pdu::{Decoded, Deliver, SmscField, Ton, Tpdu, decode_hex};
use std::collections::BTreeMap;
use std::time::Duration;

/// One PDU as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptPdu {
    /// The message that it is a part of.
    pub message: InboundId,
    /// The SIM card that it was sent to.
    pub sim_card: SimCard,
    /// Its octets in hexadecimal, the service centre's field first.
    pub pdu: Secret,
}

/// What came in, in memory: what lists are made from, and what waits for its parts.
#[derive(Default)]
pub(super) struct InboundLog {
    lines: BTreeMap<u64, Line>,
    places: BTreeMap<InboundId, u64>,
    waiting: BTreeMap<Waiting, InboundId>,
    /// The PDUs that are kept, by a hash of this process: those on disk change their key with the master key.
    known: BTreeMap<[u8; 16], InboundId>,
    next: u64,
}

#[derive(Clone, Copy)]
struct Line {
    id: InboundId,
    received: Wall,
    from: [u8; 16],
}

/// Parts with all of this in common belong together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Waiting {
    sim_card: SimCard,
    from: [u8; 16],
    concat: Concatenation,
}

impl InboundLog {
    /// Takes in what a message has become. `from`: the hash of its sender.
    pub(super) fn put(&mut self, message: &Inbound, from: [u8; 16]) {
        self.next = self.next.max(message.sequence + 1);
        let key = message.concat.map(|concat| Waiting { sim_card: message.sim_card.clone(), from, concat });
        if let (Some(key), InboundState::Waiting { .. }) = (key.clone(), message.state) {
            self.waiting.insert(key, message.id);
            return;
        }
        if let Some(key) = key
            && self.waiting.get(&key) == Some(&message.id)
        {
            self.waiting.remove(&key);
        }
        self.places.insert(message.id, message.sequence);
        self.lines.insert(message.sequence, Line { id: message.id, received: message.received, from });
    }

    /// Takes in a PDU that is kept. `hash`: that of this process.
    pub(super) fn know(&mut self, hash: [u8; 16], message: InboundId) {
        self.known.insert(hash, message);
    }

    fn next_sequence(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    fn newest_first(&self, before: Option<InboundId>) -> impl Iterator<Item = &Line> {
        // One that is forgotten by now ends the list: those before it are gone, too.
        let end = before.map_or(u64::MAX, |id| self.places.get(&id).copied().unwrap_or(0));
        self.lines.range(..end).rev().map(|(_, line)| line)
    }

    /// Up to so many messages that are too many, or too old.
    fn prune(&mut self, now: Wall, keep: Duration) -> Vec<InboundId> {
        let mut pruned = Vec::new();
        while let Some(first) = self.lines.first_entry()
            && pruned.len() < PRUNED
        {
            let Line { id, received, .. } = *first.get();
            if now - received <= keep && self.lines.len() <= KEPT {
                break;
            }
            self.lines.pop_first();
            self.places.remove(&id);
            pruned.push(id);
        }
        pruned
    }
}

impl Engine {
    /// Journals a PDU that came in.
    pub(super) fn take_inbound(&mut self, new: NewInbound, now: &Now) -> Result<Journaled, StoreError> {
        self.refuse_writes()?;
        let hash = known_by(&self.numbers, &new.sim_card, &new.pdu);
        if let Some(message) = self.inbound.known.get(&hash).copied() {
            return Ok(Journaled { message, is_new: false });
        }
        // With the disk nearly full it is safer where it is.
        self.refuse_new()?;
        let pdu = self.pdu_key(&new);
        let read = sms::read(new.pdu.reveal());
        let part_of = read.as_ref().and_then(concatenation);
        let mut message = match part_of {
            Some((concat, number)) => self.waiting_for(&new, &read, concat, number, now),
            None => self.new_inbound(&new, &read, None, pdu, now),
        };
        message.add(InboundPart { number: part_of.map_or(1, |(_, number)| number), pdu });
        let id = message.id;
        self.inbound.know(hash, id);
        let kept = KeptPdu { message: id, sim_card: new.sim_card, pdu: new.pdu };
        self.put(Key::InboundPdu(pdu), Record::InboundPdu(kept));
        if read.is_none() {
            self.give_out(message, InboundState::Undecodable, now);
        } else if message.is_whole() {
            self.give_out(message, InboundState::Received, now);
        } else {
            self.put_inbound(message, now);
        }
        Ok(Journaled { message: id, is_new: true })
    }

    /// A message's time to wait for its parts may be over.
    pub(super) fn inbound_due(&mut self, id: InboundId, now: &Now) {
        match self.inbound_record(id) {
            Some(message) => match message.state {
                InboundState::Waiting { until } if until.passed(now) => {
                    self.give_out(message, InboundState::Incomplete, now);
                }
                _ => self.put_inbound(message, now),
            },
            None => self.index.clear_timer(Timer::Inbound(id)),
        }
    }

    /// One message that came in, if it was given out.
    pub(super) fn inbound(&self, id: InboundId) -> Result<InboundView, StoreError> {
        let message = self.inbound_record(id).filter(|m| !matches!(m.state, InboundState::Waiting { .. }));
        message.map(|message| self.inbound_view(message)).ok_or(StoreError::NotFound)
    }

    /// A page of what came in, newest first.
    pub(super) fn inbound_page(&self, query: &InboundQuery) -> Page<InboundView, InboundId> {
        let from = query.from.as_ref().map(|from| self.sender_hash(from.reveal()));
        let fits = |line: &&Line| {
            from.is_none_or(|from| from == line.from)
                && query.since.is_none_or(|t| line.received >= t)
                && query.until.is_none_or(|t| line.received < t)
        };
        let lines = self.inbound.newest_first(query.before).filter(fits);
        Page::first_of(lines.filter_map(|line| self.inbound(line.id).ok()), query.limit, |view| view.message.id)
    }

    /// Forgets some of what need not be kept.
    pub(super) fn prune_inbound(&mut self, now: &Now) {
        for id in self.inbound.prune(now.wall, self.rules.keep) {
            for part in self.inbound_record(id).map(|message| message.parts).unwrap_or_default() {
                if let Some(kept) = self.kept_pdu(&part) {
                    self.inbound.known.remove(&known_by(&self.numbers, &kept.sim_card, &kept.pdu));
                }
                self.delete(Key::InboundPdu(part.pdu));
            }
            self.delete(Key::Inbound(id));
        }
    }

    /// Who sent it: in international form where that is certain, else as it is written.
    fn sender(&self, deliver: &Deliver, sim_card: &SimCard) -> String {
        let written = deliver.originator.reveal();
        let toa = deliver.originator.type_of_address();
        let region = || {
            let country = || self.rules.country.as_deref().and_then(Region::of_country);
            Region::of_sim_card(sim_card).or_else(country)
        };
        let number = match toa.ton() {
            // Of the telephone's numbering plan, or of none that is named.
            _ if toa.npi() > 1 => None,
            Ton::National => region().and_then(|region| numbers::parse(&written, region)),
            Ton::Unknown => region().and_then(|region| numbers::parse_only(&written, region)),
            _ => None,
        };
        number.map_or(written, |number| number.reveal_e164())
    }

    fn sender_hash(&self, from: &str) -> [u8; 16] {
        sender_hash(&self.numbers, from)
    }

    /// The message that a part belongs to: one that waits for it, or a new one. One that has this part already is another:
    /// phones count to 255 and begin anew. It waits no longer.
    fn waiting_for(
        &mut self,
        new: &NewInbound,
        read: &Option<Deliver>,
        concat: Concatenation,
        number: u8,
        now: &Now,
    ) -> Inbound {
        let from = read.as_ref().map(|deliver| self.sender(deliver, &new.sim_card)).unwrap_or_default();
        let key = Waiting { sim_card: new.sim_card.clone(), from: self.sender_hash(&from), concat };
        let waiting = self.inbound.waiting.get(&key).and_then(|id| self.inbound_record(*id));
        match waiting {
            Some(message) if !message.has(number) => message,
            other => {
                if let Some(older) = other {
                    self.give_out(older, InboundState::Incomplete, now);
                }
                if self.inbound.waiting.len() >= MOST_WAITING
                    && let Some(oldest) = self.inbound.waiting.values().min().copied()
                    && let Some(oldest) = self.inbound_record(oldest)
                {
                    self.give_out(oldest, InboundState::Incomplete, now);
                }
                let pdu = self.pdu_key(new);
                self.new_inbound(new, read, Some(concat), pdu, now)
            }
        }
    }

    fn new_inbound(
        &mut self,
        new: &NewInbound,
        read: &Option<Deliver>,
        concat: Option<Concatenation>,
        pdu: [u8; 16],
        now: &Now,
    ) -> Inbound {
        // As unlike any other as its first PDU is.
        let mut unique = [0; 10];
        unique.copy_from_slice(&pdu[..10]);
        Inbound {
            id: InboundId::new(now.wall, unique),
            sequence: self.inbound.next_sequence(),
            modem: new.modem.clone(),
            sim_card: new.sim_card.clone(),
            from: read.as_ref().map(|deliver| Secret::new(self.sender(deliver, &new.sim_card))),
            received: now.wall,
            sent: read.as_ref().map(|d| d.scts).filter(|scts| scts.is_plausible()).map(|scts| scts.to_string()),
            concat,
            parts: Vec::new(),
            state: InboundState::Waiting { until: now.after(PARTS_WITHIN) },
        }
    }

    /// A message is as whole as it will be: it takes its place in the list, and those who care are told.
    fn give_out(&mut self, mut message: Inbound, state: InboundState, now: &Now) {
        message.state = state;
        message.received = now.wall;
        message.sequence = self.inbound.next_sequence();
        if state == InboundState::Received && self.takes_canary(&message, now) {
            self.put_inbound(message, now);
            return self.prune_inbound(now);
        }
        self.put_inbound(message.clone(), now);
        let from = message.from.as_ref().map(|from| masked(from.reveal()));
        let sentence = match (&from, state) {
            (Some(from), InboundState::Incomplete) => {
                format!("A message from {from} came in with {} of {} parts", message.parts.len(), message.total())
            }
            (Some(from), _) => format!("A message from {from} came in"),
            (None, _) => "A message came in that can't be read; GET /v1/inbound has its octets".to_owned(),
        };
        self.note(
            NewEvent {
                kind: EventKind::InboundReceived,
                modem: Some(message.modem.clone()),
                sim_card: Some(message.sim_card.clone()),
                sentence,
                about: Some(message.id.0),
            },
            now,
        );
        if state == InboundState::Received {
            self.heed_keyword(message, now);
        }
        self.prune_inbound(now);
    }

    /// Does what a message asks for by a word.
    fn heed_keyword(&mut self, message: Inbound, now: &Now) {
        let Some(from) = message.from.clone() else { return };
        let number = Msisdn::parse(from.reveal()).ok();
        let Some(keyword) = self.keyword_of(&message) else {
            if let (Some(number), Some(text)) = (number, self.text_of_inbound(&message)) {
                self.heed_word(&number, &text, now);
            }
            return;
        };
        if self.is_taken_back(keyword, &message)
            || number.as_ref().is_some_and(|n| self.is_too_old(keyword, n, &message, now))
        {
            tracing::info!(inbound.id = %message.id, "A word is not heeded: it is older than what holds for its sender");
            return;
        }
        self.heed(keyword, number, &message, now);
    }

    fn keyword_of(&self, message: &Inbound) -> Option<Keyword> {
        self.text_of_inbound(message).and_then(|text| self.rules.keyword(text.reveal()))
    }

    /// Whether its sender has sent another word later: messages are not read in the order in which they were sent. Clocks of
    /// two service centres are not compared where a STOP would be passed over for it.
    fn is_taken_back(&self, keyword: Keyword, message: &Inbound) -> bool {
        if keyword == Keyword::Help {
            return false;
        }
        let (id, sent) = (message.id, message.was_sent());
        let from = self.sender_hash(message.from.as_ref().map_or("", Secret::reveal));
        let others = self.inbound.newest_first(None).filter(|line| line.from == from && line.id != id).take(WORDS);
        others.filter_map(|line| self.inbound_record(line.id)).any(|other| {
            let comparable = keyword == Keyword::Start || other.sim_card == message.sim_card;
            let is_word = || matches!(self.keyword_of(&other), Some(Keyword::Stop | Keyword::Start));
            comparable && other.was_sent() > sent && is_word()
        })
    }

    /// Whether a START is older than the wish not to be written to, or than all that is remembered: it may have been heeded
    /// once, and have lain in the modem since.
    fn is_too_old(&self, keyword: Keyword, number: &Msisdn, message: &Inbound, now: &Now) -> bool {
        let sent = message.was_sent();
        let since = || {
            let opt_out = self.opt_out_of(number)?;
            let stop = opt_out.asked.and_then(|id| self.inbound_record(id));
            Some(stop.map_or(opt_out.since, |stop| stop.was_sent()))
        };
        // The time stamp has whole seconds.
        keyword == Keyword::Start
            && (now.wall - sent > self.rules.keep
                || since().is_some_and(|since| sent + Duration::from_secs(1) <= since))
    }

    fn put_inbound(&mut self, message: Inbound, now: &Now) {
        let from = self.sender_hash(message.from.as_ref().map_or("", Secret::reveal));
        self.inbound.put(&message, from);
        match message.state {
            InboundState::Waiting { until } => self.index.set_timer(Timer::Inbound(message.id), until.mono(now)),
            _ => self.index.clear_timer(Timer::Inbound(message.id)),
        }
        self.put(Key::Inbound(message.id), Record::Inbound(message));
    }

    fn inbound_record(&self, id: InboundId) -> Option<Inbound> {
        match self.get(Key::Inbound(id)) {
            Ok(Some(Record::Inbound(message))) => Some(message),
            _ => None,
        }
    }

    fn inbound_view(&self, message: Inbound) -> InboundView {
        let pdus = message.parts.iter().filter_map(|part| self.pdu(part)).collect();
        InboundView { text: self.text_of_inbound(&message), pdus, message }
    }

    pub(super) fn text_of_inbound(&self, message: &Inbound) -> Option<Secret> {
        let mut parts = vec![None; usize::from(message.total())];
        for part in &message.parts {
            if let Some(place) = parts.get_mut(usize::from(part.number).checked_sub(1)?) {
                *place = self.pdu(part).and_then(|pdu| sms::read(pdu.reveal()));
            }
        }
        if message.state == InboundState::Undecodable { None } else { sms::text(&parts) }
    }

    fn pdu(&self, part: &InboundPart) -> Option<Secret> {
        self.kept_pdu(part).map(|kept| kept.pdu)
    }

    fn kept_pdu(&self, part: &InboundPart) -> Option<KeptPdu> {
        match self.get(Key::InboundPdu(part.pdu)) {
            Ok(Some(Record::InboundPdu(kept))) => Some(kept),
            _ => None,
        }
    }

    /// Where a PDU is kept.
    fn pdu_key(&self, new: &NewInbound) -> [u8; 16] {
        self.keyrings().next().map_or([0; 16], |keyring| pdu_hash(keyring, &new.sim_card, &new.pdu))
    }
}

/// The hash by which a sender is looked up in memory.
pub(super) fn sender_hash(keyring: &Keyring, from: &str) -> [u8; 16] {
    keyring.fingerprint(&[b"sender", from.as_bytes()])
}

/// The hash by which a PDU is known.
pub(super) fn pdu_hash(keyring: &Keyring, sim_card: &SimCard, pdu: &Secret) -> [u8; 16] {
    // In either case the octets are the same.
    let octets = zeroize::Zeroizing::new(pdu.reveal().to_ascii_uppercase());
    keyring.fingerprint(&[b"inbound", sim_card.as_str().as_bytes(), octets.as_bytes()])
}

/// The hash by which a PDU is recognised in memory. That more messages wait (TP-MMS) may be so the first time and not when
/// the network repeats it.
pub(super) fn known_by(keyring: &Keyring, sim_card: &SimCard, pdu: &Secret) -> [u8; 16] {
    let Ok(Decoded { tpdu: Tpdu::Deliver(deliver), tpdu_len, .. }) = decode_hex(pdu.reveal(), SmscField::Auto) else {
        return pdu_hash(keyring, sim_card, pdu);
    };
    let mut hex = zeroize::Zeroizing::new(pdu.reveal().to_owned());
    // The low digit of the TPDU's first octet.
    let at = hex.len() + 1 - 2 * tpdu_len;
    let digit = hex.as_bytes().get(at).and_then(|digit| char::from(*digit).to_digit(16)).unwrap_or_default();
    if deliver.more_messages {
        hex.replace_range(at..=at, &format!("{:X}", digit | 4));
    }
    pdu_hash(keyring, sim_card, &Secret::new(hex.as_str()))
}

/// Which part of what it is, if it is to be put together.
fn concatenation(deliver: &Deliver) -> Option<(Concatenation, u8)> {
    let concat = deliver.user_data.udh()?.concat()?;
    let several = (2..=MOST_PARTS).contains(&concat.total);
    several
        .then_some((Concatenation { reference: concat.reference, bits: concat.bits, total: concat.total }, concat.part))
}

/// Messages that are kept.
const KEPT: usize = 10_000;
/// Messages that one batch forgets, at most: no modem waits long for its own.
const PRUNED: usize = 8;
/// A sender's last messages, among which a later word is looked for.
const WORDS: usize = 50;
/// Messages that wait for parts, at most.
const MOST_WAITING: usize = 1000;
