//! Fault schedules: parsing, and every refusal.

use super::*;
use crate::plan::{Fault, FaultKind};

fn planned_faults(faults: &str) -> Vec<Fault> {
    parse(&format!("{MINIMAL_PROFILE}{faults}")).unwrap().plan().faults
}

#[test]
fn faults_are_read_in_the_order_of_their_time() {
    let faults = planned_faults(
        r#"
        [workload]
        duration = "1 min"
        [[fault]]
        at = "20 s"
        kind = "limit"
        cpus = "0.5 cpus"
        memory = "256 MiB"
        [[fault]]
        at = "5 s"
        kind = "kill"
        for = "3 s"
        server = "zookeeper"
        [[fault]]
        at = "10 s"
        kind = "slow-disk"
        disk_write = "1 MB/s"
        for = "2 s"
    "#,
    );
    let words: Vec<_> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(
        words,
        [
            "5 s · kill of zookeeper for 3 s",
            "10 s · slow-disk to 1 MB/s of the main server for 2 s",
            "20 s · limit to 0.5 cpus and 256 MiB of the main server to the end",
        ]
    );
    assert_eq!(faults[1].kind, FaultKind::SlowDisk { disk_write: ByteRate(1e6) });
    assert_eq!(faults[0].end(), Some(Duration::from_secs(8)));
}

#[test]
fn an_override_gives_a_schedule() {
    let change = r#"fault=[{ at = "1 s", kind = "pause", for = "500 ms" }]"#;
    let faults = parse_with_overrides(MINIMAL_PROFILE, &[change]).unwrap().plan().faults;
    assert_eq!(faults[0].to_string(), "1 s · pause of the main server for 500 ms");
    assert!(
        parse_with_overrides(MINIMAL_PROFILE, &[change, "fault=[]"])
            .unwrap()
            .plan()
            .faults
            .is_empty()
    );
}

#[test]
fn all_problems_of_a_schedule_are_reported_with_their_locations() {
    let text = r#"name = "trial"
backend = "stream"
[workload]
duration = "30 s"
drain = "5 s"
[[fault]]
at = "10 s"
kind = "paus"
for = "0 s"
[[fault]]
kind = "slow-disk"
cpus = "1 cpus"
[[fault]]
at = "40 s"
kind = "cut"
[[fault]]
at = "5 s"
kind = "kill"
for = "3 s"
sever = "zookeeper"
[[fault]]
at = "7 s"
kind = "limit"
"#;
    let problems = parse(text).unwrap_err().with_source("bad.toml");
    insta::assert_snapshot!(problems.to_string());
}

#[test]
fn child_processes_can_be_paused_and_nothing_else() {
    let local = |kind: &str| {
        let fault = format!("[[fault]]\nat = \"1 s\"\nfor = \"1 s\"\nkind = \"{kind}\"\n");
        parse(&format!("name = \"t\"\nbackend = \"toy\"\n{fault}"))
    };
    assert!(local("pause").is_ok());
    for kind in ["kill", "restart", "cut"] {
        let problems = local(kind).unwrap_err().to_string();
        assert!(problems.contains("works on the docker hub only"), "{problems}");
    }
}

#[test]
fn a_fault_key_that_is_not_a_list_of_tables_is_refused() {
    for wrong in ["fault = 3", "fault = [3]", "[fault]\nat = \"1 s\""] {
        let text = format!("{wrong}\nname = \"trial\"\nbackend = \"stream\"\n");
        let text =
            if wrong.starts_with('[') { format!("{MINIMAL_PROFILE}{wrong}\n") } else { text };
        let problems = parse(&text).unwrap_err().to_string();
        assert!(problems.contains("fault"), "{problems}");
    }
}
