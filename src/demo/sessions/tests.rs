use super::*;
use crate::demo::people::person;

const REDIRECT: &str = "http://127.0.0.1:6753/callback";
/// RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

fn code(sessions: &DemoSessions) -> String {
    let signed_in = Consent {
        person: person("ada").unwrap(),
        scope: "openid".to_owned(),
        nonce: None,
    };
    let binding = CodeBinding {
        redirect_url: REDIRECT.to_owned(),
        challenge: CHALLENGE.to_owned(),
    };
    sessions.code(signed_in, binding).unwrap()
}

#[test]
fn a_code_works_once_and_only_with_its_verifier_and_redirect_address() {
    let sessions = DemoSessions::default();
    let other = "http://127.0.0.1:1/callback";
    assert!(
        sessions
            .redeem(&code(&sessions), REDIRECT, "other")
            .is_none()
    );
    assert!(sessions.redeem(&code(&sessions), other, VERIFIER).is_none());
    let code = code(&sessions);
    assert!(sessions.redeem(&code, REDIRECT, VERIFIER).is_some());
    assert!(sessions.redeem(&code, REDIRECT, VERIFIER).is_none());
}

#[test]
fn a_replaced_refresh_token_that_is_used_again_ends_the_session() {
    let sessions = DemoSessions::default();
    let (_, first) = sessions
        .redeem(&code(&sessions), REDIRECT, VERIFIER)
        .unwrap();
    let (_, second) = sessions.rotate(&first).unwrap();
    let (_, third) = sessions.rotate(&second).unwrap();
    assert!(sessions.rotate(&first).is_none());
    assert!(sessions.rotate(&third).is_none());
}

#[test]
fn a_revoked_session_has_ended() {
    let sessions = DemoSessions::default();
    let (_, token) = sessions
        .redeem(&code(&sessions), REDIRECT, VERIFIER)
        .unwrap();
    sessions.revoke(&token);
    assert!(sessions.rotate(&token).is_none());
}
