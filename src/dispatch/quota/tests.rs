use super::*;
use crate::domain::time::{BootId, BootTime, Mono};
use proptest::collection::vec;
use proptest::prelude::*;

/// Noon of 2026-05-05, so many milliseconds later by every clock.
fn at(ms: i64) -> Now {
    let since_boot = Duration::from_millis((86_400_000 + ms) as u64);
    Now { mono: Mono(since_boot), boot: BootTime { id: BootId(1), since_boot }, wall: Wall(NOON.0 + ms) }
}

/// The same, with the wall clock set by so many milliseconds.
fn set(now: Now, by: i64) -> Now {
    Now { wall: Wall(now.wall.0 + by), ..now }
}

fn free() -> Limits {
    Limits { spacing: Some(Duration::ZERO), ..Limits::default() }
}

fn number(n: u64) -> NumberHash {
    let mut hash = [0; 16];
    hash[..8].copy_from_slice(&n.to_be_bytes());
    hash
}

fn parts(parts: u32) -> Ask {
    Ask { parts, urgent: true, ..Ask::default() }
}

/// When there is room, in milliseconds from noon.
fn room(account: &mut Account, ask: Ask, now: &Now) -> Result<(), (Window, Option<i64>)> {
    account.ask(ask, now).map_err(|hold| (hold.by, hold.until.map(|at| at.0 - 86_400_000)))
}

#[test]
fn minute_and_hour_slide() {
    let limits = Limits { per_minute: Some(3), per_hour: Some(6), ..free() };
    let mut account = Account::new(limits, &at(0));
    for ms in [0, 10_000, 20_000] {
        assert_eq!(room(&mut account, parts(1), &at(ms)), Ok(()));
        account.charge(number(1), Kind::Urgent, 0, &at(ms));
    }
    for (asked, frees) in [(1, 60_000), (2, 70_000), (3, 70_000)] {
        let found = room(&mut account, parts(asked), &at(30_000));
        assert_eq!(found, Err((Window::Minute, Some(frees))), "{asked} parts");
    }
    assert_eq!(room(&mut account, parts(1), &at(59_999)), Err((Window::Minute, Some(60_000))));
    assert_eq!(room(&mut account, parts(1), &at(60_000)), Ok(()));
    [60_000, 70_000, 80_000].iter().for_each(|ms| account.charge(number(1), Kind::Urgent, 0, &at(*ms)));
    assert_eq!(room(&mut account, parts(1), &at(90_000)), Err((Window::Hour, Some(3_600_000))));
    assert_eq!(room(&mut account, parts(1), &at(3_600_000)), Ok(()));
    let mut account = Account::new(Limits { per_minute: Some(3), ..free() }, &at(0));
    assert_eq!(room(&mut account, parts(9), &at(0)), Ok(()), "it never has room for all of it");
    (0..9).for_each(|_| account.charge(number(1), Kind::Urgent, 0, &at(0)));
    assert_eq!(
        room(&mut account, parts(1), &at(1)),
        Err((Window::Minute, Some(60_000))),
        "the next one waits for that"
    );
}

#[test]
fn a_long_message_finds_room_while_codes_go_out() {
    let plain = |parts| Ask { parts, ..Ask::default() };
    let mut account = Account::new(Limits { per_minute: Some(10), ..free() }, &at(0));
    (0..3).for_each(|n| account.charge(number(n), Kind::Urgent, 0, &at(n as i64 * 25_000)));
    assert_eq!(room(&mut account, plain(8), &at(50_001)), Ok(()));
    (0..8).for_each(|_| account.charge(number(9), Kind::Long, 0, &at(50_001)));
    let over = [1, 4, 8].map(|parts| room(&mut account, plain(parts), &at(50_002)));
    let until = |ms| Err((Window::Minute, Some(ms)));
    assert_eq!(over, [until(110_001); 3], "eleven are in it, and beside a long one seven may be");
    (0..4).for_each(|n| account.charge(number(n), Kind::Urgent, 0, &at(50_002)));
    assert_eq!(room(&mut account, plain(8), &at(60_000)), until(110_002), "codes that go on and on go first");
}

#[test]
fn a_code_waits_for_no_long_message() {
    let mut account = Account::new(Limits { spacing: Some(Duration::from_secs(6)), ..Limits::default() }, &at(0));
    (0..10).for_each(|_| account.charge(number(9), Kind::Long, 128, &at(0)));
    assert_eq!(room(&mut account, parts(1), &at(0)), Err((Window::Spacing, Some(6_000))), "as behind a single part");
    let plain = Ask { urgent: false, ..parts(1) };
    assert_eq!(room(&mut account, plain, &at(0)), Err((Window::Spacing, Some(60_000))), "others keep to all of them");
    for (before, long) in [(0, 10), (3, 10), (0, 8), (3, 4), (0, 2)] {
        let mut account = Account::new(Limits { per_minute: Some(10), ..free() }, &at(0));
        (0..before).for_each(|n| account.charge(number(n), Kind::Plain, 0, &at(0)));
        assert_eq!(room(&mut account, Ask { parts: long, ..Ask::default() }, &at(0)), Ok(()), "{long} parts");
        (0..long).for_each(|_| account.charge(number(9), Kind::Long, 0, &at(0)));
        while room(&mut account, plain, &at(1)).is_ok() {
            account.charge(number(8), Kind::Plain, 0, &at(1));
        }
        for n in 0..3 {
            assert_eq!(room(&mut account, parts(1), &at(2)), Ok(()), "code {n} behind {before} and {long}");
            account.charge(number(n), Kind::Urgent, 0, &at(2));
        }
        assert!(room(&mut account, parts(1), &at(2)).is_err(), "but the plan's limit is one");
    }
    // Nor for what a modem is about to send of one.
    let mut account = Account::new(Limits { per_minute: Some(10), ..free() }, &at(0));
    (0..2).for_each(|_| account.charge(number(9), Kind::Long, 0, &at(0)));
    let left = Ask { promised: 8, promises: 1, ..parts(1) };
    assert_eq!(room(&mut account, Ask { promised_long: 8, ..left }, &at(1)), Ok(()));
    assert!(room(&mut account, left, &at(1)).is_err(), "other codes' parts count whole");
    // One that fits waits until it leaves the codes their share.
    let mut account = Account::new(Limits { per_minute: Some(10), ..free() }, &at(0));
    (0..6).for_each(|n| account.charge(number(n), Kind::Plain, 0, &at(n as i64 * 1000)));
    assert_eq!(room(&mut account, Ask { parts: 2, ..plain }, &at(6_000)), Err((Window::Minute, Some(60_000))));
    assert_eq!(room(&mut account, plain, &at(6_000)), Ok(()), "a short one need not");
}

#[test]
fn what_stands_before_a_message_is_reckoned_with() {
    let limits = Limits { per_minute: Some(3), per_day: Some(10), ..free() };
    let mut account = Account::new(limits, &at(0));
    [0, 10_000].iter().for_each(|ms| account.charge(number(1), Kind::Urgent, 0, &at(*ms)));
    let now = at(20_000);
    let mut when = |before, parts, urgent| {
        let ask = Ask { parts, urgent, ..Ask::default() };
        let card = account.forecast(ask, At::now(&now), &now);
        Queue::new(vec![card]).goes(before, parts, &[0], At::now(&now).plus(HOUR * 200)).map(|at| at.0 - 86_400_000)
    };
    let minute = 60_000;
    for (before, expected) in [
        (0, 20_000),
        (1, minute),
        (2, 70_000),
        (3, 80_000),
        (4, 2 * minute),
        (7, 3 * minute),
        (8, 12 * 3_600_000),
        (11, 12 * 3_600_000 + minute),
    ] {
        assert_eq!(when(before, 1, true), Some(expected), "{before} before it");
    }
    assert_eq!(when(1, 3, true), Some(70_000), "it begins when there is room for half the window");
    assert_eq!(when(7, 1, false), Some(12 * 3_600_000), "a tenth of the day is kept");
    assert!(when(7_000_000, 1, true) > Some(200 * 3_600_000), "nobody waits so long");
}

/// With nothing before it, it is told what it would be told when it asks; with others, never anything sooner than those take
/// that go out as fast as they may.
#[test]
fn no_message_is_told_an_earlier_time_than_its_limits_allow() {
    let spaced = Limits { spacing: Some(Duration::from_secs(6)), ..Limits::default() };
    for limits in [
        Limits { per_minute: Some(4), per_hour: Some(9), per_day: Some(30), ..free() },
        Limits { per_minute: Some(10), ..spaced.clone() },
        Limits { per_day: Some(5), per_month: Some(12), ..spaced },
    ] {
        let mut account = Account::new(limits, &at(0));
        [0, 1_000, 7_000].iter().for_each(|ms| account.charge(number(1), Kind::Plain, 0, &at(*ms)));
        let mut ms = 8_000;
        let told: Vec<_> = (0..15)
            .map(|before| {
                let ask = Ask { parts: 1, ..Ask::default() };
                let card = account.forecast(ask, At::now(&at(ms)), &at(ms));
                let until = At(i64::MAX);
                Queue::new(vec![card]).goes(before, 1, &[0], until).unwrap().0 - 86_400_000
            })
            .collect();
        for (before, told) in told.into_iter().enumerate() {
            while let Err((_, until)) = room(&mut account, Ask { parts: 1, ..Ask::default() }, &at(ms)) {
                ms = until.unwrap();
            }
            // As close together as jitter has them.
            account.charge(number(1), Kind::Plain, 0, &at(ms));
            assert_eq!(told, ms, "{before} before it");
        }
    }
}

#[test]
fn several_cards_share_what_stands_before() {
    let mut account = Account::new(Limits { per_minute: Some(3), ..free() }, &at(0));
    let ask = parts(1);
    let card = account.forecast(ask, At::now(&at(0)), &at(0));
    let out_of_service = account.forecast(ask, At::now(&at(10_000)), &at(0));
    let when = |cards: &[Forecast], before, own: &[usize]| {
        Queue::new(cards.to_vec()).goes(before, 1, own, At(i64::MAX)).map(|at| at.0 - 86_400_000)
    };
    assert_eq!(when(&[card.clone(), card.clone()], 5, &[0, 1]), Some(0));
    assert_eq!(when(&[card.clone(), card.clone()], 6, &[0, 1]), Some(60_000));
    assert_eq!(when(&[card.clone(), card.clone()], 4, &[0]), Some(60_000), "the first takes as much as it can");
    assert_eq!(when(&[card.clone(), out_of_service], 5, &[0, 1]), Some(10_000));
    let free = Forecast::free(At::now(&at(0)));
    assert_eq!(when(&[card, free], 1_000_000, &[0, 1]), Some(0));
    assert_eq!(when(&[], 0, &[]), None);
}

#[test]
fn three_parts_do_not_start_where_two_are_left() {
    let limits = Limits { per_day: Some(5), per_month: Some(9), ..free() };
    let mut account = Account::new(limits, &at(0));
    (0..3).for_each(|_| account.charge(number(1), Kind::Urgent, 0, &at(0)));
    assert_eq!(room(&mut account, parts(2), &at(0)), Ok(()));
    let tomorrow = Some(12 * 3_600_000);
    assert_eq!(room(&mut account, parts(3), &at(0)), Err((Window::Day, tomorrow)));
    assert_eq!(room(&mut account, Ask { promised: 1, ..parts(2) }, &at(0)), Err((Window::Day, tomorrow)));
    assert_eq!(room(&mut account, parts(6), &at(0)), Err((Window::Day, None)), "more than the day itself takes");
    assert_eq!(room(&mut account, parts(3), &at(12 * 3_600_000)), Ok(()), "the next day");
    (0..5).for_each(|_| account.charge(number(1), Kind::Urgent, 0, &at(12 * 3_600_000)));
    let june = Some(12 * 3_600_000 + 26 * 86_400_000);
    assert_eq!(room(&mut account, parts(2), &at(36 * 3_600_000)), Err((Window::Month, june)));
    assert_eq!(room(&mut account, parts(1), &at(36 * 3_600_000)), Ok(()));
}

#[test]
fn a_tenth_is_kept_for_what_is_urgent() {
    let mut account = Account::new(Limits { per_minute: Some(10), ..free() }, &at(0));
    (0..9).for_each(|_| account.charge(number(1), Kind::Urgent, 0, &at(0)));
    assert_eq!(room(&mut account, Ask { urgent: false, ..parts(1) }, &at(0)), Err((Window::Minute, Some(60_000))));
    assert_eq!(room(&mut account, parts(1), &at(0)), Ok(()));
}

#[test]
fn new_numbers_are_counted_once_a_day() {
    let mut account = Account::new(Limits { recipients_per_day: Some(2), ..free() }, &at(0));
    [1, 1, 1, 2].iter().for_each(|n| account.charge(number(*n), Kind::Urgent, 0, &at(0)));
    let to = |n| Ask { number: Some(number(n)), ..parts(1) };
    assert_eq!(room(&mut account, to(1), &at(0)), Ok(()));
    assert_eq!(room(&mut account, to(3), &at(0)), Err((Window::Recipients, Some(12 * 3_600_000))));
    account.give_back(number(1), &at(0));
    assert_eq!(room(&mut account, to(3), &at(0)), Err((Window::Recipients, Some(12 * 3_600_000))), "it had others");
    account.give_back(number(2), &at(0));
    assert_eq!(room(&mut account, to(3), &at(0)), Ok(()));
    assert_eq!(room(&mut account, Ask { promises: 1, ..to(3) }, &at(0)).map_err(|e| e.0), Err(Window::Recipients));
}

#[test]
fn messages_keep_their_distance_and_parts_do_not() {
    let limits = Limits { spacing: Some(Duration::from_secs(6)), ..Limits::default() };
    let mut account = Account::new(limits, &at(0));
    for (jitter, least, most) in [(0, 4_500, 4_500), (128, 6_000, 6_000), (255, 7_400, 7_500)] {
        let mut account = account.clone();
        account.charge(number(1), Kind::Urgent, jitter, &at(0));
        let Err((Window::Spacing, Some(frees))) = room(&mut account, parts(1), &at(0)) else { panic!("{jitter}") };
        assert!((least..=most).contains(&frees), "{jitter}: {frees}");
    }
    [0, 3_000, 6_000].iter().for_each(|ms| account.charge(number(1), Kind::Urgent, 128, &at(*ms)));
    assert_eq!(room(&mut account, parts(1), &at(6_000)), Err((Window::Spacing, Some(18_000))));
    account.give_back(number(1), &at(6_500));
    assert_eq!(room(&mut account, parts(1), &at(7_000)), Err((Window::Spacing, Some(18_000))), "it was tried");
}

#[test]
fn a_new_card_may_send_less() {
    let limits = Limits { per_day: Some(5), per_day_when_new: Some(2), ..free() };
    let mut account = Account::new(limits, &at(0));
    account.set_new(true);
    (0..2).for_each(|_| account.charge(number(1), Kind::Urgent, 0, &at(0)));
    assert_eq!(room(&mut account, parts(1), &at(0)).map_err(|e| e.0), Err(Window::Day));
    account.set_new(false);
    assert_eq!(room(&mut account, parts(1), &at(0)), Ok(()));
}

#[test]
fn l16_a_clock_that_is_set_neither_frees_nor_locks_for_ever() {
    let limits = Limits { per_minute: Some(1), per_day: Some(2), per_month: Some(2), ..free() };
    for by in [-400, -24, -12, -1, 1, 11, 12, 24, 400].map(|hours| hours * 3_600_000_i64) {
        let mut account = Account::new(limits.clone(), &at(0));
        [0, 1].iter().for_each(|ms| account.charge(number(1), Kind::Urgent, 0, &at(*ms)));
        account.clock_set(&set(at(2), by));
        let held = room(&mut account, parts(1), &set(at(3), by));
        assert!(matches!(held, Err((_, Some(_)))), "set by {by} ms, it is free");
        // Whatever the clock says, a month after all.
        let later = set(at(33 * 86_400_000), by);
        assert_eq!(room(&mut account, parts(1), &later), Ok(()), "set by {by} ms");
    }
    // Set to and fro each minute: no day is longer than a day.
    let mut account = Account::new(Limits { per_day: Some(1), ..free() }, &at(0));
    account.charge(number(1), Kind::Urgent, 0, &at(0));
    let mut freed = None;
    for minute in 1..3000 {
        let now = set(at(minute * 60_000), if minute % 2 == 0 { -10 * 3_600_000 } else { 0 });
        account.clock_set(&now);
        if account.ask(parts(1), &now).is_ok() {
            freed = Some(minute);
            break;
        }
    }
    assert!(freed.is_some_and(|minute| (12 * 60..=25 * 60).contains(&minute)), "{freed:?}");
}

#[test]
fn what_is_on_record_is_counted_again() {
    let limits = Limits {
        per_minute: Some(9),
        per_hour: Some(9),
        per_day: Some(9),
        per_month: Some(9),
        recipients_per_day: Some(9),
        ..free()
    };
    let mut account = Account::new(limits, &at(0));
    for (n, ago) in [(1, 30), (2, 600), (1, 3 * 3600), (3, 13 * 3600), (4, 6 * 86_400)] {
        account.restore(At::ago(Duration::from_secs(ago), &at(0)), number(n), Kind::Urgent, &at(0));
    }
    // What a wrong clock puts into the time to come is of now.
    account.restore(At(i64::MAX), number(5), Kind::Urgent, &at(0));
    let used: Vec<_> = account.used(&at(0)).iter().map(|used| used.used).collect();
    assert_eq!(used, [2, 3, 4, 5, 3]);
}

/// A plain count of what a window holds.
#[derive(Clone, Debug)]
enum Step {
    Pass(i64),
    Send(u64, u32),
    GiveBack(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..40_000_i64).prop_map(Step::Pass),
        (0..4_000_000_i64).prop_map(Step::Pass),
        (0..5_u64, 1..4_u32).prop_map(|(n, parts)| Step::Send(n, parts)),
        (0..5_u64, 1..4_u32).prop_map(|(n, parts)| Step::Send(n, parts)),
        (0..5_u64).prop_map(Step::GiveBack),
    ]
}

proptest! {
    /// No window ever holds more than its limit, but for a message of more than half a minute's parts; and what is told as
    /// free is free.
    #[test]
    fn no_window_holds_more_than_it_takes(steps in vec(step(), 1..200)) {
        let limits = Limits { per_minute: Some(4), per_hour: Some(8), per_day: Some(20), recipients_per_day: Some(3), ..free() };
        let mut account = Account::new(limits.clone(), &at(0));
        let mut sent: Vec<(i64, u64)> = Vec::new();
        let mut ms = 0;
        let mut long = false;
        for step in steps {
            match step {
                Step::Pass(by) => ms += by,
                Step::GiveBack(n) => {
                    account.give_back(number(n), &at(ms));
                    if let Some(place) = sent.iter().rposition(|(then, other)| *other == n && *then > ms - 3_600_000) {
                        sent.remove(place);
                    }
                }
                Step::Send(n, count) => {
                    let ask = Ask { parts: count, number: Some(number(n)), urgent: true, ..Ask::default() };
                    match account.ask(ask, &at(ms)) {
                        Ok(()) => {
                            long = count > 2;
                            (0..count).for_each(|_| {
                                account.charge(number(n), Kind::Urgent, 0, &at(ms));
                                sent.push((ms, n));
                            });
                        }
                        Err(Hold { until: Some(until), .. }) => {
                            let then = at(until.0 - 86_400_000);
                            prop_assert!(At::now(&then) > At::now(&at(ms)));
                            prop_assert_eq!(account.clone().ask(ask, &then), Ok(()), "as it was told");
                        }
                        Err(hold) => prop_assert!(false, "{:?}", hold),
                    }
                }
            }
            let since = |length: i64| sent.iter().filter(|(then, _)| *then > ms - length).count();
            let midnight = (ms + 43_200_000).div_euclid(86_400_000) * 86_400_000 - 43_200_000;
            let today: Vec<_> = sent.iter().filter(|(then, _)| *then >= midnight).collect();
            let numbers: std::collections::BTreeSet<_> = today.iter().map(|(_, n)| *n).collect();
            let minute = if long { 5 } else { 4 };
            prop_assert!(since(60_000) <= minute && since(3_600_000) <= 8 && today.len() <= 20 && numbers.len() <= 3);
            let used: Vec<_> = account.used(&at(ms)).iter().map(|used| used.used as usize).collect();
            prop_assert_eq!(&used[..3], &[since(60_000), since(3_600_000), today.len()]);
            prop_assert_eq!(used[4], numbers.len());
        }
    }
}

/// 2026-05-05T12:00:00Z.
const NOON: Wall = Wall(1_777_982_400_000);
