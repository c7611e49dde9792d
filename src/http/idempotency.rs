//! The header `Idempotency-Key`: the same request again gives the same resource again.

use super::Context;
use super::auth::Caller;
use super::input::{Fields, Payload};
use super::problem::{Kind, Problem};
use crate::store::{Idempotency, Made};
use axum::http::HeaderValue;
use axum::response::Response;
use sha2::{Digest, Sha256};

/// What the store is to remember of this request, if it bears an idempotency key. A key counts per client and path. The
/// id in the path must have been read before, so that it is of the one form that ids have.
pub(crate) fn idempotency(caller: &Caller, payload: &Payload, fields: &Fields) -> Result<Option<Idempotency>, Problem> {
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
        key: digest(&[&client, payload.resource.as_bytes(), key]),
        fingerprint: digest(&[fields.canonical().as_bytes()]),
    }))
}

impl Context {
    /// What a request that is refused did before, under the same idempotency key: time may have passed since, or a setting
    /// changed, and what was done is not undone by that.
    pub(crate) async fn unless_done(
        &self,
        idempotency: Option<Idempotency>,
        refusal: Problem,
    ) -> Result<Made, Problem> {
        let Some(idempotency) = idempotency else { return Err(refusal) };
        self.ask(self.store.made(idempotency)).await?.ok_or(refusal)
    }
}

/// SHA-256 over the parts, each with its length.
fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut sha = Sha256::new();
    for part in parts {
        sha.update((part.len() as u64).to_be_bytes());
        sha.update(part);
    }
    sha.finalize().into()
}

/// Marks an answer that repeats an earlier one.
pub(crate) fn mark(mut response: Response, replayed: bool) -> Response {
    if replayed {
        response.headers_mut().insert("idempotent-replay", HeaderValue::from_static("true"));
    }
    response
}

const HEADER: &str = "Idempotency-Key";
