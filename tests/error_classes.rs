//! Whose trouble each error number is, against the reference tables, read in place: `OTPGATE_REFERENCE` names the folder.

#[path = "common/csv.rs"]
mod csv;

use otpgate::dispatch::retry::class_word;
use otpgate::domain::reason::Reason;
use otpgate::modem::quirks::Quirks;
use std::fs;
use std::path::PathBuf;

/// Every number of the reference tables is of the class they give it, but for those of [`exception`].
#[test]
#[allow(clippy::print_stdout, reason = "what is skipped is said")]
fn every_number_of_the_reference_tables_has_its_class() {
    let Some(folder) = std::env::var_os("OTPGATE_REFERENCE").map(PathBuf::from) else {
        println!("skipped: OTPGATE_REFERENCE names no folder with reference material");
        return;
    };
    let mut seen = 0;
    for (file, column, reason) in
        [("cms-errors.csv", 4, Reason::Cms as fn(u16) -> Reason), ("cme-errors.csv", 3, Reason::Cme)]
    {
        let text = fs::read_to_string(folder.join(file)).unwrap();
        for fields in csv::rows(&text) {
            let Ok(number) = fields[0].parse() else { panic!("{file}: {fields:?}") };
            let reason = reason(number);
            let by_table = match fields[column].as_str() {
                "permanent" | "request-bug" => "permanent",
                "sim" => "sim_card",
                "ambiguous" => "unclear",
                "modem-local" | "network" => "modem",
                // What only data sessions get is no answer to a message: as good as no number.
                "temporary" | "data-session" => "temporary",
                other => panic!("{file} has a class of its own: {other}"),
            };
            let expected = exception(reason).unwrap_or(by_table);
            assert_eq!(class_word(reason), Some(expected), "{file} {number}");
            seen += 1;
        }
    }
    assert!(seen > 250, "{seen}");
}

/// A maker's own number is of the class that the tables give it, where it says that nothing was sent and comes from that
/// maker's modem. From another's it says nothing.
#[test]
#[allow(clippy::print_stdout, reason = "what is skipped is said")]
fn s7_a_makers_number_has_its_class_on_that_makers_modems_alone() {
    let Some(folder) = std::env::var_os("OTPGATE_REFERENCE").map(PathBuf::from) else {
        println!("skipped: OTPGATE_REFERENCE names no folder with reference material");
        return;
    };
    let text = fs::read_to_string(folder.join("cms-errors.csv")).unwrap();
    let mut seen = 0;
    for fields in csv::rows(&text).into_iter().filter(|fields| fields[2] == "vendor") {
        let number: u16 = fields[0].parse().unwrap();
        let (maker, other) = if fields[3].contains("Siemens") {
            (Quirks::of(Some("SIEMENS"), Some("MC35i")), Quirks::of(Some("Quectel"), Some("M66")))
        } else {
            (Quirks::of(Some("Quectel"), Some("M66")), Quirks::of(Some("SIEMENS"), Some("MC35i")))
        };
        assert_eq!(other.meaning(number), None, "{number} of another maker");
        let not_sent = fields[10] == "no";
        let Some(meaning) = maker.meaning(number) else {
            assert!(!not_sent, "{number} says that nothing was sent");
            continue;
        };
        assert!(not_sent, "{number} leaves it open");
        let expected = match (number, fields[4].as_str()) {
            // Bytes were lost on the way: once more, as with 304.
            (517, _) => "temporary",
            // Table 4.2 has it as busy.
            (535, _) => "modem",
            (_, "request-bug") => "permanent",
            (_, "sim") => "sim_card",
            (_, "modem-local" | "network") => "modem",
            (_, "ambiguous") => "unclear",
            (_, other) => panic!("{number}: {other}"),
        };
        assert_eq!(class_word(Reason::MakersCms(number, meaning)), Some(expected), "{number}");
        seen += 1;
    }
    assert!(seen > 15, "{seen}");
}

/// Numbers that are of another class here, and why.
fn exception(reason: Reason) -> Option<&'static str> {
    Some(match reason {
        // Another SIM card may take it.
        Reason::Cms(21 | 30) => "sim_card",
        // Once more after the modem was set up again, or with another validity period or none.
        Reason::Cms(304 | 305 | 198 | 199) => "temporary",
        // Makers' numbers collide: only where it is known whose it is does one tell anything.
        Reason::Cms(512..) => "unclear",
        // What lies there is read, kept and deleted: a class of its own.
        Reason::Cms(208 | 209 | 211 | 320..=322) | Reason::Cme(20..=23) => "storage",
        // The card was dropped, and comes back with the radio.
        Reason::Cms(313) => "modem",
        // An absent or locked card's modem can't send, and says so; that is no message's refusal.
        Reason::Cme(5..=7 | 10..=16 | 40..=48) => "modem",
        _ => return None,
    })
}
