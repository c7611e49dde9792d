//! The API's own description, held against what is asked and answered: every call of these tests passes here.

use axum::http::{HeaderMap, StatusCode};
use otpgate::domain::time::Wall;
use regex_lite::Regex;
use serde_json::{Map, Value};
use std::sync::LazyLock;

/// The document.
pub(crate) fn document() -> &'static Value {
    static DOCUMENT: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(otpgate::http::openapi()).unwrap());
    &DOCUMENT
}

/// One request that the document has.
pub(crate) struct Operation {
    pub(crate) method: String,
    pub(crate) path: &'static str,
    pub(crate) value: &'static Value,
    /// Those of its path and its own.
    pub(crate) parameters: Vec<&'static Value>,
}

impl Operation {
    /// The schema of its JSON body.
    pub(crate) fn body(&self) -> Option<&'static Value> {
        let body = self.value.get("requestBody").map(resolved)?;
        Some(&body["content"]["application/json"]["schema"])
    }

    /// Whether it is our own dialect's.
    pub(crate) fn is_native(&self) -> bool {
        self.value["security"][0]["myotp"].is_null()
    }

    /// The examples of its JSON body.
    pub(crate) fn examples(&self) -> impl Iterator<Item = (&'static String, &'static Value)> {
        let body = self.value.get("requestBody").map(resolved);
        let examples = body.and_then(|body| body["content"]["application/json"]["examples"].as_object());
        examples.into_iter().flatten()
    }
}

/// All of them.
pub(crate) fn operations() -> Vec<Operation> {
    let list = |of: &'static Value| of["parameters"].as_array().into_iter().flatten().map(resolved);
    let paths = document()["paths"].as_object().unwrap();
    let of_path = |(path, item): (&'static String, &'static Value)| {
        let methods = item.as_object().unwrap().iter().filter(|(method, _)| *method != "parameters");
        methods
            .map(|(method, value)| Operation {
                method: method.to_uppercase(),
                path,
                value,
                parameters: list(item).chain(list(value)).collect(),
            })
            .collect::<Vec<_>>()
    };
    paths.iter().flat_map(of_path).collect()
}

/// What the document has of this request, if it has anything.
fn operation(method: &str, path: &str) -> Option<Operation> {
    let path = path.split('?').next().unwrap();
    let fits = |template: &str| {
        let (a, b) = (template.split('/'), path.split('/'));
        a.clone().count() == b.clone().count() && a.zip(b).all(|(a, b)| a == b || a.starts_with('{'))
    };
    let all = operations().into_iter().filter(|o| o.method == method && fits(o.path));
    // A path without a place in it goes before one with.
    all.min_by_key(|o| o.path.contains('{'))
}

/// What was taken must have been what is documented, and so must be the answer.
pub(crate) fn check(method: &str, path: &str, body: &str, status: StatusCode, headers: &HeaderMap, answer: &str) {
    let Some(operation) = operation(method, path) else { return };
    let name = format!("{method} {} {status}", operation.path);
    let answers = &operation.value["responses"];
    let documented = answers.get(status.as_str()).unwrap_or_else(|| panic!("{name} is not documented: {answer}"));
    let documented_headers: Vec<_> = documented["headers"].as_object().into_iter().flatten().collect();
    for (header, of) in &documented_headers {
        let value = headers.get(header.as_str()).map(|value| value.to_str().unwrap());
        assert!(value.is_some() || resolved(of)["required"] != true, "{name}: {header} is missing");
    }
    if let Some(told) = headers.get("otpgate-guard") {
        let (_, of) = documented_headers.iter().find(|(header, _)| *header == "Otpgate-Guard").expect(&name);
        validate(&resolved(of)["schema"], &told.to_str().unwrap().into()).unwrap_or_else(|why| panic!("{name}: {why}"));
    }
    let Some(content) = documented.get("content") else {
        assert_eq!(answer, "", "{name} has no body");
        return;
    };
    let kind = headers["content-type"].to_str().unwrap();
    let media = content.get(kind).unwrap_or_else(|| panic!("{name}: {kind} is not documented"));
    let json = serde_json::from_str(answer).unwrap();
    validate(&media["schema"], &json).unwrap_or_else(|why| panic!("{name}: {why} in {answer}"));
    if let Some(schema) = operation.body().filter(|_| status.is_success() && !body.is_empty()) {
        let asked = serde_json::from_str(body).unwrap();
        validate(schema, &asked).unwrap_or_else(|why| panic!("{name}: was taken, although {why} in {body}"));
    }
}

/// What a `$ref` points at; anything else is itself.
pub(crate) fn resolved(value: &'static Value) -> &'static Value {
    let Some(reference) = value.get("$ref") else { return value };
    document().pointer(reference.as_str().unwrap().trim_start_matches('#')).unwrap()
}

/// Whether a value is as a schema has it: the keywords of JSON Schema that the document uses, and a panic at any other. An
/// object that has a member beyond those listed is refused as well: what is answered is to be documented.
pub(crate) fn validate(schema: &'static Value, value: &Value) -> Result<(), String> {
    let schema = schema.as_object().unwrap();
    schema.iter().try_for_each(|(keyword, wants)| keyword_holds(keyword, wants, schema, value))
}

fn keyword_holds(
    keyword: &str,
    wants: &'static Value,
    schema: &'static Map<String, Value>,
    value: &Value,
) -> Result<(), String> {
    let must = |holds: bool| {
        if holds { Ok(()) } else { Err(format!("{value} fails {keyword}: {wants}")) }
    };
    let (text, number) = (value.as_str(), value.as_i64());
    let characters = text.map(|text| text.chars().count() as u64);
    let all = |schemas: &'static Value| schemas.as_array().unwrap().iter().map(|schema| validate(schema, value));
    match keyword {
        "$ref" => validate(resolved_reference(wants), value),
        "allOf" => all(wants).collect(),
        "anyOf" => must(all(wants).any(|result| result.is_ok())),
        "not" => must(validate(wants, value).is_err()),
        "type" => must(match wants {
            Value::Array(types) => types.iter().any(|one| is_a(one, value)),
            one => is_a(one, value),
        }),
        "enum" => must(wants.as_array().unwrap().contains(value)),
        "const" => must(wants == value),
        "required" => {
            let missing = |name: &&Value| value.is_object() && value.get(name.as_str().unwrap()).is_none();
            must(!wants.as_array().unwrap().iter().any(|name| missing(&name)))
        }
        "properties" => {
            for (name, member) in value.as_object().into_iter().flatten() {
                match wants.get(name) {
                    Some(of) => validate(of, member).map_err(|why| format!("{name}: {why}"))?,
                    None if schema.get("type") == Some(&"object".into())
                        && !schema.contains_key("additionalProperties") =>
                    {
                        return Err(format!("{name} is not documented"));
                    }
                    None => {}
                }
            }
            Ok(())
        }
        "minProperties" => {
            must(value.as_object().is_none_or(|members| members.len() as u64 >= wants.as_u64().unwrap()))
        }
        "maxProperties" => {
            must(value.as_object().is_none_or(|members| members.len() as u64 <= wants.as_u64().unwrap()))
        }
        "propertyNames" => {
            let mut names = value.as_object().into_iter().flat_map(Map::keys);
            names.try_for_each(|name| validate(wants, &Value::from(name.as_str())))
        }
        "additionalProperties" => {
            let known = |name: &str| schema.get("properties").is_some_and(|known| known.get(name).is_some());
            let mut beyond = value.as_object().into_iter().flatten().filter(|(name, _)| !known(name));
            match wants {
                Value::Bool(allowed) => must(*allowed || beyond.next().is_none()),
                of => beyond.try_for_each(|(_, member)| validate(of, member)),
            }
        }
        "items" => value.as_array().into_iter().flatten().try_for_each(|item| validate(wants, item)),
        "maxItems" => must(value.as_array().is_none_or(|items| items.len() as u64 <= wants.as_u64().unwrap())),
        "minItems" => must(value.as_array().is_none_or(|items| items.len() as u64 >= wants.as_u64().unwrap())),
        "pattern" => must(text.is_none_or(|text| Regex::new(wants.as_str().unwrap()).unwrap().is_match(text))),
        "minLength" => must(characters.is_none_or(|n| n >= wants.as_u64().unwrap())),
        "maxLength" => must(characters.is_none_or(|n| n <= wants.as_u64().unwrap())),
        "minimum" => must(number.is_none_or(|n| n >= wants.as_i64().unwrap())),
        "maximum" => must(number.is_none_or(|n| n <= wants.as_i64().unwrap())),
        "format" if wants == "date-time" => must(text.is_none_or(|text| Wall::parse(text).is_some())),
        "format" if wants == "uri" => must(text.is_none_or(|text| text.contains(':'))),
        // Formats of our own: what no keyword tells stands in the description.
        "format" => must(wants.as_str().unwrap().starts_with("otpgate-")),
        "description" | "default" | "examples" => Ok(()),
        _ => panic!("a schema has {keyword}, which these tests do not know"),
    }
}

fn resolved_reference(reference: &'static Value) -> &'static Value {
    document().pointer(reference.as_str().unwrap().trim_start_matches('#')).unwrap()
}

fn is_a(kind: &Value, value: &Value) -> bool {
    match kind.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("no type: {other}"),
    }
}
