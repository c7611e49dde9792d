//! Operations on webhooks, for the HTTP side.

use super::audit::NewAudit;
use super::engine::Engine;
use super::record::{Key, Made};
use super::{Accepted, Access, DeliveryQuery, Idempotency, Page, Replayed, StoreError, WebhookView};
use crate::domain::audit::AuditKind;
use crate::domain::id::{DeliveryId, WebhookId};
use crate::domain::secret::Secret;
use crate::domain::time::{Now, Wall};
use crate::domain::webhook::{Delivery, DeliveryState, Webhook};
use crate::webhook::payload::{Fact, TEST};
use std::time::Duration;

impl Engine {
    pub(super) fn create_webhook(
        &mut self,
        new: Webhook,
        idempotency: Option<Idempotency>,
        now: &Now,
    ) -> Result<Accepted<WebhookView>, StoreError> {
        self.not_shown_yet(idempotency)?;
        self.refuse_new()?;
        let of_client = self.outbox.webhooks.values().filter(|webhook| webhook.client == new.client).count();
        if self.outbox.webhooks.len() >= MOST || (new.client.is_some() && of_client >= MOST_OF_CLIENT) {
            return Err(StoreError::TooManyWebhooks);
        }
        self.audit(NewAudit { about: Some(new.id.to_string()), ..NewAudit::of(AuditKind::WebhookCreated) });
        self.put_webhook(new.clone());
        self.remember(idempotency, Made::Webhook(new.id), now);
        Ok(Accepted::now(self.webhook_view(new)))
    }

    pub(super) fn webhooks(&self, who: Access) -> Vec<WebhookView> {
        let seen = self.outbox.webhooks.values().filter(|webhook| sees(who, webhook));
        seen.cloned().map(|webhook| self.webhook_view(webhook)).collect()
    }

    pub(super) fn webhook(&self, who: Access, id: WebhookId) -> Result<WebhookView, StoreError> {
        Ok(self.webhook_view(self.seen_webhook(who, id)?))
    }

    pub(super) fn delete_webhook(&mut self, who: Access, id: WebhookId) -> Result<(), StoreError> {
        self.seen_webhook(who, id)?;
        self.refuse_writes()?;
        self.audit(NewAudit { about: Some(id.to_string()), ..NewAudit::of(AuditKind::WebhookDeleted) });
        self.outbox.close(id);
        self.delete(Key::Webhook(id));
        Ok(())
    }

    pub(super) fn rotate_webhook(
        &mut self,
        who: Access,
        id: WebhookId,
        secret: Secret,
        overlap: Duration,
        idempotency: Option<Idempotency>,
        now: &Now,
    ) -> Result<WebhookView, StoreError> {
        let mut webhook = self.seen_webhook(who, id)?;
        self.not_shown_yet(idempotency)?;
        self.refuse_writes()?;
        webhook.rotate(secret, overlap, now);
        self.audit(NewAudit { about: Some(id.to_string()), ..NewAudit::of(AuditKind::WebhookRotated) });
        self.put_webhook(webhook.clone());
        self.remember(idempotency, Made::Webhook(id), now);
        Ok(self.webhook_view(webhook))
    }

    pub(super) fn enable_webhook(&mut self, who: Access, id: WebhookId) -> Result<WebhookView, StoreError> {
        let webhook = self.seen_webhook(who, id)?;
        self.refuse_writes()?;
        let webhook = Webhook { gone: None, ..webhook };
        self.put_webhook(webhook.clone());
        Ok(self.webhook_view(webhook))
    }

    pub(super) fn test_webhook(
        &mut self,
        who: Access,
        id: WebhookId,
        idempotency: Option<Idempotency>,
        now: &Now,
    ) -> Result<Accepted<Delivery>, StoreError> {
        let webhook = self.seen_webhook(who, id)?;
        if let Some(done) = self.done_before(idempotency)? {
            return Ok(done);
        }
        self.refuse_new()?;
        let fact = Fact::Test(id, now.wall);
        let event = fact.event(webhook.form).unwrap_or(TEST);
        let body = fact.body(webhook.form, false).unwrap_or_else(|| Secret::new("{}"));
        let value = self.enqueue(id, event, fact.subject(), body, now);
        self.remember(idempotency, Made::Delivery(value.id), now);
        Ok(Accepted::now(value))
    }

    pub(super) fn deliveries(
        &self,
        who: Access,
        id: WebhookId,
        query: &DeliveryQuery,
    ) -> Result<Page<Delivery, DeliveryId>, StoreError> {
        self.seen_webhook(who, id)?;
        // One that is forgotten by now ends the list: those before it are gone, too.
        let end = query.before.map_or(u64::MAX, |before| self.outbox.place(before).unwrap_or(0));
        let lines = self.outbox.lines(id, end).rev().filter(|line| {
            query.status.is_none_or(|status| status == line.state.as_str())
                && query.since.is_none_or(|t| line.created >= t)
                && query.until.is_none_or(|t| line.created < t)
        });
        Ok(Page::first_of(lines.filter_map(|line| self.delivery(line.id)), query.limit, |delivery| delivery.id))
    }

    pub(super) fn replay_delivery(
        &mut self,
        who: Access,
        webhook: WebhookId,
        id: DeliveryId,
        idempotency: Option<Idempotency>,
        now: &Now,
    ) -> Result<Accepted<Delivery>, StoreError> {
        self.seen_webhook(who, webhook)?;
        if let Some(done) = self.done_before(idempotency)? {
            return Ok(done);
        }
        let mut delivery = self.delivery(id).filter(|d| d.webhook == webhook).ok_or(StoreError::NotFound)?;
        self.refuse_writes()?;
        if !delivery.replay(now) {
            return Err(StoreError::NotDead);
        }
        self.put_delivery(delivery.clone(), now);
        self.remember(idempotency, Made::Delivery(id), now);
        Ok(Accepted::now(delivery))
    }

    pub(super) fn replay_dead(
        &mut self,
        who: Access,
        id: WebhookId,
        since: Option<Wall>,
        until: Option<Wall>,
        now: &Now,
    ) -> Result<Replayed, StoreError> {
        self.seen_webhook(who, id)?;
        self.refuse_writes()?;
        let fits = |created: Wall| since.is_none_or(|t| created >= t) && until.is_none_or(|t| created < t);
        let is_dead = |state| matches!(state, DeliveryState::Dead { .. });
        let lines = self.outbox.lines(id, u64::MAX).filter(|line| is_dead(line.state) && fits(line.created));
        let mut dead: Vec<_> = lines.map(|line| line.id).collect();
        let left = dead.len().saturating_sub(AT_ONCE);
        dead.truncate(AT_ONCE);
        let mut replayed = 0;
        for mut delivery in dead.into_iter().filter_map(|id| self.delivery(id)).collect::<Vec<_>>() {
            if delivery.replay(now) {
                self.put_delivery(delivery, now);
                replayed += 1;
            }
        }
        Ok(Replayed { replayed, left })
    }

    fn seen_webhook(&self, who: Access, id: WebhookId) -> Result<Webhook, StoreError> {
        self.outbox.webhooks.get(&id).filter(|webhook| sees(who, webhook)).cloned().ok_or(StoreError::NotFound)
    }

    fn webhook_view(&self, webhook: Webhook) -> WebhookView {
        let id = webhook.id;
        WebhookView {
            waiting: self.outbox.schedule.waiting(id),
            dead: self.outbox.dead(id),
            failures: self.outbox.schedule.failures(id),
            last: self.outbox.last.get(&id).cloned(),
            webhook,
        }
    }

    /// Refuses a repeated request that was answered with a secret.
    fn not_shown_yet(&self, idempotency: Option<Idempotency>) -> Result<(), StoreError> {
        if self.replayed(idempotency)?.is_some() { Err(StoreError::AlreadyShown) } else { Ok(()) }
    }

    /// What an earlier request with this idempotency key has set on its way.
    fn done_before(&self, idempotency: Option<Idempotency>) -> Result<Option<Accepted<Delivery>>, StoreError> {
        match self.replayed(idempotency)? {
            Some(Made::Delivery(id)) => {
                let value = self.delivery(id).ok_or(StoreError::NotFound)?;
                Ok(Some(Accepted::before(value)))
            }
            Some(_) => Err(StoreError::IdempotencyMismatch),
            None => Ok(None),
        }
    }
}

/// Whether somebody may see a webhook: an admin all, others their client's.
fn sees(who: Access, webhook: &Webhook) -> bool {
    who.admin || webhook.client == Some(who.client)
}

/// Webhooks, at most: each event is looked at for each of them.
const MOST: usize = 50;
/// Webhooks of one client: it must not take every place.
const MOST_OF_CLIENT: usize = 8;
/// Dead deliveries that one request replays: sending waits behind it.
const AT_ONCE: usize = 500;
