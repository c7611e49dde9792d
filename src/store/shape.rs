//! How the domain's values look on disk.
//!
//! The domain knows no serde: what is on disk must not change because a field was renamed. Here stands each value's
//! shape, in postcard's terms: fields in this order, variants numbered in this order. A variant may be appended, and a
//! record may grow at its end ([`Grown`]); anything else is a new version of the envelope.

use super::audit::AuditAnchor;
use super::deliveries::DeliveryRecord;
use super::guard::{GuardOrder, KeptLedger, KeptMark, Listed};
use super::inbound::KeptPdu;
use super::opt_out::OptOut;
use super::pin_guard::PinGuard;
use super::record::{IdempotencyRecord, Made, SimCardRecord};
use super::{ApiKey, Body, KeyLimits, KeySettings, Permission, RecoveryTally, Scope};
use crate::dispatch::breaker::Open;
use crate::dispatch::delivery::{Deliveries, Filtered, Prefix, Ratio};
use crate::domain::audit::{AuditEntry, AuditKind};
use crate::domain::country::Country;
use crate::domain::equipment::{Imei, SimCard};
use crate::domain::event::{EventKind, LoggedEvent, NewEvent};
use crate::domain::guard::{List, Pattern};
use crate::domain::id::{
    ClientId, DeliveryId, EventId, InboundId, KeyId, ListedId, MessageId, OptOutId, VerificationId, WebhookId,
};
use crate::domain::inbound::{Concatenation, Inbound, InboundPart, InboundState};
use crate::domain::learned::{Lesson, ModelName, ModelTraits, SimCardTraits, Validity};
use crate::domain::message::{
    Attempt, Message, OnUncertain, Part, PartReport, PartState, Priority, ReportState, ReportVerdict, State,
};
use crate::domain::msisdn::Msisdn;
use crate::domain::network::Network;
use crate::domain::pin::{PinEnd, PinHistory, PinHolder, TriedPin};
use crate::domain::reason::Reason;
use crate::domain::secret::Secret;
use crate::domain::time::{BootId, BootTime, Deadline, Wall};
use crate::domain::verification::{
    Channel, CodeAlphabet, CodeSource, Entrance, Origin, Verification, VerificationState, Wording,
};
use crate::domain::webhook::{Attempted, Dead, Delivery, DeliveryState, Form, OldSecret, Webhook};
use crate::modem::recovery::ward::Count;
use crate::otp::guard::ledger::Kind;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

/// A value that has a shape on disk.
pub(super) trait Disk: Sized {
    /// Its shape.
    type Shape;
    /// The value in its shape.
    fn shape(&self) -> Self::Shape;
    /// The value of a shape. `None`: a word or number that this version does not know.
    fn from_shape(shape: Self::Shape) -> Option<Self>;
}

/// A struct whose fields all have shapes, in this order.
macro_rules! fields {
    ($name:ident as $shape:ident { $($field:ident: $type:ty),* $(,)? }) => {
        #[derive(Serialize, Deserialize)]
        pub(super) struct $shape { $($field: <$type as Disk>::Shape),* }

        impl Disk for $name {
            type Shape = $shape;
            fn shape(&self) -> $shape {
                $shape { $($field: self.$field.shape()),* }
            }
            fn from_shape(shape: $shape) -> Option<Self> {
                Some(Self { $($field: Disk::from_shape(shape.$field)?),* })
            }
        }
    };
}

/// A value whose record has grown: behind its shape stand further fields, one after the other. An older record ends before
/// them, and what it lacks has its default.
pub(super) trait Grown: Disk {
    /// Writes them behind the shape.
    fn write_more(&self, record: Vec<u8>) -> postcard::Result<Vec<u8>>;
    /// Reads as many as there are, and gives what is left. `None`: they can't be read.
    fn read_more<'a>(&mut self, bytes: &'a [u8]) -> Option<&'a [u8]>;
}

/// A struct as [`fields`] has it that has grown by these, in this order.
macro_rules! grown {
    ($name:ident as $shape:ident { $($field:ident: $type:ty),* $(,)? } then { $($more:ident: $late:ty),* $(,)? }) => {
        #[derive(Serialize, Deserialize)]
        pub(super) struct $shape { $($field: <$type as Disk>::Shape),* }

        impl Disk for $name {
            type Shape = $shape;
            fn shape(&self) -> $shape {
                $shape { $($field: self.$field.shape()),* }
            }
            fn from_shape(shape: $shape) -> Option<Self> {
                Some(Self { $($field: Disk::from_shape(shape.$field)?,)* $($more: <$late>::default()),* })
            }
        }

        impl Grown for $name {
            fn write_more(&self, record: Vec<u8>) -> postcard::Result<Vec<u8>> {
                $(let record = postcard::to_extend(&self.$more.shape(), record)?;)*
                Ok(record)
            }
            fn read_more<'a>(&mut self, bytes: &'a [u8]) -> Option<&'a [u8]> {
                let mut rest = bytes;
                $(if !rest.is_empty() {
                    let shape;
                    (shape, rest) = postcard::take_from_bytes(rest).ok()?;
                    self.$more = <$late as Disk>::from_shape(shape)?;
                })*
                Some(rest)
            }
        }
    };
}

/// An enum whose variants are numbered in this order.
macro_rules! variants {
    ($name:ident as $shape:ident {
        $($variant:ident $(($($bind:ident: $bound:ty),*))? $({$($field:ident: $type:ty),*})?),* $(,)?
    }) => {
        #[derive(Serialize, Deserialize)]
        pub(super) enum $shape {
            $($variant $(($(<$bound as Disk>::Shape),*))? $({$($field: <$type as Disk>::Shape),*})?),*
        }

        impl Disk for $name {
            type Shape = $shape;
            fn shape(&self) -> $shape {
                match self {
                    $(Self::$variant $(($($bind),*))? $({$($field),*})? =>
                        $shape::$variant $(($($bind.shape()),*))? $({$($field: $field.shape()),*})?),*
                }
            }
            fn from_shape(shape: $shape) -> Option<Self> {
                Some(match shape {
                    $($shape::$variant $(($($bind),*))? $({$($field),*})? =>
                        Self::$variant $(($(Disk::from_shape($bind)?),*))?
                            $({$($field: Disk::from_shape($field)?),*})?),*
                })
            }
        }
    };
}

/// A value that is its own shape.
macro_rules! plain {
    ($($type:ty),*) => {$(
        impl Disk for $type {
            type Shape = Self;
            fn shape(&self) -> Self {
                self.clone()
            }
            fn from_shape(shape: Self) -> Option<Self> {
                Some(shape)
            }
        }
    )*};
}

/// A value that goes through another one: how to get it, and how to make the value of it.
macro_rules! through {
    ($($name:ident: $type:ty, $get:expr, $make:expr;)*) => {$(
        impl Disk for $name {
            type Shape = $type;
            fn shape(&self) -> $type {
                let get: fn(&Self) -> $type = $get;
                get(self)
            }
            fn from_shape(shape: $type) -> Option<Self> {
                let make: fn($type) -> Option<Self> = $make;
                make(shape)
            }
        }
    )*};
}

plain!(bool, u8, u16, u32, u64, String, [u8; 5], [u8; 16], [u8; 32], Duration);

through! {
    MessageId: [u8; 16], |id| id.0.to_be_bytes(), |b| Some(Self(u128::from_be_bytes(b)));
    VerificationId: [u8; 16], |id| id.0.to_be_bytes(), |b| Some(Self(u128::from_be_bytes(b)));
    KeyId: [u8; 16], |id| id.0.to_be_bytes(), |b| Some(Self(u128::from_be_bytes(b)));
    ClientId: [u8; 16], |id| id.0.to_be_bytes(), |b| Some(Self(u128::from_be_bytes(b)));
    InboundId: [u8; 16], |id| id.0.to_be_bytes(), |b| Some(Self(u128::from_be_bytes(b)));
    OptOutId: [u8; 16], |id| id.0.to_be_bytes(), |b| Some(Self(u128::from_be_bytes(b)));
    WebhookId: [u8; 16], |id| id.0.to_be_bytes(), |b| Some(Self(u128::from_be_bytes(b)));
    DeliveryId: [u8; 16], |id| id.0.to_be_bytes(), |b| Some(Self(u128::from_be_bytes(b)));
    EventId: [u8; 16], |id| id.0.to_be_bytes(), |b| Some(Self(u128::from_be_bytes(b)));
    ListedId: [u8; 16], |id| id.0.to_be_bytes(), |b| Some(Self(u128::from_be_bytes(b)));
    u128: [u8; 16], |id| id.to_be_bytes(), |b| Some(Self::from_be_bytes(b));
    BootId: [u8; 16], |id| id.0.to_be_bytes(), |b| Some(Self(u128::from_be_bytes(b)));
    Wall: i64, |wall| wall.0, |ms| Some(Self(ms));
    Secret: Sealed, |secret| Sealed(secret.clone()), |sealed| Some(sealed.0);
    Msisdn: Sealed, |m| Sealed(m.reveal_e164().into()), |e164| Msisdn::parse(e164.0.reveal()).ok();
    Pattern: Sealed, |p| Sealed(p.reveal().into()), |text| Pattern::parse(text.0.reveal()).ok();
    Prefix: Sealed, |prefix| Sealed(prefix.0.clone().into()), |sealed| Some(Self(sealed.0.reveal().to_owned()));
    Imei: String, |imei| imei.as_str().to_owned(), |text| Some(Self::new(text));
    SimCard: String, |card| card.as_str().to_owned(), |text| Some(Self::new(text));
    Network: String, |network| network.to_string(), |text| text.parse().ok();
    Country: String, |country| country.as_str().to_owned(), |code| Self::parse(&code).ok();
    Scope: String, |scope| scope.as_str().to_owned(), |word| Self::parse(&word);
    IpAddr: String, |address| address.to_string(), |text| text.parse().ok();
    AuditKind: String, |kind| kind.as_str().to_owned(), |word| Self::parse(&word);
    EventKind: String, |kind| kind.as_str().to_owned(), |word| Self::parse(&word);
    Permission: String, |permission| permission.as_str().to_owned(), |word| Self::parse(&word);
    PinHistory: Vec<TriedPinShape>, |h| h.0.shape(), |tried| Disk::from_shape(tried).map(Self);
    Reason: (String, Option<u16>), |r| (r.record_code().to_owned(), r.number()), |(code, n)| Self::from_code(&code, n);
}

fields!(BootTime as BootTimeShape { id: BootId, since_boot: Duration });
fields!(Deadline as DeadlineShape { wall: Wall, boot: BootTime });

fields!(Message as MessageShape {
    id: MessageId,
    client: ClientId,
    sequence: u64,
    to: Msisdn,
    verification: Option<VerificationId>,
    priority: Priority,
    flash: bool,
    parts: u8,
    on_uncertain: OnUncertain,
    client_reference: Option<String>,
    created: Wall,
    updated: Wall,
    send_at: Option<Deadline>,
    deadline: Deadline,
    state: State,
    attempts: Vec<Attempt>,
    avoid: Vec<SimCard>,
    ever_uncertain: bool,
    resend_used: bool,
    version: u32,
});
variants!(Priority as PriorityShape { Otp, High, Normal });
variants!(OnUncertain as OnUncertainShape { ResendOnce, Leave });
variants!(State as StateShape {
    Queued { not_before: Option<Deadline>, only: Option<SimCard>, because: Option<Reason> },
    Submitting,
    Submitted { closes: Deadline, report: ReportState },
    Uncertain { reason: Reason, closed: bool },
    Delivered,
    Undelivered(reason: Reason),
    Failed(reason: Reason),
    Expired(reason: Reason),
    Canceled(reason: Reason),
});
variants!(ReportState as ReportStateShape { Awaited, None, Unconfirmed });
fields!(Attempt as AttemptShape {
    modem: Imei,
    sim_card: SimCard,
    started: Wall,
    concat_reference: u8,
    parts: Vec<Part>,
});
fields!(Part as PartShape {
    intended: Wall,
    settled: Option<Wall>,
    refusals: u8,
    state: PartState,
    report_until: Deadline,
    report: Option<PartReport>,
});
variants!(PartState as PartStateShape {
    Intended,
    NotSent(reason: Reason),
    Accepted(reference: Option<u8>),
    Uncertain(reason: Reason),
});
fields!(PartReport as PartReportShape { status: u8, verdict: ReportVerdict, at: Wall });
variants!(ReportVerdict as ReportVerdictShape { Delivered, Unconfirmed, StillTrying, Failed, GaveUp });

/// The second is how a text with one gap was written first.
#[derive(Serialize, Deserialize)]
pub(super) enum BodyShape {
    Text(Sealed),
    OneGap { before: Sealed, after: Sealed },
    Code(Vec<Sealed>),
}

impl Disk for Body {
    type Shape = BodyShape;
    fn shape(&self) -> BodyShape {
        match self {
            Self::Text(text) => BodyShape::Text(text.shape()),
            Self::Code(pieces) => BodyShape::Code(pieces.shape()),
        }
    }
    fn from_shape(shape: BodyShape) -> Option<Self> {
        Some(match shape {
            BodyShape::Text(text) => Self::Text(text.0),
            BodyShape::OneGap { before, after } => Self::Code(vec![before.0, after.0]),
            BodyShape::Code(pieces) => Self::Code(Disk::from_shape(pieces)?),
        })
    }
}

grown!(Verification as VerificationShape {
    id: VerificationId,
    client: ClientId,
    to: Msisdn,
    purpose: Option<String>,
    brand: Option<String>,
    metadata: Option<String>,
    code: CodeSource,
    state: VerificationState,
    failures: u8,
    created: Wall,
    updated: Wall,
    expires: Deadline,
    message: MessageId,
    on_uncertain: OnUncertain,
    sends: u8,
    version: u32,
} then {
    origin: Origin,
});
fields!(Origin as OriginShape {
    key: Option<KeyId>,
    entrance: Entrance,
    address: Option<String>,
    forced: bool,
    wording: Wording,
    channel: Channel,
    suppressed: bool,
});
variants!(Channel as ChannelShape { Sms, Inbound });
variants!(Entrance as EntranceShape { Native, MyOtp });
fields!(Wording as WordingShape {
    template: Option<String>,
    locale: Option<String>,
    amount: Option<String>,
    payee: Option<String>,
    host: Option<String>,
    app: Option<String>,
    embedded_host: Option<String>,
    alphabet: CodeAlphabet,
});
variants!(CodeAlphabet as CodeAlphabetShape { Digits, Unambiguous });
variants!(CodeSource as CodeSourceShape {
    Derived { length: u8, generation: u32, nonce: [u8; 16] },
    Supplied,
    Erased,
});
variants!(VerificationState as VerificationStateShape {
    Pending,
    Approved,
    Expired,
    MaxAttemptsReached,
    Canceled(reason: Reason),
});

grown!(ApiKey as ApiKeyShape {
    id: KeyId,
    client: ClientId,
    name: String,
    secret_sha256: [u8; 32],
    scopes: BTreeSet<Scope>,
    permissions: BTreeSet<Permission>,
    created: Wall,
    expires: Option<Wall>,
    revoked: Option<Wall>,
} then {
    settings: KeySettings,
});
fields!(KeySettings as KeySettingsShape {
    networks: Vec<Network>,
    countries: BTreeSet<Country>,
    limits: KeyLimits,
    conceal: bool,
    templates: Vec<String>,
    brand: Option<String>,
    hosts: Vec<String>,
    apps: Vec<String>,
});
fields!(KeyLimits as KeyLimitsShape { per_minute: Option<u32>, per_hour: Option<u32>, per_day: Option<u32> });

fields!(IdempotencyRecord as IdempotencyRecordShape { fingerprint: [u8; 16], made: Made, until: Deadline });
variants!(Made as MadeShape {
    Message(id: MessageId),
    Verification(id: VerificationId),
    Key(id: KeyId),
    Verdict { verification: VerificationId, valid: bool, state: VerificationState, attempts_left: u8 },
    Resend { verification: VerificationId, message: MessageId },
    CanceledMessage(id: MessageId),
    CanceledVerification(id: VerificationId),
    Webhook(id: WebhookId),
    Delivery(id: DeliveryId),
});

fields!(Inbound as InboundShape {
    id: InboundId,
    sequence: u64,
    modem: Imei,
    sim_card: SimCard,
    from: Option<Secret>,
    received: Wall,
    sent: Option<String>,
    concat: Option<Concatenation>,
    parts: Vec<InboundPart>,
    state: InboundState,
});
fields!(Concatenation as ConcatenationShape { reference: u16, bits: u8, total: u8 });
fields!(InboundPart as InboundPartShape { number: u8, pdu: [u8; 16] });
variants!(InboundState as InboundStateShape { Waiting { until: Deadline }, Received, Incomplete, Undecodable });
fields!(KeptPdu as KeptPduShape { message: InboundId, sim_card: SimCard, pdu: Secret });
fields!(OptOut as OptOutShape { id: OptOutId, number: Msisdn, since: Wall, asked: Option<InboundId> });
fields!(RecoveryTally as RecoveryTallyShape { model: String, rungs: Vec<Count> });
fields!(Count as CountShape { tried: u32, worked: u32, in_vain: u32, changes_mode: bool });
fields!(SimCardRecord as SimCardRecordShape {
    sim_card: SimCard,
    new_until: Option<Deadline>,
    out_of_service: Option<Open>,
});
fields!(Open as OpenShape { reason: Reason, since: Wall, trials: u8, retry: Deadline });
fields!(PinGuard as PinGuardShape {
    holder: PinHolder,
    key: [u8; 32],
    history: PinHistory,
    last_card: Option<SimCard>,
});
variants!(PinHolder as PinHolderShape { SimCard(card: SimCard), Modem(imei: Imei) });
fields!(TriedPin as TriedPinShape { pin: [u8; 16], end: PinEnd });
variants!(PinEnd as PinEndShape { Unseen { accepted_before: bool }, Refused, Accepted });
fields!(LoggedEvent as LoggedEventShape { id: EventId, sequence: u64, at: Wall, event: NewEvent });
fields!(NewEvent as NewEventShape {
    kind: EventKind,
    modem: Option<Imei>,
    sim_card: Option<SimCard>,
    sentence: String,
    about: Option<u128>,
});
fields!(AuditEntry as AuditEntryShape {
    sequence: u64,
    at: Wall,
    kind: AuditKind,
    key: Option<KeyId>,
    client: Option<ClientId>,
    address: Option<IpAddr>,
    number: Option<[u8; 16]>,
    about: Option<String>,
    detail: Option<String>,
    mark: [u8; 32],
});
fields!(AuditAnchor as AuditAnchorShape { key: [u8; 32], first: u64, before: [u8; 32] });

fields!(KeptLedger as KeptLedgerShape {
    kind: Kind,
    number: Option<[u8; 16]>,
    written: Deadline,
    marks: Vec<KeptMark>,
    level: u32,
    since: Option<Duration>,
});
variants!(Kind as KindShape {
    Sends,
    Failures,
    FailuresEverywhere,
    CallerKey,
    Prefix,
    ApiKey,
    PrefixConversion,
    CountryConversion,
    Approved,
    Checks,
});
fields!(KeptMark as KeptMarkShape { age: Duration, n: u32, m: u32 });
variants!(GuardOrder as GuardOrderShape { Listed(listed: Listed), Stopped { since: Wall } });
fields!(Listed as ListedShape { id: ListedId, list: List, pattern: Pattern, since: Wall });
variants!(List as ListShape { Blocked, Safe });
fields!(DeliveryRecord as DeliveryRecordShape { sim_card: SimCard, deliveries: Deliveries });
fields!(Deliveries as DeliveriesShape {
    reported: bool,
    all: Ratio,
    prefixes: Vec<(Prefix, Ratio)>,
    filtered: Option<Filtered>,
});
fields!(Ratio as RatioShape { last: u32, count: u8, delivered_before: u32, before: u32 });
fields!(Filtered as FilteredShape { since: Wall, retry: Deadline });
fields!(Webhook as WebhookShape {
    id: WebhookId,
    client: Option<ClientId>,
    url: Secret,
    events: Vec<String>,
    form: Form,
    include_text: bool,
    secret: Secret,
    older: Option<OldSecret>,
    created: Wall,
    gone: Option<Wall>,
});
fields!(OldSecret as OldSecretShape { secret: Secret, until: Deadline });
variants!(Form as FormShape { Native, MyOtp });
fields!(Delivery as DeliveryShape {
    id: DeliveryId,
    webhook: WebhookId,
    sequence: u64,
    subject: u128,
    event: String,
    created: Wall,
    body: Option<Secret>,
    state: DeliveryState,
    attempts: u32,
    last: Option<Attempted>,
});
variants!(DeliveryState as DeliveryStateShape {
    Waiting { due: Deadline },
    Delivered { at: Wall },
    Dead { at: Wall, why: Dead },
});
variants!(Dead as DeadShape { GaveUp, Gone, QueueFull });
fields!(Attempted as AttemptedShape { at: Wall, status: Option<u16>, why: Option<String> });

variants!(Lesson as LessonShape { Model(traits: ModelTraits), SimCard(traits: SimCardTraits) });
fields!(ModelTraits as ModelTraitsShape {
    name: ModelName,
    prompt_delay: Option<Duration>,
    prompt_delay_settled: bool,
    report_form: Option<[u8; 5]>,
    acknowledged: bool,
    send_time: Option<Duration>,
    lists_hang: bool,
});
fields!(ModelName as ModelNameShape { manufacturer: String, model: String, revision: String });
fields!(SimCardTraits as SimCardTraitsShape { sim_card: SimCard, validity: Validity, bearer: Option<u8> });
variants!(Validity as ValidityShape { Life, Hour, None });

impl<T: Disk> Disk for Option<T> {
    type Shape = Option<T::Shape>;
    fn shape(&self) -> Self::Shape {
        self.as_ref().map(T::shape)
    }
    fn from_shape(shape: Self::Shape) -> Option<Self> {
        match shape {
            Some(inner) => T::from_shape(inner).map(Some),
            None => Some(None),
        }
    }
}

impl<A: Disk, B: Disk> Disk for (A, B) {
    type Shape = (A::Shape, B::Shape);
    fn shape(&self) -> Self::Shape {
        (self.0.shape(), self.1.shape())
    }
    fn from_shape((a, b): Self::Shape) -> Option<Self> {
        Some((A::from_shape(a)?, B::from_shape(b)?))
    }
}

impl<T: Disk> Disk for Vec<T> {
    type Shape = Vec<T::Shape>;
    fn shape(&self) -> Self::Shape {
        self.iter().map(T::shape).collect()
    }
    fn from_shape(shape: Self::Shape) -> Option<Self> {
        shape.into_iter().map(T::from_shape).collect()
    }
}

impl<T: Disk + Ord> Disk for BTreeSet<T> {
    type Shape = Vec<T::Shape>;
    fn shape(&self) -> Self::Shape {
        self.iter().map(T::shape).collect()
    }
    fn from_shape(shape: Self::Shape) -> Option<Self> {
        shape.into_iter().map(T::from_shape).collect()
    }
}

/// A secret may be written here, since all that is written here is sealed. It is wiped when dropped.
pub(super) struct Sealed(Secret);

impl Serialize for Sealed {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.0.reveal())
    }
}

impl<'de> Deserialize<'de> for Sealed {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(|text| Self(Secret::new(text)))
    }
}
