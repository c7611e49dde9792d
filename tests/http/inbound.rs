//! `/v1/inbound` and `/v1/opt-outs`.

use crate::gateway::{Gateway, NUMBER, PLAIN, equipment};
use otpgate::domain::secret::Secret;
use otpgate::ops::clock::Clock;
use otpgate::simulator::pdu::{Deliver, to_hex};
use otpgate::store::{NewInbound, Scope, Store};
use serde_json::{Value, json};

const TEXT: &str = r#"{"to":"+14155550123","text":"hello"}"#;

/// Somebody writes.
async fn comes(gateway: &Gateway, from: &str, text: &str) {
    for tpdu in Deliver::encode(from, text, gateway.clock.now().wall, 3) {
        takes(gateway, &format!("00{}", to_hex(&tpdu))).await;
    }
    tokio::time::advance(std::time::Duration::from_secs(2)).await;
}

async fn takes(gateway: &Gateway, pdu: &str) {
    let (modem, sim_card) = equipment();
    gateway.store.take_inbound(NewInbound { modem, sim_card, pdu: Secret::new(pdu) }).await.unwrap();
}

async fn items(gateway: &Gateway, line: &str) -> Vec<Value> {
    gateway.call(line, "").await.json()["items"].as_array().unwrap().clone()
}

#[tokio::test(start_paused = true)]
async fn what_came_in_is_shown() {
    let gateway = Gateway::start().await;
    comes(&gateway, NUMBER, &format!("{}€", "a".repeat(170))).await;
    let [shown] = &items(&gateway, "GET /v1/inbound").await[..] else { panic!() };
    assert_eq!(shown["text"], format!("{}€", "a".repeat(170)));
    assert_eq!((&shown["from"], &shown["characters"]), (&json!(NUMBER), &json!(171)));
    assert_eq!((&shown["status"], &shown["complete"]), (&json!("received"), &json!(true)));
    assert_eq!(shown["parts"], json!({"have": 2, "of": 2}));
    assert_eq!(
        (&shown["sent_at"], &shown["received_at"]),
        (&json!("2026-11-23T01:35:26+00:00"), &json!("2026-11-23T01:35:26.000Z"))
    );
    assert_eq!((&shown["modem"], &shown["sim_card"]), (&json!("001017000000001"), &json!("8999901000000000018")));
    assert_eq!(shown["raw"].as_array().unwrap().len(), 2);
    let line = format!("GET /v1/inbound/{}", shown["id"].as_str().unwrap());
    assert_eq!(gateway.call(&line, "").await.json(), *shown);
    for scope in Scope::ALL.into_iter().filter(|scope| !scope.is_foreign()) {
        let key = gateway.key(&[scope], &[]).await;
        let reply = gateway.call_as(&key, &line, "", &[]).await;
        assert_eq!(reply.status == 200, matches!(scope, Scope::Inbound | Scope::Admin), "{scope:?}");
        assert!(reply.status != 200 || reply.json()["raw"].is_array() == (scope == Scope::Admin), "{scope:?}");
    }
    assert_eq!(gateway.call("GET /v1/inbound/inb_1", "").await.outcome(), "404 not_found");
}

#[tokio::test(start_paused = true)]
async fn a_list_has_filters_and_pages() {
    let gateway = Gateway::start().await;
    for (from, text) in
        [(NUMBER, "one"), ("+14155550199", "two"), (NUMBER, "three"), ("12345", "four"), ("Bank", "five")]
    {
        comes(&gateway, from, text).await;
    }
    let texts = async |query: &str| {
        let items = items(&gateway, &format!("GET /v1/inbound?{query}")).await;
        items.iter().map(|item| item["text"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(texts("from=+14155550123").await, ["three", "one"], "a plus as it is");
    assert_eq!(texts("from=0014155550123").await, ["three", "one"]);
    assert_eq!(texts("from=12345").await, ["four"]);
    assert_eq!(texts("from=Bank").await, ["five"]);
    assert_eq!(texts("since=2026-11-23T01:35:32Z&until=2026-11-23T01:35:34Z").await, ["four"]);
    let page = gateway.call("GET /v1/inbound?limit=3", "").await.json();
    let cursor = page["next_cursor"].as_str().unwrap();
    assert_eq!(texts(&format!("limit=3&cursor={cursor}")).await, ["two", "one"]);
    for (query, outcome) in [
        ("to=x", "422 unknown_field to"),
        ("from=", "422 invalid_value from"),
        ("cursor=x", "422 invalid_value cursor"),
    ] {
        assert_eq!(gateway.call(&format!("GET /v1/inbound?{query}"), "").await.outcome(), outcome);
    }
}

#[tokio::test(start_paused = true)]
async fn r8_what_cannot_be_read_is_shown_as_octets_to_admins() {
    let gateway = Gateway::start().await;
    takes(&gateway, "000414915155").await;
    let [shown] = &items(&gateway, "GET /v1/inbound").await[..] else { panic!() };
    assert_eq!(
        (&shown["status"], &shown["complete"], &shown["from"]),
        (&json!("undecodable"), &json!(false), &json!(null))
    );
    assert_eq!((&shown["text"], &shown["raw"]), (&json!(null), &json!(["000414915155"])));
}

#[tokio::test(start_paused = true)]
async fn who_has_left_is_not_written_to_until_they_come_back() {
    let gateway = Gateway::start().await;
    let waits = gateway.call("POST /v1/messages", TEXT).await.json();
    let verification = gateway.verification(PLAIN).await;
    comes(&gateway, NUMBER, "Stop").await;
    for (line, body) in [
        ("POST /v1/messages", TEXT),
        ("POST /v1/verifications", PLAIN),
        (&format!("POST /v1/verifications/{verification}/resend"), ""),
    ] {
        assert_eq!(gateway.call(line, body).await.outcome(), "403 opted_out to", "{line}");
    }
    let line = format!("GET /v1/messages/{}", waits["id"].as_str().unwrap());
    let canceled = gateway.call(&line, "").await.json();
    assert_eq!((&canceled["status"], &canceled["reason"]["code"]), (&json!("canceled"), &json!("opted_out")));
    let [listed] = &items(&gateway, "GET /v1/opt-outs").await[..] else { panic!() };
    assert_eq!((&listed["number"], &listed["by"]), (&json!("+14…23"), &json!("keyword")));
    assert!(listed["inbound"].as_str().unwrap().starts_with("inb_"));
    comes(&gateway, NUMBER, "START").await;
    assert_eq!(gateway.call("POST /v1/messages", TEXT).await.outcome(), "201");
    let kinds: Vec<_> =
        items(&gateway, "GET /v1/events").await.iter().map(|e| e["kind"].as_str().unwrap().to_owned()).collect();
    assert_eq!(kinds, ["opt_out.removed", "inbound.received", "opt_out.added", "inbound.received"]);
    let events = gateway.call("GET /v1/events", "").await.text;
    assert!(!events.contains("5550123"), "{events}");
}

#[tokio::test(start_paused = true)]
async fn an_admin_keeps_the_list() {
    let gateway = Gateway::start().await;
    for line in ["PUT /v1/opt-outs/+14155550123", "PUT /v1/opt-outs/%2B14155550123"] {
        let reply = gateway.call(line, "").await;
        assert_eq!((reply.status.as_u16(), &reply.json()["by"]), (200, &json!("admin")));
    }
    assert_eq!(items(&gateway, "GET /v1/opt-outs?limit=1").await.len(), 1);
    assert_eq!(gateway.call("POST /v1/messages", TEXT).await.outcome(), "403 opted_out to");
    assert_eq!(gateway.call("DELETE /v1/opt-outs/+14155550123", "").await.outcome(), "204");
    assert_eq!(gateway.call("DELETE /v1/opt-outs/+14155550123", "").await.outcome(), "404 not_found");
    assert_eq!(gateway.call("PUT /v1/opt-outs/555012", "").await.outcome(), "422 invalid_value number");
    assert_eq!(gateway.call("POST /v1/messages", TEXT).await.outcome(), "201");
    let key = gateway.key(&[Scope::Read, Scope::Send], &[]).await;
    for line in ["GET /v1/opt-outs", "PUT /v1/opt-outs/+14155550199", "DELETE /v1/opt-outs/+14155550123"] {
        assert_eq!(gateway.call_as(&key, line, "", &[]).await.outcome(), "403 scope_missing");
    }
}
