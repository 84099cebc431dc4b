//! How the API responds to a valid token.

use crate::support::{Connection, Upstream, answer, closed_port};

use super::DoctorFixture;

const HTML: &str = "Content-Type: text/html\r\nServer: nginx\r\n";
const PAGE: &str = "<html><h1>403 Forbidden</h1></html>";

/// An API behind a firewall that rejects everything, or everything but `/docs`, with a web page.
async fn behind_a_firewall(docs_are_open: bool) -> Upstream {
    Upstream::scripted(move |mut connection: Connection| async move {
        while let Some(request) = connection.request().await {
            let open = docs_are_open && request.target == "/docs";
            let bytes = if open {
                answer("200 OK", HTML, "<html>docs</html>")
            } else {
                answer("403 Forbidden", HTML, PAGE)
            };
            connection.write(&bytes).await;
        }
    })
    .await
}

#[tokio::test]
async fn an_environment_that_is_not_connected_is_reported_as_the_precondition() {
    let fixture = DoctorFixture::with(|behaviour| behaviour.connected = false).await;
    let report = fixture.examine().await;
    assert_eq!(report.exit, 1);
    assert_eq!(report.with_outcome("failed"), ["api.answer"]);
    assert!(
        report
            .said("api.answer")
            .contains("the API rejects a valid token")
    );
    assert_eq!(report.steps("api.answer"), [0]);
    assert!(report.all("api.answer").contains("another issuer"));
}

#[tokio::test]
async fn a_firewall_and_an_allow_list_are_told_apart_by_a_public_page() {
    for (docs_are_open, words, other) in [(true, "WAF", "allow list"), (false, "allow list", "WAF")]
    {
        let api = behind_a_firewall(docs_are_open).await;
        let report = DoctorFixture::open()
            .await
            .before(&api.url())
            .examine()
            .await;
        assert_eq!(report.exit, 1);
        let all = report.all("api.answer");
        assert!(all.contains(words) && !all.contains(other), "{all}");
        assert!(report.steps("api.answer").is_empty());
        let seen = api.seen();
        assert_eq!(seen.len(), 2);
        assert_eq!(
            seen[1].values("authorization").len(),
            0,
            "the open page needs no token"
        );
    }
}

#[tokio::test]
async fn a_response_that_repeats_the_token_is_not_quoted() {
    let api = Upstream::scripted(async |mut connection: Connection| {
        while let Some(request) = connection.request().await {
            let said = format!(
                "{{\"detail\":\"{:?}\"}}",
                request.values("authorization")[0]
            );
            let said = said.replace("\\\"", "").replace("\"\"", "\"");
            connection
                .write(&answer(
                    "403 Forbidden",
                    "Content-Type: application/json\r\n",
                    &said,
                ))
                .await;
        }
    })
    .await;
    let report = DoctorFixture::open()
        .await
        .before(&api.url())
        .examine()
        .await;
    assert!(
        report.said("api.answer").contains("withheld"),
        "{}",
        report.said("api.answer")
    );
}

#[tokio::test]
async fn an_unreachable_api_is_reported_although_the_token_is_valid() {
    let unreachable = format!("http://127.0.0.1:{}", closed_port().await);
    let report = DoctorFixture::open()
        .await
        .before(&unreachable)
        .examine()
        .await;
    assert_eq!(report.exit, 5);
    assert_eq!(report.with_outcome("failed"), ["api.tcp"]);
    assert_eq!(report.outcome("grant"), "ok");
    assert!(report.all("api.tcp").contains("upstream.url"));
}

#[tokio::test]
async fn the_selected_path_and_the_fixed_headers_are_sent_to_the_api() {
    let api = Upstream::answering(answer("204 No Content", "", "")).await;
    let fixture = DoctorFixture::open().await.before(&api.url());
    let fixture = fixture.set("upstream.headers={ X-XSRF-Header = \"PingAccess\" }");
    let said = fixture.run(&["doctor", "--path", "/v3/version"]).await;
    assert_eq!(said.exit, 0, "{}", said.out);
    let seen = api.only_request();
    assert_eq!(
        (seen.method.as_str(), seen.target.as_str()),
        ("GET", "/v3/version")
    );
    assert_eq!(seen.values("x-xsrf-header"), ["PingAccess"]);
    assert_eq!(seen.values("authorization").len(), 1);
}
