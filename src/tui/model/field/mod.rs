//! The fields of the form: their keys and their words.

mod written;

pub use written::{durability, exact_bytes};

use crate::profile::keys;

/// A field of the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// Systems under test.
    Backend,
    /// Where the servers run.
    Hub,
    /// The engine's address.
    Engine,
    /// What the users do.
    Kind,
    /// Users.
    Users,
    /// Payload of a message.
    Payload,
    /// What must hold in a search for a capacity.
    Objectives,
    /// How much each user sends: messages or a time.
    Length,
    /// When a user sends.
    Arrival,
    /// The load's first seconds.
    Warmup,
    /// Bytes of a repetition.
    Volume,
    /// Who works while throughput is measured.
    Scenario,
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
    /// One of a few words, and more that is typed behind it.
    Worded(&'static [&'static str]),
    /// Any of the backends.
    Backends,
    /// One of the places that were found, or by typing.
    Place,
}

impl Field {
    /// Those that the form shows, in its order.
    pub const ALL: [Self; 17] = [
        Self::Backend,
        Self::Hub,
        Self::Engine,
        Self::Kind,
        Self::Users,
        Self::Payload,
        Self::Objectives,
        Self::Length,
        Self::Arrival,
        Self::Volume,
        Self::Scenario,
        Self::Durability,
        Self::Repetitions,
        Self::ServerWarmup,
        Self::Warmup,
        Self::Limits,
        Self::Thresholds,
    ];

    /// The profile's key.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Backend => "backend",
            Self::Hub => "hub.kind",
            Self::Engine => "hub.engine",
            Self::Kind => "workload.kind",
            Self::Users => "workload.users",
            Self::Payload => "workload.payload",
            Self::Objectives => "workload.objectives",
            Self::Length => "workload.messages",
            Self::Arrival => "workload.arrival",
            Self::Warmup => "workload.warmup",
            Self::Volume => "workload.volume",
            Self::Scenario => "workload.scenario",
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
            Self::Kind => "Workload",
            Self::Users => "Users",
            Self::Payload => "Payload",
            Self::Objectives => "Objectives",
            Self::Length => "Length",
            Self::Arrival => "Arrival",
            Self::Warmup => "Load warm-up",
            Self::Volume => "Volume",
            Self::Scenario => "Scenario",
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
            Self::Kind => {
                "latency: users send at times of their own. throughput: a volume of data as fast as \
                 it goes. capacity: searches the largest number of users that the hub carries."
            }
            Self::Users => "How many devices send at once; each has a connection of its own.",
            Self::Payload => "Bytes of one message beside its 8-byte stamp.",
            Self::Objectives => {
                "What must hold for a number of users to count as carried: delivery.p99 20 ms, lost 0. \
                 The same metrics as thresholds; at least one."
            }
            Self::Length => {
                "How much each user sends in a repetition: messages (60), or a time (30 s)."
            }
            Self::Arrival => "When a user sends: how the time between two messages is spread.",
            Self::Warmup => "The load's first seconds: sent and accounted for, but not measured.",
            Self::Volume => "Payload bytes of one repetition, shared by all users.",
            Self::Scenario => {
                "Who works while it is measured: producers alone, the consumer alone reading what \
                 was loaded before, or both. A list makes a sweep."
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
                "Load before the measured one, not counted; a JVM is up to four times slower in its \
                 first minute. w changes cold and warm."
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
            Self::Kind => FieldKind::Choice(&["latency", "throughput", "capacity"]),
            Self::Arrival => FieldKind::Worded(&["normal", "constant", "poisson"]),
            Self::Durability => FieldKind::Choice(&["default", "memory", "disk"]),
            Self::Users
            | Self::Payload
            | Self::Objectives
            | Self::Length
            | Self::Warmup
            | Self::Volume
            | Self::Scenario
            | Self::Repetitions
            | Self::ServerWarmup
            | Self::Limits
            | Self::Thresholds
            | Self::Certificates => FieldKind::Text,
        }
    }

    /// Whether a workload of the kind with this name has it.
    pub fn is_of(self, kind: &str) -> bool {
        let key = match self {
            Self::Arrival => MEAN,
            _ => self.key(),
        };
        keys::find(key).is_none_or(|key| key.only.is_empty() || key.only.contains(&kind))
    }

    /// What its value may be, in the profile's words; nothing where its meaning says it already.
    pub fn allowed(self) -> Option<String> {
        let allowed = |key| keys::find(key).map(|key| key.allowed);
        match self {
            Self::Thresholds | Self::Objectives | Self::Scenario => None,
            Self::Length => {
                Some(format!("{} of messages, or {}", allowed(MESSAGES)?, allowed(DURATION)?))
            }
            Self::Arrival => Some(format!(
                "{}, then the mean: {}; normal 1 s +- 250 ms",
                allowed(DISTRIBUTION)?,
                allowed(MEAN)?
            )),
            _ => allowed(self.key()).map(str::to_owned),
        }
    }

    /// What it means and what it may be.
    pub fn meaning(self) -> String {
        match (self.allowed(), self.kind()) {
            (Some(allowed), FieldKind::Text | FieldKind::Worded(_)) => {
                format!("{} It may be {allowed}.", self.help())
            }
            _ => self.help().to_owned(),
        }
    }

    /// Whether something that is wrong with the key `key` is wrong with this field.
    pub fn holds(self, key: &str) -> bool {
        let below = |own| {
            let rest = key.strip_prefix(own);
            rest.is_some_and(|rest: &str| rest.is_empty() || rest.starts_with('.'))
        };
        below(self.key()) || self == Self::Length && below(DURATION)
    }
}

const MESSAGES: &str = "workload.messages";
const DURATION: &str = "workload.duration";
const DISTRIBUTION: &str = "workload.arrival.distribution";
const MEAN: &str = "workload.arrival.mean";
const DEVIATION: &str = "workload.arrival.deviation";
