//! `hubmark run`: a run without a screen.

use std::{
    io::{self, Write},
    path::Path,
    time::Duration,
};

use color_eyre::eyre::{Result, WrapErr, eyre};

use super::{Exit, complain, launch, print, signals::Signals};
use crate::{
    backend,
    cli::{Format, Run},
    engine::{EngineError, Outcome, Request},
    headless,
    measure::Judgement,
    profile::{self, Override, Problems, Profile},
    record::{Record, store},
    report::{csv, text},
};

/// Longest wait for servers to be removed when an end cannot wait for the repetition.
const REMOVAL: Duration = Duration::from_secs(10);

/// Executes a profile.
pub async fn run(args: Run) -> Result<Exit> {
    let source = match profile::find(&args.profile) {
        Ok(source) => source,
        Err(error) => {
            complain(error);
            return Ok(Exit::Usage);
        }
    };
    let profile = match parse(&source, &args.set) {
        Ok(profile) => profile,
        Err(problems) => {
            complain(format!("the profile has problems:\n{problems}"));
            return Ok(Exit::Usage);
        }
    };
    let plan = profile.plan();
    if args.dry_run {
        print(&format!("{plan}\n"))?;
        return Ok(Exit::Well);
    }
    if !args.quiet {
        // Progress that nobody reads is no reason not to run.
        let _ = writeln!(io::stderr(), "{plan}");
    }
    let path = match &args.out {
        Some(path) => path.clone(),
        None => launch::record_path(&plan)?,
    };
    let resume = if args.resume {
        Some(store::load(&path).wrap_err("there is nothing to go on with")?)
    } else {
        None
    };
    let request = Request { plan, profile: profile.to_toml(), path: path.clone(), resume };
    let Some(outcome) = Box::pin(execute(request, args.quiet)).await else {
        return Ok(Exit::Interrupted);
    };
    finish(outcome, &path, args.format)
}

fn parse(source: &profile::Source, set: &[String]) -> Result<Profile, Problems> {
    let mut overrides = Vec::new();
    let mut problems = Vec::new();
    for text in set {
        match Override::parse(text) {
            Ok(change) => overrides.push(change),
            Err(problem) => problems.push(problem),
        }
    }
    let parsed = Profile::parse_with(&source.text, &overrides, &backend::catalogue())
        .map_err(|problems| problems.of(&source.name));
    match parsed {
        Ok(profile) if problems.is_empty() => Ok(profile),
        Ok(_) => Err(Problems { source: source.name.clone(), list: problems }),
        Err(mut found) => {
            found.list.extend(problems);
            Err(found)
        }
    }
}

/// Runs to the end, or `None` when a second signal ended it at once.
async fn execute(request: Request, quiet: bool) -> Option<Result<Outcome, EngineError>> {
    let (launch, events) = launch::Launch::new();
    let mut signals = Signals::take();
    let follower = tokio::spawn(headless::follow(events, quiet));
    let control = launch.control.clone();
    let outcome = {
        let run = launch.run(request);
        tokio::pin!(run);
        tokio::select! {
            outcome = &mut run => Some(outcome),
            () = signals.next() => {
                control.stop_now();
                complain("ending in order; once more ends at once");
                tokio::select! {
                    outcome = &mut run => Some(outcome),
                    () = signals.next() => None,
                }
            }
        }
    };
    if outcome.is_none() {
        match tokio::time::timeout(REMOVAL, launch.abandon()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => complain(format!("{error}\n  run hubmark clean")),
            Err(_) => complain("servers could not be removed in time: run hubmark clean"),
        }
    }
    drop(launch);
    // The engine is gone, and with it the last sender: the follower ends by itself.
    let _ = tokio::time::timeout(REMOVAL, follower).await;
    outcome
}

fn finish(outcome: Result<Outcome, EngineError>, path: &Path, format: Format) -> Result<Exit> {
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(error) => return Ok(refusal(&error)),
    };
    print(&render(&outcome.record, path, format)?)
        .wrap_err_with(|| format!("the run is over and its record is {}", path.display()))?;
    let exit = judge(&outcome.record);
    match &outcome.error {
        None => Ok(exit),
        Some(EngineError::Stopped) => Ok(Exit::Interrupted),
        Some(error) => {
            complain(error);
            Ok(Exit::Failed)
        }
    }
}

/// A run that could not begin.
fn refusal(error: &EngineError) -> Exit {
    complain(error);
    match error {
        EngineError::Settings(_) | EngineError::NoBackend(_) | EngineError::NoSuchServer { .. } => {
            Exit::Usage
        }
        EngineError::Stopped => Exit::Interrupted,
        _ => Exit::Failed,
    }
}

/// The record in the form that was asked for.
pub fn render(record: &Record, path: &Path, format: Format) -> Result<String> {
    Ok(match format {
        Format::Text => text::summary(record, path),
        Format::Json => serde_json::to_string_pretty(record).map_err(|error| eyre!(error))? + "\n",
        Format::Csv => csv::repetitions(record),
    })
}

/// The exit status that a record deserves.
pub fn judge(record: &Record) -> Exit {
    let mut repetitions = record.points.iter().flat_map(|point| &point.repetitions).peekable();
    if repetitions.peek().is_none() {
        return Exit::Failed;
    }
    let mut exit = Exit::Well;
    for repetition in repetitions {
        if repetition.verdict.status == Judgement::Failed {
            return Exit::Failed;
        }
        if repetition.ledger.lost > 0 || !repetition.crossed.is_empty() {
            exit = Exit::Crossed;
        }
    }
    exit
}
