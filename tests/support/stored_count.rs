//! Independent counts of the messages that a server stores, without hubmark's clients.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use super::{
    docker::{docker_at, try_docker_at},
    wait::until_within,
};

/// How long a server that had ended may take to start again.
const RESTART_LIMIT: Duration = Duration::from_mins(2);

/// Distinct messages in MariaDB's table, by the server's own client, run in the container as the
/// administrator. Checks that no row exists twice.
pub fn rows_in_mariadb(engine: &Path, container: &str) -> u64 {
    let query = "SELECT COUNT(DISTINCT stamp), COUNT(*), MAX(LENGTH(payload)) FROM messages";
    let output = docker_at(engine, &["exec", container, "mariadb", "-NB", "hubmark", "-e", query]);
    let output = String::from_utf8(output).unwrap();
    let counts: Vec<u64> = output.split_whitespace().map(|n| n.parse().unwrap()).collect();
    assert_eq!(counts[0], counts[1], "no row exists twice");
    assert_eq!(counts[2], 100);
    counts[0]
}

/// Rows in MariaDB's table; starts a server that has ended again, without its limits.
///
/// Each step is repeated until all succeed: a server that is short of memory may end at any of them, and
/// the engine refuses a command in a container that is about to end.
pub fn rows_left_in_mariadb(engine: &Path, container: &str) -> u64 {
    let query = "SELECT COUNT(*) FROM messages";
    let mut rows = None;
    until_within(RESTART_LIMIT, "the server counts its rows", || {
        let state =
            try_docker_at(engine, &["inspect", "--format", "{{.State.Running}}", container]);
        if state.stdout.trim_ascii() != b"true" {
            try_docker_at(engine, &["update", "--memory", "2g", "--memory-swap", "2g", container]);
            try_docker_at(engine, &["start", container]);
        }
        let arguments = ["exec", container, "mariadb", "-NB", "hubmark", "-e", query];
        let counted = try_docker_at(engine, &arguments);
        if counted.status.success() {
            rows = String::from_utf8_lossy(&counted.stdout).trim().parse().ok();
        }
        rows.is_some()
    });
    rows.unwrap()
}

/// Records in the files of Kafka's topic; the broker may have ended.
pub fn records_left_in_kafka(engine: &Path, container: &str) -> u64 {
    let archive = docker_at(engine, &["cp", &format!("{container}:/data/kafka"), "-"]);
    let mut tar = Command::new("tar")
        .args(["-xO", "--wildcards", "kafka/hubmark-*/*.log"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = tar.stdin.take().unwrap();
    let feeding = std::thread::spawn(move || drop(input.write_all(&archive)));
    let output = tar.wait_with_output().unwrap();
    feeding.join().unwrap();
    records_in_log(&output.stdout)
}

/// Records in the files of a running Kafka's topic.
pub fn records_in_kafka(engine: &Path, container: &str) -> u64 {
    let log = "cat /data/kafka/hubmark-*/*.log";
    records_in_log(&docker_at(engine, &["exec", container, "sh", "-c", log]))
}

/// Records in a topic's log: the sum of its batches' counts (message format 2).
fn records_in_log(mut log: &[u8]) -> u64 {
    const LENGTH: usize = 8;
    const HEAD: usize = 12;
    const MAGIC: usize = 16;
    const COUNT: usize = 57;
    let number = |at: usize, log: &[u8]| u32::from_be_bytes(log[at..at + 4].try_into().unwrap());
    let mut records = 0;
    while log.len() > COUNT + 4 {
        let length = number(LENGTH, log);
        // Reserved space, or a batch that was not written to its end.
        if length == 0 || log.len() < HEAD + length as usize {
            break;
        }
        assert_eq!(log[MAGIC], 2);
        records += u64::from(number(COUNT, log));
        log = &log[HEAD + length as usize..];
    }
    records
}
