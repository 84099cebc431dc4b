use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn tcp(address: &str) -> PassedSocket {
    let listener = TcpListener::bind(address).unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    PassedSocket::Tcp(PassedTcpSocket {
        listener,
        address,
        is_named: false,
    })
}

fn unix(path: &Path, mode: u32) -> PassedSocket {
    let listener = UnixListener::bind(path).unwrap();
    listener.set_nonblocking(true).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    PassedSocket::Unix(listener, path.to_owned())
}

/// The message about these sockets for these values of `listen` and `admin.listen`.
fn problem(api: Vec<PassedSocket>, admin: Vec<PassedSocket>, keys: [&[Listen]; 2]) -> String {
    let mut passed = PassedSockets { api, admin };
    let checked = passed.check(keys[0].iter(), keys[1].iter());
    checked.map_or_else(|error| error.to_string(), |()| String::new())
}

#[test]
fn each_socket_has_the_name_at_its_position() {
    assert_eq!(split_names("2", "api:admin").unwrap(), ["api", "admin"]);
    assert_eq!(split_names("0", "").unwrap(), [""; 0]);
    for (count, text, variable) in [
        ("two", "api:admin", "LISTEN_FDS is \"two\""),
        ("-1", "api", "LISTEN_FDS is \"-1\""),
        ("2", "api", "LISTEN_FDNAMES is \"api\""),
        ("1", "api:admin", "LISTEN_FDNAMES is \"api:admin\""),
        ("99999999999", "api", "LISTEN_FDNAMES is \"api\""),
    ] {
        let error = split_names(count, text).unwrap_err().to_string();
        assert!(error.starts_with(variable), "{error}");
    }
}

#[test]
fn a_socket_must_have_an_address_of_its_key() {
    let listen = |text: &str| Listen::Tcp(text.parse().unwrap());
    let [socket, other] = [tcp("127.0.0.1:0"), tcp("127.0.0.1:0")];
    let (own, taken) = (socket.to_string(), other.to_string());
    let keys = [
        &[listen(&own), listen(&taken)][..],
        &[listen("127.0.0.1:0")],
    ];
    assert_eq!(problem(vec![other, socket], Vec::new(), keys), "");
    let two = || vec![tcp("127.0.0.1:0"), tcp("127.0.0.1:0")];
    let message = problem(Vec::new(), two(), keys);
    assert!(
        message.ends_with("but admin.listen is 127.0.0.1:0; write the same address in ListenStream= of its socket unit and in admin.listen"),
        "one address takes one socket: {message}"
    );
    let message = problem(
        vec![tcp("0.0.0.0:0")],
        Vec::new(),
        [&[Listen::Localhost(0)], &[]],
    );
    assert!(
        message.starts_with("the service manager passed a socket that listens on 0.0.0.0:")
            && message.contains(" as \"api\", but listen is localhost:0;"),
        "{message}"
    );
    let message = problem(
        Vec::new(),
        vec![tcp("127.0.0.1:0")],
        [&[Listen::Localhost(0)], &[]],
    );
    assert!(
        message.contains(" as \"admin\", but admin.listen is off;"),
        "{message}"
    );
}

#[test]
fn the_file_of_a_unix_socket_may_not_admit_more_users_than_the_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let listen = |name: &str, mode| Listen::Unix {
        path: at(name),
        mode,
    };
    std::os::unix::fs::symlink(directory.path(), at("link")).unwrap();
    let sockets = vec![unix(&at("narrow"), 0o644), unix(&at("equal"), 0o660)];
    let keys = [listen("link/narrow", 0o660), listen("equal", 0o660)];
    assert_eq!(problem(sockets, Vec::new(), [&keys, &[]]), "");
    let wide = problem(
        vec![unix(&at("wide"), 0o666)],
        Vec::new(),
        [&[listen("wide", 0o600)], &[]],
    );
    assert!(
        wide.ends_with("wide with the mode 0666, but listen_mode allows only 0600; write SocketMode=0600 in its socket unit"),
        "{wide}"
    );
    let other = problem(
        vec![unix(&at("other"), 0o600)],
        Vec::new(),
        [&[listen("x", 0o600)], &[]],
    );
    assert!(
        other.contains("/other as \"api\", but listen is unix:"),
        "{other}"
    );
}

#[tokio::test]
async fn a_passed_socket_is_taken_and_the_other_address_of_localhost_gets_its_port() {
    let mut passed = vec![tcp("127.0.0.1:0")];
    let PassedSocket::Tcp(tcp) = &passed[0] else {
        panic!("it is a TCP socket")
    };
    let (own, _held) = (tcp.address, tcp.listener.try_clone().unwrap());
    let bound = crate::server::bind_or_take(&Listen::Localhost(0), &mut passed).unwrap();
    assert!(passed.is_empty());
    assert_eq!(bound.addresses[0], own);
    assert!(
        bound
            .addresses
            .iter()
            .all(|address| address.port() == own.port())
    );
    assert_eq!(bound.addresses.len() + bound.absent.len(), 2);
}

#[tokio::test]
async fn the_file_of_a_passed_unix_socket_stays() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("api");
    let listen = Listen::Unix {
        path: path.clone(),
        mode: 0o600,
    };
    let mut passed = vec![unix(&path, 0o600)];
    let bound = crate::server::bind_or_take(&listen, &mut passed).unwrap();
    assert!(passed.is_empty() && bound.socket_file.is_none());
    drop(bound);
    assert!(path.exists());
}

#[test]
fn both_sockets_of_localhost_have_the_same_port() {
    let keys = [&[Listen::Localhost(0)][..], &[]];
    let [first, second] = [tcp("127.0.0.1:0"), tcp("[::1]:0")];
    let message = problem(vec![first, second], Vec::new(), keys);
    assert!(
        message.contains("as \"api\", but listen is localhost:0"),
        "{message}"
    );
}

#[tokio::test]
async fn a_socket_whose_port_is_named_is_not_taken_by_a_listener_on_any_port() {
    let [named, any] = [tcp("127.0.0.1:0"), tcp("127.0.0.1:0")];
    let listen = |text: &str| Listen::Tcp(text.parse().unwrap());
    let (own, other) = (named.to_string(), any.to_string());
    let mut passed = PassedSockets {
        api: vec![named, any],
        admin: Vec::new(),
    };
    let listens = [listen("127.0.0.1:0"), listen(&own)];
    passed.check(listens.iter(), [].iter()).unwrap();
    for (listen, expected) in listens.iter().zip([&other, &own]) {
        let bound = crate::server::bind_or_take(listen, &mut passed.api).unwrap();
        assert_eq!(bound.addresses[0].to_string(), *expected);
    }
    assert!(passed.api.is_empty());

    // Without a socket for it, the other one is bound anew.
    let mut passed = PassedSockets {
        api: vec![tcp("127.0.0.1:0")],
        admin: Vec::new(),
    };
    let own = passed.api[0].to_string();
    for any in [listen("127.0.0.1:0"), Listen::Localhost(0)] {
        passed
            .check([any.clone(), listen(&own)].iter(), [].iter())
            .unwrap();
        let bound = crate::server::bind_or_take(&any, &mut passed.api).unwrap();
        assert_ne!(bound.addresses[0].to_string(), own);
        assert_eq!(passed.api.len(), 1);
    }
}
