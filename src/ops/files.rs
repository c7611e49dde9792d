//! Files whose content must be there whole, or not at all, after the power fails.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Writes a file that only its owner may read, in place of what is there. Whole and durable when it returns: what is
/// committed next may rely on it.
pub fn write_secret(path: &Path, content: &[u8]) -> io::Result<()> {
    // Under another name until it is whole: half a key would be refused at every start.
    let unfinished = unfinished(path);
    match fs::remove_file(&unfinished) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    path.parent().map_or(Ok(()), sync_dir)
}

/// Makes what was made or renamed in a directory durable.
pub fn sync_dir(path: &Path) -> io::Result<()> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    File::open(path)?.sync_all()
}

fn unfinished(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".new");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
    use std::mem::MaybeUninit;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_secret_is_replaced_whole_and_by_nobody_else_to_be_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        fs::write(&path, "an older and longer one").unwrap();
        fs::write(unfinished(&path), "what a crash left").unwrap();
        fs::set_permissions(unfinished(&path), fs::Permissions::from_mode(0o644)).unwrap();
        write_secret(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing beside it");
    }

    /// A sync can't be seen; that the directory is opened for it after the rename can.
    #[test]
    fn the_directory_is_synced_after_the_rename() {
        let dir = tempfile::tempdir().unwrap();
        let watch = inotify::init(CreateFlags::NONBLOCK).unwrap();
        inotify::add_watch(&watch, dir.path(), WatchFlags::MOVED_TO | WatchFlags::OPEN).unwrap();
        write_secret(&dir.path().join("key"), b"new").unwrap();
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let (mut reader, mut seen) = (Reader::new(&watch, &mut buffer), Vec::new());
        while let Ok(event) = reader.next() {
            let name = event.file_name().map(|name| name.to_string_lossy().into_owned());
            let what = if event.events().contains(ReadFlags::MOVED_TO) { "renamed" } else { "opened" };
            seen.push(format!("{what} {}", name.unwrap_or_else(|| "the directory".to_owned())));
        }
        assert_eq!(seen, ["opened key.new", "renamed key", "opened the directory"]);
    }
}
