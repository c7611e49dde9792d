//! The inbox of the whole virtual network: what arrived, put together again, newest first, and no more than fits.

use super::network::Copy;
use crate::domain::time::Wall;
use std::collections::VecDeque;

/// A message as a phone shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxMessage {
    /// Counts up from 1 with each message.
    pub sequence: u64,
    /// When its first part arrived.
    pub time: Wall,
    /// The sending card's number.
    pub from: String,
    /// The recipient, as it stood in the message.
    pub to: String,
    /// The text; of a concatenated message, the parts that have come, in order.
    pub text: String,
    /// How many parts it has.
    pub total: u8,
    /// The parts that have come, in order of their numbers.
    pub parts: Vec<InboxPart>,
}

/// One part of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxPart {
    /// Its number, from 1.
    pub part: u8,
    /// Its text.
    pub text: String,
    /// When its first copy arrived.
    pub time: Wall,
    /// IMEI of the modem that sent it.
    pub imei: String,
    /// How many copies arrived.
    pub copies: u32,
}

impl InboxMessage {
    /// Whether every part has come.
    pub fn is_complete(&self) -> bool {
        self.parts.len() == usize::from(self.total)
    }
}

/// The messages that arrived last.
#[derive(Debug)]
pub struct Inbox {
    capacity: usize,
    sequence: u64,
    /// Newest first, with the concatenation reference.
    messages: VecDeque<(InboxMessage, Option<u16>)>,
}

impl Inbox {
    /// An inbox of so many messages.
    pub fn new(capacity: usize) -> Self {
        Self { capacity: capacity.max(1), sequence: 0, messages: VecDeque::new() }
    }

    /// Takes a copy. A part belongs to the newest message with its sender, recipient, reference and total; a second
    /// copy of a part is counted while its message is incomplete, and begins a new message otherwise, as on a phone.
    pub(super) fn add(&mut self, copy: &Copy) {
        let part =
            InboxPart { part: copy.part, text: copy.text.clone(), time: copy.time, imei: copy.imei.clone(), copies: 1 };
        let known = self.messages.iter_mut().take(SEARCHED).find(|(m, reference)| {
            copy.total > 1
                && *reference == copy.concat_reference
                && m.total == copy.total
                && m.from == copy.from
                && m.to == copy.to
                && !m.is_complete()
        });
        if let Some((message, _)) = known {
            match message.parts.binary_search_by_key(&copy.part, |p| p.part) {
                Ok(at) => message.parts[at].copies += 1,
                Err(at) => message.parts.insert(at, part),
            }
            message.text = message.parts.iter().map(|p| p.text.as_str()).collect();
            return;
        }
        self.sequence += 1;
        let message = InboxMessage {
            sequence: self.sequence,
            time: copy.time,
            from: copy.from.clone(),
            to: copy.to.clone(),
            text: copy.text.clone(),
            total: copy.total,
            parts: vec![part],
        };
        self.messages.truncate(self.capacity - 1);
        self.messages.push_front((message, copy.concat_reference));
    }

    /// The messages, newest first; those to one number if `to` is given (`+` counts for nothing).
    pub fn messages<'a>(&'a self, to: Option<&'a str>) -> impl Iterator<Item = &'a InboxMessage> {
        let bare = |n: &'a str| n.trim_start_matches('+');
        self.messages.iter().map(|(m, _)| m).filter(move |m| to.is_none_or(|to| bare(&m.to) == bare(to)))
    }

    /// Forgets them all.
    pub fn clear(&mut self) {
        self.messages.clear();
    }
}

/// A part is looked for among this many of the newest messages.
const SEARCHED: usize = 256;
