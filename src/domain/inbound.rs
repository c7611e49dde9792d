//! What comes in: messages from people, perhaps in parts, and what some of them ask for by a word.

use super::equipment::{Imei, SimCard};
use super::id::InboundId;
use super::secret::Secret;
use super::time::{Deadline, Wall};
use std::time::Duration;

/// A message that came in. What it says is in its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inbound {
    /// Its id.
    pub id: InboundId,
    /// Its place in the order in which messages were given out.
    pub sequence: u64,
    /// The modem that its first part came to.
    pub modem: Imei,
    /// The SIM card that it was sent to.
    pub sim_card: SimCard,
    /// Who sent it: a number, with `+` if it is certain what it is to the rest of the world, else as it was written; a short
    /// code or a name. `None` if that can't be read.
    pub from: Option<Secret>,
    /// When it was whole here, or was given out without the rest; while it waits for parts, when the first came.
    pub received: Wall,
    /// The SMSC's time stamp, as it came, with its zone; of the first part that came. Nothing is decided on it but which of
    /// two words of one sender was the later one.
    pub sent: Option<String>,
    /// What its parts have in common, if it is one of several.
    pub concat: Option<Concatenation>,
    /// The parts that came, in the order of their numbers.
    pub parts: Vec<InboundPart>,
    /// Where it stands.
    pub state: InboundState,
}

/// What the parts of one message have in common (TS 23.040 §9.2.3.24.1, §9.2.3.24.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Concatenation {
    /// The reference that the sender's phone gave it.
    pub reference: u16,
    /// Width of the reference: 8 or 16. References of different width don't belong together.
    pub bits: u8,
    /// How many parts there are.
    pub total: u8,
}

/// One part that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InboundPart {
    /// Its number, from 1.
    pub number: u8,
    /// The keyed hash under which its PDU is kept.
    pub pdu: [u8; 16],
}

/// Where a message that came in stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InboundState {
    /// It waits for its other parts. Nobody is told of it yet.
    Waiting {
        /// Until when.
        until: Deadline,
    },
    /// It is whole.
    Received,
    /// Some of its parts did not come in time.
    Incomplete,
    /// It can't be read.
    Undecodable,
}

impl Inbound {
    /// How many parts it has, or should have.
    pub fn total(&self) -> u8 {
        self.concat.map_or(1, |concat| concat.total)
    }

    /// When it was sent, by the SMSC's clock; if that can't be told, when it came.
    pub fn was_sent(&self) -> Wall {
        self.sent.as_deref().and_then(Wall::parse).unwrap_or(self.received)
    }

    /// Whether all its parts are here.
    pub fn is_whole(&self) -> bool {
        self.parts.len() == usize::from(self.total())
    }

    /// Whether this part is here.
    pub fn has(&self, number: u8) -> bool {
        self.parts.iter().any(|part| part.number == number)
    }

    /// Takes a part in.
    pub fn add(&mut self, part: InboundPart) {
        let place = self.parts.partition_point(|known| known.number < part.number);
        self.parts.insert(place, part);
    }
}

/// A sender, or another number, for people who need not know it: its beginning and its end.
pub fn masked(from: &str) -> String {
    let chars: Vec<char> = from.chars().collect();
    let (head, tail) = match chars.len() {
        0..=2 => (0, 0),
        3..=6 => (1, 1),
        _ => (3, 2),
    };
    let end = &chars[chars.len() - tail..];
    chars[..head].iter().copied().chain(['…']).chain(end.iter().copied()).collect()
}

/// What is done with what comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboundRules {
    /// How long messages are kept.
    pub keep: Duration,
    /// Words that put their sender on the list of those who are not written to.
    pub stop_words: Vec<String>,
    /// Words that take their sender off it.
    pub start_words: Vec<String>,
    /// What is not sent to a number on the list.
    pub covers: OptOutCovers,
    /// What is answered to a stop word, if anything.
    pub stop_reply: Option<String>,
    /// What is answered to a call for help, if anything.
    pub help_reply: Option<String>,
    /// The country in which a national number is one, where the SIM card does not tell its own: two letters.
    pub country: Option<String>,
}

/// What an opt-out keeps back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptOutCovers {
    /// Everything.
    All,
    /// Messages, but not codes: somebody asked for those a moment ago.
    Messages,
}

impl OptOutCovers {
    /// The word of the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Messages => "messages",
        }
    }

    /// The inverse of [`OptOutCovers::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        [Self::All, Self::Messages].into_iter().find(|covers| covers.as_str() == word)
    }
}

/// What a text that is nothing but one word asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keyword {
    /// To be left alone.
    Stop,
    /// To be written to again.
    Start,
    /// To be told what this is.
    Help,
}

impl Default for InboundRules {
    fn default() -> Self {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Self {
            keep: Duration::from_secs(30 * 24 * 3600),
            stop_words: words(STOP_WORDS),
            start_words: words(START_WORDS),
            covers: OptOutCovers::All,
            stop_reply: None,
            help_reply: None,
            country: None,
        }
    }
}

impl InboundRules {
    /// What a text asks for. Only the whole text counts, without the blanks around it and in any case: who writes "please
    /// don't stop" must not be taken at one word.
    pub fn keyword(&self, text: &str) -> Option<Keyword> {
        let folded = fold(text);
        let is_in = |words: &[String]| words.iter().any(|word| fold(word) == folded);
        if is_in(&self.stop_words) {
            Some(Keyword::Stop)
        } else if is_in(&self.start_words) {
            Some(Keyword::Start)
        } else {
            HELP_WORDS.iter().any(|word| fold(word) == folded).then_some(Keyword::Help)
        }
    }
}

fn fold(text: &str) -> String {
    text.trim().to_lowercase()
}

/// How long a message waits for its parts.
pub const PARTS_WITHIN: Duration = Duration::from_secs(600);
/// A message said to have more parts is not put together: a record names them all, and no phone writes so many.
pub const MOST_PARTS: u8 = 100;

/// Those that carriers ask for, and what people write elsewhere.
const STOP_WORDS: &[&str] = &[
    "STOP",
    "STOPALL",
    "STOP ALL",
    "STOPP",
    "UNSUBSCRIBE",
    "CANCEL",
    "END",
    "QUIT",
    "REVOKE",
    "OPTOUT",
    "OPT OUT",
    "ARRET",
    "ARRÊT",
    "BAJA",
];
const START_WORDS: &[&str] = &["START", "UNSTOP", "SUBSCRIBE"];
const HELP_WORDS: &[&str] = &["HELP", "INFO"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyword_is_the_whole_text_in_any_case() {
        let rules = InboundRules::default();
        let rows = [
            ("STOP", Some(Keyword::Stop)),
            ("  stop\n", Some(Keyword::Stop)),
            ("Arrêt", Some(Keyword::Stop)),
            ("opt out", Some(Keyword::Stop)),
            ("stop it", None),
            ("STOP.", None),
            ("", None),
            ("Start", Some(Keyword::Start)),
            ("help", Some(Keyword::Help)),
            ("info please", None),
        ];
        for (text, keyword) in rows {
            assert_eq!(rules.keyword(text), keyword, "{text:?}");
        }
        let own = InboundRules { stop_words: vec!["Genug".into()], ..rules };
        assert_eq!((own.keyword("GENUG"), own.keyword("STOP")), (Some(Keyword::Stop), None));
    }

    #[test]
    fn a_masked_sender_names_nobody() {
        for (from, shown) in
            [("+14155550123", "+14…23"), ("12345", "1…5"), ("7", "…"), ("", "…"), ("Überbank", "Übe…nk")]
        {
            assert_eq!(masked(from), shown);
        }
    }

    #[test]
    fn parts_stand_in_the_order_of_their_numbers() {
        let mut message = Inbound {
            id: InboundId(1),
            sequence: 0,
            modem: Imei::new("1"),
            sim_card: SimCard::new("2"),
            from: None,
            received: Wall(0),
            sent: None,
            concat: Some(Concatenation { reference: 1, bits: 8, total: 3 }),
            parts: Vec::new(),
            state: InboundState::Incomplete,
        };
        for number in [2, 3, 1] {
            assert!(!message.has(number) && !message.is_whole());
            message.add(InboundPart { number, pdu: [number; 16] });
        }
        assert!(message.is_whole());
        assert_eq!(message.parts.iter().map(|part| part.number).collect::<Vec<_>>(), [1, 2, 3]);
    }
}
