//! Figures as plain values: series, units and whiskers, independent of their presentation.
//!
//! The screen, the SVG files and the CSV files all use these values and compute nothing. [`study`] has
//! figures 11 to 20 of the study, [`diagnostics`] the figures beyond them ([`latency_distribution`], [`over_time`] of a
//! load, [`generator_health`]), [`capacity`] the figure of a capacity search, and [`sweep`] groups cells into series.

pub mod capacity;
pub mod diagnostics;
mod figure;
mod generator_health;
mod latency_distribution;
mod over_time;
mod parts;
pub mod study;
pub mod sweep;

pub use figure::{
    Axis, AxisScale, Figure, FigurePanel, PlotKind, PlotMark, PlotSeries, ReferenceLine,
};

use super::cells::ReportCells;

/// Returns every figure that the records have data for: capacity searches, the study's, diagnostics.
pub fn all_figures(cells: &ReportCells<'_>) -> Vec<Figure> {
    let mut figures = study::figures(cells);
    figures.splice(0..0, capacity::figures(cells));
    figures.extend(diagnostics::figures(cells));
    figures
}
