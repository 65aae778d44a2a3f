//! A repetition before its measurement.

use std::collections::BTreeMap;

use super::{Repetition, Warmup};
use crate::{
    measure::{Durations, GeneratorHealth, Ledger, Verdict},
    plan::ScheduledRepetition,
};

impl Repetition {
    /// Returns the repetition of `step`, executed at `position` of the run and begun at `started`, without
    /// any measurement.
    pub fn unmeasured(step: ScheduledRepetition, position: u32, started: jiff::Timestamp) -> Self {
        Self {
            index: step.repetition,
            order: position,
            attempt: 1,
            started,
            seconds: 0.0,
            drain_seconds: None,
            phases: BTreeMap::new(),
            server_age_seconds: None,
            server_ready_seconds: None,
            warmup: Warmup::default(),
            verdict: Verdict::default(),
            ledger: Ledger::default(),
            latency: Durations::default(),
            throughput: None,
            resources: BTreeMap::new(),
            samples: BTreeMap::new(),
            hub: Vec::new(),
            cooled: None,
            generator: GeneratorHealth::default(),
            timeline: Vec::new(),
            intervals: String::new(),
            standstills: Vec::new(),
            events: Vec::new(),
            faults: Vec::new(),
            steered: Vec::new(),
            crossed: Vec::new(),
            missed: Vec::new(),
            missing: BTreeMap::new(),
        }
    }
}
