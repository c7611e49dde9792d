//! Ring 3: how a stop goes: how long it takes.

#![allow(clippy::disallowed_methods, reason = "real processes take real time")]

mod machine;

use machine::{Gateway, free_port, message, until};
use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

const NUMBER: &str = "+14155550123";

/// A gateway with one virtual modem, whose network takes this long for each message.
fn start(dir: &std::path::Path, air_time: &str) -> Gateway {
    let gateway = Gateway::start(dir, free_port(), &[], &["--simulate", "1", "--air-time", air_time]);
    gateway.wait_ready(1);
    gateway
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
