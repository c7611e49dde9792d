//! The guard: what it counts outlives restarts, crashes and clocks, and what it refuses changes nothing.

use super::*;
use otpgate::domain::country::Country;
use otpgate::domain::guard::{List, Pattern, Rule};
use otpgate::domain::id::KeyId;
use otpgate::domain::mode::Mode;
use otpgate::domain::reason::Reason;
use otpgate::domain::verification::VerificationState;
use otpgate::store::{ApiKey, CallerKey, KeyLimits, KeySettings, ListedQuery, MessageQuery, Scope, Wait};

on_both_stores! {
    a_limit_hit_is_a_limit_after_a_restart
    wrong_codes_are_counted_over_new_codes_and_restarts
    the_right_code_ends_the_waits
    an_admin_unlocks_a_number
    what_is_refused_changes_nothing
    shadow_refuses_nothing_and_tells
    a_callers_keys_are_counted_by_their_hashes
    an_api_keys_limits_outlive_a_restart
    the_lists_hold_over_a_restart
    the_kill_switch_holds_over_a_restart
    l16_a_clock_that_jumps_neither_frees_nor_locks_up
    l16_another_boot_with_a_clock_set_back_neither_frees_nor_locks_up
    what_holds_nothing_any_more_is_forgotten
    concealed_is_so_on_every_surface
    concealed_is_so_for_what_opts_out_later
    codes_that_do_not_come_back_close_their_prefix
}

/// Anna's and Bob's numbers are in no numbering plan; this one is.
const CARLA: &str = "+447400123456";

fn carla() -> Msisdn {
    Msisdn::parse(CARLA).unwrap()
}

/// With these rules enforced, and the others off.
async fn guarded(mut w: World, enforced: &[Rule]) -> World {
    w.guard = GuardRules {
        mode: Mode::Off,
        modes: enforced.iter().map(|rule| (*rule, Mode::Enforce)).collect(),
        home: Country::parse("GB").ok(),
        ..GuardRules::default()
    };
    w.restart().await;
    w
}

/// An API key of `ME`.
async fn api_key(w: &World, settings: KeySettings) -> Arc<ApiKey> {
    let now = w.now().wall;
    let secret_sha256 = [now.0 as u8; 32];
    let key = ApiKey {
        id: KeyId::new(now, [7; 10]),
        client: ME.client,
        name: "app".into(),
        secret_sha256,
        scopes: [Scope::Verify, Scope::Check, Scope::Read].into(),
        permissions: Default::default(),
        created: now,
        expires: None,
        revoked: None,
        settings,
    };
    w.store().create_key(key, None).await.unwrap();
    w.store().authenticate(&secret_sha256).unwrap()
}

async fn try_code(w: &World, new: NewVerification) -> Result<VerificationId, (Rule, u64)> {
    match w.store().create_verification(new, None).await {
        Ok(accepted) => Ok(accepted.value.verification.id),
        Err(StoreError::Guarded(refusal)) => Err((refusal.rule, refusal.retry.map_or(0, |wait| wait.as_secs()))),
        Err(other) => panic!("{other:?}"),
    }
}

fn to(w: &World, number: &str) -> NewVerification {
    let code = w.code();
    NewVerification { message: NewMessage { to: Msisdn::parse(number).unwrap(), ..code.message }, ..code }
}

/// Gives a wrong code.
async fn guess(w: &World, id: VerificationId) -> Result<VerificationState, (Rule, u64)> {
    match w.check(id, "000000").await {
        Ok(verdict) => {
            assert!(!verdict.valid);
            Ok(verdict.state)
        }
        Err(StoreError::Guarded(refusal)) => Err((refusal.rule, refusal.retry.map_or(0, |wait| wait.as_secs()))),
        Err(other) => panic!("{other:?}"),
    }
}

async fn a_limit_hit_is_a_limit_after_a_restart(w: World) {
    let mut w = guarded(w, &[Rule::NumberSends]).await;
    for _ in 0..3 {
        try_code(&w, w.code()).await.unwrap();
        pass(MINUTE).await;
    }
    assert_eq!(try_code(&w, w.code()).await, Err((Rule::NumberSends, 420)));
    w.restart().await;
    assert_eq!(try_code(&w, w.code()).await, Err((Rule::NumberSends, 420)));
    w.crash().await;
    assert_eq!(try_code(&w, w.code()).await, Err((Rule::NumberSends, 420)));
    let id = try_code(&w, to(&w, "+447700900456")).await.unwrap();
    assert_eq!(w.verification(id).await.sends, 1, "another number");
    pass(secs(420)).await;
    try_code(&w, w.code()).await.unwrap();
}

async fn wrong_codes_are_counted_over_new_codes_and_restarts(w: World) {
    let mut w = guarded(w, &[Rule::FailedChecks]).await;
    for round in 0..2 {
        let id = try_code(&w, w.code()).await.unwrap();
        for n in 0..5 {
            assert!(guess(&w, id).await.is_ok(), "{round} {n}");
        }
        w.restart().await;
    }
    assert_eq!(try_code(&w, w.code()).await, Err((Rule::FailedChecks, 30)));
    pass(secs(30)).await;
    let id = try_code(&w, w.code()).await.unwrap();
    for (wait, n) in [(60, 1), (120, 2), (240, 3)] {
        assert_eq!(guess(&w, id).await, Ok(VerificationState::Pending));
        assert_eq!(guess(&w, id).await, Err((Rule::FailedChecks, wait)), "without a compare");
        assert_eq!(w.verification(id).await.failures, n);
        w.crash().await;
        assert_eq!(guess(&w, id).await, Err((Rule::FailedChecks, wait)), "after a crash");
        let resent = w.resend(id, true).await;
        assert!(matches!(resent, Err(StoreError::Guarded(_))), "{resent:?}");
        if wait < 240 {
            pass(secs(wait)).await;
        }
    }
    // Another client's number is its own.
    let mut other = w.code();
    other.message.client = STRANGER.client;
    try_code(&w, other).await.unwrap();
}

async fn the_right_code_ends_the_waits(w: World) {
    let w = guarded(w, &[Rule::FailedChecks]).await;
    for left in [5, 4] {
        let id = try_code(&w, w.code()).await.unwrap();
        for _ in 0..left {
            guess(&w, id).await.unwrap();
        }
    }
    let (id, _) = w.verify(w.code()).await;
    let code = code_in(&w.claim(&modem(1)).await);
    assert!(w.check(id, &code).await.unwrap().valid);
    let id = try_code(&w, w.code()).await.unwrap();
    for _ in 0..5 {
        guess(&w, id).await.unwrap();
    }
    try_code(&w, w.code()).await.unwrap();
}

async fn an_admin_unlocks_a_number(w: World) {
    let w = guarded(w, &[Rule::FailedChecks, Rule::NumberSends]).await;
    for _ in 0..2 {
        let id = try_code(&w, w.code()).await.unwrap();
        for _ in 0..5 {
            guess(&w, id).await.unwrap();
        }
    }
    assert_eq!(try_code(&w, w.code()).await.unwrap_err().0, Rule::FailedChecks);
    w.store().unlock(anna()).await.unwrap();
    for _ in 0..3 {
        try_code(&w, w.code()).await.unwrap();
    }
    assert_eq!(try_code(&w, w.code()).await.unwrap_err().0, Rule::NumberSends);
    w.store().unlock(anna()).await.unwrap();
    try_code(&w, w.code()).await.unwrap();
}

async fn what_is_refused_changes_nothing(w: World) {
    let w = guarded(w, &[Rule::ResendWait]).await;
    let id = try_code(&w, w.code()).await.unwrap();
    let before = w.verification(id).await;
    for _ in 0..5 {
        assert_eq!(try_code(&w, w.code()).await, Err((Rule::ResendWait, 60)));
        assert!(matches!(w.resend(id, true).await, Err(StoreError::Guarded(_))));
    }
    assert_eq!(w.verification(id).await, before, "nothing is superseded by what was refused");
    assert_eq!(w.store().health().queued, 1);
    pass(MINUTE).await;
    w.resend(id, false).await.unwrap();
    assert_eq!(try_code(&w, w.code()).await, Err((Rule::ResendWait, 120)));
}

async fn shadow_refuses_nothing_and_tells(mut w: World) {
    w.guard = GuardRules { mode: Mode::Shadow, home: Some(Country::US), ..GuardRules::default() };
    w.restart().await;
    for n in 0..4 {
        let accepted = w.store().create_verification(w.code(), None).await.unwrap();
        let told: Vec<_> = accepted.would_refuse.iter().map(|refusal| refusal.rule).collect();
        let expected: &[Rule] = match n {
            0 => &[Rule::Country],
            3 => &[Rule::Country, Rule::NumberSends, Rule::ResendWait],
            _ => &[Rule::Country, Rule::ResendWait],
        };
        assert_eq!(told, expected, "code {n}");
    }
    let view = w.store().guard().await.unwrap();
    let counted = |rule| {
        let (_, mode, counted) = view.rules.iter().find(|(of, ..)| *of == rule).unwrap();
        (*mode, counted.refused, counted.would_refuse)
    };
    assert_eq!(counted(Rule::Country), (Mode::Shadow, 0, 4));
    assert_eq!(counted(Rule::NumberSends), (Mode::Shadow, 0, 1));
}

async fn a_callers_keys_are_counted_by_their_hashes(w: World) {
    let mut w = guarded(w, &[Rule::CallerKeys]).await;
    let from = |w: &World, n: u32, device: &str| {
        let mut code = to(w, &format!("+44740090{n:04}"));
        let key = |name: &str, value: &str| CallerKey { name: name.into(), value: value.into() };
        code.message.asked.caller_keys = vec![key("device", device), key("ip", &format!("192.0.2.{n}"))];
        code
    };
    for n in 0..5 {
        try_code(&w, from(&w, n, "sesame-device")).await.unwrap();
    }
    assert_eq!(try_code(&w, from(&w, 5, "sesame-device")).await, Err((Rule::CallerKeys, 600)));
    w.restart().await;
    assert_eq!(try_code(&w, from(&w, 5, "sesame-device")).await, Err((Rule::CallerKeys, 600)));
    try_code(&w, from(&w, 5, "another")).await.unwrap();
    let mut foreign = from(&w, 6, "sesame-device");
    foreign.message.client = STRANGER.client;
    try_code(&w, foreign).await.unwrap();
}

async fn an_api_keys_limits_outlive_a_restart(w: World) {
    let mut w = guarded(w, &[Rule::KeyLimits]).await;
    let limits = KeyLimits { per_minute: Some(2), per_hour: Some(3), per_day: None };
    let key = api_key(&w, KeySettings { limits, ..KeySettings::default() }).await;
    let send = async |w: &World| {
        let asked = Asked::by(&key);
        match w.store().accept(NewMessage { asked, ..w.plain() }, None).await {
            Ok(_) => None,
            Err(StoreError::Guarded(refusal)) => Some((refusal.rule, refusal.retry.unwrap().as_secs())),
            Err(other) => panic!("{other:?}"),
        }
    };
    assert_eq!([send(&w).await, send(&w).await], [None, None]);
    assert_eq!(send(&w).await, Some((Rule::KeyLimits, 60)));
    pass(MINUTE).await;
    assert_eq!(send(&w).await, None);
    w.crash().await;
    assert_eq!(send(&w).await, Some((Rule::KeyLimits, 3_540)));
    w.accept(w.plain()).await;
}

async fn the_lists_hold_over_a_restart(w: World) {
    let mut w = guarded(w, &[Rule::Country]).await;
    let pattern = |text: &str| Pattern::parse(text).unwrap();
    let foreign = "+4915112345678";
    assert_eq!(try_code(&w, to(&w, foreign)).await, Err((Rule::Country, 0)));
    let safe = w.store().list(List::Safe, pattern(foreign)).await.unwrap();
    w.store().list(List::Blocked, pattern("+447400*")).await.unwrap();
    assert_eq!(w.store().list(List::Safe, pattern(foreign)).await.unwrap(), safe, "it is there already");
    w.restart().await;
    try_code(&w, to(&w, foreign)).await.unwrap();
    assert_eq!(try_code(&w, to(&w, CARLA)).await, Err((Rule::Blocked, 0)));
    let plain = w.store().accept(NewMessage { to: carla(), ..w.plain() }, None).await;
    assert!(matches!(plain, Err(StoreError::Guarded(refusal)) if refusal.rule == Rule::Blocked));
    let page = w.store().listed(ListedQuery { list: List::Blocked, before: None, limit: 10 }).await.unwrap();
    assert_eq!((page.items.len(), page.items[0].pattern.to_string()), (1, "+447400*".to_owned()));
    w.store().list(List::Blocked, pattern(foreign)).await.unwrap();
    assert_eq!(try_code(&w, to(&w, foreign)).await, Err((Rule::Blocked, 0)), "safe is not stronger");
    w.store().unlist(List::Blocked, pattern("+447400*")).await.unwrap();
    assert_eq!(w.store().unlist(List::Blocked, pattern("+447400*")).await, Err(StoreError::NotFound));
    w.restart().await;
    let id = try_code(&w, to(&w, CARLA)).await.unwrap();
    // What waits for a number that is blocked meanwhile is not sent.
    w.store().list(List::Blocked, Pattern::Number(carla())).await.unwrap();
    let message = w.verification(id).await.message;
    let claims = [w.claim(&modem(1)).await, w.claim(&modem(2)).await];
    let claim = claims.iter().find(|claim| claim.message.id == message).unwrap();
    assert!(matches!(w.begin(claim, &modem(1)).await, Grant::Refused(_)));
    assert_eq!(w.state(message).await, State::Canceled(Reason::Blocked));
}

async fn the_kill_switch_holds_over_a_restart(w: World) {
    let mut w = guarded(w, &[]).await;
    let waits = w.accept(w.plain()).await;
    assert_eq!(w.store().stop_sending(true).await, Ok(true));
    assert_eq!(w.store().stop_sending(true).await, Ok(false));
    w.crash().await;
    assert_eq!(try_code(&w, w.code()).await, Err((Rule::Stop, 60)));
    assert!(matches!(w.store().accept(w.plain(), None).await, Err(StoreError::Guarded(_))));
    assert!(w.has_nothing_for(&modem(1)).await, "nothing that waits is sent");
    assert_eq!(w.state(waits).await, State::Queued { not_before: None, only: None, because: None });
    assert_eq!(w.store().stop_sending(false).await, Ok(true));
    w.restart().await;
    assert_eq!(w.claim(&modem(1)).await.message.id, waits);
    try_code(&w, w.code()).await.unwrap();
}

async fn l16_a_clock_that_jumps_neither_frees_nor_locks_up(w: World) {
    let mut w = guarded(w, &[Rule::NumberSends]).await;
    for _ in 0..3 {
        try_code(&w, w.code()).await.unwrap();
    }
    for jump in [3_600_000, 30 * 86_400_000, -60 * 86_400_000] {
        w.clock.jump_wall(jump);
        assert_eq!(try_code(&w, w.code()).await, Err((Rule::NumberSends, 600)), "a jump of {jump} ms");
    }
    w.clock.jump_wall(40 * 86_400_000);
    w.restart().await;
    assert_eq!(try_code(&w, w.code()).await, Err((Rule::NumberSends, 600)), "a restart within one boot");
    pass(secs(600)).await;
    try_code(&w, w.code()).await.unwrap();
}

async fn l16_another_boot_with_a_clock_set_back_neither_frees_nor_locks_up(w: World) {
    let mut w = guarded(w, &[Rule::NumberSends]).await;
    for _ in 0..3 {
        try_code(&w, w.code()).await.unwrap();
    }
    w.stop().await;
    w.clock.reboot();
    w.clock.jump_wall(-400 * 86_400_000);
    w.start();
    let (rule, wait) = try_code(&w, w.code()).await.unwrap_err();
    assert!(rule == Rule::NumberSends && wait <= 600, "{wait}");
    pass(secs(600)).await;
    try_code(&w, w.code()).await.unwrap();
}

async fn what_holds_nothing_any_more_is_forgotten(w: World) {
    let mut w = guarded(w, &[Rule::NumberSends]).await;
    for n in 0..20 {
        try_code(&w, to(&w, &format!("+44740090{n:04}"))).await.unwrap();
    }
    let subjects = async |w: &World| w.store().guard().await.unwrap().subjects;
    let full = subjects(&w).await;
    assert!(full >= 20, "{full}");
    pass(DAY + HOUR).await;
    for _ in 0..10 {
        w.accept(w.plain()).await;
    }
    w.restart().await;
    let left = subjects(&w).await;
    assert!(left <= 1, "{left} of {full}");
}

async fn concealed_is_so_on_every_surface(w: World) {
    let w = guarded(w, &[]).await;
    let key = api_key(&w, KeySettings { conceal: true, ..KeySettings::default() }).await;
    w.store().list(List::Blocked, Pattern::Number(anna())).await.unwrap();
    w.store().opt_out(bob()).await.unwrap();
    for number in ["+447700900123", "+447700900456"] {
        let mut new = to(&w, number);
        new.message.asked = Asked::by(&key);
        new.code = NewCode::Supplied(Secret::new("482917"));
        let view = w.store().create_verification(new, None).await.unwrap().value;
        assert_eq!((view.verification.state, view.message), (VerificationState::Pending, Some(Status::Queued)));
        let (id, message) = (view.verification.id, view.verification.message);
        assert!(w.has_nothing_for(&modem(1)).await, "nothing is sent");
        let seen = w.store().message(ME, message, None).await.unwrap();
        assert_eq!(seen.state, State::Queued { not_before: None, only: None, because: None });
        assert_eq!((seen.version, seen.updated), (1, seen.created));
        let admins = w.store().message(ADMIN, message, None).await.unwrap();
        assert_eq!(admins.state, State::Canceled(Reason::Suppressed));
        let query = |status| MessageQuery { status: Some(status), limit: 10, ..MessageQuery::default() };
        let listed = async |who, status| {
            let page = w.store().messages(who, query(status)).await.unwrap();
            page.items.iter().filter(|m| m.id == message).map(|m| m.status()).collect::<Vec<_>>()
        };
        assert_eq!(listed(ME, Status::Queued).await, [Status::Queued]);
        assert_eq!(listed(ME, Status::Canceled).await, []);
        assert_eq!(listed(ADMIN, Status::Canceled).await, [Status::Canceled]);
        // The code is right, and was sent to nobody.
        let verdict = w.check(id, "482917").await.unwrap();
        assert_eq!((verdict.valid, verdict.state, verdict.attempts_left), (false, VerificationState::Pending, 4));
        // A wait is a wait.
        let began = w.now().mono;
        let wait = Some(Wait { after: None, at_most: secs(20) });
        assert_eq!(w.store().message(ME, message, wait).await.unwrap().status(), Status::Queued);
        assert_eq!(w.now().mono - began, secs(20));
        pass(secs(300)).await;
        let seen = w.store().message(ME, message, None).await.unwrap();
        assert_eq!((seen.state, seen.version), (State::Expired(Reason::TtlPassed), 2));
        let admins = w.store().message(ADMIN, message, None).await.unwrap();
        assert_eq!(admins.state, State::Expired(Reason::Suppressed));
        assert_eq!(w.verification(id).await.state, VerificationState::Expired);
    }
    // It can be called off, and sent again, like any other.
    let mut new = w.code();
    new.message.asked = Asked::by(&key);
    let (id, message) = w.verify(new).await;
    let resend = Resend { message: w.message_id(), body: code_body(), fresh: false, asked: Asked::by(&key) };
    let again = w.store().resend(ME, id, resend, None).await.unwrap().value;
    assert_eq!(again.message, Some(Status::Queued));
    assert_eq!(w.state(message).await, State::Canceled(Reason::Superseded));
    let canceled = w.cancel(again.verification.message).await.unwrap();
    assert_eq!(canceled.state, State::Canceled(Reason::CanceledByCaller));
    assert!(w.has_nothing_for(&modem(1)).await);
    // Who does not conceal hears the truth.
    assert_eq!(try_code(&w, w.code()).await, Err((Rule::Blocked, 0)));
}

async fn concealed_is_so_for_what_opts_out_later(w: World) {
    let w = guarded(w, &[]).await;
    let key = api_key(&w, KeySettings { conceal: true, ..KeySettings::default() }).await;
    let mut new = w.code();
    new.message.asked = Asked::by(&key);
    let (_, message) = w.verify(new).await;
    w.store().opt_out(anna()).await.unwrap();
    let seen = w.store().message(ME, message, None).await.unwrap();
    assert_eq!(seen.state, State::Queued { not_before: None, only: None, because: None });
    assert_eq!(w.state(message).await, State::Canceled(Reason::Suppressed));
    assert!(w.has_nothing_for(&modem(1)).await);
}

async fn codes_that_do_not_come_back_close_their_prefix(w: World) {
    let mut w = guarded(w, &[Rule::Conversion]).await;
    let key = api_key(&w, KeySettings::default()).await;
    let one = modem(1);
    let send = async |w: &World, n: u32| {
        let mut new = to(w, &format!("+44740090{n:04}"));
        new.origin.key = Some(key.id);
        let id = try_code(w, new).await?;
        let claim = w.claim(&one).await;
        let part = w.put_part_on_air(&claim, &one).await;
        w.settle(claim.message.id, part, &one, accepted(n as u8)).await;
        Ok::<_, (Rule, u64)>((id, code_in(&claim)))
    };
    // One owner is there, and so the key is one whose codes are checked.
    let (id, code) = send(&w, 1).await.unwrap();
    assert!(w.check(id, &code).await.unwrap().valid);
    for n in 2..=20 {
        send(&w, n).await.unwrap();
    }
    pass(secs(299)).await;
    send(&w, 21).await.unwrap();
    pass(secs(2)).await;
    w.crash().await;
    let refused = send(&w, 22).await.unwrap_err();
    assert!(refused.0 == Rule::Conversion && refused.1 > 43_000, "{refused:?}");
    send(&w, 1).await.unwrap();
    let alarms = w.store().events(otpgate::store::EventQuery { limit: 10, ..Default::default() }).await.unwrap().items;
    assert_eq!(
        alarms.iter().filter(|event| event.event.kind.as_str() == "guard.alarm").count(),
        2,
        "prefix and country"
    );
    pass(12 * HOUR).await;
    send(&w, 22).await.unwrap();
}
