use super::*;

#[test]
fn only_what_concerns_the_person_is_a_denial() {
    for (error, is_denied) in [
        ("access_denied", true),
        ("login_required", true),
        ("consent_required", true),
        ("unauthorized_client", false),
        ("invalid_scope", false),
        ("invalid_request", false),
        ("server_error", false),
    ] {
        let outcome = refusal(error, None, None);
        let expected = format!("the authorization server says: {error}");
        assert_eq!(outcome.problem(), Some(&*expected));
        assert_eq!(outcome.as_str() == "denied", is_denied, "{error}");
    }
}
