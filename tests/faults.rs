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
    script("calls and messages in between", &["collision=ring@0.3"], 5),
    play("unplugged for five seconds", &[(3, Do("unplug")), (8, Do("replug"))], 20),
    play("restarts at AT+CMGS", &[(3, Faults(&["reboot=yes@next:1"])), (9, Faults(&["reboot=yes@next:1"]))], 20),
    play("its supply breaks down behind 0x1A", &[(3, Faults(&["port_loss=brown_out@next:1"]))], 30),
    play("its network is lost", &[(3, Faults(&["unregistered=searching"])), (9, Faults(&[]))], 20),
    play("its network is lost without a word", &[(3, Faults(&["unregistered=quiet"])), (9, Faults(&[]))], 30),
    play("its power fails", &[(3, Do("power-cycle")), (9, Do("power-cycle"))], 25),
    play("called again and again", &[(2, Do("ring")), (3, Do("ring")), (4, Do("ring")), (5, Do("ring"))], 5),
    play("a spell of errors", &[(2, Faults(&["error_after=cms:500,lost@0.5"])), (10, Faults(&[]))], 10),
];

const LONG: &[Script] = &[
    script("the answer is lost", &["silence=accepted@next:1"], 240),
    script("the message is lost", &["silence=lost@next:1"], 240),
    play("hangs until its radio is cycled", &[(3, Faults(&["hang=radio@next:1"]))], 240),
    play("hangs until it is restarted", &[(3, Faults(&["hang=restart@next:1"]))], 300),
    play(
        "hangs behind a lost answer",
        &[(3, Faults(&["silence=accepted@next:1"])), (8, Faults(&["hang=restart@next:1"]))],
        480,
    ),
    play("prompts no more until it is restarted", &[(3, Faults(&["no_prompt=restart@next:1"]))], 300),
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

/// Twenty messages fill the SIM card while others go out: each is read, kept and deleted, and more come in.
#[test]
fn a_full_sim_card_is_emptied_and_nothing_that_came_in_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let turn = STARTING.lock();
    let mut simulate = Simulate::start(dir.path(), 1, &["--air-time", "100ms"]);
    let number = simulate.counts()["modems"][0]["number"].as_str().unwrap().to_owned();
    let write = |simulate: &mut Simulate, n: usize| {
        let body = json!({ "from": "+14155550177", "to": number, "text": format!("inbound {n}") });
        let taken = simulate.http.as_mut().unwrap().post("/simulator/inbound", body).unwrap();
        assert_eq!(taken.0, 200, "{taken:?}");
    };
    // Before anybody looks.
    (0..25).for_each(|n| write(&mut simulate, n));
    let gateway = Gateway::start(dir.path(), free_port(), &simulate.links, &["--log", "warn"]);
    drop(turn);
    let mut http = gateway.client();
    gateway.wait_ready(1);
    let mut told = Vec::new();
    for n in 0..40 {
        told.extend(plain(&mut http, n));
        write(&mut simulate, 25 + n);
        std::thread::sleep(Duration::from_millis(100));
    }
    drain(&gateway, Duration::from_secs(60));
    let verdict = judge(&gateway, &simulate, &told);
    assert_eq!((verdict.lost, verdict.twice), (0, 0), "{verdict:?}");
    machine::until(Duration::from_secs(60), "all that came in is on record", || {
        let list = http.get("/v1/inbound?limit=200").unwrap().1;
        list["items"].as_array().unwrap().len() == 65
    });
}

/// The wrong PIN: typed once, however often the gateway is killed; the right one, once somebody has put it into the file.
#[test]
fn a_wrong_pin_is_typed_once_over_three_kills() {
    let dir = tempfile::tempdir().unwrap();
    let turn = STARTING.lock();
    let mut simulate = Simulate::start(dir.path(), 1, &["--pin", "1234"]);
    let port = free_port();
    drop(turn);
    let links = simulate.links.clone();
    let (config, pin) = (dir.path().join("otpgate.toml"), dir.path().join("pin"));
    std::fs::write(&pin, "4321\n").unwrap();
    let start = |iccid: &str| {
        let text = format!("[[sim_card]]\niccid = \"{iccid}\"\npin_file = \"{}\"\n", pin.display());
        std::fs::write(&config, text).unwrap();
        Gateway::start(dir.path(), port, &links, &["--config", config.to_str().unwrap(), "--log", "warn"])
    };
    let typed = |simulate: &mut Simulate| simulate.counts()["modems"][0]["pins_typed"].as_u64();
    // As somebody finds it out who has never seen this card.
    let mut gateway = start("8900000000000000000");
    let modem = |gateway: &Gateway| gateway.client().get("/v1/modems").unwrap().1["items"][0].clone();
    machine::until(Duration::from_secs(30), "the card is named", || modem(&gateway)["sim_card"].is_string());
    let iccid = modem(&gateway)["sim_card"].as_str().unwrap().to_owned();
    assert_eq!(typed(&mut simulate), Some(0), "nobody has said which PIN");
    gateway.kill();
    let mut gateway = start(&iccid);
    machine::until(Duration::from_secs(30), "the wrong one is typed", || typed(&mut simulate) == Some(1));
    for _ in 0..3 {
        gateway.kill();
        gateway = start(&iccid);
        std::thread::sleep(Duration::from_secs(4));
        assert_eq!(typed(&mut simulate), Some(1));
    }
    let reason = modem(&gateway)["reason"].as_str().unwrap_or_default().to_owned();
    assert!(reason.contains("PIN"), "{reason}");
    gateway.kill();
    std::fs::write(&pin, "1234\n").unwrap();
    let gateway = start(&iccid);
    gateway.wait_ready(1);
    assert_eq!(typed(&mut simulate), Some(2));
}
