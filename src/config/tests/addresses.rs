//! Addresses of the API, the token endpoint and proxies: which are accepted, and what the problem of another says.

use proptest::prelude::*;

use super::*;

/// `upstream.url`, and what its problem must contain; empty if it is valid.
const URLS: &[(&str, &str)] = &[
    ("https://api.example.com", ""),
    ("https://api.example.com/", ""),
    ("https://api.example.com:8443", ""),
    ("http://localhost:8000", ""),
    ("http://127.9.9.9", ""),
    ("http://[::1]:80", ""),
    (
        "api.example.com",
        "has no scheme: write \"https://api.example.com\"",
    ),
    (
        "localhost:8000",
        "has no scheme: write \"http://localhost:8000\"",
    ),
    ("ftp://api.example.com", "\"ftp\" is neither http nor https"),
    (
        "https://api.example.com/v1",
        "has more than scheme, host and port: write \"https://api.example.com\"",
    ),
    ("https://api.example.com?a", "has more than"),
    ("http://a.com/docs", "write \"https://a.com\"; path"),
    ("https://api.example.com#a", "has more than"),
    (
        "https://me:hunter2@api.example.com",
        "contains a user name or password",
    ),
    (
        "me:hunter2@api.example.com",
        "contains a user name or password",
    ),
    ("https://", "is not a URL"),
    ("https:///api.example.com", "is not a URL"),
    ("https://api example.com", "is not a URL"),
    (
        "https://api.example.com\\\\@evil.example",
        "contains a user name",
    ),
    ("https://api.example.com:99999", "is not a URL"),
    (
        "https:api.example.com",
        "has no scheme: write \"https://api.example.com\"",
    ),
    (
        "api.example.com/v1",
        "has no scheme: write \"https://api.example.com\"",
    ),
    (
        "https://a..b.com",
        "\"a..b.com\" cannot be the name of a host",
    ),
    ("https://*.x.com", "cannot be the name of a host"),
    ("https://-a.x.com", "cannot be the name of a host"),
    ("https://a-.x.com", "cannot be the name of a host"),
    ("https://my_service.x.com.", ""),
    (
        "https://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.x.com",
        "cannot be the name of a host",
    ),
    (
        "http://localhost:6749",
        "is this proxy itself, which listens on localhost:6749",
    ),
    ("http://127.0.0.1:6749", "is this proxy itself"),
    ("http://[::1]:6749", "is this proxy itself"),
    (
        "http://localhost:6750",
        "is the admin listener of this process, on localhost:6750: write the address of the API, or another one in \
         admin.listen",
    ),
    ("HTTPS://api.example.com", ""),
    ("Https://api.example.com", ""),
    ("HTTP://127.0.0.1:8080", ""),
    (
        "https://localhost:0",
        "has port 0, to which nothing can connect: write the port of the server",
    ),
    ("http://api.example.com", "upstream.allow_plaintext = true"),
    (
        "http://localhost.example.com",
        "upstream.allow_plaintext = true",
    ),
    ("http://10.0.0.1:80", "upstream.allow_plaintext = true"),
];

#[test]
fn an_upstream_is_scheme_host_and_port_and_needs_https_beyond_loopback() {
    for (url, expected) in URLS {
        let mut variables = with(&[]);
        variables.variables[0].1 = url.replace("\\\\", "\\").into();
        let said = said(load(&Overrides::default(), &variables));
        assert!(
            said.contains(expected) && said.is_empty() == expected.is_empty(),
            "{url}: {said}"
        );
        assert!(!said.contains("hunter2"), "{said}");
    }
    assert_eq!(
        said(load(
            &Overrides::default(),
            &with(&[
                ("CUPBEARER_UPSTREAM__URL", "http://10.0.0.1:80"),
                ("CUPBEARER_UPSTREAM__ALLOW_PLAINTEXT", "true"),
            ])
        )),
        ""
    );
}

#[test]
fn no_server_to_connect_to_is_a_listener_of_the_process() {
    let listeners =
        "listen = \"localhost:7001\"\nadmin.listen = [\"127.0.0.1:7002\", \"0.0.0.0:7003\"]\n";
    let upstream = "upstream.url = \"https://api.example.com\"\n";
    for (port, whose) in [
        (7001, "this proxy itself"),
        (7002, "the admin listener"),
        (7003, "the admin listener"),
    ] {
        for (key, line) in [
            (
                "upstream.url",
                format!("upstream.url = \"http://127.0.0.1:{port}\""),
            ),
            (
                "token.url",
                format!("{upstream}token.url = \"http://127.0.0.1:{port}/t\""),
            ),
            (
                "token.url",
                format!("{upstream}token.url = \"https://localhost:{port}/t\""),
            ),
            (
                "token.issuer",
                format!("{upstream}token.issuer = \"http://127.0.0.1:{port}\""),
            ),
            (
                "network.proxy",
                format!("{upstream}network.proxy = \"http://127.0.0.1:{port}\""),
            ),
        ] {
            let mut variables = with(&[]).variables;
            let is_issuer = key == "token.issuer";
            variables.retain(|(name, _)| {
                name != "CUPBEARER_UPSTREAM__URL"
                    && !(name == "CUPBEARER_TOKEN__URL" && line.contains("token."))
            });
            assert!(!is_issuer || variables.len() < 4);
            let surroundings = Surroundings {
                variables,
                ..with(&[])
            };
            let text = format!("{listeners}{line}\n");
            let said = said(from_bytes(text.as_bytes(), &surroundings));
            let expected = format!("{key}: is {whose}");
            assert!(said.starts_with(&expected), "{text}: {said}");
        }
    }
}

#[test]
fn the_environments_proxy_must_not_be_a_listener_of_the_process_where_it_would_be_used() {
    let with_proxy = |more: &[(&str, &str)]| {
        let proxy = [("HTTPS_PROXY", "http://localhost:6749")];
        said(load(&Overrides::default(), &with(&[&proxy, more].concat())))
    };
    let problem = with_proxy(&[]);
    assert!(
        problem.starts_with(
            "network.proxy: the system's proxy, http://localhost:6749, is this proxy itself"
        ),
        "{problem}"
    );
    assert!(problem.contains("unset HTTPS_PROXY"), "{problem}");
    assert_eq!(with_proxy(&[("NO_PROXY", "*")]), "");
    assert_eq!(with_proxy(&[("CUPBEARER_NETWORK__PROXY", "none")]), "");
}

#[test]
fn a_server_is_a_listener_if_address_and_port_match() {
    for (server, listener, expected) in [
        ("127.0.0.1:6751", "127.0.0.1:6751", true),
        ("127.0.0.1:6751", "127.0.0.1:6752", false),
        ("127.0.0.2:6751", "127.0.0.1:6751", false),
        ("127.0.0.2:6751", "0.0.0.0:6751", true),
        ("localhost:6751", "127.0.0.1:6751", true),
        ("LOCALHOST:6751", "[::1]:6751", true),
        ("localhost:6751", "10.0.0.1:6751", false),
        ("[::1]:6751", "[::1]:6751", true),
        ("[::1]:6751", "127.0.0.1:6751", false),
        ("[::1]:6751", "[::]:6751", true),
        ("[::ffff:127.0.0.1]:6751", "127.0.0.1:6751", true),
        ("10.0.0.1:6751", "10.0.0.1:6751", true),
        ("10.0.0.1:6751", "0.0.0.0:6751", false),
        ("0.0.0.0:6751", "127.0.0.1:6751", true),
        ("api.example.com:6751", "127.0.0.1:6751", false),
        ("127.0.0.1", "127.0.0.1:80", true),
    ] {
        let url = format!("http://{server}");
        for (key, variable, plaintext) in [
            (
                "upstream.url",
                "CUPBEARER_UPSTREAM__URL",
                "CUPBEARER_UPSTREAM__ALLOW_PLAINTEXT",
            ),
            (
                "token.url",
                "CUPBEARER_TOKEN__URL",
                "CUPBEARER_TOKEN__ALLOW_PLAINTEXT",
            ),
        ] {
            let config = load(
                &Overrides::default(),
                &with(&[(variable, &url), (plaintext, "true")]),
            );
            let config = config
                .unwrap_or_else(|problems| panic!("{problems}"))
                .config;
            let found = key_that_reaches(&config, listener.parse().unwrap());
            assert_eq!(found, expected.then_some(key), "{server} {listener}");
        }
    }
    let proxy = [("CUPBEARER_NETWORK__PROXY", "http://127.0.0.1:3128")];
    let config = load(&Overrides::default(), &with(&proxy))
        .ok()
        .unwrap()
        .config;
    let found = key_that_reaches(&config, "127.0.0.1:3128".parse().unwrap());
    assert_eq!(found, Some("network.proxy"));
}

#[test]
fn port_0_is_for_listeners_and_no_server_has_it() {
    for (key, text) in [
        ("upstream.url", "http://localhost:0"),
        ("token.url", "https://as.example.com:0/token"),
        ("token.issuer", "https://as.example.com:0"),
        ("network.proxy", "http://proxy.example.com:0"),
    ] {
        let said = said_of(key, text);
        assert!(said.contains("has port 0"), "{key}: {said}");
    }
    for key in ["listen", "admin.listen"] {
        for text in ["localhost:0", "127.0.0.1:0", "[::1]:0"] {
            let said = said(load(&flags(&[(key, text)]), &with(&[])));
            assert_eq!(said, "", "{key} = {text}");
        }
    }
}

#[test]
fn a_password_in_an_address_is_not_quoted_whatever_the_key() {
    let address = "https://user:hunter2@api.example.com";
    for key in [
        "upstream.url",
        "token.url",
        "token.issuer",
        "token.pingone.domain",
        "network.proxy",
        "listen",
        "name",
    ] {
        let said = said_of(key, address);
        assert!(
            !said.is_empty() && !said.contains("hunter2"),
            "{key}: {said}"
        );
    }
    for key in ["guard.hosts", "guard.origins"] {
        for text in [address, "user:hunter2@api.example.com"] {
            let said = complaints(&format!("{key} = [{text:?}]"));
            assert!(
                said.starts_with(key) && !said.contains("hunter2"),
                "{key}: {said}"
            );
        }
    }
}

#[test]
fn a_host_that_tls_rejects_is_rejected_for_every_key_with_an_address() {
    let long = "a".repeat(64);
    for host in ["a..b.com", "*.x.com", "-a.x.com", "x.com..", &long] {
        for (key, text) in [
            ("upstream.url", format!("https://{host}")),
            ("upstream.url", format!("http://{host}")),
            ("token.url", format!("https://{host}/token")),
            ("token.issuer", format!("https://{host}/as")),
            ("token.pingone.domain", host.to_owned()),
            ("network.proxy", format!("http://{host}:3128")),
        ] {
            let said = said_of(key, &text);
            assert!(said.starts_with(key), "{key} = {text}: {said}");
        }
    }
    for host in [
        "api.example.com",
        "api_1.example.com",
        "xn--bcher-kva.example",
        "bücher.example",
    ] {
        let text = format!("https://{host}");
        assert_eq!(said_of("upstream.url", &text), "", "{text}");
    }
}

proptest! {
    /// What the constructors of connections and of requests rely on.
    #[test]
    fn every_accepted_upstream_has_a_name_for_tls_and_a_value_for_host(
        host in "[a-zA-Z0-9.*_\\-\\[\\]:%ü ]{1,24}|[a-z-]{1,70}(\\.[a-z0-9-]{1,4}){0,3}",
        scheme in prop_oneof![Just("http"), Just("https")],
    ) {
        if let Ok(origin) = address::origin(&format!("{scheme}://{host}"), true) {
            let authority = origin.authority.as_str();
            prop_assert!(http::HeaderValue::from_str(authority).is_ok(), "{authority}");
            let bare = origin.authority.host().trim_start_matches('[').trim_end_matches(']');
            let name = rustls::pki_types::ServerName::try_from(bare.to_owned());
            prop_assert!(name.is_ok(), "{authority}");
            prop_assert!(origin.to_url().is_some());
        }
    }
}

/// The problems of a file that sets this key, with everything else in order.
fn said_of(key: &str, text: &str) -> String {
    let mut variables = ENOUGH.to_vec();
    match key {
        "upstream.url" => drop(variables.remove(0)),
        "network.proxy" => {}
        _ => drop(variables.remove(1)),
    }
    let line = format!("{key} = \"{text}\"");
    said(from_bytes(line.as_bytes(), &environment(&variables)))
}

#[test]
fn a_default_admin_listener_in_the_place_of_the_proxy_is_a_warning() {
    let overrides = flags(&[("listen", "127.0.0.1:6750")]);
    let loaded = load(&overrides, &with(&[])).unwrap();
    assert_eq!(
        loaded.warnings,
        [
            "admin.listen is not set, and its default \"localhost:6750\" has an address in common with listen: there is \
             no admin listener; set it to another address"
        ]
    );
}

#[test]
fn the_query_of_a_token_endpoint_is_in_no_message() {
    for (url, expected) in [
        ("https://as.example.com/t?key=hunter2", ""),
        (
            "http://as.example.com/t?key=hunter2",
            "write \"https://as.example.com/t\", followed by the query",
        ),
        (
            "as.example.com/t?key=hunter2",
            "write \"https://as.example.com/t\", followed by the query",
        ),
        ("https://as.example.com/t?key=hunter2#a", "has a fragment"),
        ("https://as.example.com/t?key=hunter2 ", "is not a URL"),
        ("https://as.example.com:0/t?key=hunter2", "has port 0"),
        ("ftp://as.example.com/t?key=hunter2", "\"ftp\" is neither"),
    ] {
        let variables = with(&[("CUPBEARER_TOKEN__URL", url)]);
        let loaded = load(&Overrides::default(), &variables);
        if let Ok(loaded) = &loaded {
            let shown = format!("{:?} {}", loaded.effective, loaded.config.token);
            assert!(shown.contains("as.example.com/t?…"), "{shown}");
            assert!(!shown.contains("hunter2"), "{shown}");
        }
        let said = said(loaded);
        assert!(
            said.contains(expected) && said.is_empty() == expected.is_empty(),
            "{url}: {said}"
        );
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[cfg(unix)]
#[test]
fn what_is_wrong_with_a_socket_is_said_of_its_path() {
    let said = said_of("listen", "unix:@abstract");
    assert!(
        said.contains("\"@abstract\" is not the absolute path of a socket"),
        "{said}"
    );
}
