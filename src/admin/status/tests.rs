use http::Method;
use tokio::time::{Duration, Instant};

use super::*;
use crate::metrics::{Exchange, Metrics};

#[test]
fn a_recent_path_is_plain_ascii() {
    let metrics = Metrics::new(None);
    metrics.ended(&Exchange {
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
    let recent = Recent::of(&metrics.recent()[0]);
    assert_eq!(recent.path, "/a%C2%9B2J%E2%80%AEx");
}
