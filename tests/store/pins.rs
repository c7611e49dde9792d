//! PINs typed at SIM cards: on disk before they are typed, and remembered whatever happens.

use super::*;
use otpgate::domain::pin::{PinOutcome, PinRefused};
use otpgate::store::PinEntry;

on_both_stores! {
    l10_a_refused_pin_is_refused_for_ever
    l10_a_pin_whose_answer_nobody_saw_is_refused_after_a_crash
    l10_an_accepted_pin_may_be_typed_again_after_a_restart
    l10_a_corrected_pin_may_be_typed_while_two_tries_are_left
    l10_each_card_has_its_own_record
    l10_a_card_that_did_not_tell_its_iccid_is_guarded_by_its_modem_as_well
    l10_the_card_seen_last_in_a_modem_is_remembered
    l10_a_pin_that_was_accepted_before_is_settled_by_an_open_card
}

fn typing(pin: &str, tries_left: Option<u8>) -> PinEntry {
    let Modem { imei, sim_card } = modem(1);
    PinEntry { modem: imei, sim_card, card_read: true, pin: Secret::new(pin), tries_left }
}

async fn may(w: &World, entry: &PinEntry) -> Result<(), PinRefused> {
    w.store().enter_pin(entry.clone()).await.unwrap()
}

async fn entered(w: &World, entry: &PinEntry, outcome: PinOutcome) {
    assert_eq!(may(w, entry).await, Ok(()));
    w.store().pin_ended(entry.clone(), outcome).await.unwrap();
}

async fn l10_a_refused_pin_is_refused_for_ever(mut w: World) {
    entered(&w, &typing("1111", Some(3)), PinOutcome::Refused).await;
    for _ in 0..3 {
        w.restart().await;
        assert_eq!(may(&w, &typing("1111", Some(3))).await, Err(PinRefused::RefusedBefore));
        w.crash().await;
        assert_eq!(may(&w, &typing("1111", None)).await, Err(PinRefused::RefusedBefore));
    }
}

async fn l10_a_pin_whose_answer_nobody_saw_is_refused_after_a_crash(mut w: World) {
    assert_eq!(may(&w, &typing("1111", Some(3))).await, Ok(()));
    w.crash().await;
    assert_eq!(may(&w, &typing("1111", Some(3))).await, Err(PinRefused::AnswerNeverSeen));
    w.store().card_is_open(modem(1).imei, modem(1).sim_card).await.unwrap();
    let still = may(&w, &typing("1111", Some(3))).await;
    assert_eq!(still, Err(PinRefused::AnswerNeverSeen), "something else may have opened it");
}

async fn l10_an_accepted_pin_may_be_typed_again_after_a_restart(mut w: World) {
    for tries in [Some(3), None, Some(2)] {
        entered(&w, &typing("1234", tries), PinOutcome::Accepted).await;
        w.crash().await;
    }
}

async fn l10_a_corrected_pin_may_be_typed_while_two_tries_are_left(w: World) {
    entered(&w, &typing("1111", Some(3)), PinOutcome::Refused).await;
    assert_eq!(may(&w, &typing("2222", None)).await, Err(PinRefused::TriesUnknown));
    entered(&w, &typing("2222", Some(2)), PinOutcome::Refused).await;
    assert_eq!(may(&w, &typing("3333", Some(1))).await, Err(PinRefused::TooFewTries(1)));
    entered(&w, &typing("4444", Some(3)), PinOutcome::NotTyped).await;
    entered(&w, &typing("4444", Some(3)), PinOutcome::Accepted).await;
}

async fn l10_each_card_has_its_own_record(w: World) {
    entered(&w, &typing("1111", Some(3)), PinOutcome::Refused).await;
    let other = PinEntry { sim_card: modem(2).sim_card, ..typing("1111", Some(3)) };
    entered(&w, &other, PinOutcome::Accepted).await;
    let elsewhere = PinEntry { modem: modem(2).imei, ..typing("1111", Some(3)) };
    assert_eq!(may(&w, &elsewhere).await, Err(PinRefused::RefusedBefore), "the card has moved");
}

async fn l10_a_card_that_did_not_tell_its_iccid_is_guarded_by_its_modem_as_well(mut w: World) {
    let unread = PinEntry { card_read: false, ..typing("1111", Some(3)) };
    entered(&w, &unread, PinOutcome::Refused).await;
    w.crash().await;
    let other_card = PinEntry { sim_card: modem(2).sim_card, ..unread.clone() };
    assert_eq!(may(&w, &other_card).await, Err(PinRefused::RefusedBefore), "the same modem");
    let other_modem = PinEntry { modem: modem(2).imei, card_read: true, ..unread };
    assert_eq!(may(&w, &other_modem).await, Err(PinRefused::RefusedBefore), "the same card, as was believed");
}

async fn l10_the_card_seen_last_in_a_modem_is_remembered(mut w: World) {
    let Modem { imei, sim_card } = modem(1);
    assert_eq!(w.store().last_card(imei.clone()).await, Ok(None));
    for card in [modem(2).sim_card, sim_card] {
        w.store().card_is_open(imei.clone(), card.clone()).await.unwrap();
        w.crash().await;
        assert_eq!(w.store().last_card(imei.clone()).await, Ok(Some(card)));
    }
}

async fn l10_a_pin_that_was_accepted_before_is_settled_by_an_open_card(mut w: World) {
    entered(&w, &typing("1234", None), PinOutcome::Accepted).await;
    assert_eq!(may(&w, &typing("1234", None)).await, Ok(()));
    w.crash().await;
    assert_eq!(may(&w, &typing("1234", None)).await, Err(PinRefused::AnswerNeverSeen));
    w.store().card_is_open(modem(1).imei, modem(1).sim_card).await.unwrap();
    w.crash().await;
    assert_eq!(may(&w, &typing("1234", None)).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn l10_no_mode_of_a_power_cut_forgets_a_pin_that_was_granted() {
    let splits = (0..4).map(|keep_first| CrashMode::Split { keep_first });
    for mode in [CrashMode::Drop, CrashMode::Keep].into_iter().chain(splits) {
        let mut w = World::in_memory();
        assert_eq!(may(&w, &typing("1111", Some(3))).await, Ok(()));
        w.power_fails(mode).await;
        w.start();
        assert_eq!(may(&w, &typing("1111", Some(3))).await, Err(PinRefused::AnswerNeverSeen), "{mode:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn l10_a_new_master_key_forgets_no_pin() {
    let w = World::in_memory();
    entered(&w, &typing("1111", Some(3)), PinOutcome::Refused).await;
    w.store().rotate_master().await.unwrap();
    pass(MINUTE).await;
    assert!(w.store().rotation().await.unwrap().older.is_empty(), "the old key is gone");
    assert_eq!(may(&w, &typing("1111", Some(3))).await, Err(PinRefused::RefusedBefore));
    entered(&w, &typing("2222", Some(2)), PinOutcome::Accepted).await;
}

#[tokio::test(start_paused = true)]
async fn l10_where_a_record_is_damaged_no_pin_is_typed() {
    let mut w = World::in_memory();
    entered(&w, &typing("1111", Some(3)), PinOutcome::Refused).await;
    w.stop().await;
    let mut guards = Vec::new();
    w.backend().scan(&mut |key, _| guards.extend(Key::from_bytes(key).filter(|k| k.kind() == "PIN guards"))).unwrap();
    assert_eq!(guards.len(), 1);
    w.damage(guards[0]);
    w.start();
    assert_eq!(w.opened.set_aside, 1);
    for pin in ["1111", "2222"] {
        assert_eq!(w.store().enter_pin(typing(pin, Some(3))).await, Err(StoreError::Damaged));
    }
}
