//! A pseudo-terminal whose other end any program can open as if it were a modem's port.

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::pty::OpenptFlags;
use rustix::termios::OptionalActions;
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use tokio::net::unix::pipe;

/// The modem's side of a pseudo-terminal, and a symbolic link to the other side.
#[derive(Debug)]
pub struct Pty {
    /// What the program at the other side writes. To tokio any file that can be polled is a pipe.
    pub reader: pipe::Receiver,
    /// What it reads.
    pub writer: pipe::Sender,
    /// Held open, so that a program that closes its end does not hang up the line.
    _slave: OwnedFd,
    link: PathBuf,
    target: PathBuf,
}

impl Pty {
    /// Makes a pseudo-terminal in raw mode and lets `link` point to it. A link to another pseudo-terminal is replaced,
    /// anything else is left alone and an error. Whoever calls it has the [`LinkLock`], so that the link replaced is one
    /// that a crash left behind.
    pub fn open(link: &Path) -> io::Result<Self> {
        let master = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        rustix::pty::grantpt(&master)?;
        rustix::pty::unlockpt(&master)?;
        let name = rustix::pty::ptsname(&master, Vec::new())?;
        let slave = rustix::fs::open(&name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
        let mut settings = rustix::termios::tcgetattr(&slave)?;
        settings.make_raw();
        rustix::termios::tcsetattr(&slave, OptionalActions::Now, &settings)?;
        rustix::io::ioctl_fionbio(&master, true)?;
        let target = PathBuf::from(name.to_string_lossy().into_owned());
        let named = |e: io::Error| io::Error::new(e.kind(), format!("can't make the link {}: {e}", link.display()));
        match fs::symlink_metadata(link) {
            Ok(found) if found.is_symlink() && fs::read_link(link)?.starts_with(TERMINALS) => {
                fs::remove_file(link).map_err(named)?;
            }
            Ok(_) => {
                let why =
                    format!("{} exists and is no link to a pseudo-terminal; choose another --link", link.display());
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
            }
            Err(_) => {}
        }
        std::os::unix::fs::symlink(&target, link).map_err(named)?;
        let reader = pipe::Receiver::from_owned_fd_unchecked(master.try_clone()?)?;
        let writer = pipe::Sender::from_owned_fd_unchecked(master)?;
        Ok(Self { reader, writer, _slave: slave, link: link.into(), target })
    }
}

impl Drop for Pty {
    /// Takes the link away, unless somebody else's has taken its place.
    fn drop(&mut self) {
        if fs::read_link(&self.link).is_ok_and(|target| target == self.target) {
            let _ = fs::remove_file(&self.link);
        }
    }
}

/// The right to have a link, as long as it lives: a lock on a file beside it. The kernel takes the lock away from whoever
/// dies, so that a file left behind stands in nobody's way.
#[derive(Debug)]
pub struct LinkLock {
    file: File,
    path: PathBuf,
}

impl LinkLock {
    /// Takes it. An error if somebody who lives has it.
    pub fn take(link: &Path) -> io::Result<Self> {
        let path = PathBuf::from(format!("{}.lock", link.display()));
        let failed = |e: io::Error| {
            io::Error::new(e.kind(), format!("can't lock {} ({e}); choose another --link", path.display()))
        };
        loop {
            let file = open_lock(&path).map_err(failed)?;
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) if is_at(&file, &path) => return Ok(Self { file, path }),
                // Who had it removed the file between the two calls: what is locked now would bar nobody.
                Ok(()) => {}
                Err(rustix::io::Errno::WOULDBLOCK) => {
                    let why = format!(
                        "{} belongs to virtual modems that run already; stop them, or choose another --link",
                        link.display()
                    );
                    return Err(io::Error::new(io::ErrorKind::AddrInUse, why));
                }
                Err(error) => return Err(failed(error.into())),
            }
        }
    }
}

impl Drop for LinkLock {
    /// Removed while it is still locked, so that it can't be the next one's. What holds anything was not made here.
    fn drop(&mut self) {
        let is_empty = self.file.metadata().is_ok_and(|file| file.is_file() && file.len() == 0);
        if is_empty && is_at(&self.file, &self.path) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Never through a symbolic link: in a folder that all may write to, it could lead anywhere. Nor does it wait at a pipe.
/// One that is there is opened without the wish to make it, which Linux refuses for another user's file in such a folder.
fn open_lock(path: &Path) -> io::Result<File> {
    let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).unwrap_or_default();
    match File::options().read(true).custom_flags(flags).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            match File::options().write(true).create_new(true).mode(0o644).open(path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => open_lock(path),
                made => made,
            }
        }
        opened => opened,
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(open), Ok(named)) => (open.dev(), open.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

const TERMINALS: &str = "/dev/pts";
