//! What a request may say about its text, and the text.

use crate::domain::country::Country;
use crate::domain::msisdn::Msisdn;
use crate::domain::verification::{CodeAlphabet, Wording};
use crate::http::Context;
use crate::http::auth::Caller;
use crate::http::input::Fields;
use crate::http::problem::{Kind, Problem};
use crate::numbers;
use crate::otp::template::{self, Asked, BUILT_IN, Brand, Form, Rendered, Unfit};
use crate::store::Body;
use std::time::Duration;

/// A text that is to be written.
pub(crate) struct Text<'a> {
    pub(crate) wording: &'a Wording,
    pub(crate) brand: Option<&'a str>,
    pub(crate) purpose: Option<&'a str>,
    /// To whom, if that is known: the number's country has a language.
    pub(crate) to: Option<&'a Msisdn>,
    pub(crate) life: Duration,
    pub(crate) code_length: usize,
    pub(crate) code_without_digit: bool,
}

/// What the request says about its text, and the brand, within what its key may ask for.
pub(crate) fn wording(cx: &Context, caller: &Caller, fields: &Fields) -> Result<(Wording, Option<String>), Problem> {
    let of_key = &caller.key.settings;
    let template = template_of(cx, caller, fields)?;
    let form = template.as_deref().and_then(|name| cx.settings.templates.template(name)).map(|t| t.form);
    let host = fields.parsed("host", template::host)?;
    let app = fields.parsed("app", template::app)?;
    let embedded_host = fields.parsed("embedded_host", template::host)?;
    for (field, host) in [("host", &host), ("embedded_host", &embedded_host)] {
        if host.as_ref().is_some_and(|host| !of_key.hosts.contains(host)) {
            let detail = format!("`{field}` is none of the key's `hosts`; an admin can add it there.");
            return Err(Problem::field(Kind::HostNotAllowed, field, detail));
        }
    }
    if app.as_ref().is_some_and(|app| !of_key.apps.contains(app)) {
        let detail = "`app` is none of the key's `apps`; an admin can add it there.";
        return Err(Problem::field(Kind::AppNotAllowed, "app", detail));
    }
    // Where the key has one only, that is meant.
    let only = |list: &[String], wanted: Form| match list {
        [one] if form == Some(wanted) => Some(one.clone()),
        _ => None,
    };
    let (amount, payee) = (fields.parsed("amount", template::amount)?, fields.parsed("payee", template::payee)?);
    let missing = match (&amount, &payee) {
        (Some(_), None) => Some("payee"),
        (None, Some(_)) => Some("amount"),
        _ => None,
    };
    if let Some(field) = missing {
        let detail = format!("`{field}` is missing; `amount` and `payee` go together.");
        return Err(Problem::field(Kind::MissingField, field, detail));
    }
    let alphabet = fields.word("code_alphabet", &CodeAlphabet::WORDS)?.unwrap_or(cx.settings.code_alphabet);
    let wording = Wording {
        host: host.or_else(|| only(&of_key.hosts, Form::WebOtp)),
        app: app.or_else(|| only(&of_key.apps, Form::Retriever)),
        template,
        locale: locale(fields)?,
        amount,
        payee,
        embedded_host,
        alphabet,
    };
    let brand = brand(cx, caller, fields, wording.template.as_deref())?;
    Ok((wording, brand))
}

/// The template that is named, else the key's first one, else none: the built-in texts.
fn template_of(cx: &Context, caller: &Caller, fields: &Fields) -> Result<Option<String>, Problem> {
    let may = &caller.key.settings.templates;
    let Some(name) = fields.text("template")? else { return Ok(may.first().cloned()) };
    if !may.is_empty() && !may.iter().any(|known| known == name) {
        let detail = "`template` is none of the key's `templates`; an admin can add it there.";
        return Err(Problem::field(Kind::TemplateNotAllowed, "template", detail));
    }
    if name != BUILT_IN && cx.settings.templates.template(name).is_none() {
        return Err(unfit(&Unfit::UnknownTemplate));
    }
    Ok(Some(name.to_owned()))
}

/// The request's, else the template's, else the key's.
fn brand(cx: &Context, caller: &Caller, fields: &Fields, template: Option<&str>) -> Result<Option<String>, Problem> {
    let asked = fields.parsed("brand", Brand::parse)?;
    let own = template.and_then(|name| cx.settings.templates.template(name)).and_then(|t| t.brand.as_ref());
    let brand = asked.as_ref().or(own).map(|brand| brand.as_str().to_owned());
    Ok(brand.or_else(|| caller.key.settings.brand.clone()))
}

fn locale(fields: &Fields) -> Result<Option<String>, Problem> {
    fields.parsed("locale", |text| match template::is_tag(text) {
        true => Ok(text.to_owned()),
        false => Err("give a language tag (BCP 47), as in de or pt-BR"),
    })
}

/// Writes the text.
pub(crate) fn render(cx: &Context, text: &Text<'_>) -> Result<Rendered, Problem> {
    let Text { wording, brand, purpose, to, life, code_length, code_without_digit } = *text;
    let region = to.and_then(numbers::region);
    let asked = Asked {
        template: wording.template.as_deref(),
        locale: wording.locale.as_deref(),
        country: region.and_then(|region| Country::parse(&region.letters()).ok()),
        brand,
        purpose,
        payment: wording.payment(),
        host: wording.host.as_deref(),
        embedded_host: wording.embedded_host.as_deref(),
        app: wording.app.as_deref(),
        life,
        code_length,
        code_without_digit,
    };
    cx.settings.templates.render(&asked).map_err(|why| unfit(&why))
}

/// The text as it is kept until it is sent.
pub(crate) fn body(rendered: Rendered) -> Body {
    Body::Code(rendered.pieces.into_iter().map(Into::into).collect())
}

fn unfit(why: &Unfit) -> Problem {
    match (why, why.field()) {
        (Unfit::Missing(field), _) => Problem::field(Kind::MissingField, *field, format!("`{field}`: {why}.")),
        (_, Some(field)) => Problem::invalid(field, format!("`{field}`: {why}.")),
        (Unfit::TooLong { .. }, None) => Problem::new(Kind::TextTooLong, format!("The text does not fit: {why}.")),
        (_, None) => Problem::new(Kind::InvalidValue, format!("The text can't be written: {why}.")),
    }
}
