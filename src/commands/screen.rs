//! `hubmark` without a command: the screen.

use std::{fs, io, sync::Arc};

use color_eyre::eyre::Result;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use super::{
    Exit, complain,
    controller::EngineController,
    kept::{self, KeptController},
    shelf::Outside,
    signals::Signals,
};
use crate::{
    backend,
    cli::ScreenArgs,
    engine,
    event::End,
    paths,
    plan::BackendChoice,
    profile::{self, Library, Override, Profile},
    tui::{
        self, Attached, BackendOption, Inputs, Mouse, PlanPreview, Planner, Preferences, Problem,
        ProfileEntry, Runs, Symbols, Theme, TuiError,
    },
};

/// Opens the screen, on a run that is on already where there is one, and stays until the operator
/// leaves it.
pub fn open(runtime: &Runtime, look: &ScreenArgs, attached: Option<Attached>) -> Result<Exit> {
    let mut preferences = match preferences(look) {
        Ok(preferences) => preferences,
        Err(problem) => {
            complain(problem);
            return Ok(Exit::Usage);
        }
    };
    if attached.is_some() {
        preferences.runs = Runs::Kept;
    }
    let runs = preferences.runs;
    let terminate = CancellationToken::new();
    runtime.spawn(terminate_on_signal(terminate.clone()));
    let inputs = Inputs {
        shelf: Arc::new(Outside::new(runtime.handle().clone())),
        profiles: profiles(),
        backends: backends(),
        planner: Arc::new(FormPlanner),
        preferences,
        attached,
        terminate,
    };
    let handle = runtime.handle().clone();
    let shown = match runs {
        Runs::Screens => runtime.block_on(tui::run(inputs, EngineController::new(handle))),
        Runs::Kept => runtime.block_on(tui::run(inputs, KeptController::new(handle))),
    };
    let outcome = match shown {
        Ok(outcome) => outcome,
        Err(error @ TuiError::NoTerminal) => {
            complain(error);
            return Ok(Exit::Usage);
        }
        Err(error) => return Err(error.into()),
    };
    if outcome.runs_on {
        complain(kept::RUNS_ON);
    }
    Ok(match outcome.last {
        _ if outcome.terminated => Exit::Interrupted,
        None => Exit::Well,
        Some(last) => match last.end {
            End::Failed { .. } => Exit::Failed,
            End::Stopped => Exit::Interrupted,
            End::Complete if last.undelivered > 0 || last.crossed > 0 => Exit::Crossed,
            End::Complete => Exit::Well,
        },
    })
}

/// The operator's `screen.toml`, changed by flags.
fn preferences(look: &ScreenArgs) -> Result<Preferences, String> {
    let variable = |name: &str| std::env::var(name).ok();
    let path = paths::config().map(|folder| folder.join("screen.toml"));
    let text = match path.as_ref().map(fs::read_to_string) {
        Ok(Ok(text)) => text,
        // Without a folder, or without the file, nothing was chosen.
        Err(_) => String::new(),
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Ok(Err(error)) => return Err(format!("screen.toml cannot be read: {error}")),
    };
    let place = path.map_or_else(|_| "screen.toml".to_owned(), |path| path.display().to_string());
    let mut preferences = Preferences::read(&text, variable)
        .map_err(|problems| format!("{place}:\n  {}", problems.join("\n  ")))?;
    if let Some(name) = &look.theme {
        let theme = Theme::named(name).ok_or_else(|| {
            let names = Theme::ALL.map(|(_, name)| name).join(", ");
            format!("--theme {name}: there is no such theme; there are {names}")
        })?;
        preferences.theme = theme.shown(variable);
    }
    if look.ascii {
        preferences.symbols = Symbols::Ascii;
    }
    if look.no_mouse {
        preferences.mouse = Mouse::Terminal;
    }
    if look.keep {
        preferences.runs = Runs::Kept;
    }
    Ok(preferences)
}

async fn terminate_on_signal(terminate: CancellationToken) {
    Signals::take().next().await;
    terminate.cancel();
}

/// Built-in profiles first, then the operator's own.
pub fn profiles() -> Vec<ProfileEntry> {
    let mut entries: Vec<_> = profile::builtin()
        .iter()
        .map(|builtin| ProfileEntry {
            name: builtin.name.to_owned(),
            description: builtin.description.clone(),
            text: builtin.text.to_owned(),
            own: false,
        })
        .collect();
    // Without a folder of saved profiles the built-in ones are all there is.
    let saved = Library::open().and_then(|library| library.saved()).unwrap_or_default();
    entries.extend(saved.into_iter().map(|source| ProfileEntry {
        name: source.name,
        description: source.description,
        text: source.text,
        own: true,
    }));
    entries
}

fn backends() -> Vec<BackendOption> {
    let mut options = Vec::new();
    for backend in backend::registry() {
        let info = backend.info();
        let mut add = |version: Option<&str>| {
            let choice =
                BackendChoice { name: info.name.to_owned(), version: version.map(str::to_owned) };
            let title = [info.title, version.unwrap_or_default()].join(" ").trim_end().to_owned();
            let caution = info.caution.map(str::to_owned);
            options.push(BackendOption { choice, title, caution, hubs: info.hubs.to_vec() });
        };
        info.versions.iter().for_each(|version| add(Some(version)));
        if info.versions.is_empty() {
            add(None);
        }
    }
    options
}

/// Plans what the form says.
struct FormPlanner;

impl Planner for FormPlanner {
    fn plan(
        &self,
        toml_text: &str,
        overrides: &[(String, String)],
    ) -> Result<PlanPreview, Vec<Problem>> {
        let profile = parse(toml_text, overrides)?;
        let plan = profile.plan();
        let seconds = plan.estimate().as_secs_f64();
        let mut lines = vec![plan.conditions()];
        // The same check that a start begins with: what is needed, and what there is.
        if let Err(error) = engine::check(&plan) {
            lines.insert(0, format!("! {}", error.to_string().replace('\n', " ")));
        }
        Ok(PlanPreview::new(&profile, plan, lines, seconds))
    }
}

/// The form's changes as the profile reads them.
pub fn changes(overrides: &[(String, String)]) -> Result<Vec<Override>, profile::Problem> {
    overrides.iter().map(|(key, value)| Override::new(key, &listed(value))).collect()
}

pub fn parse(text: &str, overrides: &[(String, String)]) -> Result<Profile, Vec<Problem>> {
    let overrides = changes(overrides).map_err(|problem| vec![Problem::from(&problem)])?;
    Profile::parse_with(text, &overrides, &backend::catalogue())
        .map_err(|problems| problems.list.iter().map(Problem::from).collect())
}

/// `100, 400` as people write it is a list to a profile.
fn listed(value: &str) -> String {
    if !value.contains(',') || value.trim_start().starts_with(['[', '{', '"']) {
        return value.to_owned();
    }
    let items: Vec<_> = value
        .split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .map(|item| match item.parse::<u64>() {
            Ok(number) => number.to_string(),
            Err(_) => format!("{item:?}"),
        })
        .collect();
    format!("[{}]", items.join(", "))
}

#[cfg(test)]
mod tests {
    use super::listed;

    #[test]
    fn lists_are_read_as_people_write_them() {
        assert_eq!(listed("100, 400"), "[100, 400]");
        assert_eq!(listed("1 B, 10 kB"), "[\"1 B\", \"10 kB\"]");
        assert_eq!(listed("100..1000 step 100"), "100..1000 step 100");
        assert_eq!(listed("[1, 2]"), "[1, 2]");
    }
}
