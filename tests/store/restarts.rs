//! What a stop or a crash leaves, and what becomes of it.

use super::*;
use otpgate::domain::reason::Reason;

on_both_stores! {
    what_was_accepted_is_there_after_a_crash
    an_open_intent_of_a_plain_message_is_uncertain_after_a_crash
    an_open_intent_of_a_code_is_sent_once_more_after_a_crash
    a_late_result_settles_what_a_crash_left_open
    a_late_result_is_credited_to_the_one_message_that_it_can_belong_to
    a_port_lost_in_a_send_is_listened_to
    a_crash_between_two_parts_leaves_the_rest_to_the_same_sim_card
    a_claim_without_an_intent_leaves_no_trace_after_a_crash
    reports_find_their_parts_after_a_restart
    a_pause_and_a_barred_sim_card_outlive_a_restart
    sequence_goes_on_after_a_restart
}

async fn what_was_accepted_is_there_after_a_crash(mut w: World) {
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(w.accept(w.plain()).await);
    }
    let (verification, _) = w.verify(w.code()).await;
    w.crash().await;
    assert_eq!((w.opened.quarantined.clone(), w.opened.set_aside), (None, 0));
    assert_eq!(w.store().health().queued, 21);
    assert_eq!(w.verification(verification).await.state.as_str(), "pending");
    let code = w.claim(&modem(1)).await;
    assert_eq!(w.check(verification, &code_in(&code)).await.map(|v| v.valid), Ok(true));
    for id in ids {
        assert_eq!(w.send(&modem(1), accepted(1)).await, id);
    }
}

async fn an_open_intent_of_a_plain_message_is_uncertain_after_a_crash(mut w: World) {
    let id = w.accept(NewMessage { deadline: w.now().after(HOUR), ..w.plain() }).await;
    let (claim, part) = w.put_on_air(&modem(1)).await;
    w.crash().await;
    drop(claim);
    let message = w.message(id).await;
    assert_eq!((message.status(), message.reason()), (Status::Uncertain, Some(Reason::Restarted)));
    assert!(message.ever_uncertain && !message.is_final());
    let left_open = w.store().left_open().await.unwrap();
    assert_eq!(left_open.len(), 1);
    let open = &left_open[0];
    assert_eq!((open.message, open.part, open.until), (id, part, w.now().mono + secs(200)));
    assert_eq!(Modem { imei: open.modem.clone(), sim_card: open.sim_card.clone() }, modem(1));
    assert!(w.has_nothing_for(&modem(1)).await && w.has_nothing_for(&modem(2)).await);
    pass(HOUR).await;
    assert!(w.message(id).await.is_final(), "closed at its deadline");
}

async fn an_open_intent_of_a_code_is_sent_once_more_after_a_crash(mut w: World) {
    let (_, id) = w.verify(w.code()).await;
    w.put_on_air(&modem(1)).await;
    w.crash().await;
    assert_eq!((w.status(id).await, w.message(id).await.ever_uncertain), (Status::Queued, true));
    w.put_on_air(&modem(2)).await;
    w.crash().await;
    assert_eq!(w.status(id).await, Status::Uncertain, "the one resend is spent");
    assert_eq!(w.store().left_open().await.unwrap().len(), 2, "either one's result may still come");
    assert!(w.has_nothing_for(&modem(1)).await);
}

async fn a_late_result_settles_what_a_crash_left_open(mut w: World) {
    let rows = [(accepted(9), Status::Submitted), (PartResult::NotSent(Reason::Cms(1)), Status::Failed)];
    for (late, status) in rows {
        let id = w.accept(w.plain()).await;
        let (_claim, part) = w.put_on_air(&modem(1)).await;
        w.crash().await;
        w.settle(id, part, &modem(1), late).await;
        assert_eq!((w.status(id).await, w.message(id).await.ever_uncertain), (status, true));
        assert_eq!(w.store().left_open().await, Ok(Vec::new()));
    }
}

/// Found by a schedule: of two messages that two crashes left open, a report had settled the older one. Its result came
/// late, and the younger one, of which nothing had left, counted as sent.
async fn a_late_result_is_credited_to_the_one_message_that_it_can_belong_to(mut w: World) {
    let one = modem(1);
    let (older, younger) = (w.accept(w.plain()).await, w.accept(NewMessage { to: bob(), ..w.plain() }).await);
    w.put_on_air(&one).await;
    w.crash().await;
    assert_eq!(w.report(&one, 7, ReportVerdict::Delivered).await, Some(older));
    w.put_on_air(&one).await;
    w.crash().await;
    assert_eq!(w.status(younger).await, Status::Uncertain);
    assert_eq!(w.late_result(&one, PartResult::NotSent(Reason::Cms(38))).await, None, "an error may be either one's");
    assert_eq!(w.late_result(&modem(2), accepted(8)).await, None, "another modem");
    assert_eq!(w.late_result(&one, accepted(7)).await, None, "the report told that this is the older one's");
    assert_eq!(w.status(younger).await, Status::Uncertain);
    assert_eq!(w.late_result(&one, accepted(8)).await, Some(younger));
    assert_eq!(w.status(younger).await, Status::Submitted);
    assert_eq!(w.late_result(&one, accepted(9)).await, None, "each has but one result");
}

async fn a_port_lost_in_a_send_is_listened_to(w: World) {
    let one = modem(1);
    let id = w.accept(w.plain()).await;
    let (claim, part) = w.put_on_air(&one).await;
    drop(claim);
    assert_eq!(w.status(id).await, Status::Uncertain, "a claim dropped by a driver that panicked");
    let left_open: Vec<_> = w.store().left_open().await.unwrap().iter().map(|l| (l.message, l.part)).collect();
    assert_eq!(left_open, [(id, part)]);
    assert_eq!(w.late_result(&one, accepted(1)).await, Some(id));
    let id = w.accept(w.plain()).await;
    w.send(&one, PartResult::Uncertain(Reason::PortLost)).await;
    assert_eq!(w.store().left_open().await.unwrap().len(), 1);
    pass(secs(200)).await;
    assert_eq!(w.store().left_open().await, Ok(Vec::new()));
    assert_eq!((w.late_result(&one, accepted(2)).await, w.status(id).await), (None, Status::Uncertain));
}

async fn a_crash_between_two_parts_leaves_the_rest_to_the_same_sim_card(mut w: World) {
    let one = modem(1);
    let id = w.accept(NewMessage { parts: 2, ..w.plain() }).await;
    let (claim, part) = w.put_on_air(&one).await;
    w.settle(id, part, &one, accepted(1)).await;
    w.crash().await;
    let message = w.message(id).await;
    assert_eq!((message.status(), message.ever_uncertain), (Status::Queued, false));
    assert_eq!(w.store().left_open().await, Ok(Vec::new()));
    assert!(w.has_nothing_for(&modem(2)).await);
    let again = w.claim(&one).await;
    assert_eq!((again.message.id, again.concat_reference), (id, claim.concat_reference));
    assert_eq!(w.put_part_on_air(&again, &one).await, PartId { attempt: 0, part: 1 });
}

async fn a_claim_without_an_intent_leaves_no_trace_after_a_crash(mut w: World) {
    let id = w.accept(w.plain()).await;
    let before = w.message(id).await;
    let _claim = w.claim(&modem(1)).await;
    w.crash().await;
    assert_eq!(w.message(id).await, before);
    assert_eq!(w.claim(&modem(2)).await.message.id, id);
}

async fn reports_find_their_parts_after_a_restart(mut w: World) {
    let one = modem(1);
    let sent = w.accept(w.plain()).await;
    w.send(&one, accepted(42)).await;
    let lost = w.accept(w.plain()).await;
    w.send(&one, PartResult::Uncertain(Reason::NoResult)).await;
    w.restart().await;
    assert_eq!(w.report(&one, 42, ReportVerdict::Delivered).await, Some(sent));
    assert_eq!(w.report(&one, 43, ReportVerdict::Delivered).await, Some(lost));
    assert_eq!((w.status(sent).await, w.status(lost).await), (Status::Delivered, Status::Delivered));
}

async fn a_pause_and_a_barred_sim_card_outlive_a_restart(mut w: World) {
    let (one, two) = (modem(1), modem(2));
    w.ready(&[&one, &two]).await;
    // To somebody else: the SIM card that has reached a number would go first.
    w.accept(NewMessage { to: bob(), ..w.plain() }).await;
    w.send(&two, accepted(1)).await;
    let barred = w.accept(NewMessage { priority: Priority::High, ..w.plain() }).await;
    w.send(&one, PartResult::NotSent(Reason::Cms(21))).await;
    let paused = w.accept(w.plain()).await;
    w.send(&one, PartResult::NotSent(Reason::Cms(42))).await;
    w.restart().await;
    assert!(w.has_nothing_for(&one).await, "one is paused, the other barred");
    pass(secs(15)).await;
    assert_eq!(w.claim(&one).await.message.id, paused);
    assert_eq!(w.claim(&two).await.message.id, barred);
}

async fn sequence_goes_on_after_a_restart(mut w: World) {
    let first = w.accept(w.plain()).await;
    let deadline = w.message(first).await.deadline;
    w.restart().await;
    let second = w.accept(NewMessage { deadline, ..w.plain() }).await;
    assert!(w.message(second).await.sequence > w.message(first).await.sequence);
    assert_eq!(w.claim(&modem(1)).await.message.id, first);
}
