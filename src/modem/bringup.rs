//! Making a modem ready, as data: what is asked, in which order, and what follows from the answer.
//!
//! Each step says whether sending is possible without it. What is missing and not needed is reported in words as a
//! degraded feature; what is needed and missing is the reason why the modem is not ready.

mod indications;
mod network;
mod service_centre;
mod storages;

use super::quirks::{AcknowledgementForm, Configured, Quirks};
use crate::at::response::{self, PinState, ServiceCentre};
use crate::at::{Command, FinalResult, Reply, ReplyEnd};
use crate::config::SimCardConfig;
use crate::domain::equipment::{Imei, SimCard};
use indications::{ACKNOWLEDGED, AS_IT_SAYS, WITHOUT_REPORTS};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// One step. `ask` gives the command for the nth way of asking; `None` ends the step. `take` reads the answer.
pub(super) struct Step {
    /// For the log.
    pub(super) name: &'static str,
    /// Whether nothing can be sent without it. Only such a step may hold the modem up; the others are gone without.
    pub(super) required: bool,
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
    /// The SIM card is open.
    Open,
    /// The SIM card asks for its PIN.
    Unlock,
    /// The SIM card does not answer.
    Gone(Gone),
}

/// Why a SIM card does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gone {
    /// There is none, as far as the modem sees.
    Absent,
    /// It can't be read.
    Failed,
}

/// What was learned about a modem and its SIM card.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    configured: Configured,
    /// What is said about SIM cards.
    pub(super) cards: Arc<[SimCardConfig]>,
    /// Of this model, once it has said its name.
    pub(super) quirks: Quirks,
    pub(super) manufacturer: Option<String>,
    pub(super) model: Option<String>,
    pub(super) revision: Option<String>,
    pub(super) imei: Option<Imei>,
    pub(super) sim_card: Option<SimCard>,
    /// The question that was answered with it.
    pub(super) card_query: Option<Command>,
    /// Queries that this modem answered with a line of their own.
    pub(super) barriers: Vec<Command>,
    /// What it says that `AT+CPMS` takes.
    pub(super) storages: Option<[Vec<String>; 3]>,
    /// What `AT+CPMS` took: for reading and deleting, for writing, for what comes in; as many as it takes.
    pub(super) chosen_storages: Vec<String>,
    indications: Option<[Vec<u8>; 5]>,
    /// The form of CNMI that was taken: mode, mt, bm, ds, bfr. `ds` 1 gives `+CDS`, 2 `+CDSI`.
    pub(super) routing: Option<[u8; 5]>,
    /// Phase 2+ is on.
    phase_2_plus: bool,
    /// What comes directly is to be acknowledged.
    pub(super) acknowledges: bool,
    /// The service centre's number, as the modem has it.
    pub(super) centre: Option<ServiceCentre>,
    /// The network has refused a message for a reason that a wrong service centre gives.
    pub(super) centre_doubted: bool,
    centre_on_card: Option<String>,
    centre_written: bool,
    record_length: Option<u8>,
    /// What `AT+CGSMS` is to be set to for these SIM cards: their messages go no other way.
    pub(super) bearers: BTreeMap<SimCard, u8>,
    radio: Option<u16>,
    pub(super) circuit: Option<u8>,
    pub(super) packet: Option<u8>,
    pub(super) eps: Option<u8>,
    /// Whether it is registered with IMS, where the modem tells.
    pub(super) ims: Option<bool>,
    /// What the three registrations said when messages failed over them.
    distrusted: Option<[Option<u8>; 3]>,
    /// `<AcT>` of 27.007 §7.3.
    technology: Option<u8>,
    pub(super) operator: Option<String>,
    /// Its network was chosen by hand: it takes no other.
    pub(super) is_selected_by_hand: bool,
    pub(super) signal_dbm: Option<i16>,
    pub(super) degraded: Vec<&'static str>,
    tried_forms: usize,
    refused_pin_queries: u8,
}

/// From the first clean `AT` to a modem that can send. Everything that depends on the radio comes after CFUN, and CFUN
/// before CPIN, since some modems power the SIM card down with the radio. The service centre comes behind all that may
/// clear it.
pub(super) const STEPS: &[Step] = &[
    optional("echo off", |_, n| once(n, Command::echo_off), |_, _| Next::Step),
    optional("results as words", |_, n| once(n, Command::verbose), |_, _| Next::Step),
    optional(
        "errors as numbers",
        |_, n| once(n, Command::numeric_errors),
        |_, reply| {
            or_degraded(reply, "it does not tell error numbers, so that most refusals leave a message uncertain")
        },
    ),
    optional(
        "manufacturer",
        |_, n| once(n, Command::manufacturer),
        |known, reply| keep(&mut known.manufacturer, reply),
    ),
    optional("model", |_, n| once(n, Command::model), take_model),
    optional("revision", |_, n| once(n, Command::revision), |known, reply| keep(&mut known.revision, reply)),
    // Asked again until there is an answer; one that is no IMEI is enough to go on.
    required("IMEI", |_, n| once(n, Command::imei), take_imei),
    optional("less talk", ask_less_talk, |_, _| Next::Another),
    optional("radio", |_, n| once(n, Command::functionality), take_radio),
    required("radio on", |known, n| known.is_radio_off().then(|| once(n, Command::functionality_on))?, take_radio_on),
    required("SIM card", |_, n| once(n, Command::pin_state), take_pin),
    optional("ICCID", ask_iccid, take_iccid),
    required("IMSI", |known, n| known.needs_imsi().then(|| once(n, Command::imsi))?, take_imsi),
    required(
        "PDU mode",
        |_, n| once(n, Command::pdu_mode),
        |_, reply| match reply.is_ok() {
            true => Next::Step,
            false => Next::Again(Duration::from_secs(5), NO_PDU_MODE),
        },
    ),
    optional(
        "message format",
        |_, n| once(n, Command::message_format),
        |known, reply| barrier(known, reply, Command::message_format),
    ),
    // Another program may have left one in which numbers and names mean something else.
    optional(
        "character set",
        |_, n| CHARACTER_SETS.get(n).map(|set| Command::use_character_set(set)),
        |_, reply| match is_not_supported(reply) {
            true => Next::Another,
            false => Next::Step,
        },
    ),
    optional("character set state", |_, n| once(n, Command::character_set), take_character_set),
    // Phase 2+ would want every report acknowledged within seconds, or the modem stops giving them.
    optional("message service", |_, n| once(n, || Command::message_service(0)), |_, _| Next::Step),
    optional(
        "message service state",
        |_, n| once(n, Command::message_service_state),
        |known, reply| barrier(known, reply, Command::message_service_state),
    ),
    optional("storages", |_, n| once(n, Command::storages_supported), storages::take_supported),
    optional("storages chosen", storages::command, storages::take),
    optional("indications", |_, n| once(n, Command::indications_supported), take_indications),
    optional(
        "indications set",
        |known, n| indications::command(known, AS_IT_SAYS, n),
        |known, reply| indications::take(known, reply, AS_IT_SAYS),
    ),
    // The last rung: some modems give reports under phase 2+ only, and then each has to be acknowledged.
    optional(
        "phase 2+",
        |known, n| {
            let worth = known.routing.is_none() && known.quirks.gives_reports;
            worth.then(|| once(n, || Command::message_service(1)))?
        },
        |known, reply| {
            known.phase_2_plus = reply.is_ok();
            Next::Step
        },
    ),
    optional(
        "indications set, phase 2+",
        |known, n| known.phase_2_plus.then(|| indications::command(known, ACKNOWLEDGED, n))?,
        |known, reply| {
            let next = indications::take(known, reply, ACKNOWLEDGED);
            known.acknowledges = known.routing.is_some() && known.quirks.acknowledgement != AcknowledgementForm::Never;
            next
        },
    ),
    optional(
        "message service again",
        |known, n| known.routing.is_none().then(|| once(n, || Command::message_service(0)))?,
        |known, _| {
            known.phase_2_plus = false;
            Next::Step
        },
    ),
    optional(
        "indications set, without reports",
        |known, n| known.routing.is_none().then(|| indications::command(known, WITHOUT_REPORTS, n))?,
        |known, reply| indications::take(known, reply, WITHOUT_REPORTS),
    ),
    optional("bearer", ask_bearer, |_, _| Next::Step),
    optional("service centre", |_, n| once(n, Command::service_centre), service_centre::take),
    optional("length of the card's parameters", service_centre::ask_length, service_centre::take_length),
    optional("the card's parameters", service_centre::ask_parameters, service_centre::take_parameters),
    optional("service centre set", service_centre::ask_set, service_centre::take_set),
    optional("service centre set, as it says", service_centre::ask_verify, service_centre::take_verify),
    optional("registration news", |_, n| once(n, || Command::registration_news(1)), |_, _| Next::Step),
    optional("packet registration news", |_, n| once(n, || Command::packet_registration_news(1)), |_, _| Next::Step),
    optional("EPS registration news", |_, n| once(n, || Command::eps_registration_news(1)), |_, _| Next::Step),
    optional("registration", |_, n| once(n, Command::registration), network::take_circuit),
    optional("packet registration", |_, n| once(n, Command::packet_registration), network::take_packet),
    optional("EPS registration", |_, n| once(n, Command::eps_registration), network::take_eps),
    optional("IMS", ask_ims, network::take_ims),
    optional("operator", |_, n| once(n, Command::operator), network::take_operator),
    optional("signal", |_, n| once(n, Command::signal), network::take_signal),
];

/// What is asked of an idle modem, in turn: proof of life, and what the board shows.
pub(super) const HEARTBEAT: &[&str] =
    &["registration", "packet registration", "EPS registration", "IMS", "operator", "signal"];

type Ask = fn(&Known, usize) -> Option<Command>;
type Take = fn(&mut Known, &Reply) -> Next;

const fn required(name: &'static str, ask: Ask, take: Take) -> Step {
    Step { name, required: true, ask, take }
}

const fn optional(name: &'static str, ask: Ask, take: Take) -> Step {
    Step { name, required: false, ask, take }
}

impl Known {
    /// Nothing yet, but what the configuration says.
    pub(super) fn new(configured: Configured, cards: Arc<[SimCardConfig]>) -> Self {
        Self { configured, cards, quirks: configured.over(None, None), ..Self::default() }
    }

    /// Whether it tells its message format when it is asked.
    pub(super) fn tells_format(&self) -> bool {
        self.barriers.contains(&Command::message_format())
    }

    /// What is said about the SIM card that is in it.
    pub(super) fn card_settings(&self) -> Option<&SimCardConfig> {
        self.cards.iter().find(|card| Some(&card.iccid) == self.sim_card.as_ref())
    }

    /// Features that it does not have now, in words.
    pub(super) fn missing(&self) -> Vec<&'static str> {
        let centre = service_centre::nothing_found(self).then_some(service_centre::MISSING);
        self.degraded.iter().copied().chain(centre).chain(self.advice()).collect()
    }

    /// For want of an ICCID; or to see whether the card is open, where the query for that is not known.
    fn needs_imsi(&self) -> bool {
        self.sim_card.is_none() || self.refused_pin_queries >= PIN_QUERIES
    }

    fn is_radio_off(&self) -> bool {
        self.radio.is_some_and(|level| level != 1)
    }
}

fn once(n: usize, command: impl Fn() -> Command) -> Option<Command> {
    (n == 0).then(command)
}

/// 27.007 §9.2, and what modems were seen to say instead: the command, or this form of it, does not exist here.
fn is_not_supported(reply: &Reply) -> bool {
    use FinalResult::{Cme, Error, NotSupported, TooManyParameters};
    let ReplyEnd::Final(result) = reply.end else { return false };
    matches!(result, Error | NotSupported | TooManyParameters | Cme(Some(3 | 4 | 50 | 100)))
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

fn take_model(known: &mut Known, reply: &Reply) -> Next {
    let next = keep(&mut known.model, reply);
    known.quirks = known.configured.over(known.manufacturer.as_deref(), known.model.as_deref());
    next
}

/// What its row wants said. A line that is refused does no harm.
fn ask_less_talk(known: &Known, n: usize) -> Option<Command> {
    known.quirks.quiet.get(n).and_then(|text| Command::raw(text, Duration::from_secs(5)).ok())
}

fn ask_iccid(known: &Known, n: usize) -> Option<Command> {
    let (known_to_work, others): (Vec<_>, Vec<_>) =
        Command::iccid_variants().into_iter().partition(|way| Some(way.text()) == known.quirks.iccid);
    known_to_work.into_iter().chain(others).nth(n)
}

fn ask_ims(known: &Known, n: usize) -> Option<Command> {
    let query = known.quirks.ims?;
    Command::raw(query.text, Duration::from_secs(5)).ok().filter(|_| n == 0)
}

fn ask_bearer(known: &Known, n: usize) -> Option<Command> {
    let bearer = known.bearers.get(known.sim_card.as_ref()?)?;
    once(n, || Command::use_bearer(*bearer))
}

fn take_radio(known: &mut Known, reply: &Reply) -> Next {
    known.radio = reply.first().and_then(response::first_number);
    Next::Step
}

/// It may take a minute, and answer that it is busy meanwhile.
fn take_radio_on(known: &mut Known, reply: &Reply) -> Next {
    match reply.end {
        ReplyEnd::Final(FinalResult::Ok) => Next::Step,
        ReplyEnd::Final(FinalResult::Cme(Some(14 | 515))) => Next::Again(Duration::from_secs(2), "its radio goes on"),
        // Of the levels between on and off each maker has his own; some send in one of them.
        ReplyEnd::Final(_) if !matches!(known.radio, Some(0 | 4)) => Next::Step,
        _ => Next::Again(Duration::from_secs(5), "its radio is off and does not go on (AT+CFUN=1)"),
    }
}

fn take_character_set(known: &mut Known, reply: &Reply) -> Next {
    let set = reply.first().filter(|_| reply.is_ok()).map(response::first_value);
    if let Some(set) = set {
        known.barriers.push(Command::character_set());
        if !CHARACTER_SETS.iter().any(|known| known.eq_ignore_ascii_case(set)) {
            return Next::Degraded(OTHER_CHARACTER_SET);
        }
    }
    Next::Step
}

macro_rules! cme {
    ($numbers:pat) => {
        ReplyEnd::Final(FinalResult::Cme(Some($numbers)))
    };
}

fn take_pin(known: &mut Known, reply: &Reply) -> Next {
    let soon = Duration::from_secs(2);
    let later = Duration::from_secs(30);
    match (reply.first().and_then(response::pin_state), reply.end) {
        // PIN2 and PUK2 are for fixed dialling and call charges.
        (Some(PinState::Ready | PinState::Second), _) | (None, cme!(17 | 18)) => Next::Open,
        (Some(PinState::Pin), _) | (None, cme!(11)) => Next::Unlock,
        (Some(PinState::Puk), _) | (None, cme!(12)) => Next::Again(later, ASKS_FOR_PUK),
        (Some(PinState::Locked), _) | (None, cme!(5..=7)) => Next::Again(later, LOCKED_TO_CARD),
        (Some(PinState::NetworkLocked), _) | (None, cme!(40..=47)) => Next::Again(later, LOCKED_TO_NETWORK),
        (None, cme!(15)) => Next::Again(later, WRONG_CARD),
        (Some(PinState::NotReady), _) | (None, cme!(10)) => Next::Gone(Gone::Absent),
        (None, cme!(0 | 13)) => Next::Gone(Gone::Failed),
        // Whoever does not know the question tells by ICCID or IMSI whether there is a card. One that has just booted may
        // say the same for a while.
        _ if is_not_supported(reply) && known.refused_pin_queries >= PIN_QUERIES => Next::Step,
        // Modems that have just booted answer 14 (busy) for up to 40 s.
        _ if is_not_supported(reply) => {
            known.refused_pin_queries += 1;
            Next::Again(soon, NOT_READY_YET)
        }
        _ => Next::Again(soon, NOT_READY_YET),
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
            known.sim_card.get_or_insert_with(|| SimCard::new(imsi));
            Next::Step
        }
        None if matches!(reply.end, cme!(11)) => Next::Again(Duration::from_secs(30), PIN_NOT_TOLD),
        None if matches!(reply.end, cme!(12)) => Next::Again(Duration::from_secs(30), ASKS_FOR_PUK),
        None if known.sim_card.is_some() => Next::Step,
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

/// In which numbers and codes are what they look like.
const CHARACTER_SETS: &[&str] = &["GSM", "IRA"];
const OTHER_CHARACTER_SET: &str =
    "its character set stays what another program has set (AT+CSCS), so that names and service codes may be garbled";
const NO_PDU_MODE: &str = "it does not take messages as PDUs (AT+CMGF=0); is this its AT port?";
/// Refused queries for the PIN, 2 s apart, until the modem is believed not to know it.
const PIN_QUERIES: u8 = 20;
/// What only a person can give the SIM card of a modem that does not know the query for the PIN.
pub(super) const FOR_A_PERSON: &[&str] = &[PIN_NOT_TOLD, ASKS_FOR_PUK];
pub(super) const PIN_NOT_TOLD: &str = "the SIM card asks for its PIN, and this modem does not say so when it is asked (AT+CPIN?), so \
                                       that none is typed; switch the PIN off in a phone";
pub(super) const NOT_READY_YET: &str = "the SIM card is not ready yet";
const ASKS_FOR_PUK: &str = "the SIM card is blocked and asks for its PUK, which otpgate never types; its operator tells the PUK: \
                            enter it in a phone, with a new PIN";
const LOCKED_TO_CARD: &str =
    "the modem is locked to another SIM card (PH-SIM PIN); put that one in, or have the seller unlock the modem";
const LOCKED_TO_NETWORK: &str = "the modem is locked to another network (PH-NET PIN or its kin); use a card of that network, or have \
                                 the modem unlocked by who sold it";
const WRONG_CARD: &str = "the modem does not take this SIM card (error 15, wrong card); put in the one that it is meant for, or try \
                          this one in a phone";
const LONGEST_NAME: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(end: ReplyEnd) -> Reply {
        Reply { lines: Vec::new(), end }
    }

    /// What a modem refuses, in whichever words, or does not answer, can't keep it from sending unless it is needed.
    #[test]
    fn t7_only_a_required_step_holds_a_modem_up() {
        use FinalResult::{Cme, Error, NotSupported, TooManyParameters};
        let refusals =
            [Error, NotSupported, TooManyParameters, Cme(Some(3)), Cme(Some(4)), Cme(Some(50)), Cme(Some(100))];
        let ends = refusals.map(ReplyEnd::Final).into_iter().chain([ReplyEnd::TimedOut]);
        let replies: Vec<_> = ends.map(ended).collect();
        for step in STEPS {
            let waits = |reply: &&Reply| matches!((step.take)(&mut Known::default(), reply), Next::Again(..));
            // The radio is needed where it was said to be off.
            let off = |reply: &&Reply| {
                let mut known = Known { radio: Some(4), ..Known::default() };
                matches!((step.take)(&mut known, reply), Next::Again(..))
            };
            let held = replies.iter().any(|reply| waits(&reply) || off(&reply));
            assert_eq!(held, step.required, "{}", step.name);
        }
    }

    #[test]
    fn t9_a_modem_that_does_not_know_the_pin_query_is_asked_for_its_card_after_40_seconds() {
        let mut known = Known::default();
        let refused = ended(ReplyEnd::Final(FinalResult::Cme(Some(100))));
        let waited: u64 = std::iter::from_fn(|| match take_pin(&mut known, &refused) {
            Next::Again(pause, _) => Some(pause.as_secs()),
            _ => None,
        })
        .sum();
        assert_eq!(waited, 40);
        assert_eq!(take_pin(&mut known, &refused), Next::Step);
        let busy = ended(ReplyEnd::Final(FinalResult::Cme(Some(14))));
        assert!(matches!(take_pin(&mut known, &busy), Next::Again(..)), "busy is an answer of one that knows it");
    }

    #[test]
    fn l8_the_radio_goes_on_in_its_own_time() {
        let mut off = Known { radio: Some(4), ..Known::default() };
        assert!(off.is_radio_off());
        for code in [14, 515] {
            let busy = ended(ReplyEnd::Final(FinalResult::Cme(Some(code))));
            assert_eq!(take_radio_on(&mut off, &busy), Next::Again(Duration::from_secs(2), "its radio goes on"));
        }
        let refused = ended(ReplyEnd::Final(FinalResult::Error));
        assert!(matches!(take_radio_on(&mut off, &refused), Next::Again(..)));
        let mut own = Known { radio: Some(5), ..Known::default() };
        assert_eq!(take_radio_on(&mut own, &refused), Next::Step, "a level of its maker's own is tried as it is");
        assert_eq!(Command::functionality_on().deadline, Duration::from_secs(60));
    }

    #[test]
    fn the_query_for_the_iccid_that_a_model_is_known_to_answer_comes_first() {
        let quirks = Quirks::of(Some("Telit"), None);
        let known = Known { quirks, ..Known::default() };
        let all: Vec<_> = (0..).map_while(|n| ask_iccid(&known, n)).map(|c| c.text().to_owned()).collect();
        assert_eq!((all[0].as_str(), all[1].as_str()), ("AT#CCID", "AT+CCID"));
        assert_eq!(all.len(), Command::iccid_variants().len());
    }

    #[test]
    fn every_heartbeat_is_a_step() {
        for name in HEARTBEAT {
            assert!(STEPS.iter().any(|step| step.name == *name), "{name}");
        }
    }
}
