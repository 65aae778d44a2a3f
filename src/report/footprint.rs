//! Footprint cards as text of at most 100 columns.

use std::fmt::Write;

use crate::{
    format::{bytes, count_noun, optional_number, three_significant},
    record::{Footprint, Record},
};

/// Writes every footprint card of `record`; empty when there is none.
pub fn section(record: &Record) -> String {
    let mut text = String::new();
    for (backend, card) in &record.footprints {
        let _ = writeln!(text, "\nfootprint of {backend}");
        for (name, value) in lines(card) {
            let _ = writeln!(text, "  {name:<36} {value}");
        }
        for note in &card.notes {
            let _ = writeln!(text, "  not measured: {}", note.lines().next().unwrap_or_default());
        }
    }
    text
}

/// Returns the card's figures as pairs of name and value with unit; the names are the same for every card.
pub fn lines(card: &Footprint) -> Vec<(&'static str, String)> {
    let images: Vec<_> = card
        .image_bytes
        .iter()
        .map(|(role, size)| format!("{} ({role})", bytes(size.0 as f64)))
        .collect();
    let images = if images.is_empty() { optional_number(None) } else { images.join(", ") };
    let with = |value: Option<f64>, unit: &str| match value {
        Some(value) => format!("{}{unit}", three_significant(value)),
        None => optional_number(None),
    };
    let starts: Vec<_> =
        card.cold_starts.iter().map(|seconds| three_significant(*seconds)).collect();
    let size = |value: Option<f64>| value.map_or_else(|| optional_number(None), bytes);
    let load = format!(
        "{}, payload {}",
        count_noun(card.users.into(), "user"),
        bytes(card.payload.0 as f64)
    );
    vec![
        ("image", images),
        (
            "cold start to first acknowledgement",
            format!("{} (median of {})", with(card.cold_start_seconds, " s"), starts.join(", ")),
        ),
        (
            "idle CPU",
            format!(
                "{} over {} s",
                with(card.idle_cpu_cores, " cores"),
                three_significant(card.idle_seconds)
            ),
        ),
        ("idle memory", size(card.idle_memory.map(|memory| memory.0 as f64))),
        ("memory per connected user", format!("{} ({load})", size(card.memory_per_user))),
        ("data stored per payload byte", with(card.data_per_payload_byte, " B")),
        (
            "written per payload byte",
            match card.written_source {
                Some(source) => {
                    format!("{} (source: {source:?})", with(card.written_per_payload_byte, " B"))
                }
                None => with(card.written_per_payload_byte, " B"),
            },
        ),
        ("hub's disk per payload byte", with(card.host_written_per_payload_byte, " B")),
        (
            "on the wire per payload byte",
            format!(
                "{} in, {} out",
                with(card.received_per_payload_byte, " B"),
                with(card.sent_per_payload_byte, " B")
            ),
        ),
        ("recovery after kill -9", with(card.recovery_seconds, " s")),
    ]
}
