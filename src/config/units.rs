//! Durations and sizes as people write them. A bare number is refused: 30 of what?

use std::time::Duration;

use bytesize::ByteSize;

use super::problems::{Complaint, quoted};

/// Longer than anything anyone waits for here, short enough to add to any clock without overflow.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Reads `"10s"`, `"500ms"`, `"1h 30m"`.
pub(crate) fn duration(text: &str) -> Result<Duration, Complaint> {
    if is_number(text) {
        return Err((
            format!("{} has no unit", quoted(text)),
            format!("write \"{0}s\" or \"{0}000ms\"", text.trim()),
        )
            .into());
    }
    let read = humantime::parse_duration(text).map_err(|_| {
        (
            format!("{} is not a duration", quoted(text)),
            "write a number and ms, s, m or h, such as \"10s\"",
        )
    })?;
    if read > LONGEST {
        return Err((
            format!("{} is longer than a year", quoted(text)),
            "write a shorter time, such as \"1h\"",
        )
            .into());
    }
    Ok(read)
}

/// Reads `"64KiB"` as a number of bytes.
pub(crate) fn size(text: &str) -> Result<u64, Complaint> {
    if is_number(text) {
        return Err((
            format!("{} has no unit", quoted(text)),
            format!("write \"{0}B\" or \"{0}KiB\"", text.trim()),
        )
            .into());
    }
    let read: ByteSize = text.trim().parse().map_err(|_| {
        (
            format!("{} is not a size", quoted(text)),
            "write a number and B, KiB or MiB, such as \"64KiB\"",
        )
    })?;
    Ok(read.as_u64())
}

fn is_number(text: &str) -> bool {
    text.trim().parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_number_with_a_unit() {
        for (text, milliseconds) in [("10s", 10_000), ("500ms", 500), ("2m", 120_000), ("1h 30m", 5_400_000)] {
            assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "soon", "10 x", "-3s", "999999y", "99999999999999999999s"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_bare_number_is_told_what_to_write() {
        let complaint = duration("30").unwrap_err();
        assert_eq!(complaint.problem, "\"30\" has no unit");
        assert_eq!(complaint.remedy, "write \"30s\" or \"30000ms\"");

        let complaint = size("64").unwrap_err();
        assert_eq!(complaint.remedy, "write \"64B\" or \"64KiB\"");
    }

    #[test]
    fn a_size_is_a_number_with_a_unit() {
        for (text, bytes) in [("64KiB", 65_536), ("1 MiB", 1_048_576), ("10B", 10), ("2kb", 2_000)] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "big", "-1KiB", "3 apples"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
