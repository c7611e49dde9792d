//! Deadlines by three clocks: what a jump, a restart and another boot do to them.

use super::*;
use otpgate::domain::message::Refused;
use otpgate::domain::reason::Reason;

on_both_stores! {
    at_the_intent_the_wall_clock_can_say_expired
    at_the_intent_the_boot_clock_can_say_expired
    a_code_with_too_little_life_left_is_not_sent
    send_at_and_ttl_across_a_clock_jump
    send_at_and_ttl_across_a_restart_in_the_same_boot
    send_at_and_ttl_across_another_boot
    a_wall_clock_set_back_at_a_restart_holds_sending_until_it_has_passed
    a_wall_clock_set_back_at_a_restart_holds_sending_until_it_is_synchronised
    what_was_parked_under_a_wrong_clock_goes_when_it_has_been_put_right
    what_expired_under_a_wrong_clock_ends_when_it_has_been_put_right
}

async fn at_the_intent_the_wall_clock_can_say_expired(w: World) {
    let id = w.accept(NewMessage { deadline: w.now().after(HOUR), ..w.plain() }).await;
    let claim = w.claim(&modem(1)).await;
    w.clock.jump_wall(3_600_000);
    assert_eq!(w.begin(&claim, &modem(1)).await, Grant::Refused(Refused::Expired));
    assert_eq!(w.state(id).await, State::Expired(Reason::TtlPassed));
}

async fn at_the_intent_the_boot_clock_can_say_expired(w: World) {
    let id = w.accept(NewMessage { deadline: w.now().after(HOUR), ..w.plain() }).await;
    let claim = w.claim(&modem(1)).await;
    w.clock.jump_wall(-7_200_000);
    pass(HOUR).await;
    assert!(matches!(w.begin(&claim, &modem(1)).await, Grant::Refused(_)));
    assert_eq!(w.state(id).await, State::Expired(Reason::TtlPassed));
}

async fn a_code_with_too_little_life_left_is_not_sent(w: World) {
    let one = modem(1);
    let (_, id) = w.verify(w.code()).await;
    pass(secs(290)).await;
    let claim = w.claim(&one).await;
    let intent = IntentOf { needs: secs(11), ..w.intent(&claim, &one).await };
    assert_eq!(w.store().begin(id, intent).await, Ok(Grant::Refused(Refused::TooLate)));
    assert_eq!(w.state(id).await, State::Expired(Reason::TooLate));
    // A plain message may come late, as long as it leaves in time.
    w.accept(NewMessage { deadline: w.now().after(secs(10)), ..w.plain() }).await;
    let claim = w.claim(&one).await;
    let intent = IntentOf { needs: secs(11), ..w.intent(&claim, &one).await };
    assert_eq!(w.store().begin(claim.message.id, intent).await, Ok(Grant::Granted));
}

/// A message to be sent in an hour, and one that waits for two.
async fn parked_and_waiting(w: &World) -> (MessageId, MessageId) {
    let parked = NewMessage { send_at: Some(w.now().after(HOUR)), priority: Priority::High, ..w.plain() };
    let waiting = NewMessage { deadline: w.now().after(2 * HOUR), ..w.plain() };
    (w.accept(parked).await, w.accept(waiting).await)
}

/// They do so in exactly this time, and not before.
async fn keep_their_times(w: &World, (parked, waiting): (MessageId, MessageId), send_in: Duration, ends_in: Duration) {
    pass(send_in - secs(2)).await;
    assert_eq!(w.claim(&modem(1)).await.message.id, waiting, "the other is parked");
    pass(secs(2)).await;
    assert_eq!(w.claim(&modem(1)).await.message.id, parked);
    pass(ends_in - send_in - secs(2)).await;
    assert_eq!(w.status(waiting).await, Status::Queued);
    pass(secs(2)).await;
    assert_eq!(w.state(waiting).await, State::Expired(Reason::TtlPassed));
}

async fn send_at_and_ttl_across_a_clock_jump(w: World) {
    for jump in [-5_400_000, 5_400_000] {
        let both = parked_and_waiting(&w).await;
        w.clock.jump_wall(jump);
        keep_their_times(&w, both, HOUR, 2 * HOUR).await;
        assert_eq!(w.send(&modem(1), accepted(1)).await, both.0);
    }
}

async fn send_at_and_ttl_across_a_restart_in_the_same_boot(mut w: World) {
    let both = parked_and_waiting(&w).await;
    w.stop().await;
    pass(30 * MINUTE).await;
    w.clock.jump_wall(900_000);
    w.start();
    // The boot clock counts: half an hour has passed, whatever the wall clock says.
    keep_their_times(&w, both, 30 * MINUTE, 90 * MINUTE).await;
}

async fn send_at_and_ttl_across_another_boot(mut w: World) {
    let both = parked_and_waiting(&w).await;
    w.stop().await;
    pass(30 * MINUTE).await;
    w.clock.reboot();
    w.clock.jump_wall(900_000);
    w.start();
    // The wall clock must be believed: three quarters of an hour have passed.
    keep_their_times(&w, both, 15 * MINUTE, 75 * MINUTE).await;
}

async fn a_wall_clock_set_back_at_a_restart_holds_sending_until_it_has_passed(mut w: World) {
    let id = w.accept(w.plain()).await;
    let last = w.now().wall;
    w.stop().await;
    w.clock.reboot();
    w.clock.jump_wall(-3_600_000);
    w.start();
    assert_eq!(w.store().health().clock_held_until, Some(last));
    w.accept(NewMessage { deadline: w.now().after(3 * DAY), ..w.plain() }).await;
    for _ in 0..2 {
        assert!(w.has_nothing_for(&modem(1)).await);
        pass(HOUR / 2 - secs(1)).await;
    }
    let (claim, waited) = (w.store().claim(modem(1).imei, modem(1).sim_card), w.now().mono);
    assert_eq!(claim.await.unwrap().message.id, id);
    assert!(w.now().mono - waited <= secs(4), "it is looked at each second");
    assert_eq!(w.status(id).await, Status::Queued, "given back");
    assert_eq!(w.store().health().clock_held_until, None);
}

async fn a_wall_clock_set_back_at_a_restart_holds_sending_until_it_is_synchronised(mut w: World) {
    let id = w.accept(w.plain()).await;
    w.stop().await;
    w.clock.jump_wall(-3_600_000);
    w.start();
    assert!(w.has_nothing_for(&modem(1)).await);
    w.clock.set_synchronised(true);
    pass(secs(2)).await;
    assert_eq!(w.claim(&modem(1)).await.message.id, id);
}

/// A box without a clock of its own starts decades back, and is put right when it has found the network.
async fn starts_decades_back_and_is_put_right(w: &mut World) {
    w.stop().await;
    w.clock.reboot();
    w.clock.jump_wall(-DECADES);
    w.start();
    pass(MINUTE).await;
    assert!(w.has_nothing_for(&modem(1)).await);
    w.clock.jump_wall(DECADES);
    w.clock.set_synchronised(true);
}

async fn what_was_parked_under_a_wrong_clock_goes_when_it_has_been_put_right(mut w: World) {
    let both = parked_and_waiting(&w).await;
    starts_decades_back_and_is_put_right(&mut w).await;
    pass(secs(30)).await;
    keep_their_times(&w, both, 58 * MINUTE + secs(30), 118 * MINUTE + secs(30)).await;
}

async fn what_expired_under_a_wrong_clock_ends_when_it_has_been_put_right(mut w: World) {
    let (verification, message) = w.verify(w.code()).await;
    starts_decades_back_and_is_put_right(&mut w).await;
    w.clock.jump_wall(600_000);
    pass(MINUTE).await;
    assert_eq!(w.verification(verification).await.state.as_str(), "expired");
    assert_eq!(w.status(message).await, Status::Expired);
}

const DECADES: i64 = 40 * 365 * 86_400_000;
