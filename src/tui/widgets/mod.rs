//! Widgets of our own, where ratatui has none. Each draws from plain numbers.

mod bars;
mod histogram;
mod lines;
mod meter;

pub use bars::Spark;
pub use histogram::Histogram;
pub use lines::{Lines, ceiling};
pub use meter::meter;
