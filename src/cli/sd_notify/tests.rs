use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::SocketAddr;

use super::*;

/// The socket of a manager in the abstract namespace, and its name.
fn manager() -> (UnixDatagram, OsString) {
    let name = format!("cupbearer-test-{}", fastrand::u64(..));
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let socket = UnixDatagram::bind_addr(&address).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    (socket, format!("@{name}").into())
}

fn received(manager: &UnixDatagram) -> String {
    let mut buffer = [0; 1024];
    let length = manager.recv(&mut buffer).unwrap();
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

fn manager_at(socket: OsString, usec: Option<&str>, pid: Option<u32>) -> ServiceManager {
    ServiceManager::new(ManagerEnvironment {
        socket: Some(socket),
        watchdog_usec: usec.map(str::to_owned),
        watchdog_pid: pid.map(|pid| pid.to_string()),
    })
}

#[test]
fn messages_reach_an_abstract_socket_and_one_with_a_path() {
    let (manager, name) = manager();
    manager_at(name, None, None).ready("two\nlines");
    assert_eq!(received(&manager), "READY=1\nSTATUS=two lines");

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager_at(path.into(), None, None).stopping();
    assert_eq!(received(&manager), "STOPPING=1\nSTATUS=stopping");
}

#[test]
fn a_reload_message_has_the_monotonic_time() {
    let (manager, name) = manager();
    let before = monotonic_microseconds();
    manager_at(name, None, None).reloading();
    let message = received(&manager);
    let (first, rest) = message.split_once('\n').unwrap();
    assert_eq!(first, "RELOADING=1");
    let at: i64 = rest
        .strip_prefix("MONOTONIC_USEC=")
        .unwrap()
        .parse()
        .unwrap();
    assert!((before..=monotonic_microseconds()).contains(&at), "{at}");
}

#[tokio::test(start_paused = true)]
async fn the_watchdog_is_notified_at_half_its_interval_and_the_status_is_sent_only_when_it_changes()
{
    let (manager, name) = manager();
    manager.set_nonblocking(true).unwrap();
    let connection = manager_at(name, Some("10000000"), Some(std::process::id()));
    let state = std::cell::Cell::new("fresh");
    let keep = connection.keep_informed(|| state.get().to_owned());
    let _ = tokio::time::timeout(Duration::from_secs(12), keep).await;
    let messages: Vec<String> = (0..3).map(|_| received(&manager)).collect();
    assert_eq!(
        messages,
        ["WATCHDOG=1\nSTATUS=fresh", "WATCHDOG=1", "WATCHDOG=1"]
    );
    assert!(manager.recv(&mut [0; 8]).is_err(), "0, 5 and 10 s");
}

#[test]
fn the_watchdog_of_another_process_and_an_invalid_one_are_ignored() {
    for (usec, pid) in [
        ("1000000", Some(1)),
        ("0", None),
        ("-1", None),
        ("soon", None),
    ] {
        let (_manager, name) = manager();
        assert_eq!(manager_at(name, Some(usec), pid).watchdog, None, "{usec}");
    }
}

#[test]
fn a_manager_that_reads_nothing_or_does_not_exist_never_blocks() {
    let (_manager, name) = manager();
    let manager = manager_at(name, None, None);
    for _ in 0..10_000 {
        manager.stopping(); // would hang here
    }
    ServiceManager::new(ManagerEnvironment::default()).stopping();
    manager_at("@nobody-listens-here".into(), None, None).stopping();
}
