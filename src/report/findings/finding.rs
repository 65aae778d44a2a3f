//! A finding of the study and its ruling.

/// Ruling of the records on a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ruling {
    /// The intervals agree with the finding.
    Confirmed,
    /// The intervals disagree with the finding.
    Contradicted,
    /// Not measured, or not precisely enough.
    Undecidable,
}

impl Ruling {
    /// Returns the ruling as text.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Contradicted => "contradicted",
            Self::Undecidable => "not decidable",
        }
    }

    /// Combines two rulings: both must confirm, and either contradicts.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Contradicted, _) | (_, Self::Contradicted) => Self::Contradicted,
            (Self::Confirmed, Self::Confirmed) => Self::Confirmed,
            _ => Self::Undecidable,
        }
    }

    /// Returns the ruling of one piece of evidence; `None` when it neither agrees nor disagrees.
    pub const fn from_agreement(agrees: Option<bool>) -> Self {
        match agrees {
            Some(true) => Self::Confirmed,
            Some(false) => Self::Contradicted,
            None => Self::Undecidable,
        }
    }
}

/// Finding of the study with its ruling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StudyFinding {
    /// Statement of the study.
    pub claim: &'static str,
    /// Numeric criterion for the statement.
    pub meaning: &'static str,
    /// Ruling of the records.
    pub ruling: Ruling,
    /// Numbers that support the ruling.
    pub evidence: Vec<String>,
}
