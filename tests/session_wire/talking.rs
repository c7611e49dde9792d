//! Talking to a modem at all, and what it reports.

use crate::wire::{LONG, Wire, ms, secs};
use otpgate::domain::message::PartResult::{Accepted, NotSent, Uncertain};
use otpgate::domain::reason::Reason;
use otpgate::modem::board::ModemState;
use otpgate::modem::session::Event;
use std::time::Duration;

#[test]
fn s10_old_lines_answer_nothing_new() {
    // The heartbeat's answer comes when it is given up: while quiet is awaited, behind the barrier's query, later.
    for late in [5_100, 5_300, 5_301, 6_000, 9_000] {
        let mut wire = Wire::up_with(&[&format!("late_answer={late}ms@next:1")]);
        wire.pass_secs(60);
        assert!(!wire.session.is_free(), "{late}: it was asked something");
        wire.pass_secs(20);
        assert!(wire.session.is_free(), "{late}: {:?}", wire.session.view());
        assert_eq!(wire.session.view().registration, Some("registered at home"), "{late}");
        assert_eq!(wire.sent("one"), Accepted(Some(0)), "{late}");
        assert!(wire.reopened.is_empty(), "{late}");
    }
}

#[test]
fn s10_answers_that_are_late_all_through_the_bring_up() {
    for (late, count) in [(5_200, 1), (5_200, 5), (6_000, 3), (12_000, 2)] {
        let mut wire = Wire::new();
        wire.open(None);
        wire.until("the bring-up", secs(5), |wire| wire.lines("+CGMI") > 0);
        wire.faults(&[&format!("late_answer={late}ms@next:{count}")]);
        wire.until_free(LONG);
        let view = wire.session.view();
        assert!(view.manufacturer.is_none_or(|name| name == "otpgate"), "no other answer was taken for it");
        assert_eq!(wire.sent("one"), Accepted(Some(0)), "{late} {count}");
        wire.pass_secs(1);
        assert_eq!(wire.reports(), [(0, 0)], "{late} {count}");
    }
}

#[test]
fn s10_an_answer_lost_in_the_bring_up_is_asked_for_again() {
    let well = Wire::up();
    // What is asked of the storages behind it is not asked again at once.
    let whole = well.counts().at_lines.values().sum::<u64>() - well.lines("+CPMS");
    for (lost, command) in (0..whole).flat_map(|command| [(1, command), (2, command)]) {
        let mut wire = Wire::new();
        wire.open(None);
        wire.until("that command", secs(10), |wire| wire.counts().at_lines.values().sum::<u64>() >= command);
        // Said long after it was given up, so that it is never heard.
        wire.faults(&[&format!("late_answer=3600@next:{lost}")]);
        wire.until_free(secs(120));
        let (found, expected) = (wire.session.view(), well.session.view());
        assert_eq!(found.degraded, expected.degraded, "{lost} at {command}");
        let told = |view: &otpgate::modem::session::View| {
            (view.manufacturer.clone(), view.model.clone(), view.operator.clone())
        };
        assert_eq!((told(&found), found.signal_dbm), (told(&expected), expected.signal_dbm), "{lost} at {command}");
        assert!(wire.session.gives_reports(), "{lost} at {command}");
        wire.still_sends();
    }
}

#[test]
fn s10_what_is_never_answered_is_asked_for_three_times_and_gone_without() {
    let mut wire = Wire::new();
    let iccid = wire.simulator.modems()[0].identity().iccid.clone();
    let iccid: &'static str = format!("\r\n+CCID: {iccid}\r\n\r\nOK\r\n").leak();
    wire.mishear = vec![("\r\notpgate\r\n\r\nOK\r\n", ""), (iccid, "")];
    wire.open(None);
    wire.until_free(secs(120));
    let asked = |text: &str| wire.written.iter().filter(|(_, written)| written == text).count();
    assert_eq!((asked("AT+CGMI\r"), asked("AT+CGMM\r")), (3, 1));
    assert_eq!((asked("AT+CCID\r"), asked("AT+ICCID\r")), (3, 1), "then the next way of asking");
    wire.mishear.clear();
    wire.still_sends();
}

#[test]
fn t1_news_inside_answers() {
    for place in ["inside", "echo"] {
        let mut wire = Wire::new();
        wire.faults(&[&format!("urc_in_answer={place}")]);
        wire.open(None);
        wire.until_free(secs(30));
        assert_eq!(wire.session.view().manufacturer.as_deref(), Some("otpgate"), "{place}");
        assert_eq!(wire.sent("one"), Accepted(Some(0)), "{place}");
        wire.pass_secs(1);
        assert_eq!(wire.reports(), [(0, 0)], "{place}");
    }
}

#[test]
fn t2_news_extends_no_deadline() {
    let chatty = |flags: &[&str]| {
        let mut wire = Wire::up_with(flags);
        wire.chatter = Some((ms(200), "\r\n^BOOT:20344721,0,0,0,75\r\n"));
        wire
    };
    let mut wire = chatty(&["prompt_never=edit@next:1"]);
    let begun = wire.now;
    assert_eq!(wire.sent("one"), NotSent(Reason::NotTransmitted));
    assert_eq!(wire.now - begun, secs(10));
    wire.still_sends();

    let mut wire = chatty(&["silence=lost@next:1"]);
    let begun = wire.now;
    assert_eq!(wire.sent("one"), Uncertain(Reason::NoResult));
    assert_eq!(wire.now - begun, secs(120));
    wire.still_sends();

    let mut wire = chatty(&["half_result=reference@next:1"]);
    let begun = wire.now;
    assert_eq!(wire.sent("one"), Accepted(Some(0)));
    assert_eq!(wire.now - begun, ms(2100));
    wire.still_sends();

    let mut wire = chatty(&["hang=reopen@next:1"]);
    wire.until("a reopening", secs(120), |wire| !wire.reopened.is_empty());
    wire.until_free(secs(60));
}

#[test]
fn t2_news_for_ever_from_the_start() {
    let mut wire = Wire::new();
    wire.faults(&["endless_urcs=100ms"]);
    wire.open(None);
    wire.until_free(secs(60));
    assert_eq!(wire.sent("one"), Accepted(Some(0)));
}

#[test]
fn t3_a_report_is_cut_off() {
    let mut wire = Wire::up_with(&["cut_urc=yes@next:1"]);
    assert_eq!(wire.sent("one"), Accepted(Some(0)));
    let second = wire.send("two");
    wire.pass_secs(2);
    assert_eq!(wire.outcome(second).map(|(_, result)| result), Some(Accepted(Some(1))));
    assert_eq!(wire.reports(), [(1, 0)], "half a report is none");
    assert!(wire.session.is_free());
}

#[test]
fn t3_the_result_of_a_cut_report_ends_no_send() {
    let mut wire = Wire::with(Default::default(), secs(5), Default::default());
    wire.open(None);
    wire.until_free(secs(10));
    let token = wire.send("one");
    wire.pass_secs(1);
    wire.hear(b"\r\n+CDS: 25\r\n07915155550500F006000B91415155");
    wire.pass_secs(1);
    wire.hear(b"0501F0621132105364006211321053640000\r\n");
    assert_eq!(wire.outcome(token), None);
    assert_eq!(wire.reports(), [(0, 0)]);
    assert_eq!(wire.ended(token), Accepted(Some(0)));
}

#[test]
fn t4_the_echo_comes_back() {
    let mut wire = Wire::up_with(&["echo_drift=yes"]);
    wire.pass_secs(61);
    assert_eq!(wire.sent("one"), Accepted(Some(0)));
    assert_eq!(wire.sent("two"), Accepted(Some(1)));
    wire.pass_secs(100);
    assert_eq!(wire.reports(), [(0, 0), (1, 0)]);
    assert!(wire.notices().is_empty(), "our own echo is nobody else's: {:?}", wire.notices());
}

#[test]
fn t4_somebody_elses_words_are_told() {
    let mut wire = Wire::up();
    wire.hear(b"AT+CGMI\r\r\nACME\r\n\r\nOK\r\n");
    assert!(wire.notices()[0].contains("Somebody else"));
    wire.still_sends();
}

#[test]
fn t5_answers_of_every_shape() {
    let shapes = ["answer_shape=blank_lines", "answer_shape=no_first_line_end"];
    let unknown = ["unknown_command=cme100", "unknown_command=not_support", "unknown_command=too_many"];
    for flag in shapes.into_iter().chain(unknown) {
        let mut wire = Wire::new();
        wire.faults(&[flag]);
        wire.open(None);
        wire.until_free(secs(60));
        let view = wire.session.view();
        assert_eq!((view.manufacturer.as_deref(), view.state), (Some("otpgate"), ModemState::Ready), "{flag}");
        assert_eq!(wire.sent("one"), Accepted(Some(0)), "{flag}");
        wire.pass_secs(1);
        assert_eq!(wire.reports(), [(0, 0)], "{flag}");
    }
}

#[test]
fn t5_what_a_former_program_left_set() {
    let others = ["AT+CMEE=2\r", "AT+CMGF=1\r", "AT+CSCS=\"UCS2\"\r", "AT+CREG=2\r"];
    for left in ["ATV0\r", "ATE0\r", "ATE0V0\r", "ATQ1\r", "ATE0Q1\r", "ATV0Q1\r"].into_iter().chain(others) {
        let mut wire = Wire::new();
        wire.behind_its_back(left);
        wire.open(None);
        wire.until_free(secs(60));
        assert_eq!(wire.sent("one"), Accepted(Some(0)), "{left}");
        assert!(wire.reopened.is_empty(), "{left}");
    }
}

#[test]
fn t5_no_ok_behind_the_pin_state() {
    let mut wire = Wire::new();
    wire.mishear = vec![("+CPIN: READY\r\n\r\nOK\r\n", "+CPIN: READY\r\n")];
    wire.open(None);
    wire.until_free(secs(20));
    wire.still_sends();
}

#[test]
fn t7_reports_that_are_stored_are_fetched() {
    let mut wire = Wire::new();
    wire.faults(&["refuse_command=+CNMI=2,1,0,1|+CNMI=1,1,0,1|+CNMI=3,1,0,1"]);
    wire.open(None);
    wire.until_free(secs(60));
    assert!(wire.session.gives_reports());
    for n in 0..3 {
        assert_eq!(wire.sent("one"), Accepted(Some(n)));
        wire.pass_secs(5);
        let count = u64::from(n) + 1;
        assert_eq!(wire.reports().len() as u64, count);
        // Twice while it was set up, three times while it was looked through; then it is named for each report: another may have been meanwhile.
        assert_eq!((wire.lines("+CPMS"), wire.lines("+CMGR"), wire.lines("+CMGD")), (5 + count, count, count));
    }
    assert_eq!(wire.reports(), [(0, 0), (1, 0), (2, 0)]);
    assert!(wire.written.iter().any(|(_, text)| text == "AT+CPMS=\"SR\"\r"));
}

#[test]
fn t7_without_reports_it_sends_all_the_same() {
    for refused in ["+CNMI=", "+CNMI=2|+CNMI=1|+CNMI=3", "+CNMI", "+CSMS|+CMEE|+CREG=|+CSCA|+COPS|+CSQ|+CGREG|+CEREG"] {
        let mut wire = Wire::new();
        wire.faults(&[&format!("refuse_command={refused}")]);
        wire.open(None);
        wire.until_free(secs(60));
        let view = wire.session.view();
        assert_eq!(wire.session.gives_reports(), !refused.starts_with("+CNMI"), "{refused}");
        assert!(!view.degraded.is_empty(), "{refused}: it is told");
        assert_eq!(wire.sent("one"), Accepted(Some(0)), "{refused}");
    }
}

#[test]
fn t8_a_restart_is_noticed_and_it_is_set_up_before_the_next_message() {
    let mut wire = Wire::up();
    assert_eq!(wire.sent("one"), Accepted(Some(0)));
    wire.pass_secs(1);
    wire.power_cycle();
    wire.until("its boot", secs(3), |wire| !wire.notices().is_empty());
    let booted = wire.now;
    let token = wire.send("two");
    assert!(matches!(wire.ended(token), Accepted(_)));
    for setting in ["ATE0\r", "AT+CMGF=0\r", "AT+CNMI=2,1,0,1,0\r"] {
        let at = wire.wrote(booted, setting);
        assert!(at.is_some_and(|at| at <= wire.handed_over[1].0), "{setting}");
    }
    wire.pass_secs(1);
    assert_eq!(wire.reports().len(), 2, "reports are on again");
}

#[test]
fn t8_a_restart_at_the_worst_moment_of_a_send() {
    // Instead of the prompt, and with the message on the air.
    let mut wire = Wire::up_with(&["reboot=yes@next:1"]);
    assert_eq!(wire.sent("one"), NotSent(Reason::NotTransmitted));
    wire.still_sends();
    wire.pass_secs(1);
    assert_eq!(wire.reports().len(), 1, "set up again");

    let mut wire = Wire::with(Default::default(), secs(5), Default::default());
    wire.open(None);
    wire.until_free(secs(10));
    let token = wire.send("one");
    wire.pass_secs(1);
    wire.power_cycle();
    let begun = wire.now;
    assert_eq!(wire.ended(token), Uncertain(Reason::NoResult));
    assert_eq!(wire.now - begun, BOOT + FORGOTTEN, "it waits no longer for what was forgotten");
    assert!(wire.events.contains(&(wire.now, Event::ListeningEnded)));
    wire.still_sends();
    wire.pass_secs(1);
    assert_eq!(wire.reports().len(), 1, "set up again");
}

#[test]
fn t8_after_a_restart_with_a_message_on_the_air_it_soon_sends_again() {
    for pause in [0, 1, 4, 20, 125] {
        let mut wire = Wire::up_with(&["silence=lost@next:1"]);
        let first = wire.send("one");
        let second = wire.send("two");
        wire.pass_secs(pause);
        let begun = wire.now;
        wire.power_cycle();
        assert!(matches!(wire.ended(second), Accepted(Some(_))), "{pause}");
        assert_eq!(wire.outcome(first).map(|(_, result)| result), Some(Uncertain(Reason::NoResult)), "{pause}");
        let escaped = wire.written.iter().find(|(at, _)| *at > begun).unwrap();
        assert_eq!((escaped.0 - begun, escaped.1.as_str()), (BOOT + FORGOTTEN, "\x1b\r"), "{pause}: not before");
        let again = wire.handed_over[1].0 - begun;
        assert!(again < BOOT + FORGOTTEN + secs(5), "{pause}: {again:?}");
        assert!(wire.reopened.is_empty(), "{pause}");
    }
}

#[test]
fn t8_a_restart_at_any_command_of_the_bring_up() {
    let whole: u64 = Wire::up().counts().at_lines.values().sum();
    for command in 0..whole {
        let mut wire = Wire::new();
        wire.open(None);
        wire.until("that command", secs(10), |wire| wire.counts().at_lines.values().sum::<u64>() >= command);
        wire.faults(&["reboot=yes@next:1"]);
        wire.until("its restart", LONG, |wire| !wire.simulator.modems()[0].counts().at_lines.is_empty());
        wire.until_free(LONG);
        wire.pass_secs(60);
        wire.until_free(LONG);
        assert!(matches!(wire.sent("one"), Accepted(_)), "{command}");
        wire.pass_secs(1);
        assert_eq!(wire.reports().len(), 1, "{command}: its settings are in force");
        assert!(wire.session.view().degraded.is_empty(), "{command}: {:?}", wire.session.view().degraded);
    }
}

#[test]
fn t9_busy_after_its_boot() {
    let mut wire = Wire::new();
    wire.mishear = vec![("\r\n+CPIN: READY\r\n\r\nOK\r\n", "\r\n+CME ERROR: 14\r\n")];
    wire.open(None);
    wire.pass_secs(40);
    assert_eq!(wire.session.view().reason.as_deref(), Some("the SIM card is not ready yet"));
    wire.mishear.clear();
    wire.until_free(secs(5));
    wire.still_sends();
}

/// A modem that stores its reports has stored one. `keeps`: whether it comes to disk here.
fn a_report_is_stored(keeps: bool) -> Wire {
    let mut wire = Wire::new();
    wire.faults(&["refuse_command=+CNMI=2,1,0,1|+CNMI=1,1,0,1"]);
    wire.keeps = keeps;
    wire.open(None);
    wire.until_free(secs(60));
    assert_eq!(wire.sent("one"), Accepted(Some(0)));
    wire.pass_secs(5);
    wire
}

/// A report that lies in a storage is the only evidence there is, until it is on disk.
#[test]
fn r4_a_stored_report_is_deleted_once_it_is_on_disk() {
    for keeps in [true, false] {
        let mut wire = a_report_is_stored(keeps);
        assert_eq!((wire.reports().len(), wire.lines("+CMGD")), (1, u64::from(keeps)));
        wire.still_sends();
    }
}

/// Where the storage of reports can't be chosen, the same place in the one that is chosen holds a person's message.
#[test]
fn r4_nothing_is_deleted_from_a_storage_that_was_not_chosen() {
    let mut wire = a_report_is_stored(false);
    let now = wire.now;
    wire.simulator.inbound(now, "+15551234567", "", "a message");
    wire.pass_secs(3);
    wire.faults(&["refuse_command=+CPMS=\"SR\""]);
    wire.keeps = true;
    wire.pass_secs(90);
    assert_eq!((wire.lines("+CMGR"), wire.lines("+CMGD")), (2, 1), "the message, and no report");
    assert!(wire.notices().iter().any(|words| words.contains("could not be chosen")));
}

#[test]
fn r4_nothing_where_it_was_announced() {
    let mut wire = Wire::up();
    wire.hear(b"\r\n+CDSI: \"SR\",7\r\n\r\n+CMTI: \"ME\",3\r\n\r\n+CMTI: \"XX\",3\r\n");
    wire.pass_secs(5);
    assert_eq!(wire.lines("+CMGD"), 0);
    wire.still_sends();
}

#[test]
fn r5_phase_2_plus_is_switched_off() {
    let mut wire = Wire::new();
    wire.behind_its_back("ATE0\rAT+CSMS=1\r");
    wire.open(None);
    wire.until_free(secs(60));
    for n in 0..3 {
        assert_eq!(wire.sent("one"), Accepted(Some(n)));
        wire.pass_secs(30);
    }
    assert_eq!(wire.reports(), [(0, 0), (1, 0), (2, 0)], "also after the first");
}

/// A modem that gives reports only under phase 2+, set up.
fn acknowledging(air_time: Duration) -> Wire {
    let mut wire = Wire::with(Default::default(), air_time, Default::default());
    wire.faults(&["reports_acknowledged_only=yes"]);
    wire.open(None);
    wire.until_free(secs(60));
    wire.pass(ms(100));
    wire
}

#[test]
fn r5_reports_that_come_only_with_phase_2_plus_are_acknowledged() {
    let mut wire = acknowledging(ms(100));
    assert!(wire.session.gives_reports());
    assert_eq!(wire.session.view().degraded, Vec::<&str>::new());
    for n in 0..3 {
        assert_eq!(wire.sent("one"), Accepted(Some(n)));
        wire.pass_secs(30);
        assert_eq!(wire.lines("+CNMA"), u64::from(n) + 1);
    }
    assert_eq!(wire.reports(), [(0, 0), (1, 0), (2, 0)], "also after the first");
}

#[test]
fn r5_a_report_during_a_send_is_acknowledged_behind_it_and_cnmi_set_anew() {
    let mut wire = acknowledging(secs(20));
    assert_eq!(wire.sent("one"), Accepted(Some(0)));
    let begun = wire.now;
    let tokens = [wire.send("two"), wire.send("three")];
    tokens.into_iter().for_each(|token| assert!(matches!(wire.ended(token), Accepted(_))));
    wire.pass_secs(60);
    let written = wire.written_since(begun);
    let at = |text: &str| written.iter().position(|written| *written == text);
    let pdus: Vec<usize> = (0..written.len()).filter(|n| written[*n].ends_with('\x1a')).collect();
    let (acknowledged, set) = (at("AT+CNMA\r").unwrap(), at("AT+CNMI=2,1,0,1,0\r").unwrap());
    assert_eq!(acknowledged, pdus[0] + 1, "not in the middle, and before the next: {written:?}");
    assert_eq!((set, pdus[1]), (acknowledged + 1, set + 2), "{written:?}");
    assert_eq!(wire.reports().len(), 3, "although the first was not acknowledged in time");
}

#[test]
fn r5_nothing_goes_out_before_what_is_owed() {
    let mut wire = acknowledging(ms(100));
    wire.faults(&["late_answer=3@next:1"]);
    wire.hear(A_REPORT);
    assert!(!wire.session.is_free() && wire.session.is_ready());
    let token = wire.send("one");
    wire.pass_secs(2);
    assert_eq!((wire.outcome(token), wire.lines("+CMGS")), (None, 0));
    assert_eq!(wire.ended(token), Accepted(Some(0)));
}

#[test]
fn r5_the_form_that_is_refused_gives_way_to_the_other() {
    let mut wire = acknowledging(ms(100));
    let forms = |wire: &Wire| {
        let forms: Vec<String> = wire.written.iter().map(|(_, text)| text.clone()).collect();
        forms.into_iter().filter(|text| text.starts_with("AT+CNMA")).collect::<Vec<_>>()
    };
    // Nothing is to be acknowledged: 340, which says nothing about the form.
    wire.hear(A_REPORT);
    assert_eq!(forms(&wire), ["AT+CNMA\r"]);
    wire.faults(&["refuse_command=+CNMA@next:1"]);
    for n in 0..3 {
        assert_eq!(wire.sent("one"), Accepted(Some(n)));
        wire.pass_secs(30);
    }
    assert_eq!(forms(&wire), ["AT+CNMA\r", "AT+CNMA\r", "AT+CNMA=0\r", "AT+CNMA=0\r", "AT+CNMA=0\r"]);
    assert_eq!(wire.reports().len(), 1 + 3);
}

#[test]
fn r5_a_message_that_comes_directly_is_acknowledged_too() {
    let mut wire = Wire::new();
    wire.faults(&["reports_acknowledged_only=yes"]);
    wire.mishear = vec![("+CNMI: (0-2),(0-3)", "+CNMI: (0-2),(0,2)")];
    wire.open(None);
    wire.until_free(secs(60));
    assert!(wire.session.view().degraded.iter().any(|words| words.contains("mt=2")), "it is told");
    for n in 1..=3 {
        let now = wire.now;
        wire.simulator.inbound(now, "+15551234567", "", "a message");
        wire.pass_secs(30);
        assert_eq!(wire.lines("+CNMA"), n);
    }
    let inbound = wire.events.iter().filter(|(_, event)| matches!(event, Event::Inbound { .. }));
    assert_eq!(inbound.count(), 3);
}

/// A modem that gives messages only directly, and only under phase 2+.
fn giving_directly() -> Wire {
    let mut wire = Wire::new();
    wire.faults(&["reports_acknowledged_only=yes"]);
    wire.mishear = vec![("+CNMI: (0-2),(0-3)", "+CNMI: (0-2),(0,2)")];
    wire.open(None);
    wire.until_free(secs(60));
    wire
}

#[test]
fn r5_what_is_on_no_disk_is_not_acknowledged_and_comes_again() {
    let mut wire = giving_directly();
    wire.keeps = false;
    let now = wire.now;
    wire.simulator.inbound(now, "+15551234567", "", "a message");
    wire.pass_secs(60);
    assert_eq!((wire.inbound().len(), wire.lines("+CNMA")), (1, 0));
    let direct = wire.inbound()[0].clone();
    wire.not_kept();
    let begun = wire.now;
    wire.pass_secs(5);
    assert_eq!(wire.lines("+CNMA"), 0);
    assert!(wire.wrote(begun, "AT+CNMI=2,2,0,1,0\r").is_some(), "else nothing more would come: {:?}", wire.written);
    wire.keeps = true;
    wire.hear(format!("\r\n+CMT: ,{}\r\n{direct}\r\n", (direct.len() - 16) / 2).as_bytes());
    wire.pass_secs(5);
    assert_eq!((wire.inbound(), wire.lines("+CNMA")), (vec![direct.clone(), direct], 1), "the network repeats it");
    wire.still_sends();
}

#[test]
fn r5_a_store_that_answers_late_has_it_acknowledged_late_and_holds_no_message_up() {
    let mut wire = giving_directly();
    wire.keeps = false;
    let now = wire.now;
    wire.simulator.inbound(now, "+15551234567", "", "a message");
    wire.pass(ms(0));
    assert!(!wire.session.is_free(), "it is waited for, for a moment");
    wire.pass_secs(1);
    assert!(wire.session.is_free());
    wire.still_sends();
    wire.keeps = true;
    wire.pass_secs(2);
    assert_eq!(wire.lines("+CNMA"), 2, "the message and the report");
    wire.still_sends();
}

#[test]
fn r8_what_is_garbled_under_phase_2_plus_is_acknowledged_once_it_comes_so_again() {
    let mut wire = giving_directly();
    let garbled = b"\r\n+CMT: ,21\r\n00040B914151550521F30000620111001\r\n";
    wire.hear(garbled);
    wire.pass_secs(2);
    assert_eq!((wire.inbound().len(), wire.lines("+CNMA")), (1, 0), "the network repeats it, perhaps well");
    wire.hear(garbled);
    wire.pass_secs(2);
    assert_eq!((wire.inbound().len(), wire.lines("+CNMA")), (2, 1), "so it is");
    wire.still_sends();
}

#[test]
fn r5_an_acknowledgement_that_was_missed_does_not_end_the_reports_for_good() {
    let mut wire = acknowledging(ms(100));
    wire.faults(&["cut_urc=yes@next:1", "reports_acknowledged_only=yes"]);
    assert_eq!(wire.sent("one"), Accepted(Some(0)));
    wire.pass_secs(20);
    assert!(wire.reports().is_empty(), "half a report is none");
    wire.pass_secs(600);
    assert_eq!(wire.sent("two"), Accepted(Some(1)));
    wire.pass_secs(2);
    assert_eq!(wire.reports(), [(1, 0)]);
}

#[test]
fn r5_where_nothing_helps_it_sends_without_reports() {
    for refused in ["+CSMS=1", "+CNMI=2,1,0,1|+CNMI=1,1,0,1"] {
        let mut wire = Wire::new();
        wire.faults(&["reports_acknowledged_only=yes", &format!("refuse_command={refused}")]);
        wire.open(None);
        wire.until_free(secs(60));
        assert!(!wire.session.gives_reports(), "{refused}");
        assert!(wire.session.view().degraded.iter().any(|words| words.contains("no status reports")), "{refused}");
        let service = wire.written.iter().rfind(|(_, text)| text.starts_with("AT+CSMS=")).unwrap();
        assert_eq!(service.1, "AT+CSMS=0\r", "{refused}: phase 2+ is off again");
        wire.still_sends();
        assert_eq!(wire.lines("+CNMA"), 0, "{refused}");
    }
}

#[test]
fn r7_the_report_comes_first() {
    let mut wire = Wire::up_with(&["report_early=yes"]);
    assert_eq!(wire.sent("one"), Accepted(Some(0)));
    let order: Vec<&Event> = wire.events.iter().map(|(_, event)| event).collect();
    let report = order.iter().position(|event| matches!(event, Event::Report { reference: 0, .. }));
    let outcome = order.iter().position(|event| matches!(event, Event::Outcome { .. }));
    assert!(report.is_some() && report < outcome);
}

#[test]
fn r6_a_report_is_told_as_it_is() {
    for (flag, expected) in [("report_status=0x46", (0, 0x46)), ("report_reference=200", (200, 0))] {
        let mut wire = Wire::up_with(&[flag]);
        assert_eq!(wire.sent("one"), Accepted(Some(0)));
        wire.pass_secs(1);
        assert_eq!(wire.reports(), [expected], "{flag}");
    }
}

/// For TP-MR 0, delivered.
const A_REPORT: &[u8] = b"\r\n+CDS: 25\r\n07915155550500F006000B914151550501F0621132105364006211321053640000\r\n";
/// What a virtual modem takes to start.
const BOOT: Duration = Duration::from_secs(2);
/// How long after the news of a restart the result of a message on the air is waited for.
const FORGOTTEN: Duration = Duration::from_secs(5);

/// The first line of a report that was garbled reads like one in text mode. That is no restart, however often.
#[test]
fn t3_a_garbled_report_is_no_restart() {
    let mut wire = Wire::up();
    for _ in 0..3 {
        wire.hear(b"\r\n+CDS: 2#\r\n07911326040000F0\r\n");
        wire.pass_secs(15);
        wire.until_free(secs(60));
    }
    assert!(!wire.events.iter().any(|(_, event)| matches!(event, Event::Booted)), "{:?}", wire.notices());
    wire.still_sends();
}

/// A modem in text mode would take the PDU's length for a number, and its digits for a text with the code in it.
#[test]
fn t8_a_modem_that_has_restarted_without_a_word_is_given_no_pdu_in_text_mode() {
    for idle in [12, 61, 150] {
        let mut wire = Wire::up();
        wire.pass_secs(idle);
        wire.behind_its_back("AT+CMGF=1\r");
        let token = wire.send("hello");
        assert_eq!(wire.ended(token), NotSent(Reason::NotTransmitted), "{idle}");
        assert_eq!(wire.counts().submitted, 0);
        wire.until_free(secs(60));
        wire.still_sends();
    }
}
