//! This machine as a hub: read where it is, without a helper.

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

use super::{Attendance, BACKLOG, Beat, Pulse, facts::seen, pulse::Places, tree::Tree};
use crate::hub::machine::space_of;

/// Time between two pulses.
const PERIOD: Duration = Duration::from_secs(1);
/// Synchronous writes whose mean is taken.
const WRITES: u32 = 32;

/// Follows the machine that `tree` shows, which is this one. `data` is the folder under which the
/// servers' data lies.
pub async fn follow(tree: Tree, data: PathBuf) -> Attendance {
    let looked = {
        let (tree, data) = (tree.clone(), data.clone());
        spawn_blocking(move || {
            let mut facts = seen(&tree, &tree, &data);
            facts.fsync = fsync(&data);
            facts
        })
    };
    let facts = looked.await.unwrap_or_default();
    let places = Places::find(&tree, &tree);
    let (tell, beats) = mpsc::channel(BACKLOG);
    let gone = tokio::spawn(async move {
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = tell.closed() => return,
                _ = ticks.tick() => {}
            }
            // A few small files that live in memory: less than handing them to another thread.
            let beat = Beat { at: Instant::now(), pulse: here(&tree, &places, &data) };
            // Whoever is so slow misses pulses rather than holding the reader up.
            let _ = tell.try_send(beat);
        }
    });
    Attendance { facts, beats, gone }
}

fn here(tree: &Tree, places: &Places, data: &Path) -> Pulse {
    let disk = data.to_str().and_then(space_of);
    Pulse { disk, own: own(), ..Pulse::read(tree, places) }
}

/// Processor time of this program.
pub fn own() -> Option<Duration> {
    let stat = Process::myself().ok()?.stat().ok()?;
    let ticks = procfs::ticks_per_second() as f64;
    Some(Duration::from_secs_f64((stat.utime + stat.stime) as f64 / ticks))
}

/// Mean time of a synchronous write of 4 KiB on the file system of `data`: in that folder, or in
/// another of the same file system in which this user may write.
fn fsync(data: &Path) -> Option<Duration> {
    let device = fs::metadata(data).ok()?.dev();
    let beside = [data, Path::new("/var/tmp"), Path::new("/tmp")];
    let mut file = beside
        .into_iter()
        .filter(|folder| fs::metadata(folder).is_ok_and(|found| found.dev() == device))
        .find_map(|folder| tempfile::tempfile_in(folder).ok())?;
    let begun = Instant::now();
    for _ in 0..WRITES {
        file.write_all(&[0; 4096]).and_then(|()| file.sync_data()).ok()?;
    }
    begun.elapsed().checked_div(WRITES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_machine_is_followed_until_nobody_listens() {
        let folder = tempfile::tempdir().unwrap();
        let zone = folder.path().join("sys/class/thermal/thermal_zone0");
        fs::create_dir_all(&zone).unwrap();
        fs::write(zone.join("type"), "cpu-thermal").unwrap();
        fs::write(zone.join("temp"), "41000").unwrap();
        let tree = Tree::Folder(folder.path().to_owned());
        let mut attendance = follow(tree, folder.path().to_owned()).await;
        assert!(attendance.facts.fsync.is_some_and(|time| !time.is_zero()));
        let first = attendance.beats.recv().await.unwrap().pulse;
        assert_eq!(first.temperature.map(|t| t.0), Some(41_000));
        assert!(first.own.is_some() && first.disk.is_some());
        fs::write(zone.join("temp"), "42000").unwrap();
        while attendance.beats.recv().await.unwrap().pulse.temperature.map(|t| t.0) != Some(42_000)
        {
        }
        drop(attendance.beats);
        attendance.gone.await.unwrap();
    }
}
