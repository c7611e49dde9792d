//! Ids as the API shows them: a prefix that says the kind, and a UUID version 7, so that they sort by time.

use std::fmt;
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u128);

        impl $name {
            /// A new id from the wall clock and ten random bytes (RFC 9562 §5.7).
            pub fn new(now: crate::domain::time::Wall, random: [u8; 10]) -> Self {
                let millis = u64::try_from(now.0).unwrap_or(0);
                Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid().as_u128())
            }

            /// Reads what `Display` writes. `None` for anything else.
            pub fn parse(text: &str) -> Option<Self> {
                let hex = text.strip_prefix(concat!($prefix, "_"))?;
                let id = (hex.len() == 32).then(|| Uuid::try_parse(hex).ok())?.map(|u| Self(u.as_u128()))?;
                // Capitals would be a second name for the same thing.
                (id.to_string() == text).then_some(id)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), Uuid::from_u128(self.0).simple())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

id!(
    /// One text to one number.
    MessageId, "msg"
);
id!(
    /// One code and what became of it.
    VerificationId, "ver"
);
id!(
    /// An API key. The key's secret is no part of it.
    KeyId, "key"
);
id!(
    /// One message that came in.
    InboundId, "inb"
);
id!(
    /// One line of the event log.
    EventId, "evt"
);
id!(
    /// One number on the opt-out list.
    OptOutId, "opt"
);
id!(
    /// One webhook.
    WebhookId, "whk"
);
id!(
    /// One piece of news on its way to one webhook.
    DeliveryId, "whd"
);
id!(
    /// One entry of the guard's lists.
    ListedId, "lst"
);
id!(
    /// Who owns records: one or several keys belong to a client.
    ClientId, "cli"
);

impl ClientId {
    /// The gateway itself, which answers words like STOP. No key is of this client.
    pub const GATEWAY: Self = Self(0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Wall;

    #[test]
    fn reads_what_it_prints_and_nothing_else() {
        let id = MessageId::new(Wall(1_795_397_726_123), [7; 10]);
        assert_eq!(MessageId::parse(&id.to_string()), Some(id));
        let text = id.to_string();
        for bad in [
            "",
            "msg_",
            &text[4..],
            &text.replace("msg", "ver"),
            &format!("{text}0"),
            "msg_gggggggggggggggggggggggggggggggg",
            &format!("msg_{}", text[4..].to_uppercase()),
        ] {
            assert_eq!(MessageId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn sorts_by_time() {
        assert!(MessageId::new(Wall(1), [255; 10]) < MessageId::new(Wall(2), [0; 10]));
    }
}
