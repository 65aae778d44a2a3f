//! Resource usage of a process, from `/proc`.

use std::{fs, os::unix::fs::MetadataExt, path::Path, time::Duration};

use procfs::{
    ProcResult,
    process::{ProcState, Process},
};
use tokio::{sync::mpsc, time::MissedTickBehavior};

use crate::{
    clock::Clock,
    hub::{HubError, TimedReading, host::storage},
    server::ServerReading,
    units::Bytes,
};

/// Time between two readings.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(1);
/// Readings queued for a slow engine at most.
const MAX_QUEUED_READINGS: usize = 16;

/// Reads the counters of a process; `None` once it has ended.
///
/// Network bytes are not counted per process, and page cache is not charged to a process: both are
/// missing. Block counters are missing when the process belongs to another user.
pub fn read(pid: i32) -> ProcResult<Option<ServerReading>> {
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
    Ok(Some(ServerReading {
        cpu: Some(ticks_to_duration(stat.utime + stat.stime + reaped)),
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

/// Reads the counters of the process of `role`, which has to be running.
///
/// # Errors
/// The process has ended, or cannot be read.
pub fn read_running(pid: i32, role: &str) -> Result<ServerReading, HubError> {
    let failed = |reason: String| HubError::Operation {
        what: format!("reading the resources of {role}"),
        reason,
    };
    read(pid)
        .map_err(|error| failed(error.to_string()))?
        .ok_or_else(|| failed(format!("process {pid} has ended")))
}

/// Streams a process's counters every second, until the process ends or the receiver is dropped.
pub fn watch(pid: i32, clock: Clock) -> mpsc::Receiver<TimedReading> {
    let (send, receive) = mpsc::channel(MAX_QUEUED_READINGS);
    tokio::spawn(async move {
        let mut tick = tokio::time::interval(SAMPLE_INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = send.closed() => return,
            }
            let Ok(Some(reading)) = read(pid) else { return };
            if send.send(TimedReading { at: clock.now(), reading }).await.is_err() {
                return;
            }
        }
    });
    receive
}

fn ticks_to_duration(ticks: u64) -> Duration {
    Duration::from_secs_f64(ticks as f64 / procfs::ticks_per_second() as f64)
}

const fn kibibytes(kibibytes: u64) -> Bytes {
    Bytes(kibibytes << 10)
}

/// Bytes that the whole machine wrote to the disk under `dir`; `None` when there is no disk under
/// it (a memory file system, an overlay) or the kernel does not count its writes.
pub fn disk_written(dir: &Path) -> Option<Bytes> {
    storage::bytes_written(&storage::device_number(fs::metadata(dir).ok()?.dev()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_counters() {
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
        // It stays a zombie until `wait`.
        while read(pid).unwrap().is_some() {
            std::thread::sleep(Duration::from_millis(1));
        }
        child.wait().unwrap();
        assert!(read(pid).unwrap().is_none());
    }
}
