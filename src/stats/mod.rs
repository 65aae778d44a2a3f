//! Numbers from numbers: distributions, estimates, comparisons, trends, the search for a capacity. Pure.
//!
//! A [`distribution`] holds one repetition's messages; everything else speaks of repetitions: an
//! [`estimate`](estimate::estimate) of one point's, the [`difference`] between two points', a
//! [`trend`] over users, payload or time. The results' words come from [`difference::Seen`]: what
//! an interval does not carry is *not seen*, never *equal*.

pub mod difference;
pub mod distribution;
pub mod estimate;
pub mod holm;
pub mod ratio;
pub mod search;
pub mod trend;

mod rank;
mod sample;
mod welch;

/// Share of the confidence intervals that hold the true value.
pub const CONFIDENCE: f64 = 0.95;

/// Chance of seeing a difference, or a trend, where there is none.
pub const ALPHA: f64 = 1.0 - CONFIDENCE;
