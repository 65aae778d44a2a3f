//! The study's findings, and what a record says of each: confirmed, contradicted, or not decidable
//! by it, with the numbers and intervals that say so.
//!
//! A finding is confirmed only when the whole 95 % interval agrees with it, and contradicted only
//! when the whole interval disagrees. "About", "much" and "hardly" are made numbers here, in the
//! finding's own text, so that a reader can disagree.

mod evidence;
mod latency;
mod load;

use super::cells::Cells;

/// What a record says of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ruling {
    /// The intervals agree with it.
    Confirmed,
    /// The intervals disagree with it.
    Contradicted,
    /// Not measured, or not surely enough.
    Undecidable,
}

impl Ruling {
    /// In words.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Contradicted => "contradicted",
            Self::Undecidable => "not decidable",
        }
    }

    /// Both must hold.
    const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Contradicted, _) | (_, Self::Contradicted) => Self::Contradicted,
            (Self::Confirmed, Self::Confirmed) => Self::Confirmed,
            _ => Self::Undecidable,
        }
    }

    const fn from(agrees: Option<bool>) -> Self {
        match agrees {
            Some(true) => Self::Confirmed,
            Some(false) => Self::Contradicted,
            None => Self::Undecidable,
        }
    }
}

/// A finding of the study, judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What the study found.
    pub claim: &'static str,
    /// How its words were made numbers.
    pub meaning: &'static str,
    /// What the records say.
    pub ruling: Ruling,
    /// The numbers behind it.
    pub evidence: Vec<String>,
}

/// All of the study's findings.
pub fn findings(cells: &Cells<'_>) -> Vec<Finding> {
    let systems = evidence::Systems::of(cells);
    let mut all = latency::findings(&systems);
    all.extend(load::findings(&systems));
    all
}
