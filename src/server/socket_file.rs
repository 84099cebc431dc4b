//! The file of a unix socket. It has its mode before anyone can connect, and only the process that created it removes
//! it.
//!
//! A file that is not a socket is never deleted, nor is a socket on which a process listens.

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

/// How often to try to lock the parent directory: for 1 s in all.
const LOCK_TRIES: usize = 100;
/// The pause between two tries.
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// The file of our own socket, removed on drop.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    /// Device and inode, because another proxy may have put its own socket at this path since.
    id: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|now| (now.dev(), now.ino()) == self.id) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Listens at `path`. Creates a missing parent directory for this user alone.
///
/// # Errors
/// `AddrInUse` if a process already listens there, `AlreadyExists` if the path is not a socket, or the system's error.
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
    #[cfg(target_os = "linux")] // so that the file never has the mode of the umask
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
    // No client can connect before this.
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    let listener = UnixListener::from_std(socket.into())?;
    Ok((listener, file))
}

/// Locks the parent directory, so that two proxies that start at the same time do not both find the same stale socket:
/// the second would remove the new file of the first. A directory that cannot be opened is not locked.
fn lock(parent: &Path) -> io::Result<Option<File>> {
    let Ok(directory) = File::open(parent) else {
        return Ok(None);
    };
    for _ in 0..LOCK_TRIES {
        match flock(&directory, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(Some(directory)),
            Err(rustix::io::Errno::WOULDBLOCK) => {}
            Err(_) => return Ok(None), // the file system has no locks
        }
        #[expect(clippy::disallowed_methods, reason = "nothing is served yet")]
        std::thread::sleep(LOCK_PAUSE);
    }
    let message = "another program holds a lock on its directory";
    Err(io::Error::new(ErrorKind::WouldBlock, message))
}

/// Removes a socket on which no process listens any more.
fn remove_stale(path: &Path) -> io::Result<()> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !metadata.file_type().is_socket() {
        let message = "the file at this path is not a socket, and is not deleted";
        return Err(io::Error::new(ErrorKind::AlreadyExists, message));
    }
    // Any outcome other than a refused connection means that a process listens: the socket may be of another type, or
    // its backlog may be full.
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
