//! The answer in sentences: what was asked, what was found, how sure it is, what was left out.

use std::collections::BTreeSet;

use super::{
    cells::{Cell, Cells, durability, scenario},
    figures::family::{Family, Over, letter},
    metric::{Metric, Span, Stat},
    versus::{self, Drift, Growth, Versus},
};
use crate::{
    format::{count, three},
    record::{Capacity, Status},
    stats::difference::Seen,
};

/// The answer.
#[derive(Debug, Default)]
pub struct Answer {
    /// What was asked.
    pub asked: Vec<String>,
    /// What was found, the most important first.
    pub found: Vec<String>,
    /// Why it may be wrong altogether: must stand beside what was found.
    pub doubts: Vec<String>,
    /// How sure it is, the doubts first.
    pub sure: Vec<String>,
    /// What is not in the figures, and why.
    pub left_out: Vec<String>,
    /// Every comparison at equal points.
    pub versus: Vec<Versus>,
    /// Growth over users and payload.
    pub growth: Vec<Growth>,
    /// Drift over the wall clock.
    pub drifts: Vec<Drift>,
}

/// Answers.
pub fn answer(cells: &Cells<'_>) -> Answer {
    let mean = Metric::Latency(Span::Delivery, Stat::Mean);
    let mut growth = versus::growth(cells, Over::Users, mean);
    growth.extend(versus::growth(cells, Over::Payload, mean));
    let mut answer = Answer {
        asked: asked(cells),
        left_out: left_out(cells),
        versus: versus::versus(cells),
        growth,
        drifts: versus::drifts(cells),
        ..Answer::default()
    };
    answer.found = found(cells, &answer);
    answer.doubts = doubts(cells);
    answer.sure = answer.doubts.clone();
    answer.sure.extend(sure(cells, &answer));
    answer
}

fn asked(cells: &Cells<'_>) -> Vec<String> {
    let mut said = Vec::new();
    for (place, source) in cells.sources.iter().enumerate() {
        let record = source.record;
        let own = || cells.cells.iter().filter(|cell| cell.source == place);
        let list = |values: Vec<String>| {
            let mut seen = BTreeSet::new();
            let unique: Vec<_> = values.into_iter().filter(|v| seen.insert(v.clone())).collect();
            unique.join(", ")
        };
        let backends = list(own().map(Cell::backend).collect());
        let users = list(own().map(|c| count(u64::from(c.point.workload.users()))).collect());
        let payloads = list(own().map(|c| c.point.workload.payload().exact()).collect());
        let durabilities = list(own().map(|c| durability(c.point.durability).to_owned()).collect());
        let scenarios: Vec<_> =
            own().filter_map(Cell::scenario).map(|s| scenario(s).to_owned()).collect();
        if let Some(first) = record.capacity.first() {
            said.push(how_many(first, &backends, &payloads, &durabilities));
            continue;
        }
        let what = if scenarios.is_empty() {
            "How late do messages arrive".to_owned()
        } else {
            format!("How much data per second ({})", list(scenarios))
        };
        let name = if cells.sources.len() > 1 {
            format!("Record {}, {}: ", letter(place), record.plan.profile)
        } else {
            String::new()
        };
        let warm = if record.plan.server_warmup.is_zero() {
            "cold servers".to_owned()
        } else {
            let warmup = crate::units::human_duration(record.plan.server_warmup);
            format!("servers warmed up for {warmup}")
        };
        said.push(format!(
            "{name}{what} on {backends}, with {users} {}, payload {payloads}, durability \
             {durabilities}; {} of each point on {warm}?",
            if users == "1" { "user" } else { "users" },
            plural(record.plan.repetitions as usize, "repetition"),
        ));
    }
    said
}

/// What a search for a capacity asks.
fn how_many(search: &Capacity, backends: &str, payloads: &str, durabilities: &str) -> String {
    let objectives: Vec<_> = search.objectives.iter().map(ToString::to_string).collect();
    let (least, most) = search.among;
    format!(
        "How many users does the hub carry with {} ({backends}; payload {payloads}; durability \
         {durabilities}; between {} and {} users)?",
        objectives.join(" and "),
        count(least.into()),
        count(most.into()),
    )
}

/// What searches found, the first of all.
fn carried(cells: &Cells<'_>) -> Vec<String> {
    let searches = cells.sources.iter().flat_map(|source| &source.record.capacity);
    let one = |search: &Capacity| {
        let limit =
            search.limit().map_or_else(String::new, |limit| format!("; limited by {limit}"));
        format!("{} with payload {}: {}{limit}.", search.backend, search.payload, search.answer())
    };
    searches.map(one).collect()
}

/// `1 repetition`, `3 repetitions`.
pub fn plural(number: usize, noun: &str) -> String {
    format!("{} {noun}{}", count(number as u64), if number == 1 { "" } else { "s" })
}

fn found(cells: &Cells<'_>, answer: &Answer) -> Vec<String> {
    let mut said = Vec::new();
    // The ends of each sweep say most; what lies between is in the table.
    for over in [Over::Users, Over::Payload, Over::Scenario] {
        let family = Family::of(cells, over);
        let ticks = family.ticks();
        let ends: BTreeSet<_> = match over {
            Over::Scenario => ticks.iter().map(|(_, text)| over.named(text)).collect(),
            _ => ticks.iter().take(1).chain(ticks.last()).map(|(_, t)| over.named(t)).collect(),
        };
        let chosen = answer.versus.iter().filter(|versus| ends.contains(&versus.at));
        let of_family =
            |versus: &&Versus| (versus.metric == Metric::Throughput) == (over == Over::Scenario);
        said.extend(chosen.filter(of_family).take(6).map(Versus::sentence));
        said.extend(
            answer.growth.iter().filter(|growth| growth.over == over).take(4).map(Growth::sentence),
        );
    }
    if said.is_empty() {
        said.extend(alone(cells));
    }
    let mut unique = BTreeSet::new();
    said.retain(|sentence| unique.insert(sentence.clone()));
    // What was lost puts everything else in doubt.
    let (lost, sentence) = messages(cells);
    said.insert(if lost { 0 } else { said.len() }, sentence);
    said.splice(0..0, carried(cells));
    said
}

/// Where there is nothing to compare: the figures of each cell.
fn alone(cells: &Cells<'_>) -> Vec<String> {
    let one = |cell: &Cell<'_>| {
        let (metric, tail) = if cell.scenario().is_some() {
            (Metric::Throughput, String::new())
        } else {
            let spread = cell.spread(Span::Delivery);
            let ms = |value: Option<f64>| crate::format::optional(value.map(|v| v / 1e3));
            let tail = format!(", p50 {} ms, p99 {} ms", ms(spread.p50), ms(spread.p99));
            (Metric::Latency(Span::Delivery, Stat::Mean), tail)
        };
        let estimate = cell.estimate(metric)?;
        let quantity = metric.quantity();
        let interval = estimate.ci_low.zip(estimate.ci_high).map_or_else(
            || " (one repetition: no interval)".to_owned(),
            |(low, high)| format!(" (95 %: {} to {})", quantity.write(low), quantity.write(high)),
        );
        let mean = quantity.write(estimate.mean);
        Some(format!("{}: {} {mean}{interval}{tail}", cell.describe(), metric.words()))
    };
    cells.measured().filter_map(one).take(12).collect()
}

/// Whether messages were lost, and a sentence on it.
fn messages(cells: &Cells<'_>) -> (bool, String) {
    let ledgers = || cells.measured().flat_map(|c| &c.measured).map(|r| r.ledger);
    let sum = |of: fn(&crate::measure::Ledger) -> u64| ledgers().map(|l| of(&l)).sum::<u64>();
    let (sent, lost, failed) = (sum(|l| l.sent), sum(|l| l.lost), sum(|l| l.failed));
    if sent == 0 {
        return (false, "No repetition was measured to its end: there is no answer.".into());
    }
    let words = match lost {
        0 => "none was lost".to_owned(),
        1 => "1 was lost".to_owned(),
        lost => format!("{} were lost", count(lost)),
    };
    let failed = if failed == 0 { String::new() } else { format!(", {} failed", count(failed)) };
    (lost > 0, format!("Of {} messages {words}{failed}.", count(sent)))
}

fn doubts(cells: &Cells<'_>) -> Vec<String> {
    let mut said = Vec::new();
    let all: usize = cells.measured().map(|cell| cell.measured.len()).sum();
    let suspect: usize = cells.measured().map(Cell::suspect).sum();
    if all == 0 {
        said.push("Not at all: nothing counts.".into());
    } else if suspect == all {
        said.push("Every repetition is suspect: no number here should decide anything.".into());
    } else if suspect > 0 {
        said.push(format!(
            "{} of {} that count {} suspect: read the verdicts before you rely on a number.",
            count(suspect as u64),
            plural(all, "repetition"),
            if suspect == 1 { "is" } else { "are" },
        ));
    }
    said
}

fn sure(cells: &Cells<'_>, answer: &Answer) -> Vec<String> {
    let mut said = Vec::new();
    let measured: Vec<_> = cells.measured().collect();
    if measured.is_empty() {
        return said;
    }
    let least = measured.iter().map(|cell| cell.measured.len()).min().unwrap_or(0);
    if least < 2 {
        said.push("At least one point has one repetition: it carries no interval.".into());
    }
    let tests = answer.versus.iter().filter(|v| v.difference.welch_p.is_some()).count();
    if tests > 0 {
        let seen = answer
            .versus
            .iter()
            .filter(|v| matches!(v.difference.seen, Seen::Higher | Seen::Lower))
            .count();
        said.push(format!(
            "{}, corrected for their number (Holm): {seen} differ{} at the 5 % level. “No difference \
             seen” is not “equal”: the interval says how large it may still be.",
            plural(tests, "comparison"),
            if seen == 1 { "s" } else { "" },
        ));
    }
    let ranked = answer.versus.iter().filter(|v| v.difference.rank_p.is_some()).count();
    if tests > ranked && least < 4 && tests > 0 {
        said.push(
            "With so few repetitions Welch's test stands alone: a rank test could not decide at \
             this size."
                .into(),
        );
    }
    said.extend(answer.drifts.iter().filter(|d| d.trend.seen() == Some(true)).map(Drift::sentence));
    if !answer.drifts.is_empty() && answer.drifts.iter().all(|d| d.trend.seen() != Some(true)) {
        said.push(
            "No drift over the run's wall clock was seen, neither in hubmark nor in a backend."
                .into(),
        );
    }
    for (place, source) in cells.sources.iter().enumerate() {
        let hub = &source.record.provenance.hub;
        if hub.shared_with_client
            && (place == 0 || !cells.sources[0].record.provenance.hub.shared_with_client)
        {
            said.push(
                "Users and servers shared the cores of one machine: the latencies hold both."
                    .into(),
            );
        }
        for server in source.record.provenance.servers.values() {
            said.extend(server.caution.clone());
        }
    }
    let mut unique = BTreeSet::new();
    said.retain(|sentence| unique.insert(sentence.clone()));
    said
}

fn left_out(cells: &Cells<'_>) -> Vec<String> {
    let mut said = Vec::new();
    for (place, source) in cells.sources.iter().enumerate() {
        let record = source.record;
        let done: usize = record.points.iter().map(|point| point.repetitions.len()).sum();
        if record.status == Status::Partial {
            let why = record.ended.as_ref().map_or_else(String::new, |why| format!(" ({why})"));
            let done = if record.plan.capacity.is_some() {
                format!("its search is not over after {}", plural(done, "repetition"))
            } else {
                format!("{done} of {}", plural(record.plan.schedule.len(), "repetition"))
            };
            let name = match cells.sources.len() {
                1 => "The record".to_owned(),
                _ => format!("Record {}", letter(place)),
            };
            said.push(format!("{name} is partial: {done}{why}."));
        }
    }
    let failed: usize = cells.cells.iter().map(|cell| cell.failed).sum();
    if failed > 0 {
        let never = if failed == 1 { "counts" } else { "count" };
        said.push(format!("{} failed and never {never}.", plural(failed, "repetition")));
    }
    let excluded: usize = cells.cells.iter().map(|cell| cell.excluded).sum();
    if excluded > 0 {
        said.push(format!(
            "{} judged suspect {} left out, as asked (--exclude-suspect).",
            plural(excluded, "repetition"),
            if excluded == 1 { "is" } else { "are" }
        ));
    }
    // A search tries few of the numbers that it may.
    let missing = |cell: &&Cell<'_>| {
        let searched = cells.sources[cell.source].record.plan.capacity.is_some();
        cell.measured.is_empty() && (!searched || cell.failed + cell.excluded > 0)
    };
    for cell in cells.cells.iter().filter(missing) {
        said.push(format!("No repetition counts for {}.", cell.describe()));
    }
    said.extend(uncarried(cells));
    if said.is_empty() {
        said.push("Nothing: every planned repetition counts.".into());
    }
    said
}

/// Percentiles that no count carries.
fn uncarried(cells: &Cells<'_>) -> Vec<String> {
    let mut counts: Vec<u64> = cells
        .measured()
        .filter(|cell| cell.scenario().is_none())
        .map(|cell| {
            cell.measured
                .iter()
                .filter_map(|r| Span::Delivery.of(r))
                .map(|latency| latency.count)
                .sum()
        })
        .collect();
    counts.sort_unstable();
    let Some(least) = counts.first().copied() else { return Vec::new() };
    let levels =
        [("p50", 20), ("p90", 100), ("p99", 1_000), ("p99.9", 10_000), ("p99.99", 100_000)];
    let lost: Vec<_> =
        levels.iter().filter(|(_, needed)| least < *needed).map(|(name, _)| *name).collect();
    if lost.is_empty() {
        return Vec::new();
    }
    vec![format!(
        "Percentiles {} at the point with the fewest messages ({}): ten must lie beyond one.",
        lost.join(", "),
        three(least as f64)
    )]
}
