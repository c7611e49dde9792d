//! The catalogue of failure modes, row by row, and the scenarios that show each. S: the send exchange; T: talking to a
//! modem at all; L: the life of device, SIM card and network; R: what comes in, reports, storages; G: the gateway itself.
//!
//! A scenario bears its row's name: `s5_…` shows row S5. Most are in `tests/session_wire` (session and virtual modem on a
//! virtual wire), those of the dialogue alone in `tests/at_engine.rs`, those that need the store in `tests/app_*.rs` and
//! `tests/store`, and `tests/faults.rs` runs scripts of them with the real binary on pseudo-terminals.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// What shows a row.
enum Shown {
    /// Tests that bear its name.
    ByName,
    /// Tests that bear another, since they show more than this row.
    By(&'static [&'static str]),
    /// None, and why.
    Not(&'static str),
}
use Shown::{By, ByName, Not};

const ROWS: &[(&str, &str, Shown)] = &[
    ("S1", "the prompt has another shape", ByName),
    ("S2", "refused before the prompt", ByName),
    ("S3", "the prompt never comes", ByName),
    ("S4", "the prompt comes late", ByName),
    ("S5", "silence after 0x1A", ByName),
    ("S6", "the result comes late", ByName),
    ("S7", "an error after 0x1A", ByName),
    ("S8", "half of a result", ByName),
    ("S9", "the modem is left in its editor", ByName),
    ("S10", "old lines after a time-out", ByName),
    ("S11", "something comes in during a send", ByName),
    ("S12", "bytes of the PDU are lost", ByName),
    ("S13", "a line feed would disturb", ByName),
    ("S14", "a crash with a message on the air", ByName),
    ("S15", "a long message breaks in the middle", ByName),
    ("S16", "parts of two messages for one number", ByName),
    ("S17", "AT+CMMS keeps the link open, or breaks it", ByName),
    ("S18", "one number holds up the queue", ByName),
    ("T1", "news inside an answer", ByName),
    ("T2", "news for ever", ByName),
    ("T3", "news of two lines, cut off", ByName),
    ("T4", "the echo comes back", ByName),
    ("T5", "answers of other shapes", ByName),
    ("T6", "listing the storages hangs", ByName),
    ("T7", "settings are refused", ByName),
    ("T8", "the modem restarts unasked", ByName),
    ("T9", "busy after its boot", ByName),
    (
        "T10",
        "the wrong port of several",
        Not("finding ports is not there yet: a port is named by the person at the box"),
    ),
    ("T11", "a stick in storage or router mode", Not("finding devices by their USB ids is not there yet")),
    ("T12", "another program on the port", By(&["t4_somebody_elses_words_are_told"])),
    ("T13", "another program's character set", ByName),
    (
        "T14",
        "speed and flow control of a UART",
        Not("a pseudo-terminal has neither; UARTs run at 115,200 without flow control"),
    ),
    (
        "T15",
        "one wedged modem",
        By(&["a_modem_that_hangs_delays_nobody_else", "l5_a_hang_ends_at_the_rung_that_helps_and_nobody_else_notices"]),
    ),
    ("L1", "the port goes away", ByName),
    ("L2", "boot loops and brown-outs", ByName),
    ("L3", "a restart makes a storage of it", ByName),
    ("L4", "a reset that does nothing", ByName),
    ("L5", "it hangs", ByName),
    ("L6", "registration lies", ByName),
    ("L7", "the network refuses the card for an hour", ByName),
    ("L8", "the radio is off", ByName),
    ("L9", "messages fail over LTE", ByName),
    ("L10", "the PIN is asked for", ByName),
    ("L11", "the SIM card is gone", ByName),
    ("L12", "another SIM card", ByName),
    ("L13", "a prepaid card is empty", ByName),
    ("L14", "the network filters silently", ByName),
    ("L15", "a foreign network", ByName),
    ("L16", "the clock is wrong", ByName),
    ("R1", "a storage is full", ByName),
    ("R2", "read from the wrong storage", ByName),
    ("R3", "places count from 0 or from 1", ByName),
    ("R4", "a report is announced in another storage", ByName),
    ("R5", "reports want acknowledging", ByName),
    ("R6", "TP-MR does not match", ByName),
    ("R7", "the report comes before its result", ByName),
    ("R8", "what comes in can't be read", ByName),
    ("R9", "a part never comes", ByName),
    ("R10", "a flood comes in", ByName),
    ("G1", "duplicates after a restart", By(&["nothing_accepted_is_lost_and_nothing_is_silently_sent_twice"])),
    (
        "G2",
        "results that can't be recorded",
        By(&["a_full_disk_is_507_and_what_is_there_can_still_be_read", "a_full_disk_ends_the_vault_and_loses_nothing"]),
    ),
    (
        "G3",
        "accepted, and lost at a power cut",
        By(&["unsynced_batches_are_dropped", "unsynced_batches_are_kept", "unsynced_batches_are_split"]),
    ),
    (
        "G4",
        "a damaged store",
        By(&["a_quarantined_store_can_be_read_and_nothing_else", "a_damaged_record_is_set_aside_and_sending_goes_on"]),
    ),
    ("G5", "no modem at the start", By(&["messages_that_wait_go_when_the_modem_is_back"])),
    ("G6", "a webhook's target is down", Not("there are no webhooks yet")),
    ("G7", "a text that a shell runs", Not("no shell is ever called, nor any other program")),
    ("G8", "anybody may call", By(&["ten_wrong_keys_a_minute_then_429_and_the_right_one_still_works"])),
    ("G9", "codes in logs", By(&["the_data_folder_shows_no_number_no_code_and_no_text"])),
    ("G10", "the machine was suspended", ByName),
];

#[test]
fn every_row_has_its_scenarios_or_its_reason() {
    let tests = tests();
    let mut wrong = Vec::new();
    for (row, _, shown) in ROWS {
        match shown {
            ByName if !tests.iter().any(|test| is_of(test, row)) => {
                wrong.push(format!("{row}: no test bears its name"))
            }
            By(names) => {
                let missing = names.iter().filter(|name| !tests.contains(**name));
                wrong.extend(missing.map(|name| format!("{row}: there is no test {name}")));
            }
            Not(_) if tests.iter().any(|test| is_of(test, row)) => {
                wrong.push(format!("{row}: it has tests by now"));
            }
            Not("") => wrong.push(format!("{row}: why not?")),
            ByName | Not(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_scenario_has_its_row() {
    let rowless: Vec<_> =
        tests().into_iter().filter(|test| row_of(test).is_some_and(|row| ROWS.iter().all(|r| r.0 != row))).collect();
    assert!(rowless.is_empty(), "write their rows into the table: {rowless:#?}");
}

/// The catalogue itself is read where it lies.
#[test]
#[allow(clippy::print_stderr, reason = "a skipped test must say so")]
fn the_catalogue_has_no_row_that_is_not_here() {
    let Some(folder) = std::env::var_os("OTPGATE_REFERENCE") else {
        return eprintln!("skipped: OTPGATE_REFERENCE does not say where the catalogue of failure modes is");
    };
    let text = fs::read_to_string(Path::new(&folder).join("failure-modes.md")).expect("the catalogue of failure modes");
    let first_cell = |line: &str| line.strip_prefix("| ").and_then(|rest| rest.split(" |").next().map(str::to_owned));
    let rows: Vec<String> = text.lines().filter_map(first_cell).filter(|cell| is_row(cell)).collect();
    assert!(rows.len() > 60, "only {} rows were found", rows.len());
    let missing: Vec<_> = rows.iter().filter(|row| ROWS.iter().all(|r| r.0 != row.as_str())).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// The names of all tests. In `tests/store` they bear no attribute: a list there runs each on two kinds of store.
fn tests() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut names = BTreeSet::new();
    for (folder, marked) in [("src", true), ("tests", true), ("tests/store", false)] {
        collect(&root.join(folder), marked, &mut names);
    }
    names
}

fn collect(folder: &Path, marked: bool, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, marked, names);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = fs::read_to_string(&path).expect("a source");
            let mut is_test = false;
            for line in text.lines().map(str::trim) {
                let name = line.split_once("fn ").and_then(|(_, rest)| rest.split(['(', '<']).next());
                match name {
                    Some(name) if is_test || !marked => {
                        names.insert(name.to_owned());
                        is_test = false;
                    }
                    _ => is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test"),
                }
            }
        }
    }
}

/// Whether a text is a row's name: a letter and a number.
fn is_row(text: &str) -> bool {
    text.split_at_checked(1).is_some_and(|(letter, number)| "STLRG".contains(letter) && number.parse::<u8>().is_ok())
}

/// The row whose name a test bears, if it bears one.
fn row_of(test: &str) -> Option<String> {
    test.split('_').next().map(str::to_ascii_uppercase).filter(|word| is_row(word))
}

fn is_of(test: &str, row: &str) -> bool {
    row_of(test).is_some_and(|bears| bears == row)
}
