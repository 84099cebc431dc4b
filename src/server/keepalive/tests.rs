use tokio::net::TcpStream;

use super::*;

#[tokio::test]
async fn an_accepted_connection_has_keepalive_and_the_user_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    enable_keepalive(&listener, Duration::from_mins(5));
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
    enable_keepalive(&listener, Duration::from_millis(300));
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
