//! Quantities with units: bytes, bytes per second, cores, temperatures, durations.
//!
//! A quantity is text in a profile (`"1 kB"`, `"20 MB/s"`, `"2 cpus"`, `"250 ms"`) and a plain number
//! in JSON. `Display` is for screens and rounds to three significant figures; `exact` is for saved
//! profiles, and parses back to the same value.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

mod celsius;
mod duration;
mod number;

pub use celsius::Celsius;
pub use duration::{exact_duration, human_duration, parse_duration};
pub use number::{
    group_thousands, has_grouped_thousands, parse_number, separated_digits, split_list,
};

use number::{parse_float, split_number, whole_product};

/// A number of bytes. Text: `"100 B"`, `"1 kB"`, `"1 MiB"`; JSON: a number.
#[derive(
    Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Bytes(pub u64);

/// Bytes per second. Text: `"20 MB/s"`, or in bits `"100 Mbit/s"`; JSON: a number.
#[derive(Debug, Default, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct ByteRate(pub f64);

/// A number of processor cores, not necessarily whole. Text: `"2 cpus"`; JSON: a number.
#[derive(Debug, Default, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Cpus(pub f64);

/// A text that is not the expected quantity; the message says what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {expected}: {reason}")]
pub struct UnitError {
    text: String,
    expected: &'static str,
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
/// Units of bits per second, as used for network links, in bytes per second.
const BIT_UNITS: [(&str, f64); 3] = [("kbit", 125.0), ("Mbit", 125e3), ("Gbit", 125e6)];
const BYTE_UNITS_HINT: &str = "use B, kB, MB, GB, TB (1 kB = 1,000 B) or KiB, MiB, GiB, TiB (1 KiB = 1,024 B), such as \"1.5 MB\"";

impl FromStr for Bytes {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let error = |reason| UnitError { text: text.into(), expected: "a size", reason };
        let (number, unit) = split_number(text).map_err(error)?;
        let factor = byte_factor(unit).map_err(error)?;
        whole_product(number, factor, "bytes").map(Self).map_err(error)
    }
}

impl Bytes {
    /// Formats as text that parses back to exactly this number, in the unit with the shortest text.
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
        f.pad(&format!("{}B", with_si_prefix(self.0 as f64, f.alternate(), true)))
    }
}

impl FromStr for ByteRate {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let error = |reason| UnitError { text: text.into(), expected: "a rate", reason };
        let per_second = text
            .trim()
            .strip_suffix("/s")
            .ok_or_else(|| error("write bytes per second, such as \"20 MB/s\"".into()))?;
        let (number, unit) = split_number(per_second).map_err(error)?;
        let bits = BIT_UNITS.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor);
        let factor = match bits {
            Some(factor) => factor,
            None => byte_factor(unit).map_err(error)? as f64,
        };
        parse_float(number).map(|value| Self(value * factor)).map_err(error)
    }
}

impl ByteRate {
    /// Formats as text that parses back to exactly this number, in the unit with the shortest text.
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
        f.pad(&format!("{}B/s", with_si_prefix(self.0, f.alternate(), false)))
    }
}

impl FromStr for Cpus {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let error = |reason: &str| UnitError {
            text: text.into(),
            expected: "a number of processor cores",
            reason: reason.into(),
        };
        let (number, unit) = split_number(text).map_err(|reason| error(&reason))?;
        match unit {
            "cpu" | "cpus" => parse_float(number).map(Self).map_err(|reason| error(&reason)),
            _ => Err(error("write \"1 cpu\", \"2 cpus\" or \"0.5 cpus\"")),
        }
    }
}

impl Cpus {
    /// Formats as text that parses back to exactly this number.
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

/// Formats `value` with three significant figures; `padded` keeps trailing zeros (`1.50`), so that a
/// number on a screen does not change its width.
fn three_figures(value: f64, padded: bool) -> String {
    if !value.is_finite() {
        return "–".into();
    }
    let decimals = match value.abs() {
        v if v >= 99.95 => 0,
        v if v >= 9.995 => 1,
        v if v >= 0.9995 || padded => 2,
        0.0 => 0,
        // Below one, significant figures count from the first non-zero digit.
        v => (2 - v.log10().floor() as i32).clamp(2, 12) as usize,
    };
    let text = format!("{value:.decimals$}");
    if padded || !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Formats `value` with an SI prefix, ready for the unit: `1.5 k`.
fn with_si_prefix(value: f64, padded: bool, whole: bool) -> String {
    const PREFIXES: [&str; 7] = ["", "k", "M", "G", "T", "P", "E"];
    let mut scaled = value;
    let mut prefix = 0;
    // A value that would round up to 1000 belongs to the next prefix.
    while scaled.abs() >= 999.5 && prefix + 1 < PREFIXES.len() && scaled.is_finite() {
        scaled /= 1000.0;
        prefix += 1;
    }
    let number =
        if prefix == 0 && whole { format!("{scaled:.0}") } else { three_figures(scaled, padded) };
    format!("{number} {}", PREFIXES[prefix])
}

fn byte_factor(unit: &str) -> Result<u64, String> {
    match BYTE_UNITS.iter().find(|(name, _)| *name == unit) {
        Some((_, factor)) => Ok(*factor),
        None if unit.is_empty() => Err(format!("the unit is missing; {BYTE_UNITS_HINT}")),
        None => Err(format!("the unit {unit:?} is not known; {BYTE_UNITS_HINT}")),
    }
}

/// Serialises a [`Duration`] as seconds, for JSON.
pub mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Serialises seconds as a number.
    pub fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(value.as_secs_f64())
    }

    /// Deserialises seconds from a number that is not negative.
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

    /// Serialises seconds as a number.
    pub fn serialize<S: Serializer>(
        value: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value.map(|duration| duration.as_secs_f64()).serialize(serializer)
    }

    /// Deserialises seconds from a number that is not negative.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        Option::<f64>::deserialize(deserializer)?
            .map(|seconds| Duration::try_from_secs_f64(seconds).map_err(D::Error::custom))
            .transpose()
    }
}
