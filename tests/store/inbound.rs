//! The journal: what comes in is taken once, put together, kept for a while, and heeded where it is a word.

use super::*;
use otpgate::domain::event::EventKind;
use otpgate::domain::id::InboundId;
use otpgate::domain::inbound::{InboundState, OptOutCovers};
use otpgate::domain::reason::Reason;
use otpgate::simulator::pdu::{Deliver, to_hex};
use otpgate::store::{EventQuery, InboundQuery, InboundView, Journaled, NewInbound, OptOutQuery};

on_both_stores! {
    what_came_in_is_taken_once_also_after_a_crash
    the_same_text_a_second_later_is_another_message
    a_new_master_key_loses_neither_what_came_in_nor_the_list
    parts_are_put_together_in_any_order_and_over_a_restart
    r9_what_is_missing_after_ten_minutes_is_missing
    r9_a_part_that_comes_too_late_is_a_message_of_its_own
    a_reference_that_is_used_again_begins_another_message
    parts_of_two_senders_or_two_cards_do_not_mix
    r8_what_cannot_be_read_is_kept_as_it_came
    r8_whatever_comes_is_kept_once_and_shown
    r8_what_is_no_hexadecimal_is_kept_as_it_came
    r5_what_the_network_repeats_is_one_message_and_one_word
    a_national_sender_is_known_in_international_form
    a_sender_who_can_be_two_is_shown_as_written
    words_are_heeded_in_the_order_in_which_they_were_sent
    a_word_that_lay_in_the_modem_for_a_month_lets_nothing_through
    a_start_does_not_undo_what_an_admin_did_after_it
    a_page_is_found_by_sender_and_time_and_goes_on
    what_is_old_is_forgotten_with_all_its_parts
    a_word_keeps_messages_back_until_another_lets_them_through
    a_word_in_parts_counts_too_and_a_sentence_never
    what_waits_for_a_number_is_called_off_and_what_is_on_the_air_is_not
    what_is_refused_after_its_recipient_left_is_not_tried_again
    codes_go_through_where_only_messages_are_held_back
    an_admin_puts_on_the_list_and_takes_off
    a_word_is_answered_once_a_day
}

/// Anna and Bob.
const BO: &str = "+447700900123";
const AL: &str = "+447700900456";

/// The PDUs of a message, as a modem would give them. `at`: the SMSC's clock.
fn pdus(from: &str, text: &str, at: Wall, reference: u8) -> Vec<Secret> {
    Deliver::encode(from, text, at, reference).iter().map(|tpdu| Secret::new(format!("00{}", to_hex(tpdu)))).collect()
}

async fn take(w: &World, pdu: &Secret) -> Journaled {
    take_on(w, "8999901000000000018", pdu).await
}

async fn take_on(w: &World, card: &str, pdu: &Secret) -> Journaled {
    let new = NewInbound { modem: Imei::new("001017000000001"), sim_card: SimCard::new(card), pdu: pdu.clone() };
    w.store().take_inbound(new).await.unwrap()
}

/// Somebody writes, now.
async fn comes(w: &World, from: &str, text: &str) -> InboundId {
    let mut id = None;
    for pdu in pdus(from, text, w.now().wall, 1) {
        id = Some(take(w, &pdu).await.message);
    }
    pass(secs(2)).await;
    id.unwrap()
}

async fn all(w: &World) -> Vec<InboundView> {
    w.store().inbound_page(InboundQuery { limit: 200, ..InboundQuery::default() }).await.unwrap().items
}

async fn texts(w: &World) -> Vec<String> {
    let text = |view: InboundView| view.text.map_or("-".to_owned(), |text| text.reveal().to_owned());
    all(w).await.into_iter().map(text).collect()
}

async fn kinds(w: &World) -> Vec<EventKind> {
    let page = w.store().events(EventQuery { limit: 200, ..EventQuery::default() }).await.unwrap();
    page.items.into_iter().rev().map(|logged| logged.event.kind).collect()
}

fn to(w: &World, number: &str) -> NewMessage {
    NewMessage { to: Msisdn::parse(number).unwrap(), ..w.plain() }
}

async fn refused(w: &World, number: &str) -> Option<StoreError> {
    w.store().accept(to(w, number), None).await.err()
}

async fn what_came_in_is_taken_once_also_after_a_crash(mut w: World) {
    let [pdu] = &pdus(BO, "hello", w.now().wall, 1)[..] else { panic!() };
    let first = take(&w, pdu).await;
    assert!(first.is_new);
    w.crash().await;
    let again = take(&w, pdu).await;
    assert_eq!(again, Journaled { is_new: false, ..first });
    let lower = Secret::new(pdu.reveal().to_ascii_lowercase());
    assert!(!take(&w, &lower).await.is_new, "in either case the same octets");
    assert_eq!(texts(&w).await, ["hello"]);
    assert_eq!(kinds(&w).await, [EventKind::InboundReceived]);
    let view = w.store().inbound(first.message).await.unwrap();
    assert_eq!(view.message.from.as_ref().map(Secret::reveal), Some(BO));
    assert_eq!((view.message.state, view.pdus), (InboundState::Received, vec![pdu.clone()]));
    assert_eq!(view.message.sent.as_deref(), Some("2026-01-01T00:00:00+00:00"));
}

async fn the_same_text_a_second_later_is_another_message(w: World) {
    for at in [w.now().wall, w.now().wall + secs(1)] {
        assert!(take(&w, &pdus(BO, "hello", at, 1)[0]).await.is_new);
    }
    assert_eq!(texts(&w).await, ["hello", "hello"]);
}

async fn a_new_master_key_loses_neither_what_came_in_nor_the_list(w: World) {
    let hello = &pdus(BO, "hello", w.now().wall, 1)[0];
    assert!(take(&w, hello).await.is_new);
    comes(&w, AL, "stop").await;
    w.store().rotate_master().await.unwrap();
    pass(MINUTE).await;
    assert!(w.store().rotation().await.unwrap().older.is_empty(), "the old key is gone");
    assert!(!take(&w, hello).await.is_new);
    assert_eq!(texts(&w).await, ["stop", "hello"]);
    assert_eq!(refused(&w, AL).await, Some(StoreError::OptedOut));
    comes(&w, AL, "start").await;
    assert_eq!(refused(&w, AL).await, None);
}

fn long() -> String {
    format!("{}{}{}", "a".repeat(153), "b".repeat(153), "c")
}

async fn parts_are_put_together_in_any_order_and_over_a_restart(mut w: World) {
    let parts = pdus(BO, &long(), w.now().wall, 9);
    assert_eq!(parts.len(), 3);
    let id = take(&w, &parts[2]).await.message;
    assert_eq!(take(&w, &parts[0]).await.message, id);
    assert!(all(&w).await.is_empty(), "nobody is told before it is whole");
    assert_eq!(w.store().inbound(id).await, Err(StoreError::NotFound));
    w.crash().await;
    pass(MINUTE).await;
    assert_eq!(take(&w, &parts[1]).await.message, id);
    let [view] = &all(&w).await[..] else { panic!() };
    assert_eq!(view.text.as_ref().map(Secret::reveal), Some(&*long()));
    assert_eq!((view.message.parts.len(), view.message.state), (3, InboundState::Received));
    assert_eq!(kinds(&w).await, [EventKind::InboundReceived]);
}

async fn r9_what_is_missing_after_ten_minutes_is_missing(mut w: World) {
    let parts = pdus(BO, &long(), w.now().wall, 9);
    take(&w, &parts[0]).await;
    pass(MINUTE).await;
    take(&w, &parts[2]).await;
    w.restart().await;
    pass(MINUTE * 9 - secs(5)).await;
    assert!(all(&w).await.is_empty());
    pass(secs(5)).await;
    let [view] = &all(&w).await[..] else { panic!("{:?}", all(&w).await) };
    assert_eq!((view.message.state, view.message.parts.len(), view.message.total()), (InboundState::Incomplete, 2, 3));
    assert_eq!(view.text.as_ref().map(Secret::reveal), Some(&*format!("{}[…]c", "a".repeat(153))));
    assert_eq!(kinds(&w).await, [EventKind::InboundReceived]);
}

async fn r9_a_part_that_comes_too_late_is_a_message_of_its_own(w: World) {
    let parts = pdus(BO, &long(), w.now().wall, 9);
    take(&w, &parts[0]).await;
    take(&w, &parts[1]).await;
    pass(MINUTE * 10 + secs(1)).await;
    take(&w, &parts[2]).await;
    pass(MINUTE * 10 + secs(1)).await;
    let shown: Vec<_> = all(&w).await.iter().map(|v| (v.message.state, v.message.parts.len())).collect();
    assert_eq!(shown, [(InboundState::Incomplete, 1), (InboundState::Incomplete, 2)]);
}

async fn a_reference_that_is_used_again_begins_another_message(w: World) {
    let (older, newer) = (pdus(BO, &long(), w.now().wall, 9), pdus(BO, &long(), w.now().wall + MINUTE, 9));
    take(&w, &older[0]).await;
    let id = take(&w, &newer[0]).await.message;
    for part in &newer[1..] {
        assert_eq!(take(&w, part).await.message, id);
    }
    let shown: Vec<_> = all(&w).await.iter().map(|v| (v.message.state, v.message.parts.len())).collect();
    assert_eq!(shown, [(InboundState::Received, 3), (InboundState::Incomplete, 1)]);
}

async fn parts_of_two_senders_or_two_cards_do_not_mix(w: World) {
    let (bo, al) = (pdus(BO, &long(), w.now().wall, 9), pdus(AL, &long(), w.now().wall, 9));
    for n in 0..3 {
        take(&w, &bo[n]).await;
        take(&w, &al[n]).await;
        take_on(&w, "8999901000000000026", &bo[n]).await;
    }
    assert_eq!(texts(&w).await, [long(), long(), long()]);
}

async fn r8_what_cannot_be_read_is_kept_as_it_came(w: World) {
    let junk = Secret::new("000414915155");
    let id = take(&w, &junk).await.message;
    assert!(!take(&w, &junk).await.is_new);
    let view = w.store().inbound(id).await.unwrap();
    assert_eq!((view.message.state, view.message.from, view.text), (InboundState::Undecodable, None, None));
    assert_eq!(view.pdus, [junk]);
    assert_eq!(kinds(&w).await, [EventKind::InboundReceived]);
}

async fn r8_what_is_no_hexadecimal_is_kept_as_it_came(mut w: World) {
    let junk = Secret::new("00040B9141?5 no PDU");
    let id = take(&w, &junk).await.message;
    w.crash().await;
    assert!(!take(&w, &junk).await.is_new);
    let view = w.store().inbound(id).await.unwrap();
    assert_eq!((view.message.state, view.text, view.pdus), (InboundState::Undecodable, None, vec![junk]));
}

/// The second time no other message waits at the service centre (TP-MMS).
async fn r5_what_the_network_repeats_is_one_message_and_one_word(mut w: World) {
    let stop = &pdus(BO, "STOP", w.now().wall, 1)[0];
    let mut repeated = stop.reveal().to_owned();
    assert_eq!(&repeated[..4], "0004");
    repeated.replace_range(3..4, "0");
    assert!(take(&w, stop).await.is_new);
    pass(secs(30)).await;
    comes(&w, BO, "START").await;
    w.crash().await;
    for pdu in [stop, &Secret::new(repeated)] {
        assert!(!take(&w, pdu).await.is_new);
    }
    assert_eq!(texts(&w).await, ["START", "STOP"]);
    assert_eq!(refused(&w, BO).await, None, "heeded once");
    let added = kinds(&w).await.into_iter().filter(|kind| *kind == EventKind::OptOutAdded).count();
    assert_eq!(added, 1);
}

/// As if the network had said that a number is national.
fn national(pdu: &Secret) -> Secret {
    assert_eq!(&pdu.reveal()[6..8], "81");
    Secret::new(format!("{}A1{}", &pdu.reveal()[..6], &pdu.reveal()[8..]))
}

async fn a_national_sender_is_known_in_international_form(mut w: World) {
    const DE: &str = "+4917012345678";
    const GERMAN_CARD: &str = "8949000000000000018";
    w.rules.country = Some("US".into());
    w.restart().await;
    let word = |from: &str, text: &str| pdus(from, text, w.now().wall, 1)[0].clone();
    take_on(&w, GERMAN_CARD, &national(&word("17012345678", "stop"))).await;
    assert_eq!(refused(&w, DE).await, Some(StoreError::OptedOut), "by the country of the SIM card");
    pass(secs(5)).await;
    take_on(&w, GERMAN_CARD, &word("017012345678", "start")).await;
    assert_eq!(refused(&w, DE).await, None, "of unknown type");
    pass(secs(5)).await;
    take(&w, &word("4155550123", "stop")).await;
    assert_eq!(refused(&w, "+14155550123").await, Some(StoreError::OptedOut), "by the country of the configuration");
    let from = |view: &InboundView| view.message.from.as_ref().map(|from| from.reveal().to_owned()).unwrap();
    assert_eq!(all(&w).await.iter().map(from).collect::<Vec<_>>(), ["+14155550123", DE, DE]);
    let query = InboundQuery { from: Some(Secret::new(DE)), limit: 9, ..InboundQuery::default() };
    assert_eq!(w.store().inbound_page(query).await.unwrap().items.len(), 2);
    // Its parts know each other, too.
    for part in pdus("017012345678", &long(), w.now().wall, 9) {
        take_on(&w, GERMAN_CARD, &part).await;
    }
    assert_eq!(texts(&w).await[0], long());
}

async fn a_sender_who_can_be_two_is_shown_as_written(mut w: World) {
    w.rules.country = Some("DE".into());
    w.restart().await;
    for from in ["4917012345678", "77000"] {
        comes(&w, from, "stop").await;
    }
    let from = |view: &InboundView| view.message.from.as_ref().map(|from| from.reveal().to_owned()).unwrap();
    assert_eq!(all(&w).await.iter().map(from).collect::<Vec<_>>(), ["77000", "4917012345678"]);
    assert_eq!(refused(&w, "+4917012345678").await, None);
    let asked = kinds(&w).await.into_iter().filter(|kind| *kind == EventKind::HelpAsked).count();
    assert_eq!(asked, 2, "a person is to look");
}

async fn words_are_heeded_in_the_order_in_which_they_were_sent(w: World) {
    let sent = |from: &str, text: &str, at: u64| pdus(from, text, BEGIN + secs(at), 1)[0].clone();
    pass(MINUTE).await;
    // Places of a storage are read in their own order.
    for (text, at) in [("START", 20), ("STOP", 10)] {
        take(&w, &sent(BO, text, at)).await;
    }
    assert_eq!(refused(&w, BO).await, None);
    for (text, at) in [("STOP", 40), ("START", 30), ("hello", 50)] {
        take(&w, &sent(BO, text, at)).await;
    }
    assert_eq!(refused(&w, BO).await, Some(StoreError::OptedOut));
    take(&w, &sent(AL, "START", 45)).await;
    take(&w, &sent(BO, "START", 40)).await;
    assert_eq!(refused(&w, BO).await, None, "in the same second, as they come");
    // Another service centre's clock is not believed where somebody wants to be left alone.
    take_on(&w, "8999901000000000026", &sent(AL, "START", 3600)).await;
    take(&w, &sent(AL, "STOP", 50)).await;
    assert_eq!(refused(&w, AL).await, Some(StoreError::OptedOut));
}

async fn a_word_that_lay_in_the_modem_for_a_month_lets_nothing_through(w: World) {
    let start = &pdus(BO, "START", w.now().wall, 1)[0];
    assert!(take(&w, start).await.is_new);
    pass(HOUR * 24 * 20).await;
    comes(&w, BO, "STOP").await;
    pass(HOUR * 24 * 20).await;
    assert!(take(&w, start).await.is_new, "it is known no more");
    assert_eq!(refused(&w, BO).await, Some(StoreError::OptedOut));
    pass(HOUR * 24 * 20).await;
    assert!(!all(&w).await.iter().any(|view| view.text.as_ref().is_some_and(|text| text.reveal() == "STOP")));
    assert_eq!(refused(&w, BO).await, Some(StoreError::OptedOut));
    comes(&w, BO, "START").await;
    assert_eq!(refused(&w, BO).await, None, "a new one does");
}

async fn a_start_does_not_undo_what_an_admin_did_after_it(w: World) {
    let start = &pdus(BO, "START", w.now().wall, 1)[0];
    pass(MINUTE).await;
    w.store().opt_out(Msisdn::parse(BO).unwrap()).await.unwrap();
    take(&w, start).await;
    assert_eq!(refused(&w, BO).await, Some(StoreError::OptedOut));
    comes(&w, BO, "START").await;
    assert_eq!(refused(&w, BO).await, None);
}

/// PDUs with a bit or two the other way round, parts of messages among them.
async fn r8_whatever_comes_is_kept_once_and_shown(w: World) {
    let random = SeededRandom::new(11);
    let dice = |end: usize| usize::from(u16::from_be_bytes(otpgate::ops::random::bytes(&random))) % end;
    let seeds = [pdus(BO, "hello", w.now().wall, 1), pdus(AL, &long(), w.now().wall, 2)].concat();
    let mut kept = std::collections::BTreeSet::new();
    for _ in 0..300 {
        let mut octets = seeds[dice(seeds.len())].reveal().to_owned().into_bytes();
        octets.truncate(octets.len() - 2 * dice(3));
        for _ in 0..dice(4) {
            let at = dice(octets.len());
            octets[at] = b"0123456789ABCDEF"[dice(16)];
        }
        let pdu = String::from_utf8(octets).unwrap();
        let taken = take(&w, &Secret::new(&*pdu)).await;
        assert_eq!(taken.is_new, kept.insert(pdu.clone()), "{pdu}");
    }
    pass(MINUTE * 11).await;
    let shown: Vec<_> = all(&w).await.into_iter().flat_map(|view| view.pdus).collect();
    let next = w.store().inbound_page(InboundQuery { limit: 200, ..InboundQuery::default() }).await.unwrap().next;
    let rest = InboundQuery { limit: 200, before: next, ..InboundQuery::default() };
    let rest = if next.is_some() { w.store().inbound_page(rest).await.unwrap().items } else { Vec::new() };
    let shown = shown.into_iter().chain(rest.into_iter().flat_map(|view| view.pdus));
    assert_eq!(shown.map(|pdu| pdu.reveal().to_owned()).collect::<std::collections::BTreeSet<_>>(), kept);
}

async fn a_page_is_found_by_sender_and_time_and_goes_on(w: World) {
    for n in 0..5 {
        comes(&w, if n % 2 == 0 { BO } else { AL }, &n.to_string()).await;
        pass(MINUTE - secs(2)).await;
    }
    let page = async |query: InboundQuery| {
        let page = w.store().inbound_page(query).await.unwrap();
        (page.items.into_iter().map(|v| v.text.unwrap().reveal().to_owned()).collect::<Vec<_>>(), page.next)
    };
    let query = |limit| InboundQuery { limit, ..InboundQuery::default() };
    assert_eq!(page(InboundQuery { from: Some(Secret::new(AL)), ..query(50) }).await.0, ["3", "1"]);
    let since = Some(BEGIN + MINUTE * 3);
    assert_eq!(page(InboundQuery { since, ..query(50) }).await.0, ["4", "3"]);
    assert_eq!(page(InboundQuery { until: since, ..query(50) }).await.0, ["2", "1", "0"]);
    let (first, next) = page(query(3)).await;
    let (rest, end) = page(InboundQuery { before: next, ..query(3) }).await;
    assert_eq!(([first, rest].concat(), end), (["4", "3", "2", "1", "0"].map(str::to_owned).to_vec(), None));
}

async fn what_is_old_is_forgotten_with_all_its_parts(mut w: World) {
    let parts = pdus(BO, &long(), w.now().wall, 9);
    let mut id = None;
    for part in &parts {
        id = Some(take(&w, part).await.message);
    }
    pass(HOUR * 24 * 30 - MINUTE).await;
    assert_eq!(all(&w).await.len(), 1);
    pass(MINUTE * 2).await;
    assert!(all(&w).await.is_empty());
    assert!(!w.has(Key::Inbound(id.unwrap())).await);
    for part in &parts {
        assert!(take(&w, part).await.is_new, "it is known no more");
    }
}

async fn a_word_keeps_messages_back_until_another_lets_them_through(mut w: World) {
    let before = w.accept(to(&w, AL)).await;
    comes(&w, BO, " Stop\n").await;
    w.crash().await;
    assert_eq!(refused(&w, BO).await, Some(StoreError::OptedOut));
    assert_eq!(w.store().create_verification(w.code(), None).await.err(), Some(StoreError::OptedOut));
    assert_eq!(refused(&w, AL).await, None, "another number");
    assert_eq!(w.status(before).await, Status::Queued);
    comes(&w, BO, "start").await;
    assert_eq!(refused(&w, BO).await, None);
    let added = [EventKind::InboundReceived, EventKind::OptOutAdded];
    assert_eq!(kinds(&w).await, [added, [EventKind::InboundReceived, EventKind::OptOutRemoved]].concat());
    w.restart().await;
    assert_eq!(refused(&w, BO).await, None);
}

async fn a_word_in_parts_counts_too_and_a_sentence_never(w: World) {
    comes(&w, BO, "please do not stop").await;
    assert_eq!(refused(&w, BO).await, None);
    let blanks = format!("{}stop", " ".repeat(200));
    comes(&w, BO, &blanks).await;
    assert_eq!(refused(&w, BO).await, Some(StoreError::OptedOut));
    comes(&w, BO, "stop").await;
    let added = kinds(&w).await.into_iter().filter(|kind| *kind == EventKind::OptOutAdded).count();
    assert_eq!(added, 1, "put on the list once");
}

async fn what_waits_for_a_number_is_called_off_and_what_is_on_the_air_is_not(w: World) {
    w.accept(to(&w, BO)).await;
    let (on_air, _) = w.put_on_air(&modem(1)).await;
    let waits = w.accept(to(&w, BO)).await;
    let other = w.accept(to(&w, AL)).await;
    let (verification, code) = w.verify(w.code()).await;
    comes(&w, BO, "STOP").await;
    for id in [waits, code] {
        assert_eq!(w.state(id).await, State::Canceled(Reason::OptedOut));
    }
    assert_eq!((w.status(on_air.message.id).await, w.status(other).await), (Status::Submitting, Status::Queued));
    assert_eq!(w.resend(verification, false).await, Err(StoreError::OptedOut));
}

async fn what_is_refused_after_its_recipient_left_is_not_tried_again(w: World) {
    let id = w.accept(to(&w, BO)).await;
    let (claim, part) = w.put_on_air(&modem(1)).await;
    comes(&w, BO, "STOP").await;
    w.settle(id, part, &modem(1), PartResult::NotSent(Reason::Cms(42))).await;
    drop(claim);
    pass(MINUTE * 5).await;
    let claim = w.claim(&modem(1)).await;
    assert!(matches!(w.begin(&claim, &modem(1)).await, Grant::Refused(_)));
    assert_eq!(w.state(id).await, State::Canceled(Reason::OptedOut));
}

async fn codes_go_through_where_only_messages_are_held_back(mut w: World) {
    w.rules.covers = OptOutCovers::Messages;
    w.restart().await;
    let (_, code) = w.verify(w.code()).await;
    comes(&w, BO, "STOP").await;
    assert_eq!(refused(&w, BO).await, Some(StoreError::OptedOut));
    assert_eq!(w.status(code).await, Status::Queued);
    w.verify(w.code()).await;
}

async fn an_admin_puts_on_the_list_and_takes_off(mut w: World) {
    let (bo, al) = (Msisdn::parse(BO).unwrap(), Msisdn::parse(AL).unwrap());
    let first = w.store().opt_out(bo.clone()).await.unwrap();
    pass(secs(1)).await;
    let second = w.store().opt_out(al.clone()).await.unwrap();
    assert_eq!(w.store().opt_out(bo.clone()).await, Ok(first.clone()), "it is there already");
    w.restart().await;
    let page = async |query: OptOutQuery| w.store().opt_outs(query).await.unwrap();
    let shown = page(OptOutQuery { before: None, limit: 1 }).await;
    assert_eq!((shown.items, shown.next), (vec![second.clone()], Some(second.id)));
    let shown = page(OptOutQuery { before: shown.next, limit: 1 }).await;
    assert_eq!((shown.items, shown.next), (vec![first], None));
    assert_eq!(refused(&w, BO).await, Some(StoreError::OptedOut));
    w.store().opt_in(bo.clone()).await.unwrap();
    assert_eq!(w.store().opt_in(bo).await, Err(StoreError::NotFound));
    assert_eq!(refused(&w, BO).await, None);
}

async fn a_word_is_answered_once_a_day(mut w: World) {
    w.rules.stop_reply = Some("You will get no more.".into());
    w.rules.help_reply = Some("Ask us.".into());
    w.restart().await;
    comes(&w, BO, "stop").await;
    let (claim, part) = w.put_on_air(&modem(1)).await;
    assert_eq!((claim.text.reveal(), &claim.message.to), ("You will get no more.", &anna()), "though on the list");
    w.settle(claim.message.id, part, &modem(1), accepted(1)).await;
    drop(claim);
    for word in ["help", "stop"] {
        comes(&w, BO, word).await;
    }
    w.restart().await;
    comes(&w, BO, "help").await;
    comes(&w, AL, "INFO").await;
    let claim = w.claim(&modem(1)).await;
    assert_eq!((claim.text.reveal(), &claim.message.to), ("Ask us.", &bob()), "no other waits");
    let helped = kinds(&w).await.into_iter().filter(|kind| *kind == EventKind::HelpAsked).count();
    assert_eq!(helped, 3, "each is told, whether it is answered or not");
    drop(claim);
    pass(HOUR * 25).await;
    comes(&w, BO, "help").await;
    assert_eq!(w.claim(&modem(1)).await.message.to, anna());
}
