//! The guard inside the committer: what it knows of a number, a client, a key and a prefix is read, weighed by the pure rules in
//! `otp/guard`, and counted in the same commit as what it let through. What it refuses changes nothing.

mod ledgers;
mod lists;

pub use ledgers::{KeptLedger, KeptMark};
pub use lists::{GuardOrder, Listed, ListedQuery};

pub(super) use ledgers::Ledgers;
pub(super) use lists::Orders;

use super::audit::NewAudit;
use super::engine::Engine;
use super::{ApiKey, Scope, StoreError};
use crate::domain::audit::AuditKind;
use crate::domain::event::{EventKind, NewEvent};
use crate::domain::guard::{GuardRules, List, Refusal, Rule, SendLimits};
use crate::domain::id::{ClientId, KeyId};
use crate::domain::message::Status;
use crate::domain::mode::Mode;
use crate::domain::msisdn::Msisdn;
use crate::domain::reason::Reason;
use crate::domain::time::{Mono, Now, Wall};
use crate::domain::verification::{Verification, VerificationState};
use crate::numbers;
use crate::otp::guard::ledger::Kind;
use crate::otp::guard::{self, Facts, in_time};
use ledgers::Subject;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// On whose behalf something is to be sent.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// The API key that asks. `None`: nobody's; then no key's limits hold.
    pub key: Option<Arc<ApiKey>>,
    /// What the caller counts by: names and values.
    pub caller_keys: Vec<CallerKey>,
}

impl Asked {
    /// On behalf of this key.
    pub fn by(key: &Arc<ApiKey>) -> Self {
        Self { key: Some(key.clone()), caller_keys: Vec::new() }
    }

    /// Whether who asks may see everything.
    pub(super) fn is_admin(&self) -> bool {
        self.key.as_ref().is_some_and(|key| key.scopes.contains(&Scope::Admin))
    }
}

/// Something that a caller counts by: one of its own names, and a value.
#[derive(Clone, PartialEq, Eq)]
pub struct CallerKey {
    /// As in `device`.
    pub name: String,
    /// Which device. Only its keyed hash is kept.
    pub value: String,
}

impl std::fmt::Debug for CallerKey {
    /// Without the value: it may be anybody's address.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

/// How the guard stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardView {
    /// Since when an admin has stopped all sending.
    pub stopped: Option<Wall>,
    /// Each rule's mode, and what it has refused, and would have refused, since otpgate started.
    pub rules: Vec<(Rule, Mode, Counted)>,
    /// Subjects that are remembered.
    pub subjects: usize,
    /// Entries of the block list and of the safe list.
    pub listed: [usize; 2],
}

/// How often a rule said no.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// And it counted.
    pub refused: u64,
    /// And it was only told.
    pub would_refuse: u64,
}

/// What the committer keeps of it.
pub(super) struct Guard {
    pub(super) rules: Arc<GuardRules>,
    pub(super) ledgers: Ledgers,
    pub(super) orders: Orders,
    counts: BTreeMap<Rule, Counted>,
    /// When the store was opened: modems come up after that.
    began: Mono,
}

impl Guard {
    /// Nothing is counted until its rules are set.
    pub(super) fn new(ledgers: Ledgers, orders: Orders, now: &Now) -> Self {
        Self { rules: Arc::new(GuardRules::off()), ledgers, orders, counts: BTreeMap::new(), began: now.mono }
    }

    /// Whether any rule wants to know.
    fn counts(&self) -> bool {
        self.rules.mode != Mode::Off
            || self.rules.modes.iter().any(|(rule, mode)| !rule.is_order() && *mode != Mode::Off)
    }
}

/// What was let through, and is to be counted.
#[derive(Default)]
pub(super) struct Pass {
    /// What would have been refused, were the rules enforced.
    pub(super) would_refuse: Vec<Refusal>,
    /// Whether it is to look as if it were sent, and is not.
    pub(super) suppressed: bool,
    counted: Option<Counts>,
}

/// Whose ledgers a send goes into.
struct Counts {
    api_key: Option<Subject>,
    prefix: Option<Subject>,
    tail: u32,
    sends: Option<Subject>,
    caller_keys: Vec<Subject>,
}

/// The subjects of a number, and what is known of it.
struct Known {
    sends: Subject,
    failures: Subject,
    failures_everywhere: Subject,
    prefix: Subject,
    conversion: Subject,
    country_conversion: Option<Subject>,
    tail: u32,
    approved: bool,
}

impl Engine {
    /// Whether something may be sent: a code with so much life, or a plain text. Changes nothing.
    pub(super) fn guard_send(
        &mut self,
        asked: &Asked,
        client: ClientId,
        to: &Msisdn,
        life: Option<Duration>,
        now: &Now,
    ) -> Result<Pass, StoreError> {
        let is_code = life.is_some();
        let conceals = asked.key.as_ref().is_some_and(|key| key.settings.conceal);
        let (blocked, opted_out) = (self.is_blocked(to), self.holds_back(to, is_code));
        let suppressed = conceals && (blocked || opted_out);
        let stopped = self.guard.orders.stopped().is_some();
        if opted_out && !suppressed && !self.is_stopped() {
            return Err(StoreError::OptedOut);
        }
        // In shadow mode it is told, and not concealed.
        let blocked = !suppressed && self.guard.orders.has(List::Blocked, to);
        let (no_countries, counts) = (BTreeSet::new(), self.guard.counts());
        let mut counted = None;
        let refusals = if counts {
            let (country, kind) = numbers::place(to);
            let known = self.known_of(client, to, country.map(|country| country.as_str().to_owned()), now);
            let late_by = life.and_then(|life| self.late_by(to, life, now));
            let api_key = asked.key.as_ref().map(|key| (key, self.subject(Kind::ApiKey, &[&key.id.0.to_be_bytes()])));
            let caller_keys: Vec<_> =
                asked.caller_keys.iter().map(|key| self.subject_of_caller_key(client, key)).collect();
            let of_caller: Vec<_> = asked.caller_keys.iter().zip(&caller_keys).collect();
            let of_caller: Vec<_> =
                of_caller.into_iter().map(|(key, subject)| (key.name.as_str(), self.ledger(subject))).collect();
            let key_limits = self.limits_of(asked);
            let facts = Facts {
                is_code,
                stopped,
                blocked,
                safe: self.guard.orders.has(List::Safe, to),
                country,
                kind,
                key_countries: asked.key.as_ref().map_or(&no_countries, |key| &key.settings.countries),
                key_limits,
                api_key: api_key.as_ref().and_then(|(_, subject)| self.ledger(subject)),
                sends: self.ledger(&known.sends),
                failures: self.ledger(&known.failures),
                failures_everywhere: self.ledger(&known.failures_everywhere),
                caller_keys: &of_caller,
                prefix: self.ledger(&known.prefix),
                tail: known.tail,
                conversion: [
                    self.ledger(&known.conversion),
                    // The whole country that is served is not given up for that.
                    known.country_conversion.filter(|_| country != self.guard.rules.home).and_then(|s| self.ledger(&s)),
                ],
                approved: known.approved,
                queued: self.index.queued(),
                late_by,
            };
            let trusted = facts.safe || facts.approved;
            let refusals = guard::refusals(&self.guard.rules, &facts, now);
            let limited = key_limits != SendLimits::default();
            counted = Some(Counts {
                api_key: api_key.filter(|_| limited).map(|(_, subject)| subject),
                prefix: (!trusted).then_some(known.prefix),
                tail: known.tail,
                sends: is_code.then_some(known.sends),
                caller_keys: if is_code { caller_keys } else { Vec::new() },
            });
            refusals
        } else {
            guard::orders(stopped, blocked).collect()
        };
        let mut would_refuse = self.judge(refusals, client, Some(to))?;
        // Told by no other way either.
        would_refuse.retain(|refusal| !(conceals && refusal.rule == Rule::Blocked));
        if suppressed {
            tracing::info!(client.id = %client, %to, "Suppressed what goes to a number that is blocked or has opted out");
        }
        Ok(Pass { would_refuse, suppressed, counted })
    }

    /// Counts what was let through.
    pub(super) fn count_send(&mut self, pass: &Pass, now: &Now) {
        let Some(counts) = &pass.counted else { return };
        let rules = self.guard.rules.clone();
        if let Some(subject) = &counts.api_key {
            self.change_ledger(subject, now, |ledger| ledger.sent_by_api_key(now));
        }
        if let Some(subject) = &counts.prefix {
            self.change_ledger(subject, now, |ledger| ledger.sent_to_prefix(counts.tail, &rules, now));
        }
        if let Some(subject) = &counts.sends {
            self.change_ledger(subject, now, |ledger| ledger.sent(&rules, now));
        }
        for subject in &counts.caller_keys {
            self.change_ledger(subject, now, |ledger| ledger.sent_for_caller_key(&rules, now));
        }
    }

    /// Whether a code may be compared. Changes nothing.
    pub(super) fn guard_check(&mut self, verification: &Verification, now: &Now) -> Result<Vec<Refusal>, StoreError> {
        if !self.guard.counts() || verification.is_final() {
            return Ok(Vec::new());
        }
        let (client, to) = (verification.client, &verification.to);
        let [own, everywhere] = self.failures_of(client, to);
        let (own, everywhere) = (self.ledger(&own), self.ledger(&everywhere));
        let refusals = guard::locks(&self.guard.rules, own, everywhere, now).collect();
        self.judge(refusals, client, Some(to))
    }

    /// Counts what came of a check.
    pub(super) fn count_check(&mut self, verification: &Verification, right: bool, now: &Now) {
        if !self.guard.counts() {
            return;
        }
        if let Some(key) = verification.origin.key {
            self.note_that_it_checks(key, now);
        }
        let rules = self.guard.rules.clone();
        let (client, to) = (verification.client, &verification.to);
        let [own, everywhere] = self.failures_of(client, to);
        match verification.state {
            VerificationState::Approved => {
                self.forget_ledger(&own);
                let digits = to.reveal_digits().as_bytes();
                let (approved, sends) = (self.subject(Kind::Approved, &[digits]), self.subject(Kind::Sends, &[digits]));
                self.change_ledger(&approved, now, |ledger| ledger.remember(now));
                if self.ledger(&sends).is_some() {
                    self.change_ledger(&sends, now, |ledger| ledger.answered());
                }
            }
            VerificationState::Pending | VerificationState::MaxAttemptsReached if !right => {
                self.change_ledger(&own, now, |ledger| ledger.failed(&rules, now));
                if self.change_ledger(&everywhere, now, |ledger| ledger.failed_everywhere(&rules, now)) {
                    let most = rules.failed_checks_everywhere;
                    self.guard_alarm(
                        format!("{most} wrong codes were given for {to} in 24 hours: somebody may be guessing"),
                        now,
                    );
                }
            }
            _ => {}
        }
    }

    /// A verification has ended: whether its code came back, says something of numbers like this one.
    pub(super) fn count_end(&mut self, verification: &Verification, now: &Now) {
        let approved = match verification.state {
            VerificationState::Approved => true,
            VerificationState::Expired | VerificationState::MaxAttemptsReached => false,
            VerificationState::Canceled(Reason::CanceledByCaller) => false,
            // A newer code took its place: that one's end tells.
            VerificationState::Canceled(_) | VerificationState::Pending => return,
        };
        if !self.guard.counts() || !verification.origin.key.is_some_and(|key| self.checks(key, now)) {
            return;
        }
        // What never left can't have come back.
        let left = self.index.entry(verification.message).is_some_and(|entry| {
            matches!(entry.status, Status::Submitted | Status::Delivered | Status::Undelivered | Status::Uncertain)
        });
        if !left {
            return;
        }
        let rules = self.guard.rules.clone();
        let to = &verification.to;
        let country = numbers::place(to).0;
        let known = self.known_of(verification.client, to, country.map(|country| country.as_str().to_owned()), now);
        let (prefix, _) = split(to);
        let (percent, after) = (rules.conversion_percent, rules.conversion_after);
        if self.change_ledger(&known.conversion, now, |ledger| ledger.ended(approved, &rules, now)) {
            let words = format!(
                "Of {after} codes to numbers like +{prefix}… fewer than {percent} in a hundred came back: they get none for 12 \
                 hours, unless the rule `conversion` is not enforced"
            );
            self.guard_alarm(words, now);
        }
        if let (Some(subject), Some(country)) = (known.country_conversion, country)
            && self.change_ledger(&subject, now, |ledger| ledger.ended(approved, &rules, now))
        {
            self.guard_alarm(
                format!("Of {after} codes to numbers of {country} fewer than {percent} in a hundred came back"),
                now,
            );
        }
    }

    /// What an admin unlocks: what is counted of a number is forgotten.
    pub(super) fn unlock(&mut self, number: &Msisdn) -> Result<(), StoreError> {
        self.refuse_writes()?;
        let digits = number.reveal_digits();
        for kind in [Kind::Sends, Kind::FailuresEverywhere] {
            let subject = self.subject(kind, &[digits.as_bytes()]);
            self.forget_ledger(&subject);
        }
        self.forget_ledgers_of_number(digits);
        self.audit(NewAudit { number: Some(number.clone()), ..NewAudit::of(AuditKind::NumberUnlocked) });
        Ok(())
    }

    /// How it stands.
    pub(super) fn guard_view(&self) -> GuardView {
        let guard = &self.guard;
        let counted = |rule| guard.counts.get(&rule).copied().unwrap_or_default();
        GuardView {
            stopped: guard.orders.stopped(),
            rules: Rule::ALL.map(|rule| (rule, guard.rules.mode_of(rule), counted(rule))).into(),
            subjects: guard.ledgers.len(),
            listed: [List::Blocked, List::Safe].map(|list| guard.orders.count(list)),
        }
    }

    /// Whether an admin has stopped all sending, and that is heeded.
    pub(super) fn is_stopped(&self) -> bool {
        self.guard.orders.stopped().is_some() && self.guard.rules.mode_of(Rule::Stop) == Mode::Enforce
    }

    /// Whether a number is on the block list, and that is heeded.
    pub(super) fn is_blocked(&self, to: &Msisdn) -> bool {
        self.guard.rules.mode_of(Rule::Blocked) == Mode::Enforce && self.guard.orders.has(List::Blocked, to)
    }

    /// Whether what is called off for a client, since its recipient is not to be written to, is concealed from it.
    pub(super) fn conceals_from(&self, client: ClientId) -> bool {
        let keys = self.keys.read().unwrap_or_else(|e| e.into_inner());
        keys.0.values().any(|key| key.client == client && key.settings.conceal)
    }

    /// Weighs what says no. What only would have is logged and given back.
    fn judge(
        &mut self,
        refusals: Vec<Refusal>,
        client: ClientId,
        to: Option<&Msisdn>,
    ) -> Result<Vec<Refusal>, StoreError> {
        if refusals.is_empty() {
            return Ok(refusals);
        }
        let to = to.map(Msisdn::to_string).unwrap_or_default();
        match guard::judge(&self.guard.rules, refusals) {
            Ok(would_refuse) => {
                for refusal in &would_refuse {
                    self.guard.counts.entry(refusal.rule).or_default().would_refuse += 1;
                    let rule = refusal.rule.as_str();
                    tracing::info!(guard.rule = rule, guard.mode = "shadow", client.id = %client, to, "The guard would refuse this");
                }
                Ok(would_refuse)
            }
            Err(refusal) => {
                self.guard.counts.entry(refusal.rule).or_default().refused += 1;
                let rule = refusal.rule.as_str();
                tracing::info!(guard.rule = rule, guard.mode = "enforce", client.id = %client, to, "Refused by the guard");
                Err(StoreError::Guarded(refusal))
            }
        }
    }

    fn known_of(&self, client: ClientId, to: &Msisdn, country: Option<String>, now: &Now) -> Known {
        let digits = to.reveal_digits().as_bytes();
        let (prefix, tail) = split(to);
        let [failures, failures_everywhere] = self.failures_of(client, to);
        let approved = self.subject(Kind::Approved, &[digits]);
        Known {
            sends: self.subject(Kind::Sends, &[digits]),
            failures,
            failures_everywhere,
            prefix: self.subject(Kind::Prefix, &[prefix.as_bytes()]),
            conversion: self.subject(Kind::PrefixConversion, &[prefix.as_bytes()]),
            country_conversion: country.map(|country| self.subject(Kind::CountryConversion, &[country.as_bytes()])),
            tail,
            approved: self.ledger(&approved).is_some_and(|ledger| ledger.is_remembered(now)),
        }
    }

    fn failures_of(&self, client: ClientId, to: &Msisdn) -> [Subject; 2] {
        let digits = to.reveal_digits();
        let own = self.subject_of_number(Kind::Failures, &client.0.to_be_bytes(), digits);
        [own, self.subject(Kind::FailuresEverywhere, &[digits.as_bytes()])]
    }

    fn subject_of_caller_key(&self, client: ClientId, key: &CallerKey) -> Subject {
        let client = client.0.to_be_bytes();
        self.subject(Kind::CallerKey, &[&client, key.name.as_bytes(), key.value.as_bytes()])
    }

    fn limits_of(&self, asked: &Asked) -> SendLimits {
        let (own, general) = (asked.key.as_ref().map(|key| key.settings.limits), self.guard.rules.per_key);
        let Some(own) = own else { return SendLimits::default() };
        SendLimits {
            per_minute: own.per_minute.or(general.per_minute),
            per_hour: own.per_hour.or(general.per_hour),
            per_day: own.per_day.or(general.per_day),
        }
    }

    /// By how much a code would come too late, as far as can be told.
    fn late_by(&mut self, to: &Msisdn, life: Duration, now: &Now) -> Option<Duration> {
        if self.guard.rules.mode_of(Rule::InTime) == Mode::Off {
            return None;
        }
        let number = self.number_hash(to);
        let (lanes, ahead) = self.index.lanes(to, number, now);
        // Modems come up, or come back: that is worth a moment.
        let expected = now.mono - self.guard.began < COMES_UP || self.index.sim_cards.next_change(now.mono).is_some();
        if lanes.is_empty() && expected {
            return None;
        }
        in_time::late_by(&lanes, ahead, life)
    }

    fn checks(&self, key: KeyId, now: &Now) -> bool {
        let subject = self.subject(Kind::Checks, &[&key.0.to_be_bytes()]);
        self.ledger(&subject).is_some_and(|ledger| ledger.is_remembered(now))
    }

    fn note_that_it_checks(&mut self, key: KeyId, now: &Now) {
        let subject = self.subject(Kind::Checks, &[&key.0.to_be_bytes()]);
        let known = self.ledger(&subject).and_then(|ledger| ledger.marks.last());
        if known.is_none_or(|mark| mark.at.age(now) > NOTED_AGAIN) {
            self.change_ledger(&subject, now, |ledger| ledger.remember(now));
        }
    }

    fn guard_alarm(&mut self, sentence: String, now: &Now) {
        tracing::warn!("The guard raises an alarm; GET /v1/events?kind=guard.alarm says more");
        self.note(NewEvent { kind: EventKind::GuardAlarm, modem: None, sim_card: None, sentence, about: None }, now);
    }
}

/// A number's prefix, and its last four digits.
fn split(number: &Msisdn) -> (&str, u32) {
    let digits = number.reveal_digits();
    let (prefix, tail) = digits.split_at(digits.len() - 4);
    (prefix, tail.parse().unwrap_or_default())
}

/// A start brings modems up in this time, as a rule.
const COMES_UP: Duration = Duration::from_secs(60);
/// That a key checks is noted once in so long.
const NOTED_AGAIN: Duration = Duration::from_secs(24 * 3600);
