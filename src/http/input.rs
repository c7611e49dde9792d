//! What a request says, proved field by field. No error repeats a value.

use super::problem::{Kind, Problem};
use super::{BODY_LIMIT, REQUEST_TIME};
use crate::domain::msisdn::Msisdn;
use crate::domain::time::Wall;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{FromRequest, FromRequestParts, MatchedPath, Query, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::ops::RangeInclusive;

/// A request's body as it came, whole, with what is needed to read it. The caller's scope is asked before it is read
/// as JSON, so that a key without the right learns nothing about the fields.
pub(crate) struct Payload {
    /// The route and what stands in its places: the same however the path is written.
    pub(super) resource: String,
    pub(super) headers: HeaderMap,
    bytes: Bytes,
}

impl<S: Sync> FromRequest<S> for Payload {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let resource = resource(&mut parts).await;
        let bytes = tokio::time::timeout(REQUEST_TIME, read(body)).await.map_err(|_| {
            Problem::new(Kind::RequestTimeout, "The body did not arrive whole within 30 seconds; send it again.")
        })??;
        Ok(Self { resource, headers: parts.headers, bytes })
    }
}

async fn resource(parts: &mut Parts) -> String {
    let route = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str).to_owned();
    // Without their percent signs.
    let Ok(places) = RawPathParams::from_request_parts(parts, &()).await else { return route };
    places.iter().fold(route, |resource, (_, value)| resource + "\n" + value)
}

async fn read(body: Body) -> Result<Bytes, Problem> {
    let too_large = || Problem::new(Kind::BodyTooLarge, "A body has at most 64 KiB; send less.");
    // What is announced too large is not waited for, nor asked for with 100 Continue.
    if body.size_hint().lower() > BODY_LIMIT as u64 {
        return Err(too_large());
    }
    match Limited::new(body, BODY_LIMIT).collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(_) => Err(Problem::new(Kind::BadRequest, "The body broke off, or its framing is wrong; send it again.")),
    }
}

impl Payload {
    /// The body's fields. Any that is not among `known` is refused: a misspelt option must not pass for its default.
    pub(crate) fn fields(&self, known: &'static [&'static str]) -> Result<Fields, Problem> {
        Ok(Fields { body: self.bytes.clone(), ..Fields::new(self.members()?.0, known, Origin::Body)? })
    }

    fn members(&self) -> Result<Members, Problem> {
        self.must_be_json()?;
        serde_json::from_slice(&self.bytes).map_err(|error| {
            if error.is_data() {
                return Problem::new(Kind::BadJson, "The body must be a JSON object, as in {\"to\": \"…\"}.");
            }
            let (line, column) = (error.line(), error.column());
            Problem::new(
                Kind::BadJson,
                format!("The body can't be read as JSON, from line {line}, column {column} on."),
            )
        })
    }

    /// As [`Payload::fields`], for dialects that pass over what they don't know.
    pub(crate) fn fields_among(&self, known: &'static [&'static str]) -> Result<Fields, Problem> {
        if self.bytes.is_empty() {
            return Fields::new(Vec::new(), known, Origin::Body);
        }
        let members = self.members()?.0.into_iter().filter(|(name, _)| known.contains(&name.as_str()));
        Ok(Fields { body: self.bytes.clone(), ..Fields::new(members, known, Origin::Body)? })
    }

    /// As [`Payload::fields`]; no body at all means no fields.
    pub(crate) fn optional_fields(&self, known: &'static [&'static str]) -> Result<Fields, Problem> {
        if self.bytes.is_empty() {
            return Fields::new(Vec::new(), known, Origin::Body);
        }
        self.fields(known)
    }

    fn must_be_json(&self) -> Result<(), Problem> {
        let refuse = |detail| Err(Problem::new(Kind::UnsupportedMediaType, detail));
        if self.headers.get(header::CONTENT_ENCODING).is_some_and(|e| !e.as_bytes().eq_ignore_ascii_case(b"identity")) {
            return refuse("Send the body uncompressed, without Content-Encoding.");
        }
        let kind = self.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if kind.eq_ignore_ascii_case("application/json") {
            return Ok(());
        }
        refuse("Send JSON, with the header Content-Type: application/json.")
    }
}

/// The members of a JSON object as they stand there, repeated ones too.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

/// Fields by name, from a body or a query.
pub(crate) struct Fields {
    values: BTreeMap<String, Value>,
    origin: Origin,
    /// The JSON that they are from.
    body: Bytes,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    Body,
    Query,
}

impl Fields {
    /// The fields of an object: what another dialect asks for, in our own words.
    pub(crate) fn of_object(
        object: serde_json::Map<String, Value>,
        known: &'static [&'static str],
    ) -> Result<Self, Problem> {
        Self::new(object, known, Origin::Body)
    }

    /// The fields of a query.
    pub(crate) fn of_query(uri: &Uri, known: &'static [&'static str]) -> Result<Self, Problem> {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri)
            .map_err(|_| Problem::new(Kind::BadRequest, "The query can't be read; percent-encode its values."))?;
        Self::new(pairs.into_iter().map(|(name, value)| (name, Value::String(value))), known, Origin::Query)
    }

    /// Takes each name once: of two values, who knows which one somebody before us has looked at?
    fn new(
        pairs: impl IntoIterator<Item = (String, Value)>,
        known: &'static [&'static str],
        origin: Origin,
    ) -> Result<Self, Problem> {
        let mut values = BTreeMap::new();
        for (name, value) in pairs {
            let Some(known) = known.iter().find(|k| **k == name) else { return Err(unknown(&name, known)) };
            if values.insert(name, value).is_some() {
                return Err(Problem::invalid(*known, format!("`{known}` is given twice; give it once.")));
            }
        }
        Ok(Self { values, origin, body: Bytes::new() })
    }

    /// The same text for the same fields, whatever their order and spacing.
    pub(super) fn canonical(&self) -> String {
        serde_json::to_string(&self.values).unwrap_or_default()
    }

    /// A value that must be there.
    pub(crate) fn need<'a, T>(
        &'a self,
        name: &'static str,
        get: impl FnOnce(&'a Self, &'static str) -> Result<Option<T>, Problem>,
    ) -> Result<T, Problem> {
        get(self, name)?
            .ok_or_else(|| Problem::field(Kind::MissingField, name, format!("`{name}` is missing; it must be given.")))
    }

    /// A value as it is; null counts as absent.
    pub(crate) fn value(&self, name: &'static str) -> Option<&Value> {
        self.values.get(name).filter(|value| !value.is_null())
    }

    /// Whether it is there and null.
    pub(crate) fn is_null(&self, name: &'static str) -> bool {
        self.values.get(name).is_some_and(Value::is_null)
    }

    /// A value of the body as it is written there, to the letter: a number too large for us is not to be rounded.
    pub(crate) fn json(&self, name: &'static str) -> Option<String> {
        let value = self.value(name)?;
        // The whole was read before and has the name once.
        let members: Option<BTreeMap<String, &RawValue>> = serde_json::from_slice(&self.body).ok();
        let as_written = members.and_then(|members| members.get(name).map(|raw| raw.get().to_owned()));
        Some(as_written.unwrap_or_else(|| value.to_string()))
    }

    /// A text.
    pub(crate) fn text(&self, name: &'static str) -> Result<Option<&str>, Problem> {
        let wrong = || Problem::invalid(name, format!("`{name}` must be a string."));
        self.value(name).map(|value| value.as_str().ok_or_else(wrong)).transpose()
    }

    /// A text that `parse` makes something of; its error is shown and must hold no part of the text.
    pub(crate) fn parsed<T, E: Display>(
        &self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, Problem> {
        let text = self.text(name)?;
        text.map(|text| parse(text).map_err(|why| Problem::invalid(name, format!("`{name}`: {why}.")))).transpose()
    }

    /// One of a few words.
    pub(crate) fn word<T: Copy>(&self, name: &'static str, words: &[(&str, T)]) -> Result<Option<T>, Problem> {
        self.parsed(name, |text| {
            let found = words.iter().find(|(word, _)| *word == text);
            found.map(|(_, value)| *value).ok_or_else(|| one_of(words.iter().map(|(word, _)| *word)))
        })
    }

    /// A list of words without repetition.
    pub(crate) fn words<T: Ord>(
        &self,
        name: &'static str,
        parse: impl Fn(&str) -> Option<T>,
        all: &[&str],
    ) -> Result<Option<std::collections::BTreeSet<T>>, Problem> {
        let wrong =
            || Problem::invalid(name, format!("`{name}`: give a list of words, each {}.", one_of(all.iter().copied())));
        let Some(value) = self.value(name) else { return Ok(None) };
        let list = value.as_array().ok_or_else(wrong)?;
        list.iter().map(|item| item.as_str().and_then(&parse).ok_or_else(wrong)).collect::<Result<_, _>>().map(Some)
    }

    /// A list of texts, each of which `parse` makes something of.
    pub(crate) fn list<T, E: Display>(
        &self,
        name: &'static str,
        most: usize,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Result<Option<Vec<T>>, Problem> {
        let wrong = || Problem::invalid(name, format!("`{name}` must be a list of at most {most} strings."));
        let Some(value) = self.value(name) else { return Ok(None) };
        let list = value.as_array().filter(|list| list.len() <= most).ok_or_else(wrong)?;
        let one = |item: &Value| {
            let text = item.as_str().ok_or_else(wrong)?;
            parse(text).map_err(|why| Problem::invalid(name, format!("`{name}`: {why}.")))
        };
        list.iter().map(one).collect::<Result<_, _>>().map(Some)
    }

    /// Yes or no.
    pub(crate) fn flag(&self, name: &'static str) -> Result<Option<bool>, Problem> {
        let wrong = || Problem::invalid(name, format!("`{name}` must be true or false."));
        self.value(name).map(|value| value.as_bool().ok_or_else(wrong)).transpose()
    }

    /// A whole number within bounds. A query has it as digits.
    pub(crate) fn integer(&self, name: &'static str, bounds: RangeInclusive<u64>) -> Result<Option<u64>, Problem> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let number = match self.origin {
            // 30.0 is a whole number, too (JSON Schema, "integer").
            Origin::Body => value.as_u64().or_else(|| value.as_f64().filter(|n| n.fract() == 0.0).and_then(whole)),
            Origin::Query => value.as_str().and_then(|text| text.parse().ok()),
        };
        let wrong = || {
            let (least, most) = (bounds.start(), bounds.end());
            Problem::invalid(name, format!("`{name}` must be a whole number from {least} to {most}."))
        };
        number.filter(|n| bounds.contains(n)).map(Some).ok_or_else(wrong)
    }

    /// A phone number. In a query its plus may have been read as a space.
    pub(crate) fn number(&self, name: &'static str) -> Result<Option<Msisdn>, Problem> {
        self.parsed(name, |text| match text.strip_prefix(' ') {
            Some(digits) if self.origin == Origin::Query => Msisdn::parse(&format!("+{digits}")),
            _ => Msisdn::parse(text),
        })
    }

    /// A time (RFC 3339).
    pub(crate) fn time(&self, name: &'static str) -> Result<Option<Wall>, Problem> {
        self.parsed(name, |text| {
            Wall::parse(text).ok_or("give a time as RFC 3339 has it, with its offset, as in 2026-01-31T12:00:00Z")
        })
    }

    /// A short text for people and programs: so many characters, none of them a control character.
    pub(crate) fn label(&self, name: &'static str, most: usize) -> Result<Option<String>, Problem> {
        self.parsed(name, |text| match text.chars().count() {
            count if count == 0 || count > most => Err(format!("it must have 1 to {most} characters")),
            _ if text.chars().any(char::is_control) => Err("it may hold no control character".to_owned()),
            _ => Ok(text.to_owned()),
        })
    }
}

/// A name that is not known, with the nearest one that is. It is repeated only if it can hold no number or code.
fn unknown(name: &str, known: &[&'static str]) -> Problem {
    let harmless = name.len() <= 40 && name.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_');
    if !harmless || name.is_empty() {
        let all = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        return Problem::new(Kind::UnknownField, format!("A field is not known; those that are: {all}."));
    }
    let distance = |k: &&&str| strsim::damerau_levenshtein(k, name);
    let detail = match known.iter().min_by_key(distance).filter(|k| distance(k) <= 2) {
        Some(near) => format!("`{name}` is not known; is `{near}` meant?"),
        None if known.is_empty() => format!("`{name}` is not known; there are no fields here."),
        None => format!("`{name}` is not known; those that are: {}.", known.join(", ")),
    };
    Problem::field(Kind::UnknownField, name.to_owned(), detail)
}

/// A number without a fraction, as far as those are exact.
fn whole(number: f64) -> Option<u64> {
    (0.0..=9_007_199_254_740_992.0).contains(&number).then_some(number as u64)
}

fn one_of<'a>(words: impl Iterator<Item = &'a str>) -> String {
    format!("one of {}", words.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[&str] = &["to", "ttl_seconds", "flash", "priority", "send_at", "name", "scopes"];

    fn body(json: &str) -> Result<Fields, Problem> {
        let headers =
            HeaderMap::from_iter([(header::CONTENT_TYPE, "application/json; charset=utf-8".parse().unwrap())]);
        Payload { resource: String::new(), headers, bytes: Bytes::from(json.to_owned()) }.fields(KNOWN)
    }

    fn query(text: &str) -> Result<Fields, Problem> {
        Fields::of_query(&format!("/x?{text}").parse().unwrap(), KNOWN)
    }

    /// The code and the field of a refusal.
    fn refusal<T>(result: Result<T, Problem>) -> String {
        let Err(problem) = result else { return "taken".to_owned() };
        format!("{problem:?}").split(", detail").next().unwrap().replace("Problem { kind: ", "")
            + &format!("{problem:?}")
                .split("field: ")
                .nth(1)
                .unwrap()
                .split(", retry")
                .next()
                .map(|f| format!(" {f}"))
                .unwrap()
    }

    #[test]
    fn bodies() {
        let all = |f: Fields| {
            f.number("to")?;
            f.integer("ttl_seconds", 30..=3600)?;
            f.flag("flash")?;
            f.word("priority", &[("normal", 1), ("high", 2)])?;
            f.time("send_at")?;
            f.words("scopes", |w| (w == "read").then_some(1), &["read"])?;
            f.label("name", 4).map(|_| ())
        };
        let rows = [
            ("nothing", "{}", "taken"),
            (
                "all of it",
                r#"{"to":"+14155550100","ttl_seconds":30,"flash":true,"priority":"high","send_at":"2026-01-31T12:00:00+01:00","name":"a","scopes":["read"]}"#,
                "taken",
            ),
            ("null is absent", r#"{"to":null,"flash":null}"#, "taken"),
            ("cut off", r#"{"to":"#, "BadJson None"),
            ("no object", r#"["to"]"#, "BadJson None"),
            ("empty", "", "BadJson None"),
            ("a wrong type", r#"{"to":14155550100}"#, r#"InvalidValue Some("to")"#),
            ("a bad number", r#"{"to":"555"}"#, r#"InvalidValue Some("to")"#),
            ("below the bounds", r#"{"ttl_seconds":29}"#, r#"InvalidValue Some("ttl_seconds")"#),
            ("a whole number with a point", r#"{"ttl_seconds":3.0e1}"#, "taken"),
            ("a fraction", r#"{"ttl_seconds":30.5}"#, r#"InvalidValue Some("ttl_seconds")"#),
            ("digits as a string", r#"{"ttl_seconds":"30"}"#, r#"InvalidValue Some("ttl_seconds")"#),
            ("no such word", r#"{"priority":"urgent"}"#, r#"InvalidValue Some("priority")"#),
            ("a date only", r#"{"send_at":"2026-01-31"}"#, r#"InvalidValue Some("send_at")"#),
            ("no boolean", r#"{"flash":1}"#, r#"InvalidValue Some("flash")"#),
            ("too long", r#"{"name":"abcde"}"#, r#"InvalidValue Some("name")"#),
            ("a control character", r#"{"name":"a\n"}"#, r#"InvalidValue Some("name")"#),
            ("no list", r#"{"scopes":"read"}"#, r#"InvalidValue Some("scopes")"#),
            ("not in the list", r#"{"scopes":["write"]}"#, r#"InvalidValue Some("scopes")"#),
            ("a field that is not known", r#"{"ttl":30}"#, r#"UnknownField Some("ttl")"#),
            ("a number for a name", r#"{"+14155550100":1}"#, "UnknownField None"),
            ("given twice", r#"{"to":"+14155550100","to":"+14155550101"}"#, r#"InvalidValue Some("to")"#),
            ("the same twice", r#"{"flash":true,"name":"a","flash":true}"#, r#"InvalidValue Some("flash")"#),
            ("twice, once with an escape", r#"{"to":"+14155550100","\u0074o":null}"#, r#"InvalidValue Some("to")"#),
            ("twice and not known", r#"{"ot":1,"ot":1}"#, r#"UnknownField Some("ot")"#),
            ("broken after an object", r#"{"to":null} {"#, "BadJson None"),
        ];
        for (name, json, expected) in rows {
            assert_eq!(refusal(body(json).and_then(all)), expected, "{name}");
        }
    }

    #[test]
    fn queries() {
        let plus = Msisdn::parse("+14155550100").unwrap();
        for (name, text) in
            [("encoded", "to=%2B14155550100"), ("as it is", "to=+14155550100"), ("00", "to=0014155550100")]
        {
            assert_eq!(query(text).and_then(|f| f.number("to")).unwrap(), Some(plus.clone()), "{name}");
        }
        assert_eq!(query("ttl_seconds=30").and_then(|f| f.integer("ttl_seconds", 0..=60)).unwrap(), Some(30));
        let rows = [
            ("a misspelt name", "ttl_second=30", r#"UnknownField Some("ttl_second")"#),
            ("twice", "to=%2B14155550100&to=%2B14155550101", r#"InvalidValue Some("to")"#),
            ("twice and not known", "ot=1&ot=2", r#"UnknownField Some("ot")"#),
        ];
        for (name, text, expected) in rows {
            assert_eq!(refusal(query(text)), expected, "{name}");
        }
    }

    #[test]
    fn what_is_missing_is_named_and_what_is_near_is_offered() {
        let fields = body("{}").unwrap();
        assert_eq!(refusal(fields.need("to", Fields::number)), r#"MissingField Some("to")"#);
        let problem = format!("{:?}", body(r#"{"ttl_secnds":1}"#).err().unwrap());
        assert!(problem.contains("is `ttl_seconds` meant?"), "{problem}");
    }

    #[test]
    fn the_same_fields_are_canonically_the_same() {
        let (a, b) = (r#"{"to":"x","name":{"b":1,"a":2}}"#, "{ \"name\" : {\"a\":2, \"b\":1}, \"to\":\"x\"}");
        assert_eq!(body(a).unwrap().canonical(), body(b).unwrap().canonical());
    }

    #[test]
    fn only_plain_json_is_read() {
        let rows = [
            ("a form", "content-type", "application/x-www-form-urlencoded"),
            ("a look-alike", "content-type", "application/json-seq"),
            ("no type at all", "accept", "application/json"),
            ("compressed", "content-encoding", "gzip"),
        ];
        for (name, header, value) in rows {
            let headers = HeaderMap::from_iter([(header.parse().unwrap(), value.parse().unwrap())]);
            let payload = Payload { resource: String::new(), headers, bytes: Bytes::from_static(b"{}") };
            assert_eq!(refusal(payload.fields(KNOWN)), "UnsupportedMediaType None", "{name}");
        }
    }
}
