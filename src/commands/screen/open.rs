//! Opening of the screen, and the preferences from `screen.toml` and flags.

use std::{io, path::Path, sync::Arc};

use color_eyre::eyre::Result;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use super::{
    controller::EngineController,
    detached::client::DetachedController,
    first_start,
    form::{FormPlanner, backend_options, profile_entries},
    record_service::{DiskRecordService, choices_file},
    results,
};
use crate::{
    cli::ScreenArgs,
    commands::{
        output::{Exit, print, print_error},
        signals::Signals,
    },
    event::EndStatus,
    hub::docker,
    paths,
    tui::{
        self, AttachedRun, DisplayChoices, MouseOwner, Preferences, RunOwner, ShowTour, Symbols,
        Theme, TuiError, TuiInputs,
    },
};

/// Notice when the screen is left before its run has ended.
const RUN_CONTINUES: &str = "the run goes on; hubmark attach shows it again";

/// Opens the screen, on the running run `attached` if given, and returns when the operator leaves
/// it.
pub fn open(runtime: &Runtime, args: &ScreenArgs, attached: Option<AttachedRun>) -> Result<Exit> {
    let (mut preferences, file_choices) = match load_preferences(args) {
        Ok(loaded) => loaded,
        Err(problem) => {
            print_error(problem);
            return Ok(Exit::Usage);
        }
    };
    // Who attaches to a run has seen the screen.
    if attached.is_none() && first_start::is_first_start() {
        preferences.tour = ShowTour::Yes;
    }
    if attached.is_some() {
        preferences.run_owner = RunOwner::DetachedProcess;
    }
    let run_owner = preferences.run_owner;
    let terminate = CancellationToken::new();
    // Before the first frame: a signal that comes before the task runs must not end the program in the terminal's
    // other screen.
    let signals = {
        let _context = runtime.enter();
        Signals::install()
    };
    runtime.spawn(terminate_on_signal(signals, terminate.clone()));
    let (profiles, notice) = profile_entries();
    let inputs = TuiInputs {
        service: Arc::new(DiskRecordService::new(runtime.handle().clone(), file_choices)),
        notice,
        profiles,
        backends: backend_options(),
        default_engine: default_engine(),
        planner: Arc::new(FormPlanner),
        preferences,
        attached,
        terminate,
    };
    let handle = runtime.handle().clone();
    let result = match run_owner {
        RunOwner::Screen => runtime.block_on(tui::run(inputs, EngineController::new(handle))),
        RunOwner::DetachedProcess => {
            runtime.block_on(tui::run(inputs, DetachedController::new(handle)))
        }
    };
    let outcome = match result {
        Ok(outcome) => outcome,
        Err(error @ TuiError::NoTerminal) => {
            print_error(error);
            return Ok(Exit::Usage);
        }
        Err(error) => return Err(error.into()),
    };
    if outcome.run_continues {
        print_error(RUN_CONTINUES);
    }
    // After a signal the terminal may be lost or blocked, and the operator is not there to read.
    let record = outcome.last_run.as_ref().and_then(|last| last.record.as_ref());
    if let Some(record) = record.filter(|_| !outcome.terminated) {
        print(&closing_lines(record))?;
    }
    Ok(match outcome.last_run {
        _ if outcome.terminated => Exit::Interrupted,
        None => Exit::Success,
        Some(last) => match last.end {
            EndStatus::Failed { .. } => Exit::Failed,
            EndStatus::Stopped => Exit::Interrupted,
            EndStatus::Complete if last.undelivered > 0 || last.crossed > 0 => {
                Exit::ThresholdCrossed
            }
            EndStatus::Complete => Exit::Success,
        },
    })
}

/// Returns the address of the engine that is used when a profile names none, or why there is none.
fn default_engine() -> String {
    let first = docker::known_engines().into_iter().next().map_or_else(String::new, |it| it.source);
    first.strip_prefix("default: ").unwrap_or(&first).to_owned()
}

/// Returns the answer of the last run in one sentence, and where its record is.
fn closing_lines(record: &Path) -> String {
    let answer = match results::read_results(record) {
        Ok(results) => results.sentences.into_iter().next(),
        Err(problem) => Some(problem),
    };
    let answer = answer.map_or_else(String::new, |answer| format!("{answer}\n"));
    format!("{answer}record: {}\n", record.display())
}

/// Loads the operator's `screen.toml`, overridden by what was chosen on the screen since, and by flags. Also
/// returns the choices of that file.
fn load_preferences(args: &ScreenArgs) -> Result<(Preferences, DisplayChoices), String> {
    let variable = |name: &str| std::env::var(name).ok();
    let path = paths::config_dir().map(|folder| folder.join("screen.toml"));
    let text = match path.as_ref().map(|path| paths::read_text(path)) {
        Ok(Ok(text)) => text,
        // Without a configuration folder, use the defaults.
        Err(_) => String::new(),
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Ok(Err(error)) => return Err(format!("screen.toml cannot be read: {error}")),
    };
    let place = path.map_or_else(|_| "screen.toml".to_owned(), |path| path.display().to_string());
    let mut preferences = Preferences::parse(&text, variable)
        .map_err(|problems| format!("{place}:\n  {}", problems.join("\n  ")))?;
    let file_choices = DisplayChoices { theme: preferences.theme, mouse: preferences.mouse };
    let remembered = choices_file().and_then(|path| paths::read_text(&path)).ok();
    if let Some(choices) =
        remembered.and_then(|text| DisplayChoices::remembered(&text, file_choices))
    {
        preferences.theme = choices.theme.respecting_no_color(variable);
        preferences.mouse = choices.mouse;
    }
    if let Some(name) = &args.theme {
        let theme = Theme::from_name(name).ok_or_else(|| {
            let names = Theme::ALL.map(|(_, name)| name).join(", ");
            format!("--theme {name}: no such theme; choose one of {names}")
        })?;
        preferences.theme = theme.respecting_no_color(variable);
    }
    if args.ascii {
        preferences.symbols = Symbols::Ascii;
    }
    if args.no_mouse {
        preferences.mouse = MouseOwner::Terminal;
    }
    if args.keep {
        preferences.run_owner = RunOwner::DetachedProcess;
    }
    Ok((preferences, file_choices))
}

async fn terminate_on_signal(mut signals: Signals, terminate: CancellationToken) {
    signals.next().await;
    terminate.cancel();
}
