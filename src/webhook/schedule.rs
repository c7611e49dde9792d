//! In what order deliveries are tried.
//!
//! For each webhook there is a lane for each subject: a message, a verification. Of a lane only the first is tried; what
//! happened later waits until it is through, or given up. Lanes don't wait for each other, and webhooks neither: one
//! that fails is tried by one delivery at a time, and all that fail together get half of the hands.

use crate::domain::id::WebhookId;
use crate::domain::time::Mono;
use std::collections::{BTreeMap, BTreeSet};

/// The waiting deliveries of all webhooks. They are known here by their place in the order in which things happened.
#[derive(Debug, Default)]
pub struct Schedule {
    webhooks: BTreeMap<WebhookId, Lanes>,
}

#[derive(Debug, Default)]
struct Lanes {
    /// Nothing of it is tried while it rests.
    rests: bool,
    /// Failed attempts since the last that did not.
    failures: u32,
    lanes: BTreeMap<u128, BTreeMap<u64, Mono>>,
    subjects: BTreeMap<u64, u128>,
    /// The first of each lane that nobody has taken, by when it is due.
    heads: BTreeSet<(Mono, u64)>,
    taken: BTreeSet<u64>,
}

impl Schedule {
    /// A webhook, which may rest.
    pub fn open(&mut self, webhook: WebhookId, rests: bool) {
        self.webhooks.entry(webhook).or_default().rests = rests;
    }

    /// A webhook is gone, with all that waits for it.
    pub fn close(&mut self, webhook: WebhookId) {
        self.webhooks.remove(&webhook);
    }

    /// One more waits.
    pub fn add(&mut self, webhook: WebhookId, subject: u128, sequence: u64, due: Mono) {
        let Some(lanes) = self.webhooks.get_mut(&webhook) else { return };
        lanes.hide_head(subject);
        lanes.subjects.insert(sequence, subject);
        lanes.lanes.entry(subject).or_default().insert(sequence, due);
        lanes.show_head(subject);
    }

    /// The next that is due. Nobody else gets it until it is [ended](Self::ended) or comes [again](Self::again).
    pub fn take(&mut self, now: Mono) -> Option<(WebhookId, u64)> {
        let failing = self.webhooks.values().filter(|lanes| lanes.failures > 0).map(|lanes| lanes.taken.len()).sum();
        let open = self.webhooks.iter().filter(|(_, lanes)| lanes.may_take(failing));
        // Those that work go first, whatever the others have piled up.
        let next = open.filter_map(|(id, lanes)| Some((lanes.failures > 0, lanes.heads.first()?, *id)));
        let (_, (due, sequence), webhook) = next.min().filter(|(_, (due, _), _)| *due <= now)?;
        let head = (*due, *sequence);
        let lanes = self.webhooks.get_mut(&webhook)?;
        lanes.heads.remove(&head);
        lanes.taken.insert(head.1);
        Some((webhook, head.1))
    }

    /// A delivery is through, or given up: the next of its lane may go.
    pub fn ended(&mut self, webhook: WebhookId, sequence: u64) {
        let Some(lanes) = self.webhooks.get_mut(&webhook) else { return };
        let Some(subject) = lanes.subjects.remove(&sequence) else { return };
        lanes.hide_head(subject);
        lanes.taken.remove(&sequence);
        if let Some(lane) = lanes.lanes.get_mut(&subject) {
            lane.remove(&sequence);
            if lane.is_empty() {
                lanes.lanes.remove(&subject);
            }
        }
        lanes.show_head(subject);
    }

    /// One that was taken, or waits, is to be tried then.
    pub fn again(&mut self, webhook: WebhookId, sequence: u64, due: Mono) {
        let Some(subject) = self.webhooks.get(&webhook).and_then(|lanes| lanes.subjects.get(&sequence)).copied() else {
            return;
        };
        self.ended(webhook, sequence);
        self.add(webhook, subject, sequence, due);
    }

    /// When one that waits is due by the clock as it stands now.
    pub fn shift(&mut self, webhook: WebhookId, sequence: u64, due: Mono) {
        let Some(lanes) = self.webhooks.get_mut(&webhook) else { return };
        let Some(subject) = lanes.subjects.get(&sequence).copied() else { return };
        lanes.hide_head(subject);
        lanes.lanes.entry(subject).or_default().insert(sequence, due);
        lanes.show_head(subject);
    }

    /// An attempt at a webhook has ended well, or not. Gives the failures in a row.
    pub fn count(&mut self, webhook: WebhookId, well: bool) -> u32 {
        let Some(lanes) = self.webhooks.get_mut(&webhook) else { return 0 };
        lanes.failures = if well { 0 } else { lanes.failures.saturating_add(1) };
        lanes.failures
    }

    /// Failed attempts in a row.
    pub fn failures(&self, webhook: WebhookId) -> u32 {
        self.webhooks.get(&webhook).map_or(0, |lanes| lanes.failures)
    }

    /// When something is due that somebody may take.
    pub fn next_due(&self) -> Option<Mono> {
        let failing = self.webhooks.values().filter(|lanes| lanes.failures > 0).map(|lanes| lanes.taken.len()).sum();
        let open = self.webhooks.values().filter(|lanes| lanes.may_take(failing));
        open.filter_map(|lanes| lanes.heads.first().map(|(due, _)| *due)).min()
    }

    /// How many wait, those included that are being tried.
    pub fn waiting(&self, webhook: WebhookId) -> usize {
        self.webhooks.get(&webhook).map_or(0, |lanes| lanes.subjects.len())
    }

    /// The oldest that waits and is not being tried.
    pub fn oldest(&self, webhook: WebhookId) -> Option<u64> {
        let lanes = self.webhooks.get(&webhook)?;
        lanes.subjects.keys().find(|sequence| !lanes.taken.contains(sequence)).copied()
    }
}

impl Lanes {
    fn may_take(&self, failing: usize) -> bool {
        let hands = if self.failures > 0 { 1 } else { HANDS_EACH };
        !self.rests && self.taken.len() < hands && (self.failures == 0 || failing < HANDS / 2)
    }

    fn head(&self, subject: u128) -> Option<(Mono, u64)> {
        let (sequence, due) = self.lanes.get(&subject)?.first_key_value()?;
        Some((*due, *sequence))
    }

    fn hide_head(&mut self, subject: u128) {
        if let Some(head) = self.head(subject) {
            self.heads.remove(&head);
        }
    }

    /// Unless one of the lane is being tried: then the others wait for it, whatever came before it meanwhile.
    fn show_head(&mut self, subject: u128) {
        let Some(lane) = self.lanes.get(&subject) else { return };
        let is_taken = self.taken.iter().any(|sequence| lane.contains_key(sequence));
        if let (Some(head), false) = (self.head(subject), is_taken) {
            self.heads.insert(head);
        }
    }
}

/// Deliveries that are tried at a time.
pub const HANDS: usize = 8;
/// Of which one webhook gets so many.
const HANDS_EACH: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    const A: WebhookId = WebhookId(1);
    const B: WebhookId = WebhookId(2);

    fn at(secs: u64) -> Mono {
        Mono::from_millis(secs * 1000)
    }

    fn schedule(webhooks: &[WebhookId]) -> Schedule {
        let mut schedule = Schedule::default();
        webhooks.iter().for_each(|webhook| schedule.open(*webhook, false));
        schedule
    }

    fn all(schedule: &mut Schedule, now: Mono) -> Vec<u64> {
        std::iter::from_fn(|| schedule.take(now)).map(|(_, sequence)| sequence).collect()
    }

    #[test]
    fn what_is_about_the_same_is_told_in_order() {
        let mut schedule = schedule(&[A]);
        for (sequence, subject) in [(1, 7), (2, 7), (3, 8), (4, 7)] {
            schedule.add(A, subject, sequence, at(0));
        }
        assert_eq!(all(&mut schedule, at(0)), [1, 3], "the first of each subject");
        schedule.ended(A, 1);
        assert_eq!(all(&mut schedule, at(0)), [2]);
        schedule.again(A, 2, at(5));
        schedule.ended(A, 3);
        assert_eq!(all(&mut schedule, at(4)), [0; 0], "4 waits for 2");
        assert_eq!(schedule.next_due(), Some(at(5)));
        assert_eq!(all(&mut schedule, at(5)), [2]);
        schedule.ended(A, 2);
        assert_eq!(all(&mut schedule, at(5)), [4]);
        schedule.ended(A, 4);
        assert_eq!((schedule.waiting(A), schedule.next_due()), (0, None));
    }

    #[test]
    fn an_older_one_that_comes_back_waits_for_the_one_that_is_being_tried() {
        let mut schedule = schedule(&[A]);
        schedule.add(A, 7, 2, at(0));
        assert_eq!(all(&mut schedule, at(0)), [2]);
        schedule.add(A, 7, 1, at(0));
        assert_eq!(all(&mut schedule, at(0)), [0; 0]);
        schedule.again(A, 2, at(9));
        assert_eq!(all(&mut schedule, at(9)), [1], "in the order in which they happened");
    }

    #[test]
    fn webhooks_do_not_wait_for_each_other() {
        let mut schedule = schedule(&[A, B]);
        for sequence in 0..10 {
            schedule.add(A, sequence.into(), sequence, at(0));
        }
        schedule.add(B, 100, 100, at(1));
        assert_eq!(all(&mut schedule, at(1)), [0, 1, 100], "two at a time for each");
        for sequence in [0, 1] {
            schedule.count(A, false);
            schedule.again(A, sequence, at(5));
        }
        assert_eq!(all(&mut schedule, at(1)), [2], "one at a time while it fails");
        schedule.count(A, true);
        assert_eq!(all(&mut schedule, at(1)), [3]);
    }

    #[test]
    fn those_that_fail_leave_half_of_the_hands_to_the_others() {
        let failing: Vec<_> = (1..=20).map(WebhookId).collect();
        let mut schedule = schedule(&failing);
        for webhook in &failing {
            schedule.count(*webhook, false);
            schedule.add(*webhook, 1, webhook.0 as u64, at(0));
        }
        assert_eq!(all(&mut schedule, at(1)).len(), HANDS / 2);
        assert_eq!(schedule.next_due(), None, "nothing that somebody may take");
        schedule.open(WebhookId(21), false);
        schedule.add(WebhookId(21), 1, 21, at(1));
        assert_eq!(all(&mut schedule, at(1)), [21]);
    }

    proptest! {
        /// Whatever fails, and whenever: of each subject, nothing is tried while something that happened before it waits.
        #[test]
        fn no_order_of_failures_tells_things_out_of_order(
            subjects in vec(0u128..4, 1..30),
            fails in vec(any::<bool>(), 200),
        ) {
            let mut schedule = schedule(&[A]);
            for (sequence, subject) in subjects.iter().enumerate() {
                schedule.add(A, *subject, sequence as u64, at(0));
            }
            let mut through: Vec<u64> = Vec::new();
            let mut under_way: Vec<u64> = Vec::new();
            let mut fails = fails.into_iter().cycle();
            let mut tries = 0;
            for now in 0u64.. {
                while let Some((_, sequence)) = schedule.take(at(now)) {
                    let subject = subjects[sequence as usize];
                    let waits = (0..sequence).any(|n| subjects[n as usize] == subject && !through.contains(&n));
                    prop_assert!(!waits, "{} before one of before", sequence);
                    under_way.push(sequence);
                }
                for sequence in std::mem::take(&mut under_way) {
                    tries += 1;
                    let fails = fails.next().unwrap() && tries < 150;
                    schedule.count(A, !fails);
                    if fails {
                        schedule.again(A, sequence, at(now + 1 + sequence % 3));
                    } else {
                        schedule.ended(A, sequence);
                        through.push(sequence);
                    }
                }
                if schedule.waiting(A) == 0 {
                    break;
                }
                prop_assert!(now < 2000, "{:?} are left", schedule);
            }
            prop_assert_eq!(through.len(), subjects.len());
        }
    }

    #[test]
    fn one_that_rests_keeps_what_waits() {
        let mut schedule = schedule(&[A]);
        schedule.add(A, 7, 1, at(0));
        schedule.open(A, true);
        assert_eq!((schedule.take(at(1)), schedule.next_due(), schedule.waiting(A)), (None, None, 1));
        schedule.open(A, false);
        assert_eq!(schedule.take(at(1)), Some((A, 1)));
        assert_eq!(schedule.oldest(A), None, "it is being tried");
        schedule.close(A);
        schedule.ended(A, 1);
        assert_eq!(schedule.waiting(A), 0);
    }
}
