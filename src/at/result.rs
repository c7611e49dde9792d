//! Final result codes: the lines that end a command (27.007 §9, 27.005 §3.2.5, V.250 §5.7).

use super::errors;
use nom::branch::alt;
use nom::bytes::complete::tag;
use nom::character::complete::{char, space0};
use nom::combinator::{opt, rest, value};
use nom::{IResult, Parser};

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinalResult {
    /// `OK`.
    Ok,
    /// `ERROR`, with no reason.
    Error,
    /// `+CME ERROR:`; `None` if its text is none we know.
    Cme(Option<u16>),
    /// `+CMS ERROR:`; `None` if its text is none we know.
    Cms(Option<u16>),
    /// `COMMAND NOT SUPPORT`.
    NotSupported,
    /// `TOO MANY PARAMETERS`.
    TooManyParameters,
    /// `NO CARRIER`, `NO ANSWER`, `NO DIALTONE`, `BUSY`, `CONNECT`: they end a call command and no other. During any
    /// other command they are news of a call.
    Call,
}

impl FinalResult {
    /// Reads a whole line. `None` if it is no final result.
    pub fn parse(line: &str) -> Option<Self> {
        match line {
            "OK" => Some(Self::Ok),
            "ERROR" => Some(Self::Error),
            "COMMAND NOT SUPPORT" | "COMMAND NOT SUPPORTED" => Some(Self::NotSupported),
            "TOO MANY PARAMETERS" => Some(Self::TooManyParameters),
            "NO CARRIER" | "NO ANSWER" | "NO DIALTONE" | "NO DIAL TONE" | "BUSY" => Some(Self::Call),
            _ if line == "CONNECT" || line.starts_with("CONNECT ") => Some(Self::Call),
            _ => coded(line).ok().map(|(_, result)| result),
        }
    }

    /// Reads the numeric form that `ATV0` gives, of the two results that matter.
    pub fn parse_numeric(line: &str) -> Option<Self> {
        match line {
            "0" => Some(Self::Ok),
            "4" => Some(Self::Error),
            _ => None,
        }
    }

    /// Whether it is `OK`.
    pub fn is_ok(self) -> bool {
        self == Self::Ok
    }
}

fn coded(line: &str) -> IResult<&str, FinalResult> {
    let kind = alt((value(true, tag("+CMS ERROR")), value(false, tag("+CME ERROR"))));
    let (rest, (sms, _, _, reason)) = (kind, opt(char(':')), space0, rest).parse(line)?;
    let code = |find: fn(&str) -> Option<u16>| reason.trim().parse().ok().or_else(|| find(reason));
    let result =
        if sms { FinalResult::Cms(code(errors::cms_by_text)) } else { FinalResult::Cme(code(errors::cme_by_text)) };
    Ok((rest, result))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_results_and_nothing_else() {
        use FinalResult::*;
        let rows = [
            ("OK", Some(FinalResult::Ok)),
            ("ERROR", Some(Error)),
            ("+CMS ERROR: 330", Some(Cms(Some(330)))),
            ("+CMS ERROR:330", Some(Cms(Some(330)))),
            ("+CMS ERROR: Unknown error", Some(Cms(Some(500)))),
            ("+CMS ERROR: something new", Some(Cms(None))),
            ("+CMS ERROR: 70000", Some(Cms(None))),
            ("+CME ERROR: 14", Some(Cme(Some(14)))),
            ("+CME ERROR: SIM busy", Some(Cme(Some(14)))),
            ("+CME ERROR: sim-busy", Some(Cme(Some(14)))),
            ("+CME ERROR: (U)SIM not inserted", Some(Cme(Some(10)))),
            ("+CME ERROR: unknown", Some(Cme(Some(100)))),
            ("COMMAND NOT SUPPORT", Some(NotSupported)),
            ("TOO MANY PARAMETERS", Some(TooManyParameters)),
            ("NO CARRIER", Some(Call)),
            ("CONNECT 115200", Some(Call)),
            ("OK then", None),
            ("+CMGS: 3", None),
            ("0", None),
            ("", None),
        ];
        for (line, expected) in rows {
            assert_eq!(FinalResult::parse(line), expected, "{line}");
        }
    }
}
