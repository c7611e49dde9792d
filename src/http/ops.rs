//! How otpgate is: for those who watch it. Needs no key and so tells nobody's business: no number, no modem's name.

use super::Cx;
use super::problem::{Kind, Problem};
use crate::modem::board::ModemState;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use std::collections::BTreeMap;

/// The answer where all is well.
#[derive(Serialize)]
pub(crate) struct Ready {
    status: &'static str,
    modems_ready: usize,
    queued: usize,
    records_set_aside: usize,
}

#[derive(Serialize)]
pub(crate) struct Healthy {
    status: &'static str,
}

/// Whether the process lives and its store still commits. If not, a restart may help.
pub(crate) async fn healthz(State(cx): State<Cx>) -> Result<Json<Healthy>, Problem> {
    if cx.store.health().closed {
        return Err(Problem::new(Kind::Stopping, "The store has ended, and so will otpgate."));
    }
    Ok(Json(Healthy { status: "ok" }))
}

/// Whether a message that is accepted now can be sent now; if not, why not.
pub(crate) async fn readyz(State(cx): State<Cx>) -> Result<Json<Ready>, Problem> {
    let health = cx.store.health();
    let states: Vec<ModemState> = cx.board.modems().iter().map(|m| m.state).collect();
    let modems_ready = states.iter().filter(|s| s.is_ready()).count();
    let mut reasons = Vec::new();
    if *cx.draining.borrow() {
        reasons.push("otpgate is stopping.".to_owned());
    }
    if health.closed {
        reasons.push("The store has ended.".to_owned());
    }
    if let Some(why) = health.quarantined {
        reasons.push(format!("The store is quarantined: {why}"));
    }
    if let Some(until) = health.clock_held_until {
        reasons.push(format!("The clock is behind where it was at the last stop; sending waits until {until}, or until the clock is synchronised."));
    }
    if health.low_space {
        reasons.push(
            "The disk is full, or nearly, so nothing new is taken in: free space on the data directory's disk."
                .to_owned(),
        );
    }
    if let Some(since) = health.stopped {
        reasons.push(format!("An admin has stopped all sending, at {since}; POST /v1/guard/start lets it go on."));
    }
    if modems_ready == 0 {
        reasons.push(no_modem(&states));
    }
    if !reasons.is_empty() {
        return Err(Problem::new(Kind::NotReady, "No message can be taken in and sent now; the reasons are listed.")
            .because(reasons));
    }
    Ok(Json(Ready { status: "ready", modems_ready, queued: health.queued, records_set_aside: health.set_aside }))
}

fn no_modem(states: &[ModemState]) -> String {
    if states.is_empty() {
        return "There is no modem: plug one in and name its port in the configuration, or start with --simulate."
            .into();
    }
    let mut counts = BTreeMap::<&str, usize>::new();
    states.iter().for_each(|s| *counts.entry(s.as_str()).or_default() += 1);
    let words: Vec<_> = counts.iter().map(|(word, count)| format!("{count} {word}")).collect();
    format!("No modem can send: {}; GET /v1/modems says why.", words.join(", "))
}
