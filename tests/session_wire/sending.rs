//! The send exchange.

use crate::wire::{Grant, LISTEN, LONG, SOON, Wire, ms, pdu, secs};
use otpgate::domain::message::PartResult::{Accepted, NotSent, Uncertain};
use otpgate::domain::reason::Reason;
use otpgate::modem::board::ModemState;
use otpgate::modem::quirks::Configured;
use otpgate::modem::session::Event;
use otpgate::simulator::modem::ModemOptions;

#[test]
fn a_message_goes_out_and_is_reported_on() {
    let mut wire = Wire::up();
    assert_eq!(wire.sent("hello"), Accepted(Some(0)));
    wire.pass_secs(1);
    assert_eq!(wire.reports(), [(0, 0)]);
    assert_eq!((wire.copies[0].text.as_str(), wire.copies[0].to.as_str()), ("hello", "+14155550100"));
}

#[test]
fn one_line_per_message_and_no_pause_between_two() {
    let mut wire = Wire::up();
    let before: u64 = wire.counts().at_lines.values().sum();
    let begun = wire.now;
    let tokens: Vec<u64> = (0..200).map(|n| wire.send(&format!("message {n}"))).collect();
    for (n, token) in tokens.into_iter().enumerate() {
        assert_eq!(wire.ended(token), Accepted(Some(n as u8)));
    }
    assert_eq!(wire.lines("+CMGS"), 200);
    assert_eq!(wire.counts().at_lines.values().sum::<u64>(), before + 200, "nothing else was asked");
    assert_eq!(wire.now - begun, ms(200 * 100), "the air is never idle");
    let texts: Vec<&str> = wire.copies.iter().map(|copy| copy.text.as_str()).collect();
    assert_eq!(texts, (0..200).map(|n| format!("message {n}")).collect::<Vec<_>>());
    let turns = wire.simulator.modems()[0].turns();
    assert!(turns.from_result.iter().chain(&turns.from_prompt).all(|turn| *turn == 0));
    wire.pass_secs(1);
    assert_eq!(wire.reports().len(), 200);
}

#[test]
fn delays_are_those_of_the_model_unless_configured() {
    let ours = ("\r\notpgate\r\n", "\r\notpgate\r\n");
    let other = ("\r\notpgate\r\n", "\r\nSomebody\r\n");
    let set = Configured { prompt_delay: Some(ms(7)), command_gap: Some(ms(3)) };
    let rows = [
        (ours, Configured::default(), (0, 0)),
        (other, Configured::default(), (50_000, 20_000)),
        (other, set, (7_000, 3_000)),
        (ours, set, (7_000, 3_000)),
    ];
    for (maker, configured, (prompt, result)) in rows {
        let mut wire = Wire::with(ModemOptions::default(), ms(100), configured);
        wire.mishear = vec![maker];
        wire.open(None);
        let tokens = [wire.send("one"), wire.send("two")];
        tokens.into_iter().for_each(|token| assert!(matches!(wire.ended(token), Accepted(_))));
        let turns = wire.simulator.modems()[0].turns();
        assert_eq!(turns.from_prompt, [prompt, prompt], "{maker:?} {configured:?}");
        assert_eq!(turns.from_result, [result], "{maker:?} {configured:?}");
    }
}

#[test]
fn s1_every_shape_of_the_prompt() {
    for shape in ["line_end", "no_space", "echoed", "glued", "twice"] {
        let mut wire = Wire::up_with(&[&format!("prompt_shape={shape}")]);
        assert_eq!(wire.sent("one"), Accepted(Some(0)), "{shape}");
        assert_eq!(wire.sent("two"), Accepted(Some(1)), "{shape}");
        assert_eq!(wire.copies.len(), 2, "{shape}");
        assert_eq!(wire.counts().escapes, 1, "{shape}: only that of the start");
    }
}

#[test]
fn s2_refused_before_the_prompt() {
    let rows = [
        ("error", Reason::BareError),
        ("cms:330", Reason::Cms(330)),
        ("cms:500", Reason::Cms(500)),
        ("cms:332", Reason::Cms(332)),
        ("cme:14", Reason::Cme(14)),
    ];
    for (failure, reason) in rows {
        let mut wire = Wire::up_with(&[&format!("refuse_before_prompt={failure}@next:1")]);
        let begun = wire.now;
        assert_eq!(wire.sent("refused"), NotSent(reason), "{failure}");
        assert_eq!(wire.now, begun, "{failure}: at once");
        assert!(wire.handed_over.is_empty(), "{failure}");
        wire.still_sends();
    }
}

#[test]
fn s3_the_prompt_never_comes() {
    for place in ["edit", "command"] {
        let mut wire = Wire::up_with(&[&format!("prompt_never={place}@next:1")]);
        let begun = wire.now;
        assert_eq!(wire.sent("never"), NotSent(Reason::NotTransmitted), "{place}");
        assert_eq!(wire.now - begun, secs(10), "{place}");
        assert_eq!(wire.wrote(begun, "\x1b\r"), Some(wire.now), "{place}: it may be in its editor");
        wire.still_sends();
    }
}

#[test]
fn s3_two_in_a_row_and_it_is_set_up_anew_four_and_its_port_is_reopened() {
    let mut wire = Wire::up_with(&["prompt_never=command@next:4"]);
    let set_up = |wire: &Wire| wire.lines("+CGMI");
    for (nth, set_ups, reopened) in [(1, 1, 0), (2, 2, 0), (3, 3, 0), (4, 4, 1)] {
        assert_eq!(wire.sent("never"), NotSent(Reason::NotTransmitted), "{nth}");
        wire.until_free(LONG);
        assert_eq!((set_up(&wire), wire.reopened.len()), (set_ups, reopened), "{nth}");
    }
    wire.still_sends();
    wire.faults(&["prompt_never=command@next:1"]);
    wire.sent("never");
    wire.until_free(LONG);
    assert_eq!(set_up(&wire), 4, "a success in between begins the count anew");
}

#[test]
fn s3_a_refusal_by_the_network_shows_that_the_dialogue_works() {
    let mut wire = Wire::up();
    for flags in ["prompt_never=command@next:1", "network_refusal=38@next:1", "prompt_never=command@next:1"] {
        wire.faults(&[flags]);
        assert!(matches!(wire.sent("no"), NotSent(_)));
        wire.until_free(LONG);
    }
    assert_eq!(wire.lines("+CGMI"), 1, "not set up anew: the two were not in a row");
}

#[test]
fn s4_a_prompt_that_nobody_waits_for_any_more() {
    // While it falls quiet, behind the barrier's query, and when all is over.
    for late in [10_100, 10_300, 10_301, 12_000, 15_000] {
        let mut wire = Wire::up_with(&[&format!("prompt_late={late}ms@next:1")]);
        let begun = wire.now;
        assert_eq!(wire.sent("late"), NotSent(Reason::NotTransmitted), "{late}");
        wire.pass_secs(20);
        let at = begun + ms(late);
        assert!(wire.wrote(at, "\x1b\r").is_some_and(|escaped| escaped - at <= ms(300)), "{late}: left at once");
        assert_eq!(wire.counts().submits, 0, "{late}");
        wire.still_sends();
    }
}

#[test]
fn s5_silence_after_ctrl_z() {
    for (fate, deadline, copies) in [("accepted", 120, 2), ("lost", 120, 1), ("accepted", 20, 2), ("lost", 30, 1)] {
        let mut wire = Wire::up_with(&[&format!("silence={fate}@next:1")]);
        let first = wire.send_within("one", secs(3600), secs(deadline));
        let second = wire.send("two");
        let on_air = wire.now;
        assert_eq!(wire.ended(first), Uncertain(Reason::NoResult), "{fate}");
        assert_eq!(wire.now - on_air, secs(deadline), "{fate}");
        assert!(!wire.session.is_free() && wire.session.is_on_air());
        assert!(matches!(wire.ended(second), Accepted(Some(_))), "{fate}");
        // After the PDU the first byte is the ESC at the end of listening, then the barrier, then the bring-up.
        let written: Vec<_> = wire.written.iter().skip_while(|(_, text)| !text.ends_with('\x1a')).skip(1).collect();
        assert_eq!((written[0].0 - on_air, written[0].1.as_str()), (LISTEN, "\x1b\r"), "{fate}");
        assert!(["AT+CSCS?\r", "AT+CMGF?\r", "AT+CSMS?\r"].contains(&written[1].1.as_str()), "{fate}: the barrier");
        let at_e0 = wire.wrote(on_air, "ATE0\r").expect("it is set up anew");
        let next = wire.handed_over[1].0;
        assert!(at_e0 <= next && next - on_air < LISTEN + secs(5), "{fate}");
        assert_eq!(wire.copies.len(), copies, "{fate}");
        assert!(wire.events.contains(&(on_air + LISTEN, Event::ListeningEnded)));
        assert_eq!(wire.late(first), None);
    }
}

#[test]
fn s6_a_late_result_settles_the_uncertain_one() {
    for late in [31, 60, 179] {
        let mut wire = Wire::up_with(&[&format!("late_result={late}@next:1")]);
        let first = wire.send_within("one", secs(3600), secs(30));
        let second = wire.send("two");
        let on_air = wire.now;
        assert_eq!(wire.ended(first), Uncertain(Reason::NoResult), "{late}");
        assert_eq!(wire.ended(second), Accepted(Some(1)), "{late}: its own, not the late one");
        assert_eq!(wire.late(first), Some((on_air + ms(100) + secs(late), Accepted(Some(0)))), "{late}");
        assert_eq!(wire.late(second), None, "{late}");
        assert_eq!(wire.handed_over[1].0, on_air + ms(100) + secs(late), "{late}: at once behind the result");
        assert_eq!(wire.copies.len(), 2, "{late}");
    }
}

#[test]
fn s6_a_late_refusal_settles_it_too() {
    let mut wire = Wire::up_with(&["silence=lost@next:1"]);
    let first = wire.send_within("one", secs(3600), secs(30));
    assert_eq!(wire.ended(first), Uncertain(Reason::NoResult));
    wire.pass_secs(10);
    wire.hear(b"\r\n+CMS ERROR: 38\r\n");
    assert_eq!(wire.late(first), Some((wire.now, NotSent(Reason::Cms(38)))));
    assert_eq!(wire.sent("two"), Accepted(Some(1)));
}

#[test]
fn s6_a_result_after_the_end_of_listening_is_credited_to_none() {
    // While it falls quiet, during the bring-up that follows, and when it is idle again.
    for late in [180_000, 180_300, 200_000] {
        let mut wire = Wire::up_with(&[&format!("late_result={late}ms@next:1")]);
        let first = wire.send("one");
        assert_eq!(wire.ended(first), Uncertain(Reason::NoResult), "{late}");
        wire.pass_secs(100);
        assert_eq!(wire.late(first), None, "{late}");
        assert!(wire.notices().iter().any(|words| words.contains("credited to none")), "{late}");
        let second = wire.send("two");
        assert_eq!(wire.ended(second), Accepted(Some(1)), "{late}");
    }
}

#[test]
fn s7_an_error_after_ctrl_z() {
    let rows = [
        ("error_after=cms:1,lost", NotSent(Reason::Cms(1))),
        ("error_after=cms:38,lost", NotSent(Reason::Cms(38))),
        ("error_after=cms:255,lost", NotSent(Reason::Cms(255))),
        ("error_after=cms:301,lost", NotSent(Reason::Cms(301))),
        ("error_after=cms:330,lost", NotSent(Reason::Cms(330))),
        ("error_after=cms:331,lost", NotSent(Reason::Cms(331))),
        ("network_refusal=21", NotSent(Reason::Cms(21))),
        ("error_after=cms:300,accepted", Uncertain(Reason::Cms(300))),
        ("error_after=cms:332,accepted", Uncertain(Reason::Cms(332))),
        ("error_after=cms:500,accepted", Uncertain(Reason::Cms(500))),
        ("error_after=cms:521,lost", Uncertain(Reason::Cms(521))),
        ("error_after=cms:2051,accepted", Uncertain(Reason::Cms(2051))),
        ("error_after=cms:777,lost", Uncertain(Reason::Cms(777))),
        ("error_after=cme:14,lost", Uncertain(Reason::Cme(14))),
        ("error_after=cme:100,accepted", Uncertain(Reason::Cme(100))),
        ("error_after=error,accepted", Uncertain(Reason::BareError)),
        ("error_after=error,lost", Uncertain(Reason::BareError)),
    ];
    for (flag, expected) in rows {
        let mut wire = Wire::up_with(&[&format!("{flag}@next:1")]);
        let begun = wire.now;
        assert_eq!(wire.sent("one"), expected, "{flag}");
        assert_eq!(wire.now - begun, ms(100), "{flag}");
        assert_eq!(wire.copies.len(), usize::from(flag.ends_with("accepted")), "{flag}");
        wire.still_sends();
    }
}

#[test]
fn s7_301_or_303_twice_in_a_row_stops_the_modem() {
    for flag in ["error_after=cms:301,lost", "error_after=cms:303,lost", "refuse_before_prompt=cms:303"] {
        let mut wire = Wire::up_with(&[flag]);
        assert!(matches!(wire.sent("one"), NotSent(Reason::Cms(301 | 303))), "{flag}");
        wire.until_free(LONG);
        assert_eq!((wire.lines("+CGMI"), wire.stopped.len()), (2, 0), "{flag}: set up anew first");
        assert!(matches!(wire.sent("two"), NotSent(Reason::Cms(301 | 303))), "{flag}");
        assert_eq!(wire.session.view().state, ModemState::Closed, "{flag}");
        let (at, why) = wire.stopped[0];
        assert!(at == wire.now && why.contains("AT port") && why.contains("other program"), "{flag}: {why}");
        let written = wire.written.len();
        wire.pass_secs(3600);
        assert_eq!((wire.written.len(), wire.reopened.len()), (written, 0), "{flag}: it is left alone");
        wire.faults(&[]);
        wire.open(None);
        wire.until_free(LONG);
        wire.still_sends();
        assert_eq!(wire.stopped.len(), 1, "{flag}");
    }
}

#[test]
fn s7_301_or_303_is_counted_until_a_message_is_answered_otherwise() {
    let rows = [
        ("half_result=ok@next:1", 0),
        ("network_refusal=38@next:1", 0),
        ("error_after=cms:500,lost@next:1", 0),
        // What was never handed over says nothing.
        ("refuse_before_prompt=cms:330@next:1", 1),
        ("port_loss=prompt@next:1", 1),
    ];
    for (between, stopped) in rows {
        let mut wire = Wire::up();
        for flag in ["error_after=cms:301,lost@next:1", between, "error_after=cms:303,lost@next:1"] {
            wire.until_free(LONG);
            wire.faults(&[flag]);
            wire.sent("one");
        }
        assert_eq!(wire.stopped.len(), stopped, "{between}");
    }
}

#[test]
fn s8_half_a_result() {
    for (half, expected, after) in [("reference", Accepted(Some(0)), 2100), ("ok", Accepted(None), 10_100)] {
        let mut wire = Wire::up_with(&[&format!("half_result={half}@next:1")]);
        let begun = wire.now;
        assert_eq!(wire.sent("one"), expected, "{half}");
        assert_eq!(wire.now - begun, ms(after), "{half}");
        assert_eq!(wire.sent("two"), Accepted(Some(1)), "{half}");
        assert_eq!(wire.copies.len(), 2, "{half}");
    }
}

#[test]
fn s8_a_modem_that_answers_ok_alone_is_slow_with_the_first_message_only() {
    let mut wire = Wire::up_with(&["half_result=ok"]);
    for (message, at_most) in [11_000, 500, 500, 500].into_iter().enumerate() {
        wire.until_free(SOON);
        let begun = wire.now;
        assert_eq!(wire.sent("one"), Accepted(None));
        assert!(wire.now - begun < ms(at_most), "{message}: {:?}", wire.now - begun);
    }
    assert_eq!((wire.copies.len(), wire.reopened.len()), (4, 0));
}

/// Behind 0x1A something says `OK` that is not the network's: nothing is written until the result is there.
#[test]
fn s8_an_ok_that_is_anothers_ends_no_send() {
    let mut wire = Wire::with(Default::default(), secs(8), Default::default());
    wire.open(None);
    wire.until_free(SOON);
    let first = wire.send("one");
    wire.pass_secs(1);
    wire.hear(b"\r\nOK\r\n");
    let second = wire.send("two");
    wire.pass_secs(6);
    assert_eq!((wire.outcome(first), wire.handed_over.len()), (None, 1));
    assert_eq!((wire.ended(first), wire.ended(second)), (Accepted(Some(0)), Accepted(Some(1))));
    assert_eq!(wire.copies.len(), 2);
    assert_eq!(wire.counts().bytes_while_sending, 0);
}

#[test]
fn s9_left_in_the_editor() {
    let mut wire = Wire::new();
    wire.faults(&["start_in_edit=yes"]);
    wire.open(None);
    wire.until_free(secs(60));
    assert_eq!(wire.written[0].1, "\x1b\r", "the first thing said");
    assert_eq!(wire.counts().submits, 0, "what was left there is not sent");
    assert_eq!(wire.sent("ours"), Accepted(Some(0)));
    assert_eq!(wire.copies.len(), 1);
    assert_eq!(wire.copies[0].text, "ours");
}

#[test]
fn s11_something_comes_in_between() {
    for (kind, error) in [("ring", false), ("cmti", false), ("ring", true), ("cmti", true)] {
        let collision = format!("collision={kind}@next:1");
        let flags = if error { vec![collision.as_str(), "error_after=cms:512,lost@next:1"] } else { vec![&*collision] };
        let mut wire = Wire::up_with(&flags);
        let expected = if error { Uncertain(Reason::Cms(512)) } else { Accepted(Some(0)) };
        assert_eq!(wire.sent("one"), expected, "{kind}");
        wire.pass_secs(5);
        assert_eq!(wire.lines("+CMGR"), u64::from(kind == "cmti"), "{kind}: looked for after the send, not in it");
        wire.still_sends();
    }
}

#[test]
fn s12_lost_bytes() {
    let mut wire = Wire::up_with(&["lost_bytes=4@next:1"]);
    assert_eq!(wire.sent("one"), NotSent(Reason::Cms(304)));
    let refused = wire.now;
    let second = wire.send("two");
    assert_eq!(wire.ended(second), Accepted(Some(0)));
    let set_up = wire.wrote(refused, "AT+CMGF=0\r").expect("it is set up anew");
    assert!(wire.wrote(refused, "ATE0\r").is_some() && set_up <= wire.handed_over[1].0);
    assert_eq!(wire.copies.len(), 1);
}

#[test]
fn s13_no_line_feed() {
    let mut wire = Wire::up_with(&["lf_sensitive=yes"]);
    assert_eq!(wire.sent("one"), Accepted(Some(0)));
    assert_eq!(wire.sent("two"), Accepted(Some(1)));
    assert!(wire.written.iter().all(|(_, text)| !text.contains('\n')));
    assert_eq!(wire.copies.iter().map(|copy| copy.text.as_str()).collect::<Vec<_>>(), ["one", "two"]);
}

/// A message has been on the air for a second when the process dies.
fn crashed(flags: &[&str]) -> Wire {
    let mut wire = Wire::with(ModemOptions::default(), secs(5), Configured::default());
    wire.open(None);
    wire.until_free(secs(10));
    wire.faults(flags);
    wire.send("before");
    wire.pass_secs(1);
    assert_eq!(wire.handed_over.len(), 1);
    wire.events.clear();
    wire.crash(Some(secs(10)));
    wire
}

fn heard(wire: &Wire) -> Vec<&Event> {
    let told = |event: &&Event| matches!(event, Event::Identified { .. } | Event::Heard(_));
    wire.events.iter().map(|(_, event)| event).filter(told).collect()
}

#[test]
fn s14_after_a_crash_the_result_is_heard_before_the_first_byte() {
    let rows: [(&[&str], _); 3] = [
        (&[], Accepted(Some(0))),
        (&["network_refusal=38"], NotSent(Reason::Cms(38))),
        (&["half_result=reference"], Accepted(Some(0))),
    ];
    for (flags, expected) in rows {
        let mut wire = crashed(flags);
        let begun = wire.now;
        wire.until_free(secs(60));
        let first = wire.written_since(begun);
        assert_eq!(first[0], "\x1b\r", "{flags:?}");
        assert!(wire.wrote(begun, "\x1b\r") >= Some(begun + secs(4)), "{flags:?}: not before the result");
        match heard(&wire)[..] {
            [Event::Identified { .. }, Event::Heard(result)] => assert_eq!(*result, expected, "{flags:?}"),
            ref other => panic!("{flags:?}: {other:?}"),
        }
        wire.faults(&[]);
        wire.still_sends();
    }
}

#[test]
fn s14_after_a_crash_silence_is_listened_to_for_so_long() {
    let mut wire = crashed(&["silence=accepted"]);
    let begun = wire.now;
    wire.until_free(secs(60));
    assert_eq!(wire.wrote(begun, "\x1b\r"), Some(begun + secs(10)));
    assert!(matches!(heard(&wire)[..], [Event::Identified { .. }]));
    wire.faults(&[]);
    wire.still_sends();
}

#[test]
fn s14_after_a_crash_a_result_that_comes_later_is_heard_too() {
    // While it falls quiet, during the bring-up, and when it can send again.
    for late in [5_950, 6_300, 6_600, 8_000, 60_000] {
        let mut wire = crashed(&[&format!("late_result={late}ms")]);
        wire.pass_secs(100);
        assert!(wire.notices().is_empty(), "{late}");
        let expected = Event::Heard(Accepted(Some(0)));
        assert!(matches!(heard(&wire)[..], [Event::Identified { .. }, event] if *event == expected), "{late}");
        wire.faults(&[]);
        wire.still_sends();
    }
}

#[test]
fn s14_of_two_results_heard_before_it_is_identified_the_first_counts() {
    let mut wire = Wire::new();
    wire.mishear = vec![("\r\n+CPIN: READY\r\n\r\nOK\r\n", "\r\n+CME ERROR: 14\r\n")];
    wire.open(None);
    wire.pass_secs(5);
    wire.hear(b"\r\n+CMGS: 8\r\n\r\nOK\r\n\r\n+CMGS: 9\r\n\r\nOK\r\n");
    assert!(heard(&wire).is_empty());
    wire.mishear.clear();
    wire.until_free(secs(60));
    let expected = Event::Heard(Accepted(Some(8)));
    assert!(matches!(heard(&wire)[..], [Event::Identified { .. }, event] if *event == expected));
    wire.still_sends();
}

#[test]
fn s14_no_own_jobs_result_is_a_former_runs() {
    let rows: [(&str, u64); 6] = [
        // Listened for in vain; lost with the port; after an error; after a bare OK; after a restart.
        ("silence=accepted@next:1", 200),
        ("port_loss=submit@next:1", 20),
        ("error_after=error,accepted@next:1", 20),
        ("error_after=cms:500,accepted@next:1", 20),
        ("half_result=ok@next:1", 20),
        // And on the air.
        ("late_result=150@next:1", 200),
    ];
    for (flag, pause) in rows {
        let mut wire = Wire::up_with(&[flag]);
        wire.send("one");
        wire.pass_secs(pause);
        wire.until_free(LONG);
        wire.hear(b"\r\n+CMGS: 0\r\n\r\nOK\r\n");
        let told = wire.events.iter().filter(|(_, event)| matches!(event, Event::Heard(_))).count();
        assert_eq!(told, usize::from(flag.starts_with("late")), "{flag}");
        wire.still_sends();
    }
}

#[test]
fn s15_a_port_lost_between_parts() {
    let text = "A text that is too long for one short message, since it goes on and on and has more to say than the \
                hundred and sixty characters that would fit into one, so that it is cut in two.";
    let mut wire = Wire::up_with(&["port_loss=prompt@next:1"]);
    wire.faults(&[]);
    let part = |wire: &mut Wire, n| {
        let token = wire.send_pdu(pdu(text, n), secs(3600), secs(120));
        wire.ended(token)
    };
    assert_eq!(part(&mut wire, 0), Accepted(Some(0)));
    wire.faults(&["port_loss=prompt@next:1"]);
    assert_eq!(part(&mut wire, 1), NotSent(Reason::NotTransmitted));
    assert_eq!(part(&mut wire, 1), Accepted(Some(1)), "after the port is back, with the same reference");
    assert_eq!((wire.copies[0].part, wire.copies[1].part, wire.copies[1].total), (1, 2, 2));
    assert_eq!(wire.copies[0].concat_reference, wire.copies[1].concat_reference);
    assert_eq!(wire.copies.iter().map(|copy| copy.text.as_str()).collect::<String>(), text);
}

#[test]
fn prompt_and_grant_in_both_orders() {
    for (late_prompt, grant) in [(0, 0), (0, 2000), (2000, 0), (2000, 3000), (3000, 2000), (9900, 14_800)] {
        let mut wire = Wire::up_with(&[&format!("prompt_late={late_prompt}ms@next:1")]);
        wire.grant = Grant::After(ms(grant));
        let begun = wire.now;
        assert_eq!(wire.sent("one"), Accepted(Some(0)));
        assert_eq!(wire.handed_over[0].0 - begun, ms(late_prompt.max(grant)), "behind both");
    }
}

#[test]
fn an_intent_that_is_not_granted_leaves_nothing() {
    let rows = [(Grant::Refused, 0), (Grant::Never, 5), (Grant::After(secs(6)), 5)];
    for (grant, after) in rows {
        let mut wire = Wire::up();
        wire.grant = grant;
        let begun = wire.now;
        assert_eq!(wire.sent("one"), NotSent(Reason::NotTransmitted), "{grant:?}");
        assert_eq!(wire.now - begun, secs(after), "{grant:?}");
        assert_eq!(wire.wrote(begun, "\x1b\r"), Some(wire.now), "{grant:?}: the editor is left");
        wire.grant = Grant::After(ms(2000));
        // A grant that comes too late is for its own message, not for the one that waits now.
        let second = wire.send("two");
        assert_eq!(wire.ended(second), Accepted(Some(0)), "{grant:?}");
        wire.pass_secs(10);
        assert_eq!(wire.copies.len(), 1, "{grant:?}");
        assert_eq!(wire.copies[0].text, "two", "{grant:?}");
    }
}

#[test]
fn what_is_withheld_between_grant_and_hand_over_is_not_sent() {
    for reason in [Reason::CanceledByCaller, Reason::TtlPassed] {
        let mut wire = Wire::up();
        wire.withhold = Some(reason);
        let begun = wire.now;
        assert_eq!(wire.sent("one"), NotSent(reason));
        assert_eq!(wire.wrote(begun, "\x1b\r"), Some(begun));
        wire.withhold = None;
        wire.still_sends();
    }
}

#[test]
fn nothing_is_handed_over_at_or_after_its_deadline() {
    for (life, sent) in [(1000, false), (2000, false), (2001, true)] {
        let mut wire = Wire::up();
        wire.grant = Grant::After(ms(2000));
        let token = wire.send_within("one", ms(life), secs(20));
        let result = wire.ended(token);
        assert_eq!(result == Accepted(Some(0)), sent, "{life}: {result:?}");
        if !sent {
            assert_eq!(result, NotSent(Reason::TtlPassed), "{life}");
        }
        wire.grant = Grant::After(ms(0));
        wire.still_sends();
    }
}
