//! `/v1/webhooks`: who is told of what. A signing secret is shown once, when it is made.

use super::{List, created, id};
use crate::domain::id::{ClientId, DeliveryId, WebhookId};
use crate::domain::secret::Secret;
use crate::domain::webhook::{Attempted, Delivery, DeliveryState, Form, Webhook};
use crate::http::auth::Caller;
use crate::http::idempotency::{idempotency, mark};
use crate::http::input::{Fields, Payload};
use crate::http::problem::{Kind, Problem};
use crate::http::{Context, Cx};
use crate::ops::random;
use crate::store::{DeliveryQuery, Scope, StoreError, WebhookView};
use crate::webhook::payload;
use crate::webhook::signature::{self, SECRET};
use crate::webhook::target::{Refused, Target};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::time::Duration;

/// Makes a webhook.
pub(crate) async fn create(State(cx): State<Cx>, caller: Caller, payload: Payload) -> Result<Response, Problem> {
    caller.must(Scope::Webhooks)?;
    let fields = payload.fields(CREATE)?;
    let idempotency = idempotency(&caller, &payload, &fields)?;
    let new = match prove(&cx, &caller, &fields).await {
        Ok(new) => new,
        Err(refusal) => {
            cx.unless_done(idempotency, refusal).await?;
            return Err(StoreError::AlreadyShown.into());
        }
    };
    let secret = signature::shown(&new.secret);
    let accepted = cx.ask(cx.by(&caller).create_webhook(new, idempotency)).await?;
    let id = accepted.value.webhook.id;
    tracing::info!(webhook.id = %id, by.key.id = %caller.key.id, "Created a webhook");
    Ok(created(format!("/v1/webhooks/{id}"), View::new(accepted.value, Some(&secret)), false))
}

/// The caller's webhooks, or all for an admin; oldest first.
pub(crate) async fn list(State(cx): State<Cx>, caller: Caller) -> Result<Json<List<View>>, Problem> {
    caller.must(Scope::Webhooks)?;
    let webhooks = cx.ask(cx.store.webhooks(caller.access())).await?;
    Ok(Json(List::new(webhooks.into_iter().map(|webhook| View::new(webhook, None)).collect())))
}

/// One webhook, and how it fares.
pub(crate) async fn show(
    State(cx): State<Cx>,
    caller: Caller,
    Path(path): Path<String>,
) -> Result<Json<View>, Problem> {
    caller.must(Scope::Webhooks)?;
    let webhook = cx.ask(cx.store.webhook(caller.access(), id(&path, WebhookId::parse)?)).await?;
    Ok(Json(View::new(webhook, None)))
}

/// Ends a webhook, with all that waits for it.
pub(crate) async fn delete(
    State(cx): State<Cx>,
    caller: Caller,
    Path(path): Path<String>,
) -> Result<StatusCode, Problem> {
    caller.must(Scope::Webhooks)?;
    let id = id(&path, WebhookId::parse)?;
    cx.ask(cx.by(&caller).delete_webhook(caller.access(), id)).await?;
    tracing::info!(webhook.id = %id, by.key.id = %caller.key.id, "Deleted a webhook");
    Ok(StatusCode::NO_CONTENT)
}

/// Gives it a new signing secret.
pub(crate) async fn rotate_secret(
    State(cx): State<Cx>,
    caller: Caller,
    Path(path): Path<String>,
    payload: Payload,
) -> Result<Json<View>, Problem> {
    caller.must(Scope::Webhooks)?;
    let id = id(&path, WebhookId::parse)?;
    let fields = payload.optional_fields(ROTATE)?;
    let idempotency = idempotency(&caller, &payload, &fields)?;
    let overlap = fields.integer("overlap_seconds", 0..=MAX_OVERLAP)?.unwrap_or(DEFAULT_OVERLAP);
    let secret = new_secret(&cx);
    let shown = signature::shown(&secret);
    let overlap = Duration::from_secs(overlap);
    let webhook = cx.ask(cx.by(&caller).rotate_webhook(caller.access(), id, secret, overlap, idempotency)).await?;
    tracing::info!(webhook.id = %id, by.key.id = %caller.key.id, "Gave a webhook a new signing secret");
    Ok(Json(View::new(webhook, Some(&shown))))
}

/// Takes up one again whose receiver had said that it is gone.
pub(crate) async fn enable(
    State(cx): State<Cx>,
    caller: Caller,
    Path(path): Path<String>,
    payload: Payload,
) -> Result<Json<View>, Problem> {
    caller.must(Scope::Webhooks)?;
    payload.optional_fields(&[])?;
    let webhook = cx.ask(cx.store.enable_webhook(caller.access(), id(&path, WebhookId::parse)?)).await?;
    Ok(Json(View::new(webhook, None)))
}

/// Tells it something that did not happen.
pub(crate) async fn test(
    State(cx): State<Cx>,
    caller: Caller,
    Path(path): Path<String>,
    payload: Payload,
) -> Result<Response, Problem> {
    caller.must(Scope::Webhooks)?;
    let id = id(&path, WebhookId::parse)?;
    let idempotency = idempotency(&caller, &payload, &payload.optional_fields(&[])?)?;
    let accepted = cx.ask(cx.store.test_webhook(caller.access(), id, idempotency)).await?;
    Ok(mark((StatusCode::ACCEPTED, Json(DeliveryView::from(accepted.value))).into_response(), accepted.replayed))
}

/// A page of what was, or is to be, told; newest first.
pub(crate) async fn deliveries(
    State(cx): State<Cx>,
    caller: Caller,
    Path(path): Path<String>,
    uri: Uri,
) -> Result<Json<List<DeliveryView>>, Problem> {
    caller.must(Scope::Webhooks)?;
    let id = id(&path, WebhookId::parse)?;
    let fields = Fields::of_query(&uri, LIST)?;
    let query = DeliveryQuery {
        status: fields.word("status", &STATES.map(|word| (word, word)))?,
        since: fields.time("since")?,
        until: fields.time("until")?,
        before: fields
            .parsed("cursor", |text| DeliveryId::parse(text).ok_or("give the `next_cursor` of the last page"))?,
        limit: fields.integer("limit", 1..=200)?.map_or(50, |n| n as usize),
    };
    let page = cx.ask(cx.store.deliveries(caller.access(), id, query)).await?;
    let items = page.items.into_iter().map(DeliveryView::from).collect();
    Ok(Json(List { items, next_cursor: page.next.map(|id| id.to_string()) }))
}

/// Tries a dead delivery anew.
pub(crate) async fn replay_one(
    State(cx): State<Cx>,
    caller: Caller,
    Path((webhook, delivery)): Path<(String, String)>,
    payload: Payload,
) -> Result<Response, Problem> {
    caller.must(Scope::Webhooks)?;
    let (webhook, delivery) = (id(&webhook, WebhookId::parse)?, id(&delivery, DeliveryId::parse)?);
    let idempotency = idempotency(&caller, &payload, &payload.optional_fields(&[])?)?;
    let accepted = cx.ask(cx.store.replay_delivery(caller.access(), webhook, delivery, idempotency)).await?;
    Ok(mark((StatusCode::ACCEPTED, Json(DeliveryView::from(accepted.value))).into_response(), accepted.replayed))
}

/// Tries dead deliveries anew. It may be repeated, with an idempotency key or without: what is tried is not dead any more.
pub(crate) async fn replay(
    State(cx): State<Cx>,
    caller: Caller,
    Path(path): Path<String>,
    payload: Payload,
) -> Result<Response, Problem> {
    caller.must(Scope::Webhooks)?;
    let id = id(&path, WebhookId::parse)?;
    let fields = payload.optional_fields(REPLAY)?;
    let (since, until) = (fields.time("since")?, fields.time("until")?);
    let done = cx.ask(cx.store.replay_dead(caller.access(), id, since, until)).await?;
    let view = ReplayedView { replayed: done.replayed, left: done.left };
    Ok((StatusCode::ACCEPTED, Json(view)).into_response())
}

async fn prove(cx: &Context, caller: &Caller, fields: &Fields) -> Result<Webhook, Problem> {
    let url = fields.need("url", Fields::text)?;
    let target = Target::parse(url).and_then(|target| cx.settings.webhooks.check_url(&target));
    target.map_err(|why| match why {
        Refused::Unreadable(why) => Problem::invalid("url", format!("`url`: {why}.")),
        why => Problem::field(Kind::TargetRefused, "url", format!("`url`: {why}.")),
    })?;
    let client = client(cx, caller, fields).await?;
    let forms = Form::ALL.map(|form| (form.as_str(), form));
    let form = fields.word("form", &forms)?.unwrap_or(Form::Native);
    let include_text = fields.flag("include_text")?.unwrap_or(false);
    if include_text && (client.is_some() || form != Form::Native) {
        return Err(Problem::invalid(
            "include_text",
            "`include_text`: what comes in belongs to the box and to no client; make the webhook with an admin key, \
             without `client`, in the form `native`.",
        ));
    }
    let now = cx.clock.now().wall;
    Ok(Webhook {
        id: WebhookId::new(now, random::bytes(&*cx.random)),
        client,
        url: Secret::new(url),
        events: events(fields, form, client.is_none())?,
        form,
        include_text,
        secret: new_secret(cx),
        older: None,
        created: now,
        gone: None,
    })
}

/// What it wants to be told of, as it will be kept.
fn events(fields: &Fields, form: Form, whole_box: bool) -> Result<Vec<String>, Problem> {
    let words = payload::words(form, whole_box);
    let groups = words.iter().filter_map(|word| word.split_once('.')).map(|(group, _)| format!("{group}.*"));
    let mut all: Vec<String> = words.iter().map(|word| (*word).to_owned()).chain(groups).collect();
    all.sort_unstable();
    all.dedup();
    let known: Vec<&str> = all.iter().map(String::as_str).collect();
    let is_known = |word: &str| known.contains(&word).then(|| word.to_owned());
    Ok(fields.words("events", is_known, &known)?.unwrap_or_default().into_iter().collect())
}

/// Whose affairs it is told of. An admin may name a client; without one it is everybody's.
async fn client(cx: &Context, caller: &Caller, fields: &Fields) -> Result<Option<ClientId>, Problem> {
    let who = caller.access();
    let wrong = "give the `client` of a key";
    let named = fields.parsed("client", |text| ClientId::parse(text).ok_or(wrong))?;
    match named {
        None => Ok((!who.admin).then_some(who.client)),
        Some(client) if client == who.client => Ok(Some(client)),
        Some(client) if who.admin => {
            let keys = cx.ask(cx.store.keys()).await?;
            let is_known = keys.iter().any(|key| key.client == client);
            is_known.then_some(Some(client)).ok_or_else(|| Problem::invalid("client", format!("`client`: {wrong}.")))
        }
        Some(_) => {
            let detail = "`client`: only an admin key makes webhooks for others; leave it out for your own.";
            Err(Problem::field(Kind::ScopeMissing, "client", detail))
        }
    }
}

fn new_secret(cx: &Context) -> Secret {
    signature::secret(&random::bytes::<SECRET>(&*cx.random))
}

/// A webhook as the API shows it.
#[derive(Serialize)]
pub(crate) struct View {
    id: String,
    /// The signing secret, in the one answer that shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    url: String,
    /// `null`: everybody's affairs, and the box's own.
    client: Option<String>,
    /// Empty: all that it may hear of.
    events: Vec<String>,
    form: &'static str,
    include_text: bool,
    /// `gone`: its receiver answered 410, and it is told nothing until it is enabled.
    status: &'static str,
    created_at: String,
    gone_at: Option<String>,
    /// Until when the last secret signs beside the new one.
    overlap_until: Option<String>,
    waiting: usize,
    dead: usize,
    /// In a row, since otpgate started.
    failures: u32,
    last_attempt: Option<AttemptView>,
}

impl View {
    fn new(view: WebhookView, secret: Option<&Secret>) -> Self {
        let WebhookView { webhook, waiting, dead, failures, last } = view;
        Self {
            id: webhook.id.to_string(),
            secret: secret.map(|secret| secret.reveal().to_owned()),
            url: webhook.url.reveal().to_owned(),
            client: webhook.client.map(|client| client.to_string()),
            events: webhook.events,
            form: webhook.form.as_str(),
            include_text: webhook.include_text,
            status: if webhook.gone.is_some() { "gone" } else { "active" },
            created_at: webhook.created.to_string(),
            gone_at: webhook.gone.map(|at| at.to_string()),
            overlap_until: webhook.older.map(|older| older.until.wall.to_string()),
            waiting,
            dead,
            failures,
            last_attempt: last.map(AttemptView::from),
        }
    }
}

/// An attempt as the API shows it.
#[derive(Serialize)]
struct AttemptView {
    at: String,
    status: Option<u16>,
    /// What went wrong.
    why: Option<String>,
}

impl From<Attempted> for AttemptView {
    fn from(attempted: Attempted) -> Self {
        Self { at: attempted.at.to_string(), status: attempted.status, why: attempted.why }
    }
}

/// A delivery as the API shows it, without what it tells.
#[derive(Serialize)]
pub(crate) struct DeliveryView {
    /// `webhook-id`.
    id: String,
    event: String,
    status: &'static str,
    /// Why it is dead.
    reason: Option<&'static str>,
    attempts: u32,
    created_at: String,
    next_attempt_at: Option<String>,
    ended_at: Option<String>,
    last_attempt: Option<AttemptView>,
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        let (due, ended, why) = match delivery.state {
            DeliveryState::Waiting { due } => (Some(due), None, None),
            DeliveryState::Delivered { at } => (None, Some(at), None),
            DeliveryState::Dead { at, why } => (None, Some(at), Some(why)),
        };
        Self {
            id: delivery.id.to_string(),
            event: delivery.event,
            status: delivery.state.as_str(),
            reason: why.map(|why| why.as_str()),
            attempts: delivery.attempts,
            created_at: delivery.created.to_string(),
            next_attempt_at: due.map(|due| due.wall.to_string()),
            ended_at: ended.map(|at| at.to_string()),
            last_attempt: delivery.last.map(AttemptView::from),
        }
    }
}

#[derive(Serialize)]
struct ReplayedView {
    replayed: usize,
    /// So many more are dead: ask again.
    left: usize,
}

const CREATE: &[&str] = &["url", "events", "client", "form", "include_text"];
const ROTATE: &[&str] = &["overlap_seconds"];
const REPLAY: &[&str] = &["since", "until"];
const LIST: &[&str] = &["status", "since", "until", "cursor", "limit"];
const STATES: [&str; 3] = ["waiting", "delivered", "dead"];
const DEFAULT_OVERLAP: u64 = 24 * 3600;
const MAX_OVERLAP: u64 = 7 * 24 * 3600;
