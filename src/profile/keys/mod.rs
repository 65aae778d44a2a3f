//! All keys of a profile with their allowed values and help texts; keys of backends' tables are in
//! [`catalogue`](super::catalogue).

mod allowed;
pub(super) mod bounds;
pub(super) mod choices;
mod fault;
mod hub;
mod profile_key;
mod run;
mod workload;

use super::name::VALID_NAMES;
use crate::plan::THROTTLED;
pub use allowed::AllowedValues;
use allowed::AllowedValues::Text;
pub(super) use fault::{
    FAULT, FAULT_AT, FAULT_CPUS, FAULT_DISK_WRITE, FAULT_FOR, FAULT_KEYS, FAULT_KIND, FAULT_MEMORY,
    FAULT_SERVER,
};
pub(super) use hub::{
    HUB_ADDRESS, HUB_CERTIFICATES, HUB_ENGINE, HUB_KIND, HUB_TIMEOUT, LIKE, LIMIT_CPUS,
    LIMIT_DELAY, LIMIT_DISK_WRITE, LIMIT_LINK, LIMIT_MEMORY, LIMITS,
};
pub use profile_key::ProfileKey;
pub(super) use run::{
    BASELINE, COOLDOWN_BELOW, COOLDOWN_LIMIT, DURABILITY, FOOTPRINT, ORDER, REPETITIONS, RETRIES,
    SEED, SERVER_WARMUP, STEERING,
};
pub(super) use workload::{
    DEVIATION, DISTRIBUTION, DRAIN, DURATION, KIND, MEAN, MESSAGES, OBJECTIVES, PAYLOAD,
    PAYLOAD_SOURCE, SCENARIO, USERS, VOLUME, WARMUP,
};

pub(super) const NAME: ProfileKey = ProfileKey::new(
    "name",
    Text(VALID_NAMES),
    "Name of the profile, of its file, and part of its records' names.",
);
pub(super) const DESCRIPTION: ProfileKey =
    ProfileKey::new("description", Text("one line of text"), "Purpose of the profile.");
pub(super) const BACKEND: ProfileKey = ProfileKey::new(
    "backend",
    Text("a backend's name, name:version, or a list of those"),
    "The systems under test. Several are measured in one run, by default with interleaved repetitions, so that heat and drift do not look like a difference.",
);
/// The table of thresholds, whose keys are [`METRICS`], `lost` and `undelivered`.
pub(super) const THRESHOLDS: ProfileKey = ProfileKey::new(
    "thresholds",
    Text(
        "durations such as \"delivery.p99\" = \"20 ms\" or throttled = \"0 s\", and undelivered = 0 or lost = 0",
    ),
    "Limits on the results of each repetition. A crossed threshold is shown, reported, and changes the exit status.",
);

/// All keys, in the order of a saved profile.
pub const KEYS: [&ProfileKey; 41] = [
    &NAME,
    &DESCRIPTION,
    &BACKEND,
    &HUB_KIND,
    &HUB_ENGINE,
    &HUB_ADDRESS,
    &HUB_CERTIFICATES,
    &HUB_TIMEOUT,
    &LIKE,
    &LIMIT_CPUS,
    &LIMIT_MEMORY,
    &LIMIT_DISK_WRITE,
    &LIMIT_LINK,
    &LIMIT_DELAY,
    &KIND,
    &USERS,
    &PAYLOAD,
    &PAYLOAD_SOURCE,
    &MESSAGES,
    &DURATION,
    &DISTRIBUTION,
    &MEAN,
    &DEVIATION,
    &WARMUP,
    &DRAIN,
    &VOLUME,
    &SCENARIO,
    &OBJECTIVES,
    &REPETITIONS,
    &RETRIES,
    &ORDER,
    &SEED,
    &DURABILITY,
    &BASELINE,
    &SERVER_WARMUP,
    &COOLDOWN_BELOW,
    &COOLDOWN_LIMIT,
    &FOOTPRINT,
    &STEERING,
    &THRESHOLDS,
    &FAULT,
];

/// Metrics of thresholds that are durations: all but the count of lost messages.
pub const METRICS: [&str; 29] = [
    "lag.mean",
    "lag.p50",
    "lag.p90",
    "lag.p95",
    "lag.p99",
    "lag.p999",
    "lag.max",
    "ack.mean",
    "ack.p50",
    "ack.p90",
    "ack.p95",
    "ack.p99",
    "ack.p999",
    "ack.max",
    "delivery.mean",
    "delivery.p50",
    "delivery.p90",
    "delivery.p95",
    "delivery.p99",
    "delivery.p999",
    "delivery.max",
    "response.mean",
    "response.p50",
    "response.p90",
    "response.p95",
    "response.p99",
    "response.p999",
    "response.max",
    THROTTLED,
];

/// Key with this dotted path, also of a table that the form edits as a whole.
pub fn find(path: &str) -> Option<&'static ProfileKey> {
    KEYS.into_iter().chain([&LIMITS]).find(|key| key.path == path)
}

/// Names allowed in the table at `path` (empty for the top).
pub(super) fn child_names(path: &str) -> Vec<&'static str> {
    let mut names: Vec<&str> = KEYS
        .iter()
        .filter_map(|key| match path {
            "" => Some(key.path),
            _ => key.path.strip_prefix(path)?.strip_prefix('.'),
        })
        .filter_map(|rest| rest.split('.').next())
        .collect();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn child_names_are_the_keys_of_a_table() {
        assert_eq!(
            child_names(""),
            ["name", "description", "backend", "hub", "workload", "run", "thresholds", "fault"]
        );
        assert_eq!(child_names("workload.arrival"), ["distribution", "mean", "deviation"]);
        assert!(child_names("name").is_empty());
        assert_eq!(find("workload.users").map(ProfileKey::name), Some("users"));
        assert_eq!(MEAN.name(), "mean");
    }
}
