//! Conversion of the form's values: from a plan to text, and from text to profile values.

use std::{borrow::Cow, time::Duration};

use super::{DEVIATION, DISTRIBUTION, DURATION, Field, FieldKind, MEAN, MESSAGES};
use crate::{
    plan::{Plan, Point, Threshold, counts_messages},
    profile::catalogue::SettingKind,
    server::ResourceLimits,
    tui::{plan_text::join_distinct, requests::PlanPreview},
    units::{exact_duration, split_list},
};

/// Signs between a mean and its deviation; the first one is displayed.
const DEVIATION_SIGNS: [&str; 3] = ["±", "+-", "+/-"];
/// Words that may follow a number of messages.
const MESSAGE_SUFFIXES: [&str; 2] = ["messages", "message"];

impl Field {
    /// Value of the field in a preview, in human-readable form.
    pub fn value_in(self, preview: &PlanPreview) -> String {
        self.profile_value(&preview.values).unwrap_or_else(|| self.plan_value(&preview.plan))
    }

    /// Value of the field among profile values, for fields whose value the plan does not store as it was
    /// given.
    pub fn profile_value(self, values: &[(String, String)]) -> Option<String> {
        let value =
            |key: &str| values.iter().find(|(other, _)| other == key).map(|(_, value)| &**value);
        match self {
            Self::Kind
            | Self::Users
            | Self::Warmup
            | Self::Volume
            | Self::Scenario
            | Self::Order
            | Self::Seed
            | Self::Baseline
            | Self::Drain => value(&self.key()).map(str::to_owned),
            Self::Setting(_, key) => {
                let value = value(&self.key())?;
                let is_table = matches!(key.kind, SettingKind::Table);
                Some(if is_table { table_entries(value) } else { value.to_owned() })
            }
            Self::Length => match value(MESSAGES) {
                Some("1") => Some("1 message".to_owned()),
                Some(messages) => Some(format!("{messages} messages")),
                None => value(DURATION).map(str::to_owned),
            },
            Self::Arrival => {
                let mut words = format!("{} {}", value(DISTRIBUTION)?, value(MEAN)?);
                if let Some(deviation) = value(DEVIATION) {
                    words.extend([" ± ", deviation]);
                }
                Some(words)
            }
            _ => None,
        }
    }

    /// Default value of the field among a profile's default values.
    pub fn default_value(self, defaults: &[(String, String)]) -> Option<String> {
        self.profile_value(defaults).or_else(|| {
            let (_, value) = defaults.iter().find(|(key, _)| *key == self.key())?;
            Some(if self == Self::Objectives { table_entries(value) } else { value.clone() })
        })
    }

    fn plan_value(self, plan: &Plan) -> String {
        let points =
            |value: fn(&Point) -> String| join_distinct(plan.points.iter().map(value), ", ");
        let limits_of = |thresholds: &[Threshold]| {
            thresholds.iter().map(threshold_text).collect::<Vec<_>>().join(", ")
        };
        match self {
            Self::Backend => points(|point| point.backend.profile_value()),
            Self::Hub => plan.hub.kind.name().to_owned(),
            Self::Engine => plan.hub.engine.clone().unwrap_or_default(),
            Self::Payload => points(|point| point.workload.payload().exact()),
            Self::Durability => points(|point| point.durability.name().to_owned()),
            Self::Repetitions => plan.repetitions.to_string(),
            Self::ServerWarmup => format!("{} s", plan.server_warmup.as_secs_f64()),
            Self::Limits => limit_texts(&plan.hub.limits).join(", "),
            Self::Thresholds => limits_of(&plan.thresholds),
            Self::Objectives => {
                plan.capacity.as_ref().map_or_else(String::new, |it| limits_of(&it.objectives))
            }
            Self::Certificates => plan.hub.certificates.clone().unwrap_or_default(),
            Self::Steering => plan.steering.to_string(),
            Self::Kind
            | Self::Users
            | Self::Length
            | Self::Arrival
            | Self::Warmup
            | Self::Volume
            | Self::Order
            | Self::Seed
            | Self::Baseline
            | Self::Drain
            | Self::Setting(..)
            | Self::Scenario => String::new(),
        }
    }

    /// Converts a typed value to a profile key and value.
    pub fn to_override(self, value: &str) -> (String, String) {
        let (key, value) = match self {
            Self::Limits | Self::Thresholds | Self::Objectives => (self.key(), inline_table(value)),
            Self::Setting(_, key) if matches!(key.kind, SettingKind::Table) => {
                (self.key(), inline_table(value))
            }
            Self::Length => {
                let (key, value) = length_override(value);
                (Cow::Borrowed(key), value)
            }
            Self::Arrival => (self.key(), arrival_table(value)),
            _ => (self.key(), value.to_owned()),
        };
        (key.into_owned(), value)
    }

    /// Prepends the present value's word if only a number was typed: `5 ms` for a field with
    /// `poisson 1 s` means `poisson 5 ms`.
    pub fn complete_typed(self, typed: &str, present: Option<&str>) -> String {
        let FieldKind::PrefixedText(words) = self.kind() else { return typed.to_owned() };
        let begins_with_number = typed.starts_with(|sign: char| sign.is_ascii_digit());
        match words.iter().find(|word| present.is_some_and(|it| it.starts_with(**word))) {
            Some(word) if begins_with_number => format!("{word} {typed}"),
            _ => typed.to_owned(),
        }
    }

    /// Replaces the word at the beginning of a value; a deviation is removed, since only the old word may
    /// have one.
    pub fn replace_prefix(value: &str, word: &str) -> String {
        let rest = value.split_once(' ').map_or("", |(_, rest)| rest);
        format!("{word} {}", split_deviation(rest).0)
    }
}

/// Parses `20`, `20 messages` or `30 s` into a profile key and value.
fn length_override(value: &str) -> (&'static str, String) {
    let counted = MESSAGE_SUFFIXES.iter().find_map(|word| value.strip_suffix(word)).map(str::trim);
    match counted.or_else(|| value.parse::<u64>().is_ok().then_some(value)) {
        Some(messages) => (MESSAGES, messages.to_owned()),
        None => (DURATION, value.to_owned()),
    }
}

/// Converts `normal 1 s ± 250 ms` to an inline table of a profile.
fn arrival_table(value: &str) -> String {
    let end = value.find(|sign: char| !sign.is_alphabetic()).unwrap_or(value.len());
    let (word, rest) = value.split_at(end);
    let (mean, deviation) = split_deviation(rest);
    let entries = [("distribution", word), ("mean", mean), ("deviation", deviation)];
    let entries = entries.iter().filter(|(_, value)| !value.is_empty());
    let entries = entries.map(|(name, value)| format!("{name} = {}", quoted(value)));
    format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
}

/// Splits a text into a mean and its deviation.
fn split_deviation(text: &str) -> (&str, &str) {
    let parts = DEVIATION_SIGNS.iter().find_map(|sign| text.split_once(sign)).unwrap_or((text, ""));
    (parts.0.trim(), parts.1.trim())
}

/// Formats limits as the form accepts them: `cpus 2`, `memory 1 GiB`.
fn limit_texts(limits: &ResourceLimits) -> Vec<String> {
    let mut words = Vec::new();
    words.extend(limits.cpus.map(|cpus| format!("cpus {}", cpus.0)));
    words.extend(limits.memory.map(|memory| format!("memory {}", memory.exact())));
    words.extend(limits.disk_write.map(|rate| format!("disk_write {}", rate.exact())));
    words.extend(limits.link.map(|rate| format!("link {}", rate.exact())));
    words.extend(limits.delay.map(|time| format!("delay {}", exact_duration(time))));
    words
}

/// Formats a threshold as the form accepts it: `delivery.p99 20 ms`, `undelivered 0`.
fn threshold_text(threshold: &Threshold) -> String {
    if counts_messages(&threshold.metric) {
        return format!("{} {}", threshold.metric, threshold.at_most);
    }
    let limit = Duration::from_secs_f64((threshold.at_most / 1e6).max(0.0));
    format!("{} {}", threshold.metric, exact_duration(limit))
}

/// Converts `name value, name value` to an inline table of a profile.
fn inline_table(text: &str) -> String {
    let entries = split_list(text).into_iter().filter(|entry| !entry.is_empty()).map(|entry| {
        let (name, value) = entry
            .split_once(|sign: char| sign.is_whitespace() || sign == '=')
            .unwrap_or((entry, ""));
        let value = value.trim().trim_start_matches(['=', '≤']).trim();
        let value = match (name, value.parse::<f64>()) {
            // The profile requires the unit `cpus`.
            ("cpus", Ok(_)) => quoted(&format!("{value} cpus")),
            (_, Ok(_)) => value.to_owned(),
            (_, Err(_)) => quoted(value),
        };
        format!("{} = {value}", quoted(name))
    });
    format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
}

/// Converts `{ name = "value" }` to the form that [`inline_table`] accepts.
fn table_entries(text: &str) -> String {
    let Ok(entries) = format!("it = {text}").parse::<toml::Table>() else { return text.to_owned() };
    let entries = entries.get("it").and_then(toml::Value::as_table).into_iter().flatten();
    let entries = entries.map(|(name, value)| match value.as_str() {
        Some(text) => format!("{name} {text}"),
        None => format!("{name} {value}"),
    });
    entries.collect::<Vec<_>>().join(", ")
}

/// Formats a text as a TOML string.
fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Override, Profile};

    #[test]
    fn limits_and_thresholds_are_tables_of_the_profile() {
        let written = |text| Field::Thresholds.to_override(text).1;
        assert_eq!(written(""), "{  }");
        let both = r#"{ "delivery.p99" = "20 ms", "lost" = 0 }"#;
        assert_eq!(written("delivery.p99 20 ms, lost 0"), both);
        assert_eq!(written("delivery.p99 ≤ 20 ms, lost = 0,"), both);
        assert_eq!(written("what \"is"), r#"{ "what" = '"is' }"#);
        // A comma in a number stays in it, so that the profile refuses it with its readings.
        let comma = r#"{ "ack.p99" = "1,000 ms", "lost" = 0 }"#;
        assert_eq!(written("ack.p99 1,000 ms,lost 0"), comma);
        let limits = Field::Limits.to_override("cpus 0.5, memory 1 GiB").1;
        assert_eq!(limits, r#"{ "cpus" = "0.5 cpus", "memory" = "1 GiB" }"#);
        assert!(
            Field::Limits.owns_key("hub.limits.cpus") && !Field::Limits.owns_key("hub.limitsx")
        );
    }

    #[test]
    fn a_length_is_a_number_of_messages_or_a_time() {
        let given = |text: &str| Field::Length.to_override(text);
        let is = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(given("20"), is(MESSAGES, "20"));
        assert_eq!(given("1 message"), is(MESSAGES, "1"));
        assert_eq!(given("many messages"), is(MESSAGES, "many"));
        assert_eq!(given("30 s"), is(DURATION, "30 s"));
        assert!(Field::Length.owns_key(MESSAGES) && Field::Length.owns_key(DURATION));
    }

    #[test]
    fn an_arrival_is_a_word_a_mean_and_perhaps_a_deviation() {
        let given = |text: &str| Field::Arrival.to_override(text).1;
        let whole = r#"{ distribution = "normal", mean = "1 s", deviation = "250 ms" }"#;
        for text in ["normal 1 s ± 250 ms", "normal 1 s+-250 ms", "normal 1 s +/- 250 ms"] {
            assert_eq!(given(text), whole);
        }
        assert_eq!(given("poisson 10 ms"), r#"{ distribution = "poisson", mean = "10 ms" }"#);
        assert_eq!(given("10 ms"), r#"{ mean = "10 ms" }"#);
        assert_eq!(Field::Arrival.complete_typed("5 ms", Some("poisson 1 s")), "poisson 5 ms");
        assert_eq!(Field::Arrival.complete_typed("often", Some("poisson 1 s")), "often");
        assert_eq!(Field::Users.complete_typed("5", Some("poisson")), "5");
        assert_eq!(Field::replace_prefix("normal 1 s ± 250 ms", "constant"), "constant 1 s");
    }

    const LATENCY: &str = r#"
name = "a"
backend = "mariadb"
[hub]
kind = "docker"
limits = { cpus = "0.5 cpus", memory = "1 GiB", disk_write = "20 MB/s", link = "1 Mbit/s", delay = "5 ms" }
[workload]
users = "100..400 step 100"
arrival = { distribution = "normal", mean = "2 s", deviation = "1 s" }
duration = "100 s"
warmup = "3 s"
[thresholds]
"delivery.p99" = "20 ms"
"ack.p50" = "1500 us"
lost = 0
"#;
    const THROUGHPUT: &str = r#"
name = "a"
backend = "mariadb"
[workload]
kind = "throughput"
volume = "20 MB"
scenario = ["producer", "both"]
"#;
    const CAPACITY: &str = r#"
name = "a"
backend = "mariadb"
[workload]
kind = "capacity"
users = "50..2000 step 7%"
messages = 100
arrival = { distribution = "poisson", mean = "10 ms" }
objectives = { "ack.p90" = "5 ms", lost = 3, throttled = "0 s" }
"#;

    #[test]
    fn displayed_values_reproduce_the_plan() {
        for text in [LATENCY, THROUGHPUT, CAPACITY] {
            let planned = |changes: &[(String, String)]| {
                let changes = changes.iter().map(|(key, value)| Override::new(key, value));
                let changes: Vec<_> = changes.map(|change| change.expect("a value")).collect();
                let profile = Profile::parse_with(text, &changes, &crate::backend::catalogue());
                let profile = profile.expect("a profile");
                PlanPreview::new(&profile, profile.plan(), Vec::new(), 1.0)
            };
            let preview = planned(&[]);
            let kind = Field::Kind.value_in(&preview);
            for field in Field::ALL.into_iter().filter(|field| field.applies_to(&kind)) {
                let value = field.value_in(&preview);
                let optional = [Field::Engine, Field::Limits, Field::Thresholds].contains(&field);
                assert!(optional || !value.is_empty(), "{field:?}");
                if field != Field::Engine {
                    let again = planned(&[field.to_override(&value)]).plan;
                    assert_eq!(again, preview.plan, "{field:?}: {value}");
                }
            }
            let none =
                planned(&[Field::Limits.to_override(""), Field::Thresholds.to_override("")]).plan;
            assert_eq!(none.hub.limits, ResourceLimits::default());
            assert!(none.thresholds.is_empty());
        }
    }

    #[test]
    fn default_values_are_displayed_as_they_are_typed() {
        let profile = Profile::parse(CAPACITY, &crate::backend::catalogue()).expect("a profile");
        let defaults = profile.defaults();
        let default = |field: Field| field.default_value(&defaults).unwrap_or_default();
        assert_eq!(default(Field::Objectives), "delivery.p99 20 ms, undelivered 0");
        assert_eq!(default(Field::Users), "50..3000 step 5%");
        assert_eq!(default(Field::Length), "60 messages");
        assert_eq!(default(Field::Arrival), "normal 1 s ± 250 ms");
        assert_eq!(default(Field::Repetitions), "");
    }

    #[test]
    fn field_keys_are_unique() {
        let keys: std::collections::BTreeSet<_> =
            Field::ALL.iter().map(|field| field.key()).collect();
        assert_eq!(keys.len(), Field::ALL.len());
    }
}
