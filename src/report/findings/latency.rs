//! Findings on latency.

use super::{
    Finding,
    evidence::{Judgement, System, Systems, line, times, written},
};
use crate::{
    format::three,
    report::{
        cells::Cell,
        figures::family::Over,
        metric::{Metric, Span, Stat},
    },
    stats::difference::{Seen, difference},
};

const MEAN: Metric = Metric::Latency(Span::Delivery, Stat::Mean);
/// The study's own spread: a growth below it is no clear one.
const CLEAR: f64 = 1_000.0;

pub fn findings(systems: &Systems<'_>) -> Vec<Finding> {
    vec![
        level(systems),
        spread(systems),
        growth(systems),
        large_is_slow(systems),
        large_varies(systems),
        large_order(systems),
    ]
}

/// Cells of both sweeps up to 1 kB of payload.
fn small<'a>(systems: &Systems<'a>, system: System) -> Vec<(String, &'a Cell<'a>)> {
    let named = |over: Over| {
        let cells = systems.sweep(system, over).into_iter();
        let fits = cells.filter(|cell| cell.point.workload.payload().0 <= 1_000);
        fits.map(move |cell| (format!("{}, {}", system.name(), over.at(cell)), cell))
            .collect::<Vec<_>>()
    };
    [named(Over::Users), named(Over::Payload)].concat()
}

fn level(systems: &Systems<'_>) -> Finding {
    let mut judgement = Judgement::new();
    for system in System::BOTH {
        let cells = small(systems, system);
        if cells.is_empty() {
            judgement.lacks(&format!("latency of {}", system.name()));
        }
        for (name, cell) in cells {
            let interval = cell.estimate(MEAN).and_then(|e| e.ci_low.zip(e.ci_high));
            let agrees = interval.and_then(|(low, high)| {
                if low >= 2e3 && high <= 4e3 {
                    Some(true)
                } else if high < 2e3 || low > 4e3 {
                    Some(false)
                } else {
                    None
                }
            });
            judgement.add(agrees, written(&name, cell, MEAN));
        }
    }
    judgement.finding(
        "Both systems take 2 to 4 ms up to 1 kB of payload.",
        "the mean's interval lies within 2 to 4 ms at every such point",
    )
}

fn whiskers(cell: &Cell<'_>) -> Option<f64> {
    let estimate = cell.estimate(MEAN)?;
    (estimate.n > 1).then_some(estimate.max - estimate.min)
}

fn spread(systems: &Systems<'_>) -> Finding {
    let mut judgement = Judgement::new();
    for system in System::BOTH {
        let cells = small(systems, system);
        let spreads: Vec<_> = cells.iter().filter_map(|(_, cell)| whiskers(cell)).collect();
        let Some(largest) = spreads.iter().copied().reduce(f64::max) else {
            judgement.lacks(&format!("repeated latency of {}", system.name()));
            continue;
        };
        let mean = spreads.iter().sum::<f64>() / spreads.len() as f64;
        let agrees = if (500.0..=2_000.0).contains(&mean) { Some(true) } else { Some(false) };
        judgement.add(
            agrees,
            format!(
                "{}: smallest to largest repetition {} ms on average over {} points, at most {} ms",
                system.name(),
                three(mean / 1e3),
                spreads.len(),
                three(largest / 1e3)
            ),
        );
    }
    judgement.finding(
        "Latency varies by about 1 ms between repetitions.",
        "largest less smallest repetition, averaged over the points up to 1 kB, is 0.5 to 2 ms; \
         this figure has no interval, and grows with the number of repetitions (the study: 10)",
    )
}

fn growth(systems: &Systems<'_>) -> Finding {
    let mut judgement = Judgement::new();
    for system in System::BOTH {
        let cells = systems.sweep(system, Over::Users);
        let ends = cells.first().zip(cells.last());
        let trend = line(&cells, Over::Users, MEAN);
        let Some(((first, last), trend)) = ends.zip(trend) else {
            judgement.lacks(&format!("{} at several numbers of users", system.name()));
            continue;
        };
        let span = Over::Users.value(last) - Over::Users.value(first);
        let (grown, interval) = trend.over(span);
        let agrees = interval.and_then(|(low, high)| {
            if high < CLEAR {
                Some(true)
            } else if low > CLEAR {
                Some(false)
            } else {
                None
            }
        });
        let interval = interval.map_or_else(String::new, |(low, high)| {
            format!(" [{}, {}]", three(low / 1e3), three(high / 1e3))
        });
        judgement.add(
            agrees,
            format!(
                "{}: {} ms{interval} from {} to {}",
                system.name(),
                three(grown / 1e3),
                Over::Users.at(first),
                Over::Users.at(last)
            ),
        );
    }
    judgement.finding(
        "No clear growth of latency from 100 to 1000 users.",
        "a straight line through all repetitions rises by less than 1 ms, the study's own spread, \
         over the sweep",
    )
}

/// A system's smallest and largest payload, where the one is at most 1 kB and the other 10 kB.
fn payload_ends<'a>(systems: &Systems<'a>, system: System) -> Option<(&'a Cell<'a>, &'a Cell<'a>)> {
    let cells = systems.sweep(system, Over::Payload);
    let bytes = |cell: &&&Cell<'_>| cell.point.workload.payload().0;
    let small = cells.iter().rfind(|cell| bytes(cell) <= 1_000)?;
    let large = cells.iter().find(|cell| bytes(cell) >= 10_000)?;
    Some((small, large))
}

fn large_is_slow(systems: &Systems<'_>) -> Finding {
    let mut judgement = Judgement::new();
    for system in System::BOTH {
        let ends = payload_ends(systems, system);
        match ends.and_then(|(small, large)| Some((small, large, times(MEAN, large, small)?))) {
            None => judgement.lacks(&format!("{} at 1 kB and at 10 kB", system.name())),
            Some((small, large, (ratio, text))) => judgement.add(
                ratio.within(2.0, f64::INFINITY),
                format!(
                    "{}: {} against {}: {text}",
                    system.name(),
                    Over::Payload.at(large),
                    Over::Payload.at(small)
                ),
            ),
        }
    }
    judgement.finding(
        "At 10 kB of payload latency is much higher.",
        "at least twice the mean at the largest payload up to 1 kB",
    )
}

fn large_varies(systems: &Systems<'_>) -> Finding {
    let mut judgement = Judgement::new();
    for system in System::BOTH {
        let spreads = payload_ends(systems, system)
            .and_then(|(small, large)| whiskers(small).zip(whiskers(large)));
        match spreads {
            None => judgement.lacks(&format!("repetitions of {} at 1 kB and 10 kB", system.name())),
            Some((small, large)) => judgement.add(
                Some(large > 2.0 * small),
                format!(
                    "{}: smallest to largest repetition {} ms, at 1 kB or less {} ms",
                    system.name(),
                    three(large / 1e3),
                    three(small / 1e3)
                ),
            ),
        }
    }
    judgement.finding(
        "At 10 kB of payload latency varies a lot.",
        "largest less smallest repetition is more than twice that at the largest payload up to \
         1 kB; this figure has no interval",
    )
}

fn large_order(systems: &Systems<'_>) -> Finding {
    let mut judgement = Judgement::new();
    let pair = systems.pairs(Over::Payload).into_iter().rfind(|(payload, ..)| *payload >= 1e4);
    let compared =
        pair.and_then(|(_, kafka, sql)| difference(&kafka.values(MEAN), &sql.values(MEAN)));
    match pair.zip(compared) {
        None => judgement.lacks("both systems at 10 kB"),
        Some(((_, kafka, sql), difference)) => judgement.add(
            match difference.seen {
                Seen::Lower => Some(true),
                Seen::Higher => Some(false),
                Seen::Nothing | Seen::Undecidable => None,
            },
            format!("{}; {}", written("Kafka", kafka, MEAN), written("MariaDB", sql, MEAN)),
        ),
    }
    judgement.finding(
        "At 10 kB of payload the SQL database is quicker than the streaming platform.",
        "a difference of the means is seen (Welch's test, 95 %)",
    )
}
