//! Verifications that go the other way: the person texts us a word that they were shown.

use super::engine::Engine;
use super::requests::as_sent;
use crate::domain::msisdn::Msisdn;
use crate::domain::secret::Secret;
use crate::domain::time::Now;
use crate::domain::verification::{Verification, VerificationEvent, VerificationState};
use crate::otp::challenge::{self, Form};
use crate::otp::entry;

impl Engine {
    /// A text from a number may be the word that is waited for from it: that one approves. Another word counts as a wrong
    /// code; what can be no such word is some other message, and counts as nothing.
    pub(super) fn heed_word(&mut self, number: &Msisdn, text: &Secret, now: &Now) {
        let awaited = self.index.awaited(self.number_hash(number));
        if awaited.is_empty() {
            return;
        }
        let Some(typed) = entry::typed(text.reveal()) else { return };
        let given: Vec<(Verification, bool)> = awaited
            .into_iter()
            .filter_map(|id| self.verification_record(id).ok())
            .filter_map(|verification| self.is_word_of(&verification, &typed).map(|right| (verification, right)))
            .collect();
        // Right for one of them, it was meant for that one.
        let any = given.iter().any(|(_, right)| *right);
        for (mut verification, right) in given.into_iter().filter(|(_, right)| *right || !any) {
            if verification.apply(now, VerificationEvent::Checked { right }).is_ok() {
                let approved = verification.state == VerificationState::Approved;
                tracing::info!(verification.id = %verification.id, valid = approved, status = verification.state.as_str(), "A text came in with a word");
                self.put_verification(verification, now);
            }
        }
    }

    /// Whether the text is the word. `None`: it can be none.
    fn is_word_of(&self, verification: &Verification, typed: &Secret) -> Option<bool> {
        let word = self.code_of(verification)?;
        let given = as_sent(verification, typed)?;
        Form::of(&word).allows(Form::of(&given)).then(|| challenge::matches(&word, &given))
    }
}
