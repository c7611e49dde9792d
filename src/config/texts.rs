//! `[[template]]` and `[[purpose]]`: texts of one's own.

use super::Config;
use super::source::Value;
use crate::otp::template::{ANY_LANGUAGE, BUILT_IN, Form, Pattern, Template, is_tag, purpose_words};

/// A template of which nothing is said yet.
pub(super) fn empty() -> Template {
    Template { name: String::new(), brand: None, form: Form::Plain, texts: Vec::new() }
}

/// The template whose table is being read.
pub(super) fn template(config: &mut Config) -> Result<&mut Template, String> {
    config.templates.templates.last_mut().ok_or_else(|| "must stand in a table [[template]]".to_owned())
}

/// What one purpose is called: its name, and by language the words.
pub(super) type Purpose = (String, Vec<(String, String)>);

/// The purpose whose table is being read.
pub(super) fn purpose(config: &mut Config) -> Result<&mut Purpose, String> {
    config.templates.purposes.last_mut().ok_or_else(|| "must stand in a table [[purpose]]".to_owned())
}

/// A name as requests say it.
pub(super) fn template_name(text: &str) -> Result<String, String> {
    let fits = (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    match fits {
        true if text == BUILT_IN => Err(format!("must be another name; \"{BUILT_IN}\" means the built-in texts")),
        true => Ok(text.to_owned()),
        false => Err("must have 1 to 32 of A-Z, a-z, 0-9, _ and -".to_owned()),
    }
}

/// A purpose as requests say it.
pub(super) fn purpose_name(text: &str) -> Result<String, String> {
    let one = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    let fits = (1..=32).contains(&text.len()) && text.bytes().all(one);
    if fits { Ok(text.to_owned()) } else { Err("must have 1 to 32 of a-z, 0-9, _ and -".to_owned()) }
}

/// One of a few words.
pub(super) fn word<T: Copy>(value: &Value, words: &[(&str, T)]) -> Result<T, String> {
    let found = value.text().ok().and_then(|text| words.iter().find(|(word, _)| *word == text));
    found.map(|(_, it)| *it).ok_or_else(|| {
        let words: Vec<_> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        format!("must be one of {}", words.join(", "))
    })
}

/// What is said for each language; said without one, it is for any.
pub(super) fn by_language<T>(
    value: &Value,
    read: impl Fn(&Value) -> Result<T, String>,
) -> Result<Vec<(String, T)>, String> {
    let Value::Names(by_language) = value else { return Ok(vec![(ANY_LANGUAGE.to_owned(), read(value)?)]) };
    let one = |(tag, value): &(String, Value)| {
        if tag != ANY_LANGUAGE && !is_tag(tag) {
            return Err(format!(
                "has \"{tag}\", which is no language tag as in \"de\" or \"pt-BR\", nor \"{ANY_LANGUAGE}\""
            ));
        }
        Ok((tag.clone(), read(value).map_err(|why| format!("for {tag} {why}"))?))
    };
    by_language.iter().map(one).collect()
}

/// A text, or several of which the first that fits is taken.
pub(super) fn patterns(value: &Value) -> Result<Vec<Pattern>, String> {
    let one = |value: &Value| Pattern::parse(value.text()?).map_err(|why| format!("is no template: {why}"));
    match value {
        Value::List(texts) if texts.is_empty() => Err("must be a text, or a list of some".to_owned()),
        Value::List(texts) => texts.iter().map(one).collect(),
        value => Ok(vec![one(value)?]),
    }
}

/// What a purpose is called in one language.
pub(super) fn words(value: &Value) -> Result<String, String> {
    purpose_words(value.text()?).map_err(|why| format!("can't be shown: {why}"))
}
