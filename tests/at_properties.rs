//! What holds for any bytes at all: chopping them changes nothing, none panics, none makes the engine write after 0x1A.

use otpgate::at::*;
use otpgate::domain::time::Mono;
use proptest::prelude::*;
use std::time::Duration;

const PDU: &str = "0011000B914151550510F00000AA05E8329BFD06";

/// Where the engine stands when the bytes come.
#[derive(Clone, Copy, Debug)]
enum Stand {
    Closed,
    Listening,
    Draining,
    Probing,
    Idle,
    Command(u8),
    Asked,
    Prompted,
    OnAir,
    Barrier,
}

/// Drains the outputs. PDUs are told apart in the traffic by their mark.
fn drain(engine: &mut Engine, outputs: &mut Vec<Output>) {
    while let Some(output) = engine.poll_output() {
        outputs.push(output);
    }
}

fn synchronised() -> Engine {
    let mut engine = Engine::new(Config::default());
    engine.handle_input(Mono::from_millis(0), Input::Start { listen_until: None });
    for ms in [300, 400] {
        engine.handle_input(Mono::from_millis(ms), Input::Timeout);
        engine.handle_input(Mono::from_millis(ms), Input::Bytes(b"\r\nOK\r\n"));
    }
    engine.handle_input(Mono::from_millis(500), Input::Timeout);
    assert!(engine.is_ready());
    engine
}

fn engine(stand: Stand) -> Engine {
    let now = NOW;
    let mut engine = synchronised();
    let start = |listen_until| Input::Start { listen_until };
    let submit = Submit {
        token: 1,
        pdu: PduHex::new(PDU, 19).unwrap(),
        length: 19,
        prompt_deadline: Duration::from_secs(5),
        prompt_delay: Duration::ZERO,
        not_after: now + Duration::from_secs(300),
        send_deadline: Duration::from_secs(60),
    };
    match stand {
        Stand::Closed => engine.handle_input(now, Input::Reset),
        Stand::Listening => engine.handle_input(now, start(Some(now + Duration::from_secs(10)))),
        Stand::Draining => engine.handle_input(now, start(None)),
        Stand::Probing => {
            engine.handle_input(Mono::from_millis(9_700), start(None));
            engine.handle_input(now, Input::Timeout);
        }
        Stand::Idle => {}
        Stand::Command(n) => {
            let commands = [
                Command::signal(),
                Command::registration(),
                Command::identification(),
                Command::imei(),
                Command::list_messages(4),
                Command::pin_state(),
            ];
            engine.handle_input(now, Input::Command(commands[usize::from(n) % commands.len()].clone()));
        }
        Stand::Asked => engine.handle_input(now, Input::Submit(submit)),
        Stand::Prompted | Stand::OnAir => {
            engine.handle_input(now, Input::Submit(submit));
            engine.handle_input(now, Input::Bytes(b"\r\n> "));
            if matches!(stand, Stand::OnAir) {
                engine.handle_input(now, Input::Release { token: 1, granted: true });
                assert!(engine.is_on_air());
            }
        }
        Stand::Barrier => {
            engine.handle_input(Mono::from_millis(9_700), Input::Bytes(b"\r\n> "));
            engine.handle_input(now, Input::Timeout);
        }
    }
    drain(&mut engine, &mut Vec::new());
    engine
}

fn stand() -> impl Strategy<Value = Stand> {
    prop_oneof![
        Just(Stand::Closed),
        Just(Stand::Listening),
        Just(Stand::Draining),
        Just(Stand::Probing),
        Just(Stand::Idle),
        (0u8..6).prop_map(Stand::Command),
        Just(Stand::Asked),
        Just(Stand::Prompted),
        Just(Stand::OnAir),
        Just(Stand::Barrier),
    ]
}

/// What a modem might say, in any order, with some noise between.
fn speech() -> impl Strategy<Value = Vec<u8>> {
    let words: Vec<&'static [u8]> = vec![
        b"\r\nOK\r\n",
        b"\r\nERROR\r\n",
        b"\r\n+CMS ERROR: 38\r\n",
        b"\r\n+CME ERROR: SIM busy\r\n",
        b"\r\n> ",
        b">",
        b"\r\n",
        b"\r\n+CMGS: 7\r\n",
        b"\r\n+CSQ: 17,99\r\n",
        b"\r\n+CREG: 1\r\n",
        b"\r\n+CREG: 2,1,\"00A1\",\"0000B2C3\",7\r\n",
        b"\r\n+CMTI: \"SM\",3\r\n",
        b"\r\n+CDS: 23\r\n",
        b"0006050A8141555501001111111111111111111111111100\r\n",
        b"\r\n+CMT: \"+1\",,\"24/01/01,00:00:00+00\"\r\n",
        b"\r\n+CMGL: 0,1,,23\r\n",
        b"\r\n+CPIN: READY\r\n",
        b"\r\n+CSCS: \"GSM\"\r\n",
        b"490154203237518\r\n",
        b"\r\nNO CARRIER\r\n",
        b"0\r",
        b"AT+CGMI\r",
        b"AT+CMGS=19\r",
        b"RDY\r\n",
        b"\x00\xff\x1a\x1b",
        b"(\",\"),((,",
    ];
    let word = prop_oneof![
        8 => proptest::sample::select(words).prop_map(<[u8]>::to_vec),
        1 => proptest::collection::vec(any::<u8>(), 0..40),
        1 => proptest::collection::vec(proptest::sample::select(b"\r\n>+CMGS: ERO,\"()K0\x1a".to_vec()), 0..40),
    ];
    proptest::collection::vec(word, 0..12).prop_map(|words| words.concat())
}

fn hear(engine: &mut Engine, bytes: &[u8]) -> Vec<Output> {
    let mut outputs = Vec::new();
    engine.handle_input(NOW, Input::Bytes(bytes));
    drain(engine, &mut outputs);
    outputs
}

proptest! {
    #[test]
    fn any_chopping_gives_the_same_events(
        stand in stand(),
        bytes in speech(),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let (mut whole, mut chopped) = (engine(stand), engine(stand));
        let expected = hear(&mut whole, &bytes);
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let found: Vec<_> = cuts.windows(2).flat_map(|cut| hear(&mut chopped, &bytes[cut[0]..cut[1]])).collect();
        prop_assert_eq!(found, expected);
        prop_assert_eq!(chopped.next_timeout(), whole.next_timeout());
        prop_assert_eq!(format!("{chopped:?}"), format!("{whole:?}"));
    }

    #[test]
    fn byte_by_byte_too(stand in stand(), bytes in speech()) {
        let (mut whole, mut chopped) = (engine(stand), engine(stand));
        let expected = hear(&mut whole, &bytes);
        let found: Vec<_> = bytes.chunks(1).flat_map(|byte| hear(&mut chopped, byte)).collect();
        prop_assert_eq!(found, expected);
    }

    /// Whatever is heard and however time passes: no panic, no endless deadline, and after 0x1A silence until the
    /// message has its result or 180 s are over.
    #[test]
    fn nothing_panics_and_nothing_is_written_on_the_air(
        stand in stand(),
        steps in proptest::collection::vec((speech(), 0u64..70_000), 0..8),
    ) {
        let mut engine = engine(stand);
        let mut now = NOW;
        for (bytes, wait) in steps {
            let on_air = engine.is_on_air();
            let mut outputs = Vec::new();
            engine.handle_input(now, Input::Bytes(&bytes));
            drain(&mut engine, &mut outputs);
            let transmits = |o: &Output| matches!(o, Output::Transmit { .. });
            if on_air && engine.is_on_air() {
                prop_assert!(!outputs.iter().any(transmits));
            }
            now = now + Duration::from_millis(wait);
            for _ in 0..200 {
                let Some(at) = engine.next_timeout().filter(|at| *at <= now) else { break };
                engine.handle_input(at, Input::Timeout);
                prop_assert!(engine.next_timeout() != Some(at), "a deadline that does not pass");
            }
            drain(&mut engine, &mut outputs);
            prop_assert!(engine.next_timeout().is_none_or(|at| at > now));
        }
    }

    /// A reply and its lines stay bounded, however much a modem says to one command.
    #[test]
    fn memory_is_bounded(n in 0u8..6, word in speech()) {
        let mut engine = engine(Stand::Command(n));
        let mut outputs = Vec::new();
        for _ in 0..400 {
            engine.handle_input(NOW, Input::Bytes(&word));
            engine.handle_input(NOW, Input::Bytes(&[b'x'; 600]));
            outputs.clear();
            drain(&mut engine, &mut outputs);
            for output in &outputs {
                if let Output::Event(Event::Replied(reply)) = output {
                    prop_assert!(reply.lines.iter().map(|line| line.as_str().len()).sum::<usize>() <= 128 * 1024);
                }
            }
        }
    }
}

const NOW: Mono = Mono::from_millis(10_000);
