//! Durations and sizes as people write them. A bare number is rejected, because its unit is unclear. What is proposed
//! instead is accepted.

use std::ops::RangeInclusive;
use std::time::Duration;

use bytesize::ByteSize;

use super::problems::InvalidValue;
use crate::text::quoted;

/// Longer than any useful setting, and short enough to add to any clock without overflow.
const LONGEST: Duration = Duration::from_hours(365 * 24);

/// The units of a duration, the longest first, each with its milliseconds.
const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// Parses `"10s"`, `"500ms"`, `"1h 30m"`, which must be at least `least`.
pub(crate) fn duration(text: &str, least: Duration) -> Result<Duration, InvalidValue> {
    let (problem, remedy) = match with_units(text) {
        Some(read) if read > LONGEST => (
            "is longer than a year",
            "write a shorter time, such as \"1h\"".to_owned(),
        ),
        Some(read) if read < least => (
            "is too short",
            format!("write at least \"{}\"", in_units(least)),
        ),
        Some(read) => return Ok(read),
        None => {
            let problem = if is_number(text) {
                "has no unit"
            } else {
                "is not a duration"
            };
            let proposed = meant_durations(text).into_iter().filter(|proposed| {
                with_units(proposed).is_some_and(|read| {
                    // Rounded down to zero, it would turn off what was only to be short.
                    let is_rounded =
                        read.is_zero() && text.contains(|sign: char| matches!(sign, '1'..='9'));
                    (least..=LONGEST).contains(&read) && !is_rounded
                })
            });
            let example = "write a number and ms, s, m or h, such as \"10s\"";
            (problem, proposal(proposed, example))
        }
    };
    Err((format!("{} {problem}", quoted(text)), remedy).into())
}

fn with_units(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut total = if rest.is_empty() { None } else { Some(0_u64) };
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let after = after.trim_start();
        let end = after.find(|c: char| !c.is_ascii_alphabetic());
        let (unit, after) = after.split_at(end.unwrap_or(after.len()));
        let (_, milliseconds) = UNITS.into_iter().find(|(known, _)| *known == unit)?;
        let part = number.parse::<u64>().ok()?.checked_mul(milliseconds)?;
        total = total?.checked_add(part);
        rest = after.trim_start();
    }
    total.map(Duration::from_millis)
}

/// Whole milliseconds in the longest unit that expresses them.
fn in_units(duration: Duration) -> String {
    let milliseconds = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let fits = |(_, unit): &(&str, u64)| milliseconds.is_multiple_of(*unit);
    let (unit, size) = UNITS.into_iter().find(fits).unwrap_or(("ms", 1));
    format!("{}{unit}", milliseconds / size)
}

/// What someone may have meant by a text that is not a duration: seconds without their unit, another way to write a
/// unit.
fn meant_durations(text: &str) -> Vec<String> {
    if let Ok(seconds) = text.trim().parse::<f64>() {
        let Ok(meant) = Duration::try_from_secs_f64(seconds) else {
            return Vec::new();
        };
        let milliseconds = format!("{}ms", meant.as_millis());
        return if meant.subsec_nanos() == 0 {
            vec![format!("{}s", meant.as_secs()), milliseconds]
        } else {
            vec![milliseconds]
        };
    }
    let other_units = humantime::parse_duration(text).map(in_units);
    std::iter::once(text.to_ascii_lowercase())
        .filter(|lower| with_units(lower).is_some())
        .chain(other_units)
        .take(1)
        .collect()
}

/// Parses `"64KiB"` as a number of bytes within this range.
pub(crate) fn size(text: &str, range: RangeInclusive<u64>) -> Result<u64, InvalidValue> {
    let bytes = |text: &str| {
        let read = text.trim().parse::<ByteSize>();
        read.ok().map(|read| read.as_u64())
    };
    let all = format!(
        "write \"{}KiB\" to \"{}KiB\"",
        range.start() >> 10,
        range.end() >> 10
    );
    let (problem, remedy) = if is_number(text) {
        let number = text.trim();
        let proposed = ["B", "KiB", "MiB"].map(|unit| format!("{number}{unit}"));
        let fitting = proposed
            .into_iter()
            .filter(|proposed| bytes(proposed).is_some_and(|read| range.contains(&read)));
        ("has no unit", proposal(fitting, &all))
    } else {
        match bytes(text) {
            Some(read) if range.contains(&read) => return Ok(read),
            Some(_) => ("is out of range", all),
            None => {
                let example = if range.contains(&(64 << 10)) {
                    64
                } else {
                    range.start() >> 10
                };
                (
                    "is not a size",
                    format!("write a number and B, KiB or MiB, such as \"{example}KiB\""),
                )
            }
        }
    };
    Err((format!("{} {problem}", quoted(text)), remedy).into())
}

/// The first two of these texts as what to write, or else the example.
fn proposal(proposed: impl Iterator<Item = String>, example: &str) -> String {
    let proposed: Vec<String> = proposed.take(2).map(|one| format!("{one:?}")).collect();
    if proposed.is_empty() {
        example.to_owned()
    } else {
        format!("write {}", proposed.join(" or "))
    }
}

fn is_number(text: &str) -> bool {
    text.trim().parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests;
