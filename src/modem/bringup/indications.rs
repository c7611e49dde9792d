//! How the modem tells of reports and messages: the ladder of `AT+CNMI` (27.005 §3.4.1).

use super::{Known, Next};
use crate::at::{Command, Reply};

/// Which values of `ds` a rung of the ladder of reports tries, in this order, and whether only those that the modem
/// says it supports.
#[derive(Clone, Copy)]
pub(super) struct Rung {
    ds: &'static [u8],
    as_it_says: bool,
}

/// Reports directly (`ds=1`), rather than stored (`ds=2`).
pub(super) const AS_IT_SAYS: Rung = Rung { ds: &[1, 2], as_it_says: true };
/// Under phase 2+. What the modem said it supports, it said without.
pub(super) const ACKNOWLEDGED: Rung = Rung { ds: &[1], as_it_says: false };
pub(super) const WITHOUT_REPORTS: Rung = Rung { ds: &[0], as_it_says: false };

/// The forms of CNMI that a rung tries: the modes in the order that suits the model, with mt and bfr from what the modem
/// says it supports. MSM-based modems advertise mode 2 and refuse it.
fn forms(known: &Known, rung: Rung) -> Vec<[u8; 5]> {
    if !known.quirks.gives_reports && rung.ds != WITHOUT_REPORTS.ds {
        return Vec::new();
    }
    let supports = |field: usize, value: u8| known.indications.as_ref().is_none_or(|all| all[field].contains(&value));
    let bfr = if supports(4, 0) { 0 } else { 1 };
    // A message in a storage waits until it is read; one that comes directly is gone if nobody hears it.
    let mt = [1, 2].into_iter().find(|mt| supports(1, *mt)).unwrap_or(0);
    let mut forms = Vec::new();
    for ds in rung.ds {
        for mode in known.quirks.indication_modes {
            if supports(0, *mode) && (!rung.as_it_says || supports(3, *ds)) {
                forms.push([*mode, mt, 0, *ds, bfr]);
            }
        }
    }
    forms
}

pub(super) fn command(known: &Known, rung: Rung, n: usize) -> Option<Command> {
    forms(known, rung).get(n).map(|form| Command::indications(*form))
}

pub(super) fn take(known: &mut Known, reply: &Reply, rung: Rung) -> Next {
    let forms = forms(known, rung);
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

const NO_REPORTS: &str = "it gives no status reports (AT+CNMI), so that delivery is never confirmed";
const NOT_STORED: &str =
    "it gives messages that come in directly only (AT+CNMI mt=2), so that one which nobody hears is lost";
const NOT_ANNOUNCED: &str = "it does not tell of messages that come in (AT+CNMI mt=0); they stay in its storage";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::at::{FinalResult, ReplyEnd};
    use crate::modem::quirks::Quirks;

    fn supporting(mode: &[u8], mt: &[u8], ds: &[u8], bfr: &[u8]) -> Known {
        let indications = [mode, mt, &[0], ds, bfr].map(<[u8]>::to_vec);
        Known { indications: Some(indications), ..Known::default() }
    }

    #[test]
    fn reports_are_wanted_directly_before_stored_ones() {
        let all = supporting(&[0, 1, 2], &[0, 1, 2], &[0, 1, 2], &[0, 1]);
        assert_eq!(forms(&all, AS_IT_SAYS), [[2, 1, 0, 1, 0], [1, 1, 0, 1, 0], [2, 1, 0, 2, 0], [1, 1, 0, 2, 0]]);
        let gemalto = supporting(&[0, 1], &[0, 1], &[0, 2], &[1]);
        assert_eq!(forms(&gemalto, AS_IT_SAYS), [[1, 1, 0, 2, 1]]);
        assert_eq!(forms(&gemalto, ACKNOWLEDGED), [[1, 1, 0, 1, 1]], "it may say so under phase 2 only");
        assert_eq!(forms(&gemalto, WITHOUT_REPORTS), [[1, 1, 0, 0, 1]]);
        let silent = forms(&Known::default(), AS_IT_SAYS);
        assert!(!silent.is_empty(), "a modem that tells nothing is tried all the same");
    }

    #[test]
    fn t7_the_row_says_which_mode_is_tried_first_and_whether_there_are_reports() {
        let of = |manufacturer, model| {
            let all = supporting(&[0, 1, 2], &[1], &[0, 1, 2], &[0]);
            Known { quirks: Quirks::of(Some(manufacturer), Some(model)), ..all }
        };
        assert_eq!(forms(&of("ZTE CORPORATION", "MF190"), AS_IT_SAYS)[..2], [[1, 1, 0, 1, 0], [2, 1, 0, 1, 0]]);
        let without = of("Teltonika", "TRM250");
        assert!(forms(&without, AS_IT_SAYS).is_empty() && forms(&without, ACKNOWLEDGED).is_empty());
        assert_eq!(forms(&without, WITHOUT_REPORTS).first(), Some(&[2, 1, 0, 0, 0]));
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
            assert_eq!(forms(&known, AS_IT_SAYS), [[2, mt, 0, 1, 0]], "{supported:?}");
            let ok = Reply { lines: Vec::new(), end: ReplyEnd::Final(FinalResult::Ok) };
            assert_eq!(take(&mut known, &ok, AS_IT_SAYS), Next::Step);
            assert_eq!(known.degraded.first().copied(), note, "{supported:?}");
        }
    }
}
