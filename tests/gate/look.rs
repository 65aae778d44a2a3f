//! Second readers: what a server holds, seen without any client of hubmark's.

use super::docker;

/// Distinct messages in MariaDB's table, by the server's own client as the administrator who sits
/// in the container.
pub fn rows_in_mariadb(container: &str) -> u64 {
    let query = "SELECT COUNT(DISTINCT stamp), COUNT(*), MAX(LENGTH(payload)) FROM messages";
    let said = docker(&["exec", container, "mariadb", "-NB", "hubmark", "-e", query]);
    let said = String::from_utf8(said).unwrap();
    let figures: Vec<u64> = said.split_whitespace().map(|n| n.parse().unwrap()).collect();
    assert_eq!(figures[0], figures[1], "no row is there twice");
    assert_eq!(figures[2], 100);
    figures[0]
}

/// Records in the topic's own files.
pub fn records_in_kafka(container: &str) -> u64 {
    let log = "cat /data/kafka/hubmark-*/*.log";
    records_in(&docker(&["exec", container, "sh", "-c", log]))
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
        if length == 0 {
            break;
        }
        assert_eq!(log[MAGIC], 2);
        records += u64::from(number(COUNT, log));
        log = &log[HEAD + length as usize..];
    }
    records
}
