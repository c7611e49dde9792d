//! The outbox: written with what happens, bounded, and the same after a crash.

use super::*;
use otpgate::domain::event::{EventKind, NewEvent};
use otpgate::domain::id::WebhookId;
use otpgate::domain::webhook::{Dead, DeliveryState, Form, Webhook};
use otpgate::store::{DeliveryQuery, EventQuery};

on_both_stores! {
    what_happened_before_a_webhook_was_made_is_not_told
    what_waits_is_there_after_a_crash_and_of_too_much_the_oldest_is_given_up
}

const ADMIN: Access = Access { client: ClientId(9), admin: true };
const HOOK: WebhookId = WebhookId(1);

async fn webhook(w: &World) {
    let webhook = Webhook {
        id: HOOK,
        client: None,
        url: Secret::new("https://hooks.example/"),
        events: vec!["modem.recovered".to_owned()],
        form: Form::Native,
        include_text: false,
        secret: Secret::new("b25l"),
        older: None,
        created: w.clock.now().wall,
        gone: None,
    };
    w.store().create_webhook(webhook, None).await.unwrap();
}

fn recovered(n: usize) -> NewEvent {
    let (kind, sentence) = (EventKind::ModemRecovered, n.to_string());
    NewEvent { kind, modem: None, sim_card: None, sentence, about: None }
}

async fn what_happened_before_a_webhook_was_made_is_not_told(w: World) {
    w.store().note(recovered(1)).await.unwrap();
    webhook(&w).await;
    assert_eq!(w.store().webhook(ADMIN, HOOK).await.unwrap().waiting, 0);
    w.store().note(recovered(2)).await.unwrap();
    let parcel = w.store().parcel().await.unwrap();
    assert!(parcel.body.reveal().contains(r#""sentence":"2""#), "{}", parcel.body.reveal());
}

async fn what_waits_is_there_after_a_crash_and_of_too_much_the_oldest_is_given_up(mut w: World) {
    webhook(&w).await;
    let (most, more) = (10_000, 5);
    let noted: Vec<_> = (0..most + more).map(|n| w.store().note(recovered(n))).collect();
    for noted in noted {
        noted.await.unwrap();
    }
    for _ in 0..2 {
        let view = w.store().webhook(ADMIN, HOOK).await.unwrap();
        assert_eq!((view.waiting, view.dead), (most, more));
        let dead = DeliveryQuery { status: Some("dead"), limit: 50, ..DeliveryQuery::default() };
        let dead = w.store().deliveries(ADMIN, HOOK, dead).await.unwrap().items;
        let told: Vec<_> = dead.iter().rev().map(|d| d.body.as_ref().unwrap().reveal().to_owned()).collect();
        for (n, (told, delivery)) in told.iter().zip(dead.iter().rev()).enumerate() {
            assert!(told.contains(&format!(r#""sentence":"{n}""#)), "{told}");
            assert!(matches!(delivery.state, DeliveryState::Dead { why: Dead::QueueFull, .. }));
        }
        let alarms = EventQuery { kind: Some(EventKind::WebhookFailing), limit: 50, ..EventQuery::default() };
        assert_eq!(w.store().events(alarms).await.unwrap().items.len(), 1, "said once");
        w.crash().await;
    }
    let next = w.store().parcel().await.unwrap();
    assert!(next.body.reveal().contains(&format!(r#""sentence":"{more}""#)), "the oldest that is left");
}
