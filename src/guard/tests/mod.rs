//! Which pages and hosts pass, as tables. `wire` tests what hyper makes of raw bytes first.

use http::HeaderValue;

mod details;
mod property;
mod shape;
mod wire;

use super::*;
use crate::config::LocalUsers;

pub(super) type Pairs<'a> = &'a [(&'static str, &'a str)];

pub(super) const OURS: (&str, &str) = ("host", "localhost:6749");

pub(super) fn guard() -> Guard {
    Guard::new(&GuardConfig {
        hosts: vec!["proxy.example".to_owned()],
        origins: vec!["https://tool.example".to_owned(), "null".to_owned()],
        ..GuardConfig::default()
    })
}

/// A program that runs as our own user.
pub(super) fn someone() -> Peer {
    let listener = "127.0.0.1:6749".parse().unwrap();
    Peer {
        uid: users::own_uid(),
        ..Peer::tcp(listener, "127.0.0.1:40000".parse().unwrap())
    }
}

pub(super) fn request(method: &str, target: &str, fields: Pairs<'_>) -> Request<()> {
    let mut request = Request::builder()
        .method(method)
        .uri(target)
        .body(())
        .unwrap();
    for (name, value) in fields {
        request
            .headers_mut()
            .append(*name, HeaderValue::from_str(value).unwrap());
    }
    request
}

/// The reason of the rejection, or "passes".
pub(super) fn verdict(method: &str, target: &str, fields: Pairs<'_>) -> &'static str {
    match guard().check(&request(method, target, fields), &someone()) {
        Ok(_) => "passes",
        Err(rejection) => rejection.reason.name(),
    }
}

pub(super) fn rejection(method: &str, target: &str, fields: Pairs<'_>) -> Rejection {
    guard()
        .check(&request(method, target, fields), &someone())
        .unwrap_err()
}

const EVIL: (&str, &str) = ("origin", "http://evil.test:9800");
const OWN: (&str, &str) = ("origin", "http://localhost:6749");
const CROSS: (&str, &str) = ("sec-fetch-site", "cross-site");
const SAME_ORIGIN: (&str, &str) = ("sec-fetch-site", "same-origin");
const NAVIGATE: (&str, &str) = ("sec-fetch-mode", "navigate");
const WEBSOCKET: (&str, &str) = ("upgrade", "websocket");
const REBOUND: (&str, &str) = ("host", "rebind.test:6749");
const ZERO: (&str, &str) = ("host", "0.0.0.0:6749");

/// The fields that Chromium sends with each attack (measured), and what the guard decides.
#[rustfmt::skip] // a table is read by column
const PAGES: [(&str, &str, Pairs<'_>, &str); 19] = [
    ("no-cors GET, image, script",      "GET",     &[OURS, CROSS, ("sec-fetch-mode", "no-cors")],               "origin_refused"),
    ("no-cors POST of text/plain",      "POST",    &[OURS, EVIL, CROSS, ("content-type", "text/plain")],        "origin_refused"),
    ("preflight",                       "OPTIONS", &[OURS, EVIL, CROSS, ("access-control-request-method", "DELETE")], "origin_refused"),
    ("preflighted DELETE, had it come", "DELETE",  &[OURS, EVIL, CROSS],                                        "origin_refused"),
    ("WebSocket",                       "GET",     &[OURS, EVIL, WEBSOCKET],                                    "origin_refused"),
    ("0.0.0.0, GET",                    "GET",     &[ZERO],                                                     "host_refused"),
    ("0.0.0.0, POST",                   "POST",    &[ZERO, EVIL],                                               "host_refused"),
    ("rebound GET",                     "GET",     &[REBOUND],                                                  "host_refused"),
    ("rebound POST",                    "POST",    &[REBOUND, ("origin", "http://rebind.test:6749")],           "host_refused"),
    ("rebound DELETE",                  "DELETE",  &[REBOUND, ("origin", "http://rebind.test:6749")],           "host_refused"),
    ("rebound WebSocket",               "GET",     &[REBOUND, ("origin", "http://rebind.test:6749"), WEBSOCKET], "host_refused"),
    ("own page, GET",                   "GET",     &[OURS, SAME_ORIGIN],                                        "passes"),
    ("own page, POST",                  "POST",    &[OURS, OWN, SAME_ORIGIN],                                   "passes"),
    ("own page, WebSocket",             "GET",     &[OURS, OWN, WEBSOCKET],                                     "passes"),
    ("typed by the user",               "GET",     &[OURS, ("sec-fetch-site", "none"), NAVIGATE],               "passes"),
    ("fetch, whatever the answer allows", "GET",   &[OURS, EVIL, CROSS, ("sec-fetch-mode", "cors")],            "origin_refused"),
    ("sandboxed iframe",                "GET",     &[OURS, ("origin", "null"), CROSS],                          "origin_refused"),
    ("form POST from the public space", "POST",    &[OURS, EVIL, CROSS, NAVIGATE],                              "origin_refused"),
    ("a page on another local port",    "GET",     &[OURS, ("sec-fetch-site", "same-site")],                    "origin_refused"),
];

#[test]
fn requests_of_other_pages_are_rejected_and_those_of_the_own_page_pass() {
    for (page, method, fields, expected) in PAGES {
        assert_eq!(verdict(method, "/", fields), expected, "{page}");
    }
}

#[test]
fn a_host_is_one_of_our_names_with_any_port() {
    for host in [
        "localhost",
        "localhost:6749",
        "LOCALHOST:1",
        "LocalHost:99999",
        "127.0.0.1",
        "127.0.0.1:9000",
        "[::1]",
        "[::1]:6749",
        "proxy.example",
        "Proxy.Example:443",
    ] {
        assert_eq!(verdict("GET", "/", &[("host", host)]), "passes", "{host}");
    }
    for host in [
        "",
        ":6749",
        "localhost.",
        "localhost.:6749",
        "localhost:",
        "localhost:x",
        "localhost:123456",
        "localhost:+80",
        "localhost:80:80",
        "localhost,localhost",
        "localhost.evil.com",
        "evil-localhost",
        "xlocalhost",
        "127.0.0.2",
        "127.1",
        "0.0.0.0",
        "[::1",
        "::1",
        "[::1]x",
        "[::]",
        "[]",
        "sub.proxy.example",
        "proxy.example.",
        "169.254.169.254",
        "localhost%00",
    ] {
        assert_eq!(
            verdict("GET", "/", &[("host", host)]),
            "host_refused",
            "{host}"
        );
    }
}

#[test]
fn a_request_without_one_valid_host_is_malformed() {
    for host in [
        "a@localhost",
        "localhost@evil",
        "localhost:80@evil",
        "localhost, localhost",
        "localhost evil",
        "localhost/",
        "localhost\\evil",
        "localhost?",
        "localhost#",
        "\"localhost\"",
    ] {
        let verdict = verdict("GET", "/", &[("host", host)]);
        assert_eq!(verdict, "bad_request", "{host}");
    }
    assert_eq!(verdict("GET", "/", &[]), "bad_request");
    assert_eq!(verdict("GET", "/", &[OURS, OURS]), "bad_request");

    let mut old = request("GET", "/", &[]);
    *old.version_mut() = Version::HTTP_10;
    let rejection = guard().check(&old, &someone()).unwrap_err();
    assert_eq!(rejection.reason, Reason::HostRefused);
}

#[test]
fn without_other_checks_the_host_matters_only_on_a_connection_to_loopback() {
    let peer = |listener: &str, address: &str| {
        Peer::tcp(listener.parse().unwrap(), address.parse().unwrap())
    };
    let evil = request("GET", "/metrics", &[("host", "rebind.test:6750")]);
    let ours = request("GET", "/metrics", &[OURS, CROSS]);
    for (peer, expected) in [
        (
            peer("127.0.0.1:6750", "127.0.0.1:40000"),
            Some(Reason::HostRefused),
        ),
        (
            peer("0.0.0.0:6750", "127.0.0.1:40000"),
            Some(Reason::HostRefused),
        ),
        (
            peer("[::]:6750", "[::ffff:127.0.0.1]:40000"),
            Some(Reason::HostRefused),
        ),
        (peer("[::1]:6750", "[::1]:40000"), Some(Reason::HostRefused)),
        (peer("0.0.0.0:6750", "10.0.0.7:40000"), None),
        (Peer::unix(None), None),
    ] {
        let rejected = guard().check_host(&evil, &peer).err();
        assert_eq!(rejected.map(|one| one.reason), expected, "{peer:?}");
        assert!(guard().check_host(&ours, &peer).is_ok());
    }
}

/// Before a peer has sent anything, and whichever of the two configurations rejects it.
#[test]
fn a_peer_must_be_admitted_by_a_pending_configuration_too() {
    let admitting = |local_users| {
        Guard::new(&GuardConfig {
            local_users,
            ..GuardConfig::default()
        })
    };
    let (all, none) = (
        admitting(LocalUsers::Any),
        admitting(LocalUsers::Only(Vec::new())),
    );
    assert!(all.and(&all).check_peer(&someone()).is_ok());
    for guard in [all.and(&none), none.and(&all)] {
        let rejection = guard.check_peer(&someone()).unwrap_err();
        assert_eq!(rejection.reason, Reason::UserRefused);
    }
}

#[test]
fn the_rejection_of_a_host_says_what_to_configure() {
    let detail = |fields: Pairs<'_>| rejection("GET", "/", fields).detail;
    assert_eq!(
        detail(&[("host", "nas.lan:6749")]),
        "Host \"nas.lan:6749\" does not name this proxy: use localhost, or, if that name is yours, add \"nas.lan\" to guard.hosts."
    );
    assert_eq!(
        detail(&[("host", "a@b\"<x>")]),
        "Host \"...@b??x?\" is not a host name with an optional port."
    );
    assert!(detail(&[("host", "[fd00::1]:80")]).contains("add \"[fd00::1]\""));
    assert!(detail(&[("host", "localhost.")]).contains("not a host name"));
    assert!(detail(&[]).contains("no Host"));
    assert!(detail(&[OURS, OURS]).contains("several Host"));
    assert!(detail(&[("host", &"x".repeat(5000))]).len() < 300);
}

#[test]
fn an_origin_must_be_ours_or_listed_exactly() {
    for (origin, expected) in [
        ("http://localhost:6749", "passes"),
        ("http://LOCALHOST:6749", "passes"),
        ("https://tool.example", "passes"),
        ("https://localhost:6749", "origin_refused"),
        ("http://localhost", "origin_refused"),
        ("http://localhost:80", "origin_refused"),
        ("http://127.0.0.1:6749", "origin_refused"),
        ("http://localhost:67490", "origin_refused"),
        ("http://localhost:6749/", "origin_refused"),
        ("http://a@localhost:6749", "origin_refused"),
        ("localhost:6749", "origin_refused"),
        ("", "origin_refused"),
        ("null", "origin_refused"),
        ("http://tool.example", "origin_refused"),
        ("https://tool.example:8443", "origin_refused"),
        ("https://tool.example.evil", "origin_refused"),
        ("https://sub.tool.example", "origin_refused"),
        ("https://TOOL.example", "origin_refused"),
        ("https://tool.example https://evil", "origin_refused"),
    ] {
        assert_eq!(
            verdict("POST", "/", &[OURS, ("origin", origin)]),
            expected,
            "{origin}"
        );
    }
    let twice = [
        OURS,
        ("origin", "http://localhost:6749"),
        ("origin", "http://localhost:6749"),
    ];
    assert_eq!(verdict("POST", "/", &twice), "origin_refused");
}

#[test]
fn fetch_metadata_must_say_own_page_or_no_page_unless_the_origin_is_listed() {
    let listed = ("origin", "https://tool.example");
    let own = ("origin", "http://localhost:6749");
    for site in [
        "cross-site",
        "same-site",
        "",
        "Same-Origin",
        "same-origin, none",
        "garbage",
    ] {
        let site = ("sec-fetch-site", site);
        assert_eq!(
            verdict("GET", "/", &[OURS, site]),
            "origin_refused",
            "{site:?}"
        );
        assert_eq!(
            verdict("GET", "/", &[OURS, own, site]),
            "origin_refused",
            "{site:?} after a redirect"
        );
        assert_eq!(
            verdict("GET", "/", &[OURS, listed, site]),
            "passes",
            "{site:?} of a listed origin"
        );
    }
    let twice = [OURS, ("sec-fetch-site", "none"), ("sec-fetch-site", "none")];
    assert_eq!(verdict("GET", "/", &twice), "origin_refused");
}

#[test]
fn only_pages_of_listed_origins_may_read_responses_and_get_preflights_answered() {
    let listed = ("origin", "https://tool.example");
    let preflight = ("access-control-request-method", "DELETE");
    let admitted = |method, fields: Pairs<'_>| {
        let request = request(method, "/", fields);
        let admitted = guard().check(&request, &someone()).unwrap();
        let has_preflight_response = admitted.preflight(request.headers()).is_some();
        (admitted.cors().clone(), has_preflight_response)
    };
    let tool = Cors::For(HeaderValue::from_static("https://tool.example"));
    assert_eq!(
        admitted("GET", &[OURS, listed, CROSS]),
        (tool.clone(), false)
    );
    assert_eq!(
        admitted("OPTIONS", &[OURS, listed, CROSS]),
        (tool.clone(), false)
    );
    assert_eq!(
        admitted("OPTIONS", &[OURS, listed, preflight]),
        (tool.clone(), true)
    );
    assert_eq!(admitted("GET", &[OURS, listed, preflight]), (tool, false));
    for fields in [&[OURS, OWN, preflight][..], &[OURS, preflight]] {
        assert_eq!(admitted("OPTIONS", fields), (Cors::Varies, false));
    }
    let closed = Guard::new(&GuardConfig::default());
    let admitted = closed.check(&request("GET", "/", &[OURS]), &someone());
    assert_eq!(*admitted.unwrap().cors(), Cors::Off);
}

#[test]
fn only_a_cross_origin_link_opened_as_a_page_gets_a_page_with_a_link() {
    let (navigate, document) = (
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "document"),
    );
    let cross = ("sec-fetch-site", "cross-site");
    let format = |method, fields: Pairs<'_>| rejection(method, "/docs?a=1", fields).format;

    let link = ProblemFormat::PageWithLink("/docs?a=1".to_owned());
    assert_eq!(format("GET", &[OURS, cross, navigate, document]), link);
    assert_eq!(
        format(
            "GET",
            &[OURS, ("sec-fetch-site", "same-site"), navigate, document]
        ),
        link
    );

    assert_eq!(
        format("POST", &[OURS, cross, navigate, document]),
        ProblemFormat::Page
    );
    assert_eq!(
        format(
            "GET",
            &[OURS, cross, navigate, ("sec-fetch-dest", "iframe")]
        ),
        ProblemFormat::Page
    );
    assert_eq!(
        format("GET", &[OURS, cross, cross, navigate, document]),
        ProblemFormat::Page
    );
    assert_eq!(
        format(
            "GET",
            &[OURS, cross, ("sec-fetch-mode", "no-cors"), document]
        ),
        ProblemFormat::Json
    );
    assert_eq!(
        format("GET", &[("host", "rebind.test"), cross, navigate, document]),
        ProblemFormat::Page
    );
}
