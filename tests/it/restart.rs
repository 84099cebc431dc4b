//! A restart of the upstream: requests in flight are repeated or reported, none hangs, and later requests succeed.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::support::{Answer, Client, Connection, Proxy, Upstream, answer, ask, get, post, until};

const IN_FLIGHT: usize = 50;
const IDLE: usize = 50;
const LIMIT: Duration = Duration::from_secs(5);

/// Responds to targets below `/held` once `go` is true, and to all others at once. Its connections end when `dead` is
/// greater than its generation.
async fn server(
    address: &str,
    generation: usize,
    go: watch::Receiver<bool>,
    dead: watch::Receiver<usize>,
) -> Upstream {
    let mut listener = None;
    until("the port is free", || {
        listener = std::net::TcpListener::bind(address).ok();
        listener.is_some()
    })
    .await;
    let listener = listener.unwrap();
    listener.set_nonblocking(true).unwrap();
    Upstream::on(
        TcpListener::from_std(listener).unwrap(),
        None,
        move |connection| {
            let (go, mut dead) = (go.clone(), dead.clone());
            async move {
                tokio::select! {
                    () = serve(connection, go) => {}
                    _ = dead.wait_for(|dead| *dead > generation) => {}
                }
            }
        },
    )
}

async fn serve(mut connection: Connection, mut go: watch::Receiver<bool>) {
    while let Some(request) = connection.request().await {
        if request.target.starts_with("/held") {
            go.wait_for(|go| *go).await.unwrap();
        }
        connection
            .write(&answer("200 OK", "", &request.target))
            .await;
    }
}

/// Sends requests, GET and POST alternately, and returns each with the client that waits for its response.
async fn send_all(address: SocketAddr, count: usize) -> Vec<(String, Client)> {
    let mut clients = Vec::new();
    for number in 0..count {
        let target = format!("/held/{number}");
        let mut client = Client::connect(address).await;
        let request = if number.is_multiple_of(2) {
            get(&target)
        } else {
            post(&target, "x")
        };
        client.send(&request).await;
        clients.push((request, client));
    }
    clients
}

/// An upstream with idle connections and with requests in flight, about to be restarted.
struct Scene {
    proxy: Proxy,
    address: String,
    held: Vec<(String, Client)>,
    _go: watch::Sender<bool>,
    dead: watch::Sender<usize>,
}

async fn under_load() -> Scene {
    let (go, ready) = watch::channel(false);
    let (dead, dead_seen) = watch::channel(0);
    let first = server("127.0.0.1:0", 0, ready, dead_seen).await;
    let proxy = Proxy::before(&first).await;
    let warm = send_all(proxy.address, IN_FLIGHT + IDLE).await;
    until("every connection is open", || {
        first.seen_count() == IN_FLIGHT + IDLE
    })
    .await;
    go.send(true).unwrap();
    for (_, mut client) in warm {
        assert_eq!(client.answer().await.status, 200);
    }
    go.send(false).unwrap();
    let held = send_all(proxy.address, IN_FLIGHT).await;
    until("the requests are in flight", || {
        first.seen_count() == 2 * IN_FLIGHT + IDLE
    })
    .await;
    assert_eq!(first.open(), IN_FLIGHT + IDLE);
    Scene {
        proxy,
        address: first.address.to_string(), // `first` is dropped, so nothing listens there any more
        held,
        _go: go,
        dead,
    }
}

impl Scene {
    /// Ends the old server's connections, and returns the outcome of the requests in flight.
    async fn stop(&mut self) -> Vec<(String, Answer)> {
        self.dead.send(1).unwrap();
        let start = Instant::now();
        let mut answers = Vec::new();
        for (request, mut client) in self.held.drain(..) {
            answers.push((request, client.answer().await));
        }
        assert!(start.elapsed() < LIMIT, "{:?}", start.elapsed());
        assert_eq!(answers.len(), IN_FLIGHT);
        answers
    }

    async fn start_again(&self) -> Upstream {
        let go = watch::channel(true).1;
        server(&self.address, 1, go, self.dead.subscribe()).await
    }

    async fn assert_next_hundred_succeed(&self) {
        for number in 0..100 {
            let target = format!("/{number}");
            let answer = ask(self.proxy.address, post(&target, "x")).await;
            assert_eq!((answer.status, answer.text()), (200, target));
        }
    }
}

#[tokio::test]
async fn requests_in_flight_at_a_restart_are_repeated_if_safe_and_otherwise_reported() {
    let mut scene = under_load().await;
    let second = scene.start_again().await;
    for (request, answer) in scene.stop().await {
        if request.starts_with("GET") {
            let target = request.split(' ').nth(1).unwrap();
            assert_eq!((answer.status, answer.text().as_str()), (200, target));
        } else {
            assert_eq!(answer.outcome(), (502, "upstream_closed".to_owned()));
        }
    }
    scene.assert_next_hundred_succeed().await;
    let posts = second
        .seen()
        .iter()
        .filter(|seen| seen.method == "POST")
        .count();
    assert_eq!(posts, 100, "none of those in flight was sent again");
}

#[tokio::test]
async fn while_the_upstream_is_down_requests_in_flight_fail_and_later_ones_succeed() {
    let mut scene = under_load().await;
    for (request, answer) in scene.stop().await {
        let reason = if request.starts_with("GET") {
            "upstream_refused"
        } else {
            "upstream_closed"
        };
        assert_eq!(answer.outcome(), (502, reason.to_owned()), "{request}");
    }
    let _second = scene.start_again().await;
    scene.assert_next_hundred_succeed().await;
}
