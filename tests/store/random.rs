//! Random lives under crashes, each from its seed: what was accepted is never lost, nothing is sent twice without a reason
//! on record, and everything comes to an end.

use super::*;
use otpgate::domain::reason::Reason;
use otpgate::ops::random::{Random, bytes};
use otpgate::store::MessageQuery;
use otpgate::store::memory_backend::Fault;
use std::collections::{BTreeMap, BTreeSet};

const SEEDS: u64 = 200;
const STEPS: usize = 80;

#[tokio::test(start_paused = true)]
#[expect(clippy::print_stderr, reason = "a seed that fails is to be found again")]
async fn random_lives_lose_nothing_and_send_nothing_twice() {
    let mut seen = Seen::default();
    for seed in 0..SEEDS {
        eprintln!("seed {seed}");
        let life = Life::live(seed).await;
        seen.add(&life);
    }
    eprintln!("{seen:?}");
    assert!(seen.went_through_everything(), "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_event_log() {
    for seed in 0..20 {
        let (first, second) = (Life::live(seed).await.log, Life::live(seed).await.log);
        assert!(!first.is_empty());
        assert_eq!(first, second, "seed {seed}");
    }
}

/// One store, two modems, and what must be true of them.
struct Life {
    world: World,
    dice: SeededRandom,
    log: Vec<String>,
    accepted: BTreeMap<MessageId, OnUncertain>,
    /// Asked for in a batch that failed: there whole, or not at all.
    in_doubt: BTreeMap<MessageId, OnUncertain>,
    codes: BTreeMap<VerificationId, Option<String>>,
    approved: BTreeSet<VerificationId>,
    holds: [Option<Hold>; 2],
    /// Copies that the network may have: hand-overs that it did not refuse.
    copies: BTreeMap<(MessageId, u8), u32>,
    lost: Vec<(Modem, MessageId, PartId)>,
    sent: Vec<(Modem, u8, Msisdn)>,
    crashes: usize,
    quarantined: bool,
}

/// A claim in a modem's hand.
struct Hold {
    claim: Claim,
    open: Option<PartId>,
    passed: bool,
}

impl Life {
    async fn live(seed: u64) -> Self {
        let mut life = Self {
            world: World::in_memory(),
            dice: SeededRandom::new(seed),
            log: Vec::new(),
            accepted: BTreeMap::new(),
            in_doubt: BTreeMap::new(),
            codes: BTreeMap::new(),
            approved: BTreeSet::new(),
            holds: [None, None],
            copies: BTreeMap::new(),
            lost: Vec::new(),
            sent: Vec::new(),
            crashes: 0,
            quarantined: false,
        };
        life.world.ready(&[&modem(0), &modem(1)]).await;
        for _ in 0..STEPS {
            life.step().await;
            if life.world.opened.quarantined.is_some() {
                life.is_shut().await;
                break;
            }
        }
        if !life.quarantined {
            life.comes_to_an_end().await;
        }
        life.world.stop().await;
        life
    }

    fn roll(&self, sides: usize) -> usize {
        u32::from_le_bytes(bytes(&self.dice as &dyn Random)) as usize % sides
    }

    fn pick<T: Clone>(&self, from: &[T]) -> Option<T> {
        (!from.is_empty()).then(|| from[self.roll(from.len())].clone())
    }

    fn note(&mut self, what: impl Into<String>) {
        let line = format!("{:>9} ms  {}", self.world.now().mono.0.as_millis(), what.into());
        self.log.push(line);
    }

    async fn step(&mut self) {
        match self.roll(60) {
            0..=7 => self.accept(false).await,
            8..=11 => self.create_verification().await,
            12..=39 => self.modem_goes_on().await,
            40..=41 => self.late_result().await,
            42..=47 => self.report().await,
            48 => self.cancel().await,
            49..=50 => self.check().await,
            51 => self.resend().await,
            52..=54 => {
                let time = secs(1 + self.roll(60) as u64);
                self.note(format!("{time:?} pass"));
                pass(time).await;
            }
            55 => self.restart(true).await,
            56..=57 => self.restart(false).await,
            58 => self.failed_sync().await,
            _ => self.clock_moves(),
        }
    }

    fn new_message(&self) -> NewMessage {
        let on_uncertain = [OnUncertain::Leave, OnUncertain::ResendOnce][self.roll(2)];
        let send_at = (self.roll(6) == 0).then(|| self.world.now().after(secs(self.roll(120) as u64)));
        let deadline = self.world.now().after(secs(300 + self.roll(3_300) as u64));
        let to = [anna(), bob()][self.roll(2)].clone();
        NewMessage { parts: 1 + self.roll(3) as u8, on_uncertain, send_at, deadline, to, ..self.world.plain() }
    }

    async fn accept(&mut self, fails: bool) {
        let new = self.new_message();
        let (id, on_uncertain) = (new.id, new.on_uncertain);
        match self.world.store().accept(new, None).await {
            Ok(_) => drop(self.accepted.insert(id, on_uncertain)),
            // One of its numbers was called unassigned a moment ago.
            Err(StoreError::Unassigned(_)) => return self.note("accept: unassigned"),
            Err(_) => {
                assert!(fails);
                self.in_doubt.insert(id, on_uncertain);
            }
        }
        self.note(format!("accept {id}"));
    }

    async fn create_verification(&mut self) {
        let (id, message) = self.world.verify(self.world.code()).await;
        self.codes.insert(id, None);
        self.accepted.insert(message, OnUncertain::ResendOnce);
        self.note(format!("verify {id} by {message}"));
    }

    /// A modem takes its next step with what it has in hand.
    async fn modem_goes_on(&mut self) {
        let n = self.roll(2);
        let one = modem(n as u8);
        let Some(mut hold) = self.holds[n].take() else {
            let Some(claim) = self.world.try_claim(&one).await else { return self.note(format!("{n} has no work")) };
            self.note(format!("{n} claims {}", claim.message.id));
            if let Some(verification) = claim.message.verification {
                self.codes.insert(verification, Some(code_in(&claim)));
            }
            self.holds[n] = Some(Hold { claim, open: None, passed: false });
            return;
        };
        let id = hold.claim.message.id;
        let Some(part) = hold.open else {
            let intent = self.world.intent(&hold.claim, &one).await;
            let (part, deadline) = (intent.part, hold.claim.message.deadline);
            let grant = self.world.store().begin(id, intent).await.unwrap();
            self.note(format!("{n} begins {id} {part:?}: {grant:?}"));
            if grant == Grant::Granted {
                assert!(!deadline.passed_by_any(&self.world.now()), "granted past its deadline");
                self.holds[n] = Some(Hold { open: Some(part), passed: false, ..hold });
            }
            return;
        };
        if !hold.passed {
            hold.passed = hold.claim.gate.pass();
            self.note(format!("{n} hands {id} {part:?} over: {}", hold.passed));
            if hold.passed {
                *self.copies.entry((id, part.part)).or_default() += 1;
                self.holds[n] = Some(hold);
            }
            return;
        }
        let reference = self.roll(256) as u8;
        let result = match self.roll(10) {
            0..=5 => accepted(reference),
            6 => PartResult::NotSent(Reason::Cms([1, 21, 42][self.roll(3)])),
            7..=8 => PartResult::Uncertain(Reason::NoResult),
            _ => {
                self.note(format!("{n} is unplugged"));
                return self.lost.push((one, id, part));
            }
        };
        self.note(format!("{n} settles {id} {part:?}: {result:?}"));
        match result {
            PartResult::Accepted(_) => self.sent.push((one.clone(), reference, hold.claim.message.to.clone())),
            PartResult::NotSent(_) => *self.copies.entry((id, part.part)).or_default() -= 1,
            PartResult::Uncertain(_) => self.lost.push((one.clone(), id, part)),
        }
        self.world.settle(id, part, &one, result).await;
        if self.world.status(id).await == Status::Submitting {
            self.holds[n] = Some(Hold { open: None, passed: false, ..hold });
        }
    }

    async fn late_result(&mut self) {
        if self.lost.is_empty() {
            return;
        }
        let (one, id, part) = self.lost.remove(self.roll(self.lost.len()));
        let reference = self.roll(256) as u8;
        let result = match self.roll(2) {
            0 => accepted(reference),
            _ => PartResult::NotSent(Reason::Cms(42)),
        };
        match result {
            PartResult::NotSent(_) => *self.copies.entry((id, part.part)).or_default() -= 1,
            _ => self.sent.push((one.clone(), reference, self.world.message(id).await.to)),
        }
        self.note(format!("late, {id} {part:?}: {result:?}"));
        self.world.settle(id, part, &one, result).await;
    }

    async fn report(&mut self) {
        let Some((one, reference, to)) = self.pick(&self.sent) else { return };
        let verdict = [
            ReportVerdict::Delivered,
            ReportVerdict::Unconfirmed,
            ReportVerdict::StillTrying,
            ReportVerdict::Failed,
            ReportVerdict::GaveUp,
            ReportVerdict::Delivered,
        ][self.roll(6)];
        let found = self.world.report_for(to.reveal_digits(), &one, reference, verdict).await;
        self.note(format!("report {reference} {verdict:?}: {found:?}"));
    }

    async fn cancel(&mut self) {
        let ids: Vec<_> = self.accepted.keys().copied().collect();
        let Some(id) = self.pick(&ids) else { return };
        let done = self.world.store().cancel_message(ADMIN, id, None).await.map(|m| m.value.status());
        self.note(format!("cancel {id}: {done:?}"));
    }

    async fn check(&mut self) {
        let codes: Vec<_> = self.codes.iter().map(|(id, code)| (*id, code.clone())).collect();
        let Some((id, code)) = self.pick(&codes) else { return };
        let code = code.unwrap_or_else(|| "000000".to_owned());
        let code = if self.roll(4) == 0 { wrong(&code) } else { code };
        let verdict = self.world.check(id, &code).await.map(|v| (v.valid, v.state));
        self.note(format!("check {id}: {verdict:?}"));
        if verdict.is_ok_and(|(valid, _)| valid) {
            assert!(self.approved.insert(id), "a code is right once");
        }
    }

    async fn resend(&mut self) {
        let ids: Vec<_> = self.codes.keys().copied().collect();
        let Some(id) = self.pick(&ids) else { return };
        let message = self.world.resend(id, self.roll(2) == 0).await;
        self.note(format!("resend {id}: {message:?}"));
        if let Ok(message) = message {
            self.accepted.insert(message, OnUncertain::ResendOnce);
        }
    }

    /// In good order or by a crash; another boot, perhaps.
    async fn restart(&mut self, orderly: bool) {
        self.note(if orderly { "stop" } else { "crash" });
        if orderly {
            self.world.stop().await;
        } else {
            self.world.power_fails(CrashMode::Drop).await;
        }
        self.starts_again().await;
    }

    async fn starts_again(&mut self) {
        self.crashes += 1;
        if self.roll(2) == 0 {
            self.world.clock.reboot();
            self.clock_moves();
        }
        for (n, hold) in self.holds.iter_mut().enumerate() {
            if let Some(Hold { claim, open: Some(part), passed: true }) = hold.take() {
                self.lost.push((modem(n as u8), claim.message.id, part));
            }
        }
        self.world.start();
        if self.world.opened.quarantined.is_some() {
            self.quarantined = true;
            return self.note("quarantined");
        }
        self.world.ready(&[&modem(0), &modem(1)]).await;
        for (id, on_uncertain) in std::mem::take(&mut self.in_doubt) {
            match self.world.store().message(ADMIN, id, None).await {
                Ok(_) => drop(self.accepted.insert(id, on_uncertain)),
                Err(error) => assert_eq!(error, StoreError::NotFound),
            }
        }
    }

    /// Something is asked, the sync fails, and the power with it.
    async fn failed_sync(&mut self) {
        self.world.disk().set_fault(Fault::SyncFails);
        let open = self.holds.iter().position(|h| h.as_ref().is_some_and(|h| h.passed));
        match open.and_then(|n| Some((n, self.holds[n].take()?))) {
            Some((n, Hold { claim, open: Some(part), .. })) if self.roll(2) == 0 => {
                let (one, id) = (modem(n as u8), claim.message.id);
                let outcome = Outcome { message: id, part, sim_card: one.sim_card.clone(), result: accepted(7) };
                assert_eq!(self.world.store().settle(outcome, None).await, Err(StoreError::Closed));
                self.lost.push((one, id, part));
            }
            Some((n, hold)) => {
                self.holds[n] = Some(hold);
                self.accept(true).await;
            }
            None => self.accept(true).await,
        }
        let mode = match self.roll(4) {
            0 => CrashMode::Drop,
            1 => CrashMode::Keep,
            _ => CrashMode::Split { keep_first: self.roll(5) },
        };
        self.note(format!("a sync fails: {mode:?}"));
        self.world.power_fails(mode).await;
        self.starts_again().await;
    }

    fn clock_moves(&mut self) {
        let by = self.roll(240_000) as i64 - 120_000;
        self.note(format!("the wall clock moves by {by} ms"));
        self.world.clock.jump_wall(by);
    }

    /// A quarantined store hands nothing out and takes nothing in.
    async fn is_shut(&mut self) {
        assert!(self.world.has_nothing_for(&modem(0)).await);
        assert_eq!(self.world.store().accept(self.world.plain(), None).await.unwrap_err(), StoreError::Quarantined);
    }

    /// Nothing more is sent and asked, and days pass.
    async fn comes_to_an_end(&mut self) {
        self.holds = [None, None];
        pass(DAY).await;
        let mut listed = BTreeSet::new();
        let mut before = None;
        loop {
            let query = MessageQuery { before, limit: 7, ..MessageQuery::default() };
            let page = self.world.store().messages(ADMIN, query).await.unwrap();
            listed.extend(page.items.iter().map(|m| m.id));
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        assert_eq!(listed, self.accepted.keys().copied().collect(), "accepted = final ∪ pending");
        for (id, on_uncertain) in self.accepted.clone() {
            let message = self.world.message(id).await;
            self.note(format!("{id} ended {}, version {}", message.status().as_str(), message.version));
            assert!(message.is_final(), "{message:?}");
            self.holds_to_its_copies(&message, on_uncertain);
        }
        for id in self.codes.clone().into_keys() {
            let verification = self.world.verification(id).await;
            assert!(verification.is_final() && verification.failures <= 5);
            assert_eq!(verification.state.as_str() == "approved", self.approved.contains(&id));
        }
    }

    /// Copies ≤ 1 + attempts that were uncertain + reports that permit the resend, of which there is one at most.
    fn holds_to_its_copies(&self, message: &Message, on_uncertain: OnUncertain) {
        let gave_up = message.attempts.iter().flat_map(|a| &a.parts).any(|p| p.report.is_some());
        let reason = message.ever_uncertain || gave_up;
        let most = if on_uncertain == OnUncertain::ResendOnce && reason { 2 } else { 1 };
        for part in 0..message.parts {
            let copies = self.copies.get(&(message.id, part)).copied().unwrap_or(0);
            assert!(copies <= most, "{copies} copies of part {part}: {message:?}\n{}", self.log.join("\n"));
        }
    }
}

/// What the lives came through, all told: a suite that meets nothing shows nothing.
#[derive(Debug, Default)]
struct Seen {
    ends: BTreeMap<&'static str, usize>,
    crashes: usize,
    quarantined: usize,
    second_copies: usize,
    approved: usize,
}

impl Seen {
    fn add(&mut self, life: &Life) {
        for status in Status::ALL {
            let ended = format!(" ended {},", status.as_str());
            *self.ends.entry(status.as_str()).or_default() += life.log.iter().filter(|l| l.contains(&ended)).count();
        }
        self.crashes += life.crashes;
        self.quarantined += usize::from(life.quarantined);
        self.second_copies += life.copies.values().filter(|n| **n > 1).count();
        self.approved += life.approved.len();
    }

    fn went_through_everything(&self) -> bool {
        let ended = |status: &Status| !matches!(status, Status::Queued | Status::Submitting);
        Status::ALL.iter().filter(|s| ended(s)).all(|s| self.ends[s.as_str()] > 0)
            && self.crashes > 0
            && self.quarantined > 0
            && self.second_copies > 0
            && self.approved > 0
    }
}
