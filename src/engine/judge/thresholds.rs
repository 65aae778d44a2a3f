//! Thresholds on the results of a repetition, also as objectives of a capacity search. Pure.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    event::ThresholdAlarm,
    format,
    measure::{Durations, HostMetrics, LatencySummary, Ledger},
    plan::{LOST, THROTTLED, Threshold, UNDELIVERED},
    record::Resources,
    stats::distribution::Distribution,
    units::human_duration,
};

/// Results that thresholds are checked against.
#[derive(Debug)]
pub struct ThresholdInputs<'a> {
    /// The four durations.
    pub durations: &'a Durations<Distribution>,
    /// Number of messages of the measured load that should have each duration; `None` for a duration that
    /// the workload does not measure.
    pub expected: Durations<Option<u64>>,
    /// The ledger after the drain.
    pub ledger: &'a Ledger,
    /// Each server's resources.
    pub resources: &'a BTreeMap<String, Resources>,
    /// Metrics of the hub's host, each second.
    pub hub: &'a [HostMetrics],
}

/// Updates `alarms` with the durations measured after `seconds` of a load. Undelivered messages and
/// throttled time are known only after the load: thresholds on them are not decided here, and latencies are
/// those of the messages so far.
pub fn update_alarms(
    alarms: &mut Vec<ThresholdAlarm>,
    thresholds: &[Threshold],
    durations: &Durations<LatencySummary>,
    seconds: f64,
) {
    for Threshold { metric, at_most } in thresholds {
        let value = latency_figure(metric, durations);
        let crossed = value.is_some_and(|value| value > *at_most);
        match alarms.iter_mut().find(|alarm| alarm.metric == *metric) {
            Some(alarm) => alarm.value = value,
            None if crossed => alarms.push(ThresholdAlarm {
                metric: metric.clone(),
                at_most: *at_most,
                value,
                since: seconds,
            }),
            None => {}
        }
    }
}

/// Returns a description of each threshold that was crossed or could not be decided.
pub fn crossed_thresholds(thresholds: &[Threshold], inputs: &ThresholdInputs<'_>) -> Vec<String> {
    thresholds.iter().filter_map(|threshold| crossing(threshold, inputs)).collect()
}

/// Describes how `threshold` was crossed or why it could not be decided; `None` if it held.
fn crossing(
    Threshold { metric, at_most }: &Threshold,
    inputs: &ThresholdInputs<'_>,
) -> Option<String> {
    let ledger = inputs.ledger;
    let counted = |number: u64, parts: String| {
        let above = number as f64 > *at_most;
        above.then(|| format!("{metric} is {number}, above {at_most:.0}{parts}"))
    };
    let (value, unknown) = match metric.as_str() {
        LOST => return counted(ledger.lost, String::new()),
        UNDELIVERED => {
            let Ledger { lost, failed, unsent, .. } = ledger;
            let parts = format!(" (lost {lost}, failed {failed}, unsent {unsent})");
            return counted(ledger.undelivered(), parts);
        }
        THROTTLED => {
            let time = throttled_time(inputs.resources, inputs.hub);
            (time.map(micros), "this hub does not count it".to_owned())
        }
        metric => match complete_figure(metric, inputs) {
            Some((Some(value), missing)) if value.is_infinite() => {
                let limit = format_micros(*at_most);
                return Some(format!("{metric} is above {limit}, and any limit: {missing}"));
            }
            figure => (figure.and_then(|(value, _)| value), "too few samples".to_owned()),
        },
    };
    match value {
        Some(value) if value > *at_most => {
            Some(format!("{metric} is {}, above {}", format_micros(value), format_micros(*at_most)))
        }
        Some(_) => None,
        None => Some(format!("{metric} could not be decided: {unknown}")),
    }
}

/// Returns a figure of one duration over all messages that should have it, and a description of those that
/// do not: each counts as above any limit, so that a server which refuses messages is not quick. The figure
/// is infinite where they decide it, and `None` with too few samples for the percentile.
///
/// Returns `None` for a duration that the workload does not measure.
fn complete_figure(metric: &str, inputs: &ThresholdInputs<'_>) -> Option<(Option<f64>, String)> {
    let (kind, figure) = metric.split_once('.')?;
    let Durations { lag, ack, delivery, response } = inputs.durations;
    let (samples, expected, outcome) = match kind {
        "lag" => (lag, inputs.expected.lag, "sent"),
        "ack" => (ack, inputs.expected.ack, "acknowledged"),
        "delivery" => (delivery, inputs.expected.delivery, "delivered"),
        "response" => (response, inputs.expected.response, "delivered"),
        _ => return None,
    };
    let expected = expected?;
    let missing = expected.saturating_sub(samples.count());
    let unless_missing = |value: Option<f64>| if missing > 0 { Some(f64::INFINITY) } else { value };
    let percentile = |quantile: f64| samples.percentile_with_missing(quantile, missing);
    let value = match figure {
        "mean" => unless_missing(samples.mean()),
        "p50" => percentile(0.5),
        "p90" => percentile(0.9),
        "p95" => percentile(0.95),
        "p99" => percentile(0.99),
        "p999" => percentile(0.999),
        "max" => unless_missing(samples.max()),
        _ => return None,
    };
    let share = format!(
        "{} of {} measured messages were not {outcome}",
        format::count(missing),
        format::count(expected)
    );
    Some((value, share))
}

/// Formats microseconds as a duration.
fn format_micros(micros: f64) -> String {
    let time = Duration::try_from_secs_f64(micros / 1e6).unwrap_or(Duration::MAX);
    human_duration(time)
}

fn micros(time: Duration) -> f64 {
    time.as_micros() as f64
}

/// Time for which the servers were throttled: the longest time for which a CPU limit held one of them
/// back, summed over its threads, or the number of seconds in which the hub's firmware had lowered its
/// clock, whichever is longer. `None` if neither is counted, or a server's counter is missing.
fn throttled_time(
    resources: &BTreeMap<String, Resources>,
    hub: &[HostMetrics],
) -> Option<Duration> {
    let counted = |one: &Resources| {
        let (before, after) = (one.before?.throttled?, one.after?.throttled?);
        // A counter that decreased belongs to a restarted server.
        Some(after.checked_sub(before).unwrap_or(after))
    };
    let servers: Option<Vec<Duration>> = resources.values().map(counted).collect();
    let servers = servers?.into_iter().max()?;
    let slow = hub.iter().filter(|second| second.is_throttled() == Some(true)).count();
    Some(servers.max(Duration::from_secs(slow as u64)))
}

fn latency_figure(metric: &str, durations: &Durations<LatencySummary>) -> Option<f64> {
    let (kind, figure) = metric.split_once('.')?;
    let summary = match kind {
        "lag" => &durations.lag,
        "ack" => &durations.ack,
        "delivery" => &durations.delivery,
        "response" => &durations.response,
        _ => return None,
    };
    match figure {
        "mean" => summary.mean,
        "p50" => summary.p50,
        "p90" => summary.p90,
        "p95" => summary.p95,
        "p99" => summary.p99,
        "p999" => summary.p999,
        "max" => summary.max,
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{profile::keys::METRICS, server::ServerReading};

    fn threshold(metric: &str, at_most: f64) -> [Threshold; 1] {
        [Threshold { metric: metric.into(), at_most }]
    }

    fn crossings(
        threshold: &[Threshold],
        resources: &BTreeMap<String, Resources>,
        hub: &[HostMetrics],
    ) -> Vec<String> {
        let mut delivery = Distribution::default();
        (0..1_000).for_each(|_| delivery.record(20_000));
        let durations = Durations { delivery, ..Durations::default() };
        let expected = Durations { delivery: Some(1_000), ack: Some(0), ..Durations::default() };
        let ledger = Ledger::default();
        crossed_thresholds(
            threshold,
            &ThresholdInputs { durations: &durations, expected, ledger: &ledger, resources, hub },
        )
    }

    /// Crossings of a limit of 20 ms with 700 quick messages, and 300 that were never delivered.
    fn crossings_with_refusals(threshold: &[Threshold]) -> Vec<String> {
        let mut quick = Distribution::default();
        (0..700).for_each(|_| quick.record(1_000));
        let durations = Durations {
            lag: quick.clone(),
            ack: quick.clone(),
            delivery: quick.clone(),
            response: quick,
        };
        let all = Some(1_000);
        let expected = Durations { lag: all, ack: all, delivery: all, response: all };
        let ledger =
            Ledger { planned: 1_000, sent: 900, unsent: 100, failed: 200, ..Ledger::default() };
        let (resources, hub) = (BTreeMap::new(), &[]);
        let inputs = ThresholdInputs {
            durations: &durations,
            expected,
            ledger: &ledger,
            resources: &resources,
            hub,
        };
        crossed_thresholds(threshold, &inputs)
    }

    #[test]
    fn messages_that_were_refused_or_never_sent_are_undelivered() {
        assert_eq!(crossings_with_refusals(&threshold(LOST, 0.0)), [""; 0], "none is lost");
        assert_eq!(
            crossings_with_refusals(&threshold(UNDELIVERED, 299.0)),
            ["undelivered is 300, above 299 (lost 0, failed 200, unsent 100)"]
        );
        assert_eq!(crossings_with_refusals(&threshold(UNDELIVERED, 300.0)), [""; 0]);
    }

    #[test]
    fn a_latency_counts_undelivered_messages_as_above_any_limit() {
        let crossed = |metric: &str| crossings_with_refusals(&threshold(metric, 20_000.0));
        // Three of ten messages are missing: the median is known, and the ninth decile is not.
        assert_eq!(crossed("delivery.p50"), [""; 0]);
        for kind in ["lag", "ack", "delivery", "response"] {
            for figure in ["mean", "p90", "p95", "p99", "p999", "max"] {
                let crossed = crossed(&format!("{kind}.{figure}"));
                assert!(
                    crossed[0].contains("above 20 ms, and any limit: 300 of 1,000 measured"),
                    "{kind}.{figure}: {crossed:?}"
                );
            }
        }
    }

    #[test]
    fn every_duration_that_a_profile_may_name_is_decided_in_the_load_and_after_it() {
        let mut all = Distribution::default();
        (0..20_000).for_each(|_| all.record(20_000));
        let durations =
            Durations { lag: all.clone(), ack: all.clone(), delivery: all.clone(), response: all };
        let expected = Some(20_000);
        let (resources, ledger) = (BTreeMap::new(), Ledger::default());
        let inputs = ThresholdInputs {
            durations: &durations,
            expected: Durations {
                lag: expected,
                ack: expected,
                delivery: expected,
                response: expected,
            },
            ledger: &ledger,
            resources: &resources,
            hub: &[],
        };
        let summary = durations.delivery.summary();
        let summaries =
            Durations { lag: summary, ack: summary, delivery: summary, response: summary };
        for metric in METRICS.into_iter().filter(|metric| *metric != THROTTLED) {
            let (held, crossed) = (threshold(metric, 30_000.0), threshold(metric, 10_000.0));
            assert_eq!(crossed_thresholds(&held, &inputs), [""; 0]);
            let found = crossed_thresholds(&crossed, &inputs);
            assert!(found[0].contains("is 20 ms, above 10 ms"), "{found:?}");
            let mut alarms = Vec::new();
            update_alarms(&mut alarms, &crossed, &summaries, 1.0);
            assert_eq!(alarms.len(), 1, "{metric} in the load");
        }
    }

    #[test]
    fn a_threshold_is_crossed_above_it_and_never_silently_undecided() {
        let crossed = |threshold: &[Threshold]| crossings(threshold, &BTreeMap::new(), &[]);
        assert!(crossed(&threshold("delivery.p99", 20_000.0)).is_empty());
        assert_eq!(crossed(&threshold("delivery.p99", 19_999.0)).len(), 1);
        assert!(crossed(&threshold("ack.p99", 5.0))[0].contains("too few samples"));
        assert!(crossed(&threshold(LOST, 0.0)).is_empty());
        assert!(crossed(&threshold(THROTTLED, 0.0))[0].contains("this hub does not count it"));
    }

    #[test]
    fn a_server_held_back_by_its_limit_or_by_the_hub_s_firmware_is_throttled() {
        let reading = |time: Option<Duration>| {
            Some(ServerReading { throttled: time, ..ServerReading::default() })
        };
        let server = |from: u64, to: u64| Resources {
            before: reading(Some(Duration::from_millis(from))),
            after: reading(Some(Duration::from_millis(to))),
            ..Resources::default()
        };
        let both = |one, other| {
            BTreeMap::from([("broker".to_owned(), one), ("zookeeper".to_owned(), other)])
        };
        let hub = |bits: &[u32]| -> Vec<HostMetrics> {
            let line = |&bits| HostMetrics { throttle_bits: Some(bits), ..HostMetrics::default() };
            bits.iter().map(line).collect()
        };
        let free = both(server(5, 5), server(0, 0));
        assert!(crossings(&threshold(THROTTLED, 0.0), &free, &hub(&[0, 0])).is_empty());
        let held = both(server(5, 5), server(100, 350));
        assert_eq!(
            crossings(&threshold(THROTTLED, 0.0), &held, &[]),
            ["throttled is 250 ms, above 0 s"]
        );
        assert!(crossings(&threshold(THROTTLED, 250_000.0), &held, &[]).is_empty());
        // Bit 2 is the firmware's "throttled"; its time exceeds that of the server's limit.
        assert_eq!(
            crossings(&threshold(THROTTLED, 0.0), &held, &hub(&[0, 4, 4])),
            ["throttled is 2 s, above 0 s"]
        );
        let started_anew = both(server(5, 5), server(900, 40));
        assert!(crossings(&threshold(THROTTLED, 40_000.0), &started_anew, &[]).is_empty());
        assert_eq!(crossings(&threshold(THROTTLED, 39_999.0), &started_anew, &[]).len(), 1);
        let uncounted = both(server(5, 5), Resources { after: reading(None), ..server(0, 0) });
        assert!(
            crossings(&threshold(THROTTLED, 0.0), &uncounted, &[])[0]
                .contains("could not be decided")
        );
    }
}
