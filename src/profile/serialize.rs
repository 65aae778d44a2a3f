//! Serialization of a profile: as TOML for files, and value by value for the form on the screen.

use std::{collections::BTreeSet, fmt::Write, time::Duration};

use serde_json::Value as Json;
use toml::Value;

use super::{
    LoadLength, Profile, WorkloadKind,
    catalogue::SettingKind,
    keys::{
        self, KEYS,
        choices::{CAPACITY, LATENCY, THROUGHPUT},
    },
    presets, values,
};
use crate::{
    plan::{ArrivalDistribution, DEFAULT_HUB_TIMEOUT, FaultKind, Threshold, counts_messages},
    units::{Bytes, exact_duration},
};

impl Profile {
    /// The profile as TOML with every default written out; parsing it gives the same profile.
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        let mut section = "";
        let mut keys = KEYS.iter().peekable();
        while let Some(key) = keys.next() {
            let Some(value) = self.toml_value(key.path) else { continue };
            let parts: Vec<&str> = key.path.split('.').collect();
            if parts.len() > 1 && parts[0] != section {
                section = parts[0];
                push_line(&mut text, format_args!("\n[{section}]"));
            }
            if let [_, table, name] = parts[..] {
                // Keys of an inner table are adjacent in `KEYS`: they go into one line.
                let prefix = key.path.trim_end_matches(name);
                let mut entries = vec![format!("{name} = {value}")];
                while let Some(next) = keys.next_if(|next| next.path.starts_with(prefix)) {
                    let value = self.toml_value(next.path);
                    entries.extend(value.map(|value| format!("{} = {value}", next.name())));
                }
                push_line(&mut text, format_args!("{table} = {{ {} }}", entries.join(", ")));
            } else {
                push_line(&mut text, format_args!("{} = {value}", key.name()));
            }
        }
        self.write_thresholds(&mut text);
        self.write_faults(&mut text);
        self.write_settings(&mut text);
        text
    }

    /// Value of `key` as typed in a form: `100, 400, 1000`, `250 ms`; `None` if the profile has
    /// none.
    ///
    /// [`Profile::set`] parses this text.
    pub fn value_text(&self, key: &str) -> Option<String> {
        if key == keys::USERS.path {
            let users: Vec<u64> = self.workload.users.iter().map(|&users| users.into()).collect();
            return Some(values::format_numbers(&users));
        }
        if let Some(value) = self.toml_value(key) {
            return Some(form_text(&value));
        }
        let (table, name) = key.split_once('.')?;
        if table == keys::THRESHOLDS.path {
            let threshold = self.thresholds.iter().find(|threshold| threshold.metric == name)?;
            return Some(form_text(&limit_to_toml(threshold)));
        }
        self.setting_value(table, name).map(|value| form_text(&value))
    }

    /// All keys that have a value, with their [`Self::value_text`]; settings of backends include
    /// defaults.
    pub fn value_texts(&self) -> Vec<(String, String)> {
        let keys =
            KEYS.iter().filter_map(|key| Some((key.path.to_owned(), self.value_text(key.path)?)));
        let backends: BTreeSet<&str> = self.backends.iter().map(|it| it.name.as_str()).collect();
        let settings = backends.into_iter().flat_map(|backend| {
            let written = move |(name, value): (String, Json)| {
                let value = self.setting_to_toml(backend, &name, &value)?;
                Some((format!("{backend}.{name}"), form_text(&value)))
            };
            self.settings_with_defaults(backend).into_iter().filter_map(written)
        });
        keys.chain(settings).collect()
    }

    /// TOML value of one of [`KEYS`].
    fn toml_value(&self, path: &str) -> Option<Value> {
        let (hub, workload, run) = (&self.hub, &self.workload, &self.run);
        // Limits of the preset are not written out: otherwise another preset would change nothing.
        let limits = &hub
            .like
            .as_deref()
            .and_then(presets::find)
            .map_or(hub.limits, |like| like.overridden_limits(&hub.limits));
        let text = |text: &str| Some(Value::from(text));
        let number = |number: u64| i64::try_from(number).ok().map(Value::Integer);
        let time = |time: Duration| Some(Value::String(exact_duration(time)));
        match path {
            "name" => text(&self.name),
            "description" => text(&self.description),
            "backend" => {
                scalar_or_array(self.backends.iter().map(|choice| choice.profile_value().into()))
            }
            "hub.kind" => text(hub.kind.name()),
            "hub.engine" => hub.engine.as_deref().and_then(text),
            "hub.address" => hub.address.as_deref().and_then(text),
            "hub.certificates" => hub.certificates.as_deref().and_then(text),
            // Written only where it differs: most hubs are fast enough.
            "hub.timeout" => (hub.timeout != DEFAULT_HUB_TIMEOUT).then(|| time(hub.timeout))?,
            "hub.limits.cpus" => limits.cpus.map(|cpus| cpus.exact().into()),
            "hub.limits.memory" => limits.memory.map(|memory| memory.exact().into()),
            "hub.like" => hub.like.as_deref().and_then(text),
            "hub.limits.disk_write" => limits.disk_write.map(|rate| rate.exact().into()),
            "hub.limits.link" => limits.link.map(|rate| rate.exact().into()),
            "hub.limits.delay" => limits.delay.and_then(time),
            "workload.users" => {
                scalar_or_array(workload.users.iter().map(|&users| i64::from(users).into()))
            }
            "workload.payload" => {
                scalar_or_array(workload.payload.iter().map(|payload| payload.exact().into()))
            }
            "workload.payload_source" => text(workload.payload_source.name()),
            "workload.drain" => time(workload.drain),
            "run.repetitions" => match workload.kind {
                WorkloadKind::Capacity { .. } => None,
                _ => number(run.repetitions.into()),
            },
            "run.retries" => number(run.retries.into()),
            "run.order" => text(run.order.name()),
            "run.seed" => number(run.seed),
            "run.durability" => {
                scalar_or_array(run.durability.iter().map(|durability| durability.name().into()))
            }
            "run.baseline" => time(run.baseline),
            "run.server_warmup" => time(run.server_warmup),
            "run.cooldown.below" => run.cooldown.map(|cooldown| cooldown.below.exact().into()),
            "run.cooldown.limit" => run.cooldown.and_then(|cooldown| time(cooldown.limit)),
            // Written only if requested: most profiles do not request it.
            "run.footprint" => run.footprint.then_some(Value::Boolean(true)),
            "run.steering" => match workload.kind {
                WorkloadKind::Latency { .. } => run.steering.then_some(Value::Boolean(true)),
                _ => None,
            },
            _ => self.workload_value(path),
        }
    }

    /// TOML value of a key that not every kind of workload has.
    fn workload_value(&self, path: &str) -> Option<Value> {
        let time = |time: Duration| Some(Value::String(exact_duration(time)));
        match &self.workload.kind {
            WorkloadKind::Latency { length, arrival, warmup }
            | WorkloadKind::Capacity { length, arrival, warmup, .. } => {
                match (path, length, arrival) {
                    ("workload.kind", ..) => Some(match self.workload.kind {
                        WorkloadKind::Capacity { .. } => CAPACITY.into(),
                        _ => LATENCY.into(),
                    }),
                    ("workload.objectives", ..) => self.objectives(),
                    ("workload.messages", LoadLength::Messages(messages), _) => {
                        Some(i64::from(*messages).into())
                    }
                    ("workload.duration", LoadLength::Duration(duration), _) => time(*duration),
                    ("workload.arrival.distribution", _, arrival) => Some(arrival.name().into()),
                    ("workload.arrival.mean", _, arrival) => time(arrival.mean()),
                    (
                        "workload.arrival.deviation",
                        _,
                        ArrivalDistribution::Normal { deviation, .. },
                    ) => time(*deviation),
                    ("workload.warmup", ..) => time(*warmup),
                    _ => None,
                }
            }
            WorkloadKind::Throughput { volume, scenario } => match path {
                "workload.kind" => Some(THROUGHPUT.into()),
                "workload.volume" => Some(volume.exact().into()),
                "workload.scenario" => {
                    scalar_or_array(scenario.iter().map(|scenario| scenario.name().into()))
                }
                _ => None,
            },
        }
    }

    /// Objectives of a capacity search as a TOML value.
    fn objectives(&self) -> Option<Value> {
        let WorkloadKind::Capacity { objectives, .. } = &self.workload.kind else { return None };
        let limits =
            objectives.iter().map(|objective| (objective.metric.clone(), limit_to_toml(objective)));
        Some(Value::Table(limits.collect()))
    }

    fn write_thresholds(&self, text: &mut String) {
        if !self.thresholds.is_empty() {
            push_line(text, format_args!("\n[{}]", keys::THRESHOLDS.path));
        }
        for threshold in &self.thresholds {
            push_line(
                text,
                format_args!("\"{}\" = {}", threshold.metric, limit_to_toml(threshold)),
            );
        }
    }

    fn write_faults(&self, text: &mut String) {
        for fault in &self.faults {
            let quoted = |value: String| Value::String(value);
            push_line(text, format_args!("\n[[{}]]", keys::FAULT.path));
            push_line(text, format_args!("at = {}", quoted(exact_duration(fault.at))));
            push_line(text, format_args!("kind = {}", quoted(fault.kind.name().into())));
            if let Some(duration) = fault.duration {
                push_line(text, format_args!("for = {}", quoted(exact_duration(duration))));
            }
            if let Some(role) = &fault.server {
                push_line(text, format_args!("server = {}", quoted(role.clone())));
            }
            if let FaultKind::SlowDisk { disk_write } = fault.kind {
                push_line(text, format_args!("disk_write = {}", quoted(disk_write.exact())));
            }
            if let FaultKind::Limit { cpus, memory } = fault.kind {
                if let Some(cpus) = cpus {
                    push_line(text, format_args!("cpus = {}", quoted(cpus.exact())));
                }
                if let Some(memory) = memory {
                    push_line(text, format_args!("memory = {}", quoted(memory.exact())));
                }
            }
        }
    }

    fn write_settings(&self, text: &mut String) {
        for (backend, settings) in &self.settings {
            push_line(text, format_args!("\n[{backend}]"));
            for key in settings.keys() {
                if let Some(value) = self.setting_value(backend, key) {
                    push_line(text, format_args!("{key} = {value}"));
                }
            }
        }
    }

    /// A backend's setting as a TOML value.
    fn setting_value(&self, backend: &str, key: &str) -> Option<Value> {
        self.setting_to_toml(backend, key, self.settings.get(backend)?.get(key)?)
    }

    /// Converts a value of a backend's setting to TOML.
    fn setting_to_toml(&self, backend: &str, key: &str, value: &Json) -> Option<Value> {
        match self.catalogue.find(backend)?.setting(key)?.kind {
            SettingKind::Bytes => Some(Bytes(value.as_u64()?).exact().into()),
            SettingKind::Duration => {
                let time = Duration::try_from_secs_f64(value.as_f64()?).ok()?;
                Some(exact_duration(time).into())
            }
            _ => json_to_toml(value),
        }
    }
}

/// Converts the limit of a threshold to TOML.
fn limit_to_toml(threshold: &Threshold) -> Value {
    let whole = threshold.at_most as u64;
    if counts_messages(&threshold.metric) {
        Value::Integer(i64::try_from(whole).unwrap_or(i64::MAX))
    } else {
        Value::String(exact_duration(Duration::from_micros(whole)))
    }
}

fn scalar_or_array(values: impl Iterator<Item = Value>) -> Option<Value> {
    let mut values: Vec<Value> = values.collect();
    if values.len() == 1 { values.pop() } else { Some(Value::Array(values)) }
}

fn json_to_toml(json: &Json) -> Option<Value> {
    match json {
        Json::String(text) => Some(Value::from(text.as_str())),
        Json::Bool(truth) => Some(Value::from(*truth)),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Some(Value::Integer(whole)),
            None => number.as_f64().map(Value::Float),
        },
        Json::Object(table) => Some(Value::Table(
            table
                .iter()
                .filter_map(|(key, value)| Some((key.clone(), json_to_toml(value)?)))
                .collect(),
        )),
        Json::Null | Json::Array(_) => None,
    }
}

/// Formats a value as typed in a form.
fn form_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(form_text).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

fn push_line(text: &mut String, content: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{content}");
}
