//! A look at the data folder and the master key's file before the store is opened: what is wrong with their place has its
//! own sentence, so that nobody looks for a broken disk.

use crate::config::Config;
use crate::store::sled_backend::STORE;
use rustix::fs::{Access, access};
use rustix::io::Errno;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// What the folder is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// A copy of it is looked at.
    Read,
    /// It is worked in.
    Write,
    /// It is worked in, and made if it is missing.
    Make,
}

/// What is wrong with a place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// Starting again is of no use until somebody has changed something.
    Lasting(String),
    /// It may be right at the next start: a disk that is not there yet.
    Passing(String),
}

/// Says what is wrong, and what to do. What it can't see, opening the store will tell.
pub(super) fn check(config: &Config, need: Need) -> Result<(), Wrong> {
    let folder = config.data_dir.as_path();
    let store = folder.join(STORE);
    // If the folder is not there yet, it is made in the nearest one that is.
    let nearest = folder.ancestors().find(|path| !is_missing(path)).unwrap_or(Path::new("/"));
    if nearest == folder || need == Need::Make || !nearest.is_dir() {
        usable(nearest, folder, need)?;
    }
    if nearest == folder && !is_missing(&store) {
        usable(&store, folder, need)?;
    }
    if let Some(key) = &config.master_key_file
        && fs::metadata(key).is_ok_and(|found| !found.is_file())
    {
        return Err(Wrong::Lasting(format!(
            "master_key_file {} is no regular file; put the key into one, since it is read at every start",
            key.display()
        )));
    }
    Ok(())
}

fn is_missing(path: &Path) -> bool {
    // What is below a file is told of by the file.
    let missing = [ErrorKind::NotFound, ErrorKind::NotADirectory];
    fs::symlink_metadata(path).is_err_and(|error| missing.contains(&error.kind()))
}

fn usable(path: &Path, folder: &Path, need: Need) -> Result<(), Wrong> {
    let (here, wanted) = (path.display(), folder.display());
    let (kind, verb) = match need {
        Need::Read => (Access::READ_OK | Access::EXEC_OK, "read"),
        Need::Write | Need::Make => (Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK, "write to"),
    };
    let wrong = match (access(path, kind), fs::metadata(path)) {
        (_, Ok(found)) if !found.is_dir() => {
            Wrong::Lasting(format!("{here} is no folder; name another data folder than {wanted} with --data-dir"))
        }
        (Ok(()), _) => return Ok(()),
        (Err(Errno::ACCESS | Errno::PERM), _) => Wrong::Lasting(format!(
            "this user may not {verb} {here}; start otpgate as the one who owns it, or name another data folder than \
             {wanted} with --data-dir"
        )),
        (Err(Errno::ROFS), _) => Wrong::Passing(format!(
            "{here} can only be read: its disk is mounted read-only; mount it with rw, or name another data folder than \
             {wanted} with --data-dir"
        )),
        (Err(Errno::NOENT), _) => Wrong::Passing(format!(
            "{here} leads nowhere: it is a link to a folder that is missing; make that, or name another data folder with \
             --data-dir"
        )),
        (Err(error), _) => {
            Wrong::Lasting(format!("{here} can't be used as data folder ({error}); name another with --data-dir"))
        }
    };
    Err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Environment;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn told(config: &Config) -> String {
        match check(config, Need::Make) {
            Ok(()) => "right".to_owned(),
            Err(Wrong::Lasting(why) | Wrong::Passing(why)) => why,
        }
    }

    #[test]
    fn each_wrong_place_has_its_sentence() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::write(path("file"), "").unwrap();
        symlink("nowhere", path("dangling")).unwrap();
        fs::create_dir(path("spoiled")).unwrap();
        fs::write(path("spoiled").join(STORE), "").unwrap();
        fs::create_dir(path("closed")).unwrap();
        fs::set_permissions(path("closed"), fs::Permissions::from_mode(0o500)).unwrap();
        let may_all = access(path("closed"), Access::WRITE_OK).is_ok();
        let closed = if may_all { "right" } else { "may not write" };
        let mut config = Config::defaults(None, &Environment::default());
        for (folder, expected) in [
            (path("new/and/deep"), "right"),
            (dir.path().to_owned(), "right"),
            (path("file"), "is no folder"),
            (path("file/below"), "is no folder"),
            (path("dangling"), "leads nowhere"),
            (path("spoiled"), "is no folder"),
            (path("closed"), closed),
            (path("closed/below"), closed),
            (path(&"x".repeat(300)), "can't be used"),
        ] {
            config.data_dir = folder.clone();
            let told = told(&config);
            assert!(told.contains(expected), "{}: {told}", folder.display());
        }
        config.data_dir = dir.path().to_owned();
        config.master_key_file = Some(dir.path().to_owned());
        assert!(told(&config).contains("no regular file"));
        config.master_key_file = Some(path("missing"));
        assert_eq!(told(&config), "right", "the store says how to make one");
    }
}
