//! This machine as a hub: read directly, without a helper container.

use std::{
    fs,
    io::Write,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use procfs::process::Process;
use tokio::{
    sync::mpsc,
    task::spawn_blocking,
    time::{MissedTickBehavior, interval},
};

use super::{
    HostCounters, HostReader, HostSample, MAX_QUEUED_SAMPLES,
    counters::SensorPaths,
    facts::{disk_name, read_facts},
    files::SystemFiles,
};
use crate::hub::machine::disk_space;

/// Time between two samples.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(1);
/// Synchronous writes whose mean time is measured.
const FSYNC_WRITES: u32 = 32;

/// Reads this machine, whose files `tree` shows. `data` is the folder above the servers' data.
pub async fn read_local(tree: SystemFiles, data: PathBuf) -> HostReader {
    let reading = {
        let (tree, data) = (tree.clone(), data.clone());
        spawn_blocking(move || {
            let mut facts = read_facts(&tree, &tree, &data);
            facts.fsync = measure_fsync(&data);
            facts
        })
    };
    let facts = reading.await.unwrap_or_default();
    let sensors = SensorPaths::find(&tree, &tree).with_disk(disk_name(&tree, &data));
    let (sender, samples) = mpsc::channel(MAX_QUEUED_SAMPLES);
    let finished = tokio::spawn(async move {
        let mut ticks = interval(SAMPLE_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = sender.closed() => return,
                _ = ticks.tick() => {}
            }
            // Reading a few small files from memory costs less than handing the work to another
            // thread.
            let sample =
                HostSample { at: Instant::now(), counters: read_counters(&tree, &sensors, &data) };
            // A slow receiver misses samples instead of blocking the reader.
            let _ = sender.try_send(sample);
        }
    });
    HostReader { facts, samples, finished }
}

fn read_counters(tree: &SystemFiles, sensors: &SensorPaths, data: &Path) -> HostCounters {
    let disk = data.to_str().and_then(disk_space);
    HostCounters { disk, own_cpu_time: own_cpu_time(), ..HostCounters::read(tree, sensors) }
}

/// Processor time of this program.
pub fn own_cpu_time() -> Option<Duration> {
    let stat = Process::myself().ok()?.stat().ok()?;
    let ticks = procfs::ticks_per_second() as f64;
    Some(Duration::from_secs_f64((stat.utime + stat.stime) as f64 / ticks))
}

/// Measures the mean time of a synchronous write of 4 KiB on the file system of `data`: in that
/// folder, or in another folder of the same file system that this user can write.
fn measure_fsync(data: &Path) -> Option<Duration> {
    let device = fs::metadata(data).ok()?.dev();
    let beside = [data, Path::new("/var/tmp"), Path::new("/tmp")];
    let mut file = beside
        .into_iter()
        .filter(|folder| fs::metadata(folder).is_ok_and(|found| found.dev() == device))
        .find_map(|folder| tempfile::tempfile_in(folder).ok())?;
    let started = Instant::now();
    for _ in 0..FSYNC_WRITES {
        file.write_all(&[0; 4096]).and_then(|()| file.sync_data()).ok()?;
    }
    started.elapsed().checked_div(FSYNC_WRITES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_machine_is_read_until_the_receiver_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let zone = folder.path().join("sys/class/thermal/thermal_zone0");
        fs::create_dir_all(&zone).unwrap();
        fs::write(zone.join("type"), "cpu-thermal").unwrap();
        fs::write(zone.join("temp"), "41000").unwrap();
        let tree = SystemFiles::Folder(folder.path().to_owned());
        let mut reader = read_local(tree, folder.path().to_owned()).await;
        assert!(reader.facts.fsync.is_some_and(|time| !time.is_zero()));
        let first = reader.samples.recv().await.unwrap().counters;
        assert_eq!(first.temperature.map(|t| t.0), Some(41_000));
        assert!(first.own_cpu_time.is_some() && first.disk.is_some());
        fs::write(zone.join("temp"), "42000").unwrap();
        while reader.samples.recv().await.unwrap().counters.temperature.map(|t| t.0) != Some(42_000)
        {
        }
        drop(reader.samples);
        reader.finished.await.unwrap();
    }
}
