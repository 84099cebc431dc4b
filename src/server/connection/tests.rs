use std::convert::Infallible;
use std::time::Duration;

use http::{Request, Response};
use http_body_util::Full;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::super::limits::ConnectionLimits;
use super::super::registry::ConnectionRegistry;
use super::super::request_body::RequestBody;
use super::*;
use crate::metrics::Metrics;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

struct ConnectionScene {
    client: TcpStream,
    tracked: Arc<TrackedConnection>,
    serving: JoinHandle<()>,
}

async fn scene() -> ConnectionScene {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap());
    let (client, accepted) = tokio::join!(client, listener.accept());
    let registry = ConnectionRegistry::new(ConnectionLimits::of_a_minute(1), Metrics::new(None));
    let slot = registry.register();
    let tracked = Arc::clone(&slot.connection);
    let make_service = Arc::new(|_: Peer| {
        tower::service_fn(async |_: Request<RequestBody>| {
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("answer")))
        })
    });
    let (stream, _) = accepted.unwrap();
    let peer = Peer::unix(None);
    let stream = ClientStream::Tcp(stream);
    let serving = tokio::spawn(serve(stream, slot, peer, &make_service));
    ConnectionScene {
        client: client.unwrap(),
        tracked,
        serving,
    }
}

impl ConnectionScene {
    async fn request(&mut self) {
        self.client.write_all(REQUEST).await.unwrap();
        self.expect_response().await;
    }

    async fn expect_response(&mut self) {
        let mut read = Vec::new();
        while !read.ends_with(b"answer") {
            assert!(self.client.read_buf(&mut read).await.unwrap() > 0);
        }
        assert!(read.starts_with(b"HTTP/1.1 200 OK\r\n"));
        self.until(|tracked| tracked.is_in_phase(ConnectionPhase::Idle))
            .await;
    }

    async fn until(&self, condition: impl Fn(&TrackedConnection) -> bool) {
        while !condition(&self.tracked) {
            tokio::task::yield_now().await;
        }
    }

    /// Gives the task time to obey: it is the only other one of this runtime.
    async fn command(&self, command: ConnectionCommand) {
        self.tracked.send_command(command);
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_connection_rests_and_serves_again() {
    let mut scene = scene().await;
    for _ in 0..3 {
        scene.request().await;
        scene.command(ConnectionCommand::Rest).await;
        assert_eq!(scene.tracked.command(), ConnectionCommand::Rest);
    }
    scene.request().await;
    assert_eq!(
        scene.tracked.command(),
        ConnectionCommand::Continue,
        "it can be told to rest again"
    );
}

#[tokio::test]
async fn a_connection_in_the_middle_of_a_head_does_not_rest() {
    let mut scene = scene().await;
    scene.request().await;
    let (first, second) = REQUEST.split_at(10);
    scene.client.write_all(first).await.unwrap();
    scene.until(TrackedConnection::is_in_head).await;
    scene.command(ConnectionCommand::Rest).await;
    assert_eq!(scene.tracked.command(), ConnectionCommand::Continue);
    scene.client.write_all(second).await.unwrap();
    scene.expect_response().await;
}

#[tokio::test]
async fn a_resting_connection_obeys_every_stronger_command() {
    for command in [
        ConnectionCommand::GiveWay,
        ConnectionCommand::Close,
        ConnectionCommand::Cut,
    ] {
        let mut scene = scene().await;
        scene.request().await;
        scene.command(ConnectionCommand::Rest).await;
        scene.tracked.send_command(command);
        assert_eq!(scene.client.read(&mut [0]).await.unwrap(), 0, "{command:?}");
        scene.serving.await.unwrap();
    }
}

#[tokio::test]
async fn only_a_connection_that_has_been_idle_for_a_while_is_told_to_rest() {
    let mut scene = scene().await;
    let limits = ConnectionLimits::of_a_minute(1);
    let due_in = |scene: &ConnectionScene, ms: u64| {
        let now = scene.tracked.since() + ms;
        scene.tracked.due_command(&limits, now)
    };
    assert_eq!(due_in(&scene, 1000), ConnectionCommand::Continue);
    scene.request().await;
    assert_eq!(due_in(&scene, 400), ConnectionCommand::Continue);
    assert_eq!(due_in(&scene, 1000), ConnectionCommand::Rest);
    let after_keep_alive = limits.keep_alive + Duration::from_secs(1);
    let ms = u64::try_from(after_keep_alive.as_millis()).unwrap();
    assert_eq!(due_in(&scene, ms), ConnectionCommand::Close);
    scene.tracked.set_write_blocked(true);
    assert_eq!(due_in(&scene, 1000), ConnectionCommand::Continue);
}
