//! Every key of a profile, for reading, for messages and for screens. The keys of backends' own
//! tables are in the [`catalogue`](super::catalogue).

use crate::plan::THROTTLED;
/// One key of a profile.
#[derive(Debug, PartialEq, Eq)]
pub struct Key {
    /// Its dotted path from the top: `workload.users`.
    pub path: &'static str,
    /// What its value may be, in words.
    pub allowed: &'static str,
    /// One or two sentences of explanation.
    pub help: &'static str,
    /// The kinds of workload to which it belongs; empty for all.
    pub only: &'static [&'static str],
}

const ALL: &[&str] = &[];
/// Users that send at times of their own.
const PACED: &[&str] = &["latency", "capacity"];
const CAPACITY: &[&str] = &["capacity"];
const THROUGHPUT: &[&str] = &["throughput"];
/// Points that are all measured, one as often as the other.
const SWEPT: &[&str] = &["latency", "throughput"];

const fn key(
    path: &'static str,
    allowed: &'static str,
    help: &'static str,
    only: &'static [&'static str],
) -> Key {
    Key { path, allowed, help, only }
}

pub(super) const NAME: Key = key(
    "name",
    "1 to 64 letters, digits, '-', '_' or '.', not beginning with '.'",
    "The profile's name: also its file's name, and part of its records' names.",
    ALL,
);
pub(super) const DESCRIPTION: Key =
    key("description", "one line of text", "What the profile is for, in one line.", ALL);
pub(super) const BACKEND: Key = key(
    "backend",
    "a backend's name, name:version, or a list of those",
    "The systems under test. A list makes a sweep.",
    ALL,
);
pub(super) const HUB_KIND: Key = key(
    "hub.kind",
    "docker, local, external",
    "Where the servers run: in containers of a Docker engine, as child processes on this machine, or already, somewhere: each backend's own table then has its address.",
    ALL,
);
pub(super) const HUB_ENGINE: Key = key(
    "hub.engine",
    "the address of a Docker engine such as \"unix:///var/run/docker.sock\" or \"ssh://pi\"",
    "The Docker engine: unix://PATH, ssh://[USER@]HOST[:PORT][/PATH], tcp://HOST:PORT with TLS, or http://HOST:PORT without. Without it, DOCKER_HOST, Docker's current context, or this machine's socket.",
    ALL,
);
pub(super) const HUB_ADDRESS: Key = key(
    "hub.address",
    "a host name or address such as \"192.168.1.20\"",
    "Where this machine reaches the ports that servers publish on another machine. Without it, the engine's host.",
    ALL,
);
pub(super) const HUB_CERTIFICATES: Key = key(
    "hub.certificates",
    "the path of a folder that holds ca.pem, cert.pem and key.pem",
    "Certificates for an engine at tcp://. Without it, DOCKER_CERT_PATH, the Docker context's own, or ~/.docker.",
    ALL,
);
pub(super) const LIMIT_CPUS: Key = key(
    "hub.limits.cpus",
    "cores such as \"2 cpus\" or \"0.5 cpus\", at least 0.01",
    "Cores that each server may use, so that a large machine can stand in for a small one.",
    ALL,
);
pub(super) const LIMIT_MEMORY: Key = key(
    "hub.limits.memory",
    "a size such as \"1 GiB\", at least 6 MiB",
    "Memory that each server may use.",
    ALL,
);
pub(super) const LIMIT_DISK_WRITE: Key = key(
    "hub.limits.disk_write",
    "a rate such as \"20 MB/s\", at least 1 B/s, in whole bytes",
    "Rate of writes that reach the disk. Buffered writes are not slowed by the kernel.",
    ALL,
);
pub(super) const LIMIT_LINK: Key = key(
    "hub.limits.link",
    "a rate such as \"100 Mbit/s\" or \"12.5 MB/s\", at least 64 kbit/s",
    "Rate of each server's link, in each direction. What servers of one hub say to each other is limited too.",
    ALL,
);
pub(super) const LIMIT_DELAY: Key = key(
    "hub.limits.delay",
    "a duration such as \"5 ms\", from 100 us to 10 s",
    "Time that everything between hubmark and a server takes longer, in each direction: a round trip takes twice of it longer.",
    ALL,
);
pub(super) const LIKE: Key = key(
    "hub.like",
    "raspberry-pi-4b-8gb, raspberry-pi-4b-4gb, raspberry-pi-4b-2gb, raspberry-pi-3b, raspberry-pi-zero-2w",
    "A box for which this hub stands in, roughly: its limits apply where hub.limits says nothing else.",
    ALL,
);
pub(super) const KIND: Key = key(
    "workload.kind",
    "latency, throughput, capacity",
    "latency: users send messages at times of their own. throughput: a volume of data as fast as it goes. capacity: the largest number of users at which the objectives hold.",
    ALL,
);
pub(super) const USERS: Key = key(
    "workload.users",
    "a whole number from 1 to 1,048,575, a list, or a range such as \"100..1000 step 100\" or \"20..2000 step 5%\"",
    "How many devices send at once; each has its own connection. Lists and ranges make a sweep: 100, 200 or 100..1000 step 100. In a capacity workload they are what the search may try: 20..2000 step 5%.",
    ALL,
);
pub(super) const PAYLOAD: Key = key(
    "workload.payload",
    "a size such as \"100 B\" up to 16 MiB (at least 1 B for throughput), or a list",
    "Bytes of one message; the stamp's 8 bytes travel beside it. A list makes a sweep.",
    ALL,
);
pub(super) const PAYLOAD_SOURCE: Key = key(
    "workload.payload_source",
    "seeded, urandom",
    "seeded: a function of the stamp, so that every byte is verified on arrival. urandom: the kernel's device, counted only.",
    ALL,
);
pub(super) const MESSAGES: Key = key(
    "workload.messages",
    "a whole number from 1 to 4,294,967,295",
    "Messages that each user sends. In its place, duration may be given.",
    PACED,
);
pub(super) const DURATION: Key = key(
    "workload.duration",
    "a duration such as \"30 s\", above zero",
    "Length of the load, warm-up included: each user sends duration / mean interval messages, at least one.",
    PACED,
);
pub(super) const DISTRIBUTION: Key = key(
    "workload.arrival.distribution",
    "normal, constant, poisson",
    "How the time between two messages of one user is distributed.",
    PACED,
);
pub(super) const MEAN: Key = key(
    "workload.arrival.mean",
    "a duration such as \"1 s\", at least 1 us",
    "Mean time between two messages of one user.",
    PACED,
);
pub(super) const DEVIATION: Key = key(
    "workload.arrival.deviation",
    "a duration from 0 s up to the mean, for the normal distribution only",
    "Standard deviation of the normal distribution, which is cut off at zero.",
    PACED,
);
pub(super) const WARMUP: Key = key(
    "workload.warmup",
    "a duration such as \"5 s\", shorter than the load",
    "The load's first seconds: sent and accounted for, but not measured.",
    PACED,
);
pub(super) const DRAIN: Key = key(
    "workload.drain",
    "a duration such as \"10 s\"",
    "Longest wait for messages still on their way after the last send.",
    ALL,
);
pub(super) const VOLUME: Key = key(
    "workload.volume",
    "a size such as \"100 MB\", at least 1 B",
    "Payload bytes of one repetition, rounded up to whole messages.",
    THROUGHPUT,
);
pub(super) const SCENARIO: Key = key(
    "workload.scenario",
    "producer, consumer, both, or a list",
    "Who works while it is measured: producers alone, the consumer alone reading what was loaded before, or both. A list makes a sweep.",
    THROUGHPUT,
);
pub(super) const OBJECTIVES: Key = key(
    "workload.objectives",
    "limits such as { \"delivery.p99\" = \"20 ms\", lost = 0, throttled = \"0 s\" }, at least one",
    "What must hold for a number of users to be carried: the metrics of thresholds.",
    CAPACITY,
);
pub(super) const REPETITIONS: Key = key(
    "run.repetitions",
    "a whole number from 1 to 10,000",
    "How often each point is measured, each time on a clean server. A search for a capacity repeats as often as its decisions need.",
    SWEPT,
);
pub(super) const RETRIES: Key = key(
    "run.retries",
    "a whole number from 0 to 100",
    "How often a repetition that failed is tried again. Every try is in the record.",
    ALL,
);
pub(super) const ORDER: Key = key(
    "run.order",
    "interleaved, blocked",
    "interleaved: every round holds each point once, in random order by the seed. blocked: all repetitions of a point, then the next.",
    ALL,
);
pub(super) const SEED: Key = key(
    "run.seed",
    "a whole number from 0 to 9,223,372,036,854,775,807",
    "Seed of every random choice: arrivals, payloads, the order of repetitions.",
    ALL,
);
pub(super) const DURABILITY: Key = key(
    "run.durability",
    "default, memory, disk, or a list",
    "What a server promises when it acknowledges: its own default, the message in memory, or on the disk. A list makes a sweep.",
    ALL,
);
pub(super) const BASELINE: Key = key(
    "run.baseline",
    "a duration such as \"5 s\"",
    "Time for which the servers idle, sampled, before the load.",
    ALL,
);
pub(super) const SERVER_WARMUP: Key = key(
    "run.server_warmup",
    "a duration such as \"30 s\"; \"0 s\" for cold servers, as the study",
    "Length of a load that warms the servers up before the measured one.",
    ALL,
);

pub(super) const FOOTPRINT: Key = key(
    "run.footprint",
    "true, false",
    "Whether what each backend costs by itself is measured after the repetitions: image, cold start, idling, connections, bytes, recovery.",
    ALL,
);
pub(super) const COOLDOWN_BELOW: Key = key(
    "run.cooldown.below",
    "a temperature such as \"60 C\", from 0 to 150 C",
    "Before each repetition the hub cools down to this, so that one does not heat the next. Without it nothing is waited for.",
    ALL,
);
pub(super) const COOLDOWN_LIMIT: Key = key(
    "run.cooldown.limit",
    "a duration such as \"5 min\"",
    "Longest wait for the hub to cool down. The repetition then begins, and its record says so.",
    ALL,
);

/// Every key, in the order in which a saved profile holds them.
pub const KEYS: [&Key; 39] = [
    &NAME,
    &DESCRIPTION,
    &BACKEND,
    &HUB_KIND,
    &HUB_ENGINE,
    &HUB_ADDRESS,
    &HUB_CERTIFICATES,
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
    &THRESHOLDS,
    &FAULT,
];

/// The table of thresholds; its own keys are [`METRICS`].
pub(super) const THRESHOLDS: Key = key(
    "thresholds",
    "durations such as \"delivery.p99\" = \"20 ms\" or throttled = \"0 s\", and lost = 0",
    "Limits on the results of every repetition. One that is crossed is reported and changes the exit status.",
    ALL,
);

/// The tables of faults; their own keys are [`FAULT_KEYS`].
pub(super) const FAULT: Key = key(
    "fault",
    "tables [[fault]] with at, kind, for and server",
    "Faults that strike a server in the middle of every load, each at its time: to see how a backend behaves, not only how fast it is.",
    ALL,
);

/// What a table `[[fault]]` may hold: key, what its value may be, and what it means.
pub const FAULT_KEYS: [(&str, &str, &str); 7] = [
    (
        "at",
        "a duration such as \"20 s\", within load and drain",
        "When it begins, from the start of the load.",
    ),
    (
        "kind",
        "pause, kill, restart, cut, slow-disk, limit",
        "pause: its processes stand still. kill: SIGKILL, started again afterwards. restart: stopped in order, started again. cut: its network is cut. slow-disk: writes are slowed to disk_write. limit: it gets cpus and memory.",
    ),
    (
        "for",
        "a duration such as \"3 s\"",
        "How long it lasts; without it, until load and drain are over.",
    ),
    (
        "server",
        "a role among the servers of the backend",
        "The server that it strikes; without it, the main one.",
    ),
    (
        "disk_write",
        "a rate such as \"1 MB/s\", at least 1 B/s, in whole bytes",
        "slow-disk: the rate of writes that reach the disk.",
    ),
    ("cpus", "cores such as \"0.5 cpus\", at least 0.01", "limit: cores that the server may use."),
    (
        "memory",
        "a size such as \"256 MiB\", at least 6 MiB",
        "limit: memory that the server may use.",
    ),
];

/// Every metric of a threshold that is a duration: all but the count of lost messages.
pub const METRICS: [&str; 25] = [
    "lag.mean",
    "lag.p50",
    "lag.p90",
    "lag.p99",
    "lag.p999",
    "lag.max",
    "ack.mean",
    "ack.p50",
    "ack.p90",
    "ack.p99",
    "ack.p999",
    "ack.max",
    "delivery.mean",
    "delivery.p50",
    "delivery.p90",
    "delivery.p99",
    "delivery.p999",
    "delivery.max",
    "response.mean",
    "response.p50",
    "response.p90",
    "response.p99",
    "response.p999",
    "response.max",
    THROTTLED,
];

/// The key with that dotted path.
pub fn find(path: &str) -> Option<&'static Key> {
    KEYS.into_iter().find(|key| key.path == path)
}

/// The last part of a dotted path.
pub(super) fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

/// The names that may stand in the table at `path` (empty for the top).
pub(super) fn children(path: &str) -> Vec<&'static str> {
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
    fn tables_know_their_keys() {
        assert_eq!(
            children(""),
            ["name", "description", "backend", "hub", "workload", "run", "thresholds", "fault"]
        );
        assert_eq!(children("workload.arrival"), ["distribution", "mean", "deviation"]);
        assert!(children("name").is_empty());
        assert_eq!(find("workload.users"), Some(&USERS));
        assert_eq!(last("workload.arrival.mean"), "mean");
    }
}
