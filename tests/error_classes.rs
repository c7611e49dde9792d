//! Whose trouble each error number is, against the reference tables, read in place: `OTPGATE_REFERENCE` names the folder.

#[path = "common/csv.rs"]
mod csv;

use otpgate::dispatch::retry::class_word;
use otpgate::domain::reason::Reason;
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

/// Numbers that are of another class here, and why.
fn exception(reason: Reason) -> Option<&'static str> {
    Some(match reason {
        // Another SIM card may take it.
        Reason::Cms(21 | 30) => "sim_card",
        // Once more after the modem was set up again, or with another validity period or none.
        Reason::Cms(304 | 305 | 198 | 199) => "temporary",
        // Manufacturers' numbers collide: only a row of that manufacturer's could tell, and there is none.
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
