//! Where messages lie: the ladder of `AT+CPMS` (27.005 §3.2.2), with three, two or one storage as the modem takes them.

use super::{Known, Next};
use crate::at::response;
use crate::at::{Command, Reply};

pub(super) fn take_supported(known: &mut Known, reply: &Reply) -> Next {
    known.storages = reply.first().filter(|_| reply.is_ok()).map(response::storages_supported);
    match &known.storages {
        Some(groups) if groups.iter().all(Vec::is_empty) => Next::Degraded(NONE),
        _ => Next::Step,
    }
}

/// What to try, in this order. What comes in must be able to be read, so the first and the third storage are the same
/// one wherever the modem's lists let them be.
fn ways(groups: Option<&[Vec<String>; 3]>) -> Vec<Vec<String>> {
    let Some(groups) = groups else {
        return UNASKED.iter().map(|way| way.iter().map(|&name| name.to_owned()).collect()).collect();
    };
    let best = |fits: &dyn Fn(&str) -> bool| PREFERRED.iter().copied().find(|name| fits(name));
    let has = |group: usize, name: &str| groups[group].iter().any(|own| own == name);
    let first_of = |group: usize| best(&|name| has(group, name)).or(groups[group].first().map(String::as_str));
    let shared = best(&|name| has(0, name) && has(2, name));
    let written = |like: Option<&'static str>| like.filter(|name| has(1, name)).or(first_of(1));
    let three = |read: Option<&str>, write: Option<&str>, receive: Option<&str>| {
        Some(vec![read?.to_owned(), write?.to_owned(), receive?.to_owned()])
    };
    let mut ways = Vec::new();
    ways.extend(three(shared, written(shared), shared));
    ways.extend(three(first_of(0), first_of(1), first_of(2)));
    let read = shared.or(first_of(0));
    ways.extend(read.zip(first_of(1)).map(|(read, write)| vec![read.to_owned(), write.to_owned()]));
    ways.extend(read.map(|read| vec![read.to_owned()]));
    ways.dedup();
    ways
}

pub(super) fn command(known: &Known, n: usize) -> Option<Command> {
    let way = ways(known.storages.as_ref()).into_iter().nth(n)?;
    let names: Vec<&str> = way.iter().map(String::as_str).collect();
    Command::use_storages(&names).ok()
}

pub(super) fn take(known: &mut Known, reply: &Reply) -> Next {
    let ways = ways(known.storages.as_ref());
    let tried = std::mem::take(&mut known.tried_forms);
    match ways.get(tried) {
        Some(way) if reply.is_ok() => {
            known.chosen_storages = way.clone();
            Next::Step
        }
        _ if tried + 1 < ways.len() => {
            known.tried_forms = tried + 1;
            Next::Another
        }
        _ => Next::Degraded(NOT_CHOSEN),
    }
}

/// Every modem has the card's storage; the card's and the modem's own are better known than the two as one.
const PREFERRED: &[&str] = &["SM", "ME", "MT"];
/// For a modem that does not say what it has.
const UNASKED: &[&[&str]] = &[&["SM", "SM", "SM"], &["SM", "SM"], &["SM"], &["ME", "ME", "ME"], &["ME"]];
const NONE: &str = "it says that it has no storage for messages (AT+CPMS), so that nothing that comes in can be read";
const NOT_CHOSEN: &str = "its storage for messages can't be chosen (AT+CPMS); what comes in may be missed";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r2_what_comes_in_can_be_read() {
        let rows: &[(&str, &[&str])] = &[
            ("+CPMS: (\"ME\",\"SM\"),(\"ME\",\"SM\"),(\"ME\",\"SM\")", &["SM SM SM", "SM SM", "SM"]),
            ("+CPMS: (\"ME\",\"MT\"),(\"ME\",\"SM\",\"MT\"),(\"SM\",\"MT\")", &["MT MT MT", "ME SM SM", "MT SM", "MT"]),
            ("+CPMS: (ME\", \"SR\"), (\"ME\", \"SR\"), (\"ME\")", &["ME ME ME", "ME ME", "ME"]),
            ("+CPMS: \"ME\",\"MT\",\"SM\"", &["ME MT SM", "ME MT", "ME"]),
            ("+CPMS: \"SM\",\"SM\",\"SM\"", &["SM SM SM", "SM SM", "SM"]),
            ("+CPMS: (\"SM\" ,\"BM\"), (\"SM\")", &["SM SM", "SM"]),
            ("+CPMS: (\"SM\")", &["SM"]),
            ("+CPMS: (),(),()", &[]),
        ];
        for (line, expected) in rows {
            let groups = response::storages_supported(line);
            let found: Vec<String> = ways(Some(&groups)).iter().map(|way| way.join(" ")).collect();
            assert_eq!(found, *expected, "{line}");
        }
        assert_eq!(ways(None)[0], ["SM", "SM", "SM"], "one that says nothing is tried all the same");
    }
}
