//! How long what is on record is kept.

use std::time::Duration;

/// `[retention]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Lines of the audit log. Some rules ask for a year, and a year's last month is looked at after its end.
    pub audit: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        Self { audit: Duration::from_secs(400 * 86_400) }
    }
}
