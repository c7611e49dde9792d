//! The life of a modem: port, hang, SIM card, network.

use crate::wire::{Grant, Wire, ms, secs};
use otpgate::domain::message::PartResult::{Accepted, NotSent, Uncertain};
use otpgate::domain::reason::Reason;
use otpgate::modem::board::ModemState;
use otpgate::modem::quirks::Configured;
use otpgate::modem::session::Event;
use otpgate::simulator::modem::ModemOptions;

#[test]
fn it_is_identified_before_it_is_free() {
    let mut wire = Wire::new();
    wire.open(None);
    wire.until("identification", secs(10), |wire| {
        wire.events.iter().any(|(_, event)| matches!(event, Event::Identified { .. }))
    });
    let identity = wire.simulator.modems()[0].identity().clone();
    let told = wire.events.iter().find_map(|(_, event)| match event {
        Event::Identified { imei, sim_card } => Some((imei.clone(), sim_card.clone())),
        _ => None,
    });
    let (imei, sim_card) = told.unwrap();
    assert_eq!(imei.unwrap().as_str(), identity.imei);
    assert_eq!(sim_card.as_str(), identity.iccid);
    let view = wire.session.view();
    assert_eq!(view.state, ModemState::Ready);
    assert_eq!(view.operator.as_deref(), Some("otpgate virtual"));
    assert_eq!(view.signal_dbm, Some(-67));
    assert!(view.degraded.is_empty(), "{:?}", view.degraded);
}

#[test]
fn l1_the_port_goes_away() {
    let rows = [
        ("prompt", 0, NotSent(Reason::NotTransmitted), 0),
        ("after_prompt", 1000, NotSent(Reason::NotTransmitted), 0),
        // The PDU was handed to the kernel: who knows.
        ("after_prompt", 0, Uncertain(Reason::PortLost), 0),
        ("submit", 0, Uncertain(Reason::PortLost), 1),
        ("submit_lost", 0, Uncertain(Reason::PortLost), 0),
    ];
    for (place, grant, expected, copies) in rows {
        let mut wire = Wire::up_with(&[&format!("port_loss={place}@next:1")]);
        wire.grant = Grant::After(ms(grant));
        let begun = wire.now;
        assert_eq!(wire.sent("one"), expected, "{place}");
        assert_eq!(wire.now, begun, "{place}: at once");
        assert_eq!(wire.session.view().state, ModemState::Closed, "{place}");
        wire.pass_secs(10);
        assert_eq!(wire.copies.len(), copies, "{place}");
        assert!(wire.session.is_free(), "{place}: it came back and was set up");
        wire.still_sends();
    }
}

#[test]
fn l1_a_port_lost_while_listening_ends_the_listening() {
    let mut wire = Wire::up_with(&["silence=accepted@next:1"]);
    assert_eq!(wire.sent("one"), Uncertain(Reason::NoResult));
    wire.pass_secs(5);
    wire.unplug();
    assert!(wire.events.iter().any(|(_, event)| *event == Event::ListeningEnded));
    wire.until_free(secs(20));
    wire.still_sends();
}

#[test]
fn l1_a_port_lost_at_any_moment_of_the_bring_up() {
    let whole: u64 = Wire::up().counts().at_lines.values().sum();
    for command in 0..=whole {
        let mut wire = Wire::new();
        wire.open(None);
        wire.until("that command", secs(10), |wire| wire.counts().at_lines.values().sum::<u64>() >= command);
        wire.unplug();
        wire.until_free(secs(20));
        wire.still_sends();
    }
}

#[test]
fn l5_a_hang_is_noticed_within_two_minutes_and_the_port_reopened() {
    for hang in ["reopen", "15"] {
        let mut wire = Wire::up_with(&[&format!("hang={hang}@next:1")]);
        let begun = wire.now;
        wire.until("the end of it", secs(150), |wire| wire.now - begun > secs(60) && wire.session.is_free());
        assert_eq!(wire.reopened.len(), usize::from(hang == "reopen"), "{hang}");
        wire.still_sends();
    }
}

#[test]
fn l5_a_hang_in_the_middle_of_a_send() {
    let mut wire = Wire::up_with(&["hang=reopen@next:1"]);
    let begun = wire.now;
    assert_eq!(wire.sent("one"), NotSent(Reason::NotTransmitted));
    wire.until("a reopening", secs(60), |wire| !wire.reopened.is_empty());
    assert!(wire.now - begun < secs(40), "{:?}", wire.now - begun);
    wire.still_sends();
}

#[test]
fn l5_what_hangs_for_good_is_tried_again_and_again_and_not_in_a_frenzy() {
    let mut wire = Wire::up_with(&["hang=power@next:1"]);
    wire.pass_secs(3600);
    let opened = wire.reopened.len();
    assert!((30..=400).contains(&opened), "{opened} times in an hour");
    assert!(wire.written.len() < 8000, "{} writes", wire.written.len());
    wire.power_cycle();
    wire.until_free(secs(60));
    wire.still_sends();
}

#[test]
fn l5_a_dead_port_is_told_in_words() {
    let mut wire = Wire::new();
    wire.faults(&["hang=power"]);
    wire.open(None);
    wire.until("a reopening", secs(30), |wire| !wire.reopened.is_empty());
    assert!(wire.reopened[0].1.contains("check its power and cable"));
}

const SEARCHING: [(&str, &str); 3] =
    [("+CREG: 1,1", "+CREG: 1,2"), ("+CGREG: 1,1", "+CGREG: 0,2"), ("+CEREG: 1,1", "+CEREG: 0,2")];

#[test]
fn l6_it_waits_for_a_network() {
    for by_news in [true, false] {
        let mut wire = Wire::new();
        wire.mishear = SEARCHING.to_vec();
        wire.open(None);
        let token = wire.send("one");
        wire.pass_secs(120);
        let view = wire.session.view();
        assert_eq!((view.state, view.registration), (ModemState::Waiting, None));
        assert!(view.reason.is_some_and(|reason| reason.contains("looking for a network")));
        assert_eq!(wire.outcome(token), None);
        assert_eq!(wire.lines("+CMGS"), 0);
        wire.mishear.clear();
        let registered = wire.now;
        if by_news {
            wire.hear(b"\r\n+CREG: 1\r\n");
        }
        assert_eq!(wire.ended(token), Accepted(Some(0)));
        assert!(wire.handed_over[0].0 - registered <= secs(if by_news { 1 } else { 15 }), "asked often");
    }
}

#[test]
fn l6_registration_by_its_number() {
    let rows = [
        ("+CREG: 1,1", true),
        ("+CREG: 1,6", true),
        ("+CREG: 1,9", true),
        ("+CREG: 1,0", false),
        ("+CREG: 1,2", false),
        ("+CREG: 1,3", false),
        ("+CREG: 1,4", false),
        ("+CREG: 1,8", false),
        ("+CREG: 1,11", false),
    ];
    for (creg, ready) in rows {
        let mut wire = Wire::new();
        wire.mishear = vec![SEARCHING[1], SEARCHING[2], ("+CREG: 1,1", creg)];
        wire.open(None);
        wire.pass_secs(30);
        assert_eq!((wire.session.is_free(), wire.session.is_ready()), (ready, ready), "{creg}");
        assert_eq!(wire.session.view().reason.is_none(), ready, "{creg}");
    }
    let mut wire = Wire::new();
    wire.mishear = vec![SEARCHING[0]];
    wire.open(None);
    wire.until_free(SOON_ENOUGH);
    assert!(wire.session.view().registration.unwrap().contains("data only"));
}

#[test]
fn l6_a_network_lost_and_found_again() {
    let mut wire = Wire::up();
    wire.hear(b"\r\n+CREG: 2\r\n\r\n+CGREG: 2\r\n\r\n+CEREG: 2\r\n");
    assert!(!wire.session.is_free() && !wire.session.is_ready());
    let token = wire.send("one");
    wire.pass_secs(1);
    assert_eq!(wire.outcome(token), None);
    wire.hear(b"\r\n+CREG: 1\r\n");
    assert_eq!(wire.ended(token), Accepted(Some(0)));
}

#[test]
fn l6_an_unanswered_heartbeat_says_nothing_about_the_network() {
    let mut wire = Wire::up_with(&["late_answer=30@next:1"]);
    wire.pass_secs(66);
    wire.until("the barrier", secs(20), |wire| wire.session.view().state == ModemState::Ready);
    assert!(wire.session.is_ready());
    assert!(wire.now < otpgate::domain::time::Mono::from_millis(90_000));
}

#[test]
fn l8_the_radio_is_off() {
    for level in [0, 4] {
        let mut wire = Wire::new();
        wire.behind_its_back(&format!("ATE0\rAT+CFUN={level}\r"));
        wire.open(None);
        wire.until_free(secs(90));
        assert!(wire.written.iter().any(|(_, text)| text == "AT+CFUN=1\r"), "{level}");
        wire.still_sends();
    }
    let wire = Wire::up();
    assert!(wire.written.iter().all(|(_, text)| text != "AT+CFUN=1\r"), "it is on already");
}

#[test]
fn g10_a_long_sleep_is_no_failure() {
    let mut wire = Wire::up();
    wire.leap(secs(8 * 3600));
    wire.pass_secs(10);
    assert!(wire.session.is_free() && wire.reopened.is_empty());
    wire.still_sends();
}

#[test]
fn g10_a_long_sleep_with_a_message_on_the_air() {
    let mut wire = Wire::with(ModemOptions::default(), secs(5), Configured::default());
    wire.open(None);
    wire.until_free(secs(10));
    wire.pass_secs(1);
    let token = wire.send("one");
    wire.leap(secs(3600));
    // No byte moves a deadline, so its result, said meanwhile, comes too late, and is nobody else's.
    assert_eq!(wire.ended(token), Uncertain(Reason::NoResult));
    wire.still_sends();
}

const SOON_ENOUGH: std::time::Duration = std::time::Duration::from_secs(30);
