//! `/v1/modems`: what is known of each modem.

use super::List;
use crate::http::Cx;
use crate::http::auth::Caller;
use crate::http::problem::Problem;
use crate::modem::board::ModemView as Modem;
use crate::store::Scope;
use axum::Json;
use axum::extract::State;
use serde::Serialize;

/// All modems, in the order of the configuration.
pub(crate) async fn list(State(cx): State<Cx>, caller: Caller) -> Result<Json<List<ModemView>>, Problem> {
    caller.must(Scope::Read)?;
    let unmatched = cx.store.health().unmatched_reports;
    let view = |modem: Modem| {
        let unmatched_reports = modem.sim_card.as_ref().and_then(|card| unmatched.get(card)).copied().unwrap_or(0);
        ModemView { unmatched_reports, ..ModemView::from(modem) }
    };
    Ok(Json(List::new(cx.board.modems().into_iter().map(view).collect())))
}

#[derive(Serialize)]
pub(crate) struct ModemView {
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
    accepted: u64,
    refused: u64,
    uncertain: u64,
    received: u64,
    calls_rejected: u64,
    opened: u64,
    /// Status reports of its SIM card that fit no message: as when another program sends over it.
    unmatched_reports: u64,
}

impl From<Modem> for ModemView {
    fn from(modem: Modem) -> Self {
        Self {
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
            quirks: modem.quirks,
            accepted: modem.accepted,
            refused: modem.refused,
            uncertain: modem.uncertain,
            received: modem.received,
            calls_rejected: modem.calls_rejected,
            opened: modem.opened,
            unmatched_reports: 0,
        }
    }
}
