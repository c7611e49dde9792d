//! What is reported of a SIM card's messages: a card whose messages arrive no more goes last, and somebody is told.

use super::*;
use otpgate::dispatch::delivery::Deliveries;
use otpgate::store::EventQuery;

on_both_stores! {
    l14_a_card_whose_messages_arrive_no_more_goes_last_and_is_told
    l14_what_was_reported_is_known_after_a_restart
    l14_a_network_without_reports_and_one_phone_that_is_off_are_no_reason
}

fn to(n: u32) -> Msisdn {
    Msisdn::parse(&format!("+1415555{n:04}")).unwrap()
}

/// Sends one message to each of these numbers; each is reported so.
async fn send(w: &World, one: &Modem, numbers: std::ops::Range<u32>, verdict: Option<ReportVerdict>) {
    for n in numbers {
        let id = w.accept(NewMessage { to: to(n), priority: Priority::High, ..w.plain() }).await;
        assert_eq!(w.send(one, accepted(n as u8)).await, id);
        if let Some(verdict) = verdict {
            assert_eq!(w.report_for(to(n).reveal_digits(), one, n as u8, verdict).await, Some(id));
        }
    }
    // Until none can be reported any more.
    pass(REPORT_WINDOW + secs(1)).await;
}

async fn deliveries(w: &World, modem: &Modem) -> Deliveries {
    w.store().sim_cards().await.unwrap().remove(&modem.sim_card).unwrap().deliveries
}

const DELIVERED: Option<ReportVerdict> = Some(ReportVerdict::Delivered);

async fn l14_a_card_whose_messages_arrive_no_more_goes_last_and_is_told(w: World) {
    let [one, two] = [1, 2].map(modem);
    w.ready(&[&one]).await;
    send(&w, &one, 0..40, DELIVERED).await;
    send(&w, &one, 100..116, None).await;
    assert_eq!(deliveries(&w, &one).await.filtered, None);
    send(&w, &one, 116..120, Some(ReportVerdict::Failed)).await;
    assert!(deliveries(&w, &one).await.filtered.is_some());
    let events = w.store().events(EventQuery { limit: 9, ..Default::default() }).await.unwrap();
    let kinds: Vec<_> = events.items.iter().map(|event| event.event.kind.as_str()).collect();
    assert_eq!(kinds, ["sim_card.filtered"]);
    // It goes on while there is no other, and goes last where there is.
    send(&w, &one, 200..201, None).await;
    w.ready(&[&two]).await;
    // One message an hour tries it all the same.
    let id = w.accept(w.plain()).await;
    assert_eq!(w.send(&one, accepted(2)).await, id);
    let id = w.accept(NewMessage { to: bob(), ..w.plain() }).await;
    assert!(w.has_nothing_for(&one).await);
    assert_eq!(w.send(&two, accepted(1)).await, id);
    // When half of them arrive it is back.
    pass(HOUR).await;
    for n in 300..305 {
        w.not_ready(&two).await;
        pass(MINUTE).await;
        assert!(deliveries(&w, &one).await.filtered.is_some(), "{n}");
        send(&w, &one, n..n + 1, DELIVERED).await;
    }
    assert_eq!(deliveries(&w, &one).await.filtered, None);
    w.ready(&[&two]).await;
    w.accept(NewMessage { to: to(400), ..w.plain() }).await;
    assert!(w.try_claim(&one).await.is_some());
}

async fn l14_what_was_reported_is_known_after_a_restart(mut w: World) {
    let one = modem(1);
    w.ready(&[&one]).await;
    send(&w, &one, 0..40, DELIVERED).await;
    send(&w, &one, 100..110, None).await;
    let before = deliveries(&w, &one).await;
    assert_eq!((before.all.count, before.all.delivered(), before.all.before), (20, 10, 30));
    w.crash().await;
    w.ready(&[&one]).await;
    assert_eq!(deliveries(&w, &one).await, before);
    send(&w, &one, 110..120, None).await;
    let filtered = deliveries(&w, &one).await.filtered;
    assert!(filtered.is_some());
    w.restart().await;
    assert_eq!(deliveries(&w, &one).await.filtered, filtered);
}

async fn l14_a_network_without_reports_and_one_phone_that_is_off_are_no_reason(w: World) {
    let [one, two] = [1, 2].map(modem);
    w.ready(&[&one]).await;
    send(&w, &one, 0..40, DELIVERED).await;
    w.not_ready(&one).await;
    w.ready(&[&two]).await;
    send(&w, &two, 100..140, None).await;
    let silent = deliveries(&w, &two).await;
    assert!(!silent.reported && silent.filtered.is_none(), "{silent:?}");
    w.not_ready(&two).await;
    w.ready(&[&one]).await;
    for _ in 0..30 {
        send(&w, &one, 50..51, None).await;
    }
    let of_one = deliveries(&w, &one).await;
    assert_eq!((of_one.all.delivered(), of_one.filtered), (19, None));
}
