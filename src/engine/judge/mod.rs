//! Judgements of a repetition: whether its numbers can be trusted, and what limited it.
//!
//! [`verdict`] collects the reasons for doubt; [`lateness`], [`hot_threads`] and [`stolen`] judge the
//! client and its machine, [`host_health`] the [`host_metrics`] of the hub's host and [`hub_readings`] those
//! that are missing, by its [`host_spec`]; [`planned_faults`] compares faults with their plan; [`standstill_cause`] finds the causes of standstills; [`bottleneck`]
//! finds the resources that kept a hub from carrying more users; [`thresholds`] compares
//! results with the profile's limits.

pub mod bottleneck;
pub mod host_health;
pub mod host_metrics;
pub mod host_spec;
pub mod hot_threads;
pub mod hub_readings;
pub mod lateness;
pub mod planned_faults;
mod spans;
pub mod standstill_cause;
pub mod stolen;
pub mod thresholds;
pub mod verdict;
