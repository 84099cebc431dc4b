//! The same where requests go to the API over HTTP/2.

use std::mem;
use std::sync::Mutex;

use h2::Reason;
use http::Response;

use super::*;

/// Where a request waits while its token expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    /// A new connection, until the API has sent its SETTINGS.
    Settings,
    /// The response, until the API refuses the stream (`REFUSED_STREAM`).
    Refused,
    /// The response, until the API ends the connection below the stream (GOAWAY).
    GoneAway,
    /// The response, until the connection is lost and the request is sent once more.
    LostConnection,
}

const WAITS: [Wait; 4] = [
    Wait::Settings,
    Wait::Refused,
    Wait::GoneAway,
    Wait::LostConnection,
];

/// What the API has received.
#[derive(Default)]
struct Received {
    heads: AtomicUsize,
    /// `Authorization` of each, except on a connection of which only the frames are read.
    tokens: Mutex<Vec<String>>,
}

/// An API whose first connection fails its first request, as `wait` says, once it may.
struct Api {
    address: SocketAddr,
    received: Arc<Received>,
    may_fail: watch::Sender<bool>,
    acceptor: JoinHandle<()>,
}

impl Api {
    async fn start(wait: Wait) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::<Received>::default();
        let may_fail = watch::Sender::new(false);
        let acceptor = tokio::spawn({
            let (received, may_fail) = (Arc::clone(&received), may_fail.clone());
            let mut fault = Some(wait).filter(|wait| *wait != Wait::Settings);
            async move {
                loop {
                    let (socket, _) = listener.accept().await.unwrap();
                    let (fault, received) = (mem::take(&mut fault), Arc::clone(&received));
                    let may_fail = may_fail.subscribe();
                    tokio::spawn(async move {
                        if fault == Some(Wait::GoneAway) {
                            go_away(socket, &received, may_fail).await;
                        } else {
                            serve(socket, fault, &received, may_fail).await;
                        }
                    });
                }
            }
        });
        Self {
            address,
            received,
            may_fail,
            acceptor,
        }
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.acceptor.abort();
    }
}

async fn serve(
    socket: TcpStream,
    mut fault: Option<Wait>,
    received: &Received,
    mut may_fail: watch::Receiver<bool>,
) {
    let mut connection = h2::server::handshake(socket).await.unwrap();
    while let Some(Ok((request, mut response))) = connection.accept().await {
        let token = request.headers()["authorization"].to_str().unwrap();
        received.tokens.lock().unwrap().push(token.to_owned());
        received.heads.fetch_add(1, Ordering::SeqCst);
        let Some(fault) = fault.take() else {
            response.send_response(Response::new(()), true).unwrap();
            continue;
        };
        may_fail.wait_for(|may| *may).await.unwrap();
        if fault == Wait::LostConnection {
            return;
        }
        response.send_reset(Reason::REFUSED_STREAM);
    }
}

/// Ends the connection below its first stream. The `h2` crate counts that stream as processed.
async fn go_away(mut socket: TcpStream, received: &Received, mut may_fail: watch::Receiver<bool>) {
    const PREFACE: usize = 24;
    const HEADERS: u8 = 1;
    const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    const GOAWAY: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    socket.write_all(&SETTINGS).await.unwrap();
    socket.read_exact(&mut [0; PREFACE]).await.unwrap();
    loop {
        let mut head = [0; 9];
        socket.read_exact(&mut head).await.unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        socket
            .read_exact(&mut vec![0; length as usize])
            .await
            .unwrap();
        if head[3] == HEADERS {
            break;
        }
    }
    received.heads.fetch_add(1, Ordering::SeqCst);
    may_fail.wait_for(|may| *may).await.unwrap();
    socket.write_all(&GOAWAY).await.unwrap();
    socket.shutdown().await.unwrap();
    let _ = socket.read_to_end(&mut Vec::new()).await;
}

/// Sends a request that waits at `wait` until its token has expired, and returns the response and the tokens that the
/// API has received.
async fn delayed_request(
    clock: &StoppedClock,
    wait: Wait,
    endpoint: Endpoint,
) -> (Answer, Vec<String>) {
    let is_down = Arc::default();
    let tokens = token_endpoint(&is_down).await;
    let api = Api::start(wait).await;
    let gate = Gate::before(api.address, false).await;
    let settings = [
        ("upstream.http2", "always"),
        ("upstream.connect_timeout", "1m"),
        ("upstream.head_timeout", "1m"),
    ];
    let url = format!("http://127.0.0.1:{}", gate.address.port());
    let proxy = Proxy::with_token_url(&url, &tokens.url(), &settings);
    within("the first token", proxy.running.tokens().obtained()).await;
    gate.open.send_replace(wait != Wait::Settings);
    let mut client = Client::connect(proxy.address).await;
    client.send(get("/")).await;
    clock
        .until(&format!("the request waits: {wait:?}"), || match wait {
            Wait::Settings => gate.waiting.load(Ordering::SeqCst) > 0,
            _ => api.received.heads.load(Ordering::SeqCst) > 0,
        })
        .await;
    expire(clock, &proxy, &is_down, endpoint).await;
    gate.open.send_replace(true);
    api.may_fail.send_replace(true);
    let answer = clock.run(client.answer()).await;
    let sent = api.received.tokens.lock().unwrap().clone();
    (answer, sent)
}

/// The tokens that the API has received before the one in question expired.
fn sent_before(wait: Wait) -> &'static [&'static str] {
    match wait {
        Wait::Settings | Wait::GoneAway => &[],
        Wait::Refused | Wait::LostConnection => &["Bearer token-1"],
    }
}

#[tokio::test]
async fn an_expired_token_is_never_sent_over_http2() {
    let clock = StoppedClock::stop();
    for wait in WAITS {
        let (answer, sent) = delayed_request(&clock, wait, Endpoint::IsDown).await;
        let outcome = (503, "token_unavailable".to_owned());
        assert_eq!(answer.outcome(), outcome, "{wait:?}");
        assert_eq!(sent, sent_before(wait), "{wait:?}");
    }
}

#[tokio::test]
async fn a_request_that_has_waited_goes_out_over_http2_with_the_token_of_that_moment() {
    let clock = StoppedClock::stop();
    for wait in WAITS {
        let (answer, sent) = delayed_request(&clock, wait, Endpoint::Grants).await;
        assert_eq!(answer.status, 200, "{wait:?}");
        let expected = [sent_before(wait), &["Bearer token-2"]].concat();
        assert_eq!(sent, expected, "{wait:?}");
    }
}
