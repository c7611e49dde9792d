//! sled 0.34, used so that it keeps its promises.
//!
//! What was measured of it decides how it is used here. Its `flush` starts the writing but does not wait for the disk, so
//! the file is synced through a handle of our own after it. Its `flush_async` can hang and is never called. One flipped
//! bit in its log can make it open silently as it was long ago, so a mark is kept outside it. After a full disk it
//! refuses everything until it is opened anew. An embedded database with real syncs would be the easier choice were
//! this one not asked for.
//!
//! Layout of the data directory: `store/` is sled's own, `mark` the mark, `set-aside.jsonl` what did not decode.

use super::backend::{Backend, BackendError, Change, SLOT, Slot};
use crate::ops::files::sync_dir;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::ops::Bound;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// A store on disk.
#[derive(Debug)]
pub struct SledBackend {
    data_dir: PathBuf,
    db: sled::Db,
    /// Our own handle of sled's file: its lock is flock's, which is per open file, so that a second handle does no harm.
    log: File,
    mark: Option<File>,
}

impl SledBackend {
    /// Opens the store in this directory; makes both where they are missing.
    pub fn open(data_dir: &Path) -> Result<Self, BackendError> {
        make_dir(data_dir)?;
        let home = data_dir.join(STORE);
        make_dir(&home)?;
        let db = open_db(&home)?;
        let log = File::options().read(true).write(true).open(home.join(DB))?;
        // sled syncs neither its `conf` nor the directories.
        log.sync_all()?;
        File::open(home.join(CONF))?.sync_all()?;
        sync_dir(&home)?;
        sync_dir(data_dir)?;
        Ok(Self { data_dir: data_dir.to_owned(), db, log, mark: None })
    }

    /// Whether there is nothing in it, and there never was anything.
    pub fn is_empty(&self) -> Result<bool, BackendError> {
        let marks = self.marks()?;
        let holds_none = guarded(|| Ok(self.db.is_empty()))?;
        Ok(holds_none && marks.iter().flatten().all(|slot| slot.iter().all(|b| *b == 0)))
    }

    #[expect(clippy::disallowed_methods, reason = "the one flush that there is; the sync behind it makes it durable")]
    fn write_batch(&self, changes: &[Change]) -> Result<(), BackendError> {
        let mut batch = sled::Batch::default();
        for change in changes {
            match change {
                Change::Put(key, value) => batch.insert(key.as_slice(), value.as_slice()),
                Change::Delete(key) => batch.remove(key.as_slice()),
            }
        }
        self.db.apply_batch(batch).map_err(of_sled)?;
        self.db.flush().map_err(of_sled)?;
        Ok(self.log.sync_data()?)
    }

    fn write_mark(&mut self, slot: &Slot) -> Result<(), BackendError> {
        let file = match self.mark.take() {
            Some(file) => file,
            None => open_mark(&self.data_dir)?,
        };
        file.write_all_at(&slot.bytes, place(slot.place))?;
        file.sync_data()?;
        self.mark = Some(file);
        Ok(())
    }
}

impl Backend for SledBackend {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, BackendError> {
        guarded(|| Ok(self.db.get(key).map_err(of_sled)?.map(|value| value.to_vec())))
    }

    fn scan(&self, each: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), BackendError> {
        guarded(|| {
            for entry in self.db.iter() {
                let (key, value) = entry.map_err(of_sled)?;
                each(&key, &value);
            }
            Ok(())
        })
    }

    fn scan_after(&self, key: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), BackendError> {
        guarded(|| {
            for entry in self.db.range::<&[u8], _>((Bound::Excluded(key), Bound::Unbounded)) {
                let (key, value) = entry.map_err(of_sled)?;
                if !each(&key, &value) {
                    break;
                }
            }
            Ok(())
        })
    }

    fn commit(&mut self, changes: &[Change], mark: &Slot) -> Result<(), BackendError> {
        if !changes.is_empty() {
            guarded(|| self.write_batch(changes))?;
        }
        self.write_mark(mark)
    }

    fn marks(&self) -> Result<[Option<[u8; SLOT]>; 2], BackendError> {
        let file = match File::open(self.data_dir.join(MARK)) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok([None; 2]),
            Err(e) => return Err(e.into()),
        };
        let mut slots = [None; 2];
        for (i, slot) in slots.iter_mut().enumerate() {
            let mut bytes = [0; SLOT];
            match file.read_exact_at(&mut bytes, place(i)) {
                Ok(()) => *slot = Some(bytes),
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok(slots)
    }

    fn keep_aside(&mut self, lines: &[String]) -> Result<(), BackendError> {
        let path = self.data_dir.join(SET_ASIDE);
        let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
        let mut there = String::new();
        file.read_to_string(&mut there)?;
        for line in lines {
            if !there.lines().any(|l| l == line) {
                writeln!(file, "{line}")?;
            }
        }
        file.sync_all()?;
        Ok(sync_dir(&self.data_dir)?)
    }

    fn is_inline(&self) -> bool {
        false
    }

    fn low_space(&self) -> bool {
        rustix::fs::statvfs(&self.data_dir).is_ok_and(|disk| is_low(disk.f_bavail, disk.f_blocks, disk.f_frsize))
    }

    fn alarms(&self) -> Vec<String> {
        let blobs = self.data_dir.join(STORE).join(BLOBS);
        let any = fs::read_dir(&blobs).is_ok_and(|mut files| files.next().is_some());
        let alarm = || format!("{} holds files, which sled never syncs; report this as a bug", blobs.display());
        any.then(alarm).into_iter().collect()
    }
}

/// Whether less than 64 MB or 5 % is free, in blocks of so many bytes.
fn is_low(free: u64, total: u64, block: u64) -> bool {
    free.saturating_mul(block) < MIN_FREE || free.saturating_mul(20) < total
}

/// Opens sled in a thread of its own, where a panic is an error like any other. A lock that is held is waited for, since
/// sled lets go of it a little after its handle is dropped.
fn open_db(home: &Path) -> Result<sled::Db, BackendError> {
    let mut tries = 0;
    loop {
        let config = sled::Config::new().path(home).cache_capacity(CACHE).flush_every_ms(None);
        let opened = thread::spawn(move || config.open()).join();
        match opened.unwrap_or_else(|_| Err(sled::Error::ReportableBug("sled panicked on opening it".into()))) {
            Ok(db) => return Ok(db),
            Err(sled::Error::Io(e)) if is_lock(&e) => {
                tries += 1;
                if tries == LOCK_TRIES {
                    return Err(BackendError::Locked { holder: holder(&home.join(DB)) });
                }
                thread::sleep(LOCK_PAUSE);
            }
            Err(e) => return Err(of_sled(e)),
        }
    }
}

fn is_lock(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock || error.to_string().contains("could not acquire lock")
}

/// Which process has a lock on the file: its number and name, as the kernel's list of locks has it.
pub(super) fn holder(path: &Path) -> Option<String> {
    let inode = fs::metadata(path).ok()?.ino().to_string();
    let locks = fs::read_to_string("/proc/locks").ok()?;
    // 1: FLOCK  ADVISORY  WRITE 1234 fe:01:5678 0 EOF
    let pid = locks.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        (fields.get(5)?.rsplit(':').next() == Some(&inode)).then(|| fields[4].to_owned())
    })?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    Some(format!("process {pid} {}", name.trim()).trim_end().to_owned())
}

/// sled panics on some kinds of damage; that must not end more than the store.
fn guarded<T>(work: impl FnOnce() -> Result<T, BackendError>) -> Result<T, BackendError> {
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(BackendError::Damaged("sled panicked".into())))
}

fn of_sled(error: sled::Error) -> BackendError {
    match error {
        sled::Error::Io(e) => e.into(),
        other => BackendError::Damaged(other.to_string()),
    }
}

fn open_mark(data_dir: &Path) -> io::Result<File> {
    let file = File::options().write(true).create(true).truncate(false).mode(0o600).open(data_dir.join(MARK))?;
    file.sync_all()?;
    sync_dir(data_dir)?;
    Ok(file)
}

/// Where a slot of the mark is: in blocks of their own, so that a torn write of one leaves the other.
fn place(slot: usize) -> u64 {
    (slot % 2) as u64 * 4096
}

/// Makes a directory that only its owner may enter, with those above it.
pub(super) fn make_dir(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    path.parent().map_or(Ok(()), sync_dir)
}

/// sled's directory in the data directory.
pub const STORE: &str = "store";
/// The mark's file in the data directory.
pub(super) const MARK: &str = "mark";
/// sled's log in its directory.
pub(super) const DB: &str = "db";
const SET_ASIDE: &str = "set-aside.jsonl";
const CONF: &str = "conf";
const BLOBS: &str = "blobs";
/// The records are few and small; more would only be memory.
const CACHE: u64 = 16 << 20;
const LOCK_TRIES: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(100);
const MIN_FREE: u64 = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_space_is_below_64_megabytes_or_5_percent() {
        let rows = [
            ("plenty", 100_000, 1_000_000, 4096, false),
            ("64 MB of a small disk", 16_384, 100_000, 4096, false),
            ("a block less", 16_383, 100_000, 4096, true),
            ("5 %", 50_000, 1_000_000, 4096, false),
            ("a block less", 49_999, 1_000_000, 4096, true),
            ("nothing", 0, 1_000_000, 4096, true),
        ];
        for (name, free, total, block, low) in rows {
            assert_eq!(is_low(free, total, block), low, "{name}");
        }
    }

    #[test]
    fn a_full_disk_is_told_from_a_broken_one() {
        let rows = [(28, BackendError::Full), (122, BackendError::Full)];
        for (errno, expected) in rows {
            assert_eq!(of_sled(sled::Error::Io(io::Error::from_raw_os_error(errno))), expected, "errno {errno}");
        }
        // sled hands out copies of the first error, without its number.
        let copy = sled::Error::Io(io::Error::from_raw_os_error(28)).clone();
        assert_eq!(of_sled(copy), BackendError::Full);
        assert!(matches!(of_sled(sled::Error::Io(io::Error::from_raw_os_error(5))), BackendError::Io(_)));
    }

    #[test]
    fn files_among_the_blobs_raise_an_alarm() {
        let dir = tempfile::tempdir().unwrap();
        let backend = SledBackend::open(dir.path()).unwrap();
        assert!(backend.alarms().is_empty());
        fs::write(dir.path().join(STORE).join(BLOBS).join("1"), "").unwrap();
        assert_eq!(backend.alarms().len(), 1);
    }

    #[test]
    fn damage_that_makes_sled_panic_is_an_error() {
        let sudden = guarded(|| -> Result<(), BackendError> { panic!("as sled would") });
        assert!(matches!(sudden, Err(BackendError::Damaged(_))));
    }
}
