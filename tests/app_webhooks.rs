//! The whole daemon in the process, and somebody who wants to be told: everything, in order, until they have it.

mod common;

use common::{House, ME, sleep};
use otpgate::domain::event::EventKind;
use otpgate::domain::id::{ClientId, WebhookId};
use otpgate::domain::message::Status;
use otpgate::domain::secret::Secret;
use otpgate::domain::webhook::{Delivery, Form, Outcome, Webhook};
use otpgate::ops::clock::{Clock, VirtualClock};
use otpgate::store::{Access, DeliveryQuery, EventQuery, Replayed, StoreError};
use otpgate::webhook::delivery::{Call, Transport};
use otpgate::webhook::signature;
use serde_json::Value;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const BO: &str = "+14155550100";
const CY: &str = "+14155550101";
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const ADMIN: Access = Access { client: ClientId(99), admin: true };

/// Who is told, and how they answer.
#[derive(Clone)]
struct Receiver {
    clock: Arc<VirtualClock>,
    calls: Arc<Mutex<Vec<(Duration, Call)>>>,
    answers: Arc<Mutex<Answers>>,
}

type Answers = Box<dyn FnMut(&Call) -> Option<u16> + Send>;

impl Receiver {
    /// How it answers from now on: with this status, or never.
    fn answers(&self, with: impl FnMut(&Call) -> Option<u16> + Send + 'static) {
        *self.answers.lock().unwrap() = Box::new(with);
    }

    fn calls(&self) -> Vec<(Duration, Call)> {
        self.calls.lock().unwrap().clone()
    }

    /// What it was told so far, by its word.
    fn heard(&self) -> Vec<String> {
        self.calls().iter().map(|(_, call)| word(call)).collect()
    }

    fn forget(&self) {
        self.calls.lock().unwrap().clear();
    }
}

impl Transport for Receiver {
    fn post(&self, call: Call) -> Pin<Box<dyn Future<Output = Outcome> + Send>> {
        self.calls.lock().unwrap().push((self.clock.now().mono.0, call.clone()));
        let status = (self.answers.lock().unwrap())(&call);
        Box::pin(async move {
            match status {
                Some(status) => Outcome::Answered { status, retry_after: None },
                None => std::future::pending().await,
            }
        })
    }
}

fn json(call: &Call) -> Value {
    serde_json::from_str(call.body.reveal()).unwrap()
}

fn word(call: &Call) -> String {
    let json = json(call);
    json["type"].as_str().or(json["event"].as_str()).unwrap().to_owned()
}

async fn house() -> (House, Receiver) {
    let mut house = House::empty(2, &Default::default(), 7, Default::default());
    let receiver = Receiver {
        clock: house.clock.clone(),
        calls: Arc::default(),
        answers: Arc::new(Mutex::new(Box::new(|_| Some(204)))),
    };
    house.receiver = Some(Arc::new(receiver.clone()));
    house.begin().await;
    house.ready(0).await;
    house.ready(1).await;
    (house, receiver)
}

fn secret() -> Secret {
    signature::secret(&[7; 32])
}

/// A webhook for everything of the whole box.
async fn webhook(house: &mut House, change: impl FnOnce(&mut Webhook)) -> WebhookId {
    let now = house.clock.now().wall;
    let mut webhook = Webhook {
        id: WebhookId::new(now, house.fresh()),
        client: None,
        url: "https://hooks.example/otpgate".into(),
        events: Vec::new(),
        form: Form::Native,
        include_text: false,
        secret: secret(),
        older: None,
        created: now,
        gone: None,
    };
    change(&mut webhook);
    house.store().create_webhook(webhook, None).await.unwrap().value.webhook.id
}

async fn deliveries(house: &House, id: WebhookId, status: &'static str) -> Vec<Delivery> {
    let query = DeliveryQuery { status: Some(status), limit: 200, ..DeliveryQuery::default() };
    house.store().deliveries(ADMIN, id, query).await.unwrap().items
}

#[tokio::test(start_paused = true)]
async fn each_state_is_told_in_order_signed_and_without_the_code() {
    let (mut house, receiver) = house().await;
    webhook(&mut house, |_| {}).await;
    let verification = house.verify(BO, "code").await.verification;
    house.settled(verification.message, MINUTE).await;
    let code = house.copies(BO)[0].split(' ').nth(1).unwrap().to_owned();
    assert!(house.check(verification.id, &code).await.unwrap().valid);
    sleep(1).await;
    assert_eq!(
        receiver.heard(),
        ["verification.created", "message.queued", "message.submitted", "message.delivered", "verification.approved"]
    );
    for (at, call) in receiver.calls() {
        let (body, json) = (call.body.reveal(), json(&call));
        assert_eq!(
            signature::verify(&secret(), &call.id, call.timestamp, body.as_bytes(), &call.signature, call.timestamp),
            Ok(())
        );
        assert_eq!(call.timestamp, (common::BEGIN + at).0 / 1000);
        assert_eq!(json["data"]["to"], BO, "who owns the number may know it");
        assert!(!body.contains(&code) && !body.contains("code "), "{body}");
        let of = json["data"]["verification"].as_str().or(json["data"]["id"].as_str()).unwrap();
        assert_eq!(of, verification.id.to_string());
    }
    let ids: std::collections::BTreeSet<_> = receiver.calls().into_iter().map(|(_, call)| call.id).collect();
    assert_eq!(ids.len(), 5, "each has its own id");
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_fails_is_tried_again_and_only_what_is_about_the_same_waits_for_it() {
    let (mut house, receiver) = house().await;
    webhook(&mut house, |w| w.events = vec!["message.submitted".into(), "message.delivered".into()]).await;
    let first = house.accept(BO, "first").await;
    let unlucky = first.to_string();
    let mut failures = 3;
    receiver.answers(move |call| {
        let fails = call.body.reveal().contains(&unlucky) && failures > 0;
        failures -= i32::from(fails);
        Some(if fails { 500 } else { 200 })
    });
    let second = house.accept(CY, "second").await;
    house.settled(first, MINUTE).await;
    house.settled(second, MINUTE).await;
    sleep(2).await;
    let told = |id: &str| {
        let about =
            receiver.calls().into_iter().filter(|(_, call)| call.body.reveal().contains(id)).collect::<Vec<_>>();
        about.iter().map(|(_, call)| word(call)).collect::<Vec<_>>()
    };
    assert_eq!(told(&second.to_string()), ["message.submitted", "message.delivered"], "held up by nobody");
    assert_eq!(told(&first.to_string()), ["message.submitted"]);
    sleep(3 * 60).await;
    let (submitted, delivered) = ("message.submitted", "message.delivered");
    assert_eq!(told(&first.to_string()), [submitted, submitted, submitted, submitted, delivered]);
    let about: Vec<_> =
        receiver.calls().into_iter().filter(|(_, c)| c.body.reveal().contains(&first.to_string())).collect();
    assert!(about[..4].iter().all(|(_, c)| c.id == about[0].1.id), "the same id each time");
    let pauses: Vec<u64> = about[..4].windows(2).map(|w| (w[1].0 - w[0].0).as_secs()).collect();
    for (pause, expected) in pauses.iter().zip([5, 30, 120]) {
        assert!((expected * 9 / 10 - 1..=expected * 11 / 10 + 1).contains(pause), "{pauses:?}");
    }
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_or_a_crash_goes_on_where_it_was() {
    let (mut house, receiver) = house().await;
    let id = webhook(&mut house, |w| w.events = vec!["message.*".into()]).await;
    receiver.answers(|_| Some(503));
    let message = house.accept(BO, "hello").await;
    house.settled(message, MINUTE).await;
    sleep(2).await;
    assert_eq!(deliveries(&house, id, "waiting").await.len(), 3, "queued, submitted, delivered");
    let before = receiver.calls()[0].1.clone();
    house.restart().await;
    house.crash().await;
    receiver.forget();
    receiver.answers(|_| Some(200));
    sleep(60).await;
    assert_eq!(receiver.heard(), ["message.queued", "message.submitted", "message.delivered"]);
    assert_eq!((&receiver.calls()[0].1.id, &receiver.calls()[0].1.body), (&before.id, &before.body));
    // Told, but the record of that is lost: told again, by the same id.
    house.accept(CY, "again").await;
    let calls = receiver.calls().len();
    for _ in 0..1000 {
        if receiver.calls().len() > calls {
            break;
        }
        tokio::task::yield_now().await;
    }
    house.crash().await;
    house.ready(0).await;
    sleep(60).await;
    let ids: Vec<_> = receiver.calls().into_iter().map(|(_, call)| call.id).collect();
    assert!(ids.len() >= 6, "at least once: {ids:?}");
    assert_eq!(deliveries(&house, id, "waiting").await.len(), 0);
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn after_a_day_a_delivery_is_dead_until_it_is_replayed() {
    let (mut house, receiver) = house().await;
    let id = webhook(&mut house, |w| w.events = vec!["message.delivered".into()]).await;
    receiver.answers(|_| Some(500));
    let message = house.accept(BO, "hello").await;
    assert_eq!(house.settled(message, MINUTE).await.status(), Status::Delivered, "sending waits for nobody");
    tokio::time::sleep(DAY * 5 / 4).await;
    assert_eq!(receiver.calls().len(), 11);
    let [dead] = &deliveries(&house, id, "dead").await[..] else { panic!("not dead") };
    assert_eq!((dead.attempts, dead.last.clone().unwrap().status), (11, Some(500)));
    let events = EventQuery { kind: Some(EventKind::WebhookFailing), limit: 9, ..EventQuery::default() };
    assert_eq!(house.store().events(events).await.unwrap().items.len(), 1, "an alarm, once");
    receiver.forget();
    receiver.answers(|_| Some(200));
    let replayed = house.store().replay_delivery(ADMIN, id, dead.id, None).await.unwrap().value;
    assert_eq!(replayed.id, dead.id);
    sleep(1).await;
    assert_eq!(receiver.heard(), ["message.delivered"]);
    assert_eq!(house.store().replay_delivery(ADMIN, id, dead.id, None).await.err(), Some(StoreError::NotDead));
    assert_eq!(house.store().replay_dead(ADMIN, id, None, None).await.unwrap(), Replayed { replayed: 0, left: 0 });
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn all_that_is_dead_is_replayed_at_once() {
    let (mut house, receiver) = house().await;
    let id = webhook(&mut house, |w| {
        w.form = Form::MyOtp;
        w.client = Some(ME.client);
    })
    .await;
    receiver.answers(|_| None);
    let (a, b) = (house.verify(BO, "a").await, house.verify(CY, "b").await);
    house.settled(a.verification.message, MINUTE).await;
    house.settled(b.verification.message, MINUTE).await;
    tokio::time::sleep(HOUR).await;
    assert_eq!(deliveries(&house, id, "dead").await.len(), 4);
    receiver.forget();
    receiver.answers(|_| Some(200));
    let since = Some(house.clock.now().wall.before(HOUR * 2));
    assert_eq!(house.store().replay_dead(ADMIN, id, None, since).await.unwrap().replayed, 0, "of before");
    assert_eq!(house.store().replay_dead(ADMIN, id, since, None).await.unwrap(), Replayed { replayed: 4, left: 0 });
    sleep(1).await;
    let mut heard = receiver.heard();
    heard.sort();
    assert_eq!(heard, ["otp.delivered", "otp.delivered", "otp.sent", "otp.sent"]);
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn myotp_s_receivers_are_told_in_their_words_and_five_times_again() {
    let (mut house, receiver) = house().await;
    webhook(&mut house, |w| {
        w.form = Form::MyOtp;
        w.client = Some(ME.client);
    })
    .await;
    house.accept(BO, "a plain message is no code").await;
    let verification = house.verify(CY, "x").await.verification;
    house.settled(verification.message, MINUTE).await;
    sleep(1).await;
    assert_eq!(receiver.heard(), ["otp.sent", "otp.delivered"]);
    let body = json(&receiver.calls()[1].1);
    assert_eq!(body["message_id"].as_str().unwrap().replace('-', ""), verification.id.to_string()[4..]);
    assert_eq!((&body["status"], &body["phone_number"]), (&"delivered".into(), &CY[1..].into()));
    assert_eq!((&body["channel"], body.get("reason")), (&"sms".into(), None));
    assert!(body["occurred_at"].as_str().unwrap().ends_with("Z") && body["occurred_at"].as_str().unwrap().len() == 20);

    receiver.forget();
    receiver.answers(|_| Some(500));
    house.verify(BO, "x").await;
    sleep(600).await;
    let times: Vec<u64> = receiver.calls().iter().take(6).map(|(at, _)| at.as_secs()).collect();
    let pauses: Vec<u64> = times.windows(2).map(|w| w[1] - w[0]).collect();
    assert_eq!(pauses, [5, 10, 20, 40, 60]);
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn one_that_is_gone_is_left_alone_until_it_is_enabled() {
    let (mut house, receiver) = house().await;
    let id = webhook(&mut house, |w| w.events = vec!["message.*".into()]).await;
    receiver.answers(|_| Some(410));
    let message = house.accept(BO, "hello").await;
    house.settled(message, MINUTE).await;
    sleep(5).await;
    assert_eq!(receiver.heard(), ["message.queued"]);
    assert!(house.store().webhook(ADMIN, id).await.unwrap().webhook.gone.is_some());
    house.restart().await;
    house.ready(0).await;
    receiver.answers(|_| Some(200));
    house.accept(CY, "unheard").await;
    sleep(60).await;
    assert_eq!(receiver.heard(), ["message.queued"]);
    assert!(deliveries(&house, id, "waiting").await.is_empty(), "what waited is dead");
    house.store().enable_webhook(ADMIN, id).await.unwrap();
    let heard = house.accept(BO, "heard").await;
    house.settled(heard, MINUTE).await;
    sleep(1).await;
    assert_eq!(receiver.heard()[1..], ["message.queued", "message.submitted", "message.delivered"]);
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_receiver_costs_fifteen_seconds_and_holds_no_other_up() {
    let (mut house, receiver) = house().await;
    let slow = webhook(&mut house, |w| w.url = "https://slow.example/".into()).await;
    webhook(&mut house, |_| {}).await;
    receiver.answers(|call| (!call.url.reveal().contains("slow")).then_some(200));
    for n in 0..20 {
        house.accept(BO, &n.to_string()).await;
    }
    sleep(14).await;
    let quick = receiver.calls().iter().filter(|(_, call)| !call.url.reveal().contains("slow")).count();
    assert!(quick >= 60, "{quick}");
    sleep(2).await;
    let last = house.store().webhook(ADMIN, slow).await.unwrap().last.unwrap();
    assert_eq!(last.why.unwrap(), "no answer within 15 seconds");
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn each_is_told_of_its_own_affairs() {
    let (mut house, receiver) = house().await;
    for (host, client, include_text) in [
        ("all", None, false),
        ("text", None, true),
        ("mine", Some(ME.client), false),
        ("other", Some(ClientId(5)), false),
    ] {
        webhook(&mut house, |w| {
            w.url = format!("https://{host}.example/").into();
            (w.client, w.include_text) = (client, include_text);
        })
        .await;
    }
    house.accept(BO, "hello").await;
    let own = house.simulator.identity(0).unwrap().number;
    house.simulator.inbound(BO, &own, "sesame").unwrap();
    sleep(5).await;
    let told = |host: &str| -> Vec<(String, bool)> {
        let url = format!("https://{host}.example/");
        let calls = receiver.calls().into_iter().filter(|(_, call)| call.url.reveal() == url).collect::<Vec<_>>();
        let mut told: Vec<_> = calls.iter().map(|(_, c)| (word(c), c.body.reveal().contains("sesame"))).collect();
        told.sort();
        told
    };
    let words = |text: bool, inbound: bool| {
        let came = inbound.then(|| ("inbound.received".to_owned(), text));
        let sent = ["message.delivered", "message.queued", "message.submitted"].map(|word| (word.to_owned(), false));
        came.into_iter().chain(sent).collect::<Vec<_>>()
    };
    assert_eq!(told("all"), words(false, true));
    assert_eq!(told("text"), words(true, true));
    assert_eq!(told("mine"), words(false, false));
    assert_eq!(told("other"), []);
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_new_secret_signs_beside_the_old_one_for_a_while() {
    let (mut house, receiver) = house().await;
    let id = webhook(&mut house, |w| w.events = vec!["message.queued".into()]).await;
    let new = signature::secret(&[8; 32]);
    house.store().rotate_webhook(ADMIN, id, new.clone(), HOUR, None).await.unwrap();
    house.accept(BO, "both").await;
    sleep(1).await;
    tokio::time::sleep(HOUR).await;
    house.accept(BO, "new").await;
    sleep(1).await;
    let good = |call: &Call, secret: &Secret| {
        let body = call.body.reveal().as_bytes();
        signature::verify(secret, &call.id, call.timestamp, body, &call.signature, call.timestamp).is_ok()
    };
    let calls: Vec<Call> = receiver.calls().into_iter().map(|(_, call)| call).collect();
    assert_eq!((good(&calls[0], &secret()), good(&calls[0], &new)), (true, true));
    assert_eq!((good(&calls[1], &secret()), good(&calls[1], &new)), (false, true));
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_told_is_kept_for_a_day_and_what_is_dead_for_a_week() {
    let (mut house, receiver) = house().await;
    let id = webhook(&mut house, |w| w.events = vec!["message.queued".into()]).await;
    house.accept(BO, "told").await;
    sleep(1).await;
    receiver.answers(|_| Some(500));
    house.accept(BO, "untold").await;
    tokio::time::sleep(DAY - MINUTE).await;
    assert_eq!(deliveries(&house, id, "delivered").await.len(), 1);
    assert!(deliveries(&house, id, "delivered").await[0].body.is_none(), "but not what it told");
    tokio::time::sleep(MINUTE * 3).await;
    assert_eq!(deliveries(&house, id, "delivered").await.len(), 0);
    tokio::time::sleep(DAY).await;
    assert_eq!(deliveries(&house, id, "dead").await.len(), 1);
    tokio::time::sleep(DAY * 7).await;
    assert_eq!(deliveries(&house, id, "dead").await.len(), 0);
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn clocks_that_jump_neither_hurry_nor_hold_up_what_waits() {
    let (mut house, receiver) = house().await;
    webhook(&mut house, |w| w.events = vec!["message.queued".into()]).await;
    receiver.answers(|_| Some(500));
    house.accept(BO, "x").await;
    sleep(1).await;
    house.clock.jump_wall(-10 * 24 * 3600 * 1000);
    receiver.answers(|_| Some(200));
    sleep(10).await;
    assert_eq!(receiver.calls().len(), 2, "a clock set back by ten days");
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_webhook_that_is_deleted_leaves_nothing() {
    let (mut house, receiver) = house().await;
    let id = webhook(&mut house, |_| {}).await;
    receiver.answers(|_| Some(500));
    for n in 0..50 {
        house.accept(BO, &n.to_string()).await;
    }
    sleep(1).await;
    house.store().delete_webhook(ADMIN, id).await.unwrap();
    receiver.forget();
    house.accept(BO, "x").await;
    sleep(60).await;
    assert_eq!(receiver.heard(), [""; 0]);
    house.restart().await;
    let left = house.store().webhooks(ADMIN).await.unwrap();
    assert!(left.is_empty());
    house.stop().await;
}
