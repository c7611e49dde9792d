//! What is on disk: a key for each record, and the record itself.
//!
//! Key: a kind byte and the id, big-endian, so that keys sort as their ids do. The record is written with postcard in
//! shapes that are laid down in `shape`; everything of it is sealed by the vault.

use super::audit::AuditAnchor;
use super::deliveries::DeliveryRecord;
use super::envelope::OVERHEAD;
use super::guard::{GuardOrder, KeptLedger};
use super::inbound::KeptPdu;
use super::opt_out::OptOut;
use super::pin_guard::PinGuard;
use super::shape::{Disk, Grown};
use super::{ApiKey, Body, RecoveryTally};
use crate::dispatch::breaker::Open;
use crate::domain::audit::AuditEntry;
use crate::domain::equipment::SimCard;
use crate::domain::event::LoggedEvent;
use crate::domain::id::{DeliveryId, EventId, InboundId, KeyId, MessageId, VerificationId, WebhookId};
use crate::domain::inbound::Inbound;
use crate::domain::learned::Lesson;
use crate::domain::message::Message;
use crate::domain::secret::Secret;
use crate::domain::time::Deadline;
use crate::domain::verification::{Verification, VerificationState};
use crate::domain::webhook::{Delivery, Webhook};
use crate::otp::guard::ledger::Kind;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

/// Names a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A message without its text.
    Message(MessageId),
    /// That message's text, which is erased first.
    Body(MessageId),
    /// A verification without its code.
    Verification(VerificationId),
    /// The code that a caller supplied, which is erased first.
    SuppliedCode(VerificationId),
    /// An API key without its secret.
    ApiKey(KeyId),
    /// An idempotency key, by its keyed hash.
    Idempotency([u8; 16]),
    /// What is kept of a SIM card, by a keyed hash of its number.
    SimCard([u8; 16]),
    /// What has brought a model of modem back, by a hash of its name.
    Recovery([u8; 16]),
    /// A message that came in, without what it says.
    Inbound(InboundId),
    /// What came in, octet by octet, by its keyed hash.
    InboundPdu([u8; 16]),
    /// A number that is not to be written to, by its keyed hash.
    OptOut([u8; 16]),
    /// The PINs that were typed at a SIM card, by a keyed hash of the card.
    PinGuard([u8; 16]),
    /// A line of the event log.
    Event(EventId),
    /// What was learned about a model or a SIM card, by its number.
    Lesson(u128),
    /// What the guard has counted of a subject, by its keyed hash.
    Ledger([u8; 16]),
    /// What an admin has ordered the guard, by a keyed hash of it.
    GuardOrder([u8; 16]),
    /// What was reported of a SIM card's messages, by a keyed hash of its number.
    Delivery([u8; 16]),
    /// A webhook, with what signs for it.
    Webhook(WebhookId),
    /// A piece of news on its way to a webhook.
    News(DeliveryId),
    /// A line of the audit log, by its place.
    Audit(u64),
    /// What the audit log begins with.
    AuditAnchor,
}

/// A record, of the kind that its [`Key`] says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the kinds are those of the keys")]
pub enum Record {
    Message(Message),
    Body(Body),
    Verification(Verification),
    SuppliedCode(Secret),
    ApiKey(ApiKey),
    Idempotency(IdempotencyRecord),
    SimCard(SimCardRecord),
    Recovery(RecoveryTally),
    Inbound(Inbound),
    InboundPdu(KeptPdu),
    OptOut(OptOut),
    PinGuard(PinGuard),
    Event(LoggedEvent),
    Lesson(Lesson),
    Ledger(KeptLedger),
    GuardOrder(GuardOrder),
    Delivery(DeliveryRecord),
    Webhook(Webhook),
    News(Delivery),
    Audit(AuditEntry),
    AuditAnchor(AuditAnchor),
}

/// What is kept of a SIM card that no message's record tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimCardRecord {
    /// The card.
    pub sim_card: SimCard,
    /// Until when it counts as new.
    pub new_until: Option<Deadline>,
    /// Why it is out of service, if it is.
    pub out_of_service: Option<Open>,
}

/// What was made under an idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyRecord {
    /// Keyed hash of the body.
    pub fingerprint: [u8; 16],
    /// What it made.
    pub made: Made,
    /// Until when it is remembered.
    pub until: Deadline,
}

/// What a request made: enough to answer it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Made {
    /// A message.
    Message(MessageId),
    /// A verification.
    Verification(VerificationId),
    /// An API key; its secret is not shown again.
    Key(KeyId),
    /// A check's verdict, which is repeated as it was.
    Verdict {
        /// The verification.
        verification: VerificationId,
        /// Whether it was the right code.
        valid: bool,
        /// Where the verification stood after it.
        state: VerificationState,
        /// Wrong codes that could still be given.
        attempts_left: u8,
    },
    /// A further message of a verification.
    Resend {
        /// The verification.
        verification: VerificationId,
        /// Its new message.
        message: MessageId,
    },
    /// A message was called off.
    CanceledMessage(MessageId),
    /// A verification was ended.
    CanceledVerification(VerificationId),
    /// A webhook, or another secret for one; it is not shown again.
    Webhook(WebhookId),
    /// A piece of news for a webhook, or another try of one.
    Delivery(DeliveryId),
}

impl Key {
    /// As it is in the map.
    pub fn to_bytes(self) -> [u8; 17] {
        let (kind, id) = match self {
            Self::Message(id) => (MESSAGE, id.0.to_be_bytes()),
            Self::Body(id) => (BODY, id.0.to_be_bytes()),
            Self::Verification(id) => (VERIFICATION, id.0.to_be_bytes()),
            Self::SuppliedCode(id) => (SUPPLIED_CODE, id.0.to_be_bytes()),
            Self::ApiKey(id) => (API_KEY, id.0.to_be_bytes()),
            Self::Idempotency(hash) => (IDEMPOTENCY, hash),
            Self::SimCard(hash) => (SIM_CARD, hash),
            Self::Recovery(hash) => (RECOVERY, hash),
            Self::Inbound(id) => (INBOUND, id.0.to_be_bytes()),
            Self::InboundPdu(hash) => (INBOUND_PDU, hash),
            Self::OptOut(hash) => (OPT_OUT, hash),
            Self::PinGuard(hash) => (PIN_GUARD, hash),
            Self::Event(id) => (EVENT, id.0.to_be_bytes()),
            Self::Lesson(number) => (LESSON, number.to_be_bytes()),
            Self::Ledger(hash) => (LEDGER, hash),
            Self::GuardOrder(hash) => (GUARD_ORDER, hash),
            Self::Delivery(hash) => (DELIVERY, hash),
            Self::Webhook(id) => (WEBHOOK, id.0.to_be_bytes()),
            Self::News(id) => (NEWS, id.0.to_be_bytes()),
            Self::Audit(sequence) => (AUDIT, u128::from(sequence).to_be_bytes()),
            Self::AuditAnchor => (AUDIT, [0; 16]),
        };
        let mut bytes = [kind; 17];
        bytes[1..].copy_from_slice(&id);
        bytes
    }

    /// The inverse of [`Key::to_bytes`]. `None`: no kind that this version knows.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (kind, id) = bytes.split_first()?;
        let hash: [u8; 16] = id.try_into().ok()?;
        let id = u128::from_be_bytes(hash);
        Some(match *kind {
            MESSAGE => Self::Message(MessageId(id)),
            BODY => Self::Body(MessageId(id)),
            VERIFICATION => Self::Verification(VerificationId(id)),
            SUPPLIED_CODE => Self::SuppliedCode(VerificationId(id)),
            API_KEY => Self::ApiKey(KeyId(id)),
            IDEMPOTENCY => Self::Idempotency(hash),
            SIM_CARD => Self::SimCard(hash),
            RECOVERY => Self::Recovery(hash),
            INBOUND => Self::Inbound(InboundId(id)),
            INBOUND_PDU => Self::InboundPdu(hash),
            OPT_OUT => Self::OptOut(hash),
            PIN_GUARD => Self::PinGuard(hash),
            EVENT => Self::Event(EventId(id)),
            LESSON => Self::Lesson(id),
            LEDGER => Self::Ledger(hash),
            GUARD_ORDER => Self::GuardOrder(hash),
            DELIVERY => Self::Delivery(hash),
            WEBHOOK => Self::Webhook(WebhookId(id)),
            NEWS => Self::News(DeliveryId(id)),
            // Lines are counted from 1.
            AUDIT if id == 0 => Self::AuditAnchor,
            AUDIT => Self::Audit(u64::try_from(id).ok()?),
            _ => return None,
        })
    }

    /// The kind's name, for counts and reports.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Message(_) => "messages",
            Self::Body(_) => "bodies",
            Self::Verification(_) => "verifications",
            Self::SuppliedCode(_) => "supplied codes",
            Self::ApiKey(_) => "API keys",
            Self::Idempotency(_) => "idempotency keys",
            Self::SimCard(_) => "SIM cards",
            Self::Recovery(_) => "recovery tallies",
            Self::Inbound(_) => "inbound messages",
            Self::InboundPdu(_) => "inbound PDUs",
            Self::OptOut(_) => "opt-outs",
            Self::PinGuard(_) => "PIN guards",
            Self::Event(_) => "events",
            Self::Lesson(_) => "lessons",
            Self::Ledger(_) => "guard ledgers",
            Self::GuardOrder(_) => "guard orders",
            Self::Delivery(_) => "deliveries",
            Self::Webhook(_) => "webhooks",
            Self::News(_) => "webhook deliveries",
            Self::Audit(_) | Self::AuditAnchor => "audit lines",
        }
    }
}

impl Record {
    /// Whether it may stand under this key.
    pub fn fits(&self, key: Key) -> bool {
        match (self, key) {
            (Self::Message(m), Key::Message(id)) => m.id == id,
            (Self::Verification(v), Key::Verification(id)) => v.id == id,
            (Self::ApiKey(k), Key::ApiKey(id)) => k.id == id,
            (Self::Event(e), Key::Event(id)) => e.id == id,
            (Self::Audit(e), Key::Audit(sequence)) => e.sequence == sequence,
            (Self::Recovery(t), Key::Recovery(hash)) => t.hash() == hash,
            (Self::Inbound(m), Key::Inbound(id)) => m.id == id,
            (Self::Webhook(w), Key::Webhook(id)) => w.id == id,
            (Self::News(d), Key::News(id)) => d.id == id,
            (Self::Body(_), Key::Body(_))
            | (Self::SuppliedCode(_), Key::SuppliedCode(_))
            | (Self::InboundPdu(_), Key::InboundPdu(_))
            | (Self::OptOut(_), Key::OptOut(_))
            | (Self::Idempotency(_), Key::Idempotency(_))
            | (Self::SimCard(_), Key::SimCard(_))
            | (Self::PinGuard(_), Key::PinGuard(_))
            | (Self::Ledger(_), Key::Ledger(_))
            | (Self::GuardOrder(_), Key::GuardOrder(_))
            | (Self::Lesson(_), Key::Lesson(_))
            | (Self::Delivery(_), Key::Delivery(_))
            | (Self::AuditAnchor(_), Key::AuditAnchor) => true,
            _ => false,
        }
    }

    /// Whether the store would refuse it with [`VaultError::TooLarge`](super::vault::VaultError::TooLarge).
    pub fn is_too_large(&self) -> bool {
        self.encode().len() + OVERHEAD > MAX_VALUE
    }

    /// Whether it stays with the master key that it was first sealed with: an idempotency key is found by a hash under that
    /// key, and so is what the guard has counted; a pending verification's code is derived from it.
    pub(super) fn keeps_its_key(&self) -> bool {
        match self {
            Self::Idempotency(_) => true,
            Self::Verification(verification) => !verification.is_final(),
            // Of what is remembered for long the older hash is given up: that lets nobody through who was held back.
            Self::Ledger(kept) => !matches!(kept.kind, Kind::Approved | Kind::Checks),
            Self::Message(_)
            | Self::Body(_)
            | Self::SuppliedCode(_)
            | Self::ApiKey(_)
            | Self::PinGuard(_)
            | Self::SimCard(_)
            | Self::Inbound(_)
            | Self::InboundPdu(_)
            | Self::OptOut(_)
            | Self::Event(_)
            | Self::Lesson(_)
            | Self::GuardOrder(_)
            | Self::Delivery(_)
            | Self::Webhook(_)
            | Self::News(_)
            | Self::Audit(_)
            | Self::AuditAnchor(_)
            | Self::Recovery(_) => false,
        }
    }

    /// The record as bytes, not yet sealed.
    pub(super) fn encode(&self) -> Zeroizing<Vec<u8>> {
        match self {
            Self::Message(m) => encode(m),
            Self::Body(b) => encode(b),
            Self::Verification(v) => encode_grown(v),
            Self::SuppliedCode(c) => encode(c),
            Self::ApiKey(k) => encode_grown(k),
            Self::Idempotency(i) => encode(i),
            Self::SimCard(c) => encode(c),
            Self::Recovery(t) => encode(t),
            Self::Inbound(m) => encode(m),
            Self::InboundPdu(p) => encode(p),
            Self::OptOut(o) => encode(o),
            Self::PinGuard(g) => encode(g),
            Self::Event(e) => encode(e),
            Self::Lesson(l) => encode(l),
            Self::Ledger(l) => encode(l),
            Self::GuardOrder(o) => encode(o),
            Self::Delivery(d) => encode(d),
            Self::Webhook(w) => encode(w),
            Self::News(d) => encode(d),
            Self::Audit(e) => encode(e),
            Self::AuditAnchor(a) => encode(a),
        }
    }

    /// The inverse of [`Record::encode`]. `None`: it holds something that this version does not know.
    pub(super) fn decode(key: Key, bytes: &[u8]) -> Option<Self> {
        let record = match key {
            Key::Message(_) => Self::Message(decode(bytes)?),
            Key::Body(_) => Self::Body(decode(bytes)?),
            Key::Verification(_) => Self::Verification(decode_grown(bytes)?),
            Key::SuppliedCode(_) => Self::SuppliedCode(decode(bytes)?),
            Key::ApiKey(_) => Self::ApiKey(decode_grown(bytes)?),
            Key::Idempotency(_) => Self::Idempotency(decode(bytes)?),
            Key::SimCard(_) => Self::SimCard(decode(bytes)?),
            Key::Recovery(_) => Self::Recovery(decode(bytes)?),
            Key::Inbound(_) => Self::Inbound(decode(bytes)?),
            Key::InboundPdu(_) => Self::InboundPdu(decode(bytes)?),
            Key::OptOut(_) => Self::OptOut(decode(bytes)?),
            Key::PinGuard(_) => Self::PinGuard(decode(bytes)?),
            Key::Event(_) => Self::Event(decode(bytes)?),
            Key::Lesson(_) => Self::Lesson(decode(bytes)?),
            Key::Ledger(_) => Self::Ledger(decode(bytes)?),
            Key::GuardOrder(_) => Self::GuardOrder(decode(bytes)?),
            Key::Delivery(_) => Self::Delivery(decode(bytes)?),
            Key::Webhook(_) => Self::Webhook(decode(bytes)?),
            Key::News(_) => Self::News(decode(bytes)?),
            Key::Audit(_) => Self::Audit(decode(bytes)?),
            Key::AuditAnchor => Self::AuditAnchor(decode(bytes)?),
        };
        record.fits(key).then_some(record)
    }
}

fn encode<T: Disk>(value: &T) -> Zeroizing<Vec<u8>>
where
    T::Shape: Serialize,
{
    // With room for the largest record from the start, growing leaves no copy of a text behind.
    let room = Vec::with_capacity(MAX_VALUE);
    Zeroizing::new(postcard::to_extend(&value.shape(), room).expect(NOTHING_REFUSED))
}

fn encode_grown<T: Grown>(value: &T) -> Zeroizing<Vec<u8>>
where
    T::Shape: Serialize,
{
    Zeroizing::new(value.write_more(std::mem::take(&mut *encode(value))).expect(NOTHING_REFUSED))
}

fn decode<T: Disk>(bytes: &[u8]) -> Option<T>
where
    T::Shape: DeserializeOwned,
{
    let (shape, rest) = postcard::take_from_bytes(bytes).ok()?;
    rest.is_empty().then(|| T::from_shape(shape))?
}

fn decode_grown<T: Grown>(bytes: &[u8]) -> Option<T>
where
    T::Shape: DeserializeOwned,
{
    let (shape, more) = postcard::take_from_bytes(bytes).ok()?;
    let mut value = T::from_shape(shape)?;
    value.read_more(more)?.is_empty().then_some(value)
}

const NOTHING_REFUSED: &str = "the shapes hold nothing that postcard refuses";

/// No value on disk is larger, its header and tag included: sled keeps larger ones in files that it never syncs.
pub const MAX_VALUE: usize = 4096;

// Kind 0 is the vault's own.
const MESSAGE: u8 = 1;
const BODY: u8 = 2;
const VERIFICATION: u8 = 3;
const SUPPLIED_CODE: u8 = 4;
const API_KEY: u8 = 5;
const IDEMPOTENCY: u8 = 6;
const SIM_CARD: u8 = 9;
const RECOVERY: u8 = 14;
const INBOUND: u8 = 10;
const INBOUND_PDU: u8 = 11;
const OPT_OUT: u8 = 12;
const PIN_GUARD: u8 = 7;
const LESSON: u8 = 8;
const EVENT: u8 = 13;
const LEDGER: u8 = 16;
const GUARD_ORDER: u8 = 17;
const DELIVERY: u8 = 15;
const WEBHOOK: u8 = 18;
const NEWS: u8 = 19;
const AUDIT: u8 = 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::equipment::Imei;
    use crate::domain::id::ClientId;
    use crate::domain::message::{
        Attempt, OnUncertain, Part, PartReport, PartState, Priority, ReportVerdict, State, max_attempts,
    };
    use crate::domain::msisdn::Msisdn;
    use crate::domain::reason::Reason;
    use crate::domain::time::{BootId, BootTime, Wall};
    use crate::domain::verification::Origin;
    use crate::store::{KeySettings, generate};
    use proptest::prelude::*;
    use std::time::Duration;

    proptest! {
        #[test]
        fn a_record_and_its_key_read_back((key, record) in generate::record()) {
            let bytes = key.to_bytes();
            prop_assert_eq!(Key::from_bytes(&bytes), Some(key));
            let plain = record.encode();
            prop_assert_eq!(Record::decode(key, &plain), Some(record));
            prop_assert_eq!(Record::decode(key, &plain[..plain.len() - 1]), None, "cut short");
            prop_assert_eq!(Record::decode(key, &[&plain[..], &[0]].concat()), None, "something behind it");
        }

        /// One that was written before the record grew ends where its first shape does.
        #[test]
        fn what_an_older_record_lacks_has_its_default(v in generate::verification(), k in generate::api_key()) {
            let (verification, key) = (Key::Verification(v.id), Key::ApiKey(k.id));
            let older = Verification { origin: Origin::default(), ..v.clone() };
            prop_assert_eq!(Record::decode(verification, &encode(&v)), Some(Record::Verification(older)));
            let older = ApiKey { settings: KeySettings::default(), ..k.clone() };
            prop_assert_eq!(Record::decode(key, &encode(&k)), Some(Record::ApiKey(older)));
        }

        #[test]
        fn a_text_with_one_gap_reads_as_it_was_first_written(before in ".{0,20}", after in ".{0,20}") {
            let id = MessageId(1);
            let first = postcard::to_allocvec(&(1u8, &before, &after)).expect("a text");
            prop_assert_eq!(Record::decode(Key::Body(id), &first), Some(Record::Body(Body::code(before, after))));
        }

        #[test]
        fn keys_sort_as_their_ids_do(a in any::<u128>(), b in any::<u128>()) {
            let bytes = |id| Key::Message(MessageId(id)).to_bytes();
            prop_assert_eq!(bytes(a).cmp(&bytes(b)), a.cmp(&b));
        }
    }

    /// Every field as long as it gets.
    fn largest(parts: usize) -> Message {
        let sim_card = SimCard::new("89014103211118510720");
        let boot = BootTime { id: BootId(u128::MAX), since_boot: Duration::new(1 << 30, 999_999_999) };
        let deadline = Deadline { wall: Wall(1 << 42), boot };
        let reason = Reason::CanceledByCaller;
        let report = PartReport { status: 255, verdict: ReportVerdict::GaveUp, at: Wall(1 << 42) };
        let part = |state, report| Part {
            intended: Wall(1 << 42),
            settled: Some(Wall(1 << 42)),
            refusals: 255,
            state,
            report_until: deadline,
            report,
        };
        let attempt = |parts| Attempt {
            modem: Imei::new("490154203237518"),
            sim_card: sim_card.clone(),
            started: Wall(1 << 42),
            concat_reference: 255,
            parts,
        };
        // Parts go out in two attempts at most: the first and the one resend. The others came to nothing.
        let mut attempts = vec![attempt(vec![part(PartState::Accepted(Some(255)), Some(report)); parts]); 2];
        attempts.resize(max_attempts(parts as u8), attempt(vec![part(PartState::NotSent(reason), None)]));
        Message {
            id: MessageId(u128::MAX),
            client: ClientId(u128::MAX),
            sequence: u64::from(u32::MAX),
            to: Msisdn::parse("+999999999999999").unwrap(),
            verification: Some(VerificationId(u128::MAX)),
            priority: Priority::Normal,
            flash: true,
            parts: 255,
            on_uncertain: OnUncertain::Leave,
            client_reference: Some("\u{1F600}".repeat(128)),
            created: Wall(1 << 42),
            updated: Wall(1 << 42),
            send_at: Some(deadline),
            deadline,
            state: State::Queued { not_before: Some(deadline), only: Some(sim_card.clone()), because: Some(reason) },
            attempts,
            avoid: vec![sim_card; max_attempts(parts as u8)],
            ever_uncertain: true,
            resend_used: true,
            version: u32::MAX,
        }
    }

    #[test]
    fn the_largest_message_and_text_of_ten_parts_fit() {
        assert!((1..=10).all(|parts| !Record::Message(largest(parts)).is_too_large()));
        // 67 characters of three bytes each: UCS-2 in UTF-8 (TS 23.040 §9.2.3.24.1 leaves 134 octets to a part).
        assert!(!Record::Body(Body::Text(Secret::new("\u{6F22}".repeat(670)))).is_too_large());
        assert!(Record::Body(Body::Text(Secret::new("a".repeat(MAX_VALUE)))).is_too_large());
    }
}
