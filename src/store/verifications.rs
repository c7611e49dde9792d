//! Operations on verifications by more than their id.

use super::engine::Engine;
use super::{Access, ReportPage, ReportQuery, StoreError, VerificationView};
use crate::domain::id::{ClientId, VerificationId};
use crate::domain::msisdn::Msisdn;
use crate::domain::time::Now;
use crate::domain::verification::{Channel, VerificationEvent, VerificationRefused};
use std::time::Duration;

impl Engine {
    pub(super) fn extend(
        &mut self,
        who: Access,
        id: VerificationId,
        by: Duration,
        most: Duration,
        now: &Now,
    ) -> Result<VerificationView, StoreError> {
        let mut verification = self.seen(who, id)?;
        self.refuse_writes()?;
        let left = verification.expires.left(now).saturating_add(by);
        let lived = now.wall - verification.created;
        let to = now.after(left.min(most.saturating_sub(lived)));
        verification.apply(now, VerificationEvent::Extend(to)).map_err(StoreError::Verification)?;
        if verification.is_final() {
            // It expired under our hands; its timer will say so on disk.
            return Err(StoreError::Verification(VerificationRefused::Final(verification.state)));
        }
        self.put_verification(verification.clone(), now);
        Ok(self.view(verification, who.admin))
    }

    pub(super) fn newest_to(&self, who: Access, to: &Msisdn) -> Option<VerificationId> {
        let number = self.number_hash(to);
        let is_sent =
            |id: &VerificationId| self.verification_record(*id).is_ok_and(|v| v.origin.channel == Channel::Sms);
        let mut ids = self.index.verifications_to(who.client, number).take(LOOKED_AT).filter(is_sent);
        // Newest first: a code of an older purpose may still be good when a newer one was called off.
        let newest = ids.next()?;
        let is_pending = |id: &VerificationId| self.verification_record(*id).is_ok_and(|v| !v.is_final());
        std::iter::once(newest).chain(ids).find(is_pending).or(Some(newest))
    }

    pub(super) fn report_of(&self, who: Access, query: ReportQuery) -> ReportPage {
        let fits = self.index.verifications_of(who.client, query.since, query.until);
        let (mut total, mut items) = (0, Vec::new());
        for id in fits {
            if total >= query.skip
                && items.len() < query.limit
                && let Ok(verification) = self.verification_record(id)
            {
                items.push(self.view(verification, who.admin));
            }
            total += 1;
        }
        ReportPage { total, items }
    }

    /// Whether a code for the same client, number and purpose is still good.
    pub(super) fn is_pending(&self, client: ClientId, to: &Msisdn, purpose: Option<&str>, now: &Now) -> bool {
        let pending = self.index.pending(client, self.number_hash(to), purpose);
        let record = pending.and_then(|id| self.verification_record(id).ok());
        record.is_some_and(|v| v.origin.channel == Channel::Sms && !v.is_final() && !v.expires.passed(now))
    }
}

/// A number has as many pending verifications as it has purposes; beyond so many older ones none is looked for.
const LOOKED_AT: usize = 16;
