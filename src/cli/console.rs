//! What is printed: answers to standard output, everything else to standard error.

use super::Stop;
use serde_json::Value;
use std::io::{self, ErrorKind, Write};

/// Prints a text as it is.
pub(super) fn print(text: &str) -> Result<(), Stop> {
    write_out(text.as_bytes())
}

/// Prints a line.
pub(super) fn line(text: impl AsRef<str>) -> Result<(), Stop> {
    write_out(format!("{}\n", text.as_ref()).as_bytes())
}

/// Prints JSON, indented. Characters that a terminal obeys stand in it as escapes, which mean the same to a program.
pub(super) fn json(value: &Value) -> Result<(), Stop> {
    let escaped = |c: char| if c == '\n' || !deceives(c) { c.to_string() } else { format!("\\u{:04x}", u32::from(c)) };
    line(format!("{value:#}").chars().map(escaped).collect::<String>())
}

/// Prints bytes as they are.
pub(super) fn write_out(bytes: &[u8]) -> Result<(), Stop> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Stop::PipeClosed,
        _ => Stop::Failed(format!("can't write to standard output: {error}")),
    })
}

/// Says what went wrong. If even that can't be written, the exit code must do.
pub(super) fn complain(text: &str) {
    let _ = writeln!(io::stderr().lock(), "otpgate: {text}");
}

/// Prints rows under a heading, each column as wide as its widest cell.
pub(super) fn table<const N: usize>(heading: [&str; N], rows: &[[String; N]]) -> Result<(), Stop> {
    let heading = heading.map(str::to_owned);
    let all: Vec<&[String; N]> = std::iter::once(&heading).chain(rows).collect();
    let widths: Vec<usize> =
        (0..N).map(|column| all.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)).collect();
    let mut text = String::new();
    for row in all {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    print(&text)
}

/// A field of an answer as text for people, made [`clean`]; `-` where there is none.
pub(super) fn cell(value: &Value, field: &str) -> String {
    match value.pointer(&format!("/{}", field.replace('.', "/"))) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => clean(text),
        Some(Value::Array(items)) if items.is_empty() => "-".to_owned(),
        Some(Value::Array(items)) => items
            .iter()
            .map(|item| item.as_str().map_or_else(|| item.to_string(), clean))
            .collect::<Vec<_>>()
            .join(", "),
        Some(other) => other.to_string(),
    }
}

/// The items of a list's answer.
pub(super) fn items(answer: &Value) -> &[Value] {
    answer.get("items").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A text as it is safe to print: characters that a terminal obeys are shown as dots, since what is printed may have come
/// from a stranger's telephone, or from a stranger's server.
pub(super) fn clean(text: &str) -> String {
    text.chars().map(|c| if deceives(c) { '·' } else { c }).collect()
}

/// Control characters, and what breaks a line or makes a text read otherwise than it is written.
fn deceives(c: char) -> bool {
    let line_ends = '\u{2028}'..='\u{2029}';
    let directions = ['\u{61c}'..='\u{61c}', '\u{200e}'..='\u{200f}', '\u{202a}'..='\u{202e}', '\u{2066}'..='\u{2069}'];
    c.is_control() || line_ends.contains(&c) || directions.iter().any(|range| range.contains(&c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn cells_are_safe_to_print() {
        let value = json!({"a": "x\u{1b}[2Jy\nz", "b": null, "c": ["p", "q"], "d": {"e": 5}, "f": [], "g": true});
        for (field, expected) in
            [("a", "x·[2Jy·z"), ("b", "-"), ("c", "p, q"), ("d.e", "5"), ("f", "-"), ("g", "true"), ("zz", "-")]
        {
            assert_eq!(cell(&value, field), expected, "{field}");
        }
    }

    #[test]
    fn what_turns_a_text_around_is_masked() {
        let text = "a\u{202e}b\u{2066}c\u{2069}d\u{200f}e\u{61c}f\u{2028}g\u{9b}h\u{7f}i";
        assert_eq!(clean(text), "a·b·c·d·e·f·g·h·i");
        // Letters of scripts that run from right to left are none of that, nor is what joins them.
        assert_eq!(clean("שלום \u{200d}é"), "שלום \u{200d}é");
    }
}
