//! Finds what keeps a hub from carrying more users, from the samples of repetitions that missed the
//! objectives. Pure functions.

#[cfg(test)]
pub mod tests;

use crate::{
    format::core_noun,
    measure::{FAILURE_CODE, ResourceSample},
    plan::Plan,
    record::{
        Record, Repetition, Resources,
        capacity::{LimitingFactor, LimitingResource},
    },
    server::{LimitKind, OUT_OF_MEMORY_REPORT},
    units::Bytes,
};

/// Share of its allowance from which a resource counts as exhausted.
const EXHAUSTED_SHARE: f64 = 0.9;
/// Share of the time for which its CPU limit must have throttled a server to count as throttling.
const MIN_THROTTLED_SHARE: f64 = 0.1;

/// Texts by which a failure's reason reports a server killed for lack of memory: the present one, and
/// that in records of earlier versions, which may be resumed.
const OUT_OF_MEMORY_TEXTS: [&str; 2] = [OUT_OF_MEMORY_REPORT, "want of memory"];

/// A resource that was exhausted in one repetition.
#[derive(Debug, Clone, PartialEq)]
struct Bottleneck {
    resource: LimitingResource,
    server: Option<String>,
    /// Share in use, for the order; above 1 where throttling was measured.
    weight: f64,
    text: String,
}

/// Returns the resources exhausted in `missed`, the repetitions that missed the objectives, ordered by
/// the number of repetitions.
pub fn constraints(missed: &[&Repetition], plan: &Plan, record: &Record) -> Vec<LimitingFactor> {
    let mut found: Vec<(Bottleneck, u32)> = Vec::new();
    for repetition in missed {
        for bottleneck in bottlenecks(repetition, plan, record) {
            let same = |(known, _): &&mut (Bottleneck, u32)| {
                known.resource == bottleneck.resource && known.server == bottleneck.server
            };
            match found.iter_mut().find(same) {
                Some((known, seen)) => {
                    *seen += 1;
                    if bottleneck.weight > known.weight {
                        *known = bottleneck;
                    }
                }
                None => found.push((bottleneck, 1)),
            }
        }
    }
    found
        .sort_by(|(a, seen_a), (b, seen_b)| seen_b.cmp(seen_a).then(b.weight.total_cmp(&a.weight)));
    let of = missed.len() as u32;
    let constraint = |(Bottleneck { resource, server, text, .. }, seen)| LimitingFactor {
        resource,
        server,
        text,
        seen,
        of,
    };
    found.into_iter().map(constraint).collect()
}

/// Whether a search that ended with these constraints measured the hub, not the generator.
pub fn is_about_hub(constraints: &[LimitingFactor]) -> bool {
    constraints.first().is_none_or(|first| first.resource != LimitingResource::Generator)
}

fn bottlenecks(repetition: &Repetition, plan: &Plan, record: &Record) -> Vec<Bottleneck> {
    let mut found = Vec::new();
    let limits = &plan.hub.limits;
    let hub_cores = record.provenance.hub.cores.map(f64::from);
    for (role, resources) in &repetition.resources {
        let samples = repetition.samples.get(role).map_or(&[][..], Vec::as_slice);
        let mut add = |resource, weight, text| {
            found.push(Bottleneck { resource, server: Some(role.clone()), weight, text });
        };
        let allowed = limits.cpus.map(|cpus| cpus.0).or(hub_cores);
        if let Some((weight, text)) =
            cpu_bottleneck(resources, samples, allowed, repetition.seconds)
        {
            add(LimitingResource::Cpu, weight, text);
        }
        if let Some((used, limit)) = resources.memory.max.zip(limits.memory) {
            let share = used.0 as f64 / limit.0 as f64;
            if share >= EXHAUSTED_SHARE {
                add(LimitingResource::Memory, share, format!("{used} of {limit}"));
            }
        }
        if let (Some(written), Some(limit)) = (resources.block.written, limits.disk_write)
            && repetition.seconds > 0.0
        {
            let rate = written.0 as f64 / repetition.seconds;
            if rate >= EXHAUSTED_SHARE * limit.0 {
                let rate = Bytes(rate as u64);
                add(
                    LimitingResource::Disk,
                    rate.0 as f64 / limit.0,
                    format!("{rate}/s of {limit}"),
                );
            }
        }
        if let Some((weight, text)) =
            link_bottleneck(resources, samples, repetition.seconds, plan, record)
        {
            add(LimitingResource::Link, weight, text);
        }
    }
    for reason in &repetition.verdict.reasons {
        let out_of_memory = OUT_OF_MEMORY_TEXTS.iter().any(|text| reason.text.contains(text));
        if reason.code != FAILURE_CODE {
            continue;
        }
        let (resource, text) = if out_of_memory {
            (LimitingResource::Memory, "a server ran out of memory and was killed")
        } else {
            (LimitingResource::Failure, reason.text.lines().next().unwrap_or_default())
        };
        found.push(Bottleneck { resource, server: None, weight: 2.0, text: text.into() });
    }
    // A machine that is busy because a server uses all of its allowance is not the generator's fault.
    let at_limit = limits.cpus.is_some()
        && found.iter().any(|bottleneck| bottleneck.resource == LimitingResource::Cpu);
    for reason in &repetition.verdict.reasons {
        let weight = match reason.code.as_str() {
            // The generator's lateness distorts the figures by which the server is judged.
            "client-saturated" | "client-delayed" | "client-stolen" | "client-timer" => 3.0,
            "machine-saturated" if !at_limit => 1.5,
            _ => continue,
        };
        found.retain(|bottleneck| {
            bottleneck.resource != LimitingResource::Generator || bottleneck.weight >= weight
        });
        if !found.iter().any(|bottleneck| bottleneck.resource == LimitingResource::Generator) {
            let text = reason.text.clone();
            found.push(Bottleneck {
                resource: LimitingResource::Generator,
                server: None,
                weight,
                text,
            });
        }
    }
    found
}

/// Whether a server exhausted its allowed cores, over the load or in the busier half of the samples.
fn cpu_bottleneck(
    resources: &Resources,
    samples: &[ResourceSample],
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
    let held_back = throttled.filter(|time| seconds > 0.0 && time / seconds >= MIN_THROTTLED_SHARE);
    let busy = busier_half_mean(samples, |sample| sample.cpu_cores).unwrap_or(mean);
    let share = busy.max(mean) / allowed;
    if share < EXHAUSTED_SHARE && held_back.is_none() {
        return None;
    }
    let throttling = held_back.map_or_else(String::new, |time| {
        format!(", all threads together held back for {time:.1} s of {seconds:.0} s")
    });
    let text =
        format!("{:.2} of {allowed} {} in use{throttling}", busy.max(mean), core_noun(allowed));
    // Throttling is proof, a high share alone is an indication.
    Some((if held_back.is_some() { 2.0 + share } else { share }, text))
}

/// Returns the mean of the higher half of the samples; `None` without samples. An overloaded server
/// may have been idle again while the last messages drained.
fn busier_half_mean(
    samples: &[ResourceSample],
    value: impl Fn(&ResourceSample) -> Option<f64>,
) -> Option<f64> {
    let mut values: Vec<f64> = samples.iter().filter_map(value).collect();
    values.sort_by(f64::total_cmp);
    let upper = &values[values.len() / 2..];
    (!upper.is_empty()).then(|| upper.iter().sum::<f64>() / upper.len() as f64)
}

/// Whether a server's link was saturated in one direction; each direction has its limit.
fn link_bottleneck(
    resources: &Resources,
    samples: &[ResourceSample],
    seconds: f64,
    plan: &Plan,
    record: &Record,
) -> Option<(f64, String)> {
    let network = &resources.network;
    let into = (
        LimitKind::LinkIn,
        "in",
        network.received,
        busier_half_mean(samples, |s| s.network_received),
    );
    let out =
        (LimitKind::LinkOut, "out", network.sent, busier_half_mean(samples, |s| s.network_sent));
    let full = |(kind, direction, total, busy): (LimitKind, &str, Option<Bytes>, Option<f64>)| {
        let known = record.provenance.limits.iter().find(|limit| limit.limit == kind);
        let asked = plan.hub.limits.link.map(|rate| rate.0);
        let limit = known.and_then(|limit| limit.in_force).or(asked)?;
        let mean = total.filter(|_| seconds > 0.0).map(|bytes| bytes.0 as f64 / seconds);
        let rate = mean.into_iter().chain(busy).reduce(f64::max)?;
        let text = format!("{}/s {direction} of {}/s", Bytes(rate as u64), Bytes(limit as u64));
        (rate >= EXHAUSTED_SHARE * limit).then_some((rate / limit, text))
    };
    let directions = [into, out].into_iter().filter_map(full);
    directions.reduce(|one, other| if other.0 > one.0 { other } else { one })
}
