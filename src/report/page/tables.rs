//! Tables of the page: points, differences, verdicts.

use maud::{Markup, html};

use crate::{
    format::{LatencyUnit, bytes, count, optional_number, probability, three_significant},
    measure::{Estimate, Judgement},
    record::Repetition,
    report::{
        cells::{ReportCell, ReportCells},
        conclusions::Conclusions,
        figures::sweep::record_letter,
        hub_writes,
        metric::{LatencyKind, LatencyStat, Metric, ResourceMetric, mean_with_interval},
        series_comparison::{Drift, SeriesComparison, SweepTrend},
    },
    stats::difference::DifferenceVerdict,
};

/// Column of a table, by its heading.
#[derive(Debug, Clone, Copy)]
pub enum Column<'a> {
    /// Text, aligned to the left.
    Text(&'a str),
    /// Numbers, aligned to the right.
    Number(&'a str),
}

/// Renders a table that scrolls sideways where it is wider than the page.
pub fn table(columns: &[Column<'_>], rows: &Markup) -> Markup {
    html! {
        div.scroll {
            table.wide {
                thead {
                    tr {
                        @for column in columns {
                            @match column {
                                Column::Text(heading) => { th { (heading) } }
                                Column::Number(heading) => { th.n { (heading) } }
                            }
                        }
                    }
                }
                tbody { (rows) }
            }
        }
    }
}

/// Renders texts as lines of one table cell.
pub fn lines(texts: &[String]) -> Markup {
    html! {
        @for (place, text) in texts.iter().enumerate() {
            @if place > 0 { br; }
            (text)
        }
    }
}

/// Renders a table with one row of numbers for each point.
fn point_table<const N: usize>(
    headings: [&str; N],
    cells: &[&ReportCell<'_>],
    numbers: impl Fn(&ReportCell<'_>) -> [String; N],
) -> Markup {
    let mut columns = vec![Column::Text("point")];
    columns.extend(headings.map(Column::Number));
    let rows = html! {
        @for cell in cells {
            tr {
                td { (cell.describe()) }
                @for number in numbers(cell) {
                    td.n { (number) }
                }
            }
        }
    };
    table(&columns, &rows)
}

fn repetitions(cell: &ReportCell<'_>) -> String {
    let tries = cell.tries();
    let counted = if tries.failed == 0 { tries.counted.to_string() } else { tries.to_string() };
    let besides = [(cell.suspect_count(), "suspect"), (cell.steered, "steered, left out")];
    let besides = besides.iter().filter(|(count, _)| *count > 0);
    let besides: Vec<_> = besides.map(|(count, word)| format!("{count} {word}")).collect();
    if besides.is_empty() { counted } else { format!("{counted} ({})", besides.join("; ")) }
}

/// Formats the smallest and the largest repetition: `1.98–2.31`.
fn range(estimate: Option<&Estimate>, divisor: f64) -> String {
    let ends = |estimate: &Estimate| {
        let [min, max] = [estimate.min, estimate.max].map(|end| three_significant(end / divisor));
        format!("{min}–{max}")
    };
    estimate.map_or_else(|| optional_number(None), ends)
}

/// Renders the tables of all points: latency, throughput, cost.
pub fn points(cells: &ReportCells<'_>) -> Markup {
    let latency: Vec<_> = cells.measured().filter(|cell| cell.scenario().is_none()).collect();
    let throughput: Vec<_> = cells.measured().filter(|cell| cell.scenario().is_some()).collect();
    let all = [latency.clone(), throughput.clone()].concat();
    html! {
        h2 #points { "Points" }
        @if all.is_empty() {
            p { "No repetition counts." }
        }
        @if !latency.is_empty() {
            (latencies(&latency))
            (paths(cells))
        }
        @if !throughput.is_empty() {
            (rates(&throughput))
        }
        @if !all.is_empty() {
            (costs(&all))
            @for source in &cells.sources {
                @if let Some(note) = hub_writes::uncounted_writes(&source.record.provenance.hub) {
                    p.sub { (note) }
                }
            }
        }
    }
}

/// Renders the round-trip time of the network path to each hub, which is part of every latency, and what
/// each client can do without a load.
fn paths(cells: &ReportCells<'_>) -> Markup {
    let many = cells.sources.len() > 1;
    html! {
        @for (place, source) in cells.sources.iter().enumerate() {
            @if let Some(path) = source.record.path {
                p.sub {
                    "The path" @if many { " of " (record_letter(place)) } " by itself: "
                    (path.to_string())
                }
            }
            @if let Some(test) = source.record.self_test {
                p.sub {
                    "The client" @if many { " of " (record_letter(place)) } " by itself: "
                    (test.to_string())
                }
            }
        }
    }
}

fn latencies(cells: &[&ReportCell<'_>]) -> Markup {
    let headings = [
        "n",
        "mean",
        "sd",
        "min–max",
        "p50",
        "p90",
        "p95",
        "p99",
        "p99.9",
        "p99 by repetition",
        "ack p50",
        "response p99",
        "lag p99",
    ];
    let numbers = |cell: &ReportCell<'_>| {
        let delivery = cell.latency_summary(LatencyKind::Delivery);
        let ms = |value| LatencyUnit::Millis.format(value);
        let mean = cell.estimate(Metric::Latency(LatencyKind::Delivery, LatencyStat::Mean));
        let tail = cell.estimate(Metric::Latency(LatencyKind::Delivery, LatencyStat::P99));
        [
            repetitions(cell),
            mean_with_interval(mean.as_ref(), 1e3),
            ms(mean.and_then(|e| e.stdev)),
            range(mean.as_ref(), 1e3),
            ms(delivery.p50),
            ms(delivery.p90),
            ms(delivery.p95),
            ms(delivery.p99),
            ms(delivery.p999),
            mean_with_interval(tail.as_ref(), 1e3),
            ms(cell.latency_summary(LatencyKind::Ack).p50),
            ms(cell.latency_summary(LatencyKind::Response).p99),
            ms(cell.latency_summary(LatencyKind::Lag).p99),
        ]
    };
    html! {
        p.sub {
            "Delivery latency in ms. Mean, deviation and p99 by repetition: over repetitions, with the \
             mean's 95\u{a0}% interval (Student's t, on a logarithmic scale: it stays above zero). \
             Percentiles: all messages merged. – means not measured, or too few messages for that \
             percentile."
        }
        (point_table(headings, cells, numbers))
    }
}

fn rates(cells: &[&ReportCell<'_>]) -> Markup {
    let numbers = |cell: &ReportCell<'_>| {
        let rate = cell.estimate(Metric::Throughput);
        [
            repetitions(cell),
            mean_with_interval(rate.as_ref(), 1e6),
            optional_number(rate.and_then(|e| e.stdev).map(|stdev| stdev / 1e6)),
            range(rate.as_ref(), 1e6),
        ]
    };
    html! {
        p.sub { "Payload per second, over repetitions." }
        (point_table(["n", "MB/s", "sd", "min–max"], cells, numbers))
        @for cell in cells {
            @for repetition in &cell.measured {
                @for missing in repetition.describe_missing() {
                    p.sub { (cell.describe()) ", repetition " (repetition.index + 1) ": " (missing) }
                }
            }
        }
    }
}

fn costs(cells: &[&ReportCell<'_>]) -> Markup {
    let headings = [
        "CPU, cores",
        "memory growth",
        "written",
        "hub disk",
        "received",
        "sent",
        "CPU per message",
        "wire per message",
        "written per message",
        "lost",
        "undelivered",
    ];
    let numbers = |cell: &ReportCell<'_>| {
        let cpu = cell.estimate(Metric::Resource(ResourceMetric::Cpu));
        let mean = |metric: Metric| cell.estimate(metric).map(|estimate| estimate.mean);
        let size = |metric: Metric| mean(metric).map_or_else(|| optional_number(None), bytes);
        let micros = mean(Metric::CpuPerMessage).map_or_else(
            || optional_number(None),
            |value| format!("{} µs", three_significant(value)),
        );
        let ledgers = || cell.measured.iter().map(|repetition| repetition.ledger);
        let lost: u64 = ledgers().map(|ledger| ledger.lost).sum();
        let undelivered: u64 = ledgers().map(|ledger| ledger.undelivered()).sum();
        [
            mean_with_interval(cpu.as_ref(), 1.0),
            size(Metric::Resource(ResourceMetric::MemoryGrowth)),
            size(Metric::Resource(ResourceMetric::BlockWritten)),
            hub_disk(cell).map_or_else(|| optional_number(None), bytes),
            size(Metric::Resource(ResourceMetric::NetworkReceived)),
            size(Metric::Resource(ResourceMetric::NetworkSent)),
            micros,
            size(Metric::WirePerMessage),
            size(Metric::WrittenPerMessage),
            count(lost),
            count(undelivered),
        ]
    };
    html! {
        p.sub {
            "Cost: sums over all servers of a backend, means over repetitions; per message: CPU time, \
             bytes received and sent, bytes written. Undelivered: lost, failed, or never sent."
        }
        (point_table(headings, cells, numbers))
    }
}

/// Returns the mean bytes that the hub's disk wrote during a repetition; all servers share the disk.
fn hub_disk(cell: &ReportCell<'_>) -> Option<f64> {
    let written = |repetition: &&Repetition| {
        repetition.resources.values().find_map(|one| Some(one.block.host_written?.0 as f64))
    };
    let all: Vec<f64> = cell.measured.iter().filter_map(written).collect();
    (!all.is_empty()).then(|| all.iter().sum::<f64>() / all.len() as f64)
}

/// Renders the differences between series, the trends over sweeps, and the drift over time.
pub fn differences(conclusions: &Conclusions) -> Markup {
    let sentences: Vec<_> = conclusions
        .trends
        .iter()
        .map(SweepTrend::sentence)
        .chain(conclusions.drifts.iter().map(Drift::sentence))
        .collect();
    html! {
        h2 #differences { "Differences, growth, drift" }
        @if conclusions.comparisons.is_empty() {
            p { "No two series share a point: there is nothing to compare." }
        } @else {
            p.sub {
                "Welch's interval and test; with fewer than 8 repetitions or a skewed sample, a rank \
                 test must agree if it can decide at that size. p is corrected for the number of \
                 comparisons (Holm)."
            }
            (comparison_table(&conclusions.comparisons))
        }
        @if !sentences.is_empty() {
            ul {
                @for sentence in &sentences {
                    li { (sentence) }
                }
            }
        }
    }
}

fn comparison_table(comparisons: &[SeriesComparison]) -> Markup {
    let columns = [
        Column::Text("at"),
        Column::Text("what"),
        Column::Number("first"),
        Column::Number("second"),
        Column::Number("difference"),
        Column::Number("95 % interval"),
        Column::Number("p"),
        Column::Text("result"),
    ];
    table(&columns, &html! { @for comparison in comparisons { (comparison_row(comparison)) } })
}

fn comparison_row(comparison: &SeriesComparison) -> Markup {
    let difference = &comparison.difference;
    let quantity = comparison.metric.quantity();
    let (first, second) = &comparison.labels;
    let interval = difference
        .interval
        .map_or_else(|| optional_number(None), |(low, high)| quantity.format_interval(low, high));
    let result = match difference.verdict {
        DifferenceVerdict::Higher => format!("{second} is higher"),
        DifferenceVerdict::Lower => format!("{second} is lower"),
        DifferenceVerdict::NotSeen => "no difference seen".to_owned(),
        DifferenceVerdict::Undecidable => "too few repetitions".to_owned(),
    };
    html! {
        tr {
            td { (comparison.at) }
            td { (comparison.metric.to_string()) }
            td.n { (first) " " (quantity.format(difference.means.0)) }
            td.n { (second) " " (quantity.format(difference.means.1)) }
            td.n { (quantity.format_signed(difference.difference)) }
            td.n { (interval) }
            td.n { (difference.p.map_or_else(|| optional_number(None), probability)) }
            td { (result) }
        }
    }
}

/// Renders the repetitions whose verdict is not valid, with the reasons.
pub fn verdicts(cells: &ReportCells<'_>) -> Markup {
    let points = || cells.sources.iter().flat_map(|source| &source.record.points);
    let all = points().flat_map(|point| &point.repetitions).count();
    let doubtful: Vec<_> = points()
        .flat_map(|point| point.repetitions.iter().map(move |repetition| (point, repetition)))
        .filter(|(_, repetition)| repetition.verdict.status != Judgement::Valid)
        .collect();
    let columns = [
        Column::Text("point"),
        Column::Number("repetition"),
        Column::Text("verdict"),
        Column::Text("reasons"),
    ];
    let rows = html! {
        @for (point, repetition) in &doubtful {
            @let verdict = &repetition.verdict;
            @let reasons: Vec<_> = verdict.reasons.iter().map(|reason| reason.text.clone()).collect();
            tr {
                td { (ReportCell::without_repetitions(0, &point.point).describe()) }
                td.n { (repetition.index + 1) }
                td.warn { (verdict.status.name()) }
                td { (lines(&reasons)) }
            }
        }
    };
    html! {
        h2 #verdicts { "Verdicts" }
        @if all == 0 {
            p { "No repetition was finished." }
        } @else if doubtful.is_empty() {
            p { "All " (all) " repetitions are valid." }
        } @else {
            p { (doubtful.len()) " of " (all) " repetitions are not valid." }
            (table(&columns, &rows))
        }
        (failed_tries(cells))
    }
}

/// Renders the failed tries that were repeated, with the reasons.
fn failed_tries(cells: &ReportCells<'_>) -> Markup {
    let points = cells.sources.iter().flat_map(|source| &source.record.points);
    let tries: Vec<_> = points
        .flat_map(|point| point.failed_tries.iter().map(move |tried| (point, tried)))
        .collect();
    let columns = [
        Column::Text("point"),
        Column::Number("repetition"),
        Column::Number("try"),
        Column::Text("reasons"),
    ];
    let rows = html! {
        @for (point, tried) in &tries {
            @let reasons: Vec<_> =
                tried.verdict.reasons.iter().map(|reason| reason.text.clone()).collect();
            tr {
                td { (ReportCell::without_repetitions(0, &point.point).describe()) }
                td.n { (tried.index + 1) }
                td.n { (tried.attempt) }
                td { (lines(&reasons)) }
            }
        }
    };
    html! {
        @if !tries.is_empty() {
            h3 #failed-tries { "Failed tries" }
            p.sub { "Tries that failed and were repeated. They count in no figure." }
            (table(&columns, &rows))
        }
    }
}
