//! Durations and sizes as people write them. A bare number is rejected, because its unit is unclear.

use std::time::Duration;

use bytesize::ByteSize;

use super::problems::InvalidValue;
use crate::text::quoted;

/// Longer than any useful setting, and short enough to add to any clock without overflow.
const LONGEST: Duration = Duration::from_hours(365 * 24);

/// Reads `"10s"`, `"500ms"`, `"1h 30m"`.
pub(crate) fn duration(text: &str) -> Result<Duration, InvalidValue> {
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
pub(crate) fn size(text: &str) -> Result<u64, InvalidValue> {
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
mod tests;
