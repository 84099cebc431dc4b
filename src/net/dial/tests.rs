use super::*;

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

async fn listener() -> (tokio::net::TcpListener, SocketAddr) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// An address that never answers a connection attempt, because its accept queue is full.
#[cfg(target_os = "linux")]
fn silent() -> (socket2::Socket, Vec<socket2::Socket>, SocketAddr) {
    use socket2::{Domain, Socket, Type};
    let queue = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    queue.bind(&address("127.0.0.1:0").into()).unwrap();
    queue.listen(0).unwrap();
    let full = queue.local_addr().unwrap().as_socket().unwrap();
    let waiting = (0..4)
        .map(|_| {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            socket.set_nonblocking(true).unwrap();
            let _ = socket.connect(&full.into());
            socket
        })
        .collect();
    (queue, waiting, full)
}

#[test]
fn address_families_alternate_beginning_with_the_resolvers_first_address() {
    let found = [
        "[::1]:1",
        "[::2]:1",
        "[::3]:1",
        "127.0.0.1:1",
        "127.0.0.2:1",
    ]
    .map(address);
    let expected = [
        "[::1]:1",
        "127.0.0.1:1",
        "[::2]:1",
        "127.0.0.2:1",
        "[::3]:1",
    ]
    .map(address);
    assert_eq!(interleave_families(found.to_vec()), expected);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_silent_address_delays_the_next_attempt_by_250_ms() {
    let (_queue, _waiting, silent) = silent();
    let (_listener, good) = listener().await;
    let start = tokio::time::Instant::now();

    let stream = race(vec![silent, good]).await.unwrap();

    assert_eq!(stream.peer_addr().unwrap(), good);
    let took = start.elapsed();
    assert!(
        took >= ATTEMPT_DELAY && took < 20 * ATTEMPT_DELAY,
        "{took:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_refused_connection_starts_the_next_attempt_at_once() {
    let (gone, refusing) = listener().await;
    drop(gone);
    let (_listener, good) = listener().await;
    let start = tokio::time::Instant::now();

    let stream = race(vec![refusing, good]).await.unwrap();

    assert_eq!(stream.peer_addr().unwrap(), good);
    assert!(start.elapsed() < ATTEMPT_DELAY);
}

#[tokio::test]
async fn when_every_address_refuses_the_last_error_is_returned() {
    let (one, first) = listener().await;
    let (other, second) = listener().await;
    drop((one, other));

    let error = race(vec![first, second]).await.unwrap_err();

    assert!(matches!(error, DialError::Unreachable { address, .. } if address == second));
}

/// tests/survives.md 14: 15 s and three probes 5 s apart while idle, 30 s while sending, both below 35 s.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_connection_over_a_dead_path_ends_within_30_s() {
    let (_listener, good) = listener().await;
    let target = HostPort {
        host: "127.0.0.1".to_owned(),
        port: good.port(),
    };

    let stream = dial(&target).await.unwrap();

    let socket = socket2::SockRef::from(&stream);
    assert!(socket.keepalive().unwrap() && socket.tcp_nodelay().unwrap());
    let probes = socket.tcp_keepalive_interval().unwrap() * socket.tcp_keepalive_retries().unwrap();
    assert_eq!(
        socket.tcp_keepalive_time().unwrap() + probes,
        Duration::from_secs(30)
    );
    assert_eq!(
        socket.tcp_user_timeout().unwrap(),
        Some(Duration::from_secs(30))
    );
}
