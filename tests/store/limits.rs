//! What a SIM card may send: counted with the intent, given back only if provably unsent, known again after a restart.

use super::*;
use otpgate::config::{Limits, Mode, Route};
use otpgate::dispatch::quota::Window;
use otpgate::dispatch::router::Routes;
use otpgate::domain::reason::Reason;
use otpgate::store::SimCardView;

on_both_stores! {
    a_part_is_charged_with_its_intent_and_given_back_only_if_unsent
    a_restart_and_a_crash_keep_the_count
    what_is_claimed_has_its_room
    three_parts_do_not_start_where_two_are_left
    a_long_message_finds_room_between_short_ones
    a_code_waits_for_no_long_message
    what_stands_before_a_message_counts_into_its_slot
    a_slot_is_told_of_all_that_is_held_back_and_of_nothing_else
    slots_of_a_long_queue_are_told_at_once
    a_tenth_is_kept_for_codes
    a_message_to_somebody_new_is_parked_until_midnight
    another_sim_card_takes_what_finds_no_room
    messages_keep_their_distance
    a_new_sim_card_sends_less_for_a_week
    shadow_never_holds
    a_clock_that_is_set_neither_frees_nor_locks
    the_month_begins_on_the_billing_day
    three_numbers_take_a_sim_card_out_of_service
    one_number_takes_none_out_of_service
    a_sim_card_out_of_service_stays_so_after_a_restart
    a_doubtful_sim_card_goes_last_and_what_it_fails_at_is_not_held_against_it
    the_card_that_reached_a_number_goes_first
    a_route_that_is_strict_admits_no_other
    a_route_that_is_preferred_waits_five_seconds
    a_route_by_operator
}

/// No limits but these.
fn policy(limits: Limits) -> Policy {
    Policy { mode: Mode::Enforce, limits: Limits { spacing: Some(Duration::ZERO), ..limits }, ..Policy::default() }
}

fn per_day(parts: u32) -> Limits {
    Limits { per_day: Some(parts), ..Limits::default() }
}

/// The same store, held to this, with a modem that can send.
async fn held(mut w: World, policy: Policy) -> (World, Modem) {
    w.policy = policy;
    w.restart().await;
    let one = modem(1);
    w.ready(&[&one]).await;
    (w, one)
}

async fn view(w: &World, modem: &Modem) -> SimCardView {
    w.store().sim_cards().await.unwrap().remove(&modem.sim_card).unwrap()
}

async fn used(w: &World, modem: &Modem, window: Window) -> u32 {
    view(w, modem).await.used.iter().find(|used| used.window == window).unwrap().used
}

fn to(n: u32) -> Msisdn {
    Msisdn::parse(&format!("+1415555{n:04}")).unwrap()
}

fn midnight() -> Wall {
    BEGIN + DAY
}

async fn a_part_is_charged_with_its_intent_and_given_back_only_if_unsent(w: World) {
    let (w, one) = held(w, policy(per_day(100))).await;
    for (n, result, left) in [
        (0, accepted(1), 1),
        (1, PartResult::Uncertain(Reason::NoResult), 2),
        (2, PartResult::NotSent(Reason::Cms(1)), 2),
        (3, PartResult::NotSent(Reason::Cms(42)), 2),
        (4, PartResult::NotSent(Reason::NotTransmitted), 2),
    ] {
        w.accept(NewMessage { to: to(n), priority: Priority::High, ..w.plain() }).await;
        let claim = w.claim(&one).await;
        let before = used(&w, &one, Window::Day).await;
        let part = w.put_part_on_air(&claim, &one).await;
        assert_eq!(used(&w, &one, Window::Day).await, before + 1, "charged with the intent");
        w.settle(claim.message.id, part, &one, result).await;
        assert_eq!(used(&w, &one, Window::Day).await, left, "{result:?}");
        w.cancel(claim.message.id).await.ok();
    }
    // Called off, or dropped, before the hand-over; and dropped after it.
    for (n, ends, left) in [(10, "canceled", 2), (11, "dropped", 2), (12, "dropped on the air", 3)] {
        w.accept(NewMessage { to: to(n), priority: Priority::Otp, ..w.plain() }).await;
        let claim = w.claim(&one).await;
        assert_eq!(w.begin(&claim, &one).await, Grant::Granted);
        let id = claim.message.id;
        match ends {
            "canceled" => drop(w.cancel(id).await.unwrap()),
            "dropped" => drop(claim),
            _ => assert!(claim.gate.pass()),
        }
        pass(secs(1)).await;
        assert_eq!(used(&w, &one, Window::Day).await, left, "{ends}");
        w.cancel(id).await.ok();
    }
}

async fn a_restart_and_a_crash_keep_the_count(w: World) {
    let limits = Limits {
        per_minute: Some(9),
        per_hour: Some(9),
        per_month: Some(9),
        recipients_per_day: Some(9),
        ..per_day(3)
    };
    let (mut w, one) = held(w, policy(limits)).await;
    for (n, result) in
        [(0, accepted(1)), (1, PartResult::Uncertain(Reason::NoResult)), (2, PartResult::NotSent(Reason::Cms(1)))]
    {
        w.accept(NewMessage { to: to(n), ..w.plain() }).await;
        w.send(&one, result).await;
    }
    w.accept(NewMessage { to: to(3), ..w.plain() }).await;
    let on_air = w.put_on_air(&one).await;
    let waits = w.accept(NewMessage { to: to(4), ..w.plain() }).await;
    for crash in [true, false] {
        if crash {
            w.crash().await
        } else {
            w.restart().await
        }
        w.ready(&[&one]).await;
        for window in [Window::Minute, Window::Hour, Window::Day, Window::Month, Window::Recipients] {
            assert_eq!(used(&w, &one, window).await, 3, "{window:?}");
        }
        assert!(w.has_nothing_for(&one).await);
        assert_eq!(w.store().next_slot(waits).await, Ok(Some(midnight())));
    }
    drop(on_air);
    pass(DAY - MINUTE).await;
    assert!(w.has_nothing_for(&one).await);
    pass(MINUTE).await;
    assert!(w.status(waits).await == Status::Expired || w.try_claim(&one).await.is_some(), "it is another day");
}

async fn what_is_claimed_has_its_room(w: World) {
    let (w, one) = held(w, policy(per_day(3))).await;
    w.accept(NewMessage { parts: 2, ..w.plain() }).await;
    w.accept(w.plain()).await;
    w.accept(w.plain()).await;
    let first = w.claim(&one).await;
    let second = w.claim(&one).await;
    assert!(w.has_nothing_for(&one).await, "two and one are promised");
    drop(second);
    pass(secs(1)).await;
    let second = w.claim(&one).await;
    let part = w.put_part_on_air(&first, &one).await;
    assert!(w.has_nothing_for(&one).await);
    w.settle(first.message.id, part, &one, accepted(1)).await;
    w.put_part_on_air(&first, &one).await;
    w.put_part_on_air(&second, &one).await;
    assert_eq!(used(&w, &one, Window::Day).await, 3);
}

async fn three_parts_do_not_start_where_two_are_left(w: World) {
    let (w, one) = held(w, policy(per_day(5))).await;
    for _ in 0..3 {
        w.accept(w.plain()).await;
        w.send(&one, accepted(1)).await;
    }
    let now = w.now();
    let large = w.accept(NewMessage { parts: 3, deadline: now.after(DAY + HOUR), ..w.plain() }).await;
    let small = w.accept(NewMessage { parts: 2, deadline: now.after(DAY + DAY), ..w.plain() }).await;
    let claim = w.claim(&one).await;
    assert_eq!(claim.message.id, small, "it fits, and the larger one is parked");
    drop(claim);
    assert_eq!(w.store().next_slot(large).await, Ok(Some(midnight())));
    w.cancel(small).await.unwrap();
    assert!(w.has_nothing_for(&one).await);
    pass(DAY).await;
    assert_eq!(w.claim(&one).await.message.id, large);
}

async fn a_long_message_finds_room_between_short_ones(w: World) {
    let (w, one) = held(w, policy(Limits { per_minute: Some(10), ..Limits::default() })).await;
    for _ in 0..3 {
        w.accept(w.plain()).await;
        w.send(&one, accepted(1)).await;
        pass(secs(25)).await;
    }
    let now = w.now();
    let long = w.accept(NewMessage { parts: 8, deadline: now.after(HOUR), ..w.plain() }).await;
    w.accept(NewMessage { deadline: now.after(DAY), ..w.plain() }).await;
    assert_eq!(w.claim(&one).await.message.id, long, "it keeps the SIM card from nobody");
}

/// Ten parts in one minute of ten: they run over, and the codes behind them have their third all the same, also after a
/// restart.
async fn a_code_waits_for_no_long_message(w: World) {
    let (mut w, one) = held(w, policy(Limits { per_minute: Some(10), ..Limits::default() })).await;
    let long = w.accept(NewMessage { parts: 10, ..w.plain() }).await;
    let claim = w.claim(&one).await;
    assert_eq!(claim.message.id, long);
    for n in 0..10 {
        let part = w.put_part_on_air(&claim, &one).await;
        w.settle(long, part, &one, accepted(n)).await;
    }
    drop(claim);
    let waits = w.accept(w.plain()).await;
    for n in 0..3 {
        if n == 1 {
            w.crash().await;
            w.ready(&[&one]).await;
        }
        assert!(w.store().next_slot(waits).await.unwrap().is_some(), "a plain one waits for them");
        let code = w.verify(w.code()).await.1;
        assert_eq!(w.store().next_slot(code).await, Ok(None));
        assert_eq!(w.send(&one, accepted(20 + n as u8)).await, code, "code {n}");
    }
    assert!(w.has_nothing_for(&one).await);
}

async fn what_stands_before_a_message_counts_into_its_slot(w: World) {
    let (w, one) = held(w, policy(Limits { per_hour: Some(5), ..per_day(14) })).await;
    let (begin, now) = (w.now().wall, w.now());
    let later = |n: u32| NewMessage { to: to(n), deadline: now.after(DAY * 3), ..w.plain() };
    let mut ids = Vec::new();
    for n in 0..16 {
        ids.push(w.accept(later(n)).await);
    }
    let slots = w.store().next_slots(ids.clone()).await.unwrap();
    let hours = |h: u32| Some(begin + HOUR * h);
    for (place, expected) in
        [(0, None), (4, None), (5, hours(1)), (9, hours(1)), (10, hours(2)), (12, hours(2)), (13, Some(midnight()))]
    {
        assert_eq!(slots.get(&ids[place]).copied(), expected, "message {place}");
        assert_eq!(w.store().next_slot(ids[place]).await, Ok(expected), "asked for alone");
    }
    // Behind a large one, a small one waits with it.
    for _ in 0..4 {
        w.send(&one, accepted(1)).await;
    }
    let large = w.accept(NewMessage { parts: 3, deadline: now.after(HOUR * 2), ..later(1) }).await;
    let small = w.accept(NewMessage { deadline: now.after(HOUR * 3), ..later(2) }).await;
    assert!(w.has_nothing_for(&one).await);
    let told = [large, small].map(|id| w.store().next_slot(id));
    for told in told {
        assert!(told.await.unwrap().is_some_and(|at| at >= begin + HOUR));
    }
    // A second card halves the queue; a code goes before all.
    let two = modem(2);
    w.ready(&[&two]).await;
    assert_eq!(w.store().next_slot(small).await, Ok(None));
    let (_, code) = w.verify(w.code()).await;
    assert_eq!(w.store().next_slot(code).await, Ok(None));
}

async fn a_slot_is_told_of_all_that_is_held_back_and_of_nothing_else(w: World) {
    let (w, one) = held(w, policy(per_day(5))).await;
    let now = w.now();
    let free = w.accept(w.plain()).await;
    let never = w.accept(NewMessage { parts: 6, deadline: now.after(DAY * 2), ..w.plain() }).await;
    let later = now.after(HOUR * 5);
    let for_later = w.accept(NewMessage { send_at: Some(later), deadline: now.after(DAY * 2), ..w.plain() }).await;
    let slots = w.store().next_slots(vec![free, never, for_later]).await.unwrap();
    assert_eq!(slots.get(&free), None);
    assert_eq!(slots.get(&never), Some(&now.after(DAY * 2).wall), "larger than the day itself: never, that is");
    assert_eq!(slots.get(&for_later), Some(&later.wall));
    w.cancel(never).await.unwrap();
    w.cancel(free).await.unwrap();
    // A card on trial takes one, and the next waits for what comes of it.
    refuse(&w, &one, &[1, 2, 3], 8).await;
    pass(secs(600)).await;
    let trial = w.accept(w.plain()).await;
    let next = w.accept(w.plain()).await;
    let now = w.now().wall;
    assert_eq!(w.store().next_slot(trial).await, Ok(None));
    assert_eq!(w.store().next_slot(next).await, Ok(Some(now)));
    let on_air = w.put_on_air(&one).await;
    assert_eq!(w.store().next_slot(trial).await, Ok(None), "it is no longer in the queue");
    assert!(w.store().next_slot(next).await.unwrap().is_some());
    drop(on_air);
}

async fn slots_of_a_long_queue_are_told_at_once(w: World) {
    let limits = Limits { per_minute: Some(1), ..Limits::default() };
    let (w, _) = held(w, policy(limits)).await;
    let (begin, now) = (w.now().wall, w.now());
    let mut ids = Vec::new();
    for n in 0..1200 {
        ids.push(w.accept(NewMessage { to: to(n), deadline: now.after(DAY * 2), ..w.plain() }).await);
    }
    let slots = w.store().next_slots(ids[1000..].to_vec()).await.unwrap();
    assert_eq!(slots.len(), 200);
    let all = ids.iter().enumerate().skip(1000);
    for (place, id) in all {
        assert_eq!(slots[id], begin + MINUTE * place as u32);
    }
}

async fn a_tenth_is_kept_for_codes(w: World) {
    let (w, one) = held(w, policy(per_day(10))).await;
    for _ in 0..10 {
        w.accept(w.plain()).await;
    }
    for _ in 0..9 {
        w.send(&one, accepted(1)).await;
    }
    assert!(w.has_nothing_for(&one).await);
    let (_, code) = w.verify(w.code()).await;
    assert_eq!(w.store().next_slot(code).await, Ok(None));
    assert_eq!(w.send(&one, accepted(1)).await, code);
    let (_, late) = w.verify(w.code()).await;
    assert!(w.has_nothing_for(&one).await);
    assert_eq!(w.store().next_slot(late).await, Ok(Some(midnight())));
}

async fn a_message_to_somebody_new_is_parked_until_midnight(w: World) {
    let limits = Limits { recipients_per_day: Some(2), ..Limits::default() };
    let (w, one) = held(w, policy(limits)).await;
    for n in [1, 2] {
        w.accept(NewMessage { to: to(n), ..w.plain() }).await;
        w.send(&one, accepted(1)).await;
    }
    let later = |n| NewMessage { to: to(n), deadline: w.now().after(DAY * 2), ..w.plain() };
    let mut new = Vec::new();
    // More than one pull parks.
    for n in 10..400 {
        new.push(w.accept(later(n)).await);
    }
    let known = w.accept(NewMessage { deadline: w.now().after(DAY * 3), ..later(1) }).await;
    assert_eq!(w.send(&one, accepted(1)).await, known, "those before it are in nobody's way");
    assert!(w.has_nothing_for(&one).await);
    assert_eq!(w.store().next_slot(new[7]).await, Ok(Some(midnight())));
    pass(DAY).await;
    assert_eq!(w.send(&one, accepted(1)).await, new[0], "in their order");
    assert_eq!(w.send(&one, accepted(1)).await, new[1]);
}

async fn another_sim_card_takes_what_finds_no_room(w: World) {
    let (w, one) = held(w, policy(per_day(1))).await;
    let two = modem(2);
    w.ready(&[&two]).await;
    w.accept(w.plain()).await;
    w.send(&one, accepted(1)).await;
    w.accept(w.plain()).await;
    assert!(w.has_nothing_for(&one).await);
    w.send(&two, accepted(1)).await;
    let waits = w.accept(w.plain()).await;
    assert!(w.has_nothing_for(&two).await);
    assert_eq!(w.store().next_slot(waits).await, Ok(Some(midnight())));
}

async fn messages_keep_their_distance(w: World) {
    let limits = Limits { spacing: Some(secs(6)), ..Limits::default() };
    let (w, one) = held(w, Policy { limits, ..policy(Limits::default()) }).await;
    let mut gaps = Vec::new();
    for _ in 0..6 {
        w.accept(w.plain()).await;
    }
    let claims = w.now().mono;
    w.send(&one, accepted(1)).await;
    let mut last = claims;
    for _ in 0..5 {
        let claim = w.store().claim(one.imei.clone(), one.sim_card.clone()).await.unwrap();
        let now = w.now().mono;
        gaps.push((now - last).as_millis());
        last = now;
        let part = w.put_part_on_air(&claim, &one).await;
        w.settle(claim.message.id, part, &one, accepted(1)).await;
    }
    assert!(gaps.iter().all(|gap| (4_500..=7_500).contains(gap)), "{gaps:?}");
    assert!(gaps.windows(2).any(|pair| pair[0] != pair[1]), "{gaps:?}");
}

async fn a_new_sim_card_sends_less_for_a_week(w: World) {
    let limits = Limits { per_day_when_new: Some(1), ..per_day(2) };
    let (mut w, one) = held(w, policy(limits)).await;
    for day in 0..9 {
        for _ in 0..2 {
            w.accept(NewMessage { deadline: w.now().after(MINUTE), ..w.plain() }).await;
        }
        w.send(&one, accepted(1)).await;
        assert_eq!(w.try_claim(&one).await.is_some(), day >= 7, "day {day}");
        pass(DAY).await;
        w.restart().await;
        w.ready(&[&one]).await;
    }
    assert!(!view(&w, &one).await.is_new);
}

async fn shadow_never_holds(w: World) {
    let shadow = Policy { mode: Mode::Shadow, ..policy(per_day(1)) };
    let (w, one) = held(w, shadow).await;
    for _ in 0..3 {
        w.accept(w.plain()).await;
        w.send(&one, accepted(1)).await;
    }
    let view = view(&w, &one).await;
    assert_eq!((view.full, view.next_slot), (Some(Window::Day), Some(midnight())), "but it is shown");
    assert_eq!(used(&w, &one, Window::Day).await, 3);
    let waits = w.accept(w.plain()).await;
    assert_eq!(w.store().next_slot(waits).await, Ok(None));
}

async fn a_clock_that_is_set_neither_frees_nor_locks(w: World) {
    let limits = Limits { per_minute: Some(1), ..per_day(1) };
    let (mut w, one) = held(w, policy(limits)).await;
    w.clock.set_synchronised(true);
    w.accept(w.plain()).await;
    w.send(&one, accepted(1)).await;
    for jump in [3_600_000, -7_200_000, 40 * 86_400_000, -40 * 86_400_000] {
        w.clock.jump_wall(jump);
        w.accept(w.plain()).await;
        pass(secs(5)).await;
        assert!(w.has_nothing_for(&one).await, "set by {jump} ms");
    }
    // Within the same boot the record knows how long ago it was, whatever the wall clock says.
    w.clock.jump_wall(3_600_000);
    w.restart().await;
    w.ready(&[&one]).await;
    assert_eq!(used(&w, &one, Window::Minute).await, 1);
    pass(DAY + HOUR).await;
    w.accept(w.plain()).await;
    assert!(w.try_claim(&one).await.is_some());
}

async fn the_month_begins_on_the_billing_day(w: World) {
    let limits = Limits { per_month: Some(1), billing_day: Some(3), ..Limits::default() };
    let (w, one) = held(w, policy(limits)).await;
    w.accept(w.plain()).await;
    w.send(&one, accepted(1)).await;
    let waits = w.accept(NewMessage { deadline: w.now().after(DAY * 7), ..w.plain() }).await;
    assert!(w.has_nothing_for(&one).await);
    // It is the first of January.
    assert_eq!(w.store().next_slot(waits).await, Ok(Some(BEGIN + DAY * 2)));
    pass(DAY * 2).await;
    assert_eq!(w.claim(&one).await.message.id, waits);
}

/// Refuses a message to each of these numbers, and calls off what is to be tried again.
async fn refuse(w: &World, one: &Modem, numbers: &[u32], code: u16) {
    for n in numbers {
        let id = w.accept(NewMessage { to: to(*n), priority: Priority::Otp, ..w.plain() }).await;
        assert_eq!(w.send(one, PartResult::NotSent(Reason::Cms(code))).await, id);
        w.cancel(id).await.ok();
    }
}

async fn three_numbers_take_a_sim_card_out_of_service(w: World) {
    let (w, one) = held(w, Policy::default()).await;
    let two = modem(2);
    refuse(&w, &one, &[1, 2, 3], 8).await;
    let told = view(&w, &one).await;
    assert!(told.why.is_some_and(|why| why.contains("bars it") && why.contains("+CMS ERROR: 8")));
    let waits = w.accept(w.plain()).await;
    assert!(w.has_nothing_for(&one).await);
    let again = told.out_of_service.unwrap().retry.wall;
    assert_eq!(w.store().next_slot(waits).await, Ok(Some(again)));
    assert!(w.store().health().held);
    let events = w.store().events(otpgate::store::EventQuery { limit: 9, ..Default::default() }).await.unwrap();
    assert_eq!(events.items.len(), 1);
    assert_eq!(events.items[0].event.kind.as_str(), "sim_card.barred");
    // Another takes over.
    w.ready(&[&two]).await;
    assert!(!w.store().health().held);
    w.send(&two, accepted(1)).await;
    w.not_ready(&two).await;
    // Trials: one message at a time, then a longer pause; and a success ends it.
    pass(secs(600)).await;
    let [trial, other] = [w.accept(w.plain()).await, w.accept(NewMessage { to: bob(), ..w.plain() }).await];
    let (claim, part) = w.put_on_air(&one).await;
    assert_eq!(claim.message.id, trial);
    assert!(w.has_nothing_for(&one).await, "one at a time");
    w.settle(trial, part, &one, PartResult::NotSent(Reason::Cms(8))).await;
    pass(secs(1799)).await;
    assert!(w.has_nothing_for(&one).await);
    pass(secs(1)).await;
    let claim = w.claim(&one).await;
    let id = claim.message.id;
    let part = w.put_part_on_air(&claim, &one).await;
    w.settle(id, part, &one, accepted(2)).await;
    assert!(id == trial || id == other);
    assert!(view(&w, &one).await.why.is_none());
    w.accept(w.plain()).await;
    assert!(w.try_claim(&one).await.is_some());
}

async fn one_number_takes_none_out_of_service(w: World) {
    let (w, one) = held(w, Policy::default()).await;
    // Cause 38 is the network's as often as the card's.
    refuse(&w, &one, &[1, 1, 1, 1, 2, 1, 2], 38).await;
    assert!(view(&w, &one).await.why.is_none());
    w.accept(NewMessage { to: to(9), ..w.plain() }).await;
    w.send(&one, accepted(1)).await;
    refuse(&w, &one, &[1, 1, 1, 1, 2, 1, 2], 21).await;
    assert!(view(&w, &one).await.why.is_none());
    w.accept(NewMessage { to: to(9), ..w.plain() }).await;
    w.send(&one, accepted(1)).await;
    refuse(&w, &one, &[3, 4], 21).await;
    assert!(view(&w, &one).await.why.is_none(), "a success between");
    refuse(&w, &one, &[5], 21).await;
    assert!(view(&w, &one).await.why.is_some());
}

async fn a_sim_card_out_of_service_stays_so_after_a_restart(w: World) {
    let (mut w, one) = held(w, Policy::default()).await;
    refuse(&w, &one, &[1, 2, 3], 50).await;
    let told = view(&w, &one).await;
    for crash in [true, false] {
        if crash {
            w.crash().await
        } else {
            w.restart().await
        }
        w.ready(&[&one]).await;
        assert_eq!(view(&w, &one).await, told);
        w.accept(w.plain()).await;
        assert!(w.has_nothing_for(&one).await);
    }
    pass(secs(600)).await;
    w.send(&one, accepted(1)).await;
    w.restart().await;
    assert!(view(&w, &one).await.why.is_none());
}

async fn a_doubtful_sim_card_goes_last_and_what_it_fails_at_is_not_held_against_it(w: World) {
    let (w, one) = held(w, Policy::default()).await;
    let two = modem(2);
    let tell = async |modem: &Modem, doubtful| {
        let readiness = Readiness { doubtful, ..Readiness::yes() };
        w.store().set_ready(modem.imei.clone(), modem.sim_card.clone(), readiness).await.unwrap();
    };
    tell(&one, true).await;
    tell(&two, false).await;
    // Both wait; the doubtful one goes last, though it has waited longer.
    let claims = [&one, &two].map(|m| w.store().claim(m.imei.clone(), m.sim_card.clone()));
    let [first, mut second] = claims;
    w.accept(w.plain()).await;
    assert!(tokio::time::timeout(secs(1), &mut second).await.is_ok(), "the one beyond doubt");
    drop(first);
    w.not_ready(&two).await;
    refuse(&w, &one, &[1, 2, 3], 28).await;
    assert!(view(&w, &one).await.why.is_none());
    w.accept(NewMessage { to: bob(), ..w.plain() }).await;
    assert!(w.try_claim(&one).await.is_some());
}

async fn the_card_that_reached_a_number_goes_first(w: World) {
    let (mut w, one) = held(w, Policy::default()).await;
    let two = modem(2);
    w.ready(&[&two]).await;
    w.accept(w.plain()).await;
    w.send(&two, accepted(1)).await;
    for restarted in [false, true] {
        if restarted {
            w.restart().await;
            w.ready(&[&one, &two]).await;
        }
        let id = w.accept(w.plain()).await;
        assert!(w.has_nothing_for(&one).await, "the other is free");
        assert_eq!(w.send(&two, accepted(1)).await, id);
    }
    // One that is busy is not waited for, nor one that is gone, nor one that does not come.
    let busy = w.accept(NewMessage { to: bob(), ..w.plain() }).await;
    let on_air = w.put_on_air(&two).await;
    assert_eq!(on_air.0.message.id, busy);
    let id = w.accept(w.plain()).await;
    assert_eq!(w.send(&one, PartResult::NotSent(Reason::Cms(42))).await, id);
    w.cancel(id).await.unwrap();
    w.settle(busy, on_air.1, &two, accepted(1)).await;
    let id = w.accept(w.plain()).await;
    assert!(w.has_nothing_for(&one).await);
    pass(secs(5)).await;
    assert_eq!(w.claim(&one).await.message.id, id, "a favourite that is dead holds nothing up");
    w.cancel(id).await.unwrap();
    w.not_ready(&two).await;
    let id = w.accept(w.plain()).await;
    assert_eq!(w.claim(&one).await.message.id, id);
}

fn route(prefix: &str, cards: &[&Modem], operator: Option<&str>, strict: bool) -> Policy {
    let sim_cards = cards.iter().map(|modem| modem.sim_card.clone()).collect();
    let route = Route { prefix: prefix.to_owned(), sim_cards, operator: operator.map(str::to_owned), strict };
    Policy { routes: Routes::new(vec![route]), ..Policy::default() }
}

async fn a_route_that_is_strict_admits_no_other(w: World) {
    let two = modem(2);
    let (w, one) = held(w, route("+1415", &[&two], None, true)).await;
    let id = w.accept(NewMessage { to: to(1), ..w.plain() }).await;
    let other = w.accept(w.plain()).await;
    assert_eq!(w.claim(&one).await.message.id, other);
    pass(MINUTE).await;
    w.ready(&[&two]).await;
    let (claim, part) = w.put_on_air(&two).await;
    assert_eq!(claim.message.id, id);
    // Refused there, no other takes it either.
    w.settle(id, part, &two, PartResult::NotSent(Reason::Cms(21))).await;
    pass(MINUTE).await;
    assert!(w.try_claim(&one).await.is_none_or(|claim| claim.message.id != id));
    assert_eq!(w.claim(&two).await.message.id, id);
}

async fn a_route_that_is_preferred_waits_five_seconds(w: World) {
    let two = modem(2);
    let (w, one) = held(w, route("+1415", &[&two], None, false)).await;
    let id = w.accept(NewMessage { to: to(1), ..w.plain() }).await;
    assert_eq!(w.claim(&one).await.message.id, id, "the other is not there");
    pass(secs(1)).await;
    w.ready(&[&two]).await;
    let id = w.accept(NewMessage { to: to(2), priority: Priority::Otp, ..w.plain() }).await;
    assert!(w.try_claim(&one).await.is_none_or(|claim| claim.message.id != id));
    pass(secs(5)).await;
    assert_eq!(w.claim(&one).await.message.id, id, "it does not come");
}

async fn a_route_by_operator(w: World) {
    let (w, one) = held(w, route("+1415", &[], Some("T-Mobile"), true)).await;
    let id = w.accept(NewMessage { to: to(1), ..w.plain() }).await;
    assert!(w.has_nothing_for(&one).await);
    let readiness = Readiness { operator: Some("T Mobile".to_owned()), ..Readiness::yes() };
    w.store().set_ready(one.imei.clone(), one.sim_card.clone(), readiness).await.unwrap();
    assert_eq!(w.claim(&one).await.message.id, id);
}
