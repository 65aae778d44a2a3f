//! `hubmark` without a command: the screen.

use std::{fs, io, sync::Arc};

use color_eyre::eyre::Result;
use tokio::{runtime::Runtime, sync::mpsc};
use tokio_util::sync::CancellationToken;

use super::{
    Exit, complain,
    launch::{self, Launch},
    shelf::Outside,
    signals::Signals,
};
use crate::{
    backend,
    cli::ScreenArgs,
    engine::{self, control::Control},
    event::{End, Event},
    paths,
    plan::BackendChoice,
    profile::{self, Library, Override, Profile},
    record::store,
    tui::{
        self, BackendOption, Controller, Inputs, Mouse, PlanPreview, Planner, Preferences, Problem,
        ProfileEntry, Request, Started, Stop, Symbols, Theme, TuiError, Wish,
    },
};

/// Opens the screen and stays until the operator leaves it.
pub fn open(runtime: &Runtime, look: &ScreenArgs) -> Result<Exit> {
    let preferences = match preferences(look) {
        Ok(preferences) => preferences,
        Err(problem) => {
            complain(problem);
            return Ok(Exit::Usage);
        }
    };
    let terminate = CancellationToken::new();
    runtime.spawn(terminate_on_signal(terminate.clone()));
    let inputs = Inputs {
        shelf: Arc::new(Outside { runtime: runtime.handle().clone() }),
        profiles: profiles(),
        backends: backends(),
        planner: Arc::new(FormPlanner),
        preferences,
        terminate,
    };
    let controller = EngineController { runtime: runtime.handle().clone(), control: None };
    let outcome = match runtime.block_on(tui::run(inputs, controller)) {
        Ok(outcome) => outcome,
        Err(error @ TuiError::NoTerminal) => {
            complain(error);
            return Ok(Exit::Usage);
        }
        Err(error) => return Err(error.into()),
    };
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
        let plan = parse(toml_text, overrides)?.plan();
        let seconds = plan.estimate().as_secs_f64();
        let mut lines = vec![plan.conditions()];
        // The same check that a start begins with: what is needed, and what there is.
        if let Err(error) = engine::check(&plan) {
            lines.insert(0, format!("! {}", error.to_string().replace('\n', " ")));
        }
        Ok(PlanPreview { plan, lines, seconds })
    }
}

/// The form's changes as the profile reads them.
pub fn changes(overrides: &[(String, String)]) -> Result<Vec<Override>, profile::Problem> {
    overrides.iter().map(|(key, value)| Override::new(key, &listed(value))).collect()
}

pub fn parse(text: &str, overrides: &[(String, String)]) -> Result<Profile, Vec<Problem>> {
    let told = |problem: &profile::Problem| Problem {
        key: Some(problem.key.clone()).filter(|key| !key.is_empty()),
        text: problem.to_string(),
    };
    let overrides = changes(overrides).map_err(|problem| vec![told(&problem)])?;
    Profile::parse_with(text, &overrides, &backend::catalogue())
        .map_err(|problems| problems.list.iter().map(told).collect())
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

/// Starts runs in the background.
struct EngineController {
    runtime: tokio::runtime::Handle,
    control: Option<Control>,
}

impl Controller for EngineController {
    fn start(&mut self, request: &Request) -> Result<Started, String> {
        let profile = parse(&request.profile.text, &request.overrides).map_err(|problems| {
            problems.into_iter().map(|problem| problem.text).collect::<Vec<_>>().join("\n")
        })?;
        let resume = match &request.resume {
            Some(path) => Some(store::load(path).map_err(|error| error.to_string())?),
            None => None,
        };
        let plan = resume.as_ref().map_or_else(|| profile.plan(), |record| record.plan.clone());
        let path = match &request.resume {
            Some(path) => path.clone(),
            None => launch::record_path(&plan).map_err(|error| error.to_string())?,
        };
        let (launch, mut told) = Launch::new();
        let control = launch.control.clone();
        self.control = Some(control.clone());
        let (sender, events) = mpsc::unbounded_channel();
        let run = engine::Request { plan, profile: profile.to_toml(), path: path.clone(), resume };
        let relay = sender.clone();
        self.runtime.spawn(async move {
            while let Some(event) = told.recv().await {
                let _ = relay.send(event);
            }
        });
        self.runtime.spawn(async move {
            // A run that could not begin has told nothing yet.
            if let Err(error) = launch.run(run).await {
                let end = match error {
                    engine::EngineError::Stopped => End::Stopped,
                    error => End::Failed { error: error.to_string() },
                };
                let _ = sender.send(Event::Ended { end, record: path });
            }
        });
        Ok(Started {
            events,
            steer: Box::new(move |wish| match wish {
                Wish::Stop(Stop::AfterRepetition) => control.stop_after_repetition(),
                Wish::Stop(Stop::Now) => control.stop_now(),
                Wish::Skip(point) => control.skip_point(point),
                Wish::Add(count) => control.add_repetitions(count),
            }),
        })
    }
}

impl Drop for EngineController {
    /// The screen has ended, whatever the reason: so does the run.
    fn drop(&mut self) {
        if let Some(control) = &self.control {
            control.stop_now();
        }
    }
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
