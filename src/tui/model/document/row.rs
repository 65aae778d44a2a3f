//! Row of text with its style.

/// Style of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowStyle {
    /// Plain text.
    Plain,
    /// Heading.
    Heading,
    /// Label of figures.
    Label,
    /// Warning, such as a reason for doubt.
    Warning,
}

/// Row of text.
#[derive(Debug, Clone)]
pub struct DocumentRow {
    /// Style.
    pub style: RowStyle,
    /// Text.
    pub text: String,
}

impl DocumentRow {
    /// Creates a row.
    pub fn new(style: RowStyle, text: impl Into<String>) -> Self {
        Self { style, text: text.into() }
    }

    /// Creates a row of plain text.
    pub fn plain(text: impl Into<String>) -> Self {
        Self::new(RowStyle::Plain, text)
    }

    /// Creates a heading.
    pub fn heading(text: impl Into<String>) -> Self {
        Self::new(RowStyle::Heading, text)
    }

    /// Creates a label of figures.
    pub fn label(text: impl Into<String>) -> Self {
        Self::new(RowStyle::Label, text)
    }

    /// Creates a warning.
    pub fn warning(text: impl Into<String>) -> Self {
        Self::new(RowStyle::Warning, text)
    }

    /// Creates an empty row.
    pub fn empty() -> Self {
        Self::plain("")
    }
}
