use super::*;

#[test]
fn the_challenge_is_that_of_the_example_in_rfc_7636() {
    let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    assert_eq!(
        challenge(verifier),
        "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    );
}

fn request(issuer: Option<&str>, needs_issuer: bool) -> AuthorizationRequest {
    AuthorizationRequest {
        url: Url::parse("https://as.example.com/authorize").unwrap(),
        verifier: Secret::new("verifier"),
        nonce: None,
        state: "right".to_owned(),
        issuer: issuer.map(str::to_owned),
        needs_issuer,
    }
}

#[test]
fn a_response_counts_only_with_the_state_and_the_issuer_of_the_request() {
    let issuer = "https://as.example.com";
    let cases = [
        (Some(issuer), true, Some("right"), Some(issuer), Ok(())),
        (Some(issuer), false, Some("right"), None, Ok(())),
        (None, false, Some("right"), Some(issuer), Ok(())),
        (
            Some(issuer),
            true,
            Some("right"),
            None,
            Err(ForeignResponse::Issuer),
        ),
        (
            Some(issuer),
            false,
            Some("right"),
            Some("https://evil.example.com"),
            Err(ForeignResponse::Issuer),
        ),
        (
            Some(issuer),
            true,
            Some("wrong"),
            Some(issuer),
            Err(ForeignResponse::State),
        ),
        (
            Some(issuer),
            true,
            Some(""),
            Some(issuer),
            Err(ForeignResponse::State),
        ),
        (
            Some(issuer),
            true,
            None,
            Some(issuer),
            Err(ForeignResponse::State),
        ),
    ];
    for (issuer, needs_issuer, state, iss, expected) in cases {
        let response = AuthorizationResponse {
            state: state.map(str::to_owned),
            issuer: iss.map(str::to_owned),
        };
        assert_eq!(
            request(issuer, needs_issuer).check(&response),
            expected,
            "{state:?} {iss:?}"
        );
    }
}
