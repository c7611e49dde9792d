//! The guard's ledgers: one for each subject, in memory and on disk, found by a keyed hash of the subject.
//!
//! On disk a ledger's times are ages, with the deadline-like moment at which they were written: within one boot its clock
//! tells how much older they are by now, after another boot the wall clock must. One that was set back makes them no
//! younger than they were when they were written.

use crate::domain::time::{At, Deadline, Now};
use crate::otp::guard::ledger::{Kind, Ledger, Mark};
use crate::store::engine::Engine;
use crate::store::record::{Key, Record};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A ledger as it is on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptLedger {
    /// What it is about.
    pub kind: Kind,
    /// The keyed hash of the number that it is about as well.
    pub number: Option<[u8; 16]>,
    /// When it was written.
    pub written: Deadline,
    /// Its marks, with their ages then.
    pub marks: Vec<KeptMark>,
    /// Its level.
    pub level: u32,
    /// How long ago it had begun to say no.
    pub since: Option<Duration>,
}

/// A mark as it is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptMark {
    /// How old it was.
    pub age: Duration,
    /// As in memory.
    pub n: u32,
    /// As in memory.
    pub m: u32,
}

impl KeptLedger {
    fn of(ledger: &Ledger, number: Option<[u8; 16]>, now: &Now) -> Self {
        let mark = |mark: &Mark| KeptMark { age: mark.at.age(now), n: mark.n, m: mark.m };
        Self {
            kind: ledger.kind,
            number,
            written: now.after(Duration::ZERO),
            marks: ledger.marks.iter().map(mark).collect(),
            level: ledger.level,
            since: ledger.since.map(|at| at.age(now)),
        }
    }

    fn ledger(self, now: &Now) -> Ledger {
        let Deadline { wall, boot } = self.written;
        let since_written = match boot.id == now.boot.id {
            true => now.boot.since_boot.saturating_sub(boot.since_boot),
            false => now.wall - wall,
        };
        let at = |age: Duration| At::ago(age.saturating_add(since_written), now);
        let mark = |mark: KeptMark| Mark { at: at(mark.age), n: mark.n, m: mark.m };
        Ledger {
            kind: self.kind,
            marks: self.marks.into_iter().map(mark).collect(),
            level: self.level,
            since: self.since.map(at),
        }
    }
}

/// All of them.
#[derive(Default)]
pub(in crate::store) struct Ledgers {
    by_hash: BTreeMap<[u8; 16], (Ledger, Option<[u8; 16]>)>,
    /// When each holds nothing any more.
    ends: BTreeSet<(At, [u8; 16])>,
}

/// Whose ledger it is: where it is on disk, and where it would be if it were made now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Subject {
    kind: Kind,
    known: Option<[u8; 16]>,
    current: [u8; 16],
    number: Option<[u8; 16]>,
}

impl Ledgers {
    /// Takes in what is on disk.
    pub(in crate::store) fn take(&mut self, hash: [u8; 16], kept: KeptLedger, now: &Now) {
        let number = kept.number;
        self.put(hash, kept.ledger(now), number);
    }

    fn put(&mut self, hash: [u8; 16], ledger: Ledger, number: Option<[u8; 16]>) {
        self.remove(hash);
        self.ends.insert((ledger.ends(), hash));
        self.by_hash.insert(hash, (ledger, number));
    }

    fn remove(&mut self, hash: [u8; 16]) {
        if let Some((ledger, _)) = self.by_hash.remove(&hash) {
            self.ends.remove(&(ledger.ends(), hash));
        }
    }

    /// One that holds nothing any more. When there are too many, the one that will first.
    fn pop_ended(&mut self, now: &Now) -> Option<[u8; 16]> {
        let (ends, hash) = *self.ends.first()?;
        if ends.left(now) > Duration::ZERO && self.by_hash.len() <= MOST {
            return None;
        }
        self.remove(hash);
        Some(hash)
    }

    pub(super) fn len(&self) -> usize {
        self.by_hash.len()
    }
}

impl Engine {
    /// Finds a subject by its parts.
    pub(super) fn subject(&self, kind: Kind, parts: &[&[u8]]) -> Subject {
        let parts = [&[b"guard".as_slice(), kind_word(kind)], parts].concat();
        let mut hashes = self.keyrings().map(|keyring| keyring.fingerprint(&parts));
        let current = hashes.next().unwrap_or_default();
        let by_hash = &self.guard.ledgers.by_hash;
        // One from before a rotation of the master key is found by its older hash.
        let known = [current].into_iter().chain(hashes).find(|hash| by_hash.contains_key(hash));
        Subject { kind, known, current, number: None }
    }

    /// The subject that a client's number is. Its ledger tells the number's hash, by which an admin finds it.
    pub(super) fn subject_of_number(&self, kind: Kind, client: &[u8], digits: &str) -> Subject {
        let number = self.keyring().fingerprint(&[b"guard number", digits.as_bytes()]);
        Subject { number: Some(number), ..self.subject(kind, &[client, digits.as_bytes()]) }
    }

    /// What is known of it.
    pub(super) fn ledger(&self, subject: &Subject) -> Option<&Ledger> {
        self.guard.ledgers.by_hash.get(&subject.known?).map(|(ledger, _)| ledger)
    }

    /// Changes a ledger, in memory and on disk. Not to be called by an operation that may still fail.
    pub(super) fn change_ledger<T>(
        &mut self,
        subject: &Subject,
        now: &Now,
        change: impl FnOnce(&mut Ledger) -> T,
    ) -> T {
        let mut ledger = self.ledger(subject).cloned().unwrap_or_else(|| Ledger::new(subject.kind));
        let result = change(&mut ledger);
        if let Some(known) = subject.known.filter(|known| *known != subject.current) {
            self.guard.ledgers.remove(known);
            self.delete(Key::Ledger(known));
        }
        let kept = KeptLedger::of(&ledger, subject.number, now);
        self.guard.ledgers.put(subject.current, ledger, subject.number);
        self.put(Key::Ledger(subject.current), Record::Ledger(kept));
        self.sweep_ledgers(now);
        result
    }

    /// Forgets a ledger.
    pub(super) fn forget_ledger(&mut self, subject: &Subject) {
        if let Some(known) = subject.known {
            self.guard.ledgers.remove(known);
            self.delete(Key::Ledger(known));
        }
    }

    /// Forgets all ledgers about a client's number, whoever the client is.
    pub(super) fn forget_ledgers_of_number(&mut self, digits: &str) {
        let parts: [&[u8]; 2] = [b"guard number", digits.as_bytes()];
        let numbers: Vec<_> = self.keyrings().map(|keyring| keyring.fingerprint(&parts)).collect();
        let is_about = |number: &Option<[u8; 16]>| number.is_some_and(|number| numbers.contains(&number));
        let by_hash = &self.guard.ledgers.by_hash;
        let found: Vec<_> = by_hash.iter().filter(|(_, (_, number))| is_about(number)).map(|(hash, _)| *hash).collect();
        for hash in found {
            self.guard.ledgers.remove(hash);
            self.delete(Key::Ledger(hash));
        }
    }

    /// Forgets a few that hold nothing any more.
    pub(in crate::store) fn sweep_ledgers(&mut self, now: &Now) {
        for _ in 0..SWEPT {
            let Some(hash) = self.guard.ledgers.pop_ended(now) else { return };
            self.delete(Key::Ledger(hash));
        }
    }
}

fn kind_word(kind: Kind) -> &'static [u8] {
    match kind {
        Kind::Sends => b"sends",
        Kind::Failures => b"failures",
        Kind::FailuresEverywhere => b"failures everywhere",
        Kind::CallerKey => b"caller key",
        Kind::Prefix => b"prefix",
        Kind::ApiKey => b"api key",
        Kind::PrefixConversion => b"prefix conversion",
        Kind::CountryConversion => b"country conversion",
        Kind::Approved => b"approved",
        Kind::Checks => b"checks",
    }
}

/// Subjects that are remembered, about 200 bytes each. When there are more, those go first that would have gone first.
const MOST: usize = 250_000;
/// Ledgers that one operation forgets, at most.
const SWEPT: usize = 16;
