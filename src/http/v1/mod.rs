//! The native API.

pub(super) mod audit;
mod awaited;
pub(super) mod estimate;
pub(super) mod events;
pub(super) mod guard;
pub(super) mod inbound;
pub(super) mod keys;
pub(super) mod messages;
pub(super) mod modems;
pub(super) mod opt_outs;
pub(super) mod templates;
pub(super) mod verifications;
pub(super) mod webhooks;
mod wording;

use super::idempotency::mark;
use super::problem::{Kind, Problem};
pub(crate) use crate::webhook::payload::Why as ReasonView;
use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// A list, or a page of one.
#[derive(Serialize)]
pub(crate) struct List<T> {
    items: Vec<T>,
    next_cursor: Option<String>,
}

impl<T> List<T> {
    /// A list that is whole.
    pub(crate) fn new(items: Vec<T>) -> Self {
        Self { items, next_cursor: None }
    }
}

/// The answer that shows what was made, and where it is to be found.
fn created(location: String, view: impl Serialize, replayed: bool) -> Response {
    mark((StatusCode::CREATED, [(header::LOCATION, location)], Json(view)).into_response(), replayed)
}

/// Reads the id in a path. What is no id names nothing.
fn id<T>(text: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, Problem> {
    parse(text)
        .ok_or_else(|| Problem::new(Kind::NotFound, "There is no such record; the path holds no id of this kind."))
}
