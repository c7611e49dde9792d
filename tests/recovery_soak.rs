//! A day in the life of eight modems: a message a minute for each, and one thing after another goes wrong with them. The
//! whole daemon in virtual time; all that is random comes from the seed.
//!
//! `OTPGATE_TEST_SEEDS=N` runs N seeds, from `OTPGATE_TEST_SEED` on; `OTPGATE_TEST_HOURS` makes the day shorter.

#![allow(clippy::print_stdout, reason = "a failing seed must be told, and what a day costs")]

mod common;

use common::{House, ME, sleep};
use otpgate::domain::id::MessageId;
use otpgate::domain::message::{Message, OnUncertain, Part, PartState, ReportVerdict, Status};
use otpgate::ops::clock::Clock;
use otpgate::simulator::faults::{Dice, Faults};
use otpgate::simulator::network::{Copy, NetworkOptions};
use std::collections::BTreeMap;
use std::time::Duration;

#[test]
fn c2_whatever_breaks_in_a_day_every_modem_is_back_at_its_end_and_no_message_is_lost() {
    let number = |name: &str| std::env::var(name).ok().map(|n| n.parse::<u64>().unwrap());
    let first = number("OTPGATE_TEST_SEED").unwrap_or(1);
    let hours = number("OTPGATE_TEST_HOURS").unwrap_or(24);
    for seed in first..first + number("OTPGATE_TEST_SEEDS").unwrap_or(2) {
        println!("seed {seed}");
        play(seed, hours);
    }
}

#[test]
fn the_same_seed_twice_gives_the_same_day() {
    let (once, twice) = (play(7, 3), play(7, 3));
    assert!(once.len() > 1000);
    assert_eq!(once, twice);
}

fn play(seed: u64, hours: u64) -> Vec<String> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().start_paused(true).build().unwrap().block_on(async {
        let network = NetworkOptions { air_time: Duration::from_secs(3), ..NetworkOptions::default() };
        let house = House::start_with(MODEMS, seed, network).await;
        let sick = vec![Sick::default(); MODEMS];
        let mut day = Day { seed, house, dice: Dice::new(seed), sick, taken: Vec::new(), log: Vec::new() };
        let minutes = hours * 60;
        for minute in 0..minutes {
            day.minute(minute).await;
        }
        day.end().await
    })
}

/// What is wrong with one modem, and until when.
#[derive(Clone, Default)]
struct Sick {
    /// The minute in which the fault is taken away.
    until: Option<u64>,
    /// The minute in which it is put in again.
    unplugged: Option<u64>,
    /// It has been mended, and is given its time to come back until then.
    convalescent: u64,
}

struct Taken {
    id: MessageId,
    to: String,
    text: String,
    accepted: Duration,
    /// How many modems were sick, or had just been, when it was taken in.
    sick: usize,
}

struct Day {
    seed: u64,
    house: House,
    dice: Dice,
    sick: Vec<Sick>,
    taken: Vec<Taken>,
    log: Vec<String>,
}

impl Day {
    fn below(&mut self, n: usize) -> usize {
        (self.dice.roll() * n as f64) as usize
    }

    fn note(&mut self, what: String) {
        self.log.push(format!("{:?} {what}", self.house.elapsed()));
    }

    /// Each modem's worth of messages, spread over the minute; now and then something breaks, or is mended.
    async fn minute(&mut self, minute: u64) {
        for modem in 0..MODEMS {
            self.tend(modem, minute);
            if self.dice.roll() < BREAKS {
                self.fall_ill(modem, minute);
            }
        }
        for _ in 0..MODEMS {
            let n = self.taken.len();
            let (to, text) = (format!("+1415{:07}", 5_000_000 + n), format!("Message {n}"));
            let mut new = self.house.message(&to, &text);
            let resend = self.below(2) == 0;
            new.on_uncertain = if resend { OnUncertain::ResendOnce } else { OnUncertain::Leave };
            new.deadline = self.house.clock.now().after(LIFE);
            let id = self.house.take_in(new).await;
            let sick = self.sick.iter().filter(|s| s.is_sick(minute)).count();
            self.taken.push(Taken { id, to, text, accepted: self.house.elapsed(), sick });
            tokio::time::sleep(Duration::from_secs(60) / MODEMS as u32).await;
        }
    }

    fn tend(&mut self, modem: usize, minute: u64) {
        if self.sick[modem].until.is_some_and(|until| until <= minute) {
            self.house.faults(modem, &[]);
            self.note(format!("modem {modem} is mended"));
            self.sick[modem] = Sick { until: None, convalescent: minute + CONVALESCENCE, ..self.sick[modem] };
        }
        if self.sick[modem].unplugged.is_some_and(|until| until <= minute) {
            self.house.simulator.replug(modem);
            self.note(format!("modem {modem} is plugged in"));
            self.sick[modem] = Sick { unplugged: None, convalescent: minute + CONVALESCENCE, ..self.sick[modem] };
        }
    }

    /// One fault of many. Such as last do so for some minutes, or an hour.
    fn fall_ill(&mut self, modem: usize, minute: u64) {
        if self.sick[modem].is_sick(minute) {
            return;
        }
        if self.below(8) == 0 {
            self.house.simulator.unplug(modem);
            let minutes = [0, 1, 5, 40][self.below(4)];
            self.note(format!("modem {modem} is pulled out for {minutes} minutes"));
            self.sick[modem].unplugged = Some(minute + 1 + minutes);
            return;
        }
        let (faults, minutes) = ILLS[self.below(ILLS.len())];
        self.note(format!("modem {modem}: {faults}"));
        self.house.faults(modem, &faults.split_whitespace().collect::<Vec<_>>());
        self.sick[modem].until = Some(minute + minutes);
    }

    /// Everything is mended; every modem must be back in a while, without a human, and the books must balance.
    async fn end(mut self) -> Vec<String> {
        self.house.simulator.set_faults(None, &Faults::default());
        (0..MODEMS).for_each(|modem| self.house.simulator.replug(modem));
        let mended = self.house.elapsed();
        let mut back: BTreeMap<usize, Duration> = BTreeMap::new();
        while back.len() < MODEMS && self.house.elapsed() - mended < BACK_WITHIN {
            sleep(5).await;
            let board = self.house.app().board().modems();
            for (modem, _) in board.iter().enumerate().filter(|(_, view)| view.state.is_ready()) {
                back.entry(modem).or_insert(self.house.elapsed() - mended);
            }
        }
        let board = self.house.app().board().modems();
        assert_eq!(back.len(), MODEMS, "seed {}: left behind: {board:#?}\n{}", self.seed, self.tail());
        let rungs = board[0].rungs.iter().map(|(rung, tried, worked)| format!("{rung} {worked} of {tried}"));
        println!("  rungs that worked: {}", rungs.collect::<Vec<_>>().join(", "));
        println!("  the last one was back {:?} after the mending", back.values().max());
        // Each message has ended by then.
        tokio::time::sleep(LIFE + Duration::from_secs(900)).await;
        let mut messages = Vec::new();
        for taken in &self.taken {
            messages.push(self.house.store().message(ME, taken.id, None).await.unwrap());
        }
        self.check(&messages);
        self.every_modem_sends().await;
        let ends = messages.iter().map(|m| format!("{m:?}"));
        self.log.extend(ends);
        self.house.stop().await;
        self.log
    }

    fn check(&self, messages: &[Message]) {
        let seed = self.seed;
        let mut copies: BTreeMap<String, Vec<Copy>> = BTreeMap::new();
        self.house.all_copies().into_iter().for_each(|copy| copies.entry(copy.to.clone()).or_default().push(copy));
        let mut ends: BTreeMap<String, usize> = BTreeMap::new();
        let mut late = Vec::new();
        for (taken, message) in self.taken.iter().zip(messages) {
            let copies = copies.get(&taken.to).map_or(&[][..], Vec::as_slice);
            assert!(copies.iter().all(|copy| copy.text == taken.text));
            let status = message.status();
            assert!(message.is_final(), "seed {seed}: {message:#?}");
            let parts: Vec<_> = message.attempts.iter().flat_map(|a| &a.parts).collect();
            let uncertain = parts.iter().filter(|p| matches!(p.state, PartState::Uncertain(_))).count();
            let gave_up = parts.iter().filter(|p| p.report.is_some_and(|r| r.verdict == ReportVerdict::GaveUp)).count();
            let allowed = 1 + (uncertain + gave_up + usize::from(message.ever_uncertain)).min(1);
            assert!(copies.len() <= allowed, "seed {seed}: {} copies of {message:#?}", copies.len());
            assert!(copies.len() <= 1 + usize::from(message.resend_used), "seed {seed}: {message:#?}");
            match status {
                Status::Delivered | Status::Submitted => assert!(!copies.is_empty(), "seed {seed}: {message:#?}"),
                // Not by a day with eight modems, of which most are well at any time: each message finds one in its hour.
                Status::Expired | Status::Failed | Status::Canceled => {
                    panic!("seed {seed}: lost: {message:#?}\n{}", self.log.join("\n"))
                }
                _ => {}
            }
            *ends.entry(format!("{status:?}")).or_default() += 1;
            // While others are well, they carry what comes in, and nobody waits for the sick. Those that a modem had as it
            // broke find out by its time-outs, and there are few of them.
            let accepted = |part: &&&Part| matches!(part.state, PartState::Accepted(_));
            let sent = parts.iter().filter(accepted).filter_map(|part| part.settled).min();
            let took = sent.map_or(LIFE, |sent| sent - message.created);
            let begun = parts.iter().map(|part| part.intended).min();
            let waited = begun.map_or(LIFE, |begun| begun - message.created);
            if taken.sick <= MODEMS / 2 && (waited > USUAL || took > USUAL) {
                late.push(format!(
                    "{:?} begun after {waited:?}, sent after {took:?}, {} sick",
                    taken.accepted, taken.sick
                ));
            }
            assert!(taken.sick > MODEMS / 2 || waited <= USUAL, "seed {seed}: begun after {waited:?}: {message:#?}");
        }
        println!("  {} messages: {ends:?}, {} late", messages.len(), late.len());
        assert!(
            late.len() * 1000 <= messages.len() * LATE_PER_MILLE,
            "seed {seed}: {} late\n{}",
            late.len(),
            late.join("\n")
        );
    }

    /// A modem that answers and does not send is found out by messages only: those that it is given, one after the other,
    /// lead it up its ladder.
    async fn every_modem_sends(&mut self) {
        let mut ids = Vec::new();
        for minute in 0..LAST_MINUTES {
            for n in 0..2 * MODEMS {
                let to = format!("+1206{:07}", 5_550_000 + 2 * MODEMS * minute + n);
                ids.push(self.house.accept(&to, "one of the last").await);
            }
            sleep(60).await;
            let copies = self.house.all_copies();
            let sends = |modem: usize| {
                let imei = self.house.imei(modem);
                copies.iter().rev().any(|c| c.imei == imei && c.text == "one of the last")
            };
            if (0..MODEMS).all(sends) {
                break;
            }
            let board = self.house.app().board().modems();
            assert!(minute + 1 < LAST_MINUTES, "seed {}: one sends no more: {board:#?}\n{}", self.seed, self.tail());
        }
        for id in ids {
            let message = self.house.settled(id, Duration::from_secs(600)).await;
            assert_eq!(message.status(), Status::Delivered, "seed {}: {message:#?}", self.seed);
        }
    }

    fn tail(&self) -> String {
        self.log[self.log.len().saturating_sub(40)..].join("\n")
    }
}

impl Sick {
    fn is_sick(&self, minute: u64) -> bool {
        self.until.is_some() || self.unplugged.is_some() || self.convalescent > minute
    }
}

const MODEMS: usize = 8;
const LIFE: Duration = Duration::from_secs(3600);
/// How likely a modem falls ill in a minute: some eighteen times a day.
const BREAKS: f64 = 0.0125;
/// How long after its mending a modem may still be on its way back: a quarantine's second stay, and the climb before it.
const CONVALESCENCE: u64 = 40;
/// From the mending of everything: the longest stay in quarantine, and the way up from it.
const BACK_WITHIN: Duration = Duration::from_secs(3600 + 300);
/// From then on, with messages to show what is wrong still.
const LAST_MINUTES: usize = 60;
/// A message is begun, and mostly sent, so soon while half of the modems are well. On the air it is for three seconds.
const USUAL: Duration = Duration::from_secs(15);
/// Those that a modem had as it broke.
const LATE_PER_MILLE: usize = 10;

/// What goes wrong, and for how many minutes.
const ILLS: &[(&str, u64)] = &[
    ("hang=escape@next:1", 5),
    ("hang=45@next:1", 5),
    ("hang=reopen@next:1", 5),
    ("hang=radio@next:1", 8),
    ("hang=restart@next:1", 8),
    ("hang=usb@next:1", 10),
    ("hang=restart@next:1 reset_ineffective=yes@next:1", 12),
    ("hang=restart@next:1 mode_switch=60@next:1", 12),
    ("no_prompt=reopen@next:1", 15),
    ("no_prompt=radio@next:1", 15),
    ("no_prompt=restart@next:1", 15),
    ("no_prompt=usb@next:1", 20),
    ("prompt_never=command", 10),
    ("prompt_never=edit@next:3", 5),
    ("prompt_late=15@next:2", 5),
    ("boot_loop=20", 4),
    ("port_loss=brown_out@next:1", 3),
    ("port_loss=brown_out", 6),
    ("port_loss=submit@next:1", 3),
    ("port_loss=submit_lost@next:1", 3),
    ("port_loss=prompt@next:2", 3),
    ("reboot=yes@next:1", 3),
    ("unregistered=searching", 6),
    ("unregistered=quiet", 12),
    ("unregistered=denied", 60),
    ("silence=accepted@next:1", 6),
    ("silence=lost@next:2", 12),
    ("late_result=30@next:2", 5),
    ("error_after=cms:500,lost@0.1", 30),
    ("error_after=cms:500,accepted@0.1", 30),
    ("refuse_before_prompt=cms:300", 4),
    ("refuse_before_prompt=cme:13@next:3", 6),
    ("refuse_before_prompt=cms:303", 3),
    ("network_refusal=38@next:4", 5),
    ("report_lost=yes@next:5", 5),
    ("echo_drift=yes@next:3", 3),
    ("urc_in_answer=inside@0.2", 10),
    ("collision=ring@0.3", 10),
];
