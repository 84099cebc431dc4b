//! Searches what a user sees for text that Rust formats for programmers (`Debug`).

/// What `Debug` makes of the values that errors contain most often.
const MARKS: [&str; 8] = [
    "Some(",
    "Os { code",
    "Custom { kind",
    "Other(OtherError",
    "InvalidCertificate(",
    "Error { ",
    "Err(",
    "Failure { ",
];

/// The first line with such text. Lines of the most verbose levels are for programmers.
pub(crate) fn debug_text(text: &str) -> Option<&str> {
    let is_verbose = |line: &str| line.contains("TRACE") || line.contains("DEBUG");
    text.lines()
        .find(|line| MARKS.iter().any(|mark| line.contains(mark)) && !is_verbose(line))
}

#[test]
fn the_search_finds_errors_that_are_formatted_for_programmers() {
    for value in [
        format!("{:?}", std::io::Error::from_raw_os_error(2)),
        format!("{:?}", std::io::Error::other("x")),
        format!("failed: {:?}", Some(1)),
    ] {
        assert!(debug_text(&value).is_some(), "{value}");
    }
    assert_eq!(debug_text("DEBUG Some(1)\nINFO request (some)"), None);
}
