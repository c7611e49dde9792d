//! What the session does for the ladder: it says what may bring a modem back, tells how far it has come, and gives up by
//! the trouble's name. The ladder itself is played by hand here.

use crate::wire::{LONG, Wire, secs};
use otpgate::domain::message::PartResult::NotSent;
use otpgate::domain::reason::Reason;
use otpgate::modem::quirks::Configured;
use otpgate::modem::recovery::{Revival, Stage};
use otpgate::modem::session::{Input, Session};

fn opened_with(wire: &mut Wire, revival: Revival) {
    wire.session.handle_input(wire.now, Input::Revive(revival));
    wire.open(None);
}

#[test]
fn l5_a_modem_that_answers_nothing_is_told_what_may_bring_it_back_before_it_is_looked_for() {
    for (hang, revival, said) in [
        ("radio", Revival::Radio, ["\x1b\r", "AT+CFUN=4\r", "\x1b\r", "AT+CFUN=1\r"].as_slice()),
        ("restart", Revival::Restart, &["\x1b\r", "AT+CFUN=1,1\r"]),
    ] {
        let mut wire = Wire::up_with(&[&format!("hang={hang}@next:1")]);
        wire.until("the end of its patience", secs(150), |wire| !wire.reopened.is_empty());
        let begun = wire.now;
        opened_with(&mut wire, revival);
        wire.until_free(secs(60));
        assert_eq!(wire.written_since(begun)[..said.len()], *said, "{hang}");
        assert!(wire.wrote(begun, "AT\r").is_some(), "{hang}");
        wire.still_sends();
    }
}

#[test]
fn l5_what_does_not_help_ends_in_the_search_and_is_said_once() {
    let mut wire = Wire::up_with(&["hang=power@next:1"]);
    wire.until("the end of its patience", secs(150), |wire| !wire.reopened.is_empty());
    let begun = wire.now;
    opened_with(&mut wire, Revival::Radio);
    wire.until("the next reopening", secs(90), |wire| wire.reopened.len() > 1);
    wire.until("another", secs(90), |wire| wire.reopened.len() > 2);
    let said = |text: &str| wire.written_since(begun).iter().filter(|written| **written == text).count();
    assert_eq!((said("AT+CFUN=4\r"), said("AT+CFUN=1\r")), (1, 1));
}

#[test]
fn l3_a_restart_that_is_taken_is_asked_for_once() {
    let mut wire = Wire::up();
    let begun = wire.now;
    opened_with(&mut wire, Revival::Restart);
    wire.until_free(secs(60));
    assert_eq!(wire.written_since(begun).iter().filter(|text| text.starts_with("AT+CFUN=1,1")).count(), 1);
    wire.still_sends();
}

#[test]
fn s5_a_message_that_may_be_on_the_air_is_listened_for_before_anything_is_said() {
    let mut wire = Wire::up_with(&["late_result=5@next:1"]);
    wire.send("one");
    wire.pass_secs(1);
    wire.session = Session::new(Configured::default());
    wire.session.handle_input(wire.now, Input::Revive(Revival::Radio));
    wire.open(Some(secs(10)));
    let begun = wire.now;
    wire.until_free(secs(60));
    assert!(wire.wrote(begun, "AT+CFUN=4\r").is_some_and(|at| at > begun + secs(3)), "{:?}", wire.written_since(begun));
    wire.still_sends();
}

#[test]
fn s3_after_a_reopening_the_next_message_shows_whether_it_has_helped() {
    let mut wire = Wire::up_with(&["prompt_never=command"]);
    for nth in 1..=5 {
        assert_eq!(wire.sent("never"), NotSent(Reason::NotTransmitted));
        wire.until_free(LONG);
        assert_eq!(wire.reopened.len(), [0, 0, 0, 0, 1, 2][nth], "after {nth}");
    }
    wire.faults(&[]);
    wire.still_sends();
    wire.faults(&["prompt_never=command@next:1"]);
    wire.sent("never");
    wire.until_free(LONG);
    assert_eq!(wire.reopened.len(), 2, "a success begins the count anew");
}

#[test]
fn l6_how_far_it_has_come_is_told() {
    let mut wire = Wire::new();
    assert_eq!(wire.session.stage(), Stage::Starting);
    wire.open(None);
    wire.until_free(secs(30));
    assert_eq!(wire.session.stage(), Stage::Ready);
    wire.faults(&["unregistered=denied"]);
    wire.pass_secs(330);
    assert_eq!(wire.session.stage(), Stage::Unregistered);
    wire.faults(&[]);
    wire.pass_secs(30);
    assert_eq!(wire.session.stage(), Stage::Ready);
}

#[test]
fn t9_a_bring_up_that_waits_for_the_modem_is_told_from_one_that_waits_for_a_person() {
    let ready = "\r\n+CPIN: READY\r\n\r\nOK\r\n";
    for (said, stage) in [
        ("\r\n+CME ERROR: 14\r\n", Stage::Stuck),
        ("\r\n+CME ERROR: 10\r\n", Stage::Starting),
        ("\r\n+CME ERROR: 13\r\n", Stage::Starting),
        ("\r\n+CME ERROR: 15\r\n", Stage::Starting),
        ("\r\n+CPIN: SIM PIN\r\n\r\nOK\r\n", Stage::Starting),
        ("\r\n+CPIN: SIM PUK\r\n\r\nOK\r\n", Stage::Starting),
        ("\r\n+CPIN: PH-NET PIN\r\n\r\nOK\r\n", Stage::Starting),
    ] {
        let mut wire = Wire::new();
        wire.mishear = vec![(ready, said)];
        wire.open(None);
        wire.pass_secs(30);
        assert_eq!(wire.session.stage(), stage, "{said}");
        wire.mishear.clear();
    }
    for fault in ["refuse_command=+CMGF=0", "mute_command=+CGSN"] {
        let mut wire = Wire::new();
        wire.faults(&[fault]);
        wire.open(None);
        wire.pass_secs(60);
        for _ in 0..60 {
            wire.pass_secs(1);
            assert_eq!(wire.session.stage(), Stage::Stuck, "{fault}");
        }
        wire.faults(&[]);
        wire.until_free(secs(60));
        assert_eq!(wire.session.stage(), Stage::Ready, "{fault}");
    }
}

#[test]
fn l15_a_card_that_must_not_roam_waits_for_a_person_and_not_for_a_network() {
    for states in ["5,5,5", "0,5,5"] {
        let mut wire = Wire::new();
        wire.faults(&[&format!("registration={states}")]);
        wire.open(None);
        wire.pass_secs(30);
        assert_eq!(wire.session.stage(), Stage::Starting, "{states}");
        let mut wire = Wire::new().card(|card| card.allow_roaming = true);
        wire.faults(&[&format!("registration={states}")]);
        wire.open(None);
        wire.pass_secs(30);
        assert_eq!(wire.session.stage(), Stage::Ready, "{states}");
    }
}
