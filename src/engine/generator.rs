//! The generator watches itself: what this process costs, read from `/proc`.

use std::time::Instant;

use procfs::{CurrentSI, WithCurrentSystemInfo, process::Process};

use crate::{measure::Generator, units::Bytes};

/// Counters of this process and of the whole machine at one moment.
#[derive(Debug, Clone, Copy)]
struct Counters {
    at: Instant,
    /// Seconds of processor time of this process, all threads.
    own: f64,
    /// Busy and all seconds of all cores together.
    machine: Option<(f64, f64)>,
}

/// Measures this process between two moments.
#[derive(Debug)]
pub struct SelfWatch {
    since: Counters,
}

impl SelfWatch {
    /// Begins now.
    pub fn start() -> Self {
        Self { since: Counters::read() }
    }

    /// What was used since the start, or since the last lap; begins a new lap.
    pub fn lap(&mut self) -> Generator {
        let now = Counters::read();
        let generator = now.since(&self.since);
        self.since = now;
        generator
    }
}

impl Counters {
    fn read() -> Self {
        let ticks = procfs::ticks_per_second() as f64;
        let own = Process::myself().and_then(|process| process.stat());
        let machine = procfs::KernelStats::current().ok().map(|stats| {
            let total = stats.total;
            let idle = total.idle + total.iowait.unwrap_or(0);
            // Time stolen by the hypervisor is no time of ours, but the machine did not have it.
            let busy = total.user
                + total.nice
                + total.system
                + total.irq.unwrap_or(0)
                + total.softirq.unwrap_or(0)
                + total.steal.unwrap_or(0);
            (busy as f64 / ticks, (busy + idle) as f64 / ticks)
        });
        Self {
            at: Instant::now(),
            own: own.map_or(0.0, |stat| (stat.utime + stat.stime) as f64 / ticks),
            machine,
        }
    }

    fn since(&self, earlier: &Self) -> Generator {
        let seconds = self.at.duration_since(earlier.at).as_secs_f64().max(1e-6);
        let process = Process::myself().ok();
        let stat = process.as_ref().and_then(|process| process.stat().ok());
        Generator {
            cpu_cores: (self.own - earlier.own) / seconds,
            resident: Bytes(stat.as_ref().map_or(0, |stat| stat.rss_bytes().get())),
            threads: stat.as_ref().map_or(0, |stat| stat.num_threads.unsigned_abs()),
            descriptors: process.and_then(|process| process.fd_count().ok()).unwrap_or(0) as u64,
            machine_busy: self.machine.zip(earlier.machine).and_then(|(now, then)| {
                let all = now.1 - then.1;
                (all > 0.0).then(|| (now.0 - then.0) / all)
            }),
            ..Generator::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_seen() {
        let mut watch = SelfWatch::start();
        let mut sum = 0_u64;
        let end = Instant::now() + std::time::Duration::from_millis(60);
        while Instant::now() < end {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        let generator = watch.lap();
        assert!(generator.cpu_cores > 0.0, "{generator:?}");
        assert!(generator.threads >= 1 && generator.descriptors >= 3);
        assert!(generator.resident > Bytes(100_000));
    }
}
