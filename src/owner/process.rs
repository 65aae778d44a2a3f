//! Identity of a process beyond its number, which the system reuses.

use std::{fs, io};

use nix::{errno::Errno, sys::signal, unistd::Pid};
use procfs::{
    ProcResult,
    process::{ProcState, Process},
};
use serde::{Deserialize, Serialize};

/// A process, distinguished by its start time from a later process with the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessIdentity {
    /// Process number.
    pub pid: i32,
    /// Clock ticks from the boot to the start of the process.
    #[serde(rename = "started")]
    pub start_ticks: u64,
}

impl ProcessIdentity {
    /// Reads the identity of the running process with the number `pid`.
    pub fn read(pid: i32) -> ProcResult<Self> {
        Ok(Self { pid, start_ticks: Process::new(pid)?.stat()?.starttime })
    }

    /// Reads the identity of this process.
    pub fn this_process() -> ProcResult<Self> {
        Self::read(std::process::id().cast_signed())
    }

    /// Whether the process runs on this machine; a zombie does not. `true` if the start time of a
    /// process with that number cannot be read.
    pub fn is_alive(self) -> bool {
        if self.pid <= 0 || signal::kill(Pid::from_raw(self.pid), None) == Err(Errno::ESRCH) {
            return false;
        }
        match Process::new(self.pid).and_then(|process| process.stat()) {
            Ok(stat) => {
                let ended = matches!(stat.state(), Ok(ProcState::Zombie | ProcState::Dead));
                stat.starttime == self.start_ticks && !ended
            }
            Err(_) => true,
        }
    }
}

/// Scope in which a process number is valid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PidScope {
    /// Identity of the machine's boot.
    #[serde(rename = "boot")]
    pub boot_id: String,
    /// PID namespace: its process numbers cannot be looked up in another one.
    #[serde(rename = "namespace")]
    pub pid_namespace: String,
}

impl PidScope {
    /// Reads the scope of this process.
    pub fn current() -> io::Result<Self> {
        Ok(Self {
            boot_id: fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned(),
            pid_namespace: fs::read_link("/proc/self/ns/pid")?.to_string_lossy().into_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reused_process_number_is_another_process() {
        let own = ProcessIdentity::this_process().unwrap();
        assert!(own.is_alive());
        assert!(!ProcessIdentity { start_ticks: own.start_ticks + 1, ..own }.is_alive());
        assert!(!ProcessIdentity { pid: 0, start_ticks: 0 }.is_alive());
    }

    #[test]
    fn a_zombie_process_is_dead() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let pid = child.id().cast_signed();
        let process = ProcessIdentity::read(pid).unwrap();
        assert!(process.is_alive());
        child.kill().unwrap();
        while Process::new(pid).unwrap().stat().unwrap().state().unwrap() != ProcState::Zombie {
            std::thread::yield_now();
        }
        assert!(!process.is_alive());
        child.wait().unwrap();
        assert!(!process.is_alive());
    }
}
