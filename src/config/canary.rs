//! `[canary]`: a message that each SIM card sends to its own number now and then.

use std::time::Duration;

/// `[canary]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Canary {
    /// How often. `None`: never.
    pub every: Option<Duration>,
    /// How long one may take to come back.
    pub within: Duration,
}

impl Default for Canary {
    /// Off: each one is a message that the plan counts, sent by nobody's wish.
    fn default() -> Self {
        Self { every: None, within: Duration::from_secs(600) }
    }
}
