//! Attacks on the whole daemon: guessing at codes, checks at the same time, codes pumped to a range of numbers, and codes
//! that could not arrive. What is counted outlives the daemon.

mod common;

use common::{House, ME, sleep, sleep_ms};
use otpgate::config::{Config, Mode};
use otpgate::domain::guard::{Refusal, Rule};
use otpgate::domain::id::VerificationId;
use otpgate::domain::secret::Secret;
use otpgate::domain::verification::VerificationState;
use otpgate::simulator::modem::ModemOptions;
use otpgate::simulator::network::NetworkOptions;
use otpgate::store::{Asked, Body, Check, Resend, StoreError};
use std::time::Duration;

const NUMBER: &str = "+14155550123";

/// A daemon whose guard is in force, but for these rules.
async fn house(off: &'static [Rule]) -> House {
    let set = move |config: &mut Config| {
        config.guard.mode = Mode::Enforce;
        config.guard.modes = off.iter().map(|rule| (*rule, Mode::Off)).collect();
    };
    let house = House::start_set(1, set).await;
    house.ready(0).await;
    house
}

async fn send(house: &mut House, to: &str) -> Result<VerificationId, Refusal> {
    let new = house.code(to, "code", Duration::from_secs(300));
    match house.store().create_verification(new, None).await {
        Ok(accepted) => Ok(accepted.value.verification.id),
        Err(StoreError::Guarded(refusal)) => Err(refusal),
        Err(other) => panic!("{other:?}"),
    }
}

async fn send_again(house: &mut House, id: VerificationId, to: &str) {
    let message = house.message(to, "").id;
    let resend = Resend { message, body: Body::code("code ", ""), fresh: true, asked: Asked::default() };
    drop(house.store().resend(ME, id, resend, None).await);
}

/// Guesses for a day as fast as the guard lets, over new codes and resends. Gives how many codes were compared.
async fn guess_for_a_day(house: &mut House, crash: bool) -> u32 {
    let (began, mut compared, mut guess) = (house.elapsed(), 0u32, 0u32);
    let mut id = None;
    while house.elapsed() - began < Duration::from_secs(86_400) {
        let verification = match id {
            Some(id) => id,
            None => match send(house, NUMBER).await {
                Ok(new) => *id.insert(new),
                Err(refusal) => {
                    sleep(refusal.retry.unwrap().as_secs().max(1)).await;
                    continue;
                }
            },
        };
        guess += 1;
        match house.check(verification, &format!("{:06}", guess * 7_919 % 1_000_000)).await {
            Ok(verdict) => {
                assert!(!verdict.valid);
                compared += u32::from(verdict.state != VerificationState::Expired);
                if verdict.state != VerificationState::Pending {
                    id = None;
                } else {
                    send_again(house, verification, NUMBER).await;
                }
            }
            Err(StoreError::Guarded(refusal)) => {
                if crash {
                    house.crash().await;
                }
                id = None;
                sleep(refusal.retry.unwrap().as_secs().max(1)).await;
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    compared
}

#[tokio::test(start_paused = true)]
async fn s4_guessing_for_a_day_comes_to_some_forty_codes_however_many_are_sent() {
    // Without the limits on sends, which end it sooner.
    let mut house = house(&[Rule::NumberSends, Rule::ResendWait, Rule::InTime]).await;
    let compared = guess_for_a_day(&mut house, false).await;
    // Ten, then waits of 30 seconds to half an hour, then one an hour.
    assert!((20..=45).contains(&compared), "{compared}");
}

#[tokio::test(start_paused = true)]
async fn s4_crashing_the_daemon_gains_no_guess() {
    let mut house = house(&[Rule::NumberSends, Rule::ResendWait, Rule::InTime]).await;
    let compared = guess_for_a_day(&mut house, true).await;
    assert!(compared <= 45, "{compared}");
}

#[tokio::test(start_paused = true)]
async fn a2_with_all_rules_a_day_of_guessing_is_a_few_codes() {
    let mut house = house(&[Rule::InTime]).await;
    let compared = guess_for_a_day(&mut house, false).await;
    assert!(compared <= 25, "five codes a day, five guesses each: {compared}");
}

#[tokio::test(start_paused = true)]
async fn s3_of_many_checks_at_once_one_is_right_and_five_are_compared() {
    for wrong_first in [0, 3, 5, 9] {
        let mut house = house(&[]).await;
        let view = house.verify(NUMBER, "code").await;
        house.settled(view.verification.message, Duration::from_secs(30)).await;
        let code = house.copies(NUMBER)[0].strip_prefix("code ").unwrap().to_owned();
        let wrong = if code == "000000" { "000001" } else { "000000" };
        let given = (0..wrong_first).map(|_| wrong.to_owned()).chain((0..64).map(|_| code.clone()));
        let checks: Vec<_> = given
            .map(|code| {
                let check = Check::of(Secret::new(code));
                tokio::spawn(house.store().check(ME, view.verification.id, check, None))
            })
            .collect();
        let (mut valid, mut compared) = (0, 0);
        for check in checks {
            match check.await.unwrap() {
                Ok(verdict) => {
                    valid += u32::from(verdict.valid);
                    compared += u32::from(verdict.valid || verdict.state == VerificationState::Pending);
                    // The fifth wrong one is told as the end that it is; so are those after it, which nobody compared.
                }
                Err(StoreError::Verification(_)) => {}
                Err(other) => panic!("{other:?}"),
            }
        }
        assert_eq!(valid, u32::from(wrong_first < 5), "after {wrong_first} wrong ones");
        assert!(compared <= 5, "{compared}");
        let failures = house.store().verification(ME, view.verification.id, None).await.unwrap().verification.failures;
        assert_eq!(u32::from(failures), wrong_first.min(5));
    }
}

#[tokio::test(start_paused = true)]
async fn a4_pumping_a_range_of_numbers_comes_to_ten_an_hour() {
    let mut house = house(&[]).await;
    let mut sent = 0;
    for n in 0..200 {
        match send(&mut house, &format!("+1415555{n:04}")).await {
            Ok(_) => sent += 1,
            Err(refusal) => assert_eq!(refusal.rule, Rule::Prefix),
        }
        if n == 100 {
            house.crash().await;
            house.ready(0).await;
        }
        sleep(5).await;
    }
    assert_eq!((sent, house.all_copies().len()), (10, 10));
    send(&mut house, "+14156660100").await.unwrap();
    send(&mut house, "+14155550003").await.unwrap();
    house.restart().await;
    assert_eq!(send(&mut house, "+14155550777").await.unwrap_err().rule, Rule::Prefix);
    sleep(3_600).await;
    send(&mut house, "+14155550777").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a5_numbers_whose_codes_nobody_types_in_get_none_for_twelve_hours() {
    let mut house = house(&[Rule::Prefix]).await;
    let admin = house.app().admin_key().map(|key| otpgate::http::secret_sha256(key.reveal()));
    let key = house.store().authenticate(&admin.unwrap()).unwrap().id;
    let code = async |house: &mut House, n: u32| {
        let mut new = house.code(&format!("+1415555{n:04}"), "code", Duration::from_secs(300));
        new.origin.key = Some(key);
        house.store().create_verification(new, None).await.map(|accepted| accepted.value)
    };
    // A key that checks its codes, as is seen here: one owner, who is there.
    let view = code(&mut house, 5_000).await.unwrap();
    house.settled(view.verification.message, Duration::from_secs(30)).await;
    let text = house.copies("+14155555000")[0].clone();
    assert!(house.check(view.verification.id, text.strip_prefix("code ").unwrap()).await.unwrap().valid);
    for n in 0..25 {
        code(&mut house, n).await.unwrap();
        sleep(2).await;
    }
    sleep(400).await;
    house.restart().await;
    let refused = code(&mut house, 30).await;
    assert!(matches!(&refused, Err(StoreError::Guarded(refusal)) if refusal.rule == Rule::Conversion), "{refused:?}");
    code(&mut house, 5_000).await.unwrap();
    sleep(12 * 3_600).await;
    code(&mut house, 30).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn b2_a_code_that_can_not_arrive_in_time_is_refused_at_once() {
    let network = NetworkOptions { air_time: Duration::from_secs(30), ..NetworkOptions::default() };
    let mut house = House::empty(1, &ModemOptions::default(), 7, network);
    house.configure = Box::new(|config| {
        config.guard.mode = Mode::Off;
        config.guard.modes = [(Rule::InTime, Mode::Enforce)].into();
    });
    house.begin().await;
    house.ready(0).await;
    // Now it is known what one takes.
    let first = house.verify("+14155550100", "code").await;
    house.settled(first.verification.message, Duration::from_secs(60)).await;
    let mut sent = Vec::new();
    let refusal = loop {
        match send(&mut house, &format!("+1415555{:04}", sent.len())).await {
            Ok(id) => sent.push(id),
            Err(refusal) => break refusal,
        }
    };
    assert!((6..=11).contains(&sent.len()), "{}", sent.len());
    assert_eq!(refusal.rule, Rule::InTime);
    assert!(refusal.retry.is_some_and(|wait| wait <= Duration::from_secs(60)), "{refusal:?}");
    sleep(290).await;
    assert_eq!(house.all_copies().len(), sent.len() + 1, "those that were taken in arrive");
    send(&mut house, "+14155550199").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn b2_without_a_modem_that_can_send_no_code_is_taken_in() {
    let mut house = house(&[]).await;
    send(&mut house, "+14155550100").await.unwrap();
    house.simulator.unplug(0);
    sleep(120).await;
    let refusal = send(&mut house, "+14155550101").await.unwrap_err();
    assert_eq!(refusal.rule, Rule::InTime);
    house.simulator.replug(0);
    house.ready(0).await;
    sleep_ms(100).await;
    send(&mut house, "+14155550101").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_kill_switch_stops_what_waits_and_what_comes() {
    let mut house = house(&[]).await;
    house.store().stop_sending(true).await.unwrap();
    assert_eq!(send(&mut house, NUMBER).await.unwrap_err().rule, Rule::Stop);
    house.crash().await;
    house.ready(0).await;
    assert_eq!(send(&mut house, NUMBER).await.unwrap_err().rule, Rule::Stop);
    house.store().stop_sending(false).await.unwrap();
    send(&mut house, NUMBER).await.unwrap();
    sleep(5).await;
    assert_eq!(house.copies(NUMBER).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_new_master_key_forgets_no_count() {
    let mut house = house(&[Rule::ResendWait, Rule::InTime]).await;
    for _ in 0..2 {
        send(&mut house, NUMBER).await.unwrap();
    }
    house.store().rotate_master().await.unwrap();
    while house.store().rotation().await.unwrap().resealing {
        sleep(1).await;
    }
    send(&mut house, NUMBER).await.unwrap();
    assert_eq!(send(&mut house, NUMBER).await.unwrap_err().rule, Rule::NumberSends);
    house.restart().await;
    assert_eq!(send(&mut house, NUMBER).await.unwrap_err().rule, Rule::NumberSends);
    // The older key goes when nothing needs it: what is counted lasts for a day.
    sleep(2 * 86_400).await;
    house.accept("+14155550199", "hello").await;
    sleep(60).await;
    house.accept("+14155550199", "hello").await;
    assert!(house.store().rotation().await.unwrap().older.is_empty());
}
