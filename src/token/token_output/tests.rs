use std::time::UNIX_EPOCH;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::json;

use super::*;

const NOW_S: u64 = 1_800_000_000;
const DEFAULT: Duration = Duration::from_mins(5);

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(NOW_S)
}

fn jwt(exp: impl Into<Value>) -> String {
    let exp = exp.into();
    let part = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    format!(
        "{}.{}.c2ln",
        part(json!({ "alg": "RS256" })),
        part(json!({ "exp": exp }))
    )
}

/// The token, and how many seconds it lives from now on, if it was obtained now.
fn read(output: &str) -> Result<(String, u64), OutputDefect> {
    read_written(output, now())
}

fn read_written(output: &str, written: SystemTime) -> Result<(String, u64), OutputDefect> {
    let found = token_output(output.as_bytes())?;
    let lifetime = found.lifetime(Some(written), now(), DEFAULT)?;
    Ok((found.token, lifetime.as_secs()))
}

#[test]
fn the_token_alone_is_read_with_or_without_the_quotation_marks_of_json() {
    for output in [
        "ya29.token",
        "ya29.token\n",
        "ya29.token\r\n",
        " ya29.token \n\n",
        "\"ya29.token\"\n",
    ] {
        assert_eq!(
            read(output),
            Ok(("ya29.token".to_owned(), 300)),
            "{output:?}"
        );
    }
}

#[test]
fn each_known_form_of_json_is_read_with_its_end() {
    let hour = NOW_S + 3600;
    for (output, seconds) in [
        (
            json!({ "access_token": "t", "token_type": "Bearer", "expires_in": 3600 }),
            3600,
        ),
        (json!({ "access_token": "t", "expires_in": "3600" }), 3600),
        (json!({ "access_token": "t" }), 300),
        // Azure's metadata server.
        (
            json!({ "access_token": "t", "expires_in": "86399", "expires_on": hour.to_string() }),
            3600,
        ),
        (
            json!({ "accessToken": "t", "expires_on": hour, "expiresOn": "2027-01-15 10:00:00.000000" }),
            3600,
        ),
        (
            json!({ "accessToken": "t", "expiresOn": "2027-01-15T09:00:00Z" }),
            3600,
        ),
        // Local time says only whether the token has expired in every zone.
        (
            json!({ "accessToken": "t", "expiresOn": "2027-01-15 10:00:00.000000" }),
            300,
        ),
        (
            json!({ "credential": { "access_token": "t", "token_expiry": "2027-01-15T09:00:00Z" } }),
            3600,
        ),
        (
            json!({ "credential": { "access_token": "t", "token_expiry": "2027-01-15T10:30:00+01:30" } }),
            3600,
        ),
        (
            json!({ "credential": { "access_token": "t", "token_expiry": "2027-01-15T07:00:00-02:00" } }),
            3600,
        ),
        (
            json!({ "kind": "ExecCredential", "status": { "token": "t", "expirationTimestamp": "2027-01-15T09:00:00Z" } }),
            3600,
        ),
        (
            json!({ "kind": "ExecCredential", "status": { "token": "t" } }),
            300,
        ),
    ] {
        assert_eq!(
            read(&output.to_string()),
            Ok(("t".to_owned(), seconds)),
            "{output}"
        );
    }
}

#[test]
fn a_relative_lifetime_counts_from_when_the_output_was_written() {
    let output = r#"{ "access_token": "t", "expires_in": 3600 }"#;
    let written = now() - Duration::from_mins(50);
    assert_eq!(read_written(output, written), Ok(("t".to_owned(), 600)));
    let at = now() - Duration::from_secs(10);
    let written = at - Duration::from_hours(1);
    assert_eq!(
        read_written(output, written),
        Err(OutputDefect::Expired { at })
    );
    // Without an end, a file may be as old as it likes.
    assert_eq!(read_written("t", written), Ok(("t".to_owned(), 300)));
}

#[test]
fn a_local_time_that_is_past_in_every_zone_has_passed() {
    let output = |local: &str| json!({ "accessToken": "t", "expiresOn": local }).to_string();
    assert_eq!(
        read(&output("2027-01-14 20:00:01.000000")),
        Ok(("t".to_owned(), 300))
    );
    assert_eq!(
        read(&output("2027-01-14 20:00:00.000000")),
        Err(OutputDefect::Expired { at: now() })
    );
}

#[test]
fn the_end_of_a_jwt_caps_every_other_one() {
    let token = jwt(NOW_S + 60);
    for output in [
        token.clone(),
        json!({ "access_token": token, "expires_in": 3600 }).to_string(),
        json!({ "accessToken": token, "expires_on": NOW_S + 3600 }).to_string(),
    ] {
        assert_eq!(read(&output), Ok((token.clone(), 60)));
    }
    let output = json!({ "access_token": jwt(NOW_S + 60), "expires_in": 30 });
    assert_eq!(read(&output.to_string()).unwrap().1, 30);
    let at = UNIX_EPOCH + Duration::from_secs(NOW_S - 1);
    assert_eq!(read(&jwt(NOW_S - 1)), Err(OutputDefect::Expired { at }));
    assert_eq!(read(&jwt((NOW_S + 60).to_string())).unwrap().1, 60);
    let quoted = jwt((NOW_S - 1).to_string());
    assert_eq!(read(&quoted), Err(OutputDefect::Expired { at }));
    assert_eq!(read(&jwt("never")), Err(OutputDefect::UnreadableEnd));
}

#[test]
fn an_output_without_a_token_has_a_name_and_a_remedy_and_is_not_quoted() {
    let prompt = "To sign in, use a web browser to open the page https://hunter2.example.com";
    for (output, expected) in [
        ("", OutputDefect::Empty),
        ("\r\n \n", OutputDefect::Empty),
        ("hunter2\nhunter2", OutputDefect::SeveralLines { lines: 2 }),
        (
            "\u{1b}[32mhunter2\u{1b}[0m",
            OutputDefect::ControlCharacters,
        ),
        ("\u{feff}hunter2", OutputDefect::NotText),
        (prompt, OutputDefect::Prose),
        ("Bearer hunter2", OutputDefect::Prose),
        ("{ \"access_token\": \"hunter2", OutputDefect::BrokenJson),
        ("{ \"hunter2\": 1 }", OutputDefect::NoToken),
        ("{ \"access_token\": \"\" }", OutputDefect::NoToken),
        ("{ \"credential\": {} }", OutputDefect::NoToken),
        (
            "{ \"access_token\": \"t\", \"token_type\": \"DPoP\" }",
            OutputDefect::TokenType,
        ),
        (
            "{ \"access_token\": \"t\", \"expires_in\": \"soon\" }",
            OutputDefect::UnreadableEnd,
        ),
        (
            "{ \"access_token\": \"t\", \"expires_in\": -1 }",
            OutputDefect::UnreadableEnd,
        ),
        (
            "{ \"status\": { \"token\": \"t\", \"expirationTimestamp\": \"soon\" } }",
            OutputDefect::UnreadableEnd,
        ),
        (
            "{ \"status\": { \"token\": \"t\", \"expirationTimestamp\": \"1970-01-01T00:00:00+01:00\" } }",
            OutputDefect::UnreadableEnd,
        ),
        ("null", OutputDefect::NoTokenText),
        ("Undefined\n", OutputDefect::NoTokenText),
        ("false", OutputDefect::NoTokenText),
        ("\"null\"", OutputDefect::NoTokenText),
        ("{ \"access_token\": \"null\" }", OutputDefect::NoTokenText),
        ("[]", OutputDefect::NoTokenText),
        ("-", OutputDefect::NoTokenText),
        ("<html></html>", OutputDefect::NoTokenText),
        ("<html>hunter2</html>", OutputDefect::NoTokenText),
        ("[\"hunter2\"]", OutputDefect::NoTokenText),
        (
            "t\u{f6}ken",
            OutputDefect::Unsendable(ResponseDefect::TokenCharacters),
        ),
    ] {
        let defect = read(output).unwrap_err();
        assert_eq!(defect, expected, "{output:?}");
        assert!(!defect.remedy().is_empty());
        assert!(
            !format!("{defect} {defect:?}").contains("hunter2"),
            "{defect:?}"
        );
    }
    assert_eq!(
        check_output(b"\xff\xfet\0", UNIX_EPOCH),
        Err(OutputDefect::NotText)
    );
}

#[test]
fn a_list_is_no_token_and_an_expired_token_is_found_before_it_is_sent() {
    let now = UNIX_EPOCH + Duration::from_secs(2);
    assert_eq!(
        check_output(b"[\"abc\"]", now),
        Err(OutputDefect::NoTokenText)
    );
    assert_eq!(check_output(b"[abc", now), Err(OutputDefect::BrokenJson));
    // {"exp":1}
    let expired = check_output(b"eyJhbGciOiJub25lIn0.eyJleHAiOjF9.s", now);
    assert!(
        matches!(expired, Err(OutputDefect::Expired { .. })),
        "{expired:?}"
    );
    let stated = check_output(br#"{"access_token":"t","expires_in":5}"#, now);
    assert_eq!(stated, Ok(()));
}

#[test]
fn tokens_and_keys_as_services_issue_them_are_accepted() {
    for token in [
        "ya29.a0AfB_byC-x1",
        "eyJhbGciOiJub25lIn0.e30.",
        "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
        "xoxb-17653672481-19874698323-pdFZKVeTuE8sk7oOcHrzqqgy",
        "1|laravel_sanctum_token",
        "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw",
        "NRAK+/==",
        "a%2Fb~c",
        "p@ss!word$1",
        "nullable",
    ] {
        assert_eq!(read(token), Ok((token.to_owned(), 300)));
    }
}

#[test]
fn an_end_in_milliseconds_is_that_end_and_not_one_in_many_years() {
    let end = (NOW_S + 60) * 1000;
    for output in [
        json!({ "access_token": "t", "expires_on": end }).to_string(),
        json!({ "access_token": "t", "expires_on": end.to_string() }).to_string(),
        jwt(end),
    ] {
        assert_eq!(read(&output).unwrap().1, 60, "{output}");
    }
}
