//! Idempotency, access, lists and waiting.

use super::*;
use otpgate::store::{Idempotency, MessageQuery, Wait};

on_both_stores! {
    a_repeated_request_gets_what_it_made_as_it_is_now
    another_body_under_the_same_key_is_a_mismatch
    a_twin_in_flight_gets_the_same_resource
    a_repeated_creation_of_a_verification_supersedes_nothing
    a_repeated_resend_sends_nothing
    a_repeated_check_repeats_the_verdict_and_spends_nothing
    a_repeated_cancel_is_done_once
    an_idempotency_key_ends_after_24_hours
    an_idempotency_key_outlives_a_crash
    a_refused_request_is_not_remembered
    another_clients_records_are_not_found
    lists_are_newest_first_by_filter_and_client
    lists_go_on_from_their_cursor
    lists_keep_their_order_when_the_clock_is_set_back
    a_wait_answers_at_once_when_the_version_is_newer
    a_wait_answers_at_the_next_change
    a_wait_without_a_version_answers_at_once_when_it_is_final
    a_wait_ends_unchanged_when_its_time_is_over
    a_verification_is_waited_for
}

fn key(n: u8) -> Option<Idempotency> {
    Some(Idempotency { key: [n; 32], fingerprint: [1; 32] })
}

fn other_body(n: u8) -> Option<Idempotency> {
    Some(Idempotency { key: [n; 32], fingerprint: [2; 32] })
}

async fn a_repeated_request_gets_what_it_made_as_it_is_now(w: World) {
    let first = w.store().accept(w.plain(), key(1)).await.unwrap();
    assert!(!first.replayed);
    w.send(&modem(1), accepted(1)).await;
    let again = w.store().accept(w.plain(), key(1)).await.unwrap();
    assert_eq!((again.value.id, again.value.status(), again.replayed), (first.value.id, Status::Submitted, true));
    assert!(w.has_nothing_for(&modem(1)).await);
    let other = w.store().accept(w.plain(), key(2)).await.unwrap();
    assert!(!other.replayed && other.value.id != first.value.id);
}

async fn another_body_under_the_same_key_is_a_mismatch(w: World) {
    w.store().accept(w.plain(), key(1)).await.unwrap();
    assert_eq!(w.store().accept(w.plain(), other_body(1)).await, Err(StoreError::IdempotencyMismatch));
    let other_kind = w.store().create_verification(w.code(), key(1)).await;
    assert_eq!(other_kind, Err(StoreError::IdempotencyMismatch));
    assert_eq!(w.store().health().queued, 1);
}

async fn a_twin_in_flight_gets_the_same_resource(w: World) {
    let (one, two) = tokio::join!(w.store().accept(w.plain(), key(1)), w.store().accept(w.plain(), key(1)));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!((one.value.id, one.replayed, two.replayed), (two.value.id, false, true));
    assert_eq!(w.store().health().queued, 1);
}

async fn a_repeated_creation_of_a_verification_supersedes_nothing(w: World) {
    let first = w.store().create_verification(w.code(), key(1)).await.unwrap();
    let again = w.store().create_verification(w.code(), key(1)).await.unwrap();
    assert_eq!((again.value, again.replayed), (first.value, true));
    assert_eq!(w.store().health().queued, 1);
}

async fn a_repeated_resend_sends_nothing(w: World) {
    let (id, _) = w.verify(w.code()).await;
    let resend = || Resend { message: w.message_id(), body: code_body(), fresh: false, asked: Asked::default() };
    let first = w.store().resend(ME, id, resend(), key(1)).await.unwrap();
    let again = w.store().resend(ME, id, resend(), key(1)).await.unwrap();
    assert_eq!((again.value, again.replayed), (first.value, true));
    assert_eq!(w.verification(id).await.sends, 2);
}

async fn a_repeated_check_repeats_the_verdict_and_spends_nothing(w: World) {
    let (id, _) = w.verify(w.code()).await;
    let code = code_in(&w.claim(&modem(1)).await);
    let check = |code: String, key| w.store().check(ME, id, given(&code), key);
    let first = check(wrong(&code), key(1)).await.unwrap();
    for _ in 0..9 {
        let again = check(wrong(&code), key(1)).await.unwrap();
        assert_eq!((again.valid, again.state, again.attempts_left), (false, first.state, 4));
        assert!(again.replayed);
    }
    assert_eq!(w.verification(id).await.failures, 1);
    assert_eq!(check(code.clone(), other_body(1)).await, Err(StoreError::IdempotencyMismatch));
    assert!(check(code.clone(), key(2)).await.unwrap().valid);
    let again = check(code.clone(), key(2)).await.unwrap();
    assert!(again.valid && again.replayed, "the one true verdict, told again");
    assert!(check(code, key(3)).await.is_err());
    assert!(!check("000000".into(), key(1)).await.unwrap().valid, "what was wrong stays wrong");
}

async fn a_repeated_cancel_is_done_once(mut w: World) {
    let message = w.accept(w.plain()).await;
    let (id, _) = w.verify(w.code()).await;
    let first = w.store().cancel_message(ME, message, key(1)).await.unwrap();
    let ended = w.store().cancel_verification(ME, id, key(2)).await.unwrap();
    assert!(!first.replayed && !ended.replayed);
    w.crash().await;
    let again = w.store().cancel_message(ME, message, key(1)).await.unwrap();
    assert_eq!((again.value, again.replayed), (first.value, true));
    let again = w.store().cancel_verification(ME, id, key(2)).await.unwrap();
    assert_eq!((again.value, again.replayed), (ended.value, true));
    let mismatch = StoreError::IdempotencyMismatch;
    assert_eq!(w.store().cancel_message(ME, message, other_body(1)).await, Err(mismatch.clone()));
    assert_eq!(w.store().cancel_message(ME, message, key(2)).await, Err(mismatch), "another operation's");
    assert!(w.cancel(message).await.is_err() && w.cancel_verification(id).await.is_err(), "without a key, or");
    assert!(w.store().cancel_message(ME, message, key(3)).await.is_err(), "with a new one");
}

async fn an_idempotency_key_ends_after_24_hours(w: World) {
    let first = w.accept(w.plain()).await;
    let first = w.store().accept(NewMessage { deadline: w.now().after(3 * DAY), ..w.plain() }, key(1)).await.map(|a| {
        assert_ne!(a.value.id, first);
        a.value.id
    });
    pass(DAY - secs(1)).await;
    let again = w.store().accept(w.plain(), key(1)).await.map(|a| a.value.id);
    assert_eq!(again, first);
    pass(secs(1)).await;
    let later = w.store().accept(w.plain(), other_body(1)).await.unwrap();
    assert!(!later.replayed && Ok(later.value.id) != first);
}

async fn an_idempotency_key_outlives_a_crash(mut w: World) {
    let first = w.store().accept(w.plain(), key(1)).await.unwrap();
    w.crash().await;
    let again = w.store().accept(w.plain(), key(1)).await.unwrap();
    assert_eq!((again.value.id, again.replayed), (first.value.id, true));
    pass(DAY).await;
    assert!(!w.store().accept(w.plain(), key(1)).await.unwrap().replayed);
}

async fn a_refused_request_is_not_remembered(w: World) {
    let (id, _) = w.verify(w.code()).await;
    pass(secs(250)).await;
    let resend = || Resend { message: w.message_id(), body: code_body(), fresh: false, asked: Asked::default() };
    assert!(w.store().resend(ME, id, resend(), key(1)).await.is_err());
    assert!(!w.store().accept(w.plain(), other_body(1)).await.unwrap().replayed);
}

async fn another_clients_records_are_not_found(w: World) {
    let message = w.accept(w.plain()).await;
    let (id, _) = w.verify(w.code()).await;
    let not_found = StoreError::NotFound;
    let s = w.store();
    assert_eq!(s.message(STRANGER, message, None).await, Err(not_found.clone()));
    assert_eq!(s.cancel_message(STRANGER, message, None).await, Err(not_found.clone()));
    assert_eq!(s.verification(STRANGER, id, None).await, Err(not_found.clone()));
    assert_eq!(s.cancel_verification(STRANGER, id, None).await, Err(not_found.clone()));
    assert_eq!(s.check(STRANGER, id, given("000000"), None).await, Err(not_found.clone()));
    let resend = Resend { message: w.message_id(), body: code_body(), fresh: false, asked: Asked::default() };
    assert_eq!(s.resend(STRANGER, id, resend, None).await, Err(not_found.clone()));
    assert_eq!(w.verification(id).await.failures, 0);
    assert_eq!(s.message(ME, w.message_id(), None).await, Err(not_found), "nor what there never was");
    assert!(s.message(ADMIN, message, None).await.is_ok() && s.verification(ADMIN, id, None).await.is_ok());
}

async fn lists_are_newest_first_by_filter_and_client(w: World) {
    let to_anna = w.accept(w.plain()).await;
    w.send(&modem(1), accepted(1)).await;
    pass(secs(10)).await;
    let since = w.now().wall;
    let to_bob = w.accept(NewMessage { to: bob(), client_reference: Some("order 7".into()), ..w.plain() }).await;
    pass(secs(10)).await;
    let until = w.now().wall;
    let foreign = w.accept(NewMessage { client: STRANGER.client, ..w.plain() }).await;
    let all = MessageQuery { limit: 50, ..MessageQuery::default() };
    let rows = [
        ("all", ADMIN, all.clone(), vec![foreign, to_bob, to_anna]),
        ("mine", ME, all.clone(), vec![to_bob, to_anna]),
        ("a stranger's", STRANGER, all.clone(), vec![foreign]),
        ("by state", ADMIN, MessageQuery { status: Some(Status::Submitted), ..all.clone() }, vec![to_anna]),
        ("by number", ADMIN, MessageQuery { to: Some(anna()), ..all.clone() }, vec![foreign, to_anna]),
        ("since", ADMIN, MessageQuery { since: Some(since), ..all.clone() }, vec![foreign, to_bob]),
        ("until", ADMIN, MessageQuery { until: Some(until), ..all.clone() }, vec![to_bob, to_anna]),
        ("by reference", ME, MessageQuery { client_reference: Some("order 7".into()), ..all.clone() }, vec![to_bob]),
        ("none", STRANGER, MessageQuery { to: Some(bob()), ..all }, vec![]),
    ];
    for (name, who, query, expected) in rows {
        let page = w.store().messages(who, query).await.unwrap();
        let ids: Vec<_> = page.items.iter().map(|m| m.id).collect();
        assert_eq!((ids, page.next), (expected, None), "{name}");
    }
}

async fn lists_keep_their_order_when_the_clock_is_set_back(mut w: World) {
    let ids = |w: &World| {
        let query = MessageQuery { limit: 10, ..MessageQuery::default() };
        let page = w.store().messages(ME, query);
        async move { page.await.unwrap().items.into_iter().map(|m| m.id).collect::<Vec<_>>() }
    };
    let new = |n: u128, w: &World| NewMessage { id: MessageId(n), ..w.plain() };
    // Ids begin with the wall clock's time.
    for id in [2, 3, 1] {
        w.store().accept(new(id, &w), None).await.unwrap();
    }
    let newest_first = [1, 3, 2].map(MessageId);
    assert_eq!(ids(&w).await, newest_first);
    w.restart().await;
    assert_eq!(ids(&w).await, newest_first);
}

async fn lists_go_on_from_their_cursor(w: World) {
    let mut ids = Vec::new();
    for n in 0..10 {
        let client = if n % 2 == 0 { ME.client } else { STRANGER.client };
        ids.push(w.accept(NewMessage { client, ..w.plain() }).await);
    }
    let mine: Vec<_> = ids.into_iter().step_by(2).rev().collect();
    let (mut seen, mut before, mut pages) = (Vec::new(), None, 0);
    loop {
        let query = MessageQuery { before, limit: 2, ..MessageQuery::default() };
        let page = w.store().messages(ME, query).await.unwrap();
        assert!(page.items.len() <= 2);
        seen.extend(page.items.iter().map(|m| m.id));
        pages += 1;
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    assert_eq!((seen, pages), (mine, 3));
}

/// Waits for a message, and gives its state, its version and how long that took.
async fn wait_for(w: &World, id: MessageId, after: Option<u32>) -> (Status, u32, Duration) {
    let begun = w.now().mono;
    let wait = Wait { after, at_most: MINUTE };
    let message = w.store().message(ME, id, Some(wait)).await.unwrap();
    (message.status(), message.version, w.now().mono - begun)
}

async fn a_wait_answers_at_once_when_the_version_is_newer(w: World) {
    let id = w.accept(w.plain()).await;
    let version = w.message(id).await.version;
    w.cancel(id).await.unwrap();
    let rows = [(Some(0), Duration::ZERO), (Some(version), Duration::ZERO), (Some(version + 1), MINUTE)];
    for (after, time) in rows {
        assert_eq!(wait_for(&w, id, after).await, (Status::Canceled, version + 1, time), "after {after:?}");
    }
}

async fn a_wait_answers_at_the_next_change(w: World) {
    let id = w.accept(w.plain()).await;
    let version = w.message(id).await.version;
    let change = async {
        pass(secs(5)).await;
        w.accept(w.plain()).await;
        pass(secs(5)).await;
        w.cancel(id).await.unwrap();
    };
    let (with, without, ()) = tokio::join!(wait_for(&w, id, Some(version)), wait_for(&w, id, None), change);
    assert_eq!(with, (Status::Canceled, version + 1, secs(10)), "another message's news are not its own");
    assert_eq!(without, with);
}

async fn a_wait_without_a_version_answers_at_once_when_it_is_final(w: World) {
    let id = w.accept(w.plain()).await;
    let canceled = w.cancel(id).await.unwrap();
    assert_eq!(wait_for(&w, id, None).await, (Status::Canceled, canceled.version, Duration::ZERO));
}

async fn a_wait_ends_unchanged_when_its_time_is_over(w: World) {
    let id = w.accept(w.plain()).await;
    let version = w.message(id).await.version;
    for after in [Some(version), Some(99), None] {
        assert_eq!(wait_for(&w, id, after).await, (Status::Queued, version, MINUTE));
    }
}

async fn a_verification_is_waited_for(w: World) {
    let (id, _) = w.verify(w.code()).await;
    let code = code_in(&w.claim(&modem(1)).await);
    let version = w.verification(id).await.version;
    let wait = Wait { after: Some(version), at_most: MINUTE };
    let check = async {
        pass(secs(5)).await;
        w.check(id, &code).await.unwrap()
    };
    let (view, verdict) = tokio::join!(w.store().verification(ME, id, Some(wait)), check);
    let view = view.unwrap();
    assert_eq!((view.verification.state, view.verification.version), (verdict.state, version + 1));
    assert_eq!(view.message, Some(Status::Canceled), "it was queued still");
    let not_found = w.store().verification(STRANGER, id, Some(wait)).await;
    assert_eq!(not_found, Err(StoreError::NotFound));
}
