//! `/v1/keys`: API keys. A secret is shown once, when it is made.

use super::{List, created, id};
use crate::domain::country::Country;
use crate::domain::id::{ClientId, KeyId};
use crate::domain::network::Network;
use crate::domain::secret::Secret;
use crate::http::auth::{self, Caller};
use crate::http::idempotency::idempotency;
use crate::http::input::{Fields, Payload};
use crate::http::problem::Problem;
use crate::http::{Context, Cx};
use crate::ops::random;
use crate::otp::template::{self, Brand};
use crate::store::{ApiKey, KeyChange, KeySettings, NextKey, Permission, Rotation, Scope, StoreError};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::collections::BTreeSet;
use std::time::Duration;

/// Makes a key.
pub(crate) async fn create(State(cx): State<Cx>, caller: Caller, payload: Payload) -> Result<Response, Problem> {
    caller.must(Scope::Admin)?;
    let fields = payload.fields(CREATE)?;
    let idempotency = idempotency(&caller, &payload, &fields)?;
    let (new, secret) = match prove(&cx, &fields).await {
        Ok(proved) => proved,
        Err(refusal) => {
            cx.unless_done(idempotency, refusal).await?;
            return Err(StoreError::AlreadyShown.into());
        }
    };
    let key = cx.ask(cx.by(&caller).create_key(new, idempotency)).await?.value;
    tracing::info!(key.id = %key.id, by.key.id = %caller.key.id, "Created an API key");
    Ok(shown_once(&key, &secret))
}

/// Changes what holds for a key, at once.
pub(crate) async fn change(
    State(cx): State<Cx>,
    caller: Caller,
    Path(path): Path<String>,
    payload: Payload,
) -> Result<Json<View>, Problem> {
    caller.must(Scope::Admin)?;
    let id = id(&path, KeyId::parse)?;
    let fields = payload.fields(CHANGE)?;
    let change = KeyChange { name: fields.label("name", MAX_NAME)?, ..settings(&fields)? };
    let key = cx.ask(cx.by(&caller).change_key(id, change)).await?;
    tracing::info!(key.id = %key.id, by.key.id = %caller.key.id, "Changed an API key");
    Ok(Json(View::new(&key, None)))
}

/// Makes a key in the place of another, which stays good until the overlap is over.
pub(crate) async fn rotate(
    State(cx): State<Cx>,
    caller: Caller,
    Path(path): Path<String>,
    payload: Payload,
) -> Result<Response, Problem> {
    caller.must(Scope::Admin)?;
    let id = id(&path, KeyId::parse)?;
    let fields = payload.optional_fields(&["overlap_seconds"])?;
    let idempotency = idempotency(&caller, &payload, &fields)?;
    let overlap = fields.integer("overlap_seconds", 0..=MAX_OVERLAP)?.unwrap_or(DEFAULT_OVERLAP);
    let older = one(&cx, id).await?;
    let secret = new_secret(&cx, &older.scopes);
    let next = NextKey {
        id: KeyId::new(cx.clock.now().wall, random::bytes(&*cx.random)),
        secret_sha256: auth::secret_sha256(secret.reveal()),
        overlap: Duration::from_secs(overlap),
    };
    let key = cx.ask(cx.by(&caller).rotate_key(id, next, idempotency)).await?.value;
    tracing::info!(key.id = %key.id, older.key.id = %id, by.key.id = %caller.key.id, "Rotated an API key");
    Ok(shown_once(&key, &secret))
}

/// The one answer that has the secret in it.
fn shown_once(key: &ApiKey, secret: &Secret) -> Response {
    created(format!("/v1/keys/{}", key.id), View::new(key, Some(secret.reveal().to_owned())), false)
}

/// A secret of the form that the dialect's clients want.
fn new_secret(cx: &Context, scopes: &BTreeSet<Scope>) -> Secret {
    match scopes.contains(&Scope::MyOtp) {
        true => auth::new_myotp_secret(&*cx.random),
        false => auth::new_secret(&*cx.random),
    }
}

async fn one(cx: &Context, id: KeyId) -> Result<ApiKey, Problem> {
    let keys = cx.ask(cx.store.keys()).await?;
    Ok(keys.into_iter().find(|key| key.id == id).ok_or(StoreError::NotFound)?)
}

/// All keys, oldest first.
pub(crate) async fn list(State(cx): State<Cx>, caller: Caller) -> Result<Json<List<View>>, Problem> {
    caller.must(Scope::Admin)?;
    let keys = cx.ask(cx.store.keys()).await?;
    Ok(Json(List::new(keys.iter().map(|key| View::new(key, None)).collect())))
}

/// One key.
pub(crate) async fn show(
    State(cx): State<Cx>,
    caller: Caller,
    Path(path): Path<String>,
) -> Result<Json<View>, Problem> {
    caller.must(Scope::Admin)?;
    let key = one(&cx, id(&path, KeyId::parse)?).await?;
    Ok(Json(View::new(&key, None)))
}

/// Revokes a key, at once and for good.
pub(crate) async fn revoke(
    State(cx): State<Cx>,
    caller: Caller,
    Path(path): Path<String>,
) -> Result<Json<View>, Problem> {
    caller.must(Scope::Admin)?;
    let key = cx.ask(cx.by(&caller).revoke_key(id(&path, KeyId::parse)?)).await?;
    tracing::info!(key.id = %key.id, by.key.id = %caller.key.id, "Revoked an API key");
    Ok(Json(View::new(&key, None)))
}

/// Makes a new master key; all that is on disk is sealed with it from now on. While that goes on it may be repeated, with
/// an idempotency key or without: no other key is made.
pub(crate) async fn rotate_master(State(cx): State<Cx>, caller: Caller) -> Result<Response, Problem> {
    caller.must(Scope::Admin)?;
    let rotation = cx.ask(cx.by(&caller).rotate_master()).await?;
    tracing::info!(by.key.id = %caller.key.id, "Rotation of the master key was asked for");
    Ok((StatusCode::ACCEPTED, Json(RotationView::from(rotation))).into_response())
}

/// How far that is.
pub(crate) async fn rotation(State(cx): State<Cx>, caller: Caller) -> Result<Json<RotationView>, Problem> {
    caller.must(Scope::Admin)?;
    Ok(Json(cx.ask(cx.store.rotation()).await?.into()))
}

async fn prove(cx: &Context, fields: &Fields) -> Result<(ApiKey, Secret), Problem> {
    let client = client(cx, fields).await?;
    let now = cx.clock.now().wall;
    let expires = fields.time("expires_at")?;
    if expires.is_some_and(|at| at <= now) {
        return Err(Problem::invalid("expires_at", "`expires_at` is past; give a time to come, or leave it out."));
    }
    let scopes = scopes(fields)?;
    let secret = new_secret(cx, &scopes);
    let mut key = ApiKey {
        id: KeyId::new(now, random::bytes(&*cx.random)),
        client: client.unwrap_or_else(|| ClientId::new(now, random::bytes(&*cx.random))),
        name: fields.need("name", |f, name| f.label(name, MAX_NAME))?,
        secret_sha256: auth::secret_sha256(secret.reveal()),
        scopes,
        permissions: permissions(fields)?,
        created: now,
        expires,
        revoked: None,
        settings: KeySettings::default(),
    };
    settings(fields)?.apply(&mut key);
    Ok((key, secret))
}

/// What it may do. A dialect's key is good in that dialect's header only, where no other scope is ever asked for.
fn scopes(fields: &Fields) -> Result<BTreeSet<Scope>, Problem> {
    let scopes = fields.need("scopes", |f, name| f.words(name, Scope::parse, &Scope::ALL.map(Scope::as_str)))?;
    if scopes.is_empty() {
        return Err(Problem::invalid("scopes", "`scopes` is empty: such a key could do nothing."));
    }
    match scopes.iter().find(|scope| scope.is_foreign()) {
        Some(foreign) if scopes.len() > 1 => {
            let word = foreign.as_str();
            let detail = format!(
                "`scopes`: a key of the dialect `{word}` has that scope alone; make another key for the others."
            );
            Err(Problem::invalid("scopes", detail))
        }
        _ => Ok(scopes),
    }
}

/// What else is to hold for it. What is null is taken away.
fn settings(fields: &Fields) -> Result<KeyChange, Problem> {
    let per = |name| match fields.is_null(name) {
        true => Ok::<_, Problem>(Some(None)),
        false => Ok(fields.integer(name, 1..=MAX_LIMIT)?.map(|n| u32::try_from(n).ok())),
    };
    let brand = match fields.is_null("brand") {
        true => Some(None),
        false => fields.parsed("brand", Brand::parse)?.map(|brand| Some(brand.as_str().to_owned())),
    };
    Ok(KeyChange {
        name: None,
        networks: fields.list("networks", 32, |text| text.parse::<Network>())?,
        countries: fields.list("countries", 64, Country::parse)?.map(|list| list.into_iter().collect()),
        per_minute: per("per_minute")?,
        per_hour: per("per_hour")?,
        per_day: per("per_day")?,
        conceal: fields.flag("conceal")?,
        templates: fields.list("templates", 16, template_name)?,
        brand,
        hosts: fields.list("hosts", 8, host)?,
        apps: fields.list("apps", 8, template::app)?,
    })
}

fn template_name(text: &str) -> Result<String, &'static str> {
    let fits = (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    if fits { Ok(text.to_owned()) } else { Err("a template's name has 1 to 32 of A-Z, a-z, 0-9, _ and -") }
}

/// The host of an origin, as browsers compare it: no scheme, no port, no final dot.
fn host(text: &str) -> Result<String, &'static str> {
    let host = text.to_ascii_lowercase();
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let fits = host.len() <= 64 && host.contains('.') && host.split('.').all(label);
    if fits { Ok(host) } else { Err("a host is a domain name of at most 64 characters, as in shop.example.com") }
}

/// The limits that it may pass.
fn permissions(fields: &Fields) -> Result<BTreeSet<Permission>, Problem> {
    let words = Permission::ALL.map(Permission::as_str);
    Ok(fields.words("permissions", Permission::parse, &words)?.unwrap_or_default())
}

/// The client whose key it is to be, if not a new one's. One that never had a key owns nothing: a slip of the hand.
async fn client(cx: &Context, fields: &Fields) -> Result<Option<ClientId>, Problem> {
    let wrong = "give the `client` of another key, or leave it out for a client of its own";
    let Some(client) = fields.parsed("client", |text| ClientId::parse(text).ok_or(wrong))? else { return Ok(None) };
    let keys = cx.ask(cx.store.keys()).await?;
    match keys.iter().any(|key| key.client == client) {
        true => Ok(Some(client)),
        false => Err(Problem::invalid("client", format!("`client`: {wrong}."))),
    }
}

/// A key as the API shows it.
#[derive(Serialize)]
pub(crate) struct View {
    id: String,
    /// The secret, in the one answer that shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    client: String,
    name: String,
    scopes: Vec<&'static str>,
    permissions: Vec<&'static str>,
    networks: Vec<String>,
    countries: Vec<String>,
    per_minute: Option<u32>,
    per_hour: Option<u32>,
    per_day: Option<u32>,
    conceal: bool,
    templates: Vec<String>,
    brand: Option<String>,
    hosts: Vec<String>,
    apps: Vec<String>,
    created_at: String,
    expires_at: Option<String>,
    revoked_at: Option<String>,
}

impl View {
    fn new(key: &ApiKey, secret: Option<String>) -> Self {
        let settings = key.settings.clone();
        Self {
            id: key.id.to_string(),
            key: secret,
            client: key.client.to_string(),
            name: key.name.clone(),
            scopes: key.scopes.iter().map(|s| s.as_str()).collect(),
            permissions: key.permissions.iter().map(|p| p.as_str()).collect(),
            networks: settings.networks.iter().map(ToString::to_string).collect(),
            countries: settings.countries.iter().map(ToString::to_string).collect(),
            per_minute: settings.limits.per_minute,
            per_hour: settings.limits.per_hour,
            per_day: settings.limits.per_day,
            conceal: settings.conceal,
            templates: settings.templates,
            brand: settings.brand,
            hosts: settings.hosts,
            apps: settings.apps,
            created_at: key.created.to_string(),
            expires_at: key.expires.map(|t| t.to_string()),
            revoked_at: key.revoked.map(|t| t.to_string()),
        }
    }
}

/// A rotation as the API shows it.
#[derive(Serialize)]
pub(crate) struct RotationView {
    /// Ids of master keys: what the records on disk bear.
    master_key: String,
    older_master_keys: Vec<String>,
    /// Whether records are being sealed anew. After that the rest is waited for.
    resealing: bool,
    /// Records that still bear an older key.
    records_left: u64,
}

impl From<Rotation> for RotationView {
    fn from(rotation: Rotation) -> Self {
        Self {
            master_key: rotation.current.to_string(),
            older_master_keys: rotation.older.iter().map(ToString::to_string).collect(),
            resealing: rotation.resealing,
            records_left: rotation.left,
        }
    }
}

const CREATE: &[&str] = &[
    "name",
    "scopes",
    "permissions",
    "client",
    "expires_at",
    "networks",
    "countries",
    "per_minute",
    "per_hour",
    "per_day",
    "conceal",
    "templates",
    "brand",
    "hosts",
    "apps",
];
const CHANGE: &[&str] = &[
    "name",
    "networks",
    "countries",
    "per_minute",
    "per_hour",
    "per_day",
    "conceal",
    "templates",
    "brand",
    "hosts",
    "apps",
];
const MAX_NAME: usize = 64;
const MAX_LIMIT: u64 = 1_000_000;
/// A day: time enough to carry a new secret to every place where the older one is.
const DEFAULT_OVERLAP: u64 = 86_400;
const MAX_OVERLAP: u64 = 90 * 86_400;
