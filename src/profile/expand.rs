//! Expansion of a profile to its plan: resolves defaults and expands sweeps.

use serde_json::{Map, Value};

use super::{
    Profile, WorkloadKind,
    catalogue::{BackendInfo, IMAGE},
};
use crate::{
    plan::{
        BackendChoice, CapacityGoal, LatencyWorkload, Plan, Point, ThroughputWorkload, Workload,
        schedule,
    },
    server::HubKind,
};

impl Profile {
    /// Plan of this profile; a pure function of the profile.
    pub fn plan(&self) -> Plan {
        let points = self.points();
        let run = &self.run;
        let capacity = match &self.workload.kind {
            WorkloadKind::Capacity { objectives, .. } => {
                Some(CapacityGoal::new(objectives.clone()))
            }
            _ => None,
        };
        Plan {
            profile: self.name.clone(),
            seed: run.seed,
            order: run.order,
            repetitions: run.repetitions,
            retries: run.retries,
            baseline: run.baseline,
            server_warmup: run.server_warmup,
            cooldown: run.cooldown,
            hub: self.hub.clone(),
            schedule: match &capacity {
                Some(_) => Vec::new(),
                None => schedule(points.len(), run.repetitions, run.order, run.seed),
            },
            capacity,
            footprint: run.footprint,
            steering: run.steering && matches!(self.workload.kind, WorkloadKind::Latency { .. }),
            settings: points
                .iter()
                .map(|point| {
                    (point.backend.name.clone(), self.settings_with_defaults(&point.backend.name))
                })
                .collect(),
            points,
            thresholds: self.thresholds.clone(),
            faults: self.faults.clone(),
        }
    }

    /// Number of points, without building them.
    pub(super) fn point_count(&self) -> usize {
        let scenarios = match &self.workload.kind {
            WorkloadKind::Latency { .. } | WorkloadKind::Capacity { .. } => 1,
            WorkloadKind::Throughput { scenario, .. } => scenario.len(),
        };
        [
            self.run.durability.len(),
            scenarios,
            self.workload.users.len(),
            self.workload.payload.len(),
        ]
        .into_iter()
        .fold(self.backends.len(), usize::saturating_mul)
    }

    /// All combinations of swept values, grouped by backend.
    fn points(&self) -> Vec<Point> {
        let workloads = self.workloads();
        let mut points = Vec::new();
        for backend in &self.backends {
            let backend = self.resolve_version(backend);
            for &durability in &self.run.durability {
                points.extend(workloads.iter().map(|workload| Point {
                    backend: backend.clone(),
                    workload: workload.clone(),
                    durability,
                }));
            }
        }
        points
    }

    fn workloads(&self) -> Vec<Workload> {
        let request = &self.workload;
        let (payload_source, drain) = (request.payload_source, request.drain);
        let sizes = || {
            let payloads = |&users| request.payload.iter().map(move |&payload| (users, payload));
            request.users.iter().flat_map(payloads)
        };
        match &request.kind {
            WorkloadKind::Latency { length, arrival, warmup }
            | WorkloadKind::Capacity { length, arrival, warmup, .. } => {
                let messages = length.messages(arrival.mean()).unwrap_or(u32::MAX);
                let (arrival, warmup) = (*arrival, *warmup);
                let workload = |(users, payload)| {
                    Workload::Latency(LatencyWorkload {
                        users,
                        payload,
                        payload_source,
                        messages,
                        arrival,
                        warmup,
                        drain,
                    })
                };
                sizes().map(workload).collect()
            }
            WorkloadKind::Throughput { volume, scenario } => {
                let volume = *volume;
                let of_scenario = |&scenario| {
                    sizes().map(move |(users, payload)| {
                        Workload::Throughput(ThroughputWorkload {
                            users,
                            payload,
                            payload_source,
                            volume,
                            scenario,
                            drain,
                        })
                    })
                };
                scenario.iter().flat_map(of_scenario).collect()
            }
        }
    }

    /// Backend choice with the version that will be started.
    pub(super) fn resolve_version(&self, choice: &BackendChoice) -> BackendChoice {
        let image = self.settings.get(&choice.name).is_some_and(|table| table.contains_key(IMAGE));
        match self.catalogue.find(&choice.name) {
            Some(info) => resolve_backend(choice, info, self.hub.kind, image),
            None => choice.clone(),
        }
    }

    /// Settings of a backend: the given ones, and defaults for the rest.
    pub(super) fn settings_with_defaults(&self, backend: &str) -> Map<String, Value> {
        let mut settings: Map<String, Value> = self
            .catalogue
            .find(backend)
            .into_iter()
            .flat_map(|info| info.settings)
            .filter_map(|key| Some((key.name.to_owned(), key.default_value()?)))
            .collect();
        settings.extend(self.settings.get(backend).cloned().unwrap_or_default());
        settings
    }
}

/// Fills in a missing version where hubmark builds the servers: the first version that it can
/// build.
///
/// A named image or a program on `PATH` determines the version itself.
fn resolve_backend(
    choice: &BackendChoice,
    info: &BackendInfo,
    hub: HubKind,
    image: bool,
) -> BackendChoice {
    let version = match (&choice.version, hub) {
        (Some(version), _) => Some(version.clone()),
        (None, HubKind::Docker) if !image => info.versions.first().map(ToString::to_string),
        (None, _) => None,
    };
    BackendChoice { name: choice.name.clone(), version }
}
