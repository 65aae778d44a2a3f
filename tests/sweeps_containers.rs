//! Runs on real servers in containers that are killed and gone on with.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod support_faults;

use std::fs;

use hubmark::record::{Status, store};
use support_faults::{
    Answer, Bench,
    engine::{OnEngine, containers},
    finished, program, until,
};

/// Three repetitions of a second or two.
const SHORT: &[&str] = &[
    "workload.users=5",
    "workload.messages=5",
    "workload.arrival={ distribution = \"constant\", mean = \"100 ms\" }",
    "run.baseline=\"0 s\"",
    "run.repetitions=3",
];

fn resumed(bench: &Bench, file: &str) -> Answer {
    let mut command = bench.command(program());
    Answer::of(command.env_remove("DOCKER_HOST").args(["run", "--resume", file]))
}

fn killed_and_gone_on_with(backend: &str) {
    let mut run = OnEngine::start(backend, SHORT);
    until("a repetition is finished", || !finished(&run.bench.record()).is_empty());
    // With the next repetition's server up.
    until("a server is up", || {
        assert!(!run.going.over(), "it has ended: {}", run.going.stderr());
        containers(&run.run).iter().any(|container| container.running)
    });
    let OnEngine { bench, going, run } = run;
    going.kill();
    let before = bench.record();
    let file = bench.record_file().unwrap();
    let name = file.to_str().unwrap();

    // Another image in place of the one that was measured is refused, and nothing is touched.
    let text = fs::read_to_string(&file).unwrap();
    let mut changed: serde_json::Value = serde_json::from_str(&text).unwrap();
    for server in changed["provenance"]["servers"].as_object_mut().unwrap().values_mut() {
        for image in server["images"].as_object_mut().unwrap().values_mut() {
            image["digest"] = "sha256:0".into();
        }
    }
    let changed = changed.to_string();
    fs::write(&file, &changed).unwrap();
    resumed(&bench, name).says(1, &["cannot resume", "image hubmark/", "sha256:0 in the record"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), changed);
    fs::write(&file, &text).unwrap();

    resumed(&bench, name).says(0, &["repetitions are already in it"]);
    let after = store::load(&file).unwrap();
    assert_eq!((after.status, after.plan == before.plan), (Status::Complete, true));
    let mut indices: Vec<_> = finished(&after).iter().map(|r| (r.order, r.index)).collect();
    indices.sort_unstable();
    assert_eq!(indices, [(0, 0), (1, 1), (2, 2)]);
    for repetition in finished(&before) {
        assert!(finished(&after).contains(&repetition), "what was finished is kept");
    }
    assert_eq!(containers(&run), [], "what the killed run left is gone");
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_killed_sweep_of_mariadb_is_gone_on_with() {
    killed_and_gone_on_with("mariadb");
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_killed_sweep_of_kafka_with_zookeeper_is_gone_on_with() {
    killed_and_gone_on_with("kafka:2.8.0");
}
