//! Summary that a run prints at its end, as text of at most 100 columns.

use std::{fmt::Write, path::Path};

use super::{
    capacity,
    cells::{ReportCells, SourceRecord},
    client,
    conclusions::draw_conclusions,
    footprint, hub_writes,
    metric::mean_with_interval,
    verdicts,
    wrapping::write_wrapped,
};
use crate::{
    format::{LatencyUnit, MISSING, bytes, count, count_noun, optional_number, three_significant},
    measure::Ledger,
    plan::Workload,
    record::{
        PointResult, Record, RecordStatus, Repetition, Summary, histogram,
        repetition_figure::{RepetitionFigure, ServerFigure},
    },
    server::HubKind,
};

/// Returns the summary of `record`, saved at `path`.
///
/// `shapes` adds each latency distribution as a line of block characters, for terminals that can show them.
pub fn summary(record: &Record, path: &Path, shapes: bool) -> String {
    let mut text = String::new();
    write_header(&mut text, record);
    write_conclusions(&mut text, record);
    text.push_str(&capacity::section(record));
    write_latency_table(&mut text, record);
    if shapes {
        write_distributions(&mut text, record);
    }
    write_throughput_table(&mut text, record);
    write_resources(&mut text, record);
    write_tries(&mut text, record);
    text.push_str(&footprint::section(record));
    write_ledger(&mut text, record);
    verdicts::write_verdicts(&mut text, record);
    let _ = writeln!(text, "\nrecord: {}", path.display());
    text
}

fn write_header(text: &mut String, record: &Record) {
    let status = match record.status {
        RecordStatus::Complete => "complete",
        RecordStatus::Partial => "PARTIAL",
    };
    let done: usize = record.points.iter().map(|point| point.repetitions.len()).sum();
    let _ = writeln!(
        text,
        "{} · {status} · {} · {}",
        record.plan.profile,
        repetitions_done(record, done as u64),
        record.started.strftime("%Y-%m-%d %H:%M UTC"),
    );
    let hub = &record.provenance.hub;
    let unknown = || "unknown".to_owned();
    let _ = writeln!(
        text,
        "hub: {}, {}, {} · {}",
        hub.model.clone().or_else(|| hub.cpu.clone()).unwrap_or_else(unknown),
        hub.cores.map_or_else(
            || "cores unknown".to_owned(),
            |cores| count_noun(u64::from(cores), "core"),
        ),
        hub.memory.map_or_else(unknown, |memory| bytes(memory.0 as f64)),
        hub.engine.clone().unwrap_or_else(|| "no container engine".to_owned()),
    );
    if record.plan.hub.kind == HubKind::External {
        let _ = writeln!(text, "{}", record.plan.hub_summary());
    }
    for caution in &hub.cautions {
        write_wrapped(text, "  ! ", caution);
    }
    if hub.shared_with_client {
        let _ = writeln!(text, "the hub is this machine: users and servers shared its cores");
    }
    for (backend, server) in &record.provenance.servers {
        let client = server.client_name().map(|name| format!(", client {name}"));
        let client = client.unwrap_or_default();
        let _ = writeln!(text, "{backend}: server version {}{client}", server.version);
        for caution in server.all_cautions() {
            write_wrapped(text, "  ! ", caution);
        }
    }
    if let Some(like) = &record.plan.hub.like {
        let _ = writeln!(text, "the hub's limits roughly imitate {like}");
    }
    for limit in &record.provenance.limits {
        let _ = writeln!(text, "limit: {limit}");
    }
    let warm = if record.plan.server_warmup.is_zero() {
        "none: cold servers, as the study".to_owned()
    } else {
        format!("{} s of load", three_significant(record.plan.server_warmup.as_secs_f64()))
    };
    let _ = writeln!(text, "server warm-up: {warm}");
    if let Some(ended) = &record.ended {
        let _ = writeln!(text, "ended early: {ended}");
    }
}

/// Writes differences and trends, when more than one point was measured.
fn write_conclusions(text: &mut String, record: &Record) {
    let cells = ReportCells::from_sources(vec![SourceRecord { name: "", record }], false);
    let answer = draw_conclusions(&cells);
    if answer.comparisons.is_empty() && answer.trends.is_empty() {
        return;
    }
    let _ = writeln!(text, "\nfound (details and figures: hubmark report):");
    for sentence in answer.results.iter().chain(&answer.warnings) {
        write_wrapped(text, "  ", sentence);
    }
}

/// Columns of a distribution, one block each.
const DISTRIBUTION_WIDTH: usize = 40;
/// Blocks that span a tenfold latency.
const BLOCKS_PER_DECADE: usize = 10;

/// Writes the delivery distributions on one common logarithmic axis.
fn write_distributions(text: &mut String, record: &Record) {
    let merged: Vec<_> = points_of_kind(record, |w| matches!(w, Workload::Latency(_)))
        .into_iter()
        .filter_map(|(point, summary)| {
            let delivery = summary.latency.delivery.as_ref()?;
            Some((point, histogram::decode_latency(delivery).ok()?))
        })
        .collect();
    let smallest = merged.iter().filter_map(|(_, d)| d.min()).reduce(f64::min);
    let Some(smallest) = smallest else { return };
    let first = 10_f64.powf(
        (smallest.max(1.0).log10() * BLOCKS_PER_DECADE as f64).floor() / BLOCKS_PER_DECADE as f64,
    );
    let last = first * 10_f64.powf(DISTRIBUTION_WIDTH as f64 / BLOCKS_PER_DECADE as f64);
    let _ = writeln!(
        text,
        "\ndelivery of all messages, {} to {} ms on a logarithmic axis",
        three_significant(first / 1e3),
        three_significant(last / 1e3)
    );
    for (point, distribution) in merged {
        let bars = distribution.bars(first, BLOCKS_PER_DECADE, DISTRIBUTION_WIDTH);
        let most = bars.iter().copied().max().unwrap_or(0);
        let _ = writeln!(text, "{}  {}", point_columns(point), blocks(&bars, most));
    }
}

/// Draws counts as blocks of eight heights; any count above 0 is visible.
fn blocks(counts: &[u64], most: u64) -> String {
    const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let block = |count: &u64| match (count, most) {
        (0, _) | (_, 0) => ' ',
        (count, most) => HEIGHTS[(count * 7).div_ceil(most) as usize],
    };
    counts.iter().map(block).collect::<String>().trim_end().to_owned()
}

/// Formats the number of repetitions, of how many planned ones; a capacity search has no fixed number.
fn repetitions_done(record: &Record, done: u64) -> String {
    match &record.plan.capacity {
        Some(_) => count_noun(done, "repetition"),
        None => {
            format!("{done} of {}", count_noun(record.plan.schedule.len() as u64, "repetition"))
        }
    }
}

fn point_columns(point: &PointResult) -> String {
    let workload = &point.point.workload;
    format!(
        "{:<15.15} {:>6} {:>7} {:<7}",
        point.point.backend.to_string(),
        count(u64::from(workload.users())),
        bytes(workload.payload().0 as f64),
        point.point.durability.name(),
    )
}

const POINT_HEADER: &str = "backend          users payload durable";

fn write_latency_table(text: &mut String, record: &Record) {
    let points: Vec<_> = points_of_kind(record, |w| matches!(w, Workload::Latency(_)));
    if points.is_empty() {
        return;
    }
    let _ = writeln!(
        text,
        "\nlatency in ms (mean: {}, 95 % interval; percentiles: all samples merged)",
        mean_basis(&points)
    );
    let _ = writeln!(
        text,
        "{POINT_HEADER}  {:<22} {:>6} {:>6} {:>7} {:>6} {:>6}",
        "delivery mean", "p50", "p99", "max", "ack", "resp."
    );
    for (point, summary) in points {
        let ms = |value| LatencyUnit::Millis.format(value);
        let delivery = summary.latency.delivery.as_ref();
        let _ = writeln!(
            text,
            "{}  {:<22} {:>6} {:>6} {:>7} {:>6} {:>6}",
            point_columns(point),
            mean_with_interval(summary.estimate_of(RepetitionFigure::DeliveryMean), 1e3),
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
    if let Some(test) = record.self_test {
        let _ = writeln!(text, "the client by itself: {}", test.timer_text());
        let _ = writeln!(text, "                      {}", test.loopback_text());
    }
}

/// Returns what a mean is of: `of 5 repetitions`, or `of 3 to 5 repetitions`.
fn mean_basis(points: &[(&PointResult, &Summary)]) -> String {
    let counts = || points.iter().map(|(_, summary)| summary.repetitions);
    match counts().min().zip(counts().max()) {
        Some((least, most)) if least == most => {
            format!("of {}", count_noun(most.into(), "repetition"))
        }
        Some((least, most)) => format!("of {least} to {most} repetitions"),
        None => "of no repetition".to_owned(),
    }
}

/// Writes the points whose means are of fewer repetitions than were executed or tried.
fn write_tries(text: &mut String, record: &Record) {
    let steered = || record.points.iter().filter(|point| point.steered() > 0);
    if steered().next().is_some() {
        let _ = writeln!(text, "\nrepetitions steered by the operator, and left out of the means:");
    }
    for point in steered() {
        let of = count_noun(point.repetitions.len() as u64, "repetition");
        let _ = writeln!(text, "{}  {} of {of}", point_columns(point), point.steered());
    }
    let failed = || record.points.iter().filter(|point| point.failed_tries() > 0);
    if failed().next().is_none() {
        return;
    }
    let _ = writeln!(text, "\nmeans of fewer repetitions than tries, because the others failed:");
    for point in failed() {
        let _ = writeln!(text, "{}  {}", point_columns(point), point.tries());
    }
}

fn write_throughput_table(text: &mut String, record: &Record) {
    let points: Vec<_> = points_of_kind(record, |w| matches!(w, Workload::Throughput(_)));
    if points.is_empty() {
        return;
    }
    let _ = writeln!(text, "\nthroughput (mean {}, 95 % interval)", mean_basis(&points));
    let _ = writeln!(text, "{POINT_HEADER}  {:<9} {:<26} {:>12}", "scenario", "MB/s", "messages/s");
    for (point, summary) in points {
        let Workload::Throughput(workload) = &point.point.workload else { continue };
        let figure = |figure| summary.estimate_of(figure);
        let _ = writeln!(
            text,
            "{}  {:<9} {:<26} {:>12}",
            point_columns(point),
            workload.scenario.name(),
            mean_with_interval(figure(RepetitionFigure::BytesPerSecond), 1e6),
            optional_number(figure(RepetitionFigure::MessagesPerSecond).map(|e| e.mean)),
        );
    }
}

fn write_resources(text: &mut String, record: &Record) {
    let points: Vec<_> = points_of_kind(record, |_| true);
    if points.is_empty() {
        return;
    }
    let has_scenarios =
        points.iter().any(|(point, _)| matches!(point.point.workload, Workload::Throughput(_)));
    let row = |columns: &str, scenario: &str, server: &str, values: [&str; 5]| {
        let [cpu, memory, written, received, sent] = values;
        // With the scenario, narrower columns: the row stays within the width of the text.
        if has_scenarios {
            format!(
                "{columns} {scenario:<8} {server:<9.9} {cpu:>6} {memory:>8} {written:>8} \
                 {received:>8} {sent:>8}"
            )
        } else {
            format!(
                "{columns}  {server:<9.9} {cpu:>9} {memory:>9} {written:>9} {received:>9} {sent:>9}"
            )
        }
    };
    let cpu = if has_scenarios { "cores" } else { "cpu cores" };
    let heads = [cpu, "memory +", "written", "received", "sent"];
    let _ = writeln!(text, "\nresources over the load (mean {})", mean_basis(&points));
    let _ = writeln!(text, "{}", row(POINT_HEADER, "scenario", "server", heads));
    let note = hub_writes::uncounted_writes(&record.provenance.hub);
    for (point, summary) in points {
        let columns = point_columns(point);
        let scenario = match &point.point.workload {
            Workload::Throughput(workload) => workload.scenario.name(),
            Workload::Latency(_) => "",
        };
        for role in summary.server_roles() {
            let mean = |figure| {
                let estimate = summary.estimate_of(RepetitionFigure::Server(role, figure));
                estimate.map(|estimate| estimate.mean)
            };
            let size = |figure| mean(figure).map_or_else(|| optional_number(None), bytes);
            let values = [
                optional_number(mean(ServerFigure::CpuCores)),
                size(ServerFigure::MemoryGrowth),
                size(ServerFigure::BlockWritten),
                size(ServerFigure::NetworkReceived),
                size(ServerFigure::NetworkSent),
            ];
            let values = values.each_ref().map(String::as_str);
            let _ = writeln!(text, "{}", row(&columns, scenario, role, values));
        }
        if let (Some(_), Some(written)) = (&note, hub_writes::hub_disk_written(summary)) {
            let (missing, written) = (optional_number(None), bytes(written));
            let values = [&missing, &missing, &written, &missing, &missing].map(String::as_str);
            let _ = writeln!(text, "{}", row(&columns, scenario, "hub disk", values));
        }
    }
    if let Some(note) = note {
        write_wrapped(text, "  ", note);
    }
}

fn points_of_kind(
    record: &Record,
    kind: impl Fn(&Workload) -> bool,
) -> Vec<(&PointResult, &Summary)> {
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

/// Returns the count of messages on the way, if any: only repetitions that ended early have some.
fn in_flight_suffix(number: u64) -> String {
    if number == 0 { String::new() } else { format!("  on the way {}", count(number)) }
}

fn write_ledger(text: &mut String, record: &Record) {
    let mut total = Ledger::default();
    for (_, Repetition { ledger, .. }) in repetitions(record) {
        total.planned += ledger.planned;
        total.sent += ledger.sent;
        total.unsent += ledger.unsent;
        total.not_due += ledger.not_due;
        total.delivered += ledger.delivered;
        total.lost += ledger.lost;
        total.on_the_way += ledger.on_the_way;
        total.failed += ledger.failed;
        total.duplicate += ledger.duplicate;
        total.corrupt += ledger.corrupt;
        total.out_of_order += ledger.out_of_order;
    }
    // With `acks = 0` no message is acknowledged, and none is not acknowledged either.
    let sent = repetitions(record).map(|(_, r)| r.ledger).filter(|ledger| ledger.sent > 0);
    let acked: Option<u64> = sent.map(|ledger| ledger.acked).sum();
    let _ = writeln!(
        text,
        "\nmessages: planned {}  sent {}  acknowledged {}  delivered {}",
        count(total.planned),
        count(total.sent),
        acked.map_or_else(|| MISSING.to_owned(), count),
        count(total.delivered),
    );
    let _ = writeln!(
        text,
        "          undelivered {}: lost {}  failed {}  unsent {}{}",
        count(total.undelivered()),
        count(total.lost),
        count(total.failed),
        count(total.unsent),
        in_flight_suffix(total.on_the_way),
    );
    if total.not_due > 0 {
        let number = count(total.not_due);
        let _ =
            writeln!(text, "          not due {number}: the operator had switched their users off");
    }
    let _ = writeln!(
        text,
        "          duplicate {}  out of order {}  corrupt {}",
        count(total.duplicate),
        count(total.out_of_order),
        count(total.corrupt),
    );
    let seconds = |seconds: Option<f64>| optional_number(seconds);
    let _ = writeln!(
        text,
        "time: longest load {} s, longest drain {} s",
        seconds(repetitions(record).map(|(_, r)| r.seconds).reduce(f64::max)),
        seconds(repetitions(record).filter_map(|(_, r)| r.drain_seconds).reduce(f64::max)),
    );
    text.push_str(&client::section(record));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_count_above_zero_is_visible() {
        assert_eq!(blocks(&[0, 1, 500, 1_000, 0], 1_000), " ▂▅█");
        assert_eq!(blocks(&[0, 0], 0), "");
    }
}
