//! Results and errors of the subcommands: exit status, stdout, stderr.

use std::{
    io::{self, BufWriter, IsTerminal, Write},
    process::ExitCode,
};

use color_eyre::eyre::{Result, WrapErr};

use crate::format::visible;

/// The program's exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The command succeeded.
    Success,
    /// The command failed.
    Failed,
    /// The command line or the profile is wrong.
    Usage,
    /// A threshold was crossed, or messages were lost, refused or never sent.
    ThresholdCrossed,
    /// Stopped by the operator or a signal.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Success => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::ThresholdCrossed => 3,
            Exit::Interrupted => 130,
        })
    }
}

/// Prints an error or a notice on stderr.
pub fn print_error(text: impl std::fmt::Display) {
    // A failure to write to stderr cannot be reported anywhere.
    let _ = writeln!(io::stderr(), "hubmark: {}", visible(&text.to_string()));
}

/// Prints a result on stdout, without what would command the terminal.
pub fn print(text: &str) -> Result<()> {
    print_bytes(visible(text).as_bytes())
}

/// Prints a file's content on stdout.
pub fn print_bytes(text: &[u8]) -> Result<()> {
    print_with(|stdout| stdout.write_all(text))
}

/// Prints what `write` writes on stdout: on a terminal without what would command it, elsewhere as it is and
/// without holding all of it in memory. A pipe closed by its reader is no error.
pub fn print_with(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let mut stdout = BufWriter::new(io::stdout().lock());
    let written = if io::stdout().is_terminal() {
        let mut text = Vec::new();
        write(&mut text)
            .and_then(|()| stdout.write_all(visible(&String::from_utf8_lossy(&text)).as_bytes()))
    } else {
        write(&mut stdout)
    };
    match written.and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result.wrap_err("the result could not be printed"),
    }
}
