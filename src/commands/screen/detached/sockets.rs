//! Sockets of detached runs.
//!
//! They are not in `$XDG_RUNTIME_DIR`, which is removed with its owner's last session: a detached
//! run outlives that session.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::timeout,
};

use super::{
    error::DetachedError,
    wire::{Hello, decode},
};
use crate::paths;

/// Longest wait for a run's first message.
const HELLO_TIMEOUT: Duration = Duration::from_secs(5);
const SOCKET_EXTENSION: &str = "sock";

/// A detached run that is running.
#[derive(Debug)]
pub struct DetachedRun {
    /// The run's socket.
    pub socket: PathBuf,
    /// The run's description of itself.
    pub hello: Hello,
}

/// A connection to a run.
pub struct RunConnection {
    /// The messages of the run.
    pub lines: Lines<BufReader<OwnedReadHalf>>,
    /// The sending half.
    pub out: OwnedWriteHalf,
}

/// The folder of the sockets, accessible to its owner only; created if missing.
///
/// # Errors
/// The folder cannot be created, or its permissions cannot be set.
pub fn socket_folder() -> Result<PathBuf, DetachedError> {
    let folder = paths::state_dir()?.join("runs");
    let made = DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .and_then(|()| fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)));
    match made {
        Ok(()) => Ok(folder),
        Err(source) => Err(DetachedError::Sockets { place: folder.display().to_string(), source }),
    }
}

/// The socket path of a process.
pub fn socket_path(folder: &Path, process: u32) -> PathBuf {
    folder.join(process.to_string()).with_extension(SOCKET_EXTENSION)
}

/// Connects to the run at `socket` and reads its [`Hello`].
///
/// # Errors
/// `ConnectionRefused` when no process listens on the socket any more.
pub async fn connect(socket: &Path) -> io::Result<(Hello, RunConnection)> {
    timeout(HELLO_TIMEOUT, read_hello(socket)).await.map_err(|_| io::ErrorKind::TimedOut)?
}

async fn read_hello(socket: &Path) -> io::Result<(Hello, RunConnection)> {
    let (input, out) = UnixStream::connect(socket).await?.into_split();
    let mut lines = BufReader::new(input).lines();
    let first = lines.next_line().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok((decode(&first)?, RunConnection { lines, out }))
}

/// Finds all running runs, oldest first, and removes the sockets of dead processes.
///
/// # Errors
/// The folder cannot be read.
pub async fn find_runs() -> Result<Vec<DetachedRun>, DetachedError> {
    let folder = socket_folder()?;
    let failed = |source| DetachedError::Sockets { place: folder.display().to_string(), source };
    let mut runs = Vec::new();
    for entry in fs::read_dir(&folder).map_err(failed)? {
        let socket = entry.map_err(failed)?.path();
        if socket.extension().is_none_or(|ending| ending != SOCKET_EXTENSION) {
            continue;
        }
        match connect(&socket).await {
            Ok((hello, _)) => runs.push(DetachedRun { socket, hello }),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                // A socket that cannot be removed is ignored: it belongs to no run.
                let _ = fs::remove_file(&socket);
            }
            Err(error) => tracing::warn!("{}: {error}", socket.display()),
        }
    }
    runs.sort_by_key(|run| run.hello.began);
    Ok(runs)
}
