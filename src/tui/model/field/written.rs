//! Values of the form as people write them, in a plan and for a profile.

use std::time::Duration;

use super::{DEVIATION, DISTRIBUTION, DURATION, Field, FieldKind, MEAN, MESSAGES};
use crate::{
    plan::{BackendChoice, Durability, LOST, Plan, Point, Threshold},
    server::Limits,
    tui::outside::PlanPreview,
    units::exact_duration,
};

/// What stands between a mean and its deviation; the first is how it is shown.
const DEVIATES: [&str; 3] = ["±", "+-", "+/-"];
/// What may stand behind a number of messages.
const COUNTED: [&str; 2] = ["messages", "message"];

impl Field {
    /// Its value in what a form comes to, as people write it.
    pub fn of(self, preview: &PlanPreview) -> String {
        self.among(&preview.values).unwrap_or_else(|| self.in_plan(&preview.plan))
    }

    /// Its value among those of a profile, for fields whose value a plan does not have as it was
    /// given.
    pub fn among(self, values: &[(String, String)]) -> Option<String> {
        let value =
            |key: &str| values.iter().find(|(other, _)| other == key).map(|(_, value)| &**value);
        match self {
            Self::Kind | Self::Users | Self::Warmup | Self::Volume | Self::Scenario => {
                value(self.key()).map(str::to_owned)
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

    /// What it usually is, among the usual values of a profile.
    pub fn usual_among(self, usual: &[(String, String)]) -> Option<String> {
        self.among(usual).or_else(|| {
            let (_, value) = usual.iter().find(|(key, _)| key == self.key())?;
            Some(if self == Self::Objectives { untabled(value) } else { value.clone() })
        })
    }

    fn in_plan(self, plan: &Plan) -> String {
        let points = |value: fn(&Point) -> String| {
            let mut values: Vec<String> = Vec::new();
            for value in plan.points.iter().map(value) {
                if !values.contains(&value) {
                    values.push(value);
                }
            }
            values.join(", ")
        };
        let limits_of = |thresholds: &[Threshold]| {
            thresholds.iter().map(threshold).collect::<Vec<_>>().join(", ")
        };
        match self {
            Self::Backend => points(|point| written(&point.backend)),
            Self::Hub => plan.hub.kind.word().to_owned(),
            Self::Engine => plan.hub.engine.clone().unwrap_or_default(),
            Self::Payload => points(|point| exact_bytes(point.workload.payload().0)),
            Self::Durability => points(|point| durability(point.durability).to_owned()),
            Self::Repetitions => plan.repetitions.to_string(),
            Self::ServerWarmup => format!("{} s", plan.server_warmup.as_secs_f64()),
            Self::Limits => limits(&plan.hub.limits).join(", "),
            Self::Thresholds => limits_of(&plan.thresholds),
            Self::Objectives => {
                plan.capacity.as_ref().map_or_else(String::new, |it| limits_of(&it.objectives))
            }
            Self::Certificates => plan.hub.certificates.clone().unwrap_or_default(),
            Self::Kind
            | Self::Users
            | Self::Length
            | Self::Arrival
            | Self::Warmup
            | Self::Volume
            | Self::Scenario => String::new(),
        }
    }

    /// A value as the profile takes it: the key that it gives, and what.
    pub fn given(self, value: &str) -> (String, String) {
        let (key, value) = match self {
            Self::Limits | Self::Thresholds | Self::Objectives => (self.key(), table(value)),
            Self::Length => length(value),
            Self::Arrival => (self.key(), arrival(value)),
            _ => (self.key(), value.to_owned()),
        };
        (key.to_owned(), value)
    }

    /// What was typed, with the word before it that was left out: a person who types another time
    /// means it for what is there.
    pub fn completed(self, typed: &str, present: Option<&str>) -> String {
        let FieldKind::Worded(words) = self.kind() else { return typed.to_owned() };
        let begins_with_number = typed.starts_with(|sign: char| sign.is_ascii_digit());
        match words.iter().find(|word| present.is_some_and(|it| it.starts_with(**word))) {
            Some(word) if begins_with_number => format!("{word} {typed}"),
            _ => typed.to_owned(),
        }
    }

    /// The same value with another of the words at its beginning. What only the old word had goes.
    pub fn reworded(value: &str, word: &str) -> String {
        let rest = value.split_once(' ').map_or("", |(_, rest)| rest);
        format!("{word} {}", parts(rest).0)
    }
}

/// `20`, `20 messages` or `30 s`.
fn length(value: &str) -> (&'static str, String) {
    let counted = COUNTED.iter().find_map(|word| value.strip_suffix(word)).map(str::trim);
    match counted.or_else(|| value.parse::<u64>().is_ok().then_some(value)) {
        Some(messages) => (MESSAGES, messages.to_owned()),
        None => (DURATION, value.to_owned()),
    }
}

/// `normal 1 s ± 250 ms` as an inline table of a profile.
fn arrival(value: &str) -> String {
    let end = value.find(|sign: char| !sign.is_alphabetic()).unwrap_or(value.len());
    let (word, rest) = value.split_at(end);
    let (mean, deviation) = parts(rest);
    let entries = [("distribution", word), ("mean", mean), ("deviation", deviation)];
    let entries = entries.iter().filter(|(_, value)| !value.is_empty());
    let entries = entries.map(|(name, value)| format!("{name} = {}", quoted(value)));
    format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
}

/// A mean and its deviation.
fn parts(text: &str) -> (&str, &str) {
    let parts = DEVIATES.iter().find_map(|sign| text.split_once(sign)).unwrap_or((text, ""));
    (parts.0.trim(), parts.1.trim())
}

/// Limits as the form takes them: `cpus 2`, `memory 1 GiB`.
fn limits(limits: &Limits) -> Vec<String> {
    let mut words = Vec::new();
    words.extend(limits.cpus.map(|cpus| format!("cpus {}", cpus.0)));
    words.extend(limits.memory.map(|memory| format!("memory {}", memory.exact())));
    words.extend(limits.disk_write.map(|rate| format!("disk_write {}", rate.exact())));
    words.extend(limits.link.map(|rate| format!("link {}", rate.exact())));
    words.extend(limits.delay.map(|time| format!("delay {}", exact_duration(time))));
    words
}

/// A threshold as the form takes it: `delivery.p99 20 ms`, `lost 0`.
fn threshold(threshold: &Threshold) -> String {
    if threshold.metric == LOST {
        return format!("{LOST} {}", threshold.at_most);
    }
    let limit = Duration::from_secs_f64((threshold.at_most / 1e6).max(0.0));
    format!("{} {}", threshold.metric, exact_duration(limit))
}

/// `name value, name value` as an inline table of a profile.
fn table(text: &str) -> String {
    let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(|entry| {
        let (name, value) = entry
            .split_once(|sign: char| sign.is_whitespace() || sign == '=')
            .unwrap_or((entry, ""));
        let value = value.trim().trim_start_matches(['=', '≤']).trim();
        let value = match (name, value.parse::<f64>()) {
            // The unit of cores is their name.
            ("cpus", Ok(_)) => quoted(&format!("{value} cpus")),
            (_, Ok(_)) => value.to_owned(),
            (_, Err(_)) => quoted(value),
        };
        format!("{} = {value}", quoted(name))
    });
    format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
}

/// `{ name = "value" }` as [`table`] takes it.
fn untabled(text: &str) -> String {
    let Ok(entries) = format!("it = {text}").parse::<toml::Table>() else { return text.to_owned() };
    let entries = entries.get("it").and_then(toml::Value::as_table).into_iter().flatten();
    let entries = entries.map(|(name, value)| match value.as_str() {
        Some(text) => format!("{name} {text}"),
        None => format!("{name} {value}"),
    });
    entries.collect::<Vec<_>>().join(", ")
}

/// A text as TOML writes it.
fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// A backend as a profile writes it.
fn written(choice: &BackendChoice) -> String {
    choice
        .version
        .as_ref()
        .map_or_else(|| choice.name.clone(), |version| format!("{}:{version}", choice.name))
}

/// The word for a durability.
pub const fn durability(durability: Durability) -> &'static str {
    match durability {
        Durability::Default => "default",
        Durability::Memory => "memory",
        Durability::Disk => "disk",
    }
}

/// Bytes with the largest unit that keeps them whole: `100 B`, `10 kB`, `16 MiB`.
pub fn exact_bytes(bytes: u64) -> String {
    const UNITS: [(u64, &str); 6] = [
        (1 << 30, "GiB"),
        (1_000_000_000, "GB"),
        (1 << 20, "MiB"),
        (1_000_000, "MB"),
        (1 << 10, "KiB"),
        (1_000, "kB"),
    ];
    UNITS
        .iter()
        .find(|(unit, _)| bytes > 0 && bytes.is_multiple_of(*unit))
        .map_or_else(|| format!("{bytes} B"), |(unit, sign)| format!("{} {sign}", bytes / unit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Override, Profile, keys};

    #[test]
    fn bytes_are_written_exactly() {
        let cases = [
            (0, "0 B"),
            (1, "1 B"),
            (100, "100 B"),
            (10_000, "10 kB"),
            (1_234, "1234 B"),
            (16 << 20, "16 MiB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(exact_bytes(bytes), text);
        }
    }

    #[test]
    fn limits_and_thresholds_are_tables_of_the_profile() {
        let written = |text| Field::Thresholds.given(text).1;
        assert_eq!(written(""), "{  }");
        let both = r#"{ "delivery.p99" = "20 ms", "lost" = 0 }"#;
        assert_eq!(written("delivery.p99 20 ms, lost 0"), both);
        assert_eq!(written("delivery.p99 ≤ 20 ms, lost = 0,"), both);
        assert_eq!(written("what \"is"), r#"{ "what" = '"is' }"#);
        let limits = Field::Limits.given("cpus 0.5, memory 1 GiB").1;
        assert_eq!(limits, r#"{ "cpus" = "0.5 cpus", "memory" = "1 GiB" }"#);
        assert!(Field::Limits.holds("hub.limits.cpus") && !Field::Limits.holds("hub.limitsx"));
    }

    #[test]
    fn a_length_is_a_number_of_messages_or_a_time() {
        let given = |text: &str| Field::Length.given(text);
        let is = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(given("20"), is(MESSAGES, "20"));
        assert_eq!(given("1 message"), is(MESSAGES, "1"));
        assert_eq!(given("many messages"), is(MESSAGES, "many"));
        assert_eq!(given("30 s"), is(DURATION, "30 s"));
        assert!(Field::Length.holds(MESSAGES) && Field::Length.holds(DURATION));
    }

    #[test]
    fn an_arrival_is_a_word_a_mean_and_perhaps_a_deviation() {
        let given = |text: &str| Field::Arrival.given(text).1;
        let whole = r#"{ distribution = "normal", mean = "1 s", deviation = "250 ms" }"#;
        for text in ["normal 1 s ± 250 ms", "normal 1 s+-250 ms", "normal 1 s +/- 250 ms"] {
            assert_eq!(given(text), whole);
        }
        assert_eq!(given("poisson 10 ms"), r#"{ distribution = "poisson", mean = "10 ms" }"#);
        assert_eq!(given("10 ms"), r#"{ mean = "10 ms" }"#);
        assert_eq!(Field::Arrival.completed("5 ms", Some("poisson 1 s")), "poisson 5 ms");
        assert_eq!(Field::Arrival.completed("often", Some("poisson 1 s")), "often");
        assert_eq!(Field::Users.completed("5", Some("poisson")), "5");
        assert_eq!(Field::reworded("normal 1 s ± 250 ms", "constant"), "constant 1 s");
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
    fn what_is_shown_of_a_plan_makes_the_same_plan() {
        for text in [LATENCY, THROUGHPUT, CAPACITY] {
            let planned = |changes: &[(String, String)]| {
                let changes = changes.iter().map(|(key, value)| Override::new(key, value));
                let changes: Vec<_> = changes.map(|change| change.expect("a value")).collect();
                let profile = Profile::parse_with(text, &changes, &crate::backend::catalogue());
                let profile = profile.expect("a profile");
                PlanPreview::new(&profile, profile.plan(), Vec::new(), 1.0)
            };
            let preview = planned(&[]);
            let kind = Field::Kind.of(&preview);
            for field in Field::ALL.into_iter().filter(|field| field.is_of(&kind)) {
                let value = field.of(&preview);
                let optional = [Field::Engine, Field::Limits, Field::Thresholds].contains(&field);
                assert!(optional || !value.is_empty(), "{field:?}");
                if field != Field::Engine {
                    let again = planned(&[field.given(&value)]).plan;
                    assert_eq!(again, preview.plan, "{field:?}: {value}");
                }
            }
            let none = planned(&[Field::Limits.given(""), Field::Thresholds.given("")]).plan;
            assert_eq!(none.hub.limits, Limits::default());
            assert!(none.thresholds.is_empty());
        }
    }

    #[test]
    fn words_of_choices_are_the_profile_s() {
        let same = |key: &str, kind: FieldKind| {
            let (FieldKind::Choice(words) | FieldKind::Worded(words)) = kind else {
                panic!("{kind:?}")
            };
            assert_eq!(keys::find(key).map(|key| key.allowed), Some(&*words.join(", ")));
        };
        for field in [Field::Hub, Field::Kind] {
            same(field.key(), field.kind());
        }
        same(DISTRIBUTION, Field::Arrival.kind());
    }

    #[test]
    fn what_is_usual_is_written_as_it_is_typed() {
        let profile = Profile::parse(CAPACITY, &crate::backend::catalogue()).expect("a profile");
        let usual = profile.usual();
        let usual = |field: Field| field.usual_among(&usual).unwrap_or_default();
        assert_eq!(usual(Field::Objectives), "delivery.p99 20 ms, lost 0");
        assert_eq!(usual(Field::Users), "50..3000 step 5%");
        assert_eq!(usual(Field::Length), "60 messages");
        assert_eq!(usual(Field::Arrival), "normal 1 s ± 250 ms");
        assert_eq!(usual(Field::Repetitions), "");
    }

    #[test]
    fn every_field_has_a_key_of_its_own() {
        let keys: std::collections::BTreeSet<_> =
            Field::ALL.iter().map(|field| field.key()).collect();
        assert_eq!(keys.len(), Field::ALL.len());
    }
}
