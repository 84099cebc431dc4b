use proptest::prelude::*;

use super::*;
use crate::credentials::{stderr_line, without_credentials};

/// Texts with a value, in all forms. `NAME` and `VALUE` stand for them.
const COMPACT: [&str; 26] = [
    "<NAME><![CDATA[VALUE <x> VALUE]]></NAME>",
    r#"{"NAME":"VALUE"}"#,
    r#"{"error":"x","NAME":"VALUE","expires_in":60}"#,
    r#"got {"NAME": "VALUE"} instead"#,
    r#"{"NAME" : "VALUE"}"#,
    r#"{"NAME":["VALUE","VALUE"]}"#,
    r#"{"a":{"NAME":{"value":"VALUE"}}}"#,
    r#"{\"NAME\":\"VALUE\"}"#,
    r#""{\"a\":\"{\\\"NAME\\\":\\\"VALUE\\\"}\"}""#,
    r"{\u0022NAME\u0022\u003a\u0022VALUE\u0022}",
    "{&quot;NAME&quot;:&quot;VALUE&quot;}",
    "{'NAME': 'VALUE'}",
    "{'NAME': b'VALUE'}",
    "{:NAME=>\"VALUE\"}",
    "{NAME:VALUE}",
    "NAME=VALUE",
    "NAME=\"VALUE\"",
    "NAME='VALUE'; it failed",
    "--NAME=VALUE is no option",
    "https://as.example.com/x?NAME=VALUE",
    "https://as.example.com/x?a=b&NAME=VALUE&c=d",
    "POST a=b&NAME=VALUE&c=d",
    "https://as.example.com/x?next=%2Fy%3FNAME%3DVALUE%26c%3Dd",
    "https://as.example.com/x?next=%252Fy%253FNAME%253DVALUE",
    "<NAME>VALUE</NAME>",
    "x[\"NAME\"] = \"VALUE\"",
];

/// The same in the line of a command, where a space may precede any value.
const SPACED: [&str; 14] = [
    "NAME: VALUE",
    "NAME = VALUE",
    "NAME = \"VALUE\"",
    "x[NAME] = VALUE",
    "Config { NAME: \"VALUE\", url: \"x\" }",
    "Config { NAME: Some(\"VALUE\"), url: \"x\" }",
    "unknown option --NAME VALUE",
    "Command '['op', '--NAME', 'VALUE']' returned 1",
    r#"["op","--NAME","VALUE"] failed"#,
    "sent X-NAME: VALUE",
    "sent Authorization: Bearer VALUE",
    "sent 'Authorization: VALUE'",
    r#"sent {"Authorization":"Bearer VALUE"}"#,
    r#"sent {"header":"Bearer VALUE"}"#,
];

const NAMED: [&str; 11] = [
    "Passwd",
    "passphrase",
    "db-pwd",
    "token",
    "access_token",
    "client_secret",
    "clientSecret",
    "PASSWORD",
    "api-key",
    "client_assertion",
    "X_API_KEY",
];

fn line_of(text: &str) -> String {
    stderr_line::last_line(text.as_bytes(), b"").unwrap_or_default()
}

fn written(form: &str, name: &str, value: &str) -> String {
    form.replace("NAME", name).replace("VALUE", value)
}

#[test]
fn a_value_is_cut_however_its_name_and_it_are_written() {
    for name in NAMED {
        for form in COMPACT.iter().chain(&SPACED) {
            let text = written(form, name, "hunter2");
            let line = line_of(&text);
            assert!(
                !line.contains("hunter2") && line.contains(CUT),
                "{text}: {line}"
            );
        }
        for form in COMPACT {
            let text = written(form, name, "hunter2");
            let message = without_credentials(&text);
            assert!(
                !message.contains("hunter2") && message.contains(CUT),
                "{text}: {message}"
            );
        }
    }
}

#[test]
fn what_is_around_a_value_is_still_shown() {
    for (text, expected) in [
        (
            r#"{"access_token":"hunter2","error":"the disk is full"}"#,
            r#"{"access_token":"(cut)","error":"the disk is full"}"#,
        ),
        (
            r#"{"key":7,"error":"the disk is full"}"#,
            r#"{"key":(cut),"error":"the disk is full"}"#,
        ),
        (
            "400 for https://as.example.com/x?a=b&token=hunter2&c=d",
            "400 for https://as.example.com/x?a=b&token=(cut)&c=d",
        ),
        ("<password>hunter2</password>", "<password>(cut)</password>"),
        (
            "key=/etc/x/key.pem is missing",
            "key=/etc/x/key.pem is missing",
        ),
        (
            "token_file=/run/secrets/token is missing",
            "token_file=/run/secrets/token is missing",
        ),
        ("exit code: 1, error=x", "exit code: 1, error=x"),
        ("100%25 of C:\\new are used", "100%25 of C:\\new are used"),
        ("no value: token=", "no value: token="),
    ] {
        assert_eq!(line_of(text), expected);
    }
    for (text, expected) in [
        ("invalid token: expired", "invalid token: expired"),
        ("invalid key = none", "invalid key = none"),
        ("credentials: not found", "credentials: not found"),
        (r#"{"token": "hunter2"}"#, r#"{"token": "(cut)"}"#),
    ] {
        assert_eq!(without_credentials(text), expected);
    }
}

#[test]
fn a_value_may_contain_quotes_spaces_and_the_characters_of_its_form() {
    for (text, secret) in [
        (r#"{"password":"correct horse battery"}"#, "horse"),
        (r#"{"password":"correct\"horse battery"}"#, "horse"),
        (r#"{\"password\":\"correct\\\"horse battery\"}"#, "horse"),
        (r#"{"password":"correct horse"#, "horse"),
        ("{'password': 'correct horse'}", "horse"),
        ("password=it'\\''s horse", "s horse"),
        ("password=correct,horse;battery&staple", "horse"),
        (r#"{"password":"/horse"}"#, "horse"),
        ("https://x/?token=/horse&a=b", "horse"),
        ("Config { secret: Some(\"correct horse\") }", "horse"),
        ("Authorization: Custom horse", "horse"),
        ("Set-Cookie:sid=horse", "horse"),
        ("Cookie: a=b; x=horse; c=d", "horse"),
        ("unknown option --pass horse", "horse"),
        ("unknown option --passphrase horse", "horse"),
        ("unknown option --jwt horse", "horse"),
        ("password=/horse/cart", "horse"),
        ("<password>/horse/cart</password>", "horse"),
        ("api_key=/horse/cart+", "horse"),
        ("--client-secret=/horse/cart", "horse"),
    ] {
        let line = line_of(text);
        assert!(!line.contains(secret), "{text}: {line}");
    }
}

#[test]
fn a_value_on_a_line_of_its_own_and_one_whose_name_was_cut_off_are_not_shown() {
    for text in ["Password:\nhunter2\n", "\"access_token\":\n  \"hunter2\"\n"] {
        assert!(!line_of(text).contains("hunter2"), "{text}");
    }
    assert_eq!(line_of("it says:\nsign in"), "sign in");
    let long = format!("password={} hunter2", "x".repeat(5000));
    let kept = &long[long.len() - stderr_line::KEPT_BYTES..];
    assert!(line_of(kept).starts_with("(withheld"), "{}", line_of(kept));
}

proptest! {
    #[test]
    fn no_form_shows_the_value_of_any_name(
        form in proptest::sample::select([&COMPACT[..], &SPACED].concat()),
        name in proptest::sample::select(&NAMED[..]),
        value in "[a-z]{3,6}q[a-z]{3,6}|[A-Z]{2}[!_-][a-z]{6}",
    ) {
        let line = line_of(&written(form, name, &value));
        prop_assert!(!line.contains(&value), "{line}");
    }

    #[test]
    fn any_text_can_be_read(text in "\\PC{0,60}|[a-z\"'\\\\=:&%{} -]{0,60}") {
        let _ = line_of(&format!("token{text}"));
        let _ = without_credentials(&format!("\"key\"{text}"));
    }
}
