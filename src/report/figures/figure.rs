//! Figures as plain values: panels, axes, series and marks.

/// One or more panels with a common caption.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Identifier for file names and anchors: `figure-11`, `spectrum`.
    pub id: String,
    /// Title of the figure.
    pub title: String,
    /// Notes on repetitions, durability, whiskers, and missing data.
    pub caption: String,
    /// Panels in display order, at least one.
    pub panels: Vec<FigurePanel>,
}

/// One coordinate system of a figure.
#[derive(Debug, Clone, PartialEq)]
pub struct FigurePanel {
    /// Title that distinguishes the panel from the figure's others; empty for a single panel.
    pub title: String,
    /// Presentation of the marks.
    pub kind: PlotKind,
    /// Horizontal axis.
    pub x: Axis,
    /// Vertical axis.
    pub y: Axis,
    /// Series to compare.
    pub series: Vec<PlotSeries>,
    /// Lines across the panel, such as objectives.
    pub reference_lines: Vec<ReferenceLine>,
}

/// Line across a panel: an objective, or an end of an interval.
#[derive(Debug, Clone, PartialEq)]
pub struct ReferenceLine {
    /// Value, in the unit of the axis that the line crosses.
    pub at: f64,
    /// Whether the line is vertical, at a value of the x axis.
    pub is_vertical: bool,
    /// Label at the end of the line.
    pub label: String,
    /// Whether the label is left of a vertical line, or below a horizontal line.
    pub label_before: bool,
}

/// Presentation of marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlotKind {
    /// Markers joined by lines.
    Lines,
    /// Lines without markers, for many points.
    Curves,
    /// Markers alone.
    Dots,
    /// Bars side by side in categories: x counts the axis' labels from 0.
    Bars,
}

/// Axis of a panel.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// Name of the measured quantity.
    pub label: String,
    /// Unit; empty for a count.
    pub unit: String,
    /// Spacing of the values.
    pub scale: AxisScale,
    /// Values to label, with their texts; empty for labels chosen by the renderer.
    pub ticks: Vec<(f64, String)>,
}

impl Axis {
    /// Creates an evenly spaced axis.
    pub fn linear(label: &str, unit: &str) -> Self {
        Self { label: label.into(), unit: unit.into(), scale: AxisScale::Linear, ticks: Vec::new() }
    }

    /// Creates a logarithmic axis.
    pub fn log(label: &str, unit: &str) -> Self {
        Self { scale: AxisScale::Log, ..Self::linear(label, unit) }
    }

    /// Returns the label with its unit: `mean delivery latency (ms)`.
    pub fn title_with_unit(&self) -> String {
        if self.unit.is_empty() {
            self.label.clone()
        } else {
            format!("{} ({})", self.label, self.unit)
        }
    }
}

/// Spacing of an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AxisScale {
    /// Evenly spaced.
    Linear,
    /// Logarithmic.
    Log,
    /// Categories, labelled by the ticks.
    Categories,
}

/// Series of a panel: one line, or one bar in each category.
#[derive(Debug, Clone, PartialEq)]
pub struct PlotSeries {
    /// Name in the legend.
    pub label: String,
    /// Index of colour and marker from 0; a backend has the same index in all figures.
    pub style: usize,
    /// Whether the line is dashed, to distinguish a second line of the same style.
    pub dashed: bool,
    /// Points in the order of x.
    pub marks: Vec<PlotMark>,
}

/// One point of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlotMark {
    /// Value in the unit of the panel's x axis.
    pub x: f64,
    /// Value in the unit of the panel's y axis.
    pub y: f64,
    /// Smallest and largest value over the repetitions, as the study's whiskers.
    pub whiskers: Option<(f64, f64)>,
    /// 95 % interval of the mean.
    pub interval: Option<(f64, f64)>,
    /// Number of repetitions.
    pub n: usize,
    /// Number of suspect repetitions; a point with any is drawn hollow.
    pub suspect: usize,
}

impl PlotMark {
    /// Creates a point without whiskers and interval.
    pub const fn at(x: f64, y: f64) -> Self {
        Self { x, y, whiskers: None, interval: None, n: 1, suspect: 0 }
    }
}

impl Figure {
    /// Returns whether no panel has any mark.
    pub fn is_empty(&self) -> bool {
        self.panels.iter().all(|panel| panel.series.iter().all(|series| series.marks.is_empty()))
    }
}
