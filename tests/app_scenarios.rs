//! The whole daemon in the process, one thing at a time: what it does when a modem or the daemon itself stops.

mod common;

use common::{House, ME, sleep, sleep_ms};
use otpgate::domain::message::{OnUncertain, PartState, Priority, State, Status};
use otpgate::domain::reason::Reason;
use otpgate::domain::time::Wall;
use otpgate::domain::verification::VerificationState;
use otpgate::ops::clock::Clock;
use otpgate::simulator::network::{NetworkOptions, NumberRule};
use otpgate::store::{NewMessage, StoreError};
use std::time::Duration;

const BO: &str = "+14155550100";
const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn a_message_is_sent_once_and_reported_delivered() {
    let mut house = House::start(1).await;
    let id = house.accept(BO, "hello").await;
    let message = house.settled(id, MINUTE).await;
    assert_eq!(message.status(), Status::Delivered, "{message:?}");
    assert_eq!(house.copies(BO), ["hello"]);
    house.stop().await;
}

// Other modems.

/// Two modems, of which only the first can send for now. Its faults hold for the next message.
async fn first_of_two(faults: &[&str]) -> House {
    let house = House::start(2).await;
    house.simulator.unplug(1);
    house.ready(0).await;
    house.faults(0, faults);
    house
}

#[tokio::test(start_paused = true)]
async fn what_provably_never_left_goes_out_on_another_modem() {
    for fault in ["refuse_before_prompt=cms:310", "port_loss=prompt", "port_loss=after_prompt", "network_refusal=50"] {
        let mut house = House::start(2).await;
        house.ready(0).await;
        house.ready(1).await;
        // Keeps the second one busy, so that the first one has the message first.
        house.faults(1, &["late_result=5@next:1"]);
        house.faults(0, &[fault]);
        let busy = house.accept("+14155550199", "first").await;
        let id = house.accept(BO, "hello").await;
        for id in [busy, id] {
            let message = house.settled(id, MINUTE * 10).await;
            assert_eq!(message.status(), Status::Delivered, "{fault}: {message:?}");
            assert!(!message.ever_uncertain, "{fault}: {message:?}");
        }
        assert_eq!(house.copies(BO), ["hello"], "{fault}");
        assert_eq!(house.senders(BO), [house.imei(1)], "{fault}");
        house.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_port_lost_on_the_air_leaves_a_plain_message_uncertain_and_sends_a_code_once_more() {
    for (fault, copies) in [("port_loss=submit@next:2", 1), ("port_loss=submit_lost@next:2", 0)] {
        let mut house = first_of_two(&[fault]).await;
        let plain = house.accept(BO, "plain").await;
        let message = house.reaches(plain, Status::Uncertain).await;
        assert_eq!(message.reason(), Some(Reason::PortLost));
        house.ready(0).await;
        let code = house.verify("+14155550101", "Code").await;
        house.reaches(code.verification.message, Status::Queued).await;
        house.handed_over(2).await;
        house.simulator.replug(1);
        let sent = house.settled(code.verification.message, MINUTE * 10).await;
        assert_eq!(sent.status(), Status::Delivered, "{sent:?}");
        assert!(sent.ever_uncertain && sent.resend_used, "{sent:?}");
        let senders = house.senders("+14155550101");
        assert_eq!(senders.len(), copies + 1, "{fault}");
        let texts = house.copies("+14155550101");
        assert!(texts.iter().all(|text| *text == texts[0]), "a resend is identical");
        assert_eq!(house.copies(BO).len(), copies, "{fault}: a plain message is left as it is");
        house.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_modem_that_hangs_delays_nobody_else() {
    for fault in ["hang=power", "silence=lost", "prompt_never=command", "late_answer=20"] {
        let mut house = House::start(3).await;
        for modem in 0..3 {
            house.ready(modem).await;
        }
        house.faults(0, &[fault]);
        let begin = house.elapsed();
        let mut ids = Vec::new();
        for n in 0..60 {
            ids.push(house.accept(&format!("+141555502{n:02}"), "hello").await);
        }
        // Two modems need 3 s for 60 messages of 100 ms each.
        sleep(4).await;
        let mut waiting = 0;
        for id in ids {
            waiting += usize::from(!matches!(house.status(id).await, Status::Submitted | Status::Delivered));
        }
        assert!(waiting <= 1, "{fault}: {waiting} wait for it after {:?}", house.elapsed() - begin);
        house.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn sixteen_modems_share_a_queue_and_none_waits_for_another() {
    let mut house = House::start(16).await;
    for modem in 0..16 {
        house.ready(modem).await;
    }
    for n in 0..1600 {
        house.accept(&format!("+1415556{n:04}"), "hello").await;
    }
    let begin = house.elapsed();
    house.handed_over(1600).await;
    sleep_ms(100).await;
    let took = house.elapsed() - begin;
    assert_eq!(house.all_copies().len(), 1600);
    let rate = 1600.0 / took.as_secs_f64();
    assert!(rate >= 155.0, "{rate:.1} messages a second");
    house.stop().await;
}

// Stop and start.

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_what_is_on_the_air_and_begins_nothing_new() {
    let network = NetworkOptions { air_time: Duration::from_secs(3), ..NetworkOptions::default() };
    let mut house = House::start_with(1, 7, network).await;
    house.ready(0).await;
    let on_air = house.accept(BO, "on the air").await;
    let queued = house.accept("+14155550101", "queued").await;
    house.handed_over(1).await;
    let begin = house.elapsed();
    house.stop().await;
    let took = house.elapsed() - begin;
    assert!(took <= Duration::from_millis(3500), "it ended when that had ended: {took:?}");
    assert_eq!(house.wires.handed_over().len(), 1);
    house.begin().await;
    assert!(matches!(house.status(on_air).await, Status::Submitted | Status::Delivered));
    assert!(!house.get(on_air).await.ever_uncertain);
    assert_eq!(house.status(queued).await, Status::Queued);
    assert_eq!(house.settled(queued, MINUTE).await.status(), Status::Delivered);
    assert_eq!(house.all_copies().len(), 2);
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_ever_and_leaves_the_message_uncertain() {
    let mut house = House::start(1).await;
    house.ready(0).await;
    house.faults(0, &["silence=lost"]);
    let id = house.accept(BO, "hello").await;
    house.handed_over(1).await;
    let begin = house.elapsed();
    house.stop().await;
    let took = house.elapsed() - begin;
    assert!(took >= house.drain && took <= house.drain + Duration::from_secs(1), "{took:?}");
    house.begin().await;
    let message = house.get(id).await;
    assert_eq!((message.status(), message.reason()), (Status::Uncertain, Some(Reason::Restarted)));
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_before_0x1a_sends_nothing() {
    let mut house = House::start(1).await;
    house.ready(0).await;
    house.faults(0, &["prompt_late=5@next:1"]);
    let id = house.accept(BO, "hello").await;
    sleep_ms(500).await;
    assert_eq!(house.status(id).await, Status::Submitting);
    house.restart().await;
    let message = house.get(id).await;
    assert_eq!(message.status(), Status::Queued, "{message:?}");
    assert!(!message.ever_uncertain, "nothing had left");
    assert_eq!(house.settled(id, MINUTE).await.status(), Status::Delivered);
    assert_eq!(house.copies(BO).len(), 1);
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn after_a_crash_on_the_air_the_result_that_is_heard_settles_it() {
    let network = NetworkOptions { air_time: Duration::from_secs(3), ..NetworkOptions::default() };
    let mut house = House::start_with(1, 7, network).await;
    house.ready(0).await;
    let id = house.accept(BO, "hello").await;
    house.handed_over(1).await;
    house.crash().await;
    assert_eq!(house.status(id).await, Status::Uncertain);
    let message = house.settled(id, MINUTE * 2).await;
    assert_eq!(message.status(), Status::Delivered, "{message:?}");
    assert!(message.ever_uncertain);
    assert_eq!(house.copies(BO).len(), 1);
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_driver_that_panics_is_set_up_anew_and_the_result_it_missed_is_heard() {
    let mut house = House::start(1).await;
    house.ready(0).await;
    house.faults(0, &["late_result=2@next:1"]);
    let lost = house.accept(BO, "hello").await;
    let next = house.accept("+14155550101", "next").await;
    house.handed_over(1).await;
    house.wires.panic_next(0);
    let message = house.reaches(lost, Status::Uncertain).await;
    assert_eq!(message.reason(), Some(Reason::PortLost));
    // The port is listened to before anything is written on it.
    assert_eq!(house.reaches(lost, Status::Submitted).await.attempts.len(), 1);
    assert_eq!(house.settled(next, MINUTE * 5).await.status(), Status::Delivered);
    assert_eq!(house.copies(BO).len(), 1);
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn messages_that_wait_go_when_the_modem_is_back() {
    let mut house = House::start(1).await;
    house.ready(0).await;
    house.simulator.unplug(0);
    let ids = [house.accept(BO, "one").await, house.accept("+14155550101", "two").await];
    sleep(300).await;
    assert_eq!(house.status(ids[0]).await, Status::Queued);
    house.simulator.replug(0);
    for id in ids {
        assert_eq!(house.settled(id, MINUTE * 2).await.status(), Status::Delivered);
    }
    house.stop().await;
}

// Clocks.

#[tokio::test(start_paused = true)]
async fn send_at_and_ttl_hold_across_a_jump_of_the_wall_clock_and_a_restart() {
    for (jump, restart) in [(0, false), (0, true), (-3_600_000, false)] {
        let mut house = House::start(1).await;
        house.ready(0).await;
        let now = house.clock.now();
        let send_at = now.after(Duration::from_secs(120));
        let new = house.message(BO, "later");
        let later = NewMessage { send_at: Some(send_at), deadline: now.after(Duration::from_secs(600)), ..new };
        let later = house.take_in(later).await;
        house.clock.jump_wall(jump);
        if restart {
            house.restart().await;
        }
        while house.elapsed() < send_at.boot.since_boot - Duration::from_secs(1) {
            sleep_ms(500).await;
        }
        assert_eq!(house.copies(BO), [""; 0], "jump {jump}: not before its time by the boot clock");
        let message = house.settled(later, MINUTE).await;
        assert_eq!(message.status(), Status::Delivered, "jump {jump}: {message:?}");
        house.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_came_by_either_clock_lets_nothing_out() {
    for (jump, wait) in [(0, 61), (120_000, 1)] {
        for restart in [false, true] {
            let mut house = House::start(1).await;
            house.ready(0).await;
            house.simulator.unplug(0);
            let deadline = house.clock.now().after(MINUTE);
            let new = house.message(BO, "short-lived");
            let id = house.take_in(NewMessage { deadline, ..new }).await;
            sleep(wait).await;
            house.clock.jump_wall(jump);
            house.simulator.replug(0);
            if restart {
                house.restart().await;
            }
            let message = house.settled(id, MINUTE * 3).await;
            assert_eq!(message.status(), Status::Expired, "jump {jump}, restart {restart}: {message:?}");
            assert_eq!(house.all_copies().len(), 0);
            house.stop().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn after_another_boot_the_wall_clock_counts() {
    let mut house = House::start(1).await;
    house.ready(0).await;
    let now = house.clock.now();
    let new = house.message(BO, "later");
    let id = house.take_in(NewMessage { send_at: Some(now.after(MINUTE * 10)), ..new }).await;
    house.stop().await;
    house.clock.reboot();
    house.clock.jump_wall(9 * 60_000);
    house.begin().await;
    sleep(50).await;
    assert_eq!(house.status(id).await, Status::Queued);
    sleep(30).await;
    assert_eq!(house.copies(BO), ["later"]);
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn with_a_wall_clock_from_before_the_last_stop_nothing_is_sent() {
    for synchronised in [false, true] {
        let mut house = House::start(1).await;
        house.ready(0).await;
        house.stop().await;
        let last = house.clock.now().wall;
        house.clock.reboot();
        house.clock.jump_wall(-300_000);
        house.begin().await;
        house.ready(0).await;
        let id = house.accept(BO, "hello").await;
        sleep(60).await;
        assert_eq!(house.status(id).await, Status::Queued);
        let held: Option<Wall> = house.store().health().clock_held_until;
        assert!(held.is_some_and(|until| until <= last), "{held:?}");
        if synchronised {
            house.clock.set_synchronised(true);
        } else {
            sleep(240).await;
        }
        sleep(5).await;
        assert_eq!(house.copies(BO), ["hello"]);
        assert_eq!(house.store().health().clock_held_until, None);
        house.stop().await;
    }
}

// Order.

#[tokio::test(start_paused = true)]
async fn a_code_overtakes_every_plain_message_that_waits() {
    let mut house = House::start(1).await;
    house.ready(0).await;
    for n in 0..200 {
        house.accept(&format!("+1415557{n:04}"), "plain").await;
    }
    sleep_ms(950).await;
    let before = house.wires.handed_over().len();
    let code = house.verify(BO, "Code").await;
    house.reaches(code.verification.message, Status::Submitted).await;
    let sent = house.wires.handed_over();
    let place = sent.iter().position(|h| h.to == BO).unwrap();
    // The one on the air and the one made ready behind it.
    assert!(place <= before + 1, "place {place}, {before} were out");
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn within_a_priority_the_earliest_deadline_goes_first() {
    let mut house = House::start(1).await;
    house.ready(0).await;
    house.simulator.unplug(0);
    sleep(1).await;
    let rows =
        [(3, Priority::Normal, 900), (2, Priority::Normal, 400), (1, Priority::High, 1800), (4, Priority::Normal, 900)];
    for (place, priority, life) in rows {
        let deadline = house.clock.now().after(Duration::from_secs(life));
        let new = house.message(&format!("+1415555010{place}"), "hello");
        house.take_in(NewMessage { priority, deadline, ..new }).await;
    }
    house.simulator.replug(0);
    house.handed_over(4).await;
    let order: Vec<String> = house.wires.handed_over().into_iter().map(|h| h.to).collect();
    assert_eq!(order, ["+14155550101", "+14155550102", "+14155550103", "+14155550104"]);
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_parts_of_a_long_message_stay_together_on_one_modem() {
    let mut house = House::start(2).await;
    house.ready(0).await;
    house.ready(1).await;
    let text = "a long text, cut into parts and put together again; ".repeat(8);
    let id = house.accept(BO, &text).await;
    for n in 0..20 {
        house.accept(&format!("+1415557{n:04}"), "plain").await;
    }
    let message = house.settled(id, MINUTE).await;
    assert_eq!(message.status(), Status::Delivered, "{message:?}");
    let copies: Vec<_> = house.all_copies().into_iter().filter(|c| c.to == BO).collect();
    assert_eq!(copies.iter().map(|c| (c.part, c.total)).collect::<Vec<_>>(), [(1, 3), (2, 3), (3, 3)]);
    assert!(copies.iter().all(|c| c.imei == copies[0].imei && c.concat_reference == copies[0].concat_reference));
    assert_eq!(copies.iter().map(|c| c.text.as_str()).collect::<String>(), text);
    assert_eq!(message.attempts.len(), 1);
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn s16_parts_of_two_messages_for_one_number_are_never_mixed_up() {
    let mut house = House::start(2).await;
    house.ready(0).await;
    house.ready(1).await;
    let texts = ["the first of two long texts; ", "and the second, which goes at the same time; "].map(|t| t.repeat(8));
    let mut ids = Vec::new();
    for text in &texts {
        ids.push(house.accept(BO, text).await);
    }
    for id in ids {
        assert_eq!(house.settled(id, MINUTE).await.status(), Status::Delivered);
    }
    let copies = house.all_copies();
    let modems: std::collections::BTreeSet<_> = copies.iter().map(|c| c.imei.as_str()).collect();
    let references: std::collections::BTreeSet<_> = copies.iter().map(|c| c.concat_reference).collect();
    assert_eq!((modems.len(), references.len()), (2, 2), "side by side, under a reference each");
    let arrived = house.simulator.inbox(Some(BO), Duration::ZERO).await;
    let mut arrived: Vec<_> = arrived.into_iter().map(|m| (m.is_complete(), m.text)).collect();
    arrived.sort();
    assert_eq!(arrived, [(true, texts[1].clone()), (true, texts[0].clone())]);
    house.stop().await;
}

/// AT+CMMS keeps the link open between parts: it saves a second and is refused, or leaves the link open, on many modems.
#[tokio::test(start_paused = true)]
async fn s17_the_link_is_not_kept_open_between_parts() {
    let mut house = House::start(1).await;
    house.ready(0).await;
    let id = house.accept(BO, &"five parts of a text ".repeat(35)).await;
    assert_eq!(house.settled(id, MINUTE).await.status(), Status::Delivered);
    let lines = house.simulator.counts().modems[0].counts.at_lines.clone();
    assert_eq!(lines.get("+CMGS"), Some(&5), "{lines:?}");
    assert!(!lines.contains_key("+CMMS"), "{lines:?}");
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn s18_a_number_that_is_refused_for_good_holds_nobody_up() {
    let rules = vec![NumberRule::parse("0199=refuse:1").unwrap()];
    let mut house = House::start_with(1, 7, NetworkOptions { rules, ..NetworkOptions::default() }).await;
    house.ready(0).await;
    let refused = house.accept("+14155550199", "to nobody").await;
    let others = [house.accept(BO, "one").await, house.accept("+14155550101", "two").await];
    for id in others {
        house.reaches(id, Status::Submitted).await;
    }
    let message = house.settled(refused, MINUTE).await;
    assert_eq!((message.status(), message.reason()), (Status::Failed, Some(Reason::Cms(1))));
    sleep(600).await;
    assert_eq!(house.simulator.counts().network.refused, 1, "it is not tried again");
    house.stop().await;
}

// Calling off.

#[tokio::test(start_paused = true)]
async fn a_message_can_be_called_off_until_0x1a() {
    let mut house = House::start(1).await;
    house.ready(0).await;
    house.faults(0, &["prompt_late=3@next:1"]);
    let begun = house.accept(BO, "begun").await;
    let queued = house.accept("+14155550101", "queued").await;
    house.reaches(begun, Status::Submitting).await;
    for id in [begun, queued] {
        let message = house.store().cancel_message(ME, id, None).await.unwrap().value;
        assert_eq!(message.state, State::Canceled(Reason::CanceledByCaller));
    }
    let sent = house.accept("+14155550102", "sent").await;
    house.handed_over(1).await;
    assert!(matches!(house.store().cancel_message(ME, sent, None).await, Err(StoreError::Message(_))));
    assert_eq!(house.settled(sent, MINUTE).await.status(), Status::Delivered);
    assert_eq!(house.all_copies().len(), 1);
    assert_eq!(house.status(begun).await, Status::Canceled);
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_code_that_is_superseded_while_a_modem_has_it_does_not_leave() {
    let mut house = House::start(1).await;
    house.ready(0).await;
    house.faults(0, &["prompt_late=3@next:1"]);
    let old = house.verify(BO, "Old").await;
    house.reaches(old.verification.message, Status::Submitting).await;
    let new = house.verify(BO, "New").await;
    assert_eq!(house.settled(new.verification.message, MINUTE).await.status(), Status::Delivered);
    let copies = house.copies(BO);
    assert!(copies.len() == 1 && copies[0].starts_with("New "), "{copies:?}");
    let old = house.store().verification(ME, old.verification.id, None).await.unwrap();
    assert_eq!(old.verification.state, VerificationState::Canceled(Reason::Superseded));
    assert_eq!(old.message, Some(Status::Canceled));
    let verdict = house.check(new.verification.id, copies[0].strip_prefix("New ").unwrap()).await.unwrap();
    assert!(verdict.valid);
    house.stop().await;
}

// Evidence.

#[tokio::test(start_paused = true)]
async fn a_report_ahead_of_its_result_settles_no_other_message() {
    let mut house = House::start(1).await;
    house.ready(0).await;
    house.faults(0, &["error_after=cms:500,lost@next:1"]);
    let lost = house.accept(BO, "lost").await;
    house.reaches(lost, Status::Uncertain).await;
    house.faults(0, &["report_early=yes@next:1"]);
    let sent = house.accept(BO, "sent").await;
    let message = house.settled(sent, MINUTE).await;
    assert_eq!(message.status(), Status::Delivered, "{message:?}");
    assert_eq!(house.status(lost).await, Status::Uncertain);
    assert_eq!(house.copies(BO), ["sent"]);
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_result_after_two_crashes_is_credited_to_neither_message() {
    let mut house = House::start(1).await;
    house.ready(0).await;
    // Its result comes while the second crash's open intent is listened for.
    house.faults(0, &["late_result=16@next:1", "report_lost=yes"]);
    let first = house.accept(BO, "first").await;
    house.handed_over(1).await;
    house.crash().await;
    house.ready(0).await;
    house.faults(0, &["silence=lost@next:1"]);
    let second = house.accept("+14155550101", "second").await;
    house.handed_over(2).await;
    house.crash().await;
    sleep(30).await;
    for id in [first, second] {
        assert_eq!(house.status(id).await, Status::Uncertain);
    }
    assert_eq!(house.all_copies().len(), 1);
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_result_long_after_a_crash_is_not_credited_to_the_silent_message_after_it() {
    let mut house = House::start(1).await;
    house.ready(0).await;
    house.faults(0, &["late_result=150@next:1", "report_lost=yes"]);
    let first = house.accept(BO, "first").await;
    house.handed_over(1).await;
    house.crash().await;
    house.ready(0).await;
    house.faults(0, &["silence=lost@next:1"]);
    let second = house.accept("+14155550101", "second").await;
    house.handed_over(2).await;
    sleep(160).await;
    for id in [first, second] {
        assert_eq!(house.status(id).await, Status::Uncertain);
    }
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_long_message_whose_part_was_reported_undeliverable_is_not_begun_anew() {
    let network = NetworkOptions { air_time: Duration::from_secs(2), ..NetworkOptions::default() };
    let mut house = House::start_with(2, 7, network).await;
    house.ready(0).await;
    house.ready(1).await;
    for modem in 0..2 {
        house.faults(modem, &["report_status=0x46@next:1"]);
    }
    let id = house.accept(BO, &"a long text, cut into parts and put together again; ".repeat(8)).await;
    house.handed_over(1).await;
    for modem in 0..2 {
        house.faults(modem, &["network_refusal=38@next:1"]);
    }
    let message = house.settled(id, MINUTE * 10).await;
    assert_eq!((message.status(), message.reason()), (Status::Undelivered, Some(Reason::Report(0x46))), "{message:?}");
    let copies = house.all_copies();
    assert_eq!(copies.iter().filter(|c| c.part == 1).count(), 1, "{copies:?}");
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_error_that_leaves_a_message_uncertain_does_not_stop_the_modem() {
    for fault in ["error_after=cms:500,accepted@next:1", "error_after=error,lost@next:1"] {
        let mut house = House::start(1).await;
        house.ready(0).await;
        house.faults(0, &[fault, "report_lost=yes@next:1"]);
        let open = house.accept(BO, "open").await;
        let next = house.accept("+14155550101", "next").await;
        house.reaches(open, Status::Uncertain).await;
        assert_eq!(house.settled(next, Duration::from_secs(5)).await.status(), Status::Delivered, "{fault}");
        assert_eq!(house.status(open).await, Status::Uncertain);
        house.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_result_that_comes_late_settles_the_message_and_the_modem_goes_on() {
    let mut house = House::start(1).await;
    house.ready(0).await;
    house.faults(0, &["late_result=150@next:1", "report_lost=yes"]);
    let new = house.message(BO, "late");
    let late = house.take_in(NewMessage { on_uncertain: OnUncertain::Leave, ..new }).await;
    let next = house.accept("+14155550101", "next").await;
    house.reaches(late, Status::Uncertain).await;
    assert_eq!(house.wires.handed_over().len(), 1, "no other send on that port meanwhile");
    let message = house.reaches(late, Status::Submitted).await;
    assert!(matches!(message.attempts[0].parts[0].state, PartState::Accepted(Some(_))), "{message:?}");
    assert!(message.ever_uncertain);
    house.faults(0, &[]);
    assert!(!house.reaches(next, Status::Submitted).await.ever_uncertain);
    assert_eq!(house.all_copies().len(), 2);
    house.stop().await;
}
