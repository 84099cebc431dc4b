use http::Method;
use tokio::time::advance;

use super::*;
use crate::metrics::RequestDetails;

fn failed(error: &'static str) -> FinishedRequest<'static> {
    FinishedRequest {
        method: &Method::GET,
        path: "/",
        status: Some(502),
        reason: None,
        caller: None,
        request_id: "i",
        ended: Instant::now(),
        total: Duration::ZERO,
        upstream_head: None,
        details: RequestDetails {
            error: Some(error),
            ..RequestDetails::default()
        },
    }
}

#[tokio::test(start_paused = true)]
async fn a_spell_begins_anew_after_a_pause_and_knows_when_the_api_last_responded() {
    let log = RequestFailures::default();
    let begin = Instant::now();
    let minute = Duration::from_mins(1);
    log.add("upstream_refused", &failed("first"), 7);
    advance(minute).await;
    log.add("upstream_refused", &failed("second"), 7);
    let [spell] = &log.current()[..] else {
        panic!("one reason has one spell");
    };
    assert_eq!((spell.first, spell.first_since_response), (begin, begin));
    assert_eq!(spell.error.as_deref(), Some("second"));

    advance(minute).await;
    log.add("upstream_refused", &failed("third"), 8);
    let spell = &log.current()[0];
    assert_eq!(
        (spell.first, spell.first_since_response),
        (begin, begin + 2 * minute)
    );

    advance(FAILURE_MEMORY + minute).await;
    assert!(log.current().is_empty());
    log.add("upstream_refused", &failed("fourth"), 8);
    let spell = &log.current()[0];
    let now = Instant::now();
    assert_eq!((spell.first, spell.first_since_response), (now, now));
}

#[tokio::test(start_paused = true)]
async fn reasons_with_the_same_name_are_kept_apart_and_a_cut_response_is_none() {
    let log = RequestFailures::default();
    let timeout = FinishedRequest {
        status: Some(504),
        ..failed("x")
    };
    log.add("too_large", &failed("x"), 0);
    log.add("too_large", &timeout, 0);
    assert_eq!(log.current().len(), 2);
    let mut cut = failed("x");
    cut.details.token_generation = Some(1);
    log.add("upstream_closed", &cut, 0);
    assert_eq!(log.current().len(), 2);
}
