//! Whatever comes, and in whatever pieces.

use crate::wire::{Wire, ms, secs};
use otpgate::domain::message::PartResult;
use otpgate::domain::time::Mono;
use otpgate::modem::session::{Event, Input, Session};
use proptest::prelude::*;
use std::time::Duration;

/// What was told, what was written, and how many copies the network has.
#[derive(Debug, PartialEq)]
struct Life {
    events: Vec<(Mono, Event)>,
    written: Vec<(Mono, String)>,
    copies: usize,
}

/// A life with a bit of everything, in pieces of these lengths.
fn life(pieces: Vec<usize>) -> Life {
    let mut wire = Wire::new();
    wire.pieces = pieces;
    wire.faults(&["urc_in_answer=inside@next:9"]);
    wire.open(None);
    wire.until_free(secs(60));
    for flag in [
        "report_early=yes@next:1",
        "prompt_shape=echoed@next:1",
        "half_result=reference@next:1",
        "collision=cmti@next:1",
        "cut_urc=yes@next:1",
        "echo_drift=yes@next:1",
        "late_result=130@next:1",
        "lost_bytes=2@next:1",
        "prompt_late=11@next:1",
        "network_refusal=38@next:1",
        "reboot=yes@next:1",
    ] {
        wire.faults(&[flag]);
        wire.sent("one");
        wire.pass_secs(70);
    }
    Life { events: wire.events.clone(), written: wire.written.clone(), copies: wire.copies.len() }
}

/// Bytes as a modem might say them, or as it never would.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "\r\n> ",
        ">",
        "\r\nOK\r\n",
        "\r\nERROR\r\n",
        "\r\n+CMGS: 5\r\n",
        "\r\n+CMS ERROR: 38\r\n",
        "\r\n+CMS ERROR: 304\r\n",
        "\r\n+CME ERROR: 10\r\n",
        "\r\n+CDS: 25\r\n",
        "\r\n+CDS: 25\r\n07915155550500F006000B914151550501F0621132105364006211321053640000\r\n",
        "\r\n+CDSI: \"SR\",1\r\n",
        "\r\n+CMTI: \"SM\",4\r\n",
        "\r\n+CMT: ,20\r\n",
        "\r\n+CMT: ,5\r\n000414915155\r\n",
        "\r\n+CMGL: 1,1,,5\r\n000414915155\r\n",
        "\r\n+CPMS: \"SM\",3,20,\"SM\",3,20\r\n",
        "\r\n^SMMEMFULL: \"SM\"\r\n",
        "\r\nRDY\r\n",
        "\r\nNO CARRIER\r\n",
        "\r\nRING\r\n",
        "\r\n+CREG: 3\r\n",
        "\r\n+CREG: 1\r\n",
        "\r\n+CPIN: NOT READY\r\n",
        "0\r",
        "4\r",
        "AT+CGMI\r",
        "\x1a",
        "\x1b",
    ]);
    prop_oneof![
        4 => known.prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..200),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pieces_make_no_difference(pieces in prop::collection::vec(1..40_usize, 1..20)) {
        prop_assert_eq!(life(pieces), life(Vec::new()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Answers that come when their commands were given up long ago, refusals among them, say nothing about the message
    /// on the air then: one that is lost is never accepted, and one that the network has is never refused.
    #[test]
    fn s10_late_answers_are_no_evidence(
        late in 5_050..60_000_u64,
        count in 1..5_u32,
        pause in 0..70_000_u64,
        announced in any::<bool>(),
        fate in prop::sample::select(vec!["lost", "accepted"]),
    ) {
        let mut wire = Wire::up_with(&[
            &format!("late_answer={late}ms@next:{count}"),
            "refuse_command=+COPS|+CSQ",
        ]);
        if announced {
            // There is none: it is refused with 321.
            wire.hear(b"\r\n+CMTI: \"SM\",9\r\n");
        } else {
            wire.pass_secs(60);
        }
        wire.pass(ms(pause));
        wire.faults(&[&format!("silence={fate}@next:1")]);
        let token = wire.send_within("one", secs(3600), secs(60));
        let result = wire.ended(token);
        wire.pass_secs(300);
        let late = wire.late(token).map(|(_, result)| result);
        for result in [Some(result), late].into_iter().flatten() {
            match fate {
                "lost" => prop_assert!(!matches!(result, PartResult::Accepted(_)), "{result:?}"),
                // What was never handed over may be refused.
                _ if wire.handed_over.is_empty() => {}
                _ => prop_assert!(!matches!(result, PartResult::NotSent(_)), "{result:?}"),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Heard at any moment of a life with faults, it does no lasting harm: the invariants hold, every job ends once,
    /// and a modem that is well is used again.
    #[test]
    fn noise_does_no_lasting_harm(
        start in 0..4_u8,
        bursts in prop::collection::vec((0..40_000_u64, noise()), 1..12),
        fault in prop::sample::select(vec!["silence=accepted@0.3", "prompt_never=edit@0.3", "urc_in_answer=inside@0.3", "half_result=ok@0.3", "network_refusal=38@0.3"]),
    ) {
        let mut wire = if start == 0 { Wire::new() } else { Wire::up_with(&[fault]) };
        if start == 0 {
            wire.open(None);
        }
        let mut tokens = Vec::new();
        for (pause, bytes) in bursts {
            if start > 1 {
                tokens.push(wire.send("one"));
            }
            wire.pass(ms(if start == 3 { pause % 150 } else { pause }));
            wire.hear(&bytes);
        }
        wire.faults(&[]);
        for token in tokens {
            wire.until("every outcome", secs(7200), |wire| wire.outcome(token).is_some());
        }
        wire.pass_secs(200);
        let token = wire.send("well");
        wire.until("the last outcome", secs(1200), |wire| wire.outcome(token).is_some());
        // A burst may have left half a line, or a report half announced: the second one at the latest goes out.
        if !matches!(wire.outcome(token), Some((_, PartResult::Accepted(_)))) {
            wire.still_sends();
        }
    }

    /// Without any modem behind it, and in any order of inputs, it does not panic.
    #[test]
    fn no_input_panics(inputs in prop::collection::vec((0..5_000_u64, 0..8_u8, 0..4_u64, noise()), 0..60)) {
        let mut session = Session::new(Default::default());
        let mut now = Mono::default();
        for (pause, kind, token, bytes) in inputs {
            now = now + Duration::from_millis(pause);
            let job = || otpgate::modem::session::Job {
                token,
                pdu: crate::wire::pdu("one", 0),
                not_after: now + secs(60),
                send_deadline: secs(20),
            };
            session.handle_input(now, match kind {
                0 => Input::Opened { listen: (token == 1).then_some(secs(3)) },
                1 => Input::Lost,
                2 => Input::Timeout,
                3 => Input::Submit(job()),
                4 => Input::Intent { token, granted: token != 2 },
                5 => Input::Withheld { token, reason: otpgate::domain::reason::Reason::CanceledByCaller },
                _ => Input::Bytes(&bytes),
            });
            while session.poll_output().is_some() {}
            let _ = (session.view(), session.is_free(), session.next_timeout());
        }
    }
}
