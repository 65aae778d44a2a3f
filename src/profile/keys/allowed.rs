//! Descriptions of the values that a profile key allows.

use std::fmt;

use crate::units::group_thousands;

/// Values that a profile key allows.
#[derive(Debug, Clone, Copy)]
pub enum AllowedValues {
    /// Described by a text.
    Text(&'static str),
    /// One of these names.
    Names(&'static [&'static str]),
    /// One of these names, or a list of them.
    NameList(&'static [&'static str]),
    /// A whole number between two bounds, both included.
    Integer(u64, u64),
    /// Described by a text that contains bounds.
    Bounded(fn() -> String),
}

impl AllowedValues {
    /// Names of the allowed values; empty if the values have no names.
    pub const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Names(names) | Self::NameList(names) => names,
            Self::Text(_) | Self::Integer(..) | Self::Bounded(_) => &[],
        }
    }
}

/// Formats the values for a message: `a whole number from 1 to 1,000`.
impl fmt::Display for AllowedValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Names(names) => f.write_str(&names.join(", ")),
            Self::NameList(names) => write!(f, "{}, or a list", names.join(", ")),
            Self::Integer(low, high) => write!(
                f,
                "a whole number from {} to {}",
                group_thousands(*low),
                group_thousands(*high)
            ),
            Self::Bounded(text) => f.write_str(&text()),
        }
    }
}
