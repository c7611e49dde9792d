//! From a text to the user data of its parts.

use super::gsm7::{self, Tables};
use super::pdu::{Alphabet, Payload, Udh, UserData, septets_behind, units_behind};
use super::ucs2;
use std::fmt;
use std::ops::Range;

/// Whether a text may be written in national tables. Old phones show such a text garbled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NationalShift {
    /// The default alphabet and its extension, else UCS-2.
    #[default]
    Off,
    /// A national table too, where it takes fewer parts than UCS-2.
    Allowed,
}

/// A text, encoded and cut into parts that fit. Holds the text: `Debug` shows sizes only.
#[derive(Clone, PartialEq, Eq)]
pub struct Segments {
    units: Units,
    /// Where each part lies in the units. Never empty.
    parts: Vec<Range<usize>>,
}

/// The text needs more parts than a concatenation can count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong {
    /// The parts it would need.
    pub parts: usize,
}

/// Encodes a text in the smallest alphabet that holds every character, and cuts it where need be: 160 septets or 70
/// UTF-16 units alone, 153 or 67 a part with the header of concatenation (TS 23.040 §9.2.3.24.1), less with national
/// tables. No cut separates an escape from its septet or a surrogate from its partner.
pub fn segment(text: &str, shifts: NationalShift) -> Result<Segments, TooLong> {
    let segments = match Segments::in_tables(Tables::DEFAULT, text) {
        Some(segments) => segments,
        None => {
            let ucs2 = Segments::cut(Units::Ucs2(text.encode_utf16().collect()));
            match shifts {
                NationalShift::Off => ucs2,
                // On a tie UCS-2: every phone reads it.
                NationalShift::Allowed => {
                    Segments::national(text).filter(|national| national.len() < ucs2.len()).unwrap_or(ucs2)
                }
            }
        }
    };
    if segments.len() > MAX_PARTS { Err(TooLong { parts: segments.len() }) } else { Ok(segments) }
}

impl Segments {
    /// The alphabet: GSM 7-bit or UCS-2.
    pub fn alphabet(&self) -> Alphabet {
        match self.units {
            Units::Gsm7(..) => Alphabet::Gsm7,
            Units::Ucs2(_) => Alphabet::Ucs2,
        }
    }

    /// How many parts, 1 to 255. An empty text is one empty part.
    #[allow(clippy::len_without_is_empty, reason = "there is always a part")]
    pub fn len(&self) -> usize {
        self.parts.len()
    }

    /// Septets or UTF-16 units in all parts.
    pub fn units(&self) -> usize {
        self.units.len()
    }

    /// Septets or UTF-16 units that the last part still has room for ("characters left").
    pub fn units_left(&self) -> usize {
        let used = self.parts.last().map_or(0, |part| part.len());
        self.units.capacity(self.len() > 1) - used
    }

    /// The national tables in use, the default ones in most texts.
    pub fn tables(&self) -> Tables {
        self.units.tables()
    }

    /// The user data of a part, counted from 0. `concat_ref` must be the same for all parts of one message and differ
    /// from the last message's to the same number. `None` beyond the last part.
    pub fn part_user_data(&self, index: usize, concat_ref: u8) -> Option<UserData> {
        let range = self.parts.get(index)?.clone();
        let concat = (self.len() > 1).then_some([concat_ref, self.len() as u8, index as u8 + 1]);
        let payload = match &self.units {
            Units::Gsm7(_, septets) => Payload::Gsm7(septets[range].to_vec()),
            Units::Ucs2(units) => Payload::Ucs2(ucs2::to_octets(&units[range])),
        };
        UserData::new(Udh::for_text(self.tables(), concat), payload)
    }

    fn in_tables(tables: Tables, text: &str) -> Option<Self> {
        tables.encode(text).map(|septets| Self::cut(Units::Gsm7(tables, septets)))
    }

    /// In the national tables that take the fewest parts, and among those the fewest septets.
    fn national(text: &str) -> Option<Self> {
        Tables::national()
            .filter_map(|tables| Self::in_tables(tables, text))
            .min_by_key(|segments| (segments.len(), segments.units()))
    }

    fn cut(units: Units) -> Self {
        let capacity = units.capacity(units.len() > units.capacity(false));
        let mut parts = Vec::new();
        let mut start = 0;
        loop {
            let full = units.len().min(start + capacity);
            let end = if full < units.len() && units.opens_pair(full - 1) { full - 1 } else { full };
            parts.push(start..end);
            if end == units.len() {
                return Self { units, parts };
            }
            start = end;
        }
    }
}

impl fmt::Debug for Segments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Segments[{:?}, {} units, {} parts]", self.alphabet(), self.units(), self.len())
    }
}

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the text needs {} SMS parts, and {MAX_PARTS} is the most there can be; shorten it", self.parts)
    }
}

impl std::error::Error for TooLong {}

/// An encoded text: what is counted, and where it may not be cut.
#[derive(Clone, PartialEq, Eq)]
enum Units {
    Gsm7(Tables, Vec<u8>),
    Ucs2(Vec<u16>),
}

impl Units {
    fn len(&self) -> usize {
        match self {
            Self::Gsm7(_, septets) => septets.len(),
            Self::Ucs2(units) => units.len(),
        }
    }

    fn tables(&self) -> Tables {
        match self {
            Self::Gsm7(tables, _) => *tables,
            Self::Ucs2(_) => Tables::DEFAULT,
        }
    }

    /// The most units in a part, alone or concatenated.
    fn capacity(&self, concatenated: bool) -> usize {
        let header = Udh::for_text(self.tables(), concatenated.then_some([0; 3])).map_or(0, |udh| udh.octets());
        match self {
            Self::Gsm7(..) => septets_behind(header),
            Self::Ucs2(_) => units_behind(header),
        }
    }

    fn opens_pair(&self, at: usize) -> bool {
        match self {
            Self::Gsm7(_, septets) => septets[at] == gsm7::ESCAPE,
            Self::Ucs2(units) => ucs2::opens_pair(units[at]),
        }
    }
}

/// The total is one octet of the concatenation element.
const MAX_PARTS: usize = u8::MAX as usize;
