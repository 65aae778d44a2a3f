//! Parsing of the table `[workload]`.

use std::time::Duration;

use super::reader::ProfileReader;
use crate::{
    format::count_noun,
    plan::{ArrivalDistribution, PayloadSource, Threshold, UNDELIVERED},
    profile::{
        LoadLength, WorkloadKind, WorkloadRequest,
        keys::{
            self, KEYS,
            bounds::{MAX_MESSAGES_PER_USER, MAX_PAYLOAD, MAX_USERS, MIN_MEAN_INTERVAL},
            choices::{
                DISTRIBUTIONS, DistributionName, PAYLOAD_SOURCES, SCENARIOS, WORKLOAD_KINDS,
                WorkloadKindName, name_of,
            },
        },
        problem::ValueProblem,
        tree::Node,
        values::{self, ParseResult},
    },
    stamp::MAX_TICK,
    units::{Bytes, human_duration},
};

/// Mean interval of the study.
const DEFAULT_MEAN_INTERVAL: Duration = Duration::from_secs(1);
const DEFAULT_MESSAGES_PER_USER: u32 = 60;
const DEFAULT_VOLUME: Bytes = Bytes(100_000_000);
/// Default candidates of a capacity search: first, last, and growth in percent.
///
/// The first has enough users for a percentile to be taken.
const DEFAULT_CANDIDATE_RANGE: (u64, u64, f64) = (50, 3_000, 5.0);

/// Default users and payload of a kind of workload.
fn default_sizes(kind: WorkloadKindName) -> (Vec<u32>, Bytes) {
    match kind {
        WorkloadKindName::Latency => (vec![100], Bytes(100)),
        WorkloadKindName::Throughput => (vec![1], Bytes(1_000)),
        WorkloadKindName::Capacity => {
            let (first, last, share) = DEFAULT_CANDIDATE_RANGE;
            let tried = values::geometric_range(first, last, share).unwrap_or_default();
            (tried.into_iter().map(|users| users as u32).collect(), Bytes(100))
        }
    }
}

/// Default size of a load of the named kind: keys whose defaults depend on the kind, with values as
/// typed in a form; empty for an unknown kind.
pub fn default_load(kind: &str) -> Vec<(String, String)> {
    let Some((_, kind)) = WORKLOAD_KINDS.iter().find(|(name, _)| *name == kind) else {
        return Vec::new();
    };
    let (users, payload) = default_sizes(*kind);
    let users: Vec<u64> = users.into_iter().map(u64::from).collect();
    let mut values =
        vec![(&keys::USERS, values::format_numbers(&users)), (&keys::PAYLOAD, payload.exact())];
    if *kind != WorkloadKindName::Throughput {
        values.push((&keys::MESSAGES, DEFAULT_MESSAGES_PER_USER.to_string()));
    }
    values.into_iter().map(|(key, value)| (key.path.to_owned(), value)).collect()
}

impl ProfileReader<'_> {
    pub(super) fn read_workload(&mut self) -> Option<WorkloadRequest> {
        let kind = self.read_or(&keys::KIND, WorkloadKindName::Latency, |node| {
            values::parse_choice(node, &WORKLOAD_KINDS)
        });
        if let Some(kind) = kind {
            self.reject_other_kinds_keys(kind);
        }
        let throughput = kind == Some(WorkloadKindName::Throughput);
        let (users, payload) = default_sizes(kind.unwrap_or(WorkloadKindName::Latency));
        let users = self.read_or(&keys::USERS, users, parse_users);
        let payload = self.read_or(&keys::PAYLOAD, vec![payload], |node| {
            values::parse_sweep(node, |node| parse_payload(node, throughput))
        });
        let payload_source = self.read_or(&keys::PAYLOAD_SOURCE, PayloadSource::Seeded, |node| {
            values::parse_choice(node, &PAYLOAD_SOURCES)
        });
        let drain = self.read_duration(&keys::DRAIN, 10);
        let kind = match kind? {
            WorkloadKindName::Latency => {
                let (length, arrival, warmup) = self.read_open_loop()?;
                Some(WorkloadKind::Latency { length, arrival, warmup })
            }
            WorkloadKindName::Capacity => self.read_capacity(users.as_deref().unwrap_or_default()),
            WorkloadKindName::Throughput => {
                self.read_throughput(payload.as_deref().unwrap_or_default())
            }
        };
        Some(WorkloadRequest {
            users: users?,
            payload: payload?,
            payload_source: payload_source?,
            drain: drain?,
            kind: kind?,
        })
    }

    /// Reports keys of other kinds of workload.
    ///
    /// If an override changes the kind, keys in the profile's text are ignored: they were valid
    /// before.
    fn reject_other_kinds_keys(&mut self, kind: WorkloadKindName) {
        let overridden = self.origin_of(&keys::KIND).is_override();
        let name = name_of(&WORKLOAD_KINDS, &kind);
        for key in KEYS {
            if key.workload_kinds.is_empty() || key.workload_kinds.contains(&name) {
                continue;
            }
            let Some((origin, node)) = self.root.at(key.path) else { continue };
            if overridden && !node.origin.is_override() {
                continue;
            }
            let other = key.workload_kinds.join(" or ");
            let message = format!("it belongs to the {other} workload, and this one is {name}");
            self.push_problem(key.path, None, ValueProblem::new(origin, message));
        }
    }

    fn read_capacity(&mut self, users: &[u32]) -> Option<WorkloadKind> {
        let given = self.node(&keys::OBJECTIVES);
        let objectives = if given.is_some() {
            self.read_limits(&keys::OBJECTIVES)
        } else {
            default_objectives()
        };
        if given.is_some_and(|node| node.table().is_none_or(std::collections::BTreeMap::is_empty)) {
            self.report_conflict(&keys::OBJECTIVES, "at least one objective is required");
        }
        let (length, arrival, warmup) = self.read_open_loop()?;
        let fewest = users.iter().copied().min()?;
        self.check_sample_count(
            &objectives,
            fewest,
            length.messages(arrival.mean())?,
            warmup,
            &arrival,
        );
        Some(WorkloadKind::Capacity { objectives, length, arrival, warmup })
    }

    /// Reports percentiles that need more messages than the fewest users send: every repetition
    /// would miss them, and the search would find no capacity.
    fn check_sample_count(
        &mut self,
        objectives: &[Threshold],
        fewest: u32,
        messages: u32,
        warmup: Duration,
        arrival: &ArrivalDistribution,
    ) {
        let unmeasured = (warmup.as_secs_f64() / arrival.mean().as_secs_f64()).ceil();
        let measured = (f64::from(messages) - unmeasured).max(0.0) * f64::from(fewest);
        for objective in objectives {
            let needed = match objective.metric.rsplit('.').next() {
                Some("p50") => 20.0,
                Some("p90") => 100.0,
                Some("p95") => 200.0,
                Some("p99") => 1_000.0,
                Some("p999") => 10_000.0,
                _ => 1.0,
            };
            if measured < needed {
                let message = format!(
                    "{} needs {needed:.0} measured messages in a repetition, and {} make \
                     about {measured:.0}: give more messages each, or begin with more users",
                    objective.metric,
                    count_noun(fewest.into(), "user"),
                );
                self.report_conflict(&keys::USERS, message);
                return;
            }
        }
    }

    fn read_open_loop(&mut self) -> Option<(LoadLength, ArrivalDistribution, Duration)> {
        let arrival = self.read_arrival();
        let length = self.read_length();
        let warmup = self.read_duration(&keys::WARMUP, 0);
        let (arrival, length, warmup) = (arrival?, length?, warmup?);
        let Some(messages) = length.messages(arrival.mean()) else {
            self.report_conflict(&keys::DURATION, "it gives more messages than can be counted");
            return None;
        };
        let load = arrival.mean().saturating_mul(messages);
        if warmup >= load {
            let load = human_duration(load);
            let message = format!("nothing of the load, which lasts {load}, would be measured");
            self.report_conflict(&keys::WARMUP, message);
        }
        Some((length, arrival, warmup))
    }

    fn read_length(&mut self) -> Option<LoadLength> {
        let messages = self.read_or(&keys::MESSAGES, None, |node| {
            let number = values::parse_integer(node, 1, MAX_MESSAGES_PER_USER)?;
            Ok(Some(LoadLength::Messages(number as u32)))
        });
        let duration = self.read_or(&keys::DURATION, None, |node| {
            let duration = values::parse_duration(node)?;
            if duration.is_zero() {
                return Err(
                    ValueProblem::new(node.origin, "the load must be longer than 0 s").into()
                );
            }
            Ok(Some(LoadLength::Duration(duration)))
        });
        match (messages?, duration?) {
            (Some(messages), Some(duration)) => {
                let overrides = |key| self.origin_of(key).is_override();
                match (overrides(&keys::MESSAGES), overrides(&keys::DURATION)) {
                    (true, false) => Some(messages),
                    (false, true) => Some(duration),
                    _ => {
                        self.report_conflict(
                            &keys::DURATION,
                            "messages is given too: give only one of the two",
                        );
                        None
                    }
                }
            }
            (messages, duration) => Some(
                messages.or(duration).unwrap_or(LoadLength::Messages(DEFAULT_MESSAGES_PER_USER)),
            ),
        }
    }

    fn read_arrival(&mut self) -> Option<ArrivalDistribution> {
        let distribution = self.read_or(&keys::DISTRIBUTION, DistributionName::Normal, |node| {
            values::parse_choice(node, &DISTRIBUTIONS)
        });
        let mean = self.read_or(&keys::MEAN, DEFAULT_MEAN_INTERVAL, |node| {
            let mean = values::parse_duration(node)?;
            if mean < MIN_MEAN_INTERVAL {
                let message = format!("{} is too short", human_duration(mean));
                return Err(ValueProblem::new(node.origin, message).into());
            }
            Ok(mean)
        });
        let deviation =
            self.read_or(&keys::DEVIATION, None, |node| values::parse_duration(node).map(Some));
        let (distribution, mean, deviation) = (distribution?, mean?, deviation?);
        match (distribution, deviation) {
            (DistributionName::Normal, Some(deviation)) if deviation > mean => {
                let mean = human_duration(mean);
                self.report_conflict(
                    &keys::DEVIATION,
                    format!("it is larger than the mean of {mean}"),
                );
                None
            }
            (DistributionName::Normal, deviation) => {
                Some(ArrivalDistribution::Normal { mean, deviation: deviation.unwrap_or(mean / 4) })
            }
            // An override of the distribution alone leaves the deviation of the old one in the
            // text.
            (_, Some(_))
                if self.origin_of(&keys::DEVIATION).is_override()
                    || !self.origin_of(&keys::DISTRIBUTION).is_override() =>
            {
                self.report_conflict(&keys::DEVIATION, "only the normal distribution has it");
                None
            }
            (DistributionName::Constant, _) => Some(ArrivalDistribution::Constant { mean }),
            (DistributionName::Poisson, _) => Some(ArrivalDistribution::Poisson { mean }),
        }
    }

    fn read_throughput(&mut self, payloads: &[Bytes]) -> Option<WorkloadKind> {
        let volume = self.read_or(&keys::VOLUME, DEFAULT_VOLUME, |node| {
            let volume: Bytes = values::parse_quantity(node)?;
            if volume.0 == 0 {
                return Err(ValueProblem::new(node.origin, "there is nothing to send").into());
            }
            Ok(volume)
        });
        let all = SCENARIOS.map(|(_, scenario)| scenario).to_vec();
        let scenario = self.read_or(&keys::SCENARIO, all, |node| {
            values::parse_sweep(node, |node| Ok(vec![values::parse_choice(node, &SCENARIOS)?]))
        });
        let (volume, scenario) = (volume?, scenario?);
        let smallest = payloads.iter().map(|payload| payload.0.max(1)).min().unwrap_or(1);
        if volume.0 / smallest >= MAX_TICK {
            self.report_conflict(
                &keys::VOLUME,
                "it makes more messages than stamps can count (2^44)",
            );
        }
        Some(WorkloadKind::Throughput { volume, scenario })
    }
}

/// Default objectives, acceptable for most devices: p99 of delivery within 20 ms, and every message
/// delivered.
fn default_objectives() -> Vec<Threshold> {
    vec![
        Threshold { metric: "delivery.p99".into(), at_most: 20_000.0 },
        Threshold { metric: UNDELIVERED.into(), at_most: 0.0 },
    ]
}

fn parse_users(node: &Node) -> ParseResult<Vec<u32>> {
    values::parse_sweep(node, |node| {
        let numbers = values::parse_integer_or_range(node, 1, MAX_USERS)?;
        Ok(numbers.into_iter().map(|number| number as u32).collect())
    })
}

fn parse_payload(node: &Node, throughput: bool) -> ParseResult<Vec<Bytes>> {
    let payload: Bytes = values::parse_quantity(node)?;
    if payload > MAX_PAYLOAD {
        return Err(ValueProblem::new(node.origin, format!("{payload} is too large")).into());
    }
    if throughput && payload.0 == 0 {
        return Err(
            ValueProblem::new(node.origin, "messages without payload make no volume").into()
        );
    }
    Ok(vec![payload])
}
