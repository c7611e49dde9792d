//! What came in, on its way to the store; and what lets it go from the modem.

use super::*;
use crate::domain::secret::Secret;
use crate::store::NewInbound;

/// How the modem holds something, and whether it may do without it.
pub(super) type Keeping = Option<(Held, bool)>;

impl Driver {
    /// A status report: what it says is on record before the modem's copy goes.
    pub(super) fn keep_report(&mut self, report: Report, held: Option<Held>) {
        let status = report.status;
        let matched = self.setting.store.report(report);
        self.keeping.spawn(async move {
            let may_go = match matched.await {
                Ok(Matched::Recorded(id)) => {
                    tracing::info!(message.id = %id, tp_st = status, "Status report");
                    true
                }
                Ok(Matched::Known) => true,
                // Under phase 2+ no other would come before this one is acknowledged.
                Ok(Matched::Kept) if matches!(held, Some(Held::Unacknowledged(_))) => true,
                Ok(Matched::Kept) => {
                    // Until it has found its message, or never will, the modem's copy is the safer one.
                    tokio::time::sleep(REPORT_KEPT).await;
                    true
                }
                Ok(Matched::Refused) | Err(_) => false,
            };
            Some((held?, may_go))
        });
    }

    /// A message, or a part of one: it is in the journal before the modem's copy goes.
    pub(super) fn journal(&mut self, from: String, characters: usize, pdu: Secret, held: Option<Held>) {
        let Some((modem, sim_card)) = self.identity.clone() else { return };
        let slot = self.setting.slot;
        let journaled = self.setting.store.take_inbound(NewInbound { modem, sim_card, pdu });
        self.setting.board.update(slot, |view| view.received += 1);
        self.keeping.spawn(async move {
            let may_go = match journaled.await {
                Ok(journaled) => {
                    if journaled.is_new {
                        tracing::info!(modem.slot = slot, inbound.id = %journaled.message, %from, characters, "A message came in");
                    }
                    true
                }
                Err(error) => {
                    tracing::error!(modem.slot = slot, %error, "A message that came in could not be taken; what the modem stores stays there, and what is not acknowledged comes again");
                    false
                }
            };
            Some((held?, may_go))
        });
    }

    /// Something that the modem holds is on disk here, or can't be.
    pub(super) fn kept(&mut self, (held, may_go): (Held, bool)) {
        let input = if may_go { Input::Kept(held) } else { Input::NotKept(held) };
        self.session.handle_input(self.setting.clock.now().mono, input);
    }

    pub(super) fn rejected_call(&mut self) {
        tracing::info!(modem.slot = self.setting.slot, "Somebody called; the call was rejected");
        self.setting.board.update(self.setting.slot, |view| view.calls_rejected += 1);
    }

    /// Tells the session whether a message is ready, when that has changed.
    pub(super) fn tell_waiting(&mut self) {
        let waits = self.next.is_some();
        if std::mem::replace(&mut self.told_waiting, waits) != waits {
            self.session.handle_input(self.setting.clock.now().mono, Input::MessageWaits(waits));
        }
    }

    /// Whether the modem is asked about something that came in, and will soon be free.
    pub(super) fn is_receiving(&self, now: Mono) -> bool {
        self.session.is_receiving_until().is_some_and(|until| now < until)
    }
}

/// Longer than the store tries to match a report.
const REPORT_KEPT: Duration = Duration::from_secs(310);
