//! `/v1/verifications`.

use crate::gateway::{Gateway, Log, NUMBER, PLAIN, equipment};
use otpgate::domain::id::MessageId;
use otpgate::domain::message::{IntentOf, PartId};
use otpgate::domain::time::Now;
use otpgate::http::Settings;
use otpgate::ops::clock::Clock;
use otpgate::store::{Grant, Permission, Scope, Store};
use std::time::Duration;

fn wrong(code: &str) -> String {
    let other = if code.starts_with('0') { '1' } else { '0' };
    format!("{other}{}", &code[1..])
}

fn body(code: &str) -> String {
    format!(r#"{{"code":"{code}"}}"#)
}

#[tokio::test(start_paused = true)]
async fn from_the_request_to_the_right_code() {
    let gateway = Gateway::start().await;
    let reply = gateway
        .call(
            "POST /v1/verifications",
            r#"{"to":"+1 415-555-0123","brand":"Acme","purpose":"login","metadata":{"cart":7}}"#,
        )
        .await;
    assert_eq!(reply.status, 201);
    let made = reply.json();
    let id = made["id"].as_str().unwrap();
    assert_eq!(reply.headers["location"], format!("/v1/verifications/{id}"));
    assert_eq!(made["to"], NUMBER);
    assert_eq!(made["status"], "pending");
    assert_eq!(made["attempts_left"], 5);
    assert_eq!(made["metadata"]["cart"], 7);
    assert_eq!(made["message"]["status"], "queued");
    assert_eq!(made["expires_at"], "2026-11-23T01:40:26.000Z");
    let claim = gateway.claim().await;
    let text = claim.text.reveal();
    let (code, rest) = text.split_at(6);
    assert_eq!(rest, " is your Acme code. Valid for 5 min. Don't share it.");
    assert!(code.bytes().all(|b| b.is_ascii_digit()));

    let check = format!("POST /v1/verifications/{id}/check");
    let no = gateway.call(&check, &body(&wrong(code))).await.json();
    assert_eq!((&no["status"], &no["valid"], &no["attempts_left"]), (&"pending".into(), &false.into(), &4.into()));
    let typed = format!("{} {}-{}", &code[..2], &code[2..4], &code[4..]);
    let yes = gateway.call(&check, &body(&typed)).await.json();
    assert_eq!((&yes["status"], &yes["valid"]), (&"approved".into(), &true.into()));
    assert_eq!((&yes["to"], &yes["purpose"]), (&NUMBER.into(), &"login".into()));
    for again in [code.to_owned(), wrong(code)] {
        assert_eq!(gateway.call(&check, &body(&again)).await.outcome(), "409 already_approved");
    }
    let known = gateway.call(&format!("GET /v1/verifications/{id}"), "").await;
    assert_eq!(known.json()["status"], "approved");
    assert!(!known.text.contains(code), "no answer reads a code back");
}

#[tokio::test(start_paused = true)]
async fn the_fifth_wrong_code_is_the_last_and_a_slip_costs_nothing() {
    let gateway = Gateway::start().await;
    let id = gateway.verification(PLAIN).await;
    let code = gateway.code().await;
    let check = format!("POST /v1/verifications/{id}/check");
    for slip in ["12345", "1234567", "12345a", "", "12 34 5", "123456123456", "12345!"] {
        assert_eq!(gateway.call(&check, &body(slip)).await.outcome(), "422 invalid_value code", "{slip}");
    }
    for (field, other) in [("to", "+14155550199"), ("purpose", "login")] {
        let mut json = serde_json::json!({"code": code});
        json[field] = other.into();
        let verdict = gateway.call(&check, &json.to_string()).await.json();
        assert_eq!(verdict["valid"], false, "the right code for another number or purpose is a wrong one");
    }
    for left in [2, 1] {
        assert_eq!(gateway.call(&check, &body(&wrong(&code))).await.json()["attempts_left"], left);
    }
    let last = gateway.call(&check, &body(&wrong(&code))).await.json();
    assert_eq!((&last["status"], &last["attempts_left"]), (&"max_attempts_reached".into(), &0.into()));
    let after = gateway.call(&check, &body(&code)).await.json();
    assert_eq!((&after["status"], &after["valid"]), (&"max_attempts_reached".into(), &false.into()));
}

#[tokio::test(start_paused = true)]
async fn an_expired_or_canceled_one_says_so() {
    let gateway = Gateway::start().await;
    let (expired, canceled) =
        (gateway.verification(PLAIN).await, gateway.verification(r#"{"to":"+14155550124"}"#).await);
    let cancel = format!("POST /v1/verifications/{canceled}/cancel");
    let reply = gateway.call(&cancel, "").await.json();
    assert_eq!((&reply["status"], &reply["reason"]["code"]), (&"canceled".into(), &"canceled_by_caller".into()));
    assert_eq!(reply["message"]["status"], "canceled");
    assert_eq!(gateway.call(&cancel, "").await.outcome(), "409 already_final");
    tokio::time::advance(Duration::from_secs(300)).await;
    for (id, status) in [(expired, "expired"), (canceled, "canceled")] {
        let reply = gateway.call(&format!("POST /v1/verifications/{id}/check"), &body("123456")).await.json();
        assert_eq!((&reply["status"], &reply["valid"]), (&status.into(), &false.into()));
        let resend = gateway.call(&format!("POST /v1/verifications/{id}/resend"), "").await;
        assert_eq!(resend.outcome(), "409 already_final");
    }
}

#[tokio::test(start_paused = true)]
async fn a_resend_carries_the_same_code_and_never_more_time() {
    let gateway = Gateway::start().await;
    let id = gateway.verification(r#"{"to":"+14155550123","brand":"Acme"}"#).await;
    let before = gateway.call(&format!("GET /v1/verifications/{id}"), "").await.json();
    let code = gateway.code().await;
    tokio::time::advance(Duration::from_secs(60)).await;
    let resend = format!("POST /v1/verifications/{id}/resend");
    let reply = gateway.call(&resend, "").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.json()["expires_at"], before["expires_at"]);
    assert_ne!(reply.json()["message"]["id"], before["message"]["id"]);
    assert_eq!(reply.json()["sends"], 2);
    let claim = gateway.claim().await;
    assert_eq!(claim.text.reveal(), format!("{code} is your Acme code. Valid for 4 min. Don't share it."));
    drop(claim);
    assert_eq!(gateway.call(&resend, r#"{"fresh":true}"#).await.status, 200);
    assert_ne!(gateway.code().await, code, "a fresh one");
    tokio::time::advance(Duration::from_secs(181)).await;
    assert_eq!(gateway.call(&resend, "").await.outcome(), "409 too_late");
}

#[tokio::test(start_paused = true)]
async fn a_code_of_the_callers_own() {
    let gateway = Gateway::start().await;
    let id = gateway.verification(r#"{"to":"+14155550123","code":"aB3xY9"}"#).await;
    assert_eq!(gateway.code().await, "aB3xY9");
    let fresh = gateway.call(&format!("POST /v1/verifications/{id}/resend"), r#"{"fresh":true}"#).await;
    assert_eq!(fresh.outcome(), "409 code_supplied fresh");
    let check = format!("POST /v1/verifications/{id}/check");
    for slip in ["aB3xY", "aB3xY99"].iter().cycle().take(10) {
        let reply = gateway.call(&check, &body(slip)).await;
        assert_eq!(reply.outcome(), "422 invalid_value code", "{slip}");
        assert!(reply.text.contains("has 6 characters; nothing was counted"), "{}", reply.text);
    }
    assert_eq!(gateway.call(&check, &body("ab3xy9")).await.json()["attempts_left"], 4);
    assert_eq!(gateway.call(&check, &body("aB3-xY9")).await.json()["valid"], true);
}

#[tokio::test(start_paused = true)]
async fn a_newer_code_takes_the_older_ones_place() {
    let gateway = Gateway::start().await;
    let older = gateway.verification(PLAIN).await;
    let other = gateway.verification(r#"{"to":"+14155550123","purpose":"pay"}"#).await;
    gateway.verification(PLAIN).await;
    let show = async |id: &str| gateway.call(&format!("GET /v1/verifications/{id}"), "").await.json();
    assert_eq!(show(&older).await["reason"]["code"], "superseded");
    assert_eq!(show(&other).await["status"], "pending", "another purpose");
}

#[tokio::test(start_paused = true)]
async fn metadata_is_kept_to_the_letter() {
    let gateway = Gateway::start().await;
    let filler = "y".repeat(1024 - r#"{"x":""}"#.len());
    let rows = [
        r#"{"order":12345678901234567890123,"price":1.10,"rate":1E2,"zero":-0}"#,
        r#"{"z":1,"a":{"y":[],"b":null},"m":"\u0041\/é"}"#,
        r#"{"a":1,"a":2}"#,
        "{ \"a\" :\n\t1 }",
        "{}",
        &format!(r#"{{"x":"{filler}"}}"#),
    ];
    for text in rows {
        let request = format!(r#"{{"metadata": {text} ,"to":"+14155550123"}}"#);
        let made = gateway.call("POST /v1/verifications", &request).await;
        assert_eq!(made.status, 201, "{text}: {}", made.text);
        let id = made.json()["id"].as_str().unwrap().to_owned();
        let shown = gateway.call(&format!("GET /v1/verifications/{id}"), "").await;
        for reply in [made, shown] {
            assert!(reply.text.contains(&format!(r#""metadata":{text},"#)), "{text}: {}", reply.text);
        }
    }
    let none = gateway.call("POST /v1/verifications", r#"{"to":"+14155550123","metadata":null}"#).await;
    assert!(none.json()["metadata"].is_null(), "{}", none.text);
}

#[tokio::test(start_paused = true)]
async fn what_is_refused() {
    let gateway = Gateway::start().await;
    let big = format!(r#""metadata":{{"x":"{}"}}"#, "y".repeat(1024));
    let rows = [
        ("the least", "", "201"),
        ("null is absent", r#""brand":null"#, "201"),
        ("no number", r#""to":"555""#, "422 invalid_value to"),
        ("a number that is one", r#""to":14155550123"#, "422 invalid_value to"),
        ("a misspelt field", r#""ttl":60"#, "422 unknown_field ttl"),
        ("a field that may be a secret", r#""00112233":1"#, "422 unknown_field"),
        ("a brand with a link", r#""brand":"evil.com""#, "422 invalid_value brand"),
        ("a brand with a line break", r#""brand":"a\nb""#, "422 invalid_value brand"),
        ("a brand too long", r#""brand":"abcdefghijklmnopqrstuvwxyz0123456""#, "422 invalid_value brand"),
        ("a purpose with capitals", r#""purpose":"Login""#, "422 invalid_value purpose"),
        ("an empty purpose", r#""purpose":"""#, "422 invalid_value purpose"),
        ("metadata that is no object", r#""metadata":"sesame""#, "422 invalid_value metadata"),
        ("metadata too large", &big, "422 invalid_value metadata"),
        ("no such word", r#""on_uncertain":"evil""#, "422 invalid_value on_uncertain"),
        ("two digits", r#""code_length":2"#, "422 invalid_value code_length"),
        ("eleven digits", r#""code_length":11"#, "422 invalid_value code_length"),
        ("four digits", r#""code_length":4"#, "422 code_too_short code_length"),
        ("ten digits", r#""code_length":10"#, "201"),
        ("an own code too short", r#""code":"00112""#, "422 code_too_short code"),
        ("an own code with a space", r#""code":"001 122""#, "422 invalid_value code"),
        ("both", r#""code":"123456","code_length":6"#, "422 invalid_value code_length"),
        ("29 seconds", r#""ttl_seconds":29"#, "422 invalid_value ttl_seconds"),
        ("ten minutes", r#""ttl_seconds":600"#, "201"),
        ("above the cap", r#""ttl_seconds":601"#, "422 ttl_too_long ttl_seconds"),
        ("above all", r#""ttl_seconds":86401"#, "422 invalid_value ttl_seconds"),
    ];
    for (name, field, expected) in rows {
        let body = match field {
            "" => PLAIN.to_owned(),
            field if field.starts_with(r#""to""#) => format!("{{{field}}}"),
            field => format!(r#"{{"to":"+14155550123",{field}}}"#),
        };
        let reply = gateway.call("POST /v1/verifications", &body).await;
        assert_eq!(reply.outcome(), expected, "{name}: {}", reply.text);
    }
    assert_eq!(gateway.call("POST /v1/verifications", "{}").await.outcome(), "422 missing_field to");
}

#[tokio::test(start_paused = true)]
async fn only_a_permission_lifts_a_cap_and_a_refusal_names_the_setting() {
    let gateway = Gateway::start().await;
    let plain = gateway.key(&[Scope::Verify], &[]).await;
    let short = gateway.key(&[Scope::Verify], &[Permission::ShortCodes]).await;
    let long = gateway.key(&[Scope::Verify], &[Permission::LongTtl]).await;
    let rows = [
        (&plain, r#""code_length":4"#, "422 code_too_short code_length", "[codes] min_length"),
        (&gateway.admin, r#""code_length":4"#, "422 code_too_short code_length", "short_codes"),
        (&long, r#""code_length":4"#, "422 code_too_short code_length", "short_codes"),
        (&short, r#""code_length":4"#, "201", ""),
        (&short, r#""code":"0011""#, "201", ""),
        (&plain, r#""ttl_seconds":3600"#, "422 ttl_too_long ttl_seconds", "[codes] max_ttl_seconds"),
        (&gateway.admin, r#""ttl_seconds":3600"#, "422 ttl_too_long ttl_seconds", "long_ttl"),
        (&short, r#""ttl_seconds":3600"#, "422 ttl_too_long ttl_seconds", "long_ttl"),
        (&long, r#""ttl_seconds":3600"#, "201", ""),
    ];
    for (key, field, expected, word) in rows {
        let body = format!(r#"{{"to":"+14155550123",{field}}}"#);
        let reply = gateway.call_as(key, "POST /v1/verifications", &body, &[]).await;
        assert_eq!(reply.outcome(), expected, "{field}");
        assert!(reply.text.contains(word), "{word} in {}", reply.text);
    }
}

#[tokio::test(start_paused = true)]
async fn a_permission_that_was_needed_is_in_the_log() {
    let gateway = Gateway::start().await;
    let key = gateway.key(&[Scope::Verify], &Permission::ALL).await;
    let key_id = gateway.call("GET /v1/keys", "").await.json()["items"][1]["id"].as_str().unwrap().to_owned();
    let rows: [(&str, &[&str]); 5] = [
        (r#""code_length":6,"ttl_seconds":600"#, &[]),
        (r#""code_length":5"#, &["short_codes"]),
        (r#""code":"0011""#, &["short_codes"]),
        (r#""ttl_seconds":601"#, &["long_ttl"]),
        (r#""code_length":4,"ttl_seconds":3600"#, &["long_ttl", "short_codes"]),
    ];
    for (fields, permissions) in rows {
        let log = Log::begin();
        let body = format!(r#"{{"to":"+14155550123",{fields}}}"#);
        for replay in [false, true] {
            let headers = [("Idempotency-Key", fields)];
            let reply = gateway.call_as(&key, "POST /v1/verifications", &body, &headers).await;
            assert_eq!((reply.status.as_u16(), reply.is_replay()), (201, replay), "{fields}");
            let lines = log.with("A permission lifted a limit");
            assert_eq!(lines.len(), permissions.len(), "{fields}: {lines:?}");
            let id = reply.json()["id"].as_str().unwrap().to_owned();
            for (line, permission) in lines.iter().zip(permissions) {
                assert!([&id, &key_id, *permission].iter().all(|piece| line.contains(*piece)), "{line}");
            }
        }
    }
    let log = Log::begin();
    gateway.call("POST /v1/verifications", r#"{"to":"+14155550123","code_length":4}"#).await;
    assert!(log.with("lifted").is_empty(), "a refusal lifts nothing");
}

#[tokio::test(start_paused = true)]
async fn the_same_request_again_is_the_same_verification() {
    let gateway = Gateway::start().await;
    let other = gateway.key(&[Scope::Verify], &[]).await;
    let post = async |key: &str, idempotency: &str, body: &str| {
        gateway.call_as(key, "POST /v1/verifications", body, &[("Idempotency-Key", idempotency)]).await
    };
    let first = post(&gateway.admin, "order-1", PLAIN).await;
    assert!(first.status == 201 && !first.is_replay());
    let id = first.json()["id"].clone();
    let again = post(&gateway.admin, "order-1", "{ \"to\" :\"+14155550123\" }").await;
    assert!(again.status == 201 && again.is_replay());
    assert_eq!(again.json()["id"], id);
    assert_eq!(again.headers["location"], first.headers["location"]);
    gateway.call(&format!("POST /v1/verifications/{}/cancel", id.as_str().unwrap()), "").await;
    assert_eq!(post(&gateway.admin, "order-1", PLAIN).await.json()["status"], "canceled", "as it is now");
    let changed = post(&gateway.admin, "order-1", r#"{"to":"+14155550124"}"#).await;
    assert_eq!(changed.outcome(), "409 idempotency_mismatch Idempotency-Key");
    assert_ne!(post(&other, "order-1", PLAIN).await.json()["id"], id, "another client's key is another key");
    assert_ne!(post(&gateway.admin, "order-2", PLAIN).await.json()["id"], id);
    assert_eq!(post(&gateway.admin, "bad", r#"{"to":"1"}"#).await.status, 422);
    assert_eq!(post(&gateway.admin, "bad", PLAIN).await.status, 201, "only what was done is remembered");
    tokio::time::advance(Duration::from_secs(24 * 3600 + 60)).await;
    let day_after = post(&gateway.admin, "order-1", PLAIN).await;
    assert!(day_after.status == 201 && !day_after.is_replay() && day_after.json()["id"] != id);
    for bad in ["", &"k".repeat(256), "a\tb"] {
        assert_eq!(post(&gateway.admin, bad, PLAIN).await.outcome(), "422 invalid_value Idempotency-Key", "{bad}");
    }
    let twice = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")];
    let reply = gateway.call_as(&gateway.admin, "POST /v1/verifications", PLAIN, &twice).await;
    assert_eq!(reply.outcome(), "400 bad_request Idempotency-Key");
}

#[tokio::test(start_paused = true)]
async fn what_was_done_is_answered_again_though_it_would_be_refused_by_now() {
    let gateway = Gateway::start().await;
    let body = r#"{"to":"+14155550123","code_length":6,"ttl_seconds":600}"#;
    let post = async |gateway: &Gateway, key| {
        gateway.call_as(&gateway.admin, "POST /v1/verifications", body, &[("Idempotency-Key", key)]).await
    };
    let first = post(&gateway, "k").await.json();
    for settings in [
        Settings { min_code_length: 7, ..Settings::default() },
        Settings { max_code_ttl: Duration::from_secs(300), ..Settings::default() },
    ] {
        let stricter = gateway.set(settings);
        assert_eq!(post(&stricter, "new").await.status, 422);
        let again = post(&stricter, "k").await;
        assert!(again.status == 201 && again.is_replay(), "{}", again.text);
        assert_eq!(again.json()["id"], first["id"]);
        assert_eq!(again.headers["location"], format!("/v1/verifications/{}", first["id"].as_str().unwrap()));
        let line = "POST /v1/verifications";
        let other = r#"{"to":"+14155550123","code_length":4}"#;
        let other = stricter.call_as(&stricter.admin, line, other, &[("Idempotency-Key", "k")]).await;
        assert_eq!(other.outcome(), "409 idempotency_mismatch Idempotency-Key");
    }
}

#[tokio::test(start_paused = true)]
async fn a_twin_in_flight_waits_for_the_first() {
    let gateway = Gateway::start().await;
    let post = async || {
        let gateway = gateway.clone();
        let headers = [("Idempotency-Key", "twin")];
        gateway.call_as(&gateway.admin, "POST /v1/verifications", PLAIN, &headers).await
    };
    let (a, b, c) = tokio::join!(post(), post(), post());
    assert_eq!([a.status, b.status, c.status], [201; 3]);
    let ids = [a.json()["id"].clone(), b.json()["id"].clone(), c.json()["id"].clone()];
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!([a, b, c].iter().filter(|r| !r.is_replay()).count(), 1, "one of them made it");
    let all = gateway.call("GET /v1/messages", "").await.json();
    assert_eq!(all["items"].as_array().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_same_check_again_repeats_the_verdict_and_spends_nothing() {
    let gateway = Gateway::start().await;
    let id = gateway.verification(PLAIN).await;
    let code = gateway.code().await;
    let check = async |idempotency: &str, code: &str| {
        let line = format!("POST /v1/verifications/{id}/check");
        gateway.call_as(&gateway.admin, &line, &body(code), &[("Idempotency-Key", idempotency)]).await
    };
    for replay in [false, true, true] {
        let reply = check("first", &wrong(&code)).await;
        assert_eq!((reply.status.as_u16(), reply.is_replay()), (200, replay));
        assert_eq!(reply.json()["attempts_left"], 4);
    }
    assert_eq!(check("first", &code).await.outcome(), "409 idempotency_mismatch Idempotency-Key");
    for replay in [false, true] {
        let reply = check("second", &code).await;
        assert_eq!((reply.status.as_u16(), reply.is_replay()), (200, replay));
        assert_eq!((&reply.json()["valid"], &reply.json()["status"]), (&true.into(), &"approved".into()));
    }
    assert_eq!(check("third", &code).await.outcome(), "409 already_approved");
}

#[tokio::test(start_paused = true)]
async fn an_idempotency_key_has_one_life_however_the_path_is_written() {
    let gateway = Gateway::start().await;
    let id = gateway.verification(PLAIN).await;
    let code = gateway.code().await;
    let check = async |path: &str| {
        let line = format!("POST /v1/verifications/{path}/check");
        gateway.call_as(&gateway.admin, &line, &body(&wrong(&code)), &[("Idempotency-Key", "k")]).await
    };
    assert_eq!(check(&id).await.json()["attempts_left"], 4);
    let escaped: String = id.bytes().map(|octet| format!("%{octet:02X}")).collect();
    for path in [&id, &id.replace("ver", "%76er"), &escaped, &escaped.to_lowercase()] {
        let reply = check(path).await;
        assert!(reply.status == 200 && reply.is_replay(), "{path}: {}", reply.text);
        assert_eq!(reply.json()["attempts_left"], 4, "{path}");
    }
    let shouted = format!("ver_{}", id[4..].to_uppercase());
    assert_eq!(check(&shouted).await.outcome(), "404 not_found", "there is one way to write an id");
    let other = gateway.verification(r#"{"to":"+14155550124"}"#).await;
    assert!(!check(&other).await.is_replay(), "another path is another key");
}

/// The intent of a claim's first part.
fn intent(now: &Now) -> IntentOf {
    let (modem, sim_card) = equipment();
    IntentOf {
        modem,
        sim_card,
        part: PartId { attempt: 0, part: 0 },
        concat_reference: 1,
        report_until: now.after(Duration::from_secs(900)),
        needs: Duration::from_secs(10),
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_with_the_news() {
    let gateway = Gateway::start().await;
    let id = gateway.verification(PLAIN).await;
    let known = gateway.call(&format!("GET /v1/verifications/{id}"), "").await.json();
    let message = known["message"]["id"].as_str().unwrap().to_owned();
    let version = gateway.call(&format!("GET /v1/messages/{message}"), "").await.json()["version"].as_u64().unwrap();
    let wait = |query: String| {
        let (gateway, message) = (gateway.clone(), message.clone());
        tokio::spawn(async move {
            let began = gateway.clock.now().mono;
            let reply = gateway.call(&format!("GET /v1/messages/{message}?{query}"), "").await;
            (reply.json()["status"].as_str().unwrap().to_owned(), (gateway.clock.now().mono - began).as_secs())
        })
    };
    let at_once = wait(format!("wait=30&after={}", version - 1)).await.unwrap();
    assert_eq!(at_once, ("queued".to_owned(), 0), "a newer version is there already");
    let in_vain = wait(format!("wait=20&after={version}")).await.unwrap();
    assert_eq!(in_vain, ("queued".to_owned(), 20), "unchanged after the time");
    assert_eq!(wait("wait=0".to_owned()).await.unwrap().1, 0, "no wait at all");

    let waiting = [wait(format!("wait=60&after={version}")), wait("wait=60".to_owned())];
    tokio::time::sleep(Duration::from_secs(10)).await;
    let claim = gateway.claim().await;
    let granted = gateway.store.begin(claim.message.id, intent(&gateway.clock.now())).await.unwrap();
    assert_eq!(granted, Grant::Granted);
    for waiting in waiting {
        assert_eq!(waiting.await.unwrap(), ("submitting".to_owned(), 10));
    }
    assert!(claim.gate.pass());
    let on_air = gateway.call(&format!("POST /v1/messages/{message}/cancel"), "").await;
    assert_eq!(on_air.outcome(), "409 on_air");
    assert!(MessageId::parse(&message).is_some());

    for (query, expected) in [
        ("wait=61", "422 invalid_value wait"),
        ("wait=-1", "422 invalid_value wait"),
        ("wait=1&after=x", "422 invalid_value after"),
        ("wate=1", "422 unknown_field wate"),
    ] {
        assert_eq!(gateway.call(&format!("GET /v1/messages/{message}?{query}"), "").await.outcome(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_has_a_hundred_waits_and_stopping_ends_them() {
    let gateway = Gateway::start().await;
    let id = gateway.verification(PLAIN).await;
    let line = format!("GET /v1/verifications/{id}?wait=60&after=1000");
    let waiting: Vec<_> = (0..100)
        .map(|_| {
            let (gateway, line) = (gateway.clone(), line.clone());
            tokio::spawn(async move { gateway.call(&line, "").await.outcome() })
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(gateway.call(&line, "").await.outcome(), "429 too_many_waits");
    let began = gateway.clock.now().mono;
    gateway.stop.send(true).unwrap();
    for waiting in waiting {
        assert_eq!(waiting.await.unwrap(), "200");
    }
    assert_eq!(gateway.clock.now().mono, began, "at once");
}
