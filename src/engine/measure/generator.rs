//! Resource use of the load generator: what this process and its hot threads cost, read from `/proc`.

use std::time::{Duration, Instant};

use procfs::{CurrentSI, WithCurrentSystemInfo, process::Process};

use super::client_watch::ClientWatch;
use crate::{
    hot_thread::{HotThread, ThreadCounters},
    measure::{GeneratorHealth, ThreadLoad},
    units::Bytes,
};

/// Shortest lap whose shares count for the largest ones: in a shorter one, a single pass of a thread
/// would look like a full thread.
const MIN_PEAK_LAP: Duration = Duration::from_millis(500);

/// Processor time of the whole machine in seconds, summed over all cores.
#[derive(Debug, Clone, Copy)]
struct MachineTime {
    busy: f64,
    /// Given to others by the host of this virtual machine; part of `busy`.
    stolen: f64,
    all: f64,
}

/// Counters of this process and of the whole machine at one time.
#[derive(Debug, Clone)]
struct ProcessCounters {
    at: Instant,
    /// Seconds of processor time of this process, all threads.
    process_cpu: f64,
    machine: Option<MachineTime>,
    /// Counters of each watched thread, in the order of [`ClientWatch::threads`].
    threads: Vec<ThreadCounters>,
}

/// Measures the resource use of this process since a start, and in laps.
#[derive(Debug)]
pub struct ProcessMeter {
    start: ProcessCounters,
    lap_start: ProcessCounters,
    stolen_peak: Option<f64>,
    /// Largest share of a core of each watched thread in one lap.
    thread_peaks: Vec<f64>,
}

impl ProcessMeter {
    /// Starts measuring, with the first lap.
    pub fn start(watch: &ClientWatch) -> Self {
        let now = ProcessCounters::read(&watch.threads());
        Self { start: now.clone(), lap_start: now, stolen_peak: None, thread_peaks: Vec::new() }
    }

    /// Returns the use since the start or the last lap, with the largest shares since the start, and
    /// starts a new lap.
    pub fn lap(&mut self, watch: &ClientWatch) -> GeneratorHealth {
        let threads = watch.threads();
        let now = ProcessCounters::read(&threads);
        let lap = std::mem::replace(&mut self.lap_start, now.clone());
        self.update_peaks(&now, &lap);
        self.usage(&now, &lap, &threads)
    }

    /// Returns the use since the start; the last lap goes on.
    pub fn total(&mut self, watch: &ClientWatch) -> GeneratorHealth {
        let threads = watch.threads();
        let now = ProcessCounters::read(&threads);
        let lap = self.lap_start.clone();
        self.update_peaks(&now, &lap);
        self.usage(&now, &self.start, &threads)
    }

    /// Adds to `generator`, the use until the load's end, the passes of the threads since then, and threads that
    /// have worked only since then.
    pub fn add_later_passes(&self, generator: &mut GeneratorHealth, watch: &ClientWatch) {
        let threads = watch.threads();
        let now = ProcessCounters::read(&threads);
        for (place, thread) in threads.iter().enumerate() {
            let known =
                |load: &&mut ThreadLoad| load.name == thread.name() && load.role == thread.role();
            if let Some(load) = generator.hot_threads.iter_mut().find(known) {
                let longest = thread.longest_pass_micros().map(|micros| micros as f64);
                load.longest_pass = load.longest_pass.into_iter().chain(longest).reduce(f64::max);
            } else {
                let load = now.thread_load(&self.start, place, thread, None);
                generator.hot_threads.extend(load);
            }
        }
    }

    fn update_peaks(&mut self, now: &ProcessCounters, lap: &ProcessCounters) {
        self.thread_peaks.resize(now.threads.len(), 0.0);
        if now.at - lap.at < MIN_PEAK_LAP {
            return;
        }
        let stolen = now.machine_share(lap, |time| time.stolen);
        self.stolen_peak = self.stolen_peak.into_iter().chain(stolen).reduce(f64::max);
        for (place, peak) in self.thread_peaks.iter_mut().enumerate() {
            *peak = peak.max(now.thread_share(lap, place, |counters| counters.cpu));
        }
    }

    fn usage(
        &self,
        now: &ProcessCounters,
        earlier: &ProcessCounters,
        threads: &[std::sync::Arc<HotThread>],
    ) -> GeneratorHealth {
        let process = Process::myself().ok();
        let stat = process.as_ref().and_then(|process| process.stat().ok());
        let loads = threads.iter().enumerate().filter_map(|(place, thread)| {
            let peak = self.thread_peaks.get(place).copied().filter(|peak| *peak > 0.0);
            now.thread_load(earlier, place, thread, peak)
        });
        GeneratorHealth {
            cpu_cores: (now.process_cpu - earlier.process_cpu) / now.seconds_since(earlier),
            resident: Bytes(stat.as_ref().map_or(0, |stat| stat.rss_bytes().get())),
            threads: stat.as_ref().map_or(0, |stat| stat.num_threads.unsigned_abs()),
            descriptors: process.and_then(|process| process.fd_count().ok()).unwrap_or(0) as u64,
            machine_busy: now.machine_share(earlier, |time| time.busy),
            stolen: now.machine_share(earlier, |time| time.stolen),
            stolen_peak: self.stolen_peak,
            hot_threads: loads.collect(),
            ..GeneratorHealth::default()
        }
    }
}

/// Measures the share of this machine's processor time that its host gives to others.
#[derive(Debug)]
pub struct StolenMeter(Option<MachineTime>);

impl StolenMeter {
    /// Starts measuring.
    pub fn start() -> Self {
        Self(MachineTime::read())
    }

    /// Share since the start, 0 to 1; `None` if it cannot be read.
    pub fn share(&self) -> Option<f64> {
        MachineTime::read()?.share_since(&self.0?, |time| time.stolen)
    }
}

impl MachineTime {
    fn read() -> Option<Self> {
        let ticks = procfs::ticks_per_second() as f64;
        let total = procfs::KernelStats::current().ok()?.total;
        let idle = total.idle + total.iowait.unwrap_or(0);
        let stolen = total.steal.unwrap_or(0);
        // Time stolen by the hypervisor is not used by this machine, but not available to it, either.
        let busy = total.user
            + total.nice
            + total.system
            + total.irq.unwrap_or(0)
            + total.softirq.unwrap_or(0)
            + stolen;
        Some(Self {
            busy: busy as f64 / ticks,
            stolen: stolen as f64 / ticks,
            all: (busy + idle) as f64 / ticks,
        })
    }

    fn share_since(&self, earlier: &Self, part: impl Fn(&Self) -> f64) -> Option<f64> {
        let all = self.all - earlier.all;
        (all > 0.0).then(|| (part(self) - part(earlier)) / all)
    }
}

impl ProcessCounters {
    fn read(threads: &[std::sync::Arc<HotThread>]) -> Self {
        let ticks = procfs::ticks_per_second() as f64;
        let own_stat = Process::myself().and_then(|process| process.stat());
        Self {
            at: Instant::now(),
            process_cpu: own_stat.map_or(0.0, |stat| (stat.utime + stat.stime) as f64 / ticks),
            machine: MachineTime::read(),
            threads: threads.iter().map(|thread| thread.counters()).collect(),
        }
    }

    fn seconds_since(&self, earlier: &Self) -> f64 {
        self.at.duration_since(earlier.at).as_secs_f64().max(1e-6)
    }

    fn machine_share(&self, earlier: &Self, part: impl Fn(&MachineTime) -> f64) -> Option<f64> {
        self.machine?.share_since(&earlier.machine?, part)
    }

    /// Counters of a thread; a thread that was not watched yet had none.
    fn thread(&self, place: usize) -> ThreadCounters {
        self.threads.get(place).copied().unwrap_or_default()
    }

    fn thread_share(
        &self,
        earlier: &Self,
        place: usize,
        part: impl Fn(&ThreadCounters) -> Duration,
    ) -> f64 {
        let used = part(&self.thread(place)).saturating_sub(part(&earlier.thread(place)));
        used.as_secs_f64() / self.seconds_since(earlier)
    }

    /// Load of a thread; `None` if it did not run meanwhile.
    fn thread_load(
        &self,
        earlier: &Self,
        place: usize,
        thread: &HotThread,
        peak: Option<f64>,
    ) -> Option<ThreadLoad> {
        let (now, then) = (self.thread(place), earlier.thread(place));
        if now.cpu <= then.cpu {
            return None;
        }
        let waited =
            now.waited.map(|waited| waited.saturating_sub(then.waited.unwrap_or_default()));
        let runs = now.runs.saturating_sub(then.runs);
        let seconds = self.seconds_since(earlier);
        Some(ThreadLoad {
            name: thread.name().to_owned(),
            role: thread.role(),
            cores: self.thread_share(earlier, place, |counters| counters.cpu),
            peak_cores: peak,
            waiting: waited.map(|waited| waited.as_secs_f64() / seconds),
            mean_wait: waited
                .filter(|_| runs > 0)
                .map(|waited| waited.as_secs_f64() * 1e6 / runs as f64),
            runs,
            longest_pass: thread.longest_pass_micros().map(|micros| micros as f64),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::hot_thread::ThreadRole;

    fn use_processor(time: Duration) {
        let (mut sum, end) = (0_u64, Instant::now() + time);
        while Instant::now() < end {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
    }

    #[test]
    fn the_resource_use_of_this_process_is_measured() {
        let watch = ClientWatch::default();
        let mut meter = ProcessMeter::start(&watch);
        use_processor(Duration::from_millis(60));
        let generator = meter.lap(&watch);
        assert!(generator.cpu_cores > 0.0, "{generator:?}");
        assert!(generator.threads >= 1 && generator.descriptors >= 3);
        assert!(generator.resident > Bytes(100_000));
        assert!(generator.stolen.is_some_and(|share| (0.0..=1.0).contains(&share)));
    }

    #[test]
    fn a_full_thread_is_seen_by_name_also_after_its_end() {
        let watch = Arc::new(ClientWatch::default());
        let mut meter = ProcessMeter::start(&watch);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let thread = HotThread::new("sender", ThreadRole::Sends);
                watch.add_thread(&thread);
                let thread = thread.enter();
                thread.begin_pass();
                use_processor(Duration::from_millis(30));
            });
        });
        let generator = meter.total(&watch);
        let [load] = &generator.hot_threads[..] else { panic!("{generator:?}") };
        assert_eq!((load.name.as_str(), load.role), ("sender", ThreadRole::Sends));
        assert!(load.cores > 0.0 && load.longest_pass >= Some(29_000.0), "{load:?}");
        assert_eq!(load.peak_cores, None, "shorter than a second");
        // A thread that works only after the load was stuck in it; its passes then count, too.
        let thread = HotThread::new("consumer", ThreadRole::Receives);
        watch.add_thread(&thread);
        let mut at_load_end = meter.total(&watch);
        assert_eq!(at_load_end.hot_threads.len(), 1);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let thread = thread.enter();
                thread.begin_pass();
                use_processor(Duration::from_millis(40));
            });
        });
        watch.threads()[0].record_pass(5_000_000);
        meter.add_later_passes(&mut at_load_end, &watch);
        let passes: Vec<_> = at_load_end.hot_threads.iter().map(|load| load.longest_pass).collect();
        assert!(passes[0] == Some(5_000_000.0) && passes[1] >= Some(39_000.0), "{passes:?}");
        // A thread that does nothing any more is left out.
        meter.lap(&watch);
        assert_eq!(meter.lap(&watch).hot_threads, []);
    }

    #[test]
    fn the_largest_share_is_that_of_a_whole_second() {
        let watch = ClientWatch::default();
        watch.add_thread(&HotThread::new("sender", ThreadRole::Sends));
        let mut meter = ProcessMeter::start(&watch);
        let start = meter.start.clone();
        let after = |millis, cpu, stolen| ProcessCounters {
            at: start.at + Duration::from_millis(millis),
            process_cpu: 0.0,
            machine: start.machine.map(|time| MachineTime {
                stolen: time.stolen + stolen,
                all: time.all + millis as f64 / 1e3,
                ..time
            }),
            threads: vec![ThreadCounters {
                cpu: Duration::from_millis(cpu),
                ..ThreadCounters::default()
            }],
        };
        let laps = [after(1_000, 250, 0.0), after(2_000, 1_200, 0.3), after(2_002, 1_202, 0.3)];
        let mut last = start.clone();
        for now in laps {
            meter.update_peaks(&now, &last);
            last = now;
        }
        assert!((meter.thread_peaks[0] - 0.95).abs() < 1e-9, "{:?}", meter.thread_peaks);
        assert!(meter.stolen_peak.is_some_and(|peak| (peak - 0.3).abs() < 1e-9));
    }
}
