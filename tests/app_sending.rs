//! The whole daemon in the process: virtual modems, the store in memory, time that stands still unless it is waited for.

mod common;

use common::House;
use otpgate::domain::message::Status;
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn a_message_is_sent_once_and_reported_delivered() {
    let house = House::start(1).await;
    let id = house.accept("+14155550100", "hello").await;
    let message = house.settled(id, Duration::from_secs(60)).await;
    assert_eq!(message.status(), Status::Delivered, "{message:?}");
    assert_eq!(house.copies("+14155550100"), ["hello"]);
    house.stop().await;
}
