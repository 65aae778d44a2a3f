//! Second readers: what a server holds, seen without any client of hubmark's.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use super::{command, docker};

/// How long a server that had ended may take to be back.
const REVIVAL: Duration = Duration::from_mins(2);

/// Distinct messages in MariaDB's table, by the server's own client as the administrator who sits
/// in the container.
pub fn rows_in_mariadb(engine: &Path, container: &str) -> u64 {
    let query = "SELECT COUNT(DISTINCT stamp), COUNT(*), MAX(LENGTH(payload)) FROM messages";
    let said = docker(engine, &["exec", container, "mariadb", "-NB", "hubmark", "-e", query]);
    let said = String::from_utf8(said).unwrap();
    let figures: Vec<u64> = said.split_whitespace().map(|n| n.parse().unwrap()).collect();
    assert_eq!(figures[0], figures[1], "no row is there twice");
    assert_eq!(figures[2], 100);
    figures[0]
}

/// The same of a server that may have ended: it is started again, without its limits.
pub fn rows_left_in_mariadb(engine: &Path, container: &str) -> u64 {
    let running = docker(engine, &["inspect", "--format", "{{.State.Running}}", container]);
    if running.trim_ascii() != b"true" {
        docker(engine, &["update", "--memory", "2g", "--memory-swap", "2g", container]);
        docker(engine, &["start", container]);
    }
    let deadline = Instant::now() + REVIVAL;
    while !command(engine, &["exec", container, "mariadb", "-e", "SELECT 1"]).status.success() {
        assert!(Instant::now() < deadline, "it does not come back");
        std::thread::sleep(Duration::from_millis(200));
    }
    let query = "SELECT COUNT(*), COUNT(DISTINCT id) FROM messages";
    let said = docker(engine, &["exec", container, "mariadb", "-NB", "hubmark", "-e", query]);
    let said = String::from_utf8(said).unwrap();
    said.split_whitespace().next().unwrap().parse().unwrap()
}

/// Records in the topic's own files, of a broker that may have ended.
pub fn records_left_in_kafka(engine: &Path, container: &str) -> u64 {
    let archive = docker(engine, &["cp", &format!("{container}:/data/kafka"), "-"]);
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
    records_in(&output.stdout)
}

/// Records in the topic's own files.
pub fn records_in_kafka(engine: &Path, container: &str) -> u64 {
    let log = "cat /data/kafka/hubmark-*/*.log";
    records_in(&docker(engine, &["exec", container, "sh", "-c", log]))
}

/// Records in a topic's log: the sum of its batches' counts (message format 2).
fn records_in(mut log: &[u8]) -> u64 {
    const LENGTH: usize = 8;
    const HEAD: usize = 12;
    const MAGIC: usize = 16;
    const COUNT: usize = 57;
    let number = |at: usize, log: &[u8]| u32::from_be_bytes(log[at..at + 4].try_into().unwrap());
    let mut records = 0;
    while log.len() > COUNT + 4 {
        let length = number(LENGTH, log);
        // Space that was reserved, or a batch that was not written to its end.
        if length == 0 || log.len() < HEAD + length as usize {
            break;
        }
        assert_eq!(log[MAGIC], 2);
        records += u64::from(number(COUNT, log));
        log = &log[HEAD + length as usize..];
    }
    records
}
