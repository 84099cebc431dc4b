//! Callers that are there and take no response: they have closed their sending side, or do not read.

use std::sync::Arc;

use cupbearer::metrics::{self, ProcessMetrics};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::support::{Connection, Proxy, Upstream, answer, ask, get, until, within};

/// The series of finished requests, without those at zero.
fn finished(proxy: &Proxy) -> Vec<String> {
    let process_metrics = ProcessMetrics::new(|| 0);
    let text = metrics::text(&process_metrics, &[Arc::clone(&proxy.running.metrics)]);
    let lines = text.lines().filter(|line| {
        let is_of_requests = line.starts_with("cupbearer_requests_total{")
            || line.starts_with("cupbearer_failed_requests_total{");
        is_of_requests && !line.ends_with(" 0")
    });
    lines.map(str::to_owned).collect()
}

#[tokio::test]
async fn a_caller_that_closes_its_sending_side_before_the_response_gets_none() {
    let (respond, may_respond) = watch::channel(false);
    let upstream = Upstream::scripted(move |mut connection: Connection| {
        let mut may_respond = may_respond.clone();
        async move {
            connection.request().await;
            let _ = may_respond.wait_for(|may| *may).await;
            connection.write(&answer("200 OK", "", "too late")).await;
        }
    })
    .await;
    let proxy = Proxy::before(&upstream).await;
    let mut caller = TcpStream::connect(proxy.address).await.unwrap();
    caller.write_all(get("/slow").as_bytes()).await.unwrap();
    until("the API has the request", || upstream.seen_count() == 1).await;
    caller.shutdown().await.unwrap();
    let mut received = Vec::new();
    let read = caller.read_to_end(&mut received);
    within("the end of the connection", read).await.unwrap();
    assert_eq!(received, b"");
    until("it is counted", || !finished(&proxy).is_empty()).await;
    let [series] = &finished(&proxy)[..] else {
        panic!("{:?}", finished(&proxy))
    };
    assert!(series.contains("status_class=\"none\""), "{series}");
    assert!(series.contains("reason=\"\""), "{series}");
    respond.send_replace(true);
}

#[tokio::test]
async fn a_caller_that_does_not_read_is_disconnected_and_counts_as_one_that_has_left() {
    let upstream = Upstream::scripted(async |mut connection: Connection| {
        while let Some(request) = connection.request().await {
            if request.target == "/small" {
                connection.write(&answer("200 OK", "", "x")).await;
                continue;
            }
            let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n";
            connection.write(head).await;
            while connection.try_write(&b"x".repeat(65536)).await {}
            return;
        }
    })
    .await;
    let settings = [("upstream.stall_timeout", "500ms")];
    let proxy = Proxy::with(&upstream.url(), &settings).await;
    let mut caller = TcpStream::connect(proxy.address).await.unwrap();
    caller.write_all(get("/large").as_bytes()).await.unwrap();
    until("it is disconnected", || !finished(&proxy).is_empty()).await;
    let [series] = &finished(&proxy)[..] else {
        panic!("{:?}", finished(&proxy))
    };
    assert!(series.contains("status_class=\"2xx\""), "{series}");
    assert!(series.contains("reason=\"\""), "{series}");
    // The others are served.
    assert_eq!(ask(proxy.address, get("/small")).await.status, 200);
    drop(caller);
}
