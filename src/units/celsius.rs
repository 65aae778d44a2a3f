//! Temperature.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{UnitError, number::split_number};

/// A temperature in thousandths of a degree Celsius, as reported by the kernel. Text: `"60 C"` or
/// `"60 °C"`; JSON: a number of degrees.
#[derive(
    Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(from = "f64", into = "f64")]
pub struct Celsius(pub i32);

impl Celsius {
    /// The temperature in degrees.
    pub fn degrees(self) -> f64 {
        f64::from(self.0) / 1e3
    }

    /// Formats as text that parses back to exactly this temperature.
    pub fn exact(self) -> String {
        format!("{} C", self.degrees())
    }
}

impl From<f64> for Celsius {
    fn from(degrees: f64) -> Self {
        // A cast from float to integer saturates.
        Self((degrees * 1e3).round() as i32)
    }
}

impl From<Celsius> for f64 {
    fn from(temperature: Celsius) -> Self {
        temperature.degrees()
    }
}

#[cfg(test)]
impl schemars::JsonSchema for Celsius {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Celsius".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "description": "Degrees Celsius.", "type": "number" })
    }
}

impl FromStr for Celsius {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let error =
            |reason: String| UnitError { text: text.into(), expected: "a temperature", reason };
        let trimmed = text.trim();
        let (sign, size) = trimmed.strip_prefix('-').map_or((1.0, trimmed), |size| (-1.0, size));
        let (number, unit) = split_number(size).map_err(error)?;
        if !matches!(unit, "C" | "°C") {
            return Err(error("write degrees Celsius, such as \"60 C\"".into()));
        }
        let degrees = sign * number.parse::<f64>().unwrap_or(f64::NAN);
        if !(-273.15..=1_000.0).contains(&degrees) {
            return Err(error("it must be between -273.15 and 1000 degrees".into()));
        }
        Ok(degrees.into())
    }
}

impl fmt::Display for Celsius {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:.1} °C", self.degrees()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn temperatures_are_parsed_with_their_unit() {
        assert_eq!("60 C".parse(), Ok(Celsius(60_000)));
        assert_eq!(" 62.5°C".parse(), Ok(Celsius(62_500)));
        assert_eq!("-5 °C".parse(), Ok(Celsius(-5_000)));
        for wrong in ["60", "C", "60 F", "warm C", "-300 C", "NaN C", "1e9 C", "1,0 C", "--5 C", ""]
        {
            assert!(wrong.parse::<Celsius>().is_err(), "{wrong}");
        }
        assert_eq!(Celsius(48_312).to_string(), "48.3 °C");
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(milli in -273_150..1_000_000) {
            let temperature = Celsius(milli);
            prop_assert_eq!(temperature.exact().parse(), Ok(temperature));
            let json = serde_json::to_string(&temperature).unwrap();
            prop_assert_eq!(serde_json::from_str::<Celsius>(&json).unwrap(), temperature);
        }

        #[test]
        fn no_text_panics(text: String) {
            let _ = text.parse::<Celsius>();
        }
    }
}
