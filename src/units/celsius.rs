//! A temperature.

use std::{fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use super::UnitError;

/// A temperature in thousandths of a degree Celsius, as the kernel gives it. Written `"60 C"` or
/// `"60 °C"` by people, as a number of degrees in JSON.
#[derive(
    Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(from = "f64", into = "f64")]
pub struct Celsius(pub i32);

impl Celsius {
    /// In degrees.
    pub fn degrees(self) -> f64 {
        f64::from(self.0) / 1e3
    }

    /// Text that reads back as exactly this temperature.
    pub fn exact(self) -> String {
        format!("{} C", self.degrees())
    }
}

impl From<f64> for Celsius {
    fn from(degrees: f64) -> Self {
        // A cast of a float stops at the bounds of the whole numbers.
        Self((degrees * 1e3).round() as i32)
    }
}

impl From<Celsius> for f64 {
    fn from(temperature: Celsius) -> Self {
        temperature.degrees()
    }
}

impl JsonSchema for Celsius {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Celsius".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({ "description": "Degrees Celsius.", "type": "number" })
    }
}

impl FromStr for Celsius {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let error = |reason: &str| UnitError {
            text: text.into(),
            wanted: "a temperature",
            reason: reason.into(),
        };
        let number = text
            .trim()
            .strip_suffix('C')
            .map(|rest| rest.strip_suffix('°').unwrap_or(rest).trim_end())
            .ok_or_else(|| error("write degrees Celsius, such as \"60 C\""))?;
        match number.parse::<f64>() {
            Ok(degrees) if (-273.15..=1_000.0).contains(&degrees) => Ok(degrees.into()),
            Ok(_) => Err(error("no hub is that cold or that hot")),
            Err(_) => Err(error("it must start with a number such as 60 or 62.5")),
        }
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
    fn temperatures_are_read_as_people_write_them() {
        assert_eq!("60 C".parse(), Ok(Celsius(60_000)));
        assert_eq!(" 62.5°C".parse(), Ok(Celsius(62_500)));
        assert_eq!("-5 °C".parse(), Ok(Celsius(-5_000)));
        for wrong in ["60", "C", "60 F", "warm C", "-300 C", "NaN C", "1e9 C", ""] {
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
