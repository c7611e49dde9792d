//! `/v1/messages`: a text to a number, and what became of it. The text itself is never shown again.

use super::verifications::ON_UNCERTAIN;
use super::{List, ReasonView, created, estimate, id};
use crate::domain::id::MessageId;
use crate::domain::message::{
    Attempt, Message, OnUncertain, Part, PartState, Priority, ReportState, ReportVerdict, State as MessageState, Status,
};
use crate::domain::secret::Secret;
use crate::domain::time::Now;
use crate::http::auth::Caller;
use crate::http::guard;
use crate::http::idempotency::{idempotency, mark};
use crate::http::input::{Fields, Payload};
use crate::http::problem::Problem;
use crate::http::{Context, Cx, wait};
use crate::ops::random;
use crate::store::{Accepted, Asked, Body, Made, MessageQuery, NewMessage, Scope, StoreError};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// Takes a message in.
pub(crate) async fn create(State(cx): State<Cx>, caller: Caller, payload: Payload) -> Result<Response, Problem> {
    caller.must(Scope::Send)?;
    let fields = payload.fields(CREATE)?;
    let idempotency = idempotency(&caller, &payload, &fields)?;
    let accepted = match cx.takes_new().and_then(|()| prove(&cx, &caller, &fields)) {
        Ok(new) => cx.ask(cx.by(&caller).accept(new, idempotency)).await?,
        Err(refusal) => match cx.unless_done(idempotency, refusal).await? {
            Made::Message(id) => Accepted::before(cx.ask(cx.store.message(caller.access(), id, None)).await?),
            _ => return Err(StoreError::IdempotencyMismatch.into()),
        },
    };
    let message = &accepted.value;
    if !accepted.replayed {
        tracing::info!(message.id = %message.id, to = %message.to, parts = message.parts, "Accepted a message");
    }
    let location = format!("/v1/messages/{}", message.id);
    // What is for later is asked for as well.
    let next_slot_at = match message.send_at {
        Some(_) => slot(&cx, message.id, Some(message.status())).await?,
        None => slot_if_held(&cx, message.id, Some(message.status())).await?,
    };
    let answer = created(location, View { next_slot_at, ..View::from(message) }, accepted.replayed);
    Ok(guard::tell(answer, &accepted.would_refuse))
}

/// One message; `?wait=` for news of it.
pub(crate) async fn show(
    State(cx): State<Cx>,
    caller: Caller,
    Path(path): Path<String>,
    uri: Uri,
) -> Result<Json<View>, Problem> {
    caller.must(Scope::Read)?;
    let id = id(&path, MessageId::parse)?;
    let wait = wait::asked(&Fields::of_query(&uri, wait::FIELDS)?)?;
    let message = cx.await_news(&caller, wait, |wait| cx.store.message(caller.access(), id, wait)).await?;
    let next_slot_at = slot(&cx, id, Some(message.status())).await?;
    Ok(Json(View { next_slot_at, ..View::from(&message) }))
}

/// The earliest time at which a queued message can go, if something holds it back.
pub(super) async fn slot(cx: &Context, id: MessageId, status: Option<Status>) -> Result<Option<String>, Problem> {
    if status != Some(Status::Queued) {
        return Ok(None);
    }
    Ok(cx.ask(cx.store.next_slot(id)).await?.map(|at| at.to_string()))
}

/// The same for one that has just been taken in: asked only where limits may hold something back, for then there is time.
pub(super) async fn slot_if_held(
    cx: &Context,
    id: MessageId,
    status: Option<Status>,
) -> Result<Option<String>, Problem> {
    if cx.store.health().waits { slot(cx, id, status).await } else { Ok(None) }
}

/// A page of messages, newest first.
pub(crate) async fn list(State(cx): State<Cx>, caller: Caller, uri: Uri) -> Result<Json<List<View>>, Problem> {
    caller.must(Scope::Read)?;
    let fields = Fields::of_query(&uri, LIST)?;
    let query = MessageQuery {
        status: fields.word("status", &Status::ALL.map(|s| (s.as_str(), s)))?,
        to: fields.number("to")?,
        since: fields.time("since")?,
        until: fields.time("until")?,
        client_reference: fields.label("client_reference", MAX_REFERENCE)?,
        before: fields
            .parsed("cursor", |text| MessageId::parse(text).ok_or("give the `next_cursor` of the last page"))?,
        limit: fields.integer("limit", 1..=200)?.map_or(50, |n| n as usize),
    };
    let page = cx.ask(cx.store.messages(caller.access(), query)).await?;
    let queued: Vec<_> = page.items.iter().filter(|m| m.status() == Status::Queued).map(|m| m.id).collect();
    let slots = if queued.is_empty() { BTreeMap::new() } else { cx.ask(cx.store.next_slots(queued)).await? };
    let view = |message: &Message| {
        let next_slot_at = slots.get(&message.id).map(|at| at.to_string());
        View { next_slot_at, ..View::from(message) }
    };
    let items = page.items.iter().map(view).collect();
    Ok(Json(List { items, next_cursor: page.next.map(|id| id.to_string()) }))
}

/// Calls an unsent message off.
pub(crate) async fn cancel(
    State(cx): State<Cx>,
    caller: Caller,
    Path(path): Path<String>,
    payload: Payload,
) -> Result<Response, Problem> {
    caller.must(Scope::Send)?;
    let id = id(&path, MessageId::parse)?;
    let fields = payload.optional_fields(&[])?;
    let idempotency = idempotency(&caller, &payload, &fields)?;
    let canceled = cx.ask(cx.store.cancel_message(caller.access(), id, idempotency)).await?;
    if !canceled.replayed {
        tracing::info!(message.id = %id, "Canceled a message");
    }
    Ok(mark(Json(View::from(&canceled.value)).into_response(), canceled.replayed))
}

/// Proves a request.
fn prove(cx: &Context, caller: &Caller, fields: &Fields) -> Result<NewMessage, Problem> {
    let now = cx.clock.now();
    let to = fields.need("to", Fields::number)?;
    let text = fields.need("text", Fields::text)?;
    let parts = parts(cx, text)?;
    let priority = fields.word("priority", &[("normal", Priority::Normal), ("high", Priority::High)])?;
    let on_uncertain = fields.word("on_uncertain", ON_UNCERTAIN)?;
    let wait = send_at(fields, &now)?;
    let life = fields.integer("ttl_seconds", 30..=MAX_TTL)?.unwrap_or(DEFAULT_TTL);
    Ok(NewMessage {
        id: MessageId::new(now.wall, random::bytes(&*cx.random)),
        client: caller.key.client,
        to,
        body: Body::Text(Secret::new(text)),
        parts,
        priority: priority.unwrap_or(Priority::Normal),
        flash: fields.flag("flash")?.unwrap_or(false),
        send_at: wait.map(|wait| now.after(wait)),
        deadline: now.after(wait.unwrap_or_default() + Duration::from_secs(life)),
        on_uncertain: on_uncertain.unwrap_or(OnUncertain::Leave),
        client_reference: fields.label("client_reference", MAX_REFERENCE)?,
        asked: Asked::by(&caller.key),
    })
}

fn parts(cx: &Context, text: &str) -> Result<u8, Problem> {
    let (parts, most) = (estimate::segments(text)?.len(), cx.settings.max_parts);
    u8::try_from(parts).ok().filter(|parts| *parts <= most).ok_or_else(|| {
        Problem::invalid(
            "text",
            format!("`text` takes {parts} SMS, and {most} is the most here (`max_parts`); shorten it."),
        )
    })
}

/// How long it waits for the time that the caller asked for. One that is past is now.
fn send_at(fields: &Fields, now: &Now) -> Result<Option<Duration>, Problem> {
    let Some(at) = fields.time("send_at")? else { return Ok(None) };
    let wait = at - now.wall;
    if wait > MAX_AHEAD {
        return Err(Problem::invalid(
            "send_at",
            "`send_at` lies more than 7 days ahead; send the request nearer to it.",
        ));
    }
    Ok(Some(wait).filter(|wait| !wait.is_zero()))
}

/// A message as the API shows it.
#[derive(Serialize)]
pub(crate) struct View {
    id: String,
    to: String,
    status: &'static str,
    #[serde(rename = "final")]
    is_final: bool,
    reason: Option<ReasonView>,
    ever_uncertain: bool,
    verification: Option<String>,
    priority: &'static str,
    flash: bool,
    parts: u8,
    on_uncertain: &'static str,
    client_reference: Option<String>,
    created_at: String,
    updated_at: String,
    send_at: Option<String>,
    expires_at: String,
    /// While it is queued and held back: the earliest time at which it can go, by what is known now. `expires_at` if it can't
    /// go before.
    next_slot_at: Option<String>,
    /// Whether a status report is awaited, or why there is none.
    report: Option<&'static str>,
    attempts: Vec<AttemptView>,
    version: u32,
}

#[derive(Serialize)]
struct AttemptView {
    modem: String,
    sim_card: String,
    status: &'static str,
    started_at: String,
    ended_at: Option<String>,
    parts: Vec<PartView>,
}

#[derive(Serialize)]
struct PartView {
    part: usize,
    result: &'static str,
    reason: Option<ReasonView>,
    tp_mr: Option<u8>,
    refusals: u8,
    started_at: String,
    ended_at: Option<String>,
    report: Option<ReportView>,
}

#[derive(Serialize)]
struct ReportView {
    verdict: &'static str,
    tp_st: u8,
    received_at: String,
}

impl From<&Message> for View {
    fn from(m: &Message) -> Self {
        let (report, unconfirmed) = report(&m.state);
        Self {
            id: m.id.to_string(),
            to: m.to.reveal_e164(),
            status: m.status().as_str(),
            is_final: m.is_final(),
            reason: m.reason().map(ReasonView::from).or(unconfirmed),
            ever_uncertain: m.ever_uncertain,
            verification: m.verification.map(|id| id.to_string()),
            priority: match m.priority {
                Priority::Otp => "otp",
                Priority::High => "high",
                Priority::Normal => "normal",
            },
            flash: m.flash,
            parts: m.parts,
            on_uncertain: word(ON_UNCERTAIN, m.on_uncertain),
            client_reference: m.client_reference.clone(),
            created_at: m.created.to_string(),
            updated_at: m.updated.to_string(),
            send_at: m.send_at.map(|d| d.wall.to_string()),
            expires_at: m.deadline.wall.to_string(),
            next_slot_at: None,
            report,
            attempts: m.attempts.iter().map(|a| AttemptView::new(a, m.parts)).collect(),
            version: m.version,
        }
    }
}

impl AttemptView {
    fn new(attempt: &Attempt, total: u8) -> Self {
        let ended = attempt.parts.iter().map(|p| p.settled).collect::<Option<Vec<_>>>();
        Self {
            modem: attempt.modem.as_str().to_owned(),
            sim_card: attempt.sim_card.as_str().to_owned(),
            status: attempt.status(total).as_str(),
            started_at: attempt.started.to_string(),
            ended_at: ended.and_then(|all| all.into_iter().max()).map(|t| t.to_string()),
            parts: attempt.parts.iter().enumerate().map(|(index, part)| PartView::new(index + 1, part)).collect(),
        }
    }
}

impl PartView {
    fn new(number: usize, part: &Part) -> Self {
        let (result, reason, tp_mr) = match part.state {
            PartState::Intended => ("submitting", None, None),
            PartState::NotSent(reason) => ("not_sent", Some(reason), None),
            PartState::Accepted(reference) => ("accepted", None, reference),
            PartState::Uncertain(reason) => ("uncertain", Some(reason), None),
        };
        Self {
            part: number,
            result,
            reason: reason.map(ReasonView::from),
            tp_mr,
            refusals: part.refusals,
            started_at: part.intended.to_string(),
            ended_at: part.settled.map(|t| t.to_string()),
            report: part.report.map(|r| ReportView {
                verdict: match r.verdict {
                    ReportVerdict::Delivered => "delivered",
                    ReportVerdict::Unconfirmed => "unconfirmed",
                    ReportVerdict::StillTrying => "still_trying",
                    ReportVerdict::Failed | ReportVerdict::GaveUp => "undelivered",
                },
                tp_st: r.status,
                received_at: r.at.to_string(),
            }),
        }
    }
}

/// What is known of a submitted message's report, and the reason that goes with it.
fn report(state: &MessageState) -> (Option<&'static str>, Option<ReasonView>) {
    let MessageState::Submitted { report, .. } = state else { return (None, None) };
    match report {
        ReportState::Awaited => (Some("awaited"), None),
        ReportState::None => (Some("none"), None),
        ReportState::Unconfirmed => {
            let text = "the network passed it on and can't tell whether it arrived (TP-ST 0x01)".to_owned();
            (Some("unconfirmed"), Some(ReasonView { code: "unconfirmed", text, number: Some(1), class: None }))
        }
    }
}

fn word<T: PartialEq>(words: &[(&'static str, T)], value: T) -> &'static str {
    words.iter().find(|(_, v)| *v == value).map_or("", |(word, _)| word)
}

const CREATE: &[&str] =
    &["to", "text", "ttl_seconds", "priority", "flash", "send_at", "client_reference", "on_uncertain"];
const LIST: &[&str] = &["status", "to", "since", "until", "client_reference", "cursor", "limit"];
const MAX_REFERENCE: usize = 128;
const DEFAULT_TTL: u64 = 86_400;
const MAX_TTL: u64 = 7 * 86_400;
const MAX_AHEAD: Duration = Duration::from_secs(7 * 86_400);
