//! What keeps a hub from carrying more users: judged from the samples of repetitions in which the
//! objectives were missed. Pure.

use crate::{
    measure::Load,
    plan::Plan,
    record::{
        Record, Repetition, Resources,
        capacity::{Constraint, Resource},
    },
    server::LimitKind,
    units::Bytes,
};

/// Share of what it may use above which a resource counts as used up.
const USED_UP: f64 = 0.9;
/// Share of the time for which a server must have been held back by its CPU limit to be said to be.
const HELD_BACK: f64 = 0.1;

/// What one repetition says.
#[derive(Debug, Clone, PartialEq)]
struct Finding {
    resource: Resource,
    server: Option<String>,
    /// How much of it was in use, for the order; above 1 where being held back was seen.
    weight: f64,
    text: String,
}

/// What was used up in `missed`, the repetitions in which the objectives did not hold: first what
/// was seen in most of them.
pub fn constraints(missed: &[&Repetition], plan: &Plan, record: &Record) -> Vec<Constraint> {
    let mut found: Vec<(Finding, u32)> = Vec::new();
    for repetition in missed {
        for finding in findings(repetition, plan, record) {
            let same = |(known, _): &&mut (Finding, u32)| {
                known.resource == finding.resource && known.server == finding.server
            };
            match found.iter_mut().find(same) {
                Some((known, seen)) => {
                    *seen += 1;
                    if finding.weight > known.weight {
                        *known = finding;
                    }
                }
                None => found.push((finding, 1)),
            }
        }
    }
    found
        .sort_by(|(a, seen_a), (b, seen_b)| seen_b.cmp(seen_a).then(b.weight.total_cmp(&a.weight)));
    let of = missed.len() as u32;
    let constraint = |(Finding { resource, server, text, .. }, seen)| Constraint {
        resource,
        server,
        text,
        seen,
        of,
    };
    found.into_iter().map(constraint).collect()
}

/// Whether a search that ended with these is an answer about the hub.
pub fn is_about_hub(constraints: &[Constraint]) -> bool {
    constraints.first().is_none_or(|first| first.resource != Resource::Generator)
}

fn findings(repetition: &Repetition, plan: &Plan, record: &Record) -> Vec<Finding> {
    let mut found = Vec::new();
    let limits = &plan.hub.limits;
    let hub_cores = record.provenance.hub.cores.map(f64::from);
    for (role, resources) in &repetition.resources {
        let samples = repetition.samples.get(role).map_or(&[][..], Vec::as_slice);
        let mut add = |resource, weight, text| {
            found.push(Finding { resource, server: Some(role.clone()), weight, text });
        };
        let allowed = limits.cpus.map(|cpus| cpus.0).or(hub_cores);
        if let Some((weight, text)) = cpu(resources, samples, allowed, repetition.seconds) {
            add(Resource::Cpu, weight, text);
        }
        if let Some((used, limit)) = resources.memory.max.zip(limits.memory) {
            let share = used.0 as f64 / limit.0 as f64;
            if share >= USED_UP {
                add(Resource::Memory, share, format!("{used} of {limit}"));
            }
        }
        if let (Some(written), Some(limit)) = (resources.block.written, limits.disk_write)
            && repetition.seconds > 0.0
        {
            let rate = written.0 as f64 / repetition.seconds;
            if rate >= USED_UP * limit.0 {
                let rate = Bytes(rate as u64);
                add(Resource::Disk, rate.0 as f64 / limit.0, format!("{rate}/s of {limit}"));
            }
        }
        if let Some((weight, text)) = link(resources, samples, repetition.seconds, plan, record) {
            add(Resource::Link, weight, text);
        }
    }
    for reason in &repetition.verdict.reasons {
        if reason.code == "error" && reason.text.contains("want of memory") {
            found.push(Finding {
                resource: Resource::Memory,
                server: None,
                weight: 2.0,
                text: "a server was killed for want of memory".into(),
            });
        }
    }
    // A machine that is busy because a server uses all that it may is no fault of the generator's.
    let at_limit =
        limits.cpus.is_some() && found.iter().any(|finding| finding.resource == Resource::Cpu);
    for reason in &repetition.verdict.reasons {
        let weight = match reason.code.as_str() {
            // Its own lateness spoils the very numbers by which the server is judged.
            "client-saturated" => 3.0,
            "machine-saturated" if !at_limit => 1.5,
            _ => continue,
        };
        found.retain(|finding| finding.resource != Resource::Generator || finding.weight >= weight);
        if !found.iter().any(|finding| finding.resource == Resource::Generator) {
            let text = reason.text.clone();
            found.push(Finding { resource: Resource::Generator, server: None, weight, text });
        }
    }
    found
}

/// Whether a server used up the cores that it may use, over the load or in its busiest half.
fn cpu(
    resources: &Resources,
    samples: &[Load],
    allowed: Option<f64>,
    seconds: f64,
) -> Option<(f64, String)> {
    let (allowed, mean) = (allowed?, resources.cpu.mean?);
    let throttled = resources
        .after
        .and_then(|reading| reading.throttled)
        .zip(resources.before.and_then(|reading| reading.throttled))
        .and_then(|(after, before)| after.checked_sub(before))
        .map(|time| time.as_secs_f64());
    let held_back = throttled.filter(|time| seconds > 0.0 && time / seconds >= HELD_BACK);
    let busy = busy(samples, |sample| sample.cpu_cores).unwrap_or(mean);
    let share = busy.max(mean) / allowed;
    if share < USED_UP && held_back.is_none() {
        return None;
    }
    let held = held_back.map_or_else(String::new, |time| {
        format!(", all threads together held back for {time:.1} s of {seconds:.0} s")
    });
    let text = format!("{:.2} of {allowed} cores in use{held}", busy.max(mean));
    // Being held back is proof, a high share alone is a sign.
    Some((if held_back.is_some() { 2.0 + share } else { share }, text))
}

/// The mean of the busier half of the samples: an overrun server may have been idle again while the
/// last messages drained. `None` without samples.
fn busy(samples: &[Load], value: impl Fn(&Load) -> Option<f64>) -> Option<f64> {
    let mut values: Vec<f64> = samples.iter().filter_map(value).collect();
    values.sort_by(f64::total_cmp);
    let upper = &values[values.len() / 2..];
    (!upper.is_empty()).then(|| upper.iter().sum::<f64>() / upper.len() as f64)
}

/// Whether a server's link, limited in each direction by itself, was full in one of them.
fn link(
    resources: &Resources,
    samples: &[Load],
    seconds: f64,
    plan: &Plan,
    record: &Record,
) -> Option<(f64, String)> {
    let network = &resources.network;
    let into = (LimitKind::LinkIn, "in", network.received, busy(samples, |s| s.network_received));
    let out = (LimitKind::LinkOut, "out", network.sent, busy(samples, |s| s.network_sent));
    let full = |(kind, way, total, busy): (LimitKind, &str, Option<Bytes>, Option<f64>)| {
        let known = record.provenance.limits.iter().find(|limit| limit.limit == kind);
        let asked = plan.hub.limits.link.map(|rate| rate.0);
        let limit = known.and_then(|limit| limit.in_force).or(asked)?;
        let mean = total.filter(|_| seconds > 0.0).map(|bytes| bytes.0 as f64 / seconds);
        let rate = mean.into_iter().chain(busy).reduce(f64::max)?;
        let text = format!("{}/s {way} of {}/s", Bytes(rate as u64), Bytes(limit as u64));
        (rate >= USED_UP * limit).then_some((rate / limit, text))
    };
    let ways = [into, out].into_iter().filter_map(full);
    ways.reduce(|one, other| if other.0 > one.0 { other } else { one })
}

#[cfg(test)]
mod tests;
