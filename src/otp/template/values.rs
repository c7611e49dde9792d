//! What a request may have put into a text. Whatever it is, it stays on its line, is no link, and can't be taken for the
//! line that a browser or an app looks for.

use super::brand::{Brand, BrandError};
use std::fmt;

/// Why a value can't stand in a text. Holds no part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValueError(&'static str);

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for ValueError {}

/// An amount as the text shows it: at most 20 of digits, letters, currency signs, spaces and `.,'-`, with a digit.
pub fn amount(text: &str) -> Result<String, ValueError> {
    let fits = |c: char| c.is_alphanumeric() || is_currency(c) || " .,'-".contains(c);
    if text.encode_utf16().count() > MAX_AMOUNT
        || !text.chars().all(fits)
        || !text.contains(|c: char| c.is_ascii_digit())
    {
        return Err(ValueError(
            "an amount has 1 to 20 digits, letters, currency signs, spaces and . , ' -, and at least one digit 0-9",
        ));
    }
    plain(text)
}

/// Who is paid: as a brand.
pub fn payee(text: &str) -> Result<String, ValueError> {
    words(text, "a payee has 1 to 32 letters, digits, spaces and . & ' -")
}

/// What a purpose is called: as a brand.
pub fn purpose_words(text: &str) -> Result<String, ValueError> {
    words(text, "the words for a purpose are 1 to 32 letters, digits, spaces and . & ' -")
}

fn words(text: &str, what: &'static str) -> Result<String, ValueError> {
    match Brand::parse(text) {
        Ok(name) => Ok(name.as_str().to_owned()),
        Err(BrandError::LooksLikeLink) => Err(LINK),
        Err(BrandError::OuterSpace) => Err(OUTER_SPACE),
        Err(_) => Err(ValueError(what)),
    }
}

fn plain(text: &str) -> Result<String, ValueError> {
    if text.trim() != text {
        return Err(OUTER_SPACE);
    }
    if looks_like_link(text) { Err(LINK) } else { Ok(text.to_owned()) }
}

/// A host as a browser compares it: a domain name in ASCII, in small letters.
pub fn host(text: &str) -> Result<String, ValueError> {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let named = text.rsplit('.').next().is_some_and(|last| last.bytes().any(|b| b.is_ascii_lowercase()));
    if text.len() <= MAX_HOST && text.contains('.') && named && text.split('.').all(label) {
        Ok(text.to_owned())
    } else {
        Err(ValueError("give a domain name as in example.com: small letters, digits and hyphens, at most 64, no port"))
    }
}

/// The hash of an Android app: 11 characters of base64.
pub fn app(text: &str) -> Result<String, ValueError> {
    if text.len() == APP_HASH && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/') {
        Ok(text.to_owned())
    } else {
        Err(ValueError("give the app's hash: 11 characters of A-Z, a-z, 0-9, + and /"))
    }
}

/// What a name may consist of.
pub(super) fn is_word_character(c: char) -> bool {
    c.is_alphanumeric() || " .&'-".contains(c)
}

/// A dot with two or more letters or digits behind it, the first a letter, is what phones underline; so are four numbers with
/// dots between them, and what begins as an address does.
pub(super) fn looks_like_link(text: &str) -> bool {
    let lower = text.to_lowercase();
    if lower.contains("://") || lower.contains("www.") {
        return true;
    }
    let is_name = |label: &str| {
        let mut chars = label.chars().take_while(|c| c.is_alphanumeric());
        chars.next().is_some_and(char::is_alphabetic) && chars.next().is_some()
    };
    // A dot behind a space ends nothing, and begins no domain.
    let named =
        text.match_indices('.').any(|(at, _)| text[..at].ends_with(char::is_alphanumeric) && is_name(&text[at + 1..]));
    let quads = text.split(|c: char| !c.is_ascii_digit() && c != '.');
    named || quads.into_iter().any(|quad| quad.split('.').filter(|part| !part.is_empty()).count() >= 4)
}

/// The signs of Unicode's category Sc that money is written with.
fn is_currency(c: char) -> bool {
    matches!(c, '$' | '£' | '¥' | '¢' | '¤' | '֏' | '؋' | '৲' | '৳' | '฿' | '៛' | '\u{20A0}'..='\u{20CF}' | '﷼')
}

const LINK: ValueError = ValueError("it may not look like a web address; leave out what follows the dot");
const OUTER_SPACE: ValueError = ValueError("it neither begins nor ends with a space");
/// The most UTF-16 units of an amount.
pub const MAX_AMOUNT: usize = 20;
const MAX_HOST: usize = 64;
const APP_HASH: usize = 11;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_put_into_a_text() {
        type Read = fn(&str) -> Result<String, ValueError>;
        let rows: [(Read, &str, bool); 40] = [
            (amount, "49.90 EUR", true),
            (amount, "€ 1.234,50", true),
            (amount, "1'000 CHF", true),
            (amount, "₹500", true),
            (amount, "٥٠ 5 ر.س", true),
            (amount, "EUR", false),
            (amount, "", false),
            (amount, " 5", false),
            (amount, "5\n@evil.example #1", false),
            (amount, "5#", false),
            (amount, "5@", false),
            (amount, "5.evil.co", false),
            (amount, "10.0.0.1", false),
            (amount, "123456789012345678901", false),
            (payee, "Acme & Söhne", true),
            (payee, "Łódź Sp. z o.o.", true),
            (payee, "evil.com", false),
            (payee, "a\rb", false),
            (payee, "a\u{2028}b", false),
            (payee, "a#b", false),
            (payee, "a@b", false),
            (payee, "a/b", false),
            (payee, "a:b", false),
            (payee, "<#>", false),
            (payee, "\u{202e}abc", false),
            (payee, "a{code}", false),
            (purpose_words, "log in", true),
            (purpose_words, "see evil.com", false),
            (host, "example.com", true),
            (host, "login.example.co.uk", true),
            (host, "xn--bcher-kva.example", true),
            (host, "Example.com", false),
            (host, "example.com:8443", false),
            (host, "localhost", false),
            (host, "10.0.0.1", false),
            (host, "a..b", false),
            (host, "example.com #1", false),
            (app, "FA+9qCX9VSu", true),
            (app, "FA+9qCX9VS", false),
            (app, "FA+9qCX9VS\n", false),
        ];
        for (read, text, fits) in rows {
            assert_eq!(read(text).is_ok(), fits, "{text:?}");
        }
    }

    #[test]
    fn links() {
        for (text, link) in [
            ("a.b", false),
            ("acme.com", true),
            ("Sentence. Another", false),
            ("Sentence.Another", true),
            ("St. 7", false),
            ("No.12", false),
            ("1.50", false),
            ("1.2.3.4", true),
            ("http://x", true),
            (".com", false),
            ("кто.рф", true),
        ] {
            assert_eq!(looks_like_link(text), link, "{text:?}");
        }
    }
}
