//! The guard: whether a code may be sent to a number, or compared, before anything is queued. Pure.
//!
//! Whoever asks brings what is known, as [`Facts`]; [`refusals`] gives every rule that says no, with its sentence and the time
//! after which it will not; [`judge`] weighs them by the rules' modes. What is counted is in [`ledger`].

pub mod in_time;
pub mod ledger;

use crate::domain::country::Country;
use crate::domain::guard::{GuardRules, Refusal, Rule, SendLimits};
use crate::domain::mode::Mode;
use crate::domain::number_kind::NumberKind;
use crate::domain::time::Now;
use ledger::Ledger;
use std::collections::BTreeSet;
use std::time::Duration;

/// What is known when something is to be sent.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// Whether it is a code, and no plain text.
    pub is_code: bool,
    /// Whether an admin has stopped all sending.
    pub stopped: bool,
    /// Whether the number is on the block list.
    pub blocked: bool,
    /// Whether it is on the safe list: then how often and to whom is no question.
    pub safe: bool,
    /// Where the number belongs. `None`: no numbering plan has it.
    pub country: Option<Country>,
    /// What it is for.
    pub kind: NumberKind,
    /// The countries of the API key. Empty: it has none of its own.
    pub key_countries: &'a BTreeSet<Country>,
    /// The limits of the API key.
    pub key_limits: SendLimits,
    /// What the API key has sent.
    pub api_key: Option<&'a Ledger>,
    /// Codes sent to the number.
    pub sends: Option<&'a Ledger>,
    /// Wrong codes for the client's number.
    pub failures: Option<&'a Ledger>,
    /// Wrong codes for the number, whoever's.
    pub failures_everywhere: Option<&'a Ledger>,
    /// The caller's own keys, with their names.
    pub caller_keys: &'a [(&'a str, Option<&'a Ledger>)],
    /// Numbers of the prefix.
    pub prefix: Option<&'a Ledger>,
    /// What is behind the prefix.
    pub tail: u32,
    /// How codes to the prefix came back, and codes to the country.
    pub conversion: [Option<&'a Ledger>; 2],
    /// Whether its owner gave the right code of late.
    pub approved: bool,
    /// How many messages wait.
    pub queued: usize,
    /// By how much it would come too late.
    pub late_by: Option<Duration>,
}

/// Every rule that says no, the weightiest first.
pub fn refusals(rules: &GuardRules, facts: &Facts<'_>, now: &Now) -> Vec<Refusal> {
    let mut found: Vec<_> = orders(facts.stopped, facts.blocked).collect();
    if !facts.safe {
        found.extend(whom(rules, facts));
    }
    if facts.is_code {
        found.extend(locks(rules, facts.failures, facts.failures_everywhere, now));
    }
    if facts.is_code && !facts.safe {
        found.extend(how_often(rules, facts, now));
    }
    if !facts.safe && !facts.approved {
        found.extend(prefix(rules, facts, now));
    }
    if let Some((wait, limit)) = facts.api_key.and_then(|ledger| ledger.api_key_full_for(&facts.key_limits, now)) {
        let sentence = format!(
            "This API key has sent what it may: its own limit `{limit}`, or `[guard] per_key_…` for keys without one."
        );
        found.push(refusal(Rule::KeyLimits, Some(wait), sentence));
    }
    if let Some(late) = facts.late_by.filter(|_| facts.is_code) {
        let sentence = "The code would come too late: so much waits ahead of it, or no SIM card can send, or all have sent what \
                        they may (`[sim_limits]`; GET /v1/modems says more). Use another channel, or try again later \
                        (`[guard.rules] in_time`).";
        found.push(refusal(Rule::InTime, Some(late.max(SOON)), sentence));
    }
    if facts.queued >= rules.max_queued as usize {
        let most = rules.max_queued;
        found.push(refusal(Rule::Queue, Some(QUEUE), format!("{most} messages wait already: `[guard] max_queued`.")));
    }
    found
}

/// What admins have ordered: it says no even if nothing is counted.
pub fn orders(stopped: bool, blocked: bool) -> impl Iterator<Item = Refusal> {
    let stopped = stopped.then(|| {
        let sentence = "An admin has stopped all sending; POST /v1/guard/start lets it go on.";
        refusal(Rule::Stop, Some(STOPPED), sentence)
    });
    let blocked = blocked.then(|| {
        let sentence = "The number is on the block list; only an admin, with DELETE /v1/guard/blocked/…, changes that.";
        refusal(Rule::Blocked, None, sentence)
    });
    stopped.into_iter().chain(blocked)
}

/// The rules on checks: for how long no code is compared.
pub fn locks(
    rules: &GuardRules,
    failures: Option<&Ledger>,
    everywhere: Option<&Ledger>,
    now: &Now,
) -> impl Iterator<Item = Refusal> {
    let own = failures.and_then(|ledger| ledger.locked_for(now)).map(|wait| {
        let most = rules.failed_checks;
        let sentence = format!(
            "Too many wrong codes were given for this number: more than {most} in an hour (`[guard] failed_checks`). A new code \
             changes nothing; the right one, or an admin with DELETE /v1/guard/numbers/…, ends the waits."
        );
        refusal(Rule::FailedChecks, Some(wait), sentence)
    });
    let everywhere = everywhere.and_then(|ledger| ledger.locked_everywhere_for(rules, now)).map(|wait| {
        let most = rules.failed_checks_everywhere;
        let sentence = format!(
            "{most} wrong codes were given for this number in 24 hours (`[guard] failed_checks_everywhere`). An admin can end \
             the wait with DELETE /v1/guard/numbers/…."
        );
        refusal(Rule::FailedChecksEverywhere, Some(wait), sentence)
    });
    own.into_iter().chain(everywhere)
}

/// Whether such a number is written to at all.
fn whom(rules: &GuardRules, facts: &Facts<'_>) -> impl Iterator<Item = Refusal> {
    let (served, setting): (Vec<Country>, _) = match (facts.key_countries.is_empty(), rules.countries.is_empty()) {
        (false, _) => (facts.key_countries.iter().copied().collect(), "the API key's `countries`"),
        (true, false) => (rules.countries.iter().copied().collect(), "`[guard] countries`"),
        (true, true) => (rules.home.into_iter().collect(), "`country`, or `[guard] countries` for several"),
    };
    let elsewhere = facts.country.is_none_or(|country| !served.contains(&country));
    let country = elsewhere.then(|| {
        let sentence = match facts.country {
            Some(country) => format!("Numbers of {country} are not written to: {setting}."),
            None => format!("No numbering plan has this number, so that its country is not known: {setting}."),
        };
        refusal(Rule::Country, None, sentence)
    });
    let kind = facts.kind.counts_as();
    let number_type = (!rules.number_types.contains(&kind)).then(|| {
        let word = kind.as_str();
        refusal(
            Rule::NumberType,
            None,
            format!("Numbers of the type `{word}` are not written to: `[guard] number_types`."),
        )
    });
    country.into_iter().chain(number_type)
}

/// Whether the number, or what the caller counts by, was sent too much.
fn how_often(rules: &GuardRules, facts: &Facts<'_>, now: &Now) -> Vec<Refusal> {
    let mut found = Vec::new();
    if let Some(wait) = facts.sends.and_then(|ledger| ledger.sends_full_for(rules, now)) {
        let (ten, day) = (rules.per_number_ten_minutes, rules.per_number_day);
        let sentence = format!(
            "A number is sent {ten} codes in ten minutes at most, and {day} in 24 hours: `[guard] per_number_10_minutes`, \
             `per_number_day`."
        );
        found.push(refusal(Rule::NumberSends, Some(wait), sentence));
    }
    if let Some(wait) = facts.sends.and_then(|ledger| ledger.resend_waits_for(rules, now)) {
        let first = rules.resend_wait.as_secs();
        let sentence = format!(
            "The last code to this number was a moment ago. The second may follow after {first} seconds, the third after \
             {}, the next after {}: `[guard] resend_wait_seconds`.",
            first * 2,
            first * 4
        );
        found.push(refusal(Rule::ResendWait, Some(wait), sentence));
    }
    for (name, ledger) in facts.caller_keys {
        if let Some(wait) = ledger.and_then(|ledger| ledger.caller_key_full_for(rules, now)) {
            let (ten, hour) = (rules.per_caller_key_ten_minutes, rules.per_caller_key_hour);
            let sentence = format!(
                "For one value of `limits_by.{name}` {ten} codes are sent in ten minutes at most, and {hour} in an hour: \
                 `[guard] per_caller_key_10_minutes`, `per_caller_key_hour`."
            );
            found.push(refusal(Rule::CallerKeys, Some(wait), sentence));
        }
    }
    found
}

/// Whether numbers like this one are believed to be somebody's.
fn prefix(rules: &GuardRules, facts: &Facts<'_>, now: &Now) -> impl Iterator<Item = Refusal> {
    let many = facts.prefix.and_then(|ledger| ledger.prefix_full_for(facts.tail, rules, now)).map(|wait| {
        let most = rules.per_prefix_hour;
        let sentence = format!(
            "{most} numbers that differ from this one in the last four digits only were written to in the last hour: `[guard] \
             per_prefix_hour`. Numbers that were approved in the last 90 days, and those on the safe list, pass."
        );
        refusal(Rule::Prefix, Some(wait), sentence)
    });
    let distrust = facts.conversion.into_iter().flatten().filter_map(|ledger| ledger.distrusted_for(now)).max();
    let distrust = distrust.filter(|_| facts.is_code).map(|wait| {
        let (percent, after) = (rules.conversion_percent, rules.conversion_after);
        let sentence = format!(
            "Of {after} codes to numbers like this one fewer than {percent} in a hundred came back: `[guard] conversion_percent`, \
             `conversion_after`. Numbers that were approved in the last 90 days, and those on the safe list, pass."
        );
        refusal(Rule::Conversion, Some(wait), sentence)
    });
    many.into_iter().chain(distrust)
}

/// The refusals by their modes: the one to answer with, or else those that would have been one. Of several the answer is
/// what never passes, and then what passes last.
pub fn judge(rules: &GuardRules, refusals: Vec<Refusal>) -> Result<Vec<Refusal>, Refusal> {
    let (enforced, others): (Vec<_>, Vec<_>) =
        refusals.into_iter().partition(|refusal| rules.mode_of(refusal.rule) == Mode::Enforce);
    let mut answer: Option<Refusal> = None;
    for refusal in enforced {
        let passes_last =
            |answer: &Refusal| answer.retry.is_some() && refusal.retry.is_none_or(|wait| Some(wait) > answer.retry);
        if answer.as_ref().is_none_or(passes_last) {
            answer = Some(refusal);
        }
    }
    match answer {
        Some(refusal) => Err(refusal),
        None => Ok(others.into_iter().filter(|refusal| rules.mode_of(refusal.rule) == Mode::Shadow).collect()),
    }
}

fn refusal(rule: Rule, retry: Option<Duration>, sentence: impl Into<String>) -> Refusal {
    Refusal { rule, retry, sentence: sentence.into() }
}

/// When to come back to a gateway that was stopped by hand.
const STOPPED: Duration = Duration::from_secs(60);
const SOON: Duration = Duration::from_secs(5);
const QUEUE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests;
