//! What only a disk in memory can play: syncs that fail, batches that a crash drops, keeps or splits, a disk that is full.

use super::*;
use otpgate::store::backend::BackendError;
use otpgate::store::memory_backend::Fault;

/// A disk that loses a record under a running store. Before, the message stayed "queued" and counted until the next start.
#[tokio::test(start_paused = true)]
async fn a_record_damaged_while_it_waits_is_set_aside() {
    let w = World::in_memory();
    let damaged = w.accept(w.plain()).await;
    let sound = w.accept(w.plain()).await;
    w.disk().rot(&Key::Message(damaged).to_bytes());
    assert_eq!(w.send(&modem(1), accepted(1)).await, sound);
    pass(secs(1)).await;
    let health = w.store().health();
    assert_eq!((health.set_aside, health.queued, health.closed), (1, 0, false));
    assert_eq!(w.disk().aside().len(), 1);
    let next = w.accept(w.plain()).await;
    assert_eq!(w.send(&modem(1), accepted(2)).await, next);
}

#[tokio::test(start_paused = true)]
async fn unsynced_batches_are_dropped() {
    let (w, kept, in_doubt) = after_a_failed_sync(CrashMode::Drop).await;
    assert_eq!(w.store().message(ME, in_doubt, None).await, Err(StoreError::NotFound));
    assert_eq!(w.send(&modem(1), accepted(1)).await, kept);
    assert!(w.has_nothing_for(&modem(1)).await);
}

#[tokio::test(start_paused = true)]
async fn unsynced_batches_are_kept() {
    let (w, kept, in_doubt) = after_a_failed_sync(CrashMode::Keep).await;
    assert_eq!(w.send(&modem(1), accepted(1)).await, kept);
    assert_eq!(w.send(&modem(1), accepted(2)).await, in_doubt, "whole, with its text");
}

#[tokio::test(start_paused = true)]
async fn unsynced_batches_are_split() {
    let mut quarantined = 0;
    for keep_first in 0.. {
        let (w, kept, in_doubt) = after_a_failed_sync(CrashMode::Split { keep_first }).await;
        if w.opened.quarantined.is_some() {
            quarantined += 1;
            assert!(w.has_nothing_for(&modem(1)).await, "the first {keep_first}");
            assert_eq!(w.store().accept(w.plain(), None).await.unwrap_err(), StoreError::Quarantined);
            assert_eq!(w.status(kept).await, Status::Queued, "what was answered can still be read");
            continue;
        }
        assert_eq!(w.send(&modem(1), accepted(1)).await, kept);
        let whole = w.store().message(ME, in_doubt, None).await.is_ok();
        assert_eq!(whole, keep_first > 0, "the first {keep_first}");
        if whole {
            assert_eq!(w.send(&modem(1), accepted(2)).await, in_doubt);
            break;
        }
    }
    assert_eq!(quarantined, 3, "the text, the message or the audit line without the tally");
}

/// A store after a crash in which one accept was answered, and another was not.
async fn after_a_failed_sync(mode: CrashMode) -> (World, MessageId, MessageId) {
    let mut w = World::in_memory();
    let kept = w.accept(w.plain()).await;
    w.disk().set_fault(Fault::SyncFails);
    let new = w.plain();
    let in_doubt = new.id;
    assert_eq!(w.store().accept(new, None).await.unwrap_err(), StoreError::Closed, "not durable, so not answered");
    w.power_fails(mode).await;
    w.start();
    (w, kept, in_doubt)
}

#[tokio::test(start_paused = true)]
async fn a_sync_that_fails_closes_everything_and_ends_the_committer() {
    let mut w = World::in_memory();
    let held = w.accept(w.plain()).await;
    let claim = w.claim(&modem(1)).await;
    let waiting = w.store().claim(modem(2).imei, modem(2).sim_card);
    w.disk().set_fault(Fault::SyncFails);
    assert_eq!(w.store().begin(held, w.intent(&claim, &modem(1)).await).await, Err(StoreError::Closed), "no grant");
    assert_eq!(waiting.await.unwrap_err(), StoreError::Closed);
    w.disk().set_fault(Fault::None);
    assert_eq!(w.store().accept(w.plain(), None).await.unwrap_err(), StoreError::Closed, "it is not tried again");
    assert_eq!(w.store().left_open().await.unwrap_err(), StoreError::Closed);
    assert!(w.store().health().closed);
    assert!(matches!(w.end().await, Err(VaultError::Backend(BackendError::Io(_)))));
}

#[tokio::test(start_paused = true)]
async fn of_a_batch_that_fails_nothing_is_answered_well() {
    let mut w = World::in_memory();
    let (verification, _) = w.verify(w.code()).await;
    let code = code_in(&w.claim(&modem(1)).await);
    w.disk().set_fault(Fault::SyncFails);
    let check = w.store().check(ME, verification, given(&code), None);
    let accept = w.store().accept(w.plain(), None);
    assert_eq!(check.await.unwrap_err(), StoreError::Closed);
    assert_eq!(accept.await.unwrap_err(), StoreError::Closed);
    w.power_fails(CrashMode::Drop).await;
    w.start();
    assert!(w.check(verification, &code).await.unwrap().valid, "nothing was spent and nothing was said");
}

#[tokio::test(start_paused = true)]
async fn with_little_space_left_nothing_new_is_taken_in_and_sending_goes_on() {
    let w = World::in_memory();
    let id = w.accept(w.plain()).await;
    let (verification, _) = w.verify(w.code()).await;
    w.disk().set_low_space(true);
    assert_eq!(w.store().accept(w.plain(), None).await.unwrap_err(), StoreError::Full);
    assert_eq!(w.store().create_verification(w.code(), None).await.unwrap_err(), StoreError::Full);
    assert_eq!(w.resend(verification, false).await.unwrap_err(), StoreError::Full);
    let (claim, part) = w.put_on_air(&modem(1)).await;
    w.settle(claim.message.id, part, &modem(1), accepted(1)).await;
    assert!(w.check(verification, &code_in(&claim)).await.unwrap().valid);
    assert_eq!(w.send(&modem(1), accepted(2)).await, id);
    w.report(&modem(1), 2, ReportVerdict::Delivered).await;
    assert_eq!(w.status(id).await, Status::Delivered);
    w.disk().set_low_space(false);
    w.accept(w.plain()).await;
}

#[tokio::test(start_paused = true)]
async fn nothing_legible_is_on_the_disk() {
    let mut w = World::in_memory();
    w.accept(w.plain()).await;
    w.verify(NewVerification { code: NewCode::Supplied(Secret::new("135246")), ..w.code() }).await;
    w.stop().await;
    for (key, value) in w.save().map {
        for secret in ["447700900123", "135246", "Hello", "Your code"] {
            let legible = |bytes: &[u8]| bytes.windows(secret.len()).any(|w| w == secret.as_bytes());
            assert!(!legible(&key) && !legible(&value));
        }
    }
}
