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
