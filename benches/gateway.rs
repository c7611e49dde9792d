//! Speed and memory of the gateway, measured at the pseudo-terminal and over HTTP. Not a test: it prints figures.
//!
//! `cargo bench --bench gateway [-- accept|rate|turn|memory …]`. Each figure stands beside the baseline that bounds it, so
//! that a slow machine shows as such.

#![allow(clippy::print_stdout, reason = "it prints figures")]
#![allow(clippy::disallowed_methods, reason = "it measures real time")]
#![allow(unreachable_pub, missing_docs, reason = "a program")]

#[path = "../tests/machine/mod.rs"]
mod machine;

use machine::{Gateway, Http, Simulate, free_port, message, until};
use std::path::Path;
use std::time::{Duration, Instant};

fn main() {
    let asked: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let wanted = |name: &str| asked.is_empty() || asked.iter().any(|a| a == name);
    type Run = (&'static str, fn(&Path));
    let runs: [Run; 4] = [("accept", accept), ("rate", rate), ("turn", turn), ("memory", memory)];
    for (name, run) in runs {
        if wanted(name) {
            let dir = tempfile::tempdir().expect("a temporary folder");
            run(dir.path());
        }
    }
}

/// Messages accepted per second, each synced, from 64 clients at once. Beside it: how often this disk can sync alone.
fn accept(dir: &Path) {
    const CLIENTS: usize = 64;
    const EACH: usize = 300;
    let gateway = Gateway::start(dir, free_port(), &[], &["--simulate", "1", "--air-time", "60s", "--log", "warn"]);
    let syncs = syncs_per_second(dir);
    let began = Instant::now();
    let mut times: Vec<Duration> = std::thread::scope(|scope| {
        let client = |c: usize| {
            let mut http = gateway.client();
            scope.spawn(move || {
                let one = |i: usize| {
                    let began = Instant::now();
                    let to = format!("+1415555{:04}", (c * EACH + i) % 10_000);
                    let (status, body) = http.post("/v1/messages", message(&to, "a plain message")).expect("an answer");
                    assert_eq!(status, 201, "{body}");
                    began.elapsed()
                };
                (0..EACH).map(one).collect::<Vec<_>>()
            })
        };
        let clients: Vec<_> = (0..CLIENTS).map(client).collect();
        clients.into_iter().flat_map(|c| c.join().expect("a client")).collect()
    });
    let rate = times.len() as f64 / began.elapsed().as_secs_f64();
    times.sort_unstable();
    println!(
        "accept   {rate:.0}/s from {CLIENTS} clients, p50 {:.1} ms, p99 {:.1} ms   ({:.1} × the {syncs:.0} syncs/s of this disk alone)",
        millis(times[times.len() / 2]),
        millis(times[times.len() * 99 / 100]),
        rate / syncs,
    );
}

/// Messages per second over 16 modems of 100 ms air time, on pseudo-terminals. Beside it: the ideal.
fn rate(dir: &Path) {
    const MODEMS: usize = 16;
    const MESSAGES: usize = 10_000;
    let mut simulate = Simulate::start(dir, MODEMS, &["--air-time", "100ms"]);
    let gateway = Gateway::start(dir, free_port(), &simulate.links, &["--log", "warn"]);
    gateway.wait_ready(MODEMS);
    let began = Instant::now();
    fill(&gateway, MESSAGES);
    let accepted = |s: &mut Simulate| s.counts()["accepted"].as_u64().unwrap_or(0);
    let first = (Instant::now(), accepted(&mut simulate));
    until(Duration::from_secs(300), "all are sent", || accepted(&mut simulate) as usize >= MESSAGES - MODEMS);
    let last = (Instant::now(), accepted(&mut simulate));
    let rate = (last.1 - first.1) as f64 / (last.0 - first.0).as_secs_f64();
    until(Duration::from_secs(20), "the last are sent", || accepted(&mut simulate) as usize >= MESSAGES);
    let mut texts: Vec<String> =
        simulate.copies().iter().map(|c| c["text"].as_str().unwrap_or("").to_owned()).collect();
    let copies = texts.len();
    texts.sort_unstable();
    texts.dedup();
    println!(
        "rate     {rate:.1} messages/s over {MODEMS} modems of 100 ms ({:.1} % of the ideal 160/s); {MESSAGES} accepted, {copies} copies, {} different, in {:.0} s",
        rate / 1.6,
        texts.len(),
        began.elapsed().as_secs_f64(),
    );
    let counts = simulate.counts();
    let modems = counts["modems"].as_array().cloned().unwrap_or_default();
    let sends: u64 = modems.iter().filter_map(|m| m["at_lines"]["+CMGS"].as_u64()).sum();
    let lines: u64 = modems
        .iter()
        .filter_map(|m| m["at_lines"].as_object())
        .flat_map(|o| o.values())
        .filter_map(|v| v.as_u64())
        .sum();
    println!(
        "         AT+CMGS lines per message: {:.4}; all AT lines, bring-up and heartbeat included: {lines}",
        sends as f64 / MESSAGES as f64
    );
}

/// From a result on the wire to the next `AT+CMGS`, and from the prompt to the PDU, at one modem; seen from the
/// modem's side of the pseudo-terminal.
fn turn(dir: &Path) {
    const MESSAGES: usize = 500;
    let mut simulate = Simulate::start(dir, 1, &["--air-time", "20ms"]);
    let gateway = Gateway::start(dir, free_port(), &simulate.links, &["--log", "warn"]);
    gateway.wait_ready(1);
    fill(&gateway, MESSAGES);
    until(Duration::from_secs(60), "all are sent", || simulate.counts()["accepted"].as_u64() >= Some(MESSAGES as u64));
    let modem = simulate.counts()["modems"][0].clone();
    let show = |what: &str| {
        let t = &modem[what];
        format!("median {} µs, p99 {} µs, {} times", t["median_us"], t["p99_us"], t["count"])
    };
    println!("turn     result to the next AT+CMGS: {}", show("turn"));
    println!("gap      prompt to the PDU:          {}", show("prompt"));
}

/// Resident memory with 16 idle modems, after ten seconds.
fn memory(dir: &Path) {
    let simulate = Simulate::start(dir, 16, &[]);
    let gateway = Gateway::start(dir, free_port(), &simulate.links, &["--log", "warn"]);
    gateway.wait_ready(16);
    std::thread::sleep(Duration::from_secs(10));
    println!("memory   {:.1} MiB resident with 16 idle modems", gateway.rss_kib() as f64 / 1024.0);
}

fn fill(gateway: &Gateway, messages: usize) {
    const CLIENTS: usize = 16;
    std::thread::scope(|scope| {
        for c in 0..CLIENTS {
            let mut http: Http = gateway.client();
            scope.spawn(move || {
                for i in (c..messages).step_by(CLIENTS) {
                    let to = format!("+1415556{:04}", i % 10_000);
                    let (status, body) =
                        http.post("/v1/messages", message(&to, &format!("message {i}"))).expect("an answer");
                    assert_eq!(status, 201, "{body}");
                }
            });
        }
    });
}

fn syncs_per_second(dir: &Path) -> f64 {
    use std::io::Write;
    let mut file = std::fs::File::create(dir.join("sync")).expect("a file");
    let began = Instant::now();
    let mut syncs = 0;
    while began.elapsed() < Duration::from_secs(1) {
        file.write_all(&[0; 512]).expect("a write");
        file.sync_data().expect("a sync");
        syncs += 1;
    }
    f64::from(syncs) / began.elapsed().as_secs_f64()
}

fn millis(d: Duration) -> f64 {
    d.as_secs_f64() * 1000.0
}
