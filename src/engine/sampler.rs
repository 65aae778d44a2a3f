//! The servers' resources while a repetition goes on: readings become rates, rates a summary.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{sync::watch, task::JoinHandle};

use super::fitness;
use crate::{
    clock::{Clock, Micros},
    hub::{Hub, Sampled},
    measure::Load,
    record::{BlockUse, CpuUse, MemoryUse, NetworkUse, Resources},
    server::{BlockSource, Reading, Running},
    units::Bytes,
};

/// Follows the resources of all servers of a repetition. Dropping it ends the sampling.
pub struct Sampler(Arc<Watches>);

/// The servers being watched; for planned faults, which take some of them away for a while.
pub struct Watches {
    hub: Arc<dyn Hub>,
    clock: Clock,
    tracks: Mutex<BTreeMap<String, Track>>,
    tasks: Mutex<BTreeMap<String, JoinHandle<()>>>,
    ended: watch::Sender<bool>,
}

/// The readings of one server.
#[derive(Debug, Default, Clone)]
struct Track {
    readings: Vec<Sampled>,
    source: Option<BlockSource>,
    /// Mean memory over the idle baseline.
    idle_memory: Option<Bytes>,
    /// When it was started again: counters before and after have nothing to do with each other.
    restarts: Vec<Micros>,
}

impl Drop for Sampler {
    fn drop(&mut self) {
        lock(&self.0.tasks).values().for_each(JoinHandle::abort);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watches {
    /// Follows a server. Its end is told by [`Sampler::ended`].
    fn follow(self: &Arc<Self>, server: &Running) {
        let role = server.role.clone();
        let mut readings = self.hub.watch(server, self.clock);
        let watches = Arc::clone(self);
        let task = tokio::spawn(async move {
            while let Some(sampled) = readings.recv().await {
                if let Some(track) = lock(&watches.tracks).get_mut(&role) {
                    track.readings.push(sampled);
                }
            }
            watches.ended.send_replace(true);
        });
        if let Some(before) = lock(&self.tasks).insert(server.role.clone(), task) {
            before.abort();
        }
    }

    /// Leaves a server alone that is about to end by plan.
    pub fn suspend(&self, role: &str) {
        if let Some(task) = lock(&self.tasks).remove(role) {
            task.abort();
        }
    }

    /// Follows a server again that was started anew.
    pub fn resume(self: &Arc<Self>, server: &Running) {
        if let Some(track) = lock(&self.tracks).get_mut(&server.role) {
            track.restarts.push(self.clock.now());
        }
        self.follow(server);
    }
}

impl Sampler {
    /// Begins to sample `servers`.
    pub fn start(hub: &Arc<dyn Hub>, servers: &[Running], clock: Clock) -> Self {
        let watches = Arc::new(Watches {
            hub: Arc::clone(hub),
            clock,
            tracks: Mutex::default(),
            tasks: Mutex::default(),
            ended: watch::Sender::new(false),
        });
        for server in servers {
            let track = Track { source: Some(hub.block_source(server)), ..Track::default() };
            lock(&watches.tracks).insert(server.role.clone(), track);
            watches.follow(server);
        }
        Self(watches)
    }

    /// The servers being watched.
    pub const fn watches(&self) -> &Arc<Watches> {
        &self.0
    }

    /// Resolves when a server's readings end, which they do when the server does.
    pub async fn ended(&self) {
        let mut ended = self.0.ended.subscribe();
        if ended.wait_for(|ended| *ended).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// The baseline, which began at `from`, is over: remembers what idling costs. `now` is a
    /// reading of each server: a baseline shorter than the samples' distance has no other.
    pub fn end_baseline(&self, from: Micros, now: &BTreeMap<String, Reading>) {
        for (role, track) in lock(&self.0.tracks).iter_mut() {
            let within = track.readings.iter().filter(|sampled| sampled.at >= from);
            let last = now.get(role).and_then(|reading| reading.memory);
            let memory = within.filter_map(|sampled| sampled.reading.memory).chain(last);
            track.idle_memory = mean(memory);
        }
    }

    /// Each server's latest rates. Seconds count from `origin`.
    pub fn latest(&self, origin: Micros) -> BTreeMap<String, Load> {
        lock(&self.0.tracks)
            .iter()
            .filter_map(|(role, track)| {
                let (before, last) = track.readings.last_chunk::<2>().map(|[a, b]| (a, b))?;
                Some((role.clone(), track.rates(before, last, origin)))
            })
            .collect()
    }

    /// Every rate between `from` and `to`, a sample's own second included. Seconds count from
    /// `origin`.
    pub fn samples(&self, from: Micros, to: Micros, origin: Micros) -> BTreeMap<String, Vec<Load>> {
        let within = |pair: &&[Sampled]| pair[1].at >= from && pair[1].at <= to;
        let loads = |track: &Track| {
            let pairs = track.readings.windows(2).filter(within);
            let pairs = pairs.filter(|pair| !track.restarted(pair[0].at, pair[1].at));
            pairs.map(|pair| track.rates(&pair[0], &pair[1], origin)).collect()
        };
        lock(&self.0.tracks).iter().map(|(role, track)| (role.clone(), loads(track))).collect()
    }

    /// Processor time of each server, read around everything from `from` on.
    pub fn used(&self, from: Micros) -> Vec<fitness::Track> {
        // Readings come once a second: one before `from` is among these.
        let early = Micros(from.0.saturating_sub(3_000_000));
        let used = |track: &Track| {
            let readings = track.readings.iter().filter(|sampled| sampled.at >= early);
            readings.filter_map(|sampled| Some((sampled.at, sampled.reading.cpu?))).collect()
        };
        lock(&self.0.tracks).values().map(used).collect()
    }

    /// What the load cost `role`: `before` and `after` are readings at its start and end,
    /// `baseline_from` the start of the idle baseline.
    pub fn resources(
        &self,
        role: &str,
        baseline_from: Micros,
        before: (Micros, Option<Reading>),
        after: (Micros, Option<Reading>),
    ) -> Resources {
        let track = lock(&self.0.tracks).get(role).cloned().unwrap_or_default();
        track.resources(baseline_from, before, after)
    }
}

impl Track {
    /// Whether the server was started again between two moments.
    fn restarted(&self, from: Micros, to: Micros) -> bool {
        self.restarts.iter().any(|at| (from..=to).contains(at))
    }

    fn rates(&self, before: &Sampled, last: &Sampled, origin: Micros) -> Load {
        let seconds = last.at.since(before.at) as f64 / 1e6;
        let rate = |then: Option<Bytes>, now: Option<Bytes>| {
            let (then, now) = then.zip(now)?;
            // A counter that went back belongs to a server that was started anew.
            (seconds > 0.0).then_some(now.0.checked_sub(then.0)? as f64 / seconds)
        };
        let (a, b) = (&before.reading, &last.reading);
        Load {
            seconds: last.at.since(origin) as f64 / 1e6,
            cpu_cores: a.cpu.zip(b.cpu).and_then(|(then, now)| {
                (seconds > 0.0).then_some(now.checked_sub(then)?.as_secs_f64() / seconds)
            }),
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
        (start, before): (Micros, Option<Reading>),
        (end, after): (Micros, Option<Reading>),
    ) -> Resources {
        let seconds = end.since(start) as f64 / 1e6;
        let idle = self.idle_memory;
        let during: Vec<_> =
            self.readings.iter().filter(|s| s.at >= start && s.at <= end).collect();
        // The reading at the load's end is one of its samples: a load of less than a second may
        // have no other.
        let loaded = || during.iter().map(|s| s.reading).chain(after).filter_map(|r| r.memory);
        let mean = mean(loaded());
        // Counters of a server that was started again begin anew: its totals are not known.
        let since = before.filter(|_| !self.restarted(start, end));
        let core_seconds = difference(since, after, |r| r.cpu.map(|cpu| cpu.as_nanos() as u64))
            .map(|nanos| nanos as f64 / 1e9);
        let max_cpu = during
            .windows(2)
            .filter(|pair| !self.restarted(pair[0].at, pair[1].at))
            .filter_map(|pair| self.rates(pair[0], pair[1], start).cpu_cores)
            .reduce(f64::max);
        let bytes = |field: fn(&Reading) -> Option<Bytes>| {
            difference(since, after, |reading| field(reading).map(|bytes| bytes.0)).map(Bytes)
        };
        Resources {
            cpu: CpuUse {
                mean: core_seconds.filter(|_| seconds > 0.0).map(|used| used / seconds),
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

    /// Cores in use over the samples between two moments.
    fn idle_cpu(&self, from: Micros, to: Micros) -> Option<f64> {
        let mut within = self.readings.iter().filter(|s| s.at >= from && s.at <= to);
        let first = within.next()?;
        let last = within.next_back()?;
        self.rates(first, last, from).cpu_cores
    }
}

fn difference(
    before: Option<Reading>,
    after: Option<Reading>,
    field: impl Fn(&Reading) -> Option<u64>,
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

    fn reading(second: i64, cpu_ms: u64, memory: u64, written: Option<u64>) -> Sampled {
        Sampled {
            at: Micros(second * 1_000_000),
            reading: Reading {
                cpu: Some(Duration::from_millis(cpu_ms)),
                memory: Some(Bytes(memory)),
                block_written: written.map(Bytes),
                ..Reading::default()
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
        let mut track = Track { readings, ..Track::default() };
        track.idle_memory = Some(Bytes(100));
        let before = (Micros(2_000_000), Some(reading(2, 20, 160, Some(7)).reading));
        let after = (Micros(4_000_000), Some(reading(4, 1520, 200, Some(9)).reading));
        let resources = track.resources(Micros(0), before, after);
        assert_eq!(resources.cpu.core_seconds, Some(1.5));
        assert_eq!(resources.cpu.mean, Some(0.75));
        assert_eq!(resources.cpu.max, Some(1.0));
        assert_eq!((resources.memory.growth, resources.memory.max), (Some(100), Some(Bytes(240))));
        assert_eq!(resources.block.written, Some(Bytes(2)));
        assert_eq!(resources.block.read, None, "not measured is not 0");
        assert_eq!(resources.idle_cpu_cores, Some(0.01));
    }

    #[test]
    fn a_load_shorter_than_a_sample_has_its_memory_from_its_end() {
        let track = Track { idle_memory: Some(Bytes(90)), ..Track::default() };
        let before = (Micros(100), Some(reading(0, 0, 95, None).reading));
        let after = (Micros(200), Some(reading(0, 1, 120, None).reading));
        let memory = track.resources(Micros(0), before, after).memory;
        assert_eq!((memory.mean, memory.growth), (Some(Bytes(120)), Some(30)));
    }

    #[test]
    fn what_is_missing_stays_missing_and_a_restarted_counter_gives_no_rate() {
        let track = Track::default();
        let load =
            track.rates(&reading(0, 50, 10, Some(5)), &reading(1, 20, 10, Some(3)), Micros(0));
        assert_eq!((load.cpu_cores, load.block_written, load.network_sent), (None, None, None));
        assert_eq!(track.resources(Micros(0), (Micros(0), None), (Micros(1), None)).cpu.mean, None);
    }
}
