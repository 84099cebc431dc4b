//! Every error of the token endpoint: the step that it points to, or the steps that may be the cause.

use cupbearer::credentials::Secret;
use cupbearer::demo::{AuthMethod, Groups, Resource, TokenReply};
use http::{HeaderValue, StatusCode};

use super::{DoctorFixture, Report};
use crate::support::{Binary, Config, Connection, Upstream, answer, closed_port};

/// Asserts that only the grant failed, and that its remedies name these steps.
fn assert_refused(report: &Report, steps: &[u64]) {
    assert_eq!(report.with_outcome("failed"), ["grant"]);
    assert_eq!(report.exit, 4);
    assert_eq!(report.steps("grant"), steps, "{}", report.all("grant"));
    let is_undecided = report.remedies("grant").len() > 1;
    assert_eq!(report.check("grant")["undecided"], is_undecided);
    assert!(report.said("grant").contains("(correlation id "));
    assert_eq!(
        report.outcome("discovery"),
        "ok",
        "region and environment exist"
    );
    assert_eq!(
        report.outcome("api.tcp"),
        "ok",
        "the API is checked nevertheless"
    );
    assert_eq!(report.outcome("api.answer"), "skipped");
}

#[tokio::test]
async fn an_unknown_client_a_wrong_secret_and_a_disabled_application_cannot_be_told_apart() {
    let unknown = DoctorFixture::open()
        .await
        .set("token.client_id=nobody")
        .examine()
        .await;
    let wrong = DoctorFixture::open()
        .await
        .with_secret("s3cr3t-of-another")
        .examine()
        .await;
    let off = DoctorFixture::with_application(|application| application.on = false).await;
    for report in [unknown, wrong, off.examine().await] {
        assert_refused(&report, &[5, 5, 7]);
    }
}

#[tokio::test]
async fn a_replaced_secret_is_reported_like_a_wrong_one() {
    let fixture = DoctorFixture::with_application(|application| {
        application.secret = Secret::new("the-new-secret-which-nobody-told-us");
    })
    .await;
    let report = fixture.examine().await;
    assert_refused(&report, &[5, 5, 7]);
    assert!(report.all("grant").contains("has been replaced"));
}

#[tokio::test]
async fn another_authentication_method_is_step_5_and_names_the_configured_one() {
    let fixture =
        DoctorFixture::with_application(|application| application.auth = AuthMethod::Post).await;
    let report = fixture.examine().await;
    assert_refused(&report, &[5]);
    assert!(
        report
            .all("grant")
            .contains("Token Endpoint Auth Method is not client_secret_basic")
    );
    assert_eq!(
        fixture.demo.state.token_request_count(),
        1,
        "methods are never probed"
    );
}

#[tokio::test]
async fn metadata_of_another_issuer_fails_if_nothing_else_names_the_token_endpoint() {
    let fixture = DoctorFixture::open().await;
    let path = "/.well-known/openid-configuration";
    let issuer = issuer_with_metadata_at(path, &fixture.demo.token_url).await;
    let fixture = fixture.by_issuer(&format!("{}/", issuer.url()));
    let report = fixture.examine().await;
    assert_eq!(report.with_outcome("failed"), ["discovery", "grant"]);
    assert_eq!(report.exit, 5);
    let said = report.said("discovery");
    let words = format!("is the metadata of the issuer {}, not of ", issuer.url());
    assert!(said.contains(&words), "{said}");
}

#[tokio::test]
async fn a_scope_that_was_not_granted_is_step_6_and_a_misspelled_one_may_be_step_3() {
    let none = DoctorFixture::with_application(|application| application.resources.clear()).await;
    assert_refused(&none.examine().await, &[6]);
    let misspelt = DoctorFixture::open().await.set("token.scope=slef-service");
    let report = misspelt.examine().await;
    assert_refused(&report, &[6, 3]);
    assert!(
        report
            .all("grant")
            .contains("token.scope (slef-service) is misspelled")
    );
}

#[tokio::test]
async fn scopes_of_two_resources_are_step_6_and_need_token_scope() {
    let fixture = DoctorFixture::with_application(|application| {
        application.resources.push(Resource {
            audience: "other".to_owned(),
            scopes: vec!["other".to_owned()],
        });
    })
    .await;
    let report = fixture.examine().await;
    assert_refused(&report, &[6]);
    assert!(
        report
            .all("grant")
            .contains("set token.scope to the scopes of one")
    );
}

#[tokio::test]
async fn a_worker_is_step_4_and_a_missing_grant_type_step_5() {
    let worker = DoctorFixture::with_application(|application| application.worker = true).await;
    assert_refused(&worker.examine().await, &[4]);
    let grant =
        DoctorFixture::with_application(|application| application.client_credentials = false).await;
    let report = grant.examine().await;
    assert_refused(&report, &[5]);
    assert!(
        report
            .all("grant")
            .contains("Grant Type Client Credentials")
    );
}

#[tokio::test]
async fn an_unknown_environment_is_found_without_the_secret() {
    let fixture = DoctorFixture::open().await;
    let other = fixture.demo.token_url.replace(
        fixture.demo.environment_id,
        "00000000-0000-0000-0000-000000000000",
    );
    let report = fixture.asking(&other).examine().await;
    assert_eq!(report.exit, 4);
    assert_eq!(report.with_outcome("failed"), ["discovery", "grant"]);
    assert!(report.said("discovery").contains("answered 404"));
    assert!(
        report
            .all("discovery")
            .contains("00000000-0000-0000-0000-000000000000")
    );
    assert!(report.steps("grant").is_empty());
}

#[tokio::test]
async fn a_web_page_instead_of_a_response_is_due_to_a_proxy_or_a_firewall() {
    for (status, exit) in [(StatusCode::FORBIDDEN, 4), (StatusCode::OK, 5)] {
        let fixture = DoctorFixture::open().await;
        fixture.demo.state.reply_always(TokenReply::html(status));
        let report = fixture.examine().await;
        assert_eq!(report.exit, exit);
        assert_eq!(report.with_outcome("failed"), ["grant"]);
        assert!(report.steps("grant").is_empty());
        let all = report.all("grant");
        assert!(
            all.contains("corporate proxy") && all.contains("(WAF)"),
            "{all}"
        );
        assert!(!all.contains("intercepted"), "a page is not quoted: {all}");
    }
}

#[tokio::test]
async fn a_200_without_a_usable_token_is_exit_code_5_for_doctor_token_and_wait() {
    let json = "application/json";
    for (kind, body) in [
        ("text/html", "<html>"),
        (json, ""),
        (json, "{}"),
        (json, "[]"),
        (json, r#"{"access_token":"t","token_type":"DPoP"}"#),
        (json, r#"{"access_token":"t t","token_type":"Bearer"}"#),
        (
            json,
            r#"{"access_token":"t","token_type":"Bearer","expires_in":-1}"#,
        ),
    ] {
        let fixture = DoctorFixture::open().await;
        let state = &fixture.demo.state;
        state.reply_always(TokenReply::text(StatusCode::OK, kind, body));
        let report = fixture.examine().await;
        assert_eq!(report.exit, 5, "doctor, {body}");
        assert_eq!(report.with_outcome("failed"), ["grant"]);
        assert_eq!(fixture.run(&["token"]).await.exit, 5, "token, {body}");

        let secret = fixture.secret();
        let running = Binary::start(&Config {
            settings: &["admin.listen=127.0.0.1:0"],
            ..fixture.config(&secret)
        })
        .await;
        let fixture = fixture.set(&format!("admin.listen={}", running.admin()));
        let waited = fixture.run(&["wait", "--max", "1ms"]).await;
        assert_eq!(waited.exit, 5, "wait, {body}: {}", waited.err);
    }
}

#[tokio::test]
async fn a_rate_limit_and_a_server_error_are_not_the_fault_of_the_configuration() {
    let limited = DoctorFixture::open().await;
    limited
        .demo
        .state
        .reply_always(TokenReply::limited(Some(HeaderValue::from_static("7"))));
    let report = limited.examine().await;
    assert_eq!(report.exit, 5);
    assert!(report.said("grant").contains("REQUEST_LIMITED"));
    for words in ["wait 7 s", "license", "35 %", "server-sourced traffic"] {
        assert!(report.all("grant").contains(words), "{words}");
    }

    for status in [408, 500, 502, 503, 504] {
        let fixture = DoctorFixture::open().await;
        let status = StatusCode::from_u16(status).unwrap();
        fixture.demo.state.reply_always(TokenReply::trouble(status));
        let report = fixture.examine().await;
        assert_eq!(report.exit, 5, "{status}");
        assert!(
            report
                .all("grant")
                .contains("the configuration is not at fault"),
            "{status}"
        );
    }
}

#[tokio::test]
async fn an_endpoint_that_refuses_connections_or_has_an_unknown_name_fails_at_that_stage() {
    let unreachable_url = format!("http://127.0.0.1:{}/e/as/token", closed_port().await);
    let report = DoctorFixture::open()
        .await
        .asking(&unreachable_url)
        .examine()
        .await;
    assert_eq!(report.exit, 5);
    assert_eq!(report.with_outcome("failed"), ["token_endpoint.tcp"]);
    assert!(
        report
            .said("token_endpoint.tcp")
            .contains("Connection refused")
    );
    let advice = report.all("token_endpoint.tcp");
    assert!(
        advice.contains("start it, or correct the port in token"),
        "{advice}"
    );
    assert!(
        !advice.contains("VPN") && !advice.contains("network.proxy"),
        "{advice}"
    );
    assert_eq!(report.outcome("grant"), "skipped");
    assert_eq!(report.outcome("api.tcp"), "ok");

    let unknown = "http://as.nothing.invalid/e/as/token";
    let fixture = DoctorFixture::open()
        .await
        .asking(unknown)
        .set("token.allow_plaintext=true");
    let report = fixture.examine().await;
    assert_eq!(report.exit, 5);
    assert_eq!(report.with_outcome("failed"), ["token_endpoint.dns"]);
    assert!(
        report
            .said("token_endpoint.dns")
            .contains("as.nothing.invalid")
    );
}

#[tokio::test]
async fn groups_that_are_missing_or_not_an_array_are_step_2_in_the_token_and_at_the_api() {
    let curly = "{\u{201c}dev-tls-admin\u{201d}}".to_owned();
    for (groups, words) in [
        (Groups::Missing, "no claim groups"),
        (
            Groups::Text("{\"dev-tls-admin\"}".to_owned()),
            "entered as plain text",
        ),
        (Groups::Text(curly), "curly quotes"),
        (Groups::Array(Vec::new()), "empty"),
    ] {
        let fixture = DoctorFixture::with(|behaviour| behaviour.groups = groups).await;
        let report = fixture.examine().await;
        assert_eq!(report.exit, 1);
        assert_eq!(
            report.with_outcome("failed"),
            ["token.groups", "api.answer"]
        );
        assert!(
            report.said("token.groups").contains(words),
            "{}",
            report.said("token.groups")
        );
        assert_eq!(report.steps("token.groups"), [2]);
        assert_eq!(report.steps("api.answer"), [2]);
    }
}

#[tokio::test]
async fn an_issuer_without_metadata_is_unreachable_for_token_too() {
    let json = ("Content-Type: application/json\r\n", "{}");
    let page = ("Content-Type: text/html\r\n", "<html>");
    for (status, (kind, body), below) in [
        ("404 Not Found", json, ""),
        ("404 Not Found", page, ""),
        ("403 Forbidden", page, ""),
        ("403 Forbidden", json, ""),
        (
            "404 Not Found",
            json,
            "/0123abcd-4567-89ab-cdef-0123456789ab/as",
        ),
    ] {
        let server = Upstream::answering(answer(status, kind, body)).await;
        let fixture = DoctorFixture::open().await;
        let fixture = fixture.by_issuer(&format!("{}{below}", server.url()));
        let report = fixture.examine().await;
        assert_eq!(report.with_outcome("failed"), ["discovery", "grant"]);
        assert_eq!(report.exit, 5, "{status} {kind} {below}");
        let said = fixture.run(&["token"]).await;
        assert_eq!(said.exit, 5, "{}", said.err);
        assert!(said.err.contains("set token.url instead"), "{}", said.err);
    }
}

/// An issuer whose metadata is at this path only, and contains `token_endpoint` if that is not empty.
async fn issuer_with_metadata_at(path: &'static str, token_endpoint: &str) -> Upstream {
    let endpoint = match token_endpoint {
        "" => String::new(),
        url => format!(", \"token_endpoint\": \"{url}\""),
    };
    Upstream::scripted(move |mut connection: Connection| {
        let endpoint = endpoint.clone();
        async move {
            while let Some(request) = connection.request().await {
                let json = "Content-Type: application/json\r\n";
                let host = request.values("host")[0].to_owned();
                let document = format!("{{\"issuer\": \"http://{host}\"{endpoint}}}");
                let response = if request.target == path {
                    answer("200 OK", json, &document)
                } else {
                    answer("404 Not Found", json, "{}")
                };
                connection.write(&response).await;
            }
        }
    })
    .await
}

#[tokio::test]
async fn either_address_of_the_metadata_suffices() {
    for path in [
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server",
    ] {
        let fixture = DoctorFixture::open().await;
        let issuer = issuer_with_metadata_at(path, &fixture.demo.token_url).await;
        let fixture = fixture.by_issuer(&issuer.url());
        let report = fixture.examine().await;
        assert_eq!(
            report.outcome("discovery"),
            "ok",
            "{}",
            report.said("discovery")
        );
        assert_eq!(report.outcome("grant"), "ok", "{}", report.said("grant"));
    }
}

#[tokio::test]
async fn metadata_without_a_token_endpoint_rejects_no_client() {
    let fixture = DoctorFixture::open().await;
    let issuer = issuer_with_metadata_at("/.well-known/openid-configuration", "").await;
    let fixture = fixture.by_issuer(&issuer.url());
    let report = fixture.examine().await;
    assert_eq!(report.with_outcome("failed"), ["discovery", "grant"]);
    assert_eq!(report.exit, 5);
    assert!(
        report
            .said("discovery")
            .ends_with("names no token_endpoint")
    );
    let said = fixture.run(&["token"]).await;
    assert_eq!(said.exit, 5, "{}", said.err);
}

#[tokio::test]
async fn a_scope_that_was_not_granted_and_a_lifetime_shorter_than_expires_in_are_noted() {
    let fixture = DoctorFixture::with(|behaviour| {
        behaviour.expires_in = cupbearer::demo::ExpiresIn::Says(7200.into());
    })
    .await;
    let report = fixture.set("token.scope=self-service more").examine().await;
    assert_eq!(report.exit, 0);
    assert_eq!(report.outcome("token.scope"), "note");
    assert_eq!(report.steps("token.scope"), [6]);
    assert!(report.said("token.scope").starts_with("more was requested"));
    assert_eq!(report.outcome("token.expiry"), "note");
    assert!(report.said("token.expiry").contains("expires_in says 2h"));
}

#[tokio::test]
async fn an_opaque_token_is_not_a_problem() {
    let fixture = DoctorFixture::open().await;
    let body = r#"{"access_token":"opaque","token_type":"bearer","expires_in":60}"#;
    fixture
        .demo
        .state
        .reply_always(TokenReply::text(StatusCode::OK, "application/json", body));
    let api = Upstream::answering(answer("200 OK", "", "[]")).await;
    let report = fixture.before(&api.url()).examine().await;
    assert_eq!(report.exit, 0);
    assert_eq!(report.outcome("token.form"), "ok");
    assert_eq!(report.outcome("token.groups"), "skipped");
    assert_eq!(
        api.only_request().values("authorization"),
        ["Bearer opaque"]
    );
}
