//! Resuming a partial record: plan, program, images, hub and client must be unchanged, otherwise its
//! repetitions would not be comparable. The error names every difference.

use std::{collections::BTreeSet, path::Path};

use serde_json::Value;

use super::resolve;
use crate::{
    backend,
    engine::RunError,
    hub::Hub,
    measure::Judgement,
    plan::Plan,
    profile::Profile,
    record::{ProgramVersion, Provenance, Record, RecordStatus, store},
    server::HubFacts,
};

/// Maximum number of differences listed; further ones are only counted.
const MAX_LISTED_DIFFERENCES: usize = 12;

/// Name of the present values in a difference from a record.
const NOW: &str = "now";

/// Loads the record at `path` to resume it with the plan that it contains.
///
/// # Errors
/// The record cannot be loaded, contradicts itself, or its plan is not that of its profile: such a plan was
/// never checked, and executing it may take any time and load.
pub fn load_resumable(path: &Path) -> Result<Record, RunError> {
    let record = store::load(path)?;
    if record.hubmark != ProgramVersion::current() {
        // Another version may expand the profile differently; its record is refused later.
        return Ok(record);
    }
    let refuse = |found| reject_differences("its plan is not that of its profile", found, path);
    let profile = match Profile::parse(&record.profile, &backend::catalogue()) {
        Ok(profile) => profile,
        Err(problems) => {
            refuse(problems.to_string().lines().map(str::to_owned).collect())?;
            return Ok(record);
        }
    };
    let mut plan = profile.plan();
    // The operator may have added repetitions.
    if record.plan.repetitions > plan.repetitions && plan.capacity.is_none() {
        plan.set_repetitions(record.plan.repetitions);
    }
    let mut found = Vec::new();
    let (then, by_profile) = (json_of(&record.plan), json_of(&plan));
    collect_differences("plan", &then, &by_profile, "by its profile", &mut found);
    refuse(found)?;
    Ok(record)
}

fn json_of(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

/// Prepares the partial `record` at `path` for continuation on the hub and the client of `now`.
/// Failed repetitions become failed tries and will be executed again.
///
/// # Errors
/// All differences between the record's plan, program, hub or client and the current ones.
pub fn prepare_record(
    mut record: Record,
    plan: &Plan,
    now: &Provenance,
    path: &Path,
) -> Result<Record, RunError> {
    let mut found = Vec::new();
    for (name, then, now) in [
        ("plan", json_of(&record.plan), json_of(plan)),
        ("hubmark", json_of(&record.hubmark), json_of(&ProgramVersion::current())),
    ] {
        collect_differences(name, &then, &now, NOW, &mut found);
    }
    compare_machines("hub", &record.provenance.hub, &now.hub, &mut found);
    compare_machines("client", &record.provenance.client, &now.client, &mut found);
    reject_differences(INCOMPARABLE, found, path)?;
    for point in &mut record.points {
        let searching = plan.capacity.is_some();
        let (finished, failed) =
            std::mem::take(&mut point.repetitions).into_iter().partition(|done| {
                // In a search a repetition that failed in spite of its retries is a result.
                done.verdict.status != Judgement::Failed || (searching && done.is_conclusive())
            });
        point.repetitions = finished;
        point.failed_tries.extend::<Vec<_>>(failed);
        // The saved summary counts the failed ones; it is made anew with the next save.
        point.summary = None;
    }
    record.resumed.push(jiff::Timestamp::now());
    record.finished = None;
    record.ended = None;
    record.status = RecordStatus::Partial;
    Ok(record)
}

/// Verifies that the images of `plan` are those of the record, as far as their digests are known. A
/// removed image counts as different: it would be built anew, with another digest.
///
/// # Errors
/// All images that differ.
pub async fn verify_images(
    plan: &Plan,
    record: &Record,
    hub: &dyn Hub,
    path: &Path,
) -> Result<(), RunError> {
    let mut found = Vec::new();
    for image in resolve::required_images(plan)? {
        let name = image.reference();
        let servers = record.provenance.servers.values();
        let known = servers.flat_map(|server| server.images.values());
        let Some(then) =
            known.filter(|known| known.image == name).find_map(|known| known.digest.as_ref())
        else {
            continue;
        };
        let now = hub.image_digest(&image).await;
        if now.as_ref() != Some(then) {
            let now = now.unwrap_or_else(|| "missing".into());
            found.push(format!("image {name}: {then} in the record, {now} now"));
        }
    }
    reject_differences(INCOMPARABLE, found, path)
}

/// Reason why a record with another plan, program, hub or client is not resumed.
const INCOMPARABLE: &str = "its repetitions would not be comparable with new ones";

fn reject_differences(reason: &str, mut found: Vec<String>, path: &Path) -> Result<(), RunError> {
    if found.is_empty() {
        return Ok(());
    }
    let more = found.len().saturating_sub(MAX_LISTED_DIFFERENCES);
    found.truncate(MAX_LISTED_DIFFERENCES);
    if more > 0 {
        found.push(format!("and {more} more"));
    }
    Err(RunError::Resume {
        path: path.display().to_string(),
        reason: format!(
            "{reason}\n  {}\n  start a new run: hubmark run PROFILE",
            found.join("\n  ")
        ),
    })
}

/// Compares the properties that identify a machine, leaving out those that change within hours.
fn compare_machines(name: &str, then: &HubFacts, now: &HubFacts, found: &mut Vec<String>) {
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
    collect_differences(name, &identity(then), &identity(now), NOW, found);
    // These are read on the host of the hub, which does not always succeed.
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

/// Adds every leaf in which two JSON values differ, with its path, to `found`; `other` names the second value.
fn collect_differences(
    path: &str,
    then: &Value,
    now: &Value,
    other: &str,
    found: &mut Vec<String>,
) {
    match (then, now) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<_> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let side = |table: &serde_json::Map<String, Value>| table.get(key).cloned();
                let (a, b) = (side(a).unwrap_or_default(), side(b).unwrap_or_default());
                collect_differences(&format!("{path}.{key}"), &a, &b, other, found);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (number, (a, b)) in a.iter().zip(b).enumerate() {
                collect_differences(&format!("{path}[{number}]"), a, b, other, found);
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            found.push(format!("{path}: {} in the record, {} {other}", a.len(), b.len()));
        }
        (a, b) if a != b => {
            let shown = |value: &Value| match value {
                Value::Null => "nothing".into(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            found.push(format!("{path}: {} in the record, {} {other}", shown(a), shown(b)));
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
        collect_differences("plan", &then, &now, NOW, &mut found);
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
    fn a_hub_is_identified_by_its_stable_facts() {
        let mut found = Vec::new();
        let then = HubFacts { kernel: Some("6.1".into()), cores: Some(4), ..HubFacts::default() };
        compare_machines(
            "hub",
            &then,
            &HubFacts { api: Some("1.52".into()), ..then.clone() },
            &mut found,
        );
        assert_eq!(found, [""; 0]);
        let other = HubFacts { kernel: Some("6.6".into()), ..then.clone() };
        compare_machines("hub", &then, &other, &mut found);
        assert_eq!(found, ["hub.kernel: 6.1 in the record, 6.6 now"]);
    }
}
