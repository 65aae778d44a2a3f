//! The screen's end of a kept run.

use std::{process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::Command,
    runtime::Handle,
    sync::mpsc::{self, UnboundedReceiver, UnboundedSender},
    time::timeout,
};

use super::{
    KeptError,
    place::{self, Connection, Kept},
    wire::{self, Birth, Call, Hello, Word, heard, say},
};
use crate::{
    commands::controller::prepare,
    event::{End, Event},
    tui::{Attached, Controller, Request, Started, Wish},
};

/// Longest wait for a new process to listen.
const BIRTH: Duration = Duration::from_secs(20);

/// Starts runs as processes of their own.
pub struct KeptController {
    runtime: Handle,
}

impl KeptController {
    /// What the runs tell is taken in on `runtime`.
    pub const fn new(runtime: Handle) -> Self {
        Self { runtime }
    }
}

impl Controller for KeptController {
    fn start(&mut self, request: &Request) -> Result<Started, String> {
        // What is wrong with it is better said before there is a process.
        prepare(request)?;
        let (events, told) = mpsc::unbounded_channel();
        let (wishes, wanted) = mpsc::unbounded_channel();
        let (request, runtime) = (request.clone(), self.runtime.clone());
        self.runtime.spawn(async move {
            let begun = match bear(&request).await {
                Ok(run) => follow(&run, &runtime).await.map(|attached| attached.started),
                Err(error) => Err(error),
            };
            match begun {
                Ok(started) => pass_on(started, events, wanted).await,
                Err(error) => {
                    let end = End::Failed { error: error.to_string() };
                    let record = std::path::PathBuf::new();
                    let _ = events.send(Event::Ended { end, record });
                }
            }
        });
        Ok(Started {
            events: told,
            steer: Box::new(move |wish| {
                let _ = wishes.send(wish);
            }),
        })
    }
}

/// Hands events one way and wishes the other.
async fn pass_on(
    mut started: Started,
    events: UnboundedSender<Event>,
    mut wishes: UnboundedReceiver<Wish>,
) {
    loop {
        tokio::select! {
            event = started.events.recv() => {
                let Some(event) = event else { return };
                if events.send(event).is_err() {
                    return;
                }
            }
            Some(wish) = wishes.recv() => (started.steer)(wish),
        }
    }
}

/// Starts a process that executes `request`, and waits until it listens.
async fn bear(request: &Request) -> Result<Kept, KeptError> {
    let failed = |error: std::io::Error| KeptError::Start(error.to_string());
    let program = std::env::current_exe().map_err(failed)?;
    let mut child = Command::new(program)
        .arg("keep")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    if let Some(mut input) = child.stdin.take() {
        // What it does not want to hear it will say itself.
        let _ = input.write_all(&wire::line(request).map_err(failed)?).await;
    }
    let said = match child.stdout.take() {
        Some(out) => timeout(BIRTH, BufReader::new(out).lines().next_line()).await,
        None => Ok(Ok(None)),
    };
    // It is nobody's to wait for but this task's, lest it stay as a zombie beside the screen.
    tokio::spawn(async move { child.wait().await });
    let said = said.map_err(|_| KeptError::Start("it did not listen in time".to_owned()))?;
    let said = said.map_err(failed)?;
    let said = said.ok_or_else(|| KeptError::Start("it ended at once".to_owned()))?;
    match heard(&said).map_err(failed)? {
        Birth::Failed(why) => Err(KeptError::Start(why)),
        Birth::Listens(socket) => {
            let (hello, _) = place::connect(&socket).await.map_err(failed)?;
            Ok(Kept { socket, hello })
        }
    }
}

/// Follows a run: what it has come to, and what it tells from now on.
///
/// # Errors
/// When it does not answer, or is another version's.
pub async fn follow(run: &Kept, runtime: &Handle) -> Result<Attached, KeptError> {
    let process = run.hello.process;
    let wrong = |what: String| KeptError::Process { process, what };
    let silent = |error: std::io::Error| wrong(format!("does not answer: {error}"));
    let (Hello { version, .. }, mut connection) =
        place::connect(&run.socket).await.map_err(silent)?;
    if version != env!("CARGO_PKG_VERSION") {
        return Err(wrong(format!(
            "is of hubmark {version}\n  attach to it with that version; it goes on meanwhile"
        )));
    }
    say(&mut connection.out, &Call::Follow).await.map_err(silent)?;
    let first = connection.lines.next_line().await.map_err(silent)?;
    let first = first.ok_or_else(|| wrong("ended just now".to_owned()))?;
    let Word::State { live, age } = heard(&first).map_err(silent)? else {
        return Err(wrong("says something else than its state".to_owned()));
    };
    let (events, told) = mpsc::unbounded_channel();
    let (wishes, wanted) = mpsc::unbounded_channel();
    runtime.spawn(listen(connection, events, wanted));
    let steer = Box::new(move |wish| {
        let _ = wishes.send(wish);
    });
    Ok(Attached { live, age, started: Started { events: told, steer } })
}

/// Takes everything that a run says, as it comes, until it or the screen is over.
async fn listen(
    mut connection: Connection,
    events: UnboundedSender<Event>,
    mut wishes: UnboundedReceiver<Wish>,
) {
    loop {
        tokio::select! {
            line = connection.lines.next_line() => {
                let Ok(Some(line)) = line else { return };
                match heard(&line) {
                    Ok(Word::Event(event)) => {
                        if events.send(*event).is_err() {
                            return;
                        }
                    }
                    Ok(Word::State { .. }) => {}
                    Err(error) => tracing::warn!("a kept run said what is not understood: {error}"),
                }
            }
            wish = wishes.recv() => match wish {
                Some(wish) if say(&mut connection.out, &Call::Wish(wish)).await.is_ok() => {}
                _ => return,
            },
        }
    }
}
