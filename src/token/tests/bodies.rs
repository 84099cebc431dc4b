//! How much of a response's body is read, and what may stand in it.

use super::endpoint::{Act, ScriptedEndpoint, client, config};
use super::scene::client_secret;
use crate::config::ClientAuth;
use crate::credentials::Secret;
use crate::token::grant::Grant;
use crate::token::grant_error::GrantError;
use crate::token::response::AccessToken;
use crate::token::response_error::ResponseDefect;

/// The longest body that is read.
const LONGEST: usize = 1 << 20;

fn head(status: &str, more: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{more}\r\n\r\n")
}

fn of_length(length: usize) -> Act {
    let token = r#"{"access_token":"abc.def","token_type":"Bearer","expires_in":3600}"#;
    let head = head("200 OK", &format!("Content-Length: {length}"));
    let padding = " ".repeat(length - token.len());
    Act::Send(format!("{head}{token}{padding}").into_bytes())
}

async fn outcome(act: Act) -> Result<AccessToken, GrantError> {
    let endpoint = ScriptedEndpoint::new(move |_| act.clone()).await;
    let grant = Grant::new(config(endpoint.url.clone(), ClientAuth::Basic), client());
    grant.exchange(&client_secret(Secret::new("s"))).await
}

#[tokio::test]
async fn a_token_response_may_have_1_mib_and_not_one_byte_more() {
    assert!(outcome(of_length(LONGEST)).await.is_ok());
    let failure = outcome(of_length(LONGEST + 1)).await.err();
    let defect = match failure {
        Some(GrantError::Unusable { defect, .. }) => Some(defect),
        _ => None,
    };
    assert!(matches!(defect, Some(ResponseDefect::TooLong { .. })));
}

#[tokio::test]
async fn an_error_is_read_in_pieces_and_after_white_space() {
    for body in [
        "3\r\n \n \r\n1a\r\n{\"error\":\"invalid_client\"}\r\n0\r\n\r\n",
        "9\r\n{\"error\":\r\n11\r\n\"invalid_client\"}\r\n0\r\n\r\n",
    ] {
        let head = head("401 Unauthorized", "Transfer-Encoding: chunked");
        let failure = outcome(Act::Send((head + body).into_bytes())).await;
        let failure = failure.unwrap_err().chain();
        assert!(failure.contains("invalid_client"), "{failure}");
    }
}

#[tokio::test]
async fn an_endless_error_ends_the_attempt_with_its_status() {
    let head = head("401 Unauthorized", "X-Endless: yes");
    let failure = outcome(Act::Flood((head + "{").into_bytes())).await;
    let failure = failure.unwrap_err().chain();
    assert!(failure.contains("401"), "{failure}");
}
