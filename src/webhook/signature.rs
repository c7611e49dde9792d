//! Signatures as Standard Webhooks has them: HMAC-SHA256 over id, time and body, in base64, behind `v1,`.

use crate::domain::secret::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A signing secret from random bytes, as it is kept: base64.
pub fn secret(random: &[u8; SECRET]) -> Secret {
    Secret::new(STANDARD.encode(random))
}

/// The secret as it is shown, once.
pub fn shown(secret: &Secret) -> Secret {
    Secret::new(format!("{PREFIX}{}", secret.reveal()))
}

/// The header `webhook-signature`: one signature for each secret, with a blank between.
pub fn header(secrets: &[Secret], id: &str, seconds: i64, body: &[u8]) -> String {
    let signatures = secrets.iter().filter_map(|secret| sign(secret, id, seconds, body));
    signatures.map(|signature| format!("{VERSION}{}", STANDARD.encode(signature))).collect::<Vec<_>>().join(" ")
}

/// Why a delivery is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forged {
    /// Its time is too far from ours: it may be an old one, sent again by somebody who heard it.
    Stale,
    /// No signature of it is ours.
    Signature,
}

/// What a receiver does: believes a delivery only if it is at most five minutes old and one of its signatures is made with
/// this secret, which may be given as it was shown.
pub fn verify(
    secret: &Secret,
    id: &str,
    seconds: i64,
    body: &[u8],
    header: &str,
    now_seconds: i64,
) -> Result<(), Forged> {
    if now_seconds.abs_diff(seconds) > TOLERANCE_SECONDS {
        return Err(Forged::Stale);
    }
    let kept = Secret::new(secret.reveal().strip_prefix(PREFIX).unwrap_or(secret.reveal()));
    let expected = sign(&kept, id, seconds, body).ok_or(Forged::Signature)?;
    let signatures = header.split(' ').filter_map(|signature| signature.strip_prefix(VERSION));
    let mut given = signatures.filter_map(|signature| STANDARD.decode(signature).ok());
    let is_ours = given.any(|signature| bool::from(signature.as_slice().ct_eq(&expected)));
    if is_ours { Ok(()) } else { Err(Forged::Signature) }
}

/// `None`: the secret is no base64.
fn sign(secret: &Secret, id: &str, seconds: i64, body: &[u8]) -> Option<[u8; 32]> {
    let key = Zeroizing::new(STANDARD.decode(secret.reveal()).ok()?);
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&key).ok()?;
    mac.update(format!("{id}.{seconds}.").as_bytes());
    mac.update(body);
    Some(mac.finalize().into_bytes().into())
}

/// Random bytes in a secret; Standard Webhooks has 24 to 64.
pub const SECRET: usize = 32;
/// A delivery whose time is further off is not believed.
pub const TOLERANCE_SECONDS: u64 = 300;
const PREFIX: &str = "whsec_";
const VERSION: &str = "v1,";

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"type":"message.delivered"}"#;
    const AT: i64 = 1_795_397_726;

    fn own() -> Secret {
        secret(&[7; SECRET])
    }

    /// Worked out with another implementation of HMAC: `openssl dgst -sha256 -mac HMAC`.
    #[test]
    fn a_signature_is_the_one_that_others_compute() {
        let header = header(&[own()], "whd_1", AT, BODY);
        assert_eq!(header, "v1,nF59OHzgnz1lzPa1o73C0n8E7DGr5JokW20gLV3LDO8=");
        assert_eq!(shown(&own()).reveal(), "whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=");
    }

    #[test]
    fn forged_deliveries_are_not_believed() {
        let good = header(&[own()], "whd_1", AT, BODY);
        let check = |secret: &Secret, id, at, body, header: &str, now| verify(secret, id, at, body, header, now);
        assert_eq!(check(&own(), "whd_1", AT, BODY, &good, AT), Ok(()));
        assert_eq!(check(&shown(&own()), "whd_1", AT, BODY, &good, AT), Ok(()), "as it was shown");
        let other = secret(&[8; SECRET]);
        let altered = br#"{"type":"message.undelivered"}"#;
        let rows = [
            ("another secret", &other, "whd_1", AT, BODY, good.as_str(), AT, Forged::Signature),
            ("another body", &own(), "whd_1", AT, altered.as_slice(), &good, AT, Forged::Signature),
            ("another id", &own(), "whd_2", AT, BODY, &good, AT, Forged::Signature),
            ("another time", &own(), "whd_1", AT + 1, BODY, &good, AT, Forged::Signature),
            ("a digit moved from time to id", &own(), "whd_1.1", AT % 1_000_000_000, BODY, &good, AT, Forged::Stale),
            ("no signature", &own(), "whd_1", AT, BODY, "", AT, Forged::Signature),
            ("an empty one", &own(), "whd_1", AT, BODY, "v1,", AT, Forged::Signature),
            ("half of it", &own(), "whd_1", AT, BODY, &good[..25], AT, Forged::Signature),
            ("another version", &own(), "whd_1", AT, BODY, &good.replace("v1,", "v1a,"), AT, Forged::Signature),
            ("too old", &own(), "whd_1", AT, BODY, &good, AT + 301, Forged::Stale),
            ("from the future", &own(), "whd_1", AT, BODY, &good, AT - 301, Forged::Stale),
        ];
        for (name, secret, id, at, body, header, now, why) in rows {
            assert_eq!(check(secret, id, at, body, header, now), Err(why), "{name}");
        }
        assert_eq!(check(&own(), "whd_1", AT, BODY, &good, AT + 300), Ok(()), "just in time");
    }

    #[test]
    fn while_a_secret_is_replaced_both_are_believed() {
        let new = secret(&[8; SECRET]);
        let both = header(&[new.clone(), own()], "whd_1", AT, BODY);
        assert_eq!(both.split(' ').count(), 2);
        assert_eq!(verify(&own(), "whd_1", AT, BODY, &both, AT), Ok(()));
        assert_eq!(verify(&new, "whd_1", AT, BODY, &both, AT), Ok(()));
        assert_eq!(verify(&secret(&[9; SECRET]), "whd_1", AT, BODY, &both, AT), Err(Forged::Signature));
    }
}
