//! Keys of the table `[run]`.

use super::{
    allowed::AllowedValues::{Bounded, Integer, NameList, Names, Text},
    bounds::{MAX_REPETITIONS, MAX_RETRIES, MAX_SEED, cooldown_temperature_range},
    choices::{DURABILITIES, ORDERS, names},
    profile_key::{FIXED_REPETITIONS, LATENCY_ONLY, ProfileKey},
};

pub(in crate::profile) const REPETITIONS: ProfileKey = ProfileKey::new(
    "run.repetitions",
    Integer(1, MAX_REPETITIONS),
    "Repetitions of each point, each on a clean server. Three or more give a meaningful confidence interval. A capacity search decides the number itself.",
)
.of(FIXED_REPETITIONS);
pub(in crate::profile) const RETRIES: ProfileKey = ProfileKey::new(
    "run.retries",
    Integer(0, MAX_RETRIES),
    "Retries of a failed repetition; in a capacity search, only of one that the hub ended. Every attempt is in the record.",
);
pub(in crate::profile) const ORDER: ProfileKey = ProfileKey::new(
    "run.order",
    Names(&names(&ORDERS)),
    "interleaved: every round contains each point once, in random order by the seed. blocked: all repetitions of a point, then the next.",
);
pub(in crate::profile) const SEED: ProfileKey = ProfileKey::new(
    "run.seed",
    Integer(0, MAX_SEED),
    "Seed of every random choice: arrivals, payloads, the order of repetitions.",
);
pub(in crate::profile) const DURABILITY: ProfileKey = ProfileKey::new(
    "run.durability",
    NameList(&names(&DURABILITIES)),
    "Guarantee of an acknowledgement. default: the default of each system, as in the study. memory: the message is in the server's memory. disk: it is on the disk. Compare equal guarantees only.",
);
pub(in crate::profile) const BASELINE: ProfileKey = ProfileKey::new(
    "run.baseline",
    Text("a duration such as \"5 s\""),
    "Time for which the idle servers are sampled before the load.",
);
pub(in crate::profile) const SERVER_WARMUP: ProfileKey = ProfileKey::new(
    "run.server_warmup",
    Text("a duration such as \"30 s\"; \"0 s\" for cold servers, as the study"),
    "Length of an unmeasured load before the measured one. A JVM is up to four times slower in its first minute.",
);
pub(in crate::profile) const FOOTPRINT: ProfileKey = ProfileKey::new(
    "run.footprint",
    Names(&["true", "false"]),
    "Whether the footprint of each backend is measured after the repetitions: image, cold start, idling, connections, bytes, recovery.",
);
pub(in crate::profile) const STEERING: ProfileKey = ProfileKey::new(
    "run.steering",
    Names(&["true", "false"]),
    "Whether keys on the screen may pause the load, change its rate and inject faults while it runs: to get to know a system, not to measure it. A repetition so changed is marked, and in no summary.",
)
.of(LATENCY_ONLY);
pub(in crate::profile) const COOLDOWN_BELOW: ProfileKey = ProfileKey::new(
    "run.cooldown.below",
    Bounded(|| format!("a temperature such as \"60 C\", {}", cooldown_temperature_range())),
    "Temperature to which the hub cools down before each repetition, so that a repetition does not heat the next. Default: no wait.",
);
pub(in crate::profile) const COOLDOWN_LIMIT: ProfileKey = ProfileKey::new(
    "run.cooldown.limit",
    Text("a duration such as \"5 min\""),
    "Longest wait for the hub to cool down. The repetition then begins, and its record says so.",
);
