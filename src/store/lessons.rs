//! What was learned about models and SIM cards, kept for the next start. A few records, all of them in memory.

use super::StoreError;
use super::engine::Engine;
use super::record::{Key, Record};
use crate::domain::learned::Lesson;
use std::collections::BTreeMap;

/// The lessons, by the number under which each is on disk.
#[derive(Default)]
pub(super) struct Lessons(BTreeMap<u128, Lesson>);

impl Lessons {
    /// Takes in what is on disk.
    pub(super) fn take(&mut self, number: u128, lesson: Lesson) {
        self.0.insert(number, lesson);
    }
}

impl Engine {
    /// Keeps a lesson in the place of an earlier one about the same. What is known already is not written again.
    pub(super) fn learn(&mut self, lesson: Lesson) -> Result<(), StoreError> {
        self.refuse_writes()?;
        let lessons = &mut self.lessons.0;
        let known = lessons.iter().find(|(_, known)| known.is_about_the_same(&lesson));
        if known.is_some_and(|(_, known)| *known == lesson) {
            return Ok(());
        }
        let next = lessons.last_key_value().map_or(0, |(number, _)| number + 1);
        let number = known.map_or(next, |(number, _)| *number);
        let too_many = (lessons.len() >= MOST && number == next).then(|| lessons.pop_first()).flatten();
        lessons.insert(number, lesson.clone());
        self.put(Key::Lesson(number), Record::Lesson(lesson));
        if let Some((oldest, _)) = too_many {
            self.delete(Key::Lesson(oldest));
        }
        Ok(())
    }

    /// All of them.
    pub(super) fn lessons(&self) -> Vec<Lesson> {
        self.lessons.0.values().cloned().collect()
    }
}

/// Models and SIM cards that are remembered: many more than one box ever sees.
const MOST: usize = 1000;
