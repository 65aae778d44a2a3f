//! Run context: the running servers of one repetition, with the conditions that end its load early.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::time::sleep;

use super::{
    RunError,
    control::Control,
    measure::{host_monitor::MonitoredHost, sampler::Sampler},
    servers::RepetitionServers,
};
use crate::{
    clock::{Clock, Micros},
    event::{EventSender, LogLevel},
    hub::Hub,
    server::ServerReading,
    units::Bytes,
};

/// Interval between two checks of servers after the readings of one have ended.
const EXIT_POLL_INTERVAL: Duration = Duration::from_millis(250);

/// Running servers of one repetition, with the conditions that end its load early.
pub struct RepetitionEnvironment<'a> {
    pub hub: &'a Arc<dyn Hub>,
    pub events: &'a EventSender,
    pub control: &'a Control,
    pub servers: &'a RepetitionServers,
    pub sampler: &'a Sampler,
    pub host: MonitoredHost<'a>,
    pub clock: Clock,
}

/// Readings of all servers at one time.
pub struct CounterReadings {
    /// Time after the last reading.
    pub at: Micros,
    /// Reading of each server by its role; a server that could not be read is missing.
    pub readings: BTreeMap<String, ServerReading>,
}

/// Size of a server's data, and bytes written by the disk under it.
#[derive(Debug, Clone, Copy, Default)]
pub struct DiskUsage {
    /// Size of the data folder.
    pub size: Option<Bytes>,
    /// Bytes written by the hub's disk.
    pub written: Option<Bytes>,
}

impl RepetitionEnvironment<'_> {
    /// Runs `future` to its end, unless the operator stops the run or a server exits first.
    ///
    /// # Errors
    /// The operator stopped the run, or a server exited.
    pub async fn unless_ended<T>(&self, future: impl Future<Output = T>) -> Result<T, RunError> {
        tokio::select! {
            value = future => Ok(value),
            () = self.control.stop_token().cancelled() => Err(RunError::Stopped),
            report = self.wait_for_exit() => Err(RunError::ServerExited(report)),
        }
    }

    /// Waits until one of the servers exits, and returns its exit report.
    async fn wait_for_exit(&self) -> String {
        self.sampler.ended().await;
        loop {
            // Readings may end for other reasons, too; only the hub knows whether a server runs.
            if let Some(report) = self.servers.exit_report().await {
                return report;
            }
            sleep(EXIT_POLL_INTERVAL).await;
        }
    }

    /// Reads the counters of all servers.
    pub async fn read_counters(&self) -> CounterReadings {
        let mut readings = BTreeMap::new();
        for server in &self.servers.running {
            match self.hub.read(server).await {
                Ok(reading) => {
                    readings.insert(server.role.clone(), reading);
                }
                Err(error) => self.events.log(LogLevel::Warn, error.to_string()),
            }
        }
        CounterReadings { at: self.clock.now(), readings }
    }

    /// Returns the servers' counters just after `at`: the sampler's first reading from then on, else one that
    /// is read now.
    pub async fn read_counters_after(&self, at: Micros) -> CounterReadings {
        let now = self.read_counters().await;
        let mut readings = now.readings;
        let mut latest = None;
        for (role, reading) in &mut readings {
            let sampled = self.sampler.first_reading_after(role, at);
            let (time, value) = sampled.unwrap_or((now.at, *reading));
            *reading = value;
            latest = latest.max(Some(time));
        }
        CounterReadings { at: latest.unwrap_or(now.at), readings }
    }

    /// Measures the data sizes and disk writes of all servers; too slow to call during a load.
    pub async fn measure_disks(&self) -> BTreeMap<String, DiskUsage> {
        let mut disks = BTreeMap::new();
        for server in &self.servers.running {
            let size = self.hub.data_size(server).await;
            let written = self.hub.disk_written(server).await;
            disks.insert(server.role.clone(), DiskUsage { size, written });
        }
        disks
    }
}
