//! The stage of a repetition: running servers under observation, and everything that may end a
//! scene on it early.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::time::sleep;

use super::{EngineError, attendant::Watch, control::Control, sampler::Sampler, servers::Servers};
use crate::{
    clock::{Clock, Micros},
    event::{Level, Teller},
    hub::Hub,
    server::Reading,
    units::Bytes,
};

/// How often a server whose readings have ended is asked whether it still lives.
const LIFE_GLANCE: Duration = Duration::from_millis(250);

/// Running servers under observation.
pub struct Stage<'a> {
    pub hub: &'a Arc<dyn Hub>,
    pub teller: &'a Teller,
    pub control: &'a Control,
    pub servers: &'a Servers,
    pub sampler: &'a Sampler,
    pub watch: Watch<'a>,
    pub clock: Clock,
}

/// Readings of all servers at one moment.
pub struct Marks {
    /// When.
    pub at: Micros,
    /// By role; a server that could not be read is missing.
    pub readings: BTreeMap<String, Reading>,
}

/// Size of a server's data, and what the disk under it has written.
#[derive(Debug, Clone, Copy, Default)]
pub struct DiskMark {
    /// Size of the data folder.
    pub size: Option<Bytes>,
    /// Written by the hub's disk.
    pub written: Option<Bytes>,
}

impl Stage<'_> {
    /// Resolves `future`, unless the operator stops the run or a server dies first.
    ///
    /// # Errors
    /// Which of the two it was.
    pub async fn unless_ended<T>(&self, future: impl Future<Output = T>) -> Result<T, EngineError> {
        tokio::select! {
            value = future => Ok(value),
            () = self.control.token().cancelled() => Err(EngineError::Stopped),
            obituary = self.death() => Err(EngineError::ServerEnded(obituary)),
        }
    }

    /// Resolves with an obituary when one of the servers has died.
    async fn death(&self) -> String {
        self.sampler.ended().await;
        loop {
            // Readings may end for other reasons, too; only the hub knows who lives.
            if let Some(obituary) = self.servers.obituary().await {
                return obituary;
            }
            sleep(LIFE_GLANCE).await;
        }
    }

    /// Reads all servers' counters now.
    pub async fn marks(&self) -> Marks {
        let mut readings = BTreeMap::new();
        for server in &self.servers.running {
            match self.hub.read(server).await {
                Ok(reading) => {
                    readings.insert(server.role.clone(), reading);
                }
                Err(error) => self.teller.log(Level::Warn, error.to_string()),
            }
        }
        Marks { at: self.clock.now(), readings }
    }

    /// Measures all servers' data. May take a moment: not during a load.
    pub async fn disks(&self) -> BTreeMap<String, DiskMark> {
        let mut disks = BTreeMap::new();
        for server in &self.servers.running {
            let size = self.hub.data_size(server).await;
            let written = self.hub.disk_written(server).await;
            disks.insert(server.role.clone(), DiskMark { size, written });
        }
        disks
    }
}
