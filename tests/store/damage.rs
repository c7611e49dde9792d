//! A store that is not as it was left: its mark missing, older or newer; a record that does not decode.

use super::*;
use otpgate::domain::message::Refused;

on_both_stores! {
    the_mark_missing
    the_mark_older
    the_mark_newer
    a_quarantined_store_can_be_read_and_nothing_else
    a_damaged_record_is_set_aside_and_sending_goes_on
    a_message_whose_text_is_damaged_ends
    a_damaged_verification_costs_its_own_message_only
    a_record_that_is_too_large_is_refused_alone
}

/// Nothing is handed out and nothing is taken in.
async fn is_quarantined(w: &World) -> bool {
    let health = w.store().health().quarantined.is_some();
    assert_eq!(health, w.opened.quarantined.is_some());
    assert_eq!(health, w.has_nothing_for(&modem(1)).await);
    let taken = w.store().accept(w.plain(), None).await.map(|a| a.value.status());
    assert_eq!(taken, if health { Err(StoreError::Quarantined) } else { Ok(Status::Queued) });
    health
}

async fn the_mark_missing(mut w: World) {
    w.accept(w.plain()).await;
    w.stop().await;
    w.remove_mark();
    w.start();
    assert!(is_quarantined(&w).await);
}

async fn the_mark_older(mut w: World) {
    for (batches, quarantined) in [(1, false), (2, true)] {
        w.accept(w.plain()).await;
        w.stop().await;
        let older = w.save();
        w.start();
        for _ in 0..batches {
            w.accept(w.plain()).await;
        }
        w.stop().await;
        w.put_mark(&older);
        w.start();
        assert_eq!(is_quarantined(&w).await, quarantined, "{batches} batches older");
    }
}

async fn the_mark_newer(mut w: World) {
    w.accept(w.plain()).await;
    w.stop().await;
    let older = w.save();
    w.start();
    w.accept(w.plain()).await;
    w.stop().await;
    w.put_map(&older);
    w.start();
    assert!(is_quarantined(&w).await);
}

async fn a_quarantined_store_can_be_read_and_nothing_else(mut w: World) {
    let message = w.accept(w.plain()).await;
    let sent = w.accept(w.plain()).await;
    let (verification, _) = w.verify(w.code()).await;
    let code = w.claim(&modem(1)).await;
    drop(w.claim(&modem(1)).await);
    w.send(&modem(1), accepted(7)).await;
    let (_claim, part) = w.put_on_air(&modem(1)).await;
    w.stop().await;
    w.remove_mark();
    w.start();
    let s = w.store();
    let no = StoreError::Quarantined;
    assert_eq!(w.check(verification, &code_in(&code)).await.unwrap_err(), no);
    assert_eq!(w.resend(verification, false).await.unwrap_err(), no);
    assert_eq!(w.cancel_verification(verification).await.unwrap_err(), no);
    assert_eq!(w.cancel(message).await.unwrap_err(), no);
    assert_eq!(w.report(&modem(1), 7, ReportVerdict::Delivered).await, None);
    let outcome = Outcome { message: sent, part, sim_card: modem(1).sim_card, result: accepted(8) };
    assert_eq!(s.settle(outcome, None).await, Ok(None));
    let intent = IntentOf {
        modem: modem(1).imei,
        sim_card: modem(1).sim_card,
        part,
        concat_reference: 0,
        report_until: w.now().after(HOUR),
        needs: secs(1),
    };
    assert_eq!(s.begin(message, intent).await, Ok(Grant::Refused(Refused::OutOfStep)));
    pass(2 * DAY).await;
    assert!(!s.health().closed, "it goes on, so that somebody can look");
    assert_eq!(w.status(message).await, Status::Submitted);
    assert_eq!(w.verification(verification).await.state.as_str(), "pending");
    let crashed = w.status(sent).await;
    assert_eq!(crashed, Status::Submitting, "as it was left");
}

async fn a_damaged_record_is_set_aside_and_sending_goes_on(mut w: World) {
    let damaged = w.accept(w.plain()).await;
    let sound = w.accept(w.plain()).await;
    w.stop().await;
    w.damage(Key::Message(damaged));
    for _ in 0..2 {
        w.start();
        assert_eq!((w.opened.set_aside, w.opened.quarantined.clone()), (1, None), "counted each time");
        assert_eq!(w.store().health().set_aside, 1);
        assert_eq!(w.store().message(ME, damaged, None).await, Err(StoreError::Damaged));
        assert_eq!(w.claim(&modem(1)).await.message.id, sound);
        w.stop().await;
    }
    w.start();
    assert_eq!(w.send(&modem(1), accepted(1)).await, sound);
    w.accept(w.plain()).await;
    w.restart().await;
    assert_eq!((w.opened.set_aside, w.opened.quarantined.clone()), (1, None));
}

async fn a_message_whose_text_is_damaged_ends(mut w: World) {
    let damaged = w.accept(w.plain()).await;
    let sound = w.accept(w.plain()).await;
    w.stop().await;
    w.damage(Key::Body(damaged));
    w.start();
    assert_eq!(w.send(&modem(1), accepted(1)).await, sound);
    pass(secs(2)).await;
    let message = w.message(damaged).await;
    assert_eq!((message.status(), message.reason().map(|r| r.code())), (Status::Failed, Some("text_lost")));
}

async fn a_damaged_verification_costs_its_own_message_only(mut w: World) {
    let (damaged, message) = w.verify(w.code()).await;
    let sound = w.accept(w.plain()).await;
    w.stop().await;
    w.damage(Key::Verification(damaged));
    w.start();
    assert_eq!(w.check(damaged, "000000").await, Err(StoreError::Damaged));
    assert_eq!(w.send(&modem(1), accepted(1)).await, sound);
    pass(secs(2)).await;
    assert_eq!(w.status(message).await, Status::Failed);
    let (_, next) = w.verify(w.code()).await;
    assert_eq!(w.claim(&modem(1)).await.message.id, next);
}

async fn a_record_that_is_too_large_is_refused_alone(w: World) {
    let body = Body::Text(Secret::new("x".repeat(5_000)));
    let large = w.store().accept(NewMessage { body, ..w.plain() }, None);
    let sound = w.store().accept(w.plain(), None);
    assert_eq!(large.await, Err(StoreError::TooLarge));
    let sound = sound.await.unwrap().value.id;
    let mut large = w.code();
    large.message.body = Body::code("x".repeat(5_000), "");
    assert_eq!(w.store().create_verification(large, None).await, Err(StoreError::TooLarge));
    assert_eq!(w.store().health().queued, 1);
    assert_eq!(w.send(&modem(1), accepted(1)).await, sound);
    assert!(w.has_nothing_for(&modem(1)).await);
}
