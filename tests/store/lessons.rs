//! What was learned about models and SIM cards, over restarts.

use super::*;
use otpgate::domain::learned::{Lesson, ModelName, ModelTraits, SimCardTraits, Validity};

on_both_stores! {
    a_lesson_takes_the_place_of_an_earlier_one_also_after_a_crash
    no_more_than_a_thousand_are_kept
}

fn about(model: &str, delay_ms: u64) -> Lesson {
    let name = ModelName { manufacturer: "ACME".into(), model: model.into(), revision: "1.0".into() };
    Lesson::Model(ModelTraits { prompt_delay: Some(Duration::from_millis(delay_ms)), ..ModelTraits::new(name) })
}

async fn a_lesson_takes_the_place_of_an_earlier_one_also_after_a_crash(mut w: World) {
    let card = SimCardTraits { validity: Validity::Hour, bearer: Some(1), ..SimCardTraits::new(SimCard::new("8901")) };
    for lesson in [about("one", 50), about("two", 50), Lesson::SimCard(card.clone()), about("one", 25)] {
        w.store().learn(lesson).await.unwrap();
    }
    w.crash().await;
    assert_eq!(w.store().lessons().await.unwrap(), [about("one", 25), about("two", 50), Lesson::SimCard(card.clone())]);
    w.store().learn(about("two", 12)).await.unwrap();
    w.store().learn(about("three", 50)).await.unwrap();
    w.crash().await;
    let all = [about("one", 25), about("two", 12), Lesson::SimCard(card), about("three", 50)];
    assert_eq!(w.store().lessons().await.unwrap(), all);
}

async fn no_more_than_a_thousand_are_kept(mut w: World) {
    for n in 0..1002 {
        w.store().learn(about(&n.to_string(), n)).await.unwrap();
    }
    w.crash().await;
    let all = w.store().lessons().await.unwrap();
    assert_eq!((all.len(), &all[0]), (1000, &about("2", 2)));
}
