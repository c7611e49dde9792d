//! Which messages this modem asks for, and when it asks for none.

use super::balance::Yields;
use super::*;

impl Driver {
    /// Lets the modem rest after a refusal that is its own trouble: it would refuse the next message as fast.
    pub(super) fn rest_after(&mut self, result: PartResult) {
        match result {
            PartResult::NotSent(reason) => {
                if let Some(pause) = retry::rest(reason, self.rest.in_a_row + 1) {
                    self.rest.in_a_row += 1;
                    self.rest.until = Some((self.setting.clock.now().mono + pause, reason));
                    self.next = None;
                    self.claiming = None;
                    self.show();
                }
            }
            PartResult::Accepted(_) => self.rest.in_a_row = 0,
            PartResult::Uncertain(_) => {}
        }
    }

    pub(super) fn end_rest(&mut self) {
        let now = self.setting.clock.now().mono;
        if self.rest.until.take_if(|(until, _)| *until <= now).is_some() {
            self.show();
        }
    }

    /// Whether it can send, now or after the message on the air.
    pub(super) fn can_send(&self) -> bool {
        let wanted_elsewhere = self.balance.is_low() || self.recovery.wants_port();
        self.session.is_ready() && self.rest.until.is_none() && !wanted_elsewhere
    }

    /// Keeps one message ahead: pulls when the modem is free, or while it is on the air; lets go when it can't send.
    pub(super) fn keep_claiming(&mut self) {
        let now = self.setting.clock.now().mono;
        // What comes in holds a message up for a moment only: another modem would not be faster.
        let receiving = self.is_receiving(now);
        // Nor is a question to the network worth more than a message for long.
        let asking = self.session.asks_network().then(|| self.balance.yields(now)).filter(|it| *it != Yields::Nobody);
        let busy_with = self.session.is_free() || self.session.is_on_air() || receiving || asking.is_some();
        let wanted = self.stopping().is_none()
            && !self.listening
            && !self.balance.is_due(now)
            && self.can_send()
            && busy_with
            && self.more_parts_done();
        let overdue = self.is_overdue(now);
        if self.claims != asking {
            self.claims = asking;
            self.claiming = None;
        }
        match (&self.identity, wanted && !overdue) {
            (Some((imei, sim_card)), true) if self.claiming.is_none() && self.next.is_none() => {
                let (store, imei, sim_card) = (&self.setting.store, imei.clone(), sim_card.clone());
                self.claiming = Some(match asking {
                    Some(Yields::Urgent) => store.claim_urgent(imei, sim_card),
                    _ => store.claim(imei, sim_card),
                });
            }
            // Also while the engine finds back after a prompt that never came: that takes half a minute at worst.
            _ if overdue || !self.session.is_free() && !receiving && asking.is_none() && self.flight.is_none() => {
                self.claiming = None;
                // No other may take what is left of a message: it waits here, as long as this modem can send it.
                let stays = |next: &Prepared| next.part > 0 && self.can_send();
                if !self.next.as_ref().is_some_and(stays) {
                    self.next = None;
                }
            }
            _ => {}
        }
    }

    /// Whether the message on the air takes longer than such a thing should: what was made ready behind it must not
    /// wait with it, when another modem could have it.
    fn is_overdue(&self, now: Mono) -> bool {
        self.ahead_until().is_some_and(|until| now >= until)
    }

    /// How long a message is kept ready behind the one on the air.
    pub(super) fn ahead_until(&self) -> Option<Mono> {
        let handed_over = self.flight.as_ref()?.handed_over?;
        Some(handed_over + (self.send_time * 2).clamp(AHEAD_SHORTEST, AHEAD_LONGEST))
    }

    /// Whether the part in flight is its message's last: only then is another message made ready.
    fn more_parts_done(&self) -> bool {
        self.flight.as_ref().is_none_or(|f| f.part.part + 1 == f.claim.message.parts)
    }

    pub(super) fn prepare(&mut self, claim: Claim) {
        let part = self.identity.as_ref().map_or(0, |(imei, sim_card)| claim.message.next_part(imei, sim_card).part);
        self.next = Some(Prepared { claim, part });
    }
}

/// How long a message waits behind one on the air before others may take it: twice what a send takes, within these.
const AHEAD_SHORTEST: Duration = Duration::from_secs(2);
const AHEAD_LONGEST: Duration = Duration::from_secs(10);
