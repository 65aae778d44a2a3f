//! Runs of the screen within its own process.

use tokio::{runtime::Handle, sync::mpsc};

use super::{
    launch::{self, Launch},
    screen::parse,
};
use crate::{
    engine::{self, control::Control},
    event::{End, Event},
    record::store,
    tui::{Controller, Request, Started, Stop, Wish},
};

/// Starts runs in the background.
pub struct EngineController {
    runtime: Handle,
    control: Option<Control>,
}

impl EngineController {
    /// Runs will be on `runtime`.
    pub const fn new(runtime: Handle) -> Self {
        Self { runtime, control: None }
    }
}

/// What the engine is asked for.
///
/// # Errors
/// Why that cannot be asked for, and what to do.
pub fn prepare(request: &Request) -> Result<engine::Request, String> {
    let profile = parse(&request.profile.text, &request.overrides).map_err(|problems| {
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
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
    Ok(engine::Request { plan, profile: profile.to_toml(), path, resume })
}

impl Controller for EngineController {
    fn start(&mut self, request: &Request) -> Result<Started, String> {
        let run = prepare(request)?;
        let path = run.path.clone();
        let (launch, mut told) = Launch::new();
        let control = launch.control.clone();
        self.control = Some(control.clone());
        let (sender, events) = mpsc::unbounded_channel();
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
