//! Domain values of every shape, for property tests. They need not make sense together.

use super::audit::AuditAnchor;
use super::deliveries::DeliveryRecord;
use super::guard::{GuardOrder, KeptLedger, KeptMark, Listed};
use super::pin_guard::PinGuard;
use super::record::{IdempotencyRecord, Key, Made, Record, SimCardRecord};
use super::{ApiKey, Body, KeptPdu, KeyLimits, KeySettings, OptOut, Permission, RecoveryTally, Scope};
use crate::dispatch::breaker::Open;
use crate::dispatch::delivery::{Deliveries, Filtered, Prefix, Ratio};
use crate::domain::audit::{AuditEntry, AuditKind};
use crate::domain::country::Country;
use crate::domain::equipment::{Imei, SimCard};
use crate::domain::event::{EventKind, LoggedEvent, MAX_SENTENCE, NewEvent};
use crate::domain::guard::{List, Pattern};
use crate::domain::id::{
    ClientId, DeliveryId, EventId, InboundId, KeyId, ListedId, MessageId, OptOutId, VerificationId, WebhookId,
};
use crate::domain::inbound::{Concatenation, Inbound, InboundPart, InboundState, MOST_PARTS};
use crate::domain::learned::{Lesson, ModelName, ModelTraits, SimCardTraits, Validity};
use crate::domain::message::{
    Attempt, Message, OnUncertain, Part, PartReport, PartState, Priority, ReportState, ReportVerdict, State,
};
use crate::domain::msisdn::Msisdn;
use crate::domain::pin::{PinEnd, PinHistory, PinHolder, TriedPin};
use crate::domain::reason::{Meaning, Reason};
use crate::domain::secret::Secret;
use crate::domain::time::{BootId, BootTime, Deadline, Wall};
use crate::domain::verification::{
    Channel, CodeAlphabet, CodeSource, Entrance, Origin, Verification, VerificationState, Wording,
};
use crate::domain::webhook::{Attempted, Dead, Delivery, DeliveryState, Form, OldSecret, Webhook};
use crate::modem::recovery::ward::Count;
use crate::otp::guard::ledger::Kind;
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use std::time::Duration;

/// A record and the key it stands under.
pub(crate) fn record() -> impl Strategy<Value = (Key, Record)> {
    prop_oneof![
        message().prop_map(|m| (Key::Message(m.id), Record::Message(m))),
        (message_id(), body()).prop_map(|(id, b)| (Key::Body(id), Record::Body(b))),
        verification().prop_map(|v| (Key::Verification(v.id), Record::Verification(v))),
        (verification_id(), "[0-9]{4,10}").prop_map(|(id, c)| (Key::SuppliedCode(id), Record::SuppliedCode(c.into()))),
        api_key().prop_map(|k| (Key::ApiKey(k.id), Record::ApiKey(k))),
        inbound().prop_map(|m| (Key::Inbound(m.id), Record::Inbound(m))),
        (any::<[u8; 16]>(), kept_pdu()).prop_map(|(h, p)| (Key::InboundPdu(h), Record::InboundPdu(p))),
        (any::<[u8; 16]>(), opt_out()).prop_map(|(h, o)| (Key::OptOut(h), Record::OptOut(o))),
        logged_event().prop_map(|e| (Key::Event(e.id), Record::Event(e))),
        webhook().prop_map(|w| (Key::Webhook(w.id), Record::Webhook(w))),
        delivery().prop_map(|d| (Key::News(d.id), Record::News(d))),
        audit_entry().prop_map(|e| (Key::Audit(e.sequence), Record::Audit(e))),
        audit_anchor().prop_map(|a| (Key::AuditAnchor, Record::AuditAnchor(a))),
        (any::<u128>(), lesson()).prop_map(|(number, lesson)| (Key::Lesson(number), Record::Lesson(lesson))),
        tally().prop_map(|t| (Key::Recovery(t.hash()), Record::Recovery(t))),
        (any::<[u8; 16]>(), idempotency()).prop_map(|(h, i)| (Key::Idempotency(h), Record::Idempotency(i))),
        (any::<[u8; 16]>(), sim_card_record()).prop_map(|(h, c)| (Key::SimCard(h), Record::SimCard(c))),
        (any::<[u8; 16]>(), delivery_record()).prop_map(|(h, d)| (Key::Delivery(h), Record::Delivery(d))),
        (any::<[u8; 16]>(), pin_guard()).prop_map(|(h, g)| (Key::PinGuard(h), Record::PinGuard(g))),
        (any::<[u8; 16]>(), ledger()).prop_map(|(h, l)| (Key::Ledger(h), Record::Ledger(l))),
        (any::<[u8; 16]>(), guard_order()).prop_map(|(h, o)| (Key::GuardOrder(h), Record::GuardOrder(o))),
    ]
}

/// A message with up to three attempts.
pub(crate) fn message() -> impl Strategy<Value = Message> {
    let who = (message_id(), client_id(), msisdn(), option::of(verification_id()), option::of(text(128)));
    let how = (any::<u64>(), priority(), any::<bool>(), any::<u8>(), on_uncertain());
    let when = (wall(), wall(), option::of(deadline()), deadline());
    let what = (state(), vec(attempt(), 0..3), vec(sim_card(), 0..3), any::<bool>(), any::<bool>(), any::<u32>());
    (who, how, when, what).prop_map(|(who, how, when, what)| Message {
        id: who.0,
        client: who.1,
        to: who.2,
        verification: who.3,
        client_reference: who.4,
        sequence: how.0,
        priority: how.1,
        flash: how.2,
        parts: how.3,
        on_uncertain: how.4,
        created: when.0,
        updated: when.1,
        send_at: when.2,
        deadline: when.3,
        state: what.0,
        attempts: what.1,
        avoid: what.2,
        ever_uncertain: what.3,
        resend_used: what.4,
        version: what.5,
    })
}

/// A verification.
pub(crate) fn verification() -> impl Strategy<Value = Verification> {
    let who = (verification_id(), client_id(), msisdn(), message_id());
    let what = (option::of("[a-z0-9_-]{1,32}"), option::of(text(32)), option::of(text(300)), code(), on_uncertain());
    let how = (verification_state(), any::<u8>(), wall(), wall(), deadline(), any::<u8>(), any::<u32>(), origin());
    (who, what, how).prop_map(|(who, what, how)| Verification {
        id: who.0,
        client: who.1,
        to: who.2,
        message: who.3,
        purpose: what.0,
        brand: what.1,
        metadata: what.2,
        code: what.3,
        on_uncertain: what.4,
        state: how.0,
        failures: how.1,
        created: how.2,
        updated: how.3,
        expires: how.4,
        sends: how.5,
        version: how.6,
        origin: how.7,
    })
}

fn origin() -> impl Strategy<Value = Origin> {
    let word = || option::of(text(16));
    let alphabet = select([CodeAlphabet::Digits, CodeAlphabet::Unambiguous].as_slice());
    let wording = (word(), word(), word(), word(), word(), word(), word(), alphabet).prop_map(|w| Wording {
        template: w.0,
        locale: w.1,
        amount: w.2,
        payee: w.3,
        host: w.4,
        app: w.5,
        embedded_host: w.6,
        alphabet: w.7,
    });
    let entrance = select([Entrance::Native, Entrance::MyOtp].as_slice());
    let channel = select([Channel::Sms, Channel::Inbound].as_slice());
    (option::of(any::<u128>()), entrance, word(), any::<[bool; 2]>(), wording, channel).prop_map(
        |(key, entrance, address, [forced, suppressed], wording, channel)| {
            let key = key.map(KeyId);
            Origin { key, entrance, address, forced, wording, channel, suppressed }
        },
    )
}

fn key_settings() -> impl Strategy<Value = KeySettings> {
    let networks = vec(select(["10.0.0.0/8", "::1/128"].as_slice()).prop_map(|n| n.parse().expect("a block")), 0..3);
    let countries =
        btree_set(select(["DE", "US"].as_slice()).prop_map(|c| Country::parse(c).expect("a country")), 0..3);
    let limits = (option::of(any::<u32>()), option::of(any::<u32>()), option::of(any::<u32>()));
    let words = || vec(text(16), 0..3);
    (networks, countries, limits, any::<bool>(), words(), option::of(text(32)), words(), words()).prop_map(
        |(networks, countries, (per_minute, per_hour, per_day), conceal, templates, brand, hosts, apps)| {
            let limits = KeyLimits { per_minute, per_hour, per_day };
            KeySettings { networks, countries, limits, conceal, templates, brand, hosts, apps }
        },
    )
}

/// An API key.
pub(crate) fn api_key() -> impl Strategy<Value = ApiKey> {
    let who = (any::<u128>().prop_map(KeyId), client_id(), text(64), any::<[u8; 32]>());
    let scopes = btree_set(select(Scope::ALL.as_slice()), 0..=Scope::ALL.len());
    let permissions = btree_set(select(Permission::ALL.as_slice()), 0..=Permission::ALL.len());
    let when = (wall(), option::of(wall()), option::of(wall()), key_settings());
    (who, scopes, permissions, when).prop_map(|(who, scopes, permissions, when)| ApiKey {
        id: who.0,
        client: who.1,
        name: who.2,
        secret_sha256: who.3,
        scopes,
        permissions,
        created: when.0,
        expires: when.1,
        revoked: when.2,
        settings: when.3,
    })
}

/// A text, whole or with its gap.
pub(crate) fn body() -> impl Strategy<Value = Body> {
    let secret = |most| text(most).prop_map(Secret::new);
    prop_oneof![secret(600).prop_map(Body::Text), vec(secret(60), 2..4).prop_map(Body::Code),]
}

/// What was made under an idempotency key.
pub(crate) fn idempotency() -> impl Strategy<Value = IdempotencyRecord> {
    let made = prop_oneof![
        message_id().prop_map(Made::Message),
        verification_id().prop_map(Made::Verification),
        any::<u128>().prop_map(|id| Made::Key(KeyId(id))),
        (verification_id(), any::<bool>(), verification_state(), any::<u8>()).prop_map(
            |(verification, valid, state, attempts_left)| Made::Verdict { verification, valid, state, attempts_left }
        ),
        (verification_id(), message_id()).prop_map(|(verification, message)| Made::Resend { verification, message }),
        message_id().prop_map(Made::CanceledMessage),
        verification_id().prop_map(Made::CanceledVerification),
        any::<u128>().prop_map(|id| Made::Webhook(WebhookId(id))),
        any::<u128>().prop_map(|id| Made::Delivery(DeliveryId(id))),
    ];
    (any::<[u8; 16]>(), made, deadline()).prop_map(|(fingerprint, made, until)| IdempotencyRecord {
        fingerprint,
        made,
        until,
    })
}

/// A message that came in.
pub(crate) fn inbound() -> impl Strategy<Value = Inbound> {
    let concat = (any::<u16>(), any::<u8>(), 2..=MOST_PARTS).prop_map(|(reference, bits, total)| Concatenation {
        reference,
        bits,
        total,
    });
    let part = (any::<u8>(), any::<[u8; 16]>()).prop_map(|(number, pdu)| InboundPart { number, pdu });
    let state = prop_oneof![
        deadline().prop_map(|until| InboundState::Waiting { until }),
        Just(InboundState::Received),
        Just(InboundState::Incomplete),
        Just(InboundState::Undecodable),
    ];
    let who = (any::<u128>(), any::<u64>(), "[0-9]{15}", sim_card(), option::of(text(20).prop_map(Secret::new)));
    let what = (wall(), option::of(text(25)), option::of(concat), vec(part, 0..=usize::from(MOST_PARTS)), state);
    (who, what).prop_map(|(who, what)| Inbound {
        id: InboundId(who.0),
        sequence: who.1,
        modem: Imei::new(who.2),
        sim_card: who.3,
        from: who.4,
        received: what.0,
        sent: what.1,
        concat: what.2,
        parts: what.3,
        state: what.4,
    })
}

/// What came in, octet by octet.
pub(crate) fn kept_pdu() -> impl Strategy<Value = KeptPdu> {
    (any::<u128>(), sim_card(), "[0-9A-F]{0,360}").prop_map(|(id, sim_card, pdu)| KeptPdu {
        message: InboundId(id),
        sim_card,
        pdu: Secret::new(pdu),
    })
}

/// A number on the opt-out list.
pub(crate) fn opt_out() -> impl Strategy<Value = OptOut> {
    (any::<u128>(), msisdn(), wall(), option::of(any::<u128>())).prop_map(|(id, number, since, asked)| OptOut {
        id: OptOutId(id),
        number,
        since,
        asked: asked.map(InboundId),
    })
}

/// What was learned.
pub(crate) fn lesson() -> impl Strategy<Value = Lesson> {
    let name = (text(64), text(64), text(64)).prop_map(|(manufacturer, model, revision)| ModelName {
        manufacturer,
        model,
        revision,
    });
    let pause = || option::of((0..10_000u64).prop_map(Duration::from_millis));
    let traits = (name, pause(), any::<bool>(), option::of(any::<[u8; 5]>()), any::<bool>(), pause(), any::<bool>());
    let model = traits.prop_map(
        |(name, prompt_delay, prompt_delay_settled, report_form, acknowledged, send_time, lists_hang)| {
            Lesson::Model(ModelTraits {
                name,
                prompt_delay,
                prompt_delay_settled,
                report_form,
                acknowledged,
                send_time,
                lists_hang,
            })
        },
    );
    let validity = select(vec![Validity::Life, Validity::Hour, Validity::None]);
    let sim_card = (sim_card(), validity, option::of(0..4u8))
        .prop_map(|(sim_card, validity, bearer)| Lesson::SimCard(SimCardTraits { sim_card, validity, bearer }));
    prop_oneof![model, sim_card]
}

/// What was reported of a SIM card's messages.
fn delivery_record() -> impl Strategy<Value = DeliveryRecord> {
    let ratio = || {
        let counts = (any::<u32>(), any::<u8>(), any::<u32>(), any::<u32>());
        counts.prop_map(|(last, count, delivered_before, before)| Ratio { last, count, delivered_before, before })
    };
    let prefixes = vec(("[0-9]{1,9}".prop_map(Prefix), ratio()), 0..32);
    let filtered = (wall(), deadline()).prop_map(|(since, retry)| Filtered { since, retry });
    (sim_card(), any::<bool>(), ratio(), prefixes, option::of(filtered)).prop_map(
        |(sim_card, reported, all, prefixes, filtered)| DeliveryRecord {
            sim_card,
            deliveries: Deliveries { reported, all, prefixes, filtered },
        },
    )
}

/// What has brought a model back.
fn tally() -> impl Strategy<Value = RecoveryTally> {
    let counts = (any::<u32>(), any::<u32>(), any::<u32>(), any::<bool>());
    let count =
        counts.prop_map(|(tried, worked, in_vain, changes_mode)| Count { tried, worked, in_vain, changes_mode });
    (text(64), vec(count, 0..8)).prop_map(|(model, rungs)| RecoveryTally { model, rungs })
}

/// What was typed at a card.
pub(crate) fn pin_guard() -> impl Strategy<Value = PinGuard> {
    let holder =
        prop_oneof![sim_card().prop_map(PinHolder::SimCard), "[0-9]{15}".prop_map(|i| PinHolder::Modem(Imei::new(i)))];
    let end = prop_oneof![
        any::<bool>().prop_map(|accepted_before| PinEnd::Unseen { accepted_before }),
        Just(PinEnd::Refused),
        Just(PinEnd::Accepted),
    ];
    let tried = vec((any::<[u8; 16]>(), end).prop_map(|(pin, end)| TriedPin { pin, end }), 0..5);
    (holder, any::<[u8; 32]>(), tried, option::of(sim_card())).prop_map(|(holder, key, tried, last_card)| PinGuard {
        holder,
        key,
        history: PinHistory(tried),
        last_card,
    })
}

/// A line of the event log.
pub(crate) fn logged_event() -> impl Strategy<Value = LoggedEvent> {
    let where_from = (option::of("[0-9]{15}".prop_map(Imei::new)), option::of(sim_card()));
    let what = (select(EventKind::ALL.as_slice()), text(MAX_SENTENCE), option::of(any::<u128>()));
    (any::<u128>(), any::<u64>(), wall(), where_from, what).prop_map(
        |(id, sequence, at, (modem, sim_card), (kind, sentence, about))| LoggedEvent {
            id: EventId(id),
            sequence,
            at,
            event: NewEvent { kind, modem, sim_card, sentence, about },
        },
    )
}

/// A webhook.
pub(crate) fn webhook() -> impl Strategy<Value = Webhook> {
    let secret = |most| text(most).prop_map(Secret::new);
    let older = (secret(88), deadline()).prop_map(|(secret, until)| OldSecret { secret, until });
    let who = (any::<u128>(), option::of(client_id()), secret(200), vec(text(32), 0..4));
    let how = (select(Form::ALL.as_slice()), any::<bool>(), secret(88), option::of(older));
    (who, how, wall(), option::of(wall())).prop_map(|(who, how, created, gone)| Webhook {
        id: WebhookId(who.0),
        client: who.1,
        url: who.2,
        events: who.3,
        form: how.0,
        include_text: how.1,
        secret: how.2,
        older: how.3,
        created,
        gone,
    })
}

/// A piece of news on its way.
pub(crate) fn delivery() -> impl Strategy<Value = Delivery> {
    let state = prop_oneof![
        deadline().prop_map(|due| DeliveryState::Waiting { due }),
        wall().prop_map(|at| DeliveryState::Delivered { at }),
        (wall(), select(vec![Dead::GaveUp, Dead::Gone, Dead::QueueFull]))
            .prop_map(|(at, why)| DeliveryState::Dead { at, why }),
    ];
    let last = (wall(), option::of(any::<u16>()), option::of(text(200)));
    let last = last.prop_map(|(at, status, why)| Attempted { at, status, why });
    let what = (any::<u128>(), any::<u128>(), any::<u64>(), any::<u128>(), text(32));
    (what, wall(), option::of(text(500).prop_map(Secret::new)), state, any::<u32>(), option::of(last)).prop_map(
        |(what, created, body, state, attempts, last)| Delivery {
            id: DeliveryId(what.0),
            webhook: WebhookId(what.1),
            sequence: what.2,
            subject: what.3,
            event: what.4,
            created,
            body,
            state,
            attempts,
            last,
        },
    )
}

/// A line of the audit log.
fn audit_entry() -> impl Strategy<Value = AuditEntry> {
    let who = (option::of(any::<u128>()), option::of(any::<u128>()), option::of(any::<std::net::IpAddr>()));
    let what =
        (select(AuditKind::ALL.as_slice()), option::of(any::<[u8; 16]>()), option::of(text(40)), option::of(text(40)));
    (1..=u64::MAX, wall(), who, what, any::<[u8; 32]>()).prop_map(
        |(sequence, at, (key, client, address), (kind, number, about, detail), mark)| AuditEntry {
            sequence,
            at,
            kind,
            key: key.map(KeyId),
            client: client.map(ClientId),
            address,
            number,
            about,
            detail,
            mark,
        },
    )
}

/// What the guard has counted.
fn ledger() -> impl Strategy<Value = KeptLedger> {
    let kinds = vec![Kind::Sends, Kind::Failures, Kind::FailuresEverywhere, Kind::ApiKey, Kind::Approved, Kind::Checks];
    let age = || (0..100_000_000u64).prop_map(Duration::from_millis);
    let mark = (age(), any::<u32>(), any::<u32>()).prop_map(|(age, n, m)| KeptMark { age, n, m });
    let what = (vec(mark, 0..100), any::<u32>(), option::of(age()));
    (select(kinds), option::of(any::<[u8; 16]>()), deadline(), what).prop_map(
        |(kind, number, written, (marks, level, since))| KeptLedger { kind, number, written, marks, level, since },
    )
}

/// What an admin has ordered.
fn guard_order() -> impl Strategy<Value = GuardOrder> {
    let pattern = prop_oneof![msisdn().prop_map(Pattern::Number), "[1-9][0-9]{0,13}".prop_map(Pattern::Prefix)];
    let list = select([List::Blocked, List::Safe].as_slice());
    let listed = (any::<u128>(), list, pattern, wall())
        .prop_map(|(id, list, pattern, since)| GuardOrder::Listed(Listed { id: ListedId(id), list, pattern, since }));
    prop_oneof![listed, wall().prop_map(|since| GuardOrder::Stopped { since })]
}

fn audit_anchor() -> impl Strategy<Value = AuditAnchor> {
    (any::<[u8; 32]>(), any::<u64>(), any::<[u8; 32]>()).prop_map(|(key, first, before)| AuditAnchor {
        key,
        first,
        before,
    })
}

/// Any reason.
fn sim_card_record() -> impl Strategy<Value = SimCardRecord> {
    let open = (reason(), wall(), any::<u8>(), deadline());
    let open = open.prop_map(|(reason, since, trials, retry)| Open { reason, since, trials, retry });
    (sim_card(), option::of(deadline()), option::of(open))
        .prop_map(|(sim_card, new_until, out_of_service)| SimCardRecord { sim_card, new_until, out_of_service })
}

pub(crate) fn reason() -> impl Strategy<Value = Reason> {
    prop_oneof![
        any::<u16>().prop_map(Reason::Cms),
        (any::<u16>(), select(&Meaning::ALL[..])).prop_map(|(n, meaning)| Reason::MakersCms(n, meaning)),
        any::<u16>().prop_map(Reason::Cme),
        any::<u8>().prop_map(Reason::Report),
        select(vec![
            Reason::BareError,
            Reason::NotTransmitted,
            Reason::NoResult,
            Reason::PortLost,
            Reason::Restarted,
            Reason::Partial,
            Reason::TtlPassed,
            Reason::TooLate,
            Reason::CanceledByCaller,
            Reason::Superseded,
            Reason::VerificationEnded,
            Reason::OptedOut,
            Reason::Blocked,
            Reason::Suppressed,
            Reason::TextLost,
        ]),
    ]
}

/// A phone number.
pub(crate) fn msisdn() -> impl Strategy<Value = Msisdn> {
    "[1-9][0-9]{6,14}".prop_map(|digits| Msisdn::parse(&format!("+{digits}")).expect("E.164"))
}

fn state() -> impl Strategy<Value = State> {
    let report = select(vec![ReportState::Awaited, ReportState::None, ReportState::Unconfirmed]);
    prop_oneof![
        (option::of(deadline()), option::of(sim_card()), option::of(reason()))
            .prop_map(|(not_before, only, because)| State::Queued { not_before, only, because }),
        Just(State::Submitting),
        (deadline(), report).prop_map(|(closes, report)| State::Submitted { closes, report }),
        (reason(), any::<bool>()).prop_map(|(reason, closed)| State::Uncertain { reason, closed }),
        Just(State::Delivered),
        reason().prop_map(State::Undelivered),
        reason().prop_map(State::Failed),
        reason().prop_map(State::Expired),
        reason().prop_map(State::Canceled),
    ]
}

fn attempt() -> impl Strategy<Value = Attempt> {
    ("[0-9]{15}", sim_card(), wall(), any::<u8>(), vec(part(), 1..4)).prop_map(
        |(modem, sim_card, started, concat_reference, parts)| Attempt {
            modem: Imei::new(modem),
            sim_card,
            started,
            concat_reference,
            parts,
        },
    )
}

fn part() -> impl Strategy<Value = Part> {
    let state = prop_oneof![
        Just(PartState::Intended),
        reason().prop_map(PartState::NotSent),
        option::of(any::<u8>()).prop_map(PartState::Accepted),
        reason().prop_map(PartState::Uncertain),
    ];
    let verdict = select(vec![
        ReportVerdict::Delivered,
        ReportVerdict::Unconfirmed,
        ReportVerdict::StillTrying,
        ReportVerdict::Failed,
        ReportVerdict::GaveUp,
    ]);
    let report = (any::<u8>(), verdict, wall()).prop_map(|(status, verdict, at)| PartReport { status, verdict, at });
    (wall(), option::of(wall()), any::<u8>(), state, deadline(), option::of(report)).prop_map(
        |(intended, settled, refusals, state, report_until, report)| Part {
            intended,
            settled,
            refusals,
            state,
            report_until,
            report,
        },
    )
}

fn code() -> impl Strategy<Value = CodeSource> {
    prop_oneof![
        (4u8..=10, any::<u32>(), any::<[u8; 16]>()).prop_map(|(length, generation, nonce)| CodeSource::Derived {
            length,
            generation,
            nonce
        }),
        Just(CodeSource::Supplied),
        Just(CodeSource::Erased),
    ]
}

fn verification_state() -> impl Strategy<Value = VerificationState> {
    prop_oneof![
        Just(VerificationState::Pending),
        Just(VerificationState::Approved),
        Just(VerificationState::Expired),
        Just(VerificationState::MaxAttemptsReached),
        reason().prop_map(VerificationState::Canceled),
    ]
}

fn deadline() -> impl Strategy<Value = Deadline> {
    (wall(), any::<u128>(), any::<u32>(), 0u32..1_000_000_000).prop_map(|(wall, boot, secs, nanos)| Deadline {
        wall,
        boot: BootTime { id: BootId(boot), since_boot: Duration::new(u64::from(secs), nanos) },
    })
}

fn priority() -> impl Strategy<Value = Priority> {
    select(vec![Priority::Otp, Priority::High, Priority::Normal])
}

fn on_uncertain() -> impl Strategy<Value = OnUncertain> {
    select(vec![OnUncertain::ResendOnce, OnUncertain::Leave])
}

fn wall() -> impl Strategy<Value = Wall> {
    any::<i64>().prop_map(Wall)
}

fn message_id() -> impl Strategy<Value = MessageId> {
    any::<u128>().prop_map(MessageId)
}

fn verification_id() -> impl Strategy<Value = VerificationId> {
    any::<u128>().prop_map(VerificationId)
}

fn client_id() -> impl Strategy<Value = ClientId> {
    any::<u128>().prop_map(ClientId)
}

fn sim_card() -> impl Strategy<Value = SimCard> {
    "[0-9]{19,20}".prop_map(SimCard::new)
}

/// Any characters, at most so many.
fn text(most: usize) -> impl Strategy<Value = String> {
    vec(any::<char>(), 0..=most).prop_map(|chars| chars.into_iter().collect())
}
