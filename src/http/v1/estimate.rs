//! `/v1/estimate`: what a text will take, before it is sent.

use crate::http::auth::Caller;
use crate::http::input::{Fields, Payload};
use crate::http::problem::Problem;
use crate::sms::pdu::Alphabet;
use crate::sms::segment::{NationalShift, Segments, segment};
use axum::Json;
use serde::Serialize;

#[derive(Serialize)]
pub(crate) struct Estimate {
    alphabet: &'static str,
    segments: usize,
    characters_left: usize,
}

/// Any key may ask: nothing is kept or sent.
pub(crate) async fn estimate(_caller: Caller, payload: Payload) -> Result<Json<Estimate>, Problem> {
    let fields = payload.fields(&["text"])?;
    let segments = segments(fields.need("text", Fields::text)?)?;
    let alphabet = match segments.alphabet() {
        Alphabet::Gsm7 => "gsm7",
        _ => "ucs2",
    };
    Ok(Json(Estimate { alphabet, segments: segments.len(), characters_left: segments.units_left() }))
}

/// The text cut into parts, in the alphabets that every phone reads.
pub(super) fn segments(text: &str) -> Result<Segments, Problem> {
    if text.is_empty() {
        return Err(Problem::invalid("text", "`text` is empty; there must be something to send."));
    }
    segment(text, NationalShift::Off).map_err(|why| Problem::invalid("text", format!("`text`: {why}.")))
}
