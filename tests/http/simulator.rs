//! `/simulator`.

use crate::gateway::Gateway;
use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use otpgate::http::{Settings, SimulatorHandle, simulator_router};
use otpgate::simulator::modem::ModemOptions;
use otpgate::simulator::network::NetworkOptions;
use otpgate::simulator::{Simulator, driver};
use otpgate::store::Scope;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::ServiceExt;

fn simulator() -> SimulatorHandle {
    driver::spawn(Simulator::new(1, &ModemOptions::default(), NetworkOptions::default(), 1))
}

async fn send(handle: &SimulatorHandle) {
    let said = submit(handle).await;
    assert!(said.contains("+CMGS:"), "{said}");
}

/// Sends "Hi" from the virtual modem: TS 23.040 SMS-SUBMIT to +14155550123, default alphabet. Gives what it said.
async fn submit(handle: &SimulatorHandle) -> String {
    let mut port = handle.open(0).unwrap();
    tokio::time::sleep(Duration::from_secs(10)).await;
    port.write_all(b"ATE0\rAT+CMGF=0\r").await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    port.write_all(b"AT+CMGS=15\r").await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    port.write_all(b"0001000B914151550521F3000002C834\x1a").await.unwrap();
    let mut said = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(2), port.read_to_end(&mut said)).await;
    String::from_utf8_lossy(&said).into_owned()
}

#[tokio::test(start_paused = true)]
async fn without_virtual_modems_there_is_none() {
    let gateway = Gateway::start().await;
    let reply = gateway.call("GET /simulator/inbox", "").await;
    assert_eq!(reply.outcome(), "404 not_found");
    assert!(!reply.headers.contains_key("otpgate-simulated"));
}

#[tokio::test(start_paused = true)]
async fn needs_its_scope_and_marks_every_answer() {
    let gateway = Gateway::with(Settings::default(), Some(simulator())).await;
    let lines = [
        "GET /simulator/inbox",
        "DELETE /simulator/inbox",
        "POST /simulator/reset",
        "GET /simulator/counts",
        "PUT /simulator/faults",
        "POST /simulator/modems/0/ring",
    ];
    for scope in Scope::ALL.into_iter().filter(|scope| !scope.is_foreign()) {
        let key = gateway.key(&[scope], &[]).await;
        for line in lines {
            let reply = gateway.call_as(&key, line, "", &[]).await;
            let may = scope == Scope::Admin || scope == Scope::Simulator;
            assert_eq!(reply.status == 403, !may, "{scope:?} {line}: {}", reply.outcome());
        }
    }
    for line in ["GET /simulator/inbox", "GET /v1/messages", "GET /nowhere", "GET /readyz"] {
        for key in ["", &gateway.admin] {
            let reply = gateway.call_as(key, line, "", &[]).await;
            assert_eq!(reply.headers["otpgate-simulated"], "true", "{line}");
        }
    }
    assert_eq!(gateway.call_as("", "GET /simulator/inbox", "", &[]).await.outcome(), "401 unauthorized");
}

#[tokio::test(start_paused = true)]
async fn the_inbox_shows_what_arrived() {
    let handle = simulator();
    let gateway = Gateway::with(Settings::default(), Some(handle.clone())).await;
    let inbox = async |query: &str| gateway.call(&format!("GET /simulator/inbox?{query}"), "").await.json();
    assert_eq!(inbox("").await["items"].as_array().unwrap().len(), 0);
    let (waited, ()) = tokio::join!(inbox("to=+14155550123&wait=30"), send(&handle));
    let message = &waited["items"][0];
    assert_eq!((&message["to"], &message["text"]), (&"+14155550123".into(), &"Hi".into()));
    assert_eq!(message["from"], handle.identity(0).unwrap().number);
    assert_eq!((&message["parts"], &message["complete"], &message["copies"]), (&1.into(), &true.into(), &1.into()));
    send(&handle).await;
    assert_eq!(inbox("").await["items"].as_array().unwrap().len(), 2);
    assert_eq!(inbox("limit=1").await["items"].as_array().unwrap().len(), 1);
    assert_eq!(inbox("to=%2B14155550124").await["items"].as_array().unwrap().len(), 0);
    let counts = gateway.call("GET /simulator/counts", "").await.json();
    assert_eq!((&counts["accepted"], &counts["modems"][0]["at_lines"]["+CMGS"]), (&2.into(), &2.into()));
    assert_eq!(gateway.call("DELETE /simulator/inbox", "").await.outcome(), "204");
    assert_eq!(inbox("").await["items"].as_array().unwrap().len(), 0);
    assert_eq!(gateway.call("POST /simulator/reset", "").await.outcome(), "204");
    assert_eq!(gateway.call("GET /simulator/counts", "").await.json()["accepted"], 0);
}

#[tokio::test(start_paused = true)]
async fn somebody_may_write_to_a_modem() {
    let handle = simulator();
    let gateway = Gateway::with(Settings::default(), Some(handle.clone())).await;
    let card = handle.identity(0).unwrap();
    let post = async |body: serde_json::Value| gateway.call("POST /simulator/inbound", &body.to_string()).await;
    let reply = post(serde_json::json!({"from": "+14155550123", "to": card.number, "text": "STOP"})).await;
    assert_eq!(reply.outcome(), "200");
    assert_eq!(reply.json()["modem"], card.imei);
    let nobody = post(serde_json::json!({"from": "+14155550123", "to": "+15555550199", "text": "STOP"})).await;
    assert_eq!(nobody.outcome(), "404 not_found");
    let help = format!("GET /simulator/counts lists those there are; the first is {}", card.number);
    assert!(nobody.text.contains(&help), "{}", nobody.text);
    assert_eq!(handle.counts().network.inbound, 1, "no modem got it");
    let to_the_first = post(serde_json::json!({"from": "+14155550123", "text": "START"})).await;
    assert_eq!(to_the_first.json()["modem"], card.imei);
    let missing = post(serde_json::json!({"from": "+14155550123", "to": card.number})).await;
    assert_eq!(missing.outcome(), "422 missing_field text");
}

#[tokio::test(start_paused = true)]
async fn what_goes_wrong_can_be_changed_while_it_runs() {
    let handle = simulator();
    let gateway = Gateway::with(Settings::default(), Some(handle.clone())).await;
    let put = async |body: &str| gateway.call("PUT /simulator/faults", body).await.outcome();
    for (body, outcome) in [
        (r#"{"faults": ["silence=lost@next:1"], "modem": 0}"#, "204"),
        (r#"{"faults": []}"#, "204"),
        (r#"{"faults": ["silense=lost"]}"#, "422 invalid_value faults"),
        (r#"{"faults": [1]}"#, "422 invalid_value faults"),
        (r#"{"faults": "silence=lost"}"#, "422 invalid_value faults"),
        (r#"{"modem": 0}"#, "422 missing_field faults"),
        (r#"{"faults": [], "modem": 1}"#, "404 not_found"),
    ] {
        assert_eq!(put(body).await, outcome, "{body}");
    }
    put(r#"{"faults": ["error_after=cms:38,lost"]}"#).await;
    assert!(submit(&handle).await.contains("+CMS ERROR: 38"));
    put(r#"{"faults": []}"#).await;
    send(&handle).await;
    assert_eq!(handle.counts().network.accepted, 1, "the first was lost, the second was not");
}

#[tokio::test(start_paused = true)]
async fn somebody_is_at_the_box() {
    let handle = simulator();
    let gateway = Gateway::with(Settings::default(), Some(handle.clone())).await;
    let act = async |path: &str| gateway.call(&format!("POST /simulator/modems/{path}"), "").await.outcome();
    assert_eq!(act("0/unplug").await, "204");
    assert!(!handle.counts().modems[0].plugged && handle.open(0).is_err());
    assert_eq!(act("0/replug").await, "204");
    assert!(handle.counts().modems[0].plugged && handle.open(0).is_ok());
    for (path, outcome) in [
        ("0/ring", "204"),
        ("0/power-cycle", "204"),
        ("1/ring", "404 not_found"),
        ("x/ring", "404 not_found"),
        ("0/sing", "404 not_found"),
    ] {
        assert_eq!(act(path).await, outcome, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn alone_it_needs_no_key_but_still_knows_its_hosts() {
    let (_stop, stopping) = tokio::sync::watch::channel(false);
    let router = simulator_router(simulator(), stopping, Settings::default());
    for (host, status) in [("localhost", 200), ("evil.example", 421)] {
        let request = Request::get("/simulator/inbox").header("host", host).body(Body::empty()).unwrap();
        let reply = router.clone().oneshot(request).await.unwrap();
        assert_eq!(reply.status(), status);
        assert_eq!(reply.headers()["otpgate-simulated"], "true");
        let body = reply.into_body().collect().await.unwrap().to_bytes();
        assert!(serde_json::from_slice::<serde_json::Value>(&body).is_ok());
    }
}
