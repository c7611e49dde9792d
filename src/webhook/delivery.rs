//! Takes what is due out of the outbox, has it sent, and records what came of it.

use super::schedule::HANDS;
use super::signature;
use crate::domain::secret::Secret;
use crate::domain::webhook::Outcome;
use crate::ops::clock::Clock;
use crate::store::{Parcel, Store, StoreError};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

/// Sends one request to where a webhook leads.
pub trait Transport: Send + Sync + 'static {
    /// Sends it; gives what came of it.
    fn post(&self, call: Call) -> Pin<Box<dyn Future<Output = Outcome> + Send>>;
}

/// A request to be sent.
#[derive(Clone, Debug)]
pub struct Call {
    /// Where to.
    pub url: Secret,
    /// `webhook-id`.
    pub id: String,
    /// `webhook-timestamp`: seconds since 1970.
    pub timestamp: i64,
    /// `webhook-signature`.
    pub signature: String,
    /// JSON.
    pub body: Secret,
}

/// Delivers until otpgate stops. What is under way then gets a moment more; what has not ended by then is tried again after
/// the next start.
pub async fn deliver(
    store: Arc<dyn Store>,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    mut stopping: watch::Receiver<bool>,
) {
    let hands = Arc::new(Semaphore::new(HANDS));
    let mut under_way = JoinSet::new();
    loop {
        let Ok(hand) = hands.clone().acquire_owned().await else { break };
        let parcel = tokio::select! {
            parcel = store.parcel() => parcel,
            _ = stopping.wait_for(|stop| *stop) => break,
        };
        let parcel = match parcel {
            Ok(parcel) => parcel,
            Err(StoreError::Closed) => break,
            Err(_) => continue,
        };
        let (store, transport, clock) = (store.clone(), transport.clone(), clock.clone());
        under_way.spawn(async move {
            let id = parcel.delivery;
            let outcome = send(parcel, &*transport, &*clock).await;
            // A store that has ended will find it waiting.
            let _ = store.told(id, outcome).await;
            drop(hand);
        });
        while under_way.try_join_next().is_some() {}
    }
    let all = async { while under_way.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(LAST_MOMENT, all).await;
}

async fn send(parcel: Parcel, transport: &dyn Transport, clock: &dyn Clock) -> Outcome {
    let id = parcel.delivery.to_string();
    let timestamp = clock.now().wall.0.div_euclid(1000);
    let signature = signature::header(&parcel.secrets, &id, timestamp, parcel.body.reveal().as_bytes());
    // A task of its own: a panic in it is an attempt that failed, and the others go on.
    let mut attempt = JoinSet::new();
    attempt.spawn(transport.post(Call { url: parcel.url, id, timestamp, signature, body: parcel.body }));
    match tokio::time::timeout(ATTEMPT, attempt.join_next()).await {
        Ok(Some(Ok(outcome))) => outcome,
        Ok(_) => Outcome::Failed("otpgate failed at it; its log has more".to_owned()),
        Err(_) => Outcome::Failed(format!("no answer within {} seconds", ATTEMPT.as_secs())),
    }
}

/// An attempt takes no longer, however slowly the other side speaks.
const ATTEMPT: Duration = Duration::from_secs(15);
const LAST_MOMENT: Duration = Duration::from_secs(2);
