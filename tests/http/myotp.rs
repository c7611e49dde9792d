//! MyOTP.App's dialect, body for body.

use crate::conformance;
use crate::gateway::{Gateway, Reply};
use otpgate::domain::message::{IntentOf, PartId, PartResult, ReportVerdict};
use otpgate::http::Settings;
use otpgate::store::{Grant, Outcome, Permission, Report, Scope, Store};
use serde_json::{Value, json};
use std::time::Duration;

/// A gateway, and a key of the dialect with these permissions.
struct Service {
    gateway: Gateway,
    key: String,
}

impl Service {
    async fn start(permissions: &[Permission]) -> Self {
        Self::with(Settings::default(), json!({}), permissions).await
    }

    async fn with(settings: Settings, more: Value, permissions: &[Permission]) -> Self {
        let gateway = Gateway::with(settings, None).await;
        let permissions: Vec<_> = permissions.iter().map(|p| p.as_str()).collect();
        let mut body = json!({"name": "plugin", "scopes": ["myotp"], "permissions": permissions});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let made = gateway.call("POST /v1/keys", &body.to_string()).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let key = made.json()["key"].as_str().unwrap().to_owned();
        Self { gateway, key }
    }

    async fn post(&self, path: &str, body: &Value) -> Reply {
        let headers = [("x-api-key", self.key.as_str()), ("content-type", "application/json")];
        let reply = self.gateway.dialect(&format!("POST {path}"), &headers, &body.to_string()).await;
        conformance::check("POST", path, &body.to_string(), reply.status, &reply.headers, &reply.text);
        reply
    }

    async fn ok(&self, path: &str, body: &Value) -> Value {
        let reply = self.post(path, body).await;
        assert_eq!(reply.status, 200, "{path} {body}: {}", reply.text);
        reply.json()
    }

    /// Status and message of a refusal, whose envelope is looked at.
    async fn refused(&self, path: &str, body: &Value) -> (u16, String) {
        let reply = self.post(path, body).await;
        let json = reply.json();
        assert_eq!(reply.headers["content-type"], "application/json", "{path} {body}");
        assert_eq!(json["error"]["http_code"], reply.status.as_u16(), "{path} {body}: {json}");
        assert_eq!(json["error"]["message"], json["message"], "{path} {body}");
        (reply.status.as_u16(), json["message"].as_str().unwrap().to_owned())
    }

    /// A code is sent; the id, and the code as the modem was given it.
    async fn send(&self, body: &Value) -> (Value, String) {
        let made = self.ok("/generate_otp", body).await;
        (made["message_id"].clone(), self.gateway.code().await)
    }
}

fn to(number: &str) -> Value {
    json!({"phone_number": number})
}

/// The members, sorted.
fn members(json: &Value) -> Vec<&str> {
    json.as_object().unwrap().keys().map(String::as_str).collect()
}

const SECOND: &str = "2026-11-23T01:35:26Z";

#[tokio::test(start_paused = true)]
async fn generate_answers_as_it_is_published() {
    let service = Service::start(&[Permission::ReturnCode]).await;
    let made = service.ok("/generate_otp", &to("14155550100")).await;
    assert_eq!(members(&made), ["cost", "date_sent", "expires_at", "message", "message_id", "status"]);
    let id = made["message_id"].as_str().unwrap();
    assert!(id.len() == 36 && id.matches('-').count() == 4, "a UUID");
    let expected = json!({"status": "accepted", "message": "OTP sent", "date_sent": SECOND,
        "expires_at": "2026-11-23T01:40:26Z", "cost": 0.0, "message_id": id});
    assert_eq!(made, expected);
    let code = service.gateway.code().await;
    assert!(code.len() == 6 && code.bytes().all(|b| b.is_ascii_digit()), "six digits");

    let all = json!({"phone_number": "+14155550101", "channel": "sms", "otp_length": "8", "otp_validity": "60",
        "template_order": 1, "force_send": "false", "return_otp": "true", "brand": "Acme", "unheard_of": 1});
    let made = service.ok("/generate_otp", &all).await;
    let code = service.gateway.code().await;
    assert_eq!((made["otp"].as_str(), code.len()), (Some(code.as_str()), 8));
    assert_eq!(made["expires_at"], "2026-11-23T01:36:26Z");
    let service = Service::start(&[]).await;
    let own = json!({"phone_number": "14155550102", "otp_code": "271828", "otp_length": 4});
    service.ok("/generate_otp", &own).await;
    assert_eq!(service.gateway.code().await, "271828", "the caller's own, and no length of its own");
}

#[tokio::test(start_paused = true)]
async fn generate_refuses_in_the_services_envelope() {
    let service = Service::start(&[]).await;
    let number = "14155550100";
    let rows = [
        (json!({}), 400, "`phone_number` is missing"),
        (json!({"phone_number": 14155550100u64}), 400, "`phone_number` must be a string"),
        (to("0141555501"), 400, "Destination could not be determined"),
        (to("123456"), 400, "Destination could not be determined"),
        (to("1234567890123456"), 400, "Destination could not be determined"),
        (to("1415 5550100"), 400, "Destination could not be determined"),
        (json!({"phone_number": number, "channel": "whatsapp"}), 400, "Service not available"),
        (json!({"phone_number": number, "otp_length": 2}), 400, "from 3 to 8"),
        (json!({"phone_number": number, "otp_length": 9}), 400, "from 3 to 8"),
        (json!({"phone_number": number, "otp_length": 4}), 400, "`short_codes`"),
        (json!({"phone_number": number, "otp_code": "12a456"}), 400, "3 to 8 digits"),
        (json!({"phone_number": number, "otp_code": "123456789"}), 400, "3 to 8 digits"),
        (json!({"phone_number": number, "otp_validity": 29}), 400, "from 30 to 86400"),
        (json!({"phone_number": number, "otp_validity": 86401}), 400, "from 30 to 86400"),
        (json!({"phone_number": number, "template_order": 2}), 400, "0 templates"),
        (json!({"phone_number": number, "template_order": 100}), 400, "from 1 to 99"),
        (json!({"phone_number": number, "brand": "A"}), 400, "3 to 16"),
        (json!({"phone_number": number, "brand": "A & B"}), 400, "3 to 16"),
        (json!({"phone_number": number, "brand": "acme.com"}), 400, "web address"),
        (json!({"phone_number": number, "force_send": "yes"}), 400, "true or false"),
        (json!({"phone_number": number, "return_otp": true}), 403, "`return_code`"),
    ];
    for (body, status, words) in rows {
        let (got, message) = service.refused("/generate_otp", &body).await;
        assert!(got == status && message.contains(words), "{body}: {got} {message}");
    }
}

/// Validity is cut to what codes may live here, and the answer tells how long that is.
#[tokio::test(start_paused = true)]
async fn validity_is_cut_and_a_permission_lifts_that() {
    for (permissions, expires) in
        [(&[][..], "2026-11-23T01:45:26Z"), (&[Permission::LongTtl][..], "2026-11-24T01:35:26Z")]
    {
        let service = Service::start(permissions).await;
        let made = service.ok("/generate_otp", &json!({"phone_number": "14155550100", "otp_validity": 86400})).await;
        assert_eq!(made["expires_at"], expires, "{permissions:?}");
    }
    let service = Service::start(&[Permission::ShortCodes]).await;
    let (id, code) = service.send(&json!({"phone_number": "14155550100", "otp_length": 3})).await;
    assert_eq!(code.len(), 3);
    let verdict = service.ok("/verify_otp", &json!({"otp": code, "message_id": id})).await;
    assert_eq!(verdict["status"], "success");
}

#[tokio::test(start_paused = true)]
async fn an_active_code_stands_in_the_way_unless_forced() {
    let service = Service::start(&[]).await;
    let (first, code) = service.send(&to("14155550100")).await;
    assert_eq!(service.refused("/generate_otp", &to("14155550100")).await, (409, "OTP already active".to_owned()));
    let (_, newer) = service.send(&json!({"phone_number": "14155550100", "force_send": true})).await;
    let by_id = json!({"otp": code, "message_id": first});
    let superseded = service.ok("/verify_otp", &by_id).await;
    assert_eq!(superseded, json!({"status": "failed", "reason": "not found", "message": "OTP not found"}));
    let by_number = json!({"otp": newer, "phone_number": "14155550100"});
    assert_eq!(service.ok("/verify_otp", &by_number).await["status"], "success");
    service.ok("/generate_otp", &to("14155550100")).await;
    tokio::time::advance(Duration::from_secs(300)).await;
    service.ok("/generate_otp", &to("14155550100")).await;
}

#[tokio::test(start_paused = true)]
async fn verify_always_gives_its_verdict_with_200() {
    let service = Service::start(&[]).await;
    let (id, code) = service.send(&to("14155550100")).await;
    let check = |otp: &str| json!({"otp": otp, "message_id": id});
    let invalid = json!({"status": "failed", "reason": "invalid", "message": "Invalid OTP"});
    let wrong = if code == "999999" { "111111" } else { "999999" };
    assert_eq!(service.ok("/verify_otp", &check(wrong)).await, invalid);
    assert_eq!(service.ok("/verify_otp", &check("1234")).await, invalid, "it can't be that one");
    let success = json!({"status": "success", "message": "OTP verified"});
    assert_eq!(service.ok("/verify_otp", &check(&code)).await, success);
    let gone = json!({"status": "failed", "reason": "not found", "message": "OTP not found"});
    assert_eq!(service.ok("/verify_otp", &check(&code)).await, gone, "it counts once");
    for unknown in [
        json!({"otp": "123456", "message_id": "a1b2c3d4-e5f6-7890-abcd-ef1234567890"}),
        json!({"otp": "123456", "message_id": "nonsense"}),
        json!({"otp": "123456", "phone_number": "14155550109"}),
    ] {
        assert_eq!(service.ok("/verify_otp", &unknown).await, gone, "{unknown}");
    }
    for (body, words) in [
        (json!({"message_id": id}), "`otp` is missing"),
        (json!({"otp": "12", "message_id": id}), "3 to 8 digits"),
        (json!({"otp": "abcdef", "message_id": id}), "3 to 8 digits"),
        (json!({"otp": "123456"}), "`message_id` or `phone_number`"),
    ] {
        let (status, message) = service.refused("/verify_otp", &body).await;
        assert!(status == 400 && message.contains(words), "{body}: {message}");
    }

    let (id, code) = service.send(&to("14155550101")).await;
    tokio::time::advance(Duration::from_secs(300)).await;
    let late = service.ok("/verify_otp", &json!({"otp": code, "message_id": id})).await;
    assert_eq!(late, json!({"status": "expired", "reason": "expired", "message": "OTP expired"}));
    let late = service.ok("/verify_otp", &json!({"otp": code, "phone_number": "14155550101"})).await;
    assert_eq!(late["status"], "expired", "the newest one, by its number");
}

#[tokio::test(start_paused = true)]
async fn the_fifth_wrong_code_is_one_too_many() {
    let service = Service::start(&[]).await;
    let (id, code) = service.send(&to("14155550100")).await;
    let wrong = if code == "999999" { "111111" } else { "999999" };
    let mut said = Vec::new();
    for _ in 0..5 {
        let verdict = service.ok("/verify_otp", &json!({"otp": wrong, "message_id": id})).await;
        said.push(verdict["message"].as_str().unwrap().to_owned());
    }
    assert_eq!(said, ["Invalid OTP", "Invalid OTP", "Invalid OTP", "Invalid OTP", "Too many attempts"]);
    let right = service.ok("/verify_otp", &json!({"otp": code, "message_id": id})).await;
    assert_eq!(right, json!({"status": "failed", "reason": "invalid", "message": "Too many attempts"}));
}

#[tokio::test(start_paused = true)]
async fn extend_moves_the_end_as_far_as_codes_may_live() {
    let service = Service::start(&[]).await;
    let (id, code) = service.send(&to("14155550100")).await;
    let extend = |by: u64| json!({"message_id": id, "duration": by});
    let extended = service.ok("/extend_otp", &extend(60)).await;
    let expected = json!({"status": "success", "message": "OTP extended", "expires_at": "2026-11-23T01:41:26Z"});
    assert_eq!(extended, expected);
    assert_eq!(service.ok("/extend_otp", &extend(14_400)).await["expires_at"], "2026-11-23T01:45:26Z", "cut");
    let (status, message) = service.refused("/extend_otp", &extend(60)).await;
    assert!(status == 403 && message.contains("max_ttl_seconds"), "{message}");
    tokio::time::advance(Duration::from_secs(590)).await;
    assert_eq!(service.ok("/verify_otp", &json!({"otp": code, "message_id": id})).await["status"], "success");
    for (body, status) in [
        (json!({"duration": 60}), 400),
        (extend(59), 400),
        (extend(14_401), 400),
        (json!({"message_id": "a1b2c3d4-e5f6-7890-abcd-ef1234567890", "duration": 60}), 404),
        (extend(60), 404),
    ] {
        assert_eq!(service.refused("/extend_otp", &body).await.0, status, "{body}");
    }
    let service = Service::start(&[Permission::LongTtl]).await;
    let (id, _) = service.send(&to("14155550100")).await;
    let extended = service.ok("/extend_otp", &json!({"message_id": id, "duration": 14_400})).await;
    assert_eq!(extended["expires_at"], "2026-11-23T05:40:26Z");
}

#[tokio::test(start_paused = true)]
async fn status_tells_of_delivery_in_the_services_words() {
    let service = Service::start(&[]).await;
    let made = service.ok("/generate_otp", &to("14155550100")).await;
    let id = json!({"message_id": made["message_id"]});
    let dlr = async |path: &str| service.ok(path, &id).await;
    let pending = dlr("/check_otp_status").await;
    let words = "Pending: not yet accepted by the carrier";
    let expected = json!({"DLR": words, "DLR:": words, "is_active": true, "expires_at": "2026-11-23T01:40:26Z"});
    assert_eq!(pending, expected);
    assert_eq!(dlr("/check_otp").await, expected, "its other name");

    let claim = service.gateway.claim().await;
    let (message, part) = (claim.message.id, PartId { attempt: 0, part: 0 });
    let (modem, sim_card) = crate::gateway::equipment();
    let intent = IntentOf {
        modem,
        sim_card: sim_card.clone(),
        part,
        concat_reference: 1,
        report_until: claim.message.deadline,
        needs: Duration::from_secs(10),
    };
    let store = &service.gateway.store;
    assert_eq!(store.begin(message, intent).await, Ok(Grant::Granted));
    let outcome = Outcome { message, part, sim_card: sim_card.clone(), result: PartResult::Accepted(Some(7)) };
    store.settle(outcome, None).await.unwrap();
    assert_eq!(dlr("/check_otp").await["DLR"], "Pending: the carrier has not reported yet");
    let report = Report {
        sim_card,
        reference: 7,
        recipient: "14155550100".into(),
        status: 0,
        verdict: ReportVerdict::Delivered,
    };
    store.report(report).await.unwrap();
    assert_eq!(dlr("/check_otp").await["DLR"], "DELIVRD");
    tokio::time::advance(Duration::from_secs(300)).await;
    assert_eq!(dlr("/check_otp").await["is_active"], false);

    let unknown = json!({"message_id": "a1b2c3d4-e5f6-7890-abcd-ef1234567890"});
    let expected = json!({"message": "OTP not found", "Message:": "OTP not found", "is_active": false});
    assert_eq!(service.ok("/check_otp_status", &unknown).await, expected);
    assert_eq!(service.refused("/check_otp_status", &json!({})).await.0, 400);
}

#[tokio::test(start_paused = true)]
async fn report_pages_through_what_was_sent() {
    let service = Service::start(&[]).await;
    let empty = service.ok("/report", &json!({})).await;
    let expected = json!({"total_count": 0, "total_pages": 0, "current_page": 1, "per_page": 10, "transactions": [],
        "message": "No transactions found"});
    assert_eq!(empty, expected);
    for n in 0..12 {
        service.ok("/generate_otp", &json!({"phone_number": format!("141555501{n:02}"), "brand": "Acme"})).await;
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    // Another client's are none of this one's.
    service.gateway.verification(r#"{"to":"+14155550199"}"#).await;
    let first = service.ok("/report", &json!({"page": 1, "per_page": 5})).await;
    assert_eq!((&first["total_count"], &first["total_pages"]), (&json!(12), &json!(3)));
    let row = first["transactions"][0].clone();
    let expected = json!({"message_id": row["message_id"], "message_timestamp": "2026-11-23T01:35:37Z",
        "timestamp": "2026-11-23T01:35:37Z", "created_at": "2026-11-23T01:35:37Z", "message_type": 1,
        "phone_number": "14155550111", "channel": "sms", "country": row["country"], "force_send": false,
        "application": "Acme", "cost": 0.0, "status": "Pending: not yet accepted by the carrier",
        "description": "pending", "client_ip": row["client_ip"]});
    assert_eq!(row, expected);
    let last = service.ok("/report", &json!({"page": "3", "per_page": "5"})).await;
    assert_eq!(last["transactions"].as_array().unwrap().len(), 2);
    assert_eq!(last["transactions"][1]["phone_number"], "14155550100");
    for (body, rows) in [
        (json!({"start_date": "2026-11-23", "end_date": "2026-11-23", "per_page": 100}), 12),
        (json!({"start_date": "2026-11-20", "end_date": "2026-11-22"}), 0),
    ] {
        assert_eq!(service.ok("/report", &body).await["transactions"].as_array().unwrap().len(), rows, "{body}");
    }
    for body in [
        json!({"start_date": "2026-11-23", "end_date": "2026-11-22"}),
        json!({"start_date": "2026-10-01", "end_date": "2026-11-22"}),
        json!({"start_date": "yesterday"}),
        json!({"page": 0}),
        json!({"per_page": 101}),
    ] {
        assert_eq!(service.refused("/report", &body).await.0, 400, "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn me_and_what_costs_money() {
    let service = Service::start(&[]).await;
    let key = [("x-api-key", service.key.as_str())];
    assert_eq!(service.gateway.dialect("GET /me", &key, "").await.json(), json!({"email": "box@localhost"}));
    for line in ["GET /v1/topup/quote?credits=25", "POST /v1/topup", "POST /v1/agent/register", "GET /v1/agent/account"]
    {
        let reply = service.gateway.dialect(line, &[], "").await;
        let json = reply.json();
        assert_eq!((reply.status.as_u16(), &json["detail"]["http_code"]), (404, &json!(404)), "{line}");
        assert_eq!(json["detail"]["message"], json["message"], "{line}");
    }
}

/// Whatever is wrong, it is said in the dialect of the path.
#[tokio::test(start_paused = true)]
async fn the_path_decides_in_which_words_an_error_is_said() {
    let service = Service::start(&[]).await;
    let json = ("content-type", "application/json");
    let key = ("x-api-key", service.key.as_str());
    let admin = format!("Bearer {}", service.gateway.admin);
    let large = format!("{{\"otp\":\"{}\"}}", "1".repeat(70_000));
    type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str, u16, &'a str);
    let rows: &[Row] = &[
        ("POST /generate_otp", &[json], "{}", 401, "Invalid API key"),
        ("POST /generate_otp", &[json, ("x-api-key", "wrong")], "{}", 401, "Invalid API key"),
        ("POST /generate_otp", &[json, ("authorization", &admin)], "{}", 401, "Invalid API key"),
        ("POST /generate_otp", &[json, key, ("authorization", &admin)], "{}", 400, "one credential"),
        ("POST /generate_otp", &[json, key], "{", 400, "JSON"),
        ("POST /generate_otp", &[key], "{}", 415, "application/json"),
        ("POST /verify_otp", &[json, key], &large, 413, "64 KiB"),
        ("GET /verify_otp", &[key], "", 405, "method"),
        ("GET /me", &[], "", 401, "Invalid API key"),
        ("GET /me", &[key, ("host", "evil.example")], "", 400, "Host"),
    ];
    for (line, headers, body, status, words) in rows {
        let reply = service.gateway.dialect(line, headers, body).await;
        let answer = reply.json();
        assert_eq!(
            (reply.status.as_u16(), &answer["error"]["http_code"]),
            (*status, &json!(status)),
            "{line} {answer}"
        );
        assert!(answer["message"].as_str().unwrap().contains(words), "{line}: {answer}");
    }
    assert!(service.gateway.dialect("GET /verify_otp", &[key], "").await.headers.contains_key("allow"));
    let own = service.gateway.dialect("GET /v1/nothing", &[key], "").await;
    assert_eq!(own.json()["code"], "not_found", "ours is a problem");

    let elsewhere = Service::with(Settings::default(), json!({"networks": ["10.0.0.0/8"]}), &[]).await;
    let refused = elsewhere.refused("/generate_otp", &to("14155550100")).await;
    assert_eq!(refused, (403, "Access from this IP not allowed".to_owned()));

    let off = Service::with(Settings { myotp: false, ..Settings::default() }, json!({}), &[]).await;
    assert_eq!(off.refused("/generate_otp", &to("14155550100")).await.0, 404);
    let native = service.gateway.key(&[Scope::Verify], &[]).await;
    let reply = service.gateway.dialect("GET /me", &[("x-api-key", &native)], "").await;
    assert_eq!(reply.status, 401, "a key of another dialect");
}

#[tokio::test(start_paused = true)]
async fn the_documents_examples_run() {
    let mut run = 0;
    for operation in conformance::operations().into_iter().filter(|operation| !operation.is_native()) {
        for (name, example) in operation.examples() {
            let service = Service::start(&[]).await;
            let status = example.get("x-answers").map_or(200, |status| status.as_u64().unwrap() as u16);
            let reply = service.post(operation.path, &example["value"]).await;
            assert_eq!(reply.status.as_u16(), status, "{} {name}: {}", operation.path, reply.text);
            run += 1;
        }
    }
    assert!(run > 5, "{run}");
}

#[tokio::test(start_paused = true)]
async fn a_text_that_is_waited_for_stands_in_no_codes_way() {
    let service = Service::start(&[]).await;
    let keys = service.gateway.call("GET /v1/keys", "").await.json();
    let plugin = keys["items"].as_array().unwrap().iter().find(|key| key["name"] == "plugin").unwrap().clone();
    let more = json!({"name": "app", "scopes": ["verify"], "client": plugin["client"]});
    let key = service.gateway.call("POST /v1/keys", &more.to_string()).await.json()["key"].as_str().unwrap().to_owned();
    let (_, code) = service.send(&to("14155550100")).await;
    let awaited = r#"{"to":"+14155550100","channel":"inbound","purpose":"x"}"#;
    let made = service.gateway.call_as(&key, "POST /v1/verifications", awaited, &[]).await;
    assert_eq!(made.status, 503, "this gateway has no number: {}", made.text);
    let other = json!({"otp": code, "phone_number": "12065550100"});
    assert_eq!(service.ok("/verify_otp", &other).await["reason"], "not found");
    let (id, code) = service.send(&json!({"phone_number": "14155550101"})).await;
    let elsewhere = json!({"otp": code, "message_id": id, "phone_number": "14155550199"});
    assert_eq!(service.ok("/verify_otp", &elsewhere).await["reason"], "invalid", "another's number");
}
