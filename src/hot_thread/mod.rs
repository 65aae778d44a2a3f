//! Hot threads: threads that the messages of all users pass through, so that one full thread delays
//! them all.
//!
//! A hot thread enters itself ([`HotThread::enter`]) and reports its passes. Its processor time and its
//! waits for a core are read from `/proc/self/task`, also after its end. [`passes`] reports those of a thread that
//! runs a runtime.

pub mod passes;

use std::{
    collections::{BTreeSet, VecDeque},
    fs,
    sync::{
        Arc,
        atomic::{
            AtomicI32, AtomicI64,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// Value of [`HotThread::pass_start`] while no pass is in progress.
const NO_PASS: i64 = i64::MIN;
/// Passes from this length on, in microseconds, keep their times: half of the shortest standstill, which a
/// pass must cover by half to explain it.
const LONG_PASS_MICROS: i64 = 50_000;
/// Long passes whose times are kept, the last ones.
const MAX_LONG_PASSES: usize = 1_000;

/// What a hot thread does with the messages of all users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ThreadRole {
    /// Hands messages over at their due times.
    Sends,
    /// Learns that messages were acknowledged.
    Acknowledges,
    /// Receives messages.
    Receives,
    /// Forwards all bytes to and from a server, which it delays.
    Forwards,
}

/// Counters of a thread since its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ThreadCounters {
    /// Processor time.
    pub cpu: Duration,
    /// Time for which the thread could have run and waited for a core; `None` if the kernel does not
    /// count it.
    pub waited: Option<Duration>,
    /// Number of times that the thread got a core.
    pub runs: u64,
}

impl ThreadCounters {
    /// Reads the counters of the thread `id` of this process; `None` once it has ended.
    fn read(id: i32) -> Option<Self> {
        let read = |file: &str| fs::read_to_string(format!("/proc/self/task/{id}/{file}")).ok();
        if let Some(counters) = read("schedstat").and_then(|text| Self::parse_schedstat(&text)) {
            return Some(counters);
        }
        let stat = procfs::process::Process::myself().ok()?.task_from_tid(id).ok()?.stat().ok()?;
        let seconds = (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64;
        Some(Self { cpu: Duration::from_secs_f64(seconds), waited: None, runs: 0 })
    }

    /// Parses `schedstat`: nanoseconds on a core, nanoseconds of waiting for one, times on a core. A
    /// kernel without scheduler statistics writes zeros.
    fn parse_schedstat(text: &str) -> Option<Self> {
        let mut numbers = text.split_whitespace().map(str::parse::<u64>);
        let mut next = || numbers.next()?.ok();
        let (cpu, waited, runs) = (next()?, next()?, next()?);
        (runs > 0).then_some(Self {
            cpu: Duration::from_nanos(cpu),
            waited: Some(Duration::from_nanos(waited)),
            runs,
        })
    }
}

/// A thread that the messages of all users pass through.
#[derive(Debug)]
pub struct HotThread {
    name: String,
    role: ThreadRole,
    /// Id of the running thread; 0 before its start and after its end.
    id: AtomicI32,
    /// Counters at the thread's end.
    last_counters: Mutex<ThreadCounters>,
    /// Origin of the times of passes.
    origin: Instant,
    /// Start of the pass in progress in microseconds, or [`NO_PASS`].
    pass_start: AtomicI64,
    /// Longest finished pass in microseconds.
    longest_pass: AtomicI64,
    /// Begin and end of the last long passes, in microseconds since `origin`.
    long_passes: Mutex<VecDeque<(i64, i64)>>,
}

impl HotThread {
    /// Describes a thread that has not started; `name` is its name for the operating system.
    pub fn new(name: impl Into<String>, role: ThreadRole) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            role,
            id: AtomicI32::new(0),
            last_counters: Mutex::default(),
            origin: Instant::now(),
            pass_start: AtomicI64::new(NO_PASS),
            longest_pass: AtomicI64::new(-1),
            long_passes: Mutex::default(),
        })
    }

    /// Makes the calling thread this hot thread until the guard is dropped.
    pub fn enter(self: &Arc<Self>) -> HotThreadGuard {
        self.id.store(nix::unistd::gettid().as_raw(), Release);
        HotThreadGuard(Arc::clone(self))
    }

    /// Describes a running thread that a library started, by its id.
    pub fn of_library(id: i32, name: impl Into<String>, role: ThreadRole) -> Arc<Self> {
        let thread = Self::new(name, role);
        thread.id.store(id, Release);
        thread
    }

    /// Name of the thread.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the thread does with messages.
    pub const fn role(&self) -> ThreadRole {
        self.role
    }

    /// Counters since the thread's start; all zero before it.
    pub fn counters(&self) -> ThreadCounters {
        let id = self.id.load(Acquire);
        let now = (id != 0).then(|| ThreadCounters::read(id)).flatten();
        now.unwrap_or_else(|| *self.last_counters.lock())
    }

    /// Begins a pass: the thread has found work.
    pub fn begin_pass(&self) {
        self.pass_start.store(self.micros(), Relaxed);
    }

    /// Ends the pass in progress, if any: the thread looks for new work.
    pub fn end_pass(&self) {
        let start = self.pass_start.swap(NO_PASS, Relaxed);
        if start != NO_PASS {
            self.record_pass(self.micros() - start);
        }
    }

    /// Records a pass of `micros` microseconds that has just ended.
    pub fn record_pass(&self, micros: i64) {
        if micros >= LONG_PASS_MICROS {
            let end = self.micros();
            let mut passes = self.long_passes.lock();
            if passes.len() == MAX_LONG_PASSES {
                passes.pop_front();
            }
            passes.push_back((end - micros, end));
        }
        // The thread itself is the only writer of rising values: a load is cheaper than an exchange.
        if micros > self.longest_pass.load(Relaxed) {
            self.longest_pass.store(micros, Relaxed);
        }
    }

    /// Length of the pass in progress, if any.
    pub fn current_pass(&self) -> Option<Duration> {
        let micros = self.current_pass_micros()?;
        u64::try_from(micros).ok().map(Duration::from_micros)
    }

    fn current_pass_micros(&self) -> Option<i64> {
        let start = self.pass_start.load(Relaxed);
        (start != NO_PASS).then(|| self.micros() - start)
    }

    /// Longest pass since the last [`Self::forget_passes`] in microseconds, the one in progress
    /// included; `None` without any.
    pub fn longest_pass_micros(&self) -> Option<i64> {
        let current = self.current_pass_micros().unwrap_or(-1);
        Some(self.longest_pass.load(Relaxed).max(current)).filter(|longest| *longest >= 0)
    }

    /// Longest part of one pass, finished or in progress, that lies between two times.
    pub fn longest_pass_between(&self, from: Instant, to: Instant) -> Duration {
        let micros = |at: Instant| {
            let since = at.saturating_duration_since(self.origin);
            i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
        };
        let (from, to) = (micros(from), micros(to));
        let current = self.pass_start.load(Relaxed);
        let current = (current != NO_PASS).then(|| (current, self.micros()));
        let passes = self.long_passes.lock();
        let parts = passes.iter().copied().chain(current);
        let longest = parts.map(|(begin, end)| end.min(to) - begin.max(from)).max();
        longest
            .and_then(|micros| u64::try_from(micros).ok())
            .map_or(Duration::ZERO, Duration::from_micros)
    }

    /// Forgets the finished passes.
    pub fn forget_passes(&self) {
        self.longest_pass.store(-1, Relaxed);
        self.long_passes.lock().clear();
    }

    fn micros(&self) -> i64 {
        i64::try_from(self.origin.elapsed().as_micros()).unwrap_or(i64::MAX)
    }
}

/// Returns the ids of this process's threads.
pub fn thread_ids() -> BTreeSet<i32> {
    let names = fs::read_dir("/proc/self/task").into_iter().flatten();
    names.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

/// Returns the name of a running thread of this process.
pub fn thread_name(id: i32) -> Option<String> {
    let name = fs::read_to_string(format!("/proc/self/task/{id}/comm")).ok()?;
    Some(name.trim_end().to_owned())
}

/// Marks the end of a hot thread when it is dropped, which that thread itself must do.
#[derive(Debug)]
pub struct HotThreadGuard(Arc<HotThread>);

impl std::ops::Deref for HotThreadGuard {
    type Target = HotThread;

    fn deref(&self) -> &HotThread {
        &self.0
    }
}

impl Drop for HotThreadGuard {
    fn drop(&mut self) {
        self.0.end_pass();
        if let Some(counters) = ThreadCounters::read(self.0.id.load(Acquire)) {
            *self.0.last_counters.lock() = counters;
        }
        self.0.id.store(0, Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hot_thread_is_read_while_it_runs_and_after_its_end() {
        let thread = HotThread::new("worker", ThreadRole::Receives);
        assert_eq!(thread.counters(), ThreadCounters::default());
        let running = std::thread::scope(|scope| {
            let work = || {
                let guard = thread.enter();
                let mut sum = 0_u64;
                while guard.counters().cpu < Duration::from_millis(5) {
                    sum = (0..10_000).fold(sum, |sum, n| std::hint::black_box(sum ^ n));
                }
                guard.counters()
            };
            scope.spawn(work).join().unwrap()
        });
        let ended = thread.counters();
        assert!(ended.cpu >= running.cpu && running.cpu >= Duration::from_millis(5), "{ended:?}");
        assert_eq!(thread.counters(), ended, "its number may belong to another thread by now");
    }

    #[test]
    fn a_thread_that_a_library_started_is_read_by_its_id() {
        let before = thread_ids();
        let (started, is_running) = std::sync::mpsc::channel();
        let (keep, end) = std::sync::mpsc::channel::<()>();
        let work = move || {
            started.send(()).unwrap();
            let _ = end.recv();
        };
        let library = std::thread::Builder::new().name("library".into()).spawn(work).unwrap();
        is_running.recv().unwrap();
        let named = |id: &&i32| thread_name(**id).as_deref() == Some("library");
        let new: Vec<i32> = thread_ids().difference(&before).filter(named).copied().collect();
        let [id] = new[..] else { panic!("{new:?}") };
        let thread = HotThread::of_library(id, "library", ThreadRole::Receives);
        assert!(thread.counters().cpu > Duration::ZERO, "{:?}", thread.counters());
        drop(keep);
        library.join().unwrap();
    }

    #[test]
    fn the_longest_pass_includes_the_one_in_progress() {
        let thread = HotThread::new("worker", ThreadRole::Receives);
        assert_eq!(thread.longest_pass_micros(), None);
        thread.record_pass(700);
        thread.record_pass(300);
        assert_eq!(thread.longest_pass_micros(), Some(700));
        thread.forget_passes();
        assert_eq!(thread.longest_pass_micros(), None);
        thread.begin_pass();
        assert!(thread.longest_pass_micros().is_some());
        thread.end_pass();
        assert!(thread.longest_pass_micros().is_some());
    }

    #[test]
    fn a_pass_counts_for_its_own_time_only() {
        let thread = HotThread::new("worker", ThreadRole::Receives);
        let after = |millis: u64| thread.origin + Duration::from_millis(millis);
        std::thread::sleep(Duration::from_millis(130));
        thread.record_pass(100_000);
        let now = Instant::now();
        let met = thread.longest_pass_between(after(0), now);
        assert!(met >= Duration::from_millis(99), "{met:?}");
        let later = thread.longest_pass_between(now, now + Duration::from_secs(9));
        assert!(later < Duration::from_millis(50), "{later:?}");
        assert_eq!(thread.longest_pass_between(after(0), after(1)), Duration::ZERO);
        thread.begin_pass();
        std::thread::sleep(Duration::from_millis(20));
        let current = thread.longest_pass_between(now, Instant::now());
        assert!(current >= Duration::from_millis(20), "the one in progress: {current:?}");
    }

    #[test]
    fn a_kernel_without_scheduler_statistics_has_no_waits() {
        assert_eq!(ThreadCounters::parse_schedstat("0 0 0\n"), None);
        let counted = ThreadCounters::parse_schedstat("5000 7000 3\n");
        let expected = ThreadCounters {
            cpu: Duration::from_micros(5),
            waited: Some(Duration::from_micros(7)),
            runs: 3,
        };
        assert_eq!(counted, Some(expected));
    }
}
