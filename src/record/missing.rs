//! Figures that a kind of repetition has, but that could not be given.

use super::Repetition;

/// Name of the throughput in [`Repetition::missing`].
pub const THROUGHPUT: &str = "throughput";

impl Repetition {
    /// Describes the figures that could not be given: `throughput –: 20 messages in 2 ms: …`.
    pub fn describe_missing(&self) -> impl Iterator<Item = String> {
        self.missing.iter().map(|(name, reason)| format!("{name} –: {reason}"))
    }
}
