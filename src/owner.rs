//! Who made something that outlives him, by labels or by its name: so leftovers of dead runs are told
//! from what living ones need.

use std::{collections::HashMap, fs};

use nix::{errno::Errno, sys::signal, unistd::Pid};
use procfs::process::{ProcState, Process};
use sha2::{Digest, Sha256};

/// The run's identity; nothing without this label is ever touched.
pub const RUN: &str = "hubmark.run";
/// The server's role.
pub const ROLE: &str = "hubmark.role";
const PID: &str = "hubmark.pid";
const BORN: &str = "hubmark.pid-born";
const SPACE: &str = "hubmark.pid-space";
const HOST: &str = "hubmark.host";
const BOOT: &str = "hubmark.boot";

/// Digits of a place in a short name.
const PLACE: usize = 6;

/// A process, named so that no other process of any machine at any time has the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Its number.
    pid: i32,
    /// Clock ticks from the machine's start to the process's: numbers are used again.
    born: u64,
    /// The name space in which the number holds.
    space: String,
    /// The machine.
    host: String,
    /// The machine's present start.
    boot: String,
}

/// Whether the process that started a container is still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It runs.
    Living,
    /// It has ended.
    Dead,
    /// It belongs to another machine or name space: not ours to judge.
    Unknown,
}

impl Owner {
    /// This process; `None` without a readable `/proc`.
    pub fn this_process() -> Option<Self> {
        let process = Process::myself().ok()?;
        Some(Self {
            pid: process.pid,
            born: process.stat().ok()?.starttime,
            space: fs::read_link("/proc/self/ns/pid").ok()?.to_string_lossy().into_owned(),
            host: host(),
            boot: fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().to_owned(),
        })
    }

    /// The labels that name it.
    pub fn labels(&self) -> [(String, String); 5] {
        [
            (PID, self.pid.to_string()),
            (BORN, self.born.to_string()),
            (SPACE, self.space.clone()),
            (HOST, self.host.clone()),
            (BOOT, self.boot.clone()),
        ]
        .map(|(key, value)| (key.to_owned(), value))
    }

    /// A short name of it, its parts divided by `mark`: for what has a name and no labels.
    pub fn short(&self, mark: char) -> String {
        let Self { pid, born, .. } = self;
        let [host, boot, space] = self.places();
        format!("{host}{boot}{space}{mark}{pid}{mark}{born}")
    }

    /// What became of the process that such a name names; `None` where it names none.
    pub fn fate_of_short(
        short: &str,
        mark: char,
        judge: &Self,
        alive: impl FnOnce(i32, u64) -> bool,
    ) -> Option<Fate> {
        let parts: Vec<&str> = short.split(mark).collect();
        let [places, pid, born] = parts[..] else { return None };
        let (pid, born) = (pid.parse().ok()?, born.parse().ok()?);
        let [host, boot, space] = judge.places();
        if places.len() != 3 * PLACE || !places.is_ascii() {
            return None;
        }
        // Only what of its places is the judge's counts further on.
        let same = |own: &str, part: usize| own == &places[part * PLACE..(part + 1) * PLACE];
        let word = |own: &String, is: bool| if is { own.clone() } else { format!("not {own}") };
        let named = Self {
            pid,
            born,
            space: word(&judge.space, same(&space, 2)),
            host: word(&judge.host, same(&host, 0)),
            boot: word(&judge.boot, same(&boot, 1)),
        };
        Some(named.fate(judge, alive))
    }

    /// A few digits that tell machine, its start and name space apart.
    fn places(&self) -> [String; 3] {
        [&self.host, &self.boot, &self.space].map(|place| {
            let hash = Sha256::digest(place);
            format!("{:02x}{:02x}{:02x}", hash[0], hash[1], hash[2])
        })
    }

    /// The process that a container's labels name; `None` when they do not name one.
    pub fn from_labels(labels: &HashMap<String, String>) -> Option<Self> {
        let text = |key| labels.get(key).cloned();
        Some(Self {
            pid: text(PID)?.parse().ok()?,
            born: text(BORN)?.parse().ok()?,
            space: text(SPACE)?,
            host: text(HOST)?,
            boot: text(BOOT)?,
        })
    }

    /// What became of this process, as `judge` sees it. `alive` says whether a process of that
    /// number and birth runs here.
    pub fn fate(&self, judge: &Self, alive: impl FnOnce(i32, u64) -> bool) -> Fate {
        if self.host != judge.host {
            return Fate::Unknown;
        }
        if self.boot != judge.boot {
            return Fate::Dead;
        }
        if self.space != judge.space {
            return Fate::Unknown;
        }
        if alive(self.pid, self.born) { Fate::Living } else { Fate::Dead }
    }
}

/// Whether a process of that number and birth runs on this machine. What cannot be seen is taken
/// to be alive.
pub fn alive(pid: i32, born: u64) -> bool {
    if pid <= 0 || signal::kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH) {
        return false;
    }
    match Process::new(pid).and_then(|process| process.stat()) {
        Ok(stat) => {
            let ended = matches!(stat.state(), Ok(ProcState::Zombie | ProcState::Dead));
            stat.starttime == born && !ended
        }
        Err(_) => true,
    }
}

/// The machine's name for people, and a part of a hash of its identity, which is not to be shown.
fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let identity = fs::read_to_string("/etc/machine-id").unwrap_or_default();
    let hash = Sha256::digest(identity.trim());
    let short = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
    format!("{}-{short:08x}", name.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn someone() -> Owner {
        Owner {
            pid: 4711,
            born: 1234,
            space: "pid:[1]".to_owned(),
            host: "desk-00000000".to_owned(),
            boot: "b1".to_owned(),
        }
    }

    #[test]
    fn an_owner_survives_its_labels() {
        let owner = Owner::this_process().unwrap();
        let labels = HashMap::from(owner.labels());
        assert_eq!(Owner::from_labels(&labels), Some(owner));
        for missing in [PID, BORN, SPACE, HOST, BOOT] {
            let mut fewer = labels.clone();
            fewer.remove(missing);
            assert_eq!(Owner::from_labels(&fewer), None, "{missing}");
        }
    }

    #[test]
    fn only_a_process_known_to_be_dead_leaves_leftovers() {
        let judge = Owner { pid: 1, born: 1, ..someone() };
        let fate = |owner: Owner, alive: bool| {
            owner.fate(&judge, |pid, born| {
                assert_eq!((pid, born), (4711, 1234));
                alive
            })
        };
        assert_eq!(fate(someone(), true), Fate::Living);
        assert_eq!(fate(someone(), false), Fate::Dead);
        let elsewhere = Owner { host: "pi-00000000".to_owned(), ..someone() };
        assert_eq!(fate(elsewhere, false), Fate::Unknown);
        let before_reboot = Owner { boot: "b0".to_owned(), ..someone() };
        assert_eq!(fate(before_reboot, true), Fate::Dead);
        let in_a_container = Owner { space: "pid:[2]".to_owned(), ..someone() };
        assert_eq!(fate(in_a_container, false), Fate::Unknown);
    }

    #[test]
    fn a_short_name_tells_as_much() {
        let judge = Owner { pid: 1, born: 1, ..someone() };
        let fate = |owner: Owner, alive: bool| {
            Owner::fate_of_short(&owner.short('-'), '-', &judge, |pid, born| {
                assert_eq!((pid, born), (4711, 1234));
                alive
            })
        };
        assert_eq!(fate(someone(), true), Some(Fate::Living));
        assert_eq!(fate(someone(), false), Some(Fate::Dead));
        let other = |change: fn(&mut Owner)| {
            let mut other = someone();
            change(&mut other);
            fate(other, false)
        };
        assert_eq!(other(|owner| owner.host = "pi".into()), Some(Fate::Unknown));
        assert_eq!(other(|owner| owner.space = "pid:[2]".into()), Some(Fate::Unknown));
        assert_eq!(other(|owner| owner.boot = "b0".into()), Some(Fate::Dead));
        for text in ["", "1-2-3", "abc-4711-1234", "ööööööööö-4711-1234", "a-b"] {
            assert_eq!(Owner::fate_of_short(text, '-', &judge, |_, _| false), None, "{text}");
        }
    }

    #[test]
    fn a_number_used_again_is_another_process() {
        let own = Owner::this_process().unwrap();
        assert!(alive(own.pid, own.born));
        assert!(!alive(own.pid, own.born + 1));
        assert!(!alive(0, 0));
    }

    #[test]
    fn a_process_that_ended_and_was_not_waited_for_is_dead() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let born = Process::new(pid).unwrap().stat().unwrap().starttime;
        assert!(alive(pid, born));
        child.kill().unwrap();
        while Process::new(pid).unwrap().stat().unwrap().state().unwrap() != ProcState::Zombie {
            std::thread::yield_now();
        }
        assert!(!alive(pid, born));
        child.wait().unwrap();
        assert!(!alive(pid, born));
    }
}
