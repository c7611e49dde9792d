//! The header `Idempotency-Key`: the same request again gives the same resource again.

use super::Context;
use super::auth::Caller;
use super::input::{Fields, Payload};
use super::problem::{Kind, Problem};
use crate::store::Idempotency;
use axum::http::HeaderValue;
use axum::response::Response;

/// What the store is to remember of this request, if it bears an idempotency key. A key counts per client and path.
pub(crate) fn idempotency(
    cx: &Context,
    caller: &Caller,
    payload: &Payload,
    fields: &Fields,
) -> Result<Option<Idempotency>, Problem> {
    let mut keys = payload.headers.get_all(HEADER).iter();
    let Some(key) = keys.next() else { return Ok(None) };
    if keys.next().is_some() {
        return Err(Problem::field(Kind::BadRequest, HEADER, "Idempotency-Key is given twice; give it once."));
    }
    let key = key.as_bytes();
    if !(1..=255).contains(&key.len()) || !key.iter().all(|b| (b' '..=b'~').contains(b)) {
        return Err(Problem::invalid(HEADER, "Idempotency-Key must have 1 to 255 printable ASCII characters."));
    }
    let client = caller.key.client.0.to_be_bytes();
    Ok(Some(Idempotency {
        key: (cx.fingerprint)(&[b"idempotency-key", &client, payload.path.as_bytes(), key]),
        fingerprint: (cx.fingerprint)(&[b"idempotency-body", fields.canonical().as_bytes()]),
    }))
}

/// Marks an answer that repeats an earlier one.
pub(crate) fn mark(mut response: Response, replayed: bool) -> Response {
    if replayed {
        response.headers_mut().insert("idempotent-replay", HeaderValue::from_static("true"));
    }
    response
}

const HEADER: &str = "Idempotency-Key";
