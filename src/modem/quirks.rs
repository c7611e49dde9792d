//! What is special about models: rows, each with its evidence. The only file that names a manufacturer.

use std::time::Duration;

/// What may differ from modem to modem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quirks {
    /// From the prompt to the PDU: a stick that gets it too soon answers it in the next command.
    pub prompt_delay: Duration,
    /// From a final result to the next command.
    pub command_gap: Duration,
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
    /// The quirks of a modem that names itself so in `+CGMI`, or of one that has not said yet.
    pub fn over(self, manufacturer: Option<&str>) -> Quirks {
        let row = ROWS.iter().find(|row| manufacturer.is_some_and(|m| m.eq_ignore_ascii_case(row.manufacturer)));
        let known = row.map_or(ANY, |row| row.quirks);
        Quirks {
            prompt_delay: self.prompt_delay.unwrap_or(known.prompt_delay),
            command_gap: self.command_gap.unwrap_or(known.command_gap),
        }
    }
}

struct Row {
    /// As in `+CGMI`.
    manufacturer: &'static str,
    quirks: Quirks,
}

/// Any real model, to begin with. A stick that got its PDU right behind the prompt answered it in the next command, and
/// 100 ms cured it; half of that is what most who measured settled on.
const ANY: Quirks = Quirks { prompt_delay: Duration::from_millis(50), command_gap: Duration::from_millis(20) };

const ROWS: &[Row] = &[
    // Our own virtual modem, which loses nothing however fast it is spoken to.
    Row { manufacturer: "otpgate", quirks: Quirks { prompt_delay: Duration::ZERO, command_gap: Duration::ZERO } },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_wins_over_the_row_and_the_row_over_the_default() {
        let ms = Duration::from_millis;
        let set = Configured { prompt_delay: Some(ms(7)), command_gap: None };
        assert_eq!(set.over(None), Quirks { prompt_delay: ms(7), command_gap: ms(20) });
        assert_eq!(set.over(Some("OTPGATE")), Quirks { prompt_delay: ms(7), command_gap: ms(0) });
        assert_eq!(Configured::default().over(Some("huawei")), ANY);
    }
}
