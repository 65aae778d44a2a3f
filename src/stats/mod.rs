//! Statistics: distributions, estimates, comparisons, trends, the capacity search. Pure.
//!
//! A [`distribution`] contains the messages of one repetition; everything else works on
//! repetitions: an [`estimate`](estimate::estimate) of one point, the [`difference`] between two
//! points, a [`trend`] over users, payload or time, a [`band`] that a value must lie in. The words of results follow
//! [`difference::DifferenceVerdict`]: a difference that the interval does not support is *not
//! seen*, never *equal*.

pub mod band;
pub mod difference;
pub mod distribution;
pub mod estimate;
pub mod holm;
pub mod rate;
pub mod ratio;
pub mod relative;
pub mod search;
pub mod trend;

mod rank;
mod sample;
mod welch;

/// Share of confidence intervals that contain the true value.
pub const CONFIDENCE: f64 = 0.95;

/// Level of significance: probability of seeing a difference, or a trend, where there is none.
pub const ALPHA: f64 = 1.0 - CONFIDENCE;
