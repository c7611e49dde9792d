//! TP-Validity-Period (TS 23.040 §9.2.3.12): how long the SMSC may try.

use super::reader::{Reader, Result};
use super::timestamp::{Scts, decimal};
use std::time::Duration;

/// TP-VP in any of its forms; the form is the TPDU's TP-VPF.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TpVp {
    /// No TP-VP: as long as the SMSC likes.
    #[default]
    None,
    /// Relative, one octet (§9.2.3.12.1).
    Relative(u8),
    /// Until a moment (§9.2.3.12.2).
    Absolute(Scts),
    /// Enhanced, seven octets as they came (§9.2.3.12.3).
    Enhanced([u8; 7]),
}

impl TpVp {
    /// The smallest relative period not below `life`: at least 5 minutes, at most 63 weeks.
    pub fn relative(life: Duration) -> Self {
        let longest = u8::MAX;
        Self::Relative((0..longest).find(|value| relative(*value) >= life).unwrap_or(longest))
    }

    /// How long it lasts, if the field itself says so: not for none, absolute and the enhanced forms without a length.
    pub fn duration(self) -> Option<Duration> {
        match self {
            Self::None | Self::Absolute(_) => None,
            Self::Relative(value) => Some(relative(value)),
            Self::Enhanced(octets) => enhanced(octets),
        }
    }

    /// TP-VPF, bits 4 and 3 of the first octet (§9.2.3.3).
    pub(super) fn format(self) -> u8 {
        match self {
            Self::None => 0x00,
            Self::Enhanced(_) => 0x08,
            Self::Relative(_) => 0x10,
            Self::Absolute(_) => 0x18,
        }
    }

    pub(super) fn decode(first_octet: u8, reader: &mut Reader<'_>) -> Result<Self> {
        match first_octet & 0x18 {
            0x00 => Ok(Self::None),
            0x08 => reader.array("vp").map(Self::Enhanced),
            0x10 => reader.octet("vp").map(Self::Relative),
            _ => Scts::decode(reader, "vp").map(Self::Absolute),
        }
    }

    pub(super) fn encode(self, tpdu: &mut Vec<u8>) {
        match self {
            Self::None => {}
            Self::Relative(value) => tpdu.push(value),
            Self::Absolute(Scts(octets)) | Self::Enhanced(octets) => tpdu.extend(octets),
        }
    }
}

/// §9.2.3.12.1: steps of 5 minutes to 12 hours, of 30 minutes to a day, then days to 30, then weeks.
fn relative(value: u8) -> Duration {
    let value = u64::from(value);
    let minutes = match value {
        0..=143 => 5 * (value + 1),
        144..=167 => 12 * 60 + 30 * (value - 143),
        168..=196 => DAY * (value - 166),
        _ => 7 * DAY * (value - 192),
    };
    Duration::from_secs(60 * minutes)
}

/// §9.2.3.12.3: the low three bits of the first octet name the form; with the extension bit the length may lie deeper.
fn enhanced([indicator, a, b, c, ..]: [u8; 7]) -> Option<Duration> {
    match indicator & 0x87 {
        1 => Some(relative(a)),
        2 if a != 0 => Some(Duration::from_secs(a.into())),
        3 => {
            let [hours, minutes, seconds] = [a, b, c].map(|octet| u64::from(decimal(octet)));
            Some(Duration::from_secs(3600 * hours + 60 * minutes + seconds))
        }
        _ => None,
    }
}

const DAY: u64 = 24 * 60;

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3600;

    #[test]
    fn the_smallest_period_not_below_the_life() {
        let rows = [
            ("nothing", 0, 0, 300),
            ("five minutes", 300, 0, 300),
            ("a second more", 301, 1, 600),
            ("an hour", HOUR, 11, HOUR),
            ("half a day", 12 * HOUR, 143, 12 * HOUR),
            ("half a day and a second", 12 * HOUR + 1, 144, 12 * HOUR + 1800),
            ("a day", 24 * HOUR, 167, 24 * HOUR),
            ("a day and a second", 24 * HOUR + 1, 168, 48 * HOUR),
            ("thirty days", 720 * HOUR, 196, 720 * HOUR),
            ("thirty days and a second", 720 * HOUR + 1, 197, 35 * 24 * HOUR),
            ("63 weeks", 63 * 168 * HOUR, 255, 63 * 168 * HOUR),
            ("longer than there is", u64::MAX, 255, 63 * 168 * HOUR),
        ];
        for (name, life, value, seconds) in rows {
            let vp = TpVp::relative(Duration::from_secs(life));
            assert_eq!(vp, TpVp::Relative(value), "{name}");
            assert_eq!(vp.duration(), Some(Duration::from_secs(seconds)), "{name}");
        }
    }

    #[test]
    fn enhanced_forms() {
        let rows = [
            ("none", [0; 7], None),
            ("relative", [0x01, 11, 0, 0, 0, 0, 0], Some(HOUR)),
            ("single shot, seconds", [0x42, 30, 0, 0, 0, 0, 0], Some(30)),
            ("zero seconds are reserved", [0x02, 0, 0, 0, 0, 0, 0], None),
            ("hours, minutes, seconds", [0x03, 0x10, 0x20, 0x30, 0, 0, 0], Some(HOUR + 120 + 3)),
            ("reserved form", [0x04, 1, 1, 1, 0, 0, 0], None),
            ("extended indicator", [0x81, 0x01, 11, 0, 0, 0, 0], None),
        ];
        for (name, octets, seconds) in rows {
            assert_eq!(TpVp::Enhanced(octets).duration(), seconds.map(Duration::from_secs), "{name}");
        }
    }
}
