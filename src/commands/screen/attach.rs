//! `hubmark attach`: the screen of a detached run.

use std::io::{self, IsTerminal, Write};

use color_eyre::eyre::Result;
use tokio::runtime::Runtime;

use super::{
    detached::{
        client,
        sockets::{self, DetachedRun},
    },
    open::open,
};
use crate::{
    cli::AttachArgs,
    commands::output::{Exit, print, print_error},
    format::count_noun,
};

/// Executes `hubmark attach`: opens the screen on a detached run.
pub fn attach(runtime: &Runtime, args: &AttachArgs) -> Result<Exit> {
    let runs = runtime.block_on(sockets::find_runs())?;
    if args.list {
        print(&format_runs(&runs))?;
        return Ok(Exit::Success);
    }
    let chosen = match (args.run, runs.as_slice()) {
        (_, []) => {
            print_error("no detached run is in progress\n  finished runs: hubmark records list");
            return Ok(Exit::Failed);
        }
        (Some(process), _) => runs.iter().find(|run| run.hello.process == process),
        (None, [only]) => Some(only),
        (None, _) => ask_which(&runs)?,
    };
    let Some(chosen) = chosen else {
        print_error(format!("which run? hubmark attach PROCESS\n{}", format_runs(&runs)));
        return Ok(Exit::Usage);
    };
    let attached = runtime.block_on(client::subscribe(chosen, runtime.handle()))?;
    open(runtime, &args.screen, Some(attached))
}

/// Asks the operator for the run to attach to; `None` without a terminal.
fn ask_which(runs: &[DetachedRun]) -> Result<Option<&DetachedRun>> {
    if !(io::stdin().is_terminal() && io::stdout().is_terminal()) {
        return Ok(None);
    }
    print(&format!("{}which process? ", format_runs(runs)))?;
    io::stdout().flush()?;
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    let process: Option<u32> = line.trim().parse().ok();
    Ok(runs.iter().find(|run| Some(run.hello.process) == process))
}

/// The table of runs, one line each.
fn format_runs(runs: &[DetachedRun]) -> String {
    let widths = runs.iter().map(|run| run.hello.profile.chars().count());
    let width = widths.max().unwrap_or_default().max("profile".len());
    let line = |process: &str, began: &str, profile: &str, progress: &str| {
        format!("{process:<7}  {began:<20}  {profile:<width$}  {progress}\n")
    };
    let lines = runs.iter().map(|DetachedRun { hello, .. }| {
        let began = hello.began.strftime("%Y-%m-%d %H:%M UTC").to_string();
        let all = count_noun(hello.all as u64, "repetition");
        let progress = format!("{}/{all}, {}", hello.done, hello.phase);
        line(&hello.process.to_string(), &began, &hello.profile, &progress)
    });
    match runs {
        [] => "no detached run is in progress\n".to_owned(),
        _ => line("process", "began", "profile", "progress") + &lines.collect::<String>(),
    }
}
