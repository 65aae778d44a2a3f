//! Runs that are processes of their own (`--keep`): a lost connection ends the screen, not them,
//! and `hubmark attach` shows them again.
//!
//! [`runner`] is such a process: it executes the run, keeps what a screen would have kept of it, and
//! listens on a Unix socket that only its owner can open. The screen is its client ([`client`]), from
//! the run's start on: it gets that state, then the events, and sends what the operator wants
//! ([`wire`]). [`place`] knows where the sockets are and whose runs are still on.

mod client;
mod place;
mod runner;
mod wire;

use std::io::{self, IsTerminal, Write};

use color_eyre::eyre::Result;
use tokio::runtime::Runtime;

use super::{Exit, complain, print, screen};
use crate::cli::Attach;
pub use client::KeptController;
use place::Kept;
pub use runner::keep;

/// Said when the screen is left and its run is not over.
pub const RUNS_ON: &str = "the run goes on; hubmark attach shows it again";

/// Why a run that is kept cannot be shown, or not begun.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// The folder of the sockets.
    #[error("the folder of kept runs, {place}: {source}")]
    Folder {
        /// Where.
        place: String,
        /// What is wrong with it.
        source: io::Error,
    },
    /// There is no home folder.
    #[error(transparent)]
    Path(#[from] crate::paths::PathError),
    /// The run's process could not be started.
    #[error("a process for the run could not be started: {0}")]
    Start(String),
    /// The run's process does not answer as it should.
    #[error("the run's process {process} {what}")]
    Process {
        /// Its number.
        process: u32,
        /// What was seen, and what to do.
        what: String,
    },
}

/// Brings the screen back to a run that is kept.
pub fn attach(runtime: &Runtime, args: &Attach) -> Result<Exit> {
    let runs = runtime.block_on(place::runs())?;
    if args.list {
        print(&listed(&runs))?;
        return Ok(Exit::Well);
    }
    let chosen = match (args.run, runs.as_slice()) {
        (_, []) => {
            complain("no kept run is on\n  what ended is among the records: hubmark records list");
            return Ok(Exit::Failed);
        }
        (Some(process), _) => runs.iter().find(|run| run.hello.process == process),
        (None, [only]) => Some(only),
        (None, _) => choose(&runs)?,
    };
    let Some(chosen) = chosen else {
        complain(format!("which run? hubmark attach PROCESS\n{}", listed(&runs)));
        return Ok(Exit::Usage);
    };
    let attached = runtime.block_on(client::follow(chosen, runtime.handle()))?;
    screen::open(runtime, &args.look, Some(attached))
}

/// Asks which one, where somebody can be asked.
fn choose(runs: &[Kept]) -> Result<Option<&Kept>> {
    if !(io::stdin().is_terminal() && io::stdout().is_terminal()) {
        return Ok(None);
    }
    print(&format!("{}which process? ", listed(runs)))?;
    io::stdout().flush()?;
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    let process: Option<u32> = line.trim().parse().ok();
    Ok(runs.iter().find(|run| Some(run.hello.process) == process))
}

/// A line for each run.
fn listed(runs: &[Kept]) -> String {
    let widths = runs.iter().map(|run| run.hello.profile.chars().count());
    let width = widths.max().unwrap_or_default().max("profile".len());
    let line = |process: &str, began: &str, profile: &str, progress: &str| {
        format!("{process:<7}  {began:<20}  {profile:<width$}  {progress}\n")
    };
    let lines = runs.iter().map(|Kept { hello, .. }| {
        let began = hello.began.strftime("%Y-%m-%d %H:%M UTC").to_string();
        let progress = format!("{}/{} repetitions, {}", hello.done, hello.all, hello.phase);
        line(&hello.process.to_string(), &began, &hello.profile, &progress)
    });
    match runs {
        [] => "no kept run is on\n".to_owned(),
        _ => line("process", "began", "profile", "progress") + &lines.collect::<String>(),
    }
}
