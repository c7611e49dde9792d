//! `/v1/opt-outs`: who does not want to be written to.

use super::List;
use crate::domain::id::OptOutId;
use crate::domain::msisdn::Msisdn;
use crate::http::Cx;
use crate::http::auth::Caller;
use crate::http::input::{Fields, Payload};
use crate::http::problem::Problem;
use crate::store::{OptOut, OptOutQuery, Scope};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use serde::Serialize;

/// A page of the list, newest first.
pub(crate) async fn list(State(cx): State<Cx>, caller: Caller, uri: Uri) -> Result<Json<List<View>>, Problem> {
    caller.must(Scope::Admin)?;
    let fields = Fields::of_query(&uri, LIST)?;
    let query = OptOutQuery {
        before: fields
            .parsed("cursor", |text| OptOutId::parse(text).ok_or("give the `next_cursor` of the last page"))?,
        limit: fields.integer("limit", 1..=200)?.map_or(50, |n| n as usize),
    };
    let page = cx.ask(cx.store.opt_outs(query)).await?;
    let items = page.items.into_iter().map(View::from).collect();
    Ok(Json(List { items, next_cursor: page.next.map(|id| id.to_string()) }))
}

/// Puts a number on the list. One that is there already stays there.
pub(crate) async fn add(
    State(cx): State<Cx>,
    caller: Caller,
    Path(path): Path<String>,
    payload: Payload,
) -> Result<Json<View>, Problem> {
    caller.must(Scope::Admin)?;
    payload.optional_fields(&[])?;
    let number = number(&path)?;
    let opt_out = cx.ask(cx.by(&caller).opt_out(number)).await?;
    tracing::info!(number = %opt_out.number, by.key.id = %caller.key.id, "Put a number on the opt-out list");
    Ok(Json(View::from(opt_out)))
}

/// Takes a number off the list: only where its owner has agreed to that.
pub(crate) async fn remove(
    State(cx): State<Cx>,
    caller: Caller,
    Path(path): Path<String>,
) -> Result<StatusCode, Problem> {
    caller.must(Scope::Admin)?;
    let number = number(&path)?;
    let shown = number.to_string();
    cx.ask(cx.by(&caller).opt_in(number)).await?;
    tracing::info!(number = %shown, by.key.id = %caller.key.id, "Took a number off the opt-out list");
    Ok(StatusCode::NO_CONTENT)
}

fn number(path: &str) -> Result<Msisdn, Problem> {
    Msisdn::parse(path).map_err(|why| Problem::invalid("number", format!("The path's number: {why}.")))
}

/// A number of the list as the API shows it: masked, since whoever asks for one knows it.
#[derive(Serialize)]
pub(crate) struct View {
    id: String,
    number: String,
    since: String,
    /// `keyword`: its owner asked for it; `admin`: somebody with an admin key did.
    by: &'static str,
    /// The message that asked for it.
    inbound: Option<String>,
}

impl From<OptOut> for View {
    fn from(opt_out: OptOut) -> Self {
        Self {
            id: opt_out.id.to_string(),
            number: opt_out.number.to_string(),
            since: opt_out.since.to_string(),
            by: if opt_out.asked.is_some() { "keyword" } else { "admin" },
            inbound: opt_out.asked.map(|id| id.to_string()),
        }
    }
}

const LIST: &[&str] = &["cursor", "limit"];
