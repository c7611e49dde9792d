//! `/v1/webhooks`.

use crate::conformance::{document, validate};
use crate::gateway::{Gateway, PLAIN, equipment};
use otpgate::domain::secret::Secret;
use otpgate::domain::webhook::Outcome;
use otpgate::http::Settings;
use otpgate::ops::clock::Clock;
use otpgate::simulator::pdu::{Deliver, to_hex};
use otpgate::store::{NewInbound, Scope, Store};
use otpgate::webhook::target::Rules;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const URL: &str = r#"{"url":"https://example.org/hooks?token=sesame"}"#;
const TEXT: &str = r#"{"to":"+14155550123","text":"hello"}"#;

#[tokio::test(start_paused = true)]
async fn a_secret_is_shown_once() {
    let gateway = Gateway::start().await;
    let reply = gateway.call("POST /v1/webhooks", URL).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    let made = reply.json();
    let id = made["id"].as_str().unwrap();
    assert_eq!(reply.headers["location"], format!("/v1/webhooks/{id}"));
    let secret = made["secret"].as_str().unwrap();
    assert!(secret.starts_with("whsec_") && secret.len() == 6 + 44, "{}", secret.len());
    assert_eq!((&made["client"], &made["form"], &made["status"]), (&json!(null), &json!("native"), &json!("active")));
    for line in ["GET /v1/webhooks".to_owned(), format!("GET /v1/webhooks/{id}")] {
        let shown = gateway.call(&line, "").await;
        assert!(shown.text.contains(id) && !shown.text.contains("whsec_"), "{}", shown.text);
    }
    let rotate = format!("POST /v1/webhooks/{id}/rotate-secret");
    let rotated = gateway.call(&rotate, r#"{"overlap_seconds":60}"#).await.json();
    assert!(rotated["secret"].as_str().unwrap().starts_with("whsec_") && rotated["secret"] != made["secret"]);
    assert_eq!(rotated["overlap_until"], "2026-11-23T01:36:26.000Z");
    assert_eq!(gateway.call(&format!("DELETE /v1/webhooks/{id}"), "").await.outcome(), "204");
    assert_eq!(gateway.call(&format!("GET /v1/webhooks/{id}"), "").await.outcome(), "404 not_found");
}

#[tokio::test(start_paused = true)]
async fn a_repeated_request_makes_no_second_one() {
    let gateway = Gateway::start().await;
    let again = [("idempotency-key", "one")];
    let post = async |line: &str, body| gateway.call_as(&gateway.admin, line, body, &again).await;
    let made = post("POST /v1/webhooks", URL).await.json();
    assert_eq!(post("POST /v1/webhooks", URL).await.outcome(), "409 already_shown");
    let id = made["id"].as_str().unwrap();
    let test = format!("POST /v1/webhooks/{id}/test");
    let (first, second) = (post(&test, "").await, post(&test, "").await);
    assert_eq!((first.status.as_u16(), first.json()["id"].clone()), (202, second.json()["id"].clone()));
    assert!(second.is_replay() && !first.is_replay());
    let deliveries = gateway.call(&format!("GET /v1/webhooks/{id}/deliveries"), "").await.json();
    assert_eq!(deliveries["items"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&deliveries["items"][0]["event"], &deliveries["items"][0]["status"]),
        (&json!("webhook.test"), &json!("waiting"))
    );
}

#[tokio::test(start_paused = true)]
async fn each_client_has_its_own() {
    let gateway = Gateway::start().await;
    let (one, other) = (gateway.key(&[Scope::Webhooks], &[]).await, gateway.key(&[Scope::Webhooks], &[]).await);
    let made = gateway.call_as(&one, "POST /v1/webhooks", URL, &[]).await.json();
    let (id, client) = (made["id"].as_str().unwrap(), made["client"].as_str().unwrap());
    assert!(client.starts_with("cli_"));
    for line in [
        format!("GET /v1/webhooks/{id}"),
        format!("DELETE /v1/webhooks/{id}"),
        format!("POST /v1/webhooks/{id}/rotate-secret"),
        format!("POST /v1/webhooks/{id}/enable"),
        format!("POST /v1/webhooks/{id}/test"),
        format!("POST /v1/webhooks/{id}/replay"),
        format!("GET /v1/webhooks/{id}/deliveries"),
        format!("POST /v1/webhooks/{id}/deliveries/whd_0199a1b2c3d47e5f8a9b0c1d2e3f4a5b/replay"),
    ] {
        assert_eq!(gateway.call_as(&other, &line, "", &[]).await.outcome(), "404 not_found", "{line}");
    }
    assert_eq!(gateway.call_as(&other, "GET /v1/webhooks", "", &[]).await.json()["items"], json!([]));
    let for_one = json!({"url": "https://example.org/", "client": client}).to_string();
    assert_eq!(gateway.call_as(&other, "POST /v1/webhooks", &for_one, &[]).await.outcome(), "403 scope_missing client");
    assert_eq!(gateway.call("POST /v1/webhooks", &for_one).await.json()["client"], client, "an admin may");
    assert_eq!(gateway.call("GET /v1/webhooks", "").await.json()["items"].as_array().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_for_must_be_known() {
    let gateway = Gateway::start().await;
    let key = gateway.key(&[Scope::Webhooks], &[]).await;
    let with = |more: &str| format!(r#"{{"url":"https://example.org/"{more}}}"#);
    let rows = [
        (r#","events":["message.delivered","sim_card.*"]"#, "201", "422 invalid_value events"),
        (r#","events":["message.*","verification.approved"]"#, "201", "201"),
        (r#","events":["message.sent"]"#, "422 invalid_value events", "422 invalid_value events"),
        (r#","events":["*"]"#, "422 invalid_value events", "422 invalid_value events"),
        (r#","form":"myotp","events":["otp.failed"]"#, "201", "201"),
        (r#","form":"myotp","events":["message.failed"]"#, "422 invalid_value events", "422 invalid_value events"),
        (r#","form":"slack""#, "422 invalid_value form", "422 invalid_value form"),
        (r#","include_text":true"#, "201", "422 invalid_value include_text"),
        (r#","secret":"x""#, "422 unknown_field secret", "422 unknown_field secret"),
    ];
    for (more, admin, client) in rows {
        assert_eq!(gateway.call("POST /v1/webhooks", &with(more)).await.outcome(), admin, "{more}");
        assert_eq!(gateway.call_as(&key, "POST /v1/webhooks", &with(more), &[]).await.outcome(), client, "{more}");
    }
    assert_eq!(gateway.call("POST /v1/webhooks", "{}").await.outcome(), "422 missing_field url");
}

#[tokio::test(start_paused = true)]
async fn a_webhook_leads_nowhere_that_is_not_allowed() {
    let gateway = Gateway::start().await;
    let make = async |gateway: &Gateway, url: &str| {
        gateway.call("POST /v1/webhooks", &json!({ "url": url }).to_string()).await
    };
    let rows = [
        ("http://169.254.169.254/latest/meta-data/", "403 target_refused url"),
        ("https://[::ffff:169.254.169.254]/", "403 target_refused url"),
        ("https://127.0.0.1/", "403 target_refused url"),
        ("https://localhost:8480/v1/keys", "403 target_refused url"),
        ("https://10.1.2.3/", "403 target_refused url"),
        ("https://0.0.0.0/", "403 target_refused url"),
        ("http://example.org/", "403 target_refused url"),
        ("https://user:sesame@example.org/", "422 invalid_value url"),
        ("ftp://example.org/", "422 invalid_value url"),
        ("", "422 invalid_value url"),
    ];
    for (url, outcome) in rows {
        assert_eq!(make(&gateway, url).await.outcome(), outcome, "{url}");
    }
    let refused = make(&gateway, "https://10.1.2.3/").await.json();
    let detail = refused["detail"].as_str().unwrap();
    assert!(detail.contains(r#"write allow_targets = ["10.1.2.3/32"] under [webhook]"#), "{detail}");
    let webhooks = Rules {
        allowed: vec!["10.0.0.0/8".parse().unwrap()],
        own: vec!["10.0.0.1:8480".parse().unwrap()],
        own_names: Vec::new(),
    };
    let gateway = gateway.set(Settings { webhooks, ..Settings::default() });
    for (url, outcome) in [
        ("http://10.1.2.3:3000/", "201"),
        ("http://10.0.0.1:8480/v1/messages", "403 target_refused url"),
        ("https://169.254.169.254/", "403 target_refused url"),
    ] {
        assert_eq!(make(&gateway, url).await.outcome(), outcome, "{url}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_to_be_told_is_listed_without_what_it_says() {
    let gateway = Gateway::start().await;
    let made = gateway.call("POST /v1/webhooks", URL).await.json();
    let id = made["id"].as_str().unwrap();
    gateway.call("POST /v1/messages", TEXT).await;
    let line = format!("GET /v1/webhooks/{id}/deliveries");
    let reply = gateway.call(&format!("{line}?status=waiting&limit=1"), "").await;
    let listed = reply.json();
    let item = &listed["items"][0];
    assert_eq!((&item["event"], &item["attempts"]), (&json!("message.queued"), &json!(0)));
    assert!(!reply.text.contains("4155550123"));
    assert_eq!(gateway.call(&format!("{line}?status=dead"), "").await.json()["items"], json!([]));
    assert_eq!(gateway.call(&format!("{line}?status=lost"), "").await.outcome(), "422 invalid_value status");
    let replay = format!("POST /v1/webhooks/{id}/deliveries/{}/replay", item["id"].as_str().unwrap());
    assert_eq!(gateway.call(&replay, "").await.outcome(), "409 not_dead");
    let all = gateway.call(&format!("POST /v1/webhooks/{id}/replay"), "").await;
    assert_eq!((all.status.as_u16(), all.json()), (202, json!({"replayed": 0, "left": 0})));
    assert_eq!(gateway.call(&format!("GET /v1/webhooks/{id}"), "").await.json()["waiting"], 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_told_is_as_documented() {
    let gateway = Gateway::start().await;
    let all = r#"{"url":"https://example.org/","include_text":true}"#;
    let ids: Vec<_> = [
        gateway.call("POST /v1/webhooks", all).await.json(),
        gateway.call("POST /v1/webhooks", r#"{"url":"https://example.org/","form":"myotp"}"#).await.json(),
    ]
    .map(|made| made["id"].as_str().unwrap().to_owned())
    .into();
    gateway.call("POST /v1/messages", TEXT).await;
    gateway.verification(PLAIN).await;
    gateway.call("POST /v1/guard/stop", "").await;
    let (modem, sim_card) = equipment();
    for tpdu in Deliver::encode("+14155550100", "hello", gateway.clock.now().wall, 1) {
        let pdu = Secret::new(format!("00{}", to_hex(&tpdu)));
        gateway.store.take_inbound(NewInbound { modem: modem.clone(), sim_card: sim_card.clone(), pdu }).await.unwrap();
    }
    let mut waiting = 0;
    for id in &ids {
        gateway.call(&format!("POST /v1/webhooks/{id}/test"), "").await;
        waiting += gateway.call(&format!("GET /v1/webhooks/{id}"), "").await.json()["waiting"].as_u64().unwrap();
    }
    let schema = &document()["webhooks"]["news"]["post"]["requestBody"]["content"]["application/json"]["schema"];
    let mut told = BTreeSet::new();
    for _ in 0..waiting {
        let parcel = gateway.store.parcel().await.unwrap();
        let body: Value = serde_json::from_str(parcel.body.reveal()).unwrap();
        validate(schema, &body).unwrap_or_else(|why| panic!("{why} in {body}"));
        told.extend(body["type"].as_str().or(body["event"].as_str()).map(str::to_owned));
        gateway.store.told(parcel.delivery, Outcome::Answered { status: 200, retry_after: None }).await.unwrap();
    }
    let words =
        ["guard.alarm", "inbound.received", "message.queued", "otp.sent", "verification.created", "webhook.test"];
    assert_eq!(told, words.map(str::to_owned).into());
}
