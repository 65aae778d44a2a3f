//! Quantities with their units: bytes, bytes per second, cores, temperatures, durations as people
//! write them.
//!
//! Each is text in a profile (`"1 kB"`, `"20 MB/s"`, `"2 cpus"`, `"250 ms"`) and a plain number in
//! JSON. `Display` is for screens and rounds to three significant figures; `exact` is what a saved
//! profile holds, and reads back as the same value.

use std::{fmt, str::FromStr, time::Duration};

use jiff::fmt::friendly::SpanParser;
use serde::{Deserialize, Serialize};

mod celsius;

pub use celsius::Celsius;

/// A number of bytes. Written `"100 B"`, `"1 kB"`, `"1 MiB"` by people, as a plain number in JSON.
#[derive(
    Debug,
    Default,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct Bytes(pub u64);

/// Bytes per second. Written `"20 MB/s"`, or in bits: `"100 Mbit/s"`.
#[derive(
    Debug, Default, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct ByteRate(pub f64);

/// A number of processor cores, not necessarily whole. Written `"2 cpus"`.
#[derive(
    Debug, Default, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct Cpus(pub f64);

/// A text that is not the quantity it should be. The message says what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {wanted}: {reason}")]
pub struct UnitError {
    text: String,
    wanted: &'static str,
    reason: String,
}

/// Units of bytes, the largest first.
const BYTE_UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1_000),
    ("B", 1),
];
/// Units of bits a second, as links are sold; eight bits are a byte.
const BIT_UNITS: [(&str, f64); 3] = [("kbit", 125.0), ("Mbit", 125e3), ("Gbit", 125e6)];
const BYTE_UNITS_ALLOWED: &str = "use B, kB, MB, GB, TB (1 kB = 1,000 B) or KiB, MiB, GiB, TiB (1 KiB = 1,024 B), such as \"1.5 MB\"";

impl FromStr for Bytes {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let error = |reason| UnitError { text: text.into(), wanted: "a size", reason };
        let (number, unit) = number_and_unit(text).map_err(error)?;
        let factor = byte_unit(unit).map_err(error)?;
        whole_product(number, factor).map(Self).map_err(error)
    }
}

impl Bytes {
    /// Text that reads back as exactly this number, in the unit that makes it shortest.
    pub fn exact(self) -> String {
        BYTE_UNITS
            .iter()
            .filter(|(_, factor)| self.0.is_multiple_of(*factor) && (self.0 > 0 || *factor == 1))
            .map(|(unit, factor)| format!("{} {unit}", self.0 / factor))
            .min_by_key(String::len)
            .unwrap_or_else(|| format!("{} B", self.0))
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}B", si(self.0 as f64, f.alternate(), true)))
    }
}

impl FromStr for ByteRate {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let error = |reason| UnitError { text: text.into(), wanted: "a rate", reason };
        let per_second = text
            .trim()
            .strip_suffix("/s")
            .ok_or_else(|| error("write bytes per second, such as \"20 MB/s\"".into()))?;
        let (number, unit) = number_and_unit(per_second).map_err(error)?;
        let bits = BIT_UNITS.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor);
        let factor = match bits {
            Some(factor) => factor,
            None => byte_unit(unit).map_err(error)? as f64,
        };
        float(number).map(|value| Self(value * factor)).map_err(error)
    }
}

impl ByteRate {
    /// Text that reads back as exactly this number, in the unit that makes it shortest.
    pub fn exact(self) -> String {
        BYTE_UNITS
            .iter()
            .map(|(unit, factor)| format!("{} {unit}/s", self.0 / *factor as f64))
            .filter(|text| text.parse() == Ok(self))
            .min_by_key(String::len)
            .unwrap_or_else(|| format!("{} B/s", self.0))
    }
}

impl fmt::Display for ByteRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}B/s", si(self.0, f.alternate(), false)))
    }
}

impl FromStr for Cpus {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let error = |reason: &str| UnitError {
            text: text.into(),
            wanted: "a number of processor cores",
            reason: reason.into(),
        };
        let (number, unit) = number_and_unit(text).map_err(|reason| error(&reason))?;
        match unit {
            "cpu" | "cpus" => float(number).map(Self).map_err(|reason| error(&reason)),
            _ => Err(error("write \"1 cpu\", \"2 cpus\" or \"0.5 cpus\"")),
        }
    }
}

impl Cpus {
    /// Text that reads back as exactly this number.
    pub fn exact(self) -> String {
        format!("{} {}", self.0, self.noun())
    }

    fn noun(self) -> &'static str {
        if self.0.to_bits() == 1.0_f64.to_bits() { "cpu" } else { "cpus" }
    }
}

impl fmt::Display for Cpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{} {}", three_figures(self.0, f.alternate()), self.noun()))
    }
}

/// Reads a duration: `"250 ms"`, `"1.5 s"`, `"1 h 30 min"`.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let allowed = "it must be a number and a unit (us, ms, s, min, h), and cannot be negative";
    SpanParser::new().parse_unsigned_duration(text.trim()).map_err(|_| UnitError {
        text: text.into(),
        wanted: "a duration",
        reason: allowed.into(),
    })
}

/// Units of a duration in nanoseconds, the largest first.
const TIME_UNITS: [(&str, u128); 6] = [
    ("h", 3_600_000_000_000),
    ("min", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("µs", 1_000),
    ("ns", 1),
];

/// Text that [`parse_duration`] reads back as exactly this duration.
pub fn exact_duration(duration: Duration) -> String {
    let mut left = duration.as_nanos();
    let mut parts = Vec::new();
    for (unit, nanoseconds) in TIME_UNITS {
        let count = left / nanoseconds;
        left %= nanoseconds;
        if count > 0 {
            parts.push(format!("{count} {unit}"));
        }
    }
    if parts.is_empty() { "0 s".into() } else { parts.join(" ") }
}

/// A duration for people: `250 ms`, `4.5 s`, `4 min 20 s`, `3 h 54 min`.
///
/// Below a minute it has three significant figures, above it two units.
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

/// A count with its thousands separated: `180,000`.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `value` in three significant figures; `padded` keeps zeros at the end (`1.50`), so that a number
/// on a screen does not move.
fn three_figures(value: f64, padded: bool) -> String {
    if !value.is_finite() {
        return "–".into();
    }
    let decimals = match value.abs() {
        v if v >= 99.95 => 0,
        v if v >= 9.995 => 1,
        v if v >= 0.9995 || padded => 2,
        0.0 => 0,
        // Below one, figures count from the first that is not zero.
        v => (2 - v.log10().floor() as i32).clamp(2, 12) as usize,
    };
    let text = format!("{value:.decimals$}");
    if padded || !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `value` with an SI prefix, ready for the unit: `1.5 k`.
fn si(value: f64, padded: bool, whole: bool) -> String {
    const PREFIXES: [&str; 7] = ["", "k", "M", "G", "T", "P", "E"];
    let mut scaled = value;
    let mut prefix = 0;
    // What would round up to 1000 belongs to the next prefix.
    while scaled.abs() >= 999.5 && prefix + 1 < PREFIXES.len() && scaled.is_finite() {
        scaled /= 1000.0;
        prefix += 1;
    }
    let number =
        if prefix == 0 && whole { format!("{scaled:.0}") } else { three_figures(scaled, padded) };
    format!("{number} {}", PREFIXES[prefix])
}

/// Splits `"1.5 MB"` into `1.5` and `MB`.
fn number_and_unit(text: &str) -> Result<(&str, &str), String> {
    let text = text.trim();
    if text.starts_with('-') {
        return Err("it cannot be negative".into());
    }
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    if !number.starts_with(|c: char| c.is_ascii_digit()) || number.ends_with('.') {
        return Err("it must start with a number such as 100 or 1.5".into());
    }
    Ok((number, unit.trim_start()))
}

fn byte_unit(unit: &str) -> Result<u64, String> {
    match BYTE_UNITS.iter().find(|(name, _)| *name == unit) {
        Some((_, factor)) => Ok(*factor),
        None if unit.is_empty() => Err(format!("the unit is missing; {BYTE_UNITS_ALLOWED}")),
        None => Err(format!("the unit {unit:?} is not known; {BYTE_UNITS_ALLOWED}")),
    }
}

fn float(number: &str) -> Result<f64, String> {
    match number.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ => Err(format!("{number:?} is not a number")),
    }
}

/// `number` × `factor` without rounding; an error when that is no whole number of bytes.
fn whole_product(number: &str, factor: u64) -> Result<u64, String> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let fraction = fraction.trim_end_matches('0');
    let too_large = || format!("it is larger than {} B", grouped(u64::MAX));
    if fraction.contains('.') {
        return Err(format!("{number:?} is not a number"));
    }
    let places = u32::try_from(fraction.len()).map_err(|_| too_large())?;
    let digits: u128 = format!("{whole}{fraction}").parse().map_err(|_| too_large())?;
    let product = digits.checked_mul(factor.into()).ok_or_else(too_large)?;
    let divisor = 10_u128.checked_pow(places).ok_or("it is not a whole number of bytes")?;
    if product % divisor != 0 {
        return Err("it is not a whole number of bytes".into());
    }
    u64::try_from(product / divisor).map_err(|_| too_large())
}

/// Serialises a [`Duration`] as seconds, for JSON.
pub mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Writes seconds as a number.
    pub fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(value.as_secs_f64())
    }

    /// Reads seconds from a number that is not negative.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests;

/// Serialises an optional [`Duration`] as seconds, or `null`.
pub mod optional_seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    /// Writes seconds as a number.
    pub fn serialize<S: Serializer>(
        value: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value.map(|duration| duration.as_secs_f64()).serialize(serializer)
    }

    /// Reads seconds from a number that is not negative.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        Option::<f64>::deserialize(deserializer)?
            .map(|seconds| Duration::try_from_secs_f64(seconds).map_err(D::Error::custom))
            .transpose()
    }
}
