//! What two records were measured on, held against each other.

use std::net::Ipv4Addr;

use crate::{
    format::MISSING, record::Record, report::provenance::comparable, units::parse_duration,
};

/// Whether two facts of the same name say the same of what was measured.
///
/// Where a container happened to be is chosen by the engine at every start. A disk's time for a synchronous
/// write is a measurement: it differs by a half from day to day on the same disk.
fn is_same(name: &str, a: &str, b: &str) -> bool {
    if name == "hub.fsync"
        && let (Ok(a), Ok(b)) = (parse_duration(a), parse_duration(b))
    {
        return a <= 2 * b && b <= 2 * a;
    }
    a == b || without_addresses(a) == without_addresses(b)
}

/// `text` with `*` for each IPv4 address.
fn without_addresses(text: &str) -> String {
    let is_part = |symbol: char| symbol.is_ascii_digit() || symbol == '.';
    let mut rest = text;
    let mut kept = String::new();
    while !rest.is_empty() {
        let start = rest.find(is_part).unwrap_or(rest.len());
        let (before, from) = rest.split_at(start);
        let (part, after) = from.split_at(from.find(|it| !is_part(it)).unwrap_or(from.len()));
        kept.push_str(before);
        kept.push_str(if part.parse::<Ipv4Addr>().is_ok() { "*" } else { part });
        rest = after;
    }
    kept
}

/// What differs in the origin of two records and may be the cause of other results: name, A's, B's.
pub fn origins(a: &Record, b: &Record) -> Vec<(String, String, String)> {
    let (a, b) = (comparable(a), comparable(b));
    let missing = || MISSING.to_owned();
    let mut differ: Vec<_> = a
        .iter()
        .filter_map(|(name, value)| {
            let other = b.iter().find(|(other, _)| other == name).map(|(_, value)| value);
            (!other.is_some_and(|other| is_same(name, value, other)))
                .then(|| (name.clone(), value.clone(), other.cloned().unwrap_or_else(missing)))
        })
        .collect();
    for (name, value) in &b {
        if !a.iter().any(|(other, _)| other == name) {
            differ.push((name.clone(), missing(), value.clone()));
        }
    }
    differ
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_container_was_is_no_difference() {
        let at = |address| format!("PLAINTEXT://{address}:9092,HOST://127.0.0.1:9094");
        assert!(is_same("listeners", &at("172.21.0.6"), &at("172.18.0.6")));
        assert!(!is_same("listeners", &at("172.21.0.6"), "PLAINTEXT://172.21.0.6:9093"));
        assert!(!is_same("version", "2.8.0", "4.4.0"));
        assert!(!is_same("kernel", "6.1.0-28", "6.1.0-29"));
    }

    #[test]
    fn the_same_disk_is_not_the_same_fast_twice() {
        assert!(is_same("hub.fsync", "2.83 ms", "3.24 ms"));
        assert!(!is_same("hub.fsync", "2.83 ms", "12.1 ms"));
        assert!(!is_same("hub.fsync", "2.83 ms", MISSING));
        assert!(!is_same("hub.memory", "4 GB", "8 GB"));
    }
}
