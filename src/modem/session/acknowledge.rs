//! What is owed to a modem under phase 2+ (27.005 §3.4.4): each message and report that came directly is acknowledged,
//! or it gives no more of them.

use crate::at::{Command, FinalResult, Reply, ReplyEnd};
use crate::modem::quirks::AcknowledgementForm;

/// The acknowledgements that are owed.
#[derive(Debug, Default)]
pub(super) struct Acknowledgements {
    owed: usize,
    /// `AT+CNMA=0` is the form that this modem takes.
    numbered: bool,
    /// One form was refused, and the other is tried.
    refused: bool,
    /// An acknowledgement was answered, so that the form is known.
    answered: bool,
    /// CNMI is to be set anew: what was owed for too long may have switched it off.
    routing_due: bool,
}

impl Acknowledgements {
    /// The port is another one: only the form that was taken is worth knowing.
    pub(super) fn forget(&mut self) {
        *self = Self { numbered: self.numbered, answered: self.answered, ..Self::default() };
    }

    /// The form that the model is known to take. What was refused since the port was opened is not tried first again.
    pub(super) fn prefer(&mut self, form: AcknowledgementForm) {
        if !self.answered {
            self.numbered = form == AcknowledgementForm::Numbered;
        }
    }

    /// Something came. `late`: it can't be acknowledged before the end of a send.
    pub(super) fn owe(&mut self, late: bool) {
        self.owed = self.owed.saturating_add(1);
        self.routing_due |= late;
    }

    /// CNMI is to be set anew.
    pub(super) fn doubt_routing(&mut self) {
        self.routing_due = true;
    }

    /// Whether nothing is owed.
    pub(super) fn is_settled(&self) -> bool {
        self.owed == 0 && !self.routing_due
    }

    /// How to acknowledge the next, if one is owed.
    pub(super) fn next(&self) -> Option<Command> {
        let command = if self.numbered { Command::acknowledge_numbered() } else { Command::acknowledge() };
        (self.owed > 0).then_some(command)
    }

    /// Whether CNMI is to be set anew; asked once.
    pub(super) fn take_routing_due(&mut self) -> bool {
        std::mem::take(&mut self.routing_due)
    }

    /// The answer to an acknowledgement. 340 says that none was expected; any other refusal may be the form's.
    pub(super) fn answered(&mut self, reply: &Reply) {
        let form_refused =
            !matches!(reply.end, ReplyEnd::Final(FinalResult::Ok | FinalResult::Cms(Some(340)))) && is_final(reply);
        self.numbered ^= form_refused;
        self.answered |= is_final(reply);
        self.refused = form_refused && !self.refused;
        if !self.refused {
            self.owed = self.owed.saturating_sub(1);
        }
    }
}

fn is_final(reply: &Reply) -> bool {
    matches!(reply.end, ReplyEnd::Final(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(owed: &mut Acknowledgements, end: ReplyEnd) {
        owed.answered(&Reply { lines: Vec::new(), end });
    }

    fn form(owed: &Acknowledgements) -> Option<String> {
        owed.next().map(|command| command.text().to_owned())
    }

    #[test]
    fn r5_each_is_acknowledged_once_in_the_form_that_is_taken() {
        let mut owed = Acknowledgements::default();
        owed.owe(false);
        owed.owe(false);
        assert_eq!(form(&owed).as_deref(), Some("AT+CNMA"));
        answered(&mut owed, ReplyEnd::Final(FinalResult::Cms(Some(340))));
        answered(&mut owed, ReplyEnd::Final(FinalResult::Error));
        assert_eq!(form(&owed).as_deref(), Some("AT+CNMA=0"), "still owed, in the other form");
        answered(&mut owed, ReplyEnd::Final(FinalResult::Ok));
        assert_eq!(form(&owed), None);
        owed.owe(false);
        assert_eq!(form(&owed).as_deref(), Some("AT+CNMA=0"), "what was taken is kept");
    }

    #[test]
    fn r5_the_form_that_the_model_takes_comes_first_unless_it_was_seen_to_take_another() {
        let mut owed = Acknowledgements::default();
        owed.prefer(AcknowledgementForm::Numbered);
        owed.owe(false);
        assert_eq!(form(&owed).as_deref(), Some("AT+CNMA=0"));
        answered(&mut owed, ReplyEnd::Final(FinalResult::Error));
        answered(&mut owed, ReplyEnd::Final(FinalResult::Ok));
        owed.forget();
        owed.prefer(AcknowledgementForm::Numbered);
        owed.owe(false);
        assert_eq!(form(&owed).as_deref(), Some("AT+CNMA"));
    }

    #[test]
    fn r5_what_is_refused_in_both_forms_or_not_answered_is_owed_no_longer() {
        for ends in [vec![ReplyEnd::Final(FinalResult::Error); 2], vec![ReplyEnd::TimedOut]] {
            let mut owed = Acknowledgements::default();
            owed.owe(false);
            ends.into_iter().for_each(|end| answered(&mut owed, end));
            assert!(owed.is_settled());
        }
    }
}
