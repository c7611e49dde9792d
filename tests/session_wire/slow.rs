//! Modems that take their time over every answer: up to 5 s, always as long or never twice, and deaf meanwhile or not.

use crate::wire::{Wire, ms, secs};
use otpgate::domain::message::PartResult::Accepted;
use otpgate::modem::board::ModemState;
use otpgate::modem::session::Event;
use proptest::prelude::*;
use std::time::Duration;

/// A wire with such a modem, and how long it took to be free.
fn brought_up(flags: &[&str], seed: u64) -> (Wire, Duration) {
    let mut wire = Wire::seeded(Default::default(), seed);
    wire.faults(flags);
    wire.open(None);
    wire.until_free(secs(900));
    let took = wire.now - Default::default();
    (wire, took)
}

/// Nothing was asked twice, nothing done to it, and everything found out as of a quick one.
fn came_up_well(wire: &Wire) {
    assert!(wire.reopened.is_empty() && wire.stopped.is_empty(), "{:?}", wire.reopened);
    let booted = wire.events.iter().filter(|(_, event)| *event == Event::Booted).count();
    assert_eq!((booted, wire.notices()), (0, Vec::new()));
    let quick = Wire::up();
    let (found, expected) = (wire.session.view(), quick.session.view());
    assert_eq!((found.manufacturer, found.model), (expected.manufacturer, expected.model));
    assert_eq!((found.operator, found.signal_dbm), (expected.operator, expected.signal_dbm));
    assert_eq!((found.degraded, wire.session.gives_reports()), (expected.degraded, true));
    assert_eq!((wire.lines("E"), wire.lines("+CGMI"), wire.lines("+CPIN")), (1, 1, 1));
}

/// Each arrives once, in its order, and is known to.
fn sends(wire: &mut Wire, count: u8) {
    let before = wire.copies.len();
    let texts: Vec<String> = (0..count).map(|n| format!("message {n}")).collect();
    let tokens: Vec<u64> = texts.iter().map(|text| wire.send(text)).collect();
    for token in tokens {
        let result = wire.ended(token);
        assert!(matches!(result, Accepted(Some(_))), "{result:?}");
    }
    let arrived: Vec<&str> = wire.copies[before..].iter().map(|copy| copy.text.as_str()).collect();
    assert_eq!(arrived, texts);
}

#[test]
fn t9_however_slow_its_answers_a_modem_gets_ready_and_each_message_goes_once() {
    for (flags, at_most) in [
        (["answer_delay=300ms", "deaf_while_busy=yes@next:0"], 30),
        (["answer_delay=900ms", "deaf_while_busy=yes@next:0"], 60),
        (["answer_delay=1.5", "deaf_while_busy=yes@next:0"], 90),
        (["answer_delay=1.6", "deaf_while_busy=yes"], 95),
        (["answer_delay=3", "deaf_while_busy=yes@next:0"], 180),
        (["answer_delay=3", "deaf_while_busy=yes"], 180),
        (["answer_delay=5", "deaf_while_busy=yes@next:0"], 300),
        (["answer_delay=5", "deaf_while_busy=yes"], 300),
    ] {
        let (mut wire, took) = brought_up(&flags, 7);
        came_up_well(&wire);
        assert!(took < secs(at_most), "{flags:?}: {took:?}");
        sends(&mut wire, 5);
        // The heartbeats, and then a message before which its format is asked.
        wire.pass_secs(600);
        assert_eq!((wire.reopened.len(), wire.session.view().state), (0, ModemState::Ready), "{flags:?}");
        sends(&mut wire, 2);
        came_up_well(&wire);
    }
}

#[test]
fn t9_a_modem_that_becomes_slow_keeps_its_dialogue() {
    for delay in ["1.5", "3", "5", "2..5"] {
        let mut wire = Wire::up_with(&[&format!("answer_delay={delay}")]);
        sends(&mut wire, 3);
        wire.pass_secs(600);
        sends(&mut wire, 3);
        assert!(wire.reopened.is_empty(), "{delay}");
        // And one that was slow becomes quick again.
        wire.faults(&[]);
        wire.pass_secs(1200);
        wire.until_free(secs(30));
        wire.still_sends();
        assert!(wire.reopened.is_empty(), "{delay}");
    }
}

#[test]
fn s9_left_in_the_editor_and_slow() {
    for delay in ["200ms", "500ms", "900ms", "1.5", "4"] {
        let (mut wire, _) = brought_up(&["start_in_edit=yes", &format!("answer_delay={delay}")], 7);
        came_up_well(&wire);
        assert_eq!(wire.counts().submits, 0);
        sends(&mut wire, 2);
    }
}

#[test]
fn l8_that_the_radio_went_on_as_ordered_is_no_restart() {
    // Told before the `OK`, and behind it.
    for pause in [500, 1_500] {
        let mut wire = Wire::new();
        wire.behind_its_back("AT+CFUN=4\r");
        wire.faults(&["answer_delay=1"]);
        wire.open(None);
        wire.until("the order", secs(60), |wire| wire.wrote(Default::default(), "AT+CFUN=1\r").is_some());
        wire.pass(ms(pause));
        wire.hear(b"\r\n+CFUN: 1\r\n");
        wire.until_free(secs(90));
        assert!(!wire.events.iter().any(|(_, event)| *event == Event::Booted), "{pause}");
        assert_eq!(wire.lines("+CGMI"), 1, "{pause}");
        wire.still_sends();
    }
}

#[test]
fn l5_a_modem_that_does_not_answer_is_not_shown_as_ready() {
    let mut wire = Wire::up_with(&["hang=reopen@next:1"]);
    wire.pass_secs(59);
    assert_eq!(wire.session.view().state, ModemState::Ready);
    wire.pass(ms(6_100));
    let view = wire.session.view();
    assert_eq!(view.state, ModemState::Recovering);
    assert!(view.reason.is_some_and(|words| words.contains("did not answer")));
    wire.until("a reopening", secs(60), |wire| !wire.reopened.is_empty());
    wire.until_free(secs(60));
    assert_eq!(wire.session.view().state, ModemState::Ready);

    // One that comes back by itself.
    let mut wire = Wire::up_with(&["late_answer=3600@next:1"]);
    wire.pass_secs(65);
    assert_eq!(wire.session.view().state, ModemState::Recovering);
    wire.pass_secs(1);
    assert_eq!(wire.session.view().state, ModemState::Ready);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever its answers take, never twice the same: it comes up without help, and each message goes once.
    #[test]
    fn t9_any_delay_up_to_five_seconds(
        least in 0..5_000_u64,
        span in 0..5_000_u64,
        deaf in any::<bool>(),
        seed in any::<u64>(),
        pause in 0..200_u64,
    ) {
        let most = (least + span).min(4_999);
        let delay = format!("answer_delay={least}ms..{most}ms");
        let deaf = if deaf { "deaf_while_busy=yes" } else { "deaf_while_busy=yes@next:0" };
        let (mut wire, took) = brought_up(&[&delay, deaf], seed);
        prop_assert!(took < secs(330), "{took:?}");
        came_up_well(&wire);
        sends(&mut wire, 3);
        wire.pass_secs(pause);
        sends(&mut wire, 2);
        prop_assert!(wire.reopened.is_empty());
    }
}
