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

/// Prints JSON, indented.
pub(super) fn json(value: &Value) -> Result<(), Stop> {
    line(format!("{value:#}"))
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

/// A field of an answer as text for people; `-` where there is none. Control characters are shown as dots, since what is
/// printed may have come from a stranger's telephone.
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

fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '·' } else { c }).collect()
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
}
