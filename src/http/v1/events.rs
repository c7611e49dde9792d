//! `/v1/events`: what happened that somebody may want to hear of.

use super::List;
use crate::domain::event::{EventKind, LoggedEvent};
use crate::domain::id::EventId;
use crate::http::Cx;
use crate::http::auth::Caller;
use crate::http::input::Fields;
use crate::http::problem::Problem;
use crate::store::{EventQuery, Scope};
use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use serde::Serialize;

/// A page of events, newest first.
pub(crate) async fn list(State(cx): State<Cx>, caller: Caller, uri: Uri) -> Result<Json<List<View>>, Problem> {
    caller.must(Scope::Admin)?;
    let fields = Fields::of_query(&uri, LIST)?;
    let query = EventQuery {
        kind: fields.word("kind", &EventKind::ALL.map(|kind| (kind.as_str(), kind)))?,
        since: fields.time("since")?,
        until: fields.time("until")?,
        before: fields
            .parsed("cursor", |text| EventId::parse(text).ok_or("give the `next_cursor` of the last page"))?,
        limit: fields.integer("limit", 1..=200)?.map_or(50, |n| n as usize),
    };
    let page = cx.ask(cx.store.events(query)).await?;
    let items = page.items.into_iter().map(View::from).collect();
    Ok(Json(List { items, next_cursor: page.next.map(|id| id.to_string()) }))
}

/// An event as the API shows it.
#[derive(Serialize)]
pub(crate) struct View {
    id: String,
    kind: &'static str,
    at: String,
    sentence: String,
    modem: Option<String>,
    sim_card: Option<String>,
    /// The record that it is about.
    about: Option<String>,
}

impl From<LoggedEvent> for View {
    fn from(logged: LoggedEvent) -> Self {
        Self {
            id: logged.id.to_string(),
            kind: logged.event.kind.as_str(),
            at: logged.at.to_string(),
            about: logged.about(),
            sentence: logged.event.sentence,
            modem: logged.event.modem.map(|imei| imei.as_str().to_owned()),
            sim_card: logged.event.sim_card.map(|card| card.as_str().to_owned()),
        }
    }
}

const LIST: &[&str] = &["kind", "since", "until", "cursor", "limit"];
