//! `hubmark run`: a run without a screen.

use std::{
    io::{self, IsTerminal, Write},
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
    plan::Plan,
    profile::{self, Override, Problems, Profile},
    record::{Record, store},
    report::{csv, text},
};

/// Longest wait for servers to be removed when an end cannot wait for the repetition.
const REMOVAL: Duration = Duration::from_secs(10);

/// Executes a profile.
pub async fn run(args: Run) -> Result<Exit> {
    let resume = match &args.resume {
        Some(path) => Some(store::load(path).wrap_err("there is nothing to go on with")?),
        None => None,
    };
    let (plan, profile) = match asked(&args, resume.as_ref()) {
        Ok(asked) => asked,
        Err(problem) => {
            complain(problem);
            return Ok(Exit::Usage);
        }
    };
    if args.dry_run {
        print(&format!("{plan}\n"))?;
        return Ok(Exit::Well);
    }
    if !args.quiet {
        // Progress that nobody reads is no reason not to run.
        let _ = writeln!(io::stderr(), "{plan}");
    }
    let path = match args.resume.as_ref().or(args.out.as_ref()) {
        Some(path) => path.clone(),
        None => launch::record_path(&plan)?,
    };
    let request = Request { plan, profile, path, resume };
    let Some(outcome) = Box::pin(execute(request, args.quiet)).await else {
        return Ok(Exit::Interrupted);
    };
    finish(outcome, args.format)
}

/// The plan that is asked for, and the profile's text; with a record to go on with and nothing
/// else, the record's own.
fn asked(args: &Run, resume: Option<&Record>) -> Result<(Plan, String), String> {
    let changes = args.changes();
    let source = match (&args.profile, resume) {
        (Some(name), _) => profile::find(name).map_err(|error| error.to_string())?,
        (None, Some(record)) if changes.is_empty() => {
            return Ok((record.plan.clone(), record.profile.clone()));
        }
        (None, Some(record)) => profile::Source {
            name: record.plan.profile.clone(),
            text: record.profile.clone(),
            description: String::new(),
            path: None,
        },
        (None, None) => return Err("no profile is given".into()),
    };
    let profile = parse(&source, &changes)
        .map_err(|problems| format!("the profile has problems:\n{problems}"))?;
    Ok((profile.plan(), profile.to_toml()))
}

/// A profile with its values changed by `set`, each `KEY=VALUE`.
pub fn parse(source: &profile::Source, set: &[String]) -> Result<Profile, Problems> {
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

fn finish(outcome: Result<Outcome, EngineError>, format: Format) -> Result<Exit> {
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(error) => return Ok(refusal(&error)),
    };
    let path = &outcome.path;
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
        EngineError::Settings(_)
        | EngineError::NoBackend(_)
        | EngineError::NoSuchServer { .. }
        | EngineError::Fault { .. } => Exit::Usage,
        EngineError::Stopped => Exit::Interrupted,
        _ => Exit::Failed,
    }
}

/// The record in the form that was asked for.
pub fn render(record: &Record, path: &Path, format: Format) -> Result<String> {
    Ok(match format {
        Format::Text => text::summary(record, path, shows_blocks()),
        Format::Json => serde_json::to_string_pretty(record).map_err(|error| eyre!(error))? + "\n",
        Format::Csv => csv::repetitions(record),
    })
}

/// Whether stdout is a terminal that can show block characters.
fn shows_blocks() -> bool {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|value| !value.is_empty())
        .unwrap_or_default()
        .to_lowercase();
    io::stdout().is_terminal() && !dumb && (locale.contains("utf-8") || locale.contains("utf8"))
}

/// The exit status that a record deserves.
pub fn judge(record: &Record) -> Exit {
    let mut repetitions = record.points.iter().flat_map(|point| &point.repetitions).peekable();
    if repetitions.peek().is_none() {
        return Exit::Failed;
    }
    let mut exit = Exit::Well;
    // In a search it is by what is lost and what fails that it finds its answer.
    if record.plan.capacity.is_some() {
        let crossed = repetitions.any(|repetition| !repetition.crossed.is_empty());
        return if crossed { Exit::Crossed } else { Exit::Well };
    }
    for repetition in repetitions {
        if repetition.verdict.status == Judgement::Failed {
            return Exit::Failed;
        }
        if repetition.ledger.undelivered() > 0 || !repetition.crossed.is_empty() {
            exit = Exit::Crossed;
        }
    }
    exit
}
