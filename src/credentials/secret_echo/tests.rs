use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use proptest::prelude::*;

use super::*;

const TOKEN: &str = "eyJhbGciOiJub25lIn0.eyJz dWIi OiJtZSJ9/+==.c2lnbmF0dXJlLW9mLXRoaXM";

fn echo(secret: &str) -> SecretEcho {
    SecretEcho::of(secret.as_bytes())
}

/// Encodes each byte of a text that is ASCII.
fn each_byte(text: &str, encode: fn(u8) -> String) -> String {
    text.bytes()
        .fold(String::new(), |all, byte| all + &encode(byte))
}

fn percent(text: &str) -> String {
    each_byte(text, |byte| format!("%{byte:02x}"))
}

/// One way in which a server may repeat text.
type Encoding = fn(&str) -> String;

const ENCODINGS: [(&str, Encoding); 10] = [
    ("JSON", |text| text.replace('/', "\\/")),
    ("JSON, every character", |text| {
        each_byte(text, |byte| format!("\\u{byte:04X}"))
    }),
    ("percent", percent),
    ("form", |text| {
        form_urlencoded::byte_serialize(text.as_bytes()).collect()
    }),
    ("base64", |text| BASE64_STANDARD.encode(text)),
    ("base64url", |text| BASE64_URL_SAFE_NO_PAD.encode(text)),
    ("base64 in lines", |text| {
        let whole = BASE64_STANDARD.encode(format!("Authorization: Bearer {text}"));
        let lines: Vec<&str> = whole
            .as_bytes()
            .chunks(76)
            .map(|line| std::str::from_utf8(line).unwrap())
            .collect();
        lines.join("\r\n")
    }),
    ("hexadecimal", |text| {
        each_byte(text, |byte| format!("{byte:02x}"))
    }),
    ("HTML", |text| {
        each_byte(text, |byte| format!("&#x{byte:x};"))
    }),
    ("HTML, decimal", |text| {
        each_byte(text, |byte| format!("&#{byte};"))
    }),
];

#[test]
fn a_secret_is_recognized_in_every_encoding_and_in_two_of_them_at_once() {
    let echo = echo(TOKEN);
    for (outer_name, outer) in ENCODINGS {
        assert!(
            echo.is_in(format!("token: {}", outer(TOKEN)).as_bytes()),
            "{outer_name}"
        );
        for (inner_name, inner) in ENCODINGS {
            let text = format!("x{}y", outer(&format!("\"{}\"", inner(TOKEN))));
            assert!(
                echo.is_in(text.as_bytes()),
                "{inner_name} in {outer_name}: {text}"
            );
        }
    }
}

#[test]
fn a_secret_is_recognized_although_all_its_slashes_are_escaped() {
    // No piece of it is free of slashes.
    let secret = "eyJhbGci/OiJub25lIn/0.eyJzdWI/iOiJtZSJ9/c2lnbmF0/dXJlLW9m/LXRoaXM";
    let echo = echo(secret);
    for escaped in [
        r"\/", r"\\/", r"\u002f", r"\x2F", r"\u{2f}", "%2F", "&#47;", "&#x2f;",
    ] {
        let text = format!(
            r#"{{"detail":"no role: {}"}}"#,
            secret.replace('/', escaped)
        );
        assert!(echo.is_in(text.as_bytes()), "{text}");
    }
    assert!(!echo.is_in(br#"{"detail":"eyJhbGci\/ no role"}"#));
}

#[test]
fn a_piece_of_the_secret_counts_and_its_case_does_not() {
    let echo = echo(TOKEN);
    for text in [
        &TOKEN[..40],
        &TOKEN[30..],
        &TOKEN.to_ascii_lowercase(),
        &format!("https://{}.example.com/", &TOKEN[..19]),
    ] {
        assert!(echo.is_in(text.as_bytes()), "{text}");
    }
    for text in [
        "",
        "eyJhbGciOiJ",
        "Access token is missing required scopes.",
        "https://login.example.com/realms/0123abcd-4567-89ab-cdef-0123456789ab/authorize#state",
        "%%%zz\\u00\\x\\&#;&#x;&#99999999999;%ff",
    ] {
        assert!(!echo.is_in(text.as_bytes()), "{text}");
    }
}

#[test]
fn a_short_secret_is_recognized_too() {
    let echo = echo("s3s4m3");
    assert!(echo.is_in(b"no s3s4m3 here"));
    assert!(echo.is_in(BASE64_STANDARD.encode("token=s3s4m3").as_bytes()));
    assert!(!echo.is_in(b"s3s4m"));
}

#[test]
fn a_secret_of_short_words_is_recognized_in_a_form() {
    let echo = echo("one two six ten");
    assert!(echo.is_in(b"client_secret=one+two+six+ten&x=y"));
    assert!(!echo.is_in(b"one-two-six-ten"));
}

proptest! {
    #[test]
    fn no_text_makes_the_search_fail(text in any::<Vec<u8>>(), secret in "[!-~]{1,80}") {
        let echo = echo(&secret);
        let _ = echo.is_in(&text);
        prop_assert!(echo.is_in(secret.as_bytes()));
    }
}

#[test]
fn a_short_secret_is_recognized_in_every_encoding_too() {
    for secret in ["pw7!", "hunter2"] {
        for (name, encode) in ENCODINGS {
            let text = format!("wrong: {} .", encode(secret));
            assert!(echo(secret).is_in(text.as_bytes()), "{secret} in {name}");
        }
    }
    assert!(!echo("hunter2").is_in(b"the client is unknown here, or its secret has expired"));
}

#[test]
fn a_secret_is_recognized_although_its_markup_is_escaped_by_name() {
    // No piece of it is free of markup.
    let secret = r#"aB3dE5fG7h&kL9mN2pQ4<rS6tU8vW0x"yZ1aB3c>dE5f"#;
    let echo = echo(secret);
    let escaped = secret.replace('&', "&amp;").replace('<', "&lt;");
    let escaped = escaped.replace('>', "&gt;").replace('"', "&quot;");
    for text in [
        &escaped,
        &escaped.replace(';', ""),
        &escaped.replace('&', "&amp;"),
        &escaped.to_ascii_uppercase(),
        &secret
            .replace('&', "\\046")
            .replace('<', "\\074")
            .replace('"', "\\\""),
        &secret.replace('&', "\\&").replace('<', "\\<"),
        &secret.replace('&', "&#38").replace('<', "&#x3c"),
    ] {
        assert!(
            echo.is_in(format!("Invalid client secret: {text}").as_bytes()),
            "{text}"
        );
    }
}

#[test]
fn a_secret_is_recognized_in_lists_of_its_bytes_and_in_base32() {
    let secret = "aB3dE5fG7h&kL9mN2pQ4";
    let echo = echo(secret);
    let list = |between: &str, encode: fn(u8) -> String| {
        let bytes: Vec<String> = secret.bytes().map(encode).collect();
        bytes.join(between)
    };
    for text in [
        list(":", |byte| format!("{byte:02x}")),
        list(" ", |byte| format!("{byte:02X}")),
        list(", ", |byte| format!("0x{byte:02x}")),
        list(", ", |byte| byte.to_string()),
        // `base32 <<<` of GNU coreutils
        "MFBDGZCFGVTEON3IEZVUYOLNJYZHAUJU".to_owned(),
        "xMFBDGZCFGVTEON3IEZVUYOLNJYZHAUJU".to_owned(),
    ] {
        assert!(echo.is_in(format!("secret [{text}]").as_bytes()), "{text}");
    }
    assert!(!echo.is_in(b"at 12:30:45, 12 of 20 attempts; MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U"));
}

#[test]
fn a_secret_is_recognized_without_the_characters_that_no_one_sees() {
    let secret = "aB3dE5\u{ad}fG7hkL9\u{200b}mN2pQ4\u{ad}rS6tU8";
    let echo = echo(secret);
    let shown: String = secret.chars().filter(char::is_ascii).collect();
    assert!(echo.is_in(shown.as_bytes()));
    assert!(echo.is_in(secret.as_bytes()));
}

#[test]
fn a_secret_is_recognized_in_groups_of_digits_and_in_base64_with_escaped_line_breaks() {
    let secret = "aB3dE5fG7h&kL9mN2pQ4rS6tU8vW0x";
    let echo = echo(secret);
    let digits: Vec<String> = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let digits = digits.concat();
    let grouped = |text: &str, size: usize, between: &str| {
        let groups = text.as_bytes().chunks(size).map(String::from_utf8_lossy);
        groups.collect::<Vec<_>>().join(between)
    };
    // `base64 <<<` of GNU coreutils
    let base64 = "YUIzZEU1Zkc3aCZrTDltTjJwUTRyUzZ0VTh2VzB4";
    for text in [
        grouped(&digits, 4, " "),
        grouped(&digits, 8, " "),
        grouped(&digits, 8, ", "),
        grouped(&digits, 12, ":"),
        grouped(&digits, 8, "\n"),
        grouped(&digits, 8, "\\n"),
        grouped(base64, 10, "\r\n"),
        grouped(base64, 10, "\\n"),
        grouped(base64, 10, "\\r\\n"),
    ] {
        assert!(echo.is_in(format!("bad: {text}").as_bytes()), "{text}");
    }
    assert!(!echo.is_in(b"at 12:30:45, 2026-11-30, added 403 bad dead beef cafe 1234 5678"));
}

#[test]
fn a_secret_is_recognized_although_its_signs_are_escaped_by_name() {
    for (sign, names) in [
        ('!', &["excl"][..]),
        ('#', &["num"]),
        ('$', &["dollar"]),
        ('%', &["percnt"]),
        ('(', &["lpar"]),
        (')', &["rpar"]),
        ('*', &["ast", "midast"]),
        ('+', &["plus"]),
        (',', &["comma"]),
        ('.', &["period"]),
        ('/', &["sol"]),
        (':', &["colon"]),
        (';', &["semi"]),
        ('=', &["equals"]),
        ('?', &["quest"]),
        ('@', &["commat"]),
        ('[', &["lsqb", "lbrack"]),
        ('\\', &["bsol"]),
        (']', &["rsqb", "rbrack"]),
        ('^', &["Hat"]),
        ('_', &["lowbar", "UnderBar"]),
        ('`', &["grave", "DiacriticalGrave"]),
        ('{', &["lcub", "lbrace"]),
        ('|', &["verbar", "vert", "VerticalLine"]),
        ('}', &["rcub", "rbrace"]),
    ] {
        // No piece of it is free of the sign.
        let secret = format!("Passw0rd{sign}Passw1rd{sign}Passw2rd");
        let echo = echo(&secret);
        for name in names {
            let text = secret.replace(sign, &format!("&{name};"));
            let nested = text.replace('&', "&amp;");
            for text in [&text, &nested, &text.to_ascii_uppercase()] {
                let page = format!("<title>{text}</title>");
                assert!(echo.is_in(page.as_bytes()), "{page}");
            }
        }
    }
}
