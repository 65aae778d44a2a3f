//! The page's tables.

use std::fmt::Write;

use crate::{
    format::{bytes, count, optional, three},
    measure::{Estimate, Judgement},
    report::{
        answer::Answer,
        cells::{Cell, Cells},
        figures::family::letter,
        html::escape,
        metric::{Metric, Resource, Span, Stat},
    },
    stats::difference::Seen,
};

/// Opens a table whose columns hold text or (`true`) numbers.
pub fn head(text: &mut String, columns: &[(&str, bool)]) {
    text.push_str("<div class=\"scroll\"><table class=\"wide\"><thead><tr>");
    for (name, number) in columns {
        let class = if *number { " class=\"n\"" } else { "" };
        let _ = write!(text, "<th{class}>{name}</th>");
    }
    text.push_str("</tr></thead><tbody>\n");
}

/// What closes a table.
pub const END: &str = "</tbody></table></div>\n";

fn numbers(text: &mut String, cells: &[String]) {
    for cell in cells {
        let _ = write!(text, "<td class=\"n\">{}</td>", escape(cell));
    }
    text.push_str("</tr>\n");
}

/// `2.14 [2.01, 2.27]`.
fn interval(estimate: Option<&Estimate>, divisor: f64) -> String {
    let Some(estimate) = estimate else { return optional(None) };
    let mean = three(estimate.mean / divisor);
    match estimate.ci_low.zip(estimate.ci_high) {
        Some((low, high)) => {
            format!("{mean} [{}, {}]", three(low / divisor), three(high / divisor))
        }
        None => mean,
    }
}

fn repetitions(cell: &Cell<'_>) -> String {
    match cell.suspect() {
        0 => cell.measured.len().to_string(),
        suspect => format!("{} ({suspect} suspect)", cell.measured.len()),
    }
}

/// Every point in numbers.
pub fn points(text: &mut String, cells: &Cells<'_>) {
    text.push_str("<h2 id=\"points\">Points</h2>\n");
    let latency: Vec<_> = cells.measured().filter(|cell| cell.scenario().is_none()).collect();
    let throughput: Vec<_> = cells.measured().filter(|cell| cell.scenario().is_some()).collect();
    if latency.is_empty() && throughput.is_empty() {
        text.push_str("<p>No repetition counts.</p>\n");
        return;
    }
    if !latency.is_empty() {
        latencies(text, &latency);
        paths(text, cells);
    }
    if !throughput.is_empty() {
        rates(text, &throughput);
    }
    costs(text, &[latency, throughput].concat());
}

/// What the way to each hub cost by itself: a part of every latency above.
fn paths(text: &mut String, cells: &Cells<'_>) {
    let many = cells.sources.len() > 1;
    for (place, source) in cells.sources.iter().enumerate() {
        if let Some(path) = source.record.path {
            let whose = if many { format!(" of {}", letter(place)) } else { String::new() };
            let text_of = escape(&path.to_string());
            let _ = writeln!(text, "<p class=\"sub\">The path{whose} by itself: {text_of}</p>");
        }
    }
}

fn latencies(text: &mut String, cells: &[&Cell<'_>]) {
    text.push_str(
        "<p class=\"sub\">Delivery latency in ms. Mean, deviation and p99 by repetition: over \
         repetitions, with the mean's 95&nbsp;% interval (Student's t). Percentiles: all messages \
         merged. – is not measured, or more than the count can carry.</p>\n",
    );
    head(
        text,
        &[
            ("point", false),
            ("n", true),
            ("mean", true),
            ("sd", true),
            ("min–max", true),
            ("p50", true),
            ("p90", true),
            ("p99", true),
            ("p99.9", true),
            ("p99 by repetition", true),
            ("ack p50", true),
            ("response p99", true),
            ("lag p99", true),
        ],
    );
    for cell in cells {
        let delivery = cell.spread(Span::Delivery);
        let ms = |value: Option<f64>| optional(value.map(|micros| micros / 1e3));
        let mean = cell.estimate(Metric::Latency(Span::Delivery, Stat::Mean));
        let range = mean.map_or_else(
            || optional(None),
            |e| format!("{}–{}", three(e.min / 1e3), three(e.max / 1e3)),
        );
        let tail = cell.estimate(Metric::Latency(Span::Delivery, Stat::P99));
        let _ = write!(text, "<tr><td>{}</td>", escape(&cell.describe()));
        numbers(
            text,
            &[
                repetitions(cell),
                interval(mean.as_ref(), 1e3),
                ms(mean.and_then(|e| e.stdev)),
                range,
                ms(delivery.p50),
                ms(delivery.p90),
                ms(delivery.p99),
                ms(delivery.p999),
                interval(tail.as_ref(), 1e3),
                ms(cell.spread(Span::Ack).p50),
                ms(cell.spread(Span::Response).p99),
                ms(cell.spread(Span::Lag).p99),
            ],
        );
    }
    text.push_str(END);
}

fn rates(text: &mut String, cells: &[&Cell<'_>]) {
    text.push_str("<p class=\"sub\">Payload per second, over repetitions.</p>\n");
    let columns = [("point", false), ("n", true), ("MB/s", true), ("sd", true), ("min–max", true)];
    head(text, &columns);
    for cell in cells {
        let rate = cell.estimate(Metric::Throughput);
        let range = rate.map_or_else(
            || optional(None),
            |e| format!("{}–{}", three(e.min / 1e6), three(e.max / 1e6)),
        );
        let deviation = optional(rate.and_then(|e| e.stdev).map(|stdev| stdev / 1e6));
        let _ = write!(text, "<tr><td>{}</td>", escape(&cell.describe()));
        numbers(text, &[repetitions(cell), interval(rate.as_ref(), 1e6), deviation, range]);
    }
    text.push_str(END);
}

fn costs(text: &mut String, cells: &[&Cell<'_>]) {
    text.push_str(
        "<p class=\"sub\">What it cost: sums over all servers of a backend, means over repetitions; \
         per message: CPU time, bytes received and sent, bytes written.</p>\n",
    );
    head(
        text,
        &[
            ("point", false),
            ("CPU, cores", true),
            ("memory growth", true),
            ("written", true),
            ("received", true),
            ("sent", true),
            ("CPU per message", true),
            ("wire per message", true),
            ("written per message", true),
            ("lost", true),
        ],
    );
    for cell in cells {
        let cpu = cell.estimate(Metric::Resource(Resource::Cpu));
        let mean = |metric: Metric| cell.estimate(metric).map(|estimate| estimate.mean);
        let size = |metric: Metric| mean(metric).map_or_else(|| optional(None), bytes);
        let micros = mean(Metric::CpuPerMessage)
            .map_or_else(|| optional(None), |value| format!("{} µs", three(value)));
        let lost: u64 = cell.measured.iter().map(|repetition| repetition.ledger.lost).sum();
        let _ = write!(text, "<tr><td>{}</td>", escape(&cell.describe()));
        numbers(
            text,
            &[
                interval(cpu.as_ref(), 1.0),
                size(Metric::Resource(Resource::MemoryGrowth)),
                size(Metric::Resource(Resource::BlockWritten)),
                size(Metric::Resource(Resource::NetworkReceived)),
                size(Metric::Resource(Resource::NetworkSent)),
                micros,
                size(Metric::WirePerMessage),
                size(Metric::WrittenPerMessage),
                count(lost),
            ],
        );
    }
    text.push_str(END);
}

/// Series against each other, growth and drift.
pub fn differences(text: &mut String, answer: &Answer) {
    text.push_str("<h2 id=\"differences\">Differences, growth, drift</h2>\n");
    if answer.versus.is_empty() {
        text.push_str("<p>No two series share a point: there is nothing to compare.</p>\n");
    } else {
        text.push_str(
            "<p class=\"sub\">Welch's interval and test; a rank test must agree where fewer than 8 \
             repetitions or a skewed sample leave doubt, if it can decide at that size. p is \
             corrected for the number of comparisons (Holm).</p>\n",
        );
        let columns = [
            ("at", false),
            ("what", false),
            ("first", true),
            ("second", true),
            ("difference", true),
            ("95 % interval", true),
            ("p", true),
            ("word", false),
        ];
        head(text, &columns);
    }
    for versus in &answer.versus {
        let difference = &versus.difference;
        let quantity = versus.metric.quantity();
        let (first, second) = &versus.labels;
        let interval = difference
            .interval
            .map_or_else(|| optional(None), |(low, high)| quantity.range(low, high));
        let word = match difference.seen {
            Seen::Higher => format!("{second} is higher"),
            Seen::Lower => format!("{second} is lower"),
            Seen::Nothing => "no difference seen".to_owned(),
            Seen::Undecidable => "too few repetitions".to_owned(),
        };
        let p = difference.p.map_or_else(|| optional(None), probability);
        let _ = writeln!(
            text,
            "<tr><td>{}</td><td>{}</td><td class=\"n\">{} {}</td><td class=\"n\">{} {}</td>\
             <td class=\"n\">{}</td><td class=\"n\">{interval}</td><td class=\"n\">{p}</td><td>{}</td></tr>",
            escape(&versus.at),
            versus.metric,
            escape(first),
            quantity.write(difference.means.0),
            escape(second),
            quantity.write(difference.means.1),
            quantity.signed(difference.difference),
            escape(&word),
        );
    }
    if !answer.versus.is_empty() {
        text.push_str(END);
    }
    let sentences: Vec<_> = answer
        .growth
        .iter()
        .map(crate::report::versus::Growth::sentence)
        .chain(answer.drifts.iter().map(crate::report::versus::Drift::sentence))
        .collect();
    if !sentences.is_empty() {
        text.push_str("<ul>");
        for sentence in sentences {
            let _ = write!(text, "<li>{}</li>", escape(&sentence));
        }
        text.push_str("</ul>\n");
    }
}

/// A probability: never 0.
pub fn probability(p: f64) -> String {
    if p < 0.001 { "< 0.001".to_owned() } else { format!("{p:.3}") }
}

/// Repetitions that are not valid, with their reasons.
pub fn verdicts(text: &mut String, cells: &Cells<'_>) {
    text.push_str("<h2 id=\"verdicts\">Verdicts</h2>\n");
    let mut doubtful = Vec::new();
    let mut all = 0;
    for source in &cells.sources {
        for point in &source.record.points {
            all += point.repetitions.len();
            let doubted = |r: &&crate::record::Repetition| r.verdict.status != Judgement::Valid;
            doubtful.extend(point.repetitions.iter().filter(doubted).map(|r| (&point.point, r)));
        }
    }
    if doubtful.is_empty() {
        let _ = writeln!(text, "<p>All {all} repetitions are valid.</p>");
        return;
    }
    let _ = writeln!(text, "<p>{} of {all} repetitions are not valid.</p>", doubtful.len());
    head(text, &[("point", false), ("repetition", true), ("verdict", false), ("reasons", false)]);
    for (point, repetition) in doubtful {
        let verdict = match repetition.verdict.status {
            Judgement::Valid => "valid",
            Judgement::Suspect => "suspect",
            Judgement::Failed => "failed",
        };
        let reasons: Vec<_> = repetition.verdict.reasons.iter().map(|r| escape(&r.text)).collect();
        let described = Cell::of(0, point);
        let _ = writeln!(
            text,
            "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"warn\">{verdict}</td><td>{}</td></tr>",
            escape(&described.describe()),
            repetition.index + 1,
            reasons.join("<br>"),
        );
    }
    text.push_str(END);
}
