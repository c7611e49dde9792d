//! `/v1/audit`: who did what.

use super::List;
use crate::domain::audit::{AuditEntry, AuditKind};
use crate::http::Cx;
use crate::http::auth::Caller;
use crate::http::input::Fields;
use crate::http::problem::Problem;
use crate::store::{AuditQuery, AuditWalk, Scope};
use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use serde::Serialize;

/// A page of the log, newest first.
pub(crate) async fn list(State(cx): State<Cx>, caller: Caller, uri: Uri) -> Result<Json<List<View>>, Problem> {
    caller.must(Scope::Admin)?;
    let fields = Fields::of_query(&uri, LIST)?;
    let query = AuditQuery {
        kind: fields.word("kind", &AuditKind::ALL.map(|kind| (kind.as_str(), kind)))?,
        number: fields.number("number")?,
        since: fields.time("since")?,
        until: fields.time("until")?,
        before: fields.integer("cursor", 1..=u64::MAX)?,
        limit: fields.integer("limit", 1..=200)?.map_or(50, |n| n as usize),
    };
    let page = cx.ask(cx.store.audits(query)).await?;
    let items = page.items.into_iter().map(View::from).collect();
    Ok(Json(List { items, next_cursor: page.next.map(|sequence| sequence.to_string()) }))
}

/// Walks along the chain, some way in each request.
pub(crate) async fn verify(State(cx): State<Cx>, caller: Caller, uri: Uri) -> Result<Json<WalkView>, Problem> {
    caller.must(Scope::Admin)?;
    let from = Fields::of_query(&uri, &["from"])?.integer("from", 1..=u64::MAX)?.unwrap_or(1);
    Ok(Json(cx.ask(cx.store.walk_audits(from)).await?.into()))
}

/// A line as the API shows it.
#[derive(Serialize)]
pub(crate) struct View {
    sequence: u64,
    at: String,
    kind: &'static str,
    key: Option<String>,
    client: Option<String>,
    address: Option<String>,
    /// Its keyed hash.
    number: Option<String>,
    about: Option<String>,
    detail: Option<String>,
    mark: String,
}

#[derive(Serialize)]
pub(crate) struct WalkView {
    first: u64,
    last: u64,
    checked: u64,
    next: Option<u64>,
    broken: Option<BrokenView>,
}

#[derive(Serialize)]
struct BrokenView {
    sequence: u64,
    text: &'static str,
}

impl From<AuditEntry> for View {
    fn from(entry: AuditEntry) -> Self {
        Self {
            sequence: entry.sequence,
            at: entry.at.to_string(),
            kind: entry.kind.as_str(),
            key: entry.key.map(|id| id.to_string()),
            client: entry.client.map(|id| id.to_string()),
            address: entry.address.map(|address| address.to_string()),
            number: entry.number.map(|hash| hex(&hash)),
            about: entry.about,
            detail: entry.detail,
            mark: hex(&entry.mark),
        }
    }
}

impl From<AuditWalk> for WalkView {
    fn from(walk: AuditWalk) -> Self {
        let AuditWalk { first, last, checked, next, broken } = walk;
        Self { first, last, checked, next, broken: broken.map(|(sequence, text)| BrokenView { sequence, text }) }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const LIST: &[&str] = &["kind", "number", "since", "until", "cursor", "limit"];
