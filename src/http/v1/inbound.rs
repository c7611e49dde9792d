//! `/v1/inbound`: what came in. It was sent to a SIM card of the box and to no client, so that a key which reads its client's
//! own messages does not read these: that is a scope of its own.

use super::{List, id};
use crate::domain::id::InboundId;
use crate::domain::inbound::InboundState;
use crate::domain::msisdn::Msisdn;
use crate::domain::secret::Secret;
use crate::http::Cx;
use crate::http::auth::Caller;
use crate::http::input::Fields;
use crate::http::problem::Problem;
use crate::store::{InboundQuery, InboundView, Scope};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::Uri;
use serde::Serialize;

/// One message that came in.
pub(crate) async fn show(
    State(cx): State<Cx>,
    caller: Caller,
    Path(path): Path<String>,
) -> Result<Json<View>, Problem> {
    caller.must(Scope::Inbound)?;
    let message = cx.ask(cx.store.inbound(id(&path, InboundId::parse)?)).await?;
    Ok(Json(View::new(message, caller.access().admin)))
}

/// A page of what came in, newest first.
pub(crate) async fn list(State(cx): State<Cx>, caller: Caller, uri: Uri) -> Result<Json<List<View>>, Problem> {
    caller.must(Scope::Inbound)?;
    let fields = Fields::of_query(&uri, LIST)?;
    let query = InboundQuery {
        from: fields.parsed("from", sender)?,
        since: fields.time("since")?,
        until: fields.time("until")?,
        before: fields
            .parsed("cursor", |text| InboundId::parse(text).ok_or("give the `next_cursor` of the last page"))?,
        limit: fields.integer("limit", 1..=200)?.map_or(50, |n| n as usize),
    };
    let admin = caller.access().admin;
    let page = cx.ask(cx.store.inbound_page(query)).await?;
    let items = page.items.into_iter().map(|message| View::new(message, admin)).collect();
    Ok(Json(List { items, next_cursor: page.next.map(|id| id.to_string()) }))
}

/// A sender: a number however it is written, a short code or a name. A plus may have been read as a space.
fn sender(text: &str) -> Result<Secret, &'static str> {
    let plus = text.strip_prefix(' ').map(|digits| format!("+{digits}"));
    let number = Msisdn::parse(plus.as_deref().unwrap_or(text)).map(|number| number.reveal_e164());
    match text.chars().count() {
        1..=25 => Ok(Secret::new(number.unwrap_or_else(|_| text.to_owned()))),
        _ => Err("give a number, a short code or a name, as `from` shows it"),
    }
}

/// A message that came in, as the API shows it.
#[derive(Serialize)]
pub(crate) struct View {
    id: String,
    from: Option<String>,
    status: &'static str,
    /// `null` if it is no text, or can't be read. Where parts are missing it has a mark.
    text: Option<String>,
    /// PDUs in hexadecimal, for admins: of what can't be read they are all there is.
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<Vec<String>>,
    characters: usize,
    complete: bool,
    parts: PartsView,
    received_at: String,
    /// The SMSC's time stamp as it came. Its clock may be wrong.
    sent_at: Option<String>,
    modem: String,
    sim_card: String,
}

#[derive(Serialize)]
struct PartsView {
    have: usize,
    of: u8,
}

impl View {
    fn new(view: InboundView, admin: bool) -> Self {
        let InboundView { message, text, pdus } = view;
        let raw = || pdus.iter().map(|pdu| pdu.reveal().to_owned()).collect();
        Self {
            id: message.id.to_string(),
            status: match message.state {
                InboundState::Received => "received",
                InboundState::Undecodable => "undecodable",
                InboundState::Incomplete | InboundState::Waiting { .. } => "incomplete",
            },
            characters: text.as_ref().map_or(0, |text| text.reveal().chars().count()),
            text: text.map(|text| text.reveal().to_owned()),
            raw: admin.then(raw),
            complete: message.state == InboundState::Received,
            parts: PartsView { have: message.parts.len(), of: message.total() },
            received_at: message.received.to_string(),
            sent_at: message.sent.clone(),
            modem: message.modem.as_str().to_owned(),
            sim_card: message.sim_card.as_str().to_owned(),
            from: message.from.map(|from| from.reveal().to_owned()),
        }
    }
}

const LIST: &[&str] = &["from", "since", "until", "cursor", "limit"];
