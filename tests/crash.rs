//! kill -9 of the gateway, against virtual modems that live on: what was accepted is not lost, and what was sent twice
//! has an attempt on record that was uncertain.
//!
//! A few rounds here; `OTPGATE_TEST_FULL=1` makes it a hundred. SIGKILL keeps what the kernel has: a power cut is the
//! business of the store's own tests.

#![allow(clippy::disallowed_methods, reason = "real processes in real time")]
#![allow(clippy::print_stdout, reason = "the seed and what was counted are shown")]

mod machine;

use machine::books::{Told, code, drain, judge, plain};
use machine::{Gateway, Simulate, free_port, message, until};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[test]
fn nothing_accepted_is_lost_and_nothing_is_silently_sent_twice() {
    let rounds = if std::env::var_os("OTPGATE_TEST_FULL").is_some() { 100 } else { 5 };
    let seed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(1, |d| d.as_nanos() as u64);
    println!("{rounds} rounds, seed {seed}");
    let mut random = seed | 1;
    let dir = tempfile::tempdir().unwrap();
    let simulate = Simulate::start(dir.path(), 4, &["--air-time", "150ms"]);
    let told = Arc::new(Mutex::new(Vec::new()));
    let counter = Arc::new(AtomicUsize::new(0));
    for _ in 0..rounds {
        let mut gateway = Gateway::start(dir.path(), free_port(), &simulate.links, &["--log", "warn"]);
        let until_then = Duration::from_millis(300 + next(&mut random) % 2700);
        load(&gateway, until_then, &told, &counter, || gateway_kill(gateway.pid()));
        gateway.kill();
    }
    let told = told.lock().unwrap().clone();
    let mut gateway = Gateway::start(dir.path(), free_port(), &simulate.links, &["--log", "warn"]);
    drain(&gateway, Duration::from_secs(60 + told.len() as u64 / 10));
    let verdict = judge(&gateway, &simulate, &told);
    println!("{verdict:?}");
    assert!(gateway.terminate(Duration::from_secs(70)).success());
    assert!(told.len() > rounds * 5, "there was no load worth the name: {}", told.len());
    assert_eq!(verdict.lost, 0, "{verdict:?}");
    assert_eq!(verdict.twice_unexplained, 0, "{verdict:?}");
}

#[test]
fn a_result_that_comes_while_the_gateway_is_down_settles_the_message() {
    late_result("2s", Duration::from_secs(3));
}

#[test]
fn a_result_that_comes_after_the_gateway_is_up_again_settles_the_message() {
    late_result("5s", Duration::from_millis(50));
}

/// A message is on the air, the gateway is killed, and comes back after `down`.
fn late_result(air_time: &str, down: Duration) {
    let dir = tempfile::tempdir().unwrap();
    let mut simulate = Simulate::start(dir.path(), 1, &["--air-time", air_time]);
    let mut gateway = Gateway::start(dir.path(), free_port(), &simulate.links, &[]);
    gateway.wait_ready(1);
    let (status, body) = gateway.client().post("/v1/messages", message("+14155550100", "on the air")).unwrap();
    assert_eq!(status, 201, "{body}");
    until(Duration::from_secs(5), "it is on the air", || simulate.counts()["modems"][0]["submits"].as_u64() == Some(1));
    gateway.kill();
    std::thread::sleep(down);
    let gateway = Gateway::start(dir.path(), free_port(), &simulate.links, &[]);
    let id = body["id"].as_str().unwrap();
    let mut client = gateway.client();
    let mut last = Value::Null;
    until(Duration::from_secs(30), "the late result settles it", || {
        last = client.get(&format!("/v1/messages/{id}")).unwrap().1;
        last["status"] == "delivered" || last["status"] == "submitted"
    });
    assert_eq!(last["ever_uncertain"], true, "{last}");
    assert_eq!(simulate.copies().len(), 1, "one copy, not two");
}

/// Plain messages and codes from four clients, until the gateway is killed under them.
fn load(
    gateway: &Gateway,
    how_long: Duration,
    told: &Arc<Mutex<Vec<Told>>>,
    counter: &Arc<AtomicUsize>,
    kill: impl FnOnce(),
) {
    let over = Arc::new(AtomicBool::new(false));
    std::thread::scope(|scope| {
        for client in 0..4 {
            let mut http = gateway.client();
            let (told, counter, over) = (told.clone(), counter.clone(), over.clone());
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let n = counter.fetch_add(1, Ordering::Relaxed);
                    let answer = if client % 2 == 0 { plain(&mut http, n) } else { code(&mut http, n) };
                    match answer {
                        Some(answer) => told.lock().unwrap().push(answer),
                        None => break,
                    }
                    std::thread::sleep(Duration::from_millis(120));
                }
            });
        }
        std::thread::sleep(how_long);
        kill();
        over.store(true, Ordering::Relaxed);
    });
}

fn gateway_kill(pid: u32) {
    machine::signal(pid, "KILL");
}

/// xorshift64*, so that a printed seed gives the same moments again.
fn next(state: &mut u64) -> u64 {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
}

/// After a thousand codes the data folder shows neither a number, nor a code, nor a text.
#[test]
fn the_data_folder_shows_no_number_no_code_and_no_text() {
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let mut gateway =
        Gateway::start(dir.path(), port, &[], &["--simulate", "16", "--air-time", "5ms", "--log", "debug"]);
    gateway.wait_ready(16);
    let numbers: Vec<String> = (0..1000).map(|n| format!("1415{:07}", 3_000_000 + n * 17)).collect();
    let mut client = gateway.client();
    let mut codes = Vec::new();
    for chunk in numbers.chunks(100) {
        for number in chunk {
            let body = json!({ "to": format!("+{number}"), "brand": "Hidden Shop" });
            let (status, answer) = client.post("/v1/verifications", body).unwrap();
            assert_eq!(status, 201, "{answer}");
        }
        for number in chunk {
            let (_, inbox) = client.get(&format!("/simulator/inbox?to=%2B{number}&wait=10")).unwrap();
            let text = inbox["items"][0]["text"].as_str().expect("it arrived").to_owned();
            let code: String =
                text.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
            assert_eq!(code.len(), 6, "{text}");
            codes.push(code);
        }
    }
    assert!(gateway.terminate(Duration::from_secs(12)).success());
    let mut found = Vec::new();
    let log = std::fs::read(dir.path().join("serve.log")).unwrap();
    look(&log, "serve.log", &numbers, &codes, &mut found);
    walk(&dir.path().join("data"), &mut |path, bytes| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // Hex digits of keys, which hold no number.
        if name != "admin.key" && name != "master.key" {
            look(bytes, &path.display().to_string(), &numbers, &codes, &mut found);
        }
    });
    assert!(found.is_empty(), "{found:#?}");
}

/// Whole runs of digits are compared, so that a code inside a time stamp or an id is no find.
fn look(bytes: &[u8], name: &str, numbers: &[String], codes: &[String], found: &mut Vec<String>) {
    let runs = bytes.split(|b| !b.is_ascii_alphanumeric()).filter(|run| run.iter().all(u8::is_ascii_digit));
    let runs: std::collections::BTreeSet<&[u8]> = runs.collect();
    for digits in numbers.iter().chain(codes) {
        // Log lines have microseconds, which are six digits too.
        let is_code_in_log = name == "serve.log" && digits.len() == 6;
        if runs.contains(digits.as_bytes()) && !is_code_in_log {
            found.push(format!("{name}: {} digits of a secret", digits.len()));
        }
    }
    let contains = |text: &str| bytes.windows(text.len()).any(|w| w == text.as_bytes());
    for text in ["Hidden Shop", numbers[0].as_str(), numbers[999].as_str()] {
        if contains(text) {
            found.push(format!("{name}: {text}"));
        }
    }
}

fn walk(dir: &Path, each: &mut impl FnMut(&Path, &[u8])) {
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            walk(&path, each);
        } else {
            each(&path, &std::fs::read(&path).unwrap());
        }
    }
}
