//! MyOTP.App's dialect, for applications that speak to that service: the same verifications under other names.
//!
//! Each call is translated into a request of our own, and what comes of it into that service's bodies, words and dates.
//! Where its published documents disagree, what each of them allows is taken.

mod otp;
mod report;

use super::Cx;
use super::auth::{Caller, authenticate};
use super::input::{Fields, Payload};
use super::problem::{Kind, Problem};
use crate::domain::msisdn::Msisdn;
use crate::domain::time::Wall;
use crate::store::Scope;
use axum::Router;
use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, http::header};
use serde_json::{Value, json};

/// The dialect's routes.
pub(super) fn routes() -> Router<Cx> {
    Router::new()
        .route("/generate_otp", post(otp::generate))
        .route("/verify_otp", post(otp::verify))
        .route("/extend_otp", post(otp::extend))
        .route("/check_otp_status", post(otp::status))
        .route("/check_otp", post(otp::status))
        .route("/report", post(report::report))
        .route("/me", get(me))
}

/// What the envelope of errors is called, if the path is one of the dialect's.
pub(super) fn envelope(path: &str) -> Option<&'static str> {
    let calls = ["/generate_otp", "/verify_otp", "/extend_otp", "/check_otp_status", "/check_otp", "/report", "/me"];
    let under = |root: &&str| path.strip_prefix(*root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    match path {
        _ if calls.contains(&path) => Some("error"),
        _ if ["/v1/agent", "/v1/topup"].iter().any(under) => Some(MONEY),
        _ => None,
    }
}

/// An error in the dialect's envelope. Clients look for a text under `message` at the top as well.
pub(super) fn say(problem: &Problem, envelope: &str) -> Response {
    let status = match problem.kind().status() {
        StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
        other => other,
    };
    let message = match problem.kind() {
        Kind::Unauthorized => "Invalid API key",
        Kind::AddressNotAllowed => "Access from this IP not allowed",
        Kind::PendingAlready => "OTP already active",
        // What sells credits or accounts. That service's own clients take 404 for a server without.
        Kind::NotFound if envelope == MONEY => "otpgate sells nothing: it sends over SIM cards of your own.",
        _ => problem.detail(),
    };
    let inner = json!({"http_code": status.as_u16(), "message": message});
    (status, Json(json!({envelope: inner, "message": message}))).into_response()
}

/// Who calls, by the header `X-API-Key`.
pub(super) struct Client(Caller);

impl FromRequestParts<Cx> for Client {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, cx: &Cx) -> Result<Self, Problem> {
        let mut keys = parts.headers.get_all("x-api-key").iter();
        let none = || Problem::new(Kind::Unauthorized, "Send the header X-API-Key.");
        let key = keys.next().and_then(|key| key.to_str().ok()).ok_or_else(none)?;
        if keys.next().is_some() || parts.headers.contains_key(header::AUTHORIZATION) {
            return Err(Problem::new(Kind::TwoCredentials, "Send one credential, in the header X-API-Key."));
        }
        Ok(Self(authenticate(cx, parts, key, |scope| scope == Scope::MyOtp)?))
    }
}

/// The probe whether key and address are right.
async fn me(State(cx): State<Cx>, _: Client) -> Json<Value> {
    Json(json!({"email": cx.settings.operator_email}))
}

/// A phone number: digits, with or without a plus.
fn phone(fields: &Fields, name: &'static str) -> Result<Option<Msisdn>, Problem> {
    fields.parsed(name, |text| {
        let digits = text.strip_prefix('+').unwrap_or(text);
        let fits = (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        let number = Msisdn::parse(&format!("+{digits}")).ok().filter(|_| fits);
        number.ok_or("Destination could not be determined: give 7 to 15 digits with the country code, and no leading 0")
    })
}

/// Yes or no, as a boolean or as its word.
fn flag(fields: &Fields, name: &'static str) -> Result<bool, Problem> {
    match fields.value(name) {
        None => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(Value::String(word)) if word.eq_ignore_ascii_case("true") => Ok(true),
        Some(Value::String(word)) if word.eq_ignore_ascii_case("false") => Ok(false),
        Some(_) => Err(Problem::invalid(name, format!("`{name}` must be true or false."))),
    }
}

/// A whole number within bounds, as a number or as its digits.
fn integer(fields: &Fields, name: &'static str, least: u64, most: u64) -> Result<Option<u64>, Problem> {
    let Some(value) = fields.value(name) else { return Ok(None) };
    let number = value.as_u64().or_else(|| value.as_str().and_then(|text| text.parse().ok()));
    let wrong = || Problem::invalid(name, format!("`{name}` must be a whole number from {least} to {most}."));
    number.filter(|n| (least..=most).contains(n)).map(Some).ok_or_else(wrong)
}

/// A call's fields. What is not known is passed over, as that service does.
fn fields(payload: &Payload, known: &'static [&'static str]) -> Result<Fields, Problem> {
    payload.fields_among(known)
}

/// A time, as that service writes it: UTC, whole seconds.
fn time(wall: Wall) -> String {
    let text = wall.to_string();
    match text.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => text,
    }
}

/// What that service calls the envelope of errors under `/v1/agent` and `/v1/topup`.
const MONEY: &str = "detail";
