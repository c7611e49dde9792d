//! The directory with everything in it: opening it with the right key, and verifying one that nobody has open.

use super::backend::{Backend, BackendError};
use super::inspection::Inspection;
use super::master_key::{self, KeyError, KeyFile};
use super::masters::Masters;
use super::record::{Key, Record};
use super::sled_backend::{DB, MARK, STORE, SledBackend, holder, make_dir};
use super::vault::{OpenError, Opened, StoreKind, Vault};
use crate::domain::time::Wall;
use crate::ops::random::{self, Random};
use rustix::fs::FlockOperation;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A data directory and its master key.
#[derive(Clone, Debug)]
pub struct DataDir {
    path: PathBuf,
    key: KeyFile,
}

/// What verifying a store found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Whether its messages go to real phones. `None` if that can't be known.
    pub kind: Option<StoreKind>,
    /// Sound records of each kind.
    pub records: BTreeMap<&'static str, usize>,
    /// Why records do not decode, and how many for each reason.
    pub set_aside: BTreeMap<&'static str, usize>,
    /// Why it would be quarantined, if it would be.
    pub quarantine: Option<String>,
    /// What else is amiss: a sentence each.
    pub alarms: Vec<String>,
}

impl VerifyReport {
    /// Whether nothing is amiss with the records.
    pub fn is_sound(&self) -> bool {
        self.set_aside.is_empty() && self.quarantine.is_none()
    }
}

/// Why a data directory can't be opened. Says what to do.
#[derive(Debug)]
pub enum DataDirError {
    /// There is no store in it.
    NoStore(PathBuf),
    /// The master key can't be had.
    Key(KeyError),
    /// No copy can be made to verify.
    Copy(io::Error),
    /// The store can't be opened with that key.
    Open {
        /// The directory.
        data_dir: PathBuf,
        /// Where the key came from.
        key: PathBuf,
        /// Why.
        error: OpenError,
    },
}

impl DataDir {
    /// Names it. `credentials` is systemd's `$CREDENTIALS_DIRECTORY`, `master_key_file` the setting of that name.
    pub fn new(path: &Path, credentials: Option<&Path>, master_key_file: Option<&Path>) -> Self {
        Self { path: path.to_owned(), key: KeyFile::find(credentials, master_key_file, path) }
    }

    /// Locks the store's files and reads the master key, which is made if the store is new.
    pub fn unlock(&self, random: &dyn Random) -> Result<(SledBackend, master_key::Loaded), DataDirError> {
        let backend = SledBackend::open(&self.path).map_err(|e| self.explain(e.into()))?;
        let is_empty = backend.is_empty().map_err(|e| self.explain(e.into()))?;
        let loaded = self.key.load_or_make(is_empty, random).map_err(DataDirError::Key)?;
        Ok((backend, loaded))
    }

    /// Opens its store, or makes it and its key where there is nothing. See [`Vault::open`].
    pub fn open(
        &self,
        random: Arc<dyn Random>,
        kind: StoreKind,
        now: Wall,
        each: impl FnMut(Key, Record),
    ) -> Result<(Vault<SledBackend>, Opened), DataDirError> {
        let (backend, loaded) = self.unlock(&*random)?;
        let (vault, mut opened) =
            Vault::open(backend, loaded.masters, random, kind, now, each).map_err(|e| self.explain(e))?;
        opened.alarms.extend(loaded.warning);
        Ok((vault, opened))
    }

    /// Reads every record of a store that no process has open, and changes nothing: sled repairs what it opens, so that
    /// a copy is opened, in the system's directory for temporary files. Nothing in it is readable without the key.
    pub fn verify(&self, random: &dyn Random) -> Result<VerifyReport, DataDirError> {
        let failed = |error: BackendError| self.explain(error.into());
        let db = self.path.join(STORE).join(DB);
        let lock = match File::open(&db) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(DataDirError::NoStore(self.path.clone())),
            opened => opened.map_err(|e| failed(e.into()))?,
        };
        let loaded = self.key.load().map_err(DataDirError::Key)?;
        if rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(failed(BackendError::Locked { holder: holder(&db) }));
        }
        let copy = Replica::of(&self.path, random).map_err(DataDirError::Copy)?;
        drop(lock);
        let backend = SledBackend::open(&copy.0).map_err(failed)?;
        let mut report = inspect(&backend, &loaded.masters).map_err(|e| self.explain(e))?;
        report.alarms.extend(loaded.warning);
        Ok(report)
    }

    /// What is wrong, with the master key's file, which may be what is wrong.
    pub fn explain(&self, error: OpenError) -> DataDirError {
        DataDirError::Open { data_dir: self.path.clone(), key: self.key.path().to_owned(), error }
    }
}

fn inspect(backend: &SledBackend, masters: &Masters) -> Result<VerifyReport, OpenError> {
    let found = Inspection::of(backend, masters, &mut |_, _| {})?;
    if let Some(store) = found.other_key() {
        return Err(OpenError::WrongKey { store, given: masters.current().id() });
    }
    let mut report = VerifyReport { kind: found.kind, alarms: backend.alarms(), ..VerifyReport::default() };
    report.quarantine = if found.is_empty() { None } else { found.quarantine() };
    for aside in &found.aside {
        *report.set_aside.entry(aside.reason).or_default() += 1;
    }
    report.records = found.counts;
    Ok(report)
}

/// A copy of a store, gone when dropped.
struct Replica(PathBuf);

impl Replica {
    fn of(data_dir: &Path, random: &dyn Random) -> io::Result<Self> {
        let name = u64::from_be_bytes(random::bytes(random));
        let path = std::env::temp_dir().join(format!("otpgate-verify-{name:016x}"));
        // Fails if it exists: nobody else's directory is used, or removed afterwards.
        DirBuilder::new().mode(0o700).create(&path)?;
        let copy = Self(path);
        copy_files(&data_dir.join(STORE), &copy.0.join(STORE))?;
        match fs::copy(data_dir.join(MARK), copy.0.join(MARK)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(copy),
        }
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        // What stays behind is sealed; the system clears its temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn copy_files(from: &Path, to: &Path) -> io::Result<()> {
    make_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_files(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

impl fmt::Display for DataDirError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoStore(path) => write!(f, "there is no store in {}", path.display()),
            Self::Key(error) => error.fmt(f),
            Self::Copy(error) => write!(
                f,
                "no copy of the store can be made in {} ({error}); name a directory with room for it in TMPDIR",
                std::env::temp_dir().display()
            ),
            Self::Open { data_dir, key, error: error @ OpenError::WrongKey { .. } } => {
                write!(f, "{}: {error} (the one given is {})", data_dir.display(), key.display())
            }
            Self::Open { data_dir, error, .. } => write!(f, "{}: {error}", data_dir.display()),
        }
    }
}

impl std::error::Error for DataDirError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::VerificationId;
    use crate::domain::secret::Secret;
    use crate::ops::random::{SeededRandom, SystemRandom};
    use std::os::unix::fs::PermissionsExt;
    use tempfile::TempDir;

    type Records = BTreeMap<Key, Record>;

    fn open(path: &Path) -> Result<(Vault<SledBackend>, Opened, Records), DataDirError> {
        let mut records = Records::new();
        let each = |k, r| {
            records.insert(k, r);
        };
        let random = Arc::new(SeededRandom::new(1));
        let (vault, opened) = DataDir::new(path, None, None).open(random, StoreKind::Real, Wall(1_000), each)?;
        Ok((vault, opened, records))
    }

    fn verify(path: &Path) -> Result<VerifyReport, DataDirError> {
        DataDir::new(path, None, None).verify(&SystemRandom)
    }

    fn key(n: u128) -> Key {
        Key::SuppliedCode(VerificationId(n))
    }

    fn code(n: u128) -> Record {
        Record::SuppliedCode(Secret::new(format!("plainly visible {n}")))
    }

    /// A closed store that has had so many batches after the one that made it.
    fn store(batches: u128) -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        let (mut vault, ..) = open(dir.path()).unwrap();
        for n in 0..batches {
            vault.commit(Wall(n as i64), vec![(key(n), Some(code(n)))]).unwrap();
        }
        drop(vault);
        dir
    }

    fn copy(dir: &TempDir) -> TempDir {
        let copy = tempfile::tempdir().unwrap();
        copy_files(dir.path(), copy.path()).unwrap();
        copy
    }

    #[test]
    fn a_reopened_store_has_what_was_committed_and_nothing_legible_is_on_disk() {
        let dir = store(20);
        let (vault, opened, records) = open(dir.path()).unwrap();
        assert_eq!(opened, Opened { last_wall: Some(Wall(19)), ..Opened::default() });
        assert_eq!(records, (0..20).map(|n| (key(n), code(n))).collect());
        assert_eq!(vault.get(key(3)), Ok(Some(code(3))));
        drop(vault);
        let report = verify(dir.path()).unwrap();
        assert!(report.is_sound(), "{report:?}");
        assert_eq!(report.records, BTreeMap::from([("supplied codes", 20)]));
        assert_eq!(report.kind, Some(StoreKind::Real));
        for file in [dir.path().join(STORE).join(DB), dir.path().join(MARK)] {
            let bytes = fs::read(file).unwrap();
            assert!(!bytes.windows(9).any(|w| w == b"plainly v"));
        }
    }

    #[test]
    fn a_store_that_is_open_is_left_alone_and_the_holder_named() {
        let dir = store(1);
        let (vault, ..) = open(dir.path()).unwrap();
        let error = verify(dir.path()).unwrap_err().to_string();
        let holder = format!("process {} ", std::process::id());
        assert!(error.contains("another process") && error.contains(&holder), "{error}");
        let error = open(dir.path()).unwrap_err().to_string();
        assert!(error.contains("another process"), "{error}");
        drop(vault);
        assert!(verify(dir.path()).unwrap().is_sound());
    }

    #[test]
    fn the_mark_missing_older_and_newer() {
        let dir = tempfile::tempdir().unwrap();
        let (mut vault, ..) = open(dir.path()).unwrap();
        let mut marks = Vec::new();
        for n in 0..4 {
            vault.commit(Wall(n as i64), vec![(key(n), Some(code(n)))]).unwrap();
            marks.push(fs::read(dir.path().join(MARK)).unwrap());
        }
        drop(vault);
        let torn = |slot: usize| {
            let mut bytes = marks[3].clone();
            bytes[slot * 4096 + 20] ^= 1;
            Some(bytes)
        };
        let rows = [
            ("as it is", Some(marks[3].clone()), true),
            ("one batch older", Some(marks[2].clone()), true),
            ("two batches older", Some(marks[1].clone()), false),
            ("missing", None, false),
            ("empty", Some(vec![]), false),
            ("the newest slot torn", torn(1), true),
            ("the older slot torn", torn(0), true),
        ];
        for (name, mark, sound) in rows {
            let copy = copy(&dir);
            match mark {
                Some(bytes) => fs::write(copy.path().join(MARK), bytes).unwrap(),
                None => fs::remove_file(copy.path().join(MARK)).unwrap(),
            }
            check_mark(name, &copy, sound);
        }
        let older = store(2);
        for (name, mark, sound) in [("newer by one", 2, false), ("newer by two", 3, false), ("equal", 1, true)] {
            let copy = copy(&older);
            fs::copy(dir.path().join("master.key"), copy.path().join("master.key")).unwrap();
            fs::write(copy.path().join(MARK), &marks[mark]).unwrap();
            check_mark(name, &copy, sound);
        }
    }

    fn check_mark(name: &str, dir: &TempDir, sound: bool) {
        assert_eq!(verify(dir.path()).unwrap().is_sound(), sound, "{name}");
        let (mut vault, opened, _) = open(dir.path()).unwrap();
        assert_eq!(opened.quarantined.is_none(), sound, "{name}: {:?}", opened.quarantined);
        assert_eq!(vault.commit(Wall(0), vec![(key(99), Some(code(99)))]).is_ok(), sound, "{name}");
        drop(vault);
        assert_eq!(open(dir.path()).unwrap().1.quarantined.is_none(), sound, "{name}, opened again");
    }

    #[test]
    fn a_store_that_lost_all_its_records_is_not_taken_for_a_new_one() {
        let dir = store(3);
        fs::remove_dir_all(dir.path().join(STORE)).unwrap();
        let (_, opened, _) = open(dir.path()).unwrap();
        assert!(opened.quarantined.unwrap().contains("empty"));
        fs::remove_file(dir.path().join("master.key")).unwrap();
        let error = open(dir.path()).unwrap_err().to_string();
        assert!(error.contains("master.key is missing"), "{error}");
        assert!(!dir.path().join("master.key").exists(), "no new key beside an old mark");
    }

    #[test]
    fn the_wrong_key_is_told_from_damage_and_its_file_named() {
        let dir = store(3);
        let file = dir.path().join("master.key");
        let right = fs::read(&file).unwrap();
        fs::write(&file, [9; 32]).unwrap();
        for error in [open(dir.path()).unwrap_err().to_string(), verify(dir.path()).unwrap_err().to_string()] {
            assert!(error.contains("another") || error.contains("sealed with master key"), "{error}");
            assert!(error.contains("master.key"), "{error}");
        }
        fs::write(&file, right).unwrap();
        let (_, opened, records) = open(dir.path()).unwrap();
        assert_eq!((opened.quarantined, opened.set_aside, records.len()), (None, 0, 3), "the attempt did no harm");
    }

    #[test]
    fn after_a_rotation_only_the_new_key_opens_the_store() {
        let dir = store(100);
        let file = dir.path().join("master.key");
        let old = fs::read(&file).unwrap();
        let random = Arc::new(SystemRandom);
        let (mut vault, _) =
            DataDir::new(dir.path(), None, None).open(random, StoreKind::Real, Wall(1_000), |_, _| {}).unwrap();
        vault.rotate().unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), 2);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        vault.commit(Wall(200), vec![(key(0), Some(code(0)))]).unwrap();
        assert!(vault.is_resealing());
        drop(vault);
        assert!(verify(dir.path()).unwrap().is_sound(), "half-way");
        let (mut vault, opened, records) = open(dir.path()).unwrap();
        assert_eq!((opened.quarantined, records.len()), (None, 100));
        while vault.is_resealing() {
            vault.commit(Wall(300), Vec::new()).unwrap();
        }
        vault.forget_unused_keys().unwrap();
        drop(vault);
        let new = fs::read(&file).unwrap();
        assert_eq!((new.len(), new == old), (65, false), "one line");
        assert_eq!(open(dir.path()).unwrap().2, (0..100).map(|n| (key(n), code(n))).collect());
        fs::write(&file, old).unwrap();
        let error = open(dir.path()).unwrap_err();
        assert!(matches!(error, DataDirError::Open { error: OpenError::WrongKey { .. }, .. }), "{error}");
        fs::write(&file, new).unwrap();
        assert!(verify(dir.path()).unwrap().is_sound());
    }

    #[test]
    fn one_flipped_bit_is_never_silent() {
        let dir = store(40);
        let db = Path::new(STORE).join(DB);
        let sound = fs::read(dir.path().join(&db)).unwrap();
        let written: Vec<usize> = (0..sound.len()).filter(|i| sound[*i] != 0).collect();
        let expected: Records = (0..40).map(|n| (key(n), code(n))).collect();
        let (mut noticed, mut harmless) = (0, 0);
        for i in written.iter().step_by(written.len() / 30) {
            let copy = copy(&dir);
            let mut damaged = sound.clone();
            damaged[*i] ^= 1 << (i % 8);
            fs::write(copy.path().join(&db), damaged).unwrap();
            match verify(copy.path()) {
                Ok(report) if report.is_sound() => {
                    let (_, opened, records) = open(copy.path()).unwrap();
                    assert_eq!((opened.quarantined, records), (None, expected.clone()), "byte {i} was not noticed");
                    harmless += 1;
                }
                _ => noticed += 1,
            }
        }
        assert!(noticed > 0, "{noticed} noticed, {harmless} in bytes that nothing needs any more");
    }

    #[test]
    fn what_does_not_decode_is_kept_in_a_side_file_that_only_its_owner_reads() {
        let dir = store(0);
        let mut backend = SledBackend::open(dir.path()).unwrap();
        for _ in 0..2 {
            backend.keep_aside(&["one".into(), "two".into()]).unwrap();
        }
        let file = dir.path().join("set-aside.jsonl");
        assert_eq!(fs::read_to_string(&file).unwrap(), "one\ntwo\n");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn verify_changes_nothing() {
        let dir = store(5);
        let before = fs::read(dir.path().join(STORE).join(DB)).unwrap();
        verify(dir.path()).unwrap();
        assert_eq!(fs::read(dir.path().join(STORE).join(DB)).unwrap(), before);
        let error = verify(&dir.path().join("nowhere")).unwrap_err().to_string();
        assert!(error.contains("there is no store"), "{error}");
        assert!(!dir.path().join("nowhere").exists());
    }
}
