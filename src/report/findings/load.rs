//! Findings on processor, memory, disk, network and throughput.

use super::{
    Finding,
    evidence::{Judgement, System, Systems, line, times, written},
};
use crate::{
    format::three,
    plan::Scenario,
    report::{
        cells::{Cell, scenario as scenario_name},
        figures::family::Over,
        metric::{Metric, Resource},
    },
    stats::{
        difference::{Seen, difference},
        trend::Trend,
    },
};

const CPU: Metric = Metric::Resource(Resource::Cpu);
const MEMORY: Metric = Metric::Resource(Resource::MemoryGrowth);
const WRITTEN: Metric = Metric::Resource(Resource::BlockWritten);
const GROWN: Metric = Metric::Resource(Resource::DataGrowth);
const RECEIVED: Metric = Metric::Resource(Resource::NetworkReceived);
const SENT: Metric = Metric::Resource(Resource::NetworkSent);
const SCENARIOS: [Scenario; 3] = [Scenario::Producer, Scenario::Consumer, Scenario::Both];

pub fn findings(systems: &Systems<'_>) -> Vec<Finding> {
    vec![
        cpu_grows(systems),
        cpu_left(systems),
        cpu_ratio(systems),
        cpu_payload(systems),
        cpu_throughput(systems),
        memory(systems),
        disk(systems),
        disk_linear(systems),
        received(systems),
        sent(systems),
        reading(systems),
        rate(systems),
        consumer(systems),
        least_sent(systems),
    ]
}

fn slope_text(trend: &Trend, metric: Metric) -> String {
    let (slope, interval) = trend.over(100.0);
    let quantity = metric.quantity();
    let interval = interval.map_or_else(
        || " (no interval)".to_owned(),
        |(low, high)| format!(" [{}, {}]", quantity.write(low), quantity.write(high)),
    );
    format!("{} per 100 users{interval}", quantity.signed(slope))
}

/// `Some(true)` where the whole interval is above 0, `Some(false)` where it is not above at all.
fn rises(trend: &Trend) -> Option<bool> {
    let (low, high) = trend.interval?;
    if low > 0.0 {
        Some(true)
    } else if high < 0.0 {
        Some(false)
    } else {
        None
    }
}

/// Evidence that `metric` rises with users, for each of `systems`.
fn with_users(systems: &Systems<'_>, of: &[System], metric: Metric, judgement: &mut Judgement) {
    for system in of {
        let cells = systems.sweep(*system, Over::Users);
        match line(&cells, Over::Users, metric) {
            None => judgement.lacks(&format!("{metric} of {} over users", system.name())),
            Some(trend) => judgement.add(
                rises(&trend),
                format!("{}: {metric} {}", system.name(), slope_text(&trend, metric)),
            ),
        }
    }
}

fn cpu_grows(systems: &Systems<'_>) -> Finding {
    let mut judgement = Judgement::new();
    with_users(systems, &System::BOTH, CPU, &mut judgement);
    judgement.finding(
        "Processor use grows with users.",
        "the slope's interval over users is above 0 for both",
    )
}

fn cpu_left(systems: &Systems<'_>) -> Finding {
    let mut judgement = Judgement::new();
    for system in System::BOTH {
        let cells = systems.sweep(system, Over::Users);
        let most = cells.last().and_then(|cell| Some((*cell, cell.estimate(CPU)?)));
        match most.zip(systems.cores()) {
            None => judgement.lacks(&format!("processor use of {}, or cores", system.name())),
            Some(((cell, estimate), cores)) => {
                let limit = 0.9 * cores;
                let agrees = estimate.ci_low.zip(estimate.ci_high).and_then(|(low, high)| {
                    if high < limit { Some(true) } else { (low > limit).then_some(false) }
                });
                judgement.add(
                    agrees,
                    format!(
                        "{} of {} at {}",
                        written(system.name(), cell, CPU),
                        three(cores),
                        Over::Users.at(cell)
                    ),
                );
            }
        }
    }
    judgement.finding(
        "The processor does not saturate in the latency runs.",
        "mean use at the most users stays below 90 % of the hub's cores",
    )
}

/// Evidence on the ratio of Kafka to MariaDB at each point of a sweep.
fn ratios(
    systems: &Systems<'_>,
    over: Over,
    metric: Metric,
    band: (f64, f64),
    most: f64,
) -> Judgement {
    let mut judgement = Judgement::new();
    let pairs = systems.pairs(over);
    for (_, kafka, sql) in pairs.into_iter().filter(|(x, ..)| *x <= most) {
        match times(metric, kafka, sql) {
            None => judgement.lacks(&format!("{metric} at {}", over.at(kafka))),
            Some((ratio, text)) => {
                judgement.add(ratio.within(band.0, band.1), format!("{}: {text}", over.at(kafka)));
            }
        }
    }
    if most.is_infinite() && systems.pairs(over).is_empty() {
        judgement.lacks("both systems at equal points");
    }
    judgement
}

fn cpu_ratio(systems: &Systems<'_>) -> Finding {
    ratios(systems, Over::Users, CPU, (1.5, 3.0), f64::INFINITY).finding(
        "The streaming platform uses about twice the SQL database's processor time in latency runs.",
        "1.5 to 3 times at every number of users, with the whole interval of the ratio",
    )
}

fn cpu_payload(systems: &Systems<'_>) -> Finding {
    let mut judgement = ratios(systems, Over::Payload, CPU, (2.0, f64::INFINITY), 1_000.0);
    if systems.pairs(Over::Payload).is_empty() {
        judgement.lacks("both systems at several payloads");
    }
    judgement.finding(
        "In the payload runs it uses more than double (less at large payloads).",
        "more than 2 times at every payload up to 1 kB, with the whole interval of the ratio",
    )
}

fn cpu_throughput(systems: &Systems<'_>) -> Finding {
    ratios(systems, Over::Scenario, CPU, (0.0, 1.25), f64::INFINITY).finding(
        "At its throughput limit the streaming platform uses similar processor or less.",
        "at most 1.25 times in every scenario, with the whole interval of the ratio",
    )
}

fn memory(systems: &Systems<'_>) -> Finding {
    let mut judgement = Judgement::new();
    with_users(systems, &[System::Sql], MEMORY, &mut judgement);
    let of = |system| line(&systems.sweep(system, Over::Users), Over::Users, MEMORY);
    match of(System::Kafka).zip(of(System::Sql)) {
        None => judgement.lacks("memory growth of both over users"),
        Some((kafka, sql)) => {
            let half = sql.slope / 2.0;
            let agrees = kafka.interval.and_then(|(low, high)| {
                if high < half { Some(true) } else { (low > half).then_some(false) }
            });
            judgement.add(agrees, format!("Kafka: {MEMORY} {}", slope_text(&kafka, MEMORY)));
        }
    }
    judgement.finding(
        "MariaDB's memory grows with users, Kafka's hardly.",
        "MariaDB's slope is above 0, and Kafka's below half of it",
    )
}

/// Bytes written: by the block counters, or by the data's growth where those count nothing.
fn writes(systems: &Systems<'_>) -> Metric {
    let counted = |cell: &&Cell<'_>| cell.values(WRITTEN).iter().any(|value| *value > 0.0);
    let any = System::BOTH.iter().any(|s| systems.sweep(*s, Over::Users).iter().any(counted));
    if any { WRITTEN } else { GROWN }
}

/// Evidence that MariaDB's `metric` differs from Kafka's in the direction `wanted`, at each point.
fn differs(
    systems: &Systems<'_>,
    over: Over,
    metric: Metric,
    wanted: Seen,
    judgement: &mut Judgement,
) {
    let pairs = systems.pairs(over);
    if pairs.is_empty() {
        judgement.lacks("both systems at equal points");
    }
    for (_, kafka, sql) in pairs {
        let text = format!(
            "{}: {}; {}",
            over.at(kafka),
            written("Kafka", kafka, metric),
            written("MariaDB", sql, metric)
        );
        let agrees = difference(&kafka.values(metric), &sql.values(metric))
            .and_then(|d| matches!(d.seen, Seen::Higher | Seen::Lower).then_some(d.seen == wanted));
        judgement.add(agrees, text);
    }
}

fn disk(systems: &Systems<'_>) -> Finding {
    let metric = writes(systems);
    let mut judgement = Judgement::new();
    differs(systems, Over::Users, metric, Seen::Higher, &mut judgement);
    judgement.note(format!("counted as {metric}"));
    judgement.finding(
        "Kafka writes less to disk than MariaDB (by about 10 MB in the study's runs).",
        "a difference in that direction is seen at every number of users; its size depends on the \
         volume of the run",
    )
}

fn disk_linear(systems: &Systems<'_>) -> Finding {
    let metric = writes(systems);
    let mut judgement = Judgement::new();
    for system in System::BOTH {
        let cells = systems.sweep(system, Over::Users);
        match line(&cells, Over::Users, metric) {
            None => judgement.lacks(&format!("{metric} of {} over users", system.name())),
            Some(trend) => {
                let straight = trend.explained.unwrap_or(0.0);
                let agrees = rises(&trend).map(|rises| rises && straight >= 0.9);
                judgement.add(
                    agrees,
                    format!(
                        "{}: {}, R² {}",
                        system.name(),
                        slope_text(&trend, metric),
                        three(straight)
                    ),
                );
            }
        }
    }
    judgement.finding(
        "Disk writes of both grow linearly with users.",
        "the slope is above 0, and a straight line explains at least 90 % of the variance",
    )
}

fn received(systems: &Systems<'_>) -> Finding {
    let mut judgement = Judgement::new();
    differs(systems, Over::Users, RECEIVED, Seen::Lower, &mut judgement);
    judgement.finding(
        "Kafka receives more network data (about 7 MB in the study's runs).",
        "a difference in that direction is seen at every number of users",
    )
}

fn sent(systems: &Systems<'_>) -> Finding {
    let mut judgement = Judgement::new();
    differs(systems, Over::Users, SENT, Seen::Lower, &mut judgement);
    let of = |system| line(&systems.sweep(system, Over::Users), Over::Users, SENT);
    match of(System::Kafka).zip(of(System::Sql)) {
        None => judgement.lacks("network of both over users"),
        Some((kafka, sql)) => {
            let agrees = kafka.interval.zip(sql.interval).and_then(|(kafka, sql)| {
                if kafka.0 > sql.1 { Some(true) } else { (kafka.1 < sql.0).then_some(false) }
            });
            judgement.add(
                agrees,
                format!(
                    "slopes: Kafka {}; MariaDB {}",
                    slope_text(&kafka, SENT),
                    slope_text(&sql, SENT)
                ),
            );
        }
    }
    judgement.finding(
        "Kafka sends more network data, growing faster with users.",
        "a difference is seen at every number of users, and the slopes' intervals do not overlap",
    )
}

fn reading(systems: &Systems<'_>) -> Finding {
    let mut judgement = Judgement::new();
    for system in System::BOTH {
        let of = |scenario| systems.scenario(system, scenario);
        let ratio = of(Scenario::Consumer)
            .zip(of(Scenario::Producer))
            .and_then(|(consumer, producer)| times(Metric::Throughput, consumer, producer));
        match ratio {
            None => judgement.lacks(&format!("{} reading and writing", system.name())),
            Some((ratio, text)) => {
                judgement
                    .add(ratio.within(1.5, f64::INFINITY), format!("{}: {text}", system.name()));
            }
        }
    }
    judgement.finding(
        "Reading is much faster than writing.",
        "consumer alone at least 1.5 times producer alone, for both systems",
    )
}

fn rate(systems: &Systems<'_>) -> Finding {
    let mut judgement = Judgement::new();
    for scenario in [Scenario::Producer, Scenario::Both] {
        let pair =
            systems.scenario(System::Kafka, scenario).zip(systems.scenario(System::Sql, scenario));
        match pair.and_then(|(kafka, sql)| times(Metric::Throughput, kafka, sql)) {
            None => judgement.lacks(&format!("both systems, scenario {}", scenario_name(scenario))),
            Some((ratio, text)) => {
                let name = scenario_name(scenario);
                judgement.add(ratio.within(1.0, f64::INFINITY), format!("{name}: {text}"));
            }
        }
        if let Some((kafka, sql)) = pair {
            let spread = |cell: &Cell<'_>| {
                let estimate = cell.estimate(Metric::Throughput)?;
                Some(100.0 * estimate.stdev? / estimate.mean)
            };
            if let Some((kafka, sql)) = spread(kafka).zip(spread(sql)) {
                judgement.note(format!(
                    "deviation of the repetitions: Kafka {} %, MariaDB {} %",
                    three(kafka),
                    three(sql)
                ));
            }
        }
    }
    judgement.finding(
        "Kafka's data rate is a little better and steadier in producer and both.",
        "its rate is higher with the whole interval of the ratio; the deviations stand beside it \
         and decide nothing",
    )
}

fn consumer(systems: &Systems<'_>) -> Finding {
    let mut judgement = Judgement::new();
    let pair = systems
        .scenario(System::Kafka, Scenario::Consumer)
        .zip(systems.scenario(System::Sql, Scenario::Consumer));
    match pair.and_then(|(kafka, sql)| times(Metric::Throughput, kafka, sql)) {
        None => judgement.lacks("both systems, consumer alone"),
        Some((ratio, text)) => judgement.add(ratio.within(0.8, 1.25), format!("consumer: {text}")),
    }
    judgement.finding(
        "Consumer alone, both are about as fast.",
        "0.8 to 1.25 times, with the whole interval of the ratio",
    )
}

fn least_sent(systems: &Systems<'_>) -> Finding {
    let mut judgement = Judgement::new();
    let have = SCENARIOS.iter().filter(|s| systems.scenario(System::Kafka, **s).is_some()).count();
    if have < SCENARIOS.len() {
        judgement.lacks("all three scenarios");
    }
    differs(systems, Over::Scenario, SENT, Seen::Lower, &mut judgement);
    judgement.finding(
        "The SQL database sends the least data in each scenario.",
        "a difference in that direction is seen in every scenario",
    )
}
