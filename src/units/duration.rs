//! Durations: parsing, exact text, text for people, and seconds in JSON.

use std::time::Duration;

use super::{
    UnitError,
    number::{separated_digits, split_number, whole_product},
    three_figures,
};

/// Nanoseconds of each unit of a duration with its names, the largest unit first; the first name is
/// the one that is written.
const TIME_UNITS: [(u64, &[&str]); 7] = [
    (86_400_000_000_000, &["d", "day", "days"]),
    (3_600_000_000_000, &["h", "hr", "hrs", "hour", "hours"]),
    (60_000_000_000, &["min", "m", "mins", "minute", "minutes"]),
    (1_000_000_000, &["s", "sec", "secs", "second", "seconds"]),
    (1_000_000, &["ms", "msec", "msecs", "millis", "millisecond", "milliseconds"]),
    (1_000, &["µs", "us", "μs", "usec", "usecs", "micros", "microsecond", "microseconds"]),
    (1, &["ns", "nsec", "nsecs", "nanos", "nanosecond", "nanoseconds"]),
];

/// Nanoseconds of a second.
const NANOS_PER_SECOND: u128 = 1_000_000_000;

/// What a duration may be, for messages.
const ALLOWED: &str = "it must be a number and a unit (us, ms, s, min, h), and cannot be negative";

/// Parses a duration: `"250 ms"`, `"1.5 s"`, `"1 h 30 min"`.
///
/// Each part is a number and a unit, and each unit is smaller than the one before it.
///
/// # Errors
/// When the text is not a duration, is finer than a nanosecond, or has separated digits.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    read(text).map_err(|reason| UnitError { text: text.into(), expected: "a duration", reason })
}

fn read(text: &str) -> Result<Duration, String> {
    let mut rest = text.trim();
    let (mut total, mut last_unit) = (0_u128, None);
    while last_unit.is_none() || !rest.is_empty() {
        let (number, after) = split_number(rest)
            .map_err(|_| separated_digits(rest).unwrap_or_else(|| ALLOWED.into()))?;
        let end = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
        let (name, after) = after.split_at(end);
        let unit = TIME_UNITS.iter().position(|(_, names)| names.contains(&name));
        let unit = unit.ok_or(ALLOWED)?;
        if last_unit.is_some_and(|last| last >= unit) {
            return Err("its units must go from the largest to the smallest, each once".into());
        }
        total += u128::from(whole_product(number, TIME_UNITS[unit].0, "nanoseconds")?);
        (rest, last_unit) = (after.trim_start(), Some(unit));
    }
    let seconds = u64::try_from(total / NANOS_PER_SECOND).map_err(|_| "it is too long")?;
    Ok(Duration::new(seconds, (total % NANOS_PER_SECOND) as u32))
}

/// Formats as text that [`parse_duration`] parses back to exactly this duration, in hours and smaller
/// units.
pub fn exact_duration(duration: Duration) -> String {
    let mut left = duration.as_nanos();
    let mut parts = Vec::new();
    for (nanoseconds, names) in &TIME_UNITS[1..] {
        let count = left / u128::from(*nanoseconds);
        left %= u128::from(*nanoseconds);
        if count > 0 {
            parts.push(format!("{count} {}", names[0]));
        }
    }
    if parts.is_empty() { "0 s".into() } else { parts.join(" ") }
}

/// Formats a duration for display: `250 ms`, `4.5 s`, `4 min 20 s`, `3 h 54 min`.
///
/// Below a minute the text has three significant figures, above a minute two units.
pub fn human_duration(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    // 59.95 s would round to "60 s"; from there on whole seconds are shown beside minutes.
    if seconds < 59.95 {
        return match seconds {
            0.0 => "0 s".into(),
            s if s < 999.5e-9 => format!("{} ns", three_figures(s * 1e9, false)),
            s if s < 999.5e-6 => format!("{} µs", three_figures(s * 1e6, false)),
            s if s < 999.5e-3 => format!("{} ms", three_figures(s * 1e3, false)),
            s => format!("{} s", three_figures(s, false)),
        };
    }
    let whole = seconds.round() as u64;
    let (major, minor, names) = if whole < 3600 {
        (whole / 60, whole % 60, ("min", "s"))
    } else {
        let minutes = (seconds / 60.0).round() as u64;
        if minutes < 48 * 60 {
            (minutes / 60, minutes % 60, ("h", "min"))
        } else {
            let hours = (seconds / 3600.0).round() as u64;
            (hours / 24, hours % 24, ("days", "h"))
        }
    };
    if minor == 0 {
        format!("{major} {}", names.0)
    } else {
        format!("{major} {} {minor} {}", names.0, names.1)
    }
}
