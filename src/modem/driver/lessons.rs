//! What was learned of this modem and its SIM card: taken over, shown, and kept while nothing is to be sent.

use super::*;
use crate::domain::learned::ModelTraits;

impl Driver {
    /// Takes over what its sisters were seen to do.
    pub(super) fn take_lessons(&mut self) {
        let known = self.session.model_name().and_then(|name| self.setting.learned.model(&name));
        if let Some(traits) = known {
            self.session.teach(&traits);
            if self.send_time.is_zero() {
                self.send_time = traits.send_time.unwrap_or_default();
            }
        }
    }

    pub(super) fn traits(&self) -> Option<ModelTraits> {
        let send_time = Some(self.send_time).filter(|time| !time.is_zero());
        self.session.traits().map(|traits| ModelTraits { send_time, ..traits })
    }

    /// Seldom, and never while messages go out: nothing waits for a disk on their way.
    pub(super) fn keep_lessons(&mut self) {
        let now = self.setting.clock.now().mono;
        let is_idle = self.session.is_free() && self.flight.is_none() && self.next.is_none();
        if !is_idle || now - self.learned < LOOK_EVERY {
            return;
        }
        self.learned = now;
        self.write_lessons();
    }

    pub(super) fn write_lessons(&self) {
        for lesson in self.setting.learned.take(self.traits()) {
            tokio::spawn(self.setting.store.learn(lesson));
        }
    }
}

const LOOK_EVERY: Duration = Duration::from_secs(60);
