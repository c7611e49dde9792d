//! The one task that owns writing, and the handle through which everybody speaks to it.
//!
//! What has queued up while the last commit ran is the next batch; it never waits for more. The modems' lane is taken
//! first. A commit that fails ends the committer: everything after it is answered with `Closed`, and the process ends.

use super::audit::NewAudit;
use super::backend::Backend;
use super::engine::{Claimer, Done, Engine, KeyTable, Loaded, Operation, Reply};
use super::keyring::Keyring;
use super::masters::Masters;
use super::vault::{OpenError, Opened, StoreKind, Vault, VaultError};
use super::{
    Accepted, Access, Actor, Answer, ApiKey, AuditQuery, AuditWalk, Check, Claim, DeliveryQuery, EventQuery, Grant,
    GuardView, Health, Idempotency, InboundQuery, InboundView, Journaled, KeyChange, LateResult, LeftOpen, Listed,
    ListedQuery, Made, Matched, MessageQuery, NewInbound, NewMessage, NewVerification, NextKey, OptOut, OptOutQuery,
    Outcome, Page, Parcel, PinEntry, Policy, Readiness, RecoveryTally, Replayed, Report, ReportPage, ReportQuery,
    Resend, Rotation, SimCardView, Store, StoreError, Verdict, VerificationView, Wait, WebhookView,
};
use crate::domain::audit::{AuditEntry, AuditKind};
use crate::domain::equipment::{Imei, SimCard};
use crate::domain::event::{LoggedEvent, NewEvent};
use crate::domain::guard::{GuardRules, List, Pattern};
use crate::domain::id::{
    DeliveryId, EventId, InboundId, KeyId, ListedId, MessageId, OptOutId, VerificationId, WebhookId,
};
use crate::domain::inbound::InboundRules;
use crate::domain::learned::Lesson;
use crate::domain::message::{IntentOf, Message};
use crate::domain::msisdn::Msisdn;
use crate::domain::pin::{PinHolder, PinOutcome, PinRefused};
use crate::domain::secret::Secret;
use crate::domain::time::{Now, Wall};
use crate::domain::webhook::{Delivery, Outcome as Told, Webhook};
use crate::ops::clock::Clock;
use crate::ops::random::{self, Random};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot};

/// The store of one box, over a key-value backend.
#[derive(Clone)]
pub struct BoxStore {
    requests: mpsc::Sender<Operation>,
    modems: mpsc::UnboundedSender<Operation>,
    close: mpsc::UnboundedSender<oneshot::Sender<()>>,
    keys: Arc<RwLock<KeyTable>>,
    health: Arc<Mutex<Health>>,
    waiting: Waiting,
    clock: Arc<dyn Clock>,
    /// Who is behind what is asked through this handle.
    actor: Option<Arc<Actor>>,
}

/// Why the store could not be started.
#[derive(Debug)]
pub enum StartError {
    /// It could not be opened.
    Open(OpenError),
    /// What a crash had left open could not be recorded as ended.
    Recover(VaultError),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(error) => error.fmt(f),
            Self::Recover(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StartError {}

impl From<OpenError> for StartError {
    fn from(error: OpenError) -> Self {
        Self::Open(error)
    }
}

impl From<VaultError> for StartError {
    fn from(error: VaultError) -> Self {
        Self::Recover(error)
    }
}

/// How the committer ended. Anything but `Ok` must end the process.
pub type Ended = tokio::task::JoinHandle<Result<(), VaultError>>;

impl BoxStore {
    /// Opens the store on a backend and starts its committer. With an inline backend commits happen where the
    /// committer runs; with any other, on the blocking pool. SIM cards may send without limit.
    pub fn open(
        backend: Box<dyn Backend>,
        masters: impl Into<Masters>,
        random: Arc<dyn Random>,
        kind: StoreKind,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, Ended, Opened), StartError> {
        Self::open_with(backend, masters, random, kind, clock, Policy::default())
    }

    /// The same, with what SIM cards may send.
    pub fn open_with(
        backend: Box<dyn Backend>,
        masters: impl Into<Masters>,
        random: Arc<dyn Random>,
        kind: StoreKind,
        clock: Arc<dyn Clock>,
        policy: Policy,
    ) -> Result<(Self, Ended, Opened), StartError> {
        let now = clock.now();
        let mut loaded = Loaded::new(Keyring::new(&random::bytes(&*random)), policy);
        let take = |key, record| loaded.take(key, record, &now);
        let (vault, opened) = Vault::open(backend, masters, random, kind, now.wall, take)?;
        let (requests, requests_in) = mpsc::channel(REQUESTS_QUEUED);
        let (modems, modems_in) = mpsc::unbounded_channel::<Operation>();
        let (close, close_in) = mpsc::unbounded_channel();
        let inline = vault.backend().is_inline();
        let engine = Engine::new(vault, &opened, loaded, &now, give_back(modems.downgrade()))?;
        let store = Self {
            requests,
            modems,
            close,
            keys: engine.keys.clone(),
            health: engine.health.clone(),
            waiting: Waiting::default(),
            clock: clock.clone(),
            actor: None,
        };
        let committer = Committer {
            requests: requests_in,
            modems: modems_in,
            close: close_in,
            waiting: store.waiting.clone(),
            health: store.health.clone(),
            clock,
            inline,
        };
        Ok((store, tokio::spawn(committer.run(Box::new(engine))), opened))
    }

    /// What is done with what comes in, from the next operation on.
    pub fn set_inbound_rules(&self, rules: InboundRules) {
        // Nobody waits: whatever is asked after this is done after this.
        drop(self.command(move |engine, _| {
            engine.rules = rules;
            Ok(())
        }));
    }

    /// What the guard keeps back, from the next operation on.
    pub fn set_guard_rules(&self, rules: GuardRules) {
        drop(self.command(move |engine, _| {
            engine.guard.rules = Arc::new(rules);
            Ok(())
        }));
    }

    /// How long lines of the audit log are kept, from the next operation on.
    pub fn keep_audits(&self, keep: Duration) {
        drop(self.command(move |engine, _| {
            engine.keep_audits(keep);
            Ok(())
        }));
    }

    /// From now on each of these SIM cards sends to its own number this often, and what takes longer to come back is an alarm.
    pub fn set_canaries(&self, every: Duration, within: Duration, cards: Vec<(SimCard, Msisdn)>) {
        drop(self.command(move |engine, now| {
            engine.set_canaries(every, within, cards, now);
            Ok(())
        }));
    }

    /// An operation of the HTTP side. Full means busy.
    fn request<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Engine, &Now) -> Result<T, StoreError> + Send + 'static,
    ) -> Answer<T> {
        let actor = self.actor.clone();
        let (operation, answer) = operation(move |engine, now| {
            engine.actor = actor.map(|actor| Actor::clone(&actor));
            let result = work(engine, now);
            engine.actor = None;
            result
        });
        match self.requests.try_send(operation) {
            Ok(()) => answer,
            Err(mpsc::error::TrySendError::Full(_)) => refused(StoreError::Busy),
            Err(mpsc::error::TrySendError::Closed(_)) => refused(StoreError::Closed),
        }
    }

    /// A modem waits for its next message.
    fn wait_for_work(&self, modem: Imei, sim_card: SimCard, urgent: bool) -> Answer<Claim> {
        let (answer, claimed) = oneshot::channel();
        let operation: Operation = Box::new(move |engine, _| {
            engine.wait_for_work(Claimer { modem, sim_card, urgent, answer });
            Box::new(|| {})
        });
        match self.modems.send(operation) {
            Ok(()) => Box::pin(async { claimed.await.unwrap_or(Err(StoreError::Closed)) }),
            Err(_) => refused(StoreError::Closed),
        }
    }

    /// An operation of the modems' side.
    fn command<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Engine, &Now) -> Result<T, StoreError> + Send + 'static,
    ) -> Answer<T> {
        let (operation, answer) = operation(work);
        match self.modems.send(operation) {
            Ok(()) => answer,
            Err(_) => refused(StoreError::Closed),
        }
    }

    /// Reads, and reads again when the thing has changed, until `enough` or the wait is over. Subscribes first, so
    /// that no change falls between.
    fn read_when<T: Send + 'static>(
        &self,
        id: u128,
        wait: Option<Wait>,
        version_and_end: fn(&T) -> (u32, bool),
        read: impl Fn(&Engine) -> Result<T, StoreError> + Clone + Send + Sync + 'static,
    ) -> Answer<T> {
        let store = self.clone();
        Box::pin(async move {
            let read_now = || {
                let read = read.clone();
                store.request(move |engine, _| read(engine))
            };
            let Some(wait) = wait else { return read_now().await };
            let until = store.clock.instant(store.clock.now().mono + wait.at_most);
            loop {
                let news = store.waiting.subscribe(id);
                let value = read_now().await?;
                let (version, end) = version_and_end(&value);
                let enough = match wait.after {
                    Some(after) => version > after,
                    None => end,
                };
                if enough {
                    return Ok(value);
                }
                match (wait.after, tokio::time::timeout_at(until, news.changed()).await) {
                    (_, Err(_)) => return read_now().await,
                    // Without a version to compare with, any change is news.
                    (None, Ok(())) => return read_now().await,
                    (Some(_), Ok(())) => {}
                }
            }
        })
    }
}

impl Store for BoxStore {
    fn accept(&self, new: NewMessage, idempotency: Option<Idempotency>) -> Answer<Accepted<Message>> {
        self.request(move |engine, now| engine.accept(new, idempotency, now))
    }

    fn create_verification(
        &self,
        new: NewVerification,
        idempotency: Option<Idempotency>,
    ) -> Answer<Accepted<VerificationView>> {
        self.request(move |engine, now| engine.create_verification(new, idempotency, now))
    }

    fn check(
        &self,
        who: Access,
        id: VerificationId,
        check: Check,
        idempotency: Option<Idempotency>,
    ) -> Answer<Verdict> {
        self.request(move |engine, now| engine.check(who, id, check, idempotency, now))
    }

    fn resend(
        &self,
        who: Access,
        id: VerificationId,
        resend: Resend,
        idempotency: Option<Idempotency>,
    ) -> Answer<Accepted<VerificationView>> {
        self.request(move |engine, now| engine.resend(who, id, resend, idempotency, now))
    }

    fn cancel_verification(
        &self,
        who: Access,
        id: VerificationId,
        idempotency: Option<Idempotency>,
    ) -> Answer<Accepted<VerificationView>> {
        self.request(move |engine, now| engine.cancel_verification(who, id, idempotency, now))
    }

    fn verification(&self, who: Access, id: VerificationId, wait: Option<Wait>) -> Answer<VerificationView> {
        let version_and_end = |view: &VerificationView| (view.verification.version, view.verification.is_final());
        self.read_when(id.0, wait, version_and_end, move |engine| engine.verification(who, id))
    }

    fn cancel_message(
        &self,
        who: Access,
        id: MessageId,
        idempotency: Option<Idempotency>,
    ) -> Answer<Accepted<Message>> {
        self.request(move |engine, now| engine.cancel_message(who, id, idempotency, now))
    }

    fn message(&self, who: Access, id: MessageId, wait: Option<Wait>) -> Answer<Message> {
        let version_and_end = |message: &Message| (message.version, message.is_final());
        self.read_when(id.0, wait, version_and_end, move |engine| engine.seen_message(who, id))
    }

    fn messages(&self, who: Access, query: MessageQuery) -> Answer<Page<Message>> {
        self.request(move |engine, _| Ok(engine.messages(who, &query)))
    }

    fn next_slots(&self, ids: Vec<MessageId>) -> Answer<BTreeMap<MessageId, Wall>> {
        self.request(move |engine, now| Ok(engine.index.next_slots(&ids, now)))
    }

    fn sim_cards(&self) -> Answer<BTreeMap<SimCard, SimCardView>> {
        self.request(|engine, now| Ok(engine.sim_card_views(now)))
    }

    fn create_key(&self, new: ApiKey, idempotency: Option<Idempotency>) -> Answer<Accepted<ApiKey>> {
        self.request(move |engine, now| engine.create_key(new, idempotency, now))
    }

    fn made(&self, idempotency: Idempotency) -> Answer<Option<Made>> {
        self.request(move |engine, _| engine.replayed(Some(idempotency)))
    }

    fn keys(&self) -> Answer<Vec<ApiKey>> {
        self.request(|engine, _| engine.all_keys())
    }

    fn extend(&self, who: Access, id: VerificationId, by: Duration, most: Duration) -> Answer<VerificationView> {
        self.request(move |engine, now| engine.extend(who, id, by, most, now))
    }

    fn newest_to(&self, who: Access, to: Msisdn) -> Answer<Option<VerificationId>> {
        self.request(move |engine, _| Ok(engine.newest_to(who, &to)))
    }

    fn report_of(&self, who: Access, query: ReportQuery) -> Answer<ReportPage> {
        self.request(move |engine, _| Ok(engine.report_of(who, query)))
    }

    fn change_key(&self, id: KeyId, change: KeyChange) -> Answer<ApiKey> {
        self.request(move |engine, now| engine.change_key(id, change, now))
    }

    fn rotate_key(&self, id: KeyId, next: NextKey, idempotency: Option<Idempotency>) -> Answer<Accepted<ApiKey>> {
        self.request(move |engine, now| engine.rotate_key(id, next, idempotency, now))
    }

    fn revoke_key(&self, id: KeyId) -> Answer<ApiKey> {
        self.request(move |engine, now| engine.revoke_key(id, now))
    }

    fn rotate_master(&self) -> Answer<Rotation> {
        let (answer, rotated) = oneshot::channel();
        let actor = self.actor.clone();
        let operation: Operation = Box::new(move |engine, _| {
            engine.actor = actor.map(|actor| Actor::clone(&actor));
            engine.want_rotation(answer);
            engine.audit(NewAudit::of(AuditKind::MasterRotated));
            engine.actor = None;
            Box::new(|| {})
        });
        match self.requests.try_send(operation) {
            Ok(()) => Box::pin(async { rotated.await.unwrap_or(Err(StoreError::Closed)) }),
            Err(mpsc::error::TrySendError::Full(_)) => refused(StoreError::Busy),
            Err(mpsc::error::TrySendError::Closed(_)) => refused(StoreError::Closed),
        }
    }

    fn rotation(&self) -> Answer<Rotation> {
        self.request(|engine, _| Ok(engine.rotation()))
    }

    fn authenticate(&self, secret_sha256: &[u8; 32]) -> Option<Arc<ApiKey>> {
        let key = self.keys.read().unwrap_or_else(|e| e.into_inner()).0.get(secret_sha256).cloned()?;
        key.expires.is_none_or(|t| t > self.clock.now().wall).then_some(key)
    }

    fn health(&self) -> Health {
        self.health.lock().unwrap_or_else(|e| e.into_inner()).clone()
    }

    fn claim(&self, modem: Imei, sim_card: SimCard) -> Answer<Claim> {
        self.wait_for_work(modem, sim_card, false)
    }

    fn claim_urgent(&self, modem: Imei, sim_card: SimCard) -> Answer<Claim> {
        self.wait_for_work(modem, sim_card, true)
    }

    fn begin(&self, id: MessageId, intent: IntentOf) -> Answer<Grant> {
        self.command(move |engine, now| Ok(engine.begin(id, intent, now)))
    }

    fn settle(&self, outcome: Outcome, next: Option<(MessageId, IntentOf)>) -> Answer<Option<Grant>> {
        self.command(move |engine, now| {
            // An outcome that comes too late or twice is logged there; the next intent does not depend on it.
            let _ = engine.settle(outcome, now);
            Ok(next.map(|(id, intent)| engine.begin(id, intent, now)))
        })
    }

    fn report(&self, report: Report) -> Answer<Matched> {
        self.command(move |engine, now| Ok(engine.report(report, now)))
    }

    fn left_open(&self) -> Answer<Vec<LeftOpen>> {
        self.command(|engine, now| Ok(engine.still_open(now)))
    }

    fn late_result(&self, late: LateResult) -> Answer<Option<MessageId>> {
        self.command(move |engine, now| Ok(engine.late_result(late, now)))
    }

    fn set_ready(&self, modem: Imei, sim_card: SimCard, readiness: Readiness) -> Answer<()> {
        self.command(move |engine, now| {
            engine.set_ready(modem, sim_card, readiness, now);
            Ok(())
        })
    }

    fn take_inbound(&self, new: NewInbound) -> Answer<Journaled> {
        self.command(move |engine, now| engine.take_inbound(new, now))
    }

    fn inbound(&self, id: InboundId) -> Answer<InboundView> {
        self.request(move |engine, _| engine.inbound(id))
    }

    fn inbound_page(&self, query: InboundQuery) -> Answer<Page<InboundView, InboundId>> {
        self.request(move |engine, _| Ok(engine.inbound_page(&query)))
    }

    fn opt_outs(&self, query: OptOutQuery) -> Answer<Page<OptOut, OptOutId>> {
        self.request(move |engine, _| Ok(engine.opt_out_page(&query)))
    }

    fn opt_out(&self, number: Msisdn) -> Answer<OptOut> {
        self.request(move |engine, now| engine.opt_out(&number, now))
    }

    fn opt_in(&self, number: Msisdn) -> Answer<()> {
        self.request(move |engine, now| engine.opt_in(&number, now))
    }

    fn guard(&self) -> Answer<GuardView> {
        self.request(|engine, _| Ok(engine.guard_view()))
    }

    fn stop_sending(&self, stop: bool) -> Answer<bool> {
        self.request(move |engine, now| engine.stop_sending(stop, now))
    }

    fn listed(&self, query: ListedQuery) -> Answer<Page<Listed, ListedId>> {
        self.request(move |engine, _| Ok(engine.listed(&query)))
    }

    fn list(&self, list: List, pattern: Pattern) -> Answer<Listed> {
        self.request(move |engine, now| engine.list(list, pattern, now))
    }

    fn unlist(&self, list: List, pattern: Pattern) -> Answer<()> {
        self.request(move |engine, _| engine.unlist(list, pattern))
    }

    fn unlock(&self, number: Msisdn) -> Answer<()> {
        self.request(move |engine, _| engine.unlock(&number))
    }

    fn tallies(&self) -> Answer<Vec<RecoveryTally>> {
        self.command(|engine, _| Ok(engine.tallies.values().cloned().collect()))
    }

    fn keep_tally(&self, tally: RecoveryTally) -> Answer<()> {
        self.command(move |engine, _| engine.keep_tally(tally))
    }

    fn enter_pin(&self, entry: PinEntry) -> Answer<Result<(), PinRefused>> {
        self.command(move |engine, _| engine.enter_pin(&entry))
    }

    fn pin_ended(&self, entry: PinEntry, outcome: PinOutcome) -> Answer<()> {
        self.command(move |engine, _| engine.pin_ended(&entry, outcome))
    }

    fn card_is_open(&self, modem: Imei, sim_card: SimCard) -> Answer<Option<SimCard>> {
        self.command(move |engine, _| engine.card_is_open(modem, sim_card))
    }

    fn last_card(&self, modem: Imei) -> Answer<Option<SimCard>> {
        self.command(move |engine, _| Ok(engine.pin_guard(&PinHolder::Modem(modem))?.last_card))
    }

    fn note(&self, event: NewEvent) -> Answer<EventId> {
        self.command(move |engine, now| engine.logged(event, now))
    }

    fn events(&self, query: EventQuery) -> Answer<Page<LoggedEvent, EventId>> {
        self.request(move |engine, _| Ok(engine.event_page(&query)))
    }

    fn create_webhook(&self, new: Webhook, idempotency: Option<Idempotency>) -> Answer<Accepted<WebhookView>> {
        self.request(move |engine, now| engine.create_webhook(new, idempotency, now))
    }

    fn webhooks(&self, who: Access) -> Answer<Vec<WebhookView>> {
        self.request(move |engine, _| Ok(engine.webhooks(who)))
    }

    fn webhook(&self, who: Access, id: WebhookId) -> Answer<WebhookView> {
        self.request(move |engine, _| engine.webhook(who, id))
    }

    fn delete_webhook(&self, who: Access, id: WebhookId) -> Answer<()> {
        self.request(move |engine, _| engine.delete_webhook(who, id))
    }

    fn rotate_webhook(
        &self,
        who: Access,
        id: WebhookId,
        secret: Secret,
        overlap: Duration,
        idempotency: Option<Idempotency>,
    ) -> Answer<WebhookView> {
        self.request(move |engine, now| engine.rotate_webhook(who, id, secret, overlap, idempotency, now))
    }

    fn enable_webhook(&self, who: Access, id: WebhookId) -> Answer<WebhookView> {
        self.request(move |engine, _| engine.enable_webhook(who, id))
    }

    fn test_webhook(&self, who: Access, id: WebhookId, idempotency: Option<Idempotency>) -> Answer<Accepted<Delivery>> {
        self.request(move |engine, now| engine.test_webhook(who, id, idempotency, now))
    }

    fn deliveries(&self, who: Access, id: WebhookId, query: DeliveryQuery) -> Answer<Page<Delivery, DeliveryId>> {
        self.request(move |engine, _| engine.deliveries(who, id, &query))
    }

    fn replay_delivery(
        &self,
        who: Access,
        webhook: WebhookId,
        id: DeliveryId,
        idempotency: Option<Idempotency>,
    ) -> Answer<Accepted<Delivery>> {
        self.request(move |engine, now| engine.replay_delivery(who, webhook, id, idempotency, now))
    }

    fn replay_dead(&self, who: Access, id: WebhookId, since: Option<Wall>, until: Option<Wall>) -> Answer<Replayed> {
        self.request(move |engine, now| engine.replay_dead(who, id, since, until, now))
    }

    fn parcel(&self) -> Answer<Parcel> {
        let (answer, parcel) = oneshot::channel();
        let operation: Operation = Box::new(move |engine, _| {
            engine.outbox.wait_for_work(answer);
            Box::new(|| {})
        });
        match self.modems.send(operation) {
            Ok(()) => Box::pin(async { parcel.await.unwrap_or(Err(StoreError::Closed)) }),
            Err(_) => refused(StoreError::Closed),
        }
    }

    fn told(&self, id: DeliveryId, outcome: Told) -> Answer<()> {
        self.command(move |engine, now| engine.told(id, &outcome, now))
    }

    fn acting(&self, actor: Actor) -> Arc<dyn Store> {
        Arc::new(Self { actor: Some(Arc::new(actor)), ..self.clone() })
    }

    fn audit(&self, kind: AuditKind, about: Option<String>) -> Answer<()> {
        self.request(move |engine, _| engine.audited(kind, about))
    }

    fn audits(&self, query: AuditQuery) -> Answer<Page<AuditEntry, u64>> {
        self.request(move |engine, _| Ok(engine.audit_page(&query)))
    }

    fn walk_audits(&self, from: u64) -> Answer<AuditWalk> {
        self.request(move |engine, _| Ok(engine.walk_audits(from)))
    }

    fn learn(&self, lesson: Lesson) -> Answer<()> {
        self.command(move |engine, _| engine.learn(lesson))
    }

    fn lessons(&self) -> Answer<Vec<Lesson>> {
        self.command(|engine, _| Ok(engine.lessons()))
    }

    fn close(&self) -> Answer<()> {
        let (answer, closed) = oneshot::channel();
        match self.close.send(answer) {
            Ok(()) => Box::pin(async { closed.await.map_err(|_| StoreError::Closed) }),
            Err(_) => refused(StoreError::Closed),
        }
    }
}

/// The task.
struct Committer {
    requests: mpsc::Receiver<Operation>,
    modems: mpsc::UnboundedReceiver<Operation>,
    close: mpsc::UnboundedReceiver<oneshot::Sender<()>>,
    waiting: Waiting,
    health: Arc<Mutex<Health>>,
    clock: Arc<dyn Clock>,
    inline: bool,
}

impl Committer {
    async fn run(mut self, mut engine: Box<Engine>) -> Result<(), VaultError> {
        let mut closing = None;
        while closing.is_none() {
            let mut batch = Vec::new();
            let now = self.clock.now();
            // The boot clock goes on while the box sleeps and this one does not: look again now and then.
            let due = engine.next_due(&now).unwrap_or(now.mono + LOOK_AGAIN).min(now.mono + LOOK_AGAIN);
            tokio::select! {
                biased;
                Some(operation) = self.modems.recv() => batch.push(operation),
                Some(operation) = self.requests.recv() => batch.push(operation),
                Some(answer) = self.close.recv() => closing = Some(answer),
                () = tokio::time::sleep_until(self.clock.instant(due)) => {}
            }
            while batch.len() < BATCH
                && let Ok(operation) = self.modems.try_recv()
            {
                batch.push(operation);
            }
            while batch.len() < BATCH
                && let Ok(operation) = self.requests.try_recv()
            {
                batch.push(operation);
            }
            let (now, synchronised) = (self.clock.now(), self.clock.is_synchronised());
            let done = if self.inline {
                engine.run(batch, &now, synchronised)
            } else {
                let blocking = move || {
                    let done = engine.run(batch, &now, synchronised);
                    (engine, done)
                };
                match tokio::task::spawn_blocking(blocking).await {
                    Ok((back, done)) => {
                        engine = back;
                        done
                    }
                    // The panic hook has told where; what was being written is unknown.
                    Err(_) => return self.end(VaultError::Failed),
                }
            };
            match done {
                Ok(Done { replies, changed }) => {
                    replies.into_iter().for_each(|reply: Reply| reply());
                    self.waiting.tell(&changed);
                }
                Err(error) => return self.end(error),
            }
        }
        self.mark_closed();
        drop(engine);
        if let Some(answer) = closing {
            let _ = answer.send(());
        }
        Ok(())
    }

    fn end(&self, error: VaultError) -> Result<(), VaultError> {
        tracing::error!(%error, "The store failed; nothing is taken in or sent any more, and otpgate ends");
        self.mark_closed();
        Err(error)
    }

    fn mark_closed(&self) {
        self.health.lock().unwrap_or_else(|e| e.into_inner()).closed = true;
    }
}

/// Who waits for news of which message or verification.
#[derive(Clone, Default)]
struct Waiting(Arc<Mutex<BTreeMap<u128, Arc<Notify>>>>);

impl Waiting {
    fn subscribe(&self, id: u128) -> News {
        let notify = self.lock().entry(id).or_default().clone();
        let mut changed = Box::pin(notify.clone().notified_owned());
        changed.as_mut().enable();
        News { waiting: self.clone(), id, changed }
    }

    fn tell(&self, changed: &BTreeSet<u128>) {
        let waiting = self.lock();
        if waiting.is_empty() {
            return;
        }
        for id in changed {
            if let Some(notify) = waiting.get(id) {
                notify.notify_waiters();
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<u128, Arc<Notify>>> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }
}

/// A subscription, which forgets itself.
struct News {
    waiting: Waiting,
    id: u128,
    changed: std::pin::Pin<Box<tokio::sync::futures::OwnedNotified>>,
}

impl News {
    async fn changed(mut self) {
        self.changed.as_mut().await;
    }
}

impl Drop for News {
    fn drop(&mut self) {
        let mut waiting = self.waiting.lock();
        // The map's own handle and this subscription's: nobody else is waiting.
        if waiting.get(&self.id).is_some_and(|notify| Arc::strong_count(notify) <= 2) {
            waiting.remove(&self.id);
        }
    }
}

/// What a dropped claim does: tells the committer, unless that has ended.
fn give_back(modems: mpsc::WeakUnboundedSender<Operation>) -> Arc<dyn Fn(MessageId, u64) + Send + Sync> {
    Arc::new(move |id, token| {
        let operation: Operation = Box::new(move |engine, now| {
            engine.given_back(id, token, now);
            Box::new(|| {})
        });
        if let Some(lane) = modems.upgrade() {
            let _ = lane.send(operation);
        }
    })
}

fn operation<T: Send + 'static>(
    work: impl FnOnce(&mut Engine, &Now) -> Result<T, StoreError> + Send + 'static,
) -> (Operation, Answer<T>) {
    let (tell, told) = oneshot::channel();
    let operation: Operation = Box::new(move |engine, now| {
        let result = work(engine, now);
        if result.is_err() {
            engine.undo();
        }
        Box::new(move || drop(tell.send(result)))
    });
    (operation, Box::pin(async { told.await.unwrap_or(Err(StoreError::Closed)) }))
}

fn refused<T: Send + 'static>(error: StoreError) -> Answer<T> {
    Box::pin(std::future::ready(Err(error)))
}

const REQUESTS_QUEUED: usize = 4096;
const BATCH: usize = 256;
const LOOK_AGAIN: Duration = Duration::from_secs(30);
