//! Overrides of profile keys that several tests share.

/// The shortest run of the profile `first-look` that has every phase: a second.
pub const QUICK: &[&str] = &[
    "workload.users=50",
    "workload.messages=4",
    "workload.arrival={ distribution = \"normal\", mean = \"250 ms\", deviation = \"60 ms\" }",
    "run.baseline=\"200 ms\"",
];

/// A load of five users that lasts far longer than any test.
pub const ENDLESS: &[&str] = &[
    "workload.users=5",
    "workload.messages=100000",
    "workload.arrival={ distribution = \"constant\", mean = \"20 ms\" }",
    "run.baseline=\"0 s\"",
    // A retried repetition would last as long again.
    "run.retries=0",
];

/// Hundreds of repetitions of a fraction of a second.
pub const MANY_REPETITIONS: &[&str] = &[
    "workload.users=5",
    "workload.messages=3",
    "workload.arrival={ distribution = \"constant\", mean = \"20 ms\" }",
    "run.baseline=\"0 s\"",
    "run.repetitions=500",
];
