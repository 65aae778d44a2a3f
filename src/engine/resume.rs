//! Whether a partial record can be gone on with: its plan, its images and its hub must be those of
//! now, or its repetitions would not be comparable. Every difference is named.

use std::{collections::BTreeSet, path::Path};

use serde_json::Value;

use super::{EngineError, run, strategy::is_outcome};
use crate::{
    hub::Hub,
    measure::Judgement,
    plan::Plan,
    record::{Hubmark, Provenance, Record, Status},
    server::HubFacts,
};

/// Differences that are named; of more only the count is.
const NAMED: usize = 12;

/// The partial `record` at `path`, ready to go on from on the hub and the client of `now`.
/// Repetitions that failed are kept as failed tries and will be executed again.
///
/// # Errors
/// Everything in which the record's plan, program, hub or client is not that of now.
pub fn ready(
    mut record: Record,
    plan: &Plan,
    now: &Provenance,
    path: &Path,
) -> Result<Record, EngineError> {
    let mut found = Vec::new();
    for (name, then, now) in [
        ("plan", serde_json::to_value(&record.plan), serde_json::to_value(plan)),
        ("hubmark", serde_json::to_value(&record.hubmark), serde_json::to_value(Hubmark::this())),
    ] {
        let (then, now) = (then.unwrap_or_default(), now.unwrap_or_default());
        differences(name, &then, &now, &mut found);
    }
    machine("hub", &record.provenance.hub, &now.hub, &mut found);
    machine("client", &record.provenance.client, &now.client, &mut found);
    refuse(found, path)?;
    for point in &mut record.points {
        let searching = plan.capacity.is_some();
        let (kept, again) = std::mem::take(&mut point.repetitions).into_iter().partition(|done| {
            // In a search a repetition that failed in spite of its retries is an outcome.
            done.verdict.status != Judgement::Failed || (searching && is_outcome(done))
        });
        point.repetitions = kept;
        point.failed_tries.extend::<Vec<_>>(again);
    }
    record.resumed.push(jiff::Timestamp::now());
    record.finished = None;
    record.ended = None;
    record.status = Status::Partial;
    Ok(record)
}

/// Whether the images that `plan` needs are still those of the record, as far as they are known
/// and there: an image that is gone is made anew, and is another one then.
///
/// # Errors
/// Every image that is another one.
pub async fn images(
    plan: &Plan,
    record: &Record,
    hub: &dyn Hub,
    path: &Path,
) -> Result<(), EngineError> {
    let mut found = Vec::new();
    for image in run::images(plan)? {
        let name = image.reference();
        let servers = record.provenance.servers.values();
        let known = servers.flat_map(|server| server.images.values());
        let Some(then) =
            known.filter(|known| known.image == name).find_map(|known| known.digest.as_ref())
        else {
            continue;
        };
        let now = hub.digest(&image).await;
        if now.as_ref() != Some(then) {
            let now = now.unwrap_or_else(|| "not there".into());
            found.push(format!("image {name}: {then} in the record, {now} now"));
        }
    }
    refuse(found, path)
}

fn refuse(mut found: Vec<String>, path: &Path) -> Result<(), EngineError> {
    if found.is_empty() {
        return Ok(());
    }
    let more = found.len().saturating_sub(NAMED);
    found.truncate(NAMED);
    if more > 0 {
        found.push(format!("and {more} more"));
    }
    Err(EngineError::Resume {
        path: path.display().to_string(),
        reason: format!(
            "its repetitions could not be compared with those to come\n  {}\n  start a new run: hubmark run PROFILE",
            found.join("\n  ")
        ),
    })
}

/// What makes a machine the same one. What changes from one hour to the next is no part of it.
fn machine(name: &str, then: &HubFacts, now: &HubFacts, found: &mut Vec<String>) {
    let identity = |facts: &HubFacts| {
        serde_json::json!({
            "model": facts.model,
            "cpu": facts.cpu,
            "cores": facts.cores,
            "memory": facts.memory,
            "kernel": facts.kernel,
            "os": facts.os,
            "architecture": facts.architecture,
            "cgroup": facts.cgroup,
            "memory_cgroup": facts.memory_cgroup,
            "storage_driver": facts.storage_driver,
            "engine": facts.engine,
            "shared_with_client": facts.shared_with_client,
        })
    };
    differences(name, &identity(then), &identity(now), found);
    // These take a look into the hub, which does not always succeed.
    for (fact, then, now) in [
        ("storage_device", &then.storage_device, &now.storage_device),
        ("file_system", &then.file_system, &now.file_system),
        ("governor", &then.governor, &now.governor),
    ] {
        if let (Some(then), Some(now)) = (then, now)
            && then != now
        {
            found.push(format!("{name}.{fact}: {then} in the record, {now} now"));
        }
    }
}

/// Every leaf in which two values differ, by its path.
fn differences(path: &str, then: &Value, now: &Value, found: &mut Vec<String>) {
    match (then, now) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<_> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let side = |table: &serde_json::Map<String, Value>| table.get(key).cloned();
                let (a, b) = (side(a).unwrap_or_default(), side(b).unwrap_or_default());
                differences(&format!("{path}.{key}"), &a, &b, found);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (number, (a, b)) in a.iter().zip(b).enumerate() {
                differences(&format!("{path}[{number}]"), a, b, found);
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            found.push(format!("{path}: {} in the record, {} now", a.len(), b.len()));
        }
        (a, b) if a != b => {
            let word = |value: &Value| match value {
                Value::Null => "nothing".into(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            found.push(format!("{path}: {} in the record, {} now", word(a), word(b)));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_difference_is_named_by_its_path() {
        let mut found = Vec::new();
        let then = json!({"seed": 1, "points": [{"users": 10}, {"users": 20}], "same": [1, 2]});
        let now = json!({"seed": 2, "points": [{"users": 10}, {"users": 30}], "same": [1, 2], "new": "x"});
        differences("plan", &then, &now, &mut found);
        assert_eq!(
            found,
            [
                "plan.new: nothing in the record, x now",
                "plan.points[1].users: 20 in the record, 30 now",
                "plan.seed: 1 in the record, 2 now",
            ]
        );
    }

    #[test]
    fn a_hub_is_the_same_by_what_stays() {
        let mut found = Vec::new();
        let then = HubFacts { kernel: Some("6.1".into()), cores: Some(4), ..HubFacts::default() };
        machine("hub", &then, &HubFacts { api: Some("1.52".into()), ..then.clone() }, &mut found);
        assert_eq!(found, [""; 0]);
        let other = HubFacts { kernel: Some("6.6".into()), ..then.clone() };
        machine("hub", &then, &other, &mut found);
        assert_eq!(found, ["hub.kernel: 6.1 in the record, 6.6 now"]);
    }
}
