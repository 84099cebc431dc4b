use std::future::poll_fn;
use std::task::Wake;

use rustls::{ClientConfig, RootCertStore, ServerConfig};
#[cfg(target_os = "linux")]
use socket2::SockRef;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::*;
use crate::upstream::waker::ConnectionWaker;

/// A waker that does not belong to the connection.
struct OtherTask(Notify);

impl Wake for OtherTask {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }
}

/// Expires only if a wake-up is lost.
const LIMIT: Duration = Duration::from_secs(5);

async fn pair() -> (Io, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let io = Io::plain(
        TcpStream::connect(address).await.unwrap(),
        Duration::from_mins(5),
    );
    (io, listener.accept().await.unwrap().0)
}

/// Reads one byte, if there is one, as hyper does.
fn poll_byte(io: &mut Io, cx: &mut Context<'_>) -> Poll<u8> {
    let mut byte = [0];
    let mut buf = ReadBuf::new(&mut byte);
    Pin::new(io).poll_read(cx, &mut buf).map(|read| {
        read.unwrap();
        buf.filled()[0]
    })
}

#[tokio::test]
async fn a_drained_socket_is_read_again_after_its_waker_was_woken() {
    let (mut io, mut peer) = pair().await;
    let connection = ConnectionWaker::new(io.waker_state());
    for byte in 0..3 {
        assert!(poll_byte(&mut io, &mut connection.begin_poll()).is_pending());
        assert!(io.would_block(&connection.begin_poll()));
        peer.write_all(&[byte]).await.unwrap();
        let read = poll_fn(|cx| {
            let read = poll_byte(&mut io, &mut connection.begin_poll());
            connection.register(cx.waker());
            read
        });
        assert_eq!(timeout(LIMIT, read).await, Ok(byte));
    }
}

#[tokio::test]
async fn a_poll_with_another_waker_is_woken_although_the_socket_was_drained() {
    let (mut io, mut peer) = pair().await;
    let connection = ConnectionWaker::new(io.waker_state());
    assert!(poll_byte(&mut io, &mut connection.begin_poll()).is_pending());
    let other = Arc::new(OtherTask(Notify::new()));
    let waker = Waker::from(Arc::clone(&other));
    assert!(poll_byte(&mut io, &mut Context::from_waker(&waker)).is_pending());
    peer.write_all(b"x").await.unwrap();
    timeout(LIMIT, other.0.notified())
        .await
        .expect("it is woken");
    assert!(!io.would_block(&connection.begin_poll()));
}

/// A TLS connection: our end, and the upstream's.
async fn tls_pair() -> (Io, tokio_rustls::server::TlsStream<TcpStream>) {
    let issued = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = issued.cert.der().clone();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate],
            issued.signing_key.serialize_der().try_into().unwrap(),
        )
        .unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    let accepted = listener.accept().await.unwrap().0;
    let (ours, theirs) = tokio::join!(
        TlsConnector::from(Arc::new(client)).connect("localhost".try_into().unwrap(), stream),
        TlsAcceptor::from(Arc::new(server)).accept(accepted),
    );
    (
        Io::tls(ours.unwrap(), Duration::from_mins(5)),
        theirs.unwrap(),
    )
}

/// Writes without waiting, and returns how many bytes were accepted.
fn offer(io: &mut Io, frame: &[u8]) -> usize {
    let mut cx = Context::from_waker(Waker::noop());
    match Pin::new(io).poll_write(&mut cx, frame) {
        Poll::Ready(count) => count.unwrap(),
        Poll::Pending => 0,
    }
}

#[tokio::test]
async fn a_long_frame_is_accepted_whole_by_tls_and_a_short_one_behind_it_waits_and_arrives() {
    let (mut io, mut peer) = tls_pair().await;
    let mut sent = Vec::new();
    let short = [b's'; 1000];
    // Until the system's buffers are full, and TLS_BUFFER_BYTES more are waiting.
    while let count @ 1.. = offer(&mut io, &short) {
        sent.extend(&short[..count]);
    }
    let long = vec![b'l'; LARGE_TLS_BUFFER_BYTES / 2];
    assert_eq!(offer(&mut io, &long), long.len());
    assert_eq!(offer(&mut io, b"end"), 0);
    sent.extend([&long[..], b"end"].concat());
    let mut received = vec![0; sent.len()];
    let transfer = async {
        let write = async {
            io.write_all(b"end").await.unwrap();
            io.flush().await.unwrap();
        };
        tokio::join!(write, peer.read_exact(&mut received))
            .1
            .unwrap();
    };
    timeout(LIMIT, transfer).await.expect("it is woken");
    assert!(received == sent);
}

/// Linux ends a connection whose peer does not read for the user timeout, as if the peer were unreachable.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_user_timeout_is_raised_during_an_upload_and_restored_after_it() {
    let upload_user_timeout = Duration::from_mins(5);
    let (mut io, mut peer) = pair().await;
    let limit = |io: &Io| SockRef::from(io.socket()).tcp_user_timeout().unwrap();
    set_user_timeout(io.socket(), USER_TIMEOUT);

    io.write_all(&[0; 1000]).await.unwrap();
    assert_eq!(limit(&io), Some(USER_TIMEOUT));
    io.write_all(&vec![0; UPLOAD_BYTES]).await.unwrap();
    assert_eq!(limit(&io), Some(upload_user_timeout));
    peer.write_all(b"answer").await.unwrap();
    io.read_exact(&mut [0; 6]).await.unwrap();
    assert_eq!(limit(&io), Some(USER_TIMEOUT));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_user_timeout_of_a_connection_for_many_requests_stays_during_an_upload() {
    let (io, _peer) = pair().await;
    let mut io = io.for_many_requests();
    set_user_timeout(io.socket(), USER_TIMEOUT);
    io.write_all(&vec![0; UPLOAD_BYTES]).await.unwrap();
    let limit = SockRef::from(io.socket()).tcp_user_timeout().unwrap();
    assert_eq!(limit, Some(USER_TIMEOUT));
}
