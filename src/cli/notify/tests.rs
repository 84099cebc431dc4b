use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::SocketAddr;

use super::*;

/// A manager's socket in the abstract namespace, and its name.
fn manager() -> (UnixDatagram, OsString) {
    let name = format!("cupbearer-test-{}", fastrand::u64(..));
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let socket = UnixDatagram::bind_addr(&address).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    (socket, format!("@{name}").into())
}

fn told(manager: &UnixDatagram) -> String {
    let mut buffer = [0; 1024];
    let length = manager.recv(&mut buffer).unwrap();
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

fn notifier(socket: OsString, usec: Option<&str>, pid: Option<u32>) -> Notifier {
    Notifier::new(Given {
        socket: Some(socket),
        watchdog_usec: usec.map(str::to_owned),
        watchdog_pid: pid.map(|pid| pid.to_string()),
    })
}

#[test]
fn an_abstract_socket_and_one_with_a_path_are_both_told() {
    let (manager, name) = manager();
    notifier(name, None, None).ready("two\nlines");
    assert_eq!(told(&manager), "READY=1\nSTATUS=two lines");

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    notifier(path.into(), None, None).stopping();
    assert_eq!(told(&manager), "STOPPING=1\nSTATUS=stopping");
}

#[test]
fn a_reload_says_when_by_the_monotonic_clock() {
    let (manager, name) = manager();
    let before = monotonic_microseconds();
    notifier(name, None, None).reloading();
    let message = told(&manager);
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
async fn signs_of_life_come_at_half_the_time_and_the_state_only_when_it_changes() {
    let (manager, name) = manager();
    manager.set_nonblocking(true).unwrap();
    let notifier = notifier(name, Some("10000000"), Some(std::process::id()));
    let state = std::cell::Cell::new("fresh");
    let keep = notifier.keep_informed(|| state.get().to_owned());
    let _ = tokio::time::timeout(Duration::from_secs(12), keep).await;
    let messages: Vec<String> = (0..3).map(|_| told(&manager)).collect();
    assert_eq!(
        messages,
        ["WATCHDOG=1\nSTATUS=fresh", "WATCHDOG=1", "WATCHDOG=1"]
    );
    assert!(manager.recv(&mut [0; 8]).is_err(), "0, 5 and 10 s");
}

#[test]
fn another_process_s_watchdog_and_a_senseless_one_are_none_of_ours() {
    for (usec, pid) in [
        ("1000000", Some(1)),
        ("0", None),
        ("-1", None),
        ("soon", None),
    ] {
        let (_manager, name) = manager();
        assert_eq!(notifier(name, Some(usec), pid).watchdog, None, "{usec}");
    }
}

#[test]
fn a_manager_that_reads_nothing_or_is_not_there_is_not_waited_for() {
    let (_manager, name) = manager();
    let notifier = notifier(name, None, None);
    for _ in 0..10_000 {
        notifier.stopping(); // hangs here if it waits
    }
    Notifier::new(Given::default()).stopping();
    self::notifier("@nobody-listens-here".into(), None, None).stopping();
}
