//! Registration in three parts, roaming, and messages that LTE does not carry.

use crate::wire::{Wire, ms, secs};
use otpgate::domain::message::PartResult::{Accepted, NotSent};
use otpgate::domain::reason::Reason;
use otpgate::modem::board::ModemState;
use otpgate::modem::quirks::Configured;
use otpgate::simulator::modem::ModemOptions;

/// A modem that is registered like this from the start.
fn registered(states: &str) -> Wire {
    let mut wire = Wire::new();
    wire.faults(&[&format!("registration={states}")]);
    wire
}

#[test]
fn l6_registration_lies_are_doubted() {
    let rows = [
        // Circuit switched, packet, EPS; ready, doubtful.
        ("1,1,1", true, false),
        ("6,1,1", true, false),
        ("9,0,1", true, false),
        ("0,1,0", true, true),
        ("3,1,0", true, true),
        ("3,0,1", true, true),
        ("0,6,0", true, true),
        ("3,3,3", false, false),
        ("2,2,4", false, false),
        ("8,8,8", false, false),
        ("11,0,11", false, false),
    ];
    for (states, ready, doubtful) in rows {
        let mut wire = registered(states);
        wire.open(None);
        wire.pass_secs(30);
        let view = wire.session.view();
        assert_eq!((wire.session.is_ready(), wire.session.is_doubtful()), (ready, doubtful), "{states}");
        assert_eq!(view.degraded.iter().any(|words| words.contains("SGs or IMS")), doubtful, "{states}");
        assert_eq!(view.reason.is_none(), ready, "{states}: {:?}", view.reason);
        assert_eq!(wire.session.is_denied(), states == "3,3,3", "{states}");
        if ready {
            wire.still_sends();
        }
    }
}

#[test]
fn l6_ims_registration_takes_the_doubt_away() {
    for (ims, doubtful) in [("1,1", false), ("1,0", true), ("2,0", true)] {
        let options = ModemOptions { manufacturer: "Quectel".into(), model: "EC25".into(), ..ModemOptions::default() };
        let mut wire = Wire::with(options, ms(100), Configured::default());
        wire.faults(&["registration=0,1,1"]);
        wire.open(None);
        wire.until("the question", secs(10), |wire| wire.written.iter().any(|(_, text)| text.starts_with("AT+CEREG?")));
        // The virtual modem knows no such command: its refusal stands in for the answer.
        wire.mishear.push(("\r\nERROR\r\n", format!("\r\n+QCFG: \"ims\",{ims}\r\n\r\nOK\r\n").leak()));
        wire.until_free(secs(10));
        assert_eq!(wire.session.is_doubtful(), doubtful, "{ims}");
        assert!(wire.session.view().registration.is_some_and(|words| words.contains("IMS") != doubtful), "{ims}");
    }
}

#[test]
fn l6_a_network_that_takes_the_circuit_switched_side_ends_the_doubt() {
    let mut wire = registered("0,0,1");
    wire.open(None);
    wire.until_free(secs(30));
    assert!(wire.session.is_doubtful());
    wire.hear(b"\r\n+CREG: 1\r\n");
    assert!(!wire.session.is_doubtful() && wire.session.is_ready());
    wire.hear(b"\r\n+CREG: 3\r\n\r\n+CEREG: 3\r\n");
    assert!(wire.session.is_denied());
    assert_eq!(wire.session.view().state, ModemState::Waiting);
}

#[test]
fn l15_nothing_is_sent_in_a_foreign_network_unless_the_card_may() {
    for states in ["5,5,5", "7,0,0", "10,0,5", "0,5,5"] {
        let mut wire = registered(states);
        wire.open(None);
        let token = wire.send("one");
        wire.pass_secs(60);
        let view = wire.session.view();
        assert_eq!((view.state, wire.session.is_ready()), (ModemState::Waiting, false), "{states}");
        assert!(view.reason.is_some_and(|words| words.contains("allow_roaming = true")), "{states}");
        assert_eq!(wire.outcome(token), None);
        assert_eq!(wire.lines("+CMGS"), 0);

        let mut wire = Wire::new().card(|card| card.allow_roaming = true);
        wire.faults(&[&format!("registration={states}")]);
        wire.open(None);
        wire.until_free(secs(30));
        wire.still_sends();
    }
}

#[test]
fn l15_home_from_abroad_it_sends_again() {
    let mut wire = registered("5,5,5");
    wire.open(None);
    let token = wire.send("one");
    wire.pass_secs(30);
    wire.faults(&[]);
    assert_eq!(wire.ended(token), Accepted(Some(0)));
}

#[test]
fn l8_the_radio_that_is_slow_to_go_on_is_waited_for() {
    let mut wire = Wire::new();
    wire.behind_its_back("ATE0\rAT+CFUN=4\r");
    wire.faults(&["refuse_command=+CFUN=1@next:3"]);
    // As some say while the radio goes on.
    wire.mishear = vec![("\r\nERROR\r\n", "\r\n+CME ERROR: 515\r\n")];
    wire.open(None);
    wire.pass_secs(4);
    assert_eq!(wire.session.view().reason.as_deref(), Some("its radio goes on"));
    wire.until_free(secs(30));
    assert_eq!(wire.written.iter().filter(|(_, text)| text == "AT+CFUN=1\r").count(), 4);
    wire.still_sends();
}

/// Circuit switched is preferred to begin with; a network that takes messages one way only is found out, once.
#[test]
fn l9_each_way_of_messages_over_lte_is_tried_once_and_the_one_that_works_is_kept() {
    let mut wire = Wire::up_with(&["bearer=2"]);
    let mut failures = 0;
    while wire.sent("one") == NotSent(Reason::Cms(50)) {
        failures += 1;
        assert!(failures < 5, "it goes round in a circle");
    }
    // Unset it is 0; then 3 and 1 fail.
    assert_eq!(failures, 3);
    let set = |wire: &Wire| wire.written.iter().filter(|(_, text)| text.starts_with("AT+CGSMS=")).count();
    assert_eq!(set(&wire), 3);
    assert!(wire.session.view().degraded.is_empty());
    // Also after the modem has forgotten it.
    wire.power_cycle();
    wire.pass_secs(5);
    wire.until_free(secs(30));
    wire.still_sends();
    assert_eq!(set(&wire), 4);
}

#[test]
fn l9_where_no_way_works_it_is_told_and_not_tried_again() {
    let mut wire = Wire::up_with(&["network_refusal=41"]);
    for _ in 0..8 {
        assert_eq!(wire.sent("one"), NotSent(Reason::Cms(41)));
    }
    let set = wire.written.iter().filter(|(_, text)| text.starts_with("AT+CGSMS=")).count();
    assert_eq!(set, 3, "each other value once");
    assert!(wire.session.view().degraded.iter().any(|words| words.contains("over LTE")));
    wire.faults(&[]);
    wire.still_sends();
}

#[test]
fn l9_what_fails_elsewhere_than_over_lte_changes_nothing() {
    let mut wire = Wire::new();
    wire.mishear = vec![("\"otpgate virtual\",7", "\"otpgate virtual\",2")];
    wire.open(None);
    wire.until_free(secs(30));
    wire.faults(&["network_refusal=41@next:3"]);
    for _ in 0..3 {
        assert_eq!(wire.sent("one"), NotSent(Reason::Cms(41)));
    }
    assert_eq!(wire.lines("+CGSMS"), 0);
    assert_eq!(wire.session.view().technology, Some("UMTS"));
}
