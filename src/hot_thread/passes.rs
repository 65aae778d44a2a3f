//! Passes of a hot thread that runs a runtime, also while it has always some work and never waits for it.

use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{runtime::Builder, sync::Notify, task::yield_now};

use super::HotThread;

/// Length of a pass from which on its end is looked for. At a light load the runtime waits sooner, and a
/// pass costs nothing.
const LONG_PASS: Duration = Duration::from_millis(1);

/// Measures the passes of a thread that alone runs a runtime: the time from one look at the network until
/// all work that it found is done.
///
/// A runtime that finds nothing to do waits, and its pass has ended. One that always finds more looks at
/// the network between two tasks and never waits. A task that it resumes behind all others then ends a
/// pass and begins the next one: all that was ready before it has had its turn.
#[derive(Debug)]
pub struct PassMonitor {
    thread: Arc<HotThread>,
    /// Number of times that the runtime has resumed a watched task.
    polls: AtomicU64,
    is_long: Notify,
}

impl PassMonitor {
    /// Creates the monitor of `thread`.
    pub fn new(thread: &Arc<HotThread>) -> Arc<Self> {
        let (polls, is_long) = (AtomicU64::new(0), Notify::new());
        Arc::new(Self { thread: Arc::clone(thread), polls, is_long })
    }

    /// Makes the runtime report when it begins and ceases to wait.
    pub fn attach(&self, builder: &mut Builder) {
        let (begins, ends) = (Arc::clone(&self.thread), Arc::clone(&self.thread));
        builder.on_thread_unpark(move || begins.begin_pass());
        builder.on_thread_park(move || ends.end_pass());
    }

    /// Runs `task`, the work of the thread, and looks for the end of a long pass.
    pub async fn watch<T>(self: Arc<Self>, task: impl Future<Output = T>) -> T {
        let mut task = Box::pin(task);
        poll_fn(|context| {
            self.polls.fetch_add(1, Relaxed);
            if self.thread.current_pass().is_some_and(|pass| pass > LONG_PASS) {
                self.is_long.notify_one();
            }
            task.as_mut().poll(context)
        })
        .await
    }

    /// Ends the passes of a runtime that never waits, until it is dropped.
    pub async fn run(self: Arc<Self>) {
        loop {
            self.is_long.notified().await;
            let mut polls = None;
            while polls != Some(self.polls.load(Relaxed)) {
                polls = Some(self.polls.load(Relaxed));
                self.thread.end_pass();
                self.thread.begin_pass();
                // The runtime resumes this task after its next look at the network, behind all tasks that
                // are ready by then.
                yield_now().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tokio::{
        runtime::Runtime,
        task::{JoinSet, coop},
        time::sleep,
    };

    use super::*;
    use crate::hot_thread::ThreadRole;

    fn monitored_runtime() -> (Runtime, Arc<HotThread>, Arc<PassMonitor>) {
        let thread = HotThread::new("users", ThreadRole::Acknowledges);
        let monitor = PassMonitor::new(&thread);
        let mut builder = Builder::new_current_thread();
        monitor.attach(&mut builder);
        (builder.enable_all().build().unwrap(), thread, monitor)
    }

    /// Works for `total`, in turns of `turn`, and is ready for the next turn at once.
    async fn work_in_turns(turn: Duration, total: Duration) {
        let start = Instant::now();
        let next = poll_fn(|context| {
            let resumed = Instant::now();
            while resumed.elapsed() < turn {
                std::hint::spin_loop();
            }
            if start.elapsed() > total {
                return std::task::Poll::Ready(());
            }
            context.waker().wake_by_ref();
            std::task::Poll::Pending
        });
        coop::unconstrained(next).await;
    }

    /// Makes the runtime wait, as it does while users log in: the first pass begins at the end of a wait.
    async fn wait_once() {
        sleep(Duration::from_millis(1)).await;
    }

    #[test]
    fn a_runtime_that_never_waits_has_passes_of_one_round() {
        let (runtime, thread, monitor) = monitored_runtime();
        let (turn, total) = (Duration::from_micros(100), Duration::from_secs(2));
        runtime.block_on(async {
            tokio::spawn(Arc::clone(&monitor).run());
            wait_once().await;
            let mut tasks = JoinSet::new();
            for _ in 0..100 {
                tasks.spawn(Arc::clone(&monitor).watch(work_in_turns(turn, total)));
            }
            while tasks.join_next().await.is_some() {}
        });
        let longest = thread.longest_pass_micros().unwrap();
        // A round takes 10 ms, more on a machine that is busy with other work.
        assert!((9_000..1_000_000).contains(&longest), "{longest} µs");
    }

    #[test]
    fn a_runtime_with_little_to_do_waits() {
        let (runtime, thread, monitor) = monitored_runtime();
        let spent = runtime.block_on(async {
            tokio::spawn(Arc::clone(&monitor).run());
            wait_once().await;
            let thread = thread.enter();
            monitor.watch(work_in_turns(LONG_PASS * 3, LONG_PASS)).await;
            let before = thread.counters().cpu;
            sleep(Duration::from_millis(500)).await;
            thread.counters().cpu.saturating_sub(before)
        });
        assert!(spent < Duration::from_millis(100), "{spent:?} of processor time in half a second");
        assert!(thread.longest_pass_micros() >= Some(2_900), "{:?}", thread.longest_pass_micros());
    }
}
