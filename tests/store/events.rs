//! The event log: what is kept of it, in which order, and for how long.

use super::*;
use otpgate::domain::event::{EventKind, NewEvent};
use otpgate::domain::id::EventId;
use otpgate::store::EventQuery;

on_both_stores! {
    an_event_is_listed_newest_first_also_after_a_crash
    events_are_found_by_kind_and_time
    a_page_goes_on_where_the_last_one_ended
    what_is_a_week_old_is_forgotten
    no_more_than_ten_thousand_are_kept
    a_sentence_is_cut_before_it_is_too_large
}

fn event(kind: EventKind, sentence: &str) -> NewEvent {
    let (modem, sim_card) = (Some(Imei::new("001017000000001")), Some(SimCard::new("8999901000000000018")));
    NewEvent { kind, modem, sim_card, sentence: sentence.to_owned(), about: Some(7) }
}

fn newest(limit: usize) -> EventQuery {
    EventQuery { limit, ..EventQuery::default() }
}

async fn sentences(w: &World, query: EventQuery) -> (Vec<String>, Option<EventId>) {
    let page = w.store().events(query).await.unwrap();
    (page.items.into_iter().map(|e| e.event.sentence).collect(), page.next)
}

async fn an_event_is_listed_newest_first_also_after_a_crash(mut w: World) {
    let new = event(EventKind::SimCardSwapped, "one");
    let first = w.store().note(new.clone()).await.unwrap();
    w.store().note(event(EventKind::ModemRecovered, "two")).await.unwrap();
    w.crash().await;
    w.store().note(event(EventKind::CanaryFailed, "three")).await.unwrap();
    assert_eq!(sentences(&w, newest(50)).await, (vec!["three".into(), "two".into(), "one".into()], None));
    let last = w.store().events(newest(50)).await.unwrap().items.pop().unwrap();
    assert_eq!((last.id, last.event), (first, new));
}

async fn events_are_found_by_kind_and_time(w: World) {
    for (n, kind) in [EventKind::OptOutAdded, EventKind::OptOutRemoved, EventKind::OptOutAdded].into_iter().enumerate()
    {
        w.store().note(event(kind, &n.to_string())).await.unwrap();
        pass(MINUTE).await;
    }
    let added = EventQuery { kind: Some(EventKind::OptOutAdded), ..newest(50) };
    assert_eq!(sentences(&w, added).await.0, ["2", "0"]);
    let since = Some(BEGIN + MINUTE);
    assert_eq!(sentences(&w, EventQuery { since, ..newest(50) }).await.0, ["2", "1"]);
    assert_eq!(sentences(&w, EventQuery { until: since, ..newest(50) }).await.0, ["0"]);
}

async fn a_page_goes_on_where_the_last_one_ended(w: World) {
    for n in 0..5 {
        w.store().note(event(EventKind::InboundReceived, &n.to_string())).await.unwrap();
    }
    let (first, next) = sentences(&w, newest(2)).await;
    let (second, after) = sentences(&w, EventQuery { before: next, ..newest(2) }).await;
    let (third, end) = sentences(&w, EventQuery { before: after, ..newest(2) }).await;
    assert_eq!([first, second, third].concat(), ["4", "3", "2", "1", "0"]);
    assert_eq!(end, None);
}

async fn what_is_a_week_old_is_forgotten(mut w: World) {
    let id = w.store().note(event(EventKind::ModemQuarantined, "old")).await.unwrap();
    pass(MINUTE).await;
    let id_of_next = w.store().note(event(EventKind::ModemRecovered, "new")).await.unwrap();
    pass(HOUR * 24 * 7 - secs(15)).await;
    assert_eq!(sentences(&w, newest(50)).await.0, ["new"]);
    assert!(!w.has(Key::Event(id)).await && w.has(Key::Event(id_of_next)).await);
    w.restart().await;
    assert_eq!(sentences(&w, newest(50)).await.0, ["new"]);
}

async fn no_more_than_ten_thousand_are_kept(w: World) {
    let all: Vec<_> = (0..10_020).map(|n| w.store().note(event(EventKind::HelpAsked, &n.to_string()))).collect();
    for noted in all {
        noted.await.unwrap();
    }
    let mut count = 0;
    let mut query = newest(200);
    loop {
        let (items, next) = sentences(&w, query.clone()).await;
        count += items.len();
        query.before = next;
        if next.is_none() {
            assert_eq!(items.last().map(String::as_str), Some("20"));
            break;
        }
    }
    assert_eq!(count, 10_000);
}

async fn a_sentence_is_cut_before_it_is_too_large(w: World) {
    w.store().note(event(EventKind::SimCardBarred, &"\u{1F600}".repeat(5000))).await.unwrap();
    assert_eq!(sentences(&w, newest(1)).await.0[0].chars().count(), 500);
}
