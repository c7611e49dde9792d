//! Operations over the records: read, decide, write; all within the one committer.
//!
//! A batch of operations runs in order, each seeing those before it; what they changed is committed together, and only
//! then are they answered. An operation that fails has changed nothing.

use super::audit::{Actor, AuditLog, NewAudit};
use super::backend::Backend;
use super::canary::Canaries;
use super::events::EventLog;
use super::evidence::{left_open, left_open_of};
use super::expected::{Expected, TailHash, Unmatched};
use super::guard::{Guard, Ledgers, Orders};
use super::inbound::{self, InboundLog};
use super::index::{Index, NumberHash, Timer};
use super::keyring::Keyring;
use super::lessons::Lessons;
use super::opt_out::OptOuts;
use super::outbox::Outbox;
use super::record::{Key, Record};
use super::vault::{Opened, Vault, VaultError};
use super::{ApiKey, Claim, Health, LeftOpen, Policy, Readiness, RecoveryTally, Rotation, StoreError};
use crate::dispatch::breaker::Change;
use crate::dispatch::unassigned::Unassigned;
use crate::domain::equipment::{Imei, SimCard};
use crate::domain::event::{EventKind, NewEvent};
use crate::domain::id::{ClientId, KeyId, MessageId, VerificationId};
use crate::domain::inbound::{InboundRules, InboundState};
use crate::domain::message::{Event, Message, PartId, State};
use crate::domain::msisdn::Msisdn;
use crate::domain::pin::PinHolder;
use crate::domain::reason::Reason;
use crate::domain::secret::Secret;
use crate::domain::time::{Mono, Now, Wall};
use crate::domain::verification::Verification;
use crate::webhook::payload::Fact;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;
use tokio::sync::oneshot;

/// One operation: runs inside the committer and gives what is to be done once it is durable.
pub(super) type Operation = Box<dyn FnOnce(&mut Engine, &Now) -> Reply + Send>;
/// Answers the caller, after the sync.
pub(super) type Reply = Box<dyn FnOnce() + Send>;

/// A vault over either backend.
pub(super) type AnyVault = Vault<Box<dyn Backend>>;

/// Everything the committer owns.
pub(super) struct Engine {
    vault: AnyVault,
    /// For numbers in the index: a key of this process, since nothing of the index is on disk.
    pub(super) numbers: Keyring,
    /// Who asked for a new master key.
    rotate: Vec<oneshot::Sender<Result<Rotation, StoreError>>>,
    /// Whether the disk is full, or nearly: looked at once for each batch.
    low_space: bool,
    /// Whether older keys could not be forgotten. Tried again at the next start, or when asked.
    keys_stay: bool,
    changes: Changes,
    pub(super) index: Index,
    pub(super) expected: Expected,
    pub(super) unmatched: Unmatched,
    pub(super) unassigned: Unassigned,
    pub(super) left_open: Vec<LeftOpen>,
    /// What has brought models of modems back.
    pub(super) tallies: BTreeMap<[u8; 16], RecoveryTally>,
    pub(super) inbound: InboundLog,
    pub(super) opt_outs: OptOuts,
    pub(super) rules: InboundRules,
    pub(super) guard: Guard,
    pub(super) canaries: Canaries,
    /// Where the record of a card's PINs lies. Not to be worked out anew: the master key may have changed since.
    pub(super) pin_guards: BTreeMap<PinHolder, [u8; 16]>,
    pub(super) events: EventLog,
    pub(super) audit: AuditLog,
    /// Who is behind the operation that runs.
    pub(super) actor: Option<Actor>,
    pub(super) lessons: Lessons,
    pub(super) outbox: Outbox,
    pub(super) keys: Arc<RwLock<KeyTable>>,
    pub(super) key_ids: BTreeSet<KeyId>,
    pub(super) health: Arc<Mutex<Health>>,
    pub(super) give_back: Arc<dyn Fn(MessageId, u64) + Send + Sync>,
    pub(super) next_sequence: u64,
    claimers: Vec<Claimer>,
    /// When a modem that waits may find room for a message without any news.
    later: Option<Mono>,
    textless: Vec<MessageId>,
    held_until: Option<Wall>,
    clocks: Clocks,
    swept: Mono,
}

/// How the clocks stood to each other.
#[derive(Clone, Copy)]
struct Clocks(Now);

impl Clocks {
    /// Whether one has moved against another since: the box slept, or was set right.
    fn have_moved(&self, now: &Now) -> bool {
        let passed = now.mono - self.0.mono;
        let boot = now.boot.since_boot.abs_diff(self.0.boot.since_boot + passed);
        let wall = Duration::from_millis(now.wall.0.abs_diff((self.0.wall + passed).0));
        now.boot.id != self.0.boot.id || boot.max(wall) > CLOCKS_DIFFER
    }
}

/// API keys as the HTTP side looks them up.
#[derive(Default)]
pub(super) struct KeyTable(pub(super) BTreeMap<[u8; 32], Arc<ApiKey>>);

/// A modem that waits for work.
pub(super) struct Claimer {
    pub(super) modem: Imei,
    pub(super) sim_card: SimCard,
    /// It takes urgent messages only.
    pub(super) urgent: bool,
    pub(super) answer: oneshot::Sender<Result<Claim, StoreError>>,
}

/// What decisions need of the records on disk.
pub(super) struct Loaded {
    numbers: Keyring,
    index: Index,
    expected: Expected,
    pin_guards: BTreeMap<PinHolder, [u8; 16]>,
    keys: Vec<ApiKey>,
    under_way: Vec<MessageId>,
    left_open: Vec<LeftOpen>,
    events: EventLog,
    audit: AuditLog,
    lessons: Lessons,
    outbox: Outbox,
    tallies: BTreeMap<[u8; 16], RecoveryTally>,
    inbound: InboundLog,
    opt_outs: OptOuts,
    ledgers: Ledgers,
    orders: Orders,
    next_sequence: u64,
}

impl Loaded {
    /// Nothing yet. Numbers are hashed with `numbers`, SIM cards held to `policy`.
    pub(super) fn new(numbers: Keyring, policy: Policy) -> Self {
        Self {
            numbers,
            index: Index::new(policy),
            expected: Expected::default(),
            pin_guards: BTreeMap::new(),
            keys: Vec::new(),
            under_way: Vec::new(),
            left_open: Vec::new(),
            events: EventLog::default(),
            audit: AuditLog::default(),
            lessons: Lessons::default(),
            outbox: Outbox::default(),
            tallies: BTreeMap::new(),
            inbound: InboundLog::default(),
            opt_outs: OptOuts::default(),
            ledgers: Ledgers::default(),
            orders: Orders::default(),
            next_sequence: 0,
        }
    }

    /// Takes one record in; the record itself stays on disk.
    pub(super) fn take(&mut self, key: Key, record: Record, now: &Now) {
        match record {
            Record::Message(message) => {
                self.next_sequence = self.next_sequence.max(message.sequence + 1);
                if message.state == State::Submitting {
                    self.under_way.push(message.id);
                }
                self.left_open.extend(left_open_of(&message, now));
                self.expected.put(&message, self.numbers.tail_hash(message.to.reveal_digits()), now);
                let number = self.numbers.number_hash(&message.to);
                self.index.sim_cards.take_message(&message, number, now);
                if message.client == ClientId::GATEWAY {
                    self.opt_outs.note_answer(number, message.created);
                }
                self.index.put_message(&message, number, now);
            }
            Record::Verification(verification) => {
                self.index.put_verification(&verification, self.numbers.number_hash(&verification.to), now);
            }
            Record::Idempotency(made) => {
                if let Key::Idempotency(id) = key {
                    self.index.set_timer(Timer::Idempotency(id), made.until.mono(now));
                }
            }
            Record::ApiKey(api_key) => self.keys.push(api_key),
            Record::SimCard(card) => {
                if let Key::SimCard(hash) = key {
                    self.index.sim_cards.take_record(hash, card, now);
                }
            }
            Record::Delivery(record) => {
                if let Key::Delivery(hash) = key {
                    self.index.sim_cards.take_deliveries(hash, record, now);
                }
            }
            Record::Recovery(tally) => {
                self.tallies.insert(tally.hash(), tally);
            }
            Record::Inbound(message) => {
                if let InboundState::Waiting { until } = message.state {
                    self.index.set_timer(Timer::Inbound(message.id), until.mono(now));
                }
                let from = inbound::sender_hash(&self.numbers, message.from.as_ref().map_or("", Secret::reveal));
                self.inbound.put(&message, from);
            }
            Record::OptOut(opt_out) => {
                if let Key::OptOut(hash) = key {
                    self.opt_outs.take(&opt_out, self.numbers.number_hash(&opt_out.number), hash);
                }
            }
            Record::Ledger(kept) => {
                if let Key::Ledger(hash) = key {
                    self.ledgers.take(hash, kept, now);
                }
            }
            Record::GuardOrder(order) => {
                if let Key::GuardOrder(hash) = key {
                    self.orders.take(hash, order);
                }
            }
            Record::PinGuard(guard) => {
                if let Key::PinGuard(place) = key {
                    self.pin_guards.insert(guard.holder, place);
                }
            }
            Record::Event(event) => self.events.take(&event),
            Record::Audit(entry) => self.audit.take(&entry),
            Record::AuditAnchor(anchor) => self.audit.take_anchor(anchor),
            Record::Lesson(lesson) => {
                if let Key::Lesson(number) = key {
                    self.lessons.take(number, lesson);
                }
            }
            Record::Webhook(webhook) => self.outbox.take_webhook(webhook),
            Record::News(delivery) => self.outbox.take(&delivery, now),
            Record::InboundPdu(kept) => {
                let hash = inbound::known_by(&self.numbers, &kept.sim_card, &kept.pdu);
                self.inbound.know(hash, kept.message);
            }
            Record::Body(_) | Record::SuppliedCode(_) => {}
        }
    }
}

/// What an operation has changed, and what the batch has.
#[derive(Default)]
struct Changes {
    batch: BTreeMap<Key, Option<Record>>,
    operation: BTreeMap<Key, Option<Record>>,
    audits: Vec<(NewAudit, Option<Actor>)>,
    audits_of_operation: Vec<(NewAudit, Option<Actor>)>,
    touched: BTreeSet<u128>,
}

/// What a batch came to.
pub(super) struct Done {
    /// Answers to give.
    pub(super) replies: Vec<Reply>,
    /// Ids of messages and verifications that changed: somebody may be waiting for them.
    pub(super) changed: BTreeSet<u128>,
}

impl Engine {
    /// Takes over what was found on disk, and ends what a crash left open.
    pub(super) fn new(
        vault: AnyVault,
        opened: &Opened,
        loaded: Loaded,
        now: &Now,
        give_back: Arc<dyn Fn(MessageId, u64) + Send + Sync>,
    ) -> Result<Self, VaultError> {
        let health =
            Health { quarantined: opened.quarantined.clone(), set_aside: opened.set_aside, ..Health::default() };
        let mut engine = Self {
            low_space: vault.backend().low_space(),
            vault,
            numbers: loaded.numbers,
            rotate: Vec::new(),
            keys_stay: false,
            changes: Changes::default(),
            index: loaded.index,
            expected: loaded.expected,
            unmatched: Unmatched::default(),
            unassigned: Unassigned::default(),
            left_open: loaded.left_open,
            tallies: loaded.tallies,
            inbound: loaded.inbound,
            opt_outs: loaded.opt_outs,
            rules: InboundRules::default(),
            guard: Guard::new(loaded.ledgers, loaded.orders, now),
            canaries: Canaries::default(),
            pin_guards: loaded.pin_guards,
            events: loaded.events,
            audit: loaded.audit,
            actor: None,
            lessons: loaded.lessons,
            outbox: loaded.outbox,
            keys: Arc::default(),
            key_ids: BTreeSet::new(),
            health: Arc::new(Mutex::new(health)),
            give_back,
            next_sequence: loaded.next_sequence,
            claimers: Vec::new(),
            later: None,
            textless: Vec::new(),
            held_until: opened.last_wall.filter(|last| *last > now.wall),
            clocks: Clocks(*now),
            swept: now.mono,
        };
        for key in loaded.keys {
            engine.key_ids.insert(key.id);
            engine.publish_key(key);
        }
        if !engine.is_quarantined() {
            for id in loaded.under_way {
                engine.end_interrupted(id, now);
            }
            engine.commit(now)?;
        }
        engine.tell_health(now);
        Ok(engine)
    }

    /// A message that was with a modem when the process ended: an open intent is uncertain, for the byte may have
    /// left; between two parts it goes back into the queue.
    fn end_interrupted(&mut self, id: MessageId, now: &Now) {
        let Ok(mut message) = self.message(id) else { return };
        let event = match message.open_part() {
            Some(part) => {
                let resend = crate::dispatch::retry::resend_uncertain(&message, now);
                self.left_open.extend(left_open(&message, part, now));
                Event::Uncertain { part, reason: Reason::Restarted, resend }
            }
            None => Event::Release,
        };
        match message.apply(now, event) {
            Ok(()) => self.put_message(message, now),
            Err(why) => {
                tracing::error!(message.id = %id, %why, "A message left open by the last run could not be ended")
            }
        }
        self.changes.keep();
    }

    /// Runs a batch: what is due, then the operations; commits; then hands out work. An error is fatal.
    pub(super) fn run(
        &mut self,
        operations: Vec<Operation>,
        now: &Now,
        synchronised: bool,
    ) -> Result<Done, VaultError> {
        let mut replies = Vec::with_capacity(operations.len());
        self.low_space = self.vault.backend().low_space();
        if !self.is_quarantined() {
            if self.clocks.have_moved(now) {
                self.clocks = Clocks(*now);
                self.index.look_at_everything(now);
                self.outbox.clocks_moved(now);
            }
            self.run_due(now);
        }
        for operation in operations {
            replies.push(operation(self, now));
            // At once: the next operation may ask for the log.
            let lines = std::mem::take(&mut self.changes.audits_of_operation);
            self.write_audits(lines, now);
            self.changes.keep();
        }
        self.forget_some(now);
        let changed = self.commit(now)?;
        self.tend_master_keys();
        if self.held_until.is_some_and(|until| until <= now.wall) || synchronised {
            self.held_until = None;
        }
        self.hand_out(now);
        self.hand_out_parcels(now);
        self.tell_health(now);
        Ok(Done { replies, changed })
    }

    /// When there will be something to do without being asked. A claim that pends while the clock is held back is
    /// looked at again in a second.
    pub(super) fn next_due(&self, now: &Now) -> Option<Mono> {
        if self.is_quarantined() {
            return None;
        }
        let rotation = self.vault.is_resealing().then_some(now.mono);
        let soon = (self.held_until.is_some() || !self.textless.is_empty()).then(|| now.mono + HELD_POLL);
        let timers = self.index.next_timer(now.mono).into_iter().chain(self.later);
        timers.chain(self.unmatched.next_due()).chain(soon).chain(rotation).chain(self.outbox.next_due(now)).min()
    }

    /// Puts a modem among those that wait for work.
    pub(super) fn wait_for_work(&mut self, claimer: Claimer) {
        self.claimers.push(claimer);
    }

    /// A quarantined store can be read. To write to it would end it, and the daemon that is to show what is wrong.
    pub(super) fn refuse_writes(&self) -> Result<(), StoreError> {
        if self.is_quarantined() { Err(StoreError::Quarantined) } else { Ok(()) }
    }

    /// Notes that somebody wants a new master key. It is made when this batch is on disk: what an operation hashed or sealed
    /// must be committed under the same key.
    pub(super) fn want_rotation(&mut self, answer: oneshot::Sender<Result<Rotation, StoreError>>) {
        self.rotate.push(answer);
    }

    pub(super) fn rotation(&self) -> Rotation {
        self.vault.rotation()
    }

    fn tend_master_keys(&mut self) {
        for answer in std::mem::take(&mut self.rotate) {
            self.keys_stay = false;
            // The caller may have gone; the key is made all the same.
            drop(answer.send(self.rotate_master()));
        }
        if self.keys_stay || !self.vault.has_unused_keys() {
            return;
        }
        match self.vault.forget_unused_keys() {
            Ok(()) => {
                tracing::info!(master.key = %self.rotation().current, "Nothing uses an older master key any more; it is gone")
            }
            Err(error) => {
                self.keys_stay = true;
                tracing::warn!(%error, "Nothing uses an older master key any more, but it is still in its file");
            }
        }
    }

    fn rotate_master(&mut self) -> Result<Rotation, StoreError> {
        self.refuse_new()?;
        // While there is an older one, a further request is a repetition, or the wish for it to go.
        if self.rotation().older.is_empty() {
            self.vault.rotate().map_err(|error| StoreError::MasterKey(error.to_string()))?;
            tracing::info!(master.key = %self.rotation().current, "Made a new master key; the store is sealed with it now");
        }
        Ok(self.rotation())
    }

    /// Keeps what has brought a model of modem back.
    pub(super) fn keep_tally(&mut self, tally: RecoveryTally) -> Result<(), StoreError> {
        self.refuse_writes()?;
        self.put(Key::Recovery(tally.hash()), Record::Recovery(tally.clone()));
        self.tallies.insert(tally.hash(), tally);
        Ok(())
    }

    /// Why nothing is taken in, if nothing is.
    pub(super) fn refuse_new(&self) -> Result<(), StoreError> {
        self.refuse_writes()?;
        if self.low_space { Err(StoreError::Full) } else { Ok(()) }
    }

    /// Whether nothing is sent, since the wall clock stands before what was reached already.
    pub(super) fn is_clock_held(&self) -> bool {
        self.held_until.is_some()
    }

    pub(super) fn is_quarantined(&self) -> bool {
        self.vault.quarantined().is_some()
    }

    // Reading: what the operation and the batch have changed first, then what is on disk.

    pub(super) fn get(&self, key: Key) -> Result<Option<Record>, StoreError> {
        if let Some(changed) = self.changes.operation.get(&key).or_else(|| self.changes.batch.get(&key)) {
            return Ok(changed.clone());
        }
        self.vault.get(key).map_err(|e| {
            tracing::error!(error = %e, "A record could not be read");
            StoreError::Damaged
        })
    }

    pub(super) fn message(&self, id: MessageId) -> Result<Message, StoreError> {
        match self.get(Key::Message(id))? {
            Some(Record::Message(message)) => Ok(message),
            _ => Err(StoreError::NotFound),
        }
    }

    pub(super) fn verification_record(&self, id: VerificationId) -> Result<Verification, StoreError> {
        match self.get(Key::Verification(id))? {
            Some(Record::Verification(verification)) => Ok(verification),
            _ => Err(StoreError::NotFound),
        }
    }

    // Writing.

    pub(super) fn put(&mut self, key: Key, record: Record) {
        self.changes.operation.insert(key, Some(record));
    }

    pub(super) fn delete(&mut self, key: Key) {
        self.changes.operation.insert(key, None);
    }

    /// Notes in the audit log what this operation does, if it is done.
    pub(super) fn audit(&mut self, new: NewAudit) {
        if !self.is_quarantined() {
            self.changes.audits_of_operation.push((new, self.actor.clone()));
        }
    }

    /// Takes back what a failed operation has changed. It must not have touched the index.
    pub(super) fn undo(&mut self) {
        self.changes.operation.clear();
        self.changes.audits_of_operation.clear();
    }

    /// Writes a message, keeps the index with it, and erases a text that can't be needed any more.
    pub(super) fn put_message(&mut self, message: Message, now: &Now) {
        if !message.text_needed(now) {
            self.delete(Key::Body(message.id));
        }
        if message.is_canary() {
            self.canary_went(&message, now);
        }
        self.publish_message(&message, now);
        let number = self.number_hash(&message.to);
        self.index.put_message(&message, number, now);
        self.expected.put(&message, self.tail_hash(message.to.reveal_digits()), now);
        self.changes.touched.insert(message.id.0);
        if let Some(verification) = message.verification {
            self.changes.touched.insert(verification.0);
        }
        self.put(Key::Message(message.id), Record::Message(message));
    }

    /// Writes a verification, keeps the index with it, and erases a supplied code once it is final.
    pub(super) fn put_verification(&mut self, verification: Verification, now: &Now) {
        if verification.is_final() {
            self.delete(Key::SuppliedCode(verification.id));
            self.count_end(&verification, now);
        }
        // It is new, or it ends: what lies between is no news.
        if verification.version == 1 || verification.is_final() {
            self.publish(&Fact::Verification(&verification), now);
        }
        let number = self.number_hash(&verification.to);
        self.index.put_verification(&verification, number, now);
        self.changes.touched.insert(verification.id.0);
        self.put(Key::Verification(verification.id), Record::Verification(verification));
    }

    /// What a modem tells of itself. A SIM card that was never seen before comes on record.
    pub(super) fn set_ready(&mut self, modem: Imei, sim_card: SimCard, readiness: Readiness, now: &Now) {
        if self.index.sim_cards.set_ready(modem, sim_card.clone(), readiness, now) {
            self.put_sim_card(&sim_card, now);
        }
    }

    /// A SIM card has left service, or is back.
    pub(super) fn sim_card_changed(&mut self, sim_card: &SimCard, change: Change, sentence: String, now: &Now) {
        match change {
            Change::Closed => tracing::info!(%sim_card, "{sentence}"),
            Change::Stays => tracing::warn!(%sim_card, "{sentence}"),
            Change::Opened => {
                tracing::error!(%sim_card, "{sentence}");
                let (kind, sim_card) = (EventKind::SimCardBarred, Some(sim_card.clone()));
                self.note(NewEvent { kind, modem: None, sim_card, sentence, about: None }, now);
            }
        }
        self.put_sim_card(sim_card, now);
    }

    /// Writes what is kept of a SIM card.
    pub(super) fn put_sim_card(&mut self, sim_card: &SimCard, now: &Now) {
        if self.is_quarantined() {
            return;
        }
        let hash = self.keyrings().next().map(|ring| ring.fingerprint(&[b"SIM card", sim_card.as_str().as_bytes()]));
        let Some(hash) = hash else { return };
        let (key, record) = self.index.sim_cards.record(sim_card, hash, now);
        self.put(key, record);
    }

    /// A byte that nobody can foresee, the same for the same part.
    pub(super) fn jitter(&self, id: MessageId, part: PartId) -> u8 {
        self.numbers.fingerprint(&[&id.0.to_be_bytes(), &[part.attempt, part.part]])[0]
    }

    pub(super) fn publish_key(&mut self, key: ApiKey) {
        let mut keys = self.keys.write().unwrap_or_else(|e| e.into_inner());
        if key.revoked.is_some() {
            keys.0.remove(&key.secret_sha256);
        } else {
            keys.0.insert(key.secret_sha256, Arc::new(key));
        }
    }

    pub(super) fn number_hash(&self, number: &Msisdn) -> NumberHash {
        self.numbers.number_hash(number)
    }

    pub(super) fn tail_hash(&self, digits: &str) -> Option<TailHash> {
        self.numbers.tail_hash(digits)
    }

    /// The sub-keys that new records hang on.
    pub(super) fn keyring(&self) -> &Keyring {
        self.vault.masters().current()
    }

    /// What the code of this verification is derived from.
    pub(super) fn code_key(&self, id: VerificationId) -> Option<&[u8; 32]> {
        self.vault.keyring_of(Key::Verification(id)).ok().map(Keyring::code_key)
    }

    /// The master keys' sub-keys, the current ones first.
    pub(super) fn keyrings(&self) -> impl Iterator<Item = &Keyring> {
        self.vault.masters().all()
    }

    /// A message whose record can't be read any more: it is set aside, as one found so when the store is opened, and nothing
    /// waits for it. The others go on.
    pub(super) fn lose(&mut self, id: MessageId) {
        self.index.forget(id);
        match self.vault.set_aside(Key::Message(id)) {
            Ok(false) => return,
            Ok(true) => {
                tracing::error!(message.id = %id, "Its record can't be read any more; it is set aside and not sent")
            }
            Err(error) => tracing::error!(message.id = %id, %error, "Its record can't be read any more, nor set aside"),
        }
        self.health.lock().unwrap_or_else(|e| e.into_inner()).set_aside += 1;
    }

    /// Notes that a claimed message has lost its text; it is ended at the next turn.
    pub(super) fn text_is_lost(&mut self, id: MessageId) {
        self.textless.push(id);
    }

    fn commit(&mut self, now: &Now) -> Result<BTreeSet<u128>, VaultError> {
        let lines = std::mem::take(&mut self.changes.audits);
        self.write_audits(lines, now);
        self.changes.keep();
        let changes: Vec<_> = std::mem::take(&mut self.changes.batch).into_iter().collect();
        if !changes.is_empty() || self.vault.is_resealing() {
            // While a clock that was set back is held, the mark keeps the later time: another start must hold it, too.
            let wall = self.held_until.map_or(now.wall, |until| until.max(now.wall));
            self.vault.commit(wall, changes)?;
        }
        Ok(std::mem::take(&mut self.changes.touched))
    }

    fn run_due(&mut self, now: &Now) {
        for id in std::mem::take(&mut self.textless) {
            self.end_textless(id, now);
            self.changes.keep();
        }
        self.unmatched.sweep(now.mono);
        for timer in self.index.due(now.mono, DUE_AT_ONCE) {
            match timer {
                Timer::Message(id) => self.message_due(id, now),
                Timer::Verification(id) => self.verification_due(id, now),
                Timer::Idempotency(id) => self.idempotency_due(id, now),
                Timer::Inbound(id) => self.inbound_due(id, now),
                Timer::Canary(place) => self.canary_due(place, now),
            }
            self.changes.keep();
        }
        if now.mono - self.swept >= SWEEP_EVERY {
            self.swept = now.mono;
            self.expected.sweep(now.mono);
        }
    }

    /// What is kept for a while only goes a few at a time, with whatever else is written.
    fn forget_some(&mut self, now: &Now) {
        if !self.is_quarantined() {
            self.prune_events(now);
            self.prune_inbound(now);
            self.tidy_outbox(now);
            self.sweep_ledgers(now);
            self.prune_audits(now);
            self.changes.keep();
        }
    }

    /// Hands ready messages to the modems that wait, until either runs out.
    fn hand_out(&mut self, now: &Now) {
        if self.held_until.is_some() || self.is_quarantined() || self.is_stopped() {
            return;
        }
        // One that pulls ahead while it is on the air, or has something else to do, takes nothing away from one that is free;
        // of those that are, the one that has fared best goes first, and of equal ones the one that has waited longest.
        let mut claimers = std::mem::take(&mut self.claimers);
        claimers.retain(|claimer| !claimer.answer.is_closed());
        claimers.sort_by_cached_key(|c| {
            (c.urgent || self.index.has_one(&c.modem), self.index.sim_cards.trouble(&c.sim_card, now.mono))
        });
        self.later = None;
        for claimer in claimers {
            match self.next_claim(&claimer, now) {
                // If nobody is there any more, the claim is dropped and gives itself back.
                Ok(claim) => drop(claimer.answer.send(Ok(claim))),
                Err(later) => {
                    self.later = self.later.into_iter().chain(later).min();
                    self.claimers.push(claimer);
                }
            }
        }
    }

    fn tell_health(&mut self, now: &Now) {
        let (low_space, held) = (self.low_space, self.index.all_held(now));
        let waits = self.index.queued() > 0 && self.index.sim_cards.may_hold();
        let mut health = self.health.lock().unwrap_or_else(|e| e.into_inner());
        let was_low = std::mem::replace(&mut health.low_space, low_space);
        health.queued = self.index.queued();
        health.clock_held_until = self.held_until;
        health.held = held;
        health.waits = waits;
        health.stopped = self.guard.orders.stopped();
        if health.unmatched_reports != *self.unmatched.counts() {
            health.unmatched_reports = self.unmatched.counts().clone();
        }
        drop(health);
        match (was_low, low_space) {
            (false, true) => tracing::warn!(
                "The data directory's disk is full, or nearly: nothing new is taken in until some of it is free"
            ),
            (true, false) => tracing::info!("The data directory's disk has space again; new work is taken in"),
            _ => {}
        }
    }
}

impl Changes {
    /// The operation is done: what it changed is the batch's.
    fn keep(&mut self) {
        self.batch.append(&mut self.operation);
        self.audits.append(&mut self.audits_of_operation);
    }
}

const DUE_AT_ONCE: usize = 256;
const SWEEP_EVERY: Duration = Duration::from_secs(600);
const HELD_POLL: Duration = Duration::from_secs(1);
const CLOCKS_DIFFER: Duration = Duration::from_secs(1);
