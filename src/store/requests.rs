//! Operations of the HTTP side: what is taken in, asked, checked and called off.

use super::audit::NewAudit;
use super::engine::Engine;
use super::guard::Pass;
use super::index::Timer;
use super::record::{IdempotencyRecord, Key, Made, Record};
use super::{
    Accepted, Access, Body, Check, Idempotency, MessageQuery, NewCode, NewMessage, NewVerification, Page, Resend,
    StoreError, Verdict, VerificationView,
};
use crate::domain::audit::AuditKind;
use crate::domain::equipment::SimCard;
use crate::domain::id::{ClientId, MessageId, VerificationId};
use crate::domain::message::{Event, Message, State};
use crate::domain::msisdn::Msisdn;
use crate::domain::reason::Reason;
use crate::domain::secret::Secret;
use crate::domain::time::Now;
use crate::domain::verification::{
    Channel, CodeAlphabet, CodeSource, Origin, Verification, VerificationEvent, VerificationRefused, VerificationState,
};
use crate::otp::challenge::{self, Form};
use crate::otp::entry;
use std::time::Duration;

impl Engine {
    pub(super) fn accept(
        &mut self,
        new: NewMessage,
        idempotency: Option<Idempotency>,
        now: &Now,
    ) -> Result<Accepted<Message>, StoreError> {
        match self.replayed(idempotency)? {
            Some(Made::Message(id)) => return Ok(Accepted::before(seen(self.message(id)?, new.asked.is_admin()))),
            Some(_) => return Err(StoreError::IdempotencyMismatch),
            None => {}
        }
        self.refuse_new()?;
        self.refuse_unassigned(&new.to, now)?;
        let pass = self.guard_send(&new.asked, new.client, &new.to, None, now)?;
        fits(&new.body)?;
        let admin = new.asked.is_admin();
        let message = self.take_in_passed(&pass, new, None, now);
        self.remember(idempotency, Made::Message(message.id), now);
        Ok(Accepted { would_refuse: pass.would_refuse, ..Accepted::now(seen(message, admin)) })
    }

    pub(super) fn create_verification(
        &mut self,
        new: NewVerification,
        idempotency: Option<Idempotency>,
        now: &Now,
    ) -> Result<Accepted<VerificationView>, StoreError> {
        match self.replayed(idempotency)? {
            Some(Made::Verification(id)) => {
                let admin = new.message.asked.is_admin();
                return Ok(Accepted::before(self.view_with_word(self.verification_record(id)?, admin)));
            }
            Some(_) => return Err(StoreError::IdempotencyMismatch),
            None => {}
        }
        self.refuse_new()?;
        let client = new.message.client;
        if !new.supersedes && self.is_pending(client, &new.message.to, new.purpose.as_deref(), now) {
            return Err(StoreError::PendingAlready);
        }
        // Where a text is waited for, nothing is sent.
        let sends = new.origin.channel == Channel::Sms;
        if !sends && self.index.awaited(self.number_hash(&new.message.to)).len() >= MOST_AWAITED {
            return Err(StoreError::PendingAlready);
        }
        let mut pass = Pass::default();
        if sends {
            self.refuse_unassigned(&new.message.to, now)?;
            let life = Some(new.expires.left(now));
            pass = self.guard_send(&new.message.asked, client, &new.message.to, life, now)?;
            fits(&new.message.body)?;
        }
        let NewVerification { id, purpose, brand, metadata, code, expires, origin, supersedes: _, reveals, message } =
            new;
        let (to, on_uncertain) = (message.to.clone(), message.on_uncertain);
        let admin = message.asked.is_admin();
        self.supersede(client, &to, purpose.as_deref(), now);
        let code = match code {
            NewCode::Derived { length, nonce } => CodeSource::Derived { length, generation: 0, nonce },
            NewCode::Supplied(code) => {
                self.put(Key::SuppliedCode(id), Record::SuppliedCode(code));
                CodeSource::Supplied
            }
        };
        let verification = Verification {
            id,
            client,
            to,
            purpose,
            brand,
            metadata,
            code,
            state: VerificationState::Pending,
            failures: 0,
            created: now.wall,
            updated: now.wall,
            expires,
            message: message.id,
            on_uncertain,
            sends: sends.into(),
            version: 1,
            origin: Origin { suppressed: pass.suppressed, ..origin },
        };
        self.put_verification(verification.clone(), now);
        if sends {
            self.take_in_passed(&pass, message, Some(id), now);
        }
        self.remember(idempotency, Made::Verification(id), now);
        let code = if reveals { self.code_of(&verification) } else { None };
        if code.is_some() {
            self.audit(NewAudit { about: Some(id.to_string()), ..NewAudit::of(AuditKind::CodeReturned) });
        }
        let value = VerificationView { code, ..self.view_with_word(verification, admin) };
        Ok(Accepted { would_refuse: pass.would_refuse, ..Accepted::now(value) })
    }

    /// The compare, the count and the verdict, in one commit. A crash before it leaves nothing spent and nothing said.
    pub(super) fn check(
        &mut self,
        who: Access,
        id: VerificationId,
        check: Check,
        idempotency: Option<Idempotency>,
        now: &Now,
    ) -> Result<Verdict, StoreError> {
        let mut verification = self.seen(who, id)?;
        match self.replayed(idempotency)? {
            Some(Made::Verdict { verification: of, valid, state, attempts_left }) if of == id => {
                let Verification { to, purpose, .. } = verification;
                let would_refuse = Vec::new();
                return Ok(Verdict { valid, state, to, purpose, attempts_left, replayed: true, would_refuse });
            }
            Some(_) => return Err(StoreError::IdempotencyMismatch),
            None => {}
        }
        self.refuse_writes()?;
        refuse_awaited(&verification)?;
        let would_refuse = self.guard_check(&verification, now)?;
        // Nobody has been sent a code that was suppressed, whoever may know it.
        let right = self.is_right(&verification, &check)? & !verification.origin.suppressed;
        match verification.apply(now, VerificationEvent::Checked { right }) {
            Ok(()) => {
                self.count_check(&verification, right, now);
                self.put_verification(verification.clone(), now);
            }
            // What has ended says how it ended; only an approved one refuses.
            Err(VerificationRefused::Final(_)) => {}
            Err(why) => return Err(StoreError::Verification(why)),
        }
        let valid = right && verification.state == VerificationState::Approved;
        if verification.is_final() {
            self.call_off_quietly(verification.message, Reason::VerificationEnded, now);
        }
        let (state, attempts_left) = (verification.state, verification.attempts_left());
        self.remember(idempotency, Made::Verdict { verification: id, valid, state, attempts_left }, now);
        let Verification { to, purpose, .. } = verification;
        Ok(Verdict { valid, state, to, purpose, attempts_left, replayed: false, would_refuse })
    }

    pub(super) fn resend(
        &mut self,
        who: Access,
        id: VerificationId,
        resend: Resend,
        idempotency: Option<Idempotency>,
        now: &Now,
    ) -> Result<Accepted<VerificationView>, StoreError> {
        let mut verification = self.seen(who, id)?;
        match self.replayed(idempotency)? {
            Some(Made::Resend { verification: of, .. }) if of == id => {
                return Ok(Accepted::before(self.view(verification, who.admin)));
            }
            Some(_) => return Err(StoreError::IdempotencyMismatch),
            None => {}
        }
        self.refuse_new()?;
        refuse_awaited(&verification)?;
        self.refuse_unassigned(&verification.to, now)?;
        fits(&resend.body)?;
        let Resend { message, body, fresh, asked } = resend;
        let older = verification.message;
        let (client, to, life) = (verification.client, verification.to.clone(), verification.expires.left(now));
        verification.apply(now, VerificationEvent::Resent { message, fresh }).map_err(StoreError::Verification)?;
        if verification.is_final() {
            // It expired under our hands. Its timer will say so on disk; what fails changes nothing.
            return Err(StoreError::Verification(VerificationRefused::Final(verification.state)));
        }
        let pass = self.guard_send(&asked, client, &to, Some(life), now)?;
        verification.origin.suppressed &= pass.suppressed;
        // The older one carries the same code, or one that is no longer right: if it has not left, the new one serves.
        self.call_off_quietly(older, Reason::Superseded, now);
        let new = NewMessage {
            id: message,
            client: verification.client,
            to: verification.to.clone(),
            body,
            parts: 1,
            priority: crate::domain::message::Priority::Otp,
            flash: false,
            send_at: None,
            deadline: verification.expires,
            on_uncertain: verification.on_uncertain,
            client_reference: None,
            asked,
        };
        self.put_verification(verification.clone(), now);
        self.take_in_passed(&pass, new, Some(id), now);
        self.remember(idempotency, Made::Resend { verification: id, message }, now);
        Ok(Accepted { would_refuse: pass.would_refuse, ..Accepted::now(self.view(verification, who.admin)) })
    }

    pub(super) fn cancel_verification(
        &mut self,
        who: Access,
        id: VerificationId,
        idempotency: Option<Idempotency>,
        now: &Now,
    ) -> Result<Accepted<VerificationView>, StoreError> {
        let mut verification = self.seen(who, id)?;
        match self.replayed(idempotency)? {
            Some(Made::CanceledVerification(of)) if of == id => {
                return Ok(Accepted::before(self.view(verification, who.admin)));
            }
            Some(_) => return Err(StoreError::IdempotencyMismatch),
            None => {}
        }
        self.refuse_writes()?;
        verification
            .apply(now, VerificationEvent::Cancel(Reason::CanceledByCaller))
            .map_err(StoreError::Verification)?;
        let message = verification.message;
        self.put_verification(verification.clone(), now);
        self.call_off_quietly(message, Reason::VerificationEnded, now);
        self.remember(idempotency, Made::CanceledVerification(id), now);
        Ok(Accepted::now(self.view(verification, who.admin)))
    }

    pub(super) fn verification(&self, who: Access, id: VerificationId) -> Result<VerificationView, StoreError> {
        Ok(self.view(self.seen(who, id)?, who.admin))
    }

    pub(super) fn cancel_message(
        &mut self,
        who: Access,
        id: MessageId,
        idempotency: Option<Idempotency>,
        now: &Now,
    ) -> Result<Accepted<Message>, StoreError> {
        let known = self.seen_message(who, id)?;
        match self.replayed(idempotency)? {
            Some(Made::CanceledMessage(of)) if of == id => return Ok(Accepted::before(known)),
            Some(_) => return Err(StoreError::IdempotencyMismatch),
            None => {}
        }
        self.refuse_writes()?;
        let value = self.call_off(id, Reason::CanceledByCaller, now)?;
        self.remember(idempotency, Made::CanceledMessage(id), now);
        Ok(Accepted::now(value))
    }

    pub(super) fn seen_message(&self, who: Access, id: MessageId) -> Result<Message, StoreError> {
        let message = self.message(id)?;
        if who.sees(message.client) { Ok(seen(message, who.admin)) } else { Err(StoreError::NotFound) }
    }

    pub(super) fn messages(&self, who: Access, query: &MessageQuery) -> Page<Message> {
        let number = query.to.as_ref().map(|to| self.number_hash(to));
        let mut page = Page { items: Vec::new(), next: None };
        let mut budget = LIST_BUDGET;
        let mut last = None;
        for (id, entry) in self.index.newest_first(query.before) {
            if budget == 0 {
                // Sending waits behind this: the rest is another request's.
                page.next = last;
                break;
            }
            budget -= 1;
            let status = entry.seen_status(who.admin);
            let fits = who.sees(entry.client)
                && query.status.is_none_or(|s| s == status)
                && number.is_none_or(|n| n == entry.number)
                && query.since.is_none_or(|t| entry.created >= t)
                && query.until.is_none_or(|t| entry.created < t);
            if fits && let Ok(message) = self.message(id) {
                budget = budget.saturating_sub(LIST_READ);
                if query.client_reference.is_none() || query.client_reference == message.client_reference {
                    if page.items.len() == query.limit {
                        page.next = page.items.last().map(|m: &Message| m.id);
                        break;
                    }
                    page.items.push(seen(message, who.admin));
                }
            }
            last = Some(id);
        }
        page
    }

    pub(super) fn seen(&self, who: Access, id: VerificationId) -> Result<Verification, StoreError> {
        let verification = self.verification_record(id)?;
        if who.sees(verification.client) { Ok(verification) } else { Err(StoreError::NotFound) }
    }

    pub(super) fn view(&self, verification: Verification, admin: bool) -> VerificationView {
        let message = self.index.entry(verification.message).map(|e| e.seen_status(admin));
        VerificationView { verification, message, word: None, code: None }
    }

    /// A verification for the one who creates it.
    fn view_with_word(&self, verification: Verification, admin: bool) -> VerificationView {
        let awaited = verification.origin.channel == Channel::Inbound;
        let word = if awaited { self.code_of(&verification) } else { None };
        VerificationView { word, ..self.view(verification, admin) }
    }

    fn is_right(&self, verification: &Verification, check: &Check) -> Result<bool, StoreError> {
        let code = match self.code_of(verification) {
            Some(code) => code,
            None if verification.is_final() => return Ok(false),
            // Nobody could be right: that is our fault, and costs no attempt.
            None => return Err(StoreError::Damaged),
        };
        // A slip, and no guess: it costs no attempt either.
        let form = Form::of(&code);
        let given = as_sent(verification, &check.code).filter(|given| form.allows(Form::of(given)));
        let Some(given) = given else { return Err(StoreError::NotSuchACode(form)) };
        let same_code = challenge::matches(&code, &given);
        let same_number = check.to.as_ref().is_none_or(|to| *to == verification.to);
        let same_purpose = check.purpose.is_none() || check.purpose == verification.purpose;
        let wording = &verification.origin.wording;
        // A code that is bound to a payment proves nothing without it.
        for (name, bound, given) in
            [("amount", &wording.amount, &check.amount), ("payee", &wording.payee, &check.payee)]
        {
            if bound.is_some() && given.is_none() {
                return Err(StoreError::Bound(name));
            }
        }
        let same_amount = check.amount.is_none() || check.amount == wording.amount;
        let same_payee = check.payee.is_none() || check.payee == wording.payee;
        Ok(same_code & same_number & same_purpose & same_amount & same_payee)
    }

    /// Cancels an older pending verification for the same client, number and purpose, and its unsent message.
    fn supersede(&mut self, client: ClientId, to: &Msisdn, purpose: Option<&str>, now: &Now) {
        let number = self.number_hash(to);
        let Some(older) = self.index.pending(client, number, purpose) else { return };
        let Ok(mut verification) = self.verification_record(older) else { return };
        if verification.apply(now, VerificationEvent::Cancel(Reason::Superseded)).is_ok() {
            let message = verification.message;
            self.put_verification(verification, now);
            self.call_off_quietly(message, Reason::Superseded, now);
        }
    }

    /// Takes in what the guard let through: it is counted, and perhaps suppressed at once.
    fn take_in_passed(
        &mut self,
        pass: &Pass,
        new: NewMessage,
        verification: Option<VerificationId>,
        now: &Now,
    ) -> Message {
        self.count_send(pass, now);
        let mut message = self.take_in(new, verification, now);
        if pass.suppressed && self.applied(&mut message, now, Event::Suppress) {
            self.put_message(message.clone(), now);
        }
        message
    }

    /// Calls a message off if it has not left; if it has, that is no error here.
    fn call_off_quietly(&mut self, id: MessageId, reason: Reason, now: &Now) {
        let _ = self.call_off(id, reason, now);
    }

    fn refuse_unassigned(&self, to: &Msisdn, now: &Now) -> Result<(), StoreError> {
        let still = self.unassigned.for_how_long(self.number_hash(to), now.mono);
        still.map_or(Ok(()), |left| Err(StoreError::Unassigned(left)))
    }

    pub(super) fn take_in(&mut self, new: NewMessage, verification: Option<VerificationId>, now: &Now) -> Message {
        self.take_in_over(None, new, verification, now)
    }

    /// Takes a message in that only this SIM card may send, if one is given.
    pub(super) fn take_in_over(
        &mut self,
        only: Option<SimCard>,
        new: NewMessage,
        verification: Option<VerificationId>,
        now: &Now,
    ) -> Message {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        let message = Message {
            id: new.id,
            client: new.client,
            sequence,
            to: new.to,
            verification,
            priority: new.priority,
            flash: new.flash,
            parts: new.parts,
            on_uncertain: new.on_uncertain,
            client_reference: new.client_reference,
            created: now.wall,
            updated: now.wall,
            send_at: new.send_at,
            deadline: new.deadline,
            state: State::Queued { not_before: new.send_at, only, because: None },
            attempts: Vec::new(),
            avoid: Vec::new(),
            ever_uncertain: false,
            resend_used: false,
            version: 1,
        };
        let kind = match (message.client, verification) {
            (ClientId::GATEWAY, _) => AuditKind::OwnSent,
            (_, Some(_)) => AuditKind::CodeSent,
            (_, None) => AuditKind::TextSent,
        };
        let about = verification.map_or_else(|| message.id.to_string(), |id| id.to_string());
        let (client, number) = (Some(message.client), Some(message.to.clone()));
        for permission in self.actor.iter().flat_map(|actor| actor.lifted.clone()).collect::<Vec<_>>() {
            let detail = Some(permission.as_str().to_owned());
            let (number, about) = (number.clone(), Some(about.clone()));
            self.audit(NewAudit { kind: AuditKind::LimitLifted, client, number, about, detail });
        }
        self.audit(NewAudit { kind, client, number, about: Some(about), detail: None });
        self.put(Key::Body(new.id), Record::Body(new.body));
        self.put_message(message.clone(), now);
        message
    }

    /// What an earlier request with this idempotency key made, if there was one.
    pub(super) fn replayed(&self, idempotency: Option<Idempotency>) -> Result<Option<Made>, StoreError> {
        let Some(Idempotency { key, fingerprint }) = idempotency else { return Ok(None) };
        // One from before a rotation is found by its older hash.
        for keyring in self.keyrings() {
            match self.get(Key::Idempotency(keyring.fingerprint(&[&key])))? {
                Some(Record::Idempotency(record)) if record.fingerprint == keyring.fingerprint(&[&fingerprint]) => {
                    return Ok(Some(record.made));
                }
                Some(_) => return Err(StoreError::IdempotencyMismatch),
                None => {}
            }
        }
        Ok(None)
    }

    /// An idempotency record's timer has come.
    pub(super) fn idempotency_due(&mut self, key: [u8; 16], now: &Now) {
        let timer = Timer::Idempotency(key);
        match self.get(Key::Idempotency(key)) {
            Ok(Some(Record::Idempotency(record))) if !record.until.passed(now) => {
                self.index.set_timer(timer, record.until.mono(now));
            }
            _ => {
                self.index.clear_timer(timer);
                self.delete(Key::Idempotency(key));
            }
        }
    }

    pub(super) fn remember(&mut self, idempotency: Option<Idempotency>, made: Made, now: &Now) {
        let Some(Idempotency { key, fingerprint }) = idempotency else { return };
        let Some(keyring) = self.keyrings().next() else { return };
        let (key, fingerprint) = (keyring.fingerprint(&[&key]), keyring.fingerprint(&[&fingerprint]));
        let until = now.after(IDEMPOTENCY_LIFE);
        self.put(Key::Idempotency(key), Record::Idempotency(IdempotencyRecord { fingerprint, made, until }));
        self.index.set_timer(Timer::Idempotency(key), until.mono(now));
    }
}

/// So many texts may be waited for from one number at a time: each that comes is compared with all of them.
const MOST_AWAITED: usize = 16;

/// A code as it would have been sent. `None`: it can't have been.
pub(super) fn as_sent(verification: &Verification, typed: &Secret) -> Option<Secret> {
    match (&verification.code, verification.origin.wording.alphabet) {
        (CodeSource::Derived { .. }, CodeAlphabet::Unambiguous) => entry::unambiguous(typed),
        _ => Some(typed.clone()),
    }
}

/// Refuses what needs a code that was sent, where none was.
fn refuse_awaited(verification: &Verification) -> Result<(), StoreError> {
    match verification.origin.channel {
        Channel::Sms => Ok(()),
        Channel::Inbound => Err(StoreError::Verification(VerificationRefused::AwaitsText)),
    }
}

/// What is concealed is so from everybody but admins.
fn seen(message: Message, admin: bool) -> Message {
    if admin { message } else { message.as_seen() }
}

/// Asked before anything is changed: a record that is too large would be refused with its whole batch. All others are
/// bounded by the limits of their fields.
fn fits(body: &Body) -> Result<(), StoreError> {
    if Record::Body(body.clone()).is_too_large() { Err(StoreError::TooLarge) } else { Ok(()) }
}

/// What a page of a list may cost: a look at an entry in memory is 1, a record read from disk [`LIST_READ`]. A page that
/// costs more ends early, with a cursor.
const LIST_BUDGET: usize = 200_000;
const LIST_READ: usize = 100;
/// A repeated request is recognised for so long.
const IDEMPOTENCY_LIFE: Duration = Duration::from_secs(24 * 3600);
