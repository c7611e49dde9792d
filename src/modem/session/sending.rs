//! One message part on its way through the engine, and how it ended.

use super::*;

impl Session {
    /// Begins to send. A modem that restarts without a word is in text mode again, and would send the PDU's digits to the
    /// number "24": where nothing was said for a while, that is asked first.
    pub(super) fn submit(&mut self, now: Mono, job: Job) {
        let token = job.token;
        if !self.is_free() {
            return self.emit(Event::Outcome { token, result: PartResult::NotSent(Reason::NotTransmitted) });
        }
        self.job = Some(token);
        self.withheld = None;
        if now >= self.in_pdu_mode + BURST && self.known.tells_format() {
            self.unchecked = Some(job);
            return self.ask(now, Command::message_format(), Asked::Format);
        }
        self.hand_to_engine(now, job);
    }

    /// What the modem says about its message format, before a message.
    pub(super) fn format_told(&mut self, now: Mono, reply: &Reply) {
        let Some(job) = self.unchecked.take() else { return };
        if !self.rebooted && reply.is_ok() && reply.first().and_then(response::first_number) == Some(0) {
            self.in_pdu_mode = now;
            return self.hand_to_engine(now, job);
        }
        if matches!(reply.end, ReplyEnd::Final(_)) {
            self.rebooted = true;
            self.emit(Event::Notice("The modem is not in PDU mode any more; it is set up again"));
        }
        self.never_said(job);
    }

    /// The job that waits for the message format will not be said.
    pub(super) fn withdraw_unchecked(&mut self) {
        if let Some(job) = self.unchecked.take() {
            self.never_said(job);
        }
    }

    fn never_said(&mut self, job: Job) {
        self.job = None;
        self.emit(Event::Outcome { token: job.token, result: PartResult::NotSent(Reason::NotTransmitted) });
    }

    fn hand_to_engine(&mut self, now: Mono, job: Job) {
        let token = job.token;
        let Some(pdu) = PduHex::new(job.pdu.hex(), job.pdu.tpdu_len()) else { return self.never_said(job) };
        let submit = at::Submit {
            token,
            pdu,
            length: job.pdu.tpdu_len(),
            prompt_deadline: PROMPT,
            prompt_delay: self.pace.delay(),
            not_after: job.not_after,
            send_deadline: job.send_deadline,
        };
        self.engine.handle_input(now, AtInput::Submit(submit));
        self.drain(now);
        self.emit(Event::Changed);
    }

    pub(super) fn submitted(&mut self, now: Mono, token: u64, result: SubmitResult) {
        self.job = None;
        self.astray |= leaves_astray(result);
        self.quiet_since = now;
        self.sent = Some(now);
        self.in_pdu_mode = now;
        self.incoming.said = 0;
        self.incoming.chosen = None;
        let outcome = self.part_result(result);
        match result {
            SubmitResult::NotTransmitted(why @ (NotTransmitted::NoPrompt | NotTransmitted::Interrupted)) => {
                self.silent |= why == NotTransmitted::NoPrompt;
                self.unsent_in_a_row = self.unsent_in_a_row.saturating_add(1);
            }
            SubmitResult::RefusedBeforePdu(result) if !says_why(result) => {
                self.unsent_in_a_row = self.unsent_in_a_row.saturating_add(1);
            }
            // An answer that fits the question: what follows from it, its number says.
            SubmitResult::RefusedBeforePdu(_) => {}
            // Also a refusal behind the PDU shows that the dialogue works.
            SubmitResult::Accepted { .. } | SubmitResult::Refused(_) => self.unsent_in_a_row = 0,
            SubmitResult::NotTransmitted(_) => {}
        }
        if matches!(outcome, PartResult::NotSent(Reason::Cms(208 | 211 | 322))) {
            self.incoming.sweep.hurry(now);
        }
        let set_up_again = self.is_cured_by_setting_up(outcome) | self.card_failed(now, outcome);
        self.judge_bearer(outcome);
        match (result, outcome) {
            (SubmitResult::Accepted { reference: Some(_) }, _) => self.pace.clean(),
            (SubmitResult::NotTransmitted(NotTransmitted::NoPrompt | NotTransmitted::Interrupted), _)
            | (
                SubmitResult::Refused(_),
                PartResult::NotSent(Reason::Cms(304) | Reason::MakersCms(_, Meaning::Garbled)),
            ) => self.pace.fault(),
            _ => {}
        }
        self.emit(Event::Outcome { token, result: outcome });
        self.count_reserved(result, outcome);
        if self.phase == Phase::Closed {
            return;
        }
        if self.unsent_in_a_row >= GIVE_UP_AFTER {
            self.give_up(Trouble::NeverLeaves);
        } else if set_up_again || self.unsent_in_a_row >= SET_UP_AFTER {
            self.rebooted = true;
        }
        self.emit(Event::Changed);
    }

    /// Whether its settings may be to blame. Without a service centre (330) one is looked for; a refusal that a wrong one
    /// gives (21, 30) has it compared, once, with the configured one.
    fn is_cured_by_setting_up(&mut self, outcome: PartResult) -> bool {
        match outcome {
            PartResult::NotSent(Reason::Cms(301 | 303 | 304 | 305 | 330)) => true,
            PartResult::NotSent(Reason::MakersCms(_, Meaning::Garbled)) => true,
            PartResult::NotSent(Reason::Cms(21 | 30)) if self.known.has_another_centre() => {
                !std::mem::replace(&mut self.centre_doubted, true)
            }
            PartResult::Accepted(_) => {
                self.centre_doubted = false;
                false
            }
            _ => false,
        }
    }

    /// Once, setting it up anew may help. Twice, and each message more would be refused as well.
    pub(super) fn count_reserved(&mut self, result: SubmitResult, outcome: PartResult) {
        match (outcome, result) {
            (PartResult::NotSent(Reason::Cms(301 | 303)), _) => self.reserved_in_a_row += 1,
            (_, SubmitResult::Accepted { .. } | SubmitResult::Refused(_)) => self.reserved_in_a_row = 0,
            _ => {}
        }
        if self.reserved_in_a_row >= STOP_AFTER {
            self.reserved_in_a_row = 0;
            self.give_up(Trouble::Unfit);
        }
    }

    pub(super) fn part_result(&mut self, result: SubmitResult) -> PartResult {
        if let SubmitResult::Refused(FinalResult::Cms(Some(n)))
        | SubmitResult::RefusedBeforePdu(FinalResult::Cms(Some(n))) = result
            && let Some(meaning) = self.quirks.meaning(n)
        {
            return PartResult::NotSent(Reason::MakersCms(n, meaning));
        }
        match result {
            SubmitResult::Accepted { reference } => PartResult::Accepted(reference),
            SubmitResult::Refused(result) => judge(true, final_error(result)),
            SubmitResult::RefusedBeforePdu(result) => judge(false, final_error(result)),
            SubmitResult::NotTransmitted(NotTransmitted::Expired) => PartResult::NotSent(Reason::TtlPassed),
            SubmitResult::NotTransmitted(_) => {
                PartResult::NotSent(self.withheld.take().unwrap_or(Reason::NotTransmitted))
            }
        }
    }

    /// A `+CMGS:` while no own job is on the air or listened for: a former run's, unless it may be that of an own job
    /// that went astray.
    pub(super) fn orphan(&mut self, reference: u8) {
        let result = SubmitResult::Accepted { reference: Some(reference) };
        match self.phase {
            _ if self.astray || self.heard.is_some() => {
                self.emit(Event::Notice("A send result that belongs to no message was heard; it is credited to none"));
            }
            Phase::Up | Phase::Recovering => {
                let result = self.part_result(result);
                self.emit(Event::Heard(result));
            }
            _ => self.heard = Some(result),
        }
    }
}

/// Whether a refusal tells its reason: a number of the specifications other than "unknown".
fn says_why(result: FinalResult) -> bool {
    matches!(result, FinalResult::Cms(Some(1..=499)) | FinalResult::Cme(Some(1..=99)))
}

/// Whether a `+CMGS:` may still come of it. Without TP-MR, or behind an error, what was taken for the result may have
/// been another's.
pub(super) fn leaves_astray(result: SubmitResult) -> bool {
    matches!(result, SubmitResult::Accepted { reference: None } | SubmitResult::Refused(_))
}

fn final_error(result: FinalResult) -> FinalError {
    match result {
        FinalResult::Cms(Some(n)) => FinalError::Cms(n),
        FinalResult::Cme(Some(n)) => FinalError::Cme(n),
        _ => FinalError::Bare,
    }
}

/// So soon after a message the modem is believed to be in PDU mode still.
const BURST: Duration = Duration::from_secs(10);
/// How long the prompt may take.
const PROMPT: Duration = Duration::from_secs(10);
/// Messages in a row that never left, until the modem is set up anew, and until more is done about it.
const SET_UP_AFTER: u8 = 2;
pub(super) const GIVE_UP_AFTER: u8 = 4;
/// Refusals with 301 or 303 in a row, until it is given up.
const STOP_AFTER: u8 = 2;
