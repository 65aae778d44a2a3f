//! The summary that a run prints at its end: at most 100 columns.

use std::{fmt::Write, path::Path};

use super::{
    answer::answer,
    capacity,
    cells::{Cells, Source},
    footprint,
};
use crate::{
    format::{broken, bytes, count, optional, three},
    measure::{Estimate, Judgement, Ledger, PLANNED_FAULT},
    plan::{Durability, Workload},
    record::{PointResult, Record, Repetition, Status, Summary, histogram},
    server::HubKind,
};

/// The summary of `record`, which lies at `path`; `shapes` adds each latency distribution as a
/// line of blocks, for terminals that can show them.
pub fn summary(record: &Record, path: &Path, shapes: bool) -> String {
    let mut text = String::new();
    head(&mut text, record);
    found(&mut text, record);
    text.push_str(&capacity::section(record));
    latency_table(&mut text, record);
    if shapes {
        distributions(&mut text, record);
    }
    throughput_table(&mut text, record);
    resources(&mut text, record);
    text.push_str(&footprint::section(record));
    messages(&mut text, record);
    doubts(&mut text, record);
    let _ = writeln!(text, "\nrecord: {}", path.display());
    text
}

fn head(text: &mut String, record: &Record) {
    let status = match record.status {
        Status::Complete => "complete",
        Status::Partial => "PARTIAL",
    };
    let done: usize = record.points.iter().map(|point| point.repetitions.len()).sum();
    let _ = writeln!(
        text,
        "{} · {status} · {done}{} repetitions · {}",
        record.plan.profile,
        planned(record),
        record.started.strftime("%Y-%m-%d %H:%M UTC"),
    );
    let hub = &record.provenance.hub;
    let unknown = || "unknown".to_owned();
    let _ = writeln!(
        text,
        "hub: {}, {} cores, {} · {}",
        hub.model.clone().or_else(|| hub.cpu.clone()).unwrap_or_else(unknown),
        hub.cores.map_or_else(unknown, |cores| cores.to_string()),
        hub.memory.map_or_else(unknown, |memory| bytes(memory.0 as f64)),
        hub.engine.clone().unwrap_or_else(|| "no container engine".to_owned()),
    );
    if record.plan.hub.kind == HubKind::External {
        let _ = writeln!(text, "{}", record.plan.place());
    }
    for caution in &hub.cautions {
        wrapped(text, "  ! ", caution);
    }
    if hub.shared_with_client {
        let _ = writeln!(text, "the hub is this machine: users and servers shared its cores");
    }
    for (backend, server) in &record.provenance.servers {
        let _ = writeln!(text, "{backend}: server version {}", server.version);
        if let Some(caution) = &server.caution {
            let _ = writeln!(text, "  ! {caution}");
        }
    }
    if let Some(like) = &record.plan.hub.like {
        let _ = writeln!(text, "the hub stood in, roughly, for {like}");
    }
    for limit in &record.provenance.limits {
        let _ = writeln!(text, "limit: {limit}");
    }
    let warm = if record.plan.server_warmup.is_zero() {
        "none: cold servers, as the study".to_owned()
    } else {
        format!("{} s of load", three(record.plan.server_warmup.as_secs_f64()))
    };
    let _ = writeln!(text, "server warm-up: {warm}");
    if let Some(ended) = &record.ended {
        let _ = writeln!(text, "ended early: {ended}");
    }
}

/// What differs and what grows, where more than one point was measured.
fn found(text: &mut String, record: &Record) {
    let cells = Cells::of(vec![Source { name: "", record }], false);
    let answer = answer(&cells);
    if answer.versus.is_empty() && answer.growth.is_empty() {
        return;
    }
    let _ = writeln!(text, "\nfound (hubmark report has all of it, with figures):");
    for sentence in answer.found.iter().chain(&answer.doubts) {
        wrapped(text, "  ", sentence);
    }
}

/// `words` at most [`WIDTH`] columns wide, `mark` in front and the same room before further lines.
pub fn wrapped(text: &mut String, mark: &str, words: &str) {
    let room = WIDTH.saturating_sub(mark.chars().count());
    let indent = " ".repeat(mark.chars().count());
    for (place, line) in broken(words, room).iter().enumerate() {
        let _ = writeln!(text, "{}{line}", if place == 0 { mark } else { &indent });
    }
}

/// Widest line of any text.
pub const WIDTH: usize = 100;
/// Blocks of a distribution, and how many make a tenfold latency.
const BLOCKS: usize = 40;
const PER_DECADE: usize = 10;

/// The distributions on one common logarithmic axis.
fn distributions(text: &mut String, record: &Record) {
    let merged: Vec<_> = of_kind(record, |w| matches!(w, Workload::Latency(_)))
        .into_iter()
        .filter_map(|(point, summary)| {
            let delivery = summary.latency.delivery.as_ref()?;
            Some((point, histogram::distribution(delivery).ok()?))
        })
        .collect();
    let smallest = merged.iter().filter_map(|(_, d)| d.min()).reduce(f64::min);
    let Some(smallest) = smallest else { return };
    let first =
        10_f64.powf((smallest.max(1.0).log10() * PER_DECADE as f64).floor() / PER_DECADE as f64);
    let last = first * 10_f64.powf(BLOCKS as f64 / PER_DECADE as f64);
    let _ = writeln!(
        text,
        "\ndelivery of all messages, {} to {} ms on a logarithmic axis",
        three(first / 1e3),
        three(last / 1e3)
    );
    for (point, distribution) in merged {
        let bars = distribution.bars(first, PER_DECADE, BLOCKS);
        let most = bars.iter().copied().max().unwrap_or(0);
        let _ = writeln!(text, "{}  {}", point_columns(point), blocks(&bars, most));
    }
}

/// Counts as blocks of eight heights; what is there is seen, however little.
fn blocks(counts: &[u64], most: u64) -> String {
    const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let block = |count: &u64| match (count, most) {
        (0, _) | (_, 0) => ' ',
        (count, most) => HEIGHTS[(count * 7).div_ceil(most) as usize],
    };
    counts.iter().map(block).collect::<String>().trim_end().to_owned()
}

/// Of how many repetitions, where the plan knows.
fn planned(record: &Record) -> String {
    match &record.plan.capacity {
        Some(_) => String::new(),
        None => format!(" of {}", record.plan.schedule.len()),
    }
}

const fn durability(durability: Durability) -> &'static str {
    match durability {
        Durability::Default => "default",
        Durability::Memory => "memory",
        Durability::Disk => "disk",
    }
}

fn point_columns(point: &PointResult) -> String {
    let workload = &point.point.workload;
    format!(
        "{:<15.15} {:>6} {:>7} {:<7}",
        point.point.backend.to_string(),
        count(u64::from(workload.users())),
        bytes(workload.payload().0 as f64),
        durability(point.point.durability),
    )
}

const POINT_HEAD: &str = "backend          users payload durable";

/// `2.14 [2.01, 2.27]`: mean of the repetitions and its 95 % interval, where there is one.
fn with_interval(estimate: Option<&Estimate>, divisor: f64) -> String {
    let Some(estimate) = estimate else { return optional(None) };
    let mean = three(estimate.mean / divisor);
    match estimate.ci_low.zip(estimate.ci_high) {
        Some((low, high)) => {
            format!("{mean} [{}, {}]", three(low / divisor), three(high / divisor))
        }
        None => mean,
    }
}

fn latency_table(text: &mut String, record: &Record) {
    let points: Vec<_> = of_kind(record, |w| matches!(w, Workload::Latency(_)));
    if points.is_empty() {
        return;
    }
    let _ = writeln!(
        text,
        "\nlatency in ms (mean: {}, 95 % interval; percentiles: all samples merged)",
        match &record.plan.capacity {
            Some(_) => "of a point's repetitions".to_owned(),
            None => format!("of {} repetitions", record.plan.repetitions),
        }
    );
    let _ = writeln!(
        text,
        "{POINT_HEAD}  {:<22} {:>6} {:>6} {:>7} {:>6} {:>6}",
        "delivery mean", "p50", "p99", "max", "ack", "resp."
    );
    for (point, summary) in points {
        let ms = |value: Option<f64>| optional(value.map(|micros| micros / 1e3));
        let delivery = summary.latency.delivery.as_ref();
        let _ = writeln!(
            text,
            "{}  {:<22} {:>6} {:>6} {:>7} {:>6} {:>6}",
            point_columns(point),
            with_interval(summary.over_repetitions.get("delivery.mean_us"), 1e3),
            ms(delivery.and_then(|d| d.p50)),
            ms(delivery.and_then(|d| d.p99)),
            ms(delivery.map(|d| d.max)),
            ms(summary.latency.ack.as_ref().and_then(|d| d.p50)),
            ms(summary.latency.response.as_ref().and_then(|d| d.p50)),
        );
    }
    let _ =
        writeln!(text, "ack, resp.: median; delivery = received − sent, response = received − due");
    if let Some(path) = record.path {
        let _ = writeln!(text, "the path by itself: {path}");
    }
}

fn throughput_table(text: &mut String, record: &Record) {
    let points: Vec<_> = of_kind(record, |w| matches!(w, Workload::Throughput(_)));
    if points.is_empty() {
        return;
    }
    let _ = writeln!(text, "\nthroughput (mean of repetitions, 95 % interval)");
    let _ = writeln!(text, "{POINT_HEAD}  {:<9} {:<26} {:>12}", "scenario", "MB/s", "messages/s");
    for (point, summary) in points {
        let Workload::Throughput(workload) = &point.point.workload else { continue };
        let figure = |name| summary.over_repetitions.get(name);
        let _ = writeln!(
            text,
            "{}  {:<9} {:<26} {:>12}",
            point_columns(point),
            format!("{:?}", workload.scenario).to_lowercase(),
            with_interval(figure("throughput.bytes_per_second"), 1e6),
            optional(figure("throughput.messages_per_second").map(|e| e.mean)),
        );
    }
}

fn resources(text: &mut String, record: &Record) {
    let points: Vec<_> = of_kind(record, |_| true);
    if points.is_empty() {
        return;
    }
    let _ = writeln!(text, "\nresources over the load (mean of repetitions)");
    let _ = writeln!(
        text,
        "{POINT_HEAD}  {:<9} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "server", "cpu cores", "memory +", "written", "received", "sent"
    );
    for (point, summary) in points {
        for role in roles(summary) {
            let mean = |figure: &str| {
                summary
                    .over_repetitions
                    .get(&format!("{role}.{figure}"))
                    .map(|estimate| estimate.mean)
            };
            let size = |figure: &str| mean(figure).map_or_else(|| optional(None), bytes);
            let _ = writeln!(
                text,
                "{}  {role:<9.9} {:>9} {:>9} {:>9} {:>9} {:>9}",
                point_columns(point),
                optional(mean("cpu_cores")),
                size("memory_growth_bytes"),
                size("block_written_bytes"),
                size("network_received_bytes"),
                size("network_sent_bytes"),
            );
        }
    }
}

fn roles(summary: &Summary) -> Vec<&str> {
    summary.over_repetitions.keys().filter_map(|name| name.strip_suffix(".cpu_cores")).collect()
}

fn of_kind(record: &Record, kind: impl Fn(&Workload) -> bool) -> Vec<(&PointResult, &Summary)> {
    let fits = |point: &&PointResult| kind(&point.point.workload);
    record
        .points
        .iter()
        .filter(fits)
        .filter_map(|point| Some((point, point.summary.as_ref()?)))
        .collect()
}

fn repetitions(record: &Record) -> impl Iterator<Item = (&PointResult, &Repetition)> {
    record.points.iter().flat_map(|point| point.repetitions.iter().map(move |r| (point, r)))
}

/// Only repetitions that ended early have any.
fn on_the_way(number: u64) -> String {
    if number == 0 { String::new() } else { format!("  on the way {}", count(number)) }
}

fn messages(text: &mut String, record: &Record) {
    let mut total = Ledger::default();
    for (_, Repetition { ledger, .. }) in repetitions(record) {
        total.planned += ledger.planned;
        total.sent += ledger.sent;
        total.unsent += ledger.unsent;
        total.acked += ledger.acked;
        total.delivered += ledger.delivered;
        total.lost += ledger.lost;
        total.on_the_way += ledger.on_the_way;
        total.failed += ledger.failed;
        total.duplicate += ledger.duplicate;
        total.corrupt += ledger.corrupt;
        total.out_of_order += ledger.out_of_order;
    }
    let _ = writeln!(
        text,
        "\nmessages: planned {}  sent {}  acknowledged {}  delivered {}",
        count(total.planned),
        count(total.sent),
        count(total.acked),
        count(total.delivered),
    );
    let _ = writeln!(
        text,
        "          lost {}{}  failed {}  unsent {}  duplicate {}  out of order {}  corrupt {}",
        count(total.lost),
        on_the_way(total.on_the_way),
        count(total.failed),
        count(total.unsent),
        count(total.duplicate),
        count(total.out_of_order),
        count(total.corrupt),
    );
    let lag = |r: &Repetition| r.generator.lag_p99;
    let worst = repetitions(record).filter_map(|(_, r)| lag(r)).reduce(f64::max);
    let cpu = repetitions(record).map(|(_, r)| r.generator.cpu_cores).reduce(f64::max);
    let _ = writeln!(
        text,
        "hubmark itself: worst lag p99 {} ms, most cpu {} cores",
        optional(worst.map(|micros| micros / 1e3)),
        optional(cpu),
    );
}

fn doubts(text: &mut String, record: &Record) {
    let doubtful: Vec<_> =
        repetitions(record).filter(|(_, r)| r.verdict.status != Judgement::Valid).collect();
    if doubtful.is_empty() {
        let _ = writeln!(text, "verdict: all repetitions valid");
    } else {
        let all = repetitions(record).count();
        let _ = writeln!(text, "verdict: {} of {all} repetitions are not valid", doubtful.len());
    }
    for (point, repetition) in doubtful {
        let workload = &point.point.workload;
        let _ = writeln!(
            text,
            "  {:?}: {}, {} users, {}, repetition {}",
            repetition.verdict.status,
            point.point.backend,
            count(u64::from(workload.users())),
            bytes(workload.payload().0 as f64),
            repetition.index + 1,
        );
        // What was planned has its own lines below.
        let reasons = repetition.verdict.reasons.iter();
        for reason in reasons.filter(|reason| reason.code != PLANNED_FAULT) {
            let _ = writeln!(text, "    {}", reason.text.replace('\n', "\n    "));
        }
    }
    for (point, tried) in
        record.points.iter().flat_map(|p| p.failed_tries.iter().map(move |r| (p, r)))
    {
        let why = tried.verdict.reasons.first().map_or("", |reason| &reason.text);
        let _ = writeln!(
            text,
            "  failed and tried again: {}, {} users, repetition {}, try {}: {}",
            point.point.backend,
            count(u64::from(point.point.workload.users())),
            tried.index + 1,
            tried.attempt,
            why.lines().next().unwrap_or_default(),
        );
    }
    for (point, repetition) in repetitions(record) {
        for fault in &repetition.faults {
            let (point, number) = (&point.point, repetition.index + 1);
            let durability = point.durability.word();
            let _ = writeln!(
                text,
                "fault: {}, durability {durability}, repetition {number}: {}",
                point.backend,
                fault.sentence()
            );
        }
    }
    for (point, repetition) in repetitions(record) {
        for crossed in &repetition.crossed {
            let _ = writeln!(text, "threshold: {}: {crossed}", point.point.backend);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_seen_and_what_is_not_is_not() {
        assert_eq!(blocks(&[0, 1, 500, 1_000, 0], 1_000), " ▂▅█");
        assert_eq!(blocks(&[0, 0], 0), "");
    }

    #[test]
    fn sentences_stay_within_the_width() {
        let mut text = String::new();
        wrapped(&mut text, "! ", &"word ".repeat(60));
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        assert_eq!(text.split_whitespace().filter(|word| *word == "word").count(), 60);
    }
}
