use super::*;

fn shown(stderr: &str) -> Option<String> {
    last_line(stderr.as_bytes(), b"")
}

#[test]
fn the_last_line_is_shown_on_one_line_and_without_colours() {
    let error = "WARNING: deprecated\n\u{1b}[31mERROR: Please run 'az login' to setup account.\u{1b}[0m\n\n";
    let plain = "ERROR: Please run 'az login' to setup account.";
    assert_eq!(shown(error).as_deref(), Some(plain));
    let url = "open https://microsoft.com/devicelogin and enter the code ABCD12345";
    assert_eq!(shown(url).as_deref(), Some(url));
    let path = "cannot open /home/someone/.azure/msal_token_cache.json";
    assert_eq!(shown(path).as_deref(), Some(path));
    assert_eq!(shown("a\tb\u{7}c").as_deref(), Some("a bc"));
    assert_eq!(shown("\n \n"), None);
    assert_eq!(shown(""), None);
}

#[test]
fn it_is_at_most_two_hundred_characters_long() {
    let long = shown(&"no ".repeat(500)).unwrap();
    assert_eq!(long.trim_end_matches('…').chars().count(), 200);
}

#[test]
fn whatever_looks_like_a_token_is_cut_out() {
    let jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJtZSJ9.c2ln";
    for line in [
        format!("got {jwt}, and it is bad"),
        format!("token={jwt}"),
        format!("{{\"access_token\":\"{jwt}\"}}"),
        format!("https://as.example.com/?code={jwt}&x"),
    ] {
        let shown = shown(&line).unwrap();
        assert!(!shown.contains("eyJ") && shown.contains(CUT), "{shown}");
    }
    for (line, expected) in [
        ("Authorization: Bearer abc", "Authorization: Bearer (cut)"),
        ("password=hunter2", "password=(cut)"),
        ("client_secret:hunter2", "client_secret:(cut)"),
        ("for wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "for (cut)"),
        ("Password: hunter2 is wrong", "Password: (cut) is wrong"),
        ("ya29.a0AfH6SMBx expired", "ya29.a0AfH6SMBx expired"), // 15 characters
        ("ya29.a0AfH6SMBxy expired", "(cut) expired"),
    ] {
        assert_eq!(shown(line).as_deref(), Some(expected));
    }
}

#[test]
fn a_shells_trace_and_a_repetition_of_the_output_are_not_shown() {
    let trace = "login failed\n+ echo hunter2\n++ cat secret";
    assert_eq!(shown(trace).as_deref(), Some("login failed"));
    assert_eq!(shown("+ echo hunter2"), None);
    let repeated = last_line(b"got correct-horse", b"correct-horse\n").unwrap();
    assert!(!repeated.contains("horse"), "{repeated}");
}

#[test]
fn a_short_secret_that_the_command_prints_in_any_form_is_not_shown() {
    for output in [
        r#"{"credential":{"access_token":"tok-7x9"},"expires_in":60}"#,
        "token: tok-7x9\n",
        "TOKEN=tok-7x9",
        "\"tok-7x9\"",
    ] {
        for said in [
            "got tok-7x9 from the cache",
            "got dG9rLTd4OQ== from the cache",
        ] {
            let shown = last_line(said.as_bytes(), output.as_bytes()).unwrap();
            assert!(shown.starts_with("(withheld"), "{output}: {shown}");
        }
        let other = "the access_token expired";
        assert_eq!(
            last_line(other.as_bytes(), output.as_bytes()).as_deref(),
            Some(other)
        );
    }
    let argument = "unknown option --password hunter2";
    assert_eq!(
        shown(argument).as_deref(),
        Some("unknown option --password (cut)")
    );
}

#[test]
fn what_a_name_an_option_or_a_url_gives_away_is_cut_out() {
    for (line, expected) in [
        (
            r#"{"access_token" : "abc"}"#,
            r#"{"access_token" : "(cut)"}"#,
        ),
        ("header X-Api-Key = abc", "header X-Api-Key = (cut)"),
        (
            "sent Authorization Token abc",
            "sent Authorization Token (cut)",
        ),
        (
            "sent Authorization: Token abc now",
            "sent Authorization: Token (cut) now",
        ),
        (
            "cannot access https://bot:correcthorse@git.example.com/a",
            "cannot access https://(cut)@git.example.com/a",
        ),
        (
            "proxies http://a:1/,http://bot:correcthorse@b:2/",
            "proxies http://a:1/,http://(cut)@b:2/",
        ),
        (
            "see https://a.example/?next=https://bot:correcthorse@b.example/c",
            "see https://a.example/?next=https://(cut)@b.example/c",
        ),
        (
            r#"{"url":"https://a/b","proxy":"https://bot:correcthorse@c"}"#,
            r#"{"url":"https://a/b","proxy":"https://(cut)@c"}"#,
        ),
        ("cannot use abc123DEF!456ghi$789JKL#012", "cannot use (cut)"),
        ("the token expired : sign in", "the token expired : sign in"),
        (
            "Authorization failed for user x",
            "Authorization failed for user x",
        ),
    ] {
        assert_eq!(shown(line).as_deref(), Some(expected));
    }
}

#[test]
fn nothing_is_shown_beside_an_output_with_too_many_parts_to_look_for() {
    let shown = |count| last_line(b"it failed", "part ".repeat(count).as_bytes()).unwrap();
    assert_eq!(shown(MOST_VALUES - 1), "it failed");
    assert!(shown(MOST_VALUES).starts_with("(withheld"));
}
