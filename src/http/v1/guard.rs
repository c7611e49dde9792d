//! `/v1/guard`: how the guard stands, the kill switch, the lists, and the number that is to be let go on.

use super::List as Items;
use crate::domain::guard::{List, Pattern};
use crate::domain::id::ListedId;
use crate::domain::msisdn::Msisdn;
use crate::http::Cx;
use crate::http::auth::Caller;
use crate::http::input::{Fields, Payload};
use crate::http::problem::Problem;
use crate::store::{Listed, ListedQuery, Scope};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use serde::Serialize;

/// How it stands: each rule's mode, and how often it said no since otpgate started.
pub(crate) async fn show(State(cx): State<Cx>, caller: Caller) -> Result<Json<View>, Problem> {
    caller.must(Scope::Admin)?;
    view(&cx).await
}

/// The kill switch: nothing is taken in, and nothing that waits is sent.
pub(crate) async fn stop(State(cx): State<Cx>, caller: Caller, payload: Payload) -> Result<Json<View>, Problem> {
    switch(cx, caller, payload, true).await
}

/// Lets sending go on.
pub(crate) async fn start(State(cx): State<Cx>, caller: Caller, payload: Payload) -> Result<Json<View>, Problem> {
    switch(cx, caller, payload, false).await
}

async fn switch(cx: Cx, caller: Caller, payload: Payload, stop: bool) -> Result<Json<View>, Problem> {
    caller.must(Scope::Admin)?;
    payload.optional_fields(&[])?;
    if cx.ask(cx.by(&caller).stop_sending(stop)).await? {
        tracing::warn!(by.key.id = %caller.key.id, stop, "The kill switch was turned");
    }
    view(&cx).await
}

/// A page of the block list, newest first.
pub(crate) async fn blocked(State(cx): State<Cx>, caller: Caller, uri: Uri) -> Result<Json<Items<Entry>>, Problem> {
    page(cx, caller, uri, List::Blocked).await
}

/// Puts a number or a prefix on the block list. One that is there already stays there.
pub(crate) async fn block(
    State(cx): State<Cx>,
    caller: Caller,
    Path(path): Path<String>,
    payload: Payload,
) -> Result<Json<Entry>, Problem> {
    add(cx, caller, &path, payload, List::Blocked).await
}

/// Takes one off it.
pub(crate) async fn unblock(
    State(cx): State<Cx>,
    caller: Caller,
    Path(path): Path<String>,
) -> Result<StatusCode, Problem> {
    remove(cx, caller, &path, List::Blocked).await
}

/// A page of the safe list, newest first.
pub(crate) async fn safe(State(cx): State<Cx>, caller: Caller, uri: Uri) -> Result<Json<Items<Entry>>, Problem> {
    page(cx, caller, uri, List::Safe).await
}

/// Puts a number or a prefix on the safe list. One that is there already stays there.
pub(crate) async fn trust(
    State(cx): State<Cx>,
    caller: Caller,
    Path(path): Path<String>,
    payload: Payload,
) -> Result<Json<Entry>, Problem> {
    add(cx, caller, &path, payload, List::Safe).await
}

/// Takes one off it.
pub(crate) async fn distrust(
    State(cx): State<Cx>,
    caller: Caller,
    Path(path): Path<String>,
) -> Result<StatusCode, Problem> {
    remove(cx, caller, &path, List::Safe).await
}

/// Forgets the wrong codes that were given for a number, and the codes that it was sent.
pub(crate) async fn unlock(
    State(cx): State<Cx>,
    caller: Caller,
    Path(path): Path<String>,
) -> Result<StatusCode, Problem> {
    caller.must(Scope::Admin)?;
    let number =
        Msisdn::parse(&path).map_err(|why| Problem::invalid("number", format!("The path's number: {why}.")))?;
    let shown = number.to_string();
    cx.ask(cx.by(&caller).unlock(number)).await?;
    tracing::info!(number = %shown, by.key.id = %caller.key.id, "Unlocked a number");
    Ok(StatusCode::NO_CONTENT)
}

async fn page(cx: Cx, caller: Caller, uri: Uri, list: List) -> Result<Json<Items<Entry>>, Problem> {
    caller.must(Scope::Admin)?;
    let fields = Fields::of_query(&uri, LIST)?;
    let query = ListedQuery {
        list,
        before: fields
            .parsed("cursor", |text| ListedId::parse(text).ok_or("give the `next_cursor` of the last page"))?,
        limit: fields.integer("limit", 1..=200)?.map_or(50, |n| n as usize),
    };
    let page = cx.ask(cx.store.listed(query)).await?;
    let items = page.items.into_iter().map(Entry::from).collect();
    Ok(Json(Items { items, next_cursor: page.next.map(|id| id.to_string()) }))
}

async fn add(cx: Cx, caller: Caller, path: &str, payload: Payload, list: List) -> Result<Json<Entry>, Problem> {
    caller.must(Scope::Admin)?;
    payload.optional_fields(&[])?;
    let listed = cx.ask(cx.by(&caller).list(list, pattern(path)?)).await?;
    let (list, pattern) = (list.as_str(), &listed.pattern);
    tracing::info!(list, %pattern, by.key.id = %caller.key.id, "Put on a list of the guard");
    Ok(Json(Entry::from(listed)))
}

async fn remove(cx: Cx, caller: Caller, path: &str, list: List) -> Result<StatusCode, Problem> {
    caller.must(Scope::Admin)?;
    let pattern = pattern(path)?;
    let shown = pattern.to_string();
    cx.ask(cx.by(&caller).unlist(list, pattern)).await?;
    tracing::info!(list = list.as_str(), pattern = %shown, by.key.id = %caller.key.id, "Taken off a list of the guard");
    Ok(StatusCode::NO_CONTENT)
}

fn pattern(path: &str) -> Result<Pattern, Problem> {
    Pattern::parse(path).map_err(|why| Problem::invalid("number", format!("The path's number or prefix: {why}.")))
}

async fn view(cx: &Cx) -> Result<Json<View>, Problem> {
    let guard = cx.ask(cx.store.guard()).await?;
    let rule =
        |(rule, mode, counted): (crate::domain::guard::Rule, crate::domain::mode::Mode, crate::store::Counted)| {
            RuleView {
                rule: rule.as_str(),
                mode: mode.as_str(),
                refused: counted.refused,
                would_refuse: counted.would_refuse,
            }
        };
    let [blocked, safe] = guard.listed;
    Ok(Json(View {
        stopped: guard.stopped.is_some(),
        stopped_since: guard.stopped.map(|since| since.to_string()),
        rules: guard.rules.into_iter().map(rule).collect(),
        subjects: guard.subjects,
        blocked,
        safe,
    }))
}

/// The guard as the API shows it.
#[derive(Serialize)]
pub(crate) struct View {
    stopped: bool,
    stopped_since: Option<String>,
    rules: Vec<RuleView>,
    /// Numbers, prefixes, keys and what else is counted by, as far as anything is remembered of them.
    subjects: usize,
    /// Entries of the two lists.
    blocked: usize,
    safe: usize,
}

#[derive(Serialize)]
struct RuleView {
    rule: &'static str,
    mode: &'static str,
    refused: u64,
    would_refuse: u64,
}

/// An entry as the API shows it: a number masked, since whoever asks for one knows it.
#[derive(Serialize)]
pub(crate) struct Entry {
    id: String,
    number: Option<String>,
    prefix: Option<String>,
    since: String,
}

impl From<Listed> for Entry {
    fn from(listed: Listed) -> Self {
        let shown = listed.pattern.to_string();
        let (number, prefix) = match listed.pattern {
            Pattern::Number(_) => (Some(shown), None),
            Pattern::Prefix(_) => (None, Some(shown)),
        };
        Self { id: listed.id.to_string(), number, prefix, since: listed.since.to_string() }
    }
}

const LIST: &[&str] = &["cursor", "limit"];
