//! Provenance of a record (hubmark, plan, machines, servers) as pairs of name and value.
//!
//! The page prints the pairs, and a comparison reports those that differ.

use std::time::Duration;

use serde_json::Value;

use crate::{
    format::MISSING,
    record::{Provenance, Record},
    units::{Bytes, human_duration},
};

/// Returns every provenance fact of the record, in a fixed order of names.
pub fn provenance_facts(record: &Record) -> Vec<(String, String)> {
    let mut facts = vec![
        ("hubmark".to_owned(), version(record)),
        ("started".to_owned(), record.started.to_string()),
        ("finished".to_owned(), record.finished.map_or_else(|| MISSING.into(), |t| t.to_string())),
    ];
    facts.extend(plan_facts(record));
    facts.extend(machine_facts(&record.provenance));
    facts
}

/// Returns the facts that should be equal in two compared records: all but the times.
pub fn comparable_facts(record: &Record) -> Vec<(String, String)> {
    let mut facts = vec![("hubmark".to_owned(), version(record))];
    facts.extend(plan_facts(record));
    facts.extend(machine_facts(&record.provenance));
    facts
}

fn version(record: &Record) -> String {
    match &record.hubmark.commit {
        Some(commit) => format!("{} ({commit})", record.hubmark.version),
        None => record.hubmark.version.clone(),
    }
}

fn plan_facts(record: &Record) -> Vec<(String, String)> {
    let plan = &record.plan;
    let mut facts = vec![
        ("plan.profile".to_owned(), plan.profile.clone()),
        ("plan.seed".to_owned(), plan.seed.to_string()),
        ("plan.repetitions".to_owned(), plan.repetitions.to_string()),
    ];
    for (name, value) in [
        ("plan.order", serde_json::to_value(plan.order)),
        ("plan.baseline", serde_json::to_value(plan.baseline.as_secs_f64())),
        ("plan.server_warmup", serde_json::to_value(plan.server_warmup.as_secs_f64())),
        ("plan.hub", serde_json::to_value(&plan.hub)),
        ("plan.settings", serde_json::to_value(&plan.settings)),
    ] {
        flatten(name, &value.unwrap_or_default(), &mut facts);
    }
    facts
}

fn machine_facts(provenance: &Provenance) -> Vec<(String, String)> {
    let mut facts = Vec::new();
    // Serializing this program's types to JSON does not fail.
    if let Ok(value) = serde_json::to_value(provenance) {
        flatten("", &value, &mut facts);
    }
    facts
}

fn flatten(name: &str, value: &Value, into: &mut Vec<(String, String)>) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                flatten(&name, value, into);
            }
        }
        Value::Null => into.push((name.to_owned(), MISSING.to_owned())),
        Value::String(text) => into.push((name.to_owned(), text.clone())),
        Value::Array(list) if list.is_empty() => {}
        other => into.push((name.to_owned(), format_with_unit(name, other))),
    }
}

/// Formats a value with the unit that the record's JSON schema gives it.
fn format_with_unit(name: &str, value: &Value) -> String {
    let key = name.rsplit('.').next().unwrap_or(name);
    match (key, value.as_u64(), value.as_f64()) {
        ("memory", Some(bytes), _) => Bytes(bytes).to_string(),
        ("temperature" | "temperature_limit", _, Some(degrees)) => format!("{degrees} °C"),
        ("fsync" | "baseline" | "server_warmup", _, Some(seconds)) => {
            Duration::try_from_secs_f64(seconds).map_or_else(|_| value.to_string(), human_duration)
        }
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_units() {
        let mut facts = Vec::new();
        let hub = serde_json::json!({ "memory": 25_276_514_304_u64, "fsync": 0.002_829, "cores": 2,
            "temperature": 48.5 });
        flatten("hub", &hub, &mut facts);
        let value = |name: &str| facts.iter().find(|(it, _)| it == name).unwrap().1.as_str();
        assert_eq!(value("hub.memory"), "25.3 GB");
        assert_eq!(value("hub.fsync"), "2.83 ms");
        assert_eq!(value("hub.temperature"), "48.5 °C");
        assert_eq!(value("hub.cores"), "2");
    }

    #[test]
    fn what_is_unknown_is_named_and_not_dropped() {
        let mut facts = Vec::new();
        let value = serde_json::json!({ "hub": { "model": null, "cores": 4 }, "list": [] });
        flatten("", &value, &mut facts);
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(facts, [pair("hub.cores", "4"), pair("hub.model", MISSING)]);
    }
}
