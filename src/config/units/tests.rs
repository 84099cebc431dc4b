use super::*;
use proptest::prelude::*;

const ANY: Duration = Duration::ZERO;
const SOME: Duration = Duration::from_millis(1);
const SIZES: RangeInclusive<u64> = 0..=16 << 20;

#[test]
fn a_duration_is_a_number_with_a_unit() {
    for (text, milliseconds) in [
        ("10s", 10_000),
        ("500ms", 500),
        ("2m", 120_000),
        ("1h 30m", 5_400_000),
    ] {
        assert_eq!(
            duration(text, ANY),
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
        "11M",
        "1day",
        "2 weeks",
        "5min",
        "1.5s",
        "s",
        "1h30",
    ] {
        assert!(duration(text, ANY).is_err(), "{text}");
    }
}

#[test]
fn a_bare_number_is_rejected_with_what_to_write_instead() {
    let complaint = duration("30", ANY).unwrap_err();
    assert_eq!(complaint.problem, "\"30\" has no unit");
    assert_eq!(complaint.remedy, "write \"30s\" or \"30000ms\"");

    let complaint = size("64", SIZES).unwrap_err();
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
        assert_eq!(size(text, SIZES), Ok(bytes), "{text}");
    }
    for text in ["", "big", "-1KiB", "3 apples"] {
        assert!(size(text, SIZES).is_err(), "{text}");
    }
}

/// The texts in quotation marks.
fn proposed(complaint: &InvalidValue) -> Vec<&str> {
    complaint.remedy.split('"').skip(1).step_by(2).collect()
}

#[test]
fn another_unit_is_translated() {
    for (text, remedy) in [
        ("11M", "write \"11m\""),
        ("10S", "write \"10s\""),
        ("1.5", "write \"1500ms\""),
        ("1day", "write \"24h\""),
        ("5min", "write \"5m\""),
        ("90sec", "write \"90s\""),
        ("0", "write a number and ms, s, m or h, such as \"10s\""),
        ("-3", "write a number and ms, s, m or h, such as \"10s\""),
        ("0ms", "write at least \"1ms\""),
    ] {
        assert_eq!(duration(text, SOME).unwrap_err().remedy, remedy, "{text}");
    }
}

#[test]
fn zero_is_proposed_only_for_zero() {
    const EXAMPLE: &str = "write a number and ms, s, m or h, such as \"10s\"";
    for (text, remedy) in [
        ("10us", EXAMPLE),
        ("0.0001", EXAMPLE),
        ("1e-9", EXAMPLE),
        ("0", "write \"0s\" or \"0ms\""),
        ("0us", "write \"0h\""),
    ] {
        assert_eq!(duration(text, ANY).unwrap_err().remedy, remedy, "{text}");
    }
}

#[test]
fn a_size_is_proposed_only_within_its_range() {
    let complaint = size("64", 8 << 10..=16 << 20).unwrap_err();
    assert_eq!(complaint.remedy, "write \"64KiB\"");
    let complaint = size("1.5", 0..=16 << 20).unwrap_err();
    assert!(complaint.remedy.contains("\"1.5KiB\""), "{complaint:?}");
}

proptest! {
    #[test]
    fn whatever_is_proposed_is_accepted(
        text in "-?[0-9]{0,12}(\\.[0-9]{0,4})?(e[0-9]{1,3})? ?(ms|s|S|m|M|h|H|d|day|us|min|KB|MiB|B|x)?",
        least in prop_oneof![Just(ANY), Just(SOME)],
        smallest in prop_oneof![Just(0_u64), Just(8 << 10)],
    ) {
        if let Err(complaint) = duration(&text, least) {
            for one in proposed(&complaint) {
                prop_assert!(duration(one, least).is_ok(), "{}: {:?}", text, complaint);
            }
        }
        if let Err(complaint) = size(&text, smallest..=16 << 20) {
            for one in proposed(&complaint) {
                prop_assert!(size(one, smallest..=16 << 20).is_ok(), "{}: {:?}", text, complaint);
            }
        }
    }
}
