//! What the modem says unasked, and what it keeps for us to fetch.

use super::*;
use crate::at::response::PinState;

impl Session {
    pub(super) fn news(&mut self, now: Mono, urc: Urc) {
        match urc {
            Urc::Report(pdu) => {
                self.owe_acknowledgement(now);
                self.report(&pdu, None);
            }
            Urc::ReportStored(at) => {
                // Some name another storage than the one in which it lies.
                let memory = self.quirks.reports_in.map_or(at.memory, str::to_owned);
                self.fetches.push_back(Fetch::Select(StoredAt { memory, ..at }, Stored::Report));
            }
            Urc::MessageStored(at) => self.fetches.push_back(Fetch::Select(at, Stored::Message)),
            Urc::Message(pdu) => {
                self.owe_acknowledgement(now);
                self.inbound(&pdu);
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
            // Also in the middle of the bring-up: what was set so far is gone. Text mode is no news before it was left.
            Urc::Booted | Urc::TextMode
                if matches!(self.phase, Phase::Up | Phase::Recovering)
                    || urc == Urc::Booted && matches!(self.phase, Phase::BringUp { .. }) =>
            {
                self.rebooted = true;
                self.acknowledgements.forget();
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
            Urc::StorageFull => {
                self.emit(Event::Notice(
                    "The modem's message storage is full; nothing more comes in until it is emptied",
                ));
            }
            _ => {}
        }
        self.fetches.truncate(MAX_FETCHES);
    }

    /// Nothing is acknowledged in the middle of a send, and some modems hold back until its end what came during it: by
    /// then they may have tired of waiting.
    fn owe_acknowledgement(&mut self, now: Mono) {
        if self.known.acknowledges {
            let late = self.job.is_some() || self.sent.is_some_and(|sent| now < sent + HELD_BACK);
            self.acknowledgements.owe(late);
        }
    }

    /// A report that lies in a storage is deleted there once it is on disk here.
    fn report(&mut self, pdu: &PduHex, stored: Option<StoredAt>) {
        let decoded = pdu::decode_hex(pdu.as_str(), SmscField::Auto);
        match decoded.map(|d| d.tpdu) {
            Ok(Tpdu::StatusReport(report)) => {
                let event = Event::Report {
                    reference: report.message_reference.0,
                    recipient: Secret::new(report.recipient.reveal_digits().unwrap_or_default()),
                    status: report.status.0,
                    verdict: verdict(report.status.verdict()),
                    stored,
                };
                match self.phase {
                    Phase::Up | Phase::Recovering => self.emit(event),
                    _ if self.early.len() < MAX_FETCHES => self.early.push(event),
                    _ => {}
                }
            }
            Ok(_) => self.emit(Event::Notice("A status report was announced, but another kind of PDU came")),
            Err(_) => self.emit(Event::Notice("A status report could not be read")),
        }
    }

    fn inbound(&mut self, pdu: &PduHex) {
        match pdu::decode_hex(pdu.as_str(), SmscField::Auto).map(|d| d.tpdu) {
            Ok(Tpdu::Deliver(deliver)) => self.emit(Event::Inbound {
                from: deliver.originator.to_string(),
                characters: deliver.user_data.text().map_or(0, |text| text.reveal().chars().count()),
            }),
            Ok(Tpdu::StatusReport(_)) => self.report(pdu, None),
            _ => self.emit(Event::Notice("A message came in that could not be read")),
        }
    }

    pub(super) fn fetched(&mut self, fetch: Fetch, reply: &Reply) {
        match fetch {
            // Where another storage is chosen still, the same place holds something else.
            Fetch::Select(..) if !reply.is_ok() => {
                self.emit(Event::Notice("A storage could not be chosen; what was announced stays in it"));
            }
            Fetch::Select(at, what) => self.fetches.push_front(Fetch::Take(at, what)),
            Fetch::Take(_, Stored::Known) => {}
            Fetch::Take(at, what) => {
                let found = response::stored_messages(&reply.lines).into_iter().find_map(|m| m.pdu);
                match found {
                    // Only what really is a report is deleted: some modems announce one and name another message's place.
                    Some(pdu) if what == Stored::Report => self.report(&pdu, Some(at)),
                    Some(pdu) => self.inbound(&pdu),
                    None => self.emit(Event::Notice("A message was announced, but is not where the modem said")),
                }
            }
        }
    }

    /// Begins the next fetch. False if there is none.
    pub(super) fn fetch(&mut self, now: Mono) -> bool {
        while let Some(fetch) = self.fetches.pop_front() {
            let command = match &fetch {
                Fetch::Select(at, _) => Command::use_storages(&[&at.memory]),
                Fetch::Take(at, Stored::Known) => Ok(Command::delete_message(at.index)),
                Fetch::Take(at, _) => Ok(Command::read_message(at.index)),
            };
            // What has no storage's name lies in none.
            if let Ok(command) = command {
                self.ask(now, command, Asked::Fetch(fetch));
                return true;
            }
        }
        false
    }

    /// After a restart another storage is chosen, and another SIM card may be in: what was on disk here stays there.
    pub(super) fn fetch_anew(&mut self) {
        let fetches = std::mem::take(&mut self.fetches).into_iter();
        self.fetches = fetches
            .filter_map(|fetch| match fetch {
                Fetch::Select(at, what) | Fetch::Take(at, what) => {
                    (what != Stored::Known).then_some(Fetch::Select(at, what))
                }
            })
            .collect();
    }
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
