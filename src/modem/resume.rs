//! A person's word that a modem is to be tried now, on its way to the modem's driver.

use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::timeout;

/// Given at any time, it is kept until the driver hears it: also while the driver waits for a port, or for a reset. Clones are
/// the same modem's.
#[derive(Clone, Debug, Default)]
pub struct Resume(Arc<Ears>);

#[derive(Debug, Default)]
struct Ears {
    given: Notify,
    heard: Notify,
}

impl Resume {
    /// Gives the word.
    pub fn give(&self) {
        self.0.given.notify_one();
    }

    /// Gives the word, and waits for a moment until it is heard.
    pub async fn give_and_wait(&self) {
        let mut heard = std::pin::pin!(self.0.heard.notified());
        heard.as_mut().enable();
        self.give();
        // A driver that is busy with its modem's device hears it later.
        let _ = timeout(MOMENT, heard).await;
    }

    /// Comes when the word is given, or was since it came last.
    pub async fn given(&self) {
        self.0.given.notified().await;
    }

    /// What follows from it is done, or begun.
    pub fn heard(&self) {
        self.0.heard.notify_waiters();
    }
}

const MOMENT: Duration = Duration::from_secs(1);
