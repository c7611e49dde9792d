//! Codes: derived, sent, checked once, counted, superseded, sent again, called off.

use super::*;
use otpgate::domain::message::Refused;
use otpgate::domain::reason::Reason;
use otpgate::domain::verification::{CodeSource, VerificationRefused, VerificationState};
use otpgate::otp::challenge::Form;

on_both_stores! {
    a_derived_code_goes_out_and_is_right_once
    the_fifth_wrong_code_ends_it
    another_number_or_purpose_counts_as_a_wrong_code
    an_expired_code_is_wrong
    a_newer_code_takes_the_place_of_a_queued_one
    a_newer_code_takes_the_place_of_a_claimed_one
    a_newer_code_takes_the_place_of_one_before_its_hand_over
    a_newer_code_leaves_one_on_the_air_alone
    another_purpose_client_or_number_takes_no_place
    a_resend_carries_the_same_code
    a_fresh_resend_carries_another_code_and_resets_nothing
    a_stale_code_is_not_resent_behind_a_fresh_one
    a_resend_calls_the_unsent_message_off
    a_resend_is_refused_when_too_late_too_often_or_ended
    a_resend_of_what_has_just_expired_is_refused_and_it_ends
    cancel_ends_it_and_its_unsent_message
    a_right_code_calls_the_queued_message_off
    an_ended_verification_sends_nothing_again
    a_supplied_code_is_sent_checked_and_erased
    a_code_that_it_can_not_be_costs_nothing
    a_supplied_code_is_erased_when_it_expires
    a_derived_codes_nonce_is_dropped_at_the_end
    attempts_outlive_a_crash
}

const PENDING: VerificationState = VerificationState::Pending;
const SUPERSEDED: VerificationState = VerificationState::Canceled(Reason::Superseded);
const ALREADY_APPROVED: StoreError = StoreError::Verification(VerificationRefused::AlreadyApproved);

fn ended(state: VerificationState) -> StoreError {
    StoreError::Verification(VerificationRefused::Final(state))
}

async fn a_derived_code_goes_out_and_is_right_once(w: World) {
    let (id, message) = w.verify(w.code()).await;
    let claim = w.claim(&modem(1)).await;
    assert_eq!(claim.message.id, message);
    let code = code_in(&claim);
    assert!(code.len() == 6 && code.bytes().all(|b| b.is_ascii_digit()));
    let part = w.put_part_on_air(&claim, &modem(1)).await;
    w.settle(message, part, &modem(1), accepted(1)).await;
    let verdict = w.check(id, &code).await.unwrap();
    let approved = VerificationState::Approved;
    assert_eq!((verdict.valid, verdict.state, verdict.attempts_left), (true, approved, 0));
    assert_eq!((verdict.to, verdict.purpose, verdict.replayed), (anna(), None, false));
    assert_eq!(w.check(id, &code).await, Err(ALREADY_APPROVED));
    assert_eq!(w.check(id, &wrong(&code)).await, Err(ALREADY_APPROVED));
    let (other, _) = w.verify(NewVerification { purpose: Some("other".into()), ..w.code() }).await;
    let claim = w.claim(&modem(1)).await;
    assert_ne!(code_in(&claim), code, "another verification, another code");
    assert!(w.check(other, &code_in(&claim)).await.unwrap().valid);
}

async fn the_fifth_wrong_code_ends_it(w: World) {
    let (id, _) = w.verify(w.code()).await;
    let code = code_in(&w.claim(&modem(1)).await);
    for left in [4, 3, 2, 1] {
        let verdict = w.check(id, &wrong(&code)).await.unwrap();
        assert_eq!((verdict.valid, verdict.state, verdict.attempts_left), (false, PENDING, left));
    }
    for given in [wrong(&code), code] {
        let verdict = w.check(id, &given).await.unwrap();
        let state = VerificationState::MaxAttemptsReached;
        assert_eq!((verdict.valid, verdict.state, verdict.attempts_left), (false, state, 0));
    }
}

async fn another_number_or_purpose_counts_as_a_wrong_code(w: World) {
    let (id, _) = w.verify(NewVerification { purpose: Some("log-in".into()), ..w.code() }).await;
    let code = code_in(&w.claim(&modem(1)).await);
    let other_number = Check { to: Some(bob()), ..given(&code) };
    let other_purpose = Check { purpose: Some("payment".into()), ..given(&code) };
    for (check, left) in [(other_number, 4), (other_purpose, 3)] {
        let verdict = w.store().check(ME, id, check, None).await.unwrap();
        assert_eq!((verdict.valid, verdict.attempts_left), (false, left));
    }
    let both = Check { to: Some(anna()), purpose: Some("log-in".into()), ..given(&code) };
    assert!(w.store().check(ME, id, both, None).await.unwrap().valid);
}

async fn an_expired_code_is_wrong(w: World) {
    let (id, _) = w.verify(w.code()).await;
    let code = code_in(&w.claim(&modem(1)).await);
    pass(secs(299)).await;
    assert_eq!(w.verification(id).await.state, PENDING);
    pass(secs(1)).await;
    assert_eq!(w.verification(id).await.state, VerificationState::Expired);
    let verdict = w.check(id, &code).await.unwrap();
    assert_eq!((verdict.valid, verdict.state), (false, VerificationState::Expired));
}

async fn a_newer_code_takes_the_place_of_a_queued_one(w: World) {
    let (older, message) = w.verify(w.code()).await;
    let (newer, its_message) = w.verify(w.code()).await;
    assert_eq!(w.verification(older).await.state, SUPERSEDED);
    assert_eq!(w.state(message).await, State::Canceled(Reason::Superseded));
    assert_eq!(w.verification(newer).await.state, PENDING);
    let claim = w.claim(&modem(1)).await;
    assert_eq!(claim.message.id, its_message);
    assert!(w.has_nothing_for(&modem(2)).await);
}

async fn a_newer_code_takes_the_place_of_a_claimed_one(w: World) {
    let (_, message) = w.verify(w.code()).await;
    let claim = w.claim(&modem(1)).await;
    w.verify(w.code()).await;
    assert_eq!(w.begin(&claim, &modem(1)).await, Grant::Refused(Refused::Final));
    assert!(!claim.gate.pass());
    assert_eq!(w.state(message).await, State::Canceled(Reason::Superseded));
}

async fn a_newer_code_takes_the_place_of_one_before_its_hand_over(w: World) {
    let (_, message) = w.verify(w.code()).await;
    let claim = w.claim(&modem(1)).await;
    assert_eq!(w.begin(&claim, &modem(1)).await, Grant::Granted);
    w.verify(w.code()).await;
    assert!(!claim.gate.pass(), "its byte must not leave");
    let part = PartId { attempt: 0, part: 0 };
    w.settle(message, part, &modem(1), PartResult::NotSent(Reason::NotTransmitted)).await;
    drop(claim);
    assert_eq!(w.state(message).await, State::Canceled(Reason::Superseded));
    assert!(!w.message(message).await.ever_uncertain);
}

async fn a_newer_code_leaves_one_on_the_air_alone(w: World) {
    let (older, message) = w.verify(w.code()).await;
    let (claim, part) = w.put_on_air(&modem(1)).await;
    let (newer, _) = w.verify(w.code()).await;
    assert_eq!(w.verification(older).await.state, SUPERSEDED);
    assert_eq!(w.status(message).await, Status::Submitting);
    w.settle(message, part, &modem(1), accepted(1)).await;
    assert_eq!(w.status(message).await, Status::Submitted);
    assert!(!w.check(older, &code_in(&claim)).await.unwrap().valid);
    assert_eq!(w.verification(newer).await.state, PENDING);
}

async fn another_purpose_client_or_number_takes_no_place(w: World) {
    let (first, _) = w.verify(w.code()).await;
    w.verify(NewVerification { purpose: Some("other".into()), ..w.code() }).await;
    for edit in [|m: &mut NewMessage| m.client = STRANGER.client, |m: &mut NewMessage| m.to = bob()] {
        let mut new = w.code();
        edit(&mut new.message);
        w.verify(new).await;
    }
    assert_eq!(w.verification(first).await.state, PENDING);
}

async fn a_resend_carries_the_same_code(w: World) {
    let (id, message) = w.verify(w.code()).await;
    let (claim, part) = w.put_on_air(&modem(1)).await;
    w.settle(message, part, &modem(1), accepted(1)).await;
    pass(MINUTE).await;
    let expires = w.verification(id).await.expires;
    let second = w.resend(id, false).await.unwrap();
    let again = w.claim(&modem(1)).await;
    assert_eq!((again.message.id, again.text.reveal()), (second, claim.text.reveal()));
    let verification = w.verification(id).await;
    assert_eq!((verification.expires, verification.sends, verification.message), (expires, 2, second));
    assert_eq!((again.message.deadline, again.message.priority), (expires, Priority::Otp));
    assert!(w.check(id, &code_in(&claim)).await.unwrap().valid);
}

async fn a_fresh_resend_carries_another_code_and_resets_nothing(w: World) {
    let (id, _) = w.verify(w.code()).await;
    let (claim, _) = w.put_on_air(&modem(1)).await;
    let old = code_in(&claim);
    w.check(id, &wrong(&old)).await.unwrap();
    let expires = w.verification(id).await.expires;
    w.resend(id, true).await.unwrap();
    let new = code_in(&w.claim(&modem(2)).await);
    assert_ne!(new, old);
    let verdict = w.check(id, &old).await.unwrap();
    assert_eq!((verdict.valid, verdict.attempts_left), (false, 3));
    assert_eq!(w.verification(id).await.expires, expires);
    assert!(w.check(id, &new).await.unwrap().valid);
}

async fn a_stale_code_is_not_resent_behind_a_fresh_one(w: World) {
    let (id, first) = w.verify(w.code()).await;
    let (_claim, part) = w.put_on_air(&modem(1)).await;
    let second = w.resend(id, false).await.unwrap();
    let fresh = w.resend(id, true).await.unwrap();
    assert_eq!(w.state(second).await, State::Canceled(Reason::Superseded));
    // The first one's automatic resend would carry the code that is no longer right.
    w.settle(first, part, &modem(1), PartResult::Uncertain(Reason::NoResult)).await;
    let claim = w.claim(&modem(2)).await;
    let intent = w.intent(&claim, &modem(2)).await;
    let granted = w.store().begin(claim.message.id, intent).await.unwrap();
    assert_eq!((claim.message.id, granted), (first, Grant::Refused(Refused::Final)));
    drop(claim);
    assert_eq!(w.status(first).await, Status::Uncertain);
    assert_eq!(w.send(&modem(2), accepted(1)).await, fresh);
}

async fn a_resend_calls_the_unsent_message_off(w: World) {
    let (id, first) = w.verify(w.code()).await;
    let second = w.resend(id, false).await.unwrap();
    assert_eq!(w.state(first).await, State::Canceled(Reason::Superseded));
    let claim = w.claim(&modem(1)).await;
    assert_eq!(claim.message.id, second);
    assert!(w.has_nothing_for(&modem(2)).await);
}

async fn a_resend_is_refused_when_too_late_too_often_or_ended(w: World) {
    let too_late = Err(StoreError::Verification(VerificationRefused::TooLate));
    let too_often = Err(StoreError::Verification(VerificationRefused::TooManySends));
    let (id, message) = w.verify(w.code()).await;
    pass(secs(241)).await;
    assert_eq!(w.resend(id, false).await, too_late);
    assert_eq!(w.status(message).await, Status::Queued, "a resend that is refused calls nothing off");
    let (id, _) = w.verify(w.code()).await;
    for _ in 0..9 {
        w.resend(id, false).await.unwrap();
    }
    assert_eq!(w.resend(id, false).await, too_often);
    w.cancel_verification(id).await.unwrap();
    assert_eq!(w.resend(id, false).await, Err(ended(VerificationState::Canceled(Reason::CanceledByCaller))));
    let supplied = NewVerification { code: NewCode::Supplied(Secret::new("135246")), ..w.code() };
    let (id, _) = w.verify(supplied).await;
    assert_eq!(w.resend(id, true).await, Err(StoreError::Verification(VerificationRefused::NotDerived)));
}

async fn a_resend_of_what_has_just_expired_is_refused_and_it_ends(w: World) {
    let (id, _) = w.verify(w.code()).await;
    // After another boot the wall clock counts, so this is how its time runs out between two looks at the clock.
    w.clock.reboot();
    w.clock.jump_wall(300_000);
    assert_eq!(w.resend(id, false).await, Err(ended(VerificationState::Expired)));
    pass(MINUTE).await;
    assert_eq!(w.verification(id).await.state, VerificationState::Expired);
}

async fn cancel_ends_it_and_its_unsent_message(w: World) {
    let canceled = VerificationState::Canceled(Reason::CanceledByCaller);
    let (id, message) = w.verify(w.code()).await;
    let view = w.cancel_verification(id).await.unwrap();
    assert_eq!((view.verification.state, view.message), (canceled, Some(Status::Canceled)));
    assert_eq!(w.state(message).await, State::Canceled(Reason::VerificationEnded));
    assert!(w.has_nothing_for(&modem(1)).await);
    assert_eq!(w.cancel_verification(id).await, Err(ended(canceled)));
    // On the air it can be canceled as well; its message goes on.
    let (id, message) = w.verify(w.code()).await;
    let (_claim, _) = w.put_on_air(&modem(1)).await;
    w.cancel_verification(id).await.unwrap();
    assert_eq!((w.verification(id).await.state, w.status(message).await), (canceled, Status::Submitting));
}

async fn a_right_code_calls_the_queued_message_off(w: World) {
    let (id, first) = w.verify(w.code()).await;
    let (claim, part) = w.put_on_air(&modem(1)).await;
    w.settle(first, part, &modem(1), accepted(1)).await;
    let second = w.resend(id, false).await.unwrap();
    assert!(w.check(id, &code_in(&claim)).await.unwrap().valid);
    assert_eq!(w.state(second).await, State::Canceled(Reason::VerificationEnded));
    assert!(w.has_nothing_for(&modem(1)).await);
}

async fn an_ended_verification_sends_nothing_again(w: World) {
    let temporary = PartResult::NotSent(Reason::Cms(42));
    let uncertain = PartResult::Uncertain(Reason::NoResult);
    let canceled = State::Canceled(Reason::VerificationEnded);
    let lost = State::Uncertain { reason: Reason::NoResult, closed: true };
    for (result, expected) in [(temporary, canceled), (uncertain, lost)] {
        let (id, message) = w.verify(w.code()).await;
        let (_claim, part) = w.put_on_air(&modem(1)).await;
        w.cancel_verification(id).await.unwrap();
        w.settle(message, part, &modem(1), result).await;
        for _ in 0..20 {
            assert!(w.has_nothing_for(&modem(1)).await);
            pass(secs(1)).await;
        }
        assert_eq!(w.state(message).await, expected);
    }
}

async fn a_supplied_code_is_sent_checked_and_erased(mut w: World) {
    let supplied = NewVerification { code: NewCode::Supplied(Secret::new("135246")), ..w.code() };
    let (id, _) = w.verify(supplied).await;
    assert!(w.has(Key::SuppliedCode(id)).await);
    assert_eq!(code_in(&w.claim(&modem(1)).await), "135246");
    assert!(!w.check(id, "135247").await.unwrap().valid);
    assert!(w.check(id, "135246").await.unwrap().valid);
    assert!(!w.has(Key::SuppliedCode(id)).await);
}

async fn a_code_that_it_can_not_be_costs_nothing(w: World) {
    let rows: [(Option<&str>, &[&str], &[&str]); 3] = [
        (None, &["12345", "1234567", "12345a", "abcdef"], &[]),
        (Some("135246"), &["13524", "1352466", "13524a"], &["135247"]),
        (Some("aB3xY9"), &["aB3xY", "aB3xY99"], &["ab3xy9", "135246"]),
    ];
    for (supplied, impossible, wrong) in rows {
        let code = supplied.map_or(w.code().code, |code| NewCode::Supplied(Secret::new(code)));
        let (id, _) = w.verify(NewVerification { code, ..w.code() }).await;
        let form = Form { length: 6, digits: supplied != Some("aB3xY9") };
        for code in impossible.iter().cycle().take(10) {
            assert_eq!(w.check(id, code).await, Err(StoreError::NotSuchACode(form)), "{supplied:?} {code}");
        }
        let view = w.verification(id).await;
        assert_eq!((view.failures, view.version), (0, 1), "{supplied:?}");
        for code in wrong {
            assert!(!w.check(id, code).await.unwrap().valid);
        }
        assert_eq!(usize::from(w.verification(id).await.failures), wrong.len(), "{supplied:?}");
        if let Some(code) = supplied {
            assert!(w.check(id, code).await.unwrap().valid);
        }
    }
}

async fn a_supplied_code_is_erased_when_it_expires(mut w: World) {
    let supplied = NewVerification { code: NewCode::Supplied(Secret::new("135246")), ..w.code() };
    let (id, message) = w.verify(supplied).await;
    pass(secs(300)).await;
    assert!(!w.has(Key::SuppliedCode(id)).await && !w.has(Key::Body(message)).await);
}

async fn a_derived_codes_nonce_is_dropped_at_the_end(w: World) {
    let (id, _) = w.verify(w.code()).await;
    assert!(matches!(w.verification(id).await.code, CodeSource::Derived { generation: 0, .. }));
    w.cancel_verification(id).await.unwrap();
    assert_eq!(w.verification(id).await.code, CodeSource::Erased);
}

async fn attempts_outlive_a_crash(mut w: World) {
    let (id, _) = w.verify(w.code()).await;
    let code = code_in(&w.claim(&modem(1)).await);
    for left in [4, 3, 2, 1] {
        assert_eq!(w.check(id, &wrong(&code)).await.unwrap().attempts_left, left);
        w.crash().await;
    }
    assert!(w.check(id, &code).await.unwrap().valid);
    w.crash().await;
    assert_eq!(w.check(id, &code).await, Err(ALREADY_APPROVED));
}
