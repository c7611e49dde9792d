//! The published tables, as they lie.

/// The rows behind the heading. Quoted fields hold no line breaks in these files.
pub(crate) fn rows(text: &str) -> Vec<Vec<String>> {
    text.lines().skip(1).map(fields).collect()
}

fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut quoted) = (vec![String::new()], false);
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            c => fields.last_mut().unwrap().push(c),
        }
    }
    fields
}
