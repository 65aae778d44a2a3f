//! Figures as plain values: what is drawn, in which units, with which whiskers. A screen, an SVG
//! file and a CSV file all draw from these; none of them computes anything.
//!
//! [`study`] holds figures 11 to 20 of the study, [`more`] what hubmark shows beyond them,
//! [`capacity`] a search's way to its answer, and [`family`] how cells become series.

pub mod capacity;
pub mod family;
pub mod more;
pub mod study;

use super::cells::Cells;

/// A figure: one or more panels with a common caption.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Its name in file names and anchors: `figure-11`, `spectrum`.
    pub id: String,
    /// What it shows.
    pub title: String,
    /// Repetitions, durability, what whiskers are, what is missing.
    pub caption: String,
    /// At least one.
    pub panels: Vec<Panel>,
}

/// One coordinate system.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// What tells it from the figure's other panels; empty where there is one only.
    pub title: String,
    /// How its marks are drawn.
    pub kind: Kind,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// What is compared.
    pub series: Vec<Series>,
    /// Values that are marked by a line across.
    pub guides: Vec<Guide>,
}

/// A line across a panel: an objective, an end of an interval.
#[derive(Debug, Clone, PartialEq)]
pub struct Guide {
    /// Where, in the unit of the axis that it crosses.
    pub at: f64,
    /// Whether it stands on the horizontal axis, rather than lies at a height.
    pub upright: bool,
    /// What it is.
    pub label: String,
    /// Whether the label stands before the line (to its left; above one that lies).
    pub before: bool,
}

/// How marks are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Markers joined by lines.
    Lines,
    /// Lines without markers, for many points.
    Curves,
    /// Markers alone.
    Dots,
    /// Bars side by side in categories: x counts the axis' labels from 0.
    Bars,
}

/// An axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// What it measures.
    pub label: String,
    /// Its unit; empty for a count.
    pub unit: String,
    /// How it is spaced.
    pub scale: Scale,
    /// Values that are to be written, with their text; none leaves it to who draws.
    pub ticks: Vec<(f64, String)>,
}

impl Axis {
    /// An evenly spaced axis.
    pub fn linear(label: &str, unit: &str) -> Self {
        Self { label: label.into(), unit: unit.into(), scale: Scale::Linear, ticks: Vec::new() }
    }

    /// A logarithmic axis.
    pub fn log(label: &str, unit: &str) -> Self {
        Self { scale: Scale::Log, ..Self::linear(label, unit) }
    }

    /// The label with its unit: `mean delivery latency (ms)`.
    pub fn name(&self) -> String {
        if self.unit.is_empty() {
            self.label.clone()
        } else {
            format!("{} ({})", self.label, self.unit)
        }
    }
}

/// How an axis is spaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Evenly.
    Linear,
    /// By magnitude.
    Log,
    /// Categories, named by the ticks.
    Categories,
}

/// What is compared: one line, or one bar in each category.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Its name in the legend.
    pub label: String,
    /// Its colour and marker, counted from 0; the same backend has the same in all figures.
    pub style: usize,
    /// A second line of the same style: drawn dashed.
    pub dashed: bool,
    /// Its points, in the order of x.
    pub marks: Vec<Mark>,
}

/// One point of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mark {
    /// In the unit of the panel's x axis.
    pub x: f64,
    /// In the unit of the panel's y axis.
    pub y: f64,
    /// Smallest and largest over the repetitions: the study's whiskers.
    pub whiskers: Option<(f64, f64)>,
    /// The mean's 95 % interval.
    pub interval: Option<(f64, f64)>,
    /// Repetitions behind it.
    pub n: usize,
    /// Of those, suspect: such a point is drawn hollow.
    pub suspect: usize,
}

impl Mark {
    /// A bare point.
    pub const fn at(x: f64, y: f64) -> Self {
        Self { x, y, whiskers: None, interval: None, n: 1, suspect: 0 }
    }
}

impl Figure {
    /// Whether any panel has anything to show.
    pub fn is_empty(&self) -> bool {
        self.panels.iter().all(|panel| panel.series.iter().all(|series| series.marks.is_empty()))
    }
}

/// Every figure that the records can fill: the answer to a search for a capacity, then the study's.
pub fn all(cells: &Cells<'_>) -> Vec<Figure> {
    let mut figures = study::figures(cells);
    figures.splice(0..0, capacity::figures(cells));
    figures.extend(more::figures(cells));
    figures
}
