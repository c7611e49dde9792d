//! Making a modem ready, as data: what is asked, in which order, and what follows from the answer.
//!
//! Each step says whether sending is possible without it. What is missing and not needed is reported in words as a
//! degraded feature; what is needed and missing is the reason why the modem is not ready.

use crate::at::response::{self, PinState};
use crate::at::{Command, FinalResult, Reply, ReplyEnd};
use crate::domain::equipment::{Imei, SimCard};
use std::time::Duration;

/// One step. `ask` gives the command for the nth way of asking; `None` ends the step. `take` reads the answer.
pub(super) struct Step {
    /// For the log.
    pub(super) name: &'static str,
    pub(super) ask: fn(&Known, usize) -> Option<Command>,
    pub(super) take: fn(&mut Known, &Reply) -> Next,
}

/// What follows from an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The next step.
    Step,
    /// The next way of asking.
    Another,
    /// The same again, after a pause; in words, why.
    Again(Duration, &'static str),
    /// Sending is possible without it.
    Degraded(&'static str),
}

/// What was learned about a modem and its SIM card.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    pub(super) manufacturer: Option<String>,
    pub(super) model: Option<String>,
    pub(super) revision: Option<String>,
    pub(super) imei: Option<Imei>,
    pub(super) sim_card: Option<SimCard>,
    /// Queries that this modem answered with a line of their own.
    pub(super) barriers: Vec<Command>,
    pub(super) indications: Option<[Vec<u8>; 5]>,
    /// The `ds` of the form of CNMI that was taken: 1 gives `+CDS`, 2 `+CDSI`.
    pub(super) reports_by: Option<u8>,
    pub(super) radio: Option<u16>,
    pub(super) circuit: Option<u8>,
    pub(super) packet: Option<u8>,
    pub(super) eps: Option<u8>,
    pub(super) operator: Option<String>,
    pub(super) signal_dbm: Option<i16>,
    pub(super) degraded: Vec<&'static str>,
    tried_indications: usize,
}

/// From the first clean `AT` to a modem that can send. Everything that depends on the radio comes after CFUN, and CFUN
/// before CPIN, since some modems power the SIM card down with the radio.
pub(super) const STEPS: &[Step] = &[
    Step { name: "echo off", ask: |_, n| once(n, Command::echo_off), take: |_, _| Next::Step },
    Step { name: "results as words", ask: |_, n| once(n, Command::verbose), take: |_, _| Next::Step },
    Step {
        name: "errors as numbers",
        ask: |_, n| once(n, Command::numeric_errors),
        take: |_, reply| {
            or_degraded(reply, "it does not tell error numbers, so that most refusals leave a message uncertain")
        },
    },
    Step {
        name: "manufacturer",
        ask: |_, n| once(n, Command::manufacturer),
        take: |known, reply| keep(&mut known.manufacturer, reply),
    },
    Step { name: "model", ask: |_, n| once(n, Command::model), take: |known, reply| keep(&mut known.model, reply) },
    Step {
        name: "revision",
        ask: |_, n| once(n, Command::revision),
        take: |known, reply| keep(&mut known.revision, reply),
    },
    Step { name: "IMEI", ask: |_, n| once(n, Command::imei), take: take_imei },
    Step { name: "radio", ask: |_, n| once(n, Command::functionality), take: take_radio },
    Step {
        name: "radio on",
        ask: |known, n| {
            (known.radio == Some(0) || known.radio == Some(4)).then(|| once(n, Command::functionality_on))?
        },
        take: |_, reply| match reply.is_ok() {
            true => Next::Step,
            false => Next::Again(Duration::from_secs(5), "its radio is off and does not go on (AT+CFUN=1)"),
        },
    },
    Step { name: "SIM card", ask: |_, n| once(n, Command::pin_state), take: take_pin },
    Step { name: "ICCID", ask: |_, n| Command::iccid_variants().into_iter().nth(n), take: take_iccid },
    Step { name: "IMSI", ask: |known, n| known.sim_card.is_none().then(|| once(n, Command::imsi))?, take: take_imsi },
    Step {
        name: "PDU mode",
        ask: |_, n| once(n, Command::pdu_mode),
        take: |_, reply| match reply.is_ok() {
            true => Next::Step,
            false => Next::Again(
                Duration::from_secs(5),
                "it does not take messages as PDUs (AT+CMGF=0); is this its AT port?",
            ),
        },
    },
    Step {
        name: "message format",
        ask: |_, n| once(n, Command::message_format),
        take: |known, reply| barrier(known, reply, Command::message_format),
    },
    Step {
        name: "character set",
        ask: |_, n| once(n, Command::character_set),
        take: |known, reply| barrier(known, reply, Command::character_set),
    },
    // Phase 2+ would want every report acknowledged within seconds, or the modem stops giving them.
    Step { name: "message service", ask: |_, n| once(n, || Command::message_service(0)), take: |_, _| Next::Step },
    Step {
        name: "message service state",
        ask: |_, n| once(n, Command::message_service_state),
        take: |known, reply| barrier(known, reply, Command::message_service_state),
    },
    Step { name: "indications", ask: |_, n| once(n, Command::indications_supported), take: take_indications },
    Step {
        name: "indications set",
        ask: |known, n| indication_forms(known).get(n).map(|form| Command::indications(*form)),
        take: take_indication_form,
    },
    Step {
        name: "service centre",
        ask: |_, n| once(n, Command::service_centre),
        take: |_, reply| match reply.first().and_then(response::service_centre) {
            Some(_) => Next::Step,
            None => Next::Degraded(
                "no service centre number is set (AT+CSCA); if sends fail with 330, set it with AT+CSCA=\"+…\"",
            ),
        },
    },
    Step { name: "registration news", ask: |_, n| once(n, || Command::registration_news(1)), take: |_, _| Next::Step },
    Step { name: "registration", ask: |_, n| once(n, Command::registration), take: take_circuit },
    Step { name: "packet registration", ask: |_, n| once(n, Command::packet_registration), take: take_packet },
    Step { name: "EPS registration", ask: |_, n| once(n, Command::eps_registration), take: take_eps },
    Step { name: "operator", ask: |_, n| once(n, Command::operator), take: take_operator },
    Step { name: "signal", ask: |_, n| once(n, Command::signal), take: take_signal },
];

/// What is asked of an idle modem, in turn: proof of life, and what the board shows.
pub(super) const HEARTBEAT: &[&str] =
    &["registration", "packet registration", "EPS registration", "operator", "signal"];

impl Known {
    /// Whether a message can be sent by what the registrations say: circuit switched (home, roaming, or for messages
    /// only); failing that packet or EPS registration, which is worth a try. `None` if no registration is usable.
    pub(super) fn registration(&self) -> Option<&'static str> {
        let usable = |state: Option<u8>| matches!(state, Some(1 | 5 | 6 | 7 | 9 | 10));
        match self.circuit {
            Some(1 | 9) => Some("registered at home"),
            Some(5 | 10) => Some("registered, roaming"),
            Some(6) => Some("registered at home, for messages only"),
            Some(7) => Some("registered, roaming, for messages only"),
            _ if usable(self.eps) || usable(self.packet) => Some("registered for data only; messages may fail"),
            _ => None,
        }
    }

    /// Why it is not registered, in words.
    pub(super) fn unregistered(&self) -> &'static str {
        match self.circuit {
            Some(2) => "it is looking for a network; check antenna and place",
            Some(3) => "the network refused the SIM card: blocked, unpaid, or not allowed to roam here",
            Some(8) => "the network allows emergency calls only",
            Some(11) => "it is attached for emergency services only",
            _ => "it is not registered with a network; check SIM card, antenna and place",
        }
    }
}

fn once(n: usize, command: impl Fn() -> Command) -> Option<Command> {
    (n == 0).then(command)
}

fn or_degraded(reply: &Reply, words: &'static str) -> Next {
    if reply.is_ok() { Next::Step } else { Next::Degraded(words) }
}

fn keep(slot: &mut Option<String>, reply: &Reply) -> Next {
    if let Some(line) = reply.first().filter(|_| reply.is_ok()) {
        let text = if line.starts_with('+') { response::first_value(line) } else { line };
        *slot = Some(text.trim().trim_matches('"').chars().take(LONGEST_NAME).collect());
    }
    Next::Step
}

fn take_imei(known: &mut Known, reply: &Reply) -> Next {
    match reply.lines.iter().find_map(|line| response::imei(line.as_str())) {
        Some(imei) if imei.valid => {
            known.imei = Some(Imei::new(imei.digits));
            Next::Step
        }
        _ if matches!(reply.end, ReplyEnd::Final(_)) => {
            Next::Degraded("it tells no valid IMEI; it is known by its port instead")
        }
        _ => Next::Again(Duration::from_secs(2), "it does not tell its IMEI (AT+CGSN)"),
    }
}

fn take_radio(known: &mut Known, reply: &Reply) -> Next {
    known.radio = reply.first().and_then(response::first_number);
    Next::Step
}

fn take_pin(_: &mut Known, reply: &Reply) -> Next {
    let soon = Duration::from_secs(2);
    let later = Duration::from_secs(30);
    match (reply.first().and_then(response::pin_state), reply.end) {
        (Some(PinState::Ready | PinState::Second), _) => Next::Step,
        (Some(PinState::Pin), _) => Next::Again(later, "the SIM card asks for its PIN; switch the PIN off in a phone"),
        (Some(PinState::Puk), _) => Next::Again(later, "the SIM card asks for its PUK; unlock it in a phone"),
        (Some(PinState::Locked), _) => Next::Again(later, "the modem is locked to another SIM card or network"),
        (_, ReplyEnd::Final(FinalResult::Cme(Some(10)))) => Next::Again(later, "there is no SIM card in it"),
        (_, ReplyEnd::Final(FinalResult::Cme(Some(13 | 15)))) => {
            Next::Again(later, "the SIM card can't be read; take it out and put it in again")
        }
        // Modems that have just booted answer 14 (busy) for up to 40 s.
        _ => Next::Again(soon, "the SIM card is not ready yet"),
    }
}

fn take_iccid(known: &mut Known, reply: &Reply) -> Next {
    match reply.lines.iter().find_map(|line| response::iccid(line.as_str())) {
        Some(iccid) => {
            known.sim_card = Some(SimCard::new(iccid));
            Next::Step
        }
        None => Next::Another,
    }
}

fn take_imsi(known: &mut Known, reply: &Reply) -> Next {
    match reply.lines.iter().find_map(|line| response::imsi(line.as_str())) {
        Some(imsi) => {
            known.sim_card = Some(SimCard::new(imsi));
            Next::Step
        }
        None => Next::Again(Duration::from_secs(5), "the SIM card tells neither ICCID nor IMSI"),
    }
}

fn barrier(known: &mut Known, reply: &Reply, query: fn() -> Command) -> Next {
    if reply.is_ok() && reply.first().is_some() {
        known.barriers.push(query());
    }
    Next::Step
}

fn take_indications(known: &mut Known, reply: &Reply) -> Next {
    known.indications = reply.first().and_then(response::indications_supported);
    known.tried_indications = 0;
    Next::Step
}

/// The forms of CNMI to try: every one that gives reports directly (ds=1) before any that stores them (ds=2), with
/// mode and bfr from what the modem says it supports. MSM-based modems advertise mode 2 and refuse it.
fn indication_forms(known: &Known) -> Vec<[u8; 5]> {
    let supports = |field: usize, value: u8| known.indications.as_ref().is_none_or(|all| all[field].contains(&value));
    let bfr = if supports(4, 0) { 0 } else { 1 };
    let mut forms = Vec::new();
    for ds in [1, 2, 0] {
        for mode in [2, 1, 3] {
            if supports(0, mode) && supports(3, ds) {
                forms.push([mode, if supports(1, 1) { 1 } else { 0 }, 0, ds, bfr]);
            }
        }
    }
    forms
}

fn take_indication_form(known: &mut Known, reply: &Reply) -> Next {
    let form = indication_forms(known).get(known.tried_indications).copied();
    known.tried_indications += 1;
    match form {
        Some([.., ds, _]) if reply.is_ok() => {
            known.reports_by = Some(ds);
            if ds == 0 { Next::Degraded(NO_REPORTS) } else { Next::Step }
        }
        _ if known.tried_indications < indication_forms(known).len() => Next::Another,
        _ => Next::Degraded(NO_REPORTS),
    }
}

pub(super) fn take_circuit(known: &mut Known, reply: &Reply) -> Next {
    known.circuit = reply.first().and_then(response::registration).map(|r| r.status);
    Next::Step
}

fn take_packet(known: &mut Known, reply: &Reply) -> Next {
    known.packet = reply.first().and_then(response::registration).map(|r| r.status);
    Next::Step
}

fn take_eps(known: &mut Known, reply: &Reply) -> Next {
    known.eps = reply.first().and_then(response::registration).map(|r| r.status);
    Next::Step
}

fn take_operator(known: &mut Known, reply: &Reply) -> Next {
    let name = reply.first().and_then(response::operator).and_then(|o| o.name);
    known.operator = name.map(|n| n.chars().take(LONGEST_NAME).collect());
    Next::Step
}

fn take_signal(known: &mut Known, reply: &Reply) -> Next {
    let rssi = reply.first().and_then(response::signal).and_then(|s| s.rssi);
    known.signal_dbm = rssi.map(|n| -113 + 2 * i16::from(n));
    Next::Step
}

const NO_REPORTS: &str = "it gives no status reports (AT+CNMI), so that delivery is never confirmed";
const LONGEST_NAME: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_wanted_directly_before_stored_ones() {
        let all = Known {
            indications: Some([vec![0, 1, 2], vec![0, 1, 2], vec![0], vec![0, 1, 2], vec![0, 1]]),
            ..Known::default()
        };
        let forms = indication_forms(&all);
        assert_eq!(forms[0], [2, 1, 0, 1, 0]);
        assert_eq!(forms[1], [1, 1, 0, 1, 0]);
        assert_eq!(forms[2], [2, 1, 0, 2, 0]);
        let gemalto =
            Known { indications: Some([vec![0, 1], vec![0, 1], vec![0], vec![0, 2], vec![1]]), ..Known::default() };
        assert_eq!(indication_forms(&gemalto), [[1, 1, 0, 2, 1], [1, 1, 0, 0, 1]]);
        assert!(!indication_forms(&Known::default()).is_empty(), "a modem that tells nothing is tried all the same");
    }

    #[test]
    fn circuit_switched_registration_counts_first() {
        let known = |circuit, packet, eps| Known { circuit, packet, eps, ..Known::default() };
        let rows = [
            (known(Some(1), None, None), true),
            (known(Some(5), None, None), true),
            (known(Some(6), None, None), true),
            (known(Some(0), Some(5), None), true),
            (known(Some(3), None, Some(1)), true),
            (known(Some(0), Some(0), Some(0)), false),
            (known(Some(2), None, None), false),
            (known(Some(3), None, None), false),
            (known(Some(8), None, None), false),
            (known(Some(11), None, Some(11)), false),
            (known(None, None, None), false),
        ];
        for (known, usable) in rows {
            assert_eq!(known.registration().is_some(), usable, "{known:?}");
        }
    }

    #[test]
    fn every_heartbeat_is_a_step() {
        for name in HEARTBEAT {
            assert!(STEPS.iter().any(|step| step.name == *name), "{name}");
        }
    }
}
