//! Whether a code can arrive while it is of use: what waits ahead of it, what SIM cards may still send, and how long one
//! message takes them.

use std::time::Duration;

/// A SIM card that could take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lane {
    /// When it has room for its share of what waits, and for this one. `None`: never, as things stand.
    pub free_in: Option<Duration>,
    /// What one message takes it.
    pub pace: Duration,
}

/// By how much a code would come too late. `None`: it comes in time. `ahead`: how many urgent messages wait, `lanes` work
/// on them together.
pub fn late_by(lanes: &[Lane], ahead: usize, life: Duration) -> Option<Duration> {
    let share = share(ahead, lanes.len());
    let arrival = |lane: &Lane| {
        let queue = lane.pace.saturating_mul(share);
        Some(lane.free_in?.max(queue) + lane.pace + ON_THE_WAY)
    };
    let Some(arrives) = lanes.iter().filter_map(arrival).min() else { return Some(NOBODY_KNOWS) };
    arrives.checked_sub(life).filter(|late| !late.is_zero())
}

/// How many of those that wait one of so many SIM cards takes.
pub fn share(ahead: usize, lanes: usize) -> u32 {
    u32::try_from(ahead.div_ceil(lanes.max(1))).unwrap_or(u32::MAX)
}

/// From the network's acceptance to somebody's eyes.
const ON_THE_WAY: Duration = Duration::from_secs(10);
/// When to come back, if no SIM card can send.
const NOBODY_KNOWS: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b2_a_code_that_can_not_arrive_is_late_by_so_much() {
        let s = Duration::from_secs;
        let lane = |free_in, pace| Lane { free_in, pace: s(pace) };
        let free = lane(Some(s(0)), 5);
        type Row<'a> = (&'a str, &'a [Lane], usize, u64, Option<u64>);
        let rows: [Row<'_>; 8] = [
            ("a free card", &[free], 0, 60, None),
            ("no card", &[], 0, 600, Some(30)),
            ("a card that has no room ever", &[lane(None, 5)], 0, 600, Some(30)),
            ("a queue that one card gets through", &[free], 50, 300, None),
            ("one that it does not", &[free], 100, 300, Some(215)),
            ("two cards get through it", &[free, free], 100, 300, None),
            ("a card that is full until later", &[lane(Some(s(1000)), 5)], 0, 300, Some(715)),
            ("another is free", &[lane(Some(s(1000)), 5), free], 0, 300, None),
        ];
        for (name, lanes, ahead, life, late) in rows {
            assert_eq!(late_by(lanes, ahead, s(life)), late.map(s), "{name}");
        }
    }
}
