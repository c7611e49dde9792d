//! API keys: who calls, and what they may do.

use super::address;
use super::problem::{Kind, Problem};
use super::{Context, Cx};
use crate::domain::audit::AuditKind;
use crate::domain::secret::Secret;
use crate::domain::time::Mono;
use crate::ops::random::{self, Random};
use crate::store::{Access, Actor, ApiKey, Permission, Scope};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A new secret for a key of MyOTP.App's dialect, whose clients want 32 of `A-Z a-z 0-9 _ -`: 192 random bits.
pub(crate) fn new_myotp_secret(random: &dyn Random) -> Secret {
    let bits: [u8; 32] = random::bytes(random);
    // 256 is a multiple of 64: no character is likelier than another.
    Secret::new(bits.iter().map(|byte| char::from(BASE64URL[usize::from(byte % 64)])).collect::<String>())
}

/// A new secret for an API key: `otpg_` and 256 random bits in hexadecimal.
pub fn new_secret(random: &dyn Random) -> Secret {
    let bits: [u8; 32] = random::bytes(random);
    Secret::new(bits.iter().fold(String::from(PREFIX), |text, byte| text + &format!("{byte:02x}")))
}

/// What the store keeps of a secret. No salt and no slow hash: there is nothing to guess in 256 random bits.
pub fn secret_sha256(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// The key that a request came with. A handler that takes one is open to nobody without.
pub(crate) struct Caller {
    pub(crate) key: Arc<ApiKey>,
    /// From where.
    pub(crate) address: IpAddr,
}

impl Caller {
    /// Refuses a key that has neither this scope nor `admin`.
    pub(crate) fn must(&self, scope: Scope) -> Result<(), Problem> {
        if self.is_admin() || self.key.scopes.contains(&scope) {
            return Ok(());
        }
        let word = scope.as_str();
        Err(Problem::new(Kind::ScopeMissing, format!("This needs a key with the scope `{word}`; see `otpgate keys`.")))
    }

    /// Whether it may pass this limit. `admin` is no permission: a limit is lifted on purpose only.
    pub(crate) fn has(&self, permission: Permission) -> bool {
        self.key.permissions.contains(&permission)
    }

    /// On whose behalf the store acts.
    pub(crate) fn access(&self) -> Access {
        Access { client: self.key.client, admin: self.is_admin() }
    }

    /// Who is behind what is done, and which limits a permission lifted for that.
    pub(crate) fn actor(&self, lifted: Vec<Permission>) -> Actor {
        Actor { key: Some(self.key.id), client: Some(self.key.client), address: self.address, lifted }
    }

    fn is_admin(&self) -> bool {
        self.key.scopes.contains(&Scope::Admin)
    }
}

impl FromRequestParts<Cx> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, cx: &Cx) -> Result<Self, Problem> {
        let secret = bearer(&parts.headers)?;
        Ok(authenticate(cx, parts, secret, |scope| !scope.is_foreign())?)
    }
}

/// Why a request gets no further than the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoEntry {
    /// No key has this secret, or none of this dialect.
    Unknown,
    /// And too many such requests came from there; so long until the next is looked at.
    TooMany(Duration),
    /// The key is not to be used from there.
    Address,
}

/// Who has this secret, if one of its scopes is of the dialect, and if it is used from where it may be.
pub(crate) fn authenticate(
    cx: &Context,
    parts: &Parts,
    secret: &str,
    of_dialect: impl Fn(Scope) -> bool,
) -> Result<Caller, NoEntry> {
    let address = address::client(parts, &cx.settings.trusted_proxies);
    // A good key is taken at any time. 256 bits can't be guessed, and a neighbour behind the same address who
    // knocks with a key of yesterday must not lock out the one who sends codes.
    let known = cx.store.authenticate(&secret_sha256(secret));
    let Some(key) = known.filter(|key| key.scopes.iter().any(|scope| of_dialect(*scope))) else {
        let now = cx.clock.now().mono;
        let locked = cx.logins.fail(address, now);
        if let Some(kind) = cx.logins.worth_a_line(address, now) {
            let actor = Actor { key: None, client: None, address, lifted: Vec::new() };
            // Nobody waits: who has no key is not to learn how busy the disk is.
            drop(cx.store.acting(actor).audit(kind, None));
        }
        let Some(left) = locked else {
            tracing::warn!(client.address = %address, "A request with an unknown, revoked or expired API key");
            return Err(NoEntry::Unknown);
        };
        return Err(NoEntry::TooMany(left));
    };
    let networks = &key.settings.networks;
    if !networks.is_empty() && !networks.iter().any(|network| network.contains(address)) {
        tracing::warn!(key.id = %key.id, client.address = %address, "An API key was used from where it may not be");
        return Err(NoEntry::Address);
    }
    Ok(Caller { key, address })
}

impl From<NoEntry> for Problem {
    fn from(why: NoEntry) -> Self {
        match why {
            NoEntry::Unknown => Self::new(
                Kind::Unauthorized,
                "This API key is unknown, revoked or expired; `otpgate keys list` shows which are not.",
            ),
            NoEntry::TooMany(left) => Self::new(
                Kind::TooManyLogins,
                "Too many requests with wrong keys came from this address in the last minute; mend the key, then try again.",
            )
            .retry_after(left.as_secs() + 1),
            NoEntry::Address => Self::new(
                Kind::AddressNotAllowed,
                "This API key may not be used from this address; `otpgate keys set` changes its `networks`.",
            ),
        }
    }
}

/// The credential of a request: one, and of the kind we know.
fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter().chain(headers.get_all("x-api-key"));
    let missing = || Problem::new(Kind::Unauthorized, "Send the header Authorization: Bearer, followed by an API key.");
    let credential = given.next().ok_or_else(missing)?;
    if given.next().is_some() {
        return Err(Problem::new(Kind::TwoCredentials, "Send one credential, in the header Authorization."));
    }
    if !headers.contains_key(header::AUTHORIZATION) {
        return Err(missing());
    }
    let (scheme, secret) = credential.to_str().ok().and_then(|c| c.split_once(' ')).ok_or_else(missing)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(secret.trim()) } else { Err(missing()) }
}

/// Failed log-ins by address.
#[derive(Default)]
pub(crate) struct Logins(Mutex<BTreeMap<IpAddr, Window>>, Mutex<Option<Window>>);

/// A minute of failures, from the first one on.
#[derive(Clone, Copy)]
struct Window {
    began: Mono,
    failures: u32,
}

impl Logins {
    /// Counts one. `Some`: it was one too many; so long until the next minute begins.
    fn fail(&self, address: IpAddr, now: Mono) -> Option<Duration> {
        let mut windows = self.0.lock().unwrap_or_else(|e| e.into_inner());
        let address = address::subscriber(address);
        windows.retain(|_, w| now - w.began < WINDOW);
        if windows.len() >= MAX_ADDRESSES && !windows.contains_key(&address) {
            // Somebody owns a thousand addresses; forgetting the oldest costs less than memory without an end.
            let oldest = windows.iter().min_by_key(|(_, w)| w.began).map(|(a, _)| *a);
            oldest.and_then(|a| windows.remove(&a));
        }
        let window = windows.entry(address).or_insert(Window { began: now, failures: 0 });
        window.failures = window.failures.saturating_add(1);
        (window.failures > MAX_FAILURES).then(|| WINDOW.saturating_sub(now - window.began))
    }

    /// What the audit log is to tell of the failure that was just counted: of a minute and address the first, and the one
    /// that locks it; of all addresses together so many that no flood of them fills the disk.
    fn worth_a_line(&self, address: IpAddr, now: Mono) -> Option<AuditKind> {
        let windows = self.0.lock().unwrap_or_else(|e| e.into_inner());
        let kind = match windows.get(&address::subscriber(address))?.failures {
            1 => AuditKind::LogInFailed,
            n if n == MAX_FAILURES + 1 => AuditKind::LogInLocked,
            _ => return None,
        };
        let mut lines = self.1.lock().unwrap_or_else(|e| e.into_inner());
        let minute = lines.take_if(|minute| now - minute.began < WINDOW).unwrap_or(Window { began: now, failures: 0 });
        let minute = lines.insert(Window { failures: minute.failures + 1, ..minute });
        (minute.failures <= MAX_LINES).then_some(kind)
    }
}

const PREFIX: &str = "otpg_";
const BASE64URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const WINDOW: Duration = Duration::from_secs(60);
const MAX_FAILURES: u32 = 10;
const MAX_ADDRESSES: usize = 1024;
/// Lines that failed log-ins get in the audit log in a minute.
const MAX_LINES: u32 = 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::random::SeededRandom;
    use std::net::Ipv4Addr;

    fn at(secs: u64) -> Mono {
        Mono(Duration::from_secs(secs))
    }

    #[test]
    fn secrets_are_long_and_never_the_same() {
        let random = SeededRandom::new(1);
        let (a, b) = (new_secret(&random), new_secret(&random));
        assert!(a.reveal().starts_with("otpg_") && a.reveal().len() == 5 + 64, "of that form");
        assert_ne!(a, b);
        assert_ne!(secret_sha256(a.reveal()), secret_sha256(b.reveal()));
    }

    #[test]
    fn credentials() {
        type Headers = &'static [(&'static str, &'static str)];
        let rows: [(&str, Headers, &str); 8] = [
            ("a bearer key", &[("authorization", "Bearer otpg_1")], "otpg_1"),
            ("the scheme has no case", &[("authorization", "bearer  otpg_1")], "otpg_1"),
            ("none", &[], "Unauthorized"),
            ("another scheme", &[("authorization", "Basic b3RwZw==")], "Unauthorized"),
            ("no scheme", &[("authorization", "otpg_1")], "Unauthorized"),
            ("another dialect's header", &[("x-api-key", "otpg_1")], "Unauthorized"),
            ("two", &[("authorization", "Bearer a"), ("authorization", "Bearer b")], "TwoCredentials"),
            ("two kinds", &[("authorization", "Bearer a"), ("x-api-key", "b")], "TwoCredentials"),
        ];
        for (name, headers, expected) in rows {
            let mut map = HeaderMap::new();
            for (header, value) in headers {
                map.append(header.parse::<axum::http::HeaderName>().unwrap(), value.parse().unwrap());
            }
            match bearer(&map) {
                Ok(secret) => assert_eq!(secret, expected, "{name}"),
                Err(problem) => assert!(format!("{problem:?}").contains(expected), "{name}: {problem:?}"),
            }
        }
    }

    #[test]
    fn no_flood_of_failures_fills_the_audit_log() {
        let logins = Logins::default();
        let mut lines = 0;
        for n in 0..200u8 {
            let address = IpAddr::from([192, 0, 2, n]);
            logins.fail(address, at(0));
            lines += u32::from(logins.worth_a_line(address, at(0)).is_some());
        }
        assert_eq!(lines, MAX_LINES);
        let here = IpAddr::from([198, 51, 100, 1]);
        let kinds: Vec<_> = (0..15)
            .map(|_| logins.fail(here, at(60)).is_some())
            .zip(std::iter::repeat_with(|| logins.worth_a_line(here, at(60))))
            .collect();
        assert_eq!(kinds[0], (false, Some(AuditKind::LogInFailed)));
        assert_eq!(kinds[10], (true, Some(AuditKind::LogInLocked)));
        assert_eq!(kinds.iter().filter(|(_, line)| line.is_some()).count(), 2);
    }

    #[test]
    fn ten_failures_a_minute_and_address() {
        let logins = Logins::default();
        let (here, there) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        for n in 0..10 {
            assert_eq!(logins.fail(here, at(n)), None, "failure {n}");
        }
        assert_eq!(logins.fail(here, at(20)), Some(Duration::from_secs(40)));
        assert_eq!(logins.fail(there, at(20)), None, "another address");
        assert_eq!(logins.fail(here, at(60)), None, "another minute");
    }

    #[test]
    fn the_addresses_remembered_are_bounded() {
        let logins = Logins::default();
        for n in 0..3000 {
            logins.fail(IpAddr::V4(Ipv4Addr::from_bits(n)), at(1));
        }
        assert_eq!(logins.0.lock().unwrap().len(), MAX_ADDRESSES);
    }
}
