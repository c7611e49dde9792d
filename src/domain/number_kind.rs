//! What a phone number is for.

/// What a number is for, as its numbering plan has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NumberKind {
    /// A telephone in one place.
    FixedLine,
    /// A mobile telephone.
    Mobile,
    /// One of the two: the plan does not tell.
    FixedLineOrMobile,
    /// A call costs its caller nothing.
    TollFree,
    /// A call costs its caller more, and earns somebody something.
    PremiumRate,
    /// A call costs both sides something.
    SharedCost,
    /// Voice over IP.
    Voip,
    /// A number that goes with a person.
    Personal,
    /// A pager.
    Pager,
    /// A company's one number.
    Universal,
    /// A mailbox.
    VoiceMail,
    /// The plan has no such number.
    Unknown,
}

impl NumberKind {
    /// All that can be told apart: where the plan does not tell a fixed line from a mobile telephone, it counts as mobile.
    pub const ALL: [Self; 11] = [
        Self::FixedLine,
        Self::Mobile,
        Self::TollFree,
        Self::PremiumRate,
        Self::SharedCost,
        Self::Voip,
        Self::Personal,
        Self::Pager,
        Self::Universal,
        Self::VoiceMail,
        Self::Unknown,
    ];

    /// The word in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FixedLine => "fixed_line",
            Self::Mobile | Self::FixedLineOrMobile => "mobile",
            Self::TollFree => "toll_free",
            Self::PremiumRate => "premium_rate",
            Self::SharedCost => "shared_cost",
            Self::Voip => "voip",
            Self::Personal => "personal",
            Self::Pager => "pager",
            Self::Universal => "universal",
            Self::VoiceMail => "voice_mail",
            Self::Unknown => "unknown",
        }
    }

    /// The inverse of [`NumberKind::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// What it counts as: one that may be mobile is mobile.
    pub fn counts_as(self) -> Self {
        if self == Self::FixedLineOrMobile { Self::Mobile } else { self }
    }
}
