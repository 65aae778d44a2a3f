//! Widgets that ratatui lacks, each drawn from plain numbers.

mod bars;
mod distribution_strip;
mod figure_chart;
mod heat_map;
mod histogram;
mod line_chart;
mod progress_bar;

pub use bars::Sparkline;
pub use distribution_strip::{
    CENTRE_SIGN, DistributionStrip, OUTER_SIGN, ValueStrip, draw_latency_axis,
};
pub use figure_chart::FigureChart;
pub use heat_map::HeatMap;
pub use histogram::{BarRange, Histogram, bar_range};
pub use line_chart::{
    BAND_SIGN, Band, LineChart, SeriesShape, TimeSeries, ValueScale, column_of, round_up,
};
pub use progress_bar::{gauge, progress_bar};
