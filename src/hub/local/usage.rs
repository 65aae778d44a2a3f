//! What a process costs, from `/proc`.

use std::{fs, os::unix::fs::MetadataExt, path::Path, time::Duration};

use nix::sys::stat::{major, minor};
use procfs::{
    ProcResult,
    process::{ProcState, Process},
};
use tokio::{sync::mpsc, time::MissedTickBehavior};

use crate::{
    clock::Clock,
    hub::{HubError, Sampled},
    server::Reading,
    units::Bytes,
};

/// Time between two readings.
const PERIOD: Duration = Duration::from_secs(1);
/// Readings that may wait for a slow engine.
const WAITING_READINGS: usize = 16;
/// Linux counts disk sectors in this unit whatever the disk's own.
const SECTOR: u64 = 512;

/// The counters of a process; `None` once it has ended.
///
/// Network bytes are not counted per process, and page cache is not charged to one: both are
/// missing. Block counters are missing where the process belongs to another user.
pub fn read(pid: i32) -> ProcResult<Option<Reading>> {
    let process = match Process::new(pid) {
        Err(procfs::ProcError::NotFound(_)) => return Ok(None),
        other => other?,
    };
    let stat = process.stat()?;
    if matches!(stat.state()?, ProcState::Zombie | ProcState::Dead) {
        return Ok(None);
    }
    let status = process.status()?;
    let io = process.io().ok();
    let reaped = stat.cutime.max(0).cast_unsigned() + stat.cstime.max(0).cast_unsigned();
    Ok(Some(Reading {
        cpu: Some(ticks(stat.utime + stat.stime + reaped)),
        memory: status.vmrss.map(kibibytes),
        resident: status.rssanon.map(kibibytes),
        cache: None,
        block_read: io.map(|io| Bytes(io.read_bytes)),
        block_written: io.map(|io| Bytes(io.write_bytes)),
        network_received: None,
        network_sent: None,
        tasks: u64::try_from(stat.num_threads).ok(),
        throttled: None,
    }))
}

/// The counters of the process that plays `role`, now.
///
/// # Errors
/// That it has ended.
pub fn now(pid: i32, role: &str) -> Result<Reading, HubError> {
    let failed = |reason: String| HubError::Operation {
        what: format!("reading the resources of {role}"),
        reason,
    };
    read(pid)
        .map_err(|error| failed(error.to_string()))?
        .ok_or_else(|| failed(format!("process {pid} has ended")))
}

/// Its counters each second, until it ends or nobody listens.
pub fn watch(pid: i32, clock: Clock) -> mpsc::Receiver<Sampled> {
    let (send, receive) = mpsc::channel(WAITING_READINGS);
    tokio::spawn(async move {
        let mut tick = tokio::time::interval(PERIOD);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = send.closed() => return,
            }
            let Ok(Some(reading)) = read(pid) else { return };
            if send.send(Sampled { at: clock.now(), reading }).await.is_err() {
                return;
            }
        }
    });
    receive
}

fn ticks(ticks: u64) -> Duration {
    Duration::from_secs_f64(ticks as f64 / procfs::ticks_per_second() as f64)
}

const fn kibibytes(kibibytes: u64) -> Bytes {
    Bytes(kibibytes << 10)
}

/// Bytes that the whole machine wrote to the disk under `dir`; `None` when there is none under it
/// (a memory file system, an overlay), or it is not counted.
pub fn disk_written(dir: &Path) -> Option<Bytes> {
    let device = fs::metadata(dir).ok()?.dev();
    let (major, minor) = (i32::try_from(major(device)).ok()?, i32::try_from(minor(device)).ok()?);
    let disks = procfs::diskstats().ok()?;
    let disk = disks.iter().find(|disk| (disk.major, disk.minor) == (major, minor))?;
    Some(Bytes(disk.sectors_written * SECTOR))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_costs_something() {
        let pid = std::process::id().cast_signed();
        let reading = read(pid).unwrap().unwrap();
        assert!(reading.memory.unwrap() >= reading.resident.unwrap());
        assert!(reading.resident.unwrap().0 > 0 && reading.tasks.unwrap() > 0);
        assert!(reading.cpu.is_some() && reading.network_sent.is_none());
    }

    #[test]
    fn a_process_that_ended_has_no_counters() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id().cast_signed();
        // It stays a zombie until waited for.
        while read(pid).unwrap().is_some() {
            std::thread::sleep(Duration::from_millis(1));
        }
        child.wait().unwrap();
        assert!(read(pid).unwrap().is_none());
    }
}
