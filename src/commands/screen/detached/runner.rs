//! The process of a detached run. It has no terminal and leads a separate session, so that neither
//! the end of a terminal nor a hangup ends it.

use std::{
    fs,
    io::{self, Read, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use color_eyre::eyre::{Result, WrapErr};
use jiff::Timestamp;
use parking_lot::{Mutex, MutexGuard};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    net::{
        UnixListener, UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    runtime::Runtime,
    sync::Notify,
    task::JoinSet,
    time::timeout,
};

use super::{
    error::DetachedError,
    sockets,
    wire::{ClientMessage, Hello, ServerMessage, StartupReply, decode, encode, send},
};
use crate::{
    commands::{output::Exit, screen::controller::EngineController, signals::Signals},
    event::{EndStatus, Event},
    tui::{Controller, EventQueue, LiveRun, RunCommand, StartRequest, StartedRun, StopMode},
};

/// Longest wait for the screen that started the run; after it, the run starts without a screen.
const FIRST_FOLLOWER_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait until all followers have received the last events.
const FINAL_EVENTS_TIMEOUT: Duration = Duration::from_secs(5);

/// Executes the hidden `hubmark keep`: reads a run's request from standard input, replies with its
/// socket on standard output, and executes the run.
pub fn execute(runtime: &Runtime) -> Result<Exit> {
    // This fails if the process already leads a session, which is just as good.
    let _ = nix::unistd::setsid();
    // A panic's message on stderr would be lost: log it instead.
    std::panic::set_hook(Box::new(|info| tracing::error!("{info}")));
    let mut text = String::new();
    io::stdin().read_to_string(&mut text).wrap_err("the run could not be read")?;
    let request: StartRequest = decode(text.trim()).wrap_err("the run could not be read")?;
    runtime.block_on(async {
        let signals = Signals::without_hangup();
        let (listener, socket) = match listen() {
            Ok(listening) => listening,
            Err(error) => {
                print_reply(&StartupReply::Failed(error.to_string()));
                return Ok(Exit::Failed);
            }
        };
        print_reply(&StartupReply::Listening(socket.0.clone()));
        Ok(serve(runtime, request, listener, socket, signals).await)
    })
}

/// Prints the reply; when its reader has ended, the run goes on unobserved.
fn print_reply(reply: &StartupReply) {
    if let Ok(line) = encode(reply) {
        let _ = io::stdout().write_all(&line).and_then(|()| io::stdout().flush());
    }
}

/// A socket file, removed when dropped.
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn listen() -> Result<(UnixListener, SocketFile), DetachedError> {
    let folder = sockets::socket_folder()?;
    let path = sockets::socket_path(&folder, std::process::id());
    let failed = |source| DetachedError::Sockets { place: path.display().to_string(), source };
    // Remove the socket of an earlier process with the same number.
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let listener = UnixListener::bind(&path).map_err(failed)?;
    restrict_to_owner(&path).map_err(failed)?;
    Ok((listener, SocketFile(path)))
}

/// Restricts access to the owner, as the folder does already.
fn restrict_to_owner(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
}

async fn serve(
    runtime: &Runtime,
    request: StartRequest,
    listener: UnixListener,
    socket: SocketFile,
    mut signals: Signals,
) -> Exit {
    let run = Arc::new(FollowedRun::new(request.clone()));
    let acceptor = runtime.spawn(accept_followers(listener, Arc::clone(&run)));
    // The screen that started the run must not miss an event.
    let _ = timeout(FIRST_FOLLOWER_TIMEOUT, run.followed.notified()).await;
    let mut controller = EngineController::new(runtime.handle().clone());
    let mut exit = Exit::Success;
    match controller.start(&request) {
        Err(error) => {
            exit = Exit::Failed;
            run.publish(Event::Ended { end: EndStatus::Failed { error }, record: PathBuf::new() });
        }
        Ok(StartedRun { mut events, send_command }) => {
            run.set_command_sender(send_command);
            let mut stopping = false;
            loop {
                tokio::select! {
                    event = events.recv() => match event {
                        Some(event) => run.publish(event),
                        None => break,
                    },
                    () = signals.next() => {
                        exit = Exit::Interrupted;
                        // The second signal ends the run at once.
                        if stopping {
                            break;
                        }
                        stopping = true;
                        run.execute_command(RunCommand::Stop(StopMode::Now));
                    }
                }
            }
        }
    }
    drop(socket);
    run.close();
    // The task ends once all followers have received the end.
    let _ = timeout(FINAL_EVENTS_TIMEOUT, acceptor).await;
    exit
}

/// A run and its followers.
struct FollowedRun {
    began: (Instant, Timestamp),
    state: Mutex<FollowedRunState>,
    followed: Notify,
    over: Notify,
}

struct FollowedRunState {
    live: LiveRun,
    followers: Vec<Arc<EventQueue>>,
    send_command: Option<Box<dyn Fn(RunCommand) + Send>>,
    /// The end event, once the run has ended.
    end: Option<Event>,
    closed: bool,
}

impl FollowedRun {
    fn new(request: StartRequest) -> Self {
        let live = LiveRun::new(request, Duration::ZERO);
        let state = FollowedRunState {
            live,
            followers: Vec::new(),
            send_command: None,
            end: None,
            closed: false,
        };
        Self {
            began: (Instant::now(), Timestamp::now()),
            state: Mutex::new(state),
            followed: Notify::new(),
            over: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, FollowedRunState> {
        self.state.lock()
    }

    fn age(&self) -> Duration {
        self.began.0.elapsed()
    }

    fn set_command_sender(&self, send_command: Box<dyn Fn(RunCommand) + Send>) {
        self.state().send_command = Some(send_command);
    }

    /// Applies an event to the state and forwards it to all followers.
    fn publish(&self, event: Event) {
        let mut state = self.state();
        if matches!(event, Event::Ended { .. }) {
            state.end = Some(event.clone());
        }
        for follower in &state.followers {
            follower.push(event.clone());
        }
        state.live.apply(event, self.age());
    }

    /// Executes an operator's command and records it in the state.
    fn execute_command(&self, command: RunCommand) {
        let mut state = self.state();
        state.live.apply_command(command);
        if let Some(send_command) = &state.send_command {
            send_command(command);
        }
    }

    fn hello(&self) -> Hello {
        let state = self.state();
        let (done, all, phase) = state.live.progress();
        Hello {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            process: std::process::id(),
            profile: state.live.plan.profile.clone(),
            began: self.began.1,
            done,
            all,
            phase: phase.to_owned(),
            record: state.live.record.clone(),
        }
    }

    /// Adds a follower: returns the current state, and the queue of all further events.
    fn add_follower(&self) -> (ServerMessage, Arc<EventQueue>) {
        let queue = Arc::new(EventQueue::default());
        let age = self.age();
        let mut state = self.state();
        state.live.tick(age);
        let live = Box::new(state.live.clone());
        if let Some(end) = &state.end {
            queue.push(end.clone());
        }
        if state.closed {
            queue.close();
        }
        state.followers.push(Arc::clone(&queue));
        drop(state);
        self.followed.notify_one();
        (ServerMessage::State { live, age }, queue)
    }

    fn remove_follower(&self, queue: &Arc<EventQueue>) {
        self.state().followers.retain(|follower| !Arc::ptr_eq(follower, queue));
    }

    fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        state.followers.iter().for_each(|follower| follower.close());
        drop(state);
        self.over.notify_one();
    }
}

/// Accepts followers until the run has ended, then waits until all have disconnected.
async fn accept_followers(listener: UnixListener, run: Arc<FollowedRun>) {
    let mut followers = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let run = Arc::clone(&run);
                    followers.spawn(async move {
                        if let Err(error) = serve_follower(&run, stream).await {
                            tracing::info!("a follower of this run disconnected: {error}");
                        }
                    });
                }
                Err(error) => {
                    // Perhaps no descriptor is free: wait before the next attempt.
                    tracing::warn!("a follower could not be accepted: {error}");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            },
            Some(_) = followers.join_next() => {}
            () = run.over.notified() => break,
        }
    }
    drop(listener);
    while followers.join_next().await.is_some() {}
}

async fn serve_follower(run: &FollowedRun, stream: UnixStream) -> io::Result<()> {
    let (input, mut out) = stream.into_split();
    send(&mut out, &run.hello()).await?;
    let mut lines = BufReader::new(input).lines();
    // A client that only wanted the hello has disconnected.
    let Some(first) = lines.next_line().await? else { return Ok(()) };
    if decode::<ClientMessage>(&first)? != ClientMessage::Follow {
        return Ok(());
    }
    let (state, queue) = run.add_follower();
    let result = relay_to_follower(run, state, &queue, &mut lines, &mut out).await;
    run.remove_follower(&queue);
    result
}

/// Forwards all events to a follower and executes its commands, until the run has ended or the
/// follower disconnects.
async fn relay_to_follower(
    run: &FollowedRun,
    state: ServerMessage,
    queue: &EventQueue,
    lines: &mut Lines<BufReader<OwnedReadHalf>>,
    out: &mut OwnedWriteHalf,
) -> io::Result<()> {
    // Encoding the state of a long run takes a moment: do it off the runtime's threads.
    let state = tokio::task::spawn_blocking(move || encode(&state)).await??;
    out.write_all(&state).await?;
    loop {
        tokio::select! {
            batch = queue.recv() => {
                for event in batch.events {
                    send(out, &ServerMessage::Event(Box::new(event))).await?;
                }
                if batch.closed {
                    return Ok(());
                }
            }
            message = lines.next_line() => match message? {
                Some(message) => match decode(&message)? {
                    ClientMessage::Command(command) => run.execute_command(command),
                    ClientMessage::Follow => {}
                },
                None => return Ok(()),
            },
        }
    }
}
