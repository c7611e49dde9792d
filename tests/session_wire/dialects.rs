//! What models say and take otherwise, and where the service centre's number comes from.

use crate::wire::{Wire, ms, secs};
use otpgate::domain::message::PartResult::{Accepted, NotSent, Uncertain};
use otpgate::domain::msisdn::Msisdn;
use otpgate::domain::reason::{Meaning, Reason};
use otpgate::domain::time::Mono;
use otpgate::modem::quirks::Configured;
use otpgate::simulator::modem::ModemOptions;

/// The virtual modem under another name.
fn named(manufacturer: &str, model: &str) -> Wire {
    let options = ModemOptions { manufacturer: manufacturer.into(), model: model.into(), ..ModemOptions::default() };
    Wire::with(options, ms(100), Configured::default())
}

fn asked(wire: &Wire, text: &str) -> usize {
    wire.written.iter().filter(|(_, written)| written.trim_end() == text).count()
}

#[test]
fn t7_a_modem_that_refuses_the_usual_indications_sends_and_says_what_it_lacks() {
    let mut wire = named("INCORPORATED", "A7670SA-FASE");
    // It lists them and refuses them, and it wants nothing acknowledged.
    wire.faults(&["refuse_command=+CNMI=2,1,0,1|+CNMI=1,1,0,1|+CNMI=2,1,0,2|+CNMI=1,1,0,2", "prompt_shape=line_end"]);
    wire.open(None);
    wire.until_free(secs(30));
    let view = wire.session.view();
    assert_eq!(view.quirks, "SIMCom A76xx");
    assert!(view.degraded.iter().any(|words| words.contains("no status reports")), "{:?}", view.degraded);
    assert!(!wire.session.gives_reports());
    assert_eq!(asked(&wire, "AT+CICCID"), 1, "the query that it is known to answer comes first");
    assert_eq!(asked(&wire, "AT+CCID"), 0);
    wire.still_sends();
}

#[test]
fn t7_what_a_row_wants_said_may_be_refused_without_harm() {
    for (refused, unknown) in [("+CREG=9", "unknown_command=cme100"), ("+CFUN=9", "unknown_command=not_support")] {
        let mut wire = named("huawei", "E173");
        wire.faults(&[&format!("refuse_command={refused}"), unknown]);
        wire.open(None);
        wire.until_free(secs(30));
        assert_eq!(wire.session.view().quirks, "Huawei stick");
        for text in ["AT^CURC=0", "AT^PORTSEL=1"] {
            assert_eq!(asked(&wire, text), 1, "{text}");
        }
        assert!(wire.session.view().degraded.is_empty(), "{:?}", wire.session.view().degraded);
        assert!(wire.written.iter().all(|(_, text)| !text.contains("GETPORTMODE")));
        wire.still_sends();
    }
}

#[test]
fn t7_a_modem_that_takes_the_first_storage_only() {
    let rows = [
        ("+CPMS=\"SM\",\"SM\",\"SM\"", Some("AT+CPMS=\"SM\",\"SM\"")),
        ("+CPMS=\"SM\",\"SM\"", Some("AT+CPMS=\"SM\"")),
        ("+CPMS=\"", None),
    ];
    for (refused, taken) in rows {
        let mut wire = Wire::new();
        wire.faults(&[&format!("refuse_command={refused}")]);
        wire.open(None);
        wire.until_free(secs(30));
        let lacks = wire.session.view().degraded.iter().any(|words| words.contains("AT+CPMS"));
        assert_eq!(lacks, taken.is_none(), "{refused}");
        if let Some(taken) = taken {
            let mut tried =
                wire.written.iter().map(|(_, text)| text.trim_end()).filter(|t| t.starts_with("AT+CPMS=\""));
            let in_vain =
                tried.by_ref().take_while(|text| *text != taken).filter(|text| !text[2..].starts_with(refused));
            assert_eq!(in_vain.count(), 0, "{refused}: the next form follows, and is taken");
            assert!(wire.written.iter().any(|(_, text)| text.trim_end() == taken), "{refused}");
        }
        wire.still_sends();
    }
}

#[test]
fn t13_the_character_set_of_another_program_is_put_back() {
    let mut wire = Wire::new();
    wire.behind_its_back("AT+CSCS=\"UCS2\"\r");
    wire.open(None);
    wire.until_free(secs(30));
    assert_eq!((asked(&wire, "AT+CSCS=\"GSM\""), asked(&wire, "AT+CSCS?")), (1, 1));
    assert!(wire.session.view().degraded.is_empty());
    wire.still_sends();
}

#[test]
fn t13_a_character_set_that_stays_is_told() {
    for (refused, taken) in [("+CSCS=\"GSM\"", true), ("+CSCS=", false)] {
        let mut wire = Wire::new();
        wire.behind_its_back("AT+CSCS=\"UCS2\"\r");
        wire.faults(&[&format!("refuse_command={refused}")]);
        wire.open(None);
        wire.until_free(secs(30));
        let told = wire.session.view().degraded.iter().any(|words| words.contains("character set"));
        assert_eq!(told, !taken, "{refused}: IRA is as good");
        wire.still_sends();
    }
}

#[test]
fn r4_reports_lie_where_the_row_says() {
    let mut wire = named("Quectel", "EC25");
    wire.faults(&["refuse_command=+CNMI=2,1,0,1|+CNMI=1,1,0,1"]);
    wire.mishear.push(("+CDSI: \"SR\",1", "+CDSI: \"SM\",1"));
    wire.open(None);
    wire.until_free(secs(30));
    assert_eq!(wire.sent("one"), Accepted(Some(0)));
    wire.pass_secs(5);
    assert_eq!(wire.reports(), [(0, 0)]);
    assert!(wire.notices().is_empty(), "{:?}", wire.notices());
}

/// Some count their places from 0.
#[test]
fn r3_the_first_place_may_be_0() {
    let mut wire = Wire::up();
    wire.hear(b"\r\n+CMTI: \"SM\",0\r\n");
    wire.pass_secs(5);
    assert_eq!((asked(&wire, "AT+CMGR=0"), wire.lines("+CMGD")), (1, 0), "and where nothing lies, nothing is deleted");
    wire.still_sends();
}

#[test]
fn s7_a_makers_own_number_counts_for_his_modems_alone() {
    let rows = [
        ("SIEMENS", "MC35i", 535, NotSent(Reason::MakersCms(535, Meaning::Modem))),
        ("SIEMENS", "MC35i", 516, NotSent(Reason::MakersCms(516, Meaning::Message))),
        ("SIEMENS", "MC35i", 517, NotSent(Reason::MakersCms(517, Meaning::Garbled))),
        ("SIMCOM_Ltd", "SIMCOM_SIM900", 517, NotSent(Reason::MakersCms(517, Meaning::Modem))),
        ("SIEMENS", "MC35i", 521, Uncertain(Reason::Cms(521))),
        ("Quectel_Ltd", "Quectel_M66", 535, Uncertain(Reason::Cms(535))),
        ("Quectel_Ltd", "Quectel_M66", 2051, NotSent(Reason::MakersCms(2051, Meaning::SimCard))),
        ("ACME", "one", 515, Uncertain(Reason::Cms(515))),
    ];
    for (manufacturer, model, number, expected) in rows {
        let mut wire = named(manufacturer, model);
        wire.open(None);
        wire.until_free(secs(30));
        wire.faults(&[&format!("error_after=cms:{number},lost@next:1")]);
        assert_eq!(wire.sent("one"), expected, "{manufacturer} {number}");
    }
}

/// A card without a number for its service centre, and a modem that has none.
fn without_a_centre(on_card: &str) -> Wire {
    let options = ModemOptions { smsc: on_card.into(), ..ModemOptions::default() };
    let mut wire = Wire::with(options, ms(100), Configured::default());
    wire.behind_its_back("AT+CSCA=\"\"\r");
    wire
}

#[test]
fn e330_the_number_on_the_card_is_set() {
    let mut wire = without_a_centre("+15555550042");
    wire.open(None);
    wire.until_free(secs(30));
    assert_eq!(asked(&wire, "AT+CSCA=\"+15555550042\",145"), 1);
    assert!(wire.session.view().degraded.is_empty(), "{:?}", wire.session.view().degraded);
    wire.still_sends();
}

#[test]
fn e330_the_configured_number_comes_before_the_one_on_the_card() {
    let configured = Msisdn::parse("+15555550077").unwrap();
    let mut wire = without_a_centre("+15555550042").card(|card| card.smsc = Some(configured));
    wire.open(None);
    wire.until_free(secs(30));
    assert_eq!(asked(&wire, "AT+CSCA=\"+15555550077\",145"), 1);
    assert_eq!(wire.lines("+CRSM"), 0);
    wire.still_sends();
}

#[test]
fn e330_where_there_is_none_the_line_to_write_is_named() {
    let mut wire = without_a_centre("");
    wire.open(None);
    wire.until_free(secs(30));
    let degraded = wire.session.view().degraded;
    assert!(degraded.iter().any(|words| words.contains("smsc = ") && words.contains("[[sim_card]]")), "{degraded:?}");
    assert_eq!(wire.sent("one"), NotSent(Reason::Cms(330)));
}

#[test]
fn e330_a_number_that_the_modem_forgets_is_set_again_before_the_next_try() {
    let mut wire = Wire::up();
    wire.still_sends();
    wire.behind_its_back("AT+CSCA=\"\"\r");
    let before = wire.now;
    assert_eq!(wire.sent("two"), NotSent(Reason::Cms(330)));
    assert_eq!(wire.sent("two"), Accepted(Some(1)), "the same SIM card takes it now");
    assert!(wire.wrote(before, "AT+CSCA=\"+15555550000\",145\r").is_some());
}

#[test]
fn e330_a_modem_that_takes_no_number_says_so() {
    let mut wire = without_a_centre("+15555550042");
    wire.faults(&["refuse_command=+CSCA=\"+"]);
    wire.open(None);
    wire.until_free(secs(30));
    assert!(wire.session.view().degraded.iter().any(|words| words.contains("AT+CSCA=")));
}

/// 21 is said of a wrong service centre too: the configured one is compared, and set once.
#[test]
fn e330_a_rejected_transfer_has_the_number_compared() {
    for (configured, sets) in [("+15555550000", 0), ("+15555550077", 1)] {
        let configured = Msisdn::parse(configured).unwrap();
        let mut wire = Wire::new().card(|card| card.smsc = Some(configured));
        wire.open(None);
        wire.until_free(secs(30));
        assert_eq!(wire.written.iter().filter(|(_, text)| text.starts_with("AT+CSCA=")).count(), 0);
        wire.faults(&["network_refusal=21@next:2"]);
        for _ in 0..2 {
            assert_eq!(wire.sent("one"), NotSent(Reason::Cms(21)));
        }
        wire.still_sends();
        let set = wire.written.iter().filter(|(_, text)| text.starts_with("AT+CSCA=")).count();
        assert_eq!(set, sets);
    }
}

/// What lost nothing is tried with half the pause, and what was learned is there after the port was lost.
#[test]
fn s12_the_pause_behind_the_prompt_gets_shorter_until_something_is_lost() {
    let mut wire = named("ACME", "one");
    wire.open(None);
    wire.until_free(secs(30));
    let pause = |wire: &mut Wire| {
        let begun = wire.now;
        assert!(matches!(wire.sent("one"), Accepted(_)));
        let handed_over = wire.handed_over.last().unwrap().0;
        // Nothing else takes time before it, but the pause between two commands.
        (handed_over - begun).as_millis()
    };
    assert!(pause(&mut wire) >= 50);
    for _ in 0..24 {
        pause(&mut wire);
    }
    let traits = wire.session.traits().unwrap();
    assert_eq!((traits.prompt_delay, traits.prompt_delay_settled), (Some(ms(25)), false));
    // A byte is lost, as where the PDU comes too soon: 304.
    wire.faults(&["lost_bytes=2@next:1"]);
    assert_eq!(wire.sent("one"), NotSent(Reason::Cms(304)));
    wire.until_free(secs(30));
    let traits = wire.session.traits().unwrap();
    assert_eq!((traits.prompt_delay, traits.prompt_delay_settled), (Some(ms(25)), true));
    wire.unplug();
    wire.until_free(secs(30));
    assert!((25..50).contains(&pause(&mut wire)));
    assert_eq!(traits.report_form, Some([2, 1, 0, 1, 0]));

    // A sister begins where this one is.
    let mut sister = named("ACME", "one");
    sister.open(None);
    sister.until_free(secs(30));
    sister.session.teach(&traits);
    assert!((25..50).contains(&pause(&mut sister)));
}

#[test]
fn nothing_is_learned_of_a_modem_that_has_told_half_its_name() {
    let mut wire = named("ACME", "one");
    wire.open(None);
    wire.until("its model", secs(30), |wire| wire.session.model_name().is_some());
    assert_eq!(wire.session.traits(), None);
    wire.until_free(secs(30));
    let traits = wire.session.traits().unwrap();
    assert!(!traits.name.revision.is_empty() && traits.report_form.is_some(), "{traits:?}");
}

#[test]
fn nothing_is_learned_of_a_virtual_modem_and_nothing_tried_where_the_pause_is_configured() {
    let mut wire = Wire::up();
    wire.still_sends();
    assert_eq!(wire.session.traits(), None);
    let options = ModemOptions { manufacturer: "ACME".into(), ..ModemOptions::default() };
    let mut wire = Wire::with(options, ms(100), Configured { prompt_delay: Some(ms(7)), command_gap: None });
    wire.open(None);
    wire.until_free(secs(30));
    for _ in 0..12 {
        assert!(matches!(wire.sent("one"), Accepted(_)));
    }
    assert_eq!(wire.session.traits().unwrap().prompt_delay, None);
    assert_eq!(wire.session.traits().unwrap().report_form, Some([2, 1, 0, 1, 0]));
}

#[test]
fn the_first_message_of_a_named_modem_waits_as_its_row_says() {
    let mut wire = named("WAVECOM MODEM", " MULTIBAND  900E  1800 ");
    wire.open(None);
    wire.until_free(secs(30));
    assert_eq!(wire.session.quirks().name, "Wavecom");
    let begun = wire.now;
    assert_eq!(wire.sent("one"), Accepted(Some(0)));
    assert!(wire.handed_over[0].0 >= begun + ms(50));
    assert_ne!(wire.now, Mono::default());
}

/// However often the echo comes back, and whatever splits it, the modem is set up.
#[test]
fn t4_echoes_that_come_back_and_are_split_hold_no_bring_up_up() {
    for seed in 0..200 {
        let mut wire = Wire::seeded(ModemOptions::default(), seed);
        wire.faults(&["echo_drift=yes@0.2", "urc_in_answer=echo@0.3"]);
        wire.open(None);
        wire.until_free(secs(120));
    }
}
