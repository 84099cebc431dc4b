//! Mistakes on this machine: configuration, secret, proxies, the listener.

use std::net::TcpListener;

use super::DoctorFixture;
use crate::support::{Binary, Config, ask, closed_port, get, until};

#[tokio::test]
async fn an_invalid_configuration_is_the_only_check() {
    let fixture = DoctorFixture::open()
        .await
        .set("upstream.head_timeout=30")
        .set("drain=x");
    let report = fixture.examine().await;
    assert_eq!(report.exit, 3);
    assert_eq!(report.checks.len(), 1);
    assert_eq!(report.said("configuration"), "2 problems");
    assert_eq!(report.check("configuration")["undecided"], false);
    let causes = report.remedies("configuration").iter();
    let causes: Vec<_> = causes.map(|way| way["cause"].as_str().unwrap()).collect();
    let [timeout, drain] = causes[..] else {
        panic!("{causes:?}")
    };
    assert!(drain.starts_with("drain (--set) "), "{drain}");
    assert!(timeout.starts_with("upstream.head_timeout (--set) "));
    assert_eq!(fixture.demo.state.token_request_count(), 0);

    let said = fixture.run(&["doctor"]).await;
    for cause in causes {
        let below = said.out.split_once(&format!("\n              {cause}\n"));
        let (_, below) = below.unwrap_or_else(|| panic!("{cause} has no line: {}", said.out));
        assert!(
            below.starts_with("                 remedy: write "),
            "{below}"
        );
    }
}

#[tokio::test]
async fn a_ca_file_without_certificates_is_a_failure_of_the_configuration() {
    let fixture = DoctorFixture::open().await;
    let bundle = fixture.directory.path().join("ca.pem");
    std::fs::write(&bundle, "none").unwrap();
    let report = fixture
        .set(&format!("network.ca_file={}", bundle.display()))
        .examine()
        .await;
    assert_eq!(report.exit, 3);
    let cause = report.remedies("configuration")[0]["cause"].as_str();
    let cause = cause.unwrap();
    assert!(cause.starts_with("network.ca_file (--set) "), "{cause}");
    assert!(cause.contains("contains no PEM certificate"), "{cause}");
}

#[tokio::test]
async fn what_keeps_the_proxy_from_starting_is_a_failure_of_the_doctor_too() {
    let fixture = DoctorFixture::open().await;
    let short = fixture.directory.path().join("short.key");
    std::fs::write(&short, "abc\n").unwrap();
    for (variable, value, cause) in [
        (
            "CUPBEARER_GUARD__CALLERS__CI__KEY__FILE",
            "/does/not/exist",
            "does not exist",
        ),
        (
            "CUPBEARER_GUARD__CALLERS__CI__KEY__FILE",
            short.to_str().unwrap(),
            "guard.callers.ci.key",
        ),
    ] {
        let fixture = DoctorFixture::open().await.variable(variable, value);
        let report = fixture.examine().await;
        assert_eq!(report.exit, 3, "{value}");
        assert_eq!(
            report.check("configuration")["outcome"],
            "failed",
            "{value}"
        );
        let found = report.remedies("configuration")[0]["cause"]
            .as_str()
            .unwrap();
        assert!(found.starts_with("guard.callers.ci.key ("), "{found}");
        assert!(found.contains(cause), "{found}");
        assert_eq!(report.checks.len(), 1);
    }
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let fixture = DoctorFixture::open()
        .await
        .set(&format!("admin.listen={address}"));
    let report = fixture.examine().await;
    assert_eq!(report.exit, 1);
    let said = report.said("listener");
    assert!(
        said.starts_with(&format!("admin.listen: {address} is used by ")),
        "{said}"
    );
}

#[tokio::test]
async fn an_empty_secret_causes_no_token_request_and_the_other_checks_are_made() {
    let fixture = DoctorFixture::open().await.with_secret("");
    let report = fixture.examine().await;
    assert_eq!(report.exit, 3);
    assert_eq!(report.with_outcome("failed"), ["secret"]);
    assert_eq!(report.outcome("grant"), "skipped");
    assert_eq!(report.outcome("discovery"), "ok");
    assert_eq!(fixture.demo.state.token_request_count(), 0);
}

#[tokio::test]
async fn a_secret_that_everyone_can_read_and_a_padded_one_are_noted() {
    use std::os::unix::fs::PermissionsExt;
    let fixture = DoctorFixture::open().await;
    let report = fixture.examine().await;
    assert!(report.said("secret").contains("can be read by every user"));
    assert!(report.all("secret").contains("chmod 600"));

    let fixture = DoctorFixture::open().await;
    let path = fixture.directory.path().join("padded");
    let mut padded = fixture.demo.client_secret.expose().to_vec();
    padded.extend_from_slice(b" \n");
    std::fs::write(&path, padded).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    let file = path.display().to_string();
    let report = fixture
        .variable("CUPBEARER_TOKEN__CLIENT_SECRET__FILE", &file)
        .examine()
        .await;
    assert_eq!(report.outcome("secret"), "note");
    assert!(
        report
            .said("secret")
            .contains("starts or ends with a space")
    );
}

#[tokio::test]
async fn a_proxy_that_curl_would_use_for_localhost_is_noted() {
    let fixture = DoctorFixture::open()
        .await
        .variable("http_proxy", "http://proxy.invalid:1");
    let report = fixture.examine().await;
    assert_eq!((report.exit, report.outcome("no_proxy")), (0, "note"));
    assert!(
        report
            .all("no_proxy")
            .contains("NO_PROXY=localhost,127.0.0.1,::1")
    );
    assert_eq!(
        report.outcome("grant"),
        "ok",
        "requests to loopback never go to a proxy"
    );

    let fixture = fixture.variable("NO_PROXY", "localhost,127.0.0.1");
    assert_eq!(fixture.examine().await.outcome("no_proxy"), "ok");
}

#[tokio::test]
async fn an_unreachable_corporate_proxy_is_named_instead_of_its_target() {
    let proxy = format!("http://corp:pa55word@127.0.0.1:{}", closed_port().await);
    let fixture = DoctorFixture::open()
        .await
        .before("https://api.nothing.invalid");
    let report = fixture.variable("HTTPS_PROXY", &proxy).examine().await;
    assert_eq!(report.exit, 5);
    assert_eq!(report.with_outcome("failed"), ["api.tcp"]);
    assert!(report.all("api.tcp").contains("HTTPS_PROXY"));
    assert!(
        report
            .said("proxy")
            .contains("the API through http://127.0.0.1:")
    );
    for check in &report.checks {
        assert!(!check.to_string().contains("pa55word"), "{check}");
    }
}

#[tokio::test]
async fn a_port_in_use_names_its_program() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap();
    let report = DoctorFixture::open()
        .await
        .set(&format!("listen={taken}"))
        .examine()
        .await;
    assert_eq!(report.exit, 1);
    assert_eq!(report.with_outcome("failed"), ["listener"]);
    let us = format!("(process {})", std::process::id());
    if cfg!(target_os = "linux") {
        assert!(
            report.said("listener").contains(&us),
            "{}",
            report.said("listener")
        );
    }
}

/// A running cupbearer, and the configuration that it runs.
async fn running_cupbearer() -> (Binary, DoctorFixture) {
    let fixture = DoctorFixture::open().await;
    let secret = fixture.secret();
    let running = Binary::start(&Config {
        settings: &["admin.listen=127.0.0.1:0"],
        ..fixture.config(&secret)
    })
    .await;
    let fixture = fixture
        .set(&format!("listen={}", running.address))
        .set(&format!("admin.listen={}", running.admin()));
    (running, fixture)
}

#[tokio::test]
async fn the_cupbearer_of_this_configuration_is_told_from_one_with_another_client_or_guard() {
    let (running, fixture) = running_cupbearer().await;
    let report = fixture.examine().await;
    assert_eq!(report.exit, 0, "{}", report.all("listener"));
    let said = report.said("listener");
    assert!(
        said.starts_with("used by the cupbearer that runs this configuration"),
        "{said}"
    );

    for other in ["token.client_id=another", "guard.read_only=true"] {
        let report = DoctorFixture::open()
            .await
            .like(&fixture)
            .set(other)
            .examine()
            .await;
        let said = report.said("listener");
        assert!(
            said.contains("as another client or with another guard"),
            "{other}: {said}"
        );
    }

    let fixture = fixture.set("name=another");
    let report = fixture.examine().await;
    assert_eq!(report.exit, 1);
    let said = report.said("listener");
    assert!(
        said.contains("used by another cupbearer") && said.contains("which forwards to http://"),
        "{said}"
    );

    assert!(!running.output().contains("host_refused"));
}

#[tokio::test]
async fn the_cupbearer_of_this_configuration_is_recognized_on_a_port_that_the_system_chose() {
    let (_running, fixture) = running_cupbearer().await;
    let fixture = fixture.set("listen=127.0.0.1:0");
    let report = fixture.examine().await;
    let said = report.said("listener");
    let expected = "used by the cupbearer that runs this configuration";
    assert!(said.starts_with(expected), "{said}");
    let other = fixture.set("guard.read_only=true").examine().await;
    assert_eq!(other.with_outcome("failed"), ["listener"]);
}

#[cfg(unix)]
#[tokio::test]
async fn the_cupbearer_of_this_configuration_is_recognized_at_a_unix_admin_socket() {
    let fixture = DoctorFixture::open().await;
    let directory = tempfile::tempdir().unwrap();
    let admin = format!("admin.listen=unix:{}/admin", directory.path().display());
    let secret = fixture.secret();
    let running = Binary::start(&Config {
        settings: &[&admin],
        ..fixture.config(&secret)
    })
    .await;
    let fixture = fixture
        .set(&format!("listen={}", running.address))
        .set(&admin);
    let report = fixture.examine().await;
    let said = report.said("listener");
    let expected = "used by the cupbearer that runs this configuration";
    assert!(said.starts_with(expected), "{said}");
}

#[tokio::test]
async fn asking_who_has_a_port_leaves_no_trace_in_the_cupbearer_that_has_it() {
    let (running, fixture) = running_cupbearer().await;
    let fixture = fixture.set(&format!("admin.listen=127.0.0.1:{}", closed_port().await));
    let report = fixture.examine().await;
    assert_eq!(report.exit, 0);
    assert!(report.with_outcome("note").contains(&"listener"));

    let refused = fixture.run(&["run"]).await;
    assert_eq!(refused.exit, 1);
    assert!(refused.err.contains("another cupbearer"), "{}", refused.err);
    assert!(
        refused
            .err
            .contains("is using the port: stop it, or choose another")
    );
    let status = ask(running.admin(), get("/status")).await.text();
    for said in [running.output(), status] {
        let is_silent = !said.contains("host_refused") && !said.contains("who-holds-this-port");
        assert!(is_silent, "asking who has the port leaves a trace: {said}");
    }
    let foreign = "GET / HTTP/1.1\r\nHost: foreign.example\r\n\r\n".to_owned();
    assert_eq!(ask(running.address, foreign).await.status, 403);
    until("another foreign host is logged", || {
        running.output().contains("host_refused")
    })
    .await;
}
