//! Amounts of money, in whatever currency a SIM card's plan has.

use std::fmt;

/// An amount, in thousandths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(i64);

impl Amount {
    /// The amount as programs that reckon with fractions have it.
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// Reads an amount as people and networks write it: `10`, `1.50`, `1,50`, `1 234.56`, `1.234,56`, `-0.30`. A point or comma
    /// before three digits separates thousands, unless another sort of separator stood before it.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (negative, text) = match text.strip_prefix(['-', '\u{2212}']) {
            Some(rest) => (true, rest.trim_start()),
            None => (false, text),
        };
        let digits: String = text.chars().filter(|c| !c.is_whitespace() && *c != '\'' && *c != '\u{2019}').collect();
        let (whole, fraction) = match digits.rfind(['.', ',']) {
            Some(at)
                if digits.len() - at == 4
                    && !digits[..at].contains(if digits[at..].starts_with('.') { ',' } else { '.' }) =>
            {
                (digits.as_str(), "")
            }
            Some(at) => (&digits[..at], &digits[at + 1..]),
            None => (digits.as_str(), ""),
        };
        let whole: String = whole.chars().filter(|c| !matches!(c, '.' | ',')).collect();
        let fits = (1..=12).contains(&whole.len()) && fraction.len() <= 3;
        if !fits || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
            return None;
        }
        let thousandths: i64 = format!("{fraction:0<3}").parse().ok()?;
        let amount = whole.parse::<i64>().ok()? * 1000 + thousandths;
        Some(Self(if negative { -amount } else { amount }))
    }
}

impl fmt::Display for Amount {
    /// With two digits behind the point, or three where the third counts.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, size) = (if self.0 < 0 { "-" } else { "" }, self.0.unsigned_abs());
        let (whole, rest) = (size / 1000, size % 1000);
        match rest % 10 {
            0 => write!(f, "{sign}{whole}.{:02}", rest / 10),
            _ => write!(f, "{sign}{whole}.{rest:03}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_as_they_are_written() {
        let rows = [
            ("10", "10.00"),
            ("1.5", "1.50"),
            ("1,50", "1.50"),
            (" 007.92 ", "7.92"),
            ("1 234.56", "1234.56"),
            ("1.234,56", "1234.56"),
            ("1,234.567", "1234.567"),
            ("1,234", "1234.00"),
            ("1.234.567", "1234567.00"),
            ("1'000.00", "1000.00"),
            ("-0.30", "-0.30"),
            ("0", "0.00"),
        ];
        for (text, shown) in rows {
            assert_eq!(Amount::parse(text).map(|a| a.to_string()).as_deref(), Some(shown), "{text}");
        }
        for text in ["", "-", ".", "ten", "1.2.3x", "1234567890123", "1.2345", "\u{664}"] {
            assert_eq!(Amount::parse(text), None, "{text}");
        }
        assert!(Amount::parse("-0.30") < Amount::parse("0.299") && Amount::parse("9") < Amount::parse("10.00"));
    }
}
