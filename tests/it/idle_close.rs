//! The race in every connection pool: the upstream closes an idle connection while the next request is being sent.
//!
//! The test runs in rounds. All requests of a round are in flight at the same time, so that each needs its own
//! connection, and all are answered at the same moment. The next requests follow after 95 % to 105 % of the upstream's
//! idle timeout, at a random time each. Every connection is therefore used again around the moment it is closed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};

use crate::support::{
    Answer, Binary, Client, Config, Connection, Upstream, answer, figure, get, post, token_answer,
};

#[derive(Clone, Copy)]
struct Scale {
    connections: usize,
    rounds: usize,
    /// The upstream's idle timeout.
    idle: Duration,
}

/// When each round is sent and answered.
#[derive(Clone, Copy)]
struct Schedule {
    start: Instant,
    idle: Duration,
}

impl Schedule {
    fn answers(&self, round: usize) -> Instant {
        let between = self.idle.mul_f64(1.05) + Duration::from_millis(20);
        self.start + between * u32::try_from(round).unwrap()
    }

    /// 95 % to 105 % of the idle timeout after the responses of the previous round.
    fn request(&self, round: usize) -> Instant {
        let gap = self.idle.mul_f64(0.95 + 0.1 * fastrand::f64());
        match round {
            0 => self.start,
            _ => self.answers(round - 1) + gap,
        }
    }
}

/// How often each request was executed, by its target `/ROUND/CONNECTION`.
type Executions = Arc<Mutex<HashMap<String, usize>>>;

async fn upstream(schedule: Schedule, executions: &Executions) -> Upstream {
    let executions = Arc::clone(executions);
    Upstream::scripted(move |mut connection: Connection| {
        let executions = Arc::clone(&executions);
        async move {
            // A connection is idle only after a response, however long a busy machine takes to use a new one.
            let mut next = connection.request().await;
            while let Some(request) = next {
                *executions
                    .lock()
                    .unwrap()
                    .entry(request.target.clone())
                    .or_default() += 1;
                let round = request.target.split('/').nth(1).unwrap();
                sleep_until(schedule.answers(round.parse().unwrap())).await;
                connection
                    .write(&answer("200 OK", "", &request.target))
                    .await;
                next = timeout(schedule.idle, connection.request())
                    .await
                    .unwrap_or_default();
            }
        }
    })
    .await
}

/// Sleeps more precisely than tokio's timers, whose ticks of one millisecond client and upstream would share.
#[allow(clippy::disallowed_methods, reason = "runs on its own thread")]
async fn sleep_precisely_until(at: Instant) {
    let pause = at.saturating_duration_since(Instant::now());
    tokio::task::spawn_blocking(move || std::thread::sleep(pause))
        .await
        .unwrap();
}

/// Sends one client's requests, GET and POST alternately, and returns each with its response.
async fn caller(
    address: std::net::SocketAddr,
    number: usize,
    rounds: usize,
    schedule: Schedule,
) -> Vec<(String, Answer)> {
    let mut client = Client::connect(address).await;
    let mut answers = Vec::new();
    for round in 0..rounds {
        let target = format!("/{round}/{number}");
        sleep_precisely_until(schedule.request(round)).await;
        let request = if (round + number).is_multiple_of(2) {
            get(&target)
        } else {
            post(&target, "x")
        };
        client.send(&request).await;
        let answer = client.answer().await;
        if answer.status == 0 || answer.field("connection") == Some("close") {
            client = Client::connect(address).await;
        }
        answers.push((request, answer));
    }
    answers
}

#[derive(Default)]
struct Outcome {
    gets: usize,
    posts: usize,
    reported_posts: usize,
    gets_sent_again: usize,
}

/// Runs the race, panics on any outcome that must never happen, and counts the others.
async fn race(scale: Scale) -> Outcome {
    let executions = Executions::default();
    let schedule = Schedule {
        start: Instant::now() + Duration::from_secs(2),
        idle: scale.idle,
    };
    let upstream = upstream(schedule, &executions).await;
    let endpoint = Upstream::answering(token_answer()).await;
    let proxy = Binary::start(&Config {
        upstream: &upstream.url(),
        token_url: &endpoint.url(),
        client_id: "x",
        secret: "y",
        settings: &[],
    })
    .await;
    let callers: Vec<_> = (0..scale.connections)
        .map(|number| tokio::spawn(caller(proxy.address, number, scale.rounds, schedule)))
        .collect();
    let mut outcome = Outcome::default();
    for caller in callers {
        for (request, answer) in caller.await.unwrap() {
            judge(&request, &answer, &executions, &mut outcome);
        }
    }
    figure("upstream connections", upstream.accepted());
    outcome
}

fn judge(request: &str, answer: &Answer, executions: &Executions, outcome: &mut Outcome) {
    let mut words = request.split(' ');
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let count = executions.lock().unwrap().get(target).copied().unwrap_or(0);
    let own = answer.status == 200 && answer.text() == target;
    if method == "GET" {
        assert!(own && count >= 1, "{target}: {answer:?}");
        outcome.gets += 1;
        outcome.gets_sent_again += usize::from(count > 1);
    } else {
        assert!(count <= 1, "{target} was executed {count} times");
        outcome.posts += 1;
        if !own {
            assert_eq!(answer.outcome(), (502, "upstream_closed".to_owned()));
            outcome.reported_posts += 1;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_upstream_closes_idle_connections_no_get_fails_and_no_post_is_executed_twice() {
    let scale = Scale {
        connections: 32,
        rounds: 30,
        idle: Duration::from_millis(50),
    };
    let outcome = race(scale).await;
    assert_eq!(outcome.gets + outcome.posts, 960);
}

/// tests/survives.md 11.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg(feature = "long")] // 6 minutes: tests/long idle-close
async fn full_size() {
    let scale = Scale {
        connections: 32,
        rounds: 313,
        idle: Duration::from_secs(1),
    };
    let outcome = race(scale).await;
    figure("GET", outcome.gets);
    figure("GET failed", 0);
    figure("GET executed a second time", outcome.gets_sent_again);
    figure("POST", outcome.posts);
    figure("POST executed twice", 0);
    figure("POST failed, each with a 502", outcome.reported_posts);
    assert!(outcome.reported_posts * 1000 <= outcome.posts);
}
