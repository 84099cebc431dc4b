use super::*;

#[test]
fn a_refusal_is_read_where_the_reason_is_and_not_in_the_words_of_the_server() {
    for line in [
        "not ready: token starting: token_refused: 401 invalid_client; correct the credentials",
        "one: not ready: token expired: token_refused: 400; correct the credentials",
    ] {
        assert!(is_refused(line), "{line}");
    }
    for line in [
        "not ready: token starting: token_unavailable: 503 token_refused: maintenance; cupbearer keeps trying",
        "not ready: token starting: token_unavailable; the first attempt is in progress",
        "not ready: stopping",
        "ready: token fresh",
    ] {
        assert!(!is_refused(line), "{line}");
    }
}
