//! What sends: a modem is its IMEI, a SIM card its ICCID. Port names are hints and appear in neither.

use sha2::{Digest, Sha256};
use std::fmt;

macro_rules! equipment {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Takes the number as the modem gave it, already stripped of filler and swapped into reading order.
            pub fn new(number: impl Into<String>) -> Self {
                Self(number.into())
            }

            /// The whole number, for the API's own answers and sealed records.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            /// The last five digits, which tell two apart on a desk without naming them to the world.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let tail = self.0.len().saturating_sub(5);
                write!(f, "…{}", self.0.get(tail..).unwrap_or_default())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

equipment!(
    /// A modem: its IMEI, 15 digits (TS 23.003 §6.2.1), or a stand-in where it has none.
    Imei
);
impl Imei {
    /// What stands in for the IMEI of a modem that tells none: the place where it is plugged in, hashed, so that what is
    /// stored of it is short and names no port.
    pub fn stand_in(place: &str) -> Self {
        let hash = Sha256::digest(place);
        Self(hash.iter().take(5).fold("port-".to_owned(), |name, byte| format!("{name}{byte:02x}")))
    }
}

equipment!(
    /// A SIM card: its ICCID, up to 20 digits (ITU-T E.118), or its IMSI where the ICCID can't be read.
    SimCard
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stand_in_is_short_and_tells_two_places_apart() {
        let (one, two) =
            (Imei::stand_in("/dev/serial/by-id/usb-a-if00"), Imei::stand_in("/dev/serial/by-id/usb-a-if01"));
        assert_ne!(one, two);
        assert_eq!(one, Imei::stand_in("/dev/serial/by-id/usb-a-if00"));
        assert_eq!(one.as_str().len(), 15);
        assert!(!one.as_str().contains('/'));
    }
}
