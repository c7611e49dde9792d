//! Who does not want to be written to. A number is on the list until its owner, or an admin, takes it off.

use super::audit::NewAudit;
use super::engine::Engine;
use super::record::{Key, Record};
use super::{Asked, Body, NewMessage, OptOutQuery, Page, StoreError};
use crate::domain::audit::AuditKind;
use crate::domain::event::{EventKind, NewEvent};
use crate::domain::id::{ClientId, InboundId, MessageId, OptOutId};
use crate::domain::inbound::{Inbound, Keyword, OptOutCovers};
use crate::domain::message::{Message, OnUncertain, Priority};
use crate::domain::msisdn::Msisdn;
use crate::domain::reason::Reason;
use crate::domain::secret::Secret;
use crate::domain::time::{Now, Wall};
use crate::sms::segment::segment;
use std::collections::BTreeMap;
use std::time::Duration;

/// A number on the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptOut {
    /// Its id, for lists.
    pub id: OptOutId,
    /// The number.
    pub number: Msisdn,
    /// Since when.
    pub since: Wall,
    /// The message that asked for it. `None`: an admin put it on the list.
    pub asked: Option<InboundId>,
}

/// The list in memory.
#[derive(Default)]
pub(super) struct OptOuts {
    /// By the hash of this process: where each is on disk.
    on_disk: BTreeMap<[u8; 16], (OptOutId, [u8; 16])>,
    by_id: BTreeMap<OptOutId, [u8; 16]>,
    /// When a number was answered by itself last.
    answered: BTreeMap<[u8; 16], Wall>,
}

impl OptOuts {
    /// Takes in what is on disk. `number`: its hash in memory; `key`: the one on disk.
    pub(super) fn take(&mut self, opt_out: &OptOut, number: [u8; 16], key: [u8; 16]) {
        self.on_disk.insert(number, (opt_out.id, key));
        self.by_id.insert(opt_out.id, key);
    }

    /// A message of the gateway's own went to a number.
    pub(super) fn note_answer(&mut self, number: [u8; 16], at: Wall) {
        let last = self.answered.entry(number).or_insert(at);
        *last = (*last).max(at);
    }

    /// Whether a number may be answered by itself once more. What is a day old is forgotten by the way.
    fn may_answer(&mut self, number: [u8; 16], now: Wall) -> bool {
        self.answered.retain(|_, at| now - *at < ANSWER_EVERY);
        !self.answered.contains_key(&number)
    }
}

impl Engine {
    /// Does what a word asks for. `number`: whose message it is, if that can be told in international form.
    pub(super) fn heed(&mut self, keyword: Keyword, number: Option<Msisdn>, message: &Inbound, now: &Now) {
        let Some(number) = number else {
            if keyword != Keyword::Help {
                let words = "A sender whose number can't be told for certain asked by a word to be put on the opt-out list, or \
                             taken off it; do it by hand: PUT or DELETE /v1/opt-outs/{number}";
                self.tell_of(EventKind::HelpAsked, words.to_owned(), message, now);
            }
            return;
        };
        match keyword {
            Keyword::Stop => {
                if self.add_opt_out(&number, Some(message.id), now) {
                    self.tell_of(
                        EventKind::OptOutAdded,
                        format!("{number} does not want to be written to"),
                        message,
                        now,
                    );
                }
                self.answer(&number, self.rules.stop_reply.clone(), message.id, now);
            }
            Keyword::Start => {
                if self.remove_opt_out(&number) {
                    self.tell_of(EventKind::OptOutRemoved, format!("{number} may be written to again"), message, now);
                }
            }
            Keyword::Help => {
                self.tell_of(EventKind::HelpAsked, format!("{number} asked for help"), message, now);
                self.answer(&number, self.rules.help_reply.clone(), message.id, now);
            }
        }
    }

    /// Puts a number on the list, for an admin.
    pub(super) fn opt_out(&mut self, number: &Msisdn, now: &Now) -> Result<OptOut, StoreError> {
        self.refuse_writes()?;
        if self.add_opt_out(number, None, now) {
            self.audit(NewAudit { number: Some(number.clone()), ..NewAudit::of(AuditKind::OptOutAdded) });
            self.note_by_admin(
                EventKind::OptOutAdded,
                format!("{number} was put on the opt-out list by an admin"),
                now,
            );
        }
        self.opt_out_of(number).ok_or(StoreError::Damaged)
    }

    /// Takes a number off the list, for an admin.
    pub(super) fn opt_in(&mut self, number: &Msisdn, now: &Now) -> Result<(), StoreError> {
        self.refuse_writes()?;
        if !self.remove_opt_out(number) {
            return Err(StoreError::NotFound);
        }
        self.audit(NewAudit { number: Some(number.clone()), ..NewAudit::of(AuditKind::OptOutRemoved) });
        self.note_by_admin(
            EventKind::OptOutRemoved,
            format!("{number} was taken off the opt-out list by an admin"),
            now,
        );
        Ok(())
    }

    /// A page of the list, newest first.
    pub(super) fn opt_out_page(&self, query: &OptOutQuery) -> Page<OptOut, OptOutId> {
        let end = query.before.unwrap_or(OptOutId(u128::MAX));
        let listed = self.opt_outs.by_id.range(..end).rev().filter_map(|(_, key)| match self.get(Key::OptOut(*key)) {
            Ok(Some(Record::OptOut(opt_out))) => Some(opt_out),
            _ => None,
        });
        Page::first_of(listed, query.limit, |opt_out| opt_out.id)
    }

    /// Why a message is not to be sent after all: its recipient has asked for that meanwhile.
    pub(super) fn unwanted(&self, message: &Message) -> Option<Reason> {
        let own = message.client == ClientId::GATEWAY;
        if own {
            return None;
        }
        let opted_out = self.holds_back(&message.to, message.verification.is_some()).then_some(Reason::OptedOut);
        let reason = opted_out.or_else(|| self.is_blocked(&message.to).then_some(Reason::Blocked))?;
        Some(if self.conceals_from(message.client) { Reason::Suppressed } else { reason })
    }

    pub(super) fn holds_back(&self, to: &Msisdn, is_code: bool) -> bool {
        let covered = !is_code || self.rules.covers == OptOutCovers::All;
        covered && self.opt_outs.on_disk.contains_key(&self.number_hash(to))
    }

    /// False if it was on the list already. What waits for the number is called off.
    fn add_opt_out(&mut self, number: &Msisdn, asked: Option<InboundId>, now: &Now) -> bool {
        let hash = self.number_hash(number);
        if self.opt_outs.on_disk.contains_key(&hash) {
            return false;
        }
        let Some(key) = self.keyrings().next().map(|keyring| keyring.number_hash(number)) else { return false };
        let mut unique = [0; 10];
        unique.copy_from_slice(&key[..10]);
        let opt_out = OptOut { id: OptOutId::new(now.wall, unique), number: number.clone(), since: now.wall, asked };
        self.opt_outs.take(&opt_out, hash, key);
        self.put(Key::OptOut(key), Record::OptOut(opt_out));
        // One look at each message that is known: numbers leave rarely, and sending must not pay for them each time.
        for id in self.index.unsent_to(hash) {
            if let Some(reason) = self.message(id).ok().and_then(|message| self.unwanted(&message)) {
                // One that is on the air can't be called back.
                let _ = self.call_off(id, reason, now);
            }
        }
        true
    }

    fn remove_opt_out(&mut self, number: &Msisdn) -> bool {
        let Some((id, key)) = self.opt_outs.on_disk.remove(&self.number_hash(number)) else { return false };
        self.opt_outs.by_id.remove(&id);
        self.delete(Key::OptOut(key));
        true
    }

    pub(super) fn opt_out_of(&self, number: &Msisdn) -> Option<OptOut> {
        let (_, key) = self.opt_outs.on_disk.get(&self.number_hash(number))?;
        match self.get(Key::OptOut(*key)) {
            Ok(Some(Record::OptOut(opt_out))) => Some(opt_out),
            _ => None,
        }
    }

    /// Answers a word, if there is an answer to it and the number had none for a day.
    fn answer(&mut self, to: &Msisdn, text: Option<String>, asked: InboundId, now: &Now) {
        let Some(text) = text else { return };
        let number = self.number_hash(to);
        let Ok(parts) = segment(&text, Default::default()).map(|segments| segments.len()) else { return };
        if !self.opt_outs.may_answer(number, now.wall) {
            return;
        }
        let message = NewMessage {
            // As unlike any other as the message that it answers.
            id: MessageId(asked.0),
            client: ClientId::GATEWAY,
            to: to.clone(),
            body: Body::Text(Secret::new(text)),
            parts: u8::try_from(parts).unwrap_or(u8::MAX),
            priority: Priority::Normal,
            flash: false,
            send_at: None,
            deadline: now.after(ANSWER_LIFE),
            on_uncertain: OnUncertain::Leave,
            client_reference: Some(asked.to_string()),
            asked: Asked::default(),
        };
        self.take_in(message, None, now);
        self.opt_outs.note_answer(number, now.wall);
    }

    fn tell_of(&mut self, kind: EventKind, sentence: String, message: &Inbound, now: &Now) {
        let (modem, sim_card) = (Some(message.modem.clone()), Some(message.sim_card.clone()));
        self.note(NewEvent { kind, modem, sim_card, sentence, about: Some(message.id.0) }, now);
    }

    fn note_by_admin(&mut self, kind: EventKind, sentence: String, now: &Now) {
        self.note(NewEvent { kind, modem: None, sim_card: None, sentence, about: None }, now);
    }
}

/// A number is answered by itself once in this time: two gateways must not talk to each other for ever.
const ANSWER_EVERY: Duration = Duration::from_secs(24 * 3600);
/// An answer that comes later than this is of no use.
const ANSWER_LIFE: Duration = Duration::from_secs(3600);
