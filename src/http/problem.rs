//! Every error that the API answers: problem details (RFC 9457) with a stable code and what to do next.
//!
//! No problem shows a value that the caller sent: not a number, not a code, not a body.

use super::guard;
use crate::domain::guard::Rule;
use crate::domain::message::Refused;
use crate::domain::verification::VerificationRefused;
use crate::otp::challenge::Form;
use crate::store::StoreError;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::borrow::Cow;

/// An error on its way to the caller.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    kind: Kind,
    detail: Cow<'static, str>,
    field: Option<Cow<'static, str>>,
    retry_after: Option<u64>,
    reasons: Vec<String>,
}

/// What kind of error, for programs. The word, the status and the title of each are in [`Kind::row`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    BadRequest,
    BadJson,
    TwoCredentials,
    Unauthorized,
    ScopeMissing,
    NotFound,
    MethodNotAllowed,
    RequestTimeout,
    OnAir,
    AlreadyFinal,
    AlreadyApproved,
    PendingAlready,
    TooLate,
    CodeSupplied,
    TooManySends,
    AwaitsText,
    OutOfStep,
    IdempotencyMismatch,
    AlreadyShown,
    /// The master key can't be changed.
    MasterKey,
    LastAdminKey,
    KeyEnded,
    AddressNotAllowed,
    PermissionMissing,
    TooManyWebhooks,
    NotDead,
    /// A webhook may not lead there.
    TargetRefused,
    BodyTooLarge,
    HeadTooLarge,
    UnsupportedMediaType,
    UnknownHost,
    MissingField,
    UnknownField,
    InvalidValue,
    CodeTooShort,
    TtlTooLong,
    TextTooLong,
    NumberUnassigned,
    OptedOut,
    TemplateNotAllowed,
    HostNotAllowed,
    AppNotAllowed,
    NoOwnNumber,
    /// A rule of the guard says no.
    Guarded(Rule),
    TooManyLogins,
    TooManyWaits,
    Internal,
    Damaged,
    NotReady,
    Busy,
    Stopping,
    Quarantined,
    DiskFull,
    /// An answer of the framework that has no row of its own.
    Other(StatusCode),
}

impl Problem {
    /// A problem with what to do about it in words.
    pub(crate) fn new(kind: Kind, detail: impl Into<Cow<'static, str>>) -> Self {
        // 429 and 503 always say when to come back.
        let retry_after = match kind.status() {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Some(RETRY_SECONDS),
            _ => None,
        };
        Self { kind, detail: detail.into(), field: None, retry_after, reasons: Vec::new() }
    }

    /// A field of the request that is wrong.
    pub(crate) fn field(kind: Kind, field: impl Into<Cow<'static, str>>, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { field: Some(field.into()), ..Self::new(kind, detail) }
    }

    /// A field whose value can't be taken.
    pub(crate) fn invalid(field: impl Into<Cow<'static, str>>, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::field(Kind::InvalidValue, field, detail)
    }

    /// What kind it is.
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// What is wrong, and what to do about it.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// When to come back, in seconds.
    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds.max(1));
        self
    }

    /// Several reasons, each a sentence.
    pub(crate) fn because(mut self, reasons: Vec<String>) -> Self {
        self.reasons = reasons;
        self
    }

    /// What is said where nothing better is known than the status.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::new(Kind::NotFound, "There is nothing at this path; see the API reference."),
            StatusCode::METHOD_NOT_ALLOWED => Self::new(
                Kind::MethodNotAllowed,
                "This path does not take this method; the header Allow names those it does.",
            ),
            StatusCode::BAD_REQUEST => Self::new(Kind::BadRequest, "The request can't be read."),
            StatusCode::INTERNAL_SERVER_ERROR => {
                Self::new(Kind::Internal, "otpgate failed at this request and goes on; its log has more.")
            }
            other => Self::new(Kind::Other(other), "The request can't be answered."),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound => {
                Self::new(Kind::NotFound, "There is no such record, or it belongs to another client.")
            }
            StoreError::Message(why) => why.into(),
            StoreError::Verification(why) => why.into(),
            StoreError::PendingAlready => Self::new(Kind::PendingAlready, "A code for this number is still good; check that one, or ask for a new one on purpose."),
            StoreError::Bound(field) => Self::field(
                Kind::MissingField,
                field,
                format!("The code is bound to its `{field}`: give it with the check. Nothing was counted."),
            ),
            StoreError::NotSuchACode(Form { length, digits }) => {
                let what = if digits { "digits" } else { "characters" };
                Self::invalid("code", format!("`code`: the code that was sent has {length} {what}; nothing was counted."))
            }
            StoreError::IdempotencyMismatch => Self::field(
                Kind::IdempotencyMismatch,
                "Idempotency-Key",
                "This key was used with another request; use a new key for a new request.",
            ),
            StoreError::AlreadyShown => Self::new(
                Kind::AlreadyShown,
                "The request was done, and its secret was shown once. If it was lost, revoke it and make another.",
            ),
            StoreError::LastAdminKey => Self::new(
                Kind::LastAdminKey,
                "No other admin key is good from everywhere for as long as this one; create another one first, without `expires_at` and `networks`.",
            ),
            StoreError::KeyEnded => Self::new(Kind::KeyEnded, "This API key was revoked or has expired; create a new one."),
            StoreError::TooManyWebhooks => Self::new(
                Kind::TooManyWebhooks,
                "There are as many webhooks as otpgate keeps: 50, and 8 of one client. Delete one that is not needed any more.",
            ),
            StoreError::NotDead => Self::new(
                Kind::NotDead,
                "Only a dead delivery is tried anew; this one waits for its next attempt, or was delivered.",
            ),
            StoreError::MasterKey(why) => Self::new(Kind::MasterKey, why),
            StoreError::TooLarge => {
                Self::new(Kind::BodyTooLarge, "The record would be larger than the store takes; send less.")
            }
            StoreError::Damaged => Self::new(
                Kind::Damaged,
                "The record is damaged and was set aside; `otpgate store verify` says more. All else goes on.",
            ),
            StoreError::Full => Self::new(
                Kind::DiskFull,
                "The disk is full, or nearly: nothing new is taken in. Free space on the data directory's disk.",
            ),
            StoreError::Unassigned(left) => Self::field(
                Kind::NumberUnassigned,
                "to",
                format!(
                    "The network says that nobody has this number. It is not tried again for {} minutes; check it with whoever gave it.",
                    left.as_secs().div_ceil(60)
                ),
            ),
            StoreError::OptedOut => Self::field(
                Kind::OptedOut,
                "to",
                "The recipient has asked not to be written to; only their own START, or an admin with DELETE /v1/opt-outs/{number}, changes that.",
            ),
            StoreError::Guarded(refusal) => refusal.into(),
            StoreError::Busy => Self::new(Kind::Busy, "Too many requests wait for the disk; try again shortly."),
            StoreError::Closed => Self::new(Kind::Stopping, "otpgate is stopping; try again when it is back."),
            StoreError::Quarantined => Self::new(
                Kind::Quarantined,
                "The store is older than its own mark, or damaged, so nothing is taken in; `otpgate store verify` says more.",
            )
            .retry_after(60),
        }
    }
}

impl From<Refused> for Problem {
    fn from(why: Refused) -> Self {
        match why {
            Refused::OnAir => Self::new(Kind::OnAir, "A modem has the message, or had it: it can't be called back."),
            Refused::Final => Self::new(Kind::AlreadyFinal, "The message has ended; its status says how."),
            Refused::Expired => Self::new(Kind::AlreadyFinal, "The message's time has run out."),
            Refused::TooLate => Self::new(Kind::TooLate, "Too little of the message's life is left."),
            Refused::OutOfStep => {
                Self::new(Kind::OutOfStep, "The message is not in a state that allows this; read it again.")
            }
        }
    }
}

impl From<VerificationRefused> for Problem {
    fn from(why: VerificationRefused) -> Self {
        use VerificationRefused as Why;
        match why {
            Why::AlreadyApproved => {
                Self::new(Kind::AlreadyApproved, "The right code was given before, and a code counts once.")
            }
            Why::Final(state) => Self::new(
                Kind::AlreadyFinal,
                format!("The verification has ended ({}); create a new one.", state.as_str()),
            ),
            Why::TooLate => Self::new(
                Kind::TooLate,
                "Less than 60 seconds of its life are left, so the message would arrive dead; create a new verification.",
            ),
            Why::NotDerived => Self::field(
                Kind::CodeSupplied,
                "fresh",
                "The code was supplied with the request, so there is no fresh one; create a new verification.",
            ),
            Why::TooManySends => {
                Self::new(Kind::TooManySends, "It has been sent as often as one verification may; create a new one.")
            }
            Why::AwaitsText => Self::new(
                Kind::AwaitsText,
                "No code was sent: a text with its word from its number approves it. Wait for that with GET /v1/verifications/{id}?wait=30.",
            ),
            Why::LongEnough => Self::new(
                Kind::TooLate,
                "It lives that long already, or as long as `[codes] max_ttl_seconds` lets a code live; a key with the permission `long_ttl` may pass that.",
            ),
            Why::NotYet => Self::new(Kind::OutOfStep, "The verification has not ended yet; read it again."),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (code, status, title) = self.kind.row();
        let body = Body {
            uri: format!("urn:otpgate:problem:{code}"),
            title,
            status: status.as_u16(),
            code,
            detail: &self.detail,
            field: self.field.as_deref(),
            retry_after: self.retry_after,
            reasons: &self.reasons,
        };
        let json = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = (status, [(header::CONTENT_TYPE, CONTENT_TYPE)], json).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        // In another dialect it is said in that one's words.
        response.extensions_mut().insert(self);
        response
    }
}

impl Kind {
    /// All but those of the guard's rules. New ones are written in here, too.
    const PLAIN: [Kind; 52] = [
        Self::BadRequest,
        Self::BadJson,
        Self::TwoCredentials,
        Self::Unauthorized,
        Self::ScopeMissing,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::RequestTimeout,
        Self::OnAir,
        Self::AlreadyFinal,
        Self::AlreadyApproved,
        Self::PendingAlready,
        Self::TooLate,
        Self::CodeSupplied,
        Self::TooManySends,
        Self::AwaitsText,
        Self::OutOfStep,
        Self::IdempotencyMismatch,
        Self::AlreadyShown,
        Self::MasterKey,
        Self::LastAdminKey,
        Self::KeyEnded,
        Self::AddressNotAllowed,
        Self::PermissionMissing,
        Self::TooManyWebhooks,
        Self::NotDead,
        Self::TargetRefused,
        Self::BodyTooLarge,
        Self::HeadTooLarge,
        Self::UnsupportedMediaType,
        Self::UnknownHost,
        Self::MissingField,
        Self::UnknownField,
        Self::InvalidValue,
        Self::CodeTooShort,
        Self::TtlTooLong,
        Self::TextTooLong,
        Self::NumberUnassigned,
        Self::OptedOut,
        Self::TemplateNotAllowed,
        Self::HostNotAllowed,
        Self::AppNotAllowed,
        Self::NoOwnNumber,
        Self::TooManyLogins,
        Self::TooManyWaits,
        Self::Internal,
        Self::Damaged,
        Self::NotReady,
        Self::Busy,
        Self::Stopping,
        Self::Quarantined,
        Self::DiskFull,
    ];

    /// All that have a row, those of the guard's rules as well.
    pub(super) fn all() -> impl Iterator<Item = Kind> {
        Self::PLAIN.into_iter().chain(Rule::ALL.map(Self::Guarded))
    }

    /// The word for programs.
    pub(super) fn code(self) -> &'static str {
        self.row().0
    }

    /// The status of the answer.
    pub(crate) fn status(self) -> StatusCode {
        self.row().1
    }

    /// The title that all problems of this kind share.
    pub(super) fn title(self) -> &'static str {
        self.row().2
    }

    /// The word for programs, the status, and the title that all problems of this kind share.
    fn row(self) -> (&'static str, StatusCode, &'static str) {
        use StatusCode as S;
        match self {
            Self::BadRequest => ("bad_request", S::BAD_REQUEST, "The request can't be read"),
            Self::BadJson => ("bad_json", S::BAD_REQUEST, "The body is no JSON object"),
            Self::TwoCredentials => ("two_credentials", S::BAD_REQUEST, "More than one credential was sent"),
            Self::Unauthorized => ("unauthorized", S::UNAUTHORIZED, "A valid API key is needed"),
            Self::ScopeMissing => ("scope_missing", S::FORBIDDEN, "The API key may not do this"),
            Self::NotFound => ("not_found", S::NOT_FOUND, "Not found"),
            Self::MethodNotAllowed => ("method_not_allowed", S::METHOD_NOT_ALLOWED, "Method not allowed"),
            Self::RequestTimeout => ("request_timeout", S::REQUEST_TIMEOUT, "The request did not arrive in time"),
            Self::OnAir => ("on_air", S::CONFLICT, "The message is on the air"),
            Self::AlreadyFinal => ("already_final", S::CONFLICT, "It has ended"),
            Self::AlreadyApproved => ("already_approved", S::CONFLICT, "The verification is approved already"),
            Self::PendingAlready => ("pending_already", S::CONFLICT, "A code is still good"),
            Self::TooLate => ("too_late", S::CONFLICT, "Too little time is left"),
            Self::CodeSupplied => ("code_supplied", S::CONFLICT, "The code was supplied by the caller"),
            Self::TooManySends => ("too_many_sends", S::CONFLICT, "It was sent too often"),
            Self::AwaitsText => ("awaits_text", S::CONFLICT, "A text from the number is waited for"),
            Self::OutOfStep => ("out_of_step", S::CONFLICT, "Its state does not allow this"),
            Self::IdempotencyMismatch => {
                ("idempotency_mismatch", S::CONFLICT, "The idempotency key belongs to another request")
            }
            Self::AlreadyShown => ("already_shown", S::CONFLICT, "The secret was shown once already"),
            Self::MasterKey => ("master_key", S::CONFLICT, "The master key stays"),
            Self::LastAdminKey => ("last_admin_key", S::CONFLICT, "The last admin key stays"),
            Self::KeyEnded => ("key_ended", S::CONFLICT, "The API key has ended"),
            Self::AddressNotAllowed => ("address_not_allowed", S::FORBIDDEN, "The API key does not work from there"),
            Self::PermissionMissing => ("permission_missing", S::FORBIDDEN, "The API key may not ask for this"),
            Self::TooManyWebhooks => ("too_many_webhooks", S::CONFLICT, "There are too many webhooks"),
            Self::NotDead => ("not_dead", S::CONFLICT, "The delivery is not dead"),
            Self::TargetRefused => ("target_refused", S::FORBIDDEN, "A webhook may not lead there"),
            Self::BodyTooLarge => ("body_too_large", S::PAYLOAD_TOO_LARGE, "The request is too large"),
            Self::HeadTooLarge => {
                ("head_too_large", S::REQUEST_HEADER_FIELDS_TOO_LARGE, "The request's head is too large")
            }
            Self::UnsupportedMediaType => {
                ("unsupported_media_type", S::UNSUPPORTED_MEDIA_TYPE, "The body's type is not JSON")
            }
            Self::UnknownHost => ("unknown_host", S::MISDIRECTED_REQUEST, "The request names an unknown host"),
            Self::MissingField => ("missing_field", S::UNPROCESSABLE_ENTITY, "A field is missing"),
            Self::UnknownField => ("unknown_field", S::UNPROCESSABLE_ENTITY, "A field is not known"),
            Self::InvalidValue => ("invalid_value", S::UNPROCESSABLE_ENTITY, "A value can't be taken"),
            Self::CodeTooShort => ("code_too_short", S::UNPROCESSABLE_ENTITY, "The code would be too short"),
            Self::TtlTooLong => ("ttl_too_long", S::UNPROCESSABLE_ENTITY, "The code would live too long"),
            Self::TextTooLong => ("text_too_long", S::UNPROCESSABLE_ENTITY, "The text does not fit one SMS"),
            Self::TemplateNotAllowed => ("template_not_allowed", S::FORBIDDEN, "The key may not use this template"),
            Self::HostNotAllowed => ("host_not_allowed", S::FORBIDDEN, "The key may not bind codes to this host"),
            Self::AppNotAllowed => ("app_not_allowed", S::FORBIDDEN, "The key may not address texts to this app"),
            Self::NoOwnNumber => ("no_own_number", S::SERVICE_UNAVAILABLE, "There is no number to text to"),
            Self::NumberUnassigned => ("number_unassigned", S::UNPROCESSABLE_ENTITY, "Nobody has the number"),
            Self::OptedOut => ("opted_out", S::FORBIDDEN, "The recipient does not want to be written to"),
            Self::Guarded(rule) => guard::row(rule),
            Self::TooManyLogins => ("too_many_logins", S::TOO_MANY_REQUESTS, "Too many failed log-ins"),
            Self::TooManyWaits => ("too_many_waits", S::TOO_MANY_REQUESTS, "Too many requests wait"),
            Self::Internal => ("internal", S::INTERNAL_SERVER_ERROR, "otpgate failed at this request"),
            Self::Damaged => ("damaged", S::INTERNAL_SERVER_ERROR, "The record is damaged"),
            Self::NotReady => ("not_ready", S::SERVICE_UNAVAILABLE, "otpgate can't send now"),
            Self::Busy => ("busy", S::SERVICE_UNAVAILABLE, "otpgate is busy"),
            Self::Stopping => ("stopping", S::SERVICE_UNAVAILABLE, "otpgate is stopping"),
            Self::Quarantined => ("quarantined", S::SERVICE_UNAVAILABLE, "The store is quarantined"),
            Self::DiskFull => ("disk_full", S::INSUFFICIENT_STORAGE, "The disk is full"),
            Self::Other(status) => ("http_error", status, status.canonical_reason().unwrap_or("HTTP error")),
        }
    }
}

/// The body; members beyond `detail` are extensions (RFC 9457 §3.2).
#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    uri: String,
    title: &'static str,
    status: u16,
    code: &'static str,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    reasons: &'a [String],
}

/// The media type of all errors.
pub(crate) const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/problem+json");
const RETRY_SECONDS: u64 = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::verification::VerificationState;
    use std::future::Future;

    #[test]
    fn what_the_store_refuses_has_its_status_and_word() {
        use VerificationRefused as V;
        let rows = [
            (StoreError::NotFound, 404, "not_found"),
            (StoreError::Message(Refused::OnAir), 409, "on_air"),
            (StoreError::Message(Refused::Final), 409, "already_final"),
            (StoreError::Message(Refused::Expired), 409, "already_final"),
            (StoreError::Message(Refused::TooLate), 409, "too_late"),
            (StoreError::Message(Refused::OutOfStep), 409, "out_of_step"),
            (StoreError::Verification(V::AlreadyApproved), 409, "already_approved"),
            (StoreError::Verification(V::Final(VerificationState::Expired)), 409, "already_final"),
            (StoreError::Verification(V::TooLate), 409, "too_late"),
            (StoreError::Verification(V::NotDerived), 409, "code_supplied"),
            (StoreError::Verification(V::TooManySends), 409, "too_many_sends"),
            (StoreError::Verification(V::AwaitsText), 409, "awaits_text"),
            (StoreError::Verification(V::NotYet), 409, "out_of_step"),
            (StoreError::NotSuchACode(Form { length: 6, digits: true }), 422, "invalid_value"),
            (StoreError::IdempotencyMismatch, 409, "idempotency_mismatch"),
            (StoreError::AlreadyShown, 409, "already_shown"),
            (StoreError::MasterKey("why".into()), 409, "master_key"),
            (StoreError::LastAdminKey, 409, "last_admin_key"),
            (StoreError::KeyEnded, 409, "key_ended"),
            (StoreError::TooManyWebhooks, 409, "too_many_webhooks"),
            (StoreError::NotDead, 409, "not_dead"),
            (StoreError::TooLarge, 413, "body_too_large"),
            (StoreError::Damaged, 500, "damaged"),
            (StoreError::Unassigned(std::time::Duration::from_secs(61)), 422, "number_unassigned"),
            (StoreError::OptedOut, 403, "opted_out"),
            (StoreError::Busy, 503, "busy"),
            (StoreError::Closed, 503, "stopping"),
            (StoreError::Quarantined, 503, "quarantined"),
            (StoreError::Full, 507, "disk_full"),
        ];
        for (error, status, code) in rows {
            let problem = Problem::from(error.clone());
            let (word, of, _) = problem.kind.row();
            assert_eq!((of.as_u16(), word), (status, code), "{error:?}");
            let answer = problem.into_response();
            assert_eq!(answer.headers().contains_key(header::RETRY_AFTER), status == 503, "{error:?}");
        }
    }

    #[test]
    fn what_is_not_so_is_left_out() {
        let text = |problem: Problem| {
            let (_, _, title) = problem.kind.row();
            assert!(!title.is_empty());
            let body = axum::body::to_bytes(problem.into_response().into_body(), 4096);
            let mut body = std::pin::pin!(body);
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            match body.as_mut().poll(&mut context) {
                std::task::Poll::Ready(Ok(bytes)) => String::from_utf8(bytes.to_vec()).unwrap(),
                other => panic!("{other:?}"),
            }
        };
        let expected = r#"{"type":"urn:otpgate:problem:not_found","title":"Not found","status":404,"code":"not_found","detail":"Gone."}"#;
        assert_eq!(text(Problem::new(Kind::NotFound, "Gone.")), expected);
        let expected = r#"{"type":"urn:otpgate:problem:not_ready","title":"otpgate can't send now","status":503,"code":"not_ready","detail":"No.","retry_after":7,"reasons":["a"]}"#;
        assert_eq!(text(Problem::new(Kind::NotReady, "No.").retry_after(7).because(vec!["a".into()])), expected);
    }
}
