//! The whole daemon at the edges: what must go on when a modem, a network or a clock does something unusual.

mod common;

use common::{BEGIN, House, ME};
use otpgate::domain::message::{Message, Status};
use otpgate::modem::board::{Board, ModemState};
use otpgate::modem::census::Census;
use otpgate::modem::driver::{Order, Setting, drive};
use otpgate::modem::learned::Learned;
use otpgate::modem::port::{Opening, Ports};
use otpgate::modem::quirks::Configured;
use otpgate::modem::recovery::ward::Ward;
use otpgate::modem::resume::Resume;
use otpgate::ops::clock::Clock;
use otpgate::simulator::faults::Faults;
use otpgate::simulator::modem::ModemOptions;
use otpgate::simulator::network::NetworkOptions;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

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

/// The service centre's number is gone from the modem; the first message finds out, and is sent over the same SIM card.
#[tokio::test(start_paused = true)]
async fn e330_a_message_refused_for_want_of_a_service_centre_is_sent_over_the_same_card() {
    let mut house = House::start(1).await;
    let first = house.accept(NUMBER, "first").await;
    house.settled(first, Duration::from_secs(10)).await;
    house.simulator.set_faults(Some(0), &faults("refuse_before_prompt=cms:330@next:1"));
    let second = house.accept(NUMBER, "second").await;
    let message = house.settled(second, Duration::from_secs(60)).await;
    assert_eq!(message.status(), Status::Delivered, "{message:?}");
    assert_eq!(house.copies(NUMBER), ["first", "second"]);
    house.stop().await;
}

/// One modem that came up so.
async fn registered_for_data_only() -> House {
    let house = House::start(1).await;
    house.faults(0, &["registration=0,0,1"]);
    house.simulator.unplug(0);
    tokio::time::sleep(Duration::from_secs(2)).await;
    house.simulator.replug(0);
    tokio::time::sleep(Duration::from_secs(30)).await;
    house
}

/// Registered for data only, and nothing gets through to three numbers: what comes after waits for another registration.
#[tokio::test(start_paused = true)]
async fn l6_a_doubtful_registration_over_which_nothing_goes_is_given_up() {
    let mut house = registered_for_data_only().await;
    let modem = house.app().board().modems().remove(0);
    assert!(modem.doubtful && modem.state.is_ready(), "{modem:?}");
    house.faults(0, &["registration=0,0,1", "network_refusal=28"]);
    for n in 0..3 {
        house.accept(&format!("+1415555010{n}"), "lost").await;
    }
    tokio::time::sleep(Duration::from_secs(20)).await;
    let modem = house.app().board().modems().remove(0);
    assert_eq!(modem.state, ModemState::Waiting);
    assert!(modem.reason.as_deref().is_some_and(|words| words.contains("several numbers")), "{:?}", modem.reason);
    house.simulator.set_faults(Some(0), &Faults::default());
    let id = house.accept("+14155550109", "found").await;
    assert_eq!(house.settled(id, Duration::from_secs(60)).await.status(), Status::Delivered);
    house.stop().await;
}

/// What failed over a doubtful registration is not held against the SIM card, the failure that gave it up included.
#[tokio::test(start_paused = true)]
async fn l6_the_failure_that_ends_a_doubtful_registration_is_not_the_cards_fault() {
    let mut house = registered_for_data_only().await;
    house.faults(0, &["registration=0,0,1", "network_refusal=28"]);
    for n in 0..3 {
        let id = house.accept(&format!("+1415555010{n}"), "lost").await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        let _ = house.store().cancel_message(ME, id, None).await;
    }
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(house.app().board().modems()[0].state, ModemState::Waiting);
    house.simulator.set_faults(Some(0), &faults("network_refusal=28"));
    tokio::time::sleep(Duration::from_secs(60)).await;
    for (n, opens) in [(3, false), (4, false), (5, true)] {
        let id = house.accept(&format!("+1415555010{n}"), "lost").await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        let _ = house.store().cancel_message(ME, id, None).await;
        let cards = house.store().sim_cards().await.unwrap();
        let open = cards.values().any(|card| card.out_of_service.is_some());
        assert_eq!(open, opens, "after the failure to number {n}");
    }
    house.stop().await;
}

/// A closed port is not looked after any longer once nobody is there to give orders.
#[tokio::test(start_paused = true)]
async fn a_driver_without_orders_ends_while_its_port_is_closed() {
    struct NoPorts;
    impl Ports for NoPorts {
        fn open(&self, _: &str) -> Opening {
            Box::pin(std::future::ready(Err(std::io::Error::other("there is none"))))
        }
    }
    let mut house = House::start(1).await;
    let setting = Setting {
        slot: 0,
        port: "none".to_owned(),
        configured: Configured::default(),
        sim_cards: Arc::new([]),
        status_reports: true,
        ports: Arc::new(NoPorts),
        store: house.store(),
        clock: house.clock.clone(),
        board: Board::default(),
        learned: Learned::default(),
        ward: Ward::default(),
        census: Census::default(),
        resume: Resume::default(),
    };
    let (orders, orders_in) = watch::channel(Order::Run);
    let driver = tokio::spawn(drive(setting, orders_in));
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!driver.is_finished());
    drop(orders);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(driver.is_finished());
    house.stop().await;
}

/// What was learned of a model is kept while nothing is sent, and taken over by the next run.
#[tokio::test(start_paused = true)]
async fn what_was_learned_of_a_model_outlives_the_run() {
    let options = ModemOptions { manufacturer: "ACME".into(), model: "one".into(), ..ModemOptions::default() };
    let mut house = House::start_as(options).await;
    for n in 0..12 {
        let id = house.accept(NUMBER, &format!("{n}")).await;
        house.settled(id, Duration::from_secs(10)).await;
    }
    tokio::time::sleep(Duration::from_secs(130)).await;
    house.crash().await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let modem = house.app().board().modems().remove(0);
    let learned = modem.traits.unwrap();
    assert_eq!(learned.prompt_delay, Some(Duration::from_millis(50)));
    assert_eq!(learned.report_form, Some([2, 1, 0, 1, 0]));
    assert!(learned.send_time.is_some_and(|time| time >= Duration::from_millis(100)), "{learned:?}");
    assert_eq!(modem.quirks, "unknown model");
    house.stop().await;
}

/// A SIM card that is not to roam sends nothing abroad, and the setting is named.
#[tokio::test(start_paused = true)]
async fn l15_the_setting_that_lets_a_card_roam_is_named() {
    let mut house = House::start(1).await;
    house.simulator.set_faults(Some(0), &faults("registration=5,5,5"));
    house.simulator.unplug(0);
    tokio::time::sleep(Duration::from_secs(2)).await;
    house.simulator.replug(0);
    tokio::time::sleep(Duration::from_secs(30)).await;
    let id = house.accept(NUMBER, "abroad").await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(read(&house, id).await.status(), Status::Queued);
    let modem = house.app().board().modems().remove(0);
    assert_eq!(modem.state, ModemState::Waiting);
    assert!(modem.reason.as_deref().is_some_and(|words| words.contains("allow_roaming = true")), "{:?}", modem.reason);
    house.simulator.set_faults(Some(0), &Faults::default());
    assert_eq!(house.settled(id, Duration::from_secs(60)).await.status(), Status::Delivered);
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

/// Two refusals that say "not this modem": the first has it set up anew, the second stops it; its message goes elsewhere.
#[tokio::test(start_paused = true)]
async fn a_modem_that_takes_no_message_is_left_alone_and_tried_again_later() {
    let mut house = House::start(2).await;
    house.ready(0).await;
    house.simulator.set_faults(Some(0), &faults("refuse_before_prompt=cms:303"));
    house.simulator.unplug(1);
    let id = house.accept(NUMBER, "hello").await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let view = house.app().board().modems()[0].clone();
    assert_eq!(view.state.as_str(), "quarantined");
    assert!(view.reason.as_ref().is_some_and(|why| why.contains("AT port") && why.contains("10 minutes")), "{view:?}");
    let opened = view.opened;
    house.simulator.replug(1);
    let message = house.settled(id, Duration::from_secs(120)).await;
    assert_eq!((message.status(), message.attempts.len()), (Status::Delivered, 2));
    assert_eq!(house.app().board().modems()[0].opened, opened, "it is left alone");
    house.simulator.set_faults(Some(0), &Faults::default());
    tokio::time::sleep(Duration::from_secs(600)).await;
    house.ready(0).await;
    house.stop().await;
}

/// One that refuses at once whatever it is given would get every message: it is free first.
#[tokio::test(start_paused = true)]
async fn a_modem_in_trouble_keeps_no_message_from_another() {
    for fault in ["refuse_before_prompt=cms:302", "error_after=cms:331,lost", "refuse_before_prompt=cme:14"] {
        let mut house = House::start(2).await;
        house.ready(0).await;
        house.ready(1).await;
        house.simulator.set_faults(Some(0), &faults(fault));
        let began = house.elapsed();
        let mut ids = Vec::new();
        for n in 0..10 {
            ids.push(house.accept(&format!("+1415555020{n}"), "hello").await);
        }
        for id in ids {
            let message = house.settled(id, Duration::from_secs(60)).await;
            assert_eq!(message.status(), Status::Delivered, "{fault}: {message:?}");
            assert!(message.attempts.iter().flat_map(|a| &a.parts).all(|p| p.refusals == 0), "{fault}: {message:?}");
        }
        assert!(house.elapsed() - began < Duration::from_secs(20), "{fault}: {:?}", house.elapsed() - began);
        let view = house.app().board().modems()[0].clone();
        assert!((1..=3).contains(&view.refused), "{fault}: asked {} times", view.refused);
        house.stop().await;
    }
}

/// With nowhere else to go a code waits for the network, and uses what is left of its life.
#[tokio::test(start_paused = true)]
async fn a_code_waits_out_a_network_that_is_away() {
    let mut house = House::start(1).await;
    house.ready(0).await;
    house.simulator.set_faults(Some(0), &faults("error_after=cms:331,lost@next:5"));
    let code = house.verify(NUMBER, "Code").await;
    let message = house.settled(code.verification.message, Duration::from_secs(200)).await;
    assert_eq!(message.status(), Status::Delivered, "{message:?}");
    // And when it stays away, it has expired: nothing was wrong with it.
    house.simulator.set_faults(Some(0), &faults("error_after=cms:331,lost"));
    let code = house.verify("+14155550199", "Code").await;
    let message = house.settled(code.verification.message, Duration::from_secs(400)).await;
    assert_eq!(message.status(), Status::Expired, "{message:?}");
    assert!(house.copies("+14155550199").is_empty());
    house.stop().await;
}

/// What comes in between two parts is read when the message is out: nothing goes between its parts.
#[tokio::test(start_paused = true)]
async fn parts_of_one_message_stay_together_whatever_comes_in() {
    let mut house = House::start(1).await;
    house.ready(0).await;
    house.simulator.set_faults(Some(0), &faults("collision=cmti"));
    let long = house.message(NUMBER, &"long text ".repeat(40));
    let parts = long.parts;
    house.take_in(long).await;
    let other = house.accept("+14155550101", "other").await;
    house.settled(other, Duration::from_secs(120)).await;
    let to: Vec<String> = house.wires.handed_over().into_iter().map(|h| h.to).collect();
    let expected = [vec![NUMBER; usize::from(parts)], vec!["+14155550101"]].concat();
    assert_eq!(to, expected);
    house.stop().await;
}
