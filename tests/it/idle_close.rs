//! The race that every pool runs: the upstream closes an idle connection while the next request is on its way.
//!
//! In rounds. All requests of a round are under way together, so that each needs a connection of its own,
//! and all are answered at the same moment; the next ones come between 95 % and 105 % of the upstream's idle
//! limit later, each by its own draw. So every connection is used again around the moment it is closed.

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
    /// After which the upstream closes.
    idle: Duration,
}

/// When which round is answered.
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

    /// 95 % to 105 % of the idle limit after the answers of the round before.
    fn request(&self, round: usize) -> Instant {
        let gap = self.idle.mul_f64(0.95 + 0.1 * fastrand::f64());
        match round {
            0 => self.start,
            _ => self.answers(round - 1) + gap,
        }
    }
}

/// How often each request has been executed, by its target `/ROUND/CONNECTION`.
type Ledger = Arc<Mutex<HashMap<String, usize>>>;

async fn upstream(schedule: Schedule, ledger: &Ledger) -> Upstream {
    let ledger = Arc::clone(ledger);
    Upstream::scripted(move |mut connection: Connection| {
        let ledger = Arc::clone(&ledger);
        async move {
            while let Ok(Some(request)) = timeout(schedule.idle, connection.request()).await {
                *ledger
                    .lock()
                    .unwrap()
                    .entry(request.target.clone())
                    .or_default() += 1;
                let round = request.target.split('/').nth(1).unwrap();
                sleep_until(schedule.answers(round.parse().unwrap())).await;
                connection
                    .write(&answer("200 OK", "", &request.target))
                    .await;
            }
        }
    })
    .await
}

/// Not to the millisecond, as tokio's timers are: then client and upstream would share one clock's ticks.
#[allow(clippy::disallowed_methods, reason = "on a thread of its own")]
async fn precisely(at: Instant) {
    let pause = at.saturating_duration_since(Instant::now());
    tokio::task::spawn_blocking(move || std::thread::sleep(pause))
        .await
        .unwrap();
}

/// One client's requests, GET and POST by turns, each with its answer.
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
        precisely(schedule.request(round)).await;
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

/// Panics on whatever may never happen; counts the rest.
async fn race(scale: Scale) -> Outcome {
    let ledger = Ledger::default();
    let schedule = Schedule {
        start: Instant::now() + Duration::from_secs(2),
        idle: scale.idle,
    };
    let upstream = upstream(schedule, &ledger).await;
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
            judge(&request, &answer, &ledger, &mut outcome);
        }
    }
    figure("upstream connections", upstream.accepted());
    outcome
}

fn judge(request: &str, answer: &Answer, ledger: &Ledger, outcome: &mut Outcome) {
    let mut words = request.split(' ');
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let executed = ledger.lock().unwrap().get(target).copied().unwrap_or(0);
    let own = answer.status == 200 && answer.text() == target;
    if method == "GET" {
        assert!(own && executed >= 1, "{target}: {answer:?}");
        outcome.gets += 1;
        outcome.gets_sent_again += usize::from(executed > 1);
    } else {
        assert!(executed <= 1, "{target} executed {executed} times");
        outcome.posts += 1;
        if !own {
            assert_eq!(answer.outcome(), (502, "upstream_closed".to_owned()));
            outcome.reported_posts += 1;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_close_while_idle_costs_no_get_and_executes_no_post_twice() {
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
