//! `/v1/audit`: who did what, as callers' requests leave it.

use crate::gateway::{Gateway, NUMBER, PLAIN};
use otpgate::http::Settings;
use otpgate::store::{Permission, Scope};
use serde_json::Value;

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
