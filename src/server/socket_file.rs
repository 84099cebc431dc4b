//! A unix socket's file: made with its mode before anybody can connect, removed by whoever made it.
//!
//! What is no socket is never deleted, and neither is a socket that somebody listens on.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{
    DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::UnixListener;

/// How often the parent folder's lock is asked for, and how long is waited between: 1 s in all.
const LOCK_TRIES: usize = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// The file of our own socket.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    /// Device and inode: another proxy may have put its own there meanwhile.
    id: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|now| (now.dev(), now.ino()) == self.id) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Listens at `path`; a missing folder is made for this user alone.
///
/// # Errors
/// `AddrInUse` where somebody listens there, `AlreadyExists` for what is no socket; else the system's.
pub(super) fn listen(
    path: &Path,
    mode: u32,
    backlog: u32,
) -> io::Result<(UnixListener, SocketFile)> {
    let parent = path.parent().unwrap_or(path);
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700).create(parent)?;
    let _lock = lock(parent)?;
    remove_stale(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    #[cfg(target_os = "linux")] // else the umask alone would decide, until the next lines
    rustix::fs::fchmod(&socket, rustix::fs::Mode::from_raw_mode(mode))?;
    socket.bind(&SockAddr::unix(path)?)?;
    let ours = fs::symlink_metadata(path)?;
    let file = SocketFile {
        path: path.to_owned(),
        id: (ours.dev(), ours.ino()),
    };
    if ours.permissions().mode() & 0o777 != mode {
        fs::set_permissions(path, Permissions::from_mode(mode))?;
    }
    // Only from here on can anybody connect.
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    let listener = UnixListener::from_std(socket.into())?;
    Ok((listener, file))
}

/// Two proxies that start at once must not both find the same stale socket: the later would remove
/// the earlier one's new file. A folder that cannot be read has no lock.
fn lock(parent: &Path) -> io::Result<Option<File>> {
    let Ok(folder) = File::open(parent) else {
        return Ok(None);
    };
    for _ in 0..LOCK_TRIES {
        match flock(&folder, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(Some(folder)),
            Err(rustix::io::Errno::WOULDBLOCK) => {}
            Err(_) => return Ok(None), // a file system without locks
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "nothing is served before a listener is there"
        )]
        std::thread::sleep(LOCK_PAUSE);
    }
    let words = "another program holds the lock of its folder";
    Err(io::Error::new(ErrorKind::WouldBlock, words))
}

/// Removes a socket that nobody listens on any more.
fn remove_stale(path: &Path) -> io::Result<()> {
    let there = match fs::symlink_metadata(path) {
        Ok(there) => there,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !there.file_type().is_socket() {
        let words = "what is there is no socket, and is not deleted";
        return Err(io::Error::new(ErrorKind::AlreadyExists, words));
    }
    // Of any type and with a full backlog, whatever answers otherwise than by a refusal is alive.
    let probe = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    probe.set_nonblocking(true)?;
    match probe.connect(&SockAddr::unix(path)?) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(error),
        Ok(()) | Err(_) => Err(ErrorKind::AddrInUse.into()),
    }
}

#[cfg(test)]
mod tests;
