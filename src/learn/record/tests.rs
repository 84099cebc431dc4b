use std::time::Duration;

use http::Method;
use tokio::time::Instant;

use super::*;
use crate::metrics::RequestDetails;

fn exchange<'a>(
    caller: Option<&'a str>,
    path: &'a str,
    status: u16,
    reason: Option<&'static str>,
) -> FinishedRequest<'a> {
    FinishedRequest {
        method: &Method::GET,
        path,
        status: Some(status),
        reason,
        caller,
        request_id: "i",
        ended: Instant::now(),
        total: Duration::ZERO,
        upstream_head: None,
        details: RequestDetails::default(),
    }
}

#[test]
fn only_requests_of_the_observed_caller_are_kept_and_rejected_ones_are_counted_by_reason() {
    let recorder = RequestRecorder::new("ci");
    let watcher = recorder.watcher();
    watcher(&exchange(Some("ci"), "/a", 200, None));
    watcher(&exchange(Some("ci"), "/a", 404, None));
    watcher(&exchange(Some("ci"), "/b", 403, Some("rule_refused")));
    watcher(&exchange(Some("ci"), "/c", 503, Some("token_unavailable")));
    watcher(&exchange(Some("(learn)"), "/openapi.json", 200, None));
    watcher(&exchange(Some("ci"), "/d", 403, Some("origin_refused")));
    watcher(&exchange(None, "/a", 401, Some("caller_unknown")));
    watcher(&exchange(None, "/preflight", 204, None));

    let observed = recorder.requests();
    let kept: Vec<_> = observed
        .requests
        .iter()
        .map(|(request, outcomes)| (&*request.path, outcomes.accepted, outcomes.rejected))
        .collect();
    assert_eq!(kept, [("/a", 2, 0), ("/b", 0, 1), ("/c", 1, 0)]);
    assert_eq!(observed.accepted_count(), 3);
    assert_eq!(observed.accepted().count(), 2);
    assert_eq!(
        observed.rejected_by_reason,
        BTreeMap::from([("caller_unknown", 1), ("origin_refused", 1)])
    );
}

#[test]
fn a_request_that_asked_for_an_upgrade_is_recorded_as_one_whatever_the_response_was() {
    let recorder = RequestRecorder::new("ci");
    let watcher = recorder.watcher();
    let mut upgrade = exchange(Some("ci"), "/ws", 404, None);
    watcher(&upgrade);
    upgrade.details.asks_upgrade = true;
    watcher(&upgrade);
    watcher(&exchange(Some("ci"), "/a", 404, None));
    let requests = recorder.requests();
    let asked = requests
        .accepted()
        .map(|(request, outcomes)| (&*request.path, outcomes.asks_upgrade));
    assert_eq!(asked.collect::<Vec<_>>(), [("/a", false), ("/ws", true)]);
}

#[test]
fn memory_is_bounded_by_the_number_of_different_requests() {
    let recorder = RequestRecorder::new("ci");
    let watcher = recorder.watcher();
    for number in 0..=KEPT {
        let path = format!("/{number}");
        watcher(&exchange(Some("ci"), &path, 200, None));
    }
    watcher(&exchange(Some("ci"), "/0", 200, None));
    let observed = recorder.requests();
    assert_eq!((observed.requests.len(), observed.dropped), (KEPT, 1));
}
