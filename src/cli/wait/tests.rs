use super::*;

#[test]
fn the_exit_code_follows_from_the_reason_and_not_from_the_words_of_the_server() {
    for line in [
        "not ready: token starting: token_refused: 401 invalid_client; correct the credentials",
        "one: not ready: token expired: token_refused: 400; correct the credentials",
    ] {
        assert_eq!(exit_after(line), Exit::Refused, "{line}");
    }
    for line in [
        "not ready: token starting: token_refused (configuration): the secret is empty; correct the credentials",
        "one: not ready: token expired: token_unavailable (configuration): it expired; cupbearer keeps trying",
    ] {
        assert_eq!(exit_after(line), Exit::Configuration, "{line}");
    }
    for line in [
        "not ready: token starting: token_unavailable: 503 token_refused: maintenance; cupbearer keeps trying",
        "not ready: token starting: token_unavailable: token_refused (configuration): x; cupbearer keeps trying",
        "not ready: token starting: token_unavailable; the first attempt is in progress",
        "not ready: stopping",
        "ready: token fresh",
    ] {
        assert_eq!(exit_after(line), Exit::Unreachable, "{line}");
    }
}
