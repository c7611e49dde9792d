//! How seriously a limit or a rule is taken.

/// What a limit that is reached, or a rule that says no, does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It holds back.
    Enforce,
    /// It is counted and told, and holds nothing back.
    Shadow,
    /// Nothing is counted.
    Off,
}

impl Mode {
    const ALL: [Self; 3] = [Self::Enforce, Self::Shadow, Self::Off];

    /// The word in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Shadow => "shadow",
            Self::Off => "off",
        }
    }

    /// The inverse of [`Mode::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == word)
    }
}
