//! Keeps a forwarded socket open: supervises an `ssh` that ends with this program, and restarts it.

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::UnixStream,
    sync::watch,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{SshDestination, failure::SshFailure};
use crate::hub::{
    HubError,
    child::{
        guarded_command,
        program::own_program,
        server_folder::{self, ServerFolder},
        spawner::{ChildHandle, ChildSpawner},
    },
    docker::api_call::strip_control_characters,
};

/// Interval of checking whether `ssh` is connected or has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// First pause before reconnecting; doubled after each failure.
const FIRST_RETRY_DELAY: Duration = Duration::from_millis(250);
/// Longest pause before reconnecting.
const MAX_RETRY_DELAY: Duration = Duration::from_secs(5);
/// Maximum number of stored output lines of `ssh`.
const MAX_STDERR_LINES: usize = 40;
/// Longest path of a socket on Linux, without its final zero byte (`sun_path`).
const MAX_SOCKET_PATH_BYTES: usize = 107;

/// A local socket that is forwarded to an engine's; dropping it ends the connection and removes the
/// socket.
#[derive(Debug)]
pub struct SshTunnel {
    destination: SshDestination,
    socket: PathBuf,
    state: watch::Receiver<TunnelState>,
    stderr_lines: StderrLines,
    folder: Arc<Mutex<Option<ServerFolder>>>,
    _end: DropGuard,
}

impl Drop for SshTunnel {
    fn drop(&mut self) {
        // Removed here and not by the supervising task: the program may be about to end.
        drop(self.folder.lock().take());
    }
}

/// Whether the socket is connected.
#[derive(Debug, Clone, PartialEq, Eq)]
enum TunnelState {
    Up,
    /// Reconnecting; with the cause of the last failure.
    Down(SshFailure),
}

/// The last output lines of `ssh`.
type StderrLines = Arc<Mutex<Vec<String>>>;

impl SshTunnel {
    /// Connects; returns once the socket can be used, though there may be no engine behind it.
    ///
    /// # Errors
    /// Any failure of `ssh` to connect, within the destination's longest wait.
    pub async fn open(destination: &SshDestination) -> Result<Self, HubError> {
        let failed = |what: &str| {
            let what = format!("{what} for the connection to {destination}");
            move |error: io::Error| HubError::Operation { what, reason: error.to_string() }
        };
        let ssh = SshDestination::ssh_program()?;
        let folder = ServerFolder::create(&server_folder::temp_root())
            .map_err(failed("creating a folder"))?;
        let socket = folder.data().join("engine.sock");
        if socket.as_os_str().len() > MAX_SOCKET_PATH_BYTES {
            return Err(failed("creating a socket")(io::Error::other(format!(
                "the path {} is too long: set {} to a shorter folder",
                socket.display(),
                server_folder::TEMP_ROOT_VARIABLE
            ))));
        }
        let forward = format!("{}:{}", socket.display(), destination.socket());
        let mut line = vec![ssh];
        line.extend(destination.ssh_arguments(&["-N", "-L", &forward], None));
        let stderr_lines = StderrLines::default();
        let folder = Arc::new(Mutex::new(Some(folder)));
        let mut supervisor = TunnelSupervisor {
            own_program: own_program()?,
            command_line: line,
            connect_timeout: destination.hard_connect_timeout(),
            spawner: ChildSpawner::new().map_err(failed("starting a thread"))?,
            folder: Arc::clone(&folder),
            socket: socket.clone(),
            stderr_lines: Arc::clone(&stderr_lines),
        };
        let first =
            supervisor.start_ssh().await.map_err(|failure| failure.hub_error(destination))?;
        let (state_sender, state) = watch::channel(TunnelState::Up);
        let token = CancellationToken::new();
        let cancelled = token.clone().cancelled_owned();
        let name = destination.to_string();
        tokio::spawn(async move {
            tokio::select! {
                () = cancelled => {}
                () = supervisor.supervise(first, &state_sender, &name) => {}
            }
        });
        let destination = destination.clone();
        Ok(Self { destination, socket, state, stderr_lines, folder, _end: token.drop_guard() })
    }

    /// Connects to the engine's socket; waits at most `time_limit` while the connection is down.
    pub async fn connect(&self, time_limit: Duration) -> io::Result<UnixStream> {
        let deadline = Instant::now() + time_limit;
        loop {
            self.wait_until_up(deadline).await?;
            match UnixStream::connect(&self.socket).await {
                // `ssh` has just ended: the supervisor will notice it in a moment.
                Err(_) if Instant::now() < deadline => sleep(POLL_INTERVAL).await,
                connected => return connected,
            }
        }
    }

    async fn wait_until_up(&self, deadline: Instant) -> io::Result<()> {
        let mut state = self.state.clone();
        let up =
            tokio::time::timeout_at(deadline, state.wait_for(|state| *state == TunnelState::Up));
        match up.await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(io::Error::other("the connection was closed")),
            Err(_) => {
                let why = match &*self.state.borrow() {
                    TunnelState::Down(failure) => failure.reason(&self.destination),
                    TunnelState::Up => "no answer".to_owned(),
                };
                let destination = &self.destination;
                Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    format!(
                        "the connection to {destination} was lost and could not be restored: {why}"
                    ),
                ))
            }
        }
    }

    /// Waits a moment for the connection to go down; returns whether it did, which may be the
    /// reason of a failure just now.
    pub async fn detect_loss(&self) -> bool {
        let mut state = self.state.clone();
        let down = timeout(10 * POLL_INTERVAL, state.wait_for(|state| *state != TunnelState::Up));
        down.await.is_ok_and(|down| down.is_ok())
    }

    /// Returns why no engine answers, though `ssh` is connected.
    pub async fn diagnose(&self) -> HubError {
        let stderr_lines = self.stderr_lines.lock().clone();
        SshFailure::probe_socket(&self.destination, &stderr_lines)
            .await
            .hub_error(&self.destination)
    }
}

/// Starts `ssh` and restarts it whenever it ends.
struct TunnelSupervisor {
    own_program: PathBuf,
    command_line: Vec<OsString>,
    /// Longest wait for the socket.
    connect_timeout: Duration,
    spawner: ChildSpawner,
    folder: Arc<Mutex<Option<ServerFolder>>>,
    socket: PathBuf,
    stderr_lines: StderrLines,
}

impl TunnelSupervisor {
    /// Makes one attempt; returns an `ssh` whose socket accepts connections.
    async fn start_ssh(&mut self) -> Result<ChildHandle, SshFailure> {
        // A leftover file of an earlier attempt would only look like a socket.
        let _ = std::fs::remove_file(&self.socket);
        self.stderr_lines.lock().clear();
        let failed =
            |error: io::Error| SshFailure::Other(format!("ssh cannot be started: {error}"));
        let mut command = guarded_command(&self.own_program, self.command_line.iter().cloned());
        command
            .current_dir(Path::new("/"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut ssh = self.spawner.spawn(command).await.map_err(failed)?;
        // Lets a later run remove the process if this one is killed before the kernel ties them
        // together.
        if let Some(folder) = &mut *self.folder.lock() {
            let _ = folder.add_process(ssh.id());
        }
        let listening = ssh
            .stderr()
            .map(|stderr| tokio::spawn(collect_stderr(stderr, Arc::clone(&self.stderr_lines))));
        let deadline = Instant::now() + self.connect_timeout;
        loop {
            if ssh.try_wait().map_err(failed)?.is_some() {
                if let Some(listening) = listening {
                    // A child process of `ssh` may hold the pipe open.
                    let _ = timeout(10 * POLL_INTERVAL, listening).await;
                }
                return Err(SshFailure::from_stderr(&self.stderr_lines.lock()));
            }
            if UnixStream::connect(&self.socket).await.is_ok() {
                return Ok(ssh);
            }
            if Instant::now() > deadline {
                return Err(SshFailure::NoAnswer);
            }
            sleep(POLL_INTERVAL).await;
        }
    }

    /// Waits for the end of `ssh` and restarts it, forever.
    async fn supervise(
        mut self,
        first: ChildHandle,
        state: &watch::Sender<TunnelState>,
        name: &str,
    ) {
        let mut ssh = first;
        loop {
            while matches!(ssh.try_wait(), Ok(None)) {
                sleep(POLL_INTERVAL).await;
            }
            let mut failure = SshFailure::from_stderr(&self.stderr_lines.lock());
            tracing::warn!("the connection to {name} ended ({failure:?}): reconnecting");
            let mut pause = FIRST_RETRY_DELAY;
            ssh = loop {
                state.send_replace(TunnelState::Down(failure));
                match self.start_ssh().await {
                    Ok(ssh) => break ssh,
                    Err(error) => failure = error,
                }
                sleep(pause).await;
                pause = (2 * pause).min(MAX_RETRY_DELAY);
            };
            tracing::info!("the connection to {name} is restored");
            state.send_replace(TunnelState::Up);
        }
    }
}

/// Stores the last output lines of `ssh`, without control characters: they may contain text from a
/// remote server.
async fn collect_stderr(stderr: std::process::ChildStderr, stderr_lines: StderrLines) {
    let Ok(stderr) = tokio::process::ChildStderr::from_std(stderr) else { return };
    let mut lines = BufReader::new(stderr).split(b'\n');
    while let Ok(Some(line)) = lines.next_segment().await {
        let line: String =
            strip_control_characters(&String::from_utf8_lossy(&line)).chars().take(300).collect();
        let mut stderr_lines = stderr_lines.lock();
        stderr_lines.push(line);
        if stderr_lines.len() > MAX_STDERR_LINES {
            stderr_lines.remove(0);
        }
    }
}
