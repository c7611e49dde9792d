//! The whole daemon, whose SIM cards send to their own numbers: what the network takes and nobody gets is an alarm.

mod common;

use common::{House, ME, sleep};
use otpgate::config::{Config, Limits, Mode, SimCardConfig};
use otpgate::dispatch::canary::{Failure, Verdict};
use otpgate::domain::equipment::SimCard;
use otpgate::domain::event::{EventKind, LoggedEvent};
use otpgate::domain::message::Status;
use otpgate::domain::msisdn::Msisdn;
use otpgate::store::{Access, EventQuery, InboundQuery, MessageQuery};
use std::time::Duration;

const HOUR: u64 = 3600;
const MINUTE: u64 = 60;

/// SIM cards that know their numbers, with this set.
async fn house(modems: usize, set: impl Fn(&mut Config) + 'static) -> House {
    let mut house = House::start(modems).await;
    house.stop().await;
    let card = |modem| {
        let identity = house.simulator.identity(modem).unwrap();
        let number = Some(Msisdn::parse(&identity.number).unwrap());
        SimCardConfig { number, ..SimCardConfig::new(SimCard::new(identity.iccid)) }
    };
    house.sim_cards = (0..modems).map(card).collect();
    house.configure = Box::new(set);
    house.begin().await;
    for modem in 0..modems {
        house.ready(modem).await;
    }
    house
}

fn hourly(config: &mut Config) {
    config.canary.every = Some(Duration::from_secs(HOUR));
}

fn number(house: &House, modem: usize) -> String {
    house.simulator.identity(modem).unwrap().number
}

fn canaries(house: &House, modem: usize) -> usize {
    let to = number(house, modem);
    let own = |copy: &&otpgate::simulator::network::Copy| copy.from == to && copy.to == to;
    house.all_copies().iter().filter(own).filter(|copy| copy.text.starts_with("otpgate canary ")).count()
}

async fn verdict(house: &House, modem: usize) -> Option<Verdict> {
    let sim_card = SimCard::new(house.simulator.identity(modem).unwrap().iccid);
    house.store().sim_cards().await.unwrap().remove(&sim_card).unwrap().canary.unwrap().verdict
}

async fn passes(house: &House, modem: usize) -> bool {
    matches!(verdict(house, modem).await, Some(Verdict::Passed { .. }))
}

async fn events(house: &House) -> Vec<LoggedEvent> {
    let query = EventQuery { limit: 200, ..EventQuery::default() };
    house.store().events(query).await.unwrap().items
}

/// Waits until just after a full hour and what comes of a canary then, since the world began.
async fn hour(house: &House, hours: u64) {
    let until = Duration::from_secs(hours * HOUR + 11 * MINUTE);
    tokio::time::sleep(until - house.elapsed()).await;
}

#[tokio::test(start_paused = true)]
async fn b4_cards_send_to_themselves_by_turns_and_pass() {
    let mut house = house(2, hourly).await;
    assert_eq!(verdict(&house, 0).await, None);
    tokio::time::sleep(Duration::from_secs(45 * MINUTE) - house.elapsed()).await;
    assert_eq!((canaries(&house, 0), canaries(&house, 1)), (0, 1), "half an hour lies between them");
    hour(&house, 2).await;
    assert_eq!((canaries(&house, 0), canaries(&house, 1)), (2, 2));
    assert!(passes(&house, 0).await && passes(&house, 1).await);
    assert!(events(&house).await.is_empty(), "nobody else hears of them: {:?}", events(&house).await);
    let inbound = InboundQuery { limit: 200, ..InboundQuery::default() };
    assert_eq!(house.store().inbound_page(inbound).await.unwrap().items.len(), 4, "the journal has all that came in");
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn b4_without_a_word_or_a_number_none_is_sent() {
    let mut silent = house(1, |_| {}).await;
    hour(&silent, 30).await;
    assert!(silent.all_copies().is_empty());
    silent.stop().await;
    let mut nameless = House::start_set(1, hourly).await;
    hour(&nameless, 30).await;
    assert!(nameless.all_copies().is_empty());
    nameless.stop().await;
}

#[tokio::test(start_paused = true)]
async fn l14_what_the_network_reports_as_delivered_and_nobody_gets_is_one_alarm() {
    let mut house = house(1, hourly).await;
    hour(&house, 1).await;
    assert!(passes(&house, 0).await);
    house.faults(0, &["filtered=yes"]);
    let id = house.accept("+14155550100", "hello").await;
    assert_eq!(house.settled(id, Duration::from_secs(MINUTE)).await.status(), Status::Delivered, "so it says");
    hour(&house, 2).await;
    sleep(10 * MINUTE).await;
    let failed = verdict(&house, 0).await;
    let not_back = Failure::NotBack { taken: true };
    assert!(matches!(failed, Some(Verdict::Failed { how, .. }) if how == not_back), "{failed:?}");
    hour(&house, 4).await;
    let alarms = events(&house).await;
    assert_eq!((canaries(&house, 0), alarms.len()), (4, 1), "{alarms:?}");
    let alarm = &alarms[0].event;
    let modem = house.app().board().modems()[0].clone();
    assert_eq!((alarm.kind, &alarm.modem, &alarm.sim_card), (EventKind::CanaryFailed, &modem.imei, &modem.sim_card));
    assert!(alarm.sentence.contains("did not come back within 10 minutes, though the network took it"));
    assert!(!alarm.sentence.contains(number(&house, 0).trim_start_matches('+')));
    house.faults(0, &[]);
    hour(&house, 5).await;
    assert!(passes(&house, 0).await);
    house.faults(0, &["filtered=yes"]);
    hour(&house, 6).await;
    sleep(10 * MINUTE).await;
    assert_eq!(events(&house).await.len(), 2, "what failed anew is told anew");
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn b4_a_card_that_is_refused_keeps_its_canary_to_itself() {
    let mut house = house(2, hourly).await;
    house.faults(0, &["network_refusal=50"]);
    hour(&house, 2).await;
    assert_eq!((canaries(&house, 0), canaries(&house, 1)), (0, 2));
    let own = number(&house, 0);
    assert!(house.copies(&own).is_empty(), "no other card sends it instead");
    let failed = verdict(&house, 0).await;
    assert!(matches!(failed, Some(Verdict::Failed { how: Failure::Refused(_), .. })), "{failed:?}");
    let alarms = events(&house).await;
    assert_eq!(alarms.iter().map(|alarm| alarm.event.kind).collect::<Vec<_>>(), [EventKind::CanaryFailed]);
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn b4_a_restart_raises_no_alarm() {
    for crashes in [false, true] {
        let mut house = house(1, hourly).await;
        while canaries(&house, 0) == 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        // It is out, and comes in while nobody listens, or soon after.
        if crashes {
            house.crash().await
        } else {
            house.restart().await
        }
        house.ready(0).await;
        sleep(20 * MINUTE).await;
        assert_eq!(verdict(&house, 0).await, None, "what was before is forgotten");
        hour(&house, 2).await;
        assert_eq!(canaries(&house, 0), 2, "neither one more nor one less");
        assert!(passes(&house, 0).await);
        assert!(events(&house).await.is_empty(), "{:?}", events(&house).await);
        house.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn b4_a_canary_counts_as_any_part_and_finds_no_room_without_an_alarm() {
    let set = |config: &mut Config| {
        hourly(config);
        config.sim_limits.mode = Some(Mode::Enforce);
        let time_zone = Some(jiff::tz::TimeZone::UTC);
        config.sim_limits.limits = Limits { per_day: Some(4), time_zone, ..Limits::default() };
    };
    let mut house = house(1, set).await;
    for n in 0..2 {
        let id = house.accept(&format!("+1415555010{n}"), "hello").await;
        house.settled(id, Duration::from_secs(MINUTE)).await;
    }
    hour(&house, 8).await;
    sleep(20 * MINUTE).await;
    assert_eq!(house.all_copies().len(), 4, "the day holds four");
    assert_eq!(canaries(&house, 0), 2);
    assert!(passes(&house, 0).await && events(&house).await.is_empty());
    hour(&house, 25).await;
    assert_eq!(canaries(&house, 0), 4, "the next day holds more, from midnight on");
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn b4_none_is_sent_while_the_clock_is_not_believed() {
    let mut house = house(1, hourly).await;
    hour(&house, 1).await;
    house.stop().await;
    house.clock.reboot();
    house.clock.jump_wall(-3 * HOUR as i64 * 1000);
    house.begin().await;
    house.ready(0).await;
    sleep(2 * HOUR + 30 * MINUTE).await;
    assert!(house.store().health().clock_held_until.is_some());
    let all = MessageQuery { limit: 200, ..MessageQuery::default() };
    let queued = house.store().messages(Access { admin: true, ..ME }, all).await.unwrap().items;
    assert_eq!((queued.len(), verdict(&house, 0).await), (1, None), "that of before");
    sleep(2 * HOUR).await;
    assert!(canaries(&house, 0) >= 2 && passes(&house, 0).await);
    assert!(events(&house).await.is_empty());
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn b4_a_modem_that_can_not_send_has_none_until_it_can() {
    let mut house = house(1, hourly).await;
    house.simulator.unplug(0);
    hour(&house, 3).await;
    assert_eq!((canaries(&house, 0), verdict(&house, 0).await), (0, None));
    house.simulator.replug(0);
    house.ready(0).await;
    sleep(10 * MINUTE).await;
    assert!(canaries(&house, 0) == 1 && passes(&house, 0).await);
    let canary = |event: &LoggedEvent| event.event.kind == EventKind::CanaryFailed;
    assert!(!events(&house).await.iter().any(canary), "that is told otherwise");
    house.stop().await;
}
