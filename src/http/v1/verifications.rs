//! `/v1/verifications`: a code to a number, and whether it came back.

use super::messages::{slot, slot_if_held};
use super::{ReasonView, created, id};
use crate::domain::id::{MessageId, VerificationId};
use crate::domain::message::{OnUncertain, Priority};
use crate::domain::verification::{Origin, VerificationState};
use crate::http::auth::Caller;
use crate::http::idempotency::{idempotency, mark};
use crate::http::input::{Fields, Payload};
use crate::http::problem::{Kind, Problem};
use crate::http::{Context, Cx, wait};
use crate::ops::random;
use crate::otp::entry;
use crate::otp::template::{Brand, Template};
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
    let (accepted, lifted) = match cx.takes_new().and_then(|()| prove(&cx, &caller, &fields)) {
        Ok(Proved { new, lifted }) => {
            let store = cx.store.acting(caller.actor(lifted.clone()));
            (cx.ask(store.create_verification(new, idempotency)).await?, lifted)
        }
        Err(refusal) => (done_before(&cx, &caller, idempotency, refusal).await?, Vec::new()),
    };
    let verification = &accepted.value.verification;
    if !accepted.replayed {
        tracing::info!(verification.id = %verification.id, message.id = %verification.message, to = %verification.to, "Accepted a verification");
        for permission in lifted {
            tracing::info!(key.id = %caller.key.id, permission = permission.as_str(), verification.id = %verification.id, "A permission lifted a limit");
        }
    }
    let location = format!("/v1/verifications/{}", verification.id);
    let next_slot_at = slot_if_held(&cx, verification.message, accepted.value.message).await?;
    Ok(created(location, View { next_slot_at, ..View::from(accepted.value) }, accepted.replayed))
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
    let fields = payload.fields(&["code", "to", "purpose"])?;
    let idempotency = idempotency(&caller, &payload, &fields)?;
    let code = fields.need("code", |f, name| f.parsed(name, |text| entry::typed(text).ok_or(NO_CODE)))?;
    let check = Check { code, to: fields.number("to")?, purpose: purpose(&fields)? };
    let verdict = cx.ask(cx.store.check(caller.access(), id, check, idempotency)).await?;
    tracing::info!(verification.id = %id, valid = verdict.valid, status = verdict.state.as_str(), "Checked a code");
    let answer = VerdictView {
        status: verdict.state.as_str(),
        valid: verdict.valid,
        to: verdict.to.reveal_e164(),
        purpose: verdict.purpose,
        attempts_left: verdict.attempts_left,
    };
    Ok(mark(Json(answer).into_response(), verdict.replayed))
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
    let fields = payload.optional_fields(&["fresh"])?;
    let idempotency = idempotency(&caller, &payload, &fields)?;
    let fresh = fields.flag("fresh")?.unwrap_or(false);
    if let Err(refusal) = cx.takes_new() {
        let accepted = done_before(&cx, &caller, idempotency, refusal).await?;
        return Ok(mark(Json(View::from(accepted.value)).into_response(), accepted.replayed));
    }
    // Only what never changes is taken from here: the brand and the time of expiry. The store decides.
    let known = cx.ask(cx.store.verification(caller.access(), id, None)).await?.verification;
    let now = cx.clock.now();
    let brand = known.brand.as_deref().and_then(|b| Brand::parse(b).ok());
    let message = MessageId::new(now.wall, random::bytes(&*cx.random));
    let resend = Resend { message, body: text(brand.as_ref(), known.expires.left(&now)), fresh };
    let accepted = cx.ask(cx.by(&caller).resend(caller.access(), id, resend, idempotency)).await?;
    if !accepted.replayed {
        tracing::info!(verification.id = %id, message.id = %accepted.value.verification.message, fresh, "Accepted a resend");
    }
    Ok(mark(Json(View::from(accepted.value)).into_response(), accepted.replayed))
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
            Ok(Accepted { value: cx.ask(cx.store.verification(caller.access(), id, None)).await?, replayed: true })
        }
        _ => Err(StoreError::IdempotencyMismatch.into()),
    }
}

/// A request that may be done, and the permissions without which it would not be.
struct Proved {
    new: NewVerification,
    lifted: Vec<Permission>,
}

/// Proves a request, and draws what is random.
fn prove(cx: &Context, caller: &Caller, fields: &Fields) -> Result<Proved, Problem> {
    let to = fields.need("to", Fields::number)?;
    let brand = fields.parsed("brand", Brand::parse)?;
    let purpose = purpose(fields)?;
    let metadata = metadata(fields)?;
    let on_uncertain = fields.word("on_uncertain", ON_UNCERTAIN)?.unwrap_or(OnUncertain::ResendOnce);
    let mut lifted = Vec::new();
    let life = life(cx, caller, fields, &mut lifted)?;
    let code = code(cx, caller, fields, &mut lifted)?;
    let now = cx.clock.now();
    let expires = now.after(life);
    let message = NewMessage {
        id: MessageId::new(now.wall, random::bytes(&*cx.random)),
        client: caller.key.client,
        to,
        body: text(brand.as_ref(), life),
        parts: 1,
        priority: Priority::Otp,
        flash: false,
        send_at: None,
        deadline: expires,
        on_uncertain,
        client_reference: None,
    };
    let new = NewVerification {
        id: VerificationId::new(now.wall, random::bytes(&*cx.random)),
        purpose,
        brand: brand.map(|b| b.as_str().to_owned()),
        metadata,
        code,
        expires,
        origin: Origin { key: Some(caller.key.id), ..Origin::default() },
        message,
    };
    Ok(Proved { new, lifted })
}

fn text(brand: Option<&Brand>, life: Duration) -> Body {
    let Template { before, after } = Template::new(brand, life);
    Body::code(before, after)
}

fn life(cx: &Context, caller: &Caller, fields: &Fields, lifted: &mut Vec<Permission>) -> Result<Duration, Problem> {
    let most = cx.settings.max_code_ttl;
    let Some(seconds) = fields.integer("ttl_seconds", 30..=3600)? else { return Ok(DEFAULT_TTL.min(most)) };
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
    let least = cx.settings.min_code_length;
    let length = fields.integer("code_length", 4..=10)?.and_then(|n| u8::try_from(n).ok());
    let supplied = fields.parsed("code", |text| entry::supplied(text).ok_or(NO_CODE))?;
    let (field, given) = match (&supplied, length) {
        (Some(_), Some(_)) => return Err(Problem::invalid("code_length", "Give `code` or `code_length`, not both.")),
        (Some(code), None) => ("code", code.reveal().len()),
        (None, length) => ("code_length", usize::from(length.unwrap_or(DEFAULT_LENGTH.max(least)))),
    };
    if given < usize::from(least) {
        let detail = format!(
            "Codes have at least {least} characters here: `[codes] min_length`, which a key with the permission `short_codes` may pass."
        );
        lift(caller, Permission::ShortCodes, Problem::field(Kind::CodeTooShort, field, detail), lifted)?;
    }
    Ok(match supplied {
        Some(code) => NewCode::Supplied(code),
        None => NewCode::Derived { length: given as u8, nonce: random::bytes(&*cx.random) },
    })
}

fn purpose(fields: &Fields) -> Result<Option<String>, Problem> {
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
    message: MessageLine,
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
    fn from(VerificationView { verification: v, message }: VerificationView) -> Self {
        let reason = match v.state {
            VerificationState::Canceled(reason) => Some(reason.into()),
            _ => None,
        };
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
            message: MessageLine { id: v.message.to_string(), status: message.map(|s| s.as_str()) },
            next_slot_at: None,
            version: v.version,
        }
    }
}

/// What may be said of an attempt whose end can't be known.
pub(super) const ON_UNCERTAIN: &[(&str, OnUncertain)] =
    &[("resend_once", OnUncertain::ResendOnce), ("leave", OnUncertain::Leave)];

const CREATE: &[&str] = &["to", "brand", "code_length", "ttl_seconds", "code", "purpose", "metadata", "on_uncertain"];
const NO_CODE: &str = "a code has 4 to 10 letters A-Z, a-z and digits";
const DEFAULT_LENGTH: u8 = 6;
const DEFAULT_TTL: Duration = Duration::from_secs(300);
const MAX_METADATA: usize = 1024;
