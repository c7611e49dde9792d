//! What was sent, page by page.

use super::{Client, fields, integer, otp, time};
use crate::domain::time::Wall;
use crate::domain::verification::{Entrance, Verification};
use crate::http::input::{Fields, Payload};
use crate::http::problem::Problem;
use crate::http::{Context, Cx};
use crate::numbers;
use crate::store::ReportQuery;
use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use std::time::Duration;

/// The client's codes of a time, newest first: of the last seven days, if none is given.
pub(super) async fn report(
    State(cx): State<Cx>,
    Client(caller): Client,
    payload: Payload,
) -> Result<Json<Value>, Problem> {
    let fields = fields(&payload, &["start_date", "end_date", "page", "per_page"])?;
    let page = integer(&fields, "page", 1, 1_000_000)?.unwrap_or(1);
    let per_page = integer(&fields, "per_page", 1, 100)?.unwrap_or(10);
    let (since, until) = span(&fields, cx.clock.now().wall)?;
    let places = (page - 1).saturating_mul(per_page);
    let query =
        ReportQuery { since, until, skip: usize::try_from(places).unwrap_or(usize::MAX), limit: per_page as usize };
    let found = cx.ask(cx.store.report_of(caller.access(), query)).await?;
    let mut rows = Vec::with_capacity(found.items.len());
    for item in found.items {
        let message = cx.store.message(caller.access(), item.verification.message, None).await.ok();
        let dlr = message.as_ref().map_or("Not available from the carrier", otp::dlr);
        rows.push(row(&cx, &item.verification, dlr));
    }
    let total = found.total as u64;
    let mut answer = json!({
        "total_count": total,
        "total_pages": total.div_ceil(per_page),
        "current_page": page,
        "per_page": per_page,
        "transactions": rows,
    });
    if rows_are_none(&answer) {
        answer["message"] = json!("No transactions found");
    }
    Ok(Json(answer))
}

fn rows_are_none(answer: &Value) -> bool {
    answer["transactions"].as_array().is_none_or(Vec::is_empty)
}

/// From the beginning of the first day to the end of the last one, in UTC.
fn span(fields: &Fields, now: Wall) -> Result<(Wall, Wall), Problem> {
    let day =
        |name| fields.parsed(name, |text| Wall::parse(&format!("{text}T00:00:00Z")).ok_or("give a day as 2026-01-31"));
    let (start, end) = (day("start_date")?, day("end_date")?);
    let until = end.map_or(now + Duration::from_millis(1), |end| end + DAY);
    let since = start.unwrap_or_else(|| until.before(7 * DAY));
    if since >= until {
        return Err(Problem::invalid("start_date", "`start_date` must not be after `end_date`."));
    }
    if until - since > LONGEST + DAY {
        return Err(Problem::invalid("start_date", "A report spans at most 31 days."));
    }
    Ok((since, until))
}

fn row(cx: &Context, v: &Verification, dlr: &str) -> Value {
    let created = time(v.created);
    json!({
        "message_id": otp::message_id(v.id),
        "message_timestamp": created,
        "timestamp": created,
        "created_at": created,
        "message_type": SENT,
        "phone_number": v.to.reveal_digits(),
        "channel": "sms",
        "country": numbers::region(&v.to).map(|region| region.letters()),
        "force_send": v.origin.forced,
        "application": v.brand,
        "cost": cx.settings.price_per_sms.to_f64() * f64::from(v.sends),
        "status": dlr,
        "description": v.state.as_str(),
        "client_ip": v.origin.address.as_ref().filter(|_| v.origin.entrance == Entrance::MyOtp),
    })
}

/// The row's kind: a code that was sent.
const SENT: u8 = 1;
const DAY: Duration = Duration::from_secs(86_400);
const LONGEST: Duration = Duration::from_secs(31 * 86_400);
