use super::*;

const EARLY_HINTS: &str = "HTTP/1.1 103 Early Hints\r\nLink: </s.css>; rel=preload\r\n\r\n";
const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";
const RESPONSE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// What passes of these bytes if each read returns at most `size` of them.
fn passed(bytes: &str, size: usize) -> Result<String, InterimFlood> {
    let mut filter = InterimFilter::default();
    filter.expect_response();
    let mut out = Vec::new();
    for piece in bytes.as_bytes().chunks(size) {
        let mut buffer = [filter.held(), piece].concat();
        let length = filter.filter(&mut buffer)?;
        out.extend_from_slice(&buffer[..length]);
    }
    out.extend_from_slice(filter.held());
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn interim_responses_are_removed_wherever_the_reads_are_split() {
    let cases = [
        (format!("{EARLY_HINTS}{RESPONSE}"), RESPONSE.to_owned()),
        (
            format!("{EARLY_HINTS}{EARLY_HINTS}{RESPONSE}{EARLY_HINTS}"),
            format!("{RESPONSE}{EARLY_HINTS}"),
        ),
        (
            format!("{EARLY_HINTS}{CONTINUE}{CONTINUE}{EARLY_HINTS}{RESPONSE}"),
            format!("{CONTINUE}{RESPONSE}"),
        ),
        (
            format!("\r\n\nHTTP/1.0 102 Processing\nX: y\n\n{RESPONSE}"),
            RESPONSE.to_owned(),
        ),
        (RESPONSE.to_owned(), RESPONSE.to_owned()),
    ];
    for (bytes, expected) in cases {
        for size in 1..=bytes.len() {
            assert_eq!(passed(&bytes, size).as_ref(), Ok(&expected), "{size}");
        }
    }
}

#[test]
fn what_is_no_interim_response_passes_unchanged() {
    for bytes in [
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nraw",
        "HTTP/1.1 1x0 \r\n\r\n",
        "HTTP/1.1 10",
        "\rHTTP/1.1 103 \r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/2 103\r\n\r\n",
    ] {
        for size in 1..=bytes.len() {
            assert_eq!(passed(bytes, size).as_deref(), Ok(bytes), "{size}");
        }
    }
}

#[test]
fn a_hundred_interim_responses_are_accepted_and_no_more() {
    let most = EARLY_HINTS.repeat(100);
    assert_eq!(
        passed(&format!("{most}{RESPONSE}"), 1000).as_deref(),
        Ok(RESPONSE)
    );
    let flood = format!("{most}{EARLY_HINTS}");
    assert_eq!(passed(&flood, 1000), Err(InterimFlood::TooMany));
}

#[test]
fn an_interim_response_without_an_end_and_endless_empty_lines_are_too_long() {
    let endless = format!("HTTP/1.1 103 \r\nLink: {}", "x".repeat(MAX_BYTES));
    for bytes in [endless, "\r\n".repeat(MAX_BYTES)] {
        assert_eq!(passed(&bytes, 4000), Err(InterimFlood::TooLong));
    }
}

#[test]
fn nothing_is_removed_before_a_response_is_expected() {
    let mut filter = InterimFilter::default();
    let mut bytes = EARLY_HINTS.to_owned().into_bytes();
    assert_eq!(filter.filter(&mut bytes), Ok(EARLY_HINTS.len()));
}
