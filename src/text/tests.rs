use std::fmt;

use proptest::prelude::*;

use super::*;

const STEERING: &str =
    "\n\t\u{1b}\u{7f}\u{9b}\u{85}\u{202e}\u{2066}\u{200b}\u{200f}\u{61c}\u{feff}\u{e0041}";

#[test]
fn no_policy_lets_a_steering_character_through() {
    assert_eq!(
        sanitize(STEERING, Unprintable::Mark),
        "?".repeat(STEERING.chars().count())
    );
    assert_eq!(
        sanitize(STEERING, Unprintable::Space),
        " ".repeat(STEERING.chars().count())
    );
    assert_eq!(sanitize(STEERING, Unprintable::Remove).trim(), "");
    assert!(sanitize(STEERING, Unprintable::Escape).is_ascii());
    assert_eq!(sanitize("a\u{1b}[2J", Unprintable::Escape), "a\\u{1b}[2J");
    assert_eq!(
        sanitize("\\u{1b}\u{e0100}", Unprintable::Escape),
        "\\\\u{1b}\\u{e0100}"
    );
}

#[test]
fn printable_text_passes_unchanged_under_every_policy() {
    for policy in [
        Unprintable::Mark,
        Unprintable::Space,
        Unprintable::Remove,
        Unprintable::Escape,
    ] {
        assert_eq!(sanitize("/a b\"ü…漢", policy), "/a b\"ü…漢");
    }
}

#[test]
fn lines_stay_lines() {
    assert_eq!(sanitize_lines("a\u{1b}\nb\r\n", Unprintable::Mark), "a?\nb");
}

#[test]
fn an_excerpt_stays_on_one_line_and_steers_nothing() {
    assert_eq!(excerpt(" a\nb\u{1b}[2J\u{202e}c ", 20), "a b [2J c");
    assert_eq!(excerpt("abcdef", 3), "abc…");
}

#[test]
fn what_is_cut_ends_with_an_ellipsis() {
    assert_eq!(shorten(" abcdef ", 3), "abc…");
    assert_eq!(shorten(" äbc ", 3), "äbc");
}

#[test]
fn a_chain_names_each_cause_once_and_looks_into_io_errors() {
    let inner = io::Error::other(Layer("certificate expired", None));
    let outer = Layer("TLS failed", Some(Box::new(inner)));
    assert_eq!(error_chain(&outer), "TLS failed: certificate expired");
    assert_eq!(causes(&outer).count(), 3);
}

#[derive(Debug)]
struct Layer(&'static str, Option<Box<dyn Error + Send + Sync>>);

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Layer {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|cause| cause as _)
    }
}

proptest! {
    #[test]
    fn what_is_shown_of_a_request_is_short_plain_text(value in any::<Vec<u8>>()) {
        let text = quotable(&value);
        prop_assert!(text.len() <= QUOTABLE_BYTES + 3);
        prop_assert!(text.bytes().all(|byte| matches!(byte, 0x20..=0x7e) && !b"\"'\\<>`".contains(&byte)));
    }
}

#[test]
fn everything_before_the_at_sign_of_an_authority_is_cut() {
    for (value, expected) in [
        ("x:KEY@localhost:6749", "...@localhost:6749"),
        ("http://x:KEY@localhost", "http://...@localhost"),
        ("HTTPS://KEY@[::1]", "https://...@[::1]"),
        ("http://x:K/E@Y@localhost/p", "http://...@localhost/p"),
        ("KEY://KEY@localhost", "...@localhost"),
        ("@localhost", "...@localhost"),
        ("http://@", "http://...@"),
        ("http://localhost:1", "http://localhost:1"),
    ] {
        assert_eq!(quotable_authority(value.as_bytes()), expected, "{value}");
    }
    let long = format!("{}:KEY@localhost", "x".repeat(100));
    assert_eq!(quotable_authority(long.as_bytes()), "...@localhost");
}

#[test]
fn a_logged_path_is_ascii_and_cut_between_characters_with_a_mark() {
    assert_eq!(loggable("/a%20b?c\"\\~"), "/a%20b?c\"\\~");
    assert_eq!(
        loggable("/a\u{9b}2J\u{202e}\u{1b}\u{7f}é"),
        "/a%C2%9B2J%E2%80%AE%1B%7F%C3%A9"
    );
    let longest = format!("/{}", "x".repeat(2047));
    assert_eq!(loggable(&longest), longest);
    assert_eq!(loggable(&format!("{longest}y")), format!("{longest}…"));
    let straddling = format!("/{}é", "x".repeat(2046));
    let cut = format!("/{}…", "x".repeat(2046));
    assert_eq!(loggable(&straddling), cut);
}

#[test]
fn a_quoted_value_is_short_and_free_of_control_characters() {
    assert_eq!(quoted("a\u{1b}[2J\n"), "\"a\\u{1b}[2J\\n\"");
    assert_eq!(quoted(&"x".repeat(1000)).chars().count(), 63);
}

#[test]
fn a_quoted_address_shows_no_password_however_its_at_sign_is_written() {
    for text in [
        "https://corp:Pw9sEcReT7x@api.example.com",
        "https://corp:Pw9sEcReT7x%40api.example.com:3128",
        "corp:Pw9sEcReT7x%40api.example.com",
        "https://corp:Pw9sEcReT7x\u{ff20}api.example.com",
        "https://corp:Pw9sEcReT7x",
        "https://corp:Pw9sEcReT7x api.example.com:3128",
        "https://corp:Pw9sEcReT7x/path",
        "//corp:Pw9sEcReT7x",
        "https://corp:5550123456",
    ] {
        assert!(!quoted(text).contains("Pw9"), "{text}");
        assert!(!quoted(text).contains("555"), "{text}");
    }
    for text in [
        "https://api.example.com:99999",
        "https://api.example.com:8443/a:b",
        "https://[::1]:8443",
        "https://[2001:db8::1]/x?y=a:b",
        "GET /a:b",
        "unix:/run/x",
        "localhost:http",
    ] {
        assert_eq!(quoted(text), format!("{text:?}"));
    }
}

#[test]
fn a_path_is_shown_without_the_passwords_of_urls_in_it() {
    for (path, shown) in [
        ("/", "/"),
        ("/users/me@x.example", "/users/me@x.example"),
        ("/@scope/name", "/@scope/name"),
        ("/http://x:KEY@localhost/p", "/http://...@localhost/p"),
        ("/http://KEY@localhost", "/http://...@localhost"),
        ("/http:/x:KEY@localhost/a@b", "/http:/...@localhost/a@b"),
        ("//x:K@Y@localhost//KEY@h", "//...@localhost//...@h"),
        ("/x:KEY@localhost", "/...@localhost"),
        ("/http%3A%2F%2Fx%3AKEY%40host%2Fp", "/...@host%2Fp"),
        ("/a/http%3a%2f%2fKEY%40host", "/a/...@host"),
        ("/https:/KEY@host/p", "/https:/...@host/p"),
        ("/users/me%40x.example", "/users/me%40x.example"),
    ] {
        assert_eq!(without_user_info(path), shown, "{path}");
    }
}

#[test]
fn a_time_that_has_no_date_is_not_shown_as_one() {
    use std::time::Duration;
    let after = |seconds| date_and_time(UNIX_EPOCH + Duration::from_secs(seconds));
    assert_eq!(after(0).as_deref(), Some("1970-01-01T00:00:00Z"));
    assert_eq!(
        after(253_402_300_799).as_deref(),
        Some("9999-12-31T23:59:59Z")
    );
    assert_eq!(after(253_402_300_800), None);
    assert_eq!(after(1 << 60), None);
    assert_eq!(date_and_time(UNIX_EPOCH - Duration::from_secs(1)), None);
}

#[test]
fn one_is_not_plural() {
    assert_eq!(counted(0_usize, "request"), "0 requests");
    assert_eq!(counted(1_u64, "request"), "1 request");
    assert_eq!(counted(2_u16, "request"), "2 requests");
}

#[test]
fn no_text_in_json_of_another_program_steers_a_terminal() {
    let json = r#"{"a":["one\u001b]0;evil\u0007",{"b":"two\nlines\u202e"}],"c":7,"d":18446744073709551615}"#;
    let expected = r#"{"a":["one?]0;evil?",{"b":"two\nlines?"}],"c":7,"d":18446744073709551615}"#;
    let value: Value = printable_json(json).unwrap();
    assert_eq!(value.to_string(), expected);
    assert_eq!(printable_json::<Value>("no"), None);
}
