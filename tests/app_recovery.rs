//! A modem that stops comes back without a human, and holds no other up: the ladder in the whole daemon, in virtual time.

mod common;

use common::{House, ME, sleep, sleep_ms};
use otpgate::domain::event::EventKind;
use otpgate::domain::message::Status;
use otpgate::modem::board::{ModemState, ModemView};
use otpgate::simulator::modem::ModemOptions;
use otpgate::simulator::network::NetworkOptions;
use otpgate::store::EventQuery;
use std::time::Duration;

fn view(house: &House, modem: usize) -> ModemView {
    house.app().board().modems()[modem].clone()
}

/// How often a rung was tried, and how often it worked.
fn rung(house: &House, word: &str) -> (u32, u32) {
    let rungs = view(house, 0).rungs;
    rungs.iter().find(|(rung, ..)| *rung == word).map_or((0, 0), |(_, tried, worked)| (*tried, *worked))
}

fn lines(house: &House, modem: usize, command: &str) -> u64 {
    house.simulator.counts().modems[modem].counts.at_lines.get(command).copied().unwrap_or(0)
}

async fn two() -> House {
    let house = House::start(2).await;
    house.ready(0).await;
    house.ready(1).await;
    house
}

/// Time passes until the first modem is in this state.
async fn until(house: &House, what: &str, at_most: u64, holds: impl Fn(&ModemView) -> bool) -> Duration {
    let begun = house.elapsed();
    while !holds(&view(house, 0)) {
        assert!(house.elapsed() - begun < Duration::from_secs(at_most), "not {what}: {:?}", view(house, 0));
        sleep_ms(500).await;
    }
    house.elapsed() - begun
}

/// Messages that both modems share, a second apart, for so long; how many took longer than usual.
async fn traffic(house: &mut House, from: usize, seconds: usize) -> usize {
    let mut slow = 0;
    for n in 0..seconds {
        let id = house.accept(&format!("+1415{:07}", 5_550_000 + from + n), "hello").await;
        sleep(1).await;
        slow += usize::from(matches!(house.status(id).await, Status::Queued | Status::Submitting));
    }
    slow
}

async fn logged(house: &House, kind: EventKind) -> usize {
    let query = EventQuery { kind: Some(kind), limit: 100, ..EventQuery::default() };
    house.store().events(query).await.unwrap().items.len()
}

#[tokio::test(start_paused = true)]
async fn l5_a_hang_ends_at_the_rung_that_helps_and_nobody_else_notices() {
    for (cure, rung_word, at_most) in [
        ("escape", None, 60),
        ("reopen", Some("reopen"), 90),
        ("radio", Some("radio"), 180),
        ("restart", Some("restart"), 240),
        ("usb", Some("usb_reset"), 330),
    ] {
        let mut house = two().await;
        house.faults(0, &[&format!("hang={cure}@next:1")]);
        // One of them runs into it, and is sent by the other.
        let slow = traffic(&mut house, 0, 20).await;
        assert!(slow <= 1, "{cure}: {slow} messages waited");
        if cure != "escape" && view(&house, 0).opened == 1 {
            until(&house, "noticed", 120, |view| !view.state.is_ready()).await;
        }
        until(&house, "back", at_most, |view| view.state.is_ready()).await;
        if let Some(word) = rung_word {
            assert_eq!(rung(&house, word).1, 1, "{cure}: {:?}", view(&house, 0).rungs);
            assert_eq!(logged(&house, EventKind::ModemRecovered).await, 1, "{cure}");
        }
        assert_eq!(view(&house, 0).recovery, None, "{cure}");
        assert_eq!(traffic(&mut house, 100, 20).await, 0, "{cure}");
        house.stop().await;
    }
}

/// As slow as modems are, it is no modem that has stopped.
#[tokio::test(start_paused = true)]
async fn t9_a_modem_that_takes_seconds_over_each_answer_is_set_up_without_help_and_sends() {
    for delay in ["1.5", "3", "5", "0..5"] {
        let mut house = House::empty(1, &ModemOptions::default(), 7, NetworkOptions::default());
        house.faults(0, &[&format!("answer_delay={delay}")]);
        house.begin().await;
        until(&house, "ready", 330, |view| view.state.is_ready()).await;
        let mut messages = Vec::new();
        for n in 0..4 {
            let to = format!("+1415555{n:04}");
            messages.push((house.accept(&to, "hello").await, to));
        }
        for (id, to) in messages {
            house.settled(id, Duration::from_secs(600)).await;
            assert_eq!(house.copies(&to).len(), 1, "{delay}");
        }
        sleep(600).await;
        let view = view(&house, 0);
        assert!(view.rungs.is_empty() && view.recovery.is_none() && view.opened == 1, "{delay}: {view:?}");
        assert!(lines(&house, 0, "+CGMI") == 1 && view.uncertain == 0, "{delay}: {view:?}");
        house.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn l5_a_modem_that_hangs_idle_is_noticed_by_its_heartbeat() {
    let house = two().await;
    house.faults(0, &["hang=restart@next:1"]);
    let noticed = until(&house, "noticed", 120, |view| view.recovery.is_some()).await;
    assert!(noticed > Duration::from_secs(50), "{noticed:?}");
    until(&house, "back", 240, |view| view.state.is_ready()).await;
    assert_eq!(rung(&house, "restart").1, 1);
}

#[tokio::test(start_paused = true)]
async fn l5_a_modem_that_prompts_no_more_is_brought_back_though_it_answers() {
    for cure in ["reopen", "radio", "restart", "usb"] {
        let mut house = two().await;
        house.faults(0, &[&format!("no_prompt={cure}@next:1")]);
        // With another, it would be given none.
        house.simulator.unplug(1);
        let before = view(&house, 0).accepted;
        let begun = house.elapsed();
        let mut n = 0;
        while view(&house, 0).accepted == before {
            assert!(house.elapsed() - begun < Duration::from_secs(900), "{cure}: {:?}", view(&house, 0));
            traffic(&mut house, n, 20).await;
            n += 20;
        }
        assert_eq!(view(&house, 0).recovery, None, "{cure}: a message shows that it is over");
        house.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn l5_what_nothing_brings_back_is_left_in_quarantine_with_the_remedy_and_is_back_when_plugged_in_anew() {
    let mut house = two().await;
    house.faults(0, &["hang=power@next:1"]);
    let slow = traffic(&mut house, 0, 600).await;
    assert!(slow <= 1, "{slow} messages waited");
    let shown = view(&house, 0);
    assert_eq!(shown.state, ModemState::Quarantined, "{shown:?}");
    let reason = shown.reason.clone().unwrap();
    assert!(reason.contains("check its power and cable") && reason.contains("minutes"), "{reason}");
    let recovery = shown.recovery.unwrap();
    assert_eq!((recovery.rung, recovery.attempts), ("quarantine", 4), "{recovery:?}");
    let first = recovery.next_at.unwrap() - recovery.since;
    assert_eq!(first, Duration::from_secs(600));
    assert_eq!(logged(&house, EventKind::ModemQuarantined).await, 1);
    assert!(house.app().board().any_ready(), "one sick modem is not the gateway");
    // It is tried again after that, and then left alone for longer.
    let quarantined = |view: &ModemView| view.recovery.as_ref().is_some_and(|r| r.rung == "quarantine");
    until(&house, "tried again", 620, |view| !quarantined(view)).await;
    until(&house, "given up again", 400, quarantined).await;
    let recovery = view(&house, 0).recovery.unwrap();
    assert_eq!(recovery.next_at.unwrap() - recovery.since, Duration::from_secs(1800));
    house.simulator.unplug(0);
    sleep(20).await;
    house.simulator.replug(0);
    until(&house, "back", 30, |view| view.state.is_ready()).await;
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_person_need_not_wait_for_the_end_of_a_quarantine() {
    let mut house = two().await;
    house.faults(0, &["hang=power@next:1"]);
    until(&house, "given up", 700, |view| view.state == ModemState::Quarantined).await;
    house.simulator.power_cycle(0);
    sleep(60).await;
    assert_eq!(view(&house, 0).state, ModemState::Quarantined);
    house.app().resume(0);
    until(&house, "back", 30, |view| view.state.is_ready()).await;
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn l4_a_rung_that_never_works_for_a_model_is_left_out_also_after_a_restart_of_the_gateway() {
    let mut house = two().await;
    let mut took = Vec::new();
    for round in 0..3 {
        house.faults(0, &["hang=usb@next:1"]);
        until(&house, "noticed", 120, |view| !view.state.is_ready()).await;
        took.push(until(&house, "back", 400, |view| view.state.is_ready()).await);
        // Peace, so that the next climb begins at its foot.
        sleep(700).await;
        if round == 1 {
            house.restart().await;
            house.ready(0).await;
        }
    }
    assert!(took[2] < took[0] / 2, "{took:?}");
    assert_eq!(rung(&house, "restart"), (2, 0), "{:?}", view(&house, 0).rungs);
    assert_eq!(rung(&house, "usb_reset"), (3, 3), "{:?}", view(&house, 0).rungs);
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn l4_a_reset_that_does_nothing_is_not_believed() {
    let mut house = two().await;
    house.faults(0, &["hang=restart@next:1", "reset_ineffective=yes@next:1"]);
    until(&house, "noticed", 120, |view| view.recovery.is_some()).await;
    until(&house, "back", 400, |view| view.state.is_ready()).await;
    assert_eq!((rung(&house, "restart"), rung(&house, "usb_reset")), ((1, 0), (1, 1)));
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn l3_a_reset_that_makes_a_storage_of_it_is_waited_for_and_not_done_a_third_time() {
    let mut house = two().await;
    for expected in [(1, 1), (2, 2), (2, 2)] {
        house.faults(0, &["hang=restart@next:1", "mode_switch=60"]);
        until(&house, "noticed", 120, |view| view.recovery.is_some()).await;
        until(&house, "back", 500, |view| view.state.is_ready()).await;
        assert_eq!(rung(&house, "restart"), expected, "{:?}", view(&house, 0).rungs);
        sleep(700).await;
    }
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn l2_a_boot_loop_is_left_alone_with_a_word_about_its_power() {
    let mut house = two().await;
    house.faults(0, &["boot_loop=20"]);
    // Those that it had when it restarted.
    let slow = traffic(&mut house, 0, 120).await;
    assert!(slow <= 6, "{slow} messages waited");
    let shown = view(&house, 0);
    assert_eq!(shown.state, ModemState::Quarantined, "{shown:?}");
    assert!(shown.reason.as_ref().is_some_and(|why| why.contains("power supply") && why.contains("hub")), "{shown:?}");
    let opened = shown.opened;
    assert_eq!(traffic(&mut house, 200, 120).await, 0);
    assert_eq!(view(&house, 0).opened, opened, "it is left alone");
    house.faults(0, &[]);
    until(&house, "back", 620, |view| view.state.is_ready()).await;
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn l2_a_brown_out_is_called_by_its_name() {
    let mut house = two().await;
    house.simulator.unplug(1);
    for n in 0..3 {
        house.faults(0, &["port_loss=brown_out@next:1"]);
        house.accept(&format!("+1415555010{n}"), "hello").await;
        sleep(60).await;
    }
    let shown = view(&house, 0);
    assert_eq!(shown.state, ModemState::Quarantined, "{shown:?}");
    assert!(shown.reason.as_ref().is_some_and(|why| why.contains("brown-out")), "{shown:?}");
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn l2_plugging_in_and_out_slowly_is_no_boot_loop() {
    let mut house = two().await;
    for _ in 0..6 {
        house.simulator.unplug(0);
        sleep(30).await;
        house.simulator.replug(0);
        sleep(60).await;
    }
    assert_eq!(view(&house, 0).state, ModemState::Ready, "{:?}", view(&house, 0));
    house.stop().await;
}

/// Pulled out, and put in after so long.
async fn replug(house: &House, away: u64) {
    house.simulator.unplug(0);
    sleep(away).await;
    house.simulator.replug(0);
}

#[tokio::test(start_paused = true)]
async fn l1_plugged_in_again_and_again_within_a_minute_it_is_ready_each_time() {
    let mut house = two().await;
    for _ in 0..6 {
        replug(&house, 1).await;
        until(&house, "back", 10, |view| view.state.is_ready()).await;
        sleep(3).await;
    }
    assert_eq!((view(&house, 0).state, logged(&house, EventKind::ModemQuarantined).await), (ModemState::Ready, 0));
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn l2_plugged_in_anew_it_is_tried_at_once_however_short_it_was_out() {
    let mut house = two().await;
    for fault in ["hang=power@next:1", "boot_loop=20"] {
        house.faults(0, &[fault]);
        until(&house, "given up", 700, |view| view.state == ModemState::Quarantined).await;
        house.faults(0, &[]);
        sleep(60).await;
        assert_eq!(view(&house, 0).state, ModemState::Quarantined, "{fault}");
        replug(&house, 1).await;
        until(&house, "back", 15, |view| view.state.is_ready()).await;
        sleep(700).await;
    }
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn l2_one_that_comes_and_goes_as_it_registers_is_left_alone_until_it_misses_a_beat() {
    let mut house = two().await;
    for _ in 0..12 {
        replug(&house, 2).await;
        sleep(6).await;
    }
    let shown = view(&house, 0);
    assert_eq!(shown.state, ModemState::Quarantined, "{shown:?}");
    assert!(shown.reason.as_ref().is_some_and(|why| why.contains("power supply")), "{shown:?}");
    let opened = shown.opened;
    for _ in 0..20 {
        replug(&house, 2).await;
        sleep(6).await;
    }
    assert_eq!(view(&house, 0).opened, opened, "it is left alone");
    until(&house, "back", 30, |view| view.state.is_ready()).await;
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn l7_denied_for_an_hour_it_tries_its_radio_twice_an_hour_and_no_more() {
    let mut house = two().await;
    house.faults(0, &["unregistered=denied"]);
    let slow = traffic(&mut house, 0, 3900).await;
    assert_eq!(slow, 0, "the other one sends");
    let shown = view(&house, 0);
    assert_eq!(shown.state, ModemState::Waiting, "{shown:?}");
    // Another SIM card of this operator works: it may be the modem, and it may climb; but never into quarantine.
    assert!(rung(&house, "radio").0 >= 1, "{:?}", shown.rungs);
    house.faults(0, &[]);
    until(&house, "back", 120, |view| view.state.is_ready()).await;
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn l7_a_network_that_was_chosen_by_hand_and_denies_it_is_given_up_for_one_that_takes_it() {
    let mut house = two().await;
    house.faults(0, &["unregistered=by_hand"]);
    until(&house, "noticed", 330, |view| view.state == ModemState::Waiting).await;
    let took = until(&house, "back", 1200, |view| view.state.is_ready()).await;
    assert!(took > Duration::from_secs(800), "first its radio is switched off and on: {took:?}");
    assert_eq!(rung(&house, "radio").0, 1);
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn l7_with_no_other_to_show_that_it_is_the_modem_only_the_radio_is_cycled_and_seldom() {
    let mut house = two().await;
    for modem in [0, 1] {
        house.faults(modem, &["unregistered=denied"]);
    }
    sleep(3 * 3600).await;
    for modem in [0, 1] {
        // CFUN? of each bring-up, and two for each time off and on.
        let set_ups = lines(&house, modem, "+CGMI");
        let cycles = (lines(&house, modem, "+CFUN") - set_ups) / 2;
        assert!((3..=6).contains(&cycles), "modem {modem}: {cycles} cycles in three hours");
    }
    assert_eq!((rung(&house, "restart"), rung(&house, "usb_reset")), ((0, 0), (0, 0)));
    house.faults(0, &[]);
    until(&house, "back", 120, |view| view.state.is_ready()).await;
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn l15_the_radio_of_a_card_that_must_not_roam_is_left_as_it_is() {
    let mut house = two().await;
    house.faults(0, &["registration=5,5,5"]);
    until(&house, "noticed", 330, |view| view.state == ModemState::Waiting).await;
    // The other one sends in the same network.
    assert_eq!(traffic(&mut house, 0, 1500).await, 0);
    assert_eq!((view(&house, 0).rungs, view(&house, 0).opened), (Vec::new(), 1));
    house.faults(0, &[]);
    until(&house, "back", 330, |view| view.state.is_ready()).await;
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn l6_a_network_lost_and_found_without_a_word_is_noticed() {
    let mut house = two().await;
    house.faults(0, &["unregistered=quiet"]);
    // It is asked after one domain a minute.
    until(&house, "noticed", 330, |view| view.state == ModemState::Waiting).await;
    house.faults(0, &[]);
    until(&house, "back", 30, |view| view.state.is_ready()).await;
    assert_eq!(view(&house, 0).recovery, None);
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn l6_refusals_to_one_number_move_no_rung_and_to_three_they_do() {
    let mut house = House::start(1).await;
    house.ready(0).await;
    house.faults(0, &["network_refusal=38"]);
    house.accept("+14155550100", "hello").await;
    sleep(300).await;
    assert_eq!(rung(&house, "radio").0, 0, "{:?}", view(&house, 0));
    for n in 1..4 {
        house.accept(&format!("+1415555010{n}"), "hello").await;
    }
    sleep(60).await;
    assert_eq!(rung(&house, "radio").0, 1, "{:?}", view(&house, 0));
    for n in 4..9 {
        house.accept(&format!("+1415555010{n}"), "hello").await;
    }
    sleep(1500).await;
    assert_eq!((rung(&house, "radio").0, rung(&house, "restart").0), (1, 0), "{:?}", view(&house, 0));
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn c2_two_on_one_hub_are_never_reset_at_once() {
    let mut house = House::start(3).await;
    for modem in 0..3 {
        house.ready(modem).await;
    }
    for modem in 0..2 {
        house.faults(modem, &["hang=restart@next:1"]);
    }
    let resetting = |house: &House, modem: usize| {
        view(house, modem).recovery.is_some_and(|r| matches!(r.rung, "restart" | "usb_reset") && r.next_at.is_none())
    };
    let begun = house.elapsed();
    while !(0..2).all(|modem| view(&house, modem).state.is_ready() && view(&house, modem).opened > 1) {
        assert!(house.elapsed() - begun < Duration::from_secs(600), "{:?}", house.app().board().modems());
        assert!(!(resetting(&house, 0) && resetting(&house, 1)), "both at once");
        sleep_ms(200).await;
    }
    assert!(view(&house, 2).opened == 1, "the third one has noticed nothing");
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn s7_a_modem_that_says_that_it_fails_is_brought_back_after_a_minute_of_that() {
    let mut house = two().await;
    house.simulator.unplug(1);
    house.faults(0, &["refuse_before_prompt=cms:300"]);
    house.accept("+14155550100", "hello").await;
    sleep(50).await;
    assert_eq!(view(&house, 0).recovery, None, "it may be booting");
    until(&house, "on the ladder", 120, |view| view.recovery.is_some()).await;
    house.faults(0, &[]);
    until(&house, "back", 300, |view| view.accepted > 0 && view.recovery.is_none()).await;
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn s5_nothing_is_done_to_a_modem_between_0x1a_and_180_s() {
    let mut house = two().await;
    house.simulator.unplug(1);
    house.faults(0, &["silence=lost"]);
    let mut sent = 0;
    for n in 0..4 {
        house.accept(&format!("+1415555010{n}"), "hello").await;
    }
    let begun = house.elapsed();
    while house.elapsed() - begun < Duration::from_secs(1500) {
        sleep_ms(500).await;
        let handed_over = house.wires.handed_over();
        if handed_over.len() > sent {
            sent = handed_over.len();
        }
        assert_eq!(house.simulator.counts().modems[0].counts.bytes_while_sending, 0);
    }
    assert!(sent >= 3, "{sent}");
    assert!(rung(&house, "set_up").0 >= 1 && rung(&house, "reopen").0 >= 1, "{:?}", view(&house, 0).rungs);
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn t9_a_sim_card_that_is_never_ready_brings_its_modem_onto_the_ladder_and_into_quarantine() {
    let mut house = two().await;
    house.faults(0, &["card_busy=14400"]);
    house.simulator.power_cycle(0);
    let noticed = until(&house, "on the ladder", 400, |view| view.recovery.is_some()).await;
    assert!(noticed >= Duration::from_secs(290), "{noticed:?}");
    until(&house, "given up", 1500, |view| view.state == ModemState::Quarantined).await;
    let shown = view(&house, 0);
    assert!(shown.reason.as_ref().is_some_and(|why| why.contains("never gets ready")), "{shown:?}");
    assert_eq!((rung(&house, "radio").0, rung(&house, "restart").0, rung(&house, "usb_reset").0), (1, 1, 1));
    house.faults(0, &[]);
    house.simulator.power_cycle(0);
    until(&house, "back", 700, |view| view.state.is_ready()).await;
    assert_eq!(view(&house, 0).recovery, None);
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn g10_a_machine_that_slept_takes_no_rung() {
    let mut house = two().await;
    tokio::time::advance(Duration::from_secs(8 * 3600)).await;
    sleep(120).await;
    for modem in 0..2 {
        assert_eq!(view(&house, modem).rungs, [], "{:?}", view(&house, modem));
        assert!(view(&house, modem).state.is_ready());
    }
    let id = house.accept("+14155550100", "hello").await;
    assert_eq!(house.settled(id, Duration::from_secs(60)).await.status(), Status::Delivered);
    let _ = ME;
    house.stop().await;
}
