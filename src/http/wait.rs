//! `?wait=`: an answer that comes when there is news.

use super::auth::Caller;
use super::input::Fields;
use super::problem::{Kind, Problem};
use super::server::until;
use super::{Context, REQUEST_TIME};
use crate::domain::id::KeyId;
use crate::store::{Answer, Wait};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The fields of a query that ask to wait.
pub(crate) const FIELDS: &[&str] = &["wait", "after"];

/// What a query asks: `wait` seconds at most, for a version above `after`.
pub(crate) fn asked(query: &Fields) -> Result<Option<Wait>, Problem> {
    let seconds = query.integer("wait", 0..=MAX_SECONDS)?;
    let after = query.integer("after", 0..=u64::from(u32::MAX))?.and_then(|n| u32::try_from(n).ok());
    Ok(seconds.filter(|s| *s > 0).map(|s| Wait { after, at_most: Duration::from_secs(s) }))
}

impl Context {
    /// Asks the store, and no longer than a request may take.
    pub(crate) async fn ask<T>(&self, answer: Answer<T>) -> Result<T, Problem> {
        within(REQUEST_TIME, answer).await
    }

    /// Asks the store for news. When otpgate stops, the resource as it is will do.
    pub(crate) async fn await_news<T>(
        &self,
        caller: &Caller,
        wait: Option<Wait>,
        get: impl Fn(Option<Wait>) -> Answer<T>,
    ) -> Result<T, Problem> {
        let Some(wait) = wait else { return self.ask(get(None)).await };
        let _place = self.waits.enter(caller.key.id)?;
        let mut stopping = self.stopping.clone();
        tokio::select! {
            biased;
            answer = within(wait.at_most + REQUEST_TIME, get(Some(wait))) => answer,
            () = until(&mut stopping) => self.ask(get(None)).await,
        }
    }
}

async fn within<T>(time: Duration, answer: Answer<T>) -> Result<T, Problem> {
    match tokio::time::timeout(time, answer).await {
        Ok(result) => result.map_err(Problem::from),
        Err(_) => Err(Problem::new(
            Kind::Busy,
            "The disk did not answer in time, so it is not known whether this was done; ask again with the same Idempotency-Key.",
        )),
    }
}

/// How many requests wait, by key. Holds keys only while they wait.
#[derive(Clone, Default)]
pub(crate) struct Waits(Arc<Mutex<BTreeMap<KeyId, u32>>>);

impl Waits {
    fn enter(&self, key: KeyId) -> Result<Place, Problem> {
        let mut waits = self.0.lock().unwrap_or_else(|e| e.into_inner());
        let count = waits.entry(key).or_default();
        if *count >= MAX_WAITS {
            let detail = "A key may have 100 requests waiting at a time; let some come back first.";
            return Err(Problem::new(Kind::TooManyWaits, detail).retry_after(1));
        }
        *count += 1;
        Ok(Place { waits: self.clone(), key })
    }
}

/// A place among those that wait, given back when dropped.
struct Place {
    waits: Waits,
    key: KeyId,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut waits = self.waits.0.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(count) = waits.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                waits.remove(&self.key);
            }
        }
    }
}

const MAX_SECONDS: u64 = 60;
const MAX_WAITS: u32 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_places_a_key() {
        let waits = Waits::default();
        let mut places: Vec<_> = (0..MAX_WAITS).map(|_| waits.enter(KeyId(1)).ok().unwrap()).collect();
        assert!(waits.enter(KeyId(1)).is_err(), "the 101st");
        assert!(waits.enter(KeyId(2)).is_ok(), "another key");
        places.pop();
        places.push(waits.enter(KeyId(1)).ok().unwrap());
        places.clear();
        assert!(waits.0.lock().unwrap().is_empty(), "nothing is kept of those that left");
    }
}
