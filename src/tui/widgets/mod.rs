//! Widgets of our own, where ratatui has none. Each draws from plain numbers.

mod bars;
mod chart;
mod heat;
mod histogram;
mod lines;
mod meter;

pub use bars::Spark;
pub use chart::Chart;
pub use heat::Heat;
pub use histogram::{Histogram, extent};
pub use lines::{Drawn, Lines, Scale, Series, ceiling, column_of};
pub use meter::{gauge, meter};
