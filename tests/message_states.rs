//! A message's states: what must hold whatever happens, and the turns that matter, each by its name.

use otpgate::dispatch::retry::{resend_reported, resend_uncertain};
use otpgate::domain::equipment::{Imei, SimCard};
use otpgate::domain::id::{ClientId, MessageId};
use otpgate::domain::message::{
    Attempt, Event, IntentOf, Message, OnUncertain, PartId, PartReport, PartState, Priority, Refused, ReportState,
    ReportVerdict, State, Status, Then, max_attempts,
};
use otpgate::domain::msisdn::Msisdn;
use otpgate::domain::reason::Reason;
use otpgate::domain::time::{BootId, BootTime, Mono, Now, Wall};
use proptest::prelude::*;
use std::time::Duration;

const LIFE: Duration = Duration::from_secs(600);

/// A message with an hour-hand of its own.
struct Case {
    message: Message,
    now: Now,
}

impl Case {
    fn new(parts: u8) -> Self {
        let now = Now {
            mono: Mono::from_millis(5_000),
            boot: BootTime { id: BootId(1), since_boot: Duration::from_secs(5) },
            wall: Wall(1_767_225_600_000),
        };
        let message = Message {
            id: MessageId(1),
            client: ClientId(1),
            sequence: 1,
            to: Msisdn::parse("+14155550100").unwrap(),
            verification: None,
            priority: Priority::Normal,
            flash: false,
            parts,
            on_uncertain: OnUncertain::ResendOnce,
            client_reference: None,
            created: now.wall,
            updated: now.wall,
            send_at: None,
            deadline: now.after(LIFE),
            state: State::Queued { not_before: None, only: None, because: None },
            attempts: Vec::new(),
            avoid: Vec::new(),
            ever_uncertain: false,
            resend_used: false,
            version: 1,
        };
        Self { message, now }
    }

    fn wait(&mut self, seconds: u64) {
        let time = Duration::from_secs(seconds);
        self.now.mono = self.now.mono + time;
        self.now.boot.since_boot += time;
        self.now.wall = self.now.wall + time;
    }

    fn try_apply(&mut self, event: Event) -> Result<(), Refused> {
        self.message.apply(&self.now, event)
    }

    fn apply(&mut self, event: Event) {
        self.try_apply(event).unwrap();
    }

    /// The intent that a modem with this SIM card would record now.
    fn intent_of(&self, sim_card: u8) -> IntentOf {
        let (modem, sim_card) = (Imei::new(format!("imei {sim_card}")), SimCard::new(format!("card {sim_card}")));
        let part = self.message.next_part(&modem, &sim_card);
        let kept = self.message.attempts.get(usize::from(part.attempt)).map(|a| a.concat_reference);
        let report_until = self.now.after(LIFE * 2);
        let concat_reference = kept.unwrap_or(part.attempt);
        IntentOf { modem, sim_card, part, concat_reference, report_until, needs: Duration::from_secs(10) }
    }

    fn intend(&mut self, sim_card: u8) -> Result<PartId, Refused> {
        let intent = self.intent_of(sim_card);
        let part = intent.part;
        self.try_apply(Event::Intent(intent)).map(|()| part)
    }

    fn begin(&mut self) -> PartId {
        self.intend(0).unwrap()
    }

    fn accepted(&mut self, part: PartId, reference: u8) {
        self.apply(Event::Accepted { part, reference: Some(reference) });
    }

    fn uncertain(&mut self, part: PartId, resend: bool) {
        self.apply(Event::Uncertain { part, reason: Reason::NoResult, resend });
    }

    fn refused(&mut self, part: PartId, then: Then) {
        self.apply(Event::NotSent { part, reason: Reason::Cms(38), then });
    }

    fn reported(&mut self, part: PartId, reference: u8, verdict: ReportVerdict) {
        let report = PartReport { status: 0x46, verdict, at: self.now.wall };
        self.apply(Event::Reported { part, reference, report, resend: false });
    }

    #[track_caller]
    fn is(&self, status: Status) {
        assert_eq!(self.message.status(), status, "{:?}", self.message.state);
    }
}

const RETRY: Then = Then::Retry { pause: Duration::ZERO, other_sim_card: false };

fn part(attempt: u8, part: u8) -> PartId {
    PartId { attempt, part }
}

#[test]
fn one_part_from_acceptance_to_delivery() {
    let mut case = Case::new(1);
    case.is(Status::Queued);
    let part = case.begin();
    case.is(Status::Submitting);
    case.accepted(part, 7);
    case.is(Status::Submitted);
    assert!(!case.message.is_final());
    case.reported(part, 7, ReportVerdict::StillTrying);
    case.is(Status::Submitted);
    case.reported(part, 7, ReportVerdict::Delivered);
    case.is(Status::Delivered);
    assert!(case.message.is_final() && !case.message.ever_uncertain);
}

#[test]
fn reports_are_counted_part_by_part_and_settle_an_uncertain_one() {
    let mut case = Case::new(3);
    for n in 0..2 {
        let part = case.begin();
        case.accepted(part, 7 + n);
    }
    let last = case.begin();
    case.uncertain(last, false);
    case.is(Status::Uncertain);
    case.reported(part(0, 0), 7, ReportVerdict::Delivered);
    case.reported(part(0, 1), 8, ReportVerdict::Delivered);
    case.is(Status::Uncertain);
    case.reported(last, 9, ReportVerdict::Delivered);
    case.is(Status::Delivered);
    assert_eq!(case.message.part(last).unwrap().state, PartState::Accepted(Some(9)));
    assert!(case.message.ever_uncertain, "that stays on record");
}

#[test]
fn one_part_undelivered_is_the_message_undelivered() {
    let mut case = Case::new(2);
    for n in 0..2 {
        let part = case.begin();
        case.accepted(part, n);
    }
    case.reported(part(0, 0), 0, ReportVerdict::Delivered);
    case.is(Status::Submitted);
    case.reported(part(0, 1), 1, ReportVerdict::Failed);
    case.is(Status::Undelivered);
    assert_eq!(case.message.reason(), Some(Reason::Report(0x46)));
}

#[test]
fn no_part_goes_out_behind_an_uncertain_one() {
    let mut case = Case::new(3);
    let first = case.begin();
    case.uncertain(first, false);
    case.is(Status::Uncertain);
    assert_eq!(case.intend(0), Err(Refused::Final));
}

#[test]
fn a_late_accepted_result_resumes_a_message_of_several_parts_on_the_same_sim_card() {
    let mut case = Case::new(3);
    let first = case.begin();
    case.uncertain(first, false);
    assert!(case.message.text_needed(&case.now), "two parts are to come yet");
    case.accepted(first, 7);
    assert!(matches!(&case.message.state, State::Queued { only: Some(card), .. } if card.as_str() == "card 0"));
    assert_eq!(case.intend(1), Err(Refused::OutOfStep), "not another card");
    for n in 1..3 {
        let next = case.begin();
        assert_eq!(next, part(0, n), "the same attempt goes on");
        case.accepted(next, 7 + n);
    }
    case.is(Status::Submitted);
    assert_eq!(case.message.attempts.len(), 1);
}

#[test]
fn a_late_accepted_result_calls_a_queued_resend_off() {
    let mut case = Case::new(1);
    let first = case.begin();
    case.uncertain(first, true);
    case.is(Status::Queued);
    case.accepted(first, 7);
    case.is(Status::Submitted);
    assert_eq!(case.intend(0), Err(Refused::Final));
}

#[test]
fn a_late_refusal_of_the_last_uncertain_attempt_has_it_tried_again() {
    for parts in [1, 2] {
        let mut case = Case::new(parts);
        let first = case.begin();
        case.uncertain(first, false);
        case.is(Status::Uncertain);
        assert!(case.message.text_needed(&case.now), "{parts}: what is tried again needs its text");
        case.refused(first, RETRY);
        case.is(Status::Queued);
        assert_eq!(case.begin(), first);
        case.accepted(first, 7);
        assert!(case.message.ever_uncertain);
    }
}

#[test]
fn a_late_refusal_of_an_older_attempt_leaves_it_to_the_newer() {
    let mut case = Case::new(1);
    let first = case.begin();
    case.uncertain(first, true);
    let second = case.begin();
    assert_eq!(second, part(1, 0));
    case.refused(first, RETRY);
    case.is(Status::Submitting);
    case.accepted(second, 8);
    case.is(Status::Submitted);
}

#[test]
fn a_late_refusal_sends_nothing_that_went_out_otherwise() {
    let mut case = Case::new(1);
    let first = case.begin();
    case.uncertain(first, true);
    let second = case.begin();
    case.uncertain(second, false);
    case.accepted(first, 7);
    case.is(Status::Submitted);
    case.refused(second, RETRY);
    case.is(Status::Submitted);
    assert_eq!(case.intend(0), Err(Refused::Final), "one copy is out, and that is enough");
}

#[test]
fn a_late_refusal_sends_nothing_that_was_called_off() {
    for called_off in [
        Event::Cancel(Reason::Superseded),
        Event::Cancel(Reason::CanceledByCaller),
        Event::Expire(Reason::TtlPassed),
        Event::Fail(Reason::TextLost),
    ] {
        let mut case = Case::new(1);
        let first = case.begin();
        case.uncertain(first, true);
        case.apply(called_off.clone());
        case.is(Status::Uncertain);
        assert!(case.message.is_final() && !case.message.text_needed(&case.now));
        case.refused(first, RETRY);
        case.is(Status::Failed);
        assert!(case.message.is_final(), "{called_off:?}");
        assert_eq!(case.intend(0), Err(Refused::Final), "{called_off:?}");
    }
}

#[test]
fn some_parts_out_and_the_rest_impossible_is_partial() {
    let mut case = Case::new(2);
    let first = case.begin();
    case.accepted(first, 7);
    let second = case.begin();
    case.refused(second, Then::GiveUp);
    assert_eq!(case.message.state, State::Failed(Reason::Partial));

    // Also by time, and when what came late can't be followed up any more.
    let mut case = Case::new(2);
    let first = case.begin();
    case.accepted(first, 7);
    case.apply(Event::Release);
    case.is(Status::Queued);
    case.apply(Event::Expire(Reason::TtlPassed));
    assert_eq!(case.message.state, State::Failed(Reason::Partial));

    let mut case = Case::new(2);
    let first = case.begin();
    case.uncertain(first, false);
    case.apply(Event::Close);
    case.accepted(first, 7);
    assert_eq!(case.message.state, State::Failed(Reason::Partial));
}

#[test]
fn a_refused_part_is_tried_again_within_its_attempt() {
    let mut case = Case::new(2);
    let first = case.begin();
    case.accepted(first, 7);
    let second = case.begin();
    case.refused(second, RETRY);
    assert!(matches!(&case.message.state, State::Queued { only: Some(_), .. }));
    assert_eq!(case.begin(), second, "the first is never sent again");
    assert_eq!(case.message.part(second).unwrap().refusals, 1);
    case.accepted(second, 8);
    case.is(Status::Submitted);
}

#[test]
fn what_one_sim_card_may_not_send_another_may() {
    let mut case = Case::new(1);
    let first = case.begin();
    case.refused(first, Then::Retry { pause: Duration::ZERO, other_sim_card: true });
    assert_eq!(case.message.avoid, [SimCard::new("card 0")]);
    assert_eq!(case.intend(1), Ok(part(1, 0)));
}

#[test]
fn the_resend_goes_over_another_sim_card_if_it_can() {
    let mut case = Case::new(1);
    let first = case.begin();
    case.uncertain(first, true);
    assert_eq!(case.message.avoid, [SimCard::new("card 0")]);
}

/// Found with two modems that answered "busy" in turn: sixteen attempts were on record within minutes, and the message
/// failed though nothing was wrong with it.
#[test]
fn modems_that_are_busy_in_turn_do_not_use_up_the_record() {
    for parts in [1, 10] {
        let mut case = Case::new(parts);
        for n in 0..100 {
            let part = case.intend(n % 2).unwrap();
            case.refused(part, RETRY);
        }
        assert_eq!(case.message.attempts.len(), max_attempts(parts) - 1, "one place is left for the resend");
        let last = case.intend(5).unwrap();
        let attempt = &case.message.attempts[usize::from(last.attempt)];
        assert_eq!(attempt.sim_card.as_str(), "card 5");
        assert!(attempt.parts[0].refusals > 80, "refusals are counted over all who were refused");
        assert!(resend_uncertain(&case.message, &case.now));
        case.uncertain(last, true);
        assert_eq!(case.begin(), part(last.attempt + 1, 0), "what may have gone out is never overwritten");
    }
}

#[test]
fn an_unconfirmed_report_ends_it_as_submitted() {
    let mut case = Case::new(2);
    for n in 0..2 {
        let part = case.begin();
        case.accepted(part, n);
    }
    case.reported(part(0, 0), 0, ReportVerdict::Delivered);
    assert!(!case.message.is_final());
    case.reported(part(0, 1), 1, ReportVerdict::Unconfirmed);
    case.is(Status::Submitted);
    assert!(matches!(case.message.state, State::Submitted { report: ReportState::Unconfirmed, .. }));
    assert!(case.message.is_final());
}

#[test]
fn it_closes_without_a_report_and_takes_a_late_one_all_the_same() {
    let mut case = Case::new(1);
    let first = case.begin();
    case.accepted(first, 7);
    case.apply(Event::Close);
    assert!(matches!(case.message.state, State::Submitted { report: ReportState::None, .. }));
    assert!(case.message.is_final());
    assert_eq!(case.try_apply(Event::Close), Err(Refused::Final));
    case.reported(first, 7, ReportVerdict::Delivered);
    case.is(Status::Delivered);

    let mut case = Case::new(1);
    let first = case.begin();
    case.uncertain(first, false);
    case.apply(Event::Close);
    assert!(matches!(case.message.state, State::Uncertain { closed: true, .. }));
    case.reported(first, 7, ReportVerdict::Delivered);
    case.is(Status::Delivered);
}

#[test]
fn one_resend_in_all_whatever_the_cause() {
    let gave_up = |case: &mut Case, part| {
        let report = PartReport { status: 0x60, verdict: ReportVerdict::GaveUp, at: case.now.wall };
        case.apply(Event::Reported { part, reference: 7, report, resend: true });
    };
    let mut case = Case::new(1);
    let first = case.begin();
    case.accepted(first, 7);
    gave_up(&mut case, first);
    case.is(Status::Queued);
    let second = case.begin();
    case.uncertain(second, true);
    case.is(Status::Uncertain);

    let mut case = Case::new(1);
    let first = case.begin();
    case.uncertain(first, true);
    let second = case.begin();
    case.accepted(second, 7);
    gave_up(&mut case, second);
    case.is(Status::Uncertain);
    assert_eq!(case.intend(0), Err(Refused::Final));
}

#[test]
fn intents_are_refused_when_they_must_be() {
    let mut case = Case::new(1);
    case.begin();
    assert_eq!(case.intend(0), Err(Refused::OnAir), "one at a time");
    assert_eq!(case.try_apply(Event::Expire(Reason::TtlPassed)), Err(Refused::OnAir));

    let mut case = Case::new(1);
    case.wait(600);
    assert_eq!(case.intend(0), Err(Refused::Expired));
    let mut case = Case::new(1);
    case.now.wall = case.now.wall + LIFE;
    assert_eq!(case.intend(0), Err(Refused::Expired), "the wall clock alone says so too");

    let mut case = Case::new(1);
    case.message.verification = Some(otpgate::domain::id::VerificationId(1));
    case.wait(591);
    assert_eq!(case.intend(0), Err(Refused::TooLate), "a code that would come too late");
    case.message.verification = None;
    assert_eq!(case.intend(0), Ok(part(0, 0)), "a plain message may use its last second");

    let mut case = Case::new(1);
    case.apply(Event::Cancel(Reason::CanceledByCaller));
    case.is(Status::Canceled);
    assert_eq!(case.intend(0), Err(Refused::Final));
}

#[test]
fn a_cancel_before_the_hand_over_wins_and_after_it_loses() {
    let mut case = Case::new(1);
    let first = case.begin();
    case.apply(Event::Cancel(Reason::CanceledByCaller));
    case.is(Status::Canceled);
    assert_eq!(case.message.part(first).unwrap().state, PartState::NotSent(Reason::CanceledByCaller));
    let late = Event::Accepted { part: first, reference: None };
    assert_eq!(case.try_apply(late), Err(Refused::OutOfStep));

    let mut case = Case::new(1);
    let first = case.begin();
    case.accepted(first, 7);
    assert_eq!(case.try_apply(Event::Cancel(Reason::CanceledByCaller)), Err(Refused::OnAir));
}

/// Something that happens. Parts are named by their place among those there are; `None` is the open one, or the last.
#[derive(Clone, Debug)]
enum Op {
    Intent { sim_card: u8 },
    Astray(PartId),
    NotSent { which: Option<(u8, u8)>, then: Then, reason: Reason },
    Accepted { which: Option<(u8, u8)>, reference: Option<u8> },
    Uncertain { which: Option<(u8, u8)>, resend: bool },
    Reported { which: Option<(u8, u8)>, verdict: ReportVerdict, resend: bool },
    Release,
    Cancel,
    Expire,
    Fail,
    Close,
    Wait(u64),
}

fn op() -> impl Strategy<Value = Op> {
    let which = || prop_oneof![2 => Just(None), 1 => any::<(u8, u8)>().prop_map(Some)];
    let then = prop_oneof![
        (0..120_u64, any::<bool>())
            .prop_map(|(s, other_sim_card)| Then::Retry { pause: Duration::from_secs(s), other_sim_card }),
        (0..120_u64, any::<bool>())
            .prop_map(|(s, other_sim_card)| Then::Wait { pause: Duration::from_secs(s), other_sim_card }),
        Just(Then::GiveUp),
    ];
    let reason = prop::sample::select(vec![Reason::Cms(38), Reason::NotTransmitted, Reason::TtlPassed]);
    use ReportVerdict::{Delivered, Failed, GaveUp, StillTrying, Unconfirmed};
    let verdict = prop::sample::select(vec![Delivered, Unconfirmed, StillTrying, Failed, GaveUp]);
    prop_oneof![
        12 => (0..3_u8).prop_map(|sim_card| Op::Intent { sim_card }),
        1 => (0..4_u8, 0..4_u8).prop_map(|(a, p)| Op::Astray(part(a, p))),
        5 => (which(), then, reason).prop_map(|(which, then, reason)| Op::NotSent { which, then, reason }),
        7 => (which(), any::<Option<u8>>()).prop_map(|(which, reference)| Op::Accepted { which, reference }),
        6 => (which(), any::<bool>()).prop_map(|(which, resend)| Op::Uncertain { which, resend }),
        4 => (which(), verdict, any::<bool>())
            .prop_map(|(which, verdict, resend)| Op::Reported { which, verdict, resend }),
        1 => Just(Op::Release),
        1 => Just(Op::Cancel),
        1 => Just(Op::Expire),
        1 => Just(Op::Fail),
        1 => Just(Op::Close),
        1 => (0..300_u64).prop_map(Op::Wait),
    ]
}

impl Case {
    fn which(&self, which: Option<(u8, u8)>) -> PartId {
        let attempts = self.message.attempts.len().max(1);
        let parts = |a: usize| self.message.attempts.get(a).map_or(1, |a| a.parts.len());
        match which {
            None => self
                .message
                .open_part()
                .unwrap_or_else(|| part(attempts as u8 - 1, parts(attempts - 1).saturating_sub(1) as u8)),
            Some((a, p)) => {
                let a = usize::from(a) % attempts;
                part(a as u8, (usize::from(p) % parts(a)) as u8)
            }
        }
    }

    /// The event. With `obedient` the resend is asked for only where the policy allows it, as the store does.
    fn event(&self, op: &Op, obedient: bool) -> Option<Event> {
        let may = |allowed: bool, wanted: bool| wanted && (allowed || !obedient);
        Some(match op.clone() {
            Op::Intent { sim_card } => Event::Intent(self.intent_of(sim_card)),
            Op::Astray(part) => Event::Intent(IntentOf { part, ..self.intent_of(0) }),
            Op::NotSent { which, then, reason } => Event::NotSent { part: self.which(which), reason, then },
            Op::Accepted { which, reference } => Event::Accepted { part: self.which(which), reference },
            Op::Uncertain { which, resend } => Event::Uncertain {
                part: self.which(which),
                reason: Reason::NoResult,
                resend: may(resend_uncertain(&self.message, &self.now), resend),
            },
            Op::Reported { which, verdict, resend } => Event::Reported {
                part: self.which(which),
                reference: 5,
                report: PartReport { status: 0, verdict, at: self.now.wall },
                resend: may(resend_reported(&self.message, verdict, &self.now), resend),
            },
            Op::Release => Event::Release,
            Op::Cancel => Event::Cancel(Reason::CanceledByCaller),
            Op::Expire => Event::Expire(Reason::TtlPassed),
            Op::Fail => Event::Fail(Reason::TextLost),
            Op::Close => Event::Close,
            Op::Wait(_) => return None,
        })
    }
}

/// What one attempt came to, worst first: nothing, undelivered, uncertain, submitted, delivered. Told from its parts
/// alone.
fn came_to(attempt: &Attempt, total: u8) -> u8 {
    let reported = |v| attempt.parts.iter().filter(|p| p.report.is_some_and(|r| r.verdict == v)).count();
    let count = |test: fn(&PartState) -> bool| attempt.parts.iter().filter(|p| test(&p.state)).count();
    if reported(ReportVerdict::Failed) + reported(ReportVerdict::GaveUp) > 0 {
        1
    } else if count(|state| matches!(state, PartState::Uncertain(_))) > 0 {
        2
    } else if count(|state| matches!(state, PartState::Accepted(_))) < usize::from(total) {
        0
    } else if reported(ReportVerdict::Delivered) == usize::from(total) {
        4
    } else {
        3
    }
}

fn best(message: &Message) -> u8 {
    message.attempts.iter().map(|attempt| came_to(attempt, message.parts)).max().unwrap_or(0)
}

/// What holds of a message at rest.
fn check(message: &Message) -> Result<(), TestCaseError> {
    let open = message.attempts.iter().flat_map(|a| &a.parts).filter(|p| p.state == PartState::Intended).count();
    prop_assert!(open <= 1);
    prop_assert!(open == 0 || message.status() == Status::Submitting, "an intent is open, but {:?}", message.state);
    prop_assert!(message.attempts.len() <= max_attempts(message.parts));
    prop_assert!(message.attempts.iter().all(|a| a.parts.len() <= usize::from(message.parts)));
    prop_assert!(message.avoid.len() <= max_attempts(message.parts));
    let expected: &[Status] = match best(message) {
        4 => &[Status::Delivered],
        3 => &[Status::Submitted],
        2 => &[Status::Uncertain],
        1 => &[Status::Undelivered],
        _ => &[Status::Failed, Status::Expired, Status::Canceled],
    };
    match message.status() {
        Status::Submitting => {}
        Status::Queued => prop_assert!(best(message) < 3, "queued, but it is out"),
        status => prop_assert!(expected.contains(&status), "{status:?}, but {expected:?}: {:?}", message.attempts),
    }
    // How often each part may be on the air: once, and once more for the one resend.
    for n in 0..usize::from(message.parts) {
        let out = |a: &&Attempt| a.parts.get(n).is_some_and(|p| !matches!(p.state, PartState::NotSent(_)));
        let copies = message.attempts.iter().filter(out).count();
        prop_assert!(copies <= 1 + usize::from(message.resend_used), "part {n} is out {copies} times");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens(parts in 1..4_u8, obedient in any::<bool>(), ops in prop::collection::vec(op(), 1..60)) {
        let mut case = Case::new(parts);
        let (mut ever_uncertain, mut called_off, mut erased) = (false, false, false);
        for op in ops {
            if let Op::Wait(seconds) = op {
                case.wait(seconds);
            }
            let Some(event) = case.event(&op, obedient) else { continue };
            let before = case.message.clone();
            if case.try_apply(event.clone()).is_err() {
                prop_assert_eq!(&case.message, &before, "refused, and yet changed");
                continue;
            }
            prop_assert_eq!(case.message.version, before.version + 1);
            prop_assert_eq!(case.message.updated, case.now.wall);
            check(&case.message)?;
            prop_assert!(case.message.resend_used || !before.resend_used);
            match &event {
                Event::Intent(intent) => {
                    prop_assert!([Status::Queued, Status::Submitting].contains(&before.status()));
                    prop_assert!(before.part(intent.part).is_none_or(|p| matches!(p.state, PartState::NotSent(_))));
                    prop_assert!(!before.deadline.passed_by_any(&case.now));
                    prop_assert!(!called_off, "sent after it was called off");
                    prop_assert!(!erased || !obedient, "its text was erased already");
                }
                Event::Uncertain { .. } => ever_uncertain = true,
                Event::Cancel(_) | Event::Expire(_) | Event::Fail(_) => called_off = true,
                _ => {}
            }
            prop_assert_eq!(case.message.ever_uncertain, ever_uncertain);
            prop_assert!(!called_off || case.message.is_final() || case.message.status() == Status::Submitted);
            erased |= !case.message.text_needed(&case.now);
        }
    }
}
