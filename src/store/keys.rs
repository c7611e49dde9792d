//! Operations on API keys. What is kept of a secret is its hash.

use super::audit::NewAudit;
use super::engine::Engine;
use super::record::{Key, Made, Record};
use super::{Accepted, ApiKey, Idempotency, KeyChange, NextKey, Scope, StoreError};
use crate::domain::audit::AuditKind;
use crate::domain::id::KeyId;
use crate::domain::time::Now;

impl Engine {
    pub(super) fn create_key(
        &mut self,
        new: ApiKey,
        idempotency: Option<Idempotency>,
        now: &Now,
    ) -> Result<Accepted<ApiKey>, StoreError> {
        if self.replayed(idempotency)?.is_some() {
            // The secret is shown once, and only its hash is here.
            return Err(StoreError::AlreadyShown);
        }
        self.refuse_new()?;
        self.audit(NewAudit { about: Some(new.id.to_string()), ..NewAudit::of(AuditKind::KeyCreated) });
        self.put_key(new.clone());
        self.remember(idempotency, Made::Key(new.id), now);
        Ok(Accepted::now(new))
    }

    pub(super) fn all_keys(&mut self) -> Result<Vec<ApiKey>, StoreError> {
        let ids = self.key_ids.clone();
        let records = ids.into_iter().map(|id| self.get(Key::ApiKey(id))).collect::<Result<Vec<_>, _>>()?;
        Ok(records
            .into_iter()
            .flatten()
            .filter_map(|r| if let Record::ApiKey(k) = r { Some(k) } else { None })
            .collect())
    }

    pub(super) fn revoke_key(&mut self, id: KeyId, now: &Now) -> Result<ApiKey, StoreError> {
        let mut key = self.key_record(id)?;
        if key.revoked.is_some() {
            return Ok(key);
        }
        // One that ends before this one doesn't stand in for it: after that nobody could make a key any more.
        let lasts = |k: &ApiKey| k.expires.is_none_or(|t| t > now.wall && key.expires.is_some_and(|own| t >= own));
        // Nor does one that is good from some addresses only: they may be nobody's.
        let stands_in =
            |k: &ApiKey| k.id != id && k.scopes.contains(&Scope::Admin) && k.settings.networks.is_empty() && lasts(k);
        let is_last = {
            let keys = self.keys.read().unwrap_or_else(|e| e.into_inner());
            !keys.0.values().any(|k| stands_in(k))
        };
        if key.scopes.contains(&Scope::Admin) && is_last {
            return Err(StoreError::LastAdminKey);
        }
        self.refuse_writes()?;
        key.revoked = Some(now.wall);
        self.audit(NewAudit { about: Some(id.to_string()), ..NewAudit::of(AuditKind::KeyRevoked) });
        self.put_key(key.clone());
        Ok(key)
    }

    pub(super) fn change_key(&mut self, id: KeyId, change: KeyChange, now: &Now) -> Result<ApiKey, StoreError> {
        let mut key = self.living_key(id, now)?;
        self.refuse_writes()?;
        let binds = change.networks.as_ref().is_some_and(|networks| !networks.is_empty());
        if binds && key.scopes.contains(&Scope::Admin) && !self.another_admin(id) {
            return Err(StoreError::LastAdminKey);
        }
        change.apply(&mut key);
        self.audit(NewAudit { about: Some(id.to_string()), ..NewAudit::of(AuditKind::KeyChanged) });
        self.put_key(key.clone());
        Ok(key)
    }

    pub(super) fn rotate_key(
        &mut self,
        id: KeyId,
        next: NextKey,
        idempotency: Option<Idempotency>,
        now: &Now,
    ) -> Result<Accepted<ApiKey>, StoreError> {
        if self.replayed(idempotency)?.is_some() {
            return Err(StoreError::AlreadyShown);
        }
        let mut older = self.living_key(id, now)?;
        self.refuse_new()?;
        // It lasts as the older one was to last: if that was the last admin key, there is one still.
        let new = ApiKey { id: next.id, secret_sha256: next.secret_sha256, created: now.wall, ..older.clone() };
        let ends = now.wall + next.overlap;
        older.expires = Some(older.expires.map_or(ends, |expires| expires.min(ends)));
        let detail = Some(format!("of {id}"));
        self.audit(NewAudit { about: Some(new.id.to_string()), detail, ..NewAudit::of(AuditKind::KeyRotated) });
        self.put_key(older);
        self.put_key(new.clone());
        self.remember(idempotency, Made::Key(new.id), now);
        Ok(Accepted::now(new))
    }

    /// Whether another admin key is good from anywhere, and without an end.
    fn another_admin(&self, id: KeyId) -> bool {
        let keys = self.keys.read().unwrap_or_else(|e| e.into_inner());
        let is_one = |k: &ApiKey| {
            k.id != id && k.scopes.contains(&Scope::Admin) && k.settings.networks.is_empty() && k.expires.is_none()
        };
        keys.0.values().any(|k| is_one(k))
    }

    fn key_record(&self, id: KeyId) -> Result<ApiKey, StoreError> {
        match self.get(Key::ApiKey(id))? {
            Some(Record::ApiKey(key)) => Ok(key),
            _ => Err(StoreError::NotFound),
        }
    }

    fn living_key(&self, id: KeyId, now: &Now) -> Result<ApiKey, StoreError> {
        let key = self.key_record(id)?;
        let ended = key.revoked.is_some() || key.expires.is_some_and(|at| at <= now.wall);
        if ended { Err(StoreError::KeyEnded) } else { Ok(key) }
    }

    fn put_key(&mut self, key: ApiKey) {
        self.put(Key::ApiKey(key.id), Record::ApiKey(key.clone()));
        self.key_ids.insert(key.id);
        self.publish_key(key);
    }
}
