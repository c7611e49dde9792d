//! The whole daemon with SIM cards that bear only so much: what waits for room goes when there is some, what one card can't
//! take another takes, and a card that the network refuses leaves service.

mod common;

use common::{BEGIN, House, sleep};
use otpgate::config::{Config, Limits, Mode, Route};
use otpgate::domain::id::MessageId;
use otpgate::domain::message::Status;
use otpgate::domain::time::Wall;
use otpgate::store::SimCardView;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

/// SIM cards with no limits but these.
async fn house(modems: usize, mode: impl Into<Option<Mode>>, limits: Limits) -> House {
    let mode = mode.into();
    let set = move |config: &mut Config| {
        config.sim_limits.mode = mode;
        config.sim_limits.limits = Limits { time_zone: Some(jiff::tz::TimeZone::UTC), ..limits.clone() };
    };
    let house = House::start_set(modems, set).await;
    for modem in 0..modems {
        house.ready(modem).await;
    }
    house
}

fn to(n: u32) -> String {
    format!("+1415555{n:04}")
}

async fn accept(house: &mut House, n: u32) -> MessageId {
    house.accept(&to(n), "hello").await
}

async fn slot(house: &House, id: MessageId) -> Option<Wall> {
    house.store().next_slot(id).await.unwrap()
}

async fn card(house: &House, modem: usize) -> SimCardView {
    let sim_card = house.app().board().modems()[modem].sim_card.clone().unwrap();
    house.store().sim_cards().await.unwrap().remove(&sim_card).unwrap()
}

#[tokio::test(start_paused = true)]
async fn virtual_sim_cards_bear_anything_while_nothing_else_is_said() {
    for (mode, sent) in [(None, 5), (Some(Mode::Enforce), 2)] {
        let mut house = house(1, mode, Limits { per_minute: Some(2), ..Limits::default() }).await;
        for n in 0..5 {
            accept(&mut house, n).await;
        }
        sleep(5).await;
        assert_eq!(house.all_copies().len(), sent, "{mode:?}");
        house.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_finds_no_room_goes_at_its_slot() {
    let mut house = house(1, Mode::Enforce, Limits { per_minute: Some(2), ..Limits::default() }).await;
    let mut ids = Vec::new();
    for n in 0..3 {
        ids.push(accept(&mut house, n).await);
    }
    for id in &ids[..2] {
        assert_eq!(house.settled(*id, MINUTE).await.status(), Status::Delivered);
    }
    let at = slot(&house, ids[2]).await.expect("it waits for room");
    assert!(house.store().health().held);
    let left = at.0 - BEGIN.0 - house.elapsed().as_millis() as i64;
    assert!((50_000..60_000).contains(&left), "{left} ms");
    tokio::time::sleep(Duration::from_millis(left as u64 - 100)).await;
    assert_eq!((house.status(ids[2]).await, house.all_copies().len()), (Status::Queued, 2));
    sleep(1).await;
    assert_eq!(house.all_copies().len(), 3, "at its slot");
    assert_eq!(slot(&house, ids[2]).await, None);
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn another_card_takes_over_and_then_all_wait() {
    let mut house = house(2, Mode::Enforce, Limits { per_day: Some(3), ..Limits::default() }).await;
    let mut ids = Vec::new();
    for n in 0..8 {
        ids.push(accept(&mut house, n).await);
    }
    sleep(60).await;
    assert_eq!(house.all_copies().len(), 6, "three for each");
    let sent_by = |modem| house.all_copies().iter().filter(|copy| copy.imei == house.imei(modem)).count();
    assert_eq!((sent_by(0), sent_by(1)), (3, 3));
    assert_eq!(slot(&house, ids[7]).await, Some(Wall(BEGIN.0 + 86_400_000)));
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_and_a_crash_keep_the_count() {
    let mut house = house(1, Mode::Enforce, Limits { per_hour: Some(2), ..Limits::default() }).await;
    for n in 0..2 {
        let id = accept(&mut house, n).await;
        house.settled(id, MINUTE).await;
    }
    house.restart().await;
    house.ready(0).await;
    let waits = accept(&mut house, 2).await;
    sleep(60).await;
    house.crash().await;
    house.ready(0).await;
    sleep(60).await;
    assert_eq!((house.status(waits).await, house.all_copies().len()), (Status::Queued, 2));
    assert!(slot(&house, waits).await.is_some());
    sleep(3480).await;
    assert_eq!(house.all_copies().len(), 3, "the hour is over");
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn shadow_never_holds() {
    let limits = Limits { per_minute: Some(1), spacing: Some(MINUTE), ..Limits::default() };
    let mut house = house(1, Mode::Shadow, limits).await;
    for n in 0..5 {
        let id = accept(&mut house, n).await;
        house.settled(id, Duration::from_secs(5)).await;
    }
    assert_eq!(house.all_copies().len(), 5);
    assert!(card(&house, 0).await.full.is_some(), "but it is shown");
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn d1_a_code_goes_before_texts_and_into_the_reserve() {
    let mut house = house(1, Mode::Enforce, Limits { per_hour: Some(10), ..Limits::default() }).await;
    for n in 0..12 {
        accept(&mut house, n).await;
    }
    sleep(60).await;
    assert_eq!(house.all_copies().len(), 9, "a tenth is kept");
    let code = house.verify(&to(99), "Code").await;
    assert_eq!(house.settled(code.verification.message, MINUTE).await.status(), Status::Delivered);
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn d4_messages_are_spaced_and_parts_are_not() {
    let mut house =
        house(1, Mode::Enforce, Limits { spacing: Some(Duration::from_secs(6)), ..Limits::default() }).await;
    let long = house.accept(&to(1), &"a".repeat(400)).await;
    let next = accept(&mut house, 2).await;
    let sent = house.settled(long, MINUTE).await;
    let parts: Vec<_> = sent.attempts[0].parts.iter().map(|part| part.intended.0).collect();
    assert!(parts.len() == 3 && parts[2] - parts[0] < 1_000, "{parts:?}");
    let next = house.settled(next, MINUTE).await.attempts[0].started.0;
    assert!((13_500..23_000).contains(&(next - parts[0])), "three parts' spacing: {}", next - parts[0]);
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn l13_three_numbers_refused_take_a_card_out_of_service_and_the_other_goes_on() {
    let mut house = house(2, Mode::Off, Limits::default()).await;
    house.simulator.unplug(1);
    sleep(5).await;
    house.faults(0, &["network_refusal=8"]);
    // One number, however often, is no reason.
    for _ in 0..4 {
        let id = accept(&mut house, 0).await;
        house.settled(id, MINUTE * 2).await;
    }
    assert!(card(&house, 0).await.why.is_none());
    for n in 1..3 {
        let id = accept(&mut house, n).await;
        house.settled(id, MINUTE * 2).await;
    }
    let told = card(&house, 0).await;
    assert!(told.why.is_some_and(|why| why.contains("+CMS ERROR: 8")), "{:?}", told.out_of_service);
    let handed_over = house.wires.handed_over().len();
    let waits = accept(&mut house, 4).await;
    sleep(30).await;
    assert_eq!(house.wires.handed_over().len(), handed_over, "it is left alone");
    assert!(slot(&house, waits).await.is_some());
    house.simulator.replug(1);
    assert_eq!(house.settled(waits, MINUTE).await.status(), Status::Delivered);
    assert_eq!(house.senders(&to(4)), [house.imei(1)]);
    // Over a restart; then a trial brings it back.
    house.restart().await;
    house.simulator.unplug(1);
    house.ready(0).await;
    house.faults(0, &[]);
    assert!(card(&house, 0).await.why.is_some());
    let trial = accept(&mut house, 5).await;
    assert_eq!(house.settled(trial, MINUTE * 15).await.status(), Status::Delivered);
    assert_eq!(house.senders(&to(5)), [house.imei(0)]);
    assert!(card(&house, 0).await.why.is_none());
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn one_dead_favourite_holds_no_code_up() {
    let mut house = house(2, Mode::Off, Limits::default()).await;
    let first = accept(&mut house, 1).await;
    house.settled(first, MINUTE).await;
    let favourite = usize::from(house.senders(&to(1))[0] == house.imei(1));
    // It goes over the same card again, whichever has waited longer.
    let again = accept(&mut house, 1).await;
    house.settled(again, MINUTE).await;
    assert_eq!(house.senders(&to(1)), [house.imei(favourite), house.imei(favourite)]);
    for fault in ["hang=power", "silence=lost", "prompt_never=command"] {
        house.faults(favourite, &[fault]);
        let code = house.verify(&to(1), "Code").await;
        let message = house.settled(code.verification.message, MINUTE * 4).await;
        assert_eq!(message.status(), Status::Delivered, "{fault}: {message:?}");
        house.faults(favourite, &[]);
        sleep(300).await;
    }
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_route_leads_over_its_card() {
    let mut house = House::start_set(2, |_| {}).await;
    house.ready(1).await;
    let second = house.app().board().modems()[1].sim_card.clone().unwrap();
    house.stop().await;
    let set = move |config: &mut Config| {
        let sim_cards = vec![second.clone()];
        config.routes = vec![Route { prefix: "+1415".to_owned(), sim_cards, operator: None, strict: true }];
    };
    let mut house = House::start_set(2, set).await;
    for modem in 0..2 {
        house.ready(modem).await;
    }
    for n in 0..6 {
        accept(&mut house, n).await;
    }
    sleep(30).await;
    assert!(house.all_copies().iter().all(|copy| copy.imei == house.imei(1)));
    assert_eq!(house.all_copies().len(), 6);
    house.stop().await;
}
