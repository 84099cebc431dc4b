use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use super::*;

#[test]
fn if_another_cupbearer_has_the_admin_port_the_message_names_its_process() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let other = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 1024]).unwrap();
        let response = b"HTTP/1.0 200 OK\r\n\r\n{\"pid\": 4711, \"proxies\": []}";
        stream.write_all(response).unwrap();
    });
    let error = server::BindError {
        address: Listen::Tcp(address),
        source: std::io::ErrorKind::AddrInUse.into(),
    };
    let message = explain_missing_admin(&error, &[Listen::Tcp(address)]);
    other.join().unwrap();
    let port = address.port();
    let expected =
        format!("port {port} belongs to another cupbearer (process 4711), which health, wait");
    assert!(message.starts_with(&expected), "{message}");

    let message = explain_missing_admin(&error, &[Listen::Tcp(address)]);
    assert!(
        message.contains("cannot listen on") && !message.contains("another cupbearer"),
        "nothing responds: {message}"
    );
}

#[test]
fn each_listener_whose_port_is_taken_names_its_own_key_and_flag() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let error = || server::BindError {
        address: Listen::Tcp(listener.local_addr().unwrap()),
        source: std::io::ErrorKind::AddrInUse.into(),
    };
    drop(std::thread::spawn({
        let listener = listener.try_clone().unwrap();
        move || listener.incoming().for_each(drop)
    }));
    let proxy = explain(&StartError::Bind(error()), 1, &[]);
    assert!(
        proxy.contains("another with listen = ") && proxy.contains("--listen"),
        "{proxy}"
    );
    assert!(!proxy.contains("admin"), "{proxy}");
    let one_of_several = explain(&StartError::Bind(error()), 2, &[]);
    assert!(
        one_of_several.contains("another with listen = ") && !one_of_several.contains("--listen"),
        "{one_of_several}"
    );
    let admin = explain_admin(&error(), &[]);
    assert!(
        admin.contains("another with admin.listen = ") && admin.contains("--admin"),
        "{admin}"
    );
    assert!(!admin.contains("--listen"), "{admin}");
    let without = explain_missing_admin(&error(), &[]);
    assert!(
        without.contains("--admin") && !without.contains("--listen"),
        "{without}"
    );
}
