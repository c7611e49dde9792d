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
    /// The form of CNMI that was taken: mode, mt, bm, ds, bfr. `ds` 1 gives `+CDS`, 2 `+CDSI`.
    pub(super) routing: Option<[u8; 5]>,
    /// Phase 2+ is on: what comes directly is to be acknowledged.
    pub(super) acknowledges: bool,
    pub(super) radio: Option<u16>,
    pub(super) circuit: Option<u8>,
    pub(super) packet: Option<u8>,
    pub(super) eps: Option<u8>,
    pub(super) operator: Option<String>,
    pub(super) signal_dbm: Option<i16>,
    pub(super) degraded: Vec<&'static str>,
    /// The SIM card is not there, or can't be read.
    pub(super) card_missing: bool,
    tried_forms: usize,
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
        ask: |known, n| indication_command(known, AS_IT_SAYS, n),
        take: |known, reply| take_indication_form(known, reply, AS_IT_SAYS),
    },
    // The last rung: some modems give reports under phase 2+ only, and then each has to be acknowledged.
    Step {
        name: "phase 2+",
        ask: |known, n| known.routing.is_none().then(|| once(n, || Command::message_service(1)))?,
        take: |known, reply| {
            known.acknowledges = reply.is_ok();
            Next::Step
        },
    },
    Step {
        name: "indications set, phase 2+",
        ask: |known, n| known.acknowledges.then(|| indication_command(known, ACKNOWLEDGED, n))?,
        take: |known, reply| take_indication_form(known, reply, ACKNOWLEDGED),
    },
    Step {
        name: "message service again",
        ask: |known, n| known.routing.is_none().then(|| once(n, || Command::message_service(0)))?,
        take: |known, _| {
            known.acknowledges = false;
            Next::Step
        },
    },
    Step {
        name: "indications set, without reports",
        ask: |known, n| known.routing.is_none().then(|| indication_command(known, WITHOUT_REPORTS, n))?,
        take: |known, reply| take_indication_form(known, reply, WITHOUT_REPORTS),
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

fn take_pin(known: &mut Known, reply: &Reply) -> Next {
    // Where a person has to unlock it, it is there.
    known.card_missing = reply.first().and_then(response::pin_state).is_none();
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
    Next::Step
}

/// Which values of `ds` a rung of the ladder of reports tries, in this order, and whether only those that the modem
/// says it supports.
#[derive(Clone, Copy)]
struct Rung {
    ds: &'static [u8],
    as_it_says: bool,
}

/// Reports directly (`ds=1`), rather than stored (`ds=2`).
const AS_IT_SAYS: Rung = Rung { ds: &[1, 2], as_it_says: true };
/// Under phase 2+. What the modem said it supports, it said without.
const ACKNOWLEDGED: Rung = Rung { ds: &[1], as_it_says: false };
const WITHOUT_REPORTS: Rung = Rung { ds: &[0], as_it_says: false };

/// The forms of CNMI that a rung tries, with mode, mt and bfr from what the modem says it supports. MSM-based modems
/// advertise mode 2 and refuse it.
fn indication_forms(known: &Known, rung: Rung) -> Vec<[u8; 5]> {
    let supports = |field: usize, value: u8| known.indications.as_ref().is_none_or(|all| all[field].contains(&value));
    let bfr = if supports(4, 0) { 0 } else { 1 };
    // A message in a storage waits until it is read; one that comes directly is gone if nobody hears it.
    let mt = [1, 2].into_iter().find(|mt| supports(1, *mt)).unwrap_or(0);
    let mut forms = Vec::new();
    for ds in rung.ds {
        for mode in [2, 1, 3] {
            if supports(0, mode) && (!rung.as_it_says || supports(3, *ds)) {
                forms.push([mode, mt, 0, *ds, bfr]);
            }
        }
    }
    forms
}

fn indication_command(known: &Known, rung: Rung, n: usize) -> Option<Command> {
    indication_forms(known, rung).get(n).map(|form| Command::indications(*form))
}

fn take_indication_form(known: &mut Known, reply: &Reply, rung: Rung) -> Next {
    let forms = indication_forms(known, rung);
    let tried = std::mem::take(&mut known.tried_forms);
    match forms.get(tried) {
        Some(form @ [_, mt, _, ds, _]) if reply.is_ok() => {
            known.routing = Some(*form);
            known.degraded.extend(match mt {
                1 => None,
                2 => Some(NOT_STORED),
                _ => Some(NOT_ANNOUNCED),
            });
            if *ds == 0 { Next::Degraded(NO_REPORTS) } else { Next::Step }
        }
        _ if tried + 1 < forms.len() => {
            known.tried_forms = tried + 1;
            Next::Another
        }
        _ if rung.ds == WITHOUT_REPORTS.ds => Next::Degraded(NO_REPORTS),
        _ => Next::Step,
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
const NOT_STORED: &str =
    "it gives messages that come in directly only (AT+CNMI mt=2), so that one which nobody hears is lost";
const NOT_ANNOUNCED: &str = "it does not tell of messages that come in (AT+CNMI mt=0); they stay in its storage";
const LONGEST_NAME: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn supporting(mode: &[u8], mt: &[u8], ds: &[u8], bfr: &[u8]) -> Known {
        let indications = [mode, mt, &[0], ds, bfr].map(<[u8]>::to_vec);
        Known { indications: Some(indications), ..Known::default() }
    }

    #[test]
    fn reports_are_wanted_directly_before_stored_ones() {
        let all = supporting(&[0, 1, 2], &[0, 1, 2], &[0, 1, 2], &[0, 1]);
        let forms = indication_forms(&all, AS_IT_SAYS);
        assert_eq!(forms, [[2, 1, 0, 1, 0], [1, 1, 0, 1, 0], [2, 1, 0, 2, 0], [1, 1, 0, 2, 0]]);
        let gemalto = supporting(&[0, 1], &[0, 1], &[0, 2], &[1]);
        assert_eq!(indication_forms(&gemalto, AS_IT_SAYS), [[1, 1, 0, 2, 1]]);
        assert_eq!(indication_forms(&gemalto, ACKNOWLEDGED), [[1, 1, 0, 1, 1]], "it may say so under phase 2 only");
        assert_eq!(indication_forms(&gemalto, WITHOUT_REPORTS), [[1, 1, 0, 0, 1]]);
        let silent = indication_forms(&Known::default(), AS_IT_SAYS);
        assert!(!silent.is_empty(), "a modem that tells nothing is tried all the same");
    }

    #[test]
    fn r5_messages_come_directly_only_where_they_cannot_be_announced() {
        let rows: [(&[u8], u8, Option<&str>); 5] = [
            (&[0, 1, 2, 3], 1, None),
            (&[1], 1, None),
            (&[0, 2], 2, Some(NOT_STORED)),
            (&[0, 3], 0, Some(NOT_ANNOUNCED)),
            (&[], 0, Some(NOT_ANNOUNCED)),
        ];
        for (supported, mt, note) in rows {
            let mut known = supporting(&[2], supported, &[0, 1], &[0]);
            assert_eq!(indication_forms(&known, AS_IT_SAYS), [[2, mt, 0, 1, 0]], "{supported:?}");
            let ok = Reply { lines: Vec::new(), end: ReplyEnd::Final(FinalResult::Ok) };
            assert_eq!(take_indication_form(&mut known, &ok, AS_IT_SAYS), Next::Step);
            assert_eq!(known.degraded.first().copied(), note, "{supported:?}");
        }
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
