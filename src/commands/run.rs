//! `hubmark run`: a run without the screen.

use std::{
    io::{self, Write},
    panic::resume_unwind,
    sync::Arc,
    time::Duration,
};

use color_eyre::eyre::{Result, WrapErr};

use super::{
    hub_choice::{self, HubChoice},
    launch,
    output::{Exit, print, print_error},
    profile_choice,
    profiles::parse_with_changes,
    records::print_record,
    signals::Signals,
};
use crate::{
    cli::{OutputFormat, RunArgs},
    engine::{self, RunError, RunOutcome, RunSpec},
    format::visible,
    headless,
    measure::{Judgement, Ledger},
    plan::Plan,
    profile,
    record::{Record, store},
    units::human_duration,
};

/// Longest wait until the last progress is printed.
const PROGRESS_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait for the end of an aborted run.
const ABORT_TIMEOUT: Duration = Duration::from_secs(2);

/// Executes `hubmark run`.
pub async fn run(args: RunArgs) -> Result<Exit> {
    let resume = match &args.resume {
        Some(path) => Some(
            engine::load_resumable(path).wrap_err("the record to resume could not be loaded")?,
        ),
        None => None,
    };
    let (plan, profile, note) = match resolve_plan(&args, resume.as_ref()) {
        Ok(resolved) => resolved,
        Err(problem) => {
            print_error(problem);
            return Ok(Exit::Usage);
        }
    };
    if let Some(note) = note.filter(|_| !args.quiet) {
        let _ = writeln!(io::stderr(), "{note}");
    }
    if args.dry_run {
        if let Err(error) = engine::check_settings(&plan) {
            return Ok(report_start_error(&error));
        }
        print(&format!("{plan}\n"))?;
        return Ok(Exit::Success);
    }
    if !args.quiet {
        // A failure to print progress must not prevent the run.
        let _ = writeln!(io::stderr(), "{}", visible(&plan.to_string()));
    }
    let path = match args.resume.as_ref().or(args.out.as_ref()) {
        Some(path) => path.clone(),
        None => launch::record_path(&plan)?,
    };
    if resume.is_none()
        && let Err(error) = store::check_new(&path)
    {
        print_error(error);
        return Ok(Exit::Failed);
    }
    let request = RunSpec { plan, profile, path, resume };
    let Some(outcome) = Box::pin(execute(request, args.quiet)).await else {
        return Ok(Exit::Interrupted);
    };
    finish(outcome, args.format)
}

/// Resolves the requested plan, the profile's text, and what `--hub` replaces in it; with only a record
/// to resume, plan and text are the record's.
fn resolve_plan(
    args: &RunArgs,
    resume: Option<&Record>,
) -> Result<(Plan, String, Option<String>), String> {
    let unchanged = args.hub.is_none() && args.set.is_empty();
    let source = match (&args.profile, resume) {
        (Some(name), _) => profile_choice::find(name)?,
        (None, Some(record)) if unchanged => {
            return Ok((record.plan.clone(), record.profile.clone(), None));
        }
        (None, Some(record)) => profile::ProfileSource {
            name: record.plan.profile.clone(),
            text: record.profile.clone(),
            description: String::new(),
            path: None,
        },
        (None, None) => return Err("no profile is given".into()),
    };
    let HubChoice { changes, note } = hub_choice::resolve(args.hub.as_deref(), &args.set, &source)?;
    let profile = parse_with_changes(&source, &changes)
        .map_err(|problems| format!("the profile has problems:\n{problems}"))?;
    Ok((profile.plan(), profile.to_toml(), note))
}

/// Executes the run; `None` when a second signal ended it at once.
async fn execute(request: RunSpec, quiet: bool) -> Option<Result<RunOutcome, RunError>> {
    let (launch, events) = launch::RunLauncher::new();
    let launch = Arc::new(launch);
    let removal_timeout = request.plan.hub.timeouts().query;
    let clean = format!("run hubmark clean{}", request.plan.hub.command_options());
    let mut signals = Signals::install();
    let follower = tokio::spawn(headless::follow(events, quiet));
    // A task of its own, so that a signal is obeyed even while the run answers nothing.
    let mut run = tokio::spawn({
        let launch = Arc::clone(&launch);
        async move { Box::pin(launch.run(request)).await }
    });
    let outcome = tokio::select! {
        outcome = &mut run => Some(outcome),
        () = signals.next() => {
            launch.control.stop_now();
            print_error("ending in order; a second signal ends at once");
            tokio::select! {
                outcome = &mut run => Some(outcome),
                () = signals.next() => None,
            }
        }
    };
    if outcome.is_none() {
        run.abort();
        // Its end is waited for, since it may be starting a server; not for long, since it may be stuck.
        let _ = tokio::time::timeout(ABORT_TIMEOUT, run).await;
        match tokio::time::timeout(removal_timeout, launch.shutdown()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => print_error(format!("{error}\n  {clean}")),
            Err(_) => print_error(format!(
                "the servers were not removed within {}: {clean}",
                human_duration(removal_timeout)
            )),
        }
    }
    drop(launch);
    // The engine is dropped, and with it the last sender: the follower ends.
    let _ = tokio::time::timeout(PROGRESS_TIMEOUT, follower).await;
    outcome.map(|ended| ended.unwrap_or_else(|error| resume_unwind(error.into_panic())))
}

fn finish(outcome: Result<RunOutcome, RunError>, format: OutputFormat) -> Result<Exit> {
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(error) => return Ok(report_start_error(&error)),
    };
    let path = &outcome.path;
    print_record(&outcome.record, path, format)
        .wrap_err_with(|| format!("the run is over and its record is {}", path.display()))?;
    let exit = exit_for_record(&outcome.record);
    match &outcome.error {
        None => Ok(exit),
        Some(RunError::Stopped) => Ok(Exit::Interrupted),
        Some(error) => {
            print_error(error);
            Ok(Exit::Failed)
        }
    }
}

/// Reports a run that could not start, and returns the exit status.
fn report_start_error(error: &RunError) -> Exit {
    print_error(error);
    match error {
        RunError::Settings(_)
        | RunError::UnknownBackend(_)
        | RunError::UnknownServer { .. }
        | RunError::Fault { .. } => Exit::Usage,
        RunError::Stopped => Exit::Interrupted,
        _ => Exit::Failed,
    }
}

/// The exit status for a record.
fn exit_for_record(record: &Record) -> Exit {
    let mut repetitions = record.points.iter().flat_map(|point| &point.repetitions).peekable();
    if repetitions.peek().is_none() {
        return Exit::Failed;
    }
    let mut exit = Exit::Success;
    // A capacity search finds its result by lost messages and failed repetitions, so only
    // thresholds count.
    if record.plan.capacity.is_some() {
        let crossed = repetitions.any(|repetition| !repetition.crossed.is_empty());
        return if crossed { Exit::ThresholdCrossed } else { Exit::Success };
    }
    for repetition in repetitions {
        let is_crossed = !repetition.crossed.is_empty();
        match exit_for_result(repetition.verdict.status, &repetition.ledger, is_crossed) {
            Exit::Success => {}
            Exit::Failed => return Exit::Failed,
            other => exit = other,
        }
    }
    exit
}

/// The exit status for one repetition of a run that is no capacity search.
fn exit_for_result(status: Judgement, ledger: &Ledger, is_crossed: bool) -> Exit {
    match status {
        Judgement::Failed => Exit::Failed,
        _ if ledger.undelivered() > 0 || is_crossed => Exit::ThresholdCrossed,
        _ => Exit::Success,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_was_lost_refused_or_never_sent_fails_the_run() {
        let exit = |ledger: Ledger| exit_for_result(Judgement::Suspect, &ledger, false);
        assert_eq!(exit(Ledger::default()), Exit::Success);
        for ledger in [
            Ledger { lost: 1, ..Ledger::default() },
            Ledger { failed: 1, ..Ledger::default() },
            Ledger { unsent: 1, ..Ledger::default() },
        ] {
            assert_eq!(exit(ledger), Exit::ThresholdCrossed, "{ledger:?}");
        }
        let crossed = exit_for_result(Judgement::Valid, &Ledger::default(), true);
        assert_eq!(crossed, Exit::ThresholdCrossed);
    }
}
