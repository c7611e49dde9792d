//! The whole daemon in the process, and somebody who writes to it: nothing is lost, nothing is taken twice.

mod common;

use common::{House, sleep};
use otpgate::domain::inbound::InboundState;
use otpgate::domain::message::Status;
use otpgate::domain::reason::Reason;
use otpgate::store::memory_backend::{CrashMode, Fault};
use otpgate::store::{InboundQuery, InboundView, StoreError};
use std::time::Duration;

const BO: &str = "+14155550100";
const MINUTE: Duration = Duration::from_secs(60);

async fn inbound(house: &House) -> Vec<InboundView> {
    let query = InboundQuery { limit: 200, ..InboundQuery::default() };
    house.store().inbound_page(query).await.unwrap().items
}

/// The texts of what came in, oldest first.
async fn texts(house: &House) -> Vec<String> {
    let text = |view: InboundView| view.text.map_or("-".to_owned(), |text| text.reveal().to_owned());
    inbound(house).await.into_iter().rev().map(text).collect()
}

fn writes(house: &House, text: &str) {
    let to = house.simulator.identity(0).unwrap().number;
    house.simulator.inbound(BO, &to, text).unwrap();
}

/// How often the modem was given this command.
fn lines(house: &House, name: &str) -> u64 {
    house.simulator.counts().modems[0].counts.at_lines.get(name).copied().unwrap_or(0)
}

#[tokio::test(start_paused = true)]
async fn what_comes_in_is_journaled_and_deleted() {
    let mut house = House::start(2).await;
    house.ready(0).await;
    writes(&house, "hello");
    writes(&house, &"long ".repeat(60));
    sleep(2).await;
    assert_eq!(texts(&house).await, ["hello".to_owned(), "long ".repeat(60)]);
    assert_eq!(lines(&house, "+CMGD"), 3);
    assert_eq!(house.app().board().modems()[0].received, 3);
    let id = house.accept(BO, "out").await;
    assert_eq!(house.settled(id, MINUTE).await.status(), Status::Delivered);
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_crash_between_journal_and_deletion_takes_nothing_twice() {
    let mut house = House::start(1).await;
    house.ready(0).await;
    sleep(1).await;
    house.faults(0, &["refuse_command=+CMGD"]);
    writes(&house, "once");
    sleep(2).await;
    assert_eq!(texts(&house).await, ["once"]);
    for _ in 0..2 {
        house.crash().await;
        house.ready(0).await;
        sleep(2).await;
        assert_eq!(texts(&house).await, ["once"], "the same octets in the same modem");
    }
    house.faults(0, &[]);
    house.crash().await;
    house.ready(0).await;
    sleep(2).await;
    let deleted = lines(&house, "+CMGD");
    house.crash().await;
    house.ready(0).await;
    sleep(2).await;
    assert_eq!((lines(&house, "+CMGD"), texts(&house).await.len()), (deleted, 1), "nothing lies there any more");
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_deleted_whose_journal_did_not_come_to_disk() {
    for mode in [CrashMode::Drop, CrashMode::Keep] {
        let mut house = House::start(1).await;
        house.ready(0).await;
        sleep(1).await;
        house.disk.set_fault(Fault::SyncFails);
        writes(&house, "in doubt");
        sleep(1).await;
        assert_eq!(lines(&house, "+CMGD"), 0, "{mode:?}");
        house.crash_in_commit(mode).await;
        house.ready(0).await;
        sleep(2).await;
        assert_eq!(texts(&house).await, ["in doubt"], "{mode:?}");
        assert_eq!(lines(&house, "+CMGD"), 1, "{mode:?}");
        house.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn r5_what_came_directly_is_acknowledged_once_it_is_on_record() {
    let mut house = House::start(1).await;
    house.ready(0).await;
    house.faults(0, &["reports_acknowledged_only=yes"]);
    house.restart().await;
    house.ready(0).await;
    sleep(1).await;
    for n in 1..=3 {
        let id = house.accept(BO, "out").await;
        assert_eq!(house.settled(id, MINUTE).await.status(), Status::Delivered);
        sleep(1).await;
        assert_eq!(lines(&house, "+CNMA"), n);
    }
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn r8_what_is_no_pdu_is_on_record_before_it_is_deleted_and_shown() {
    let mut house = House::start(1).await;
    house.ready(0).await;
    sleep(1).await;
    house.faults(0, &["garbled_storage=yes"]);
    writes(&house, "lost");
    sleep(2).await;
    house.faults(0, &[]);
    writes(&house, "fine");
    sleep(2).await;
    let states: Vec<_> = inbound(&house).await.iter().map(|view| view.message.state).collect();
    assert_eq!(states, [InboundState::Received, InboundState::Undecodable]);
    assert_eq!((lines(&house, "+CMGR"), lines(&house, "+CMGD")), (3, 2), "read once more, deleted alone");
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn r9_parts_that_do_not_come_are_given_up_after_ten_minutes_over_a_restart() {
    let mut house = House::start(1).await;
    house.ready(0).await;
    sleep(1).await;
    // The modem does not give the second of three.
    house.faults(0, &["refuse_command=+CMGR=2|+CMGL"]);
    writes(&house, &format!("{}{}{}", "a".repeat(153), "b".repeat(153), "c".repeat(10)));
    sleep(2).await;
    house.restart().await;
    sleep(9 * 60).await;
    assert!(inbound(&house).await.is_empty());
    sleep(2 * 60).await;
    let shown = async |house: &House| {
        inbound(house).await.iter().map(|v| (v.message.state, v.message.parts.len())).collect::<Vec<_>>()
    };
    assert_eq!(shown(&house).await, [(InboundState::Incomplete, 2)]);
    assert_eq!(texts(&house).await, [format!("{}[…]{}", "a".repeat(153), "c".repeat(10))]);
    // Then it does: too late for that message.
    house.faults(0, &[]);
    sleep(3600 + 11 * 60).await;
    assert_eq!(shown(&house).await, [(InboundState::Incomplete, 1), (InboundState::Incomplete, 2)]);
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn r10_a_flood_holds_no_message_up() {
    for gap in [0, 20] {
        let mut house = House::start(1).await;
        house.pause = Some(Duration::from_millis(gap));
        house.restart().await;
        house.ready(0).await;
        sleep(2).await;
        for n in 0..200 {
            writes(&house, &format!("flood {n}"));
        }
        let begun = house.elapsed();
        let mut ids = Vec::new();
        for n in 0..10 {
            ids.push(house.accept(BO, &format!("out {n}")).await);
        }
        for id in ids {
            assert_eq!(house.settled(id, MINUTE).await.status(), Status::Delivered);
        }
        let took = house.elapsed() - begun;
        assert!(took < Duration::from_secs(5), "{gap} ms between two commands: {took:?}");
        let meanwhile = texts(&house).await.len();
        assert!(meanwhile > 0, "nor does sending starve what comes in");
        sleep(600).await;
        // The network keeps what a full storage could not take, up to a hundred.
        assert!(texts(&house).await.len() >= 100, "{}", texts(&house).await.len());
        house.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn stop_and_start_are_heeded_from_the_modem_to_the_queue() {
    let mut house = House::start(1).await;
    house.ready(0).await;
    house.simulator.unplug(0);
    sleep(1).await;
    let waits = house.accept(BO, "waits").await;
    house.simulator.replug(0);
    // It goes out before anything can come in.
    house.settled(waits, MINUTE).await;
    writes(&house, "STOP");
    sleep(2).await;
    let new = house.message(BO, "not wanted");
    assert_eq!(house.store().accept(new, None).await.err(), Some(StoreError::OptedOut));
    let code = house.code(BO, "Code", Duration::from_secs(300));
    assert_eq!(house.store().create_verification(code, None).await.err(), Some(StoreError::OptedOut));
    house.crash().await;
    let new = house.message(BO, "not wanted");
    assert_eq!(house.store().accept(new, None).await.err(), Some(StoreError::OptedOut));
    house.ready(0).await;
    writes(&house, "start");
    sleep(2).await;
    let id = house.accept(BO, "wanted").await;
    let sent = house.settled(id, MINUTE).await;
    assert_eq!((sent.status(), sent.reason()), (Status::Delivered, None::<Reason>));
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn s11_calls_are_rejected_and_counted() {
    let mut house = House::start(1).await;
    house.ready(0).await;
    sleep(1).await;
    let id = house.accept(BO, "out").await;
    house.simulator.ring(0);
    assert_eq!(house.settled(id, MINUTE).await.status(), Status::Delivered);
    let told = |house: &House| (lines(house, "+CHUP"), house.app().board().modems()[0].calls_rejected);
    house.simulator.ring(0);
    sleep(2).await;
    assert_eq!(told(&house), (2, 1), "it rings on");
    sleep(11).await;
    house.simulator.ring(0);
    sleep(2).await;
    assert_eq!(told(&house), (3, 2), "another call");
    house.stop().await;
}
