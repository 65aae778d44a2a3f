//! Reading of files that an operator names or that are found in a folder, without waiting.
//!
//! Opening a named pipe waits until another process writes to it, and a device may never end: such a
//! path is refused with what it is. A pipe that the operator hands over (`/dev/stdin`, or `<(…)` of a
//! shell, which is in `/dev/fd`) has its writer, and is read.

use std::{
    fs::{File, FileType, OpenOptions},
    io::{self, Read},
    os::unix::fs::{FileTypeExt, OpenOptionsExt},
    path::Path,
};

use nix::fcntl::OFlag;

/// Folders of this process's own open files.
const OPEN_FILES: [&str; 3] = ["/dev/stdin", "/dev/fd", "/proc/self/fd"];

/// Opens a file for reading; never waits for another process.
///
/// # Errors
/// The file cannot be opened, or is a folder, a named pipe, a socket or a device.
pub fn open_regular(path: &Path) -> io::Result<File> {
    if OPEN_FILES.iter().any(|folder| path.starts_with(folder)) {
        return File::open(path);
    }
    let flags = (OFlag::O_NONBLOCK | OFlag::O_CLOEXEC).bits();
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(path);
    let file = opened.map_err(|error| match path.metadata() {
        // A socket cannot be opened at all: the reason of the system would name no file.
        Ok(found) => refusal(found.file_type()).unwrap_or(error),
        Err(_) => error,
    })?;
    match refusal(file.metadata()?.file_type()) {
        Some(refused) => Err(refused),
        None => Ok(file),
    }
}

/// Reads a whole file; never waits for another process.
///
/// # Errors
/// As [`open_regular`], and of reading.
pub fn read_regular(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    open_regular(path)?.read_to_end(&mut content)?;
    Ok(content)
}

/// Reads a whole file of text; never waits for another process.
///
/// # Errors
/// As [`open_regular`], and of reading; also for text that is not UTF-8.
pub fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    open_regular(path)?.read_to_string(&mut text)?;
    Ok(text)
}

/// Checks that a file can be written as `path`: nothing is there, or a file.
///
/// # Errors
/// A folder, a named pipe, a socket or a device is there.
pub fn check_writable(path: &Path) -> io::Result<()> {
    match path.metadata().map(|found| refusal(found.file_type())) {
        Ok(Some(refused)) => Err(refused),
        Ok(None) | Err(_) => Ok(()),
    }
}

/// Error that says what a path is, if it is no file.
fn refusal(found: FileType) -> Option<io::Error> {
    let kind = if found.is_file() {
        return None;
    } else if found.is_dir() {
        return Some(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder, not a file"));
    } else if found.is_fifo() {
        "a named pipe"
    } else if found.is_socket() {
        "a socket"
    } else {
        "a device"
    };
    Some(io::Error::new(io::ErrorKind::InvalidInput, format!("it is {kind}, not a file")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::os::unix::net::UnixListener;

    use nix::{sys::stat::Mode, unistd::mkfifo};

    use super::*;

    #[test]
    fn what_is_no_file_is_refused_without_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        mkfifo(&at("pipe"), Mode::S_IRWXU).unwrap();
        let _listener = UnixListener::bind(at("socket")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", at("link")).unwrap();
        for (path, kind) in [
            (at("pipe"), "a named pipe"),
            (at("socket"), "a socket"),
            (at("link"), "a device"),
            (folder.path().to_owned(), "a folder"),
        ] {
            for error in [read_regular(&path).unwrap_err(), read_text(&path).unwrap_err()] {
                assert_eq!(error.to_string(), format!("it is {kind}, not a file"));
            }
            assert!(check_writable(&path).unwrap_err().to_string().contains(kind));
        }
        let missing = read_text(&at("missing")).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        assert!(check_writable(&at("missing")).is_ok());
    }

    #[test]
    fn a_file_is_read_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "text").unwrap();
        assert_eq!(read_text(&path).unwrap(), "text");
        assert_eq!(read_regular(&path).unwrap(), b"text");
        assert!(check_writable(&path).is_ok());
    }
}
