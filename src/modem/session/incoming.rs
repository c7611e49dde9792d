//! What the modem says unasked, and what it keeps for us to fetch.
//!
//! What lies in a storage is read, told, and deleted there, place by place, once [`Input::Kept`] says that it is on disk
//! here. A place that was read is held until then: it is not read again, and deleted once, so that what comes to lie
//! there next is not taken for it.

use super::sweep::{RECEIVED, Say};
use super::*;
use crate::at::command::InvalidCommand;
use crate::at::response::{PinState, StoredMessage};

impl Session {
    pub(super) fn news(&mut self, now: Mono, urc: Urc) {
        match urc {
            Urc::Report(pdu) => {
                let held = self.holds_back(now);
                self.report(&pdu, held);
            }
            Urc::ReportStored(at) => {
                // Some name another storage than the one in which it lies.
                let memory = self.quirks.reports_in.map_or(at.memory, str::to_owned);
                self.announced(StoredAt { memory, ..at }, Stored::Report);
            }
            Urc::MessageStored(at) => self.announced(at, Stored::Message),
            Urc::Message(pdu) => {
                let held = self.holds_back(now);
                self.inbound(&pdu, held);
            }
            Urc::Garbled { raw, .. } => {
                // The network repeats what is not acknowledged, perhaps in a way that can be read.
                let repeated = self.incoming.garbled.as_ref() == Some(&raw);
                let held = if repeated { self.holds_back(now) } else { None };
                self.incoming.garbled = Some(raw.clone());
                self.unreadable(raw, held);
            }
            Urc::Registration(domain, registration) => {
                let slot = match domain {
                    Domain::Circuit => &mut self.known.circuit,
                    Domain::Packet => &mut self.known.packet,
                    Domain::Eps => &mut self.known.eps,
                };
                if *slot != Some(registration.status) {
                    *slot = Some(registration.status);
                    self.emit(Event::Changed);
                }
            }
            // No news before it was left. Another program may have set it, or a report's first line was garbled: that is no
            // restart.
            Urc::TextMode if matches!(self.phase, Phase::Up | Phase::Recovering) => {
                self.rebooted = true;
                self.emit(Event::Notice("The modem speaks as in text mode; it is set up again"));
            }
            // Also in the middle of the bring-up: what was set so far is gone.
            Urc::Booted if matches!(self.phase, Phase::Up | Phase::Recovering | Phase::BringUp { .. }) => {
                self.rebooted = true;
                self.acknowledgements.forget(now);
                self.unlock.powered_up();
                self.emit(Event::Notice("The modem has restarted by itself; it is set up again"));
                self.emit(Event::Booted);
            }
            // It was open, and is not: what there is to be done about it the bring-up knows.
            Urc::Pin(state) if state != PinState::Ready && state != PinState::Second => {
                if state == PinState::NotReady {
                    self.unlock.powered_up();
                }
                self.rebooted |= matches!(self.phase, Phase::Up | Phase::Recovering);
            }
            Urc::Ussd(line) => self.service_news(now, line.as_str()),
            Urc::PowerDown => self.emit(Event::Notice("The modem says that it goes off; check its power supply")),
            Urc::StorageFull => self.storage_is_full(now),
            Urc::Ring => {
                self.incoming.ringing = true;
                // It rings every few seconds until it is rejected, or the caller tires of it.
                let rung = self.incoming.rang.replace(now);
                self.incoming.new_call |= rung.is_none_or(|rung| now >= rung + SAME_CALL);
            }
            Urc::CallEnded => self.incoming.rang = None,
            _ => {}
        }
    }

    fn storage_is_full(&mut self, now: Mono) {
        if self.incoming.sweep.hurry(now) {
            self.emit(Event::Notice("The modem's message storage is full; nothing more comes in until it is emptied"));
        }
    }

    /// Says the next thing about what came in. False if there is nothing, or a message goes first.
    pub(super) fn receive(&mut self, now: Mono) -> bool {
        self.incoming.sweep.wake(now);
        if now >= self.quiet_since + CHOSEN_HOLDS {
            self.incoming.chosen = None;
        }
        if !self.incoming_first() {
            self.incoming.sweep.rest(now);
            return false;
        }
        self.hang_up(now) || self.fetch(now) || self.sweep(now)
    }

    /// Whether something is to be done about what came in before the next message goes out.
    pub(super) fn incoming_first(&self) -> bool {
        let spent = self.incoming.message_waits && self.incoming.said >= BETWEEN_SENDS;
        self.incoming.is_any() && !spent
    }

    /// Nobody answers a call here, and a modem that rings sends nothing.
    fn hang_up(&mut self, now: Mono) -> bool {
        if !std::mem::take(&mut self.incoming.ringing) {
            return false;
        }
        let command = if self.incoming.no_chup { Command::hang_up_all() } else { Command::hang_up() };
        self.incoming.said += 1;
        self.ask(now, command, Asked::HangUp);
        true
    }

    pub(super) fn hung_up(&mut self, reply: &Reply) {
        match reply.end {
            ReplyEnd::Final(result) if !result.is_ok() && !self.incoming.no_chup => {
                self.incoming.no_chup = true;
                self.incoming.ringing = true;
            }
            _ if std::mem::take(&mut self.incoming.new_call) => self.emit(Event::CallRejected),
            _ => {}
        }
    }

    /// How the modem holds what has just come directly: under phase 2+ it wants it acknowledged.
    fn holds_back(&mut self, now: Mono) -> Option<Held> {
        self.known.acknowledges.then(|| {
            self.acknowledgements.ask_store(now);
            Held::Unacknowledged(now)
        })
    }

    fn announced(&mut self, at: StoredAt, what: Stored) {
        if what == Stored::Report && self.incoming.holds(&at) {
            // A message lies there: the report must lie elsewhere.
            self.look_among_reports(&at);
            return;
        }
        let incoming = &mut self.incoming;
        let known = incoming.holds(&at) || incoming.fetches.iter().any(|f| f.at == at && f.what == what);
        if incoming.fetches.len() >= MAX_FETCHES {
            incoming.sweep.doubt();
        } else if !known {
            incoming.fetches.push_back(Fetch::new(at, what));
        }
    }

    /// A report that lies in a storage is deleted there once it is on disk here.
    fn report(&mut self, pdu: &PduHex, held: Option<Held>) {
        let decoded = pdu::decode_hex(pdu.as_str(), SmscField::Auto);
        match decoded.map(|d| d.tpdu) {
            Ok(Tpdu::StatusReport(report)) => self.arrived(Event::Report {
                reference: report.message_reference.0,
                recipient: Secret::new(report.recipient.reveal_digits().unwrap_or_default()),
                status: report.status.0,
                verdict: verdict(report.status.verdict()),
                held,
            }),
            Ok(_) => {
                self.emit(Event::Notice("A status report was announced, but another kind of PDU came"));
                self.inbound(pdu, held);
            }
            Err(_) => {
                self.emit(Event::Notice("A status report could not be read"));
                self.inbound(pdu, held);
            }
        }
    }

    /// A message, or what can't be read: that too is kept, so that it need not stay where it lies.
    fn inbound(&mut self, pdu: &PduHex, held: Option<Held>) {
        match pdu::decode_hex(pdu.as_str(), SmscField::Auto).map(|d| d.tpdu) {
            Ok(Tpdu::StatusReport(_)) => self.report(pdu, held),
            Ok(Tpdu::Deliver(deliver)) => {
                let text = deliver.user_data.text();
                let from = deliver.originator.to_string();
                let characters = text.map_or(0, |text| text.reveal().chars().count());
                self.arrived(Event::Inbound { from, characters, pdu: Secret::new(pdu.as_str()), held });
            }
            _ => self.unreadable(Secret::new(pdu.as_str()), held),
        }
    }

    /// Something that is no message as far as can be told. It is kept as it came.
    fn unreadable(&mut self, raw: Secret, held: Option<Held>) {
        self.emit(Event::Notice("A message came in that could not be read"));
        self.arrived(Event::Inbound { from: String::new(), characters: 0, pdu: raw, held });
    }

    /// Something came: it is told, once it is known to which SIM card.
    fn arrived(&mut self, event: Event) {
        if let Event::Report { held: Some(Held::Stored(at)), .. }
        | Event::Inbound { held: Some(Held::Stored(at)), .. } = &event
        {
            // Announced, too: it need not be fetched once more.
            self.incoming.fetches.retain(|fetch| fetch.at != *at);
            self.incoming.held.push(at.clone());
        }
        match self.phase {
            Phase::Up | Phase::Recovering => self.emit(event),
            _ if self.early.len() < MAX_FETCHES => self.early.push(event),
            _ => {}
        }
    }

    /// What came in is on disk here.
    pub(super) fn kept(&mut self, now: Mono, held: Held) {
        match held {
            Held::Stored(at) if self.incoming.holds(&at) => {
                self.incoming.fetches.push_back(Fetch::new(at, Stored::Known));
            }
            Held::Stored(_) => {}
            // Nothing is acknowledged in the middle of a send, and some modems hold back until its end what came during it:
            // by then they may have tired of waiting.
            Held::Unacknowledged(came) => {
                let late = self.job.is_some() || self.sent.is_some_and(|sent| came < sent + HELD_BACK);
                self.acknowledgements.owe(came, late, now);
            }
        }
    }

    /// What came in could not be taken: it is looked for again, or comes again.
    pub(super) fn not_kept(&mut self, held: &Held) {
        match held {
            Held::Stored(at) => {
                self.incoming.held.retain(|held| held != at);
                self.incoming.sweep.doubt();
            }
            Held::Unacknowledged(_) => self.acknowledgements.withhold(),
        }
    }

    pub(super) fn fetched(&mut self, mut fetch: Fetch, reply: &Reply) {
        if !matches!(reply.end, ReplyEnd::Final(_)) {
            fetch.lost += 1;
            match fetch.what {
                // By now another may lie there.
                Stored::Known => self.incoming.sweep.doubt(),
                _ if fetch.lost < LOST_READS => self.incoming.fetches.push_back(fetch),
                _ => {
                    self.incoming.sweep.doubt();
                    self.emit(Event::Notice("A message was announced, but the modem does not give it"));
                }
            }
            return;
        }
        let found = response::stored_messages(&reply.lines).into_iter().find(|message| message.status <= RECEIVED);
        if fetch.what == Stored::Known {
            if !reply.is_ok() {
                self.incoming.sweep.doubt();
            }
            return;
        }
        match (fetch.what, found.map(Reading::of)) {
            (_, Some(Reading::Garbled(raw))) => self.read_again(fetch, raw),
            // It read on in another storage, where this one has its own turn.
            (Stored::Report, Some(Reading::Good(pdu))) if fetch.at.memory == REPORTS && !is_report(&pdu) => {
                self.emit(Event::Notice("Another message lies where a status report was announced; it is left there"));
            }
            (Stored::Report, Some(Reading::Good(pdu))) => {
                if !is_report(&pdu) {
                    self.look_among_reports(&fetch.at);
                }
                self.report(&pdu, Some(Held::Stored(fetch.at)));
            }
            (_, Some(Reading::Good(pdu))) => self.inbound(&pdu, Some(Held::Stored(fetch.at))),
            // Some modems announce a report in another storage than the one it lies in.
            (Stored::Report, None) if self.look_among_reports(&fetch.at) => {}
            (_, None) => {
                // It may not have been able to say so just now, or its words were garbled.
                self.incoming.sweep.doubt();
                self.emit(Event::Notice("A message was announced, but is not where the modem said"));
            }
        }
    }

    /// What was read there is no message. Two readings that agree are what lies there; else it was garbled on its way, and
    /// is looked for again later.
    fn read_again(&mut self, fetch: Fetch, raw: Option<Secret>) {
        match raw {
            Some(raw) if fetch.garbled.as_ref() == Some(&raw) => self.unreadable(raw, Some(Held::Stored(fetch.at))),
            raw if fetch.readings + 1 < GARBLED_READINGS => {
                self.incoming.fetches.push_back(Fetch { garbled: raw, readings: fetch.readings + 1, ..fetch });
            }
            _ => {
                self.incoming.sweep.doubt();
                self.emit(Event::Notice("A message could not be read twice alike; it is left where it lies for now"));
            }
        }
    }

    /// False if that is where it was looked for.
    fn look_among_reports(&mut self, at: &StoredAt) -> bool {
        let elsewhere = at.memory != REPORTS;
        if elsewhere {
            self.announced(StoredAt { memory: REPORTS.to_owned(), index: at.index }, Stored::Report);
        }
        elsewhere
    }

    /// Begins the next fetch. False if there is none.
    fn fetch(&mut self, now: Mono) -> bool {
        while let Some(fetch) = self.incoming.fetches.pop_front() {
            if self.incoming.chosen.as_deref() != Some(&fetch.at.memory) {
                let memory = fetch.at.memory.clone();
                self.incoming.fetches.push_front(fetch);
                if self.choose(now, memory.clone()) {
                    return true;
                }
                // What has no storage's name lies in none.
                self.incoming.drop_memory(&memory);
                continue;
            }
            let command = match fetch.what {
                Stored::Known => {
                    // From now on another may come to lie there.
                    self.incoming.held.retain(|held| *held != fetch.at);
                    Command::delete_message(fetch.at.index)
                }
                Stored::Report | Stored::Message => Command::read_message(fetch.at.index),
            };
            self.incoming.said += 1;
            self.ask(now, command, Asked::Fetch(fetch));
            return true;
        }
        false
    }

    /// Asks the next question of a sweep. False if there is none.
    fn sweep(&mut self, now: Mono) -> bool {
        let may_list = self.bears_lists() && !self.incoming.message_waits;
        loop {
            let Incoming { sweep, chosen, held, .. } = &mut self.incoming;
            match sweep.next(chosen.as_deref(), |at| held.contains(at), may_list) {
                None => {
                    sweep.rest(now);
                    return false;
                }
                Some(Say::PassOver) => {}
                Some(Say::Choose(memory)) => return self.choose(now, memory),
                Some(Say::Measure(memory)) => match self.incoming.choosing(&memory) {
                    Ok(command) => return self.ask_sweeping(now, command),
                    Err(_) => self.incoming.sweep.give_up(&memory),
                },
                Some(Say::Ask(command)) => return self.ask_sweeping(now, command),
            }
        }
    }

    fn ask_sweeping(&mut self, now: Mono, command: Command) -> bool {
        self.incoming.said += 1;
        self.ask(now, command, Asked::Sweep);
        true
    }

    pub(super) fn swept(&mut self, reply: &Reply) {
        let Incoming { sweep, chosen, all_three, .. } = &mut self.incoming;
        for (at, message) in sweep.answered(reply, chosen, all_three) {
            match Reading::of(message) {
                _ if self.incoming.holds(&at) => {}
                Reading::Good(pdu) => self.inbound(&pdu, Some(Held::Stored(at))),
                // Garbled on its way: read alone it may come whole.
                Reading::Garbled(raw) => {
                    self.announced(at.clone(), Stored::Message);
                    if let Some(fetch) = self.incoming.fetches.iter_mut().find(|fetch| fetch.at == at) {
                        (fetch.garbled, fetch.readings) = (raw, 1);
                    }
                }
            }
        }
    }

    /// Chooses a storage. False if it has no storage's name.
    fn choose(&mut self, now: Mono, memory: String) -> bool {
        let Ok(command) = self.incoming.choosing(&memory) else { return false };
        self.incoming.said += 1;
        self.ask(now, command, Asked::Choose(memory));
        true
    }

    pub(super) fn chose(&mut self, memory: String, reply: &Reply) {
        if reply.is_ok() {
            self.incoming.chosen = Some(memory);
            return;
        }
        self.incoming.chosen = None;
        let refused = matches!(reply.end, ReplyEnd::Final(_));
        if refused && memory != REPORTS && !self.incoming.all_three {
            self.incoming.all_three = true;
            return;
        }
        // Where another storage is chosen still, the same place holds something else.
        self.emit(Event::Notice("A storage could not be chosen; what was announced stays in it"));
        self.incoming.drop_memory(&memory);
    }

    /// It is set up: what came before is looked for.
    pub(super) fn begin_sweep(&mut self) {
        let readable = self.known.storages.as_ref().map_or(&[][..], |[readable, ..]| readable);
        self.incoming.sweep.begin(readable);
    }

    /// After a restart another storage is chosen, and another SIM card may be in: what was on disk here stays there, until it
    /// is found again.
    pub(super) fn fetch_anew(&mut self) {
        self.incoming.chosen = None;
        self.incoming.held.clear();
        self.incoming.fetches.retain(|fetch| fetch.what != Stored::Known);
        self.incoming.sweep.stop();
    }
}

/// What came in and is not dealt with yet.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    /// What the modem said lies in a storage: to be read, or deleted.
    fetches: VecDeque<Fetch>,
    /// Places that were read, and are not known to be on disk yet.
    held: Vec<StoredAt>,
    /// The storage that reads and deletions go to. Known from one of them to the next only: a modem that restarts unseen, or
    /// another program, chooses another, and the same place there holds something else.
    pub(super) chosen: Option<String>,
    /// `AT+CPMS` wants all three storages.
    all_three: bool,
    pub(super) sweep: Sweep,
    /// Somebody calls.
    ringing: bool,
    /// When it rang last.
    rang: Option<Mono>,
    /// Nobody was told of the call yet.
    new_call: bool,
    /// What came directly and could not be read, the last time.
    garbled: Option<Secret>,
    /// `AT+CHUP` is not known to it.
    no_chup: bool,
    /// A message is ready to go out.
    pub(super) message_waits: bool,
    /// Commands about what came in since the last send.
    pub(super) said: u8,
}

/// One place to be looked at.
#[derive(Clone, Debug)]
pub(super) struct Fetch {
    at: StoredAt,
    what: Stored,
    /// Answers that were lost.
    lost: u8,
    /// Answers in which there was no message that can be read.
    readings: u8,
    /// What was in its place in the last of them.
    garbled: Option<Secret>,
}

impl Fetch {
    fn new(at: StoredAt, what: Stored) -> Self {
        Self { at, what, lost: 0, readings: 0, garbled: None }
    }
}

/// What was read in one place.
enum Reading {
    /// A message or a report.
    Good(PduHex),
    /// Neither: what is in its place, if anything.
    Garbled(Option<Secret>),
}

impl Reading {
    fn of(message: StoredMessage) -> Self {
        match message.pdu {
            Some(pdu) if is_readable(&pdu) => Self::Good(pdu),
            Some(pdu) => Self::Garbled(Some(Secret::new(pdu.as_str()))),
            None => Self::Garbled(message.raw),
        }
    }
}

/// What lies in a storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stored {
    /// A status report, to be read.
    Report,
    /// A message, to be read.
    Message,
    /// What is on disk here already, to be deleted there.
    Known,
}

impl Incoming {
    /// The port is another one: only what is so for the modem, or for those who send, is worth knowing.
    pub(super) fn forget(&mut self) {
        self.sweep.forget();
        let sweep = std::mem::take(&mut self.sweep);
        let Self { all_three, no_chup, message_waits, .. } = *self;
        *self = Self { all_three, no_chup, message_waits, sweep, ..Self::default() };
    }

    /// It could not be said after all.
    pub(super) fn fetch_again(&mut self, fetch: Fetch) {
        self.fetches.push_front(fetch);
    }

    /// Some modems want all three storages named. Only the first can be that of reports.
    fn choosing(&self, memory: &str) -> Result<Command, InvalidCommand> {
        let all = if self.all_three && memory != REPORTS { 3 } else { 1 };
        Command::use_storages(&[memory; 3][..all])
    }

    pub(super) fn is_any(&self) -> bool {
        self.ringing || !self.fetches.is_empty() || self.sweep.is_under_way()
    }

    fn holds(&self, at: &StoredAt) -> bool {
        self.held.contains(at)
    }

    /// Nothing can be done in a storage that can't be chosen.
    fn drop_memory(&mut self, memory: &str) {
        self.fetches.retain(|fetch| fetch.at.memory != memory);
        self.held.retain(|at| at.memory != memory);
        self.sweep.give_up(memory);
    }
}

fn is_report(pdu: &PduHex) -> bool {
    matches!(pdu::decode_hex(pdu.as_str(), SmscField::Auto).map(|d| d.tpdu), Ok(Tpdu::StatusReport(_)))
}

fn is_readable(pdu: &PduHex) -> bool {
    let tpdu = pdu::decode_hex(pdu.as_str(), SmscField::Auto).map(|d| d.tpdu);
    matches!(tpdu, Ok(Tpdu::Deliver(_) | Tpdu::StatusReport(_)))
}

fn verdict(verdict: pdu::ReportVerdict) -> ReportVerdict {
    match verdict {
        pdu::ReportVerdict::Delivered => ReportVerdict::Delivered,
        pdu::ReportVerdict::Unconfirmed => ReportVerdict::Unconfirmed,
        pdu::ReportVerdict::StillTrying => ReportVerdict::StillTrying,
        pdu::ReportVerdict::Replaced | pdu::ReportVerdict::PermanentFailure => ReportVerdict::Failed,
        pdu::ReportVerdict::GaveUp => ReportVerdict::GaveUp,
    }
}

/// What comes so soon after a send may have come during it.
const HELD_BACK: Duration = Duration::from_secs(1);
/// Announced messages kept in mind: as many as a large SIM card holds.
const MAX_FETCHES: usize = 255;
/// A storage that was chosen is chosen anew after so long.
const CHOSEN_HOLDS: Duration = Duration::from_secs(1);
/// Answers to a read that may be lost.
const LOST_READS: u8 = 2;
/// Answers that may hold nothing that can be read, until two of them agree.
const GARBLED_READINGS: u8 = 3;
/// What rings again so soon is the same call.
const SAME_CALL: Duration = Duration::from_secs(10);
/// While messages wait to be sent: commands about what came in, between two of them. Two messages are read and deleted with
/// these.
const BETWEEN_SENDS: u8 = 8;
/// The storage of status reports.
pub(super) const REPORTS: &str = "SR";
