//! Runs of the screen inside its process.

use tokio::{runtime::Handle, sync::mpsc};

use super::form::parse_profile;
use crate::{
    commands::launch::{self, RunLauncher},
    engine::{self, control::Control},
    event::{EndStatus, Event},
    tui::{Controller, RunCommand, StartRequest, StartedRun, StopMode},
};

/// Starts runs in the background of this process.
pub struct EngineController {
    runtime: Handle,
    control: Option<Control>,
}

impl EngineController {
    /// A controller whose runs are executed on `runtime`.
    pub const fn new(runtime: Handle) -> Self {
        Self { runtime, control: None }
    }
}

/// Builds the engine's request from the screen's request.
///
/// # Errors
/// Why the request cannot be executed, and what to do.
pub fn build_request(request: &StartRequest) -> Result<engine::RunSpec, String> {
    let profile = parse_profile(&request.profile.text, &request.overrides).map_err(|problems| {
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    })?;
    let resume = match &request.resume {
        Some(path) => Some(engine::load_resumable(path).map_err(|error| error.to_string())?),
        None => None,
    };
    let plan = resume.as_ref().map_or_else(|| profile.plan(), |record| record.plan.clone());
    let path = match &request.resume {
        Some(path) => path.clone(),
        None => launch::record_path(&plan).map_err(|error| error.to_string())?,
    };
    Ok(engine::RunSpec { plan, profile: profile.to_toml(), path, resume })
}

impl Controller for EngineController {
    fn start(&mut self, request: &StartRequest) -> Result<StartedRun, String> {
        let run = build_request(request)?;
        let path = run.path.clone();
        let (launch, mut engine_events) = RunLauncher::new();
        let control = launch.control.clone();
        self.control = Some(control.clone());
        let (sender, events) = mpsc::unbounded_channel();
        let relay = sender.clone();
        self.runtime.spawn(async move {
            while let Some(event) = engine_events.recv().await {
                let _ = relay.send(event);
            }
        });
        self.runtime.spawn(async move {
            // A run that could not start has sent no end event yet.
            if let Err(error) = Box::pin(launch.run(run)).await {
                let end = match error {
                    engine::RunError::Stopped => EndStatus::Stopped,
                    error => EndStatus::Failed { error: error.to_string() },
                };
                // A record that was never saved cannot be resumed.
                let record = Some(path).filter(|path| path.exists()).unwrap_or_default();
                let _ = sender.send(Event::Ended { end, record });
            }
        });
        Ok(StartedRun {
            events,
            send_command: Box::new(move |command| match command {
                RunCommand::Stop(StopMode::AfterRepetition) => control.stop_after_repetition(),
                RunCommand::Stop(StopMode::Now) => control.stop_now(),
                RunCommand::Skip(point) => control.skip_point(point),
                RunCommand::Add(count) => control.add_repetitions(count),
                RunCommand::Steer(command) => {
                    // The load may have ended since the key was pressed.
                    let _ = control.steer(command);
                }
            }),
        })
    }
}

impl Drop for EngineController {
    /// Stops the run when the screen has ended, for whatever reason.
    fn drop(&mut self) {
        if let Some(control) = &self.control {
            control.stop_now();
        }
    }
}
