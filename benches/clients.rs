//! hubmark's own client beside librdkafka: the whole program with each of them, taking turns on one warm broker.
//! `cargo bench --bench clients [-- builtin]`.
//!
//! Needs a Docker engine with the image `hubmark/kafka:4.4.0`; with `builtin`, only the built-in broker is used.
//! `HUBMARK_BENCH_USERS` is a list of numbers of users for the native client alone, `HUBMARK_BENCH_ROUNDS` the
//! number of rounds.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench that cannot go on must fail")]

#[path = "broker/container.rs"]
mod container;
#[path = "floor/paced.rs"]
mod floor;

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use container::BrokerContainer;
use serde_json::Value;

const CONTAINER: &str = "hubmark-bench-clients";
/// Users of the comparison.
const USERS: u32 = 1_000;
/// Messages of each user in the comparison.
const MESSAGES: u32 = 30;
/// Users of the native client alone, by default.
const MANY: &[u32] = &[10_000];

/// One run's figures.
#[derive(Debug, Clone, Copy)]
struct Figures {
    cores: f64,
    resident_mb: f64,
    threads: f64,
    connect_s: f64,
    lag_p99: f64,
    ack_p50: f64,
    delivery_p50: f64,
    delivery_p99: f64,
    delivered: f64,
    planned: f64,
}

fn main() {
    floor::Floor::measure().print();
    let only_builtin = std::env::args().any(|argument| argument == "builtin");
    let rounds = number("HUBMARK_BENCH_ROUNDS").unwrap_or(3);
    let folder = tempfile::tempdir().unwrap();
    let broker = (!only_builtin).then(|| BrokerContainer::start(CONTAINER));
    let mut found: BTreeMap<(&str, &str), Vec<Figures>> = BTreeMap::new();
    for round in 0..=rounds {
        for client in ["native", "librdkafka"] {
            for backend in ["builtin", "kafka"] {
                if backend == "kafka" && broker.is_none() {
                    continue;
                }
                let figures = run(folder.path(), backend, client, USERS, broker.as_ref());
                print(&format!("{backend} {client} {USERS} users"), figures);
                // The first round warms the broker up.
                if round > 0 {
                    found.entry((backend, client)).or_default().push(figures);
                }
            }
        }
    }
    for backend in ["builtin", "kafka"] {
        let (Some(own), Some(other)) =
            (found.get(&(backend, "native")), found.get(&(backend, "librdkafka")))
        else {
            continue;
        };
        let ratio = |figure: fn(&Figures) -> f64| median(own, figure) / median(other, figure);
        println!(
            "{backend}: native is {:.2} × the processor time, {:.2} × the memory, {:.2} × the time to connect, {:.2} × ack p50, {:.2} × delivery p50 of librdkafka (medians of {rounds} rounds)",
            ratio(|f| f.cores),
            ratio(|f| f.resident_mb),
            ratio(|f| f.connect_s),
            ratio(|f| f.ack_p50),
            ratio(|f| f.delivery_p50),
        );
    }
    let many = std::env::var("HUBMARK_BENCH_USERS").ok();
    let many = many.map_or_else(
        || MANY.to_vec(),
        |list| list.split(',').map(|users| users.trim().parse().unwrap()).collect(),
    );
    for users in many {
        for backend in ["builtin", "kafka"] {
            if backend == "builtin" || broker.is_some() {
                let figures = run(folder.path(), backend, "native", users, broker.as_ref());
                print(&format!("{backend} native {users} users"), figures);
            }
        }
    }
    floor::Floor::measure().print();
}

fn number(variable: &str) -> Option<usize> {
    std::env::var(variable).ok()?.parse().ok()
}

fn median(all: &[Figures], figure: fn(&Figures) -> f64) -> f64 {
    let mut values: Vec<_> = all.iter().map(figure).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn print(what: &str, f: Figures) {
    println!(
        "{what}: {:.2} core, {:.0} MB, {:.0} threads, connected in {:.2} s, lag p99 {:.2}, ack p50 {:.2}, delivery p50 {:.2}, p99 {:.2} ms, {:.0} of {:.0} delivered",
        f.cores,
        f.resident_mb,
        f.threads,
        f.connect_s,
        f.lag_p99,
        f.ack_p50,
        f.delivery_p50,
        f.delivery_p99,
        f.delivered,
        f.planned,
    );
}

/// Runs the program once, and reads its record.
fn run(
    folder: &Path,
    backend: &str,
    client: &str,
    users: u32,
    broker: Option<&BrokerContainer>,
) -> Figures {
    let record = folder.join("record.json");
    let _ = fs::remove_file(&record);
    let profile = folder.join(format!("{backend}.toml"));
    let kind = if backend == "builtin" { "local" } else { "external" };
    let address =
        broker.map_or_else(String::new, |broker| format!("address = \"{}\"\n", broker.address));
    let settings = if backend == "builtin" { String::new() } else { address };
    let text = format!(
        "name = \"bench\"\nbackend = [\"{backend}\"]\n[hub]\nkind = \"{kind}\"\n[workload]\nkind = \"latency\"\nusers = {users}\npayload = \"100 B\"\nmessages = {MESSAGES}\narrival = {{ distribution = \"normal\", mean = \"1 s\", deviation = \"250 ms\" }}\nwarmup = \"5 s\"\n[run]\nbaseline = \"0 s\"\n[{backend}]\nclient = \"{client}\"\n{settings}"
    );
    fs::write(&profile, text).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_hubmark"))
        .args(["run", "-q", "--format", "json", "--out"])
        .arg(&record)
        .arg(&profile)
        .output()
        .unwrap();
    let Ok(text) = fs::read(&record) else {
        panic!("{}", String::from_utf8_lossy(&output.stderr));
    };
    let record: Value = serde_json::from_slice(&text).unwrap();
    let repetition = &record["points"][0]["repetitions"][0];
    let get = |path: &str| {
        let value = repetition.pointer(path).and_then(Value::as_f64);
        value.unwrap_or(f64::NAN)
    };
    Figures {
        cores: get("/generator/cpu_cores"),
        resident_mb: get("/generator/resident") / 1e6,
        threads: get("/generator/threads"),
        connect_s: get("/phases/connecting users"),
        lag_p99: get("/latency/lag/p99") / 1e3,
        ack_p50: get("/latency/ack/p50") / 1e3,
        delivery_p50: get("/latency/delivery/p50") / 1e3,
        delivery_p99: get("/latency/delivery/p99") / 1e3,
        delivered: get("/ledger/delivered"),
        planned: get("/ledger/planned"),
    }
}
