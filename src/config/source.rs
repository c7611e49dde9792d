//! Where values come from: a TOML file, flattened into names with lines, and the environment.

use super::settings::{self, TableList};
use super::{Environment, Origin};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value for a setting, from somewhere.
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// A value as it came, before its setting has read it.
pub(super) enum Value {
    Text(String),
    Integer(Option<i64>),
    Boolean(bool),
    List(Vec<Value>),
    /// Of a setting that takes names of the writer's own.
    Names(Vec<(String, Value)>),
    /// A new table of a list of tables begins.
    TableOfList,
    /// Of no use to any setting.
    Other,
}

/// Every value in the file, in its order within each table. Errors are added to the list.
pub(super) fn from_toml(path: &Path, text: &str, errors: &mut Vec<String>) -> Vec<Entry> {
    let mut file = File { path, text, errors, entries: Vec::new() };
    match DeTable::parse(text) {
        Ok(table) => file.table("", table.get_ref()),
        Err(e) => {
            let place = Origin::File(path.to_owned(), line(text, e.span().map_or(0, |span| span.start)));
            file.errors.push(format!("{place}: this is not TOML: {}", e.message()));
        }
    }
    file.entries
}

/// Every `OTPGATE_…` that means a setting. One that means nothing is an error: it would be a setting that is not heeded.
pub(super) fn from_environment(environment: &Environment, errors: &mut Vec<String>) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (variable, value) in environment.iter() {
        let reserved = RESERVED.contains(&variable) || variable.starts_with("OTPGATE_TEST_");
        if !variable.starts_with("OTPGATE_") || reserved {
            continue;
        }
        match settings::by_variable(variable) {
            Some(_) if value.is_empty() => {}
            Some(name) => entries.push(Entry {
                name: name.to_owned(),
                value: Value::from_word(value),
                origin: Origin::Environment(variable.to_owned()),
            }),
            None => errors.push(format!("{variable}: {}", unknown_variable(variable))),
        }
    }
    entries
}

fn unknown_variable(variable: &str) -> String {
    if let Some(list) = settings::TABLE_LISTS.iter().find(|l| variable.starts_with(&settings::variable(l.name))) {
        return list.instead.to_owned();
    }
    let of_a_word = settings::names().filter(|name| settings::table_list(name).is_none());
    let known: Vec<String> = of_a_word.map(settings::variable).collect();
    match nearest(variable, known.iter().map(String::as_str).chain(RESERVED)) {
        Some(name) => format!("there is no such setting; did you mean {name}?"),
        None => "there is no such setting; otpgate.sample.toml has all settings".to_owned(),
    }
}

/// The known name that is most like this one, if any is like it.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |known: &str| strsim::jaro_winkler(name, known);
    let best = known.into_iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(best) > 0.75).then_some(best)
}

struct File<'a> {
    path: &'a Path,
    text: &'a str,
    errors: &'a mut Vec<String>,
    entries: Vec<Entry>,
}

impl File<'_> {
    fn table(&mut self, prefix: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let name = format!("{prefix}{}", key.get_ref());
            let origin = Origin::File(self.path.to_owned(), line(self.text, key.span().start));
            if key.get_ref().contains('.') {
                self.errors.push(format!(
                    "{origin}: there is no setting \"{}\" in quotation marks; write the name without them",
                    key.get_ref()
                ));
                continue;
            }
            match value.get_ref() {
                DeValue::Table(inner) if settings::takes_names(&name) => {
                    let value = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
                        let key: &Spanned<std::borrow::Cow<'_, str>> = key;
                        (key.get_ref().to_string(), Value::from_toml(value.get_ref()))
                    };
                    let value = Value::Names(inner.iter().map(value).collect());
                    self.entries.push(Entry { name, value, origin });
                }
                DeValue::Table(inner) if settings::table_list(&name).is_none() => {
                    let any = settings::all_names().any(|known| known.starts_with(&format!("{name}.")));
                    // An empty one within another would say nothing, and be taken for a setting that is heeded.
                    if any || !prefix.is_empty() && !inner.is_empty() {
                        self.table(&format!("{name}."), inner);
                    } else {
                        self.entries.push(Entry { name, value: Value::Other, origin });
                    }
                }
                DeValue::Array(array) if settings::table_list(&name).is_some() => {
                    array.iter().for_each(|element| self.table_of_list(&name, element));
                }
                value => self.entries.push(Entry { name, value: Value::from_toml(value), origin }),
            }
        }
    }

    fn table_of_list(&mut self, name: &str, element: &Spanned<DeValue<'_>>) {
        let Some(list) = settings::table_list(name) else { return };
        let origin = Origin::File(self.path.to_owned(), line(self.text, element.span().start));
        let DeValue::Table(inner) = element.get_ref() else {
            return self.entries.push(Entry { name: name.to_owned(), value: Value::Other, origin });
        };
        if !inner.iter().any(|(key, _)| key.get_ref() == list.key) {
            let TableList { key, example, .. } = list;
            self.errors.push(format!("{origin}: [[{name}]] has no {key}; write {key} = \"{example}\""));
        }
        self.entries.push(Entry { name: name.to_owned(), value: Value::TableOfList, origin });
        self.table(&format!("{name}."), inner);
    }
}

impl Value {
    fn from_toml(value: &DeValue<'_>) -> Self {
        match value {
            DeValue::String(text) => Self::Text(text.to_string()),
            DeValue::Integer(number) => Self::Integer(i64::from_str_radix(number.as_str(), number.radix()).ok()),
            DeValue::Boolean(yes) => Self::Boolean(*yes),
            DeValue::Array(items) => Self::List(items.iter().map(|item| Self::from_toml(item.get_ref())).collect()),
            _ => Self::Other,
        }
    }

    /// The environment knows words only; they are read as what they look like, and lists are split at commas by
    /// [`Value::list`].
    fn from_word(word: &str) -> Self {
        match word {
            "true" => Self::Boolean(true),
            "false" => Self::Boolean(false),
            _ => word.parse().map_or_else(|_| Self::Text(word.to_owned()), |number| Self::Integer(Some(number))),
        }
    }

    pub(super) fn text(&self) -> Result<&str, String> {
        match self {
            Self::Text(text) => Ok(text),
            _ => Err("must be a text in quotation marks".to_owned()),
        }
    }

    pub(super) fn parsed<T: FromStr>(&self, expected: &str) -> Result<T, String> {
        self.text().ok().and_then(|text| text.parse().ok()).ok_or_else(|| format!("must be {expected}"))
    }

    pub(super) fn absolute_path(&self) -> Result<PathBuf, String> {
        let text = self.text()?;
        if text.contains('\0') {
            return Err("must be a path, and no path can hold the character U+0000".to_owned());
        }
        let path = PathBuf::from(text);
        // A relative one would depend on the folder that somebody happened to be in.
        if path.is_absolute() { Ok(path) } else { Err("must be an absolute path: one that begins with /".to_owned()) }
    }

    pub(super) fn integer(&self, range: RangeInclusive<u64>) -> Result<u64, String> {
        match self {
            Self::Integer(Some(number)) => u64::try_from(*number).ok().filter(|number| range.contains(number)),
            _ => None,
        }
        .ok_or_else(|| format!("must be a whole number from {} to {}", range.start(), range.end()))
    }

    pub(super) fn boolean(&self) -> Result<bool, String> {
        match self {
            Self::Boolean(yes) => Ok(*yes),
            _ => Err("must be true or false".to_owned()),
        }
    }

    pub(super) fn list<T>(&self, expected: &str, read: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, String> {
        let items = match self {
            Self::List(items) => items.iter().map(|item| item.text().ok().and_then(&read)).collect(),
            // From the environment.
            Self::Text(text) => text.split(',').map(|item| read(item.trim())).collect(),
            _ => None,
        };
        items.ok_or_else(|| format!("must be a list of {expected}"))
    }
}

fn line(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

/// For the client commands, for the log, and for tests.
const RESERVED: [&str; 4] = ["OTPGATE_URL", "OTPGATE_API_KEY", "OTPGATE_REFERENCE", "OTPGATE_LOG"];
