use super::ledger::Kind;
use super::*;
use crate::domain::time::{BootId, BootTime, Mono, Wall};

fn at(s: u64) -> Now {
    let since_boot = Duration::from_secs(s);
    Now { mono: Mono(since_boot), boot: BootTime { id: BootId(1), since_boot }, wall: Wall(0) }
}

fn rules() -> GuardRules {
    GuardRules { home: Some(Country::US), ..GuardRules::default() }
}

static NONE: BTreeSet<Country> = BTreeSet::new();

/// A mobile number at home, of which nothing is known.
fn facts() -> Facts<'static> {
    Facts {
        is_code: true,
        stopped: false,
        blocked: false,
        safe: false,
        country: Some(Country::US),
        kind: NumberKind::FixedLineOrMobile,
        key_countries: &NONE,
        key_limits: SendLimits::default(),
        api_key: None,
        sends: None,
        failures: None,
        failures_everywhere: None,
        caller_keys: &[],
        prefix: None,
        tail: 1,
        conversion: [None, None],
        approved: false,
        queued: 0,
        late_by: None,
    }
}

/// Ledgers of which each says no.
fn full(kind: Kind) -> Ledger {
    let mut ledger = Ledger::new(kind);
    for n in 0..100u32 {
        match kind {
            Kind::Sends => ledger.sent(&rules(), &at(0)),
            Kind::Failures => ledger.failed(&rules(), &at(0)),
            Kind::FailuresEverywhere => drop(ledger.failed_everywhere(&rules(), &at(0))),
            Kind::CallerKey => ledger.sent_for_caller_key(&rules(), &at(0)),
            Kind::Prefix => ledger.sent_to_prefix(n + 100, &rules(), &at(0)),
            Kind::ApiKey => ledger.sent_by_api_key(&at(0)),
            Kind::PrefixConversion | Kind::CountryConversion => drop(ledger.ended(false, &rules(), &at(0))),
            Kind::Approved | Kind::Checks => ledger.remember(&at(0)),
        }
    }
    ledger
}

fn words(facts: &Facts<'_>) -> Vec<&'static str> {
    refusals(&rules(), facts, &at(1)).iter().map(|refusal| refusal.rule.as_str()).collect()
}

#[test]
fn each_rule_says_no_and_names_its_setting() {
    let kinds = [Kind::Sends, Kind::Failures, Kind::FailuresEverywhere, Kind::CallerKey, Kind::Prefix];
    let [sends, failures, everywhere, caller, prefix] = kinds.map(full);
    let (api_key, conversion) = (full(Kind::ApiKey), full(Kind::PrefixConversion));
    let germany = BTreeSet::from([Country::parse("DE").unwrap()]);
    let caller_keys = [("device", Some(&caller)), ("ip", None)];
    let limits = SendLimits { per_minute: None, per_hour: Some(5), per_day: None };
    let rows: [(Facts<'_>, &[&str], &str); 17] = [
        (facts(), &[], ""),
        (Facts { stopped: true, ..facts() }, &["stop"], "/v1/guard/start"),
        (Facts { blocked: true, ..facts() }, &["blocked"], "/v1/guard/blocked/"),
        (Facts { country: Country::parse("CA").ok(), ..facts() }, &["country"], "`country`"),
        (Facts { country: None, ..facts() }, &["country"], "`[guard] countries`"),
        (Facts { key_countries: &germany, ..facts() }, &["country"], "the API key's `countries`"),
        (Facts { kind: NumberKind::PremiumRate, ..facts() }, &["number_type"], "`[guard] number_types`"),
        (Facts { kind: NumberKind::Voip, ..facts() }, &["number_type"], "voip"),
        (Facts { sends: Some(&sends), ..facts() }, &["number_sends", "resend_wait"], "`[guard] per_number_10_minutes`"),
        (Facts { failures: Some(&failures), ..facts() }, &["failed_checks"], "`[guard] failed_checks`"),
        (
            Facts { failures_everywhere: Some(&everywhere), ..facts() },
            &["failed_checks_everywhere"],
            "`[guard] failed_checks_everywhere`",
        ),
        (Facts { caller_keys: &caller_keys, ..facts() }, &["caller_keys"], "`limits_by.device`"),
        (Facts { prefix: Some(&prefix), ..facts() }, &["prefix"], "per_prefix_hour`"),
        (Facts { conversion: [Some(&conversion), None], ..facts() }, &["conversion"], "`[guard] conversion_percent`"),
        (Facts { api_key: Some(&api_key), key_limits: limits, ..facts() }, &["key_limits"], "`per_hour`"),
        (Facts { late_by: Some(Duration::from_secs(9)), ..facts() }, &["in_time"], "`[guard.rules] in_time`"),
        (Facts { queued: 10_000, ..facts() }, &["queue"], "`[guard] max_queued`"),
    ];
    for (facts, expected, setting) in rows {
        assert_eq!(words(&facts), expected);
        if let [refusal, ..] = &refusals(&rules(), &facts, &at(1))[..] {
            assert!(refusal.sentence.contains(setting), "{}", refusal.sentence);
            let passes = !matches!(refusal.rule, Rule::Blocked | Rule::Country | Rule::NumberType);
            assert_eq!(refusal.retry.is_some(), passes, "{}", refusal.rule.as_str());
        }
    }
}

#[test]
fn a7_what_is_safe_or_approved_passes() {
    let kinds = [Kind::Sends, Kind::Failures, Kind::CallerKey, Kind::Prefix, Kind::PrefixConversion];
    let [sends, failures, caller, prefix, conversion] = kinds.map(full);
    let caller_keys = [("ip", Some(&caller))];
    let all = Facts {
        stopped: true,
        blocked: true,
        country: None,
        kind: NumberKind::Pager,
        sends: Some(&sends),
        failures: Some(&failures),
        caller_keys: &caller_keys,
        prefix: Some(&prefix),
        conversion: [Some(&conversion), None],
        ..facts()
    };
    let to_a_stranger = ["stop", "blocked", "country", "number_type", "failed_checks", "number_sends", "resend_wait"];
    assert_eq!(words(&all), [&to_a_stranger[..], &["caller_keys", "prefix", "conversion"]].concat());
    assert_eq!(words(&Facts { approved: true, ..all }), [&to_a_stranger[..], &["caller_keys"]].concat());
    // Whoever guesses at a safe number's code is held back all the same.
    assert_eq!(words(&Facts { safe: true, ..all }), ["stop", "blocked", "failed_checks"]);
    let text = ["stop", "blocked", "country", "number_type", "prefix"];
    assert_eq!(words(&Facts { is_code: false, ..all }), text, "a plain text");
}

#[test]
fn a8_modes_decide_what_a_rule_does() {
    let no = |rule, retry: Option<u64>| refusal(rule, retry.map(Duration::from_secs), "no");
    let all = || vec![no(Rule::Country, None), no(Rule::NumberSends, Some(9)), no(Rule::Prefix, Some(99))];
    let with = |mode, modes: &[(Rule, Mode)]| GuardRules { mode, modes: modes.iter().copied().collect(), ..rules() };
    let judged = |rules: &GuardRules| match judge(rules, all()) {
        Err(refusal) => vec!["refused by", refusal.rule.as_str()],
        Ok(shadow) => shadow.iter().map(|refusal| refusal.rule.as_str()).collect(),
    };
    assert_eq!(judged(&with(Mode::Enforce, &[])), ["refused by", "country"], "what never passes goes first");
    assert_eq!(
        judged(&with(Mode::Enforce, &[(Rule::Country, Mode::Off)])),
        ["refused by", "prefix"],
        "then what lasts"
    );
    assert_eq!(judged(&with(Mode::Shadow, &[])), ["country", "number_sends", "prefix"]);
    assert_eq!(judged(&with(Mode::Shadow, &[(Rule::Country, Mode::Off)])), ["number_sends", "prefix"]);
    assert_eq!(judged(&with(Mode::Shadow, &[(Rule::NumberSends, Mode::Enforce)])), ["refused by", "number_sends"]);
    assert_eq!(judged(&with(Mode::Off, &[])), [""; 0]);
    for mode in [Mode::Shadow, Mode::Off] {
        let orders = [Rule::Stop, Rule::Blocked].map(|rule| with(mode, &[]).mode_of(rule));
        assert_eq!(orders, [Mode::Enforce; 2], "an admin's order holds");
    }
    assert_eq!(with(Mode::Enforce, &[(Rule::Stop, Mode::Shadow)]).mode_of(Rule::Stop), Mode::Shadow, "unless named");
}
