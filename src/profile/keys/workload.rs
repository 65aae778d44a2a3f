//! Keys of the table `[workload]`.

use super::{
    allowed::AllowedValues::{Bounded, Integer, NameList, Names, Text},
    bounds::{MAX_MESSAGES_PER_USER, MAX_PAYLOAD, MAX_USERS, MIN_MEAN_INTERVAL, ascii_duration},
    choices::{DISTRIBUTIONS, PAYLOAD_SOURCES, SCENARIOS, WORKLOAD_KINDS, names},
    profile_key::{CAPACITY_ONLY, OPEN_LOOP, ProfileKey, THROUGHPUT_ONLY},
};

pub(in crate::profile) const KIND: ProfileKey = ProfileKey::new(
    "workload.kind",
    Names(&names(&WORKLOAD_KINDS)),
    "latency: users send messages at planned times. throughput: a volume of data, sent as fast as possible. capacity: searches, among several numbers of users, the largest at which the objectives hold.",
);
pub(in crate::profile) const USERS: ProfileKey = ProfileKey::new(
    "workload.users",
    Bounded(|| {
        let one = Integer(1, MAX_USERS);
        format!("{one}, a list, or a range such as \"100..1000 step 100\" or \"20..2000 step 5%\"")
    }),
    "Number of devices that send at once, each over a separate connection.",
);
pub(in crate::profile) const PAYLOAD: ProfileKey = ProfileKey::new(
    "workload.payload",
    Bounded(|| {
        let most = MAX_PAYLOAD.exact();
        format!("a size such as \"100 B\" up to {most} (at least 1 B for throughput), or a list")
    }),
    "Payload of one message, without its 8-byte stamp. A list makes a sweep.",
);
pub(in crate::profile) const PAYLOAD_SOURCE: ProfileKey = ProfileKey::new(
    "workload.payload_source",
    Names(&names(&PAYLOAD_SOURCES)),
    "seeded: computed from the stamp, so that every byte is verified on arrival. urandom: read from the kernel's device; bytes are counted, not verified.",
);
pub(in crate::profile) const MESSAGES: ProfileKey = ProfileKey::new(
    "workload.messages",
    Integer(1, MAX_MESSAGES_PER_USER),
    "Messages that each user sends in a repetition; a duration may be given instead.",
)
.of(OPEN_LOOP);
pub(in crate::profile) const DURATION: ProfileKey = ProfileKey::new(
    "workload.duration",
    Text("a duration such as \"30 s\", above zero"),
    "Length of the load, warm-up included: each user sends duration / mean interval messages, at least one.",
)
.of(OPEN_LOOP);
pub(in crate::profile) const DISTRIBUTION: ProfileKey = ProfileKey::new(
    "workload.arrival.distribution",
    Names(&names(&DISTRIBUTIONS)),
    "Distribution of the time between two messages of one user.",
)
.of(OPEN_LOOP);
pub(in crate::profile) const MEAN: ProfileKey = ProfileKey::new(
    "workload.arrival.mean",
    Bounded(|| {
        format!("a duration such as \"1 s\", at least {}", ascii_duration(MIN_MEAN_INTERVAL))
    }),
    "Mean time between two messages of one user.",
)
.of(OPEN_LOOP);
pub(in crate::profile) const DEVIATION: ProfileKey = ProfileKey::new(
    "workload.arrival.deviation",
    Text("a duration from 0 s up to the mean, for the normal distribution only"),
    "Standard deviation of the normal distribution, which is cut off at zero.",
)
.of(OPEN_LOOP);
pub(in crate::profile) const WARMUP: ProfileKey = ProfileKey::new(
    "workload.warmup",
    Text("a duration such as \"5 s\", shorter than the load"),
    "First part of the load: its messages are sent and accounted for, but not measured.",
)
.of(OPEN_LOOP);
pub(in crate::profile) const DRAIN: ProfileKey = ProfileKey::new(
    "workload.drain",
    Text("a duration such as \"10 s\""),
    "Longest wait after the last send for messages in transit.",
);
pub(in crate::profile) const VOLUME: ProfileKey = ProfileKey::new(
    "workload.volume",
    Text("a size such as \"100 MB\", at least 1 B"),
    "Payload bytes of one repetition, shared by all users and rounded up to whole messages.",
)
.of(THROUGHPUT_ONLY);
pub(in crate::profile) const SCENARIO: ProfileKey = ProfileKey::new(
    "workload.scenario",
    NameList(&names(&SCENARIOS)),
    "Sides that run while throughput is measured: producers alone, the consumer alone (reading messages sent before), or both. A list makes a sweep.",
)
.of(THROUGHPUT_ONLY);
pub(in crate::profile) const OBJECTIVES: ProfileKey = ProfileKey::new(
    "workload.objectives",
    Text(
        "limits such as { \"delivery.p99\" = \"20 ms\", undelivered = 0, throttled = \"0 s\" }, at least one",
    ),
    "Limits that must hold for a number of users to count as carried; metrics as in thresholds. By default, undelivered is as lost, else 0.",
)
.of(CAPACITY_ONLY);
