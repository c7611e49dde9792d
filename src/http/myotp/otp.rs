//! Codes: sent, checked, extended, and what became of their messages.

use super::{Client, fields, flag, integer, phone, time};
use crate::domain::id::VerificationId;
use crate::domain::message::{Message, ReportState, State as Sent};
use crate::domain::reason::Reason;
use crate::domain::verification::CodeAlphabet;
use crate::domain::verification::{Entrance, VerificationRefused, VerificationState};
use crate::http::auth::Caller;
use crate::http::guard;
use crate::http::input::{Fields, Payload};
use crate::http::problem::{Kind, Problem};
use crate::http::v1::verifications::{self, Proved};
use crate::http::{Context, Cx};
use crate::otp::entry;
use crate::store::{Check, NewVerification, Permission, StoreError, Verdict};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use std::time::Duration;
use uuid::Uuid;

/// Sends a code.
pub(super) async fn generate(
    State(cx): State<Cx>,
    Client(caller): Client,
    payload: Payload,
) -> Result<Response, Problem> {
    let fields = fields(&payload, GENERATE)?;
    let asked = Asked::read(&cx, &caller, &fields)?;
    cx.takes_new()?;
    let Proved { mut new, lifted } =
        verifications::prove(&cx, &caller, &Fields::of_object(asked.native, verifications::CREATE)?)?;
    new = NewVerification { supersedes: asked.force, reveals: asked.reveals, ..new };
    new.origin.entrance = Entrance::MyOtp;
    new.origin.forced = asked.force;
    let accepted = verifications::take(&cx, &caller, Proved { new, lifted }, None).await?;
    let (made, would_refuse) = (accepted.value, accepted.would_refuse);
    let v = &made.verification;
    let mut answer = json!({
        "message_id": message_id(v.id),
        "status": "accepted",
        "message": "OTP sent",
        "date_sent": time(v.created),
        "expires_at": time(v.expires.wall),
        "cost": cx.settings.price_per_sms.to_f64(),
    });
    if let Some(code) = made.code {
        tracing::info!(key.id = %caller.key.id, verification.id = %v.id, "A code was given back to its caller");
        answer["otp"] = json!(code.reveal());
    }
    Ok(guard::tell(Json(answer).into_response(), &would_refuse))
}

/// What a call asks for, in our own words.
struct Asked {
    native: Map<String, Value>,
    force: bool,
    reveals: bool,
}

impl Asked {
    fn read(cx: &Context, caller: &Caller, fields: &Fields) -> Result<Self, Problem> {
        if fields.text("channel")?.is_some_and(|channel| channel != "sms") {
            return Err(Problem::invalid(
                "channel",
                "Service not available: otpgate sends by SMS, with `channel` \"sms\".",
            ));
        }
        let mut native = Map::new();
        native.insert("to".into(), fields.need("phone_number", phone)?.reveal_e164().into());
        match fields.text("otp_code")? {
            Some(code) if is_code(code) => native.insert("code".into(), code.into()),
            Some(_) => return Err(Problem::invalid("otp_code", "`otp_code` must have 3 to 8 digits.")),
            None => {
                // Whatever the box prefers: the dialect's codes are digits.
                native.insert("code_alphabet".into(), CodeAlphabet::Digits.as_str().into());
                integer(fields, "otp_length", 3, 8)?
                    .and_then(|length| native.insert("code_length".into(), length.into()))
            }
        };
        let asked = Duration::from_secs(integer(fields, "otp_validity", 30, 86_400)?.unwrap_or(300));
        let validity = if caller.has(Permission::LongTtl) { asked } else { asked.min(cx.settings.max_code_ttl) };
        native.insert("ttl_seconds".into(), validity.as_secs().into());
        if let Some(brand) = fields.text("brand")? {
            let fits = (3..=16).contains(&brand.len()) && brand.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.');
            if !fits {
                return Err(Problem::invalid("brand", "`brand` must have 3 to 16 of a-z, A-Z, 0-9 and the dot."));
            }
            native.insert("brand".into(), brand.into());
        }
        if let Some(name) = template(caller, integer(fields, "template_order", 1, 99)?.unwrap_or(1))? {
            native.insert("template".into(), name.into());
        }
        let reveals = flag(fields, "return_otp")?;
        if reveals && !caller.has(Permission::ReturnCode) {
            return Err(Problem::new(
                Kind::PermissionMissing,
                "`return_otp` is off: a key has it with the permission `return_code` only (`otpgate keys create --permission return_code`).",
            ));
        }
        Ok(Self { native, force: flag(fields, "force_send")?, reveals })
    }
}

/// The template in that place of the key's list. The first place of an empty list is the built-in one.
fn template(caller: &Caller, order: u64) -> Result<Option<String>, Problem> {
    let templates = &caller.key.settings.templates;
    let place = usize::try_from(order).unwrap_or(usize::MAX) - 1;
    match templates.get(place) {
        Some(name) => Ok(Some(name.clone())),
        None if order == 1 => Ok(None),
        None => {
            let count = templates.len();
            let detail = format!(
                "`template_order`: this key has {count} templates; `otpgate keys set --template` gives it more."
            );
            Err(Problem::invalid("template_order", detail))
        }
    }
}

/// Checks a code. A verdict is always 200.
pub(super) async fn verify(
    State(cx): State<Cx>,
    Client(caller): Client,
    payload: Payload,
) -> Result<Json<Value>, Problem> {
    let fields = fields(&payload, &["otp", "message_id", "phone_number"])?;
    let code = fields.need("otp", Fields::text)?;
    let code = entry::typed(code).filter(|code| is_code(code.reveal()));
    let code = code.ok_or_else(|| Problem::invalid("otp", "`otp` must have 3 to 8 digits."))?;
    let to = phone(&fields, "phone_number")?;
    let id = match (fields.text("message_id")?, to.clone()) {
        (Some(id), _) => parse(id),
        (None, Some(to)) => cx.ask(cx.store.newest_to(caller.access(), to)).await?,
        (None, None) => {
            return Err(Problem::field(Kind::MissingField, "message_id", "Give `message_id` or `phone_number`."));
        }
    };
    let Some(id) = id else { return Ok(not_found()) };
    let checked = cx.store.check(caller.access(), id, Check { to, ..Check::of(code) }, None).await;
    Ok(match checked {
        Ok(verdict) => {
            tracing::info!(verification.id = %id, valid = verdict.valid, status = verdict.state.as_str(), "Checked a code");
            said(&verdict)
        }
        // It counts once, and is unknown after that.
        Err(StoreError::NotFound | StoreError::Verification(VerificationRefused::AlreadyApproved)) => not_found(),
        Err(StoreError::NotSuchACode(_)) => failed("invalid", "Invalid OTP"),
        Err(other) => return locked_or(other.into()),
    })
}

/// A number that is locked has had too many wrong codes: nothing was compared.
fn locked_or(problem: Problem) -> Result<Json<Value>, Problem> {
    match problem.kind().status() {
        StatusCode::TOO_MANY_REQUESTS => Ok(failed("invalid", TOO_MANY)),
        _ => Err(problem),
    }
}

fn said(verdict: &Verdict) -> Json<Value> {
    match verdict.state {
        VerificationState::Approved => Json(json!({"status": "success", "message": "OTP verified"})),
        VerificationState::Pending => failed("invalid", "Invalid OTP"),
        VerificationState::MaxAttemptsReached => failed("invalid", TOO_MANY),
        VerificationState::Expired => Json(json!({"status": "expired", "reason": "expired", "message": "OTP expired"})),
        VerificationState::Canceled(_) => not_found(),
    }
}

fn failed(reason: &str, message: &str) -> Json<Value> {
    Json(json!({"status": "failed", "reason": reason, "message": message}))
}

fn not_found() -> Json<Value> {
    failed("not found", "OTP not found")
}

/// Lets a code live longer. Without the permission `long_ttl` no longer than codes live here.
pub(super) async fn extend(
    State(cx): State<Cx>,
    Client(caller): Client,
    payload: Payload,
) -> Result<Json<Value>, Problem> {
    let fields = fields(&payload, &["message_id", "duration"])?;
    let id = fields.need("message_id", Fields::text)?;
    let by = Duration::from_secs(integer(&fields, "duration", 60, 14_400)?.unwrap_or(300));
    let unknown = || Problem::new(Kind::NotFound, "OTP not found");
    let id = parse(id).ok_or_else(unknown)?;
    let most = if caller.has(Permission::LongTtl) { LONGEST } else { cx.settings.max_code_ttl };
    let extended = cx.store.extend(caller.access(), id, by, most).await.map_err(|error| match error {
        StoreError::NotFound | StoreError::Verification(VerificationRefused::AlreadyApproved | VerificationRefused::Final(_)) => unknown(),
        StoreError::Verification(VerificationRefused::LongEnough) => Problem::new(
            Kind::PermissionMissing,
            "It lives as long as codes may here: `[codes] max_ttl_seconds`, which a key with the permission `long_ttl` may pass.",
        ),
        other => other.into(),
    })?;
    tracing::info!(verification.id = %id, "Extended a verification");
    let expires = time(extended.verification.expires.wall);
    Ok(Json(json!({"status": "success", "message": "OTP extended", "expires_at": expires})))
}

/// What became of the message. An unknown one is 200 as well.
pub(super) async fn status(
    State(cx): State<Cx>,
    Client(caller): Client,
    payload: Payload,
) -> Result<Json<Value>, Problem> {
    let fields = fields(&payload, &["message_id"])?;
    let id = parse(fields.need("message_id", Fields::text)?);
    let known = match id {
        Some(id) => match cx.store.verification(caller.access(), id, None).await {
            Err(StoreError::NotFound) => None,
            other => Some(other.map_err(Problem::from)?.verification),
        },
        None => None,
    };
    let Some(verification) = known else {
        let message = "OTP not found";
        return Ok(Json(json!({"message": message, "Message:": message, "is_active": false})));
    };
    let message = cx.store.message(caller.access(), verification.message, None).await;
    let dlr = message.map_or("Not available from the carrier", |message| dlr(&message));
    let active = !verification.is_final() && !verification.expires.passed(&cx.clock.now());
    Ok(Json(json!({"DLR": dlr, "DLR:": dlr, "is_active": active, "expires_at": time(verification.expires.wall)})))
}

/// Delivery in that service's words.
pub(super) fn dlr(message: &Message) -> &'static str {
    match message.state {
        Sent::Queued { .. } | Sent::Submitting | Sent::Uncertain { closed: false, .. } => {
            "Pending: not yet accepted by the carrier"
        }
        Sent::Submitted { report: ReportState::Awaited, .. } => "Pending: the carrier has not reported yet",
        Sent::Submitted { .. } | Sent::Uncertain { closed: true, .. } => "Not available from the carrier",
        Sent::Delivered => "DELIVRD",
        Sent::Undelivered(Reason::Report(0x46)) => "EXPIRED",
        Sent::Undelivered(_) => "UNDELIV",
        Sent::Expired(_) => "EXPIRED",
        Sent::Failed(_) => "failed.Modem",
        Sent::Canceled(_) => "REJECTD",
    }
}

/// That service's ids are UUIDs: ours, without the word before it.
pub(super) fn message_id(id: VerificationId) -> String {
    Uuid::from_u128(id.0).to_string()
}

fn parse(text: &str) -> Option<VerificationId> {
    Uuid::try_parse(text).ok().map(|id| VerificationId(id.as_u128()))
}

fn is_code(text: &str) -> bool {
    (3..=8).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

const GENERATE: &[&str] = &[
    "phone_number",
    "channel",
    "otp_length",
    "otp_code",
    "otp_validity",
    "template_order",
    "force_send",
    "return_otp",
    "brand",
];
const TOO_MANY: &str = "Too many attempts";
/// As long as that service lets one live.
const LONGEST: Duration = Duration::from_secs(86_400);
