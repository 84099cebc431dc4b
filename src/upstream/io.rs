//! The socket to the upstream, plain or TLS, as one type without a pointer to follow.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::dial::{USER_TIMEOUT, give_up_after};
use super::relay::Bell;
use crate::metrics::Held;

/// So much goes out without a byte in return only in an upload; what is less fits into the buffers of a peer
/// that reads nothing.
const UPLOAD: usize = 64 << 10;

/// What rustls takes at once by default, and what a frame is at most unless the client's connection has leave to
/// read more.
const NARROW: usize = 64 << 10;

/// What it takes of a longer frame: the largest that the server reads, so that it goes out by one call.
const WIDE: usize = 256 << 10;

/// One connection's bytes.
///
/// An upstream that refuses an upload answers, hangs up and resets: the write fails while the answer waits
/// to be read. So a hang-up noticed by writing is kept back; reading tells it, after what came before it.
///
/// An upstream may stop reading an upload for as long as our own limits allow, so that the system's has to wait.
#[derive(Debug)]
pub(super) struct Io {
    stream: Stream,
    hung_up: bool,
    /// Its place among the open connections, given up with it.
    open: Option<Held>,
    /// Bytes written since the last were read.
    unanswered: usize,
    /// The longest of our own limits for an exchange.
    patience: Duration,
    bell: Arc<Bell>,
    /// What rings it.
    waker: Waker,
    /// The last read found nothing, and the bell will ring when something comes.
    dry: bool,
    /// TLS takes longer frames at once.
    wide: bool,
}

#[derive(Debug)]
enum Stream {
    /// http to loopback, or allowed by `upstream.allow_plaintext`.
    Plain(TcpStream),
    /// https.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Io {
    pub(super) fn plain(stream: TcpStream, patience: Duration) -> Self {
        Self::over(Stream::Plain(stream), patience)
    }

    pub(super) fn tls(stream: TlsStream<TcpStream>, patience: Duration) -> Self {
        Self::over(Stream::Tls(Box::new(stream)), patience)
    }

    fn over(stream: Stream, patience: Duration) -> Self {
        let bell = Bell::new();
        Self {
            stream,
            hung_up: false,
            unanswered: 0,
            patience,
            open: None,
            waker: Waker::from(Arc::clone(&bell)),
            bell,
            dry: false,
            wide: false,
        }
    }

    /// To be rung by the waker that it is driven with.
    pub(super) fn bell(&self) -> Arc<Bell> {
        Arc::clone(&self.bell)
    }

    /// Whether a read would find nothing again. hyper asks several times for each request, and to ask the runtime
    /// costs more.
    fn is_dry(&self, cx: &Context<'_>) -> bool {
        self.dry && !self.bell.has_rung() && self.is_ours(cx)
    }

    fn is_ours(&self, cx: &Context<'_>) -> bool {
        self.waker.will_wake(cx.waker())
    }

    /// The same, counted until it is dropped.
    pub(super) fn counted(mut self, open: Held) -> Self {
        self.open = Some(open);
        self
    }

    fn socket(&self) -> &TcpStream {
        match &self.stream {
            Stream::Plain(stream) => stream,
            Stream::Tls(stream) => stream.get_ref().0,
        }
    }

    /// So that a frame of so many bytes goes out at once, and so that many short ones are not hoarded.
    fn fit(&mut self, frame: usize) {
        let wide = frame > NARROW;
        if wide != self.wide
            && let Stream::Tls(stream) = &mut self.stream
        {
            self.wide = wide;
            let limit = if wide { WIDE } else { NARROW };
            stream.get_mut().1.set_buffer_limit(Some(limit));
        }
    }

    fn sent(&mut self, count: usize) {
        let before = self.unanswered;
        self.unanswered = before.saturating_add(count);
        if before < UPLOAD && self.unanswered >= UPLOAD {
            give_up_after(self.socket(), self.patience);
        }
    }

    fn answered(&mut self) {
        if self.unanswered >= UPLOAD {
            give_up_after(self.socket(), USER_TIMEOUT);
        }
        self.unanswered = 0;
    }

    /// What a write is said to have done: a peer that has hung up takes everything, to no effect.
    fn written(&mut self, polled: Poll<io::Result<usize>>, all: usize) -> Poll<io::Result<usize>> {
        match polled {
            Poll::Ready(Err(error)) if is_hang_up(&error) => {
                self.hung_up = true;
                Poll::Ready(Ok(all))
            }
            Poll::Ready(Ok(count)) => {
                self.sent(count);
                Poll::Ready(Ok(count))
            }
            other => other,
        }
    }
}

fn is_hang_up(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
    )
}

/// The same call on whichever stream it is.
macro_rules! each {
    ($io:expr, $stream:ident => $call:expr) => {
        match &mut $io.stream {
            Stream::Plain($stream) => $call,
            Stream::Tls($stream) => $call,
        }
    };
}

impl AsyncRead for Io {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.is_dry(cx) {
            return Poll::Pending;
        }
        this.bell.quiet();
        let before = buf.filled().len();
        let polled = each!(this, stream => Pin::new(stream).poll_read(cx, buf));
        if buf.filled().len() > before {
            this.answered();
        }
        this.dry = polled.is_pending() && this.is_ours(cx);
        polled
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.hung_up {
            return Poll::Ready(Ok(buf.len()));
        }
        this.fit(buf.len());
        let polled = each!(this, stream => Pin::new(stream).poll_write(cx, buf));
        this.written(polled, buf.len())
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let all = || bufs.iter().map(|buf| buf.len()).sum();
        if this.hung_up {
            return Poll::Ready(Ok(all()));
        }
        this.fit(bufs.iter().map(|buf| buf.len()).max().unwrap_or(0));
        let polled = match bufs {
            // What most requests are; the call for several costs the system more.
            [one] => each!(this, stream => Pin::new(stream).poll_write(cx, one)),
            several => each!(this, stream => Pin::new(stream).poll_write_vectored(cx, several)),
        };
        this.written(polled, all())
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.hung_up {
            return Poll::Ready(Ok(()));
        }
        match each!(this, stream => Pin::new(stream).poll_flush(cx)) {
            Poll::Ready(Err(error)) if is_hang_up(&error) => {
                this.hung_up = true;
                Poll::Ready(Ok(()))
            }
            other => other,
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self.get_mut(), stream => Pin::new(stream).poll_shutdown(cx))
    }
}

#[cfg(test)]
mod tests {
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
    use crate::upstream::relay::Relay;

    struct Other(Notify);

    impl Wake for Other {
        fn wake(self: Arc<Self>) {
            self.0.notify_one();
        }
    }

    /// Only a broken socket takes so long.
    const LONG: Duration = Duration::from_secs(5);

    async fn pair() -> (Io, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let io = Io::plain(
            TcpStream::connect(address).await.unwrap(),
            Duration::from_mins(5),
        );
        (io, listener.accept().await.unwrap().0)
    }

    /// One byte, if there is one, as a connection asks for it.
    fn poll_byte(io: &mut Io, cx: &mut Context<'_>) -> Poll<u8> {
        let mut byte = [0];
        let mut buf = ReadBuf::new(&mut byte);
        Pin::new(io).poll_read(cx, &mut buf).map(|read| {
            read.unwrap();
            buf.filled()[0]
        })
    }

    #[tokio::test]
    async fn a_dry_socket_is_read_again_once_the_bell_has_rung() {
        let (mut io, mut peer) = pair().await;
        let relay = Relay::new(io.bell());
        for byte in 0..3 {
            assert!(poll_byte(&mut io, &mut relay.attend()).is_pending());
            assert!(io.is_dry(&relay.attend()));
            peer.write_all(&[byte]).await.unwrap();
            let read = poll_fn(|cx| {
                let read = poll_byte(&mut io, &mut relay.attend());
                relay.wait(cx.waker());
                read
            });
            assert_eq!(timeout(LONG, read).await, Ok(byte));
        }
    }

    #[tokio::test]
    async fn who_asks_with_another_waker_is_told_although_the_socket_was_dry() {
        let (mut io, mut peer) = pair().await;
        let relay = Relay::new(io.bell());
        assert!(poll_byte(&mut io, &mut relay.attend()).is_pending());
        let other = Arc::new(Other(Notify::new()));
        let waker = Waker::from(Arc::clone(&other));
        assert!(poll_byte(&mut io, &mut Context::from_waker(&waker)).is_pending());
        peer.write_all(b"x").await.unwrap();
        timeout(LONG, other.0.notified()).await.expect("it is told");
        assert!(!io.is_dry(&relay.attend()));
    }

    /// With the upstream's end.
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

    /// How much of it is taken at once.
    fn offer(io: &mut Io, frame: &[u8]) -> usize {
        let mut cx = Context::from_waker(Waker::noop());
        match Pin::new(io).poll_write(&mut cx, frame) {
            Poll::Ready(count) => count.unwrap(),
            Poll::Pending => 0,
        }
    }

    #[tokio::test]
    async fn tls_takes_more_of_a_long_frame_and_a_short_one_behind_it_waits_and_arrives() {
        let (mut io, mut peer) = tls_pair().await;
        let mut sent = Vec::new();
        let short = [b's'; 1000];
        // Until the system takes no more, and NARROW waits.
        while let count @ 1.. = offer(&mut io, &short) {
            sent.extend(&short[..count]);
        }
        let long = vec![b'l'; WIDE / 2];
        assert_eq!(offer(&mut io, &long), long.len());
        assert_eq!(offer(&mut io, b"end"), 0);
        sent.extend([&long[..], b"end"].concat());
        let mut came = vec![0; sent.len()];
        let carried = async {
            let write = async {
                io.write_all(b"end").await.unwrap();
                io.flush().await.unwrap();
            };
            tokio::join!(write, peer.read_exact(&mut came)).1.unwrap();
        };
        timeout(LONG, carried).await.expect("it is woken");
        assert!(came == sent);
    }

    /// Linux ends a connection whose peer reads nothing for so long, as if it were not there.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn an_upload_may_wait_as_long_as_our_limits_and_what_follows_it_may_not() {
        let patience = Duration::from_mins(5);
        let (mut io, mut peer) = pair().await;
        let limit = |io: &Io| SockRef::from(io.socket()).tcp_user_timeout().unwrap();
        give_up_after(io.socket(), USER_TIMEOUT);

        io.write_all(&[0; 1000]).await.unwrap();
        assert_eq!(limit(&io), Some(USER_TIMEOUT));
        io.write_all(&vec![0; UPLOAD]).await.unwrap();
        assert_eq!(limit(&io), Some(patience));
        peer.write_all(b"answer").await.unwrap();
        io.read_exact(&mut [0; 6]).await.unwrap();
        assert_eq!(limit(&io), Some(USER_TIMEOUT));
    }
}
