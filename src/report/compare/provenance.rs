//! Differences in the provenance of two records.

use std::net::Ipv4Addr;

use crate::{
    format::MISSING, record::Record, report::provenance::comparable_facts, units::parse_duration,
};

/// Returns whether two values of the same provenance fact are equivalent.
///
/// Addresses are ignored, because the engine chooses a container's address at every start. The time of a
/// synchronous disk write may differ by a factor of two, because this measurement differs by a half from
/// day to day on the same disk.
fn is_equivalent(name: &str, a: &str, b: &str) -> bool {
    if name == "hub.fsync"
        && let (Ok(a), Ok(b)) = (parse_duration(a), parse_duration(b))
    {
        return a <= 2 * b && b <= 2 * a;
    }
    a == b || mask_addresses(a) == mask_addresses(b)
}

/// Replaces each IPv4 address in `text` with `*`.
fn mask_addresses(text: &str) -> String {
    let is_part = |symbol: char| symbol.is_ascii_digit() || symbol == '.';
    let mut rest = text;
    let mut masked = String::new();
    while !rest.is_empty() {
        let start = rest.find(is_part).unwrap_or(rest.len());
        let (before, from) = rest.split_at(start);
        let (part, after) = from.split_at(from.find(|it| !is_part(it)).unwrap_or(from.len()));
        masked.push_str(before);
        masked.push_str(if part.parse::<Ipv4Addr>().is_ok() { "*" } else { part });
        rest = after;
    }
    masked
}

/// Returns the provenance facts that differ and may cause different results: name, value of A, value of B.
pub fn provenance_differences(a: &Record, b: &Record) -> Vec<(String, String, String)> {
    let (a, b) = (comparable_facts(a), comparable_facts(b));
    let missing = || MISSING.to_owned();
    let mut differ: Vec<_> = a
        .iter()
        .filter_map(|(name, value)| {
            let other = b.iter().find(|(other, _)| other == name).map(|(_, value)| value);
            (!other.is_some_and(|other| is_equivalent(name, value, other)))
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
    fn a_containers_address_is_no_difference() {
        let at = |address| format!("PLAINTEXT://{address}:9092,HOST://127.0.0.1:9094");
        assert!(is_equivalent("listeners", &at("172.21.0.6"), &at("172.18.0.6")));
        assert!(!is_equivalent("listeners", &at("172.21.0.6"), "PLAINTEXT://172.21.0.6:9093"));
        assert!(!is_equivalent("version", "2.8.0", "4.4.0"));
        assert!(!is_equivalent("kernel", "6.1.0-28", "6.1.0-29"));
    }

    #[test]
    fn small_differences_of_disk_speed_are_equivalent() {
        assert!(is_equivalent("hub.fsync", "2.83 ms", "3.24 ms"));
        assert!(!is_equivalent("hub.fsync", "2.83 ms", "12.1 ms"));
        assert!(!is_equivalent("hub.fsync", "2.83 ms", MISSING));
        assert!(!is_equivalent("hub.memory", "4 GB", "8 GB"));
    }
}
