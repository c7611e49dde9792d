//! What is told, in whose words. Never a code, never a verification's text.

use crate::dispatch::retry;
use crate::domain::event::{EventKind, LoggedEvent};
use crate::domain::id::{ClientId, WebhookId};
use crate::domain::inbound::{Inbound, InboundState};
use crate::domain::message::{Message, Status};
use crate::domain::reason::Reason;
use crate::domain::secret::Secret;
use crate::domain::time::Wall;
use crate::domain::verification::{Verification, VerificationState};
use crate::domain::webhook::Form;
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

/// Something that happened.
#[derive(Clone, Copy, Debug)]
pub enum Fact<'a> {
    /// A message came to be what it is now.
    Message(&'a Message),
    /// A verification came to be what it is now.
    Verification(&'a Verification),
    /// A message came in; with what it says.
    Inbound(&'a LoggedEvent, &'a Inbound, Option<&'a Secret>),
    /// Something else that is logged.
    Logged(&'a LoggedEvent),
    /// Somebody tries the webhook.
    Test(WebhookId, Wall),
}

impl Fact<'_> {
    /// The word for it in the words of this form. `None`: that form has none, or it is nothing to tell.
    pub fn event(&self, form: Form) -> Option<&'static str> {
        match (form, self) {
            (Form::Native, Self::Message(message)) => message_word(message.status()),
            (Form::Native, Self::Verification(verification)) => Some(verification_word(verification.state)),
            (Form::Native, Self::Inbound(logged, ..) | Self::Logged(logged)) => Some(logged.event.kind.as_str()),
            (Form::Native, Self::Test(..)) => Some(TEST),
            (Form::MyOtp, Self::Message(message)) if message.verification.is_some() => myotp(message).map(|w| w.0),
            // Its receivers know no other; this one is of no message of theirs.
            (Form::MyOtp, Self::Test(..)) => Some(OTP_SENT),
            (Form::MyOtp, _) => None,
        }
    }

    /// Whose affair it is. `None`: the box's own.
    pub fn client(&self) -> Option<ClientId> {
        match self {
            Self::Message(message) => Some(message.client),
            Self::Verification(verification) => Some(verification.client),
            Self::Inbound(..) | Self::Logged(_) | Self::Test(..) => None,
        }
    }

    /// Whether it is about this very webhook: it is not told of its own troubles.
    pub fn is_about(&self, webhook: WebhookId) -> bool {
        matches!(self, Self::Logged(logged)
            if logged.event.kind == EventKind::WebhookFailing && logged.event.about == Some(webhook.0))
    }

    /// What it is about: news of the same subject are told in order. A code's messages are their verification's affair.
    pub fn subject(&self) -> u128 {
        match self {
            Self::Message(message) => message.verification.map_or(message.id.0, |id| id.0),
            Self::Verification(verification) => verification.id.0,
            Self::Inbound(logged, ..) | Self::Logged(logged) => logged.event.about.unwrap_or(logged.id.0),
            Self::Test(webhook, _) => webhook.0,
        }
    }

    /// The body, if this form tells it. `text`: whether it may hold what a message that came in says.
    pub fn body(&self, form: Form, text: bool) -> Option<Secret> {
        let event = self.event(form)?;
        let body = match (form, self) {
            (Form::Native, _) => native(event, self.at(), self, text),
            (Form::MyOtp, Self::Message(message)) => myotp_body(event, message),
            (Form::MyOtp, _) => myotp_test(self.at()),
        };
        Some(Secret::new(body))
    }

    fn at(&self) -> Wall {
        match self {
            Self::Message(message) => message.updated,
            Self::Verification(verification) => verification.updated,
            Self::Inbound(logged, ..) | Self::Logged(logged) => logged.at,
            Self::Test(_, at) => *at,
        }
    }

    fn data(&self, text: bool) -> Data<'_> {
        match self {
            Self::Message(message) => Data::Message(message_data(message)),
            Self::Verification(verification) => Data::Verification(verification_data(verification)),
            Self::Inbound(_, message, says) => Data::Inbound(inbound_data(message, says.filter(|_| text))),
            Self::Logged(logged) => Data::Logged(logged_data(logged)),
            Self::Test(webhook, _) => Data::Test { webhook: webhook.to_string() },
        }
    }
}

/// Every word that a webhook of this form may ask for: of the whole box, or of one client's affairs.
pub fn words(form: Form, whole_box: bool) -> Vec<&'static str> {
    match form {
        Form::Native => {
            let messages = Status::ALL.into_iter().filter_map(message_word);
            let own = EventKind::ALL.into_iter().filter(|_| whole_box).map(EventKind::as_str);
            messages.chain(VERIFICATION_WORDS).chain(own).collect()
        }
        Form::MyOtp => vec![OTP_SENT, OTP_DELIVERED, OTP_FAILED],
    }
}

fn message_word(status: Status) -> Option<&'static str> {
    Some(match status {
        Status::Queued => "message.queued",
        // A modem has it: no end of anything, and a moment later there is more to tell.
        Status::Submitting => return None,
        Status::Submitted => "message.submitted",
        Status::Delivered => "message.delivered",
        Status::Undelivered => "message.undelivered",
        Status::Failed => "message.failed",
        Status::Expired => "message.expired",
        Status::Canceled => "message.canceled",
        Status::Uncertain => "message.uncertain",
    })
}

fn verification_word(state: VerificationState) -> &'static str {
    let [created, approved, expired, max_attempts, canceled] = VERIFICATION_WORDS;
    match state {
        VerificationState::Pending => created,
        VerificationState::Approved => approved,
        VerificationState::Expired => expired,
        VerificationState::MaxAttemptsReached => max_attempts,
        VerificationState::Canceled(_) => canceled,
    }
}

#[derive(Serialize)]
struct Native<'a> {
    #[serde(rename = "type")]
    event: &'a str,
    timestamp: String,
    data: Data<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Data<'a> {
    Message(MessageData<'a>),
    Verification(VerificationData<'a>),
    Inbound(InboundData<'a>),
    Logged(LoggedData<'a>),
    Test {
        webhook: String,
    },
    /// Of something too large for a record.
    Cut {
        cut: bool,
    },
}

#[derive(Serialize)]
struct MessageData<'a> {
    id: String,
    client: String,
    verification: Option<String>,
    to: String,
    status: &'static str,
    #[serde(rename = "final")]
    is_final: bool,
    reason: Option<Why>,
    ever_uncertain: bool,
    client_reference: Option<&'a str>,
    created_at: String,
    updated_at: String,
    version: u32,
}

#[derive(Serialize)]
struct VerificationData<'a> {
    id: String,
    client: String,
    message: String,
    to: String,
    status: &'static str,
    reason: Option<Why>,
    purpose: Option<&'a str>,
    brand: Option<&'a str>,
    metadata: Option<&'a RawValue>,
    sends: u8,
    created_at: String,
    updated_at: String,
    expires_at: String,
    version: u32,
}

#[derive(Serialize)]
struct InboundData<'a> {
    id: String,
    from: Option<&'a str>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// There is more of it than goes into a record; `GET /v1/inbound/{id}` has it all.
    #[serde(skip_serializing_if = "Option::is_none")]
    text_cut: Option<bool>,
    received_at: String,
    modem: &'a str,
    sim_card: &'a str,
}

#[derive(Serialize)]
struct LoggedData<'a> {
    id: String,
    sentence: &'a str,
    modem: Option<&'a str>,
    sim_card: Option<&'a str>,
    about: Option<String>,
}

/// Why something is as it is, as the API shows it as well.
#[derive(Serialize)]
pub(crate) struct Why {
    pub(crate) code: &'static str,
    pub(crate) text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) number: Option<u16>,
    /// What kind of trouble a modem's or network's answer tells of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) class: Option<&'static str>,
}

impl From<Reason> for Why {
    fn from(reason: Reason) -> Self {
        let (text, class) = (retry::explain(reason), retry::class_word(reason));
        Self { code: reason.code(), text, number: reason.number(), class }
    }
}

fn native(event: &str, at: Wall, fact: &Fact<'_>, text: bool) -> String {
    let write = |data| {
        let body = Native { event, timestamp: at.to_string(), data };
        // A caller's own JSON was read as such when it came; nothing else here can be refused.
        serde_json::to_string(&body).unwrap_or_default()
    };
    let body = write(fact.data(text));
    if (1..=MAX_BODY).contains(&body.len()) { body } else { write(Data::Cut { cut: true }) }
}

fn message_data(m: &Message) -> MessageData<'_> {
    MessageData {
        id: m.id.to_string(),
        client: m.client.to_string(),
        verification: m.verification.map(|id| id.to_string()),
        to: m.to.reveal_e164(),
        status: m.status().as_str(),
        is_final: m.is_final(),
        reason: m.reason().map(Why::from),
        ever_uncertain: m.ever_uncertain,
        client_reference: m.client_reference.as_deref(),
        created_at: m.created.to_string(),
        updated_at: m.updated.to_string(),
        version: m.version,
    }
}

fn verification_data(v: &Verification) -> VerificationData<'_> {
    VerificationData {
        id: v.id.to_string(),
        client: v.client.to_string(),
        message: v.message.to_string(),
        to: v.to.reveal_e164(),
        status: v.state.as_str(),
        reason: match v.state {
            VerificationState::Canceled(reason) => Some(reason.into()),
            _ => None,
        },
        purpose: v.purpose.as_deref(),
        brand: v.brand.as_deref(),
        metadata: v.metadata.as_deref().and_then(|json| serde_json::from_str(json).ok()),
        sends: v.sends,
        created_at: v.created.to_string(),
        updated_at: v.updated.to_string(),
        expires_at: v.expires.wall.to_string(),
        version: v.version,
    }
}

fn inbound_data<'a>(m: &'a Inbound, says: Option<&Secret>) -> InboundData<'a> {
    let says = says.map(Secret::reveal);
    let text = says.map(|says| says.chars().take(MAX_TEXT).collect::<String>());
    InboundData {
        id: m.id.to_string(),
        from: m.from.as_ref().map(Secret::reveal),
        status: match m.state {
            InboundState::Received => "received",
            InboundState::Undecodable => "undecodable",
            InboundState::Incomplete | InboundState::Waiting { .. } => "incomplete",
        },
        text_cut: says.and_then(|says| says.chars().nth(MAX_TEXT)).map(|_| true),
        text,
        received_at: m.received.to_string(),
        modem: m.modem.as_str(),
        sim_card: m.sim_card.as_str(),
    }
}

fn logged_data(logged: &LoggedEvent) -> LoggedData<'_> {
    LoggedData {
        id: logged.id.to_string(),
        sentence: &logged.event.sentence,
        modem: logged.event.modem.as_ref().map(|imei| imei.as_str()),
        sim_card: logged.event.sim_card.as_ref().map(|card| card.as_str()),
        about: logged.about(),
    }
}

#[derive(Serialize)]
struct MyOtp<'a> {
    event: &'a str,
    message_id: String,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    channel: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone_number: Option<&'a str>,
    occurred_at: String,
}

/// MyOTP.App's word for a state, its status and its reason. Of what the caller did, and of what may still turn out either way,
/// it has none.
fn myotp(message: &Message) -> Option<(&'static str, &'static str, Option<&'static str>)> {
    match message.status() {
        Status::Submitted => Some((OTP_SENT, "sent", None)),
        Status::Delivered => Some((OTP_DELIVERED, "delivered", None)),
        Status::Undelivered => Some((OTP_FAILED, "failed", Some("Undeliverable"))),
        Status::Failed => Some((OTP_FAILED, "failed", Some("Modem"))),
        Status::Expired => Some((OTP_FAILED, "failed", Some("Expired"))),
        Status::Queued | Status::Submitting | Status::Canceled | Status::Uncertain => None,
    }
}

fn myotp_body(event: &str, message: &Message) -> String {
    let (_, status, reason) = myotp(message).unwrap_or_default();
    write_myotp(&MyOtp {
        event,
        message_id: Uuid::from_u128(message.verification.map_or(message.id.0, |id| id.0)).to_string(),
        status,
        reason,
        channel: "sms",
        phone_number: Some(message.to.reveal_digits()),
        occurred_at: seconds(message.updated),
    })
}

fn myotp_test(at: Wall) -> String {
    write_myotp(&MyOtp {
        event: OTP_SENT,
        message_id: Uuid::nil().to_string(),
        status: "sent",
        reason: None,
        channel: "sms",
        phone_number: None,
        occurred_at: seconds(at),
    })
}

fn write_myotp(body: &MyOtp<'_>) -> String {
    serde_json::to_string(body).unwrap_or_default()
}

/// RFC 3339 in whole seconds, as that API has it.
fn seconds(at: Wall) -> String {
    Wall(at.0 - at.0.rem_euclid(1000)).to_string().replace(".000Z", "Z")
}

/// What is told when somebody tries a webhook.
pub const TEST: &str = "webhook.test";
const VERIFICATION_WORDS: [&str; 5] = [
    "verification.created",
    "verification.approved",
    "verification.expired",
    "verification.max_attempts_reached",
    "verification.canceled",
];
const OTP_SENT: &str = "otp.sent";
const OTP_DELIVERED: &str = "otp.delivered";
const OTP_FAILED: &str = "otp.failed";
/// Octets of a body, at most: it must fit a record, with what went wrong beside it.
const MAX_BODY: usize = 2600;
/// Characters of a text that came in, at most.
const MAX_TEXT: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::message::{ReportState, State};
    use crate::domain::webhook::MAX_WHY;
    use crate::store::generate;
    use crate::store::record::MAX_VALUE;
    use proptest::prelude::*;
    use serde_json::Value;

    proptest! {
        #[test]
        fn every_message_is_told_or_not_by_its_status_and_fits_a_record(message in generate::message()) {
            let fact = Fact::Message(&message);
            let body = fact.body(Form::Native, false);
            prop_assert_eq!(body.is_none(), message.status() == Status::Submitting);
            if let Some(body) = body {
                let json: Value = serde_json::from_str(body.reveal()).unwrap();
                prop_assert_eq!(&json["type"], &format!("message.{}", message.status().as_str()));
                prop_assert_eq!(&json["data"]["id"], &message.id.to_string());
                prop_assert!(body.reveal().len() + MAX_WHY * 4 < MAX_VALUE - 300);
            }
            let told = fact.event(Form::MyOtp).is_some();
            prop_assert!(!told || message.verification.is_some(), "MyOTP.App's receivers hear of codes only");
        }

        #[test]
        fn a_verification_is_told_without_what_its_code_comes_from(verification in generate::verification()) {
            let body = Fact::Verification(&verification).body(Form::Native, true).unwrap();
            let json: Value = serde_json::from_str(body.reveal()).unwrap();
            prop_assert_eq!(&json["data"]["status"], verification.state.as_str());
            for name in ["code", "nonce", "generation", "failures", "text"] {
                prop_assert!(json["data"].get(name).is_none(), "{}", name);
            }
            prop_assert_eq!(Fact::Verification(&verification).body(Form::MyOtp, true), None);
        }

        #[test]
        fn whatever_comes_in_is_told_with_its_text_only_if_that_was_asked_for(
            logged in generate::logged_event(), message in generate::inbound(), text in ".{0,2000}",
        ) {
            let text = Secret::new(text);
            let fact = Fact::Inbound(&logged, &message, Some(&text));
            for may in [false, true] {
                let body = fact.body(Form::Native, may).unwrap();
                let json: Value = serde_json::from_str(body.reveal()).unwrap();
                let cut = json["data"].get("cut").is_some();
                prop_assert_eq!(json["data"].get("text").is_some(), may && !cut);
                prop_assert!(body.reveal().len() <= MAX_BODY);
                let begins = json["data"]["text"].as_str().is_none_or(|told| text.reveal().starts_with(told));
                prop_assert!(begins, "it is the beginning of the text");
            }
        }

        #[test]
        fn myotp_s_bodies_have_what_its_receivers_need(message in generate::message(), verification: u128) {
            let state = State::Submitted { closes: message.deadline, report: ReportState::Awaited };
            let verification = Some(crate::domain::id::VerificationId(verification));
            let message = Message { state, verification, ..message };
            let body = Fact::Message(&message).body(Form::MyOtp, false).unwrap();
            let json: Value = serde_json::from_str(body.reveal()).unwrap();
            prop_assert_eq!((&json["event"], &json["status"]), (&"otp.sent".into(), &"sent".into()));
            prop_assert!(Uuid::try_parse(json["message_id"].as_str().unwrap()).is_ok());
            prop_assert_eq!(&json["phone_number"], message.to.reveal_digits());
            prop_assert!(json.get("reason").is_none());
        }
    }

    #[test]
    fn a_test_is_no_message_of_anybody_s() {
        let fact = Fact::Test(WebhookId(1), Wall(1_795_397_726_123));
        let told = |form| fact.body(form, false).unwrap().reveal().to_owned();
        assert_eq!(
            told(Form::Native),
            r#"{"type":"webhook.test","timestamp":"2026-11-23T01:35:26.123Z","data":{"webhook":"whk_00000000000000000000000000000001"}}"#
        );
        assert_eq!(
            told(Form::MyOtp),
            r#"{"event":"otp.sent","message_id":"00000000-0000-0000-0000-000000000000","status":"sent","channel":"sms","occurred_at":"2026-11-23T01:35:26Z"}"#
        );
    }
}
