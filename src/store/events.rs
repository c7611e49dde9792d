//! The event log: what happened that somebody may want to hear of, newest last. Bounded, and pruned a few at a time.

use super::engine::Engine;
use super::record::{Key, Record};
use super::{EventQuery, Page, StoreError};
use crate::domain::event::{EventKind, LoggedEvent, MAX_SENTENCE, NewEvent};
use crate::domain::id::EventId;
use crate::domain::time::{Now, Wall};
use std::collections::BTreeMap;
use std::time::Duration;

/// The log in memory: what lists are made from, in the order in which it was logged. Ids sort by the wall clock, which may
/// be set back.
#[derive(Default)]
pub(super) struct EventLog {
    lines: BTreeMap<u64, Line>,
    next: u64,
}

#[derive(Clone, Copy)]
struct Line {
    id: EventId,
    at: Wall,
    kind: EventKind,
}

impl EventLog {
    /// Takes in what is on disk.
    pub(super) fn take(&mut self, event: &LoggedEvent) {
        self.next = self.next.max(event.sequence + 1);
        self.lines.insert(event.sequence, Line { id: event.id, at: event.at, kind: event.event.kind });
    }

    /// Up to [`PRUNED`] lines that are too many, or too old.
    fn prune(&mut self, now: Wall) -> Vec<EventId> {
        let mut pruned = Vec::new();
        while let Some(first) = self.lines.first_entry()
            && pruned.len() < PRUNED
        {
            let is_old = now - first.get().at > KEPT_FOR;
            let id = first.get().id;
            if !is_old && self.lines.len() <= KEPT {
                break;
            }
            self.lines.pop_first();
            pruned.push(id);
        }
        pruned
    }

    fn newest_first(&self, before: Option<EventId>) -> impl Iterator<Item = &Line> {
        // A line that is pruned by now ends the list: those before it are gone, too.
        let place = |id| self.lines.iter().rev().find(|(_, line)| line.id == id).map_or(0, |(place, _)| *place);
        self.lines.range(..before.map_or(u64::MAX, place)).rev().map(|(_, line)| line)
    }
}

impl Engine {
    /// Logs what happened.
    pub(super) fn note(&mut self, event: NewEvent, now: &Now) -> EventId {
        let sequence = self.events.next;
        let salt = self.keyrings().next().map(|keyring| keyring.fingerprint(&[b"event", &sequence.to_be_bytes()]));
        // Unlike any before it, in any store: no random number is needed for that.
        let mut unique = [0; 10];
        unique.copy_from_slice(&salt.unwrap_or_default()[..10]);
        let sentence = event.sentence.chars().take(MAX_SENTENCE).collect();
        let event = NewEvent { sentence, ..event };
        let logged = LoggedEvent { id: EventId::new(now.wall, unique), sequence, at: now.wall, event };
        self.events.take(&logged);
        self.publish_event(&logged, now);
        let id = logged.id;
        self.put(Key::Event(id), Record::Event(logged));
        // Each that comes makes room for itself: no flood of them grows the log.
        self.prune_events(now);
        id
    }

    /// A page of the log, newest first.
    pub(super) fn event_page(&self, query: &EventQuery) -> Page<LoggedEvent, EventId> {
        let fits = |line: &&Line| {
            query.kind.is_none_or(|kind| kind == line.kind)
                && query.since.is_none_or(|t| line.at >= t)
                && query.until.is_none_or(|t| line.at < t)
        };
        let lines = self.events.newest_first(query.before).filter(fits);
        let events = lines.filter_map(|line| match self.get(Key::Event(line.id)) {
            Ok(Some(Record::Event(event))) => Some(event),
            _ => None,
        });
        Page::first_of(events, query.limit, |event| event.id)
    }

    /// Forgets some of what the log need not keep.
    pub(super) fn prune_events(&mut self, now: &Now) {
        for id in self.events.prune(now.wall) {
            self.delete(Key::Event(id));
        }
    }

    pub(super) fn logged(&mut self, event: NewEvent, now: &Now) -> Result<EventId, StoreError> {
        self.refuse_writes()?;
        Ok(self.note(event, now))
    }
}

/// Lines that are kept, and for how long.
const KEPT: usize = 10_000;
const KEPT_FOR: Duration = Duration::from_secs(7 * 24 * 3600);
/// Lines that one batch forgets, at most: no modem waits long for its own.
const PRUNED: usize = 16;
