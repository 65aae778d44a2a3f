//! A profile as text: for files, and value by value for a form on the screen.

use std::{collections::BTreeSet, fmt::Write, time::Duration};

use serde_json::Value as Json;
use toml::Value;

use super::{
    Length, Profile, WorkloadKind, boxes,
    catalogue::SettingKind,
    keys::{self, KEYS, last},
    values,
};
use crate::{
    plan::{Arrival, BackendChoice, FaultKind, LOST, Order, PayloadSource, Threshold},
    units::{Bytes, exact_duration},
};

impl Profile {
    /// The profile as TOML, every default written out. Reading it back gives the same profile.
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        let mut section = "";
        let mut keys = KEYS.iter().peekable();
        while let Some(key) = keys.next() {
            let Some(value) = self.value(key.path) else { continue };
            let parts: Vec<&str> = key.path.split('.').collect();
            if parts.len() > 1 && parts[0] != section {
                section = parts[0];
                line(&mut text, format_args!("\n[{section}]"));
            }
            if let [_, table, name] = parts[..] {
                // Keys of an inner table follow each other: they go into one line.
                let prefix = key.path.trim_end_matches(name);
                let mut entries = vec![format!("{name} = {value}")];
                while let Some(next) = keys.next_if(|next| next.path.starts_with(prefix)) {
                    let value = self.value(next.path);
                    entries.extend(value.map(|value| format!("{} = {value}", last(next.path))));
                }
                line(&mut text, format_args!("{table} = {{ {} }}", entries.join(", ")));
            } else {
                line(&mut text, format_args!("{} = {value}", last(key.path)));
            }
        }
        self.write_thresholds(&mut text);
        self.write_faults(&mut text);
        self.write_settings(&mut text);
        text
    }

    /// The value of `key` as a person would write it in a form: `100, 400, 1000`, `250 ms`. `None`
    /// when the profile has none. [`Profile::set`] reads it back.
    pub fn text(&self, key: &str) -> Option<String> {
        if key == keys::USERS.path {
            let users: Vec<u64> = self.workload.users.iter().map(|&users| users.into()).collect();
            return Some(values::rolled_up(&users));
        }
        if let Some(value) = self.value(key) {
            return Some(plain(&value));
        }
        let (table, name) = key.split_once('.')?;
        if table == keys::THRESHOLDS.path {
            let threshold = self.thresholds.iter().find(|threshold| threshold.metric == name)?;
            return Some(plain(&limit(threshold)));
        }
        self.setting(table, name).map(|value| plain(&value))
    }

    /// Every key that has a value, with that value as [`Self::text`] has it; the settings of its
    /// backends with their defaults.
    pub fn texts(&self) -> Vec<(String, String)> {
        let keys = KEYS.iter().filter_map(|key| Some((key.path.to_owned(), self.text(key.path)?)));
        let backends: BTreeSet<&str> = self.backends.iter().map(|it| it.name.as_str()).collect();
        let settings = backends.into_iter().flat_map(|backend| {
            let written = move |(name, value): (String, Json)| {
                let value = self.written(backend, &name, &value)?;
                Some((format!("{backend}.{name}"), plain(&value)))
            };
            self.settings_of(backend).into_iter().filter_map(written)
        });
        keys.chain(settings).collect()
    }

    /// The value of one of [`KEYS`].
    fn value(&self, path: &str) -> Option<Value> {
        let (hub, workload, run) = (&self.hub, &self.workload, &self.run);
        // What a box brings along is not written out: another box would then change nothing.
        let limits = &hub
            .like
            .as_deref()
            .and_then(boxes::find)
            .map_or(hub.limits, |like| like.difference(&hub.limits));
        let text = |text: &str| Some(Value::from(text));
        let number = |number: u64| i64::try_from(number).ok().map(Value::Integer);
        let time = |time: Duration| Some(Value::String(exact_duration(time)));
        match path {
            "name" => text(&self.name),
            "description" => text(&self.description),
            "backend" => {
                one_or_list(self.backends.iter().map(|choice| backend_text(choice).into()))
            }
            "hub.kind" => text(hub.kind.word()),
            "hub.engine" => hub.engine.as_deref().and_then(text),
            "hub.address" => hub.address.as_deref().and_then(text),
            "hub.certificates" => hub.certificates.as_deref().and_then(text),
            "hub.limits.cpus" => limits.cpus.map(|cpus| cpus.exact().into()),
            "hub.limits.memory" => limits.memory.map(|memory| memory.exact().into()),
            "hub.like" => hub.like.as_deref().and_then(text),
            "hub.limits.disk_write" => limits.disk_write.map(|rate| rate.exact().into()),
            "hub.limits.link" => limits.link.map(|rate| rate.exact().into()),
            "hub.limits.delay" => limits.delay.and_then(time),
            "workload.users" => {
                one_or_list(workload.users.iter().map(|&users| i64::from(users).into()))
            }
            "workload.payload" => {
                one_or_list(workload.payload.iter().map(|payload| payload.exact().into()))
            }
            "workload.payload_source" => text(match workload.payload_source {
                PayloadSource::Seeded => "seeded",
                PayloadSource::Urandom => "urandom",
            }),
            "workload.drain" => time(workload.drain),
            "run.repetitions" => match workload.kind {
                WorkloadKind::Capacity { .. } => None,
                _ => number(run.repetitions.into()),
            },
            "run.retries" => number(run.retries.into()),
            "run.order" => text(match run.order {
                Order::Interleaved => "interleaved",
                Order::Blocked => "blocked",
            }),
            "run.seed" => number(run.seed),
            "run.durability" => {
                one_or_list(run.durability.iter().map(|durability| durability.word().into()))
            }
            "run.baseline" => time(run.baseline),
            "run.server_warmup" => time(run.server_warmup),
            "run.cooldown.below" => run.cooldown.map(|asked| asked.below.exact().into()),
            "run.cooldown.limit" => run.cooldown.and_then(|asked| time(asked.limit)),
            // Left out where it is not asked for, as most profiles do not.
            "run.footprint" => run.footprint.then_some(Value::Boolean(true)),
            _ => self.workload_value(path),
        }
    }

    /// The value of a key that only one kind of workload has.
    fn workload_value(&self, path: &str) -> Option<Value> {
        let time = |time: Duration| Some(Value::String(exact_duration(time)));
        match &self.workload.kind {
            WorkloadKind::Latency { length, arrival, warmup }
            | WorkloadKind::Capacity { length, arrival, warmup, .. } => {
                match (path, length, arrival) {
                    ("workload.kind", ..) => Some(match self.workload.kind {
                        WorkloadKind::Capacity { .. } => "capacity".into(),
                        _ => "latency".into(),
                    }),
                    ("workload.objectives", ..) => self.objectives(),
                    ("workload.messages", Length::Messages(messages), _) => {
                        Some(i64::from(*messages).into())
                    }
                    ("workload.duration", Length::Duration(duration), _) => time(*duration),
                    ("workload.arrival.distribution", _, arrival) => {
                        Some(Value::from(match arrival {
                            Arrival::Normal { .. } => "normal",
                            Arrival::Constant { .. } => "constant",
                            Arrival::Poisson { .. } => "poisson",
                        }))
                    }
                    ("workload.arrival.mean", _, arrival) => time(arrival.mean()),
                    ("workload.arrival.deviation", _, Arrival::Normal { deviation, .. }) => {
                        time(*deviation)
                    }
                    ("workload.warmup", ..) => time(*warmup),
                    _ => None,
                }
            }
            WorkloadKind::Throughput { volume, scenario } => match path {
                "workload.kind" => Some("throughput".into()),
                "workload.volume" => Some(volume.exact().into()),
                "workload.scenario" => {
                    one_or_list(scenario.iter().map(|scenario| scenario.word().into()))
                }
                _ => None,
            },
        }
    }

    /// The objectives of a search for a capacity, as they are written in TOML.
    fn objectives(&self) -> Option<Value> {
        let WorkloadKind::Capacity { objectives, .. } = &self.workload.kind else { return None };
        let limits =
            objectives.iter().map(|objective| (objective.metric.clone(), limit(objective)));
        Some(Value::Table(limits.collect()))
    }

    fn write_thresholds(&self, text: &mut String) {
        if !self.thresholds.is_empty() {
            line(text, format_args!("\n[{}]", keys::THRESHOLDS.path));
        }
        for threshold in &self.thresholds {
            line(text, format_args!("\"{}\" = {}", threshold.metric, limit(threshold)));
        }
    }

    fn write_faults(&self, text: &mut String) {
        for fault in &self.faults {
            let quoted = |value: String| Value::String(value);
            line(text, format_args!("\n[[{}]]", keys::FAULT.path));
            line(text, format_args!("at = {}", quoted(exact_duration(fault.at))));
            line(text, format_args!("kind = {}", quoted(fault.kind.word().into())));
            if let Some(lasts) = fault.lasts {
                line(text, format_args!("for = {}", quoted(exact_duration(lasts))));
            }
            if let Some(role) = &fault.server {
                line(text, format_args!("server = {}", quoted(role.clone())));
            }
            if let FaultKind::SlowDisk { disk_write } = fault.kind {
                line(text, format_args!("disk_write = {}", quoted(disk_write.exact())));
            }
            if let FaultKind::Limit { cpus, memory } = fault.kind {
                if let Some(cpus) = cpus {
                    line(text, format_args!("cpus = {}", quoted(cpus.exact())));
                }
                if let Some(memory) = memory {
                    line(text, format_args!("memory = {}", quoted(memory.exact())));
                }
            }
        }
    }

    fn write_settings(&self, text: &mut String) {
        for (backend, settings) in &self.settings {
            line(text, format_args!("\n[{backend}]"));
            for key in settings.keys() {
                if let Some(value) = self.setting(backend, key) {
                    line(text, format_args!("{key} = {value}"));
                }
            }
        }
    }

    /// A backend's setting as it is written in TOML.
    fn setting(&self, backend: &str, key: &str) -> Option<Value> {
        self.written(backend, key, self.settings.get(backend)?.get(key)?)
    }

    /// A value of that setting as it is written in TOML.
    fn written(&self, backend: &str, key: &str, value: &Json) -> Option<Value> {
        match self.catalogue.find(backend)?.setting(key)?.kind {
            SettingKind::Bytes => Some(Bytes(value.as_u64()?).exact().into()),
            SettingKind::Duration => {
                let time = Duration::try_from_secs_f64(value.as_f64()?).ok()?;
                Some(exact_duration(time).into())
            }
            _ => toml_value(value),
        }
    }
}

/// `name` or `name:version`.
fn backend_text(choice: &BackendChoice) -> String {
    match &choice.version {
        Some(version) => format!("{}:{version}", choice.name),
        None => choice.name.clone(),
    }
}

/// The limit of a threshold as it is written in a profile.
fn limit(threshold: &Threshold) -> Value {
    let whole = threshold.at_most as u64;
    if threshold.metric == LOST {
        Value::Integer(i64::try_from(whole).unwrap_or(i64::MAX))
    } else {
        Value::String(exact_duration(Duration::from_micros(whole)))
    }
}

fn one_or_list(values: impl Iterator<Item = Value>) -> Option<Value> {
    let mut values: Vec<Value> = values.collect();
    if values.len() == 1 { values.pop() } else { Some(Value::Array(values)) }
}

fn toml_value(json: &Json) -> Option<Value> {
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
                .filter_map(|(key, value)| Some((key.clone(), toml_value(value)?)))
                .collect(),
        )),
        Json::Null | Json::Array(_) => None,
    }
}

/// A value as a person would write it in a form.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{content}");
}
