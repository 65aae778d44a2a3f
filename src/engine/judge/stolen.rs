//! Stolen time: processor time of a virtual machine that its host gave to others. Pure.

use super::spans::Spans;
use crate::measure::{GeneratorHealth, HostMetrics, Reason};

/// Mean share of the processor time that may be stolen: one message of a hundred meets it, the 99th
/// percentile.
const MAX_MEAN_SHARE: f64 = 0.01;
/// Share of one second that may be stolen.
const MAX_SECOND_SHARE: f64 = 0.1;

/// Describes how much of its time a machine lost, on average and in its worst second.
pub fn describe_shares(mean: f64, peak: f64) -> String {
    // A whole per cent would show the smaller peaks that explain a lag as 0.
    let digits = usize::from(peak < 0.1);
    format!(
        "{:.1} % of its processor time to others, {:.digits$} % in one second",
        mean * 100.0,
        peak * 100.0
    )
}

/// Returns a reason if the client's machine lost too much of its time.
pub fn client_problem(generator: &GeneratorHealth) -> Option<Reason> {
    let mean = generator.stolen?;
    let peak = generator.stolen_peak.unwrap_or(mean);
    (mean > MAX_MEAN_SHARE || peak > MAX_SECOND_SHARE).then(|| Reason {
        code: "client-stolen".into(),
        text: format!("the host of this machine gave {}", describe_shares(mean, peak)),
    })
}

/// Stolen time of a hub over the seconds added so far.
#[derive(Debug, Clone, Default)]
pub struct HubStolen {
    /// Sum of the shares, and number of seconds that have one.
    sum: f64,
    count: u64,
    /// Largest share of a second.
    peak: f64,
    /// Seconds with more than [`MAX_MEAN_SHARE`].
    worst: Spans,
}

impl HubStolen {
    /// Adds a second of a hub with `cores` cores, after all others.
    pub fn add(&mut self, one: &HostMetrics, cores: Option<f64>) {
        let Some(cores) = cores.filter(|cores| *cores > 0.0) else { return };
        let Some(share) = one.stolen_cores.map(|stolen| stolen / cores) else { return };
        self.sum += share;
        self.count += 1;
        self.peak = self.peak.max(share);
        if share > MAX_MEAN_SHARE {
            self.worst.add(one.seconds);
        }
    }

    /// Returns a reason if the hub lost too much of its time, with the worst seconds.
    pub fn problem(&self) -> Option<Reason> {
        let mean = self.sum / self.count.max(1) as f64;
        (mean > MAX_MEAN_SHARE || self.peak > MAX_SECOND_SHARE).then(|| Reason {
            code: "hub-stolen".into(),
            text: format!(
                "the hub's own host gave {}, {}",
                describe_shares(mean, self.peak),
                self.worst.describe()
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stolen_time_of_the_client_is_a_reason_of_its_own() {
        let stolen = |mean, peak| {
            client_problem(&GeneratorHealth {
                stolen: Some(mean),
                stolen_peak: Some(peak),
                ..GeneratorHealth::default()
            })
        };
        assert_eq!(stolen(0.004, 0.03), None);
        assert_eq!(stolen(0.02, 0.03).unwrap().code, "client-stolen");
        assert!(stolen(0.004, 0.25).unwrap().text.contains("25 % in one second"));
        assert_eq!(client_problem(&GeneratorHealth::default()), None);
    }

    #[test]
    fn stolen_time_of_the_hub_is_a_reason_with_its_seconds() {
        let metrics = |stolen: fn(u32) -> Option<f64>| {
            (1..=20)
                .map(|second| HostMetrics {
                    seconds: f64::from(second),
                    stolen_cores: stolen(second),
                    ..HostMetrics::default()
                })
                .collect::<Vec<_>>()
        };
        let problem = |metrics: &[HostMetrics]| {
            let mut hub = HubStolen::default();
            for one in metrics {
                hub.add(one, Some(2.0));
            }
            hub.problem()
        };
        assert_eq!(problem(&metrics(|_| Some(0.01))), None);
        assert_eq!(problem(&metrics(|_| None)), None);
        let some = metrics(|second| Some(if (7..=9).contains(&second) { 0.5 } else { 0.0 }));
        let found = problem(&some).unwrap();
        assert_eq!(found.code, "hub-stolen");
        assert!(found.text.contains("25 % in one second, at second 7–9"), "{found:?}");
    }
}
