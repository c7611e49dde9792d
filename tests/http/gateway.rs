//! A gateway to speak to, and what it answers.

use crate::conformance;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use otpgate::domain::equipment::{Imei, SimCard};
use otpgate::domain::id::{ClientId, KeyId};
use otpgate::domain::time::Wall;
use otpgate::http::{Api, Settings, SimulatorHandle, new_secret, router, secret_sha256};
use otpgate::modem::board::{Board, ModemState};
use otpgate::modem::resume::Resume;
use otpgate::ops::clock::{Clock, VirtualClock};
use otpgate::ops::random::{SeededRandom, bytes};
use otpgate::store::committer::BoxStore;
use otpgate::store::keyring::Keyring;
use otpgate::store::memory_backend::{Disk, MemoryBackend};
use otpgate::store::vault::StoreKind;
use otpgate::store::{ApiKey, Claim, KeySettings, Permission, Scope, Store};
use serde_json::Value;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;
use tower::ServiceExt;
use tracing::subscriber::DefaultGuard;

/// A gateway with an admin key. Clones are the same gateway.
#[derive(Clone)]
pub(crate) struct Gateway {
    pub(crate) router: Router,
    pub(crate) store: BoxStore,
    pub(crate) clock: Arc<VirtualClock>,
    pub(crate) random: Arc<SeededRandom>,
    pub(crate) board: Board,
    pub(crate) resumes: Arc<[Resume]>,
    simulator: Option<SimulatorHandle>,
    pub(crate) drain: Arc<watch::Sender<bool>>,
    pub(crate) stop: Arc<watch::Sender<bool>>,
    pub(crate) disk: Disk,
    pub(crate) admin: String,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Gateway {
    pub(crate) async fn start() -> Self {
        Self::with(Settings::default(), None).await
    }

    pub(crate) async fn with(settings: Settings, simulator: Option<SimulatorHandle>) -> Self {
        let clock = Arc::new(VirtualClock::new(Wall(1_795_397_726_000)));
        let random = Arc::new(SeededRandom::new(7));
        let keyring = Keyring::new(&bytes(&*random));
        let (board, backend) = (Board::default(), MemoryBackend::new());
        let disk = backend.disk();
        let (store, _, _) =
            BoxStore::open(Box::new(backend), keyring, random.clone(), StoreKind::Simulated, clock.clone()).unwrap();
        let mut gateway = Self {
            router: Router::new(),
            store,
            clock,
            random,
            board,
            resumes: [Resume::default(), Resume::default()].into(),
            simulator,
            drain: Arc::new(watch::channel(false).0),
            stop: Arc::new(watch::channel(false).0),
            disk,
            admin: String::new(),
        };
        gateway = gateway.set(settings);
        gateway.admin = gateway.key(&[Scope::Admin], &[]).await;
        gateway
    }

    /// The same gateway after a start with other settings.
    pub(crate) fn set(&self, settings: Settings) -> Self {
        let api = Api {
            store: Arc::new(self.store.clone()),
            clock: self.clock.clone(),
            random: self.random.clone(),
            board: self.board.clone(),
            resumes: self.resumes.to_vec(),
            simulator: self.simulator.clone(),
            draining: self.drain.subscribe(),
            stopping: self.stop.subscribe(),
            settings,
        };
        Self { router: router(api), ..self.clone() }
    }

    /// A new key, of a new client.
    pub(crate) async fn key(&self, scopes: &[Scope], permissions: &[Permission]) -> String {
        self.make_key(scopes, permissions, KeySettings::default()).await
    }

    /// A new key of which something else holds.
    pub(crate) async fn key_with(&self, scopes: &[Scope], settings: KeySettings) -> String {
        self.make_key(scopes, &[], settings).await
    }

    async fn make_key(&self, scopes: &[Scope], permissions: &[Permission], settings: KeySettings) -> String {
        let now = self.clock.now().wall;
        let secret = new_secret(&*self.random).reveal().to_owned();
        let key = ApiKey {
            id: KeyId::new(now, bytes(&*self.random)),
            client: ClientId::new(now, bytes(&*self.random)),
            name: "test".to_owned(),
            secret_sha256: secret_sha256(&secret),
            scopes: scopes.iter().copied().collect(),
            permissions: permissions.iter().copied().collect(),
            created: now,
            expires: None,
            revoked: None,
            settings,
        };
        self.store.create_key(key, None).await.unwrap();
        secret
    }

    /// A call with the admin key. `line` is `METHOD /path`.
    pub(crate) async fn call(&self, line: &str, body: &str) -> Reply {
        self.call_as(&self.admin, line, body, &[]).await
    }

    pub(crate) async fn call_as(&self, key: &str, line: &str, body: &str, headers: &[(&str, &str)]) -> Reply {
        let (method, path) = line.split_once(' ').unwrap();
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let set = |name: &str| headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
        if !set("host") {
            request = request.header("host", "localhost:8480");
        }
        if !set("authorization") && !key.is_empty() {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        if !set("content-type") && !body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        let reply = self.send(request.body(Body::from(body.to_owned())).unwrap()).await;
        conformance::check(method, path, body, reply.status, &reply.headers, &reply.text);
        reply
    }

    /// Sends a request and proves what is true of every answer.
    pub(crate) async fn send(&self, request: Request<Body>) -> Reply {
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        let reply = Reply { status: parts.status, headers: parts.headers, text };
        if reply.status.is_client_error() || reply.status.is_server_error() {
            reply.is_a_clean_problem();
        }
        reply
    }

    /// A call in another dialect, whose errors are no problems of ours.
    pub(crate) async fn dialect(&self, line: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let (method, path) = line.split_once(' ').unwrap();
        let mut request = Request::builder().method(method).uri(path).header("host", "localhost:8480");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        Reply { status: parts.status, headers: parts.headers, text }
    }

    /// The next message that a modem would send.
    pub(crate) async fn claim(&self) -> Claim {
        let (modem, sim_card) = equipment();
        self.store.claim(modem, sim_card).await.unwrap()
    }

    /// The code in the next message.
    pub(crate) async fn code(&self) -> String {
        let claim = self.claim().await;
        claim.text.reveal().split(' ').next().unwrap().to_owned()
    }

    /// A verification's id.
    pub(crate) async fn verification(&self, body: &str) -> String {
        let reply = self.call("POST /v1/verifications", body).await;
        assert_eq!(reply.status, 201, "{}", reply.text);
        reply.json()["id"].as_str().unwrap().to_owned()
    }

    pub(crate) fn modem(&self, slot: usize, state: ModemState) {
        self.board.update(slot, |m| m.state = state);
    }
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("no JSON ({e}): {}", self.text))
    }

    /// Status and code of a problem, and the field if there is one; the status alone of anything else.
    pub(crate) fn outcome(&self) -> String {
        if self.status.is_success() {
            return self.status.as_u16().to_string();
        }
        let json = self.json();
        let field = json["field"].as_str().map(|f| format!(" {f}")).unwrap_or_default();
        format!("{} {}{field}", self.status.as_u16(), json["code"].as_str().unwrap())
    }

    pub(crate) fn is_replay(&self) -> bool {
        self.headers.get("idempotent-replay").is_some_and(|v| v == "true")
    }

    /// RFC 9457, with what we promise beyond it, and without anything that a caller sent.
    fn is_a_clean_problem(&self) {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{}", self.text);
        let json = self.json();
        assert_eq!(json["status"], self.status.as_u16());
        for member in ["type", "title", "detail", "code"] {
            assert!(json[member].as_str().is_some_and(|t| !t.is_empty()), "{member}: {}", self.text);
        }
        let waits = self.status == 429 || self.status == 503;
        assert_eq!(self.headers.contains_key("retry-after"), waits, "{}", self.text);
        assert_eq!(json["retry_after"].is_u64(), waits);
        for secret in SECRETS {
            assert!(!self.text.contains(secret), "{secret} in {}", self.text);
        }
    }
}

/// What is logged in this thread while it lives, from `info` on.
pub(crate) struct Log {
    lines: Arc<Mutex<Vec<u8>>>,
    _until_dropped: DefaultGuard,
}

impl Log {
    pub(crate) fn begin() -> Self {
        let lines = Arc::<Mutex<Vec<u8>>>::default();
        let writer = lines.clone();
        let subscriber =
            tracing_subscriber::fmt().with_ansi(false).with_writer(move || Writer(writer.clone())).finish();
        Self { lines, _until_dropped: tracing::subscriber::set_default(subscriber) }
    }

    /// The lines that hold this.
    pub(crate) fn with(&self, piece: &str) -> Vec<String> {
        let text = String::from_utf8(self.lines.lock().unwrap().clone()).unwrap();
        text.lines().filter(|line| line.contains(piece)).map(str::to_owned).collect()
    }
}

struct Writer(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Writer {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The modem that sends, and the card in it.
pub(crate) fn equipment() -> (Imei, SimCard) {
    (Imei::new("001017000000001"), SimCard::new("8999901000000000018"))
}

/// What tests send and no problem may show: numbers (but not the sample one in the words of advice), codes, texts,
/// references, keys.
const SECRETS: [&str; 10] =
    ["4155550123", "555012", "123456", "654321", "00112233", "sesame", "otpg_", "+49", "evil", "Geheim"];

/// A number for those who only need one.
pub(crate) const NUMBER: &str = "+14155550123";
/// The body that only has what it must.
pub(crate) const PLAIN: &str = r#"{"to":"+14155550123"}"#;
