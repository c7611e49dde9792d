//! What is owed to a modem under phase 2+ (27.005 §3.4.4): each message and report that came directly is acknowledged,
//! or it gives no more of them. Owed is what the store has answered for: the network repeats what was not acknowledged, and
//! what is on no disk must be repeated.

use crate::at::{Command, FinalResult, Reply, ReplyEnd};
use crate::domain::time::Mono;
use crate::modem::quirks::AcknowledgementForm;
use std::time::Duration;

/// The acknowledgements that are owed.
#[derive(Debug, Default)]
pub(super) struct Acknowledgements {
    owed: usize,
    /// The store is asked about something that came: until then no message goes out, so that its acknowledgement need not
    /// wait for the end of that.
    asked_until: Option<Mono>,
    /// Nothing that came before is owed: the modem has forgotten it.
    since: Mono,
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
    pub(super) fn forget(&mut self, now: Mono) {
        *self = Self { numbered: self.numbered, answered: self.answered, since: now, ..Self::default() };
    }

    /// The form that the model is known to take. What was refused since the port was opened is not tried first again.
    pub(super) fn prefer(&mut self, form: AcknowledgementForm) {
        if !self.answered {
            self.numbered = form == AcknowledgementForm::Numbered;
        }
    }

    /// Something came, and the store is asked to keep it.
    pub(super) fn ask_store(&mut self, now: Mono) {
        self.asked_until = Some(now + STORE_ANSWERS);
    }

    /// What came then is on record. `late`: it could not be acknowledged before the end of a send.
    pub(super) fn owe(&mut self, came: Mono, late: bool, now: Mono) {
        self.asked_until = None;
        if came >= self.since {
            self.owed = self.owed.saturating_add(1);
            self.routing_due |= late || now >= came + IN_TIME;
        }
    }

    /// What came is not on record: it is not acknowledged, and comes again, if the modem still gives anything.
    pub(super) fn withhold(&mut self) {
        self.asked_until = None;
        self.routing_due = true;
    }

    /// The store may have taken too long.
    pub(super) fn wake(&mut self, now: Mono) {
        self.asked_until.take_if(|until| *until <= now);
    }

    /// Until when the store is waited for.
    pub(super) fn asked_until(&self) -> Option<Mono> {
        self.asked_until
    }

    /// CNMI is to be set anew.
    pub(super) fn doubt_routing(&mut self) {
        self.routing_due = true;
    }

    /// Whether nothing is owed.
    pub(super) fn is_settled(&self) -> bool {
        self.owed == 0 && !self.routing_due && self.asked_until.is_none()
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

/// A store that answers at all has answered by then.
const STORE_ANSWERS: Duration = Duration::from_millis(500);
/// What is acknowledged later may have switched the routing off.
const IN_TIME: Duration = Duration::from_secs(5);

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
        let (mut owed, now) = (Acknowledgements::default(), Mono::default());
        owed.owe(now, false, now);
        owed.owe(now, false, now);
        assert_eq!(form(&owed).as_deref(), Some("AT+CNMA"));
        answered(&mut owed, ReplyEnd::Final(FinalResult::Cms(Some(340))));
        answered(&mut owed, ReplyEnd::Final(FinalResult::Error));
        assert_eq!(form(&owed).as_deref(), Some("AT+CNMA=0"), "still owed, in the other form");
        answered(&mut owed, ReplyEnd::Final(FinalResult::Ok));
        assert_eq!(form(&owed), None);
        owed.owe(now, false, now);
        assert_eq!(form(&owed).as_deref(), Some("AT+CNMA=0"), "what was taken is kept");
    }

    #[test]
    fn r5_the_form_that_the_model_takes_comes_first_unless_it_was_seen_to_take_another() {
        let (mut owed, now) = (Acknowledgements::default(), Mono::default());
        owed.prefer(AcknowledgementForm::Numbered);
        owed.owe(now, false, now);
        assert_eq!(form(&owed).as_deref(), Some("AT+CNMA=0"));
        answered(&mut owed, ReplyEnd::Final(FinalResult::Error));
        answered(&mut owed, ReplyEnd::Final(FinalResult::Ok));
        owed.forget(now);
        owed.prefer(AcknowledgementForm::Numbered);
        owed.owe(now, false, now);
        assert_eq!(form(&owed).as_deref(), Some("AT+CNMA"));
    }

    #[test]
    fn r5_only_what_is_on_record_is_owed_and_not_after_a_restart() {
        let (mut owed, now) = (Acknowledgements::default(), Mono(Duration::from_secs(100)));
        owed.ask_store(now);
        assert!(!owed.is_settled() && owed.next().is_none(), "no message goes out, and nothing is acknowledged yet");
        owed.wake(now + STORE_ANSWERS);
        assert!(owed.is_settled(), "a slow store holds no message up for long");
        owed.owe(now, false, now + IN_TIME);
        assert!(owed.next().is_some() && owed.take_routing_due(), "owed all the same, and late");
        owed.forget(now + IN_TIME);
        owed.owe(now, false, now + IN_TIME);
        assert!(owed.is_settled(), "the modem has forgotten it");
        owed.ask_store(now + IN_TIME);
        owed.withhold();
        assert!(owed.next().is_none() && owed.take_routing_due(), "not kept: it is to come again");
    }

    #[test]
    fn r5_what_is_refused_in_both_forms_or_not_answered_is_owed_no_longer() {
        for ends in [vec![ReplyEnd::Final(FinalResult::Error); 2], vec![ReplyEnd::TimedOut]] {
            let (mut owed, now) = (Acknowledgements::default(), Mono::default());
            owed.owe(now, false, now);
            ends.into_iter().for_each(|end| answered(&mut owed, end));
            assert!(owed.is_settled());
        }
    }
}
