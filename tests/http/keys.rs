//! `/v1/keys`.

use crate::gateway::{Gateway, PLAIN};
use otpgate::store::Scope;
use serde_json::json;
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn a_key_is_shown_once_works_and_ends() {
    let gateway = Gateway::start().await;
    let body = json!({"name": "shop", "scopes": ["verify", "check"], "permissions": ["short_codes"],
                      "expires_at": "2026-11-23T02:35:26Z"});
    let reply = gateway.call("POST /v1/keys", &body.to_string()).await;
    assert_eq!(reply.status, 201);
    let made = reply.json();
    let (id, key) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
    assert!(key.starts_with("otpg_") && key.len() >= 48, "{}", key.len());
    assert_eq!((&made["scopes"], &made["permissions"]), (&json!(["verify", "check"]), &json!(["short_codes"])));
    assert_eq!(reply.headers["location"], format!("/v1/keys/{id}"));
    for line in ["GET /v1/keys".to_owned(), format!("GET /v1/keys/{id}")] {
        let shown = gateway.call(&line, "").await;
        assert!(shown.text.contains(id) && !shown.text.contains("otpg_"), "{}", shown.text);
    }
    let post = async |key| gateway.call_as(key, "POST /v1/verifications", PLAIN, &[]).await.outcome();
    assert_eq!(post(key).await, "201");
    assert_eq!(gateway.call_as(key, "GET /v1/messages", "", &[]).await.outcome(), "403 scope_missing");

    let second = gateway
        .call("POST /v1/keys", &json!({"name": "new", "scopes": ["verify"], "client": made["client"]}).to_string())
        .await
        .json();
    assert_eq!(second["client"], made["client"], "a rotated key keeps the client");
    let revoked = gateway.call(&format!("DELETE /v1/keys/{id}"), "").await;
    assert!(revoked.status == 200 && revoked.json()["revoked_at"].is_string());
    assert_eq!(post(key).await, "401 unauthorized");
    assert_eq!(post(second["key"].as_str().unwrap()).await, "201");
}

#[tokio::test(start_paused = true)]
async fn a_key_with_a_date_ends_by_itself() {
    let gateway = Gateway::start().await;
    let body = r#"{"name":"guest","scopes":["read"],"expires_at":"2026-11-23T01:36:26Z"}"#;
    let made = gateway.call("POST /v1/keys", body).await.json();
    let key = made["key"].as_str().unwrap();
    assert_eq!(gateway.call_as(key, "GET /v1/modems", "", &[]).await.outcome(), "200");
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(gateway.call_as(key, "GET /v1/modems", "", &[]).await.outcome(), "401 unauthorized");
}

#[tokio::test(start_paused = true)]
async fn the_last_admin_key_stays() {
    let gateway = Gateway::start().await;
    let keys = gateway.call("GET /v1/keys", "").await.json();
    let id = keys["items"][0]["id"].as_str().unwrap();
    let revoke = format!("DELETE /v1/keys/{id}");
    assert_eq!(gateway.call(&revoke, "").await.outcome(), "409 last_admin_key");
    let second = gateway.key(&[Scope::Admin], &[]).await;
    assert_eq!(gateway.call(&revoke, "").await.outcome(), "200");
    assert_eq!(gateway.call("GET /v1/keys", "").await.outcome(), "401 unauthorized");
    assert_eq!(gateway.call_as(&second, "GET /v1/keys", "", &[]).await.outcome(), "200");
}

#[tokio::test(start_paused = true)]
async fn a_secret_is_not_repeated() {
    let gateway = Gateway::start().await;
    let post = async || {
        let headers = [("Idempotency-Key", "k")];
        gateway.call_as(&gateway.admin, "POST /v1/keys", r#"{"name":"shop","scopes":["read"]}"#, &headers).await
    };
    assert_eq!(post().await.outcome(), "201");
    assert_eq!(post().await.outcome(), "409 already_shown");
}

#[tokio::test(start_paused = true)]
async fn a_secret_is_not_repeated_after_its_end_either() {
    let gateway = Gateway::start().await;
    let body = r#"{"name":"guest","scopes":["read"],"expires_at":"2026-11-23T01:36:26Z"}"#;
    let post = async |key| gateway.call_as(&gateway.admin, "POST /v1/keys", body, &[("Idempotency-Key", key)]).await;
    assert_eq!(post("k").await.outcome(), "201");
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(post("k").await.outcome(), "409 already_shown");
    assert_eq!(post("another").await.outcome(), "422 invalid_value expires_at");
}

#[tokio::test(start_paused = true)]
async fn what_is_refused() {
    let gateway = Gateway::start().await;
    let rows = [
        ("no name", r#"{"scopes":["read"]}"#, "422 missing_field name"),
        ("an empty name", r#"{"name":"","scopes":["read"]}"#, "422 invalid_value name"),
        ("no scopes", r#"{"name":"a"}"#, "422 missing_field scopes"),
        ("empty scopes", r#"{"name":"a","scopes":[]}"#, "422 invalid_value scopes"),
        ("no such scope", r#"{"name":"a","scopes":["root"]}"#, "422 invalid_value scopes"),
        (
            "no such permission",
            r#"{"name":"a","scopes":["read"],"permissions":["all"]}"#,
            "422 invalid_value permissions",
        ),
        (
            "past",
            r#"{"name":"a","scopes":["read"],"expires_at":"2020-01-01T00:00:00Z"}"#,
            "422 invalid_value expires_at",
        ),
        ("no client", r#"{"name":"a","scopes":["read"],"client":"me"}"#, "422 invalid_value client"),
        (
            "a client that never was",
            r#"{"name":"a","scopes":["read"],"client":"cli_0199a1b2c3d47e5f8a9b0c1d2e3f4a5b"}"#,
            "422 invalid_value client",
        ),
    ];
    for (name, body, expected) in rows {
        assert_eq!(gateway.call("POST /v1/keys", body).await.outcome(), expected, "{name}");
    }
    for line in ["GET /v1/keys/me", "DELETE /v1/keys/key_0199a1b2c3d47e5f8a9b0c1d2e3f4a5b"] {
        assert_eq!(gateway.call(line, "").await.outcome(), "404 not_found", "{line}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_master_key_is_rotated_while_requests_go_on() {
    let gateway = Gateway::start().await;
    let reader = gateway.key(&[Scope::Read], &[]).await;
    for line in ["POST /v1/keys/rotate-master", "GET /v1/keys/rotate-master"] {
        assert_eq!(gateway.call_as(&reader, line, "", &[]).await.outcome(), "403 scope_missing", "{line}");
    }
    let verification = gateway.call("POST /v1/verifications", PLAIN).await.json();
    let before = gateway.call("GET /v1/keys/rotate-master", "").await.json();
    assert_eq!((&before["older_master_keys"], &before["resealing"]), (&json!([]), &json!(false)));
    let reply = gateway.call("POST /v1/keys/rotate-master", "").await;
    assert_eq!(reply.status, 202, "{}", reply.text);
    let made = reply.json();
    assert_ne!(made["master_key"], before["master_key"]);
    assert_eq!(made["older_master_keys"], json!([before["master_key"]]));
    let mut now = made.clone();
    while now["resealing"] == true {
        tokio::time::sleep(Duration::from_millis(10)).await;
        now = gateway.call("GET /v1/keys/rotate-master", "").await.json();
    }
    assert_eq!(now["records_left"], 1, "the pending verification");
    assert_eq!(gateway.call("POST /v1/keys/rotate-master", "").await.json(), now, "asked again, it makes no other key");
    let path = format!("/v1/verifications/{}", verification["id"].as_str().unwrap());
    assert_eq!(gateway.call(&format!("POST {path}/cancel"), "").await.status, 200);
    tokio::time::sleep(Duration::from_millis(10)).await;
    let after = gateway.call("GET /v1/keys/rotate-master", "").await.json();
    assert_eq!((&after["older_master_keys"], &after["records_left"]), (&json!([]), &json!(0)));
    assert_eq!(gateway.call(&format!("GET {path}"), "").await.json()["status"], "canceled");
}

#[tokio::test(start_paused = true)]
async fn what_holds_for_a_key_is_set_changed_and_taken_away() {
    let gateway = Gateway::start().await;
    let body = json!({"name": "web", "scopes": ["verify"], "networks": ["10.0.0.0/8", "2001:db8::1"],
        "countries": ["de", "AT"], "per_minute": 5, "per_hour": 50, "per_day": 500, "conceal": true,
        "templates": ["login"], "brand": "Acme", "hosts": ["Shop.Example.com"], "apps": ["He42w354ol9"]});
    let made = gateway.call("POST /v1/keys", &body.to_string()).await.json();
    let line = format!("PATCH /v1/keys/{}", made["id"].as_str().unwrap());
    assert_eq!(made["networks"], json!(["10.0.0.0/8", "2001:db8::1/128"]));
    assert_eq!((&made["countries"], &made["hosts"]), (&json!(["AT", "DE"]), &json!(["shop.example.com"])));
    assert_eq!((&made["per_minute"], &made["conceal"], &made["apps"]), (&json!(5), &json!(true), &body["apps"]));

    let change = json!({"per_minute": null, "per_hour": 60, "networks": [], "brand": null, "name": "shop"});
    let changed = gateway.call(&line, &change.to_string()).await.json();
    assert_eq!(
        (&changed["per_minute"], &changed["per_hour"], &changed["per_day"]),
        (&json!(null), &json!(60), &json!(500))
    );
    assert_eq!((&changed["networks"], &changed["brand"], &changed["name"]), (&json!([]), &json!(null), &json!("shop")));
    assert_eq!(changed["countries"], json!(["AT", "DE"]), "what is not named stays");
    let shown = gateway.call(&line.replace("PATCH", "GET"), "").await.json();
    assert_eq!(shown, changed);

    let refused = [
        (r#"{"networks":["10.0.0/8"]}"#, "networks"),
        (r#"{"countries":["UK"]}"#, "countries"),
        (r#"{"per_day":0}"#, "per_day"),
        (r#"{"brand":"acme.com"}"#, "brand"),
        (r#"{"hosts":["https://shop.example.com"]}"#, "hosts"),
        (r#"{"hosts":["localhost"]}"#, "hosts"),
        (r#"{"apps":["short"]}"#, "apps"),
        (r#"{"templates":["a b"]}"#, "templates"),
        (r#"{"templates":"login"}"#, "templates"),
    ];
    for (body, field) in refused {
        let reply = gateway.call(&line, body).await;
        assert_eq!((reply.status.as_u16(), reply.json()["field"].as_str()), (422, Some(field)), "{body}");
    }
    gateway.call(&line.replace("PATCH", "DELETE"), "").await;
    assert_eq!(gateway.call(&line, "{}").await.outcome(), "409 key_ended");
}

#[tokio::test(start_paused = true)]
async fn a_key_works_from_its_own_networks_only() {
    let gateway = Gateway::start().await;
    for (networks, expected) in [
        (json!([]), "200"),
        (json!(["0.0.0.0/32", "127.0.0.0/8"]), "200"),
        (json!(["10.0.0.0/8"]), "403 address_not_allowed"),
    ] {
        let body = json!({"name": "x", "scopes": ["read"], "networks": networks});
        let key = gateway.call("POST /v1/keys", &body.to_string()).await.json();
        let reply = gateway.call_as(key["key"].as_str().unwrap(), "GET /v1/modems", "", &[]).await;
        assert_eq!(reply.outcome(), expected, "{networks}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_rotated_key_is_good_until_the_overlap_is_over() {
    let gateway = Gateway::start().await;
    let body = json!({"name": "shop", "scopes": ["read"], "permissions": ["long_ttl"], "per_day": 9});
    let older = gateway.call("POST /v1/keys", &body.to_string()).await.json();
    let line = format!("POST /v1/keys/{}/rotate", older["id"].as_str().unwrap());
    let reply = gateway.call(&line, r#"{"overlap_seconds":60}"#).await;
    assert_eq!(reply.status, 201);
    let newer = reply.json();
    for field in ["client", "name", "scopes", "permissions", "per_day", "expires_at"] {
        assert_eq!(newer[field], older[field], "{field}");
    }
    let read = async |key: &serde_json::Value| {
        gateway.call_as(key["key"].as_str().unwrap(), "GET /v1/modems", "", &[]).await.outcome()
    };
    assert_eq!((read(&older).await.as_str(), read(&newer).await.as_str()), ("200", "200"));
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!((read(&older).await.as_str(), read(&newer).await.as_str()), ("401 unauthorized", "200"));
    assert_eq!(gateway.call(&line, "{}").await.outcome(), "409 key_ended");
    assert_eq!(gateway.call("POST /v1/keys/key_0/rotate", "{}").await.outcome(), "404 not_found");
}

/// An admin key that is rotated lasts as the older one was to last, so that the last one is never lost.
#[tokio::test(start_paused = true)]
async fn the_last_admin_key_can_be_rotated() {
    let gateway = Gateway::start().await;
    let keys = gateway.call("GET /v1/keys", "").await.json();
    let line = format!("POST /v1/keys/{}/rotate", keys["items"][0]["id"].as_str().unwrap());
    let newer = gateway.call(&line, r#"{"overlap_seconds":0}"#).await.json();
    assert_eq!(gateway.call("GET /v1/keys", "").await.outcome(), "401 unauthorized");
    let newer = newer["key"].as_str().unwrap();
    assert_eq!(gateway.call_as(newer, "GET /v1/keys", "", &[]).await.outcome(), "200");
}

#[tokio::test(start_paused = true)]
async fn a_dialects_key_has_its_form_and_is_good_nowhere_else() {
    let gateway = Gateway::start().await;
    let made = gateway.call("POST /v1/keys", r#"{"name":"plugin","scopes":["myotp"]}"#).await.json();
    let key = made["key"].as_str().unwrap();
    assert!(key.len() == 32 && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'), "its form");
    assert_eq!(gateway.call_as(key, "GET /v1/modems", "", &[]).await.outcome(), "401 unauthorized");
    let mixed = gateway.call("POST /v1/keys", r#"{"name":"plugin","scopes":["myotp","read"]}"#).await;
    assert_eq!(mixed.outcome(), "422 invalid_value scopes");
    let line = format!("POST /v1/keys/{}/rotate", made["id"].as_str().unwrap());
    assert_eq!(gateway.call(&line, "").await.json()["key"].as_str().unwrap().len(), 32, "its form again");
}

/// One that is good from some addresses only may be good from nobody's.
#[tokio::test(start_paused = true)]
async fn the_last_admin_key_is_not_bound_to_an_address_and_none_that_is_stands_in_for_it() {
    let gateway = Gateway::start().await;
    let keys = gateway.call("GET /v1/keys", "").await.json();
    let line = format!("/v1/keys/{}", keys["items"][0]["id"].as_str().unwrap());
    let bind = r#"{"networks":["10.0.0.0/8"]}"#;
    assert_eq!(gateway.call(&format!("PATCH {line}"), bind).await.outcome(), "409 last_admin_key");
    gateway.call("POST /v1/keys", r#"{"name":"bound","scopes":["admin"],"networks":["10.0.0.0/8"]}"#).await;
    assert_eq!(gateway.call(&format!("DELETE {line}"), "").await.outcome(), "409 last_admin_key");
    let second = gateway.key(&[Scope::Admin], &[]).await;
    assert_eq!(gateway.call(&format!("PATCH {line}"), bind).await.outcome(), "200");
    assert_eq!(gateway.call_as(&second, "GET /v1/keys", "", &[]).await.outcome(), "200");
}
