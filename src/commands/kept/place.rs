//! Where kept runs listen, and which of them are on.
//!
//! Not in `$XDG_RUNTIME_DIR`: it is removed with the last session of its owner, which is just what a
//! kept run outlives.

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
    KeptError,
    wire::{Hello, heard},
};
use crate::paths;

/// Longest wait for the first words of a run.
const PATIENCE: Duration = Duration::from_secs(5);
const ENDING: &str = "sock";

/// A run that is on.
#[derive(Debug)]
pub struct Kept {
    /// Where it listens.
    pub socket: PathBuf,
    /// Who it is.
    pub hello: Hello,
}

/// A connection to a run.
pub struct Connection {
    /// What it says.
    pub lines: Lines<BufReader<OwnedReadHalf>>,
    /// The way to it.
    pub out: OwnedWriteHalf,
}

/// The folder of the sockets, which only its owner may enter.
///
/// # Errors
/// When there is none, or it is not the owner's alone.
pub fn folder() -> Result<PathBuf, KeptError> {
    let folder = paths::state()?.join("runs");
    let made = DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .and_then(|()| fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)));
    match made {
        Ok(()) => Ok(folder),
        Err(source) => Err(KeptError::Folder { place: folder.display().to_string(), source }),
    }
}

/// The socket of a process.
pub fn socket(folder: &Path, process: u32) -> PathBuf {
    folder.join(process.to_string()).with_extension(ENDING)
}

/// Connects to the run at `socket` and hears who it is.
///
/// # Errors
/// `ConnectionRefused` when nobody listens there any more.
pub async fn connect(socket: &Path) -> io::Result<(Hello, Connection)> {
    timeout(PATIENCE, meet(socket)).await.map_err(|_| io::ErrorKind::TimedOut)?
}

async fn meet(socket: &Path) -> io::Result<(Hello, Connection)> {
    let (input, out) = UnixStream::connect(socket).await?.into_split();
    let mut lines = BufReader::new(input).lines();
    let first = lines.next_line().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok((heard(&first)?, Connection { lines, out }))
}

/// Every run that is on, the oldest first. Sockets that died with their process are removed.
///
/// # Errors
/// When the folder cannot be read.
pub async fn runs() -> Result<Vec<Kept>, KeptError> {
    let folder = folder()?;
    let failed = |source| KeptError::Folder { place: folder.display().to_string(), source };
    let mut runs = Vec::new();
    for entry in fs::read_dir(&folder).map_err(failed)? {
        let socket = entry.map_err(failed)?.path();
        if socket.extension().is_none_or(|ending| ending != ENDING) {
            continue;
        }
        match connect(&socket).await {
            Ok((hello, _)) => runs.push(Kept { socket, hello }),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                // Whatever keeps it there, it is no run.
                let _ = fs::remove_file(&socket);
            }
            Err(error) => tracing::warn!("{}: {error}", socket.display()),
        }
    }
    runs.sort_by_key(|run| run.hello.began);
    Ok(runs)
}
