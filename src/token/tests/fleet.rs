//! Many proxies at one endpoint: all of them get a token at the start, and a day passes without waves of requests.
//!
//! `cargo test --lib fleet -- --nocapture` prints the figures of `docs/tokens.md`.

#![allow(
    clippy::print_stdout,
    reason = "docs/tokens.md has the figures that this prints"
)]

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use tokio::time::{Instant, sleep};

use super::endpoint::{Act, ScriptedEndpoint, answer, client, config, proxy_config};
use super::scene::{client_secret, grant, ms, paused_clock, s, throttled};
use crate::config::ClientAuth;
use crate::credentials::Secret;
use crate::token::obtain::RequestToken;
use crate::token::refresh::TaskInputs;
use crate::token::schedule::{self, FailureClass};
use crate::token::{AttemptCounter, Ownership, ReadSecrets, RefreshTask, Tokens, refresh_task};

const PROXIES: usize = 5000;
/// How many requests the endpoint grants per second. It answers the others with 429 and `Retry-After: 1`.
const PER_SECOND: u32 = 300;
const DAY: Duration = Duration::from_hours(24);
const MINUTE: Duration = Duration::from_mins(1);
const SEED: u64 = 20_261_123;

/// A limit per second, counted by calendar second.
struct Window {
    limit: u32,
    second: u64,
    granted: u32,
}

impl Window {
    const fn new(limit: u32) -> Self {
        Self {
            limit,
            second: 0,
            granted: 0,
        }
    }

    fn admits(&mut self, at: Duration) -> bool {
        if at.as_secs() != self.second {
            (self.second, self.granted) = (at.as_secs(), 0);
        }
        self.granted += 1;
        self.granted <= self.limit
    }
}

fn reader() -> ReadSecrets {
    Arc::new(|_| Box::pin(async { Ok(client_secret(Secret::new("s"))) }))
}

#[tokio::test(start_paused = true)]
async fn five_thousand_proxies_that_start_within_5_s_all_have_a_token_within_2_minutes() {
    fastrand::seed(SEED); // of this thread, which belongs to the test
    let inputs = TaskInputs {
        clock: paused_clock(),
        draw: fastrand::f64,
        attempts: AttemptCounter::default(),
    };
    let start = Instant::now();
    let window = Arc::new(Mutex::new((Window::new(PER_SECOND), 0_usize)));
    let seen = Arc::clone(&window);
    let request_token: RequestToken = Arc::new(move |_| {
        let admitted = {
            let mut seen = seen.lock().unwrap();
            seen.1 += 1;
            seen.0.admits(start.elapsed())
        };
        Box::pin(async move {
            sleep(ms(50)).await;
            if admitted {
                grant(s(3600))
            } else {
                throttled(s(1))
            }
        })
    });
    let mut all: Vec<Tokens> = Vec::new();
    for number in 0..PROXIES {
        let request_token = Arc::clone(&request_token);
        let (tokens, task) =
            RefreshTask::new(s(10), inputs.clone(), request_token, reader(), false);
        all.push(tokens);
        let delay = s(5).mul_f64(f64::from(u32::try_from(number).unwrap()) / 5000.0);
        tokio::spawn(async move {
            sleep(delay).await;
            task.run().await
        });
    }
    while !all.iter().all(|tokens| tokens.usable().is_some()) {
        assert!(start.elapsed() < s(120), "not all have a token");
        sleep(ms(500)).await;
    }
    let asked = window.lock().unwrap().1;
    println!(
        "start: all {PROXIES} after {:?}, {asked} requests",
        start.elapsed()
    );
}

/// One proxy of the simulation.
#[derive(Clone, Default)]
struct SimulatedProxy {
    token_since: Option<Duration>,
    failures: u32,
}

/// The number of token requests in each minute of a day, as the functions of the schedule determine it.
fn requests_by_minute(lifetime: Duration) -> Vec<u32> {
    let mut random = Rng::with_seed(SEED);
    let mut window = Window::new(PER_SECOND);
    let mut proxies = vec![SimulatedProxy::default(); PROXIES];
    let mut minutes = vec![0; usize::try_from(DAY.as_secs() / 60).unwrap()];
    let mut due: BinaryHeap<_> = (0..PROXIES)
        .map(|number| Reverse((s(5).mul_f64(random.f64()), number)))
        .collect();
    while let Some(Reverse((now, number))) = due.pop().filter(|Reverse((at, _))| *at < DAY) {
        minutes[usize::try_from(now.as_secs() / 60).unwrap()] += 1;
        let proxy = &mut proxies[number];
        let wait = if window.admits(now) {
            *proxy = SimulatedProxy {
                token_since: Some(now),
                failures: 0,
            };
            schedule::refresh_after(lifetime, random.f64())
        } else {
            proxy.failures += 1;
            let usable_in = proxy.token_since.map_or(Duration::ZERO, |since| {
                schedule::usable_for(lifetime).saturating_sub(now.saturating_sub(since))
            });
            let asked = Some(s(1));
            let draw = random.f64();
            let delays = schedule::delays(
                FailureClass::Throttled,
                proxy.failures,
                asked,
                usable_in,
                draw,
            );
            if usable_in.is_zero() {
                delays.without_token
            } else {
                delays.with_token
            }
        };
        due.push(Reverse((now + wait, number)));
    }
    minutes
}

#[test]
fn over_a_day_no_minute_exceeds_five_times_the_mean_and_after_six_hours_none_exceeds_twice() {
    for lifetime in [s(3600), s(300)] {
        let minutes = requests_by_minute(lifetime);
        let mean = f64::from(minutes.iter().sum::<u32>())
            / f64::from(u32::try_from(minutes.len()).unwrap());
        let peak = |from: Duration| {
            let first = usize::try_from(from.as_secs() / MINUTE.as_secs()).unwrap();
            f64::from(*minutes[first..].iter().max().unwrap()) / mean
        };
        // The start itself does not count: no proxy has a token then, and each gets one within 2 minutes.
        let (early, late) = (peak(2 * MINUTE), peak(Duration::from_hours(6)));
        println!("{lifetime:?}: mean {mean:.1} a minute, peak {early:.2} x, after 6 h {late:.2} x");
        assert!(early <= 5.0, "{lifetime:?}: {early}");
        assert!(late <= 2.0, "{lifetime:?}: {late}");
    }
}

#[tokio::test]
async fn two_hundred_tasks_get_their_tokens_from_a_real_endpoint_that_throttles() {
    const BODY: &str = r#"{"access_token":"abc.def","token_type":"Bearer","expires_in":3600}"#;
    let start = Instant::now();
    let window = Mutex::new(Window::new(60));
    let endpoint = ScriptedEndpoint::new(move |_| {
        if window.lock().unwrap().admits(start.elapsed()) {
            return answer("200 OK", "application/json", BODY);
        }
        Act::Send(
            b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n".into(),
        )
    })
    .await;
    let config = proxy_config(config(endpoint.url.clone(), ClientAuth::Basic));
    let client = client();
    let mut all = Vec::new();
    for _ in 0..200 {
        let (tokens, task) = refresh_task(
            &config,
            client.clone(),
            reader(),
            Ownership::default(),
            None,
            AttemptCounter::default(),
        );
        all.push((tokens, tokio::spawn(task.run())));
    }
    while !all.iter().all(|(tokens, _)| tokens.usable().is_some()) {
        assert!(start.elapsed() < s(60), "not all have a token");
        sleep(ms(50)).await;
    }
    let asked = endpoint.requests.lock().unwrap().len();
    println!(
        "200 tasks: all after {:?}, {asked} requests",
        start.elapsed()
    );
    for (_, task) in all {
        task.abort();
    }
}
