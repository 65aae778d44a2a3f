//! The fields of the form: their keys, their words, and their values in a plan.

use crate::plan::{BackendChoice, Durability, Plan, Point};

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
}

impl Field {
    /// All of them, in the form's order.
    pub const ALL: [Self; 8] = [
        Self::Backend,
        Self::Hub,
        Self::Engine,
        Self::Users,
        Self::Payload,
        Self::Durability,
        Self::Repetitions,
        Self::ServerWarmup,
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
                "Address of the Docker engine, for example unix:///var/run/docker.sock. Empty \
                 takes DOCKER_HOST, or the default socket."
            }
            Self::Users => {
                "How many devices send at once; each has a connection of its own. A list makes a \
                 sweep: 100, 400, 1000."
            }
            Self::Payload => {
                "Bytes of one message beside its 8-byte stamp: 100 B, 1 kB, 1 MiB. A list makes a \
                 sweep: 1 B, 100 B, 10 kB."
            }
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
        }
    }

    /// How it is changed.
    pub const fn kind(self) -> FieldKind {
        match self {
            Self::Backend => FieldKind::Backends,
            Self::Hub => FieldKind::Choice(&["docker", "local", "external"]),
            Self::Durability => FieldKind::Choice(&["default", "memory", "disk"]),
            Self::Engine | Self::Users | Self::Payload | Self::Repetitions | Self::ServerWarmup => {
                FieldKind::Text
            }
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
        }
    }
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
    fn every_field_has_a_key_of_its_own() {
        let keys: std::collections::BTreeSet<_> =
            Field::ALL.iter().map(|field| field.key()).collect();
        assert_eq!(keys.len(), Field::ALL.len());
    }
}
