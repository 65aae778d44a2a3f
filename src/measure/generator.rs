//! Health of the load generator, and what its machine can do at all.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    hot_thread::ThreadRole,
    units::{Bytes, human_duration},
};

/// Health of the load generator over the load.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct GeneratorHealth {
    /// Cores that this process used over the last second (in a record: mean over the load).
    pub cpu_cores: f64,
    /// Resident memory.
    pub resident: Bytes,
    /// Threads.
    pub threads: u64,
    /// Open file descriptors.
    pub descriptors: u64,
    /// 99th percentile of the lag in microseconds.
    pub lag_p99: Option<f64>,
    /// Snapshots dropped because a front end was slow.
    pub dropped_snapshots: u64,
    /// Busy share of the whole machine, 0 to 1, all processes together.
    pub machine_busy: Option<f64>,
    /// Share of the machine's processor time that its host gave to others (a virtual machine's stolen
    /// time), 0 to 1.
    #[serde(default)]
    pub stolen: Option<f64>,
    /// Largest share of one second that the host gave to others, 0 to 1.
    #[serde(default)]
    pub stolen_peak: Option<f64>,
    /// The threads that all messages pass through.
    #[serde(default)]
    pub hot_threads: Vec<ThreadLoad>,
    /// How late acknowledgements were noticed; `None` where the time of each is known exactly.
    #[serde(default)]
    pub ack_delay: Option<AckDelay>,
}

impl GeneratorHealth {
    /// The thread with the largest share of a core.
    pub fn hottest_thread(&self) -> Option<&ThreadLoad> {
        self.hot_threads.iter().max_by(|a, b| a.cores.total_cmp(&b.cores))
    }
}

/// Load of a thread that all messages pass through.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ThreadLoad {
    /// Name of the thread, as the operating system shows it.
    pub name: String,
    /// What the thread does with messages.
    pub role: ThreadRole,
    /// Share of a core that the thread used over the last second (in a record: mean over the load).
    pub cores: f64,
    /// Largest share of a core over one second of the load; `None` below a second.
    pub peak_cores: Option<f64>,
    /// Share of the time in which the thread was ready and waited for a core; `None` if the kernel does
    /// not count it.
    pub waiting: Option<f64>,
    /// Mean wait for a core each time the thread had work, in microseconds.
    pub mean_wait: Option<f64>,
    /// Number of times that the thread got a core.
    #[serde(default)]
    pub runs: u64,
    /// Longest pass in microseconds: the longest time for which the thread worked without looking for
    /// new work; in a record over load and drain.
    pub longest_pass: Option<f64>,
}

impl fmt::Display for ThreadLoad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:.2} of a core", self.name, self.cores)?;
        if let Some(peak) = self.peak_cores {
            write!(f, " (at most {peak:.2})")?;
        }
        if let Some(waiting) = self.waiting {
            write!(f, ", waited {:.1} %", waiting * 100.0)?;
        }
        if let Some(longest) = self.longest_pass {
            write!(f, ", longest pass {}", format_micros(longest))?;
        }
        Ok(())
    }
}

/// How late acknowledgements were noticed at most, in microseconds: the time between the two looks of
/// the client that an acknowledgement arrived between. On average it is half as late.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AckDelay {
    /// Median.
    pub p50: Option<f64>,
    /// 99th percentile; `None` with fewer than ten samples beyond it.
    pub p99: Option<f64>,
    /// Largest.
    pub max: Option<f64>,
}

/// What this machine's timer and loopback can do without any load, measured before a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SelfTest {
    /// Number of sleeps to an absolute time.
    pub sleeps: u64,
    /// Median lateness of their ends, in microseconds.
    pub timer_p50: Option<f64>,
    /// 99th percentile of their lateness; `None` with fewer than ten beyond it.
    pub timer_p99: Option<f64>,
    /// Largest lateness.
    pub timer_max: Option<f64>,
    /// Number of round trips of 64 bytes over TCP between two threads of this machine.
    pub round_trips: u64,
    /// Median round trip, in microseconds.
    pub loopback_p50: Option<f64>,
    /// 99th percentile of the round trips; `None` with fewer than ten beyond it.
    pub loopback_p99: Option<f64>,
    /// Share of the processor time that this machine's host gave to others meanwhile, 0 to 1.
    pub stolen: Option<f64>,
}

impl SelfTest {
    /// Describes the timer.
    pub fn timer_text(&self) -> String {
        format!(
            "timer late by p50 {}, p99 {}, max {}",
            time_text(self.timer_p50),
            time_text(self.timer_p99),
            time_text(self.timer_max)
        )
    }

    /// Describes the loopback, and the stolen time if there was any.
    pub fn loopback_text(&self) -> String {
        let stolen =
            self.stolen.filter(|stolen| *stolen > 0.0).map_or_else(String::new, |stolen| {
                format!("; {:.1} % of the processor time stolen", stolen * 100.0)
            });
        format!(
            "loopback round trip p50 {}, p99 {}{stolen}",
            time_text(self.loopback_p50),
            time_text(self.loopback_p99)
        )
    }
}

impl fmt::Display for SelfTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.timer_text(), self.loopback_text())
    }
}

fn time_text(micros: Option<f64>) -> String {
    micros.map_or_else(|| "–".to_owned(), format_micros)
}

fn format_micros(micros: f64) -> String {
    human_duration(Duration::from_secs_f64(micros.max(0.0) / 1e6))
}
