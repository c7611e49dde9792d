//! Where the master key comes from: a systemd credential, else the configured file, else a file in the data directory,
//! which is made together with an empty store and never for one that holds anything.

use super::keyring::Keyring;
use super::masters::{KeyKeeper, Masters};
use crate::ops::files;
use crate::ops::random::{self, Random};
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The file that holds the master key: 64 hex digits, or 32 bytes as they are. After a rotation the older keys stand on
/// the lines below it, as long as anything uses them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFile {
    path: PathBuf,
    source: Source,
}

/// A master key as it was found.
#[derive(Debug)]
pub struct Loaded {
    /// It, and older ones.
    pub masters: Masters,
    /// Whether it was made just now.
    pub made: bool,
    /// What is amiss with the file, though it can be used: a sentence.
    pub warning: Option<String>,
}

/// Why there is no master key. Names the file and says what to do.
#[derive(Debug)]
pub struct KeyError {
    path: PathBuf,
    problem: Problem,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Credential,
    Configured,
    DataDir,
}

#[derive(Debug)]
enum Problem {
    Missing(Source),
    Unreadable(io::Error),
    Unwritable(io::Error),
    Format,
    NotOurs,
}

impl KeyFile {
    /// Which file it is. `credentials` is systemd's `$CREDENTIALS_DIRECTORY`, `configured` the setting
    /// `master_key_file`.
    pub fn find(credentials: Option<&Path>, configured: Option<&Path>, data_dir: &Path) -> Self {
        if let Some(path) = credentials.map(|dir| dir.join(CREDENTIAL)).filter(|path| path.exists()) {
            return Self { path, source: Source::Credential };
        }
        match configured {
            Some(path) => Self { path: path.to_owned(), source: Source::Configured },
            None => Self { path: data_dir.join(IN_DATA_DIR), source: Source::DataDir },
        }
    }

    /// Its path, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads it.
    pub fn load(&self) -> Result<Loaded, KeyError> {
        match File::open(&self.path) {
            Ok(file) => self.read(file),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Err(self.error(Problem::Missing(self.source))),
            Err(e) => Err(self.error(Problem::Unreadable(e))),
        }
    }

    /// Reads it, or makes it: in the data directory only, and only for an empty store. Durable when it returns.
    pub fn load_or_make(&self, store_is_empty: bool, random: &dyn Random) -> Result<Loaded, KeyError> {
        match self.load() {
            Err(KeyError { problem: Problem::Missing(Source::DataDir), .. }) if store_is_empty => {
                let master = Zeroizing::new(random::bytes::<32>(random));
                self.write(&[Keyring::new(&master)]).map_err(|e| self.error(Problem::Unwritable(e)))?;
                Ok(Loaded { made: true, ..self.load()? })
            }
            other => other,
        }
    }

    fn read(&self, mut file: File) -> Result<Loaded, KeyError> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(READ_AT_MOST as usize));
        let mode = file.metadata().map_err(|e| self.error(Problem::Unreadable(e)))?.permissions().mode();
        let read = Read::by_ref(&mut file).take(READ_AT_MOST).read_to_end(&mut bytes);
        read.map_err(|e| self.error(Problem::Unreadable(e)))?;
        let mut older = parse(&bytes).ok_or_else(|| self.error(Problem::Format))?;
        let current = older.remove(0);
        // systemd alone decides who may read a credential.
        let open = self.source != Source::Credential && mode & 0o077 != 0;
        let warning =
            open.then(|| format!("others may read the master key; close it with: chmod 600 {}", self.path.display()));
        let masters = Masters::new(current, older, Some(std::sync::Arc::new(self.clone())));
        Ok(Loaded { masters, made: false, warning })
    }

    fn write(&self, keys: &[Keyring]) -> io::Result<()> {
        let mut text = Zeroizing::new(String::with_capacity(keys.len() * 65));
        keys.iter().for_each(|key| hex(key.master(), &mut text));
        files::write_secret(&self.path, text.as_bytes())
    }

    fn error(&self, problem: Problem) -> KeyError {
        KeyError { path: self.path.clone(), problem }
    }
}

impl KeyKeeper for KeyFile {
    fn keep(&self, keys: &[Keyring]) -> Result<(), KeyError> {
        match self.source {
            Source::DataDir => self.write(keys).map_err(|e| self.error(Problem::Unwritable(e))),
            Source::Credential | Source::Configured => Err(self.error(Problem::NotOurs)),
        }
    }
}

/// One key as bytes, or one to [`MOST_KEYS`] in hex, each on a line.
fn parse(bytes: &[u8]) -> Option<Vec<Keyring>> {
    if let Ok(raw) = <&[u8; 32]>::try_from(bytes) {
        return Some(vec![Keyring::new(raw)]);
    }
    let lines = bytes.trim_ascii_end().split(|byte| *byte == b'\n');
    let keys: Option<Vec<Keyring>> = lines.map(|line| parse_hex(line).map(|key| Keyring::new(&key))).collect();
    keys.filter(|keys| keys.len() <= MOST_KEYS)
}

fn parse_hex(line: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    let digits = line.trim_ascii_end();
    let mut key = Zeroizing::new([0; 32]);
    if digits.len() != 64 {
        return None;
    }
    for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |c: u8| char::from(c).to_digit(16).map(|d| d as u8);
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(key)
}

fn hex(bytes: &[u8; 32], text: &mut String) {
    for byte in bytes {
        for half in [byte >> 4, byte & 15] {
            text.extend(char::from_digit(u32::from(half), 16));
        }
    }
    text.push('\n');
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.problem {
            Problem::Missing(Source::Configured) => {
                write!(f, "there is no master key in {path}; make one with: openssl rand -hex 32 > {path}")
            }
            Problem::Missing(_) => write!(
                f,
                "the store holds records, but its master key {path} is missing; put it back, since nothing can be read \
                 without it"
            ),
            Problem::Unreadable(e) => write!(f, "the master key {path} can't be read: {e}"),
            Problem::Unwritable(e) => write!(f, "the master key {path} can't be written: {e}"),
            Problem::Format => {
                write!(f, "{path} holds no master key; it must be 64 hexadecimal digits and a line end, or 32 bytes")
            }
            Problem::NotOurs => write!(
                f,
                "the master key comes from {path}, which otpgate does not write; rotate it by hand: put a new key (openssl \
                 rand -hex 32) on a line of its own above the one that is there, start otpgate again, and remove the \
                 older line when `otpgate keys rotate-master` says that nothing uses it"
            ),
        }
    }
}

impl std::error::Error for KeyError {}

const CREDENTIAL: &str = "otpgate-master-key";
const IN_DATA_DIR: &str = "master.key";
/// The current one, and those of rotations that have not ended.
const MOST_KEYS: usize = 8;
const READ_AT_MOST: u64 = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::random::SeededRandom;
    use std::fs;

    #[test]
    fn reads_both_forms_and_nothing_else() {
        let hex = "0f".repeat(32);
        let rows = [
            ("hex and a line end", format!("{hex}\n").into_bytes(), Some([15; 32])),
            ("hex and a line end of another system", format!("{hex}\r\n").into_bytes(), Some([15; 32])),
            ("hex alone", hex.clone().into(), Some([15; 32])),
            ("upper case", hex.to_uppercase().into(), Some([15; 32])),
            ("bytes", vec![200; 32], Some([200; 32])),
            ("empty", vec![], None),
            ("too short", hex[1..].into(), None),
            ("too long", format!("{hex}0").into(), None),
            ("no hex", "0g".repeat(32).into(), None),
        ];
        for (name, text, expected) in rows {
            let found = parse(&text).map(|keys| keys.iter().map(|key| *key.master()).collect::<Vec<_>>());
            assert_eq!(found, expected.map(|key| vec![key]), "{name}");
        }
    }

    #[test]
    fn is_made_for_an_empty_store_only_and_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let random = SeededRandom::new(1);
        let key = KeyFile::find(None, None, dir.path());
        let error = key.load_or_make(false, &random).unwrap_err().to_string();
        assert!(error.contains("master.key is missing"), "{error}");
        let made = key.load_or_make(true, &random).unwrap();
        assert!(made.made && made.warning.is_none());
        let found = key.load_or_make(true, &random).unwrap();
        assert!(!found.made);
        assert_eq!(found.masters.current().id(), made.masters.current().id());
        assert_eq!(fs::metadata(key.path()).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_configured_key_is_never_made_and_a_credential_goes_first() {
        let dir = tempfile::tempdir().unwrap();
        let configured = dir.path().join("elsewhere");
        let random = SeededRandom::new(1);
        let key = KeyFile::find(Some(dir.path()), Some(&configured), dir.path());
        assert_eq!(key.path(), configured, "no such credential");
        let error = key.load_or_make(true, &random).unwrap_err().to_string();
        assert!(error.contains("openssl rand"), "{error}");
        fs::write(dir.path().join(CREDENTIAL), [1; 32]).unwrap();
        let key = KeyFile::find(Some(dir.path()), Some(&configured), dir.path());
        assert_eq!(key.load().unwrap().masters.current().id(), Keyring::new(&[1; 32]).id());
    }

    #[test]
    fn older_keys_stand_below_the_current_one() {
        let dir = tempfile::tempdir().unwrap();
        let file = KeyFile::find(None, None, dir.path());
        let keys = [1, 2, 3].map(|n| Keyring::new(&[n; 32]));
        file.keep(&keys).unwrap();
        let loaded = file.load().unwrap();
        assert_eq!(loaded.masters.current().id(), keys[0].id());
        assert_eq!(loaded.masters.older().iter().map(Keyring::id).collect::<Vec<_>>(), [keys[1].id(), keys[2].id()]);
        assert_eq!((loaded.warning, fs::read_dir(dir.path()).unwrap().count()), (None, 1), "and nothing beside it");
        let line = "0f".repeat(32);
        fs::write(file.path(), format!("{line}\n\n{line}\n")).unwrap();
        assert!(file.load().is_err(), "an empty line");
        fs::write(file.path(), format!("{line}\n").repeat(MOST_KEYS + 1)).unwrap();
        assert!(file.load().is_err(), "more than there can be");
    }

    #[test]
    fn a_key_from_elsewhere_is_left_alone_and_the_way_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        fs::write(&path, [1; 32]).unwrap();
        let file = KeyFile::find(None, Some(&path), dir.path());
        let error = file.keep(&[Keyring::new(&[2; 32])]).unwrap_err().to_string();
        assert!(error.contains("by hand") && error.contains("openssl rand"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), [1; 32]);
    }

    #[test]
    fn a_key_that_others_may_read_is_warned_of() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        fs::write(&path, [1; 32]).unwrap();
        for (mode, warned) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let loaded = KeyFile::find(None, Some(&path), dir.path()).load().unwrap();
            assert_eq!(loaded.warning.is_some(), warned, "{mode:o}");
        }
    }
}
