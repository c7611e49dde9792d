//! Operations of the HTTP side: what is taken in, asked, checked and called off.

use super::audit::NewAudit;
use super::engine::Engine;
use super::index::Timer;
use super::record::{IdempotencyRecord, Key, Made, Record};
use super::{
    Accepted, Access, ApiKey, Body, Check, Idempotency, MessageQuery, NewCode, NewMessage, NewVerification, Page,
    Resend, Scope, StoreError, Verdict, VerificationView,
};
use crate::domain::audit::AuditKind;
use crate::domain::equipment::SimCard;
use crate::domain::id::{ClientId, KeyId, MessageId, VerificationId};
use crate::domain::message::{Message, State};
use crate::domain::msisdn::Msisdn;
use crate::domain::reason::Reason;
use crate::domain::time::Now;
use crate::domain::verification::{
    CodeSource, Verification, VerificationEvent, VerificationRefused, VerificationState,
};
use crate::otp::challenge::{self, Form};
use std::time::Duration;

impl Engine {
    pub(super) fn accept(
        &mut self,
        new: NewMessage,
        idempotency: Option<Idempotency>,
        now: &Now,
    ) -> Result<Accepted<Message>, StoreError> {
        match self.replayed(idempotency)? {
            Some(Made::Message(id)) => return Ok(Accepted { value: self.message(id)?, replayed: true }),
            Some(_) => return Err(StoreError::IdempotencyMismatch),
            None => {}
        }
        self.refuse_new()?;
        self.refuse_unassigned(&new.to, now)?;
        self.refuse_opted_out(&new.to, false)?;
        fits(&new.body)?;
        let message = self.take_in(new, None, now);
        self.remember(idempotency, Made::Message(message.id), now);
        Ok(Accepted { value: message, replayed: false })
    }

    pub(super) fn create_verification(
        &mut self,
        new: NewVerification,
        idempotency: Option<Idempotency>,
        now: &Now,
    ) -> Result<Accepted<VerificationView>, StoreError> {
        match self.replayed(idempotency)? {
            Some(Made::Verification(id)) => {
                return Ok(Accepted { value: self.view(self.verification_record(id)?), replayed: true });
            }
            Some(_) => return Err(StoreError::IdempotencyMismatch),
            None => {}
        }
        self.refuse_new()?;
        self.refuse_unassigned(&new.message.to, now)?;
        self.refuse_opted_out(&new.message.to, true)?;
        fits(&new.message.body)?;
        let NewVerification { id, purpose, brand, metadata, code, expires, origin, message } = new;
        let (client, to, on_uncertain) = (message.client, message.to.clone(), message.on_uncertain);
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
            sends: 1,
            version: 1,
            origin,
        };
        self.put_verification(verification.clone(), now);
        self.take_in(message, Some(id), now);
        self.remember(idempotency, Made::Verification(id), now);
        Ok(Accepted { value: self.view(verification), replayed: false })
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
                return Ok(Verdict { valid, state, to, purpose, attempts_left, replayed: true });
            }
            Some(_) => return Err(StoreError::IdempotencyMismatch),
            None => {}
        }
        self.refuse_writes()?;
        let right = self.is_right(&verification, &check)?;
        match verification.apply(now, VerificationEvent::Checked { right }) {
            Ok(()) => self.put_verification(verification.clone(), now),
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
        Ok(Verdict { valid, state, to, purpose, attempts_left, replayed: false })
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
                return Ok(Accepted { value: self.view(verification), replayed: true });
            }
            Some(_) => return Err(StoreError::IdempotencyMismatch),
            None => {}
        }
        self.refuse_new()?;
        self.refuse_unassigned(&verification.to, now)?;
        self.refuse_opted_out(&verification.to, true)?;
        fits(&resend.body)?;
        let Resend { message, body, fresh } = resend;
        let older = verification.message;
        verification.apply(now, VerificationEvent::Resent { message, fresh }).map_err(StoreError::Verification)?;
        if verification.is_final() {
            // It expired under our hands. Its timer will say so on disk; what fails changes nothing.
            return Err(StoreError::Verification(VerificationRefused::Final(verification.state)));
        }
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
        };
        self.put_verification(verification.clone(), now);
        self.take_in(new, Some(id), now);
        self.remember(idempotency, Made::Resend { verification: id, message }, now);
        Ok(Accepted { value: self.view(verification), replayed: false })
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
                return Ok(Accepted { value: self.view(verification), replayed: true });
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
        Ok(Accepted { value: self.view(verification), replayed: false })
    }

    pub(super) fn verification(&self, who: Access, id: VerificationId) -> Result<VerificationView, StoreError> {
        Ok(self.view(self.seen(who, id)?))
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
            Some(Made::CanceledMessage(of)) if of == id => return Ok(Accepted { value: known, replayed: true }),
            Some(_) => return Err(StoreError::IdempotencyMismatch),
            None => {}
        }
        self.refuse_writes()?;
        let value = self.call_off(id, Reason::CanceledByCaller, now)?;
        self.remember(idempotency, Made::CanceledMessage(id), now);
        Ok(Accepted { value, replayed: false })
    }

    pub(super) fn seen_message(&self, who: Access, id: MessageId) -> Result<Message, StoreError> {
        let message = self.message(id)?;
        if who.sees(message.client) { Ok(message) } else { Err(StoreError::NotFound) }
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
            let fits = who.sees(entry.client)
                && query.status.is_none_or(|s| s == entry.status)
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
                    page.items.push(message);
                }
            }
            last = Some(id);
        }
        page
    }

    pub(super) fn create_key(
        &mut self,
        new: ApiKey,
        idempotency: Option<Idempotency>,
        now: &Now,
    ) -> Result<Accepted<ApiKey>, StoreError> {
        if self.replayed(idempotency)?.is_some() {
            // The secret is shown once, and only its hash is here.
            return Err(StoreError::AlreadyShown);
        }
        self.refuse_new()?;
        self.put(Key::ApiKey(new.id), Record::ApiKey(new.clone()));
        self.audit(NewAudit { about: Some(new.id.to_string()), ..NewAudit::of(AuditKind::KeyCreated) });
        self.publish_key(new.clone());
        self.key_ids.insert(new.id);
        self.remember(idempotency, Made::Key(new.id), now);
        Ok(Accepted { value: new, replayed: false })
    }

    pub(super) fn all_keys(&mut self) -> Result<Vec<ApiKey>, StoreError> {
        let ids = self.key_ids.clone();
        let records = ids.into_iter().map(|id| self.get(Key::ApiKey(id))).collect::<Result<Vec<_>, _>>()?;
        Ok(records
            .into_iter()
            .flatten()
            .filter_map(|r| if let Record::ApiKey(k) = r { Some(k) } else { None })
            .collect())
    }

    pub(super) fn revoke_key(&mut self, id: KeyId, now: &Now) -> Result<ApiKey, StoreError> {
        let Some(Record::ApiKey(mut key)) = self.get(Key::ApiKey(id))? else { return Err(StoreError::NotFound) };
        if key.revoked.is_some() {
            return Ok(key);
        }
        // One that ends before this one doesn't stand in for it: after that nobody could make a key any more.
        let lasts = |k: &ApiKey| k.expires.is_none_or(|t| t > now.wall && key.expires.is_some_and(|own| t >= own));
        let stands_in = |k: &ApiKey| k.id != id && k.scopes.contains(&Scope::Admin) && lasts(k);
        let is_last = {
            let keys = self.keys.read().unwrap_or_else(|e| e.into_inner());
            !keys.0.values().any(|k| stands_in(k))
        };
        if key.scopes.contains(&Scope::Admin) && is_last {
            return Err(StoreError::LastAdminKey);
        }
        self.refuse_writes()?;
        key.revoked = Some(now.wall);
        self.audit(NewAudit { about: Some(id.to_string()), ..NewAudit::of(AuditKind::KeyRevoked) });
        self.put(Key::ApiKey(id), Record::ApiKey(key.clone()));
        self.publish_key(key.clone());
        Ok(key)
    }

    fn seen(&self, who: Access, id: VerificationId) -> Result<Verification, StoreError> {
        let verification = self.verification_record(id)?;
        if who.sees(verification.client) { Ok(verification) } else { Err(StoreError::NotFound) }
    }

    fn view(&self, verification: Verification) -> VerificationView {
        let message = self.index.entry(verification.message).map(|e| e.status);
        VerificationView { verification, message }
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
        if !form.allows(Form::of(&check.code)) {
            return Err(StoreError::NotSuchACode(form));
        }
        let same_code = challenge::matches(&code, &check.code);
        let same_number = check.to.as_ref().is_none_or(|to| *to == verification.to);
        let same_purpose = check.purpose.is_none() || check.purpose == verification.purpose;
        Ok(same_code & same_number & same_purpose)
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

    fn remember(&mut self, idempotency: Option<Idempotency>, made: Made, now: &Now) {
        let Some(Idempotency { key, fingerprint }) = idempotency else { return };
        let Some(keyring) = self.keyrings().next() else { return };
        let (key, fingerprint) = (keyring.fingerprint(&[&key]), keyring.fingerprint(&[&fingerprint]));
        let until = now.after(IDEMPOTENCY_LIFE);
        self.put(Key::Idempotency(key), Record::Idempotency(IdempotencyRecord { fingerprint, made, until }));
        self.index.set_timer(Timer::Idempotency(key), until.mono(now));
    }
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
