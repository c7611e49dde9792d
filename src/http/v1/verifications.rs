//! `/v1/verifications`: a code to a number, and whether it came back.

use super::awaited::{AwaitedView, channel};
use super::messages::{slot, slot_if_held};
use super::wording::{self, Text};
use super::{ReasonView, created, id};
use crate::domain::id::{MessageId, VerificationId};
use crate::domain::message::{OnUncertain, Priority};
use crate::domain::secret::Secret;
use crate::domain::verification::{
    Channel, CodeAlphabet, CodeSource, Origin, RESEND_LIFE_SECONDS, Verification, VerificationState, Wording,
};
use crate::http::auth::Caller;
use crate::http::guard;
use crate::http::idempotency::{idempotency, mark};
use crate::http::input::{Fields, Payload};
use crate::http::problem::{Kind, Problem};
use crate::http::{Context, Cx, wait};
use crate::ops::random;
use crate::otp::entry;
use crate::store::{
    Accepted, Body, Check, Idempotency, Made, NewCode, NewMessage, NewVerification, Permission, Resend, Scope,
    StoreError, VerificationView,
};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::value::RawValue;
use std::time::Duration;

/// Sends a code.
pub(crate) async fn create(State(cx): State<Cx>, caller: Caller, payload: Payload) -> Result<Response, Problem> {
    caller.must(Scope::Verify)?;
    let fields = payload.fields(CREATE)?;
    let idempotency = idempotency(&caller, &payload, &fields)?;
    let accepted = match cx.takes_new().and_then(|()| prove(&cx, &caller, &fields)) {
        Ok(proved) => take(&cx, &caller, proved, idempotency).await?,
        Err(refusal) => done_before(&cx, &caller, idempotency, refusal).await?,
    };
    let verification = &accepted.value.verification;
    let location = format!("/v1/verifications/{}", verification.id);
    let next_slot_at = slot_if_held(&cx, verification.message, accepted.value.message).await?;
    let inbound = AwaitedView::of(&cx, &accepted.value);
    let answer = created(location, View { next_slot_at, inbound, ..View::from(accepted.value) }, accepted.replayed);
    Ok(guard::tell(answer, &accepted.would_refuse))
}

/// Gives a verification to the store, and logs that.
pub(in crate::http) async fn take(
    cx: &Context,
    caller: &Caller,
    Proved { new, lifted }: Proved,
    idempotency: Option<Idempotency>,
) -> Result<Accepted<VerificationView>, Problem> {
    let store = cx.store.acting(caller.actor(lifted.clone()));
    let accepted = cx.ask(store.create_verification(new, idempotency)).await?;
    let verification = &accepted.value.verification;
    if !accepted.replayed {
        tracing::info!(verification.id = %verification.id, message.id = %verification.message, to = %verification.to, "Accepted a verification");
        for permission in lifted {
            tracing::info!(key.id = %caller.key.id, permission = permission.as_str(), verification.id = %verification.id, "A permission lifted a limit");
        }
    }
    Ok(accepted)
}

/// One verification; `?wait=` for news of it.
pub(crate) async fn show(
    State(cx): State<Cx>,
    caller: Caller,
    Path(path): Path<String>,
    uri: Uri,
) -> Result<Json<View>, Problem> {
    caller.must(Scope::Read)?;
    let id = id(&path, VerificationId::parse)?;
    let wait = wait::asked(&Fields::of_query(&uri, wait::FIELDS)?)?;
    let view = cx.await_news(&caller, wait, |wait| cx.store.verification(caller.access(), id, wait)).await?;
    let next_slot_at = slot(&cx, view.verification.message, view.message).await?;
    Ok(Json(View { next_slot_at, ..view.into() }))
}

/// Checks a code. Attempt and verdict are on disk before the answer.
pub(crate) async fn check(
    State(cx): State<Cx>,
    caller: Caller,
    Path(path): Path<String>,
    payload: Payload,
) -> Result<Response, Problem> {
    caller.must(Scope::Check)?;
    let id = id(&path, VerificationId::parse)?;
    let fields = payload.fields(&["code", "to", "purpose", "amount", "payee"])?;
    let idempotency = idempotency(&caller, &payload, &fields)?;
    let code = fields.need("code", |f, name| f.parsed(name, |text| entry::typed(text).ok_or(NO_CODE)))?;
    let check = Check {
        code,
        to: fields.number("to")?,
        purpose: purpose(&fields)?,
        amount: fields.text("amount")?.map(str::to_owned),
        payee: fields.text("payee")?.map(str::to_owned),
    };
    let verdict = cx.ask(cx.store.check(caller.access(), id, check, idempotency)).await?;
    tracing::info!(verification.id = %id, valid = verdict.valid, status = verdict.state.as_str(), "Checked a code");
    let answer = VerdictView {
        status: verdict.state.as_str(),
        valid: verdict.valid,
        to: verdict.to.reveal_e164(),
        purpose: verdict.purpose,
        attempts_left: verdict.attempts_left,
    };
    Ok(guard::tell(mark(Json(answer).into_response(), verdict.replayed), &verdict.would_refuse))
}

/// Sends the code once more, or a fresh one.
pub(crate) async fn resend(
    State(cx): State<Cx>,
    caller: Caller,
    Path(path): Path<String>,
    payload: Payload,
) -> Result<Response, Problem> {
    caller.must(Scope::Verify)?;
    let id = id(&path, VerificationId::parse)?;
    let fields = payload.optional_fields(&["fresh", guard::LIMITS_BY])?;
    let idempotency = idempotency(&caller, &payload, &fields)?;
    let fresh = fields.flag("fresh")?.unwrap_or(false);
    let asked = guard::asked(&caller, &fields)?;
    if let Err(refusal) = cx.takes_new() {
        let accepted = done_before(&cx, &caller, idempotency, refusal).await?;
        return Ok(mark(Json(View::from(accepted.value)).into_response(), accepted.replayed));
    }
    // Only what never changes is taken from here: the wording and the time of expiry. The store decides.
    let known = cx.ask(cx.store.verification(caller.access(), id, None)).await?.verification;
    let now = cx.clock.now();
    let body = once_more(&cx, &known, known.expires.left(&now))?;
    let message = MessageId::new(now.wall, random::bytes(&*cx.random));
    let resend = Resend { message, body, fresh, asked };
    let accepted = cx.ask(cx.by(&caller).resend(caller.access(), id, resend, idempotency)).await?;
    if !accepted.replayed {
        tracing::info!(verification.id = %id, message.id = %accepted.value.verification.message, fresh, "Accepted a resend");
    }
    let answer = mark(Json(View::from(accepted.value)).into_response(), accepted.replayed);
    Ok(guard::tell(answer, &accepted.would_refuse))
}

/// Ends a pending verification; its message, if unsent, is called off with it.
pub(crate) async fn cancel(
    State(cx): State<Cx>,
    caller: Caller,
    Path(path): Path<String>,
    payload: Payload,
) -> Result<Response, Problem> {
    caller.must(Scope::Verify)?;
    let id = id(&path, VerificationId::parse)?;
    let fields = payload.optional_fields(&[])?;
    let idempotency = idempotency(&caller, &payload, &fields)?;
    let canceled = cx.ask(cx.store.cancel_verification(caller.access(), id, idempotency)).await?;
    if !canceled.replayed {
        tracing::info!(verification.id = %id, "Canceled a verification");
    }
    Ok(mark(Json(View::from(canceled.value)).into_response(), canceled.replayed))
}

/// The verification that a request made or sent again before it was refused.
async fn done_before(
    cx: &Context,
    caller: &Caller,
    idempotency: Option<Idempotency>,
    refusal: Problem,
) -> Result<Accepted<VerificationView>, Problem> {
    match cx.unless_done(idempotency, refusal).await? {
        Made::Verification(id) | Made::Resend { verification: id, .. } => {
            Ok(Accepted::before(cx.ask(cx.store.verification(caller.access(), id, None)).await?))
        }
        _ => Err(StoreError::IdempotencyMismatch.into()),
    }
}

/// A request that may be done, and the permissions without which it would not be.
pub(in crate::http) struct Proved {
    pub(in crate::http) new: NewVerification,
    pub(in crate::http) lifted: Vec<Permission>,
}

/// Proves a request, and draws what is random.
pub(in crate::http) fn prove(cx: &Context, caller: &Caller, fields: &Fields) -> Result<Proved, Problem> {
    let to = fields.need("to", Fields::number)?;
    let channel = channel(cx, fields)?;
    let (mut wording, brand) = wording::wording(cx, caller, fields)?;
    let purpose = purpose(fields)?;
    let metadata = metadata(fields)?;
    let on_uncertain = fields.word("on_uncertain", ON_UNCERTAIN)?.unwrap_or(OnUncertain::ResendOnce);
    let mut lifted = Vec::new();
    let life = life(cx, caller, fields, &mut lifted)?;
    let code = code(cx, caller, fields, &mut lifted)?;
    let body = match channel {
        Channel::Sms => {
            let (code_length, code_without_digit) = match &code {
                NewCode::Derived { length, .. } => (usize::from(*length), false),
                NewCode::Supplied(code) => {
                    let code = code.reveal();
                    (code.len(), !code.bytes().any(|c| c.is_ascii_digit()))
                }
            };
            let (brand, purpose, to) = (brand.as_deref(), purpose.as_deref(), Some(&to));
            let text = Text { wording: &wording, brand, purpose, to, life, code_length, code_without_digit };
            let rendered = wording::render(cx, &text)?;
            // A resend is in the same language.
            wording.locale = Some(rendered.locale.clone());
            wording::body(rendered)
        }
        Channel::Inbound => {
            // What is typed by hand is in neither case, and no digit of it is a letter.
            wording = Wording {
                alphabet: CodeAlphabet::Unambiguous,
                amount: wording.amount,
                payee: wording.payee,
                ..Wording::default()
            };
            Body::Code(Vec::new())
        }
    };
    let now = cx.clock.now();
    let expires = now.after(life);
    let message = NewMessage {
        id: MessageId::new(now.wall, random::bytes(&*cx.random)),
        client: caller.key.client,
        to,
        body,
        parts: 1,
        priority: Priority::Otp,
        flash: false,
        send_at: None,
        deadline: expires,
        on_uncertain,
        client_reference: None,
        asked: guard::asked(caller, fields)?,
    };
    let new = NewVerification {
        id: VerificationId::new(now.wall, random::bytes(&*cx.random)),
        purpose,
        brand,
        metadata,
        code,
        expires,
        origin: Origin {
            key: Some(caller.key.id),
            address: Some(caller.address.to_string()),
            wording,
            channel,
            ..Origin::default()
        },
        supersedes: true,
        reveals: false,
        message,
    };
    Ok(Proved { new, lifted })
}

/// The text of a resend: from the same wording, for the life that is left.
fn once_more(cx: &Context, known: &Verification, life: Duration) -> Result<Body, Problem> {
    let code_length = match &known.code {
        CodeSource::Derived { length, .. } => usize::from(*length),
        CodeSource::Supplied => LONGEST_CODE,
        // The store refuses it.
        CodeSource::Erased => return Ok(Body::Code(Vec::new())),
    };
    if known.origin.channel == Channel::Inbound || life < Duration::from_secs(RESEND_LIFE_SECONDS) {
        return Ok(Body::Code(Vec::new()));
    }
    let mut wording = known.origin.wording.clone();
    if wording.template.as_deref().is_some_and(|name| cx.settings.templates.template(name).is_none()) {
        // It is in the configuration no more.
        wording.template = None;
    }
    let (brand, purpose, to) = (known.brand.as_deref(), known.purpose.as_deref(), Some(&known.to));
    let text = Text { wording: &wording, brand, purpose, to, life, code_length, code_without_digit: false };
    wording::render(cx, &text).map(wording::body)
}

/// How long the code is good for.
pub(super) fn life(
    cx: &Context,
    caller: &Caller,
    fields: &Fields,
    lifted: &mut Vec<Permission>,
) -> Result<Duration, Problem> {
    let most = cx.settings.max_code_ttl;
    let Some(seconds) = fields.integer("ttl_seconds", 30..=86_400)? else { return Ok(DEFAULT_TTL.min(most)) };
    let life = Duration::from_secs(seconds);
    if life > most {
        let most = most.as_secs();
        let detail = format!(
            "Codes live at most {most} seconds here: `[codes] max_ttl_seconds`, which a key with the permission `long_ttl` may pass."
        );
        lift(caller, Permission::LongTtl, Problem::field(Kind::TtlTooLong, "ttl_seconds", detail), lifted)?;
    }
    Ok(life)
}

/// Passes a limit if the caller has the permission, and notes that it was needed; else refuses.
fn lift(
    caller: &Caller,
    permission: Permission,
    refusal: Problem,
    lifted: &mut Vec<Permission>,
) -> Result<(), Problem> {
    if !caller.has(permission) {
        return Err(refusal);
    }
    lifted.push(permission);
    Ok(())
}

fn code(cx: &Context, caller: &Caller, fields: &Fields, lifted: &mut Vec<Permission>) -> Result<NewCode, Problem> {
    let supplied = fields.parsed("code", |text| entry::supplied(text).ok_or(NO_CODE))?;
    if supplied.is_some() && fields.value("code_alphabet").is_some() {
        return Err(Problem::invalid("code_alphabet", "Give `code` or `code_alphabet`, not both."));
    }
    let length = code_length(cx, caller, fields, supplied.as_ref(), lifted)?;
    Ok(match supplied {
        Some(code) => NewCode::Supplied(code),
        None => NewCode::Derived { length, nonce: random::bytes(&*cx.random) },
    })
}

/// How many characters the code has.
pub(super) fn code_length(
    cx: &Context,
    caller: &Caller,
    fields: &Fields,
    supplied: Option<&Secret>,
    lifted: &mut Vec<Permission>,
) -> Result<u8, Problem> {
    let least = cx.settings.min_code_length;
    let length = fields.integer("code_length", 3..=10)?.and_then(|n| u8::try_from(n).ok());
    let (field, given) = match (supplied, length) {
        (Some(_), Some(_)) => return Err(Problem::invalid("code_length", "Give `code` or `code_length`, not both.")),
        (Some(code), None) => ("code", code.reveal().len() as u8),
        (None, length) => ("code_length", length.unwrap_or(DEFAULT_LENGTH.max(least))),
    };
    if given < least {
        let detail = format!(
            "Codes have at least {least} characters here: `[codes] min_length`, which a key with the permission `short_codes` may pass."
        );
        lift(caller, Permission::ShortCodes, Problem::field(Kind::CodeTooShort, field, detail), lifted)?;
    }
    Ok(given)
}

/// What the code is for.
pub(super) fn purpose(fields: &Fields) -> Result<Option<String>, Problem> {
    fields.parsed("purpose", |text| {
        let fits = (1..=32).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-');
        if fits { Ok(text.to_owned()) } else { Err("it must have 1 to 32 of a-z, 0-9, _ and -") }
    })
}

fn metadata(fields: &Fields) -> Result<Option<String>, Problem> {
    let Some(text) = fields.json("metadata") else { return Ok(None) };
    if !text.starts_with('{') {
        return Err(Problem::invalid("metadata", "`metadata` must be an object."));
    }
    if text.len() > MAX_METADATA {
        return Err(Problem::invalid(
            "metadata",
            "`metadata` may have 1 KiB as it is written; keep the rest yourself.",
        ));
    }
    Ok(Some(text))
}

/// A verification as the API shows it: all but the code.
#[derive(Serialize)]
pub(crate) struct View {
    id: String,
    to: String,
    status: &'static str,
    reason: Option<ReasonView>,
    purpose: Option<String>,
    brand: Option<String>,
    /// As the caller wrote it.
    metadata: Option<Box<RawValue>>,
    created_at: String,
    updated_at: String,
    expires_at: String,
    attempts_left: u8,
    sends: u8,
    channel: &'static str,
    template: Option<String>,
    locale: Option<String>,
    amount: Option<String>,
    payee: Option<String>,
    host: Option<String>,
    app: Option<String>,
    /// Nothing, where a text from the number is waited for.
    message: Option<MessageLine>,
    /// What is to be texted to us, in the answer to the one who creates it.
    #[serde(skip_serializing_if = "Option::is_none")]
    inbound: Option<AwaitedView>,
    /// While its message is queued and no SIM card has room for it: when one has.
    next_slot_at: Option<String>,
    version: u32,
}

/// The message that carried the code last.
#[derive(Serialize)]
struct MessageLine {
    id: String,
    status: Option<&'static str>,
}

#[derive(Serialize)]
struct VerdictView {
    status: &'static str,
    valid: bool,
    to: String,
    purpose: Option<String>,
    attempts_left: u8,
}

impl From<VerificationView> for View {
    fn from(VerificationView { verification: v, message, .. }: VerificationView) -> Self {
        let reason = match v.state {
            VerificationState::Canceled(reason) => Some(reason.into()),
            _ => None,
        };
        let wording = v.origin.wording.clone();
        Self {
            id: v.id.to_string(),
            to: v.to.reveal_e164(),
            status: v.state.as_str(),
            reason,
            attempts_left: v.attempts_left(),
            purpose: v.purpose,
            brand: v.brand,
            metadata: v.metadata.and_then(|json| RawValue::from_string(json).ok()),
            created_at: v.created.to_string(),
            updated_at: v.updated.to_string(),
            expires_at: v.expires.wall.to_string(),
            sends: v.sends,
            channel: v.origin.channel.as_str(),
            template: wording.template,
            locale: wording.locale,
            amount: wording.amount,
            payee: wording.payee,
            host: wording.host,
            app: wording.app,
            message: (v.origin.channel == Channel::Sms)
                .then(|| MessageLine { id: v.message.to_string(), status: message.map(|s| s.as_str()) }),
            inbound: None,
            next_slot_at: None,
            version: v.version,
        }
    }
}

/// What may be said of an attempt whose end can't be known.
pub(super) const ON_UNCERTAIN: &[(&str, OnUncertain)] =
    &[("resend_once", OnUncertain::ResendOnce), ("leave", OnUncertain::Leave)];

pub(in crate::http) const CREATE: &[&str] = &[
    "to",
    "channel",
    "brand",
    "code_length",
    "code_alphabet",
    "ttl_seconds",
    "code",
    "purpose",
    "metadata",
    "on_uncertain",
    "template",
    "locale",
    "amount",
    "payee",
    "host",
    "embedded_host",
    "app",
    guard::LIMITS_BY,
];
const NO_CODE: &str = "a code has 3 to 10 letters A-Z, a-z and digits";
const DEFAULT_LENGTH: u8 = 6;
const LONGEST_CODE: usize = 10;
const DEFAULT_TTL: Duration = Duration::from_secs(300);
const MAX_METADATA: usize = 1024;
