//! Collects counters of the hub's host during a run.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{task::JoinHandle, time::timeout};

use super::{host_series::HostSeries, sampler::Sampler};
use crate::{
    clock::{Clock, Micros},
    engine::judge::{host_metrics, host_spec::HostSpec},
    hub::host::{HostCounters, HostReader, HostSample},
    measure::HostMetrics,
    units::Bytes,
};

/// Longest wait for the host's reader to shut down.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(15);

/// Stores the samples of the hub's host; dropping the monitor stops the collection.
pub struct HostMonitor {
    samples: Arc<Mutex<Vec<HostSample>>>,
    receive_task: JoinHandle<()>,
    reader_task: JoinHandle<()>,
}

impl Drop for HostMonitor {
    fn drop(&mut self) {
        self.receive_task.abort();
    }
}

impl HostMonitor {
    /// Starts to collect the samples of `reader`.
    pub fn start(reader: HostReader) -> Self {
        let HostReader { facts: _, samples: mut incoming, finished: reader_task } = reader;
        let samples = Arc::<Mutex<Vec<HostSample>>>::default();
        let received = Arc::clone(&samples);
        let receive_task = tokio::spawn(async move {
            while let Some(sample) = incoming.recv().await {
                received.lock().push(sample);
            }
        });
        Self { samples, receive_task, reader_task }
    }

    /// Discards all samples but the latest, at the start of a repetition.
    pub fn discard_history(&self) {
        let mut samples = self.samples.lock();
        let count = samples.len();
        samples.drain(..count.saturating_sub(1));
    }

    /// Returns the latest counters.
    pub fn latest(&self) -> Option<HostCounters> {
        self.samples.lock().last().map(|sample| sample.counters)
    }

    /// Returns the samples since `from`, with their times on `clock`.
    fn samples_since(&self, clock: Clock, from: Micros) -> Vec<(Micros, HostCounters)> {
        let timed = |sample: &HostSample| (clock.from_instant(sample.at), sample.counters);
        let samples = self.samples.lock();
        let first = samples.partition_point(|sample| clock.from_instant(sample.at) < from);
        samples[first..].iter().map(timed).collect()
    }

    /// Returns the bytes written by the disk under the servers' data until `at`: interpolated between two
    /// samples, or of the nearest one.
    fn disk_written_at(&self, clock: Clock, at: Micros) -> Option<f64> {
        let samples = self.samples.lock();
        let timed = |sample: &HostSample| {
            Some((clock.from_instant(sample.at), sample.counters.disk_written?.0 as f64))
        };
        let read: Vec<(Micros, f64)> = samples.iter().filter_map(timed).collect();
        let after = read.iter().position(|(time, _)| *time >= at);
        let Some(after) = after else { return Some(read.last()?.1) };
        let (end, high) = read[after];
        let Some(&(start, low)) = after.checked_sub(1).and_then(|before| read.get(before)) else {
            return Some(high);
        };
        let span = end.since(start) as f64;
        if span <= 0.0 {
            return Some(high);
        }
        Some(low + (high - low) * at.since(start) as f64 / span)
    }

    /// Stops the collection and waits until the reader has removed what it started.
    pub async fn shutdown(mut self) {
        self.receive_task.abort();
        let reader_task = std::mem::replace(&mut self.reader_task, tokio::spawn(async {}));
        drop(self);
        let _ = timeout(SHUTDOWN_TIMEOUT, reader_task).await;
    }
}

/// The hub's host as a repetition uses it: its monitor and its specification.
#[derive(Clone, Copy)]
pub struct MonitoredHost<'a> {
    /// The monitor; `None` where the host cannot be read.
    pub monitor: Option<&'a HostMonitor>,
    /// Cores, memory and limits of the host.
    pub spec: &'a HostSpec,
}

impl MonitoredHost<'_> {
    /// Brings `metrics`, the metrics of `series`, up to date.
    pub fn extend_metrics(
        &self,
        clock: Clock,
        sampler: &Sampler,
        series: &mut HostSeries,
        metrics: &mut Vec<HostMetrics>,
    ) {
        let Some(monitor) = self.monitor else { return };
        series.extend(metrics, |from| (monitor.samples_since(clock, from), sampler.cpu_time(from)));
    }

    /// Returns the bytes that all processes of the hub wrote to the disk under the servers' data between
    /// two times.
    pub fn disk_written_between(&self, clock: Clock, from: Micros, to: Micros) -> Option<Bytes> {
        let at = |time| self.monitor?.disk_written_at(clock, time);
        // A counter that decreased belongs to a hub that was restarted.
        let written = at(to)? - at(from)?;
        (written >= 0.0).then_some(Bytes(written as u64))
    }

    /// Returns the host's metrics for each second from `from` to `to`; seconds count from `from`.
    pub fn metrics_between(
        &self,
        clock: Clock,
        sampler: &Sampler,
        from: Micros,
        to: Micros,
    ) -> Vec<HostMetrics> {
        let Some(monitor) = self.monitor else { return Vec::new() };
        let mut readings = monitor.samples_since(clock, from);
        readings.retain(|(at, _)| *at <= to);
        host_metrics::host_metrics(&readings, &sampler.cpu_time(from), from)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tokio::sync::mpsc;

    use super::*;
    use crate::server::HubFacts;

    #[tokio::test]
    async fn the_disk_s_own_counter_covers_the_load() {
        let (sender, samples) = mpsc::channel(8);
        let finished = tokio::spawn(async {});
        let monitor =
            HostMonitor::start(HostReader { facts: HubFacts::default(), samples, finished });
        let clock = Clock::start();
        // In the past, as samples are.
        let origin = Instant::now().checked_sub(Duration::from_secs(20)).unwrap();
        let zero = clock.from_instant(origin);
        for (second, megabytes) in [(1, 1), (2, 2), (4, 6)] {
            let written = Some(Bytes(megabytes * 1_000_000));
            let counters = HostCounters { disk_written: written, ..HostCounters::default() };
            let at = origin + Duration::from_secs(second);
            sender.send(HostSample { at, counters }).await.unwrap();
        }
        while monitor.latest().and_then(|one| one.disk_written) != Some(Bytes(6_000_000)) {
            tokio::task::yield_now().await;
        }
        let spec = HostSpec::default();
        let host = MonitoredHost { monitor: Some(&monitor), spec: &spec };
        let kilobytes_between = |from: f64, to: f64| {
            let at = |second: f64| zero.after(Duration::from_secs_f64(second));
            let written = host.disk_written_between(clock, at(from), at(to)).unwrap();
            // Times are converted to within a few microseconds.
            (written.0 + 5_000) / 10_000 * 10
        };
        assert_eq!(kilobytes_between(1.5, 3.0), 2_500);
        assert_eq!(kilobytes_between(0.0, 9.0), 5_000, "from the first to the last reading");
        let unread = MonitoredHost { monitor: None, spec: &spec };
        assert_eq!(unread.disk_written_between(clock, zero, zero), None);
    }
}
