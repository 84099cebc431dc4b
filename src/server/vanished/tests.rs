use tokio::net::TcpStream;

use super::*;

#[tokio::test]
async fn an_accepted_connection_is_asked_after_and_ends_with_the_stall_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    ask_after_clients(&listener, Duration::from_mins(5));
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

/// A limit below the whole seconds that the system counts in is no reason to do without.
#[tokio::test]
async fn a_limit_of_milliseconds_still_asks() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    ask_after_clients(&listener, Duration::from_millis(300));
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
