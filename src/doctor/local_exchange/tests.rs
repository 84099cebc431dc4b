use std::net::TcpListener;
use std::sync::mpsc;

use super::*;

/// Runs `exchange` with a program that sends this, and then a byte at a time.
fn exchange_with_slow_program(
    first: &'static [u8],
    is_enough: fn(&[u8]) -> bool,
) -> io::Result<Vec<u8>> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = mpsc::channel::<()>();
    let program = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(first).unwrap();
        // Sixty times within the limit, so that no single read takes long.
        let pause = TIME_LIMIT / 60;
        let mut sent = 0;
        while stopped.recv_timeout(pause) == Err(mpsc::RecvTimeoutError::Timeout) && sent < 600 {
            if stream.write_all(b"x").is_err() {
                break;
            }
            sent += 1;
        }
        sent
    });
    let response = exchange(
        &LocalAddress::Tcp(address),
        b"GET / HTTP/1.0\r\n\r\n",
        1 << 20,
        is_enough,
    );
    drop(stop);
    assert!(
        program.join().unwrap() < 600,
        "it read on for ten times its limit"
    );
    response
}

#[test]
fn a_response_that_comes_a_byte_at_a_time_is_given_up_after_the_limit() {
    let error = exchange_with_slow_program(b"HTTP/1.0 200 OK\r\n", |_| false).unwrap_err();
    let kinds = [ErrorKind::TimedOut, ErrorKind::WouldBlock];
    assert!(kinds.contains(&error.kind()), "{error}");
}

#[test]
fn nothing_is_awaited_beyond_what_is_enough() {
    let response = exchange_with_slow_program(b"head\r\n\r\n", |read| read.contains(&b'\n'));
    assert!(response.unwrap().starts_with(b"head"));
}
