use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::config::Listen;
use crate::metrics::Metrics;
use crate::server::client_stream::ClientStream;
use crate::server::{ConnectionLimits, Server, bind};

#[tokio::test]
async fn an_accepted_connection_has_keepalive_and_the_user_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    enable_keepalive(&SockRef::from(&listener), Duration::from_mins(5));
    let _client = TcpStream::connect(listener.local_addr().unwrap()).await;

    let (accepted, _) = listener.accept().await.unwrap();

    let socket = SockRef::from(&accepted);
    assert!(socket.keepalive().unwrap());
    assert_eq!(socket.tcp_keepalive_time().unwrap(), IDLE);
    assert_eq!(socket.tcp_keepalive_interval().unwrap(), INTERVAL);
    assert_eq!(socket.tcp_keepalive_retries().unwrap(), PROBES);
    assert_eq!(
        socket.tcp_user_timeout().unwrap(),
        Some(Duration::from_mins(5))
    );
}

/// The system counts keep-alive times in whole seconds.
#[tokio::test]
async fn a_user_timeout_in_milliseconds_still_enables_keepalive() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    enable_keepalive(&SockRef::from(&listener), Duration::from_millis(300));
    let _client = TcpStream::connect(listener.local_addr().unwrap()).await;
    let (accepted, _) = listener.accept().await.unwrap();
    let socket = SockRef::from(&accepted);
    assert!(socket.keepalive().unwrap());
    assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(1));
    assert_eq!(
        socket.tcp_user_timeout().unwrap(),
        Some(Duration::from_millis(300))
    );
}

#[tokio::test]
async fn a_changed_timeout_applies_to_each_connection_accepted_from_then_on() {
    let bound = bind(&Listen::Tcp(([127, 0, 0, 1], 0).into())).unwrap();
    let address = bound.addresses[0];
    let limits = ConnectionLimits {
        connections: 10,
        header_bytes: 16 << 10,
        streams: 128,
        header_timeout: Duration::from_secs(5),
        keep_alive: Duration::from_secs(75),
        stall_timeout: Duration::from_secs(3),
        head_grace: Duration::ZERO,
        unread_gives_way: None,
    };
    let mut server = Server::new(bound, limits, Metrics::new(None));
    let waiting = TcpStream::connect(address).await; // in the backlog when the timeout changes
    for timeout in [Duration::from_mins(1), Duration::from_secs(3)] {
        server.live_limits().set(ConnectionLimits {
            stall_timeout: timeout,
            ..limits
        });
        let (ClientStream::Tcp(accepted), _) = server.accept().await else {
            panic!("a unix socket");
        };
        let socket = SockRef::from(&accepted);
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(timeout));
        let _next = TcpStream::connect(address).await;
    }
    drop(waiting);
}
