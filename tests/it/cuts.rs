//! Responses that the network or the upstream cuts short, at every position: they never look complete.

use std::time::Duration;

use crate::support::{End, Fault, Proxy, Relay, Upstream, answer, ask, get, until};

fn ok(fields: &str, rest: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\n{fields}\r\n{rest}").into_bytes()
}

/// Cuts the response after every single byte. The end is never clean, and the status is the upstream's or 502.
#[tokio::test]
async fn a_response_that_is_cut_anywhere_never_looks_complete() {
    let lengthy = ok(
        "Content-Length: 26\r\nX-A: b\r\n",
        "abcdefghijklmnopqrstuvwxyz",
    );
    let chunked = ok(
        "Transfer-Encoding: chunked\r\n",
        "6\r\nabcdef\r\n14\r\nghijklmnopqrstuvwxyz\r\n0\r\n\r\n",
    );
    for whole in [lengthy, chunked] {
        for reset in [false, true] {
            let upstream = Upstream::answering(whole.clone()).await;
            let relay = Relay::to(upstream.address, move |number| {
                if reset {
                    Fault::ResetAfter(number)
                } else {
                    Fault::CloseAfter(number)
                }
            })
            .await;
            let proxy = Proxy::with(&relay.url(), &[]).await;
            let head = whole
                .windows(4)
                .position(|window| window == b"\r\n\r\n")
                .unwrap()
                + 4;
            for cut in 0..whole.len() {
                let answer = ask(proxy.address, post_without_body("/")).await;
                let context = format!(
                    "cut after {cut} of {} (head {head}), reset {reset}: {answer:?}",
                    whole.len()
                );
                if answer.status == 502 {
                    // A reset discards what has not been read yet, including the head.
                    assert!(cut < head || reset, "{context}");
                    assert_eq!(answer.reason(), "upstream_closed", "{context}");
                } else {
                    assert!(cut >= head && answer.status == 200, "{context}");
                    assert_eq!(answer.end, End::Truncated, "{context}");
                }
            }
            assert_eq!(
                ask(proxy.address, post_without_body("/")).await.text(),
                "abcdefghijklmnopqrstuvwxyz"
            );
        }
    }
}

/// The head and the end of the connection arrive together, so that the head cannot be forwarded before the end is seen.
#[tokio::test]
async fn an_upstream_that_closes_before_the_first_byte_of_its_body_leaves_its_head_and_a_visible_cut()
 {
    for fields in ["Content-Length: 26\r\n", "Transfer-Encoding: chunked\r\n"] {
        let head = ok(fields, "");
        let upstream = Upstream::scripted(move |mut connection| {
            let head = head.clone();
            async move {
                connection.request().await;
                connection.write(&head).await;
            }
        })
        .await;
        let proxy = Proxy::before(&upstream).await;
        for _ in 0..20 {
            let answer = ask(proxy.address, post_without_body("/")).await;
            assert_eq!(
                (answer.status, answer.end),
                (200, End::Truncated),
                "{answer:?}"
            );
            assert_eq!(answer.text(), "");
        }
    }
}

/// A POST is never sent twice, so here each request uses exactly one connection.
fn post_without_body(target: &str) -> String {
    format!("POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
}

#[tokio::test]
async fn a_response_that_stops_half_way_is_cut_after_the_stall_timeout() {
    let upstream = Upstream::answering(ok("Content-Length: 100\r\n", "half")).await;
    let proxy = Proxy::with(&upstream.url(), &[("upstream.stall_timeout", "300ms")]).await;
    let answer = ask(proxy.address, get("/")).await;
    assert_eq!(
        (answer.status, answer.end, answer.text().as_str()),
        (200, End::Truncated, "half")
    );
    let reason = || {
        proxy
            .running
            .metrics
            .recent()
            .pop()
            .and_then(|entry| entry.reason)
    };
    until("the record", || reason() == Some("upstream_stalled")).await;
}

/// The network drops the rest, within the head or within the body, or it is only slow.
#[tokio::test]
async fn a_network_that_drops_the_rest_times_out_and_a_slow_one_does_not() {
    let upstream = Upstream::answering(answer("200 OK", "", "whole")).await;
    let limits = [
        ("upstream.head_timeout", "300ms"),
        ("upstream.stall_timeout", "300ms"),
    ];
    let head = answer("200 OK", "", "whole").len() - 5;
    for (after, expected) in [(10, 504), (head + 2, 200)] {
        let relay = Relay::to(upstream.address, move |_| Fault::StallAfter(after)).await;
        let proxy = Proxy::with(&relay.url(), &limits).await;
        let answer = ask(proxy.address, get("/")).await;
        assert_eq!(answer.status, expected);
        assert_eq!(answer.end == End::Truncated, expected == 200);
    }
    let slow = Duration::from_millis(100);
    let relay = Relay::to(upstream.address, move |_| Fault::Delay(slow)).await;
    let proxy = Proxy::with(&relay.url(), &limits).await;
    assert_eq!(ask(proxy.address, get("/")).await.text(), "whole");
}
