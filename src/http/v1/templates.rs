//! `/v1/templates`: what texts there are, and how one looks before it is sent.

use super::List;
use super::verifications::{code_length, life, purpose};
use super::wording::{self, Text};
use crate::domain::verification::CodeAlphabet;
use crate::http::Cx;
use crate::http::auth::Caller;
use crate::http::input::Payload;
use crate::http::problem::Problem;
use crate::otp::template::{ANY_LANGUAGE, BUILT_IN, Brand, Form, LANGUAGES, UNDETERMINED};
use crate::sms::pdu::Alphabet;
use axum::Json;
use axum::extract::State;
use serde::Serialize;

#[derive(Serialize)]
pub(crate) struct TemplateView {
    name: String,
    form: &'static str,
    brand: Option<String>,
    locales: Vec<String>,
}

/// The templates that the key may use; the one that it uses unasked first.
pub(crate) async fn list(State(cx): State<Cx>, caller: Caller) -> Json<List<TemplateView>> {
    let built_in = TemplateView {
        name: BUILT_IN.to_owned(),
        form: Form::Plain.as_str(),
        brand: None,
        locales: LANGUAGES.iter().map(|language| language.tag.to_owned()).collect(),
    };
    let configured = cx.settings.templates.templates.iter().map(|template| TemplateView {
        name: template.name.clone(),
        form: template.form.as_str(),
        brand: template.brand.as_ref().map(|brand: &Brand| brand.as_str().to_owned()),
        locales: template
            .texts
            .iter()
            .map(|(tag, _)| if tag == ANY_LANGUAGE { UNDETERMINED } else { tag }.to_owned())
            .collect(),
    });
    let mut all: Vec<_> = std::iter::once(built_in).chain(configured).collect();
    let may = &caller.key.settings.templates;
    if !may.is_empty() {
        let place = |view: &TemplateView| may.iter().position(|name| *name == view.name);
        all.retain(|view| place(view).is_some());
        all.sort_by_key(|view| place(view));
    }
    Json(List::new(all))
}

#[derive(Serialize)]
pub(crate) struct Preview {
    template: String,
    locale: String,
    form: &'static str,
    /// With a code that is none.
    text: String,
    alphabet: &'static str,
    /// Septets, or UTF-16 units.
    units: usize,
    units_left: usize,
    segments: usize,
}

/// A text as it would be sent. Any key may ask, within what it may send: nothing is kept.
pub(crate) async fn preview(State(cx): State<Cx>, caller: Caller, payload: Payload) -> Result<Json<Preview>, Problem> {
    let fields = payload.fields(PREVIEW)?;
    let (wording, brand) = wording::wording(&cx, &caller, &fields)?;
    let length = code_length(&cx, &caller, &fields, None, &mut Vec::new())?;
    let (to, purpose) = (fields.number("to")?, purpose(&fields)?);
    let text = Text {
        wording: &wording,
        brand: brand.as_deref(),
        purpose: purpose.as_deref(),
        to: to.as_ref(),
        life: life(&cx, &caller, &fields, &mut Vec::new())?,
        code_length: length.into(),
        code_without_digit: false,
    };
    let rendered = wording::render(&cx, &text)?;
    let sample = match wording.alphabet {
        CodeAlphabet::Digits => "1234567890",
        CodeAlphabet::Unambiguous => "K7PX2CM4WT",
    };
    let (alphabet, most) = if rendered.alphabet == Alphabet::Gsm7 { ("gsm7", 160) } else { ("ucs2", 70) };
    Ok(Json(Preview {
        template: wording.template.unwrap_or_else(|| BUILT_IN.to_owned()),
        text: rendered.pieces.join(&sample[..usize::from(length)]),
        locale: rendered.locale,
        form: rendered.form.as_str(),
        alphabet,
        units: rendered.units,
        units_left: most - rendered.units,
        segments: 1,
    }))
}

const PREVIEW: &[&str] = &[
    "template",
    "locale",
    "to",
    "brand",
    "purpose",
    "amount",
    "payee",
    "host",
    "embedded_host",
    "app",
    "code_length",
    "code_alphabet",
    "ttl_seconds",
];
