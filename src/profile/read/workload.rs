//! The table `[workload]`.

use std::time::Duration;

use super::Reader;
use crate::{
    plan::{Arrival, LOST, PayloadSource, Scenario, Threshold},
    profile::{
        Length, WorkloadKind, WorkloadRequest,
        keys::{self, KEYS},
        problem::Fault,
        tree::Node,
        values::{self, Read},
    },
    stamp::{MAX_TICK, MAX_USER},
    units::{Bytes, human_duration},
};

/// The kind of a workload, before its own keys are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Latency,
    Throughput,
    Capacity,
}

const KINDS: [(&str, Kind); 3] =
    [("latency", Kind::Latency), ("throughput", Kind::Throughput), ("capacity", Kind::Capacity)];
const SOURCES: [(&str, PayloadSource); 2] =
    [("seeded", PayloadSource::Seeded), ("urandom", PayloadSource::Urandom)];
const SCENARIOS: [(&str, Scenario); 3] = [
    (Scenario::Producer.word(), Scenario::Producer),
    (Scenario::Consumer.word(), Scenario::Consumer),
    (Scenario::Both.word(), Scenario::Both),
];
const DISTRIBUTIONS: [(&str, Distribution); 3] = [
    ("normal", Distribution::Normal),
    ("constant", Distribution::Constant),
    ("poisson", Distribution::Poisson),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Distribution {
    Normal,
    Constant,
    Poisson,
}

const LARGEST_PAYLOAD: Bytes = Bytes(16 << 20);
/// The study's.
const USUAL_MEAN: Duration = Duration::from_secs(1);
const USUAL_MESSAGES: u32 = 60;
const USUAL_VOLUME: Bytes = Bytes(100_000_000);
/// What a search tries: from as many users as a percentile can be taken of, each number a twentieth
/// larger than the one before.
const USUAL_SEARCH: (u64, u64, f64) = (50, 3_000, 5.0);

/// Users and payload of a workload of this kind where nobody says anything else.
fn usual_sizes(kind: Kind) -> (Vec<u32>, Bytes) {
    match kind {
        Kind::Latency => (vec![100], Bytes(100)),
        Kind::Throughput => (vec![1], Bytes(1_000)),
        Kind::Capacity => {
            let (first, last, share) = USUAL_SEARCH;
            let tried = values::grown(first, last, share).unwrap_or_default();
            (tried.into_iter().map(|users| users as u32).collect(), Bytes(100))
        }
    }
}

/// How large a load of the kind with this name usually is: keys that mean something else to each
/// kind, with their values as a person would write them. Nothing of a kind that is not known.
pub fn usual_load(kind: &str) -> Vec<(String, String)> {
    let Some((_, kind)) = KINDS.iter().find(|(word, _)| *word == kind) else { return Vec::new() };
    let (users, payload) = usual_sizes(*kind);
    let users: Vec<u64> = users.into_iter().map(u64::from).collect();
    let mut values =
        vec![(&keys::USERS, values::rolled_up(&users)), (&keys::PAYLOAD, payload.exact())];
    if *kind != Kind::Throughput {
        values.push((&keys::MESSAGES, USUAL_MESSAGES.to_string()));
    }
    values.into_iter().map(|(key, value)| (key.path.to_owned(), value)).collect()
}

impl Reader<'_> {
    pub(super) fn workload(&mut self) -> Option<WorkloadRequest> {
        let kind = self.read(&keys::KIND, Kind::Latency, |node| values::choice(node, &KINDS));
        if let Some(kind) = kind {
            self.refuse_other_kind(kind);
        }
        let throughput = kind == Some(Kind::Throughput);
        let (users, payload) = usual_sizes(kind.unwrap_or(Kind::Latency));
        let users = self.read(&keys::USERS, users, users_sweep);
        let payload = self.read(&keys::PAYLOAD, vec![payload], |node| {
            values::sweep(node, |node| payload_size(node, throughput))
        });
        let payload_source = self.read(&keys::PAYLOAD_SOURCE, PayloadSource::Seeded, |node| {
            values::choice(node, &SOURCES)
        });
        let drain = self.time(&keys::DRAIN, 10);
        let kind = match kind? {
            Kind::Latency => {
                let (length, arrival, warmup) = self.paced()?;
                Some(WorkloadKind::Latency { length, arrival, warmup })
            }
            Kind::Capacity => self.capacity(users.as_deref().unwrap_or_default()),
            Kind::Throughput => self.throughput(payload.as_deref().unwrap_or_default()),
        };
        Some(WorkloadRequest {
            users: users?,
            payload: payload?,
            payload_source: payload_source?,
            drain: drain?,
            kind: kind?,
        })
    }

    /// Reports the keys of the other kind of workload. Those of a profile whose kind is overridden
    /// are passed over: they were right until then.
    fn refuse_other_kind(&mut self, kind: Kind) {
        let overridden = self.place(&keys::KIND).is_set();
        let word = KINDS.iter().find(|(_, known)| *known == kind).map_or("", |(word, _)| *word);
        for key in KEYS {
            if key.only.is_empty() || key.only.contains(&word) {
                continue;
            }
            let Some((place, node)) = self.root.at(key.path) else { continue };
            if overridden && !node.place.is_set() {
                continue;
            }
            let other = key.only.join(" or ");
            let message = format!("it belongs to the {other} workload, and this one is {word}");
            self.note(key.path, None, Fault::new(place, message));
        }
    }

    fn capacity(&mut self, users: &[u32]) -> Option<WorkloadKind> {
        let given = self.node(&keys::OBJECTIVES);
        let objectives =
            if given.is_some() { self.limits(&keys::OBJECTIVES) } else { usual_objectives() };
        if given.is_some_and(|node| node.table().is_none_or(std::collections::BTreeMap::is_empty)) {
            self.object(&keys::OBJECTIVES, "there is nothing that must hold");
        }
        let (length, arrival, warmup) = self.paced()?;
        let fewest = users.iter().copied().min()?;
        self.check_samples(&objectives, fewest, length.messages(arrival.mean())?, warmup, &arrival);
        Some(WorkloadKind::Capacity { objectives, length, arrival, warmup })
    }

    /// A percentile that the fewest users' messages cannot carry would be missed by every
    /// repetition, and the answer would be "none".
    fn check_samples(
        &mut self,
        objectives: &[Threshold],
        fewest: u32,
        messages: u32,
        warmup: Duration,
        arrival: &Arrival,
    ) {
        let unmeasured = (warmup.as_secs_f64() / arrival.mean().as_secs_f64()).ceil();
        let measured = (f64::from(messages) - unmeasured).max(0.0) * f64::from(fewest);
        for objective in objectives {
            let needed = match objective.metric.rsplit('.').next() {
                Some("p50") => 20.0,
                Some("p90") => 100.0,
                Some("p99") => 1_000.0,
                Some("p999") => 10_000.0,
                _ => 1.0,
            };
            if measured < needed {
                let message = format!(
                    "{} needs {needed:.0} measured messages in a repetition, and {fewest} users make \
                     about {measured:.0}: give more messages each, or begin with more users",
                    objective.metric
                );
                self.object(&keys::USERS, message);
                return;
            }
        }
    }

    fn paced(&mut self) -> Option<(Length, Arrival, Duration)> {
        let arrival = self.arrival();
        let length = self.length();
        let warmup = self.time(&keys::WARMUP, 0);
        let (arrival, length, warmup) = (arrival?, length?, warmup?);
        let Some(messages) = length.messages(arrival.mean()) else {
            self.object(&keys::DURATION, "it is time for more messages than can be counted");
            return None;
        };
        let load = arrival.mean().saturating_mul(messages);
        if warmup >= load {
            let load = human_duration(load);
            let message = format!("nothing of the load, which lasts {load}, would be measured");
            self.object(&keys::WARMUP, message);
        }
        Some((length, arrival, warmup))
    }

    fn length(&mut self) -> Option<Length> {
        let messages = self.read(&keys::MESSAGES, None, |node| {
            let number = values::integer(node, 1, u32::MAX.into())?;
            Ok(Some(Length::Messages(number as u32)))
        });
        let duration = self.read(&keys::DURATION, None, |node| {
            let duration = values::duration(node)?;
            if duration.is_zero() {
                return Err(Fault::new(node.place, "a load takes some time").into());
            }
            Ok(Some(Length::Duration(duration)))
        });
        match (messages?, duration?) {
            (Some(messages), Some(duration)) => {
                let overrides = |key| self.place(key).is_set();
                match (overrides(&keys::MESSAGES), overrides(&keys::DURATION)) {
                    (true, false) => Some(messages),
                    (false, true) => Some(duration),
                    _ => {
                        self.object(&keys::DURATION, "messages is given too; only one can be");
                        None
                    }
                }
            }
            (messages, duration) => {
                Some(messages.or(duration).unwrap_or(Length::Messages(USUAL_MESSAGES)))
            }
        }
    }

    fn arrival(&mut self) -> Option<Arrival> {
        let distribution = self.read(&keys::DISTRIBUTION, Distribution::Normal, |node| {
            values::choice(node, &DISTRIBUTIONS)
        });
        let mean = self.read(&keys::MEAN, USUAL_MEAN, |node| {
            let mean = values::duration(node)?;
            if mean < Duration::from_micros(1) {
                let message = format!("{} is too short", human_duration(mean));
                return Err(Fault::new(node.place, message).into());
            }
            Ok(mean)
        });
        let deviation = self.read(&keys::DEVIATION, None, |node| values::duration(node).map(Some));
        let (distribution, mean, deviation) = (distribution?, mean?, deviation?);
        match (distribution, deviation) {
            (Distribution::Normal, Some(deviation)) if deviation > mean => {
                let mean = human_duration(mean);
                self.object(&keys::DEVIATION, format!("it is larger than the mean of {mean}"));
                None
            }
            (Distribution::Normal, deviation) => {
                Some(Arrival::Normal { mean, deviation: deviation.unwrap_or(mean / 4) })
            }
            // Overriding the distribution alone leaves the deviation of the old one behind.
            (_, Some(_))
                if self.place(&keys::DEVIATION).is_set()
                    || !self.place(&keys::DISTRIBUTION).is_set() =>
            {
                self.object(&keys::DEVIATION, "only the normal distribution has it");
                None
            }
            (Distribution::Constant, _) => Some(Arrival::Constant { mean }),
            (Distribution::Poisson, _) => Some(Arrival::Poisson { mean }),
        }
    }

    fn throughput(&mut self, payloads: &[Bytes]) -> Option<WorkloadKind> {
        let volume = self.read(&keys::VOLUME, USUAL_VOLUME, |node| {
            let volume: Bytes = values::quantity(node)?;
            if volume.0 == 0 {
                return Err(Fault::new(node.place, "there is nothing to send").into());
            }
            Ok(volume)
        });
        let all = SCENARIOS.map(|(_, scenario)| scenario).to_vec();
        let scenario = self.read(&keys::SCENARIO, all, |node| {
            values::sweep(node, |node| Ok(vec![values::choice(node, &SCENARIOS)?]))
        });
        let (volume, scenario) = (volume?, scenario?);
        let smallest = payloads.iter().map(|payload| payload.0.max(1)).min().unwrap_or(1);
        if volume.0 / smallest >= MAX_TICK {
            self.object(&keys::VOLUME, "it makes more messages than stamps can count (2^44)");
        }
        Some(WorkloadKind::Throughput { volume, scenario })
    }
}

/// What most devices can live with: a fiftieth of a second, and nothing lost.
fn usual_objectives() -> Vec<Threshold> {
    vec![
        Threshold { metric: "delivery.p99".into(), at_most: 20_000.0 },
        Threshold { metric: LOST.into(), at_most: 0.0 },
    ]
}

fn users_sweep(node: &Node) -> Read<Vec<u32>> {
    values::sweep(node, |node| {
        let numbers = values::integer_or_range(node, 1, MAX_USER.into())?;
        Ok(numbers.into_iter().map(|number| number as u32).collect())
    })
}

fn payload_size(node: &Node, throughput: bool) -> Read<Vec<Bytes>> {
    let payload: Bytes = values::quantity(node)?;
    if payload > LARGEST_PAYLOAD {
        return Err(Fault::new(node.place, format!("{payload} is too large")).into());
    }
    if throughput && payload.0 == 0 {
        return Err(Fault::new(node.place, "messages without payload make no volume").into());
    }
    Ok(vec![payload])
}
