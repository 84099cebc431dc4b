//! What Prometheus and a reader of the journal see.

use std::time::Duration;

use http::Method;
use tokio::time::Instant;

use super::*;

fn request<'a>(method: &'a Method, path: &'a str, status: Option<u16>) -> FinishedRequest<'a> {
    FinishedRequest {
        method,
        path,
        status,
        reason: None,
        caller: None,
        request_id: "this-one",
        ended: Instant::now(),
        total: Duration::from_millis(7),
        upstream_head: Some(Duration::from_millis(6)),
        details: RequestDetails::default(),
    }
}

fn read(metrics: &Arc<Metrics>) -> String {
    text(&ProcessMetrics::new(|| 3), std::slice::from_ref(metrics))
}

/// The value on the only line that begins with `series`.
fn value(text: &str, series: &str) -> f64 {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(series));
    let value = lines
        .next()
        .unwrap_or_else(|| panic!("no {series} in\n{text}"));
    assert_eq!(lines.next(), None, "{series} appears twice");
    value.trim().parse().unwrap()
}

#[test]
fn a_request_is_counted_by_method_class_reason_and_caller() {
    let metrics = Metrics::new(None);
    metrics.request_finished(&request(&Method::GET, "/", Some(204)));
    metrics.request_finished(&request(&Method::from_bytes(b"BREW").unwrap(), "/", None));
    metrics.request_finished(&FinishedRequest {
        reason: Some("rule_refused"),
        caller: Some("ci"),
        ..request(&Method::DELETE, "/", Some(403))
    });
    let text = read(&metrics);
    for (series, expected) in [
        (
            r#"{caller="",method="GET",reason="",status_class="2xx"}"#,
            1.0,
        ),
        (
            r#"{caller="",method="other",reason="",status_class="none"}"#,
            1.0,
        ),
        (
            r#"{caller="ci",method="DELETE",reason="rule_refused",status_class="4xx"}"#,
            1.0,
        ),
        (
            r#"{caller="",method="PUT",reason="",status_class="5xx"}"#,
            0.0,
        ),
    ] {
        let series = format!("cupbearer_requests_total{series}");
        assert!((value(&text, &series) - expected).abs() < 0.1, "{series}");
    }
    assert!((value(&text, "cupbearer_request_seconds_count") - 3.0).abs() < 0.1);
    assert!((value(&text, "cupbearer_request_seconds_sum") - 0.021).abs() < 1e-6);
    assert!((value(&text, r#"cupbearer_request_seconds_bucket{le="0.005"}"#)).abs() < 0.1);
    assert!((value(&text, r#"cupbearer_request_seconds_bucket{le="0.01"}"#) - 3.0).abs() < 0.1);
}

#[test]
fn a_request_in_flight_is_counted_until_its_guard_is_dropped() {
    let metrics = Metrics::new(None);
    let guard = metrics.in_flight().enter_below(1).unwrap();
    assert!(metrics.in_flight().enter_below(1).is_none());
    assert!((value(&read(&metrics), "cupbearer_requests_in_flight") - 1.0).abs() < 0.1);
    drop(guard);
    assert!(value(&read(&metrics), "cupbearer_requests_in_flight").abs() < 0.1);
}

#[test]
fn a_metric_of_several_proxies_has_one_type_line() {
    let both = [Metrics::new(Some("one")), Metrics::new(Some("two"))];
    both[1].reloaded("applied");
    let text = text(&ProcessMetrics::new(|| 0), &both);
    let types = |name: &str| {
        text.lines()
            .filter(|line| line.starts_with(&format!("# TYPE {name} ")))
            .count()
    };
    assert_eq!(types("cupbearer_token_state"), 1);
    assert_eq!(types("cupbearer_requests_total"), 1);
    let reloads = r#"cupbearer_reload_total{outcome="applied",proxy="two"}"#;
    assert!((value(&text, reloads) - 1.0).abs() < 0.1);
}

#[test]
fn reload_outcomes_start_at_zero() {
    let text = read(&Metrics::new(None));
    for outcome in ["applied", "waiting", "restart", "refused"] {
        let series = format!(r#"cupbearer_reload_total{{outcome="{outcome}"}}"#);
        assert!(text.contains(&format!("{series} 0\n")), "{series}");
    }
}

#[test]
fn whatever_an_alert_counts_starts_at_zero() {
    let metrics = Metrics::new(None);
    metrics.begin_reasons_at_zero(["saturated"]);
    let saturated = r#"cupbearer_failed_requests_total{reason="saturated"}"#;
    let refused = r#"cupbearer_config_pending{reason="refused"}"#;
    let text = read(&metrics);
    for series in [
        saturated,
        refused,
        r#"cupbearer_config_pending{reason="waiting"}"#,
        r#"cupbearer_config_pending{reason="restart"}"#,
        r#"cupbearer_upstream_connections_total{outcome="dns"}"#,
    ] {
        assert!(text.contains(&format!("{series} 0\n")), "{series}");
    }
    metrics.request_finished(&FinishedRequest {
        reason: Some("saturated"),
        caller: Some("ci"),
        ..request(&Method::GET, "/", Some(503))
    });
    metrics.note_pending(PendingChange {
        refused: true,
        ..PendingChange::default()
    });
    let text = read(&metrics);
    for series in [saturated, refused] {
        assert!(text.contains(&format!("{series} 1\n")), "{series}");
    }
    metrics.note_pending(PendingChange::default());
    assert!(read(&metrics).contains(&format!("{refused} 0\n")));
}

#[test]
fn token_counters_never_decrease_when_the_identity_changes() {
    let metrics = Metrics::new(None);
    let facts = TokenFacts {
        state: "stale",
        expires_at: None,
        last_success: Some(std::time::UNIX_EPOCH + Duration::from_secs(5)),
        attempts: [2, 1, 0, 0],
    };
    metrics.note_token(&facts);
    metrics.note_token(&TokenFacts {
        attempts: [1, 1, 0, 0],
        ..facts
    });
    let text = read(&metrics);
    let granted = r#"cupbearer_token_requests_total{outcome="granted"}"#;
    assert!((value(&text, granted) - 2.0).abs() < 0.1);
    assert!((value(&text, r#"cupbearer_token_state{state="stale"}"#) - 1.0).abs() < 0.1);
    assert!(value(&text, r#"cupbearer_token_state{state="fresh"}"#).abs() < 0.1);
    assert!((value(&text, "cupbearer_token_last_success_seconds") - 5.0).abs() < 0.1);
    assert!((value(&text, "cupbearer_log_lines_dropped_total") - 3.0).abs() < 0.1);
}

#[test]
fn the_journal_keeps_the_most_recent_requests_and_cuts_long_paths_between_characters() {
    let metrics = Metrics::new(None);
    let long = "/ä".repeat(100);
    for number in 0..300 {
        let path = if number == 299 {
            long.clone()
        } else {
            format!("/{number}")
        };
        metrics.request_finished(&request(&Method::GET, &path, Some(200)));
    }
    let recent = metrics.recent();
    assert_eq!(recent.len(), 256);
    assert_eq!(recent[0].path(), "/44");
    assert_eq!(recent[254].path(), "/298");
    assert!(long.starts_with(recent[255].path()) && recent[255].path().len() == 120);
    assert_eq!(recent[255].caller(), None);
    assert_eq!(recent[255].request_id(), "this-one");
}

#[cfg(target_os = "linux")]
#[test]
fn the_process_metrics_include_memory_and_descriptors() {
    let text = read(&Metrics::new(None));
    assert!(value(&text, "process_resident_memory_bytes") > 0.0);
    assert!(value(&text, "process_open_fds") > 0.0);
}
