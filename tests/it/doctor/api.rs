//! How the API responds to a valid token.

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};

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

/// Wants the token alone, in `X-Api-Key`, and repeats it otherwise.
async fn with_an_api_key() -> Upstream {
    Upstream::scripted(async |mut connection: Connection| {
        while let Some(request) = connection.request().await {
            let bytes = match request.values("x-api-key")[..] {
                [key] if key.starts_with("eyJ") => answer("200 OK", "", "{}"),
                [key] => answer("401 Unauthorized", "", &format!(r#"{{"detail":"{key}?"}}"#)),
                _ => answer("403 Forbidden", "", r#"{"detail":"Not authenticated"}"#),
            };
            connection.write(&bytes).await;
        }
    })
    .await
}

#[tokio::test]
async fn the_token_is_tried_in_the_field_and_form_that_are_configured() {
    let api = with_an_api_key().await;
    let open = async || DoctorFixture::open().await.before(&api.url());
    let field = async || open().await.set("token.header=X-Api-Key");
    let right = field().await.set("token.prefix=");
    let report = right.examine().await;
    assert_eq!(
        report.outcome("api.answer"),
        "ok",
        "{}",
        report.all("api.answer")
    );
    assert_eq!(api.only_request().values("authorization"), [""; 0]);

    let report = open().await.examine().await;
    assert!(
        report
            .all("api.answer")
            .contains("something on the way removes Authorization")
    );
    let report = open().await.set("token.header=X-Key").examine().await;
    let said = report.all("api.answer");
    assert!(
        said.contains("something on the way removes X-Key"),
        "{said}"
    );
    assert!(
        said.contains("compare token.header and token.prefix"),
        "{said}"
    );
    let report = field().await.set("token.prefix=Token").examine().await;
    let said = report.all("api.answer");
    assert!(said.contains("it repeats the token"), "{said}");
    assert!(
        said.contains("compare token.header and token.prefix"),
        "{said}"
    );

    let printed = right.run(&["token", "--header"]).await.out;
    assert!(printed.starts_with("X-Api-Key: eyJ"), "{printed}");
}

/// How an API may repeat the token that it was sent.
const ENCODINGS: [fn(&str) -> String; 6] = [
    str::to_owned,
    |text| text.replace('.', "\\u002e").replace('e', "\\u0065"),
    |text| each_byte(text, |byte| format!("%{byte:02X}")),
    |text| BASE64_STANDARD.encode(format!("Bearer {text}")),
    |text| BASE64_URL_SAFE_NO_PAD.encode(text),
    |text| {
        let inner = BASE64_STANDARD.encode(format!("token={text}"));
        each_byte(&inner, |byte| format!("%{byte:02x}"))
    },
];

fn each_byte(text: &str, encode: fn(u8) -> String) -> String {
    text.bytes()
        .fold(String::new(), |all, byte| all + &encode(byte))
}

/// Where the doctor quotes from: the status, the fields and the body of a response that has the text there.
const QUOTED_PLACES: [fn(&str) -> Vec<u8>; 6] = [
    |text| answer("403 Forbidden", JSON, &format!("{{\"detail\":\"{text}\"}}")),
    |text| {
        answer(
            "500 Internal Server Error",
            JSON,
            &format!("{{\"error\":\"no {text}\"}}"),
        )
    },
    |text| answer("302 Found", &format!("Location: /login/{text}\r\n"), ""),
    |text| {
        answer(
            "302 Found",
            &format!("Location: https://a.example/#{text}\r\n"),
            "",
        )
    },
    |text| {
        answer(
            "403 Forbidden",
            &format!("Content-Type: text/html\r\nServer: {text}\r\n"),
            PAGE,
        )
    },
    |text| {
        let ours = "Proxy-Status: cupbearer; error=http_request_error; details=\"bad_request\"\r\n";
        let body = format!("{{\"reason\":\"{text}\",\"detail\":\"{text}\"}}");
        answer("400 Bad Request", &format!("{ours}{JSON}"), &body)
    },
];

const JSON: &str = "Content-Type: application/json\r\n";

/// So many characters of a token in the output count as a leak.
const PIECE: usize = 12;

#[tokio::test]
async fn a_token_that_the_api_repeats_in_any_encoding_is_not_printed() {
    let mut fixture = DoctorFixture::open().await;
    for place in QUOTED_PLACES {
        for (number, encoding) in ENCODINGS.into_iter().enumerate() {
            let repeated = Arc::new(Mutex::new(Vec::new()));
            let seen = Arc::clone(&repeated);
            let api = Upstream::scripted(move |mut connection: Connection| {
                let seen = Arc::clone(&seen);
                async move {
                    while let Some(request) = connection.request().await {
                        let bearer = request.values("authorization").first().copied();
                        let token = bearer.map_or("none", |bearer| &bearer["Bearer ".len()..]);
                        let text = encoding(token);
                        seen.lock()
                            .unwrap()
                            .extend([token.to_owned(), text.clone()]);
                        connection.write(&place(&text)).await;
                    }
                }
            })
            .await;
            fixture = fixture.before(&api.url());
            // Both outputs show the same text.
            let outputs = [&["doctor"][..], &["doctor", "--json"]];
            for arguments in &outputs[usize::from(number > 0)..] {
                let said = fixture.run(arguments).await;
                assert!(said.out.contains("withheld"), "{}", said.out);
                assert_eq!(said.err, "");
                let repeated = std::mem::take(&mut *repeated.lock().unwrap());
                assert!(repeated.len() >= 2, "the API was not asked");
                let pieces = repeated
                    .iter()
                    .flat_map(|text| text.as_bytes().windows(PIECE));
                for piece in pieces {
                    let piece = std::str::from_utf8(piece).unwrap();
                    assert!(!said.out.contains(piece), "{piece} is in:\n{}", said.out);
                }
            }
        }
    }
}

#[tokio::test]
async fn a_response_of_another_cupbearer_is_explained_by_its_reason() {
    for (status, reason, exit, words) in [
        ("508 Loop Detected", "loop", 1, "in a loop of proxies"),
        (
            "401 Unauthorized",
            "caller_unknown",
            1,
            "guard.callers.NAME.uid",
        ),
        (
            "503 Service Unavailable",
            "token_unavailable",
            5,
            "run cupbearer doctor with",
        ),
    ] {
        let fields = format!(
            "Proxy-Status: cupbearer; error=x; details=\"{reason}\"\r\nContent-Type: application/problem+json\r\n"
        );
        let body = format!("{{\"reason\":\"{reason}\",\"detail\":\"What it says.\"}}");
        let api = Upstream::answering(answer(status, &fields, &body)).await;
        let fixture = DoctorFixture::open().await.before(&api.url());
        let report = fixture.examine().await;
        assert_eq!(report.exit, exit, "{reason}");
        assert_eq!(report.with_outcome("failed"), ["api.answer"]);
        let all = report.all("api.answer");
        for words in [
            words,
            "a cupbearer answered, not the API",
            "What it says.",
            "address of the API itself",
        ] {
            assert!(all.contains(words), "{words}: {all}");
        }
        assert!(!all.contains("another authorization server"), "{all}");
        assert!(!all.contains("nothing here needs to change"), "{all}");
    }
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
    assert!(report.all("api.tcp").contains(
        "Start the API, or correct the port in `upstream.url`: nothing is listening there."
    ));
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
