//! Handing parts to the session, and what became of them to the store.

use super::*;

impl Driver {
    /// The last question before the irreversible byte: not canceled, and its deadline has come by no clock.
    pub(super) fn may_leave(&mut self, token: u64) -> Result<(), Reason> {
        let now = self.setting.clock.now();
        let Some(flight) = self.flight.as_mut().filter(|f| f.token == token) else {
            return Err(Reason::NotTransmitted);
        };
        if flight.claim.message.deadline.passed_by_any(&now) {
            return Err(Reason::TtlPassed);
        }
        if !flight.claim.gate.pass() {
            return Err(Reason::CanceledByCaller);
        }
        flight.handed_over = Some(now.mono);
        self.recovery.handle_input(now.mono, recovery::Input::HandedOver);
        Ok(())
    }

    /// Gives the session its next part, if it is free and there is one.
    pub(super) fn submit_next(&mut self) -> bool {
        if !self.session.is_free() || self.flight.is_some() || self.stopping().is_some() {
            return false;
        }
        let Some(Prepared { claim, part }) = self.next.take() else { return false };
        let Some((imei, sim_card)) = self.identity.clone() else { return false };
        let now = self.setting.clock.now();
        // The claimed copy is from before the attempt, so all its parts are given the same one.
        let id = PartId { part, ..claim.message.next_part(&imei, &sim_card) };
        let life = claim.message.deadline.left(&now);
        let Some(pdu) = self.compose(&claim, &sim_card, id.part, life) else {
            self.end_unsendable(claim, id, &now);
            return true;
        };
        self.next_token += 1;
        let token = self.next_token;
        let job = Job {
            token,
            pdu,
            not_after: claim.message.deadline.mono(&now),
            send_deadline: send_deadline(&claim, life),
        };
        tracing::debug!(message.id = %claim.message.id, part = id.part, attempt = id.attempt, "Handing a part to the modem");
        self.flight = Some(Flight { token, claim, part: id, begun: false, handed_over: None });
        self.session.handle_input(now.mono, Input::Submit(job));
        true
    }

    fn compose(&self, claim: &Claim, sim_card: &SimCard, part: u8, life: Duration) -> Option<Pdu> {
        let style = Style {
            concat_reference: claim.concat_reference,
            validity: self.setting.learned.validity(sim_card),
            status_report: self.setting.status_reports,
        };
        compose(&claim.message, claim.text.reveal(), part, life, style)
    }

    /// A message whose text does not make the parts that were accepted: recorded as such, so that it is not tried on
    /// and on.
    fn end_unsendable(&mut self, claim: Claim, part: PartId, now: &Now) {
        let Some(intent) = self.intent(&claim, part, now) else { return };
        let outcome = Outcome {
            message: claim.message.id,
            part,
            sim_card: intent.sim_card.clone(),
            result: PartResult::NotSent(Reason::TextLost),
        };
        let begin = self.setting.store.begin(claim.message.id, intent);
        let store = self.setting.store.clone();
        tokio::spawn(async move {
            if let Ok(Grant::Granted) = begin.await {
                let _ = store.settle(outcome, None).await;
            }
            drop(claim);
        });
    }

    fn intent(&self, claim: &Claim, part: PartId, now: &Now) -> Option<IntentOf> {
        let (modem, sim_card) = self.identity.clone()?;
        let validity = self.setting.learned.validity(&sim_card);
        let life = compose::network_life(validity, claim.message.deadline.left(now));
        Some(IntentOf {
            modem,
            sim_card,
            part,
            concat_reference: claim.concat_reference,
            report_until: now.after(life + REPORT_MARGIN),
            // A slow hour must not keep codes from ever being tried, and measured, again.
            needs: SEND_MARGIN + if now.mono - self.measured < MEASURED { self.send_time } else { Duration::ZERO },
        })
    }

    pub(super) fn want_intent(&mut self, token: u64) {
        let now = self.setting.clock.now();
        let Some(flight) = self.flight.as_mut().filter(|f| f.token == token) else { return };
        flight.begun = true;
        let (id, part) = (flight.claim.message.id, flight.part);
        let Some(intent) = self.flight.as_ref().and_then(|f| self.intent(&f.claim, part, &now)) else { return };
        let store = &self.setting.store;
        let answer: Answer<Option<Grant>> = match self.outcome.take() {
            Some(Ended { outcome, _claim }) => {
                let settled = store.settle(outcome, Some((id, intent)));
                Box::pin(async move {
                    let grant = settled.await;
                    drop(_claim);
                    grant
                })
            }
            None => {
                let begin = store.begin(id, intent);
                Box::pin(async move { begin.await.map(Some) })
            }
        };
        self.granting = Some((token, answer));
    }

    pub(super) fn granted(&mut self, (token, grant): (u64, Result<Option<Grant>, StoreError>)) {
        let granted = matches!(grant, Ok(Some(Grant::Granted)));
        if let Some(flight) = self.flight.as_mut().filter(|f| f.token == token) {
            flight.begun = granted;
            if !granted {
                tracing::info!(message.id = %flight.claim.message.id, ?grant, "Not sent: its intent was not granted");
            }
        }
        self.session.handle_input(self.setting.clock.now().mono, Input::Intent { token, granted });
    }

    /// A part's dialogue ended, or its end is unknown.
    pub(super) fn ended(&mut self, token: u64, mut result: PartResult) {
        let Some(flight) = self.flight.take_if(|f| f.token == token) else { return };
        let (id, part) = (flight.claim.message.id, flight.part);
        if result == PartResult::Uncertain(Reason::PortLost) && self.stopping().is_some() {
            result = PartResult::Uncertain(Reason::Restarted);
        }
        self.count(&flight, result);
        self.tell(id, part, result);
        if self.session.is_doubtful() {
            self.recovery.forgive_refusals();
        }
        self.recovery.handle_input(
            self.setting.clock.now().mono,
            match result {
                PartResult::Accepted(_) => recovery::Input::Accepted,
                PartResult::NotSent(reason) | PartResult::Uncertain(reason) => {
                    recovery::Input::Refused(reason, &flight.claim.message.to)
                }
            },
        );
        if let (PartResult::NotSent(reason), Some((_, sim_card))) = (result, &self.identity) {
            self.setting.learned.refused(sim_card, reason);
        }
        // An answer that leaves it open ends the dialogue: only after silence is the port listened to.
        if result == PartResult::Uncertain(Reason::NoResult) {
            self.listening = true;
            // Others may take what this modem had made ready.
            self.next = None;
            self.claiming = None;
        }
        let Flight { claim, begun, .. } = flight;
        let to = claim.message.to.clone();
        let claim = match result {
            // It goes on with its next part, before any other: parts of one message stay together.
            PartResult::Accepted(_) if part.part + 1 < claim.message.parts => {
                self.next = Some(Prepared { claim, part: part.part + 1 });
                None
            }
            _ => Some(claim),
        };
        // What was never recorded needs no outcome, and a cancel has recorded its own.
        if begun
            && result != PartResult::NotSent(Reason::CanceledByCaller)
            && let Some((_, sim_card)) = self.identity.clone()
        {
            self.flush_outcome();
            self.outcome = Some(Ended { outcome: Outcome { message: id, part, sim_card, result }, _claim: claim });
        }
        // What follows may take the modem out of use, and the store's knowledge that it is doubtful with it: first it is
        // told what failed over that doubt.
        if self.session.is_doubtful() && !matches!(result, PartResult::Accepted(_)) {
            self.flush_outcome();
        }
        self.doubt(&to, result);
        self.rest_after(result);
        self.doubt_balance(result);
    }

    /// A registration for data only may carry no messages. Whether it does, the sends say.
    fn doubt(&mut self, to: &Msisdn, result: PartResult) {
        match result {
            PartResult::Accepted(_) => self.failed_to.clear(),
            PartResult::NotSent(reason) | PartResult::Uncertain(reason)
                if self.session.is_doubtful()
                    && retry::blame(reason) != Blame::Nobody
                    && !self.failed_to.contains(to) =>
            {
                self.failed_to.push(to.clone());
            }
            _ => {}
        }
        if self.failed_to.len() >= DOUBTED_AFTER {
            self.failed_to.clear();
            self.session.handle_input(self.setting.clock.now().mono, Input::Distrusted);
        }
    }

    fn tell(&self, id: MessageId, part: PartId, result: PartResult) {
        let part = part.part;
        match result {
            PartResult::Accepted(reference) => {
                tracing::info!(message.id = %id, part, tp_mr = reference, "Submitted");
            }
            PartResult::NotSent(reason) => {
                let technology = self.session.view().technology;
                tracing::warn!(message.id = %id, part, reason = reason.code(), number = reason.number(), technology, "Not sent");
            }
            PartResult::Uncertain(reason) => {
                let technology = self.session.view().technology;
                tracing::warn!(message.id = %id, part, reason = reason.code(), number = reason.number(), technology, "Uncertain whether it was sent");
            }
        }
    }

    /// Sends the waiting outcome to the store on its own: no intent followed at once.
    pub(super) fn flush_outcome(&mut self) {
        let Some(ended) = self.outcome.take() else { return };
        let recorded = self.setting.store.settle(ended.outcome.clone(), None);
        tokio::spawn(async move {
            if let Err(error) = recorded.await {
                tracing::error!(%error, "An outcome could not be recorded");
            }
            drop(ended);
        });
    }

    /// A result of a send that was given up for uncertain. Whose it is, the store decides.
    pub(super) fn late_result(&mut self, result: PartResult, waited_for: bool) {
        // That it is uncertain is told first.
        self.flush_outcome();
        if let (true, PartResult::Accepted(_)) = (waited_for, result) {
            self.tell_recovery(recovery::Input::Accepted);
        }
        if let Some((modem, sim_card)) = self.identity.clone() {
            tokio::spawn(self.setting.store.late_result(LateResult { modem, sim_card, result, waited_for }));
        }
    }

    fn count(&mut self, flight: &Flight, result: PartResult) {
        let now = self.setting.clock.now().mono;
        if let (PartResult::Accepted(_), Some(at)) = (result, flight.handed_over) {
            // Weighted, so that one slow send does not expire the codes behind it.
            self.measured = now;
            self.send_time = if self.send_time.is_zero() { now - at } else { (self.send_time * 3 + (now - at)) / 4 };
        }
        self.setting.board.update(self.setting.slot, |view| match result {
            PartResult::Accepted(_) => view.accepted += 1,
            PartResult::NotSent(_) => view.refused += 1,
            PartResult::Uncertain(_) => view.uncertain += 1,
        });
    }

    /// On the order to stop: takes back what has not left, and lets others have what was made ready.
    pub(super) fn withdraw(&mut self) {
        self.next = None;
        self.claiming = None;
        if let Some(Flight { token, handed_over: None, .. }) = self.flight {
            let now = self.setting.clock.now().mono;
            self.session.handle_input(now, Input::Intent { token, granted: false });
        }
    }
}

/// How long to wait for a result: a code is of no use once half its life was spent waiting for the first try.
fn send_deadline(claim: &Claim, life: Duration) -> Duration {
    if claim.message.verification.is_some() { (life / 2).clamp(SEND_SHORTEST, SEND_LONGEST) } else { SEND_LONGEST }
}

/// After the network's own deadline a report may take a while to come.
const REPORT_MARGIN: Duration = Duration::from_secs(600);
/// Numbers in a row to which nothing could be sent, until a doubtful registration is held for none.
const DOUBTED_AFTER: usize = 3;
/// A measured send time holds for so long.
const MEASURED: Duration = Duration::from_secs(600);
const SEND_MARGIN: Duration = Duration::from_secs(10);
const SEND_SHORTEST: Duration = Duration::from_secs(20);
const SEND_LONGEST: Duration = Duration::from_secs(120);
