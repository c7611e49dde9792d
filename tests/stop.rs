//! Ring 3: how a stop goes: what the gateway still does while it lets what is on the air end, and how long that takes.

#![allow(clippy::disallowed_methods, reason = "real processes take real time")]

mod machine;

use machine::{Gateway, Http, OTPGATE, free_port, message, signal, until};
use serde_json::json;
use std::io::Write;
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

const NUMBER: &str = "+14155550123";

/// A gateway with one virtual modem, whose network takes this long for each message.
fn start(dir: &std::path::Path, air_time: &str) -> Gateway {
    let gateway = Gateway::start(dir, free_port(), &[], &["--simulate", "1", "--air-time", air_time]);
    gateway.wait_ready(1);
    gateway
}

#[test]
fn while_it_stops_it_reads_and_checks_but_takes_nothing_new() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut gateway = start(dir.path(), "3s");
    let mut client = gateway.client();
    let (status, made) = client.post("/v1/verifications", json!({ "to": NUMBER })).expect("an answer");
    assert_eq!(status, 201, "{made}");
    let (verification, sent) = (made["id"].as_str().expect("an id"), made["message"]["id"].as_str().expect("an id"));
    let path = format!("/v1/messages/{sent}");
    until(Duration::from_secs(10), "it is on the air", || {
        client.get(&path).is_ok_and(|(_, message)| message["status"] == "submitting")
    });
    signal(gateway.pid(), "TERM");
    until(Duration::from_secs(2), "it says that it stops", || {
        Http::new(gateway.port, None).get("/readyz").is_ok_and(|(status, _)| status == 503)
    });

    // On a new connection as well.
    let mut other = gateway.client();
    for client in [&mut client, &mut other] {
        let (status, refused) = client.post("/v1/messages", message(NUMBER, "late")).expect("an answer");
        assert_eq!((status, &refused["code"]), (503, &json!("stopping")), "{refused}");
        assert!(refused["retry_after"].is_u64(), "{refused}");
        let check = format!("/v1/verifications/{verification}/check");
        let (status, verdict) = client.post(&check, json!({ "code": "000000" })).expect("an answer");
        assert_eq!(status, 200, "{verdict}");
    }
    let (status, ended) = client.get(&format!("{path}?wait=10")).expect("an answer, though it stops meanwhile");
    assert_eq!(status, 200, "{ended}");
    assert_ne!(ended["status"], "queued", "what was on the air was let end: {ended}");
    assert!(gateway.ended(Duration::from_secs(10)).success());
    assert!(TcpStream::connect(("127.0.0.1", gateway.port)).is_err(), "nobody listens any more");
    let verified =
        Command::new(OTPGATE).args(["store", "verify", "--simulated", "--data-dir"]).arg(&gateway.data).output();
    assert!(verified.expect("the binary").status.success(), "the store was closed in order");
}

#[test]
fn half_a_request_does_not_hold_it_up() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut gateway = start(dir.path(), "100ms");
    let _half = half_a_request(&gateway);
    assert!(gateway.terminate(Duration::from_secs(4)).success());
}

#[test]
fn a_simulated_gateway_stops_within_ten_seconds_whatever_is_open() {
    let dir = tempfile::tempdir().expect("a folder");
    // Longer than a simulated gateway drains.
    let mut gateway = start(dir.path(), "60s");
    let _half = half_a_request(&gateway);
    let mut client = gateway.client();
    let (_, made) = client.post("/v1/messages", message(NUMBER, "hello")).expect("an answer");
    until(Duration::from_secs(10), "it is on the air", || {
        client.get("/simulator/counts").is_ok_and(|(_, counts)| counts["modems"][0]["submits"] == 1)
    });
    let began = Instant::now();
    assert!(gateway.terminate(Duration::from_secs(10)).success());
    assert!(began.elapsed() >= Duration::from_secs(8), "{made} was on the air, and was waited for");
}

fn half_a_request(gateway: &Gateway) -> TcpStream {
    let mut half = TcpStream::connect(("127.0.0.1", gateway.port)).expect("a connection");
    half.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX").expect("half a request");
    half
}
