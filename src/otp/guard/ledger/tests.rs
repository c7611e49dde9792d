use super::*;
use crate::domain::time::{BootId, BootTime, Mono, Wall};
use proptest::collection::vec;
use proptest::prelude::*;

/// So many seconds after a boot; the wall clock stands anywhere.
fn at(s: u64) -> Now {
    let since_boot = Duration::from_secs(1_000_000 + s);
    Now { mono: Mono(since_boot), boot: BootTime { id: BootId(1), since_boot }, wall: Wall((s as i64 * 7919) % 10_007) }
}

fn rules() -> GuardRules {
    GuardRules::default()
}

fn secs(wait: Option<Duration>) -> Option<u64> {
    wait.map(|wait| wait.as_secs())
}

#[test]
fn a2_three_codes_in_ten_minutes_and_five_a_day() {
    let mut ledger = Ledger::new(Kind::Sends);
    for s in [0, 100, 200] {
        assert_eq!(secs(ledger.sends_full_for(&rules(), &at(s))), None, "{s}");
        ledger.sent(&rules(), &at(s));
    }
    assert_eq!(secs(ledger.sends_full_for(&rules(), &at(210))), Some(390));
    for s in [600, 700] {
        assert_eq!(secs(ledger.sends_full_for(&rules(), &at(s))), None, "{s}");
        ledger.sent(&rules(), &at(s));
    }
    assert_eq!(secs(ledger.sends_full_for(&rules(), &at(3_000))), Some(86_400 - 3_000));
    assert_eq!(secs(ledger.sends_full_for(&rules(), &at(86_400))), None);
}

#[test]
fn a2_the_ladder_of_resends_is_60_120_240_and_begins_anew() {
    let mut ledger = Ledger::new(Kind::Sends);
    assert_eq!(ledger.resend_waits_for(&rules(), &at(0)), None, "the first waits for nothing");
    for (n, wait) in [60, 120, 240, 240, 240].into_iter().enumerate() {
        let s = n as u64 * 300;
        ledger.sent(&rules(), &at(s));
        assert_eq!(secs(ledger.resend_waits_for(&rules(), &at(s))), Some(wait), "after {} codes", n + 1);
        assert_eq!(secs(ledger.resend_waits_for(&rules(), &at(s + wait - 1))), Some(1));
        assert_eq!(secs(ledger.resend_waits_for(&rules(), &at(s + wait))), None);
    }
    let mut answered = ledger.clone();
    answered.answered();
    assert_eq!(answered.resend_waits_for(&rules(), &at(1_201)), None, "its owner is there");
    ledger.sent(&rules(), &at(1_200 + 3_600));
    assert_eq!(secs(ledger.resend_waits_for(&rules(), &at(1_200 + 3_600))), Some(60), "after a quiet hour");
}

#[test]
fn s4_ten_wrong_codes_in_an_hour_and_then_waits_that_double() {
    let mut ledger = Ledger::new(Kind::Failures);
    for s in 0..9 {
        ledger.failed(&rules(), &at(s));
        assert_eq!(ledger.locked_for(&at(s)), None, "wrong code {}", s + 1);
    }
    let mut s = 9;
    for wait in [30, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600, 3_600] {
        ledger.failed(&rules(), &at(s));
        assert_eq!(secs(ledger.locked_for(&at(s))), Some(wait));
        assert_eq!(ledger.locked_for(&at(s + wait)), None);
        s += wait;
    }
    ledger.failed(&rules(), &at(s + 86_400));
    assert_eq!(ledger.locked_for(&at(s + 86_400)), None, "after a quiet day it begins anew");
}

#[test]
fn nine_wrong_codes_an_hour_lock_nobody_up() {
    let mut ledger = Ledger::new(Kind::Failures);
    for n in 0..200 {
        ledger.failed(&rules(), &at(n * 401));
        assert_eq!(ledger.locked_for(&at(n * 401)), None, "wrong code {n}");
    }
}

#[test]
fn a_hundred_wrong_codes_a_day_are_one_alarm() {
    let mut ledger = Ledger::new(Kind::FailuresEverywhere);
    let alarms: Vec<_> = (0..120).filter(|n| ledger.failed_everywhere(&rules(), &at(n * 60))).collect();
    assert_eq!(alarms, [99]);
    assert_eq!(secs(ledger.locked_everywhere_for(&rules(), &at(120 * 60))), Some(86_400 - 100 * 60));
}

#[test]
fn a4_ten_numbers_of_a_prefix_in_an_hour() {
    let mut ledger = Ledger::new(Kind::Prefix);
    for tail in 0..10 {
        assert_eq!(ledger.prefix_full_for(tail, &rules(), &at(u64::from(tail))), None);
        ledger.sent_to_prefix(tail, &rules(), &at(u64::from(tail)));
    }
    assert_eq!(secs(ledger.prefix_full_for(10, &rules(), &at(20))), Some(3_580));
    assert_eq!(ledger.prefix_full_for(3, &rules(), &at(20)), None, "one of the ten");
    assert_eq!(ledger.prefix_full_for(10, &rules(), &at(3_600)), None);
}

#[test]
fn a3_a_callers_key_has_five_codes_in_ten_minutes_and_twenty_an_hour() {
    let mut ledger = Ledger::new(Kind::CallerKey);
    let (mut s, mut sent) = (0, Vec::new());
    while s < 3_600 {
        if ledger.caller_key_full_for(&rules(), &at(s)).is_none() {
            ledger.sent_for_caller_key(&rules(), &at(s));
            sent.push(s);
        }
        s += 10;
    }
    assert_eq!(sent.len(), 20);
    assert!(sent.windows(6).all(|six| six[5] - six[0] >= 600), "{sent:?}");
}

#[test]
fn a5_codes_that_do_not_come_back_are_not_sent_for_twelve_hours() {
    let run = |approved: &dyn Fn(u64) -> bool, n: u64| {
        let mut ledger = Ledger::new(Kind::PrefixConversion);
        let tripped: Vec<_> = (0..n).filter(|i| ledger.ended(approved(*i), &rules(), &at(i * 60))).collect();
        (ledger, tripped)
    };
    let (ledger, tripped) = run(&|_| false, 20);
    assert_eq!(tripped, [19], "the twentieth");
    assert_eq!(secs(ledger.distrusted_for(&at(19 * 60))), Some(12 * 3_600));
    assert_eq!(ledger.distrusted_for(&at(19 * 60 + 12 * 3_600)), None);
    assert_eq!(run(&|i| i % 5 == 0, 200).1, [0u64; 0], "one in five");
    assert_eq!(run(&|i| i % 6 == 0, 60).1, [20], "one in six, and then what was under way says nothing more");
    assert_eq!(run(&|_| false, 19).1, [0u64; 0], "too few to tell");
}

proptest! {
    /// Marks that were drawn together let never more through than the limit, and hold nobody back for longer than a window
    /// and the width of a stretch.
    #[test]
    fn an_api_keys_limits_hold(gaps in vec(0u64..400, 1..400), per_minute in 1u32..6, per_hour in 1u32..40) {
        let limits = SendLimits { per_minute: Some(per_minute), per_hour: Some(per_hour), per_day: Some(100) };
        let (mut ledger, mut s, mut sent) = (Ledger::new(Kind::ApiKey), 0, Vec::new());
        for gap in gaps {
            s += gap;
            match ledger.api_key_full_for(&limits, &at(s)) {
                None => {
                    ledger.sent_by_api_key(&at(s));
                    sent.push(s);
                }
                Some((wait, _)) => prop_assert!(wait <= DAY),
            }
            for (window, limit) in [(60, per_minute), (3_600, per_hour), (86_400, 100)] {
                let used = sent.iter().filter(|t| s - **t < window).count();
                prop_assert!(used <= limit as usize, "{used} in {window} s");
            }
            prop_assert!(ledger.marks.len() <= 200);
        }
    }

    /// Whatever happens and however long it goes on: marks are few, and all of it is over some day.
    #[test]
    fn ledgers_stay_small_and_end(gaps in vec(0u64..10_000, 1..300)) {
        let (mut s, rules) = (0, rules());
        let kinds = [Kind::Sends, Kind::Failures, Kind::FailuresEverywhere, Kind::CallerKey, Kind::Prefix, Kind::PrefixConversion];
        let mut ledgers = kinds.map(Ledger::new);
        for gap in gaps {
            s += gap;
            for ledger in &mut ledgers {
                match ledger.kind {
                    Kind::Sends => ledger.sent(&rules, &at(s)),
                    Kind::Failures => ledger.failed(&rules, &at(s)),
                    Kind::FailuresEverywhere => drop(ledger.failed_everywhere(&rules, &at(s))),
                    Kind::CallerKey => ledger.sent_for_caller_key(&rules, &at(s)),
                    Kind::Prefix => ledger.sent_to_prefix(gap as u32, &rules, &at(s)),
                    _ => drop(ledger.ended(false, &rules, &at(s))),
                }
                prop_assert!(ledger.marks.len() <= 100, "{:?}", ledger.kind);
                prop_assert!(ledger.ends().left(&at(s)) <= DAY);
            }
        }
        let later = at(s + 86_400);
        for ledger in &ledgers {
            prop_assert_eq!(ledger.sends_full_for(&rules, &later), None);
            prop_assert_eq!(ledger.locked_for(&later), None);
            prop_assert_eq!(ledger.locked_everywhere_for(&rules, &later), None);
            prop_assert_eq!(ledger.caller_key_full_for(&rules, &later), None);
            prop_assert_eq!(ledger.distrusted_for(&later), None);
        }
    }
}
