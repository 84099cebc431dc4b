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
async fn the_file_has_its_mode_and_a_created_directory_has_0700_and_is_kept() {
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
async fn a_stale_socket_is_replaced_and_a_live_one_is_in_use() {
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
async fn a_file_that_is_not_a_socket_is_never_deleted() {
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
async fn a_socket_that_another_process_put_at_our_path_is_not_removed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.sock");
    let (_listener, file) = listen_at(&path).unwrap();
    fs::rename(&path, directory.path().join("moved")).unwrap();
    let _other = StdListener::bind(&path).unwrap();
    drop(file);
    UnixStream::connect(&path).unwrap();
}

/// The second to start finds the first one listening, never a socket that does not listen yet.
#[test]
fn of_many_proxies_that_start_at_once_on_a_stale_socket_one_listens() {
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
