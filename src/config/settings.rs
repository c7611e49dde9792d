//! The table of settings: one row each.

use super::guard;
use super::route::{self, Route};
use super::sim_card::{self, SimCardConfig};
use super::source::{Value, nearest};
use super::{Config, Mode, Modem, texts};
use crate::domain::amount::Amount;
use crate::domain::country::Country;
use crate::domain::equipment::SimCard;
use crate::domain::inbound::OptOutCovers;
use crate::domain::msisdn::Msisdn;
use crate::domain::verification::CodeAlphabet;
use crate::otp::template::{Brand, EmbeddedMark, Form};
use jiff::tz::TimeZone;
use std::path::PathBuf;
use std::time::Duration;

pub(super) struct Setting {
    /// As in the file, with its table: `http.plain_http`.
    pub(super) name: &'static str,
    pub(super) set: fn(&mut Config, &Value) -> Result<(), String>,
    /// As it would stand in the file.
    pub(super) show: fn(&Config) -> String,
}

/// A setting that is a list of tables: `[[modem]]`. Each has this key before all others: what the table is about.
pub(super) struct TableList {
    pub(super) name: &'static str,
    pub(super) key: &'static str,
    pub(super) example: &'static str,
    /// What to do instead of naming it in the environment.
    pub(super) instead: &'static str,
}

pub(super) const TABLE_LISTS: &[TableList] = &[
    TableList {
        name: "modem",
        key: "port",
        example: "/dev/serial/by-id/…",
        instead: "a modem can't be named in the environment; give --modem /dev/serial/by-id/…, or write [[modem]] with \
                  its port into otpgate.toml",
    },
    TableList {
        name: "sim_card",
        key: "iccid",
        example: "89…",
        instead: "a SIM card can't be named in the environment; write [[sim_card]] with its iccid into otpgate.toml",
    },
    TableList {
        name: "route",
        key: "prefix",
        example: "+4915",
        instead: "a route can't be named in the environment; write [[route]] with its prefix into otpgate.toml",
    },
    TableList {
        name: "template",
        key: "name",
        example: "login",
        instead: "a template can't be written in the environment; write [[template]] with its name into otpgate.toml",
    },
    TableList {
        name: "purpose",
        key: "name",
        example: "log-in",
        instead: "a purpose can't be named in the environment; write [[purpose]] with its name into otpgate.toml",
    },
];

/// The list of tables that has this name.
pub(super) fn table_list(name: &str) -> Option<&'static TableList> {
    TABLE_LISTS.iter().find(|list| list.name == name)
}

/// Whether a setting takes a table whose names are languages.
pub(super) fn takes_names(name: &str) -> bool {
    matches!(name, "template.text" | "purpose.words")
}

/// The settings' names, for people: those of a modem stand as one.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    let in_list = |name: &str| name.split_once('.').is_some_and(|(table, _)| table_list(table).is_some());
    all_names().filter(move |name| !in_list(name))
}

/// Every name in the file.
pub(super) fn all_names() -> impl Iterator<Item = &'static str> {
    all().map(|setting| setting.name)
}

/// Sets one. Answers with the name to remember the origin under, if it is one that [`names`] has.
pub(super) fn set(config: &mut Config, name: &str, value: &Value) -> Result<Option<&'static str>, String> {
    let Some(setting) = all().find(|setting| setting.name == name) else {
        return Err(unknown(name));
    };
    (setting.set)(config, value).map_err(|why| format!("{name} {why}"))?;
    Ok(names().find(|known| *known == setting.name))
}

/// One setting's value, as it would stand in the file.
pub(super) fn show(config: &Config, name: &str) -> String {
    all().find(|setting| setting.name == name).map_or_else(String::new, |setting| (setting.show)(config))
}

/// The environment's name for a setting. A list of modems has none.
pub(super) fn variable(name: &str) -> String {
    format!("OTPGATE_{}", name.replace('.', "_").to_ascii_uppercase())
}

/// The setting that a variable of the environment means.
pub(super) fn by_variable(variable_name: &str) -> Option<&'static str> {
    names().filter(|name| table_list(name).is_none()).find(|name| variable(name) == variable_name)
}

fn unknown(name: &str) -> String {
    // `modem.prot` is looked for among the modem's own keys; a key in the wrong table, everywhere.
    let all = all().map(|setting| setting.name);
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

/// The SIM card whose table is being read: its `iccid` came first.
fn card(config: &mut Config) -> Result<&mut SimCardConfig, String> {
    config.sim_cards.last_mut().ok_or_else(|| "must stand in a table [[sim_card]]".to_owned())
}

/// The route whose table is being read: its `prefix` came first.
fn route(config: &mut Config) -> Result<&mut Route, String> {
    config.routes.last_mut().ok_or_else(|| "must stand in a table [[route]]".to_owned())
}

/// A phone number. What is wrong with one that is none is said without it.
fn number(value: &Value) -> Result<Msisdn, String> {
    Msisdn::parse(value.text()?).map_err(|why| format!("is no phone number: {why}"))
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

/// A limit, for all SIM cards and for one.
macro_rules! limit {
    ($name:literal, $field:ident, $read:expr, $show:expr) => {
        [
            Setting {
                name: concat!("sim_limits.", $name),
                set: |c, v| {
                    let read: fn(&Value) -> Result<_, String> = $read;
                    read(v).map(|it| c.sim_limits.limits.$field = Some(it))
                },
                show: |c| {
                    let show: fn(&_) -> String = $show;
                    c.sim_limits.limits.$field.as_ref().map_or_else(|| "not set".to_owned(), show)
                },
            },
            Setting {
                name: concat!("sim_card.limits.", $name),
                set: |c, v| {
                    let read: fn(&Value) -> Result<_, String> = $read;
                    read(v).and_then(|it| card(c).map(|card| card.limits.$field = Some(it)))
                },
                show: |_| String::new(),
            },
        ]
    };
}

fn count(value: &Value) -> Result<u32, String> {
    value.integer(1..=1_000_000).map(|it| it as u32)
}

const LIMITS: &[[Setting; 2]] = &[
    limit!("spacing_seconds", spacing, |v| v.integer(0..=3600).map(Duration::from_secs), |it| seconds(*it)),
    limit!("per_minute", per_minute, count, u32::to_string),
    limit!("per_hour", per_hour, count, u32::to_string),
    limit!("per_day", per_day, count, u32::to_string),
    limit!("per_day_when_new", per_day_when_new, count, u32::to_string),
    limit!("per_month", per_month, count, u32::to_string),
    limit!("recipients_per_day", recipients_per_day, count, u32::to_string),
    limit!("billing_day", billing_day, |v| v.integer(1..=31).map(|it| it as u8), u8::to_string),
    limit!("time_zone", time_zone, |v| sim_card::time_zone(v.text()?), |it: &TimeZone| {
        quoted(it.iana_name().unwrap_or_default())
    }),
];

fn all() -> impl Iterator<Item = &'static Setting> + Clone {
    SETTINGS.iter().chain(guard::SETTINGS).chain(LIMITS.iter().flatten())
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
        name: "codes.alphabet",
        set: |c, v| texts::word(v, &CodeAlphabet::WORDS).map(|it| c.codes.alphabet = it),
        show: |c| quoted(c.codes.alphabet.as_str()),
    },
    Setting {
        name: "webotp.embedded_mark",
        set: |c, v| {
            texts::word(v, &[("@", EmbeddedMark::At), ("%", EmbeddedMark::Percent)])
                .map(|it| c.templates.embedded_mark = it)
        },
        show: |c| quoted(c.templates.embedded_mark.as_char()),
    },
    Setting {
        name: "template",
        set: |c, v| match v {
            Value::TableOfList => {
                c.templates.templates.push(texts::empty());
                Ok(())
            }
            _ => Err("must be written as a table [[template]], one for each".to_owned()),
        },
        show: |c| list(&c.templates.templates.iter().map(|template| &template.name).collect::<Vec<_>>()),
    },
    Setting {
        name: "template.name",
        set: |c, v| {
            let name = texts::template_name(v.text()?)?;
            if c.templates.template(&name).is_some() {
                return Err(format!("{name} is named twice"));
            }
            texts::template(c).map(|template| template.name = name)
        },
        show: |_| String::new(),
    },
    Setting {
        name: "template.brand",
        set: |c, v| {
            let brand = Brand::parse(v.text()?).map_err(|why| format!("can't be shown: {why}"))?;
            texts::template(c).map(|template| template.brand = Some(brand))
        },
        show: |_| String::new(),
    },
    Setting {
        name: "template.form",
        set: |c, v| {
            let form = texts::word(v, &Form::WORDS)?;
            texts::template(c).map(|template| template.form = form)
        },
        show: |_| String::new(),
    },
    Setting {
        name: "template.text",
        set: |c, v| {
            let texts = texts::by_language(v, texts::patterns)?;
            texts::template(c).map(|template| template.texts = texts)
        },
        show: |_| String::new(),
    },
    Setting {
        name: "purpose",
        set: |c, v| match v {
            Value::TableOfList => {
                c.templates.purposes.push(Default::default());
                Ok(())
            }
            _ => Err("must be written as a table [[purpose]], one for each".to_owned()),
        },
        show: |c| list(&c.templates.purposes.iter().map(|(name, _)| name).collect::<Vec<_>>()),
    },
    Setting {
        name: "purpose.name",
        set: |c, v| {
            let name = texts::purpose_name(v.text()?)?;
            if c.templates.purposes.iter().any(|(known, _)| *known == name) {
                return Err(format!("{name} is named twice"));
            }
            texts::purpose(c).map(|purpose| purpose.0 = name)
        },
        show: |_| String::new(),
    },
    Setting {
        name: "purpose.words",
        set: |c, v| {
            let words = texts::by_language(v, texts::words)?;
            texts::purpose(c).map(|purpose| purpose.1 = words)
        },
        show: |_| String::new(),
    },
    Setting {
        name: "messages.max_parts",
        set: |c, v| v.integer(1..=10).map(|it| c.messages.max_parts = it as u8),
        show: |c| c.messages.max_parts.to_string(),
    },
    Setting {
        name: "dialects.myotp",
        set: |c, v| v.boolean().map(|it| c.dialects.myotp = it),
        show: |c| c.dialects.myotp.to_string(),
    },
    Setting {
        name: "dialects.operator_email",
        set: |c, v| {
            let text = v.text()?;
            let fits = text.len() <= 254 && text.contains('@') && !text.chars().any(|c| c.is_control() || c == ' ');
            fits.then(|| c.dialects.operator_email = text.to_owned()).ok_or("must be an address of e-mail".to_owned())
        },
        show: |c| quoted(&c.dialects.operator_email),
    },
    Setting {
        name: "dialects.price_per_sms",
        set: |c, v| {
            let amount = Amount::parse(v.text()?).filter(|amount| *amount >= Amount::default());
            c.dialects.price_per_sms = amount.ok_or("must be an amount in quotes, as in \"0.05\"")?;
            Ok(())
        },
        show: |c| quoted(c.dialects.price_per_sms),
    },
    Setting {
        name: "inbound.keep_days",
        set: |c, v| v.integer(1..=365).map(|it| c.inbound.keep = Duration::from_secs(it * DAY)),
        show: |c| (c.inbound.keep.as_secs() / DAY).to_string(),
    },
    Setting {
        name: "inbound.stop_words",
        set: |c, v| v.list(WORDS, word).map(|it| c.inbound.stop_words = it),
        show: |c| list(&c.inbound.stop_words),
    },
    Setting {
        name: "inbound.start_words",
        set: |c, v| v.list(WORDS, word).map(|it| c.inbound.start_words = it),
        show: |c| list(&c.inbound.start_words),
    },
    Setting {
        name: "inbound.opt_out_covers",
        set: |c, v| {
            let covers = OptOutCovers::parse(v.text()?);
            covers.ok_or_else(|| "must be \"all\" or \"messages\"".to_owned()).map(|it| c.inbound.covers = it)
        },
        show: |c| quoted(c.inbound.covers.as_str()),
    },
    Setting {
        name: "inbound.stop_reply",
        set: |c, v| reply(v.text()?).map(|it| c.inbound.stop_reply = it),
        show: |c| quoted(c.inbound.stop_reply.as_deref().unwrap_or_default()),
    },
    Setting {
        name: "inbound.help_reply",
        set: |c, v| reply(v.text()?).map(|it| c.inbound.help_reply = it),
        show: |c| quoted(c.inbound.help_reply.as_deref().unwrap_or_default()),
    },
    Setting {
        name: "webhook.allow_targets",
        set: |c, v| {
            v.list("addresses or ranges, as in \"10.0.0.0/8\"", |t| t.parse().ok())
                .map(|it| c.webhook.allow_targets = it)
        },
        show: |c| list(&c.webhook.allow_targets),
    },
    Setting {
        name: "webhook.ca_file",
        set: |c, v| v.absolute_path().map(|it| c.webhook.ca_file = Some(it)),
        show: |c| c.webhook.ca_file.as_ref().map_or_else(|| "not set".to_owned(), |path| quoted(path.display())),
    },
    Setting {
        name: "retention.audit_days",
        set: |c, v| v.integer(1..=3650).map(|it| c.retention.audit = Duration::from_secs(it * DAY)),
        show: |c| (c.retention.audit.as_secs() / DAY).to_string(),
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
    Setting {
        name: "sim_limits.mode",
        set: |c, v| {
            let mode = v.text().ok().and_then(Mode::parse);
            mode.ok_or_else(|| "must be \"enforce\", \"shadow\" or \"off\"".to_owned())
                .map(|it| c.sim_limits.mode = Some(it))
        },
        show: |c| quoted(c.sim_limits.mode.unwrap_or(Mode::Enforce).as_str()),
    },
    Setting {
        name: "canary.every_hours",
        set: |c, v| v.integer(1..=168).map(|it| c.canary.every = Some(Duration::from_secs(it * HOUR))),
        show: |c| c.canary.every.map_or_else(|| "not set".to_owned(), |every| (every.as_secs() / HOUR).to_string()),
    },
    Setting {
        name: "canary.within_minutes",
        // Sent and come back before the next one is due.
        set: |c, v| v.integer(1..=30).map(|it| c.canary.within = Duration::from_secs(it * MINUTE)),
        show: |c| (c.canary.within.as_secs() / MINUTE).to_string(),
    },
    Setting {
        name: "sim_card",
        set: |c, v| match v {
            Value::TableOfList => {
                c.sim_cards.push(SimCardConfig::new(SimCard::new("")));
                Ok(())
            }
            _ => Err("must be written as a table [[sim_card]], one for each".to_owned()),
        },
        show: |c| list(&c.sim_cards.iter().map(|card| &card.iccid).collect::<Vec<_>>()),
    },
    Setting {
        name: "sim_card.iccid",
        set: |c, v| {
            let iccid = sim_card::card(v.text()?)?;
            if c.sim_cards.iter().any(|card| card.iccid == iccid) {
                return Err(format!("{iccid} is named twice"));
            }
            card(c).map(|card| card.iccid = iccid)
        },
        show: |_| String::new(),
    },
    Setting {
        name: "sim_card.number",
        set: |c, v| number(v).and_then(|it| card(c).map(|card| card.number = Some(it))),
        show: |_| String::new(),
    },
    Setting {
        name: "sim_card.pin_file",
        set: |c, v| v.absolute_path().and_then(|it| card(c).map(|card| card.pin_file = Some(it))),
        show: |_| String::new(),
    },
    Setting {
        name: "sim_card.smsc",
        set: |c, v| number(v).and_then(|it| card(c).map(|card| card.smsc = Some(it))),
        show: |_| String::new(),
    },
    Setting {
        name: "sim_card.ussd",
        set: |c, v| {
            let code = sim_card::ussd(v.text()?).ok_or("must be a code as one dials it, as in \"*100#\"")?;
            card(c).map(|card| card.ussd = Some(code))
        },
        show: |_| String::new(),
    },
    Setting {
        name: "sim_card.ussd_pattern",
        set: |c, v| {
            let pattern = v.text()?.to_owned();
            sim_card::balance_pattern(&pattern)?;
            card(c).map(|card| card.ussd_pattern = Some(pattern))
        },
        show: |_| String::new(),
    },
    Setting {
        name: "sim_card.low_balance",
        set: |c, v| {
            let amount = Amount::parse(v.text()?).ok_or("must be an amount in quotes, as in \"5.00\"")?;
            card(c).map(|card| card.low_balance = Some(amount))
        },
        show: |_| String::new(),
    },
    Setting {
        name: "sim_card.allow_roaming",
        set: |c, v| v.boolean().and_then(|it| card(c).map(|card| card.allow_roaming = it)),
        show: |_| String::new(),
    },
    Setting {
        name: "sim_card.plan_allows_automated_sms",
        set: |c, v| v.boolean().and_then(|it| card(c).map(|card| card.plan_allows_automated_sms = Some(it))),
        show: |_| String::new(),
    },
    Setting {
        name: "route",
        set: |c, v| match v {
            Value::TableOfList => {
                c.routes.push(Route::default());
                Ok(())
            }
            _ => Err("must be written as a table [[route]], one for each".to_owned()),
        },
        show: |c| list(&c.routes.iter().map(|route| &route.prefix).collect::<Vec<_>>()),
    },
    Setting {
        name: "route.prefix",
        set: |c, v| {
            let prefix = route::prefix(v.text()?)?;
            if c.routes.iter().any(|route| route.prefix == prefix) {
                return Err(format!("{prefix} is named twice"));
            }
            route(c).map(|route| route.prefix = prefix)
        },
        show: |_| String::new(),
    },
    Setting {
        name: "route.sim_cards",
        set: |c, v| {
            let cards = v.list("numbers of SIM cards (ICCID)", |text| sim_card::card(text).ok())?;
            route(c).map(|route| route.sim_cards = cards)
        },
        show: |_| String::new(),
    },
    Setting {
        name: "route.operator",
        set: |c, v| {
            let name = v.text()?.to_owned();
            route(c).map(|route| route.operator = Some(name))
        },
        show: |_| String::new(),
    },
    Setting {
        name: "route.strict",
        set: |c, v| v.boolean().and_then(|it| route(c).map(|route| route.strict = it)),
        show: |_| String::new(),
    },
];

/// A word, or a few, that a whole text may be.
fn word(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty() && text.chars().count() <= 40).then(|| text.to_owned())
}

/// What is answered to a word; nothing, if it is empty.
fn reply(text: &str) -> Result<Option<String>, String> {
    if text.chars().count() > 160 || text.chars().any(char::is_control) {
        return Err("must be at most 160 characters on one line".to_owned());
    }
    Ok(Some(text.to_owned()).filter(|text| !text.is_empty()))
}

const WORDS: &str = "words of at most 40 characters, as in [\"STOP\"]";
const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A host name as it stands in `Host`, without a port.
fn host(text: &str) -> Option<String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    (!text.is_empty() && text.len() <= 253 && text.chars().all(fits)).then(|| text.to_ascii_lowercase())
}
