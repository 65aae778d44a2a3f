//! Metrics of the hub's host during a load and the health that they show, extended by what is new: their cost
//! does not grow with the load.

use crate::{
    clock::Micros,
    engine::judge::{
        host_health::HostHealth,
        host_metrics::{self, CpuTimeSeries},
        host_spec::HostSpec,
    },
    hub::host::HostCounters,
    measure::HostMetrics,
};

/// Time after which metrics no longer change: the servers' counters, from which a second's load of other
/// processes is computed, arrive up to a second or two later than the host's.
const SETTLING_MICROS: i64 = 5_000_000;

/// Readings of the host, and of the servers' processor time.
pub type HostReadings = (Vec<(Micros, HostCounters)>, Vec<CpuTimeSeries>);

/// How far the metrics of a load are settled.
#[derive(Debug)]
pub struct HostSeries {
    /// Start of the metrics, from which their seconds count.
    origin: Micros,
    /// Number of metrics that no longer change.
    settled: usize,
    /// Time of the reading at the end of the last settled metrics.
    settled_until: Micros,
    /// Health over the settled metrics.
    settled_health: HostHealth,
    /// Health over all metrics.
    health: HostHealth,
}

impl HostSeries {
    /// A series of the host `spec` whose metrics begin at `origin`.
    pub fn new(origin: Micros, spec: &HostSpec) -> Self {
        let health = HostHealth::new(spec);
        let settled_health = health.clone();
        Self { origin, settled: 0, settled_until: origin, settled_health, health }
    }

    /// Health of the host over all metrics.
    pub const fn health(&self) -> &HostHealth {
        &self.health
    }

    /// Brings `metrics` up to date; `read` returns the readings since a time.
    pub fn extend(
        &mut self,
        metrics: &mut Vec<HostMetrics>,
        read: impl FnOnce(Micros) -> HostReadings,
    ) {
        let (readings, servers) = read(self.settled_until);
        metrics.truncate(self.settled);
        metrics.extend(host_metrics::host_metrics(&readings, &servers, self.origin));
        let Some((newest, _)) = readings.last() else { return };
        // The first of the readings is the end of the last settled metrics.
        let is_settled = |at: Micros| newest.since(at) >= SETTLING_MICROS;
        let settled: Vec<_> =
            readings.iter().skip(1).take_while(|(at, _)| is_settled(*at)).collect();
        if let Some((at, _)) = settled.last() {
            let before = self.settled;
            self.settled += settled.len();
            self.settled_until = *at;
            self.settled_health.extend(&metrics[before..self.settled]);
        }
        self.health = self.settled_health.clone();
        self.health.extend(&metrics[self.settled..]);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const SECOND: i64 = 1_000_000;

    /// A host of two cores, on which the load of others counts.
    fn spec() -> HostSpec {
        HostSpec { cores: Some(2.0), ..HostSpec::default() }
    }

    /// A host and a server whose readings are taken each second; those of the server arrive `late` seconds
    /// after those of the host.
    fn readings(from: Micros, until: i64, late: i64) -> HostReadings {
        let busy = |second: i64| Duration::from_millis((second * 700 + second % 7 * 90) as u64);
        let host = (0..=until)
            .map(|second| (Micros(second * SECOND), second))
            .filter(|(at, _)| *at >= from)
            .map(|(at, second)| {
                let counters = HostCounters { busy: Some(busy(second)), ..HostCounters::default() };
                (at, counters)
            });
        let early = from.0 - 3 * SECOND;
        let server = (0..=until - late)
            .map(|second| (Micros(second * SECOND - 400_000), busy(second) / 3))
            .filter(|(at, _)| at.0 >= early);
        (host.collect(), vec![server.collect()])
    }

    proptest! {
        #[test]
        fn metrics_that_were_extended_are_those_of_all_readings(
            steps in prop::collection::vec(1_i64..4, 1..60),
            late in 0_i64..3,
        ) {
            let (mut series, mut metrics) = (HostSeries::new(Micros(0), &spec()), Vec::new());
            let mut until = 0;
            for step in steps {
                until += step;
                series.extend(&mut metrics, |from| readings(from, until, late));
                let (host, servers) = readings(Micros(0), until, late);
                prop_assert_eq!(&metrics, &host_metrics::host_metrics(&host, &servers, Micros(0)));
                let whole = HostHealth::of(&metrics, &spec());
                prop_assert_eq!(series.health().problems(), whole.problems());
            }
        }
    }

    #[test]
    fn an_hour_of_metrics_is_extended_from_the_last_seconds_alone() {
        let (mut series, mut metrics) = (HostSeries::new(Micros(0), &spec()), Vec::new());
        let mut most = 0;
        for until in 1..=3_600 {
            series.extend(&mut metrics, |from| {
                let read = readings(from, until, 1);
                most = most.max(read.0.len());
                read
            });
        }
        assert_eq!(metrics.len(), 3_600);
        assert!(most <= 8, "{most} readings were computed anew");
    }
}
