//! The rows. The first that fits is the one; a maker's own, with no model, stands behind those of its models.
//!
//! None of it was tried on a device here. Each row says where it comes from: manuals, the source of programs that drive
//! the device, dialogues that their users have published.

use super::{ANY, AcknowledgementForm, NumberQuery, Quirks, Reset, Row, UssdForm};
use crate::domain::reason::Meaning;
use std::time::Duration;

pub(super) const ROWS: &[Row] = &[
    Row {
        manufacturer: &["otpgate"],
        models: &[],
        quirks: Quirks {
            is_virtual: true,
            name: "virtual modem",
            evidence: "Our own: it loses nothing, however fast it is spoken to, and there is nothing to learn of it",
            learns: false,
            prompt_delay: Duration::ZERO,
            command_gap: Duration::ZERO,
            boot_time: Duration::from_secs(5),
            ..ANY
        },
    },
    Row {
        manufacturer: HUAWEI,
        models: &["mu609"],
        quirks: Quirks {
            name: "Huawei MU609",
            evidence: "ModemManager leaves it out of the query for port modes, which crashes its firmware; its list of \
                       storages comes without parentheses",
            tells_port_modes: false,
            ..HUAWEI_MODULE
        },
    },
    Row {
        manufacturer: HUAWEI,
        models: &["e3372", "e3272", "e3276", "e8372"],
        quirks: Quirks {
            name: "Huawei 3372",
            evidence: "Stick firmware 21.x is set to a port by SETPORT and comes back as a storage after a restart by \
                       command until usb_modeswitch has run (gammu issue 687); gammu marks every E3xxx as hanging on \
                       lists",
            cmgl_hangs: true,
            reset_changes_mode: true,
            ..HUAWEI_MODULE
        },
    },
    Row {
        manufacturer: HUAWEI,
        models: &["e1", "e2", "e3", "e5", "k3", "k4"],
        quirks: Quirks {
            name: "Huawei stick",
            evidence: "E173 gives +CMTI only after PORTSEL=1 (chan_dongle issue 121); E17xx hangs on CMGL=4 and later \
                       on everything (gammu issue 4), and gammu resets every E1xx and E3xxx after a time-out; a restart \
                       brings the storage back (gammu issue 687)",
            cmgl_hangs: true,
            reset_changes_mode: true,
            ..HUAWEI_MODULE
        },
    },
    Row { manufacturer: HUAWEI, models: &[], quirks: HUAWEI_MODULE },
    Row {
        manufacturer: &["zte"],
        models: &[],
        quirks: Quirks {
            name: "ZTE",
            evidence: "ModemManager asks CPMS? to end the flood of +ZUSIMR, gammu sends ZOPRT=5 and ZCDRUN=8; oFono \
                       uses mode 1 of CNMI and acknowledges without a PDU; CSMP clears the service centre \
                       (python-gsmmodem). A restart brings its CD back unless ZCDRUN=8 was taken",
            quiet: &["AT+CPMS?", "AT+ZOPRT=5"],
            indication_modes: MSM,
            reset: Reset { restart: &["AT+CFUN=1,1", "AT+ZRST"], ..ANY.reset },
            reset_changes_mode: true,
            ..ANY
        },
    },
    Row {
        manufacturer: QUECTEL,
        models: &["bg9", "bg77", "bg600"],
        quirks: Quirks {
            name: "Quectel BG9x",
            evidence: "Silent for about 3 s after a reset; LTE-M and NB-IoT, where messages need SGs or IMS; the owner \
                       of a router with a BG96 inside found no delivery report at all (gammu issue 695), so that they \
                       are asked for and not relied on",
            ..QUECTEL_MODULE
        },
    },
    Row {
        manufacturer: QUECTEL,
        models: &["ec200", "eg912", "eg915", "eg916", "eg800", "ec800"],
        quirks: Quirks {
            name: "Quectel EC200",
            evidence: "No Qualcomm chip and another set of commands, by the ids in the kernel's option driver; what \
                       its Qualcomm sisters take beyond the standard is tried and may be refused",
            ims: None,
            ..QUECTEL_MODULE
        },
    },
    Row {
        manufacturer: QUECTEL,
        models: &["ec2", "eg2", "eg9", "ep0", "em0", "em1", "rm5"],
        quirks: Quirks {
            name: "Quectel EC2x",
            evidence: "With ds=2 it says +CDSI: \"SM\",0 while the report lies in SR (asterisk-chan-quectel pull request \
                       75); QCFG \"ims\" tells of IMS in its second number, and a change needs a restart (VoCat pull \
                       request 77)",
            reports_in: Some("SR"),
            ..QUECTEL_MODULE
        },
    },
    Row { manufacturer: &["quectel", "foxcommodem"], models: &[], quirks: QUECTEL_2G },
    Row {
        manufacturer: &["simcom", "incorporated"],
        models: &["a76", "sim767"],
        quirks: Quirks {
            name: "SIMCom A76xx",
            evidence: "It names itself INCORPORATED (TinyGSM issue 739), refuses CNMI with ds=1 (sms-server issue 12), \
                       and its prompt may be followed by CR LF (SIM7670G, gammu pull request 1177); the ICCID by CICCID",
            iccid: Some("AT+CICCID"),
            reset: Reset { restart: &["AT+CRESET", "AT+CFUN=1,1"], ..ANY.reset },
            ..SIMCOM_MODULE
        },
    },
    Row {
        manufacturer: &["simcom"],
        models: &["sim70", "sim71", "sim75", "sim76"],
        quirks: Quirks {
            name: "SIMCom 7600",
            evidence: "Manual of the SIM7500/7600: CRESET restarts, CICCID tells the ICCID; its refusals may be words \
                       although numbers were asked for (T-SIM7600X issue 85)",
            iccid: Some("AT+CICCID"),
            reset: Reset { restart: &["AT+CRESET", "AT+CFUN=1,1"], ..ANY.reset },
            ..SIMCOM_MODULE
        },
    },
    Row { manufacturer: &["simcom"], models: &["sim800", "sim808", "sim868", "sim900"], quirks: SIMCOM_800 },
    Row { manufacturer: &["simcom"], models: &[], quirks: SIMCOM_MODULE },
    Row {
        manufacturer: &["ublox"],
        models: &["sarar4", "sarar5", "sarar6", "lexir", "tobyr2", "larar"],
        quirks: Quirks {
            name: "u-blox SARA-R4",
            evidence: "CFUN takes 0, 1, 4 and 15 only, and 15 restarts it (TinyGSM issue 257); UPINCNT as in \
                       ModemManager",
            reset: Reset { restart: &["AT+CFUN=15"], ..ANY.reset },
            ..U_BLOX
        },
    },
    Row { manufacturer: &["ublox"], models: &[], quirks: U_BLOX },
    Row {
        manufacturer: &["telit"],
        models: &[],
        quirks: Quirks {
            name: "Telit",
            evidence: "Manuals of UC864 and LE910: nothing is to be said before +CMGS; #PCT counts for the PIN that is \
                       asked for, #CCID, #REBOOT. An HE910 appends garbage to USSD answers (gammu issue 377)",
            quiet: &["AT#QSS=2"],
            pin_counters: &[NumberQuery { text: "AT#PCT", field: 0 }, NumberQuery { text: "AT+CPINR", field: 1 }],
            reset: Reset { restart: &["AT#REBOOT", "AT+CFUN=1,1"], ..ANY.reset },
            iccid: Some("AT#CCID"),
            ..ANY
        },
    },
    Row {
        manufacturer: &["sierra"],
        models: &[],
        quirks: Quirks {
            name: "Sierra",
            evidence: "Gobi-based: oFono uses mode 1 of CNMI and acknowledges without a PDU; transfers rejected with 21 \
                       were a wrong service centre (the maker's forum)",
            indication_modes: MSM,
            pin_counters: &[NumberQuery { text: "AT+CPINC", field: 0 }, NumberQuery { text: "AT+CPINR", field: 1 }],
            reset: Reset { restart: &["AT!RESET", "AT+CFUN=1,1"], ..ANY.reset },
            ..ANY
        },
    },
    Row {
        manufacturer: &["cinterion", "siemens", "gemalto", "thales"],
        models: &[],
        quirks: Quirks {
            name: "Cinterion",
            evidence: "CNMI takes bfr=1 only (gammu pull request 1207), ds=1 under phase 2+ only, acknowledged by \
                       CNMA=0 (warthog618/modem pull request 8); a TC35 wants pauses between commands (Kannel's \
                       modems.conf); its own numbers as in gammu. 512 says that the user broke it off, 513 and 767 tell \
                       no phase, 521 is a timer: these leave it open",
            command_gap: Duration::from_millis(50),
            acknowledgement: AcknowledgementForm::Numbered,
            pin_counters: &[NumberQuery { text: "AT^SPIC", field: 0 }, NumberQuery { text: "AT+CPINR", field: 1 }],
            iccid: Some("AT^SCID"),
            refusals: &[
                (Meaning::Message, &[514, 516, 519, 520, 538, 549, 550, 551, 553, 554]),
                (Meaning::Garbled, &[517]),
                (Meaning::SimCard, &[770]),
                (Meaning::Modem, &[522, 532, 534, 535, 616, 640, 772]),
                (Meaning::Unclear, &[515]),
            ],
            ..ANY
        },
    },
    Row {
        manufacturer: &["wavecom"],
        models: &[],
        quirks: Quirks {
            name: "Wavecom",
            evidence: "CPIN? is answered without OK, and CFUN=1 restarts it and is followed by CME 515 for a while \
                       (python-gsmmodem); CPINC counts all four",
            pin_counters: &[NumberQuery { text: "AT+CPINC", field: 0 }, NumberQuery { text: "AT+CPINR", field: 1 }],
            reset: Reset { restart: &["AT+CFUN=1"], ..ANY.reset },
            ..ANY
        },
    },
    Row {
        manufacturer: &["teltonika"],
        models: &["trm250"],
        quirks: Quirks {
            name: "Teltonika TRM250",
            evidence: "Its owner found no delivery report in any setting (gammu issue 695); a BG96 is inside",
            gives_reports: false,
            ..ANY
        },
    },
    Row {
        manufacturer: &["teltonika"],
        models: &[],
        quirks: Quirks {
            name: "Teltonika TRM240",
            evidence: "Reports come as +CDSI: \"SR\",n and have to be read from there (gammu issue 676)",
            reports_in: Some("SR"),
            ..ANY
        },
    },
];

const HUAWEI: &[&str] = &["huawei"];
const QUECTEL: &[&str] = &["quectel"];
/// Modems on Qualcomm's MSM advertise mode 2 and many refuse it; mode 1 differs from it only while a data call holds the
/// port.
const MSM: &[u8] = &[1, 2, 3];

const HUAWEI_MODULE: Quirks = Quirks {
    name: "Huawei module",
    evidence: "gammu sends CURC=0 and PORTSEL=1 to its whole class of them; oFono uses mode 1 of CNMI and acknowledges \
               without a PDU; service codes are packed septets in hexadecimal, quoted or not (an E160's dialogue); \
               CPIN with a caret tells the tries: PUK, PIN, PUK2, PIN2 behind the tries of what is asked for",
    quiet: &["AT^CURC=0", "AT^PORTSEL=1"],
    indication_modes: MSM,
    pin_counters: &[NumberQuery { text: "AT^CPIN?", field: 3 }, NumberQuery { text: "AT+CPINR", field: 1 }],
    ussd: UssdForm::PackedHex,
    reset: Reset { restart: &["AT+CFUN=1,1", "AT^RESET"], ..ANY.reset },
    iccid: Some("AT^ICCID?"),
    tells_port_modes: true,
    ..ANY
};

const QUECTEL_MODULE: Quirks = Quirks {
    name: "Quectel module",
    evidence: "Manual of the EC25; oFono uses mode 1 of CNMI; QPINC tells the tries of one PIN",
    indication_modes: MSM,
    pin_counters: &[NumberQuery { text: "AT+QPINC=\"SC\"", field: 1 }, NumberQuery { text: "AT+CPINR", field: 1 }],
    iccid: Some("AT+QCCID"),
    ims: Some(NumberQuery { text: "AT+QCFG=\"ims\"", field: 2 }),
    ..ANY
};

const QUECTEL_2G: Quirks = Quirks {
    name: "Quectel",
    evidence: "oFono sends QIURC=0 to the M95 class; an M35 writes USSD answers as UCS-2 and says GSM-7 (gammu issue \
               358); an M66 says 2051 where the network takes the device for an illegal one",
    quiet: &["AT+QIURC=0"],
    ims: None,
    refusals: &[(Meaning::SimCard, &[2051])],
    ..QUECTEL_MODULE
};

const SIMCOM_MODULE: Quirks = Quirks {
    name: "SIMCom",
    evidence: "oFono never acknowledges to them and uses mode 1 of CNMI; SPIC tells the tries, PIN first",
    indication_modes: MSM,
    acknowledgement: AcknowledgementForm::Never,
    pin_counters: &[NumberQuery { text: "AT+SPIC", field: 0 }, NumberQuery { text: "AT+CPINR", field: 1 }],
    ..ANY
};

const SIMCOM_800: Quirks = Quirks {
    name: "SIMCom 800",
    evidence: "It says CME 100 to any unknown command (python-gsmmodem issue 64) and gives ds=0 and 1 only \
               (python-gsmmodem issue 60); mode 2 of CNMI is its default. A SIM900 says 517 while its SIM card is not ready",
    indication_modes: ANY.indication_modes,
    refusals: &[(Meaning::Modem, &[517])],
    ..SIMCOM_MODULE
};

const U_BLOX: Quirks = Quirks {
    name: "u-blox",
    evidence: "Manuals of SARA-U2 and LISA-U: 16 restarts module and SIM card; UPINCNT counts PIN, PIN2, PUK, PUK2 \
               (ModemManager). A TOBY-L2 needs 20 s before it answers",
    pin_counters: &[NumberQuery { text: "AT+UPINCNT", field: 0 }, NumberQuery { text: "AT+CPINR", field: 1 }],
    reset: Reset { restart: &["AT+CFUN=16", "AT+CFUN=15"], ..ANY.reset },
    iccid: Some("AT+CCID"),
    ..ANY
};
