//! TP-SCTS and every other time in a TPDU.

use super::reader::{Reader, Result};
use std::fmt;

/// TP-Service-Centre-Time-Stamp: local time with its offset, seven octets of swapped semi-octets, kept as they came
/// (TS 23.040 §9.2.3.11). A semi-octet that is no decimal digit counts as 0, as that clause has it.
///
/// SMSC clocks are wrong often enough that nothing may be decided on one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Scts(pub [u8; 7]);

impl Scts {
    /// A time from its parts: the year's last two digits, and the offset from UTC in quarters of an hour (−79 to 79).
    /// Each part is written as two decimal digits.
    pub fn new(year2: u8, month: u8, day: u8, hour: u8, minute: u8, second: u8, tz_quarters: i8) -> Self {
        let swapped = |n: u8| (n / 10 % 10) | ((n % 10) << 4);
        let sign = if tz_quarters < 0 { 0x08 } else { 0 };
        let [y, m, d, h, min, s, tz] =
            [year2, month, day, hour, minute, second, tz_quarters.unsigned_abs().min(79)].map(swapped);
        Self([y, m, d, h, min, s, tz | sign])
    }

    /// The last two digits of the year.
    pub fn year2(self) -> u8 {
        decimal(self.0[0])
    }

    /// 1 to 12.
    pub fn month(self) -> u8 {
        decimal(self.0[1])
    }

    /// 1 to 31.
    pub fn day(self) -> u8 {
        decimal(self.0[2])
    }

    /// 0 to 23.
    pub fn hour(self) -> u8 {
        decimal(self.0[3])
    }

    /// 0 to 59.
    pub fn minute(self) -> u8 {
        decimal(self.0[4])
    }

    /// 0 to 59.
    pub fn second(self) -> u8 {
        decimal(self.0[5])
    }

    /// Local time less UTC in quarters of an hour. Bit 3 of the octet is the sign.
    pub fn tz_quarters(self) -> i8 {
        let quarters = decimal(self.0[6] & !0x08) as i8;
        if self.0[6] & 0x08 == 0 { quarters } else { -quarters }
    }

    /// Whether a clock could show it.
    pub fn is_plausible(self) -> bool {
        self.0[..6].iter().all(|octet| octet & 0xF < 10 && octet >> 4 < 10)
            && (1..=12).contains(&self.month())
            && (1..=31).contains(&self.day())
            && (self.hour() < 24 && self.minute() < 60 && self.second() < 60)
    }

    pub(super) fn decode(reader: &mut Reader<'_>, field: &str) -> Result<Self> {
        reader.array(field).map(Self)
    }
}

impl fmt::Display for Scts {
    /// RFC 3339, if a clock could show it. Years from 90 are of the last century: GSM began then.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let year = if self.year2() >= 90 { 1900 } else { 2000 } + u16::from(self.year2());
        let (month, day, hour, minute, second) = (self.month(), self.day(), self.hour(), self.minute(), self.second());
        let (sign, offset) =
            (if self.tz_quarters() < 0 { '-' } else { '+' }, 15 * self.tz_quarters().unsigned_abs() as u16);
        write!(
            f,
            "{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{sign}{:02}:{:02}",
            offset / 60,
            offset % 60
        )
    }
}

impl fmt::Debug for Scts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Two digits, the tens in the low nibble.
pub(super) fn decimal(octet: u8) -> u8 {
    let digit = |nibble: u8| if nibble < 10 { nibble } else { 0 };
    10 * digit(octet & 0xF) + digit(octet >> 4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Wall;

    #[test]
    fn reads() {
        let rows = [
            ("UTC", [0x62, 0x11, 0x32, 0x10, 0x53, 0x62, 0x00], "2026-11-23T01:35:26+00:00", true),
            ("ahead", [0x62, 0x11, 0x32, 0x10, 0x53, 0x62, 0x22], "2026-11-23T01:35:26+05:30", true),
            ("behind", [0x62, 0x11, 0x32, 0x10, 0x53, 0x62, 0x0A], "2026-11-23T01:35:26-05:00", true),
            ("far behind", [0x62, 0x11, 0x32, 0x10, 0x53, 0x62, 0x8C], "2026-11-23T01:35:26-12:00", true),
            ("last century", [0x99, 0x21, 0x13, 0x32, 0x95, 0x95, 0x00], "1999-12-31T23:59:59+00:00", true),
            ("all zero", [0; 7], "2000-00-00T00:00:00+00:00", false),
            ("all fillers: the sign and seven tens are left", [0xFF; 7], "2000-00-00T00:00:00-17:30", false),
        ];
        for (name, octets, text, plausible) in rows {
            assert_eq!(Scts(octets).to_string(), text, "{name}");
            assert_eq!(Scts(octets).is_plausible(), plausible, "{name}");
            assert_eq!(Wall::parse(text).is_some(), plausible, "{name}");
        }
    }

    #[test]
    fn writes_what_it_reads() {
        for tz in -79..=79 {
            let t = Scts::new(26, 11, 23, 1, 35, 26, tz);
            let read = (t.year2(), t.month(), t.day(), t.hour(), t.minute(), t.second(), t.tz_quarters());
            assert_eq!(read, (26, 11, 23, 1, 35, 26, tz));
        }
    }
}
