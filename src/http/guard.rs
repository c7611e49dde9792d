//! What the guard has to say in an answer: a refusal as a problem, and in a header what would have been one.

use super::auth::Caller;
use super::input::Fields;
use super::problem::{Kind, Problem};
use crate::domain::guard::{Refusal, Rule};
use crate::store::{Asked, CallerKey};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;

/// On whose behalf a request asks, and what its caller counts by: the field `limits_by`, where there is one.
pub(crate) fn asked(caller: &Caller, fields: &Fields) -> Result<Asked, Problem> {
    Ok(Asked { caller_keys: caller_keys(fields)?, ..Asked::by(&caller.key) })
}

fn caller_keys(fields: &Fields) -> Result<Vec<CallerKey>, Problem> {
    let Some(value) = fields.value(LIMITS_BY) else { return Ok(Vec::new()) };
    let wrong = || {
        Problem::invalid(
            LIMITS_BY,
            "`limits_by` must be an object of 1 to 8 names, each of 1 to 32 of a-z, 0-9 and _, with strings of 1 to 128 \
             characters, as in {\"device\": \"…\", \"ip\": \"…\"}.",
        )
    };
    let members = value.as_object().filter(|members| (1..=MOST_KEYS).contains(&members.len())).ok_or_else(wrong)?;
    let key = |(name, value): (&String, &serde_json::Value)| {
        let is_name = (1..=32).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        let value = value.as_str().filter(|text| (1..=128).contains(&text.chars().count()) && is_name)?;
        Some(CallerKey { name: name.clone(), value: value.to_owned() })
    };
    members.iter().map(key).collect::<Option<_>>().ok_or_else(wrong)
}

/// Tells in an answer which rules would have refused it, were they enforced.
pub(crate) fn tell(mut response: Response, would_refuse: &[Refusal]) -> Response {
    if would_refuse.is_empty() {
        return response;
    }
    let item = |refusal: &Refusal| {
        let wait = refusal.retry.map(|wait| format!(";retry_after={}", seconds(wait)));
        format!("{}{}", refusal.rule.as_str(), wait.unwrap_or_default())
    };
    let list = would_refuse.iter().map(item).collect::<Vec<_>>().join(", ");
    if let Ok(value) = HeaderValue::from_str(&list) {
        response.headers_mut().insert(HEADER, value);
    }
    response
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let kind = Kind::Guarded(refusal.rule);
        let problem = match refusal.rule {
            Rule::Blocked | Rule::Country | Rule::NumberType => Self::field(kind, "to", refusal.sentence),
            Rule::CallerKeys => Self::field(kind, LIMITS_BY, refusal.sentence),
            _ => Self::new(kind, refusal.sentence),
        };
        match refusal.retry {
            Some(wait) => problem.retry_after(seconds(wait)),
            None => problem,
        }
    }
}

/// The word, the status and the title of a rule's refusals.
pub(super) fn row(rule: Rule) -> (&'static str, StatusCode, &'static str) {
    use StatusCode as S;
    match rule {
        Rule::Stop => ("sending_stopped", S::SERVICE_UNAVAILABLE, "An admin has stopped all sending"),
        Rule::Blocked => ("number_blocked", S::FORBIDDEN, "The number is on the block list"),
        Rule::Country => ("country_not_served", S::FORBIDDEN, "Numbers of this country are not written to"),
        Rule::NumberType => ("number_type_refused", S::FORBIDDEN, "Numbers of this type are not written to"),
        Rule::NumberSends => ("number_limit", S::TOO_MANY_REQUESTS, "The number was sent too many codes"),
        Rule::ResendWait => ("resend_too_soon", S::TOO_MANY_REQUESTS, "The last code was sent a moment ago"),
        Rule::FailedChecks => ("too_many_failed_checks", S::TOO_MANY_REQUESTS, "Too many wrong codes were given"),
        Rule::FailedChecksEverywhere => {
            ("number_under_attack", S::TOO_MANY_REQUESTS, "Too many wrong codes were given for the number")
        }
        Rule::CallerKeys => ("limits_by_reached", S::TOO_MANY_REQUESTS, "Too many codes for one of `limits_by`"),
        Rule::Prefix => ("prefix_limit", S::TOO_MANY_REQUESTS, "Too many numbers like this one were written to"),
        Rule::Conversion => ("codes_not_used", S::TOO_MANY_REQUESTS, "Codes to numbers like this one hardly come back"),
        Rule::KeyLimits => ("key_limit", S::TOO_MANY_REQUESTS, "The API key has sent what it may"),
        Rule::InTime => ("not_in_time", S::SERVICE_UNAVAILABLE, "The code would come too late"),
        Rule::Queue => ("queue_full", S::TOO_MANY_REQUESTS, "Too much waits already"),
    }
}

fn seconds(wait: std::time::Duration) -> u64 {
    u64::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u64::MAX).max(1)
}

pub(crate) const LIMITS_BY: &str = "limits_by";
const HEADER: &str = "otpgate-guard";
const MOST_KEYS: usize = 8;
