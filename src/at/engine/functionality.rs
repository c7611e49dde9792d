//! Whose `+CFUN: 1` it is: the news of a restart, or what our own question or order led to.

use crate::domain::time::Mono;
use std::time::Duration;

/// Until when one `+CFUN: 1` is ours.
#[derive(Debug, Default)]
pub(super) struct Functionality(Option<Mono>);

impl Functionality {
    /// This was said. A restart that we order is one.
    pub(super) fn said(&mut self, now: Mono, text: &str) {
        match text {
            "AT+CFUN?" => self.0 = Some(now + ANSWER),
            "AT+CFUN=1" => self.0 = Some(now + SWITCHED),
            _ if text.starts_with("AT+CFUN=1,") => self.settle(),
            _ => {}
        }
    }

    /// The question has its answer, or the modem has restarted.
    pub(super) fn settle(&mut self) {
        self.0 = None;
    }

    /// Whether a line that comes now is ours. The next is not.
    pub(super) fn take(&mut self, now: Mono) -> bool {
        self.0.take().is_some_and(|until| now < until)
    }
}

/// How late an answer may come, also behind what was taken for it.
const ANSWER: Duration = Duration::from_secs(180);
/// The radio may take a minute to go on, and some modems tell it behind the `OK`.
const SWITCHED: Duration = Duration::from_secs(75);
