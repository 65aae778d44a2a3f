//! A hub as a Raspberry Pi ships, with figures that its kernel does not count; and a doctor that is killed
//! while it reads a hub.

use hubmark::server::BlockSource;
use nix::sys::signal::Signal;
use serde_json::json;

use super::{HUB, IMAGES};
use crate::support::{
    engine_proxy::EngineProxy,
    records::only_repetition,
    sandbox::{Sandbox, set_arguments},
    wait::{until, until_some},
};

const SHORT: &[&str] = &[
    "backend=mariadb",
    "workload.users=5",
    "workload.messages=50",
    "workload.arrival={ distribution = \"constant\", mean = \"100 ms\" }",
    "run.repetitions=1",
];

#[test]
#[ignore = "needs a Docker engine"]
fn bytes_that_a_pi_as_shipped_does_not_count_are_missing_with_the_reason() {
    std::sync::LazyLock::force(&IMAGES);
    let folder = tempfile::tempdir().unwrap();
    let proxy = EngineProxy::altering(
        folder.path(),
        Box::new(|question, answer| {
            if question == "info" {
                answer["CgroupVersion"] = json!("2");
                answer["MemoryLimit"] = json!(false);
            }
        }),
    );
    let sandbox = Sandbox::new();
    let engine = format!("hub.engine={}", proxy.address());
    let mut command = sandbox.command(["run", "study-latency-users-quick"]);
    command.args(set_arguments(&[SHORT, &[&engine]].concat()));
    let output: crate::support::process::ProgramOutput = command.output().unwrap().into();
    let warned = "nor the bytes that they write to the disk are counted";
    assert!(output.stderr.contains(warned), "before the run: {}", output.stderr);
    for text in [warned, "written: – because the hub's memory cgroup is off", "hub disk"] {
        assert!(output.stdout.replace("\n    ", " ").contains(text), "{text}: {}", output.stdout);
    }
    let record = sandbox.record();
    let block = only_repetition(&record).resources["mariadb"].block;
    assert_eq!((block.written, block.source), (None, Some(BlockSource::Engine)), "not 0 B");
    assert!(block.host_written.is_some_and(|written| written.0 > 0), "{block:?}");
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_killed_or_stopped_doctor_leaves_no_container() {
    std::sync::LazyLock::force(&IMAGES);
    for signal in [Signal::SIGKILL, Signal::SIGTERM] {
        let sandbox = Sandbox::new();
        let mut command = sandbox.command(["doctor", "--hub", "ssh://pi"]);
        HUB.prepare(&mut command);
        let mut doctor = sandbox.start(command);
        let filter = "label=hubmark.role=hub-reader";
        let readers = || {
            HUB.docker(&[
                "ps",
                "--all",
                "--format",
                "{{.Label \"hubmark.run\"}}",
                "--filter",
                filter,
            ])
        };
        let of_doctor =
            || readers().lines().find(|run| run.starts_with("doctor-")).map(str::to_owned);
        let run = until_some("the doctor reads the hub", || {
            assert!(!doctor.has_ended(), "{}", doctor.stderr());
            of_doctor()
        });
        doctor.signal(signal);
        until("its container is removed", || !readers().lines().any(|other| other == run));
        doctor.wait();
    }
}
