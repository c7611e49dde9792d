//! `/v1/keys`: API keys. A secret is shown once, when it is made.

use super::{List, created, id};
use crate::domain::id::{ClientId, KeyId};
use crate::http::auth::{self, Caller};
use crate::http::idempotency::idempotency;
use crate::http::input::{Fields, Payload};
use crate::http::problem::Problem;
use crate::http::{Context, Cx};
use crate::ops::random;
use crate::store::{ApiKey, KeySettings, Permission, Rotation, Scope, StoreError};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::collections::BTreeSet;

/// Makes a key.
pub(crate) async fn create(State(cx): State<Cx>, caller: Caller, payload: Payload) -> Result<Response, Problem> {
    caller.must(Scope::Admin)?;
    let fields = payload.fields(CREATE)?;
    let idempotency = idempotency(&caller, &payload, &fields)?;
    let secret = auth::new_secret(&*cx.random);
    let new = match prove(&cx, &fields, auth::secret_sha256(secret.reveal())).await {
        Ok(new) => new,
        Err(refusal) => {
            cx.unless_done(idempotency, refusal).await?;
            return Err(StoreError::AlreadyShown.into());
        }
    };
    let accepted = cx.ask(cx.by(&caller).create_key(new, idempotency)).await?;
    let key = &accepted.value;
    tracing::info!(key.id = %key.id, by.key.id = %caller.key.id, "Created an API key");
    let location = format!("/v1/keys/{}", key.id);
    let shown = (!accepted.replayed).then(|| secret.reveal().to_owned());
    Ok(created(location, View::new(key, shown), accepted.replayed))
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
    let id = id(&path, KeyId::parse)?;
    let keys = cx.ask(cx.store.keys()).await?;
    let key = keys.iter().find(|key| key.id == id).ok_or(StoreError::NotFound)?;
    Ok(Json(View::new(key, None)))
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

async fn prove(cx: &Context, fields: &Fields, secret_sha256: [u8; 32]) -> Result<ApiKey, Problem> {
    let client = client(cx, fields).await?;
    let now = cx.clock.now().wall;
    let expires = fields.time("expires_at")?;
    if expires.is_some_and(|at| at <= now) {
        return Err(Problem::invalid("expires_at", "`expires_at` is past; give a time to come, or leave it out."));
    }
    let scopes = fields.need("scopes", |f, name| f.words(name, Scope::parse, &Scope::ALL.map(Scope::as_str)))?;
    if scopes.is_empty() {
        return Err(Problem::invalid("scopes", "`scopes` is empty: such a key could do nothing."));
    }
    let permissions = permissions(fields)?;
    Ok(ApiKey {
        id: KeyId::new(now, random::bytes(&*cx.random)),
        client: client.unwrap_or_else(|| ClientId::new(now, random::bytes(&*cx.random))),
        name: fields.need("name", |f, name| f.label(name, 64))?,
        secret_sha256,
        scopes,
        permissions,
        created: now,
        expires,
        revoked: None,
        settings: KeySettings::default(),
    })
}

/// The limits that it may pass. A permission that does nothing yet is not given ahead: nobody would remember who has it.
fn permissions(fields: &Fields) -> Result<BTreeSet<Permission>, Problem> {
    let words = Permission::IN_USE.map(Permission::as_str);
    let permissions = fields.words("permissions", Permission::parse, &words)?.unwrap_or_default();
    match permissions.iter().find(|permission| !Permission::IN_USE.contains(permission)) {
        None => Ok(permissions),
        Some(unused) => {
            let word = unused.as_str();
            let detail = format!("`permissions`: `{word}` is not in use yet and would do nothing; leave it out.");
            Err(Problem::invalid("permissions", detail))
        }
    }
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
    created_at: String,
    expires_at: Option<String>,
    revoked_at: Option<String>,
}

impl View {
    fn new(key: &ApiKey, secret: Option<String>) -> Self {
        Self {
            id: key.id.to_string(),
            key: secret,
            client: key.client.to_string(),
            name: key.name.clone(),
            scopes: key.scopes.iter().map(|s| s.as_str()).collect(),
            permissions: key.permissions.iter().map(|p| p.as_str()).collect(),
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

const CREATE: &[&str] = &["name", "scopes", "permissions", "client", "expires_at"];
