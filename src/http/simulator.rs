//! `/simulator`: the other end of the virtual network, for the tests of whole applications.

use super::auth::Caller;
use super::front::{self, Front};
use super::input::{Fields, Payload};
use super::problem::{Kind, Problem};
use super::server::until;
use super::v1::List;
use super::{Cx, Settings};
use crate::simulator::driver::ModemCounts;
pub use crate::simulator::driver::SimulatorHandle;
use crate::simulator::faults::Faults;
use crate::simulator::inbox::InboxMessage;
use crate::store::Scope;
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use tokio::sync::watch;

/// `/simulator` alone and without keys, for virtual modems that no gateway belongs to.
pub fn simulator_router(handle: SimulatorHandle, stopping: watch::Receiver<bool>, settings: Settings) -> Router {
    front::around(routes(handle, stopping), Front { settings, simulated: true })
}

pub(super) fn routes(handle: SimulatorHandle, stopping: watch::Receiver<bool>) -> Router {
    Router::new()
        .route("/simulator/inbox", get(inbox).delete(clear))
        .route("/simulator/inbound", post(inbound))
        .route("/simulator/reset", post(reset))
        .route("/simulator/counts", get(counts))
        .route("/simulator/faults", put(set_faults))
        .route("/simulator/modems/{index}/{action}", post(act))
        .with_state(Simulated { handle, stopping })
}

/// Lets through whom the gateway's own keys allow.
pub(super) async fn with_key(State(_): State<Cx>, caller: Caller, request: Request, next: Next) -> Response {
    match caller.must(Scope::Simulator) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

#[derive(Clone)]
struct Simulated {
    handle: SimulatorHandle,
    stopping: watch::Receiver<bool>,
}

/// What arrived, newest first. With `wait`, if nothing has, as soon as something does.
async fn inbox(State(mut here): State<Simulated>, uri: Uri) -> Result<Json<List<MessageView>>, Problem> {
    let query = Fields::of_query(&uri, &["to", "wait", "limit"])?;
    let to = query.number("to")?.map(|to| to.reveal_e164());
    let wait = Duration::from_secs(query.integer("wait", 0..=60)?.unwrap_or(0));
    let limit = query.integer("limit", 1..=200)?.unwrap_or(50) as usize;
    let messages = tokio::select! {
        biased;
        messages = here.handle.inbox(to.as_deref(), wait) => messages,
        () = until(&mut here.stopping) => here.handle.inbox(to.as_deref(), Duration::ZERO).await,
    };
    Ok(Json(List::new(messages.into_iter().take(limit).map(MessageView::from).collect())))
}

/// Forgets what arrived.
async fn clear(State(here): State<Simulated>) -> StatusCode {
    here.handle.clear_inbox();
    StatusCode::NO_CONTENT
}

/// Has somebody send a text to a modem's number.
async fn inbound(State(here): State<Simulated>, payload: Payload) -> Result<Json<Taken>, Problem> {
    let fields = payload.fields(&["from", "to", "text"])?;
    let from = fields.need("from", Fields::number)?.reveal_e164();
    let to = fields.need("to", Fields::number)?.reveal_e164();
    let text = fields.need("text", Fields::text)?;
    let modem = here.handle.inbound(&from, &to, text).and_then(|index| here.handle.identity(index));
    let modem = modem.ok_or_else(|| no_such_card(&here.handle))?;
    Ok(Json(Taken { modem: modem.imei }))
}

/// These numbers are nobody's, so one may be shown.
fn no_such_card(handle: &SimulatorHandle) -> Problem {
    let detail = match handle.identity(0) {
        None => "There is no virtual modem to take it.".to_owned(),
        Some(first) => format!(
            "No virtual SIM card has this number; GET /simulator/counts lists those there are; the first is {}.",
            first.number
        ),
    };
    Problem::new(Kind::NotFound, detail)
}

/// Back to the beginning: an empty inbox, no faults, counts at nought.
async fn reset(State(here): State<Simulated>, payload: Payload) -> Result<StatusCode, Problem> {
    payload.optional_fields(&[])?;
    here.handle.reset();
    Ok(StatusCode::NO_CONTENT)
}

/// What was counted at the network and at each modem, so that *lost* and *twice* are assertions.
async fn counts(State(here): State<Simulated>) -> Json<CountsView> {
    let counts = here.handle.counts();
    Json(CountsView {
        submissions: counts.network.submissions,
        accepted: counts.network.accepted,
        refused: counts.network.refused,
        undecodable: counts.network.undecodable,
        reports: counts.network.reports,
        inbound: counts.network.inbound,
        modems: counts.modems.into_iter().map(ModemView::from).collect(),
    })
}

/// What goes wrong from now on, in the words of `otpgate simulate --fault`: with one modem, or with all. What went wrong
/// before does so no longer.
async fn set_faults(State(here): State<Simulated>, payload: Payload) -> Result<StatusCode, Problem> {
    let fields = payload.fields(&["faults", "modem"])?;
    let modem = fields.integer("modem", 0..=u64::from(u8::MAX))?.map(|index| known(&here.handle, index)).transpose()?;
    let words = fields.need("faults", |fields, name| Ok(fields.value(name)))?.as_array();
    let words = words.ok_or_else(|| Problem::invalid("faults", "`faults` is a list, as [\"silence=lost@next:1\"]."))?;
    let mut faults = Faults::default();
    for word in words {
        let word = word.as_str().ok_or_else(|| Problem::invalid("faults", "Each of `faults` is a text."))?;
        faults.set_flag(word).map_err(|error| Problem::invalid("faults", format!("{error}.")))?;
    }
    here.handle.set_faults(modem, &faults);
    Ok(StatusCode::NO_CONTENT)
}

/// Does to a modem what somebody at the box would do.
async fn act(
    State(here): State<Simulated>,
    Path((index, action)): Path<(String, String)>,
    payload: Payload,
) -> Result<StatusCode, Problem> {
    payload.optional_fields(&[])?;
    let act: fn(&SimulatorHandle, usize) = match action.as_str() {
        "unplug" => SimulatorHandle::unplug,
        "replug" => SimulatorHandle::replug,
        "power-cycle" => SimulatorHandle::power_cycle,
        "ring" => SimulatorHandle::ring,
        _ => {
            let detail = "What can be done to a virtual modem: unplug, replug, power-cycle, ring.";
            return Err(Problem::new(Kind::NotFound, detail));
        }
    };
    act(&here.handle, known(&here.handle, index.parse().unwrap_or(u64::MAX))?);
    Ok(StatusCode::NO_CONTENT)
}

/// A modem's place, if there is one there.
fn known(handle: &SimulatorHandle, index: u64) -> Result<usize, Problem> {
    let count = handle.modem_count();
    let index = usize::try_from(index).ok().filter(|index| *index < count);
    index.ok_or_else(|| {
        Problem::new(Kind::NotFound, format!("There are {count} virtual modems; the first is number 0."))
    })
}

#[derive(Serialize)]
struct MessageView {
    time: String,
    from: String,
    to: String,
    text: String,
    parts: u8,
    complete: bool,
    copies: u32,
}

#[derive(Serialize)]
struct Taken {
    modem: String,
}

#[derive(Serialize)]
struct CountsView {
    submissions: u64,
    accepted: u64,
    refused: u64,
    undecodable: u64,
    reports: u64,
    inbound: u64,
    modems: Vec<ModemView>,
}

#[derive(Serialize)]
struct ModemView {
    imei: String,
    number: String,
    at_lines: BTreeMap<String, u64>,
    escapes: u64,
    bytes_while_sending: u64,
    prompts: u64,
    submits: u64,
    submitted: u64,
    pins_typed: u64,
    /// From a final result to the next AT+CMGS.
    turn: Spread,
    /// From the prompt to 0x1A.
    prompt: Spread,
}

/// Of a list of times, in microseconds.
#[derive(Serialize)]
struct Spread {
    count: usize,
    median_us: u32,
    p99_us: u32,
    max_us: u32,
}

impl From<InboxMessage> for MessageView {
    fn from(message: InboxMessage) -> Self {
        Self {
            time: message.time.to_string(),
            parts: message.total,
            complete: message.is_complete(),
            copies: message.parts.iter().map(|p| p.copies).max().unwrap_or(0),
            from: message.from,
            to: message.to,
            text: message.text,
        }
    }
}

impl From<ModemCounts> for ModemView {
    fn from(modem: ModemCounts) -> Self {
        let ModemCounts { identity, counts, turns, .. } = modem;
        Self {
            imei: identity.imei,
            number: identity.number,
            at_lines: counts.at_lines,
            escapes: counts.escapes,
            bytes_while_sending: counts.bytes_while_sending,
            prompts: counts.prompts,
            submits: counts.submits,
            submitted: counts.submitted,
            pins_typed: counts.pins_typed,
            turn: Spread::of(turns.from_result),
            prompt: Spread::of(turns.from_prompt),
        }
    }
}

impl Spread {
    fn of(times: VecDeque<u32>) -> Self {
        let mut times = Vec::from(times);
        times.sort_unstable();
        let at = |percent: usize| times.get(times.len().saturating_sub(1) * percent / 100).copied().unwrap_or(0);
        Self { count: times.len(), median_us: at(50), p99_us: at(99), max_us: at(100) }
    }
}
