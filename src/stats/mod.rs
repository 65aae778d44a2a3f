//! Numbers from numbers: distributions and estimates. Pure.

pub mod distribution;
pub mod estimate;
