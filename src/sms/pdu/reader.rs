//! A cursor over octets that knows where it is.

use super::error::{DecodeError, DecodeErrorKind};

pub(super) type Result<T> = std::result::Result<T, DecodeError>;

/// The octets still to be read, and how far into the PDU they begin.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(octets: &'a [u8]) -> Self {
        Self { rest: octets, offset: 0 }
    }

    /// Octets from the start of the PDU.
    pub(super) fn offset(&self) -> usize {
        self.offset
    }

    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    pub(super) fn octet(&mut self, field: &str) -> Result<u8> {
        Ok(self.take(1, field)?[0])
    }

    pub(super) fn array<const N: usize>(&mut self, field: &str) -> Result<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N, field)?);
        Ok(array)
    }

    pub(super) fn take(&mut self, count: usize, field: &str) -> Result<&'a [u8]> {
        let missing = count.saturating_sub(self.rest.len());
        if missing > 0 {
            return Err(DecodeError::new(field, self.offset, DecodeErrorKind::Truncated(missing)));
        }
        let (taken, rest) = self.rest.split_at(count);
        self.rest = rest;
        self.offset += count;
        Ok(taken)
    }

    /// The next `count` octets as a reader of their own, which goes on counting from the PDU's start.
    pub(super) fn part(&mut self, count: usize, field: &str) -> Result<Reader<'a>> {
        let offset = self.offset;
        Ok(Reader { rest: self.take(count, field)?, offset })
    }

    pub(super) fn discard_rest(&mut self) {
        self.offset += self.rest.len();
        self.rest = &[];
    }

    /// Nothing may be left.
    pub(super) fn end(&self, field: &str) -> Result<()> {
        match self.left() {
            0 => Ok(()),
            left => Err(DecodeError::new(field, self.offset, DecodeErrorKind::Trailing(left))),
        }
    }
}
