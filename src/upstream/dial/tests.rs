use super::*;

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

async fn listener() -> (tokio::net::TcpListener, SocketAddr) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// An address on which a connection attempt gets no answer at all: its queue is full.
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
fn families_take_turns_beginning_with_the_resolvers_first() {
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
    assert_eq!(alternate(found.to_vec()), expected);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_address_without_an_answer_holds_up_the_next_by_a_quarter_of_a_second() {
    let (_queue, _waiting, silent) = silent();
    let (_listener, good) = listener().await;
    let start = tokio::time::Instant::now();

    let stream = race(vec![silent, good]).await.unwrap();

    assert_eq!(stream.peer_addr().unwrap(), good);
    let took = start.elapsed();
    assert!(
        took >= ATTEMPT_DELAY && took < 4 * ATTEMPT_DELAY,
        "{took:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn after_a_refusal_the_next_address_is_tried_at_once() {
    let (gone, refusing) = listener().await;
    drop(gone);
    let (_listener, good) = listener().await;
    let start = tokio::time::Instant::now();

    let stream = race(vec![refusing, good]).await.unwrap();

    assert_eq!(stream.peer_addr().unwrap(), good);
    assert!(start.elapsed() < ATTEMPT_DELAY);
}

#[tokio::test]
async fn if_all_refuse_the_last_refusal_is_the_error() {
    let (one, first) = listener().await;
    let (other, second) = listener().await;
    drop((one, other));

    let error = race(vec![first, second]).await.unwrap_err();

    assert!(matches!(error, DialError::Refused { address, .. } if address == second));
}

/// tests/survives.md 14: 15 s and three probes 5 s apart while idle, 30 s while sending, both below 35 s.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_dead_path_ends_a_connection_within_30_s() {
    let (_listener, good) = listener().await;

    let stream = dial("127.0.0.1", good.port()).await.unwrap();

    let socket = SockRef::from(&stream);
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
