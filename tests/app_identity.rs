//! Who is at a port: no modem is taken for two, and no two for one. The whole daemon, in virtual time.

mod common;

use common::{House, sleep};
use otpgate::domain::event::{EventKind, LoggedEvent};
use otpgate::domain::message::Status;
use otpgate::modem::board::{ModemState, ModemView};
use otpgate::simulator::modem::ModemOptions;
use otpgate::simulator::network::NetworkOptions;
use otpgate::store::EventQuery;
use std::time::Duration;

const BO: &str = "+14155550123";
const MINUTE: Duration = Duration::from_secs(60);

/// Two modems of which the second tells the first one's IMEI, on these USB devices.
async fn same_imei(devices: [&str; 2]) -> House {
    let mut house = House::empty(2, &ModemOptions::default(), 7, NetworkOptions::default());
    for (modem, device) in devices.into_iter().enumerate() {
        house.wires.plug_into(modem, device, &format!("{device}:1.{modem}"));
    }
    house.faults(1, &[&format!("imei={}", house.imei(0))]);
    house.begin().await;
    house
}

fn view(house: &House, modem: usize) -> ModemView {
    house.app().board().modems()[modem].clone()
}

async fn logged(house: &House, kind: EventKind) -> Vec<LoggedEvent> {
    let query = EventQuery { kind: Some(kind), limit: 50, ..EventQuery::default() };
    house.store().events(query).await.unwrap().items
}

#[tokio::test(start_paused = true)]
async fn l1_of_two_ports_of_one_modem_one_is_served_and_the_other_takes_over_when_that_is_given_up() {
    let mut house = same_imei(["1-1", "1-1"]).await;
    house.ready(0).await;
    sleep(60).await;
    let spare = view(&house, 1);
    assert_eq!(spare.state, ModemState::Closed, "{spare:?}");
    assert!(spare.reason.as_ref().is_some_and(|why| why.contains("virtual:0")), "{spare:?}");
    assert_eq!(
        house.simulator.counts().modems[1].counts.at_lines.get("+CNMI"),
        None,
        "nothing that the other port feels"
    );
    for _ in 0..3 {
        let id = house.accept(BO, "hello").await;
        assert_eq!(house.settled(id, MINUTE).await.status(), Status::Delivered);
    }
    assert!(house.wires.handed_over().iter().all(|sent| sent.modem == 0));
    assert_eq!(logged(&house, EventKind::ModemDoubtful).await.len(), 0);
    house.simulator.unplug(0);
    sleep(20).await;
    assert!(view(&house, 1).state.is_ready(), "{:?}", view(&house, 1));
    house.simulator.replug(0);
    sleep(60).await;
    assert_eq!(view(&house, 0).state, ModemState::Closed, "now this one is spare");
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn l1_two_modems_with_one_imei_are_known_by_their_places_and_both_send() {
    let mut house = same_imei(["1-1", "1-2"]).await;
    house.ready(0).await;
    house.ready(1).await;
    sleep(120).await;
    let ids: Vec<_> = (0..2).map(|modem| view(&house, modem).id().as_str().to_owned()).collect();
    assert!(ids.iter().all(|id| id.starts_with("port-")) && ids[0] != ids[1], "{ids:?}");
    let events = logged(&house, EventKind::ModemDoubtful).await;
    assert_eq!(events.len(), 2, "{events:?}");
    assert!(events.iter().all(|e| e.event.sentence.contains("another modem")), "{events:?}");
    for n in 0..20 {
        house.accept(&format!("+141555501{n:02}"), "hello").await;
    }
    sleep(30).await;
    let senders = house.wires.handed_over();
    assert_eq!(senders.len(), 20);
    assert!((0..2).all(|modem| senders.iter().any(|sent| sent.modem == modem)));
    house.restart().await;
    house.ready(0).await;
    house.ready(1).await;
    sleep(120).await;
    let again: Vec<_> = (0..2).map(|modem| view(&house, modem).id().as_str().to_owned()).collect();
    assert_eq!(again, ids, "the same names after a restart");
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn l1_a_modem_without_a_valid_imei_is_known_by_its_place_and_told() {
    let mut house = House::empty(1, &ModemOptions::default(), 7, NetworkOptions::default());
    house.faults(0, &["imei=000000000000000"]);
    house.begin().await;
    house.ready(0).await;
    assert!(view(&house, 0).id().as_str().starts_with("port-"));
    let events = logged(&house, EventKind::ModemDoubtful).await;
    assert!(events.len() == 1 && events[0].event.sentence.contains("no valid IMEI"), "{events:?}");
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn l12_a_card_that_two_modems_tell_at_once_is_an_alarm_that_names_both() {
    let mut house = House::empty(2, &ModemOptions::default(), 7, NetworkOptions::default());
    house.simulator.other_card(1, 0);
    house.begin().await;
    house.ready(0).await;
    house.ready(1).await;
    sleep(5).await;
    let events = logged(&house, EventKind::SimCardTwice).await;
    assert_eq!(events.len(), 1, "{events:?}");
    for modem in 0..2 {
        let imei = house.imei(modem);
        assert!(events[0].event.sentence.contains(&imei[imei.len() - 5..]), "{events:?}");
    }
    house.stop().await;
}
