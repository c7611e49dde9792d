//! The text that carries a code. It always fits one SMS: a code in two parts may arrive as half a code. What can't be
//! written so is refused, with the reason.

mod brand;
mod language;
mod page;
mod pattern;
mod texts;
mod values;

pub use brand::{Brand, BrandError, MAX_BRAND};
pub use language::{Language, chain, is_tag, of_country};
pub use page::page;
pub use pattern::{Pattern, PatternError, Place};
pub use texts::LANGUAGES;
pub use values::{MAX_AMOUNT, ValueError, amount, app, host, payee, purpose_words};

use crate::domain::country::Country;
use crate::sms::pdu::Alphabet;
use crate::sms::segment::{NationalShift, segment};
use std::borrow::Cow;
use std::fmt;
use std::time::Duration;
use values::looks_like_link;

/// Everything that texts are made from: the configured templates, and what purposes are called. The texts that otpgate
/// brings along are always there, under the name [`BUILT_IN`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Book {
    /// The templates.
    pub templates: Vec<Template>,
    /// What purposes are called: the name, and by language the words.
    pub purposes: Vec<(String, Vec<(String, String)>)>,
    /// What stands before the embedded host in a text for browsers.
    pub embedded_mark: EmbeddedMark,
}

/// A configured template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// What requests call it.
    pub name: String,
    /// The brand that it shows if the request names none.
    pub brand: Option<Brand>,
    /// For whom the text is beside the person.
    pub form: Form,
    /// By language, or under [`ANY_LANGUAGE`], the texts: the first one that fits is taken.
    pub texts: Vec<(String, Vec<Pattern>)>,
}

/// For whom a text is beside the person who reads it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// For nobody.
    #[default]
    Plain,
    /// For an Android app that the person lets read it (SMS User Consent): the code has a digit.
    Consent,
    /// For a browser (origin-bound one-time codes): the last line names the host.
    WebOtp,
    /// For an Android app (SMS Retriever): the last line is its hash.
    Retriever,
}

impl Form {
    /// All of them, by the word of the configuration.
    pub const WORDS: [(&'static str, Self); 4] =
        [("plain", Self::Plain), ("consent", Self::Consent), ("webotp", Self::WebOtp), ("retriever", Self::Retriever)];

    /// The word of the configuration and the API.
    pub fn as_str(self) -> &'static str {
        Self::WORDS[self as usize].0
    }
}

/// What stands before the embedded host: the current draft of the WICG says `@`, Apple's browsers and the older draft `%`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EmbeddedMark {
    /// `@`.
    #[default]
    At,
    /// `%`.
    Percent,
}

impl EmbeddedMark {
    /// The sign itself.
    pub fn as_char(self) -> char {
        match self {
            Self::At => '@',
            Self::Percent => '%',
        }
    }
}

/// What a text is to say. All of it is proven: see [`values`](self).
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'a> {
    /// The template's name. `None`: the built-in texts.
    pub template: Option<&'a str>,
    /// The language asked for.
    pub locale: Option<&'a str>,
    /// The number's country.
    pub country: Option<Country>,
    /// The brand.
    pub brand: Option<&'a str>,
    /// The purpose.
    pub purpose: Option<&'a str>,
    /// Amount and payee.
    pub payment: Option<(&'a str, &'a str)>,
    /// The browser's host, and the embedded one.
    pub host: Option<&'a str>,
    /// The host of a page within that host's page.
    pub embedded_host: Option<&'a str>,
    /// The Android app's hash.
    pub app: Option<&'a str>,
    /// How long the code is good for from now.
    pub life: Duration,
    /// How many characters the code has.
    pub code_length: usize,
    /// Whether it may lack a digit.
    pub code_without_digit: bool,
}

/// A text without its code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// Between each two of these the code is put.
    pub pieces: Vec<String>,
    /// The language that was taken; [`UNDETERMINED`] for a template's text for any.
    pub locale: String,
    /// For whom it is beside the person.
    pub form: Form,
    /// Its alphabet.
    pub alphabet: Alphabet,
    /// Septets or UTF-16 units, the code included.
    pub units: usize,
}

/// Why a text can't be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// There is no such template.
    UnknownTemplate,
    /// Something is missing that the text shows or is for: the request's field.
    Missing(&'static str),
    /// Something is given that the text has no place for: the request's field.
    Unused(&'static str),
    /// It is for a browser and an app at once, and both want the last line.
    TwoForms,
    /// The text counts in minutes, and the code does not live for one.
    UnderAMinute,
    /// The app would not find the code: it has no digit.
    NoDigit,
    /// Together, what is put in reads like a web address.
    Link,
    /// No text of the language fits one SMS: the shortest one's units, and how many one holds.
    TooLong {
        /// The language.
        locale: String,
        /// The alphabet that it takes.
        alphabet: Alphabet,
        /// What it has.
        units: usize,
        /// What it may have.
        most: usize,
    },
}

impl Unfit {
    /// The field of the request that it is about, if it is one alone.
    pub fn field(&self) -> Option<&'static str> {
        match self {
            Self::UnknownTemplate => Some("template"),
            Self::Missing(field) | Self::Unused(field) => Some(field),
            Self::TwoForms => Some("app"),
            Self::UnderAMinute => Some("ttl_seconds"),
            Self::NoDigit => Some("code"),
            Self::Link | Self::TooLong { .. } => None,
        }
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownTemplate => f.write_str("there is no template of this name; GET /v1/templates lists them"),
            Self::Missing(field) => write!(f, "the template needs `{field}`, and it is not given"),
            Self::Unused(field) => write!(f, "the template has no place for `{field}`; take another, or leave it out"),
            Self::TwoForms => f.write_str("`host` and `app` both want the last line; give one of them"),
            Self::UnderAMinute => f.write_str("the template counts in minutes; give at least 60 seconds"),
            Self::NoDigit => f.write_str("an app finds a code only if it has a digit; give another"),
            Self::Link => f.write_str("put together, the values read like a web address; change one of them"),
            Self::TooLong { locale, alphabet, units, most } => {
                let alphabet = if *alphabet == Alphabet::Gsm7 { "GSM 7-bit" } else { "UCS-2" };
                write!(
                    f,
                    "the shortest text in `{locale}` has {units} of {most} units in {alphabet}, and a code must stand in \
                     one SMS; shorten what is put in, or take a locale or values with plain letters"
                )
            }
        }
    }
}

impl std::error::Error for Unfit {}

impl Book {
    /// The template of this name.
    pub fn template(&self, name: &str) -> Option<&Template> {
        self.templates.iter().find(|template| template.name == name)
    }

    /// Writes a text.
    pub fn render(&self, asked: &Asked<'_>) -> Result<Rendered, Unfit> {
        let template = match asked.template.filter(|name| *name != BUILT_IN) {
            None => None,
            Some(name) => Some(self.template(name).ok_or(Unfit::UnknownTemplate)?),
        };
        let brand = asked.brand.or(template.and_then(|t| t.brand.as_ref()).map(Brand::as_str));
        let asked = Asked { brand, ..*asked };
        let form = form(template, &asked)?;
        let wanted = asked.locale.map(chain).unwrap_or_default();
        let wanted = wanted.into_iter().chain(asked.country.map(of_country).map(chain).unwrap_or_default());
        let (locale, language, texts) = match template {
            Some(template) => template.texts_for(wanted),
            None => {
                let mut wanted = wanted;
                let language = wanted.find_map(|tag| Language::of(&tag)).unwrap_or(Language::english());
                (language.tag, language, built_in(language, form, &asked))
            }
        };
        let mut failed = Unfit::UnknownTemplate;
        for pattern in texts.iter() {
            match self.write(pattern, locale, language, form, &asked) {
                Ok(written) => return Ok(written),
                // The shorter ones show less, and less may be missing from them.
                Err(why) => failed = why,
            }
        }
        Err(failed)
    }

    fn write(
        &self,
        pattern: &Pattern,
        locale: &str,
        language: &Language,
        form: Form,
        asked: &Asked<'_>,
    ) -> Result<Rendered, Unfit> {
        let seconds = asked.life.as_secs();
        if pattern.has(Place::Minutes) && seconds < 60 {
            return Err(Unfit::UnderAMinute);
        }
        if asked.payment.is_some() && !(pattern.has(Place::Amount) && pattern.has(Place::Payee)) {
            return Err(Unfit::Unused("amount"));
        }
        let value = |place| match place {
            Place::Brand => asked.brand.map(str::to_owned),
            Place::Minutes => Some((seconds / 60).to_string()),
            Place::Life => Some(language.life(seconds)),
            Place::Purpose => asked.purpose.map(|purpose| self.purpose(purpose, locale)),
            Place::Amount => asked.payment.map(|(amount, _)| amount.to_owned()),
            Place::Payee => asked.payment.map(|(_, payee)| payee.to_owned()),
        };
        let (before, after) = pattern.fill(value).map_err(|place| Unfit::Missing(place.name()))?;
        let code = "a".repeat(asked.code_length);
        if looks_like_link(&format!("{before}{code}{after}")) {
            return Err(Unfit::Link);
        }
        let mut pieces = vec![before, after];
        match (form, asked.host, asked.app) {
            (Form::WebOtp, Some(host), _) => {
                pieces[1].push_str(&format!("\n@{host} #"));
                let mark = self.embedded_mark.as_char();
                pieces.push(asked.embedded_host.map(|host| format!(" {mark}{host}")).unwrap_or_default());
            }
            (Form::Retriever, _, Some(app)) => {
                pieces[0].insert_str(0, "<#> ");
                pieces[1].push_str(&format!("\n{app}"));
            }
            _ => {}
        }
        let text = pieces.join(&code);
        let (alphabet, units, most) = measure(&text);
        let octets = text.len();
        let too_long = |units, most| Unfit::TooLong { locale: locale.to_owned(), alphabet, units, most };
        if units > most {
            return Err(too_long(units, most));
        }
        if form == Form::Retriever && octets > RETRIEVER_OCTETS {
            return Err(too_long(octets, RETRIEVER_OCTETS));
        }
        Ok(Rendered { pieces, locale: locale.to_owned(), form, alphabet, units })
    }

    /// What a purpose is called.
    fn purpose(&self, name: &str, locale: &str) -> String {
        let words = self.purposes.iter().find(|(known, _)| known == name).map(|(_, words)| words);
        let of = |tag: &str| words?.iter().find(|(of, _)| of.eq_ignore_ascii_case(tag)).map(|(_, words)| words.clone());
        let found = chain(locale).iter().find_map(|tag| of(tag)).or_else(|| of(ANY_LANGUAGE));
        found.unwrap_or_else(|| name.replace(['-', '_'], " ").trim().to_owned())
    }

    /// Everything that is wrong with it, in sentences: each text must fit one SMS with the longest values that may be put in.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for template in &self.templates {
            let name = &template.name;
            if template.texts.is_empty() {
                faults
                    .push(format!("[[template]] {name} has no text; write text = \"{{code}} is your {{brand}} code\""));
            }
            for (locale, patterns) in &template.texts {
                let Some(shortest) = patterns.last() else { continue };
                if let Err(why) = self.fits_the_longest(template, locale, shortest) {
                    let place = if locale == ANY_LANGUAGE { "text".to_owned() } else { format!("text.{locale}") };
                    faults.push(format!("[[template]] {name}: {place} is too long: with the longest values, {why}"));
                }
            }
        }
        faults
    }

    fn fits_the_longest(&self, template: &Template, locale: &str, pattern: &Pattern) -> Result<(), Unfit> {
        let language = Language::find(locale).unwrap_or(Language::english());
        // In the alphabet that the text itself takes.
        let bare = pattern.fill(|_| Some(String::new())).unwrap_or_default();
        let (letter, share) = match measure(&format!("{}{}", bare.0, bare.1)).0 {
            Alphabet::Gsm7 => ("a", 1),
            _ => ("я", 2),
        };
        let (name, amount) = (letter.repeat(MAX_BRAND / share), format!("1{}", letter.repeat(MAX_AMOUNT / share - 1)));
        let brand = template.brand.as_ref().map_or(name.as_str(), Brand::as_str);
        let asked = Asked {
            brand: Some(brand),
            purpose: Some(&name),
            payment: Some((amount.as_str(), name.as_str()))
                .filter(|_| pattern.has(Place::Amount) || pattern.has(Place::Payee)),
            host: Some("verify.example.com"),
            app: Some("aaaaaaaaaaa"),
            life: Duration::from_secs(86_400),
            code_length: LONGEST_CODE,
            ..Asked::default()
        };
        self.write(pattern, locale, language, template.form, &asked).map(|_| ())
    }
}

impl Template {
    /// The texts of the first language that it has, and that language.
    fn texts_for(&self, mut wanted: impl Iterator<Item = String>) -> (&str, &'static Language, Cow<'_, [Pattern]>) {
        let of = |tag: &str| self.texts.iter().find(|(known, _)| known.eq_ignore_ascii_case(tag));
        let found = wanted.find_map(|tag| of(&tag)).or_else(|| of(ANY_LANGUAGE)).or_else(|| of("en"));
        match found.or(self.texts.first()) {
            Some((tag, patterns)) => {
                let language = Language::find(tag).unwrap_or(Language::english());
                (if tag == ANY_LANGUAGE { UNDETERMINED } else { tag }, language, Cow::Borrowed(patterns))
            }
            None => (UNDETERMINED, Language::english(), Cow::Borrowed(&[])),
        }
    }
}

/// For whom the text is, if that agrees with what was asked.
fn form(template: Option<&Template>, asked: &Asked<'_>) -> Result<Form, Unfit> {
    let form = match (template, asked.host, asked.app) {
        (Some(template), _, _) => template.form,
        (None, Some(_), Some(_)) => return Err(Unfit::TwoForms),
        (None, Some(_), None) => Form::WebOtp,
        (None, None, Some(_)) => Form::Retriever,
        (None, None, None) => Form::Plain,
    };
    let (browser, app) = (form == Form::WebOtp, form == Form::Retriever);
    match (asked.host, asked.app) {
        (None, _) if browser => Err(Unfit::Missing("host")),
        (_, None) if app => Err(Unfit::Missing("app")),
        (Some(_), _) if !browser => Err(Unfit::Unused("host")),
        (_, Some(_)) if !app => Err(Unfit::Unused("app")),
        (None, _) if asked.embedded_host.is_some() => Err(Unfit::Missing("host")),
        _ if form == Form::Consent && asked.code_without_digit => Err(Unfit::NoDigit),
        _ => Ok(form),
    }
}

/// The built-in texts of a language, the one that says most first.
fn built_in<'a>(language: &Language, form: Form, asked: &Asked<'_>) -> Cow<'a, [Pattern]> {
    let texts: Vec<Cow<'_, str>> = match (asked.payment, asked.brand) {
        // Amount and payee are what must be there; the brand is, where it fits.
        (Some(_), Some(_)) => {
            vec![format!("{} - {{brand}}", language.payment).into(), language.payment.into(), BARE_PAYMENT.into()]
        }
        (Some(_), None) => vec![language.payment.into(), BARE_PAYMENT.into()],
        (None, Some(_)) if form == Form::Plain => vec![language.branded.into(), language.short.into()],
        // The last line says for whom it is.
        (None, Some(_)) => {
            vec![language.branded.into(), language.short.into(), language.plain.into(), BARE.into()]
        }
        (None, None) => vec![language.plain.into(), BARE.into()],
    };
    texts.iter().filter_map(|text| Pattern::parse(text).ok()).collect()
}

/// A text's alphabet, its units, and how many one SMS holds.
fn measure(text: &str) -> (Alphabet, usize, usize) {
    match segment(text, NationalShift::Off) {
        Ok(segments) => {
            let most = if segments.alphabet() == Alphabet::Gsm7 { 160 } else { 70 };
            (segments.alphabet(), segments.units(), most)
        }
        Err(_) => (Alphabet::Ucs2, text.encode_utf16().count(), 70),
    }
}

/// The name of the built-in texts.
pub const BUILT_IN: &str = "default";
/// Under this key stands a template's text for any language.
pub const ANY_LANGUAGE: &str = "default";
/// The tag of a text of which nobody said in which language it is.
pub const UNDETERMINED: &str = "und";
const BARE: &str = "{code} ({life})";
const BARE_PAYMENT: &str = "{code}: {amount}, {payee}";
const LONGEST_CODE: usize = 10;
/// What Android's SMS Retriever takes.
const RETRIEVER_OCTETS: usize = 140;

#[cfg(test)]
mod tests;
