//! The SIM card: its PIN, its contacts, and one card for another.

use crate::wire::{LONG, Wire, ms, secs};
use otpgate::domain::message::PartResult::Accepted;
use otpgate::domain::pin::{PinOutcome, PinRefused};
use otpgate::modem::board::ModemState;
use otpgate::modem::quirks::Configured;
use otpgate::modem::recovery::Stage;
use otpgate::modem::session::Event;
use otpgate::simulator::modem::{Identity, ModemOptions};

/// A modem whose card has the PIN 1234, and what is known of it; its port is open.
fn locked(pin: Option<&'static str>, faults: &[&str]) -> Wire {
    let options = ModemOptions { pin: Some("1234".into()), ..ModemOptions::default() };
    let mut wire = Wire::with(options, ms(100), Configured::default());
    wire.faults(faults);
    wire.pins.pin = pin;
    wire.open(None);
    wire
}

fn ended(wire: &Wire) -> Vec<PinOutcome> {
    let outcome = |(_, event): &(_, Event)| match event {
        Event::PinEnded { outcome, .. } => Some(*outcome),
        _ => None,
    };
    wire.events.iter().filter_map(outcome).collect()
}

fn waits_for(wire: &Wire, words: &str) {
    let view = wire.session.view();
    assert!(matches!(view.state, ModemState::Waiting | ModemState::SimPinRequired), "{view:?}");
    assert!(view.reason.as_ref().is_some_and(|reason| reason.contains(words)), "{words}: {:?}", view.reason);
}

fn cards(wire: &Wire) -> Vec<String> {
    let cards = wire.events.iter().filter_map(|(_, event)| match event {
        Event::Identified { sim_card, .. } => Some(sim_card.as_str().to_owned()),
        _ => None,
    });
    cards.collect()
}

#[test]
fn l10_without_a_pin_it_waits_and_goes_on_when_somebody_else_has_typed_it() {
    let mut wire = locked(None, &[]);
    wire.pass_secs(300);
    waits_for(&wire, "there is no PIN");
    assert_eq!(wire.session.view().state, ModemState::SimPinRequired);
    assert_eq!(wire.counts().pins_typed, 0);
    assert!(wire.lines("+CPIN") < 25, "it is not asked in a frenzy");
    wire.behind_its_back("AT+CPIN=\"1234\"\r");
    wire.until_free(secs(60));
    wire.still_sends();
}

#[test]
fn l10_a_modem_that_does_not_know_the_query_for_the_pin_waits_for_a_person_and_is_not_stuck() {
    let mut wire = locked(Some("1234"), &["refuse_command=+CPIN?"]);
    wire.pass_secs(300);
    assert_eq!(wire.session.view().state, ModemState::SimPinRequired, "{:?}", wire.session.view());
    waits_for(&wire, "switch the PIN off in a phone");
    assert_eq!((wire.session.stage(), wire.counts().pins_typed), (Stage::Starting, 0));
}

#[test]
fn l10_the_right_pin_is_typed_once_and_the_bring_up_goes_on() {
    for faults in
        [&[][..], &["card_busy=20"], &["iccid_locked=yes"], &["pin_tries_hidden=yes"], &["pin_answer_lost=yes"]]
    {
        let mut wire = locked(Some("1234"), faults);
        wire.until_free(secs(90));
        assert_eq!((wire.counts().pins_typed, ended(&wire)), (1, vec![PinOutcome::Accepted]), "{faults:?}");
        wire.still_sends();
        wire.crash(None);
        wire.until_free(secs(90));
        assert_eq!(wire.counts().pins_typed, 1, "{faults:?}: the card is open");
    }
}

#[test]
fn l10_what_the_modem_tells_before_the_pin_is_told() {
    let rows = [
        (&[][..], true, Some(3)),
        (&["iccid_locked=yes"], false, Some(3)),
        (&["pin_tries_hidden=yes"], true, None),
        (&["iccid_locked=yes", "pin_tries_hidden=yes"], false, None),
    ];
    for (faults, card, tries) in rows {
        let mut wire = locked(None, faults);
        wire.pass_secs(10);
        let identity = wire.simulator.modems()[0].identity().clone();
        let asked = wire.events.iter().find_map(|(_, event)| match event {
            Event::WantPin { imei, sim_card, tries_left, .. } => Some((imei.clone(), sim_card.clone(), *tries_left)),
            _ => None,
        });
        let (imei, sim_card, tries_left) = asked.unwrap();
        assert_eq!(imei.unwrap().as_str(), identity.imei);
        assert_eq!(sim_card.map(|c| c.as_str().to_owned()), card.then_some(identity.iccid), "{faults:?}");
        assert_eq!(tries_left, tries, "{faults:?}");
    }
}

#[test]
fn l10_a_wrong_pin_is_typed_once_whatever_restarts() {
    for faults in [&[][..], &["iccid_locked=yes"], &["pin_tries_hidden=yes"], &["pin_answer_lost=yes"]] {
        let mut wire = locked(Some("9999"), faults);
        for _ in 0..3 {
            wire.pass_secs(200);
            wire.crash(None);
            wire.pass_secs(100);
            wire.unplug();
            wire.pass_secs(100);
            wire.power_cycle();
        }
        wire.pass_secs(200);
        assert_eq!(wire.counts().pins_typed, 1, "{faults:?}");
        waits_for(&wire, "may not be typed");
    }
}

#[test]
fn l10_an_accepted_pin_is_typed_once_each_time_the_card_is_powered_up() {
    let mut wire = locked(Some("1234"), &[]);
    wire.until_free(secs(30));
    for typed in 2..=4 {
        wire.power_cycle();
        wire.pass_secs(30);
        assert!(wire.session.is_free());
        assert_eq!(wire.counts().pins_typed, typed);
    }
    wire.unplug();
    wire.pass_secs(30);
    wire.crash(None);
    wire.pass_secs(300);
    assert_eq!(wire.counts().pins_typed, 4, "nothing was powered up");
    wire.still_sends();
}

#[test]
fn l10_a_card_that_takes_its_pin_and_asks_again_is_not_given_it_twice() {
    let mut wire = Wire::with(
        ModemOptions { pin: Some("1234".into()), ..ModemOptions::default() },
        ms(100),
        Configured::default(),
    );
    wire.mishear = vec![("+CPIN: READY", "+CPIN: SIM PIN")];
    wire.pins.pin = Some("1234");
    wire.open(None);
    wire.pass_secs(600);
    assert_eq!(wire.counts().pins_typed, 1);
    waits_for(&wire, "AnswerNeverSeen");
}

#[test]
fn l10_the_last_two_tries_are_the_owners() {
    let mut wire = locked(None, &[]);
    wire.behind_its_back("AT+CPIN=\"0000\"\r");
    wire.pins.pin = Some("9999");
    wire.pass_secs(60);
    assert_eq!(wire.counts().pins_typed, 2, "with two tries left one may be spent");
    wire.pins.pin = Some("1234");
    wire.crash(None);
    wire.pass_secs(300);
    assert_eq!(wire.counts().pins_typed, 2, "with one left none is, not even the right one");
    assert_eq!(wire.pins.refused.last(), Some(&PinRefused::TooFewTries(1)));
    waits_for(&wire, "TooFewTries");
}

#[test]
fn l10_a_corrected_pin_is_typed_without_a_restart() {
    let mut wire = locked(Some("9999"), &[]);
    wire.pass_secs(60);
    waits_for(&wire, "RefusedBefore");
    wire.pins.pin = Some("1234");
    wire.until_free(secs(40));
    assert_eq!(ended(&wire), [PinOutcome::Refused, PinOutcome::Accepted]);
    wire.still_sends();
}

#[test]
fn l10_where_tries_are_not_told_one_refusal_is_the_end() {
    let mut wire = locked(Some("9999"), &["pin_tries_hidden=yes"]);
    wire.pass_secs(60);
    wire.pins.pin = Some("1234");
    wire.pass_secs(300);
    assert_eq!((wire.counts().pins_typed, wire.pins.refused.last()), (1, Some(&PinRefused::TriesUnknown)));
}

#[test]
fn l10_a_wrong_pin_that_is_answered_with_a_bare_error_counts_as_refused() {
    let mut wire = Wire::with(
        ModemOptions { pin: Some("1234".into()), ..ModemOptions::default() },
        ms(100),
        Configured::default(),
    );
    wire.mishear = vec![("+CME ERROR: 16", "ERROR")];
    wire.pins.pin = Some("9999");
    wire.open(None);
    wire.pass_secs(120);
    assert_eq!((wire.counts().pins_typed, ended(&wire)), (1, vec![PinOutcome::Refused]));
}

#[test]
fn l10_a_pin_that_comes_when_the_modem_has_restarted_is_not_typed_on_that_word() {
    let mut wire = locked(Some("1234"), &[]);
    wire.pins.takes = secs(2);
    wire.until("the question", secs(10), |wire| wire.events.iter().any(|(_, e)| matches!(e, Event::WantPin { .. })));
    wire.hear(b"\r\nRDY\r\n");
    wire.until("its end", secs(10), |wire| !ended(wire).is_empty());
    assert_eq!((ended(&wire), wire.counts().pins_typed), (vec![PinOutcome::NotTyped], 0));
    wire.until_free(secs(30));
    assert_eq!(wire.counts().pins_typed, 1);
}

#[test]
fn l10_a_port_lost_while_the_pin_is_looked_for() {
    let mut wire = locked(Some("1234"), &[]);
    wire.pins.takes = secs(2);
    wire.until("the question", secs(10), |wire| wire.events.iter().any(|(_, e)| matches!(e, Event::WantPin { .. })));
    wire.unplug();
    wire.until("its end", secs(10), |wire| !ended(wire).is_empty());
    assert_eq!(ended(&wire)[0], PinOutcome::NotTyped);
    wire.until_free(secs(30));
    assert_eq!(wire.counts().pins_typed, 1);
}

#[test]
fn l10_a_puk_is_never_typed() {
    let mut wire = locked(None, &[]);
    wire.behind_its_back("AT+CPIN=\"0000\"\rAT+CPIN=\"0000\"\rAT+CPIN=\"0000\"\r");
    wire.pins.pin = Some("1234");
    wire.pass_secs(300);
    wire.power_cycle();
    wire.pass_secs(300);
    assert_eq!(wire.counts().pins_typed, 3, "those three");
    waits_for(&wire, "asks for its PUK");
}

#[test]
fn l10_each_lock_has_its_sentence() {
    let ready = "\r\n+CPIN: READY\r\n\r\nOK\r\n";
    let rows = [
        ("\r\n+CPIN: SIM PUK\r\n\r\nOK\r\n", "PUK"),
        ("\r\n+CME ERROR: 12\r\n", "PUK"),
        ("\r\n+CPIN: PH-SIM PIN\r\n\r\nOK\r\n", "locked to another SIM card"),
        ("\r\n+CME ERROR: 5\r\n", "locked to another SIM card"),
        ("\r\n+CPIN: PH-NET PIN\r\n\r\nOK\r\n", "locked to another network"),
        ("\r\n+CME ERROR: 40\r\n", "locked to another network"),
        ("\r\n+CME ERROR: 15\r\n", "does not take this SIM card"),
        ("\r\n+CME ERROR: 10\r\n", "there is no SIM card"),
        ("\r\n+CME ERROR: 13\r\n", "lost contact"),
        ("\r\n+CME ERROR: 14\r\n", "not ready yet"),
    ];
    for (said, words) in rows {
        let mut wire = Wire::new();
        wire.mishear = vec![(ready, said)];
        wire.open(None);
        wire.pass_secs(60);
        waits_for(&wire, words);
        wire.mishear.clear();
        wire.until_free(secs(60));
    }
    for said in [
        "\r\n+CPIN: SIM PIN2\r\n\r\nOK\r\n",
        "\r\n+CPIN: SIM PUK2\r\n\r\nOK\r\n",
        "\r\n+CME ERROR: 17\r\n",
        "\r\n+CME ERROR: 18\r\n",
    ] {
        let mut wire = Wire::new();
        wire.mishear = vec![(ready, said)];
        wire.open(None);
        wire.until_free(secs(30));
        wire.still_sends();
    }
}

#[test]
fn l11_no_sim_card() {
    let mut wire = Wire::new();
    wire.mishear = vec![("\r\n+CPIN: READY\r\n\r\nOK\r\n", "\r\n+CME ERROR: 10\r\n")];
    wire.open(None);
    let token = wire.send("one");
    wire.pass_secs(120);
    waits_for(&wire, "there is no SIM card in it");
    assert!(wire.lines("+CPIN") < 10, "it is not asked in a frenzy");
    assert_eq!(wire.wrote(Default::default(), "AT+CFUN=0\r"), None, "what never was there is not looked for by force");
    wire.mishear.clear();
    assert_eq!(wire.ended(token), Accepted(Some(0)));
}

#[test]
fn l11_a_card_that_loses_contact_is_switched_off_and_on() {
    let mut wire = Wire::up_with(&["card_lost=cfun@next:1"]);
    let begun = wire.now;
    wire.pass_secs(150);
    assert_eq!(wire.written_since(begun).iter().filter(|line| line.starts_with("AT+CFUN=0")).count(), 1);
    assert!(wire.session.is_free() && wire.reopened.is_empty());
    wire.still_sends();
}

#[test]
fn l11_a_lost_card_that_has_a_pin_is_given_it_again() {
    let mut wire = locked(Some("1234"), &[]);
    wire.until_free(secs(30));
    wire.faults(&["card_lost=cfun@next:1"]);
    wire.pass_secs(150);
    assert!(wire.session.is_free());
    assert_eq!(wire.counts().pins_typed, 2);
    wire.still_sends();
}

#[test]
fn l11_however_it_is_told_it_is_noticed() {
    for said in ["\r\n+CPIN: NOT READY\r\n", "\r\n^SIMST:255\r\n", "\r\n#QSS: 0\r\n"] {
        let mut wire = Wire::up();
        wire.mishear = vec![("\r\n+CPIN: READY\r\n\r\nOK\r\n", "\r\n+CME ERROR: 13\r\n")];
        wire.hear(said.as_bytes());
        wire.pass_secs(5);
        waits_for(&wire, "lost contact");
        wire.mishear.clear();
        wire.until_free(secs(60));
        wire.still_sends();
    }
    for refusal in ["cms:310", "cme:10", "cms:313", "cme:13", "cme:0"] {
        let mut wire = Wire::up_with(&[&format!("refuse_before_prompt={refusal}@next:1")]);
        let begun = wire.now;
        wire.sent("one");
        wire.pass_secs(60);
        let cycled = wire.wrote(begun, "AT+CFUN=0\r").is_some();
        assert_eq!(cycled, !refusal.ends_with("10"), "{refusal}: what looks open is cycled only if it failed");
        assert!(wire.wrote(begun, "AT+CPIN?\r").is_some(), "{refusal}");
        wire.still_sends();
    }
}

#[test]
fn l11_at_most_three_times_an_hour() {
    let mut wire = Wire::up_with(&["card_lost=power@next:1"]);
    let begun = wire.now;
    wire.pass_secs(3500);
    let count = |wire: &Wire| wire.written_since(begun).iter().filter(|line| line.starts_with("AT+CFUN=0")).count();
    assert_eq!(count(&wire), 3);
    waits_for(&wire, "at most 3 times an hour");
    wire.pass_secs(3600);
    assert_eq!(count(&wire), 6);
    assert!(wire.reopened.is_empty());
    wire.power_cycle();
    wire.until_free(secs(90));
    wire.still_sends();
}

#[test]
fn l12_another_sim_card_after_a_restart_is_known_as_another() {
    let mut wire = Wire::up();
    wire.other_card(77);
    wire.power_cycle();
    wire.pass_secs(20);
    wire.until_free(LONG);
    let found = cards(&wire);
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(found[1], Identity::numbered(77).iccid);
}

#[test]
fn l12_another_sim_card_without_a_word_is_noticed() {
    let mut wire = Wire::up();
    wire.other_card(77);
    wire.pass_secs(700);
    assert_eq!(cards(&wire).last(), Some(&Identity::numbered(77).iccid));
    assert_eq!(wire.lines("+CCID"), 3, "once at start, once in ten minutes, once when it is set up again");
    wire.still_sends();
}

#[test]
fn l12_a_sim_card_that_can_no_longer_be_read_is_not_taken_for_the_last_one() {
    let mut wire = Wire::up();
    wire.faults(&["refuse_command=+CCID|+ICCID|+QCCID|^ICCID|+CICCID|+CRSM|^HVER|+CIMI"]);
    wire.power_cycle();
    wire.pass_secs(120);
    assert!(!wire.session.is_free());
    assert!(wire.session.view().reason.is_some_and(|reason| reason.contains("neither ICCID nor IMSI")));
    wire.faults(&[]);
    wire.until_free(secs(30));
    wire.still_sends();
}

fn told(wire: &Wire) -> Vec<Option<String>> {
    let told = wire.events.iter().filter_map(|(_, event)| match event {
        Event::ServiceAnswered(text) => Some(text.as_ref().map(|text| text.reveal().to_owned())),
        _ => None,
    });
    told.collect()
}

#[test]
fn l13_the_balance_in_every_shape() {
    let plain = "Your balance is 10.00";
    let rows = [
        ("", Some(plain)),
        ("ussd_shape=packed", Some(plain)),
        ("ussd_shape=ucs2", Some(plain)),
        ("ussd_shape=ucs2_as_gsm", Some(plain)),
        ("ussd_shape=garbage", Some(plain)),
        ("ussd_shape=two_lines", Some("Hello! Your balance is 10.00")),
        ("ussd_shape=refused", None),
    ];
    for (fault, expected) in rows {
        let flags: Vec<&str> = [fault].into_iter().filter(|f| !f.is_empty()).collect();
        let mut wire = Wire::up_with(&flags);
        let begun = wire.now;
        wire.dial("*100#");
        assert!(!wire.session.is_free(), "nothing else goes meanwhile");
        wire.until_free(secs(10));
        assert_eq!(told(&wire), [expected.map(str::to_owned)], "{fault}");
        assert_eq!(wire.written_since(begun), ["AT+CUSD=1,\"*100#\",15\r", "AT+CUSD=2\r"], "{fault}");
        wire.still_sends();
    }
}

#[test]
fn l13_an_answer_that_never_comes_is_waited_for_a_minute() {
    let mut wire = Wire::up_with(&["ussd_shape=never"]);
    let begun = wire.now;
    wire.dial("*100#");
    let token = wire.send("one");
    wire.pass_secs(59);
    assert!(told(&wire).is_empty() && !wire.session.is_free());
    wire.until("an outcome", secs(5), |wire| wire.outcome(token).is_some());
    assert_eq!(told(&wire), [None]);
    let ended = wire.wrote(begun, "AT+CUSD=2\r").unwrap();
    assert!((secs(60)..secs(61)).contains(&(ended - begun)));
}

#[test]
fn l13_a_code_under_way_is_ended_for_a_message() {
    let mut wire = Wire::up_with(&["ussd_shape=never"]);
    let begun = wire.now;
    wire.dial("*100#");
    wire.pass_secs(5);
    wire.end_dial();
    assert_eq!(told(&wire), [None]);
    wire.until_free(secs(1));
    assert_eq!(wire.written_since(begun), ["AT+CUSD=1,\"*100#\",15\r", "AT+CUSD=2\r"]);
    wire.still_sends();
}

#[test]
fn l13_a_code_that_is_ended_before_the_modem_has_taken_it_is_not_cut_off() {
    let mut wire = Wire::up_with(&["ussd_shape=never", "late_answer=3@next:1"]);
    let begun = wire.now;
    wire.dial("*100#");
    wire.end_dial();
    wire.pass_secs(2);
    assert_eq!(wire.written_since(begun), ["AT+CUSD=1,\"*100#\",15\r"]);
    wire.until_free(secs(2));
    assert_eq!(wire.written_since(begun), ["AT+CUSD=1,\"*100#\",15\r", "AT+CUSD=2\r"]);
    assert_eq!(told(&wire), [None]);
    wire.still_sends();
}

#[test]
fn l13_a_code_that_is_refused_is_tried_in_its_other_forms() {
    let mut wire = Wire::up_with(&["refuse_command=+CUSD=1"]);
    let begun = wire.now;
    wire.dial("*100#");
    wire.until_free(secs(10));
    assert_eq!(told(&wire), [None]);
    let dialled =
        ["AT+CUSD=1,\"*100#\",15\r", "AT+CUSD=1,\"AA180C3602\",15\r", "AT+CUSD=1,\"002A0031003000300023\",15\r"];
    assert_eq!(wire.written_since(begun)[..3], dialled);
    wire.still_sends();
}

#[test]
fn l13_a_code_is_not_dialled_while_a_message_is_on_the_air_and_ends_with_the_port() {
    let mut wire = Wire::with(ModemOptions::default(), secs(5), Configured::default());
    wire.open(None);
    wire.until_free(secs(10));
    let token = wire.send("one");
    wire.pass_secs(1);
    wire.dial("*100#");
    assert_eq!(told(&wire), [None]);
    assert_eq!(wire.ended(token), Accepted(Some(0)));
    assert_eq!(wire.lines("+CUSD"), 0);
    wire.pass_secs(1);
    wire.dial("*100#");
    wire.unplug();
    assert_eq!(told(&wire), [None, None]);
    wire.until_free(secs(30));
    wire.dial("*100#");
    wire.power_cycle();
    wire.until_free(secs(60));
    assert_eq!(told(&wire).len(), 3);
    wire.still_sends();
}

/// The store has allowed it while the engine was finding back to its modem: nothing is typed then, and it is asked for again.
#[test]
fn l10_a_pin_that_is_allowed_at_the_wrong_moment_is_asked_for_again() {
    let mut wire = locked(Some("1234"), &[]);
    wire.pins.takes = secs(2);
    wire.until("it asks for the PIN", secs(60), |wire| {
        wire.events.iter().any(|(_, event)| matches!(event, Event::WantPin { .. }))
    });
    wire.pass(ms(1900));
    wire.hear(b"\r\n> ");
    wire.until_free(secs(60));
    assert_eq!(ended(&wire), [PinOutcome::NotTyped, PinOutcome::Accepted]);
    assert_eq!(wire.counts().pins_typed, 1);
}

/// A modem whose supply breaks down may come back without its card: that is no empty slot.
#[test]
fn l11_a_card_that_does_not_come_back_with_the_port_has_its_power_cycled() {
    let mut wire = Wire::up();
    wire.faults(&["card_lost=cfun@next:1"]);
    wire.unplug();
    wire.open(None);
    wire.until_free(secs(180));
    wire.still_sends();
}

#[test]
fn l13_a_service_code_that_meets_a_stray_prompt_ends_and_the_modem_sends_on() {
    let mut wire = Wire::up();
    wire.dial("*100#");
    wire.hear(b"\r\n+CME ERROR: 4\r\n\r\n> ");
    wire.until_free(secs(120));
    wire.still_sends();
}
