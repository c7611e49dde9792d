//! `/v1/messages` and `/v1/estimate`.

use crate::gateway::Gateway;
use otpgate::domain::message::{IntentOf, PartId, PartResult, ReportVerdict};
use otpgate::domain::msisdn::Msisdn;
use otpgate::domain::reason::Reason;
use otpgate::domain::secret::Secret;
use otpgate::http::Settings;
use otpgate::ops::clock::Clock;
use otpgate::store::{Claim, Grant, Matched, Outcome, Readiness, Report, Store};
use serde_json::{Value, json};
use std::time::Duration;

fn text(to: &str, text: &str) -> Value {
    json!({"to": to, "text": text})
}

#[tokio::test(start_paused = true)]
async fn a_message_is_taken_in_shown_and_called_off() {
    let gateway = Gateway::start().await;
    let mut body = text("+14155550123", "sesame");
    body["client_reference"] = json!("order 7");
    body["priority"] = json!("high");
    body["flash"] = json!(true);
    let reply = gateway.call("POST /v1/messages", &body.to_string()).await;
    assert_eq!(reply.status, 201);
    let made = reply.json();
    let id = made["id"].as_str().unwrap();
    assert_eq!(reply.headers["location"], format!("/v1/messages/{id}"));
    let expected = json!({
        "id": id, "to": "+14155550123", "status": "queued", "final": false, "reason": null, "ever_uncertain": false,
        "verification": null, "priority": "high", "flash": true, "parts": 1, "on_uncertain": "leave",
        "client_reference": "order 7", "created_at": "2026-11-23T01:35:26.000Z",
        "updated_at": "2026-11-23T01:35:26.000Z", "send_at": null, "expires_at": "2026-11-24T01:35:26.000Z",
        "next_slot_at": null, "report": null, "attempts": [], "version": made["version"],
    });
    assert_eq!(made, expected);
    let shown = gateway.call(&format!("GET /v1/messages/{id}"), "").await;
    assert_eq!(shown.json(), expected);
    assert!(!shown.text.contains("sesame"), "the text is never shown again");
    let canceled = gateway.call(&format!("POST /v1/messages/{id}/cancel"), "").await.json();
    assert_eq!(canceled["status"], "canceled");
    assert_eq!(canceled["reason"], json!({"code": "canceled_by_caller", "text": "canceled by the caller"}));
    assert_eq!(canceled["final"], true);
    let again = gateway.call(&format!("POST /v1/messages/{id}/cancel"), "").await;
    assert_eq!(again.outcome(), "409 already_final");
}

#[tokio::test(start_paused = true)]
async fn the_same_cancel_again_is_the_same_answer() {
    let gateway = Gateway::start().await;
    let made = gateway.call("POST /v1/messages", &text("+14155550123", "sesame").to_string()).await.json();
    let verification = gateway.verification(r#"{"to":"+14155550123"}"#).await;
    let lines = [
        format!("POST /v1/messages/{}/cancel", made["id"].as_str().unwrap()),
        format!("POST /v1/verifications/{verification}/cancel"),
    ];
    for line in lines {
        let cancel = async |key| gateway.call_as(&gateway.admin, &line, "", &[("Idempotency-Key", key)]).await;
        let first = cancel("k").await;
        assert!(first.status == 200 && !first.is_replay(), "{}", first.text);
        let again = cancel("k").await;
        assert!(again.status == 200 && again.is_replay(), "{}", again.text);
        assert_eq!(again.json(), first.json());
        assert_eq!(cancel("another").await.outcome(), "409 already_final");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_refused() {
    let gateway = Gateway::start().await;
    let ten_parts = "a".repeat(1530);
    let eleven_parts = "a".repeat(1531);
    let reference = "r".repeat(129);
    let rows = [
        ("the least", json!({}), "201"),
        ("ten parts", json!({"text": ten_parts}), "201"),
        ("eleven parts", json!({"text": eleven_parts}), "422 invalid_value text"),
        ("nothing to send", json!({"text": ""}), "422 invalid_value text"),
        ("no text", json!({"text": null}), "422 missing_field text"),
        ("a number for a text", json!({"text": 123456}), "422 invalid_value text"),
        ("29 seconds", json!({"ttl_seconds": 29}), "422 invalid_value ttl_seconds"),
        ("seven days", json!({"ttl_seconds": 604_800}), "201"),
        ("more than seven days", json!({"ttl_seconds": 604_801}), "422 invalid_value ttl_seconds"),
        ("otp is no priority to ask for", json!({"priority": "otp"}), "422 invalid_value priority"),
        ("an offset", json!({"send_at": "2026-11-24T02:35:26+01:00"}), "201"),
        ("past is now", json!({"send_at": "2020-01-01T00:00:00Z"}), "201"),
        ("seven days ahead", json!({"send_at": "2026-11-30T01:35:26Z"}), "201"),
        ("further ahead", json!({"send_at": "2026-11-30T01:35:27Z"}), "422 invalid_value send_at"),
        ("no time", json!({"send_at": "tomorrow"}), "422 invalid_value send_at"),
        ("a reference too long", json!({"client_reference": reference}), "422 invalid_value client_reference"),
        ("a reference with a line break", json!({"client_reference": "a\nb"}), "422 invalid_value client_reference"),
        ("a misspelt field", json!({"sendat": "now"}), "422 unknown_field sendat"),
        ("the other default", json!({"on_uncertain": "resend_once"}), "201"),
    ];
    for (name, fields, expected) in rows {
        let mut body = text("+14155550123", "sesame");
        fields.as_object().unwrap().iter().for_each(|(k, v)| body[k] = v.clone());
        let reply = gateway.call("POST /v1/messages", &body.to_string()).await;
        assert_eq!(reply.outcome(), expected, "{name}: {}", reply.text);
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_done_is_answered_again_though_it_would_be_refused_by_now() {
    let gateway = Gateway::start().await;
    let two_parts = text("+14155550123", &"a".repeat(200));
    let mut later = text("+14155550123", "sesame");
    later["send_at"] = json!("2026-11-30T01:35:26Z");
    let post = async |gateway: &Gateway, key, body: &Value| {
        gateway.call_as(&gateway.admin, "POST /v1/messages", &body.to_string(), &[("Idempotency-Key", key)]).await
    };
    let ids = [post(&gateway, "a", &two_parts).await.json(), post(&gateway, "b", &later).await.json()];
    // Fewer parts are taken now, and a clock that was set back makes a time lie further ahead.
    let stricter = gateway.set(Settings { max_parts: 1, ..Settings::default() });
    gateway.clock.jump_wall(-60_000);
    for (key, body, made) in [("a", &two_parts, &ids[0]), ("b", &later, &ids[1])] {
        assert_eq!(post(&stricter, "new", body).await.status, 422);
        let again = post(&stricter, key, body).await;
        assert!(again.status == 201 && again.is_replay(), "{}", again.text);
        assert_eq!(again.json()["id"], made["id"]);
    }
}

#[tokio::test(start_paused = true)]
async fn life_counts_from_send_at() {
    let gateway = Gateway::start().await;
    let mut body = text("+14155550123", "sesame");
    body["send_at"] = json!("2026-11-23T02:00:00Z");
    body["ttl_seconds"] = json!(60);
    let made = gateway.call("POST /v1/messages", &body.to_string()).await.json();
    assert_eq!(made["send_at"], "2026-11-23T02:00:00.000Z");
    assert_eq!(made["next_slot_at"], made["send_at"], "until then it is held back");
    let shown = gateway.call("GET /v1/messages", "").await.json()["items"][0].clone();
    assert_eq!(shown["next_slot_at"], made["send_at"], "in lists as well");
    assert_eq!(made["expires_at"], "2026-11-23T02:01:00.000Z");
}

#[tokio::test(start_paused = true)]
async fn lists_come_newest_first_by_pages_and_filters() {
    let gateway = Gateway::start().await;
    let mut ids = Vec::new();
    for n in 0..5 {
        let mut body = text(if n % 2 == 0 { "+14155550123" } else { "+493055501" }, "sesame");
        body["client_reference"] = json!(format!("order {n}"));
        ids.push(gateway.call("POST /v1/messages", &body.to_string()).await.json()["id"].as_str().unwrap().to_owned());
        tokio::time::advance(Duration::from_secs(60)).await;
    }
    gateway.call(&format!("POST /v1/messages/{}/cancel", ids[0]), "").await;
    let at = |indexes: &[usize]| indexes.iter().map(|n| ids[*n].clone()).collect::<Vec<_>>();
    let rows = [
        ("all", "", at(&[4, 3, 2, 1, 0])),
        ("to one", "to=%2B14155550123", at(&[4, 2, 0])),
        ("with a plus as it is", "to=+14155550123", at(&[4, 2, 0])),
        ("canceled", "status=canceled", at(&[0])),
        ("queued to one", "status=queued&to=%2B14155550123", at(&[4, 2])),
        ("by reference", "client_reference=order+3", at(&[3])),
        ("since", "since=2026-11-23T01:37:26Z", at(&[4, 3, 2])),
        ("until", "until=2026-11-23T01:37:26Z", at(&[1, 0])),
        ("between", "since=2026-11-23T01:36:26Z&until=2026-11-23T01:37:26Z", at(&[1])),
        ("a page", "limit=2", at(&[4, 3])),
    ];
    let list = async |query: &str| gateway.call(&format!("GET /v1/messages?{query}"), "").await.json();
    let found = |page: &Value| -> Vec<String> {
        page["items"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap().to_owned()).collect()
    };
    for (name, query, expected) in rows {
        assert_eq!(found(&list(query).await), expected, "{name}");
    }
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = list(&format!("limit=2{cursor}")).await;
        all.extend(found(&page));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(all, at(&[4, 3, 2, 1, 0]), "by pages, each once");
    for (query, expected) in [
        ("limit=0", "422 invalid_value limit"),
        ("limit=201", "422 invalid_value limit"),
        ("status=sent", "422 invalid_value status"),
        ("to=4155550123", "422 invalid_value to"),
        ("since=yesterday", "422 invalid_value since"),
        ("cursor=evil", "422 invalid_value cursor"),
        ("page=2", "422 unknown_field page"),
        ("limit=1&limit=2", "422 invalid_value limit"),
    ] {
        assert_eq!(gateway.call(&format!("GET /v1/messages?{query}"), "").await.outcome(), expected, "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn l13_a_card_out_of_service_is_shown_with_what_waits_for_it() {
    let gateway = Gateway::start().await;
    let (modem, sim_card) = crate::gateway::equipment();
    gateway.board.update(0, |view| view.sim_card = Some(sim_card.clone()));
    gateway.store.set_ready(modem, sim_card, Readiness::yes()).await.unwrap();
    let post =
        async |n: u8| gateway.call("POST /v1/messages", &text(&format!("+1415555010{n}"), "hi").to_string()).await;
    let mut refused = String::new();
    for n in 0..3 {
        let made = post(n).await.json();
        assert_eq!(made["next_slot_at"], Value::Null);
        refused = made["id"].as_str().unwrap().to_owned();
        send(&gateway, PartResult::NotSent(Reason::Cms(8))).await;
    }
    // Each send took three seconds.
    let retry_at = json!("2026-11-23T01:45:35.000Z");
    let made = post(7).await.json();
    assert_eq!(made["next_slot_at"], retry_at, "the caller hears of it at once");
    let shown = gateway.call(&format!("GET /v1/messages/{}", made["id"].as_str().unwrap()), "").await.json();
    assert_eq!(shown["next_slot_at"], retry_at);
    let code = gateway.call("POST /v1/verifications", r#"{"to":"+14155550123"}"#).await.json();
    assert_eq!(code["next_slot_at"], retry_at);
    let shown = gateway.call(&format!("GET /v1/verifications/{}", code["id"].as_str().unwrap()), "").await.json();
    assert_eq!(shown["next_slot_at"], retry_at);
    let reason = gateway.call(&format!("GET /v1/messages/{refused}"), "").await.json()["reason"].clone();
    assert_eq!((&reason["number"], &reason["class"]), (&json!(8), &json!("sim_card")));
    assert!(reason["text"].as_str().unwrap().contains("operator determined barring"), "{reason}");
    let modem = gateway.call("GET /v1/modems", "").await.json()["items"][0].clone();
    let told = &modem["out_of_service"];
    assert_eq!((&told["retry_at"], &told["reason"], &told["failed_trials"]), (&retry_at, &reason, &json!(0)));
    assert!(told["text"].as_str().unwrap().contains("bars it"), "{told}");
    assert_eq!(modem["limits"], Value::Null, "nothing is counted");
}

#[tokio::test(start_paused = true)]
async fn b4_whether_a_card_reaches_itself_is_shown() {
    let (gateway, log) = (Gateway::start().await, crate::gateway::Log::begin());
    let (modem, sim_card) = crate::gateway::equipment();
    gateway.board.update(0, |view| view.sim_card = Some(sim_card.clone()));
    gateway.store.set_ready(modem, sim_card.clone(), Readiness::yes()).await.unwrap();
    let shown = async || gateway.call("GET /v1/modems", "").await.json()["items"][0]["canary"].clone();
    assert_eq!(shown().await, Value::Null, "it is off");
    let number = Msisdn::parse("+14155550177").unwrap();
    let (every, within) = (Duration::from_secs(3600), Duration::from_secs(600));
    gateway.store.set_canaries(every, within, vec![(sim_card, number)]);
    let waits = shown().await;
    assert_eq!((&waits["state"], &waits["at"], &waits["text"]), (&json!("waiting"), &Value::Null, &Value::Null));
    assert!(waits["next_at"].as_str().unwrap().starts_with("2026-11-23T02:0"), "{waits}");
    send(&gateway, PartResult::NotSent(Reason::Cms(1))).await;
    let failed = shown().await;
    assert_eq!(failed["state"], "failed");
    let text = failed["text"].as_str().unwrap();
    assert!(
        text.contains("to its own number did not arrive: the modem or the network answered +CMS ERROR: 1 (")
            && text.contains("[[sim_card]]"),
        "{text}"
    );
    assert!(failed["at"].as_str().unwrap().starts_with("2026-11-23T02:"), "{failed}");
    assert_eq!(log.with(text).len(), 1, "an error in the log");
    assert!(log.with("4155550177").is_empty() && log.with("otpgate canary").is_empty());
    let event = gateway.call("GET /v1/events?kind=canary.failed", "").await.json()["items"][0].clone();
    assert_eq!((&event["sentence"], event["about"].is_null()), (&failed["text"], false));
}

#[tokio::test(start_paused = true)]
async fn estimates() {
    let gateway = Gateway::start().await;
    let ucs2 = "ж".repeat(71);
    let rows = [
        ("a word", "sesame", "gsm7", 1, 154),
        ("two septets for a euro sign", "€", "gsm7", 1, 158),
        ("beyond the alphabet", "жук", "ucs2", 1, 67),
        ("two parts", ucs2.as_str(), "ucs2", 2, 63),
    ];
    for (name, text, alphabet, segments, left) in rows {
        let reply = gateway.call("POST /v1/estimate", &json!({"text": text}).to_string()).await.json();
        assert_eq!(reply, json!({"alphabet": alphabet, "segments": segments, "characters_left": left}), "{name}");
    }
}

/// Plays the modem: takes the next message, records the intent, and how it went.
async fn send(gateway: &Gateway, result: PartResult) -> Claim {
    let claim = gateway.claim().await;
    let (modem, sim_card) = crate::gateway::equipment();
    let part = PartId { attempt: 0, part: 0 };
    let now = gateway.clock.now();
    let intent = IntentOf {
        modem,
        sim_card: sim_card.clone(),
        part,
        concat_reference: claim.concat_reference,
        report_until: now.after(Duration::from_secs(900)),
        needs: Duration::from_secs(10),
    };
    assert_eq!(gateway.store.begin(claim.message.id, intent).await.unwrap(), Grant::Granted);
    assert!(claim.gate.pass());
    tokio::time::advance(Duration::from_secs(3)).await;
    let outcome = Outcome { message: claim.message.id, part, sim_card, result };
    gateway.store.settle(outcome, None).await.unwrap();
    claim
}

#[tokio::test(start_paused = true)]
async fn an_attempt_is_shown_with_its_parts_and_its_report() {
    let gateway = Gateway::start().await;
    gateway.call("POST /v1/messages", &text("+14155550123", "sesame").to_string()).await;
    let claim = send(&gateway, PartResult::Accepted(Some(42))).await;
    let show = async || gateway.call(&format!("GET /v1/messages/{}", claim.message.id), "").await.json();
    let submitted = show().await;
    assert_eq!((&submitted["status"], &submitted["report"]), (&json!("submitted"), &json!("awaited")));
    tokio::time::advance(Duration::from_secs(2)).await;
    let report = Report {
        sim_card: crate::gateway::equipment().1,
        reference: 42,
        recipient: Secret::new("14155550123"),
        status: 0,
        verdict: ReportVerdict::Delivered,
    };
    assert_eq!(gateway.store.report(report).await.unwrap(), Matched::Recorded(claim.message.id));
    let delivered = show().await;
    assert_eq!((&delivered["status"], &delivered["final"]), (&json!("delivered"), &json!(true)));
    let expected = json!([{
        "modem": "001017000000001", "sim_card": "8999901000000000018", "status": "delivered",
        "started_at": "2026-11-23T01:35:26.000Z", "ended_at": "2026-11-23T01:35:29.000Z",
        "parts": [{
            "part": 1, "result": "accepted", "reason": null, "tp_mr": 42, "refusals": 0,
            "started_at": "2026-11-23T01:35:26.000Z", "ended_at": "2026-11-23T01:35:29.000Z",
            "report": {"verdict": "delivered", "tp_st": 0, "received_at": "2026-11-23T01:35:31.000Z"},
        }],
    }]);
    assert_eq!(delivered["attempts"], expected);
}

#[tokio::test(start_paused = true)]
async fn how_an_attempt_may_end() {
    let rows = [
        ("uncertain", PartResult::Uncertain(Reason::NoResult), "uncertain", "uncertain", "uncertain", true),
        ("refused for good", PartResult::NotSent(Reason::Cms(1)), "failed", "failed", "not_sent", false),
    ];
    for (name, result, status, attempt, part, ever_uncertain) in rows {
        let gateway = Gateway::start().await;
        gateway.call("POST /v1/messages", &text("+14155550123", "sesame").to_string()).await;
        let claim = send(&gateway, result).await;
        let shown = gateway.call(&format!("GET /v1/messages/{}", claim.message.id), "").await.json();
        assert_eq!(shown["status"], status, "{name}: {shown}");
        assert_eq!(shown["ever_uncertain"], ever_uncertain, "{name}");
        assert_eq!(shown["attempts"][0]["status"], attempt, "{name}");
        assert_eq!(shown["attempts"][0]["parts"][0]["result"], part, "{name}");
        let reason = &shown["attempts"][0]["parts"][0]["reason"];
        assert_eq!(*reason, shown["reason"], "{name}");
        assert!(reason["code"].is_string() && reason["text"].is_string(), "{name}");
    }
}
