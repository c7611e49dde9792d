//! The virtual network: takes SMS-SUBMITs off the air, judges them with its own decoder, counts and keeps the copies it
//! accepted, reports on them, and sends messages the other way, among them those to one of its own subscribers.
//!
//! Each modem has its own radio: messages of one modem follow each other, those of several overlap.

use super::faults::Collision;
use super::inbox::Inbox;
use super::pdu::{Deliver, PduError, StatusReport, Submit};
use super::timers::Timers;
use crate::domain::time::{Mono, Wall};
use std::collections::VecDeque;
use std::time::Duration;

/// How the network behaves.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkOptions {
    /// From 0x1A to the answer.
    pub air_time: Duration,
    /// From acceptance to the status report.
    pub report_delay: Duration,
    /// Messages the inbox holds; older ones are forgotten.
    pub inbox_capacity: usize,
    /// Wall time at `Mono` zero.
    pub epoch: Wall,
    /// Numbers for which something else happens. The first rule that fits counts.
    pub rules: Vec<NumberRule>,
}

impl Default for NetworkOptions {
    fn default() -> Self {
        Self {
            air_time: Duration::from_millis(100),
            report_delay: Duration::from_millis(200),
            inbox_capacity: 1000,
            epoch: Wall(0),
            rules: Vec::new(),
        }
    }
}

/// What happens to messages to numbers that end alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberRule {
    /// The last digits.
    pub suffix: String,
    /// What happens.
    pub answer: NumberAnswer,
}

impl NumberRule {
    /// Reads `0199=refuse:1`, `0198=report:0x46` or `0197=no-report`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let number = |n: &str| match n.strip_prefix("0x") {
            Some(hex) => u8::from_str_radix(hex, 16).ok(),
            None => n.parse().ok(),
        };
        let parts = text.split_once('=').and_then(|(suffix, answer)| {
            let answer = match answer.split_once(':') {
                Some(("refuse", cause)) => NumberAnswer::Refuse(number(cause)?),
                Some(("report", status)) => NumberAnswer::Report(number(status)?),
                None if answer == "no-report" => NumberAnswer::NoReport,
                _ => return None,
            };
            let digits = !suffix.is_empty() && suffix.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| Self { suffix: suffix.into(), answer })
        });
        parts.ok_or_else(|| {
            format!("\"{text}\" is no rule; write SUFFIX=refuse:CAUSE, SUFFIX=report:TP-ST or SUFFIX=no-report")
        })
    }
}

/// What happens to a message by its recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberAnswer {
    /// RP-ERROR with this cause (TS 24.011 table 8.4).
    Refuse(u8),
    /// Accepted; the report has this TP-ST.
    Report(u8),
    /// Accepted; no report comes.
    NoReport,
}

/// A message on its way up, with what the faults of its modem want of the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// The modem's mark, given back in the answer.
    pub ticket: u64,
    /// The TPDU, TP-MR included.
    pub tpdu: Vec<u8>,
    /// What is to go wrong.
    pub orders: Orders,
}

/// What is to go wrong with one message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Orders {
    /// It is not accepted, and the modem is told nothing of that.
    pub lost: bool,
    /// It is refused with this cause.
    pub refusal: Option<u8>,
    /// The report comes before the answer.
    pub report_early: bool,
    /// The report bears this TP-MR.
    pub report_reference: Option<u8>,
    /// The report bears this TP-ST.
    pub report_status: Option<u8>,
    /// No report comes.
    pub report_lost: bool,
    /// It is accepted, and reported as if it were delivered, but nobody gets it.
    pub filtered: bool,
    /// What the modem says half-way.
    pub halfway: Option<Collision>,
}

/// What comes down to a modem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Downlink {
    /// RP-ACK, or RP-ERROR with a cause, for the submission with this ticket.
    Answer {
        /// The submission's mark.
        ticket: u64,
        /// The cause, if refused.
        cause: Option<u8>,
    },
    /// Half of the air time is over, and a collision was ordered.
    Halfway(Collision),
    /// An SMS-DELIVER or SMS-STATUS-REPORT.
    Deliver {
        /// The TPDU.
        tpdu: Vec<u8>,
        /// To be shown even before the result of a send.
        early: bool,
    },
}

/// One accepted copy of one part: the evidence for *lost* and *twice*.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// When it was accepted.
    pub time: Wall,
    /// The sending modem's IMEI.
    pub imei: String,
    /// The sending card's number.
    pub from: String,
    /// The recipient: `+` and digits, or digits alone.
    pub to: String,
    /// This part's text.
    pub text: String,
    /// Number of the part, from 1.
    pub part: u8,
    /// Number of parts.
    pub total: u8,
    /// Reference of the concatenation, if there is one.
    pub concat_reference: Option<u16>,
    /// TP-MR.
    pub reference: u8,
    /// TP-DCS.
    pub dcs: u8,
    /// Whether a status report was asked for.
    pub report: bool,
    /// FNV-1a of the TPDU without TP-MR: equal for identical resends.
    pub content: u64,
}

/// What the network counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetworkCounts {
    /// Submissions that came off the air.
    pub submissions: u64,
    /// Copies accepted.
    pub accepted: u64,
    /// Submissions refused.
    pub refused: u64,
    /// Of these, such as the decoder could not read.
    pub undecodable: u64,
    /// Status reports sent.
    pub reports: u64,
    /// Messages sent down.
    pub inbound: u64,
}

/// What the network does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetworkOutput {
    /// For the modem of this index.
    Down(usize, Downlink),
    /// A copy of this modem's was accepted.
    Accepted(usize, Copy),
}

/// The network with its SMSC.
pub struct Network {
    options: NetworkOptions,
    subscribers: Vec<Subscriber>,
    timers: Timers<Event>,
    output: VecDeque<NetworkOutput>,
    inbox: Inbox,
    counts: NetworkCounts,
    concat_reference: u8,
}

struct Subscriber {
    imei: String,
    number: String,
    /// The radio is free from then on.
    free: Mono,
    /// TPDUs that it could not take.
    waiting: VecDeque<Vec<u8>>,
}

enum Event {
    Halfway(usize, Collision),
    Arrived(usize, Submission),
    Report(usize, Vec<u8>),
    Forwarded(usize, Vec<u8>),
}

impl Network {
    /// A network with these subscribers: IMEI and number of each modem.
    pub fn new(options: NetworkOptions, subscribers: impl IntoIterator<Item = (String, String)>) -> Self {
        let subscriber = |(imei, number)| Subscriber { imei, number, free: Mono::default(), waiting: VecDeque::new() };
        Self {
            inbox: Inbox::new(options.inbox_capacity),
            subscribers: subscribers.into_iter().map(subscriber).collect(),
            options,
            timers: Timers::default(),
            output: VecDeque::new(),
            counts: NetworkCounts::default(),
            concat_reference: 0,
        }
    }

    /// The inbox.
    pub fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// Empties the inbox.
    pub fn clear_inbox(&mut self) {
        self.inbox.clear();
    }

    /// What was counted.
    pub fn counts(&self) -> NetworkCounts {
        self.counts
    }

    /// Forgets counts, inbox and what waits for modems. What is on the air stays there.
    pub fn reset(&mut self) {
        self.counts = NetworkCounts::default();
        self.inbox.clear();
        self.subscribers.iter_mut().for_each(|s| s.waiting.clear());
    }

    /// A modem sends.
    pub fn submit(&mut self, now: Mono, modem: usize, submission: Submission) {
        let Some(subscriber) = self.subscribers.get_mut(modem) else { return };
        let start = subscriber.free.max(now);
        subscriber.free = start + self.options.air_time;
        if let Some(collision) = submission.orders.halfway {
            self.timers.add(start + self.options.air_time / 2, Event::Halfway(modem, collision));
        }
        self.timers.add(subscriber.free, Event::Arrived(modem, submission));
    }

    /// A modem could not take a message: it waits for [`Network::reachable`]. The oldest of more than 100 is dropped.
    pub fn undeliverable(&mut self, modem: usize, tpdu: Vec<u8>) {
        let Some(subscriber) = self.subscribers.get_mut(modem) else { return };
        if subscriber.waiting.len() >= MAX_WAITING {
            subscriber.waiting.pop_front();
        }
        subscriber.waiting.push_back(tpdu);
    }

    /// A modem can take messages again.
    pub fn reachable(&mut self, modem: usize) {
        let Some(subscriber) = self.subscribers.get_mut(modem) else { return };
        for tpdu in std::mem::take(&mut subscriber.waiting) {
            self.output.push_back(NetworkOutput::Down(modem, Downlink::Deliver { tpdu, early: false }));
        }
    }

    /// Sends `text` to the modem whose card has the number `to`; if `to` is empty, to the first one. Returns its index;
    /// a number that no card has gets nothing.
    pub fn inbound(&mut self, now: Mono, from: &str, to: &str, text: &str) -> Option<usize> {
        let modem = if to.is_empty() { (!self.subscribers.is_empty()).then_some(0) } else { self.subscriber(to) }?;
        self.concat_reference = self.concat_reference.wrapping_add(1);
        for tpdu in Deliver::encode(from, text, self.wall(now), self.concat_reference) {
            self.counts.inbound += 1;
            self.output.push_back(NetworkOutput::Down(modem, Downlink::Deliver { tpdu, early: false }));
        }
        Some(modem)
    }

    /// Lets happen what is due.
    pub fn handle_timeout(&mut self, now: Mono) {
        while let Some((at, event)) = self.timers.pop(now) {
            match event {
                Event::Halfway(modem, collision) => self.down(modem, Downlink::Halfway(collision)),
                Event::Arrived(modem, submission) => self.arrived(at, modem, submission),
                Event::Report(modem, tpdu) => self.report(modem, tpdu, false),
                Event::Forwarded(modem, tpdu) => {
                    self.counts.inbound += 1;
                    self.down(modem, Downlink::Deliver { tpdu, early: false });
                }
            }
        }
    }

    /// What it does next. To be drained after each call.
    pub fn poll_output(&mut self) -> Option<NetworkOutput> {
        self.output.pop_front()
    }

    /// When it wants [`Network::handle_timeout`] at the latest.
    pub fn next_timeout(&self) -> Option<Mono> {
        self.timers.next()
    }

    /// Whose card has this number.
    fn subscriber(&self, number: &str) -> Option<usize> {
        let bare = |n: &str| n.trim_start_matches('+').to_owned();
        self.subscribers.iter().position(|s| bare(&s.number) == bare(number))
    }

    fn down(&mut self, modem: usize, downlink: Downlink) {
        self.output.push_back(NetworkOutput::Down(modem, downlink));
    }

    fn wall(&self, now: Mono) -> Wall {
        self.options.epoch + now.0
    }

    fn arrived(&mut self, now: Mono, modem: usize, Submission { ticket, tpdu, orders }: Submission) {
        self.counts.submissions += 1;
        if orders.lost {
            return self.down(modem, Downlink::Answer { ticket, cause: None });
        }
        let submit = match self.judge(&tpdu, &orders) {
            Ok(submit) => submit,
            Err(cause) => {
                self.counts.refused += 1;
                return self.down(modem, Downlink::Answer { ticket, cause: Some(cause) });
            }
        };
        let copy = self.copy(now, modem, &submit, &tpdu);
        self.counts.accepted += 1;
        self.inbox.add(&copy);
        self.output.push_back(NetworkOutput::Accepted(modem, copy));
        if let Some(to) = self.subscriber(&submit.to.value).filter(|_| !orders.filtered) {
            let forwarded = Deliver::forward(&self.subscribers[modem].number, &submit, &tpdu, self.wall(now));
            self.timers.add(now + self.options.report_delay, Event::Forwarded(to, forwarded));
        }
        let answer = Downlink::Answer { ticket, cause: None };
        match self.report_on(now, &submit, &orders) {
            Some(report) if orders.report_early => {
                self.report(modem, report, true);
                self.down(modem, answer);
            }
            report => {
                self.down(modem, answer);
                if let Some(report) = report {
                    self.timers.add(now + self.options.report_delay, Event::Report(modem, report));
                }
            }
        }
    }

    /// Accepts a TPDU or names the RP-cause.
    fn judge(&mut self, tpdu: &[u8], orders: &Orders) -> Result<Submit, u8> {
        let submit = Submit::decode(tpdu).map_err(|PduError { .. }| {
            self.counts.undecodable += 1;
            INVALID_MANDATORY_INFORMATION
        })?;
        if let Some(cause) = orders.refusal {
            return Err(cause);
        }
        match self.rule(&submit) {
            Some(NumberAnswer::Refuse(cause)) => Err(cause),
            _ if submit.to.value.is_empty() => Err(UNASSIGNED_NUMBER),
            _ => Ok(submit),
        }
    }

    fn rule(&self, submit: &Submit) -> Option<NumberAnswer> {
        self.options.rules.iter().find(|r| submit.to.value.ends_with(&r.suffix)).map(|r| r.answer)
    }

    fn report_on(&self, now: Mono, submit: &Submit, orders: &Orders) -> Option<Vec<u8>> {
        let status = match (orders.report_status, self.rule(submit)) {
            (Some(status), _) | (None, Some(NumberAnswer::Report(status))) => status,
            (None, Some(NumberAnswer::NoReport)) => return None,
            _ => 0,
        };
        if !submit.wants_report() || orders.report_lost {
            return None;
        }
        let reference = orders.report_reference.unwrap_or(submit.reference);
        let (accepted, discharged) = (self.wall(now), self.wall(now + self.options.report_delay));
        Some(StatusReport::encode(reference, &submit.to, accepted, discharged, status))
    }

    fn report(&mut self, modem: usize, tpdu: Vec<u8>, early: bool) {
        self.counts.reports += 1;
        self.down(modem, Downlink::Deliver { tpdu, early });
    }

    fn copy(&self, now: Mono, modem: usize, submit: &Submit, tpdu: &[u8]) -> Copy {
        let subscriber = &self.subscribers[modem];
        let concat = submit.user_data.concat;
        let hashed = tpdu.iter().enumerate().filter(|(i, _)| *i != 1).map(|(_, octet)| octet);
        Copy {
            time: self.wall(now),
            imei: subscriber.imei.clone(),
            from: subscriber.number.clone(),
            to: submit.to.text(),
            text: submit.user_data.text.clone(),
            part: concat.map_or(1, |c| c.part),
            total: concat.map_or(1, |c| c.total),
            concat_reference: concat.map(|c| c.reference),
            reference: submit.reference,
            dcs: submit.dcs,
            report: submit.wants_report(),
            content: hashed.fold(0xcbf2_9ce4_8422_2325, |h, &o| (h ^ u64::from(o)).wrapping_mul(0x100_0000_01b3)),
        }
    }
}

/// RP-causes of TS 24.011 table 8.4.
const UNASSIGNED_NUMBER: u8 = 1;
const INVALID_MANDATORY_INFORMATION: u8 = 96;
const MAX_WAITING: usize = 100;
