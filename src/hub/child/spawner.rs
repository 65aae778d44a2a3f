//! Start and end of child processes.
//!
//! The kernel ties a child to the *thread* that started it, not to the process: a child started on
//! a thread of a runtime's pool would be killed when that thread idles out. So a single thread,
//! which lives as long as the hub, starts all children.

use std::{
    io,
    os::unix::process::{CommandExt, ExitStatusExt},
    process::{Child, ChildStderr, Command, ExitStatus},
    sync::mpsc,
    thread,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tokio::{sync::oneshot, time::Instant};

/// Interval at which a child's exit is polled.
const EXIT_POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Starts child processes, which are killed when this value is dropped at the latest.
pub struct ChildSpawner {
    requests: mpsc::Sender<SpawnRequest>,
}

struct SpawnRequest {
    command: Command,
    reply: oneshot::Sender<io::Result<ChildHandle>>,
}

/// A child process in a separate process group, out of reach of the terminal's Ctrl-C. Dropping it
/// kills the whole group.
pub struct ChildHandle(Child);

impl ChildSpawner {
    /// Starts the thread that will start the children.
    pub fn new() -> io::Result<Self> {
        let (requests, receiver) = mpsc::channel::<SpawnRequest>();
        thread::Builder::new().name("spawner".into()).spawn(move || {
            for SpawnRequest { mut command, reply } in receiver {
                let child = command.process_group(0).spawn().map(ChildHandle);
                // A caller that no longer waits does not receive the child: the child is dropped,
                // and so killed.
                drop(reply.send(child));
            }
        })?;
        Ok(Self { requests })
    }

    /// Starts a child.
    pub async fn spawn(&self, command: Command) -> io::Result<ChildHandle> {
        let (reply, child) = oneshot::channel();
        let closed = || io::Error::other("the thread that starts processes has ended");
        self.requests.send(SpawnRequest { command, reply }).map_err(|_| closed())?;
        child.await.map_err(|_| closed())?
    }
}

impl ChildHandle {
    /// The process number.
    pub fn id(&self) -> i32 {
        self.0.id().cast_signed()
    }

    /// The child's standard error, if that is a pipe; once.
    pub fn stderr(&mut self) -> Option<ChildStderr> {
        self.0.stderr.take()
    }

    /// The exit status, if the child has exited.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.0.try_wait()
    }

    /// Waits for the child's exit, for `timeout` at most; `None` when it still runs then.
    pub async fn wait_timeout(&mut self, timeout: Duration) -> io::Result<Option<ExitStatus>> {
        let deadline = Instant::now() + timeout;
        loop {
            match self.try_wait()? {
                None if Instant::now() < deadline => tokio::time::sleep(EXIT_POLL_INTERVAL).await,
                status => return Ok(status),
            }
        }
    }

    /// Sends a signal to the child's process group; does nothing when the child has exited.
    pub fn signal(&self, signal: Signal) {
        // The child is not yet reaped, so its number, which is also its group's, cannot belong to
        // another process.
        let _ = killpg(Pid::from_raw(self.id()), signal);
    }
}

impl Drop for ChildHandle {
    fn drop(&mut self) {
        if matches!(self.try_wait(), Ok(None)) {
            self.signal(Signal::SIGKILL);
            let _ = self.0.wait();
        }
    }
}

/// The exit code; 128 plus the signal's number for a process ended by a signal, as in shells.
pub fn exit_code(status: ExitStatus) -> Option<i32> {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal))
}
