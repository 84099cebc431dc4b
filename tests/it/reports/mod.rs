//! What real servers and real people send, by behaviour: one file for each kind, with the relatives of the case that
//! was reported.

#[cfg(unix)]
mod broken_ca_file;
#[cfg(target_os = "linux")]
mod certificate_store;
mod interim_floods;
#[cfg(unix)]
mod logged_once;
mod many_fields;
mod pinned_certificate;
mod response_fields;
mod response_framing;

use crate::support::{Answer, Proxy, Upstream, ask, get};
#[cfg(unix)]
use crate::support::{CLIENT_ID, Config, SECRET};

/// The configuration of a binary that reaches no server.
#[cfg(unix)]
fn config<'a>(settings: &'a [&'a str]) -> Config<'a> {
    Config {
        upstream: "http://127.0.0.1:9",
        token_url: "http://127.0.0.1:9/token",
        client_id: CLIENT_ID,
        secret: SECRET,
        settings,
    }
}

/// What a client receives for a GET if the upstream responds with `bytes` and keeps the connection open.
async fn through(bytes: impl Into<Vec<u8>>) -> Answer {
    let upstream = Upstream::answering(bytes).await;
    let proxy = Proxy::with(&upstream.url(), &[("upstream.head_timeout", "2s")]).await;
    ask(proxy.address, get("/")).await
}

/// The detail of a 502 `upstream_protocol`.
#[track_caller]
fn protocol_error(answer: &Answer) -> String {
    assert_eq!(
        answer.outcome(),
        (502, "upstream_protocol".to_owned()),
        "{answer:?}"
    );
    answer.text()
}
