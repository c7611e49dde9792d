//! `/openapi.json`: it has every route and no other, and what it says of each is so.

use crate::conformance::{Operation, document, operations, resolved, validate};
use crate::gateway::{Gateway, equipment};
use otpgate::domain::audit::AuditKind;
use otpgate::domain::equipment::Imei;
use otpgate::domain::event::EventKind;
use otpgate::domain::guard::Rule;
use otpgate::domain::message::Status;
use otpgate::domain::secret::Secret;
use otpgate::domain::verification::VerificationState;
use otpgate::domain::webhook::Outcome;
use otpgate::http::{Settings, SimulatorHandle};
use otpgate::modem::board::ModemState;
use otpgate::ops::clock::Clock;
use otpgate::simulator::modem::ModemOptions;
use otpgate::simulator::network::NetworkOptions;
use otpgate::simulator::pdu::{Deliver, to_hex};
use otpgate::simulator::{Simulator, driver};
use otpgate::store::{NewInbound, Permission, Scope, Store};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

/// A gateway with everything that a path may name, and no limit below those of the document.
async fn gateway() -> Gateway {
    let simulator: SimulatorHandle =
        driver::spawn(Simulator::new(1, &ModemOptions::default(), NetworkOptions::default(), 1));
    let settings = Settings { min_code_length: 3, max_code_ttl: Duration::from_secs(86_400), ..Settings::default() };
    let gateway = Gateway::with(settings, Some(simulator)).await;
    gateway.modem(0, ModemState::Ready);
    gateway.board.update(0, |modem| modem.imei = Some(Imei::new("001017000000001")));
    gateway
}

/// A call with all that its path needs made before.
async fn call(gateway: &Gateway, key: &str, operation: &Operation, query: &str, body: &str) -> crate::gateway::Reply {
    let mut path = operation.path.to_owned();
    for parameter in operation.parameters.iter().filter(|p| p["in"] == "path") {
        let (name, schema) = (parameter["name"].as_str().unwrap(), resolved(&parameter["schema"]));
        let value = match (&parameter["example"], schema["pattern"].as_str().unwrap_or_default().get(1..5)) {
            (Value::Null, Some("ver_")) => gateway.verification(r#"{"to":"+14155550100"}"#).await,
            (Value::Null, Some("msg_")) => made(gateway, "messages", r#"{"to":"+14155550100","text":"x"}"#).await,
            (Value::Null, Some("key_")) => made(gateway, "keys", r#"{"name":"x","scopes":["read"]}"#).await,
            (Value::Null, Some("inb_")) => came_in(gateway).await,
            (Value::Null, Some("whk_")) => the_only_webhook(gateway).await,
            (Value::Null, Some("whd_")) => dead_delivery(gateway, &path).await,
            (example, _) => example.as_str().map_or(example.to_string(), str::to_owned),
        };
        path = path.replace(&format!("{{{name}}}"), &value);
    }
    let reply = gateway.call_as(key, &format!("{} {path}{query}", operation.method), body, &[]).await;
    if operation.value["operationId"] == "stopSending" {
        // What comes after it needs messages.
        gateway.call("POST /v1/guard/start", "").await;
    }
    reply
}

/// A new webhook in the place of all others: there may not be many.
async fn the_only_webhook(gateway: &Gateway) -> String {
    for webhook in gateway.call("GET /v1/webhooks", "").await.json()["items"].as_array().unwrap() {
        gateway.call(&format!("DELETE /v1/webhooks/{}", webhook["id"].as_str().unwrap()), "").await;
    }
    made(gateway, "webhooks", r#"{"url":"https://example.org/"}"#).await
}

/// A delivery of the webhook in this path that was given up.
async fn dead_delivery(gateway: &Gateway, path: &str) -> String {
    let webhook = path.split('/').nth(3).unwrap();
    gateway.call(&format!("POST /v1/webhooks/{webhook}/test"), "").await;
    let id = gateway.store.parcel().await.unwrap().delivery;
    gateway.store.told(id, Outcome::Answered { status: 410, retry_after: None }).await.unwrap();
    id.to_string()
}

async fn made(gateway: &Gateway, what: &str, body: &str) -> String {
    let reply = gateway.call(&format!("POST /v1/{what}"), body).await;
    reply.json()["id"].as_str().unwrap().to_owned()
}

async fn came_in(gateway: &Gateway) -> String {
    let (modem, sim_card) = equipment();
    for tpdu in Deliver::encode("+14155550100", "hello", gateway.clock.now().wall, 1) {
        let pdu = Secret::new(format!("00{}", to_hex(&tpdu)));
        gateway.store.take_inbound(NewInbound { modem: modem.clone(), sim_card: sim_card.clone(), pdu }).await.unwrap();
    }
    let page = gateway.call("GET /v1/inbound", "").await.json();
    page["items"][0]["id"].as_str().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn every_route_is_documented_and_every_method() {
    let documented: BTreeSet<String> = document()["paths"].as_object().unwrap().keys().cloned().collect();
    let mut routes = BTreeSet::new();
    find_routes(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http"), &mut routes);
    let pages = |route: &String| route == "/" || route.starts_with("/ui/");
    routes.retain(|route| !pages(route));
    assert_eq!(routes, documented);

    let gateway = gateway().await;
    let mut methods = BTreeMap::<&str, BTreeSet<String>>::new();
    for operation in operations() {
        let of = methods.entry(operation.path).or_default();
        of.extend((operation.method == "GET").then(|| "HEAD".to_owned()));
        of.insert(operation.method);
    }
    for (path, methods) in methods {
        let key = format!("Bearer {}", gateway.admin);
        let headers = [("authorization", key.as_str())];
        let reply = gateway.dialect(&format!("BREW {path}").replace(['{', '}'], ""), &headers, "").await;
        assert_eq!(reply.status, 405, "{path}");
        let allowed = reply.headers["allow"].to_str().unwrap().split(',').map(str::to_owned).collect();
        assert_eq!(methods, allowed, "{path}");
    }
}

/// The paths of all routes in the sources, those of tests left out.
fn find_routes(folder: &Path, routes: &mut BTreeSet<String>) {
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find_routes(&path, routes);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = std::fs::read_to_string(path).unwrap();
            let text = text.split("#[cfg(test)]").next().unwrap();
            let found = text.split(".route(").skip(1).filter_map(|rest| rest.trim_start().strip_prefix('"'));
            routes.extend(found.map(|rest| rest.split('"').next().unwrap().to_owned()));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_needs_the_scope_that_is_documented() {
    let gateway = gateway().await;
    for operation in operations().into_iter().filter(Operation::is_native) {
        let needs = operation.value.get("security").unwrap_or(&document()["security"]);
        let open = call(&gateway, "", &operation, "", "").await.outcome() != "401 unauthorized";
        assert_eq!(open, needs == &json!([]), "{} {}", operation.method, operation.path);
        // A dialect's key is good for that dialect only.
        for scope in Scope::ALL.into_iter().filter(|scope| !scope.is_foreign()) {
            let key = gateway.key(&[scope], &[]).await;
            let scopes = needs[0]["key"].as_array().cloned().unwrap_or_default();
            let may = scopes.is_empty() || scope == Scope::Admin || scopes.contains(&scope.as_str().into());
            let refused = call(&gateway, &key, &operation, "", "").await.outcome() == "403 scope_missing";
            assert_eq!(refused, !may, "{scope:?} {} {}", operation.method, operation.path);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_examples_run() {
    let mut run = 0;
    for operation in operations().into_iter().filter(Operation::is_native) {
        let answers = operation.value["responses"].as_object().unwrap();
        let success: u16 = answers.keys().find(|status| status.starts_with('2')).unwrap().parse().unwrap();
        let mut rows: Vec<(&str, String, String, u16)> =
            vec![("without anything", String::new(), String::new(), success)];
        if operation.examples().next().is_some() {
            rows.clear();
        }
        for (name, example) in operation.examples() {
            let status = example.get("x-answers").map_or(success, |status| status.as_u64().unwrap() as u16);
            rows.push((name, String::new(), example["value"].to_string(), status));
        }
        let query = operation.parameters.iter().filter(|p| p["in"] == "query" && !p["example"].is_null());
        let query: Vec<_> = query
            .map(|p| format!("{}={}", p["name"].as_str().unwrap(), p["example"].as_str().unwrap().replace('+', "%2B")))
            .collect();
        if !query.is_empty() {
            rows.push(("with a query", format!("?{}", query.join("&")), String::new(), success));
        }
        for (name, query, body, status) in rows {
            let gateway = gateway().await;
            // What is to be taken off a list is put on it before.
            let list = match operation.value["operationId"].as_str().unwrap() {
                "removeOptOut" => Some("opt-outs/+14155550199"),
                "unblock" => Some("guard/blocked/+44770*"),
                "distrust" => Some("guard/safe/+14155550199"),
                _ => None,
            };
            if let Some(list) = list {
                gateway.call(&format!("PUT /v1/{list}"), "").await;
            }
            let reply = call(&gateway, &gateway.admin, &operation, &query, &body).await;
            assert_eq!(
                reply.status.as_u16(),
                status,
                "{} {}, {name}: {}",
                operation.method,
                operation.path,
                reply.text
            );
            run += 1;
        }
        for (status, answer) in answers {
            let media = &answer["content"]["application/json"];
            for (name, example) in media["examples"].as_object().into_iter().flatten() {
                let result = validate(&media["schema"], &example["value"]);
                assert_eq!(result, Ok(()), "{} {} {status}, {name}", operation.method, operation.path);
            }
        }
    }
    assert!(run >= 40, "{run}");
}

#[tokio::test(start_paused = true)]
async fn what_is_required_and_what_is_allowed_is_so() {
    for operation in operations().into_iter().filter(Operation::is_native) {
        let Some(schema) = operation.body() else { continue };
        let gateway = gateway().await;
        let example = operation.examples().find(|(_, example)| example.get("x-answers").is_none()).unwrap().1;
        let name = format!("{} {}", operation.method, operation.path);
        let outcome =
            async |body: &Value| call(&gateway, &gateway.admin, &operation, "", &body.to_string()).await.outcome();
        let with = |field: &str, value: Value| {
            let mut body = example["value"].clone();
            body[field] = value;
            body
        };
        assert_eq!(outcome(&with("colour", json!("blue"))).await, "422 unknown_field colour", "{name}");
        for field in schema["required"].as_array().into_iter().flatten().map(|field| field.as_str().unwrap()) {
            let mut body = example["value"].clone();
            body.as_object_mut().unwrap().remove(field);
            assert_eq!(outcome(&body).await, format!("422 missing_field {field}"), "{name}");
            assert_eq!(outcome(&with(field, Value::Null)).await, format!("422 missing_field {field}"), "{name}");
        }
        for (field, of) in schema["properties"].as_object().into_iter().flatten() {
            for (value, taken) in border_cases(of) {
                let outcome = outcome(&with(field, value.clone())).await;
                let refused = outcome.starts_with("422 ") && outcome.ends_with(&format!(" {field}"));
                assert_eq!(refused, !taken, "{name}: {field} = {value}: {outcome}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn queries_are_read_as_documented() {
    let gateway = gateway().await;
    for operation in operations().into_iter().filter(Operation::is_native) {
        let name = format!("{} {}", operation.method, operation.path);
        let query: Vec<_> = operation.parameters.iter().filter(|p| p["in"] == "query").collect();
        for parameter in &query {
            let field = parameter["name"].as_str().unwrap();
            for (value, taken) in border_cases(&parameter["schema"]) {
                // A query is all texts, and a wait is not waited for.
                if value.is_null() || value.is_object() || (field == "wait" && taken) {
                    continue;
                }
                let value = value.as_str().map_or(value.to_string(), str::to_owned);
                let encoded: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
                let outcome =
                    call(&gateway, &gateway.admin, &operation, &format!("?{field}={encoded}"), "").await.outcome();
                let expected = if taken { "200".to_owned() } else { format!("422 invalid_value {field}") };
                assert_eq!(outcome, expected, "{name}: {field}={value}");
            }
        }
        if !query.is_empty() {
            let outcome = call(&gateway, &gateway.admin, &operation, "?colour=blue", "").await.outcome();
            assert_eq!(outcome, "422 unknown_field colour", "{name}");
        }
    }
}

/// Values at the borders of what a schema allows, and whether it does.
fn border_cases(schema: &'static Value) -> Vec<(Value, bool)> {
    let schema = resolved(schema);
    let mut cases = Vec::new();
    let types: Vec<&str> = match &schema["type"] {
        Value::Array(types) => types.iter().map(|one| one.as_str().unwrap()).collect(),
        Value::String(one) => vec![one],
        _ => Vec::new(),
    };
    if types.contains(&"null") {
        cases.push((Value::Null, true));
    }
    if types.contains(&"integer") {
        let least = schema["minimum"].as_i64().unwrap();
        cases.extend([(json!(least), true), (json!(least - 1), false)]);
        if let Some(most) = schema["maximum"].as_i64() {
            cases.extend([(json!(most), true), (json!(most + 1), false)]);
        }
        cases.push((json!("many"), false));
    }
    if let Some(words) = schema["enum"].as_array() {
        cases.extend(words.iter().filter(|word| !word.is_null()).map(|word| (word.clone(), true)));
        cases.push((json!("no_such_word"), false));
    }
    for (keyword, step, taken) in
        [("minLength", 0, true), ("minLength", -1, false), ("maxLength", 0, true), ("maxLength", 1, false)]
    {
        if let Some(length) = schema[keyword].as_i64().map(|length| length + step) {
            // A code of a length that could be has the length that was sent, or costs nothing.
            let sent = schema["format"] != "otpgate-code";
            cases.extend((sent || !taken).then(|| (json!("1".repeat(length as usize)), taken)));
        }
    }
    if types.contains(&"string") {
        cases.push((json!({}), false));
    }
    if types.contains(&"boolean") {
        cases.extend([(json!(true), true), (json!(false), true), (json!("yes"), false)]);
    }
    if types.contains(&"array") {
        cases.extend([(json!("x"), false), (json!(["no such word"]), false)]);
        cases.push((json!([]), schema["minItems"].is_null()));
    }
    cases
}

#[test]
fn the_words_are_the_stores() {
    let schema = |name: &str| {
        let words = document()["components"]["schemas"][name]["enum"].as_array().unwrap();
        words.iter().map(|word| word.as_str().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(schema("Scope"), Scope::ALL.map(Scope::as_str));
    assert_eq!(schema("Permission"), Permission::ALL.map(Permission::as_str));
    assert_eq!(schema("AuditKind"), AuditKind::ALL.map(AuditKind::as_str));
    assert_eq!(schema("EventKind"), EventKind::ALL.map(EventKind::as_str));
    assert_eq!(schema("GuardRule"), Rule::ALL.map(Rule::as_str));
    assert_eq!(schema("MessageStatus").into_iter().collect::<BTreeSet<_>>(), Status::ALL.map(Status::as_str).into());
    assert!(schema("VerificationStatus").contains(&VerificationState::Pending.as_str()));
}

#[tokio::test(start_paused = true)]
async fn it_is_there_for_everybody() {
    let gateway = gateway().await;
    let reply = gateway.call_as("", "GET /openapi.json", "", &[]).await;
    assert_eq!((reply.status.as_u16(), &reply.headers["content-type"]), (200, &"application/json".parse().unwrap()));
    let json = reply.json();
    assert_eq!(json["openapi"], "3.1.1");
    assert_eq!(json["info"]["version"], env!("CARGO_PKG_VERSION"));
    assert!(!reply.text.contains("x-problems"));
    let (verifications, simulator) =
        (reply.text.find("\"/v1/verifications\""), reply.text.find("\"/simulator/inbox\""));
    assert!(verifications < simulator, "in the order of its files");
    let ids: Vec<_> = operations().iter().map(|o| o.value["operationId"].as_str().unwrap()).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "an id of its own each");
}

#[tokio::test(start_paused = true)]
async fn the_page_has_every_request_and_fetches_and_runs_nothing() {
    let gateway = gateway().await;
    let reply = gateway.call_as("", "GET /ui/docs", "", &[]).await;
    assert_eq!(
        (reply.status.as_u16(), &reply.headers["content-type"]),
        (200, &"text/html; charset=utf-8".parse().unwrap())
    );
    let policy = reply.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'self';") && !policy.contains("unsafe"), "{policy}");
    // An example may hold an address; nothing leads to one.
    for never in ["<script", "style=", "src=", "url(", "href=\"http", "onclick", "<img"] {
        assert!(!reply.text.contains(never), "{never}");
    }
    for operation in operations() {
        let id = operation.value["operationId"].as_str().unwrap();
        assert!(reply.text.contains(&format!("<div id=\"{id}\">")), "{id}");
        assert!(reply.text.contains(&format!("href=\"#{id}\"")), "{id}");
    }
    for name in ["details", "summary", "dl", "dd", "code", "ul", "li", "pre", "section"] {
        let count = |mark: &str| reply.text.matches(mark).count();
        let opened = count(&format!("<{name}>")) + count(&format!("<{name} "));
        assert_eq!(opened, count(&format!("</{name}>")), "{name}");
    }
    assert_eq!(
        gateway.call_as("", "GET /ui/docs.css", "", &[]).await.headers["content-type"],
        "text/css; charset=utf-8"
    );
    let begin = gateway.call_as("", "GET /", "", &[]).await;
    assert_eq!((begin.status.as_u16(), &begin.headers["location"]), (307, &"/ui/docs".parse().unwrap()));
}
