//! `network.proxy` and the client certificate: which targets are reached through which proxy, and
//! that a proxy's password stays where nothing prints it.

use super::*;

const PROXY: &str = "http://proxy.example.com:3128";
const WITH_PASSWORD: &str = "http://pat-q:s%40crit-w0rd@proxy.example.com:3128";

/// The proxies on the way to the upstream and to the token endpoint.
fn ways(result: Result<Loaded, ConfigProblems>) -> [Option<String>; 2] {
    let config = result
        .unwrap_or_else(|problems| panic!("{problems}"))
        .config;
    let token = config
        .network
        .proxy
        .for_url(&config.token.server().unwrap().0);
    [config.upstream.proxy, token].map(|proxy| proxy.map(|proxy| proxy.to_string()))
}

fn loaded(more: &[(&str, &str)]) -> Result<Loaded, ConfigProblems> {
    load(&Overrides::default(), &with(more))
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "it stands for one of the ways, which may be none"
)]
fn through(proxy: &str) -> Option<String> {
    Some(proxy.to_owned())
}

#[test]
fn the_environments_proxy_applies_to_upstream_and_token_endpoint() {
    for variable in ["HTTPS_PROXY", "https_proxy"] {
        for value in [
            PROXY,
            "proxy.example.com:3128",
            " HTTP://proxy.example.com:3128/ ",
        ] {
            assert_eq!(
                ways(loaded(&[(variable, value)])),
                [through(PROXY), through(PROXY)],
                "{value}"
            );
        }
    }
    let both = loaded(&[
        ("HTTPS_PROXY", ""),
        ("https_proxy", PROXY),
        ("HTTP_PROXY", "http://other"),
    ]);
    assert_eq!(ways(both), [through(PROXY), through(PROXY)]);
    let others = loaded(&[
        ("HTTP_PROXY", PROXY),
        ("ALL_PROXY", PROXY),
        ("http_proxy", PROXY),
    ]);
    assert_eq!(ways(others), [None, None]);
}

#[test]
fn no_proxy_names_what_is_reached_directly() {
    for (list, upstream, token) in [
        ("", true, true),
        ("api.example.com", false, true),
        ("API.Example.COM , other", false, true),
        (".example.com", false, false),
        ("example.com", false, false),
        ("*.example.com", false, false),
        ("*", false, false),
        ("ample.com", true, true),
        ("as.example.com:443", true, false),
        ("as.example.com:8443", true, true),
        ("10.0.0.0/8,::1", true, true),
        ("localhost api.example.com", false, true),
        (
            " localhost ,  api.example.com\tas.example.com ",
            false,
            false,
        ),
        ("api.example.com.", false, true),
        (".example.com.", false, false),
        ("as.example.com.:443", true, false),
        (". , .. :443 []", true, true),
    ] {
        for variable in ["NO_PROXY", "no_proxy"] {
            let found = ways(loaded(&[("HTTPS_PROXY", PROXY), (variable, list)]));
            assert_eq!(found.map(|way| way.is_some()), [upstream, token], "{list}");
        }
    }
}

#[test]
fn no_proxy_names_addresses_networks_and_ports() {
    for (list, host, proxied) in [
        ("192.168.1.0/24", "192.168.1.7", false),
        ("192.168.1.7", "192.168.1.7", false),
        ("192.168.2.0/24", "192.168.1.7", true),
        ("fd00::5", "[fd00::5]", false),
        ("[fd00::5]", "[fd00::5]", false),
        ("FD00:0::5", "[fd00::5]", false),
        ("[fd00::6]", "[fd00::5]", true),
        ("fd00::/8", "[fd00::5]", false),
        ("[fd00::]/8", "[fd00::5]", false),
        ("[fd00::5]:8443", "[fd00::5]", true),
        ("[fd00::5]:8443", "[fd00::5]:8443", false),
        ("[fd00::5]:443", "[fd00::5]", false),
        ("[fd00::5]:x", "[fd00::5]", true),
        ("[fd00::5", "[fd00::5]", true),
        ("as.example.com", "as.example.com.", false),
        ("192.168.1.7:8443", "192.168.1.7:8443", false),
        ("192.168.1.7:8443", "192.168.1.7", true),
    ] {
        let url = format!("https://{host}/token");
        let found = ways(loaded(&[
            ("HTTPS_PROXY", PROXY),
            ("NO_PROXY", list),
            ("CUPBEARER_TOKEN__URL", &url),
        ]));
        assert_eq!(found[1].is_some(), proxied, "{list} {host}");
    }
}

#[test]
fn loopback_and_plain_http_are_never_proxied() {
    for setting in ["system", PROXY] {
        for url in [
            "https://localhost:8443",
            "https://127.0.0.1:8443",
            "https://127.9.9.9",
            "https://[::1]:8443",
            "http://localhost:8080",
        ] {
            let token = format!("{url}/token");
            let found = ways(loaded(&[
                ("HTTPS_PROXY", PROXY),
                ("CUPBEARER_NETWORK__PROXY", setting),
                ("CUPBEARER_UPSTREAM__URL", url),
                ("CUPBEARER_TOKEN__URL", &token),
            ]));
            assert_eq!(found, [None, None], "{setting} {url}");
        }
        let plain = ways(loaded(&[
            ("HTTPS_PROXY", PROXY),
            ("CUPBEARER_NETWORK__PROXY", setting),
            ("CUPBEARER_UPSTREAM__URL", "http://api.example.com"),
            ("CUPBEARER_UPSTREAM__ALLOW_PLAINTEXT", "true"),
        ]));
        assert_eq!(plain, [None, through(PROXY)], "{setting}");
    }
}

#[test]
fn a_url_or_none_overrides_the_environment() {
    let environment = [("HTTPS_PROXY", "http://other"), ("NO_PROXY", "*")];
    let set = |value| loaded(&[&environment[..], &[("CUPBEARER_NETWORK__PROXY", value)]].concat());
    assert_eq!(ways(set(PROXY)), [through(PROXY), through(PROXY)]);
    assert_eq!(ways(set("none")), [None, None]);
    assert_eq!(
        ways(set("http://[2001:db8::1]"))[0],
        through("http://[2001:db8::1]:80")
    );
}

#[test]
fn an_unusable_proxy_is_a_problem_only_where_it_would_be_used() {
    for value in [
        "socks5://proxy:1080",
        "https://proxy:443",
        "http://proxy/wpad.dat",
    ] {
        let problems = loaded(&[("HTTPS_PROXY", value)]).err().unwrap();
        let problem = problems.iter().next().unwrap();
        assert_eq!(
            (&*problem.key, &*problem.source),
            ("network.proxy", "HTTPS_PROXY")
        );
        assert_eq!(
            ways(loaded(&[
                ("HTTPS_PROXY", value),
                ("NO_PROXY", "example.com")
            ])),
            [None, None]
        );
        assert!(
            loaded(&[("CUPBEARER_NETWORK__PROXY", value)]).is_err(),
            "{value}"
        );
    }
    for value in ["sytem", "proxy:3128", "http://", "ftp://proxy"] {
        assert!(
            loaded(&[("CUPBEARER_NETWORK__PROXY", value)]).is_err(),
            "{value}"
        );
    }
}

#[test]
fn user_name_and_password_become_a_header_field_and_are_never_printed() {
    for variable in ["HTTPS_PROXY", "CUPBEARER_NETWORK__PROXY"] {
        let loaded = loaded(&[(variable, WITH_PASSWORD)]).unwrap();

        let proxy = loaded.config.upstream.proxy.as_ref().unwrap();
        // base64 of "pat-q:s@crit-w0rd"
        let header = proxy.authorization().unwrap();
        assert_eq!(header, b"Basic cGF0LXE6c0Bjcml0LXcwcmQ=");
        let printed = format!("{:?} {proxy} {:?}", loaded.config, loaded.effective);
        for secret in ["pat-q", "crit-w0rd", "cGF0LXE6c0Bjcml0LXcwcmQ="] {
            assert!(!printed.contains(secret), "{variable}: {printed}");
        }
        let place = row(&loaded, "network.proxy").place.as_deref();
        assert_eq!(
            place.unwrap(),
            format!("the API through {PROXY}, the token endpoint through {PROXY}")
        );
    }
}

#[test]
fn an_invalid_proxy_with_a_password_is_rejected_without_quoting_it() {
    for value in [
        "https://pat-q:crit-w0rd@proxy",
        "http://pat-q:crit-w0rd@proxy/path",
        "http://pat-q:crit-w0rd@",
        "pat-q:crit-w0rd@proxy",
        "http://pat-q:crit-w0rd@proxy:99999",
        "http://pat-q:crit-w0rd%40proxy:3128",
        "http://pat-q:crit-w0rd\u{ff20}proxy:3128",
        "http://pat-q:crit-w0rd proxy:3128",
        "http://pat-q:crit-w0rd",
        "http://crit-w0rd%40proxy:3128",
        "socks5://pat-q:crit-w0rd",
    ] {
        for variable in ["HTTPS_PROXY", "CUPBEARER_NETWORK__PROXY"] {
            if (variable, value) == ("HTTPS_PROXY", "pat-q:crit-w0rd@proxy") {
                continue; // an address without a scheme is fine there
            }
            let problems = loaded(&[(variable, value)]).err().unwrap();
            let printed = format!(
                "{problems} {problems:?} {}",
                crate::config::network::shown(value)
            );
            assert!(
                !printed.contains("pat-q") && !printed.contains("crit-w0rd"),
                "{printed}"
            );
        }
    }
    let flag = load(&flags(&[("network.proxy", WITH_PASSWORD)]), &with(&[]));
    let said = said(flag);
    assert!(
        said.contains("CUPBEARER_NETWORK__PROXY") && !said.contains("crit"),
        "{said}"
    );
}

#[test]
fn a_client_certificate_needs_both_files_and_https() {
    const CERT: &str = "upstream.client_cert_file = \"/c.pem\"\n";
    const KEY: &str = "upstream.client_key_file = \"/c.key\"\n";
    assert!(complaints(CERT).contains("set upstream.client_key_file too"));
    assert!(complaints(KEY).contains("set upstream.client_cert_file too"));
    assert_eq!(complaints(&format!("{CERT}{KEY}")), "");
    let plain = loaded(&[
        ("CUPBEARER_UPSTREAM__URL", "http://localhost:1"),
        ("CUPBEARER_UPSTREAM__CLIENT_CERT_FILE", "/c.pem"),
        ("CUPBEARER_UPSTREAM__CLIENT_KEY_FILE", "/c.key"),
    ]);
    assert!(said(plain).contains("has no effect"));
}
