//! Sampler: turns the servers' resource counters into rates and summaries during a repetition.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    clock::{Clock, Micros},
    engine::judge::host_metrics::CpuTimeSeries,
    hub::{Hub, TimedReading},
    measure::ResourceSample,
    record::{BlockUse, CpuUse, MemoryUse, NetworkUse, Resources},
    server::{BlockSource, RunningServer, ServerReading},
    stats::rate::per_second,
    units::Bytes,
};

/// Samples the resources of all servers of a repetition until dropped.
pub struct Sampler(Arc<ServerSampling>);

/// The sampling of each server, which planned faults suspend and resume.
pub struct ServerSampling {
    hub: Arc<dyn Hub>,
    clock: Clock,
    readings: Mutex<BTreeMap<String, ServerReadings>>,
    tasks: Mutex<BTreeMap<String, JoinHandle<()>>>,
    ended: watch::Sender<bool>,
}

/// The readings of one server.
#[derive(Debug, Default, Clone)]
struct ServerReadings {
    readings: Vec<TimedReading>,
    source: Option<BlockSource>,
    /// Mean memory over the baseline.
    idle_memory: Option<Bytes>,
    /// Times of restarts: counters before and after a restart are not comparable.
    restarts: Vec<Micros>,
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.0.tasks.lock().values().for_each(JoinHandle::abort);
    }
}

impl ServerSampling {
    /// Starts to sample a server; [`Sampler::ended`] reports the end of its readings.
    fn sample_server(self: &Arc<Self>, server: &RunningServer) {
        let role = server.role.clone();
        let mut readings = self.hub.watch(server, self.clock);
        let sampling = Arc::clone(self);
        let task = tokio::spawn(async move {
            while let Some(sampled) = readings.recv().await {
                if let Some(entry) = sampling.readings.lock().get_mut(&role) {
                    entry.readings.push(sampled);
                }
            }
            sampling.ended.send_replace(true);
        });
        if let Some(previous) = self.tasks.lock().insert(server.role.clone(), task) {
            previous.abort();
        }
    }

    /// Stops sampling a server that a planned fault is about to end.
    pub fn suspend(&self, role: &str) {
        if let Some(task) = self.tasks.lock().remove(role) {
            task.abort();
        }
    }

    /// Resumes sampling a server that was restarted.
    pub fn resume(self: &Arc<Self>, server: &RunningServer) {
        if let Some(entry) = self.readings.lock().get_mut(&server.role) {
            entry.restarts.push(self.clock.now());
        }
        self.sample_server(server);
    }
}

impl Sampler {
    /// Starts to sample `servers`.
    pub fn start(hub: &Arc<dyn Hub>, servers: &[RunningServer], clock: Clock) -> Self {
        let sampling = Arc::new(ServerSampling {
            hub: Arc::clone(hub),
            clock,
            readings: Mutex::default(),
            tasks: Mutex::default(),
            ended: watch::Sender::new(false),
        });
        for server in servers {
            let entry = ServerReadings {
                source: Some(hub.block_source(server)),
                ..ServerReadings::default()
            };
            sampling.readings.lock().insert(server.role.clone(), entry);
            sampling.sample_server(server);
        }
        Self(sampling)
    }

    /// The sampling of each server.
    pub const fn sampling(&self) -> &Arc<ServerSampling> {
        &self.0
    }

    /// Resolves when the readings of a server end, as they do when the server exits.
    pub async fn ended(&self) {
        let mut ended = self.0.ended.subscribe();
        if ended.wait_for(|ended| *ended).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Ends the baseline that began at `from`, and stores each server's mean idle memory. `now` holds a
    /// reading of each server: a baseline shorter than the sampling interval has no other.
    pub fn end_baseline(&self, from: Micros, now: &BTreeMap<String, ServerReading>) {
        for (role, entry) in self.0.readings.lock().iter_mut() {
            let within = entry.readings.iter().filter(|sampled| sampled.at >= from);
            let last = now.get(role).and_then(|reading| reading.memory);
            let memory = within.filter_map(|sampled| sampled.reading.memory).chain(last);
            entry.idle_memory = mean(memory);
        }
    }

    /// Returns each server's latest rates, with seconds counted from `origin`.
    pub fn latest_rates(&self, origin: Micros) -> BTreeMap<String, ResourceSample> {
        self.0
            .readings
            .lock()
            .iter()
            .filter_map(|(role, entry)| {
                let (before, last) = entry.readings.last_chunk::<2>().map(|[a, b]| (a, b))?;
                Some((role.clone(), entry.rates(before, last, origin)))
            })
            .collect()
    }

    /// Returns each server's rates between `from` and `to`, with seconds counted from `origin`. A rate
    /// belongs to the time of its second reading.
    pub fn samples(
        &self,
        from: Micros,
        to: Micros,
        origin: Micros,
    ) -> BTreeMap<String, Vec<ResourceSample>> {
        let within = |pair: &&[TimedReading]| pair[1].at >= from && pair[1].at <= to;
        let rates = |entry: &ServerReadings| {
            let pairs = entry.readings.windows(2).filter(within);
            let pairs = pairs.filter(|pair| !entry.has_restart(pair[0].at, pair[1].at));
            pairs.map(|pair| entry.rates(&pair[0], &pair[1], origin)).collect()
        };
        self.0.readings.lock().iter().map(|(role, entry)| (role.clone(), rates(entry))).collect()
    }

    /// Returns the first reading of the server `role` from `at` on, with its time.
    pub fn first_reading_after(&self, role: &str, at: Micros) -> Option<(Micros, ServerReading)> {
        let readings = self.0.readings.lock();
        let reading = readings.get(role)?.readings.iter().find(|sampled| sampled.at >= at)?;
        Some((reading.at, reading.reading))
    }

    /// Returns the readings of each server's processor time, beginning before `from`.
    pub fn cpu_time(&self, from: Micros) -> Vec<CpuTimeSeries> {
        // Readings come once a second: three seconds earlier include one before `from`.
        let early = Micros(from.0.saturating_sub(3_000_000));
        let used = |entry: &ServerReadings| {
            let first = entry.readings.partition_point(|sampled| sampled.at < early);
            let readings = entry.readings[first..].iter();
            readings.filter_map(|sampled| Some((sampled.at, sampled.reading.cpu?))).collect()
        };
        self.0.readings.lock().values().map(used).collect()
    }

    /// Summarises the resources that the load took from the server `role`. `before` and `after` are
    /// readings at the start and the end of the load, `baseline_from` is the start of the baseline.
    pub fn resources(
        &self,
        role: &str,
        baseline_from: Micros,
        before: (Micros, Option<ServerReading>),
        after: (Micros, Option<ServerReading>),
    ) -> Resources {
        let entry = self.0.readings.lock().get(role).cloned().unwrap_or_default();
        entry.resources(baseline_from, before, after)
    }
}

impl ServerReadings {
    /// Whether the server was restarted between two times.
    fn has_restart(&self, from: Micros, to: Micros) -> bool {
        self.restarts.iter().any(|at| (from..=to).contains(at))
    }

    fn rates(&self, before: &TimedReading, last: &TimedReading, origin: Micros) -> ResourceSample {
        let seconds = last.at.since(before.at) as f64 / 1e6;
        let rate = |then: Option<Bytes>, now: Option<Bytes>| {
            let (then, now) = then.zip(now)?;
            // A counter that decreased belongs to a restarted server.
            per_second(now.0.checked_sub(then.0)? as f64, seconds)
        };
        let (a, b) = (&before.reading, &last.reading);
        ResourceSample {
            seconds: last.at.since(origin) as f64 / 1e6,
            cpu_cores: a
                .cpu
                .zip(b.cpu)
                .and_then(|(then, now)| per_second(now.checked_sub(then)?.as_secs_f64(), seconds)),
            memory: b.memory,
            memory_growth: growth(b.memory, self.idle_memory),
            resident: b.resident,
            cache: b.cache,
            block_read: rate(a.block_read, b.block_read),
            block_written: rate(a.block_written, b.block_written),
            block_source: self.source,
            network_received: rate(a.network_received, b.network_received),
            network_sent: rate(a.network_sent, b.network_sent),
        }
    }

    fn resources(
        &self,
        baseline_from: Micros,
        (start, before): (Micros, Option<ServerReading>),
        (end, after): (Micros, Option<ServerReading>),
    ) -> Resources {
        let seconds = end.since(start) as f64 / 1e6;
        let idle = self.idle_memory;
        let during: Vec<_> =
            self.readings.iter().filter(|s| s.at >= start && s.at <= end).collect();
        // The reading at the load's end is one of its samples: a load of less than a second may
        // have no other.
        let loaded = || during.iter().map(|s| s.reading).chain(after).filter_map(|r| r.memory);
        let mean = mean(loaded());
        // The counters of a restarted server begin at zero again: its totals are not known.
        let since = before.filter(|_| !self.has_restart(start, end));
        let core_seconds = difference(since, after, |r| r.cpu.map(|cpu| cpu.as_nanos() as u64))
            .map(|nanos| nanos as f64 / 1e9);
        let max_cpu = during
            .windows(2)
            .filter(|pair| !self.has_restart(pair[0].at, pair[1].at))
            .filter_map(|pair| self.rates(pair[0], pair[1], start).cpu_cores)
            .reduce(f64::max);
        let bytes = |field: fn(&ServerReading) -> Option<Bytes>| {
            difference(since, after, |reading| field(reading).map(|bytes| bytes.0)).map(Bytes)
        };
        Resources {
            cpu: CpuUse {
                mean: core_seconds.and_then(|used| per_second(used, seconds)),
                max: max_cpu,
                core_seconds,
            },
            memory: MemoryUse {
                idle,
                mean,
                max: loaded().max(),
                growth: growth(mean, idle),
                resident: after.and_then(|reading| reading.resident),
                cache: after.and_then(|reading| reading.cache),
            },
            block: BlockUse {
                read: bytes(|reading| reading.block_read),
                written: bytes(|reading| reading.block_written),
                source: self.source,
                data_growth: None,
                host_written: None,
            },
            network: NetworkUse {
                received: bytes(|reading| reading.network_received),
                sent: bytes(|reading| reading.network_sent),
            },
            idle_cpu_cores: self.idle_cpu(baseline_from, start),
            before,
            after,
        }
    }

    /// Cores in use over the samples between two times.
    fn idle_cpu(&self, from: Micros, to: Micros) -> Option<f64> {
        let mut within = self.readings.iter().filter(|s| s.at >= from && s.at <= to);
        let first = within.next()?;
        let last = within.next_back()?;
        self.rates(first, last, from).cpu_cores
    }
}

fn difference(
    before: Option<ServerReading>,
    after: Option<ServerReading>,
    field: impl Fn(&ServerReading) -> Option<u64>,
) -> Option<u64> {
    field(&after?)?.checked_sub(field(&before?)?)
}

fn growth(memory: Option<Bytes>, idle: Option<Bytes>) -> Option<i64> {
    let (memory, idle) = memory.zip(idle)?;
    Some(memory.0.cast_signed() - idle.0.cast_signed())
}

fn mean(values: impl Iterator<Item = Bytes>) -> Option<Bytes> {
    let (count, sum) = values.fold((0, 0), |(count, sum), value| (count + 1, sum + value.0));
    Some(Bytes(u64::checked_div(sum, count)?))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn reading(second: i64, cpu_ms: u64, memory: u64, written: Option<u64>) -> TimedReading {
        TimedReading {
            at: Micros(second * 1_000_000),
            reading: ServerReading {
                cpu: Some(Duration::from_millis(cpu_ms)),
                memory: Some(Bytes(memory)),
                block_written: written.map(Bytes),
                ..ServerReading::default()
            },
        }
    }

    #[test]
    fn totals_come_from_counters_and_growth_from_the_baseline() {
        let readings = vec![
            reading(0, 0, 100, None),
            reading(1, 10, 100, None),
            reading(2, 20, 160, None),
            reading(3, 1020, 240, None),
        ];
        let mut entry = ServerReadings { readings, ..ServerReadings::default() };
        entry.idle_memory = Some(Bytes(100));
        let before = (Micros(2_000_000), Some(reading(2, 20, 160, Some(7)).reading));
        let after = (Micros(4_000_000), Some(reading(4, 1520, 200, Some(9)).reading));
        let resources = entry.resources(Micros(0), before, after);
        assert_eq!(resources.cpu.core_seconds, Some(1.5));
        assert_eq!(resources.cpu.mean, Some(0.75));
        assert_eq!(resources.cpu.max, Some(1.0));
        assert_eq!((resources.memory.growth, resources.memory.max), (Some(100), Some(Bytes(240))));
        assert_eq!(resources.block.written, Some(Bytes(2)));
        assert_eq!(resources.block.read, None, "not measured is not 0");
        assert_eq!(resources.idle_cpu_cores, Some(0.01));
    }

    #[test]
    fn a_load_shorter_than_a_sample_takes_its_memory_from_the_final_reading() {
        let entry = ServerReadings { idle_memory: Some(Bytes(90)), ..ServerReadings::default() };
        let before = (Micros(100), Some(reading(0, 0, 95, None).reading));
        let after = (Micros(200), Some(reading(0, 1, 120, None).reading));
        let memory = entry.resources(Micros(0), before, after).memory;
        assert_eq!((memory.mean, memory.growth), (Some(Bytes(120)), Some(30)));
    }

    #[test]
    fn missing_values_stay_missing_and_a_restarted_counter_gives_no_rate() {
        let entry = ServerReadings::default();
        let sample =
            entry.rates(&reading(0, 50, 10, Some(5)), &reading(1, 20, 10, Some(3)), Micros(0));
        assert_eq!(
            (sample.cpu_cores, sample.block_written, sample.network_sent),
            (None, None, None)
        );
        assert_eq!(entry.resources(Micros(0), (Micros(0), None), (Micros(1), None)).cpu.mean, None);
    }
}
