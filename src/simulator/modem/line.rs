//! Command lines, taken apart (V.250 §5).

/// One command of a line, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Command {
    /// `+CMGS`, `&C`, `E`, `S3`: upper case.
    pub(super) name: String,
    pub(super) form: Form,
}

/// How a command is used (V.250 §5.4.3, §5.4.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `+NAME`, or a basic command without a number.
    Run,
    /// `+NAME?`
    Read,
    /// `+NAME=?`
    Test,
    /// `+NAME=…`, or the number of a basic command.
    Set(String),
}

impl Command {
    /// The values of `+NAME=1,,"x"`, without quotes.
    pub(super) fn values(&self) -> Vec<&str> {
        match &self.form {
            Form::Set(text) => fields(text),
            _ => Vec::new(),
        }
    }
}

/// Splits a command line after its `AT`.
pub(super) fn split(line: &str) -> Vec<Command> {
    let mut rest = line.trim_start_matches([' ', ';']);
    let mut list = Vec::new();
    while let Some(first) = rest.chars().next() {
        let (name, form, next) = if first.is_ascii_alphanumeric() || first == '&' {
            split_basic(rest)
        } else {
            let end = unquoted(rest, ';').unwrap_or(rest.len());
            let (name, form) = split_extended(&rest[..end]);
            (name, form, &rest[end..])
        };
        list.push(Command { name: name.to_ascii_uppercase(), form });
        rest = next.trim_start_matches([' ', ';']);
    }
    list
}

/// `+NAME`, then nothing, `?`, `=?` or `=…`.
fn split_extended(text: &str) -> (&str, Form) {
    let at = text.find(['=', '?']).unwrap_or(text.len());
    let form = match &text[at..] {
        "" => Form::Run,
        "=?" => Form::Test,
        tail => match tail.strip_prefix('=') {
            Some(values) => Form::Set(values.into()),
            None => Form::Read,
        },
    };
    (text[..at].trim(), form)
}

/// A letter (with `&` or, for `S`, a number before the value), then a number. Dialling takes the rest of the line.
fn split_basic(text: &str) -> (&str, Form, &str) {
    let digits = |from: usize| text[from..].find(|c: char| !c.is_ascii_digit()).map_or(text.len(), |n| from + n);
    let letter = if text.starts_with('&') { 1 } else { 0 };
    // A lone `&` before another script's letter is a command of its own, and an unknown one.
    let name = letter + text[letter..].chars().next().filter(char::is_ascii).map_or(0, |_| 1);
    if text[..name].eq_ignore_ascii_case("D") {
        return (&text[..1], Form::Set(text[1..].into()), "");
    }
    if text[..name].eq_ignore_ascii_case("S") {
        let end = digits(name);
        let (tail, form) = match text[end..].strip_prefix('=') {
            Some(value) if value.starts_with('?') => (end + 2, Form::Test),
            Some(_) => (digits(end + 1), Form::Set(text[end + 1..digits(end + 1)].into())),
            None if text[end..].starts_with('?') => (end + 1, Form::Read),
            None => (end, Form::Run),
        };
        return (&text[..end], form, &text[tail..]);
    }
    let end = digits(name);
    let form = if end == name { Form::Run } else { Form::Set(text[name..end].into()) };
    (&text[..name], form, &text[end..])
}

/// Where `wanted` first stands outside quotes.
fn unquoted(text: &str, wanted: char) -> Option<usize> {
    let mut quoted = false;
    text.char_indices()
        .find(|(_, c)| {
            quoted ^= *c == '"';
            !quoted && *c == wanted
        })
        .map(|(i, _)| i)
}

/// Fields between commas, trimmed, without their quotes.
fn fields(text: &str) -> Vec<&str> {
    let mut list = Vec::new();
    let mut rest = text;
    loop {
        let end = unquoted(rest, ',').unwrap_or(rest.len());
        list.push(rest[..end].trim().trim_matches('"'));
        match rest.get(end + 1..) {
            Some(next) => rest = next,
            None => return list,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_split_into_commands() {
        let set = |t: &str| Form::Set(t.into());
        let rows: &[(&str, &[(&str, Form)])] = &[
            ("", &[]),
            ("E0", &[("E", set("0"))]),
            ("E0V1&D0&C", &[("E", set("0")), ("V", set("1")), ("&D", set("0")), ("&C", Form::Run)]),
            ("+cmgf=0;+CSQ;+CREG?", &[("+CMGF", set("0")), ("+CSQ", Form::Run), ("+CREG", Form::Read)]),
            ("E0+CMEE=1", &[("E", set("0")), ("+CMEE", set("1"))]),
            ("+CNMI=?", &[("+CNMI", Form::Test)]),
            ("+CUSD=1,\"*100;#\",15;H", &[("+CUSD", set("1,\"*100;#\",15")), ("H", Form::Run)]),
            ("S3=13S4?", &[("S3", set("13")), ("S4", Form::Read)]),
            ("D*99#;+CSQ", &[("D", set("*99#;+CSQ"))]),
            ("^SYSCFG?", &[("^SYSCFG", Form::Read)]),
            (" ; I", &[("I", Form::Run)]),
            ("&é", &[("&", Form::Run), ("É", Form::Run)]),
        ];
        for (line, expected) in rows {
            let got: Vec<(String, Form)> = split(line).into_iter().map(|c| (c.name.to_uppercase(), c.form)).collect();
            let expected: Vec<(String, Form)> = expected.iter().map(|(n, f)| (n.to_string(), f.clone())).collect();
            assert_eq!(got, expected, "{line}");
        }
    }

    #[test]
    fn values() {
        let command = &split("+CPMS=\"ME\", ,\"a,b\",")[0];
        assert_eq!(command.values(), ["ME", "", "a,b", ""]);
    }
}
