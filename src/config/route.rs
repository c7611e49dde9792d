//! `[[route]]`: which SIM cards numbers that begin alike go over.

use crate::domain::equipment::SimCard;

/// One `[[route]]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// How the numbers begin: a plus and digits. The longest prefix that fits a number counts.
    pub prefix: String,
    /// Over these SIM cards. Empty: over any, or any of the operator's.
    pub sim_cards: Vec<SimCard>,
    /// Over SIM cards that are registered with this operator, as `+COPS` names it.
    pub operator: Option<String>,
    /// Over no others, whatever happens. Without it others take what these can't take at once.
    pub strict: bool,
}

/// How a number may begin.
pub(super) fn prefix(text: &str) -> Result<String, String> {
    let digits = text.strip_prefix('+').unwrap_or_default();
    if (1..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) {
        Ok(text.to_owned())
    } else {
        Err("must be the beginning of a number in international form, as in \"+4915\"".to_owned())
    }
}
