//! Handing a message over: `AT+CMGS`, the prompt, the release, the PDU with 0x1A, the result.
//!
//! Some modems say `OK` alone for a result. So does another command's late answer, with the message still on the air: it
//! counts when none is owed and no `+CMGS:` has followed for a while, of a modem that was seen to do so at once.

use super::super::line::CTRL_Z;
use super::*;

/// A message's dialogue.
#[derive(Debug)]
pub(super) struct Dialogue {
    submit: Submit,
    granted: Option<bool>,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    /// `AT+CMGS` went out.
    Asked { deadline: Mono },
    /// The prompt came.
    Prompted { write_at: Mono, release_by: Mono },
    /// 0x1A went out.
    OnAir(OnAir),
}

#[derive(Debug)]
struct OnAir {
    /// When the message becomes uncertain; `None` once it has.
    uncertain_at: Option<Mono>,
    listen_until: Mono,
    reference: Option<u8>,
    /// `+CMGS:` came, and `OK` has until then to follow.
    grace: Option<Mono>,
    /// `OK` came and no `+CMGS:`, which has until then to follow: the `OK` may have been another's.
    bare: Option<Mono>,
    /// The modem has restarted and forgot the message; a result said before may be heard until then.
    forgotten: Option<Mono>,
    /// A result was taken for one that was owed. If it was the message's own, none is owed for that.
    took_for_owed: bool,
}

impl Dialogue {
    pub(super) fn token(&self) -> u64 {
        self.submit.token
    }

    pub(super) fn is_on_air(&self) -> bool {
        matches!(self.phase, Phase::OnAir(_))
    }

    pub(super) fn deadline(&self) -> Mono {
        match &self.phase {
            Phase::Asked { deadline } => *deadline,
            Phase::Prompted { write_at, .. } if self.granted == Some(true) => *write_at,
            Phase::Prompted { release_by, .. } => *release_by,
            Phase::OnAir(OnAir { bare: Some(bare), forgotten, .. }) => forgotten.map_or(*bare, |at| at.min(*bare)),
            Phase::OnAir(OnAir { grace, uncertain_at, forgotten, listen_until, .. }) => {
                [*grace, *uncertain_at, *forgotten].into_iter().flatten().fold(*listen_until, Mono::min)
            }
        }
    }
}

impl Engine {
    pub(super) fn begin_submit(&mut self, now: Mono, submit: Submit) {
        self.say(now, &format!("AT+CMGS={}", submit.length));
        self.emit(Event::WantRelease { token: submit.token });
        let phase = Phase::Asked { deadline: now + submit.prompt_deadline + self.tempo.allowance() };
        self.state = State::Submit(Dialogue { submit, granted: None, phase });
    }

    pub(super) fn take_release(&mut self, now: Mono, token: u64, granted: bool) {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Submit(dialogue) if dialogue.token() == token && !dialogue.is_on_air() => {
                if granted {
                    self.go_on(now, Dialogue { granted: Some(true), ..dialogue });
                } else {
                    self.not_transmitted(now, token, NotTransmitted::NotReleased);
                }
            }
            state => self.state = state,
        }
    }

    /// The PDU was never written: the modem still waits for it.
    pub(super) fn withheld(&mut self, now: Mono, token: u64) {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Submit(dialogue) if dialogue.token() == token && dialogue.is_on_air() => {
                self.echo.clear();
                self.not_transmitted(now, token, NotTransmitted::NotReleased);
            }
            state => self.state = state,
        }
    }

    pub(super) fn prompt_in_submit(&mut self, now: Mono, dialogue: Dialogue) {
        if !matches!(dialogue.phase, Phase::Asked { .. }) {
            // A second prompt, or text that looks like one: nothing may be written now.
            self.state = State::Submit(dialogue);
            return;
        }
        let write_at = now + dialogue.submit.prompt_delay;
        let phase = Phase::Prompted { write_at, release_by: now + RELEASE };
        self.go_on(now, Dialogue { phase, ..dialogue });
    }

    /// Sends the PDU if the prompt, the grant and the pause after the prompt are all there.
    fn go_on(&mut self, now: Mono, dialogue: Dialogue) {
        match dialogue.phase {
            Phase::Prompted { write_at, .. } if dialogue.granted == Some(true) && write_at <= now => {
                if dialogue.submit.not_after <= now {
                    self.not_transmitted(now, dialogue.token(), NotTransmitted::Expired);
                } else {
                    self.hand_over(now, dialogue);
                }
            }
            _ => self.state = State::Submit(dialogue),
        }
    }

    fn hand_over(&mut self, now: Mono, mut dialogue: Dialogue) {
        let pdu = dialogue.submit.pdu.as_str();
        self.echo = pdu.to_owned();
        self.orphan_ok_until = None;
        let bytes = [pdu.as_bytes(), &[CTRL_Z]].concat();
        self.outputs.push_back(Output::Transmit { bytes, irreversible: true });
        dialogue.phase = Phase::OnAir(OnAir {
            uncertain_at: Some(now + dialogue.submit.send_deadline),
            listen_until: now + LISTEN,
            reference: None,
            grace: None,
            bare: None,
            forgotten: None,
            took_for_owed: false,
        });
        self.state = State::Submit(dialogue);
    }

    pub(super) fn line_in_submit(&mut self, now: Mono, mut dialogue: Dialogue, meaning: Meaning) {
        match (&mut dialogue.phase, meaning) {
            (Phase::OnAir(air), Meaning::Reference(reference)) => {
                air.reference = Some(reference);
                air.bare = None;
                self.answers_bare = false;
                air.grace = air.grace.or(Some(now + GRACE));
                self.state = State::Submit(dialogue);
            }
            (Phase::OnAir(air @ OnAir { reference: None, .. }), Meaning::Final(result))
                if owed::may_be_anothers(result) && self.owed.pay(now, result).is_some() =>
            {
                air.took_for_owed = true;
                self.state = State::Submit(dialogue);
            }
            (Phase::OnAir(air @ OnAir { reference: None, .. }), Meaning::Final(result))
                if result.is_ok() && !self.answers_bare =>
            {
                air.bare = air.bare.or(Some(now + BARE));
                self.state = State::Submit(dialogue);
            }
            (Phase::OnAir(air), Meaning::Final(result)) => {
                let reference = air.reference;
                let accepted = result.is_ok() || reference.is_some();
                let outcome =
                    if accepted { SubmitResult::Accepted { reference } } else { SubmitResult::Refused(result) };
                self.idle(now, result);
                self.settle(&dialogue, outcome);
            }
            (Phase::OnAir(air), Meaning::Booted) => {
                air.forgotten = air.forgotten.or(Some(now + FORGOTTEN));
                self.state = State::Submit(dialogue);
            }
            // It waits for no PDU any more, and never will.
            (_, Meaning::Booted) => self.not_transmitted(now, dialogue.token(), NotTransmitted::Interrupted),
            (_, Meaning::Final(result)) if !self.is_orphans(now, result) => {
                self.owed.pay(now, result);
                self.refused_before_pdu(now, &dialogue, result);
            }
            (_, Meaning::Final(result)) => {
                self.state = State::Submit(dialogue);
                self.is_nobodys(now, result);
            }
            (_, Meaning::Reference(reference)) => {
                self.state = State::Submit(dialogue);
                self.orphan(now, reference);
            }
            _ => self.state = State::Submit(dialogue),
        }
    }

    fn refused_before_pdu(&mut self, now: Mono, dialogue: &Dialogue, result: FinalResult) {
        let outcome = SubmitResult::RefusedBeforePdu(result);
        self.emit(Event::Submitted { token: dialogue.token(), result: outcome });
        // An error instead of the prompt is an answer. `OK`, or anything behind the prompt, is a dialogue that slipped.
        if matches!(dialogue.phase, Phase::Asked { .. }) && !result.is_ok() {
            self.idle(now, result);
        } else {
            self.resynchronise(now, None);
        }
    }

    fn settle(&mut self, dialogue: &Dialogue, result: SubmitResult) {
        let token = dialogue.token();
        let late = matches!(&dialogue.phase, Phase::OnAir(air) if air.uncertain_at.is_none());
        self.emit(if late { Event::LateResult { token, result } } else { Event::Submitted { token, result } });
    }

    pub(super) fn submit_timed_out(&mut self, now: Mono, mut dialogue: Dialogue) {
        let token = dialogue.token();
        let Phase::OnAir(air) = &mut dialogue.phase else {
            return match dialogue.phase {
                Phase::Asked { .. } => self.not_transmitted(now, token, NotTransmitted::NoPrompt),
                _ if dialogue.granted == Some(true) => self.go_on(now, dialogue),
                _ => self.not_transmitted(now, token, NotTransmitted::ReleaseTooLate),
            };
        };
        let forgotten = air.forgotten.is_some_and(|at| at <= now);
        let bare = air.bare.is_some_and(|bare| bare <= now);
        if bare || air.grace.is_some_and(|grace| grace <= now || forgotten) {
            let reference = air.reference;
            self.answers_bare |= bare;
            self.settle(&dialogue, SubmitResult::Accepted { reference });
            // The other half may still come, and must not end the next command.
            self.resynchronise(now, None);
        } else if !forgotten && air.uncertain_at.is_some_and(|at| at <= now) {
            air.uncertain_at = None;
            self.emit(Event::Uncertain { token });
            self.state = State::Submit(dialogue);
        } else {
            if air.uncertain_at.is_some() {
                self.emit(Event::Uncertain { token });
            }
            if !forgotten && !air.took_for_owed {
                self.owed.add(now);
            }
            self.emit(Event::ListeningEnded { token });
            self.resynchronise(now, None);
        }
    }

    /// Ends a dialogue whose PDU has not left: whatever the modem waits for is escaped.
    pub(super) fn not_transmitted(&mut self, now: Mono, token: u64, why: NotTransmitted) {
        // The `OK` to the ESC pays it, where there is one. After a restart nothing comes any more.
        if why != NotTransmitted::Interrupted {
            self.owed.add(now);
        }
        self.emit(Event::Submitted { token, result: SubmitResult::NotTransmitted(why) });
        self.resynchronise(now, None);
    }

    pub(super) fn port_lost(&mut self, dialogue: &Dialogue) {
        let token = dialogue.token();
        match &dialogue.phase {
            Phase::OnAir(OnAir { reference: reference @ Some(_), .. }) => {
                self.settle(dialogue, SubmitResult::Accepted { reference: *reference });
            }
            Phase::OnAir(OnAir { uncertain_at: Some(_), .. }) => self.emit(Event::Uncertain { token }),
            Phase::OnAir(_) => self.emit(Event::ListeningEnded { token }),
            _ => {
                let result = SubmitResult::NotTransmitted(NotTransmitted::PortLost);
                self.emit(Event::Submitted { token, result });
            }
        }
    }
}

/// How long after the prompt the release may come.
const RELEASE: Duration = Duration::from_secs(5);
/// How long after `+CMGS:` its `OK` may come.
const GRACE: Duration = Duration::from_secs(2);
/// How long after an `OK` the `+CMGS:` is waited for, of a modem that was not seen to give none.
const BARE: Duration = Duration::from_secs(10);
/// How long after a restart a result that was said before it is waited for.
const FORGOTTEN: Duration = Duration::from_secs(5);
/// How long after 0x1A nothing is written unless a result comes.
const LISTEN: Duration = Duration::from_secs(180);
