//! What is accepted and what became of it, durably. The only room that names sled.
//!
//! [`Store`] speaks in the domain's words, so that a second implementation can stand behind it: no caller may lean on
//! the shape of this one. Every answer is given after what it tells is on disk, and every operation that reads and
//! then writes does both inside the one committer: no caller decides on what it read earlier.

use crate::config::{Limits, Mode};
use crate::dispatch::breaker::Open;
use crate::dispatch::canary::Verdict as CanaryVerdict;
use crate::dispatch::delivery::Deliveries;
use crate::dispatch::quota::{Used, Window};
use crate::dispatch::router::Routes;
use crate::domain::audit::{AuditEntry, AuditKind};
use crate::domain::country::Country;
use crate::domain::equipment::{Imei, SimCard};
use crate::domain::event::{EventKind, LoggedEvent, NewEvent};
use crate::domain::guard::{List, Pattern, Refusal};
use crate::domain::id::{
    ClientId, DeliveryId, EventId, InboundId, KeyId, ListedId, MessageId, OptOutId, VerificationId, WebhookId,
};
use crate::domain::inbound::Inbound;
use crate::domain::learned::Lesson;
use crate::domain::message::{
    IntentOf, Message, OnUncertain, PartId, PartResult, Priority, Refused, ReportVerdict, Status,
};
use crate::domain::msisdn::Msisdn;
use crate::domain::network::Network;
use crate::domain::pin::{PinOutcome, PinRefused};
use crate::domain::secret::Secret;
use crate::domain::time::{Deadline, Mono, Wall};
use crate::domain::verification::{Origin, Verification, VerificationRefused, VerificationState};
use crate::domain::webhook::{Attempted, Delivery, Outcome as Told, Webhook};
use crate::modem::recovery::ward::Count;
use crate::otp::challenge::Form;
use keyring::MasterId;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// An answer that comes when what it tells is durable.
pub type Answer<T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send>>;

/// The durable queue, its verifications and its keys.
///
/// Everything may fail with [`StoreError::Busy`] (the queue of operations is full; only callers of the HTTP side get
/// it) and [`StoreError::Closed`] (the store has ended; so will the process).
pub trait Store: Send + Sync + 'static {
    // From the HTTP side.

    /// Takes a message in. Answers when it is on disk.
    fn accept(&self, new: NewMessage, idempotency: Option<Idempotency>) -> Answer<Accepted<Message>>;
    /// Takes a verification and its message in, and cancels an older pending one for the same number and purpose.
    fn create_verification(
        &self,
        new: NewVerification,
        idempotency: Option<Idempotency>,
    ) -> Answer<Accepted<VerificationView>>;
    /// Counts an attempt and gives the verdict, both in one commit, before the answer. A code of another length or
    /// alphabet than the one that was sent is refused, and nothing is counted.
    fn check(&self, who: Access, id: VerificationId, check: Check, idempotency: Option<Idempotency>)
    -> Answer<Verdict>;
    /// A further message with the same code (or a fresh one).
    fn resend(
        &self,
        who: Access,
        id: VerificationId,
        resend: Resend,
        idempotency: Option<Idempotency>,
    ) -> Answer<Accepted<VerificationView>>;
    /// Ends a pending verification and calls off its unsent message.
    fn cancel_verification(
        &self,
        who: Access,
        id: VerificationId,
        idempotency: Option<Idempotency>,
    ) -> Answer<Accepted<VerificationView>>;
    /// Lets a pending verification live longer: by `by`, but no longer than `most` from when it was created.
    fn extend(&self, who: Access, id: VerificationId, by: Duration, most: Duration) -> Answer<VerificationView>;
    /// The newest verification of the client for this number, a pending one before all others.
    fn newest_to(&self, who: Access, to: Msisdn) -> Answer<Option<VerificationId>>;
    /// What the client's verifications of a time have come to, newest first.
    fn report_of(&self, who: Access, query: ReportQuery) -> Answer<ReportPage>;
    /// One verification; with `wait`, as soon as it has changed.
    fn verification(&self, who: Access, id: VerificationId, wait: Option<Wait>) -> Answer<VerificationView>;
    /// Calls an unsent message off.
    fn cancel_message(&self, who: Access, id: MessageId, idempotency: Option<Idempotency>)
    -> Answer<Accepted<Message>>;
    /// One message; with `wait`, as soon as it has changed.
    fn message(&self, who: Access, id: MessageId, wait: Option<Wait>) -> Answer<Message>;
    /// Of these messages those that wait and are held back: the earliest time at which each can go, by the limits of the SIM
    /// cards that may take it and what stands before it. One that can't go at all has its deadline there.
    fn next_slots(&self, ids: Vec<MessageId>) -> Answer<BTreeMap<MessageId, Wall>>;
    /// The same for one.
    fn next_slot(&self, id: MessageId) -> Answer<Option<Wall>> {
        let slots = self.next_slots(vec![id]);
        Box::pin(async move { Ok(slots.await?.remove(&id)) })
    }
    /// What the SIM cards have sent, and whether they are in service.
    fn sim_cards(&self) -> Answer<BTreeMap<SimCard, SimCardView>>;
    /// A page of messages, newest first.
    fn messages(&self, who: Access, query: MessageQuery) -> Answer<Page<Message>>;
    /// Takes an API key in.
    fn create_key(&self, new: ApiKey, idempotency: Option<Idempotency>) -> Answer<Accepted<ApiKey>>;
    /// What an earlier request with this idempotency key did, for a caller that would refuse it by now.
    fn made(&self, idempotency: Idempotency) -> Answer<Option<Made>>;
    /// All API keys, oldest first.
    fn keys(&self) -> Answer<Vec<ApiKey>>;
    /// Revokes an API key at once; the last admin key never, nor one that outlasts the others.
    fn revoke_key(&self, id: KeyId) -> Answer<ApiKey>;
    /// Changes what holds for an API key, at once. One that has ended stays as it is.
    fn change_key(&self, id: KeyId, change: KeyChange) -> Answer<ApiKey>;
    /// Makes a key that may do what this one may, for the same client, and lets this one end when the overlap is over.
    fn rotate_key(&self, id: KeyId, next: NextKey, idempotency: Option<Idempotency>) -> Answer<Accepted<ApiKey>>;
    /// The key whose secret has this SHA-256, if it exists, has not been revoked and has not expired. From memory.
    fn authenticate(&self, secret_sha256: &[u8; 32]) -> Option<Arc<ApiKey>>;
    /// Makes a new master key and begins to seal everything with it. While an older key is in use, none is made.
    fn rotate_master(&self) -> Answer<Rotation>;
    /// How far the rotation of the master key is.
    fn rotation(&self) -> Answer<Rotation>;
    /// One message that came in. Those that wait for their parts are not shown yet.
    fn inbound(&self, id: InboundId) -> Answer<InboundView>;
    /// A page of what came in, newest first.
    fn inbound_page(&self, query: InboundQuery) -> Answer<Page<InboundView, InboundId>>;
    /// A page of the opt-out list, newest first.
    fn opt_outs(&self, query: OptOutQuery) -> Answer<Page<OptOut, OptOutId>>;
    /// Puts a number on the opt-out list, and calls off what waits for it.
    fn opt_out(&self, number: Msisdn) -> Answer<OptOut>;
    /// Takes a number off the opt-out list.
    fn opt_in(&self, number: Msisdn) -> Answer<()>;
    /// How the guard stands.
    fn guard(&self) -> Answer<GuardView>;
    /// Stops all sending, or lets it go on. Says whether that changed anything.
    fn stop_sending(&self, stop: bool) -> Answer<bool>;
    /// A page of one of the guard's lists, newest first.
    fn listed(&self, query: ListedQuery) -> Answer<Page<Listed, ListedId>>;
    /// Puts a number or a prefix on a list.
    fn list(&self, list: List, pattern: Pattern) -> Answer<Listed>;
    /// Takes a number or a prefix off a list.
    fn unlist(&self, list: List, pattern: Pattern) -> Answer<()>;
    /// Forgets what the guard has counted of a number.
    fn unlock(&self, number: Msisdn) -> Answer<()>;
    /// A page of the event log, newest first.
    fn events(&self, query: EventQuery) -> Answer<Page<LoggedEvent, EventId>>;
    /// Makes a webhook.
    fn create_webhook(&self, new: Webhook, idempotency: Option<Idempotency>) -> Answer<Accepted<WebhookView>>;
    /// The webhooks that this caller may see, oldest first.
    fn webhooks(&self, who: Access) -> Answer<Vec<WebhookView>>;
    /// One webhook.
    fn webhook(&self, who: Access, id: WebhookId) -> Answer<WebhookView>;
    /// Ends a webhook, with all that waits for it.
    fn delete_webhook(&self, who: Access, id: WebhookId) -> Answer<()>;
    /// Gives a webhook a new signing secret; the one until now signs beside it for so long.
    fn rotate_webhook(
        &self,
        who: Access,
        id: WebhookId,
        secret: Secret,
        overlap: Duration,
        idempotency: Option<Idempotency>,
    ) -> Answer<WebhookView>;
    /// Takes up a webhook again whose receiver had said that it is gone.
    fn enable_webhook(&self, who: Access, id: WebhookId) -> Answer<WebhookView>;
    /// Tells a webhook something that did not happen.
    fn test_webhook(&self, who: Access, id: WebhookId, idempotency: Option<Idempotency>) -> Answer<Accepted<Delivery>>;
    /// A page of what was, or is to be, told to a webhook, newest first.
    fn deliveries(&self, who: Access, id: WebhookId, query: DeliveryQuery) -> Answer<Page<Delivery, DeliveryId>>;
    /// Tries a dead delivery anew.
    fn replay_delivery(
        &self,
        who: Access,
        webhook: WebhookId,
        id: DeliveryId,
        idempotency: Option<Idempotency>,
    ) -> Answer<Accepted<Delivery>>;
    /// Tries dead deliveries of a webhook anew, oldest first, as many as one commit should bear.
    fn replay_dead(&self, who: Access, id: WebhookId, since: Option<Wall>, until: Option<Wall>) -> Answer<Replayed>;
    /// The same store, on behalf of somebody: what is done through it is audited as theirs.
    fn acting(&self, actor: Actor) -> Arc<dyn Store>;
    /// Writes down what is no operation's own: a log-in that failed, a word to a modem.
    fn audit(&self, kind: AuditKind, about: Option<String>) -> Answer<()>;
    /// A page of the audit log, newest first.
    fn audits(&self, query: AuditQuery) -> Answer<Page<AuditEntry, u64>>;
    /// Walks along the audit log's chain, from a line on and some way.
    fn walk_audits(&self, from: u64) -> Answer<AuditWalk>;
    /// How the store is. From memory.
    fn health(&self) -> Health;

    // From the webhooks' side.

    /// The next delivery that is due; pends until there is one.
    fn parcel(&self) -> Answer<Parcel>;
    /// What came of it.
    fn told(&self, id: DeliveryId, outcome: Told) -> Answer<()>;

    // From the modems' side: a lane of its own, taken first and never full.

    /// The next message for this SIM card; pends until there is one. Dropping the future or the claim gives it back.
    fn claim(&self, modem: Imei, sim_card: SimCard) -> Answer<Claim>;
    /// As [`Store::claim`], for a modem that has something to do which only an urgent message is to end: it is given no other,
    /// and none that a free modem takes.
    fn claim_urgent(&self, modem: Imei, sim_card: SimCard) -> Answer<Claim>;
    /// Records an intent. The PDU may leave only after `Granted`.
    fn begin(&self, id: MessageId, intent: IntentOf) -> Answer<Grant>;
    /// Records an outcome and, with it, the next intent: one operation, one sync.
    fn settle(&self, outcome: Outcome, next: Option<(MessageId, IntentOf)>) -> Answer<Option<Grant>>;
    /// Matches a status report with a part.
    fn report(&self, report: Report) -> Answer<Matched>;
    /// Sends whose result may still come: a port is listened to for them before anything is written.
    fn left_open(&self) -> Answer<Vec<LeftOpen>>;
    /// A result that nobody waits for any more. `None`: it can't be told for certain whose it is, or it changes nothing.
    fn late_result(&self, late: LateResult) -> Answer<Option<MessageId>>;
    /// Whether this modem can send over this SIM card now. What one SIM card refused, or left uncertain, goes to another
    /// while one is ready.
    fn set_ready(&self, modem: Imei, sim_card: SimCard, readiness: Readiness) -> Answer<()>;
    /// What has brought each model of modem back so far.
    fn tallies(&self) -> Answer<Vec<RecoveryTally>>;
    /// Keeps what has brought a model back, in place of what was kept before.
    fn keep_tally(&self, tally: RecoveryTally) -> Answer<()>;
    /// Journals what came in. Once it has answered, the modem's copy may go.
    fn take_inbound(&self, new: NewInbound) -> Answer<Journaled>;
    /// Whether a PIN may be typed at a SIM card. If so, that it is typed is on record before the answer.
    fn enter_pin(&self, entry: PinEntry) -> Answer<Result<(), PinRefused>>;
    /// What came of it. Where nobody saw that, nothing is said.
    fn pin_ended(&self, entry: PinEntry, outcome: PinOutcome) -> Answer<()>;
    /// This SIM card is open in this modem. Gives the one that was before, if it was another.
    fn card_is_open(&self, modem: Imei, sim_card: SimCard) -> Answer<Option<SimCard>>;
    /// The SIM card that was open last in this modem.
    fn last_card(&self, modem: Imei) -> Answer<Option<SimCard>>;
    /// Logs what happened. Nobody needs to wait for the answer.
    fn note(&self, event: NewEvent) -> Answer<EventId>;
    /// Keeps what was learned about a model or a SIM card, in the place of what was known before. Nobody needs to wait.
    fn learn(&self, lesson: Lesson) -> Answer<()>;
    /// All that was learned.
    fn lessons(&self) -> Answer<Vec<Lesson>>;
    /// Ends the store: what is queued up is committed, then the last handle is dropped.
    fn close(&self) -> Answer<()>;
}

/// Why the store did not do as asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// There is no such thing, or it belongs to another client.
    NotFound,
    /// A message can't do that as it stands.
    Message(Refused),
    /// A verification can't do that as it stands.
    Verification(VerificationRefused),
    /// A code for this number is still good, or as many texts from it are waited for as may be.
    PendingAlready,
    /// The code is bound to what this field names, which was not given. No attempt was counted.
    Bound(&'static str),
    /// The code that was given can't be the one that was sent, which has this form. No attempt was counted.
    NotSuchACode(Form),
    /// The idempotency key was used before, with another body.
    IdempotencyMismatch,
    /// The idempotency key was used before, and the answer held a secret that is shown once.
    AlreadyShown,
    /// The last admin key can't be revoked.
    LastAdminKey,
    /// The API key was revoked, or has expired.
    KeyEnded,
    /// There are as many webhooks as there may be.
    TooManyWebhooks,
    /// The delivery is not dead, or there is nothing left of it to tell.
    NotDead,
    /// The recipient does not want to be written to.
    OptedOut,
    /// The guard says no.
    Guarded(Refusal),
    /// The network calls the number unassigned; it counts as that for so long yet.
    Unassigned(Duration),
    /// Too many operations wait.
    Busy,
    /// The disk is full, or nearly: nothing new is taken in.
    Full,
    /// The record would be larger than the store takes.
    TooLarge,
    /// The record is damaged and was set aside.
    Damaged,
    /// The store does not agree with its own mark: nothing is taken in and nothing is sent.
    Quarantined,
    /// The master key can't be changed: a sentence that says why and what to do.
    MasterKey(String),
    /// The store has ended.
    Closed,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str("there is no such record"),
            Self::Message(why) => write!(f, "the message can't do that: {why}"),
            Self::Verification(_) => f.write_str("the verification can't do that as it stands"),
            Self::PendingAlready => f.write_str("a code for this number is still good"),
            Self::Bound(field) => write!(f, "the code is bound to its {field}"),
            Self::NotSuchACode(_) => f.write_str("the code that was sent has another length or alphabet"),
            Self::IdempotencyMismatch => f.write_str("the idempotency key was used with another request"),
            Self::AlreadyShown => f.write_str("the secret was shown once already"),
            Self::LastAdminKey => f.write_str("the last admin key can't be revoked"),
            Self::KeyEnded => f.write_str("the API key has ended"),
            Self::TooManyWebhooks => f.write_str("there are too many webhooks"),
            Self::NotDead => f.write_str("the delivery is not dead"),
            Self::Guarded(refusal) => write!(f, "refused by the guard's rule `{}`", refusal.rule.as_str()),
            Self::OptedOut => f.write_str("the recipient does not want to be written to"),
            Self::Unassigned(_) => f.write_str("the network says that the number is not assigned"),
            Self::Busy => f.write_str("too many operations wait for the disk"),
            Self::Full => f.write_str("the disk is full"),
            Self::TooLarge => f.write_str("the record is too large"),
            Self::Damaged => f.write_str("the record is damaged and was set aside"),
            Self::Quarantined => f.write_str("the store is quarantined: it is older than its own mark, or damaged"),
            Self::MasterKey(why) => f.write_str(why),
            Self::Closed => f.write_str("the store is closed"),
        }
    }
}

impl std::error::Error for StoreError {}

/// On whose behalf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// The client of the key.
    pub client: ClientId,
    /// Sees all clients' records.
    pub admin: bool,
}

impl Access {
    /// Whether it may see what belongs to `owner`.
    pub fn sees(&self, owner: ClientId) -> bool {
        self.admin || self.client == owner
    }
}

/// What was made or changed, or had been before under the same idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted<T> {
    /// The resource as it is now.
    pub value: T,
    /// Whether an earlier request did it.
    pub replayed: bool,
    /// What the guard would have refused it for, were those rules enforced.
    pub would_refuse: Vec<Refusal>,
}

impl<T> Accepted<T> {
    /// It was made now.
    pub fn now(value: T) -> Self {
        Self { value, replayed: false, would_refuse: Vec::new() }
    }

    /// An earlier request made it.
    pub fn before(value: T) -> Self {
        Self { value, replayed: true, would_refuse: Vec::new() }
    }
}

/// An idempotency key. Only keyed hashes of these two come to disk: the hash of a body without a key would give the code
/// or the number in it away.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Idempotency {
    /// SHA-256 of client, path and key.
    pub key: [u8; 32],
    /// SHA-256 of the body.
    pub fingerprint: [u8; 32],
}

impl fmt::Debug for Idempotency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Idempotency")
    }
}

/// How far the rotation of the master key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// The key that seals.
    pub current: MasterId,
    /// Older keys, newest first. Empty: no rotation is under way.
    pub older: Vec<MasterId>,
    /// Whether records are being sealed anew. Afterwards those that remain are waited for.
    pub resealing: bool,
    /// Records that still bear an older key. Pending verifications, whose codes come from it, and idempotency keys, which
    /// are found by it, do so until they end.
    pub left: u64,
}

/// A message to be taken in.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// Its id, new.
    pub id: MessageId,
    /// Whose it is.
    pub client: ClientId,
    /// The recipient.
    pub to: Msisdn,
    /// Its text.
    pub body: Body,
    /// How many parts the text has.
    pub parts: u8,
    /// Who goes first.
    pub priority: Priority,
    /// Class 0.
    pub flash: bool,
    /// Not before this.
    pub send_at: Option<Deadline>,
    /// No 0x1A at or after this.
    pub deadline: Deadline,
    /// What to do when an attempt's end can't be known.
    pub on_uncertain: OnUncertain,
    /// The caller's own name for it, at most 128 characters.
    pub client_reference: Option<String>,
    /// On whose behalf: the guard counts by that.
    pub asked: Asked,
}

/// The text of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// A text as it is.
    Text(Secret),
    /// A text in pieces: between each two of them the code is put in when the PDU is built.
    Code(Vec<Secret>),
}

impl Body {
    /// A text in which the code stands once.
    pub fn code(before: impl Into<Secret>, after: impl Into<Secret>) -> Self {
        Self::Code(vec![before.into(), after.into()])
    }
}

/// A verification to be taken in, with the message that carries its code.
#[derive(Clone, Debug)]
pub struct NewVerification {
    /// Its id, new.
    pub id: VerificationId,
    /// What the code is for.
    pub purpose: Option<String>,
    /// The name that the text shows.
    pub brand: Option<String>,
    /// The caller's own JSON, as text, at most 1 KiB.
    pub metadata: Option<String>,
    /// How the code comes about.
    pub code: NewCode,
    /// When it expires.
    pub expires: Deadline,
    /// How it was asked for.
    pub origin: Origin,
    /// Whether it takes the place of a pending one for the same number and purpose. Else that one stands in its way.
    pub supersedes: bool,
    /// Whether the answer is to hold its code.
    pub reveals: bool,
    /// The message; its body is [`Body::Code`]. Where a text is waited for, it is not sent.
    pub message: NewMessage,
}

/// How a new verification's code comes about.
#[derive(Clone, Debug)]
pub enum NewCode {
    /// Derived, with this many characters and this fresh nonce.
    Derived {
        /// Characters, 4 to 10; the wording has their alphabet.
        length: u8,
        /// Sixteen random bytes.
        nonce: [u8; 16],
    },
    /// The caller's own.
    Supplied(Secret),
}

/// A resend.
#[derive(Clone, Debug)]
pub struct Resend {
    /// The new message's id.
    pub message: MessageId,
    /// The text with a gap for the code.
    pub body: Body,
    /// A new code instead of the same one.
    pub fresh: bool,
    /// On whose behalf: the guard counts by that.
    pub asked: Asked,
}

/// A verification and its last message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerificationView {
    /// The verification.
    pub verification: Verification,
    /// Where the message that carries its code stands. `None` if its record is lost, or there is none.
    pub message: Option<Status>,
    /// The word that is to be texted to us: told to the one who creates it.
    pub word: Option<Secret>,
    /// Its code, once: in the answer that was to hold it.
    pub code: Option<Secret>,
}

/// Which of a client's verifications, by place: pages are counted from the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportQuery {
    /// Created at or after this.
    pub since: Wall,
    /// Created before this.
    pub until: Wall,
    /// So many are left out, the newest ones.
    pub skip: usize,
    /// At most so many.
    pub limit: usize,
}

/// A page of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportPage {
    /// How many there are on all pages.
    pub total: usize,
    /// Those of this page.
    pub items: Vec<VerificationView>,
}

/// A code to be checked.
#[derive(Clone, Debug)]
pub struct Check {
    /// The code, folded to ASCII, without spaces and hyphens.
    pub code: Secret,
    /// If given, must be the verification's number, else the code counts as wrong.
    pub to: Option<Msisdn>,
    /// If given, must be the verification's purpose, else the code counts as wrong.
    pub purpose: Option<String>,
    /// If given, must be the amount that the code is bound to, else the code counts as wrong.
    pub amount: Option<String>,
    /// If given, must be the payee that the code is bound to, else the code counts as wrong.
    pub payee: Option<String>,
}

impl Check {
    /// That code, whatever it is for.
    pub fn of(code: Secret) -> Self {
        Self { code, to: None, purpose: None, amount: None, payee: None }
    }
}

/// What a check came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether this was the right code, in time; true once in a verification's life.
    pub valid: bool,
    /// Where the verification stood after it.
    pub state: VerificationState,
    /// Its number.
    pub to: Msisdn,
    /// Its purpose.
    pub purpose: Option<String>,
    /// Wrong codes that may still be given.
    pub attempts_left: u8,
    /// Whether this is an earlier check's verdict, repeated for the same idempotency key.
    pub replayed: bool,
    /// What the guard would have refused it for, were those rules enforced.
    pub would_refuse: Vec<Refusal>,
}

/// How long to wait for news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Answer at once if the version is above this one. `None`: answer at once only if it is final.
    pub after: Option<u32>,
    /// At most so long; then the unchanged resource is the answer.
    pub at_most: Duration,
}

/// Which messages.
#[derive(Clone, Debug, Default)]
pub struct MessageQuery {
    /// In this state.
    pub status: Option<Status>,
    /// To this number.
    pub to: Option<Msisdn>,
    /// Accepted at or after this.
    pub since: Option<Wall>,
    /// Accepted before this.
    pub until: Option<Wall>,
    /// With this reference.
    pub client_reference: Option<String>,
    /// Older than this one: the last page's cursor.
    pub before: Option<MessageId>,
    /// At most so many, 1 to 200.
    pub limit: usize,
}

/// A PDU that came in.
#[derive(Clone, Debug)]
pub struct NewInbound {
    /// The modem that it came to.
    pub modem: Imei,
    /// The SIM card in it.
    pub sim_card: SimCard,
    /// Its octets in hexadecimal, the service centre's field first.
    pub pdu: Secret,
}

/// What became of a PDU that came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Journaled {
    /// The message that it is, or is a part of.
    pub message: InboundId,
    /// Whether it was not known before.
    pub is_new: bool,
}

/// A message that came in, with what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboundView {
    /// The message.
    pub message: Inbound,
    /// Its text, with a mark where parts are missing. `None`: it has none, or can't be read.
    pub text: Option<Secret>,
    /// The PDUs of its parts, as far as they came.
    pub pdus: Vec<Secret>,
}

/// Which messages that came in.
#[derive(Clone, Debug, Default)]
pub struct InboundQuery {
    /// From this sender, as the list shows it.
    pub from: Option<Secret>,
    /// Received at or after this.
    pub since: Option<Wall>,
    /// Received before this.
    pub until: Option<Wall>,
    /// Older than this one: the last page's cursor.
    pub before: Option<InboundId>,
    /// At most so many, 1 to 200.
    pub limit: usize,
}

/// Which numbers of the opt-out list.
#[derive(Clone, Copy, Debug, Default)]
pub struct OptOutQuery {
    /// Older than this one: the last page's cursor.
    pub before: Option<OptOutId>,
    /// At most so many, 1 to 200.
    pub limit: usize,
}

/// Which lines of the event log.
#[derive(Clone, Debug, Default)]
pub struct EventQuery {
    /// Of this kind.
    pub kind: Option<EventKind>,
    /// Logged at or after this.
    pub since: Option<Wall>,
    /// Logged before this.
    pub until: Option<Wall>,
    /// Older than this one: the last page's cursor.
    pub before: Option<EventId>,
    /// At most so many, 1 to 200.
    pub limit: usize,
}

/// A webhook, and how it fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookView {
    /// The webhook.
    pub webhook: Webhook,
    /// Deliveries that wait.
    pub waiting: usize,
    /// Deliveries that are not tried any more.
    pub dead: usize,
    /// Failed attempts since the last that did not, since otpgate started.
    pub failures: u32,
    /// How the last attempt ended, since otpgate started.
    pub last: Option<Attempted>,
}

/// Which deliveries of a webhook.
#[derive(Clone, Debug, Default)]
pub struct DeliveryQuery {
    /// In this state, by its word.
    pub status: Option<&'static str>,
    /// Of what happened at or after this.
    pub since: Option<Wall>,
    /// Of what happened before this.
    pub until: Option<Wall>,
    /// Older than this one: the last page's cursor.
    pub before: Option<DeliveryId>,
    /// At most so many, 1 to 200.
    pub limit: usize,
}

/// How many dead deliveries are tried anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// So many are.
    pub replayed: usize,
    /// So many more were asked for, and are another request's.
    pub left: usize,
}

/// A delivery that is to be tried now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// Its id.
    pub delivery: DeliveryId,
    /// Whom it is for.
    pub webhook: WebhookId,
    /// Where to.
    pub url: Secret,
    /// What is told.
    pub body: Secret,
    /// What signs it, the newest first.
    pub secrets: Vec<Secret>,
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T, Id = MessageId> {
    /// The items, newest first.
    pub items: Vec<T>,
    /// Where the next page begins, if there is one.
    pub next: Option<Id>,
}

impl<T, Id> Page<T, Id> {
    /// The first of these, `limit` at most. None is read beyond the one that shows that there are more.
    fn first_of(all: impl Iterator<Item = T>, limit: usize, id: impl Fn(&T) -> Id) -> Self {
        let mut items: Vec<T> = all.take(limit.saturating_add(1)).collect();
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(id);
        Self { items, next }
    }
}

/// An API key, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id.
    pub id: KeyId,
    /// The client whose key it is.
    pub client: ClientId,
    /// A name for people.
    pub name: String,
    /// SHA-256 of the secret; the secret is 256 random bits, so that no slower hash is needed.
    pub secret_sha256: [u8; 32],
    /// What it may do.
    pub scopes: BTreeSet<Scope>,
    /// Which limits it may pass.
    pub permissions: BTreeSet<Permission>,
    /// When it was made.
    pub created: Wall,
    /// When it ends by itself.
    pub expires: Option<Wall>,
    /// When it was revoked.
    pub revoked: Option<Wall>,
    /// What else holds for it.
    pub settings: KeySettings,
}

/// What holds for one key beyond its scopes. By default nothing does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeySettings {
    /// From where it may be used. Empty: from anywhere.
    pub networks: Vec<Network>,
    /// Whose numbers it may send to. Empty: those of the countries that the gateway serves.
    pub countries: BTreeSet<Country>,
    /// How much it may send.
    pub limits: KeyLimits,
    /// Whether its caller is not to learn that a number is blocked or has opted out.
    pub conceal: bool,
    /// The templates that it may use, the one that it uses unasked first. Empty: all, and the built-in one unasked.
    pub templates: Vec<String>,
    /// The name that its texts show if a request gives none.
    pub brand: Option<String>,
    /// Web hosts that its codes may be bound to.
    pub hosts: Vec<String>,
    /// Hashes of Android apps that its texts may be addressed to.
    pub apps: Vec<String>,
}

/// What is to change about a key. What is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of the key and its settings")]
pub struct KeyChange {
    pub name: Option<String>,
    pub networks: Option<Vec<Network>>,
    pub countries: Option<BTreeSet<Country>>,
    pub per_minute: Option<Option<u32>>,
    pub per_hour: Option<Option<u32>>,
    pub per_day: Option<Option<u32>>,
    pub conceal: Option<bool>,
    pub templates: Option<Vec<String>>,
    pub brand: Option<Option<String>>,
    pub hosts: Option<Vec<String>>,
    pub apps: Option<Vec<String>>,
}

impl KeyChange {
    /// Makes the change.
    pub fn apply(self, key: &mut ApiKey) {
        fn set<T>(place: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *place = value;
            }
        }
        let settings = &mut key.settings;
        set(&mut key.name, self.name);
        set(&mut settings.networks, self.networks);
        set(&mut settings.countries, self.countries);
        set(&mut settings.limits.per_minute, self.per_minute);
        set(&mut settings.limits.per_hour, self.per_hour);
        set(&mut settings.limits.per_day, self.per_day);
        set(&mut settings.conceal, self.conceal);
        set(&mut settings.templates, self.templates);
        set(&mut settings.brand, self.brand);
        set(&mut settings.hosts, self.hosts);
        set(&mut settings.apps, self.apps);
    }
}

/// The key that takes another one's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextKey {
    /// Its id, new.
    pub id: KeyId,
    /// SHA-256 of its secret.
    pub secret_sha256: [u8; 32],
    /// For how long the older one is still good.
    pub overlap: Duration,
}

/// How many messages and verifications a key may send. `None`: as many as it wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyLimits {
    /// In any 60 seconds.
    pub per_minute: Option<u32>,
    /// In any 60 minutes.
    pub per_hour: Option<u32>,
    /// In any 24 hours.
    pub per_day: Option<u32>,
}

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Create, resend and cancel verifications.
    Verify,
    /// Check codes.
    Check,
    /// Send free text.
    Send,
    /// Read messages, verifications and modems.
    Read,
    /// The client's webhooks.
    Webhooks,
    /// The virtual network's inbox.
    Simulator,
    /// All of these, and the keys.
    Admin,
    /// Read what came in: it belongs to the box, and so to no client.
    Inbound,
    /// All of MyOTP.App's calls, and nothing else: such a key is good in that dialect's header only.
    MyOtp,
}

impl Scope {
    /// All of them.
    pub const ALL: [Scope; 9] = [
        Self::Verify,
        Self::Check,
        Self::Send,
        Self::Read,
        Self::Inbound,
        Self::Webhooks,
        Self::Simulator,
        Self::Admin,
        Self::MyOtp,
    ];

    /// The word that the API and the command line use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Check => "check",
            Self::Send => "send",
            Self::Read => "read",
            Self::Inbound => "inbound",
            Self::Webhooks => "webhooks",
            Self::Simulator => "simulator",
            Self::Admin => "admin",
            Self::MyOtp => "myotp",
        }
    }

    /// Whether its keys belong to another dialect than our own.
    pub fn is_foreign(self) -> bool {
        self == Self::MyOtp
    }

    /// The inverse of [`Scope::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == word)
    }
}

/// Which limits a key may pass. No key has one by default, the admin key neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    /// Codes shorter than the configured minimum.
    ShortCodes,
    /// Codes that live longer than the configured maximum.
    LongTtl,
    /// A code in the answer, for the dialects that have it.
    ReturnCode,
}

impl Permission {
    /// All of them.
    pub const ALL: [Permission; 3] = [Self::ShortCodes, Self::LongTtl, Self::ReturnCode];

    /// The word that the API and the command line use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ShortCodes => "short_codes",
            Self::LongTtl => "long_ttl",
            Self::ReturnCode => "return_code",
        }
    }

    /// The inverse of [`Permission::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.as_str() == word)
    }
}

/// How the store is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Why it is quarantined, if it is: nothing is taken in and nothing is sent.
    pub quarantined: Option<String>,
    /// Records that did not decode and were set aside.
    pub set_aside: usize,
    /// Messages that wait for a modem.
    pub queued: usize,
    /// Sending waits until the wall clock has passed this: at the last stop it had been later than at this start.
    pub clock_held_until: Option<Wall>,
    /// So little of the disk is free that nothing new is taken in; sending goes on. Looked at with each batch, and every
    /// half minute.
    pub low_space: bool,
    /// Every SIM card that could send is held back, by its limits or since the network refuses it.
    pub held: bool,
    /// Something waits, and limits or what the network refuses may be why.
    pub waits: bool,
    /// Status reports since otpgate started that fit no message, by SIM card.
    pub unmatched_reports: BTreeMap<SimCard, u64>,
    /// Since when an admin keeps everything from being sent.
    pub stopped: Option<Wall>,
    /// Whether it still commits.
    pub closed: bool,
}

/// What SIM cards may send, and which messages go over which.
#[derive(Clone, Debug)]
pub struct Policy {
    /// What a limit that is reached does.
    pub mode: Mode,
    /// Whether that goes for virtual SIM cards, too.
    pub virtual_cards: bool,
    /// The limits of a card that has none of its own.
    pub limits: Limits,
    /// Those of the cards that differ, whole.
    pub own: BTreeMap<SimCard, Limits>,
    /// Which SIM cards numbers go over.
    pub routes: Routes,
}

impl Policy {
    /// The limits of one SIM card.
    pub fn limits_of(&self, sim_card: &SimCard) -> Limits {
        self.own.get(sim_card).unwrap_or(&self.limits).clone()
    }
}

impl Default for Policy {
    /// No limits and no routes.
    fn default() -> Self {
        Self {
            mode: Mode::Off,
            virtual_cards: true,
            limits: Limits::default(),
            own: BTreeMap::new(),
            routes: Routes::default(),
        }
    }
}

/// What a modem tells of itself and its SIM card, as far as it matters for what is sent over them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// Whether it can send.
    pub ready: bool,
    /// Whether its registration leaves that in doubt: then it goes last.
    pub doubtful: bool,
    /// The network's name.
    pub operator: Option<String>,
    /// Whether it hears the network badly.
    pub weak_signal: bool,
    /// Whether modem and SIM card are virtual ones: no plan is behind them, and no network that blocks.
    pub is_virtual: bool,
}

impl Readiness {
    /// It can send, without doubt.
    pub fn yes() -> Self {
        Self { ready: true, ..Self::default() }
    }

    /// It can't.
    pub fn no() -> Self {
        Self::default()
    }
}

/// What a SIM card has sent, and whether it may send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimCardView {
    /// What a limit that is reached does.
    pub mode: Mode,
    /// How full each window is. Empty: nothing is counted.
    pub used: Vec<Used>,
    /// The window that has no room for a single part.
    pub full: Option<Window>,
    /// When it has.
    pub next_slot: Option<Wall>,
    /// Whether it counts as new.
    pub is_new: bool,
    /// Why it is out of service, if it is, and when it is tried again.
    pub out_of_service: Option<Open>,
    /// Why nothing is sent over it, in words: it is out of service.
    pub why: Option<String>,
    /// What was reported of its messages.
    pub deliveries: Deliveries,
    /// Whether what it sends to its own number comes back. `None`: it sends nothing there.
    pub canary: Option<CanaryView>,
}

/// A SIM card's canary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CanaryView {
    /// What the last one came to since otpgate started. `None`: nothing yet.
    pub verdict: Option<CanaryVerdict>,
    /// What is wrong, and the remedy, if it failed.
    pub why: Option<String>,
    /// When the next one is due.
    pub next: Wall,
}

/// A message that a modem may send. Given back when dropped, unless an intent was recorded for it.
#[derive(Debug)]
pub struct Claim {
    /// The message as it was when it was claimed; the intent fences what has changed since.
    pub message: Message,
    /// Its text, whole, with the code in it.
    pub text: Secret,
    /// The concatenation reference for its parts.
    pub concat_reference: u8,
    /// Between hand-over of 0x1A and a cancel, whoever is first.
    pub gate: Gate,
    /// Gives it back.
    pub lease: Lease,
}

pub use audit::{Actor, AuditQuery, AuditWalk};
pub use gate::{Gate, Lease};
pub use guard::{Asked, CallerKey, Counted, GuardOrder, GuardView, KeptLedger, KeptMark, Listed, ListedQuery};
pub use inbound::KeptPdu;
pub use opt_out::OptOut;
pub use record::Made;

/// What came of asking to record an intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// It is on disk: the PDU may leave.
    Granted,
    /// It may not: canceled, superseded, expired, or claimed elsewhere.
    Refused(Refused),
}

/// What has brought a model of modem back, and what has not: by rung of the ladder, the lowest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveryTally {
    /// The model, as it names itself.
    pub model: String,
    /// Each rung's counts.
    pub rungs: Vec<Count>,
}

impl RecoveryTally {
    /// What its record is found by. A model is no secret.
    pub(crate) fn hash(&self) -> [u8; 16] {
        let mut hash = [0; 16];
        hash.copy_from_slice(&Sha256::digest(&self.model)[..16]);
        hash
    }
}

/// What became of one part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The message.
    pub message: MessageId,
    /// The part.
    pub part: PartId,
    /// The SIM card and modem of the attempt, against a mix-up.
    pub sim_card: SimCard,
    /// What became of it.
    pub result: PartResult,
}

/// A PIN to be typed.
#[derive(Clone, Debug)]
pub struct PinEntry {
    /// Where.
    pub modem: Imei,
    /// At which card.
    pub sim_card: SimCard,
    /// Whether the modem said that this card is in it. Else it is only believed to be, and what comes of the PIN holds for
    /// the modem as well.
    pub card_read: bool,
    /// The PIN.
    pub pin: Secret,
    /// How many tries are left, as far as the modem tells.
    pub tries_left: Option<u8>,
}

/// A status report as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The SIM card that received it.
    pub sim_card: SimCard,
    /// TP-MR.
    pub reference: u8,
    /// The digits of TP-RA, perhaps in national form.
    pub recipient: Secret,
    /// TP-ST.
    pub status: u8,
    /// What TP-ST means.
    pub verdict: ReportVerdict,
}

/// A result of a send that had been given up for uncertain: at a time-out, with the port, or with the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LateResult {
    /// The modem that told it.
    pub modem: Imei,
    /// The SIM card in it.
    pub sim_card: SimCard,
    /// What it says.
    pub result: PartResult,
    /// Whether its own dialogue was still listened to. An error heard otherwise may be any command's.
    pub waited_for: bool,
}

/// What became of a status report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matched {
    /// It is on record with this message.
    Recorded(MessageId),
    /// It says nothing new.
    Known,
    /// It fits no message yet. It is kept for five minutes, in memory, and tried again.
    Kept,
    /// Nothing is taken from a quarantined store's modems.
    Refused,
}

/// A send that was given up for uncertain without an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOpen {
    /// The message.
    pub message: MessageId,
    /// The part.
    pub part: PartId,
    /// The modem.
    pub modem: Imei,
    /// The SIM card in it.
    pub sim_card: SimCard,
    /// Until when its result may come.
    pub until: Mono,
}

mod audit;
mod awaited;
pub mod backend;
mod canary;
pub mod committer;
pub mod data_dir;
mod deliveries;
mod engine;
mod envelope;
mod events;
mod evidence;
mod expected;
#[doc(hidden)]
pub mod fuzzing;
mod gate;
#[cfg(test)]
pub(crate) mod generate;
mod guard;
mod inbound;
mod index;
mod inspection;
pub mod keyring;
mod keys;
mod lessons;
pub mod master_key;
pub mod masters;
pub mod memory_backend;
mod opt_out;
mod outbox;
mod pin_guard;
pub mod record;
mod requests;
mod sending;
mod shape;
mod sim_cards;
pub mod sled_backend;
mod slots;
mod tally;
pub mod vault;
mod verifications;
mod webhooks;
