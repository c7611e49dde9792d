//! Many messages over many modems, with the real binary on pseudo-terminals: each arrives once, and costs one AT command.
//!
//! A thousand here; `OTPGATE_TEST_FULL=1` makes it ten thousand. How fast is for `cargo bench --bench gateway` to say.

#![allow(clippy::disallowed_methods, reason = "real processes in real time")]

mod machine;

use machine::{Gateway, Simulate, free_port, message, until};
use std::collections::BTreeMap;
use std::time::Duration;

#[test]
fn every_message_arrives_once_and_costs_one_command() {
    const MODEMS: usize = 16;
    let messages = if std::env::var_os("OTPGATE_TEST_FULL").is_some() { 10_000 } else { 1_000 };
    let dir = tempfile::tempdir().unwrap();
    let mut simulate = Simulate::start(dir.path(), MODEMS, &["--air-time", "100ms"]);
    let mut gateway = Gateway::start(dir.path(), free_port(), &simulate.links, &["--log", "warn"]);
    gateway.wait_ready(MODEMS);

    std::thread::scope(|scope| {
        for client in 0..16 {
            let mut http = gateway.client();
            scope.spawn(move || {
                for i in (client..messages).step_by(16) {
                    let (status, body) =
                        http.post("/v1/messages", message("+14155550177", &format!("message {i}"))).unwrap();
                    assert_eq!(status, 201, "{body}");
                }
            });
        }
    });
    let mut client = gateway.client();
    until(Duration::from_secs(30 + messages as u64 / 50), "all are reported delivered", || {
        ["queued", "submitting", "submitted"].iter().all(|status| {
            let (_, list) = client.get(&format!("/v1/messages?limit=1&status={status}")).unwrap();
            list["items"].as_array().is_some_and(Vec::is_empty)
        })
    });

    let mut copies = BTreeMap::new();
    for copy in simulate.copies() {
        *copies.entry(copy["text"].as_str().unwrap().to_owned()).or_insert(0) += 1;
    }
    assert_eq!(copies.len(), messages, "different messages at the network");
    assert!(copies.values().all(|n| *n == 1), "each once");
    let counts = simulate.counts();
    let lines = |name: &str| -> u64 {
        let modems = counts["modems"].as_array().unwrap();
        modems.iter().map(|m| m["at_lines"][name].as_u64().unwrap_or(0)).sum()
    };
    assert_eq!(lines("+CMGS"), messages as u64, "AT+CMGS lines: {counts}");
    // Bring-up asks each of these once, an idle heartbeat now and then.
    assert!(lines("+CMGF") <= 2 * MODEMS as u64, "nothing is asked for a message but AT+CMGS: {counts}");
    assert!(gateway.terminate(Duration::from_secs(70)).success());
}
