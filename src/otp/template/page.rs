//! All built-in texts on one page, to be read and judged.

use super::language::Language;
use super::texts::LANGUAGES;
use super::{Asked, Book, Rendered};
use crate::sms::pdu::Alphabet;
use std::fmt::Write;
use std::time::Duration;

/// The page, in Markdown.
pub fn page() -> String {
    let mut page = String::from(HEAD);
    for (title, words, sample) in SECTIONS {
        let _ = write!(page, "\n## {title}\n\n{words}\n\n{TABLE}");
        for language in LANGUAGES {
            line(&mut page, language, sample);
        }
    }
    page
}

fn line(page: &mut String, language: &Language, sample: &Asked<'_>) {
    let asked = Asked { locale: Some(language.tag), ..*sample };
    let Language { tag, name, .. } = language;
    let _ = match Book::default().render(&asked) {
        Ok(Rendered { pieces, alphabet, units, .. }) => {
            let text = pieces.join(CODE).replace('\n', "⏎").replace('<', "&lt;");
            let (alphabet, most) = if alphabet == Alphabet::Gsm7 { ("GSM-7", 160) } else { ("UCS-2", 70) };
            writeln!(page, "| `{tag}` | {name} | {text} | {alphabet} | {units}/{most} | 1 |")
        }
        Err(why) => writeln!(page, "| `{tag}` | {name} | refused: {why} | | | – |"),
    };
}

const CODE: &str = "482917";
const SAMPLE: Asked<'static> = Asked {
    template: None,
    locale: None,
    country: None,
    brand: None,
    purpose: None,
    payment: None,
    host: None,
    embedded_host: None,
    app: None,
    life: Duration::from_secs(300),
    code_length: CODE.len(),
    code_without_digit: false,
};

const SECTIONS: &[(&str, &str, Asked<'static>)] = &[
    ("With a brand", "As most are sent.", Asked { brand: Some("Acme"), ..SAMPLE }),
    ("Without a brand", "Where neither the request, nor its template, nor its key has one.", SAMPLE),
    (
        "With the longest brand",
        "32 letters: where the text itself takes UCS-2, a shorter one is sent.",
        Asked { brand: Some("Acme and Sons Trading Company Ld"), ..SAMPLE },
    ),
    (
        "With a brand beyond the small alphabet",
        "16 letters, one of which GSM-7 lacks: every text takes UCS-2.",
        Asked { brand: Some("Łódź Electronics"), ..SAMPLE },
    ),
    (
        "For a payment",
        "The code is good for this amount and payee only.",
        Asked { brand: Some("MyBank"), payment: Some(("49.90 EUR", "Acme Shop")), ..SAMPLE },
    ),
    (
        "For a browser",
        "The last line is for the browser (⏎ begins it).",
        Asked { brand: Some("Acme"), host: Some("login.example.com"), ..SAMPLE },
    ),
    (
        "For an Android app",
        "At most 140 octets, which is why some are shorter.",
        Asked { brand: Some("Acme"), app: Some("FA+9qCX9VSu"), ..SAMPLE },
    ),
];

const TABLE: &str = "| locale | language | text | alphabet | units | SMS |\n| --- | --- | --- | --- | --- | --- |\n";

const HEAD: &str = "\
# The texts

What otpgate sends unless a template says otherwise, in each language, with the code 482917 that is good for five minutes.
Written by `otpgate texts`; a test keeps this page as the texts are.

How they are written: the code first, so that a locked screen shows it (in languages that are written from the right, a word of
the language, which sets the line's direction); who it is from, how long it is good, that it is for nobody else; no link, no
exclamation mark, no praise. The person is addressed with the polite form where the language has one, and as strangers are
addressed there where it has none. Units of time are abbreviated, or take the form that stays the same for each number. A
language keeps its letters; where it can do without those that the small alphabet lacks, it does, for then one SMS holds
160 characters instead of 70.

Every one is one SMS, whatever the brand: where it does not fit, a shorter text is taken.
";
