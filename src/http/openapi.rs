//! The API's own description (OpenAPI 3.1): one file per resource, put together into one document.
//!
//! The files are kept by hand, since requests are read by hand; what a rule can tell is not written there but added here:
//! the problems that every request of its kind may be answered. What only this request may be answered stands beside it, by
//! its code, under `x-problems`. Tests hold the document against the routes, and against every answer that they get.

mod ordered;

use super::problem::Kind;
use crate::domain::guard::Rule;
use axum::http::header;
use axum::response::IntoResponse;
pub(super) use ordered::Json;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The document, as `/openapi.json` gives it.
pub fn openapi() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| serde_json::to_string(document()).unwrap_or_default());
    &TEXT
}

/// Answers with the document.
pub(super) async fn show() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], openapi())
}

/// The document, in the order of its files.
pub(super) fn document() -> &'static Json {
    static DOCUMENT: LazyLock<Json> = LazyLock::new(|| {
        let mut document = Json::parse(BASE);
        *document.at("info").at("version") = Json::Leaf(env!("CARGO_PKG_VERSION").into());
        PARTS.into_iter().for_each(|part| document.merge(Json::parse(part)));
        let paths = document.get("paths").cloned();
        for (path, item) in paths.iter().flat_map(Json::members) {
            for (method, _) in item.members().iter().filter(|(method, _)| method != "parameters") {
                let problems = problems(&document, item, method);
                let operation = document.at("paths").at(path).at(method);
                operation.take("x-problems");
                add_problems(operation.at("responses"), problems);
            }
        }
        document
    });
    &DOCUMENT
}

/// What a `$ref` points at; anything else is itself.
pub(super) fn resolved<'a>(document: &'a Json, value: &'a Json) -> &'a Json {
    let Some(reference) = value.get("$ref") else { return value };
    let mut steps = reference.text().trim_start_matches("#/").split('/');
    steps.try_fold(document, |at, step| at.get(step)).unwrap_or(value)
}

/// All the codes that a request may be answered, by status.
fn problems(document: &Json, item: &Json, method: &str) -> BTreeMap<u16, Vec<Kind>> {
    let nothing = Json::Array(Vec::new());
    let operation = item.get(method).unwrap_or(&nothing);
    let own = operation.get("x-problems").unwrap_or(&nothing).items().iter();
    let mut codes: Vec<&str> = own.map(Json::text).collect();
    // What the guard may say of a send, in one word.
    let guarded = codes.contains(&"guard").then(|| Rule::ALL.map(|rule| Kind::Guarded(rule).code()));
    codes.extend(guarded.into_iter().flatten());
    codes.extend(["bad_request", "unknown_host", "head_too_large", "internal"]);

    let needs = operation.get("security").or(document.get("security")).unwrap_or(&nothing).items();
    // Another dialect has its own errors, which stand with its requests.
    if needs.first().is_some_and(|needs| needs.get("myotp").is_some()) {
        return BTreeMap::new();
    }
    if let Some(key) = needs.first().and_then(|needs| needs.get("key")) {
        codes.extend([
            "two_credentials",
            "unauthorized",
            "address_not_allowed",
            "too_many_logins",
            "busy",
            "stopping",
            "damaged",
        ]);
        codes.extend((!key.items().is_empty()).then_some("scope_missing"));
        if method != "get" {
            codes.extend(["disk_full", "quarantined"]);
        }
    }
    let parameters = [item, operation].into_iter().filter_map(|of| of.get("parameters")).flat_map(Json::items);
    for parameter in parameters.map(|parameter| resolved(document, parameter)) {
        let name = parameter.get("name").map_or("", Json::text);
        codes.extend(match (parameter.get("in").map_or("", Json::text), name) {
            ("path", _) => &["not_found"][..],
            ("header", "Idempotency-Key") => &["invalid_value", "idempotency_mismatch"],
            ("query", "after") => &["too_many_waits"],
            ("query", _) => &["unknown_field", "invalid_value"],
            _ => &[],
        });
    }
    if let Some(body) = operation.get("requestBody").map(|body| resolved(document, body)) {
        codes.extend(["bad_json", "request_timeout", "body_too_large", "unsupported_media_type", "unknown_field"]);
        let media = body.get("content").and_then(|content| content.get("application/json"));
        let schema = media.and_then(|media| media.get("schema"));
        let has = |name| schema.is_some_and(|schema| schema.get(name).is_some());
        codes.extend(has("required").then_some("missing_field"));
        codes.extend(has("properties").then_some("invalid_value"));
    }
    let mut problems = BTreeMap::<u16, Vec<Kind>>::new();
    for kind in Kind::all().filter(|kind| codes.contains(&kind.code())) {
        problems.entry(kind.status().as_u16()).or_default().push(kind);
    }
    problems
}

/// Writes them among the answers.
fn add_problems(answers: &mut Json, problems: BTreeMap<u16, Vec<Kind>>) {
    for (status, kinds) in problems {
        let lines: Vec<_> = kinds.iter().map(|kind| format!("- `{}`: {}", kind.code(), kind.title())).collect();
        let codes: Vec<_> = kinds.iter().map(|kind| kind.code()).collect();
        let header = match status {
            401 => Some(("WWW-Authenticate", "WwwAuthenticate")),
            429 | 503 => Some(("Retry-After", "RetryAfter")),
            _ => None,
        };
        let mut answer = json!({
            "description": lines.join("\n"),
            "content": {
                "application/problem+json": {
                    "schema": {
                        "allOf": [
                            { "$ref": "#/components/schemas/Problem" },
                            { "properties": { "status": { "const": status }, "code": { "enum": codes } } },
                        ],
                    },
                },
            },
        });
        if let Some((name, component)) = header {
            answer["headers"] = Value::Object(serde_json::Map::from_iter([(
                name.to_owned(),
                json!({ "$ref": format!("#/components/headers/{component}") }),
            )]));
        }
        *answers.at(&status.to_string()) = answer.into();
    }
}

/// What holds for all of it.
const BASE: &str = include_str!("openapi/base.json");
/// The resources, in the order in which they are shown.
const PARTS: [&str; 12] = [
    include_str!("openapi/verifications.json"),
    include_str!("openapi/templates.json"),
    include_str!("openapi/messages.json"),
    include_str!("openapi/inbound.json"),
    include_str!("openapi/keys.json"),
    include_str!("openapi/modems.json"),
    include_str!("openapi/guard.json"),
    include_str!("openapi/webhooks.json"),
    include_str!("openapi/audit.json"),
    include_str!("openapi/myotp.json"),
    include_str!("openapi/health.json"),
    include_str!("openapi/simulator.json"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_files_say_different_things_of_one() {
        let mut seen = std::collections::BTreeSet::new();
        for part in [BASE].into_iter().chain(PARTS) {
            let part = Json::parse(part);
            let paths = part.get("paths").into_iter().flat_map(Json::members);
            let components = part.get("components").into_iter().flat_map(Json::members);
            let named = components.flat_map(|(kind, all)| all.members().iter().map(move |(name, _)| (kind, name)));
            let all = paths.map(|(path, _)| path.clone()).chain(named.map(|(kind, name)| format!("{kind} {name}")));
            for name in all {
                assert!(seen.insert(name.clone()), "{name} stands in two files");
            }
        }
    }

    #[test]
    fn every_code_is_one_and_every_reference_leads_somewhere() {
        for part in PARTS {
            let part = Json::parse(part);
            let operations = part.get("paths").into_iter().flat_map(Json::members).flat_map(|(_, item)| item.members());
            let codes = operations.filter_map(|(_, operation)| operation.get("x-problems")).flat_map(Json::items);
            for code in codes {
                assert!(
                    Kind::all().any(|kind| kind.code() == code.text()) || code.text() == "guard",
                    "{}",
                    code.text()
                );
            }
        }
        fn visit(value: &Json) {
            assert!(value.get("$ref").is_none() || resolved(document(), value) != value, "{value:?}");
            value.items().iter().chain(value.members().iter().map(|(_, value)| value)).for_each(visit);
        }
        visit(document());
    }

    #[test]
    fn every_problem_is_documented() {
        // Those that no documented request of our own dialect is answered.
        let elsewhere = ["method_not_allowed", "permission_missing"];
        let text = openapi();
        for kind in Kind::all().filter(|kind| !elsewhere.contains(&kind.code())) {
            assert!(text.contains(&format!("- `{}`: ", kind.code())), "{} stands in no answer", kind.code());
        }
    }
}
