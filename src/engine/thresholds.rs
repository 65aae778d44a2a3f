//! Limits on the results of a repetition, as thresholds and as objectives of a search. Pure.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    event::Alarm,
    measure::{Durations, Ledger, Spread, Vitals},
    plan::{LOST, THROTTLED, Threshold},
    record::Resources,
    units::human_duration,
};

/// What limits are put to.
#[derive(Debug)]
pub struct Outcome<'a> {
    /// The four durations.
    pub durations: &'a Durations<Spread>,
    /// The ledger after the drain.
    pub ledger: &'a Ledger,
    /// Each server's resources.
    pub resources: &'a BTreeMap<String, Resources>,
    /// The hub, each second.
    pub hub: &'a [Vitals],
}

/// Keeps `alarms` up to date with what is measured after `seconds` of a load. What is lost, and for
/// how long a server was throttled, is known only when it is over: a threshold on them is not
/// decided here.
pub fn alarm(
    alarms: &mut Vec<Alarm>,
    thresholds: &[Threshold],
    durations: &Durations<Spread>,
    seconds: f64,
) {
    for Threshold { metric, at_most } in thresholds {
        let value = duration(metric, durations);
        let crossed = value.is_some_and(|value| value > *at_most);
        match alarms.iter_mut().find(|alarm| alarm.metric == *metric) {
            Some(alarm) => alarm.value = value,
            None if crossed => alarms.push(Alarm {
                metric: metric.clone(),
                at_most: *at_most,
                value,
                since: seconds,
            }),
            None => {}
        }
    }
}

/// The thresholds that a repetition crossed, each in words.
pub fn crossed(thresholds: &[Threshold], outcome: &Outcome<'_>) -> Vec<String> {
    let crossing = |Threshold { metric, at_most }: &Threshold| {
        let (value, unknown) = match metric.as_str() {
            LOST => (Some(outcome.ledger.lost as f64), ""),
            THROTTLED => {
                let time = throttled(outcome.resources, outcome.hub);
                (time.map(micros), "nothing on this hub counts it")
            }
            metric => (duration(metric, outcome.durations), "too few samples"),
        };
        let written = |value: f64| {
            if metric == LOST { format!("{value:.0}") } else { in_words(value) }
        };
        match value {
            Some(value) if value > *at_most => {
                Some(format!("{metric} is {}, above {}", written(value), written(*at_most)))
            }
            Some(_) => None,
            None => Some(format!("{metric} could not be decided: {unknown}")),
        }
    };
    thresholds.iter().filter_map(crossing).collect()
}

/// Microseconds as people read them.
fn in_words(micros: f64) -> String {
    let time = Duration::try_from_secs_f64(micros / 1e6).unwrap_or(Duration::MAX);
    human_duration(time)
}

fn micros(time: Duration) -> f64 {
    time.as_micros() as f64
}

/// For how long something kept the servers from a processor that they could have used: the longest
/// time for which one of them was held back by its limit on CPU, over its threads together, or the
/// seconds in which the hub's firmware had lowered its clock. `None` when neither is counted, or a
/// server's counter is missing.
fn throttled(resources: &BTreeMap<String, Resources>, hub: &[Vitals]) -> Option<Duration> {
    let counted = |one: &Resources| {
        let (before, after) = (one.before?.throttled?, one.after?.throttled?);
        // A counter that went back belongs to a server that was started anew.
        Some(after.checked_sub(before).unwrap_or(after))
    };
    let servers: Option<Vec<Duration>> = resources.values().map(counted).collect();
    let servers = servers?.into_iter().max()?;
    let slow = hub.iter().filter(|second| second.held_back() == Some(true)).count();
    Some(servers.max(Duration::from_secs(slow as u64)))
}

fn duration(metric: &str, durations: &Durations<Spread>) -> Option<f64> {
    let (kind, figure) = metric.split_once('.')?;
    let spread = match kind {
        "lag" => &durations.lag,
        "ack" => &durations.ack,
        "delivery" => &durations.delivery,
        "response" => &durations.response,
        _ => return None,
    };
    match figure {
        "mean" => spread.mean,
        "p50" => spread.p50,
        "p90" => spread.p90,
        "p99" => spread.p99,
        "p999" => spread.p999,
        "max" => spread.max,
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::Reading;

    fn limit(metric: &str, at_most: f64) -> [Threshold; 1] {
        [Threshold { metric: metric.into(), at_most }]
    }

    fn judged(
        threshold: &[Threshold],
        resources: &BTreeMap<String, Resources>,
        hub: &[Vitals],
    ) -> Vec<String> {
        let durations = Durations {
            delivery: Spread { p99: Some(20_000.0), ..Spread::default() },
            ..Durations::default()
        };
        let ledger = Ledger::default();
        crossed(threshold, &Outcome { durations: &durations, ledger: &ledger, resources, hub })
    }

    #[test]
    fn a_threshold_is_crossed_above_it_and_never_silently_undecided() {
        let crossed = |threshold: &[Threshold]| judged(threshold, &BTreeMap::new(), &[]);
        assert!(crossed(&limit("delivery.p99", 20_000.0)).is_empty());
        assert_eq!(crossed(&limit("delivery.p99", 19_999.0)).len(), 1);
        assert!(crossed(&limit("ack.p99", 5.0))[0].contains("too few samples"));
        assert!(crossed(&limit(LOST, 0.0)).is_empty());
        assert!(crossed(&limit(THROTTLED, 0.0))[0].contains("nothing on this hub counts it"));
    }

    #[test]
    fn a_server_held_back_by_its_limit_or_by_the_hub_s_firmware_is_throttled() {
        let reading =
            |time: Option<Duration>| Some(Reading { throttled: time, ..Reading::default() });
        let server = |from: u64, to: u64| Resources {
            before: reading(Some(Duration::from_millis(from))),
            after: reading(Some(Duration::from_millis(to))),
            ..Resources::default()
        };
        let both = |one, other| {
            BTreeMap::from([("broker".to_owned(), one), ("zookeeper".to_owned(), other)])
        };
        let hub = |bits: &[u32]| -> Vec<Vitals> {
            let line = |&bits| Vitals { throttle_bits: Some(bits), ..Vitals::default() };
            bits.iter().map(line).collect()
        };
        let free = both(server(5, 5), server(0, 0));
        assert!(judged(&limit(THROTTLED, 0.0), &free, &hub(&[0, 0])).is_empty());
        let held = both(server(5, 5), server(100, 350));
        assert_eq!(judged(&limit(THROTTLED, 0.0), &held, &[]), ["throttled is 250 ms, above 0 s"]);
        assert!(judged(&limit(THROTTLED, 250_000.0), &held, &[]).is_empty());
        // Bit 2 is the firmware's "throttled"; it outweighs what the server's limit did.
        assert_eq!(
            judged(&limit(THROTTLED, 0.0), &held, &hub(&[0, 4, 4])),
            ["throttled is 2 s, above 0 s"]
        );
        let started_anew = both(server(5, 5), server(900, 40));
        assert!(judged(&limit(THROTTLED, 40_000.0), &started_anew, &[]).is_empty());
        assert_eq!(judged(&limit(THROTTLED, 39_999.0), &started_anew, &[]).len(), 1);
        let uncounted = both(server(5, 5), Resources { after: reading(None), ..server(0, 0) });
        assert!(
            judged(&limit(THROTTLED, 0.0), &uncounted, &[])[0].contains("could not be decided")
        );
    }
}
