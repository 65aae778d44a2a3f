//! The study's findings on latency.

use super::evidence::{
    FindingBuilder, FindingDraft, StudyCells, StudySystem, cell_ratio, format_estimate, sweep_trend,
};
use crate::{
    format::{count_noun, three_significant},
    report::{
        cells::ReportCell,
        figures::sweep::SweptValue,
        metric::{LatencyKind, LatencyStat, Metric},
    },
    stats::{
        band::Statistic,
        difference::{DifferenceVerdict, difference},
    },
};

const MEAN_DELIVERY: Metric = Metric::Latency(LatencyKind::Delivery, LatencyStat::Mean);
/// Smallest growth that counts as clear, in microseconds: the spread of the study's repetitions.
const CLEAR_GROWTH_MICROS: f64 = 1_000.0;

pub fn findings(study: &StudyCells<'_>) -> Vec<FindingDraft> {
    vec![
        level(study),
        spread(study),
        growth(study),
        large_is_slow(study),
        large_varies(study),
        large_order(study),
    ]
}

/// Returns the named cells of both sweeps up to 1 kB of payload.
fn small_payload_cells<'a>(
    study: &StudyCells<'a>,
    system: StudySystem,
) -> Vec<(String, &'a ReportCell<'a>)> {
    let named = |swept: SweptValue| {
        let cells = study.sweep(system, swept).into_iter();
        let fits = cells.filter(|cell| cell.point.workload.payload().0 <= 1_000);
        fits.map(move |cell| (format!("{}, {}", system.name(), swept.describe(cell)), cell))
            .collect::<Vec<_>>()
    };
    [named(SweptValue::Users), named(SweptValue::Payload)].concat()
}

fn level(study: &StudyCells<'_>) -> FindingDraft {
    let mut finding = FindingBuilder::new();
    for system in StudySystem::BOTH {
        let cells = small_payload_cells(study, system);
        if cells.is_empty() {
            finding.add_missing(&format!("latency of {}", system.name()));
        }
        for (name, cell) in cells {
            let estimate = cell.estimate(MEAN_DELIVERY);
            let mean = estimate.and_then(|estimate| Statistic::from_estimate(&estimate));
            let test = mean.and_then(|mean| mean.band_test(2e3, 4e3));
            finding.add_band(test, format_estimate(&name, cell, MEAN_DELIVERY));
        }
    }
    finding.build(
        "Both systems take 2 to 4 ms up to 1 kB of payload.",
        "the mean's interval lies within 2 to 4 ms at every such point",
    )
}

fn repetition_range(cell: &ReportCell<'_>) -> Option<f64> {
    let estimate = cell.estimate(MEAN_DELIVERY)?;
    (estimate.n > 1).then_some(estimate.max - estimate.min)
}

fn spread(study: &StudyCells<'_>) -> FindingDraft {
    let mut finding = FindingBuilder::new();
    for system in StudySystem::BOTH {
        let cells = small_payload_cells(study, system);
        let spreads: Vec<_> = cells.iter().filter_map(|(_, cell)| repetition_range(cell)).collect();
        let Some(largest) = spreads.iter().copied().reduce(f64::max) else {
            finding.add_missing(&format!("repeated latency of {}", system.name()));
            continue;
        };
        let mean = spreads.iter().sum::<f64>() / spreads.len() as f64;
        let agrees = if (500.0..=2_000.0).contains(&mean) { Some(true) } else { Some(false) };
        finding.add_untested(
            agrees,
            format!(
                "{}: smallest to largest repetition {} ms on average over {}, at most {} ms",
                system.name(),
                three_significant(mean / 1e3),
                count_noun(spreads.len() as u64, "point"),
                three_significant(largest / 1e3)
            ),
        );
    }
    finding.build(
        "Latency varies by about 1 ms between repetitions.",
        "largest less smallest repetition, averaged over the points up to 1 kB, is 0.5 to 2 ms; \
         this figure has no interval, and grows with the number of repetitions (the study: 10)",
    )
}

fn growth(study: &StudyCells<'_>) -> FindingDraft {
    let mut finding = FindingBuilder::new();
    for system in StudySystem::BOTH {
        let cells = study.sweep(system, SweptValue::Users);
        let ends = cells.first().zip(cells.last());
        let trend = sweep_trend(&cells, SweptValue::Users, MEAN_DELIVERY);
        let Some(((first, last), trend)) = ends.zip(trend) else {
            finding.add_missing(&format!("{} at several numbers of users", system.name()));
            continue;
        };
        let span = SweptValue::Users.value(last) - SweptValue::Users.value(first);
        let (grown, interval) = trend.growth_over(span);
        let growth = trend.statistic.map(|slope| slope.scaled(span));
        let test = growth.and_then(|it| it.band_test(f64::NEG_INFINITY, CLEAR_GROWTH_MICROS));
        let interval = interval.map_or_else(String::new, |(low, high)| {
            format!(" [{}, {}]", three_significant(low / 1e3), three_significant(high / 1e3))
        });
        finding.add_band(
            test,
            format!(
                "{}: {} ms{interval} from {} to {}",
                system.name(),
                three_significant(grown / 1e3),
                SweptValue::Users.describe(first),
                SweptValue::Users.describe(last)
            ),
        );
    }
    finding.build(
        "No clear growth of latency from 100 to 1000 users.",
        "a straight line through all repetitions rises by less than 1 ms, the study's own spread, \
         over the sweep",
    )
}

/// Returns a system's cells with the largest payload up to 1 kB and the smallest from 10 kB.
fn payload_ends<'a>(
    study: &StudyCells<'a>,
    system: StudySystem,
) -> Option<(&'a ReportCell<'a>, &'a ReportCell<'a>)> {
    let cells = study.sweep(system, SweptValue::Payload);
    let bytes = |cell: &&&ReportCell<'_>| cell.point.workload.payload().0;
    let small = cells.iter().rfind(|cell| bytes(cell) <= 1_000)?;
    let large = cells.iter().find(|cell| bytes(cell) >= 10_000)?;
    Some((small, large))
}

fn large_is_slow(study: &StudyCells<'_>) -> FindingDraft {
    let mut finding = FindingBuilder::new();
    for system in StudySystem::BOTH {
        let ends = payload_ends(study, system);
        match ends.and_then(|(small, large)| {
            Some((small, large, cell_ratio(MEAN_DELIVERY, large, small)?))
        }) {
            None => finding.add_missing(&format!("{} at 1 kB and at 10 kB", system.name())),
            Some((small, large, (ratio, text))) => finding.add_band(
                ratio.band_test(2.0, f64::INFINITY),
                format!(
                    "{}: {} against {}: {text}",
                    system.name(),
                    SweptValue::Payload.describe(large),
                    SweptValue::Payload.describe(small)
                ),
            ),
        }
    }
    finding.build(
        "At 10 kB of payload latency is much higher.",
        "at least twice the mean at the largest payload up to 1 kB",
    )
}

fn large_varies(study: &StudyCells<'_>) -> FindingDraft {
    let mut finding = FindingBuilder::new();
    for system in StudySystem::BOTH {
        let spreads = payload_ends(study, system)
            .and_then(|(small, large)| repetition_range(small).zip(repetition_range(large)));
        match spreads {
            None => {
                finding.add_missing(&format!("repetitions of {} at 1 kB and 10 kB", system.name()));
            }
            Some((small, large)) => finding.add_untested(
                Some(large > 2.0 * small),
                format!(
                    "{}: smallest to largest repetition {} ms, at 1 kB or less {} ms",
                    system.name(),
                    three_significant(large / 1e3),
                    three_significant(small / 1e3)
                ),
            ),
        }
    }
    finding.build(
        "At 10 kB of payload latency varies a lot.",
        "largest less smallest repetition is more than twice that at the largest payload up to \
         1 kB; this figure has no interval",
    )
}

fn large_order(study: &StudyCells<'_>) -> FindingDraft {
    let mut finding = FindingBuilder::new();
    let pair = study.pairs(SweptValue::Payload).into_iter().rfind(|(payload, ..)| *payload >= 1e4);
    let compared = pair.and_then(|(_, kafka, sql)| {
        difference(&kafka.values(MEAN_DELIVERY), &sql.values(MEAN_DELIVERY), MEAN_DELIVERY.domain())
    });
    match pair.zip(compared) {
        None => finding.add_missing("both systems at 10 kB"),
        Some(((_, kafka, sql), difference)) => finding.add_difference(
            Some(difference),
            DifferenceVerdict::Lower,
            format!(
                "{}; {}",
                format_estimate("Kafka", kafka, MEAN_DELIVERY),
                format_estimate("MariaDB", sql, MEAN_DELIVERY)
            ),
        ),
    }
    finding.build(
        "At 10 kB of payload the SQL database is quicker than the streaming platform.",
        "a difference of the means is seen (Welch's test)",
    )
}
