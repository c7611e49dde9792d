//! Who a virtual modem is.

/// Who a modem is, and whose card is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// 14 digits and the check digit.
    pub imei: String,
    /// 19 digits, the last a check digit.
    pub iccid: String,
    /// 15 digits, in the test network 001-01.
    pub imsi: String,
    /// The card's number, `+` and digits.
    pub number: String,
}

impl Identity {
    /// The identity of the virtual modem number `index`: everything in ranges that no real modem or subscriber has.
    pub fn numbered(index: usize) -> Self {
        Self {
            imei: with_check_digit(format!("001017000{:05}", index % 100_000)),
            iccid: with_check_digit(format!("8999901000{:08}", index % 100_000_000)),
            imsi: format!("00101{index:010}"),
            number: format!("+1555{:07}", (5_550_100 + index) % 10_000_000),
        }
    }
}

/// Appends the check digit of ISO/IEC 7812 (Luhn), as IMEI and ICCID have it.
fn with_check_digit(mut digits: String) -> String {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(i, b)| match (u32::from(b - b'0'), i % 2) {
            (d, 0) if d > 4 => d * 2 - 9,
            (d, 0) => d * 2,
            (d, _) => d,
        })
        .sum();
    digits.push(char::from(b'0' + ((10 - sum % 10) % 10) as u8));
    digits
}
