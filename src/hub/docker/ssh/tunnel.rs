//! The forwarded socket: an `ssh` that lives no longer than we do, started again when it ends.

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::UnixStream,
    sync::watch,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Destination, PATIENCE, failure::Failure};
use crate::hub::{
    HubError,
    child::{
        folder::{self, Folder},
        guarded,
        nursery::{Nursery, Offspring},
    },
    docker::call::plain,
    own_program,
};

/// How often an `ssh` is looked at: whether it is up, or has ended.
const GLANCE: Duration = Duration::from_millis(50);
/// First pause before a connection that failed is tried again; doubled each time.
const PAUSE: Duration = Duration::from_millis(250);
/// Longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Lines of `ssh` that are kept.
const LINES: usize = 40;
/// Longest path of a socket on Linux, its final zero byte not counted (`sun_path`).
const LONGEST_PATH: usize = 107;

/// A socket of ours that leads to an engine's. Dropped, the connection ends and the socket goes.
#[derive(Debug)]
pub struct Tunnel {
    destination: Destination,
    socket: PathBuf,
    state: watch::Receiver<State>,
    said: Said,
    folder: Arc<Mutex<Option<Folder>>>,
    _end: DropGuard,
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        // Now, not when the task that keeps it gets to it: the program may be about to end.
        drop(self.folder.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// Whether the socket leads anywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Up,
    /// Being established again; why the last attempt failed.
    Down(Failure),
}

/// The last lines of `ssh`.
type Said = Arc<Mutex<Vec<String>>>;

impl Tunnel {
    /// Connects; returns once the socket can be used, though there may be no engine behind it.
    ///
    /// # Errors
    /// Whatever keeps `ssh` from connecting, within ten seconds.
    pub async fn open(destination: &Destination) -> Result<Self, HubError> {
        let failed = |what: &str| {
            let what = format!("{what} for the connection to {destination}");
            move |error: io::Error| HubError::Operation { what, reason: error.to_string() }
        };
        let ssh = Destination::program()?;
        let folder = Folder::make(&folder::root()).map_err(failed("making a folder"))?;
        let socket = folder.data().join("engine.sock");
        if socket.as_os_str().len() > LONGEST_PATH {
            return Err(failed("making a socket")(io::Error::other(format!(
                "{} is too long a path: set {} to a shorter folder",
                socket.display(),
                folder::ROOT_VARIABLE
            ))));
        }
        let forward = format!("{}:{}", socket.display(), destination.socket());
        let mut line = vec![ssh];
        line.extend(destination.words(&["-N", "-L", &forward], None));
        let said = Said::default();
        let folder = Arc::new(Mutex::new(Some(folder)));
        let mut dialler = Dialler {
            own_program: own_program()?,
            line,
            nursery: Nursery::open().map_err(failed("starting a thread"))?,
            folder: Arc::clone(&folder),
            socket: socket.clone(),
            said: Arc::clone(&said),
        };
        let first = dialler.dial().await.map_err(|failure| failure.error(destination))?;
        let (tell, state) = watch::channel(State::Up);
        let token = CancellationToken::new();
        let cancelled = token.clone().cancelled_owned();
        let name = destination.to_string();
        tokio::spawn(async move {
            tokio::select! {
                () = cancelled => {}
                () = dialler.keep(first, &tell, &name) => {}
            }
        });
        let destination = destination.clone();
        Ok(Self { destination, socket, state, said, folder, _end: token.drop_guard() })
    }

    /// Connects to the engine's socket. While the connection is down, waits for it so long.
    pub async fn connect(&self, patience: Duration) -> io::Result<UnixStream> {
        let deadline = Instant::now() + patience;
        loop {
            self.up(deadline).await?;
            match UnixStream::connect(&self.socket).await {
                // `ssh` has just ended: it will be seen in a moment.
                Err(_) if Instant::now() < deadline => sleep(GLANCE).await,
                connected => return connected,
            }
        }
    }

    async fn up(&self, deadline: Instant) -> io::Result<()> {
        let mut state = self.state.clone();
        let up = tokio::time::timeout_at(deadline, state.wait_for(|state| *state == State::Up));
        match up.await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(io::Error::other("the connection was closed")),
            Err(_) => {
                let why = match &*self.state.borrow() {
                    State::Down(failure) => failure.reason(&self.destination),
                    State::Up => "no answer".to_owned(),
                };
                let place = &self.destination;
                Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    format!("the connection to {place} was lost and does not come back: {why}"),
                ))
            }
        }
    }

    /// Whether the connection goes down within a moment: what failed over it just now may then have
    /// failed for that reason.
    pub async fn goes_down(&self) -> bool {
        let mut state = self.state.clone();
        let down = timeout(10 * GLANCE, state.wait_for(|state| *state != State::Up));
        down.await.is_ok_and(|down| down.is_ok())
    }

    /// Why no engine answers, though `ssh` is connected.
    pub async fn diagnosis(&self) -> HubError {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Failure::behind(&self.destination, &said).await.error(&self.destination)
    }
}

/// Starts `ssh`, again and again.
struct Dialler {
    own_program: PathBuf,
    line: Vec<OsString>,
    nursery: Nursery,
    folder: Arc<Mutex<Option<Folder>>>,
    socket: PathBuf,
    said: Said,
}

impl Dialler {
    /// One attempt: an `ssh` whose socket can be connected.
    async fn dial(&mut self) -> Result<Offspring, Failure> {
        // What is left of an earlier one would only look like a socket.
        let _ = std::fs::remove_file(&self.socket);
        self.lines().clear();
        let failed = |error: io::Error| Failure::Other(format!("ssh cannot be started: {error}"));
        let mut command = guarded(&self.own_program, self.line.iter().cloned());
        command
            .current_dir(Path::new("/"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut ssh = self.nursery.start(command).await.map_err(failed)?;
        // Known to a later sweep, should we be killed before the kernel ties it to us.
        if let Some(folder) = &mut *self.folder.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = folder.adopt(ssh.id());
        }
        let listening =
            ssh.stderr().map(|stderr| tokio::spawn(listen(stderr, Arc::clone(&self.said))));
        let deadline = Instant::now() + PATIENCE;
        loop {
            if ssh.ended().map_err(failed)?.is_some() {
                if let Some(listening) = listening {
                    // A child of its own may hold the pipe open.
                    let _ = timeout(10 * GLANCE, listening).await;
                }
                return Err(Failure::of(&self.lines()));
            }
            if UnixStream::connect(&self.socket).await.is_ok() {
                return Ok(ssh);
            }
            if Instant::now() > deadline {
                return Err(Failure::Silent);
            }
            sleep(GLANCE).await;
        }
    }

    /// Waits for the end of `ssh` and starts it again, for ever.
    async fn keep(mut self, first: Offspring, state: &watch::Sender<State>, name: &str) {
        let mut ssh = first;
        loop {
            while matches!(ssh.ended(), Ok(None)) {
                sleep(GLANCE).await;
            }
            let mut failure = Failure::of(&self.lines());
            tracing::warn!("the connection to {name} ended ({failure:?}): connecting anew");
            let mut pause = PAUSE;
            ssh = loop {
                state.send_replace(State::Down(failure));
                match self.dial().await {
                    Ok(ssh) => break ssh,
                    Err(again) => failure = again,
                }
                sleep(pause).await;
                pause = (2 * pause).min(LONGEST_PAUSE);
            };
            tracing::info!("the connection to {name} is back");
            state.send_replace(State::Up);
        }
    }

    fn lines(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps the last lines that `ssh` writes. They may hold what a stranger's server sends, so they
/// are made plain.
async fn listen(stderr: std::process::ChildStderr, said: Said) {
    let Ok(stderr) = tokio::process::ChildStderr::from_std(stderr) else { return };
    let mut lines = BufReader::new(stderr).split(b'\n');
    while let Ok(Some(line)) = lines.next_segment().await {
        let line: String = plain(&String::from_utf8_lossy(&line)).chars().take(300).collect();
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        said.push(line);
        if said.len() > LINES {
            said.remove(0);
        }
    }
}
