//! `/v1/modems`: what is known of each modem.

use super::{List, ReasonView};
use crate::dispatch::canary::Verdict;
use crate::dispatch::delivery::FILTERED;
use crate::dispatch::quota::Used;
use crate::domain::audit::AuditKind;
use crate::domain::learned::{ModelTraits, SimCardTraits, Validity};
use crate::http::auth::Caller;
use crate::http::input::Payload;
use crate::http::problem::{Kind, Problem};
use crate::http::{Context, Cx};
use crate::modem::board::ModemView as Modem;
use crate::store::{self, Scope, SimCardView};
use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;
use std::collections::BTreeMap;

/// All modems, in the order of the configuration.
pub(crate) async fn list(State(cx): State<Cx>, caller: Caller) -> Result<Json<List<ModemView>>, Problem> {
    caller.must(Scope::Read)?;
    Ok(Json(List::new(views(&cx, cx.board.modems()).await?)))
}

/// Has a modem that is left alone tried now. One that is not is left as it is. Answers with the modem as it then is.
pub(crate) async fn resume(
    State(cx): State<Cx>,
    caller: Caller,
    Path(path): Path<String>,
    payload: Payload,
) -> Result<Json<ModemView>, Problem> {
    caller.must(Scope::Admin)?;
    payload.optional_fields(&[])?;
    let unknown = || Problem::new(Kind::NotFound, "There is no such modem; GET /v1/modems shows the `id` of each.");
    let slot = cx.board.slot_of(&path).ok_or_else(unknown)?;
    tracing::info!(modem.slot = slot, by.key.id = %caller.key.id, "A modem is to be tried now");
    if let Some(resume) = cx.resumes.get(slot) {
        // A full disk keeps no modem from being tried.
        drop(cx.by(&caller).audit(AuditKind::ModemResumed, Some(path.clone())));
        resume.give_and_wait().await;
    }
    let modem = cx.board.modem(slot).ok_or_else(unknown)?;
    views(&cx, vec![modem]).await?.pop().map(Json).ok_or_else(unknown)
}

/// What is known of these modems, and what the store knows of their SIM cards.
async fn views(cx: &Context, modems: Vec<Modem>) -> Result<Vec<ModemView>, Problem> {
    let unmatched = cx.store.health().unmatched_reports;
    let sim_cards = cx.ask(cx.store.sim_cards()).await?;
    let view = |modem: Modem| {
        let unmatched_reports = modem.sim_card.as_ref().and_then(|card| unmatched.get(card)).copied().unwrap_or(0);
        let of_card = modem.sim_card.as_ref().and_then(|card| sim_cards.get(card));
        let limits = of_card.and_then(LimitsView::of);
        let out_of_service = of_card.and_then(OutOfServiceView::of);
        let canary = of_card.and_then(|card| card.canary.as_ref()).map(CanaryView::of);
        let deliveries = of_card.and_then(DeliveriesView::of);
        ModemView { unmatched_reports, limits, out_of_service, canary, deliveries, ..ModemView::from(modem) }
    };
    Ok(modems.into_iter().map(view).collect())
}

#[derive(Serialize)]
pub(crate) struct ModemView {
    /// What names it in paths: its IMEI or, where that is not known, a hash of its place.
    id: String,
    imei: Option<String>,
    sim_card: Option<String>,
    port: String,
    state: &'static str,
    ready: bool,
    since: String,
    reason: Option<String>,
    degraded: Vec<String>,
    manufacturer: Option<String>,
    model: Option<String>,
    revision: Option<String>,
    /// The row of what is known of its model.
    quirks: &'static str,
    operator: Option<String>,
    registration: Option<String>,
    /// Whether that is a registration over which messages may not go.
    doubtful: bool,
    technology: Option<&'static str>,
    signal_dbm: Option<i16>,
    learned: Option<LearnedView>,
    balance: Option<String>,
    accepted: u64,
    refused: u64,
    uncertain: u64,
    received: u64,
    calls_rejected: u64,
    opened: u64,
    /// Where it stands on the ladder that brings it back, if it is being brought back.
    recovery: Option<RecoveryView>,
    /// Each rung that was ever tried with this model.
    rungs: BTreeMap<&'static str, RungView>,
    /// Status reports of its SIM card that fit no message: as when another program sends over it.
    unmatched_reports: u64,
    /// What its SIM card has sent, and how much it may. Nothing, where nothing is counted.
    limits: Option<LimitsView>,
    /// Why nothing is sent over its SIM card, though the modem could.
    out_of_service: Option<OutOfServiceView>,
    /// Whether what its SIM card sends to its own number comes back. Nothing, where none is sent.
    canary: Option<CanaryView>,
    /// How many of its SIM card's last messages were reported as delivered. Nothing, where no report has ever come.
    deliveries: Option<DeliveriesView>,
}

#[derive(Serialize)]
struct LimitsView {
    mode: &'static str,
    /// Each window with what is in it and what it takes.
    used: BTreeMap<&'static str, UsedView>,
    /// The window that has no room, if one has none.
    full: Option<&'static str>,
    next_slot_at: Option<String>,
    new_sim_card: bool,
}

#[derive(Serialize)]
struct CanaryView {
    /// `waiting` until the first since the start has passed or failed.
    state: &'static str,
    /// Since when.
    at: Option<String>,
    /// What is wrong, and the remedy.
    text: Option<String>,
    next_at: String,
}

#[derive(Serialize)]
struct DeliveriesView {
    delivered: u32,
    of: u8,
    /// Since when hardly any is, though more were before or are over others. Then other SIM cards go first.
    filtered_since: Option<String>,
    /// What is wrong, and the remedy.
    text: Option<String>,
    /// When one message tries it again.
    retry_at: Option<String>,
}

#[derive(Serialize)]
struct UsedView {
    used: u32,
    limit: Option<u32>,
}

#[derive(Serialize)]
struct OutOfServiceView {
    text: String,
    /// What the network said last.
    reason: ReasonView,
    since: String,
    retry_at: String,
    failed_trials: u8,
}

impl LimitsView {
    fn of(card: &SimCardView) -> Option<Self> {
        let used = |used: &Used| (used.window.as_str(), UsedView { used: used.used, limit: used.limit });
        (!card.used.is_empty()).then(|| Self {
            mode: card.mode.as_str(),
            used: card.used.iter().map(used).collect(),
            full: card.full.map(|window| window.as_str()),
            next_slot_at: card.next_slot.map(|at| at.to_string()),
            new_sim_card: card.is_new,
        })
    }
}

impl CanaryView {
    fn of(canary: &store::CanaryView) -> Self {
        let (state, at) = match canary.verdict {
            None => ("waiting", None),
            Some(Verdict::Passed { at }) => ("passed", Some(at)),
            Some(Verdict::Failed { at, .. }) => ("failed", Some(at)),
        };
        let at = at.map(|at| at.to_string());
        Self { state, at, text: canary.why.clone(), next_at: canary.next.to_string() }
    }
}

impl DeliveriesView {
    fn of(card: &SimCardView) -> Option<Self> {
        let deliveries = &card.deliveries;
        let filtered = deliveries.filtered;
        deliveries.reported.then(|| Self {
            delivered: deliveries.all.delivered(),
            of: deliveries.all.count,
            filtered_since: filtered.map(|filtered| filtered.since.to_string()),
            text: filtered.map(|_| format!("{FILTERED}.")),
            retry_at: filtered.map(|filtered| filtered.retry.wall.to_string()),
        })
    }
}

impl OutOfServiceView {
    fn of(card: &SimCardView) -> Option<Self> {
        let (text, open) = card.why.clone().zip(card.out_of_service.as_ref())?;
        Some(Self {
            text,
            reason: open.reason.into(),
            since: open.since.to_string(),
            retry_at: open.retry.wall.to_string(),
            failed_trials: open.trials,
        })
    }
}

/// What was found out while sending. Of a model and its firmware, but for the last two, which are its SIM card's.
#[derive(Serialize)]
pub(crate) struct LearnedView {
    /// From the prompt to the PDU, with which ten sends in a row went well.
    prompt_delay_ms: Option<f64>,
    /// The form of `AT+CNMI` that it took.
    report_form: Option<String>,
    /// Whether reports are to be acknowledged.
    acknowledged: bool,
    send_time_ms: Option<u64>,
    lists_hang: bool,
    validity_period: &'static str,
    /// `AT+CGSMS`.
    bearer: Option<u8>,
}

impl LearnedView {
    fn of(model: Option<ModelTraits>, sim_card: Option<SimCardTraits>) -> Option<Self> {
        if model.is_none() && sim_card.is_none() {
            return None;
        }
        let form = model.as_ref().and_then(|m| m.report_form).map(|form| form.map(|n| n.to_string()).join(","));
        Some(Self {
            prompt_delay_ms: model.as_ref().and_then(|m| m.prompt_delay).map(|delay| delay.as_secs_f64() * 1000.0),
            report_form: form,
            acknowledged: model.as_ref().is_some_and(|m| m.acknowledged),
            send_time_ms: model.as_ref().and_then(|m| m.send_time).map(|time| time.as_millis() as u64),
            lists_hang: model.is_some_and(|m| m.lists_hang),
            validity_period: sim_card.as_ref().map_or(Validity::default(), |card| card.validity).as_str(),
            bearer: sim_card.and_then(|card| card.bearer),
        })
    }
}

#[derive(Serialize)]
struct RecoveryView {
    rung: &'static str,
    since: String,
    next_at: Option<String>,
    attempts: u32,
    reason: String,
}

#[derive(Serialize)]
struct RungView {
    tried: u32,
    worked: u32,
}

impl From<Modem> for ModemView {
    fn from(modem: Modem) -> Self {
        Self {
            id: modem.id().as_str().to_owned(),
            imei: modem.imei.map(|i| i.as_str().to_owned()),
            sim_card: modem.sim_card.map(|s| s.as_str().to_owned()),
            port: modem.port,
            state: modem.state.as_str(),
            ready: modem.state.is_ready(),
            since: modem.since.to_string(),
            reason: modem.reason,
            degraded: modem.degraded,
            manufacturer: modem.manufacturer,
            model: modem.model,
            revision: modem.revision,
            operator: modem.operator,
            registration: modem.registration,
            doubtful: modem.doubtful,
            technology: modem.technology,
            signal_dbm: modem.signal_dbm,
            balance: modem.balance,
            quirks: modem.quirks,
            learned: LearnedView::of(modem.traits, modem.card_traits),
            accepted: modem.accepted,
            refused: modem.refused,
            uncertain: modem.uncertain,
            received: modem.received,
            calls_rejected: modem.calls_rejected,
            opened: modem.opened,
            recovery: modem.recovery.map(|recovery| RecoveryView {
                rung: recovery.rung,
                since: recovery.since.to_string(),
                next_at: recovery.next_at.map(|at| at.to_string()),
                attempts: recovery.attempts,
                reason: recovery.reason,
            }),
            rungs: modem.rungs.iter().map(|&(rung, tried, worked)| (rung, RungView { tried, worked })).collect(),
            unmatched_reports: 0,
            limits: None,
            out_of_service: None,
            canary: None,
            deliveries: None,
        }
    }
}
