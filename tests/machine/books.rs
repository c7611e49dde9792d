//! What was accepted, against what the network has.

#![allow(clippy::print_stdout, reason = "what is lost is shown")]

use super::{Gateway, Http, Simulate, message, until};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// What a caller was told: the id, and what to look for at the network.
#[derive(Clone)]
pub(crate) enum Told {
    Message { id: String, text: String },
    Verification { message: String, to: String },
}

pub(crate) fn plain(http: &mut Http, n: usize) -> Option<Told> {
    let text = format!("plain message {n}");
    let (status, body) = http.post("/v1/messages", message("+14155550111", &text)).ok()?;
    assert_eq!(status, 201, "{body}");
    Some(Told::Message { id: body["id"].as_str()?.to_owned(), text })
}

pub(crate) fn code(http: &mut Http, n: usize) -> Option<Told> {
    let to = format!("+1415{:07}", 2_000_000 + n);
    let (status, body) = http.post("/v1/verifications", json!({ "to": to, "ttl_seconds": 600 })).ok()?;
    assert_eq!(status, 201, "{body}");
    Some(Told::Verification { message: body["message"]["id"].as_str()?.to_owned(), to })
}

/// Waits until nothing is queued or with a modem, and what is uncertain had its time to be settled.
pub(crate) fn drain(gateway: &Gateway, within: Duration) {
    let mut client = gateway.client();
    until(within, "the queue is empty", || {
        ["queued", "submitting"].iter().all(|status| {
            let (_, list) = client.get(&format!("/v1/messages?limit=1&status={status}")).unwrap();
            list["items"].as_array().is_some_and(Vec::is_empty)
        })
    });
}

#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) _accepted: usize,
    pub(crate) by_status: BTreeMap<String, usize>,
    /// Accepted, and gone; or said to be sent, and not at the network.
    pub(crate) lost: usize,
    /// More than one copy.
    pub(crate) twice: usize,
    /// More copies than one and the attempts that were uncertain.
    pub(crate) twice_unexplained: usize,
    pub(crate) ever_uncertain: usize,
}

pub(crate) fn judge(gateway: &Gateway, simulate: &Simulate, told: &[Told]) -> Verdict {
    let copies = simulate.copies();
    let mut client = gateway.client();
    let mut verdict = Verdict { _accepted: told.len(), ..Verdict::default() };
    for one in told {
        let (id, mine) = match one {
            Told::Message { id, text } => (id, copies.iter().filter(|c| c["text"] == text.as_str()).count()),
            Told::Verification { message, to } => (message, copies.iter().filter(|c| c["to"] == to.as_str()).count()),
        };
        let (status, record) = client.get(&format!("/v1/messages/{id}")).unwrap();
        if status != 200 {
            verdict.lost += 1;
            continue;
        }
        let word = record["status"].as_str().unwrap_or("").to_owned();
        let sent = matches!(word.as_str(), "submitted" | "delivered" | "undelivered");
        let uncertain = attempts_ever_uncertain(&record);
        // An uncertain one may be at the network or not: that is what the word says.
        let accounted = if sent { mine >= 1 } else { word == "uncertain" };
        if !accounted {
            println!("lost: {record}");
        }
        verdict.lost += usize::from(!accounted);
        verdict.twice += usize::from(mine > 1);
        verdict.twice_unexplained += usize::from(mine > 1 + uncertain);
        verdict.ever_uncertain += usize::from(record["ever_uncertain"] == true);
        *verdict.by_status.entry(word).or_default() += 1;
    }
    verdict
}

/// How many attempts were uncertain at any time: all but the last of a message that ever was, at least one.
pub(crate) fn attempts_ever_uncertain(record: &Value) -> usize {
    let attempts = record["attempts"].as_array().map_or(0, Vec::len);
    if record["ever_uncertain"] == true { attempts.saturating_sub(1).max(1) } else { 0 }
}
