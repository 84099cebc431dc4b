//! What a rejection tells people and browsers, and how it is recorded.

use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, VARY};

use super::*;
use crate::config::{PORT_PROBE_HOST, is_override};
use crate::guard::callers::tests::config;
use crate::guard::key::KeyDigest;

#[test]
fn a_rejection_names_what_was_sent_and_how_to_admit_it() {
    for (target, fields, expected) in [
        (
            "/",
            &[OURS, EVIL][..],
            "Pages of \"http://evil.test:9800\" may not use this proxy. Only if they are your own tool, add that origin to guard.origins: they may then do whatever a local program may do.",
        ),
        (
            "/",
            &[OURS, ("origin", "null")],
            "Origin \"null\" (a sandboxed page, or a file) is never admitted.",
        ),
        (
            "/",
            &[OURS, ("sec-fetch-site", "same-site")],
            "(Sec-Fetch-Site: same-site), and that origin is not in guard.origins.",
        ),
        (
            "/",
            &[OURS, ("sec-fetch-site", "my-secret-value")],
            "Sec-Fetch-Site has a value that no browser sends: leave the field out.",
        ),
        (
            "http://other.example/",
            &[OURS],
            "The request target names \"other.example\", but this is not a forward proxy",
        ),
        (
            "/",
            &[("host", "other.example:80")],
            "use localhost, or, if that name is yours, add \"other.example\" to guard.hosts.",
        ),
        (
            "/",
            &[("host", "o]her")],
            "is not a host name with an optional port.",
        ),
        (
            "/",
            &[("host", "[::1!]")],
            "is not a host name with an optional port.",
        ),
    ] {
        let detail = rejection("GET", target, fields).detail;
        assert!(detail.contains(expected), "{detail}");
    }
}

#[test]
fn the_admin_listener_does_not_advise_to_add_a_page_to_guard_origins() {
    let guard = guard().without_pages();
    for (field, expected) in [
        (
            ("origin", "https://tool.example"),
            "Pages of \"https://tool.example\" may not use the admin listener, to which guard.origins does not apply.",
        ),
        (
            ("sec-fetch-site", "cross-site"),
            "(Sec-Fetch-Site: cross-site), and guard.origins does not apply to the admin listener.",
        ),
    ] {
        let rejected = guard.check(&request("GET", "/", &[OURS, field]), &someone());
        let detail = rejected.unwrap_err().detail;
        assert!(detail.ends_with(expected), "{detail}");
    }
}

#[test]
fn only_the_request_that_asks_which_program_uses_the_port_is_not_recorded() {
    assert!(!rejection("GET", "/", &[("host", PORT_PROBE_HOST)]).is_recorded);
    assert!(rejection("GET", "/", &[("host", "other.example")]).is_recorded);
}

#[test]
fn a_page_of_guard_origins_may_read_a_rejection_and_no_other_page_may() {
    let allowed = ("origin", "https://tool.example");
    let cors = rejection("TRACE", "/", &[OURS, allowed]).cors;
    assert_eq!(
        cors,
        Cors::For(HeaderValue::from_static("https://tool.example"))
    );
    assert_eq!(rejection("TRACE", "/", &[OURS, EVIL]).cors, Cors::Varies);
}

#[test]
fn a_response_varies_by_origin_once_however_the_upstream_spells_it() {
    let tool = HeaderValue::from_static("https://tool.example");
    for (upstream, expected) in [
        (&[][..], &["origin"][..]),
        (&["accept"], &["accept", "origin"]),
        (&["accept, Origin"], &["accept, Origin"]),
        (&["*"], &["*"]),
        (&["x-origin", "origin"], &["x-origin", "origin"]),
    ] {
        for cors in [Cors::Varies, Cors::For(tool.clone())] {
            let mut headers = HeaderMap::new();
            for line in upstream {
                headers.append(VARY, HeaderValue::from_static(line));
            }
            cors.apply(&mut headers);
            assert!(headers.get_all(VARY).iter().eq(expected), "{headers:?}");
            let is_allowed = headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN);
            assert_eq!(is_allowed, cors != Cors::Varies);
        }
    }
}

#[test]
fn a_preflight_allows_what_the_browser_asks_for() {
    let cors = Cors::For(HeaderValue::from_static("https://tool.example"));
    let asked = request(
        "OPTIONS",
        "/",
        &[
            ("access-control-request-method", "PUT"),
            ("access-control-request-headers", "x-a,x-b"),
        ],
    );
    let response = cors::preflight(&cors, asked.headers());
    assert_eq!(response.status(), 204);
    let field = |name: &str| response.headers().get(name).unwrap().to_str().unwrap();
    assert_eq!(field("access-control-allow-origin"), "https://tool.example");
    assert_eq!(field("access-control-allow-methods"), "PUT");
    assert_eq!(field("access-control-allow-headers"), "x-a,x-b");
    assert!(
        !response
            .headers()
            .contains_key("access-control-allow-private-network")
    );
}

#[test]
fn only_the_known_fields_override_a_method_or_a_path() {
    for name in [
        "X-HTTP-Method-Override",
        "x_method_override",
        "X-Original-URL",
    ] {
        assert!(is_override(name.as_bytes()), "{name}");
    }
    for name in ["x-request-id", "x", "method-override", "y-http-method"] {
        assert!(!is_override(name.as_bytes()), "{name}");
    }
}

#[test]
fn a_request_whose_key_a_pending_configuration_does_not_know_is_attributed_to_nobody() {
    let with_key = |key: &[u8]| {
        let guard = Guard::new(&config("guard.callers.ci.key = { file = \"k\" }\n"));
        let callers = guard.callers().unwrap();
        callers.set_keys(0, &[KeyDigest::of(key)]).unwrap();
        guard
    };
    let both = with_key(b"the-key").and(&with_key(b"another"));
    let sent = request("GET", "/", &[OURS, ("x-cupbearer-key", "the-key")]);
    let rejection = both.check(&sent, &someone()).unwrap_err();
    assert_eq!(
        (rejection.reason, rejection.caller),
        (Reason::CallerUnknown, None)
    );
}

/// A guard that admits only this user.
#[cfg(unix)]
fn only(uid: u32) -> Guard {
    Guard::new(&GuardConfig {
        local_users: LocalUsers::Only(vec![uid]),
        ..GuardConfig::default()
    })
}

#[cfg(unix)]
#[test]
fn an_order_passes_guard_local_users_of_both_configurations_and_nothing_else() {
    let own = users::own_uid().unwrap();
    let other = own + 1;
    let sent_by = |uid| Peer {
        uid: Some(uid),
        ..someone()
    };
    let order = request("POST", "/", &[OURS]);
    for guard in [
        only(other),
        only(own).and(&only(other)),
        only(other).and(&only(own)),
    ] {
        assert!(guard.check_owner(&order, &sent_by(own)).is_ok());
        let rejection = guard.check_owner(&order, &sent_by(other)).unwrap_err();
        assert_eq!(rejection.reason, Reason::UserRefused);
        // Whatever else the guard requires, it requires of an order too.
        let of_a_page = request("POST", "/", &[OURS, EVIL]);
        let rejection = guard.check_owner(&of_a_page, &sent_by(own)).unwrap_err();
        assert_eq!(rejection.reason, Reason::OriginRefused);
    }
}

#[test]
fn a_person_reads_a_rejection_by_host_or_user_as_a_page() {
    let network = Peer {
        transport: Transport::Network,
        ..someone()
    };
    for (fields, expected) in [
        (&[REBOUND, ("accept", "text/html")][..], ProblemFormat::Page),
        (&[REBOUND], ProblemFormat::Json),
    ] {
        let sent = request("GET", "/", fields);
        for rejection in [
            guard().check_host(&sent, &someone()),
            guard().check_owner(&sent, &network),
        ] {
            assert_eq!(rejection.unwrap_err().format, expected);
        }
    }
}
