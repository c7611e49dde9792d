//! The HTTP side: routes, keys, errors, and the views of what the store holds. The only room that names axum.
//!
//! A handler reads top to bottom: who calls, what they ask, prove it, ask the store, show what it says. No handler
//! decides on what it read earlier; that is the store's.

mod address;
mod auth;
mod dialect;
mod docs;
mod front;
mod guard;
mod idempotency;
mod impatient;
mod input;
mod myotp;
mod openapi;
mod ops;
mod problem;
mod server;
mod simulator;
mod v1;
mod wait;

pub use address::Connection;
pub use auth::{new_secret, secret_sha256};
pub use openapi::openapi;
pub use server::serve;
pub use simulator::{SimulatorHandle, simulator_router};

use crate::domain::amount::Amount;
use crate::domain::equipment::SimCard;
use crate::domain::msisdn::Msisdn;
use crate::domain::network::Network;
use crate::domain::verification::CodeAlphabet;
use crate::modem::board::Board;
use crate::modem::resume::Resume;
use crate::ops::clock::Clock;
use crate::ops::random::Random;
use crate::otp::template::Book;
use crate::store::Store;
use crate::webhook::target::Rules;
use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{delete, get, post, put};
use front::Front;
use problem::{Kind, Problem};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use v1::{
    audit, estimate, events, guard as guard_routes, inbound, keys, messages, modems, opt_outs, templates,
    verifications, webhooks,
};

/// What the API stands on.
pub struct Api {
    /// What is accepted and what became of it.
    pub store: Arc<dyn Store>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Ids, nonces and keys.
    pub random: Arc<dyn Random>,
    /// What is known of the modems.
    pub board: Board,
    /// By the modems' places on the board: has one in quarantine tried now.
    pub resumes: Vec<Resume>,
    /// The virtual network behind the modems, if they are virtual.
    pub simulator: Option<SimulatorHandle>,
    /// Becomes true when otpgate begins to stop: nothing new is taken in, and nothing is ready any more.
    pub draining: watch::Receiver<bool>,
    /// Becomes true when the modems have ended: waits end.
    pub stopping: watch::Receiver<bool>,
    /// What may be set.
    pub settings: Settings,
}

/// What may be set about the API.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it listens; a request may name these addresses as its host.
    pub listen: Vec<SocketAddr>,
    /// Further host names, or addresses, that a request may name.
    pub allowed_hosts: Vec<String>,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// The shortest code, 4 to 10, without the permission `short_codes`.
    pub min_code_length: u8,
    /// The longest life of a code without the permission `long_ttl`.
    pub max_code_ttl: Duration,
    /// The most parts that a plain message may have.
    pub max_parts: u8,
    /// What codes are written in if a request does not say.
    pub code_alphabet: CodeAlphabet,
    /// What texts are made from.
    pub templates: Book,
    /// The SIM cards' own numbers, as far as they are known.
    pub own_numbers: BTreeMap<SimCard, Msisdn>,
    /// Whether MyOTP.App's dialect is spoken.
    pub myotp: bool,
    /// Whom to write to about this gateway; MyOTP.App's dialect tells it.
    pub operator_email: String,
    /// What a message costs, in whatever the operator reckons in; MyOTP.App's dialect tells it.
    pub price_per_sms: Amount,
    /// Where webhooks may lead.
    pub webhooks: Rules,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            allowed_hosts: Vec::new(),
            trusted_proxies: Vec::new(),
            min_code_length: 6,
            max_code_ttl: Duration::from_secs(600),
            max_parts: 10,
            code_alphabet: CodeAlphabet::Digits,
            templates: Book::default(),
            own_numbers: BTreeMap::new(),
            myotp: true,
            operator_email: "box@localhost".to_owned(),
            price_per_sms: Amount::default(),
            webhooks: Rules::default(),
        }
    }
}

/// The whole API. Every route is in this list.
pub fn router(api: Api) -> Router {
    let front = Front { settings: api.settings.clone(), simulated: api.simulator.is_some() };
    let simulator = api.simulator.clone().map(|handle| simulator::routes(handle, api.stopping.clone()));
    let dialects = if api.settings.myotp { myotp::routes() } else { Router::new() };
    let cx = Arc::new(Context { api, logins: auth::Logins::default(), waits: wait::Waits::default() });
    let mut routes = Router::new()
        .route("/v1/verifications", post(verifications::create))
        .route("/v1/verifications/{id}", get(verifications::show))
        .route("/v1/verifications/{id}/check", post(verifications::check))
        .route("/v1/verifications/{id}/resend", post(verifications::resend))
        .route("/v1/verifications/{id}/cancel", post(verifications::cancel))
        .route("/v1/messages", post(messages::create).get(messages::list))
        .route("/v1/messages/{id}", get(messages::show))
        .route("/v1/messages/{id}/cancel", post(messages::cancel))
        .route("/v1/templates", get(templates::list))
        .route("/v1/templates/preview", post(templates::preview))
        .route("/v1/estimate", post(estimate::estimate))
        .route("/v1/keys", post(keys::create).get(keys::list))
        .route("/v1/keys/rotate-master", post(keys::rotate_master).get(keys::rotation))
        .route("/v1/keys/{id}", get(keys::show).patch(keys::change).delete(keys::revoke))
        .route("/v1/keys/{id}/rotate", post(keys::rotate))
        .route("/v1/modems", get(modems::list))
        .route("/v1/modems/{id}/resume", post(modems::resume))
        .route("/v1/inbound", get(inbound::list))
        .route("/v1/inbound/{id}", get(inbound::show))
        .route("/v1/opt-outs", get(opt_outs::list))
        .route("/v1/opt-outs/{number}", put(opt_outs::add).delete(opt_outs::remove))
        .route("/v1/guard", get(guard_routes::show))
        .route("/v1/guard/stop", post(guard_routes::stop))
        .route("/v1/guard/start", post(guard_routes::start))
        .route("/v1/guard/blocked", get(guard_routes::blocked))
        .route("/v1/guard/blocked/{number}", put(guard_routes::block).delete(guard_routes::unblock))
        .route("/v1/guard/safe", get(guard_routes::safe))
        .route("/v1/guard/safe/{number}", put(guard_routes::trust).delete(guard_routes::distrust))
        .route("/v1/guard/numbers/{number}", delete(guard_routes::unlock))
        .route("/v1/events", get(events::list))
        .merge(dialects)
        .route("/v1/webhooks", post(webhooks::create).get(webhooks::list))
        .route("/v1/webhooks/{id}", get(webhooks::show).delete(webhooks::delete))
        .route("/v1/webhooks/{id}/rotate-secret", post(webhooks::rotate_secret))
        .route("/v1/webhooks/{id}/enable", post(webhooks::enable))
        .route("/v1/webhooks/{id}/test", post(webhooks::test))
        .route("/v1/webhooks/{id}/replay", post(webhooks::replay))
        .route("/v1/webhooks/{id}/deliveries", get(webhooks::deliveries))
        .route("/v1/webhooks/{id}/deliveries/{delivery}/replay", post(webhooks::replay_one))
        .route("/v1/audit", get(audit::list))
        .route("/v1/audit/verify", get(audit::verify))
        .route("/healthz", get(ops::healthz))
        .route("/readyz", get(ops::readyz))
        .route("/openapi.json", get(openapi::show))
        .route("/ui/docs", get(docs::page))
        .route("/ui/docs.css", get(docs::style))
        .route("/", get(docs::to_docs))
        .with_state(cx.clone());
    if let Some(simulator) = simulator {
        routes = routes.merge(simulator.route_layer(from_fn_with_state(cx, simulator::with_key)));
    }
    front::around(routes, front)
}

/// What a handler has at hand.
pub(crate) struct Context {
    api: Api,
    logins: auth::Logins,
    waits: wait::Waits,
}

impl Context {
    /// The store on behalf of a caller: what is done through it is audited as theirs.
    fn by(&self, caller: &auth::Caller) -> Arc<dyn Store> {
        self.store.acting(caller.actor(Vec::new()))
    }

    /// Refuses what makes new work when otpgate has begun to stop: no modem would take it up before the next start. What
    /// was accepted before may still be read, checked and called off.
    fn takes_new(&self) -> Result<(), Problem> {
        if *self.draining.borrow() {
            return Err(Problem::new(
                Kind::Stopping,
                "otpgate is stopping and takes nothing new in; try again when it is back.",
            ));
        }
        Ok(())
    }
}

type Cx = Arc<Context>;

impl Deref for Context {
    type Target = Api;

    fn deref(&self) -> &Api {
        &self.api
    }
}

/// How long a request's body, and the store's answer to it, may take.
const REQUEST_TIME: Duration = Duration::from_secs(30);
/// The largest body, in octets.
const BODY_LIMIT: usize = 64 * 1024;
