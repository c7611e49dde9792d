//! Uncertain ends, the one resend, and status reports: which part each speaks of, and what it changes.

use super::*;
use otpgate::domain::message::{PartState, ReportState};
use otpgate::domain::reason::Reason;

on_both_stores! {
    an_uncertain_code_is_sent_once_more_and_only_once
    an_uncertain_plain_message_is_left
    a_plain_message_may_ask_for_the_one_resend
    a_code_with_little_life_left_is_not_sent_again
    a_late_accepted_result_calls_the_queued_resend_off
    a_late_accepted_first_part_lets_the_others_follow
    a_report_calls_the_queued_resend_off
    a_report_settles_an_uncertain_part_if_only_one_fits
    a_report_with_a_known_tp_mr_settles_no_uncertain_part
    a_report_may_come_before_its_result
    parts_wise_report_matching_with_an_uncertain_part
    a_message_is_undelivered_when_any_part_is
    a_repeated_report_changes_nothing
    a_repeated_report_is_not_taken_for_a_later_message
    the_newest_unresolved_part_is_meant_when_the_tp_mr_wraps
    a_report_that_came_before_a_message_left_is_not_its_own
    a_late_report_of_a_known_part_settles_no_other
    reports_that_fit_nothing_are_counted
    a_recipient_in_national_form_is_recognised
    a_report_of_another_recipient_or_sim_card_fits_nothing
    still_trying_changes_nothing
    a_forwarded_message_without_confirmation_stays_submitted
    the_report_window_closes
    a_report_that_gave_up_permits_the_one_resend
    a_report_that_failed_permits_none
    a_report_that_gave_up_finds_the_text_of_an_uncertain_message
    a_report_that_failed_ends_a_message_between_two_parts
    a_report_does_not_shorten_the_pause_of_the_next_part
}

const NO_RESULT: PartResult = PartResult::Uncertain(Reason::NoResult);

async fn an_uncertain_code_is_sent_once_more_and_only_once(w: World) {
    let (_, id) = w.verify(w.code()).await;
    let first = w.claim(&modem(1)).await;
    let part = w.put_part_on_air(&first, &modem(1)).await;
    w.settle(id, part, &modem(1), NO_RESULT).await;
    let message = w.message(id).await;
    assert_eq!((message.status(), message.reason()), (Status::Queued, Some(Reason::NoResult)));
    let second = w.claim(&modem(2)).await;
    assert_eq!((second.message.id, second.text.reveal()), (id, first.text.reveal()), "identical");
    let part = w.put_part_on_air(&second, &modem(2)).await;
    assert_eq!(part, PartId { attempt: 1, part: 0 });
    w.settle(id, part, &modem(2), NO_RESULT).await;
    assert_eq!(w.status(id).await, Status::Uncertain);
    assert!(w.has_nothing_for(&modem(1)).await && w.has_nothing_for(&modem(2)).await);
    pass(secs(300)).await;
    assert!(w.message(id).await.is_final());
}

async fn an_uncertain_plain_message_is_left(w: World) {
    let id = w.accept(w.plain()).await;
    w.send(&modem(1), NO_RESULT).await;
    assert_eq!(w.state(id).await, State::Uncertain { reason: Reason::NoResult, closed: false });
    assert!(w.has_nothing_for(&modem(1)).await && w.has_nothing_for(&modem(2)).await);
    pass(DAY).await;
    assert_eq!(w.state(id).await, State::Uncertain { reason: Reason::NoResult, closed: true });
}

async fn a_plain_message_may_ask_for_the_one_resend(w: World) {
    let id = w.accept(NewMessage { on_uncertain: OnUncertain::ResendOnce, ..w.plain() }).await;
    w.send(&modem(1), NO_RESULT).await;
    assert_eq!(w.send(&modem(1), accepted(1)).await, id);
    let message = w.message(id).await;
    assert_eq!((message.status(), message.ever_uncertain), (Status::Submitted, true), "the best of its attempts");
}

async fn a_code_with_little_life_left_is_not_sent_again(w: World) {
    let (_, id) = w.verify(w.code()).await;
    let (_claim, part) = w.put_on_air(&modem(1)).await;
    pass(secs(271)).await;
    w.settle(id, part, &modem(1), NO_RESULT).await;
    assert_eq!(w.status(id).await, Status::Uncertain);
    assert!(w.has_nothing_for(&modem(1)).await);
}

async fn a_late_accepted_result_calls_the_queued_resend_off(w: World) {
    let (_, id) = w.verify(w.code()).await;
    let (_claim, part) = w.put_on_air(&modem(1)).await;
    w.settle(id, part, &modem(1), NO_RESULT).await;
    assert_eq!(w.status(id).await, Status::Queued);
    w.settle(id, part, &modem(1), accepted(5)).await;
    let message = w.message(id).await;
    assert_eq!((message.status(), message.ever_uncertain), (Status::Submitted, true));
    assert!(w.has_nothing_for(&modem(2)).await);
    // The same while the resend is claimed already.
    let (_, id) = w.verify(NewVerification { purpose: Some("other".into()), ..w.code() }).await;
    let (_claim, part) = w.put_on_air(&modem(1)).await;
    w.settle(id, part, &modem(1), NO_RESULT).await;
    let again = w.claim(&modem(2)).await;
    w.settle(id, part, &modem(1), accepted(6)).await;
    assert!(matches!(w.begin(&again, &modem(2)).await, Grant::Refused(_)));
    assert_eq!(w.message(id).await.attempts.len(), 1);
}

async fn a_late_accepted_first_part_lets_the_others_follow(w: World) {
    let id = w.accept(NewMessage { parts: 2, ..w.plain() }).await;
    let (_claim, part) = w.put_on_air(&modem(1)).await;
    w.settle(id, part, &modem(1), NO_RESULT).await;
    assert!(w.has_nothing_for(&modem(1)).await, "no later part goes out after an uncertain one");
    w.settle(id, part, &modem(1), accepted(5)).await;
    assert!(w.has_nothing_for(&modem(2)).await);
    assert_eq!(w.send(&modem(1), accepted(6)).await, id);
    assert_eq!(w.status(id).await, Status::Submitted);
}

async fn a_report_calls_the_queued_resend_off(w: World) {
    let (_, id) = w.verify(w.code()).await;
    w.send(&modem(1), NO_RESULT).await;
    assert_eq!(w.report(&modem(1), 7, ReportVerdict::Delivered).await, Some(id));
    assert_eq!(w.status(id).await, Status::Delivered);
    assert!(w.has_nothing_for(&modem(2)).await);
}

async fn a_report_settles_an_uncertain_part_if_only_one_fits(w: World) {
    let first = w.accept(w.plain()).await;
    w.send(&modem(1), NO_RESULT).await;
    let second = w.accept(w.plain()).await;
    let (_claim, part) = w.put_on_air(&modem(1)).await;
    w.settle(second, part, &modem(1), NO_RESULT).await;
    assert_eq!(w.report(&modem(1), 7, ReportVerdict::Delivered).await, None, "it may be either");
    assert_eq!((w.status(first).await, w.status(second).await), (Status::Uncertain, Status::Uncertain));
    w.settle(second, part, &modem(1), accepted(8)).await;
    assert_eq!(w.status(first).await, Status::Delivered, "the report that was kept fits one part now");
    assert_eq!(w.status(second).await, Status::Submitted);
    let message = w.message(first).await;
    assert_eq!(message.attempts[0].parts[0].state, PartState::Accepted(Some(7)));
    assert!(message.ever_uncertain, "stays on record");
}

async fn a_report_with_a_known_tp_mr_settles_no_uncertain_part(w: World) {
    let known = w.accept(w.plain()).await;
    w.send(&modem(1), accepted(7)).await;
    let lost = w.accept(w.plain()).await;
    w.send(&modem(1), NO_RESULT).await;
    for _ in 0..2 {
        w.report(&modem(1), 7, ReportVerdict::Delivered).await;
        assert_eq!((w.status(known).await, w.status(lost).await), (Status::Delivered, Status::Uncertain));
    }
}

async fn a_report_may_come_before_its_result(w: World) {
    let id = w.accept(w.plain()).await;
    let (_claim, part) = w.put_on_air(&modem(1)).await;
    assert_eq!(w.report(&modem(1), 9, ReportVerdict::Delivered).await, None);
    assert_eq!(w.status(id).await, Status::Submitting);
    w.settle(id, part, &modem(1), accepted(9)).await;
    assert_eq!(w.status(id).await, Status::Delivered);
}

async fn parts_wise_report_matching_with_an_uncertain_part(w: World) {
    let one = modem(1);
    let id = w.accept(NewMessage { parts: 3, ..w.plain() }).await;
    let claim = w.claim(&one).await;
    for reference in [10, 11] {
        let part = w.put_part_on_air(&claim, &one).await;
        w.settle(id, part, &one, accepted(reference)).await;
    }
    let part = w.put_part_on_air(&claim, &one).await;
    w.settle(id, part, &one, NO_RESULT).await;
    assert_eq!(w.status(id).await, Status::Uncertain, "when any part is");
    assert_eq!(w.report(&one, 11, ReportVerdict::Delivered).await, Some(id));
    assert_eq!(w.report(&one, 10, ReportVerdict::Delivered).await, Some(id));
    let message = w.message(id).await;
    assert_eq!(message.status(), Status::Uncertain, "the third is still unknown");
    let reported: Vec<_> = message.attempts[0].parts.iter().map(|p| p.report.is_some()).collect();
    assert_eq!(reported, [true, true, false]);
    assert_eq!(w.report(&one, 12, ReportVerdict::Delivered).await, Some(id));
    let message = w.message(id).await;
    assert_eq!(message.attempts[0].parts[2].state, PartState::Accepted(Some(12)));
    assert_eq!((message.status(), message.ever_uncertain), (Status::Delivered, true));
}

async fn a_message_is_undelivered_when_any_part_is(w: World) {
    let one = modem(1);
    let id = w.accept(NewMessage { parts: 2, ..w.plain() }).await;
    let claim = w.claim(&one).await;
    for reference in [10, 11] {
        let part = w.put_part_on_air(&claim, &one).await;
        w.settle(id, part, &one, accepted(reference)).await;
    }
    w.report(&one, 10, ReportVerdict::Delivered).await;
    assert_eq!(w.status(id).await, Status::Submitted);
    w.report(&one, 11, ReportVerdict::Failed).await;
    assert_eq!(w.state(id).await, State::Undelivered(Reason::Report(0x41)));
}

async fn a_repeated_report_changes_nothing(w: World) {
    let id = w.accept(w.plain()).await;
    w.send(&modem(1), accepted(7)).await;
    w.report(&modem(1), 7, ReportVerdict::Delivered).await;
    let before = w.message(id).await;
    for verdict in [ReportVerdict::Delivered, ReportVerdict::StillTrying, ReportVerdict::Failed] {
        w.report(&modem(1), 7, verdict).await;
        assert_eq!(w.message(id).await, before, "{verdict:?}");
    }
}

async fn a_repeated_report_is_not_taken_for_a_later_message(w: World) {
    let one = modem(1);
    w.accept(w.plain()).await;
    w.send(&one, accepted(0)).await;
    w.report(&one, 0, ReportVerdict::Delivered).await;
    w.report(&one, 0, ReportVerdict::Delivered).await;
    // Some modems give every message the same TP-MR.
    let later = w.accept(w.plain()).await;
    w.send(&one, accepted(0)).await;
    assert_eq!(w.status(later).await, Status::Submitted);
}

async fn the_newest_unresolved_part_is_meant_when_the_tp_mr_wraps(w: World) {
    let one = modem(1);
    let mut ids = Vec::new();
    for _ in 0..2 {
        ids.push(w.accept(w.plain()).await);
        w.send(&one, accepted(7)).await;
        pass(secs(1)).await;
    }
    assert_eq!(w.report(&one, 7, ReportVerdict::Delivered).await, Some(ids[1]), "the newer one first");
    assert_eq!(w.report(&one, 7, ReportVerdict::Failed).await, Some(ids[0]), "then the one that is left");
    assert_eq!((w.status(ids[0]).await, w.status(ids[1]).await), (Status::Undelivered, Status::Delivered));
}

/// With a modem that gives every message the same TP-MR, a report that fitted nothing for certain was kept, and the next
/// message to the same number counted as delivered before anybody had it.
async fn a_report_that_came_before_a_message_left_is_not_its_own(w: World) {
    let one = modem(1);
    assert_eq!(w.report(&one, 0, ReportVerdict::Delivered).await, None);
    pass(secs(1)).await;
    let id = w.accept(w.plain()).await;
    w.send(&one, accepted(0)).await;
    assert_eq!(w.status(id).await, Status::Submitted);
    assert_eq!(w.report(&one, 0, ReportVerdict::Delivered).await, Some(id));
}

/// After an outage the SC reports what it had kept, while a new code to the same number is on the air.
async fn a_late_report_of_a_known_part_settles_no_other(w: World) {
    let one = modem(1);
    for (reference, reported, gap) in [(7, false, DAY + HOUR), (8, true, 2 * HOUR)] {
        let known = w.accept(w.plain()).await;
        w.send(&one, accepted(reference)).await;
        if reported {
            assert_eq!(w.report(&one, reference, ReportVerdict::Delivered).await, Some(known));
        }
        pass(gap).await;
        let lost = w.accept(w.plain()).await;
        let (_claim, part) = w.put_on_air(&one).await;
        assert_eq!(w.report(&one, reference, ReportVerdict::Delivered).await, None);
        w.settle(lost, part, &one, NO_RESULT).await;
        assert_eq!(w.status(lost).await, Status::Uncertain, "{reference}");
        assert_eq!(w.report(&one, reference, ReportVerdict::Delivered).await, None);
        assert_eq!(w.report(&one, reference + 10, ReportVerdict::Delivered).await, Some(lost));
    }
}

async fn reports_that_fit_nothing_are_counted(w: World) {
    let (one, two) = (modem(1), modem(2));
    let count = |modem: &Modem| w.store().health().unmatched_reports.get(&modem.sim_card).copied().unwrap_or(0);
    let id = w.accept(w.plain()).await;
    let (_claim, part) = w.put_on_air(&one).await;
    assert_eq!(w.report(&one, 3, ReportVerdict::Delivered).await, None, "ahead of its result");
    assert_eq!(w.report(&one, 4, ReportVerdict::Delivered).await, None, "another program's");
    assert_eq!((count(&one), count(&two)), (2, 0));
    w.settle(id, part, &one, accepted(3)).await;
    assert_eq!((w.status(id).await, count(&one)), (Status::Delivered, 1));
    pass(secs(301)).await;
    assert_eq!(count(&one), 1, "given up, and counted all the same");
}

async fn a_recipient_in_national_form_is_recognised(w: World) {
    let id = w.accept(w.plain()).await;
    w.send(&modem(1), accepted(7)).await;
    let found = w.report_for("07700900123", &modem(1), 7, ReportVerdict::Delivered).await;
    assert_eq!((found, w.status(id).await), (Some(id), Status::Delivered));
}

async fn a_report_of_another_recipient_or_sim_card_fits_nothing(w: World) {
    let id = w.accept(w.plain()).await;
    w.send(&modem(1), accepted(7)).await;
    let bob = bob();
    let rows = [
        ("recipient", bob.reveal_digits(), modem(1), 7),
        ("SIM card", "447700900123", modem(2), 7),
        ("TP-MR", "447700900123", modem(1), 8),
    ];
    for (name, digits, modem, reference) in rows {
        let found = w.report_for(digits, &modem, reference, ReportVerdict::Delivered).await;
        assert_eq!((found, w.status(id).await), (None, Status::Submitted), "another {name}");
    }
}

async fn still_trying_changes_nothing(w: World) {
    let id = w.accept(w.plain()).await;
    w.send(&modem(1), accepted(7)).await;
    assert_eq!(w.report(&modem(1), 7, ReportVerdict::StillTrying).await, Some(id));
    assert_eq!(w.status(id).await, Status::Submitted);
    assert_eq!(w.report(&modem(1), 7, ReportVerdict::Delivered).await, Some(id));
    assert_eq!(w.status(id).await, Status::Delivered);
}

async fn a_forwarded_message_without_confirmation_stays_submitted(w: World) {
    let id = w.accept(w.plain()).await;
    w.send(&modem(1), accepted(7)).await;
    w.report(&modem(1), 7, ReportVerdict::Unconfirmed).await;
    let message = w.message(id).await;
    assert!(matches!(message.state, State::Submitted { report: ReportState::Unconfirmed, .. }));
    assert!(message.is_final());
}

async fn the_report_window_closes(w: World) {
    let id = w.accept(w.plain()).await;
    w.send(&modem(1), accepted(7)).await;
    pass(REPORT_WINDOW - secs(1)).await;
    assert!(!w.message(id).await.is_final());
    pass(secs(1)).await;
    let message = w.message(id).await;
    assert!(matches!(message.state, State::Submitted { report: ReportState::None, .. }) && message.is_final());
    assert_eq!(w.report(&modem(1), 7, ReportVerdict::Delivered).await, None, "too late to be its own");
}

async fn a_report_that_gave_up_permits_the_one_resend(w: World) {
    let (_, id) = w.verify(w.code()).await;
    for reference in [7, 8] {
        assert_eq!(w.send(&modem(1), accepted(reference)).await, id);
        assert_eq!(w.report(&modem(1), reference, ReportVerdict::GaveUp).await, Some(id));
    }
    assert_eq!(w.state(id).await, State::Undelivered(Reason::Report(0x60)));
    assert!(w.has_nothing_for(&modem(1)).await);
    assert!(!w.message(id).await.ever_uncertain);
    // A plain message gets none.
    let id = w.accept(w.plain()).await;
    w.send(&modem(1), accepted(9)).await;
    w.report(&modem(1), 9, ReportVerdict::GaveUp).await;
    assert_eq!(w.status(id).await, Status::Undelivered);
}

async fn a_report_that_failed_permits_none(w: World) {
    let (_, id) = w.verify(w.code()).await;
    w.send(&modem(1), accepted(7)).await;
    w.report(&modem(1), 7, ReportVerdict::Failed).await;
    assert_eq!(w.state(id).await, State::Undelivered(Reason::Report(0x41)));
    assert!(w.has_nothing_for(&modem(1)).await);
}

async fn a_report_that_gave_up_finds_the_text_of_an_uncertain_message(w: World) {
    let one = modem(1);
    let id = w.accept(NewMessage { parts: 2, on_uncertain: OnUncertain::ResendOnce, ..w.plain() }).await;
    let (claim, part) = w.put_on_air(&one).await;
    w.settle(id, part, &one, accepted(10)).await;
    let part = w.put_part_on_air(&claim, &one).await;
    w.report(&one, 10, ReportVerdict::StillTrying).await;
    w.settle(id, part, &one, NO_RESULT).await;
    assert_eq!(w.status(id).await, Status::Uncertain, "a report has come: better evidence than a second copy");
    w.report(&one, 10, ReportVerdict::GaveUp).await;
    assert_eq!(w.claim(&modem(2)).await.message.id, id, "and now the one resend");
}

async fn a_report_that_failed_ends_a_message_between_two_parts(w: World) {
    let one = modem(1);
    let id = w.accept(NewMessage { parts: 2, ..w.plain() }).await;
    let (claim, part) = w.put_on_air(&one).await;
    w.settle(id, part, &one, accepted(10)).await;
    drop(claim);
    w.report(&one, 10, ReportVerdict::Failed).await;
    assert_eq!(w.state(id).await, State::Undelivered(Reason::Report(0x41)));
    assert!(w.has_nothing_for(&one).await, "it does not begin anew");
}

async fn a_report_does_not_shorten_the_pause_of_the_next_part(w: World) {
    let one = modem(1);
    let id = w.accept(NewMessage { parts: 2, ..w.plain() }).await;
    let (claim, part) = w.put_on_air(&one).await;
    w.settle(id, part, &one, accepted(10)).await;
    let part = w.put_part_on_air(&claim, &one).await;
    w.settle(id, part, &one, PartResult::NotSent(Reason::Cms(42))).await;
    w.report(&one, 10, ReportVerdict::Delivered).await;
    pass(secs(14)).await;
    assert!(w.has_nothing_for(&one).await);
    pass(secs(1)).await;
    assert_eq!(w.send(&one, accepted(11)).await, id);
}
