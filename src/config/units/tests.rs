use super::*;

#[test]
fn a_duration_is_a_number_with_a_unit() {
    for (text, milliseconds) in [
        ("10s", 10_000),
        ("500ms", 500),
        ("2m", 120_000),
        ("1h 30m", 5_400_000),
    ] {
        assert_eq!(
            duration(text),
            Ok(Duration::from_millis(milliseconds)),
            "{text}"
        );
    }
    for text in [
        "",
        "soon",
        "10 x",
        "-3s",
        "999999y",
        "99999999999999999999s",
    ] {
        assert!(duration(text).is_err(), "{text}");
    }
}

#[test]
fn a_bare_number_is_rejected_with_what_to_write_instead() {
    let complaint = duration("30").unwrap_err();
    assert_eq!(complaint.problem, "\"30\" has no unit");
    assert_eq!(complaint.remedy, "write \"30s\" or \"30000ms\"");

    let complaint = size("64").unwrap_err();
    assert_eq!(complaint.remedy, "write \"64B\" or \"64KiB\"");
}

#[test]
fn a_size_is_a_number_with_a_unit() {
    for (text, bytes) in [
        ("64KiB", 65_536),
        ("1 MiB", 1_048_576),
        ("10B", 10),
        ("2kb", 2_000),
    ] {
        assert_eq!(size(text), Ok(bytes), "{text}");
    }
    for text in ["", "big", "-1KiB", "3 apples"] {
        assert!(size(text).is_err(), "{text}");
    }
}
