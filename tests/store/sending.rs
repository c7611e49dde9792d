//! From acceptance to the report: claims, intents, outcomes, and what follows from a refusal.

use super::*;
use otpgate::domain::message::Refused;
use otpgate::domain::reason::Reason;

on_both_stores! {
    an_accepted_message_is_sent_and_reported
    claims_go_by_priority_then_deadline_then_order_of_acceptance
    send_at_parks_a_message_until_then
    a_claim_pends_until_work_comes
    a_claim_that_nobody_waits_for_any_more_takes_nothing
    a_dropped_claim_gives_the_message_back
    a_claim_dropped_before_the_hand_over_was_not_sent
    a_claim_dropped_after_the_hand_over_is_uncertain
    an_outcome_and_the_next_intent_are_one_operation
    an_outcome_for_another_sim_card_is_not_believed
    an_outcome_told_twice_counts_once
    parts_go_out_one_by_one_over_one_sim_card
    a_message_between_two_parts_waits_for_its_sim_card
    what_one_sim_card_refuses_another_may_take
    what_one_sim_card_refused_it_may_take_once_no_other_can
    an_uncertain_message_is_resent_over_another_sim_card
    one_that_never_prompts_keeps_no_message_from_another
    trouble_everywhere_binds_a_message_to_nobody
    one_that_refused_for_good_is_the_last_choice
    modems_that_are_busy_in_turn_do_not_end_a_message
    what_the_only_sim_card_refuses_is_tried_again_once
    a_part_that_its_sim_card_refuses_does_not_come_back_at_once
    temporary_refusals_pause_longer_each_time_and_end
    a_permanent_refusal_ends_it
    a_number_that_the_network_calls_unassigned_is_refused_for_a_while
    a_refused_later_part_leaves_a_message_partial
    a_queued_message_is_canceled
    a_claimed_message_is_canceled_before_the_hand_over
    a_message_on_the_air_is_not_canceled
    its_deadline_ends_a_message_that_waits
    its_deadline_ends_a_message_that_a_modem_holds
    a_text_is_erased_when_it_can_not_be_needed_any_more
    many_requests_at_once_are_busy_and_the_modems_lane_never_is
    after_close_everything_is_closed
}

async fn an_accepted_message_is_sent_and_reported(w: World) {
    let one = modem(1);
    let id = w.accept(w.plain()).await;
    assert_eq!(w.status(id).await, Status::Queued);
    let claim = w.claim(&one).await;
    assert_eq!((claim.message.id, claim.text.reveal()), (id, "Hello"));
    assert_eq!(w.status(id).await, Status::Queued, "a claim leaves no trace");
    let part = w.put_part_on_air(&claim, &one).await;
    assert_eq!(w.status(id).await, Status::Submitting);
    w.settle(id, part, &one, accepted(42)).await;
    assert_eq!(w.status(id).await, Status::Submitted);
    assert_eq!(w.report(&one, 42, ReportVerdict::Delivered).await, Some(id));
    let message = w.message(id).await;
    assert_eq!((message.status(), message.is_final(), message.attempts.len()), (Status::Delivered, true, 1));
    assert!(!message.ever_uncertain);
    assert!(w.has_nothing_for(&one).await);
}

async fn claims_go_by_priority_then_deadline_then_order_of_acceptance(w: World) {
    let now = w.now();
    let rows = [
        (5, Priority::Normal, 100),
        (3, Priority::Normal, 50),
        (2, Priority::High, 200),
        (1, Priority::Otp, 300),
        (4, Priority::Normal, 50),
    ];
    let mut expected = Vec::new();
    for (place, priority, life) in rows {
        let new = NewMessage { priority, deadline: now.after(secs(life)), ..w.plain() };
        expected.push((place, w.accept(new).await));
    }
    expected.sort();
    let mut claims = Vec::new();
    for (place, id) in expected {
        claims.push(w.claim(&modem(1)).await);
        assert_eq!(claims[claims.len() - 1].message.id, id, "place {place}");
    }
}

async fn send_at_parks_a_message_until_then(w: World) {
    let send_at = w.now().after(HOUR);
    let parked = w.accept(NewMessage { send_at: Some(send_at), priority: Priority::Otp, ..w.plain() }).await;
    let other = w.accept(w.plain()).await;
    assert_eq!(w.send(&modem(1), accepted(1)).await, other, "what is parked holds nothing up");
    pass(HOUR - secs(1)).await;
    assert!(w.has_nothing_for(&modem(1)).await);
    pass(secs(1)).await;
    assert_eq!(w.claim(&modem(1)).await.message.id, parked);
}

async fn a_claim_pends_until_work_comes(w: World) {
    let claim = w.store().claim(modem(1).imei, modem(1).sim_card);
    let later = async {
        pass(MINUTE).await;
        w.accept(w.plain()).await
    };
    let begun = w.now().mono;
    let (claim, id) = tokio::join!(claim, later);
    assert_eq!(claim.unwrap().message.id, id);
    assert_eq!(w.now().mono - begun, MINUTE);
}

async fn a_claim_that_nobody_waits_for_any_more_takes_nothing(w: World) {
    assert!(w.has_nothing_for(&modem(1)).await);
    drop(w.store().claim(modem(1).imei, modem(1).sim_card));
    let id = w.accept(w.plain()).await;
    assert_eq!(w.claim(&modem(2)).await.message.id, id);
}

async fn a_dropped_claim_gives_the_message_back(w: World) {
    let id = w.accept(w.plain()).await;
    let claim = w.claim(&modem(1)).await;
    assert!(w.has_nothing_for(&modem(2)).await, "it is claimed");
    drop(claim);
    assert_eq!(w.claim(&modem(2)).await.message.id, id);
    assert_eq!(w.message(id).await.attempts.len(), 0);
}

async fn a_claim_dropped_before_the_hand_over_was_not_sent(w: World) {
    let one = modem(1);
    let id = w.accept(w.plain()).await;
    let claim = w.claim(&one).await;
    assert_eq!(w.begin(&claim, &one).await, Grant::Granted);
    drop(claim);
    let message = w.message(id).await;
    assert_eq!((message.status(), message.reason()), (Status::Queued, Some(Reason::NotTransmitted)));
    assert!(!message.ever_uncertain);
    assert_eq!(w.send(&modem(2), accepted(1)).await, id, "any modem may take it");
}

async fn a_claim_dropped_after_the_hand_over_is_uncertain(w: World) {
    let id = w.accept(w.plain()).await;
    drop(w.put_on_air(&modem(1)).await);
    let message = w.message(id).await;
    assert_eq!((message.status(), message.reason()), (Status::Uncertain, Some(Reason::PortLost)));
    assert!(message.ever_uncertain);
    assert!(w.has_nothing_for(&modem(2)).await);
}

async fn an_outcome_and_the_next_intent_are_one_operation(w: World) {
    let one = modem(1);
    let (first, second) = (w.accept(w.plain()).await, w.accept(w.plain()).await);
    let (claim, part) = w.put_on_air(&one).await;
    assert_eq!(claim.message.id, first);
    let ahead = w.claim(&one).await;
    assert_eq!(ahead.message.id, second);
    let intent = w.intent(&ahead, &one).await;
    let outcome = Outcome { message: first, part, sim_card: one.sim_card.clone(), result: accepted(1) };
    let grant = w.store().settle(outcome, Some((second, intent))).await;
    assert_eq!(grant, Ok(Some(Grant::Granted)));
    assert_eq!((w.status(first).await, w.status(second).await), (Status::Submitted, Status::Submitting));
}

async fn an_outcome_for_another_sim_card_is_not_believed(w: World) {
    let id = w.accept(w.plain()).await;
    let (_claim, part) = w.put_on_air(&modem(1)).await;
    w.settle(id, part, &modem(2), accepted(1)).await;
    assert_eq!(w.status(id).await, Status::Submitting);
}

async fn an_outcome_told_twice_counts_once(w: World) {
    let id = w.accept(w.plain()).await;
    let (_claim, part) = w.put_on_air(&modem(1)).await;
    w.settle(id, part, &modem(1), accepted(1)).await;
    let before = w.message(id).await;
    w.settle(id, part, &modem(1), PartResult::NotSent(Reason::Cms(42))).await;
    w.settle(id, part, &modem(1), accepted(2)).await;
    assert_eq!(w.message(id).await, before);
}

async fn parts_go_out_one_by_one_over_one_sim_card(w: World) {
    let one = modem(1);
    let id = w.accept(NewMessage { parts: 3, ..w.plain() }).await;
    let claim = w.claim(&one).await;
    for n in 0..3 {
        let part = w.put_part_on_air(&claim, &one).await;
        assert_eq!(part, PartId { attempt: 0, part: n });
        assert!(w.has_nothing_for(&modem(2)).await);
        w.settle(id, part, &one, accepted(10 + n)).await;
    }
    let message = w.message(id).await;
    assert_eq!((message.status(), message.attempts.len()), (Status::Submitted, 1));
    assert_eq!(message.attempts[0].concat_reference, claim.concat_reference);
    // Another message of several parts to the same number bears another reference (TS 23.040 §9.2.3.24.1).
    w.accept(NewMessage { parts: 2, ..w.plain() }).await;
    assert_ne!(w.claim(&one).await.concat_reference, claim.concat_reference);
}

async fn a_message_between_two_parts_waits_for_its_sim_card(w: World) {
    let one = modem(1);
    let id = w.accept(NewMessage { parts: 2, ..w.plain() }).await;
    let (claim, part) = w.put_on_air(&one).await;
    let reference = claim.concat_reference;
    w.settle(id, part, &one, accepted(1)).await;
    drop(claim);
    assert_eq!(w.status(id).await, Status::Queued);
    assert!(w.has_nothing_for(&modem(2)).await, "part 1 went out over another SIM card");
    let claim = w.claim(&one).await;
    assert_eq!(claim.concat_reference, reference);
    let part = w.put_part_on_air(&claim, &one).await;
    assert_eq!(part, PartId { attempt: 0, part: 1 });
    w.settle(id, part, &one, accepted(2)).await;
    assert_eq!(w.status(id).await, Status::Submitted);
}

async fn what_one_sim_card_refuses_another_may_take(w: World) {
    let (one, two) = (modem(1), modem(2));
    w.ready(&[&one, &two]).await;
    let id = w.accept(w.plain()).await;
    w.send(&one, PartResult::NotSent(Reason::Cms(21))).await;
    assert!(w.has_nothing_for(&one).await, "it may not take it again");
    let claim = w.claim(&two).await;
    assert_eq!(claim.message.id, id, "the other may, at once");
    let part = w.put_part_on_air(&claim, &two).await;
    w.settle(id, part, &two, accepted(1)).await;
    let message = w.message(id).await;
    assert_eq!((message.status(), message.attempts.len()), (Status::Submitted, 2));
    assert_eq!(message.avoid, [one.sim_card]);
}

async fn what_one_sim_card_refused_it_may_take_once_no_other_can(w: World) {
    let (one, two) = (modem(1), modem(2));
    w.ready(&[&one, &two]).await;
    let id = w.accept(w.plain()).await;
    w.send(&one, PartResult::NotSent(Reason::Cms(21))).await;
    assert!(w.has_nothing_for(&one).await);
    w.not_ready(&two).await;
    pass(secs(29)).await;
    assert!(w.has_nothing_for(&one).await, "the other may be back in a moment");
    pass(secs(1)).await;
    let (claim, part) = w.put_on_air(&one).await;
    assert_eq!((claim.message.id, part), (id, PartId { attempt: 0, part: 0 }));
    w.settle(id, part, &one, accepted(1)).await;
    assert_eq!(w.status(id).await, Status::Submitted);
}

async fn an_uncertain_message_is_resent_over_another_sim_card(w: World) {
    let (one, two) = (modem(1), modem(2));
    w.ready(&[&one, &two]).await;
    let new = || NewMessage { on_uncertain: OnUncertain::ResendOnce, ..w.plain() };
    let id = w.accept(new()).await;
    w.send(&one, PartResult::Uncertain(Reason::Cms(500))).await;
    assert!(w.has_nothing_for(&one).await, "the one that left it open is not the first choice");
    assert_eq!(w.send(&two, accepted(1)).await, id);
    // With no other, the same one.
    w.not_ready(&two).await;
    pass(secs(30)).await;
    let id = w.accept(new()).await;
    w.send(&one, PartResult::Uncertain(Reason::Cms(500))).await;
    assert_eq!(w.send(&one, accepted(2)).await, id);
}

/// The resend avoided the SIM card that had left it uncertain, and the other one's modem never prompted: it had the message
/// again and again until its deadline.
async fn one_that_never_prompts_keeps_no_message_from_another(w: World) {
    let (one, two) = (modem(1), modem(2));
    w.ready(&[&one, &two]).await;
    let id = w.accept(NewMessage { on_uncertain: OnUncertain::ResendOnce, ..w.plain() }).await;
    w.send(&one, PartResult::Uncertain(Reason::Cms(500))).await;
    w.send(&two, PartResult::NotSent(Reason::NotTransmitted)).await;
    assert_eq!(w.send(&one, accepted(1)).await, id);
}

async fn trouble_everywhere_binds_a_message_to_nobody(w: World) {
    let (one, two) = (modem(1), modem(2));
    w.ready(&[&one, &two]).await;
    let id = w.accept(w.plain()).await;
    w.send(&one, PartResult::NotSent(Reason::Cms(331))).await;
    w.not_ready(&one).await;
    w.send(&two, PartResult::NotSent(Reason::Cms(331))).await;
    w.not_ready(&two).await;
    pass(secs(5)).await;
    w.ready(&[&one]).await;
    assert_eq!(w.send(&one, accepted(1)).await, id, "the first that is well again");
}

async fn one_that_refused_for_good_is_the_last_choice(w: World) {
    let (one, two) = (modem(1), modem(2));
    w.ready(&[&one, &two]).await;
    let id = w.accept(w.plain()).await;
    w.send(&one, PartResult::NotSent(Reason::Cms(21))).await;
    w.send(&two, PartResult::NotSent(Reason::NotTransmitted)).await;
    assert!(w.has_nothing_for(&one).await, "the other only had trouble");
    assert_eq!(w.send(&two, accepted(1)).await, id);
}

async fn modems_that_are_busy_in_turn_do_not_end_a_message(w: World) {
    let id = w.accept(NewMessage { parts: 10, ..w.plain() }).await;
    for n in 0..20 {
        assert_eq!(w.send(&modem(n % 2), PartResult::NotSent(Reason::Cme(14))).await, id);
        pass(secs(300)).await;
    }
    let message = w.message(id).await;
    assert_eq!((message.status(), message.attempts.len()), (Status::Queued, 2));
}

async fn what_the_only_sim_card_refuses_is_tried_again_once(w: World) {
    let one = modem(1);
    w.ready(&[&one]).await;
    let id = w.accept(w.plain()).await;
    w.send(&one, PartResult::NotSent(Reason::Cms(21))).await;
    pass(secs(29)).await;
    assert!(w.has_nothing_for(&one).await);
    pass(secs(1)).await;
    assert_eq!(w.send(&one, PartResult::NotSent(Reason::Cms(21))).await, id);
    assert_eq!(w.state(id).await, State::Failed(Reason::Cms(21)));
}

async fn a_part_that_its_sim_card_refuses_does_not_come_back_at_once(w: World) {
    let (one, two) = (modem(1), modem(2));
    w.ready(&[&one, &two]).await;
    let id = w.accept(NewMessage { parts: 2, ..w.plain() }).await;
    let (claim, part) = w.put_on_air(&one).await;
    w.settle(id, part, &one, accepted(1)).await;
    let part = w.put_part_on_air(&claim, &one).await;
    w.settle(id, part, &one, PartResult::NotSent(Reason::Cms(21))).await;
    drop(claim);
    // Its first part binds it to this SIM card, so the other one is no way out and the pause counts.
    assert!(w.has_nothing_for(&one).await && w.has_nothing_for(&two).await);
    pass(secs(30)).await;
    assert_eq!(w.send(&one, PartResult::NotSent(Reason::Cms(21))).await, id);
    assert_eq!(w.state(id).await, State::Failed(Reason::Partial));
}

async fn temporary_refusals_pause_longer_each_time_and_end(w: World) {
    let one = modem(1);
    let id = w.accept(w.plain()).await;
    for pause in [15, 30, 60, 120, 240] {
        assert_eq!(w.send(&one, PartResult::NotSent(Reason::Cms(42))).await, id);
        assert_eq!(w.message(id).await.reason(), Some(Reason::Cms(42)));
        pass(secs(pause - 1)).await;
        assert!(w.has_nothing_for(&one).await, "{pause} s");
        pass(secs(1)).await;
    }
    w.send(&one, PartResult::NotSent(Reason::Cms(42))).await;
    let message = w.message(id).await;
    assert_eq!(message.state, State::Failed(Reason::Cms(42)));
    assert_eq!((message.attempts.len(), message.attempts[0].parts[0].refusals), (1, 6));
}

async fn a_permanent_refusal_ends_it(w: World) {
    let id = w.accept(w.plain()).await;
    w.send(&modem(1), PartResult::NotSent(Reason::Cms(1))).await;
    assert_eq!(w.state(id).await, State::Failed(Reason::Cms(1)));
    assert!(w.has_nothing_for(&modem(2)).await);
}

async fn a_number_that_the_network_calls_unassigned_is_refused_for_a_while(w: World) {
    let one = modem(1);
    let to_bob = || NewMessage { to: bob(), ..w.plain() };
    let unassigned = PartResult::NotSent(Reason::Cms(1));
    w.accept(w.plain()).await;
    w.send(&one, unassigned).await;
    w.accept(to_bob()).await;
    w.send(&one, accepted(1)).await;
    w.accept(w.plain()).await;
    w.send(&one, unassigned).await;
    let refused = |answer: StoreError| matches!(answer, StoreError::Unassigned(left) if left > HOUR);
    assert!(refused(w.store().accept(w.plain(), None).await.unwrap_err()));
    assert!(refused(w.store().create_verification(w.code(), None).await.unwrap_err()));
    w.accept(to_bob()).await;
    pass(2 * HOUR).await;
    w.accept(w.plain()).await;
}

async fn a_refused_later_part_leaves_a_message_partial(w: World) {
    let one = modem(1);
    let id = w.accept(NewMessage { parts: 2, ..w.plain() }).await;
    let (claim, part) = w.put_on_air(&one).await;
    w.settle(id, part, &one, accepted(1)).await;
    let part = w.put_part_on_air(&claim, &one).await;
    w.settle(id, part, &one, PartResult::NotSent(Reason::Cms(1))).await;
    assert_eq!(w.state(id).await, State::Failed(Reason::Partial));
}

async fn a_queued_message_is_canceled(w: World) {
    let id = w.accept(w.plain()).await;
    let canceled = w.cancel(id).await.unwrap();
    assert_eq!(canceled.state, State::Canceled(Reason::CanceledByCaller));
    assert!(w.has_nothing_for(&modem(1)).await);
    assert_eq!(w.cancel(id).await, Err(StoreError::Message(Refused::Final)));
}

async fn a_claimed_message_is_canceled_before_the_hand_over(w: World) {
    let one = modem(1);
    let id = w.accept(w.plain()).await;
    let claim = w.claim(&one).await;
    w.cancel(id).await.unwrap();
    assert_eq!(w.begin(&claim, &one).await, Grant::Refused(Refused::Final));
    let id = w.accept(w.plain()).await;
    let claim = w.claim(&one).await;
    assert_eq!(w.begin(&claim, &one).await, Grant::Granted);
    w.cancel(id).await.unwrap();
    assert!(!claim.gate.pass(), "the cancel was first");
    drop(claim);
    let message = w.message(id).await;
    assert_eq!(message.state, State::Canceled(Reason::CanceledByCaller));
    assert!(!message.ever_uncertain);
}

async fn a_message_on_the_air_is_not_canceled(w: World) {
    let on_air = Err(StoreError::Message(Refused::OnAir));
    let one = modem(1);
    let id = w.accept(NewMessage { parts: 2, ..w.plain() }).await;
    let (claim, part) = w.put_on_air(&one).await;
    assert_eq!(w.cancel(id).await, on_air);
    w.settle(id, part, &one, accepted(1)).await;
    assert_eq!(w.cancel(id).await, on_air, "between two parts");
    let part = w.put_part_on_air(&claim, &one).await;
    w.settle(id, part, &one, accepted(2)).await;
    assert_eq!(w.cancel(id).await, on_air, "submitted");
}

async fn its_deadline_ends_a_message_that_waits(w: World) {
    let id = w.accept(NewMessage { deadline: w.now().after(MINUTE), ..w.plain() }).await;
    pass(MINUTE - secs(1)).await;
    assert_eq!(w.status(id).await, Status::Queued);
    pass(secs(1)).await;
    assert_eq!(w.state(id).await, State::Expired(Reason::TtlPassed));
    assert!(w.has_nothing_for(&modem(1)).await);
}

async fn its_deadline_ends_a_message_that_a_modem_holds(w: World) {
    let id = w.accept(NewMessage { deadline: w.now().after(MINUTE), ..w.plain() }).await;
    let claim = w.claim(&modem(1)).await;
    pass(MINUTE).await;
    assert!(matches!(w.begin(&claim, &modem(1)).await, Grant::Refused(_)));
    assert_eq!(w.state(id).await, State::Expired(Reason::TtlPassed));
}

async fn a_text_is_erased_when_it_can_not_be_needed_any_more(mut w: World) {
    let one = modem(1);
    let sent = w.accept(w.plain()).await;
    w.send(&one, accepted(1)).await;
    let lost = w.accept(w.plain()).await;
    w.send(&one, PartResult::Uncertain(Reason::NoResult)).await;
    let canceled = w.accept(w.plain()).await;
    w.cancel(canceled).await.unwrap();
    let again = NewMessage { on_uncertain: OnUncertain::ResendOnce, deadline: w.now().after(HOUR), ..w.plain() };
    let reported = w.accept(again).await;
    w.send(&one, accepted(2)).await;
    let queued = w.accept(w.plain()).await;
    let rows = [
        ("submitted, and never sent again", sent, false),
        ("uncertain, and its result may still come", lost, true),
        ("canceled", canceled, false),
        ("submitted, and a report may permit a resend", reported, true),
        ("queued", queued, true),
    ];
    for (name, id, kept) in rows {
        assert_eq!(w.has(Key::Body(id)).await, kept, "{name}");
    }
    pass(4 * MINUTE).await;
    assert!(!w.has(Key::Body(lost)).await, "no result comes any more");
    pass(HOUR).await;
    assert!(!w.has(Key::Body(reported)).await, "past its deadline");
}

async fn many_requests_at_once_are_busy_and_the_modems_lane_never_is(w: World) {
    let answers: Vec<_> = (0..5_000).map(|_| w.store().accept(w.plain(), None)).collect();
    let left_open = w.store().left_open();
    assert_eq!(left_open.await, Ok(Vec::new()), "a modem is answered all the same");
    let mut results = Vec::new();
    for answer in answers {
        results.push(answer.await.map(|a| a.value.id));
    }
    let taken: Vec<_> = results.iter().filter_map(|r| r.as_ref().ok()).collect();
    assert!(results.iter().all(|r| r.is_ok() || *r == Err(StoreError::Busy)));
    assert!((256..5_000).contains(&taken.len()), "{}", taken.len());
    assert_eq!(w.store().health().queued, taken.len());
    assert!(w.store().accept(w.plain(), None).await.is_ok(), "and goes on");
}

async fn after_close_everything_is_closed(mut w: World) {
    let id = w.accept(w.plain()).await;
    let held = w.claim(&modem(1)).await;
    let pending = w.store().claim(modem(1).imei, modem(1).sim_card);
    let parked = NewMessage { send_at: Some(w.now().after(HOUR)), ..w.plain() };
    let last = w.store().accept(parked, None);
    w.store().close().await.unwrap();
    assert!(last.await.is_ok(), "what was asked before is done");
    drop(held);
    assert_eq!(pending.await.unwrap_err(), StoreError::Closed);
    assert!(w.store().health().closed);
    assert_eq!(w.store().accept(w.plain(), None).await.unwrap_err(), StoreError::Closed);
    assert_eq!(w.store().message(ME, id, None).await.unwrap_err(), StoreError::Closed);
    assert_eq!(w.store().claim(modem(1).imei, modem(1).sim_card).await.unwrap_err(), StoreError::Closed);
    assert_eq!(w.store().left_open().await.unwrap_err(), StoreError::Closed);
    assert_eq!(w.store().close().await, Err(StoreError::Closed));
    assert_eq!(w.end().await, Ok(()));
}
