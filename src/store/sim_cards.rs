//! Which SIM cards can send, which could a moment ago, and which may take a message: their quotas, whether the network takes
//! anything from them, where routes lead.
//!
//! A message goes first over SIM cards that have not failed it, then over those that left it uncertain or had trouble of
//! their own, and last over those that refused it for good: a worse one takes it only when no better one is expected. One
//! that is gone for a moment, as while its modem is set up anew or otpgate starts, still counts: to ask a card again at
//! once that has just refused would be to spend a message's last try. One that may not send for longer does not.

use super::deliveries::DeliveryRecord;
use super::index::NumberHash;
use super::record::{Key, Record, SimCardRecord};
use super::{Policy, Readiness, SimCardView};
use crate::config::Mode;
use crate::dispatch::breaker::{self, Breaker, Change, Gate, Open};
use crate::dispatch::delivery::{self, Counted, Deliveries, Prefix};
use crate::dispatch::quota::{Account, Ask, At, Forecast, Hold, Kind, NEW, Window};
use crate::dispatch::router::{Health, PATIENCE, Reached};
use crate::domain::equipment::{Imei, SimCard};
use crate::domain::message::{Message, Part, PartResult, PartState};
use crate::domain::msisdn::Msisdn;
use crate::domain::time::{Deadline, Mono, Now};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The SIM cards. See the module's text.
#[derive(Default)]
pub(super) struct SimCards {
    policy: Policy,
    cards: BTreeMap<SimCard, Card>,
    /// With the modem: two sticks may bear the same IMEI, and a card may be moved.
    ready: BTreeSet<(Imei, SimCard)>,
    gone: BTreeMap<SimCard, Mono>,
    reached: Reached,
}

/// What is known of one SIM card.
struct Card {
    /// What it has sent. `None`: nothing is counted.
    account: Option<Account>,
    breaker: Breaker,
    health: Health,
    deliveries: Deliveries,
    counted: Counted,
    /// Where its record of those is, once it has one.
    deliveries_key: Option<[u8; 16]>,
    readiness: Readiness,
    /// What a part takes it, on average.
    pace: Option<Duration>,
    /// Where its record is, once it has one.
    key: Option<[u8; 16]>,
    new_until: Option<Deadline>,
    /// The first part that is on record.
    first_sent: Option<At>,
    /// When the log was last told that a window is full.
    told: BTreeMap<Window, Mono>,
}

/// Which SIM cards a message rather does not go over.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Avoided {
    /// All of them.
    pub(super) cards: Vec<SimCard>,
    /// Those of them that refused it for a reason of their own.
    pub(super) barred: Vec<SimCard>,
}

impl Avoided {
    fn rank(&self, sim_card: &SimCard) -> u8 {
        u8::from(self.cards.contains(sim_card)) + u8::from(self.barred.contains(sim_card))
    }
}

/// What a SIM card has in the way of messages now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// Until then, as far as can be told. `None`: for ever, or until something happens.
    Until(Option<Mono>),
    /// By a window that stays full until its end: another message may find room all the same.
    Full(Option<Mono>),
    /// By the one message with which it is tried again.
    Trial,
}

impl Held {
    /// Until when.
    pub(super) fn until(self) -> Option<Mono> {
        match self {
            Self::Until(until) | Self::Full(until) => until,
            Self::Trial => None,
        }
    }

    /// Whether it is over within this time.
    fn within(self, time: Duration, now: Mono) -> bool {
        self.until().is_some_and(|until| until - now <= time)
    }
}

impl SimCards {
    pub(super) fn new(policy: Policy) -> Self {
        Self { policy, ..Self::default() }
    }

    fn card(&mut self, sim_card: &SimCard, now: &Now) -> &mut Card {
        // Asked at every pull: a name is copied once only.
        if !self.cards.contains_key(sim_card) {
            self.cards.insert(sim_card.clone(), Card::new(&self.policy, sim_card, now));
        }
        self.cards.get_mut(sim_card).expect("it has just been put there")
    }

    // What is on record.

    /// Takes in what a message's record tells of the SIM cards that it went over.
    pub(super) fn take_message(&mut self, message: &Message, number: NumberHash, now: &Now) {
        for attempt in &message.attempts {
            self.was_ready(attempt.sim_card.clone(), now.mono);
            for part in &attempt.parts {
                let card = self.card(&attempt.sim_card, now);
                let at = At::ago(age(part, now), now);
                card.first_sent = Some(card.first_sent.map_or(at, |first| first.min(at)));
                if !matches!(part.state, PartState::NotSent(_))
                    && let Some(account) = &mut card.account
                {
                    account.restore(at, number, Kind::of(message), now);
                }
                if let (PartState::Accepted(_), Some(at)) = (part.state, part.settled) {
                    self.reached.put(number, &attempt.sim_card, at);
                }
            }
        }
    }

    /// Takes in a SIM card's own record.
    pub(super) fn take_record(&mut self, key: [u8; 16], record: SimCardRecord, now: &Now) {
        let card = self.card(&record.sim_card, now);
        card.key = Some(key);
        card.new_until = record.new_until;
        card.breaker = Breaker::restore(record.out_of_service);
    }

    /// Takes in what is on record of a SIM card's messages.
    pub(super) fn take_deliveries(&mut self, key: [u8; 16], record: DeliveryRecord, now: &Now) {
        let card = self.card(&record.sim_card, now);
        (card.deliveries_key, card.deliveries) = (Some(key), record.deliveries);
    }

    /// What is kept of a SIM card's messages, and where. `hash`: names one of which nothing is kept yet.
    pub(super) fn deliveries(&mut self, sim_card: &SimCard, hash: [u8; 16], now: &Now) -> ([u8; 16], Deliveries) {
        let card = self.card(sim_card, now);
        (*card.deliveries_key.get_or_insert(hash), card.deliveries.clone())
    }

    /// The record of a SIM card as it is now. `hash`: names one that has none yet.
    pub(super) fn record(&mut self, sim_card: &SimCard, hash: [u8; 16], now: &Now) -> (Key, Record) {
        let card = self.card(sim_card, now);
        let key = *card.key.get_or_insert(hash);
        let (new_until, out_of_service) = (card.new_until, card.breaker.is_open().cloned());
        (Key::SimCard(key), Record::SimCard(SimCardRecord { sim_card: sim_card.clone(), new_until, out_of_service }))
    }

    // What the modems tell.

    /// This modem can send over this SIM card now, or can't. Says whether the card is to be put on record, since it was never
    /// seen before.
    pub(super) fn set_ready(&mut self, modem: Imei, sim_card: SimCard, readiness: Readiness, now: &Now) -> bool {
        let counts = self.policy.mode != Mode::Off && (self.policy.virtual_cards || !readiness.is_virtual);
        let card = self.card(&sim_card, now);
        card.account.take_if(|_| readiness.ready && !counts);
        let first_seen = counts && readiness.ready && card.new_until.is_none();
        if first_seen {
            let known_for = card.first_sent.map_or(Duration::ZERO, |first| first.age(now));
            card.new_until = Some(now.after(NEW.saturating_sub(known_for)));
        }
        let ready = readiness.ready;
        card.readiness = readiness;
        if ready {
            self.ready.insert((modem, sim_card));
        } else if self.ready.remove(&(modem, sim_card.clone())) {
            self.was_ready(sim_card, now.mono);
        }
        let Self { ready, gone, .. } = self;
        gone.retain(|card, at| now.mono < *at + COMES_BACK && !ready.iter().any(|(_, r)| r == card));
        first_seen
    }

    /// This SIM card could send until now, as far as anybody knows.
    pub(super) fn was_ready(&mut self, sim_card: SimCard, now: Mono) {
        self.gone.insert(sim_card, now);
    }

    /// The wall clock has been set, or the box has slept.
    pub(super) fn clocks_moved(&mut self, now: &Now) {
        self.cards.values_mut().filter_map(|card| card.account.as_mut()).for_each(|account| account.clock_set(now));
    }

    // What is sent.

    /// A part is about to be sent.
    pub(super) fn charge(&mut self, sim_card: &SimCard, number: NumberHash, kind: Kind, jitter: u8, now: &Now) {
        let card = self.card(sim_card, now);
        card.deliveries.tried(now);
        if let Some(account) = &mut card.account {
            account.charge(number, kind, jitter, now);
        }
    }

    /// A part that was counted was not sent, provably.
    pub(super) fn give_back(&mut self, sim_card: &SimCard, number: NumberHash, now: &Now) {
        if let Some(account) = &mut self.card(sim_card, now).account {
            account.give_back(number, now);
        }
    }

    /// What became of a part. Gives what has changed, and the same in a sentence.
    pub(super) fn settled(
        &mut self,
        sim_card: &SimCard,
        number: NumberHash,
        result: PartResult,
        now: &Now,
    ) -> Option<(Change, String)> {
        if let PartResult::Accepted(_) = result {
            self.reached.put(number, sim_card, now.wall);
        }
        let card = self.card(sim_card, now);
        card.health.settled(result, now.mono);
        let change = card.breaker.settled(number, result, card.readiness.doubtful, now)?;
        let sentence = match (change, card.breaker.is_open()) {
            (Change::Opened | Change::Stays, Some(open)) => out_of_service(open),
            _ => "A message went out over it again; it is in service.".to_owned(),
        };
        Some((change, sentence))
    }

    /// A part took so long.
    pub(super) fn took(&mut self, sim_card: &SimCard, time: Duration, now: &Now) {
        let card = self.card(sim_card, now);
        let time = time.min(LONGEST_PACE);
        card.pace = Some(card.pace.map_or(time, |before| (before * 3 + time) / 4));
    }

    /// What one message takes this SIM card, with the distance to the next one.
    pub(super) fn pace(&self, sim_card: &SimCard) -> Duration {
        let card = self.cards.get(sim_card);
        let counts = card.is_some_and(|card| card.account.is_some()) && self.policy.mode == Mode::Enforce;
        let spacing = counts.then(|| self.policy.limits_of(sim_card).spacing).flatten();
        card.and_then(|card| card.pace).unwrap_or(UNKNOWN_PACE).max(spacing.unwrap_or_default())
    }

    /// What became of a message that the network had taken. `None`: it says nothing of the card.
    pub(super) fn delivered(
        &mut self,
        sim_card: &SimCard,
        number: NumberHash,
        prefix: Prefix,
        delivered: bool,
        report: bool,
        now: &Now,
    ) -> Option<Option<delivery::Change>> {
        self.card(sim_card, now);
        let mut card = self.cards.remove(sim_card)?;
        let counts = card.counted.counts(number, delivered);
        let change = counts.then(|| {
            let others: Vec<_> = self.cards.values().map(|other| &other.deliveries).collect();
            card.deliveries.ended(prefix, delivered, report, &others, now)
        });
        self.cards.insert(sim_card.clone(), card);
        change
    }

    // What may go.

    /// What keeps a message from going over this SIM card now. In shadow mode quotas keep none, but are told.
    pub(super) fn held(&mut self, sim_card: &SimCard, ask: Ask, now: &Now) -> Option<Held> {
        let mode = self.policy.mode;
        let card = self.card(sim_card, now);
        match card.breaker.gate(now) {
            Gate::Until(retry) => return Some(Held::Until(Some(retry.mono(now)))),
            Gate::Trial if ask.promises > 0 => return Some(Held::Trial),
            Gate::Trial | Gate::Open => {}
        }
        let hold = card.ask(ask, now)?;
        if mode == Mode::Shadow {
            card.tell(sim_card, hold, "would keep", now);
            return None;
        }
        let until = hold.until.map(|at| at.mono(now));
        Some(if hold.by.slides() { Held::Until(until) } else { Held::Full(until) })
    }

    /// Tells the log that a window is full.
    pub(super) fn tell_full(&mut self, sim_card: &SimCard, ask: Ask, now: &Now) {
        let card = self.card(sim_card, now);
        if let Some(hold) = card.ask(ask, now) {
            card.tell(sim_card, hold, "keeps", now);
        }
    }

    /// Whether any SIM card may be held back at all.
    pub(super) fn may_hold(&self) -> bool {
        self.policy.mode == Mode::Enforce || self.cards.values().any(|card| card.breaker != Breaker::default())
    }

    /// When what had no room over this SIM card may have some: its day or month ends.
    pub(super) fn next_end(&self, sim_card: &SimCard) -> Option<At> {
        Some(self.cards.get(sim_card)?.account.as_ref()?.next_end())
    }

    /// Whether it will be free within this time, for one urgent part at least.
    fn is_free_within(&mut self, sim_card: &SimCard, time: Duration, now: &Now) -> bool {
        let ask = Ask { parts: 1, urgent: true, ..Ask::default() };
        self.held(sim_card, ask, now).is_none_or(|held| held.within(time, now.mono))
    }

    fn is_ready(&self, sim_card: &SimCard) -> bool {
        self.ready.iter().any(|(_, ready)| ready == sim_card)
    }

    /// Whether messages may go over this SIM card now, but for its limits.
    pub(super) fn is_in_service(&self, sim_card: &SimCard) -> bool {
        self.is_ready(sim_card) && self.cards.get(sim_card).is_some_and(|card| card.breaker.is_open().is_none())
    }

    /// SIM cards that can send now.
    pub(super) fn ready(&self) -> BTreeSet<SimCard> {
        self.ready.iter().map(|(_, card)| card.clone()).collect()
    }

    /// Whether a route leads over this SIM card.
    pub(super) fn is_on(&self, route: Option<u16>, sim_card: &SimCard) -> bool {
        let operator = self.cards.get(sim_card).and_then(|card| card.readiness.operator.as_deref());
        route.is_none_or(|route| self.policy.routes.names(route, sim_card, operator))
    }

    /// The route of a number that admits no other SIM cards, and the one that only prefers some.
    pub(super) fn routes(&self, to: &Msisdn) -> (Option<u16>, Option<u16>) {
        match self.policy.routes.of(to) {
            Some(route) if self.policy.routes.is_strict(route) => (Some(route), None),
            preferred => (None, preferred),
        }
    }

    /// Whether a SIM card that is neither this one nor among those could take this message within a short time.
    pub(super) fn another_is_ready(
        &mut self,
        than: &SimCard,
        but: &[SimCard],
        route: Option<u16>,
        ask: Ask,
        now: &Now,
    ) -> bool {
        let others = self.ready().into_iter().filter(|other| other != than && !but.contains(other));
        others.into_iter().any(|other| {
            self.is_on(route, &other)
                && self.held(&other, ask, now).is_none_or(|held| held.within(COMES_BACK, now.mono))
        })
    }

    /// Whether this SIM card may take a message: no better one is expected. `parked`: those that have no room for it.
    pub(super) fn may_take(
        &mut self,
        sim_card: &SimCard,
        avoided: &Avoided,
        route: Option<u16>,
        parked: &BTreeSet<SimCard>,
        now: &Now,
    ) -> bool {
        if !self.is_on(route, sim_card) {
            return false;
        }
        let rank = self.rank(sim_card, avoided, now);
        if rank == 0 {
            return true;
        }
        let back = self.gone.iter().filter(|(_, at)| now.mono < **at + COMES_BACK).map(|(card, _)| card.clone());
        let better = self.ready().into_iter().chain(back).filter(|other| {
            self.rank(other, avoided, now) < rank && !parked.contains(other) && self.is_on(route, other)
        });
        let better: Vec<_> = better.collect();
        !better.iter().any(|other| self.is_free_within(other, COMES_BACK, now))
    }

    /// How far a SIM card is from being a message's first choice. One whose messages do not arrive is like one that failed it.
    fn rank(&self, sim_card: &SimCard, avoided: &Avoided, now: &Now) -> u8 {
        let goes_last = self.cards.get(sim_card).is_some_and(|card| card.deliveries.goes_last(now));
        avoided.rank(sim_card) + u8::from(goes_last)
    }

    /// Whether some SIM card goes last, whatever the message.
    pub(super) fn some_go_last(&self) -> bool {
        self.cards.values().any(|card| card.deliveries.filtered.is_some())
    }

    /// Whether some SIM card of a route that is only preferred will be free before anybody loses patience.
    pub(super) fn is_expected_on(&mut self, route: u16, now: &Now) -> bool {
        let ready: Vec<_> = self.ready().into_iter().filter(|card| self.is_on(Some(route), card)).collect();
        ready.iter().any(|card| self.is_free_within(card, PATIENCE, now))
    }

    /// Whether this SIM card can send and will be free before anybody loses patience.
    pub(super) fn is_expected(&mut self, sim_card: &SimCard, now: &Now) -> bool {
        self.is_ready(sim_card) && self.is_free_within(sim_card, PATIENCE, now)
    }

    /// The SIM card that reached this number last, if it is as good as any other that is ready now.
    pub(super) fn favourite(&mut self, number: NumberHash, route: Option<u16>, now: &Now) -> Option<SimCard> {
        let (last, ready) = (self.reached.by(number, now)?.clone(), self.ready());
        let trouble = self.trouble(&last, now.mono);
        let as_good = ready.iter().all(|other| trouble <= self.trouble(other, now.mono));
        (ready.len() > 1 && as_good && self.is_on(route, &last) && self.is_expected(&last, now)).then_some(last)
    }

    /// How well a SIM card fares: 0 is best. What is doubtful goes last.
    pub(super) fn trouble(&self, sim_card: &SimCard, now: Mono) -> u8 {
        let Some(card) = self.cards.get(sim_card) else { return 0 };
        let Readiness { doubtful, weak_signal, .. } = card.readiness;
        let filtered = card.deliveries.filtered.is_some();
        u8::from(filtered) * 32 + u8::from(doubtful) * 16 + card.health.trouble(now) * 2 + u8::from(weak_signal)
    }

    /// When a SIM card that is gone counts no longer.
    pub(super) fn next_change(&self, now: Mono) -> Option<Mono> {
        self.gone.values().map(|at| *at + COMES_BACK).filter(|at| now < *at).min()
    }

    /// What is shown of each.
    pub(super) fn view(&mut self, now: &Now) -> BTreeMap<SimCard, SimCardView> {
        let mode = self.policy.mode;
        let view = |card: &mut Card| {
            let hold = card.ask(Ask { parts: 1, urgent: true, ..Ask::default() }, now);
            let wall = |at: At| at.wall(now);
            SimCardView {
                mode,
                used: card.account.as_mut().map(|account| account.used(now).to_vec()).unwrap_or_default(),
                full: hold.map(|hold| hold.by),
                next_slot: hold.and_then(|hold| hold.until).map(wall),
                is_new: card.new_until.is_some_and(|until| !until.passed(now)),
                out_of_service: card.breaker.is_open().cloned(),
                why: card.breaker.is_open().map(out_of_service),
                deliveries: card.deliveries.clone(),
                canary: None,
            }
        };
        self.cards.iter_mut().map(|(sim_card, card)| (sim_card.clone(), view(card))).collect()
    }

    /// Whether it is out of service, and the next message is to try it.
    pub(super) fn is_to_be_tried(&self, sim_card: &SimCard, now: &Now) -> bool {
        self.cards.get(sim_card).is_some_and(|card| card.breaker.gate(now) == Gate::Trial)
    }

    /// What this SIM card could send by and by.
    pub(super) fn forecast(&mut self, sim_card: &SimCard, ask: Ask, now: &Now) -> Forecast {
        let enforced = self.policy.mode == Mode::Enforce;
        let card = self.card(sim_card, now);
        let from = match card.breaker.gate(now) {
            Gate::Until(retry) => At::now(now).plus(retry.left(now)),
            Gate::Trial | Gate::Open => At::now(now),
        };
        match &mut card.account {
            Some(account) if enforced => account.forecast(ask, from, now),
            _ => Forecast::free(from),
        }
    }
}

impl Card {
    fn new(policy: &Policy, sim_card: &SimCard, now: &Now) -> Self {
        Self {
            account: (policy.mode != Mode::Off).then(|| Account::new(policy.limits_of(sim_card), now)),
            breaker: Breaker::default(),
            health: Health::default(),
            deliveries: Deliveries::default(),
            counted: Counted::default(),
            deliveries_key: None,
            readiness: Readiness::default(),
            pace: None,
            key: None,
            new_until: None,
            first_sent: None,
            told: BTreeMap::new(),
        }
    }

    fn ask(&mut self, ask: Ask, now: &Now) -> Option<Hold> {
        let account = self.account.as_mut()?;
        account.set_new(self.new_until.is_some_and(|until| !until.passed(now)));
        account.ask(ask, now).err()
    }

    fn tell(&mut self, sim_card: &SimCard, hold: Hold, keeps: &str, now: &Now) {
        // Spacing is how it should be, and no news; nor is a minute that is full again and again.
        let just_told = self.told.get(&hold.by).is_some_and(|at| now.mono - *at < TOLD);
        if hold.by == Window::Spacing || just_told {
            return;
        }
        self.told.insert(hold.by, now.mono);
        let until = hold.until.map(|at| at.wall(now).to_string()).unwrap_or_default();
        tracing::warn!(%sim_card, window = hold.by.as_str(), %until, "A limit is reached; it {keeps} messages back ([sim_limits])");
    }
}

/// Why a SIM card is out of service, and until when.
fn out_of_service(open: &Open) -> String {
    let (words, reason, retry) = (breaker::in_words(open.reason), open.reason, open.retry.wall);
    format!("Out of service: {words} ({reason}). It is tried again at {retry}, with one message.")
}

/// How long ago a part was begun. Within one boot its clock tells, whatever was done to the wall clock since.
fn age(part: &Part, now: &Now) -> Duration {
    let Part { report_until, intended, .. } = part;
    if report_until.boot.id == now.boot.id {
        let begun = report_until.boot.since_boot.saturating_sub(report_until.wall - *intended);
        now.boot.since_boot.saturating_sub(begun)
    } else {
        now.wall - *intended
    }
}

/// A modem that is set up anew is back by then, as a rule; a code can wait no longer for a better SIM card.
const COMES_BACK: Duration = Duration::from_secs(30);
/// What a part takes a SIM card of which nothing is known, and at most.
const UNKNOWN_PACE: Duration = Duration::from_secs(5);
const LONGEST_PACE: Duration = Duration::from_secs(180);
/// What is full is told once in so long.
const TOLD: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::{BootTime, Wall};

    #[test]
    fn what_is_avoided_serves_when_no_other_is_expected_back() {
        let card = |n: u8| SimCard::new(format!("card {n}"));
        let modem = |n: u8| Imei::new(format!("imei {n}"));
        let at = |s| Now {
            mono: Mono::default() + Duration::from_secs(s),
            boot: BootTime { id: Default::default(), since_boot: Duration::from_secs(s) },
            wall: Wall(s as i64 * 1000),
        };
        let avoid = Avoided { cards: vec![card(1)], ..Avoided::default() };
        let mut cards = SimCards::default();
        let may_take = |cards: &mut SimCards, n, avoided: &Avoided, s| {
            cards.may_take(&card(n), avoided, None, &BTreeSet::new(), &at(s))
        };
        let another = |cards: &mut SimCards| cards.another_is_ready(&card(1), &[], None, Ask::default(), &at(10));
        let set = |cards: &mut SimCards, m, n, ready, s| {
            cards.set_ready(modem(m), card(n), Readiness { ready, ..Readiness::default() }, &at(s));
        };
        assert!(may_take(&mut cards, 1, &avoid, 0), "there is no other");
        set(&mut cards, 1, 1, true, 0);
        assert!(may_take(&mut cards, 1, &avoid, 0), "it is the only one");
        set(&mut cards, 2, 2, true, 0);
        assert!(!may_take(&mut cards, 1, &avoid, 0));
        assert!(may_take(&mut cards, 2, &avoid, 0) && another(&mut cards));
        set(&mut cards, 2, 2, false, 10);
        assert!(!another(&mut cards) && !may_take(&mut cards, 1, &avoid, 39));
        assert_eq!(cards.next_change(at(10).mono), Some(at(40).mono));
        assert!(may_take(&mut cards, 1, &avoid, 40));
        // Moved to another modem, whose news came first; and two sticks with one IMEI.
        set(&mut cards, 2, 2, true, 50);
        set(&mut cards, 1, 2, true, 50);
        set(&mut cards, 2, 2, false, 50);
        assert!(!may_take(&mut cards, 1, &avoid, 100) && cards.next_change(at(50).mono).is_none());
        // Of two that failed it, the one that only had trouble.
        let both = Avoided { cards: vec![card(1), card(2)], barred: vec![card(2)] };
        assert!(may_take(&mut cards, 1, &both, 100) && !may_take(&mut cards, 2, &both, 100));
        // One that the network refuses is not expected.
        for number in 0..3 {
            let refused = PartResult::NotSent(crate::domain::reason::Reason::Cms(8));
            cards.settled(&card(2), [number; 16], refused, &at(100));
        }
        assert!(may_take(&mut cards, 1, &avoid, 100) && !another(&mut cards));
    }
}
