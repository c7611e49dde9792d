//! The outbox: what happened is recorded for each webhook that wants to hear of it, in the commit of the change itself, and
//! stays until it was told or given up.
//!
//! Without a webhook nothing is written and nothing is looked at. What waits is bounded: of too much, the oldest is given
//! up, with an alarm, and sending never waits.

use super::engine::Engine;
use super::record::{Key, Record};
use super::{Parcel, StoreError};
use crate::domain::event::{EventKind, LoggedEvent, NewEvent};
use crate::domain::id::{DeliveryId, InboundId, WebhookId};
use crate::domain::message::{Message, Status};
use crate::domain::secret::Secret;
use crate::domain::time::{Mono, Now, Wall};
use crate::domain::webhook::{Attempted, Dead, Delivery, DeliveryState, Outcome, Webhook};
use crate::webhook::payload::Fact;
use crate::webhook::retry;
use crate::webhook::schedule::Schedule;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::oneshot;

/// Webhooks and deliveries in memory. Bodies are on disk only.
#[derive(Default)]
pub(super) struct Outbox {
    pub(super) webhooks: BTreeMap<WebhookId, Webhook>,
    /// How the last attempt at each ended.
    pub(super) last: BTreeMap<WebhookId, Attempted>,
    pub(super) schedule: Schedule,
    lines: BTreeMap<u64, Line>,
    places: BTreeMap<DeliveryId, u64>,
    /// Those that have ended, by when.
    delivered: BTreeSet<(Wall, u64)>,
    dead: BTreeSet<(Wall, u64)>,
    /// Those whose webhook is gone for good.
    orphans: BTreeSet<u64>,
    /// When it was last said of a webhook that too much waits for it.
    flooded: BTreeMap<WebhookId, Mono>,
    next: u64,
    waiters: Vec<oneshot::Sender<Result<Parcel, StoreError>>>,
}

/// What is kept of each delivery.
#[derive(Clone, Copy)]
pub(super) struct Line {
    pub(super) id: DeliveryId,
    pub(super) webhook: WebhookId,
    pub(super) created: Wall,
    pub(super) state: DeliveryState,
}

impl Outbox {
    /// Takes in a webhook, as it is now.
    pub(super) fn take_webhook(&mut self, webhook: Webhook) {
        self.schedule.open(webhook.id, webhook.gone.is_some());
        self.webhooks.insert(webhook.id, webhook);
    }

    /// Takes in what a delivery has become.
    pub(super) fn take(&mut self, delivery: &Delivery, now: &Now) {
        let Delivery { id, webhook, sequence, created, state, .. } = *delivery;
        self.next = self.next.max(sequence + 1);
        self.forget(sequence);
        self.lines.insert(sequence, Line { id, webhook, created, state });
        self.places.insert(id, sequence);
        match state {
            _ if !self.webhooks.contains_key(&webhook) => drop(self.orphans.insert(sequence)),
            DeliveryState::Waiting { due } => self.schedule.add(webhook, delivery.subject, sequence, due.mono(now)),
            DeliveryState::Delivered { at } => drop(self.delivered.insert((at, sequence))),
            DeliveryState::Dead { at, .. } => drop(self.dead.insert((at, sequence))),
        }
    }

    /// Somebody waits for something to do.
    pub(super) fn wait_for_work(&mut self, answer: oneshot::Sender<Result<Parcel, StoreError>>) {
        self.waiters.push(answer);
    }

    /// Other clocks have moved against `mono`, in which all that waits stands.
    pub(super) fn clocks_moved(&mut self, now: &Now) {
        for (sequence, line) in &self.lines {
            if let DeliveryState::Waiting { due } = line.state {
                self.schedule.shift(line.webhook, *sequence, due.mono(now));
            }
        }
    }

    /// When there is something to do without being asked.
    pub(super) fn next_due(&self, now: &Now) -> Option<Mono> {
        let parcel = (!self.waiters.is_empty()).then(|| self.schedule.next_due()).flatten();
        let gone = || self.webhooks.values().any(|w| w.gone.is_some() && self.schedule.waiting(w.id) > 0);
        let litter = (!self.orphans.is_empty() || gone()).then(|| now.mono + TIDY_EVERY);
        parcel.into_iter().chain(litter).min()
    }

    /// Deliveries of a webhook, in the order in which things happened; those before `end`.
    pub(super) fn lines(&self, webhook: WebhookId, end: u64) -> impl DoubleEndedIterator<Item = &Line> {
        self.lines.range(..end).map(|(_, line)| line).filter(move |line| line.webhook == webhook)
    }

    /// Where a delivery stands in that order.
    pub(super) fn place(&self, id: DeliveryId) -> Option<u64> {
        self.places.get(&id).copied()
    }

    /// How many of a webhook's deliveries are dead.
    pub(super) fn dead(&self, webhook: WebhookId) -> usize {
        let is_its = |sequence: &u64| self.lines.get(sequence).is_some_and(|line| line.webhook == webhook);
        self.dead.iter().filter(|(_, sequence)| is_its(sequence)).count()
    }

    /// A webhook is no more. What there was for it goes a little at a time.
    pub(super) fn close(&mut self, webhook: WebhookId) {
        self.webhooks.remove(&webhook);
        self.last.remove(&webhook);
        self.flooded.remove(&webhook);
        self.schedule.close(webhook);
        let its = self.lines.iter().filter(|(_, line)| line.webhook == webhook);
        self.orphans.extend(its.map(|(sequence, _)| *sequence));
    }

    /// Takes a delivery out of everything; gives what it was.
    fn forget(&mut self, sequence: u64) -> Option<Line> {
        let line = self.lines.remove(&sequence)?;
        self.places.remove(&line.id);
        self.orphans.remove(&sequence);
        match line.state {
            DeliveryState::Waiting { .. } => self.schedule.ended(line.webhook, sequence),
            DeliveryState::Delivered { at } => drop(self.delivered.remove(&(at, sequence))),
            DeliveryState::Dead { at, .. } => drop(self.dead.remove(&(at, sequence))),
        }
        Some(line)
    }

    /// Up to so many deliveries that need not be kept any more.
    fn pruned(&mut self, now: Wall) -> Vec<DeliveryId> {
        let too_many = |ended: &BTreeSet<(Wall, u64)>, keep| {
            let excess = ended.len().saturating_sub(KEPT);
            let old = ended.iter().enumerate().take_while(move |(n, (at, _))| *n < excess || now - *at > keep);
            old.map(|(_, (_, sequence))| *sequence).take(TIDIED).collect::<Vec<_>>()
        };
        let mut all: Vec<u64> = self.orphans.iter().copied().take(TIDIED).collect();
        all.extend(too_many(&self.delivered, KEEP_DELIVERED));
        all.extend(too_many(&self.dead, KEEP_DEAD));
        all.into_iter().filter_map(|sequence| self.forget(sequence)).map(|line| line.id).collect()
    }
}

impl Engine {
    /// Tells of a message's state, if it is another than before. Before the index takes it in.
    pub(super) fn publish_message(&mut self, message: &Message, now: &Now) {
        if self.outbox.webhooks.is_empty() {
            return;
        }
        // What is concealed is so from a client's own webhooks, too.
        for admin in [true, false] {
            let seen = if admin { message.clone() } else { message.clone().as_seen() };
            let before = self.index.entry(message.id).map(|entry| entry.seen_status(admin));
            // Back in its queue it is where it was.
            let is_news = before != Some(seen.status()) && (seen.status() != Status::Queued || before.is_none());
            if is_news {
                self.publish_to(|webhook| webhook.client.is_none() == admin, &Fact::Message(&seen), now);
            }
        }
    }

    /// Tells of what is logged.
    pub(super) fn publish_event(&mut self, logged: &LoggedEvent, now: &Now) {
        if self.outbox.webhooks.is_empty() {
            return;
        }
        match (logged.event.kind, logged.event.about) {
            (EventKind::InboundReceived, Some(id)) => {
                if let Ok(view) = self.inbound(InboundId(id)) {
                    self.publish(&Fact::Inbound(logged, &view.message, view.text.as_ref()), now);
                }
            }
            _ => self.publish(&Fact::Logged(logged), now),
        }
    }

    /// Records something that happened for each webhook that is to hear of it.
    pub(super) fn publish(&mut self, fact: &Fact<'_>, now: &Now) {
        self.publish_to(|_| true, fact, now);
    }

    /// The same for some of them.
    fn publish_to(&mut self, some: impl Fn(&Webhook) -> bool, fact: &Fact<'_>, now: &Now) {
        if self.outbox.webhooks.is_empty() || self.is_quarantined() {
            return;
        }
        let hears = |webhook: &&Webhook| {
            some(webhook)
                && webhook.gone.is_none()
                && !fact.is_about(webhook.id)
                && fact.client().map_or(webhook.client.is_none(), |client| webhook.hears_of(client))
        };
        let told = self.outbox.webhooks.values().filter(hears).filter_map(|webhook| {
            let event = fact.event(webhook.form).filter(|event| webhook.wants(event))?;
            Some((webhook.id, event, fact.body(webhook.form, webhook.include_text)?))
        });
        for (webhook, event, body) in told.collect::<Vec<_>>() {
            self.enqueue(webhook, event, fact.subject(), body, now);
        }
    }

    /// Records a delivery.
    pub(super) fn enqueue(
        &mut self,
        webhook: WebhookId,
        event: &str,
        subject: u128,
        body: Secret,
        now: &Now,
    ) -> Delivery {
        if self.outbox.schedule.waiting(webhook) >= MOST_WAITING {
            self.give_up_oldest(webhook, now);
        }
        let sequence = self.outbox.next;
        let salt = self.keyrings().next().map(|keyring| keyring.fingerprint(&[b"delivery", &sequence.to_be_bytes()]));
        // Unlike any before it, in any store: no random number is needed for that.
        let mut unique = [0; 10];
        unique.copy_from_slice(&salt.unwrap_or_default()[..10]);
        let delivery = Delivery {
            id: DeliveryId::new(now.wall, unique),
            webhook,
            sequence,
            subject,
            event: event.to_owned(),
            created: now.wall,
            body: Some(body),
            state: DeliveryState::Waiting { due: now.after(Duration::ZERO) },
            attempts: 0,
            last: None,
        };
        self.put_delivery(delivery.clone(), now);
        delivery
    }

    /// What came of an attempt. A delivery that is no more has nobody to tell.
    pub(super) fn told(&mut self, id: DeliveryId, outcome: &Outcome, now: &Now) -> Result<(), StoreError> {
        self.refuse_writes()?;
        let Some(mut delivery) = self.delivery(id) else { return Ok(()) };
        let Some(webhook) = self.outbox.webhooks.get(&delivery.webhook).cloned() else { return Ok(()) };
        let failures = self.outbox.schedule.count(webhook.id, outcome.is_taken());
        let jitter = self.numbers.fingerprint(&[&id.0.to_be_bytes(), &delivery.attempts.to_be_bytes()])[0];
        let pause = retry::pause(webhook.form, delivery.attempts + 1, outcome.retry_after(), jitter);
        delivery.ended(outcome, pause, now);
        if let Some(last) = &delivery.last {
            self.outbox.last.insert(webhook.id, last.clone());
        }
        let why = outcome.why().unwrap_or_default();
        if matches!(delivery.state, DeliveryState::Dead { .. }) {
            tracing::warn!(webhook.id = %webhook.id, delivery.id = %id, %why, "Gave a webhook's delivery up; it can be replayed");
        }
        self.put_delivery(delivery, now);
        if outcome.is_gone() {
            self.put_webhook(Webhook { gone: Some(now.wall), ..webhook.clone() });
            let sentence =
                format!("Webhook {} answered 410: nobody is there any more, and it is told nothing", webhook.id);
            self.alarm(webhook.id, sentence, now);
        } else if failures == ALARM_AFTER {
            let sentence = format!("Webhook {} failed {failures} times in a row: {why}", webhook.id);
            self.alarm(webhook.id, sentence, now);
        }
        Ok(())
    }

    /// Hands what is due to those who wait for it.
    pub(super) fn hand_out_parcels(&mut self, now: &Now) {
        if self.outbox.waiters.is_empty() || self.is_quarantined() {
            return;
        }
        self.outbox.waiters.retain(|waiter| !waiter.is_closed());
        while !self.outbox.waiters.is_empty()
            && let Some((webhook, sequence)) = self.outbox.schedule.take(now.mono)
        {
            let parcel = self.parcel(webhook, sequence, now);
            let waiter = self.outbox.waiters.pop();
            match (parcel, waiter) {
                (Some(parcel), Some(waiter)) => {
                    if waiter.send(Ok(parcel)).is_err() {
                        self.outbox.schedule.again(webhook, sequence, now.mono);
                    }
                }
                (None, waiter) => {
                    // Its record is damaged, or lost; the others go on.
                    self.outbox.forget(sequence);
                    self.outbox.waiters.extend(waiter);
                }
                (Some(_), None) => {}
            }
        }
    }

    /// Forgets some of what need not be kept, and gives up some of what nobody is there for any more.
    pub(super) fn tidy_outbox(&mut self, now: &Now) {
        if self.outbox.lines.is_empty() {
            return;
        }
        for id in self.outbox.pruned(now.wall) {
            self.delete(Key::News(id));
        }
        let gone: Vec<_> = self.outbox.webhooks.values().filter(|w| w.gone.is_some()).map(|w| w.id).collect();
        for webhook in gone {
            for _ in 0..TIDIED {
                let Some(sequence) = self.outbox.schedule.oldest(webhook) else { break };
                self.bury(sequence, Dead::Gone, now);
            }
        }
    }

    pub(super) fn delivery(&self, id: DeliveryId) -> Option<Delivery> {
        match self.get(Key::News(id)) {
            Ok(Some(Record::News(delivery))) => Some(delivery),
            _ => None,
        }
    }

    pub(super) fn put_delivery(&mut self, delivery: Delivery, now: &Now) {
        self.outbox.take(&delivery, now);
        self.put(Key::News(delivery.id), Record::News(delivery));
    }

    pub(super) fn put_webhook(&mut self, webhook: Webhook) {
        self.outbox.take_webhook(webhook.clone());
        self.put(Key::Webhook(webhook.id), Record::Webhook(webhook));
    }

    fn parcel(&self, webhook: WebhookId, sequence: u64, now: &Now) -> Option<Parcel> {
        let to = self.outbox.webhooks.get(&webhook)?;
        let delivery = self.delivery(self.outbox.lines.get(&sequence)?.id)?;
        let (delivery, body) = (delivery.id, delivery.body?);
        Some(Parcel { delivery, webhook, url: to.url.clone(), body, secrets: to.secrets(now) })
    }

    fn give_up_oldest(&mut self, webhook: WebhookId, now: &Now) {
        if let Some(oldest) = self.outbox.schedule.oldest(webhook) {
            self.bury(oldest, Dead::QueueFull, now);
        }
        // Said once an hour: the log must not be flooded, too.
        let said = self.outbox.flooded.get(&webhook).is_some_and(|at| now.mono - *at < FLOOD_SAID);
        if !said {
            self.outbox.flooded.insert(webhook, now.mono);
            let sentence = format!("{MOST_WAITING} deliveries wait for webhook {webhook}; the oldest are given up");
            self.alarm(webhook, sentence, now);
        }
    }

    fn bury(&mut self, sequence: u64, why: Dead, now: &Now) {
        let Some(line) = self.outbox.lines.get(&sequence).copied() else { return };
        match self.delivery(line.id) {
            Some(delivery) => {
                self.put_delivery(Delivery { state: DeliveryState::Dead { at: now.wall, why }, ..delivery }, now)
            }
            None => drop(self.outbox.forget(sequence)),
        }
    }

    fn alarm(&mut self, webhook: WebhookId, sentence: String, now: &Now) {
        tracing::error!("{sentence}; GET /v1/webhooks/{webhook}/deliveries says more");
        let (kind, about) = (EventKind::WebhookFailing, Some(webhook.0));
        self.note(NewEvent { kind, modem: None, sim_card: None, sentence, about }, now);
    }
}

/// Deliveries that may wait for one webhook.
const MOST_WAITING: usize = 10_000;
/// Failed attempts in a row after which somebody is told.
const ALARM_AFTER: u32 = 5;
const FLOOD_SAID: Duration = Duration::from_secs(3600);
/// Deliveries that are kept when they have ended, of each kind, and for how long.
const KEPT: usize = 20_000;
const KEEP_DELIVERED: Duration = Duration::from_secs(24 * 3600);
const KEEP_DEAD: Duration = Duration::from_secs(7 * 24 * 3600);
/// Deliveries that one batch forgets, of each kind.
const TIDIED: usize = 32;
const TIDY_EVERY: Duration = Duration::from_millis(500);
