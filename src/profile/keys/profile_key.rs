//! Description of one key of a profile.

use super::{
    allowed::AllowedValues,
    choices::{CAPACITY, LATENCY, THROUGHPUT},
};

/// One key of a profile.
#[derive(Debug)]
pub struct ProfileKey {
    /// Dotted path from the top: `workload.users`.
    pub path: &'static str,
    /// Allowed values.
    pub allowed: AllowedValues,
    /// Meaning of the key in one to three sentences, shown by the form.
    pub help: &'static str,
    /// Kinds of workload that have the key; empty for all.
    pub workload_kinds: &'static [&'static str],
}

impl ProfileKey {
    /// A key that every kind of workload has.
    pub(super) const fn new(
        path: &'static str,
        allowed: AllowedValues,
        help: &'static str,
    ) -> Self {
        Self { path, allowed, help, workload_kinds: &[] }
    }

    /// This key, restricted to some kinds of workload.
    pub(super) const fn of(self, workload_kinds: &'static [&'static str]) -> Self {
        Self { workload_kinds, ..self }
    }

    /// Last part of the dotted path: the key within its table.
    pub fn name(&self) -> &'static str {
        self.path.rsplit('.').next().unwrap_or(self.path)
    }
}

/// Workloads whose users send at planned times.
pub(super) const OPEN_LOOP: &[&str] = &[LATENCY, CAPACITY];
pub(super) const LATENCY_ONLY: &[&str] = &[LATENCY];
pub(super) const CAPACITY_ONLY: &[&str] = &[CAPACITY];
pub(super) const THROUGHPUT_ONLY: &[&str] = &[THROUGHPUT];
/// Workloads that measure all points equally often.
pub(super) const FIXED_REPETITIONS: &[&str] = &[LATENCY, THROUGHPUT];
