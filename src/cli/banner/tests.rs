use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use super::*;

#[test]
fn an_admin_port_of_another_cupbearer_is_said_with_its_process_and_what_would_reach_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 1024]).unwrap();
        let answer = b"HTTP/1.0 200 OK\r\n\r\n{\"pid\": 4711, \"proxies\": []}";
        stream.write_all(answer).unwrap();
    });
    let error = server::BindError {
        address: Listen::Tcp(address),
        source: std::io::ErrorKind::AddrInUse.into(),
    };
    let said = without_admin(&error, &[Listen::Tcp(address)]);
    answering.join().unwrap();
    let port = address.port();
    let expected = format!("{port} is another cupbearer's (process 4711); health, wait");
    assert!(said.starts_with(&expected), "{said}");

    let said = without_admin(&error, &[Listen::Tcp(address)]);
    assert!(
        said.contains("to have one elsewhere"),
        "nobody answers: {said}"
    );
}
