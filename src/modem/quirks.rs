//! What is special about models: rows, each with its evidence. With `quirks/rows.rs` the only place that names a
//! manufacturer: whoever wants to know something asks the row, not the name.

mod rows;

use crate::domain::reason::Meaning;
use rows::ROWS;
use std::time::Duration;

/// What may differ from modem to modem. What no row says is a careful default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quirks {
    /// Whether it is our own virtual modem, with no plan and no network behind its SIM card.
    pub is_virtual: bool,
    /// The row's name, for people.
    pub name: &'static str,
    /// Where what the row says comes from, in words.
    pub evidence: &'static str,
    /// From the prompt to the PDU: a stick that gets it too soon answers it in the next command.
    pub prompt_delay: Duration,
    /// From a final result to the next command.
    pub command_gap: Duration,
    /// Whether what it does is remembered, and what it bears is tried out.
    pub learns: bool,
    /// Commands that make it talk less, or talk on this port. Each may be refused without harm.
    pub quiet: &'static [&'static str],
    /// `<mode>` of `AT+CNMI` (27.005 §3.4.1), in the order to try them.
    pub indication_modes: &'static [u8],
    /// How reports and messages that come directly are acknowledged under phase 2+.
    pub acknowledgement: AcknowledgementForm,
    /// Whether it was seen to hang on `AT+CMGL`, so that its storages are not to be listed.
    pub cmgl_hangs: bool,
    /// What to ask for the tries that are left for the PIN, in the order to try it.
    pub pin_counters: &'static [NumberQuery],
    /// How a service code is written into `AT+CUSD`.
    pub ussd: UssdForm,
    /// From a restart to the moment at which it answers and has read its SIM card.
    pub boot_time: Duration,
    /// The commands of the rungs that restart it.
    pub reset: Reset,
    /// Whether a restart by command brings it up as something else (a storage, row L3), so that it may not come back.
    pub reset_changes_mode: bool,
    /// The query for the ICCID that it is known to answer, to be asked before the others.
    pub iccid: Option<&'static str>,
    /// Whether it can give status reports at all.
    pub gives_reports: bool,
    /// The storage in which reports lie, whatever `+CDSI:` says.
    pub reports_in: Option<&'static str>,
    /// What to ask whether it is registered with IMS, over which LTE carries messages too.
    pub ims: Option<NumberQuery>,
    /// Whether it bears being asked for the modes of its ports.
    pub tells_port_modes: bool,
    /// The `+CMS ERROR` numbers of its maker's own that say that nothing was sent, by what they mean. All others leave it
    /// open.
    pub refusals: &'static [(Meaning, &'static [u16])],
}

/// The form in which a report or message is acknowledged (27.005 §3.4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcknowledgementForm {
    /// `AT+CNMA`, and if that is refused `AT+CNMA=0`.
    Plain,
    /// `AT+CNMA=0`, and if that is refused `AT+CNMA`.
    Numbered,
    /// Not at all, also under phase 2+.
    Never,
}

/// How a service code is written into `AT+CUSD`, and its answer read where the answer does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UssdForm {
    /// As text, in the character set of `AT+CSCS`.
    Text,
    /// As packed GSM-7 septets in hexadecimal.
    PackedHex,
    /// As UCS-2 in hexadecimal.
    Ucs2Hex,
}

/// A query whose answer has a number in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NumberQuery {
    /// The command line.
    pub text: &'static str,
    /// Which value of the answer's first line it is, from 0.
    pub field: usize,
}

/// The commands that switch the radio off and on and restart the modem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reset {
    /// Radio off.
    pub radio_off: &'static str,
    /// Radio on.
    pub radio_on: &'static str,
    /// A restart; the next if one is refused.
    pub restart: &'static [&'static str],
}

/// What the configuration says about one modem; it wins over the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Configured {
    /// From the prompt to the PDU.
    pub prompt_delay: Option<Duration>,
    /// From a final result to the next command.
    pub command_gap: Option<Duration>,
}

impl Configured {
    /// The quirks of a modem that names itself so in `+CGMI` and `+CGMM`, or of one that has not said yet.
    pub fn over(self, manufacturer: Option<&str>, model: Option<&str>) -> Quirks {
        let known = Quirks::of(manufacturer, model);
        Quirks {
            prompt_delay: self.prompt_delay.unwrap_or(known.prompt_delay),
            command_gap: self.command_gap.unwrap_or(known.command_gap),
            ..known
        }
    }
}

impl Quirks {
    /// The first row that fits these names.
    pub fn of(manufacturer: Option<&str>, model: Option<&str>) -> Self {
        let manufacturer = plain(manufacturer.unwrap_or_default());
        let model = plain(model.unwrap_or_default());
        ROWS.iter().find(|row| row.fits(&manufacturer, &model)).map_or(ANY, |row| row.quirks)
    }

    /// What the maker means by this `+CMS ERROR` number, if it is one of the maker's own that says that nothing was sent.
    pub fn meaning(&self, number: u16) -> Option<Meaning> {
        self.refusals.iter().find(|(_, numbers)| numbers.contains(&number)).map(|(meaning, _)| *meaning)
    }
}

impl Default for Quirks {
    fn default() -> Self {
        ANY
    }
}

/// One row: who it is about, and what is so.
struct Row {
    /// How `+CGMI` begins, in small letters and digits. One of them.
    manufacturer: &'static [&'static str],
    /// How `+CGMM` begins, without the manufacturer's name. None: whatever it says.
    models: &'static [&'static str],
    quirks: Quirks,
}

impl Row {
    fn fits(&self, manufacturer: &str, model: &str) -> bool {
        let model = self.manufacturer.iter().find_map(|name| model.strip_prefix(name)).unwrap_or(model);
        self.manufacturer.iter().any(|name| manufacturer.starts_with(name))
            && (self.models.is_empty() || self.models.iter().any(|name| model.starts_with(name)))
    }
}

/// Small letters and digits only: modems put blanks, underscores and full stops where they like.
fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

/// Any real model, to begin with.
const ANY: Quirks = Quirks {
    is_virtual: false,
    name: "unknown model",
    evidence: "A stick that got its PDU right behind the prompt answered it in the next command, and 100 ms cured it; \
               half of that is what most who measured settled on. MSM-based modems advertise mode 2 of CNMI and some \
               refuse it, so it is tried and not relied on. After a reset the slowest module was seen silent for 20 s, \
               and a SIM card was busy for up to 40 s",
    prompt_delay: Duration::from_millis(50),
    command_gap: Duration::from_millis(20),
    learns: true,
    quiet: &[],
    indication_modes: &[2, 1, 3],
    acknowledgement: AcknowledgementForm::Plain,
    cmgl_hangs: false,
    pin_counters: &[NumberQuery { text: "AT+CPINR", field: 1 }],
    ussd: UssdForm::Text,
    boot_time: Duration::from_secs(40),
    reset: Reset { radio_off: "AT+CFUN=4", radio_on: "AT+CFUN=1", restart: &["AT+CFUN=1,1"] },
    reset_changes_mode: false,
    iccid: None,
    gives_reports: true,
    reports_in: None,
    ims: None,
    tells_port_modes: false,
    refusals: &[],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_wins_over_the_row_and_the_row_over_the_default() {
        let ms = Duration::from_millis;
        let delays = |q: Quirks| (q.prompt_delay, q.command_gap);
        let set = Configured { prompt_delay: Some(ms(7)), command_gap: None };
        assert_eq!(delays(set.over(None, None)), (ms(7), ms(20)));
        assert_eq!(delays(set.over(Some("OTPGATE"), None)), (ms(7), ms(0)));
        assert_eq!(Configured::default().over(Some("acme"), Some("one")), ANY);
    }

    /// As modems were seen to name themselves.
    #[test]
    fn names_find_their_rows() {
        let rows = [
            ("otpgate", "virtual", "virtual modem"),
            ("huawei", "E173", "Huawei stick"),
            ("Huawei Technologies Co., Ltd.", "E3372", "Huawei 3372"),
            ("Huawei Technologies Co., Ltd.", "MU609", "Huawei MU609"),
            ("huawei", "ME909s-120", "Huawei module"),
            ("ZTE CORPORATION", "MF190", "ZTE"),
            ("ZTE INCORPORATED", "MF110", "ZTE"),
            ("Quectel", "EC25", "Quectel EC2x"),
            ("Quectel", "EG25", "Quectel EC2x"),
            ("Quectel", "EG91", "Quectel EC2x"),
            ("Quectel", "BG96", "Quectel BG9x"),
            ("Quectel", "EC200A", "Quectel EC200"),
            ("Quectel", "EG912Y", "Quectel EC200"),
            ("Quectel_Ltd", "Quectel_M66", "Quectel"),
            ("SIMCOM_Ltd", "SIMCOM_SIM800L", "SIMCom 800"),
            ("SIMCOM INCORPORATED", "SIMCOM_SIM7600E-H", "SIMCom 7600"),
            ("SIMCOM INCORPORATED", "SIM7100E", "SIMCom 7600"),
            ("INCORPORATED", "A7670SA-FASE", "SIMCom A76xx"),
            ("SIMCOM INCORPORATED", "SIM7670G-MNGV", "SIMCom A76xx"),
            ("u-blox", "SARA-R410M-02B", "u-blox SARA-R4"),
            ("u-blox", "SARA-U201", "u-blox"),
            ("Telit", "HE910-D", "Telit"),
            ("Sierra Wireless, Incorporated", "MC7455", "Sierra"),
            ("Cinterion", "EHS6", "Cinterion"),
            ("SIEMENS", "TC35i", "Cinterion"),
            ("Gemalto", "EHS5-E", "Cinterion"),
            ("WAVECOM MODEM", " MULTIBAND  900E  1800 ", "Wavecom"),
            ("Teltonika", "TRM240", "Teltonika TRM240"),
            ("Teltonika", "TRM250", "Teltonika TRM250"),
            ("ACME", "E173", "unknown model"),
        ];
        for (manufacturer, model, name) in rows {
            assert_eq!(Quirks::of(Some(manufacturer), Some(model)).name, name, "{manufacturer} {model}");
        }
        assert_eq!(Quirks::of(None, None), ANY);
    }

    #[test]
    fn every_row_is_named_once_and_has_its_evidence() {
        let mut names: Vec<_> = ROWS.iter().map(|row| row.quirks.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        for row in ROWS {
            assert!(row.quirks.evidence.len() > 20 && row.quirks.evidence != ANY.evidence, "{}", row.quirks.name);
            assert!(row.manufacturer.iter().chain(row.models).all(|name| *name == plain(name)), "{}", row.quirks.name);
        }
    }

    #[test]
    fn hardware_md_has_every_row() {
        let text = include_str!("../../hardware.md");
        for row in ROWS.iter().filter(|row| row.quirks.learns) {
            let cell = |line: &str| {
                line.split('|').nth(1).is_some_and(|it| it.split(',').any(|n| n.trim() == row.quirks.name))
            };
            assert!(text.lines().any(cell), "hardware.md: What is done otherwise for a model: {}", row.quirks.name);
        }
    }

    /// A number that another maker uses for something else says nothing of this one's.
    #[test]
    fn a_makers_own_numbers_are_his_alone() {
        let means = |manufacturer, model, number| Quirks::of(Some(manufacturer), Some(model)).meaning(number);
        assert_eq!(means("SIEMENS", "MC35i", 535), Some(Meaning::Modem));
        assert_eq!(means("SIEMENS", "MC35i", 521), None, "a timer of its own: it may have gone out");
        assert_eq!(means("SIEMENS", "MC35i", 517), Some(Meaning::Garbled));
        assert_eq!(means("SIMCOM_Ltd", "SIMCOM_SIM900", 517), Some(Meaning::Modem));
        assert_eq!(means("Quectel", "M66", 535), None);
        assert_eq!(means("Quectel", "M66", 2051), Some(Meaning::SimCard));
        assert_eq!(ANY.meaning(515), None);
        for row in ROWS {
            let mut numbers: Vec<_> = row.quirks.refusals.iter().flat_map(|(_, numbers)| numbers.iter()).collect();
            assert!(numbers.iter().all(|n| **n > 511), "{}: the others are the standard's", row.quirks.name);
            let all = numbers.len();
            numbers.sort_unstable();
            numbers.dedup();
            assert_eq!(numbers.len(), all, "{}: each means one thing", row.quirks.name);
        }
    }

    /// What is said to a modem must be a command line, and no message.
    #[test]
    fn what_the_rows_say_can_be_said() {
        use crate::at::Command;
        for row in ROWS {
            let Quirks { quiet, pin_counters, reset, iccid, ims, .. } = row.quirks;
            let queries = pin_counters.iter().chain(ims.as_ref()).map(|query| query.text);
            let resets = [reset.radio_off, reset.radio_on].into_iter().chain(reset.restart.iter().copied());
            for text in quiet.iter().copied().chain(queries).chain(resets).chain(iccid) {
                assert!(Command::raw(text, Duration::from_secs(1)).is_ok(), "{}: {text}", row.quirks.name);
            }
        }
    }
}
