//! The whole daemon in the process, and a person who texts it a word: that proves the number, and nothing is sent.

mod common;

use common::{House, ME, sleep};
use otpgate::domain::id::VerificationId;
use otpgate::domain::verification::{Channel, CodeAlphabet, Origin, VerificationState, Wording};
use otpgate::store::{Body, NewVerification, StoreError, VerificationView, Wait};
use std::time::Duration;

const BO: &str = "+14155550100";
const CY: &str = "+14155550101";

/// Waits for a word from Bo; gives the verification and the word.
async fn awaits(house: &mut House, purpose: &str) -> (VerificationId, String) {
    let new = house.code(BO, "", Duration::from_secs(300));
    let wording = Wording { alphabet: CodeAlphabet::Unambiguous, ..Wording::default() };
    let mut message = new.message;
    message.body = Body::Code(Vec::new());
    let origin = Origin { channel: Channel::Inbound, wording, ..Origin::default() };
    let new = NewVerification { purpose: Some(purpose.to_owned()), origin, message, ..new };
    let view = house.store().create_verification(new, None).await.unwrap().value;
    (view.verification.id, view.word.unwrap().reveal().to_owned())
}

async fn view(house: &House, id: VerificationId) -> VerificationView {
    house.store().verification(ME, id, None).await.unwrap()
}

/// State and failures.
async fn standing(house: &House, id: VerificationId) -> (VerificationState, u8) {
    let verification = view(house, id).await.verification;
    (verification.state, verification.failures)
}

async fn texts(house: &House, from: &str, modem: usize, text: &str) {
    let to = house.simulator.identity(modem).unwrap().number;
    house.simulator.inbound(from, &to, text).unwrap();
    sleep(2).await;
}

/// Another word of the same form.
fn another(word: &str) -> String {
    let first = if word.starts_with('K') { 'M' } else { 'K' };
    format!("{first}{}", &word[1..])
}

async fn house() -> House {
    let house = House::start(2).await;
    house.ready(0).await;
    house.ready(1).await;
    sleep(1).await;
    house
}

#[tokio::test(start_paused = true)]
async fn the_word_from_the_number_approves_over_any_card_and_nothing_is_sent() {
    let mut house = house().await;
    for (modem, write) in [
        (0, (|word| word) as fn(String) -> String),
        (1, |word| format!("  {} {}\n", word[..3].to_lowercase(), &word[3..])),
    ] {
        let (id, word) = awaits(&mut house, "log-in").await;
        let store = house.store();
        let waiter = tokio::spawn(async move {
            let wait = Wait { after: Some(1), at_most: Duration::from_secs(60) };
            store.verification(ME, id, Some(wait)).await.unwrap().verification.state
        });
        texts(&house, BO, modem, &write(word)).await;
        assert_eq!(waiter.await.unwrap(), VerificationState::Approved, "modem {modem}");
        assert_eq!(view(&house, id).await.word, None);
    }
    assert!(house.all_copies().is_empty(), "it costs nothing");
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn wrong_words_count_and_the_fifth_ends_it() {
    let mut house = house().await;
    let (id, word) = awaits(&mut house, "log-in").await;
    texts(&house, BO, 0, "hello there, is this the right number?").await;
    texts(&house, BO, 0, "hi").await;
    assert_eq!(standing(&house, id).await, (VerificationState::Pending, 0), "another message is no word");
    texts(&house, CY, 0, &word).await;
    texts(&house, CY, 0, &another(&word)).await;
    assert_eq!(standing(&house, id).await, (VerificationState::Pending, 0), "nor is one from another number");
    for n in 1..=4 {
        texts(&house, BO, 0, &another(&word)).await;
        assert_eq!(standing(&house, id).await, (VerificationState::Pending, n));
    }
    house.restart().await;
    house.ready(0).await;
    sleep(1).await;
    texts(&house, BO, 0, &another(&word)).await;
    assert_eq!(standing(&house, id).await, (VerificationState::MaxAttemptsReached, 5), "over a restart");
    texts(&house, BO, 0, &word).await;
    assert_eq!(standing(&house, id).await.0, VerificationState::MaxAttemptsReached);
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn of_several_the_one_whose_word_it_is_is_approved_once_and_in_time() {
    let mut house = house().await;
    let (first, word) = awaits(&mut house, "log-in").await;
    let (second, _) = awaits(&mut house, "payment").await;
    texts(&house, BO, 0, &word).await;
    assert_eq!(standing(&house, first).await, (VerificationState::Approved, 0));
    assert_eq!(standing(&house, second).await, (VerificationState::Pending, 0), "it was not meant for this one");
    texts(&house, BO, 1, &word).await;
    assert_eq!(standing(&house, second).await, (VerificationState::Pending, 1), "once only");
    let (late, word) = awaits(&mut house, "late").await;
    sleep(301).await;
    texts(&house, BO, 0, &word).await;
    assert_eq!(standing(&house, late).await, (VerificationState::Expired, 0));
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn no_code_is_checked_where_a_text_is_waited_for_and_stop_is_heeded_all_the_same() {
    use otpgate::domain::verification::VerificationRefused::AwaitsText;
    let mut house = house().await;
    let (id, word) = awaits(&mut house, "log-in").await;
    assert_eq!(house.check(id, &word).await, Err(StoreError::Verification(AwaitsText)));
    texts(&house, BO, 0, "STOP").await;
    texts(&house, BO, 0, &word).await;
    assert_eq!(
        standing(&house, id).await,
        (VerificationState::Approved, 0),
        "nothing is sent to those who want nothing sent"
    );
    house.stop().await;
}
