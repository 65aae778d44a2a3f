//! Runs on real servers in containers that are killed and resumed.

use std::{fs, path::Path};

use hubmark::record::{RecordStatus, store};

use crate::support::{
    container_run::ContainerRun, docker::containers_of_run, process::ProgramOutput,
    records::finished, sandbox::Sandbox, wait::until,
};

/// Three repetitions of a second or two.
const SHORT: &[&str] = &[
    "workload.users=5",
    "workload.messages=5",
    "workload.arrival={ distribution = \"constant\", mean = \"100 ms\" }",
    "run.baseline=\"0 s\"",
    "run.repetitions=3",
];

fn resume(sandbox: &Sandbox, file: &Path) -> ProgramOutput {
    sandbox.run(["run", "--resume", file.to_str().unwrap()])
}

/// Changes the digest of every image in a record, also in the changes that its journal holds.
fn change_digests(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(entries) => {
            for (key, value) in entries {
                match value {
                    serde_json::Value::String(digest) if key == "digest" => {
                        "sha256:0".clone_into(digest);
                    }
                    other => change_digests(other),
                }
            }
        }
        serde_json::Value::Array(values) => values.iter_mut().for_each(change_digests),
        _ => {}
    }
}

/// Kills a run while a server runs, and checks how it is resumed.
fn check_resumed_run(backend: &str) {
    let mut run = ContainerRun::start(backend, SHORT);
    until("a repetition is finished", || !finished(&run.sandbox.record()).is_empty());
    // Wait for the next repetition's server.
    until("a server runs", || {
        assert!(!run.program.has_ended(), "it has ended: {}", run.program.stderr());
        containers_of_run(&run.run).iter().any(|container| container.running)
    });
    let ContainerRun { sandbox, program, run } = run;
    program.kill();
    let before = sandbox.record();
    let file = sandbox.record_file().unwrap();

    // Another image than the measured one is refused, and the record stays unchanged.
    let text = fs::read_to_string(&file).unwrap();
    let mut changed: serde_json::Value = serde_json::from_str(&text).unwrap();
    change_digests(&mut changed);
    let changed = changed.to_string();
    fs::write(&file, &changed).unwrap();
    resume(&sandbox, &file)
        .reports(1, &["cannot resume", "image hubmark/", "sha256:0 in the record"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), changed);
    fs::write(&file, &text).unwrap();

    resume(&sandbox, &file).reports(0, &["already in the record"]);
    let after = store::load(&file).unwrap();
    assert_eq!((after.status, after.plan == before.plan), (RecordStatus::Complete, true));
    let mut indices: Vec<_> = finished(&after).iter().map(|r| (r.order, r.index)).collect();
    indices.sort_unstable();
    assert_eq!(indices, [(0, 0), (1, 1), (2, 2)]);
    for repetition in finished(&before) {
        assert!(finished(&after).contains(&repetition), "finished repetitions are kept");
    }
    assert_eq!(containers_of_run(&run), [], "the leftovers are removed");
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_killed_sweep_of_mariadb_is_resumed() {
    check_resumed_run("mariadb");
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_killed_sweep_of_kafka_with_zookeeper_is_resumed() {
    check_resumed_run("kafka:2.8.0");
}
