//! The guard over HTTP: what is refused, what would be, and what admins order.

use crate::gateway::{Gateway, Log, NUMBER, PLAIN};
use otpgate::domain::country::Country;
use otpgate::domain::guard::{GuardRules, Rule};
use otpgate::domain::mode::Mode;
use otpgate::store::{KeySettings, Scope};
use std::time::Duration;

/// A gateway for the United States whose guard is in this mode, but for feasibility: there is no modem here.
async fn gateway(mode: Mode) -> Gateway {
    let gateway = Gateway::start().await;
    let modes = [(Rule::InTime, Mode::Off)].into();
    gateway.store.set_guard_rules(GuardRules { mode, modes, home: Some(Country::US), ..GuardRules::default() });
    gateway
}

fn to(number: &str) -> String {
    format!(r#"{{"to":"{number}"}}"#)
}

async fn create(gateway: &Gateway, number: &str) -> String {
    gateway.call("POST /v1/verifications", &to(number)).await.outcome()
}

#[tokio::test(start_paused = true)]
async fn each_refusal_has_its_code_and_names_its_setting() {
    let gateway = gateway(Mode::Enforce).await;
    let rows = [
        ("+4915112345678", "403 country_not_served to", "`country`"),
        ("+18005550199", "403 number_type_refused to", "`[guard] number_types`"),
        (NUMBER, "201", ""),
        (NUMBER, "429 resend_too_soon", "`[guard] resend_wait_seconds`"),
    ];
    for (number, outcome, setting) in rows {
        let reply = gateway.call("POST /v1/verifications", &to(number)).await;
        assert_eq!(reply.outcome(), outcome, "{}", reply.text);
        assert!(reply.text.contains(setting), "{}", reply.text);
    }
    let reply = gateway.call("POST /v1/verifications", PLAIN).await;
    assert_eq!(reply.headers["retry-after"], "60");
    let text = r#"{"to":"+4915112345678","text":"hello"}"#;
    assert_eq!(gateway.call("POST /v1/messages", text).await.outcome(), "403 country_not_served to");
    let text = r#"{"to":"+14155550123","text":"hello"}"#;
    assert_eq!(gateway.call("POST /v1/messages", text).await.outcome(), "201", "no code, no ladder");
}

#[tokio::test(start_paused = true)]
async fn a8_what_shadow_would_refuse_is_in_header_log_and_counter_and_nothing_is_refused() {
    let gateway = gateway(Mode::Shadow).await;
    let log = Log::begin();
    let first = gateway.call("POST /v1/verifications", PLAIN).await;
    assert_eq!((first.outcome().as_str(), first.headers.get("otpgate-guard")), ("201", None));
    let second = gateway.call("POST /v1/verifications", PLAIN).await;
    assert_eq!(second.outcome(), "201");
    assert_eq!(second.headers["otpgate-guard"], "resend_wait;retry_after=60");
    let foreign = gateway.call("POST /v1/messages", r#"{"to":"+4915112345678","text":"hello"}"#).await;
    assert_eq!((foreign.outcome().as_str(), &foreign.headers["otpgate-guard"]), ("201", &"country".parse().unwrap()));
    assert_eq!(log.with("The guard would refuse this").len(), 2);
    assert!(log.with("guard.rule=\"resend_wait\"").len() == 1 && log.with("4155550123").is_empty(), "masked");
    let json = gateway.call("GET /v1/guard", "").await.json();
    let rule = |name: &str| json["rules"].as_array().unwrap().iter().find(|r| r["rule"] == name).unwrap().clone();
    let counted = |name: &str| (rule(name)["refused"].as_u64().unwrap(), rule(name)["would_refuse"].as_u64().unwrap());
    assert_eq!((rule("resend_wait")["mode"].as_str(), counted("resend_wait")), (Some("shadow"), (0, 1)));
    assert_eq!(counted("country"), (0, 1));
    // Wrong codes are told, too.
    let id = first.json()["id"].as_str().unwrap().to_owned();
    let id = gateway.call(&format!("GET /v1/verifications/{id}"), "").await;
    assert_eq!(id.json()["status"], "canceled", "superseded, as ever");
}

#[tokio::test(start_paused = true)]
async fn too_many_wrong_codes_are_429_without_a_compare_until_the_wait_is_over() {
    let gateway = gateway(Mode::Enforce).await;
    gateway.store.set_guard_rules(GuardRules {
        mode: Mode::Off,
        modes: [(Rule::FailedChecks, Mode::Enforce)].into(),
        failed_checks: 3,
        ..GuardRules::default()
    });
    let id = gateway.verification(PLAIN).await;
    let code = gateway.code().await;
    let wrong = format!(r#"{{"code":"{}"}}"#, if code == "000000" { "000001" } else { "000000" });
    let check = format!("POST /v1/verifications/{id}/check");
    for _ in 0..3 {
        assert_eq!(gateway.call(&check, &wrong).await.json()["valid"], false);
    }
    let right = format!(r#"{{"code":"{code}"}}"#);
    let locked = gateway.call(&check, &right).await;
    assert_eq!(
        (locked.outcome().as_str(), &locked.headers["retry-after"]),
        ("429 too_many_failed_checks", &"30".parse().unwrap())
    );
    assert_eq!(create(&gateway, NUMBER).await, "429 too_many_failed_checks");
    let resend = format!("POST /v1/verifications/{id}/resend");
    assert_eq!(gateway.call(&resend, "").await.outcome(), "429 too_many_failed_checks");
    assert_eq!(gateway.call("DELETE /v1/guard/numbers/+14155550123", "").await.outcome(), "204");
    assert_eq!(gateway.call(&check, &right).await.json()["valid"], true);
    tokio::time::sleep(Duration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
async fn admins_block_trust_stop_and_start() {
    let gateway = gateway(Mode::Enforce).await;
    let entry = gateway.call("PUT /v1/guard/blocked/+1415555*", "").await.json();
    assert_eq!((&entry["prefix"], &entry["number"]), (&"+1415555*".into(), &serde_json::Value::Null));
    assert_eq!(create(&gateway, NUMBER).await, "403 number_blocked to");
    let list = gateway.call("GET /v1/guard/blocked", "").await.json();
    assert_eq!(list["items"][0]["id"], entry["id"]);
    assert_eq!(gateway.call("DELETE /v1/guard/blocked/+1415555*", "").await.outcome(), "204");
    assert_eq!(gateway.call("DELETE /v1/guard/blocked/+1415555*", "").await.outcome(), "404 not_found");
    let safe = gateway.call("PUT /v1/guard/safe/+4915112345678", "").await.json();
    assert_eq!(safe["number"], "+49…78");
    for _ in 0..4 {
        assert_eq!(create(&gateway, "+4915112345678").await, "201", "however often, wherever it belongs");
    }
    assert_eq!(gateway.call("PUT /v1/guard/safe/4915", "").await.outcome(), "422 invalid_value number");
    assert_eq!(gateway.call("POST /v1/guard/stop", "").await.json()["stopped"], true);
    assert_eq!(create(&gateway, "+4915112345678").await, "503 sending_stopped");
    assert_eq!(gateway.call("POST /v1/guard/start", "").await.json()["stopped"], false);
    assert_eq!(create(&gateway, "+4915112345678").await, "201");
    let events = gateway.call("GET /v1/events?kind=guard.alarm", "").await.json();
    assert_eq!(events["items"].as_array().unwrap().len(), 2);
    let key = gateway.key(&[Scope::Verify, Scope::Check, Scope::Send, Scope::Read], &[]).await;
    for line in ["GET /v1/guard", "POST /v1/guard/stop", "GET /v1/guard/safe", "PUT /v1/guard/blocked/+1*"] {
        assert_eq!(gateway.call_as(&key, line, "", &[]).await.outcome(), "403 scope_missing", "{line}");
    }
}

#[tokio::test(start_paused = true)]
async fn limits_by_counts_what_the_caller_knows() {
    let gateway = gateway(Mode::Enforce).await;
    let body = |n: u32| format!(r#"{{"to":"+1415555{n:04}","limits_by":{{"ip":"198.51.100.7","device":"d{n}"}}}}"#);
    for n in 200..205 {
        assert_eq!(gateway.call("POST /v1/verifications", &body(n)).await.outcome(), "201");
    }
    let reply = gateway.call("POST /v1/verifications", &body(205)).await;
    assert_eq!(reply.outcome(), "429 limits_by_reached limits_by");
    assert!(reply.text.contains("`limits_by.ip`") && !reply.text.contains("198.51"), "{}", reply.text);
    for wrong in [r#"{}"#, r#"[]"#, r#""a""#, r#"{"Ip":"a"}"#, r#"{"ip":7}"#, r#"{"ip":""}"#] {
        let body = format!(r#"{{"to":"{NUMBER}","limits_by":{wrong}}}"#);
        assert_eq!(
            gateway.call("POST /v1/verifications", &body).await.outcome(),
            "422 invalid_value limits_by",
            "{wrong}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn s10_a_concealing_key_can_not_tell_a_blocked_number_from_another() {
    let gateway = gateway(Mode::Enforce).await;
    let scopes = [Scope::Verify, Scope::Check, Scope::Send, Scope::Read];
    let key = gateway.key_with(&scopes, KeySettings { conceal: true, ..KeySettings::default() }).await;
    gateway.call("PUT /v1/guard/blocked/+14155550123", "").await;
    gateway.call("PUT /v1/opt-outs/+14155550124", "").await;
    /// All that differs from one verification to the next.
    fn plain(text: &str, id: &str, message: &str) -> String {
        let digits = |text: String| ["0122", "0123", "0124"].iter().fold(text, |text, tail| text.replace(tail, "01xx"));
        digits(text.replace(id, "ID").replace(message, "MESSAGE"))
    }
    let mut seen = Vec::new();
    for number in ["+14155550122", "+14155550123", "+14155550124"] {
        let mut story = Vec::new();
        let made = gateway.call_as(&key, "POST /v1/verifications", &to(number), &[]).await;
        let (id, message) = (made.json()["id"].to_string(), made.json()["message"]["id"].to_string());
        let (id, message) = (id.trim_matches('"').to_owned(), message.trim_matches('"').to_owned());
        let mut tell = |reply: &crate::gateway::Reply| {
            let names = reply.headers.keys().map(ToString::to_string).collect::<Vec<_>>();
            story.push(format!("{} {names:?} {}", reply.status, plain(&reply.text, &id, &message)));
        };
        tell(&made);
        let paths = [
            format!("GET /v1/verifications/{id}"),
            format!("GET /v1/messages/{message}"),
            format!("GET /v1/messages?to=%2B{}&status=queued", &number[1..]),
            format!("GET /v1/messages?to=%2B{}&status=canceled", &number[1..]),
        ];
        for path in &paths {
            tell(&gateway.call_as(&key, path, "", &[]).await);
        }
        let check = format!("POST /v1/verifications/{id}/check");
        for _ in 0..3 {
            tell(&gateway.call_as(&key, &check, r#"{"code":"0000000"}"#, &[]).await);
            tell(&gateway.call_as(&key, &check, r#"{"code":"000000"}"#, &[]).await);
        }
        tell(&gateway.call_as(&key, "POST /v1/verifications", &to(number), &[]).await);
        let cancel = format!("POST /v1/messages/{message}/cancel");
        tell(&gateway.call_as(&key, &cancel, "", &[]).await);
        tell(&gateway.call_as(&key, &paths[1], "", &[]).await);
        seen.push(story);
    }
    assert_eq!(seen[0], seen[1], "blocked");
    assert_eq!(seen[0], seen[2], "opted out");
    assert!(seen[0][2].contains("queued"), "{}", seen[0][2]);
}

/// Called off, such a code is as wrong as before.
#[tokio::test(start_paused = true)]
async fn s10_a_concealed_code_is_never_right_whatever_becomes_of_its_message() {
    let gateway = gateway(Mode::Enforce).await;
    let scopes = [Scope::Verify, Scope::Check, Scope::Send];
    let key = gateway.key_with(&scopes, KeySettings { conceal: true, ..KeySettings::default() }).await;
    gateway.call("PUT /v1/guard/blocked/+14155550123", "").await;
    let body = r#"{"to":"+14155550123","code":"135790"}"#;
    let made = gateway.call_as(&key, "POST /v1/verifications", body, &[]).await.json();
    let (id, message) = (made["id"].as_str().unwrap(), made["message"]["id"].as_str().unwrap());
    let check = async || {
        let line = format!("POST /v1/verifications/{id}/check");
        gateway.call_as(&key, &line, r#"{"code":"135790"}"#, &[]).await.json()["valid"].clone()
    };
    assert_eq!(check().await, false);
    let cancel = format!("POST /v1/messages/{message}/cancel");
    assert_eq!(gateway.call_as(&key, &cancel, "", &[]).await.status, 200);
    assert_eq!(check().await, false, "it never left");
}

#[tokio::test(start_paused = true)]
async fn what_is_stopped_is_not_ready() {
    let gateway = gateway(Mode::Enforce).await;
    gateway.modem(0, otpgate::modem::board::ModemState::Ready);
    assert_eq!(gateway.call("GET /readyz", "").await.outcome(), "200");
    gateway.call("POST /v1/guard/stop", "").await;
    let reply = gateway.call("GET /readyz", "").await;
    assert!(reply.status == 503 && reply.text.contains("/v1/guard/start"), "{}", reply.text);
    gateway.call("POST /v1/guard/start", "").await;
    assert_eq!(gateway.call("GET /readyz", "").await.outcome(), "200");
}
