//! `[guard]` and `[guard.rules]`: rows of the table of settings.

use super::settings::Setting;
use super::source::Value;
use crate::domain::country::Country;
use crate::domain::guard::Rule;
use crate::domain::mode::Mode;
use crate::domain::number_kind::NumberKind;
use std::time::Duration;

/// A number within bounds.
macro_rules! count {
    ($name:literal, $field:ident, $bounds:expr) => {
        Setting {
            name: concat!("guard.", $name),
            set: |c, v| v.integer($bounds).map(|it| c.guard.$field = it as u32),
            show: |c| c.guard.$field.to_string(),
        }
    };
}

/// What an API key may send that has no limit of its own.
macro_rules! per_key {
    ($name:literal, $field:ident) => {
        Setting {
            name: concat!("guard.", $name),
            set: |c, v| v.integer(1..=1_000_000).map(|it| c.guard.per_key.$field = Some(it as u32)),
            show: |c| c.guard.per_key.$field.map_or_else(|| "not set".to_owned(), |it| it.to_string()),
        }
    };
}

/// A rule's own mode.
macro_rules! rule {
    ($name:literal, $rule:ident) => {
        Setting {
            name: concat!("guard.rules.", $name),
            set: |c, v| {
                c.guard.modes.insert(Rule::$rule, mode(v)?);
                Ok(())
            },
            show: |c| format!("\"{}\"", c.guard.mode_of(Rule::$rule).as_str()),
        }
    };
}

// Marks in a record, and so the largest limits of what is counted by the mark: see `otp/guard/ledger.rs`.
const MOST: u64 = 100;

pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        name: "guard.mode",
        set: |c, v| mode(v).map(|it| c.guard.mode = it),
        show: |c| format!("\"{}\"", c.guard.mode.as_str()),
    },
    Setting {
        name: "guard.countries",
        set: |c, v| {
            let countries = v.list("countries, as in [\"US\", \"CA\"]", |text| Country::parse(text).ok())?;
            c.guard.countries = countries.into_iter().collect();
            Ok(())
        },
        show: |c| words(c.guard.countries.iter().map(Country::as_str)),
    },
    Setting {
        name: "guard.number_types",
        set: |c, v| {
            let all = NumberKind::ALL.map(NumberKind::as_str).join(", ");
            let kinds = v.list(&format!("types of numbers: {all}"), NumberKind::parse)?;
            c.guard.number_types = kinds.into_iter().collect();
            Ok(())
        },
        show: |c| words(c.guard.number_types.iter().map(|kind| kind.as_str())),
    },
    count!("per_number_10_minutes", per_number_ten_minutes, 1..=MOST),
    count!("per_number_day", per_number_day, 1..=MOST),
    Setting {
        name: "guard.resend_wait_seconds",
        set: |c, v| v.integer(0..=600).map(|it| c.guard.resend_wait = Duration::from_secs(it)),
        show: |c| c.guard.resend_wait.as_secs().to_string(),
    },
    // More than a hundred in a row NIST SP 800-63B-4 §3.2.2 does not allow.
    count!("failed_checks", failed_checks, 1..=MOST),
    count!("failed_checks_everywhere", failed_checks_everywhere, 1..=MOST),
    count!("per_caller_key_10_minutes", per_caller_key_ten_minutes, 1..=MOST),
    count!("per_caller_key_hour", per_caller_key_hour, 1..=MOST),
    count!("per_prefix_hour", per_prefix_hour, 1..=MOST),
    count!("conversion_percent", conversion_percent, 1..=100),
    count!("conversion_after", conversion_after, 5..=1_000_000),
    per_key!("per_key_minute", per_minute),
    per_key!("per_key_hour", per_hour),
    per_key!("per_key_day", per_day),
    count!("max_queued", max_queued, 1..=1_000_000),
    rule!("country", Country),
    rule!("number_type", NumberType),
    rule!("number_sends", NumberSends),
    rule!("resend_wait", ResendWait),
    rule!("failed_checks", FailedChecks),
    rule!("failed_checks_everywhere", FailedChecksEverywhere),
    rule!("caller_keys", CallerKeys),
    rule!("prefix", Prefix),
    rule!("conversion", Conversion),
    rule!("key_limits", KeyLimits),
    rule!("in_time", InTime),
    rule!("queue", Queue),
];

fn mode(value: &Value) -> Result<Mode, String> {
    let mode = value.text().ok().and_then(Mode::parse);
    mode.ok_or_else(|| "must be \"enforce\", \"shadow\" or \"off\"".to_owned())
}

fn words<'a>(words: impl Iterator<Item = &'a str>) -> String {
    format!("[{}]", words.map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", "))
}
