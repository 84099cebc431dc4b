//! For any request, the guard does not panic, and admits nothing whose `Host` is not ours.

use http::{HeaderValue, Request, header};
use proptest::prelude::*;

use crate::guard::tests::{guard, someone};
use crate::problem::{Reason, RequestId};

/// A second, slow implementation of the same rule, written from the contract.
fn names_us(hosts: &[String]) -> bool {
    let [host] = hosts else { return false };
    let host = host.to_ascii_lowercase();
    ["localhost", "127.0.0.1", "[::1]", "proxy.example"]
        .iter()
        .any(|name| {
            host.strip_prefix(name).is_some_and(|rest| {
                rest.is_empty()
                    || rest.strip_prefix(':').is_some_and(|port| {
                        !port.is_empty()
                            && port.len() < 6
                            && port.chars().all(|c| c.is_ascii_digit())
                    })
            })
        })
}

fn some_host() -> impl Strategy<Value = String> {
    const PIECES: &[&str] = &[
        "localhost",
        "LOCALHOST",
        "127.0.0.1",
        "[::1]",
        "proxy.example",
        "evil",
        ":",
        "80",
        "@",
        ".",
        ",",
        " ",
        "[",
        "]",
    ];
    let near = proptest::collection::vec(proptest::sample::select(PIECES), 0..4)
        .prop_map(|pieces| pieces.concat());
    prop_oneof![4 => near, 1 => "[ -~]{0,20}"]
}

fn some_field() -> impl Strategy<Value = (&'static str, Vec<u8>)> {
    const NAMES: &[&str] = &[
        "origin",
        "sec-fetch-site",
        "sec-fetch-mode",
        "sec-fetch-dest",
        "accept",
        "transfer-encoding",
        "content-length",
        "upgrade",
    ];
    const VALUES: &[&str] = &[
        "http://localhost",
        "https://tool.example",
        "null",
        "same-origin",
        "cross-site",
        "navigate",
        "document",
        "text/html;q=1",
        "chunked",
        "3",
    ];
    let value = prop_oneof![
        proptest::sample::select(VALUES).prop_map(|value| value.as_bytes().to_vec()),
        any::<Vec<u8>>(),
    ];
    (proptest::sample::select(NAMES), value)
}

fn some_target() -> impl Strategy<Value = String> {
    const KNOWN: &[&str] = &[
        "/",
        "//evil/x",
        "http://localhost/x",
        "http://evil/",
        "*",
        "evil",
        "http://proxy.example:1/",
    ];
    prop_oneof![2 => proptest::sample::select(KNOWN).prop_map(str::to_owned), 1 => "\\PC{1,20}"]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn nothing_is_admitted_whose_host_is_not_ours(
        hosts in proptest::collection::vec(some_host(), 0..3),
        fields in proptest::collection::vec(some_field(), 0..6),
        target in some_target(),
        method in "GET|POST|OPTIONS|[!#-'*+.^_`|~0-9A-Za-z-]{1,9}",
    ) {
        let Ok(mut request) = Request::builder().method(method.as_str()).uri(target.as_str()).body(()) else {
            return Ok(());
        };
        for host in &hosts {
            request.headers_mut().append(header::HOST, HeaderValue::from_str(host).unwrap());
        }
        for (name, value) in fields {
            let Ok(value) = HeaderValue::from_bytes(&value) else { continue };
            request.headers_mut().append(name, value);
        }
        match guard().check(&request, &someone()) {
            Ok(_) => prop_assert!(names_us(&hosts), "{hosts:?}"),
            Err(rejection) => {
                let id = RequestId::of(request.headers());
                let response = rejection.problem(&id).response();
                prop_assert!(response.status().is_client_error());
                prop_assert!(rejection.reason != Reason::HostRefused || !names_us(&hosts), "{hosts:?}");
            }
        }
    }
}
