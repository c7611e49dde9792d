//! SIM cards in the whole daemon: PINs across restarts and crashes, and one card for another.

mod common;

use common::{House, sleep, sleep_ms};
use otpgate::config::SimCardConfig;
use otpgate::domain::amount::Amount;
use otpgate::domain::equipment::SimCard;
use otpgate::domain::event::{EventKind, LoggedEvent};
use otpgate::domain::message::Status;
use otpgate::modem::board::{ModemState, ModemView};
use otpgate::simulator::modem::{Identity, ModemOptions};
use otpgate::simulator::network::NetworkOptions;
use otpgate::store::EventQuery;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

const BO: &str = "+14155550100";
const MINUTE: Duration = Duration::from_secs(60);
const RIGHT: &str = "1234";
const CODE: &str = "*100#";
const WRONG: &str = "9876";

/// A world whose cards have a PIN each, and the files that the daemon takes for theirs.
struct Locked {
    house: House,
    files: TempDir,
}

impl Locked {
    /// One modem for each of these PINs, which is what its file holds.
    fn new(pins: &[&str]) -> Self {
        let options = ModemOptions { pin: Some(RIGHT.into()), ..ModemOptions::default() };
        let house = House::empty(pins.len(), &options, 7, NetworkOptions::default());
        let mut locked = Self { house, files: tempfile::tempdir().unwrap() };
        for (n, pin) in pins.iter().enumerate() {
            locked.write(n, pin);
            let pin_file = Some(locked.file(n));
            locked.house.sim_cards.push(SimCardConfig { pin_file, ..card(&Identity::numbered(n).iccid) });
        }
        locked
    }

    async fn started(pins: &[&str]) -> Self {
        let mut locked = Self::new(pins);
        locked.house.begin().await;
        locked
    }

    fn file(&self, modem: usize) -> PathBuf {
        self.files.path().join(format!("pin{modem}"))
    }

    fn write(&self, modem: usize, pin: &str) {
        fs::write(self.file(modem), format!("{pin}\n")).unwrap();
    }

    fn typed(&self, modem: usize) -> u64 {
        self.house.simulator.counts().modems[modem].counts.pins_typed
    }

    /// Waits until so many were typed.
    async fn until_typed(&self, modem: usize, count: u64) {
        for _ in 0..600_000 {
            if self.typed(modem) >= count {
                return;
            }
            sleep_ms(1).await;
        }
        panic!("only {} PINs were typed: {:?}", self.typed(modem), self.view(modem));
    }

    fn view(&self, modem: usize) -> ModemView {
        self.house.app().board().modems()[modem].clone()
    }

    fn waits_for(&self, modem: usize, words: &str) {
        let reason = self.view(modem).reason.unwrap_or_default();
        assert!(reason.contains(words), "{words}: {reason}");
    }

    async fn sends(&mut self) {
        let id = self.house.accept(BO, "hello").await;
        assert_eq!(self.house.settled(id, MINUTE).await.status(), Status::Delivered);
    }
}

fn card(iccid: &str) -> SimCardConfig {
    SimCardConfig::new(SimCard::new(iccid))
}

#[tokio::test(start_paused = true)]
async fn l10_a_wrong_pin_is_typed_once_over_restarts_crashes_and_power_cycles() {
    let mut w = Locked::started(&[WRONG]).await;
    for round in 0..3 {
        sleep(100).await;
        assert_eq!(w.typed(0), 1, "round {round}");
        w.waits_for(0, "refused the PIN in");
        w.waits_for(0, &w.file(0).display().to_string());
        assert_eq!(
            w.view(0).sim_card.map(|c| c.as_str().to_owned()),
            Some(Identity::numbered(0).iccid),
            "to be configured by"
        );
        w.house.restart().await;
        sleep(100).await;
        w.house.simulator.power_cycle(0);
        sleep(100).await;
        w.house.crash().await;
        sleep(100).await;
        w.house.simulator.unplug(0);
        sleep(10).await;
        w.house.simulator.replug(0);
    }
    sleep(100).await;
    assert_eq!(w.typed(0), 1);
    let reason = w.view(0).reason.unwrap();
    assert!(!reason.contains(WRONG), "{reason}");
    w.house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn l10_an_accepted_pin_is_typed_once_for_each_power_up() {
    let mut w = Locked::started(&[RIGHT]).await;
    w.sends().await;
    for typed in 2..=4 {
        w.house.simulator.power_cycle(0);
        sleep(30).await;
        w.sends().await;
        assert_eq!(w.typed(0), typed);
        // Three in ten minutes are taken for a failing power supply.
        sleep(400).await;
    }
    w.house.restart().await;
    w.sends().await;
    w.house.crash().await;
    w.sends().await;
    assert_eq!(w.typed(0), 4, "the modem stayed on");
    w.house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn l10_a_stop_waits_for_the_answer_to_a_pin() {
    let mut w = Locked::new(&[RIGHT]);
    w.house.drain = MINUTE;
    w.house.faults(0, &["pin_answer_lost=yes"]);
    w.house.begin().await;
    w.until_typed(0, 1).await;
    w.house.stop().await;
    // The card was found open meanwhile: that is as good as the answer.
    w.house.faults(0, &[]);
    w.house.simulator.power_cycle(0);
    w.house.begin().await;
    w.sends().await;
    assert_eq!(w.typed(0), 2);
    w.house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn l10_a_pin_whose_answer_was_lost_with_the_daemon_is_never_typed_again() {
    for pin in [RIGHT, WRONG] {
        let mut w = Locked::new(&[pin]);
        w.house.faults(0, &["pin_answer_lost=yes"]);
        w.house.begin().await;
        w.until_typed(0, 1).await;
        w.house.crash().await;
        sleep(60).await;
        if pin == RIGHT {
            w.sends().await;
        }
        w.house.simulator.power_cycle(0);
        sleep(300).await;
        w.house.restart().await;
        sleep(300).await;
        assert_eq!(w.typed(0), 1, "{pin}");
        w.waits_for(0, "no answer was seen");
        w.house.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn l10_a_pin_that_was_accepted_before_outlives_a_lost_answer() {
    let mut w = Locked::started(&[RIGHT]).await;
    w.sends().await;
    w.house.faults(0, &["pin_answer_lost=yes"]);
    w.house.simulator.power_cycle(0);
    w.until_typed(0, 2).await;
    w.house.crash().await;
    sleep(60).await;
    w.house.simulator.power_cycle(0);
    w.until_typed(0, 3).await;
    sleep(60).await;
    w.sends().await;
    w.house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn l10_a_corrected_pin_goes_while_two_tries_are_left() {
    let mut w = Locked::started(&[WRONG]).await;
    sleep(60).await;
    w.write(0, RIGHT);
    sleep(60).await;
    assert_eq!(w.typed(0), 2);
    w.sends().await;
    w.house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn l10_never_with_fewer_than_two_tries() {
    let mut w = Locked::started(&[WRONG]).await;
    sleep(60).await;
    w.write(0, "0000");
    sleep(60).await;
    assert_eq!(w.typed(0), 2);
    w.write(0, RIGHT);
    for _ in 0..3 {
        sleep(200).await;
        w.house.crash().await;
    }
    sleep(60).await;
    assert_eq!(w.typed(0), 2, "the right one would be the third");
    w.waits_for(0, "1 of its 3 tries left");
    w.house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn l10_a_modem_that_tells_neither_card_nor_tries_gets_one_pin_in_its_life() {
    let mut w = Locked::new(&[WRONG]);
    w.house.faults(0, &["iccid_locked=yes", "pin_tries_hidden=yes"]);
    w.house.begin().await;
    sleep(60).await;
    w.waits_for(0, "refused the PIN in");
    w.write(0, RIGHT);
    for _ in 0..3 {
        sleep(200).await;
        w.house.crash().await;
    }
    sleep(60).await;
    assert_eq!(w.typed(0), 1);
    w.waits_for(0, "does not tell how many tries");
    w.house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn l10_a_card_that_tells_nothing_before_its_pin_is_known_by_its_modem() {
    let mut w = Locked::new(&[RIGHT]);
    w.house.faults(0, &["iccid_locked=yes"]);
    w.house.begin().await;
    sleep(30).await;
    w.sends().await;
    // A second card with a PIN: which of the two is meant is known from the last time.
    w.house.sim_cards.push(SimCardConfig { pin_file: Some(w.file(9)), ..card("8999901000000000077") });
    w.house.restart().await;
    w.house.simulator.power_cycle(0);
    sleep(60).await;
    w.sends().await;
    assert_eq!(w.typed(0), 2);
    w.house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn l10_only_the_modem_whose_card_is_locked_waits() {
    let mut w = Locked::started(&[WRONG, RIGHT]).await;
    for _ in 0..5 {
        w.sends().await;
    }
    assert_eq!((w.typed(0), w.typed(1)), (1, 1));
    assert_eq!(w.house.senders(BO), vec![w.house.imei(1); 5]);
    w.house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn l10_a_card_whose_pin_is_not_given_is_shown_as_that_and_climbs_no_rung() {
    let mut w = Locked::new(&[RIGHT]);
    w.house.sim_cards[0].pin_file = None;
    w.house.begin().await;
    sleep(4 * 3600).await;
    let view = w.view(0);
    assert_eq!(view.state, ModemState::SimPinRequired, "{view:?}");
    w.waits_for(0, "pin_file");
    assert_eq!((view.opened, view.rungs, view.recovery), (1, Vec::new(), None));
    let query = EventQuery { limit: 50, ..EventQuery::default() };
    let quarantined = |e: &LoggedEvent| e.event.kind == EventKind::ModemQuarantined;
    assert!(!w.house.store().events(query).await.unwrap().items.iter().any(quarantined));
    w.house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn l10_what_is_missing_is_named() {
    let mut w = Locked::new(&[RIGHT]);
    w.house.sim_cards[0].pin_file = None;
    w.house.begin().await;
    sleep(60).await;
    w.waits_for(0, "write its iccid and pin_file into a [[sim_card]]");
    w.house.sim_cards[0].pin_file = Some(w.file(5));
    w.house.restart().await;
    sleep(60).await;
    w.waits_for(0, "can't be read");
    w.waits_for(0, &w.file(5).display().to_string());
    w.write(5, "12 34");
    sleep(60).await;
    w.waits_for(0, "4 to 8 digits");
    assert_eq!(w.typed(0), 0);
    w.write(5, RIGHT);
    sleep(60).await;
    w.sends().await;
    w.house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn l12_what_is_known_of_the_old_card_is_not_believed_of_the_new_one() {
    let mut house = House::start(1).await;
    house.ready(0).await;
    let before = house.app().board().modems()[0].sim_card.clone();
    house.simulator.other_card(0, 77);
    sleep(700).await;
    let id = house.accept(BO, "hello").await;
    let message = house.settled(id, MINUTE).await;
    assert_eq!(message.status(), Status::Delivered, "{message:?}");
    let now = house.app().board().modems()[0].sim_card.clone();
    assert_ne!(now, before);
    assert_eq!(now.map(|c| c.as_str().to_owned()), Some(Identity::numbered(77).iccid));
    assert_eq!(message.attempts[0].sim_card.as_str(), Identity::numbered(77).iccid);
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn l12_a_message_under_way_does_not_follow_another_card() {
    let mut house = House::start(1).await;
    house.ready(0).await;
    house.faults(0, &["refuse_before_prompt=cms:331"]);
    let id = house.accept(BO, "hello").await;
    sleep(2).await;
    house.simulator.other_card(0, 77);
    house.faults(0, &[]);
    house.simulator.power_cycle(0);
    let message = house.settled(id, MINUTE).await;
    assert_eq!(message.status(), Status::Delivered, "provably unsent, it goes over the new one: {message:?}");
    assert_eq!(house.copies(BO), ["hello"]);
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn l11_a_card_that_loses_contact_comes_back_and_nothing_is_lost() {
    let mut w = Locked::started(&[RIGHT]).await;
    w.sends().await;
    w.house.faults(0, &["card_lost=cfun@next:1"]);
    let ids = [w.house.accept(BO, "one").await, w.house.accept(BO, "two").await];
    for id in ids {
        assert_eq!(w.house.settled(id, MINUTE * 5).await.status(), Status::Delivered);
    }
    let copies = w.house.copies(BO);
    assert_eq!(copies.len(), 3, "{copies:?}");
    assert_eq!(w.typed(0), 2);
    w.house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn l12_another_card_is_an_event_also_if_it_was_changed_while_nobody_looked() {
    let swaps = |house: &House| {
        let store = house.store();
        async move {
            let all = store.events(EventQuery { limit: 50, ..EventQuery::default() }).await.unwrap().items;
            all.into_iter().filter(|e| e.event.kind == EventKind::SimCardSwapped).count()
        }
    };
    let mut w = Locked::started(&[RIGHT]).await;
    w.house.sim_cards.push(SimCardConfig { pin_file: Some(w.file(0)), ..card(&Identity::numbered(77).iccid) });
    w.sends().await;
    assert_eq!(swaps(&w.house).await, 0);
    w.house.stop().await;
    w.house.simulator.other_card(0, 77);
    w.house.simulator.power_cycle(0);
    w.house.begin().await;
    w.sends().await;
    assert_eq!((swaps(&w.house).await, w.typed(0)), (1, 2));
    w.house.restart().await;
    w.sends().await;
    w.house.simulator.other_card(0, 0);
    w.house.simulator.power_cycle(0);
    sleep(30).await;
    w.sends().await;
    assert_eq!((swaps(&w.house).await, w.typed(0)), (2, 3));
    w.house.stop().await;
}

/// A card whose balance is asked for.
fn prepaid(modem: usize) -> SimCardConfig {
    SimCardConfig {
        ussd: Some(CODE.into()),
        ussd_pattern: Some("balance is (-?[0-9.,]+)".into()),
        low_balance: Amount::parse("2.00"),
        ..card(&Identity::numbered(modem).iccid)
    }
}

async fn prepaid_house(modems: usize, faults: &[&str]) -> House {
    let mut house = House::empty(modems, &ModemOptions::default(), 7, NetworkOptions::default());
    house.sim_cards = (0..modems).map(prepaid).collect();
    house.faults(0, faults);
    house.begin().await;
    house
}

fn dialled(house: &House, modem: usize) -> u64 {
    house.simulator.counts().modems[modem].counts.service_codes
}

#[tokio::test(start_paused = true)]
async fn l13_the_balance_is_asked_once_a_day() {
    let mut house = prepaid_house(1, &[]).await;
    sleep(120).await;
    let view = house.app().board().modems()[0].clone();
    assert_eq!((view.balance.as_deref(), dialled(&house, 0)), (Some("10.00"), 1));
    assert!(view.state.is_ready());
    sleep(3 * 86_400).await;
    assert_eq!(dialled(&house, 0), 4);
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn l13_a_low_balance_drains_the_card_and_a_topped_up_one_sends_again() {
    let mut house = prepaid_house(2, &["balance=0.30"]).await;
    sleep(120).await;
    let view = house.app().board().modems()[0].clone();
    assert!(!view.state.is_ready(), "{view:?}");
    let reason = view.reason.unwrap();
    assert!(reason.contains("0.30") && reason.contains("low_balance (2.00)"), "{reason}");
    for _ in 0..3 {
        let id = house.accept(BO, "hello").await;
        assert_eq!(house.settled(id, MINUTE).await.status(), Status::Delivered);
    }
    assert_eq!(house.senders(BO), vec![house.imei(1); 3]);
    let query = EventQuery { kind: Some(EventKind::SimCardLowBalance), limit: 50, ..EventQuery::default() };
    let events = house.store().events(query.clone()).await.unwrap().items;
    assert_eq!(events.len(), 1);
    assert!(!events[0].event.sentence.contains("0.30"), "no balance in the log of events");
    sleep(3700).await;
    assert_eq!(dialled(&house, 0), 2, "once an hour while it is low");
    house.faults(0, &["balance=12,50"]);
    sleep(3600).await;
    assert!(house.app().board().modems()[0].state.is_ready());
    assert_eq!(house.app().board().modems()[0].balance.as_deref(), Some("12.50"));
    assert_eq!(house.store().events(query).await.unwrap().items.len(), 1);
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn l13_a_refusal_as_without_credit_asks_at_once_and_not_each_time() {
    let mut house = prepaid_house(1, &[]).await;
    sleep(4000).await;
    assert_eq!(dialled(&house, 0), 1);
    house.faults(0, &["network_refusal=38", "balance=0"]);
    let ids = [house.accept(BO, "one").await, house.accept(BO, "two").await];
    sleep(60).await;
    assert_eq!(dialled(&house, 0), 2);
    assert!(house.app().board().modems()[0].reason.as_ref().is_some_and(|r| r.contains("low_balance")));
    house.faults(0, &["balance=20"]);
    sleep(3700).await;
    for id in ids {
        assert_eq!(house.status(id).await, Status::Expired, "nobody else could send them");
    }
    let id = house.accept(BO, "three").await;
    assert_eq!(house.settled(id, MINUTE).await.status(), Status::Delivered);
    assert_eq!(dialled(&house, 0), 3);
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn l13_a_balance_that_is_never_told_holds_nothing_up_for_long() {
    for shape in ["ussd_shape=never", "ussd_shape=refused", "balance=-"] {
        let mut house = prepaid_house(1, &[shape]).await;
        sleep(61).await;
        let id = house.accept(BO, "hello").await;
        let message = house.settled(id, MINUTE * 3).await;
        assert_eq!(message.status(), Status::Delivered, "{shape}");
        assert_eq!(house.app().board().modems()[0].balance, None, "{shape}");
        sleep(3600).await;
        assert_eq!(dialled(&house, 0), 2, "{shape}: again in an hour");
        house.stop().await;
    }
}

/// Waits until the first modem asks for its balance.
async fn asks(house: &House) {
    for _ in 0..40_000 {
        if house.app().board().modems()[0].state == ModemState::Asking {
            return;
        }
        sleep_ms(100).await;
    }
    panic!("it does not ask: {:?}", house.app().board().modems());
}

#[tokio::test(start_paused = true)]
async fn l13_a_code_does_not_wait_for_a_balance_that_is_not_told() {
    let mut house = prepaid_house(1, &["ussd_shape=never"]).await;
    asks(&house).await;
    let view = house.app().board().modems()[0].clone();
    assert!(view.state.is_ready() && view.reason.as_ref().is_some_and(|why| why.contains("balance")), "{view:?}");
    sleep(2).await;
    let begun = house.elapsed();
    house.verify(BO, "code").await;
    house.handed_over(1).await;
    assert!(house.elapsed() - begun < MINUTE / 60, "{:?}", house.elapsed() - begun);
    sleep(1).await;
    assert_eq!(house.app().board().modems()[0].state, ModemState::Ready);
    sleep(500).await;
    assert_eq!(dialled(&house, 0), 1);
    sleep(200).await;
    assert_eq!(dialled(&house, 0), 2, "it is asked again after ten minutes");
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn l13_another_message_waits_for_a_balance_as_long_as_networks_mostly_take() {
    let mut house = prepaid_house(1, &["ussd_shape=never"]).await;
    asks(&house).await;
    let id = house.accept(BO, "hello").await;
    sleep(9).await;
    assert_eq!(house.status(id).await, Status::Queued);
    sleep(3).await;
    assert_eq!(house.copies(BO), ["hello"]);
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn l13_a_free_modem_takes_the_code_and_the_other_goes_on_asking() {
    let mut house = prepaid_house(2, &["ussd_shape=never"]).await;
    asks(&house).await;
    sleep(3).await;
    assert_eq!(house.app().board().modems()[1].balance.as_deref(), Some("10.00"));
    house.verify(BO, "code").await;
    house.handed_over(1).await;
    assert_eq!(house.wires.handed_over()[0].modem, 1);
    assert_eq!(house.app().board().modems()[0].state, ModemState::Asking);
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn l13_codes_do_not_keep_a_balance_unknown_for_ever() {
    let mut house = prepaid_house(1, &["ussd_shape=never"]).await;
    for n in 1..=3 {
        asks(&house).await;
        house.verify(BO, "code").await;
        house.handed_over(n).await;
        sleep(1).await;
        assert_eq!(dialled(&house, 0), n as u64);
    }
    house.faults(0, &[]);
    asks(&house).await;
    let begun = house.elapsed();
    house.verify(BO, "code").await;
    house.handed_over(4).await;
    let waited = house.elapsed() - begun;
    assert!((MINUTE / 120..MINUTE / 10).contains(&waited), "{waited:?}");
    assert_eq!(house.app().board().modems()[0].balance.as_deref(), Some("10.00"));
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn l13_neither_a_flood_of_messages_nor_a_balance_starves_the_other() {
    let mut house = prepaid_house(1, &[]).await;
    sleep(50).await;
    let mut ids = Vec::new();
    for _ in 0..600 {
        ids.push(house.accept(BO, "hello").await);
    }
    sleep(30).await;
    assert_eq!((dialled(&house, 0), house.app().board().modems()[0].balance.as_deref()), (1, Some("10.00")));
    sleep(90).await;
    assert_eq!(house.copies(BO).len(), ids.len());
    house.stop().await;
}
