//! Service codes (27.007 §7.15): one at a time, and none while a message is on the air.

use super::*;
use crate::modem::quirks::UssdForm;
use crate::sms::ussd;

/// A service code under way.
#[derive(Debug, Default)]
pub(super) enum ServiceCode {
    #[default]
    Idle,
    /// It is said, in the nth form. What is `ended` meanwhile is not waited for, once the modem has taken it.
    Asked { code: String, form: usize, ended: bool },
    /// The network's answer is waited for.
    Waiting { until: Mono },
    /// Of its answer the first lines came; the dialogue is said to be over by then.
    Heard { until: Mono, text: Secret },
    /// The dialogue is to be ended.
    Over,
    /// It is being ended.
    Ending,
}

impl ServiceCode {
    pub(super) fn is_idle(&self) -> bool {
        matches!(self, Self::Idle)
    }

    /// Until when it is waited for the network.
    pub(super) fn waits_until(&self) -> Option<Mono> {
        match self {
            Self::Waiting { until } | Self::Heard { until, .. } => Some(*until),
            _ => None,
        }
    }
}

impl Session {
    pub(super) fn begin_service_code(&mut self, now: Mono, code: &str) {
        if !self.is_free() {
            return self.emit(Event::ServiceAnswered(None));
        }
        self.say_service_code(now, code.to_owned(), 0);
        self.emit(Event::Changed);
    }

    /// Something else is worth more than the network's answer: the dialogue is ended as soon as nothing is in flight.
    pub(super) fn end_service_code(&mut self) {
        match &mut self.service_code {
            // Its result is not cut off: the next command would take it for its own.
            ServiceCode::Asked { ended, .. } => *ended = true,
            ServiceCode::Waiting { .. } | ServiceCode::Heard { .. } => self.service_answered(None),
            ServiceCode::Idle | ServiceCode::Over | ServiceCode::Ending => {}
        }
    }

    /// Whether a service code is under way, or being ended.
    pub fn asks_network(&self) -> bool {
        self.phase == Phase::Up && !self.service_code.is_idle()
    }

    fn say_service_code(&mut self, now: Mono, code: String, form: usize) {
        let others = [UssdForm::Text, UssdForm::PackedHex, UssdForm::Ucs2Hex];
        let known = self.quirks.ussd;
        let written = std::iter::once(known).chain(others.into_iter().filter(|f| *f != known)).nth(form);
        let written = written.and_then(|form| match form {
            UssdForm::Text => Some(code.clone()),
            UssdForm::PackedHex => ussd::packed_hex(&code),
            UssdForm::Ucs2Hex => Some(ussd::ucs2_hex(&code)),
        });
        match written.and_then(|text| Command::service_code(&text).ok()) {
            Some(command) => {
                self.service_code = ServiceCode::Asked { code, form, ended: false };
                self.ask(now, command, Asked::ServiceCode);
            }
            None => self.service_answered(None),
        }
    }

    pub(super) fn service_code_replied(&mut self, now: Mono, reply: &Reply) {
        match std::mem::take(&mut self.service_code) {
            ServiceCode::Asked { ended: true, .. } => self.service_answered(None),
            ServiceCode::Asked { .. } if reply.is_ok() => {
                self.service_code = ServiceCode::Waiting { until: now + NETWORK };
            }
            // Refused before anything left: perhaps it wants the code otherwise.
            ServiceCode::Asked { code, form, .. } if matches!(reply.end, ReplyEnd::Final(_)) => {
                self.say_service_code(now, code, form + 1);
            }
            ServiceCode::Asked { .. } => self.service_answered(None),
            // The answer came before the OK, and is told already.
            ServiceCode::Ending => self.emit(Event::Changed),
            other => self.service_code = other,
        }
    }

    /// `+CUSD:`
    pub(super) fn service_news(&mut self, now: Mono, line: &str) {
        if !matches!(self.service_code, ServiceCode::Asked { .. } | ServiceCode::Waiting { .. }) {
            return;
        }
        match response::service_answer(line) {
            Some(answer) if answer.goes_on => {
                let text = Secret::new(answer.text.unwrap_or_default());
                self.service_code = ServiceCode::Heard { until: now + NEXT_LINE, text };
            }
            Some(answer) => {
                let text = answer.text.map(|text| Secret::new(ussd::decode(&text, answer.dcs)));
                self.service_answered(text);
            }
            None => {}
        }
    }

    /// A line that answers nothing and says nothing known: the next of a text that has line ends in it.
    pub(super) fn service_text_goes_on(&mut self, line: &str) {
        let ServiceCode::Heard { text, .. } = &mut self.service_code else { return };
        let (more, ended) = line.rsplit_once('"').map_or((line, false), |(more, _)| (more, true));
        if text.reveal().len() + more.len() < LONGEST {
            *text = Secret::new(format!("{} {more}", text.reveal()));
        }
        if ended {
            let text = text.clone();
            self.service_answered(Some(text));
        }
    }

    /// Says what is due of it. True if nothing else may be said now.
    pub(super) fn go_on_with_service_code(&mut self, now: Mono) -> bool {
        match &self.service_code {
            ServiceCode::Idle => false,
            ServiceCode::Over => {
                self.service_code = ServiceCode::Ending;
                self.ask(now, Command::end_service_code(), Asked::ServiceCode);
                true
            }
            ServiceCode::Waiting { until } if *until <= now => {
                self.service_answered(None);
                self.go_on_with_service_code(now)
            }
            ServiceCode::Heard { until, text } if *until <= now => {
                let text = text.clone();
                self.service_answered(Some(text));
                self.go_on_with_service_code(now)
            }
            _ => true,
        }
    }

    /// The modem is set up anew, or gone.
    pub(super) fn service_code_is_lost(&mut self) {
        match std::mem::take(&mut self.service_code) {
            ServiceCode::Idle | ServiceCode::Over | ServiceCode::Ending => {}
            _ => self.emit(Event::ServiceAnswered(None)),
        }
    }

    fn service_answered(&mut self, text: Option<Secret>) {
        self.service_code = ServiceCode::Over;
        self.emit(Event::ServiceAnswered(text));
    }
}

/// How long the network may take.
const NETWORK: Duration = Duration::from_secs(60);
/// How long the next line of an answer may take.
const NEXT_LINE: Duration = Duration::from_secs(1);
/// Of an answer so many octets are kept: a USSD string has at most 160.
const LONGEST: usize = 1024;
