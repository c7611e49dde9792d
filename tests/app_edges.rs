//! The whole daemon at the edges: what must go on when a modem, a network or a clock does something unusual.

mod common;

use common::{BEGIN, House, ME};
use otpgate::domain::message::{Message, Status};
use otpgate::ops::clock::Clock;
use otpgate::simulator::faults::Faults;
use otpgate::simulator::network::NetworkOptions;
use std::time::Duration;

const NUMBER: &str = "+14155550100";

#[tokio::test(start_paused = true)]
async fn a_modem_goes_on_after_an_error_that_leaves_a_message_uncertain() {
    let mut house = House::start(1).await;
    house.simulator.set_faults(Some(0), &faults("error_after=cms:500,lost@next:1"));
    let first = house.accept(NUMBER, "first").await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(read(&house, first).await.status(), Status::Uncertain);
    let second = house.accept(NUMBER, "second").await;
    assert_eq!(house.settled(second, Duration::from_secs(60)).await.status(), Status::Delivered);
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_modem_whose_network_is_silent_takes_nothing_from_one_that_is_free() {
    let mut house = House::start(2).await;
    house.simulator.set_faults(Some(0), &faults("silence=lost"));
    house.simulator.unplug(1);
    tokio::time::sleep(Duration::from_secs(10)).await;
    let silent = house.accept(NUMBER, "silent").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(read(&house, silent).await.status(), Status::Submitting);
    house.simulator.replug(1);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(read(&house, silent).await.status(), Status::Submitting, "it is still on the air");
    for text in ["one", "two", "three"] {
        let id = house.accept(NUMBER, text).await;
        assert_eq!(house.settled(id, Duration::from_secs(10)).await.status(), Status::Delivered, "{text}");
    }
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_late_refusal_sends_an_uncertain_message_again() {
    // Ten seconds longer than a result is waited for.
    let network = NetworkOptions { epoch: BEGIN, air_time: Duration::from_secs(130), ..NetworkOptions::default() };
    let mut house = House::start_with(1, 7, network).await;
    house.simulator.set_faults(Some(0), &faults("network_refusal=38@next:1"));
    let id = house.accept(NUMBER, "hello").await;
    tokio::time::sleep(Duration::from_secs(128)).await;
    assert_eq!(read(&house, id).await.status(), Status::Uncertain);
    let message = house.settled(id, Duration::from_secs(600)).await;
    assert_eq!(message.status(), Status::Delivered, "{message:?}");
    assert!(message.ever_uncertain);
    assert_eq!(house.copies(NUMBER), ["hello"]);
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_clock_set_right_after_a_boot_moves_what_waits_for_a_time() {
    let mut house = House::start(1).await;
    let hour = Duration::from_secs(3600);
    let mut new = house.message(NUMBER, "at one");
    new.send_at = Some(house.clock.now().after(hour));
    new.deadline = house.clock.now().after(hour * 2);
    let id = house.store().accept(new, None).await.unwrap().value.id;
    house.stop().await;
    house.clock.reboot();
    house.begin().await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(read(&house, id).await.status(), Status::Queued);
    house.clock.jump_wall(3_600_000);
    assert_eq!(house.settled(id, Duration::from_secs(60)).await.status(), Status::Delivered);
    assert!(house.clock.now().wall - BEGIN < hour * 2);
    house.stop().await;
}

async fn read(house: &House, id: otpgate::domain::id::MessageId) -> Message {
    house.store().message(ME, id, None).await.unwrap()
}

fn faults(flags: &str) -> Faults {
    let mut faults = Faults::default();
    flags.lines().for_each(|flag| faults.set_flag(flag).unwrap());
    faults
}
