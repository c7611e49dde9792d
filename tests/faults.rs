//! Modems that misbehave, on pseudo-terminals, under the real binary: nothing is lost, nothing is silently sent twice, and
//! the modem sends again by itself.
//!
//! Short scripts here; `OTPGATE_TEST_FULL=1` adds those in which a modem stays silent for minutes. Each shows how long the
//! longest pause between two messages at the network was.

#![allow(clippy::disallowed_methods, reason = "real processes in real time")]
#![allow(clippy::print_stdout, reason = "the figures are shown")]

mod machine;

use machine::books::{code, drain, judge, plain};
use machine::{Gateway, Simulate, free_port};
use serde_json::Value;
use std::sync::Mutex;
use std::time::Duration;

/// A script: its name, the faults, and within how many seconds one modem must send again.
type Script = (&'static str, &'static [&'static str], u64);

const SHORT: &[Script] = &[
    ("well behaved", &[], 3),
    ("an error, and it was sent", &["error_after=cms:500,accepted@0.1"], 5),
    ("an error, and it was not sent", &["error_after=cms:500,lost@0.1"], 5),
    ("noise in answers and echoes", &["urc_in_answer=inside@0.3", "endless_urcs=300ms"], 5),
    ("the echo comes back", &["echo_drift=yes@0.2", "urc_in_answer=echo@0.3"], 5),
    ("unplugged in the middle of a send", &["port_loss=submit@0.05"], 25),
    ("unplugged at the prompt", &["port_loss=prompt@0.05"], 15),
    ("restarts in the middle", &["reboot=yes@0.03"], 60),
    ("calls and messages in between", &["collision=ring@0.3"], 5),
];

const LONG: &[Script] = &[
    ("the answer is lost", &["silence=accepted@next:1"], 240),
    ("the message is lost", &["silence=lost@next:1"], 240),
];

#[test]
fn a_modem_that_misbehaves_loses_nothing_and_comes_back() {
    let full = std::env::var_os("OTPGATE_TEST_FULL").is_some();
    let scripts = SHORT.iter().chain(if full { LONG } else { &[] });
    // Side by side: what takes its time is waiting.
    std::thread::scope(|scope| {
        let runs: Vec<_> = scripts.map(|script| (script.0, scope.spawn(move || run(script)))).collect();
        for (name, run) in runs {
            run.join().unwrap_or_else(|_| panic!("{name}: see above"));
        }
    });
}

static STARTING: Mutex<()> = Mutex::new(());

fn run(&(name, faults, within): &Script) {
    let dir = tempfile::tempdir().unwrap();
    let mut flags = vec!["--air-time", "100ms"];
    faults.iter().for_each(|fault| flags.extend(["--fault", fault]));
    // In turn: a port that is free is anybody's until it is taken.
    let turn = STARTING.lock();
    let simulate = Simulate::start(dir.path(), 1, &flags);
    let mut gateway = Gateway::start(dir.path(), free_port(), &simulate.links, &["--log", "warn"]);
    drop(turn);
    let mut http = gateway.client();
    gateway.wait_ready(1);
    let began = jiff::Timestamp::now();
    let mut told = Vec::new();
    for n in 0..60 {
        let one = if n % 3 == 0 { code(&mut http, n) } else { plain(&mut http, n) };
        told.push(one.expect("it is accepted, whatever the modem does"));
        std::thread::sleep(Duration::from_millis(250));
    }
    drain(&gateway, Duration::from_secs(60 + 2 * within));
    let verdict = judge(&gateway, &simulate, &told);
    let pause = longest_pause(began, &simulate.copies());
    println!("{name}: longest pause {pause:?}; {verdict:?}");
    assert_eq!((verdict.lost, verdict.twice_unexplained), (0, 0), "{name}: {verdict:?}");
    assert!(pause <= Duration::from_secs(within), "{name}: {pause:?} without a message, at most {within} s");
    assert!(gateway.terminate(Duration::from_secs(70)).success(), "{name}");
}

fn longest_pause(began: jiff::Timestamp, copies: &[Value]) -> Duration {
    let accepted = copies.iter().map(|copy| copy["time"].as_str().unwrap().parse().unwrap());
    let times: Vec<jiff::Timestamp> = std::iter::once(began).chain(accepted).collect();
    let pauses = times.windows(2).map(|two| two[1].duration_since(two[0]).unsigned_abs());
    pauses.max().unwrap_or_default()
}
