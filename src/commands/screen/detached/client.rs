//! The screen's client for a detached run.

use std::{process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::Command,
    runtime::Handle,
    sync::mpsc::{self, UnboundedReceiver, UnboundedSender},
    time::timeout,
};

use super::{
    error::DetachedError,
    sockets::{self, DetachedRun, RunConnection},
    wire::{self, ClientMessage, Hello, ServerMessage, StartupReply, decode, send},
};
use crate::{
    commands::screen::controller::build_request,
    event::{EndStatus, Event},
    tui::{AttachedRun, Controller, RunCommand, StartRequest, StartedRun},
};

/// Longest wait until a new process listens.
const STARTUP_TIMEOUT: Duration = Duration::from_secs(20);

/// Starts each run as a separate, detached process.
pub struct DetachedController {
    runtime: Handle,
}

impl DetachedController {
    /// A controller that receives the runs' events on `runtime`.
    pub const fn new(runtime: Handle) -> Self {
        Self { runtime }
    }
}

impl Controller for DetachedController {
    fn start(&mut self, request: &StartRequest) -> Result<StartedRun, String> {
        // Report a bad request before a process is started.
        build_request(request)?;
        let (events, receiver) = mpsc::unbounded_channel();
        let (commands, command_receiver) = mpsc::unbounded_channel();
        let (request, runtime) = (request.clone(), self.runtime.clone());
        self.runtime.spawn(async move {
            let result = match spawn(&request).await {
                Ok(run) => subscribe(&run, &runtime).await.map(|attached| attached.run),
                Err(error) => Err(error),
            };
            match result {
                Ok(started) => relay(started, events, command_receiver).await,
                Err(error) => {
                    let end = EndStatus::Failed { error: error.to_string() };
                    let record = std::path::PathBuf::new();
                    let _ = events.send(Event::Ended { end, record });
                }
            }
        });
        Ok(StartedRun {
            events: receiver,
            send_command: Box::new(move |command| {
                let _ = commands.send(command);
            }),
        })
    }
}

/// Forwards events to the screen and commands to the run.
async fn relay(
    mut started: StartedRun,
    events: UnboundedSender<Event>,
    mut commands: UnboundedReceiver<RunCommand>,
) {
    loop {
        tokio::select! {
            event = started.events.recv() => {
                let Some(event) = event else { return };
                if events.send(event).is_err() {
                    return;
                }
            }
            Some(command) = commands.recv() => (started.send_command)(command),
        }
    }
}

/// Starts a process that executes `request`, and waits until it listens.
async fn spawn(request: &StartRequest) -> Result<DetachedRun, DetachedError> {
    let failed = |error: std::io::Error| DetachedError::Start(error.to_string());
    let program = std::env::current_exe().map_err(failed)?;
    let mut child = Command::new(program)
        .arg("keep")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    if let Some(mut input) = child.stdin.take() {
        // A request that the process cannot read is reported by its reply.
        let _ = input.write_all(&wire::encode(request).map_err(failed)?).await;
    }
    let reply = match child.stdout.take() {
        Some(out) => timeout(STARTUP_TIMEOUT, BufReader::new(out).lines().next_line()).await,
        None => Ok(Ok(None)),
    };
    // Reap the process, so that it does not stay a zombie while the screen runs.
    tokio::spawn(async move { child.wait().await });
    let reply = reply.map_err(|_| DetachedError::Start("it did not listen in time".to_owned()))?;
    let reply = reply.map_err(failed)?;
    let reply = reply.ok_or_else(|| DetachedError::Start("it ended at once".to_owned()))?;
    match decode(&reply).map_err(failed)? {
        StartupReply::Failed(why) => Err(DetachedError::Start(why)),
        StartupReply::Listening(socket) => {
            let (hello, _) = sockets::connect(&socket).await.map_err(failed)?;
            Ok(DetachedRun { socket, hello })
        }
    }
}

/// Subscribes to a run: returns its current state and its further events.
///
/// # Errors
/// The run does not answer, or is of another version.
pub async fn subscribe(run: &DetachedRun, runtime: &Handle) -> Result<AttachedRun, DetachedError> {
    let process = run.hello.process;
    let wrong = |what: String| DetachedError::Process { process, what };
    let silent = |error: std::io::Error| wrong(format!("does not answer: {error}"));
    let (Hello { version, .. }, mut connection) =
        sockets::connect(&run.socket).await.map_err(silent)?;
    if version != env!("CARGO_PKG_VERSION") {
        return Err(wrong(format!(
            "is of hubmark {version}\n  attach to it with that version; the run continues meanwhile"
        )));
    }
    send(&mut connection.out, &ClientMessage::Follow).await.map_err(silent)?;
    let first = connection.lines.next_line().await.map_err(silent)?;
    let first = first.ok_or_else(|| wrong("ended just now".to_owned()))?;
    let ServerMessage::State { live, age } = decode(&first).map_err(silent)? else {
        return Err(wrong("sent something else than its state".to_owned()));
    };
    let (events, receiver) = mpsc::unbounded_channel();
    let (commands, command_receiver) = mpsc::unbounded_channel();
    runtime.spawn(receive(connection, events, command_receiver));
    let send_command = Box::new(move |command| {
        let _ = commands.send(command);
    });
    Ok(AttachedRun { live, age, run: StartedRun { events: receiver, send_command } })
}

/// Forwards a run's events as they arrive, and commands to the run, until either side closes.
async fn receive(
    mut connection: RunConnection,
    events: UnboundedSender<Event>,
    mut commands: UnboundedReceiver<RunCommand>,
) {
    loop {
        tokio::select! {
            line = connection.lines.next_line() => {
                let Ok(Some(line)) = line else { return };
                match decode(&line) {
                    Ok(ServerMessage::Event(event)) => {
                        if events.send(*event).is_err() {
                            return;
                        }
                    }
                    Ok(ServerMessage::State { .. }) => {}
                    Err(error) => {
                        tracing::warn!("a detached run sent an unreadable message: {error}");
                    }
                }
            }
            command = commands.recv() => match command {
                Some(command)
                    if send(&mut connection.out, &ClientMessage::Command(command))
                        .await
                        .is_ok() => {}
                _ => return,
            },
        }
    }
}
