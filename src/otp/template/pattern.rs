//! The language of templates: text with places in braces.

use super::values::looks_like_link;
use std::fmt;

/// A template's text, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Code,
    Place(Place),
}

/// A place that something is put into; the code's is not among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The brand.
    Brand,
    /// How many minutes the code is good for.
    Minutes,
    /// How long it is good for, with the unit, as the language abbreviates it.
    Life,
    /// What the code is for.
    Purpose,
    /// What is paid.
    Amount,
    /// Who is paid.
    Payee,
}

impl Place {
    const ALL: [Self; 6] = [Self::Brand, Self::Minutes, Self::Life, Self::Purpose, Self::Amount, Self::Payee];

    /// Its name, as it stands in braces and in a request.
    pub fn name(self) -> &'static str {
        match self {
            Self::Brand => "brand",
            Self::Minutes => "minutes",
            Self::Life => "life",
            Self::Purpose => "purpose",
            Self::Amount => "amount",
            Self::Payee => "payee",
        }
    }
}

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PatternError {
    /// There is no such place.
    Unknown(String),
    /// A brace without its partner.
    Brace,
    /// The code is not in it.
    NoCode,
    /// The code is in it twice.
    CodeTwice,
    /// A line break, or another control character.
    Control,
    /// A mark that belongs to the lines for browsers and apps.
    Mark,
    /// It reads like a web address, itself or with what is put in.
    Link,
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => {
                write!(f, "there is no {{{name}}}; there are {{code}}")?;
                Place::ALL.iter().try_for_each(|place| write!(f, " {{{}}}", place.name()))
            }
            Self::Brace => f.write_str("a brace has no partner; places are written as {code}"),
            Self::NoCode => f.write_str("{code} is missing"),
            Self::CodeTwice => f.write_str("{code} is there twice"),
            Self::Control => f.write_str("it must be one line, without control characters"),
            Self::Mark => f.write_str(
                "@, # and <#> are not for templates; the line for a browser or an app is put in by form = \"webotp\" or \
                 \"retriever\"",
            ),
            Self::Link => f.write_str("something in it looks like a web address, which people learn not to follow"),
        }
    }
}

impl std::error::Error for PatternError {}

impl Pattern {
    /// Reads a template's text.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if text.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')) {
            return Err(PatternError::Control);
        }
        if text.contains(['@', '#']) {
            return Err(PatternError::Mark);
        }
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            let end = from.find('}').filter(|end| *end > 0).ok_or(PatternError::Brace)?;
            let name = &from[1..end];
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            pieces.push(match Place::ALL.into_iter().find(|place| place.name() == name) {
                Some(place) => Piece::Place(place),
                None if name == "code" => Piece::Code,
                None if name.contains('{') => return Err(PatternError::Brace),
                None => return Err(PatternError::Unknown(name.to_owned())),
            });
            rest = &from[end + 1..];
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        let pattern = Self(pieces);
        match pattern.0.iter().filter(|piece| **piece == Piece::Code).count() {
            0 => return Err(PatternError::NoCode),
            1 => {}
            _ => return Err(PatternError::CodeTwice),
        }
        let (before, after) = pattern.fill(|_| Some("aa".to_owned())).unwrap_or_default();
        if looks_like_link(&format!("{before}aa{after}")) { Err(PatternError::Link) } else { Ok(pattern) }
    }

    /// Whether this is put into it.
    pub fn has(&self, place: Place) -> bool {
        self.0.contains(&Piece::Place(place))
    }

    /// What stands before the code and what behind it. The error is what is missing.
    pub fn fill(&self, value: impl Fn(Place) -> Option<String>) -> Result<(String, String), Place> {
        let (mut before, mut after) = (String::new(), None);
        for piece in &self.0 {
            let text = after.as_mut().unwrap_or(&mut before);
            match piece {
                Piece::Code => after = Some(String::new()),
                Piece::Place(place) => text.push_str(&value(*place).ok_or(*place)?),
                // An abbreviation's dot ends the sentence, too.
                Piece::Text(words) if text.ends_with('.') => text.push_str(words.strip_prefix('.').unwrap_or(words)),
                Piece::Text(words) => text.push_str(words),
            }
        }
        Ok((before, after.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_that_are_templates_and_those_that_are_not() {
        let rows = [
            ("{code} is your {brand} code", Ok(())),
            ("{code}", Ok(())),
            ("{code} {brand} {minutes} {life} {purpose} {amount} {payee}", Ok(())),
            ("your code", Err("{code} is missing")),
            ("{code} {code}", Err("{code} is there twice")),
            (
                "{code} {brnd}",
                Err("there is no {brnd}; there are {code} {brand} {minutes} {life} {purpose} {amount} {payee}"),
            ),
            ("{code", Err("a brace has no partner; places are written as {code}")),
            ("code} {code}", Err("a brace has no partner; places are written as {code}")),
            ("{{code}}", Err("a brace has no partner; places are written as {code}")),
            ("{code}\nmore", Err("it must be one line, without control characters")),
            ("{code} at acme.com", Err("something in it looks like a web address, which people learn not to follow")),
            ("{code} {brand}.com", Err("something in it looks like a web address, which people learn not to follow")),
            ("{brand}.{code}", Err("something in it looks like a web address, which people learn not to follow")),
            ("{code} https://x", Err("something in it looks like a web address, which people learn not to follow")),
        ];
        for (text, expected) in rows {
            let read = Pattern::parse(text).map(|_| ()).map_err(|why| why.to_string());
            assert_eq!(read, expected.map_err(str::to_owned), "{text}");
        }
        assert_eq!(Pattern::parse("@a #{code}"), Err(PatternError::Mark));
    }

    #[test]
    fn a_dot_is_not_doubled() {
        let pattern = Pattern::parse("{code} for {brand}. Good for {life}.").unwrap();
        let filled = pattern.fill(|place| Some(if place == Place::Brand { "Acme Inc." } else { "5 min." }.to_owned()));
        assert_eq!(filled, Ok((String::new(), " for Acme Inc. Good for 5 min.".to_owned())));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,40}|[{}a-z @#.]{0,20}|(\\{code\\}|\\{brand\\}| x|\\{|\\}){0,6}") {
            if let Ok(pattern) = Pattern::parse(&text) {
                prop_assert!(pattern.fill(|_| Some("x".into())).is_ok());
                prop_assert_eq!(text.matches("{code}").count(), 1);
            }
        }
    }
}
