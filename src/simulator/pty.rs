//! A pseudo-terminal whose other end any program can open as if it were a modem's port.

use rustix::fs::{Mode, OFlags};
use rustix::pty::OpenptFlags;
use rustix::termios::OptionalActions;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
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
    /// Makes a pseudo-terminal in raw mode and lets `link` point to it. A symbolic link that is there is replaced,
    /// anything else is left alone and an error.
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
        match fs::symlink_metadata(link) {
            Ok(found) if found.is_symlink() => fs::remove_file(link)?,
            Ok(_) => {
                let why = format!("{} exists and is no symbolic link; choose another --link", link.display());
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
            }
            Err(_) => {}
        }
        let named = |e: io::Error| io::Error::new(e.kind(), format!("can't make the link {}: {e}", link.display()));
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
