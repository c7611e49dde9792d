//! What comes in: announced, lying in a storage, or all at once.

use super::wire::{LONG, Wire, ms, secs};
use otpgate::domain::message::PartResult::Accepted;
use otpgate::modem::session::Event;
use otpgate::simulator::modem::ModemOptions;
use std::time::Duration;

const BO: &str = "+15551234567";

/// Somebody writes to the modem.
fn writes(wire: &mut Wire, text: &str) {
    let now = wire.now;
    wire.simulator.inbound(now, BO, "", text);
    wire.pass(ms(0));
}

/// Lies in the modem before the session opens it.
fn with_stored(modem: ModemOptions, texts: &[&str]) -> Wire {
    let mut wire = Wire::with(modem, ms(100), Default::default());
    // Registered, so that it can be written to; and quiet about it.
    wire.behind_its_back("ATE0\r");
    wire.pass_secs(10);
    texts.iter().for_each(|text| writes(&mut wire, text));
    wire
}

/// Whatever storage it lies in, nothing is left there.
fn is_empty(wire: &mut Wire) -> bool {
    let before = wire.now;
    wire.pass_secs(3700);
    let asked = wire.wrote(before, "AT+CPMS?\r").is_some();
    asked && !wire.written_since(before).iter().any(|text| text.starts_with("AT+CMGR"))
}

#[test]
fn what_comes_in_is_told_once_and_deleted_once_it_is_on_disk() {
    for keeps in [true, false] {
        let mut wire = Wire::up();
        wire.keeps = keeps;
        writes(&mut wire, "six letters?");
        wire.pass_secs(2);
        assert_eq!(wire.texts(), ["six letters?"]);
        assert_eq!((wire.lines("+CMGR"), wire.lines("+CMGD")), (1, u64::from(keeps)));
        let from = wire.events.iter().find_map(|(_, event)| match event {
            Event::Inbound { from, .. } => Some(from.clone()),
            _ => None,
        });
        assert!(!from.expect("it is told").contains("1234567"));
        assert!(!format!("{:?}", wire.events).contains("six letters"), "no text in any debug output");
        wire.still_sends();
    }
}

#[test]
fn what_lay_there_before_the_start_is_found_told_once_and_deleted_place_by_place() {
    let mut wire = with_stored(ModemOptions::default(), &["one", "two", "three"]);
    wire.open(None);
    wire.until_free(secs(20));
    wire.pass_secs(1);
    assert_eq!(wire.texts(), ["one", "two", "three"]);
    assert_eq!((wire.lines("+CMGL"), wire.lines("+CMGD")), (1, 3));
    let deletions: Vec<_> =
        wire.written.iter().filter(|(_, t)| t.starts_with("AT+CMGD")).map(|(_, t)| t.as_str()).collect();
    assert_eq!(deletions, ["AT+CMGD=1\r", "AT+CMGD=2\r", "AT+CMGD=3\r"], "never all at once");
    assert!(is_empty(&mut wire));
    wire.still_sends();
}

#[test]
fn what_is_not_on_disk_stays_and_is_told_again_at_the_next_start() {
    let mut wire = with_stored(ModemOptions::default(), &["one"]);
    wire.keeps = false;
    wire.open(None);
    wire.until_free(secs(20));
    wire.pass_secs(5);
    assert_eq!(wire.lines("+CMGD"), 0);
    wire.keeps = true;
    wire.crash(None);
    wire.until_free(secs(20));
    wire.pass_secs(1);
    assert_eq!((wire.texts(), wire.lines("+CMGD")), (vec!["one".into(), "one".into()], 1));
    let told = wire.inbound();
    assert_eq!(told[0], told[1], "the same octets, by which it is recognised");
}

/// A place that was read is deleted once: by the second time somebody else's message may lie in it.
#[test]
fn a_place_that_is_announced_twice_is_deleted_once() {
    let mut wire = Wire::up();
    wire.mishear = vec![("+CMTI: \"SM\",1", "+CMTI: \"SM\",1\r\n\r\n+CMTI: \"SM\",1")];
    writes(&mut wire, "one");
    wire.pass_secs(2);
    wire.mishear.clear();
    assert_eq!((wire.texts(), wire.lines("+CMGD")), (vec!["one".into()], 1));
    writes(&mut wire, "two");
    wire.pass_secs(2);
    assert_eq!((wire.texts().len(), wire.lines("+CMGD")), (2, 2));
}

#[test]
fn an_announcement_that_was_lost_is_made_up_for() {
    let mut wire = Wire::up();
    wire.mishear = vec![("+CMTI: \"SM\",1", "")];
    writes(&mut wire, "unheard");
    wire.pass_secs(1);
    assert!(wire.texts().is_empty());
    wire.pass_secs(3700);
    assert_eq!((wire.texts(), wire.lines("+CMGD")), (vec!["unheard".into()], 1));
    assert_eq!(wire.lines("+CMGL"), 0, "a listing is no heartbeat");
}

#[test]
fn a_read_whose_answer_is_lost_is_done_again() {
    let mut wire = Wire::up_with(&["mute_command=+CMGR@next:1"]);
    writes(&mut wire, "one");
    wire.pass_secs(60);
    assert_eq!((wire.texts(), wire.lines("+CMGR"), wire.lines("+CMGD")), (vec!["one".into()], 2, 1));
    wire.still_sends();
}

#[test]
fn s11_a_call_is_rejected_and_never_in_the_middle_of_a_send() {
    let mut wire = Wire::up_with(&["collision=ring@next:1"]);
    // No byte during a send: the wire sees to it.
    assert_eq!(wire.sent("one"), Accepted(Some(0)));
    wire.pass_secs(5);
    assert_eq!(wire.lines("+CHUP"), 1);
    assert_eq!(wire.events.iter().filter(|(_, event)| *event == Event::CallRejected).count(), 1);
    wire.faults(&["refuse_command=+CHUP"]);
    wire.hear(b"\r\n+CRING: VOICE\r\n\r\n+CLIP: \"\",128\r\n");
    wire.pass_secs(1);
    assert!(wire.written.last().is_some_and(|(_, text)| text == "ATH\r"), "{:?}", wire.written.last());
    wire.hear(b"\r\nRING\r\n");
    wire.pass_secs(1);
    assert_eq!(wire.lines("+CHUP"), 2, "what it does not know it is not asked again");
    wire.still_sends();
}

#[test]
fn s11_a_call_that_rings_and_rings_is_told_once() {
    let mut wire = Wire::up();
    let calls = |wire: &Wire| wire.events.iter().filter(|(_, event)| *event == Event::CallRejected).count();
    for _ in 0..4 {
        wire.hear(b"\r\nRING\r\n");
        wire.pass_secs(5);
    }
    assert_eq!((wire.lines("+CHUP"), calls(&wire)), (4, 1), "it is rejected until it ends");
    wire.hear(b"\r\nNO CARRIER\r\n\r\nRING\r\n");
    wire.pass_secs(20);
    assert_eq!(calls(&wire), 2, "another call");
    wire.hear(b"\r\nRING\r\n");
    wire.pass_secs(1);
    assert_eq!(calls(&wire), 3, "so late it is another");
}

#[test]
fn r1_a_full_storage_is_emptied_at_once_between_sends() {
    let small = ModemOptions { capacity: 3, ..ModemOptions::default() };
    let mut wire = Wire::with(small, ms(100), Default::default());
    wire.open(None);
    wire.until_free(secs(20));
    wire.faults(&["announce_full=yes"]);
    // Nothing of them is heard, so that they pile up.
    wire.mishear = vec![("+CMTI:", "+XMTI:")];
    for n in 0..5 {
        writes(&mut wire, &format!("number {n}"));
    }
    wire.pass_secs(10);
    assert!(wire.notices().iter().any(|words| words.contains("full")));
    assert_eq!(wire.texts().len(), 3, "what had come in");
    assert_eq!(wire.lines("+CMGL"), 0);
    // There is room again, and the network gives what it kept.
    wire.mishear.clear();
    wire.pass_secs(400);
    assert_eq!(wire.texts().len(), 5);
    wire.still_sends();
}

#[test]
fn r1_a_modem_that_says_it_is_full_again_and_again_is_looked_through_now_and_then() {
    let mut wire = Wire::up();
    wire.pass_secs(2);
    let (before, begun) = (wire.lines("+CPMS"), wire.now);
    wire.chatter = Some((ms(200), "\r\n^SMMEMFULL: \"SM\"\r\n"));
    wire.pass_secs(120);
    assert!(wire.now >= begun + secs(120));
    assert!((1..=10).contains(&(wire.lines("+CPMS") - before)), "{}", wire.lines("+CPMS") - before);
    assert!((1..=3).contains(&wire.notices().iter().filter(|words| words.contains("full")).count()));
    wire.still_sends();
}

#[test]
fn r1_a_send_that_is_refused_for_a_full_storage_has_it_emptied() {
    let mut wire = Wire::up();
    wire.mishear = vec![("+CMTI:", "+XMTI:")];
    writes(&mut wire, "in the way");
    wire.faults(&["refuse_before_prompt=cms:322@next:1"]);
    wire.sent("refused");
    wire.pass_secs(5);
    assert_eq!((wire.texts(), wire.lines("+CMGD")), (vec!["in the way".into()], 1));
    wire.still_sends();
}

#[test]
fn r2_the_announced_storage_is_read_whichever_was_chosen() {
    let mut wire = Wire::up();
    wire.behind_its_back("AT+CPMS=\"ME\",\"ME\",\"SM\"\r");
    writes(&mut wire, "on the card");
    wire.pass_secs(2);
    assert_eq!((wire.texts(), wire.lines("+CMGD")), (vec!["on the card".into()], 1));
    assert!(wire.written.iter().any(|(_, text)| text == "AT+CPMS=\"SM\"\r"));
}

#[test]
fn r2_a_modem_that_wants_all_three_storages_named_gets_them() {
    let mut wire = Wire::new();
    wire.faults(&["refuse_command=+CPMS=\"SM\"|+CPMS=\"SR\"", "refuse_command=+CPMS=\"ME\"@next:1"]);
    wire.open(None);
    wire.until_free(secs(20));
    writes(&mut wire, "one");
    wire.pass_secs(2);
    assert_eq!((wire.texts(), wire.lines("+CMGD")), (vec!["one".into()], 1));
    assert!(wire.written.iter().any(|(_, text)| text == "AT+CPMS=\"ME\",\"ME\",\"ME\"\r"));
}

#[test]
fn r3_indexes_from_0_are_taken_as_they_come() {
    for listed in [true, false] {
        let from_zero = ModemOptions { first_index: 0, ..ModemOptions::default() };
        let mut wire = with_stored(from_zero, &["one", "two"]);
        if !listed {
            wire.faults(&["refuse_command=+CMGL"]);
        }
        wire.open(None);
        wire.until_free(secs(20));
        writes(&mut wire, "three");
        wire.pass_secs(2);
        assert_eq!(wire.texts(), ["one", "two", "three"], "{listed}");
        assert_eq!(wire.lines("+CMGD"), 3, "{listed}");
        assert!(wire.written.iter().any(|(_, text)| text == "AT+CMGD=0\r"));
    }
}

#[test]
fn r4_a_report_that_is_announced_elsewhere_is_looked_for_among_the_reports() {
    for keeps in [true, false] {
        let mut wire = Wire::new();
        wire.faults(&["refuse_command=+CNMI=2,1,0,1|+CNMI=1,1,0,1"]);
        wire.mishear = vec![("+CDSI: \"SR\",1", "+CDSI: \"SM\",1")];
        wire.open(None);
        wire.until_free(secs(60));
        wire.keeps = keeps;
        writes(&mut wire, "a message");
        wire.pass_secs(1);
        assert_eq!(wire.sent("one"), Accepted(Some(0)));
        wire.pass_secs(5);
        assert_eq!((wire.texts(), wire.reports()), (vec!["a message".into()], vec![(0, 0)]), "{keeps}");
        assert_eq!(wire.lines("+CMGD"), if keeps { 2 } else { 0 });
        wire.still_sends();
    }
}

#[test]
fn r4_a_message_in_the_place_of_a_report_is_kept_as_a_message() {
    let mut wire = Wire::up();
    wire.mishear = vec![("+CMTI:", "+CDSI:")];
    writes(&mut wire, "no report");
    wire.pass_secs(5);
    assert_eq!((wire.texts(), wire.lines("+CMGD")), (vec!["no report".into()], 1));
    assert!(wire.notices().iter().any(|words| words.contains("another kind")));
    wire.still_sends();
}

#[test]
fn a_report_that_was_left_in_its_storage_is_found_at_the_next_start() {
    let mut wire = Wire::new();
    wire.faults(&["refuse_command=+CNMI=2,1,0,1|+CNMI=1,1,0,1|+CNMI=3,1,0,1"]);
    wire.mishear = vec![("+CDSI:", "+XDSI:")];
    wire.open(None);
    wire.until_free(secs(60));
    assert_eq!(wire.sent("one"), Accepted(Some(0)));
    wire.pass_secs(5);
    assert!(wire.reports().is_empty());
    wire.mishear.clear();
    wire.crash(None);
    wire.until_free(secs(60));
    wire.pass_secs(1);
    assert_eq!((wire.reports(), wire.lines("+CMGD")), (vec![(0, 0)], 1));
}

#[test]
fn r8_what_cannot_be_read_is_told_as_it_is_deleted_and_gone_on_from() {
    let mut wire = Wire::up();
    // A TPDU whose sender's address is longer than any (TS 23.040 §9.1.2.5).
    wire.hear(b"\r\n+CMT: ,5\r\n000414915155\r\n");
    wire.mishear = vec![("5155214365F7", "5155F14365F7")];
    writes(&mut wire, "one");
    wire.pass_secs(2);
    writes(&mut wire, "two");
    wire.pass_secs(2);
    assert_eq!(wire.inbound().len(), 3);
    assert_eq!(wire.inbound()[0], "000414915155");
    assert!(otpgate::sms::inbound::read(&wire.inbound()[0]).is_none());
    assert_eq!(wire.lines("+CMGD"), 2, "what lay in a storage");
    wire.still_sends();
}

/// What stands in the place of a PDU, over and over: with another length than was announced, or no hexadecimal.
#[test]
fn r8_a_stored_message_that_is_no_pdu_is_kept_as_it_is_and_deleted_alone() {
    for (right, wrong) in [(",,26", ",,25"), ("5155214365F7", "51552143=5F7"), (",,26", ",,900")] {
        let mut wire = Wire::up();
        writes(&mut wire, "good one");
        wire.pass_secs(2);
        assert_eq!((wire.texts(), wire.lines("+CMGD")), (vec!["good one".into()], 1), "as long as the next");
        let read = wire.lines("+CMGR");
        wire.mishear = vec![(right, wrong)];
        writes(&mut wire, "bad one!");
        wire.pass_secs(2);
        assert_eq!((wire.inbound().len(), wire.lines("+CMGR") - read, wire.lines("+CMGD")), (2, 2, 2), "{wrong}");
        wire.mishear.clear();
        writes(&mut wire, "another");
        wire.pass_secs(2);
        assert_eq!((wire.inbound().len(), wire.lines("+CMGD")), (3, 3), "{wrong}: it goes on");
        assert!(is_empty(&mut wire), "{wrong}");
        wire.still_sends();
    }
}

#[test]
fn r8_a_sweep_goes_on_past_what_is_no_pdu() {
    for listed in [true, false] {
        let mut wire = with_stored(ModemOptions::default(), &["one", "garbled", "three"]);
        wire.mishear = vec![("E7B05CCC2E9301", "E7B0-CCC2E9301")];
        if !listed {
            wire.faults(&["refuse_command=+CMGL"]);
        }
        wire.open(None);
        wire.until_free(secs(20));
        wire.pass_secs(2);
        assert_eq!((wire.inbound().len(), wire.lines("+CMGD")), (3, 3), "{listed}");
        assert_eq!(wire.inbound().iter().filter(|pdu| pdu.contains('-')).count(), 1, "{listed}: as it came");
        wire.mishear.clear();
        assert!(is_empty(&mut wire), "{listed}");
    }
}

#[test]
fn r8_what_was_garbled_on_its_way_is_read_once_more() {
    let mut wire = Wire::up();
    wire.mishear_once = vec![("5155214365F7", "5155214#65F7")];
    writes(&mut wire, "whole");
    wire.pass_secs(2);
    assert_eq!((wire.texts(), wire.lines("+CMGR"), wire.lines("+CMGD")), (vec!["whole".into()], 2, 1));
    assert_eq!(wire.inbound().len(), 1, "nothing is told of the first reading");
    let mut wire = with_stored(ModemOptions::default(), &["one", "two"]);
    wire.mishear_once = vec![("5155214365F7", "5155214#65F7")];
    wire.open(None);
    wire.until_free(secs(20));
    wire.pass_secs(2);
    assert_eq!((wire.texts(), wire.inbound().len(), wire.lines("+CMGD")), (vec!["two".into(), "one".into()], 2, 2));
}

#[test]
fn r8_two_readings_that_differ_are_no_message_and_it_stays_where_it_lies() {
    let mut wire = Wire::up();
    wire.pass_secs(2);
    let noise = [("5155214365F7", "51552#4365F7"), ("5155214365F7", "515521#365F7"), ("5155214365F7", "5155214#65F7")];
    wire.mishear_once = noise.to_vec();
    writes(&mut wire, "whole");
    wire.pass_secs(2);
    assert_eq!((wire.inbound().len(), wire.lines("+CMGR"), wire.lines("+CMGD")), (0, 3, 0));
    wire.pass_secs(400);
    assert_eq!((wire.texts(), wire.lines("+CMGD")), (vec!["whole".into()], 1), "it is looked for again");
}

#[test]
fn r8_what_comes_directly_and_is_no_pdu_is_kept_as_it_is() {
    let mut wire = Wire::up();
    wire.hear(b"\r\n+CMT: ,21\r\n00040B914151550521F30000620111001\r\n");
    wire.hear(b"\r\n+CMT: ,30\r\n0004?B914151550521F3000062011100~1\r\n");
    wire.pass_secs(1);
    assert_eq!(wire.inbound(), ["00040B914151550521F30000620111001", "0004?B914151550521F3000062011100~1"]);
    assert!(!format!("{:?}", wire.events).contains("914151550521"), "no number in any debug output");
    wire.still_sends();
}

#[test]
fn r10_a_flood_of_messages_does_not_starve_sending() {
    let mut wire = Wire::up();
    for n in 0..15 {
        wire.simulator.inbound(wire.now, BO, "", &format!("flood {n}"));
    }
    let sends: Vec<_> = (0..5).map(|n| wire.send(&format!("out {n}"))).collect();
    let begun = wire.now;
    for token in sends {
        assert!(matches!(wire.ended(token), Accepted(_)));
    }
    let between = wire.written_since(begun);
    let commands =
        |texts: &[&str]| texts.iter().filter(|text| text.starts_with("AT+CMG") && !text.starts_with("AT+CMGS")).count();
    assert!(commands(&between) <= 5 * 8, "{between:?}");
    assert!(commands(&between) > 0, "nor does sending starve what comes in");
    wire.until("the rest of the flood", secs(60), |wire| wire.lines("+CMGD") == 15);
    assert_eq!(wire.texts().len(), 15);
}

#[test]
fn r10_a_storm_of_calls_does_not_starve_sending() {
    let mut wire = Wire::up();
    wire.chatter = Some((ms(50), "\r\nRING\r\n"));
    for n in 0..5 {
        assert_eq!(wire.sent("out"), Accepted(Some(n)));
    }
    assert!(wire.lines("+CHUP") > 0);
    assert!(wire.now.0 < Duration::from_secs(10), "{:?}", wire.now);
}

#[test]
fn t6_a_listing_that_never_ends_is_tried_once_and_places_are_read_one_by_one() {
    let mut wire = with_stored(ModemOptions::default(), &["one", "two"]);
    wire.faults(&["mute_command=+CMGL"]);
    wire.open(None);
    wire.until("both", LONG, |wire| wire.lines("+CMGD") == 2);
    assert_eq!(wire.texts(), ["one", "two"]);
    assert!(!wire.session.bears_lists());
    wire.until_free(secs(10));
    wire.unplug();
    wire.pass_secs(5);
    writes(&mut wire, "three");
    wire.until_free(LONG);
    wire.pass_secs(1);
    assert_eq!((wire.texts().len(), wire.lines("+CMGL")), (3, 1), "it is not asked for that again");
    assert!(wire.lines("+CMGR") <= 2 * 21, "no more places than the storage has");
    wire.still_sends();
}

#[test]
fn t6_no_listing_while_messages_wait_to_be_sent() {
    let mut wire = with_stored(ModemOptions::default(), &["one", "two"]);
    wire.faults(&["mute_command=+CMGL"]);
    let token = wire.send("first");
    wire.open(None);
    assert_eq!(wire.ended(token), Accepted(Some(0)));
    assert!(wire.now.0 < Duration::from_secs(20), "{:?}", wire.now);
    wire.still_sends();
}
