//! The study's findings on processor, memory, disk, network and throughput.

use super::evidence::{
    FindingBuilder, FindingDraft, StudyCells, StudySystem, cell_ratio, format_estimate, sweep_trend,
};
use crate::{
    format::three_significant,
    plan::Scenario,
    report::{
        cells::ReportCell,
        figures::sweep::SweptValue,
        metric::{Metric, ResourceMetric},
    },
    stats::{
        band::{BandTest, Statistic},
        difference::{DifferenceVerdict, difference},
        trend::Trend,
    },
};

const CPU: Metric = Metric::Resource(ResourceMetric::Cpu);
const MEMORY: Metric = Metric::Resource(ResourceMetric::MemoryGrowth);
const WRITTEN: Metric = Metric::Resource(ResourceMetric::BlockWritten);
const DATA_GROWTH: Metric = Metric::Resource(ResourceMetric::DataGrowth);
const RECEIVED: Metric = Metric::Resource(ResourceMetric::NetworkReceived);
const SENT: Metric = Metric::Resource(ResourceMetric::NetworkSent);
const SCENARIOS: [Scenario; 3] = [Scenario::Producer, Scenario::Consumer, Scenario::Both];

pub fn findings(study: &StudyCells<'_>) -> Vec<FindingDraft> {
    vec![
        cpu_grows(study),
        cpu_left(study),
        cpu_ratio(study),
        cpu_payload(study),
        cpu_throughput(study),
        memory(study),
        disk(study),
        disk_linear(study),
        received(study),
        sent(study),
        reading(study),
        rate(study),
        consumer(study),
        least_sent(study),
    ]
}

fn slope_text(trend: &Trend, metric: Metric) -> String {
    let (slope, interval) = trend.growth_over(100.0);
    let quantity = metric.quantity();
    let interval = interval.map_or_else(
        || " (no interval)".to_owned(),
        |(low, high)| format!(" [{}, {}]", quantity.format(low), quantity.format(high)),
    );
    format!("{} per 100 users{interval}", quantity.format_signed(slope))
}

/// Tests whether the slope is positive; `None` without an interval.
fn rising_test(trend: &Trend) -> Option<BandTest> {
    trend.statistic?.band_test(0.0, f64::INFINITY)
}

/// Adds evidence that `metric` rises with users, for each system in `of`.
fn add_growth_with_users(
    study: &StudyCells<'_>,
    of: &[StudySystem],
    metric: Metric,
    finding: &mut FindingBuilder,
) {
    for system in of {
        let cells = study.sweep(*system, SweptValue::Users);
        match sweep_trend(&cells, SweptValue::Users, metric) {
            None => finding.add_missing(&format!("{metric} of {} over users", system.name())),
            Some(trend) => finding.add_band(
                rising_test(&trend),
                format!("{}: {metric} {}", system.name(), slope_text(&trend, metric)),
            ),
        }
    }
}

fn cpu_grows(study: &StudyCells<'_>) -> FindingDraft {
    let mut finding = FindingBuilder::new();
    add_growth_with_users(study, &StudySystem::BOTH, CPU, &mut finding);
    finding.build(
        "Processor use grows with users.",
        "the slope's interval over users is above 0 for both",
    )
}

fn cpu_left(study: &StudyCells<'_>) -> FindingDraft {
    let mut finding = FindingBuilder::new();
    for system in StudySystem::BOTH {
        let cells = study.sweep(system, SweptValue::Users);
        let most = cells.last().and_then(|cell| Some((*cell, cell.estimate(CPU)?)));
        match most.zip(study.cores()) {
            None => finding.add_missing(&format!("processor use of {}, or cores", system.name())),
            Some(((cell, estimate), cores)) => {
                let limit = 0.9 * cores;
                let mean = Statistic::from_estimate(&estimate);
                finding.add_band(
                    mean.and_then(|mean| mean.band_test(f64::NEG_INFINITY, limit)),
                    format!(
                        "{} of {} at {}",
                        format_estimate(system.name(), cell, CPU),
                        three_significant(cores),
                        SweptValue::Users.describe(cell)
                    ),
                );
            }
        }
    }
    finding.build(
        "The processor does not saturate in the latency runs.",
        "mean use at the most users stays below 90 % of the hub's cores",
    )
}

/// Collects evidence on the ratio of Kafka to MariaDB at each point of a sweep up to the value `most`.
fn ratio_evidence(
    study: &StudyCells<'_>,
    swept: SweptValue,
    metric: Metric,
    band: (f64, f64),
    most: f64,
) -> FindingBuilder {
    let mut finding = FindingBuilder::new();
    let pairs = study.pairs(swept);
    for (_, kafka, sql) in pairs.into_iter().filter(|(x, ..)| *x <= most) {
        match cell_ratio(metric, kafka, sql) {
            None => finding.add_missing(&format!("{metric} at {}", swept.describe(kafka))),
            Some((ratio, text)) => {
                finding.add_band(
                    ratio.band_test(band.0, band.1),
                    format!("{}: {text}", swept.describe(kafka)),
                );
            }
        }
    }
    if most.is_infinite() && study.pairs(swept).is_empty() {
        finding.add_missing("both systems at equal points");
    }
    finding
}

fn cpu_ratio(study: &StudyCells<'_>) -> FindingDraft {
    ratio_evidence(study, SweptValue::Users, CPU, (1.5, 3.0), f64::INFINITY).build(
        "The streaming platform uses about twice the SQL database's processor time in latency runs.",
        "1.5 to 3 times at every number of users, with the whole interval of the ratio",
    )
}

fn cpu_payload(study: &StudyCells<'_>) -> FindingDraft {
    let mut finding =
        ratio_evidence(study, SweptValue::Payload, CPU, (2.0, f64::INFINITY), 1_000.0);
    if study.pairs(SweptValue::Payload).is_empty() {
        finding.add_missing("both systems at several payloads");
    }
    finding.build(
        "In the payload runs it uses more than double (less at large payloads).",
        "more than 2 times at every payload up to 1 kB, with the whole interval of the ratio",
    )
}

fn cpu_throughput(study: &StudyCells<'_>) -> FindingDraft {
    ratio_evidence(study, SweptValue::Scenario, CPU, (0.0, 1.25), f64::INFINITY).build(
        "At its throughput limit the streaming platform uses similar processor or less.",
        "at most 1.25 times in every scenario, with the whole interval of the ratio",
    )
}

fn memory(study: &StudyCells<'_>) -> FindingDraft {
    let mut finding = FindingBuilder::new();
    add_growth_with_users(study, &[StudySystem::Sql], MEMORY, &mut finding);
    let of =
        |system| sweep_trend(&study.sweep(system, SweptValue::Users), SweptValue::Users, MEMORY);
    match of(StudySystem::Kafka).zip(of(StudySystem::Sql)) {
        None => finding.add_missing("memory growth of both over users"),
        Some((kafka, sql)) => {
            let slopes = kafka.statistic.zip(sql.statistic);
            let less = slopes.map(|(kafka, sql)| kafka.minus(sql.scaled(0.5)));
            let test = less.and_then(|less| less.band_test(f64::NEG_INFINITY, 0.0));
            finding.add_band(test, format!("Kafka: {MEMORY} {}", slope_text(&kafka, MEMORY)));
        }
    }
    finding.build(
        "MariaDB's memory grows with users, Kafka's hardly.",
        "MariaDB's slope is above 0, and Kafka's below half of it",
    )
}

/// Chooses the metric for bytes written: block counters, or data growth when the counters stay 0.
fn written_metric(study: &StudyCells<'_>) -> Metric {
    let counted = |cell: &&ReportCell<'_>| cell.values(WRITTEN).iter().any(|value| *value > 0.0);
    let any =
        StudySystem::BOTH.iter().any(|s| study.sweep(*s, SweptValue::Users).iter().any(counted));
    if any { WRITTEN } else { DATA_GROWTH }
}

/// Adds evidence that MariaDB's `metric` differs from Kafka's in the direction `expected`, at each point.
fn add_differences(
    study: &StudyCells<'_>,
    swept: SweptValue,
    metric: Metric,
    expected: DifferenceVerdict,
    finding: &mut FindingBuilder,
) {
    let pairs = study.pairs(swept);
    if pairs.is_empty() {
        finding.add_missing("both systems at equal points");
    }
    for (_, kafka, sql) in pairs {
        let text = format!(
            "{}: {}; {}",
            swept.describe(kafka),
            format_estimate("Kafka", kafka, metric),
            format_estimate("MariaDB", sql, metric)
        );
        let compared = difference(&kafka.values(metric), &sql.values(metric), metric.domain());
        finding.add_difference(compared, expected, text);
    }
}

fn disk(study: &StudyCells<'_>) -> FindingDraft {
    let metric = written_metric(study);
    let mut finding = FindingBuilder::new();
    add_differences(study, SweptValue::Users, metric, DifferenceVerdict::Higher, &mut finding);
    let counted = vec![format!("counted as {metric}")];
    finding.build_with_notes(
        "Kafka writes less to disk than MariaDB (by about 10 MB in the study's runs).",
        "a difference in that direction is seen at every number of users; its size depends on the \
         volume of the run",
        counted,
    )
}

fn disk_linear(study: &StudyCells<'_>) -> FindingDraft {
    let metric = written_metric(study);
    let mut finding = FindingBuilder::new();
    for system in StudySystem::BOTH {
        let cells = study.sweep(system, SweptValue::Users);
        match sweep_trend(&cells, SweptValue::Users, metric) {
            None => finding.add_missing(&format!("{metric} of {} over users", system.name())),
            Some(trend) => {
                let straight = trend.r_squared.unwrap_or(0.0);
                finding.add_band_if(
                    rising_test(&trend),
                    straight >= 0.9,
                    format!(
                        "{}: {}, R² {}",
                        system.name(),
                        slope_text(&trend, metric),
                        three_significant(straight)
                    ),
                );
            }
        }
    }
    finding.build(
        "Disk writes of both grow linearly with users.",
        "the slope is above 0, and a straight line explains at least 90 % of the variance",
    )
}

fn received(study: &StudyCells<'_>) -> FindingDraft {
    let mut finding = FindingBuilder::new();
    add_differences(study, SweptValue::Users, RECEIVED, DifferenceVerdict::Lower, &mut finding);
    finding.build(
        "Kafka receives more network data (about 7 MB in the study's runs).",
        "a difference in that direction is seen at every number of users",
    )
}

fn sent(study: &StudyCells<'_>) -> FindingDraft {
    let mut finding = FindingBuilder::new();
    add_differences(study, SweptValue::Users, SENT, DifferenceVerdict::Lower, &mut finding);
    let of = |system| sweep_trend(&study.sweep(system, SweptValue::Users), SweptValue::Users, SENT);
    match of(StudySystem::Kafka).zip(of(StudySystem::Sql)) {
        None => finding.add_missing("network of both over users"),
        Some((kafka, sql)) => {
            let slopes = kafka.statistic.zip(sql.statistic);
            let faster = slopes.map(|(kafka, sql)| kafka.minus(sql));
            finding.add_band(
                faster.and_then(|faster| faster.band_test(0.0, f64::INFINITY)),
                format!(
                    "slopes: Kafka {}; MariaDB {}",
                    slope_text(&kafka, SENT),
                    slope_text(&sql, SENT)
                ),
            );
        }
    }
    finding.build(
        "Kafka sends more network data, growing faster with users.",
        "a difference is seen at every number of users, and Kafka's slope is above MariaDB's",
    )
}

fn reading(study: &StudyCells<'_>) -> FindingDraft {
    let mut finding = FindingBuilder::new();
    for system in StudySystem::BOTH {
        let of = |scenario| study.scenario(system, scenario);
        let ratio = of(Scenario::Consumer)
            .zip(of(Scenario::Producer))
            .and_then(|(consumer, producer)| cell_ratio(Metric::Throughput, consumer, producer));
        match ratio {
            None => finding.add_missing(&format!("{} reading and writing", system.name())),
            Some((ratio, text)) => {
                finding.add_band(
                    ratio.band_test(1.5, f64::INFINITY),
                    format!("{}: {text}", system.name()),
                );
            }
        }
    }
    finding.build(
        "Reading is much faster than writing.",
        "consumer alone at least 1.5 times producer alone, for both systems",
    )
}

fn rate(study: &StudyCells<'_>) -> FindingDraft {
    let (mut finding, mut notes) = (FindingBuilder::new(), Vec::new());
    for scenario in [Scenario::Producer, Scenario::Both] {
        let pair = study
            .scenario(StudySystem::Kafka, scenario)
            .zip(study.scenario(StudySystem::Sql, scenario));
        match pair.and_then(|(kafka, sql)| cell_ratio(Metric::Throughput, kafka, sql)) {
            None => finding.add_missing(&format!("both systems, scenario {}", scenario.name())),
            Some((ratio, text)) => {
                let name = scenario.name();
                finding.add_band(ratio.band_test(1.0, f64::INFINITY), format!("{name}: {text}"));
            }
        }
        if let Some((kafka, sql)) = pair {
            let spread = |cell: &ReportCell<'_>| {
                let estimate = cell.estimate(Metric::Throughput)?;
                Some(100.0 * estimate.stdev? / estimate.mean)
            };
            if let Some((kafka, sql)) = spread(kafka).zip(spread(sql)) {
                notes.push(format!(
                    "deviation of the repetitions: Kafka {} %, MariaDB {} %",
                    three_significant(kafka),
                    three_significant(sql)
                ));
            }
        }
    }
    finding.build_with_notes(
        "Kafka's data rate is a little better and steadier in producer and both.",
        "its rate is higher with the whole interval of the ratio; the deviations are listed \
         and decide nothing",
        notes,
    )
}

fn consumer(study: &StudyCells<'_>) -> FindingDraft {
    let mut finding = FindingBuilder::new();
    let pair = study
        .scenario(StudySystem::Kafka, Scenario::Consumer)
        .zip(study.scenario(StudySystem::Sql, Scenario::Consumer));
    match pair.and_then(|(kafka, sql)| cell_ratio(Metric::Throughput, kafka, sql)) {
        None => finding.add_missing("both systems, consumer alone"),
        Some((ratio, text)) => {
            finding.add_band(ratio.band_test(0.8, 1.25), format!("consumer: {text}"));
        }
    }
    finding.build(
        "Consumer alone, both are about as fast.",
        "0.8 to 1.25 times, with the whole interval of the ratio",
    )
}

fn least_sent(study: &StudyCells<'_>) -> FindingDraft {
    let mut finding = FindingBuilder::new();
    let have =
        SCENARIOS.iter().filter(|s| study.scenario(StudySystem::Kafka, **s).is_some()).count();
    if have < SCENARIOS.len() {
        finding.add_missing("all three scenarios");
    }
    add_differences(study, SweptValue::Scenario, SENT, DifferenceVerdict::Lower, &mut finding);
    finding.build(
        "The SQL database sends the least data in each scenario.",
        "a difference in that direction is seen in every scenario",
    )
}
