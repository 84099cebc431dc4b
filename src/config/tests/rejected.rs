//! Values that are rejected, and what each problem says to write instead.

use proptest::prelude::*;

use super::*;

/// A configuration, and what its problem must contain.
const REFUSED: &[(&str, &str)] = &[
    (
        "upstrem.url = \"x\"",
        "upstrem: unknown key: did you mean [upstream]?",
    ),
    ("token.listen = \"\"", "belongs above the first [table]"),
    ("token.retry_body = \"\"", "belongs below [upstream]"),
    ("upstream.ulr = \"x\"", "did you mean upstream.url?"),
    ("client_id = \"x\"", "did you mean token.client_id?"),
    ("guard.readonly = true", "did you mean guard.read_only?"),
    (
        "guard.read_only = \"yes\"",
        "is a TOML string, not true or false",
    ),
    (
        "guard.allow = [\"/api/**\"]",
        "guard.allow: \"/api/**\" is not a method and a path: write \"GET /api/v1/**\"",
    ),
    ("guard.allow = []", "guard.allow: allows nothing at all"),
    (
        "guard.deny = [\"GET /a\\nb\"]",
        "\"/a\\nb\" contains a line break or another control character: remove it",
    ),
    (
        "guard.deny = [\"GET /a\\u0085b\"]",
        "contains a line break or another control character: remove it",
    ),
    (
        "guard.callers.ci.key = { file = \"\" }",
        "guard.callers.ci.key: file is empty: write guard.callers.ci.key = {",
    ),
    ("guard.callers.ci.key = { env = \"\" }", "env is empty"),
    (
        "guard.callers.ci.key = { keyring = \"\" }",
        "keyring is empty",
    ),
    (
        "guard.callers.ci.key = { file = 1 }",
        "file is not a string",
    ),
    (
        "guard.callers.ci.key = { command = [\"\", \"x\"] }",
        "the command's program is empty: write the program",
    ),
    ("guard.allow = [\"GET http://a/b\"]", "write \"/b\""),
    ("guard.allow = [\"GET a//b\"]", "write a path, such as"),
    (
        "guard.deny = [\"GTE /x\"]",
        "guard.deny: \"GTE\" is not a method that a rule can name",
    ),
    (
        "guard.caller.ci.uid = 1",
        "guard.caller: unknown key: did you mean [guard.callers]?",
    ),
    (
        "guard.callers.ci.kee = { file = \"x\" }",
        "guard.callers.ci.kee: unknown key: did you mean guard.callers.ci.key?",
    ),
    (
        "guard.callers.ci = \"hunter2\"",
        "guard.callers.ci: is a table of keys, not a value: write [guard.callers.ci]",
    ),
    (
        "guard.callers.ci.key = \"hunter2\"",
        "guard.callers.ci.key: is a secret, which must not be in the file itself: write guard.callers.ci.key = { file = \
         \"/run/secrets/ci.key\" }, or set CUPBEARER_GUARD__CALLERS__CI__KEY__FILE",
    ),
    (
        "guard.callers.ci = {}",
        "guard.callers.ci: has neither a key nor a uid, so nobody can be this caller: write guard.callers.ci.key = ",
    ),
    (
        "guard.callers.CI.uid = 1",
        "\"CI\" is not a valid name for a caller",
    ),
    (
        "guard.callers.ci.uid = -1",
        "guard.callers.ci.uid: -1 is out of range: write 0 to 4294967294",
    ),
    (
        "guard.callers.a.uid = 1\nguard.callers.b.uid = 1",
        "guard.callers.b.uid: is also the uid of guard.callers.a",
    ),
    (
        "guard.callers.ci = { uid = 1, deny = [\"/x\"] }",
        "guard.callers.ci.deny: \"/x\" is not a method and a path",
    ),
    (
        "listen = \"0.0.0.0:6749\"\nguard.callers.ci.uid = 1",
        "and no caller has a key",
    ),
    ("upstream = 1", "upstream: is a table of keys"),
    ("name = \"a b\"", "\"a b\" is not a valid name"),
    ("name = \"\"", "name: is empty"),
    (
        "name = 1",
        "is a TOML integer, not a string: write it as in name = \"cupbearer\"",
    ),
    (
        "drain = 30",
        "\"30\" has no unit: write \"30s\" or \"30000ms\"",
    ),
    ("drain = \"soon\"", "\"soon\" is not a duration"),
    ("limits.header_bytes = 64", "write \"64KiB\""),
    ("upstream.retry_body = 64", "write \"64B\" or \"64KiB\""),
    ("drain = 1.5", "\"1.5\" has no unit: write \"1500ms\""),
    ("drain = \"11M\"", "write \"11m\""),
    (
        "limits.keep_alive = 0",
        "\"0\" has no unit: write a number and ms, s, m or h",
    ),
    (
        "network.proxy = \"http://a..b:3128\"",
        "contains no valid name of a host",
    ),
    (
        "admin.listen = \"localhost:6749\"",
        "admin.listen: \"localhost:6749\" has an address in common with listen: write another port, such as \
         \"localhost:6750\"",
    ),
    (
        "admin.listen = [\"localhost:6751\", \"127.0.0.1:6751\"]",
        "has an address in common with \"localhost:6751\": remove one of them",
    ),
    (
        "limits.header_bytes = \"1KiB\"",
        "write \"8KiB\" to \"16384KiB\"",
    ),
    (
        "limits.header_timeout = \"0s\"",
        "is too short: write at least \"1ms\"",
    ),
    ("upstream.connect_timeout = \"0ms\"", "is too short"),
    (
        "limits.connections = 0",
        "0 is out of range: write 1 to 1000000",
    ),
    (
        "limits.in_flight = \"5\"",
        "is a TOML string, not a whole number",
    ),
    ("runtime.threads = -1", "-1 is out of range"),
    (
        "token.auth = \"basic\"",
        "write \"client_secret_basic\" or \"client_secret_post\" or \"client_secret_jwt\" or",
    ),
    (
        "token.auth = \"private_key_jwt\"",
        "token.private_key: is missing: write token.private_key = { file",
    ),
    (
        "token.auth = \"tls_client_auth\"",
        "token.client_cert_file: is missing",
    ),
    (
        "token.client_cert_file = \"c.pem\"",
        "token.client_key_file: is missing",
    ),
    (
        "token.auth = \"client_secret_jwt\"\ntoken.algorithm = \"RS256\"",
        "token.algorithm: RS256 cannot be used with client_secret_jwt: write HS256, HS384 or HS512",
    ),
    (
        "token.auth = \"private_key_jwt\"\ntoken.algorithm = \"HS256\"",
        "token.algorithm: HS256 cannot be used with private_key_jwt: write RS256",
    ),
    (
        "token.issuer = \"https://as.example.com\"",
        "token.url: names a token endpoint, and so does token.issuer (",
    ),
    ("log.level = \"inof\"", "\"inof\" is not a log level"),
    (
        "log.access = \"some\"",
        "write \"auto\" or \"all\" or \"none\"",
    ),
    ("token.scope = \"a  b\"", "is not a valid scope"),
    (
        "token.params = { client_secret = \"hunter2\" }",
        "client_secret is set by the token request itself",
    ),
    (
        "listen = \"localhost\"",
        "\"localhost\" has no port: write \"localhost:6749\"",
    ),
    ("listen = \"8080\"", "has no host: write \"localhost:8080\""),
    (
        "listen = \":8080\"",
        "has no host: write \"localhost:8080\"",
    ),
    ("listen = \"::1\"", "write \"[::1]:6749\""),
    ("listen = \"localhost:66666\"", "has an invalid port"),
    (
        "listen = \"box.example.com:80\"",
        "is neither localhost nor an IP address",
    ),
    ("listen = \"unix:run/x\"", "not the absolute path"),
    ("listen = \"unix:\"", "not the absolute path"),
    ("listen_mode = 600", "a string"),
    ("listen_mode = \"600 \"", "usable mode"),
    ("guard.local_users = \"all\"", "write \"same\""),
    ("listen_mode = \"0060\"", "usable mode"),
    ("listen_mode = \"1600\"", "usable mode"),
    ("guard.local_users = []", "id -u"),
    ("guard.local_users = [-1]", "id -u"),
    ("guard.local_users = [\"root\"]", "id -u"),
    ("guard.local_users = 0", "user ids"),
    ("guard.local_users = \"[0\"", "write \"same\""),
    (
        "listen = \"0.0.0.0:6749\"",
        "no caller has a key: write listen = \"localhost:6749\"; or",
    ),
    (
        "guard.hosts = [\"Box.Example.com:80\"]",
        "write \"box.example.com\"",
    ),
    ("guard.hosts = [\"*.example.com\"]", "is not a host name"),
    ("guard.hosts = [\"fd00::1\"]", "write \"[fd00::1]\""),
    ("guard.hosts = [\"[FD00::1]:80\"]", "write \"[fd00::1]\""),
    (
        "guard.hosts = [\"http://x@A.example:80/\"]",
        "write \"a.example\"",
    ),
    ("guard.origins = [\"*\"]", "list each origin"),
    ("guard.origins = [\"null\"]", "list each origin"),
    (
        "guard.origins = [\"https://a.example/\"]",
        "write \"https://a.example\"",
    ),
    (
        "guard.origins = [\"HTTPS://A.example:443\"]",
        "write \"https://a.example\"",
    ),
    (
        "guard.origins = [\"https://*.a.example\"]",
        "is not a web origin: write scheme, host and port",
    ),
    (
        "guard.origins = [\"https://a..example\"]",
        "is not a web origin",
    ),
    (
        "guard.origins = [\"wss://a.example\"]",
        "write \"https://a.example\"",
    ),
    (
        "guard.origins = [\"a.example\"]",
        "write scheme, host and port",
    ),
    (
        "upstream.headers = { Authorization = \"x\" }",
        "Authorization is set by the proxy itself",
    ),
    (
        "upstream.headers = { Via = \"1.1 me\" }",
        "Via is set by the proxy itself",
    ),
    (
        "upstream.headers = { x-request-id = \"1\" }",
        "x-request-id is set by the proxy itself",
    ),
    (
        "upstream.headers = { Proxy-Anything = \"x\" }",
        "Proxy-Anything is set by the proxy itself",
    ),
    (
        "upstream.headers = { \"a b\" = \"x\" }",
        "\"a b\" is not a valid header name",
    ),
    (
        "upstream.headers = { a = \"hunter2\\n\" }",
        "the value of a is not a valid header value",
    ),
    (
        "upstream.headers = { a = \"x\", A = \"y\" }",
        "is set twice",
    ),
    ("upstream.headers = { a = 1 }", "not a table of strings"),
    (
        "token.client_secret = \"hunter2\"",
        "is a secret, which must not be in the file itself: write token.client_secret = {",
    ),
    (
        "token.client_secret = { value = \"hunter2\" }",
        "must have exactly one of",
    ),
    (
        "token.client_secret = { file = \"a\", env = \"b\" }",
        "must have exactly one of",
    ),
    (
        "token.client_secret = { command = \"op read\" }",
        "the command is not a list of strings",
    ),
    ("token.client_secret = {}", "must have exactly one of"),
    (
        "token.pingone.region = \"eu\"",
        "token.url: names a token endpoint, and so does token.pingone.region (",
    ),
    ("name = \"a\"\nname = \"b\"", "is not TOML: duplicate key"),
    (
        "drain = 99999999999999999999",
        "drain: is a number that is too large",
    ),
];

#[test]
fn invalid_values_are_rejected_with_what_to_write_instead() {
    for (text, expected) in REFUSED {
        let said = complaints(text);
        assert!(
            said.contains(expected),
            "{text}\n  said: {said}\n  not:  {expected}"
        );
        assert!(!said.contains("hunter2"), "{said}");
    }
}

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
fn a_key_that_is_given_twice_is_a_problem_however_it_is_written() {
    let text = "guard.read_only = true\n\"guard.read_only\" = false";
    assert!(complaints(text).starts_with("guard.read_only: is one name with a dot in it"));
    let text = "[guard.\"callers.ci\"]\nuid = 1";
    assert!(complaints(text).contains("guard.callers.ci: is one name with a dot in it"));
    let twice = flags(&[("guard.deny", "[\"* /a\"]"), ("guard.deny", "[\"* /b\"]")]);
    let said = said(load(&twice, &with(&[])));
    assert!(
        said.starts_with("guard.deny: is set twice on the command line: keep one"),
        "{said}"
    );
}

#[test]
fn an_empty_value_is_called_empty_and_names_the_flag_that_set_it() {
    for key in ["listen", "admin.listen", "upstream.url", "name"] {
        for flag in ["--set", "--admin"] {
            let mut overrides = flags(&[(key, "")]);
            overrides.settings[0].flag = flag;
            let problems = load(&overrides, &with(&[])).err().unwrap();
            let one = problems.iter().next().unwrap();
            assert_eq!((&*one.key, &*one.source), (key, flag));
            assert!(one.problem.contains("empty"), "{key}: {}", one.problem);
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
fn a_token_endpoint_needs_https_beyond_loopback() {
    for (url, allowed, good) in [
        ("http://as.example.com/t", "false", false),
        ("http://as.example.com/t", "true", true),
        ("http://127.0.0.1:1/t", "false", true),
        ("https://as.example.com/t?x=1", "false", true),
        ("https://as.example.com/t#x", "false", false),
    ] {
        let variables = with(&[
            ("CUPBEARER_TOKEN__URL", url),
            ("CUPBEARER_TOKEN__ALLOW_PLAINTEXT", allowed),
        ]);
        assert_eq!(
            load(&Overrides::default(), &variables).is_ok(),
            good,
            "{url} {allowed}"
        );
    }
}

#[test]
fn an_issuer_is_kept_as_written_and_needs_https_beyond_loopback() {
    for (issuer, expected) in [
        ("https://as.example.com", ""),
        ("https://as.example.com/tenant/", ""),
        ("http://127.0.0.1:1/as", ""),
        ("http://as.example.com", "would send the secret unencrypted"),
        ("https://as.example.com?x", "has a query or a fragment"),
        ("as.example.com", "has no scheme"),
        (
            "https://as.example.com/t/.well-known/openid-configuration",
            "write \"https://as.example.com/t\"",
        ),
    ] {
        let mut variables = ENOUGH.to_vec();
        variables[1] = ("CUPBEARER_TOKEN__ISSUER", issuer);
        let loaded = load(&Overrides::default(), &environment(&variables));
        if let Ok(loaded) = &loaded {
            assert_eq!(loaded.config.token.endpoint.as_str(), issuer);
            assert_eq!(loaded.config.token.assertion.audience, issuer);
        }
        let said = said(loaded);
        assert!(
            said.contains(expected) && said.is_empty() == expected.is_empty(),
            "{issuer}: {said}"
        );
    }
}

#[test]
fn the_audience_of_an_assertion_is_the_issuer_where_it_is_known() {
    let id = "0123abcd-4567-89ab-cdef-0123456789ab";
    for (variables, audience) in [
        (&[ENOUGH[1]][..], "https://as.example.com/token".to_owned()),
        (
            &[ENOUGH[1], ("CUPBEARER_TOKEN__AUDIENCE", "urn:as")],
            "urn:as".to_owned(),
        ),
        (
            &[
                ("CUPBEARER_TOKEN__PINGONE__REGION", "eu"),
                ("CUPBEARER_TOKEN__PINGONE__ENVIRONMENT_ID", id),
            ],
            format!("https://auth.pingone.eu/{id}/as"),
        ),
        (
            &[("CUPBEARER_TOKEN__PINGONE__DOMAIN", "auth.example.com")],
            "https://auth.example.com/as".to_owned(),
        ),
    ] {
        let all = [&[ENOUGH[0], ENOUGH[2], ENOUGH[3]], variables].concat();
        let loaded = load(&Overrides::default(), &environment(&all)).unwrap();
        assert_eq!(loaded.config.token.assertion.audience, audience);
    }
}

#[test]
fn a_credential_that_the_method_does_not_use_is_a_warning() {
    let loaded = load(
        &Overrides::default(),
        &with(&[("CUPBEARER_TOKEN__PRIVATE_KEY__FILE", "k.pem")]),
    )
    .unwrap();
    assert_eq!(
        loaded.warnings,
        ["token.private_key is set, but token.auth does not use it"]
    );
}

#[test]
fn pingone_is_a_region_with_an_environment_or_a_domain() {
    let id = "0123abcd-4567-89ab-cdef-0123456789ab";
    let endpoint = |more: &[(&str, &str)]| {
        let mut variables = ENOUGH.to_vec();
        variables.remove(1);
        variables.extend(more);
        load(&Overrides::default(), &environment(&variables))
            .map(|loaded| loaded.config.token.endpoint.to_string())
    };
    let region = ("CUPBEARER_TOKEN__PINGONE__REGION", "AP");
    let environment_id = ("CUPBEARER_TOKEN__PINGONE__ENVIRONMENT_ID", id);
    let domain = ("CUPBEARER_TOKEN__PINGONE__DOMAIN", "auth.example.com");

    assert_eq!(
        endpoint(&[region, environment_id]).unwrap(),
        format!("https://auth.pingone.asia/{id}/as/token")
    );
    assert_eq!(
        endpoint(&[domain]).unwrap(),
        "https://auth.example.com/as/token"
    );
    for (more, key) in [
        (&[region][..], "token.pingone.environment_id"),
        (&[environment_id], "token.pingone.region"),
        (&[domain, region], "token.pingone.domain"),
        (&[], "token.url"),
    ] {
        let problems = endpoint(more).unwrap_err();
        assert_eq!(
            problems
                .iter()
                .map(|one| one.key.as_str())
                .collect::<Vec<_>>(),
            [key]
        );
    }
}
