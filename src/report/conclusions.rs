//! Conclusions in sentences: questions, results, confidence, exclusions.

use std::collections::BTreeSet;

use super::{
    cells::{ReportCell, ReportCells},
    figures::sweep::{Sweep, SweptValue, record_letter},
    metric::{LatencyKind, LatencyStat, Metric},
    series_comparison::{self, Drift, SeriesComparison, SweepTrend},
};
use crate::{
    format::{LatencyUnit, count, count_noun, plural, three_significant, was_were},
    record::{Capacity, RecordStatus},
    stats::difference::DifferenceVerdict,
};

/// Conclusions of a report, most important sentences first.
#[derive(Debug, Default)]
pub struct Conclusions {
    /// Questions that the plans ask.
    pub questions: Vec<String>,
    /// Results, the most important first.
    pub results: Vec<String>,
    /// The sentence of the results that counts the messages that did not arrive.
    pub losses: Option<String>,
    /// Reasons why all results may be wrong; must be shown with the results.
    pub warnings: Vec<String>,
    /// Notes on how certain the results are, the warnings first.
    pub confidence: Vec<String>,
    /// Data missing from the figures, with reasons.
    pub exclusions: Vec<String>,
    /// Comparisons of series at equal points.
    pub comparisons: Vec<SeriesComparison>,
    /// Trends over users and payload.
    pub trends: Vec<SweepTrend>,
    /// Drift over the wall clock.
    pub drifts: Vec<Drift>,
}

/// Draws the conclusions from all cells.
pub fn draw_conclusions(cells: &ReportCells<'_>) -> Conclusions {
    let mean = Metric::Latency(LatencyKind::Delivery, LatencyStat::Mean);
    let mut growth = series_comparison::sweep_trends(cells, SweptValue::Users, mean);
    growth.extend(series_comparison::sweep_trends(cells, SweptValue::Payload, mean));
    series_comparison::correct_trends(&mut growth);
    let mut conclusions = Conclusions {
        questions: questions(cells),
        exclusions: exclusions(cells),
        comparisons: series_comparison::compare_series(cells),
        trends: growth,
        drifts: series_comparison::drifts(cells),
        ..Conclusions::default()
    };
    conclusions.results = results(cells, &conclusions);
    conclusions.losses = Some(message_losses(cells).1);
    conclusions.warnings = warnings(cells);
    conclusions.confidence = conclusions.warnings.clone();
    conclusions.confidence.extend(confidence(cells, &conclusions));
    conclusions
}

fn questions(cells: &ReportCells<'_>) -> Vec<String> {
    let mut sentences = Vec::new();
    for (place, source) in cells.sources.iter().enumerate() {
        let record = source.record;
        let own = || cells.cells.iter().filter(|cell| cell.record_index == place);
        let list = |values: Vec<String>| {
            let mut seen = BTreeSet::new();
            let unique: Vec<_> = values.into_iter().filter(|v| seen.insert(v.clone())).collect();
            unique.join(", ")
        };
        let backends = list(own().map(ReportCell::backend).collect());
        let users = list(own().map(|c| count(u64::from(c.point.workload.users()))).collect());
        let payloads = list(own().map(|c| c.point.workload.payload().exact()).collect());
        let durabilities = list(own().map(|c| c.point.durability.name().to_owned()).collect());
        let scenarios: Vec<_> =
            own().filter_map(ReportCell::scenario).map(|s| s.name().to_owned()).collect();
        if let Some(first) = record.capacity.first() {
            sentences.push(capacity_question(first, &backends, &payloads, &durabilities));
            continue;
        }
        let what = if scenarios.is_empty() {
            "How late do messages arrive".to_owned()
        } else {
            format!("How much data per second ({})", list(scenarios))
        };
        let name = if cells.sources.len() > 1 {
            format!("Record {}, {}: ", record_letter(place), record.plan.profile)
        } else {
            String::new()
        };
        let warm = if record.plan.server_warmup.is_zero() {
            "cold servers".to_owned()
        } else {
            let warmup = crate::units::human_duration(record.plan.server_warmup);
            format!("servers warmed up for {warmup}")
        };
        sentences.push(format!(
            "{name}{what} on {backends}, with {users} {}, payload {payloads}, durability \
             {durabilities}; {} of each point on {warm}?",
            if users == "1" { "user" } else { "users" },
            count_noun(record.plan.repetitions.into(), "repetition"),
        ));
    }
    sentences
}

/// Returns the question of a capacity search.
fn capacity_question(
    search: &Capacity,
    backends: &str,
    payloads: &str,
    durabilities: &str,
) -> String {
    let objectives: Vec<_> = search.objectives.iter().map(ToString::to_string).collect();
    let (least, most) = search.among;
    format!(
        "How many users does the hub carry with {} ({backends}; payload {payloads}; durability \
         {durabilities}; between {} and {})?",
        objectives.join(" and "),
        count(least.into()),
        count_noun(most.into(), "user"),
    )
}

/// Returns the results of the capacity searches, which precede all other results.
fn capacity_results(cells: &ReportCells<'_>) -> Vec<String> {
    let searches = cells.sources.iter().flat_map(|source| &source.record.capacity);
    let one = |search: &Capacity| {
        let result =
            format!("{} with payload {}: {}", search.backend, search.payload, search.result_text());
        let ends = search.limit_clause().into_iter().chain(search.cautions.iter().cloned());
        std::iter::once(result).chain(ends).collect::<Vec<_>>().join("; ") + "."
    };
    searches.map(one).collect()
}

fn results(cells: &ReportCells<'_>, conclusions: &Conclusions) -> Vec<String> {
    let mut sentences = Vec::new();
    // The ends of each sweep are the most informative; the table has the points between.
    for swept in [SweptValue::Users, SweptValue::Payload, SweptValue::Scenario] {
        let sweep = Sweep::from_cells(cells, swept);
        let ticks = sweep.ticks();
        let ends: BTreeSet<_> = match swept {
            SweptValue::Scenario => {
                ticks.iter().map(|(_, text)| swept.describe_text(text)).collect()
            }
            _ => ticks
                .iter()
                .take(1)
                .chain(ticks.last())
                .map(|(_, t)| swept.describe_text(t))
                .collect(),
        };
        let chosen =
            conclusions.comparisons.iter().filter(|comparison| ends.contains(&comparison.at));
        let of_family = |comparison: &&SeriesComparison| {
            (comparison.metric == Metric::Throughput) == (swept == SweptValue::Scenario)
        };
        sentences.extend(chosen.filter(of_family).take(6).map(SeriesComparison::sentence));
        sentences.extend(
            conclusions
                .trends
                .iter()
                .filter(|growth| growth.swept == swept)
                .take(4)
                .map(SweepTrend::sentence),
        );
    }
    if sentences.is_empty() {
        sentences.extend(single_series_results(cells));
    }
    let mut unique = BTreeSet::new();
    sentences.retain(|sentence| unique.insert(sentence.clone()));
    // Undelivered messages put all other results in doubt, so they come first.
    let (undelivered, sentence) = message_losses(cells);
    sentences.insert(if undelivered { 0 } else { sentences.len() }, sentence);
    sentences.splice(0..0, capacity_results(cells));
    sentences
}

/// Returns the figures of each cell, for reports with nothing to compare.
pub fn single_series_results(cells: &ReportCells<'_>) -> Vec<String> {
    let one = |cell: &ReportCell<'_>| {
        let (metric, tail) = if cell.scenario().is_some() {
            (Metric::Throughput, String::new())
        } else {
            let spread = cell.latency_summary(LatencyKind::Delivery);
            let tail = percentiles_phrase([("p50", spread.p50), ("p99", spread.p99)]);
            (Metric::Latency(LatencyKind::Delivery, LatencyStat::Mean), tail)
        };
        let estimate = cell.estimate(metric)?;
        let quantity = metric.quantity();
        let interval = estimate.ci_low.zip(estimate.ci_high).map_or_else(
            || " (one repetition: no interval)".to_owned(),
            |(low, high)| format!(" (95 %: {} to {})", quantity.format(low), quantity.format(high)),
        );
        let mean = quantity.format(estimate.mean);
        let tries = cell.tries();
        let of = if tries.failed == 0 { String::new() } else { format!("; mean of {tries}") };
        let of = match cell.steered {
            0 => of,
            steered => format!("{of}; {steered} steered, left out"),
        };
        Some(format!("{}: {} {mean}{interval}{tail}{of}", cell.describe(), metric.phrase()))
    };
    cells.measured().filter_map(one).take(12).collect()
}

/// Returns the percentiles that are known, for the end of a sentence: `, p50 2.10 ms, p99 6.20 ms`.
fn percentiles_phrase<const N: usize>(percentiles: [(&str, Option<f64>); N]) -> String {
    let known = percentiles.into_iter().filter(|(_, value)| value.is_some());
    let phrase = |(name, value)| format!(", {name} {} ms", LatencyUnit::Millis.format(value));
    known.map(phrase).collect::<Vec<_>>().concat()
}

/// Returns whether messages were not delivered, and a sentence on it.
fn message_losses(cells: &ReportCells<'_>) -> (bool, String) {
    let ledgers = || cells.measured().flat_map(|c| &c.measured).map(|r| r.ledger);
    let sum = |of: fn(&crate::measure::Ledger) -> u64| ledgers().map(|l| of(&l)).sum::<u64>();
    let (sent, lost, failed) = (sum(|l| l.sent), sum(|l| l.lost), sum(|l| l.failed));
    let unsent = sum(|l| l.unsent);
    match (sent, unsent) {
        (0, 0) => {
            return (false, "No repetition was measured to its end: there is no answer.".into());
        }
        (0, planned) => {
            let planned = format!("{} planned {}", count(planned), plural(planned, "message"));
            return (true, format!("Of {planned} none was sent: there is no answer."));
        }
        _ => {}
    }
    let words = match lost {
        0 => "none was lost".to_owned(),
        lost => format!("{} {} lost", count(lost), was_were(lost)),
    };
    let failed = if failed == 0 { String::new() } else { format!(", {} failed", count(failed)) };
    let unsent = if unsent == 0 {
        String::new()
    } else {
        format!(", {} {} never sent", count(unsent), was_were(unsent))
    };
    let undelivered = sum(crate::measure::Ledger::undelivered) > 0;
    (undelivered, format!("Of {} {words}{failed}{unsent}.", count_noun(sent, "message")))
}

fn warnings(cells: &ReportCells<'_>) -> Vec<String> {
    let mut sentences = Vec::new();
    let all: usize = cells.measured().map(|cell| cell.measured.len()).sum();
    let suspect: usize = cells.measured().map(ReportCell::suspect_count).sum();
    if all == 0 {
        sentences.push("No repetition counts: nothing can be concluded.".into());
    } else if suspect == all {
        sentences
            .push("Every repetition is suspect: do not base a decision on these numbers.".into());
    } else if suspect > 0 {
        sentences.push(format!(
            "{} of {} that count {} suspect: read the verdicts before you rely on a number.",
            count(suspect as u64),
            count_noun(all as u64, "repetition"),
            if suspect == 1 { "is" } else { "are" },
        ));
    }
    sentences
}

fn confidence(cells: &ReportCells<'_>, conclusions: &Conclusions) -> Vec<String> {
    let mut sentences = Vec::new();
    let measured: Vec<_> = cells.measured().collect();
    if measured.is_empty() {
        return sentences;
    }
    // First, since they belong to every figure.
    let servers = cells.sources.iter().flat_map(|one| one.record.provenance.servers.values());
    sentences.extend(servers.flat_map(|server| server.all_cautions().cloned()));
    let least = measured.iter().map(|cell| cell.measured.len()).min().unwrap_or(0);
    if least < 2 {
        sentences.push("At least one point has one repetition only, and so no interval.".into());
    }
    let tests = conclusions.comparisons.iter().filter(|v| v.difference.welch_p.is_some()).count();
    if tests > 0 {
        let seen = conclusions
            .comparisons
            .iter()
            .filter(|v| {
                matches!(v.difference.verdict, DifferenceVerdict::Higher | DifferenceVerdict::Lower)
            })
            .count();
        sentences.push(format!(
            "{}, corrected for their number (Holm): {seen} differ{} at the 5 % level. “No difference \
             seen” is not “equal”: the interval says how large it may still be.",
            count_noun(tests as u64, "comparison"),
            if seen == 1 { "s" } else { "" },
        ));
    }
    let ranked = conclusions.comparisons.iter().filter(|v| v.difference.rank_p.is_some()).count();
    if tests > ranked && least < 4 && tests > 0 {
        sentences.push(
            "With so few repetitions Welch's test decides alone: a rank test could not decide at \
             this size."
                .into(),
        );
    }
    sentences.extend(
        conclusions
            .drifts
            .iter()
            .filter(|d| d.trend.is_significant() == Some(true))
            .map(Drift::sentence),
    );
    if !conclusions.drifts.is_empty()
        && conclusions.drifts.iter().all(|d| d.trend.is_significant() != Some(true))
    {
        sentences.push(
            "No drift over the run's wall clock was seen, neither in hubmark nor in a backend."
                .into(),
        );
    }
    for (place, source) in cells.sources.iter().enumerate() {
        let hub = &source.record.provenance.hub;
        if hub.shared_with_client
            && (place == 0 || !cells.sources[0].record.provenance.hub.shared_with_client)
        {
            sentences.push(
                "Users and servers shared the cores of one machine: the latencies include both."
                    .into(),
            );
        }
    }
    let mut unique = BTreeSet::new();
    sentences.retain(|sentence| unique.insert(sentence.clone()));
    sentences
}

fn exclusions(cells: &ReportCells<'_>) -> Vec<String> {
    let mut sentences = Vec::new();
    for (place, source) in cells.sources.iter().enumerate() {
        let record = source.record;
        let done: usize = record.points.iter().map(|point| point.repetitions.len()).sum();
        if record.status == RecordStatus::Partial {
            let why = record.ended.as_ref().map_or_else(String::new, |why| format!(" ({why})"));
            let done = if record.plan.capacity.is_some() {
                format!("its search is unfinished after {}", count_noun(done as u64, "repetition"))
            } else {
                format!("{done} of {}", count_noun(record.plan.schedule.len() as u64, "repetition"))
            };
            let name = match cells.sources.len() {
                1 => "The record".to_owned(),
                _ => format!("Record {}", record_letter(place)),
            };
            sentences.push(format!("{name} is partial: {done}{why}."));
        }
    }
    let failed: usize = cells.cells.iter().map(|cell| cell.failed).sum();
    if failed > 0 {
        let never = if failed == 1 { "counts" } else { "count" };
        sentences
            .push(format!("{} failed and never {never}.", count_noun(failed as u64, "repetition")));
    }
    let steered: usize = cells.cells.iter().map(|cell| cell.steered).sum();
    if steered > 0 {
        sentences.push(format!(
            "{} {} steered by the operator and left out: the load was not that of the plan.",
            count_noun(steered as u64, "repetition"),
            if steered == 1 { "is" } else { "are" },
        ));
    }
    let retried: usize = cells.cells.iter().map(|cell| cell.failed_tries).sum();
    if retried > 0 {
        let tries = if retried == 1 { "try" } else { "tries" };
        sentences.push(format!(
            "{} more {tries} failed and had to be repeated: the means are of those that did not.",
            count(retried as u64),
        ));
    }
    let excluded: usize = cells.cells.iter().map(|cell| cell.excluded).sum();
    if excluded > 0 {
        sentences.push(format!(
            "{} judged suspect {} left out, as asked (--exclude-suspect).",
            count_noun(excluded as u64, "repetition"),
            if excluded == 1 { "is" } else { "are" }
        ));
    }
    // A search tries only some of the planned numbers of users.
    let missing = |cell: &&ReportCell<'_>| {
        let searched = cells.sources[cell.record_index].record.plan.capacity.is_some();
        cell.measured.is_empty() && (!searched || cell.failed + cell.excluded > 0)
    };
    for cell in cells.cells.iter().filter(missing) {
        sentences.push(format!("No repetition counts for {}.", cell.describe()));
    }
    sentences.extend(unsupported_percentiles(cells));
    if sentences.is_empty() {
        sentences.push("Nothing: every planned repetition counts.".into());
    }
    sentences
}

/// Returns a note on percentiles that some point has too few messages for.
fn unsupported_percentiles(cells: &ReportCells<'_>) -> Vec<String> {
    let mut counts: Vec<u64> = cells
        .measured()
        .filter(|cell| cell.scenario().is_none())
        .map(|cell| {
            cell.measured
                .iter()
                .filter_map(|r| LatencyKind::Delivery.latency_in(r))
                .map(|latency| latency.count)
                .sum()
        })
        .collect();
    counts.sort_unstable();
    let Some(least) = counts.first().copied() else { return Vec::new() };
    let levels = [
        ("p50", 20),
        ("p90", 100),
        ("p95", 200),
        ("p99", 1_000),
        ("p99.9", 10_000),
        ("p99.99", 100_000),
    ];
    let lost: Vec<_> =
        levels.iter().filter(|(_, needed)| least < *needed).map(|(name, _)| *name).collect();
    if lost.is_empty() {
        return Vec::new();
    }
    vec![format!(
        "Percentiles {} at the point with the fewest messages ({}): fewer than ten are slower.",
        lost.join(", "),
        three_significant(least as f64)
    )]
}

#[cfg(test)]
mod tests {
    use super::percentiles_phrase;

    #[test]
    fn a_sentence_leaves_out_a_percentile_that_is_not_known() {
        let known = [("p50", Some(2_100.0)), ("p99", Some(6_200.0))];
        assert_eq!(percentiles_phrase(known), ", p50 2.10 ms, p99 6.20 ms");
        assert_eq!(percentiles_phrase([known[0], ("p99", None)]), ", p50 2.10 ms");
        assert_eq!(percentiles_phrase([("p50", None)]), "");
    }
}
