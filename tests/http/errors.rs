//! Every way to be refused, before any handler has its say.

use crate::gateway::{Gateway, PLAIN};
use axum::body::{Body, Bytes};
use axum::http::Request;
use hyper::body::{Frame, SizeHint};
use otpgate::ops::clock::Clock;
use otpgate::store::{Permission, Scope, Store};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn what_no_handler_sees() {
    let gateway = Gateway::start().await;
    let big = format!(r#"{{"to":"{}"}}"#, "x".repeat(65 * 1024));
    let json = ("content-type", "application/json");
    let post = "POST /v1/verifications";
    type Headers<'a> = &'a [(&'a str, &'a str)];
    let rows: [(&str, &str, &str, Headers, &str); 19] = [
        ("no such path", "GET /v1/secrets/123456", "", &[], "404 not_found"),
        ("no such id", "GET /v1/messages/123456", "", &[], "404 not_found"),
        ("an id of another kind", "GET /v1/messages/ver_0199a1b2c3d47e5f8a9b0c1d2e3f4a5b", "", &[], "404 not_found"),
        ("nobody's id", "GET /v1/messages/msg_0199a1b2c3d47e5f8a9b0c1d2e3f4a5b", "", &[], "404 not_found"),
        ("a path that is no UTF-8", "GET /v1/messages/%ff", "", &[], "400 bad_request"),
        ("no such method", "PUT /v1/messages", "", &[], "405 method_not_allowed"),
        ("a preflight", "OPTIONS /v1/messages", "", &[], "405 method_not_allowed"),
        ("an unknown host", post, PLAIN, &[("host", "evil.example")], "421 unknown_host"),
        ("a host that is none", post, PLAIN, &[("host", "a b")], "400 bad_request"),
        ("no type", post, PLAIN, &[("content-type", "")], "415 unsupported_media_type"),
        (
            "a form",
            post,
            "to=1",
            &[("content-type", "application/x-www-form-urlencoded")],
            "415 unsupported_media_type",
        ),
        ("compressed", post, PLAIN, &[json, ("content-encoding", "br")], "415 unsupported_media_type"),
        ("too large", post, &big, &[], "413 body_too_large"),
        ("no JSON", post, r#"{"to": "+14155550123"#, &[], "400 bad_json"),
        ("no object", post, r#""+14155550123""#, &[], "400 bad_json"),
        ("empty", post, "", &[json], "400 bad_json"),
        ("two credentials", post, PLAIN, &[("authorization", "Bearer a"), ("x-api-key", "b")], "400 two_credentials"),
        ("a wrong key", post, PLAIN, &[("authorization", "Bearer otpg_00112233")], "401 unauthorized"),
        ("another scheme", post, PLAIN, &[("authorization", "Basic MTIzNDU2")], "401 unauthorized"),
    ];
    for (name, line, body, headers, expected) in rows {
        let reply = gateway.call_as(&gateway.admin, line, body, headers).await;
        assert_eq!(reply.outcome(), expected, "{name}: {}", reply.text);
    }
    let reply = gateway.call_as("", post, PLAIN, &[]).await;
    assert_eq!(reply.outcome(), "401 unauthorized", "no key");
    assert_eq!(reply.headers["www-authenticate"], "Bearer");
    let reply = gateway.call("DELETE /v1/messages", "").await;
    assert_eq!(reply.headers["allow"], "POST,GET,HEAD");
    assert!(!reply.headers.keys().any(|name| name.as_str().starts_with("access-control")), "no CORS");
}

/// A body of which a beginning comes, and nothing more; so many octets were announced.
struct Stuck(Option<Bytes>, u64);

impl hyper::body::Body for Stuck {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.take().map_or(Poll::Pending, |bytes| Poll::Ready(Some(Ok(Frame::data(bytes)))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.1)
    }
}

/// A request with a body that does not come whole: how it is answered, and after how long.
async fn stuck(gateway: &Gateway, announced: u64) -> (String, Duration) {
    let request = Request::post("/v1/verifications")
        .header("host", "localhost")
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {}", gateway.admin))
        .body(Body::new(Stuck(Some(Bytes::from_static(br#"{"to":"+1415555"#)), announced)))
        .unwrap();
    let began = gateway.clock.now().mono;
    (gateway.send(request).await.outcome(), gateway.clock.now().mono - began)
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_408() {
    let gateway = Gateway::start().await;
    assert_eq!(stuck(&gateway, 64 * 1024).await, ("408 request_timeout".to_owned(), Duration::from_secs(30)));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_announced_too_large_is_refused_at_once() {
    let gateway = Gateway::start().await;
    assert_eq!(stuck(&gateway, 64 * 1024 + 1).await, ("413 body_too_large".to_owned(), Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_member_that_is_given_twice_is_refused() {
    let gateway = Gateway::start().await;
    let rows = [
        ("POST /v1/verifications", r#"{"to":"+14155550123","to":"+14155550124"}"#, "422 invalid_value to"),
        ("POST /v1/verifications", r#"{"to":"+14155550123","code":null,"code":"123456"}"#, "422 invalid_value code"),
        ("POST /v1/messages", r#"{"to":"+14155550123","text":"sesame","text":"sesame"}"#, "422 invalid_value text"),
        ("POST /v1/verifications", r#"{"to":"+14155550123","metadata":{"a":1,"a":2}}"#, "201"),
    ];
    for (line, body, expected) in rows {
        let reply = gateway.call(line, body).await;
        assert_eq!(reply.outcome(), expected, "{body}: {}", reply.text);
    }
    let reply = gateway.call("POST /v1/estimate", r#"{"text":"a","text":"b"}"#).await;
    assert_eq!(reply.json()["detail"], "`text` is given twice; give it once.");
}

#[tokio::test(start_paused = true)]
async fn scopes_allow_what_they_name_and_nothing_else() {
    let gateway = Gateway::start().await;
    let id = gateway.verification(PLAIN).await;
    let known = gateway.call(&format!("GET /v1/verifications/{id}"), "").await.json();
    let message = known["message"]["id"].as_str().unwrap();
    use Scope::*;
    let code = r#"{"code":"000000"}"#;
    let text = r#"{"to":"+14155550123","text":"sesame"}"#;
    let rows: [(String, &str, &[Scope]); 19] = [
        ("POST /v1/verifications".into(), PLAIN, &[Verify]),
        (format!("GET /v1/verifications/{id}"), "", &[Read]),
        (format!("POST /v1/verifications/{id}/check"), code, &[Check]),
        (format!("POST /v1/verifications/{id}/resend"), "", &[Verify]),
        (format!("POST /v1/verifications/{id}/cancel"), "", &[Verify]),
        ("POST /v1/messages".into(), text, &[Send]),
        ("GET /v1/messages".into(), "", &[Read]),
        (format!("GET /v1/messages/{message}"), "", &[Read]),
        (format!("POST /v1/messages/{message}/cancel"), "", &[Send]),
        ("POST /v1/estimate".into(), r#"{"text":"a"}"#, &[Verify, Check, Send, Read, Simulator, Inbound, Webhooks]),
        ("POST /v1/keys".into(), r#"{"name":"a","scopes":["read"]}"#, &[]),
        ("GET /v1/keys".into(), "", &[]),
        ("GET /v1/keys/key_0199a1b2c3d47e5f8a9b0c1d2e3f4a5b".into(), "", &[]),
        ("DELETE /v1/keys/key_0199a1b2c3d47e5f8a9b0c1d2e3f4a5b".into(), "", &[]),
        ("GET /v1/modems".into(), "", &[Read]),
        ("POST /v1/webhooks".into(), r#"{"url":"https://example.org/"}"#, &[Webhooks]),
        ("GET /v1/webhooks".into(), "", &[Webhooks]),
        ("GET /v1/webhooks/whk_0199a1b2c3d47e5f8a9b0c1d2e3f4a5b/deliveries".into(), "", &[Webhooks]),
        ("GET /readyz".into(), "", &Scope::ALL),
    ];
    for scope in Scope::ALL.into_iter().filter(|scope| !scope.is_foreign()) {
        let key = gateway.key(&[scope], &Permission::ALL).await;
        for (line, body, allowed) in &rows {
            let reply = gateway.call_as(&key, line, body, &[]).await;
            let may = scope == Admin || allowed.contains(&scope);
            let refused = reply.status == 403;
            assert_eq!(refused, !may, "{scope:?} {line}: {}", reply.outcome());
            // What belongs to another client is not there, whatever the scope; only admin sees it.
            let others = line.contains(&id) || line.contains(message);
            if others && may && scope != Admin {
                assert_eq!(reply.outcome(), "404 not_found", "{scope:?} {line}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_without_the_scope_learns_nothing_of_the_fields() {
    let gateway = Gateway::start().await;
    let key = gateway.key(&[Scope::Read], &[]).await;
    for body in ["{", r#"{"ot":1}"#, PLAIN] {
        assert_eq!(gateway.call_as(&key, "POST /v1/verifications", body, &[]).await.outcome(), "403 scope_missing");
    }
}

#[tokio::test(start_paused = true)]
async fn ten_wrong_keys_a_minute_then_429_and_the_right_one_still_works() {
    let gateway = Gateway::start().await;
    for _ in 0..10 {
        assert_eq!(gateway.call_as("otpg_00112233", "GET /v1/modems", "", &[]).await.outcome(), "401 unauthorized");
    }
    let reply = gateway.call_as("otpg_00112233", "GET /v1/modems", "", &[]).await;
    assert_eq!(reply.outcome(), "429 too_many_logins");
    let seconds: u64 = reply.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=61).contains(&seconds), "{seconds}");
    assert_eq!(gateway.call("GET /v1/modems", "").await.outcome(), "200");
    tokio::time::advance(Duration::from_secs(seconds)).await;
    assert_eq!(gateway.call_as("otpg_00112233", "GET /v1/modems", "", &[]).await.outcome(), "401 unauthorized");
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_is_507_and_what_is_there_can_still_be_read() {
    let gateway = Gateway::start().await;
    let id = gateway.verification(PLAIN).await;
    gateway.disk.set_low_space(true);
    assert_eq!(gateway.call("POST /v1/verifications", PLAIN).await.outcome(), "507 disk_full");
    assert_eq!(gateway.call(&format!("GET /v1/verifications/{id}"), "").await.outcome(), "200");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_has_ended_is_503() {
    let gateway = Gateway::start().await;
    gateway.store.close().await.unwrap();
    assert_eq!(gateway.call("GET /v1/messages", "").await.outcome(), "503 stopping");
    assert_eq!(gateway.call("GET /healthz", "").await.outcome(), "503 stopping");
}
