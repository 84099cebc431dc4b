//! An upstream that is restarted: what was under way is told apart from what was not, nothing hangs, nobody
//! afterwards notices.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::support::{Answer, Client, Connection, Proxy, Upstream, answer, ask, get, post, until};

const IN_FLIGHT: usize = 50;
const IDLE: usize = 50;
const LONGEST: Duration = Duration::from_secs(5);

/// Answers what is below `/held` when `go` says so, everything else at once. Its connections end when more
/// generations than its own are `dead`.
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

/// Requests under way, GET and POST by turns, with their targets.
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

/// The old server with connections that wait and requests that are under way, about to be restarted.
struct Scene {
    proxy: Proxy,
    address: String,
    held: Vec<(String, Client)>,
    _go: watch::Sender<bool>,
    dead: watch::Sender<usize>,
}

async fn under_load() -> Scene {
    let (go, ready) = watch::channel(false);
    let (dead, of_the_dead) = watch::channel(0);
    let first = server("127.0.0.1:0", 0, ready, of_the_dead).await;
    let proxy = Proxy::before(&first).await;
    let warm = send_all(proxy.address, IN_FLIGHT + IDLE).await;
    until("every connection is there", || {
        first.seen_count() == IN_FLIGHT + IDLE
    })
    .await;
    go.send(true).unwrap();
    for (_, mut client) in warm {
        assert_eq!(client.answer().await.status, 200);
    }
    go.send(false).unwrap();
    let held = send_all(proxy.address, IN_FLIGHT).await;
    until("they are under way", || {
        first.seen_count() == 2 * IN_FLIGHT + IDLE
    })
    .await;
    assert_eq!(first.open(), IN_FLIGHT + IDLE);
    Scene {
        proxy,
        address: first.address.to_string(), // and nobody listens there any more
        held,
        _go: go,
        dead,
    }
}

impl Scene {
    /// What became of the requests under way once the old server's connections have ended.
    async fn dies(&mut self) -> Vec<(String, Answer)> {
        self.dead.send(1).unwrap();
        let start = Instant::now();
        let mut answers = Vec::new();
        for (request, mut client) in self.held.drain(..) {
            answers.push((request, client.answer().await));
        }
        assert!(start.elapsed() < LONGEST, "{:?}", start.elapsed());
        assert_eq!(answers.len(), IN_FLIGHT);
        answers
    }

    async fn starts_again(&self) -> Upstream {
        let go = watch::channel(true).1;
        server(&self.address, 1, go, self.dead.subscribe()).await
    }

    async fn the_next_hundred_succeed(&self) {
        for number in 0..100 {
            let target = format!("/{number}");
            let answer = ask(self.proxy.address, post(&target, "x")).await;
            assert_eq!((answer.status, answer.text()), (200, target));
        }
    }
}

#[tokio::test]
async fn requests_under_way_at_a_restart_are_repeated_if_safe_and_else_reported() {
    let mut scene = under_load().await;
    let second = scene.starts_again().await;
    for (request, answer) in scene.dies().await {
        if request.starts_with("GET") {
            let target = request.split(' ').nth(1).unwrap();
            assert_eq!((answer.status, answer.text().as_str()), (200, target));
        } else {
            assert_eq!(answer.outcome(), (502, "upstream_closed".to_owned()));
        }
    }
    scene.the_next_hundred_succeed().await;
    let posts = second
        .seen()
        .iter()
        .filter(|seen| seen.method == "POST")
        .count();
    assert_eq!(posts, 100, "none of those under way came again");
}

#[tokio::test]
async fn an_upstream_that_is_away_for_a_moment_costs_what_is_under_way_and_nothing_afterwards() {
    let mut scene = under_load().await;
    for (request, answer) in scene.dies().await {
        let reason = if request.starts_with("GET") {
            "upstream_refused"
        } else {
            "upstream_closed"
        };
        assert_eq!(answer.outcome(), (502, reason.to_owned()), "{request}");
    }
    let _second = scene.starts_again().await;
    scene.the_next_hundred_succeed().await;
}
