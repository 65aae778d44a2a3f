//! The process of a kept run. It has no terminal, so that none can take it along: it is the first of
//! its own session and knows no hangup.

use std::{
    fs,
    io::{self, Read, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use color_eyre::eyre::{Result, WrapErr};
use jiff::Timestamp;
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
    KeptError, place,
    wire::{Birth, Call, Hello, Word, heard, line, say},
};
use crate::{
    commands::{Exit, controller::EngineController, signals::Signals},
    event::{End, Event},
    tui::{Controller, Live, Mailbox, Request, Started, Stop, Wish},
};

/// Longest wait for the screen that asked for the run; without it, it begins all the same.
const FIRST_FOLLOWER: Duration = Duration::from_secs(5);
/// Longest wait for followers to hear the end.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// `hubmark keep`: executes the run that standard input asks for, and says on standard output where
/// it listens.
pub fn keep(runtime: &Runtime) -> Result<Exit> {
    // Whoever leads a session already is safe from the one that it was started in.
    let _ = nix::unistd::setsid();
    // Nobody reads what a panic would print.
    std::panic::set_hook(Box::new(|info| tracing::error!("{info}")));
    let mut text = String::new();
    io::stdin().read_to_string(&mut text).wrap_err("the run could not be read")?;
    let request: Request = heard(text.trim()).wrap_err("the run could not be read")?;
    runtime.block_on(async {
        let signals = Signals::without_hangup();
        let (listener, socket) = match listen() {
            Ok(there) => there,
            Err(error) => {
                answer(&Birth::Failed(error.to_string()));
                return Ok(Exit::Failed);
            }
        };
        answer(&Birth::Listens(socket.0.clone()));
        Ok(serve(runtime, request, listener, socket, signals).await)
    })
}

/// Nobody may be there any more to hear it: then the run goes on unseen.
fn answer(birth: &Birth) {
    if let Ok(line) = line(birth) {
        let _ = io::stdout().write_all(&line).and_then(|()| io::stdout().flush());
    }
}

/// A socket that goes with its process.
struct Socket(PathBuf);

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn listen() -> Result<(UnixListener, Socket), KeptError> {
    let folder = place::folder()?;
    let path = place::socket(&folder, std::process::id());
    let failed = |source| KeptError::Folder { place: path.display().to_string(), source };
    // A process that had our number is no more.
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let listener = UnixListener::bind(&path).map_err(failed)?;
    restrict(&path).map_err(failed)?;
    Ok((listener, Socket(path)))
}

/// For its owner alone, as the folder is already.
fn restrict(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
}

async fn serve(
    runtime: &Runtime,
    request: Request,
    listener: UnixListener,
    socket: Socket,
    mut signals: Signals,
) -> Exit {
    let run = Arc::new(Run::new(request.clone()));
    let door = runtime.spawn(receive(listener, Arc::clone(&run)));
    // The screen that asked for it shall miss nothing.
    let _ = timeout(FIRST_FOLLOWER, run.followed.notified()).await;
    let mut controller = EngineController::new(runtime.handle().clone());
    let mut exit = Exit::Well;
    match controller.start(&request) {
        Err(error) => {
            exit = Exit::Failed;
            run.tell(Event::Ended { end: End::Failed { error }, record: PathBuf::new() });
        }
        Ok(Started { mut events, steer }) => {
            run.steered_by(steer);
            let mut asked = false;
            loop {
                tokio::select! {
                    event = events.recv() => match event {
                        Some(event) => run.tell(event),
                        None => break,
                    },
                    () = signals.next() => {
                        exit = Exit::Interrupted;
                        // The second signal ends it at once.
                        if asked {
                            break;
                        }
                        asked = true;
                        run.wish(Wish::Stop(Stop::Now));
                    }
                }
            }
        }
    }
    drop(socket);
    run.close();
    // The door closes by itself when everybody has heard the end.
    let _ = timeout(LAST_WORDS, door).await;
    exit
}

/// A run, and those who follow it.
struct Run {
    began: (Instant, Timestamp),
    state: Mutex<State>,
    followed: Notify,
    over: Notify,
}

struct State {
    live: Live,
    followers: Vec<Arc<Mailbox>>,
    steer: Option<Box<dyn Fn(Wish) + Send>>,
    /// How it ended.
    end: Option<Event>,
    closed: bool,
}

impl Run {
    fn new(request: Request) -> Self {
        let live = Live::new(request, Duration::ZERO);
        let state = State { live, followers: Vec::new(), steer: None, end: None, closed: false };
        Self {
            began: (Instant::now(), Timestamp::now()),
            state: Mutex::new(state),
            followed: Notify::new(),
            over: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn age(&self) -> Duration {
        self.began.0.elapsed()
    }

    fn steered_by(&self, steer: Box<dyn Fn(Wish) + Send>) {
        self.state().steer = Some(steer);
    }

    /// Keeps what happened, and tells it to everybody.
    fn tell(&self, event: Event) {
        let mut state = self.state();
        if matches!(event, Event::Ended { .. }) {
            state.end = Some(event.clone());
        }
        for follower in &state.followers {
            follower.put(event.clone());
        }
        state.live.apply(event, self.age());
    }

    /// Does what an operator wants, and keeps that it was wanted.
    fn wish(&self, wish: Wish) {
        let mut state = self.state();
        state.live.wished(wish);
        if let Some(steer) = &state.steer {
            steer(wish);
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

    /// What there is now, and where everything from now on will be.
    fn follow(&self) -> (Word, Arc<Mailbox>) {
        let mailbox = Arc::new(Mailbox::default());
        let age = self.age();
        let mut state = self.state();
        state.live.tick(age);
        let live = Box::new(state.live.clone());
        if let Some(end) = &state.end {
            mailbox.put(end.clone());
        }
        if state.closed {
            mailbox.close();
        }
        state.followers.push(Arc::clone(&mailbox));
        drop(state);
        self.followed.notify_one();
        (Word::State { live, age }, mailbox)
    }

    fn leave(&self, mailbox: &Arc<Mailbox>) {
        self.state().followers.retain(|follower| !Arc::ptr_eq(follower, mailbox));
    }

    fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        state.followers.iter().for_each(|follower| follower.close());
        drop(state);
        self.over.notify_one();
    }
}

/// Lets everybody in until the run is over, then waits until everybody has gone.
async fn receive(listener: UnixListener, run: Arc<Run>) {
    let mut guests = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let run = Arc::clone(&run);
                    guests.spawn(async move {
                        if let Err(error) = attend(&run, stream).await {
                            tracing::info!("a screen of this run left: {error}");
                        }
                    });
                }
                Err(error) => {
                    // Out of descriptors, perhaps: not a reason to ask again at once.
                    tracing::warn!("nobody can be let in: {error}");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            },
            Some(_) = guests.join_next() => {}
            () = run.over.notified() => break,
        }
    }
    drop(listener);
    while guests.join_next().await.is_some() {}
}

async fn attend(run: &Run, stream: UnixStream) -> io::Result<()> {
    let (input, mut out) = stream.into_split();
    say(&mut out, &run.hello()).await?;
    let mut lines = BufReader::new(input).lines();
    // Whoever only wanted to know who is there has gone.
    let Some(first) = lines.next_line().await? else { return Ok(()) };
    if heard::<Call>(&first)? != Call::Follow {
        return Ok(());
    }
    let (state, mailbox) = run.follow();
    let result = converse(run, state, &mailbox, &mut lines, &mut out).await;
    run.leave(&mailbox);
    result
}

/// Tells a follower everything, and does what it wants, until the run is over or it has gone.
async fn converse(
    run: &Run,
    state: Word,
    mailbox: &Mailbox,
    lines: &mut Lines<BufReader<OwnedReadHalf>>,
    out: &mut OwnedWriteHalf,
) -> io::Result<()> {
    // What an hour left takes a moment to write down: beside the run, not in its way.
    let state = tokio::task::spawn_blocking(move || line(&state)).await??;
    out.write_all(&state).await?;
    loop {
        tokio::select! {
            mail = mailbox.take() => {
                for event in mail.events {
                    say(out, &Word::Event(Box::new(event))).await?;
                }
                if mail.closed {
                    return Ok(());
                }
            }
            called = lines.next_line() => match called? {
                Some(called) => match heard(&called)? {
                    Call::Wish(wish) => run.wish(wish),
                    Call::Follow => {}
                },
                None => return Ok(()),
            },
        }
    }
}
