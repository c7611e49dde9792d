//! The standalone simulator as any other program sees it: a path to open and bytes. What a real modem adds (transmission
//! time, prompt timing, a USB device behind the path) does not exist on a pseudo-terminal.

use otpgate::simulator::faults::Faults;
use otpgate::simulator::modem::ModemOptions;
use otpgate::simulator::network::NetworkOptions;
use otpgate::simulator::standalone::{self, Options};
use rustix::termios::OptionalActions;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

fn options(folder: &Path) -> Options {
    Options {
        modems: 2,
        link_prefix: folder.join("modem"),
        modem: ModemOptions::default(),
        network: NetworkOptions { air_time: Duration::from_millis(20), ..NetworkOptions::default() },
        faults: Faults::default(),
        log: Some(folder.join("log.jsonl")),
        seed: 7,
    }
}

/// Opens a port as a plain program does.
fn open(path: &Path) -> File {
    let port = File::options().read(true).write(true).open(path).unwrap();
    let mut settings = rustix::termios::tcgetattr(&port).unwrap();
    settings.make_raw();
    rustix::termios::tcsetattr(&port, OptionalActions::Now, &settings).unwrap();
    port
}

/// Writes, then reads until `end` has come.
fn ask(port: &mut File, text: &str, end: &str) -> String {
    port.write_all(text.as_bytes()).unwrap();
    let mut said = String::new();
    while !said.ends_with(end) {
        let mut buffer = [0; 256];
        let count = port.read(&mut buffer).unwrap();
        assert!(count > 0, "end of file after {said:?}");
        said += std::str::from_utf8(&buffer[..count]).unwrap();
    }
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_opens_the_path_and_sends() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("modem0");
    let simulator = standalone::run(options(folder.path())).unwrap();
    let dialog = path.clone();
    tokio::task::spawn_blocking(move || {
        let mut port = open(&dialog);
        assert_eq!(ask(&mut port, "AT\r", "OK\r\n"), "AT\r\r\nOK\r\n");
        drop(port);
        // The modem lives on while nobody has the port open.
        let mut port = open(&dialog);
        assert_eq!(ask(&mut port, "ATE0\r", "OK\r\n"), "ATE0\r\r\nOK\r\n");
        assert_eq!(ask(&mut port, "AT+CGMI\r", "OK\r\n"), "\r\notpgate\r\n\r\nOK\r\n");
        // "hellohello" to +14155550100, no report.
        assert_eq!(ask(&mut port, "AT+CMGS=22\r", "> "), "\r\n> ");
        let result = ask(&mut port, "0001000B914151550501F000000AE8329BFD4697D9EC37\x1A", "OK\r\n");
        assert_eq!(result, "\r\n+CMGS: 0\r\n\r\nOK\r\n");
    })
    .await
    .unwrap();
    let inbox = simulator.inbox(Some("+14155550100"), Duration::from_secs(5)).await;
    assert_eq!(inbox[0].text, "hellohello");
    let log = std::fs::read_to_string(folder.path().join("log.jsonl")).unwrap();
    let line: serde_json::Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
    assert_eq!((&line["text"], &line["part"], &line["total"]), (&"hellohello".into(), &1.into(), &1.into()));
    simulator.stop().await;
    assert!(path.symlink_metadata().is_err(), "the link goes with the simulator");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn turn_and_gap_are_the_hosts_time_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("modem0");
    let simulator = standalone::run(options(folder.path())).unwrap();
    tokio::task::spawn_blocking(move || {
        let mut port = open(&path);
        ask(&mut port, "ATE0\r", "OK\r\n");
        for _ in 0..21 {
            ask(&mut port, "AT+CMGS=22\r", "> ");
            ask(&mut port, "0001000B914151550501F000000AE8329BFD4697D9EC37\x1A", "OK\r\n");
        }
    })
    .await
    .unwrap();
    let turns = &simulator.counts().modems[0].turns;
    for (name, list, count) in [("turn", &turns.from_result, 20), ("gap", &turns.from_prompt, 21)] {
        let mut sorted: Vec<u32> = list.iter().copied().collect();
        sorted.sort_unstable();
        assert_eq!(sorted.len(), count, "{name}");
        // The air time of 20 ms is no part of it. A busy machine may be slow, but not each time.
        assert!(sorted[count / 2] < 15_000, "{name}: {sorted:?} µs");
    }
    simulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_modem_that_is_pulled_out_comes_back_at_the_same_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("modem1");
    // A link that a run before left behind is replaced.
    std::os::unix::fs::symlink("/dev/pts/nothing", &path).unwrap();
    let simulator = standalone::run(options(folder.path())).unwrap();
    let handle = simulator.clone();
    let dialog = path.clone();
    tokio::task::spawn_blocking(move || {
        let mut port = open(&dialog);
        ask(&mut port, "AT\r", "OK\r\n");
        handle.unplug(1);
        let gone = port.read(&mut [0; 16]);
        assert!(!matches!(gone, Ok(1..)), "nothing more comes: {gone:?}");
        drop(port);
        while dialog.symlink_metadata().is_ok() {
            std::thread::sleep(Duration::from_millis(5));
        }
        handle.replug(1);
        while dialog.symlink_metadata().is_err() {
            std::thread::sleep(Duration::from_millis(5));
        }
        let mut port = open(&dialog);
        assert_eq!(ask(&mut port, "", "SMS Ready\r\n").split_whitespace().next(), Some("RDY"));
        ask(&mut port, "AT\r", "OK\r\n");
    })
    .await
    .unwrap();
    simulator.stop().await;
}

#[tokio::test]
async fn a_file_in_the_place_of_a_link_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("modem1"), "precious").unwrap();
    let error = standalone::run(options(folder.path())).err().unwrap().to_string();
    assert!(error.contains("choose another --link"), "{error}");
    assert!(folder.path().join("modem0").symlink_metadata().is_err(), "what was made before is gone again");
    // Nor is a link that leads to something else.
    std::fs::remove_file(folder.path().join("modem1")).unwrap();
    std::os::unix::fs::symlink("precious", folder.path().join("modem1")).unwrap();
    let error = standalone::run(options(folder.path())).err().unwrap().to_string();
    assert!(error.contains("choose another --link"), "{error}");
}

#[tokio::test]
async fn modems_that_run_are_left_alone_and_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = standalone::run(options(folder.path())).unwrap();
    let targets = || ["modem0", "modem1"].map(|name| std::fs::read_link(folder.path().join(name)).unwrap());
    let before = targets();
    let error = standalone::run(options(folder.path())).err().unwrap().to_string();
    assert!(error.contains("modem0 belongs to virtual modems that run already"), "{error}");
    // Another prefix, the same link.
    let overlapping = Options { link_prefix: folder.path().join("modem1"), modems: 1, ..options(folder.path()) };
    let eleven = Options { link_prefix: folder.path().join("modem"), modems: 11, ..options(folder.path()) };
    let other = standalone::run(overlapping).unwrap();
    assert!(standalone::run(eleven).is_err(), "modem10 is the other's");
    assert_eq!(targets(), before);
    // Unplugged it has no link, but nobody else may take its place.
    simulator.unplug(1);
    while folder.path().join("modem1").symlink_metadata().is_ok() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(standalone::run(options(folder.path())).is_err());
    other.stop().await;
    simulator.stop().await;
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().flatten().map(|e| e.file_name()).collect();
    assert_eq!(left, ["log.jsonl"], "locks go with the links");
    // What a crash leaves behind is in nobody's way.
    std::fs::write(folder.path().join("modem0.lock"), "").unwrap();
    standalone::run(options(folder.path())).unwrap().stop().await;
}
