//! The fields of the form: their keys, their words, and their values in a plan.

use std::time::Duration;

use crate::{
    plan::{BackendChoice, Durability, LOST, Plan, Point, Threshold},
    profile::keys,
    server::Limits,
    units::exact_duration,
};

/// A field of the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// Systems under test.
    Backend,
    /// Where the servers run.
    Hub,
    /// The engine's address.
    Engine,
    /// Users.
    Users,
    /// Payload of a message.
    Payload,
    /// What an acknowledgement promises.
    Durability,
    /// How often each point is repeated.
    Repetitions,
    /// The server's own warm-up.
    ServerWarmup,
    /// Limits of each server.
    Limits,
    /// Limits on results.
    Thresholds,
    /// The folder with the engine's certificates: comes with a place that has its own.
    Certificates,
}

/// How a field is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// By typing.
    Text,
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// Any of the backends.
    Backends,
    /// One of the places that were found, or by typing.
    Place,
}

impl Field {
    /// Those that the form shows, in its order.
    pub const ALL: [Self; 10] = [
        Self::Backend,
        Self::Hub,
        Self::Engine,
        Self::Users,
        Self::Payload,
        Self::Durability,
        Self::Repetitions,
        Self::ServerWarmup,
        Self::Limits,
        Self::Thresholds,
    ];

    /// The profile's key.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Backend => "backend",
            Self::Hub => "hub.kind",
            Self::Engine => "hub.engine",
            Self::Users => "workload.users",
            Self::Payload => "workload.payload",
            Self::Durability => "run.durability",
            Self::Repetitions => "run.repetitions",
            Self::ServerWarmup => "run.server_warmup",
            Self::Limits => "hub.limits",
            Self::Thresholds => "thresholds",
            Self::Certificates => "hub.certificates",
        }
    }

    /// The name on the screen.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Backend => "Backend",
            Self::Hub => "Hub",
            Self::Engine => "Engine",
            Self::Users => "Users",
            Self::Payload => "Payload",
            Self::Durability => "Durability",
            Self::Repetitions => "Repetitions",
            Self::ServerWarmup => "Server warm-up",
            Self::Limits => "Limits",
            Self::Thresholds => "Thresholds",
            Self::Certificates => "Certificates",
        }
    }

    /// What it means and how it is written.
    pub const fn help(self) -> &'static str {
        match self {
            Self::Backend => {
                "The systems under test. Several are measured in one run, their repetitions \
                 interleaved, so that heat and drift do not look like a difference."
            }
            Self::Hub => {
                "Where the servers run: docker, in clean containers of a Docker engine; local, as \
                 child processes on this machine, without containers; external, already: the \
                 profile names their addresses."
            }
            Self::Engine => {
                "The Docker engine. Enter lists this machine's sockets, Docker's contexts and the \
                 hosts of your SSH configuration; any other address can be typed."
            }
            Self::Users => "How many devices send at once; each has a connection of its own.",
            Self::Payload => "Bytes of one message beside its 8-byte stamp.",
            Self::Durability => {
                "What an acknowledgement promises. default: each system's own, as the study. \
                 memory: received. disk: written to the disk. Compare like with like."
            }
            Self::Repetitions => {
                "How often each point is measured, each time on a clean server. From three on, \
                 results carry a confidence interval that means something."
            }
            Self::ServerWarmup => {
                "Load before the measured one, not counted. 0 s is a cold server, the study's way: \
                 a JVM in its first minute is up to four times slower. w changes cold and warm."
            }
            Self::Limits => {
                "What each server may use, so that a large machine can stand in for a small box: \
                 cpus 2, memory 1 GiB, disk_write 20 MB/s, link 12 MB/s, delay 5 ms. Empty: none."
            }
            Self::Thresholds => {
                "Limits on the results of each repetition: delivery.p99 20 ms, lost 0. One that is \
                 crossed is shown, reported, and changes the exit status. Empty: none."
            }
            Self::Certificates => "The folder with the certificates for the engine.",
        }
    }

    /// How it is changed.
    pub const fn kind(self) -> FieldKind {
        match self {
            Self::Backend => FieldKind::Backends,
            Self::Engine => FieldKind::Place,
            Self::Hub => FieldKind::Choice(&["docker", "local", "external"]),
            Self::Durability => FieldKind::Choice(&["default", "memory", "disk"]),
            Self::Users
            | Self::Payload
            | Self::Repetitions
            | Self::ServerWarmup
            | Self::Limits
            | Self::Thresholds
            | Self::Certificates => FieldKind::Text,
        }
    }

    /// Its value in a plan, as people write it.
    pub fn of(self, plan: &Plan) -> String {
        let points = |value: fn(&Point) -> String| {
            let mut values: Vec<String> = Vec::new();
            for value in plan.points.iter().map(value) {
                if !values.contains(&value) {
                    values.push(value);
                }
            }
            values.join(", ")
        };
        match self {
            Self::Backend => points(|point| written(&point.backend)),
            Self::Hub => plan.hub.kind.word().to_owned(),
            Self::Engine => plan.hub.engine.clone().unwrap_or_default(),
            Self::Users => points(|point| point.workload.users().to_string()),
            Self::Payload => points(|point| exact_bytes(point.workload.payload().0)),
            Self::Durability => points(|point| durability(point.durability).to_owned()),
            Self::Repetitions => plan.repetitions.to_string(),
            Self::ServerWarmup => format!("{} s", plan.server_warmup.as_secs_f64()),
            Self::Limits => limits(&plan.hub.limits).join(", "),
            Self::Thresholds => {
                let thresholds: Vec<String> = plan.thresholds.iter().map(threshold).collect();
                thresholds.join(", ")
            }
            Self::Certificates => plan.hub.certificates.clone().unwrap_or_default(),
        }
    }

    /// What its value may be, in the profile's words; nothing where its meaning says it already.
    pub fn allowed(self) -> Option<&'static str> {
        keys::find(self.key()).map(|key| key.allowed).filter(|_| self != Self::Thresholds)
    }

    /// A value as the profile takes it.
    pub fn written(self, value: &str) -> String {
        match self {
            Self::Limits | Self::Thresholds => table(value),
            _ => value.to_owned(),
        }
    }

    /// Whether something that is wrong with the key `key` is wrong with this field.
    pub fn holds(self, key: &str) -> bool {
        let rest = key.strip_prefix(self.key());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }
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
    use crate::profile::{Override, Profile};

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
        let written = |text| Field::Thresholds.written(text);
        assert_eq!(written(""), "{  }");
        let both = r#"{ "delivery.p99" = "20 ms", "lost" = 0 }"#;
        assert_eq!(written("delivery.p99 20 ms, lost 0"), both);
        assert_eq!(written("delivery.p99 ≤ 20 ms, lost = 0,"), both);
        assert_eq!(written("what \"is"), r#"{ "what" = '"is' }"#);
        let limits = Field::Limits.written("cpus 0.5, memory 1 GiB");
        assert_eq!(limits, r#"{ "cpus" = "0.5 cpus", "memory" = "1 GiB" }"#);
        assert!(Field::Limits.holds("hub.limits.cpus") && !Field::Limits.holds("hub.limitsx"));
    }

    #[test]
    fn what_is_shown_of_a_plan_makes_the_same_plan() {
        let text = r#"
name = "a"
backend = "mariadb"
[hub]
kind = "docker"
limits = { cpus = "0.5 cpus", memory = "1 GiB", disk_write = "20 MB/s", link = "1 Mbit/s", delay = "5 ms" }
[thresholds]
"delivery.p99" = "20 ms"
"ack.p50" = "1500 us"
lost = 0
"#;
        let planned = |field: Field, value: &str| {
            let change = Override::new(field.key(), &field.written(value)).expect("a value");
            let profile = Profile::parse_with(text, &[change], &crate::backend::catalogue());
            profile.expect("a profile").plan()
        };
        let plan = planned(Field::Repetitions, "1");
        for field in [Field::Limits, Field::Thresholds, Field::Users, Field::Payload] {
            let value = field.of(&plan);
            assert!(!value.is_empty());
            assert_eq!(planned(field, &value), plan, "{field:?}: {value}");
        }
        assert_eq!(planned(Field::Limits, "").hub.limits, Limits::default());
        assert!(planned(Field::Thresholds, "").thresholds.is_empty());
    }

    #[test]
    fn every_field_has_a_key_of_its_own() {
        let keys: std::collections::BTreeSet<_> =
            Field::ALL.iter().map(|field| field.key()).collect();
        assert_eq!(keys.len(), Field::ALL.len());
    }
}
