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
use serde_json::{Value, json};
use std::sync::Mutex;
use std::time::Duration;

/// What happens to one modem, and within how many seconds it must send again.
struct Script {
    name: &'static str,
    /// From the start.
    faults: &'static [&'static str],
    /// Later: after so many seconds.
    acts: &'static [(u64, Act)],
    /// The longest pause between two messages at the network, in seconds.
    within: u64,
}

/// What somebody at the box, or the weather, does.
enum Act {
    /// From now on this goes wrong, and nothing else.
    Faults(&'static [&'static str]),
    /// `unplug`, `replug`, `power-cycle`, `ring`.
    Do(&'static str),
}
use Act::{Do, Faults};

impl Act {
    fn play(&self, simulate: &mut Simulate) {
        let http = simulate.http.as_mut().expect("it listens");
        let done = match self {
            Faults(faults) => http.request("PUT", "/simulator/faults", Some(json!({ "faults": faults })), &[]),
            Do(what) => http.request("POST", &format!("/simulator/modems/0/{what}"), None, &[]),
        };
        assert_eq!(done.expect("it answers").0, 204);
    }
}

const fn script(name: &'static str, faults: &'static [&'static str], within: u64) -> Script {
    Script { name, faults, acts: &[], within }
}

const fn play(name: &'static str, acts: &'static [(u64, Act)], within: u64) -> Script {
    Script { name, faults: &[], acts, within }
}

const SHORT: &[Script] = &[
    script("well behaved", &[], 3),
    script("an error, and it was sent", &["error_after=cms:500,accepted@0.1"], 5),
    script("an error, and it was not sent", &["error_after=cms:500,lost@0.1"], 5),
    script("noise in answers and echoes", &["urc_in_answer=inside@0.3", "endless_urcs=300ms"], 5),
    script("the echo comes back", &["echo_drift=yes@0.2", "urc_in_answer=echo@0.3"], 5),
    script("unplugged in the middle of a send", &["port_loss=submit@0.05"], 25),
    script("unplugged at the prompt", &["port_loss=prompt@0.05"], 15),
    script("restarts in the middle", &["reboot=yes@0.03"], 60),
    script("calls and messages in between", &["collision=ring@0.3"], 5),
    play("unplugged for five seconds", &[(3, Do("unplug")), (8, Do("replug"))], 20),
    play("its power fails", &[(3, Do("power-cycle")), (9, Do("power-cycle"))], 25),
    play("called again and again", &[(2, Do("ring")), (3, Do("ring")), (4, Do("ring")), (5, Do("ring"))], 5),
    play("a spell of errors", &[(2, Faults(&["error_after=cms:500,lost@0.5"])), (10, Faults(&[]))], 10),
];

const LONG: &[Script] = &[
    script("the answer is lost", &["silence=accepted@next:1"], 240),
    script("the message is lost", &["silence=lost@next:1"], 240),
];

#[test]
fn a_modem_that_misbehaves_loses_nothing_and_comes_back() {
    let full = std::env::var_os("OTPGATE_TEST_FULL").is_some();
    let scripts = SHORT.iter().chain(if full { LONG } else { &[] });
    // Side by side: what takes its time is waiting.
    std::thread::scope(|scope| {
        let runs: Vec<_> = scripts.map(|script| (script.name, scope.spawn(move || run(script)))).collect();
        for (name, run) in runs {
            run.join().unwrap_or_else(|_| panic!("{name}: see above"));
        }
    });
}

static STARTING: Mutex<()> = Mutex::new(());

fn run(&Script { name, faults, acts, within }: &Script) {
    let dir = tempfile::tempdir().unwrap();
    let mut flags = vec!["--air-time", "100ms"];
    faults.iter().for_each(|fault| flags.extend(["--fault", fault]));
    // In turn: a port that is free is anybody's until it is taken.
    let turn = STARTING.lock();
    let mut simulate = Simulate::start(dir.path(), 1, &flags);
    let mut gateway = Gateway::start(dir.path(), free_port(), &simulate.links, &["--log", "warn"]);
    drop(turn);
    let mut http = gateway.client();
    gateway.wait_ready(1);
    let began = jiff::Timestamp::now();
    let mut told = Vec::new();
    let mut acts = acts.iter();
    let mut next = acts.next();
    for n in 0..60 {
        while let Some((_, act)) = next.filter(|(at, _)| *at as usize * 4 <= n) {
            act.play(&mut simulate);
            next = acts.next();
        }
        let one = if n % 3 == 0 { code(&mut http, n) } else { plain(&mut http, n) };
        told.push(one.expect("it is accepted, whatever the modem does"));
        std::thread::sleep(Duration::from_millis(250));
    }
    assert!(next.is_none(), "{name}: it ends before its last act");
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
