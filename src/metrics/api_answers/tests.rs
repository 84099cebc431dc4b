use std::sync::Arc;
use std::time::Duration;

use http::Method;
use tokio::time::advance;

use super::*;
use crate::metrics::{FinishedRequest, Metrics, RequestDetails};

/// An answer of the API with this status.
fn answer(metrics: &Metrics, status: u16) {
    finish(metrics, status, None, Some(1));
}

fn finish(
    metrics: &Metrics,
    status: u16,
    reason: Option<&'static str>,
    token_generation: Option<u64>,
) {
    metrics.request_finished(&FinishedRequest {
        method: &Method::GET,
        path: "/",
        status: Some(status),
        reason,
        caller: None,
        request_id: "i",
        ended: Instant::now(),
        total: Duration::ZERO,
        upstream_head: None,
        details: RequestDetails {
            token_generation,
            ..RequestDetails::default()
        },
    });
}

fn streak(metrics: &Arc<Metrics>) -> Option<(ErrorAnswer, u64)> {
    let streak = metrics.error_streak()?;
    Some((streak.answer, streak.count))
}

#[tokio::test(start_paused = true)]
async fn a_streak_lasts_until_the_api_answers_otherwise() {
    let metrics = Metrics::new(None);
    assert_eq!(streak(&metrics), None);
    let begin = Instant::now();
    for status in [500, 503] {
        answer(&metrics, status);
        advance(Duration::from_secs(9)).await;
        metrics.take_sample();
    }
    finish(&metrics, 403, Some("host_refused"), None);
    assert_eq!(streak(&metrics), Some((ErrorAnswer::ServerError, 2)));
    let now = metrics.error_streak().unwrap();
    assert_eq!((now.first, now.status), (begin, 503));
    answer(&metrics, 403);
    assert_eq!(streak(&metrics), Some((ErrorAnswer::Forbidden, 1)));
    advance(FAILURE_MEMORY + Duration::from_secs(1)).await;
    assert_eq!(streak(&metrics), None);
    answer(&metrics, 403);
    assert_eq!(streak(&metrics), Some((ErrorAnswer::Forbidden, 1)));
    answer(&metrics, 404);
    assert_eq!(streak(&metrics), None);
}

#[test]
fn rejected_requests_hide_neither_a_streak_nor_its_end() {
    let metrics = Metrics::new(None);
    let flood = || {
        for _ in 0..1000 {
            finish(&metrics, 403, Some("host_refused"), None);
        }
    };
    (0..3).for_each(|_| answer(&metrics, 500));
    metrics.take_sample();
    flood();
    metrics.take_sample();
    assert_eq!(streak(&metrics), Some((ErrorAnswer::ServerError, 3)));
    answer(&metrics, 200);
    flood();
    metrics.take_sample();
    assert_eq!(streak(&metrics), None);
}
