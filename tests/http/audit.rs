//! `/v1/audit`: who did what, as callers' requests leave it.

use crate::gateway::{Gateway, NUMBER, PLAIN};
use otpgate::domain::equipment::Imei;
use otpgate::http::Settings;
use otpgate::store::{Permission, Scope};
use serde_json::{Value, json};

async fn lines(gateway: &Gateway, query: &str) -> Vec<Value> {
    let page = gateway.call(&format!("GET /v1/audit?{query}"), "").await.json();
    page["items"].as_array().unwrap().clone()
}

#[tokio::test(start_paused = true)]
async fn each_deed_has_its_line() {
    let settings = Settings { trusted_proxies: vec!["0.0.0.0/32".parse().unwrap()], ..Settings::default() };
    let gateway = Gateway::with(settings, None).await;
    let key = gateway.key(&[Scope::Verify], &[Permission::ShortCodes]).await;
    let from = [("x-forwarded-for", "192.0.2.7")];
    let short = format!(r#"{{"to":"{NUMBER}","code_length":4}}"#);
    gateway.call_as(&key, "POST /v1/verifications", &short, &from).await;
    let verification = gateway.verification(PLAIN).await;
    gateway.call(&format!("POST /v1/verifications/{verification}/resend"), "").await;
    gateway.call("POST /v1/messages", r#"{"to":"+14155550199","text":"Geheim"}"#).await;
    let made = gateway.call("POST /v1/keys", r#"{"name":"x","scopes":["read"]}"#).await.json();
    gateway.call(&format!("DELETE /v1/keys/{}", made["id"].as_str().unwrap()), "").await;
    gateway.call("PUT /v1/opt-outs/+14155550188", "").await;
    gateway.call("DELETE /v1/opt-outs/+14155550188", "").await;
    gateway.call("POST /v1/keys/rotate-master", "").await;
    for _ in 0..12 {
        gateway.call_as("otpg_00112233", "GET /v1/keys", "", &from).await;
    }
    let all = lines(&gateway, "limit=200").await;
    let kinds: Vec<_> = all.iter().rev().map(|line| line["kind"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        [
            "key.created",
            "key.created",
            "limit.lifted",
            "code.sent",
            "code.sent",
            "code.sent",
            "text.sent",
            "key.created",
            "key.revoked",
            "opt_out.added",
            "opt_out.removed",
            "master.rotated",
            "log_in.failed",
            "log_in.locked"
        ]
    );
    let line = |place: usize| &all[all.len() - place];
    assert_eq!((&line(3)["address"], &line(3)["detail"]), (&"192.0.2.7".into(), &"short_codes".into()));
    assert_eq!(line(4)["number"], line(5)["number"], "the same number");
    assert_ne!(line(4)["client"], line(5)["client"]);
    assert_ne!(line(5)["number"], line(7)["number"]);
    assert_eq!((&line(5)["about"], &line(8)["about"]), (&verification.as_str().into(), &made["id"]));
    assert_eq!((&line(13)["address"], &line(13)["key"]), (&"192.0.2.7".into(), &Value::Null));
    assert_eq!(lines(&gateway, "number=%2B14155550199").await.len(), 1);
    assert_eq!(lines(&gateway, "kind=code.sent&limit=2").await.len(), 2);
    let walk = gateway.call("GET /v1/audit/verify", "").await.json();
    assert_eq!((&walk["last"], &walk["broken"]), (&14.into(), &Value::Null));
    let text = serde_json::to_string(&all).unwrap();
    for secret in ["4155550", "Geheim", "otpg_"] {
        assert!(!text.contains(secret), "{secret}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_order_has_its_line_and_one_that_changes_nothing_has_none() {
    let gateway = Gateway::start().await;
    gateway.board.update(0, |m| m.imei = Some(Imei::new(IMEI)));
    let made = gateway.call("POST /v1/keys", r#"{"name":"x","scopes":["read"]}"#).await.json();
    let webhook = gateway.call("POST /v1/webhooks", r#"{"url":"https://example.org/?token=sesame"}"#).await.json();
    let (key, webhook) = (made["id"].as_str().unwrap(), webhook["id"].as_str().unwrap());
    let before = lines(&gateway, "limit=200").await;
    assert_eq!((&before[0]["kind"], &before[0]["about"]), (&"webhook.created".into(), &webhook.into()));
    let on = |list: &str| Some(list.to_owned());
    let rows = [
        (format!("PATCH /v1/keys/{key}"), r#"{"name":"y"}"#, Some("key.changed"), on(key), None),
        ("POST /v1/guard/start".into(), "", None, None, None),
        ("POST /v1/guard/stop".into(), "", Some("sending.stopped"), None, None),
        ("POST /v1/guard/stop".into(), "", None, None, None),
        ("POST /v1/guard/start".into(), "", Some("sending.started"), None, None),
        ("PUT /v1/guard/blocked/+44770*".into(), "", Some("list.added"), None, on("blocked")),
        ("PUT /v1/guard/blocked/+44770*".into(), "", None, None, None),
        ("DELETE /v1/guard/blocked/+44770*".into(), "", Some("list.removed"), None, on("blocked")),
        ("PUT /v1/guard/safe/+14155550188".into(), "", Some("list.added"), None, on("safe")),
        ("DELETE /v1/guard/safe/+14155550188".into(), "", Some("list.removed"), None, on("safe")),
        ("DELETE /v1/guard/numbers/+14155550188".into(), "", Some("number.unlocked"), None, None),
        (format!("POST /v1/modems/{IMEI}/resume"), "", Some("modem.resumed"), on(IMEI), None),
        (format!("POST /v1/webhooks/{webhook}/rotate-secret"), "", Some("webhook.rotated"), on(webhook), None),
        (format!("DELETE /v1/webhooks/{webhook}"), "", Some("webhook.deleted"), on(webhook), None),
    ];
    let admin = &before[0]["key"];
    let mut last = before.len() as u64;
    for (line, body, kind, about, detail) in rows {
        let reply = gateway.call(&line, body).await;
        assert!(reply.status.is_success(), "{line}: {}", reply.text);
        let newest = lines(&gateway, "limit=1").await.remove(0);
        last += u64::from(kind.is_some());
        assert_eq!(newest["sequence"], last, "{line}");
        let Some(kind) = kind else { continue };
        assert_eq!((newest["kind"].as_str(), &newest["key"]), (Some(kind), admin), "{line}");
        assert_eq!((&newest["about"], &newest["detail"]), (&json!(about), &json!(detail)), "{line}");
        assert_eq!(newest["number"].is_string(), line.contains("188"), "{line}: a prefix is no number");
    }
    assert_eq!(lines(&gateway, "number=%2B14155550188").await.len(), 3);

    let next = gateway.call(&format!("POST /v1/keys/{key}/rotate"), "").await.json();
    let newest = lines(&gateway, "limit=1").await.remove(0);
    assert_eq!((&newest["kind"], &newest["about"]), (&"key.rotated".into(), &next["id"]));
    assert_eq!(newest["detail"], format!("of {key}"));

    let key = gateway.key(&[Scope::MyOtp], &[Permission::ReturnCode]).await;
    let headers = [("x-api-key", key.as_str()), ("content-type", "application/json")];
    let body = r#"{"phone_number":"14155550123","return_otp":true}"#;
    let reply = gateway.dialect("POST /generate_otp", &headers, body).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let newest = lines(&gateway, "kind=code.returned").await.remove(0);
    let id = reply.json()["message_id"].as_str().unwrap().replace('-', "");
    assert_eq!((&newest["about"], newest["key"].is_string()), (&json!(format!("ver_{id}")), true));

    let walk = gateway.call("GET /v1/audit/verify", "").await.json();
    assert_eq!(walk["broken"], Value::Null);
    let text = serde_json::to_string(&lines(&gateway, "limit=200").await).unwrap();
    for secret in ["4155550", "sesame", "whsec_", "otpg_", reply.json()["otp"].as_str().unwrap()] {
        assert!(!text.contains(secret), "{secret}");
    }
}

const IMEI: &str = "001017000000001";
