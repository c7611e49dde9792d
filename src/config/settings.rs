//! The table of settings: one row each.

use super::source::{Value, nearest};
use super::values::Country;
use super::{Config, Modem};
use std::path::PathBuf;
use std::time::Duration;

struct Setting {
    /// As in the file, with its table: `http.plain_http`.
    name: &'static str,
    set: fn(&mut Config, &Value) -> Result<(), String>,
    /// As it would stand in the file.
    show: fn(&Config) -> String,
}

/// The settings' names, for people: those of a modem stand as one.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    SETTINGS.iter().map(|setting| setting.name).filter(|name| !name.starts_with("modem."))
}

/// Every name in the file.
#[cfg(test)]
pub(super) fn all_names() -> impl Iterator<Item = &'static str> {
    SETTINGS.iter().map(|setting| setting.name)
}

/// Sets one. Answers with the name to remember the origin under, if it is one that [`names`] has.
pub(super) fn set(config: &mut Config, name: &str, value: &Value) -> Result<Option<&'static str>, String> {
    let Some(setting) = SETTINGS.iter().find(|setting| setting.name == name) else {
        return Err(unknown(name));
    };
    (setting.set)(config, value).map_err(|why| format!("{name} {why}"))?;
    Ok(names().find(|known| *known == setting.name))
}

/// One setting's value, as it would stand in the file.
pub(super) fn show(config: &Config, name: &str) -> String {
    SETTINGS.iter().find(|setting| setting.name == name).map_or_else(String::new, |setting| (setting.show)(config))
}

/// The environment's name for a setting. A list of modems has none.
pub(super) fn variable(name: &str) -> String {
    format!("OTPGATE_{}", name.replace('.', "_").to_ascii_uppercase())
}

/// The setting that a variable of the environment means.
pub(super) fn by_variable(variable_name: &str) -> Option<&'static str> {
    names().filter(|name| *name != "modem").find(|name| variable(name) == variable_name)
}

fn unknown(name: &str) -> String {
    // `modem.prot` is looked for among the modem's own keys; a key in the wrong table, everywhere.
    let all = SETTINGS.iter().map(|setting| setting.name);
    let by_last = all.clone().find(|known| last(known) == last(name));
    match by_last.or_else(|| nearest(name, all)) {
        Some(known) => format!("there is no setting {name}; did you mean {known}?"),
        None => format!("there is no setting {name}; otpgate.sample.toml has them all"),
    }
}

fn last(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// The modem whose table is being read: its row `modem` came first.
fn modem(config: &mut Config) -> Result<&mut Modem, String> {
    config.modems.last_mut().ok_or_else(|| "must stand in a table [[modem]]".to_owned())
}

fn seconds(duration: Duration) -> String {
    duration.as_secs().to_string()
}

fn quoted(text: impl std::fmt::Display) -> String {
    format!("\"{text}\"")
}

fn list<T: ToString>(items: &[T]) -> String {
    format!("[{}]", items.iter().map(|item| quoted(item.to_string())).collect::<Vec<_>>().join(", "))
}

fn modems(modems: &[Modem]) -> String {
    let ports: Vec<_> = modems.iter().map(|m| m.port.display().to_string()).collect();
    list(&ports)
}

const SETTINGS: &[Setting] = &[
    Setting {
        name: "listen",
        set: |c, v| v.parsed("an address and a port, as in \"127.0.0.1:8480\"").map(|it| c.listen = it),
        show: |c| quoted(c.listen),
    },
    Setting {
        name: "data_dir",
        set: |c, v| v.absolute_path().map(|it| c.data_dir = it),
        show: |c| quoted(c.data_dir.display()),
    },
    Setting {
        name: "country",
        set: |c, v| Country::parse(v.text()?).map(|it| c.country = Some(it)),
        show: |c| c.country.map_or_else(|| "not set".to_owned(), quoted),
    },
    Setting {
        name: "master_key_file",
        set: |c, v| v.absolute_path().map(|it| c.master_key_file = Some(it)),
        show: |c| c.master_key_file.as_ref().map_or_else(|| "not set".to_owned(), |path| quoted(path.display())),
    },
    Setting {
        name: "drain_seconds",
        set: |c, v| v.integer(1..=600).map(|it| c.drain = Duration::from_secs(it)),
        show: |c| seconds(c.drain),
    },
    Setting {
        name: "status_reports",
        set: |c, v| v.boolean().map(|it| c.status_reports = it),
        show: |c| c.status_reports.to_string(),
    },
    Setting {
        name: "http.allowed_hosts",
        set: |c, v| v.list("host names", host).map(|it| c.http.allowed_hosts = it),
        show: |c| list(&c.http.allowed_hosts),
    },
    Setting {
        name: "http.trusted_proxies",
        set: |c, v| {
            v.list("addresses or ranges, as in \"10.0.0.0/8\"", |t| t.parse().ok())
                .map(|it| c.http.trusted_proxies = it)
        },
        show: |c| list(&c.http.trusted_proxies),
    },
    Setting {
        name: "http.plain_http",
        set: |c, v| v.boolean().map(|it| c.http.plain_http = it),
        show: |c| c.http.plain_http.to_string(),
    },
    Setting {
        name: "codes.min_length",
        set: |c, v| v.integer(4..=10).map(|it| c.codes.min_length = it as u8),
        show: |c| c.codes.min_length.to_string(),
    },
    Setting {
        name: "codes.max_ttl_seconds",
        set: |c, v| v.integer(30..=3600).map(|it| c.codes.max_ttl = Duration::from_secs(it)),
        show: |c| seconds(c.codes.max_ttl),
    },
    Setting {
        name: "messages.max_parts",
        set: |c, v| v.integer(1..=10).map(|it| c.messages.max_parts = it as u8),
        show: |c| c.messages.max_parts.to_string(),
    },
    Setting {
        name: "modem",
        set: |c, v| match v {
            Value::TableOfList => {
                c.modems.push(Modem::default());
                Ok(())
            }
            _ => Err("must be written as a table [[modem]], one for each".to_owned()),
        },
        show: |c| modems(&c.modems),
    },
    Setting {
        name: "modem.port",
        set: |c, v| {
            let port: PathBuf = v.absolute_path()?;
            if c.modems.iter().any(|m| m.port == port) {
                return Err(format!("{} is named twice", port.display()));
            }
            modem(c).map(|m| m.port = port)
        },
        show: |c| modems(&c.modems),
    },
    Setting {
        name: "modem.prompt_delay_ms",
        set: |c, v| {
            v.integer(0..=5000).and_then(|it| modem(c).map(|m| m.prompt_delay = Some(Duration::from_millis(it))))
        },
        show: |_| String::new(),
    },
    Setting {
        name: "modem.command_gap_ms",
        set: |c, v| {
            v.integer(0..=5000).and_then(|it| modem(c).map(|m| m.command_gap = Some(Duration::from_millis(it))))
        },
        show: |_| String::new(),
    },
];

/// A host name as it stands in `Host`, without a port.
fn host(text: &str) -> Option<String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    (!text.is_empty() && text.len() <= 253 && text.chars().all(fits)).then(|| text.to_ascii_lowercase())
}
