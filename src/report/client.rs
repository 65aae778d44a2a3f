//! Summary of hubmark itself: lag, processor time, its hot threads, and how late it noticed
//! acknowledgements.

use std::fmt::Write;

use crate::{
    format::{LatencyUnit, optional_number},
    record::Record,
};

/// Returns the lines on hubmark itself, the worst of all repetitions.
pub fn section(record: &Record) -> String {
    let mut text = String::new();
    let repetitions = || record.points.iter().flat_map(|point| &point.repetitions);
    let worst = repetitions().filter_map(|r| r.generator.lag_p99).reduce(f64::max);
    let cpu = repetitions().map(|r| r.generator.cpu_cores).reduce(f64::max);
    let _ = writeln!(
        text,
        "hubmark itself: worst lag p99 {} ms, most cpu {} cores",
        LatencyUnit::Millis.format(worst),
        optional_number(cpu),
    );
    let threads = repetitions().filter_map(|r| r.generator.hottest_thread());
    if let Some(hottest) = threads.max_by(|a, b| a.cores.total_cmp(&b.cores)) {
        let _ = writeln!(text, "  hottest thread: {hottest}");
    }
    let stolen = repetitions().filter_map(|r| r.generator.stolen).reduce(f64::max);
    if let Some(stolen) = stolen.filter(|stolen| *stolen > 0.0) {
        let _ = writeln!(
            text,
            "  stolen by this machine's host: at most {:.1} % of a load",
            stolen * 100.0
        );
    }
    let delays = repetitions().filter_map(|r| r.generator.ack_delay?.p99);
    if let Some(delay) = delays.reduce(f64::max) {
        let _ = writeln!(
            text,
            "  acknowledgements noticed late by at most {} ms (worst p99)",
            LatencyUnit::Millis.format(Some(delay))
        );
    }
    text
}
