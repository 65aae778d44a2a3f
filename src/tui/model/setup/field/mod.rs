//! Fields of the form: profile keys, labels, help texts.

mod text;

use std::borrow::Cow;

use crate::profile::{
    catalogue::{SettingKey, SettingKind},
    keys,
};

/// A field of the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// Systems under test.
    Backend,
    /// Kind of hub on which the servers run.
    Hub,
    /// Address of the hub's engine.
    Engine,
    /// Kind of workload.
    Kind,
    /// Number of users.
    Users,
    /// Payload size of a message.
    Payload,
    /// Objectives of a capacity search.
    Objectives,
    /// How much each user sends: a number of messages or a duration.
    Length,
    /// Distribution of the time between two messages of a user.
    Arrival,
    /// Warm-up of the load: its first seconds, which are not measured.
    Warmup,
    /// Payload bytes of a repetition.
    Volume,
    /// Which of producers and consumer run while throughput is measured.
    Scenario,
    /// What an acknowledgement guarantees.
    Durability,
    /// Number of repetitions of each point.
    Repetitions,
    /// Order of the repetitions.
    Order,
    /// Seed of everything random.
    Seed,
    /// Warm-up of the server.
    ServerWarmup,
    /// Time in which the idle servers are observed before the load.
    Baseline,
    /// Longest wait for messages after the last send.
    Drain,
    /// Whether keys may change the load while it runs.
    Steering,
    /// Resource limits of each server.
    Limits,
    /// Limits on the results of a repetition.
    Thresholds,
    /// Folder with the engine's certificates; not shown, set by choosing a hub that has certificates.
    Certificates,
    /// Key of a backend's table: partitions, settings of clients and servers.
    Setting(&'static str, &'static SettingKey),
}

/// How a field is edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// Free text.
    Text,
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// One of a few words, followed by free text.
    PrefixedText(&'static [&'static str]),
    /// Any number of the backends.
    Backends,
    /// One of the hubs that were found, or a typed address.
    HubCandidates,
}

impl Field {
    /// The fields that the form shows, in display order; after them, those of the chosen backends.
    pub const ALL: [Self; 22] = [
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
        Self::Baseline,
        Self::Drain,
        Self::Order,
        Self::Seed,
        Self::Steering,
    ];

    /// Profile key.
    pub fn key(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Setting(backend, key) => return Cow::Owned(format!("{backend}.{}", key.name)),
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
            Self::Order => "run.order",
            Self::Seed => "run.seed",
            Self::Baseline => "run.baseline",
            Self::Drain => "workload.drain",
            Self::Steering => "run.steering",
        })
    }

    /// Label on the screen.
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
            Self::Order => "Order",
            Self::Seed => "Seed",
            Self::Baseline => "Idle baseline",
            Self::Drain => "Drain",
            Self::Steering => "Steering",
            Self::Setting(_, key) => key.name,
        }
    }

    /// Meaning of the field, as the profile describes its key.
    fn meaning(self) -> &'static str {
        let key = match self {
            Self::Arrival => Cow::Borrowed(DISTRIBUTION),
            Self::Setting(_, key) => return key.help,
            _ => self.key(),
        };
        keys::find(&key).map_or("", |key| key.help)
    }

    /// How the field is edited or written, where that differs from the profile; empty otherwise.
    const fn editing_hint(self) -> &'static str {
        match self {
            Self::Engine => "Enter lists sockets, contexts and SSH hosts.",
            Self::Objectives => "Notation: delivery.p99 20 ms, undelivered 0; at least one.",
            Self::Length => "Notation: 60 messages or 30 s.",
            Self::ServerWarmup => "w switches between cold and warm.",
            Self::Limits => {
                "Notation: cpus 2, memory 1 GiB, disk_write 20 MB/s, link 12 MB/s, delay 5 ms; empty \
                 for none."
            }
            Self::Thresholds => "Notation: delivery.p99 20 ms, undelivered 0; empty for none.",
            Self::Setting(_, key) if matches!(key.kind, SettingKind::Table) => {
                "Notation: some.key 1, other.key text; empty for none."
            }
            _ => "",
        }
    }

    /// How the field is edited.
    pub fn kind(self) -> FieldKind {
        let names = |key: &str| keys::find(key).map_or(&[][..], |key| key.allowed.names());
        match self {
            Self::Backend => FieldKind::Backends,
            Self::Engine => FieldKind::HubCandidates,
            Self::Hub | Self::Kind | Self::Durability | Self::Order | Self::Steering => {
                FieldKind::Choice(names(&self.key()))
            }
            Self::Setting(_, key) => match key.kind {
                SettingKind::Choice(names) => FieldKind::Choice(names),
                _ => FieldKind::Text,
            },
            Self::Arrival => FieldKind::PrefixedText(names(DISTRIBUTION)),
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
            | Self::Seed
            | Self::Baseline
            | Self::Drain
            | Self::Certificates => FieldKind::Text,
        }
    }

    /// Whether the kind of workload with this name has the field.
    pub fn applies_to(self, kind: &str) -> bool {
        let key = match self {
            Self::Arrival => Cow::Borrowed(MEAN),
            _ => self.key(),
        };
        keys::find(&key)
            .is_none_or(|key| key.workload_kinds.is_empty() || key.workload_kinds.contains(&kind))
    }

    /// Allowed values as the profile describes them; `None` if the help text already names them.
    fn allowed_values(self) -> Option<String> {
        let allowed = |key: &str| keys::find(key).map(|key| key.allowed);
        match self {
            Self::Limits | Self::Thresholds | Self::Objectives | Self::Scenario => None,
            Self::Length => {
                Some(format!("{} of messages, or {}", allowed(MESSAGES)?, allowed(DURATION)?))
            }
            Self::Arrival => Some(format!(
                "{}, then the mean: {}; normal 1 s +- 250 ms",
                allowed(DISTRIBUTION)?,
                allowed(MEAN)?
            )),
            Self::Setting(_, key) => Some(key.allowed()),
            _ => allowed(&self.key()).map(|allowed| allowed.to_string()),
        }
    }

    /// Help text: meaning, allowed values and editing hint.
    pub fn help(self) -> String {
        let allowed = match self.kind() {
            FieldKind::Text | FieldKind::PrefixedText(_) => self.allowed_values(),
            FieldKind::Choice(_) | FieldKind::Backends | FieldKind::HubCandidates => None,
        };
        let allowed = allowed.map_or_else(String::new, |allowed| format!("It may be {allowed}."));
        let meaning = self.meaning();
        let end = if meaning.is_empty() || meaning.ends_with('.') { "" } else { "." };
        let parts = [&format!("{meaning}{end}"), &allowed, self.editing_hint()];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
    }

    /// Whether a problem of the key `key` belongs to this field.
    pub fn owns_key(self, key: &str) -> bool {
        let below = |own: &str| {
            let rest = key.strip_prefix(own);
            rest.is_some_and(|rest: &str| rest.is_empty() || rest.starts_with('.'))
        };
        below(&self.key()) || self == Self::Length && below(DURATION)
    }
}

const MESSAGES: &str = "workload.messages";
const DURATION: &str = "workload.duration";
const DISTRIBUTION: &str = "workload.arrival.distribution";
const MEAN: &str = "workload.arrival.mean";
const DEVIATION: &str = "workload.arrival.deviation";
