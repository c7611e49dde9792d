//! Why octets are no TPDU, and where.

use std::fmt;

/// Where decoding stopped and why. Holds nothing of the PDU's content, so it may be logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// The field in the spec's abbreviation, nested ones joined by dots: `ud.udh`, `oa.toa`.
    pub field: String,
    /// Octets from the start of what was given, the SMSC field included.
    pub offset: usize,
    /// What is wrong there.
    pub kind: DecodeErrorKind,
}

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeErrorKind {
    /// The field needs this many octets more than there are.
    Truncated(usize),
    /// This many octets are left over.
    Trailing(usize),
    /// The length octet says this, which the specification rules out.
    BadLength(u8),
    /// A filler stands inside a number.
    BadDigit,
    /// No hexadecimal digit, or half an octet.
    NotHex,
}

impl DecodeError {
    pub(super) fn new(field: &str, offset: usize, kind: DecodeErrorKind) -> Self {
        Self { field: field.to_owned(), offset, kind }
    }

    /// The same error, seen from the field that contains this one.
    pub(super) fn within(mut self, outer: &str) -> Self {
        self.field = if self.field.is_empty() { outer.to_owned() } else { format!("{outer}.{}", self.field) };
        self
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at octet {}: ", self.field, self.offset)?;
        match self.kind {
            DecodeErrorKind::Truncated(missing) => write!(f, "the PDU ends {missing} octet(s) too early"),
            DecodeErrorKind::Trailing(left) => write!(f, "{left} octet(s) too many"),
            DecodeErrorKind::BadLength(length) => write!(f, "a length of {length} is not possible here"),
            DecodeErrorKind::BadDigit => write!(f, "a filler inside a number"),
            DecodeErrorKind::NotHex => write!(f, "not pairs of hexadecimal digits"),
        }
    }
}

impl std::error::Error for DecodeError {}
