//! Where child processes are born and end.
//!
//! The kernel ties a child to the *thread* that started it, not to the process: a child started on
//! a thread of a runtime's pool would be killed when that thread idles out. So one thread, which
//! lives as long as the hub, starts them all.

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

/// How often a child that should end is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// Starts children that live no longer than itself.
pub struct Nursery {
    orders: mpsc::Sender<Order>,
}

struct Order {
    command: Command,
    reply: oneshot::Sender<io::Result<Offspring>>,
}

/// A child process, in a process group of its own: a terminal's Ctrl-C is not for it. Dropped, it
/// is killed with all its group.
pub struct Offspring(Child);

impl Nursery {
    /// Opens one.
    pub fn open() -> io::Result<Self> {
        let (orders, waiting) = mpsc::channel::<Order>();
        thread::Builder::new().name("nursery".into()).spawn(move || {
            for Order { mut command, reply } in waiting {
                let born = command.process_group(0).spawn().map(Offspring);
                // Whoever no longer waits for a child does not get it: it is dropped, and killed.
                drop(reply.send(born));
            }
        })?;
        Ok(Self { orders })
    }

    /// Starts a child.
    pub async fn start(&self, command: Command) -> io::Result<Offspring> {
        let (reply, born) = oneshot::channel();
        let closed = || io::Error::other("the thread that starts processes is gone");
        self.orders.send(Order { command, reply }).map_err(|_| closed())?;
        born.await.map_err(|_| closed())?
    }
}

impl Offspring {
    /// Its process number.
    pub fn id(&self) -> i32 {
        self.0.id().cast_signed()
    }

    /// What it writes to its standard error, if that is a pipe; once.
    pub fn stderr(&mut self) -> Option<ChildStderr> {
        self.0.stderr.take()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.0.try_wait()
    }

    /// Waits for its end, for so long at most.
    pub async fn end(&mut self, patience: Duration) -> io::Result<Option<ExitStatus>> {
        let deadline = Instant::now() + patience;
        loop {
            match self.ended()? {
                None if Instant::now() < deadline => tokio::time::sleep(LOOK).await,
                answer => return Ok(answer),
            }
        }
    }

    /// Sends a signal to it and its group. A child that has ended is no error.
    pub fn signal(&self, signal: Signal) {
        // Not yet waited for, so its number, which is also its group's, is nobody else's.
        let _ = killpg(Pid::from_raw(self.id()), signal);
    }
}

impl Drop for Offspring {
    fn drop(&mut self) {
        if matches!(self.ended(), Ok(None)) {
            self.signal(Signal::SIGKILL);
            let _ = self.0.wait();
        }
    }
}

/// The exit code; 128 and the signal's number for a process that a signal ended, as shells count.
pub fn code(status: ExitStatus) -> Option<i32> {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal))
}
