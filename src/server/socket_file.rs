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
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::{UnixDatagram, UnixListener as StdListener, UnixStream};

    use super::*;

    fn listen_at(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
        listen(path, 0o600, 16)
    }

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn the_file_has_its_mode_a_made_folder_0700_and_both_stay_for_the_folder_only() {
        let directory = tempfile::tempdir().unwrap();
        for wanted in [0o600, 0o660, 0o666] {
            let path = directory.path().join("new/deep/s.sock");
            let (_listener, file) = listen(&path, wanted, 16).unwrap();
            assert_eq!(mode(&path), wanted, "{wanted:o}");
            assert_eq!(mode(&directory.path().join("new/deep")), 0o700);
            assert_eq!(mode(&directory.path().join("new")), 0o700);
            UnixStream::connect(&path).unwrap();
            drop(file);
            assert!(!path.exists());
            assert!(directory.path().join("new/deep").exists());
        }
    }

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_a_live_one_is_taken() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s.sock");
        drop(StdListener::bind(&path).unwrap());
        assert!(path.exists(), "stale");
        let (_listener, file) = listen_at(&path).unwrap();
        let error = listen_at(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        UnixStream::connect(&file.path).unwrap();
        let datagrams = directory.path().join("d.sock");
        let _live = UnixDatagram::bind(&datagrams).unwrap();
        assert!(listen_at(&datagrams).is_err());
        assert!(datagrams.exists());
    }

    #[tokio::test]
    async fn what_is_no_socket_is_never_deleted() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::write(at("file"), "precious").unwrap();
        fs::create_dir(at("folder")).unwrap();
        drop(StdListener::bind(at("stale.sock")).unwrap());
        symlink(at("stale.sock"), at("link-to-socket")).unwrap();
        symlink(at("nothing"), at("dangling")).unwrap();
        for name in ["file", "folder", "link-to-socket", "dangling"] {
            let error = listen_at(&at(name)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{name}");
            assert!(fs::symlink_metadata(at(name)).is_ok(), "{name}");
        }
        assert_eq!(fs::read(at("file")).unwrap(), b"precious");
        assert!(at("stale.sock").exists());
    }

    #[tokio::test]
    async fn another_ones_socket_at_our_path_is_left_when_we_go() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s.sock");
        let (_listener, file) = listen_at(&path).unwrap();
        fs::rename(&path, directory.path().join("moved")).unwrap();
        let _other = StdListener::bind(&path).unwrap();
        drop(file);
        UnixStream::connect(&path).unwrap();
    }

    /// Whoever starts second finds the first one alive, never a socket that is not listening yet.
    #[test]
    fn of_many_that_start_at_once_at_a_stale_socket_one_wins_and_can_be_reached() {
        const STARTERS: usize = 8;
        let directory = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let _entered = runtime.enter();
        for round in 0..50 {
            let path = directory.path().join(format!("{round}.sock"));
            drop(StdListener::bind(&path).unwrap());
            let at_once = std::sync::Barrier::new(STARTERS);
            let start = || {
                let _entered = runtime.enter();
                at_once.wait();
                listen_at(&path)
            };
            let results: Vec<_> = std::thread::scope(|scope| {
                let starters: Vec<_> = (0..STARTERS).map(|_| scope.spawn(start)).collect();
                starters
                    .into_iter()
                    .map(|starter| starter.join().unwrap())
                    .collect()
            });
            assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
            UnixStream::connect(&path).unwrap();
        }
    }
}
