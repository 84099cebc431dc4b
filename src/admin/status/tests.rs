use http::Method;
use tokio::time::{Duration, Instant};

use super::*;
use crate::metrics::{FinishedRequest, Metrics};

#[test]
fn the_path_of_a_recent_request_is_plain_ascii() {
    let metrics = Metrics::new(None);
    metrics.request_finished(&FinishedRequest {
        method: &Method::GET,
        path: "/a\u{9b}2J\u{202e}x",
        status: Some(200),
        reason: None,
        caller: None,
        request_id: "x",
        ended: Instant::now(),
        total: Duration::ZERO,
        upstream_head: None,
    });
    let recent = recent_request(&metrics.recent()[0]);
    assert_eq!(recent.path, "/a%C2%9B2J%E2%80%AEx");
}
